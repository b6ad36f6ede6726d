/* Dense convolution of 16-bit activations: 4 pixels x 4 channels at a time (conv_block.h). x = 256 h + l, and
 * so is its convolution: l is unsigned, h signed, both bytes. Where the h of a block's windows are all 0,
 * they are left out: then it takes the time of 8-bit activations, otherwise twice as long. */
#include "kernels/xpulp/conv_block.h"

conv_routine XPULP_NAMES_ROUNDED(conv_s16s8_4x4);
conv_split_routine conv_split;

static const struct conv_routines all = {XPULP_TABLE_ROUNDED(conv_s16s8_4x4),
                                         XPULP_TABLE_ROUNDED(conv_s16s8_4x4), 0};

void conv_s16s8_4x4(const struct ts_conv_tile *tile, const struct conv_routines *routines) {
    conv_blocks(tile, routines, conv_split, false);
}

void conv_xpulp_s16s8_4x4(const struct ts_conv_tile *tile) { conv_s16s8_4x4(tile, &all); }

/* The same where tiles hold their padding: no window leaves x. */
void conv_xpulp_s16s8_4x4_padded(const struct ts_conv_tile *tile) { conv_s16s8_4x4(tile, &all); }
