/* reply: one reply as a handler fills it.
 *
 * Usual: set header fields, give the whole body, return the status; the request loop sends it with
 * Content-Length and leaves out the body for HEAD. Streaming: set header fields, reply_start,
 * reply_write as often as needed, return the status. The request loop adds X-Request-ID to every
 * reply. */
#ifndef LIB_REPLY_H
#define LIB_REPLY_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "str.h"

struct request;
struct reply;

/* Who looks at a reply on its way, and may change it. Only of replies that are streamed: one that
 * is not is whole in the struct reply when the handler has returned. */
struct reply_tap {
    /* Status and fields are complete; it may change the fields. Returns the status to be sent. It
     * may set reply->is_withheld. */
    int (*head)(struct reply_tap *tap, struct reply *reply, int status);
    /* A piece of the body, also where nothing of it is sent (HEAD, 304, withheld). */
    void (*body)(struct reply_tap *tap, const char *bytes, size_t len);
};

struct reply {
    struct request *request;
    struct buf fields;  /* header fields, "Name: value\r\n" each */
    struct buf lasting; /* the same, which stay whatever the reply becomes */
    struct str body;    /* the whole body; must live in the request's arena or longer */
    bool is_started;    /* reply_start was called */
    bool is_broken;     /* set by reply_break: the client must see that the reply is not whole */
    bool is_bodiless;   /* HEAD, 204, 304: what is written of a body is left out */
    uint64_t sent;      /* bytes of the body that were sent */
    bool is_makeshift;  /* something in it stands in for what could not be had: not to be kept */
    bool is_withheld;   /* by the tap: nothing of what is streamed is sent, another reply will be */
    struct reply_tap *tap; /* or NULL */

    /* How the program wants its errors; the handler sets it where reply_error's own form will not
     * do. `write_error` fills the reply and returns the status; its texts live as long as the
     * request. */
    int (*write_error)(struct reply *reply, int status, const char *error, const char *message);
    const void *errors;    /* what write_error needs; the program's own */
    struct str crash_body; /* JSON for reply_crash; must outlive every request */
};

/* Adds a header field. CR, LF and NUL in name or value end the value there: nothing can be smuggled
 * in. */
void reply_field(struct reply *reply, const char *name, struct str value);

/* Takes away every field of this name that was added so far (letter case ignored). */
void reply_remove_field(struct reply *reply, const char *name);

/* The same for one that is said of the request and not of one reply to it: it stands also in the
 * error that a handler's reply may become, and reply_remove_field leaves it. */
void reply_lasting_field(struct reply *reply, const char *name, struct str value);

/* A JSON body: sets Content-Type and body. Returns `status`, so that handlers end with it. */
int reply_json(struct reply *reply, int status, struct str body);

/* {"error":"..."} or, with a message, {"error":"...","message":"..."}; or what the reply's
 * write_error makes of it. Returns `status`. */
int reply_error(struct reply *reply, int status, const char *error, const char *message);

/* 405 with Allow; `allow` as in struct route_match. */
int reply_method_not_allowed(struct reply *reply, unsigned allow);

/* Sends status and header fields now; no field can be added afterwards. False where the client has
 * gone. */
bool reply_start(struct reply *reply, int status);

/* Sends a part of the body (nothing for HEAD). False where the client has gone. It may be kept
 * until the buffer is full or reply_flush is called. */
bool reply_write(struct reply *reply, const char *bytes, size_t len);

/* Sends what is kept. */
bool reply_flush(struct reply *reply);

/* Within so many milliseconds, can more of the body be sent without waiting for the client? */
bool reply_is_ready(const struct reply *reply, int wait_ms);

/* After reply_start: cut the connection at the end, so that nobody takes the reply for whole. */
void reply_break(struct reply *reply);

/* For the request loop: an empty reply to `request`; and, after the handler, sending what was not
 * sent yet. Returns the status that the client got: 500 where the handler's is none. */
void reply_init(struct reply *reply, struct request *request);
int reply_finish(struct reply *reply, int status);

/* For the request loop, after a handler crashed: sends a whole 500 from this thread's stack alone,
 * as nothing in the request's arena can be trusted any more. Only where nothing was sent before. */
void reply_crash(struct reply *reply);

/* "Not Found" for 404; "" where the status has no name. */
const char *reply_reason(int status);

#endif
