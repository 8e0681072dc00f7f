/*
 * payloads: how a payload that is too long for Redis gets to where its worker finds it: into a blob before
 * its job is submitted, or it is there already, in the parts of an upload.
 */
#ifndef JOBGATE_PAYLOADS_H
#define JOBGATE_PAYLOADS_H

#include "api/api.h"
#include "api/submission.h"

/* Whether the payload of s is, or goes, in the blob store. */
bool payload_is_stored(const struct api *a, const struct submission *s);

/* e: NULL = s says where the payload lies (spec.payload_size, payload_parts), and carries none itself.
 * INVALID when the upload that it names is not there or not whole; else the store's, fit to be shown. */
typedef void payload_placed(void *arg, const struct error *e);

/* Places the payload of the job `id`. s is borrowed until done, which comes later. */
void payload_place(
    struct api *a, const struct job_id *id, struct submission *s, payload_placed *done, void *arg);

/* The job did not come about: what payload_place wrote is not needed. What cannot be removed is swept by the
 * workers later. */
void payload_take_back(const struct api *a, const struct job_id *id, const struct submission *s);

#endif
