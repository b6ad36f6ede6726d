#include "run/memory_use.h"

#include <string.h>

#include "base/random.h"

enum { PIECE_BYTES = 65536 };

/* A memory from here to there: at addresses of the cluster, or on the L3 bus. */
typedef struct stretch {
    ts_sim *sim;
    bool on_l3;
    uint64_t begin, end;
} stretch;

/* The colours are those of a seeded generator, so that no run of bytes that a network writes looks unwritten.
 */
static void make_paint(uint64_t place, uint8_t *piece, size_t bytes) {
    ts_random random = ts_random_seed(place);
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word = ts_random_next(&random);
        memcpy(piece + i, &word, bytes - i < 8 ? bytes - i : 8);
    }
}

static size_t piece_at(const stretch *s, uint64_t at) {
    return s->end - at < PIECE_BYTES ? (size_t)(s->end - at) : PIECE_BYTES;
}

static void paint(ts_arena *arena, const stretch *s) {
    ts_diags diags = {.arena = arena};
    uint8_t *piece = ts_arena_alloc(arena, PIECE_BYTES);
    for (uint64_t at = s->begin; at < s->end; at += PIECE_BYTES) {
        size_t bytes = piece_at(s, at);
        make_paint(at, piece, bytes);
        bool painted = s->on_l3 ? ts_sim_l3_write(s->sim, at, piece, bytes, &diags) == TS_OK
                                : ts_sim_write(s->sim, (uint32_t)at, piece, bytes);
        TS_ASSERT(painted, "memory use: paint");
    }
}

/* Bytes from the beginning to the last word that lost its colour: a byte alone may be written with the colour
 * that it has. */
static uint64_t touched(ts_arena *arena, const stretch *s) {
    ts_diags diags = {.arena = arena};
    uint8_t *piece = ts_arena_alloc(arena, PIECE_BYTES), *colour = ts_arena_alloc(arena, PIECE_BYTES);
    uint64_t end = 0;
    for (uint64_t at = s->begin; at < s->end; at += PIECE_BYTES) {
        size_t bytes = piece_at(s, at);
        make_paint(at, colour, bytes);
        bool taken = s->on_l3 ? ts_sim_l3_read(s->sim, at, piece, bytes, &diags) == TS_OK
                              : ts_sim_read(s->sim, (uint32_t)at, piece, bytes);
        TS_ASSERT(taken, "memory use: read");
        size_t differs = bytes;
        while (differs > 0 && piece[differs - 1] == colour[differs - 1]) {
            differs--;
        }
        end = differs > 0 ? at - s->begin + differs : end;
    }
    return (end + 3) / 4 * 4;
}

/* Between two symbols of the program; empty where it lacks them. */
static stretch between(ts_sim *sim, const char *begin, const char *end) {
    uint32_t from = 0, to = 0;
    bool found = ts_sim_symbol(sim, begin, &from) && ts_sim_symbol(sim, end, &to) && from <= to;
    return (stretch){.sim = sim, .begin = found ? from : 0, .end = found ? to : 0};
}

/* What is written of L3 lies behind the image, or in another memory. */
static uint64_t image_before(const ts_target *target, uint64_t image_bytes) {
    return ts_target_weights_apart(target) ? 0 : image_bytes;
}

static stretch l3_behind(ts_sim *sim, const ts_target *target, uint64_t image_bytes) {
    const ts_memory *l3 = ts_target_level(target, 3);
    uint64_t base = l3 == NULL ? 0 : l3->base, size = l3 == NULL ? 0 : l3->size_bytes;
    uint64_t begin = image_bytes < size ? image_bytes : size;
    return (stretch){.sim = sim, .on_l3 = true, .begin = base + begin, .end = base + size};
}

void ts__paint_memories(ts_sim *sim, const ts_target *target, uint64_t image_bytes) {
    ts_arena *scratch = ts_arena_new("paint", 0);
    const stretch stretches[] = {between(sim, "pulp_l1_begin", "pulp_l1_end"),
                                 between(sim, "pulp_l2_begin", "pulp_l2_end"),
                                 l3_behind(sim, target, image_before(target, image_bytes))};
    for (size_t i = 0; i < sizeof stretches / sizeof stretches[0]; i++) {
        paint(scratch, &stretches[i]);
    }
    ts_arena_free(scratch);
}

void ts__measure_memories(ts_sim *sim, const ts_target *target, uint64_t image_bytes, ts_memory_use *use) {
    ts_arena *scratch = ts_arena_new("paint", 0);
    const ts_memory *l2_memory = ts_target_level(target, 2);
    stretch l1 = between(sim, "pulp_l1_begin", "pulp_l1_end"),
            l2 = between(sim, "pulp_l2_begin", "pulp_l2_end");
    stretch l3 = l3_behind(sim, target, image_before(target, image_bytes));
    uint64_t written = touched(scratch, &l3);
    *use = (ts_memory_use){.measured = true,
                           .l1_bytes = touched(scratch, &l1),
                           .l2_bytes = touched(scratch, &l2),
                           .l3_bytes = image_before(target, image_bytes) + written,
                           .l1_given_bytes = l1.end - l1.begin,
                           .l2_given_bytes = l2.end - l2.begin,
                           .program_bytes = l2_memory == NULL ? 0 : l2.begin - l2_memory->base};
    ts_arena_free(scratch);
}
