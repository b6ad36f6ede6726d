/* SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND: how converters write a dilated convolution. Element
 * (b, i) of an axis that is dealt out over `block` batches is element i block + b of the padded axis, so a
 * convolution without padding of all batches is one of the padded whole with dilation `block`. A tensor in
 * between stands for that whole: it has a batch of 1, the whole's dimensions, and `spread`. */
#include <string.h>

#include "model/tflite_internal.h"

enum { MOST = 4 };

/* Of each axis of the file: over how many batches it is dealt out, and its padding before that. */
struct tfl_spread {
    uint32_t block[MOST], before[MOST], behind[MOST];
};

/* The shape that the file gives the tensor; false where an axis cannot be dealt out evenly. */
static bool file_dims(const tfl_tensor *x, const struct tfl_spread *s, uint32_t dims[MOST]) {
    uint64_t batch = 1;
    for (uint32_t i = 1; i < x->rank; i++) {
        uint64_t whole = (uint64_t)x->dims[i] + s->before[i] + s->behind[i];
        batch *= s->block[i];
        if (whole % s->block[i] != 0 || whole > TS_MAX_ELEMENTS || batch > TS_MAX_ELEMENTS) {
            return false;
        }
        dims[i] = (uint32_t)(whole / s->block[i]);
    }
    dims[0] = (uint32_t)batch;
    return true;
}

static bool has_dims(const tfl_tensor *y, uint32_t rank, const uint32_t *dims) {
    return y->rank == rank && memcmp(y->dims, dims, rank * sizeof *dims) == 0;
}

/* y is that whole. */
static void stand_for(tfl_tensor *y, uint32_t rank, const uint32_t *dims, struct tfl_spread *s) {
    y->rank = rank;
    memcpy(y->dims, dims, rank * sizeof *dims);
    y->elements = 1;
    for (uint32_t i = 0; i < rank; i++) {
        y->elements *= dims[i];
    }
    y->spread = s;
}

/* Blocks, and two numbers of each of the axes behind the batch. */
static ts_status read_blocks(tfl *t, const tfl_op *o, const tfl_tensor *x, struct tfl_spread *s) {
    ts_flat_vector blocks, pairs;
    TS_TRY(ts__tfl_numbers_at(t, o, 1, MOST, &blocks));
    TS_TRY(ts__tfl_numbers_at(t, o, 2, 2 * MOST, &pairs));
    bool served = x->rank >= 3 && x->rank <= MOST && blocks.count + 2 == x->rank &&
                  pairs.count == 2 * blocks.count && x->dims[0] == 1;
    for (uint32_t i = 0; i < MOST; i++) {
        s->block[i] = 1;
    }
    for (uint32_t i = 0; served && i < blocks.count; i++) {
        int32_t block = ts__flat_i32(blocks, i), before = ts__flat_i32(pairs, 2 * i),
                behind = ts__flat_i32(pairs, 2 * i + 1);
        served = block >= 1 && block <= MAX_WINDOW && before >= 0 && behind >= 0 && before <= MAX_WINDOW &&
                 behind <= MAX_WINDOW;
        s->block[1 + i] = (uint32_t)block;
        s->before[1 + i] = (uint32_t)before;
        s->behind[1 + i] = (uint32_t)behind;
    }
    return served ? TS_OK
                  : TFL_FAIL(TS_DIAG_UNSUPPORTED,
                             "blocks and paddings of rows and columns up to %d, around "
                             "convolutions of a batch of 1, are served",
                             MAX_WINDOW);
}

ts_status ts__tfl_spread(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y) {
    struct tfl_spread *s = TS_NEW(t->scratch, struct tfl_spread);
    uint32_t dims[MOST];
    TS_TRY(read_blocks(t, o, x, s));
    if (!file_dims(x, s, dims)) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its blocks do not divide its padded input");
    }
    if (!has_dims(y, x->rank, dims)) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its output has not the shape of its blocks");
    }
    stand_for(y, x->rank, x->dims, s);
    return TS_OK;
}

/* What stands from `at` on moves back by one place, and `value` comes to stand there; or it moves to the
 * front. */
static void insert(uint32_t *dims, uint32_t at, uint32_t value) {
    memmove(dims + at + 1, dims + at, (MOST - 1 - at) * sizeof *dims);
    dims[at] = value;
}

static void drop(uint32_t *dims, uint32_t at) {
    memmove(dims + at, dims + at + 1, (MOST - 1 - at) * sizeof *dims);
}

ts_status ts__tfl_spread_reshape(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y) {
    struct tfl_spread *s = TS_NEW(t->scratch, struct tfl_spread);
    bool longer = y->rank == x->rank + 1, fits = false;
    for (uint32_t at = 1; at < MOST && !fits && (longer || y->rank + 1 == x->rank); at++) {
        uint32_t dims[MOST] = {0}, whole[MOST] = {0};
        *s = *x->spread;
        memcpy(whole, x->dims, x->rank * sizeof *whole);
        if (y->rank > MOST || at + !longer >= x->rank || !file_dims(x, s, dims) ||
            (!longer && (dims[at] != 1 || s->block[at] != 1 || whole[at] != 1))) {
            continue;
        }
        uint32_t *const lists[5] = {dims, whole, s->block, s->before, s->behind};
        for (uint32_t i = 0; i < 5; i++) {
            if (longer) {
                insert(lists[i], at, i < 3);
            } else {
                drop(lists[i], at);
            }
        }
        fits = has_dims(y, y->rank, dims);
        if (fits) {
            stand_for(y, y->rank, whole, s);
        }
    }
    return fits ? TS_OK
                : TFL_FAIL(TS_DIAG_UNSUPPORTED,
                           "between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND an axis of "
                           "one element may come or go");
}

ts_status ts__tfl_spread_window(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y, ts_window *w) {
    struct tfl_spread *s = TS_NEW(t->scratch, struct tfl_spread);
    const struct tfl_spread *from = x->spread;
    if ((w->pad_top | w->pad_left | w->pad_bottom | w->pad_right) != 0 || w->stride_h != 1 ||
        w->stride_w != 1 || w->dilation_h != 1 || w->dilation_w != 1 || x->rank != MOST || y->rank != MOST) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED,
                        "between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND convolutions "
                        "without padding, strides and dilations are served");
    }
    w->dilation_h = from->block[1];
    w->dilation_w = from->block[2];
    w->pad_top = from->before[1];
    w->pad_left = from->before[2];
    w->pad_bottom = from->behind[1];
    w->pad_right = from->behind[2];
    *s = (struct tfl_spread){.block = {1, from->block[1], from->block[2], 1}};
    tfl_tensor whole = {.rank = MOST};
    uint32_t dims[MOST];
    whole.dims[0] = 1;
    whole.dims[1] = ts_window_out(x->dims[1], w->kernel_h, 1, w->dilation_h, w->pad_top, w->pad_bottom);
    whole.dims[2] = ts_window_out(x->dims[2], w->kernel_w, 1, w->dilation_w, w->pad_left, w->pad_right);
    whole.dims[3] = y->dims[3];
    if (!file_dims(&whole, s, dims) || !has_dims(y, MOST, dims)) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its output has another shape than its windows");
    }
    stand_for(y, MOST, whole.dims, s);
    return TS_OK;
}

ts_status ts__tfl_gather_ranges(tfl *t, const tfl_op *o, const tfl_tensor *x, const tfl_tensor *y,
                                tfl_range ranges[TS_MAX_RANK]) {
    struct tfl_spread crops = {{0}, {0}, {0}};
    if (x->spread == NULL) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "it is served behind a SPACE_TO_BATCH_ND and a convolution");
    }
    TS_TRY(read_blocks(t, o, x, &crops));
    for (uint32_t i = 0; i < x->rank; i++) {
        const struct tfl_spread *s = x->spread;
        int64_t count = (int64_t)x->dims[i] - crops.before[i] - crops.behind[i];
        bool convolved = s->before[i] == 0 && s->behind[i] == 0;
        if (!convolved || crops.block[i] != s->block[i] || count < 1 || y->rank != x->rank ||
            y->dims[i] != count) {
            return TFL_FAIL(
                TS_DIAG_UNSUPPORTED,
                "its blocks are not those of the SPACE_TO_BATCH_ND, its output has another shape, "
                "or no convolution stands between");
        }
        ranges[i] = (tfl_range){crops.before[i], 1, count};
    }
    return TS_OK;
}

ts_status ts__tfl_is_spread(tfl *t, const tfl_op *o, const tfl_tensor *x) {
    return x->spread == NULL ? TS_OK
                             : TFL_FAIL(TS_DIAG_UNSUPPORTED,
                                        "reads tensor '%s', which stands between SPACE_TO_BATCH_ND and "
                                        "BATCH_TO_SPACE_ND; convolutions are served there",
                                        x->name);
}
