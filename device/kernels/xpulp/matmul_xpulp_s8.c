/* Rows of signed bytes with rows of bytes (matmul_block.h). */
#include "kernels/xpulp/matmul_block.h"

MATMUL_DECLARE(conv_s8s8_4x4);
MATMUL_DECLARE(matmul_s8);

static const struct conv_routines plain = MATMUL_ROUTINES(conv_s8s8_4x4), offset = MATMUL_ROUTINES(matmul_s8);
static const struct matmul_routines all = {&plain, &offset, matmul_sum_s8};

void matmul_xpulp_s8(const struct ts_matmul_tile *tile) { matmul_blocks(tile, &all); }
