/*
 * share: divides free slots among queues that have jobs. Pure.
 *
 * By weight: each slot goes to the queue with the most credit; all that want one gain their weight with each
 * slot, and who gets it pays what all gained. So shares follow the weights over time, also when slots come
 * free one by one, and no queue starves. (Smooth weighted round robin.) Strictly: all slots go to the first
 * queue of the list that wants any.
 */
#ifndef JOBGATE_SHARE_H
#define JOBGATE_SHARE_H

#include "common/base/base.h"

struct share {
    int weight;     /* 1 or more */
    int64_t credit; /* kept between calls */
    bool wants;
    size_t granted; /* the outcome */
};

void share_by_weight(struct share *shares, size_t count, size_t slots);
void share_strictly(struct share *shares, size_t count, size_t slots);

#endif
