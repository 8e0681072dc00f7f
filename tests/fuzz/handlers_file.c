#include "common/base/config.h"
#include "tests/fuzz/fuzz.h"
#include "worker/handlers/handler.h"

#include <sys/mman.h>
#include <unistd.h>

static const char *nothing(void *UNUSED(arg), const char *UNUSED(name))
{
    return NULL;
}

/* The file is made in memory, and read by the name that /proc has for it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    static struct config config;
    AUTO_BUF struct buf wrong = BUF(1 << 16);
    AUTO_BUF struct buf mistakes = BUF(1 << 20);
    int fd = memfd_create("handlers", MFD_CLOEXEC);
    struct handlers *handlers;
    char path[64];

    if (!loop) {
        loop = loop_new();
        assert(config_load(&config, FOR_WORKER, nothing, NULL, &wrong) || wrong.length);
    }
    if (!loop || fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    handlers = handlers_load(loop, &config, path, &mistakes);
    assert(handlers || mistakes.length);
    for (size_t i = 0; handlers && handlers_type_at(handlers, i); i++)
        assert(handlers_find(handlers, handlers_type_at(handlers, i)));
    handlers_free(handlers);
    close(fd);
    return 0;
}
