#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "run/internal.h"
#include "run/process.h"

enum { NOTED_LINES = 12, OUTPUT_LIMIT = 1 << 30 };

void ts__note_lines(ts_arena *arena, const char *output, ts_diags *diags) {
    char *lines = ts_arena_strdup(arena, output), *rest = NULL;
    char *line = strtok_r(lines, "\n", &rest);
    for (uint32_t i = 0; i < NOTED_LINES && line != NULL; i++, line = strtok_r(NULL, "\n", &rest)) {
        ts_note(diags, TS_DIAG_TOOL, NULL, NULL, "%s", line);
    }
}

ts_status ts__need_program(ts_arena *arena, const char *name, const char *package, ts_diags *diags) {
    if (ts_program_found(arena, name)) {
        return TS_OK;
    }
    return ts_error(diags, TS_DIAG_TOOL, NULL, NULL, "'%s' is not installed; on Debian: apt-get install %s",
                    name, package);
}

/* Variables of make that put the program where the board has memory, and let the core copy. */
static uint32_t board_arguments(ts_arena *arena, const ts_board *board, char **out) {
    out[0] = ts_arena_printf(arena, "FLASH=%s", board->flash);
    out[1] = ts_arena_printf(arena, "RAM=%s", board->ram);
    out[2] = ts_arena_printf(arena, "OUTER=%s", board->outer);
    out[3] = ts_arena_strdup(arena, "DMA=copy"); /* QEMU's boards have none */
    return 4;
}

ts_status ts_build(ts_arena *arena, const char *folder, const ts_target *target, uint32_t jobs,
                   const char *flags, const char **program, ts_diags *diags) {
    const ts_toolchain *tools = ts_toolchain_of(target->platform);
    TS_ASSERT(tools != NULL, "build: an application without a platform");
    diags->file = NULL;
    TS_TRY(ts__need_program(arena, "make", "make", diags));
    TS_TRY(ts__need_program(arena, tools->compiler, tools->package, diags));
    char *arguments[9] = {"make", "--silent", ts_arena_printf(arena, "-j%u", jobs)};
    uint32_t n = 3;
    if (ts_board_of(target) != NULL) {
        n += board_arguments(arena, ts_board_of(target), &arguments[n]);
    }
    arguments[n] = flags == NULL ? NULL : ts_arena_printf(arena, "CFLAGS=%s", flags);
    const char *output = NULL;
    int status = 0;
    TS_TRY(ts_program_run(arena, folder, arguments, &output, &status, diags));
    if (status != 0) {
        ts_status failed = ts_error(diags, TS_DIAG_TOOL, NULL, NULL,
                                    "building the C in '%s' failed with status %d", folder, status);
        ts__note_lines(arena, output, diags);
        return failed;
    }
    *program = ts_path_join(arena, folder, tools->program);
    return TS_OK;
}

static uint64_t output_bytes(const ts_plan *plan, uint32_t layer) {
    return ts_emit_map_bytes(&plan->graph->tensors.data[plan->layers[layer].y.tensor]);
}

ts_status ts__take_outputs(ts_arena *arena, const char *path, ts_execution *execution, ts_diags *diags) {
    const ts_plan *plan = execution->network->plan;
    ts_bytes all;
    TS_TRY(ts_file_read(arena, path, OUTPUT_LIMIT, &all, diags));
    execution->outputs = TS_NEW_ARRAY(arena, uint8_t *, plan->layer_count);
    size_t at = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        size_t bytes = (size_t)output_bytes(plan, i);
        if (bytes > all.size - at) {
            return ts_error(diags, TS_DIAG_TOOL, plan->layers[i].name, NULL,
                            "the program wrote %zu bytes of output; the layers have more", all.size);
        }
        execution->outputs[i] = ts_arena_copy(arena, all.data + at, bytes);
        at += bytes;
    }
    return TS_OK;
}

ts_status ts_execute_host(ts_arena *arena, const char *folder, const char *program, ts_execution *list,
                          uint32_t count, const ts_host_options *options, ts_diags *diags) {
    char **arguments = TS_NEW_ARRAY(arena, char *, 3 * (size_t)count + 8);
    uint32_t n = 0;
    arguments[n++] = ts_arena_strdup(arena, program);
    if (options->early) {
        arguments[n++] = "-e";
    }
    if (options->cores > 1) {
        arguments[n++] = "-c";
        arguments[n++] = ts_arena_printf(arena, "%u", options->cores);
    }
    const char **results = TS_NEW_ARRAY(arena, const char *, count);
    for (uint32_t i = 0; i < count; i++) {
        char *image = ts_path_join(arena, folder, ts_arena_printf(arena, "run-%u.weights", i));
        char *input = ts_path_join(arena, folder, ts_arena_printf(arena, "run-%u.input", i));
        results[i] = ts_path_join(arena, folder, ts_arena_printf(arena, "run-%u.output", i));
        TS_TRY(ts_file_write(image, list[i].network->image, list[i].network->image_size, diags));
        TS_TRY(ts_file_write(input, list[i].input, list[i].input_size, diags));
        arguments[n++] = image;
        arguments[n++] = input;
        arguments[n++] = ts_arena_strdup(arena, results[i]);
    }
    const char *output = NULL;
    int status = 0;
    TS_TRY(ts_program_run(arena, NULL, arguments, &output, &status, diags));
    if (status != 0) {
        ts_status failed = ts_error(diags, TS_DIAG_TOOL, NULL, NULL, "the program '%s' ended with status %d",
                                    program, status);
        ts__note_lines(arena, output, diags);
        return failed;
    }
    for (uint32_t i = 0; i < count; i++) {
        TS_TRY(ts__take_outputs(arena, results[i], &list[i], diags));
    }
    return TS_OK;
}
