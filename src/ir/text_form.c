/* The text form: words separated by blanks, one statement a line when printed. */
#include "ir/text_form.h"

#include <string.h>

#include "ir/words.h"

enum { FORM_VERSION = 1 };

static const char *const requant_words[] = {"none", "nemo", "tflite"};

/* ---- printing ---- */

enum { INT_DIGITS = 24 };

/* Writes the digits of `value` so that they end before `end`; returns their begin. */
static char *digits_of(int64_t value, char *end) {
    uint64_t rest = value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
    do {
        *--end = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) {
        *--end = '-';
    }
    return end;
}

static void print_int(ts_text *out, int64_t value) {
    char digits[INT_DIGITS], *end = digits + sizeof digits, *begin = digits_of(value, end);
    ts_text_add_bytes(out, begin, (size_t)(end - begin));
}

/* What stands before value i of a list. */
static void separate(ts_text *out, uint64_t i) {
    ts_text_add(out, i % TS__VALUES_A_LINE == 0 ? "\n   " : "");
}

/* Values [first, end) of a tensor of integers, one line; networks have millions. */
static void print_line(ts_text *out, const ts_tensor *tensor, uint64_t first, uint64_t end) {
    char line[TS__VALUES_A_LINE * INT_DIGITS], *last = line + sizeof line, *at = last;
    for (uint64_t i = end; i-- > first;) {
        at = digits_of(ts_tensor_int(tensor, i), at);
        *--at = ' ';
    }
    ts_text_add(out, "\n   ");
    ts_text_add_bytes(out, at, (size_t)(last - at));
}

static void print_data(ts_text *out, const ts_tensor *tensor) {
    uint64_t count = ts_tensor_elements(tensor);
    ts_text_add(out, " data");
    for (uint64_t i = 0; i < count && tensor->type == TS_F32; i++) {
        separate(out, i);
        ts_text_printf(out, " %.9g", (double)((const float *)tensor->data)[i]);
    }
    for (uint64_t i = 0; i < count && tensor->type != TS_F32; i += TS__VALUES_A_LINE) {
        print_line(out, tensor, i, count - i < TS__VALUES_A_LINE ? count : i + TS__VALUES_A_LINE);
    }
}

static void print_tensor(ts_text *out, const ts_tensor *tensor, ts_tensor_id id) {
    ts_dims_buffer dims;
    ts_text_printf(out, "tensor %%%u ", (unsigned)id);
    ts__words_print_string(out, tensor->name);
    ts_text_printf(out, " %s %s", ts_type_name(tensor->type),
                   tensor->rank == 0 ? "scalar" : ts_dims_text(&dims, tensor->rank, tensor->dims));
    const ts_quantum *q = &tensor->quantum;
    if (q->channels > 0) {
        ts_text_printf(out, " quanta %u", (unsigned)q->channels);
        for (uint32_t i = 0; i < q->channels; i++) {
            ts_text_printf(out, " %.17g %d", q->scale[i], (int)q->zero[i]);
        }
    }
    if (tensor->data != NULL) {
        print_data(out, tensor);
    }
    ts_text_add(out, "\n");
}

static void print_list64(ts_text *out, const char *word, const int64_t *values, uint32_t count) {
    ts_text_printf(out, "\n  %s", word);
    for (uint32_t i = 0; i < count; i++) {
        separate(out, i);
        ts_text_add(out, " ");
        print_int(out, values[i]);
    }
}

static void print_list32(ts_text *out, const char *word, const int32_t *values, uint32_t count) {
    ts_text_printf(out, "\n  %s", word);
    for (uint32_t i = 0; i < count; i++) {
        separate(out, i);
        ts_text_add(out, " ");
        print_int(out, values[i]);
    }
}

static void print_requant(ts_text *out, const ts_requant *r) {
    if (r->kind == TS_REQUANT_NONE) {
        return;
    }
    ts_text_printf(out, "\n  %s %u clip %d %d", requant_words[r->kind], (unsigned)r->channels, (int)r->low,
                   (int)r->high);
    if (r->kind == TS_REQUANT_NEMO) {
        ts_text_printf(out, " m %lld d %lld", (long long)r->m, (long long)r->d);
        print_list64(out, "kappa", r->kappa, r->channels);
        print_list64(out, "lambda", r->lambda, r->channels);
    } else {
        ts_text_printf(out, " zero %d", (int)r->zero);
        print_list32(out, "multiplier", r->multiplier, r->channels);
        print_list32(out, "shift", r->shift, r->channels);
    }
}

static void print_step(ts_text *out, const char *word, const ts_add_step *step) {
    ts_text_printf(out, "\n  %s mul %lld add %lld div %lld clip %d %d", word, (long long)step->mul,
                   (long long)step->add, (long long)step->div, (int)step->low, (int)step->high);
}

static bool has_window(ts_op op) { return op == TS_OP_CONV || op == TS_OP_MAX_POOL || op == TS_OP_AVG_POOL; }

/* What an operator that moves elements says, in this order: words with a number an axis. */
typedef struct move_words {
    bool axis, begin, step, order, fill;
} move_words;

static move_words words_of(ts_op op) {
    return (move_words){.axis = op == TS_OP_CONCAT || op == TS_OP_PICK,
                        .begin = op == TS_OP_PAD || op == TS_OP_SLICE,
                        .step = op == TS_OP_SLICE,
                        .order = op == TS_OP_TRANSPOSE,
                        .fill = op == TS_OP_PAD};
}

static void print_axes(ts_text *out, const char *word, const uint32_t values[3]) {
    ts_text_printf(out, " %s %u %u %u", word, (unsigned)values[0], (unsigned)values[1], (unsigned)values[2]);
}

static void print_move(ts_text *out, const ts_node *node) {
    const move_words words = words_of(node->op);
    if (words.axis) {
        ts_text_printf(out, " axis %u", (unsigned)node->move.axis);
    }
    if (words.begin) {
        print_axes(out, "begin", node->move.begin);
    }
    if (words.step) {
        print_axes(out, "step", node->move.step);
    }
    if (words.order) {
        print_axes(out, "order", node->move.order);
    }
    if (words.fill) {
        ts_text_printf(out, " fill %d", (int)node->move.fill);
    }
}

static void print_softmax(ts_text *out, const ts_softmax *s) {
    if (s->kind == TS_SOFTMAX_TFLITE) {
        ts_text_printf(out, " multiplier %d shift %d least %d", (int)s->multiplier, (int)s->shift,
                       (int)s->diff_min);
    } else if (s->kind == TS_SOFTMAX_IBERT) {
        ts_text_printf(out, " ibert a %d b %d c %d log2 %d levels %d", (int)s->a, (int)s->b, (int)s->c,
                       (int)s->log2, (int)s->levels);
    } else {
        ts_text_add(out, " ita");
    }
}

static void print_node(ts_text *out, const ts_node *node) {
    ts_text_add(out, "node ");
    ts__words_print_string(out, node->name);
    ts_text_printf(out, " %s at %u from", ts_op_name(node->op), (unsigned)node->file_index);
    for (uint32_t i = 0; i < node->input_count; i++) {
        ts_text_printf(out, " %%%u", (unsigned)node->inputs[i]);
    }
    ts_text_printf(out, " to %%%u", (unsigned)node->output);
    if (ts_op_has_weights(node->op)) {
        ts_text_printf(out, " weights %%%u", (unsigned)node->weights);
        if (node->bias != TS_NONE) {
            ts_text_printf(out, " bias %%%u", (unsigned)node->bias);
        }
    }
    if (node->op == TS_OP_CONV) {
        ts_text_printf(out, " groups %u", (unsigned)node->groups);
    }
    if (has_window(node->op)) {
        const ts_window *w = &node->window;
        ts_text_printf(out, "\n  kernel %u %u stride %u %u dilation %u %u pads %u %u %u %u",
                       (unsigned)w->kernel_h, (unsigned)w->kernel_w, (unsigned)w->stride_h,
                       (unsigned)w->stride_w, (unsigned)w->dilation_h, (unsigned)w->dilation_w,
                       (unsigned)w->pad_top, (unsigned)w->pad_left, (unsigned)w->pad_bottom,
                       (unsigned)w->pad_right);
    }
    if (node->op == TS_OP_ADD) {
        print_step(out, "in1", &node->in1);
        print_step(out, "in2", &node->in2);
        print_step(out, "sum", &node->sum);
    }
    print_move(out, node);
    if (node->op == TS_OP_SOFTMAX) {
        print_softmax(out, &node->softmax);
    }
    if (node->op == TS_OP_NORM) {
        const ts_norm *n = &node->norm;
        ts_text_printf(out, " centred %d shift %u clip %d %d", (int)n->centred, (unsigned)n->shift,
                       (int)n->low, (int)n->high);
    }
    print_requant(out, &node->requant);
    ts_text_add(out, "\n");
}

void ts_graph_print(ts_text *out, const ts_graph *graph) {
    ts_text_printf(out, "graph %d ", FORM_VERSION);
    ts__words_print_string(out, graph->name);
    ts_text_add(out, "\n");
    for (ts_tensor_id id = 0; id < graph->tensors.count; id++) {
        print_tensor(out, &graph->tensors.data[id], id);
    }
    for (ts_node_id id = 0; id < graph->nodes.count; id++) {
        print_node(out, &graph->nodes.data[id]);
    }
    for (uint32_t i = 0; i < graph->inputs.count; i++) {
        ts_text_printf(out, "input %%%u\n", (unsigned)graph->inputs.data[i]);
    }
    for (uint32_t i = 0; i < graph->outputs.count; i++) {
        ts_text_printf(out, "output %%%u\n", (unsigned)graph->outputs.data[i]);
    }
    ts_text_add(out, "end\n");
}

/* ---- parsing ---- */

typedef struct parser {
    ts__words words;
    ts_graph *graph;
} parser;

static ts_status type(parser *p, ts_type *out) {
    TS_TRY(ts__words_next(&p->words));
    for (int i = 0; i < TS_TYPE_COUNT; i++) {
        if (strcmp(p->words.word, ts_type_name((ts_type)i)) == 0) {
            *out = (ts_type)i;
            return TS_OK;
        }
    }
    return TS__WORDS_FAIL(&p->words, "'%s' is not a type", p->words.word);
}

static ts_status quanta(parser *p, ts_quantum *q) {
    TS_TRY(ts__words_unsigned32(&p->words, &q->channels));
    TS_TRY(ts__words_room(&p->words, q->channels));
    double *scale = TS_NEW_ARRAY(p->words.arena, double, q->channels);
    int32_t *zero = TS_NEW_ARRAY(p->words.arena, int32_t, q->channels);
    for (uint32_t i = 0; i < q->channels; i++) {
        TS_TRY(ts__words_real(&p->words, &scale[i]));
        TS_TRY(ts__words_integer32(&p->words, &zero[i]));
    }
    q->scale = scale;
    q->zero = zero;
    return TS_OK;
}

static ts_status datum(parser *p, ts_type element, void *data, uint64_t i) {
    int64_t value;
    if (element == TS_F32) {
        double number;
        TS_TRY(ts__words_real(&p->words, &number));
        ((float *)data)[i] = (float)number;
        return TS_OK;
    }
    TS_TRY(ts__words_integer(&p->words, ts_type_low(element), ts_type_high(element), &value));
    switch (ts_type_slot_bytes(element)) {
        case 4:
            ((int32_t *)data)[i] = (int32_t)value;
            break;
        case 2:
            ((int16_t *)data)[i] = (int16_t)value;
            break;
        default:
            ((uint8_t *)data)[i] = (uint8_t)value;
    }
    return TS_OK;
}

static ts_status data(parser *p, ts_tensor *tensor) {
    uint64_t count = ts_tensor_elements(tensor);
    TS_TRY(ts__words_room(&p->words, count));
    void *values = ts_arena_array(p->words.arena, count, ts_type_slot_bytes(tensor->type));
    for (uint64_t i = 0; i < count; i++) {
        TS_TRY(datum(p, tensor->type, values, i));
    }
    tensor->data = values;
    return TS_OK;
}

static ts_status parse_tensor(parser *p) {
    ts_tensor tensor = {.producer = TS_NONE};
    ts_tensor_id id;
    TS_TRY(ts__words_tensor(&p->words, &id));
    if (id != p->graph->tensors.count) {
        return TS__WORDS_FAIL(&p->words, "tensor %%%u stands where %%%u is wanted", (unsigned)id,
                              (unsigned)p->graph->tensors.count);
    }
    TS_TRY(ts__words_string(&p->words, &tensor.name));
    TS_TRY(type(p, &tensor.type));
    TS_TRY(ts__words_shape(&p->words, &tensor.rank, tensor.dims));
    if (ts__words_accept(&p->words, "quanta")) {
        TS_TRY(quanta(p, &tensor.quantum));
    }
    if (ts__words_accept(&p->words, "data")) {
        TS_TRY(data(p, &tensor));
    }
    ts_graph_add_tensor(p->graph, &tensor);
    return TS_OK;
}

static ts_status operator_of(parser *p, ts_op *out) {
    TS_TRY(ts__words_next(&p->words));
    for (int i = 0; i < TS_OP_COUNT; i++) {
        if (strcmp(p->words.word, ts_op_name((ts_op)i)) == 0) {
            *out = (ts_op)i;
            return TS_OK;
        }
    }
    return TS__WORDS_FAIL(&p->words, "'%s' is not an operator", p->words.word);
}

static ts_status clip(parser *p, int32_t *low, int32_t *high) {
    TS_TRY(ts__words_expect(&p->words, "clip"));
    TS_TRY(ts__words_integer32(&p->words, low));
    return ts__words_integer32(&p->words, high);
}

static ts_status step(parser *p, const char *word, ts_add_step *out) {
    TS_TRY(ts__words_expect(&p->words, word));
    TS_TRY(ts__words_expect(&p->words, "mul"));
    TS_TRY(ts__words_integer(&p->words, INT64_MIN, INT64_MAX, &out->mul));
    TS_TRY(ts__words_expect(&p->words, "add"));
    TS_TRY(ts__words_integer(&p->words, INT64_MIN, INT64_MAX, &out->add));
    TS_TRY(ts__words_expect(&p->words, "div"));
    TS_TRY(ts__words_integer(&p->words, INT64_MIN, INT64_MAX, &out->div));
    return clip(p, &out->low, &out->high);
}

static ts_status window(parser *p, ts_window *w) {
    TS_TRY(ts__words_expect(&p->words, "kernel"));
    TS_TRY(ts__words_unsigned32(&p->words, &w->kernel_h));
    TS_TRY(ts__words_unsigned32(&p->words, &w->kernel_w));
    TS_TRY(ts__words_expect(&p->words, "stride"));
    TS_TRY(ts__words_unsigned32(&p->words, &w->stride_h));
    TS_TRY(ts__words_unsigned32(&p->words, &w->stride_w));
    TS_TRY(ts__words_expect(&p->words, "dilation"));
    TS_TRY(ts__words_unsigned32(&p->words, &w->dilation_h));
    TS_TRY(ts__words_unsigned32(&p->words, &w->dilation_w));
    TS_TRY(ts__words_expect(&p->words, "pads"));
    TS_TRY(ts__words_unsigned32(&p->words, &w->pad_top));
    TS_TRY(ts__words_unsigned32(&p->words, &w->pad_left));
    TS_TRY(ts__words_unsigned32(&p->words, &w->pad_bottom));
    return ts__words_unsigned32(&p->words, &w->pad_right);
}

static ts_status list64(parser *p, const char *word, uint32_t count, const int64_t **out) {
    TS_TRY(ts__words_expect(&p->words, word));
    TS_TRY(ts__words_room(&p->words, count));
    int64_t *values = TS_NEW_ARRAY(p->words.arena, int64_t, count);
    for (uint32_t i = 0; i < count; i++) {
        TS_TRY(ts__words_integer(&p->words, INT64_MIN, INT64_MAX, &values[i]));
    }
    *out = values;
    return TS_OK;
}

static ts_status list32(parser *p, const char *word, uint32_t count, const int32_t **out) {
    TS_TRY(ts__words_expect(&p->words, word));
    TS_TRY(ts__words_room(&p->words, count));
    int32_t *values = TS_NEW_ARRAY(p->words.arena, int32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        TS_TRY(ts__words_integer32(&p->words, &values[i]));
    }
    *out = values;
    return TS_OK;
}

static ts_status nemo(parser *p, ts_requant *r) {
    TS_TRY(ts__words_unsigned32(&p->words, &r->channels));
    TS_TRY(clip(p, &r->low, &r->high));
    TS_TRY(ts__words_expect(&p->words, "m"));
    TS_TRY(ts__words_integer(&p->words, INT64_MIN, INT64_MAX, &r->m));
    TS_TRY(ts__words_expect(&p->words, "d"));
    TS_TRY(ts__words_integer(&p->words, INT64_MIN, INT64_MAX, &r->d));
    TS_TRY(list64(p, "kappa", r->channels, &r->kappa));
    return list64(p, "lambda", r->channels, &r->lambda);
}

static ts_status tflite(parser *p, ts_requant *r) {
    TS_TRY(ts__words_unsigned32(&p->words, &r->channels));
    TS_TRY(clip(p, &r->low, &r->high));
    TS_TRY(ts__words_expect(&p->words, "zero"));
    TS_TRY(ts__words_integer32(&p->words, &r->zero));
    TS_TRY(list32(p, "multiplier", r->channels, &r->multiplier));
    return list32(p, "shift", r->channels, &r->shift);
}

static ts_status requant(parser *p, ts_requant *r) {
    if (ts__words_accept(&p->words, requant_words[TS_REQUANT_NEMO])) {
        r->kind = TS_REQUANT_NEMO;
        return nemo(p, r);
    }
    if (ts__words_accept(&p->words, requant_words[TS_REQUANT_TFLITE])) {
        r->kind = TS_REQUANT_TFLITE;
        return tflite(p, r);
    }
    return TS_OK;
}

static ts_status inputs(parser *p, ts_node *node) {
    TS_TRY(ts__words_expect(&p->words, "from"));
    while (!ts__words_accept(&p->words, "to")) {
        if (node->input_count == TS_MAX_INPUTS) {
            return TS__WORDS_FAIL(&p->words, "a node has more than %d inputs", TS_MAX_INPUTS);
        }
        TS_TRY(ts__words_tensor(&p->words, &node->inputs[node->input_count++]));
    }
    return TS_OK;
}

static ts_status parameters(parser *p, ts_node *node) {
    TS_TRY(ts__words_expect(&p->words, "weights"));
    TS_TRY(ts__words_tensor(&p->words, &node->weights));
    return ts__words_accept(&p->words, "bias") ? ts__words_tensor(&p->words, &node->bias) : TS_OK;
}

static ts_status axes(parser *p, const char *word, uint32_t out[3]) {
    TS_TRY(ts__words_expect(&p->words, word));
    for (uint32_t i = 0; i < 3; i++) {
        TS_TRY(ts__words_unsigned32(&p->words, &out[i]));
    }
    return TS_OK;
}

static ts_status movement(parser *p, ts_node *node) {
    const move_words words = words_of(node->op);
    if (words.axis) {
        TS_TRY(ts__words_expect(&p->words, "axis"));
        TS_TRY(ts__words_unsigned32(&p->words, &node->move.axis));
    }
    if (words.begin) {
        TS_TRY(axes(p, "begin", node->move.begin));
    }
    if (words.step) {
        TS_TRY(axes(p, "step", node->move.step));
    }
    if (words.order) {
        TS_TRY(axes(p, "order", node->move.order));
    }
    if (words.fill) {
        TS_TRY(ts__words_expect(&p->words, "fill"));
        TS_TRY(ts__words_integer32(&p->words, &node->move.fill));
    }
    return TS_OK;
}

/* A word and the number behind it. */
static ts_status named(parser *p, const char *word, int32_t *out) {
    TS_TRY(ts__words_expect(&p->words, word));
    return ts__words_integer32(&p->words, out);
}

static ts_status norm(parser *p, ts_norm *n) {
    int32_t centred;
    TS_TRY(named(p, "centred", &centred));
    n->centred = centred != 0;
    TS_TRY(ts__words_expect(&p->words, "shift"));
    TS_TRY(ts__words_unsigned32(&p->words, &n->shift));
    return clip(p, &n->low, &n->high);
}

static ts_status softmax(parser *p, ts_softmax *s) {
    if (ts__words_accept(&p->words, "ita")) {
        s->kind = TS_SOFTMAX_ITA;
        return TS_OK;
    }
    if (ts__words_accept(&p->words, "ibert")) {
        s->kind = TS_SOFTMAX_IBERT;
        TS_TRY(named(p, "a", &s->a));
        TS_TRY(named(p, "b", &s->b));
        TS_TRY(named(p, "c", &s->c));
        TS_TRY(named(p, "log2", &s->log2));
        return named(p, "levels", &s->levels);
    }
    TS_TRY(named(p, "multiplier", &s->multiplier));
    TS_TRY(named(p, "shift", &s->shift));
    return named(p, "least", &s->diff_min);
}

static ts_status parse_node(parser *p) {
    ts_node node = {.weights = TS_NONE, .bias = TS_NONE};
    TS_TRY(ts__words_string(&p->words, &node.name));
    TS_TRY(operator_of(p, &node.op));
    TS_TRY(ts__words_expect(&p->words, "at"));
    TS_TRY(ts__words_unsigned32(&p->words, &node.file_index));
    TS_TRY(inputs(p, &node));
    TS_TRY(ts__words_tensor(&p->words, &node.output));
    if (ts_op_has_weights(node.op)) {
        TS_TRY(parameters(p, &node));
    }
    if (node.op == TS_OP_CONV) {
        TS_TRY(ts__words_expect(&p->words, "groups"));
        TS_TRY(ts__words_unsigned32(&p->words, &node.groups));
    }
    if (has_window(node.op)) {
        TS_TRY(window(p, &node.window));
    }
    if (node.op == TS_OP_ADD) {
        TS_TRY(step(p, "in1", &node.in1));
        TS_TRY(step(p, "in2", &node.in2));
        TS_TRY(step(p, "sum", &node.sum));
    }
    TS_TRY(movement(p, &node));
    if (node.op == TS_OP_SOFTMAX) {
        TS_TRY(softmax(p, &node.softmax));
    }
    if (node.op == TS_OP_NORM) {
        TS_TRY(norm(p, &node.norm));
    }
    TS_TRY(requant(p, &node.requant));
    ts_graph_add_node(p->graph, &node);
    return TS_OK;
}

static ts_status statements(parser *p) {
    ts_tensor_id id;
    while (!ts__words_accept(&p->words, "end")) {
        if (ts__words_accept(&p->words, "tensor")) {
            TS_TRY(parse_tensor(p));
        } else if (ts__words_accept(&p->words, "node")) {
            TS_TRY(parse_node(p));
        } else if (ts__words_accept(&p->words, "input")) {
            TS_TRY(ts__words_tensor(&p->words, &id));
            TS_PUSH(p->words.arena, &p->graph->inputs, id);
        } else if (ts__words_accept(&p->words, "output")) {
            TS_TRY(ts__words_tensor(&p->words, &id));
            TS_PUSH(p->words.arena, &p->graph->outputs, id);
        } else {
            return ts__words_expect(&p->words, "end");
        }
    }
    ts__words_skip(&p->words);
    return p->words.at == p->words.end ? TS_OK : TS__WORDS_FAIL(&p->words, "text follows the end");
}

ts_status ts_graph_parse(ts_arena *arena, ts_bytes text, ts_graph **out, ts_diags *diags) {
    parser p = {
        .words = {.arena = arena, .at = text.data, .end = text.data + text.size, .line = 1, .diags = diags}};
    const char *name;
    int64_t version;
    TS_TRY(ts__words_expect(&p.words, "graph"));
    TS_TRY(ts__words_integer(&p.words, FORM_VERSION, FORM_VERSION, &version));
    TS_TRY(ts__words_string(&p.words, &name));
    p.graph = ts_graph_new(arena, name);
    TS_TRY(statements(&p));
    TS_TRY(ts_graph_verify(p.graph, diags));
    *out = p.graph;
    return TS_OK;
}
