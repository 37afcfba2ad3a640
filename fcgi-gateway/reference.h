/* reference: {a.b.c}, the same everywhere: parsed when the file is read, looked up per request.
 *
 * {order.$status} and {order.$headers.Location} are what came with a call's reply. Behind the last
 * word ":int" makes everything but a whole number count as missing.
 *
 * The first word is a path parameter, `query`, `header`, `body`, `error` (in a failure body),
 * `each` and `reply` (in a call with `each`) or the name of a call; the rest walks into the JSON,
 * by member name or element number. */
#ifndef GATEWAY_REFERENCE_H
#define GATEWAY_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/buf.h"
#include "lib/json.h"
#include "lib/request.h"
#include "lib/route.h"
#include "call.h"

#define CALLS_MAX 32 /* calls of one route: a bit each in a mask */

enum reference_root {
    REFERENCE_PARAMETER,
    REFERENCE_QUERY,
    REFERENCE_HEADER,
    REFERENCE_ERROR,
    REFERENCE_BODY,
    REFERENCE_EACH,
    REFERENCE_CALL,
    REFERENCE_CALL_STATUS,
    REFERENCE_CALL_HEADER,
};

/* Something of the request that a route refers to, for the API's description: a query parameter, a
 * header field, a member of the body (no name: all of it). */
struct reference_input {
    enum reference_root root;
    struct str name;
    bool is_int;
    struct reference_input *next;
};

/* What a reference may name at the place where it stands. */
struct reference_scope {
    struct str pattern;          /* the route's "METHOD /path/{parameter}" */
    struct str calls[CALLS_MAX]; /* empty: a name that is a mistake */
    unsigned call_count;
    struct str *left_out; /* names of calls that are too many, which is told where they stand */
    unsigned left_out_count;
    uint32_t many;                  /* a bit for every call with `each`: it has replies, not one */
    uint32_t arrays;                /* of these, those that give nothing but an array */
    bool has_error;                 /* in an error's body: {error.title} and the others */
    bool has_only_error;            /* nothing else may be referred to */
    bool has_each;                  /* in a call with `each`: the element */
    bool has_reply;                 /* in its `result`: the element's reply */
    uint32_t used;                  /* out: a bit for every call that was referred to */
    bool uses_body;                 /* out: {body...} was referred to */
    uint32_t body_node;             /* out: where it was first; 0: nowhere */
    struct reference_input *inputs; /* out: each once, in the order of their coming */
};

/* In place of a call's number: the reply of the element that `result` is written for. */
#define REFERENCE_REPLY CALLS_MAX

struct reference {
    enum reference_root root;
    unsigned call;           /* of REFERENCE_CALL..., or REFERENCE_REPLY */
    const char *name;        /* of a parameter, query parameter, header field, error member */
    const struct str *steps; /* into JSON, of REFERENCE_BODY, _EACH and _CALL */
    unsigned step_count;
    bool is_rest;    /* a path parameter with slashes in it */
    bool is_int;     /* anything but a whole number is missing */
    struct str text; /* what stands between the braces, for messages */
};

/* One call's reply, as far as references are concerned. */
struct call_reply {
    bool is_there; /* it has JSON */
    struct json json;
    const struct call *call; /* status and header fields; NULL before it has ended well */
};

/* What went wrong: what {error.*} gives. */
struct error_values {
    struct str title, message; /* the message at NULL where there is none */
    int status;
    const char *cause; /* "unreachable": error_plan.h */
};

/* What references refer to while one request is answered. */
struct reference_values {
    struct request *request;
    const struct route_match *match;
    const struct json *body;          /* the request's; NULL where no reference needs it */
    const struct call_reply *replies; /* in the order of the route's calls; NULL without calls */
    const struct error_values *error; /* NULL outside of a failure */
    const struct json *each;          /* where the element is; NULL outside of `each` */
    uint32_t element;                 /* its node */
    const struct call_reply *reply;   /* the element's; NULL outside of `result` */
};

/* Parses the text between the braces. Returns NULL, or what is wrong with it (in the arena). */
const char *reference_parse(struct str inside, struct reference_scope *scope, struct arena *arena,
    struct reference *reference);

/* Are they the same thing of a request? Header fields are, whatever their letter case. */
bool reference_input_is_same(const struct reference_input *a, const struct reference_input *b);

/* First words that mean something else than a parameter or a call: the one at `index`, or NULL
 * behind the last. */
const char *reference_reserved(unsigned index);
bool reference_is_reserved(struct str word);

/* Is `name` a parameter of the route's pattern? */
bool reference_is_parameter(struct str pattern, struct str name);

/* Appends the value as JSON. False, with nothing appended, where it is missing. */
bool reference_write_json(
    const struct reference *reference, const struct reference_values *values, struct buf *out);

/* Finds the value as text: strings without quotes, numbers and booleans as they stand. False where
 * it is missing, or null, or an object or array, which have no text. */
bool reference_text(
    const struct reference *reference, const struct reference_values *values, struct str *text);

/* Is it {call.$headers.Set-Cookie}? As a text that is the first of them. */
bool reference_is_cookie(const struct reference *reference);

/* All header fields of the reply that it refers to, which is a call's; NULL where there is none. */
const struct call_field *reference_fields(
    const struct reference *reference, const struct reference_values *values);

/* The rest of the path (is_rest) as the client sent it: in another path its slashes go on
 * separating, and what is percent-encoded goes on being none. */
struct str reference_raw_rest(
    const struct reference *reference, const struct reference_values *values);

/* Finds the value as a node of a JSON text; false where it is missing or no JSON. */
bool reference_node(const struct reference *reference, const struct reference_values *values,
    const struct json **json, uint32_t *node);

/* Can the value be an object? What is text or a number never is. */
bool reference_may_be_object(const struct reference *reference);

/* Does the value come with the request, so that the client is to blame where it is missing? */
bool reference_is_clients(const struct reference *reference);

/* Does the value come from the request's query, header section or body, where what is not there was
 * left out on purpose? */
bool reference_is_optional(const struct reference *reference);

/* "query.page is missing": for a client whose request lacks it; or it "cannot be used here", where
 * something else is there, such as an object in a path. Of an element `array` is what stands for
 * {each...}, "body.items.3"; else at NULL. In the request's arena. */
const char *reference_lack(
    const struct reference *reference, const struct reference_values *values, struct str array);

/* Is the value there, and neither null nor false? */
bool reference_is_true(const struct reference *reference, const struct reference_values *values);

#endif
