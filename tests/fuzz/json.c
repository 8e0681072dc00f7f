#include "common/base/json.h"
#include "tests/fuzz/fuzz.h"

/* What is parsed can be written, and what is written can be parsed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf text = BUF(1 << 22);
    struct json_span member = {NULL, 0};
    struct error e = {.code = ERROR_OK};
    AUTO(json) json_t *value = json_parse_keeping((const char *)data, size, "payload", &member, &e);
    AUTO(json) json_t *again = NULL;

    if (!value) {
        fuzz_check_error(&e);
        return 0;
    }
    assert(!member.text ||
           (member.text >= (const char *)data && member.text + member.length <= (const char *)data + size));
    json_write_value(&text, value);
    again = json_parse(text.data, text.length, &e);
    assert(again && json_equal(value, again));
    return 0;
}
