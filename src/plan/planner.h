/* Inside src/plan: what the parts of the planner share. ts_plan_build() (plan.c) prepares layers, kernels and
 * tiles; memory.c decides what lives where and when; schedule.c knows when the L3 bus is busy. */
#ifndef TS_PLAN_PLANNER_H
#define TS_PLAN_PLANNER_H

#include "plan/layout.h"
#include "plan/plan.h"
#include "plan/tile.h"

/* An activation tensor: its bytes, the layers between which it is needed, and where it lives. */
typedef struct ts_life {
    bool used;
    bool is_input, is_output;
    uint64_t bytes;
    uint32_t first, last;
    uint32_t readers;   /* layers that read it */
    uint32_t last_read; /* 1 + the last of them; 0: none */
    bool in_l3;
    int32_t buffer;
} ts_life;

/* Tiles that were chosen for a pass, and all that the choice depends on: passes are tried more than once, and
 * layers of one shape have the same. */
typedef struct ts_tiled_pass {
    uint32_t shape; /* shapes[] of the layer */
    const ts_kernel *kernel;
    ts_rq_class rq_class;
    int64_t rq_div;
    int32_t rq_low, rq_high;
    uint32_t most_h;
    bool x_stays, y_stays;
    ts_l1_plan l1;
} ts_tiled_pass;

/* A step as it is known while fetches are chosen (plan.h, ts_buffer). */
typedef struct ts_step {
    uint32_t layer;
    uint64_t used_bytes; /* of L2, by what has been decided so far */
    double begin_cycles;
} ts_step;

/* Activations and stripes laid out alone, as low as they go. Chunks of weights do not change them. */
typedef struct ts_low_layout {
    uint64_t *offsets; /* of each buffer that is no weights; NULL: not laid out yet */
    uint64_t bytes;
} ts_low_layout;

typedef struct ts_planner {
    ts_arena *arena;
    const ts_graph *graph;
    const ts_target *target;
    ts_plan *plan;
    ts_diags *diags;
    bool puts_quads;    /* maps may lie in quads */
    bool turns_columns; /* windows that slide down a column slide along a row */
    ts_life *lives;     /* one a tensor of the graph */
    uint64_t l2_bytes;  /* the budget that is being tried */
    uint32_t *shapes;   /* of each layer the first that differs from it in names and numbers alone */
    TS_VEC(ts_tiled_pass) tiled;
    uint32_t lost_layer; /* whose weights found no place in ts__place_fetches() */
    bool *holds;         /* no weights of later layers are fetched while this layer runs */
    TS_VEC(ts_step) steps;
    /* L2 bytes of each layer's activations and stripes, and in its last tile, filled when fetches are chosen
     */
    uint64_t *resident, *tail_resident;
    ts_low_layout low[TS_LAYOUT_ORDERS];
    TS_VEC(double) arrivals; /* when each fetch is complete, filled by ts__schedule() */
} ts_planner;

/* Why a network does not fit: the layer, and what it needs of L2 at least. */
typedef struct ts_shortage {
    uint32_t layer;
    uint64_t need_bytes, activation_bytes, weight_bytes;
} ts_shortage;

/* The pass geometry of a layer plan: rows and channels of a full pass. */
ts_pass ts__pass_of(const ts_planner *p, const ts_layer_plan *lp, uint32_t h, uint32_t c);

/* Chooses L1 tiles for the passes that lp->l3 describes and sets its modelled cycles (no waiting for L3).
 * False where not even the smallest tile fits L1. */
bool ts__plan_passes(ts_planner *p, ts_layer_plan *lp);

/* Has the target one level, so that kernels work on whole tensors where they live? */
bool ts__is_flat(const ts_target *target);

/* As ts__plan_passes(), for a target of one level: one call, or one for each block of weights that is copied
 * to a buffer. Needs nothing but RAM, so never fails. */
void ts__plan_flat(const ts_planner *p, ts_layer_plan *lp);

/* How many bytes before x the result of a layer may begin, so that its kernel overwrites nothing that it
 * still needs, where x dies with the layer; false where the two must lie apart. */
bool ts__overlap_lag(const ts_layer_plan *lp, const ts_map_shape *x, uint64_t *lag_bytes);

/* Lays out the RAM of a target of one level, results in the place of dying inputs where that needs less. Sets
 * the offsets, l2_live_bytes, and the plan's bytes and bound. */
void ts__lay_out_flat(ts_planner *p);

/* As ts__memory_plan(), for targets without L3: activations live in one RAM, weights in flash. */
bool ts__near_memory_plan(ts_planner *p, ts_shortage *shortage);

/* Packed weights of output channels [0, channels), rounded up to whole words. */
uint64_t ts__weight_bytes(const ts_layer_plan *lp, uint32_t channels);

/* L2 bytes of the weights of this layer at least: whole, or two chunks of the kernel's granule. */
uint64_t ts__least_weights(const ts_layer_plan *lp);

/* Rows of x (x2) that stripe `stripe` of this layer reads. */
uint32_t ts__stripe_rows(const ts_layer_plan *lp, uint32_t stripe, uint32_t *begin);

/* Rows of x that stripe `stripe` shares with the one before it. */
uint32_t ts__halo_rows(const ts_layer_plan *lp, uint32_t stripe);

/* How often chunks of weights (1: the weights whole) are loaded in all: the steps of a layer. */
uint32_t ts__chunk_loads(const ts_layer_plan *lp);

/* L2 bytes of the `part`-th load of a layer's weights, and its first byte in them. */
uint64_t ts__chunk_bytes(const ts_layer_plan *lp, uint32_t part, uint64_t *first);

/* Bytes that a layer's stripes carry over the border to L3. */
uint64_t ts__stripe_traffic(const ts_layer_plan *lp);

/* L2 bytes of the activations that are alive while a layer runs, and of its stripes: of one layer; of all,
 * and those that are left of them in the layer's last tile. */
uint64_t ts__resident_bytes(const ts_planner *p, uint32_t layer);
void ts__resident_bytes_of_all(const ts_planner *p, uint64_t *bytes, uint64_t *tail_bytes);

/* Cycles of a layer's last tile, about, where it has a step of its own (ts_l3_plan). */
double ts__tail_cycles(const ts_layer_plan *lp);

/* Numbers the steps of all layers, and sets the steps of the buffers that live for whole layers. */
void ts__number_steps(ts_planner *p);

/* Chooses the fetches of all weights and the steps with which they start: each as early as L2 has room, in
 * the order in which they are needed, but not before the bus has time for it. ts__try_fetches() counts bytes
 * only. ts__place_fetches() gives each its place between the buffers that are laid out, and makes a buffer of
 * it; buffers of role WEIGHTS, one a layer for its weights or for two chunks, keep room for what cannot be
 * fetched earlier, and are dropped. Without them some fetch may find no place: false. */
void ts__try_fetches(ts_planner *p);
bool ts__place_fetches(ts_planner *p);

/* Lets y lie over x in layers whose maps would not fit L2 apart, where x dies with the layer (overlay.c):
 * sets x_behind_y and tiles in the order of the rows. False where there is none. */
bool ts__choose_overlaps(ts_planner *p);

/* L2 bytes that a layer needs less for it. */
uint64_t ts__overlap_saves(const ts_layer_plan *lp);

/* Back to maps that lie apart; tiles are to be planned again. */
void ts__forget_overlap(ts_layer_plan *lp);

/* Chooses the maps that stay in L1 between two layers, so that the modelled cycles of all layers are fewest,
 * and tiles for them (stay.c); nothing else of the plan changes. */
void ts__choose_staying(ts_planner *p);

/* Places the buffers of all layers in L1: at its lower and its upper end in turn, so that a layer's two maps
 * that stay lie apart, and the first weights of a layer may be loaded while the one before runs (w_early). To
 * be called when the L3 bus has been scheduled. */
void ts__lay_out_l1(ts_planner *p);

/* Cycles that a layer takes more because its kernel's code is not in the instruction cache yet; and that a
 * tile takes more because cores fetch it again and again (code.c). */
double ts__cold_cycles(const ts_plan *plan, uint32_t layer);
double ts__refill_cycles(const ts_target *target, const ts_layer *layer, const ts_tile *tile, uint32_t cores);

/* Cycles in which core 0 copies the rows that two stripes share, through L1. */
double ts__halo_cycles(const ts_target *target, const ts_layer_plan *lp, uint32_t stripe);

/* The most rows that a stripe of `stripe_h` output rows reads. */
uint32_t ts__stripe_rows_most(const ts_layer *layer, uint32_t stripe_h);

/* Decides, for p->l2_bytes of L2: which activations live in L3, how each layer's weights come, which stripes
 * and chunks it is cut into, when weights are fetched, and lays out L2 and L3. With `quick` nothing is
 * prefetched and L1 tiles are not chosen again: enough to know whether it fits. False, with the reason, where
 * it does not. */
bool ts__memory_plan(ts_planner *p, bool quick, ts_shortage *shortage);

/* Runs the model of the L3 bus over all layers, with the fetches that have been chosen: fills l3_wait_cycles,
 * modelled_cycles and L3 bytes. Returns the network's cycles. */
double ts__schedule(ts_planner *p);

/* Modelled cycles of one layer alone, the L3 bus idle and nothing fetched before, two chunks in L2. */
double ts__schedule_alone(ts_planner *p, uint32_t layer);

#endif
