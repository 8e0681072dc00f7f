#include "api/listing/cursor.h"
#include "tests/fuzz/fuzz.h"

/* A cursor as a caller gives it back. What is taken is written as it was read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char list[HASH_TEXT_SIZE] = "0123456789abcdef0123456789abcdef";
    static const struct shard shard = {.queue = "default"};
    AUTO(free) char *text = fuzz_text(data, size);
    struct cursor c = {.entry.at = -7};
    char again[CURSOR_SIZE];
    struct cursor same;
    struct error e = {.code = ERROR_OK};

    if (!cursor_read(text, &shard, list, &c, &e)) {
        fuzz_check_error(&e);
        assert(c.entry.at == -7);
        return 0;
    }
    assert(c.entry.at >= 0 && strcmp(c.entry.id.shard.queue, "default") == 0);
    fuzz_touch(c.worker, strlen(c.worker));
    cursor_write(&c, list, again);
    if (!cursor_read(again, &shard, list, &same, &e))
        abort();
    assert(same.entry.at == c.entry.at && strcmp(same.entry.id.text, c.entry.id.text) == 0);
    assert(strcmp(same.worker, c.worker) == 0);
    return 0;
}
