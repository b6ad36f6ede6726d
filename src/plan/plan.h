/* The plan: where every byte lives and when, how each layer is cut into tiles, which kernel computes them.
 *
 * Two levels of cutting. At the L3 border a layer is cut into passes: stripes of output rows times chunks of
 * output channels; each pass has its x rows, weights and y rows in L2. A pass is cut into L1 tiles. A layer
 * whose tensors live in L2 and whose weights are resident or prefetched whole is one pass.
 * Everything is in bytes from the start of the memory that the caller of network_run() passes. */
#ifndef TS_PLAN_PLAN_H
#define TS_PLAN_PLAN_H

#include "base/screen.h"
#include "plan/kernel.h"
#include "plan/layer.h"
#include "plan/layout.h"

/* What L1 tiles are chosen for: fewest modelled cycles; the DORY paper's score; or that score's first term
 * alone, the bytes of the tiles, to show what the others gain. */
typedef enum ts_objective { TS_OBJECTIVE_LATENCY, TS_OBJECTIVE_DORY, TS_OBJECTIVE_SIZE } ts_objective;

/* "latency", "dory", "size"; false where `text` is none of them. */
const char *ts_objective_name(ts_objective objective);
bool ts_objective_parse(const char *text, ts_objective *out);

/* Targets of one or two levels have no L3: l3_bytes is the flash that weights are read from where they lie,
 * and nothing is cut into passes. With one level there are no tiles either: a layer is one call of its kernel
 * on tensors in RAM (l2_bytes, the level where activations live), with its scratch, and with the buffer that
 * weights are copied to where the target asks for one, as buffers of that RAM; l1_bytes is 0. */
typedef struct ts_plan_options {
    uint64_t l1_bytes, l2_bytes, l3_bytes; /* 0: what the target leaves (stacks and code taken away) */
    uint32_t cores;                        /* 0: all of the target's */
    uint32_t stack_bytes;                  /* of each core; 0: what the network's kernels need, at most the
                                              target's. Networks of one program are given the same. */
    ts_objective objective;
    bool ref_only; /* ref kernels only, for tests */
    /* Bytes that belong to no buffer, behind every buffer in L1 and L2: a program that is emitted for such a
     * plan checks that nobody writes there (docs/emitted-code.md). Three levels of memory only. */
    uint32_t guard_bytes;
} ts_plan_options;

typedef enum ts_level { TS_IN_L2, TS_IN_L3 } ts_level;

/* What an L2 (or L3) buffer holds. */
typedef enum ts_buffer_role {
    TS_BUFFER_ACTIVATION,
    TS_BUFFER_WEIGHTS,
    TS_BUFFER_STRIPE,
    TS_BUFFER_SCRATCH /* of a layer's kernel; targets of one level */
} ts_buffer_role;

/* A buffer with its bytes and its life. Two buffers of one memory that live at the same time never overlap,
 * but for one pair on targets of one level, a layer's result and its dying input (overlap.c), and with L3 the
 * two maps of a layer with x_behind_y (overlay.c).
 *
 * Time is counted in steps. A layer has one step; where its weights come in chunks, one for each load of a
 * chunk. A step begins when what needs that chunk begins, before the chunk is waited for: chunks of earlier
 * steps are done with. */
typedef struct ts_buffer {
    ts_buffer_role role;
    ts_level level;
    ts_tensor_id tensor; /* ACTIVATION, STRIPE */
    uint32_t layer;      /* WEIGHTS, STRIPE, SCRATCH: whose */
    uint32_t part;       /* WEIGHTS in chunks: number of the load */
    uint64_t offset, bytes;
    uint32_t first_layer, last_layer; /* alive while these layers and those between run, both included */
    uint32_t first_step, last_step;   /* more exactly: of the steps of these layers */
} ts_buffer;

/* A transfer of weights from L3 to L2: those of a layer, or a chunk of them. */
typedef struct ts_fetch {
    uint32_t layer, part; /* part: number of the load, from 0 */
    uint32_t step;        /* from whose beginning on its place in L2 is free */
    int32_t buffer;       /* its place */
    uint64_t from, bytes; /* in the L3 image */
} ts_fetch;

/* The time of planning grows with the square of the layers and more: seconds for so many. */
enum { TS_PLAN_MAX_LAYERS = 2048 };

enum { TS_NO_BUFFER = -1 };

/* Order of the L1 tile loops: which index runs fastest. */
typedef enum ts_loop_order { TS_LOOP_CHANNELS_INNER, TS_LOOP_PIXELS_INNER } ts_loop_order;

/* The L1 side of a layer: tile sizes (border tiles are smaller), order, and buffers as L1 offsets.
 *
 * A tile step computes one tile. x changes from a step to the next where the pixel tile changes, or where the
 * channel tile does in a layer that cuts x with y (ts_layer_is_channelwise(), groups > 1); w where the
 * channel tile changes; y always. What does not change is not loaded again. count 2: the next content is
 * loaded, or the last result stored, beside the kernel of this step. count 1: never changes within the pass,
 * or its transfer waits for the kernel (no memory for two). */
typedef struct ts_l1_plan {
    uint32_t pass_h, pass_c; /* output rows and channels of the full pass that is cut */
    ts_tile tile;            /* the largest tile */
    uint32_t tiles_h, tiles_w,
        tiles_c; /* numbers of tiles of one full pass (stripe_h rows, chunk_c channels) */
    ts_loop_order order;
    uint32_t x_count, x2_count, w_count, y_count;
    uint64_t x_offset[2], x2_offset[2], w_offset[2], y_offset[2], scratch_offset;
    uint64_t x_bytes, x2_bytes, w_bytes, y_bytes, scratch_bytes; /* of one buffer */
    uint64_t used_bytes;
} ts_l1_plan;

/* A MOVE layer has no tiles: x_bytes = y_bytes are its two L1 blocks, and tile is the whole output;
 * x_stripe[0] and y_stripe[0] are its L2 blocks at the border to L3, whatever their size. */

/* The L3 side of a layer. stripes = chunks = 1 and all buffers in L2: nothing is cut.
 *
 * Weights lie at weights_l3_offset in the L3 image, channels [a, b) at weight_bytes(a) .. weight_bytes(b) of
 * it. chunks = 1: they come whole, in one fetch. chunks > 1: cut by chunk_c output channels, a fetch for each
 * time that a chunk is loaded. ts_plan.fetches has them all in the order in which they are needed, which is
 * the order on the bus; each starts as soon as its step has begun and those before it have started. Steps
 * and fetches of a layer begin with first_step and first_fetch; load_at is the layer in which the first of
 * them starts. A layer without weight bytes has no fetch. A layer has a step for each load of its weights,
 * and, unless it moves elements or a map of it lives in L3, one more for its last tile, tail_step (else 0):
 * all that this reads lies in L1 when it begins, so the places in L2 of the layer's weights, and of inputs
 * that no later layer reads, are free from then on.
 *
 * x, x2 or y in L3 (their buffer's level is TS_IN_L3): passes of stripe_h output rows (the last has fewer).
 * Stripe s needs the rows of x that output rows [s stripe_h, (s + 1) stripe_h) read, halo included. With
 * keeps_halo those that stripe s - 1 has too are copied in L2, through L1, when that stripe begins; without,
 * they are read again from L3. They go to x_stripe[s % 2], the results leave from y_stripe[s % 2], all
 * columns and channels, in one transfer. A tensor that lives in L2 has no stripe buffers: passes read and
 * write it in place. Order of the passes: chunks outside (each stripe of x is then read once a chunk; y is in
 * L2), or stripes outside (each chunk of the weights is then read once a stripe). Writes of y are complete
 * when the layer ends. */
typedef struct ts_l3_plan {
    uint64_t weights_l3_offset, weights_bytes;
    uint32_t load_at;
    uint32_t chunks, chunk_c;
    uint32_t first_step, tail_step, first_fetch;
    int32_t w_buffer; /* of its weights, or of their first chunk */
    uint32_t stripes, stripe_h;
    bool x_in_l3, x2_in_l3, y_in_l3;
    bool keeps_halo;   /* only where each stripe of x is loaded once */
    bool chunks_outer; /* loop order of the passes: chunks outside, stripes inside */
    int32_t x_stripe[2], x2_stripe[2], y_stripe[2];
} ts_l3_plan;

typedef struct ts_layer_plan {
    const ts_layer *layer;
    const ts_kernel *kernel;
    int32_t x_buffer, x2_buffer, y_buffer; /* indices into buffers, where the whole tensors live */
    int32_t *input_buffers;                /* MOVE: of each input */
    int32_t scratch_buffer;                /* targets of one level; else none */
    ts_l1_plan l1;
    ts_l3_plan l3;
    uint32_t whole_tile_c; /* channels of its tiles where it is not cut at L3 */
    /* Not 0: y may lie over x, where x begins at least so many bytes behind y's begin. Tiles have at most
     * most_h rows then, and come in the order of the rows. */
    uint64_t x_behind_y;
    uint32_t most_h;
    /* The whole map stays in L1 and has one buffer there: x is where the layer before left it, y where the
     * next one looks for it; neither is moved, and their places in L2 hold nothing. */
    bool x_stays, y_stays;
    bool w_early;                         /* the layer before loads the first tile's weights to L1 */
    bool w_early_last;                    /* beside its last tile, not from its beginning */
    uint32_t guard_bytes;                 /* behind each of its buffers in L2 */
    uint64_t l2_live_bytes;               /* of L2 that is alive while this layer runs */
    double modelled_cycles, bound_cycles; /* bound: max of compute at the ceiling and of each bus's bytes */
    double compute_cycles;                /* of modelled_cycles: kernels */
    double work_cycles;                   /* of modelled_cycles: all but waiting for L3 */
    double l3_wait_cycles;                /* of modelled_cycles: waiting for L3 */
    uint64_t dma_in_bytes, dma_out_bytes, l3_read_bytes, l3_write_bytes;
} ts_layer_plan;

typedef struct ts_plan {
    ts_arena *arena;
    const ts_graph *graph;
    const ts_target *target;
    ts_plan_options options; /* with the zeros filled in */
    ts_layer *layers;
    ts_layer_plan *layer_plans;
    uint32_t layer_count;
    TS_VEC(ts_buffer) buffers;
    TS_VEC(ts_fetch) fetches; /* in the order on the bus */
    uint32_t step_count;
    /* Of L3: what is used of the memory that is written, the weights with it unless the target keeps them
     * apart; and the image of the weights. */
    uint64_t l1_used_bytes, l2_used_bytes, l3_used_bytes, l3_weights_bytes;
    double modelled_cycles, bound_cycles; /* of all layers */
    /* Of what must be in L2, with nothing fetched ahead: by bidirectional stack, by search, live-set bound;
     * and whether the bound can be reached: yes, proved not, or not decided. */
    uint64_t l2_stack_bytes, l2_search_bytes, l2_bound_bytes;
    ts_layout_answer l2_bound_answer;
} ts_plan;

/* Plans a verified graph. TS_NO_FIT with a diagnostic that names layer, memory, what fills it, missing bytes
 * and the smallest budget that would do. Everything is owned by `arena`. */
ts_status ts_plan_build(ts_arena *arena, const ts_graph *graph, const ts_target *target,
                        const ts_plan_options *options, ts_plan **out, ts_diags *diags);

/* The smallest L1 with which the network fits whatever L2 allows, and the smallest L2 with which it fits the
 * L1 of `options` (or that smallest L1, if it is more), found by search. TS_NO_FIT where no L2 would do. */
ts_status ts_plan_smallest(ts_arena *arena, const ts_graph *graph, const ts_target *target,
                           const ts_plan_options *options, uint64_t *l1_bytes, uint64_t *l2_bytes,
                           ts_diags *diags);

/* Bytes of L2 that the program of a plan takes on a target of three levels: code, constants and the stack of
 * the fabric controller, reckoned from its layers, their kernels and their requantisations. */
uint64_t ts_plan_program_bytes(const ts_plan *plan);

/* Checks what a plan must hold: tiles cover each output exactly once, no buffer leaves its memory, live
 * buffers overlap only where a kernel overwrites what it has read, every kernel's needs are met. Used by
 * tests and by the emitter's assertions. */
ts_status ts_plan_verify(const ts_plan *plan, ts_diags *diags);

/* plan.json (docs/plan-json.md), and a table for people (base/table.h). */
void ts_plan_print_json(ts_text *out, const ts_plan *plan);
void ts_plan_print(ts_text *out, const ts_plan *plan, ts_screen screen);

#endif
