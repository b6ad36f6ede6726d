/* A run's JSON or a plan.json, and the page that is made from it. */
#include "fuzz.h"
#include "report/report.h"

static void read(ts_bytes file, ts_diags *diags) {
    const ts_report_run *run = NULL;
    ts_status status = ts_report_read(diags->arena, file, "run.json", &run, diags);
    ts_fuzz_check(status, diags);
    if (status == TS_OK) {
        ts_text page = {.arena = diags->arena};
        ts_report_html(&page, run, run);
    }
}

TS_FUZZ_TARGET(read)
