/* Checkpoints: a head, then every parameter's value and moments and the statistics of all norms, as this host
 * writes numbers. A checkpoint is for going on where it was written, not for exchange. */
#include <inttypes.h>
#include <string.h>

#include "train/internal.h"

#define MAGIC "tessera checkpoint 1\n"

typedef struct head {
    char magic[sizeof MAGIC];
    uint32_t epoch;
    uint64_t stamp, step, floats;
} head;

/* Visits all numbers in one order: copies them to `out`, or from `in` where that is given. Returns the count.
 */
static uint64_t visit(const ts_trainer *t, float *out, const float *in) {
    uint64_t at = 0;
#define VISIT(data, count)                                           \
    do {                                                             \
        if (in != NULL) {                                            \
            memcpy((data), in + at, (size_t)(count) * sizeof *in);   \
        } else if (out != NULL) {                                    \
            memcpy(out + at, (data), (size_t)(count) * sizeof *out); \
        }                                                            \
        at += (count);                                               \
    } while (0)
    for (uint32_t i = 0; i < t->params.count; i++) {
        const ts_param *p = &t->params.data[i];
        VISIT(p->value, p->count);
        VISIT(p->moment[0], p->count);
        VISIT(p->moment[1], p->count);
    }
    for (ts_node_id i = 0; i < t->graph->nodes.count; i++) {
        const ts__memory *m = &t->memories[i];
        uint64_t channels = ts__channels(&t->graph->tensors.data[t->graph->nodes.data[i].output]);
        for (uint32_t k = 0; k < 2 && m->statistics[0] != NULL; k++) {
            VISIT(m->statistics[k], channels);
        }
    }
#undef VISIT
    return at;
}

ts_status ts__checkpoint_write(const ts_trainer *t, const char *path, uint64_t stamp, uint32_t epoch,
                               uint64_t step, ts_diags *diags) {
    ts_arena *scratch = ts_arena_new("checkpoint", 0);
    head h = {.magic = MAGIC, .epoch = epoch, .stamp = stamp, .step = step, .floats = visit(t, NULL, NULL)};
    size_t size = sizeof h + h.floats * sizeof(float);
    char *file = ts_arena_alloc(scratch, size);
    memcpy(file, &h, sizeof h);
    visit(t, (float *)(void *)(file + sizeof h), NULL);
    ts_status status = ts_file_write(path, file, size, diags);
    ts_arena_free(scratch);
    return status;
}

ts_status ts__checkpoint_read(ts_trainer *t, const char *path, uint64_t stamp, uint32_t *epoch,
                              uint64_t *step, ts_diags *diags) {
    *epoch = 0;
    *step = 0;
    if (!ts_file_exists(path)) {
        return TS_OK;
    }
    ts_arena *scratch = ts_arena_new("checkpoint", 0);
    ts_bytes file;
    head h;
    uint64_t floats = visit(t, NULL, NULL);
    ts_status status = ts_file_read(scratch, path, sizeof h + floats * sizeof(float), &file, diags);
    bool whole = status == TS_OK && file.size == sizeof h + floats * sizeof(float);
    if (whole) {
        memcpy(&h, file.data, sizeof h);
        whole = memcmp(h.magic, MAGIC, sizeof h.magic) == 0 && h.stamp == stamp && h.floats == floats;
    }
    if (whole) {
        *epoch = h.epoch;
        *step = h.step;
        visit(t, NULL, (const float *)(const void *)(file.data + sizeof h));
    }
    ts_arena_free(scratch);
    return whole
               ? TS_OK
               : ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                          "%s is not a checkpoint of this network with these options and data; remove it or "
                          "choose another file",
                          path);
}
