/* Reading float networks. All files are untrusted. */
#ifndef TS_MODEL_FLOAT_MODEL_H
#define TS_MODEL_FLOAT_MODEL_H

#include "base/file.h"
#include "ir/float_graph.h"

typedef struct ts_float_model_options {
    /* Whole files of the message TensorProto: each stands for the network input of its name, which becomes
     * a constant. Shapes and bounds that a file leaves open are given so. */
    const ts_bytes *constants;
    uint32_t constant_count;
    const char *folder; /* of the model, whose files may hold data of its constants; NULL: none does.
                           ts_float_model_read() knows it */
} ts_float_model_options;

/* Reads a float network in ONNX, opset 7 to 17. Dimensions without a size (the batch) become 1. Shape
 * arithmetic is computed; float nodes on constants are left for ts_fgraph_fold(). `options` may be NULL. */
ts_status ts_float_model_read(ts_arena *arena, const char *path, const ts_float_model_options *options,
                              ts_fgraph **out, ts_diags *diags);

/* The same from bytes; `name` names the graph. */
ts_status ts_float_model_parse(ts_arena *arena, ts_bytes file, const char *name,
                               const ts_float_model_options *options, ts_fgraph **out, ts_diags *diags);

/* Writes a float graph as ONNX, opset 14, with channels-first maps; the graph's inputs and outputs keep their
 * names. What is read back computes the same. FAKE_QUANT becomes QuantizeLinear and DequantizeLinear (and a
 * Clip where its bounds are narrower than 8 bits), DEQUANT of constants integers of 8 bits, or 32 where they
 * are a vector: ONNX's QDQ form. Errors: dilated average pools, grids that round down. */
ts_status ts_float_model_write(const ts_fgraph *graph, const char *path, ts_diags *diags);

/* Reads a file of the message TensorProto as floats, in the file's order. */
ts_status ts_tensor_proto_read(ts_arena *arena, ts_bytes file, ts_ftensor *out, ts_diags *diags);

/* What the float importer says of an ONNX operator. */
typedef struct ts_float_operator {
    const char *name;
    const char
        *attributes;    /* that are read, separated by spaces; in brackets those that change nothing here */
    const char *limits; /* "" where all of the operator is served */
    ts_fop op;          /* of the float graph; TS_FOP_COUNT: nothing is computed */
} ts_float_operator;

/* Operators that the float importer reads, in alphabetical order: NULL behind the last. */
const ts_float_operator *ts_float_model_operator(uint32_t index);

#endif
