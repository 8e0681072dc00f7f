/*
 * payload: where the payloads lie that are too large for Redis. Pure.
 *
 *     payloads/<hh>/<queue>/<id>                  one that came with its submission
 *     payloads/<hh>/<queue>/<id>/<owner>-<n>      the parts of an upload, from 1 on; <owner> is a hash of
 * whose it is, so that nobody else's parts can be used
 */
#ifndef JOBGATE_BLOB_PAYLOAD_H
#define JOBGATE_BLOB_PAYLOAD_H

#include "common/blob/blob.h"

enum { PAYLOAD_PARTS_MAX = 10000 };

void payload_name(const struct job_id *id, char out[BLOB_NAME_SIZE]);

/* owner: "" = nobody's. */
void payload_part_name(const struct job_id *id, const char *owner, int part, char out[BLOB_NAME_SIZE]);

/* What the names of all parts begin with, for blob_list. */
void payload_parts_prefix(const struct job_id *id, const char *owner, char out[BLOB_NAME_SIZE]);

/* The number at the end of a part's name, 0 when it is none. */
int payload_part_number(const char *name);

/* The job whose payload, or part of one, has this name. Returns false when it is none. */
bool payload_job(const char *name, struct job_id *out);

#endif
