/* lib_arena: pieces of an arena are apart, aligned, keep their bytes while they grow, and go all at
 * once. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/arena.h"
#include <string.h>

#define PIECES 400

struct piece {
    unsigned char *at;
    size_t size;
    unsigned char fill;
};

static void fill(struct piece *piece, size_t from)
{
    memset(piece->at + from, piece->fill, piece->size - from);
}

static void assert_filled(const struct piece *piece)
{
    for (size_t i = 0; i < piece->size; i++) {
        assert_int_equal(piece->at[i], piece->fill);
    }
}

/* Mostly small, at times around the sizes where a piece gets a block of its own or fills one. */
static size_t some_size(unsigned *seed)
{
    static const size_t edges[] = { 0, 1, 15, 16, 17, 4095, 4096, 4097, 16384, 100000 };
    size_t which = (size_t)rand_r(seed) % 40;

    return which < sizeof edges / sizeof *edges ? edges[which] : (size_t)rand_r(seed) % 300;
}

static void pieces_never_touch_each_other(void **state)
{
    struct arena arena;
    struct piece pieces[PIECES];
    unsigned seed = 1;

    (void)state;
    arena_init(&arena);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PIECES; i++) {
            size_t size = some_size(&seed);

            pieces[i] = (struct piece){ arena_alloc(&arena, size), size, (unsigned char)i };
            assert_int_equal((uintptr_t)pieces[i].at % 16, 0);
            fill(&pieces[i], 0);
        }
        for (int i = 0; i < PIECES; i++) {
            assert_filled(&pieces[i]);
        }
        arena_reset(&arena);
    }
    arena_clear(&arena);
}

static void growing_pieces_keep_their_bytes(void **state)
{
    struct arena arena;
    struct piece pieces[PIECES] = { { 0 } };
    unsigned seed = 2;

    (void)state;
    arena_init(&arena);
    for (int i = 0; i < PIECES; i++) {
        pieces[i].fill = (unsigned char)i;
    }
    for (int step = 0; step < PIECES * 4; step++) {
        struct piece *piece = &pieces[rand_r(&seed) % PIECES];
        size_t old_size = piece->size;

        piece->size += some_size(&seed);
        piece->at = arena_grow(&arena, piece->at, old_size, piece->size);
        assert_int_equal((uintptr_t)piece->at % 16, 0);
        fill(piece, old_size);
    }
    for (int i = 0; i < PIECES; i++) {
        assert_filled(&pieces[i]);
    }
    arena_clear(&arena);
}

static void the_newest_piece_grows_at_its_place(void **state)
{
    struct arena arena;
    char *first, *second;

    (void)state;
    arena_init(&arena);
    first = arena_alloc(&arena, 100);
    assert_ptr_equal(arena_grow(&arena, first, 100, 2000), first);
    second = arena_alloc(&arena, 10);
    assert_true(second >= first + 2000);
    assert_ptr_not_equal(arena_grow(&arena, first, 2000, 3000), first);
    arena_clear(&arena);
}

/* It leaves its usual block on the way, and gets one of its own. */
static void the_newest_piece_grows_beyond_its_block(void **state)
{
    struct arena arena;
    struct piece piece = { .fill = 0x55 };

    (void)state;
    arena_init(&arena);
    for (size_t size = 10; size < 1000000; size = size * 3 / 2) {
        size_t old_size = piece.size;

        piece.at = arena_grow(&arena, piece.at, old_size, size);
        piece.size = size;
        fill(&piece, old_size);
        assert_filled(&piece);
    }
    arena_clear(&arena);
}

static void a_reset_keeps_the_first_block(void **state)
{
    struct arena arena;
    char *first;

    (void)state;
    arena_init(&arena);
    first = arena_alloc(&arena, 100);
    arena_alloc(&arena, 1000000);
    for (int i = 0; i < 1000; i++) {
        arena_alloc(&arena, 1000);
    }
    arena_reset(&arena);
    assert_ptr_equal(arena_alloc(&arena, 100), first);
    arena_clear(&arena);
}

/* A first piece too large for the first block must not become the block that is kept. */
static void a_big_first_piece_is_not_kept(void **state)
{
    struct arena arena;
    struct arena_block *kept;

    (void)state;
    arena_init(&arena);
    arena_alloc(&arena, 1000000);
    kept = arena.first;
    arena_reset(&arena);
    assert_ptr_equal(arena.first, kept);
    assert_ptr_equal(arena.now, kept);
    arena_alloc(&arena, 16000);
    arena_clear(&arena);
}

static void an_empty_arena_can_be_reset_and_cleared(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena);
    arena_reset(&arena);
    arena_clear(&arena);
    arena_clear(&arena);
    assert_non_null(arena_alloc(&arena, 0));
    arena_clear(&arena);
    assert_null(arena.first);
}

static void zeroed_memory_is_zero_after_a_reset_too(void **state)
{
    struct arena arena;
    struct piece piece = { .size = 500, .fill = 0xAA };

    (void)state;
    arena_init(&arena);
    piece.at = arena_alloc(&arena, piece.size);
    fill(&piece, 0);
    arena_reset(&arena);
    piece.at = arena_zero(&arena, piece.size);
    piece.fill = 0;
    assert_filled(&piece);
    arena_clear(&arena);
}

static void a_copy_ends_with_a_nul(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena);
    assert_string_equal(arena_copy(&arena, "Cappuccino", 4), "Capp");
    assert_string_equal(arena_copy(&arena, NULL, 0), "");
    arena_clear(&arena);
}

/* The signal that ends a child which asks for `size` bytes, or 0. */
static int signal_of_alloc(size_t size)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct arena arena;

        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        arena_init(&arena);
        arena_alloc(&arena, size);
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void an_impossible_size_aborts(void **state)
{
    (void)state;
    assert_int_equal(signal_of_alloc(SIZE_MAX), SIGABRT);
    assert_int_equal(signal_of_alloc(SIZE_MAX - 16), SIGABRT);
    assert_int_equal(signal_of_alloc(1000), 0);
}

struct ended {
    struct ended *before; /* whoever must have ended already */
    int times;
};

static void note_end(void *thing)
{
    struct ended *ended = thing;
    assert_true(ended->before == NULL || ended->before->times > 0);
    ended->times++;
}

static void what_was_asked_for_is_called_once_at_the_end(void **state)
{
    struct arena arena;
    struct ended last = { NULL, 0 }, first = { &last, 0 }, cleared = { NULL, 0 };

    (void)state;
    arena_init(&arena);
    arena_at_end(&arena, note_end, &first);
    arena_alloc(&arena, 100000);
    arena_at_end(&arena, note_end, &last);
    assert_int_equal(first.times + last.times, 0);
    arena_reset(&arena);
    assert_int_equal(first.times, 1);
    assert_int_equal(last.times, 1);
    arena_at_end(&arena, note_end, &cleared);
    arena_clear(&arena);
    arena_clear(&arena);
    assert_int_equal(first.times + last.times + cleared.times, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_never_touch_each_other),
        cmocka_unit_test(growing_pieces_keep_their_bytes),
        cmocka_unit_test(the_newest_piece_grows_at_its_place),
        cmocka_unit_test(the_newest_piece_grows_beyond_its_block),
        cmocka_unit_test(a_reset_keeps_the_first_block),
        cmocka_unit_test(a_big_first_piece_is_not_kept),
        cmocka_unit_test(an_empty_arena_can_be_reset_and_cleared),
        cmocka_unit_test(zeroed_memory_is_zero_after_a_reset_too),
        cmocka_unit_test(a_copy_ends_with_a_nul),
        cmocka_unit_test(an_impossible_size_aborts),
        cmocka_unit_test(what_was_asked_for_is_called_once_at_the_end),
    };

    return cmocka_run_group_tests_name("lib/arena", tests, NULL, NULL);
}
