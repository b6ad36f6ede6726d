#include <string.h>

#include "model/onnx.h"

/* protobuf-c has no recursion limit of its own and copies whatever the file holds: this allocator gives
 * it a budget of bytes, and none at all once the stack is deeper than messages of this schema need. */
enum { STACK_LIMIT_BYTES = 256 * 1024 };

typedef struct budget {
    ts_arena *arena;
    size_t bytes_left;
    const char *stack_base;
} budget;

static void *budget_alloc(void *data, size_t size) {
    budget *b = data;
    const char *here = __builtin_frame_address(0);
    size_t depth = here < b->stack_base ? (size_t)(b->stack_base - here) : (size_t)(here - b->stack_base);
    if (depth > STACK_LIMIT_BYTES || size > b->bytes_left) {
        return NULL;
    }
    b->bytes_left -= size;
    return ts_arena_alloc(b->arena, size);
}

static void budget_free(void *data, void *pointer) {
    (void)data;
    (void)pointer;
}

ts_status ts__onnx_unpack(ts_arena *scratch, ts_bytes file, Onnx__ModelProto **out, ts_diags *diags) {
    budget b = {
        .arena = scratch,
        .bytes_left = 6 * file.size + ((size_t)16 << 20),
        .stack_base = __builtin_frame_address(0),
    };
    ProtobufCAllocator allocator = {.alloc = budget_alloc, .free = budget_free, .allocator_data = &b};
    *out = onnx__model_proto__unpack(&allocator, file.size, file.data);
    if (*out == NULL) {
        return ts_error(
            diags, TS_DIAG_SYNTAX, NULL, NULL,
            "not a whole ONNX file: the protocol buffer is truncated, damaged or nested too deep");
    }
    if ((*out)->graph == NULL) {
        return ts_error(diags, TS_DIAG_SYNTAX, NULL, NULL, "not an ONNX model: it has no graph");
    }
    return TS_OK;
}

ts_status ts__onnx_work(ts_onnx *net, const ts_onnx_node *node, uint64_t elements) {
    if (elements > net->work_left) {
        return ts_error(net->diags, TS_DIAG_LIMIT, node == NULL ? NULL : node->name,
                        node == NULL ? NULL : node->op,
                        "the file asks for more work than a file of its size can need; is it damaged?");
    }
    net->work_left -= elements;
    return TS_OK;
}

static uint32_t hash(const char *text) {
    uint32_t h = 2166136261u;
    for (; *text != '\0'; text++) {
        h = (h ^ (unsigned char)*text) * 16777619u;
    }
    return h;
}

static uint32_t *slot_of(const ts_onnx *net, const char *name) {
    uint32_t mask = net->slot_count - 1;
    for (uint32_t i = hash(name) & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &net->slots[i];
        if (*slot == 0 || strcmp(net->values.data[*slot - 1].name, name) == 0) {
            return slot;
        }
    }
}

uint32_t ts__onnx_find(const ts_onnx *net, const char *name) {
    uint32_t slot = *slot_of(net, name);
    return slot == 0 ? TS_NONE : slot - 1;
}

/* The value of that name, made where there is none yet. */
static uint32_t value_of(ts_onnx *net, const char *name) {
    uint32_t *slot = slot_of(net, name);
    if (*slot == 0) {
        ts_onnx_value value = {.name = name, .producer = TS_NONE};
        TS_PUSH(net->scratch, &net->values, value);
        *slot = net->values.count;
    }
    return *slot - 1;
}

static ts_status duplicate(ts_onnx *net, const char *name) {
    return ts_error(net->diags, TS_DIAG_MALFORMED, NULL, NULL,
                    "two tensors have the name '%s'; each needs its own", name);
}

/* Counts what the file names, before the hash table is made. */
static ts_status count_names(ts_onnx *net, const Onnx__GraphProto *graph) {
    uint64_t names = (uint64_t)graph->n_initializer + graph->n_input + graph->n_output;
    if (graph->n_node > TS_ONNX_MAX_NODES) {
        return ts_error(net->diags, TS_DIAG_LIMIT, NULL, NULL, "%zu nodes; a network may have %d",
                        graph->n_node, TS_ONNX_MAX_NODES);
    }
    for (size_t i = 0; i < graph->n_node; i++) {
        names += (uint64_t)graph->node[i]->n_input + graph->node[i]->n_output;
    }
    if (names > TS_ONNX_MAX_VALUES) {
        return ts_error(net->diags, TS_DIAG_LIMIT, NULL, NULL, "%llu tensor names; a network may have %d",
                        (unsigned long long)names, TS_ONNX_MAX_VALUES);
    }
    net->slot_count = 64;
    while (net->slot_count < names * 2) {
        net->slot_count *= 2;
    }
    net->slots = TS_NEW_ARRAY(net->scratch, uint32_t, net->slot_count);
    return TS_OK;
}

static ts_status load_initializers(ts_onnx *net, const Onnx__GraphProto *graph) {
    for (size_t i = 0; i < graph->n_initializer; i++) {
        const char *name = graph->initializer[i]->name;
        if (name == NULL || *name == '\0') {
            return ts_error(net->diags, TS_DIAG_MALFORMED, NULL, NULL, "initializer %zu has no name", i);
        }
        uint32_t id = value_of(net, name);
        ts_onnx_value *value = &net->values.data[id];
        if (value->initializer != NULL) {
            return duplicate(net, name);
        }
        value->initializer = graph->initializer[i];
    }
    for (size_t i = 0; i < graph->n_input; i++) {
        const char *name = graph->input[i]->name;
        if (name == NULL || *name == '\0') {
            return ts_error(net->diags, TS_DIAG_MALFORMED, NULL, NULL, "graph input %zu has no name", i);
        }
        uint32_t id = value_of(net, name);
        ts_onnx_value *value = &net->values.data[id];
        if (value->input != NULL) {
            return duplicate(net, name);
        }
        value->input = graph->input[i];
    }
    return TS_OK;
}

static ts_status load_node(ts_onnx *net, uint32_t index) {
    const Onnx__NodeProto *proto = net->proto->node[index];
    ts_onnx_node *node = &net->nodes[index];
    node->proto = proto;
    node->file_index = index;
    node->op = proto->op_type == NULL ? "" : proto->op_type;
    bool named = proto->name != NULL && *proto->name != '\0';
    node->name = named ? proto->name : ts_arena_printf(net->arena, "%s_%u", node->op, index);
    node->input_count = (uint32_t)proto->n_input;
    node->output_count = (uint32_t)proto->n_output;
    node->inputs = TS_NEW_ARRAY(net->scratch, uint32_t, node->input_count);
    node->outputs = TS_NEW_ARRAY(net->scratch, uint32_t, node->output_count);
    for (uint32_t i = 0; i < node->input_count; i++) {
        const char *name = proto->input[i];
        node->inputs[i] = *name == '\0' ? TS_NONE : value_of(net, name);
    }
    for (uint32_t i = 0; i < node->output_count; i++) {
        if (*proto->output[i] == '\0') {
            node->outputs[i] = TS_NONE;
            continue;
        }
        node->outputs[i] = value_of(net, proto->output[i]);
        ts_onnx_value *value = &net->values.data[node->outputs[i]];
        if (value->producer != TS_NONE || value->initializer != NULL || value->input != NULL) {
            return duplicate(net, value->name);
        }
        value->producer = index;
    }
    return TS_OK;
}

static ts_status load_outputs(ts_onnx *net, const Onnx__GraphProto *graph) {
    net->output_count = (uint32_t)graph->n_output;
    net->outputs = TS_NEW_ARRAY(net->scratch, uint32_t, net->output_count);
    if (net->output_count == 0) {
        return ts_error(net->diags, TS_DIAG_MALFORMED, NULL, NULL, "the graph has no output");
    }
    for (uint32_t i = 0; i < net->output_count; i++) {
        const char *name = graph->output[i]->name;
        uint32_t value = name == NULL ? TS_NONE : ts__onnx_find(net, name);
        if (value == TS_NONE) {
            return ts_error(net->diags, TS_DIAG_MALFORMED, NULL, NULL, "graph output '%s' is made by no node",
                            name == NULL ? "" : name);
        }
        net->outputs[i] = value;
        net->values.data[value].uses++;
    }
    return TS_OK;
}

/* Marks what the outputs need, from the back; counts uses; finds tensors that nobody makes. */
static ts_status mark_live(ts_onnx *net) {
    uint32_t *stack = TS_NEW_ARRAY(net->scratch, uint32_t, net->node_count + net->output_count);
    uint32_t depth = 0;
    for (uint32_t i = 0; i < net->output_count; i++) {
        uint32_t producer = net->values.data[net->outputs[i]].producer;
        if (producer != TS_NONE && !net->nodes[producer].live) {
            net->nodes[producer].live = true;
            stack[depth++] = producer;
        }
    }
    while (depth > 0) {
        ts_onnx_node *node = &net->nodes[stack[--depth]];
        for (uint32_t i = 0; i < node->input_count; i++) {
            if (node->inputs[i] == TS_NONE) {
                continue;
            }
            ts_onnx_value *value = &net->values.data[node->inputs[i]];
            value->uses++;
            if (value->producer == TS_NONE && value->initializer == NULL && value->input == NULL) {
                return ts_error(net->diags, TS_DIAG_MALFORMED, node->name, node->op,
                                "input '%s' is made by no node and is no initializer", value->name);
            }
            if (value->producer != TS_NONE && !net->nodes[value->producer].live) {
                net->nodes[value->producer].live = true;
                stack[depth++] = value->producer;
            }
        }
    }
    return TS_OK;
}

/* The file's own order, where it is a topological one: it numbers the layers. */
static bool take_file_order(ts_onnx *net) {
    for (uint32_t n = 0; n < net->node_count; n++) {
        const ts_onnx_node *node = &net->nodes[n];
        for (uint32_t i = 0; node->live && i < node->input_count; i++) {
            uint32_t v = node->inputs[i];
            uint32_t producer = v == TS_NONE ? TS_NONE : net->values.data[v].producer;
            if (producer != TS_NONE && producer >= n) {
                return false;
            }
        }
        if (node->live) {
            net->order[net->order_count++] = n;
        }
    }
    return true;
}

/* Readers of each value: readers[first[v] .. first[v + 1]); missing[n]: inputs of n that wait for a node. */
static uint32_t *find_readers(ts_onnx *net, uint32_t *first, uint32_t *missing) {
    for (int pass = 0;; pass++) {
        uint32_t edges = pass == 0 ? 0 : first[net->values.count];
        uint32_t *readers = TS_NEW_ARRAY(net->scratch, uint32_t, edges);
        uint32_t *fill = ts_arena_copy(net->scratch, first, (net->values.count + 1) * sizeof *first);
        for (uint32_t n = 0; n < net->node_count; n++) {
            for (uint32_t i = 0; net->nodes[n].live && i < net->nodes[n].input_count; i++) {
                uint32_t v = net->nodes[n].inputs[i];
                if (v == TS_NONE || net->values.data[v].producer == TS_NONE) {
                    continue;
                }
                if (pass == 0) {
                    first[v + 1]++;
                    missing[n]++;
                } else {
                    readers[fill[v]++] = n;
                }
            }
        }
        if (pass == 1) {
            return readers;
        }
        for (uint32_t v = 0; v < net->values.count; v++) {
            first[v + 1] += first[v];
        }
    }
}

/* Kahn's algorithm; the order found so far is the queue. */
static ts_status sort_nodes(ts_onnx *net) {
    net->order = TS_NEW_ARRAY(net->scratch, uint32_t, net->node_count);
    if (take_file_order(net)) {
        return TS_OK;
    }
    net->order_count = 0;
    uint32_t *first = TS_NEW_ARRAY(net->scratch, uint32_t, net->values.count + 1);
    uint32_t *missing = TS_NEW_ARRAY(net->scratch, uint32_t, net->node_count);
    const uint32_t *readers = find_readers(net, first, missing);
    for (uint32_t n = 0; n < net->node_count; n++) {
        if (net->nodes[n].live && missing[n] == 0) {
            net->order[net->order_count++] = n;
        }
    }
    for (uint32_t head = 0; head < net->order_count; head++) {
        const ts_onnx_node *node = &net->nodes[net->order[head]];
        for (uint32_t i = 0; i < node->output_count; i++) {
            uint32_t v = node->outputs[i];
            for (uint32_t e = v == TS_NONE ? 0 : first[v]; v != TS_NONE && e < first[v + 1]; e++) {
                if (--missing[readers[e]] == 0) {
                    net->order[net->order_count++] = readers[e];
                }
            }
        }
    }
    for (uint32_t n = 0; n < net->node_count; n++) {
        if (net->nodes[n].live && missing[n] > 0) {
            return ts_error(net->diags, TS_DIAG_MALFORMED, net->nodes[n].name, net->nodes[n].op,
                            "it waits for its own result: the graph has a cycle");
        }
    }
    return TS_OK;
}

ts_status ts__onnx_load(ts_onnx *net, const Onnx__ModelProto *model) {
    const Onnx__GraphProto *graph = net->proto = model->graph;
    net->opset = 1;
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *set = model->opset_import[i];
        if (set->domain == NULL || *set->domain == '\0' || strcmp(set->domain, "ai.onnx") == 0) {
            net->opset = set->version;
        }
    }
    if (graph->n_sparse_initializer > 0) {
        return ts_error(net->diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                        "sparse initializers are not served; write dense ones");
    }
    TS_TRY(count_names(net, graph));
    TS_TRY(load_initializers(net, graph));
    net->node_count = (uint32_t)graph->n_node;
    net->nodes = TS_NEW_ARRAY(net->scratch, ts_onnx_node, net->node_count);
    for (uint32_t i = 0; i < net->node_count; i++) {
        TS_TRY(load_node(net, i));
    }
    TS_TRY(load_outputs(net, graph));
    TS_TRY(mark_live(net));
    return sort_nodes(net);
}

const Onnx__AttributeProto *ts__onnx_attribute(const ts_onnx_node *node, const char *name) {
    for (size_t i = 0; i < node->proto->n_attribute; i++) {
        const Onnx__AttributeProto *attribute = node->proto->attribute[i];
        if (attribute->name != NULL && strcmp(attribute->name, name) == 0) {
            return attribute;
        }
    }
    return NULL;
}

static ts_status wrong_type(ts_onnx *net, const ts_onnx_node *node, const char *name, const char *kind) {
    return ts_error(net->diags, TS_DIAG_MALFORMED, node->name, node->op, "attribute '%s' must be %s", name,
                    kind);
}

/* Numbers also come as one-element tensors (domain PACTOps writes all its attributes so). */
static ts_status tensor_number(ts_onnx *net, const ts_onnx_node *node, const Onnx__AttributeProto *attribute,
                               double *out) {
    ts_constant *constant;
    TS_TRY(ts__constant_decode(net, node, attribute->t, &constant));
    if (constant->count != 1) {
        return wrong_type(net, node, attribute->name, "one number");
    }
    *out = constant->ints != NULL ? (double)constant->ints[0] : constant->reals[0];
    return TS_OK;
}

ts_status ts__onnx_attr_int(ts_onnx *net, const ts_onnx_node *node, const char *name, int64_t absent,
                            int64_t *out) {
    const Onnx__AttributeProto *attribute = ts__onnx_attribute(node, name);
    *out = absent;
    if (attribute == NULL) {
        return TS_OK;
    }
    if (attribute->has_i) {
        *out = attribute->i;
        return TS_OK;
    }
    double number = attribute->has_f ? (double)attribute->f : 0.5;
    if (attribute->t != NULL) {
        TS_TRY(tensor_number(net, node, attribute, &number));
    }
    if (!(number > -9e15 && number < 9e15) || (double)(int64_t)number != number) {
        return wrong_type(net, node, name, "a whole number");
    }
    *out = (int64_t)number;
    return TS_OK;
}

ts_status ts__onnx_attr_float(ts_onnx *net, const ts_onnx_node *node, const char *name, double absent,
                              double *out) {
    const Onnx__AttributeProto *attribute = ts__onnx_attribute(node, name);
    *out = absent;
    if (attribute == NULL) {
        return TS_OK;
    }
    if (attribute->has_f) {
        *out = (double)attribute->f;
    } else if (attribute->has_i) {
        *out = (double)attribute->i;
    } else if (attribute->t != NULL) {
        return tensor_number(net, node, attribute, out);
    } else {
        return wrong_type(net, node, name, "a number");
    }
    return TS_OK;
}

const char *ts__onnx_attr_text(ts_onnx *net, const ts_onnx_node *node, const char *name) {
    const Onnx__AttributeProto *attribute = ts__onnx_attribute(node, name);
    if (attribute == NULL || !attribute->has_s || attribute->s.len > 64) {
        return "";
    }
    return ts_arena_copy(net->scratch, attribute->s.data, attribute->s.len);
}

ts_status ts__onnx_attr_ints(ts_onnx *net, const ts_onnx_node *node, const char *name, const int64_t **out,
                             uint32_t *count) {
    const Onnx__AttributeProto *attribute = ts__onnx_attribute(node, name);
    *out = NULL;
    *count = 0;
    if (attribute == NULL) {
        return TS_OK;
    }
    if (attribute->n_ints == 0 && attribute->has_i) {
        *out = &attribute->i;
        *count = 1;
        return TS_OK;
    }
    if (attribute->n_ints > 64) {
        return wrong_type(net, node, name, "a short list of integers");
    }
    *out = attribute->ints;
    *count = (uint32_t)attribute->n_ints;
    return TS_OK;
}
