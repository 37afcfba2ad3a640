/* queue: connections that were accepted while all threads were busy, in the order of their coming.
 */
#include "queue.h"

void queue_init(struct queue *queue)
{
    pthread_mutex_init(&queue->lock, NULL);
    atomic_init(&queue->count, 0);
    queue->first = 0;
}

void queue_clear(struct queue *queue)
{
    pthread_mutex_destroy(&queue->lock);
}

bool queue_put(struct queue *queue, const struct arrival *arrival)
{
    pthread_mutex_lock(&queue->lock);
    size_t count = atomic_load(&queue->count);
    bool has_room = count < QUEUE_MAX;
    if (has_room) {
        queue->arrivals[(queue->first + count) % QUEUE_MAX] = *arrival;
        atomic_store(&queue->count, count + 1);
    }
    pthread_mutex_unlock(&queue->lock);
    return has_room;
}

bool queue_take(struct queue *queue, long long until_us, struct arrival *arrival)
{
    if (queue_is_empty(queue))
        return false;
    pthread_mutex_lock(&queue->lock);
    size_t count = atomic_load(&queue->count);
    bool is_taken = count > 0 && queue->arrivals[queue->first].at_us <= until_us;
    if (is_taken) {
        *arrival = queue->arrivals[queue->first];
        queue->first = (queue->first + 1) % QUEUE_MAX;
        atomic_store(&queue->count, count - 1);
    }
    pthread_mutex_unlock(&queue->lock);
    return is_taken;
}

bool queue_is_empty(const struct queue *queue)
{
    return atomic_load(&queue->count) == 0;
}

bool queue_first_us(struct queue *queue, long long *at_us)
{
    pthread_mutex_lock(&queue->lock);
    bool has_any = atomic_load(&queue->count) > 0;
    *at_us = has_any ? queue->arrivals[queue->first].at_us : 0;
    pthread_mutex_unlock(&queue->lock);
    return has_any;
}
