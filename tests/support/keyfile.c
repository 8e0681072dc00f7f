#include "tests/support/keyfile.h"

#include <check.h>
#include <unistd.h>

enum { URL_SIZE = 1024 };

static void write_over(const struct keyfile *f, const char *text)
{
    char beside[sizeof(f->path) + 8];
    FILE *file;

    snprintf(beside, sizeof(beside), "%s.new", f->path);
    file = fopen(beside, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(rename(beside, f->path), 0);
}

static void write_keys(const struct keyfile *f)
{
    AUTO_BUF struct buf text = BUF(1 << 20);

    buf_append_text(&text, "{\"keys\":[");
    for (size_t i = 0; i < f->count; i++)
        buf_printf(&text, "%s{\"name\":\"%s\",\"sha256\":\"%s\",\"scopes\":[%s}", i ? "," : "",
            f->keys[i].name, f->keys[i].hash, f->keys[i].members);
    buf_append_text(&text, "]}");
    write_over(f, text.data);
}

void keyfile_open(struct keyfile *f, const struct scene *s)
{
    *f = (struct keyfile){0};
    snprintf(f->path, sizeof(f->path), "%s/keys.json", s->directory);
    snprintf(f->setting, sizeof(f->setting), "API_KEYS_FILE=%s", f->path);
    write_keys(f);
}

const char *keyfile_add(struct keyfile *f, const char *name, const char *scopes, const char *members)
{
    ck_assert_uint_lt(f->count, KEYFILE_MAX);
    snprintf(f->keys[f->count].name, OWNER_SIZE, "%s", name);
    snprintf(f->keys[f->count].members, sizeof(f->keys[0].members), "%s]%s", scopes, members);
    api_key_generate(f->keys[f->count].key, f->keys[f->count].hash);
    f->count++;
    write_keys(f);
    return f->keys[f->count - 1].key;
}

void keyfile_remove(struct keyfile *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->keys[i].name, name) == 0) {
            memmove(&f->keys[i], &f->keys[i + 1], (f->count - i - 1) * sizeof(f->keys[0]));
            f->count--;
            break;
        }
    write_keys(f);
}

void keyfile_spoil(const struct keyfile *f, const char *text)
{
    write_over(f, text);
}

void keyfile_ask(const struct jobgate *api, const char *key, const char *method, const char *path,
    const char *json, struct http_reply *reply)
{
    char url[URL_SIZE];
    char authorization[8192];
    const char *headers[4] = {"Prefer: respond-async"};
    size_t count = 1;

    snprintf(url, sizeof(url), "%s%s", jobgate_url(api), path);
    snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s", key ? key : "");
    if (key)
        headers[count++] = authorization;
    if (json)
        headers[count] = "Content-Type: application/json";
    http_ask(&(struct http_ask){.method = method,
                 .url = url,
                 .headers = headers,
                 .body = json,
                 .body_length = json ? strlen(json) : 0},
        reply);
}
