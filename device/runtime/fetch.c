#include "runtime/fetch.h"

#include "runtime/network.h"

/* Room in the queue that is left to the stripes of activations, which nobody should wait for. */
enum { KEPT = 3 };

/* At once: kernels wait for core 0, and the bus has enough to do. */
enum { MOST_STARTS = 2 };

static void look_ahead(struct ts_fetching *f) {
    f->next_step = f->started < f->count ? f->list[f->started].step : UINT32_MAX;
}

static void start(struct ts_run *run) {
    struct ts_fetching *f = &run->fetching;
    const struct ts_fetch *next = &f->list[f->started];
    f->tickets[f->started++ % TS_FETCHES_UNDER_WAY] =
        ts_l3_read(run->l2 + next->to, f->weights + next->from, next->bytes);
    look_ahead(f);
}

void ts_fetch_begin(struct ts_run *run, const struct ts_fetch *list, uint32_t count, uint32_t weights) {
    struct ts_fetching *f = &run->fetching;
    f->list = list;
    f->count = count;
    f->weights = weights;
    f->step = f->started = f->arrived = f->awaited = 0;
    look_ahead(f);
    if (f->next_step == 0) {
        start(run);
    }
}

static void await_next(struct ts_fetching *f) { ts_l3_wait(f->tickets[f->arrived++ % TS_FETCHES_UNDER_WAY]); }

void ts_fetch_poll(struct ts_run *run) {
    struct ts_fetching *f = &run->fetching;
    ts_l3_poll();
    while (f->arrived < f->started && ts_l3_done(f->tickets[f->arrived % TS_FETCHES_UNDER_WAY])) {
        await_next(f);
    }
    for (uint32_t n = 0; n < MOST_STARTS && f->next_step <= f->step &&
                         f->started - f->arrived < TS_FETCHES_UNDER_WAY && ts_l3_room() > KEPT;
         n++) {
        start(run);
    }
}

void ts_fetch_step(struct ts_run *run, uint32_t step) {
    run->fetching.step = step;
    ts_fetch_poll(run);
}

void ts_fetch_wait(struct ts_run *run) {
    struct ts_fetching *f = &run->fetching;
    uint32_t wanted = ++f->awaited;
    while (f->started < wanted) {
        start(run);
    }
    while (f->arrived < wanted) {
        await_next(f);
    }
}
