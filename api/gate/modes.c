#include "api/gate/modes.h"

bool auth_modes_parse(const char *text, unsigned *modes, struct error *e)
{
    static const struct {
        const char *name;
        unsigned mode;
    } known[] = {{"keys", AUTH_KEYS}, {"entra", AUTH_ENTRA}};
    const char *at = text;
    unsigned found = AUTH_NONE;

    if (strcmp(text, "none") == 0) {
        *modes = AUTH_NONE;
        return true;
    }
    for (;;) {
        size_t length = strcspn(at, ",");
        size_t i = 0;

        while (i < ARRAY_LENGTH(known) &&
               (strlen(known[i].name) != length || strncmp(known[i].name, at, length) != 0))
            i++;
        if (i == ARRAY_LENGTH(known))
            return error_set(e, ERROR_INVALID, "\"%.60s\" is none of none, keys, entra and keys,entra", text);
        found |= known[i].mode;
        at += length;
        if (!*at++)
            break;
    }
    *modes = found;
    return true;
}
