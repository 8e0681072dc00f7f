/*
 * Random walks on the real scripts: workers that live, freeze, come back late and repeat themselves take,
 * start, settle and give back jobs while others reap them, and callers submit, cancel and replay. Every
 * answer and, after every step, every place and record in Redis is compared with what tests/model/claim.pml
 * says it is. Time stands still but where the walk moves it, so that a seed walks the same way again.
 */
#include <check.h>
#include <time.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/queue/queue.h"
#include "common/queue/scripts.h"
#include "tests/support/redis_server.h"

Suite *walk_suite(void);

enum {
    STEPS = 2500,
    JOBS = 12,
    WORKERS = 4,  /* processes; each goes on under a new name after it was reaped */
    NAMES = 1024, /* all names that a walk may use up */
    CLAIMS = 24,  /* what a worker remembers of its jobs, right or wrong */
    SEEN = 8,     /* lists that were read and not yet acted on */
    MAX_LOST = 2,
    LIMIT = 3,
    LEASE_MS = 3600000,
    FAR_MS = 2 * LEASE_MS,
    NOBODY = -1,
};

enum where { NOWHERE, WAITING, SCHEDULED, DEAD, TAKEN };

/* What the model says of a job. */
struct expected {
    struct job_id id;
    bool is_there;
    char state;
    int attempt;
    int excused;
    int crashes;
    int lost;
    int holder; /* whose name the status begins with */
    enum where where;
    int list; /* of TAKEN: whose */
    bool is_due;
};

struct name {
    char text[WORKER_ID_SIZE];
    bool is_registered;
    bool is_silent;
    bool is_refused; /* something was taken away from it */
    bool is_reaped;
};

/* A worker remembers that it was handed a job, or that it started it. */
struct claim {
    int job; /* NOBODY = unused */
    struct job_id id;
    int name;
    int attempt; /* 0 = not started */
};

/* A list as somebody read it, to be acted on later. */
struct seen {
    bool is_used;
    bool is_due_list; /* else a worker's */
    int name;
    size_t count;
    struct job_id ids[JOBS];
};

static struct redis_server *server;
static struct loop *loop;
static struct redis *redis;
static struct queue *queue;
static const struct shard shard = {.queue = "walk"};
static struct id_generator generator;

static uint64_t seed;
static uint64_t dice;
static int step;
static const char *doing;
static struct expected jobs[JOBS];
static struct name names[NAMES];
static int name_count;
static int process[WORKERS]; /* its name */
static struct claim claims[WORKERS][CLAIMS];
static struct seen seen[SEEN];
static struct queue_overview totals; /* expected counters */
static bool is_paused;

#define EXPECT(claim, ...)                                                                                   \
    do {                                                                                                     \
        if (!(claim))                                                                                        \
            fail_step(#claim, __VA_ARGS__);                                                                  \
    } while (0)

__attribute__((format(printf, 2, 3), noreturn)) static void fail_step(
    const char *claim, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ck_abort_msg("seed %llu, step %d, %s: %s: %s", (unsigned long long)seed, step, doing, text, claim);
}

static unsigned roll(unsigned sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned)((dice >> 11) % sides);
}

/* ---- asking ---- */

static bool is_answered;

static void wait_for_answer(bool is_sent, const struct error *e)
{
    int64_t deadline_ms = clock_steady_ms() + 10000;

    EXPECT(is_sent, "it was not sent: %s", e->text);
    while (!is_answered) {
        event_base_loop(loop_base(loop), EVLOOP_ONCE);
        EXPECT(clock_steady_ms() < deadline_ms, "no answer came");
    }
    is_answered = false;
}

static void answer(const struct error *e)
{
    EXPECT(!e, "redis refused: %s", e->text);
    is_answered = true;
}

static int find_job(const char *id)
{
    for (int j = 0; j < JOBS; j++)
        if (jobs[j].is_there && strcmp(jobs[j].id.text, id) == 0)
            return j;
    return NOBODY;
}

/* ---- what the model says ---- */

static bool is_in_list(const struct expected *x, int name)
{
    return x->where == TAKEN && x->list == name;
}

static bool may_claim(int name)
{
    return names[name].is_registered && !names[name].is_refused;
}

static void put(struct expected *x, enum where where)
{
    x->where = where;
    x->is_due = false;
}

static void make_queued(struct expected *x)
{
    x->state = 'q';
    x->holder = NOBODY;
    put(x, WAITING);
}

/* Returns whether the job is handed out. */
static bool model_start(struct expected *x, int name)
{
    if (!may_claim(name) || !is_in_list(x, name))
        return false;
    if (x->state == 'q') {
        x->state = 'r';
        x->attempt++;
        x->holder = name;
        totals.started_total++;
        return true;
    }
    if (x->state == 'r' && x->holder == name)
        return true;
    put(x, NOWHERE);
    return false;
}

static bool is_tried_again(struct expected *x, char ending)
{
    if (ending == 'p') {
        x->excused++;
        return true;
    }
    if (ending == 'x')
        return ++x->crashes < LIMIT;
    return ending == 'f' && x->attempt - x->excused - x->crashes - x->lost < LIMIT;
}

static enum settle_verdict model_settle(struct expected *x, int name, int attempt, char ending, bool is_due)
{
    if (x->attempt != attempt || x->holder != name)
        return SETTLE_STALE;
    if (x->state != 'r')
        return x->state == 'c' ? SETTLE_CANCELLED : SETTLE_REPEATED;
    if (ending == '+') {
        x->state = '+';
        put(x, NOWHERE);
        totals.succeeded_total++;
        return SETTLE_SUCCEEDED;
    }
    if (is_tried_again(x, ending)) {
        x->state = 's';
        put(x, SCHEDULED);
        x->is_due = is_due;
        totals.retried_total++;
        return SETTLE_RETRY;
    }
    x->state = 'd';
    put(x, DEAD);
    totals.dead_total++;
    return SETTLE_DEAD;
}

static int model_give_back(struct expected *x, int name)
{
    if (!is_in_list(x, name))
        return 0;
    if (x->state == 'r' && x->holder == name)
        x->excused++;
    else if (x->state != 'q') {
        put(x, NOWHERE);
        return 0;
    }
    make_queued(x);
    totals.returned_total++;
    return 1;
}

static void model_lose(struct expected *x)
{
    x->lost++;
    x->holder = NOBODY;
    totals.lost_total++;
    if (x->lost > MAX_LOST) {
        x->state = 'd';
        put(x, DEAD);
        totals.dead_total++;
    } else if (x->lost == 1) {
        make_queued(x);
    } else {
        x->state = 's';
        put(x, SCHEDULED);
    }
}

/* Returns 1 when the job is moved. */
static int model_reap_one(struct expected *x, int name)
{
    if (!is_in_list(x, name))
        return 0;
    if (x->state == 'r' && x->holder == name)
        model_lose(x);
    else if (x->state == 'q')
        make_queued(x);
    else {
        put(x, NOWHERE);
        return 0;
    }
    return 1;
}

static bool is_list_empty(int name)
{
    for (int j = 0; j < JOBS; j++)
        if (jobs[j].is_there && is_in_list(&jobs[j], name))
            return false;
    return true;
}

static int64_t model_reap(int name, bool is_own, const struct seen *list)
{
    struct name *n = &names[name];
    int64_t moved = 0;

    if (n->is_registered && !n->is_silent && !is_own)
        return -1;
    for (size_t i = 0; i < list->count; i++) {
        int j = find_job(list->ids[i].text);

        if (j != NOBODY)
            moved += model_reap_one(&jobs[j], name);
    }
    if (is_list_empty(name)) {
        n->is_reaped |= n->is_registered;
        n->is_registered = n->is_silent = n->is_refused = false;
    } else {
        n->is_refused = n->is_silent = n->is_registered;
    }
    return moved;
}

/* ---- what Redis says ---- */

/* Compares the ids in a place; places[j] counts in how many a job was seen. */
static void check_ids(const redisReply *ids, enum where where, int list, int places[JOBS])
{
    for (size_t i = 0; i < ids->elements; i++) {
        int j = find_job(ids->element[i]->str);

        EXPECT(j != NOBODY, "%s stands in place %d, and nobody knows it", ids->element[i]->str, where);
        EXPECT(jobs[j].where == where && (where != TAKEN || jobs[j].list == list),
            "%s stands in place %d (list %d) instead of %d (list %d), state %c", jobs[j].id.text, where, list,
            jobs[j].where, jobs[j].list, jobs[j].state);
        places[j]++;
    }
}

static void check_place(const char *command, const char *key, enum where where, int list, int places[JOBS])
{
    redisReply *ids = redis_server_command(server, "%s %s 0 -1", command, key);

    check_ids(ids, where, list, places);
    freeReplyObject(ids);
}

static int find_name(const char *text)
{
    for (int n = 0; n < name_count; n++)
        if (strcmp(names[n].text, text) == 0)
            return n;
    fail_step("its name is known", "a list of %s", text);
}

static void check_lists(int places[JOBS])
{
    redisReply *keys = redis_server_command(server, "KEYS jobgate:{walk.0}:taken:*");

    for (size_t i = 0; i < keys->elements; i++) {
        const char *key = keys->element[i]->str;

        check_place("LRANGE", key, TAKEN, find_name(strrchr(key, ':') + 1), places);
    }
    freeReplyObject(keys);
}

static void check_record(const struct expected *x)
{
    redisReply *reply = redis_server_command(server, "GET jobgate:{walk.0}:job:%s", x->id.text);
    struct job job;
    struct error e;

    EXPECT(reply->type == REDIS_REPLY_STRING, "%s has no record", x->id.text);
    EXPECT(record_decode(&x->id, reply->str, (size_t)reply->len, &job, &e), "%s: %s", x->id.text, e.text);
    EXPECT(job_state_letter(job.state) == x->state && job.attempt == x->attempt &&
               job.excused == x->excused && job.crashes == x->crashes && job.lost == x->lost,
        "%s is %c after %d attempts, %d excused, %d crashes, %d losses; the model says %c %d %d %d %d",
        x->id.text, job_state_letter(job.state), job.attempt, job.excused, job.crashes, job.lost, x->state,
        x->attempt, x->excused, x->crashes, x->lost);
    EXPECT(strcmp(job.worker, x->holder == NOBODY ? "" : names[x->holder].text) == 0,
        "%s (%c) is with %s instead of %s", x->id.text, x->state, job.worker,
        x->holder == NOBODY ? "nobody" : names[x->holder].text);
    job_release(&job);
    freeReplyObject(reply);
}

static void check_registrations(void)
{
    redisReply *registered = redis_server_command(server, "ZRANGE jobgate:{walk.0}:workers 0 -1");
    size_t count = 0;

    for (size_t i = 0; i < registered->elements; i++)
        EXPECT(names[find_name(registered->element[i]->str)].is_registered, "%s is registered",
            registered->element[i]->str);
    for (int n = 0; n < name_count; n++)
        count += names[n].is_registered;
    EXPECT(count == registered->elements, "%zu workers are registered instead of %zu", registered->elements,
        count);
    freeReplyObject(registered);
}

static void check_everything(void)
{
    int places[JOBS] = {0};

    check_place("LRANGE", is_paused ? "jobgate:{walk.0}:held" : "jobgate:{walk.0}:ready", WAITING, 0, places);
    EXPECT(redis_server_integer(server, "EXISTS jobgate:{walk.0}:%s", is_paused ? "ready" : "held") == 0,
        "both names of the list are there");
    check_place("ZRANGE", "jobgate:{walk.0}:scheduled", SCHEDULED, 0, places);
    check_place("ZRANGE", "jobgate:{walk.0}:dead", DEAD, 0, places);
    check_lists(places);
    check_registrations();
    for (int j = 0; j < JOBS; j++)
        if (jobs[j].is_there) {
            EXPECT(places[j] == (jobs[j].where != NOWHERE), "%s (%c) stands in %d places, the model says %d",
                jobs[j].id.text, jobs[j].state, places[j], jobs[j].where);
            check_record(&jobs[j]);
        }
}

static void on_overlooked(void *UNUSED(arg), const struct queue_overview *o, const struct error *e)
{
#define COUNTER(name)                                                                                        \
    EXPECT(o && o->name##_total == totals.name##_total, #name " is %lld, the model says %lld",               \
        (long long)(o ? o->name##_total : -1), (long long)totals.name##_total);
    QUEUE_COUNTERS(COUNTER)
#undef COUNTER
    answer(e);
}

static void check_counters(void)
{
    struct error e;

    wait_for_answer(queue_overview(queue, &shard, on_overlooked, NULL, &e), &e);
}

/* ---- moving time ---- */

/* A job that is scheduled is due now, or not while the walk lasts. */
static void set_due(struct expected *x, bool is_due)
{
    x->is_due = is_due;
    redis_server_integer(server, "ZADD jobgate:{walk.0}:scheduled XX %lld %s",
        is_due ? 1LL : (long long)clock_unix_ms() + FAR_MS, x->id.text);
}

static void fall_silent(void)
{
    struct name *n = &names[process[roll(WORKERS)]];

    doing = "a worker falls silent";
    if (n->is_registered && !n->is_silent) {
        n->is_silent = true;
        redis_server_integer(
            server, "ZADD jobgate:{walk.0}:workers XX %lld %s", (long long)clock_unix_ms() - FAR_MS, n->text);
    }
}

static void come_due(void)
{
    struct expected *x = &jobs[roll(JOBS)];

    doing = "a job comes due";
    if (x->is_there && x->where == SCHEDULED)
        set_due(x, true);
}

/* ---- steps of callers ---- */

static void on_submitted(void *UNUSED(arg), const struct submit_result *result, const struct error *e)
{
    answer(e);
    EXPECT(result->verdict == SUBMIT_ACCEPTED, "verdict %d", result->verdict);
}

static void submit(void)
{
    struct expected *x = &jobs[roll(JOBS)];
    struct job_spec spec = {.type = "echo", .content_type = CONTENT_TYPE_JSON};
    struct job_schedule schedule = {.delay_ms = roll(4) ? 0 : FAR_MS};
    struct submit s = {.id = &x->id,
        .spec = &spec,
        .schedule = &schedule,
        .payload = "1",
        .payload_length = 1,
        .depth_max = 1000};
    struct error e;

    doing = "submit";
    if (x->is_there && (x->where != NOWHERE || x->state == 'r'))
        return;
    *x = (struct expected){.is_there = true, .state = 'q', .holder = NOBODY, .where = WAITING};
    if (schedule.delay_ms) {
        x->state = 's';
        x->where = SCHEDULED;
    }
    id_generate(&generator, &shard, &x->id);
    wait_for_answer(queue_submit(queue, &s, on_submitted, NULL, &e), &e);
    totals.submitted_total++;
}

static void on_cancelled(void *arg, enum cancel_verdict verdict, const struct error *e)
{
    answer(e);
    *(enum cancel_verdict *)arg = verdict;
}

/* Sometimes of a job that somebody else holds by now. */
static void cancel(void)
{
    struct expected *x = &jobs[roll(JOBS)];
    struct job job = {.id = x->id, .state = x->state == 'r' ? JOB_RUNNING : JOB_QUEUED};
    enum cancel_verdict verdict;
    bool is_right = roll(4) > 0;
    struct error e;

    doing = "cancel";
    if (!x->is_there || roll(5))
        return;
    if (x->state == 'r')
        snprintf(job.worker, sizeof(job.worker), "%s", is_right ? names[x->holder].text : "another");
    wait_for_answer(queue_cancel(queue, &job, 3600, on_cancelled, &verdict, &e), &e);
    if (strchr("+dc", x->state)) {
        EXPECT(verdict == CANCEL_ENDED, "verdict %d of a job that is %c", verdict, x->state);
    } else if (x->state == 'r' && !is_right) {
        EXPECT(verdict == CANCEL_LOOK_AGAIN, "verdict %d of a job that another holds", verdict);
    } else {
        EXPECT(verdict == CANCEL_DONE, "verdict %d of a job that is %c", verdict, x->state);
        if (x->state != 'q') /* that one is dropped when it is claimed */
            put(x, NOWHERE);
        x->state = 'c';
        totals.cancelled_total++;
    }
}

static void on_counted(void *arg, size_t count, const struct error *e)
{
    answer(e);
    *(size_t *)arg = count;
}

static void replay(void)
{
    struct expected *x = &jobs[roll(JOBS)];
    size_t count;
    struct error e;

    doing = "replay";
    if (!x->is_there)
        return;
    wait_for_answer(queue_replay(queue, &shard, &x->id, 1, on_counted, &count, &e), &e);
    EXPECT(count == (x->state == 'd'), "%zu of a job that is %c", count, x->state);
    if (count) {
        x->excused = x->attempt;
        x->crashes = x->lost = 0;
        make_queued(x);
        totals.replayed_total++;
    }
}

static void on_paused(void *UNUSED(arg), bool changed, const struct error *e)
{
    answer(e);
    EXPECT(changed, "it was so before");
}

static void pause_or_resume(void)
{
    struct error e;

    doing = "pause or resume";
    if (!is_paused && roll(3))
        return;
    wait_for_answer(queue_pause(queue, &shard, !is_paused, on_paused, NULL, &e), &e);
    is_paused = !is_paused;
}

/* ---- steps of workers ---- */

static void remember(int w, int j, int attempt)
{
    struct claim *c = &claims[w][roll(CLAIMS)];

    *c = (struct claim){.job = j, .id = jobs[j].id, .name = process[w], .attempt = attempt};
}

static void begin_as_new(int w)
{
    struct name *n = &names[name_count];

    EXPECT(name_count < NAMES, "the names are used up");
    *n = (struct name){0};
    snprintf(n->text, sizeof(n->text), "w%d~%d", w, name_count);
    process[w] = name_count++;
}

/* A blocking move asks nobody: it may be one of long ago. */
static void wait_for_job(void)
{
    int w = (int)roll(WORKERS);
    int n = roll(8) ? process[w] : (int)roll((unsigned)name_count);
    AUTO(free) char *id = NULL;
    int j;

    doing = "wait";
    if (!names[n].is_registered && !names[n].is_reaped)
        return;
    id = redis_server_text(
        server, "LMOVE jobgate:{walk.0}:ready jobgate:{walk.0}:taken:%s RIGHT LEFT", names[n].text);
    if (!id)
        return;
    j = find_job(id);
    EXPECT(j != NOBODY && jobs[j].where == WAITING && !is_paused, "%s was not waiting", id);
    jobs[j].where = TAKEN;
    jobs[j].list = n;
    if (n == process[w])
        remember(w, j, 0);
}

static void on_took(void *arg, const struct job_id *ids, size_t count, const struct error *e)
{
    int w = *(int *)arg;

    answer(e);
    EXPECT(may_claim(process[w]) || count == 0, "%zu for a worker that is not registered", count);
    for (size_t i = 0; i < count; i++) {
        int j = find_job(ids[i].text);

        EXPECT(j != NOBODY && jobs[j].where == WAITING && !is_paused, "%s was not waiting", ids[i].text);
        jobs[j].where = TAKEN;
        jobs[j].list = process[w];
        remember(w, j, 0);
    }
}

static void take(void)
{
    int w = (int)roll(WORKERS);
    struct error e;

    doing = "take";
    wait_for_answer(queue_take(queue, &shard, names[process[w]].text, 1 + roll(3), on_took, &w, &e), &e);
}

static void on_started(void *arg, const struct record_text *records, size_t count, const struct error *e)
{
    answer(e);
    EXPECT(count == 1, "%zu answers", count);
    *(bool *)arg = records[0].length > 1;
}

static bool is_to_start(const struct claim *c)
{
    return c->attempt == 0 && may_claim(c->name) && is_in_list(&jobs[c->job], c->name);
}

static bool is_to_settle(const struct claim *c)
{
    return c->attempt == jobs[c->job].attempt && jobs[c->job].state == 'r' && jobs[c->job].holder == c->name;
}

/* What the worker believes of some job: mostly something that is so, else what may be long past. */
static struct claim *choose_claim(int w, bool is_so(const struct claim *c))
{
    bool is_any_right = roll(3) == 0;
    unsigned from = roll(CLAIMS);

    for (unsigned i = 0; i < CLAIMS; i++) {
        struct claim *c = &claims[w][(from + i) % CLAIMS];

        if (c->job != NOBODY && find_job(c->id.text) == c->job && (is_any_right || is_so(c)))
            return c;
    }
    return NULL;
}

static void start(void)
{
    int w = (int)roll(WORKERS);
    struct claim *c = choose_claim(w, is_to_start);
    bool is_given;
    bool is_right;
    struct error e;

    doing = "start";
    if (!c)
        return;
    wait_for_answer(
        queue_start(queue, &shard, names[c->name].text, &c->id, 1, on_started, &is_given, &e), &e);
    is_right = model_start(&jobs[c->job], c->name);
    EXPECT(is_given == is_right, "%s was %sgiven to %s", c->id.text, is_given ? "" : "not ",
        names[c->name].text);
    if (is_given)
        c->attempt = jobs[c->job].attempt;
}

static void on_settled(void *arg, const enum settle_verdict *verdicts, size_t count, const struct error *e)
{
    answer(e);
    EXPECT(count == 1, "%zu answers", count);
    *(enum settle_verdict *)arg = verdicts[0];
}

static void settle(void)
{
    static const char endings[] = {
        ENDING_SUCCEEDED, ENDING_FAILED, ENDING_FAILED, ENDING_CRASHED, ENDING_HOPELESS, ENDING_PARKED};
    int w = (int)roll(WORKERS);
    struct claim *c = choose_claim(w, is_to_settle);
    int attempt;
    bool is_due = roll(2);
    char ending = endings[roll(sizeof(endings))];
    enum settle_verdict verdict;
    enum settle_verdict right;
    struct error e;

    doing = "settle";
    if (!c || (c->attempt == 0 && roll(4)))
        return;
    attempt = c->attempt > 1 && roll(4) == 0 ? c->attempt - 1 : c->attempt;
    wait_for_answer(queue_settle(queue, &shard, names[c->name].text,
                        &(struct settlement){.id = &c->id,
                            .attempt = attempt,
                            .ending = (enum ending)ending,
                            .status = "",
                            .limit = LIMIT,
                            .delay_ms = is_due ? 0 : FAR_MS,
                            .retention_s = 3600},
                        1, on_settled, &verdict, &e),
        &e);
    right = model_settle(&jobs[c->job], c->name, attempt, ending, is_due);
    if (jobs[c->job].where == TAKEN && jobs[c->job].list == c->name && !strchr("qr", jobs[c->job].state))
        put(&jobs[c->job], NOWHERE);
    EXPECT(verdict == right, "verdict %d instead of %d for %s of %s", verdict, right, c->id.text,
        names[c->name].text);
    if (roll(2)) /* else the answer is lost, and it is settled again */
        c->job = NOBODY;
}

static void on_gave_back(void *arg, size_t count, const struct error *e)
{
    answer(e);
    *(size_t *)arg = count;
}

static void give_back(void)
{
    int w = (int)roll(WORKERS);
    const struct claim *c = choose_claim(w, is_to_start);
    size_t count;
    size_t right;
    struct error e;

    doing = "give back";
    if (!c)
        return;
    wait_for_answer(
        queue_give_back(queue, &shard, names[c->name].text, &c->id, 1, on_gave_back, &count, &e), &e);
    right = (size_t)model_give_back(&jobs[c->job], c->name);
    EXPECT(count == right, "%zu went back instead of %zu", count, right);
}

static void on_renewed(void *arg, size_t worker_count, const struct job_id *UNUSED(ids), size_t UNUSED(count),
    const struct error *e)
{
    answer(e);
    *(bool *)arg = worker_count > 0;
}

static void renew(void)
{
    int w = (int)roll(WORKERS);
    struct name *n = &names[process[w]];
    bool is_first = !n->is_registered && !n->is_reaped;
    bool is_held;
    struct error e;

    doing = "renew";
    wait_for_answer(
        queue_renew(queue, &shard, &(struct registration){.name = n->text, .slots = 4, .lease_ms = LEASE_MS},
            is_first, on_renewed, &is_held, &e),
        &e);
    EXPECT(is_held == (is_first || may_claim(process[w])), "%s was told %d", n->text, is_held);
    if (!is_held) {
        begin_as_new(w);
    } else {
        n->is_registered = true;
        n->is_silent = false;
    }
}

/* ---- steps of the upkeep ---- */

static void on_seen(void *arg, const struct job_id *ids, size_t count, const struct error *e)
{
    struct seen *s = arg;

    answer(e);
    EXPECT(count <= JOBS, "%zu ids", count);
    s->count = count;
    memcpy(s->ids, ids, count * sizeof(*ids));
}

static void on_due_seen(
    void *arg, const struct job_id *ids, size_t count, int64_t UNUSED(next_ms), const struct error *e)
{
    on_seen(arg, ids, count, e);
}

static void look(void)
{
    struct seen *s = &seen[roll(SEEN)];
    struct error e;

    doing = "look at a list";
    s->is_used = true;
    s->is_due_list = roll(2);
    s->name = roll(4) ? process[roll(WORKERS)] : (int)roll((unsigned)name_count);
    for (int w = 0; w < WORKERS && roll(4); w++)
        if (names[process[w]].is_silent)
            s->name = process[w];
    if (s->is_due_list)
        wait_for_answer(queue_due(queue, &shard, roll(4) + 1, on_due_seen, s, &e), &e);
    else
        wait_for_answer(queue_list_taken(queue, &shard, names[s->name].text, on_seen, s, &e), &e);
}

static void on_reaped(void *arg, int64_t count, const struct error *e)
{
    answer(e);
    *(int64_t *)arg = count;
}

static void reap(const struct seen *s)
{
    bool was_scheduled[JOBS];
    bool is_own = roll(16) == 0; /* it leaves by itself */
    int64_t moved;
    int64_t right;
    struct error e;

    doing = "reap";
    for (int j = 0; j < JOBS; j++)
        was_scheduled[j] = jobs[j].where == SCHEDULED;
    wait_for_answer(queue_reap(queue, &shard, names[s->name].text, is_own, MAX_LOST, s->ids, s->count,
                        on_reaped, &moved, &e),
        &e);
    right = model_reap(s->name, is_own, s);
    EXPECT(moved == right, "%lld of %s were moved instead of %lld", (long long)moved, names[s->name].text,
        (long long)right);
    for (int j = 0; j < JOBS; j++)
        if (jobs[j].where == SCHEDULED && !was_scheduled[j])
            set_due(&jobs[j], false);
}

static void promote(const struct seen *s)
{
    size_t right = 0;
    size_t count;
    struct error e;

    doing = "promote";
    if (s->count == 0)
        return;
    wait_for_answer(queue_promote(queue, &shard, s->ids, s->count, on_gave_back, &count, &e), &e);
    for (size_t i = 0; i < s->count; i++) {
        int j = find_job(s->ids[i].text);

        if (j != NOBODY && jobs[j].where == SCHEDULED && jobs[j].is_due) {
            make_queued(&jobs[j]);
            right++;
        }
    }
    EXPECT(count == right, "%zu were promoted instead of %zu", count, right);
}

/* Acts on what was seen, now or long ago, once or again. */
static void act(void)
{
    struct seen *s = &seen[roll(SEEN)];

    if (!s->is_used)
        return;
    if (s->is_due_list)
        promote(s);
    else
        reap(s);
    s->is_used = roll(4) == 0;
}

static void on_silent(void *arg, const char *const *silent, size_t count, const struct error *e)
{
    bool *is_named = arg;

    answer(e);
    for (size_t i = 0; i < count; i++)
        is_named[find_name(silent[i])] = true;
}

/* What a worker's upkeep does in one go. */
static void reap_all(void)
{
    bool is_named[NAMES] = {false};
    struct seen s = {0};
    struct error e;

    doing = "look who is silent";
    wait_for_answer(queue_silent(queue, &shard, on_silent, is_named, &e), &e);
    for (s.name = 0; s.name < name_count; s.name++) {
        const struct name *n = &names[s.name];

        EXPECT(is_named[s.name] || !n->is_silent, "%s is silent and was not named", n->text);
        EXPECT(!is_named[s.name] || n->is_silent || n->is_reaped, "%s is alive and was named", n->text);
        if (is_named[s.name]) {
            wait_for_answer(queue_list_taken(queue, &shard, n->text, on_seen, &s, &e), &e);
            reap(&s);
        }
    }
}

static void promote_all(void)
{
    struct seen s = {0};
    struct error e;

    doing = "look what is due";
    wait_for_answer(queue_due(queue, &shard, JOBS, on_due_seen, &s, &e), &e);
    for (size_t i = 0; i < s.count; i++)
        EXPECT(jobs[find_job(s.ids[i].text)].is_due, "%s is not due", s.ids[i].text);
    promote(&s);
}

/* A worker looks at its list, and remembers what it had forgotten. */
static void compare(void)
{
    int w = (int)roll(WORKERS);
    struct seen s = {.name = process[w]};
    struct error e;

    doing = "compare";
    wait_for_answer(queue_list_taken(queue, &shard, names[s.name].text, on_seen, &s, &e), &e);
    for (size_t i = 0; i < s.count; i++)
        remember(w, find_job(s.ids[i].text), 0);
}

/* ---- walking ---- */

static void open_queue(void)
{
    struct redis_options options = {
        .component = "test", .timeout_ms = 10000, .scripts = queue_scripts, .script_count = SCRIPT_COUNT};
    int64_t deadline_ms = clock_steady_ms() + 10000;
    struct redis_url url;
    struct error e;

    server = redis_server_start(NULL);
    loop = loop_new();
    ck_assert(redis_url_parse(redis_server_url(server), &url, &e));
    options.url = &url;
    redis = redis_new(loop, &options);
    queue = queue_new(redis);
    while (!redis_is_ready(redis)) {
        event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
        ck_assert(wait_until(deadline_ms));
    }
}

static void close_queue(void)
{
    redis_free(redis);
    queue_free(queue);
    loop_free(loop);
    redis_server_free(server);
}

static void begin(uint64_t its_seed)
{
    seed = its_seed;
    dice = seed * 0x9e3779b97f4a7c15U | 1;
    step = 0;
    doing = "begin";
    memset(jobs, 0, sizeof(jobs));
    memset(seen, 0, sizeof(seen));
    totals = (struct queue_overview){0};
    name_count = 0;
    is_paused = false;
    for (int w = 0; w < WORKERS; w++) {
        begin_as_new(w);
        for (int c = 0; c < CLAIMS; c++)
            claims[w][c].job = NOBODY;
    }
}

static void walk(uint64_t its_seed)
{
    static void (*const steps[])(void) = {submit, submit, submit, wait_for_job, wait_for_job, take, start,
        start, start, start, settle, settle, settle, give_back, renew, renew, renew, renew, fall_silent, look,
        look, act, act, come_due, cancel, replay, pause_or_resume, compare, reap_all, settle, settle,
        come_due, come_due, promote_all, wait_for_job, take, start, start};

    begin(its_seed);
    for (step = 1; step <= STEPS; step++) {
        steps[roll(ARRAY_LENGTH(steps))]();
        check_everything();
    }
    check_counters();
}

START_TEST(walks_end_where_the_model_says)
{
    walk((uint64_t)_i + 1);
}
END_TEST

/* Its seed is printed when it fails. */
START_TEST(a_walk_that_nobody_took_before_does_too)
{
    walk((uint64_t)time(NULL));
}
END_TEST

Suite *walk_suite(void)
{
    Suite *suite = suite_create("walk");
    TCase *walks = tcase_create("walks");

    tcase_add_checked_fixture(walks, open_queue, close_queue);
    tcase_add_loop_test(walks, walks_end_where_the_model_says, 0, 4);
    tcase_add_test(walks, a_walk_that_nobody_took_before_does_too);
    tcase_set_timeout(walks, 60);
    suite_add_tcase(suite, walks);
    return suite;
}
