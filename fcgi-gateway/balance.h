/* balance: which server of an upstream gets a call. */
#ifndef GATEWAY_BALANCE_H
#define GATEWAY_BALANCE_H

#include "lib/str.h"
#include "server.h"

enum balance_kind {
    BALANCE_ROUND_ROBIN, /* in turn, as often as their weights say, evenly mixed */
    BALANCE_LEAST_TIME,  /* of two at random the one that is likely to answer sooner */
    BALANCE_HASH,        /* the same key to the same server; few keys move when servers change */
};

/* Where all servers are out, this share of the calls still tries one: nothing stays dead because we
 * say so. More would be a load on the sick, less would not be noticed. */
#define BALANCE_PANIC_SHARE 0.1

struct balance_settings {
    enum balance_kind kind;
    struct server_settings servers;
};

#define BALANCE_DRAWS 3

struct balance_question {
    uint64_t key;                /* for BALANCE_HASH: balance_hash of the reference's text */
    uint64_t tried;              /* bit i: this request has tried server i, others come first */
    bool is_unsafe;              /* no trial of a sick server, as long as something else may be */
    bool must_try;               /* the breaker's probe: few enough, none is refused */
    double draws[BALANCE_DRAWS]; /* random, each 0 <= draw < 1 */
};

/* The place in the list of the server to call, or -1: all are out (or draining) and this call is
 * not among those that still try. The upstream's mutex is held, until server_begin has been
 * called for that server. */
int balance_choose(const struct balance_settings *settings, struct server_list list,
    const struct balance_question *question, long long now_us);

/* Of a key's text, or of a server's address. The same in every process and on every machine. */
uint64_t balance_hash(struct str text);

#endif
