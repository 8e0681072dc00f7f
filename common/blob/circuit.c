#include "common/blob/circuit.h"

bool circuit_is_open(const struct circuit *c)
{
    return c->wait_ms > 0;
}

bool circuit_admits(struct circuit *c, int64_t now_ms)
{
    if (!circuit_is_open(c))
        return true;
    if (c->is_trying || now_ms < c->opens_to_ms)
        return false;
    c->is_trying = true;
    return true;
}

int64_t circuit_wait_ms(const struct circuit *c, int64_t now_ms)
{
    if (!circuit_is_open(c))
        return 0;
    if (c->is_trying)
        return CIRCUIT_FIRST_MS;
    return now_ms < c->opens_to_ms ? c->opens_to_ms - now_ms : 1;
}

bool circuit_failed(struct circuit *c, int64_t now_ms)
{
    bool was_open = circuit_is_open(c);

    if (was_open && !c->is_trying)
        return false; /* sent before it opened: tells nothing new */
    if (!was_open && ++c->failures < CIRCUIT_FAILURES)
        return false;
    if (!was_open)
        c->wait_ms = CIRCUIT_FIRST_MS;
    else
        c->wait_ms = c->wait_ms * 2 < CIRCUIT_LONGEST_MS ? c->wait_ms * 2 : CIRCUIT_LONGEST_MS;
    c->is_trying = false;
    c->opens_to_ms = now_ms + c->wait_ms;
    return !was_open;
}

bool circuit_well(struct circuit *c)
{
    bool was_open = circuit_is_open(c);

    *c = (struct circuit){0};
    return was_open;
}

void circuit_abandoned(struct circuit *c)
{
    c->is_trying = false;
}
