/* cgi: the one request of a plain CGI program (RFC 3875): environment, stdin, stdout. */
#include "cgi.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static ssize_t read_body(struct connection *connection, void *bytes, size_t size)
{
    (void)connection;
    ssize_t got;
    do
        got = read(STDIN_FILENO, bytes, size);
    while (got < 0 && errno == EINTR);
    return got;
}

static int body_fd(struct connection *connection)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    (void)connection;
    return poll(&input, 1, 0) == 0 ? STDIN_FILENO : -1;
}

/* The web server ends a program whose client has gone, or lets it write into nothing. */
static int gone_fd(struct connection *connection)
{
    (void)connection;
    return -1;
}

static bool is_gone(struct connection *connection)
{
    (void)connection;
    return false;
}

static bool write_whole(struct cgi *cgi, const char *bytes, size_t len)
{
    while (len > 0 && !cgi->is_failed) {
        ssize_t written = write(STDOUT_FILENO, bytes, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            cgi->is_failed = true;
            break;
        }
        bytes += written;
        len -= (size_t)written;
    }
    return !cgi->is_failed;
}

static bool flush_reply(struct connection *connection)
{
    struct cgi *cgi = (struct cgi *)connection;
    size_t len = cgi->kept;
    cgi->kept = 0;
    return write_whole(cgi, cgi->buffer, len);
}

static bool write_reply(struct connection *connection, const char *bytes, size_t len)
{
    struct cgi *cgi = (struct cgi *)connection;
    if (len > sizeof(cgi->buffer) - cgi->kept && !flush_reply(connection))
        return false;
    if (len > sizeof(cgi->buffer))
        return write_whole(cgi, bytes, len);
    memcpy(cgi->buffer + cgi->kept, bytes, len);
    cgi->kept += len;
    return true;
}

void cgi_open(struct cgi *cgi)
{
    cgi->connection = (struct connection){
        .read = read_body,
        .body_fd = body_fd,
        .write = write_reply,
        .flush = flush_reply,
        .gone_fd = gone_fd,
        .is_gone = is_gone,
    };
    cgi->kept = 0;
    cgi->is_failed = false;
}

bool cgi_close(struct cgi *cgi)
{
    return flush_reply(&cgi->connection);
}
