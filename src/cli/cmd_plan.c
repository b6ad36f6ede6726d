/* tessera plan and tessera fit-memory: where a network's bytes live and how it is cut, or the least memory
 * that would do. */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/run_options.h"
#include "cli/terminal.h"
#include "model/model.h"
#include "plan/plan.h"

enum {
    OPTION_L1 = 256,
    OPTION_L2,
    OPTION_L3,
    OPTION_RAM,
    OPTION_CORES,
    OPTION_OBJECTIVE,
    OPTION_JSON,
    OPTION_REF,
    OPTION_FLOAT
};

static const struct argp_option options[] = {
    {"target", 't', "T", 0, "Chip: a built-in name or a JSON file (gap8)", 0},
    {"l1", OPTION_L1, "BYTES", 0, "L1 for tiles; suffixes K and M (what the target leaves)", 0},
    {"l2", OPTION_L2, "BYTES", 0, "L2 for weights and activations", 0},
    {"l3", OPTION_L3, "BYTES", 0, "L3", 0},
    {"ram", OPTION_RAM, "BYTES", 0, "RAM, where a chip has one memory", 0},
    {"cores", OPTION_CORES, "N", 0, "Cores that compute (all)", 0},
    {"objective", OPTION_OBJECTIVE, "NAME", 0, "latency (default), dory or size", 0},
    {"ref-kernels", OPTION_REF, NULL, 0, "Portable kernels only", 0},
    {"ref-only", 0, NULL, OPTION_ALIAS | OPTION_HIDDEN, NULL, 0},
    {"allow-float", OPTION_FLOAT, NULL, 0, "Operators between quantised ones may be computed in floats", 0},
    {"json", OPTION_JSON, NULL, 0, "Print plan.json instead of the table", 0},
    {0},
};

typedef struct request {
    const char *model, *target;
    ts_plan_options plan;
    bool json, allow_float, ram;
} request;

/* A budget of 0 would mean the target's own. */
static bool parse_budget(const char *text, uint64_t *out) { return ts_parse_size(text, out) && *out > 0; }

static bool parse_option(int key, const char *text, request *r) {
    uint64_t number;
    switch (key) {
        case OPTION_L1:
            return parse_budget(text, &r->plan.l1_bytes);
        case OPTION_L2:
            return parse_budget(text, &r->plan.l2_bytes);
        case OPTION_L3:
            return parse_budget(text, &r->plan.l3_bytes);
        case OPTION_RAM:
            return r->ram = parse_budget(text, &r->plan.l2_bytes);
        case OPTION_CORES:
            if (!ts_parse_u64(text, &number) || number == 0 || number > UINT32_MAX) {
                return false;
            }
            r->plan.cores = (uint32_t)number;
            return true;
        case OPTION_OBJECTIVE:
            return ts_objective_parse(text, &r->plan.objective);
        case OPTION_REF:
            r->plan.ref_only = true;
            return true;
        case OPTION_FLOAT:
            r->allow_float = true;
            return true;
        default:
            r->json = true;
            return true;
    }
}

static error_t parse(int key, char *text, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
        case 't':
            r->target = text;
            return 0;
        case OPTION_L1:
        case OPTION_L2:
        case OPTION_L3:
        case OPTION_RAM:
        case OPTION_CORES:
        case OPTION_OBJECTIVE:
        case OPTION_REF:
        case OPTION_FLOAT:
        case OPTION_JSON:
            if (!parse_option(key, text, r)) {
                argp_error(state, "'%s' is not understood", text);
            }
            return 0;
        case ARGP_KEY_ARG:
            if (state->arg_num > 0) {
                return ARGP_ERR_UNKNOWN;
            }
            r->model = text;
            return 0;
        case ARGP_KEY_END:
            if (r->model == NULL) {
                argp_error(state, "a MODEL is needed");
            }
            return 0;
        default:
            return ARGP_ERR_UNKNOWN;
    }
}

static ts_status load(ts_arena *arena, const request *r, ts_graph **graph, const ts_target **target,
                      ts_diags *diags) {
    ts_model_options model = {.allow_float = r->allow_float, .input_signed = -1};
    TS_TRY(ts_run_target(arena, r->target, target, diags));
    TS_TRY(ts_cli_check_ram(*target, r->ram, diags));
    diags->file = r->model;
    return ts_model_read(arena, r->model, &model, graph, diags);
}

static ts_status plan(ts_arena *arena, const request *r, ts_diags *diags) {
    ts_graph *graph;
    const ts_target *target;
    ts_plan *made;
    ts_text text = {.arena = arena};
    TS_TRY(load(arena, r, &graph, &target, diags));
    TS_TRY(ts_plan_build(arena, graph, target, &r->plan, &made, diags));
    TS_TRY(ts_plan_verify(made, diags));
    if (r->json) {
        ts_plan_print_json(&text, made);
    } else {
        ts_plan_print(&text, made, ts_cli_screen(stdout));
    }
    fwrite(text.data, 1, text.size, stdout);
    return TS_OK;
}

static ts_status fit(ts_arena *arena, const request *r, ts_diags *diags) {
    ts_graph *graph;
    const ts_target *target;
    uint64_t l1, l2;
    TS_TRY(load(arena, r, &graph, &target, diags));
    TS_TRY(ts_plan_smallest(arena, graph, target, &r->plan, &l1, &l2, diags));
    if (ts_target_levels(target) == 1) {
        printf(r->json ? "{\"ram_bytes\": %llu}\n" : "smallest RAM for activations and kernels: %llu bytes\n",
               (unsigned long long)l2);
        return TS_OK;
    }
    const char *form =
        r->json ? "{\"l1_bytes\": %llu, \"l2_bytes\": %llu}\n"
                : "smallest L1 for tiles: %llu bytes\nsmallest L2 for weights and activations: %llu bytes\n";
    printf(form, (unsigned long long)l1, (unsigned long long)l2);
    return TS_OK;
}

static int run(int argc, char **argv, const char *doc,
               ts_status (*work)(ts_arena *, const request *, ts_diags *)) {
    const struct argp argp = {.options = options,
                              .parser = parse,
                              .children = ts_cli_terminal_children,
                              .args_doc = "MODEL",
                              .doc = doc};
    request r = {.target = "gap8"};
    argp_err_exit_status = TS_BAD_INPUT;
    if (argp_parse(&argp, argc, argv, 0, NULL, &r) != 0) {
        return TS_BAD_INPUT;
    }
    ts_arena *arena = ts_arena_new("plan", 0);
    ts_diags diags = {.arena = arena};
    int status = ts_cli_finish(&diags, work(arena, &r, &diags));
    ts_arena_free(arena);
    return status;
}

int ts_cmd_plan(int argc, char **argv) {
    return run(argc, argv, "Plan a network: kernels, tiles, memory, and the cycles that the model expects.",
               plan);
}

int ts_cmd_fit_memory(int argc, char **argv) {
    return run(argc, argv, "Find the smallest L1 and the smallest L2 with which a network can run.", fit);
}
