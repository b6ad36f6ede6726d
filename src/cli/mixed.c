#include "cli/mixed.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/progress.h"
#include "cli/terminal.h"
#include "run/mixed.h"

enum { COLUMNS = 5, MOST_NAME = 28 };

static const char *bits_text(ts_arena *arena, ts_widths w) {
    return ts_arena_printf(arena, "w%ua%u", w.weights, w.activations);
}

static void print_layers(ts_arena *arena, const ts_qnet *net, const ts_mixed *m) {
    static const ts_column columns[COLUMNS] = {{"layer", false, 0},
                                               {"bits", true, 1},
                                               {"cycles", true, 1},
                                               {"becomes", true, 0},
                                               {"cycles", true, 0}};
    ts_table table = {.arena = arena, .columns = columns, .column_count = COLUMNS};
    for (uint32_t i = 0; i < net->layers.count; i++) {
        const char **row = TS_NEW_ARRAY(arena, const char *, COLUMNS);
        row[0] = ts_arena_printf(arena, "%.*s", MOST_NAME, net->layers.data[i].name);
        row[1] = bits_text(arena, m->before[i]);
        row[2] = ts_arena_printf(arena, "%" PRIu64, m->cycles_before[i]);
        row[3] = bits_text(arena, m->after[i]);
        row[4] = ts_arena_printf(arena, "%" PRIu64, m->cycles_after[i]);
        ts_table_add(&table, row);
    }
    ts_cli_show(&table);
}

ts_status ts_cli_choose_widths(ts_arena *arena, const char *name, ts_qnet *net, const ts_data *calibration,
                               ts_widths *widths, ts_diags *diags) {
    ts_progress progress = {ts_cli_progress, (void *)(uintptr_t) "measuring"};
    const ts_target *target;
    ts_mixed m;
    TS_TRY(ts_run_target(arena, name != NULL ? name : "gap8", &target, diags));
    TS_TRY(ts_mixed_choose(arena, net, calibration, target, widths, &progress, &m, diags));
    ts_cli_progress(progress.object, 1, 1);
    print_layers(arena, net, &m);
    printf("%s: %" PRIu64 " cycles -> %" PRIu64 ", measured in %u runs\n", target->name, m.total_before,
           m.total_after, m.runs);
    return TS_OK;
}
