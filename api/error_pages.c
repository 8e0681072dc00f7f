#include "api/error_pages.h"
#include "api/problem.h"
#include "common/base/mem.h"

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <fcntl.h>
#include <unistd.h>

enum { LINGER_MS = 2000, LINGER_BYTES = 16 << 20, HEAD_MAX = 512, BODY_MAX = 2048 };

struct error_pages {
    struct loop *loop;
    int64_t max_body;
    bool is_paused;
    size_t page_start; /* where in the output the status line of the page being written is */
    struct lingering *lingers;
};

/* A refused connection whose sender is heard out. */
struct lingering {
    struct error_pages *pages;
    struct event *readable;
    struct timer end;
    size_t left; /* bytes */
    struct lingering *next;
    struct lingering *previous;
};

struct error_watch {
    struct error_pages *pages;
    struct bufferevent *b;
    const struct error *refusal;
    bool is_tls;
    struct evbuffer_cb_entry *entry;
};

/* ---- lingering ---- */

static void end_linger(void *arg)
{
    struct lingering *g = arg;

    timer_stop(&g->end);
    close(event_get_fd(g->readable));
    event_free(g->readable);
    if (g->previous)
        g->previous->next = g->next;
    else
        g->pages->lingers = g->next;
    if (g->next)
        g->next->previous = g->previous;
    free(g);
}

static void on_readable(evutil_socket_t fd, short UNUSED(what), void *arg)
{
    struct lingering *g = arg;
    char thrown_away[65536];
    ssize_t n = read(fd, thrown_away, sizeof(thrown_away));

    if (n <= 0 || (size_t)n >= g->left)
        end_linger(g);
    else
        g->left -= (size_t)n;
}

static void linger(struct error_pages *p, int fd)
{
    struct lingering *g;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (copy < 0)
        return; /* out of file descriptors: the reset is the smaller evil */
    g = mem_zalloc(sizeof(*g));
    g->pages = p;
    g->left = LINGER_BYTES;
    g->readable = event_new(loop_base(p->loop), copy, EV_READ | EV_PERSIST, on_readable, g);
    if (!g->readable || event_add(g->readable, NULL) < 0)
        abort(); /* mem.h's policy */
    timer_init(&g->end, p->loop, end_linger, g);
    timer_start(&g->end, LINGER_MS);
    g->next = p->lingers;
    if (g->next)
        g->next->previous = g;
    p->lingers = g;
}

/* ---- pages ---- */

static void describe(const struct error_pages *p, int status, struct error *e)
{
    if (status == 413)
        error_set(e, ERROR_TOO_BIG, "the body is larger than %lld bytes, the limit (MAX_BODY)",
            (long long)p->max_body);
    else if (status == 501)
        error_set(e, ERROR_BAD_METHOD_EVER, "GET, HEAD, POST, PUT and DELETE are served");
    else if (status == 417)
        error_set(e, ERROR_BAD_EXPECT, "the only expectation that is known is 100-continue");
    else if (status == 400)
        error_set(e, ERROR_BAD_REQUEST,
            "the request line, the headers or the framing of the body are not HTTP/1.1");
    else
        error_set(e, ERROR_INTERNAL, "the server refused the request with status %d", status);
}

void error_pages_write(struct evbuffer *out, const struct error *e)
{
    AUTO_BUF struct buf body = BUF(BODY_MAX);
    int status = error_http_status(e->code);

    problem_write(&body, e, NULL);
    evbuffer_add_printf(out,
        "HTTP/1.1 %d %s\r\nContent-Type: " PROBLEM_CONTENT_TYPE
        "\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n",
        status, error_title(e->code), body.length, status == 503 ? "Retry-After: 1\r\n" : "");
    evbuffer_add(out, body.data, body.length);
}

/* Puts the problem where the page stands, behind answers of earlier requests that are not sent yet. */
static void replace_page(const struct error_watch *w, struct evbuffer *output)
{
    struct error_pages *p = w->pages;
    struct evbuffer *earlier = evbuffer_new();
    char head[HEAD_MAX] = "";
    struct evbuffer_ptr at;
    int status;
    struct error e;

    evbuffer_ptr_set(output, &at, p->page_start, EVBUFFER_PTR_SET);
    evbuffer_copyout_from(output, &at, head, sizeof(head) - 1);
    if (!earlier || sscanf(head, "HTTP/1.%*c %d", &status) != 1)
        abort(); /* it began so when the page was found */
    evbuffer_remove_buffer(output, earlier, p->page_start);
    evbuffer_drain(output, evbuffer_get_length(output));
    evbuffer_add_buffer(output, earlier);
    evbuffer_free(earlier);
    if (w->refusal->code != ERROR_OK)
        e = *w->refusal;
    else
        describe(p, status, &e);
    error_pages_write(output, &e);
    linger(p, bufferevent_getfd(w->b));
}

static bool begins_with(struct evbuffer *output, size_t at_byte, const char *text)
{
    char begin[16];
    struct evbuffer_ptr at;
    size_t length = strlen(text);

    return evbuffer_ptr_set(output, &at, at_byte, EVBUFFER_PTR_SET) == 0 &&
           evbuffer_copyout_from(output, &at, begin, length) == (ev_ssize_t)length &&
           memcmp(begin, text, length) == 0;
}

static void look(const struct error_watch *w, struct evbuffer *output, size_t added_at)
{
    struct error_pages *p = w->pages;

    if (begins_with(output, added_at, "HTTP/1.")) {
        p->page_start = added_at;
    } else if (begins_with(output, added_at, "<HTML>")) {
        p->is_paused = true;
        replace_page(w, output);
        p->is_paused = false;
    }
}

/* Between its writes a bufferevent freezes the beginning of its output, which then can't be read either; it
 * thaws it by itself before it writes. (One that has not written yet is not frozen: freezing it does no
 * harm.)
 * One with TLS never freezes it, and would not thaw it. */
static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
    const struct error_watch *w = arg;

    if (w->pages->is_paused || info->n_added == 0)
        return;
    if (w->is_tls) {
        look(w, output, info->orig_size);
        return;
    }
    evbuffer_unfreeze(output, 1);
    look(w, output, info->orig_size);
    evbuffer_freeze(output, 1);
}

struct error_pages *error_pages_new(struct loop *l, int64_t max_body_bytes)
{
    struct error_pages *p = mem_zalloc(sizeof(*p));

    p->loop = l;
    p->max_body = max_body_bytes;
    return p;
}

struct error_pages *error_pages_free(struct error_pages *p)
{
    struct lingering *next;

    for (struct lingering *g = p ? p->lingers : NULL; g; g = next) {
        next = g->next;
        end_linger(g);
    }
    free(p);
    return NULL;
}

struct error_watch *error_pages_watch(
    struct error_pages *p, struct bufferevent *b, const struct error *refusal)
{
    struct error_watch *w = mem_zalloc(sizeof(*w));

    *w = (struct error_watch){
        .pages = p, .b = b, .refusal = refusal, .is_tls = bufferevent_openssl_get_ssl(b) != NULL};
    w->entry = evbuffer_add_cb(bufferevent_get_output(b), on_output, w);
    if (!w->entry)
        abort(); /* mem.h's policy */
    return w;
}

void error_pages_unwatch(struct error_watch *w)
{
    evbuffer_remove_cb_entry(bufferevent_get_output(w->b), w->entry);
    free(w);
}

void error_pages_pause(struct error_pages *p)
{
    p->is_paused = true;
}

void error_pages_resume(struct error_pages *p)
{
    p->is_paused = false;
}
