#include "cli/mixed.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/progress.h"
#include "run/mixed.h"

ts_status ts_cli_choose_widths(ts_arena *arena, const char *name, ts_qnet *net, const ts_data *calibration,
                               ts_widths *widths, ts_diags *diags) {
    ts_progress progress = {ts_cli_progress, (void *)(uintptr_t) "measuring"};
    const ts_target *target;
    ts_mixed m;
    TS_TRY(ts_run_target(arena, name != NULL ? name : "gap8", &target, diags));
    TS_TRY(ts_mixed_choose(arena, net, calibration, target, widths, &progress, &m, diags));
    ts_cli_progress(progress.object, 1, 1);
    printf("%-28s %8s %10s    %8s %10s\n", "layer", "bits", "cycles", "bits", "cycles");
    for (uint32_t i = 0; i < net->layers.count; i++) {
        printf("%-28.28s    w%ua%u %10" PRIu64 " ->    w%ua%u %10" PRIu64 "\n", net->layers.data[i].name,
               m.before[i].weights, m.before[i].activations, m.cycles_before[i], m.after[i].weights,
               m.after[i].activations, m.cycles_after[i]);
    }
    printf("%s: %" PRIu64 " cycles -> %" PRIu64 ", measured in %u runs\n", target->name, m.total_before,
           m.total_after, m.runs);
    return TS_OK;
}
