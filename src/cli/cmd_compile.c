/* tessera compile: a model becomes a folder of C. */
#include <stdio.h>

#include "cli/cmd.h"
#include "cli/run_options.h"
#include "cli/terminal.h"

static const struct argp_option options[] = {
    {"output", 'o', "DIR", 0, "Write the application into DIR, whole or not at all", 0},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state) {
    ts_cli_run *r = state->input;
    switch (key) {
        case ARGP_KEY_INIT:
            state->child_inputs[0] = r;
            return 0;
        case 'o':
            r->output = text;
            return 0;
        case ARGP_KEY_END:
            if (r->output == NULL) {
                argp_error(state, "-o DIR is needed");
            }
            return 0;
        default:
            return ARGP_ERR_UNKNOWN;
    }
}

static ts_status compile(ts_arena *arena, const ts_cli_run *r, const char *command, ts_diags *diags) {
    ts_graph *graph = NULL;
    ts_run_options run;
    const ts_plan *plan = NULL;
    TS_TRY(ts_cli_prepare(arena, r, &graph, &run, diags));
    run.command = command;
    run.application = NULL;
    TS_TRY(ts_compile(arena, graph, &run, r->output, &plan, diags));
    ts_text text = {.arena = arena};
    ts_plan_print(&text, plan, ts_cli_screen(stdout));
    fputs(text.data, stdout);
    return TS_OK;
}

int ts_cmd_compile(int argc, char **argv) {
    static const struct argp_child children[] = {
        {&ts_cli_run_argp, 0, NULL, 0}, {&ts_cli_terminal_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {.options = options,
                                     .parser = parse,
                                     .args_doc = "MODEL -o DIR",
                                     .doc = "Write the C of a network: DIR/Makefile builds it.",
                                     .children = children};
    ts_cli_run request = ts_cli_run_defaults();
    argp_err_exit_status = TS_BAD_INPUT;
    if (argp_parse(&argp, argc, argv, 0, NULL, &request) != 0) {
        return TS_BAD_INPUT;
    }
    ts_arena *arena = ts_arena_new("compile", 0);
    ts_diags diags = {.arena = arena};
    const char *command = ts_cli_command_text(arena, "compile", argc, argv);
    int status = ts_cli_finish(&diags, compile(arena, &request, command, &diags));
    ts_arena_free(arena);
    return status;
}
