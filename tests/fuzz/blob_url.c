#include "common/azure/account.h"
#include "tests/fuzz/fuzz.h"

/* The first line is the URL, the rest a key, a SAS and an account's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = fuzz_text(data, size);
    char *rest = strchr(text, '\n');
    struct azure_account a = {.name = "untouched"};
    struct error e = {.code = ERROR_OK};

    if (rest)
        *rest++ = '\0';
    if (azure_account_from_url(&a, text, size % 2 ? "" : "store1", &e)) {
        assert(*a.name && *a.container && *azure_account_path(&a) != '?');
        if (!azure_account_set_key(&a, rest ? rest : "", &e))
            fuzz_check_error(&e);
        if (!azure_account_set_sas(&a, rest ? rest : "", &e))
            fuzz_check_error(&e);
        azure_account_release(&a);
    } else {
        fuzz_check_error(&e);
        assert(strcmp(a.name, "untouched") == 0);
    }
    return 0;
}
