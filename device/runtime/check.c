#include "runtime/check.h"

#include "hal/team.h"

struct ts_check_found ts_check_found;

/* Different at neighbouring places, so that moved data is seen too: the word at an aligned offset. */
static uint32_t pattern(uint32_t offset) { return offset * 0x9E3779B1u + 0x5BA7C4D3u; }

static uint8_t pattern_byte(uint32_t offset) { return (uint8_t)(pattern(offset & ~3u) >> 8 * (offset & 3u)); }

static int lives(const struct ts_check_buffer *buffer, int from, int to) {
    return buffer->first <= from && buffer->last >= to;
}

/* End of what is covered at `at` by buffers that live; `at` where nothing is. */
static uint32_t covered_to(const struct ts_check_memory *m, uint32_t at, int from, int to) {
    uint32_t end = at;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct ts_check_buffer *b = &m->buffers[i];
        if (lives(b, from, to) && b->offset <= at && b->offset + b->bytes > end) {
            end = b->offset + b->bytes;
        }
    }
    return end;
}

/* Where the next buffer that lives begins. */
static uint32_t free_to(const struct ts_check_memory *m, uint32_t at, int from, int to) {
    uint32_t end = m->bytes;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct ts_check_buffer *b = &m->buffers[i];
        if (lives(b, from, to) && b->bytes > 0 && b->offset > at && b->offset < end) {
            end = b->offset;
        }
    }
    return end;
}

static const char *name_before(const struct ts_check_memory *m, uint32_t at, int from, int to) {
    const struct ts_check_buffer *best = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct ts_check_buffer *b = &m->buffers[i];
        if (lives(b, from, to) && b->offset + b->bytes <= at && (best == 0 || b->offset > best->offset)) {
            best = b;
        }
    }
    return best == 0 ? 0 : best->name;
}

/* Fills what does not live from before layer `index` through it: buffers that begin with the layer hold
 * nothing yet. */
static void fill(uint8_t *memory, const struct ts_check_memory *m, int index) {
    for (uint32_t at = 0; at < m->bytes;) {
        uint32_t end = covered_to(m, at, index - 1, index);
        if (end > at) {
            at = end;
            continue;
        }
        end = free_to(m, at, index - 1, index);
        while (at < end) {
            if ((at & 3u) == 0 && end - at >= 4u) {
                *(uint32_t *)(void *)(memory + at) = pattern(at);
                at += 4u;
            } else {
                memory[at] = pattern_byte(at);
                at++;
            }
        }
    }
}

static void found(const char *layer, const char *memory, const struct ts_check_memory *m, uint32_t at,
                  int index) {
    if (ts_check_found.bytes++ == 0) {
        ts_check_found.layer = layer;
        ts_check_found.memory = memory;
        ts_check_found.offset = at;
        ts_check_found.before = name_before(m, at, index, index);
    }
}

static void look(const uint8_t *memory, const struct ts_check_memory *m, const char *layer, const char *name,
                 int index) {
    for (uint32_t at = 0; at < m->bytes;) {
        uint32_t end = covered_to(m, at, index, index);
        if (end > at) {
            at = end;
            continue;
        }
        end = free_to(m, at, index, index);
        while (at < end) {
            if ((at & 3u) == 0 && end - at >= 4u &&
                *(const uint32_t *)(const void *)(memory + at) == pattern(at)) {
                at += 4u;
                continue;
            }
            if (memory[at] != pattern_byte(at)) {
                found(layer, name, m, at, index);
            }
            at++;
        }
    }
}

void ts_check_before(int index, struct ts_run *run, const struct ts_check_memory *l1,
                     const struct ts_check_memory *l2) {
    ts_barrier();
    if (ts_core() == 0) {
        fill(run->l2, l2, index);
        fill(run->l1, l1, index);
    }
    ts_barrier();
}

void ts_check_after(int index, const char *name, struct ts_run *run, const struct ts_check_memory *l1,
                    const struct ts_check_memory *l2) {
    ts_barrier();
    if (ts_core() == 0) {
        look(run->l2, l2, name, "L2", index);
        look(run->l1, l1, name, "L1", index);
    }
    ts_barrier();
}
