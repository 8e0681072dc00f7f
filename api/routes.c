#include "api/routes.h"

const struct route *routes(void)
{
    static const struct route table[] = {
        {EVHTTP_REQ_POST, "/v1/jobs", jobs_create, SCOPE_SUBMIT},
        {EVHTTP_REQ_POST, "/v1/run/{}", runs_create, SCOPE_SUBMIT},
        {EVHTTP_REQ_POST, "/v1/jobs/batch", batch_create, SCOPE_SUBMIT},
        {EVHTTP_REQ_GET, "/v1/jobs", jobs_list, SCOPE_READ},
        {EVHTTP_REQ_GET, "/v1/jobs/{}", jobs_show, SCOPE_READ},
        {EVHTTP_REQ_DELETE, "/v1/jobs/{}", jobs_cancel, SCOPE_SUBMIT},
        {EVHTTP_REQ_POST, "/v1/jobs/{}/retry", jobs_retry, SCOPE_SUBMIT},
        {EVHTTP_REQ_GET, "/v1/jobs/{}/events", events_show, SCOPE_READ},
        {EVHTTP_REQ_GET, "/v1/jobs/{}/result", results_show, SCOPE_READ},
        {EVHTTP_REQ_GET, "/v1/jobs/{}/log", logs_show, SCOPE_READ},
        {EVHTTP_REQ_GET, "/v1/queues", queues_list, SCOPE_READ},
        {EVHTTP_REQ_GET, "/v1/queues/{}", queues_show, SCOPE_READ},
        {EVHTTP_REQ_POST, "/v1/uploads", uploads_create, SCOPE_SUBMIT},
        {EVHTTP_REQ_PUT, "/v1/uploads/{}/{}", uploads_put, SCOPE_SUBMIT},
        {EVHTTP_REQ_GET, "/v1/types", types_list, SCOPE_READ},
        {EVHTTP_REQ_GET, "/v1/workers", workers_list, SCOPE_ADMIN},
        {EVHTTP_REQ_GET, "/v1/stats", stats_show, SCOPE_ADMIN},
        {EVHTTP_REQ_POST, "/v1/queues/{}/retry", queues_retry, SCOPE_ADMIN},
        {EVHTTP_REQ_DELETE, "/v1/queues/{}/jobs", queues_purge, SCOPE_ADMIN},
        {EVHTTP_REQ_POST, "/v1/queues/{}/pause", queues_pause, SCOPE_ADMIN},
        {EVHTTP_REQ_POST, "/v1/queues/{}/resume", queues_resume, SCOPE_ADMIN},
        {EVHTTP_REQ_GET, "/v1/schedules", schedules_index, SCOPE_READ},
        {EVHTTP_REQ_PUT, "/v1/schedules/{}", schedules_write, SCOPE_SUBMIT},
        {EVHTTP_REQ_GET, "/v1/schedules/{}", schedules_show, SCOPE_READ},
        {EVHTTP_REQ_DELETE, "/v1/schedules/{}", schedules_remove, SCOPE_SUBMIT},
        {0, NULL, NULL, 0},
    };

    return table;
}
