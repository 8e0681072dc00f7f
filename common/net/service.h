/*
 * service: what both programs do before their own work begins: options, configuration, logging.
 */
#ifndef JOBGATE_SERVICE_H
#define JOBGATE_SERVICE_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/config.h"

/* An option of one program alone, without an argument; set is called before the configuration is checked. */
struct program_flag {
    const char *name; /* without its dashes */
    const char *help;
    void (*set)(struct config *config);
};

/* What tells one program from the other. */
struct program {
    const char *name;
    const char *summary; /* one line for --help */
    enum config_for config_for;
    /* Appends what else is wrong with settings that parsed well one by one (addresses, URLs, files). Settings
     * that did not parse are empty: they are passed over. */
    void (*check)(const struct config *config, struct buf *mistakes);
    const struct program_flag *flags; /* ends with a name of NULL; NULL = none */
    const char *usage;                /* more for --help: what else the program does; NULL = nothing */
};

/* Reads the options and the configuration, and sets up logging and the signals that are to be ignored.
 * Returns true when the program is to run; config is then to be released. Otherwise *status is the exit
 * status: 0 after
 * --help, --version, --print-config and a --check-config that found nothing, 64 for a wrong option, 78 for a
 * wrong configuration (sysexits.h). */
bool service_configure(
    const struct program *program, int argc, char **argv, struct config *config, int *status) MUST_CHECK;

#endif
