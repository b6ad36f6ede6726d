#include "quant/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "num/float.h"
#include "num/integer.h"

static void report(const ts_progress *progress, uint32_t done, uint32_t total) {
    if (progress != NULL && progress->report != NULL) {
        progress->report(progress->object, done, total);
    }
}

static uint32_t best(const float *scores, uint32_t count) {
    uint32_t top = 0;
    for (uint32_t i = 1; i < count; i++) {
        top = scores[i] > scores[top] ? i : top;
    }
    return top;
}

/* Number of outputs that beat output `label`; of equal ones the first wins. */
static uint32_t rank_of(const float *scores, uint32_t count, uint32_t label) {
    uint32_t better = 0;
    for (uint32_t i = 0; i < count; i++) {
        better += scores[i] > scores[label] || (scores[i] == scores[label] && i < label);
    }
    return better;
}

typedef struct judged {
    double score;
    int32_t label;
} judged;

static int by_score(const void *a, const void *b) {
    double x = ((const judged *)a)->score, y = ((const judged *)b)->score;
    return (x > y) - (x < y);
}

/* The Mann-Whitney statistic: equal scores count half. `errors`: the scores, where outputs are none. */
static void find_auc(ts_arena *scratch, const ts_data *data, const double *errors, ts_score *s) {
    judged *list = TS_NEW_ARRAY(scratch, judged, s->count);
    double ones = 0, ranks = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        const float *y = s->scores + (size_t)i * s->outputs;
        list[i].score = errors != NULL    ? errors[i]
                        : s->outputs == 2 ? (double)y[1] - (double)y[0]
                                          : (double)y[0];
        list[i].label = ts_data_label(data, i);
        if (list[i].label > 1) {
            return;
        }
        ones += list[i].label;
    }
    qsort(list, s->count, sizeof *list, by_score);
    for (uint32_t i = 0; i < s->count;) {
        uint32_t end = i;
        while (end < s->count && list[end].score == list[i].score) {
            end++;
        }
        for (uint32_t k = i; k < end; k++) {
            ranks += list[k].label * (0.5 * (i + 1.0 + end));
        }
        i = end;
    }
    double zeros = s->count - ones;
    s->has_auc = ones > 0 && zeros > 0;
    s->auc = s->has_auc ? (ranks - ones * (ones + 1) / 2) / (ones * zeros) : 0;
}

static ts_status find_classes(ts_arena *arena, const ts_data *data, ts_score *s, ts_diags *diags) {
    if (s->outputs < 2 || s->outputs > TS_MAX_CLASSES) {
        return TS_OK;
    }
    uint32_t *confusion = TS_NEW_ARRAY(arena, uint32_t, (size_t)s->outputs * s->outputs);
    uint32_t first = 0, five = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        const float *y = s->scores + (size_t)i * s->outputs;
        uint32_t label = (uint32_t)ts_data_label(data, i);
        if (label >= s->outputs) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                            "sample %u has label %u but the network has %u outputs", i, label, s->outputs);
        }
        uint32_t place = rank_of(y, s->outputs, label);
        first += place == 0;
        five += place < 5;
        confusion[(size_t)label * s->outputs + best(y, s->outputs)]++;
    }
    s->has_classes = true;
    s->classes = s->outputs;
    s->confusion = confusion;
    s->top1 = (double)first / s->count;
    s->top5 = (double)five / s->count;
    return TS_OK;
}

static bool finds_anomalies(const ts_data *data, const ts_score *s) {
    bool binary = s->has_error && s->outputs > 2;
    for (uint32_t i = 0; binary && i < s->count; i++) {
        binary = ts_data_label(data, i) <= 1;
    }
    return binary;
}

static ts_status judge(ts_arena *arena, const ts_data *data, ts_score *s, ts_diags *diags) {
    if (data->labels == NULL || s->count == 0) {
        return TS_OK;
    }
    bool anomalies = finds_anomalies(data, s);
    if (!anomalies) {
        TS_TRY(find_classes(arena, data, s, diags));
    }
    if (anomalies || s->outputs <= 2) {
        ts_arena *scratch = ts_arena_new("auc", 0);
        find_auc(scratch, data, anomalies ? s->errors : NULL, s);
        ts_arena_free(scratch);
    }
    return TS_OK;
}

ts_status ts_evaluate_float(ts_arena *arena, const ts_fgraph *graph, const ts_data *data,
                            const ts_progress *progress, ts_score *out, ts_diags *diags) {
    const ts_ftensor *input = &graph->tensors.data[graph->inputs.data[0]];
    ts_tensor_id output = graph->outputs.data[0];
    TS_TRY(ts_data_check(data, input, diags));
    uint64_t inputs = ts_ftensor_elements(input), outputs = ts_ftensor_elements(&graph->tensors.data[output]);
    *out = (ts_score){.count = data->count, .outputs = (uint32_t)outputs};
    float *scores = TS_NEW_ARRAY(arena, float, outputs * data->count);
    double *errors = TS_NEW_ARRAY(arena, double, data->count);
    ts_arena *scratch = ts_arena_new("evaluate", 0);
    ts_fsession *session = ts_fsession_new(scratch, graph);
    float *x = TS_NEW_ARRAY(scratch, float, inputs),
          *room = TS_NEW_ARRAY(scratch, float, ts_data_scratch(data));
    for (uint32_t i = 0; i < data->count; i++) {
        ts_data_sample(data, i, input, room, x);
        ts_fsession_run(session, (const float *const[]){x});
        const float *y = ts_fsession_value(session, output);
        memcpy(scores + outputs * i, y, outputs * sizeof *y);
        for (uint64_t k = 0; outputs == inputs && k < outputs; k++) {
            errors[i] += (double)((y[k] - x[k]) * (y[k] - x[k])) / (double)outputs;
        }
        out->mean_square += errors[i] / data->count;
        report(progress, i + 1, data->count);
    }
    out->has_error = outputs == inputs;
    out->errors = errors;
    out->scores = scores;
    ts_arena_free(scratch);
    return judge(arena, data, out, diags);
}

void ts_quantize_input(const ts_tensor *input, double scale, const float *x, int32_t *out) {
    double low = (double)ts_type_low(input->type), high = (double)ts_type_high(input->type);
    double zero = input->quantum.channels == 0 ? 0 : input->quantum.zero[0];
    uint64_t count = ts_tensor_elements(input);
    for (uint64_t i = 0; i < count; i++) {
        double v = floor((double)x[i] / scale + 0.5) + zero;
        out[i] = (int32_t)(v < low ? low : v > high ? high : v);
    }
}

typedef struct integer_run {
    const ts_graph *graph;
    const ts_data *data;
    const ts_machine *machine;
    double scale;
    bool has_error; /* as many outputs as inputs, and their quantum is known */
    const ts_tensor *input, *output;
    ts_ftensor order; /* the input as the data readers know it */
    float *scores;
} integer_run;

static ts_status interpret(void *object, ts_arena *scratch, const int32_t *input, const int32_t **output,
                           ts_diags *diags) {
    const ts_graph *graph = object;
    int32_t **values;
    TS_TRY(ts_integer_run(graph, scratch, &input, &values, diags));
    *output = values[graph->outputs.data[0]];
    return TS_OK;
}

/* `error` gains the square distance of outputs to inputs, where both have as many elements and a quantum. */
static ts_status run_integer_sample(const integer_run *r, uint32_t i, double *error, ts_diags *diags) {
    ts_arena *scratch = ts_arena_new("evaluate", 0);
    ts_guard_defer((void (*)(void *))ts_arena_free, scratch);
    uint64_t inputs = ts_tensor_elements(r->input), outputs = ts_tensor_elements(r->output);
    float *x = TS_NEW_ARRAY(scratch, float, inputs),
          *room = TS_NEW_ARRAY(scratch, float, ts_data_scratch(r->data));
    int32_t *integers = TS_NEW_ARRAY(scratch, int32_t, inputs);
    const int32_t *output = NULL;
    ts_data_sample(r->data, i, &r->order, room, x);
    ts_quantize_input(r->input, r->scale, x, integers);
    ts_status status = r->machine->run(r->machine->object, scratch, integers, &output, diags);
    for (uint64_t k = 0; status == TS_OK && k < outputs; k++) {
        int32_t y = output[k];
        r->scores[i * outputs + k] = (float)y;
        if (r->has_error) {
            double e = y * r->output->quantum.scale[0] - (double)x[k];
            *error += e * e;
        }
    }
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    return status;
}

ts_status ts_evaluate_integer(ts_arena *arena, const ts_graph *graph, double input_scale, const ts_data *data,
                              const ts_machine *machine, const ts_progress *progress, ts_score *out,
                              ts_diags *diags) {
    const ts_machine interpreter = {interpret, (void *)(uintptr_t)graph};
    integer_run r = {.graph = graph,
                     .data = data,
                     .machine = machine != NULL ? machine : &interpreter,
                     .scale = input_scale,
                     .input = &graph->tensors.data[graph->inputs.data[0]],
                     .output = &graph->tensors.data[graph->outputs.data[0]]};
    if (r.scale <= 0) {
        if (r.input->quantum.channels == 0) {
            return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                            "the model does not say the step of its input '%s'; --input-scale gives it",
                            r.input->name);
        }
        r.scale = r.input->quantum.scale[0];
    }
    r.order = (ts_ftensor){.name = r.input->name, .rank = r.input->rank, .layout = TS_LAYOUT_CHANNELS_LAST};
    memcpy(r.order.dims, r.input->dims, sizeof r.order.dims);
    r.order.rank = ts_h(r.input) == 1 && ts_w(r.input) == 1 ? 2 : r.order.rank;
    r.order.dims[1] = r.order.rank == 2 ? ts_c(r.input) : r.order.dims[1];
    TS_TRY(ts_data_check(data, &r.order, diags));
    uint64_t outputs = ts_tensor_elements(r.output);
    *out = (ts_score){.count = data->count, .outputs = (uint32_t)outputs};
    r.scores = TS_NEW_ARRAY(arena, float, outputs * data->count);
    r.has_error = outputs == ts_tensor_elements(r.input) && r.output->quantum.channels == 1;
    double *errors = TS_NEW_ARRAY(arena, double, data->count);
    for (uint32_t i = 0; i < data->count; i++) {
        TS_TRY(run_integer_sample(&r, i, &errors[i], diags));
        errors[i] /= (double)outputs;
        out->mean_square += errors[i] / data->count;
        report(progress, i + 1, data->count);
    }
    out->has_error = r.has_error;
    out->errors = errors;
    out->scores = r.scores;
    return judge(arena, data, out, diags);
}
