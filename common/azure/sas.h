/*
 * sas: the query that lets whoever has a URL read one blob for a while: signed with the account's key
 * ("service SAS") or with a key that the service lends to an identity ("user delegation SAS"). Pure. Source:
 * Azure Storage REST, "Create a service SAS", "Create a user delegation SAS", as they stand for
 * AZURE_VERSION, and "Get User Delegation Key".
 */
#ifndef JOBGATE_AZURE_SAS_H
#define JOBGATE_AZURE_SAS_H

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/base/error.h"

enum { SAS_TIME_SIZE = 32, SAS_TEXT_SIZE = 64, SAS_SIGNATURE_SIZE = 45, SAS_KEY_MAX = 64 };

/* What is allowed: to read one blob. Texts are borrowed; times are as sas_time writes them. */
struct sas_grant {
    const char *account;
    const char *container;
    const char *blob;
    const char *start;
    const char *expiry;
    bool is_https_only;
};

/* A user delegation key. Plain data, but for the value: wiped by sas_key_release. Times and version are
 * exactly as the service wrote them, because they are signed. */
struct sas_key {
    char object_id[SAS_TEXT_SIZE];
    char tenant_id[SAS_TEXT_SIZE];
    char start[SAS_TIME_SIZE];
    char expiry[SAS_TIME_SIZE];
    char service[SAS_TEXT_SIZE];
    char version[SAS_TEXT_SIZE];
    uint8_t value[SAS_KEY_MAX];
    size_t value_length;
};

/* Writes Unix milliseconds as "2026-11-21T03:34:22Z". */
void sas_time(int64_t unix_ms, char out[SAS_TIME_SIZE]);

/* Appends the string to sign; key is NULL for a service SAS. */
void sas_append_string(const struct sas_grant *grant, const struct sas_key *key, struct buf *out);

/* Writes the base64 of the HMAC-SHA256 of text with a delegation key. Fails: INTERNAL. */
bool sas_sign(
    const struct sas_key *key, const char *text, char out[SAS_SIGNATURE_SIZE], struct error *e) MUST_CHECK;

/* Appends the query, without '?'. */
void sas_append_query(
    const struct sas_grant *grant, const struct sas_key *key, const char *signature, struct buf *out);

/* Appends the body of "Get User Delegation Key", and reads its answer. Fails: STORE_REFUSED, when text is no
 * such answer. */
void sas_key_append_request(const char *start, const char *expiry, struct buf *out);
bool sas_key_parse(struct sas_key *out, const char *text, size_t length, struct error *e) MUST_CHECK;
void sas_key_release(struct sas_key *key);

#endif
