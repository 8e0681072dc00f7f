/*
 * azure_page: a page of a list of blobs, as the service writes it in XML. Pure. Source: Azure Storage REST,
 * "List Blobs".
 */
#ifndef JOBGATE_BLOB_AZURE_PAGE_H
#define JOBGATE_BLOB_AZURE_PAGE_H

#include "common/base/buf.h"
#include "common/blob/blob.h"

enum { AZURE_MARKER_MAX = 2048 };

/* azure_page_release frees it. */
struct azure_page {
    struct blob_item *items;
    size_t count;
    struct buf next; /* the marker of the next page, "" behind the last */
};

/* Fills out. Blobs with names that are none of ours are left out. Fails: STORE_REFUSED, when it is no such
 * page (HTML of a proxy, cut, a document type, more than BLOB_PAGE_MAX blobs). */
bool azure_page_parse(struct azure_page *out, const char *text, size_t length, struct error *e) MUST_CHECK;
void azure_page_release(struct azure_page *p);

#endif
