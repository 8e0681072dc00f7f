#include "worker/share.h"

/* One slot: returns who gets it, NULL when nobody wants it. */
static struct share *grant_one(struct share *shares, size_t count)
{
    struct share *best = NULL;
    int64_t gained = 0;

    for (size_t i = 0; i < count; i++) {
        if (!shares[i].wants)
            continue;
        shares[i].credit += shares[i].weight;
        gained += shares[i].weight;
        if (!best || shares[i].credit > best->credit)
            best = &shares[i];
    }
    if (best)
        best->credit -= gained;
    return best;
}

void share_by_weight(struct share *shares, size_t count, size_t slots)
{
    struct share *winner;

    for (size_t i = 0; i < count; i++)
        shares[i].granted = 0;
    while (slots-- && (winner = grant_one(shares, count)))
        winner->granted++;
}

void share_strictly(struct share *shares, size_t count, size_t slots)
{
    for (size_t i = 0; i < count; i++) {
        shares[i].granted = shares[i].wants ? slots : 0;
        if (shares[i].wants)
            slots = 0;
    }
}
