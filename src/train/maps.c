/* Operators that move elements, or sum and pick among them: pools, pads, transpositions, means, softmax. */
#include <math.h>
#include <string.h>

#include "train/internal.h"

/* ---- pooling ---- */

typedef struct plane {
    uint32_t h, w, c, out_h, out_w;
    ts_window n;
} plane;

static plane plane_of(const ts__step *s) {
    const ts_ftensor *x = s->in[0], *y = s->out;
    bool flat = x->rank == 3;
    plane p = {.h = flat ? 1 : x->dims[1],
               .w = x->dims[x->rank - 2],
               .c = ts__channels(x),
               .out_h = flat ? 1 : y->dims[1],
               .out_w = y->dims[y->rank - 2],
               .n = s->node->window};
    if (flat) {
        p.n.kernel_h = p.n.stride_h = p.n.dilation_h = 1;
        p.n.pad_top = p.n.pad_bottom = 0;
    }
    return p;
}

/* Input row (or column) that kernel row `k` of output row `o` meets; false outside. */
static bool meets(uint32_t o, uint32_t k, uint32_t stride, uint32_t dilation, uint32_t pad, uint32_t size,
                  uint32_t *at) {
    int64_t i = (int64_t)o * stride + (int64_t)k * dilation - pad;
    *at = (uint32_t)i;
    return i >= 0 && i < size;
}

/* The pixels of a window that lie inside: the first channel's element of each in its sample. */
typedef struct window_walk {
    uint32_t *list; /* kernel_h * kernel_w */
    uint32_t count;
} window_walk;

static void find_window(const plane *p, uint32_t oy, uint32_t ox, window_walk *out) {
    out->count = 0;
    for (uint32_t ky = 0; ky < p->n.kernel_h; ky++) {
        uint32_t y, x;
        if (!meets(oy, ky, p->n.stride_h, p->n.dilation_h, p->n.pad_top, p->h, &y)) {
            continue;
        }
        for (uint32_t kx = 0; kx < p->n.kernel_w; kx++) {
            if (meets(ox, kx, p->n.stride_w, p->n.dilation_w, p->n.pad_left, p->w, &x)) {
                out->list[out->count++] = (y * p->w + x) * p->c;
            }
        }
    }
}

static void max_of(const float *restrict x, const window_walk *k, uint32_t channels, float *restrict y,
                   uint32_t *restrict places) {
    for (uint32_t c = 0; c < channels; c++) {
        y[c] = k->count == 0 ? 0.0f : x[k->list[0] + c];
        places[c] = k->count == 0 ? TS_NONE : k->list[0] + c;
    }
    for (uint32_t i = 1; i < k->count; i++) {
        const float *restrict from = x + k->list[i];
        for (uint32_t c = 0; c < channels; c++) {
            uint32_t more = from[c] > y[c] ? UINT32_MAX : 0;
            places[c] = ((k->list[i] + c) & more) | (places[c] & ~more);
            y[c] = from[c] > y[c] ? from[c] : y[c];
        }
    }
}

static float divisor(const ts__step *s, const plane *p, const window_walk *k) {
    uint32_t inside = k->count == 0 ? 1 : k->count;
    return (float)(s->node->count_pad ? p->n.kernel_h * p->n.kernel_w : inside);
}

static void mean_of(const float *x, const window_walk *k, uint32_t channels, float part, float *y) {
    memset(y, 0, channels * sizeof *y);
    for (uint32_t i = 0; i < k->count; i++) {
        const float *from = x + k->list[i];
        for (uint32_t c = 0; c < channels; c++) {
            y[c] += from[c];
        }
    }
    for (uint32_t c = 0; c < channels; c++) {
        y[c] *= part;
    }
}

void ts__pool_forward(const ts__step *s) {
    plane p = plane_of(s);
    window_walk k = {.list = s->memory->window};
    for (uint64_t n = 0; n < s->t->batch; n++) {
        const float *x = s->x[0]->data + n * s->x[0]->elements;
        uint64_t to = n * s->y->elements;
        for (uint32_t o = 0; o < p.out_h * p.out_w; o++, to += p.c) {
            find_window(&p, o / p.out_w, o % p.out_w, &k);
            if (s->node->op == TS_FOP_MAX_POOL) {
                max_of(x, &k, p.c, s->y->data + to, s->memory->places + to);
            } else {
                mean_of(x, &k, p.c, 1.0f / divisor(s, &p, &k), s->y->data + to);
            }
        }
    }
}

static void max_backward(const ts__step *s, float *dx) {
    for (uint64_t n = 0; n < s->t->batch; n++) {
        for (uint64_t i = 0; i < s->y->elements; i++) {
            uint32_t place = s->memory->places[n * s->y->elements + i];
            if (place != TS_NONE) {
                dx[n * s->x[0]->elements + place] += s->y->gradient[n * s->y->elements + i];
            }
        }
    }
}

static void mean_backward(const ts__step *s, float *dx) {
    plane p = plane_of(s);
    window_walk k = {.list = s->memory->window};
    const float *dy = s->y->gradient;
    for (uint64_t n = 0; n < s->t->batch; n++) {
        for (uint32_t o = 0; o < p.out_h * p.out_w; o++, dy += p.c) {
            find_window(&p, o / p.out_w, o % p.out_w, &k);
            float part = 1.0f / divisor(s, &p, &k);
            for (uint32_t i = 0; i < k.count; i++) {
                float *to = dx + n * s->x[0]->elements + k.list[i];
                for (uint32_t c = 0; c < p.c; c++) {
                    to[c] += dy[c] * part;
                }
            }
        }
    }
}

void ts__pool_backward(const ts__step *s) {
    float *dx = ts__gradient_room(s, 0);
    if (dx == NULL) {
        return;
    }
    memset(dx, 0, s->x[0]->elements * s->t->batch * sizeof *dx);
    if (s->node->op == TS_FOP_MAX_POOL) {
        max_backward(s, dx);
    } else {
        mean_backward(s, dx);
    }
    ts__give_gradient(s, 0, dx);
}

/* ---- concatenation ---- */

static uint64_t run_of(const ts_ftensor *t, uint32_t axis) {
    uint64_t count = 1;
    for (uint32_t d = axis; d < t->rank; d++) {
        count *= t->dims[d];
    }
    return count;
}

void ts__concat_forward(const ts__step *s) {
    uint64_t whole = run_of(s->out, s->node->axis), outer = s->y->elements * s->t->batch / whole;
    float *y = s->y->data;
    for (uint64_t o = 0; o < outer; o++) {
        for (uint32_t k = 0; k < s->node->input_count; k++) {
            uint64_t run = run_of(s->in[k], s->node->axis);
            memcpy(y, s->x[k]->data + o * run, run * sizeof *y);
            y += run;
        }
    }
}

void ts__concat_backward(const ts__step *s) {
    uint64_t whole = run_of(s->out, s->node->axis), outer = s->y->elements * s->t->batch / whole, first = 0;
    for (uint32_t k = 0; k < s->node->input_count; k++) {
        uint64_t run = run_of(s->in[k], s->node->axis);
        float *dx = ts__gradient_room(s, k);
        for (uint64_t o = 0; dx != NULL && o < outer; o++) {
            memcpy(dx + o * run, s->y->gradient + o * whole + first, run * sizeof *dx);
        }
        if (dx != NULL) {
            ts__give_gradient(s, k, dx);
        }
        first += run;
    }
}

/* ---- pads, transpositions, means ---- */

static uint32_t source_of_pad(const ts_fnode *n, const ts_ftensor *x, const ts_ftensor *y, uint64_t i) {
    uint64_t from = 0, stride = 1;
    for (uint32_t d = y->rank; d-- > 0; i /= y->dims[d]) {
        uint64_t o = i % y->dims[d];
        if (o < n->begin[d] || o - n->begin[d] >= x->dims[d]) {
            return TS_NONE;
        }
        from += stride * (o - n->begin[d]);
        stride *= x->dims[d];
    }
    return (uint32_t)from;
}

static uint32_t source_of_turn(const ts_fnode *n, const ts_ftensor *x, const ts_ftensor *y, uint64_t i) {
    uint64_t strides[TS_MAX_RANK], stride = 1, from = 0;
    for (uint32_t d = x->rank; d-- > 0; stride *= x->dims[d]) {
        strides[d] = stride;
    }
    for (uint32_t d = y->rank; d-- > 0; i /= y->dims[d]) {
        from += i % y->dims[d] * strides[n->perm[d]];
    }
    return (uint32_t)from;
}

/* SLICE and RESIZE. */
static uint32_t source_of_choice(const ts_fnode *n, const ts_ftensor *x, const ts_ftensor *y, uint64_t i) {
    uint64_t from = 0, stride = 1;
    for (uint32_t d = y->rank; d-- > 0; i /= y->dims[d]) {
        uint64_t o = i % y->dims[d];
        from +=
            stride * (n->op == TS_FOP_SLICE ? n->begin[d] + o * n->step[d] : o / (y->dims[d] / x->dims[d]));
        stride *= x->dims[d];
    }
    return (uint32_t)from;
}

void ts__find_sources(const ts_fnode *node, const ts_ftensor *x, const ts_ftensor *y, uint32_t *places) {
    uint64_t count = ts_ftensor_elements(y);
    for (uint64_t i = 0; i < count; i++) {
        places[i] = node->op == TS_FOP_PAD         ? source_of_pad(node, x, y, i)
                    : node->op == TS_FOP_TRANSPOSE ? source_of_turn(node, x, y, i)
                                                   : source_of_choice(node, x, y, i);
    }
}

void ts__find_sums(const ts_fnode *node, const ts_ftensor *x, uint32_t *places) {
    uint64_t count = ts_ftensor_elements(x);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t rest = i, to = 0, stride = 1;
        for (uint32_t d = x->rank; d-- > 0; rest /= x->dims[d]) {
            if ((node->axes >> d & 1) == 0) {
                to += stride * (rest % x->dims[d]);
                stride *= x->dims[d];
            }
        }
        places[i] = (uint32_t)to;
    }
}

static float mean_part(const ts__step *s) { return (float)s->y->elements / (float)s->x[0]->elements; }

void ts__moved_forward(const ts__step *s) {
    const uint32_t *places = s->memory->places;
    bool mean = s->node->op == TS_FOP_REDUCE_MEAN;
    float part = mean ? mean_part(s) : 1.0f, fill = s->node->op == TS_FOP_PAD ? s->node->alpha : 0.0f;
    for (uint64_t n = 0; n < s->t->batch; n++) {
        const float *x = s->x[0]->data + n * s->x[0]->elements;
        float *y = s->y->data + n * s->y->elements;
        if (mean) {
            memset(y, 0, s->y->elements * sizeof *y);
            for (uint64_t i = 0; i < s->x[0]->elements; i++) {
                y[places[i]] += x[i] * part;
            }
            continue;
        }
        for (uint64_t i = 0; i < s->y->elements; i++) {
            y[i] = places[i] == TS_NONE ? fill : x[places[i]];
        }
    }
}

void ts__moved_backward(const ts__step *s) {
    const uint32_t *places = s->memory->places;
    bool mean = s->node->op == TS_FOP_REDUCE_MEAN;
    float *dx = ts__gradient_room(s, 0), part = mean ? mean_part(s) : 1.0f;
    if (dx == NULL) {
        return;
    }
    for (uint64_t n = 0; n < s->t->batch; n++) {
        const float *dy = s->y->gradient + n * s->y->elements;
        float *to = dx + n * s->x[0]->elements;
        for (uint64_t i = 0; mean && i < s->x[0]->elements; i++) {
            to[i] = dy[places[i]] * part;
        }
        if (!mean) {
            memset(to, 0, s->x[0]->elements * sizeof *to);
        }
        for (uint64_t i = 0; !mean && i < s->y->elements; i++) {
            if (places[i] != TS_NONE) {
                to[places[i]] += dy[i];
            }
        }
    }
    ts__give_gradient(s, 0, dx);
}

/* ---- softmax, and its logarithm ---- */

static bool is_logarithm(const ts__step *s) { return s->node->op == TS_FOP_LOG_SOFTMAX; }

void ts__softmax_forward(const ts__step *s) {
    uint64_t size = s->out->dims[s->node->axis], inner = run_of(s->out, s->node->axis) / size;
    uint64_t outer = s->y->elements * s->t->batch / size;
    for (uint64_t o = 0; o < outer; o++) {
        uint64_t first = o / inner * inner * size + o % inner;
        const float *x = s->x[0]->data + first;
        float *y = s->y->data + first, top = -INFINITY, sum = 0.0f;
        for (uint64_t i = 0; i < size; i++) {
            top = fmaxf(top, x[i * inner]);
        }
        for (uint64_t i = 0; i < size; i++) {
            sum += y[i * inner] = expf(x[i * inner] - top);
        }
        for (uint64_t i = 0; i < size; i++) {
            y[i * inner] = is_logarithm(s) ? x[i * inner] - top - logf(sum) : y[i * inner] / sum;
        }
    }
}

void ts__softmax_backward(const ts__step *s) {
    uint64_t size = s->out->dims[s->node->axis], inner = run_of(s->out, s->node->axis) / size;
    uint64_t outer = s->y->elements * s->t->batch / size;
    float *dx = ts__gradient_room(s, 0);
    for (uint64_t o = 0; dx != NULL && o < outer; o++) {
        uint64_t first = o / inner * inner * size + o % inner;
        const float *y = s->y->data + first, *dy = s->y->gradient + first;
        float sum = 0.0f;
        for (uint64_t i = 0; i < size; i++) {
            sum += is_logarithm(s) ? dy[i * inner] : y[i * inner] * dy[i * inner];
        }
        for (uint64_t i = 0; i < size; i++) {
            float p = y[i * inner], g = dy[i * inner];
            dx[first + i * inner] = is_logarithm(s) ? g - expf(p) * sum : p * (g - sum);
        }
    }
    if (dx != NULL) {
        ts__give_gradient(s, 0, dx);
    }
}
