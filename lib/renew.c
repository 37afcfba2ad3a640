/* renew: starts the program anew in the same process.
 *
 * The way out of a process whose heap may be damaged. To end it and be started again by the web
 * server would lose what waits in the listening socket, which nobody else holds, and lighttpd
 * sends nothing to a responder for a second after it was gone. exec keeps the socket open. */
#include "renew.h"

#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64       /* a responder has a handful */
#define COMMAND_LINE_MAX 16384 /* with paths of PATH_MAX among them */

static ssize_t read_whole(const char *path, char *bytes, size_t size)
{
    size_t len = 0;
    ssize_t got = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    while (len < size && (got = read(fd, bytes + len, size - len)) > 0)
        len += (size_t)got;
    close(fd);
    return got < 0 || len == size ? -1 : (ssize_t)len;
}

/* Those of libraries may lack FD_CLOEXEC. */
static void close_all_but(int kept_fd)
{
    unsigned first = STDERR_FILENO + 1,
             kept = kept_fd > STDERR_FILENO ? (unsigned)kept_fd : first - 1;
    if (kept > first)
        close_range(first, kept - 1, 0);
    close_range(kept + 1, ~0U, 0);
}

void renew_program(int kept_fd)
{
    static char line[COMMAND_LINE_MAX]; /* once in a process's life, and never twice at a time */
    char *arguments[ARGUMENTS_MAX + 1];
    char program[PATH_MAX + 1];
    int count = 0;

    ssize_t len = read_whole("/proc/self/cmdline", line, sizeof(line));
    for (ssize_t at = 0; at < len; at += (ssize_t)strlen(line + at) + 1) {
        if (count == ARGUMENTS_MAX)
            return;
        arguments[count++] = line + at;
    }
    if (count == 0)
        return;
    arguments[count] = NULL;

    ssize_t program_len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[program_len > 0 ? program_len : 0] = 0;
    close_all_but(kept_fd);
    execv(program, arguments);          /* by its name, which is then the process's, too */
    execv("/proc/self/exe", arguments); /* the file was replaced or deleted meanwhile */
}
