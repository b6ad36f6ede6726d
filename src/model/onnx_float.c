/* The importer of float networks: ONNX nodes -> float graph, channels last where a layout is meant. */
#include <math.h>
#include <string.h>

#include "model/onnx_float.h"
#include "model/tflite.h"

static double real_of(const ts_constant *c, uint64_t i) {
    return c->ints != NULL ? (double)c->ints[i] : c->reals[i];
}

/* Shape of an activation as a constant, or the part [start, end) of it. */
static ts_status fold_shape(const ts__site *s) {
    ts__forms *f;
    int64_t from, to, sizes[TS_MAX_RANK];
    TS_TRY(ts__float_forms(s, 0, &f));
    bool last = f->file == TS_NONE;
    const ts_ftensor *t = ts__float_tensor(s->im, last ? f->last : f->file);
    int64_t rank = t->rank;
    TS_TRY(ts__onnx_attr_int(s->im->net, s->node, "start", 0, &from));
    TS_TRY(ts__onnx_attr_int(s->im->net, s->node, "end", rank, &to));
    from = from < 0 ? from + rank : from;
    to = to < 0 ? to + rank : to;
    from = from < 0 ? 0 : from;
    to = to > rank ? rank : to;
    uint32_t count = 0;
    for (int64_t d = from; d < to; d++) {
        sizes[count++] = t->dims[last ? ts__file_to_last(t->rank, (uint32_t)d) : (uint32_t)d];
    }
    s->im->net->values.data[s->node->outputs[0]].constant =
        ts__constant_ints(s->im->net->scratch, sizes, count, false);
    return TS_OK;
}

/* A slice of a short list: what exporters cut out of shapes. */
static ts_status fold_slice(const ts__site *s) {
    const ts_constant *x = ts__onnx_const_input(s->im->net, s->node, 0);
    const int64_t *starts, *ends, *steps;
    uint32_t a, b, c;
    TS_TRY(ts__float_int_list(s, 1, "starts", &starts, &a));
    TS_TRY(ts__float_int_list(s, 2, "ends", &ends, &b));
    TS_TRY(ts__float_int_list(s, 4, "steps", &steps, &c));
    if (x->rank != 1 || x->ints == NULL || x->count > 64 || a != 1 || b != 1 || (c == 1 && steps[0] != 1) ||
        c > 1) {
        return ts__float_refuse(s, "of constants, only short lists are sliced");
    }
    int64_t count = (int64_t)x->count, values[64];
    int64_t from = starts[0] < 0 ? starts[0] + count : starts[0],
            to = ends[0] < 0 ? ends[0] + count : ends[0];
    from = from < 0 ? 0 : from;
    to = to > count ? count : to;
    uint32_t kept = 0;
    for (int64_t i = from; i < to; i++) {
        values[kept++] = x->ints[i];
    }
    s->im->net->values.data[s->node->outputs[0]].constant =
        ts__constant_ints(s->im->net->scratch, values, kept, false);
    return TS_OK;
}

static bool all_small_constants(const ts__site *s) {
    for (uint32_t i = 0; i < s->node->input_count; i++) {
        const ts_constant *c = ts__onnx_const_input(s->im->net, s->node, i);
        if (s->node->inputs[i] != TS_NONE && (c == NULL || c->count > 64)) {
            return false;
        }
    }
    return s->node->input_count > 0;
}

/* Integer arithmetic on constants is shape arithmetic; floats become nodes that are folded later. */
static ts_status import_node(const ts__site *s) {
    const ts_constant *x = ts__onnx_const_input(s->im->net, s->node, 0);
    bool quantum = ts__is(s, "DequantizeLinear") || ts__is(s, "QuantizeLinear");
    bool integer = x != NULL && x->integer_type && all_small_constants(s) && !quantum;
    bool folded = false;
    if (s->node->output_count == 0 || s->node->outputs[0] == TS_NONE) {
        return TS_OK;
    }
    if (ts__is(s, "Shape")) {
        return fold_shape(s);
    }
    if (ts__is(s, "Slice") && integer) {
        return fold_slice(s);
    }
    bool renames = x != NULL && (ts__is(s, "Identity") || ts__is(s, "Cast"));
    if (ts__is(s, "Constant") || integer || renames) {
        TS_TRY(ts__onnx_fold(s->im->net, s->node, &folded));
        if (folded) {
            return TS_OK;
        }
    }
    ts__site known = *s;
    const char *domain = s->node->proto->domain;
    bool foreign = domain != NULL && *domain != '\0' && strcmp(domain, "ai.onnx") != 0;
    known.row = foreign ? NULL : ts__float_operator(s->node->op);
    return known.row == NULL ? ts__float_refuse(s, "this operator is not served in float networks")
                             : ts__float_import(&known);
}

static ts_status bad_input(ts__float_importer *im, const char *name, const char *what) {
    return ts_error(im->net->diags, TS_DIAG_SHAPE, NULL, NULL, "network input '%s' %s", name, what);
}

static bool is_one_of(const char *op, const char *const *list) {
    for (; *list != NULL; list++) {
        if (strcmp(op, *list) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether value v reaches an operator that takes channels first, through operators that keep the order; at
 * most
 * `*left` values are looked at. */
static bool leads_to_planes(const ts_onnx *net, uint32_t v, uint32_t *left) {
    static const char *const takes[] = {
        "Conv", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", "BatchNormalization", NULL};
    static const char *const keeps[] = {
        "Pad",  "Sub",     "Add", "Mul",   "Div",   "Clip",   "Relu",           "Identity",
        "Cast", "Dropout", "Neg", "Slice", "Split", "Concat", "QuantizeLinear", "DequantizeLinear",
        NULL};
    if (*left == 0) {
        return false;
    }
    --*left;
    for (uint32_t i = 0; i < net->order_count; i++) {
        const ts_onnx_node *n = &net->nodes[net->order[i]];
        bool reads = false;
        for (uint32_t k = 0; k < n->input_count; k++) {
            reads = reads || n->inputs[k] == v;
        }
        if (reads && n->inputs[0] == v && is_one_of(n->op, takes)) {
            return true;
        }
        if (reads && is_one_of(n->op, keeps) && n->output_count > 0 && n->outputs[0] != TS_NONE &&
            leads_to_planes(net, n->outputs[0], left)) {
            return true;
        }
    }
    return false;
}

/* The tensor of a network input; with its channels last where the network takes them first. */
static void new_input(ts__float_importer *im, uint32_t v, const ts_ftensor *file) {
    ts_ftensor input = *file;
    uint32_t left = 32;
    bool last = ts__has_order(file->rank) && leads_to_planes(im->net, v, &left);
    for (uint32_t d = 0; last && d < file->rank; d++) {
        input.dims[ts__file_to_last(file->rank, d)] = file->dims[d];
    }
    input.layout = last ? TS_LAYOUT_CHANNELS_LAST : TS_LAYOUT_FILE;
    ts_tensor_id id = ts_fgraph_add_tensor(im->graph, &input);
    TS_PUSH(im->graph->arena, &im->graph->inputs, id);
    im->values[v].file = last ? TS_NONE : id;
    im->values[v].last = last || !ts__has_order(file->rank) ? id : TS_NONE;
}

/* 8-bit integers are floats to what dequantises or moves them; other operators have rules for integers. */
static bool is_read_as_codes(const ts__float_importer *im, uint32_t v) {
    static const char *const readers[] = {"DequantizeLinear", "Reshape",   "Transpose", "Flatten",
                                          "Squeeze",          "Unsqueeze", "MaxPool",   "Identity"};
    for (uint32_t n = 0; n < im->net->node_count; n++) {
        const ts_onnx_node *node = &im->net->nodes[n];
        bool fits = false;
        for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
            fits = fits || strcmp(node->op, readers[i]) == 0;
        }
        for (uint32_t i = 0; i < node->input_count; i++) {
            if (node->inputs[i] == v && !fits) {
                return false;
            }
        }
    }
    return true;
}

static ts_status add_input(ts__float_importer *im, uint32_t v) {
    const ts_onnx_value *value = &im->net->values.data[v];
    const Onnx__TypeProto *type = value->input->type;
    const Onnx__TypeProto__Tensor *t =
        type != NULL && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? type->tensor_type : NULL;
    if (t == NULL || t->shape == NULL || t->shape->n_dim > TS_MAX_RANK) {
        return bad_input(im, value->name, "has no shape, or one of more than 6 dimensions");
    }
    bool codes = t->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__UINT8 ||
                 t->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8;
    if (t->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT && !(codes && is_read_as_codes(im, v))) {
        return bad_input(im, value->name, "is not of type float, or of 8 bits that are dequantised");
    }
    ts_ftensor input = {.name = ts_arena_strdup(im->graph->arena, value->name),
                        .rank = (uint32_t)t->shape->n_dim,
                        .codes = !codes                                                 ? TS_F32
                                 : t->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__UINT8 ? TS_U8
                                                                                        : TS_S8,
                        .producer = TS_NONE};
    uint64_t elements = 1;
    for (uint32_t d = 0; d < input.rank; d++) {
        const Onnx__TensorShapeProto__Dimension *dim = t->shape->dim[d];
        bool known = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (!known && d > 0) {
            return bad_input(im, value->name,
                             "has a size that is not fixed; only the first, the batch, may be left open");
        }
        int64_t size = known ? dim->dim_value : 1;
        size = d == 0 && size < 1 ? 1 : size;
        if (size < 1 || size > TS_ONNX_MAX_DIM || elements * (uint64_t)size > TS_ONNX_MAX_ELEMENTS) {
            return bad_input(im, value->name, "has a dimension that is 0, negative or absurdly large");
        }
        elements *= (uint64_t)size;
        input.dims[d] = (uint32_t)size;
    }
    new_input(im, v, &input);
    return TS_OK;
}

static ts_status decode_constants(ts__float_importer *im) {
    for (uint32_t v = 0; v < im->net->values.count; v++) {
        ts_onnx_value *value = &im->net->values.data[v];
        im->values[v] = (ts__forms){TS_NONE, TS_NONE};
        if (value->initializer != NULL && value->constant == NULL) {
            TS_TRY(ts__constant_decode(im->net, NULL, value->initializer, &value->constant));
        }
    }
    for (size_t i = 0; i < im->net->proto->n_input; i++) {
        uint32_t v = ts__onnx_find(im->net, im->net->proto->input[i]->name);
        const ts_onnx_value *value = &im->net->values.data[v];
        if (value->constant == NULL && value->uses != 0) {
            TS_TRY(add_input(im, v));
        }
    }
    return TS_OK;
}

static Onnx__TensorProto *unpack_tensor(ts_bytes file) {
    return onnx__tensor_proto__unpack(NULL, file.size, file.data);
}

/* Inputs that the caller gives as constants. */
static ts_status bind_constants(ts__float_importer *im, const ts_float_model_options *options) {
    for (uint32_t i = 0; options != NULL && i < options->constant_count; i++) {
        Onnx__TensorProto *proto = unpack_tensor(options->constants[i]);
        ts_constant *c = NULL;
        ts_status status = proto == NULL ? ts_error(im->net->diags, TS_DIAG_SYNTAX, NULL, NULL,
                                                    "a constant given for an input is no TensorProto")
                                         : ts__constant_decode(im->net, NULL, proto, &c);
        if (status == TS_OK) {
            c->name = ts_arena_strdup(im->net->scratch, c->name);
            uint32_t v = ts__onnx_find(im->net, c->name);
            if (v != TS_NONE) {
                im->net->values.data[v].constant = c;
            }
        }
        onnx__tensor_proto__free_unpacked(proto, NULL);
        TS_TRY(status);
    }
    return TS_OK;
}

static ts_status add_outputs(ts__float_importer *im) {
    for (uint32_t i = 0; i < im->net->output_count; i++) {
        ts_onnx_node reader = {.name = "", .op = "output", .input_count = 1, .inputs = &im->net->outputs[i]};
        reader.name = im->net->values.data[im->net->outputs[i]].name;
        ts__site s = {.im = im, .node = &reader};
        ts_tensor_id out;
        TS_TRY(ts__float_take(&s, 0, false, &out));
        im->graph->tensors.data[out].name =
            im->graph->tensors.data[out].producer == TS_NONE
                ? im->graph->tensors.data[out].name
                : ts_arena_strdup(im->graph->arena, im->net->values.data[im->net->outputs[i]].name);
        TS_PUSH(im->graph->arena, &im->graph->outputs, out);
    }
    return TS_OK;
}

static ts_status import_graph(ts__float_importer *im, ts_bytes file, const ts_float_model_options *options) {
    Onnx__ModelProto *model;
    uint64_t fetched;
    TS_TRY(ts__onnx_unpack(im->net->scratch, file, &model, im->net->diags));
    TS_TRY(ts__onnx_fetch(im->net->scratch, model->graph, options == NULL ? NULL : options->folder, &fetched,
                          im->net->diags));
    im->net->work_left += 64 * fetched;
    TS_TRY(ts__onnx_load(im->net, model));
    if (im->net->opset < 7 || im->net->opset > 17) {
        ts_warn(im->net->diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                "opset %lld; operators are read as in opsets 7 to 17", (long long)im->net->opset);
    }
    TS_TRY(bind_constants(im, options));
    TS_TRY(ts__onnx_spell_out(im->net));
    im->values = TS_NEW_ARRAY(im->net->scratch, ts__forms, im->net->values.count);
    TS_TRY(decode_constants(im));
    for (uint32_t i = 0; i < im->net->order_count; i++) {
        ts__site s = {.im = im, .node = &im->net->nodes[im->net->order[i]]};
        TS_TRY(import_node(&s));
    }
    TS_TRY(add_outputs(im));
    return TS_OK;
}

static void release_arena(void *arena) { ts_arena_free(arena); }

ts_status ts_float_model_parse(ts_arena *arena, ts_bytes file, const char *name,
                               const ts_float_model_options *options, ts_fgraph **out, ts_diags *diags) {
    if (ts_fgraph_is_text(file)) {
        return ts_fgraph_parse(arena, file, out, diags);
    }
    if (ts__is_tflite(file)) {
        return ts__tflite_float_import(arena, file, name, out, diags);
    }
    ts_arena *scratch = ts_arena_new("onnx", 0);
    ts_guard_defer(release_arena, scratch);
    ts_onnx net = {.arena = arena, .scratch = scratch, .diags = diags};
    net.work_left = 64 * (uint64_t)file.size + ((uint64_t)1 << 26);
    ts__float_importer im = {.net = &net, .graph = ts_fgraph_new(arena, name)};
    ts_status status = import_graph(&im, file, options);
    *out = im.graph;
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    return status;
}

ts_status ts_float_model_read(ts_arena *arena, const char *path, const ts_float_model_options *options,
                              ts_fgraph **out, ts_diags *diags) {
    ts_arena *bytes = ts_arena_new("model file", 0);
    ts_bytes file;
    ts_float_model_options chosen = options == NULL ? (ts_float_model_options){0} : *options;
    ts_status status = ts_file_read(bytes, path, (size_t)1 << 30, &file, diags);
    if (status == TS_OK) {
        chosen.folder = ts_path_dir(bytes, path);
        status = ts_float_model_parse(arena, file, ts_arena_strdup(arena, ts_path_base(path)), &chosen, out,
                                      diags);
    }
    ts_arena_free(bytes);
    return status;
}

ts_status ts_tensor_proto_read(ts_arena *arena, ts_bytes file, ts_ftensor *out, ts_diags *diags) {
    Onnx__TensorProto *proto = unpack_tensor(file);
    if (proto == NULL) {
        return ts_error(diags, TS_DIAG_SYNTAX, NULL, NULL, "not a TensorProto");
    }
    ts_onnx net = {.arena = arena, .scratch = arena, .diags = diags, .work_left = (uint64_t)1 << 28};
    ts_constant *c;
    ts_status status = ts__constant_decode(&net, NULL, proto, &c);
    if (status == TS_OK) {
        float *data = TS_NEW_ARRAY(arena, float, c->count);
        for (uint64_t i = 0; i < c->count; i++) {
            data[i] = (float)real_of(c, i);
        }
        *out = (ts_ftensor){
            .name = ts_arena_strdup(arena, c->name), .rank = c->rank, .data = data, .producer = TS_NONE};
        memcpy(out->dims, c->dims, sizeof out->dims);
    }
    onnx__tensor_proto__free_unpacked(proto, NULL);
    return status;
}
