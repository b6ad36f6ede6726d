#include "train/keep.h"

#include <math.h>
#include <string.h>

#include "train/internal.h"

/* Every tenth sample is held, as few enough to lose and enough to judge by. */
static void part_data(ts__keeper *k, const ts_data *data, ts_data *train) {
    enum { SHARE = 10, LEAST = 200, MOST = 2048 };
    k->held = *train = *data;
    if (data->count < LEAST) {
        return;
    }
    uint32_t *held = TS_NEW_ARRAY(k->arena, uint32_t, data->count),
             *rest = TS_NEW_ARRAY(k->arena, uint32_t, data->count);
    k->held.count = train->count = 0;
    for (uint32_t i = 0; i < data->count; i++) {
        if (i % SHARE == 0 && k->held.count < MOST) {
            held[k->held.count++] = data->order[i];
        } else {
            rest[train->count++] = data->order[i];
        }
    }
    k->held.order = held;
    train->order = rest;
}

static ts_status ask_teacher(ts__keeper *k, uint32_t outputs, ts_diags *diags) {
    ts_trainer *teacher;
    if (k->options->teacher == NULL) {
        return TS_OK;
    }
    k->teacher = TS_NEW_ARRAY(k->arena, float, (uint64_t)k->held.count *outputs);
    ts_status status =
        ts_trainer_new(k->arena, k->options->teacher, ts_trainer_batch(k->trainer), &teacher, diags);
    if (status == TS_OK) {
        status = ts_trainer_outputs(teacher, &k->held, k->held.count, k->teacher, diags);
        ts_trainer_free(teacher);
    }
    return status;
}

static void copy_params(const ts__keeper *k, bool back) {
    uint32_t unused;
    ts_param *all = ts_trainer_params(k->trainer, &unused);
    for (uint32_t i = 0; i < k->count; i++) {
        ts_param *own = &all[i], *kept = &all[k->first + i];
        memcpy(back ? own->value : kept->value, back ? kept->value : own->value, own->count * sizeof(float));
    }
    for (uint32_t i = 0, at = k->statistics; i < k->trainer->graph->nodes.count; i++) {
        float *const *own = k->trainer->memories[i].statistics;
        for (uint32_t s = 0; s < 2 && own[0] != NULL; s++, at++) {
            float *kept = all[at].value;
            memcpy(back ? own[s] : kept, back ? kept : own[s], all[at].count * sizeof(float));
        }
    }
}

/* A parameter that nobody moves. */
static uint32_t add_copy(ts_trainer *t, const char *name, uint64_t count, const float *from) {
    uint32_t copy = ts_trainer_add_param(t, name, count, from);
    ts_trainer_params(t, &(uint32_t){0})[copy].rate = 0;
    return copy;
}

static void copy_statistics(ts__keeper *k) {
    const ts_fgraph *g = k->trainer->graph;
    k->statistics = k->trainer->params.count;
    for (uint32_t i = 0; i < g->nodes.count; i++) {
        float *const *own = k->trainer->memories[i].statistics;
        uint32_t channels = ts__channels(&g->tensors.data[g->nodes.data[i].output]);
        for (uint32_t s = 0; s < 2 && own[0] != NULL; s++) {
            (void)add_copy(k->trainer, g->nodes.data[i].name, channels, own[s]);
        }
    }
}

ts_status ts__keeper_new(ts_arena *arena, ts_trainer *trainer, const ts_data *data,
                         const ts_train_options *options, const ts_train_hooks *hooks, ts__keeper *out,
                         ts_data *train, ts_diags *diags) {
    static const float worst[2] = {INFINITY, 0};
    uint32_t outputs;
    *out = (ts__keeper){.trainer = trainer, .arena = arena, .options = options, .hooks = hooks};
    part_data(out, data, train);
    (void)ts_trainer_logits(trainer, &outputs);
    TS_TRY(ts__check_labels(&out->held, outputs, diags));
    const ts_fgraph *graph = ts_trainer_graph(trainer);
    out->autoencoder = outputs == ts_ftensor_elements(&graph->tensors.data[graph->inputs.data[0]]);
    out->outputs = TS_NEW_ARRAY(arena, float, (uint64_t)out->held.count *outputs);
    TS_TRY(ask_teacher(out, outputs, diags));
    const ts_param *all = ts_trainer_params(trainer, &out->count);
    out->first = out->count;
    for (uint32_t i = 0; i < out->count; i++) {
        all = ts_trainer_params(trainer, &(uint32_t){0});
        (void)add_copy(trainer, all[i].name, all[i].count, all[i].value);
    }
    copy_statistics(out);
    out->record = add_copy(trainer, "best epoch", 2, worst);
    return TS_OK;
}

ts_status ts__keeper_judge(ts__keeper *k, uint32_t epoch, ts_diags *diags) {
    uint32_t outputs, count = k->held.count;
    (void)ts_trainer_logits(k->trainer, &outputs);
    ts_goal goal = {
        .teacher = k->teacher, .share = k->options->share, .temperature = k->options->temperature};
    k->hooks->project(k->hooks->object, k->trainer);
    TS_TRY(ts_trainer_outputs(k->trainer, &k->held, count, k->outputs, diags));
    int32_t *labels = NULL;
    if (k->held.labels != NULL) {
        goal.labels = labels = TS_NEW_ARRAY(k->arena, int32_t, count);
        for (uint32_t i = 0; i < count; i++) {
            labels[i] = ts_data_label(&k->held, i);
        }
    }
    if (goal.labels == NULL && k->autoencoder) {
        goal.values = k->teacher;
        goal.teacher = NULL;
    }
    float loss = (float)ts__goal_loss(&goal, count, k->outputs, outputs);
    float *record = ts_trainer_params(k->trainer, &(uint32_t){0})[k->record].value;
    if (loss < record[0] || epoch == 0) {
        record[0] = loss;
        record[1] = (float)epoch;
        copy_params(k, false);
    }
    return TS_OK;
}

void ts__keeper_restore(const ts__keeper *k, uint32_t *epoch) {
    *epoch = (uint32_t)ts_trainer_params(k->trainer, &(uint32_t){0})[k->record].value[1];
    copy_params(k, true);
}
