#include "api/live/etag.h"
#include "tests/fuzz/fuzz.h"

/* An If-None-Match. A list that ends with the tag, and was a list before, has it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = fuzz_text(data, size);
    char etag[ETAG_SIZE];

    etag_write(data, size, etag);
    etag_matches(text, etag);
    assert(etag_matches(etag, etag) && etag_matches("*", etag));
    return 0;
}
