/* balance: which server of an upstream gets a call.
 *
 * First who may have it at all: those that are not out, of them those that this request has not
 * tried, of them, by chance, as many of those in a ramp as their share says. Then one of them, as
 * the kind says. Why a server is out is server.c's business.
 */
#include "balance.h"

/* Differences of response times below this are noise, and a server of which nothing is known is not
 * infinitely fast. */
#define AVERAGE_MIN_US 1000

struct candidate {
    int index;
    struct server *server;
    double weight; /* of the server, less in its ramp */
    double share;
};

/* Where a choice is made, `count` is more than 0. */
struct candidates {
    struct candidate at[SERVERS_MAX];
    int count;
};

static void add(struct candidates *candidates, struct server_list list, int index, double share)
{
    struct server *server = list.at[index];
    candidates->at[candidates->count++] =
        (struct candidate){ index, server, server->weight * share, share };
}

static bool is_tried(uint64_t tried, int index)
{
    return tried >> index & 1;
}

static void find_usable(struct candidates *candidates, const struct balance_settings *settings,
    struct server_list list, uint64_t tried, bool is_unsafe, long long now_us)
{
    candidates->count = 0;
    for (int i = 0; i < list.count && i < SERVERS_MAX; i++) {
        double share = server_share(list.at[i], &settings->servers, now_us);
        if (is_unsafe && server_wants_safe(list.at[i], &settings->servers, now_us))
            share = 0;
        if (share > 0 && !is_tried(tried, i))
            add(candidates, list, i, share);
    }
}

static void find_undrained(struct candidates *candidates, struct server_list list, uint64_t tried)
{
    candidates->count = 0;
    for (int i = 0; i < list.count && i < SERVERS_MAX; i++)
        if (!list.at[i]->is_draining && !is_tried(tried, i))
            add(candidates, list, i, 1);
}

/* Smooth weighted round robin, as nginx has it: everybody's turn comes nearer by its weight; who is
 * nearest goes, and back by the sum. A server that was out for long has missed its turns. */
static const struct candidate *in_turn(const struct candidates *candidates)
{
    const struct candidate *best = &candidates->at[0];
    double sum = 0;
    for (int i = 0; i < candidates->count; i++) {
        const struct candidate *one = &candidates->at[i];
        one->server->turn += one->weight;
        sum += one->weight;
        if (one->server->turn > best->server->turn)
            best = one;
    }
    best->server->turn -= sum;
    return best;
}

/* Leaves of those in a ramp as many as their share says; but somebody must be left. */
static void thin_out(struct candidates *candidates, double draw)
{
    int left = 0;
    double most = 0;
    for (int i = 0; i < candidates->count; i++)
        if (candidates->at[i].share > most)
            most = candidates->at[i].share;
    for (int i = 0; i < candidates->count; i++)
        if (candidates->at[i].share > draw * most)
            candidates->at[left++] = candidates->at[i];
    candidates->count = left;
}

/* How long a call would take there, roughly. One that is on trial gets its one call: what was under
 * way when it went out says nothing of it. */
static double expected_us(
    const struct candidate *one, const struct server_settings *settings, long long now_us)
{
    if (server_state(one->server, settings, now_us) == SERVER_TRIAL)
        return 0;
    return (server_average(one->server, settings, now_us) + AVERAGE_MIN_US) *
           (one->server->under_way + 1) / one->server->weight;
}

/* The better of two at random: nearly as good as the best of all, and those who choose at the same
 * time do not all choose the same. */
static const struct candidate *of_two(struct candidates *candidates, const double *draws,
    const struct server_settings *settings, long long now_us)
{
    const struct candidate *one, *other;
    int first, second;
    thin_out(candidates, draws[0]);
    first = (int)(draws[1] * candidates->count);
    one = &candidates->at[first];
    if (candidates->count == 1)
        return one;
    second = (int)(draws[2] * (candidates->count - 1));
    other = &candidates->at[second + (second >= first)];
    return expected_us(other, settings, now_us) < expected_us(one, settings, now_us) ? other : one;
}

/* splitmix64's last step: every bit of the input changes half of those of the output. */
static uint64_t mix(uint64_t bits)
{
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
    return bits ^ bits >> 31;
}

/* -ln(bits / 2^64), to six digits: the series of artanh. It saves libm, and is the same
 * everywhere. */
static double minus_ln(uint64_t bits)
{
    bits |= 1;
    int zeros = __builtin_clzll(bits);
    double mantissa = (double)(bits << zeros) / 9223372036854775808.0; /* 2^63: 1 to 2 */
    double x = (mantissa - 1) / (mantissa + 1), square = x * x;
    double ln =
        2 * x *
        (1 + square * (1.0 / 3 + square * (1.0 / 5 + square * (1.0 / 7 + square * (1.0 / 9)))));
    return 0.6931471805599453 * (zeros + 1) - ln;
}

/* Rendezvous hashing: for each key every server draws its lot, and the best one has the key. Where
 * that one is out, the next best: nobody else's keys move. Lots are exponentially distributed, so
 * that who has twice the weight wins twice as often. */
static const struct candidate *by_key(const struct candidates *candidates, uint64_t key)
{
    const struct candidate *best = &candidates->at[0];
    double best_lot = 0;
    for (int i = 0; i < candidates->count; i++) {
        const struct candidate *one = &candidates->at[i];
        double lot = minus_ln(mix(key ^ mix(one->server->hash))) / one->weight;
        if (i == 0 || lot < best_lot) {
            best = one;
            best_lot = lot;
        }
    }
    return best;
}

/* All are out: whichever. */
static int choose_among_the_sick(
    struct candidates *candidates, struct server_list list, const struct balance_question *question)
{
    if (!question->must_try && question->draws[0] >= BALANCE_PANIC_SHARE)
        return -1;
    find_undrained(candidates, list, question->tried);
    if (candidates->count == 0)
        find_undrained(candidates, list, 0);
    if (candidates->count == 0)
        return -1;
    return candidates->at[(int)(question->draws[1] * candidates->count)].index;
}

int balance_choose(const struct balance_settings *settings, struct server_list list,
    const struct balance_question *question, long long now_us)
{
    struct candidates candidates;
    find_usable(&candidates, settings, list, question->tried, question->is_unsafe, now_us);
    if (candidates.count == 0)
        find_usable(&candidates, settings, list, question->tried, false, now_us);
    if (candidates.count == 0)
        find_usable(&candidates, settings, list, 0, false, now_us);
    if (candidates.count == 0)
        return choose_among_the_sick(&candidates, list, question);
    switch (settings->kind) {
    case BALANCE_ROUND_ROBIN:
        return in_turn(&candidates)->index;
    case BALANCE_HASH:
        return by_key(&candidates, question->key)->index;
    default:
        return of_two(&candidates, question->draws, &settings->servers, now_us)->index;
    }
}

/* FNV-1a, and mixed: addresses differ in few of their last bits. */
uint64_t balance_hash(struct str text)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.at[i]) * 0x100000001b3;
    return mix(hash);
}
