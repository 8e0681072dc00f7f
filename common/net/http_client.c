#include "common/net/http_client.h"
#include "common/base/mem.h"
#include "common/net/guard.h"

#include <curl/curl.h>
#include <sys/queue.h>
#include <sys/socket.h>

/* Easy handles kept for the next call: a new one costs several times what the setting of one call's options
 * does. */
enum { SPARE_CALLS_MAX = 64 };

/* The heads of one answer together, 1xx and trailers included: more is no server's doing, but an attack. */
enum { HEAD_BYTES_MAX = 65536 };

/* What is to be done with a call outside of curl's callbacks, in which most of curl may not be used. */
enum wish { WISH_NONE, WISH_START, WISH_RESUME, WISH_END };

struct http_call {
    struct http_client *client;
    CURL *easy;
    struct http_events events;
    void *arg;
    struct http_response response;
    struct buf header_text; /* what `headers` point into */
    struct curl_slist headers[HTTP_HEADERS_MAX + 2];
    enum wish wish;
    bool is_in_multi;
    bool has_head; /* the final one, to its end */
    size_t head_bytes;
    bool is_too_big;
    bool is_guarded; /* an address was refused */
    bool is_cancelled;
    char curl_error[CURL_ERROR_SIZE];
    TAILQ_ENTRY(http_call) link;      /* in client->calls or client->spare */
    TAILQ_ENTRY(http_call) wish_link; /* in client->wishes while wish is not NONE */
};

TAILQ_HEAD(calls, http_call);

/* A socket that curl wants watched. */
struct watch {
    struct event event;
    struct http_client *client;
    LIST_ENTRY(watch) link;
};

struct http_client {
    struct loop *loop;
    CURLM *multi;
    int max_idle_s;
    char *no_proxy;
    const struct guard *guard; /* NULL: any address will do */
    struct timer curl_timer;
    struct timer wish_timer;
    bool is_in_curl; /* one of curl's callbacks may be running */
    struct calls calls;
    struct calls wishes;
    struct calls spare;
    size_t spare_count;
    LIST_HEAD(watches, watch) watches;
};

static void set_wish(struct http_call *call, enum wish wish)
{
    struct http_client *c = call->client;

    if (call->wish == WISH_NONE)
        TAILQ_INSERT_TAIL(&c->wishes, call, wish_link);
    call->wish = wish;
    if (!timer_is_running(&c->wish_timer))
        timer_start(&c->wish_timer, 0);
}

static void clear_wish(struct http_call *call)
{
    if (call->wish != WISH_NONE)
        TAILQ_REMOVE(&call->client->wishes, call, wish_link);
    call->wish = WISH_NONE;
}

static void leave_multi(struct http_call *call)
{
    if (call->is_in_multi)
        curl_multi_remove_handle(call->client->multi, call->easy);
    call->is_in_multi = false;
}

static void free_call(struct http_call *call)
{
    leave_multi(call);
    curl_easy_cleanup(call->easy);
    buf_release(&call->header_text);
    buf_release(&call->response.body);
    free(call);
}

static void free_calls(struct calls *calls)
{
    for (struct http_call *call = TAILQ_FIRST(calls), *next; call; call = next) {
        next = TAILQ_NEXT(call, link);
        free_call(call);
    }
}

static int status_of(const struct http_call *call)
{
    long status = 0;

    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

/* Sees each header line; the empty one ends a head. Trailers come here too, behind the body. */
static size_t on_header(char *line, size_t size, size_t length, void *arg)
{
    struct http_call *call = arg;

    (void)size; /* always 1 */
    if (call->is_cancelled)
        return 0;
    call->head_bytes += length;
    if (call->head_bytes > HEAD_BYTES_MAX)
        return 0;
    if (call->has_head || (line[0] != '\r' && line[0] != '\n'))
        return length;
    call->response.status = status_of(call);
    call->has_head = call->response.status >= 200;
    if (call->has_head && call->events.on_head)
        call->events.on_head(call->arg, &call->response);
    return call->is_cancelled ? 0 : length;
}

static size_t on_body(char *data, size_t size, size_t length, void *arg)
{
    struct http_call *call = arg;

    (void)size; /* always 1 */
    if (call->is_cancelled)
        return 0;
    if (!call->events.on_data) {
        call->is_too_big = !buf_append(&call->response.body, data, length);
        return call->is_too_big ? 0 : length;
    }
    if (!call->events.on_data(call->arg, data, length))
        return CURL_WRITEFUNC_PAUSE;
    return call->is_cancelled ? 0 : length;
}

/* Makes the socket for a connection to an address that a name resolved to, or that stands in the URL. */
static curl_socket_t open_guarded(void *arg, curlsocktype UNUSED(purpose), struct curl_sockaddr *address)
{
    struct http_call *call = arg;

    if (!guard_allows(call->client->guard, &address->addr)) {
        call->is_guarded = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_guard(CURL *easy, struct http_call *call)
{
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_guarded);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
}

/* The next piece of a body that comes in pieces. */
static size_t on_read(char *room, size_t size, size_t length, void *arg)
{
    struct http_call *call = arg;
    size_t n = call->is_cancelled ? 0 : call->events.on_body(call->arg, room, size * length);

    if (call->is_cancelled)
        return CURL_READFUNC_ABORT;
    return n ? n : CURL_READFUNC_PAUSE;
}

/* What is the same for every call. */
static void set_fixed_options(CURL *easy, struct http_call *call)
{
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_error);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* a signature covers the path as it is sent */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (getenv("SSL_CERT_FILE")) /* as OpenSSL's own programs do */
        curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("SSL_CERT_FILE"));
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)call->client->max_idle_s);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, call->client->no_proxy);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    if (call->client->guard)
        set_guard(easy, call);
}

/* A call with nothing of its last use left, made or taken from the spare ones. */
static struct http_call *take_call(struct http_client *c)
{
    struct http_call *call = TAILQ_FIRST(&c->spare);

    if (call) {
        TAILQ_REMOVE(&c->spare, call, link);
        c->spare_count--;
    } else {
        call = mem_zalloc(sizeof(*call));
        call->client = c;
        call->easy = curl_easy_init();
        if (!call->easy)
            abort(); /* out of memory: mem.h's policy */
        buf_init(&call->header_text, SIZE_MAX / 2);
        set_fixed_options(call->easy, call);
    }
    TAILQ_INSERT_TAIL(&c->calls, call, link);
    call->response = (struct http_response){.call = call};
    call->has_head = call->is_too_big = call->is_cancelled = call->is_guarded = false;
    call->head_bytes = 0;
    call->curl_error[0] = '\0';
    return call;
}

static void release_call(struct http_call *call)
{
    struct http_client *c = call->client;

    TAILQ_REMOVE(&c->calls, call, link);
    buf_wipe(&call->header_text); /* a token or a signature was among them */
    if (c->spare_count == SPARE_CALLS_MAX) {
        free_call(call);
        return;
    }
    buf_release(&call->response.body);
    TAILQ_INSERT_HEAD(&c->spare, call, link);
    c->spare_count++;
}

/* Appends a header as curl wants it: one without a value is spelled "Name;" there, because its "Name:" means
 * "do not send your own". */
static void append_header(struct buf *text, const char *header)
{
    size_t length = strlen(header);

    while (length && header[length - 1] == ' ')
        length--;
    buf_append(text, header, length + 1);
    text->data[text->length - 1] = '\0';
    if (length && header[length - 1] == ':')
        text->data[text->length - 2] = ';';
}

/* Copies the headers, and keeps curl from adding its own. */
static void set_headers(struct http_call *call, const struct http_request *request)
{
    static char no_expect[] = "Expect:";
    static char no_type[] = "Content-Type:";
    size_t count = request->header_count;
    bool has_type = false;
    size_t at = 0;

    assert(count <= HTTP_HEADERS_MAX);
    buf_reset(&call->header_text);
    for (size_t i = 0; i < count; i++) {
        append_header(&call->header_text, request->headers[i]);
        has_type |= strncasecmp(request->headers[i], "Content-Type:", strlen("Content-Type:")) == 0;
    }
    for (size_t i = 0; i < count; i++) {
        call->headers[i] = (struct curl_slist){call->header_text.data + at, &call->headers[i + 1]};
        at += strlen(call->headers[i].data) + 1;
    }
    call->headers[count] = (struct curl_slist){no_expect, has_type ? NULL : &call->headers[count + 1]};
    call->headers[count + 1] = (struct curl_slist){no_type, NULL};
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
}

static bool sends_length(const struct http_request *request)
{
    return request->body_length || strcmp(request->method, "PUT") == 0 ||
           strcmp(request->method, "POST") == 0;
}

/* CURLOPT_POSTFIELDS for every method with a body: curl then sends a small body in one write with the head,
 * and needs no help to send it again. */
static void set_method(CURL *easy, const struct http_request *request, bool is_in_pieces)
{
    bool is_head = strcmp(request->method, "HEAD") == 0;
    const void *body = request->body_length ? request->body : "";

    if (sends_length(request)) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, is_in_pieces ? NULL : body);
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    if (is_head)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, is_head ? NULL : request->method);
}

static void set_options(struct http_call *call, const struct http_request *request)
{
    CURL *easy = call->easy;

    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)request->low_speed_s);
    set_method(easy, request, call->events.on_body != NULL);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, call->events.on_body ? 1L : 0L);
    set_headers(call, request);
}

static void start(struct http_call *call)
{
    if (curl_multi_add_handle(call->client->multi, call->easy) != CURLM_OK)
        abort(); /* out of memory: mem.h's policy */
    call->is_in_multi = true;
}

struct http_call *http_send(
    struct http_client *c, const struct http_request *request, const struct http_events *events, void *arg)
{
    struct http_call *call = take_call(c);

    call->events = *events;
    call->arg = arg;
    buf_init(&call->response.body, request->max_response_bytes);
    set_options(call, request);
    if (c->is_in_curl)
        set_wish(call, WISH_START);
    else
        start(call);
    return call;
}

void http_resume(struct http_call *call)
{
    if (call->wish == WISH_NONE)
        set_wish(call, WISH_RESUME);
}

void http_cancel(struct http_call *call)
{
    call->is_cancelled = true;
    if (!call->client->is_in_curl)
        leave_multi(call);
    set_wish(call, WISH_END);
}

/* Whether the URL is none of ours; curl says UNSUPPORTED_PROTOCOL of an answer that is not HTTP, too. */
static bool is_bad_url(const struct http_call *call, CURLcode code)
{
    long sent = 0;

    curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &sent);
    return sent == 0 && (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL);
}

/* Writes into e why there is no whole response. */
static void explain(const struct http_call *call, CURLcode code, struct error *e)
{
    const char *why = *call->curl_error ? call->curl_error : curl_easy_strerror(code);

    if (call->is_cancelled)
        error_set(e, ERROR_STOPPED, "the call was cancelled");
    else if (call->is_too_big)
        error_set(e, ERROR_TOO_BIG, "the answer is larger than %zu bytes", call->response.body.ceiling);
    else if (call->head_bytes > HEAD_BYTES_MAX)
        error_set(e, ERROR_STORE_AWAY, "the answer's head is larger than %d bytes", HEAD_BYTES_MAX);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        error_set(e, ERROR_TIMEOUT, "%s", why);
    else if (code == CURLE_OK)
        error_set(e, ERROR_STORE_AWAY, "the answer broke off in its head");
    else if (call->is_guarded && code == CURLE_COULDNT_CONNECT)
        error_set(e, ERROR_STORE_AWAY, "it leads to an address that must not be reached (CALLBACK_ALLOW)");
    else if (is_bad_url(call, code))
        error_set(e, ERROR_INVALID, "%s", why);
    else
        error_set(e, ERROR_STORE_AWAY, "%s", why);
}

static void end(struct http_call *call, CURLcode code)
{
    bool is_whole = code == CURLE_OK && call->has_head && !call->is_cancelled;
    struct error e;

    clear_wish(call);
    leave_multi(call);
    call->response.status = status_of(call);
    if (!is_whole)
        explain(call, code, &e);
    call->events.on_done(call->arg, &call->response, is_whole ? NULL : &e);
    release_call(call);
}

static void end_finished(struct http_client *c)
{
    const CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(c->multi, &left))) {
        CURLcode code = message->data.result;
        struct http_call *call = NULL;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        end(call, code);
    }
}

static void act(struct http_client *c, curl_socket_t fd, int mask)
{
    int running;

    c->is_in_curl = true;
    curl_multi_socket_action(c->multi, fd, mask, &running);
    c->is_in_curl = false;
    end_finished(c);
}

static void resume(struct http_call *call)
{
    struct http_client *c = call->client;

    c->is_in_curl = true;
    curl_easy_pause(call->easy, CURLPAUSE_CONT);
    c->is_in_curl = false;
}

static void on_wishes(void *arg)
{
    struct http_client *c = arg;
    struct http_call *call;

    while ((call = TAILQ_FIRST(&c->wishes))) {
        enum wish wish = call->wish;

        clear_wish(call);
        if (wish == WISH_START)
            start(call);
        else if (wish == WISH_RESUME)
            resume(call);
        else
            end(call, CURLE_OK);
    }
    end_finished(c);
}

static void on_curl_timer(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    const struct watch *w = arg;

    act(w->client, fd, (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void free_watch(struct watch *w)
{
    event_del(&w->event);
    LIST_REMOVE(w, link);
    free(w);
}

static struct watch *new_watch(struct http_client *c, curl_socket_t fd)
{
    struct watch *w = mem_zalloc(sizeof(*w));

    w->client = c;
    LIST_INSERT_HEAD(&c->watches, w, link);
    curl_multi_assign(c->multi, fd, w);
    return w;
}

/* curl's CURLMOPT_SOCKETFUNCTION: what it wants to know of a socket has changed. */
static int watch_socket(CURL *UNUSED(easy), curl_socket_t fd, int wanted, void *arg, void *socket_arg)
{
    struct http_client *c = arg;
    struct watch *w = socket_arg;
    short events = EV_PERSIST;

    if (wanted == CURL_POLL_REMOVE) {
        if (w)
            free_watch(w);
        return 0;
    }
    if (w)
        event_del(&w->event);
    else
        w = new_watch(c, fd);
    events |= (wanted & CURL_POLL_IN ? EV_READ : 0) | (wanted & CURL_POLL_OUT ? EV_WRITE : 0);
    event_assign(&w->event, loop_base(c->loop), fd, events, on_socket, w);
    event_add(&w->event, NULL);
    return 0;
}

/* curl's CURLMOPT_TIMERFUNCTION. */
static int set_curl_timer(CURLM *UNUSED(multi), long delay_ms, void *arg)
{
    struct http_client *c = arg;

    if (delay_ms < 0)
        timer_stop(&c->curl_timer);
    else
        timer_start(&c->curl_timer, delay_ms);
    return 0;
}

/* A proxy of the environment is for what lies outside: not for this host, nor for the link-local addresses of
 * Azure's metadata service, which must never be asked through one. */
static char *make_no_proxy(void)
{
    const char *more = getenv("no_proxy") ? getenv("no_proxy") : getenv("NO_PROXY");
    struct buf list = BUF(65536);

    buf_printf(&list, "localhost,127.0.0.1,::1,169.254.0.0/16%s%s", more ? "," : "", more ? more : "");
    return buf_take(&list, NULL);
}

struct http_client *http_client_new(struct loop *loop, int connections, int max_idle_s)
{
    struct http_client *c = mem_zalloc(sizeof(*c));

    c->loop = loop;
    c->max_idle_s = max_idle_s;
    c->no_proxy = make_no_proxy();
    /* Counted by curl; what never speaks HTTP never pays for its TLS library. */
    curl_global_init(CURL_GLOBAL_DEFAULT);
    c->multi = curl_multi_init();
    if (!c->multi)
        abort(); /* out of memory: mem.h's policy */
    TAILQ_INIT(&c->calls);
    TAILQ_INIT(&c->wishes);
    TAILQ_INIT(&c->spare);
    LIST_INIT(&c->watches);
    timer_init(&c->curl_timer, loop, on_curl_timer, c);
    timer_init(&c->wish_timer, loop, on_wishes, c);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, set_curl_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)connections);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)connections);
    return c;
}

void http_client_guard(struct http_client *c, const struct guard *g)
{
    c->guard = g;
}

struct http_client *http_client_free(struct http_client *c)
{
    if (!c)
        return NULL;
    assert(!c->is_in_curl);
    free_calls(&c->calls);
    free_calls(&c->spare);
    curl_multi_cleanup(c->multi);
    curl_global_cleanup();
    for (struct watch *w = LIST_FIRST(&c->watches), *next; w; w = next) {
        next = LIST_NEXT(w, link);
        event_del(&w->event);
        free(w);
    }
    timer_stop(&c->curl_timer);
    timer_stop(&c->wish_timer);
    free(c->no_proxy);
    free(c);
    return NULL;
}

const char *http_response_header(const struct http_response *response, const char *name)
{
    struct curl_header *header;

    if (curl_easy_header(response->call->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

int64_t http_date_parse(const char *text)
{
    time_t seconds = curl_getdate(text, NULL);

    return seconds > 0 ? (int64_t)seconds * 1000 : 0;
}
