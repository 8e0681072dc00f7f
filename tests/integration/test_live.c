/*
 * Live: callers that wait for jobs, at two replicas of the api.
 */
#include <check.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/scene.h"
#include "tests/support/wire.h"

Suite *live_suite(void);

enum { URL_SIZE = 512, HEARD_MAX = 1 << 20, MANY = 1000 };

#define WAITERS "jobgate_http_waiters"
#define QUIET "{\"type\":\"echo\",\"payload\":1,\"queue\":\"quiet\"}" /* nobody serves it */

static struct scene s;
static struct jobgate *other; /* a replica of s.api */

static void open_scene(void)
{
    scene_open(&s);
    scene_start_api(&s, NULL);
    other = scene_new_api(&s, NULL);
    jobgate_wait_ready(other, 200);
}

static void close_scene(void)
{
    other = jobgate_free(other);
    scene_close(&s);
}

/* ---- conversations ---- */

/* Says a GET of a job, with further headers ("Name: value\r\n…"), on a connection of its own. */
static int ask(const struct jobgate *api, const char *id, const char *below, const char *headers)
{
    AUTO_BUF struct buf text = BUF(4096);
    int fd = wire_connect(jobgate_url(api), 0);

    buf_printf(&text, "GET /v1/jobs/%s%s HTTP/1.1\r\nHost: a\r\n%s\r\n", id, below, headers);
    ck_assert(wire_say(fd, text.data));
    return fd;
}

/* Hears the answer, closes the connection and gives the state that the job has in it. */
static char *hear_state(int fd, struct http_reply *reply)
{
    AUTO(json) json_t *job = NULL;
    char *state;

    ck_assert_msg(wire_hear(fd, reply), "%s", reply->failure);
    close(fd);
    ck_assert_int_eq(reply->status, 200);
    job = http_reply_json(reply);
    state = mem_strdup(json_text_at(job, "/state"));
    return state;
}

static void expect_state(int fd, const char *state)
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) char *heard = hear_state(fd, &reply);

    ck_assert_str_eq(heard, state);
}

/* Reads on until `needle` has come. */
static void hear_until(int fd, struct buf *heard, const char *needle)
{
    char chunk[4096];

    while (!strstr(heard->data, needle)) {
        ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

        ck_assert_msg(n > 0, "the stream ended without %s: %s", needle, heard->data);
        buf_append(heard, chunk, (size_t)n);
    }
}

static size_t count(const char *text, const char *needle)
{
    size_t found = 0;

    for (const char *at = text; (at = strstr(at, needle)); at++)
        found++;
    return found;
}

static void cancel(const struct jobgate *api, const char *id)
{
    AUTO_REPLY struct http_reply reply = {0};
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s/v1/jobs/%s", jobgate_url(api), id);
    http_ask(&(struct http_ask){.method = "DELETE", .url = url}, &reply);
    ck_assert_int_eq(reply.status, 200);
}

/* The tag of a job as it stands, as a header that asks for another. */
static void if_none_match(const struct jobgate *api, const char *id, char header[URL_SIZE])
{
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) char *etag = NULL;
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s/v1/jobs/%s", jobgate_url(api), id);
    http_get(url, &reply);
    ck_assert_int_eq(reply.status, 200);
    etag = http_reply_header(&reply, "ETag");
    ck_assert_ptr_nonnull(etag);
    snprintf(header, URL_SIZE, "If-None-Match: %s\r\n", etag);
}

static void expect_header(const struct http_reply *reply, const char *name, const char *value)
{
    AUTO(free) char *found = http_reply_header(reply, name);

    ck_assert_msg(found && strcmp(found, value) == 0, "%s: %s", name, found ? found : "absent");
}

/* ---- long polls ---- */

START_TEST(poll_is_woken_by_a_change_through_the_other_replica)
{
    AUTO(free) char *id = jobgate_submit(s.api, QUIET);
    AUTO_REPLY struct http_reply reply = {0};
    AUTO(free) char *state = NULL;
    int fd = ask(s.api, id, "", "Prefer: wait=30\r\n");

    jobgate_wait_metric(s.api, WAITERS, 1);
    cancel(other, id);
    state = hear_state(fd, &reply);
    ck_assert_str_eq(state, "cancelled");
    expect_header(&reply, "Preference-Applied", "wait=30");
    jobgate_wait_metric(s.api, WAITERS, 0);
}
END_TEST

START_TEST(poll_hears_of_each_state)
{
    AUTO(free) char *id = scene_submit_script(&s, "", "while ! test -e go; do sleep 0.05; done");
    char tag[URL_SIZE];
    char headers[URL_SIZE + 64];

    if_none_match(other, id, tag);
    snprintf(headers, sizeof(headers), "%sPrefer: wait=30\r\n", tag);
    {
        int fd = ask(other, id, "", headers);

        jobgate_wait_metric(other, WAITERS, 1);
        scene_start_worker(&s, NULL);
        expect_state(fd, "running");
    }
    expect_state(ask(other, id, "", headers), "running"); /* the tag is an old one: at once */
    if_none_match(other, id, tag);
    snprintf(headers, sizeof(headers), "%sPrefer: wait=30\r\n", tag);
    {
        int fd = ask(other, id, "", headers);

        jobgate_wait_metric(other, WAITERS, 1);
        scene_touch(&s, "go");
        expect_state(fd, "succeeded");
    }
    expect_state(ask(other, id, "", "Prefer: wait=30\r\n"), "succeeded"); /* nothing will change: at once */
}
END_TEST

START_TEST(poll_without_a_change_gets_304_or_the_job)
{
    AUTO(free) char *id = jobgate_submit(s.api, QUIET);
    AUTO_REPLY struct http_reply reply = {0};
    AUTO_REPLY struct http_reply later = {0};
    char tag[URL_SIZE];
    char headers[URL_SIZE + 64];
    int fd;

    if_none_match(s.api, id, tag);
    fd = ask(s.api, id, "", tag);
    ck_assert_msg(wire_hear(fd, &reply), "%s", reply.failure);
    close(fd);
    ck_assert_int_eq(reply.status, 304);
    ck_assert_uint_eq(reply.body.length, 0);

    snprintf(headers, sizeof(headers), "%sPrefer: respond-async, wait=1\r\n", tag);
    fd = ask(s.api, id, "", headers);
    ck_assert_msg(wire_hear(fd, &later), "%s", later.failure);
    close(fd);
    ck_assert_int_eq(later.status, 304);
    expect_header(&later, "Preference-Applied", "wait=1");

    expect_state(ask(s.api, id, "", "Prefer: wait=1\r\n"), "queued");
}
END_TEST

START_TEST(thousand_polls_are_woken)
{
    AUTO(free) char *id = jobgate_submit(s.api, QUIET);
    AUTO(free) char *same = jobgate_submit(s.api, QUIET);
    char *ids[MANY / 2];
    int fds[MANY];

    for (int i = 0; i < MANY / 2; i++) {
        ids[i] = jobgate_submit(other, QUIET);
        fds[i] = ask(s.api, ids[i], "", "Prefer: wait=60\r\n");
    }
    for (int i = MANY / 2; i < MANY; i++)
        fds[i] = ask(s.api, same, "", "Prefer: wait=60\r\n");
    jobgate_wait_metric(s.api, WAITERS, MANY);
    for (int i = 0; i < MANY / 2; i++)
        cancel(other, ids[i]);
    cancel(other, same);
    for (int i = 0; i < MANY; i++)
        expect_state(fds[i], "cancelled");
    jobgate_wait_metric(s.api, WAITERS, 0);
    for (int i = 0; i < MANY / 2; i++)
        free(ids[i]);
}
END_TEST

START_TEST(caller_that_vanishes_is_waited_for_no_longer)
{
    AUTO(free) char *id = jobgate_submit(s.api, QUIET);
    int polling = ask(s.api, id, "", "Prefer: wait=60\r\n");
    int streaming = ask(s.api, id, "/events", "");
    int breaking = ask(s.api, id, "", "Prefer: wait=60\r\n");
    struct linger reset = {.l_onoff = 1};

    jobgate_wait_metric(s.api, WAITERS, 3);
    close(polling);
    close(streaming);
    ck_assert_int_eq(setsockopt(breaking, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    close(breaking);
    jobgate_wait_metric(s.api, WAITERS, 0);
    cancel(s.api, id);
}
END_TEST

START_TEST(caller_that_only_stops_writing_is_answered)
{
    AUTO(free) char *id = jobgate_submit(s.api, QUIET);
    int fd = ask(s.api, id, "", "Prefer: wait=60\r\n");

    jobgate_wait_metric(s.api, WAITERS, 1);
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    expect_state(fd, "queued");
}
END_TEST

START_TEST(waiting_is_bounded)
{
    AUTO(free) char *id = jobgate_submit(s.api, QUIET);
    AUTO_REPLY struct http_reply reply = {0};
    AUTO_REPLY struct http_reply stream = {0};
    AUTO(free) char *applied = NULL;
    char url[URL_SIZE];
    struct jobgate *narrow = scene_new_api(&s, (const char *const[]){"WAITERS_MAX=1", NULL});
    int first;
    int second;

    jobgate_wait_ready(narrow, 200);
    first = ask(narrow, id, "", "Prefer: wait=60\r\n");
    jobgate_wait_metric(narrow, WAITERS, 1);
    second = ask(narrow, id, "", "Prefer: wait=60\r\n");
    ck_assert_msg(wire_hear(second, &reply), "%s", reply.failure);
    close(second);
    ck_assert_int_eq(reply.status, 200);
    applied = http_reply_header(&reply, "Preference-Applied");
    ck_assert_ptr_null(applied);
    snprintf(url, sizeof(url), "%s/v1/jobs/%s/events", jobgate_url(narrow), id);
    http_get(url, &stream);
    json_decref(scene_problem(&stream, 503, "too_many_waiters"));
    close(first);
    jobgate_free(narrow);
}
END_TEST

/* ---- event streams ---- */

START_TEST(stream_tells_each_state_and_ends)
{
    AUTO(free) char *id = scene_submit_script(&s, "", "while ! test -e go; do sleep 0.05; done; echo done");
    AUTO_BUF struct buf heard = BUF(HEARD_MAX);
    int fd = ask(other, id, "/events", "");

    hear_until(fd, &heard, "\"state\":\"queued\"");
    ck_assert_ptr_nonnull(strstr(heard.data, "Content-Type: text/event-stream\r\n"));
    scene_start_worker(&s, NULL);
    hear_until(fd, &heard, "\"state\":\"running\"");
    scene_touch(&s, "go");
    hear_until(fd, &heard, "\"state\":\"succeeded\"");
    hear_until(fd, &heard, "\r\n0\r\n\r\n");
    close(fd);
    ck_assert_uint_eq(count(heard.data, "event: state\n"), 3);
    ck_assert_uint_eq(count(heard.data, "\nid: ") + count(heard.data, "\rid: "), 3);
}
END_TEST

START_TEST(stream_tells_progress)
{
    AUTO(free)
    char *id = scene_submit_script(&s, "",
        "echo '{\"fraction\":0.25}' >&3; until test -e go; do sleep 0.05; done; "
        "echo '{\"fraction\":0.75,\"message\":\"nearly\"}' >&3; until test -e end; do sleep 0.05; done");
    AUTO_BUF struct buf heard = BUF(HEARD_MAX);
    int fd = ask(other, id, "/events", "");

    scene_start_worker(&s, NULL);
    hear_until(fd, &heard, "\"fraction\":0.25");
    scene_touch(&s, "go");
    hear_until(fd, &heard, "\"message\":\"nearly\"");
    scene_touch(&s, "end");
    hear_until(fd, &heard, "\r\n0\r\n\r\n");
    close(fd);
    ck_assert_uint_ge(count(heard.data, "event: progress\n"), 1);
    ck_assert_ptr_nonnull(strstr(heard.data, "\"state\":\"succeeded\""));
}
END_TEST

/* What is behind the last "id: " in what was heard, as a header. */
static void last_event_id(const struct buf *heard, char header[URL_SIZE])
{
    const char *at = NULL;

    for (const char *next = heard->data; (next = strstr(next, "\nid: ")); next++)
        at = next;
    ck_assert_ptr_nonnull(at);
    snprintf(header, URL_SIZE, "Last-Event-ID: %.*s\r\n", (int)strcspn(at + 5, "\n"), at + 5);
}

START_TEST(stream_goes_on_where_it_broke_off)
{
    AUTO(free) char *id = jobgate_submit(s.api, QUIET);
    AUTO_BUF struct buf first = BUF(HEARD_MAX);
    AUTO_BUF struct buf second = BUF(HEARD_MAX);
    AUTO_BUF struct buf third = BUF(HEARD_MAX);
    AUTO_REPLY struct http_reply reply = {0};
    char seen[URL_SIZE];
    int fd = ask(s.api, id, "/events", "");

    hear_until(fd, &first, "\"state\":\"queued\"");
    hear_until(fd, &first, "\n\n\r\n");
    close(fd);
    last_event_id(&first, seen);

    fd = ask(other, id, "/events", seen); /* another replica: it tells only what is new */
    hear_until(fd, &second, ":\n\n");
    cancel(s.api, id);
    hear_until(fd, &second, "\r\n0\r\n\r\n");
    close(fd);
    ck_assert_uint_eq(count(second.data, "event: state\n"), 1);
    ck_assert_ptr_nonnull(strstr(second.data, "\"state\":\"cancelled\""));

    fd = ask(other, id, "/events", seen); /* what it missed comes at once */
    hear_until(fd, &third, "\r\n0\r\n\r\n");
    close(fd);
    ck_assert_ptr_nonnull(strstr(third.data, "\"state\":\"cancelled\""));
    last_event_id(&third, seen);

    fd = ask(s.api, id, "/events", seen); /* there is nothing more to come */
    ck_assert_msg(wire_hear(fd, &reply), "%s", reply.failure);
    close(fd);
    ck_assert_int_eq(reply.status, 204);
}
END_TEST

/* A stream lives longer than a connection may be silent otherwise. */
START_TEST(stream_outlives_the_request_timeout)
{
    AUTO(free) char *id = jobgate_submit(s.api, QUIET);
    AUTO_BUF struct buf heard = BUF(HEARD_MAX);
    struct jobgate *impatient = scene_new_api(&s, (const char *const[]){"REQUEST_TIMEOUT_S=1", NULL});
    int stream;
    int poll;

    jobgate_wait_ready(impatient, 200);
    stream = ask(impatient, id, "/events", "");
    poll = ask(impatient, id, "", "Prefer: wait=60\r\n");
    hear_until(stream, &heard, "\"state\":\"queued\"");
    jobgate_wait_metric(impatient, WAITERS, 2);
    sleep(3);
    cancel(s.api, id);
    hear_until(stream, &heard, "\"state\":\"cancelled\"");
    expect_state(poll, "cancelled");
    close(stream);
    jobgate_free(impatient);
}
END_TEST

START_TEST(stream_of_a_job_that_is_not_there_gets_404)
{
    AUTO_REPLY struct http_reply reply = {0};
    char url[URL_SIZE];

    snprintf(url, sizeof(url), "%s/v1/jobs/default.0.01M7Y93WW81WRZMV2HD7V6524Y/events", jobgate_url(s.api));
    http_get(url, &reply);
    json_decref(scene_problem(&reply, 404, "not_found"));
}
END_TEST

/* ---- what goes wrong ---- */

START_TEST(stopping_answers_those_who_wait)
{
    AUTO(free) char *id = jobgate_submit(s.api, QUIET);
    AUTO_BUF struct buf heard = BUF(HEARD_MAX);
    AUTO_REPLY struct http_reply reply = {0};
    char tag[URL_SIZE];
    char headers[URL_SIZE + 64];
    int plain = ask(other, id, "", "Prefer: wait=60\r\n");
    int stream = ask(other, id, "/events", "");
    int tagged;

    if_none_match(other, id, tag);
    snprintf(headers, sizeof(headers), "%sPrefer: wait=60\r\n", tag);
    tagged = ask(other, id, "", headers);
    hear_until(stream, &heard, "\"state\":\"queued\"");
    jobgate_wait_metric(other, WAITERS, 3);
    ck_assert_int_eq(jobgate_stop(other), 0);
    expect_state(plain, "queued");
    ck_assert_msg(wire_hear(tagged, &reply), "%s", reply.failure);
    ck_assert_int_eq(reply.status, 304);
    hear_until(stream, &heard, "\r\n0\r\n\r\n");
    close(stream);
    close(tagged);
}
END_TEST

START_TEST(change_is_heard_of_after_redis_was_restarted)
{
    static const char *const kept[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};
    struct redis_server *redis = redis_server_start(kept);
    const char *const settings[] = {redis_server_setting(redis), NULL};
    struct jobgate *api = scene_new_api(&s, settings);
    AUTO_BUF struct buf heard = BUF(HEARD_MAX);
    AUTO(free) char *id = NULL;
    int stream;
    int poll;

    jobgate_wait_ready(api, 200);
    id = jobgate_submit(api, QUIET);
    stream = ask(api, id, "/events", "");
    poll = ask(api, id, "", "Prefer: wait=60\r\n");
    hear_until(stream, &heard, "\"state\":\"queued\"");
    jobgate_wait_metric(api, WAITERS, 2);
    redis_server_kill(redis);
    jobgate_wait_metric(api, "jobgate_redis_up", 0);
    redis_server_restart(redis);
    jobgate_wait_ready(api, 200);
    jobgate_wait_metric(api, WAITERS, 2);
    cancel(api, id);
    expect_state(poll, "cancelled");
    hear_until(stream, &heard, "\"state\":\"cancelled\"");
    close(stream);
    jobgate_free(api);
    redis_server_free(redis);
}
END_TEST

/* A user of Redis that may not listen: the safety net tells, and the log says why it is late. */
START_TEST(change_is_heard_of_without_the_right_to_listen)
{
    char setting[URL_SIZE];
    AUTO(free) char *id = jobgate_submit(s.api, QUIET);
    AUTO(free) char *said = NULL;
    struct jobgate *deaf;
    int fd;

    freeReplyObject(redis_server_command(s.redis, "ACL SETUSER deaf on >secret ~* +@all resetchannels"));
    snprintf(
        setting, sizeof(setting), "REDIS_URL=redis://deaf:secret@127.0.0.1:%d", redis_server_port(s.redis));
    deaf = scene_new_api(&s, (const char *const[]){setting, NULL});
    jobgate_wait_ready(deaf, 200);
    fd = ask(deaf, id, "", "Prefer: wait=60\r\n");
    jobgate_wait_metric(deaf, WAITERS, 1);
    cancel(deaf, id); /* nor may it publish */
    expect_state(fd, "cancelled");
    ck_assert_uint_ge(scene_count_log(deaf, "redis refuses the subscription", "&jobgate:*"), 1);
    jobgate_free(deaf);
}
END_TEST

Suite *live_suite(void)
{
    Suite *suite = suite_create("live");
    TCase *polls = tcase_create("polls");
    TCase *streams = tcase_create("streams");
    TCase *trouble = tcase_create("trouble");

    tcase_add_checked_fixture(polls, open_scene, close_scene);
    tcase_set_timeout(polls, 180);
    tcase_add_test(polls, poll_is_woken_by_a_change_through_the_other_replica);
    tcase_add_test(polls, poll_hears_of_each_state);
    tcase_add_test(polls, poll_without_a_change_gets_304_or_the_job);
    tcase_add_test(polls, thousand_polls_are_woken);
    tcase_add_test(polls, caller_that_vanishes_is_waited_for_no_longer);
    tcase_add_test(polls, caller_that_only_stops_writing_is_answered);
    tcase_add_test(polls, waiting_is_bounded);
    suite_add_tcase(suite, polls);
    tcase_add_checked_fixture(streams, open_scene, close_scene);
    tcase_set_timeout(streams, 120);
    tcase_add_test(streams, stream_tells_each_state_and_ends);
    tcase_add_test(streams, stream_tells_progress);
    tcase_add_test(streams, stream_goes_on_where_it_broke_off);
    tcase_add_test(streams, stream_outlives_the_request_timeout);
    tcase_add_test(streams, stream_of_a_job_that_is_not_there_gets_404);
    suite_add_tcase(suite, streams);
    tcase_add_checked_fixture(trouble, open_scene, close_scene);
    tcase_set_timeout(trouble, 120);
    tcase_add_test(trouble, stopping_answers_those_who_wait);
    tcase_add_test(trouble, change_is_heard_of_after_redis_was_restarted);
    tcase_add_test(trouble, change_is_heard_of_without_the_right_to_listen);
    suite_add_tcase(suite, trouble);
    return suite;
}
