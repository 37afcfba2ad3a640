/* record: whatever comes over a connection, its variables are strings, and it comes to an end. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/fastcgi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* More than a socket takes at once would wait for who reads. */
#define SIZE_MAX_SENT (64 * 1024)

static const char beginning[] = "\1\1\0\1\0\x8\0\0"
                                "\0\1\0\0\0\0\0\0";

static void use(struct fastcgi *fastcgi, struct connection *connection, char **variables)
{
    char bytes[100];
    size_t len = 0;
    for (; *variables; variables++)
        len += strlen(*variables);
    if (len > SIZE_MAX_SENT)
        abort();
    while (connection->read(connection, bytes, sizeof bytes) > 0)
        ;
    fastcgi_end(fastcgi, false);
    fastcgi_close(fastcgi, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fastcgi *fastcgi;
    char **variables;
    int pair[2];
    if (!fastcgi)
        fastcgi = fastcgi_new(NULL);
    if (size > SIZE_MAX_SENT || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 0;
    if ((size == 0 || data[0] != 0) && write(pair[0], beginning, sizeof beginning - 1) < 0)
        abort();
    if (size > 0 && write(pair[0], data, size) < 0)
        abort();
    shutdown(pair[0], SHUT_WR);
    struct connection *connection = fastcgi_open(fastcgi, pair[1], 1, &variables);
    if (connection)
        use(fastcgi, connection, variables);
    close(pair[0]);
    return 0;
}
