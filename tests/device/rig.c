#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "sim/sim.h"

#define COMPILER "riscv64-unknown-elf-gcc"

static const char *const names[] = {
#define TS_CONV_KERNEL(name, isa, twin, sources)   #name,
#define TS_ADD_KERNEL(name, isa, twin, sources)    #name,
#define TS_MATMUL_KERNEL(name, isa, twin, sources) #name,
#include "kernels/kernels.def"
};

static const char *const twins[] = {
#define TS_CONV_KERNEL(name, isa, twin, sources)   #twin,
#define TS_ADD_KERNEL(name, isa, twin, sources)    #twin,
#define TS_MATMUL_KERNEL(name, isa, twin, sources) #twin,
#include "kernels/kernels.def"
};

static const char *const sources[] = {
#define TS_CONV_KERNEL(name, isa, twin, sources)   sources,
#define TS_ADD_KERNEL(name, isa, twin, sources)    sources,
#define TS_MATMUL_KERNEL(name, isa, twin, sources) sources,
#include "kernels/kernels.def"
};

uint32_t rig_kernel(const char *name) {
    uint32_t i = 0;
    while (i < RUNNER_KERNELS && strcmp(names[i], name) != 0) {
        i++;
    }
    return i;
}

const char *rig_twin(uint32_t number) { return twins[number]; }

const ts_kernel *rig_row(const char *name) { return ts_kernel_find(name); }

/* Appends the files of one kernel that are not yet named. */
static void append_sources(char *command, size_t room, const char *list) {
    char copy[512], *at = copy, *file;
    snprintf(copy, sizeof copy, "%s", list);
    while ((file = strtok_r(at, " ", &at)) != NULL) {
        char path[768];
        snprintf(path, sizeof path, " " TS_DEVICE_DIR "/kernels/%s", file);
        if (strstr(command, path) == NULL) {
            strncat(command, path, room - strlen(command) - 1);
        }
    }
}

enum { L2_BASE = 0x1C000000, L2_BYTES = 0x200000 };
enum { TABLE_BASE = L2_BASE + 0x80000, AREA_BASE = L2_BASE + 0x90000, AREA_END = L2_BASE + L2_BYTES };

/* With an L2 for some hundred cases, since a simulator for each few takes longer than these. */
static const ts_target *roomy(ts_arena *arena, const ts_target *target) {
    ts_target *copy = ts_arena_copy(arena, target, sizeof *target);
    for (uint32_t i = 0; i < copy->memory_count; i++) {
        if (copy->memories[i].base == L2_BASE) {
            copy->memories[i].size_bytes = L2_BYTES;
        }
    }
    return copy;
}

bool rig_build(rig *r, ts_arena *arena, const char *target, uint32_t cores) {
    static char command[16384];
    char elf[] = P_tmpdir "/tessera-kernels-XXXXXX";
    ts_diags list = {.arena = arena}, *diags = &list;
    *r = (rig){.arena = arena, .cores = cores};
    if (system("command -v " COMPILER " > /dev/null 2>&1") != 0 ||
        ts_target_load(arena, target, &r->target, diags)) {
        return false;
    }
    r->target = roomy(arena, r->target);
    int file = mkstemp(elf);
    snprintf(command, sizeof command,
             COMPILER
             " -march=rv32imc -misa-spec=2.2 -mabi=ilp32 -O2 -std=c99 -ffreestanding -nostdlib"
             " -ffunction-sections -Wall -Wextra -Werror -DTS_CORES=%u -Wl,--defsym=TS_TEAM=%u"
             " -Wl,--gc-sections -Wl,-z,max-page-size=16 -Wl,--no-warn-rwx-segments -I" TS_DEVICE_DIR
             " -I" TS_DEVICE_BUILD " -I" TS_DEVICE_BUILD "/kernels/xpulp -I" TS_DEVICE_DIR
             "/hal/pulp -I" TS_DEVICE_TESTS " -T " TS_DEVICE_DIR
             "/hal/pulp/link.ld"
             " -o %s " TS_DEVICE_TESTS "/runner.c " TS_DEVICE_DIR "/hal/pulp/boot.c " TS_DEVICE_DIR
             "/hal/pulp/l3.c " TS_DEVICE_DIR "/hal/pulp/mem.c " TS_DEVICE_DIR "/hal/pulp/crt0.S",
             cores, cores, elf);
    for (uint32_t i = 0; i < RUNNER_KERNELS; i++) {
        append_sources(command, sizeof command, sources[i]);
    }
    if (getenv("RIG_FLAGS") != NULL) {
        strncat(command, " ", sizeof command - strlen(command) - 1);
        strncat(command, getenv("RIG_FLAGS"), sizeof command - strlen(command) - 1);
    }
    strncat(command, " -lgcc", sizeof command - strlen(command) - 1);
    if (file < 0 || system(command) != 0 || ts_file_read(arena, elf, 1 << 24, &r->elf, diags) != TS_OK) {
        fprintf(stderr, "building the runner failed\n");
        exit(1);
    }
    close(file);
    unlink(elf);
    return true;
}

bool rig_add(rig *r, ts_arena *arena, const ts_case *c, const ts_kernel *kernel, uint32_t number,
             rig_job *job) {
    uint32_t bytes = case_lay_out(arena, c, kernel, r->cores, &job->job.call, &job->area);
    job->job.kernel = number;
    job->job.bytes = bytes + 32;
    return job->job.bytes <= 39000;
}

static void stop(ts_diags *diags, const char *what) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        ts_diag_print(stderr, &diags->list.data[i]);
    }
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void print_char(void *user, unsigned core, char c) {
    (void)user, (void)core;
    fputc(c, stderr);
}

static void run_batch(rig *r, rig_job *jobs, uint32_t count, uint32_t area_base, uint32_t table_base) {
    ts_arena *arena = ts_arena_new("sim", 0);
    ts_diags list = {.arena = arena}, *diags = &list;
    ts_sim_options options = {.stdout_char = print_char, .max_cycles = 2000000000};
    ts_sim *sim;
    if (ts_sim_new(arena, r->target, &options, &sim, diags) || ts_sim_load_elf(sim, r->elf, diags)) {
        stop(diags, "the simulator does not take the runner");
    }
    uint32_t table_at = 0, program_end = 0;
    if (!ts_sim_symbol(sim, "pulp_l2_begin", &program_end) || program_end > table_base) {
        stop(diags, "the runner reaches into its table of jobs: TABLE_BASE must be higher");
    }
    runner_table table = {count, table_base};
    if (!ts_sim_symbol(sim, "runner_jobs", &table_at)) {
        stop(diags, "no runner_jobs");
    }
    ts_sim_write(sim, table_at, &table, sizeof table);
    uint32_t at = area_base;
    for (uint32_t i = 0; i < count; i++) {
        jobs[i].job.area = at;
        ts_sim_write(sim, at, jobs[i].area, jobs[i].job.bytes);
        ts_sim_write(sim, table_base + i * (uint32_t)sizeof(runner_job), &jobs[i].job, sizeof(runner_job));
        at += (jobs[i].job.bytes + 15u) / 16u * 16u;
    }
    if (ts_sim_run(sim, diags) != TS_OK || ts_sim_exit_code(sim) != 0) {
        stop(diags, "the run failed");
    }
    for (uint32_t i = 0; i < count; i++) {
        ts_sim_read(sim, jobs[i].job.area, jobs[i].area, jobs[i].job.bytes);
        ts_sim_read(sim, table_base + i * (uint32_t)sizeof(runner_job), &jobs[i].job, sizeof(runner_job));
    }
    if (getenv("RIG_STALLS") != NULL) {
        for (uint32_t c = 0; c < r->cores; c++) {
            ts_sim_counters n;
            ts_sim_counters_of(sim, c, &n);
            fprintf(stderr, "core %u:", c);
#define X(id, name, text) fprintf(stderr, " %s %llu", name, (unsigned long long)n.by_cause[TS_SIM_##id]);
            TS_SIM_CAUSES(X)
            fprintf(stderr, "\n");
        }
    }
    ts_sim_free(sim);
    ts_arena_free(arena);
}

void rig_run(rig *r, rig_job *jobs, uint32_t count) {
    uint32_t begin = 0;
    while (begin < count) {
        uint32_t end = begin, bytes = 0;
        while (end < count && bytes + jobs[end].job.bytes + 16 <= AREA_END - AREA_BASE &&
               (end - begin + 1) * sizeof(runner_job) <= AREA_BASE - TABLE_BASE) {
            bytes += (jobs[end].job.bytes + 15u) / 16u * 16u;
            end++;
        }
        run_batch(r, jobs + begin, end - begin, AREA_BASE, TABLE_BASE);
        begin = end;
    }
}
