#include "api/query.h"
#include "common/base/clock.h"

#include <errno.h>

static bool is_known(const char *name, const char *const *known)
{
    for (; *known; known++)
        if (strcmp(name, *known) == 0)
            return true;
    return false;
}

static bool check_pairs(const struct evkeyvalq *query, const char *const *known, struct error *e)
{
    for (const struct evkeyval *pair = query->tqh_first; pair; pair = pair->next.tqe_next) {
        if (!is_known(pair->key, known))
            return error_set(e, ERROR_BAD_REQUEST, "the parameter %.60s is not known here", pair->key);
        if (evhttp_find_header(query, pair->key) != pair->value)
            return error_set(e, ERROR_BAD_REQUEST, "the parameter %.60s stands there twice", pair->key);
    }
    return true;
}

bool query_read(const struct exchange *x, const char *const *known, struct evkeyvalq *out, struct error *e)
{
    const char *text = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(x->request));

    *out = (struct evkeyvalq){0};
    if (!text)
        text = "";
    if (strstr(text, "%00") || evhttp_parse_query_str(text, out) < 0)
        return error_set(e, ERROR_BAD_REQUEST, "the query is malformed");
    if (check_pairs(out, known, e))
        return true;
    query_release(out);
    return false;
}

void query_release(struct evkeyvalq *query)
{
    evhttp_clear_headers(query);
}

bool query_name(const struct evkeyvalq *query, const char *parameter, const char *preset, char out[NAME_SIZE],
    struct error *e)
{
    const char *value = query->tqh_first ? evhttp_find_header(query, parameter) : NULL;

    value = value ? value : preset;
    if (*value && !name_is_valid(value, strlen(value)))
        return error_set(e, ERROR_INVALID,
            "%s is not a name: 1 to 63 of a-z 0-9 _ -, the first a letter or digit", parameter);
    snprintf(out, NAME_SIZE, "%s", value);
    return true;
}

bool query_int(const struct evkeyvalq *query, const char *parameter, int64_t preset, int64_t min, int64_t max,
    int64_t *out, struct error *e)
{
    const char *value = query->tqh_first ? evhttp_find_header(query, parameter) : NULL;
    char *end;
    long long number;

    if (!value) {
        *out = preset;
        return true;
    }
    errno = 0;
    number = strtoll(value, &end, 10);
    if (end == value || *end || errno || number < min || number > max)
        return error_set(e, ERROR_INVALID, "%s is not a whole number from %lld to %lld", parameter,
            (long long)min, (long long)max);
    *out = number;
    return true;
}

bool query_time(
    const struct evkeyvalq *query, const char *parameter, int64_t preset, int64_t *out, struct error *e)
{
    const char *value = query->tqh_first ? evhttp_find_header(query, parameter) : NULL;

    if (!value) {
        *out = preset;
        return true;
    }
    if (clock_parse_rfc3339(value, out))
        return true;
    return error_set(e, ERROR_INVALID,
        "%s is not a time such as 2027-01-31T08:00:00Z (a + of an offset is written %%2B)", parameter);
}
