/* hash: keyed hash of a text (SipHash-2-4, Aumasson and Bernstein 2012), for tables whose keys come
 * from clients.
 */
#include "hash.h"
#include <sys/random.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_rounds(struct sip *s, int rounds)
{
    while (rounds-- > 0) {
        s->v0 += s->v1;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

static void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_rounds(s, 2);
    s->v0 ^= word;
}

/* Up to 8 bytes, the first one lowest. */
static uint64_t read_word(const char *at, size_t len)
{
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return word;
}

uint64_t hash_text(struct hash_seed seed, struct str text)
{
    struct sip s = { seed.k0 ^ UINT64_C(0x736f6d6570736575), seed.k1 ^ UINT64_C(0x646f72616e646f6d),
        seed.k0 ^ UINT64_C(0x6c7967656e657261), seed.k1 ^ UINT64_C(0x7465646279746573) };
    size_t at = 0;
    for (; text.len - at >= 8; at += 8)
        sip_word(&s, read_word(text.at + at, 8));
    sip_word(&s, (uint64_t)text.len << 56 | read_word(text.at + at, text.len - at));
    s.v2 ^= 0xff;
    sip_rounds(&s, 4);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

struct hash_seed hash_seed_new(void)
{
    struct hash_seed seed = { 0 };
    /* It cannot fail for so few bytes but before the kernel has any; then no seed is no harm. */
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed.k0 = (uint64_t)(uintptr_t)&seed;
    return seed;
}
