/* Fine-tuning on the peers' networks, with parts of their training sets: what few bits broke is mended,
 * stages agree. The figures of whole sets are in docs/quantisation.md, with their commands. */
#include <math.h>
#include <string.h>

#include "model/float_model.h"
#include "num/float.h"
#include "peers.h"
#include "train/finetune.h"

typedef struct row {
    const char *name, *model, *train, *data;
    uint32_t weight_bits, activation_bits;
    uint32_t samples, judged; /* 0: all */
    double points; /* that may be lost against the float network, a sampling error of two sigma included */
} row;

/* By default options; none is chosen by the samples that judge here. */
static const row rows[] = {
    {"mnist-8 w4a4", "mnist/mnist-8.onnx", MNIST("train10k"), MNIST("t10k"), 4, 4, 4000, 2500, 0.5},
    {"mnist-8 w2a4", "mnist/mnist-8.onnx", MNIST("train10k"), MNIST("t10k"), 2, 4, 8000, 2500, 2.0},
    {"DS_CNN_S w8a8", "kws-hello-edge/DS_CNN_S.onnx", KWS(", \"fold\": [3, 0], \"rest\": true"),
     KWS(", \"fold\": [3, 0]"), 8, 8, 0, 0, 0.5},
    {"DS_CNN_S w4a8", "kws-hello-edge/DS_CNN_S.onnx", KWS(", \"fold\": [3, 0], \"rest\": true"),
     KWS(", \"fold\": [3, 0]"), 4, 8, 0, 0, 2},
    {"CNN_S w8a8", "kws-hello-edge/CNN_S.onnx", KWS(", \"fold\": [3, 0], \"rest\": true"),
     KWS(", \"fold\": [3, 0]"), 8, 8, 0, 0, 0.5},
    {"CNN_S w4a8", "kws-hello-edge/CNN_S.onnx", KWS(", \"fold\": [3, 0], \"rest\": true"),
     KWS(", \"fold\": [3, 0]"), 4, 8, 0, 0, 2},
    {"cifar10_m7 w4a4", "cifar10-caffe-cmsisnn/cifar10_m7.onnx", JPEG_MEAN("train_15000"),
     JPEG_MEAN("test_3000"), 4, 4, 3000, 600, 3.0},
};

static double integer_stage(bench *b, const ts_quant *quant, const ts_data *data) {
    ts_graph *integer;
    ts_score score;
    demand(b, ts_quant_integer(b->arena, quant, &integer, &b->diags));
    demand(b, ts_evaluate_integer(b->arena, integer, 0, data, NULL, NULL, &score, &b->diags));
    return 100 * score.top1;
}

static void check(bench *b, const row *r) {
    ts_fgraph *graph;
    ts_qnet *net;
    ts_quant *quant;
    ts_quant_options options = ts_quant_defaults();
    ts_finetune_options tune = ts_finetune_defaults();
    ts_data calibration = read_data(b, r->train, 128), train = read_data(b, r->train, r->samples);
    ts_data data = read_data(b, r->data, r->judged);
    const char *model = ts_path_join(b->arena, b->models, r->model);
    demand(b, ts_float_model_read(b->arena, model, NULL, &graph, &b->diags));
    ts_fgraph_fold(graph);
    demand(b, ts_qnet_read(b->arena, graph, &net, &b->diags));
    options.weight_bits = r->weight_bits;
    options.activation_bits = r->activation_bits;
    demand(b, ts_quantize(b->arena, net, &calibration, &options, NULL, &quant, &b->diags));
    double before = float_stage(b, net, quant, TS_STAGE_FQ, &data);
    demand(b, ts_quant_finetune(quant, &train, &tune, NULL, NULL, NULL, &b->diags));
    double fp = float_stage(b, net, quant, TS_STAGE_FP, &data),
           fq = float_stage(b, net, quant, TS_STAGE_FQ, &data);
    double qd = float_stage(b, net, quant, TS_STAGE_QD, &data), id = integer_stage(b, quant, &data);
    printf("%-16s %u samples: float %.2f, calibrated %.2f, fine-tuned fq %.2f qd %.2f id %.2f\n", r->name,
           data.count, fp, before, fq, qd, id);
    assert_true(fp - id <= r->points);
    assert_true(qd == id);
    assert_true(fabs(fq - qd) <= 0.3);
}

static void few_bits_keep_the_accuracy(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bench b = {.arena = ts_arena_new("bench", 0)};
        b.diags.arena = b.arena;
        b.models = ts_path_join(b.arena, ts_test_shared(), "models");
        demand(&b, ts_dir_temporary(b.arena, &b.folder, &b.diags));
        check(&b, &rows[i]);
        demand(&b, ts_dir_remove(b.folder, &b.diags));
        ts_arena_free(b.arena);
    }
}

int main(void) {
    if (!ts_train_available() || ts_test_shared() == NULL) {
        printf("%s: skipped\n", ts_train_available() ? "TESSERA_SHARED is not set" : "built without oneDNN");
        return TS_TEST_SKIP;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(few_bits_keep_the_accuracy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
