#include "tests/support/issuer.h"

#include <check.h>
#include <jose/b64.h>
#include <jose/jwk.h>
#include <jose/jws.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "tests/support/process.h"

enum { KEYS_MAX = 8, URL_SIZE = 64 };

struct issuer {
    struct {
        char id[32];
        json_t *jwk;
    } keys[KEYS_MAX];
    size_t count;
    char jwks_path[PROCESS_PATH_SIZE + 32];
    char asked_path[PROCESS_PATH_SIZE + 32];
    char url[URL_SIZE];
    pid_t pid;
};

static void publish(const struct issuer *i)
{
    AUTO(free) char *text = issuer_jwks(i);
    char beside[sizeof(i->jwks_path) + 8];
    FILE *file;

    if (!*i->jwks_path)
        return;
    snprintf(beside, sizeof(beside), "%s.new", i->jwks_path);
    file = fopen(beside, "we");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(rename(beside, i->jwks_path), 0);
}

static void answer(const struct issuer *i, int fd)
{
    static char body[1 << 16];
    char asked[4096];
    char head[128];
    FILE *file = fopen(i->jwks_path, "re");
    FILE *count = fopen(i->asked_path, "ae");
    size_t length = file ? fread(body, 1, sizeof(body), file) : 0;

    if (file)
        fclose(file);
    if (count) {
        fputc('.', count);
        fclose(count);
    }
    if (read(fd, asked, sizeof(asked)) <= 0)
        return;
    snprintf(
        head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", length);
    if (write(fd, head, strlen(head)) < 0 || write(fd, body, length) < 0)
        return;
}

/* A process of its own, which ends with the test. */
static void serve(struct issuer *i)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    snprintf(i->url, sizeof(i->url), "http://127.0.0.1:%d/keys", ntohs(address.sin_port));
    i->pid = fork();
    ck_assert_int_ge(i->pid, 0);
    if (i->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            int fd = accept(listener, NULL, NULL);

            if (fd < 0)
                continue;
            answer(i, fd);
            close(fd);
        }
    }
    close(listener);
}

struct issuer *issuer_new(const char *directory)
{
    struct issuer *i = mem_zalloc(sizeof(*i));

    if (directory) {
        snprintf(i->jwks_path, sizeof(i->jwks_path), "%s/jwks.json", directory);
        snprintf(i->asked_path, sizeof(i->asked_path), "%s/asked", directory);
    }
    issuer_add_key(i, "first", "RS256");
    if (directory)
        serve(i);
    return i;
}

struct issuer *issuer_free(struct issuer *i)
{
    if (!i)
        return NULL;
    if (i->pid > 0) {
        kill(i->pid, SIGKILL);
        waitpid(i->pid, NULL, 0);
    }
    for (size_t n = 0; n < i->count; n++)
        json_decref(i->keys[n].jwk);
    free(i);
    return NULL;
}

void issuer_add_key(struct issuer *i, const char *key_id, const char *algorithm)
{
    json_t *jwk = json_pack("{s:s}", "alg", algorithm);

    ck_assert_uint_lt(i->count, KEYS_MAX);
    ck_assert(jose_jwk_gen(NULL, jwk));
    snprintf(i->keys[i->count].id, sizeof(i->keys[0].id), "%s", key_id);
    i->keys[i->count++].jwk = jwk;
    publish(i);
}

char *issuer_jwks(const struct issuer *i)
{
    json_t *list = json_array();
    json_t *document;
    char *text;

    for (size_t n = 0; n < i->count; n++) {
        json_t *key = json_deep_copy(i->keys[n].jwk);

        ck_assert(jose_jwk_pub(NULL, key));
        json_object_set_new(key, "kid", json_string(i->keys[n].id));
        json_object_set_new(key, "use", json_string("sig"));
        json_object_del(key, "key_ops");
        json_array_append_new(list, key);
    }
    document = json_pack("{s:o}", "keys", list);
    text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    return text;
}

const char *issuer_url(const struct issuer *i)
{
    return i->url;
}

size_t issuer_count_asked(const struct issuer *i)
{
    struct stat about;

    return stat(i->asked_path, &about) == 0 ? (size_t)about.st_size : 0;
}

char *issuer_sign(const struct issuer *i, const char *key_id, const char *said_id, const char *said_algorithm,
    json_t *claims)
{
    char *payload = json_dumps(claims, JSON_COMPACT);
    json_t *encoded = jose_b64_enc(payload, strlen(payload));
    json_t *jws = json_pack("{s:o}", "payload", encoded);
    json_t *signature = json_pack("{s:{s:s,s:s}}", "protected", "alg", said_algorithm, "kid", said_id);
    char *token = NULL;
    size_t n = 0;

    while (n < i->count && strcmp(i->keys[n].id, key_id) != 0)
        n++;
    ck_assert_uint_lt(n, i->count);
    ck_assert(jose_jws_sig(NULL, jws, signature, i->keys[n].jwk));
    ck_assert_int_gt(asprintf(&token, "%s.%s.%s", json_string_value(json_object_get(jws, "protected")),
                         json_string_value(json_object_get(jws, "payload")),
                         json_string_value(json_object_get(jws, "signature"))),
        0);
    json_decref(signature);
    json_decref(jws);
    json_decref(claims);
    free(payload);
    return token;
}

json_t *issuer_claims(const char *roles)
{
    json_int_t now_s = (json_int_t)time(NULL);
    json_t *list = json_loads(roles, JSON_DECODE_ANY, NULL);

    return json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:o}", "iss", ISSUER_NAME, "aud", ISSUER_AUDIENCE, "oid",
        ISSUER_OWNER, "azp", "an-app", "nbf", now_s - 10, "exp", now_s + 3600, "roles", list);
}
