#include "api/range.h"
#include "common/base/clock.h"
#include "common/base/id.h"
#include "tests/fuzz/fuzz.h"

/* The small texts of a request: a job's id, a time, a Range. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = fuzz_text(data, size);
    struct job_id id;
    struct error e = {.code = ERROR_OK};
    int64_t unix_ms;
    int64_t offset = 0;
    int64_t length = 0;

    if (id_parse(text, &id, &e))
        assert(strcmp(id.text, text) == 0);
    else
        fuzz_check_error(&e);
    if (clock_parse_rfc3339(text, &unix_ms))
        assert(unix_ms >= 0);
    if (range_read(text, 1000, &offset, &length) == RANGE_PART)
        assert(offset >= 0 && length > 0 && offset + length <= 1000);
    name_is_valid(text, size);
    return 0;
}
