/* tessera sim: runs a program on the simulator. */
#include <argp.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/cmd.h"
#include "cli/terminal.h"
#include "sim/sim.h"

enum { ELF_LIMIT = 256 << 20 };

typedef struct arguments {
    ts_sim_options sim;
    const char *elf, *target, *json;
    const char *l3[16];
    uint32_t l3_count;
    bool gdb_core_given;
} arguments;

static const struct argp_option options[] = {
    {"target", 't', "NAME|FILE", 0, "Target: gap8 (default), pulp-open or a JSON file", 0},
    {"machine", 'm', "NAME", 0, "'ri5cy-suite': one core, memory at 0; 'flat': the same at 0x80000000", 0},
    {"core", 'c', "NAME", 0,
     "Core revision: ri5cy-2019-11 (default), ri5cy-2018-01, ri5cy-2017-12, cv32e40p-1.0.0", 0},
    {"json", 'j', "FILE", 0, "Write exit code, cycles and counters", 0},
    {"l3", 'l', "FILE@ADDRESS", 0, "Preload the file into L3 (HyperRAM from 0, flash from 0x40000000)", 0},
    {"max-cycles", 'n', "N", 0, "End a run that takes longer, and say what each core waits for", 0},
    {"gdb", 'g', "PORT", 0, "Wait on this port of loopback for a debugger (target remote localhost:PORT)", 0},
    {"gdb-core", 'G', "N|fc", 0, "The core that it sees: a cluster core, or fc (default)", 0},
    {"trace", 'T', "FILE", 0, "Write one line an instruction", 0},
    {"profile", 'P', "FILE", 0, "Write folded stacks", 0},
    {"timeline", 'L', "FILE", 0, "Write Chrome trace events", 0},
    {"check", 'k', NULL, 0, "Report uses of bytes that nobody wrote, races, stacks that touch data", 0},
    {0},
};

static void parse_gdb(arguments *a, int key, const char *value, const struct argp_state *state) {
    uint64_t number = TS_SIM_FC;
    bool controller = key == 'G' && strcmp(value, "fc") == 0;
    uint64_t limit = key == 'g' ? UINT16_MAX : TS_SIM_FC - 1;
    if (!controller && (!ts_parse_u64(value, &number) || number > limit || (key == 'g' && number == 0u))) {
        argp_error(state, key == 'g' ? "--gdb needs a port from 1 to 65535"
                                     : "--gdb-core needs a core's number or fc");
    }
    if (key == 'g') {
        a->sim.gdb_port = (uint16_t)number;
    } else {
        a->sim.gdb_core = (unsigned)number;
        a->gdb_core_given = true;
    }
}

static error_t parse(int key, char *value, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
        case 't':
            a->target = value;
            break;
        case 'g':
        case 'G':
            parse_gdb(a, key, value, state);
            break;
        case 'm':
            a->sim.machine = value;
            break;
        case 'c':
            a->sim.core_revision = value;
            break;
        case 'j':
            a->json = value;
            break;
        case 'T':
            a->sim.trace_path = value;
            break;
        case 'P':
            a->sim.profile_path = value;
            break;
        case 'L':
            a->sim.timeline_path = value;
            break;
        case 'k':
            a->sim.check = true;
            break;
        case 'n':
            if (!ts_parse_u64(value, &a->sim.max_cycles) || a->sim.max_cycles == 0u) {
                argp_error(state, "--max-cycles needs a number from 1");
            }
            break;
        case 'l':
            if (a->l3_count == sizeof a->l3 / sizeof a->l3[0]) {
                argp_error(state, "at most 16 --l3");
            }
            a->l3[a->l3_count++] = value;
            break;
        case ARGP_KEY_ARG:
            if (a->elf != NULL) {
                argp_error(state, "one ELF file is expected");
            }
            a->elf = value;
            break;
        case ARGP_KEY_END:
            if (a->elf == NULL) {
                argp_error(state, "an ELF file is expected");
            }
            break;
        default:
            return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static void print_char(void *user, unsigned core, char c) {
    (void)user;
    (void)core;
    putchar(c);
}

static json_t *counters_json(ts_sim *sim, unsigned core) {
    static const char *const causes[] = {
#define NAME(id, name, text) name,
        TS_SIM_CAUSES(NAME)
#undef NAME
    };
    static const char *const classes[] = {
#define NAME(id, name) name,
        TS_SIM_CLASSES(NAME)
#undef NAME
    };
    ts_sim_counters counters;
    ts_sim_counters_of(sim, core, &counters);
    json_t *root = json_object(), *by_cause = json_object(), *by_class = json_object();
    for (int i = 0; i < TS_SIM_CAUSE_COUNT; i++) {
        json_object_set_new(by_cause, causes[i], json_integer((json_int_t)counters.by_cause[i]));
    }
    for (int i = 0; i < TS_SIM_CLASS_COUNT; i++) {
        json_object_set_new(by_class, classes[i], json_integer((json_int_t)counters.by_class[i]));
    }
    json_object_set_new(root, "core", core == TS_SIM_FC ? json_string("fc") : json_integer((json_int_t)core));
    json_object_set_new(root, "cycles", json_integer((json_int_t)counters.cycles));
    json_object_set_new(root, "retired", json_integer((json_int_t)counters.instructions));
    json_object_set_new(root, "causes", by_cause);
    json_object_set_new(root, "classes", by_class);
    return root;
}

static json_t *energy_json(ts_sim *sim, const ts_target *target) {
    json_t *root = json_array();
    for (uint32_t i = 0; i < target->point_count; i++) {
        ts_sim_energy energy = ts_sim_energy_of(sim, i);
        double seconds = (double)ts_sim_cycle(sim) / (double)target->points[i].cluster_hz;
        json_array_append_new(
            root, json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "point",
                            target->points[i].name, "total_uj", energy.total_uj, "average_mw",
                            seconds > 0 ? energy.total_uj * 1e-3 / seconds : 0.0, "cores_uj", energy.cores_uj,
                            "idle_uj", energy.idle_uj, "l1_uj", energy.l1_uj, "l2_uj", energy.l2_uj, "l3_uj",
                            energy.l3_uj, "dma_uj", energy.dma_uj, "static_uj", energy.static_uj));
    }
    return root;
}

static json_t *platform_json(ts_sim *sim, const ts_target *target) {
    json_t *root = json_object(), *cores = json_array(), *traffic = json_object();
    for (unsigned i = 0; i < target->cores; i++) {
        json_array_append_new(cores, counters_json(sim, i));
    }
    json_array_append_new(cores, counters_json(sim, TS_SIM_FC));
    ts_sim_traffic moved;
    ts_sim_traffic_of(sim, &moved);
    json_object_set_new(traffic, "dma_in_bytes", json_integer((json_int_t)moved.dma_in_bytes));
    json_object_set_new(traffic, "dma_out_bytes", json_integer((json_int_t)moved.dma_out_bytes));
    json_object_set_new(traffic, "l3_read_bytes", json_integer((json_int_t)moved.l3_read_bytes));
    json_object_set_new(traffic, "l3_write_bytes", json_integer((json_int_t)moved.l3_write_bytes));
    json_object_set_new(traffic, "icache_refills", json_integer((json_int_t)moved.icache_refills));
    json_object_set_new(root, "exit", json_integer(ts_sim_exit_code(sim)));
    json_object_set_new(root, "cycles", json_integer((json_int_t)ts_sim_cycle(sim)));
    json_object_set_new(root, "retired", json_integer((json_int_t)ts_sim_retired(sim)));
    json_object_set_new(root, "cores", cores);
    json_object_set_new(root, "traffic", traffic);
    json_object_set_new(root, "energy", energy_json(sim, target));
    return root;
}

static json_t *suite_json(ts_sim *sim) {
    ts_sim_suite_result result = ts_sim_suite(sim);
    json_t *root = json_object(), *signature = json_array();
    for (uint32_t i = 0; i < result.signature_count; i++) {
        char text[16];
        snprintf(text, sizeof text, "0x%08x", result.signature[i]);
        json_array_append_new(signature, json_string(text));
    }
    json_object_set_new(root, "exit", json_integer(ts_sim_exit_code(sim)));
    json_object_set_new(root, "cycles", json_integer((json_int_t)result.cycles));
    json_object_set_new(root, "retired", json_integer((json_int_t)result.retired));
    json_object_set_new(root, "signature", signature);
    return root;
}

static ts_status write_json(ts_sim *sim, const arguments *a, const ts_target *target, ts_diags *diags) {
    json_t *root = target == NULL ? suite_json(sim) : platform_json(sim, target);
    char *text = json_dumps(root, JSON_INDENT(1));
    json_decref(root);
    ts_status status = text == NULL ? ts_error(diags, TS_DIAG_MEMORY, NULL, NULL, "no memory for the figures")
                                    : ts_file_write(a->json, text, strlen(text), diags);
    free(text);
    return status;
}

static ts_status preload(ts_sim *sim, ts_arena *arena, const char *what, ts_diags *diags) {
    const char *at = strrchr(what, '@');
    uint64_t address;
    if (at == NULL || !ts_parse_u64(at + 1, &address)) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "--l3 %s: expected FILE@ADDRESS", what);
    }
    ts_bytes bytes;
    TS_TRY(ts_file_read(arena, ts_arena_printf(arena, "%.*s", (int)(at - what), what), ELF_LIMIT, &bytes,
                        diags));
    return ts_sim_l3_write(sim, address, bytes.data, bytes.size, diags);
}

static ts_status simulate(ts_sim *sim, ts_arena *arena, const arguments *a, const ts_target *target,
                          ts_diags *diags) {
    ts_bytes elf;
    TS_TRY(ts_file_read(arena, a->elf, ELF_LIMIT, &elf, diags));
    TS_TRY(ts_sim_load_elf(sim, elf, diags));
    for (uint32_t i = 0; i < a->l3_count; i++) {
        TS_TRY(preload(sim, arena, a->l3[i], diags));
    }
    if (a->sim.gdb_port != 0u) {
        fprintf(stderr, "tessera: waiting for a debugger on localhost:%u\n", a->sim.gdb_port);
    }
    ts_status status = ts_sim_run(sim, diags);
    fflush(stdout);
    TS_TRY(status);
    if (a->json != NULL) {
        TS_TRY(write_json(sim, a, target, diags));
    } else if (target == NULL) {
        ts_sim_suite_result result = ts_sim_suite(sim);
        printf("exit %d, %llu cycles, %llu instructions\n", ts_sim_exit_code(sim),
               (unsigned long long)result.cycles, (unsigned long long)result.retired);
    }
    return ts_sim_exit_code(sim) == 0 ? TS_OK : TS_MISMATCH;
}

static ts_status run(ts_arena *arena, const arguments *a, ts_diags *diags) {
    const ts_target *target = NULL;
    if (a->sim.machine == NULL) {
        TS_TRY(ts_target_load(arena, a->target, &target, diags));
    }
    diags->file = a->elf;
    ts_sim *sim;
    TS_TRY(ts_sim_new(arena, target, &a->sim, &sim, diags));
    ts_status status = simulate(sim, arena, a, target, diags);
    ts_sim_free(sim);
    return status;
}

int ts_cmd_sim(int argc, char **argv) {
    static const struct argp argp = {
        options, parse, "ELF", "Run a program on the simulator of a target.", ts_cli_terminal_children,
        NULL,    NULL};
    arguments a = {.target = "gap8", .sim = {.stdout_char = print_char}};
    argp_err_exit_status = TS_BAD_INPUT;
    if (argp_parse(&argp, argc, argv, 0, NULL, &a) != 0) {
        return TS_BAD_INPUT;
    }
    if (!a.gdb_core_given) {
        a.sim.gdb_core = a.sim.machine == NULL ? TS_SIM_FC : 0u;
    }
    ts_arena *arena = ts_arena_new("sim", 0);
    ts_diags diags = {.arena = arena};
    int status = ts_cli_finish(&diags, run(arena, &a, &diags));
    ts_arena_free(arena);
    return status;
}
