/*
 * openapi: the contract of the api as an OpenAPI 3.1 document, made from the table of routes and from
 * contract.json, which says what each operation takes and gives. Paths, methods and scopes come from the
 * table alone, so that they cannot differ. Pure.
 */
#ifndef JOBGATE_OPENAPI_H
#define JOBGATE_OPENAPI_H

#include "api/routes.h"
#include "common/base/buf.h"

/* Appends the document. A route whose operation contract.json does not know, and an operation that no route
 * has, are bugs: Fails: INTERNAL, naming them. */
bool openapi_write(const struct route *routes, struct buf *out, struct error *e) MUST_CHECK;

#endif
