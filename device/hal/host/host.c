/* The HAL on the host: see team_impl.h and dma_impl.h. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hal/dma.h"
#include "hal/team.h"

static __thread uint32_t core;
static uint32_t cores = 1;
static pthread_barrier_t barrier;

uint32_t ts_core(void) { return core; }

uint32_t ts_cores(void) { return cores; }

void ts_barrier(void) {
    if (cores > 1) {
        pthread_barrier_wait(&barrier);
    }
}

struct member {
    uint32_t core;
    void (*work)(void *argument);
    void *argument;
};

static void *member_main(void *argument) {
    struct member *member = argument;
    core = member->core;
    member->work(member->argument);
    return NULL;
}

int ts_host_team(uint32_t count, void (*work)(void *argument), void *argument) {
    enum { MOST = 16 };
    pthread_t threads[MOST];
    struct member members[MOST];
    if (count < 1 || count > MOST) {
        return 1;
    }
    cores = count;
    if (count > 1 && pthread_barrier_init(&barrier, NULL, count) != 0) {
        return 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        members[i] = (struct member){i, work, argument};
        if (i > 0 && pthread_create(&threads[i], NULL, member_main, &members[i]) != 0) {
            return 1;
        }
    }
    member_main(&members[0]);
    for (uint32_t i = 1; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    if (count > 1) {
        pthread_barrier_destroy(&barrier);
    }
    return 0;
}

/* A copy of planes x lines x line_bytes, strided on both sides. */
struct transfer {
    ts_ticket ticket;
    uint8_t *to;
    const uint8_t *from;
    uint32_t planes, lines, line_bytes;
    uint32_t to_plane, to_stride, from_plane, from_stride;
};

/* Transfers under way, oldest first. */
struct queue {
    const char *name;
    struct transfer list[64];
    uint32_t count;
    ts_ticket next;
};

/* The two directions between L1 and L2 are independent: the lowest bit of a ticket tells them apart. */
static struct queue dma_out = {.name = "L1 to L2"}, dma_in = {.name = "L2 to L1", .next = 1};
static struct queue l3 = {.name = "L2-L3"};
static int copy_at_start;

struct span {
    uint8_t *base;
    uint32_t bytes;
};
static struct span l1_span, l2_span, l3_span;

void ts_host_dma_early(int early) { copy_at_start = early; }

void ts_host_memory(uint8_t *l1, uint32_t l1_bytes, uint8_t *l2, uint32_t l2_bytes, uint8_t *l3_memory,
                    uint32_t l3_bytes) {
    l1_span = (struct span){l1, l1_bytes};
    l2_span = (struct span){l2, l2_bytes};
    l3_span = (struct span){l3_memory, l3_bytes};
}

static void fail(const char *what, const char *name) {
    fprintf(stderr, "host HAL: %s transfer %s\n", name, what);
    exit(3);
}

static void check_span(const struct span *span, const uint8_t *at, uint64_t bytes, const char *name) {
    if (at < span->base || bytes > span->bytes || (uint64_t)(at - span->base) > span->bytes - bytes) {
        fail("leaves its memory", name);
    }
}

static uint64_t extent(uint32_t planes, uint32_t plane, uint32_t lines, uint32_t stride, uint32_t line) {
    return planes == 0 || lines == 0 ? 0
                                     : (uint64_t)(planes - 1) * plane + (uint64_t)(lines - 1) * stride + line;
}

static void copy(const struct transfer *t) {
    for (uint32_t plane = 0; plane < t->planes; plane++) {
        for (uint32_t line = 0; line < t->lines; line++) {
            memcpy(t->to + plane * t->to_plane + line * t->to_stride,
                   t->from + plane * t->from_plane + line * t->from_stride, t->line_bytes);
        }
    }
}

static ts_ticket start(struct queue *queue, struct transfer t) {
    if (core != 0) {
        fail("was started by another core than 0", queue->name);
    }
    if (queue->count == sizeof queue->list / sizeof queue->list[0]) {
        fail("is one too many: earlier ones were never waited for", queue->name);
    }
    t.ticket = queue->next;
    queue->next += 2;
    if (copy_at_start) {
        copy(&t);
    }
    queue->list[queue->count++] = t;
    return t.ticket;
}

/* Transfers complete in order: all up to this one are carried out, and this one is forgotten. */
static void finish(struct queue *queue, ts_ticket ticket) {
    uint32_t at = 0;
    while (at < queue->count && queue->list[at].ticket != ticket) {
        at++;
    }
    if (at == queue->count) {
        fail("is waited for but was never started, or twice", queue->name);
    }
    for (uint32_t i = 0; i <= at && !copy_at_start; i++) {
        copy(&queue->list[i]);
        queue->list[i].planes = 0;
    }
    memmove(&queue->list[at], &queue->list[at + 1], (queue->count - at - 1) * sizeof queue->list[0]);
    queue->count--;
}

static ts_ticket block(uint8_t *l1, uint32_t l1_stride, uint8_t *l2, uint32_t lines, uint32_t line_bytes,
                       uint32_t l2_stride, uint32_t planes, uint32_t l2_plane, int in) {
    struct queue *queue = in ? &dma_in : &dma_out;
    uint32_t l1_plane = lines * l1_stride;
    check_span(&l1_span, l1, extent(planes, l1_plane, lines, l1_stride, line_bytes), queue->name);
    check_span(&l2_span, l2, extent(planes, l2_plane, lines, l2_stride, line_bytes), queue->name);
    struct transfer t = {.planes = planes, .lines = lines, .line_bytes = line_bytes};
    if (in) {
        t.to = l1, t.to_stride = l1_stride, t.to_plane = l1_plane;
        t.from = l2, t.from_stride = l2_stride, t.from_plane = l2_plane;
    } else {
        t.from = l1, t.from_stride = l1_stride, t.from_plane = l1_plane;
        t.to = l2, t.to_stride = l2_stride, t.to_plane = l2_plane;
    }
    return start(queue, t);
}

ts_ticket ts_dma_in_1d(void *l1, const void *l2, uint32_t bytes) {
    return block(l1, bytes, (uint8_t *)l2, 1, bytes, bytes, 1, bytes, 1);
}

ts_ticket ts_dma_out_1d(void *l2, const void *l1, uint32_t bytes) {
    return block((uint8_t *)l1, bytes, l2, 1, bytes, bytes, 1, bytes, 0);
}

ts_ticket ts_dma_in_2d(void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                       uint32_t l2_stride_bytes) {
    return block(l1, line_bytes, (uint8_t *)l2, lines, line_bytes, l2_stride_bytes, 1, 0, 1);
}

ts_ticket ts_dma_out_2d(void *l2, const void *l1, uint32_t lines, uint32_t line_bytes,
                        uint32_t l2_stride_bytes) {
    return block((uint8_t *)l1, line_bytes, l2, lines, line_bytes, l2_stride_bytes, 1, 0, 0);
}

ts_ticket ts_dma_in_3d(void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                       uint32_t l2_stride_bytes, uint32_t planes, uint32_t l2_plane_bytes) {
    return block(l1, line_bytes, (uint8_t *)l2, lines, line_bytes, l2_stride_bytes, planes, l2_plane_bytes,
                 1);
}

ts_ticket ts_dma_out_3d(void *l2, const void *l1, uint32_t lines, uint32_t line_bytes,
                        uint32_t l2_stride_bytes, uint32_t planes, uint32_t l2_plane_bytes) {
    return block((uint8_t *)l1, line_bytes, l2, lines, line_bytes, l2_stride_bytes, planes, l2_plane_bytes,
                 0);
}

ts_ticket ts_dma_in_rows(void *l1, uint32_t l1_stride_bytes, const void *l2, uint32_t lines,
                         uint32_t line_bytes, uint32_t l2_stride_bytes) {
    return block(l1, l1_stride_bytes, (uint8_t *)l2, lines, line_bytes, l2_stride_bytes, 1, 0, 1);
}

void ts_dma_wait(ts_ticket ticket) { finish(ticket & 1u ? &dma_in : &dma_out, ticket); }

static ts_ticket l3_start(uint8_t *l2, uint32_t l3_at, uint32_t bytes, int in) {
    if (l3.count >= TS_L3_QUEUE) {
        fail("is one too many for the queue", l3.name);
    }
    check_span(&l2_span, l2, bytes, l3.name);
    check_span(&l3_span, l3_span.base + l3_at, bytes, l3.name);
    struct transfer t = {.planes = 1, .lines = 1, .line_bytes = bytes};
    t.to = in ? l2 : l3_span.base + l3_at;
    t.from = in ? l3_span.base + l3_at : l2;
    return start(&l3, t);
}

ts_ticket ts_l3_read(void *l2, uint32_t l3_at, uint32_t bytes) { return l3_start(l2, l3_at, bytes, 1); }

ts_ticket ts_l3_write(uint32_t l3_at, const void *l2, uint32_t bytes) {
    return l3_start((uint8_t *)l2, l3_at, bytes, 0);
}

void ts_l3_wait(ts_ticket ticket) { finish(&l3, ticket); }

/* Late copies happen when they are waited for, so they are never done before. */
int ts_l3_done(ts_ticket ticket) {
    (void)ticket;
    return copy_at_start;
}

void ts_l3_poll(void) {}

uint32_t ts_l3_room(void) { return TS_L3_QUEUE - l3.count; }

uint32_t ts_host_dma_pending(void) { return dma_in.count + dma_out.count; }

uint32_t ts_host_l3_pending(void) { return l3.count; }
