#include <errno.h>
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

static const command *find(const char *name) {
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* What was printed may not have arrived: on a full disk, say. */
static int printed(int status) {
    int error = fflush(stdout) != 0 ? errno : ferror(stdout) != 0 ? EIO : 0;
    if (error == 0) {
        return status;
    }
    fprintf(stderr, "tessera: error: cannot write to standard output: %s\n", strerror(error));
    return status == TS_OK || status == TS_MISMATCH ? TS_SYSTEM : status;
}

static int run(const command *c, int argc, char **argv) {
    ts_guard guard;
    if (TS_GUARD_ENTER(&guard)) {
        ts_litter_remove();
        fputs("tessera: error: out of memory\n", stderr);
        return TS_SYSTEM;
    }
    char title[64]; /* what the option parser calls the program */
    snprintf(title, sizeof title, "tessera %s", c->name);
    argv[0] = title;
    int status = c->run(argc, argv);
    ts_guard_leave(&guard);
    return printed(status);
}

int ts_cli_main(int argc, char **argv) {
    if (argc < 2) {
        usage(stderr);
        return TS_BAD_INPUT;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        const command *about = argc > 2 ? find(argv[2]) : NULL;
        char help[] = "--help", *arguments[] = {NULL, help, NULL};
        if (about != NULL) {
            return run(about, 2, arguments);
        }
        usage(stdout);
        return printed(TS_OK);
    }
    const command *c = find(strcmp(name, "--version") == 0 ? "version" : name);
    if (c == NULL) {
        fprintf(stderr, "tessera: error: '%s' is not a command; 'tessera --help' lists them\n", name);
        return TS_BAD_INPUT;
    }
    return run(c, argc - 1, argv + 1);
}
