/* Dense convolution of unsigned 8-bit activations: 4 pixels x 4 channels at a time (conv_block.h). */
#include "kernels/xpulp/conv_block.h"

conv_routine conv_u8s8_4x4_line_u8, conv_u8s8_4x4_line_bound, conv_u8s8_4x4_line_s32c, conv_u8s8_4x4_line_raw;
conv_routine conv_u8s8_4x4_window_u8, conv_u8s8_4x4_window_bound, conv_u8s8_4x4_window_s32c,
    conv_u8s8_4x4_window_raw;

static const struct conv_routines routines = {
    {conv_u8s8_4x4_line_u8, conv_u8s8_4x4_line_bound, conv_u8s8_4x4_line_s32c, conv_u8s8_4x4_line_raw},
    {conv_u8s8_4x4_window_u8, conv_u8s8_4x4_window_bound, conv_u8s8_4x4_window_s32c,
     conv_u8s8_4x4_window_raw}};

void conv_xpulp_u8s8_4x4(const struct ts_conv_tile *tile) { conv_blocks(tile, 0, &routines); }

/* The same where the tile holds its padding: no window is gathered. */
void conv_xpulp_u8s8_4x4_padded(const struct ts_conv_tile *tile) { conv_blocks(tile, 0, &routines); }
