/* kept: connections to servers that are kept alive between exchanges, of one thread.
 *
 * The list is in the order of use, the last one at its end.
 */
#include "kept.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define IDLE_MAX_US (KEPT_IDLE_MAX_S * 1000000LL)

struct kept {
    struct str server; /* its text in the file, a copy: configurations come and go */
    int fd;
    long long used_us;
};

struct kept_connections {
    struct kept list[KEPT_MAX];
    int count;
};

struct kept_connections *kept_new(void)
{
    return calloc(1, sizeof(struct kept_connections));
}

static int take_out(struct kept_connections *kept, int at)
{
    int fd = kept->list[at].fd;
    free((char *)kept->list[at].server.at);
    kept->count--;
    memmove(kept->list + at, kept->list + at + 1, (size_t)(kept->count - at) * sizeof *kept->list);
    return fd;
}

void kept_free(struct kept_connections *kept)
{
    if (!kept)
        return;
    while (kept->count > 0)
        close(take_out(kept, kept->count - 1));
    free(kept);
}

/* Nobody has asked for what would be in there, so it must not be taken for an answer. */
bool kept_is_silent(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EINTR);
}

static void drop_old(struct kept_connections *kept, long long now_us)
{
    while (kept->count > 0 && now_us - kept->list[0].used_us > IDLE_MAX_US)
        close(take_out(kept, 0));
}

int kept_take(struct kept_connections *kept, const struct address *address, long long now_us)
{
    drop_old(kept, now_us);
    for (int at = kept->count - 1; at >= 0; at--) {
        if (!str_eq(address->text, kept->list[at].server))
            continue;
        int fd = take_out(kept, at);
        if (kept_is_silent(fd))
            return fd;
        close(fd);
    }
    return -1;
}

void kept_put(
    struct kept_connections *kept, const struct address *address, int fd, long long now_us)
{
    char *server = malloc(address->text.len);
    if (!server) {
        close(fd);
        return;
    }
    memcpy(server, address->text.at, address->text.len);
    drop_old(kept, now_us);
    if (kept->count == KEPT_MAX)
        close(take_out(kept, 0));
    kept->list[kept->count++] = (struct kept){ { server, address->text.len }, fd, now_us };
}
