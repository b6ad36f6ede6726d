/* The text form: words separated by blanks, one statement a line when printed. */
#include "ir/text_form.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FORM_VERSION = 1, VALUES_A_LINE = 32, MAX_WORD = 63, MAX_NAME = 4096 };

static const char *const requant_words[] = {"none", "nemo", "tflite"};

/* ---- printing ---- */

static void print_int(ts_text *out, int64_t value) {
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    ts_text_add_bytes(out, digits + at, sizeof digits - at);
}

static void print_string(ts_text *out, const char *text) {
    ts_text_add(out, "\"");
    for (const char *c = text; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\\') {
            ts_text_printf(out, "\\x%02x", (unsigned)byte);
        } else {
            ts_text_add_bytes(out, c, 1);
        }
    }
    ts_text_add(out, "\"");
}

/* What stands before value i of a list. */
static void separate(ts_text *out, uint64_t i) { ts_text_add(out, i % VALUES_A_LINE == 0 ? "\n   " : ""); }

static void print_data(ts_text *out, const ts_tensor *tensor) {
    uint64_t count = ts_tensor_elements(tensor);
    ts_text_add(out, " data");
    for (uint64_t i = 0; i < count; i++) {
        separate(out, i);
        if (tensor->type == TS_F32) {
            ts_text_printf(out, " %.9g", (double)((const float *)tensor->data)[i]);
        } else {
            ts_text_add(out, " ");
            print_int(out, ts_tensor_int(tensor, i));
        }
    }
}

static void print_tensor(ts_text *out, const ts_tensor *tensor, ts_tensor_id id) {
    ts_dims_buffer dims;
    ts_text_printf(out, "tensor %%%u ", (unsigned)id);
    print_string(out, tensor->name);
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

static bool has_weights(ts_op op) { return op == TS_OP_CONV || op == TS_OP_LINEAR || op == TS_OP_LUT; }

/* What an operator that moves elements says, in this order: words with a number an axis. */
typedef struct move_words {
    bool axis, begin, step, order, fill;
} move_words;

static move_words words_of(ts_op op) {
    return (move_words){.axis = op == TS_OP_CONCAT,
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

static void print_node(ts_text *out, const ts_node *node) {
    ts_text_add(out, "node ");
    print_string(out, node->name);
    ts_text_printf(out, " %s at %u from", ts_op_name(node->op), (unsigned)node->file_index);
    for (uint32_t i = 0; i < node->input_count; i++) {
        ts_text_printf(out, " %%%u", (unsigned)node->inputs[i]);
    }
    ts_text_printf(out, " to %%%u", (unsigned)node->output);
    if (has_weights(node->op)) {
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
        const ts_softmax *s = &node->softmax;
        ts_text_printf(out, " multiplier %d shift %d least %d", (int)s->multiplier, (int)s->shift,
                       (int)s->diff_min);
    }
    print_requant(out, &node->requant);
    ts_text_add(out, "\n");
}

void ts_graph_print(ts_text *out, const ts_graph *graph) {
    ts_text_printf(out, "graph %d ", FORM_VERSION);
    print_string(out, graph->name);
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
    ts_arena *arena;
    ts_graph *graph;
    const uint8_t *at, *end;
    uint32_t line;
    char word[MAX_WORD + 1]; /* the current word; empty at a string and at the end of the text */
    ts_diags *diags;
} parser;

#define FAIL(p, ...)                                                                     \
    ts_error((p)->diags, TS_DIAG_SYNTAX, NULL, NULL, "line %u: %s", (unsigned)(p)->line, \
             ts_arena_printf((p)->diags->arena, __VA_ARGS__))

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* Skips blanks and comments (# to the end of the line). */
static void skip(parser *p) {
    bool comment = false;
    for (; p->at < p->end && (comment || is_blank(*p->at) || *p->at == '#'); p->at++) {
        comment = *p->at != '\n' && (comment || *p->at == '#');
        p->line += *p->at == '\n';
    }
}

/* Takes the next word into p->word. */
static ts_status next(parser *p) {
    size_t size = 0;
    skip(p);
    for (; p->at < p->end && !is_blank(*p->at) && *p->at != '"'; p->at++) {
        if (size == MAX_WORD || *p->at < 0x20 || *p->at >= 0x7f) {
            return FAIL(p, "a word is longer than %d characters or not plain text", MAX_WORD);
        }
        p->word[size++] = (char)*p->at;
    }
    p->word[size] = '\0';
    return TS_OK;
}

/* True, and the word is taken, when the next word is `word`; else nothing is taken. */
static bool accept(parser *p, const char *word) {
    skip(p);
    size_t size = strlen(word);
    size_t left = (size_t)(p->end - p->at);
    if (left < size || memcmp(p->at, word, size) != 0 || (left > size && !is_blank(p->at[size]))) {
        return false;
    }
    p->at += size;
    return true;
}

static ts_status expect(parser *p, const char *word) {
    if (accept(p, word)) {
        return TS_OK;
    }
    TS_TRY(next(p));
    return p->at == p->end && p->word[0] == '\0' ? FAIL(p, "the text ends where '%s' is wanted", word)
                                                 : FAIL(p, "'%s' stands where '%s' is wanted", p->word, word);
}

/* A decimal integer in [low, high], written as it would be printed. */
static ts_status integer(parser *p, int64_t low, int64_t high, int64_t *out) {
    TS_TRY(next(p));
    const char *digits = p->word[0] == '-' ? p->word + 1 : p->word;
    bool leading_zero = digits[0] == '0' && (digits[1] != '\0' || digits != p->word);
    if (digits[0] < '0' || digits[0] > '9' || leading_zero || !ts_parse_i64(p->word, out)) {
        return FAIL(p, "'%s' is not an integer", p->word);
    }
    if (*out < low || *out > high) {
        return FAIL(p, "%s is not within [%lld, %lld]", p->word, (long long)low, (long long)high);
    }
    return TS_OK;
}

static ts_status integer32(parser *p, int32_t *out) {
    int64_t value;
    TS_TRY(integer(p, INT32_MIN, INT32_MAX, &value));
    *out = (int32_t)value;
    return TS_OK;
}

static ts_status unsigned32(parser *p, uint32_t *out) {
    int64_t value;
    TS_TRY(integer(p, 0, UINT32_MAX, &value));
    *out = (uint32_t)value;
    return TS_OK;
}

static ts_status real(parser *p, double *out) {
    char *end;
    TS_TRY(next(p));
    *out = strtod(p->word, &end);
    if (p->word[0] == '\0' || *end != '\0') {
        return FAIL(p, "'%s' is not a number", p->word);
    }
    return TS_OK;
}

static ts_status tensor_id(parser *p, ts_tensor_id *out) {
    skip(p);
    if (p->at == p->end || *p->at != '%') {
        return FAIL(p, "a tensor, %%N, is wanted");
    }
    p->at++;
    return unsigned32(p, out);
}

static int hex_digit(uint8_t c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character of a string at p->at, which is moved past it; -1 where the escape is wrong. */
static int string_byte(parser *p) {
    uint8_t c = *p->at++;
    if (c != '\\') {
        return c < 0x20 || c == 0x7f ? -1 : c;
    }
    if (p->end - p->at < 3 || p->at[0] != 'x') {
        return -1;
    }
    int high = hex_digit(p->at[1]), low = hex_digit(p->at[2]);
    p->at += 3;
    return high < 0 || low < 0 || high + low == 0 ? -1 : high * 16 + low;
}

static ts_status string(parser *p, const char **out) {
    char text[MAX_NAME];
    size_t size = 0;
    skip(p);
    if (p->at == p->end || *p->at != '"') {
        return FAIL(p, "a name in quotation marks is wanted");
    }
    for (p->at++; p->at < p->end && *p->at != '"';) {
        int byte = string_byte(p);
        if (byte < 0 || size == MAX_NAME) {
            return FAIL(p, "a name is longer than %d bytes or holds a wrong character", MAX_NAME);
        }
        text[size++] = (char)byte;
    }
    if (p->at == p->end) {
        return FAIL(p, "a name does not end");
    }
    p->at++;
    *out = ts_arena_copy(p->arena, text, size);
    return TS_OK;
}

static ts_status type(parser *p, ts_type *out) {
    TS_TRY(next(p));
    for (int i = 0; i < TS_TYPE_COUNT; i++) {
        if (strcmp(p->word, ts_type_name((ts_type)i)) == 0) {
            *out = (ts_type)i;
            return TS_OK;
        }
    }
    return FAIL(p, "'%s' is not a type", p->word);
}

/* "1x8x8x16" or "scalar". */
static ts_status shape(parser *p, ts_tensor *tensor) {
    TS_TRY(next(p));
    const char *at = strcmp(p->word, "scalar") == 0 ? "" : p->word;
    while (*at != '\0') {
        char *end;
        errno = 0;
        unsigned long long dim = strtoull(at, &end, 10);
        bool more = *end == 'x';
        if (*at < '1' || *at > '9' || errno != 0 || dim > UINT32_MAX || tensor->rank == TS_MAX_RANK ||
            (*end != '\0' && (!more || end[1] == '\0'))) {
            return FAIL(p, "'%s' is not a shape", p->word);
        }
        tensor->dims[tensor->rank++] = (uint32_t)dim;
        at = more ? end + 1 : end;
    }
    return TS_OK;
}

/* A list of `count` items takes at least two bytes an item: longer lists than the text are not allocated. */
static ts_status check_room(parser *p, uint64_t count) {
    if (count > (uint64_t)(p->end - p->at) / 2) {
        return FAIL(p, "%llu values are wanted and the text ends before", (unsigned long long)count);
    }
    return TS_OK;
}

static ts_status quanta(parser *p, ts_quantum *q) {
    TS_TRY(unsigned32(p, &q->channels));
    TS_TRY(check_room(p, q->channels));
    double *scale = TS_NEW_ARRAY(p->arena, double, q->channels);
    int32_t *zero = TS_NEW_ARRAY(p->arena, int32_t, q->channels);
    for (uint32_t i = 0; i < q->channels; i++) {
        TS_TRY(real(p, &scale[i]));
        TS_TRY(integer32(p, &zero[i]));
    }
    q->scale = scale;
    q->zero = zero;
    return TS_OK;
}

static ts_status datum(parser *p, ts_type element, void *data, uint64_t i) {
    int64_t value;
    if (element == TS_F32) {
        double number;
        TS_TRY(real(p, &number));
        ((float *)data)[i] = (float)number;
        return TS_OK;
    }
    TS_TRY(integer(p, ts_type_low(element), ts_type_high(element), &value));
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
    TS_TRY(check_room(p, count));
    void *values = ts_arena_array(p->arena, count, ts_type_slot_bytes(tensor->type));
    for (uint64_t i = 0; i < count; i++) {
        TS_TRY(datum(p, tensor->type, values, i));
    }
    tensor->data = values;
    return TS_OK;
}

static ts_status parse_tensor(parser *p) {
    ts_tensor tensor = {.producer = TS_NONE};
    ts_tensor_id id;
    TS_TRY(tensor_id(p, &id));
    if (id != p->graph->tensors.count) {
        return FAIL(p, "tensor %%%u stands where %%%u is wanted", (unsigned)id,
                    (unsigned)p->graph->tensors.count);
    }
    TS_TRY(string(p, &tensor.name));
    TS_TRY(type(p, &tensor.type));
    TS_TRY(shape(p, &tensor));
    if (accept(p, "quanta")) {
        TS_TRY(quanta(p, &tensor.quantum));
    }
    if (accept(p, "data")) {
        TS_TRY(data(p, &tensor));
    }
    ts_graph_add_tensor(p->graph, &tensor);
    return TS_OK;
}

static ts_status operator_of(parser *p, ts_op *out) {
    TS_TRY(next(p));
    for (int i = 0; i < TS_OP_COUNT; i++) {
        if (strcmp(p->word, ts_op_name((ts_op)i)) == 0) {
            *out = (ts_op)i;
            return TS_OK;
        }
    }
    return FAIL(p, "'%s' is not an operator", p->word);
}

static ts_status clip(parser *p, int32_t *low, int32_t *high) {
    TS_TRY(expect(p, "clip"));
    TS_TRY(integer32(p, low));
    return integer32(p, high);
}

static ts_status step(parser *p, const char *word, ts_add_step *out) {
    TS_TRY(expect(p, word));
    TS_TRY(expect(p, "mul"));
    TS_TRY(integer(p, INT64_MIN, INT64_MAX, &out->mul));
    TS_TRY(expect(p, "add"));
    TS_TRY(integer(p, INT64_MIN, INT64_MAX, &out->add));
    TS_TRY(expect(p, "div"));
    TS_TRY(integer(p, INT64_MIN, INT64_MAX, &out->div));
    return clip(p, &out->low, &out->high);
}

static ts_status window(parser *p, ts_window *w) {
    TS_TRY(expect(p, "kernel"));
    TS_TRY(unsigned32(p, &w->kernel_h));
    TS_TRY(unsigned32(p, &w->kernel_w));
    TS_TRY(expect(p, "stride"));
    TS_TRY(unsigned32(p, &w->stride_h));
    TS_TRY(unsigned32(p, &w->stride_w));
    TS_TRY(expect(p, "dilation"));
    TS_TRY(unsigned32(p, &w->dilation_h));
    TS_TRY(unsigned32(p, &w->dilation_w));
    TS_TRY(expect(p, "pads"));
    TS_TRY(unsigned32(p, &w->pad_top));
    TS_TRY(unsigned32(p, &w->pad_left));
    TS_TRY(unsigned32(p, &w->pad_bottom));
    return unsigned32(p, &w->pad_right);
}

static ts_status list64(parser *p, const char *word, uint32_t count, const int64_t **out) {
    TS_TRY(expect(p, word));
    TS_TRY(check_room(p, count));
    int64_t *values = TS_NEW_ARRAY(p->arena, int64_t, count);
    for (uint32_t i = 0; i < count; i++) {
        TS_TRY(integer(p, INT64_MIN, INT64_MAX, &values[i]));
    }
    *out = values;
    return TS_OK;
}

static ts_status list32(parser *p, const char *word, uint32_t count, const int32_t **out) {
    TS_TRY(expect(p, word));
    TS_TRY(check_room(p, count));
    int32_t *values = TS_NEW_ARRAY(p->arena, int32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        TS_TRY(integer32(p, &values[i]));
    }
    *out = values;
    return TS_OK;
}

static ts_status nemo(parser *p, ts_requant *r) {
    TS_TRY(unsigned32(p, &r->channels));
    TS_TRY(clip(p, &r->low, &r->high));
    TS_TRY(expect(p, "m"));
    TS_TRY(integer(p, INT64_MIN, INT64_MAX, &r->m));
    TS_TRY(expect(p, "d"));
    TS_TRY(integer(p, INT64_MIN, INT64_MAX, &r->d));
    TS_TRY(list64(p, "kappa", r->channels, &r->kappa));
    return list64(p, "lambda", r->channels, &r->lambda);
}

static ts_status tflite(parser *p, ts_requant *r) {
    TS_TRY(unsigned32(p, &r->channels));
    TS_TRY(clip(p, &r->low, &r->high));
    TS_TRY(expect(p, "zero"));
    TS_TRY(integer32(p, &r->zero));
    TS_TRY(list32(p, "multiplier", r->channels, &r->multiplier));
    return list32(p, "shift", r->channels, &r->shift);
}

static ts_status requant(parser *p, ts_requant *r) {
    if (accept(p, requant_words[TS_REQUANT_NEMO])) {
        r->kind = TS_REQUANT_NEMO;
        return nemo(p, r);
    }
    if (accept(p, requant_words[TS_REQUANT_TFLITE])) {
        r->kind = TS_REQUANT_TFLITE;
        return tflite(p, r);
    }
    return TS_OK;
}

static ts_status inputs(parser *p, ts_node *node) {
    TS_TRY(expect(p, "from"));
    while (!accept(p, "to")) {
        if (node->input_count == TS_MAX_INPUTS) {
            return FAIL(p, "a node has more than %d inputs", TS_MAX_INPUTS);
        }
        TS_TRY(tensor_id(p, &node->inputs[node->input_count++]));
    }
    return TS_OK;
}

static ts_status parameters(parser *p, ts_node *node) {
    TS_TRY(expect(p, "weights"));
    TS_TRY(tensor_id(p, &node->weights));
    return accept(p, "bias") ? tensor_id(p, &node->bias) : TS_OK;
}

static ts_status axes(parser *p, const char *word, uint32_t out[3]) {
    TS_TRY(expect(p, word));
    for (uint32_t i = 0; i < 3; i++) {
        TS_TRY(unsigned32(p, &out[i]));
    }
    return TS_OK;
}

static ts_status movement(parser *p, ts_node *node) {
    const move_words words = words_of(node->op);
    if (words.axis) {
        TS_TRY(expect(p, "axis"));
        TS_TRY(unsigned32(p, &node->move.axis));
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
        TS_TRY(expect(p, "fill"));
        TS_TRY(integer32(p, &node->move.fill));
    }
    return TS_OK;
}

static ts_status softmax(parser *p, ts_softmax *s) {
    TS_TRY(expect(p, "multiplier"));
    TS_TRY(integer32(p, &s->multiplier));
    TS_TRY(expect(p, "shift"));
    TS_TRY(integer32(p, &s->shift));
    TS_TRY(expect(p, "least"));
    return integer32(p, &s->diff_min);
}

static ts_status parse_node(parser *p) {
    ts_node node = {.weights = TS_NONE, .bias = TS_NONE};
    TS_TRY(string(p, &node.name));
    TS_TRY(operator_of(p, &node.op));
    TS_TRY(expect(p, "at"));
    TS_TRY(unsigned32(p, &node.file_index));
    TS_TRY(inputs(p, &node));
    TS_TRY(tensor_id(p, &node.output));
    if (has_weights(node.op)) {
        TS_TRY(parameters(p, &node));
    }
    if (node.op == TS_OP_CONV) {
        TS_TRY(expect(p, "groups"));
        TS_TRY(unsigned32(p, &node.groups));
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
    TS_TRY(requant(p, &node.requant));
    ts_graph_add_node(p->graph, &node);
    return TS_OK;
}

static ts_status statements(parser *p) {
    ts_tensor_id id;
    while (!accept(p, "end")) {
        if (accept(p, "tensor")) {
            TS_TRY(parse_tensor(p));
        } else if (accept(p, "node")) {
            TS_TRY(parse_node(p));
        } else if (accept(p, "input")) {
            TS_TRY(tensor_id(p, &id));
            TS_PUSH(p->arena, &p->graph->inputs, id);
        } else if (accept(p, "output")) {
            TS_TRY(tensor_id(p, &id));
            TS_PUSH(p->arena, &p->graph->outputs, id);
        } else {
            return expect(p, "end");
        }
    }
    skip(p);
    return p->at == p->end ? TS_OK : FAIL(p, "text follows the end");
}

ts_status ts_graph_parse(ts_arena *arena, ts_bytes text, ts_graph **out, ts_diags *diags) {
    parser p = {.arena = arena, .at = text.data, .end = text.data + text.size, .line = 1, .diags = diags};
    const char *name;
    int64_t version;
    TS_TRY(expect(&p, "graph"));
    TS_TRY(integer(&p, FORM_VERSION, FORM_VERSION, &version));
    TS_TRY(string(&p, &name));
    p.graph = ts_graph_new(arena, name);
    TS_TRY(statements(&p));
    TS_TRY(ts_graph_verify(p.graph, diags));
    *out = p.graph;
    return TS_OK;
}
