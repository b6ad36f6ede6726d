/* Ranges by what they do to the network's outputs: greedy, value after value, from the input on. */
#include <math.h>
#include <string.h>

#include "num/float.h"
#include "quant/ranges.h"
#include "quant/stage.h"

enum { SAMPLES = 48 };

/* A step so fine that its grid is the real numbers: values that are not chosen yet. */
#define NO_STEP 1e-12

typedef struct search {
    ts_quant *quant;
    const ts_data *data;
    ts_fgraph *graph;    /* float weights, a FAKE_QUANT behind every value with a grid */
    uint32_t *grid_node; /* by value; TS_NONE where it has no grid of its own */
    ts_fsession *session;
    uint32_t samples;
    uint64_t outputs;
    float *inputs, *right; /* of each sample: the input, and the float network's outputs */
} search;

static uint64_t input_elements(const search *s) {
    const ts_qnet *net = s->quant->net;
    return (uint64_t)net->h * net->w * net->c;
}

/* Sets the grid of one value: its step, and clip bounds that mean the same numbers whatever the step. */
static void set_one(const search *s, uint32_t value, double scale, bool fine) {
    if (s->grid_node[value] == TS_NONE) {
        return;
    }
    const ts_qvalue *v = &s->quant->values[value];
    const ts_qlayer *l = value == 0 ? NULL : &s->quant->net->layers.data[value - 1];
    ts_fnode *n = &s->graph->nodes.data[s->grid_node[value]];
    double low = l == NULL ? -INFINITY : (double)l->low, high = l == NULL ? INFINITY : (double)l->high;
    n->scale = fine ? NO_STEP : scale;
    n->low = (float)(fine ? low / NO_STEP : fmax((double)ts_type_low(v->type), floor(low / scale + 0.5)));
    n->high = (float)(fine ? high / NO_STEP : fmin((double)v->top, floor(high / scale + 0.5)));
    if (!fine) {
        n->low = (float)fmax((double)n->low, (double)v->bottom);
    }
}

/* The same for all values that share it. */
static void set_step(const search *s, uint32_t value, double scale, bool fine) {
    for (uint32_t v = value; v <= s->quant->net->layers.count; v++) {
        if (s->quant->roots[v] == value) {
            set_one(s, v, scale, fine);
        }
    }
}

static ts_status make_graph(search *s, ts_arena *scratch, ts_diags *diags) {
    const ts_qnet *net = s->quant->net;
    ts_tensor_id *values = TS_NEW_ARRAY(scratch, ts_tensor_id, net->layers.count + 1);
    ts_tensor_id *sums = TS_NEW_ARRAY(scratch, ts_tensor_id, net->layers.count);
    s->graph = ts_fgraph_new(scratch, net->name);
    s->quant->exact_weights = true;
    ts_status status = ts__stage_network(s->graph, net, s->quant, TS_STAGE_FQ, values, sums, diags);
    s->quant->exact_weights = false;
    TS_TRY(status);
    s->grid_node = TS_NEW_ARRAY(scratch, uint32_t, net->layers.count + 1);
    for (uint32_t v = 0; v <= net->layers.count; v++) {
        ts_node_id maker = s->graph->tensors.data[values[v]].producer;
        bool grid = maker != TS_NONE && s->graph->nodes.data[maker].op == TS_FOP_FAKE_QUANT;
        s->grid_node[v] = grid ? maker : TS_NONE;
    }
    s->session = ts_fsession_new(scratch, s->graph);
    for (uint32_t o = 0; o < s->graph->outputs.count; o++) {
        s->outputs += ts_ftensor_elements(&s->graph->tensors.data[s->graph->outputs.data[o]]);
    }
    return TS_OK;
}

/* Copies the outputs of the last run, or adds their square distance to what stands there. */
static double collect(const search *s, float *outputs, bool compare) {
    double error = 0;
    for (uint32_t o = 0; o < s->graph->outputs.count; o++) {
        ts_tensor_id id = s->graph->outputs.data[o];
        uint64_t count = ts_ftensor_elements(&s->graph->tensors.data[id]);
        const float *y = ts_fsession_value(s->session, id);
        for (uint64_t k = 0; k < count; k++, outputs++) {
            double e = (double)y[k] - (double)*outputs;
            error += e * e;
            *outputs = compare ? *outputs : y[k];
        }
    }
    return error;
}

static void take_samples(search *s, ts_arena *scratch) {
    ts_ftensor input = s->graph->tensors.data[s->graph->inputs.data[0]];
    float *room = TS_NEW_ARRAY(scratch, float, ts_data_scratch(s->data));
    s->samples = s->data->count < SAMPLES ? s->data->count : SAMPLES;
    s->inputs = TS_NEW_ARRAY(scratch, float, s->samples *input_elements(s));
    s->right = TS_NEW_ARRAY(scratch, float, s->samples * s->outputs);
    for (uint32_t v = 0; v <= s->quant->net->layers.count; v++) {
        set_one(s, v, 0, true);
    }
    for (uint32_t n = 0; n < s->samples; n++) {
        float *x = s->inputs + n * input_elements(s);
        ts_data_sample(s->data, n, &input, room, x);
        ts_fsession_run(s->session, (const float *const[]){x});
        collect(s, s->right + n * s->outputs, false);
    }
}

/* Tries steps around the one that the value has; the values before it are on their grids already. */
static void choose_step(const search *s, uint32_t value) {
    static const double factors[] = {1.5, 1.2, 1.0, 0.8, 0.65, 0.52, 0.42, 0.33, 0.26, 0.2};
    enum { COUNT = sizeof factors / sizeof factors[0] };
    double errors[COUNT] = {0}, start = s->quant->values[value].scale;
    uint32_t best = 2;
    for (uint32_t n = 0; n < s->samples; n++) {
        for (uint32_t k = 0; k < COUNT; k++) {
            set_step(s, value, start * factors[k], false);
            if (k == 0) {
                ts_fsession_run(s->session, (const float *const[]){s->inputs + n * input_elements(s)});
            } else {
                ts_fsession_rerun(s->session, s->grid_node[value]);
            }
            errors[k] += collect(s, s->right + n * s->outputs, true);
        }
    }
    for (uint32_t k = 0; k < COUNT; k++) {
        best = errors[k] < errors[best] ? k : best;
    }
    s->quant->values[value].scale = start * factors[best];
    set_step(s, value, s->quant->values[value].scale, false);
}

static void report(const ts_progress *progress, uint32_t done, uint32_t total) {
    if (progress != NULL && progress->report != NULL) {
        progress->report(progress->object, done, total);
    }
}

ts_status ts__search_grids(ts_quant *quant, const ts_data *data, const ts_progress *progress,
                           ts_diags *diags) {
    ts_arena *scratch = ts_arena_new("range search", 0);
    search s = {.quant = quant, .data = data};
    ts_status status = make_graph(&s, scratch, diags);
    if (status == TS_OK) {
        take_samples(&s, scratch);
    }
    for (uint32_t v = 0; status == TS_OK && v <= quant->net->layers.count; v++) {
        if (quant->roots[v] != v) {
            ts__share_grid(quant, v);
        } else if (s.grid_node[v] != TS_NONE && !quant->values[v].exact) {
            choose_step(&s, v);
            ts__settle_clip(quant, v);
        } else {
            set_step(&s, v, quant->values[v].scale, false);
        }
        report(progress, v + 1, quant->net->layers.count + 1);
    }
    ts_arena_free(scratch);
    return status;
}
