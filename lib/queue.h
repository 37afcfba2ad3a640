/* queue: connections that were accepted while all threads were busy, in the order of their coming.
 *
 * Threads may use it at the same time. It knows what time each came, and nothing of clocks. */
#ifndef LIB_QUEUE_H
#define LIB_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Connections at most: a burst's worth. Each holds a descriptor and nothing else. */
#define QUEUE_MAX 1024

struct arrival {
    int fd;
    long long at_us; /* of log_clock_us */
};

struct queue {
    pthread_mutex_t lock;
    atomic_size_t count; /* read without the lock where a look is enough */
    size_t first;
    struct arrival arrivals[QUEUE_MAX];
};

void queue_init(struct queue *queue);

/* Nothing may be in it any more. */
void queue_clear(struct queue *queue);

/* False where it is full. */
bool queue_put(struct queue *queue, const struct arrival *arrival);

/* Takes the one that came first, if it came at `until_us` or before. False where there is none. */
bool queue_take(struct queue *queue, long long until_us, struct arrival *arrival);

/* Is there nothing in it? The answer may be out of date when it comes. */
bool queue_is_empty(const struct queue *queue);

/* When the one that came first did; false where there is none. */
bool queue_first_us(struct queue *queue, long long *at_us);

#endif
