#include "common/azure/answer.h"
#include "tests/fuzz/fuzz.h"

/* Headers of the answer: one value for each that is asked for. */
static const char *find(const void *arg, const char *name)
{
    const char *const *values = arg;

    return values[strlen(name) % 4];
}

static void check_text(const char text[ANSWER_TEXT_SIZE])
{
    assert(memchr(text, '\0', ANSWER_TEXT_SIZE));
    for (; *text; text++)
        assert(*text >= ' ' && *text < 0x7f);
}

/* A byte for the status, three lines of headers, and the body: XML of a store, HTML of a proxy, anything. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {
        200, 201, 206, 301, 400, 401, 403, 404, 408, 409, 412, 416, 429, 500, 501, 503};
    AUTO(free) char *text = fuzz_text(data, size);
    const char *values[4] = {NULL};
    char *at = text;
    struct answer a;
    struct error e;

    for (int i = 0; i < 3 && strchr(at, '\n'); i++) {
        values[i] = at;
        at = strchr(at, '\n');
        *at++ = '\0';
    }
    answer_read(
        &a, statuses[size ? data[0] % ARRAY_LENGTH(statuses) : 0], find, values, at, strlen(at), 1000);
    check_text(a.code);
    check_text(a.message);
    check_text(a.request_id);
    assert(a.wait_ms >= -1);
    answer_explain(&a, "PUT x", &e);
    fuzz_check_error(&e);
    assert(answer_retry_delay_ms(1, a.wait_ms, 7) >= 0);
    return 0;
}
