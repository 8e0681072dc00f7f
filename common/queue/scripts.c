#include "common/queue/scripts.h"

struct script *queue_scripts(void)
{
    static struct script scripts[SCRIPT_COUNT];

    if (!scripts[0].name) {
#define SCRIPT(id, file) scripts[SCRIPT_##id] = (struct script){.name = #file, .source = script_##file##_source};
        QUEUE_SCRIPTS(SCRIPT)
#undef SCRIPT
        script_prepare(scripts, SCRIPT_COUNT);
    }
    return scripts;
}
