/* The command line: one verb a file, one row a verb.
 *
 * A verb parses its arguments (glibc argp), calls the library, prints, and returns the exit status
 * (a ts_status). Nothing outside this room prints or exits. */
#ifndef TS_CLI_CMD_H
#define TS_CLI_CMD_H

#include "base/diag.h"

/* Identifier (the function is ts_cmd_ID), name typed by the user, arguments, what it does. */
#define TS_COMMANDS(X)                                                                              \
    X(compile, "compile", "MODEL -o DIR [--target T]", "write the C of a network")                  \
    X(disasm, "disasm", "ELF [--core REVISION]", "print the code of a RISC-V executable")           \
    X(eval, "eval", "MODEL --data DATA", "accuracy on labelled data")                               \
    X(explore, "explore", "SWEEP.json [-o DIR]", "run many configurations, in parallel")            \
    X(fit, "fit", "MODEL --ram BYTES --data DATA", "prune and quantise to a memory budget")         \
    X(fit_memory, "fit-memory", "MODEL [OPTION...]", "find the smallest L1 and L2 that do")         \
    X(generate, "generate", "KIND [OPTION...] -o FILE", "make a network with seeded weights")       \
    X(inspect, "inspect", "MODEL [--text] [--json FILE]", "print what is in a network")             \
    X(operators, "operators", "", "print which operators are served (docs/operators.md)")           \
    X(quantize, "quantize", "MODEL --calib DATA -o FILE", "from a float network to an integer one") \
    X(report, "report", "RUN.json|DIR [OTHER] -o FILE", "write a page about a run, or two")         \
    X(run, "run", "MODEL|DIR [--target T]", "compile, build, execute and verify a network")         \
    X(sim, "sim", "ELF [--target T] [--json FILE]", "run a program on the simulator")               \
    X(plan, "plan", "MODEL [OPTION...]", "print where bytes live and how layers are cut")           \
    X(train, "train", "MODEL --data DATA -o FILE", "train a float network")                         \
    X(version, "version", "", "print the version")

#define TS_COMMAND_DECLARE(id, name, arguments, help) int ts_cmd_##id(int argc, char **argv);
TS_COMMANDS(TS_COMMAND_DECLARE)
#undef TS_COMMAND_DECLARE

/* The whole program: the verb that argv[1] names, with what follows. Where memory runs out it says so and
 * returns TS_SYSTEM. */
int ts_cli_main(int argc, char **argv);

/* Prints all diagnostics to standard error and returns `status`, or the status of the first error
 * where `status` is TS_OK but errors were collected. */
int ts_cli_finish(const ts_diags *diags, ts_status status);

#endif
