/* tessera inspect: what is in a network. */
#include <argp.h>
#include <stdio.h>

#include "base/file.h"
#include "cli/cmd.h"
#include "cli/terminal.h"
#include "run/inspect.h"

enum { OPTION_TEXT = 256, OPTION_JSON, OPTION_FLOAT };

static const struct argp_option options[] = {
    {"text", OPTION_TEXT, NULL, 0, "Print the graph in its text form (*.tsg), constants included", 0},
    {"json", OPTION_JSON, "FILE", 0, "Write the figures of the table, for programs", 0},
    {"allow-float", OPTION_FLOAT, NULL, 0, "Operators between quantised ones may be computed in floats", 0},
    {0},
};

typedef struct request {
    const char *model, *json;
    bool text, allow_float;
} request;

static error_t parse(int key, char *text, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
        case OPTION_TEXT:
            r->text = true;
            return 0;
        case OPTION_JSON:
            r->json = text;
            return 0;
        case OPTION_FLOAT:
            r->allow_float = true;
            return 0;
        case ARGP_KEY_ARG:
            if (r->model != NULL) {
                argp_error(state, "one MODEL is wanted, '%s' is one too many", text);
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

static ts_status inspect(ts_arena *arena, const request *r, ts_diags *diags) {
    ts_inspection network;
    ts_text json = {.arena = arena}, shown = {.arena = arena};
    TS_TRY(ts_inspect(arena, r->model, r->allow_float, &network, diags));
    if (r->json != NULL) {
        ts_inspection_print_json(&json, &network);
        TS_TRY(ts_file_write(r->json, json.data, json.size, diags));
    }
    if (r->text) {
        ts_inspection_print_text(&shown, &network);
    } else {
        ts_inspection_print(&shown, &network, ts_cli_screen(stdout));
    }
    fwrite(shown.data, 1, shown.size, stdout);
    return TS_OK;
}

int ts_cmd_inspect(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = ts_cli_terminal_children,
        .args_doc = "MODEL",
        .doc =
            "Print the layers of a network: shapes, MACs, bytes, bits and requantisation.\v"
            "t and u are the widths, signed, of kappa acc + lambda and of its product with m over every "
            "accumulator that can be reached.",
    };
    request r = {0};
    argp_err_exit_status = TS_BAD_INPUT;
    if (argp_parse(&argp, argc, argv, 0, NULL, &r) != 0) {
        return TS_BAD_INPUT;
    }
    ts_arena *arena = ts_arena_new("inspect", 0);
    ts_diags diags = {.arena = arena, .file = r.model};
    int status = ts_cli_finish(&diags, inspect(arena, &r, &diags));
    ts_arena_free(arena);
    return status;
}
