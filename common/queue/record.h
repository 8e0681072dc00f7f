/*
 * record: a job as Redis keeps it, in one string. The scripts read and write the same form
 * (lua/lib/record.lua).
 *
 *     byte 0      '1', the version of the form
 *     byte 1      the state's letter (below)
 *     bytes 2-3   attempt: tries started, big-endian; it never goes down, so that no two tries share a number
 *     bytes 4-5   excused: tries that count as nothing: given back, or from before a replay
 *     byte 6      crashes: tries that ended because the handler died
 *     byte 7      lost: tries that ended because the worker vanished
 *     bytes 8-9   length of the spec
 *     bytes 10-11 length of the status
 *     spec        JSON: what the job is: type, and what differs from the defaults of content_type, timeout_s,
 *                 owner, traceparent, max_attempts, expires_at (Unix ms), callback_url,
 *                 metadata
 *     status      JSON: where it stands; empty while it is queued: worker, started_at,
 *                 finished_at, due_at (Unix ms), result, error (of the last try)
 *     payload     the rest: the caller's bytes; of a job that succeeded, its result where that is kept inline
 *
 * What can be derived is not stored: the time of the submission stands in the id, the blob's name follows
 * from it.
 */
#ifndef JOBGATE_RECORD_H
#define JOBGATE_RECORD_H

#include <jansson.h>

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/id.h"
#include "common/queue/keys.h"

#define JOB_STATES(STATE)                                                                                    \
    STATE(SCHEDULED, 's', "scheduled")                                                                       \
    STATE(QUEUED, 'q', "queued")                                                                             \
    STATE(RUNNING, 'r', "running")                                                                           \
    STATE(SUCCEEDED, '+', "succeeded")                                                                       \
    STATE(DEAD, 'd', "dead")                                                                                 \
    STATE(CANCELLED, 'c', "cancelled")

enum job_state {
#define STATE(name, letter, text) JOB_##name,
    JOB_STATES(STATE)
#undef STATE
};

const char *job_state_text(enum job_state state);
char job_state_letter(enum job_state state);
bool job_state_is_final(enum job_state state);

enum {
    CONTENT_TYPE_SIZE = 128,
    OWNER_SIZE = 65, /* 1 to 64 of A-Z a-z 0-9 . _ - */
    TRACEPARENT_SIZE = 56,
    MD5_SIZE = 25, /* base64 with its NUL */
    METADATA_MAX = 8192,
    CALLBACK_URL_MAX = 2048,
    RECORD_OVERHEAD_MAX = 12 + 2 * 65535,
};

#define CONTENT_TYPE_JSON "application/json"

/* What a job is. */
struct job_spec {
    char type[NAME_SIZE];
    char content_type[CONTENT_TYPE_SIZE]; /* of the payload */
    char owner[OWNER_SIZE];               /* whose job it is; "" with AUTH=none */
    char traceparent[TRACEPARENT_SIZE];   /* of the request that submitted it; "" = none. W3C Trace Context */
    int64_t timeout_s;                    /* 0 = the type's own */
    int64_t expires_ms;                   /* Unix time; not started by then it is dead; 0 = never */
    int max_attempts;                     /* 0 = the type's own */
    char *callback_url;                   /* who is told when it has ended; NULL = nobody; owned */
    int64_t payload_size; /* bytes of a payload that lies in the blob store; 0 = it is in the record */
    int payload_parts;    /* in how many blobs, when it was uploaded in parts; 0 = in one */
    json_t *metadata;     /* an object of texts, or NULL; owned */
};

/* Where its result is. */
struct job_result {
    bool is_inline; /* in the record; else in the blob store under the name that follows from the id */
    int64_t size;   /* bytes */
    char content_type[CONTENT_TYPE_SIZE];
    char md5[MD5_SIZE];
};

/* A job, as decoded from its record. */
struct job {
    struct job_id id;
    enum job_state state;
    int attempt; /* the number of the last try that was started; 0 = none was */
    int excused; /* tries that are not held against it, besides crashes and lost workers */
    int crashes;
    int lost;
    struct job_spec spec;
    char worker[WORKER_ID_SIZE];
    int64_t started_ms;  /* Unix time; 0 = not yet */
    int64_t finished_ms; /* Unix time; 0 = not yet */
    int64_t due_ms;      /* of one that is scheduled after a failure: Unix time of its next try */
    bool has_result;
    struct job_result result;
    bool has_progress;      /* of a running one */
    double fraction;        /* 0 to 1; negative = it did not say */
    char *progress_message; /* NULL = none; owned */
    char error_code[32];    /* "" = none */
    char *error_message;    /* NULL = none; owned */
    const char *payload;    /* borrowed from the text that was decoded */
    size_t payload_length;
};

/* Appends the record of a job that is queued for the first time. Fails: TOO_BIG when the spec is over 65535
 * bytes. */
bool record_encode_new(const struct job_spec *spec, const void *payload, size_t payload_length,
    struct buf *out, struct error *e) MUST_CHECK;

/* Fills job from the record of `id`; job borrows text and is to be released. Fails: BAD_RECORD, saying what
 * is wrong. */
bool record_decode(
    const struct job_id *id, const char *text, size_t length, struct job *job, struct error *e) MUST_CHECK;

/* The same of a record that queue_peek read: its payload is not there, and how far it is may be. */
bool record_decode_peeked(
    const struct job_id *id, const char *text, size_t length, struct job *job, struct error *e) MUST_CHECK;

/* The same of a record that start has just handed out: its status is passed over, for whoever holds the job
 * knows it. */
bool record_decode_started(
    const struct job_id *id, const char *text, size_t length, struct job *job, struct error *e) MUST_CHECK;

/* Takes over what `text`, which queue_progress kept, says of the job; nothing when that is of another try, or
 * malformed. */
void job_take_progress(struct job *job, const char *text, size_t length);

/* The attempt's number in a record of any state, as far as it can be read; else 0. */
int record_attempt(const char *text, size_t length);

/* Appends the JSON of a spec. */
void record_write_spec(const struct job_spec *spec, struct buf *out);

/* When the try was started that a record of a running job tells of: Unix time in ms; 0 = it cannot be read.
 */
int64_t record_started_ms(const char *text, size_t length);

void job_release(struct job *job);
void job_spec_release(struct job_spec *spec);

/* Append what settle wants as the rest of the status: members, each behind a comma. */
void status_write_result(struct buf *out, const struct job_result *result);
void status_write_error(struct buf *out, const struct error *e);

#endif
