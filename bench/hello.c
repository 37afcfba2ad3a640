/* hello: the least that a FastCGI responder can do: the floor that all others are held against.
 *
 * Answers every request with the bytes of the file that HELLO_FILE names, as JSON. One thread, one
 * connection after the other, as web servers open one for each request; no library, no log. It
 * reads a request to its end and looks at nothing in it. */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "record.h"

static char reply[REPLY_MAX + 4 * RECORD_HEAD_SIZE];
static size_t reply_len;

static void make_reply(const char *path)
{
    static char content[REPLY_MAX], body[REPLY_MAX / 2];
    FILE *file = fopen(path, "r");
    if (!file)
        err(1, "%s", path);
    size_t len = fread(body, 1, sizeof body, file);
    if (len == sizeof body)
        errx(1, "%s: too long for one record", path);
    fclose(file);
    int head = snprintf(content, sizeof content,
        "Status: 200\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", len);
    memcpy(content + head, body, len);
    char *end = record_put(reply, RECORD_STDOUT, content, (size_t)head + len);
    end = record_put(end, RECORD_STDOUT, "", 0);
    reply_len = (size_t)(record_put_end(end, 1, RECORD_COMPLETE) - reply);
}

static void answer(int fd)
{
    static char request[REQUEST_MAX];
    size_t len = 0;
    ssize_t got;
    while ((got = read(fd, request + len, sizeof request - len)) > 0) {
        len += (size_t)got;
        if (!record_has_whole_request(request, len))
            continue;
        if (write(fd, reply, reply_len) != (ssize_t)reply_len)
            warn("a reply was not taken");
        return;
    }
}

int main(void)
{
    const char *path = getenv("HELLO_FILE");
    if (!path)
        errx(2, "HELLO_FILE is not set");
    signal(SIGPIPE, SIG_IGN);
    make_reply(path);
    for (;;) {
        int fd = accept(STDIN_FILENO, NULL, NULL);
        if (fd < 0)
            err(1, "standard input is no listening socket");
        answer(fd);
        close(fd);
    }
}
