/*
 * routes: the one table of what the api serves.
 */
#ifndef JOBGATE_ROUTES_H
#define JOBGATE_ROUTES_H

#include "api/server.h"

/* Ends with a pattern of NULL. */
const struct route *routes(void);

/* The handlers. */
void jobs_create(struct exchange *x);
void batch_create(struct exchange *x);
void runs_create(struct exchange *x);
void jobs_list(struct exchange *x);
void jobs_show(struct exchange *x);
void jobs_cancel(struct exchange *x);
void jobs_retry(struct exchange *x);
void queues_list(struct exchange *x);
void queues_show(struct exchange *x);
void queues_retry(struct exchange *x);
void queues_purge(struct exchange *x);
void queues_pause(struct exchange *x);
void queues_resume(struct exchange *x);
void uploads_create(struct exchange *x);
void uploads_put(struct exchange *x);
void types_list(struct exchange *x);
void stats_show(struct exchange *x);
void workers_list(struct exchange *x);
void logs_show(struct exchange *x);
void results_show(struct exchange *x);
void events_show(struct exchange *x);
void contract_show(struct exchange *x);
void docs_page(struct exchange *x);
void docs_script(struct exchange *x);
void docs_style(struct exchange *x);
void schedules_index(struct exchange *x);
void schedules_write(struct exchange *x);
void schedules_show(struct exchange *x);
void schedules_remove(struct exchange *x);

#endif
