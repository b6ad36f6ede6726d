/* A run's JSON or a plan.json, or the figures of quantize and eval beside a plan, and the page that is made
 * from them. */
#include "fuzz.h"
#include "report/report.h"

/* Every other file as a comparison of the run with itself, which takes twice the time. */
static void print(const ts_report_run *run, bool compare, ts_diags *diags) {
    ts_text page = {.arena = diags->arena};
    ts_report_html(&page, run, compare ? run : NULL);
}

static void read(ts_bytes file, ts_diags *diags) {
    static const char plan[] = "{\"model\": \"m\", \"layers\": [{\"name\": \"n\"}], \"buffers\": []}";
    const ts_report_run *run = NULL, *more = NULL;
    ts_diags other = {.arena = diags->arena};
    ts_status status = ts_report_read(diags->arena, file, "run.json", &run, diags);
    ts_fuzz_check(status, diags);
    if (status == TS_OK) {
        print(run, file.size % 2 == 0, diags);
    }
    ts_bytes bytes = {(const uint8_t *)plan, sizeof plan - 1};
    TS_ASSERT(ts_report_read(diags->arena, bytes, "plan.json", &run, &other) == TS_OK, "the plan above");
    if (ts_report_with_quantised(run, file, &more, &other) == TS_OK ||
        ts_report_with_accuracy(run, file, &more, &other) == TS_OK) {
        print(more, file.size % 2 == 0, diags);
    }
}

TS_FUZZ_TARGET(read)
