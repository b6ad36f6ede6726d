/* Optimisers, schedules and the loop over a data set. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "train/internal.h"

ts_train_options ts_train_defaults(void) {
    return (ts_train_options){.epochs = 10,
                              .optimiser = TS_OPTIMISER_ADAM,
                              .rate = 1e-3,
                              .momentum = 0.9,
                              .schedule = TS_SCHEDULE_COSINE,
                              .step_epochs = 10,
                              .step_factor = 0.1,
                              .norm_epochs = UINT32_MAX,
                              .seed = 1,
                              .share = 0.5,
                              .temperature = 2};
}

/* ---- optimisers ---- */

static void step_sgd(ts_param *p, double rate, const ts_train_options *o) {
    float decay = p->decays ? (float)o->decay : 0.0f, momentum = (float)o->momentum,
          r = (float)(rate * p->rate);
    float *v = p->moment[0];
    for (uint64_t i = 0; i < p->count; i++) {
        v[i] = momentum * v[i] + p->gradient[i] + decay * p->value[i];
        p->value[i] -= r * v[i];
    }
}

/* Kingma and Ba 2015, algorithm 1; decay as in Loshchilov and Hutter 2019, algorithm 2. */
static void step_adam(ts_param *p, double rate, const ts_train_options *o, uint64_t step) {
    const double second = 0.999;
    double r = rate * p->rate, k1 = 1 - pow(o->momentum, (double)step), k2 = 1 - pow(second, (double)step);
    float a = (float)o->momentum, b = (float)second, size = (float)(r / k1), root = (float)(1 / sqrt(k2));
    float keep = p->decays ? (float)(1 - r * o->decay) : 1.0f;
    float *m = p->moment[0], *v = p->moment[1];
    for (uint64_t i = 0; i < p->count; i++) {
        float g = p->gradient[i];
        m[i] = a * m[i] + (1.0f - a) * g;
        v[i] = b * v[i] + (1.0f - b) * g * g;
        p->value[i] = keep * p->value[i] - size * m[i] / (sqrtf(v[i]) * root + 1e-8f);
    }
}

void ts_trainer_step(ts_trainer *trainer, const ts_train_options *options, double rate, uint64_t step) {
    for (uint32_t i = 0; i < trainer->params.count; i++) {
        ts_param *p = &trainer->params.data[i];
        if (p->rate <= 0) {
            continue;
        }
        if (options->optimiser == TS_OPTIMISER_SGD) {
            step_sgd(p, rate, options);
        } else {
            step_adam(p, rate, options, step);
        }
    }
}

static double scheduled_rate(const ts_train_options *o, uint32_t epoch, double share) {
    switch (o->schedule) {
        case TS_SCHEDULE_STEP:
            return o->rate * pow(o->step_factor, epoch / (o->step_epochs == 0 ? 1 : o->step_epochs));
        case TS_SCHEDULE_COSINE:
            return o->rate * 0.5 * (1 + cos(3.14159265358979 * share));
        default:
            return o->rate;
    }
}

/* The rate at a share of the whole training, or at an epoch (from 0). */
static double rate_at(const ts_train_options *o, uint32_t epoch, double share) {
    double rate = scheduled_rate(o, epoch, share);
    return share < o->warm_up ? rate * share / o->warm_up : rate;
}

/* ---- samples ---- */

typedef struct feed {
    ts_trainer *t;
    const ts_data *data;
    const ts_train_options *options; /* NULL: no augmentation */
    ts_ftensor input;
    float *room, *picture;
    uint64_t elements;
    int32_t *labels;
} feed;

static feed new_feed(ts_arena *scratch, ts_trainer *t, const ts_data *data, const ts_train_options *options) {
    feed f = {.t = t, .data = data, .options = options};
    f.input = t->graph->tensors.data[t->graph->inputs.data[0]];
    f.elements = ts_ftensor_elements(&f.input);
    f.room = TS_NEW_ARRAY(scratch, float, ts_data_scratch(data));
    f.picture = TS_NEW_ARRAY(scratch, float, f.elements);
    f.labels = TS_NEW_ARRAY(scratch, int32_t, t->batch);
    return f;
}

static uint32_t held(int64_t at, uint32_t size) {
    return (uint32_t)(at < 0 ? 0 : at >= (int64_t)size ? (int64_t)size - 1 : at);
}

/* A channels-last picture, mirrored or moved. */
static void augment(const feed *f, ts_random *random, float *x) {
    const ts_train_options *o = f->options;
    uint32_t h = f->input.dims[1], w = f->input.dims[2], c = f->input.dims[3];
    bool mirrored = o->flip && ts_random_range(random, 0, 1) == 1;
    int64_t down = ts_random_range(random, -(int64_t)o->shift, o->shift),
            right = ts_random_range(random, -(int64_t)o->shift, o->shift);
    memcpy(f->picture, x, f->elements * sizeof *x);
    for (uint32_t y = 0; y < h; y++) {
        uint32_t from_y = held((int64_t)y - down, h);
        for (uint32_t i = 0; i < w; i++) {
            uint32_t from_x = held((int64_t)i - right, w);
            from_x = mirrored ? w - 1 - from_x : from_x;
            memcpy(x + ((size_t)y * w + i) * c, f->picture + ((size_t)from_y * w + from_x) * c,
                   c * sizeof *x);
        }
    }
}

static void load(const feed *f, const uint32_t *order, ts_random *random) {
    float *x = ts_trainer_input(f->t);
    for (uint32_t n = 0; n < f->t->batch; n++, x += f->elements) {
        ts_data_sample(f->data, order[n], &f->input, f->room, x);
        if (f->options != NULL && (f->options->flip || f->options->shift != 0)) {
            augment(f, random, x);
        }
        f->labels[n] = f->data->labels == NULL ? 0 : ts_data_label(f->data, order[n]);
    }
}

/* Fisher and Yates. */
static void shuffle(uint32_t *order, uint32_t count, ts_random *random) {
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
    }
    for (uint32_t i = count; i > 1; i--) {
        uint32_t k = (uint32_t)ts_random_range(random, 0, i - 1), other = order[k];
        order[k] = order[i - 1];
        order[i - 1] = other;
    }
}

/* ---- the loop ---- */

typedef struct loop {
    ts_trainer *t, *teacher;
    feed feed;
    const ts_train_options *options;
    const ts_train_hooks *hooks;
    const ts_progress *progress;
    uint64_t steps; /* done so far */
    uint32_t batches, *order;
} loop;

static void call(void (*hook)(void *, ts_trainer *), const loop *l) {
    if (hook != NULL) {
        hook(l->hooks->object, l->t);
    }
}

static ts_goal find_target(const loop *l) {
    const ts_train_options *o = l->options;
    ts_goal g = {.share = o->share, .temperature = o->temperature};
    if (l->feed.data->labels != NULL) {
        g.labels = l->feed.labels;
    }
    if (l->teacher != NULL) {
        uint32_t count;
        ts_tensor_id id = ts_trainer_logits(l->teacher, &count);
        memcpy(ts_trainer_input(l->teacher), ts_trainer_input(l->t),
               l->feed.elements * l->t->batch * sizeof(float));
        ts_trainer_forward(l->teacher, false);
        g.teacher = ts_trainer_value(l->teacher, id);
    }
    uint32_t outputs;
    (void)ts_trainer_logits(l->t, &outputs);
    if (g.labels == NULL && (g.teacher == NULL || outputs == l->feed.elements)) {
        g.values = g.teacher == NULL ? ts_trainer_input(l->t) : g.teacher; /* an autoencoder has no classes */
        g.teacher = NULL;
    }
    return g;
}

static void run_batch(loop *l, uint32_t epoch, uint32_t batch, ts_random *random, double *loss,
                      uint32_t *right) {
    static const ts_train_hooks none = {0};
    const ts_train_hooks *hooks = l->hooks == NULL ? &none : l->hooks;
    double share = ((double)l->steps + (l->options->warm_up > 0)) / ((double)l->batches * l->options->epochs);
    uint32_t hits;
    load(&l->feed, l->order + (size_t)batch * l->t->batch, random);
    ts_goal target = find_target(l);
    call(hooks->project, l);
    ts_trainer_forward(l->t, true);
    *loss += ts_trainer_loss(l->t, &target, &hits);
    *right += hits;
    ts_trainer_backward(l->t);
    call(hooks->pull_back, l);
    ts_trainer_step(l->t, l->options, rate_at(l->options, epoch, share), ++l->steps);
    call(hooks->stepped, l);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One epoch; its order and augmentation depend on the seed and its number alone, so that it can be resumed.
 */
static ts_epoch run_epoch(loop *l, uint32_t epoch) {
    ts_random random = ts_random_seed(l->options->seed * 1000003u + epoch);
    double loss = 0, start = seconds();
    uint32_t right = 0;
    if (epoch >= l->options->norm_epochs) {
        ts_trainer_freeze_norms(l->t, true);
    }
    shuffle(l->order, l->feed.data->count, &random);
    for (uint32_t b = 0; b < l->batches; b++) {
        run_batch(l, epoch, b, &random, &loss, &right);
        if (l->progress != NULL && l->progress->report != NULL) {
            l->progress->report(l->progress->object, b + 1, l->batches);
        }
    }
    if (l->hooks != NULL && l->hooks->epoch != NULL) {
        l->hooks->epoch(l->hooks->object, l->t, epoch + 1);
    }
    return (ts_epoch){.epoch = epoch + 1,
                      .loss = loss / l->batches,
                      .rate = rate_at(l->options, epoch, (double)l->steps / l->batches / l->options->epochs),
                      .seconds = seconds() - start,
                      .right = (double)right / ((double)l->batches * l->t->batch)};
}

/* What a checkpoint belongs to: all that changes the course of the training. FNV-1a. */
static uint64_t stamp_of(const loop *l) {
    const ts_train_options *o = l->options;
    double numbers[] = {o->warm_up,         o->epochs,      o->optimiser,   o->rate,
                        o->momentum,        o->decay,       o->schedule,    o->flip,
                        o->shift,           o->share,       o->temperature, (double)o->seed,
                        o->step_epochs,     o->step_factor, l->t->batch,    l->feed.data->count,
                        l->teacher != NULL, o->norm_epochs};
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < sizeof numbers; i++) {
        hash = (hash ^ ((const unsigned char *)numbers)[i]) * 1099511628211u;
    }
    for (uint32_t i = 0; i < l->t->params.count; i++) {
        hash = (hash ^ l->t->params.data[i].count) * 1099511628211u;
    }
    return hash;
}

ts_status ts__check_labels(const ts_data *data, uint32_t outputs, ts_diags *diags) {
    for (uint32_t i = 0; data->labels != NULL && i < data->count; i++) {
        if ((uint32_t)ts_data_label(data, i) >= outputs) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                            "sample %u has label %d but the network has %u outputs", i,
                            ts_data_label(data, i), outputs);
        }
    }
    return TS_OK;
}

static ts_status check_data(const loop *l, ts_diags *diags) {
    const ts_data *d = l->feed.data;
    uint32_t outputs;
    ts_trainer_logits(l->t, &outputs);
    TS_TRY(ts_data_check(d, &l->feed.input, diags));
    if (d->count < l->t->batch) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "%u samples do not fill one batch of %u", d->count,
                        l->t->batch);
    }
    TS_TRY(ts__check_labels(d, outputs, diags));
    if (d->labels == NULL && l->teacher == NULL && outputs != l->feed.elements) {
        return ts_error(
            diags, TS_DIAG_USAGE, NULL, NULL,
            "the samples have no labels and the network is no autoencoder: there is nothing to learn");
    }
    bool picture = l->feed.input.rank == 4 && l->feed.input.layout == TS_LAYOUT_CHANNELS_LAST;
    if ((l->options->flip || l->options->shift != 0) && !picture) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                        "the network's input is no picture to flip or shift");
    }
    return TS_OK;
}

static ts_status run_epochs(loop *l, const ts_train_log *log, ts_diags *diags) {
    const ts_train_options *o = l->options;
    uint32_t first = 0;
    if (o->checkpoint != NULL && o->resume) {
        TS_TRY(ts__checkpoint_read(l->t, o->checkpoint, stamp_of(l), &first, &l->steps, diags));
    }
    if (first == 0 && l->hooks != NULL) {
        call(l->hooks->start, l);
    }
    for (uint32_t e = first; e < o->epochs; e++) {
        ts_epoch done = run_epoch(l, e);
        if (!isfinite(done.loss)) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                            "the loss of epoch %u is no number any more; a smaller learning rate may help",
                            e + 1);
        }
        if (o->checkpoint != NULL) {
            TS_TRY(ts__checkpoint_write(l->t, o->checkpoint, stamp_of(l), e + 1, l->steps, diags));
        }
        if (log != NULL && log->report != NULL) {
            log->report(log->object, &done);
        }
    }
    return TS_OK;
}

ts_status ts_train(ts_trainer *trainer, const ts_data *data, const ts_train_options *options,
                   const ts_train_hooks *hooks, const ts_progress *progress, const ts_train_log *log,
                   ts_diags *diags) {
    ts_arena *scratch = ts_arena_new("training", 0);
    ts_guard_defer((void (*)(void *))ts_arena_free, scratch);
    loop l = {.t = trainer, .options = options, .hooks = hooks, .progress = progress};
    l.feed = new_feed(scratch, trainer, data, options);
    l.batches = data->count / trainer->batch;
    l.order = TS_NEW_ARRAY(scratch, uint32_t, data->count);
    ts_status status = TS_OK;
    if (options->teacher != NULL) {
        status = ts_trainer_new(scratch, options->teacher, trainer->batch, &l.teacher, diags);
    }
    status = status == TS_OK ? check_data(&l, diags) : status;
    status = status == TS_OK ? run_epochs(&l, log, diags) : status;
    ts_trainer_free(l.teacher);
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    return status;
}

ts_status ts_trainer_gradients(ts_trainer *trainer, const ts_data *data, uint32_t batches, ts_diags *diags) {
    TS_TRY(ts_data_check(data, &trainer->graph->tensors.data[trainer->graph->inputs.data[0]], diags));
    if (data->labels == NULL || data->count < trainer->batch) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "labelled samples for a batch of %u are needed",
                        trainer->batch);
    }
    ts_arena *scratch = ts_arena_new("gradients", 0);
    feed f = new_feed(scratch, trainer, data, NULL);
    uint32_t *order = TS_NEW_ARRAY(scratch, uint32_t, trainer->batch), count = trainer->params.count;
    float **sums = TS_NEW_ARRAY(scratch, float *, count);
    for (uint32_t i = 0; i < count; i++) {
        sums[i] = TS_NEW_ARRAY(scratch, float, trainer->params.data[i].count);
    }
    for (uint32_t b = 0; b < batches && (b + 1) * trainer->batch <= data->count; b++) {
        for (uint32_t n = 0; n < trainer->batch; n++) {
            order[n] = b * trainer->batch + n;
        }
        load(&f, order, NULL);
        ts_trainer_forward(trainer, false);
        ts_trainer_loss(trainer, &(ts_goal){.labels = f.labels}, NULL);
        ts_trainer_backward(trainer);
        for (uint32_t i = 0; i < count; i++) {
            for (uint64_t k = 0; k < trainer->params.data[i].count; k++) {
                sums[i][k] += trainer->params.data[i].gradient[k];
            }
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        memcpy(trainer->params.data[i].gradient, sums[i], trainer->params.data[i].count * sizeof(float));
    }
    ts_arena_free(scratch);
    return TS_OK;
}

static uint32_t largest(const float *y, uint32_t count) {
    uint32_t top = 0;
    for (uint32_t i = 1; i < count; i++) {
        top = y[i] > y[top] ? i : top;
    }
    return top;
}

ts_status ts_trainer_outputs(ts_trainer *trainer, const ts_data *data, uint32_t count, float *out,
                             ts_diags *diags) {
    uint32_t outputs;
    ts_tensor_id id = ts_trainer_logits(trainer, &outputs);
    TS_TRY(ts_data_check(data, &trainer->graph->tensors.data[trainer->graph->inputs.data[0]], diags));
    ts_arena *scratch = ts_arena_new("outputs", 0);
    feed f = new_feed(scratch, trainer, data, NULL);
    uint32_t *order = TS_NEW_ARRAY(scratch, uint32_t, trainer->batch);
    for (uint32_t first = 0; first < count; first += trainer->batch) {
        uint32_t here = count - first < trainer->batch ? count - first : trainer->batch;
        for (uint32_t n = 0; n < trainer->batch; n++) {
            order[n] = n < here ? first + n : first; /* the last batch is filled up */
        }
        load(&f, order, NULL);
        ts_trainer_forward(trainer, false);
        memcpy(out + (size_t)first * outputs, ts_trainer_value(trainer, id),
               (size_t)here * outputs * sizeof *out);
    }
    ts_arena_free(scratch);
    return TS_OK;
}

ts_status ts_trainer_accuracy(ts_trainer *trainer, const ts_data *data, const ts_train_hooks *hooks,
                              double *out, ts_diags *diags) {
    uint32_t outputs, right = 0;
    (void)ts_trainer_logits(trainer, &outputs);
    if (data->labels == NULL || data->count == 0) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "samples with labels are needed");
    }
    ts_arena *scratch = ts_arena_new("accuracy", 0);
    float *y = TS_NEW_ARRAY(scratch, float, (uint64_t)data->count *outputs);
    if (hooks != NULL && hooks->project != NULL) {
        hooks->project(hooks->object, trainer);
    }
    ts_status status = ts_trainer_outputs(trainer, data, data->count, y, diags);
    for (uint32_t n = 0; status == TS_OK && n < data->count; n++) {
        right += largest(y + (size_t)n * outputs, outputs) == (uint32_t)ts_data_label(data, n);
    }
    ts_arena_free(scratch);
    *out = (double)right / data->count;
    return status;
}
