#include "api/routes.h"
#include "api/router.h"
#include "tests/fuzz/fuzz.h"

static size_t count(const char *text, char c)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == c;
    return n;
}

/* The first byte is the method, the rest a path. What is found has as many parameters as the route has, none
 * with a slash of its own. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum evhttp_cmd_type methods[] = {EVHTTP_REQ_GET, EVHTTP_REQ_POST, EVHTTP_REQ_PUT,
        EVHTTP_REQ_DELETE, EVHTTP_REQ_HEAD, EVHTTP_REQ_OPTIONS};
    AUTO(free) char *path = fuzz_text(data + (size > 0), size ? size - 1 : 0);
    struct exchange x = {0};
    char allow[64];
    struct error e = {.code = ERROR_OK};

    const struct route *route = router_find(routes(), methods[(size ? data[0] : 0) % ARRAY_LENGTH(methods)],
        path, x.parameter, allow, sizeof(allow), &e);

    if (route)
        assert(count(x.parameter, '/') + 1 == count(route->pattern, '{') ||
               (!*x.parameter && !strchr(route->pattern, '{')));
    else
        fuzz_check_error(&e);
    return 0;
}
