/* Constants whose data lie in a file beside the model, as PyTorch's exporter writes them: the network is the
 * one whose data lie inside; whatever leads out of the folder, or past the file's end, is refused. */
#include <unistd.h>

#include "harness.h"
#include "ir/text_form.h"
#include "model/float_model.h"
#include "model/onnx.h"
#include "qdq_maker.h"

enum { ROOM = 1 << 14 };

typedef struct split {
    const char *location, *offset, *length; /* of the first constant of weights; NULL: right ones */
    bool inside;                            /* all data stay in the model */
    uint8_t data[ROOM];                     /* of the other file */
    size_t size;
} split;

static void entry(maker *m, Onnx__TensorProto *t, const char *key, const char *value) {
    Onnx__StringStringEntryProto *e = TS_NEW(m->arena, Onnx__StringStringEntryProto);
    onnx__string_string_entry_proto__init(e);
    e->key = mk_text(m, key);
    e->value = mk_text(m, value);
    t->external_data[t->n_external_data++] = e;
}

/* Moves the data of the weights into the other file, a few bytes behind each other. */
static void move_out(maker *m, split *s, Onnx__TensorProto *t) {
    size_t at = s->size, length = t->raw_data.len;
    memcpy(s->data + at, t->raw_data.data, length);
    s->size += length + 5;
    t->external_data = TS_NEW_ARRAY(m->arena, Onnx__StringStringEntryProto *, 3);
    entry(m, t, "location", s->location != NULL ? s->location : "net.onnx.data");
    entry(m, t, "offset", s->offset != NULL ? s->offset : ts_arena_printf(m->arena, "%zu", at));
    entry(m, t, "length", s->length != NULL ? s->length : ts_arena_printf(m->arena, "%zu", length));
    t->has_data_location = 1;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    t->has_raw_data = 0;
    t->raw_data = (ProtobufCBinaryData){0, NULL};
}

/* A quantised convolution and a linear layer. */
static ts_bytes network(ts_arena *arena, split *s) {
    maker m = {.arena = arena, .opset = 13};
    ts_random random = ts_random_seed(2);
    const char *codes, *scales;
    const char *x = qdq_both(&m, mk_input(&m, 4, (const int64_t[]){1, 3, 4, 4}), 0.031f, UINT8, 113);
    const char *w = qdq_weights(&m, &random, 4, (const int64_t[]){8, 3, 3, 3}, true, 0, &codes, &scales);
    const char *y = mk_node(&m, "Relu", mk_node(&m, "Conv", x, w, NULL)->output[0], NULL, NULL)->output[0];
    y = mk_node(&m, "Flatten", qdq_both(&m, y, 0.05f, UINT8, 0), NULL, NULL)->output[0];
    w = qdq_weights(&m, &random, 2, (const int64_t[]){32, 5}, true, 1, &codes, &scales);
    mk_output(&m, qdq_both(&m, mk_node(&m, "MatMul", y, w, NULL)->output[0], 0.11f, UINT8, 128));
    s->size = 0;
    for (uint32_t i = 0; i < m.initializers.count && !s->inside; i++) {
        if (m.initializers.data[i]->raw_data.len > 30) {
            move_out(&m, s, m.initializers.data[i]);
        }
    }
    return mk_pack(&m);
}

static const char *write_to(ts_arena *arena, const char *folder, const char *name, const void *data,
                            size_t size) {
    ts_diags diags = {.arena = arena};
    const char *path = ts_path_join(arena, folder, name);
    assert_int_equal(ts_file_write(path, data, size, &diags), TS_OK);
    return path;
}

/* Writes both files and reads the network; the text of its graph, NULL where it is refused. */
static const char *read_back(ts_arena *arena, const char *folder, split *s, bool real, ts_diags *diags) {
    ts_bytes file = network(arena, s);
    const char *path = write_to(arena, folder, "net.onnx", file.data, file.size);
    write_to(arena, folder, "net.onnx.data", s->data, s->size);
    ts_graph *graph;
    ts_fgraph *floats;
    ts_text text = {.arena = arena};
    if (real) {
        if (ts_float_model_read(arena, path, NULL, &floats, diags) != TS_OK) {
            return NULL;
        }
        ts_fgraph_text(&text, floats);
    } else {
        if (ts_model_read(arena, path, NULL, &graph, diags) != TS_OK) {
            return NULL;
        }
        ts_graph_print(&text, graph);
    }
    return ts_arena_strdup(arena, text.data);
}

static void data_beside_the_model_are_read(void **state) {
    (void)state;
    static split s;
    for (int real = 0; real < 2; real++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        const char *folder;
        assert_int_equal(ts_dir_temporary(arena, &folder, &diags), TS_OK);
        s = (split){.inside = true};
        const char *inside = read_back(arena, folder, &s, real == 1, &diags);
        s = (split){0};
        const char *beside = read_back(arena, folder, &s, real == 1, &diags);
        assert_true(s.size > 300 && inside != NULL && beside != NULL);
        assert_string_equal(inside, beside);
        assert_int_equal(ts_dir_remove(folder, &diags), TS_OK);
        ts_arena_free(arena);
    }
}

static void what_leads_elsewhere_is_refused(void **state) {
    (void)state;
    static split s;
    static const split cases[] = {
        {.location = "/etc/hostname"},
        {.location = "../net.onnx.data"},
        {.location = "sub/../../net.onnx.data"},
        {.location = ".."},
        {.location = ""},
        {.location = "missing"},
        {.location = "link"},
        {.location = "folder"},
        {.offset = "999999"},
        {.offset = "-1"},
        {.offset = "99999999999999999999"},
        {.length = "1x"},
        {.length = ""},
        {.length = "999999"},
        {.length = "7"},
    };
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    const char *outer;
    assert_int_equal(ts_dir_temporary(arena, &outer, &diags), TS_OK);
    const char *folder = ts_path_join(arena, outer, "model");
    assert_int_equal(ts_dir_create(ts_path_join(arena, folder, "folder"), &diags), TS_OK);
    assert_int_equal(ts_dir_create(ts_path_join(arena, folder, "sub"), &diags), TS_OK);
    s = (split){0};
    network(arena, &s);
    write_to(arena, outer, "net.onnx.data", s.data, s.size); /* the right data, in the wrong place */
    assert_int_equal(symlink("../net.onnx.data", ts_path_join(arena, folder, "link")), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s = cases[i];
        diags.list.count = 0;
        if (read_back(arena, folder, &s, i % 2 == 1, &diags) != NULL) {
            fail_msg("case %zu is read", i);
        }
        assert_true(diags.list.count > 0 && diags.list.data[0].severity == TS_ERROR);
    }
    /* Without a folder nothing is opened. */
    s = (split){0};
    ts_bytes file = network(arena, &s);
    const ts_model_options options = {.input_signed = -1};
    ts_graph *graph;
    assert_int_equal(ts__onnx_import(arena, file, "net", &options, &graph, &diags), TS_BAD_INPUT);
    assert_non_null(strstr(diags.list.data[diags.list.count - 1].text, "another file"));
    assert_int_equal(ts_dir_remove(outer, &diags), TS_OK);
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_beside_the_model_are_read),
        cmocka_unit_test(what_leads_elsewhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
