#include "tests/support/fault_proxy.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_MAX = 6 << 20, BACKLOG = 256, POLL_MS = 50, PATIENCE_MS = 20000, SLOW_MS = 400 };

struct fault_proxy {
    int listener;
    int port;
    int store_port;
    pthread_t acceptor;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    bool is_ending;
    size_t connection_count;
    enum store_fault fault;
    unsigned percent;
    unsigned random;
    size_t counts[STORE_FAULT_COUNT];
    char **results; /* paths */
    size_t result_count;
};

/* A connection, with its request and what the store answered. */
struct exchange {
    struct fault_proxy *proxy;
    int client;
    struct buf request;
    struct buf answer;
};

static const char *const texts[] = {
#define FAULT(name, text) text,
    STORE_FAULTS(FAULT)
#undef FAULT
};

const char *store_fault_text(enum store_fault fault)
{
    return texts[fault];
}

static bool is_ending(struct fault_proxy *p)
{
    bool is;

    pthread_mutex_lock(&p->lock);
    is = p->is_ending;
    pthread_mutex_unlock(&p->lock);
    return is;
}

/* ---- moving bytes ---- */

/* Reads once, when something comes in time. Returns false at the end. */
static bool read_more(struct fault_proxy *p, int fd, struct buf *into)
{
    int64_t deadline_ms = clock_steady_ms() + PATIENCE_MS;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    char *room = buf_reserve(into, 65536);
    ssize_t n;

    while (poll(&poll_fd, 1, POLL_MS) == 0)
        if (is_ending(p) || clock_steady_ms() > deadline_ms)
            return false;
    n = room ? read(fd, room, 65536) : 0;
    if (n > 0)
        buf_added(into, (size_t)n);
    return n > 0;
}

static bool write_all(int fd, const char *data, size_t length)
{
    while (length) {
        ssize_t n = send(fd, data, length, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        data += n;
        length -= (size_t)n;
    }
    return true;
}

static bool read_request(struct exchange *x)
{
    const char *end = NULL;
    const char *length_line;
    size_t body = 0;

    while (!(end = strstr(x->request.data, "\r\n\r\n")))
        if (!read_more(x->proxy, x->client, &x->request))
            return false;
    length_line = strcasestr(x->request.data, "\r\ncontent-length:");
    if (length_line && length_line < end)
        body = strtoul(length_line + strlen("\r\ncontent-length:"), NULL, 10);
    while (x->request.length < (size_t)(end - x->request.data) + 4 + body) {
        size_t head = (size_t)(end - x->request.data);

        if (!read_more(x->proxy, x->client, &x->request))
            return false;
        end = x->request.data + head;
    }
    return true;
}

static int connect_store(const struct fault_proxy *p)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p->store_port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* The answer ends with the connection: that is asked for in the request. */
static bool ask_store(struct exchange *x)
{
    static const char close_line[] = "Connection: close\r\n";
    size_t line = (size_t)(strstr(x->request.data, "\r\n") - x->request.data) + 2;
    int fd = connect_store(x->proxy);
    bool is_asked = fd >= 0 && write_all(fd, x->request.data, line) &&
                    write_all(fd, close_line, strlen(close_line)) &&
                    write_all(fd, x->request.data + line, x->request.length - line);

    while (is_asked && read_more(x->proxy, fd, &x->answer))
        continue;
    if (fd >= 0)
        close(fd);
    return x->answer.length > 0;
}

/* ---- faults ---- */

static enum store_fault choose_fault(struct fault_proxy *p)
{
    enum store_fault fault = STORE_WELL;

    pthread_mutex_lock(&p->lock);
    p->random = p->random * 1103515245 + 12345;
    if ((p->random >> 16) % 100 < p->percent)
        fault = p->fault;
    p->counts[fault]++;
    pthread_mutex_unlock(&p->lock);
    return fault;
}

/* status: with further header lines behind it, or without. */
static void refuse(const struct exchange *x, const char *status, const char *code)
{
    char text[512];
    int length = snprintf(text, sizeof(text),
        "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\nx-ms-error-code: %s\r\n"
        "x-ms-request-id: 5c6f3c8e-001e-0048-2a35-5b8f4d000000\r\n\r\n",
        status, code);

    write_all(x->client, text, (size_t)length);
}

static void say_html(const struct exchange *x, const char *status)
{
    static const char page[] = "<html><body><h1>Please log in</h1></body></html>";
    char text[512];
    int length = snprintf(text, sizeof(text),
        "HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: %zu\r\n\r\n%s",
        status, strlen(page), page);

    write_all(x->client, text, (size_t)length);
}

static void say_headers_for_ever(const struct exchange *x)
{
    static const char line[] =
        "X-Filler: 0123456789012345678901234567890123456789012345678901234567890123\r\n";
    bool is_read = write_all(x->client, "HTTP/1.1 200 OK\r\n", 17);

    while (is_read && !is_ending(x->proxy))
        is_read = write_all(x->client, line, strlen(line));
}

/* The next close sends RST. */
static void make_abrupt(int fd)
{
    const struct linger linger = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* Of a request without a body nothing is damaged. */
static void damage_body(struct exchange *x)
{
    const char *body = strstr(x->request.data, "\r\n\r\n") + 4;
    size_t head = (size_t)(body - x->request.data);

    if (x->request.length > head)
        x->request.data[head + (x->request.length - head) / 2] ^= 1;
}

/* What the service says of it; an emulator has another code. */
static bool is_refused_as_damaged(const struct exchange *x)
{
    if (strncmp(x->answer.data, "HTTP/1.1 400", 12) != 0)
        return false;
    refuse(x, "400 Bad Request", "Md5Mismatch");
    return true;
}

static void stay_silent(const struct exchange *x)
{
    struct pollfd poll_fd = {.fd = x->client, .events = POLLIN};

    while (poll(&poll_fd, 1, POLL_MS) == 0 && !is_ending(x->proxy))
        continue;
}

/* "PUT /account/container/results/…" that the store answered with 201; a block is none yet. */
static void note_result(const struct exchange *x)
{
    struct fault_proxy *p = x->proxy;
    const char *path = x->request.data + strlen("PUT ");
    size_t length = strcspn(path, " ?");

    if (strncmp(x->request.data, "PUT ", 4) != 0 || !memmem(path, length, "/results/", 9) ||
        strncmp(path + length, "?comp=block&", 12) == 0 || strncmp(x->answer.data, "HTTP/1.1 201", 12) != 0)
        return;
    pthread_mutex_lock(&p->lock);
    p->results = mem_realloc(p->results, (p->result_count + 1) * sizeof(*p->results));
    p->results[p->result_count++] = strndup(path, length);
    pthread_mutex_unlock(&p->lock);
}

/* Faults without the store. Returns false for the others. */
static bool serve_alone(struct exchange *x, enum store_fault fault)
{
    switch (fault) {
    case STORE_RESET_AT_ONCE:
    case STORE_RESET_IN_REQUEST:
        make_abrupt(x->client);
        break;
    case STORE_ERROR_500:
        refuse(x, "500 Internal Server Error", "InternalError");
        break;
    case STORE_ERROR_503:
        refuse(x, "503 Service Unavailable", "ServerBusy");
        break;
    case STORE_BUSY:
        refuse(x, "503 Service Unavailable\r\nRetry-After: 1", "ServerBusy");
        break;
    case STORE_ERROR_408:
        refuse(x, "408 Request Timeout", "OperationTimedOut");
        break;
    case STORE_SILENT:
        stay_silent(x);
        break;
    case STORE_ENDLESS_HEAD:
        say_headers_for_ever(x);
        break;
    case STORE_HTML_502:
        say_html(x, "502 Bad Gateway");
        break;
    case STORE_HTML_200:
        say_html(x, "200 OK");
        break;
    default:
        return false;
    }
    return true;
}

static void serve(struct exchange *x)
{
    enum store_fault fault = choose_fault(x->proxy);

    if (fault == STORE_RESET_IN_REQUEST)
        (void)read_more(x->proxy, x->client, &x->request);
    else if (fault != STORE_RESET_AT_ONCE && !read_request(x))
        return;
    if (serve_alone(x, fault))
        return;
    if (fault == STORE_DAMAGED)
        damage_body(x);
    if (!ask_store(x))
        return;
    note_result(x);
    if (fault == STORE_SLOW)
        usleep(SLOW_MS * 1000);
    if (fault == STORE_DAMAGED && is_refused_as_damaged(x))
        return;
    if (fault == STORE_RESET_IN_ANSWER)
        make_abrupt(x->client);
    if (fault == STORE_ANSWER_CUT || fault == STORE_RESET_IN_ANSWER)
        write_all(x->client, x->answer.data, x->answer.length / 2);
    else if (fault != STORE_ANSWER_LOST)
        write_all(x->client, x->answer.data, x->answer.length);
}

/* ---- threads ---- */

static void *serve_one(void *arg)
{
    struct exchange *x = arg;
    struct fault_proxy *p = x->proxy;

    serve(x);
    close(x->client);
    buf_release(&x->request);
    buf_release(&x->answer);
    free(x);
    pthread_mutex_lock(&p->lock);
    p->connection_count--;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void start_exchange(struct fault_proxy *p, int client)
{
    struct exchange *x = mem_zalloc(sizeof(*x));
    pthread_t thread;

    *x = (struct exchange){
        .proxy = p, .client = client, .request = BUF(MESSAGE_MAX), .answer = BUF(MESSAGE_MAX)};
    pthread_mutex_lock(&p->lock);
    p->connection_count++;
    pthread_mutex_unlock(&p->lock);
    if (pthread_create(&thread, NULL, serve_one, x) == 0)
        pthread_detach(thread);
    else
        serve_one(x);
}

static void *accept_all(void *arg)
{
    struct fault_proxy *p = arg;
    struct pollfd poll_fd = {.fd = p->listener, .events = POLLIN};

    while (!is_ending(p)) {
        struct sockaddr_in peer;
        socklen_t size = sizeof(peer);
        int client = poll(&poll_fd, 1, POLL_MS) > 0
                         ? accept4(p->listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC)
                         : -1;

        if (client >= 0)
            start_exchange(p, client);
    }
    return NULL;
}

struct fault_proxy *fault_proxy_start(int store_port)
{
    struct fault_proxy *p = mem_zalloc(sizeof(*p));
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->store_port = store_port;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(p->listener, 0);
    ck_assert_int_eq(bind(p->listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(p->listener, BACKLOG), 0);
    ck_assert_int_eq(getsockname(p->listener, (struct sockaddr *)&address, &size), 0);
    p->port = ntohs(address.sin_port);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    ck_assert_int_eq(pthread_create(&p->acceptor, NULL, accept_all, p), 0);
    return p;
}

struct fault_proxy *fault_proxy_free(struct fault_proxy *p)
{
    if (!p)
        return NULL;
    pthread_mutex_lock(&p->lock);
    p->is_ending = true;
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->acceptor, NULL);
    pthread_mutex_lock(&p->lock);
    while (p->connection_count)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
    close(p->listener);
    for (size_t i = 0; i < p->result_count; i++)
        free(p->results[i]);
    free(p->results);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return NULL;
}

int fault_proxy_port(const struct fault_proxy *p)
{
    return p->port;
}

void fault_proxy_set(struct fault_proxy *p, enum store_fault fault, unsigned percent)
{
    pthread_mutex_lock(&p->lock);
    p->fault = fault;
    p->percent = percent;
    pthread_mutex_unlock(&p->lock);
}

size_t fault_proxy_count(struct fault_proxy *p, enum store_fault fault)
{
    size_t count;

    pthread_mutex_lock(&p->lock);
    count = p->counts[fault];
    pthread_mutex_unlock(&p->lock);
    return count;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t fault_proxy_results(struct fault_proxy *p, size_t *written_again)
{
    size_t count;

    *written_again = 0;
    pthread_mutex_lock(&p->lock);
    count = p->result_count;
    if (count)
        qsort(p->results, count, sizeof(*p->results), compare);
    for (size_t i = 1; i < count; i++)
        if (strcmp(p->results[i - 1], p->results[i]) == 0) {
            printf("chaos: %s was written more than once\n", p->results[i]);
            ++*written_again;
        }
    pthread_mutex_unlock(&p->lock);
    return count;
}
