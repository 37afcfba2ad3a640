/* loop: what the fibers of one thread wait for, all at once: descriptors and times.
 *
 * Who runs it takes those fibers whose wait has ended, and enters them; it may also be told of some
 * descriptors itself. All of it is for one thread at a time, the one that called loop_adopt last.
 */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

struct fiber;
struct loop;

/* poll(2), for whoever may be in a fiber: then others go on meanwhile. A descriptor may be waited
 * for by one fiber at a time. Anywhere else it is poll(2) itself, but for EINTR, which it never
 * returns. */
int loop_poll(struct pollfd *fds, size_t count, int wait_ms);

/* Is the caller in a fiber that would keep all others waiting if it blocked? */
bool loop_is_here(void);

/* --- for who runs it --- */

/* NULL where it cannot be had. */
struct loop *loop_new(void);
void loop_free(struct loop *loop); /* nobody waits any more */

/* From now on the calling thread is the loop's. */
void loop_adopt(struct loop *loop);

/* Up to so many descriptors that are told of by number while there is something to be read. */
#define LOOP_BELLS_MAX 2

/* False where it cannot be had. `is_heard` false: not told of. */
bool loop_set_bell(struct loop *loop, unsigned number, int fd, bool is_heard);

/* Waits until a wait ends or a bell rings, until `until_us` of log_clock_us at most. Returns the
 * bells that ring, a bit each. */
unsigned loop_wait(struct loop *loop, long long until_us);

/* The next fiber whose wait has ended, or NULL. */
struct fiber *loop_next(struct loop *loop);

#endif
