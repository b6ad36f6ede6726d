#include "target/target.h"

#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/file.h"

enum { TARGET_FILE_LIMIT = 1 << 20, TEXT_LIMIT = 400 };

typedef struct reader {
    ts_arena *arena;
    ts_diags *diags;
} reader;

typedef enum field_kind { U32, U64, F64, BOOL, TEXT } field_kind;

/* A key of a JSON object and the field that it fills. */
typedef struct field {
    const char *key;
    field_kind kind;
    bool required;
    size_t offset;
    double low, high; /* numbers only */
} field;

#define FIELD(type, key, kind, required, low, high) \
    { #key, kind, required, offsetof(type, key), low, high }
#define END \
    { NULL, U32, false, 0, 0, 0 }

static const field memory_fields[] = {
    FIELD(ts_memory, name, TEXT, true, 0, 0),
    FIELD(ts_memory, level, U32, true, 1, 3),
    FIELD(ts_memory, writable, BOOL, false, 0, 0),
    FIELD(ts_memory, addressable, BOOL, false, 0, 0),
    FIELD(ts_memory, base, U64, true, 0, 4294967295.0),
    FIELD(ts_memory, size_bytes, U64, true, 1024, 1073741824.0),
    FIELD(ts_memory, banks, U32, false, 1, 64),
    FIELD(ts_memory, ports, U32, false, 0, 4),
    FIELD(ts_memory, bank_width_bytes, U32, false, 4, 16),
    FIELD(ts_memory, bank_conflicts, BOOL, false, 0, 0),
    FIELD(ts_memory, first_come, BOOL, false, 0, 0),
    FIELD(ts_memory, chip_select, U32, false, 0, 1),
    FIELD(ts_memory, read_bytes_per_cycle, F64, false, 0.001, 1024),
    FIELD(ts_memory, write_bytes_per_cycle, F64, false, 0.001, 1024),
    FIELD(ts_memory, read_start_cycles, U32, false, 0, 100000),
    FIELD(ts_memory, write_start_cycles, U32, false, 0, 100000),
    FIELD(ts_memory, write_bus_start_cycles, U32, false, 0, 100000),
    END,
};

static const field dma_fields[] = {
    FIELD(ts_dma, bytes_per_cycle, U32, true, 4, 64),
    FIELD(ts_dma, start_cycles, U32, true, 0, 10000),
    FIELD(ts_dma, finish_cycles, U32, true, 0, 10000),
    FIELD(ts_dma, line_in_cycles, U32, true, 0, 1000),
    FIELD(ts_dma, line_out_cycles, U32, true, 0, 1000),
    FIELD(ts_dma, line_in_min_cycles, U32, true, 1, 1000),
    FIELD(ts_dma, line_out_min_cycles, U32, true, 1, 1000),
    FIELD(ts_dma, burst_bytes, U32, true, 8, 65536),
    FIELD(ts_dma, burst_out_cycles, U32, true, 0, 1000),
    FIELD(ts_dma, gaps_out_overlap, BOOL, false, 0, 0),
    FIELD(ts_dma, counters, U32, true, 1, 16),
    FIELD(ts_dma, core_queue, U32, true, 1, 16),
    FIELD(ts_dma, global_queue, U32, true, 1, 64),
    FIELD(ts_dma, max_1d_bytes, U32, true, 1024, 131072),
    FIELD(ts_dma, driver, TEXT, false, 0, 0),
    END,
};

static const field icache_fields[] = {
    FIELD(ts_icache, line_bytes, U32, true, 16, 16),
    FIELD(ts_icache, l0_bytes, U32, true, 0, 65536),
    FIELD(ts_icache, l0_ways, U32, true, 0, 16),
    FIELD(ts_icache, l1_bytes, U32, true, 0, 1048576),
    FIELD(ts_icache, l1_ways, U32, true, 0, 16),
    FIELD(ts_icache, l1_banks, U32, true, 1, 4),
    FIELD(ts_icache, refills_queue, BOOL, false, 0, 0),
    FIELD(ts_icache, fetch_bytes, U32, false, 2, 4),
    FIELD(ts_icache, l0_miss_cycles, U32, true, 0, 1000),
    FIELD(ts_icache, l1_miss_cycles, U32, true, 0, 1000),
    FIELD(ts_icache, off_cycles, U32, true, 0, 1000),
    END,
};

static const field latency_fields[] = {
    FIELD(ts_latencies, cluster_l2, U32, true, 0, 1000),
    FIELD(ts_latencies, cluster_peripheral, U32, true, 0, 1000),
    FIELD(ts_latencies, cluster_demux, U32, true, 0, 1000),
    FIELD(ts_latencies, cluster_apb, U32, true, 0, 1000),
    FIELD(ts_latencies, fc_l1, U32, true, 0, 1000),
    FIELD(ts_latencies, fc_l2, U32, true, 0, 1000),
    FIELD(ts_latencies, fc_peripheral, U32, true, 0, 1000),
    FIELD(ts_latencies, fc_apb, U32, true, 0, 1000),
    FIELD(ts_latencies, barrier, U32, true, 1, 1000),
    FIELD(ts_latencies, event, U32, true, 1, 1000),
    FIELD(ts_latencies, event_ready, U32, true, 0, 1000),
    FIELD(ts_latencies, mutex_ready, U32, true, 0, 1000),
    END,
};

static const field energy_fields[] = {
    FIELD(ts_energy, core_active_pj, F64, true, 0, 1e6), FIELD(ts_energy, core_idle_pj, F64, true, 0, 1e6),
    FIELD(ts_energy, mul_pj, F64, true, 0, 1e6),         FIELD(ts_energy, dot_pj, F64, true, 0, 1e6),
    FIELD(ts_energy, memory_pj, F64, true, 0, 1e6),      FIELD(ts_energy, div_pj, F64, true, 0, 1e6),
    FIELD(ts_energy, branch_pj, F64, true, 0, 1e6),      FIELD(ts_energy, l1_byte_pj, F64, true, 0, 1e6),
    FIELD(ts_energy, l2_byte_pj, F64, true, 0, 1e6),     FIELD(ts_energy, l3_byte_pj, F64, true, 0, 1e6),
    FIELD(ts_energy, dma_byte_pj, F64, true, 0, 1e6),    FIELD(ts_energy, icache_miss_pj, F64, true, 0, 1e6),
    FIELD(ts_energy, static_mw, F64, true, 0, 1e6),      END,
};

static const field point_fields[] = {
    FIELD(ts_operating_point, name, TEXT, true, 0, 0),
    FIELD(ts_operating_point, volts, F64, true, 0.1, 10),
    FIELD(ts_operating_point, energy_scale, F64, true, 0.01, 100),
    FIELD(ts_operating_point, cluster_hz, U64, true, 1000, 1e10),
    FIELD(ts_operating_point, fc_hz, U64, true, 1000, 1e10),
    END,
};

static const field instruction_fields[] = {
    FIELD(ts_instruction_cycles, alu, F64, true, 0, 100),
    FIELD(ts_instruction_cycles, multiply, F64, true, 0, 100),
    FIELD(ts_instruction_cycles, divide, F64, true, 0, 100),
    FIELD(ts_instruction_cycles, load, F64, true, 0, 100),
    FIELD(ts_instruction_cycles, store, F64, true, 0, 100),
    FIELD(ts_instruction_cycles, further_word, F64, true, 0, 100),
    FIELD(ts_instruction_cycles, branch, F64, true, 0, 100),
    END,
};

static const field root_fields[] = {
    FIELD(ts_target, name, TEXT, true, 0, 0),
    FIELD(ts_target, description, TEXT, true, 0, 0),
    FIELD(ts_target, isa, TEXT, true, 0, 0),
    FIELD(ts_target, platform, TEXT, true, 0, 0),
    FIELD(ts_target, weights_memory, TEXT, false, 0, 0),
    FIELD(ts_target, cpu, TEXT, false, 0, 0),
    FIELD(ts_target, machine, TEXT, false, 0, 0),
    FIELD(ts_target, cores, U32, true, 1, TS_TARGET_MAX_CORES),
    FIELD(ts_target, fabric_controller, BOOL, false, 0, 0),
    FIELD(ts_target, cluster_controllers, U32, false, 0, 1),
    FIELD(ts_target, fetch_port_bits, U32, false, 0, 128),
    FIELD(ts_target, single_instruction_loops, BOOL, false, 0, 0),
    FIELD(ts_target, late_fetch_stall, BOOL, false, 0, 0),
    FIELD(ts_target, tcdm_counter, BOOL, false, 0, 0),
    FIELD(ts_target, fc_hz, U64, false, 1000, 1e10),
    FIELD(ts_target, cluster_hz, U64, true, 1000, 1e10),
    FIELD(ts_target, fc_stack_bytes, U32, false, 256, 1048576),
    FIELD(ts_target, code_reserve_bytes, U32, true, 0, 1073741824.0),
    FIELD(ts_target, data_reserve_bytes, U32, false, 0, 1048576),
    FIELD(ts_target, weight_buffer_bytes, U32, false, 64, 1073741824.0),
    END,
};

/* What only a chip with a fabric controller has, and must say. */
static const char *const cluster_keys[] = {"fetch_port_bits",  "fc_hz",     "fc_stack_bytes",
                                           "operating_points", "latencies", "energy"};

static ts_status bad(reader *r, const char *where, const char *key, const char *what) {
    return ts_error(r->diags, TS_DIAG_VALUE, NULL, NULL, "%s: key '%.100s': %s", where, key, what);
}

static const char *type_name(field_kind kind) {
    return kind == TEXT   ? "a string"
           : kind == BOOL ? "true or false"
           : kind == F64  ? "a number"
                          : "a whole number";
}

/* Fills one field from a JSON value after checking its type and range. */
static ts_status read_field(reader *r, const char *where, const field *f, const json_t *value, void *out) {
    void *place = (char *)out + f->offset;
    bool fits = f->kind == TEXT   ? json_is_string(value)
                : f->kind == BOOL ? json_is_boolean(value)
                : f->kind == F64  ? json_is_number(value)
                                  : json_is_integer(value);
    if (!fits) {
        return ts_error(r->diags, TS_DIAG_VALUE, NULL, NULL, "%s: key '%s' must be %s", where, f->key,
                        type_name(f->kind));
    }
    if (f->kind == TEXT) {
        if (json_string_length(value) == 0 || json_string_length(value) > TEXT_LIMIT) {
            return bad(r, where, f->key, "must have 1 to 400 characters");
        }
        *(const char **)place = ts_arena_strdup(r->arena, json_string_value(value));
        return TS_OK;
    }
    if (f->kind == BOOL) {
        *(bool *)place = json_is_true(value);
        return TS_OK;
    }
    double number = json_number_value(value);
    if (!(number >= f->low && number <= f->high)) {
        return ts_error(r->diags, TS_DIAG_VALUE, NULL, NULL, "%s: key '%s' is %g; it must lie in %g to %g",
                        where, f->key, number, f->low, f->high);
    }
    if (f->kind == U32) {
        *(uint32_t *)place = (uint32_t)json_integer_value(value);
    } else if (f->kind == U64) {
        *(uint64_t *)place = (uint64_t)json_integer_value(value);
    } else {
        *(double *)place = number;
    }
    return TS_OK;
}

static bool is_listed(const char *key, const char *const *names) {
    for (; names != NULL && *names != NULL; names++) {
        if (strcmp(key, *names) == 0) {
            return true;
        }
    }
    return false;
}

/* "source" says where the values of an object come from: one text, or one for each key. */
static void check_source(reader *r, const char *where, const json_t *object) {
    const json_t *source = json_object_get(object, "source");
    if (json_is_string(source) && json_string_length(source) > 0) {
        return;
    }
    if (!json_is_object(source)) {
        bad(r, where, "source", "is missing; say where the values come from");
        return;
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)source, key, value) {
        if (json_object_get(object, key) == NULL || !json_is_string(value)) {
            bad(r, where, key, "in 'source' must name a key beside it and hold a string");
        }
    }
}

/* Reads an object by its table. Keys in `others` are read by the caller. */
static void read_object(reader *r, const char *where, const json_t *object, const field *fields,
                        const char *const *others, void *out) {
    if (!json_is_object(object)) {
        ts_error(r->diags, TS_DIAG_VALUE, NULL, NULL, "%s must be an object", where);
        return;
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        const field *f = fields;
        while (f->key != NULL && strcmp(f->key, key) != 0) {
            f++;
        }
        if (f->key != NULL) {
            read_field(r, where, f, value, out);
        } else if (strcmp(key, "source") != 0 && !is_listed(key, others)) {
            bad(r, where, key, "is not known");
        }
    }
    for (const field *f = fields; f->key != NULL; f++) {
        if (f->required && json_object_get(object, f->key) == NULL) {
            bad(r, where, f->key, "is missing");
        }
    }
    check_source(r, where, object);
}

static void read_memories(reader *r, const json_t *array, ts_target *target) {
    size_t count = json_array_size(array);
    if (!json_is_array(array) || count == 0 || count > TS_TARGET_MAX_MEMORIES) {
        bad(r, "target", "memories", "must be an array of 1 to 4 memories");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        ts_memory *memory = &target->memories[i];
        *memory =
            (ts_memory){.writable = true, .addressable = true, .banks = 1, .ports = 1, .bank_width_bytes = 4};
        char *where = ts_arena_printf(r->arena, "memories[%zu]", i);
        read_object(r, where, json_array_get(array, i), memory_fields, NULL, memory);
        uint32_t inner = i == 0 ? 1 : target->memories[i - 1].level;
        if (memory->level < inner || memory->level > inner + (i == 0 ? 0u : 1u)) {
            bad(r, where, "level", "memories must be listed from level 1 outwards without a gap");
        }
        if (memory->base + memory->size_bytes > (1ull << 32)) {
            bad(r, where, "size_bytes", "the memory ends beyond 32-bit addresses");
        }
        if ((memory->banks & (memory->banks - 1)) != 0 || memory->size_bytes % 16 != 0) {
            bad(r, where, "banks", "must be a power of two, and the size a multiple of 16");
        }
        if (memory->level > 1 &&
            (memory->read_bytes_per_cycle <= 0 || (memory->writable && memory->write_bytes_per_cycle <= 0))) {
            bad(r, where, "read_bytes_per_cycle",
                "is missing, or write_bytes_per_cycle is; an outer memory is reached by transfers");
        }
    }
    target->memory_count = (uint32_t)count;
}

static void read_stacks(reader *r, const json_t *array, ts_target *target) {
    if (!json_is_array(array) || json_array_size(array) != target->cores) {
        bad(r, "target", "stack_bytes", "must be an array with one size for each core");
        return;
    }
    for (uint32_t i = 0; i < target->cores && i < TS_TARGET_MAX_CORES; i++) {
        json_int_t bytes = json_integer_value(json_array_get(array, i));
        if (bytes < 128 || bytes > 1048576 || bytes % 16 != 0) {
            bad(r, "target", "stack_bytes", "each must be a multiple of 16 in 128 to 1048576");
            return;
        }
        target->stack_bytes[i] = (uint32_t)bytes;
    }
}

static void read_points(reader *r, const json_t *array, ts_target *target) {
    size_t count = json_array_size(array);
    if (!json_is_array(array) || count == 0 || count > TS_TARGET_MAX_POINTS) {
        bad(r, "target", "operating_points", "must be an array of 1 to 8 points");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char *where = ts_arena_printf(r->arena, "operating_points[%zu]", i);
        read_object(r, where, json_array_get(array, i), point_fields, NULL, &target->points[i]);
    }
    target->point_count = (uint32_t)count;
}

/* A cache's size must be lines times ways times a power of two of sets. */
static void check_icache(reader *r, const char *where, const ts_icache *cache) {
    if ((cache->l1_banks & (cache->l1_banks - 1u)) != 0u) {
        bad(r, where, "l1_banks", "must be a power of two");
    }
    uint32_t bytes[2] = {cache->l0_bytes, cache->l1_bytes}, ways[2] = {cache->l0_ways, cache->l1_ways};
    for (int i = 0; i < 2 && cache->line_bytes != 0; i++) {
        uint32_t way_bytes = ways[i] * cache->line_bytes;
        uint32_t sets = bytes[i] == 0 || way_bytes == 0 ? 0 : bytes[i] / way_bytes;
        if (bytes[i] != 0 && (sets == 0 || sets * way_bytes != bytes[i] || (sets & (sets - 1)) != 0)) {
            bad(r, where, i == 0 ? "l0_bytes" : "l1_bytes", "must be a power of two of sets of 'ways' lines");
        }
    }
}

/* A name that goes into build files and command lines. */
static void check_word(reader *r, const char *key, const char *word) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    if (word != NULL && (word[0] == '-' || strspn(word, allowed) != strlen(word))) {
        bad(r, "target", key,
            "may have small letters, digits, '-', '_' and '.' alone, and not begin with '-'");
    }
}

/* A chip is a fabric controller with a cluster, or one core alone. */
static void check_kind(reader *r, const json_t *root, ts_target *target) {
    for (size_t i = 0; target->fabric_controller && i < sizeof cluster_keys / sizeof *cluster_keys; i++) {
        if (json_object_get(root, cluster_keys[i]) == NULL) {
            bad(r, "target", cluster_keys[i], "is missing");
        }
    }
    if (!target->fabric_controller && target->cores > 1) {
        bad(r, "target", "cores", "must be 1 where there is no fabric controller");
    }
    check_word(r, "cpu", target->cpu);
    check_word(r, "machine", target->machine);
    target->estimates_cycles = json_object_get(root, "instruction_cycles") != NULL;
    target->fc_hz = target->fc_hz > 0 ? target->fc_hz : target->cluster_hz;
}

static void read_target(reader *r, const json_t *root, ts_target *target) {
    static const char *const others[] = {"memories",         "stack_bytes",        "dma",    "cluster_icache",
                                         "fc_icache",        "latencies",          "energy", "engines",
                                         "operating_points", "instruction_cycles", NULL};
    read_object(r, "target", root, root_fields, others, target);
    if (!json_is_object(root)) {
        return;
    }
    read_memories(r, json_object_get(root, "memories"), target);
    const ts_memory *weights =
        target->weights_memory == NULL ? NULL : ts_target_memory(target, target->weights_memory);
    if (target->weights_memory != NULL && (weights == NULL || weights->level != 3 || weights->addressable)) {
        bad(r, "target", "weights_memory", "must name a memory of level 3 that transfers reach");
    }
    read_stacks(r, json_object_get(root, "stack_bytes"), target);
    if (json_object_get(root, "operating_points") != NULL) {
        read_points(r, json_object_get(root, "operating_points"), target);
    }
    check_kind(r, root, target);
    const struct section {
        const char *key;
        const field *fields;
        void *out;
        bool required;
    } sections[] = {
        {"dma", dma_fields, &target->dma, ts_target_levels(target) > 1},
        {"cluster_icache", icache_fields, &target->cluster_icache, false},
        {"fc_icache", icache_fields, &target->fc_icache, false},
        {"latencies", latency_fields, &target->latencies, false},
        {"energy", energy_fields, &target->energy, false},
        {"instruction_cycles", instruction_fields, &target->instruction_cycles, false},
    };
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        const json_t *object = json_object_get(root, sections[i].key);
        if (object != NULL) {
            read_object(r, sections[i].key, object, sections[i].fields, NULL, sections[i].out);
        } else if (sections[i].required) {
            bad(r, "target", sections[i].key, "is missing");
        }
    }
    check_icache(r, "cluster_icache", &target->cluster_icache);
    check_icache(r, "fc_icache", &target->fc_icache);
    const json_t *engines = json_object_get(root, "engines");
    if (engines != NULL && (!json_is_array(engines) || json_array_size(engines) != 0)) {
        bad(r, "target", "engines", "must be an empty array; no engine is known yet");
    }
}

/* " gap8, pulp-open, ..." */
static const char *built_in_names(ts_arena *arena) {
    const char *list = "";
    for (const ts_embedded *file = ts__embedded_targets; file->name != NULL; file++) {
        list = ts_arena_printf(arena, "%s%s %.*s", list, *list == '\0' ? "" : ",",
                               (int)strcspn(file->name, "."), file->name);
    }
    return list;
}

ts_status ts_target_text(ts_arena *arena, const char *name, ts_bytes *text, ts_diags *diags) {
    size_t length = strlen(name);
    if (length > 5 && strcmp(name + length - 5, ".json") == 0) {
        return ts_file_read(arena, name, TARGET_FILE_LIMIT, text, diags);
    }
    const ts_embedded *file = ts_embedded_find(ts__embedded_targets, ts_arena_printf(arena, "%s.json", name));
    if (file == NULL) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                        "'%.100s' is not a target; give one of%s, or a path that ends in .json", name,
                        built_in_names(arena));
    }
    *text = (ts_bytes){file->data, file->size};
    return TS_OK;
}

ts_status ts_target_parse(ts_arena *arena, ts_bytes text, const ts_target **out, ts_diags *diags) {
    uint32_t errors = ts_diags_errors(diags);
    json_error_t error;
    json_t *root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    ts_target *target = TS_NEW(arena, ts_target);
    *out = target;
    if (root == NULL) {
        return ts_error(diags, TS_DIAG_SYNTAX, NULL, NULL, "line %d: %s", error.line, error.text);
    }
    ts_guard_defer((void (*)(void *))json_decref, root);
    reader r = {arena, diags};
    read_target(&r, root, target);
    ts_guard_undefer(root);
    json_decref(root);
    return ts_diags_errors(diags) > errors ? TS_BAD_INPUT : TS_OK;
}

ts_status ts_target_load(ts_arena *arena, const char *name_or_path, const ts_target **out, ts_diags *diags) {
    ts_bytes text;
    TS_TRY(ts_target_text(arena, name_or_path, &text, diags));
    const char *outer = diags->file;
    diags->file = name_or_path;
    ts_status status = ts_target_parse(arena, text, out, diags);
    diags->file = outer;
    return status;
}

const ts_memory *ts_target_memory(const ts_target *target, const char *name) {
    for (uint32_t i = 0; i < target->memory_count; i++) {
        if (strcmp(target->memories[i].name, name) == 0) {
            return &target->memories[i];
        }
    }
    return NULL;
}

const ts_memory *ts_target_level(const ts_target *target, uint32_t level) {
    for (uint32_t i = 0; i < target->memory_count; i++) {
        if (target->memories[i].level == level && target->memories[i].writable) {
            return &target->memories[i];
        }
    }
    return NULL;
}

const ts_memory *ts_target_flash(const ts_target *target) {
    for (uint32_t i = 0; i < target->memory_count; i++) {
        if (!target->memories[i].writable && target->memories[i].addressable) {
            return &target->memories[i];
        }
    }
    return NULL;
}

const ts_memory *ts_target_weights(const ts_target *target) {
    return target->weights_memory == NULL ? ts_target_level(target, 3)
                                          : ts_target_memory(target, target->weights_memory);
}

bool ts_target_weights_apart(const ts_target *target) {
    return ts_target_weights(target) != ts_target_level(target, 3);
}

uint32_t ts_target_levels(const ts_target *target) {
    return target->memory_count == 0 ? 0 : target->memories[target->memory_count - 1].level;
}
