/* A layer as the emitter reads its plan: shared by the files that write layers. */
#ifndef TS_EMIT_LAYER_CODE_H
#define TS_EMIT_LAYER_CODE_H

#include "emit/internal.h"

/* Rows or columns: how the tiles of the output lie over the input. */
typedef struct axis {
    uint32_t in, out, tile, stride, reach, pad_begin, pad_end;
    bool loops;                                        /* more than one tile */
    bool border;                                       /* the last tile is smaller */
    bool clips_begin, clips_end;                       /* some tile reaches outside of the input */
    bool outside;                                      /* some tile lies outside wholly */
    uint32_t most_in;                                  /* largest number of input rows of a tile */
    uint32_t first_in, first_pad_begin, first_pad_end; /* of the first tile */
} axis;

/* An operand that tiles load: x, x2 or w. */
typedef struct operand {
    const char *name;  /* in struct l1 and struct step */
    const char *field; /* in the tile struct */
    bool used;
    bool there;       /* the first tile's lies in L1 when the layer begins */
    bool loads_again; /* not only in the prologue */
    bool twin;        /* two buffers */
    const char *when; /* condition under which the next tile needs another one; NULL: every tile does */
} operand;

typedef struct code {
    const ts__emit *e;
    const ts_layer_plan *lp;
    const ts_layer *layer;
    ts_text *out;
    axis h, w;
    uint32_t tile_c, chunk_c; /* chunk_c = all channels where there is one chunk */
    uint32_t chunks;
    bool loops_c, border_c; /* channels within a chunk; the chunks are a loop of their own */
    /* A layer with activations in L3 is computed in passes: stripes of rows times chunks of channels, each
     * with a tile loop of its own. Its chunks are counted here and `chunks` is 1. */
    bool passes;
    uint32_t stripes, stripe_h, pass_chunks;
    bool channels_inner;
    bool x_follows;  /* the channels of x are those of y */
    bool adds;       /* ts_add_tile */
    bool multiplies; /* ts_matmul_tile; else, and without `adds`, ts_conv_tile */
    bool l3_busy;
    bool flat; /* no tiles: kernels work on tensors where they live */
    uint32_t tiles;
    operand x, x2, w_operand;
    bool w_sliced; /* tiles or passes have different weights */
    bool y_twin;
    const ts_layer_plan *early; /* the next layer, whose first weights this one loads; or NULL */
    const char *tile_type;
} code;

/* How the packed weights of a tile are found: bytes(c) proportional to c, or to the tile's number. */
typedef enum w_slices { W_WHOLE, W_BY_CHANNEL, W_BY_TILE, W_TABLE } w_slices;

/* Derives everything in `code` from the plan of layer `index`; text goes to `out`. Errors: a size beyond what
 * the tile structs hold. */
ts_status ts__code_init(code *k, const ts__emit *e, uint32_t index, ts_text *out);

const ts_l1_plan *ts__l1_of(const code *k);
w_slices ts__slices_of(const code *k);

/* The tile of x holds its padding; it lies in strips (device/kernels/xpulp/strips.h). */
bool ts__padded(const code *k);
bool ts__strips(const code *k);

/* Whether there is a tile loop: more than one tile, or passes. */
bool ts__loops(const code *k);

/* Layers in passes: struct pass, and the function that goes through the passes and calls compute_pass(). */
void ts__emit_pass_struct(const code *k);
void ts__emit_pass_driver(const code *k);

/* Whether any of the loops over channels turns more than once; whether a tile's channels vary in number;
 * whether x is cut with y's channels, and channels of x under `c` channels of y. */
bool ts__many_channels(const code *k);
bool ts__varying_c(const code *k);
bool ts__x_cut(const code *k);
uint32_t ts__x_channels_of(const code *k, uint32_t c);

/* Where the loops over rows and channels begin and end: the whole output, or those of the pass `p`. */
const char *ts__begin_h(const code *k);
const char *ts__end_h(const code *k);
const char *ts__begin_c(const code *k);
const char *ts__end_c(const code *k);

/* Packed bytes of the first `channels` channels of the weights; bytes of `count` elements. */
uint64_t ts__w_bytes(const code *k, uint32_t channels);
uint64_t ts__bytes_for(uint64_t count, ts_type type);

/* Expressions in C. */
const char *ts__text(const code *k, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *ts__number(const code *k, uint64_t value);
const char *ts__i32_text(const code *k, int64_t value);
const char *ts__i64_text(const code *k, int64_t value);
const char *ts__elem_name(ts_type type);

/* Bytes of `count` elements, count being an expression that needs no parentheses in a product. */
const char *ts__bytes_of(const code *k, const char *count, ts_type type, bool rounds_up);

/* Channel of x under channel `c` of y. */
const char *ts__x_channel(const code *k, const char *c);

/* The part of the file before the functions: head, constants, struct l1, the constant arguments. */
void ts__emit_layer_head(const code *k);

/* Its first and its last part: the comment and the includes; the constant arguments. */
void ts__emit_layer_comment(const code *k);
void ts__emit_shape(const code *k);

/* Where weights lie that are read from flash: the layer's first byte. */
const char *ts__flash_weights(const code *k);

/* The whole file of a layer on a target of one level. */
void ts__emit_flat_layer(const code *k);

#endif
