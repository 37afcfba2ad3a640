/* keep: a small process that holds the listening socket and starts the program again when it was
 * killed. */
#ifndef LIB_KEEP_H
#define LIB_KEEP_H

/* Listens at `path`, a unix socket for its owner alone, and splits the process in two. One returns,
 * with the listening socket as standard input; the other one, the keeper, never does. It hands
 * SIGTERM and SIGHUP on, ends with the other one's status where that failed or was told to end, and
 * splits again when it was killed. `name` is what the keeper is called: 15 bytes at most. To be
 * called before there are threads, and before anything is allocated that the keeper would hold for
 * ever. Where it cannot listen it says so and exits with 1. */
void keep(const char *name, const char *path);

#endif
