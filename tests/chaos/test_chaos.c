/*
 * Chaos: submitters keep a ledger of every acknowledged job while apis, workers, Redis and the blob store are
 * killed, frozen and stopped at random. Afterwards every job of the ledger has ended well, with one right
 * result, and Redis holds nothing but jobs that ended.
 *
 * JOBGATE_CHAOS_SECONDS (20) and JOBGATE_CHAOS_SEED (by chance) are what `make chaos SECONDS=… SEED=…` sets.
 */
#include <check.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/chaos/fleet.h"
#include "tests/chaos/submitters.h"

Suite *chaos_suite(void);

enum {
    SECONDS_DEFAULT = 20,
    SUBMITTERS = 4,
    PAUSE_MS = 120, /* of each submitter between two jobs */
    EVENT_PAUSE_MS = 500,
    ACKNOWLEDGE_MS = 30000,
    CEILING_MS = 120000, /* until every job has ended; a job that was lost again and again waits long */
    SHOWN_MAX = 20,
    URL = 512
};

static struct fleet f;

/* What was found wrong, and what was counted. */
struct findings {
    size_t losses;
    size_t wrong;
    size_t duplicates;
    size_t leftovers;
    size_t misplaced;
    size_t succeeded;
    size_t cancelled;
    int64_t settled_ms; /* from the healing until every job had ended */
};

static long number_from_environment(const char *name, long otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtol(text, NULL, 10) : otherwise;
}

static void complain(size_t *count, const char *id, const char *what)
{
    if (++*count <= SHOWN_MAX)
        printf("chaos: %s: %s\n", id, what);
}

/* ---- the jobs ---- */

/* The job as the api shows it (json_decref); NULL when it does not. */
static json_t *look(const char *id, int *status)
{
    AUTO_REPLY struct http_reply reply = {0};
    struct error e;
    char url[URL];

    snprintf(url, sizeof(url), "%s/v1/jobs/%s", f.url, id);
    http_get(url, &reply);
    *status = reply.status;
    return reply.status == 200 ? json_parse(reply.body.data, reply.body.length, &e) : NULL;
}

/* Returns the state in which it ended, or the one in which it still is at the deadline ("" when it is not
 * there). */
static void wait_for_end(const char *id, int64_t deadline_ms, char state[32])
{
    for (;;) {
        int status;
        AUTO(json) json_t *job = look(id, &status);
        const char *now = job ? json_string_value(json_object_get(job, "state")) : "";

        snprintf(state, 32, "%s", now ? now : "");
        if (status == 404 || !strcmp(state, "succeeded") || !strcmp(state, "dead") ||
            !strcmp(state, "cancelled") || clock_steady_ms() >= deadline_ms)
            return;
        usleep(50000);
    }
}

static void check_result(const struct entry *entry, struct findings *found)
{
    static char wanted[ANSWER_MAX];
    AUTO_REPLY struct http_reply reply = {0};
    char url[URL];

    snprintf(url, sizeof(url), "%s/v1/jobs/%s/result", f.url, entry->id);
    http_get(url, &reply);
    answer_make(&entry->order, wanted);
    if (reply.status != 200)
        complain(&found->losses, entry->id, "it succeeded, and its result is not there");
    else if (reply.body.length != entry->order.bytes ||
             memcmp(reply.body.data, wanted, entry->order.bytes) != 0)
        complain(&found->wrong, entry->id, "its result is wrong");
}

static void check_entry(const struct entry *entry, const char *state, struct findings *found)
{
    bool is_cancelled = strcmp(state, "cancelled") == 0;

    if (strcmp(state, "succeeded") == 0 && !entry->was_cancelled) {
        found->succeeded++;
        check_result(entry, found);
    } else if (is_cancelled && entry->was_cancel_tried) {
        found->cancelled++;
    } else {
        char what[64];

        snprintf(what, sizeof(what), "it ended as \"%s\"%s", state,
            entry->was_cancelled ? ", and was cancelled" : "");
        complain(&found->losses, entry->id, what);
    }
}

static void check_ledger(const struct entry *ledger, size_t count, struct findings *found)
{
    int64_t begin_ms = clock_steady_ms();
    char(*states)[32] = mem_array(count + 1, sizeof(*states));

    for (size_t i = 0; i < count; i++)
        wait_for_end(ledger[i].id, begin_ms + CEILING_MS, states[i]);
    found->settled_ms = clock_steady_ms() - begin_ms;
    for (size_t i = 0; i < count; i++)
        check_entry(&ledger[i], states[i], found);
    free(states);
}

/* ---- the handler's starts ---- */

struct run {
    char id[JOB_ID_MAX];
    char name[64];
    bool is_overlapping;
};

static int compare_runs(const void *a, const void *b)
{
    const struct run *left = a;
    const struct run *right = b;
    int order = strcmp(left->name, right->name);

    return order ? order : strcmp(left->id, right->id);
}

static size_t read_runs(struct run **runs)
{
    size_t length = 0;
    size_t count = 0;
    AUTO(free) char *text = scene_read(&f.scene, "starts", &length);
    char *rest = text;
    char *line;

    *runs = mem_array(scene_count_lines(&f.scene, "starts") + 1, sizeof(**runs));
    while (rest && (line = strsep(&rest, "\n")) && *line) {
        struct run *r = &(*runs)[count++];
        char flag[16] = "";

        ck_assert_int_eq(sscanf(line, "%159s %*d %63s %15s", r->id, r->name, flag), 3);
        r->is_overlapping = strcmp(flag, "overlapping") == 0;
    }
    return count;
}

/* One name is one submission: a second id of it is a job that a repeated request made. */
static void check_runs(struct findings *found)
{
    struct run *runs;
    size_t count = read_runs(&runs);
    size_t overlapping = 0;
    size_t again = 0;

    qsort(runs, count, sizeof(*runs), compare_runs);
    for (size_t i = 0; i < count; i++) {
        bool same_name = i && strcmp(runs[i].name, runs[i - 1].name) == 0;
        bool same_id = i && strcmp(runs[i].id, runs[i - 1].id) == 0;

        overlapping += runs[i].is_overlapping;
        again += same_id;
        if (same_name && !same_id)
            complain(&found->duplicates, runs[i].id, "a second job for one submission");
    }
    printf("chaos: %6zu handler starts, %zu of them for a job that had been started before, %zu while "
           "another run of it "
           "lived\n",
        count, again, overlapping);
    free(runs);
}

/* ---- Redis ---- */

static const char *fault_of_key(const char *key)
{
    static const char *const lasting[] = {"stats", "reaped", "queues", "paused"};
    static const char *const expiring[] = {
        "job:", "idem:", "unique:", "revoked:", "progress:", "auditor", "sweeper", "types"};
    const char *kind = strstr(key, "}:");
    bool is_job;

    kind = kind ? kind + 2 : key + strlen("jobgate:");
    is_job = strncmp(kind, "job:", 4) == 0;
    for (size_t i = 0; i < ARRAY_LENGTH(lasting); i++)
        if (strcmp(kind, lasting[i]) == 0)
            return NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(expiring); i++)
        if (strncmp(kind, expiring[i], strlen(expiring[i])) == 0) {
            AUTO(free) char *state = is_job ? redis_server_text(f.scene.redis, "GETRANGE %s 1 1", key) : NULL;

            if (redis_server_integer(f.scene.redis, "TTL %s", key) == -1) /* -2: it went meanwhile */
                return "this key stays for ever";
            return is_job && !strchr("+c", *state) ? "this job has not ended well" : NULL;
        }
    return "this key is left over";
}

static void check_keys(struct findings *found)
{
    redisReply *reply = redis_server_command(f.scene.redis, "KEYS jobgate:*");

    for (size_t i = 0; i < reply->elements; i++) {
        const char *fault = fault_of_key(reply->element[i]->str);

        if (fault)
            complain(&found->leftovers, reply->element[i]->str, fault);
    }
    freeReplyObject(reply);
}

/* ---- the test ---- */

static void wreak_havoc(long seconds)
{
    int64_t end_ms = clock_steady_ms() + seconds * 1000;
    int64_t next_ms = clock_steady_ms() + 1000;

    while (clock_steady_ms() < end_ms) {
        fleet_turn(&f);
        if (clock_steady_ms() >= next_ms) {
            fleet_suffer(&f);
            next_ms = clock_steady_ms() + EVENT_PAUSE_MS / 3 + fleet_draw(&f, EVENT_PAUSE_MS * 4 / 3);
        }
        usleep(10000);
    }
}

static void print_summary(const struct submitters *s, const struct findings *found, size_t count)
{
    size_t repeated;
    size_t unanswered = submitters_unanswered(s, &repeated);
    size_t written_again;
    size_t results = fault_proxy_results(f.proxy, &written_again);

    printf("chaos: %6zu jobs acknowledged: %zu succeeded, %zu cancelled; the last ended %.1f s after all was "
           "well again\n",
        count, found->succeeded, found->cancelled, (double)found->settled_ms / 1e3);
    printf("chaos: %6zu submissions without an answer, %zu of them repeated with their key\n", unanswered,
        repeated);
    printf("chaos: %6zu results written, %zu of them twice\n", results, written_again);
    fleet_print(&f);
    printf("chaos: losses %zu, wrong results %zu, results written twice %zu, doubled submissions %zu, jobs "
           "misplaced %zu, "
           "keys left over %zu\n",
        found->losses, found->wrong, written_again, found->duplicates, found->misplaced, found->leftovers);
    fflush(stdout);
    ck_assert_uint_eq(found->losses + found->wrong + written_again + found->duplicates + found->misplaced +
                          found->leftovers,
        0);
    ck_assert_uint_ge(results, found->succeeded);
}

START_TEST(nothing_acknowledged_is_lost)
{
    long seconds = number_from_environment("JOBGATE_CHAOS_SECONDS", SECONDS_DEFAULT);
    unsigned seed = (unsigned)number_from_environment("JOBGATE_CHAOS_SEED", clock_unix_ms() % 1000000);
    struct findings found = {0};
    struct submitters *s;
    const struct entry *ledger;
    size_t count;

    printf("chaos: %ld s with seed %u\n", seconds, seed);
    fflush(stdout);
    fleet_open(&f, seed);
    s = submitters_start(f.url, fleet_queues, SUBMITTERS, PAUSE_MS, seed);
    wreak_havoc(seconds);
    fleet_heal(&f);
    ck_assert_msg(submitters_stop(s, ACKNOWLEDGE_MS),
        "a submission got no answer in %d ms though all is well", ACKNOWLEDGE_MS);
    ledger = submitters_ledger(s, &count);
    check_ledger(ledger, count, &found);
    found.misplaced = fleet_audit(&f);
    fleet_stop(&f, true);
    check_keys(&found);
    fleet_stop(&f, false);
    check_runs(&found);
    print_summary(s, &found, count);
    submitters_free(s);
    fleet_close(&f);
}
END_TEST

Suite *chaos_suite(void)
{
    Suite *suite = suite_create("chaos");
    TCase *all = tcase_create("chaos");

    tcase_add_test(all, nothing_acknowledged_is_lost);
    tcase_set_timeout(all, (double)number_from_environment("JOBGATE_CHAOS_SECONDS", SECONDS_DEFAULT) + 300);
    suite_add_tcase(suite, all);
    return suite;
}
