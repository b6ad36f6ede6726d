#include "run/run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "ir/text_form.h"
#include "model/model.h"
#include "num/generate.h"
#include "num/integer.h"
#include "quant/npz.h"
#include "run/internal.h"
#include "run/values.h"
#include "sim/elf.h"

enum { ELF_LIMIT = 256 << 20 };

typedef struct sample {
    int32_t **inputs;               /* one a network input */
    int32_t **reference;            /* by tensor */
    const ts_golden_sample *golden; /* NULL: none */
} sample;

typedef struct runner {
    ts_arena *arena;
    ts_diags *diags;
    const ts_graph *graph;
    const ts_run_options *options;
    ts_plan *plan;
    ts_emitted emitted;
    const char *folder;  /* of the application */
    const char *scratch; /* of files that the run needs, removed in the end */
    bool host;
    bool near; /* one core, at most two levels of memory */
    sample *samples;
    uint32_t sample_count;
    int32_t **computed; /* by tensor: the last sample's layer outputs; NULL where nobody asks */
    ts_run_result *out;
} runner;

static double now_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void progress(const runner *r, const char *stage, uint32_t done, uint32_t of) {
    if (r->options->progress != NULL) {
        r->options->progress(r->options->user, stage, done, of);
    }
}

static const ts_tensor *tensor_of(const runner *r, ts_tensor_id id) { return &r->graph->tensors.data[id]; }

ts_status ts_run_target(ts_arena *arena, const char *name, const ts_target **out, ts_diags *diags) {
    bool host = strcmp(name, "host") == 0;
    const ts_target *loaded = NULL;
    TS_TRY(ts_target_load(arena, host ? "gap8" : name, &loaded, diags));
    if (host) {
        ts_target *target = ts_arena_copy(arena, loaded, sizeof *loaded);
        target->name = "host";
        target->description = "this machine, with the memories of gap8: the quick witness";
        target->isa = "c";
        target->platform = "host";
        loaded = target;
    }
    *out = loaded;
    return TS_OK;
}

/* ---- inputs --------------------------------------------------------------------------------------- */

static ts_status golden_samples(runner *r) {
    ts_goldens goldens;
    TS_TRY(ts_goldens_read(r->arena, r->options->golden, &goldens, r->diags));
    const ts_tensor *input = tensor_of(r, r->graph->inputs.data[0]);
    if (r->graph->inputs.count != 1 || goldens.sample_count == 0) {
        return ts_error(r->diags, TS_DIAG_SHAPE, NULL, NULL,
                        "'%s' has %u inputs for a network of %u; goldens hold one", r->options->golden,
                        goldens.sample_count, r->graph->inputs.count);
    }
    r->sample_count = goldens.sample_count;
    r->samples = TS_NEW_ARRAY(r->arena, sample, goldens.sample_count);
    for (uint32_t i = 0; i < goldens.sample_count; i++) {
        const ts_golden_sample *g = &goldens.samples[i];
        if (g->input_count != ts_tensor_elements(input)) {
            return ts_error(r->diags, TS_DIAG_SHAPE, NULL, NULL,
                            "input %u of '%s' has %" PRIu64 " values; the network takes %" PRIu64, i,
                            r->options->golden, g->input_count, ts_tensor_elements(input));
        }
        r->samples[i].golden = g;
        r->samples[i].inputs = TS_NEW_ARRAY(r->arena, int32_t *, 1);
        r->samples[i].inputs[0] = ts_arena_copy(r->arena, g->input, (size_t)g->input_count * sizeof(int32_t));
    }
    return TS_OK;
}

/* One array that an input file stands for: a file of its own, or bytes of an archive. */
typedef struct source {
    const char *path;
    ts_bytes npy; /* of an archive; NULL: none */
} source;

typedef TS_VEC(source) source_list;

static ts_status list_sources(runner *r, source_list *list) {
    for (uint32_t i = 0; i < r->options->input_count; i++) {
        const char *path = r->options->inputs[i];
        ts_npz archive = {0};
        if (!ts_npz_is_path(path)) {
            TS_PUSH(r->arena, list, ((source){.path = path}));
            continue;
        }
        TS_TRY(ts_npz_read(r->arena, path, &archive, r->diags));
        for (uint32_t k = 0; k < archive.count; k++) {
            TS_PUSH(r->arena, list, ((source){path, archive.arrays[k]}));
        }
    }
    return TS_OK;
}

static ts_status read_source(runner *r, const source *s, const ts_tensor *tensor, const int32_t **values) {
    if (s->npy.data == NULL) {
        return ts_tensor_values_read(r->arena, s->path, tensor, values, r->diags);
    }
    const char *outer = r->diags->file;
    r->diags->file = s->path;
    ts_status status = ts_npy_tensor_values(r->arena, s->npy, tensor, values, r->diags);
    r->diags->file = outer;
    return status;
}

/* The network's outputs, in their order: the golden of the layers that compute them. */
static ts_status archive_golden(runner *r) {
    const ts_graph *g = r->graph;
    ts_npz archive = {0};
    TS_TRY(ts_npz_read(r->arena, r->options->golden, &archive, r->diags));
    if (r->sample_count != 1 || archive.count != g->outputs.count) {
        return ts_error(
            r->diags, TS_DIAG_SHAPE, NULL, NULL,
            "'%s' has %u arrays for %u samples of a network of %u outputs; one for each output of one "
            "sample would be right",
            r->options->golden, archive.count, r->sample_count, g->outputs.count);
    }
    ts_golden_sample *golden = TS_NEW(r->arena, ts_golden_sample);
    const int32_t **layers = TS_NEW_ARRAY(r->arena, const int32_t *, g->nodes.count);
    uint64_t *counts = TS_NEW_ARRAY(r->arena, uint64_t, g->nodes.count);
    for (uint32_t i = 0; i < archive.count; i++) {
        const ts_tensor *tensor = tensor_of(r, g->outputs.data[i]);
        const source s = {r->options->golden, archive.arrays[i]};
        TS_TRY(read_source(r, &s, tensor, &layers[tensor->producer]));
        counts[tensor->producer] = ts_tensor_elements(tensor);
    }
    golden->layer_count = g->nodes.count;
    golden->layers = layers;
    golden->layer_counts = counts;
    r->samples[0].golden = golden;
    return TS_OK;
}

static ts_status file_samples(runner *r) {
    source_list list = {0};
    TS_TRY(list_sources(r, &list));
    uint32_t each = r->graph->inputs.count, files = (uint32_t)list.count;
    if (files % each != 0) {
        return ts_error(r->diags, TS_DIAG_USAGE, NULL, NULL,
                        "%u input files for a network of %u inputs; give all inputs of each sample", files,
                        each);
    }
    r->sample_count = files / each;
    r->samples = TS_NEW_ARRAY(r->arena, sample, r->sample_count);
    for (uint32_t i = 0; i < files; i++) {
        sample *s = &r->samples[i / each];
        if (i % each == 0) {
            s->inputs = TS_NEW_ARRAY(r->arena, int32_t *, each);
        }
        const ts_tensor *tensor = tensor_of(r, r->graph->inputs.data[i % each]);
        const int32_t *values = NULL;
        TS_TRY(read_source(r, &list.data[i], tensor, &values));
        uint64_t count = ts_tensor_elements(tensor);
        s->inputs[i % each] = ts_arena_copy(r->arena, values, (size_t)count * sizeof(int32_t));
    }
    return TS_OK;
}

static void random_sample(runner *r) {
    r->sample_count = 1;
    r->samples = TS_NEW(r->arena, sample);
    r->samples[0].inputs = TS_NEW_ARRAY(r->arena, int32_t *, r->graph->inputs.count);
    for (uint32_t i = 0; i < r->graph->inputs.count; i++) {
        r->samples[0].inputs[i] =
            ts_random_values(r->arena, r->options->seed + i, tensor_of(r, r->graph->inputs.data[i]), false);
    }
}

static ts_status make_samples(runner *r) {
    bool outputs_only = r->options->golden != NULL && ts_npz_is_path(r->options->golden);
    if (outputs_only && r->options->input_count == 0) {
        return ts_error(r->diags, TS_DIAG_USAGE, NULL, NULL,
                        "'%s' holds outputs; the inputs that they are of have to be given, too",
                        r->options->golden);
    }
    if (r->options->golden != NULL && !outputs_only) {
        TS_TRY(golden_samples(r));
    } else if (r->options->input_count > 0) {
        TS_TRY(file_samples(r));
    } else {
        random_sample(r);
    }
    if (outputs_only) {
        TS_TRY(archive_golden(r));
    }
    if (r->options->sample_limit > 0 && r->sample_count > r->options->sample_limit) {
        r->sample_count = r->options->sample_limit;
    }
    for (uint32_t i = 0; i < r->sample_count; i++) {
        progress(r, "reference", i, r->sample_count + 1);
        TS_TRY(ts_integer_run(r->graph, r->arena, (const int32_t *const *)r->samples[i].inputs,
                              &r->samples[i].reference, r->diags));
    }
    return TS_OK;
}

static uint8_t *packed_inputs(const runner *r, const sample *s, size_t *size) {
    *size = 0;
    for (uint32_t i = 0; i < r->graph->inputs.count; i++) {
        *size += (size_t)ts_emit_map_bytes(tensor_of(r, r->graph->inputs.data[i]));
    }
    uint8_t *all = ts_arena_alloc(r->arena, *size), *to = all;
    for (uint32_t i = 0; i < r->graph->inputs.count; i++) {
        const ts_tensor *tensor = tensor_of(r, r->graph->inputs.data[i]);
        size_t bytes = (size_t)ts_emit_map_bytes(tensor);
        memcpy(to, ts_values_pack(r->arena, tensor, s->inputs[i]), bytes);
        to += bytes;
    }
    return all;
}

/* ---- compile -------------------------------------------------------------------------------------- */

static uint32_t *reference_sums(const runner *r, const sample *s) {
    uint32_t *sums = TS_NEW_ARRAY(r->arena, uint32_t, r->plan->layer_count);
    for (uint32_t i = 0; i < r->plan->layer_count; i++) {
        ts_tensor_id id = r->plan->layers[i].y.tensor;
        const ts_tensor *tensor = tensor_of(r, id);
        sums[i] = ts_emit_sum(ts_values_pack(r->arena, tensor, s->reference[id]),
                              (size_t)ts_emit_map_bytes(tensor));
    }
    return sums;
}

/* L2 that an embedded input and image leave to the network; image_bytes 0: the image lies elsewhere. */
static uint64_t l2_left(const runner *r, uint64_t image_bytes) {
    const ts_memory *l2 = ts_target_level(r->options->target, 2);
    uint64_t program = ts_plan_program_bytes(r->plan), reserve = r->options->target->code_reserve_bytes;
    uint64_t taken = (program > reserve ? program : reserve) + image_bytes;
    for (uint32_t i = 0; i < r->graph->inputs.count; i++) {
        taken += ts_emit_map_bytes(tensor_of(r, r->graph->inputs.data[i]));
    }
    taken = (taken + 31) / 16 * 16;
    return l2 == NULL || taken > l2->size_bytes ? 0 : l2->size_bytes - taken;
}

static bool image_fits(const runner *r, const ts_plan *plan) {
    return plan->l2_used_bytes <= l2_left(r, plan->l3_weights_bytes);
}

/* Plans once more where the kernels that fit in the end need more of L2 than the plan leaves. */
static ts_status leave_room(runner *r) {
    const ts_memory *l2 = ts_target_level(r->options->target, 2);
    bool near = ts__is_near(r->options->target);
    if (r->host || near || r->options->plan.l2_bytes != 0 || l2 == NULL) {
        return TS_OK;
    }
    uint64_t needed = ts_plan_program_bytes(r->plan);
    if (needed >= l2->size_bytes || r->plan->l2_used_bytes + needed <= l2->size_bytes) {
        return TS_OK;
    }
    ts_plan_options options = r->options->plan;
    options.l2_bytes = (l2->size_bytes - needed) / 16 * 16;
    return ts_plan_build(r->arena, r->graph, r->options->target, &options, &r->plan, r->diags);
}

/* Plans again with less L2; the plan that there is stays where that fits nowhere. */
static void plan_again(runner *r, uint64_t l2_bytes) {
    ts_plan_options options = r->options->plan;
    ts_diags tried = {.arena = r->arena};
    ts_plan *plan = NULL;
    options.l2_bytes = l2_bytes;
    if (l2_bytes > 0 &&
        ts_plan_build(r->arena, r->graph, r->options->target, &options, &plan, &tried) == TS_OK) {
        r->plan = plan;
    }
}

static ts_status no_room(const runner *r, const char *memory, const char *option, uint64_t used,
                         uint64_t left) {
    return ts_error(r->diags, TS_DIAG_NO_FIT, NULL, NULL,
                    "the plan uses %" PRIu64 " bytes of %s; target '%s' leaves %" PRIu64
                    " to the network: give %s %" PRIu64 " or less",
                    used, memory, r->options->target->name, left, option, left);
}

/* A budget may be more than the chip has, to see in a plan what that would gain; a program for it would not
 * run. Where the program leaves less of L2 than is budgeted, that shows when it is linked. */
static ts_status check_chip(const runner *r) {
    const ts_target *t = r->options->target;
    const ts_plan *p = r->plan;
    bool flat = ts_target_levels(t) == 1, near = ts__is_near(t);
    uint64_t inner = ts_target_level(t, 1)->size_bytes, used = flat ? p->l2_used_bytes : p->l1_used_bytes;
    uint64_t taken = (uint64_t)p->options.stack_bytes * p->options.cores + t->data_reserve_bytes;
    uint64_t left = inner > taken ? inner - taken : 0;
    if (strcmp(t->platform, "host") == 0) {
        return TS_OK;
    }
    if (used > left) {
        return no_room(r, flat ? "RAM" : "L1", flat ? "--ram" : "--l1", used, left);
    }
    uint64_t outer = flat ? UINT64_MAX : ts_target_level(t, 2)->size_bytes;
    uint64_t program = near ? 0 : ts_plan_program_bytes(p);
    return p->l2_used_bytes <= outer ? TS_OK
                                     : no_room(r, "L2", "--l2", p->l2_used_bytes,
                                               outer > program ? (outer - program) / 16 * 16 : 0);
}

/* With an embedded input less L2 is left, and an embedded image lies in it too where that is possible. */
static ts_status make_plan(runner *r) {
    TS_TRY(ts_plan_build(r->arena, r->graph, r->options->target, &r->options->plan, &r->plan, r->diags));
    TS_TRY(check_chip(r));
    if (!r->options->self_check) {
        return leave_room(r);
    }
    if (r->plan->l2_used_bytes > l2_left(r, 0)) {
        plan_again(r, l2_left(r, 0));
    }
    if (!image_fits(r, r->plan)) {
        ts_plan *without = r->plan;
        plan_again(r, l2_left(r, r->plan->l3_weights_bytes + 4096));
        r->plan = image_fits(r, r->plan) ? r->plan : without;
    }
    return TS_OK;
}

/* An application that lies there is of use only if it was made by the plan that is made now. */
static ts_status same_plan(const runner *r, const ts_app *app) {
    const char *path = ts_path_join(r->arena, r->options->application, "plan.json");
    ts_bytes theirs;
    TS_TRY(ts_file_read(r->arena, path, ELF_LIMIT, &theirs, r->diags));
    for (uint32_t i = 0; i < app->files.count; i++) {
        const ts_app_file *ours = &app->files.data[i];
        if (strcmp(ours->path, "plan.json") == 0 &&
            (ours->size != theirs.size || memcmp(ours->data, theirs.data, theirs.size) != 0)) {
            return ts_error(
                r->diags, TS_DIAG_VALUE, NULL, NULL,
                "'%s' is not the plan that this tessera makes of network.tsg; compile the network again",
                path);
        }
    }
    return TS_OK;
}

static ts_status emit(runner *r, const char *folder) {
    double begin = now_seconds();
    ts_emit_options options = {.command = r->options->command};
    if (r->options->self_check) {
        if (r->near) {
            return ts_error(r->diags, TS_DIAG_USAGE, NULL, NULL,
                            "weights are constants of the program on target %s already; run it without "
                            "--embed-weights",
                            r->options->target->name);
        }
        if (ts_target_weights_apart(r->options->target)) {
            return ts_error(
                r->diags, TS_DIAG_USAGE, NULL, NULL,
                "the weights of target %s lie in '%s', which a program cannot write; run it without "
                "--embed-weights",
                r->options->target->name, r->options->target->weights_memory);
        }
        if (r->host) {
            return ts_error(r->diags, TS_DIAG_USAGE, NULL, NULL,
                            "target host has no L3 to embed weights for; use --embed-weights with a chip");
        }
        size_t size;
        options.embedded_input = packed_inputs(r, &r->samples[0], &size);
        options.expected_sums = reference_sums(r, &r->samples[0]);
        options.image_inside = image_fits(r, r->plan);
    }
    ts_app *app = ts_app_new(r->arena);
    TS_TRY(ts_emit_network(app, r->plan, &options, &r->emitted, r->diags));
    if (r->options->application != NULL) {
        return same_plan(r, app);
    }
    TS_TRY(ts_emit_program(app, &r->emitted, 1, r->options->target, &options, r->diags));
    ts_text graph = {.arena = r->arena};
    ts_graph_print(&graph, r->graph);
    ts_app_add(app, "network.tsg", graph.data, graph.size);
    TS_TRY(ts_app_write(app, folder, r->diags));
    if (r->out != NULL) {
        r->out->emit_seconds = now_seconds() - begin;
    }
    return TS_OK;
}

ts_status ts_compile(ts_arena *arena, const ts_graph *graph, const ts_run_options *options,
                     const char *folder, const ts_plan **plan, ts_diags *diags) {
    runner r = {.arena = arena, .diags = diags, .graph = graph, .options = options};
    TS_TRY(make_plan(&r));
    *plan = r.plan;
    if (options->self_check) {
        TS_TRY(make_samples(&r));
    }
    return emit(&r, folder);
}

/* ---- execute and compare ---------------------------------------------------------------------------- */

static ts_difference compare(const runner *r, const ts_tensor *tensor, const int32_t *expected,
                             const int32_t *actual, uint32_t sample_index) {
    (void)r;
    ts_difference d = {.sample = sample_index};
    for (uint64_t i = 0, count = ts_tensor_elements(tensor); i < count; i++) {
        if (expected[i] != actual[i] && d.differing++ == 0) {
            d.first = i;
            d.expected = expected[i];
            d.actual = actual[i];
        }
    }
    return d;
}

/* Golden file `file` against a layer's values; false where the file is absent or has another size. */
static bool golden_matches(const ts_golden_sample *golden, uint32_t file, const ts_tensor *tensor,
                           const int32_t *actual, ts_golden_match *match) {
    if (file >= golden->layer_count || golden->layers[file] == NULL ||
        golden->layer_counts[file] != ts_tensor_elements(tensor)) {
        return false;
    }
    *match = ts_golden_compare(golden->layers[file], actual, ts_h(tensor), ts_w(tensor), ts_c(tensor));
    return true;
}

/* Some folders hold a tensor from inside a layer as a file of its own (docs/goldens.md): where a layer does
 * not match its file but the next one, and there are more files than layers, the files shift. */
static void compare_golden(runner *r, const sample *s, uint32_t sample_index, uint32_t layer, uint32_t *shift,
                           const int32_t *actual) {
    if (s->golden == NULL) {
        return;
    }
    const ts_tensor *tensor = tensor_of(r, r->plan->layers[layer].y.tensor);
    ts_layer_result *result = &r->out->layers[layer];
    ts_golden_match match, next;
    bool found = golden_matches(s->golden, layer + *shift, tensor, actual, &match);
    bool more = s->golden->layer_count > r->plan->layer_count + *shift;
    if ((!found || !match.equal) && more &&
        golden_matches(s->golden, layer + *shift + 1, tensor, actual, &next) && next.equal) {
        (*shift)++;
        match = next;
        found = true;
    }
    if (!found) {
        return;
    }
    if (!match.equal && result->golden.differing == 0) {
        result->golden = (ts_difference){match.differing, (uint64_t)match.first, match.expected, match.actual,
                                         sample_index};
    }
    result->golden_state =
        match.equal && result->golden_state != TS_GOLDEN_DIFFERS ? TS_GOLDEN_EQUAL : TS_GOLDEN_DIFFERS;
}

static void compare_sample(runner *r, uint32_t index, const ts_execution *execution) {
    const sample *s = &r->samples[index];
    uint32_t shift = 0;
    for (uint32_t i = 0; i < r->plan->layer_count; i++) {
        ts_tensor_id id = r->plan->layers[i].y.tensor;
        const ts_tensor *tensor = tensor_of(r, id);
        int32_t *actual = ts_values_unpack(r->arena, tensor, execution->outputs[i]);
        if (r->computed != NULL) {
            r->computed[id] = actual;
        }
        ts_layer_result *result = &r->out->layers[i];
        if (result->reference.differing == 0) {
            result->reference = compare(r, tensor, s->reference[id], actual, index);
        }
        compare_golden(r, s, index, i, &shift, actual);
        if (index == 0 && execution->counts != NULL) {
            result->counts = execution->counts[i];
        }
    }
}

/* What --saturate-add changed: the same inputs through the network that keeps its sums exact. */
static ts_status compare_exact(runner *r) {
    for (uint32_t n = 0; n < r->sample_count && r->options->exact != NULL; n++) {
        int32_t **exact = NULL;
        TS_TRY(ts_integer_run(r->options->exact, r->arena, (const int32_t *const *)r->samples[n].inputs,
                              &exact, r->diags));
        for (uint32_t i = 0; i < r->plan->layer_count; i++) {
            ts_difference *d = &r->out->layers[i].saturated;
            ts_tensor_id id = r->plan->layers[i].y.tensor;
            ts_tensor_id other = r->options->exact->nodes.data[r->plan->layers[i].node].output;
            if (d->differing == 0) {
                *d = compare(r, tensor_of(r, id), exact[other], r->samples[n].reference[id], n);
            }
        }
    }
    return TS_OK;
}

/* The program printed "layer N cycles C": without what it does between the layers. */
static void take_printed_cycles(runner *r, const char *printed) {
    static const char mark[] = "layer ", cycles[] = " cycles ";
    for (const char *at = printed; (at = strstr(at, mark)) != NULL;) {
        char *end;
        unsigned long index = strtoul(at += sizeof mark - 1, &end, 10);
        if (end != at && index < r->plan->layer_count && strncmp(end, cycles, sizeof cycles - 1) == 0) {
            r->out->layers[index].counts.cycles = strtoull(end + sizeof cycles - 1, NULL, 10);
        }
    }
}

/* Where a program with an embedded image is executed: on its target, or on the platform's larger sibling. */
static ts_status machine_for(const runner *r, const ts_target **machine) {
    const ts_memory *l2 = ts_target_level(r->options->target, 2);
    *machine = r->options->target;
    if (!r->options->self_check || image_fits(r, r->plan)) {
        return TS_OK;
    }
    TS_TRY(ts_target_load(r->arena, "pulp-open", machine, r->diags));
    const ts_memory *larger = ts_target_level(*machine, 2);
    if (l2 == NULL || larger == NULL || l2->size_bytes + r->emitted.image_size > larger->size_bytes) {
        return ts_error(
            r->diags, TS_DIAG_NO_FIT, NULL, NULL,
            "an image of %zu bytes behind the L2 of %s fits no chip that is known here; run it without "
            "--embed-weights",
            r->emitted.image_size, r->options->target->name);
    }
    ts_note(r->diags, TS_DIAG_NO_FIT, NULL, NULL,
            "the embedded image of %zu bytes does not fit the L2 of %s; the program was executed on %s",
            r->emitted.image_size, r->options->target->name, (*machine)->name);
    return TS_OK;
}

static void layer_progress(void *user, uint32_t done, uint32_t of) { progress(user, "executing", done, of); }

static ts_status simulate(runner *r, ts_bytes elf, const ts_target *machine, ts_execution *execution) {
    ts_sim_run_options sim = {
        .sim = r->options->sim, .self_check = r->options->self_check, .progress = layer_progress, .user = r};
    if (r->options->timeline && r->out->timeline == NULL) {
        sim.timeline = TS_NEW(r->arena, ts_timeline);
        sim.timeline->arena = r->arena;
        r->out->timeline = sim.timeline;
    }
    int status = 0;
    TS_TRY(ts_execute_sim(r->arena, elf, machine, execution, 1, &sim, &r->out->printed, &r->out->stacks,
                          &status, r->diags));
    r->out->judged = r->options->self_check;
    r->out->judgement = status;
    return TS_OK;
}

static void take_memory(ts_run_result *out, const ts_memory_use *use) {
    ts_memory_use kept = out->memory;
    out->memory = *use;
    out->memory.l1_bytes = kept.l1_bytes > use->l1_bytes ? kept.l1_bytes : use->l1_bytes;
    out->memory.l2_bytes = kept.l2_bytes > use->l2_bytes ? kept.l2_bytes : use->l2_bytes;
    out->memory.l3_bytes = kept.l3_bytes > use->l3_bytes ? kept.l3_bytes : use->l3_bytes;
}

static ts_status execute_near(runner *r, const char *program) {
    const ts_target *target = r->options->target;
    r->out->counted = ts_board_of(target) != NULL;
    for (uint32_t i = 0; i < r->sample_count; i++) {
        ts_execution execution = {.network = &r->emitted};
        execution.input = packed_inputs(r, &r->samples[i], &execution.input_size);
        TS_TRY(ts_execute_near(r->arena, r->scratch, program, target, &execution, 1, &r->out->stacks, NULL,
                               r->diags));
        compare_sample(r, i, &execution);
    }
    r->out->samples = r->sample_count;
    const ts_execution network = {.network = &r->emitted};
    return r->out->counted
               ? ts_image_measure(r->arena, program, target, &network, 1, &r->out->image, r->diags)
               : TS_OK;
}

static ts_status execute(runner *r, const char *program) {
    ts_bytes elf = {0};
    const ts_target *machine = NULL;
    if (r->near) {
        return execute_near(r, program);
    }
    if (!r->host) {
        TS_TRY(ts_file_read(r->arena, program, ELF_LIMIT, &elf, r->diags));
        TS_TRY(machine_for(r, &machine));
        r->out->simulated = true;
    }
    uint32_t count = r->options->self_check ? 1 : r->sample_count;
    for (uint32_t i = 0; i < count; i++) {
        ts_execution execution = {.network = &r->emitted};
        execution.input = packed_inputs(r, &r->samples[i], &execution.input_size);
        if (r->host) {
            TS_TRY(
                ts_execute_host(r->arena, r->scratch, program, &execution, 1, &r->options->host, r->diags));
        } else {
            TS_TRY(simulate(r, elf, machine, &execution));
        }
        compare_sample(r, i, &execution);
        take_memory(r->out, &execution.memory);
    }
    if (r->out->judged) {
        take_printed_cycles(r, r->out->printed);
    }
    r->out->samples = count;
    return TS_OK;
}

static void sum_up(runner *r) {
    ts_run_result *out = r->out;
    out->verified = true;
    for (uint32_t i = 0; i < r->plan->layer_count; i++) {
        ts_layer_result *layer = &out->layers[i];
        layer->verified = layer->reference.differing == 0 && layer->golden_state != TS_GOLDEN_DIFFERS;
        out->verified_layers += layer->verified;
        out->verified = out->verified && layer->verified && out->judgement == 0;
        out->cycles += layer->counts.cycles;
        out->instructions += layer->counts.instructions;
        out->macs += r->plan->layers[i].macs;
        out->energy_uj += layer->counts.energy_uj;
    }
    const ts_target *target = r->options->target;
    uint64_t hz = target->point_count > 0 ? target->points[0].cluster_hz : target->cluster_hz;
    out->seconds = (out->simulated || out->counted) && hz > 0 ? (double)out->cycles / (double)hz : 0;
}

static void say_difference(const runner *r, uint32_t layer, const ts_difference *d, const char *what) {
    const ts_layer *l = &r->plan->layers[layer];
    uint64_t pixel = d->first / l->y.c;
    ts_error(r->diags, TS_DIAG_MISMATCH, l->name, ts_layer_kind_name(l->kind),
             "layer %u, sample %u: %" PRIu64 " elements differ from the %s, the first at row %" PRIu64
             ", column %" PRIu64 ", channel %" PRIu64 ": %d, expected %d",
             layer, d->sample, d->differing, what, pixel / l->y.w, pixel % l->y.w, d->first % l->y.c,
             d->actual, d->expected);
}

static ts_status verdict(const runner *r) {
    if (r->out->judged && r->out->judgement > 1) {
        return ts_error(r->diags, TS_DIAG_SIM, NULL, NULL, "the program ended with status %d",
                        r->out->judgement);
    }
    for (uint32_t i = 0; i < r->plan->layer_count; i++) {
        const ts_layer_result *layer = &r->out->layers[i];
        if (layer->reference.differing > 0) {
            say_difference(r, i, &layer->reference, "reference");
            return TS_MISMATCH;
        }
        if (layer->golden_state == TS_GOLDEN_DIFFERS) {
            say_difference(r, i, &layer->golden, "golden");
            return TS_MISMATCH;
        }
    }
    if (r->out->judgement != 0) {
        return ts_error(r->diags, TS_DIAG_MISMATCH, NULL, NULL,
                        "the program itself found checksums that differ");
    }
    return TS_OK;
}

static ts_status emit_and_build(runner *r, const char **program) {
    progress(r, "emitting", 0, 1);
    TS_TRY(emit(r, r->folder));
    progress(r, "building", 0, 1);
    double begin = now_seconds();
    TS_TRY(ts_build(r->arena, r->folder, r->options->target, r->options->jobs > 0 ? r->options->jobs : 2,
                    NULL, program, r->diags));
    if (r->out != NULL) {
        r->out->build_seconds += now_seconds() - begin;
    }
    return TS_OK;
}

/* L2 behind a program, for its network. */
static ts_status room_behind(const runner *r, const char *program, uint64_t *bytes) {
    ts_bytes file;
    ts_elf elf;
    *bytes = 0;
    TS_TRY(ts_file_read(r->arena, program, ELF_LIMIT, &file, r->diags));
    TS_TRY(ts_elf_read(r->arena, file, &elf, r->diags));
    const ts_memory *l2 = ts_target_level(r->options->target, 2);
    for (uint32_t i = 0; i < elf.symbol_count; i++) {
        uint64_t begin = strcmp(elf.symbols[i].name, "pulp_l2_begin") == 0 ? elf.symbols[i].address : 0;
        if (begin >= l2->base && begin < l2->base + l2->size_bytes) {
            *bytes = (l2->base + l2->size_bytes - begin) / 16 * 16;
        }
    }
    return TS_OK;
}

/* What more L2 could save at most, in cycles: waiting for L3, and what layers that are cut at its border take
 * above their bounds. */
static double l3_cycles(const ts_plan *plan) {
    double cycles = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        const ts_layer_plan *lp = &plan->layer_plans[i];
        bool cut = lp->l3.chunks > 1 || lp->l3.stripes > 1;
        cycles += cut ? lp->modelled_cycles - lp->bound_cycles : lp->l3_wait_cycles;
    }
    return cycles;
}

/* Builds the program; where it leaves less of L2 than the plan needs, or so much more than was reckoned
 * (ts_plan_program_bytes()) that the network becomes faster, plans and builds once more. */
static ts_status build(runner *r, const char **program) {
    enum { SPARE = 1024, LEAST = 4096 }; /* another plan's code may be longer; less is not worth it */
    ts_plan *first = r->plan;
    const ts_run_options *o = r->options;
    bool fixed = r->host || r->near || o->plan.l2_bytes != 0 || o->application != NULL || o->self_check;
    const double GAIN = 0.001; /* of the network's cycles */
    uint64_t room = 0;
    TS_TRY(emit_and_build(r, program));
    if (fixed) {
        return TS_OK;
    }
    TS_TRY(room_behind(r, *program, &room));
    bool lacks = room < first->l2_used_bytes;
    if (!lacks &&
        (room < first->options.l2_bytes + LEAST || l3_cycles(first) <= GAIN * first->modelled_cycles)) {
        return TS_OK;
    }
    plan_again(r, room - SPARE);
    if (lacks || r->plan->modelled_cycles < (1 - GAIN) * first->modelled_cycles) {
        TS_TRY(emit_and_build(r, program));
        TS_TRY(room_behind(r, *program, &room));
        if (r->plan->l2_used_bytes <= room) {
            return TS_OK;
        }
        r->plan = first;
        return emit_and_build(r, program);
    }
    r->plan = first;
    return TS_OK;
}

static ts_status run_in(runner *r) {
    const char *program = NULL;
    TS_TRY(build(r, &program));
    r->out->plan = r->plan;
    double begin = now_seconds();
    TS_TRY(execute(r, program));
    r->out->execute_seconds = now_seconds() - begin;
    TS_TRY(compare_exact(r));
    sum_up(r);
    return verdict(r);
}

ts_status ts_run(ts_arena *arena, const ts_graph *graph, const ts_run_options *options, ts_run_result *out,
                 ts_diags *diags) {
    runner r = {.arena = arena,
                .diags = diags,
                .graph = graph,
                .options = options,
                .out = out,
                .host = strcmp(options->target->platform, "host") == 0,
                .near = ts__is_near(options->target)};
    double begin = now_seconds();
    TS_TRY(make_plan(&r));
    *out = (ts_run_result){
        .model = graph->name, .target = options->target->name, .plan = r.plan, .command = options->command};
    out->plan_seconds = now_seconds() - begin;
    out->layers = TS_NEW_ARRAY(arena, ts_layer_result, r.plan->layer_count);
    TS_TRY(make_samples(&r));
    out->samples = r.sample_count;
    TS_TRY(ts_dir_temporary(arena, &r.scratch, diags));
    r.folder = options->application != NULL ? options->application
               : options->keep != NULL      ? options->keep
                                            : ts_path_join(arena, r.scratch, "app");
    ts_status status = run_in(&r);
    progress(&r, "executing", 1, 1);
    ts_status removed = ts_dir_remove(r.scratch, diags);
    status = status == TS_OK ? removed : status;
    return status;
}

/* ---- built once, executed often ------------------------------------------------------------------- */

struct ts_deployed {
    runner runner;
    const char *program;
    bool made; /* the folder */
};

ts_status ts_deploy(ts_arena *arena, const ts_graph *graph, const ts_run_options *options, ts_deployed **out,
                    ts_diags *diags) {
    ts_deployed *d = TS_NEW(arena, ts_deployed);
    d->runner = (runner){.arena = arena,
                         .diags = diags,
                         .graph = graph,
                         .options = options,
                         .host = strcmp(options->target->platform, "host") == 0,
                         .near = ts__is_near(options->target)};
    runner *r = &d->runner;
    *out = d;
    TS_TRY(make_plan(r));
    TS_TRY(ts_dir_temporary(arena, &r->scratch, diags));
    d->made = true;
    r->folder = ts_path_join(arena, r->scratch, "app");
    ts_status status = build(r, &d->program);
    if (status != TS_OK) {
        *out = NULL;
        (void)ts_deployed_free(d, diags);
    }
    return status;
}

ts_status ts_deployed_run(ts_deployed *deployed, ts_arena *arena, const int32_t *const *inputs,
                          int32_t ***values, uint64_t *cycles, ts_diags *diags) {
    runner r = deployed->runner;
    sample one = {.inputs = TS_NEW_ARRAY(arena, int32_t *, r.graph->inputs.count)};
    ts_run_result result = {.layers = TS_NEW_ARRAY(arena, ts_layer_result, r.plan->layer_count)};
    r.arena = arena;
    r.diags = diags;
    r.out = &result;
    r.samples = &one;
    r.sample_count = 1;
    *values = r.computed = TS_NEW_ARRAY(arena, int32_t *, r.graph->tensors.count);
    for (uint32_t i = 0; i < r.graph->inputs.count; i++) {
        uint64_t count = ts_tensor_elements(tensor_of(&r, r.graph->inputs.data[i]));
        one.inputs[i] = ts_arena_copy(arena, inputs[i], (size_t)count * sizeof(int32_t));
    }
    TS_TRY(ts_integer_run(r.graph, arena, (const int32_t *const *)one.inputs, &one.reference, diags));
    TS_TRY(execute(&r, deployed->program));
    sum_up(&r);
    *cycles = result.cycles;
    return verdict(&r);
}

ts_status ts_deployed_free(ts_deployed *deployed, ts_diags *diags) {
    if (deployed == NULL || !deployed->made) {
        return TS_OK;
    }
    deployed->made = false;
    return ts_dir_remove(deployed->runner.scratch, diags);
}
