#include "cli/options.h"

#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/terminal.h"
#include "model/float_model.h"
#include "model/model.h"

enum { OPTION_EVAL = 896, OPTION_ROOT, OPTION_LIMIT, OPTION_EVAL_LIMIT, OPTION_SEED };

static const struct argp_option options[] = {
    {"eval", OPTION_EVAL, "DATA", 0, "Labelled samples to measure on", 0},
    {"root", OPTION_ROOT, "DIR", 0, "Folder that paths in data descriptions start from", 0},
    {"limit", OPTION_LIMIT, "N", 0, "Learn from a seeded subset of N samples (all; quantize 256)", 0},
    {"eval-limit", OPTION_EVAL_LIMIT, "N", 0, "Measure on a seeded subset of N samples (all)", 0},
    {"seed", OPTION_SEED, "N", 0, "Of subsets, and in training of weights, orders and roundings (1)", 0},
    {0},
};

bool ts_cli_parse_count(const char *text, uint32_t most, uint32_t *out) {
    uint64_t number;
    bool good = ts_parse_u64(text, &number) && number > 0 && number <= most;
    *out = good ? (uint32_t)number : 0;
    return good;
}

ts_cli_samples ts_cli_samples_defaults(void) { return (ts_cli_samples){.given.seed = 1, .measured.seed = 1}; }

static bool samples_value(int key, char *text, void *request, bool *known) {
    ts_cli_samples *s = request;
    switch (key) {
        case OPTION_EVAL:
            s->eval = text;
            return true;
        case OPTION_ROOT:
            s->given.root = s->measured.root = text;
            return true;
        case OPTION_LIMIT:
            return ts_cli_parse_count(text, UINT32_MAX, &s->given.limit);
        case OPTION_EVAL_LIMIT:
            return ts_cli_parse_count(text, UINT32_MAX, &s->measured.limit);
        case OPTION_SEED:
            return ts_parse_u64(text, &s->given.seed) && ts_parse_u64(text, &s->measured.seed);
        default:
            *known = false;
            return true;
    }
}

static error_t parse_samples(int key, char *text, struct argp_state *state) {
    return ts_cli_option(key, text, state, samples_value);
}

const struct argp ts_cli_samples_argp = {.options = options, .parser = parse_samples};

error_t ts_cli_option(int key, char *text, struct argp_state *state, ts_cli_value *value) {
    bool known = true;
    if (!value(key, text, state->input, &known)) {
        argp_error(state, "'%s' is not what this option takes; see --help", text);
    }
    return known ? 0 : ARGP_ERR_UNKNOWN;
}

error_t ts_cli_model(char *text, struct argp_state *state, const char **model) {
    if (*model != NULL) {
        argp_error(state, "one model at a time is taken");
    }
    *model = text;
    return 0;
}

static bool is_integer(ts_arena *arena, const char *path) {
    ts_graph *graph;
    ts_diags unsaid = {.arena = arena};
    const ts_model_options reading = {.allow_float = true, .input_signed = -1};
    return ts_model_read(arena, path, &reading, &graph, &unsaid) == TS_OK;
}

ts_status ts_cli_read_float(ts_arena *arena, const char *path, ts_fgraph **graph, ts_diags *diags) {
    uint32_t before = diags->list.count;
    ts_status status = ts_float_model_read(arena, path, NULL, graph, diags);
    if (status == TS_BAD_INPUT && is_integer(arena, path)) {
        diags->list.count = before;
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                        "the network computes with integers already; a float network is expected");
    }
    return status;
}

ts_status ts_cli_may_write_onnx(const char *path, ts_diags *diags) {
    const char *dot = path == NULL ? NULL : strrchr(path, '.');
    if (dot != NULL && (strcmp(dot, ".tsg") == 0 || strcmp(dot, ".tflite") == 0)) {
        return ts_error(
            diags, TS_DIAG_USAGE, NULL, NULL,
            "float networks are written as ONNX, '%s' would be one; give a name that ends in .onnx", path);
    }
    return ts_file_may_write(path, diags);
}

void ts_cli_parse_none(int argc, char **argv, const char *doc) {
    const struct argp parser = {.children = ts_cli_terminal_children, .doc = doc};
    argp_err_exit_status = TS_BAD_INPUT;
    argp_parse(&parser, argc, argv, 0, NULL, NULL);
}
