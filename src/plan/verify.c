/* Checks a plan against what plan.h promises; shares no code with the searches that make it. */
#include <stdlib.h>

#include "plan/plan.h"

typedef struct check {
    const ts_plan *plan;
    ts_diags *diags;
    const ts_layer_plan *lp;
} check;

static ts_status fail(const check *c, const char *what) {
    const ts_layer *l = c->lp != NULL ? c->lp->layer : NULL;
    return ts_error(c->diags, TS_DIAG_GRAPH, l != NULL ? l->name : NULL,
                    l != NULL ? ts_layer_kind_name(l->kind) : NULL, "plan: %s", what);
}

#define REQUIRE(c, condition, what)   \
    do {                              \
        if (!(condition)) {           \
            return fail((c), (what)); \
        }                             \
    } while (0)

static uint64_t bytes_of(ts_type type, uint64_t count) { return (count * ts_type_bits(type) + 7) / 8; }

static bool cuts_x(const ts_layer *l) {
    return l->groups > 1 ||
           (l->kind != TS_LAYER_CONV && l->kind != TS_LAYER_LINEAR && l->kind != TS_LAYER_MATMUL);
}

/* Rows or columns of x, padding included or not, that `count` outputs from `first` on read. */
static uint32_t extent(uint32_t first, uint32_t count, uint32_t stride, uint32_t kernel, uint32_t dilation,
                       uint32_t pad, uint32_t size, bool with_padding) {
    int64_t begin = (int64_t)first * stride - pad, end = begin + (int64_t)(count - 1) * stride;
    end += (int64_t)(kernel - 1) * dilation + 1;
    if (!with_padding) {
        begin = begin < 0 ? 0 : begin;
        end = end > size ? size : end;
    }
    return end > begin ? (uint32_t)(end - begin) : 0;
}

/* One tile of a pass: it must not need more than its buffers hold. */
static ts_status check_tile(const check *c, uint32_t row, uint32_t rows, uint32_t column, uint32_t columns,
                            uint32_t channel, uint32_t channels) {
    const ts_layer *l = c->lp->layer;
    const ts_kernel *k = c->lp->kernel;
    const ts_l1_plan *l1 = &c->lp->l1;
    const ts_window *w = &l->window;
    uint32_t h = extent(row, rows, w->stride_h, w->kernel_h, w->dilation_h, w->pad_top, l->x.h, k->padded_x);
    uint32_t v =
        extent(column, columns, w->stride_w, w->kernel_w, w->dilation_w, w->pad_left, l->x.w, k->padded_x);
    uint32_t x_c = cuts_x(l) ? (uint32_t)((uint64_t)channels * l->x.c / l->y.c) : l->x.c;
    REQUIRE(c, (uint64_t)h * v * bytes_of(l->x.type, x_c) <= l1->x_bytes, "a tile of x exceeds its buffer");
    REQUIRE(c, h <= l1->tile.x_h && v <= l1->tile.x_w && x_c <= l1->tile.x_c,
            "a tile of x exceeds its sizes");
    if (k->x_strips) { /* a strip for each column at least, which holds the windows of all rows */
        uint64_t lines = (uint64_t)(rows - 1) * w->stride_h + w->kernel_h;
        REQUIRE(c, columns * lines * w->kernel_w * l->x.c <= l1->x_bytes, "strips of x exceed their buffer");
    }
    if (l->kind == TS_LAYER_MATMUL) {
        uint64_t matrices = l->x2.h == 1 ? 1 : rows;
        REQUIRE(c, l->x2.h == 1 ? l->x.w == 1 : l->x2.h == l->y.h, "matrices do not come in pairs");
        REQUIRE(c, matrices * channels * l->x2.pixel_bytes <= l1->x2_bytes,
                "a tile of x2 exceeds its buffer");
    } else if (ts_layer_has_x2(l)) {
        REQUIRE(c, (uint64_t)h * v * bytes_of(l->x2.type, x_c) <= l1->x2_bytes,
                "a tile of x2 exceeds its buffer");
    }
    REQUIRE(c, (uint64_t)rows * columns * bytes_of(l->y.type, channels) <= l1->y_bytes,
            "a tile of y exceeds its buffer");
    uint64_t slice = k->weight_bytes(l, channel + channels) - k->weight_bytes(l, channel);
    REQUIRE(c, slice <= l1->w_bytes, "a tile's weights exceed their buffer");
    REQUIRE(c, k->weight_bytes(l, channel) % 4 == 0, "a tile's weights do not begin on a word");
    ts_tile tile = {.y_h = rows, .y_w = columns, .y_c = channels, .x_h = h, .x_w = v, .x_c = x_c};
    REQUIRE(c, k->scratch_bytes(l, &tile, c->plan->options.cores) <= l1->scratch_bytes,
            "a tile's scratch exceeds its buffer");
    uint32_t quad = l->x.quads ? l->y.w : l->y.quads ? 4 : 1;
    REQUIRE(c, columns == l->y.w || columns % quad == 0, "a tile of a map in quads cuts a quad");
    REQUIRE(c, k->x_quads == l->x.quads && k->y_quads == l->y.quads,
            "a map does not lie as its kernel wants");
    bool last = channel + channels == l->y.c;
    REQUIRE(c, last || channels % k->c_granule == 0, "a tile breaks the kernel's channel granule");
    REQUIRE(c, (uint64_t)channel * ts_type_bits(l->y.type) % 8 == 0, "a tile of y begins inside a byte");
    uint64_t x_channel = cuts_x(l) ? (uint64_t)channel * l->x.c / l->y.c : 0;
    REQUIRE(c, x_channel * ts_type_bits(l->x.type) % 8 == 0, "a tile of x begins inside a byte");
    REQUIRE(c, !ts_layer_has_x2(l) || x_channel * ts_type_bits(l->x2.type) % 8 == 0,
            "a tile of x2 begins inside a byte");
    return TS_OK;
}

/* A step through one axis: cuts [0, size) into passes of `pass` and those into tiles of `tile`. */
typedef struct cut {
    uint32_t size, pass, tile;
} cut;

static uint32_t next_end(const cut *c, uint32_t at) {
    uint32_t pass_end = at / c->pass * c->pass + c->pass;
    uint32_t end = at + c->tile;
    end = end < pass_end ? end : pass_end;
    return end < c->size ? end : c->size;
}

/* Where kernels work on whole tensors: blocks of channels, with their buffers. */
static ts_status check_calls(const check *c) {
    const ts_layer *l = c->lp->layer;
    const ts_kernel *k = c->lp->kernel;
    const ts_l1_plan *l1 = &c->lp->l1;
    uint32_t block = l1->tile.y_c;
    REQUIRE(c, l1->tile.y_h == l->y.h && l1->tile.y_w == l->y.w, "a call does not cover the map");
    REQUIRE(c, block > 0 && l1->tiles_c == (l->y.c + block - 1) / block, "tiles_c is wrong");
    REQUIRE(c, block == l->y.c || (block % k->c_granule == 0 && !cuts_x(l)), "channels are cut within x");
    REQUIRE(c, !k->padded_x && !k->x_strips, "the kernel wants a copy of x of its own making");
    REQUIRE(c, !k->rewrites_x, "the kernel rewrites x, which is no copy");
    for (uint32_t ch = 0; ch < l->y.c; ch += block) {
        uint32_t channels = l->y.c - ch < block ? l->y.c - ch : block;
        ts_tile tile = {l->y.h, l->y.w, channels, l->x.h, l->x.w, l->x.c};
        uint64_t slice = k->weight_bytes(l, ch + channels) - k->weight_bytes(l, ch);
        REQUIRE(c, slice <= l1->w_bytes, "a block's weights exceed their buffer");
        REQUIRE(c, k->weight_bytes(l, ch) % 4 == 0, "a block's weights do not begin on a word");
        REQUIRE(c, (uint64_t)ch * ts_type_bits(l->y.type) % 8 == 0, "a block of y begins inside a byte");
        REQUIRE(c, k->scratch_bytes(l, &tile, 1) <= l1->scratch_bytes, "a call's scratch exceeds its buffer");
    }
    return TS_OK;
}

static ts_status check_tiles(const check *c) {
    const ts_layer *l = c->lp->layer;
    cut rows = {l->y.h, c->lp->l3.stripe_h, c->lp->l1.tile.y_h};
    cut columns = {l->y.w, l->y.w, c->lp->l1.tile.y_w};
    cut channels = {l->y.c, c->lp->l3.chunk_c, c->lp->l1.tile.y_c};
    uint64_t covered = 0;
    for (uint32_t h = 0; h < rows.size; h = next_end(&rows, h)) {
        for (uint32_t w = 0; w < columns.size; w = next_end(&columns, w)) {
            for (uint32_t ch = 0; ch < channels.size; ch = next_end(&channels, ch)) {
                uint32_t dh = next_end(&rows, h) - h, dw = next_end(&columns, w) - w;
                uint32_t dc = next_end(&channels, ch) - ch;
                TS_TRY(check_tile(c, h, dh, w, dw, ch, dc));
                covered += (uint64_t)dh * dw * dc;
            }
        }
    }
    REQUIRE(c, covered == (uint64_t)l->y.h * l->y.w * l->y.c, "tiles do not cover the output exactly once");
    return TS_OK;
}

typedef struct span {
    uint64_t begin, end;
} span;

static int by_begin(const void *a, const void *b) {
    const span *x = a, *y = b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static uint32_t add_spans(span *spans, uint32_t count, const uint64_t offset[2], uint32_t copies,
                          uint64_t bytes) {
    for (uint32_t i = 0; i < copies && bytes > 0; i++) {
        spans[count++] = (span){offset[i], offset[i] + bytes};
    }
    return count;
}

static ts_status check_l1(const check *c) {
    const ts_l1_plan *l1 = &c->lp->l1;
    span spans[9];
    uint32_t n = add_spans(spans, 0, l1->x_offset, l1->x_count, l1->x_bytes);
    n = add_spans(spans, n, l1->x2_offset, l1->x2_count, l1->x2_bytes);
    n = add_spans(spans, n, l1->w_offset, l1->w_count, l1->w_bytes);
    n = add_spans(spans, n, l1->y_offset, l1->y_count, l1->y_bytes);
    uint64_t scratch[2] = {l1->scratch_offset, 0};
    n = add_spans(spans, n, scratch, 1, l1->scratch_bytes);
    qsort(spans, n, sizeof *spans, by_begin);
    for (uint32_t i = 0; i < n; i++) {
        REQUIRE(c, spans[i].begin % 4 == 0, "an L1 buffer does not begin on a word");
        REQUIRE(c, spans[i].end <= c->plan->options.l1_bytes, "an L1 buffer leaves L1");
        REQUIRE(c, i == 0 || spans[i - 1].end <= spans[i].begin, "L1 buffers overlap");
    }
    REQUIRE(c,
            l1->x_count >= 1 && l1->x_count <= 2 && l1->y_count >= 1 && l1->y_count <= 2 && l1->w_count <= 2,
            "an L1 buffer count is neither 1 nor 2");
    REQUIRE(c, l1->tiles_h == (l1->pass_h + l1->tile.y_h - 1) / l1->tile.y_h, "tiles_h is wrong");
    REQUIRE(c, l1->tiles_w == (c->lp->layer->y.w + l1->tile.y_w - 1) / l1->tile.y_w, "tiles_w is wrong");
    REQUIRE(c, l1->tiles_c == (l1->pass_c + l1->tile.y_c - 1) / l1->tile.y_c, "tiles_c is wrong");
    REQUIRE(c, l1->pass_h == c->lp->l3.stripe_h && l1->pass_c == c->lp->l3.chunk_c,
            "the tiles cut another pass");
    return TS_OK;
}

static const ts_buffer *buffer_at(const check *c, int32_t index) {
    return index >= 0 && (uint32_t)index < c->plan->buffers.count ? &c->plan->buffers.data[index] : NULL;
}

/* The buffer of a whole tensor: right tensor, large enough, alive. */
static ts_status check_whole(const check *c, int32_t index, const ts_map_shape *map, bool in_l3) {
    const ts_buffer *b = buffer_at(c, index);
    uint32_t i = c->lp->layer->index;
    REQUIRE(c, b != NULL && b->role == TS_BUFFER_ACTIVATION && b->tensor == map->tensor,
            "a tensor has no buffer of its own");
    REQUIRE(c, b->bytes >= (uint64_t)map->h * map->w * map->pixel_bytes, "a tensor's buffer is too small");
    REQUIRE(c, b->first_layer <= i && i <= b->last_layer, "a tensor's buffer is dead when it is needed");
    REQUIRE(c, (b->level == TS_IN_L3) == in_l3, "a tensor lives elsewhere than its layer says");
    return TS_OK;
}

static ts_status check_stripe(const check *c, const int32_t stripes[2], const ts_map_shape *map, bool in_l3,
                              bool is_output) {
    const ts_layer *l = c->lp->layer;
    const ts_l3_plan *l3 = &c->lp->l3;
    for (uint32_t s = 0; s < 2; s++) {
        bool wanted = in_l3 && s < l3->stripes;
        const ts_buffer *b = buffer_at(c, stripes[s]);
        REQUIRE(c, wanted == (b != NULL), "stripe buffers do not match the tensor's home");
        if (b == NULL) {
            continue;
        }
        REQUIRE(c, b->level == TS_IN_L2 && b->first_layer <= l->index && l->index <= b->last_layer,
                "a stripe buffer is dead when it is needed");
        for (uint32_t n = s; n < l3->stripes; n += 2) {
            uint32_t first = n * l3->stripe_h, rows = l->y.h - first;
            rows = rows < l3->stripe_h ? rows : l3->stripe_h;
            uint32_t need = is_output ? rows
                                      : extent(first, rows, l->window.stride_h, l->window.kernel_h,
                                               l->window.dilation_h, l->window.pad_top, l->x.h, false);
            need = map == &l->x2 && l->kind == TS_LAYER_MATMUL && l->x2.h == 1 ? 1 : need;
            REQUIRE(c, (uint64_t)need * map->w * map->pixel_bytes <= b->bytes, "a stripe exceeds its buffer");
        }
    }
    return TS_OK;
}

static ts_status check_own_buffer(const check *c, int32_t index, ts_buffer_role role, uint64_t bytes) {
    const ts_buffer *b = buffer_at(c, index);
    uint32_t i = c->lp->layer->index;
    REQUIRE(c, (b != NULL) == (bytes > 0), "a layer's buffer is missing, or serves nothing");
    REQUIRE(c,
            b == NULL || (b->role == role && b->level == TS_IN_L2 && b->bytes >= bytes &&
                          b->first_layer <= i && i <= b->last_layer),
            "a layer's buffer is not what it needs");
    return TS_OK;
}

/* Weights lie in flash: a buffer is there only where one level asks for copies. */
static ts_status check_near_weights(const check *c) {
    bool flat = ts_target_levels(c->plan->target) == 1;
    const ts_l1_plan *l1 = &c->lp->l1;
    TS_TRY(check_own_buffer(c, c->lp->l3.w_buffer, TS_BUFFER_WEIGHTS, flat ? l1->w_count * l1->w_bytes : 0));
    return check_own_buffer(c, c->lp->scratch_buffer, TS_BUFFER_SCRATCH, flat ? l1->scratch_bytes : 0);
}

/* The n-th load of the layer's weights: of the right bytes, into a place that is its own from the step with
 * which it may start to the one that needs it, in the order of the bus. */
static ts_status check_fetch(const check *c, uint32_t n) {
    const ts_layer *l = c->lp->layer;
    const ts_l3_plan *l3 = &c->lp->l3;
    uint32_t index = l3->first_fetch + n, begin = n % l3->chunks * l3->chunk_c, end = begin + l3->chunk_c;
    REQUIRE(c, index < c->plan->fetches.count, "weights are not fetched");
    const ts_fetch *f = &c->plan->fetches.data[index];
    const ts_buffer *b = buffer_at(c, f->buffer);
    uint64_t from = begin == 0 ? 0 : c->lp->kernel->weight_bytes(l, begin);
    uint64_t to = c->lp->kernel->weight_bytes(l, end < l->y.c ? end : l->y.c);
    REQUIRE(c, f->layer == l->index && f->part == n, "a fetch is out of its order");
    REQUIRE(c, f->from == l3->weights_l3_offset + from && f->bytes >= to - from, "a fetch misses its chunk");
    REQUIRE(c, f->from + f->bytes <= c->plan->l3_weights_bytes, "a fetch leaves the L3 image");
    REQUIRE(c, f->step <= l3->first_step + n, "weights are fetched after they are needed");
    REQUIRE(c, index == 0 || c->plan->fetches.data[index - 1].step <= f->step,
            "a fetch starts before an earlier one");
    REQUIRE(c,
            b != NULL && b->role == TS_BUFFER_WEIGHTS && b->level == TS_IN_L2 && b->layer == l->index &&
                b->bytes >= f->bytes && b->first_step <= f->step && b->last_step >= l3->first_step + n,
            "a fetch has no place of its own");
    return TS_OK;
}

/* The steps of a layer: its loads, and the last tile of one pass over maps in L2. */
static ts_status check_steps(const check *c) {
    const ts_l3_plan *l3 = &c->lp->l3;
    const ts_layer *l = c->lp->layer;
    bool in_l2 = !l3->x_in_l3 && !l3->x2_in_l3 && !l3->y_in_l3;
    bool last = l->index + 1 == c->plan->layer_count;
    uint32_t end = last ? c->plan->step_count : c->lp[1].l3.first_step;
    REQUIRE(c, l3->tail_step == 0 || (l->kind != TS_LAYER_MOVE && in_l2 && l3->stripes == 1),
            "a layer in passes has a step for its last tile");
    REQUIRE(c,
            l3->tail_step == 0 || (l3->tail_step == l3->first_step + l3->chunks && l3->tail_step + 1 == end),
            "the step of the last tile is not the layer's last");
    return TS_OK;
}

static ts_status check_weights(const check *c) {
    const ts_layer *l = c->lp->layer;
    const ts_l3_plan *l3 = &c->lp->l3;
    uint64_t bytes = c->lp->kernel->weight_bytes(l, l->y.c);
    REQUIRE(c, l3->weights_bytes >= bytes && l3->weights_l3_offset % 4 == 0,
            "the weights' place in L3 is wrong");
    REQUIRE(c, l3->weights_l3_offset + l3->weights_bytes <= c->plan->l3_weights_bytes,
            "weights lie outside the L3 image");
    if (ts_target_levels(c->plan->target) < 3) {
        return check_near_weights(c);
    }
    uint32_t again = l3->chunks > 1 && !l3->chunks_outer ? l3->stripes : 1;
    for (uint32_t n = 0; n < l3->chunks * again && bytes > 0; n++) {
        TS_TRY(check_fetch(c, n));
    }
    return TS_OK;
}

/* The copies of a MOVE layer stay inside their tensors and write each byte of the output once. */
static ts_status check_copy(const check *c, const ts_copy *copy, uint8_t *written) {
    const ts_layer *l = c->lp->layer;
    uint64_t x_bytes = copy->input == TS_NONE ? 0 : ts_map_bytes(&l->inputs[copy->input]);
    for (uint32_t i = 0; i < copy->count[0] * copy->count[1] * copy->count[2]; i++) {
        uint32_t at[3] = {i % copy->count[0], i / copy->count[0] % copy->count[1],
                          i / copy->count[0] / copy->count[1]};
        uint64_t from = copy->from, to = copy->to;
        for (uint32_t a = 0; a < 3; a++) {
            from += (uint64_t)at[a] * copy->x_step[a];
            to += (uint64_t)at[a] * copy->y_step[a];
        }
        REQUIRE(c, copy->input == TS_NONE || from + copy->bytes <= x_bytes, "a copy leaves its input");
        REQUIRE(c, to + copy->bytes <= ts_map_bytes(&l->y), "a copy leaves the output");
        for (uint32_t b = 0; b < copy->bytes; b++) {
            REQUIRE(c, written[to + b]++ == 0, "a byte of the output is written twice");
        }
    }
    return TS_OK;
}

static void free_arena(void *arena) { ts_arena_free(arena); }

static ts_status check_copies(const check *c) {
    const ts_layer *l = c->lp->layer;
    ts_arena *scratch = ts_arena_new("copies", 0);
    ts_guard_defer(free_arena, scratch);
    uint8_t *written = TS_NEW_ARRAY(scratch, uint8_t, ts_map_bytes(&l->y));
    ts_status status = TS_OK;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < l->copy_count && status == TS_OK; i++) {
        const ts_copy *copy = &l->copies[i];
        bytes += (uint64_t)copy->bytes * copy->count[0] * copy->count[1] * copy->count[2];
        status = check_copy(c, copy, written);
    }
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    REQUIRE(c, status != TS_OK || bytes == ts_map_bytes(&l->y), "copies do not write the whole output");
    return status;
}

/* Where a MOVE layer's tensors live, its blocks, and its copies. */
static ts_status check_move(const check *c) {
    const ts_layer *l = c->lp->layer;
    const ts_l1_plan *l1 = &c->lp->l1;
    bool any_in_l3 = false;
    for (uint32_t i = 0; i < l->input_count; i++) {
        const ts_buffer *b = buffer_at(c, c->lp->input_buffers[i]);
        bool in_l3 = b != NULL && b->level == TS_IN_L3;
        any_in_l3 = any_in_l3 || in_l3;
        TS_TRY(check_whole(c, c->lp->input_buffers[i], &l->inputs[i], in_l3));
    }
    TS_TRY(check_whole(c, c->lp->y_buffer, &l->y, c->lp->l3.y_in_l3));
    REQUIRE(c, any_in_l3 == c->lp->l3.x_in_l3, "a move's inputs live elsewhere than it says");
    const ts_buffer *x = buffer_at(c, c->lp->l3.x_stripe[0]), *y = buffer_at(c, c->lp->l3.y_stripe[0]);
    REQUIRE(c, (x != NULL) == any_in_l3 && (y != NULL) == c->lp->l3.y_in_l3,
            "blocks at the border to L3 do not match the tensors' homes");
    REQUIRE(c, (x == NULL || x->bytes >= 4) && (y == NULL || y->bytes >= 4), "a border block is empty");
    bool straight = ts_target_levels(c->plan->target) < 3; /* without blocks on the way */
    REQUIRE(c, !straight || l1->used_bytes == 0, "a move has blocks and no L3");
    REQUIRE(c,
            straight || (l1->x_bytes >= 4 && l1->x_bytes % 4 == 0 && l1->x_bytes == l1->y_bytes &&
                         l1->x_offset[0] == 0 && l1->y_offset[0] == l1->x_bytes &&
                         2 * l1->x_bytes <= c->plan->options.l1_bytes),
            "a move's blocks are wrong");
    return check_copies(c);
}

static ts_status check_border(const check *c) {
    const ts_layer *l = c->lp->layer;
    const ts_l3_plan *l3 = &c->lp->l3;
    REQUIRE(c, l3->stripe_h > 0 && l3->chunk_c > 0, "a pass is empty");
    REQUIRE(c, l3->stripes == (l->y.h + l3->stripe_h - 1) / l3->stripe_h, "the number of stripes is wrong");
    REQUIRE(c, l3->chunks == (l->y.c + l3->chunk_c - 1) / l3->chunk_c, "the number of chunks is wrong");
    REQUIRE(c, !l3->keeps_halo || (l3->x_in_l3 && l3->stripes > 1 && !(l3->chunks_outer && l3->chunks > 1)),
            "a halo is kept where stripes do not follow each other");
    REQUIRE(c, !(l3->y_in_l3 && l3->chunks_outer && l3->chunks > 1),
            "parts of pixels would be written to L3");
    REQUIRE(c, l3->stripes == 1 || l3->x_in_l3 || l3->x2_in_l3 || l3->y_in_l3,
            "stripes without a tensor in L3");
    TS_TRY(check_whole(c, c->lp->x_buffer, &l->x, l3->x_in_l3));
    TS_TRY(check_whole(c, c->lp->y_buffer, &l->y, l3->y_in_l3));
    TS_TRY(check_stripe(c, l3->x_stripe, &l->x, l3->x_in_l3, false));
    TS_TRY(check_stripe(c, l3->y_stripe, &l->y, l3->y_in_l3, true));
    if (ts_layer_has_x2(l)) {
        TS_TRY(check_whole(c, c->lp->x2_buffer, &l->x2, l3->x2_in_l3));
        TS_TRY(check_stripe(c, l3->x2_stripe, &l->x2, l3->x2_in_l3, false));
    }
    TS_TRY(check_steps(c));
    return check_weights(c);
}

static uint32_t first_step_of(const ts_plan *plan, uint32_t layer) {
    return layer < plan->layer_count ? plan->layer_plans[layer].l3.first_step : plan->step_count;
}

static bool is_output(const ts_plan *plan, ts_tensor_id tensor) {
    bool any = false;
    for (uint32_t i = 0; i < plan->graph->outputs.count; i++) {
        any |= plan->graph->outputs.data[i] == tensor;
    }
    return any;
}

/* Weights may begin and end with a step inside a layer; all else lives for whole layers, but for the last
 * tile of one that reads it and does not write it. */
static bool lives_in_its_layers(const ts_plan *plan, const ts_buffer *b) {
    uint32_t first = first_step_of(plan, b->first_layer), end = first_step_of(plan, b->last_layer + 1);
    if (b->role != TS_BUFFER_WEIGHTS) {
        const ts_layer_plan *last = &plan->layer_plans[b->last_layer];
        bool read = b->role == TS_BUFFER_ACTIVATION && b->tensor != last->layer->y.tensor &&
                    !is_output(plan, b->tensor);
        bool early = last->l3.tail_step > 0 && read && b->last_step + 1 == last->l3.tail_step;
        return b->first_step == first && (early || b->last_step + 1 == end);
    }
    return b->first_step >= first && b->first_step < first_step_of(plan, b->first_layer + 1) &&
           b->last_step < end && b->last_step >= first_step_of(plan, b->last_layer);
}

/* First byte on the map that the window of an output reads; the end of x where it reads none. */
static uint64_t first_read(const ts_layer *l, uint32_t oy, uint32_t ox) {
    uint64_t first = (uint64_t)l->x.h * l->x.w;
    for (uint32_t ky = 0; ky < l->window.kernel_h; ky++) {
        for (uint32_t kx = 0; kx < l->window.kernel_w; kx++) {
            int64_t row = (int64_t)oy * l->window.stride_h + ky * l->window.dilation_h - l->window.pad_top;
            int64_t column =
                (int64_t)ox * l->window.stride_w + kx * l->window.dilation_w - l->window.pad_left;
            bool inside = row >= 0 && row < l->x.h && column >= 0 && column < l->x.w;
            uint64_t at = inside ? (uint64_t)(row * l->x.w + column) : first;
            first = at < first ? at : first;
        }
    }
    return first * l->x.pixel_bytes;
}

/* On targets of one level: y is made while x dies, and what is written so far never reaches what this output
 * still needs of x. */
static bool overwrites_in_order(const ts_plan *plan, const ts_buffer *x, const ts_buffer *y) {
    const ts_layer_plan *lp = &plan->layer_plans[y->first_layer];
    const ts_layer *l = lp->layer;
    bool second = ts_layer_has_x2(l) && x->tensor == l->x2.tensor;
    bool bytes = ts_type_bits(second ? l->x2.type : l->x.type) == 8 && ts_type_bits(l->y.type) == 8;
    bool chain = x->role == TS_BUFFER_ACTIVATION && y->role == TS_BUFFER_ACTIVATION &&
                 l->kind != TS_LAYER_MOVE && (second || x->tensor == l->x.tensor) &&
                 y->tensor == l->y.tensor && x->last_layer == y->first_layer && x->tensor != y->tensor;
    if (ts_target_levels(plan->target) != 1 || !chain || !bytes || !lp->kernel->in_order ||
        lp->l1.tiles_c != 1) {
        return false;
    }
    bool elementwise = l->kind == TS_LAYER_ADD || l->kind == TS_LAYER_MUL || l->kind == TS_LAYER_REQUANT ||
                       l->kind == TS_LAYER_LUT;
    if (elementwise) {
        return l->x.c == l->y.c && y->offset <= x->offset;
    }
    bool window = l->kind == TS_LAYER_CONV || l->kind == TS_LAYER_DWCONV || l->kind == TS_LAYER_MAX_POOL ||
                  l->kind == TS_LAYER_AVG_POOL;
    for (uint32_t i = 0; window && i < l->y.h * l->y.w; i++) {
        uint64_t written = y->offset + (uint64_t)(i + 1) * l->y.pixel_bytes;
        window = written <= x->offset + first_read(l, i / l->y.w, i % l->y.w);
    }
    return window;
}

/* May y lie over x? All tiles of some rows are computed before those of later rows; what is written of y then
 * ends before the rows of x that they, and later ones, read. Both maps live together in this layer only. */
static bool lies_over(const ts_plan *plan, uint32_t layer, const ts_buffer *x, const ts_buffer *y) {
    const ts_layer_plan *lp = &plan->layer_plans[layer];
    const ts_layer *l = lp->layer;
    bool rows_in_order = lp->l1.tiles_c == 1 || lp->l1.order == TS_LOOP_CHANNELS_INNER;
    bool whole = lp->l3.chunks == 1 && lp->l3.stripes == 1 && lp->l1.pass_h == l->y.h;
    if (l->kind == TS_LAYER_MOVE || !rows_in_order || !whole || x->last_layer != layer ||
        y->first_layer != layer || ts_layer_has_x2(l)) {
        return false;
    }
    for (uint32_t h = 0; h < l->y.h; h += lp->l1.tile.y_h) {
        uint32_t end = h + lp->l1.tile.y_h < l->y.h ? h + lp->l1.tile.y_h : l->y.h;
        int64_t row = (int64_t)h * l->window.stride_h - l->window.pad_top;
        bool windowless = l->kind == TS_LAYER_LINEAR || l->kind == TS_LAYER_REQUANT;
        row = windowless ? h : row < 0 ? 0 : row;
        uint64_t written = y->offset + (uint64_t)end * l->y.w * l->y.pixel_bytes;
        if (written > x->offset + (uint64_t)row * l->x.w * l->x.pixel_bytes) {
            return false;
        }
    }
    return true;
}

static bool may_share(const ts_plan *plan, uint32_t i, uint32_t j) {
    const ts_buffer *a = &plan->buffers.data[i], *b = &plan->buffers.data[j];
    bool ba = a->first_layer < b->first_layer;
    const ts_buffer *x = ba ? a : b, *y = ba ? b : a;
    const ts_layer_plan *lp = &plan->layer_plans[y->first_layer];
    return x->role == TS_BUFFER_ACTIVATION && y->role == TS_BUFFER_ACTIVATION &&
           x == &plan->buffers.data[lp->x_buffer] && y == &plan->buffers.data[lp->y_buffer] &&
           lies_over(plan, y->first_layer, x, y);
}

static ts_status check_buffers(const check *c) {
    const ts_plan *plan = c->plan;
    for (uint32_t i = 0; i < plan->buffers.count; i++) {
        const ts_buffer *a = &plan->buffers.data[i];
        uint64_t limit = a->level == TS_IN_L2 ? plan->options.l2_bytes : plan->options.l3_bytes;
        REQUIRE(c, a->offset % 4 == 0, "a buffer does not begin on a word");
        REQUIRE(c, a->offset <= limit && a->bytes <= limit - a->offset, "a buffer leaves its memory");
        REQUIRE(c, a->first_layer <= a->last_layer && a->last_layer < plan->layer_count,
                "a buffer's life is out of order");
        REQUIRE(c, a->first_step <= a->last_step && lives_in_its_layers(plan, a),
                "a buffer's steps are not those of its layers");
        REQUIRE(c,
                a->level == TS_IN_L2 || ts_target_weights_apart(plan->target) ||
                    a->offset >= plan->l3_weights_bytes,
                "an activation lies in the weights' image");
        for (uint32_t j = 0; j < i; j++) {
            const ts_buffer *b = &plan->buffers.data[j];
            bool together = a->level == b->level && a->first_step <= b->last_step &&
                            b->first_step <= a->last_step && a->bytes > 0 && b->bytes > 0;
            bool apart = a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset;
            REQUIRE(c,
                    !together || apart || may_share(plan, i, j) || overwrites_in_order(plan, a, b) ||
                        overwrites_in_order(plan, b, a),
                    "buffers that live together overlap");
        }
    }
    return TS_OK;
}

/* A tensor must keep its bytes from its making (or the start, for inputs) to its last use (or the end). */
static ts_status check_lives(const check *c) {
    const ts_plan *plan = c->plan;
    for (uint32_t i = 0; i < plan->graph->inputs.count; i++) {
        for (uint32_t b = 0; b < plan->buffers.count; b++) {
            const ts_buffer *buffer = &plan->buffers.data[b];
            bool input =
                buffer->role == TS_BUFFER_ACTIVATION && buffer->tensor == plan->graph->inputs.data[i];
            REQUIRE(c, !input || buffer->first_layer == 0, "an input's buffer is taken before it is read");
        }
    }
    for (uint32_t i = 0; i < plan->graph->outputs.count; i++) {
        for (uint32_t b = 0; b < plan->buffers.count; b++) {
            const ts_buffer *buffer = &plan->buffers.data[b];
            bool output =
                buffer->role == TS_BUFFER_ACTIVATION && buffer->tensor == plan->graph->outputs.data[i];
            REQUIRE(c, !output || buffer->last_layer + 1 == plan->layer_count,
                    "an output's buffer dies early");
        }
    }
    return TS_OK;
}

static uint32_t readers_of(const ts_plan *plan, ts_tensor_id tensor) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        const ts_layer *l = &plan->layers[i];
        count += l->x.tensor == tensor;
        count += ts_layer_has_x2(l) && l->x2.tensor == tensor;
        for (uint32_t n = 0; n < l->input_count; n++) {
            count += l->inputs[n].tensor == tensor;
        }
    }
    for (uint32_t i = 0; i < plan->graph->outputs.count; i++) {
        count += plan->graph->outputs.data[i] == tensor;
    }
    return count;
}

/* A map that stays in L1: whole, in one place, for the next layer alone, which reads it as it lies. */
static ts_status check_staying(const check *c) {
    const ts_layer *l = c->lp->layer;
    const ts_layer_plan *before = l->index > 0 ? c->lp - 1 : NULL;
    const ts_l1_plan *l1 = &c->lp->l1;
    REQUIRE(c, c->lp->x_stays == (before != NULL && before->y_stays), "a map stays for nobody");
    REQUIRE(c, !c->lp->y_stays || l->index + 1 < c->plan->layer_count, "the last map stays");
    REQUIRE(c, !c->lp->y_stays || (l1->y_count == 1 && l1->y_bytes >= ts_map_bytes(&l->y)),
            "a map that stays exceeds its buffer");
    if (!c->lp->x_stays) {
        return TS_OK;
    }
    const ts_kernel *k = c->lp->kernel;
    REQUIRE(c, l->x.tensor == before->layer->y.tensor && readers_of(c->plan, l->x.tensor) == 1,
            "a map that stays is read by others");
    REQUIRE(
        c,
        l1->x_count == 1 && l1->x_offset[0] == before->l1.y_offset[0] && l1->x_bytes >= ts_map_bytes(&l->x),
        "a map that stays is looked for elsewhere");
    REQUIRE(c, !k->padded_x && !k->rewrites_x && !k->x_strips, "a map that stays is no copy with padding");
    REQUIRE(c, l1->tile.y_w == l->y.w && (!cuts_x(l) || l1->tile.y_c == l->y.c),
            "pixels of a map that stays are cut");
    return TS_OK;
}

/* First weights that the layer before loads: they are there by its step, and their place is its neighbours'.
 */
static ts_status check_early(const check *c) {
    const ts_layer_plan *lp = c->lp;
    if (!lp->w_early) {
        return TS_OK;
    }
    REQUIRE(c, lp->layer->index > 0 && lp->l1.w_count > 0 && lp->l3.stripes == 1 && lp[-1].l3.stripes == 1,
            "weights come early for nobody");
    REQUIRE(c, c->plan->fetches.data[lp->l3.first_fetch].step < lp[-1].l3.first_step + lp[-1].l3.chunks,
            "weights are loaded before they may arrive");
    const ts_l1_plan *before = &lp[-1].l1;
    bool tiles = lp[-1].l3.chunks * before->tiles_h * before->tiles_w * before->tiles_c > 1;
    REQUIRE(c, lp->w_early_last ? tiles : lp[-1].l3.chunks == 1, "weights come early beside no tile");
    span spans[9];
    uint32_t n = add_spans(spans, 0, before->x_offset, before->x_count, before->x_bytes);
    n = add_spans(spans, n, before->x2_offset, before->x2_count, before->x2_bytes);
    n = add_spans(spans, n, before->w_offset, before->w_count, before->w_bytes);
    n = add_spans(spans, n, before->y_offset, before->y_count, before->y_bytes);
    uint64_t scratch[2] = {before->scratch_offset, 0};
    n = add_spans(spans, n, scratch, 1, before->scratch_bytes);
    for (uint32_t i = 0; i < n; i++) {
        REQUIRE(c,
                lp->l1.w_offset[0] >= spans[i].end || lp->l1.w_offset[0] + lp->l1.w_bytes <= spans[i].begin,
                "early weights lie in a buffer of the layer before");
    }
    return TS_OK;
}

ts_status ts_plan_verify(const ts_plan *plan, ts_diags *diags) {
    check c = {.plan = plan, .diags = diags};
    TS_TRY(check_buffers(&c));
    TS_TRY(check_lives(&c));
    uint64_t expected = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        c.lp = &plan->layer_plans[i];
        REQUIRE(&c, c.lp->layer == &plan->layers[i] && ts_kernel_takes(c.lp->kernel, c.lp->layer),
                "a layer's kernel does not serve it");
        REQUIRE(&c, c.lp->l3.weights_l3_offset >= expected, "weights overlap in the L3 image");
        expected = c.lp->l3.weights_l3_offset + c.lp->l3.weights_bytes;
        TS_TRY(check_staying(&c));
        TS_TRY(check_early(&c));
        if (c.lp->layer->kind == TS_LAYER_MOVE) {
            TS_TRY(check_move(&c));
            continue;
        }
        TS_TRY(check_border(&c));
        if (ts_target_levels(plan->target) == 1) {
            TS_TRY(check_calls(&c));
            continue;
        }
        TS_TRY(check_l1(&c));
        TS_TRY(check_tiles(&c));
    }
    return TS_OK;
}
