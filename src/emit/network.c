#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "emit/internal.h"

/* Longest part of a node's name in the name of its function and file. */
enum { NAME_LENGTH = 40 };

static const ts_graph *graph_of(const ts__emit *e) { return e->plan->graph; }

static char *lower_identifier(ts_arena *arena, const char *text) {
    char *name = ts_identifier(arena, text);
    for (char *c = name; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    if (strlen(name) > NAME_LENGTH) {
        name[NAME_LENGTH] = '\0';
    }
    return name;
}

static char *upper(ts_arena *arena, const char *text) {
    char *name = ts_arena_strdup(arena, text);
    for (char *c = name; *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
    return name;
}

/* Network input number of a tensor, or -1. */
static int input_number(const ts_graph *graph, ts_tensor_id tensor) {
    for (uint32_t i = 0; i < graph->inputs.count; i++) {
        if (graph->inputs.data[i] == tensor) {
            return (int)i;
        }
    }
    return -1;
}

/* Layer that computes a tensor. */
static uint32_t producer_layer(const ts_plan *plan, ts_tensor_id tensor) {
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        if (plan->layers[i].y.tensor == tensor) {
            return i;
        }
    }
    return UINT32_MAX;
}

static const char *stripe_name(const ts__emit *e, const ts_buffer *buffer, int32_t index) {
    const ts_l3_plan *l3 = &e->plan->layer_plans[buffer->layer].l3;
    const struct {
        bool used;
        const char *name;
        const int32_t *pair;
    } rows[] = {{l3->x_in_l3, "X", l3->x_stripe},
                {l3->x2_in_l3, "X2", l3->x2_stripe},
                {l3->y_in_l3, "Y", l3->y_stripe}};
    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t half = 0; rows[i].used && half < (l3->stripes > 1 ? 2u : 1u); half++) {
            if (rows[i].pair[half] == index) {
                return ts_arena_printf(e->arena, "%s_L2_%s_%02u%s", e->macro, rows[i].name, buffer->layer,
                                       l3->stripes <= 1 ? ""
                                       : half == 0      ? "_A"
                                                        : "_B");
            }
        }
    }
    TS_ASSERT(false, "emit: a stripe buffer that no layer uses");
    return "";
}

static uint32_t levels_of(const ts__emit *e) { return ts_target_levels(e->plan->target); }

/* The memory that activations live in, as names have it. */
static const char *home_name(const ts__emit *e) { return levels_of(e) == 1 ? "RAM" : "L2"; }

const char *ts__buffer_name(const ts__emit *e, int32_t index) {
    TS_ASSERT(index >= 0 && (uint32_t)index < e->plan->buffers.count, "emit: buffer index");
    const ts_buffer *buffer = &e->plan->buffers.data[index];
    if (buffer->role == TS_BUFFER_WEIGHTS) {
        bool whole = e->plan->layer_plans[buffer->layer].l3.chunks == 1;
        return whole ? ts_arena_printf(e->arena, "%s_%s_W_%02u", e->macro, home_name(e), buffer->layer)
                     : ts_arena_printf(e->arena, "%s_%s_W_%02u_%u", e->macro, home_name(e), buffer->layer,
                                       buffer->part);
    }
    if (buffer->role == TS_BUFFER_SCRATCH) {
        return ts_arena_printf(e->arena, "%s_%s_SCRATCH_%02u", e->macro, home_name(e), buffer->layer);
    }
    if (buffer->role == TS_BUFFER_STRIPE) {
        return stripe_name(e, buffer, index);
    }
    const char *level = buffer->level == TS_IN_L3 ? "L3" : home_name(e);
    int input = input_number(graph_of(e), buffer->tensor);
    return input >= 0 ? ts_arena_printf(e->arena, "%s_%s_IN_%d", e->macro, level, input)
                      : ts_arena_printf(e->arena, "%s_%s_OUT_%02u", e->macro, level,
                                        producer_layer(e->plan, buffer->tensor));
}

/* ---- weights -------------------------------------------------------------------------------------- */

bool ts__starts_fetches(const ts__emit *e, uint32_t first, uint32_t last) {
    for (uint32_t i = 0; i < e->plan->fetches.count; i++) {
        uint32_t step = e->plan->fetches.data[i].step;
        if (first <= step && step <= last) {
            return true;
        }
    }
    return false;
}

bool ts__l3_busy(const ts__emit *e, uint32_t layer) {
    const ts_plan *plan = e->plan;
    uint32_t first = plan->layer_plans[layer].l3.first_step;
    uint32_t end = layer + 1 < plan->layer_count ? plan->layer_plans[layer + 1].l3.first_step : UINT32_MAX;
    for (uint32_t i = 0; i < plan->fetches.count; i++) {
        const ts_fetch *f = &plan->fetches.data[i];
        if (f->step < end && plan->layer_plans[f->layer].l3.first_step + f->part > first) {
            return true;
        }
    }
    return false;
}

uint8_t *ts__weight_image(const ts__emit *e, size_t *size) {
    *size = (size_t)e->plan->l3_weights_bytes;
    uint8_t *image = ts_arena_alloc(e->arena, *size);
    for (uint32_t i = 0; i < e->plan->layer_count; i++) {
        const ts_layer_plan *lp = &e->plan->layer_plans[i];
        if (lp->l3.weights_bytes > 0) {
            TS_ASSERT(lp->l3.weights_l3_offset + lp->l3.weights_bytes <= *size, lp->layer->name);
            lp->kernel->pack(lp->layer, image + lp->l3.weights_l3_offset);
        }
    }
    return image;
}

static void emit_weights_h(const ts__emit *e, ts_text *out, const uint8_t *image, size_t size) {
    ts__head(e, out,
             ts_arena_printf(
                 e->arena,
                 "%s: where each layer's packed weights and requantisation parameters begin. A checksum "
                 "is the sum of the bytes modulo 2^32.",
                 levels_of(e) < 3 ? "weights.c" : "weights.bin"));
    ts__line(out, 0, "#ifndef %s_WEIGHTS_H\n#define %s_WEIGHTS_H\n", e->macro, e->macro);
    ts__line(out, 0, "enum {");
    for (uint32_t i = 0; i < e->plan->layer_count; i++) {
        const ts_l3_plan *l3 = &e->plan->layer_plans[i].l3;
        if (l3->weights_bytes > 0) {
            uint32_t sum = ts_emit_sum(image + l3->weights_l3_offset, (size_t)l3->weights_bytes);
            ts__line(out, 1,
                     "%s_W_%02u = %" PRIu64 ", %s_W_%02u_BYTES = %" PRIu64 ", /* checksum 0x%08" PRIx32 " */",
                     e->macro, i, l3->weights_l3_offset, e->macro, i, l3->weights_bytes, sum);
        }
    }
    ts__line(out, 1, "%s_W_BYTES = %zu /* checksum 0x%08" PRIx32 " */", e->macro, size,
             ts_emit_sum(image, size));
    ts__line(out, 0, "};\n");
    if (levels_of(e) < 3) {
        ts__line(out, 0, "extern const uint32_t %s_weights[];\n", e->prefix);
    }
    ts__line(out, 0, "#endif");
}

/* The weights as constants of the program, in the words of a little-endian machine. */
static void emit_weights_c(const ts__emit *e, ts_text *out, const uint8_t *image, size_t size) {
    ts__head(e, out,
             "The packed weights and requantisation parameters; weights.h says where each layer's begin.");
    ts__line(out, 0, "#include <stdint.h>\n\n#include \"weights.h\"\n");
    ts__line(out, 0, "const uint32_t %s_weights[] = {", e->prefix);
    for (size_t i = 0; i < size || i == 0; i += 4) {
        uint32_t word = 0;
        for (size_t b = 0; b < 4 && i + b < size; b++) {
            word |= (uint32_t)image[i + b] << 8 * b;
        }
        ts_text_printf(out, "%s0x%" PRIx32 ",", i == 0 ? "    " : i % 48 == 0 ? "\n    " : " ", word);
    }
    ts_text_add(out, "\n};\n");
}

/* ---- memory.h ------------------------------------------------------------------------------------- */

const char *ts__buffer_meaning(const ts__emit *e, const ts_buffer *buffer) {
    if (buffer->role == TS_BUFFER_WEIGHTS) {
        const ts_l3_plan *l3 = &e->plan->layer_plans[buffer->layer].l3;
        return l3->chunks == 1 ? ts_arena_printf(e->arena, "weights of layer %u", buffer->layer)
                               : ts_arena_printf(e->arena, "chunk %u of the weights of layer %u",
                                                 buffer->part % l3->chunks, buffer->layer);
    }
    if (buffer->role == TS_BUFFER_STRIPE) {
        return ts_arena_printf(e->arena, "a stripe of layer %u", buffer->layer);
    }
    if (buffer->role == TS_BUFFER_SCRATCH) {
        return ts_arena_printf(e->arena, "of the kernel of layer %u", buffer->layer);
    }
    const ts_tensor *t = &graph_of(e)->tensors.data[buffer->tensor];
    int input = input_number(graph_of(e), buffer->tensor);
    return ts_arena_printf(
        e->arena, "%s, %s %ux%ux%u",
        input >= 0 ? "input"
                   : ts_arena_printf(e->arena, "output of layer %u", producer_layer(e->plan, buffer->tensor)),
        ts_type_name(t->type), ts_h(t), ts_w(t), ts_c(t));
}

static void emit_buffers(const ts__emit *e, ts_text *out, ts_level level) {
    for (uint32_t i = 0; i < e->plan->buffers.count; i++) {
        const ts_buffer *b = &e->plan->buffers.data[i];
        if (b->level == level) {
            ts__line(out, 1, "%s = %" PRIu64 ", /* %" PRIu64 " bytes, layers %u to %u: %s */",
                     ts__buffer_name(e, (int32_t)i), b->offset, b->bytes, b->first_layer, b->last_layer,
                     ts__buffer_meaning(e, b));
        }
    }
}

/* L3 that the network needs: the weights, and activations. */
static uint64_t l3_bytes(const ts_plan *plan) {
    bool apart = ts_target_weights_apart(plan->target);
    return apart || plan->l3_used_bytes > plan->l3_weights_bytes ? plan->l3_used_bytes
                                                                 : plan->l3_weights_bytes;
}

static void emit_memory_h(const ts__emit *e, ts_text *out) {
    const ts_plan *plan = e->plan;
    ts__head(e, out,
             ts_arena_printf(
                 e->arena,
                 "The network's %s: %" PRIu64 " of %" PRIu64
                 " bytes. Offsets from the memory that the caller lends; buffers that live at the same "
                 "time do not overlap%s.",
                 levels_of(e) == 1 ? "RAM" : "L2 memory", plan->l2_used_bytes, plan->options.l2_bytes,
                 levels_of(e) == 1 ? ", but for a result that overwrites its dying input behind what is read"
                                   : ""));
    ts__line(out, 0, "#ifndef %s_MEMORY_H\n#define %s_MEMORY_H\n", e->macro, e->macro);
    ts__line(out, 0, "enum {");
    emit_buffers(e, out, TS_IN_L2);
    emit_buffers(e, out, TS_IN_L3);
    if (levels_of(e) == 3) {
        ts__line(out, 1, "%s_L3_BYTES = %" PRIu64 ", /* %s */", e->macro, l3_bytes(plan),
                 ts_target_weights_apart(plan->target)
                     ? "for activations; the weights have a memory of their own"
                     : "activations in L3 lie behind the weights");
    }
    ts__line(out, 1, "%s_%s_BYTES = %" PRIu64, e->macro, home_name(e), plan->l2_used_bytes);
    ts__line(out, 0, "};\n\n#endif");
}

/* ---- network.h, network.c ------------------------------------------------------------------------- */

/* "int NAME_run(...)": the memories that the target has. */
static const char *run_signature(const ts__emit *e) {
    static const char *const parameters[] = {
        "void *ram, uint32_t ram_bytes", "void *l1, uint32_t l1_bytes, void *l2, uint32_t l2_bytes",
        "void *l1, uint32_t l1_bytes, void *l2, uint32_t l2_bytes, uint32_t l3"};
    return ts_arena_printf(e->arena, "int %s_run(%s%s)", e->prefix, parameters[levels_of(e) - 1],
                           ts_target_weights_apart(e->plan->target) ? ", uint32_t weights" : "");
}

static void emit_run_comment(const ts__emit *e, ts_text *out) {
    bool apart = ts_target_weights_apart(e->plan->target);
    const char *const weights[] = {
        "", "",
        apart ? " weights is the address of weights.bin on the L3 bus, l3 of the memory for "
                "activations there."
              : " l3 is the address of weights.bin in L3."};
    uint32_t levels = levels_of(e);
    ts__comment(
        out, 0,
        "Runs the network on the memory that the caller lends, aligned to 4 bytes%s.%s The input lies in "
        "%s where %s_network.inputs says; the output is found where its outputs say. Returns 0, or 1 where "
        "the memory is too small and nothing was computed.",
        levels == 3 ? "; every core of the team calls it with the same arguments" : "", weights[levels - 1],
        levels == 1 ? "ram" : "l2", e->prefix);
}

static void emit_network_h(const ts__emit *e, ts_text *out) {
    ts__head(e, out,
             ts_arena_printf(e->arena, "Network %s, %u layers.", graph_of(e)->name, e->plan->layer_count));
    ts__line(out, 0, "#ifndef %s_NETWORK_H\n#define %s_NETWORK_H\n", e->macro, e->macro);
    ts__line(out, 0, "#include \"runtime/network.h\"\n");
    ts__line(out, 0, "enum { %s_LAYERS = %u, %s_L1_BYTES = %" PRIu64 " };\n", e->macro, e->plan->layer_count,
             e->macro, e->plan->l1_used_bytes);
    if (e->plan->fetches.count > 0) {
        ts__line(out, 0, "/* Weights from L3, for the layers. */");
        ts__line(out, 0, "enum { %s_FETCHES = %u };", e->macro, e->plan->fetches.count);
        ts__line(out, 0, "extern const struct ts_fetch %s_fetches[];\n", e->prefix);
    }
    ts__line(out, 0, "/* Layers, memory needs, inputs and outputs. */");
    ts__line(out, 0, "extern const struct ts_network %s_network;\n", e->prefix);
    emit_run_comment(e, out);
    ts__line(out, 0, "%s;\n", run_signature(e));
    ts__line(out, 0, "/* The layers; %s_run() calls them in this order. */", e->prefix);
    for (uint32_t i = 0; i < e->plan->layer_count; i++) {
        ts__line(out, 0, "void %s(struct ts_run *run);", e->functions[i]);
    }
    ts__line(out, 0, "\n#endif");
}

/* Index of the buffer that holds a tensor. */
static int32_t buffer_of(const ts_plan *plan, ts_tensor_id tensor) {
    for (uint32_t i = 0; i < plan->buffers.count; i++) {
        const ts_buffer *b = &plan->buffers.data[i];
        if (b->role == TS_BUFFER_ACTIVATION && b->tensor == tensor) {
            return (int32_t)i;
        }
    }
    return TS_NO_BUFFER;
}

static bool in_l3(const ts__emit *e, int32_t buffer) {
    return e->plan->buffers.data[buffer].level == TS_IN_L3;
}

static void emit_places(const ts__emit *e, ts_text *out, const char *name, const ts_tensor_id *tensors,
                        uint32_t count) {
    ts__line(out, 0, "static const struct ts_place %s[] = {", name);
    for (uint32_t i = 0; i < count; i++) {
        const ts_tensor *t = &graph_of(e)->tensors.data[tensors[i]];
        int32_t buffer = buffer_of(e->plan, tensors[i]);
        ts__line(out, 1, "{%s, %" PRIu64 ", %s},", ts__buffer_name(e, buffer), ts_emit_map_bytes(t),
                 in_l3(e, buffer) ? "TS_IN_L3" : "TS_IN_L2");
    }
    ts__line(out, 0, "};\n");
}

const char *ts__c_string(const ts__emit *e, const char *text) {
    ts_text out = {.arena = e->arena};
    ts_text_add(&out, "\"");
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\' || *c == '?' || (unsigned char)*c < ' ' || (unsigned char)*c > '~') {
            ts_text_printf(&out, "\\%03o", (unsigned)(unsigned char)*c);
        } else {
            ts_text_printf(&out, "%c", *c);
        }
    }
    ts_text_add(&out, "\"");
    return out.data;
}

static void emit_run(const ts__emit *e, ts_text *out) {
    uint32_t levels = levels_of(e);
    ts__line(out, 0, "%s {", run_signature(e));
    if (levels == 1) {
        ts__line(out, 1, "struct ts_run run = {.l2 = ram};");
        ts__line(out, 1, "if (ram_bytes < %s_RAM_BYTES) {", e->macro);
    } else {
        ts__line(out, 1, "struct ts_run run = {.l1 = l1, .l2 = l2%s};",
                 levels != 3                                ? ""
                 : ts_target_weights_apart(e->plan->target) ? ", .l3 = l3, .weights = weights"
                                                            : ", .l3 = l3");
        bool tiles = e->plan->l1_used_bytes > 0 || levels == 3;
        if (!tiles) {
            ts__line(out, 1, "(void)l1_bytes; /* no layer has tiles */");
        }
        const char *inner = tiles ? ts_arena_printf(e->arena, "l1_bytes < %s_L1_BYTES || ", e->macro) : "";
        ts__line(out, 1, "if (%sl2_bytes < %s_L2_BYTES) {", inner, e->macro);
    }
    ts__line(out, 2, "return 1;");
    ts__line(out, 1, "}");
    ts__line(out, 1, "for (int i = 0; i < %s_LAYERS; i++) {", e->macro);
    ts__line(out, 2, "layers[i].run(&run);");
    ts__line(out, 1, "}");
    ts__line(out, 1, "return 0;");
    ts__line(out, 0, "}");
}

/* All fetches of weights, in the order of the bus. */
static void emit_fetches(const ts__emit *e, ts_text *out) {
    const ts_plan *plan = e->plan;
    if (plan->fetches.count == 0) {
        return;
    }
    ts__line(out, 0,
             "/* Each: place in L2, place in weights.bin, bytes, the step with which it may start. */");
    ts__line(out, 0, "const struct ts_fetch %s_fetches[] = {", e->prefix);
    for (uint32_t i = 0; i < plan->fetches.count; i++) {
        const ts_fetch *f = &plan->fetches.data[i];
        uint64_t first = f->from - plan->layer_plans[f->layer].l3.weights_l3_offset;
        const char *more = first == 0 ? "" : ts_arena_printf(e->arena, " + %" PRIu64, first);
        ts__line(out, 1, "{%s, %s_W_%02u%s, %" PRIu64 ", %u},", ts__buffer_name(e, f->buffer), e->macro,
                 f->layer, more, f->bytes, f->step);
    }
    ts__line(out, 0, "};\n");
}

static void emit_network_c(const ts__emit *e, ts_text *out) {
    const ts_graph *graph = graph_of(e);
    ts__head(e, out, ts_arena_printf(e->arena, "Network %s: the sequence of its layers.", graph->name));
    bool checked = ts__is_checked(e->plan);
    ts__line(out, 0, "#include \"network.h\"\n\n#include \"memory.h\"\n%s#include \"weights.h\"\n",
             checked ? "#include \"runtime/check.h\"\n" : "");
    if (checked) {
        ts__emit_check(e, out);
    }
    emit_fetches(e, out);
    ts__line(out, 0, "static const struct ts_network_layer layers[] = {");
    for (uint32_t i = 0; i < e->plan->layer_count; i++) {
        const ts_layer *layer = &e->plan->layers[i];
        const ts_layer_plan *lp = &e->plan->layer_plans[i];
        uint64_t bytes = ts_emit_map_bytes(&graph->tensors.data[layer->y.tensor]);
        const char *place = lp->y_stays ? ts_arena_printf(e->arena, "%" PRIu64, lp->l1.y_offset[0])
                                        : ts__buffer_name(e, lp->y_buffer);
        ts__line(out, 1, "{%s, %s, {%s, %" PRIu64 ", %s}},", ts__c_string(e, layer->name),
                 ts__called_function(e, i), place, bytes,
                 lp->y_stays              ? "TS_IN_L1"
                 : in_l3(e, lp->y_buffer) ? "TS_IN_L3"
                                          : "TS_IN_L2");
    }
    ts__line(out, 0, "};\n");
    emit_places(e, out, "inputs", graph->inputs.data, graph->inputs.count);
    emit_places(e, out, "outputs", graph->outputs.data, graph->outputs.count);
    ts__line(out, 0, "const struct ts_network %s_network = {", e->prefix);
    ts__line(out, 1, ".name = %s,", ts__c_string(e, graph->name));
    ts__line(out, 1, ".layers = layers, .layer_count = %s_LAYERS,", e->macro);
    ts__line(out, 1, ".inputs = inputs, .input_count = %u,", graph->inputs.count);
    ts__line(out, 1, ".outputs = outputs, .output_count = %u,", graph->outputs.count);
    ts__line(out, 1, ".l1_bytes = %s_L1_BYTES, .l2_bytes = %s_%s_BYTES,", e->macro, e->macro, home_name(e));
    if (levels_of(e) == 3) {
        ts__line(out, 1, ".l3_bytes = %s_L3_BYTES, .image_bytes = %s_W_BYTES,", e->macro, e->macro);
    }
    ts__line(out, 0, "};\n");
    emit_run(e, out);
}

/* ---- all files of a network ------------------------------------------------------------------------- */

static void add_text(const ts__emit *e, ts_app *app, const char *path, const ts_text *text) {
    const char *folder = e->options->folder == NULL ? "" : e->options->folder;
    const char *slash = *folder == '\0' || folder[strlen(folder) - 1] == '/' ? "" : "/";
    ts_app_add(app, ts_arena_printf(e->arena, "%s%s%s", folder, slash, path), text->data, text->size);
}

static void name_layers(ts__emit *e) {
    e->functions = TS_NEW_ARRAY(e->arena, const char *, e->plan->layer_count);
    for (uint32_t i = 0; i < e->plan->layer_count; i++) {
        e->functions[i] = ts_arena_printf(e->arena, "%s_layer_%02u_%s", e->prefix, i,
                                          lower_identifier(e->arena, e->plan->layers[i].name));
    }
}

static ts_status emit_layers(const ts__emit *e, ts_app *app) {
    for (uint32_t i = 0; i < e->plan->layer_count; i++) {
        ts_text out = {.arena = e->arena};
        TS_TRY(ts__emit_layer(e, i, &out));
        const char *name = lower_identifier(e->arena, e->plan->layers[i].name);
        add_text(e, app, ts_arena_printf(e->arena, "layers/%02u_%s.c", i, name), &out);
    }
    return TS_OK;
}

ts_status ts_emit_network(ts_app *app, const ts_plan *plan, const ts_emit_options *options, ts_emitted *out,
                          ts_diags *diags) {
    ts__emit e = {.arena = app->arena, .diags = diags, .plan = plan, .options = options};
    const char *name = options->prefix != NULL ? options->prefix : plan->graph->name;
    const char *prefix = lower_identifier(e.arena, name == NULL || *name == '\0' ? "network" : name);
    e.prefix = *prefix == '_' ? ts_arena_printf(e.arena, "net%s", prefix) : prefix;
    e.macro = upper(e.arena, e.prefix);
    name_layers(&e);
    size_t image_size = 0;
    uint8_t *image = ts__weight_image(&e, &image_size);
    ts_text memory = {.arena = e.arena}, weights = memory, header = memory, source = memory, json = memory;
    emit_memory_h(&e, &memory);
    emit_weights_h(&e, &weights, image, image_size);
    emit_network_h(&e, &header);
    emit_network_c(&e, &source);
    ts_plan_print_json(&json, plan);
    bool in_flash = levels_of(&e) < 3;
    ts_text binary = {.arena = e.arena, .data = (char *)image, .size = image_size};
    ts_text constants = {.arena = e.arena};
    if (in_flash) {
        emit_weights_c(&e, &constants, image, image_size);
    }
    add_text(&e, app, "network.h", &header);
    add_text(&e, app, "network.c", &source);
    add_text(&e, app, "memory.h", &memory);
    add_text(&e, app, "weights.h", &weights);
    add_text(&e, app, in_flash ? "weights.c" : "weights.bin", in_flash ? &constants : &binary);
    add_text(&e, app, "plan.json", &json);
    TS_TRY(emit_layers(&e, app));
    const char *folder = options->folder == NULL ? "" : options->folder;
    const char **called = TS_NEW_ARRAY(e.arena, const char *, plan->layer_count);
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        called[i] = ts__called_function(&e, i);
    }
    *out = (ts_emitted){.prefix = e.prefix,
                        .folder = folder,
                        .layer_functions = called,
                        .plan = plan,
                        .image = image,
                        .image_size = image_size,
                        .l1_bytes = plan->l1_used_bytes,
                        .l2_bytes = plan->l2_used_bytes};
    return TS_OK;
}
