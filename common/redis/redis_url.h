/*
 * redis_url: where Redis is, from REDIS_URL. Source of the form: the provisional IANA scheme "redis".
 */
#ifndef JOBGATE_REDIS_URL_H
#define JOBGATE_REDIS_URL_H

#include "common/base/base.h"
#include "common/base/error.h"

/* Plain data; holds a secret: redis_url_wipe when done. */
struct redis_url {
    char host[256];
    int port;
    char user[256];      /* "" = none */
    char password[1024]; /* "" = none */
    int database;
};

/* Parses redis://[user:password@]host[:port][/database]; user and password percent-decoded.
 * Fails: INVALID, with what would be right; the text never holds the URL itself. */
bool redis_url_parse(const char *text, struct redis_url *out, struct error *e) MUST_CHECK;

void redis_url_wipe(struct redis_url *url);

#endif
