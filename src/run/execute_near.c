/* Programs of chips with one core: under QEMU with a plug-in that counts instructions, or on this machine. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "run/internal.h"
#include "run/process.h"
#include "sim/elf.h"

enum { TEXT_LIMIT = 64 << 20, ELF_LIMIT = 256 << 20 };

static const char TIME_LIMIT[] = "300";

static const ts_board boards[] = {
    {"mps2-an386", "qemu-system-arm", "qemu-system-arm", "0x00000000", "0x20000000", "0x20200000"},
    {"mps2-an500", "qemu-system-arm", "qemu-system-arm", "0x00000000", "0x20000000", "0x20200000"},
    {"virt", "qemu-system-riscv32", "qemu-system-misc", "0x80000000", "0x80400000", "0x80800000"},
};

bool ts__is_near(const ts_target *target) {
    return strcmp(target->platform, "host") != 0 && strcmp(target->platform, "pulp") != 0;
}

const ts_board *ts_board_of(const ts_target *target) {
    for (size_t i = 0; ts__is_near(target) && i < sizeof boards / sizeof *boards; i++) {
        if (target->machine != NULL && strcmp(boards[i].machine, target->machine) == 0) {
            return &boards[i];
        }
    }
    return NULL;
}

/* ---- files of the program ------------------------------------------------------------------------- */

static ts_status write_inputs(ts_arena *arena, const char *folder, const ts_execution *list, uint32_t count,
                              ts_diags *diags) {
    for (uint32_t n = 0; n < count; n++) {
        const ts_graph *graph = list[n].network->plan->graph;
        const uint8_t *from = list[n].input;
        for (uint32_t i = 0; i < graph->inputs.count; i++) {
            size_t bytes = (size_t)ts_emit_map_bytes(&graph->tensors.data[graph->inputs.data[i]]);
            const char *name = ts_arena_printf(arena, "run-%u-%u.input", n, i);
            TS_TRY(ts_file_write(ts_path_join(arena, folder, name), from, bytes, diags));
            from += bytes;
        }
    }
    return TS_OK;
}

static ts_status take_all_outputs(ts_arena *arena, const char *folder, ts_execution *list, uint32_t count,
                                  ts_diags *diags) {
    for (uint32_t n = 0; n < count; n++) {
        const char *name = ts_arena_printf(arena, "run-%u.output", n);
        TS_TRY(ts__take_outputs(arena, ts_path_join(arena, folder, name), &list[n], diags));
    }
    return TS_OK;
}

/* ---- counts --------------------------------------------------------------------------------------- */

static ts_status read_elf(ts_arena *arena, const char *program, const ts_target *target, ts_elf *elf,
                          ts_diags *diags) {
    ts_bytes file;
    TS_TRY(ts_file_read(arena, program, ELF_LIMIT, &file, diags));
    bool arm = strcmp(target->platform, "cortexm") == 0;
    return (arm ? ts_elf_read_arm : ts_elf_read)(arena, file, elf, diags);
}

static ts_status add_mark(const ts_elf *elf, const char *name, ts_text *marks, ts_diags *diags) {
    const ts_elf_symbol *symbol = ts_elf_symbol_named(elf, name);
    if (symbol == NULL) {
        return ts_error(diags, TS_DIAG_TOOL, NULL, NULL,
                        "the program has no symbol '%s'; build it without stripping", name);
    }
    ts_text_printf(marks, "%" PRIx32 "\n", symbol->address & ~1u);
    return TS_OK;
}

/* The first mark is where a layer is done, then come the layers of all networks. */
static ts_status write_marks(ts_arena *arena, const char *path, const char *program, const ts_target *target,
                             const ts_execution *list, uint32_t count, ts_diags *diags) {
    ts_elf elf;
    ts_text marks = {.arena = arena};
    TS_TRY(read_elf(arena, program, target, &elf, diags));
    TS_TRY(add_mark(&elf, "ts_layer_done", &marks, diags));
    for (uint32_t n = 0; n < count; n++) {
        const ts_emitted *network = list[n].network;
        for (uint32_t i = 0; i < network->plan->layer_count; i++) {
            TS_TRY(add_mark(&elf, network->layer_functions[i], &marks, diags));
        }
    }
    return ts_file_write(path, marks.data, marks.size, diags);
}

static double estimate(const ts_target *target, const uint64_t counts[TS_COUNT_CLASSES]) {
    const ts_instruction_cycles *c = &target->instruction_cycles;
    const double each[TS_COUNT_CLASSES] = {[TS_COUNT_ALU] = c->alu,
                                           [TS_COUNT_MULTIPLY] = c->multiply,
                                           [TS_COUNT_DIVIDE] = c->divide,
                                           [TS_COUNT_LOAD] = c->load,
                                           [TS_COUNT_STORE] = c->store,
                                           [TS_COUNT_BRANCH] = c->branch,
                                           [TS_COUNT_FURTHER_WORDS] = c->further_word};
    double cycles = 0;
    for (uint32_t i = 0; i < TS_COUNT_CLASSES; i++) {
        cycles += (double)counts[i] * each[i];
    }
    return cycles;
}

static void fill_counts(const ts_target *target, const uint64_t begin[TS_COUNT_CLASSES],
                        const uint64_t end[TS_COUNT_CLASSES], ts_layer_counts *out) {
    for (uint32_t c = 0; c < TS_COUNT_CLASSES; c++) {
        out->by_class[c] = end[c] - begin[c];
        out->instructions += c == TS_COUNT_FURTHER_WORDS ? 0 : out->by_class[c];
    }
    out->cycles = (uint64_t)(estimate(target, out->by_class) + 0.5);
}

/* The number of a mark and the counters behind it; false where the line has something else. */
static bool read_line(const char *line, uint64_t *mark, uint64_t counters[TS_COUNT_CLASSES]) {
    char *end;
    *mark = strtoull(line, &end, 10);
    for (uint32_t c = 0; c < TS_COUNT_CLASSES; c++) {
        const char *at = end;
        counters[c] = strtoull(at, &end, 10);
        if (end == at) {
            return false;
        }
    }
    return *end == '\n';
}

/* Lines come in pairs: a layer begins, a layer is done. Networks and layers come in their order. */
static ts_status take_counts(ts_arena *arena, const char *path, const ts_target *target, ts_execution *list,
                             uint32_t count, ts_diags *diags) {
    ts_bytes text;
    TS_TRY(ts_file_read(arena, path, TEXT_LIMIT, &text, diags));
    const char *line = ts_arena_printf(arena, "%.*s", (int)text.size, (const char *)text.data);
    uint64_t expected = 1;
    for (uint32_t n = 0; n < count; n++) {
        uint32_t layers = list[n].network->plan->layer_count;
        list[n].counts = TS_NEW_ARRAY(arena, ts_layer_counts, layers);
        for (uint32_t i = 0; i < layers; i++, expected++) {
            uint64_t mark[2], counters[2][TS_COUNT_CLASSES];
            for (uint32_t half = 0; half < 2; half++) {
                if (!read_line(line, &mark[half], counters[half])) {
                    return ts_error(diags, TS_DIAG_TOOL, NULL, NULL, "the counts end before layer %u", i);
                }
                line = strchr(line, '\n') + 1;
            }
            if (mark[0] != expected || mark[1] != 0) {
                return ts_error(diags, TS_DIAG_TOOL, NULL, NULL, "the counts of layer %u are out of order",
                                i);
            }
            fill_counts(target, counters[0], counters[1], &list[n].counts[i]);
        }
    }
    return TS_OK;
}

/* ---- execution ------------------------------------------------------------------------------------ */

static void take_stack(const char *printed, ts_stack_use *stacks) {
    const char *at = strstr(printed, "stack ");
    unsigned used = 0, given = 0;
    if (at != NULL && sscanf(at, "stack %u of %u", &used, &given) == 2) {
        *stacks = (ts_stack_use){.cores = 1, .used_bytes = {used}, .given_bytes = {given}};
    }
}

static ts_status run_it(ts_arena *arena, const char *folder, char **arguments, const char **printed,
                        ts_diags *diags) {
    int status = 0;
    TS_TRY(ts_program_run(arena, folder, arguments, printed, &status, diags));
    if (status == 0) {
        return TS_OK;
    }
    ts_status failed = ts_error(diags, TS_DIAG_TOOL, NULL, NULL, "the program ended with status %d%s", status,
                                status == 128 + 9 ? ": it ran longer than five minutes" : "");
    ts__note_lines(arena, *printed, diags);
    return failed;
}

static ts_status run_board(ts_arena *arena, const char *folder, const char *program, const ts_target *target,
                           ts_execution *list, uint32_t count, const char **printed, ts_diags *diags) {
    const ts_board *board = ts_board_of(target);
    const char *plugin = ts_path_join(arena, folder, "count.so");
    const char *marks = ts_path_join(arena, folder, "marks.txt");
    const ts_embedded *code = ts_embedded_find(ts__embedded_plugin, "count.so");
    TS_ASSERT(code != NULL, "the plug-in that counts is not built in");
    TS_TRY(ts__need_program(arena, board->emulator, board->package, diags));
    TS_TRY(ts_file_write(plugin, code->data, code->size, diags));
    TS_TRY(write_marks(arena, marks, program, target, list, count, diags));
    bool firmware = strcmp(board->machine, "virt") == 0; /* the other boards bring none */
    const char *words[] = {"timeout",
                           "--signal=KILL",
                           TIME_LIMIT,
                           board->emulator,
                           "-M",
                           board->machine,
                           "-nographic",
                           "-monitor",
                           "none",
                           "-serial",
                           "none",
                           "-semihosting-config",
                           "enable=on,target=native",
                           "-plugin",
                           "./count.so,marks=marks.txt,out=counts.txt",
                           "-kernel",
                           program,
                           firmware ? "-bios" : NULL,
                           "none",
                           NULL};
    char *arguments[sizeof words / sizeof *words] = {NULL};
    for (uint32_t i = 0; words[i] != NULL; i++) {
        arguments[i] = ts_arena_strdup(arena, words[i]);
    }
    TS_TRY(run_it(arena, folder, arguments, printed, diags));
    return take_counts(arena, ts_path_join(arena, folder, "counts.txt"), target, list, count, diags);
}

ts_status ts_execute_near(ts_arena *arena, const char *folder, const char *program, const ts_target *target,
                          ts_execution *list, uint32_t count, ts_stack_use *stacks, const char **printed,
                          ts_diags *diags) {
    const char *said = "";
    char *whole = realpath(program, NULL); /* the program runs in another folder */
    const char *path = ts_arena_strdup(arena, whole != NULL ? whole : program);
    free(whole);
    TS_TRY(write_inputs(arena, folder, list, count, diags));
    if (ts_board_of(target) != NULL) {
        TS_TRY(run_board(arena, folder, path, target, list, count, &said, diags));
    } else if (target->machine != NULL || strcmp(target->platform, "generic") != 0) {
        return ts_error(
            diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
            "target '%s': no board of QEMU is known that executes it; its 'machine' may be mps2-an386, "
            "mps2-an500 or virt",
            target->name);
    } else {
        char *arguments[] = {"timeout", "--signal=KILL", ts_arena_strdup(arena, TIME_LIMIT),
                             ts_arena_strdup(arena, path), NULL};
        TS_TRY(run_it(arena, folder, arguments, &said, diags));
    }
    if (stacks != NULL) {
        take_stack(said, stacks);
    }
    if (printed != NULL) {
        *printed = said;
    }
    return take_all_outputs(arena, folder, list, count, diags);
}

/* ---- the image ------------------------------------------------------------------------------------ */

static uint64_t symbol_bytes(const ts_elf *elf, const char *name) {
    const ts_elf_symbol *symbol = ts_elf_symbol_named(elf, name);
    return symbol != NULL && symbol->sized ? symbol->bytes : 0;
}

static uint32_t symbol_address(const ts_elf *elf, const char *name) {
    const ts_elf_symbol *symbol = ts_elf_symbol_named(elf, name);
    return symbol != NULL ? symbol->address : 0;
}

ts_status ts_image_measure(ts_arena *arena, const char *program, const ts_target *target,
                           const ts_execution *list, uint32_t count, ts_image_use *out, ts_diags *diags) {
    ts_elf elf;
    *out = (ts_image_use){0};
    TS_TRY(read_elf(arena, program, target, &elf, diags));
    for (uint32_t i = 0; i < elf.segment_count; i++) {
        const ts_elf_segment *s = &elf.segments[i];
        out->flash_bytes += s->file_bytes;
        out->ram_bytes += s->writable ? s->memory_bytes : 0;
    }
    for (uint32_t n = 0; n < count; n++) {
        const char *name = ts_arena_printf(arena, "%s_weights", list[n].network->prefix);
        out->weights_bytes += symbol_bytes(&elf, name);
    }
    out->network_bytes = symbol_bytes(&elf, "ts_app_l2") + symbol_bytes(&elf, "ts_app_l1");
    out->stack_bytes = symbol_address(&elf, "ts_stack_top") - symbol_address(&elf, "ts_stack_bottom");
    return TS_OK;
}
