#include "plan/plan.h"

#include <string.h>

#include "plan/move.h"
#include "plan/planner.h"

enum { MAX_VARIANTS = 16 };

/* Entering and leaving a layer, whatever its passes, in cycles; fitted to the simulator (docs/cost-model.md).
 */
static const double LAYER_CYCLES = 400;

/* L1 that guards take at most: x, x2, w and y have two buffers, and there is scratch. */
static uint64_t l1_guards(const ts_planner *p) { return UINT64_C(9) * p->plan->options.guard_bytes; }

static uint64_t bytes_left(uint64_t bytes, uint64_t taken) { return bytes > taken ? bytes - taken : 0; }

ts_pass ts__pass_of(const ts_planner *p, const ts_layer_plan *lp, uint32_t h, uint32_t c) {
    return (ts_pass){.layer = lp->layer,
                     .kernel = lp->kernel,
                     .target = p->target,
                     .cores = p->plan->options.cores,
                     .l1_bytes = bytes_left(p->plan->options.l1_bytes, l1_guards(p)),
                     .h = h,
                     .c = c,
                     .most_h = lp->most_h,
                     .x_stays = lp->x_stays,
                     .y_stays = lp->y_stays,
                     .repeats = h == lp->layer->y.h ? (double)lp->layer->y.c / c : 1};
}

static void add_pass(const ts_planner *p, ts_layer_plan *lp, uint32_t h, uint32_t c, uint32_t times) {
    if (times == 0) {
        return;
    }
    ts_pass pass = ts__pass_of(p, lp, h, c);
    ts_pass_cost cost = ts__l1_cost(&pass, &lp->l1);
    lp->work_cycles += times * cost.cycles;
    lp->compute_cycles += times * cost.compute_cycles;
    lp->dma_in_bytes += times * cost.in_bytes;
    lp->dma_out_bytes += times * cost.out_bytes;
}

/* Stripes are passes of their own, chunks alone one pass with repeats. */
static void cost_passes(ts_planner *p, ts_layer_plan *lp) {
    const ts_l3_plan *l3 = &lp->l3;
    uint32_t last_h = lp->layer->y.h - (l3->stripes - 1) * l3->stripe_h;
    uint32_t last_c = lp->layer->y.c - (l3->chunks - 1) * l3->chunk_c;
    lp->work_cycles = LAYER_CYCLES;
    lp->compute_cycles = lp->l3_wait_cycles = 0;
    lp->dma_in_bytes = lp->dma_out_bytes = 0;
    if (l3->stripes == 1) {
        add_pass(p, lp, l3->stripe_h, l3->chunk_c, 1);
    } else {
        add_pass(p, lp, l3->stripe_h, l3->chunk_c, (l3->stripes - 1) * (l3->chunks - 1));
        add_pass(p, lp, last_h, l3->chunk_c, l3->chunks - 1);
        add_pass(p, lp, l3->stripe_h, last_c, l3->stripes - 1);
        add_pass(p, lp, last_h, last_c, 1);
    }
    lp->modelled_cycles = lp->work_cycles;
}

/* What the choice of tiles depends on; of the requantisation only what a kernel's cost knows of it. */
static ts_tiled_pass key_of(const ts_planner *p, const ts_layer_plan *lp) {
    const ts_rq_plan *rq = &lp->layer->rq;
    return (ts_tiled_pass){.shape = p->shapes[lp->layer->index],
                           .kernel = lp->kernel,
                           .rq_class = rq->class_,
                           .rq_div = rq->div,
                           .rq_low = rq->low,
                           .rq_high = rq->high,
                           .most_h = lp->most_h,
                           .x_stays = lp->x_stays,
                           .y_stays = lp->y_stays};
}

static bool same_key(const ts_tiled_pass *a, const ts_tiled_pass *b) {
    return a->shape == b->shape && a->kernel == b->kernel && a->rq_class == b->rq_class &&
           a->rq_div == b->rq_div && a->rq_low == b->rq_low && a->rq_high == b->rq_high &&
           a->most_h == b->most_h && a->x_stays == b->x_stays && a->y_stays == b->y_stays;
}

static bool recall_tiles(const ts_planner *p, ts_layer_plan *lp, uint32_t h, uint32_t c) {
    ts_tiled_pass key = key_of(p, lp);
    for (uint32_t i = 0; i < p->tiled.count; i++) {
        const ts_tiled_pass *t = &p->tiled.data[i];
        if (t->l1.pass_h == h && t->l1.pass_c == c && same_key(t, &key)) {
            lp->l1 = t->l1;
            return true;
        }
    }
    return false;
}

bool ts__plan_passes(ts_planner *p, ts_layer_plan *lp) {
    bool moves = lp->layer->kind == TS_LAYER_MOVE;
    if (ts__is_flat(p->target) || (moves && ts_target_levels(p->target) == 2)) {
        ts__plan_flat(p, lp);
        return true;
    }
    if (moves) {
        return ts__move_plan(p->target, p->plan->options.l1_bytes, lp);
    }
    uint32_t h = lp->l3.stripe_h, c = lp->l3.chunk_c;
    ts_pass pass = ts__pass_of(p, lp, h, c);
    bool known = (lp->l1.pass_h == h && lp->l1.pass_c == c) || recall_tiles(p, lp, h, c);
    if (!known && !ts__l1_search(&pass, p->plan->options.objective, &lp->l1)) {
        return false;
    }
    if (!known) {
        ts_tiled_pass tiled = key_of(p, lp);
        tiled.l1 = lp->l1;
        TS_PUSH(p->arena, &p->tiled, tiled);
    }
    cost_passes(p, lp);
    return true;
}

static void set_uncut(ts_layer_plan *lp) {
    lp->l3.stripes = lp->l3.chunks = 1;
    lp->l3.stripe_h = lp->layer->y.h;
    lp->l3.chunk_c = lp->layer->y.c;
}

/* Sizes that the kernels' argument structs can hold. */
static ts_status check_limits(ts_planner *p, const ts_layer *l) {
    const ts_window *w = &l->window;
    if (l->kind == TS_LAYER_MOVE) {
        return TS_OK;
    }
    bool fits = l->x.h <= UINT16_MAX && l->x.w <= UINT16_MAX && l->x.c <= UINT16_MAX &&
                l->y.h <= UINT16_MAX && l->y.w <= UINT16_MAX && l->y.c <= UINT16_MAX &&
                w->kernel_h <= UINT16_MAX && w->kernel_w <= UINT16_MAX && w->stride_h <= UINT8_MAX &&
                w->stride_w <= UINT8_MAX && w->dilation_h <= UINT16_MAX && w->dilation_w <= UINT16_MAX &&
                w->pad_top <= UINT16_MAX && w->pad_left <= UINT16_MAX && w->pad_bottom <= UINT16_MAX &&
                w->pad_right <= UINT16_MAX;
    if (!fits) {
        return ts_error(
            p->diags, TS_DIAG_LIMIT, l->name, ts_layer_kind_name(l->kind),
            "a size does not fit the kernels: dimensions, windows and pads are served up to 65535, "
            "strides up to 255");
    }
    return TS_OK;
}

static bool is_ref(const ts_kernel *kernel) { return strcmp(kernel->isa, "ref") == 0; }

static uint32_t variants_of(const ts_planner *p, const ts_layer *layer, const ts_kernel **out) {
    uint32_t count = ts_kernels_for(layer, p->target, out, MAX_VARIANTS), kept = 0;
    bool flat = ts__is_flat(p->target); /* tensors lie where they lie: no room for padding, and others read */
    for (uint32_t i = 0; i < count; i++) {
        bool needs_tiles = out[i]->padded_x || out[i]->rewrites_x || out[i]->x_strips;
        if (is_ref(out[i]) || !(p->plan->options.ref_only || (flat && needs_tiles))) {
            out[kept++] = out[i];
        }
    }
    return kept;
}

/* L1 that the layer needs at least, with the variant and the requantisation that need least. */
static uint64_t smallest_l1(const ts_planner *p, const ts_layer *layer) {
    const ts_kernel *variants[MAX_VARIANTS];
    uint64_t least = UINT64_MAX;
    if (layer->kind == TS_LAYER_MOVE) {
        return 2 * sizeof(uint32_t);
    }
    for (uint32_t own = 0; own < 2; own++) {
        ts_layer copy = *layer;
        copy.rq = own ? layer->rq_own : layer->rq;
        uint32_t count = variants_of(p, &copy, variants);
        for (uint32_t i = 0; i < count; i++) {
            ts_layer_plan lp = {.layer = &copy, .kernel = variants[i]};
            ts_pass pass = ts__pass_of(p, &lp, layer->y.h, layer->y.c);
            uint64_t bytes = ts__l1_smallest(&pass) + l1_guards(p);
            least = bytes < least ? bytes : least;
        }
    }
    return least;
}

/* Tries the variants that serve the layer with its present requantisation; keeps the best in `best`: the one
 * with the fewest modelled cycles, with the paper's objective the preferred one. */
static void try_variants(ts_planner *p, ts_layer_plan *lp, ts_layer_plan *best, ts_rq_plan *best_rq,
                         bool *found) {
    const ts_kernel *variants[MAX_VARIANTS];
    uint32_t count = variants_of(p, lp->layer, variants);
    bool again = *found; /* with the graph's own requantisation: portable kernels gain nothing by it */
    bool first_wins = p->plan->options.objective != TS_OBJECTIVE_LATENCY;
    bool won = false;
    for (uint32_t i = 0; i < count && !(won && first_wins); i++) {
        lp->kernel = variants[i];
        lp->l1.pass_h = 0;
        ts_pass pass = ts__pass_of(p, lp, lp->layer->y.h, lp->layer->y.c);
        bool worse = *found && ts__l1_bound(&pass) >= best->modelled_cycles;
        if ((again && is_ref(variants[i])) || worse || !ts__plan_passes(p, lp)) {
            continue;
        }
        won = true;
        if (!*found || lp->modelled_cycles < best->modelled_cycles) {
            *best = *lp;
            *best_rq = lp->layer->rq;
            *found = true;
        }
    }
}

/* Chooses kernel, requantisation and tiles for the uncut layer: a narrow requantisation is worth it only
 * where a fast kernel knows it. False where nothing fits L1. */
static bool choose_kernel(ts_planner *p, ts_layer_plan *lp) {
    if (lp->layer->kind == TS_LAYER_MOVE) {
        return ts__plan_passes(p, lp);
    }
    ts_layer *layer = &p->plan->layers[lp->layer->index];
    ts_layer_plan best = *lp;
    ts_rq_plan best_rq = layer->rq;
    bool found = false;
    try_variants(p, lp, &best, &best_rq, &found);
    bool near = ts_target_levels(p->target) < 3; /* whose kernels know no clip of the accumulator */
    if (layer->rq.class_ == TS_RQC_S32D || layer->rq.class_ == TS_RQC_S32DC ||
        layer->rq.class_ == TS_RQC_S32R || layer->rq.class_ == TS_RQC_S32RC ||
        (near && layer->rq.class_ == TS_RQC_S32C)) {
        layer->rq = layer->rq_own;
        try_variants(p, lp, &best, &best_rq, &found);
    }
    layer->rq = best_rq;
    if (found) {
        *lp = best;
        lp->whole_tile_c = lp->l1.tile.y_c;
        ts_pass pass = ts__pass_of(p, lp, lp->layer->y.h, lp->layer->y.c);
        lp->bound_cycles = ts__l1_bound(&pass);
    }
    return found;
}

static bool same_map(const ts_map_shape *a, const ts_map_shape *b) {
    return a->type == b->type && a->h == b->h && a->w == b->w && a->c == b->c && a->zero == b->zero &&
           a->quads == b->quads;
}

static bool same_rq(const ts_rq_plan *a, const ts_rq_plan *b) {
    return a->class_ == b->class_ && a->shift == b->shift && a->split == b->split && a->div == b->div &&
           a->low == b->low && a->high == b->high && a->acc_low == b->acc_low && a->acc_high == b->acc_high;
}

static bool same_step(const ts_add_step *a, const ts_add_step *b) {
    return a->mul == b->mul && a->add == b->add && a->div == b->div && a->low == b->low && a->high == b->high;
}

/* Weights with a zero point: how large they are when they are packed depends on their values. */
static bool has_zero(const ts_layer *layer) {
    return layer->weights != NULL && ts_weights_zero(layer->weights) != 0;
}

/* Do two layers differ in names, numbers and requantisation alone? */
static bool same_shape(const ts_layer *a, const ts_layer *b) {
    return a->kind == b->kind && a->kind != TS_LAYER_MOVE && a->groups == b->groups &&
           same_map(&a->x, &b->x) && same_map(&a->x2, &b->x2) && same_map(&a->y, &b->y) &&
           memcmp(&a->window, &b->window, sizeof a->window) == 0 &&
           (a->weights == NULL) == (b->weights == NULL) &&
           (a->weights == NULL || (a->weights->type == b->weights->type &&
                                   ts_tensor_elements(a->weights) == ts_tensor_elements(b->weights))) &&
           !has_zero(a) && !has_zero(b) && a->softmax.kind == b->softmax.kind &&
           a->norm.centred == b->norm.centred && same_step(&a->in1, &b->in1) && same_step(&a->in2, &b->in2) &&
           same_step(&a->sum, &b->sum);
}

/* The plan of an earlier layer of the same shape, if there is one. */
static bool copy_choice(ts_planner *p, const ts_layer *before, ts_layer_plan *lp) {
    for (uint32_t i = 0; i < lp->layer->index; i++) {
        const ts_layer_plan *other = &p->plan->layer_plans[i];
        const ts_layer *mine = &before[lp->layer->index];
        if (p->shapes[i] == p->shapes[mine->index] && same_rq(&before[i].rq, &mine->rq) &&
            same_rq(&before[i].rq_own, &mine->rq_own)) {
            ts_layer *layer = &p->plan->layers[lp->layer->index];
            const ts_rq_plan own = layer->rq;
            layer->rq = other->layer->rq.class_ == layer->rq.class_ ? layer->rq : layer->rq_own;
            if (!other->kernel->serves(layer)) { /* a kernel may serve some weights only */
                layer->rq = own;
                continue;
            }
            *lp = *other;
            lp->layer = layer;
            return true;
        }
    }
    return false;
}

static uint64_t smallest_l1_of_all(const ts_planner *p) {
    uint64_t most = 0;
    for (uint32_t i = 0; i < p->plan->layer_count && !ts__is_flat(p->target); i++) {
        uint64_t bytes = smallest_l1(p, &p->plan->layers[i]);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static ts_status no_fit_l1(ts_planner *p, const ts_layer *l) {
    uint64_t need = smallest_l1(p, l), have = p->plan->options.l1_bytes;
    return ts_error(
        p->diags, TS_DIAG_NO_FIT, l->name, ts_layer_kind_name(l->kind),
        "does not fit L1: one output pixel with its input, weights and parameters needs %llu bytes, "
        "%llu are there, %llu are missing; the smallest L1 that would do for the whole network is "
        "%llu bytes",
        (unsigned long long)need, (unsigned long long)have, (unsigned long long)(need - have),
        (unsigned long long)smallest_l1_of_all(p));
}

static void find_shapes(ts_planner *p) {
    const ts_plan *plan = p->plan;
    p->shapes = TS_NEW_ARRAY(p->arena, uint32_t, plan->layer_count);
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        while (p->shapes[i] < i && !same_shape(&plan->layers[p->shapes[i]], &plan->layers[i])) {
            p->shapes[i]++;
        }
    }
}

static ts_status prepare_layers(ts_planner *p) {
    ts_plan *plan = p->plan;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        const ts_layer *l = &plan->layers[i];
        const ts_kernel *variants[MAX_VARIANTS];
        ts_layer_plan *lp = &plan->layer_plans[i];
        lp->layer = l;
        TS_TRY(check_limits(p, l));
        if (variants_of(p, l, variants) == 0) {
            return ts_error(p->diags, TS_DIAG_UNSUPPORTED, l->name, ts_layer_kind_name(l->kind),
                            "no kernel of target '%s' computes this layer", p->target->name);
        }
        lp->kernel = variants[0];
        lp->guard_bytes = plan->options.guard_bytes;
        set_uncut(lp);
    }
    return TS_OK;
}

static ts_status choose_kernels(ts_planner *p) {
    uint32_t count = p->plan->layer_count;
    ts_layer *before = TS_NEW_ARRAY(p->arena, ts_layer, count); /* choosing a kernel may change rq */
    memcpy(before, p->plan->layers, count * sizeof *before);
    for (uint32_t i = 0; i < count; i++) {
        ts_layer_plan *lp = &p->plan->layer_plans[i];
        if (!copy_choice(p, before, lp) && !choose_kernel(p, lp)) {
            return no_fit_l1(p, &p->plan->layers[i]);
        }
    }
    return TS_OK;
}

/* Takes the kernel whose weights, with its requantisation's parameters, need least L2 when they are cut as
 * far as they can be: fast kernels know larger groups of channels. False where none needs less than the
 * present one. */
static bool choose_frugal(ts_planner *p, uint32_t index) {
    ts_layer *layer = &p->plan->layers[index];
    ts_layer_plan *lp = &p->plan->layer_plans[index], best = *lp;
    const ts_rq_plan rqs[2] = {layer->rq, layer->rq_own};
    ts_rq_plan best_rq = layer->rq;
    uint64_t present = ts__least_weights(lp), least = present;
    for (uint32_t own = 0; own < 2; own++) {
        const ts_kernel *variants[MAX_VARIANTS];
        layer->rq = rqs[own];
        uint32_t count = variants_of(p, layer, variants);
        for (uint32_t i = 0; i < count; i++) {
            ts_layer_plan one = {.layer = layer, .kernel = variants[i], .guard_bytes = lp->guard_bytes};
            set_uncut(&one);
            if (ts__least_weights(&one) < least && ts__plan_passes(p, &one)) {
                least = ts__least_weights(&one);
                best = one;
                best_rq = layer->rq;
            }
        }
    }
    layer->rq = best_rq;
    if (least < present) {
        ts_pass pass = ts__pass_of(p, &best, layer->y.h, layer->y.c);
        best.bound_cycles = ts__l1_bound(&pass);
        *lp = best;
    }
    return least < present;
}

/* Makes the layer that does not fit frugal, or where that is done, all others. False where nothing is left.
 */
static bool save_weights(ts_planner *p, uint32_t layer) {
    bool saved = choose_frugal(p, layer);
    for (uint32_t i = 0; i < p->plan->layer_count && !saved; i++) {
        saved = choose_frugal(p, i);
    }
    return saved;
}

static void use_map(ts_planner *p, const ts_map_shape *map, uint32_t layer) {
    ts_life *life = &p->lives[map->tensor];
    life->first = life->used ? life->first : layer;
    life->last = layer;
    life->used = true;
    life->bytes = ts_map_bytes(map);
}

static void read_map(ts_planner *p, const ts_map_shape *map, uint32_t layer) {
    ts_life *life = &p->lives[map->tensor];
    use_map(p, map, layer);
    life->readers += life->last_read != layer + 1; /* a layer may read it twice */
    life->last_read = layer + 1;
}

static void find_lives(ts_planner *p) {
    ts_plan *plan = p->plan;
    p->lives = TS_NEW_ARRAY(p->arena, ts_life, p->graph->tensors.count);
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        const ts_layer *l = &plan->layers[i];
        read_map(p, &l->x, i);
        use_map(p, &l->y, i);
        if (ts_layer_has_x2(l)) {
            read_map(p, &l->x2, i);
        }
        for (uint32_t n = 0; n < l->input_count; n++) {
            read_map(p, &l->inputs[n], i);
        }
    }
    for (uint32_t i = 0; i < p->graph->inputs.count; i++) {
        ts_life *life = &p->lives[p->graph->inputs.data[i]];
        life->is_input = true;
        life->first = 0;
    }
    for (uint32_t i = 0; i < p->graph->outputs.count; i++) {
        ts_life *life = &p->lives[p->graph->outputs.data[i]];
        life->is_output = true;
        life->last = plan->layer_count - 1;
    }
}

/* Every level has a RAM; where there is no L3 weights lie in flash. */
static ts_status check_memories(const ts_planner *p) {
    uint32_t levels = ts_target_levels(p->target);
    for (uint32_t level = 1; level <= levels; level++) {
        if (ts_target_level(p->target, level) == NULL) {
            return ts_error(p->diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                            "target '%s' has no writable memory on level %u", p->target->name, level);
        }
    }
    if (levels < 3 && ts_target_flash(p->target) == NULL) {
        return ts_error(
            p->diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
            "target '%s' has neither a level 3 nor a memory for weights that cores can read and not "
            "write",
            p->target->name);
    }
    return TS_OK;
}

/* Targets of one or two levels: what stacks and the program leave. */
static ts_status fill_near(ts_planner *p) {
    ts_plan_options *o = &p->plan->options;
    const ts_target *t = p->target;
    uint64_t inner = bytes_left(ts_target_level(t, 1)->size_bytes, t->stack_bytes[0] + t->data_reserve_bytes);
    bool flat = ts__is_flat(t);
    if (flat && o->l1_bytes > 0) {
        return ts_error(p->diags, TS_DIAG_USAGE, NULL, NULL,
                        "target '%s' has one memory and no L1 for tiles; give its budget with --ram",
                        t->name);
    }
    o->l1_bytes = flat ? 0 : o->l1_bytes > 0 ? o->l1_bytes : inner;
    uint64_t home = flat ? inner : ts_target_level(t, 2)->size_bytes;
    o->l2_bytes = o->l2_bytes > 0 ? o->l2_bytes : home;
    uint64_t flash = bytes_left(ts_target_flash(t)->size_bytes, t->code_reserve_bytes);
    o->l3_bytes = o->l3_bytes > 0 ? o->l3_bytes : flash;
    return TS_OK;
}

static ts_status fill_options(ts_planner *p) {
    ts_plan_options *o = &p->plan->options;
    TS_TRY(check_memories(p));
    if (o->cores > p->target->cores) {
        return ts_error(p->diags, TS_DIAG_USAGE, NULL, NULL, "%u cores are asked for; target '%s' has %u",
                        (unsigned)o->cores, p->target->name, (unsigned)p->target->cores);
    }
    o->cores = o->cores > 0 ? o->cores : p->target->cores;
    if (ts_target_levels(p->target) < 3) {
        return o->guard_bytes == 0
                   ? fill_near(p)
                   : ts_error(p->diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                              "programs of target '%s' cannot be checked; those with L1, L2 and L3 can",
                              p->target->name);
    }
    o->l3_bytes = o->l3_bytes > 0 ? o->l3_bytes : ts_target_level(p->target, 3)->size_bytes;
    return TS_OK;
}

/* What the program leaves of L2, its kernels being known: at most all but the target's reserve. */
static void share_l2(ts_planner *p) {
    ts_plan_options *o = &p->plan->options;
    uint64_t program = ts_plan_program_bytes(p->plan), reserve = p->target->code_reserve_bytes;
    if (o->l2_bytes == 0) {
        uint64_t left =
            bytes_left(ts_target_level(p->target, 2)->size_bytes, program > reserve ? program : reserve);
        o->l2_bytes = left / 16 * 16;
    }
}

/* Stack of a core: below the program's own frames those of a layer, and below these its kernel's. Whichever
 * kernel will be chosen has room. Held to the program's code by every run (src/run/stack.c). */
static uint32_t stack_need(const ts_planner *p) {
    enum { PROGRAM = 208, LAYER = 384, ADDITION = 480 };
    uint32_t most = 0;
    for (uint32_t i = 0; i < 2 * p->plan->layer_count; i++) {
        ts_layer layer = p->plan->layers[i / 2];
        const ts_kernel *variants[MAX_VARIANTS];
        layer.rq = i % 2 == 0 ? layer.rq : layer.rq_own;
        for (uint32_t v = variants_of(p, &layer, variants); v-- > 0;) {
            bool adds = layer.kind != TS_LAYER_CONV && layer.weights == NULL;
            uint32_t bytes =
                (uint32_t)(adds ? PROGRAM + ADDITION : PROGRAM + LAYER) + variants[v]->stack_bytes;
            most = bytes > most ? bytes : most;
        }
    }
    return (most + 15) / 16 * 16;
}

/* What the cores' stacks leave of L1 is the network's. */
static void share_l1(ts_planner *p) {
    ts_plan_options *o = &p->plan->options;
    uint64_t size = ts_target_level(p->target, 1)->size_bytes, stacks = 0;
    if (ts_target_levels(p->target) < 3) {
        o->stack_bytes = p->target->stack_bytes[0]; /* taken away already (fill_near()) */
        return;
    }
    o->stack_bytes = o->stack_bytes > 0 ? o->stack_bytes : stack_need(p);
    for (uint32_t i = 0; i < o->cores; i++) {
        uint32_t most = p->target->stack_bytes[i];
        o->stack_bytes = o->stack_bytes < most ? o->stack_bytes : most;
    }
    stacks = (uint64_t)o->stack_bytes * o->cores;
    o->l1_bytes = o->l1_bytes > 0 ? o->l1_bytes : size > stacks ? size - stacks : 0;
}

static bool reads(const ts_layer *layer, ts_tensor_id tensor) {
    bool found = layer->x.tensor == tensor || (ts_layer_has_x2(layer) && layer->x2.tensor == tensor);
    for (uint32_t i = 0; i < layer->input_count; i++) {
        found = found || layer->inputs[i].tensor == tensor;
    }
    return found;
}

/* The layer whose y only `reader` reads; NULL where there is none. */
static ts_layer *only_source(const ts_planner *p, const ts_layer *reader) {
    ts_layer *source = NULL;
    uint32_t readers = 0;
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        ts_layer *l = &p->plan->layers[i];
        source = l->y.tensor == reader->x.tensor ? l : source;
        readers += reads(l, reader->x.tensor);
    }
    return readers == 1 && !p->lives[reader->x.tensor].is_output ? source : NULL;
}

static bool is_served(const ts_planner *p, const ts_layer *layer) {
    const ts_kernel *variants[MAX_VARIANTS];
    return variants_of(p, layer, variants) > 0;
}

/* Puts the maps in quads whose two layers have kernels for it: their readers are then spared transposing. */
static void choose_quads(ts_planner *p) {
    bool tiles = ts_target_levels(p->target) == 3;
    for (uint32_t i = 0; i < p->plan->layer_count && tiles; i++) {
        ts_layer *l = &p->plan->layers[i], *source = NULL;
        if (l->kind == TS_LAYER_DWCONV && (source = only_source(p, l)) != NULL) {
            l->x.quads = source->y.quads = true;
            l->x.quads = source->y.quads = is_served(p, l) && is_served(p, source);
        }
    }
}

/* A map of one column lies in memory as one of one row does. */
static bool is_column(const ts_layer *l) {
    bool slides = l->kind == TS_LAYER_CONV || l->kind == TS_LAYER_DWCONV || l->kind == TS_LAYER_MAX_POOL ||
                  l->kind == TS_LAYER_AVG_POOL;
    return slides && l->x.w == 1 && l->y.w == 1 && l->window.kernel_w == 1 && l->window.kernel_h > 1 &&
           l->window.pad_left == 0 && l->window.pad_right == 0;
}

static void turn(ts_layer *l) {
    const ts_window w = l->window;
    l->window = (ts_window){.kernel_h = w.kernel_w,
                            .kernel_w = w.kernel_h,
                            .stride_h = w.stride_w,
                            .stride_w = w.stride_h,
                            .dilation_h = w.dilation_w,
                            .dilation_w = w.dilation_h,
                            .pad_left = w.pad_top,
                            .pad_right = w.pad_bottom};
    l->x.w = l->x.h;
    l->y.w = l->y.h;
    l->x.h = l->y.h = 1;
}

/* Kernels work along rows: windows that slide down a column slide along a row instead, where the maps need
 * not be cut between L3 and L2, which is done at rows. */
static void turn_columns(const ts_planner *p) {
    const ts_memory *l2 = ts_target_level(p->target, 2);
    uint64_t bytes = p->plan->options.l2_bytes > 0 ? p->plan->options.l2_bytes
                     : l2 != NULL                  ? bytes_left(l2->size_bytes, p->target->code_reserve_bytes)
                                                   : 0;
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        ts_layer *l = &p->plan->layers[i];
        if (is_column(l) && ts_map_bytes(&l->x) + ts_map_bytes(&l->y) <= bytes / 4) {
            turn(l);
        }
    }
}

static ts_status begin(ts_planner *p, const ts_plan_options *options) {
    ts_plan *plan = p->plan = TS_NEW(p->arena, ts_plan);
    plan->arena = p->arena;
    plan->graph = p->graph;
    plan->target = p->target;
    plan->options = *options;
    TS_TRY(fill_options(p));
    TS_TRY(ts_layers_build(p->arena, p->graph, &plan->layers, &plan->layer_count, p->diags));
    if (plan->layer_count > TS_PLAN_MAX_LAYERS) {
        return ts_error(p->diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                        "the network has %u layers; at most %d are planned", (unsigned)plan->layer_count,
                        TS_PLAN_MAX_LAYERS);
    }
    if (p->turns_columns) {
        turn_columns(p);
    }
    share_l1(p);
    plan->layer_plans = TS_NEW_ARRAY(p->arena, ts_layer_plan, plan->layer_count);
    p->holds = TS_NEW_ARRAY(p->arena, bool, plan->layer_count);
    p->resident = TS_NEW_ARRAY(p->arena, uint64_t, plan->layer_count);
    p->tail_resident = TS_NEW_ARRAY(p->arena, uint64_t, plan->layer_count);
    find_lives(p);
    if (p->puts_quads) {
        choose_quads(p);
    }
    find_shapes(p);
    return prepare_layers(p);
}

/* Smallest L2, by halving between what is too little and what is enough; 0 where even all would not do.
 * Leaves frugal kernels. */
static uint64_t smallest_l2(ts_planner *p) {
    uint64_t kept = p->l2_bytes, low = 0, high = 1024;
    ts_shortage why;
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        choose_frugal(p, i);
    }
    for (p->l2_bytes = high; !ts__memory_plan(p, true, &why); p->l2_bytes = high) {
        low = high;
        high *= 2;
        if (high > UINT64_C(1) << 40) {
            p->l2_bytes = kept;
            return 0;
        }
    }
    while (high - low > 4) {
        p->l2_bytes = (low + (high - low) / 2 + 3) / 4 * 4;
        uint64_t middle = p->l2_bytes;
        *(ts__memory_plan(p, true, &why) ? &high : &low) = middle;
    }
    p->l2_bytes = kept;
    return high;
}

static ts_status no_fit_l2(ts_planner *p, const ts_shortage *why) {
    const ts_layer *l = &p->plan->layers[why->layer];
    uint64_t have = p->plan->options.l2_bytes, need = why->need_bytes;
    uint64_t missing = need > have ? need - have : 4;
    return ts_error(
        p->diags, TS_DIAG_NO_FIT, l->name, ts_layer_kind_name(l->kind),
        "does not fit L2: activations fill %llu bytes and weights %llu at least, %llu are there, %llu "
        "are missing; the smallest L2 that would do for the whole network is %llu bytes, the "
        "smallest L1 %llu",
        (unsigned long long)why->activation_bytes, (unsigned long long)why->weight_bytes,
        (unsigned long long)have, (unsigned long long)missing, (unsigned long long)smallest_l2(p),
        (unsigned long long)smallest_l1_of_all(p));
}

static ts_status no_fit_near(ts_planner *p, const ts_shortage *why) {
    const ts_layer *l = &p->plan->layers[why->layer];
    const char *memory = ts__is_flat(p->target) ? "RAM" : "L2";
    uint64_t have = p->plan->options.l2_bytes;
    return ts_error(
        p->diags, TS_DIAG_NO_FIT, l->name, ts_layer_kind_name(l->kind),
        "does not fit %s: activations fill %llu bytes, buffers of the kernel %llu, %llu are there, "
        "%llu are missing; the smallest %s that would do for the whole network is %llu bytes",
        memory, (unsigned long long)why->activation_bytes, (unsigned long long)why->weight_bytes,
        (unsigned long long)have, (unsigned long long)(why->need_bytes - have), memory,
        (unsigned long long)p->plan->l2_used_bytes);
}

/* Without L3 nothing waits for another layer's transfers. */
static double sum_of_layers(const ts_plan *plan) {
    double cycles = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        cycles += plan->layer_plans[i].modelled_cycles;
    }
    return cycles;
}

/* The first weights of a layer that are there when it begins need not be waited for. */
static void credit_early_weights(ts_plan *plan) {
    double rate = plan->target->dma.bytes_per_cycle > 0 ? plan->target->dma.bytes_per_cycle : 4;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        ts_layer_plan *lp = &plan->layer_plans[i];
        double saved = lp->w_early ? (double)lp->l1.w_bytes / rate : 0;
        lp->modelled_cycles -= saved;
        plan->modelled_cycles -= saved;
    }
}

static void finish(ts_planner *p) {
    ts_plan *plan = p->plan;
    bool near = ts_target_levels(p->target) < 3;
    for (uint32_t i = 0; i < plan->layer_count && !near; i++) {
        plan->layer_plans[i].work_cycles += ts__cold_cycles(plan, i);
    }
    plan->modelled_cycles = near ? sum_of_layers(plan) : ts__schedule(p);
    plan->bound_cycles = 0;
    plan->l1_used_bytes = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        const ts_layer_plan *lp = &plan->layer_plans[i];
        uint64_t used = lp->l1.used_bytes;
        plan->bound_cycles += lp->bound_cycles;
        plan->l1_used_bytes = used > plan->l1_used_bytes ? used : plan->l1_used_bytes;
    }
    if (!near) {
        ts__lay_out_l1(p);
        credit_early_weights(plan);
    }
}

/* The memory that is written holds activations, and the weights too unless they have one of their own. */
static ts_status check_l3(ts_planner *p) {
    const ts_plan *plan = p->plan;
    bool apart = ts_target_weights_apart(p->target);
    uint64_t weights = plan->l3_weights_bytes, used = plan->l3_used_bytes, budget = plan->options.l3_bytes;
    if (apart && weights > ts_target_weights(p->target)->size_bytes) {
        uint64_t size = ts_target_weights(p->target)->size_bytes;
        return ts_error(p->diags, TS_DIAG_NO_FIT, NULL, NULL,
                        "does not fit '%s': weights fill %llu bytes, %llu are there, %llu are missing",
                        p->target->weights_memory, (unsigned long long)weights, (unsigned long long)size,
                        (unsigned long long)(weights - size));
    }
    if (used > budget) {
        return ts_error(
            p->diags, TS_DIAG_NO_FIT, NULL, NULL,
            "does not fit L3: weights fill %llu bytes and activations %llu, %llu are there, %llu are "
            "missing",
            (unsigned long long)(apart ? 0 : weights), (unsigned long long)(apart ? used : used - weights),
            (unsigned long long)budget, (unsigned long long)(used - budget));
    }
    return TS_OK;
}

/* Is the network kept waiting for L3 to speak of? */
static bool waits_for_l3(const ts_plan *plan, double cycles) {
    double waiting = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        waiting += plan->layer_plans[i].l3_wait_cycles;
    }
    return waiting > 0.005 * cycles;
}

/* A plan for less L2 is one for more. What fills the last byte of L2 may be fetched late, so that more of it
 * can be slower: where layers wait for L3, plans for a little less are made too, and the fastest is taken. */
static void take_fastest_share(ts_planner *p) {
    static const uint32_t percents[] = {100, 97, 94, 90, 80};
    enum { SHARES = sizeof percents / sizeof percents[0] };
    uint64_t all = p->l2_bytes;
    uint32_t best = 0;
    ts_shortage why;
    double best_cycles = ts__schedule(p);
    if (p->plan->options.objective != TS_OBJECTIVE_LATENCY || !waits_for_l3(p->plan, best_cycles)) {
        return;
    }
    for (uint32_t i = 1; i < SHARES; i++) {
        p->l2_bytes = all * percents[i] / 100;
        double cycles = ts__memory_plan(p, false, &why) ? ts__schedule(p) : best_cycles;
        if (cycles < best_cycles) {
            best = i;
            best_cycles = cycles;
        }
    }
    p->l2_bytes = all * percents[best] / 100;
    bool planned = ts__memory_plan(p, false, &why);
    TS_ASSERT(planned, "plan: a plan that was made is not made again");
    p->l2_bytes = all;
}

/* `eager`: with maps in the forms that fast kernels like best. */
static ts_status build(ts_arena *arena, const ts_graph *graph, const ts_target *target,
                       const ts_plan_options *options, bool eager, ts_plan **out, ts_diags *diags) {
    ts_planner p = {.arena = arena, .graph = graph, .target = target, .diags = diags};
    p.puts_quads = eager && options->objective == TS_OBJECTIVE_LATENCY && !options->ref_only;
    p.turns_columns = eager;
    TS_TRY(begin(&p, options));
    TS_TRY(choose_kernels(&p));
    ts_shortage why = {0};
    bool near = ts_target_levels(target) < 3;
    if (!near) {
        share_l2(&p);
    }
    p.l2_bytes = p.plan->options.l2_bytes;
    if (near && !ts__near_memory_plan(&p, &why)) {
        return no_fit_near(&p, &why);
    }
    while (!near && !ts__memory_plan(&p, false, &why)) {
        if (!save_weights(&p, why.layer)) {
            return no_fit_l2(&p, &why);
        }
    }
    if (!near) {
        take_fastest_share(&p);
    }
    if (near && p.plan->l3_weights_bytes > p.plan->options.l3_bytes) {
        return ts_error(
            diags, TS_DIAG_NO_FIT, NULL, NULL,
            "does not fit flash: weights fill %llu bytes, %llu are there beside the code, %llu are "
            "missing",
            (unsigned long long)p.plan->l3_weights_bytes, (unsigned long long)p.plan->options.l3_bytes,
            (unsigned long long)(p.plan->l3_weights_bytes - p.plan->options.l3_bytes));
    }
    TS_TRY(check_l3(&p));
    if (!near && p.plan->options.objective == TS_OBJECTIVE_LATENCY) {
        ts__choose_staying(&p);
    }
    finish(&p);
    *out = p.plan;
    return TS_OK;
}

/* Maps in quads and turned columns cannot be cut as freely as others: where a network does not fit with them,
 * it may without. */
ts_status ts_plan_build(ts_arena *arena, const ts_graph *graph, const ts_target *target,
                        const ts_plan_options *options, ts_plan **out, ts_diags *diags) {
    uint32_t said = diags->list.count;
    ts_status status = build(arena, graph, target, options, true, out, diags);
    if (status == TS_NO_FIT) {
        diags->list.count = said;
        status = build(arena, graph, target, options, false, out, diags);
    }
    return status;
}

ts_status ts_plan_smallest(ts_arena *arena, const ts_graph *graph, const ts_target *target,
                           const ts_plan_options *options, uint64_t *l1_bytes, uint64_t *l2_bytes,
                           ts_diags *diags) {
    ts_planner p = {.arena = arena, .graph = graph, .target = target, .diags = diags};
    TS_TRY(begin(&p, options));
    *l1_bytes = smallest_l1_of_all(&p);
    ts_plan_options *o = &p.plan->options;
    o->l1_bytes = o->l1_bytes > *l1_bytes ? o->l1_bytes : *l1_bytes;
    TS_TRY(choose_kernels(&p));
    if (ts_target_levels(target) < 3) {
        ts_shortage why;
        (void)ts__near_memory_plan(&p, &why);
        *l2_bytes = p.plan->l2_used_bytes;
        return TS_OK;
    }
    *l2_bytes = smallest_l2(&p);
    return *l2_bytes > 0
               ? TS_OK
               : ts_error(diags, TS_DIAG_NO_FIT, NULL, NULL, "no size of L2 would do for this network");
}
