#include "cli/generate_training.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cmd.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "model/float_model.h"
#include "train/architecture.h"
#include "train/glyphs.h"

#define GLYPHS "glyphs"

enum { MOST = 1000000 }; /* samples, rows, channels */

enum { OPTION_CLASSES = 256, OPTION_CHANNELS, OPTION_SEED, OPTION_COUNT, OPTION_TEST_COUNT };

static const struct argp_option options[] = {
    {"output", 'o', "FILE|DIR", 0, "ONNX file of a network, or folder of a data set", 0},
    {"resolution", 'r', "R", 0, "Pictures of R x R (32)", 0},
    {"seed", OPTION_SEED, "N", 0, "Another seed, another network or other pictures (1)", 0},
    {"width", 'w', "W", 0, "Networks: multiply the channels of all layers but the last by W", 1},
    {"channels", OPTION_CHANNELS, "N", 0, "Networks: of the picture", 1},
    {"classes", OPTION_CLASSES, "N", 0, "Networks: outputs", 1},
    {"count", OPTION_COUNT, "N", 0, "glyphs: pictures to train on (8000)", 2},
    {"test-count", OPTION_TEST_COUNT, "N", 0, "glyphs: pictures to judge by (2000)", 2},
    {0},
};

typedef struct request {
    const char *kind, *output;
    ts_architecture_options network;
    uint32_t count, test_count;
} request;

static bool is_kind(const char *text, ts_architecture *kind) {
    for (int k = 0; k < TS_ARCHITECTURE_COUNT; k++) {
        if (strcmp(text, ts_architecture_name((ts_architecture)k)) == 0) {
            *kind = (ts_architecture)k;
            return true;
        }
    }
    return strcmp(text, GLYPHS) == 0;
}

bool ts_cli_generates_training(int argc, char **argv) {
    ts_architecture kind;
    for (int i = 1; i < argc; i++) {
        if (is_kind(argv[i], &kind)) {
            return true;
        }
    }
    return false;
}

void ts_cli_list_training(FILE *out) {
    fprintf(out, "Kinds for training (floats, to be trained by 'tessera train'):\n");
    for (int k = 0; k < TS_ARCHITECTURE_COUNT; k++) {
        fprintf(out, "  %-14s %s\n", ts_architecture_name((ts_architecture)k),
                ts_architecture_help((ts_architecture)k));
    }
    fprintf(out, "  %-14s %s\n", GLYPHS, "a data set of digits and shapes: pictures and labels");
    fprintf(out, "'tessera generate KIND --help' lists the options of these\n");
}

static bool parse_real(const char *text, double *out) {
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0';
}

static bool parse_value(int key, char *text, request *r, bool *known) {
    switch (key) {
        case 'o':
            r->output = text;
            return true;
        case 'r':
            return ts_cli_parse_count(text, MOST, &r->network.resolution);
        case 'w':
            return parse_real(text, &r->network.width);
        case OPTION_SEED:
            return ts_parse_u64(text, &r->network.seed);
        case OPTION_CHANNELS:
            return ts_cli_parse_count(text, MOST, &r->network.channels);
        case OPTION_CLASSES:
            return ts_cli_parse_count(text, MOST, &r->network.classes);
        case OPTION_COUNT:
            return ts_cli_parse_count(text, MOST, &r->count);
        case OPTION_TEST_COUNT:
            return ts_cli_parse_count(text, MOST, &r->test_count);
        default:
            *known = false;
            return true;
    }
}

static error_t parse(int key, char *text, struct argp_state *state) {
    request *r = state->input;
    bool known = true;
    if (key == ARGP_KEY_ARG) {
        if (r->kind != NULL || !is_kind(text, &r->network.kind)) {
            argp_error(state, "one KIND is wanted, '%s' is one too many", text);
        }
        r->kind = text;
        return 0;
    }
    if (key == ARGP_KEY_END && (r->kind == NULL || r->output == NULL)) {
        argp_error(state, "a KIND and -o are needed");
    }
    if (!parse_value(key, text, r, &known)) {
        argp_error(state, "'%s' is not what this option takes; see --help", text);
    }
    return known ? 0 : ARGP_ERR_UNKNOWN;
}

static ts_status generate(ts_arena *arena, const request *r, ts_diags *diags) {
    ts_fgraph *graph;
    if (strcmp(r->kind, GLYPHS) == 0) {
        uint32_t side = r->network.resolution == 0 ? 32 : r->network.resolution;
        return ts_glyphs_write(r->output, r->network.seed, side, r->count, r->test_count, diags);
    }
    TS_TRY(ts_cli_may_write_onnx(r->output, diags));
    TS_TRY(ts_architecture_make(arena, &r->network, &graph, diags));
    return ts_float_model_write(graph, r->output, diags);
}

int ts_cli_generate_training(int argc, char **argv) {
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .children = ts_cli_terminal_children,
        .args_doc = "KIND -o FILE|DIR",
        .doc = "Make a float network with seeded weights, or draw a data set, to train.",
    };
    request r = {.network = {.width = 1, .seed = 1}, .count = 8000, .test_count = 2000};
    argp_err_exit_status = TS_BAD_INPUT;
    if (argp_parse(&parser, argc, argv, 0, NULL, &r) != 0) {
        return TS_BAD_INPUT;
    }
    ts_arena *arena = ts_arena_new("generate", 0);
    ts_diags diags = {.arena = arena};
    int status = ts_cli_finish(&diags, generate(arena, &r, &diags));
    ts_arena_free(arena);
    return status;
}
