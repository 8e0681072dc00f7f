/*
 * remains: what is still known of a job after Redis forgot it, as a small text in the blob store
 * (status/<hh>/<queue>/<id>). Of a job that succeeded the blob of its result tells the same.
 *
 *     {"id":"…","state":"dead","attempt":3,"spec":{…},"status":{…}}      spec and status as in its record
 */
#ifndef JOBGATE_REMAINS_H
#define JOBGATE_REMAINS_H

#include "common/queue/record.h"

enum { REMAINS_MAX = 65536 };

void remains_write(const struct job *job, struct buf *out);

/* job is to be released. Fails: BAD_RECORD, or NOT_FOUND when the text is of another job. */
bool remains_read(
    const struct job_id *id, const char *text, size_t length, struct job *job, struct error *e) MUST_CHECK;

#endif
