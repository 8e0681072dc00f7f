/*
 * webhook: signs what is sent to a caller's URL, so that the receiver knows from whom it comes and that it is
 * not an old one again. Pure. Source: Standard Webhooks specification 1.0.0, symmetric signatures.
 */
#ifndef JOBGATE_WEBHOOK_H
#define JOBGATE_WEBHOOK_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"

enum { WEBHOOK_SECRETS_MAX = 8, WEBHOOK_KEY_MIN = 24, WEBHOOK_KEY_MAX = 64 };

/* Keys in use: a message is signed with each, so that receivers may change theirs one by one. */
struct webhook_keys {
    struct {
        uint8_t bytes[WEBHOOK_KEY_MAX];
        size_t length;
    } keys[WEBHOOK_SECRETS_MAX];
    size_t count;
};

/* Reads secrets with commas or blanks between: "whsec_" and the key in base64 each. Fails: INVALID, without
 * the secrets in the text. */
bool webhook_keys_parse(const char *text, struct webhook_keys *out, struct error *e) MUST_CHECK;

/* Wipes them. */
void webhook_keys_wipe(struct webhook_keys *k);

/* Appends the value of the header webhook-signature: "v1,<base64>" for each key, with blanks between. */
void webhook_sign(const struct webhook_keys *k, const char *id, int64_t unix_s, const void *body,
    size_t length, struct buf *out);

#endif
