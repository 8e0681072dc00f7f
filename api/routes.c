#include "api/routes.h"

const struct route *routes(void)
{
    static const struct route table[] = {
        {EVHTTP_REQ_POST, "/v1/jobs", jobs_create, SCOPE_SUBMIT, "createJob"},
        {EVHTTP_REQ_POST, "/v1/run/{}", runs_create, SCOPE_SUBMIT, "runJob"},
        {EVHTTP_REQ_POST, "/v1/jobs/batch", batch_create, SCOPE_SUBMIT, "createJobs"},
        {EVHTTP_REQ_GET, "/v1/jobs", jobs_list, SCOPE_READ, "listJobs"},
        {EVHTTP_REQ_GET, "/v1/jobs/{}", jobs_show, SCOPE_READ, "getJob"},
        {EVHTTP_REQ_DELETE, "/v1/jobs/{}", jobs_cancel, SCOPE_SUBMIT, "cancelJob"},
        {EVHTTP_REQ_POST, "/v1/jobs/{}/retry", jobs_retry, SCOPE_SUBMIT, "retryJob"},
        {EVHTTP_REQ_GET, "/v1/jobs/{}/events", events_show, SCOPE_READ, "watchJob"},
        {EVHTTP_REQ_GET, "/v1/jobs/{}/result", results_show, SCOPE_READ, "getResult"},
        {EVHTTP_REQ_GET, "/v1/jobs/{}/log", logs_show, SCOPE_READ, "getLog"},
        {EVHTTP_REQ_GET, "/v1/queues", queues_list, SCOPE_READ, "listQueues"},
        {EVHTTP_REQ_GET, "/v1/queues/{}", queues_show, SCOPE_READ, "getQueue"},
        {EVHTTP_REQ_POST, "/v1/uploads", uploads_create, SCOPE_SUBMIT, "createUpload"},
        {EVHTTP_REQ_PUT, "/v1/uploads/{}/{}", uploads_put, SCOPE_SUBMIT, "putUploadPart"},
        {EVHTTP_REQ_GET, "/v1/types", types_list, SCOPE_READ, "listTypes"},
        {EVHTTP_REQ_GET, "/v1/workers", workers_list, SCOPE_ADMIN, "listWorkers"},
        {EVHTTP_REQ_GET, "/v1/stats", stats_show, SCOPE_ADMIN, "getStats"},
        {EVHTTP_REQ_POST, "/v1/queues/{}/retry", queues_retry, SCOPE_ADMIN, "retryJobs"},
        {EVHTTP_REQ_DELETE, "/v1/queues/{}/jobs", queues_purge, SCOPE_ADMIN, "purgeJobs"},
        {EVHTTP_REQ_POST, "/v1/queues/{}/pause", queues_pause, SCOPE_ADMIN, "pauseQueue"},
        {EVHTTP_REQ_POST, "/v1/queues/{}/resume", queues_resume, SCOPE_ADMIN, "resumeQueue"},
        {EVHTTP_REQ_GET, "/v1/schedules", schedules_index, SCOPE_READ, "listSchedules"},
        {EVHTTP_REQ_PUT, "/v1/schedules/{}", schedules_write, SCOPE_SUBMIT, "putSchedule"},
        {EVHTTP_REQ_GET, "/v1/schedules/{}", schedules_show, SCOPE_READ, "getSchedule"},
        {EVHTTP_REQ_DELETE, "/v1/schedules/{}", schedules_remove, SCOPE_SUBMIT, "deleteSchedule"},
        {EVHTTP_REQ_GET, "/openapi.json", contract_show, SCOPE_PUBLIC, "getContract"},
        {EVHTTP_REQ_GET, "/docs", docs_page, SCOPE_PUBLIC, NULL},
        {EVHTTP_REQ_GET, "/docs/docs.js", docs_script, SCOPE_PUBLIC, NULL},
        {EVHTTP_REQ_GET, "/docs/docs.css", docs_style, SCOPE_PUBLIC, NULL},
        {0, NULL, NULL, 0, NULL},
    };

    return table;
}
