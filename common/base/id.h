/*
 * id: names of queues and types, ULIDs, and the job id that carries its queue and shard:
 * `<queue>.<shard>.<ULID>`. The ULID holds the time of the submission, so ids of a queue sort by it. Source:
 * github.com/ulid/spec.
 */
#ifndef JOBGATE_ID_H
#define JOBGATE_ID_H

#include "common/base/base.h"
#include "common/base/error.h"

enum {
    NAME_SIZE = 64,   /* a queue's or type's name with its NUL */
    ULID_SIZE = 27,   /* with its NUL */
    SHARD_MAX = 4095, /* the highest shard number of a queue */
    JOB_ID_SIZE = NAME_SIZE + 5 + ULID_SIZE,
};

/* One shard of a queue: the keys of one hash tag. */
struct shard {
    char queue[NAME_SIZE];
    unsigned number;
};

struct job_id {
    struct shard shard;
    int64_t created_ms; /* Unix time that the ULID holds */
    char text[JOB_ID_SIZE];
};

/* Makes ids that rise within one generator, also within a millisecond. Not thread-safe: one per loop. */
struct id_generator {
    int64_t last_ms;
    uint8_t last[10];   /* the random part of the last ULID, big-endian */
    uint8_t pool[1024]; /* random bytes not yet used */
    size_t pool_left;
};

/* Names of queues and types that begin so are jobgate's own: no caller submits to them. */
#define RESERVED_PREFIX "jobgate-"

/* Whether text matches [a-z0-9][a-z0-9_-]{0,62}. */
bool name_is_valid(const char *text, size_t length);

/* Writes a new ULID. */
void id_generate_ulid(struct id_generator *g, char out[ULID_SIZE]);

/* Fills out with a new job id in `shard`. */
void id_generate(struct id_generator *g, const struct shard *shard, struct job_id *out);

/* Fills out from text. Fails: NOT_FOUND when text is not the canonical form of a job id. */
bool id_parse(const char *text, struct job_id *out, struct error *e) MUST_CHECK;

#endif
