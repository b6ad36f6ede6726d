/* The importer of float networks, shared between its two files: the walk over the nodes (onnx_float.c) and
 * the operators (onnx_float_ops.c).
 *
 * A value has up to two forms, one in the file's order and one with the channels last; whichever a reader
 * wants and is not there yet is made by a TRANSPOSE, once. */
#ifndef TS_MODEL_ONNX_FLOAT_H
#define TS_MODEL_ONNX_FLOAT_H

#include <string.h>

#include "model/float_model.h"
#include "model/onnx.h"

typedef struct ts__forms {
    ts_tensor_id file, last; /* TS_NONE where not made; one tensor for both where no order differs */
} ts__forms;

typedef struct ts__float_importer {
    ts_onnx *net;
    ts_fgraph *graph;
    ts__forms *values; /* one a value of net */
} ts__float_importer;

/* A node that is being read. */
typedef struct ts__site {
    ts__float_importer *im;
    const ts_onnx_node *node;
    const ts_float_operator *row; /* NULL for the network's outputs */
} ts__site;

/* Replaces integer operators with quanta by dequantisations, float operators and quantisations
 * (onnx_qlinear.c). */
ts_status ts__onnx_spell_out(ts_onnx *net);

/* Row of an operator, NULL where it is not served. */
const ts_float_operator *ts__float_operator(const char *op);

/* Adds the nodes that `site` stands for and sets its outputs. */
ts_status ts__float_import(const ts__site *site);

/* An error of the node. */
ts_status ts__float_refuse(const ts__site *s, const char *what);

/* The forms of an input, at least one of them made. */
ts_status ts__float_forms(const ts__site *s, uint32_t input, ts__forms **out);

/* Input `input` in the file's order, or with its channels last. */
ts_status ts__float_take(const ts__site *s, uint32_t input, bool last, ts_tensor_id *out);

/* A short list of integers: an attribute in old files, input `input` in newer ones. */
ts_status ts__float_int_list(const ts__site *s, uint32_t input, const char *name, const int64_t **out,
                             uint32_t *count);

static inline bool ts__is(const ts__site *s, const char *op) { return strcmp(s->node->op, op) == 0; }

static inline const ts_ftensor *ts__float_tensor(const ts__float_importer *im, ts_tensor_id id) {
    return &im->graph->tensors.data[id];
}

/* Ranks whose dimensions have two orders. */
static inline bool ts__has_order(uint32_t rank) { return rank == 3 || rank == 4; }

/* Dimension of the other order that dimension d of this one is. */
static inline uint32_t ts__file_to_last(uint32_t rank, uint32_t d) {
    return d == 0 ? 0 : d == 1 ? rank - 1 : d - 1;
}
static inline uint32_t ts__last_to_file(uint32_t rank, uint32_t d) {
    return d == 0 ? 0 : d == rank - 1 ? 1 : d + 1;
}

#endif
