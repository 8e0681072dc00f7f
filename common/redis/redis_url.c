#include "common/redis/redis_url.h"

#include <event2/http.h>

#include "common/base/mem.h"

enum { DEFAULT_PORT = 6379, DATABASE_MAX = 1023 };

static bool decode(const char *text, size_t length, char *out, size_t size)
{
    char *copy = mem_dup(text, length + 1);
    size_t decoded_length;
    char *decoded;
    bool is_fitting;

    copy[length] = '\0';
    decoded = evhttp_uridecode(copy, 0, &decoded_length);
    is_fitting = decoded && decoded_length < size && strlen(decoded) == decoded_length;
    if (is_fitting)
        memcpy(out, decoded, decoded_length + 1);
    if (decoded)
        explicit_bzero(decoded, decoded_length);
    explicit_bzero(copy, length);
    free(decoded);
    free(copy);
    return is_fitting;
}

static bool parse_userinfo(const char *text, struct redis_url *out, struct error *e)
{
    const char *colon = strchr(text, ':');
    const char *password = colon ? colon + 1 : "";
    size_t user_length = colon ? (size_t)(colon - text) : strlen(text);

    if (!decode(text, user_length, out->user, sizeof(out->user)) ||
        !decode(password, strlen(password), out->password, sizeof(out->password)))
        return error_set(e, ERROR_INVALID, "user or password is too long or holds a NUL byte");
    return true;
}

static bool parse_database(const char *path, struct redis_url *out, struct error *e)
{
    char *end = NULL;
    long database;

    if (!path || !*path || strcmp(path, "/") == 0)
        return true;
    database = path[1] >= '0' && path[1] <= '9' ? strtol(path + 1, &end, 10) : -1;
    if (database < 0 || database > DATABASE_MAX || *end)
        return error_set(e, ERROR_INVALID, "behind the host stands the database, a number such as /0");
    out->database = (int)database;
    return true;
}

static bool fill(const struct evhttp_uri *uri, struct redis_url *out, struct error *e)
{
    const char *scheme = evhttp_uri_get_scheme(uri);
    const char *host = evhttp_uri_get_host(uri);
    const char *userinfo = evhttp_uri_get_userinfo(uri);
    size_t length = host ? strlen(host) : 0;
    int port = evhttp_uri_get_port(uri);

    if (!scheme || strcmp(scheme, "redis") != 0)
        return error_set(e, ERROR_INVALID, "the scheme is not redis://, the one that is served");
    if (length == 0 || length >= sizeof(out->host))
        return error_set(e, ERROR_INVALID, "there is no host: redis://host:6379 is right");
    if (port == 0)
        return error_set(e, ERROR_INVALID, "no server listens on port 0: 6379 is the usual one");
    if (length > 2 && host[0] == '[')
        host++, length -= 2;
    memcpy(out->host, host, length);
    out->port = port > 0 ? port : DEFAULT_PORT;
    if (evhttp_uri_get_query(uri) || evhttp_uri_get_fragment(uri))
        return error_set(e, ERROR_INVALID, "nothing may stand behind the database: no ? and no #");
    return (!userinfo || parse_userinfo(userinfo, out, e)) &&
           parse_database(evhttp_uri_get_path(uri), out, e);
}

bool redis_url_parse(const char *text, struct redis_url *out, struct error *e)
{
    struct evhttp_uri *uri = evhttp_uri_parse_with_flags(text, EVHTTP_URI_NONCONFORMANT);
    struct redis_url url = {0};
    bool is_right;

    if (!uri)
        return error_set(e, ERROR_INVALID, "is not a URL such as redis://user:password@host:6379/0");
    is_right = fill(uri, &url, e);
    evhttp_uri_free(uri);
    if (is_right)
        *out = url;
    redis_url_wipe(&url);
    return is_right;
}

void redis_url_wipe(struct redis_url *url)
{
    explicit_bzero(url->password, sizeof(url->password));
}
