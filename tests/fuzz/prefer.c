#include "api/live/prefer.h"
#include "tests/fuzz/fuzz.h"

/* A Prefer header. What comes later in it takes nothing back. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = fuzz_text(data, size);
    struct prefer first = {0};
    struct prefer both;

    prefer_parse(text, &first);
    assert(first.wait_s >= 0 && (first.has_wait || first.wait_s == 0));
    both = first;
    prefer_parse(text, &both);
    assert(both.has_wait == first.has_wait && both.wait_s == first.wait_s);
    assert(both.respond_async == first.respond_async);
    return 0;
}
