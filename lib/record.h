/* record: the bytes that FastCGI is made of (FastCGI 1.0, sections 3.3 and 3.4). */
#ifndef LIB_RECORD_H
#define LIB_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#define RECORD_HEAD_SIZE 8
#define RECORD_BODY_SIZE 8 /* of the content of a record that begins, ends or rejects a request */
#define RECORD_CONTENT_MAX 65528 /* the longest content that needs no padding */

enum record_type {
    RECORD_BEGIN = 1,
    RECORD_ABORT = 2,
    RECORD_END = 3,
    RECORD_PARAMS = 4,
    RECORD_STDIN = 5,
    RECORD_STDOUT = 6,
    RECORD_VALUES = 9,
    RECORD_VALUES_RESULT = 10,
    RECORD_UNKNOWN = 11,
};

/* Of the record that ends a request. */
enum record_status { RECORD_COMPLETE = 0, RECORD_NO_SECOND = 1, RECORD_NO_ROLE = 3 };

/* What a record's head says. */
struct record {
    unsigned type; /* a record_type, or any other number */
    unsigned id;   /* of the request; 0: of none */
    size_t content, padding;
};

/* Reads RECORD_HEAD_SIZE bytes. False where they are no record of this version. */
bool record_read(struct record *record, const char *head);

/* Each writes the whole head, or record, and returns what is behind it. */
char *record_put_head(char *to, enum record_type type, unsigned id, size_t content);
char *record_put_end(char *to, unsigned id, enum record_status status);

/* Does this content begin a request for a responder? */
bool record_is_responder(const char *content);

/* Makes of the name-value pairs in `bytes` CGI variables "NAME=value", in place; the byte behind
 * them is overwritten. `take` gets each of them. False where the pairs are no such pairs. */
bool record_variables(
    char *bytes, size_t len, bool (*take)(void *context, char *variable), void *context);

#endif
