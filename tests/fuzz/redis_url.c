#include "common/redis/redis_url.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = fuzz_text(data, size);
    struct redis_url url = {.port = -1};
    struct error e = {.code = ERROR_OK};

    if (redis_url_parse(text, &url, &e)) {
        assert(*url.host && url.port > 0 && url.port < 65536 && url.database >= 0);
    } else {
        fuzz_check_error(&e);
        assert(url.port == -1);
    }
    redis_url_wipe(&url);
    return 0;
}
