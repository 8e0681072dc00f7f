#include "common/azure/way.h"
#include "common/azure/token_request.h"
#include "common/base/log.h"

/* What people forget is outside of this process: who sets the variables is told with what is missing. */
#define OF_WEBHOOK                                                                                           \
    "label the pod's template azure.workload.identity/use: \"true\", then delete the pod (restarting its "   \
    "container changes nothing)"
#define OF_ANNOTATION                                                                                        \
    "annotate the ServiceAccount azure.workload.identity/client-id: <client id>, then delete the pod"

static bool missing(struct error *e, const char *setting, const char *way, const char *remedy)
{
    return error_set(
        e, ERROR_INVALID, "%s: is not set, and %s needs it%s%s", setting, way, *remedy ? ": " : "", remedy);
}

static bool check_workload(const struct config *config, struct error *e)
{
    if (!*config->federated_token_file)
        return missing(e, "AZURE_FEDERATED_TOKEN_FILE", "workload identity", OF_WEBHOOK);
    if (!*config->tenant_id)
        return missing(e, "AZURE_TENANT_ID", "workload identity", OF_WEBHOOK);
    return *config->client_id || missing(e, "AZURE_CLIENT_ID", "workload identity", OF_ANNOTATION);
}

static bool check_identity(const struct config *config, enum azure_way way, struct error *e)
{
    return (way != AZURE_WAY_WORKLOAD || check_workload(config, e)) && token_request_check(config, way, e);
}

/* The webhook alone sets a token file: where one is, workload identity is meant, whatever else is missing. */
static enum azure_way guess_identity(const struct config *config)
{
    return *config->federated_token_file ? AZURE_WAY_WORKLOAD : AZURE_WAY_MANAGED;
}

static bool guess_for_storage(const struct config *config, enum azure_way *out, struct error *e)
{
    if (*config->blob_account_key && *config->storage_sas)
        return error_set(e, ERROR_INVALID,
            "AZURE_STORAGE_KEY: is set, and AZURE_STORAGE_SAS_TOKEN too: keep one, or choose with "
            "AZURE_AUTH");
    if (*config->blob_connection_string)
        *out = AZURE_WAY_CONNECTION_STRING;
    else if (*config->blob_account_key)
        *out = AZURE_WAY_KEY;
    else if (*config->storage_sas)
        *out = AZURE_WAY_SAS;
    else
        *out = guess_identity(config);
    return true;
}

static bool choose_for_storage(const struct config *config, enum azure_way *out, struct error *e)
{
    switch (config->azure_auth) {
    case AZURE_AUTH_CONNECTION_STRING:
        *out = AZURE_WAY_CONNECTION_STRING;
        return *config->blob_connection_string ||
               missing(e, "AZURE_STORAGE_CONNECTION_STRING", "AZURE_AUTH=connection_string", "");
    case AZURE_AUTH_SHARED_KEY:
        *out = AZURE_WAY_KEY;
        return *config->blob_account_key || missing(e, "AZURE_STORAGE_KEY", "AZURE_AUTH=shared_key", "");
    case AZURE_AUTH_SAS:
        *out = AZURE_WAY_SAS;
        return *config->storage_sas || missing(e, "AZURE_STORAGE_SAS_TOKEN", "AZURE_AUTH=sas", "");
    case AZURE_AUTH_WORKLOAD:
        *out = AZURE_WAY_WORKLOAD;
        return true;
    case AZURE_AUTH_MANAGED:
        *out = AZURE_WAY_MANAGED;
        return true;
    default:
        return guess_for_storage(config, out, e);
    }
}

bool azure_way_for_storage(const struct config *config, enum azure_way *out, struct error *e)
{
    enum azure_way way = AZURE_WAY_KEY;

    if (!choose_for_storage(config, &way, e) ||
        (way >= AZURE_WAY_WORKLOAD && !check_identity(config, way, e)))
        return false;
    *out = way;
    return true;
}

bool azure_way_for_scope(const struct config *config, enum azure_way *out, struct error *e)
{
    enum azure_way way = config->azure_auth == AZURE_AUTH_WORKLOAD  ? AZURE_WAY_WORKLOAD
                         : config->azure_auth == AZURE_AUTH_MANAGED ? AZURE_WAY_MANAGED
                                                                    : guess_identity(config);

    if (!check_identity(config, way, e))
        return false;
    *out = way;
    return true;
}

static void append_identity(const struct config *config, enum azure_way way, struct buf *out)
{
    if (way == AZURE_WAY_WORKLOAD)
        buf_printf(out, "workload identity (client %s, tenant %s, token file %s)", config->client_id,
            config->tenant_id, config->federated_token_file);
    else if (*config->client_id)
        buf_printf(out, "managed identity (client %s)", config->client_id);
    else
        buf_append_text(out, "managed identity (the one that the machine has)");
}

/* What the ways before the chosen one lack. */
static void append_lacking(const struct config *config, enum azure_way way, struct buf *out)
{
    static const char *const lacking[] = {
        [AZURE_WAY_CONNECTION_STRING] = "AZURE_STORAGE_CONNECTION_STRING",
        [AZURE_WAY_KEY] = "AZURE_STORAGE_KEY",
        [AZURE_WAY_SAS] = "AZURE_STORAGE_SAS_TOKEN",
        [AZURE_WAY_WORKLOAD] = "AZURE_FEDERATED_TOKEN_FILE (workload identity's webhook sets it)",
    };

    if (config->azure_auth != AZURE_AUTH_AUTO || way == AZURE_WAY_CONNECTION_STRING)
        return;
    buf_append_text(out, "; not set:");
    for (enum azure_way i = AZURE_WAY_CONNECTION_STRING; i < way; i++)
        buf_printf(out, "%s %s", i ? "," : "", lacking[i]);
}

static bool names_account(const struct config *config)
{
    return *config->blob_connection_string || *config->storage_account ||
           (*config->blob_url && strncasecmp(config->blob_url, "file:", strlen("file:")) != 0);
}

void azure_way_explain(const struct config *config, struct buf *out)
{
    enum azure_way way = AZURE_WAY_KEY;
    struct error e;

    if (!names_account(config) || !azure_way_for_storage(config, &way, &e))
        return;
    buf_printf(out, "the storage account is opened by ");
    if (way == AZURE_WAY_CONNECTION_STRING)
        buf_append_text(out, "AZURE_STORAGE_CONNECTION_STRING");
    else if (way == AZURE_WAY_KEY)
        buf_append_text(out, "its key, AZURE_STORAGE_KEY");
    else if (way == AZURE_WAY_SAS)
        buf_append_text(out, "a SAS, AZURE_STORAGE_SAS_TOKEN");
    else
        append_identity(config, way, out);
    buf_append_text(out, config->azure_auth == AZURE_AUTH_AUTO ? " (AZURE_AUTH=auto chose)" : "");
    append_lacking(config, way, out);
    if (way == AZURE_WAY_WORKLOAD && *config->token_proxy)
        buf_append_text(out,
            "; AZURE_KUBERNETES_TOKEN_PROXY is set, but identity bindings are not supported: "
            "Entra ID is asked directly");
}

void azure_way_log(const struct config *config, const char *component)
{
    struct log_context context = {.component = component};
    AUTO_BUF struct buf line = BUF(8192);

    azure_way_explain(config, &line);
    if (line.length)
        log_info(&context, "%s", line.data);
}
