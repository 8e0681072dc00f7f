/*
 * token_answer: what Entra ID and the machine's metadata service (IMDS) answer when they are asked for a
 * token, what a person can do about it, and when to ask again. Pure: no clock, no network.
 * Source: Microsoft identity platform, "OAuth 2.0 client credentials flow" and "Authentication and
 * authorization error codes"; "Use managed identities to acquire an access token".
 */
#ifndef JOBGATE_AZURE_TOKEN_ANSWER_H
#define JOBGATE_AZURE_TOKEN_ANSWER_H

#include "common/azure/way.h"
#include "common/base/base.h"
#include "common/base/error.h"

/* TOKEN_MAX: bytes of a token; Entra's have 1 to 4 KiB. TOKEN_LIFE_MAX_S: none is used for longer. */
enum { TOKEN_MAX = 8192, TOKEN_TEXT_SIZE = 128, TOKEN_LIFE_MAX_S = 7 * 86400 };

enum token_verdict {
    TOKEN_GRANTED,
    TOKEN_AGAIN,     /* a passing trouble */
    TOKEN_UNMATCHED, /* no federated credential matches: often wrong for good, but also a known passing
                        trouble of a right set-up */
    TOKEN_REREAD,    /* the service account's token is too old: read its file again */
    TOKEN_REFUSED,   /* until somebody changes something */
};

/* An answer, read. Texts are printable ASCII, "" when the answer has none. */
struct token_answer {
    enum token_verdict verdict;
    int status;
    char *token;                   /* of GRANTED: a secret, owned */
    int64_t expires_in_s;          /* of GRANTED: from when it was asked for; at least 1 */
    int64_t refresh_in_s;          /* when the issuer wants it to be renewed; 0 when it does not say */
    const char *remedy;            /* static; NULL when there is none to give */
    char code[TOKEN_TEXT_SIZE];    /* "AADSTS700213", "invalid_request" */
    char message[TOKEN_TEXT_SIZE]; /* the issuer's own words, cut */
    char trace_id[TOKEN_TEXT_SIZE];
};

/* Reads an answer to way (WORKLOAD: Entra ID, MANAGED: IMDS). body may be anything. unix_s: now, for a token
 * that says only when it expires. */
void token_answer_read(struct token_answer *out, enum azure_way way, int status, const char *body,
    size_t length, int64_t unix_s);

/* Fills e with STORE_AWAY: what was refused, why, and what to do. Never with a token. */
void token_answer_explain(const struct token_answer *a, enum azure_way way, struct error *e);

/* How many tries a verdict is worth, the first included. Source: the retry policies of Azure's SDKs; for
 * UNMATCHED, that a right set-up gets it now and then. */
int token_answer_tries(enum azure_way way, enum token_verdict verdict);

/* Milliseconds until the next try, when so many were made (1 and more). wait_ms is what the issuer asked for,
 * or -1; random is any 32 random bits. UNMATCHED is spread over about a minute: 1, 4, 16, 32 s. */
int64_t token_answer_delay_ms(enum token_verdict verdict, int tries, int64_t wait_ms, uint32_t random);

/* Milliseconds until a token that was granted is to be renewed: when its issuer says, else after half of its
 * life, but five minutes before its end if it lives that long; nine to eleven tenths of it, so that the
 * processes of a fleet do not ask in step. */
int64_t token_answer_refresh_ms(const struct token_answer *a, uint32_t random);

/* Wipes and frees the token. */
void token_answer_release(struct token_answer *a);

#endif
