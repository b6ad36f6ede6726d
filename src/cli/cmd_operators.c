/* tessera operators: which operators are served, from the tables of the code that serves them. What it prints
 * is docs/operators.md. */
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/options.h"
#include "model/float_model.h"
#include "model/model.h"
#include "num/generate.h"
#include "plan/kernel.h"
#include "quant/net.h"

static void print_float(void) {
    const ts_float_operator *row;
    puts("## Float networks in ONNX, opsets 7 to 17\n");
    puts(
        "Read by `tessera quantize` and `tessera eval`. *Attributes* in brackets change nothing at "
        "inference; any other that a node has is reported. *Integers* says what `tessera quantize`");
    puts(
        "makes of the operator in the middle of a network. Behind the last layer every operator of this "
        "table may stand: it is left out.\n");
    puts("| operator | attributes | in floats | in integers |\n|---|---|---|---|");
    for (uint32_t i = 0; (row = ts_float_model_operator(i)) != NULL; i++) {
        const char *integers = row->op == TS_FOP_COUNT ? "changes nothing" : ts_qnet_served(row->op);
        printf("| %s | %s | %s | %s |\n", row->name, row->attributes,
               *row->limits == '\0' ? "all of it" : row->limits, integers == NULL ? "-" : integers);
    }
}

static void print_integer(void) {
    const char *name, *role;
    puts("\n## Integer networks in ONNX\n");
    puts(
        "Read by every command that takes a model; [onnx-dialects.md](onnx-dialects.md) has the attributes "
        "and limits.\n");
    puts("| operator | becomes |\n|---|---|");
    for (uint32_t i = 0; (name = ts_model_operator(i, &role)) != NULL; i++) {
        printf("| %s | %s |\n", name, role);
    }
}

static void print_quantised(void) {
    const char *name, *becomes;
    puts("\n## Quantised networks in ONNX\n");
    puts(
        "`QuantizeLinear` and `DequantizeLinear` around the operators that "
        "[onnx-dialects.md](onnx-dialects.md) "
        "lists, and these, which are spelled out so:\n");
    puts("| operator | float operator |\n|---|---|");
    for (uint32_t i = 0; (name = ts_model_quantised_operator(i, &becomes)) != NULL; i++) {
        printf("| %s | %s |\n", name, becomes);
    }
}

static void print_tflite(void) {
    const char *name;
    bool in_floats;
    puts("\n## TensorFlow Lite\n");
    puts("int8 and uint8; [tflite.md](tflite.md) has the limits.\n");
    for (uint32_t pass = 0; pass < 2; pass++) {
        const char *before = pass == 0 ? "" : "\nIn floats only: ";
        for (uint32_t i = 0; (name = ts_model_tflite_operator(i, &in_floats)) != NULL; i++) {
            if (in_floats == (pass == 1)) {
                printf("%s%s", before, name);
                before = ", ";
            }
        }
        puts(pass == 0 ? "" : ".");
    }
}

enum { MOST_KERNELS = 256, NETWORKS = 1600, FLOAT_NETWORKS = 40 };

typedef struct service {
    bool serves[TS_LAYER_KIND_COUNT][MOST_KERNELS];
} service;

static void ask_kernels(service *all, const ts_layer *layer) {
    const ts_kernel *k;
    for (uint32_t i = 0; i < MOST_KERNELS && (k = ts_kernel_at(i)) != NULL; i++) {
        all->serves[layer->kind][i] = all->serves[layer->kind][i] || k->serves(layer);
    }
}

static ts_status ask_network(ts_arena *arena, service *all, const ts_graph *graph, ts_diags *diags) {
    ts_layer *layers;
    uint32_t count;
    TS_TRY(ts_layers_build(arena, graph, &layers, &count, diags));
    for (uint32_t i = 0; i < count; i++) {
        ask_kernels(all, &layers[i]);
    }
    return TS_OK;
}

/* Which kernels take layers of each kind: every kernel is asked about the layers of the networks that can be
 * generated and of seeded random ones. */
static ts_status ask_all(ts_arena *arena, service *all, ts_diags *diags) {
    ts_graph *graph;
    for (ts_generate_kind kind = TS_GENERATE_CONV; kind < TS_GENERATE_RANDOM; kind++) {
        ts_generate_options options = ts_generate_defaults(kind);
        TS_TRY(ts_generate(arena, &options, &graph, diags));
        TS_TRY(ask_network(arena, all, graph, diags));
    }
    ts_random_limits limits = ts_random_limits_default();
    limits.tflite = true;
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        TS_TRY(ts_random_network(arena, seed, &limits, &graph, diags));
        TS_TRY(ask_network(arena, all, graph, diags));
    }
    limits.floats = true;
    for (uint64_t seed = 0; seed < FLOAT_NETWORKS; seed++) {
        TS_TRY(ts_random_network(arena, seed, &limits, &graph, diags));
        TS_TRY(ask_network(arena, all, graph, diags));
    }
    return TS_OK;
}

static ts_status print_emitted(ts_arena *arena, ts_diags *diags) {
    service *all = TS_NEW(arena, service);
    TS_TRY(ask_all(arena, all, diags));
    puts("\n## What is emitted\n");
    puts(
        "Layers of an integer network and the kernels that compute them, the preferred ones first: `ref` "
        "ones are portable C, the others need the instructions that they are named after.");
    puts("[kernels.md](kernels.md) says which shapes and types each takes.\n");
    puts("| layer | kernels |\n|---|---|");
    for (ts_layer_kind kind = 0; kind < TS_LAYER_KIND_COUNT; kind++) {
        printf("| %s |", ts_layer_kind_name(kind));
        for (uint32_t i = 0; i < MOST_KERNELS; i++) {
            if (all->serves[kind][i]) {
                printf(" `%s`", ts_kernel_at(i)->name);
            }
        }
        puts(" |");
    }
    return TS_OK;
}

int ts_cmd_operators(int argc, char **argv) {
    ts_cli_parse_none(argc, argv, "Print which operators are served, as docs/operators.md has it.");
    puts("# Operators\n\nWritten by `tessera operators`, from the tables of the code.\n");
    print_float();
    print_integer();
    print_quantised();
    print_tflite();
    ts_arena *arena = ts_arena_new("operators", 0);
    ts_diags diags = {.arena = arena};
    int status = ts_cli_finish(&diags, print_emitted(arena, &diags));
    ts_arena_free(arena);
    return status;
}
