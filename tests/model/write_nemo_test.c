/* What is written in the NEMO dialect is read back as an equal network. */
#include <string.h>

#include "harness.h"
#include "ir/text_form.h"
#include "model/model.h"
#include "num/generate.h"

static void print_errors(const ts_diags *diags) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        ts_diag_print(stderr, &diags->list.data[i]);
    }
}

static ts_tensor_id move(const ts_graph *from, ts_graph *to, ts_tensor_id *moved, ts_tensor_id id) {
    if (id != TS_NONE && moved[id] == TS_NONE) {
        moved[id] = ts_graph_add_tensor(to, &from->tensors.data[id]);
    }
    return id == TS_NONE ? TS_NONE : moved[id];
}

static uint32_t readers(const ts_graph *g, ts_tensor_id id) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->nodes.count; i++) {
        for (uint32_t k = 0; k < g->nodes.data[i].input_count; k++) {
            count += g->nodes.data[i].inputs[k] == id;
        }
    }
    for (uint32_t i = 0; i < g->outputs.count; i++) {
        count += g->outputs.data[i] == id;
    }
    return count;
}

/* A requantisation behind a maximum pooling is read as part of it: one layer of the file's numbering. */
static void fuse(const ts_graph *g, uint32_t at, ts_node *pool) {
    const ts_node *next = at + 1 < g->nodes.count ? &g->nodes.data[at + 1] : NULL;
    for (uint32_t i = at + 1; i < g->nodes.count && next->inputs[0] != pool->output; i++) {
        next = &g->nodes.data[i];
    }
    if (next == NULL || pool->op != TS_OP_MAX_POOL || pool->requant.kind != TS_REQUANT_NONE ||
        next->op != TS_OP_REQUANT || next->inputs[0] != pool->output || readers(g, pool->output) != 1) {
        return;
    }
    pool->requant = next->requant;
    pool->output = next->output;
}

/* The network with what a file does not keep in one way: tensors in the order of the nodes, positions by
 * node, no name for the network and for values (one that is only flattened has two). */
static ts_graph *normal(ts_arena *arena, const ts_graph *g) {
    ts_graph *n = ts_graph_new(arena, "");
    ts_tensor_id *moved = TS_NEW_ARRAY(arena, ts_tensor_id, g->tensors.count);
    for (uint32_t i = 0; i < g->tensors.count; i++) {
        moved[i] = TS_NONE;
    }
    for (uint32_t i = 0; i < g->inputs.count; i++) {
        TS_PUSH(arena, &n->inputs, move(g, n, moved, g->inputs.data[i]));
    }
    for (uint32_t i = 0; i < g->nodes.count; i++) {
        ts_node node = g->nodes.data[i];
        if (moved[node.output] != TS_NONE) {
            continue; /* fused */
        }
        fuse(g, i, &node);
        for (uint32_t k = 0; k < node.input_count; k++) {
            node.inputs[k] = move(g, n, moved, node.inputs[k]);
        }
        node.weights = move(g, n, moved, node.weights);
        node.bias = move(g, n, moved, node.bias);
        node.output = move(g, n, moved, node.output);
        node.file_index = n->nodes.count;
        n->tensors.data[node.output].name = "";
        ts_graph_add_node(n, &node);
    }
    for (uint32_t i = 0; i < g->outputs.count; i++) {
        TS_PUSH(arena, &n->outputs, move(g, n, moved, g->outputs.data[i]));
    }
    return n;
}

static const char *print(ts_arena *arena, const ts_graph *g) {
    ts_text text = {.arena = arena};
    ts_graph_print(&text, g);
    return text.data;
}

static void compare(const ts_graph *g, const char *path, ts_arena *arena) {
    ts_diags diags = {.arena = arena};
    ts_graph *again = NULL;
    const ts_model_options options = {.input_signed = -1};
    ts_status status = ts_model_write_nemo(g, path, &diags);
    status = status == TS_OK ? ts_model_read(arena, path, &options, &again, &diags) : status;
    print_errors(&diags);
    assert_int_equal(status, TS_OK);
    const char *wanted = print(arena, normal(arena, g)), *got = print(arena, normal(arena, again));
    size_t at = 0;
    while (wanted[at] != '\0' && wanted[at] == got[at]) {
        at++;
    }
    if (wanted[at] != got[at]) {
        size_t from = at < 200 ? 0 : at - 200;
        fail_msg("%s: written\n%.400s\nread\n%.400s", path, wanted + from, got + from);
    }
}

typedef struct place {
    ts_arena *arena;
    const char *folder;
} place;

static place begin(void) {
    place p = {.arena = ts_arena_new("test", 0)};
    ts_diags diags = {.arena = p.arena};
    assert_int_equal(ts_dir_temporary(p.arena, &p.folder, &diags), TS_OK);
    return p;
}

static void end(place *p) {
    ts_diags diags = {.arena = p->arena};
    assert_int_equal(ts_dir_remove(p->folder, &diags), TS_OK);
    ts_arena_free(p->arena);
}

static void generated_networks_come_back(void **state) {
    (void)state;
    for (int kind = 0; kind < TS_GENERATE_RANDOM; kind++) {
        place p = begin();
        ts_diags diags = {.arena = p.arena};
        ts_generate_options o = ts_generate_defaults((ts_generate_kind)kind);
        o.width = kind == TS_GENERATE_MOBILENET_V2 ? 0.5 : 0.25;
        o.weight_bits = kind == TS_GENERATE_RESNET8 ? 4 : 8;
        ts_graph *g = NULL;
        assert_int_equal(ts_generate(p.arena, &o, &g, &diags), TS_OK);
        compare(g, ts_path_join(p.arena, p.folder, "net.onnx"), p.arena);
        end(&p);
    }
}

static void random_networks_come_back(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        place p = begin();
        ts_diags diags = {.arena = p.arena};
        ts_random_limits limits = ts_random_limits_default();
        limits.nemo_only = true;
        limits.halves = seed % 4 == 3;
        ts_graph *g = NULL;
        ts_status status = ts_random_network(p.arena, seed, &limits, &g, &diags);
        for (uint32_t i = 0; i < diags.list.count; i++) {
            ts_diag_print(stderr, &diags.list.data[i]);
        }
        assert_int_equal(status, TS_OK);
        compare(g, ts_path_join(p.arena, p.folder, ts_arena_printf(p.arena, "net%u.onnx", (unsigned)seed)),
                p.arena);
        end(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_networks_come_back),
        cmocka_unit_test(random_networks_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
