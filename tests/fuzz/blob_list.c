#include "common/blob/azure_page.h"
#include "tests/fuzz/fuzz.h"

/* A page of a container's list, XML of the store or of whoever stands between. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = fuzz_text(data, size);
    struct azure_page page = {0};
    struct error e = {.code = ERROR_OK};

    if (azure_page_parse(&page, text, size, &e))
        azure_page_release(&page);
    else
        fuzz_check_error(&e);
    return 0;
}
