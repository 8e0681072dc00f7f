#include "common/base/cron.h"
#include "common/base/zone.h"
#include "tests/fuzz/fuzz.h"

enum { START_S = 1795000000 };

/* An expression, and the times that it names: each behind the one before. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = fuzz_text(data, size);
    struct cron cron;
    struct error e = {.code = ERROR_OK};
    int64_t at_s = START_S;

    if (!cron_parse(text, &cron, &e)) {
        fuzz_check_error(&e);
        return 0;
    }
    for (int i = 0; i < 3; i++) {
        int64_t next_s;

        if (!cron_next(&cron, at_s, zone_utc, NULL, &next_s, &e)) {
            fuzz_check_error(&e);
            return 0;
        }
        assert(next_s > at_s && next_s % 60 == 0);
        at_s = next_s;
    }
    return 0;
}
