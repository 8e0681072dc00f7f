#include "common/base/config.h"
#include "tests/fuzz/fuzz.h"

/* Lines of NAME=value. Names of files are left alone: the input is not to choose what is read. */
static const char *look_up(void *arg, const char *name)
{
    size_t length = strlen(name);

    if (length > 5 && strcmp(name + length - 5, "_FILE") == 0)
        return NULL;
    for (const char *line = arg; *line; line += strlen(line) + 1)
        if (strncmp(line, name, length) == 0 && line[length] == '=')
            return line + length + 1;
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = mem_alloc(size + 2);
    AUTO_BUF struct buf mistakes = BUF(1 << 20);
    AUTO_BUF struct buf shown = BUF(1 << 20);
    struct config config;

    for (size_t i = 0; i < size; i++)
        text[i] = data[i] == '\n' ? '\0' : (char)(data[i] ? data[i] : ' ');
    text[size] = text[size + 1] = '\0';
    if (config_load(&config, size % 2 ? FOR_API : FOR_WORKER, look_up, text, &mistakes))
        config_print(&config, &shown);
    else
        assert(mistakes.length);
    config_release(&config);
    return 0;
}
