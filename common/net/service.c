#include "common/net/service.h"
#include "common/base/log.h"
#include "common/base/version.h"

#include <getopt.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 20 };

enum action {
    ACTION_RUN,
    ACTION_HELP,
    ACTION_VERSION,
    ACTION_CHECK,
    ACTION_PRINT,
    ACTION_WRONG,
    ACTION_FLAG = 100
};

enum { FLAGS_MAX = 8 };

/* What the command line says. */
struct options {
    const struct program_flag *given[FLAGS_MAX];
    size_t given_count;
};

static enum action parse_options(const struct program *program, int argc, char **argv, struct options *out)
{
    struct option options[FLAGS_MAX + 5] = {
        {"help", no_argument, NULL, ACTION_HELP},
        {"version", no_argument, NULL, ACTION_VERSION},
        {"check-config", no_argument, NULL, ACTION_CHECK},
        {"print-config", no_argument, NULL, ACTION_PRINT},
    };
    enum action action = ACTION_RUN;
    int option;

    for (int i = 0; program->flags && program->flags[i].name && i < FLAGS_MAX; i++)
        options[4 + i] = (struct option){program->flags[i].name, no_argument, NULL, ACTION_FLAG + i};
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (option >= ACTION_FLAG && option < ACTION_FLAG + FLAGS_MAX && out->given_count < FLAGS_MAX)
            out->given[out->given_count++] = &program->flags[option - ACTION_FLAG];
        else
            action = option == '?' ? ACTION_WRONG : (enum action)option;
    if (optind < argc) {
        fprintf(stderr, "%s: \"%s\" is not an option\n", argv[0], argv[optind]);
        return ACTION_WRONG;
    }
    return action;
}

static void print_help(const struct program *program)
{
    AUTO_BUF struct buf text = BUF(TEXT_MAX);

    buf_printf(&text, "%s: %s\n\nUsage: %s [--help | --version | --check-config | --print-config]\n",
        program->name, program->summary, program->name);
    if (program->usage)
        buf_printf(&text, "       %s\n", program->usage);
    for (const struct program_flag *flag = program->flags; flag && flag->name; flag++)
        buf_printf(&text, "\n  --%s  %s\n", flag->name, flag->help);
    buf_append_text(&text, "\nIt is configured by environment variables:\n");
    config_help(program->config_for, &text);
    fputs(text.data, stdout);
}

static bool load(const struct program *program, const struct options *options, struct config *config)
{
    AUTO_BUF struct buf mistakes = BUF(TEXT_MAX);

    bool is_right = config_load(config, program->config_for, config_from_environment, NULL, &mistakes);

    for (size_t i = 0; i < options->given_count; i++)
        options->given[i]->set(config);
    program->check(config, &mistakes);
    if (is_right && mistakes.length == 0)
        return true;
    fprintf(stderr, "%s: the configuration is wrong; nothing was started:\n%s", program->name, mistakes.data);
    config_release(config);
    return false;
}

static void print_config(struct config *config)
{
    AUTO_BUF struct buf text = BUF(TEXT_MAX);

    config_print(config, &text);
    fputs(text.data, stdout);
}

/* A process that cannot be dumped leaves no core, and its memory and environment are closed to others of the
 * same user: handlers are. */
static void keep_secrets(const struct config *config)
{
    config_forget_environment();
    if (config->core_dumps == CORE_DUMPS_OFF)
        prctl(PR_SET_DUMPABLE, 0);
}

bool service_configure(
    const struct program *program, int argc, char **argv, struct config *config, int *status)
{
    struct options options = {0};
    enum action action = parse_options(program, argc, argv, &options);

    *status = action == ACTION_WRONG ? EX_USAGE : EX_OK;
    if (action == ACTION_HELP)
        print_help(program);
    if (action == ACTION_VERSION)
        printf("%s %s\n", program->name, version_text());
    if (action == ACTION_WRONG)
        fprintf(stderr, "Try %s --help\n", program->name);
    if (action == ACTION_HELP || action == ACTION_VERSION || action == ACTION_WRONG)
        return false;
    if (!load(program, &options, config)) {
        *status = EX_CONFIG;
        return false;
    }
    if (action != ACTION_RUN) {
        if (action == ACTION_PRINT)
            print_config(config);
        else
            printf("%s: the configuration is right\n", program->name);
        config_release(config);
        return false;
    }
    keep_secrets(config);
    signal(SIGPIPE, SIG_IGN);
    log_set_service(program->name);
    log_set_level((enum log_level)config->log_level);
    log_set_output(STDOUT_FILENO, !isatty(STDOUT_FILENO));
    return true;
}
