#include "api/submission.h"
#include "tests/fuzz/fuzz.h"

/* A whole job in JSON, as a caller posts it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = fuzz_text(data, size);
    struct complaints complaints;
    struct submission s;
    struct error e = {.code = ERROR_OK};

    complaints_init(&complaints);
    if (submission_from_json(text, size, &s, &complaints, &e)) {
        fuzz_touch(s.payload, s.payload_length);
        assert(name_is_valid(s.queue, strlen(s.queue)));
        submission_release(&s);
    } else {
        fuzz_check_error(&e);
    }
    complaints_release(&complaints);
    return 0;
}
