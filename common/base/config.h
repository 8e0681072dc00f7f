/*
 * config: the settings of both programs, from environment variables, by the one table config.def.
 * Every mistake is gathered, so that a person sees all of them at once.
 */
#ifndef JOBGATE_CONFIG_H
#define JOBGATE_CONFIG_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"

enum config_for { FOR_API = 1, FOR_WORKER = 2, FOR_BOTH = 3 };

enum { DURABILITY_MEMORY, DURABILITY_REPLICA, DURABILITY_FSYNC };
enum { QUEUE_ORDER_WEIGHTED, QUEUE_ORDER_STRICT };
enum { UNKNOWN_TYPES_REFUSE, UNKNOWN_TYPES_PARK };
enum { RESULT_STORE_ALWAYS, RESULT_STORE_LARGE };
enum { RESULT_DELIVERY_PROXY, RESULT_DELIVERY_REDIRECT };
enum { RESULT_CLEANUP_WORKER, RESULT_CLEANUP_LIFECYCLE };
enum { CORE_DUMPS_OFF, CORE_DUMPS_ON };
enum {
    AZURE_AUTH_AUTO,
    AZURE_AUTH_CONNECTION_STRING,
    AZURE_AUTH_SHARED_KEY,
    AZURE_AUTH_SAS,
    AZURE_AUTH_WORKLOAD,
    AZURE_AUTH_MANAGED
};

#define CONFIG_TYPE_INT int64_t
#define CONFIG_TYPE_TEXT char *
#define CONFIG_TYPE_SECRET char *
#define CONFIG_TYPE_CHOICE int

enum config_setting {
#define CONFIG(field, env, kind, preset, min, max, unit, program, help) SETTING_##field,
#include "common/base/config.def"
#undef CONFIG
    CONFIG_SETTINGS
};

/* Texts are owned and never NULL; an empty one means that it is not set. */
struct config {
    enum config_for program;
    char *files[CONFIG_SETTINGS]; /* of a SECRET that came from a file: its path; else NULL */
    bool is_insecure;             /* not a setting: --insecure of the command line */
#define CONFIG(field, env, kind, preset, min, max, unit, program, help) CONFIG_TYPE_##kind field;
#include "common/base/config.def"
#undef CONFIG
};

/* getenv's signature; tests pass their own. */
typedef const char *config_lookup(void *arg, const char *name);

/* Fills config for `program`. Returns false with each mistake as a line appended to `mistakes`; config is
 * then still safe to release. For a SECRET, NAME_FILE names a file that holds it (a trailing newline is
 * dropped); not both. */
bool config_load(struct config *config, enum config_for program, config_lookup *lookup, void *arg,
    struct buf *mistakes) MUST_CHECK;

/* A lookup in the process's environment. */
config_lookup config_from_environment;

/* The SECRET `name` as it was loaded, and the file that it came from, NULL when it stood in the environment.
 * Borrowed. */
const char *config_secret_value(const struct config *config, const char *name);
const char *config_secret_file(const struct config *config, const char *name);

/* Reads that file again, by the same rules; an empty one is refused. On success *value is released with
 * config_secret_free. Fails: INVALID, with the file and what is wrong with it. */
bool config_secret_read(
    const struct config *config, const char *name, char **value, struct error *e) MUST_CHECK;
void config_secret_free(char *value); /* wipes; takes NULL */

/* Overwrites the secrets in the process's environment, once they are loaded: /proc shows it. */
void config_forget_environment(void);

/* Wipes secrets and frees. */
void config_release(struct config *config);

/* Whether a setting of either program has this name and is a secret. */
bool config_is_secret(const char *name);

/* Appends a mistake that a module found in the setting `name`. */
void config_mistake(struct buf *mistakes, const char *name, const char *why);

/* Appends NAME=value lines of what config's program uses; secrets that are set show as ***. */
void config_print(const struct config *config, struct buf *out);

/* Appends the settings of `program` for --help. */
void config_help(enum config_for program, struct buf *out);

/* Appends docs/configuration.md. */
void config_markdown(struct buf *out);

#endif
