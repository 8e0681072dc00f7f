#include "api/batch/splitter.h"
#include "tests/fuzz/fuzz.h"

/* The first byte says which form, the rest is the body of a batch. Items stand inside it, one behind the
 * other. A body that is JSON and an array is split into as many items as it has. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = size ? (const char *)data + 1 : "";
    size_t length = size ? size - 1 : 0;
    bool is_lines = size && data[0] == 'l';
    const char *behind = text;
    struct splitter s;
    struct json_span item;
    struct error e = {.code = ERROR_OK};
    enum split split;
    size_t count = 0;

    splitter_init(&s, text, length, is_lines);
    while ((split = splitter_next(&s, &item, &e)) == SPLIT_ITEM) {
        assert(item.text >= behind && item.length > 0 && item.text + item.length <= text + length);
        fuzz_touch(item.text, item.length);
        behind = item.text + item.length;
        count++;
    }
    assert(count == s.count);
    if (split == SPLIT_BROKEN)
        fuzz_check_error(&e);
    if (!is_lines) {
        AUTO(json) json_t *whole = json_parse(text, length, &e);

        assert(!json_is_array(whole) || (split == SPLIT_END && count == json_array_size(whole)));
    }
    return 0;
}
