#include "common/base/version.h"

#ifndef JOBGATE_VERSION
#define JOBGATE_VERSION "unknown"
#endif

const char *version_text(void)
{
    return JOBGATE_VERSION;
}
