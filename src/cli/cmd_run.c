/* tessera run: compile, build, execute, compare. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "cli/run_options.h"
#include "cli/terminal.h"
#include "report/report.h"

enum {
    OPTION_GOLDEN = 256,
    OPTION_JSON,
    OPTION_SAMPLES,
    OPTION_KEEP,
    OPTION_HOST_CORES,
    OPTION_EARLY,
    OPTION_MAX_CYCLES,
    OPTION_TRACE,
    OPTION_PROFILE,
    OPTION_TIMELINE,
    OPTION_SIM_CHECK,
    OPTION_REPORT,
};

static const struct argp_option options[] = {
    {"golden", OPTION_GOLDEN, "DIR|FILE.npz", 0,
     "Inputs and expected layer outputs in the dialects' text files, or expected outputs of the network", 0},
    {"samples", OPTION_SAMPLES, "N", 0, "Run the first N samples only", 0},
    {"json", OPTION_JSON, "FILE", 0, "Write the figures of the table as JSON", 0},
    {"report", OPTION_REPORT, "FILE", 0, "Write a page about the run (HTML)", 0},
    {"keep", OPTION_KEEP, "DIR", 0, "Keep the application and the program in DIR", 0},
    {"host-cores", OPTION_HOST_CORES, "N", 0, "Threads of the team on target host (1)", 1},
    {"host-early", OPTION_EARLY, NULL, 0, "Transfers of target host happen when started, not when waited for",
     1},
    {"max-cycles", OPTION_MAX_CYCLES, "N", 0, "End a run that takes longer, and say what each core waits for",
     2},
    {"trace", OPTION_TRACE, "FILE", 0, "Write one line an instruction", 2},
    {"profile", OPTION_PROFILE, "FILE", 0, "Write folded stacks", 2},
    {"timeline", OPTION_TIMELINE, "FILE", 0, "Write Chrome trace events", 2},
    {"sim-check", OPTION_SIM_CHECK, NULL, 0,
     "Report uses of bytes that nobody wrote, races, stacks that touch data", 2},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state) {
    ts_cli_run *r = state->input;
    uint64_t value = 0;
    switch (key) {
        case ARGP_KEY_INIT:
            state->child_inputs[0] = r;
            return 0;
        case OPTION_GOLDEN:
            r->golden = text;
            return 0;
        case OPTION_SAMPLES:
            if (!ts_parse_u64(text, &value) || value == 0 || value > UINT32_MAX) {
                argp_error(state, "'%s' is not a number of samples", text);
            }
            r->sample_limit = (uint32_t)value;
            return 0;
        case OPTION_JSON:
            r->json = text;
            return 0;
        case OPTION_REPORT:
            r->report = text;
            return 0;
        case OPTION_KEEP:
            r->keep = text;
            return 0;
        case OPTION_HOST_CORES:
            if (!ts_parse_u64(text, &value) || value == 0 || value > TS_TARGET_MAX_CORES) {
                argp_error(state, "'%s' is not a number of threads; 1 to %d are", text, TS_TARGET_MAX_CORES);
            }
            r->host.cores = (uint32_t)value;
            return 0;
        case OPTION_EARLY:
            r->host.early = true;
            return 0;
        case OPTION_MAX_CYCLES:
            if (!ts_parse_u64(text, &r->sim.max_cycles) || r->sim.max_cycles == 0) {
                argp_error(state, "--max-cycles needs a number from 1");
            }
            return 0;
        case OPTION_TRACE:
            r->sim.trace_path = text;
            return 0;
        case OPTION_PROFILE:
            r->sim.profile_path = text;
            return 0;
        case OPTION_TIMELINE:
            r->sim.timeline_path = text;
            return 0;
        case OPTION_SIM_CHECK:
            r->sim.check = true;
            return 0;
        default:
            return ARGP_ERR_UNKNOWN;
    }
}

static void show_progress(void *user, const char *stage, uint32_t done, uint32_t of) {
    (void)user;
    ts_cli_progress((void *)(uintptr_t)stage, done, of);
}

/* The JSON to where it was asked for and beside a kept application, and the page. */
static ts_status write_files(ts_arena *arena, const ts_cli_run *r, const ts_run_result *result,
                             ts_diags *diags) {
    ts_text json = {.arena = arena}, page = {.arena = arena};
    const char *kept = r->keep == NULL ? NULL : ts_path_join(arena, r->keep, "run.json");
    if (r->json == NULL && r->report == NULL && kept == NULL) {
        return TS_OK;
    }
    ts_run_print_json(&json, result);
    if (r->json != NULL) {
        TS_TRY(ts_file_write(r->json, json.data, json.size, diags));
    }
    if (kept != NULL) {
        TS_TRY(ts_file_write(kept, json.data, json.size, diags));
    }
    if (r->report == NULL) {
        return TS_OK;
    }
    const ts_report_run *run = NULL;
    ts_bytes bytes = {(const uint8_t *)json.data, json.size};
    TS_TRY(ts_report_read(arena, bytes, result->model, &run, diags));
    ts_report_html(&page, run, NULL);
    return ts_file_write(r->report, page.data, page.size, diags);
}

/* Options that this target has no use for would be ignored, and files that they name not be written. */
static ts_status check_options(const ts_cli_run *r, const ts_target *target, ts_diags *diags) {
    bool host = strcmp(target->platform, "host") == 0;
    bool simulated = !host && ts_target_levels(target) == 3;
    const struct {
        const char *name;
        bool given;
    } sim[] = {{"trace", r->sim.trace_path != NULL},
               {"profile", r->sim.profile_path != NULL},
               {"timeline", r->sim.timeline_path != NULL},
               {"sim-check", r->sim.check},
               {"max-cycles", r->sim.max_cycles > 0}};
    for (size_t i = 0; i < sizeof sim / sizeof *sim; i++) {
        if (sim[i].given && !simulated) {
            return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                            "--%s is of the simulator, which does not execute programs for '%s'", sim[i].name,
                            target->name);
        }
    }
    if (!host && (r->host.cores > 0 || r->host.early)) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "--host-%s is of target host",
                        r->host.early ? "early" : "cores");
    }
    return TS_OK;
}

static ts_status run(ts_arena *arena, const ts_cli_run *r, const char *command, ts_diags *diags) {
    ts_graph *graph = NULL;
    ts_run_options request;
    ts_run_result result = {0};
    TS_TRY(ts_cli_prepare(arena, r, &graph, &request, diags));
    TS_TRY(check_options(r, request.target, diags));
    TS_TRY(ts_file_may_write(r->json, diags));
    TS_TRY(ts_file_may_write(r->report, diags));
    request.command = command;
    request.progress = show_progress;
    request.timeline = r->sim.timeline_path != NULL || r->report != NULL;
    ts_status status = ts_run(arena, graph, &request, &result, diags);
    if (status != TS_OK && status != TS_MISMATCH) {
        return status;
    }
    ts_text table = {.arena = arena};
    ts_run_print(&table, &result, ts_cli_screen(stdout));
    fputs(table.data, stdout);
    TS_TRY(write_files(arena, r, &result, diags));
    return status;
}

int ts_cmd_run(int argc, char **argv) {
    static const struct argp_child children[] = {
        {&ts_cli_run_argp, 0, NULL, 0}, {&ts_cli_terminal_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {.options = options,
                                     .parser = parse,
                                     .args_doc = "MODEL|DIR",
                                     .doc =
                                         "Compile a network (or take what compile wrote into DIR), build its "
                                         "program, execute it and compare every layer with the "
                                         "integer reference, and with the golden where one is given.",
                                     .children = children};
    ts_cli_run request = ts_cli_run_defaults();
    argp_err_exit_status = TS_BAD_INPUT;
    if (argp_parse(&argp, argc, argv, 0, NULL, &request) != 0) {
        return TS_BAD_INPUT;
    }
    ts_arena *arena = ts_arena_new("run", 0);
    ts_diags diags = {.arena = arena};
    const char *command = ts_cli_command_text(arena, "run", argc, argv);
    int status = ts_cli_finish(&diags, run(arena, &request, command, &diags));
    ts_arena_free(arena);
    return status;
}
