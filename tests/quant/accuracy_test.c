/* Accuracy of real float networks, and of what quantisation after training makes of them, on the peers'
 * data: within the given points of the float network, and every stage within reach of the next. */
#include <math.h>
#include <string.h>

#include "model/float_model.h"
#include "num/float.h"
#include "peers.h"
#include "quant/quantize.h"
#include "run/run.h"

/* Data descriptions, relative to the peers' folder of models. */
#define IC01                                                                                 \
    "{\"x\": \"mlperf-tiny-ic/samples_x.u8.bin\", \"y\": \"mlperf-tiny-ic/samples_y.csv\", " \
    "\"shape\": [32, 32, 3], \"type\": \"u8\"}"
#define VWW                                                                                       \
    "{\"x\": \"mlperf-tiny-vww/samples_x.u8.bin.xz\", \"y\": \"mlperf-tiny-vww/samples_y.csv\", " \
    "\"shape\": [96, 96, 3], \"type\": \"u8\", \"scale\": 0.00392156862745098}"
#define FER(part)                                                                       \
    "{\"x\": \"fer2013/" part "_x.u8.bin.xz\", \"y\": \"fer2013/" part                  \
    "_y.u8.bin\", "                                                                     \
    "\"shape\": [48, 48, 1], \"type\": \"u8\", \"resize\": [64, 64], \"mean\": 127.5, " \
    "\"scale\": 0.00784313725490196}"
#define JPEG(part) "{\"x\": \"cifar10-jpeg/" part ".tar.xz\"}"

typedef struct row {
    const char *name, *model, *calibration, *data;
    double float_percent; /* of the float network, on all samples */
    double points;        /* that 8 bits may cost */
    uint32_t samples;     /* evaluated; 0: all */
} row;

static const row rows[] = {
    {"ResNet8", "mlperf-tiny-ic/resnet8_fp32.onnx", JPEG("train_15000"), IC01, 87.3, 0.8, 0},
    {"MobileNetV1 0.25 96", "mlperf-tiny-vww/mobilenetv1_025_96_fp32.onnx", VWW, VWW, 86.4, 1.2, 0},
    {"DS_CNN_S", "kws-hello-edge/DS_CNN_S.onnx", KWS(""), KWS(""), 88.3, 1.0, 0},
    {"CNN_S", "kws-hello-edge/CNN_S.onnx", KWS(""), KWS(""), 84.0, 1.0, 0},
    {"mnist-8", "mnist/mnist-8.onnx", MNIST("train10k"), MNIST("t10k"), 98.9, 0.2, 2500},
    {"mini-Xception", "fer2013/fer2013_mini_xception_64.onnx", FER("train"), FER("test"), 59.3, 1.5, 0},
    {"cifar10_m7", "cifar10-caffe-cmsisnn/cifar10_m7.onnx", JPEG_MEAN("train_15000"), JPEG_MEAN("test_3000"),
     77.7, 0.8, 1000},
};

typedef struct chip {
    ts_deployed *deployed;
    ts_tensor_id output;
    uint64_t cycles;
} chip;

static ts_status run_on_chip(void *object, ts_arena *scratch, const int32_t *input, const int32_t **output,
                             ts_diags *diags) {
    chip *c = object;
    int32_t **values;
    TS_TRY(ts_deployed_run(c->deployed, scratch, &input, &values, &c->cycles, diags));
    *output = values[c->output];
    return TS_OK;
}

/* The simulated chip on the first samples: every layer equal to the reference, hence the same accuracy. */
static void check_chip(bench *b, const row *r, const ts_graph *integer, const ts_data *data) {
    enum { CHIP_SAMPLES = 20 };
    ts_data few = *data;
    ts_run_options run = {.jobs = 2};
    ts_score here, there;
    chip c = {.output = integer->outputs.data[0]};
    ts_machine machine = {run_on_chip, &c};
    few.count = CHIP_SAMPLES;
    demand(b, ts_run_target(b->arena, "gap8", &run.target, &b->diags));
    demand(b, ts_deploy(b->arena, integer, &run, &c.deployed, &b->diags));
    demand(b, ts_evaluate_integer(b->arena, integer, 0, &few, NULL, NULL, &here, &b->diags));
    demand(b, ts_evaluate_integer(b->arena, integer, 0, &few, &machine, NULL, &there, &b->diags));
    demand(b, ts_deployed_free(c.deployed, &b->diags));
    assert_memory_equal(here.scores, there.scores, (size_t)here.count * here.outputs * sizeof(float));
    assert_true(here.top1 == there.top1);
    printf("%-20s gap8: %u samples equal in every layer, %llu cycles each\n", r->name, few.count,
           (unsigned long long)c.cycles);
}

static void check(bench *b, const row *r) {
    ts_fgraph *graph;
    ts_qnet *net;
    ts_quant *quant;
    ts_graph *integer;
    ts_score score;
    ts_quant_options options = ts_quant_defaults();
    ts_data calibration = read_data(b, r->calibration, 256), all = read_data(b, r->data, 0),
            data = read_data(b, r->data, r->samples);
    demand(b, ts_float_model_read(b->arena, ts_path_join(b->arena, b->models, r->model), NULL, &graph,
                                  &b->diags));
    ts_fgraph_fold(graph);
    demand(b, ts_evaluate_float(b->arena, graph, &all, NULL, &score, &b->diags));
    double whole = 100 * score.top1;
    demand(b, ts_qnet_read(b->arena, graph, &net, &b->diags));
    demand(b, ts_quantize(b->arena, net, &calibration, &options, NULL, &quant, &b->diags));
    double fp = float_stage(b, net, quant, TS_STAGE_FP, &data),
           fq = float_stage(b, net, quant, TS_STAGE_FQ, &data);
    double qd = float_stage(b, net, quant, TS_STAGE_QD, &data);
    demand(b, ts_quant_integer(b->arena, quant, &integer, &b->diags));
    demand(b, ts_evaluate_integer(b->arena, integer, 0, &data, NULL, NULL, &score, &b->diags));
    double id = 100 * score.top1;
    printf("%-20s float %.2f (%u samples); on %u: fp %.2f fq %.2f qd %.2f id %.2f\n", r->name, whole,
           all.count, data.count, fp, fq, qd, id);
    assert_true(fabs(whole - r->float_percent) < 0.15);
    assert_true(fp - id <= r->points);
    assert_true(qd == id);
    assert_true(fabs(fq - qd) <= 0.3);
    check_chip(b, r, integer, &data);
}

static void eight_bits_keep_the_accuracy(void **state) {
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
    if (ts_test_shared() == NULL) {
        printf("TESSERA_SHARED is not set: skipped\n");
        return TS_TEST_SKIP;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(eight_bits_keep_the_accuracy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
