/* tessera quantize: from a float network to an integer one, with every stage between to look at. */
#include <argp.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/cmd.h"
#include "cli/mixed.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/relax.h"
#include "cli/terminal.h"
#include "cli/train_options.h"
#include "ir/text_form.h"
#include "model/float_model.h"
#include "model/model.h"
#include "num/float.h"
#include "quant/quantize.h"
#include "train/finetune.h"

enum {
    OPTION_CALIB = 256,
    OPTION_BITS,
    OPTION_LAYER,
    OPTION_FORMAT,
    OPTION_MIXED,
    OPTION_TARGET,
    OPTION_STAGE,
    OPTION_RANGES,
    OPTION_WEIGHTS,
    OPTION_WEIGHT_RANGES,
    OPTION_SYMMETRIC,
    OPTION_ASYMMETRIC,
    OPTION_BATCH_NORM,
    OPTION_KAPPA_BITS,
    OPTION_EQUALISE,
    OPTION_KEEP_BIAS,
    OPTION_NEAREST,
    OPTION_FLOOR_POOLS,
    OPTION_REPORT,
    OPTION_JSON,
    OPTION_FINETUNE,
    OPTION_FINETUNE_LIMIT,
    OPTION_DISTIL,
    OPTION_FIXED_STEPS,
    OPTION_RELAX,
    OPTION_RELAX_TO,
    OPTION_TRACE
};

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Write FILE: ONNX in the NEMO dialect, or *.tsg in the text form", 0},
    {"calib", OPTION_CALIB, "DATA", 0, "Samples to calibrate on (labels are not used)", 0},
    {"bits", OPTION_BITS, "BITS", 0, "8, or w4a8: bits of weights and activations, 2 to 8 (8)", 1},
    {"format", OPTION_FORMAT, "FORMAT", 0,
     "nemo: integers (default); qdq: QuantizeLinear and DequantizeLinear around floats, as other tools read "
     "it",
     0},
    {"layer", OPTION_LAYER, "NAME=BITS", 0, "Other bits for one layer, as with --bits; may be repeated", 1},
    {"mixed", OPTION_MIXED, NULL, 0,
     "Lower bits, layer by layer, where --target gains by it and the calibration samples lose nothing; raise "
     "them where it takes no more time",
     1},
    {"target", OPTION_TARGET, "NAME|FILE", 0, "The simulated chip for --mixed (gap8)", 1},
    {"stage", OPTION_STAGE, "STAGE", 0, "Stop at fp, fq, qd or id (id); -o then writes that stage", 1},
    {"ranges", OPTION_RANGES, "METHOD", 0,
     "Ranges of activations: mse, best, max or a percentile like 99.9 (mse; best below 8 bits)", 1},
    {"weights", OPTION_WEIGHTS, "GRAIN", 0, "per-channel or per-layer quanta (per-channel)", 1},
    {"weight-ranges", OPTION_WEIGHT_RANGES, "METHOD", 0,
     "Clipping of weights: mse, max, a percentile, or best of them layer by layer (mse)", 1},
    {"asymmetric", OPTION_ASYMMETRIC, NULL, 0,
     "Weights have a zero point: one quantum a layer between its smallest and largest", 1},
    {"symmetric", OPTION_SYMMETRIC, NULL, 0, "Weights do not use the lowest value of their type", 1},
    {"batch-norm", OPTION_BATCH_NORM, "HOW", 0,
     "fold them into the weights, or keep them as factors of the requantisation (fold)", 1},
    {"kappa-bits", OPTION_KAPPA_BITS, "N", 0, "Bits of requantisation factors, sign included, 7 to 24 (12)",
     1},
    {"equalise", OPTION_EQUALISE, NULL, 0, "Match weight ranges across layers first", 1},
    {"keep-bias", OPTION_KEEP_BIAS, NULL, 0, "No bias correction", 1},
    {"nearest", OPTION_NEAREST, NULL, 0, "Round weights to the nearest, without error feedback", 1},
    {"floor-pools", OPTION_FLOOR_POOLS, NULL, 0, "Average pools round down, as NEMO writes them", 1},
    {"report", OPTION_REPORT, NULL, 0, "Print what quantisation costs layer by layer", 0},
    {"json", OPTION_JSON, "FILE", 0, "Write the figures for programs", 0},
    {"finetune", OPTION_FINETUNE, "DATA", 0, "Train the quantised network on DATA", 2},
    {"finetune-limit", OPTION_FINETUNE_LIMIT, "N", 0, "Train on a seeded subset of N samples (all)", 2},
    {"distil", OPTION_DISTIL, "SHARE", 0,
     "Share of the loss that is the distance to the float network; 1 needs no labels (0.5)", 2},
    {"relax", OPTION_RELAX, "POINTS", 0,
     "With --finetune: step bits down, layer by layer, as long as at most so many points are lost", 2},
    {"relax-to", OPTION_RELAX_TO, "BITS", 0, "Where stepping down ends (w2a2)", 2},
    {"trace", OPTION_TRACE, "FILE", 0, "With --relax: write the rounds as an SVG picture", 2},
    {"fixed-steps", OPTION_FIXED_STEPS, NULL, 0, "Clips and quanta stay as calibration chose them", 2},
    {0},
};

enum { MOST_LAYERS = 256 };

/* What --layer said: the first `length` characters of `name`. */
typedef struct layer_bits {
    const char *name;
    size_t length;
    ts_widths widths;
} layer_bits;

typedef struct request {
    layer_bits layers[MOST_LAYERS];
    uint32_t layer_count;
    bool mixed, qdq;
    const char *target;
    const char *model, *calib, *output, *json, *finetune;
    ts_cli_samples samples;
    uint32_t train_limit;
    ts_cli_train train;
    double distil;
    bool fixed_steps;
    double relax; /* points; 0: no relaxation */
    ts_widths relax_to;
    const char *trace;
    ts_quant_options quant;
    ts_quant_stage stage;
    bool report;
} request;

/* "8" or "w4a8". */
static bool parse_bits(const char *text, uint32_t *weights, uint32_t *activations) {
    char end;
    unsigned w, a;
    if (sscanf(text, "w%ua%u%c", &w, &a, &end) != 2) {
        if (sscanf(text, "%u%c", &w, &end) != 1) {
            return false;
        }
        a = w;
    }
    *weights = w;
    *activations = a;
    return w >= 2 && w <= 8 && a >= 2 && a <= 8;
}

/* "NAME=w4a8", kept for when the layers are known. */
static bool parse_layer(const char *text, request *r) {
    uint32_t w, a;
    const char *bits = strrchr(text, '=');
    if (bits == NULL || r->layer_count == MOST_LAYERS || !parse_bits(bits + 1, &w, &a)) {
        return false;
    }
    r->layers[r->layer_count++] = (layer_bits){text, (size_t)(bits - text), {(uint8_t)w, (uint8_t)a}};
    return true;
}

static bool parse_ranges(const char *text, ts_range_method *method, double *percentile) {
    static const struct {
        const char *name;
        ts_range_method method;
    } names[] = {{"best", TS_RANGE_BEST}, {"mse", TS_RANGE_MSE}, {"max", TS_RANGE_MAX}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i].name) == 0) {
            *method = names[i].method;
            return true;
        }
    }
    char *end;
    *method = TS_RANGE_PERCENTILE;
    *percentile = strtod(text, &end) / 100;
    return end != text && *end == '\0' && *percentile > 0.5 && *percentile <= 1;
}

static bool parse_share(const char *text, double *out) {
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= 0 && *out <= 1;
}

static bool parse_points(const char *text, double *out) {
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out > 0 && *out <= 100;
}

static bool parse_relax_to(const char *text, ts_widths *out) {
    uint32_t weights = 0, activations = 0;
    bool good = parse_bits(text, &weights, &activations);
    *out = (ts_widths){(uint8_t)weights, (uint8_t)activations};
    return good;
}

static bool parse_stage(const char *text, ts_quant_stage *out) {
    for (ts_quant_stage s = TS_STAGE_FP; s <= TS_STAGE_ID; s++) {
        if (strcmp(text, ts_quant_stage_name(s)) == 0) {
            *out = s;
            return true;
        }
    }
    return false;
}

static bool parse_value(int key, char *text, void *object, bool *known) {
    request *r = object;
    switch (key) {
        case 'o':
            r->output = text;
            return true;
        case OPTION_CALIB:
            r->calib = text;
            return true;
        case OPTION_BITS:
            return parse_bits(text, &r->quant.weight_bits, &r->quant.activation_bits);
        case OPTION_FORMAT:
            r->qdq = strcmp(text, "qdq") == 0;
            return r->qdq || strcmp(text, "nemo") == 0;
        case OPTION_MIXED:
            return r->mixed = true;
        case OPTION_TARGET:
            r->target = text;
            return true;
        case OPTION_LAYER:
            return parse_layer(text, r);
        case OPTION_STAGE:
            return parse_stage(text, &r->stage);
        case OPTION_RANGES:
            return parse_ranges(text, &r->quant.ranges, &r->quant.percentile);
        case OPTION_WEIGHTS:
            r->quant.per_layer = strcmp(text, "per-layer") == 0;
            return r->quant.per_layer || strcmp(text, "per-channel") == 0;
        case OPTION_WEIGHT_RANGES:
            return parse_ranges(text, &r->quant.weight_ranges, &r->quant.weight_percentile);
        case OPTION_ASYMMETRIC:
            return r->quant.asymmetric = true;
        case OPTION_SYMMETRIC:
            return r->quant.symmetric = true;
        case OPTION_BATCH_NORM:
            r->quant.keep_batch_norm = strcmp(text, "keep") == 0;
            return r->quant.keep_batch_norm || strcmp(text, "fold") == 0;
        case OPTION_KAPPA_BITS:
            return ts_cli_parse_count(text, UINT32_MAX, &r->quant.kappa_bits);
        case OPTION_EQUALISE:
            return r->quant.equalise = true;
        case OPTION_KEEP_BIAS:
            return r->quant.keep_bias = true;
        case OPTION_NEAREST:
            return r->quant.nearest = true;
        case OPTION_FLOOR_POOLS:
            return r->quant.floor_pools = true;
        case OPTION_REPORT:
            return r->report = true;
        case OPTION_JSON:
            r->json = text;
            return true;
        case OPTION_FINETUNE:
            r->finetune = text;
            return true;
        case OPTION_FINETUNE_LIMIT:
            return ts_cli_parse_count(text, UINT32_MAX, &r->train_limit);
        case OPTION_DISTIL:
            return parse_share(text, &r->distil);
        case OPTION_RELAX:
            return parse_points(text, &r->relax);
        case OPTION_RELAX_TO:
            return parse_relax_to(text, &r->relax_to);
        case OPTION_TRACE:
            r->trace = text;
            return true;
        case OPTION_FIXED_STEPS:
            return r->fixed_steps = true;
        default:
            *known = false;
            return true;
    }
}

static error_t parse(int key, char *text, struct argp_state *state) {
    request *r = state->input;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = &r->train;
        state->child_inputs[1] = &r->samples;
        return 0;
    }
    if (key == ARGP_KEY_ARG) {
        return ts_cli_model(text, state, &r->model);
    }
    if (key == ARGP_KEY_END) {
        if (r->model == NULL || r->calib == NULL) {
            argp_error(state, "a model and --calib are needed");
        }
        if (r->finetune == NULL && r->train.given) {
            argp_error(state, "options of training are given without --finetune DATA");
        }
        if ((r->finetune == NULL && r->relax > 0) || (r->relax <= 0 && r->trace != NULL)) {
            argp_error(state, "--relax needs --finetune DATA, and --trace needs --relax");
        }
        return 0;
    }
    return ts_cli_option(key, text, state, parse_value);
}

/* Bits of a grid; those that it is stored in may be more. */
static uint32_t grid_bits(const ts_qvalue *v) {
    uint32_t bits = 1;
    while (bits < 8 && (1 << bits) <= v->top - v->bottom) {
        bits++;
    }
    return bits;
}

static bool has_weights(const ts_qlayer *l) { return l->kind == TS_QUANT_CONV || l->kind == TS_QUANT_LINEAR; }

/* "w4a8"; "a8" without weights, "w4" where the result is an accumulator. */
static const char *print_bits(const ts_quant *q, uint32_t i, char text[16]) {
    const ts_qvalue *v = &q->values[i + 1];
    int used = has_weights(&q->net->layers.data[i]) ? snprintf(text, 16, "w%u", q->layers[i].bits) : 0;
    if (!v->raw) {
        snprintf(text + used, 16 - (size_t)used, "a%u", grid_bits(v));
    }
    return text;
}

enum { VALUE_COLUMNS = 12, MOST_NAME = 28 };

static const ts_column value_columns[VALUE_COLUMNS] = {
    {"layer", false, 0},  {"op", false, 3},  {"bits", false, 0}, {"type", false, 5},
    {"quantum", true, 4}, {"low", true, 8},  {"high", true, 7},  {"clipped", true, 2},
    {"w dB", true, 1},    {"y dB", true, 0}, {"error", true, 6}, {"32bit", false, 9}};

static void add_input(ts_table *t, const ts_quant *q) {
    const ts_qvalue *x = &q->values[0];
    ts_arena *a = t->arena;
    const char **row = TS_NEW_ARRAY(a, const char *, VALUE_COLUMNS);
    uint32_t n = 0;
    row[n++] = ts_arena_printf(a, "%.*s", MOST_NAME, q->net->input_name);
    row[n++] = "input";
    row[n++] = ts_arena_printf(a, "a%u", grid_bits(x));
    row[n++] = ts_type_name(x->type);
    row[n++] = ts_arena_printf(a, "%.6g", x->scale);
    row[n++] = ts_arena_printf(a, "%.4g", x->seen_low);
    row[n++] = ts_arena_printf(a, "%.4g", x->seen_high);
    row[n++] = ts_arena_printf(a, "%.3f%%", 100 * x->clipped);
    while (n < VALUE_COLUMNS) {
        row[n++] = "";
    }
    ts_table_add(t, row);
}

static void add_value(ts_table *t, const ts_quant *q, uint32_t i) {
    const ts_qlayer *l = &q->net->layers.data[i];
    const ts_qvalue *v = &q->values[i + 1];
    const ts_qweights *w = &q->layers[i];
    bool linear = has_weights(l);
    ts_arena *a = t->arena;
    const char **row = TS_NEW_ARRAY(a, const char *, VALUE_COLUMNS);
    char bits[16] = "";
    uint32_t n = 0;
    row[n++] = ts_arena_printf(a, "%.*s", MOST_NAME, l->name);
    row[n++] = ts_qkind_name(l->kind);
    row[n++] = ts_arena_strdup(a, print_bits(q, i, bits));
    row[n++] = v->raw ? "s32" : ts_type_name(v->type);
    row[n++] = ts_arena_printf(a, "%.6g", v->scale);
    row[n++] = ts_arena_printf(a, "%.4g", v->seen_low);
    row[n++] = ts_arena_printf(a, "%.4g", v->seen_high);
    row[n++] = ts_arena_printf(a, "%.3f%%", v->raw ? 0.0 : 100 * v->clipped);
    row[n++] = linear ? ts_arena_printf(a, "%.1f", w->snr_db) : "";
    row[n++] = ts_arena_printf(a, "%.1f", v->snr_db);
    row[n++] = ts_quant_error(q, i) > 0 ? ts_arena_printf(a, "%.3f", ts_quant_error(q, i)) : "";
    row[n++] = linear && !v->raw ? (w->wide ? "no" : "yes") : "";
    ts_table_add(t, row);
}

static void print_values(ts_arena *arena, const ts_quant *q) {
    ts_table table = {.arena = arena, .columns = value_columns, .column_count = VALUE_COLUMNS};
    add_input(&table, q);
    for (uint32_t i = 0; i < q->net->layers.count; i++) {
        add_value(&table, q, i);
    }
    ts_cli_show(&table);
}

/* Widths of every layer: those of all, but for the layers that were named. */
static ts_status find_widths(ts_arena *arena, const request *r, const ts_qnet *net, ts_widths **out,
                             ts_diags *diags) {
    ts_widths *widths = TS_NEW_ARRAY(arena, ts_widths, net->layers.count);
    for (uint32_t i = 0; i < net->layers.count; i++) {
        widths[i] = (ts_widths){(uint8_t)r->quant.weight_bits, (uint8_t)r->quant.activation_bits};
    }
    for (uint32_t k = 0; k < r->layer_count; k++) {
        const layer_bits *l = &r->layers[k];
        uint32_t i = 0;
        while (i < net->layers.count && (strlen(net->layers.data[i].name) != l->length ||
                                         strncmp(net->layers.data[i].name, l->name, l->length) != 0)) {
            i++;
        }
        if (i == net->layers.count) {
            return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                            "--layer %s: no layer has that name; --report lists them", l->name);
        }
        widths[i] = l->widths;
    }
    *out = widths;
    return TS_OK;
}

/* The layer whose output lost most against its float self. */
static void print_worst(const ts_quant *q) {
    uint32_t worst = 0;
    for (uint32_t i = 1; i < q->net->layers.count; i++) {
        worst = q->values[i + 1].snr_db < q->values[worst + 1].snr_db ? i : worst;
    }
    printf("worst signal-to-noise: %s (%.1f dB)\n", q->net->layers.data[worst].name,
           q->values[worst + 1].snr_db);
}

typedef struct stages {
    const request *request;
    ts_qnet *net;
    const ts_quant *quant;
    const ts_data *data;
    ts_score scores[4];
    const double *points; /* of top-1 lost where one value alone is quantised; NULL: not measured */
} stages;

static ts_status evaluate_stage(ts_arena *arena, stages *s, ts_quant_stage stage, ts_diags *diags) {
    ts_progress progress = {ts_cli_progress, (void *)(uintptr_t)ts_quant_stage_name(stage)};
    ts_score *score = &s->scores[stage];
    if (stage == TS_STAGE_ID) {
        ts_graph *integer;
        TS_TRY(ts_quant_integer(arena, s->quant, &integer, diags));
        TS_TRY(ts_evaluate_integer(arena, integer, 0, s->data, NULL, &progress, score, diags));
    } else {
        ts_fgraph *graph;
        TS_TRY(stage == TS_STAGE_FP ? ts_quant_float(arena, s->net, NULL, stage, &graph, diags)
                                    : ts_quant_emulate(arena, s->quant, stage, &graph, diags));
        TS_TRY(ts_evaluate_float(arena, graph, s->data, &progress, score, diags));
    }
    printf("%s: %u samples", ts_quant_stage_name(stage), score->count);
    if (score->has_classes) {
        printf(", top-1 %.2f %%", 100 * score->top1);
    }
    if (score->has_auc) {
        printf(", AUC %.4f", score->auc);
    }
    if (score->has_error) {
        printf(", mean square error %.6g", score->mean_square);
    }
    printf("\n");
    fflush(stdout);
    return TS_OK;
}

typedef struct blame {
    uint32_t value;
    double points; /* of top-1 lost */
} blame;

static int by_points(const void *a, const void *b) {
    double x = ((const blame *)a)->points, y = ((const blame *)b)->points;
    return (x < y) - (x > y);
}

/* Accuracy lost where one layer alone is quantised. */
static ts_status find_blame(ts_arena *arena, stages *s, ts_diags *diags) {
    uint32_t count = s->net->layers.count + 1;
    double *points = TS_NEW_ARRAY(arena, double, count);
    for (uint32_t v = 0; v < count; v++) {
        ts_arena *scratch = ts_arena_new("blame", 0);
        ts_progress progress = {ts_cli_progress, (void *)(uintptr_t) "blame"};
        ts_fgraph *graph;
        ts_score score = {0};
        ts_status status = ts_quant_blame(scratch, s->quant, v, &graph, diags);
        if (status == TS_OK) {
            status = ts_evaluate_float(scratch, graph, s->data, &progress, &score, diags);
        }
        points[v] = 100 * (s->scores[TS_STAGE_FP].top1 - score.top1);
        ts_arena_free(scratch);
        TS_TRY(status);
    }
    s->points = points;
    return TS_OK;
}

/* The layers that lose most, the worst first. */
static void print_blame(ts_arena *arena, const stages *s) {
    uint32_t count = s->net->layers.count + 1;
    blame *list = TS_NEW_ARRAY(arena, blame, count);
    for (uint32_t v = 0; v < count; v++) {
        list[v] = (blame){v, s->points[v]};
    }
    qsort(list, count, sizeof *list, by_points);
    printf("points lost if one layer alone is quantised:\n");
    for (uint32_t k = 0; k < count && k < 10; k++) {
        uint32_t v = list[k].value;
        printf("  %6.2f  %s\n", list[k].points,
               v == 0 ? s->net->input_name : s->net->layers.data[v - 1].name);
    }
}

static bool has_suffix(const char *text, const char *suffix) {
    size_t n = strlen(text), k = strlen(suffix);
    return n >= k && strcmp(text + n - k, suffix) == 0;
}

/* What hours of calibration and training are for is known to have a place before they begin. */
static ts_status check_outputs(const request *r, ts_diags *diags) {
    bool text = !r->qdq || r->stage != TS_STAGE_ID;
    if (r->output != NULL && !has_suffix(r->output, ".onnx") && !(text && has_suffix(r->output, ".tsg"))) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                        text ? "'%s' ends neither in .onnx nor in .tsg"
                             : "'%s' does not end in .onnx; --format qdq writes no other",
                        r->output);
    }
    TS_TRY(ts_file_may_write(r->output, diags));
    TS_TRY(ts_file_may_write(r->json, diags));
    return ts_file_may_write(r->trace, diags);
}

static ts_status write_stage(ts_arena *arena, const request *r, const ts_qnet *net, const ts_quant *q,
                             ts_diags *diags) {
    ts_text text = {.arena = arena};
    ts_graph *integer;
    if (r->stage != TS_STAGE_ID) {
        ts_fgraph *graph;
        TS_TRY(ts_quant_float(arena, net, q, r->stage, &graph, diags));
        if (has_suffix(r->output, ".onnx")) {
            return ts_float_model_write(graph, r->output, diags);
        }
        ts_fgraph_text(&text, graph);
        return ts_file_write(r->output, text.data, text.size, diags);
    }
    if (r->qdq) {
        ts_fgraph *graph;
        TS_TRY(ts_quant_qdq(arena, q, &graph, diags));
        return ts_float_model_write(graph, r->output, diags);
    }
    TS_TRY(ts_quant_integer(arena, q, &integer, diags));
    return ts_model_write(arena, integer, r->output, diags);
}

static ts_status write_json(const request *r, const stages *s, ts_diags *diags) {
    json_t *o = json_pack("{s:s, s:i, s:i}", "model", r->model, "weight_bits", (int)r->quant.weight_bits,
                          "activation_bits", (int)r->quant.activation_bits);
    json_t *layers = json_array(), *scores = json_object();
    for (uint32_t i = 0; i < s->net->layers.count; i++) {
        const ts_qlayer *l = &s->net->layers.data[i];
        const ts_qvalue *v = &s->quant->values[i + 1];
        json_t *layer = json_pack(
            "{s:I, s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:b}", "index", (json_int_t)i, "name",
            l->name, "op", ts_qkind_name(l->kind), "type", v->raw ? "s32" : ts_type_name(v->type), "quantum",
            v->scale, "low", v->seen_low, "high", v->seen_high, "clipped", v->clipped, "weights_db",
            s->quant->layers[i].snr_db, "output_db", v->snr_db, "wide", (int)s->quant->layers[i].wide);
        if (has_weights(l)) {
            json_object_set_new(layer, "weight_bits", json_integer(s->quant->layers[i].bits));
        }
        if (!v->raw) {
            json_object_set_new(layer, "bits", json_integer(grid_bits(v)));
            json_object_set_new(layer, "requantisation_error", json_real(ts_quant_error(s->quant, i)));
        }
        if (s->points != NULL) {
            json_object_set_new(layer, "points_lost", json_real(s->points[i + 1]));
        }
        json_array_append_new(layers, layer);
    }
    for (ts_quant_stage k = TS_STAGE_FP; s->data != NULL && k <= TS_STAGE_ID; k++) {
        if (s->scores[k].has_classes) {
            json_object_set_new(scores, ts_quant_stage_name(k), json_real(s->scores[k].top1));
        }
    }
    json_object_set_new(o, "layers", layers);
    json_object_set_new(o, "top1", scores);
    char *text = json_dumps(o, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    ts_status status = ts_file_write(r->json, text, strlen(text), diags);
    free(text);
    json_decref(o);
    return status;
}

static ts_finetune_options finetune_options(const request *r) {
    ts_finetune_options o = ts_finetune_defaults();
    o.train = r->train.train;
    o.batch = r->train.batch;
    o.distil = r->distil;
    o.fixed_steps = r->fixed_steps;
    return o;
}

static ts_status finetune_quant(ts_quant *quant, const ts_data *data, const ts_finetune_options *tuning,
                                const ts_train_log *log, ts_diags *diags) {
    ts_progress training = {ts_cli_progress, (void *)(uintptr_t) "training"};
    uint32_t best;
    TS_TRY(ts_quant_finetune(quant, data, tuning, &training, log, &best, diags));
    if (best == 0) {
        printf("kept the calibrated network: no epoch had less loss on the samples kept from training\n");
    } else if (best != tuning->train.epochs) {
        printf("kept epoch %u: it had the least loss on the samples kept from training\n", best);
    }
    return TS_OK;
}

/* Calibrates and, with --finetune, trains; with --relax, both in turn while bits become fewer. */
static ts_status make_quant(ts_arena *arena, const request *r, ts_qnet *net, const ts_data *calibration,
                            const ts_quant_options *chosen, ts_quant **out, ts_diags *diags) {
    ts_data data;
    ts_finetune_options finetune = finetune_options(r);
    ts_progress quantising = {ts_cli_progress, (void *)(uintptr_t) "quantising"};
    ts_train_log log = {.report = ts_cli_print_epoch};
    if (r->finetune != NULL) {
        ts_train_threads(r->train.threads);
        ts_data_options subset = r->samples.given;
        subset.limit = r->train_limit;
        TS_TRY(ts_data_read(arena, r->finetune, &subset, &data, diags));
    }
    if (r->relax > 0) {
        ts_relax_options o = ts_relax_defaults();
        o.quant = *chosen;
        o.finetune = finetune;
        o.bound = r->relax / 100;
        o.least = r->relax_to;
        return ts_cli_relax(arena, net, calibration, &data, &o, r->trace, out, diags);
    }
    TS_TRY(ts_quantize(arena, net, calibration, chosen, &quantising, out, diags));
    return r->finetune == NULL ? TS_OK : finetune_quant(*out, &data, &finetune, &log, diags);
}

static ts_status quantize(ts_arena *arena, const request *r, ts_diags *diags) {
    ts_data calibration, data;
    ts_fgraph *graph;
    ts_quant *quant;
    stages s = {.request = r};
    TS_TRY(check_outputs(r, diags));
    TS_TRY(ts_cli_read_float(arena, r->model, &graph, diags));
    ts_fgraph_fold(graph);
    TS_TRY(ts_qnet_read(arena, graph, &s.net, diags));
    TS_TRY(ts_data_read(arena, r->calib, &r->samples.given, &calibration, diags));
    ts_quant_options chosen = r->quant;
    ts_widths *widths = NULL;
    TS_TRY(find_widths(arena, r, s.net, &widths, diags));
    if (r->mixed) {
        TS_TRY(ts_cli_choose_widths(arena, r->target, s.net, &calibration, widths, diags));
    }
    chosen.widths = widths;
    TS_TRY(make_quant(arena, r, s.net, &calibration, &chosen, &quant, diags));
    s.quant = quant;
    if (r->report) {
        print_values(arena, quant);
    }
    print_worst(quant);
    if (r->samples.eval != NULL) {
        TS_TRY(ts_data_read(arena, r->samples.eval, &r->samples.measured, &data, diags));
        s.data = &data;
        for (ts_quant_stage k = TS_STAGE_FP; k <= r->stage; k++) {
            TS_TRY(evaluate_stage(arena, &s, k, diags));
        }
    }
    if (r->report && s.data != NULL && s.scores[TS_STAGE_FP].has_classes) {
        TS_TRY(find_blame(arena, &s, diags));
        print_blame(arena, &s);
    }
    if (r->output != NULL) {
        TS_TRY(write_stage(arena, r, s.net, quant, diags));
        printf("%s: %s, input step %.9g\n", r->output, ts_quant_stage_name(r->stage), quant->values[0].scale);
    }
    return r->json == NULL ? TS_OK : write_json(r, &s, diags);
}

int ts_cmd_quantize(int argc, char **argv) {
    static const struct argp_child children[] = {{&ts_cli_train_argp, 0, "Fine-tuning:", 3},
                                                 {&ts_cli_samples_argp, 0, "Samples:", 0},
                                                 {&ts_cli_terminal_argp, 0, NULL, 0},
                                                 {0}};
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .children = children,
        .args_doc = "MODEL --calib DATA -o FILE",
        .doc =
            "Quantise a float network after training, or fine-tune it: FullPrecision, FakeQuantized, "
            "QuantizedDeployable, "
            "IntegerDeployable.",
    };
    request r = {.samples = ts_cli_samples_defaults(), .stage = TS_STAGE_ID};
    r.samples.given.limit = 256;
    r.quant = ts_quant_defaults();
    r.train = ts_cli_train_defaults();
    r.train.train = ts_finetune_defaults().train;
    r.distil = ts_finetune_defaults().distil;
    r.relax_to = ts_relax_defaults().least;
    argp_err_exit_status = TS_BAD_INPUT;
    if (argp_parse(&parser, argc, argv, 0, NULL, &r) != 0) {
        return TS_BAD_INPUT;
    }
    r.train.train.seed = r.samples.given.seed;
    ts_arena *arena = ts_arena_new("quantize", 0);
    ts_diags diags = {.arena = arena, .file = r.model};
    int status = ts_cli_finish(&diags, quantize(arena, &r, &diags));
    ts_arena_free(arena);
    return status;
}
