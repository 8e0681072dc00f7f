#include "common/redis/redis.h"

void redis_request_init(struct redis_request *q)
{
    buf_init(&q->bytes, REDIS_REQUEST_MAX);
}

void redis_request_release(struct redis_request *q)
{
    buf_release(&q->bytes);
}

static void add_header(struct redis_request *q, char kind, size_t number)
{
    buf_append_char(&q->bytes, kind);
    buf_append_int(&q->bytes, (int64_t)number);
    buf_append(&q->bytes, "\r\n", 2);
}

void redis_request_begin(struct redis_request *q, size_t argument_count)
{
    buf_reset(&q->bytes);
    add_header(q, '*', argument_count);
}

void redis_request_add(struct redis_request *q, const void *data, size_t length)
{
    add_header(q, '$', length);
    buf_append(&q->bytes, data, length);
    buf_append(&q->bytes, "\r\n", 2);
}

void redis_request_add_text(struct redis_request *q, const char *text)
{
    redis_request_add(q, text, strlen(text));
}

void redis_request_add_int(struct redis_request *q, int64_t value)
{
    char room[32];
    struct buf digits = {.data = room, .size = sizeof(room), .ceiling = sizeof(room) - 1};

    buf_append_int(&digits, value); /* at most 20 characters: it never grows out of the room */
    redis_request_add(q, digits.data, digits.length);
}

void redis_request_begin_script(
    struct redis_request *q, const struct script *script, size_t key_count, size_t argument_count)
{
    redis_request_begin(q, 3 + key_count + argument_count);
    redis_request_add(q, "EVALSHA", 7);
    redis_request_add(q, script->sha1, 40);
    redis_request_add_int(q, (int64_t)key_count);
}
