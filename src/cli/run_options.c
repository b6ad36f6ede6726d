#include "cli/run_options.h"

#include <string.h>

#include "base/file.h"
#include "cli/cmd.h"

enum {
    OPTION_L1 = 512,
    OPTION_L2,
    OPTION_L3,
    OPTION_RAM,
    OPTION_CORES,
    OPTION_OBJECTIVE,
    OPTION_SATURATE,
    OPTION_FLOAT,
    OPTION_REF,
    OPTION_EMBED,
    OPTION_CHECK,
    OPTION_INPUT,
    OPTION_INPUT_BITS,
    OPTION_INPUT_SIGNED,
    OPTION_SEED,
};

static const struct argp_option common_options[] = {
    {"target", 't', "NAME|FILE", 0,
     "gap8 (default), pulp-open, cortex-m4, cortex-m7, stm32h743, riscv32, generic, host, or a JSON file", 0},
    {"l1", OPTION_L1, "BYTES", 0, "L1 that the network may use (K and M are 1024 and 1024 squared)", 0},
    {"l2", OPTION_L2, "BYTES", 0, "L2 that the network may use", 0},
    {"l3", OPTION_L3, "BYTES", 0, "L3 that the network may use", 0},
    {"ram", OPTION_RAM, "BYTES", 0, "RAM that the network may use, where a chip has one memory", 0},
    {"cores", OPTION_CORES, "N", 0, "Size of the team", 0},
    {"objective", OPTION_OBJECTIVE, "latency|dory|size", 0, "What tiles are chosen for (latency)", 0},
    {"saturate-add", OPTION_SATURATE, NULL, 0, "Plain residual additions saturate to 8 bits, as on the chip",
     0},
    {"allow-float", OPTION_FLOAT, NULL, 0,
     "Operators that stay in floats between quantised ones are computed in floats, on the target too", 0},
    {"ref-kernels", OPTION_REF, NULL, 0, "Use the portable kernels only", 0},
    {"check", OPTION_CHECK, NULL, 0,
     "The program proves that layers write to their own buffers only: guard bytes, and poison in what has "
     "died",
     0},
    {"embed-weights", OPTION_EMBED, NULL, 0,
     "The program carries weights, an input and the expected checksums, and judges itself", 0},
    {"input", OPTION_INPUT, "FILE", 0,
     "Values of an input: *.txt, *.npy, FILE.npz:NAME, FILE.npz for all inputs, else raw bytes; may be "
     "repeated",
     0},
    {"input-bits", OPTION_INPUT_BITS, "N", 0, "Inputs of an integer ONNX file have N bits: 16, 8, 4 or 2 (8)",
     0},
    {"input-signed", OPTION_INPUT_SIGNED, NULL, 0, "Inputs of an integer ONNX file are signed", 0},
    {"seed", OPTION_SEED, "N", 0, "Random input of this seed, where no input is given (1)", 0},
    {0},
};

static void parse_size(const char *text, uint64_t *out, struct argp_state *state) {
    if (!ts_parse_size(text, out) || *out == 0) {
        argp_error(state, "'%s' is not a size; 38000, 64K and 1M are", text);
    }
}

static void parse_cores(const char *text, uint32_t *out, struct argp_state *state) {
    uint64_t value = 0;
    if (!ts_parse_u64(text, &value) || value == 0 || value > TS_TARGET_MAX_CORES) {
        argp_error(state, "'%s' is not a number of cores; 1 to %d are", text, TS_TARGET_MAX_CORES);
    }
    *out = (uint32_t)value;
}

static void parse_objective(const char *text, ts_objective *out, struct argp_state *state) {
    if (!ts_objective_parse(text, out)) {
        argp_error(state, "'%s' is no objective; latency, dory and size are", text);
    }
}

static void add_input(ts_cli_run *r, const char *path, struct argp_state *state) {
    if (r->input_count == sizeof r->inputs / sizeof r->inputs[0]) {
        argp_error(state, "at most %zu --input", sizeof r->inputs / sizeof r->inputs[0]);
    }
    r->inputs[r->input_count++] = path;
}

static error_t parse(int key, char *text, struct argp_state *state) {
    ts_cli_run *r = state->input;
    uint64_t bits = 0;
    switch (key) {
        case 't':
            r->target = text;
            return 0;
        case OPTION_L1:
            parse_size(text, &r->plan.l1_bytes, state);
            return 0;
        case OPTION_L2:
            parse_size(text, &r->plan.l2_bytes, state);
            return 0;
        case OPTION_L3:
            parse_size(text, &r->plan.l3_bytes, state);
            return 0;
        case OPTION_RAM:
            parse_size(text, &r->plan.l2_bytes, state);
            r->ram = true;
            return 0;
        case OPTION_CORES:
            parse_cores(text, &r->plan.cores, state);
            return 0;
        case OPTION_OBJECTIVE:
            parse_objective(text, &r->plan.objective, state);
            return 0;
        case OPTION_SATURATE:
            r->model_options.saturate_add = true;
            return 0;
        case OPTION_FLOAT:
            r->model_options.allow_float = true;
            return 0;
        case OPTION_REF:
            r->plan.ref_only = true;
            return 0;
        case OPTION_CHECK:
            r->plan.guard_bytes = 16;
            return 0;
        case OPTION_EMBED:
            r->embed = true;
            return 0;
        case OPTION_INPUT:
            add_input(r, text, state);
            return 0;
        case OPTION_INPUT_BITS:
            if (!ts_parse_u64(text, &bits) || (bits != 16 && bits != 8 && bits != 4 && bits != 2)) {
                argp_error(state, "'%s' is not a width of inputs; 16, 8, 4 and 2 are", text);
            }
            r->model_options.input_bits = (int32_t)bits;
            return 0;
        case OPTION_INPUT_SIGNED:
            r->model_options.input_signed = 1;
            return 0;
        case OPTION_SEED:
            if (!ts_parse_u64(text, &r->seed)) {
                argp_error(state, "'%s' is not a seed; a whole number is", text);
            }
            return 0;
        case ARGP_KEY_ARG:
            if (r->model != NULL) {
                argp_error(state, "one MODEL is expected");
            }
            r->model = text;
            return 0;
        case ARGP_KEY_END:
            if (r->model == NULL) {
                argp_error(state, "a MODEL is expected");
            }
            return 0;
        default:
            return ARGP_ERR_UNKNOWN;
    }
}

const struct argp ts_cli_run_argp = {.options = common_options, .parser = parse};

ts_cli_run ts_cli_run_defaults(void) {
    return (ts_cli_run){.seed = 1, .model_options = {.input_signed = -1}};
}

const char *ts_cli_command_text(ts_arena *arena, const char *verb, int argc, char **argv) {
    ts_text out = {.arena = arena};
    ts_text_add(&out, verb);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--keep") == 0 || strcmp(argv[i], "--json") == 0 ||
            strcmp(argv[i], "--report") == 0) {
            i++;
            continue;
        }
        ts_text_printf(&out, " %s", ts_path_base(argv[i]));
    }
    return out.data;
}

static bool is_application(ts_arena *arena, const char *path) {
    return ts_file_exists(ts_path_join(arena, path, "app.h")) &&
           ts_file_exists(ts_path_join(arena, path, "plan.json"));
}

ts_status ts_cli_check_ram(const ts_target *target, bool given, ts_diags *diags) {
    uint32_t levels = ts_target_levels(target);
    if (!given || levels == 1) {
        return TS_OK;
    }
    return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "--ram is for chips with one memory; '%s' has %s",
                    target->name,
                    levels == 2 ? "two: give --l1 and --l2" : "three levels: give --l1, --l2 and --l3");
}

ts_status ts_cli_prepare(ts_arena *arena, const ts_cli_run *request, ts_graph **graph,
                         ts_run_options *options, ts_diags *diags) {
    *options = (ts_run_options){.plan = request->plan,
                                .inputs = request->inputs,
                                .input_count = request->input_count,
                                .golden = request->golden,
                                .sample_limit = request->sample_limit,
                                .seed = request->seed,
                                .keep = request->keep,
                                .self_check = request->embed,
                                .jobs = 2,
                                .host = request->host,
                                .sim = request->sim};
    if (is_application(arena, request->model)) {
        return ts_run_application(arena, request->model, request->target, graph, options, diags);
    }
    TS_TRY(ts_run_target(arena, request->target != NULL ? request->target : "gap8", &options->target, diags));
    TS_TRY(ts_cli_check_ram(options->target, request->ram, diags));
    TS_TRY(ts_model_read(arena, request->model, &request->model_options, graph, diags));
    if (request->model_options.saturate_add) {
        ts_model_options exact = request->model_options;
        ts_graph *exact_graph = NULL;
        exact.saturate_add = false;
        TS_TRY(ts_model_read(arena, request->model, &exact, &exact_graph, diags));
        options->exact = exact_graph;
    }
    diags->file = request->model;
    return TS_OK;
}
