/* The public library, as a program outside of the tree would call it. */
#include "tessera.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "model/float_model.h"
#include "model/model.h"
#include "num/generate.h"
#include "place.h"
#include "train/architecture.h"
#include "train/glyphs.h"
#include "train/train.h"

static char last[2048];

static void keep_last(void *user, const char *text) {
    (void)user;
    snprintf(last, sizeof last, "%s", text);
}

static void leave(place *p) {
    assert_int_equal(ts_dir_remove(p->folder, &p->diags), TS_OK);
    ts_arena_free(p->arena);
}

static void compiles_runs_and_refuses(void **state) {
    (void)state;
    place p = enter();
    ts_generate_options network = ts_generate_defaults(TS_GENERATE_CONV);
    ts_graph *graph = NULL;
    const char *model = in(&p, "conv.onnx"), *app = in(&p, "app"), *json = in(&p, "run.json");
    assert_int_equal(ts_generate(p.arena, &network, &graph, &p.diags), TS_OK);
    assert_int_equal(ts_model_write_nemo(graph, model, &p.diags), TS_OK);

    tessera_options options = {.target = "host", .seed = 3, .message = keep_last};
    assert_string_equal(tessera_version(), TESSERA_VERSION);
    assert_int_equal(tessera_compile(model, NULL, app), 0);
    assert_true(ts_file_exists(ts_path_join(p.arena, app, "network.h")));
    assert_int_equal(tessera_run(model, &options, json), 0);
    assert_true(ts_file_exists(json));
    assert_int_equal(tessera_report(json, NULL, &options, in(&p, "run.html")), 0);
    assert_true(ts_file_exists(in(&p, "run.html")));
    assert_int_equal(tessera_report(model, NULL, &options, in(&p, "none.html")), 2);
    assert_false(ts_file_exists(in(&p, "none.html")));

    options.l1_bytes = 16;
    assert_int_equal(tessera_run(model, &options, NULL), 3);
    assert_non_null(strstr(last, "does not fit"));
    assert_int_equal(tessera_run(in(&p, "absent.onnx"), &options, NULL), 2);
    assert_int_equal(tessera_run(NULL, &options, NULL), 2);
    leave(&p);
}

/* What is said to be the smallest fits, and a byte less does not. */
static void plans_and_finds_the_smallest(void **state) {
    (void)state;
    place p = enter();
    ts_generate_options network = ts_generate_defaults(TS_GENERATE_CONV);
    ts_graph *graph = NULL;
    uint64_t l1 = 0, l2 = 0;
    const char *model = in(&p, "conv.onnx"), *json = in(&p, "plan.json");
    assert_int_equal(ts_generate(p.arena, &network, &graph, &p.diags), TS_OK);
    assert_int_equal(ts_model_write_nemo(graph, model, &p.diags), TS_OK);
    tessera_options options = {.message = keep_last};
    assert_int_equal(tessera_smallest(model, &options, &l1, &l2), 0);
    assert_true(l1 > 0 && l2 > 0);
    options.l1_bytes = l1;
    assert_int_equal(tessera_plan(model, &options, json), 0);
    assert_true(ts_file_exists(json));
    options.l1_bytes = l1 - 1;
    assert_int_equal(tessera_plan(model, &options, in(&p, "none.json")), 3);
    assert_false(ts_file_exists(in(&p, "none.json")));
    leave(&p);
}

static const char *text_of(place *p, const char *name) {
    ts_bytes file;
    assert_int_equal(ts_file_read(p->arena, in(p, name), 1 << 20, &file, &p->diags), TS_OK);
    return (const char *)file.data;
}

static void says_what_is_in_a_network(void **state) {
    (void)state;
    place p = enter();
    ts_generate_options network = ts_generate_defaults(TS_GENERATE_CONV);
    ts_architecture_options floats = {.kind = TS_ARCHITECTURE_DS, .width = 0.5, .resolution = 16, .seed = 1};
    ts_graph *graph = NULL;
    ts_fgraph *real = NULL;
    const char *integer = in(&p, "conv.onnx"), *trained = in(&p, "float.onnx"), *json = in(&p, "what.json");
    tessera_options options = {.message = keep_last};
    assert_int_equal(ts_generate(p.arena, &network, &graph, &p.diags), TS_OK);
    assert_int_equal(ts_model_write_nemo(graph, integer, &p.diags), TS_OK);
    assert_int_equal(ts_architecture_make(p.arena, &floats, &real, &p.diags), TS_OK);
    assert_int_equal(ts_float_model_write(real, trained, &p.diags), TS_OK);
    assert_int_equal(tessera_inspect(integer, &options, json), 0);
    assert_non_null(strstr(text_of(&p, "what.json"), "\"kind\": \"integer\""));
    assert_non_null(strstr(text_of(&p, "what.json"), "\"weight_bytes\""));
    assert_int_equal(tessera_inspect(trained, NULL, json), 0);
    assert_non_null(strstr(text_of(&p, "what.json"), "\"kind\": \"float\""));
    assert_int_equal(tessera_inspect(in(&p, "absent.onnx"), &options, in(&p, "none.json")), 2);
    assert_non_null(strstr(last, "absent.onnx"));
    assert_false(ts_file_exists(in(&p, "none.json")));
    assert_int_equal(tessera_inspect(integer, &options, NULL), 2);
    leave(&p);
}

static uint32_t points_told;

static void count_points(void *user, uint32_t done, uint32_t of) {
    (void)user;
    points_told = done == of ? of : points_told;
}

/* One of two points fits; a second call computes nothing again. */
static void explores_a_sweep(void **state) {
    (void)state;
    place p = enter();
    static const char sweep[] =
        "{\"target\": \"gap8\", \"generate\": \"conv\", \"axes\": {\"l1\": [16, \"16K\"]}}";
    const char *description = in(&p, "sweep.json"), *folder = in(&p, "results");
    tessera_explore_options options = {.jobs = 1, .message = keep_last, .progress = count_points};
    assert_int_equal(ts_file_write(description, sweep, sizeof sweep - 1, &p.diags), TS_OK);
    assert_int_equal(tessera_explore(description, &options, folder), 0);
    assert_int_equal(points_told, 2);
    assert_non_null(strstr(text_of(&p, "results/results.csv"), "no-fit"));
    assert_non_null(strstr(text_of(&p, "results/results.json"), "\"verified\""));
    assert_non_null(strstr(text_of(&p, "results/plot.svg"), "<svg"));
    const char *journal = text_of(&p, "results/journal");
    assert_int_equal(tessera_explore(description, NULL, folder), 0);
    assert_string_equal(text_of(&p, "results/journal"), journal);

    assert_int_equal(ts_file_write(description, "{\"axes\": 1}", 11, &p.diags), TS_OK);
    assert_int_equal(tessera_explore(description, &options, in(&p, "none")), 2);
    assert_false(ts_dir_exists(in(&p, "none")));
    assert_int_equal(tessera_explore(description, &options, NULL), 2);
    leave(&p);
}

/* From a network with seeded weights and pictures to integers on the host's build of the emitted code. */
static void trains_quantises_and_evaluates(void **state) {
    (void)state;
    if (!ts_train_available()) {
        skip();
    }
    place p = enter();
    ts_architecture_options network = {.kind = TS_ARCHITECTURE_DS, .width = 0.5, .resolution = 16, .seed = 1};
    ts_fgraph *graph;
    const char *untrained = in(&p, "net.onnx"), *trained = in(&p, "float.onnx"),
               *integer = in(&p, "int.onnx");
    assert_int_equal(ts_architecture_make(p.arena, &network, &graph, &p.diags), TS_OK);
    assert_int_equal(ts_float_model_write(graph, untrained, &p.diags), TS_OK);
    assert_int_equal(ts_glyphs_write(in(&p, "data"), 1, 16, 640, 32, &p.diags), TS_OK);
    tessera_data data = {.path = in(&p, "data/train.json")}, test = {.path = in(&p, "data/test.json")};

    tessera_train_options training = {.epochs = 2, .rate = 4e-3, .message = keep_last};
    assert_int_equal(tessera_train(untrained, &data, &training, trained), 0);
    tessera_quantize_options quantising = {
        .weight_bits = 4, .finetune = data, .epochs = 1, .message = keep_last};
    assert_int_equal(tessera_quantize(trained, &data, &quantising, integer), 0);

    tessera_score before, here, there;
    tessera_options host = {.target = "host", .message = keep_last};
    assert_int_equal(tessera_evaluate(trained, &test, NULL, &before), 0);
    assert_int_equal(tessera_evaluate(integer, &test, NULL, &here), 0);
    assert_int_equal(tessera_evaluate(integer, &test, &host, &there), 0);
    assert_int_equal(before.samples, 32);
    assert_true(here.top1 == there.top1 && here.top5 == there.top5 && isnan(here.cycles));

    quantising.weight_bits = 1;
    assert_int_equal(tessera_quantize(trained, &data, &quantising, in(&p, "none.onnx")), 2);
    assert_non_null(strstr(last, "2 to 8"));
    assert_int_equal(tessera_quantize(trained, NULL, NULL, integer), 2);
    assert_int_equal(tessera_evaluate(in(&p, "absent.onnx"), &test, &host, &there), 2);
    leave(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compiles_runs_and_refuses), cmocka_unit_test(plans_and_finds_the_smallest),
        cmocka_unit_test(says_what_is_in_a_network), cmocka_unit_test(explores_a_sweep),
        cmocka_unit_test(trains_quantises_and_evaluates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
