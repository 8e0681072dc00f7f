/*
 * jobgate-api: takes jobs over REST and puts them on the queue; answers what became of them.
 */
#include <sysexits.h>

#include "api/process.h"
#include "common/base/config.h"
#include "common/base/log.h"
#include "common/net/loop.h"
#include "common/net/service.h"

static const struct program program = {
    .name = "jobgate-api",
    .summary = "the REST front of jobgate",
    .config_for = FOR_API,
    .check = process_check,
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

    if (!service_configure(&program, argc, argv, &config, &status))
        return status;
    status = run(&config);
    config_release(&config);
    return status;
}
