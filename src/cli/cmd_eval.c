/* tessera eval: how good a network is on labelled data, here or on the simulated chip. */
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/cmd.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "run/evaluate_target.h"

enum {
    OPTION_ROOT = 256,
    OPTION_LIMIT,
    OPTION_SEED,
    OPTION_JSON,
    OPTION_SCALE,
    OPTION_CONFUSION,
    OPTION_FLOAT
};

static const struct argp_option options[] = {
    {"data", 'd', "DATA", 0, "Samples and labels: a description (*.json), an array or pictures", 0},
    {"target", 't', "NAME|FILE", 0,
     "Compute on the program for this target (those of 'run'), compared with the integer reference on every "
     "sample",
     0},
    {"root", OPTION_ROOT, "DIR", 0, "Folder that paths in the description start from", 0},
    {"limit", OPTION_LIMIT, "N", 0, "A seeded subset of N samples", 0},
    {"seed", OPTION_SEED, "N", 0, "Another subset (1)", 0},
    {"input-scale", OPTION_SCALE, "X", 0, "Step of an integer model's input where the model does not say it",
     0},
    {"allow-float", OPTION_FLOAT, NULL, 0, "Operators between quantised ones may be computed in floats", 0},
    {"confusion", OPTION_CONFUSION, NULL, 0, "Print which label became which class", 0},
    {"json", OPTION_JSON, "FILE", 0, "Write the figures for programs", 0},
    {0},
};

typedef struct request {
    const char *model, *data, *json, *target;
    ts_data_options subset;
    double input_scale;
    bool confusion, allow_float;
} request;

static error_t parse(int key, char *text, struct argp_state *state) {
    request *r = state->input;
    bool good = true;
    switch (key) {
        case 'd':
            r->data = text;
            break;
        case 't':
            r->target = text;
            break;
        case OPTION_ROOT:
            r->subset.root = text;
            break;
        case OPTION_LIMIT:
            good = ts_cli_parse_count(text, UINT32_MAX, &r->subset.limit);
            break;
        case OPTION_SEED:
            good = ts_parse_u64(text, &r->subset.seed);
            break;
        case OPTION_SCALE:
            r->input_scale = strtod(text, NULL);
            good = r->input_scale > 0;
            break;
        case OPTION_CONFUSION:
            r->confusion = true;
            break;
        case OPTION_FLOAT:
            r->allow_float = true;
            break;
        case OPTION_JSON:
            r->json = text;
            break;
        case ARGP_KEY_ARG:
            return ts_cli_model(text, state, &r->model);
        case ARGP_KEY_END:
            if (r->model == NULL || r->data == NULL) {
                argp_error(state, "a model and --data are needed");
            }
            break;
        default:
            return ARGP_ERR_UNKNOWN;
    }
    if (!good) {
        argp_error(state, "'%s' is not a positive number", text);
    }
    return 0;
}

/* As many predicted classes side by side as the terminal has room for, block below block. */
static void print_confusion(const ts_score *s) {
    enum { LABEL = 5, CELL = 7 };
    ts_screen screen = ts_cli_screen(stdout);
    uint32_t room = screen.width > LABEL + CELL ? (screen.width - LABEL) / CELL : 1;
    uint32_t block = screen.width == 0 ? s->classes : room;
    for (uint32_t first = 0, end; first < s->classes; first = end) {
        end = s->classes - first > block ? first + block : s->classes;
        printf("%s%slabel", first > 0 ? "\n" : "", ts_style_begin(screen, TS_STYLE_HEADING));
        for (uint32_t c = first; c < end; c++) {
            printf(" %6u", c);
        }
        printf("%s\n", ts_style_end(screen, TS_STYLE_HEADING));
        for (uint32_t l = 0; l < s->classes; l++) {
            printf("%5u", l);
            for (uint32_t c = first; c < end; c++) {
                ts_style style = c == l ? TS_STYLE_GOOD : TS_STYLE_PLAIN;
                printf(" %s%6u%s", ts_style_begin(screen, style), s->confusion[(size_t)l * s->classes + c],
                       ts_style_end(screen, style));
            }
            printf("\n");
        }
    }
}

/* `estimated`: QEMU knows no cycles, they come from the classes of the instructions. */
static void print_chip(const request *r, const ts_target_use *c, bool estimated) {
    printf("%s: every layer equal to the integer reference on %u samples", r->target, c->samples);
    if (c->cycles != 0) {
        printf(", %" PRIu64 " cycles a sample (%" PRIu64 " to %" PRIu64 "%s)", c->cycles / c->samples,
               c->least_cycles, c->most_cycles, estimated ? "; an estimate by class of instruction" : "");
    }
    printf("\n");
}

static void print_score(const request *r, const char *kind, const ts_score *s) {
    printf("%s: %s, %u samples", r->model, kind, s->count);
    if (s->has_classes) {
        printf(", top-1 %.2f %%", 100 * s->top1);
    }
    if (s->has_classes && s->classes > 5) {
        printf(", top-5 %.2f %%", 100 * s->top5);
    }
    if (s->has_auc) {
        printf(", AUC %.4f", s->auc);
    }
    if (s->has_error) {
        printf(", mean square error %.6g", s->mean_square);
    }
    printf("\n");
    if (r->confusion && s->has_classes && s->classes <= 32) {
        print_confusion(s);
    }
}

/* `c`: NULL where nothing ran on a target. */
static ts_status write_json(const request *r, const char *kind, const ts_score *s, const ts_target_use *c,
                            ts_diags *diags) {
    json_t *o = json_pack("{s:s, s:s, s:I, s:I}", "model", r->model, "kind", kind, "samples",
                          (json_int_t)s->count, "outputs", (json_int_t)s->outputs);
    if (s->has_classes) {
        json_object_set_new(o, "top1", json_real(s->top1));
        json_object_set_new(o, "top5", json_real(s->top5));
    }
    if (s->has_auc) {
        json_object_set_new(o, "auc", json_real(s->auc));
    }
    if (s->has_error) {
        json_object_set_new(o, "mean_square_error", json_real(s->mean_square));
    }
    if (c != NULL) {
        json_object_set_new(o, "target", json_string(r->target));
        json_object_set_new(o, "verified_samples", json_integer(c->samples));
        json_object_set_new(o, "cycles",
                            c->cycles == 0 ? json_null() : json_real((double)c->cycles / c->samples));
    }
    char *text = json_dumps(o, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    ts_status status = ts_file_write(r->json, text, strlen(text), diags);
    free(text);
    json_decref(o);
    return status;
}

static ts_status evaluate(ts_arena *arena, const request *r, ts_diags *diags) {
    ts_data data;
    ts_evaluation e;
    ts_run_options run = {.jobs = 2, .command = "eval"};
    const ts_model_options reading = {.allow_float = r->allow_float, .input_signed = -1};
    ts_progress progress = {ts_cli_progress, (void *)(uintptr_t) "evaluating"};
    TS_TRY(ts_file_may_write(r->json, diags));
    TS_TRY(ts_data_read(arena, r->data, &r->subset, &data, diags));
    if (r->target != NULL) {
        TS_TRY(ts_run_target(arena, r->target, &run.target, diags));
    }
    TS_TRY(ts_evaluate_file(arena, r->model, &reading, r->target != NULL ? &run : NULL, r->input_scale, &data,
                            &progress, &e, diags));
    const char *kind = e.integer ? "integer" : "float";
    const ts_target_use *use = e.use.samples > 0 ? &e.use : NULL;
    print_score(r, kind, &e.score);
    if (use != NULL) {
        print_chip(r, use, run.target->estimates_cycles);
    }
    return r->json == NULL ? TS_OK : write_json(r, kind, &e.score, use, diags);
}

int ts_cmd_eval(int argc, char **argv) {
    static const struct argp parser = {
        options,
        parse,
        "MODEL --data DATA",
        "Evaluate a float or integer network on labelled data, or what is compiled from it on a target.",
        ts_cli_terminal_children,
        NULL,
        NULL};
    request r = {.subset = {.seed = 1}};
    argp_err_exit_status = TS_BAD_INPUT;
    argp_parse(&parser, argc, argv, 0, NULL, &r);
    ts_arena *arena = ts_arena_new("eval", 0);
    ts_diags diags = {.arena = arena, .file = r.model};
    int status = ts_cli_finish(&diags, evaluate(arena, &r, &diags));
    ts_arena_free(arena);
    return status;
}
