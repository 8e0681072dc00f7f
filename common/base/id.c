#include "common/base/id.h"
#include "common/base/clock.h"

#include <sys/random.h>

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

bool name_is_valid(const char *text, size_t length)
{
    if (length == 0 || length >= NAME_SIZE)
        return false;
    for (size_t i = 0; i < length; i++) {
        bool is_alnum = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9');

        if (!is_alnum && (i == 0 || (text[i] != '_' && text[i] != '-')))
            return false;
    }
    return true;
}

/* getrandom of up to 256 bytes neither fails nor is cut short once the pool of the kernel is filled,
 * getrandom(2). */
static void take_random(struct id_generator *g, uint8_t *out, size_t length)
{
    if (g->pool_left < length) {
        for (size_t at = 0; at < sizeof(g->pool); at += 256) {
            ssize_t n = getrandom(g->pool + at, 256, 0);

            assert(n == 256);
        }
        g->pool_left = sizeof(g->pool);
    }
    g->pool_left -= length;
    memcpy(out, g->pool + g->pool_left, length);
}

/* Adds 1 to 2^32 to the random part: rising, and still not to be guessed from the one before. */
static void step_random(struct id_generator *g)
{
    uint32_t step;
    uint64_t carry;

    take_random(g, (uint8_t *)&step, sizeof(step));
    carry = (uint64_t)step + 1;
    for (int i = 9; i >= 0 && carry; i--) {
        carry += g->last[i];
        g->last[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

void id_generate_ulid(struct id_generator *g, char out[ULID_SIZE])
{
    int64_t now_ms = clock_unix_ms();
    uint64_t bits = 0;
    int bit_count = 0;
    int at = 25;

    if (now_ms > g->last_ms) {
        g->last_ms = now_ms;
        take_random(g, g->last, sizeof(g->last));
        g->last[0] &= 0x7f; /* room to step within this millisecond */
    } else {
        step_random(g);
    }
    for (int i = 9; i >= 0; i--) {
        bits |= (uint64_t)g->last[i] << bit_count;
        for (bit_count += 8; bit_count >= 5; bit_count -= 5, bits >>= 5)
            out[at--] = crockford[bits & 31];
    }
    for (int64_t ms = g->last_ms; at >= 0; ms >>= 5)
        out[at--] = crockford[ms & 31];
    out[26] = '\0';
}

void id_generate(struct id_generator *g, const struct shard *shard, struct job_id *out)
{
    size_t length = strlen(shard->queue);
    char number[8];
    int digits = snprintf(number, sizeof(number), "%u", shard->number);

    assert(shard->number <= SHARD_MAX && length < NAME_SIZE);
    out->shard = *shard;
    memcpy(out->text, shard->queue, length);
    out->text[length] = '.';
    memcpy(out->text + length + 1, number, (size_t)digits);
    out->text[length + 1 + (size_t)digits] = '.';
    id_generate_ulid(g, out->text + length + 2 + (size_t)digits);
    out->created_ms = g->last_ms;
}

/* Source: the ULID specification: 26 characters, the first at most 7. */
static bool parse_ulid(const char *text, int64_t *ms)
{
    int64_t value = 0;

    if (strlen(text) != 26 || text[0] > '7')
        return false;
    for (int i = 0; i < 26; i++) {
        const char *digit = strchr(crockford, text[i]);

        if (!digit)
            return false;
        if (i < 10)
            value = value << 5 | (digit - crockford);
    }
    *ms = value;
    return true;
}

static bool parse_shard_number(const char *text, size_t length, unsigned *number)
{
    unsigned value = 0;

    if (length < 1 || length > 4 || (length > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *number = value;
    return value <= SHARD_MAX;
}

bool id_parse(const char *text, struct job_id *out, struct error *e)
{
    const char *first = strchr(text, '.');
    const char *second = first ? strchr(first + 1, '.') : NULL;
    struct job_id id = {0};

    if (!second || strlen(text) >= JOB_ID_SIZE || !name_is_valid(text, (size_t)(first - text)) ||
        !parse_shard_number(first + 1, (size_t)(second - first - 1), &id.shard.number) ||
        !parse_ulid(second + 1, &id.created_ms))
        return error_set(e, ERROR_NOT_FOUND,
            "this is not a job id: it would read like default.0.01KA2B3C4D5E6F7G8H9JKMNPQR");
    memcpy(id.shard.queue, text, (size_t)(first - text));
    memcpy(id.text, text, strlen(text));
    *out = id;
    return true;
}
