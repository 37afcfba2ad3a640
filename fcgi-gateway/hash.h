/* hash: keyed hash of a text (SipHash-2-4), for tables whose keys come from clients. */
#ifndef GATEWAY_HASH_H
#define GATEWAY_HASH_H

#include <stdint.h>
#include "lib/str.h"

/* Random, so that nobody can choose texts that fall into one chain of a table. */
struct hash_seed {
    uint64_t k0, k1;
};

/* A seed from the kernel. */
struct hash_seed hash_seed_new(void);

uint64_t hash_text(struct hash_seed seed, struct str text);

#endif
