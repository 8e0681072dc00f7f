/*
 * submission: what a caller asks for, from a request's body and query, checked whole. Pure: no request, no
 * Redis.
 */
#ifndef JOBGATE_SUBMISSION_H
#define JOBGATE_SUBMISSION_H

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "api/complaints.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/queue/queue.h"

struct submission {
    struct job_spec spec;
    struct job_schedule schedule;
    char queue[NAME_SIZE];
    char unique_key[256];          /* "" = none */
    bool is_raw;                   /* its options came in the query */
    bool has_queue;                /* it names its queue */
    char payload_ref[JOB_ID_SIZE]; /* the upload that is its payload; "" = none */
    const char *payload;           /* borrowed from the body */
    size_t payload_length;
};

/* Reads a JSON body. out is to be released on success. The payload is the text of its member, as it stands in
 * the body. Fails: BAD_JSON; INVALID with every mistake in complaints. */
bool submission_from_json(const char *body, size_t length, struct submission *out, struct complaints *c,
    struct error *e) MUST_CHECK;

/* Takes the body as the payload, byte for byte, and the options from the query (decoded pairs). content_type
 * may be NULL. out is to be released on success. Fails: INVALID with every mistake in complaints. */
bool submission_from_raw(const struct evkeyvalq *query, const char *content_type, const char *body,
    size_t length, struct submission *out, struct complaints *c, struct error *e) MUST_CHECK;

void submission_release(struct submission *s);

#endif
