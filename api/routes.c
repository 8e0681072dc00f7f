#include "api/routes.h"

const struct route *routes(void)
{
    static const struct route table[] = {
        {EVHTTP_REQ_POST, "/v1/jobs", jobs_create},
        {EVHTTP_REQ_GET, "/v1/jobs", jobs_list},
        {EVHTTP_REQ_GET, "/v1/jobs/{}", jobs_show},
        {EVHTTP_REQ_DELETE, "/v1/jobs/{}", jobs_cancel},
        {EVHTTP_REQ_POST, "/v1/jobs/{}/retry", jobs_retry},
        {EVHTTP_REQ_GET, "/v1/jobs/{}/result", results_show},
        {EVHTTP_REQ_GET, "/v1/queues", queues_list},
        {EVHTTP_REQ_GET, "/v1/queues/{}", queues_show},
        {EVHTTP_REQ_GET, "/v1/workers", workers_list},
        {EVHTTP_REQ_GET, "/v1/stats", stats_show},
        {EVHTTP_REQ_POST, "/v1/queues/{}/retry", queues_retry},
        {EVHTTP_REQ_DELETE, "/v1/queues/{}/jobs", queues_purge},
        {EVHTTP_REQ_POST, "/v1/queues/{}/pause", queues_pause},
        {EVHTTP_REQ_POST, "/v1/queues/{}/resume", queues_resume},
        {0, NULL, NULL},
    };

    return table;
}
