#include "tests/chaos/answer.h"

void order_write(const struct order *order, char payload[PAYLOAD_SIZE])
{
    snprintf(payload, PAYLOAD_SIZE, "%s %d %d %zu", order->name, order->ms, (int)order->mode, order->bytes);
}

bool order_read(const char *payload, struct order *order)
{
    int mode;
    int count = sscanf(payload, "%63s %d %d %zu", order->name, &order->ms, &mode, &order->bytes); /* NOLINT */

    order->mode = (enum mode)mode;
    return count == 4 && mode >= 0 && mode < MODE_COUNT && order->bytes <= ANSWER_MAX;
}

/* FNV-1a: no two names have the same stream of letters, for all that a test can meet. */
void answer_make(const struct order *order, char out[ANSWER_MAX])
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < order->bytes; i++) {
        hash = (hash ^ (unsigned char)order->name[i % strlen(order->name)]) * 1099511628211u;
        out[i] = (char)('a' + (hash >> 32) % 26);
    }
}
