#include "cli/train_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/options.h"

enum {
    OPTION_EPOCHS = 768,
    OPTION_BATCH,
    OPTION_RATE,
    OPTION_OPTIMISER,
    OPTION_MOMENTUM,
    OPTION_DECAY,
    OPTION_SCHEDULE,
    OPTION_FLIP,
    OPTION_SHIFT,
    OPTION_NORM_EPOCHS,
    OPTION_CHECKPOINT,
    OPTION_RESUME,
    OPTION_THREADS,
};

static const struct argp_option options[] = {
    {"epochs", OPTION_EPOCHS, "N", 0, "Times that training sees every sample", 0},
    {"batch", OPTION_BATCH, "N", 0, "Samples a step (32)", 0},
    {"rate", OPTION_RATE, "R", 0,
     "Learning rate at the start (0.001; fine-tuning 0.0001 to 0.001 by the bits)", 0},
    {"optimiser", OPTION_OPTIMISER, "adam|sgd", 0, "(adam)", 0},
    {"momentum", OPTION_MOMENTUM, "M", 0, "Of SGD, or of Adam's first moment (0.9)", 0},
    {"decay", OPTION_DECAY, "D", 0, "Weight decay (0)", 0},
    {"schedule", OPTION_SCHEDULE, "cosine|constant|step:N:F", 0,
     "How the rate goes on: to 0 along a cosine, or times F every N epochs (cosine)", 0},
    {"flip", OPTION_FLIP, NULL, 0, "Mirror pictures at random", 0},
    {"shift", OPTION_SHIFT, "N", 0, "Move pictures by up to N rows and columns", 0},
    {"norm-epochs", OPTION_NORM_EPOCHS, "N", 0,
     "Batch norms follow the batch for N epochs, then keep their statistics (all; fine-tuning 0)", 0},
    {"checkpoint", OPTION_CHECKPOINT, "FILE", 0, "Write FILE after each epoch", 0},
    {"resume", OPTION_RESUME, NULL, 0, "Go on from the checkpoint, if it is there", 0},
    {"threads", OPTION_THREADS, "N", 0, "More than one are faster but give other bits (1)", 0},
    {0},
};

ts_cli_train ts_cli_train_defaults(void) {
    return (ts_cli_train){.train = ts_train_defaults(), .batch = 32, .threads = 1};
}

static bool parse_count(const char *text, uint32_t *out) { return ts_cli_parse_count(text, 1000000, out); }

static bool parse_real(const char *text, double *out, double high) {
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= 0 && *out <= high;
}

static bool parse_schedule(const char *text, ts_train_options *o) {
    char end;
    if (sscanf(text, "step:%u:%lf%c", &o->step_epochs, &o->step_factor, &end) == 2) {
        o->schedule = TS_SCHEDULE_STEP;
        return o->step_epochs > 0 && o->step_factor > 0;
    }
    o->schedule = strcmp(text, "cosine") == 0 ? TS_SCHEDULE_COSINE : TS_SCHEDULE_CONSTANT;
    return o->schedule == TS_SCHEDULE_COSINE || strcmp(text, "constant") == 0;
}

static bool parse_optimiser(const char *text, ts_train_options *o) {
    o->optimiser = strcmp(text, "sgd") == 0 ? TS_OPTIMISER_SGD : TS_OPTIMISER_ADAM;
    return o->optimiser == TS_OPTIMISER_SGD || strcmp(text, "adam") == 0;
}

static bool parse_value(int key, const char *text, ts_cli_train *r, bool *known) {
    ts_train_options *o = &r->train;
    switch (key) {
        case OPTION_EPOCHS:
            return parse_count(text, &o->epochs);
        case OPTION_BATCH:
            return parse_count(text, &r->batch);
        case OPTION_RATE:
            return parse_real(text, &o->rate, 1e6) && o->rate > 0;
        case OPTION_OPTIMISER:
            return parse_optimiser(text, o);
        case OPTION_MOMENTUM:
            return parse_real(text, &o->momentum, 0.9999);
        case OPTION_DECAY:
            return parse_real(text, &o->decay, 1e6);
        case OPTION_SCHEDULE:
            return parse_schedule(text, o);
        case OPTION_FLIP:
            return o->flip = true;
        case OPTION_SHIFT:
            return parse_count(text, &o->shift);
        case OPTION_NORM_EPOCHS:
            o->norm_epochs = 0;
            return strcmp(text, "0") == 0 || parse_count(text, &o->norm_epochs);
        case OPTION_CHECKPOINT:
            o->checkpoint = text;
            return true;
        case OPTION_RESUME:
            return o->resume = true;
        case OPTION_THREADS:
            return parse_count(text, &r->threads);
        default:
            *known = false;
            return true;
    }
}

static error_t parse(int key, char *text, struct argp_state *state) {
    ts_cli_train *r = state->input;
    bool known = true;
    if (!parse_value(key, text, r, &known)) {
        argp_error(state, "'%s' is not what this option takes; see --help", text);
    }
    r->given = r->given || known;
    return known ? 0 : ARGP_ERR_UNKNOWN;
}

const struct argp ts_cli_train_argp = {.options = options, .parser = parse};

void ts_cli_print_epoch(void *unused, const ts_epoch *epoch) {
    (void)unused;
    printf("epoch %u: loss %.4f, %.2f %% right, rate %.2g, %.1f s\n", epoch->epoch, epoch->loss,
           100 * epoch->right, epoch->rate, epoch->seconds);
    fflush(stdout);
}
