/* What tests of accuracy share: the peers' data sets by description, and the accuracy of a stage on them. */
#ifndef TS_TESTS_PEERS_H
#define TS_TESTS_PEERS_H

#include <string.h>

#include "harness.h"
#include "quant/quantize.h"

/* Data descriptions, relative to the peers' folder of models. */
#define MNIST(part) \
    "{\"x\": \"mnist/" part "-images-idx3-ubyte.gz\", \"y\": \"mnist/" part "-labels-idx1-ubyte.gz\"}"
#define JPEG_MEAN(part) "{\"x\": \"cifar10-jpeg/" part ".tar.xz\", \"mean\": [125.307, 122.950, 113.865]}"
/* `more`: further keys, with a comma before them. */
#define KWS(more)                                                                                           \
    "{\"x\": \"kws-hello-edge/mfcc_w640_h320_49x10.f32.bin.xz\", \"y\": \"kws-hello-edge/samples_y.csv\", " \
    "\"shape\": [49, 10, 1], \"type\": \"f32\"" more "}"

typedef struct bench {
    ts_arena *arena;
    ts_diags diags;
    const char *models, *folder;
} bench;

static inline void demand(bench *b, ts_status status) {
    for (uint32_t i = 0; status != TS_OK && i < b->diags.list.count; i++) {
        ts_diag_print(stdout, &b->diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
}

static inline ts_data read_data(bench *b, const char *description, uint32_t limit) {
    ts_data data;
    ts_data_options options = {.root = b->models, .limit = limit, .seed = 1};
    const char *path = ts_path_join(b->arena, b->folder, "set.json");
    demand(b, ts_file_write(path, description, strlen(description), &b->diags));
    demand(b, ts_data_read(b->arena, path, &options, &data, &b->diags));
    return data;
}

/* Top-1 of stage FP, FQ or QD, in percent. */
static inline double float_stage(bench *b, const ts_qnet *net, const ts_quant *quant, ts_quant_stage stage,
                                 const ts_data *data) {
    ts_fgraph *graph;
    ts_score score;
    demand(b, stage == TS_STAGE_FP ? ts_quant_float(b->arena, net, NULL, stage, &graph, &b->diags)
                                   : ts_quant_emulate(b->arena, quant, stage, &graph, &b->diags));
    demand(b, ts_evaluate_float(b->arena, graph, data, NULL, &score, &b->diags));
    return 100 * score.top1;
}

#endif
