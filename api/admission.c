#include "api/admission.h"
#include "api/api.h"
#include "api/types.h"
#include "common/net/guard.h"
#include "common/queue/queue.h"

#include <strings.h>

enum { KNOWN_TYPES_MAX = 8192 };

static void complain(const struct submission *s, struct complaints *c, const char *name, const char *detail)
{
    if (s->is_raw)
        complain_parameter(c, name, detail);
    else
        complain_pointer(c, "", name, detail);
}

static bool is_reserved(const char *name)
{
    return strncmp(name, RESERVED_PREFIX, strlen(RESERVED_PREFIX)) == 0;
}

/* A host as it stands in a URL: an IPv6 address has brackets there. */
static bool is_allowed(const struct api *a, const char *host)
{
    char address[64];
    size_t length = strlen(host);

    if (host[0] != '[' || length < 2 || length >= sizeof(address))
        return guard_allows_host(&a->callback_guard, host);
    snprintf(address, sizeof(address), "%.*s", (int)length - 2, host + 1);
    return guard_allows_host(&a->callback_guard, address);
}

/* The form of the URL was checked when it was read. */
static const char *find_fault_of_url(const struct api *a, const char *url)
{
    struct evhttp_uri *uri = evhttp_uri_parse(url);
    const char *scheme = uri ? evhttp_uri_get_scheme(uri) : NULL;
    const char *host = uri ? evhttp_uri_get_host(uri) : NULL;
    const char *fault = NULL;

    if (!scheme || !host)
        fault = "is no URL";
    else if (strcasecmp(scheme, "https") != 0 && !a->config->callback_insecure)
        fault = "is not an https URL: plain http would show the event to everybody on the way";
    else if (!is_allowed(a, host))
        fault =
            "leads to an address that callbacks must not reach (private, loopback, link-local or reserved)";
    if (uri)
        evhttp_uri_free(uri);
    return fault;
}

bool admission_check(
    const struct exchange *x, const struct submission *s, struct complaints *c, struct error *e)
{
    AUTO_BUF struct buf why = BUF(KNOWN_TYPES_MAX);
    const char *fault = s->spec.callback_url ? find_fault_of_url(x->api, s->spec.callback_url) : NULL;

    if (is_reserved(s->queue))
        complain(s, c, "queue", "begins with " RESERVED_PREFIX ", as only jobgate's own queues do");
    if (is_reserved(s->spec.type))
        complain(s, c, "type", "begins with " RESERVED_PREFIX ", as only jobgate's own types do");
    else if (!types_admit(x, s->spec.type, &why))
        complain(s, c, "type", why.data);
    if (fault)
        complain(s, c, "callback_url", fault);
    return complaints_check(c, e);
}
