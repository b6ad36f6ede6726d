#include "cli/relax.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/file.h"
#include "cli/progress.h"

static void print_widths(const ts_qnet *net, const ts_widths *widths) {
    for (uint32_t i = 0; i < net->layers.count; i++) {
        const ts_qlayer *l = &net->layers.data[i];
        bool linear = l->kind == TS_QUANT_CONV || l->kind == TS_QUANT_LINEAR;
        if (linear) {
            printf("  %-28.28s w%ua%u\n", l->name, widths[i].weights, widths[i].activations);
        } else {
            printf("  %-28.28s   a%u\n", l->name, widths[i].activations);
        }
    }
}

static void print_rounds(const ts_relax_trace *t) {
    const ts_widths *last = t->start;
    printf("float %.2f %%, bound %.2f %%, on the samples kept from training\n", 100 * t->exact,
           100 * t->floor);
    printf("%5s %6s %10s %10s %14s\n", "round", "steps", "untrained", "trained", "weight bytes");
    for (uint32_t i = 0; i < t->rounds.count; i++) {
        const ts_relax_round *r = &t->rounds.data[i];
        printf("%5u %6u %9.2f%% %9.2f%% %14" PRIu64 "%s\n", i, r->steps, 100 * r->before, 100 * r->after,
               (r->weight_bits + 7) / 8, r->kept ? "" : "  taken back");
        last = r->kept ? r->widths : last;
    }
    print_widths(t->net, last);
}

ts_status ts_cli_relax(ts_arena *arena, ts_qnet *net, const ts_data *calibration, const ts_data *data,
                       const ts_relax_options *options, const char *picture, ts_quant **out,
                       ts_diags *diags) {
    ts_relax_trace trace;
    ts_progress progress = {ts_cli_progress, (void *)(uintptr_t) "relaxing"};
    ts_status status = ts_relax(arena, net, calibration, data, options, &progress, &trace, out, diags);
    if (trace.rounds.count > 0) {
        print_rounds(&trace);
    }
    TS_TRY(status);
    if (picture != NULL) {
        ts_text text = {.arena = arena};
        ts_relax_picture(&text, &trace);
        TS_TRY(ts_file_write(picture, text.data, text.size, diags));
    }
    return TS_OK;
}
