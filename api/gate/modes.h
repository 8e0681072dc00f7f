/*
 * modes: what the setting AUTH says. Pure.
 */
#ifndef JOBGATE_MODES_H
#define JOBGATE_MODES_H

#include "common/base/base.h"
#include "common/base/error.h"

enum auth_mode { AUTH_NONE = 0, AUTH_KEYS = 1, AUTH_ENTRA = 2 };

/* "none", or some of "keys" and "entra" with commas between. Fails: INVALID, with what would be right. */
bool auth_modes_parse(const char *text, unsigned *modes, struct error *e) MUST_CHECK;

#endif
