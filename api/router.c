#include "api/router.h"
#include "common/base/mem.h"

static const struct {
    enum evhttp_cmd_type method;
    const char *text;
} methods[] = {
    {EVHTTP_REQ_GET, "GET, HEAD"},
    {EVHTTP_REQ_POST, "POST"},
    {EVHTTP_REQ_PUT, "PUT"},
    {EVHTTP_REQ_DELETE, "DELETE"},
};

/* Decodes a segment; one that holds a NUL, or a slash in disguise, matches nothing. */
static bool decode_parameter(const char *text, size_t length, char parameter[PARAMETER_SIZE])
{
    char copy[PARAMETER_SIZE];
    size_t decoded_length = 0;
    char *decoded;
    bool is_plain;

    if (length == 0 || length >= PARAMETER_SIZE)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    decoded = evhttp_uridecode(copy, 0, &decoded_length);
    is_plain = decoded && decoded_length > 0 && decoded_length < PARAMETER_SIZE &&
               strlen(decoded) == decoded_length && !strchr(decoded, '/');
    if (is_plain)
        memcpy(parameter, decoded, decoded_length + 1);
    free(decoded);
    return is_plain;
}

/* Several parameters stand in one text with slashes between: none of them can hold one. */
static bool add_parameter(const char *text, size_t length, char parameter[PARAMETER_SIZE])
{
    char one[PARAMETER_SIZE];
    size_t used = strlen(parameter);

    if (!decode_parameter(text, length, one) || used + (used > 0) + strlen(one) >= PARAMETER_SIZE)
        return false;
    if (used)
        parameter[used++] = '/';
    memcpy(parameter + used, one, strlen(one) + 1);
    return true;
}

static bool matches(const char *pattern, const char *path, char parameter[PARAMETER_SIZE])
{
    *parameter = '\0';
    while (*pattern) {
        size_t length;

        if (pattern[0] != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        length = strcspn(path, "/");
        if (!add_parameter(path, length, parameter))
            return false;
        path += length;
        pattern += 2;
    }
    return *path == '\0';
}

static void add_allowed(enum evhttp_cmd_type method, char *allow, size_t size)
{
    size_t used = strlen(allow);

    for (size_t i = 0; i < ARRAY_LENGTH(methods); i++)
        if (methods[i].method == method && used + 16 < size)
            snprintf(allow + used, size - used, "%s%s", used ? ", " : "", methods[i].text);
}

const struct route *router_find(const struct route *routes, enum evhttp_cmd_type method, const char *path,
    char parameter[PARAMETER_SIZE], char *allow, size_t allow_size, struct error *e)
{
    char decoded[PARAMETER_SIZE] = "";

    *allow = '\0';
    for (const struct route *route = routes; route->pattern; route++) {
        if (!matches(route->pattern, path, decoded))
            continue;
        if (route->method == method || (route->method == EVHTTP_REQ_GET && method == EVHTTP_REQ_HEAD)) {
            if (strchr(route->pattern, '{'))
                memcpy(parameter, decoded, strlen(decoded) + 1);
            return route;
        }
        add_allowed(route->method, allow, allow_size);
    }
    if (*allow)
        error_set(e, ERROR_BAD_METHOD, "%.100s serves %s", path, allow);
    else
        error_set(e, ERROR_NOT_FOUND,
            "nothing is served at %.150s: the paths begin with /v1/jobs, /v1/queues, /v1/workers and "
            "/v1/stats",
            path);
    return NULL;
}
