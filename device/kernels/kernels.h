/* Declares every kernel of kernels.def. */
#ifndef TS_KERNELS_KERNELS_H
#define TS_KERNELS_KERNELS_H

#include "tile.h"

#define TS_CONV_KERNEL(name, isa, twin, sources)   void name(const struct ts_conv_tile *tile);
#define TS_ADD_KERNEL(name, isa, twin, sources)    void name(const struct ts_add_tile *tile);
#define TS_MATMUL_KERNEL(name, isa, twin, sources) void name(const struct ts_matmul_tile *tile);
#include "kernels.def"

#endif
