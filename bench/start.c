/* start: how long a FastCGI responder takes from exec to its first answer.
 *
 *   start COUNT URI SOCKET PROGRAM
 *
 * As a web server does: listens on SOCKET, starts PROGRAM with it as standard input, sends a
 * request for URI at once, and waits for the reply, which must be 200. Prints a line with the
 * milliseconds of each of COUNT starts; every one of them is ended again. */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 2048
#define SECONDS_MAX 20 /* for one start */

static unsigned char request[REQUEST_MAX];
static size_t request_len;
static pid_t program; /* that runs at the moment, for the alarm */

static void add_record(int type, const void *content, size_t len)
{
    unsigned char head[8] = { 1, (unsigned char)type, 0, 1, (unsigned char)(len >> 8),
        (unsigned char)len, 0, 0 };
    memcpy(request + request_len, head, sizeof head);
    memcpy(request + request_len + sizeof head, content, len);
    request_len += sizeof head + len;
}

/* Name and value are below 128 bytes and not empty: a byte is enough for each length. */
static size_t add_parameter(char *at, size_t room, const char *name, const char *value)
{
    return (size_t)snprintf(
        at, room, "%c%c%s%s", (int)strlen(name), (int)strlen(value), name, value);
}

static void make_request(const char *uri)
{
    char parameters[REQUEST_MAX / 2];
    size_t len = 0;
    if (strlen(uri) > 127 || !*uri)
        errx(2, "too long, or empty: %s", uri);
    len += add_parameter(parameters + len, sizeof parameters - len, "REQUEST_METHOD", "GET");
    len += add_parameter(parameters + len, sizeof parameters - len, "REQUEST_URI", uri);
    len += add_parameter(parameters + len, sizeof parameters - len, "SERVER_PROTOCOL", "HTTP/1.1");
    len += add_parameter(parameters + len, sizeof parameters - len, "REMOTE_ADDR", "127.0.0.1");
    add_record(1, "\0\1\0\0\0\0\0", 8); /* begin: a responder, one request of this connection */
    add_record(4, parameters, len);
    add_record(4, "", 0);
    add_record(5, "", 0);
}

static int listen_at(struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(address->sun_path);
    if (bind(fd, (struct sockaddr *)address, sizeof *address) < 0 || listen(fd, 16) < 0)
        err(1, "%s", address->sun_path);
    return fd;
}

static void run(const char *path, int listener)
{
    program = fork();
    if (program != 0)
        return;
    dup2(listener, STDIN_FILENO);
    execl(path, path, (char *)NULL);
    err(127, "%s", path);
}

/* Sends the request and reads to the end of the connection; was it answered 200? */
static int is_answered(const struct sockaddr_un *address)
{
    char reply[1024];
    size_t len = 0;
    ssize_t got;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
        err(1, "%s", address->sun_path);
    if (write(fd, request, request_len) != (ssize_t)request_len)
        err(1, "the request was not taken");
    while (len < sizeof reply && (got = read(fd, reply + len, sizeof reply - len)) > 0)
        len += (size_t)got;
    close(fd);
    /* Behind the first record's head: the status, or a header field where it is 200. */
    return len > 8 && reply[1] == 6 &&
           (memcmp(reply + 8, "Status:", 7) != 0 || memcmp(reply + 8, "Status: 200", 11) == 0);
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void give_up(int signal)
{
    (void)signal;
    kill(program, SIGKILL);
    _exit(1);
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (argc != 5 || strlen(argv[3]) >= sizeof address.sun_path)
        errx(2, "usage: start COUNT URI SOCKET PROGRAM");
    snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[3]);
    make_request(argv[2]);
    signal(SIGALRM, give_up);
    for (int left = atoi(argv[1]); left > 0; left--) {
        alarm(SECONDS_MAX);
        int listener = listen_at(&address);
        double start = now_ms();
        run(argv[4], listener);
        close(listener);
        int is_well = is_answered(&address);
        double took = now_ms() - start;
        kill(program, SIGTERM);
        waitpid(program, NULL, 0);
        if (!is_well)
            errx(1, "%s did not answer %s with 200", argv[4], argv[2]);
        printf("%.3f\n", took);
    }
    unlink(address.sun_path);
    return 0;
}
