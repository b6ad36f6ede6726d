/* Dense convolution of unsigned 8-bit activations with weights of 9 bits, few of which need them (excess.h).
 */
#include "kernels/xpulp/excess.h"

/* A program may have no other use for them, and then kernels.h does not declare them. */
void conv_xpulp_u8s8_4x4(const struct ts_conv_tile *tile);
void conv_xpulp_u8s8_4x4_padded(const struct ts_conv_tile *tile);

void conv_xpulp_u8s9_4x4(const struct ts_conv_tile *tile) {
    excess_run(tile, conv_xpulp_u8s8_4x4, EXCESS_CHANNELS, false);
}

/* The same where tiles hold their padding. */
void conv_xpulp_u8s9_4x4_padded(const struct ts_conv_tile *tile) {
    excess_run(tile, conv_xpulp_u8s8_4x4_padded, EXCESS_CHANNELS, false);
}
