/* tessera report: one HTML file about a run, or about two and what changed between them. */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/terminal.h"
#include "report/report.h"

typedef struct request {
    const char *runs[2];
    unsigned run_count;
    const char *output, *quantised, *accuracy;
} request;

enum { OPTION_QUANTISED = 256, OPTION_ACCURACY };

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Write the page to FILE", 0},
    {"quantised", OPTION_QUANTISED, "FILE", 0,
     "Also tell what quantisation lost in the (last) run's network: the JSON that 'tessera quantize' wrote",
     0},
    {"accuracy", OPTION_ACCURACY, "FILE", 0,
     "Also tell the accuracy of the (last) run's network: the JSON that 'tessera eval' wrote", 0},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
        case 'o':
            r->output = text;
            return 0;
        case OPTION_QUANTISED:
            r->quantised = text;
            return 0;
        case OPTION_ACCURACY:
            r->accuracy = text;
            return 0;
        case ARGP_KEY_ARG:
            if (r->run_count == 2) {
                argp_error(state, "one or two runs are expected");
            }
            r->runs[r->run_count++] = text;
            return 0;
        case ARGP_KEY_END:
            if (r->run_count == 0 || r->output == NULL) {
                argp_error(state, r->run_count == 0
                                      ? "a RUN is expected: a JSON of 'tessera run --json', or a "
                                        "folder with run.json or plan.json"
                                      : "-o FILE is needed");
            }
            return 0;
        default:
            return ARGP_ERR_UNKNOWN;
    }
}

/* The JSON itself, or what lies in the folder: run.json before plan.json. */
static ts_status find_json(ts_arena *arena, const char *path, const char **out, ts_diags *diags) {
    static const char *const names[] = {"run.json", "plan.json"};
    *out = path;
    if (!ts_dir_exists(path)) {
        return TS_OK;
    }
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        *out = ts_path_join(arena, path, names[i]);
        if (ts_file_exists(*out)) {
            return TS_OK;
        }
    }
    return ts_error(
        diags, TS_DIAG_USAGE, NULL, NULL,
        "holds neither run.json nor plan.json; 'tessera run --keep' and 'tessera compile' write them");
}

static ts_status read_run(ts_arena *arena, const char *path, const ts_report_run **out, ts_diags *diags) {
    const char *file = path;
    ts_bytes json;
    diags->file = path;
    TS_TRY(find_json(arena, path, &file, diags));
    diags->file = file;
    TS_TRY(ts_file_read(arena, file, TS_REPORT_JSON_LIMIT, &json, diags));
    return ts_report_read(arena, json, ts_path_base(path), out, diags);
}

typedef ts_status with_function(const ts_report_run *run, ts_bytes json, const ts_report_run **out,
                                ts_diags *diags);

static ts_status read_more(ts_arena *arena, const char *path, with_function *with, const ts_report_run **run,
                           ts_diags *diags) {
    ts_bytes json;
    if (path == NULL) {
        return TS_OK;
    }
    diags->file = path;
    TS_TRY(ts_file_read(arena, path, TS_REPORT_JSON_LIMIT, &json, diags));
    return with(*run, json, run, diags);
}

static ts_status report(ts_arena *arena, const request *r, ts_diags *diags) {
    const ts_report_run *runs[2] = {NULL, NULL};
    for (unsigned i = 0; i < r->run_count; i++) {
        TS_TRY(read_run(arena, r->runs[i], &runs[i], diags));
    }
    const ts_report_run **last = &runs[r->run_count - 1];
    TS_TRY(read_more(arena, r->quantised, ts_report_with_quantised, last, diags));
    TS_TRY(read_more(arena, r->accuracy, ts_report_with_accuracy, last, diags));
    ts_text page = {.arena = arena};
    ts_report_html(&page, runs[0], runs[1]);
    diags->file = r->output;
    return ts_file_write(r->output, page.data, page.size, diags);
}

int ts_cmd_report(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = ts_cli_terminal_children,
        .args_doc = "RUN [OTHER]",
        .doc =
            "Write a page about a run: summary, graph, timeline, cycles by cause, maps of the memories, "
            "roofline, tables. RUN is the JSON that 'tessera run --json' wrote, or a folder of 'tessera run "
            "--keep' or 'tessera compile'. With OTHER the page says first what changed from RUN to OTHER."};
    request r = {0};
    argp_err_exit_status = TS_BAD_INPUT;
    if (argp_parse(&argp, argc, argv, 0, NULL, &r) != 0) {
        return TS_BAD_INPUT;
    }
    ts_arena *arena = ts_arena_new("report", 0);
    ts_diags diags = {.arena = arena};
    int status = ts_cli_finish(&diags, report(arena, &r, &diags));
    ts_arena_free(arena);
    return status;
}
