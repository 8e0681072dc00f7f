#include "worker/handlers/handler.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "worker/handlers/children.h"
#include "worker/handlers/kind.h"
#include "worker/handlers/program.h"
#include "worker/handlers/warden.h"

#include <errno.h>

enum { FILE_MAX_BYTES = 1 << 20, TIMEOUT_MAX_S = 86400, TIMEOUT_PRESET_S = 300, CACHE_MAX_S = 31536000 };

#define OUTPUT_MAX_BYTES (INT64_C(1) << 50)

static const struct kind *const kinds[] = {&kind_builtin, &kind_command, &kind_http, &kind_pool};

static const char *const top_fields[] = {"types", NULL};
static const char *const common_fields[] = {"kind", "timeout_s", "content_type", "max_attempts",
    "max_crashes", "retry_delay_ms", "retry_delay_max_ms", "max_output_bytes", "cache_s", "retention_s",
    NULL};

struct handlers {
    struct loop *loop;
    const struct config *config; /* borrowed; NULL: none */
    int holds;                   /* the loader's, and one for each handler_keep and each run */
    struct handler *list;        /* by type, alphabetical */
    size_t count;
    char text_hash[HASH_TEXT_SIZE]; /* of the file */
    struct run *deferred;           /* oldest first; a drain is under way while there is one */
    struct run **deferred_end;
};

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

static const struct kind *parse_kind(struct spec *s)
{
    AUTO_BUF struct buf names = BUF(128);
    const char *name = spec_text(s, "kind", true, 32);
    const struct kind *kind = name ? find_kind(name) : NULL;

    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        buf_printf(&names, "%s%s", i ? ", " : "", kinds[i]->name);
    if (name && !kind)
        spec_mistake(s, "kind", "is not a known kind: it must be one of %s", names.data);
    return kind;
}

/* Source: RFC 9110 sections 8.3.1 and 5.6.2; what stands behind the first ';' is only checked for control
 * characters. */
bool content_type_is_valid(const char *text)
{
    static const char token[] =
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t type = strspn(text, token);
    size_t subtype = text[type] == '/' ? strspn(text + type + 1, token) : 0;
    const char *rest = text + type + 1 + subtype;

    if (!type || !subtype || strlen(text) >= MEDIA_TYPE_SIZE)
        return false;
    rest += strspn(rest, " ");
    if (*rest && *rest != ';')
        return false;
    for (; *rest; rest++)
        if (*rest < ' ' || *rest > '~')
            return false;
    return true;
}

enum { ATTEMPTS_MAX = 100, DELAY_MAX_MS = 86400000, RETENTION_MAX_S = 31536000 };

static void parse_retry(struct spec *s, struct retry_policy *retry)
{
    retry->max_attempts = (int)spec_int(s, "max_attempts", 3, 1, ATTEMPTS_MAX);
    retry->max_crashes = (int)spec_int(s, "max_crashes", 2, 1, ATTEMPTS_MAX);
    retry->delay_ms = spec_int(s, "retry_delay_ms", 1000, 1, DELAY_MAX_MS);
    retry->delay_max_ms = spec_int(s, "retry_delay_max_ms", 600000, 1, DELAY_MAX_MS);
}

static void parse_handler(struct handlers *all, struct handler *h, const char *type, struct spec *s)
{
    const char *preset = "application/octet-stream";
    const char *content_type;

    h->owner = all;
    h->type = mem_strdup(type);
    h->kind = parse_kind(s);
    if (h->kind) {
        spec_refuse_unknown(s, common_fields, h->kind->fields);
        h->settings = h->kind->parse(s, &preset);
    }
    h->timeout_ms = spec_int(s, "timeout_s", TIMEOUT_PRESET_S, 1, TIMEOUT_MAX_S) * 1000;
    h->max_output_bytes = spec_int(s, "max_output_bytes", 0, 1, OUTPUT_MAX_BYTES);
    h->cache_s = spec_int(s, "cache_s", 0, 0, CACHE_MAX_S);
    h->retention_s = spec_int(s, "retention_s", 0, 60, RETENTION_MAX_S);
    parse_retry(s, &h->retry);
    content_type = spec_text(s, "content_type", false, MEDIA_TYPE_SIZE - 1);
    if (content_type && !content_type_is_valid(content_type))
        spec_mistake(s, "content_type", "must be a media type such as text/plain");
    h->content_type = mem_strdup(content_type ? content_type : preset);
}

static void parse_type(struct handlers *all, struct handler *h, const char *type, struct spec *s)
{
    if (!name_is_valid(type, strlen(type)))
        spec_mistake(s, NULL, "is not a type's name: it must match [a-z0-9][a-z0-9_-]{0,62}");
    else if (strncmp(type, RESERVED_PREFIX, strlen(RESERVED_PREFIX)) == 0)
        spec_mistake(s, NULL, "begins with " RESERVED_PREFIX ", as only jobgate's own types do");
    if (json_is_object(s->object))
        parse_handler(all, h, type, s);
    else
        spec_mistake(s, NULL,
            "must be an object such as {\"kind\": \"command\", \"command\": [\"/usr/bin/wc\", \"-w\"]}");
}

static int by_type(const void *a, const void *b)
{
    return strcmp(((const struct handler *)a)->type, ((const struct handler *)b)->type);
}

static void parse_file(struct handlers *h, struct spec *top)
{
    const json_t *types = json_object_get(top->object, "types");
    struct spec types_spec;
    const char *type;
    json_t *entry;

    if (!json_is_object(top->object)) {
        spec_mistake(top, NULL, "must be an object: {\"types\": {…}}");
        return;
    }
    spec_refuse_unknown(top, top_fields, NULL);
    if (!json_is_object(types) || json_object_size(types) == 0) {
        spec_mistake(top, "types", "must be an object with at least one type");
        return;
    }
    spec_enter(&types_spec, top, "types", types);
    h->list = mem_array(json_object_size(types), sizeof(*h->list));
    json_object_foreach((json_t *)types, type, entry)
    {
        struct spec s;

        spec_enter(&s, &types_spec, type, entry);
        parse_type(h, &h->list[h->count], type, &s);
        h->count += h->list[h->count].type != NULL;
    }
    qsort(h->list, h->count, sizeof(*h->list), by_type);
}

static bool read_file(const char *path, struct buf *text, struct error *e)
{
    FILE *file = fopen(path, "re");
    char chunk[16384];
    size_t n;
    int why;

    if (!file)
        return error_set(e, ERROR_NOT_FOUND, "cannot be opened: %s", strerror(errno));
    do {
        n = fread(chunk, 1, sizeof(chunk), file);
    } while (buf_append(text, chunk, n) && n);
    why = ferror(file) ? errno : 0;
    fclose(file);
    if (why)
        return error_set(e, ERROR_NOT_FOUND, "cannot be read: %s", strerror(why));
    if (buf_is_overflown(text))
        return error_set(e, ERROR_TOO_BIG, "is larger than %d bytes", FILE_MAX_BYTES);
    return true;
}

static json_t *load_document(const char *path, char hash[HASH_TEXT_SIZE], struct buf *mistakes)
{
    AUTO_BUF struct buf text = BUF(FILE_MAX_BYTES);
    struct error e;
    json_t *document = NULL;

    if (read_file(path, &text, &e))
        document = json_parse(text.data, text.length, &e);
    if (!document)
        buf_printf(mistakes, "%.200s: %s\n", path, e.text);
    hash_text((const struct hash_part[]){{text.data, text.length}, {NULL, 0}}, hash);
    return document;
}

static struct handlers *new_handlers(struct loop *loop)
{
    struct handlers *h = mem_zalloc(sizeof(*h));

    h->loop = loop;
    h->holds = 1;
    h->deferred_end = &h->deferred;
    children_open(loop);
    warden_watch();
    workdir_open(loop);
    census_open(loop);
    return h;
}

struct handlers *handlers_load(
    struct loop *loop, const struct config *config, const char *path, struct buf *mistakes)
{
    char hash[HASH_TEXT_SIZE];
    AUTO(json) json_t *document = load_document(path, hash, mistakes);
    size_t mistake_count = 0;
    struct spec top = {.object = document, .mistakes = mistakes, .mistake_count = &mistake_count};
    struct handlers *h;

    if (!document)
        return NULL;
    h = new_handlers(loop);
    h->config = config;
    memcpy(h->text_hash, hash, sizeof(hash));
    program_note_memory();
    parse_file(h, &top);
    return mistake_count ? handlers_free(h) : h;
}

struct handlers *handlers_of_one(struct loop *loop, const char *type, const struct kind *kind, void *settings,
    int64_t timeout_ms, const struct retry_policy *retry)
{
    struct handlers *h = new_handlers(loop);

    h->list = mem_zalloc(sizeof(*h->list));
    h->count = 1;
    h->list[0] = (struct handler){.type = mem_strdup(type),
        .kind = kind,
        .settings = settings,
        .content_type = mem_strdup("application/octet-stream"),
        .timeout_ms = timeout_ms,
        .retry = *retry,
        .owner = h};
    return h;
}

struct handlers *handlers_free(struct handlers *h)
{
    if (!h || --h->holds)
        return NULL;
    assert(!h->deferred);
    for (size_t i = 0; i < h->count; i++) {
        if (h->list[i].kind)
            h->list[i].kind->release(h->list[i].settings);
        free(h->list[i].type);
        free(h->list[i].content_type);
    }
    census_close();
    workdir_close();
    warden_unwatch();
    children_close();
    free(h->list);
    free(h);
    return NULL;
}

static int compare_type(const void *type, const void *handler)
{
    return strcmp(type, ((const struct handler *)handler)->type);
}

const struct handler *handlers_find(const struct handlers *h, const char *type)
{
    return bsearch(type, h->list, h->count, sizeof(*h->list), compare_type);
}

const char *handlers_type_at(const struct handlers *h, size_t i)
{
    return i < h->count ? h->list[i].type : NULL;
}

bool handlers_are_same(const struct handlers *a, const struct handlers *b)
{
    return strcmp(a->text_hash, b->text_hash) == 0;
}

const struct handler *handler_keep(const struct handler *h)
{
    h->owner->holds++;
    return h;
}

void handler_drop(const struct handler *h)
{
    if (h)
        handlers_free(h->owner);
}

bool handler_check(const struct handler *h, struct error *e)
{
    return !h->kind->check || h->kind->check(h, e);
}

const char *handler_kind_name(const struct handler *h)
{
    return h->kind->name;
}

const char *handler_content_type(const struct handler *h)
{
    return h->content_type;
}

bool handler_keeps_inline(const struct handler *h)
{
    return h->kind->is_result_inline;
}

const struct retry_policy *handler_retry_policy(const struct handler *h)
{
    return &h->retry;
}

int64_t handler_cache_s(const struct handler *h)
{
    return h->cache_s;
}

int64_t handler_retention_s(const struct handler *h)
{
    return h->retention_s;
}

int64_t handler_timeout_ms(const struct handler *h)
{
    return h->timeout_ms;
}

struct loop *handler_loop(const struct handler *h)
{
    return h->owner->loop;
}

const struct config *handler_config(const struct handler *h)
{
    return h->owner->config;
}

struct run *run_start(
    const struct handler *h, const struct run_input *input, const struct run_events *events, void *arg)
{
    return h->kind->start(h, input, events, arg);
}

size_t run_feed(struct run *r, const void *data, size_t length)
{
    assert(r->input.is_streamed);
    return r->handler->kind->feed(r, data, length);
}

void run_feed_end(struct run *r)
{
    assert(r->input.is_streamed);
    r->handler->kind->feed_end(r);
}

void run_resume(struct run *r)
{
    r->handler->kind->resume(r);
}

void run_suspend(struct run *r)
{
    countdown_suspend(&r->limit);
}

void run_unsuspend(struct run *r)
{
    countdown_resume(&r->limit);
}

bool run_has_crashed(const struct error *e)
{
    return e->code == ERROR_HANDLER_KILLED || e->code == ERROR_HANDLER_BROKEN ||
           e->code == ERROR_OUT_OF_MEMORY;
}

void run_ask(struct run *r, enum error_code reason)
{
    if (r->handler->kind->ask)
        r->handler->kind->ask(r);
    else
        run_kill(r, reason);
}

void run_kill(struct run *r, enum error_code reason)
{
    r->handler->kind->kill(r, reason);
}

/* ---- for the kinds ---- */

void *run_new(size_t size, const struct handler *h, const struct run_input *input,
    const struct run_events *events, void *arg, loop_callback *on_limit)
{
    struct run *r = mem_alloc(size);

    memset((char *)r + sizeof(*r), 0, size - sizeof(*r));
    *r = (struct run){.handler = handler_keep(h), .input = *input, .events = events, .arg = arg};
    if (r->input.timeout_ms == 0)
        r->input.timeout_ms = h->timeout_ms;
    if (h->max_output_bytes && (size_t)h->max_output_bytes < input->max_result_bytes)
        r->input.max_result_bytes = (size_t)h->max_output_bytes;
    buf_init(&r->result, r->input.max_result_bytes);
    countdown_init(&r->limit, h->owner->loop, on_limit, r);
    return r;
}

void run_begin(struct run *r)
{
    int64_t left_ms = r->input.deadline_ms ? r->input.deadline_ms - clock_unix_ms() : INT64_MAX;

    if (r->input.timeout_ms > left_ms)
        r->input.timeout_ms = left_ms > 0 ? left_ms : 1;
    countdown_start(&r->limit, r->input.timeout_ms);
}

/* What was deferred keeps the handlers until its end; h is not touched once the list is taken. */
static void drain_deferred(void *arg)
{
    struct handlers *h = arg;
    struct run *r = h->deferred;

    h->deferred = NULL;
    h->deferred_end = &h->deferred;
    while (r) {
        struct run *next = r->next_deferred;

        r->is_deferred = false;
        r->handler->kind->finish(r);
        r = next;
    }
}

/* One call of the loop for all that are deferred in a turn: a builtin job then costs no event. */
void run_defer(struct run *r)
{
    struct handlers *h = r->handler->owner;

    if (r->is_deferred)
        return;
    if (!h->deferred)
        loop_call_later(h->loop, drain_deferred, h);
    r->is_deferred = true;
    r->next_deferred = NULL;
    *h->deferred_end = r;
    h->deferred_end = &r->next_deferred;
}

bool run_output(struct run *r, const void *data, size_t length, size_t *taken, struct error *e)
{
    size_t n = length;

    if (length > r->input.max_result_bytes - r->result_bytes)
        return error_set(e, ERROR_OUTPUT_TOO_BIG, "the result is larger than %zu bytes, the limit (%s)",
            r->input.max_result_bytes,
            r->input.max_result_bytes == (size_t)r->handler->max_output_bytes ? "max_output_bytes"
                                                                              : "MAX_RESULT");
    if (!r->events->on_output)
        buf_append(&r->result, data, length);
    else if (length)
        n = r->events->on_output(r->arg, data, length);
    assert(n <= length);
    r->result_bytes += n;
    *taken = n;
    return true;
}

void run_end(struct run *r, struct run_outcome *outcome)
{
    const struct handler *h = r->handler;

    assert(!r->is_deferred);
    countdown_stop(&r->limit);
    outcome->result = r->result;
    outcome->result_bytes = r->result_bytes;
    outcome->content_type = *r->content_type ? r->content_type : h->content_type;
    r->events->on_done(r->arg, outcome);
    buf_release(&outcome->result);
    buf_release(&outcome->log);
    free(r);
    handler_drop(h);
}

bool run_set_killed(const struct run *r, enum error_code reason, struct error *e)
{
    if (reason == ERROR_TIMEOUT)
        return error_set(e, reason, "the time limit of %lld ms was reached", (long long)r->input.timeout_ms);
    return error_set(e, reason, "the handler was stopped: %s", error_title(reason));
}
