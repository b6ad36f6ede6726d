/* Kernel variants: which kernel can compute a layer's tile, what it needs, what it costs, and how it wants
 * its weights. One table row a variant (kernel.c); the device sources are listed with it. */
#ifndef TS_PLAN_KERNEL_H
#define TS_PLAN_KERNEL_H

#include "base/text.h"
#include "plan/layer.h"
#include "target/target.h"

typedef struct ts_kernel ts_kernel;

struct ts_kernel {
    const char *name;      /* op_isa_shape_variant: the device function's and file's name */
    const char *isa;       /* "ref", "xpulp": folder, and what the target's ISA must contain */
    const char *sources;   /* files under device/kernels that hold it, separated by spaces (kernels.def) */
    uint32_t c_granule;    /* output channels of a tile are a multiple of this, or all of them */
    uint32_t stack_bytes;  /* of a core, at most: the kernel's frame and those of what it calls; held to the
                              code by tests/device/stack_test.c */
    bool x_quads, y_quads; /* x lies, or y is written, in quads (device/kernels/tile.h) */
    /* It computes pixel by pixel (element by element where it has no window), in their order: once an output
     * is written, nothing of x is read but what this and later ones need. Not in quads. */
    bool in_order;
    bool padded_x; /* the tile in L1 holds its padding (filled with x_zero by the caller): pads are 0 */
    bool x_strips; /* the tile of x in L1 lies in strips (plan/strips.h); its padding is the kernel's business
                    */
    bool rewrites_x; /* the tile of x in L1 is no longer x afterwards (x_is_new of kernels/tile.h) */
    /* May it compute this layer (types, strides, dilation, groups, requantisation kind)? */
    bool (*serves)(const ts_layer *layer);
    bool floats;       /* it knows maps of floats; where any of a layer's is, no other serves it */
    bool weights_zero; /* of weights with a zero point; other kernels serve none, the ref ones all */
    /* Bytes of the packed weights and requantisation parameters of the first `channels` output channels; a
     * tile of channels [a, b) is the slice [bytes(a), bytes(b)) wherever a is a multiple of c_granule. */
    uint64_t (*weight_bytes)(const ts_layer *layer, uint32_t channels);
    /* Packs all output channels into `out` (weight_bytes(layer, layer->y.c) bytes). */
    void (*pack)(const ts_layer *layer, uint8_t *out);
    /* L1 scratch for a tile of these sizes, of the whole team. */
    uint64_t (*scratch_bytes)(const ts_layer *layer, const ts_tile *tile, uint32_t cores);
    /* Modelled cycles of one call on `cores` cores, fitted to the simulator (docs/cost-model.md). */
    double (*cycles)(const ts_layer *layer, const ts_tile *tile, uint32_t cores);
    /* What the first call on a new x takes in addition; NULL: nothing. */
    double (*x_cycles)(const ts_layer *layer, const ts_tile *tile, uint32_t cores);
};

/* The rows of src/plan/kernel_*.c, the preferred ones first; what ts_kernels_for() and
 * ts_kernel_find() choose from. */
extern const ts_kernel ts__kernels_ref[], ts__kernels_xpulp[], ts__kernels_xpulp_dw[],
    ts__kernels_xpulp_pool[], ts__kernels_xpulp_matmul[], ts__kernels_armv7em[], ts__kernels_armv7em_s16[];
extern const uint32_t ts__kernels_ref_count, ts__kernels_xpulp_count, ts__kernels_xpulp_dw_count,
    ts__kernels_xpulp_pool_count, ts__kernels_xpulp_matmul_count, ts__kernels_armv7em_count,
    ts__kernels_armv7em_s16_count;

/* The variants that the target's ISA admits and that serve the layer, the preferred one first; the last is
 * always the ref kernel. Returns their number, at most `room`. */
uint32_t ts_kernels_for(const ts_layer *layer, const ts_target *target, const ts_kernel **out, uint32_t room);

/* Row `index` of all tables one behind the other, NULL behind the last. */
const ts_kernel *ts_kernel_at(uint32_t index);

/* Can the kernel compute the layer? Zero points of weights are the portable kernels' business; its maps must
 * lie in memory as the kernel wants them; for the rest it is what its `serves` says. */
bool ts_kernel_takes(const ts_kernel *kernel, const ts_layer *layer);

/* The row with this name or NULL. */
const ts_kernel *ts_kernel_find(const char *name);

#endif
