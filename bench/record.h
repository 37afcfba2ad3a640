/* record: as much of FastCGI's records as the floors need (FastCGI 1.0, 3.3). */
#ifndef BENCH_RECORD_H
#define BENCH_RECORD_H

#include <stddef.h>
#include <string.h>

#define RECORD_HEAD 8     /* bytes in front of each record's content */
#define REPLY_MAX 32768   /* one record is enough for it */
#define REQUEST_MAX 65536 /* parameters of a GET */
#define TYPE_END_REQUEST 3
#define TYPE_STDIN 5
#define TYPE_STDOUT 6

/* Writes a record of the one request of a connection; returns what is behind it. */
static inline char *record_put(char *to, int type, const char *content, size_t len)
{
    char head[RECORD_HEAD] = { 1, (char)type, 0, 1, (char)(len >> 8), (char)len, 0, 0 };
    memcpy(to, head, sizeof head);
    memcpy(to + sizeof head, content, len);
    return to + sizeof head + len;
}

/* Is the end of standard input among these bytes, which begin with a record? */
static inline int record_has_whole_request(const unsigned char *bytes, size_t len)
{
    while (len >= RECORD_HEAD) {
        size_t content = (size_t)bytes[4] << 8 | bytes[5],
               record = RECORD_HEAD + content + bytes[6];
        if (bytes[1] == TYPE_STDIN && content == 0)
            return 1;
        if (record > len)
            return 0;
        bytes += record;
        len -= record;
    }
    return 0;
}

#endif
