/*
 * jobgate-worker: takes jobs from the queue, runs what their type says, and puts the result into the blob
 * store.
 */
#include <sysexits.h>

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/net/service.h"
#include "worker/by_hand.h"
#include "worker/handlers/warden.h"
#include "worker/worker.h"

static const struct program program = {
    .name = "jobgate-worker",
    .summary = "runs the jobs of jobgate",
    .config_for = FOR_WORKER,
    .check = worker_check,
    .usage = BY_HAND_USAGE,
};

static int run(const struct config *config)
{
    struct log_context context = {.component = "worker"};
    struct loop *loop = loop_new();
    struct error e = {.text = "the kernel refused an event loop"};
    struct worker *worker = loop ? worker_new(loop, config, &e) : NULL;

    if (worker)
        loop_run(loop);
    else
        log_error(&context, "cannot start: %s", e.text);
    worker_free(worker);
    loop_free(loop);
    return worker ? EX_OK : EX_OSERR;
}

int main(int argc, char **argv)
{
    struct log_context context = {.component = "worker"};
    struct config config;
    struct error e;
    int status;

    if (by_hand(argc, argv, &status))
        return status;
    if (!service_configure(&program, argc, argv, &config, &status))
        return status;
    if (!fault_arm(getenv("JOBGATE_FAULT"), &e)) {
        fprintf(stderr, "jobgate-worker: %s\n", e.text);
        status = EX_CONFIG;
    } else if (warden_start(&e)) {
        status = run(&config);
        warden_stop();
    } else {
        log_error(&context, "cannot start: %s", e.text);
        status = EX_OSERR;
    }
    config_release(&config);
    return status;
}
