#include <string.h>

#include "model/onnx.h"

static void add_dim(ts_view *view, uint32_t size, uint32_t stride) {
    view->factors[view->factor_count].size = size;
    view->factors[view->factor_count].stride = stride;
    view->factors[view->factor_count].dim = view->rank;
    view->factor_count++;
    view->dims[view->rank++] = size;
}

void ts__view_map(ts_view *view, uint32_t spatial_rank, uint32_t h, uint32_t w, uint32_t c, bool swapped) {
    *view = (ts_view){0};
    add_dim(view, 1, 0);
    add_dim(view, c, 1);
    if (spatial_rank == 1) {
        add_dim(view, h * w, c);
        return;
    }
    add_dim(view, h, swapped ? c : w * c);
    add_dim(view, w, swapped ? h * c : c);
}

void ts__view_vector(ts_view *view, uint32_t rank, uint32_t c) {
    *view = (ts_view){0};
    for (uint32_t i = 1; i < rank; i++) {
        add_dim(view, 1, 0);
    }
    add_dim(view, c, 1);
}

uint64_t ts__view_elements(const ts_view *view) {
    uint64_t elements = 1;
    for (uint32_t i = 0; i < view->rank; i++) {
        elements *= view->dims[i];
    }
    return elements;
}

/* Deals the factors out to the new dimensions from the left, cutting a factor where a dimension ends
 * inside it. */
bool ts__view_reshape(ts_view *view, const uint32_t *dims, uint32_t rank) {
    ts_view y = {.rank = rank};
    memcpy(y.dims, dims, rank * sizeof *dims);
    uint32_t from = 0, left = 0, stride = 0;
    for (uint32_t d = 0; d < rank; d++) {
        uint32_t wanted = dims[d];
        while (wanted > 1) {
            while (left <= 1) {
                if (from == view->factor_count) {
                    return false;
                }
                left = view->factors[from].size;
                stride = view->factors[from].stride;
                from++;
            }
            uint32_t take = left <= wanted ? left : wanted;
            if (wanted % take != 0 || left % take != 0 || y.factor_count == TS_ONNX_MAX_FACTORS) {
                return false;
            }
            left /= take;
            wanted /= take;
            y.factors[y.factor_count].size = take;
            y.factors[y.factor_count].stride = stride * left;
            y.factors[y.factor_count].dim = d;
            y.factor_count++;
        }
    }
    *view = y;
    return true;
}

bool ts__view_transpose(ts_view *view, const uint32_t *permutation) {
    ts_view y = {.rank = view->rank};
    for (uint32_t d = 0; d < view->rank; d++) {
        y.dims[d] = view->dims[permutation[d]];
        for (uint32_t f = 0; f < view->factor_count; f++) {
            if (view->factors[f].dim == permutation[d]) {
                y.factors[y.factor_count] = view->factors[f];
                y.factors[y.factor_count++].dim = d;
            }
        }
    }
    *view = y;
    return true;
}

bool ts__view_stride(const ts_view *view, uint32_t dim, uint32_t *stride) {
    *stride = 0;
    uint64_t inner = 0; /* stride that a further factor to the left must have to join */
    for (uint32_t f = view->factor_count; f-- > 0;) {
        if (view->factors[f].dim != dim || view->factors[f].size == 1) {
            continue;
        }
        if (inner != 0 && view->factors[f].stride != inner) {
            return false;
        }
        if (inner == 0) {
            *stride = view->factors[f].stride;
        }
        inner = (uint64_t)view->factors[f].stride * view->factors[f].size;
    }
    return true;
}
