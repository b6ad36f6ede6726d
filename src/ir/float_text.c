/* The text form of float graphs: words as in text_form.c. docs/graph-text.md specifies it. */
#include <string.h>

#include "ir/float_graph.h"
#include "ir/words.h"

enum { FORM_VERSION = 1 };

/* What an operator says behind its inputs and its result, in this order. */
typedef enum part {
    HAS_SHAPE = 1 << 0, /* of its result */
    HAS_WINDOW = 1 << 1,
    HAS_GROUPS = 1 << 2,
    HAS_COUNT_PAD = 1 << 3,
    HAS_GEMM = 1 << 4, /* transpositions */
    HAS_ALPHA = 1 << 5,
    HAS_BETA = 1 << 6,
    HAS_EPSILON = 1 << 7,
    HAS_BOUNDS = 1 << 8,
    HAS_SCALE = 1 << 9,
    HAS_OFFSET = 1 << 10,
    HAS_UNIT = 1 << 11, /* and divisor */
    HAS_MODE = 1 << 12,
    HAS_BEGIN = 1 << 13,
    HAS_END = 1 << 14,
    HAS_STEP = 1 << 15,
    HAS_PERM = 1 << 16,
    HAS_AXIS = 1 << 17,
    HAS_AXES = 1 << 18 /* and keep_dims */
} part;

static uint32_t parts_of(ts_fop op) {
    static const uint32_t parts[TS_FOP_COUNT] = {
        [TS_FOP_CONV] = HAS_WINDOW | HAS_GROUPS,
        [TS_FOP_MAX_POOL] = HAS_WINDOW,
        [TS_FOP_AVG_POOL] = HAS_WINDOW | HAS_COUNT_PAD,
        [TS_FOP_GEMM] = HAS_GEMM | HAS_ALPHA | HAS_BETA,
        [TS_FOP_BATCH_NORM] = HAS_EPSILON,
        [TS_FOP_CLIP] = HAS_BOUNDS,
        [TS_FOP_LEAKY_RELU] = HAS_ALPHA,
        [TS_FOP_ELU] = HAS_ALPHA,
        [TS_FOP_HARD_SIGMOID] = HAS_ALPHA | HAS_BETA,
        [TS_FOP_FAKE_QUANT] = HAS_BOUNDS | HAS_SCALE | HAS_OFFSET,
        [TS_FOP_REQUANT] = HAS_BOUNDS | HAS_SCALE | HAS_UNIT,
        [TS_FOP_QUANT] = HAS_BOUNDS | HAS_AXIS,
        [TS_FOP_DEQUANT] = HAS_AXIS,
        [TS_FOP_CONCAT] = HAS_AXIS,
        [TS_FOP_SOFTMAX] = HAS_AXIS,
        [TS_FOP_LOG_SOFTMAX] = HAS_AXIS,
        [TS_FOP_PAD] = HAS_ALPHA | HAS_MODE | HAS_BEGIN | HAS_END,
        [TS_FOP_SLICE] = HAS_SHAPE | HAS_BEGIN | HAS_STEP,
        [TS_FOP_RESIZE] = HAS_SHAPE,
        [TS_FOP_RESHAPE] = HAS_SHAPE,
        [TS_FOP_TRANSPOSE] = HAS_PERM,
        [TS_FOP_REDUCE_MEAN] = HAS_AXES,
        [TS_FOP_REDUCE_SUM] = HAS_AXES,
        [TS_FOP_REDUCE_MAX] = HAS_AXES,
    };
    return parts[op];
}

/* Numbers of a node that stand one behind the other under a word: what both directions go through. */
typedef struct number {
    uint32_t part;
    const char *word;
    float *single;
    double *real;
    bool *flag;
} number;

enum { NUMBERS = 13 };

static void numbers_of(ts_fnode *n, number out[NUMBERS]) {
    const number all[NUMBERS] = {{HAS_COUNT_PAD, "count_pad", NULL, NULL, &n->count_pad},
                                 {HAS_GEMM, "trans_a", NULL, NULL, &n->trans_a},
                                 {HAS_GEMM, "trans_b", NULL, NULL, &n->trans_b},
                                 {HAS_ALPHA, "alpha", &n->alpha, NULL, NULL},
                                 {HAS_BETA, "beta", &n->beta, NULL, NULL},
                                 {HAS_EPSILON, "epsilon", &n->epsilon, NULL, NULL},
                                 {HAS_BOUNDS, "low", &n->low, NULL, NULL},
                                 {HAS_BOUNDS, "high", &n->high, NULL, NULL},
                                 {HAS_SCALE, "scale", NULL, &n->scale, NULL},
                                 {HAS_OFFSET, "offset", NULL, &n->offset, NULL},
                                 {HAS_UNIT, "unit", NULL, &n->unit, NULL},
                                 {HAS_UNIT, "divisor", NULL, &n->divisor, NULL},
                                 {HAS_AXES, "keep_dims", NULL, NULL, &n->keep_dims}};
    memcpy(out, all, sizeof all);
}

/* Lists with a number a dimension of the input. */
typedef struct list {
    uint32_t part;
    const char *word;
    uint32_t *values;
} list;

enum { LISTS = 4 };

static void lists_of(ts_fnode *n, list out[LISTS]) {
    const list all[LISTS] = {{HAS_BEGIN, "begin", n->begin},
                             {HAS_END, "end", n->end},
                             {HAS_STEP, "step", n->step},
                             {HAS_PERM, "perm", n->perm}};
    memcpy(out, all, sizeof all);
}

/* ---- printing ---- */

/* Tensors get new numbers, in the order in which they stand. */
typedef struct printer {
    ts_text *out;
    const ts_fgraph *graph;
    ts_tensor_id *places; /* TS_NONE: not printed yet */
    ts_tensor_id count;
} printer;

static void print_shape(ts_text *out, const ts_ftensor *t) {
    ts_dims_buffer dims;
    ts_text_printf(out, " %s", t->rank == 0 ? "scalar" : ts_dims_text(&dims, t->rank, t->dims));
}

static void print_tensor(printer *p, ts_tensor_id id) {
    const ts_ftensor *t = &p->graph->tensors.data[id];
    if (p->places[id] != TS_NONE) {
        return;
    }
    p->places[id] = p->count++;
    ts_text_printf(p->out, "tensor %%%u ", (unsigned)p->places[id]);
    ts__words_print_string(p->out, t->name);
    print_shape(p->out, t);
    if (t->data == NULL) {
        ts_text_printf(p->out, " layout %s codes %s", t->layout == TS_LAYOUT_FILE ? "file" : "channels_last",
                       ts_type_name(t->codes));
    } else {
        uint64_t elements = ts_ftensor_elements(t);
        ts_text_add(p->out, " data");
        for (uint64_t i = 0; i < elements; i++) {
            ts_text_printf(p->out, i % TS__VALUES_A_LINE == 0 ? "\n    %.9g" : " %.9g", (double)t->data[i]);
        }
    }
    ts_text_add(p->out, "\n");
}

static void print_window(ts_text *out, const ts_window *w) {
    ts_text_printf(out, " kernel %u %u stride %u %u dilation %u %u pads %u %u %u %u", (unsigned)w->kernel_h,
                   (unsigned)w->kernel_w, (unsigned)w->stride_h, (unsigned)w->stride_w,
                   (unsigned)w->dilation_h, (unsigned)w->dilation_w, (unsigned)w->pad_top,
                   (unsigned)w->pad_left, (unsigned)w->pad_bottom, (unsigned)w->pad_right);
}

static void print_attributes(ts_text *out, const ts_fnode *node, uint32_t rank) {
    ts_fnode n = *node;
    uint32_t parts = parts_of(n.op);
    number numbers[NUMBERS];
    list lists[LISTS];
    numbers_of(&n, numbers);
    lists_of(&n, lists);
    if ((parts & HAS_WINDOW) != 0) {
        print_window(out, &n.window);
    }
    if ((parts & HAS_GROUPS) != 0) {
        ts_text_printf(out, " groups %u", (unsigned)n.groups);
    }
    for (uint32_t i = 0; i < NUMBERS; i++) {
        if ((parts & numbers[i].part) == 0) {
            continue;
        }
        if (numbers[i].flag != NULL) {
            ts_text_printf(out, " %s %d", numbers[i].word, *numbers[i].flag);
        } else if (numbers[i].single != NULL) {
            ts_text_printf(out, " %s %.9g", numbers[i].word, (double)*numbers[i].single);
        } else {
            ts_text_printf(out, " %s %.17g", numbers[i].word, *numbers[i].real);
        }
    }
    if ((parts & HAS_MODE) != 0) {
        ts_text_printf(out, " mode %u", (unsigned)n.pad_mode);
    }
    for (uint32_t i = 0; i < LISTS; i++) {
        for (uint32_t d = 0; (parts & lists[i].part) != 0 && d < rank; d++) {
            ts_text_printf(out, d == 0 ? " %s %u" : "%.0s %u", lists[i].word, (unsigned)lists[i].values[d]);
        }
    }
    if ((parts & HAS_AXIS) != 0) {
        ts_text_printf(out, " axis %u", (unsigned)n.axis);
    }
    if ((parts & HAS_AXES) != 0) {
        ts_text_printf(out, " axes %u", (unsigned)n.axes);
    }
}

static void print_node(printer *p, const ts_fnode *n) {
    const ts_ftensor *y = &p->graph->tensors.data[n->output];
    for (uint32_t k = 0; k < n->input_count; k++) {
        print_tensor(p, n->inputs[k]);
    }
    p->places[n->output] = p->count++;
    ts_text_add(p->out, "node ");
    ts__words_print_string(p->out, n->name);
    ts_text_printf(p->out, " %s at %u from", ts_fop_name(n->op), (unsigned)n->file_index);
    for (uint32_t k = 0; k < n->input_count; k++) {
        ts_text_printf(p->out, " %%%u", (unsigned)p->places[n->inputs[k]]);
    }
    ts_text_printf(p->out, " to %%%u ", (unsigned)p->places[n->output]);
    ts__words_print_string(p->out, y->name);
    if ((parts_of(n->op) & HAS_SHAPE) != 0) {
        print_shape(p->out, y);
    }
    print_attributes(p->out, n, p->graph->tensors.data[n->inputs[0]].rank);
    ts_text_add(p->out, "\n");
}

void ts_fgraph_text(ts_text *out, const ts_fgraph *graph) {
    ts_arena *scratch = ts_arena_new("text", 0);
    printer p = {.out = out, .graph = graph};
    p.places = TS_NEW_ARRAY(scratch, ts_tensor_id, graph->tensors.count);
    for (ts_tensor_id i = 0; i < graph->tensors.count; i++) {
        p.places[i] = TS_NONE;
    }
    ts_text_printf(out, "float %d ", FORM_VERSION);
    ts__words_print_string(out, graph->name);
    ts_text_add(out, "\n");
    for (uint32_t i = 0; i < graph->inputs.count; i++) {
        print_tensor(&p, graph->inputs.data[i]);
    }
    for (ts_node_id i = 0; i < graph->nodes.count; i++) {
        print_node(&p, &graph->nodes.data[i]);
    }
    for (uint32_t i = 0; i < graph->outputs.count; i++) {
        print_tensor(&p, graph->outputs.data[i]); /* one that is a constant */
    }
    for (uint32_t i = 0; i < graph->inputs.count; i++) {
        ts_text_printf(out, "input %%%u\n", (unsigned)p.places[graph->inputs.data[i]]);
    }
    for (uint32_t i = 0; i < graph->outputs.count; i++) {
        ts_text_printf(out, "output %%%u\n", (unsigned)p.places[graph->outputs.data[i]]);
    }
    ts_text_add(out, "end\n");
    ts_arena_free(scratch);
}

/* ---- parsing ---- */

/* Limits that keep sums of sizes far from overflow, and tensors to what float_graph.c admits. */
enum { MOST_SIZE = 65535, MOST_ELEMENTS = 1 << 26 };

typedef struct parser {
    ts__words words;
    ts_fgraph *graph;
} parser;

static ts_status small(parser *p, uint32_t *out) {
    int64_t value;
    TS_TRY(ts__words_integer(&p->words, 0, MOST_SIZE, &value));
    *out = (uint32_t)value;
    return TS_OK;
}

static ts_status shape(parser *p, ts_ftensor *t) {
    uint64_t elements = 1;
    TS_TRY(ts__words_shape(&p->words, &t->rank, t->dims));
    for (uint32_t d = 0; d < t->rank; d++) {
        elements *= t->dims[d];
        if (elements > MOST_ELEMENTS) {
            return TS__WORDS_FAIL(&p->words, "a tensor of more than %d elements", MOST_ELEMENTS);
        }
    }
    return TS_OK;
}

static ts_status known_tensor(parser *p, ts_tensor_id *out) {
    TS_TRY(ts__words_tensor(&p->words, out));
    return *out < p->graph->tensors.count
               ? TS_OK
               : TS__WORDS_FAIL(&p->words, "tensor %%%u does not stand before", (unsigned)*out);
}

static ts_status new_tensor(parser *p) {
    ts_tensor_id id;
    TS_TRY(ts__words_tensor(&p->words, &id));
    return id == p->graph->tensors.count
               ? TS_OK
               : TS__WORDS_FAIL(&p->words, "tensor %%%u stands where %%%u is wanted", (unsigned)id,
                                (unsigned)p->graph->tensors.count);
}

static ts_status data(parser *p, ts_ftensor *t) {
    uint64_t count = ts_ftensor_elements(t);
    TS_TRY(ts__words_room(&p->words, count));
    float *values = TS_NEW_ARRAY(p->words.arena, float, count);
    for (uint64_t i = 0; i < count; i++) {
        double value;
        TS_TRY(ts__words_real(&p->words, &value));
        values[i] = (float)value;
    }
    t->data = values;
    return TS_OK;
}

static ts_status codes(parser *p, ts_type *out) {
    static const ts_type types[] = {TS_F32, TS_U8, TS_S8};
    TS_TRY(ts__words_expect(&p->words, "codes"));
    TS_TRY(ts__words_next(&p->words));
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(p->words.word, ts_type_name(types[i])) == 0) {
            *out = types[i];
            return TS_OK;
        }
    }
    return TS__WORDS_FAIL(&p->words, "codes are f32, u8 or s8");
}

static ts_status parse_tensor(parser *p) {
    ts_ftensor t = {.producer = TS_NONE};
    TS_TRY(new_tensor(p));
    TS_TRY(ts__words_string(&p->words, &t.name));
    TS_TRY(shape(p, &t));
    if (ts__words_accept(&p->words, "data")) {
        TS_TRY(data(p, &t));
    } else {
        TS_TRY(ts__words_expect(&p->words, "layout"));
        if (ts__words_accept(&p->words, "channels_last")) {
            t.layout = TS_LAYOUT_CHANNELS_LAST;
        } else {
            TS_TRY(ts__words_expect(&p->words, "file"));
        }
        TS_TRY(codes(p, &t.codes));
    }
    ts_fgraph_add_tensor(p->graph, &t);
    return TS_OK;
}

static ts_status operator_of(parser *p, ts_fop *out) {
    TS_TRY(ts__words_next(&p->words));
    for (int i = 0; i < TS_FOP_COUNT; i++) {
        if (strcmp(p->words.word, ts_fop_name((ts_fop)i)) == 0) {
            *out = (ts_fop)i;
            return TS_OK;
        }
    }
    return TS__WORDS_FAIL(&p->words, "'%s' is not an operator", p->words.word);
}

static ts_status inputs(parser *p, ts_fnode *n) {
    TS_TRY(ts__words_expect(&p->words, "from"));
    while (!ts__words_accept(&p->words, "to")) {
        if (n->input_count == TS_MAX_INPUTS) {
            return TS__WORDS_FAIL(&p->words, "a node has more than %d inputs", TS_MAX_INPUTS);
        }
        TS_TRY(known_tensor(p, &n->inputs[n->input_count++]));
    }
    return n->input_count > 0 ? TS_OK : TS__WORDS_FAIL(&p->words, "a node has no input");
}

static ts_status window(parser *p, ts_window *w) {
    const struct {
        const char *word;
        uint32_t *value;
    } rows[] = {{"kernel", &w->kernel_h}, {NULL, &w->kernel_w},         {"stride", &w->stride_h},
                {NULL, &w->stride_w},     {"dilation", &w->dilation_h}, {NULL, &w->dilation_w},
                {"pads", &w->pad_top},    {NULL, &w->pad_left},         {NULL, &w->pad_bottom},
                {NULL, &w->pad_right}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].word != NULL) {
            TS_TRY(ts__words_expect(&p->words, rows[i].word));
        }
        TS_TRY(small(p, rows[i].value));
        if (i < 6 && *rows[i].value == 0) {
            return TS__WORDS_FAIL(&p->words, "a kernel size, stride or dilation is 0");
        }
    }
    return TS_OK;
}

static ts_status parse_number(parser *p, const number *n) {
    double value;
    int64_t flag = 0;
    TS_TRY(ts__words_expect(&p->words, n->word));
    if (n->flag != NULL) {
        TS_TRY(ts__words_integer(&p->words, 0, 1, &flag));
        *n->flag = flag != 0;
        return TS_OK;
    }
    TS_TRY(ts__words_real(&p->words, &value));
    if (n->single != NULL) {
        *n->single = (float)value;
    } else if (!(value == value) || (strcmp(n->word, "offset") != 0 && !(value > 0))) {
        return TS__WORDS_FAIL(&p->words, "%s is not above 0", n->word);
    } else {
        *n->real = value;
    }
    return TS_OK;
}

static ts_status attributes(parser *p, ts_fnode *n) {
    uint32_t parts = parts_of(n->op), rank = p->graph->tensors.data[n->inputs[0]].rank, mode = 0;
    number numbers[NUMBERS];
    list lists[LISTS];
    numbers_of(n, numbers);
    lists_of(n, lists);
    if ((parts & HAS_WINDOW) != 0) {
        TS_TRY(window(p, &n->window));
    }
    if ((parts & HAS_GROUPS) != 0) {
        TS_TRY(ts__words_expect(&p->words, "groups"));
        TS_TRY(small(p, &n->groups));
    }
    for (uint32_t i = 0; i < NUMBERS; i++) {
        if ((parts & numbers[i].part) != 0) {
            TS_TRY(parse_number(p, &numbers[i]));
        }
    }
    if ((parts & HAS_MODE) != 0) {
        TS_TRY(ts__words_expect(&p->words, "mode"));
        TS_TRY(small(p, &mode));
        n->pad_mode = (ts_pad_mode)mode;
    }
    for (uint32_t i = 0; i < LISTS; i++) {
        for (uint32_t d = 0; (parts & lists[i].part) != 0 && d < rank; d++) {
            TS_TRY(d == 0 ? ts__words_expect(&p->words, lists[i].word) : TS_OK);
            TS_TRY(small(p, &lists[i].values[d]));
        }
    }
    if ((parts & HAS_AXIS) != 0) {
        TS_TRY(ts__words_expect(&p->words, "axis"));
        TS_TRY(small(p, &n->axis));
    }
    if ((parts & HAS_AXES) != 0) {
        TS_TRY(ts__words_expect(&p->words, "axes"));
        TS_TRY(small(p, &n->axes));
    }
    return mode > TS_PAD_EDGE || n->axis >= TS_MAX_RANK || n->axes >> rank != 0
               ? TS__WORDS_FAIL(&p->words, "a mode or axis that does not exist")
               : TS_OK;
}

static ts_status parse_node(parser *p) {
    ts_fnode n = {0};
    ts_ftensor given = {0};
    const char *name;
    ts_tensor_id out;
    TS_TRY(ts__words_string(&p->words, &n.name));
    TS_TRY(operator_of(p, &n.op));
    TS_TRY(ts__words_expect(&p->words, "at"));
    TS_TRY(ts__words_unsigned32(&p->words, &n.file_index));
    TS_TRY(inputs(p, &n));
    TS_TRY(new_tensor(p));
    TS_TRY(ts__words_string(&p->words, &name));
    if ((parts_of(n.op) & HAS_SHAPE) != 0) {
        TS_TRY(shape(p, &given));
    }
    TS_TRY(attributes(p, &n));
    return ts_fgraph_add_node(p->graph, &n, name, &given, &out, p->words.diags);
}

static ts_status parse_end(parser *p, bool input) {
    ts_tensor_id id;
    TS_TRY(known_tensor(p, &id));
    const ts_ftensor *t = &p->graph->tensors.data[id];
    if (input && (t->data != NULL || t->producer != TS_NONE)) {
        return TS__WORDS_FAIL(&p->words, "input %%%u is computed or a constant", (unsigned)id);
    }
    if (input) {
        TS_PUSH(p->words.arena, &p->graph->inputs, id);
    } else {
        TS_PUSH(p->words.arena, &p->graph->outputs, id);
    }
    return TS_OK;
}

/* Whatever is neither constant nor computed has to be an input, once. */
static ts_status check_ends(parser *p) {
    uint32_t open = 0;
    for (ts_tensor_id i = 0; i < p->graph->tensors.count; i++) {
        open += p->graph->tensors.data[i].data == NULL && p->graph->tensors.data[i].producer == TS_NONE;
    }
    for (uint32_t i = 0; i < p->graph->inputs.count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (p->graph->inputs.data[k] == p->graph->inputs.data[i]) {
                return TS__WORDS_FAIL(&p->words, "an input is named twice");
            }
        }
    }
    return open == p->graph->inputs.count && p->graph->outputs.count > 0
               ? TS_OK
               : TS__WORDS_FAIL(&p->words, "a tensor without data is no input, or there is no output");
}

static ts_status statements(parser *p) {
    ts__words *w = &p->words;
    while (!ts__words_accept(w, "end")) {
        if (ts__words_accept(w, "tensor")) {
            TS_TRY(parse_tensor(p));
        } else if (ts__words_accept(w, "node")) {
            TS_TRY(parse_node(p));
        } else if (ts__words_accept(w, "input")) {
            TS_TRY(parse_end(p, true));
        } else if (ts__words_accept(w, "output")) {
            TS_TRY(parse_end(p, false));
        } else {
            return ts__words_expect(w, "end");
        }
    }
    ts__words_skip(w);
    return w->at == w->end ? check_ends(p) : TS__WORDS_FAIL(w, "text follows the end");
}

bool ts_fgraph_is_text(ts_bytes file) { return file.size > 6 && memcmp(file.data, "float ", 6) == 0; }

ts_status ts_fgraph_parse(ts_arena *arena, ts_bytes text, ts_fgraph **out, ts_diags *diags) {
    parser p = {
        .words = {.arena = arena, .at = text.data, .end = text.data + text.size, .line = 1, .diags = diags}};
    const char *name;
    int64_t version;
    TS_TRY(ts__words_expect(&p.words, "float"));
    TS_TRY(ts__words_integer(&p.words, FORM_VERSION, FORM_VERSION, &version));
    TS_TRY(ts__words_string(&p.words, &name));
    p.graph = *out = ts_fgraph_new(arena, name);
    return statements(&p);
}
