/* good_copy: the text of the configuration in use, where it outlives the program's starting anew.
 *
 * After a crash the program starts anew (lib/renew), or the keeper starts it again (lib/keep), and
 * it has to read its configuration again. The file may have been changed by then, and refused, or
 * not reloaded yet: a crash must neither end the gateway nor bring a change into use. So the text
 * is kept in memory that belongs to a descriptor, and a variable of the environment names that.
 */
#include "good_copy.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLE "FCGI_GATEWAY_COPY_FD"

/* The kept descriptor, or 0. The variable may be an old one that somebody exported: only memory of
 * this kind knows seals. */
static int find(void)
{
    const char *text = getenv(VARIABLE);
    int fd = text ? atoi(text) : 0;
    return fd > STDERR_FILENO && fcntl(fd, F_GET_SEALS) >= 0 ? fd : 0;
}

static bool has_text(int fd)
{
    struct stat status;
    return fd && fstat(fd, &status) == 0 && status.st_size > 0;
}

void good_copy_open(struct good_copy *copy)
{
    *copy = (struct good_copy){ .fd = find() };
    copy->is_found = has_text(copy->fd);
    if (!copy->fd) {
        int fd = memfd_create("gateway.json", 0); /* without FD_CLOEXEC: that is its purpose */
        copy->fd = fd > STDERR_FILENO ? fd : 0;
    }
    char number[16];
    snprintf(number, sizeof number, "%d", copy->fd);
    setenv(VARIABLE, number, 1);
    snprintf(copy->path, sizeof copy->path, "/proc/self/fd/%d", copy->fd);
}

void good_copy_keep(struct good_copy *copy, struct str text)
{
    bool is_whole = copy->fd && ftruncate(copy->fd, 0) == 0;
    for (size_t done = 0; is_whole && done < text.len;) {
        ssize_t now = pwrite(copy->fd, text.at + done, text.len - done, (off_t)done);
        is_whole = now > 0;
        done += is_whole ? (size_t)now : 0;
    }
    /* A part is no configuration: better none, the file is read instead. */
    if (copy->fd && !is_whole && ftruncate(copy->fd, 0) < 0)
        copy->fd = 0;
}
