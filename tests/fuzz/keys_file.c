#include "api/gate/keyring.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = fuzz_text(data, size);
    struct error e = {.code = ERROR_OK};
    struct keyring *keys = keyring_parse(text, size, &e);

    if (!keys)
        fuzz_check_error(&e);
    keyring_free(keys);
    return 0;
}
