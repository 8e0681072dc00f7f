#include "api/access_log.h"
#include "api/api.h"
#include "api/digits.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum { FIELDS_MAX = 12, NUMBER_SIZE = DIGITS_SIZE + 5 };

static const char *method_text(const struct exchange *x)
{
    switch (x->method) {
    case EVHTTP_REQ_GET:
        return "GET";
    case EVHTTP_REQ_POST:
        return "POST";
    case EVHTTP_REQ_HEAD:
        return "HEAD";
    case EVHTTP_REQ_PUT:
        return "PUT";
    case EVHTTP_REQ_DELETE:
        return "DELETE";
    case EVHTTP_REQ_OPTIONS:
        return "OPTIONS";
    default:
        return "PATCH";
    }
}

/* What is written for one line; the texts that numbers become live here. */
struct line {
    struct log_field fields[FIELDS_MAX];
    size_t count;
    char status[NUMBER_SIZE];
    char ms[NUMBER_SIZE];
    char sent[NUMBER_SIZE];
    char trace_id[33];
    char span_id[17];
};

static void add(struct line *l, const char *name, const char *value)
{
    if (value && *value)
        l->fields[l->count++] = (struct log_field){name, value};
}

static void add_numbers(struct line *l, const struct exchange *x, int status)
{
    int64_t us = clock_steady_us() - x->arrived_us;

    *digits_write(l->status, status) = '\0';
    digits_write_ms(l->ms, us);
    *digits_write(l->sent, x->bytes_sent) = '\0';
    add(l, "status", l->status);
    add(l, "ms", l->ms);
    add(l, "bytes", l->sent);
}

static void add_trace(struct line *l, const struct exchange *x)
{
    if (!*x->traceparent)
        return;
    snprintf(l->trace_id, sizeof(l->trace_id), "%.32s", x->traceparent + 3);
    snprintf(l->span_id, sizeof(l->span_id), "%.16s", x->traceparent + 36);
    add(l, "trace_id", l->trace_id);
    add(l, "span_id", l->span_id);
    add(l, "parent_span_id", x->parent_span_id);
}

void access_log_write(const struct exchange *x, int status)
{
    struct log_context context = {
        .component = "access", .request_id = x->request_id, .job_id = *x->job_id ? x->job_id : NULL};
    struct line l;

    if (!x->api->config->access_log || !log_is_enabled(LOG_INFO))
        return;
    l.count = 0;
    add(&l, "method", method_text(x));
    add(&l, "path", x->path);
    add_numbers(&l, x, status);
    add(&l, "caller", x->caller ? x->caller->name : NULL);
    add(&l, "address", x->address);
    add_trace(&l, x);
    log_event(LOG_INFO, &context, "request", l.fields, l.count);
}
