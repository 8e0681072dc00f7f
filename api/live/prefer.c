#include "api/live/prefer.h"
#include "api/api.h"

#include <event2/keyvalq_struct.h>

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

static bool is_token_char(char c)
{
    return c && (strchr("!#$%&'*+-.^_`|~", c) || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                    (c >= 'A' && c <= 'Z'));
}

/* A word: a token, or a quoted text. */
struct word {
    const char *text;
    size_t length;
};

static const char *read_token(const char *at, struct word *out)
{
    out->text = at;
    while (is_token_char(*at))
        at++;
    out->length = (size_t)(at - out->text);
    return at;
}

/* Returns where it ends; NULL when the quotes do not close. */
static const char *read_word(const char *at, struct word *out)
{
    if (*at != '"')
        return read_token(at, out);
    out->text = ++at;
    while (*at && *at != '"')
        at += at[0] == '\\' && at[1] ? 2 : 1;
    out->length = (size_t)(at - out->text);
    return *at ? at + 1 : NULL;
}

static bool is_word(const struct word *w, const char *text)
{
    return w->length == strlen(text) && strncasecmp(w->text, text, w->length) == 0;
}

/* Whole seconds; more than nine digits are as long as anybody may want. */
static bool read_seconds(const struct word *w, int64_t *out)
{
    int64_t seconds = 0;

    if (w->length == 0)
        return false;
    for (size_t i = 0; i < w->length; i++) {
        if (w->text[i] < '0' || w->text[i] > '9')
            return false;
        if (seconds < 1000000000)
            seconds = seconds * 10 + (w->text[i] - '0');
    }
    *out = seconds;
    return true;
}

static void take(struct prefer *out, const struct word *name, const struct word *value)
{
    if (is_word(name, "respond-async"))
        out->respond_async = true;
    else if (is_word(name, "wait") && !out->has_wait)
        out->has_wait = read_seconds(value, &out->wait_s);
}

/* One preference with its parameters: name [= word] *( ; [name [= word]] ). Returns where it ends; NULL when
 * it is malformed. */
static const char *read_preference(const char *at, struct prefer *out)
{
    bool is_first = true;

    do {
        struct word name;
        struct word value = {"", 0};

        at = skip_blanks(read_token(skip_blanks(at), &name));
        if (*at == '=')
            at = read_word(skip_blanks(at + 1), &value);
        if (!at)
            return NULL;
        if (is_first)
            take(out, &name, &value);
        is_first = false;
        at = skip_blanks(at);
    } while (*at == ';' && *++at);
    return at;
}

void prefer_parse(const char *value, struct prefer *out)
{
    const char *at = value;

    while (at && *at) {
        at = read_preference(at, out);
        if (at && *at && *at != ',')
            return; /* nobody can tell where the next one begins */
        if (at && *at)
            at++;
    }
}

void prefer_read(const struct exchange *x, struct prefer *out)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(x->request);
    int64_t max_s = x->api->config->wait_max_s;

    *out = (struct prefer){0};
    for (const struct evkeyval *header = headers->tqh_first; header; header = header->next.tqe_next)
        if (strcasecmp(header->key, "Prefer") == 0)
            prefer_parse(header->value, out);
    if (out->wait_s > max_s)
        out->wait_s = max_s;
}

void prefer_applied_wait(struct exchange *x, int64_t wait_s)
{
    char text[32];

    snprintf(text, sizeof(text), "wait=%lld", (long long)wait_s);
    exchange_add_header(x, "Preference-Applied", text);
}
