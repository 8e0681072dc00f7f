#include "tests/support/settings.h"

#include <check.h>

static const char *look_up(void *arg, const char *name)
{
    size_t length = strlen(name);

    for (const char *const *setting = arg; *setting; setting++)
        if (strncmp(*setting, name, length) == 0 && (*setting)[length] == '=')
            return *setting + length + 1;
    return strcmp(name, "HANDLERS_FILE") == 0 ? "/nowhere" : NULL;
}

void settings_load(struct config *config, const char *const *settings)
{
    AUTO_BUF struct buf mistakes = BUF(65536);

    ck_assert_msg(config_load(config, FOR_WORKER, look_up, (void *)settings, &mistakes), "%s", mistakes.data);
}
