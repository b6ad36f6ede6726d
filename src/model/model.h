/* Reading and writing model files, goldens and tensors. All files are untrusted. */
#ifndef TS_MODEL_MODEL_H
#define TS_MODEL_MODEL_H

#include "base/file.h"
#include "ir/graph.h"

typedef struct ts_model_options {
    bool saturate_add;  /* plain residual adds clip to 8 bits as the chip does (default: exact, 16 bits) */
    bool allow_float;   /* operators that stay in floats between quantised ones are computed so, on the target
                           too (default: an error that names them) */
    int32_t input_bits; /* 0: from the dialect's JSON file beside the model, else 8 */
    int32_t input_signed; /* -1: from the JSON, else unsigned */
    const char *folder;   /* of the model, whose files may hold data of its constants; NULL: none does.
                             ts_model_read() knows it */
} ts_model_options;

/* Reads a network: ONNX in the NEMO or Quantlab integer dialect, or the text form (*.tsg).
 * `path` may also be a folder of the dialects' kind, or its JSON file: then the file's `onnx_file`
 * is read with its `input_bits` and `input_signed`. The graph is verified. */
ts_status ts_model_read(ts_arena *arena, const char *path, const ts_model_options *options, ts_graph **out,
                        ts_diags *diags);

/* ONNX operators of the integer dialects and what becomes of them: NULL behind the last. */
const char *ts_model_operator(uint32_t index, const char **becomes);

/* ONNX operators with quanta of their own and the float operator that they are spelled out as, between
 * dequantisations and a quantisation: NULL behind the last. */
const char *ts_model_quantised_operator(uint32_t index, const char **becomes);

/* Operators of TensorFlow Lite files, and whether only their form in floats is read: NULL behind the last. */
const char *ts_model_tflite_operator(uint32_t index, bool *floats_only);

/* Writes an integer graph as ONNX in the NEMO dialect (as a file that appears whole).
 * The importer reads it back to an equal graph; where the input is not u8, its bits and sign have to be
 * said to the importer (the dialects' JSON file beside the model does). */
ts_status ts_model_write_nemo(const ts_graph *graph, const char *path, ts_diags *diags);

/* Writes an integer graph as `path` says: *.tsg the text form; *.onnx the NEMO dialect, with the dialects'
 * JSON beside it that says what the ONNX file cannot. Errors: another ending; a JSON file of that name that
 * belongs to something else. */
ts_status ts_model_write(ts_arena *arena, const ts_graph *graph, const char *path, ts_diags *diags);

/* Writes a network in TensorFlow Lite's form (ts_generate_options.tflite) as a file of int8, as a file that
 * appears whole. Multipliers become scales of single precision, a pooling's mean is TensorFlow Lite's, and a
 * last layer of 32 bits gets 8: the file is a network of its own with the same layers, weights and biases.
 * Errors: other requantisations and operators, named. */
ts_status ts_model_write_tflite(const ts_graph *graph, const char *path, ts_diags *diags);

/* The step of the input of `model` as ts_model_write() notes it in the JSON beside the file; 0 where it is
 * not. */
double ts_model_input_scale(ts_arena *arena, const char *model);

/* Order in which a golden file turned out to be written. */
typedef enum ts_golden_order { TS_ORDER_HWC, TS_ORDER_CHW } ts_golden_order;

/* One sample of a golden folder: the input and the output of each layer (NULL where no file exists),
 * as int32_t values in file order with their counts. */
typedef struct ts_golden_sample {
    const int32_t *input;
    uint64_t input_count;
    uint32_t layer_count; /* highest file number + 1 */
    const int32_t **layers;
    uint64_t *layer_counts;
} ts_golden_sample;

typedef struct ts_goldens {
    uint32_t sample_count;
    ts_golden_sample *samples;
} ts_goldens;

/* Reads input.txt, out_layer<i>.txt, or input_<k>.txt, out_<k>_layer<i>.txt of a folder (rules: the
 * dialects page, sections 4 and 5; docs/goldens.md). */
ts_status ts_goldens_read(ts_arena *arena, const char *folder, ts_goldens *out, ts_diags *diags);

/* Reads a file of numbers in the dialects' text format. */
ts_status ts_text_values_read(ts_arena *arena, const char *path, const int32_t **values, uint64_t *count,
                              ts_diags *diags);

/* Reads values for `tensor` from a text file (*.txt), raw bytes in the tensor's type (*.bin, or any other
 * name) or a NumPy array (*.npy of an integer type or whole floats), in H, W, C order. */
ts_status ts_tensor_values_read(ts_arena *arena, const char *path, const ts_tensor *tensor,
                                const int32_t **values, ts_diags *diags);

/* The same of the bytes of a *.npy file. */
ts_status ts_npy_tensor_values(ts_arena *arena, ts_bytes file, const ts_tensor *tensor,
                               const int32_t **values, ts_diags *diags);

/* Compares a golden layer with computed values in H, W, C order, then in C, H, W order.
 * `first` is the first differing element (in H, W, C index of the better order), -1 when equal. */
typedef struct ts_golden_match {
    bool equal;
    ts_golden_order order;
    int64_t first;
    int32_t expected, actual;
    uint64_t differing;
} ts_golden_match;
ts_golden_match ts_golden_compare(const int32_t *golden, const int32_t *values, uint32_t h, uint32_t w,
                                  uint32_t c);

#endif
