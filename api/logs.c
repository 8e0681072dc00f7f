/*
 * logs: what a handler wrote to stderr, of one try each.
 */
#include "api/download.h"
#include "api/jobs.h"
#include "api/query.h"
#include "api/recall.h"
#include "api/routes.h"

/* The log of the last try that was started, or of the one that ?attempt= names. */
static void on_got(struct exchange *x, const struct job *job, const struct error *e)
{
    static const char *const known[] = {"attempt", NULL};
    struct evkeyvalq query = {0};
    char folder[BLOB_NAME_SIZE];
    char name[BLOB_NAME_SIZE + 16];
    int64_t attempt = 0;
    struct error failure;

    if (e) {
        exchange_problem(x, e, NULL);
        return;
    }
    if (!query_read(x, known, &query, &failure) ||
        !query_int(&query, "attempt", job->attempt, 1, 65535, &attempt, &failure)) {
        query_release(&query);
        exchange_problem(x, &failure, NULL);
        return;
    }
    query_release(&query);
    if (attempt == 0 || attempt > job->attempt) {
        error_set(&failure, ERROR_NOT_FOUND, "of this job %d tries were started so far", job->attempt);
        exchange_problem(x, &failure, NULL);
        return;
    }
    blob_name("logs", &job->id, folder);
    snprintf(name, sizeof(name), "%s/%lld", folder, (long long)attempt);
    download_find(x, "log", job->id.text, name);
}

void logs_show(struct exchange *x)
{
    jobs_recall(x, on_got);
}
