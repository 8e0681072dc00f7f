#include "api/submission.h"
#include "tests/fuzz/fuzz.h"

/* The first line is the query of a submission, the second its content type, the rest its payload. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = fuzz_text(data, size);
    char *type = strchr(text, '\n');
    char *payload = type ? strchr(type + 1, '\n') : NULL;
    struct complaints complaints;
    struct evkeyvalq query = {0};
    struct submission s;
    struct error e = {.code = ERROR_OK};

    if (type)
        *type++ = '\0';
    if (payload)
        *payload++ = '\0';
    if (evhttp_parse_query_str(text, &query) < 0)
        return 0;
    complaints_init(&complaints);
    if (submission_from_raw(
            &query, type, payload ? payload : "", payload ? strlen(payload) : 0, &s, &complaints, &e))
        submission_release(&s);
    else
        fuzz_check_error(&e);
    complaints_release(&complaints);
    evhttp_clear_headers(&query);
    return 0;
}
