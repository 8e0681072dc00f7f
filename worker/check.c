#include "common/net/listen.h"
#include "worker/handlers/callback.h"
#include "worker/queues.h"
#include "worker/worker.h"

static void check_queues(const struct config *config, struct buf *mistakes)
{
    struct queue_entry entry;
    struct error e;
    size_t i = 0;

    while (queues_next(config->worker_queues, i, &entry, &e))
        i++;
    if (e.code != ERROR_OK)
        config_mistake(mistakes, "WORKER_QUEUES", e.text);
}

static void check_handlers(struct loop *loop, const struct config *config, struct buf *mistakes)
{
    AUTO_BUF struct buf of_file = BUF(1 << 20);
    struct handlers *handlers = handlers_load(loop, config, config->handlers_file, &of_file);

    if (!handlers)
        buf_printf(mistakes, "HANDLERS_FILE: %s:\n%s", config->handlers_file, of_file.data);
    handlers_free(handlers);
}

static void check_store(struct loop *loop, const struct config *config, struct buf *mistakes)
{
    struct error e;
    struct blob_store *store = blob_store_open(loop, config, &e);

    if (!store)
        buf_printf(mistakes, "%s\n", e.text);
    blob_store_free(store);
}

void worker_check(const struct config *config, struct buf *mistakes)
{
    struct loop *loop = loop_new();
    struct listen_address address;
    struct redis_url url;
    struct error e;

    if (*config->ops_listen && !listen_parse(config->ops_listen, &address, &e))
        config_mistake(mistakes, "OPS_LISTEN", e.text);
    if (*config->redis_url && !redis_url_parse(config->redis_url, &url, &e))
        config_mistake(mistakes, "REDIS_URL", e.text);
    if (*config->worker_queues)
        check_queues(config, mistakes);
    callback_check(config, mistakes);
    if (loop) {
        check_store(loop, config, mistakes);
        if (*config->handlers_file)
            check_handlers(loop, config, mistakes);
    }
    loop_free(loop);
}
