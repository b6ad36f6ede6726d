#include "run/inspect.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "ir/text_form.h"
#include "model/float_model.h"
#include "model/model.h"
#include "num/float.h"
#include "num/integer.h"

/* ---- figures of a layer ---- */

typedef struct figures {
    const ts_graph *graph;
    const ts_node *node;
    const ts_tensor *in, *out, *weights; /* weights: NULL where there are none */
    uint64_t macs, parameters, weight_bytes, input_bytes, output_bytes;
    uint32_t t_bits, u_bits;
} figures;

static figures figures_of(const ts_graph *g, const ts_node *n) {
    const ts_tensor *tensors = g->tensors.data;
    bool weighted = n->op == TS_OP_CONV || n->op == TS_OP_LINEAR;
    figures f = {.graph = g,
                 .node = n,
                 .in = &tensors[n->inputs[0]],
                 .out = &tensors[n->output],
                 .weights = weighted ? &tensors[n->weights] : NULL,
                 .macs = ts_node_macs(g, n),
                 .output_bytes = ts_tensor_bytes(&tensors[n->output])};
    for (uint32_t i = 0; i < n->input_count; i++) {
        f.input_bytes += ts_tensor_bytes(&tensors[n->inputs[i]]);
    }
    if (weighted) {
        f.parameters = ts_tensor_elements(f.weights);
        f.weight_bytes = ts_tensor_bytes(f.weights);
    }
    if (weighted && n->bias != TS_NONE) {
        f.parameters += ts_tensor_elements(&tensors[n->bias]);
        f.weight_bytes += ts_tensor_bytes(&tensors[n->bias]);
    }
    ts_requant_widths(g, n, &f.t_bits, &f.u_bits);
    return f;
}

static void kappa_range(const ts_requant *r, int64_t *low, int64_t *high) {
    *low = *high = r->kappa[0];
    for (uint32_t i = 1; i < r->channels; i++) {
        *low = r->kappa[i] < *low ? r->kappa[i] : *low;
        *high = r->kappa[i] > *high ? r->kappa[i] : *high;
    }
}

static bool is_windowed(ts_op op) { return op == TS_OP_CONV || op == TS_OP_MAX_POOL || op == TS_OP_AVG_POOL; }

/* ---- the table ---- */

enum { COLUMNS = 12 };

typedef struct row {
    const char *cells[COLUMNS];
} row;

/* A float network has the first FLOAT_COLUMNS of them. */
enum { FLOAT_COLUMNS = 8 };
static const ts_column columns[COLUMNS] = {
    {"#", true, 0},        {"name", false, 0},    {"op", false, 0},         {"input", false, 1},
    {"output", false, 0},  {"window", false, 4},  {"MACs", true, 0},        {"parameters", true, 3},
    {"weight B", true, 6}, {"output B", true, 5}, {"bits x/w/y", false, 2}, {"requantisation", false, 7}};

static const char *number(ts_arena *arena, uint64_t value) {
    return ts_arena_printf(arena, "%" PRIu64, value);
}

static const char *shape_text(ts_arena *arena, const ts_tensor *t) {
    ts_dims_buffer buffer;
    return ts_arena_strdup(arena, ts_dims_text(&buffer, 3, t->dims + 1));
}

static const char *window_text(ts_arena *arena, const ts_node *n) {
    if (!is_windowed(n->op)) {
        return "";
    }
    const ts_window *w = &n->window;
    ts_text text = {.arena = arena};
    ts_text_printf(&text, "%ux%u", (unsigned)w->kernel_h, (unsigned)w->kernel_w);
    if (w->stride_h != 1 || w->stride_w != 1) {
        ts_text_printf(&text, w->stride_h == w->stride_w ? " s%u" : " s%ux%u", (unsigned)w->stride_h,
                       (unsigned)w->stride_w);
    }
    if (w->dilation_h != 1 || w->dilation_w != 1) {
        ts_text_printf(&text, w->dilation_h == w->dilation_w ? " d%u" : " d%ux%u", (unsigned)w->dilation_h,
                       (unsigned)w->dilation_w);
    }
    const uint32_t pads[] = {w->pad_top, w->pad_left, w->pad_bottom, w->pad_right};
    bool even = pads[0] == pads[1] && pads[0] == pads[2] && pads[0] == pads[3];
    if (!even || pads[0] != 0) {
        ts_text_printf(&text, even ? " p%u" : " p%u,%u,%u,%u", (unsigned)pads[0], (unsigned)pads[1],
                       (unsigned)pads[2], (unsigned)pads[3]);
    }
    if (n->op == TS_OP_CONV && n->groups != 1) {
        ts_text_printf(&text, " g%u", (unsigned)n->groups);
    }
    return text.data;
}

/* "2^20", "2^20-1" or the number. */
static const char *divisor_text(ts_arena *arena, int64_t d) {
    if (d == 1) {
        return "1";
    }
    for (int bits = 1; bits < 63; bits++) {
        if (d == INT64_C(1) << bits || d == (INT64_C(1) << bits) - 1) {
            return ts_arena_printf(arena, d & 1 ? "2^%d-1" : "2^%d", bits);
        }
    }
    return ts_arena_printf(arena, "%" PRId64, d);
}

/* An operand of an addition: "32 a", or "1073741824/2^22 a" where it is divided on its own. */
static const char *operand_text(ts_arena *arena, const ts_add_step *step, const char *name) {
    return step->div == 1
               ? ts_arena_printf(arena, "%" PRId64 " %s", step->mul, name)
               : ts_arena_printf(arena, "%" PRId64 "/%s %s", step->mul, divisor_text(arena, step->div), name);
}

/* What a code of the output stands for, where its file says so. */
static void add_quantum(ts_text *text, const ts_tensor *out) {
    if (out->quantum.channels == 1) {
        ts_text_printf(text, "%sy = %.6g (q - %d)", text->size > 0 ? "; " : "", out->quantum.scale[0],
                       (int)out->quantum.zero[0]);
    }
}

static const char *requant_text(ts_arena *arena, const figures *f) {
    const ts_requant *r = &f->node->requant;
    ts_text text = {.arena = arena};
    if (f->node->op == TS_OP_ADD) {
        ts_text_printf(&text, "(%s + %s)", operand_text(arena, &f->node->in1, "a"),
                       operand_text(arena, &f->node->in2, "b"));
        if (f->node->sum.div != 1 || f->node->in1.div == 1) {
            ts_text_printf(&text, " / %s", divisor_text(arena, f->node->sum.div));
        }
    }
    if (r->kind == TS_REQUANT_NEMO) {
        int64_t low, high;
        kappa_range(r, &low, &high);
        ts_text_add(&text, f->node->op == TS_OP_ADD ? ", " : "");
        ts_text_printf(&text, "m %" PRId64 ", D %s", r->m, divisor_text(arena, r->d));
        ts_text_printf(&text, low == high ? ", kappa %" PRId64 : ", kappa %" PRId64 "..%" PRId64, low, high);
        ts_text_printf(&text, ", t %u u %u bits", (unsigned)f->t_bits, (unsigned)f->u_bits);
    } else if (r->kind == TS_REQUANT_TFLITE) {
        ts_text_printf(&text, "%sfixed point", f->node->op == TS_OP_ADD ? ", " : "");
    }
    add_quantum(&text, f->out);
    return text.data == NULL ? "" : text.data;
}

static const char *bits_text(ts_arena *arena, const figures *f) {
    const char *x = ts_type_name(f->in->type), *y = ts_type_name(f->out->type);
    return f->weights == NULL ? ts_arena_printf(arena, "%s/-/%s", x, y)
                              : ts_arena_printf(arena, "%s/%s/%s", x, ts_type_name(f->weights->type), y);
}

static row row_of(ts_arena *arena, uint32_t index, const figures *f) {
    bool depthwise = f->node->op == TS_OP_CONV && f->node->groups > 1 && f->node->groups == ts_c(f->in);
    return (row){{number(arena, index), f->node->name, depthwise ? "dwconv" : ts_op_name(f->node->op),
                  shape_text(arena, f->in), shape_text(arena, f->out), window_text(arena, f->node),
                  f->macs == 0 ? "" : number(arena, f->macs),
                  f->parameters == 0 ? "" : number(arena, f->parameters),
                  f->weight_bytes == 0 ? "" : number(arena, f->weight_bytes), number(arena, f->output_bytes),
                  bits_text(arena, f), requant_text(arena, f)}};
}

static void print_rows(ts_text *out, ts_screen screen, uint32_t column_count, const row *rows,
                       uint32_t count) {
    ts_table table = {.arena = out->arena, .columns = columns, .column_count = column_count};
    for (uint32_t i = 0; i < count; i++) {
        ts_table_add(&table, rows[i].cells);
    }
    ts_table_print(out, &table, screen);
}

typedef struct totals {
    uint64_t macs, parameters, weight_bytes, working_bytes;
    const char *widest; /* node with the largest input and output together */
} totals;

static totals totals_of(const ts_graph *g) {
    totals t = {0};
    for (uint32_t i = 0; i < g->nodes.count; i++) {
        figures f = figures_of(g, &g->nodes.data[i]);
        t.macs += f.macs;
        t.parameters += f.parameters;
        t.weight_bytes += f.weight_bytes;
        if (f.input_bytes + f.output_bytes > t.working_bytes) {
            t.working_bytes = f.input_bytes + f.output_bytes;
            t.widest = f.node->name;
        }
    }
    return t;
}

static void print_table(ts_text *out, ts_screen screen, const ts_graph *g) {
    ts_arena *arena = out->arena;
    uint32_t count = g->nodes.count + 1;
    row *rows = TS_NEW_ARRAY(arena, row, count);
    for (uint32_t i = 0; i < g->nodes.count; i++) {
        figures f = figures_of(g, &g->nodes.data[i]);
        rows[i] = row_of(arena, i, &f);
    }
    totals t = totals_of(g);
    rows[count - 1] = (row){{"", "total", "", "", "", "", number(arena, t.macs), number(arena, t.parameters),
                             number(arena, t.weight_bytes), "", "", ""}};
    print_rows(out, screen, COLUMNS, rows, count);
    ts_text_printf(out, "largest input and output of a layer: %" PRIu64 " bytes (%s)\n", t.working_bytes,
                   t.widest);
}

/* ---- JSON ---- */

static json_t *json_sizes(const uint32_t *values, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_integer(values[i]));
    }
    return list;
}

static void add_window(json_t *layer, const ts_node *n) {
    const ts_window *w = &n->window;
    json_object_set_new(layer, "kernel", json_sizes((uint32_t[]){w->kernel_h, w->kernel_w}, 2));
    json_object_set_new(layer, "stride", json_sizes((uint32_t[]){w->stride_h, w->stride_w}, 2));
    json_object_set_new(layer, "dilation", json_sizes((uint32_t[]){w->dilation_h, w->dilation_w}, 2));
    json_object_set_new(layer, "pads",
                        json_sizes((uint32_t[]){w->pad_top, w->pad_left, w->pad_bottom, w->pad_right}, 4));
}

static void add_requant(json_t *layer, const figures *f) {
    const ts_requant *r = &f->node->requant;
    if (r->kind == TS_REQUANT_NEMO) {
        int64_t low, high;
        kappa_range(r, &low, &high);
        json_object_set_new(
            layer, "requant",
            json_pack("{s:s, s:I, s:I, s:[I,I], s:[i,i], s:i, s:i}", "kind", "nemo", "m", (json_int_t)r->m,
                      "d", (json_int_t)r->d, "kappa", (json_int_t)low, (json_int_t)high, "clip", (int)r->low,
                      (int)r->high, "t_bits", (int)f->t_bits, "u_bits", (int)f->u_bits));
    } else if (r->kind == TS_REQUANT_TFLITE) {
        json_object_set_new(layer, "requant",
                            json_pack("{s:s, s:i, s:[i,i]}", "kind", "tflite", "zero", (int)r->zero, "clip",
                                      (int)r->low, (int)r->high));
    }
}

static json_t *json_text(const char *text) {
    json_t *value = json_string(text);
    return value != NULL ? value : json_string("?"); /* not UTF-8 */
}

static json_t *json_layer(uint32_t index, const figures *f) {
    json_t *layer = json_object();
    json_object_set_new(layer, "index", json_integer(index));
    json_object_set_new(layer, "name", json_text(f->node->name));
    json_object_set_new(layer, "op", json_string(ts_op_name(f->node->op)));
    json_object_set_new(layer, "input", json_sizes(f->in->dims + 1, 3));
    json_object_set_new(layer, "output", json_sizes(f->out->dims + 1, 3));
    if (is_windowed(f->node->op)) {
        add_window(layer, f->node);
    }
    if (f->node->op == TS_OP_CONV) {
        json_object_set_new(layer, "groups", json_integer(f->node->groups));
    }
    json_object_set_new(layer, "macs", json_integer((json_int_t)f->macs));
    json_object_set_new(layer, "parameters", json_integer((json_int_t)f->parameters));
    json_object_set_new(layer, "weight_bytes", json_integer((json_int_t)f->weight_bytes));
    json_object_set_new(layer, "input_bytes", json_integer((json_int_t)f->input_bytes));
    json_object_set_new(layer, "output_bytes", json_integer((json_int_t)f->output_bytes));
    json_object_set_new(layer, "input_type", json_string(ts_type_name(f->in->type)));
    json_object_set_new(layer, "output_type", json_string(ts_type_name(f->out->type)));
    if (f->weights != NULL) {
        json_object_set_new(layer, "weight_type", json_string(ts_type_name(f->weights->type)));
    }
    add_requant(layer, f);
    return layer;
}

static json_t *json_integer_network(const ts_inspection *n) {
    const ts_graph *g = n->graph;
    totals t = totals_of(g);
    json_t *layers = json_array();
    for (uint32_t i = 0; i < g->nodes.count; i++) {
        figures f = figures_of(g, &g->nodes.data[i]);
        json_array_append_new(layers, json_layer(i, &f));
    }
    json_t *root = json_object();
    json_object_set_new(root, "model", json_text(n->model));
    json_object_set_new(root, "kind", json_string("integer"));
    json_object_set_new(root, "macs", json_integer((json_int_t)t.macs));
    json_object_set_new(root, "parameters", json_integer((json_int_t)t.parameters));
    json_object_set_new(root, "weight_bytes", json_integer((json_int_t)t.weight_bytes));
    json_object_set_new(root, "working_bytes", json_integer((json_int_t)t.working_bytes));
    json_object_set_new(root, "layers", layers);
    return root;
}

/* ---- float networks ---- */

static uint64_t float_parameters(const ts_fgraph *g, const ts_fnode *n) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < n->input_count; i++) {
        const ts_ftensor *t = &g->tensors.data[n->inputs[i]];
        count += t->data != NULL ? ts_ftensor_elements(t) : 0;
    }
    return count;
}

static const char *float_shape(ts_arena *arena, const ts_ftensor *t) {
    ts_dims_buffer buffer;
    return ts_arena_strdup(arena, ts_dims_text(&buffer, t->rank, t->dims));
}

static const char *float_window(ts_arena *arena, const ts_fnode *n) {
    if (n->op != TS_FOP_CONV && n->op != TS_FOP_MAX_POOL && n->op != TS_FOP_AVG_POOL) {
        return "";
    }
    ts_node like = {.op = TS_OP_CONV, .window = n->window, .groups = n->op == TS_FOP_CONV ? n->groups : 1};
    return window_text(arena, &like);
}

static void print_float_table(ts_text *out, ts_screen screen, const ts_fgraph *g) {
    ts_arena *arena = out->arena;
    uint64_t macs = 0, parameters = 0;
    uint32_t count = g->nodes.count + 1;
    row *rows = TS_NEW_ARRAY(arena, row, count);
    for (uint32_t i = 0; i < g->nodes.count; i++) {
        const ts_fnode *n = &g->nodes.data[i];
        uint64_t node_macs = ts_fnode_macs(g, n), node_parameters = float_parameters(g, n);
        macs += node_macs;
        parameters += node_parameters;
        rows[i] = (row){{number(arena, i), n->name, ts_fop_name(n->op),
                         float_shape(arena, &g->tensors.data[n->inputs[0]]),
                         float_shape(arena, &g->tensors.data[n->output]), float_window(arena, n),
                         node_macs == 0 ? "" : number(arena, node_macs),
                         node_parameters == 0 ? "" : number(arena, node_parameters), "", "", "", ""}};
    }
    rows[count - 1] =
        (row){{"", "total", "", "", "", "", number(arena, macs), number(arena, parameters), "", "", "", ""}};
    print_rows(out, screen, FLOAT_COLUMNS, rows, count);
    ts_text_add(out, "a float network: 'tessera quantize' makes it an integer one\n");
}

static json_t *json_float_layer(const ts_fgraph *g, uint32_t index) {
    const ts_fnode *n = &g->nodes.data[index];
    const ts_ftensor *in = &g->tensors.data[n->inputs[0]], *out = &g->tensors.data[n->output];
    json_t *layer = json_object();
    json_object_set_new(layer, "index", json_integer(index));
    json_object_set_new(layer, "name", json_text(n->name));
    json_object_set_new(layer, "op", json_string(ts_fop_name(n->op)));
    json_object_set_new(layer, "input", json_sizes(in->dims, in->rank));
    json_object_set_new(layer, "output", json_sizes(out->dims, out->rank));
    json_object_set_new(layer, "macs", json_integer((json_int_t)ts_fnode_macs(g, n)));
    json_object_set_new(layer, "parameters", json_integer((json_int_t)float_parameters(g, n)));
    return layer;
}

static json_t *json_float_network(const ts_inspection *n) {
    json_t *root = json_object(), *layers = json_array();
    for (uint32_t i = 0; i < n->real->nodes.count; i++) {
        json_array_append_new(layers, json_float_layer(n->real, i));
    }
    json_object_set_new(root, "model", json_text(n->model));
    json_object_set_new(root, "kind", json_string("float"));
    json_object_set_new(root, "layers", layers);
    return root;
}

/* ---- either ---- */

/* A network whose weights are all whole numbers is meant as an integer one. */
static bool has_real_weights(const ts_fgraph *g) {
    for (uint32_t i = 0; i < g->nodes.count; i++) {
        const ts_fnode *n = &g->nodes.data[i];
        if (n->op != TS_FOP_CONV && n->op != TS_FOP_GEMM && n->op != TS_FOP_MATMUL) {
            continue;
        }
        const ts_ftensor *weights = &g->tensors.data[n->inputs[1]];
        uint64_t count = weights->data == NULL ? 0 : ts_ftensor_elements(weights);
        for (uint64_t k = 0; k < count; k++) {
            if (weights->data[k] != truncf(weights->data[k])) {
                return true;
            }
        }
    }
    return false;
}

/* Was it refused because it is a float network? The diagnostic then names the command that takes such. */
static bool is_called_float(const ts_diags *diags) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        if (strstr(diags->list.data[i].text, "`tessera quantize`") != NULL) {
            return true;
        }
    }
    return false;
}

ts_status ts_inspect(ts_arena *arena, const char *model, bool allow_float, ts_inspection *out,
                     ts_diags *diags) {
    ts_graph *graph;
    ts_fgraph *real;
    ts_diags integer = {.arena = arena, .file = diags->file}, quiet = integer;
    const ts_model_options as_written = {.allow_float = allow_float, .input_signed = -1};
    *out = (ts_inspection){.model = model};
    ts_status status = ts_model_read(arena, model, &as_written, &graph, &integer);
    if (status != TS_OK && ts_float_model_read(arena, model, NULL, &real, &quiet) == TS_OK) {
        ts_fgraph_fold(real);
        if (has_real_weights(real)) {
            out->real = real;
            return TS_OK;
        }
    }
    for (uint32_t i = 0; i < integer.list.count; i++) {
        TS_PUSH(diags->arena, &diags->list, integer.list.data[i]);
    }
    for (uint32_t i = 0; i < quiet.list.count && status != TS_OK && is_called_float(&integer); i++) {
        TS_PUSH(diags->arena, &diags->list, quiet.list.data[i]); /* why it is not printed as one, either */
    }
    out->graph = status == TS_OK ? graph : NULL;
    return status;
}

void ts_inspection_print(ts_text *out, const ts_inspection *n, ts_screen screen) {
    if (n->real != NULL) {
        print_float_table(out, screen, n->real);
    } else {
        print_table(out, screen, n->graph);
    }
}

void ts_inspection_print_text(ts_text *out, const ts_inspection *n) {
    if (n->real != NULL) {
        ts_fgraph_print(out, n->real);
    } else {
        ts_graph_print(out, n->graph);
    }
}

void ts_inspection_print_json(ts_text *out, const ts_inspection *n) {
    json_t *root = n->real != NULL ? json_float_network(n) : json_integer_network(n);
    char *dumped = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    ts_guard_defer(free, dumped);
    ts_text_printf(out, "%s\n", dumped == NULL ? "" : dumped);
    ts_guard_undefer(dumped);
    free(dumped);
}
