/*
 * way: which of the ways to prove who we are the settings choose (AZURE_AUTH), and why.
 * Source: the environment that azure-workload-identity's webhook makes; the order is that of Azure's SDKs.
 */
#ifndef JOBGATE_AZURE_WAY_H
#define JOBGATE_AZURE_WAY_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/config.h"
#include "common/base/error.h"

enum azure_way {
    AZURE_WAY_CONNECTION_STRING,
    AZURE_WAY_KEY,
    AZURE_WAY_SAS,
    AZURE_WAY_WORKLOAD, /* a Kubernetes service account, trusted by an identity of Entra ID */
    AZURE_WAY_MANAGED,  /* the identity of the machine (IMDS) */
};

/* Chooses for the storage account. Fails: INVALID, naming what is missing and who has to set it. */
bool azure_way_for_storage(const struct config *config, enum azure_way *out, struct error *e) MUST_CHECK;

/* Chooses for any other scope, where only WORKLOAD and MANAGED serve. Fails as above. */
bool azure_way_for_scope(const struct config *config, enum azure_way *out, struct error *e) MUST_CHECK;

/* Appends one line for the log: what was chosen for the storage account and, where AZURE_AUTH=auto chose,
 * what the other ways lack. Nothing of a configuration that names no storage account. */
void azure_way_explain(const struct config *config, struct buf *out);

/* Logs that line, once at the start of a program. */
void azure_way_log(const struct config *config, const char *component);

#endif
