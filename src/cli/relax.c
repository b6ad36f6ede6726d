#include "cli/relax.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/file.h"
#include "cli/progress.h"
#include "cli/terminal.h"

enum { ROUND_COLUMNS = 6, WIDTH_COLUMNS = 2, MOST_NAME = 28 };

static void print_widths(ts_arena *arena, const ts_qnet *net, const ts_widths *widths) {
    static const ts_column columns[WIDTH_COLUMNS] = {{"layer", false, 0}, {"bits", true, 0}};
    ts_table table = {.arena = arena, .columns = columns, .column_count = WIDTH_COLUMNS};
    for (uint32_t i = 0; i < net->layers.count; i++) {
        const ts_qlayer *l = &net->layers.data[i];
        const char **row = TS_NEW_ARRAY(arena, const char *, WIDTH_COLUMNS);
        bool linear = l->kind == TS_QUANT_CONV || l->kind == TS_QUANT_LINEAR;
        row[0] = ts_arena_printf(arena, "%.*s", MOST_NAME, l->name);
        row[1] = linear ? ts_arena_printf(arena, "w%ua%u", widths[i].weights, widths[i].activations)
                        : ts_arena_printf(arena, "a%u", widths[i].activations);
        ts_table_add(&table, row);
    }
    ts_cli_show(&table);
}

static ts_style remark_style(uint32_t column, const char *cell) {
    (void)cell;
    return column == ROUND_COLUMNS - 1 ? TS_STYLE_DOUBTFUL : TS_STYLE_PLAIN;
}

static void print_rounds(ts_arena *arena, const ts_relax_trace *t) {
    static const ts_column columns[ROUND_COLUMNS] = {{"round", true, 0},        {"steps", true, 2},
                                                     {"untrained", true, 1},    {"trained", true, 0},
                                                     {"weight bytes", true, 0}, {"", false, 0}};
    ts_table table = {
        .arena = arena, .columns = columns, .column_count = ROUND_COLUMNS, .style_of = remark_style};
    const ts_widths *last = t->start;
    printf("float %.2f %%, bound %.2f %%, on the samples kept from training\n", 100 * t->exact,
           100 * t->floor);
    for (uint32_t i = 0; i < t->rounds.count; i++) {
        const ts_relax_round *r = &t->rounds.data[i];
        const char **row = TS_NEW_ARRAY(arena, const char *, ROUND_COLUMNS);
        row[0] = ts_arena_printf(arena, "%u", i);
        row[1] = ts_arena_printf(arena, "%u", r->steps);
        row[2] = ts_arena_printf(arena, "%.2f%%", 100 * r->before);
        row[3] = ts_arena_printf(arena, "%.2f%%", 100 * r->after);
        row[4] = ts_arena_printf(arena, "%" PRIu64, (r->weight_bits + 7) / 8);
        row[5] = r->kept ? "" : "taken back";
        ts_table_add(&table, row);
        last = r->kept ? r->widths : last;
    }
    ts_cli_show(&table);
    print_widths(arena, t->net, last);
}

ts_status ts_cli_relax(ts_arena *arena, ts_qnet *net, const ts_data *calibration, const ts_data *data,
                       const ts_relax_options *options, const char *picture, ts_quant **out,
                       ts_diags *diags) {
    ts_relax_trace trace;
    ts_progress progress = {ts_cli_progress, (void *)(uintptr_t) "relaxing"};
    ts_status status = ts_relax(arena, net, calibration, data, options, &progress, &trace, out, diags);
    if (trace.rounds.count > 0) {
        print_rounds(arena, &trace);
    }
    TS_TRY(status);
    if (picture != NULL) {
        ts_text text = {.arena = arena};
        ts_relax_picture(&text, &trace);
        TS_TRY(ts_file_write(picture, text.data, text.size, diags));
    }
    return TS_OK;
}
