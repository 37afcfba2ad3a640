/* queue: connections that were accepted while as many requests were under way as there may be. */
#include "queue.h"

bool queue_put(struct queue *queue, const struct arrival *arrival)
{
    if (!queue_has_room(queue))
        return false;
    queue->arrivals[(queue->first + queue->count++) % QUEUE_MAX] = *arrival;
    return true;
}

bool queue_take(struct queue *queue, long long until_us, struct arrival *arrival)
{
    if (queue->count == 0 || queue->arrivals[queue->first].at_us > until_us)
        return false;
    *arrival = queue->arrivals[queue->first];
    queue->first = (queue->first + 1) % QUEUE_MAX;
    queue->count--;
    return true;
}

bool queue_has_room(const struct queue *queue)
{
    return queue->count < QUEUE_MAX;
}

bool queue_is_empty(const struct queue *queue)
{
    return queue->count == 0;
}

bool queue_first_us(const struct queue *queue, long long *at_us)
{
    if (queue->count > 0)
        *at_us = queue->arrivals[queue->first].at_us;
    return queue->count > 0;
}
