/* file_text: the whole text of a file, whatever kind of file it is.
 *
 * What is to be read may be a pipe ("/dev/stdin", "<(...)" of a shell, mkfifo), by intent or by
 * mistake. To open one, or to read from it, waits for whoever writes, perhaps for ever: a gateway
 * that reloads must not. Knows nothing of what the text means.
 */
#include "file_text.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/buf.h"
#include "lib/log.h"

/* No sensible file is longer; guards against a path to something else. */
#define FILE_MAX (16 * 1024 * 1024)

#define READ_SIZE 65536

#define SOON_US (1000 * 1000LL) /* whoever writes to a pipe has begun by then */

/* Until there is something to read, or there will be no more. False where it is too late. */
static bool wait_for(int fd, long long until_us)
{
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    int ready;
    do {
        long long left_us = until_us - log_clock_us();
        int wait_ms = left_us > 0 ? (int)(left_us / 1000 + 1) : 0;
        ready = poll(&readable, 1, until_us == LLONG_MAX ? -1 : wait_ms);
    } while (ready < 0 && errno == EINTR);
    return ready != 0;
}

/* NULL, or why the text is not whole. A pipe that nobody writes to yet looks as if it had ended. */
static const char *read_all(int fd, bool is_patient, struct buf *text)
{
    long long soon_us = log_clock_us() + SOON_US;
    bool has_waited = false;
    while (text->len <= FILE_MAX) {
        ssize_t got = read(fd, buf_room(text, READ_SIZE), READ_SIZE);
        if (got > 0) {
            text->len += (size_t)got;
            continue;
        }
        if (got == 0 && (text->len > 0 || has_waited))
            return NULL;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return strerrordesc_np(errno);
        if (!wait_for(fd, got < 0 && is_patient ? LLONG_MAX : soon_us))
            return text->len > 0 ? "it is no regular file, and did not end within a second"
                                 : "it is no regular file, and nothing came from it in a second";
        has_waited = true;
    }
    return "it is longer than 16 MiB";
}

static bool is_regular(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

struct str file_text_read(const char *file, bool is_patient, struct arena *arena, const char **why)
{
    struct buf text;
    int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        *why = strerrordesc_np(errno);
        return (struct str){ NULL, 0 };
    }
    buf_init(&text, arena);
    *why = read_all(fd, is_patient, &text);
    if (!*why && text.len == 0 && !is_regular(fd))
        *why = "it is no regular file, and there is nothing in it";
    close(fd);
    return *why ? (struct str){ NULL, 0 } : (struct str){ buf_as_text(&text), text.len };
}
