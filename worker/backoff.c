#include "worker/backoff.h"

int64_t backoff_ms(const struct retry_policy *policy, int failures, uint32_t random)
{
    int64_t delay_ms = policy->delay_ms;

    if (policy->delays_ms) {
        delay_ms =
            policy->delays_ms[failures <= policy->delay_count ? failures - 1 : policy->delay_count - 1];
    } else {
        while (--failures > 0 && delay_ms < policy->delay_max_ms)
            delay_ms *= 2;
        if (delay_ms > policy->delay_max_ms)
            delay_ms = policy->delay_max_ms;
    }
    return delay_ms - delay_ms / 5 * (int64_t)(random % 1024) / 1024;
}
