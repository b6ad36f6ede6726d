/* Dense convolution of 16-bit activations whose outputs lie in quads (conv_block.h, kernels/tile.h). */
#include "kernels/xpulp/conv_block.h"

conv_routine XPULP_NAMES(conv_s16s8_4x4_quads);
conv_split_routine conv_split;

static const struct conv_routines all = {XPULP_TABLE_IN_LINE(conv_s16s8_4x4_quads),
                                         XPULP_TABLE_IN_LINE(conv_s16s8_4x4_quads), 0};

void conv_xpulp_s16s8_4x4_quads(const struct ts_conv_tile *tile) { conv_s16s8_4x4(tile, &all); }

/* The same where tiles hold their padding: no window leaves x. */
void conv_xpulp_s16s8_4x4_padded_quads(const struct ts_conv_tile *tile) { conv_s16s8_4x4(tile, &all); }
