#include "ir/program.h"

#include <math.h>
#include <string.h>

static const uint32_t step_reads[] = {
#define ROW(id, name, reads) reads,
    TS_FLOAT_STEPS(ROW)
#undef ROW
};
_Static_assert(sizeof step_reads / sizeof step_reads[0] == TS_STEP_COUNT, "one row an operation");

uint32_t ts_float_step_reads(ts_float_step step) { return step_reads[step]; }

typedef struct check {
    const ts_graph *graph;
    const ts_node *node;
    const int32_t *words;
    uint64_t count, data; /* words, and of these data behind the steps */
    uint32_t channels;
    ts_diags *diags;
} check;

#define FAIL(c, ...) \
    ts_error((c)->diags, TS_DIAG_GRAPH, (c)->node->name, ts_op_name((c)->node->op), __VA_ARGS__)

static bool reads_data(const check *c, int64_t first, uint64_t words) {
    return first >= 0 && (uint64_t)first <= c->data && words <= c->data - (uint64_t)first;
}

static bool reads_operand(const check *c, int32_t operand, ts_float_step step) {
    if (operand < 0 || (uint32_t)operand >= c->node->input_count) {
        return false;
    }
    ts_type type = c->graph->tensors.data[c->node->inputs[operand]].type;
    return step == TS_STEP_CODE || type == TS_U8 || type == TS_S8;
}

static bool step_fits(const check *c, uint32_t index) {
    const int32_t *step = c->words + TS_PROGRAM_HEAD + (size_t)TS_PROGRAM_STEP * index;
    if (step[0] < 0 || step[0] >= TS_STEP_COUNT) {
        return false;
    }
    ts_float_step kind = (ts_float_step)step[0];
    switch (kind) {
        case TS_STEP_TABLE:
            return reads_operand(c, step[1], kind) && reads_data(c, step[2], TS_PROGRAM_TABLE);
        case TS_STEP_CODE:
            return reads_operand(c, step[1], kind);
        case TS_STEP_CONST:
            return (step[2] == 0 || step[2] == 1) && reads_data(c, step[1], step[2] == 0 ? 1 : c->channels);
        default:
            for (uint32_t i = 1; i <= step_reads[kind]; i++) {
                if (step[i] < 0 || (uint32_t)step[i] >= index) {
                    return false;
                }
            }
            return true;
    }
}

static ts_status check_head(const check *c) {
    const ts_tensor *out = &c->graph->tensors.data[c->node->output];
    int32_t steps = c->count < TS_PROGRAM_HEAD ? 0 : c->words[TS_PROGRAM_COUNT];
    if (steps < 1 || steps > TS_PROGRAM_STEPS ||
        c->count < TS_PROGRAM_HEAD + (uint64_t)TS_PROGRAM_STEP * (uint32_t)steps) {
        return FAIL(c, "its program of %llu words has %d steps; 1 to %d that it holds would be right",
                    (unsigned long long)c->count, (int)steps, TS_PROGRAM_STEPS);
    }
    float scale;
    memcpy(&scale, &c->words[TS_PROGRAM_SCALE], sizeof scale);
    int32_t low = c->words[TS_PROGRAM_LOW], high = c->words[TS_PROGRAM_HIGH];
    if (!(scale > 0) || !isfinite(scale) || low > high || low < ts_type_low(out->type) ||
        high > ts_type_high(out->type) || c->words[TS_PROGRAM_ZERO] < ts_type_low(out->type) ||
        c->words[TS_PROGRAM_ZERO] > ts_type_high(out->type)) {
        return FAIL(c, "its program's result has scale %g, zero point %d and bounds %d and %d", (double)scale,
                    (int)c->words[TS_PROGRAM_ZERO], (int)low, (int)high);
    }
    return TS_OK;
}

ts_status ts_program_verify(const ts_graph *graph, const ts_node *node, ts_diags *diags) {
    const ts_tensor *program = &graph->tensors.data[node->weights];
    check c = {.graph = graph,
               .node = node,
               .words = program->data,
               .count = ts_tensor_elements(program),
               .channels = ts_c(&graph->tensors.data[node->output]),
               .diags = diags};
    TS_TRY(check_head(&c));
    c.data = c.count - ts_program_data(c.words);
    for (uint32_t i = 0; i < (uint32_t)c.words[TS_PROGRAM_COUNT]; i++) {
        if (!step_fits(&c, i)) {
            return FAIL(&c, "step %u of its program reads what is not there", (unsigned)i);
        }
    }
    return TS_OK;
}
