/* Tiles of x in strips (device/kernels/xpulp/strips.h): their sizes. */
#ifndef TS_PLAN_STRIPS_H
#define TS_PLAN_STRIPS_H

#include "plan/layer.h"

typedef struct ts_x_strips {
    uint32_t strips;     /* of the tile: `copies` for each column of outputs */
    uint32_t copies;     /* 1, 2 or 4 */
    uint32_t line_bytes; /* loaded for each row of x */
    uint64_t bytes;      /* of all strips */
} ts_x_strips;

/* Of a tile whose y_h and y_w are set, x being of bytes. */
ts_x_strips ts_x_strips_of(const ts_layer *layer, const ts_tile *tile);

#endif
