#include "tests/support/record.h"
#include "common/base/json.h"

#include <check.h>
#include <fcntl.h>
#include <unistd.h>

static char ignored[64][64]; /* the last ones; a test has fewer */
static size_t ignored_count;

enum { BODY_MAX = 65536, LINE_MAX_BYTES = 1 << 20, PATH_SIZE = 512 };

static void write_file(const char *name, int flags, const void *data, size_t length)
{
    const char *directory = getenv("JOBGATE_RECORD");
    char path[PATH_SIZE];
    int fd;

    if (!directory)
        return;
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, length), (ssize_t)length); /* one write: several tests may append */
    close(fd);
}

void record_ignore(const char *url)
{
    snprintf(ignored[ignored_count++ % ARRAY_LENGTH(ignored)], sizeof(ignored[0]), "%s", url);
}

static bool is_ignored(const char *url)
{
    for (size_t i = 0; i < ARRAY_LENGTH(ignored); i++)
        if (*ignored[i] && strncmp(url, ignored[i], strlen(ignored[i])) == 0)
            return true;
    return false;
}

void record_answer(const struct http_ask *ask, const struct http_reply *reply)
{
    AUTO_BUF struct buf line = BUF(LINE_MAX_BYTES);
    const char *path = strstr(ask->url, "/v1/");
    AUTO(free) char *type = NULL;
    AUTO(free) char *encoding = NULL;

    if (!path || !reply->status || is_ignored(ask->url) || !getenv("JOBGATE_RECORD"))
        return;
    type = http_reply_header(reply, "Content-Type");
    encoding = http_reply_header(reply, "Content-Encoding");
    buf_append_text(&line, "{\"method\":");
    json_write_string(&line,
        ask->method ? ask->method
        : ask->body ? "POST"
                    : "GET",
        strlen(ask->method ? ask->method
               : ask->body ? "POST"
                           : "GET"));
    json_write_member(&line, "path", path);
    buf_printf(&line, ",\"status\":%d", reply->status);
    json_write_member(&line, "type", type ? type : "");
    if (reply->body.length && reply->body.length < BODY_MAX && !encoding && type && strstr(type, "json")) {
        buf_append_text(&line, ",\"body\":");
        json_write_string(&line, reply->body.data, reply->body.length);
    }
    buf_append_text(&line, "}\n");
    write_file("answers.jsonl", O_APPEND, line.data, line.length);
}

void record_contract(const void *document, size_t length)
{
    write_file("openapi.json", O_TRUNC, document, length);
}
