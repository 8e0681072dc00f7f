#include "tests/support/azurite.h"
#include "common/base/mem.h"

#include <check.h>
#include <signal.h>

enum { START_MS = 30000, STOP_MS = 10000 };

static const char program[] = "tests/node_modules/.bin/azurite-blob";

/* The account that every Azurite has. Source: Azurite's README, "Default Storage Account". */
#define ACCOUNT "devstoreaccount1"
#define ACCOUNT_KEY "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

struct azurite {
    struct process *process; /* NULL while it is down */
    int port;
    char url[64];
    char setting[512];
};

static void run_azurite(struct azurite *a)
{
    char port[8];
    const char *argv[] = {"node", program, "--silent", "--inMemoryPersistence", "--disableTelemetry",
        "--blobHost", "127.0.0.1", "--blobPort", port, NULL};
    AUTO(free) char *line = NULL;
    const char *number;

    snprintf(port, sizeof(port), "%d", a->port);
    a->process = process_start(argv, NULL);
    line = process_find_line(a->process, "successfully listen", START_MS);
    if (!line) {
        AUTO(free) char *said = process_output(a->process);

        ck_abort_msg("Azurite does not listen; it said:\n%s", said);
    }
    number = strrchr(line, ':');
    ck_assert_msg(number != NULL, "Azurite names no port: %s", line);
    a->port = (int)strtol(number + 1, NULL, 10);
    ck_assert_int_gt(a->port, 0);
}

struct azurite *azurite_start(void)
{
    struct azurite *a = mem_zalloc(sizeof(*a));

    run_azurite(a);
    snprintf(a->url, sizeof(a->url), "http://127.0.0.1:%d/" ACCOUNT, a->port);
    snprintf(a->setting, sizeof(a->setting),
        "AZURE_STORAGE_CONNECTION_STRING=DefaultEndpointsProtocol=http;AccountName=" ACCOUNT
        ";AccountKey=" ACCOUNT_KEY ";BlobEndpoint=%s;",
        a->url);
    return a;
}

struct azurite *azurite_free(struct azurite *a)
{
    if (!a)
        return NULL;
    process_free(a->process);
    free(a);
    return NULL;
}

int azurite_port(const struct azurite *a)
{
    return a->port;
}

const char *azurite_url(const struct azurite *a)
{
    return a->url;
}

const char *azurite_setting(const struct azurite *a)
{
    return a->setting;
}

const char *azurite_connection_string(const struct azurite *a)
{
    return a->setting + strlen("AZURE_STORAGE_CONNECTION_STRING=");
}

void azurite_kill(struct azurite *a)
{
    a->process = process_free(a->process);
}

void azurite_restart(struct azurite *a)
{
    run_azurite(a);
}

void azurite_pause(struct azurite *a)
{
    process_signal(a->process, SIGSTOP);
}

void azurite_resume(struct azurite *a)
{
    process_signal(a->process, SIGCONT);
}
