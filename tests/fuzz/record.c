#include "common/queue/queue.h"
#include "tests/fuzz/fuzz.h"

/* What Redis holds under a job's key, if anybody else wrote there. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct job_id id;
    struct job job;
    struct error e = {.code = ERROR_OK};

    if (!id_parse("default.0.01M7Y6GTMEE9HJK83JH8JHQF9V", &id, &e))
        abort();
    if (record_decode(&id, (const char *)data, size, &job, &e))
        job_release(&job);
    else
        fuzz_check_error(&e);
    if (record_decode_started(&id, (const char *)data, size, &job, &e))
        job_release(&job);
    else
        fuzz_check_error(&e);
    record_attempt((const char *)data, size);
    return 0;
}
