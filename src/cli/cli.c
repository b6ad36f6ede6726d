#include <stdio.h>
#include <string.h>

#include "base/litter.h"
#include "cli/cmd.h"
#include "cli/terminal.h"

typedef struct command {
    const char *name;
    const char *arguments;
    const char *help;
    int (*run)(int argc, char **argv);
} command;

static const command commands[] = {
#define ROW(id, name, arguments, help) {name, arguments, help, ts_cmd_##id},
    TS_COMMANDS(ROW)
#undef ROW
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

int ts_cli_finish(const ts_diags *diags, ts_status status) {
    ts_screen screen = ts_cli_screen(stderr);
    for (uint32_t i = 0; i < diags->list.count; i++) {
        const ts_diag *diag = &diags->list.data[i];
        ts_diag_print_on(stderr, screen, diag);
        if (status == TS_OK && diag->severity == TS_ERROR) {
            status = ts_diag_status(diag->code);
        }
    }
    return (int)status;
}

static void usage(FILE *out) {
    fputs("Usage: tessera COMMAND [ARGUMENTS]\n\n", out);
    for (int i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %-12s %-34s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    }
    fputs("\n'tessera COMMAND --help' lists the options of a command.\n", out);
}

int ts_cli_main(int argc, char **argv) {
    if (argc < 2) {
        usage(stderr);
        return TS_BAD_INPUT;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        usage(stdout);
        return TS_OK;
    }
    name = strcmp(name, "--version") == 0 ? "version" : name;
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            ts_guard guard;
            if (TS_GUARD_ENTER(&guard)) {
                ts_litter_remove();
                fputs("tessera: error: out of memory\n", stderr);
                return TS_SYSTEM;
            }
            char title[64]; /* what the option parser calls the program */
            snprintf(title, sizeof title, "tessera %s", name);
            argv[1] = title;
            int status = commands[i].run(argc - 1, argv + 1);
            ts_guard_leave(&guard);
            return status;
        }
    }
    fprintf(stderr, "tessera: error: '%s' is not a command; 'tessera --help' lists them\n", name);
    return TS_BAD_INPUT;
}
