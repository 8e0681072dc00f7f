/*
 * jobgate-api: takes jobs over REST and puts them on the queue; answers what became of them.
 */
#include <sysexits.h>

#include "api/gate/new_key.h"
#include "api/process.h"
#include "common/base/config.h"
#include "common/base/log.h"
#include "common/net/loop.h"
#include "common/net/service.h"

static void set_insecure(struct config *config)
{
    config->is_insecure = true;
}

static const struct program_flag flags[] = {
    {"insecure", "lets AUTH=none listen on addresses that others reach", set_insecure},
    {NULL, NULL, NULL},
};

static const struct program program = {
    .name = "jobgate-api",
    .summary = "the REST front of jobgate",
    .config_for = FOR_API,
    .check = process_check,
    .flags = flags,
    .usage = "jobgate-api --new-key NAME --scopes submit,read [--rate 100/s] [--owner NAME] [--queues …] "
             "[--types …]\n       makes an API key and puts it into API_KEYS_FILE",
};

static int run(const struct config *config)
{
    struct log_context context = {.component = "api"};
    struct loop *loop = loop_new();
    struct error e = {.text = "the kernel refused an event loop"};
    struct process *process = loop ? process_new(loop, config, &e) : NULL;

    if (process)
        loop_run(loop);
    else
        log_error(&context, "cannot start: %s", e.text);
    process_free(process);
    loop_free(loop);
    return process ? EX_OK : EX_OSERR;
}

int main(int argc, char **argv)
{
    struct config config;
    int status;

    if (new_key_is_asked(argc, argv))
        return new_key_main(argc, argv, getenv("API_KEYS_FILE"));
    if (!service_configure(&program, argc, argv, &config, &status))
        return status;
    status = run(&config);
    config_release(&config);
    return status;
}
