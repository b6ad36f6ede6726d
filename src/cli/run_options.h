/* What compile and run have in common: options of the plan and of the model. */
#ifndef TS_CLI_RUN_OPTIONS_H
#define TS_CLI_RUN_OPTIONS_H

#include <argp.h>

#include "model/model.h"
#include "run/run.h"

typedef struct ts_cli_run {
    const char *model, *target, *output, *json, *golden, *keep, *report;
    const char *inputs[256];
    uint32_t input_count, sample_limit;
    ts_model_options model_options;
    ts_plan_options plan;
    uint64_t seed;
    bool embed, ram;
    ts_host_options host;
    ts_sim_options sim;
} ts_cli_run;

/* Options that both understand; the children of their parsers. */
extern const struct argp ts_cli_run_argp;

/* --ram was given: an error that names the options which fit the chip, where it has more than one memory. */
ts_status ts_cli_check_ram(const ts_target *target, bool given, ts_diags *diags);

/* The defaults; input_signed = -1 and so on. */
ts_cli_run ts_cli_run_defaults(void);

/* "compile NET.onnx --target gap8": the command with paths shortened to their last component, so that the
 * emitted files do not depend on where they are made. */
const char *ts_cli_command_text(ts_arena *arena, const char *verb, int argc, char **argv);

/* Reads the model, or the application that compile wrote, and fills the options for the run room; `*graph`,
 * and `exact` with --saturate-add. */
ts_status ts_cli_prepare(ts_arena *arena, const ts_cli_run *request, ts_graph **graph,
                         ts_run_options *options, ts_diags *diags);

#endif
