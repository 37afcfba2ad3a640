/* keep: a small process that holds the listening socket and starts the program again when it was
 * killed. */
#ifndef LIB_KEEP_H
#define LIB_KEEP_H

/* Where standard input is a listening socket: splits the process in two. One returns, with a
 * channel of accepted connections as standard input (see listener.h); the other one, the keeper,
 * never does. It hands connections on and SIGTERM and SIGHUP, ends with the other one's status
 * where that failed or was told to end, and splits again when it was killed. `name` is what the
 * keeper is called: 15 bytes at most. To be called before there are threads, and before anything is
 * allocated that the keeper would hold for ever. Elsewhere, and where there can be no keeper, it
 * does nothing. */
void keep(const char *name);

#endif
