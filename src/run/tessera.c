/* The public library: include/tessera.h over the rooms. */
#include "tessera.h"

#include <string.h>

#include "model/model.h"
#include "run/run.h"

const char *tessera_version(void) { return TESSERA_VERSION; }

static void tell(const tessera_options *options, const ts_diags *diags) {
    static const char *const severities[] = {"note", "warning", "error"};
    for (uint32_t i = 0; options->message != NULL && i < diags->list.count; i++) {
        const ts_diag *d = &diags->list.data[i];
        ts_text line = {.arena = diags->arena};
        ts_text_printf(&line, "%s: ", severities[d->severity]);
        if (d->file != NULL) {
            ts_text_printf(&line, "%s: ", d->file);
        }
        if (d->node != NULL) {
            ts_text_printf(&line, "node '%s': ", d->node);
        }
        ts_text_add(&line, d->text);
        options->message(options->user, line.data);
    }
}

static ts_status prepare(ts_arena *arena, const char *model, const tessera_options *options, ts_graph **graph,
                         ts_run_options *run, ts_diags *diags) {
    const ts_model_options reading = {.input_signed = -1};
    *run =
        (ts_run_options){.golden = options->golden, .seed = options->seed, .jobs = 2, .command = "library"};
    run->plan.l1_bytes = options->l1_bytes;
    run->plan.l2_bytes = options->l2_bytes;
    run->plan.cores = options->cores;
    TS_TRY(ts_run_target(arena, options->target != NULL ? options->target : "gap8", &run->target, diags));
    return ts_model_read(arena, model, &reading, graph, diags);
}

/* What a call does between its guard's ends: compiles into `folder`, or runs and writes `json`. */
typedef struct call {
    const char *model, *folder, *json;
    bool runs;
} call;

static ts_status perform(ts_arena *arena, const call *c, const tessera_options *options, ts_diags *diags) {
    ts_graph *graph = NULL;
    ts_run_options run;
    TS_TRY(prepare(arena, c->model, options, &graph, &run, diags));
    if (!c->runs) {
        const ts_plan *plan = NULL;
        return ts_compile(arena, graph, &run, c->folder, &plan, diags);
    }
    ts_run_result result;
    ts_status status = ts_run(arena, graph, &run, &result, diags);
    if ((status == TS_OK || status == TS_MISMATCH) && c->json != NULL) {
        ts_text text = {.arena = arena};
        ts_run_print_json(&text, &result);
        TS_TRY(ts_file_write(c->json, text.data, text.size, diags));
    }
    return status;
}

static const tessera_options defaults = {.seed = 1};

static int guarded(const call *c, const tessera_options *chosen) {
    ts_arena *volatile arena = NULL;
    ts_guard guard;
    if (TS_GUARD_ENTER(&guard)) {
        ts_arena_free(arena);
        if (chosen->message != NULL) {
            chosen->message(chosen->user, "error: out of memory");
        }
        return TS_SYSTEM;
    }
    arena = ts_arena_new("library", 0);
    ts_diags diags = {.arena = arena};
    ts_status status = perform(arena, c, chosen, &diags);
    tell(chosen, &diags);
    ts_guard_leave(&guard);
    ts_arena_free(arena);
    return (int)status;
}

int tessera_compile(const char *model, const tessera_options *options, const char *folder) {
    if (model == NULL || folder == NULL) {
        return TS_BAD_INPUT;
    }
    return guarded(&(call){.model = model, .folder = folder}, options != NULL ? options : &defaults);
}

int tessera_run(const char *model, const tessera_options *options, const char *json) {
    if (model == NULL) {
        return TS_BAD_INPUT;
    }
    return guarded(&(call){.model = model, .json = json, .runs = true},
                   options != NULL ? options : &defaults);
}
