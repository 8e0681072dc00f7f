#include "common/azure/token_answer.h"
#include "tests/fuzz/fuzz.h"

/* The first byte chooses who answers and with which status, the rest is the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 400, 401, 403, 404, 410, 429, 500};
    enum azure_way way = size && data[0] & 64 ? AZURE_WAY_MANAGED : AZURE_WAY_WORKLOAD;
    struct token_answer a;
    struct error e;

    if (!size)
        return 0;
    token_answer_read(&a, way, statuses[data[0] % 8], (const char *)data + 1, size - 1, 1000000);
    if (a.verdict == TOKEN_GRANTED) {
        assert(*a.token && strlen(a.token) <= TOKEN_MAX && !strpbrk(a.token, " \r\n"));
        assert(a.expires_in_s > 0 && a.expires_in_s <= TOKEN_LIFE_MAX_S);
        assert(token_answer_refresh_ms(&a, data[0]) > 0);
        assert(token_answer_refresh_ms(&a, data[0]) <= a.expires_in_s * 1100);
    } else {
        assert(!a.token);
        token_answer_explain(&a, way, &e);
        fuzz_check_error(&e);
    }
    token_answer_release(&a);
    return 0;
}
