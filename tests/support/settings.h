/*
 * settings: a configuration made of a list, for unit tests.
 */
#ifndef JOBGATE_TESTS_SETTINGS_H
#define JOBGATE_TESTS_SETTINGS_H

#include "common/base/config.h"

/* Loads config (config_release) for a worker from "NAME=value" texts, NULL behind the last; of a name that
 * comes twice the first one counts. HANDLERS_FILE is set. A mistake fails the test. */
void settings_load(struct config *config, const char *const *settings);

#endif
