#include "common/azure/account.h"
#include "tests/fuzz/fuzz.h"

/* Whatever the string is: it is refused with its setting's name, or what it gives is fit for a request. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = fuzz_text(data, size);
    struct azure_account a = {.name = "untouched"};
    struct error e = {.code = ERROR_OK};

    if (azure_account_from_connection_string(&a, text, "jobgate", &e)) {
        assert((a.way == AZURE_WAY_KEY && a.key_length && *a.name) || (a.way == AZURE_WAY_SAS && *a.sas));
        assert(strncasecmp(a.endpoint, "http", 4) == 0 && !strpbrk(a.endpoint, "?#\r\n"));
        azure_account_release(&a);
    } else {
        fuzz_check_error(&e);
        assert(strcmp(a.name, "untouched") == 0);
        assert(strncmp(e.text, "AZURE_STORAGE_CONNECTION_STRING: ", 33) == 0);
    }
    return 0;
}
