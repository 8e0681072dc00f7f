#include "common/net/ops.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/net/listen.h"

#include <event2/buffer.h>
#include <event2/http.h>

enum { CHECKS_MAX = 16, PAGES_MAX = 8, SETS_MAX = 65, PULSES_MAX = 65, BODY_MAX = 72 << 20 };

struct check {
    const char *name;
    bool is_required;
    bool was_well; /* once since the start */
    ops_check *check;
    void *arg;
};

struct watched {
    char name[32];
    const struct pulse *pulse;
    int64_t limit_ms;
};

struct page {
    ops_page *write;
    void *arg;
};

struct ops {
    struct evhttp *http;
    char address[LISTEN_TEXT_SIZE];
    struct check checks[CHECKS_MAX];
    size_t check_count;
    struct watched pulses[PULSES_MAX];
    size_t pulse_count;
    struct metrics *sets[SETS_MAX];
    size_t set_count;
    struct page pages[PAGES_MAX];
    size_t page_count;
    bool is_draining;
};

static void reply(
    struct evhttp_request *request, int status, const char *content_type, const struct buf *body)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *out = evhttp_request_get_output_buffer(request);

    evhttp_add_header(headers, "Content-Type", content_type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evbuffer_add(out, body->data, body->length);
    evhttp_send_reply(request, status, NULL, NULL);
}

static void on_healthz(struct evhttp_request *request, void *arg)
{
    const struct ops *o = arg;
    AUTO_BUF struct buf stuck = BUF(BODY_MAX);
    AUTO_BUF struct buf body = BUF(BODY_MAX);

    for (size_t i = 0; i < o->pulse_count; i++) {
        int64_t age_ms = pulse_age_ms(o->pulses[i].pulse, clock_steady_ms());

        if (age_ms > o->pulses[i].limit_ms)
            buf_printf(&stuck, "%s\"%s\":%lld", stuck.length ? "," : "", o->pulses[i].name,
                (long long)age_ms / 1000);
    }
    if (stuck.length)
        buf_printf(&body, "{\"status\":\"stuck\",\"silent_s\":{%s}}\n", stuck.data);
    else
        buf_append_text(&body, "{\"status\":\"ok\"}\n");
    reply(request, stuck.length ? 503 : 200, "application/json", &body);
}

static const char *state_of(const struct ops *o, bool is_ready)
{
    return o->is_draining ? "draining" : is_ready ? "ready" : "not ready";
}

static bool describe_checks(struct ops *o, struct buf *body)
{
    bool is_ready = !o->is_draining;

    for (size_t i = 0; i < o->check_count; i++) {
        struct check *check = &o->checks[i];
        char text[256] = "";
        bool is_well = check->check(check->arg, text, sizeof(text));

        buf_printf(body, "%s\"%s\":{\"ok\":%s", i ? "," : "", check->name, is_well ? "true" : "false");
        json_write_member(body, "detail", text);
        buf_append_char(body, '}');
        check->was_well = check->was_well || is_well;
        is_ready = is_ready && (is_well || !check->is_required);
    }
    return is_ready;
}

static void on_readyz(struct evhttp_request *request, void *arg)
{
    struct ops *o = arg;
    AUTO_BUF struct buf checks = BUF(BODY_MAX);
    AUTO_BUF struct buf body = BUF(BODY_MAX);
    bool is_ready = describe_checks(o, &checks);

    buf_printf(&body, "{\"status\":\"%s\",\"checks\":{%s}}\n", state_of(o, is_ready), checks.data);
    reply(request, is_ready ? 200 : 503, "application/json", &body);
}

static void on_acceptz(struct evhttp_request *request, void *arg)
{
    struct ops *o = arg;
    AUTO_BUF struct buf checks = BUF(BODY_MAX);
    AUTO_BUF struct buf body = BUF(BODY_MAX);
    bool is_ready = describe_checks(o, &checks);
    bool accepts = !o->is_draining;

    for (size_t i = 0; i < o->check_count; i++)
        accepts = accepts && (o->checks[i].was_well || !o->checks[i].is_required);
    buf_printf(&body, "{\"accepts\":%s,\"status\":\"%s\",\"checks\":{%s}}\n", accepts ? "true" : "false",
        state_of(o, is_ready), checks.data);
    reply(request, accepts ? 200 : 503, "application/json", &body);
}

static void on_metrics(struct evhttp_request *request, void *arg)
{
    const struct ops *o = arg;
    AUTO_BUF struct buf body = BUF(BODY_MAX);

    if (o->set_count)
        metrics_read_process(o->sets[0]);
    metrics_expose(o->sets, o->set_count, &body);
    reply(request, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static void on_page(struct evhttp_request *request, void *arg)
{
    const struct page *page = arg;
    AUTO_BUF struct buf body = BUF(BODY_MAX);

    page->write(page->arg, &body);
    reply(request, 200, "application/json", &body);
}

static void on_unknown(struct evhttp_request *request, void *UNUSED(arg))
{
    AUTO_BUF struct buf body = BUF(256);

    buf_append_text(&body,
        "{\"title\":\"not found\",\"detail\":\"/healthz, /readyz, /acceptz and /metrics are "
        "served here, and by the api /v1/stats\"}\n");
    reply(request, 404, "application/problem+json", &body);
}

struct ops *ops_new(struct loop *l, const char *listen, struct error *e)
{
    struct ops *o = mem_zalloc(sizeof(*o));
    struct listen_address address;
    struct evconnlistener *listener;

    o->http = evhttp_new(loop_base(l));
    if (!o->http || !listen_parse(listen, &address, e))
        return ops_free(o);
    listener = listen_open(l, &address, false, o->address, e);
    if (!listener)
        return ops_free(o);
    if (!evhttp_bind_listener(o->http, listener)) {
        evconnlistener_free(listener);
        error_set(e, ERROR_INTERNAL, "the listener of %s could not be bound", listen);
        return ops_free(o);
    }
    evhttp_set_timeout(o->http, 30);
    evhttp_set_max_headers_size(o->http, 16384);
    evhttp_set_max_body_size(o->http, 1024);
    evhttp_set_cb(o->http, "/healthz", on_healthz, o);
    evhttp_set_cb(o->http, "/health", on_healthz, o);
    evhttp_set_cb(o->http, "/readyz", on_readyz, o);
    evhttp_set_cb(o->http, "/acceptz", on_acceptz, o);
    evhttp_set_cb(o->http, "/metrics", on_metrics, o);
    evhttp_set_gencb(o->http, on_unknown, o);
    return o;
}

struct ops *ops_free(struct ops *o)
{
    if (o && o->http)
        evhttp_free(o->http);
    free(o);
    return NULL;
}

const char *ops_address(const struct ops *o)
{
    return o->address;
}

void ops_add_check(struct ops *o, const char *name, bool is_required, ops_check *check, void *arg)
{
    assert(o->check_count < CHECKS_MAX);
    o->checks[o->check_count++] =
        (struct check){.name = name, .is_required = is_required, .check = check, .arg = arg};
}

void ops_add_pulse(struct ops *o, const char *name, const struct pulse *pulse, int64_t limit_ms)
{
    struct watched *watched = &o->pulses[o->pulse_count++];

    assert(o->pulse_count <= PULSES_MAX);
    watched->pulse = pulse;
    watched->limit_ms = limit_ms;
    snprintf(watched->name, sizeof(watched->name), "%s", name);
}

void ops_add_metrics(struct ops *o, struct metrics *m)
{
    assert(o->set_count < SETS_MAX);
    o->sets[o->set_count++] = m;
}

void ops_set_draining(struct ops *o)
{
    o->is_draining = true;
}

void ops_add_page(struct ops *o, const char *path, ops_page *write, void *arg)
{
    struct page *page = &o->pages[o->page_count++];

    assert(o->page_count <= PAGES_MAX);
    *page = (struct page){write, arg};
    evhttp_set_cb(o->http, path, on_page, page);
}
