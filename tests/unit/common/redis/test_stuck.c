#include "common/redis/redis.h"
#include "common/base/clock.h"

#include <arpa/inet.h>
#include <check.h>
#include <sys/socket.h>
#include <unistd.h>

Suite *stuck_suite(void);

enum { TIMEOUT_MS = 200, LOOK_MS = 2000, LONG_MS = 3600000 };

/* A listening socket that nobody accepts from: connections come about, and are never answered. */
static int open_silent_port(int *port, bool is_listening)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    if (is_listening)
        ck_assert_int_eq(listen(fd, 64), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void stop(void *arg)
{
    loop_stop(arg);
}

static const struct server_row {
    const char *name;
    bool is_listening;
} servers[] = {
    {"a Redis that is away", false},
    {"a Redis that accepts and never answers", true},
};

START_TEST(what_is_dropped_and_tried_again_is_not_stuck)
{
    struct loop *l = loop_new();
    struct redis_url url = {.host = "127.0.0.1"};
    struct redis_options options = {.url = &url, .component = "test", .timeout_ms = TIMEOUT_MS};
    int fd = open_silent_port(&url.port, servers[_i].is_listening);
    struct redis *r = redis_new(l, &options);
    struct timer look;

    timer_init(&look, l, stop, l);
    timer_start(&look, LOOK_MS);
    loop_run(l);
    ck_assert(!redis_is_ready(r));
    ck_assert(!redis_is_stuck(r, clock_steady_ms()));
    /* nothing has happened on it since, for an hour */
    ck_assert(redis_is_stuck(r, clock_steady_ms() + LONG_MS));
    redis_free(r);
    close(fd);
    loop_free(l);
}
END_TEST

Suite *stuck_suite(void)
{
    Suite *s = suite_create("stuck");
    TCase *c = tcase_create("stuck");

    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, what_is_dropped_and_tried_again_is_not_stuck, 0, ARRAY_LENGTH(servers));
    suite_add_tcase(s, c);
    return s;
}
