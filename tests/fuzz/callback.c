#include "common/net/guard.h"
#include "common/net/webhook.h"
#include "tests/fuzz/fuzz.h"

/* What an operator writes for callbacks: networks and secrets; and a host of a caller's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = fuzz_text(data, size);
    AUTO_BUF struct buf signature = BUF(1 << 16);
    struct webhook_keys keys = {.count = 0};
    struct guard guard = {.count = 0};
    struct error e = {.code = ERROR_OK};

    guard_allows_host(&guard, text);
    if (!guard_parse(text, &guard, &e))
        fuzz_check_error(&e);
    guard_allows_host(&guard, text);
    if (!webhook_keys_parse(text, &keys, &e))
        fuzz_check_error(&e);
    assert(keys.count <= WEBHOOK_SECRETS_MAX);
    webhook_sign(&keys, "id", 1, data, size, &signature);
    webhook_keys_wipe(&keys);
    return 0;
}
