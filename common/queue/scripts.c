#include "common/queue/scripts.h"

const struct script queue_scripts[SCRIPT_COUNT] = {
#define SCRIPT(id, file) {.name = #file, .source = script_##file##_source, .sha1 = script_##file##_sha1},
    QUEUE_SCRIPTS(SCRIPT)
#undef SCRIPT
};
