#include "plan/kernel.h"

#include <string.h>

/* The tables of rows, the preferred ones first; one a folder of device/kernels. */
typedef struct kernel_table {
    const ts_kernel *rows;
    const uint32_t *count;
} kernel_table;

static const kernel_table tables[] = {
    {ts__kernels_xpulp, &ts__kernels_xpulp_count},
    {ts__kernels_xpulp_dw, &ts__kernels_xpulp_dw_count},
    {ts__kernels_xpulp_pool, &ts__kernels_xpulp_pool_count},
    {ts__kernels_xpulp_matmul, &ts__kernels_xpulp_matmul_count},
    {ts__kernels_armv7em, &ts__kernels_armv7em_count},
    {ts__kernels_armv7em_s16, &ts__kernels_armv7em_s16_count},
    {ts__kernels_ref, &ts__kernels_ref_count},
};
enum { TABLES = sizeof tables / sizeof tables[0] };

bool ts_kernel_takes(const ts_kernel *kernel, const ts_layer *layer) {
    bool plain = layer->weights == NULL || ts_weights_zero(layer->weights) == 0;
    bool lies = kernel->x_quads == layer->x.quads && kernel->y_quads == layer->y.quads;
    bool floats = layer->x.type == TS_F32 || layer->y.type == TS_F32 ||
                  (ts_layer_has_x2(layer) && layer->x2.type == TS_F32);
    return lies && (!floats || kernel->floats) &&
           (plain || kernel->weights_zero || strcmp(kernel->isa, "ref") == 0) && kernel->serves(layer);
}

static bool admits(const ts_target *target, const ts_kernel *kernel) {
    return strcmp(kernel->isa, "ref") == 0 ||
           (target->isa != NULL && strstr(target->isa, kernel->isa) != NULL);
}

uint32_t ts_kernels_for(const ts_layer *layer, const ts_target *target, const ts_kernel **out,
                        uint32_t room) {
    uint32_t count = 0;
    for (uint32_t t = 0; t < TABLES; t++) {
        for (uint32_t i = 0; i < *tables[t].count && count < room; i++) {
            const ts_kernel *kernel = &tables[t].rows[i];
            if (admits(target, kernel) && ts_kernel_takes(kernel, layer)) {
                out[count++] = kernel;
            }
        }
    }
    return count;
}

const ts_kernel *ts_kernel_at(uint32_t index) {
    for (uint32_t t = 0; t < TABLES; t++) {
        if (index < *tables[t].count) {
            return &tables[t].rows[index];
        }
        index -= *tables[t].count;
    }
    return NULL;
}

const ts_kernel *ts_kernel_find(const char *name) {
    for (uint32_t t = 0; t < TABLES; t++) {
        for (uint32_t i = 0; i < *tables[t].count; i++) {
            if (strcmp(tables[t].rows[i].name, name) == 0) {
                return &tables[t].rows[i];
            }
        }
    }
    return NULL;
}
