/* Batch normalisation over the last dimension, by the batch's statistics or by frozen ones. */
#include <math.h>
#include <string.h>

#include "train/internal.h"

/* Share of the new statistics in the running ones. */
#define MOMENTUM 0.1f

/* Sums over all rows, by channel: of a, and of a * (b - mean) where b is given, else of squares. Rows are
 * summed in floats by blocks, and blocks in doubles. */
static void channel_sums(const float *a, const float *b, const float *mean, uint64_t rows, uint32_t channels,
                         double *sums) {
    memset(sums, 0, 2 * (uint64_t)channels * sizeof *sums);
    for (uint64_t r = 0; r < rows; r++) {
        const float *x = a + r * channels, *y = b == NULL ? NULL : b + r * channels;
        if (y == NULL) {
            for (uint32_t c = 0; c < channels; c++) {
                double v = (double)x[c];
                sums[c] += v;
                sums[channels + c] += v * v;
            }
        } else {
            for (uint32_t c = 0; c < channels; c++) {
                sums[c] += (double)x[c];
                sums[channels + c] += (double)x[c] * (double)(y[c] - mean[c]);
            }
        }
    }
}

static void find_statistics(const ts__step *s) {
    ts__memory *m = s->memory;
    uint32_t channels = ts__channels(s->out);
    double rows = (double)ts__rows(s);
    channel_sums(s->x[0]->data, NULL, NULL, ts__rows(s), channels, m->sums);
    for (uint32_t c = 0; c < channels; c++) {
        double mean = m->sums[c] / rows, variance = fmax(m->sums[channels + c] / rows - mean * mean, 0);
        double unbiased = rows > 1 ? variance * rows / (rows - 1) : variance;
        m->mean[c] = (float)mean;
        m->deviation[c] = (float)(1 / sqrt(variance + (double)s->node->epsilon));
        m->statistics[0][c] += MOMENTUM * ((float)mean - m->statistics[0][c]);
        m->statistics[1][c] += MOMENTUM * ((float)unbiased - m->statistics[1][c]);
    }
}

void ts__norm_forward(const ts__step *s) {
    ts__memory *m = s->memory;
    uint32_t channels = ts__channels(s->out);
    m->by_batch = s->training && !s->t->frozen_norms;
    if (m->by_batch) {
        find_statistics(s);
    }
    for (uint32_t c = 0; c < channels && !m->by_batch; c++) {
        m->mean[c] = m->statistics[0][c];
        m->deviation[c] = 1.0f / sqrtf(m->statistics[1][c] + s->node->epsilon);
    }
    const float *gain = s->x[1]->data, *shift = s->x[2]->data;
    for (uint64_t r = 0; r < ts__rows(s); r++) {
        const float *x = s->x[0]->data + r * channels;
        float *y = s->y->data + r * channels;
        for (uint32_t c = 0; c < channels; c++) {
            y[c] = (x[c] - m->mean[c]) * m->deviation[c] * gain[c] + shift[c];
        }
    }
}

/* By the batch's statistics the mean and the projection on the normalised input fall out of the gradient
 * (Ioffe and Szegedy 2015, section 3). */
static void input_gradient(const ts__step *s, float *dx) {
    const ts__memory *m = s->memory;
    uint32_t channels = ts__channels(s->out);
    double rows = (double)ts__rows(s);
    const float *gain = s->x[1]->data;
    for (uint64_t r = 0; r < ts__rows(s); r++) {
        const float *x = s->x[0]->data + r * channels, *dy = s->y->gradient + r * channels;
        float *to = dx + r * channels;
        for (uint32_t c = 0; c < channels; c++) {
            float v = dy[c];
            if (m->by_batch) {
                float d = m->deviation[c];
                v -= (float)(m->sums[c] / rows) +
                     (x[c] - m->mean[c]) * d * d * (float)(m->sums[channels + c] / rows);
            }
            to[c] = v * gain[c] * m->deviation[c];
        }
    }
}

void ts__norm_backward(const ts__step *s) {
    ts__memory *m = s->memory;
    uint32_t channels = ts__channels(s->out);
    channel_sums(s->y->gradient, s->x[0]->data, m->mean, ts__rows(s), channels, m->sums);
    float *dgain = ts__gradient_room(s, 1);
    for (uint32_t c = 0; c < channels; c++) {
        dgain[c] = (float)(m->sums[channels + c] * (double)m->deviation[c]);
    }
    ts__give_gradient(s, 1, dgain);
    float *dshift = ts__gradient_room(s, 2);
    for (uint32_t c = 0; c < channels; c++) {
        dshift[c] = (float)m->sums[c];
    }
    ts__give_gradient(s, 2, dshift);
    float *dx = ts__gradient_room(s, 0);
    if (dx != NULL) {
        input_gradient(s, dx);
        ts__give_gradient(s, 0, dx);
    }
}
