/* The report: one HTML file about a run, or about two runs and what changed between them.
 *
 * It is made from the JSON that `tessera run --json` writes, or from a plan.json (then without measured
 * figures), so that a report can be made long after the run and elsewhere. It knows nothing of graphs, plans
 * and simulators. What the JSON says is untrusted, the names in it above all. */
#ifndef TS_REPORT_REPORT_H
#define TS_REPORT_REPORT_H

#include "base/file.h"
#include "base/text.h"

typedef struct ts_report_run ts_report_run;

enum { TS_REPORT_JSON_LIMIT = 256 << 20 };

/* Reads a run's JSON or a plan.json. `label` names the run where two are compared (a file's name). The
 * result belongs to `arena`. TS_BAD_INPUT names the key that is not as it should be. */
ts_status ts_report_read(ts_arena *arena, ts_bytes json, const char *label, const ts_report_run **out,
                         ts_diags *diags);

/* `run` with what `tessera quantize --json` wrote about its network: the accuracy of every stage, and what
 * each layer lost. The result belongs to the arena of `run`. TS_BAD_INPUT as above. */
ts_status ts_report_with_quantised(const ts_report_run *run, ts_bytes json, const ts_report_run **out,
                                   ts_diags *diags);

/* `run` with the accuracy that `tessera eval --json` wrote. As above. */
ts_status ts_report_with_accuracy(const ts_report_run *run, ts_bytes json, const ts_report_run **out,
                                  ts_diags *diags);

/* Appends the page about `run`; with `other` the page says first what changed from `run` to `other` and
 * then describes both. It asks for nothing from anywhere. */
void ts_report_html(ts_text *out, const ts_report_run *run, const ts_report_run *other);

#endif
