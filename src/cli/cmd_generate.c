/* tessera generate: networks with seeded weights. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/generate_training.h"
#include "cli/terminal.h"
#include "ir/text_form.h"
#include "model/model.h"
#include "num/generate.h"

enum {
    OPTION_CLASSES = 256,
    OPTION_IN,
    OPTION_OUT,
    OPTION_KERNEL,
    OPTION_STRIDE,
    OPTION_DILATION,
    OPTION_PAD,
    OPTION_GROUPS,
    OPTION_BITS,
    OPTION_WEIGHT_BITS,
    OPTION_RAW,
    OPTION_SEED,
    OPTION_TFLITE,
};

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0,
     "Write FILE: *.tsg in the text form, *.tflite for TensorFlow Lite, else ONNX in the NEMO dialect", 0},
    {"width", 'w', "W", 0, "Multiply all channel counts by W", 0},
    {"resolution", 'r', "R", 0, "Input picture of R x R", 0},
    {"classes", OPTION_CLASSES, "N", 0, "Outputs of the last layer", 0},
    {"seed", OPTION_SEED, "N", 0, "Another seed, another network (1)", 0},
    {"bits", OPTION_BITS, "N", 0, "Bits of activations: 16, 8, 4 or 2", 0},
    {"weight-bits", OPTION_WEIGHT_BITS, "N", 0, "Bits of weights: 16, 8, 4 or 2", 0},
    {"tflite", OPTION_TFLITE, NULL, 0, "Requantise and add as TensorFlow Lite does; *.tsg and *.tflite only",
     0},
    {"in", OPTION_IN, "HxWxC", 0, "Input of a single layer", 1},
    {"out", OPTION_OUT, "C", 0, "Output channels of a single layer", 1},
    {"kernel", OPTION_KERNEL, "KxK", 0, "Rows x columns, or one number for both", 1},
    {"stride", OPTION_STRIDE, "SxS", 0, "", 1},
    {"dilation", OPTION_DILATION, "DxD", 0, "", 1},
    {"pad", OPTION_PAD, "TxLxBxR", 0, "Top, left, bottom, right, or one number for all", 1},
    {"groups", OPTION_GROUPS, "N", 0, "", 1},
    {"raw", OPTION_RAW, NULL, 0, "Leave the 32-bit accumulators as they are", 1},
    {0},
};

typedef struct request {
    bool chosen; /* first pass: the kind, whose defaults the options of the second pass change */
    bool second_pass;
    ts_generate_options generate;
    const char *output;
} request;

/* Parses "3" (given to all) or "1x2x3" (exactly `count` numbers). */
static bool parse_sizes(const char *text, uint32_t *out[], uint32_t count) {
    uint32_t found = 0;
    for (const char *at = text; found < count; at++) {
        char *end;
        unsigned long value = strtoul(at, &end, 10);
        if (*at < '0' || *at > '9' || value > 1000000) {
            return false;
        }
        *out[found++] = (uint32_t)value;
        at = end;
        if (*at == '\0') {
            break;
        }
        if (*at != 'x' || found == count) {
            return false;
        }
    }
    for (uint32_t i = 1; found == 1 && i < count; i++) {
        *out[i] = *out[0];
    }
    return found == 1 || found == count;
}

static bool parse_window(int key, const char *text, ts_window *w) {
    switch (key) {
        case OPTION_KERNEL:
            return parse_sizes(text, (uint32_t *[]){&w->kernel_h, &w->kernel_w}, 2);
        case OPTION_STRIDE:
            return parse_sizes(text, (uint32_t *[]){&w->stride_h, &w->stride_w}, 2);
        case OPTION_DILATION:
            return parse_sizes(text, (uint32_t *[]){&w->dilation_h, &w->dilation_w}, 2);
        default:
            return parse_sizes(text, (uint32_t *[]){&w->pad_top, &w->pad_left, &w->pad_bottom, &w->pad_right},
                               4);
    }
}

static bool parse_number(int key, const char *text, ts_generate_options *o) {
    switch (key) {
        case OPTION_IN:
            return parse_sizes(text, (uint32_t *[]){&o->in_h, &o->in_w, &o->in_c}, 3);
        case OPTION_OUT:
            return parse_sizes(text, (uint32_t *[]){&o->out_c}, 1);
        case OPTION_GROUPS:
            return parse_sizes(text, (uint32_t *[]){&o->groups}, 1);
        case OPTION_CLASSES:
            return parse_sizes(text, (uint32_t *[]){&o->classes}, 1);
        case OPTION_BITS:
            return parse_sizes(text, (uint32_t *[]){&o->activation_bits}, 1);
        case OPTION_WEIGHT_BITS:
            return parse_sizes(text, (uint32_t *[]){&o->weight_bits}, 1);
        case OPTION_SEED:
            return ts_parse_u64(text, &o->seed);
        case 'r':
            return parse_sizes(text, (uint32_t *[]){&o->resolution}, 1);
        default:
            return parse_window(key, text, &o->window);
    }
}

static error_t parse_width(const char *text, double *out, struct argp_state *state) {
    char *end;
    *out = strtod(text, &end);
    if (*text == '\0' || *end != '\0') {
        argp_error(state, "'%s' is not a number", text);
    }
    return 0;
}

static error_t parse_kind(const char *text, request *r, struct argp_state *state) {
    if (r->second_pass) {
        return 0;
    }
    for (int kind = 0; kind < TS_GENERATE_KIND_COUNT && !r->chosen; kind++) {
        if (strcmp(text, ts_generate_name((ts_generate_kind)kind)) == 0) {
            r->generate = ts_generate_defaults((ts_generate_kind)kind);
            r->chosen = true;
            return 0;
        }
    }
    argp_error(state,
               r->chosen ? "one KIND is wanted, '%s' is one too many"
                         : "'%s' is not a kind; 'tessera generate --help' lists them",
               text);
    return 0;
}

static error_t parse_option(int key, char *text, request *r, struct argp_state *state) {
    switch (key) {
        case 'o':
            r->output = text;
            return 0;
        case 'w':
            return parse_width(text, &r->generate.width, state);
        case OPTION_TFLITE:
            r->generate.tflite = true;
            return 0;
        case OPTION_RAW:
            r->generate.raw = true;
            return 0;
        default:
            if (!parse_number(key, text, &r->generate)) {
                argp_error(state, "'%s' is not understood", text);
            }
            return 0;
    }
}

static error_t parse(int key, char *text, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
        case ARGP_KEY_ARG:
            return parse_kind(text, r, state);
        case ARGP_KEY_END:
            if (!r->chosen || (r->second_pass && r->output == NULL)) {
                argp_error(state, "a KIND and -o FILE are needed");
            }
            return 0;
        case ARGP_KEY_INIT:
        case ARGP_KEY_NO_ARGS:
        case ARGP_KEY_SUCCESS:
        case ARGP_KEY_ERROR:
        case ARGP_KEY_FINI:
        case ARGP_KEY_ARGS:
            return ARGP_ERR_UNKNOWN;
        default:
            return r->second_pass ? parse_option(key, text, r, state) : 0;
    }
}

static char *list_kinds(int key, const char *text, void *input) {
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC) {
        return (char *)(uintptr_t)text;
    }
    char *list = NULL;
    size_t size;
    FILE *out = open_memstream(&list, &size);
    if (out == NULL) {
        return NULL;
    }
    fputs("Kinds:\n", out);
    for (int kind = 0; kind < TS_GENERATE_KIND_COUNT; kind++) {
        fprintf(out, "  %-14s %s\n", ts_generate_name((ts_generate_kind)kind),
                ts_generate_help((ts_generate_kind)kind));
    }
    ts_cli_list_training(out);
    fclose(out);
    return list;
}

static bool ends_with(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

static ts_status write_graph(const ts_graph *graph, const char *path, ts_diags *diags) {
    if (ends_with(path, ".tflite")) {
        return ts_model_write_tflite(graph, path, diags);
    }
    if (!ends_with(path, ".tsg")) {
        if (graph->tensors.data[graph->inputs.data[0]].type != TS_U8) {
            return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                            "an input of 16 bits is not said by an ONNX file alone; *.tsg says it");
        }
        return ts_model_write_nemo(graph, path, diags);
    }
    ts_text text = {.arena = graph->arena};
    ts_graph_print(&text, graph);
    return ts_file_write(path, text.data, text.size, diags);
}

static ts_status generate(ts_arena *arena, const request *r, ts_diags *diags) {
    ts_graph *graph;
    uint64_t macs = 0, parameters = 0;
    TS_TRY(ts_generate(arena, &r->generate, &graph, diags));
    TS_TRY(write_graph(graph, r->output, diags));
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        macs += ts_node_macs(graph, &graph->nodes.data[i]);
    }
    for (uint32_t i = 0; i < graph->tensors.count; i++) {
        const ts_tensor *t = &graph->tensors.data[i];
        parameters += t->data != NULL ? ts_tensor_elements(t) : 0;
    }
    printf("%s: %u layers, %llu MACs, %llu parameters\n", r->output, (unsigned)graph->nodes.count,
           (unsigned long long)macs, (unsigned long long)parameters);
    return TS_OK;
}

int ts_cmd_generate(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = ts_cli_terminal_children,
        .args_doc = "KIND -o FILE",
        .doc =
            "Generate a network with seeded weights, its requantisation chosen so that activations fill "
            "their range.\v",
        .help_filter = list_kinds,
    };
    if (ts_cli_generates_training(argc, argv)) {
        return ts_cli_generate_training(argc, argv);
    }
    request r = {0};
    argp_err_exit_status = TS_BAD_INPUT;
    for (int pass = 0; pass < 2; pass++) {
        r.second_pass = pass == 1;
        if (argp_parse(&argp, argc, argv, 0, NULL, &r) != 0) {
            return TS_BAD_INPUT;
        }
    }
    bool tflite = ends_with(r.output, ".tflite");
    r.generate.nemo_only = !ends_with(r.output, ".tsg") && !tflite;
    r.generate.tflite = r.generate.tflite || tflite;
    ts_arena *arena = ts_arena_new("generate", 0);
    ts_diags diags = {.arena = arena};
    int status = ts_cli_finish(&diags, generate(arena, &r, &diags));
    ts_arena_free(arena);
    return status;
}
