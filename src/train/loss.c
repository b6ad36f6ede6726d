#include <math.h>

#include "train/internal.h"

/* softmax(x / t) into p; returns the logarithm of the sum, so that log p = x / t - *log_sum. */
static double soft(const float *x, uint32_t count, double t, double *p) {
    double top = -INFINITY, sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        top = fmax(top, (double)x[i] / t);
    }
    for (uint32_t i = 0; i < count; i++) {
        sum += p[i] = exp((double)x[i] / t - top);
    }
    for (uint32_t i = 0; i < count; i++) {
        p[i] /= sum;
    }
    return log(sum) + top;
}

/* Adds share / batch of a sample's loss to its gradient. */
static double cross_entropy(const float *y, uint32_t count, int32_t label, double part, double *p,
                            float *dy) {
    double log_sum = soft(y, count, 1, p);
    for (uint32_t i = 0; i < count; i++) {
        dy[i] += (float)(part * (p[i] - (i == (uint32_t)label ? 1 : 0)));
    }
    return part * (log_sum - (double)y[label]);
}

static double divergence(const float *y, const float *teacher, uint32_t count, double t, double part,
                         double *p, double *q, float *dy) {
    double log_p = soft(y, count, t, p), log_q = soft(teacher, count, t, q), loss = 0;
    for (uint32_t i = 0; i < count; i++) {
        loss += q[i] * (((double)teacher[i] - (double)y[i]) / t - log_q + log_p);
        dy[i] += (float)(part * t * (p[i] - q[i]));
    }
    return part * t * t * loss;
}

static uint32_t largest(const float *y, uint32_t count) {
    uint32_t top = 0;
    for (uint32_t i = 1; i < count; i++) {
        top = y[i] > y[top] ? i : top;
    }
    return top;
}

static double sample_loss(const ts_goal *g, uint32_t n, uint32_t batch, const float *y, uint32_t count,
                          double *room, float *dy) {
    double loss = 0, share = g->teacher == NULL ? 0 : g->labels == NULL ? 1 : g->share;
    for (uint32_t i = 0; i < count; i++) {
        dy[i] = 0.0f;
    }
    if (g->labels != NULL && share < 1) {
        loss += cross_entropy(y, count, g->labels[n], (1 - share) / batch, room, dy);
    }
    if (g->teacher != NULL && share > 0) {
        loss += divergence(y, g->teacher + (uint64_t)n * count, count, g->temperature, share / batch, room,
                           room + count, dy);
    }
    for (uint32_t i = 0; g->values != NULL && i < count; i++) {
        double e = (double)y[i] - (double)g->values[(uint64_t)n * count + i], part = 1.0 / batch / count;
        loss += part * e * e;
        dy[i] += (float)(2 * part * e);
    }
    return loss;
}

double ts__goal_loss(const ts_goal *goal, uint32_t samples, const float *y, uint32_t outputs) {
    ts_arena *scratch = ts_arena_new("loss", 0);
    double *room = TS_NEW_ARRAY(scratch, double, 2 * (uint64_t)outputs), loss = 0;
    float *unused = TS_NEW_ARRAY(scratch, float, outputs);
    for (uint32_t n = 0; n < samples; n++) {
        loss += sample_loss(goal, n, samples, y + (uint64_t)n * outputs, outputs, room, unused);
    }
    ts_arena_free(scratch);
    return loss;
}

double ts_trainer_loss(ts_trainer *trainer, const ts_goal *target, uint32_t *right) {
    uint32_t count;
    ts__value *y = &trainer->values[ts_trainer_logits(trainer, &count)];
    ts_arena *scratch = ts_arena_new("loss", 0);
    double *room = TS_NEW_ARRAY(scratch, double, 2 * (uint64_t)count), loss = 0;
    uint32_t hits = 0;
    for (uint32_t n = 0; n < trainer->batch; n++) {
        const float *row = y->data + (uint64_t)n * count;
        hits += target->labels != NULL && largest(row, count) == (uint32_t)target->labels[n];
        loss += sample_loss(target, n, trainer->batch, row, count, room, y->gradient + (uint64_t)n * count);
    }
    ts_arena_free(scratch);
    if (right != NULL) {
        *right = hits;
    }
    return loss;
}
