/* framing: where the body of a reply ends, and what of the bytes is its content. */
#include "framing.h"
#include "lib/text.h"

/* Digits of a length, and of a chunk's size: more would not fit into 64 bits. */
#define LENGTH_DIGITS_MAX 18
#define SIZE_DIGITS_MAX 15

/* What is expected next of a chunked body (RFC 9112 section 7.1). */
enum chunk_state {
    CHUNK_SIZE_FIRST, /* a digit at least */
    CHUNK_SIZE,
    CHUNK_BLANK,     /* behind the size: another digit would be of which size? */
    CHUNK_EXTENSION, /* up to the end of the line */
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    TRAILER_FIRST, /* the beginning of a line: another trailer field, or the end */
    TRAILER,
    TRAILER_LF,
    TRAILER_LAST_LF,
    CHUNK_OVER
};

static bool read_length(struct str digits, uint64_t *length)
{
    *length = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.at[i] < '0' || digits.at[i] > '9' || i == LENGTH_DIGITS_MAX)
            return false;
        *length = *length * 10 + (uint64_t)(digits.at[i] - '0');
    }
    return digits.len > 0;
}

/* RFC 9112 section 6.3, points 1 and 2. */
static bool has_no_body(const struct call *call)
{
    return strcmp(call->method, "HEAD") == 0 || call->status < 200 || call->status == 204 ||
           call->status == 304;
}

/* We ask for no coding but chunked, so there is no other (RFC 9112 section 6.1). A second field, or
 * a second coding, is one that we cannot take off. */
static bool is_only_chunked(const struct call *call)
{
    int count = 0;
    for (const struct call_field *field = call->first_field; field; field = field->next)
        if (str_is_nocase(field->name, "Transfer-Encoding") &&
            (++count > 1 || !str_is_nocase(field->value, "chunked")))
            return false;
    return true;
}

bool framing_begin(struct framing *framing, const struct call *call)
{
    struct str length = call_field(call, "Content-Length");
    *framing = (struct framing){ .kind = FRAMING_CLOSE };
    if (has_no_body(call)) {
        framing->kind = FRAMING_NO_BODY;
        return true;
    }
    if (call_field(call, "Transfer-Encoding").at) {
        framing->kind = FRAMING_CHUNKED;
        return is_only_chunked(call);
    }
    if (!length.at)
        return true;
    framing->kind = FRAMING_LENGTH;
    return read_length(length, &framing->left);
}

static struct str take_content(struct framing *framing, struct str *bytes)
{
    size_t len = bytes->len < framing->left ? bytes->len : (size_t)framing->left;
    struct str piece = { bytes->at, len };
    bytes->at += len;
    bytes->len -= len;
    framing->left -= len;
    return piece;
}

/* Blanks, and then nothing or an extension (RFC 9112 section 7.1.1). */
static bool take_behind_size(struct framing *framing, char c)
{
    if (c == '\r')
        framing->state = CHUNK_SIZE_LF;
    else if (c == ';')
        framing->state = CHUNK_EXTENSION;
    else if (c == ' ' || c == '\t')
        framing->state = CHUNK_BLANK;
    else
        return false;
    return ++framing->ignored <= FRAMING_IGNORED_MAX;
}

/* One character of a chunk's size. `ignored` counts its digits meanwhile. */
static bool take_size(struct framing *framing, char c)
{
    int digit = text_hex(c);
    if (digit >= 0) {
        framing->left = framing->left * 16 + (uint64_t)digit;
        framing->state = CHUNK_SIZE;
        return ++framing->ignored <= SIZE_DIGITS_MAX;
    }
    framing->ignored = 0;
    return take_behind_size(framing, c);
}

/* The character that must come now. */
static bool expect(struct framing *framing, char c, char expected, enum chunk_state next)
{
    framing->state = (int)next;
    return c == expected;
}

/* Up to the end of a line that says nothing to us; a line end in the middle of it is none. */
static bool ignore(struct framing *framing, char c, enum chunk_state at_end)
{
    if (c == '\r')
        framing->state = (int)at_end;
    return c != '\n' && ++framing->ignored <= FRAMING_IGNORED_MAX;
}

/* One character that is not content. False: it must not be there. */
static bool take_character(struct framing *framing, char c)
{
    switch ((enum chunk_state)framing->state) {
    case CHUNK_SIZE_FIRST:
        return text_hex(c) >= 0 && take_size(framing, c);
    case CHUNK_SIZE:
        return take_size(framing, c);
    case CHUNK_BLANK:
        return take_behind_size(framing, c);
    case CHUNK_EXTENSION:
        return ignore(framing, c, CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        framing->ignored = 0;
        return expect(framing, c, '\n', framing->left ? CHUNK_DATA : TRAILER_FIRST);
    case CHUNK_DATA_CR:
        return expect(framing, c, '\r', CHUNK_DATA_LF);
    case CHUNK_DATA_LF:
        return expect(framing, c, '\n', CHUNK_SIZE_FIRST);
    case TRAILER_FIRST:
        framing->state = c == '\r' ? TRAILER_LAST_LF : TRAILER;
        return c == '\r' || ignore(framing, c, TRAILER_LF);
    case TRAILER:
        return ignore(framing, c, TRAILER_LF);
    case TRAILER_LF:
        return expect(framing, c, '\n', TRAILER_FIRST);
    case TRAILER_LAST_LF:
        return expect(framing, c, '\n', CHUNK_OVER);
    case CHUNK_DATA:
    case CHUNK_OVER:
        break;
    }
    return false;
}

static enum framing_step take_chunked(struct framing *framing, struct str *bytes, struct str *piece)
{
    while (bytes->len > 0 && framing->state != CHUNK_OVER) {
        if (framing->state == CHUNK_DATA) {
            *piece = take_content(framing, bytes);
            if (framing->left == 0)
                framing->state = CHUNK_DATA_CR;
            return FRAMING_PIECE;
        }
        if (!take_character(framing, *bytes->at))
            return FRAMING_BAD;
        bytes->at++;
        bytes->len--;
    }
    return framing->state == CHUNK_OVER ? FRAMING_END : FRAMING_MORE;
}

enum framing_step framing_take(struct framing *framing, struct str *bytes, struct str *piece)
{
    switch (framing->kind) {
    case FRAMING_NO_BODY:
        return FRAMING_END;
    case FRAMING_CHUNKED:
        return take_chunked(framing, bytes, piece);
    case FRAMING_LENGTH:
        if (framing->left == 0)
            return FRAMING_END;
        break;
    case FRAMING_CLOSE:
        framing->left = UINT64_MAX;
        break;
    }
    if (bytes->len == 0)
        return FRAMING_MORE;
    *piece = take_content(framing, bytes);
    return FRAMING_PIECE;
}

bool framing_is_ended_by_close(const struct framing *framing)
{
    return framing->kind == FRAMING_CLOSE;
}
