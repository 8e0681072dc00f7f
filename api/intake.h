/*
 * intake: what single submissions and batches have in common, besides the values themselves (submission.h).
 */
#ifndef JOBGATE_INTAKE_H
#define JOBGATE_INTAKE_H

#include "api/server.h"
#include "api/submission.h"
#include "common/base/hash.h"

/* An Idempotency-Key and the request that it came with. */
struct idempotency {
    bool is_given;
    char key[HASH_TEXT_SIZE];         /* hash of owner and key */
    char fingerprint[HASH_TEXT_SIZE]; /* hash of path, query, Content-Type and body */
};

/* Fails: BAD_REQUEST when the key is empty or over 255 bytes. */
bool intake_read_key(struct exchange *x, struct idempotency *out, struct error *e) MUST_CHECK;

/* Makes it the caller's. Fails: FORBIDDEN when that one may not use its queue or type. */
bool intake_admit(const struct exchange *x, struct submission *s, struct error *e) MUST_CHECK;

/* What names the result of this payload: stands in for a key that the caller did not give. */
void intake_name_memo(const struct submission *s, struct idempotency *out);

/* The hash of owner, type and unique_key. */
void intake_name_unique(const struct submission *s, char out[HASH_TEXT_SIZE]);

#endif
