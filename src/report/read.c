#include <jansson.h>
#include <math.h>
#include <string.h>

#include "report/internal.h"

/* Reading goes on after an error, with zeros, so that all keys are looked at by one path; the first error is
 * kept. */
typedef struct reader {
    ts_arena *arena;
    ts_diags *diags;
    ts_status status;
    const char *place; /* for messages */
} reader;

enum { LARGEST = 1 << 30 };
static const double LARGEST_NUMBER = 9007199254740992.0; /* 2^53 */

static void wrong(reader *r, const char *key, const char *what) {
    if (r->status == TS_OK) {
        r->status = ts_error(r->diags, TS_DIAG_MALFORMED, NULL, NULL, "%s: key '%s' %s", r->place, key, what);
    }
}

static const json_t *member(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

static double number_of(reader *r, const json_t *value, const char *key) {
    if (value == NULL) {
        return 0;
    }
    double number = json_number_value(value);
    if (!json_is_number(value) || !isfinite(number) || number < 0 || number > LARGEST_NUMBER) {
        wrong(r, key, "is not a number from 0 to 2^53");
        return 0;
    }
    return number;
}

static double real(reader *r, const json_t *object, const char *key) {
    return number_of(r, member(object, key), key);
}

static uint64_t whole_of(reader *r, const json_t *value, const char *key) {
    return (uint64_t)number_of(r, value, key);
}

static uint64_t whole(reader *r, const json_t *object, const char *key) {
    return (uint64_t)real(r, object, key);
}

static uint64_t element(reader *r, const json_t *object, const char *key, size_t index) {
    return whole_of(r, json_array_get(member(object, key), index), key);
}

static bool truth(const json_t *object, const char *key) { return json_is_true(member(object, key)); }

/* The raw text; NULL where there is none. */
static const char *text_of(reader *r, const json_t *value, const char *key) {
    if (value != NULL && !json_is_string(value)) {
        wrong(r, key, "is not a text");
    }
    return json_string_value(value);
}

static const char *text(reader *r, const json_t *object, const char *key) {
    const char *raw = text_of(r, member(object, key), key);
    return raw == NULL ? NULL : ts__html_escape(r->arena, raw);
}

static const char *text_or(reader *r, const json_t *object, const char *key, const char *otherwise) {
    const char *found = text(r, object, key);
    return found == NULL || *found == '\0' ? otherwise : found;
}

/* A list of at most `limit` elements; an absent one is empty. */
static const json_t *list(reader *r, const json_t *object, const char *key, uint32_t limit, uint32_t *count) {
    const json_t *found = member(object, key);
    *count = 0;
    if (found == NULL) {
        return NULL;
    }
    if (!json_is_array(found) || json_array_size(found) > limit) {
        wrong(r, key, "is not a list, or is too long a one");
        return NULL;
    }
    *count = (uint32_t)json_array_size(found);
    return found;
}

static ts__map read_map(reader *r, const json_t *layer, const char *key) {
    const json_t *map = member(layer, key);
    ts__map out = {.buffer = -1, .tensor = "", .type = ""};
    if (map == NULL) {
        return out;
    }
    out.tensor = text_or(r, map, "tensor", "(no name)");
    out.type = text_or(r, map, "type", "");
    out.h = whole(r, map, "h");
    out.w = whole(r, map, "w");
    out.c = whole(r, map, "c");
    out.bytes = whole(r, map, "bytes");
    const json_t *buffer = member(map, "buffer");
    if (json_is_integer(buffer) && json_integer_value(buffer) >= 0 && json_integer_value(buffer) < LARGEST) {
        out.buffer = json_integer_value(buffer);
    }
    return out;
}

static void read_l1(reader *r, const json_t *l1, ts__layer *out) {
    static const char *const names[] = {"x", "x2", "w", "y"};
    for (uint32_t i = 0; i < 4; i++) {
        const json_t *buffer = member(l1, names[i]);
        out->l1[i].count = whole(r, buffer, "count");
        out->l1[i].bytes = whole(r, buffer, "bytes");
        out->l1[i].offsets[0] = element(r, buffer, "offsets", 0);
        out->l1[i].offsets[1] = element(r, buffer, "offsets", 1);
    }
    const json_t *scratch = member(l1, "scratch"), *tile = member(l1, "tile");
    out->l1[4].bytes = whole(r, scratch, "bytes");
    out->l1[4].count = out->l1[4].bytes > 0;
    out->l1[4].offsets[0] = whole(r, scratch, "offset");
    out->tile_h = whole(r, tile, "y_h");
    out->tile_w = whole(r, tile, "y_w");
    out->tile_c = whole(r, tile, "y_c");
    out->tile_x_h = whole(r, tile, "x_h");
    out->tile_x_w = whole(r, tile, "x_w");
    out->tile_x_c = whole(r, tile, "x_c");
    for (uint32_t i = 0; i < 3; i++) {
        out->tiles[i] = element(r, l1, "tiles", i);
    }
    out->order = text_or(r, l1, "order", "");
    out->l1_bytes = whole(r, l1, "used_bytes");
}

static void read_l3(reader *r, const json_t *l3, ts__layer *out) {
    out->weights_offset = whole(r, l3, "weights_offset");
    out->weights_bytes = whole(r, l3, "weights_bytes");
    out->load_at = whole(r, l3, "load_at");
    out->chunks = whole(r, l3, "chunks");
    out->chunk_c = whole(r, l3, "chunk_c");
    out->stripes = whole(r, l3, "stripes");
    out->stripe_h = whole(r, l3, "stripe_h");
}

static void read_planned_layer(reader *r, const json_t *layer, ts__layer *out) {
    const json_t *window = member(layer, "window");
    out->name = text_or(r, layer, "name", "(no name)");
    out->op = text_or(r, layer, "op", "");
    out->kernel = text_or(r, layer, "kernel", "");
    out->requant = text_or(r, layer, "requant", "");
    out->macs = whole(r, layer, "macs");
    out->x = read_map(r, layer, "x");
    out->x2 = read_map(r, layer, "x2");
    out->y = read_map(r, layer, "y");
    out->kernel_h = element(r, window, "kernel", 0);
    out->kernel_w = element(r, window, "kernel", 1);
    out->stride_h = element(r, window, "stride", 0);
    out->stride_w = element(r, window, "stride", 1);
    out->groups = whole(r, window, "groups");
    read_l1(r, member(layer, "l1"), out);
    read_l3(r, member(layer, "l3"), out);
    out->l2_bytes = whole(r, layer, "l2_live_bytes");
    out->dma_in_bytes = whole(r, layer, "dma_in_bytes");
    out->dma_out_bytes = whole(r, layer, "dma_out_bytes");
    out->l3_read_bytes = whole(r, layer, "l3_read_bytes");
    out->l3_write_bytes = whole(r, layer, "l3_write_bytes");
    out->own_l3_bytes = out->l3_read_bytes + out->l3_write_bytes;
    out->modelled_cycles = real(r, layer, "modelled_cycles");
    out->bound_cycles = real(r, layer, "bound_cycles");
    out->l3_wait_cycles = real(r, layer, "l3_wait_cycles");
    out->cycles = (uint64_t)out->modelled_cycles;
}

static void read_cores(reader *r, const json_t *layer, const ts_report_run *run, ts__layer *out) {
    uint32_t cores = 0;
    const json_t *found = list(r, layer, "cycles_by_core", TS__MAX_CORES, &cores);
    if (cores == 0 || cores != run->cores) {
        return;
    }
    out->by_core = TS_NEW_ARRAY(r->arena, uint64_t, cores * run->cause_count);
    for (uint32_t core = 0; core < cores; core++) {
        for (uint32_t i = 0; i < run->cause_count; i++) {
            const json_t *value = json_array_get(json_array_get(found, core), i);
            out->by_core[core * run->cause_count + i] = whole_of(r, value, "cycles_by_core");
        }
    }
}

static void read_measured_layer(reader *r, const json_t *layer, const ts_report_run *run, ts__layer *out) {
    static const char *const parts[TS__ENERGY_PARTS] = {"cores", "idle", "l1", "l2", "l3", "dma", "static"};
    out->judged = member(layer, "verified") != NULL;
    out->verified = truth(layer, "verified");
    out->golden = text_or(r, layer, "golden", "absent");
    out->differing = whole(r, layer, "differing");
    out->measured = member(layer, "cycles") != NULL;
    out->instructions = whole(r, layer, "instructions");
    if (!out->measured && run->estimated) {
        out->cycles = whole(r, layer, "estimated_cycles");
    }
    if (!out->measured) {
        return;
    }
    out->cycles = whole(r, layer, "cycles");
    out->dma_in_bytes = whole(r, layer, "dma_in_bytes");
    out->dma_out_bytes = whole(r, layer, "dma_out_bytes");
    out->l3_read_bytes = whole(r, layer, "l3_read_bytes");
    out->l3_write_bytes = whole(r, layer, "l3_write_bytes");
    out->energy_uj = real(r, layer, "energy_uj");
    for (uint32_t i = 0; i < TS__ENERGY_PARTS; i++) {
        out->energy_parts_uj[i] = real(r, member(layer, "energy_parts_uj"), parts[i]);
    }
    for (uint32_t i = 0; i < run->cause_count; i++) {
        out->by_cause[i] = whole(r, member(layer, "core_cycles"), run->causes[i]);
    }
    read_cores(r, layer, run, out);
}

static void read_buffers(reader *r, const json_t *plan, ts_report_run *run) {
    const json_t *buffers = list(r, plan, "buffers", TS__MAX_BUFFERS, &run->buffer_count);
    run->buffers = TS_NEW_ARRAY(r->arena, ts__buffer, run->buffer_count);
    for (uint32_t i = 0; i < run->buffer_count; i++) {
        const json_t *from = json_array_get(buffers, i);
        ts__buffer *to = &run->buffers[i];
        const char *level = text_or(r, from, "level", "l2");
        to->role = text_or(r, from, "role", "");
        to->tensor = text_or(r, from, "tensor", "");
        to->in_l3 = strcmp(level, "l3") == 0;
        to->layer = whole(r, from, "layer");
        to->offset = whole(r, from, "offset");
        to->bytes = whole(r, from, "bytes");
        to->first_layer = whole(r, from, "first_layer");
        to->last_layer = whole(r, from, "last_layer");
        if (to->first_layer > to->last_layer || to->last_layer >= run->layer_count) {
            wrong(r, "buffers", "has a buffer that lives outside the layers");
        }
    }
}

static void read_plan(reader *r, const json_t *plan, ts_report_run *run) {
    const json_t *options = member(plan, "options"), *l2 = member(plan, "l2"), *l3 = member(plan, "l3");
    run->objective = text_or(r, options, "objective", "");
    run->cores = whole(r, options, "cores");
    run->l1_budget = whole(r, options, "l1_bytes");
    run->l2_budget = whole(r, options, "l2_bytes");
    run->l3_budget = whole(r, options, "l3_bytes");
    run->l1_used = whole(r, plan, "l1_used_bytes");
    run->l2_used = whole(r, l2, "used_bytes");
    run->l2_stack_bytes = whole(r, l2, "stack_bytes");
    run->l2_search_bytes = whole(r, l2, "search_bytes");
    run->l2_bound_bytes = whole(r, l2, "bound_bytes");
    run->l3_used = whole(r, l3, "used_bytes");
    run->l3_weights = whole(r, l3, "weights_bytes");
    run->modelled_cycles = real(r, plan, "modelled_cycles");
    run->bound_cycles = real(r, plan, "bound_cycles");
    const json_t *layers = list(r, plan, "layers", TS__MAX_LAYERS, &run->layer_count);
    run->layers = TS_NEW_ARRAY(r->arena, ts__layer, run->layer_count);
    for (uint32_t i = 0; i < run->layer_count; i++) {
        read_planned_layer(r, json_array_get(layers, i), &run->layers[i]);
        run->macs += run->layers[i].macs;
        run->cycles += run->layers[i].cycles;
    }
    read_buffers(r, plan, run);
}

static void read_chip(reader *r, const json_t *chip, ts_report_run *run) {
    uint32_t count = 0;
    const json_t *memories = list(r, chip, "memories", TS__MAX_MEMORIES, &count);
    double fc = real(r, chip, "fc_hz"), cluster = real(r, chip, "cluster_hz");
    run->clock_hz = cluster;
    run->chip = text_or(r, chip, "description", "");
    run->isa = text_or(r, chip, "isa", "");
    run->dma_bytes_per_cycle = whole(r, chip, "dma_bytes_per_cycle");
    run->code_reserve_bytes = whole(r, chip, "code_reserve_bytes");
    if (member(chip, "cores") != NULL) {
        run->cores = whole(r, chip, "cores");
    }
    for (uint32_t i = 0; i < count; i++) {
        const json_t *memory = json_array_get(memories, i);
        uint64_t level = whole(r, memory, "level"), bytes = whole(r, memory, "size_bytes");
        uint64_t *size = level == 1 ? &run->l1_size : level == 2 ? &run->l2_size : &run->l3_size;
        if (*size == 0) {
            *size = bytes;
            if (level == 3) {
                run->l3_bytes_per_cycle =
                    real(r, memory, "read_bytes_per_cycle") * (cluster > 0 ? fc / cluster : 1);
            }
        }
    }
}

static void read_points(reader *r, const json_t *root, ts_report_run *run) {
    const json_t *points = list(r, root, "operating_points", TS__MAX_POINTS, &run->point_count);
    for (uint32_t i = 0; i < run->point_count; i++) {
        const json_t *from = json_array_get(points, i);
        run->points[i] = (ts__point){.name = text_or(r, from, "name", ""),
                                     .volts = real(r, from, "volts"),
                                     .hz = real(r, from, "cluster_hz"),
                                     .seconds = real(r, from, "seconds"),
                                     .energy_uj = real(r, from, "energy_uj")};
    }
}

static uint32_t read_names(reader *r, const json_t *object, const char *key, uint32_t limit,
                           const char **names) {
    uint32_t count = 0;
    const json_t *found = list(r, object, key, limit, &count);
    for (uint32_t i = 0; i < count; i++) {
        const char *raw = text_of(r, json_array_get(found, i), key);
        names[i] = ts__html_escape(r->arena, raw != NULL ? raw : "");
    }
    return count;
}

static void read_timeline(reader *r, const json_t *timeline, ts_report_run *run) {
    run->row_count = read_names(r, timeline, "rows", TS__MAX_ROWS, run->rows);
    run->kind_count = read_names(r, timeline, "kinds", TS__MAX_ROWS, run->kinds);
    run->resolution_cycles = whole(r, timeline, "resolution_cycles");
    run->left_out = whole(r, timeline, "left_out");
    const json_t *spans = list(r, timeline, "spans", TS__MAX_SPANS, &run->span_count);
    run->spans = TS_NEW_ARRAY(r->arena, ts__span, run->span_count);
    for (uint32_t i = 0; i < run->span_count; i++) {
        const json_t *from = json_array_get(spans, i);
        uint64_t values[5];
        for (uint32_t k = 0; k < 5; k++) {
            values[k] = whole_of(r, json_array_get(from, k), "spans");
        }
        if (values[0] >= run->row_count || values[1] >= run->kind_count) {
            wrong(r, "spans", "names a row or a kind that is not there");
            values[0] = values[1] = 0;
        }
        const char *raw = text_of(r, json_array_get(from, 5), "spans");
        run->spans[i] = (ts__span){.row = (uint32_t)values[0],
                                   .kind = (uint32_t)values[1],
                                   .begin = values[2],
                                   .cycles = values[3],
                                   .merged = values[4],
                                   .raw = raw == NULL ? NULL : ts_arena_strdup(r->arena, raw)};
    }
}

static void read_run(reader *r, const json_t *root, ts_report_run *run) {
    run->has_run = true;
    run->verified = truth(root, "verified");
    run->samples = whole(r, root, "samples");
    run->version = text_or(r, root, "tessera", "");
    run->command = text_or(r, root, "command", "");
    run->measured = member(root, "cycles") != NULL;
    run->energy_uj = real(r, root, "energy_uj");
    run->counted = member(root, "instructions") != NULL;
    run->instructions = whole(r, root, "instructions");
    run->estimated = !run->measured && member(root, "estimated_cycles") != NULL;
    if (run->measured || run->estimated) {
        run->cycles = whole(r, root, run->measured ? "cycles" : "estimated_cycles");
    }
    run->program_ram_bytes = whole(r, member(root, "image"), "ram_bytes");
    run->program_flash_bytes = whole(r, member(root, "image"), "flash_bytes");
    run->cause_count = read_names(r, root, "causes", TS__MAX_CAUSES, run->causes);
    read_points(r, root, run);
    read_chip(r, member(root, "chip"), run);
    const json_t *stacks = list(r, root, "stack_bytes", TS__MAX_CORES, &run->stack_count);
    for (uint32_t i = 0; i < run->stack_count; i++) {
        run->stacks[i] = whole_of(r, json_array_get(stacks, i), "stack_bytes");
    }
    uint32_t count = 0;
    const json_t *layers = list(r, root, "layers", TS__MAX_LAYERS, &count);
    if (count != run->layer_count) {
        wrong(r, "layers", "has another number of layers than the plan");
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        read_measured_layer(r, json_array_get(layers, i), run, &run->layers[i]);
    }
    read_timeline(r, member(root, "timeline"), run);
}

static ts_status read_root(reader *r, const json_t *root, ts_report_run *run) {
    const json_t *plan = member(root, "plan");
    bool plan_alone = plan == NULL && member(root, "buffers") != NULL;
    if (!plan_alone && !json_is_object(plan)) {
        return ts_error(r->diags, TS_DIAG_MALFORMED, NULL, NULL,
                        "neither the JSON of 'tessera run --json' with its plan, nor a plan.json");
    }
    run->model = text_or(r, root, "model", "network");
    run->target = text_or(r, root, "target", "");
    r->place = "the plan";
    read_plan(r, plan_alone ? root : plan, run);
    r->place = "the run";
    if (!plan_alone) {
        read_run(r, root, run);
    }
    if (r->status == TS_OK && run->layer_count == 0) {
        return ts_error(r->diags, TS_DIAG_MALFORMED, NULL, NULL, "a plan without layers; nothing to report");
    }
    if (r->status == TS_OK && run->cores > TS__MAX_CORES) {
        wrong(r, "cores", "is more than 64");
    }
    return r->status;
}

/* A figure that may be below zero, in a range that is printed without surprises. */
static double figure(reader *r, const json_t *object, const char *key, double otherwise) {
    const json_t *value = member(object, key);
    double number = value == NULL ? otherwise : json_number_value(value);
    if ((value != NULL && !json_is_number(value)) || !(fabs(number) <= LARGEST_NUMBER)) {
        wrong(r, key, "is not a number from -2^53 to 2^53");
        return otherwise;
    }
    return number;
}

static ts_status read_accuracy(reader *r, const json_t *root, ts_report_run *run) {
    r->place = "the accuracy";
    if (member(root, "kind") == NULL || member(root, "samples") == NULL) {
        return ts_error(r->diags, TS_DIAG_MALFORMED, NULL, NULL, "not the JSON of 'tessera eval --json'");
    }
    run->accuracy = (ts__accuracy){.kind = text_or(r, root, "kind", ""),
                                   .samples = whole(r, root, "samples"),
                                   .top1 = figure(r, root, "top1", -1),
                                   .auc = figure(r, root, "auc", -1),
                                   .mean_square = figure(r, root, "mean_square_error", -1)};
    return r->status;
}

static ts_status read_quantised(reader *r, const json_t *root, ts_report_run *run) {
    static const char *const stages[TS__MAX_STAGES] = {"fp", "fq", "qd", "id"};
    const json_t *top1 = member(root, "top1");
    r->place = "the quantisation";
    if (member(root, "weight_bits") == NULL || member(root, "layers") == NULL) {
        return ts_error(r->diags, TS_DIAG_MALFORMED, NULL, NULL, "not the JSON of 'tessera quantize --json'");
    }
    run->quantised_as = ts_arena_printf(r->arena, "w%.0fa%.0f", real(r, root, "weight_bits"),
                                        real(r, root, "activation_bits"));
    run->stage_count = 0;
    for (uint32_t i = 0; i < TS__MAX_STAGES; i++) {
        double share = figure(r, top1, stages[i], -1);
        if (share >= 0) {
            run->stages[run->stage_count++] = (ts__accuracy){.kind = stages[i], .top1 = share};
        }
    }
    const json_t *layers = list(r, root, "layers", TS__MAX_LAYERS, &run->quantised_count);
    run->quantised = TS_NEW_ARRAY(r->arena, ts__quantised, run->quantised_count);
    for (uint32_t i = 0; i < run->quantised_count; i++) {
        const json_t *from = json_array_get(layers, i);
        run->quantised[i] = (ts__quantised){.name = text_or(r, from, "name", "(no name)"),
                                            .op = text_or(r, from, "op", ""),
                                            .type = text_or(r, from, "type", ""),
                                            .weight_bits = whole(r, from, "weight_bits"),
                                            .quantum = figure(r, from, "quantum", 0),
                                            .low = figure(r, from, "low", 0),
                                            .high = figure(r, from, "high", 0),
                                            .clipped = figure(r, from, "clipped", 0),
                                            .weights_db = figure(r, from, "weights_db", 0),
                                            .output_db = figure(r, from, "output_db", 0),
                                            .blamed = member(from, "points_lost") != NULL,
                                            .wide = truth(from, "wide"),
                                            .points_lost = figure(r, from, "points_lost", 0)};
    }
    return r->status;
}

static void release_json(void *root) { json_decref(root); }

typedef ts_status read_function(reader *r, const json_t *root, ts_report_run *run);

static ts_status read_json(ts_arena *arena, ts_bytes bytes, read_function *read, ts_report_run *run,
                           ts_diags *diags) {
    json_error_t error;
    json_t *root = json_loadb((const char *)bytes.data, bytes.size, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        return ts_error(diags, TS_DIAG_SYNTAX, NULL, NULL,
                        "line %d, column %d: %s; JSON that tessera wrote is expected (run --json, compile)",
                        error.line, error.column, error.text);
    }
    ts_guard_defer(release_json, root);
    reader r = {.arena = arena, .diags = diags};
    ts_status status = read(&r, root, run);
    ts_guard_undefer(root);
    json_decref(root);
    return status;
}

ts_status ts_report_read(ts_arena *arena, ts_bytes bytes, const char *label, const ts_report_run **out,
                         ts_diags *diags) {
    ts_report_run *run = TS_NEW(arena, ts_report_run);
    run->arena = arena;
    run->label = ts__html_escape(arena, label);
    run->version = run->command = run->chip = run->isa = "";
    *out = run;
    return read_json(arena, bytes, read_root, run, diags);
}

static ts_status read_more(const ts_report_run *run, ts_bytes json, read_function *read,
                           const ts_report_run **out, ts_diags *diags) {
    ts_report_run *more = TS_NEW(run->arena, ts_report_run);
    *more = *run;
    *out = more;
    return read_json(run->arena, json, read, more, diags);
}

ts_status ts_report_with_quantised(const ts_report_run *run, ts_bytes json, const ts_report_run **out,
                                   ts_diags *diags) {
    return read_more(run, json, read_quantised, out, diags);
}

ts_status ts_report_with_accuracy(const ts_report_run *run, ts_bytes json, const ts_report_run **out,
                                  ts_diags *diags) {
    return read_more(run, json, read_accuracy, out, diags);
}
