#include "api/gate/jwt.h"
#include "common/base/json.h"
#include "tests/fuzz/fuzz.h"

/* The first line is a token, the rest a JWKS. Nothing here can be signed rightly, so nobody gets in. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct token_rules rules = {"https://issuer.example", "api://jobgate", 1800000000};
    AUTO(free) char *text = fuzz_text(data, size);
    char *jwks = strchr(text, '\n');
    AUTO(json) json_t *keys = NULL;
    char key_id[KEY_ID_SIZE] = "";
    struct error e = {.code = ERROR_OK};
    struct caller *c;

    if (jwks)
        *jwks++ = '\0';
    keys = jwks ? jwks_parse(jwks, strlen(jwks), &e) : NULL;
    if (jwks && !keys)
        fuzz_check_error(&e);
    if (token_key_id(text, key_id, &e))
        (void)jwks_has(keys, key_id);
    else
        fuzz_check_error(&e);
    c = token_read(keys, text, &rules, &e);
    if (!c)
        fuzz_check_error(&e);
    caller_release(c);
    return 0;
}
