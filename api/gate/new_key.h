/*
 * new_key: `jobgate-api --new-key NAME --scopes submit,read …`: makes an API key, shows it once, and puts its
 * hash into API_KEYS_FILE (whole or not at all; several at once wait for each other). Without that setting
 * the entry is shown, to be put there by other means.
 */
#ifndef JOBGATE_NEW_KEY_H
#define JOBGATE_NEW_KEY_H

#include "common/base/base.h"

/* Whether this is what the command line asks for. */
bool new_key_is_asked(int argc, char **argv);

/* Does it. Returns the exit status (sysexits.h): 64 for a wrong option, 73 when the file could not be
 * written. stdout gets the key alone in one line (behind it the entry, where there is no file), all else goes
 * to stderr. */
int new_key_main(int argc, char **argv, const char *keys_file);

#endif
