#include "common/blob/payload.h"
#include "common/base/hash.h"

enum { OWNER_DIGITS = 12 };

void payload_name(const struct job_id *id, char out[BLOB_NAME_SIZE])
{
    blob_name("payloads", id, out);
}

void payload_parts_prefix(const struct job_id *id, const char *owner, char out[BLOB_NAME_SIZE])
{
    char hash[HASH_TEXT_SIZE];
    size_t length;

    hash_text((const struct hash_part[]){{owner, strlen(owner)}, {NULL, 0}}, hash);
    payload_name(id, out);
    length = strlen(out);
    snprintf(out + length, BLOB_NAME_SIZE - length, "/%.*s-", OWNER_DIGITS, hash);
}

void payload_part_name(const struct job_id *id, const char *owner, int part, char out[BLOB_NAME_SIZE])
{
    size_t length;

    payload_parts_prefix(id, owner, out);
    length = strlen(out);
    snprintf(out + length, BLOB_NAME_SIZE - length, "%05d", part);
}

int payload_part_number(const char *name)
{
    const char *number = strrchr(name, '-');
    char *end;
    long part = number ? strtol(number + 1, &end, 10) : 0;

    return number && *end == '\0' && part >= 1 && part <= PAYLOAD_PARTS_MAX ? (int)part : 0;
}

bool payload_job(const char *name, struct job_id *out)
{
    char text[JOB_ID_SIZE];
    const char *at = name;
    struct error e;

    for (int i = 0; i < 3; i++) { /* payloads/<hh>/<queue>/ */
        at = strchr(at, '/');
        if (!at)
            return false;
        at++;
    }
    snprintf(text, sizeof(text), "%.*s", (int)strcspn(at, "/"), at);
    return strncmp(name, "payloads/", strlen("payloads/")) == 0 && id_parse(text, out, &e);
}
