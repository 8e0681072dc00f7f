#include "api/api.h"
#include "api/jobs.h"
#include "api/routes.h"
#include "common/base/json.h"

/* The queue that the path names. */
static bool read_shard(const struct exchange *x, struct shard *shard, struct error *e)
{
    if (!name_is_valid(x->parameter, strlen(x->parameter)))
        return error_set(e, ERROR_NOT_FOUND,
            "this is not a queue's name: 1 to 63 of a-z 0-9 _ -, the first a letter or digit");
    *shard = (struct shard){.number = 0};
    memcpy(shard->queue, x->parameter, strlen(x->parameter) + 1);
    return true;
}

static void reply_paused(struct exchange *x, bool is_paused)
{
    AUTO_BUF struct buf body = BUF(256);

    buf_printf(&body, "{\"queue\":\"%s\",\"paused\":%s}\n", x->parameter, is_paused ? "true" : "false");
    exchange_reply(x, 200, "application/json", body.data, body.length);
}

static void on_paused(void *arg, bool UNUSED(changed), const struct error *e)
{
    struct exchange *x = arg;

    if (e)
        exchange_problem(x, e, NULL);
    else
        reply_paused(x, true);
}

static void on_resumed(void *arg, bool UNUSED(changed), const struct error *e)
{
    struct exchange *x = arg;

    if (e)
        exchange_problem(x, e, NULL);
    else
        reply_paused(x, false);
}

static void set_paused(struct exchange *x, bool pause)
{
    struct shard shard;
    struct error e;

    if (!read_shard(x, &shard, &e) ||
        !queue_pause(x->api->queue, &shard, pause, pause ? on_paused : on_resumed, x, &e))
        exchange_problem(x, &e, NULL);
}

void queues_pause(struct exchange *x)
{
    set_paused(x, true);
}

void queues_resume(struct exchange *x)
{
    set_paused(x, false);
}
