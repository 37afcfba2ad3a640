/* renew: starts the program anew in the same process. */
#ifndef LIB_RENEW_H
#define LIB_RENEW_H

/* Replaces this process's program by itself: same arguments, environment, fd 0 to 2 and `kept_fd`
 * (0: no further one), process id, signal mask and pending signals; threads, memory and other
 * descriptors are gone. Allocates nothing. Returns only where that is impossible. */
void renew_program(int kept_fd);

#endif
