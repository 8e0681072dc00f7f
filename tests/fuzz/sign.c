#include "common/azure/sign.h"
#include "tests/fuzz/fuzz.h"

/* The path, the query, and headers, a line each. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = fuzz_text(data, size);
    AUTO_BUF struct buf out = BUF(8192);
    const char *lines[64] = {"", ""};
    size_t count = 0;
    struct sign_request request = {.method = "PUT", .headers = lines + 2, .content_length = size};
    struct error e = {.code = ERROR_OK};

    for (char *at = text; at && count < ARRAY_LENGTH(lines); count++) {
        lines[count] = at;
        at = strchr(at, '\n');
        if (at)
            *at++ = '\0';
    }
    request.path = lines[0];
    request.query = lines[1];
    request.header_count = count > 2 ? count - 2 : 0;
    if (!sign_append_string(&request, "store1", &out, &e))
        fuzz_check_error(&e);
    return 0;
}
