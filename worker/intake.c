#include "worker/intake.h"
#include "common/base/fault.h"
#include "common/base/mem.h"
#include "common/blob/payload.h"

struct intake {
    struct blob_store *store;
    const struct job *job;
    struct run *run;
    struct blob_op *reading;
    int part;         /* the one that is being read, from 1 on; 0 = there is but one blob */
    int64_t left;     /* bytes that are still to come */
    size_t ahead;     /* bytes that were fed of the piece that paused the store: they come again */
    bool is_starving; /* the handler waits for the store, and its clock stands still */
    struct error failure;
};

static void starve(struct intake *i, bool is_starving)
{
    if (i->is_starving == is_starving)
        return;
    i->is_starving = is_starving;
    if (is_starving)
        run_suspend(i->run);
    else
        run_unsuspend(i->run);
}

static void fail(struct intake *i, const struct error *e)
{
    i->failure = *e;
    starve(i, false);
    run_kill(i->run, e->code);
}

static bool on_data(void *arg, const void *data, size_t length)
{
    struct intake *i = arg;
    size_t known = length < i->ahead ? length : i->ahead;
    size_t wanted = length - known;
    size_t fed;

    i->ahead -= known;
    if (i->failure.code || (int64_t)wanted > i->left)
        wanted = i->failure.code ? 0 : (size_t)i->left; /* on_done tells of what is too much */
    fed = wanted ? run_feed(i->run, (const char *)data + known, wanted) : 0;
    i->left -= (int64_t)fed;
    starve(i, fed == wanted);
    if (fed == wanted)
        return true;
    i->ahead = known + fed;
    return false;
}

static void on_head(void *UNUSED(arg), const struct blob_properties *UNUSED(properties))
{
    fault_point(FAULT_PAYLOAD_ANSWERED);
}

static void read_next(struct intake *i);

static void on_done(void *arg, const struct error *e)
{
    struct intake *i = arg;
    struct error gone;

    i->reading = NULL;
    if (i->failure.code)
        return;
    if (e && e->code != ERROR_NOT_FOUND) {
        fail(i, e);
    } else if (!e && i->part && i->part < i->job->spec.payload_parts) {
        i->part++;
        read_next(i);
    } else if (e || i->left) {
        error_set(&gone, ERROR_GONE, "its payload is not in the blob store any more, or not all of it");
        fail(i, &gone);
    } else {
        starve(i, false);
        run_feed_end(i->run);
    }
}

static void read_next(struct intake *i)
{
    static const struct blob_reader reader = {on_head, on_data, on_done};
    char name[BLOB_NAME_SIZE];

    if (i->part)
        payload_part_name(&i->job->id, i->job->spec.owner, i->part, name);
    else
        payload_name(&i->job->id, name);
    i->ahead = 0;
    i->reading = blob_get(i->store, name, NULL, &reader, i);
    fault_point(FAULT_PAYLOAD_SENT);
}

struct intake *intake_start(struct blob_store *store, const struct job *job, struct run *run)
{
    struct intake *i = mem_zalloc(sizeof(*i));

    *i = (struct intake){.store = store,
        .job = job,
        .run = run,
        .part = job->spec.payload_parts > 0,
        .left = job->spec.payload_size};
    starve(i, true);
    read_next(i);
    return i;
}

void intake_feed(struct intake *i)
{
    starve(i, true);
    if (i->reading)
        blob_resume(i->reading);
}

const struct error *intake_failure(const struct intake *i)
{
    return i->failure.code ? &i->failure : NULL;
}

struct intake *intake_free(struct intake *i)
{
    if (i && i->reading)
        blob_cancel(i->reading);
    free(i);
    return NULL;
}
