/*
 * schedule_form: what a caller asks to be submitted again and again, from a request's body, checked whole.
 * Pure, but for the time zones of the system.
 *
 *     {"cron": "0 4 * * mon-fri", "timezone": "Europe/Berlin", "overlap": "skip", "catch_up": "one",
 *      "paused": false, "job": {"type": "report", "payload": {}, "queue": "default", …}}
 */
#ifndef JOBGATE_SCHEDULE_FORM_H
#define JOBGATE_SCHEDULE_FORM_H

#include "api/submission.h"
#include "common/base/json.h"
#include "common/base/zone.h"

struct schedule_form {
    char cron[256];
    char timezone[ZONE_NAME_SIZE];
    const char *overlap;  /* static */
    const char *catch_up; /* static */
    bool is_paused;
    struct submission job;
    struct json_span job_text; /* the member as it stands in the body; borrowed from it */
};

/* Reads a JSON body. out is to be released on success. Fails: BAD_JSON; INVALID with every mistake in
 * complaints. */
bool schedule_form_read(const char *body, size_t length, struct schedule_form *out, struct complaints *c,
    struct error *e) MUST_CHECK;

void schedule_form_release(struct schedule_form *f);

/* Appends what is kept and shown of it, a JSON object. owner may be "". updated_ms: Unix time. */
void schedule_form_write(
    const struct schedule_form *f, const char *name, const char *owner, int64_t updated_ms, struct buf *out);

#endif
