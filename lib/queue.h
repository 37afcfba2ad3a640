/* queue: connections that were accepted while as many requests were under way as there may be, in
 * the order of their coming.
 *
 * For one thread. It knows what time each came, and nothing of clocks. */
#ifndef LIB_QUEUE_H
#define LIB_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

/* Connections at most: a burst's worth. Each holds a descriptor and nothing else. */
#define QUEUE_MAX 1024

struct arrival {
    int fd;
    long long at_us; /* of log_clock_us */
};

/* Empty where it is all zero. */
struct queue {
    size_t first, count;
    struct arrival arrivals[QUEUE_MAX];
};

/* False where it is full. */
bool queue_put(struct queue *queue, const struct arrival *arrival);

/* Takes the one that came first, if it came at `until_us` or before. False where there is none. */
bool queue_take(struct queue *queue, long long until_us, struct arrival *arrival);

bool queue_has_room(const struct queue *queue);
bool queue_is_empty(const struct queue *queue);

/* When the one that came first did; false where there is none. */
bool queue_first_us(const struct queue *queue, long long *at_us);

#endif
