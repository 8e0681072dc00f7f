/*
 * download: hands a caller what a job left behind (its result, its log), from the blob store or from memory.
 * To GET and HEAD it answers with ETag, and knows If-Match, If-None-Match, Range and If-Range (RFC 9110
 * sections 13 and 14); with RESULT_DELIVERY=redirect a blob is answered with 302 and a signed URL of the
 * store where the store gives such. Any other method (POST of a run) gets all of it, through the api.
 */
#ifndef JOBGATE_DOWNLOAD_H
#define JOBGATE_DOWNLOAD_H

#include "api/server.h"
#include "common/blob/blob.h"

/* What is handed out. Everything is borrowed until the call returns. */
struct download_ask {
    const char *what;   /* "result", for errors */
    const char *job_id; /* for the log */
    const char *blob;   /* the blob's name; NULL: it is `content` */
    const void *content;
    int64_t size; /* what the job's record says of it; a blob of another size is damaged */
    const char *content_type;
    const char *md5;  /* in base64, "" when unknown: then the tag is `etag` */
    const char *etag; /* the store's, with its quotes; "" when unknown */
};

/* Answers, now or later. */
void download_send(struct exchange *x, const struct download_ask *ask);

/* The same for a blob of which nothing is known but its name: the store is asked first. 404 when it is not
 * there. */
void download_find(struct exchange *x, const char *what, const char *job_id, const char *blob);

#endif
