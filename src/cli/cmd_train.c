/* tessera train: float training of a generated or imported network. */
#include <argp.h>
#include <string.h>

#include "base/text.h"
#include "cli/cmd.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "cli/train_options.h"
#include "model/float_model.h"
#include "num/float.h"

enum { OPTION_DATA = 256, OPTION_KEEP, OPTION_FREEZE };

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Write the trained network as ONNX", 0},
    {"data", OPTION_DATA, "DATA", 0, "Samples to train on", 0},
    {"keep-weights", OPTION_KEEP, NULL, 0, "Start from the file's weights, not from seeded ones", 0},
    {"freeze-norms", OPTION_FREEZE, NULL, 0, "Batch norms keep the file's statistics", 0},
    {0},
};

typedef struct request {
    const char *model, *data, *output;
    ts_cli_samples samples;
    ts_cli_train train;
    bool keep;
} request;

static bool parse_value(int key, char *text, void *object, bool *known) {
    request *r = object;
    switch (key) {
        case 'o':
            r->output = text;
            return true;
        case OPTION_DATA:
            r->data = text;
            return true;
        case OPTION_KEEP:
            return r->keep = true;
        case OPTION_FREEZE:
            r->train.train.norm_epochs = 0;
            return true;
        default:
            *known = false;
            return true;
    }
}

static error_t parse(int key, char *text, struct argp_state *state) {
    request *r = state->input;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = &r->train;
        state->child_inputs[1] = &r->samples;
        return 0;
    }
    if (key == ARGP_KEY_ARG) {
        return ts_cli_model(text, state, &r->model);
    }
    if (key == ARGP_KEY_END && (r->model == NULL || r->data == NULL)) {
        argp_error(state, "a model and --data are needed");
    }
    return ts_cli_option(key, text, state, parse_value);
}

static ts_status judge(ts_arena *arena, const char *when, const ts_fgraph *graph, const ts_data *data,
                       ts_diags *diags) {
    ts_score score;
    ts_progress progress = {ts_cli_progress, (void *)(uintptr_t)when};
    TS_TRY(ts_evaluate_float(arena, graph, data, &progress, &score, diags));
    printf("%s: %u samples", when, score.count);
    if (score.has_classes) {
        printf(", top-1 %.2f %%", 100 * score.top1);
    }
    if (score.has_error) {
        printf(", mean square error %.6g", score.mean_square);
    }
    printf("\n");
    fflush(stdout);
    return TS_OK;
}

static uint64_t count_numbers(ts_trainer *trainer) {
    uint32_t count;
    uint64_t numbers = 0;
    const ts_param *params = ts_trainer_params(trainer, &count);
    for (uint32_t i = 0; i < count; i++) {
        numbers += params[i].count;
    }
    return numbers;
}

static ts_status run_training(ts_arena *arena, const request *r, ts_trainer *trainer, const ts_data *data,
                              const ts_data *held_out, ts_diags *diags) {
    ts_progress progress = {ts_cli_progress, (void *)(uintptr_t) "training"};
    ts_train_log log = {.report = ts_cli_print_epoch};
    if (!r->keep) {
        ts_trainer_initialise(trainer, r->train.train.seed);
    }
    printf("%llu numbers to train on %u samples\n", (unsigned long long)count_numbers(trainer), data->count);
    TS_TRY(ts_train(trainer, data, &r->train.train, NULL, &progress, &log, diags));
    const ts_fgraph *trained = ts_trainer_export(trainer, arena, false);
    if (held_out != NULL) {
        TS_TRY(judge(arena, "after", trained, held_out, diags));
    }
    return r->output == NULL ? TS_OK : ts_float_model_write(trained, r->output, diags);
}

static ts_status train(ts_arena *arena, const request *r, ts_diags *diags) {
    ts_fgraph *graph;
    ts_data data, held_out;
    ts_trainer *trainer;
    TS_TRY(ts_cli_may_write_onnx(r->output, diags));
    TS_TRY(ts_cli_read_float(arena, r->model, &graph, diags));
    ts_fgraph_fold(graph);
    TS_TRY(ts_data_read(arena, r->data, &r->samples.given, &data, diags));
    if (r->samples.eval != NULL) {
        TS_TRY(ts_data_read(arena, r->samples.eval, &r->samples.measured, &held_out, diags));
        if (r->keep) {
            TS_TRY(judge(arena, "before", graph, &held_out, diags));
        }
    }
    ts_train_threads(r->train.threads);
    TS_TRY(ts_trainer_new(arena, graph, r->train.batch, &trainer, diags));
    ts_status status =
        run_training(arena, r, trainer, &data, r->samples.eval == NULL ? NULL : &held_out, diags);
    ts_trainer_free(trainer);
    return status;
}

int ts_cmd_train(int argc, char **argv) {
    static const struct argp_child children[] = {{&ts_cli_train_argp, 0, "Training:", 1},
                                                 {&ts_cli_samples_argp, 0, "Samples:", 0},
                                                 {&ts_cli_terminal_argp, 0, NULL, 0},
                                                 {0}};
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .children = children,
        .args_doc = "MODEL --data DATA -o FILE",
        .doc =
            "Train a float network: an architecture that 'generate' made, or any ONNX file that can be "
            "trained.",
    };
    request r = {.train = ts_cli_train_defaults(), .samples = ts_cli_samples_defaults()};
    argp_err_exit_status = TS_BAD_INPUT;
    if (argp_parse(&parser, argc, argv, 0, NULL, &r) != 0) {
        return TS_BAD_INPUT;
    }
    r.train.train.seed = r.samples.given.seed;
    ts_arena *arena = ts_arena_new("train", 0);
    ts_diags diags = {.arena = arena, .file = r.model};
    int status = ts_cli_finish(&diags, train(arena, &r, &diags));
    ts_arena_free(arena);
    return status;
}
