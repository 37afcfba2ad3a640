/* record: as much of FastCGI's records as the floors need (FastCGI 1.0, 3.3). */
#ifndef BENCH_RECORD_H
#define BENCH_RECORD_H

#include <string.h>
#include "lib/record.h"

#define REPLY_MAX 32768   /* one record is enough for it */
#define REQUEST_MAX 65536 /* parameters of a GET */

/* Writes a record of the one request of a connection; returns what is behind it. */
static inline char *record_put(char *to, enum record_type type, const char *content, size_t len)
{
    to = record_put_head(to, type, 1, len);
    memcpy(to, content, len);
    return to + len;
}

/* Is the end of standard input among these bytes, which begin with a record? */
static inline int record_has_whole_request(const char *bytes, size_t len)
{
    struct record record;
    while (len >= RECORD_HEAD_SIZE && record_read(&record, bytes)) {
        size_t whole = RECORD_HEAD_SIZE + record.content + record.padding;
        if (record.type == RECORD_STDIN && record.content == 0)
            return 1;
        if (whole > len)
            return 0;
        bytes += whole;
        len -= whole;
    }
    return 0;
}

#endif
