/* fastcgi_part: what the parts of a FastCGI connection share. For fastcgi*.c only. */
#ifndef LIB_FASTCGI_PART_H
#define LIB_FASTCGI_PART_H

#include <sys/types.h>
#include "fastcgi.h"
#include "record.h"

/* What is written in small pieces goes out together; a usual reply is one piece then. */
#define FASTCGI_KEPT_MAX 8192

struct fastcgi {
    struct connection connection; /* first: the two are cast into each other */
    int fd;
    unsigned id; /* of the request on its connection */
    int wait_ms; /* the longest wait for the web server; -1: none is too long */

    /* What was received: first what stays (the variables, once they are there), from `at` to `end`
     * what nobody has looked at yet. */
    char *room;
    size_t size, base, at, end;
    char **variables;
    size_t variable_count, variable_size;

    size_t content_left; /* of the record that is being read */
    size_t padding_left;
    bool is_read; /* nothing more will come */
    bool is_torn; /* what comes cannot be understood, or the request was given up */

    char kept[RECORD_HEAD_SIZE + FASTCGI_KEPT_MAX + 2 * RECORD_HEAD_SIZE + RECORD_BODY_SIZE];
    size_t kept_len; /* without the head in front */
    bool is_failed;  /* nobody takes what is written */

    int gone_fd;     /* an epoll instance that waits for the end of a connection; -1 before that */
    bool is_watched; /* the present connection is in it */
    struct watcher *watcher;
    int seat; /* of the watcher: it looks after the present connection's client; or none */
};

/* --- fastcgi.c --- */

/* False where it is not so within so many milliseconds (-1: it will be). */
bool fastcgi_wait(int fd, short events, int wait_ms);

/* Of a system call on the socket: what a thread has for itself may wait in it. */
int fastcgi_flags(const struct fastcgi *fastcgi);

/* Sends what is neither reply nor kept, all of it. False where nobody takes it. */
bool fastcgi_send(struct fastcgi *fastcgi, const char *bytes, const char *end);

/* --- fastcgi_read.c: what a web server sends --- */

/* Once, for all connections of it. False where there is no memory. */
bool fastcgi_read_init(struct fastcgi *fastcgi);
void fastcgi_read_free(struct fastcgi *fastcgi);

/* After a connection: ready for the next one. */
void fastcgi_read_reset(struct fastcgi *fastcgi);

/* Reads the request up to its body; the variables are there then. False where none came. */
bool fastcgi_read_request(struct fastcgi *fastcgi);

/* connection.read and connection.body_fd */
ssize_t fastcgi_read_body(struct connection *connection, void *bytes, size_t size);
int fastcgi_body_fd(struct connection *connection);

/* Reads what is left of the body. Did the web server send all that it will ever send? */
bool fastcgi_read_rest(struct fastcgi *fastcgi);

#endif
