/*
 * bare_submit: the limit that the api is measured against: evhttp, jansson and hiredis with nothing of ours
 * between them. For each POST it parses the body, sends one EVALSHA and answers 202 with the id when Redis
 * has answered. It checks nothing, routes, counts and logs nothing, and does not survive the loss of Redis.
 *
 *     bare_submit own|least REDIS_PORT [PORT]
 *
 * own: the script is the api's, with keys, arguments and a record of the same size, so that Redis does the
 * same work and what differs is the api's own cost. least: with the same arguments, what any such queue must
 * do: SET, LPUSH, HINCRBY. Prints the port that it listens on (any free one when none is given). Several
 * processes may share one.
 */
#include "common/queue/scripts.h"
#include "tests/bench/bench.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <hiredis/adapters/libevent.h>
#include <hiredis/async.h>
#include <jansson.h>
#include <netinet/tcp.h>

#define SHARD "jobgate:{default.0}:"

static const char least[] = "redis.call('SET', KEYS[1], ARGV[2], 'NX') redis.call('LPUSH', KEYS[2], ARGV[1]) "
                            "redis.call('HINCRBY', KEYS[3], 'submitted', 1) return {'accepted', 0}";

struct bare {
    struct event_base *base;
    redisAsyncContext *redis;
    char sha1[41];
    unsigned long long count;
};

struct request {
    struct evhttp_request *http;
    char id[40];
};

static void on_answer(redisAsyncContext *c, void *reply, void *arg)
{
    struct request *r = arg;
    const redisReply *answer = reply;
    char location[64];

    if (!answer || answer->type != REDIS_REPLY_ARRAY || strcmp(answer->element[0]->str, "accepted") != 0)
        die("redis: %s", answer && answer->type == REDIS_REPLY_ERROR ? answer->str : c->errstr);
    snprintf(location, sizeof(location), "/v1/jobs/%s", r->id);
    evhttp_add_header(evhttp_request_get_output_headers(r->http), "Location", location);
    evhttp_add_header(evhttp_request_get_output_headers(r->http), "Content-Type", "application/json");
    evbuffer_add_printf(evhttp_request_get_output_buffer(r->http), "{\"id\":\"%s\"}\n", r->id);
    evhttp_send_reply(r->http, 202, NULL, NULL);
    free(r);
}

/* Of the length of a real id, and unlike those of another process. */
static void make_id(struct bare *b, char out[40])
{
    snprintf(out, 40, "default.0.%010d%016llX", getpid(), b->count++);
}

static void submit(struct bare *b, struct evhttp_request *http, const char *record, size_t length)
{
    struct request *r = malloc(sizeof(*r));
    char key[80];
    const char *arguments[] = {"EVALSHA", b->sha1, "5", key, SHARD "ready", SHARD "stats", SHARD "scheduled",
        SHARD "held", NULL, record, "0", "0", "1000000", "", "86400", "-"};
    size_t lengths[ARRAY_LENGTH(arguments)];

    if (!r)
        die("out of memory");
    r->http = http;
    make_id(b, r->id);
    snprintf(key, sizeof(key), SHARD "job:%s", r->id);
    arguments[8] = r->id;
    for (size_t i = 0; i < ARRAY_LENGTH(arguments); i++)
        lengths[i] = i == 9 ? length : strlen(arguments[i]);
    redisAsyncCommandArgv(b->redis, on_answer, r, ARRAY_LENGTH(arguments), arguments, lengths);
}

static void on_request(struct evhttp_request *http, void *arg)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(http);
    size_t length = evbuffer_get_length(body);
    const char *text = (const char *)evbuffer_pullup(body, -1);
    json_t *document = text ? json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL) : NULL;

    if (json_string_value(json_object_get(document, "type")))
        submit(arg, http, text, length);
    else
        evhttp_send_error(http, 400, NULL);
    json_decref(document);
}

static void connect_redis(struct bare *b, const char *source, int port)
{
    redisContext *c = redis_open(port);
    int on = 1;

    redis_load(c, source, b->sha1);
    redisFree(c);
    b->redis = redisAsyncConnect("127.0.0.1", port);
    if (!b->redis || b->redis->err)
        die("no redis on port %d", port);
    setsockopt(b->redis->c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    redisLibeventAttach(b->redis, b->base);
}

static unsigned listen_on(struct bare *b, struct evhttp *http, unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof(address);
    struct evconnlistener *listener;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = evconnlistener_new_bind(b->base, NULL, NULL, LEV_OPT_REUSEABLE_PORT | LEV_OPT_CLOSE_ON_FREE,
        512, (struct sockaddr *)&address, sizeof(address));
    if (!listener || !evhttp_bind_listener(http, listener) ||
        getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address, &size) < 0)
        die("port %u cannot be listened on", port);
    return ntohs(address.sin_port);
}

int main(int argc, char **argv)
{
    struct bare b = {.base = event_base_new()};
    struct evhttp *http = evhttp_new(b.base);

    if (argc < 3 || argc > 4 || (strcmp(argv[1], "own") != 0 && strcmp(argv[1], "least") != 0))
        die("bare_submit own|least REDIS_PORT [PORT]");
    connect_redis(&b, argv[1][0] == 'o' ? queue_scripts[SCRIPT_SUBMIT].source : least,
        (int)argument_number(argv[2], 1, 65535));
    evhttp_set_gencb(http, on_request, &b);
    printf("%u\n", listen_on(&b, http, argc > 3 ? (unsigned)argument_number(argv[3], 0, 65535) : 0));
    fflush(stdout);
    event_base_dispatch(b.base);
    return 0;
}
