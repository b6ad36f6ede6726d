/* The public library: include/tessera.h over the rooms. */
#include "tessera.h"

#include <math.h>
#include <string.h>

#include "model/float_model.h"
#include "model/model.h"
#include "num/float.h"
#include "quant/quantize.h"
#include "report/report.h"
#include "report/sweep.h"
#include "run/evaluate_target.h"
#include "run/explore.h"
#include "run/inspect.h"
#include "run/run.h"
#include "train/finetune.h"

#define PUBLIC __attribute__((visibility("default")))

PUBLIC const char *tessera_version(void) { return TESSERA_VERSION; }

/* ---- what every call is wrapped in ---- */

/* One call: `perform` gets the struct that begins with it. */
typedef struct call {
    ts_status (*perform)(ts_arena *arena, struct call *call, ts_diags *diags);
    tessera_message *message;
    void *user;
} call;

static void tell(const call *c, const ts_diags *diags) {
    static const char *const severities[] = {"note", "warning", "error"};
    for (uint32_t i = 0; c->message != NULL && i < diags->list.count; i++) {
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
        c->message(c->user, line.data);
    }
}

static int guarded(call *c) {
    ts_arena *volatile arena = NULL;
    ts_guard guard;
    if (TS_GUARD_ENTER(&guard)) {
        ts_arena_free(arena);
        if (c->message != NULL) {
            c->message(c->user, "error: out of memory");
        }
        return TS_SYSTEM;
    }
    arena = ts_arena_new("library", 0);
    ts_diags diags = {.arena = arena};
    ts_status status = c->perform(arena, c, &diags);
    tell(c, &diags);
    ts_guard_leave(&guard);
    ts_arena_free(arena);
    return (int)status;
}

/* ---- integer networks ---- */

typedef struct network_call {
    call call;
    const char *model, *folder, *json;
    const tessera_options *options;
    uint64_t *l1_bytes, *l2_bytes;
} network_call;

static int start(network_call *c, const tessera_options *options) {
    static const tessera_options defaults = {.seed = 1};
    c->options = options != NULL ? options : &defaults;
    c->call.message = c->options->message;
    c->call.user = c->options->user;
    return guarded(&c->call);
}

static ts_model_options reading_of(const network_call *c) {
    return (ts_model_options){.allow_float = c->options->allow_float != 0, .input_signed = -1};
}

static ts_status run_options(ts_arena *arena, const network_call *c, ts_run_options *run, ts_diags *diags) {
    const tessera_options *o = c->options;
    *run = (ts_run_options){.golden = o->golden, .seed = o->seed, .jobs = 2, .command = "library"};
    run->plan.l1_bytes = o->l1_bytes;
    run->plan.l2_bytes = o->l2_bytes;
    run->plan.cores = o->cores;
    return ts_run_target(arena, o->target != NULL ? o->target : "gap8", &run->target, diags);
}

static ts_status prepare(ts_arena *arena, const network_call *c, ts_graph **graph, ts_run_options *run,
                         ts_diags *diags) {
    const ts_model_options reading = reading_of(c);
    TS_TRY(run_options(arena, c, run, diags));
    return ts_model_read(arena, c->model, &reading, graph, diags);
}

static ts_status compile(ts_arena *arena, call *object, ts_diags *diags) {
    const network_call *c = (network_call *)object;
    const ts_plan *plan = NULL;
    ts_graph *graph;
    ts_run_options run;
    TS_TRY(prepare(arena, c, &graph, &run, diags));
    return ts_compile(arena, graph, &run, c->folder, &plan, diags);
}

static ts_status run(ts_arena *arena, call *object, ts_diags *diags) {
    const network_call *c = (network_call *)object;
    ts_graph *graph;
    ts_run_options options;
    ts_run_result result;
    TS_TRY(prepare(arena, c, &graph, &options, diags));
    ts_status status = ts_run(arena, graph, &options, &result, diags);
    if ((status == TS_OK || status == TS_MISMATCH) && c->json != NULL) {
        ts_text text = {.arena = arena};
        ts_run_print_json(&text, &result);
        TS_TRY(ts_file_write(c->json, text.data, text.size, diags));
    }
    return status;
}

static ts_status plan(ts_arena *arena, call *object, ts_diags *diags) {
    const network_call *c = (network_call *)object;
    ts_graph *graph;
    ts_run_options run;
    ts_plan *made;
    ts_text text = {.arena = arena};
    TS_TRY(prepare(arena, c, &graph, &run, diags));
    TS_TRY(ts_plan_build(arena, graph, run.target, &run.plan, &made, diags));
    TS_TRY(ts_plan_verify(made, diags));
    ts_plan_print_json(&text, made);
    return ts_file_write(c->json, text.data, text.size, diags);
}

static ts_status smallest(ts_arena *arena, call *object, ts_diags *diags) {
    const network_call *c = (network_call *)object;
    ts_graph *graph;
    ts_run_options run;
    TS_TRY(prepare(arena, c, &graph, &run, diags));
    return ts_plan_smallest(arena, graph, run.target, &run.plan, c->l1_bytes, c->l2_bytes, diags);
}

static ts_status inspect(ts_arena *arena, call *object, ts_diags *diags) {
    const network_call *c = (network_call *)object;
    ts_inspection network;
    ts_text text = {.arena = arena};
    TS_TRY(ts_inspect(arena, c->model, c->options->allow_float != 0, &network, diags));
    ts_inspection_print_json(&text, &network);
    return ts_file_write(c->json, text.data, text.size, diags);
}

PUBLIC int tessera_compile(const char *model, const tessera_options *options, const char *folder) {
    network_call c = {.call.perform = compile, .model = model, .folder = folder};
    return model == NULL || folder == NULL ? TS_BAD_INPUT : start(&c, options);
}

PUBLIC int tessera_run(const char *model, const tessera_options *options, const char *json) {
    network_call c = {.call.perform = run, .model = model, .json = json};
    return model == NULL ? TS_BAD_INPUT : start(&c, options);
}

PUBLIC int tessera_plan(const char *model, const tessera_options *options, const char *json) {
    network_call c = {.call.perform = plan, .model = model, .json = json};
    return model == NULL || json == NULL ? TS_BAD_INPUT : start(&c, options);
}

PUBLIC int tessera_inspect(const char *model, const tessera_options *options, const char *json) {
    network_call c = {.call.perform = inspect, .model = model, .json = json};
    return model == NULL || json == NULL ? TS_BAD_INPUT : start(&c, options);
}

PUBLIC int tessera_smallest(const char *model, const tessera_options *options, uint64_t *l1_bytes,
                            uint64_t *l2_bytes) {
    network_call c = {.call.perform = smallest, .model = model, .l1_bytes = l1_bytes, .l2_bytes = l2_bytes};
    return model == NULL || l1_bytes == NULL || l2_bytes == NULL ? TS_BAD_INPUT : start(&c, options);
}

/* ---- float networks and data ---- */

static ts_status read_data(ts_arena *arena, const tessera_data *data, uint32_t limit, ts_data *out,
                           ts_diags *diags) {
    ts_data_options options = {.root = data->root,
                               .limit = data->limit != 0 ? data->limit : limit,
                               .seed = data->seed != 0 ? data->seed : 1};
    return ts_data_read(arena, data->path, &options, out, diags);
}

static ts_status read_float(ts_arena *arena, const char *model, ts_fgraph **graph, ts_diags *diags) {
    TS_TRY(ts_float_model_read(arena, model, NULL, graph, diags));
    ts_fgraph_fold(*graph);
    return TS_OK;
}

static bool is_data(const tessera_data *data) { return data != NULL && data->path != NULL; }

typedef struct quantize_call {
    call call;
    const char *model, *output;
    const tessera_data *calibration;
    tessera_quantize_options options;
} quantize_call;

static ts_status finetune(ts_arena *arena, const quantize_call *c, ts_quant *quant, ts_diags *diags) {
    ts_finetune_options options = ts_finetune_defaults();
    ts_data data;
    TS_TRY(read_data(arena, &c->options.finetune, 0, &data, diags));
    options.train.epochs = c->options.epochs != 0 ? c->options.epochs : options.train.epochs;
    options.train.rate = c->options.rate > 0 ? c->options.rate : options.train.rate;
    return ts_quant_finetune(quant, &data, &options, NULL, NULL, NULL, diags);
}

static ts_status quantize(ts_arena *arena, call *object, ts_diags *diags) {
    const quantize_call *c = (quantize_call *)object;
    const tessera_quantize_options *o = &c->options;
    ts_quant_options options = ts_quant_defaults();
    ts_fgraph *graph;
    ts_qnet *net;
    ts_quant *quant;
    ts_graph *integer;
    ts_data calibration;
    options.weight_bits = o->weight_bits != 0 ? o->weight_bits : options.weight_bits;
    options.activation_bits = o->activation_bits != 0 ? o->activation_bits : options.activation_bits;
    options.per_layer = o->weights_per_layer != 0;
    if (options.weight_bits < 2 || options.weight_bits > 8 || options.activation_bits < 2 ||
        options.activation_bits > 8) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "bits of weights and activations are 2 to 8");
    }
    TS_TRY(read_float(arena, c->model, &graph, diags));
    TS_TRY(ts_qnet_read(arena, graph, &net, diags));
    TS_TRY(read_data(arena, c->calibration, 256, &calibration, diags));
    TS_TRY(ts_quantize(arena, net, &calibration, &options, NULL, &quant, diags));
    if (is_data(&o->finetune)) {
        TS_TRY(finetune(arena, c, quant, diags));
    }
    TS_TRY(ts_quant_integer(arena, quant, &integer, diags));
    return ts_model_write(arena, integer, c->output, diags);
}

PUBLIC int tessera_quantize(const char *model, const tessera_data *calibration,
                            const tessera_quantize_options *options, const char *output) {
    quantize_call c = {
        .call.perform = quantize, .model = model, .output = output, .calibration = calibration};
    if (options != NULL) {
        c.options = *options;
    }
    c.call.message = c.options.message;
    c.call.user = c.options.user;
    return model == NULL || !is_data(calibration) || output == NULL ? TS_BAD_INPUT : guarded(&c.call);
}

typedef struct train_call {
    call call;
    const char *model, *output;
    const tessera_data *data;
    tessera_train_options options;
} train_call;

static ts_status train(ts_arena *arena, call *object, ts_diags *diags) {
    const train_call *c = (train_call *)object;
    const tessera_train_options *o = &c->options;
    ts_train_options options = ts_train_defaults();
    ts_fgraph *graph;
    ts_data data;
    ts_trainer *trainer;
    options.epochs = o->epochs != 0 ? o->epochs : options.epochs;
    options.rate = o->rate > 0 ? o->rate : options.rate;
    options.seed = o->seed != 0 ? o->seed : options.seed;
    TS_TRY(read_float(arena, c->model, &graph, diags));
    TS_TRY(read_data(arena, c->data, 0, &data, diags));
    TS_TRY(ts_trainer_new(arena, graph, o->batch != 0 ? o->batch : 32, &trainer, diags));
    if (o->keep_weights == 0) {
        ts_trainer_initialise(trainer, options.seed);
    }
    ts_status status = ts_train(trainer, &data, &options, NULL, NULL, NULL, diags);
    if (status == TS_OK) {
        status = ts_float_model_write(ts_trainer_export(trainer, arena, false), c->output, diags);
    }
    ts_trainer_free(trainer);
    return status;
}

PUBLIC int tessera_train(const char *model, const tessera_data *data, const tessera_train_options *options,
                         const char *output) {
    train_call c = {.call.perform = train, .model = model, .output = output, .data = data};
    if (options != NULL) {
        c.options = *options;
    }
    c.call.message = c.options.message;
    c.call.user = c.options.user;
    return model == NULL || !is_data(data) || output == NULL ? TS_BAD_INPUT : guarded(&c.call);
}

typedef struct evaluate_call {
    network_call network;
    const tessera_data *data;
    tessera_score *score;
} evaluate_call;

static tessera_score score_of(const ts_score *s, const ts_target_use *use) {
    return (tessera_score){.samples = s->count,
                           .top1 = s->has_classes ? s->top1 : NAN,
                           .top5 = s->has_classes ? s->top5 : NAN,
                           .auc = s->has_auc ? s->auc : NAN,
                           .mean_square_error = s->has_error ? s->mean_square : NAN,
                           .cycles = use->cycles != 0 ? (double)use->cycles / use->samples : NAN};
}

static ts_status evaluate(ts_arena *arena, call *object, ts_diags *diags) {
    const evaluate_call *c = (evaluate_call *)object;
    const network_call *n = &c->network;
    const ts_model_options reading = reading_of(n);
    ts_run_options run;
    ts_data data;
    ts_evaluation e;
    TS_TRY(read_data(arena, c->data, 0, &data, diags));
    if (n->options->target != NULL) {
        TS_TRY(run_options(arena, n, &run, diags));
    }
    TS_TRY(ts_evaluate_file(arena, n->model, &reading, n->options->target != NULL ? &run : NULL, 0, &data,
                            NULL, &e, diags));
    *c->score = score_of(&e.score, &e.use);
    return TS_OK;
}

PUBLIC int tessera_evaluate(const char *model, const tessera_data *data, const tessera_options *options,
                            tessera_score *score) {
    evaluate_call c = {.network = {.call.perform = evaluate, .model = model}, .data = data, .score = score};
    return model == NULL || !is_data(data) || score == NULL ? TS_BAD_INPUT : start(&c.network, options);
}

/* ---- sweeps ---- */

typedef struct explore_call {
    call call;
    const char *description, *folder;
    tessera_explore_options options;
} explore_call;

static void release_explore(void *explore) { ts_explore_free(explore); }

static void release_journal(void *journal) { ts_journal_close(journal); }

static void release_json(void *json) { json_decref(json); }

/* Computes the points and writes what came out, also where some of them failed. */
static ts_status sweep(ts_arena *arena, const explore_call *c, const ts_explore *e, ts_journal *journal,
                       ts_diags *diags) {
    const ts_sweep s = {.count = e->count,
                        .names = e->names,
                        .compute = ts_explore_compute,
                        .user = (void *)e,
                        .journal = journal,
                        .jobs = c->options.jobs,
                        .scratch = ts_path_join(arena, c->folder, "scratch"),
                        .progress = c->options.progress,
                        .progress_user = c->options.user};
    const json_t **results = TS_NEW_ARRAY(arena, const json_t *, e->count);
    ts_status status = ts_sweep_run(arena, &s, results, diags);
    json_t *all = ts_explore_results(e, results);
    ts_guard_defer(release_json, all);
    ts_status written = ts_sweep_write(arena, all, c->folder, "plot.svg", diags);
    ts_status judged = ts_explore_judge(all, diags);
    ts_guard_undefer(all);
    json_decref(all);
    return status != TS_OK ? status : written != TS_OK ? written : judged;
}

static ts_status explore(ts_arena *arena, call *object, ts_diags *diags) {
    const explore_call *c = (explore_call *)object;
    ts_explore *e = NULL;
    ts_journal *journal;
    ts_status status = ts_explore_read(arena, c->description, &e, diags);
    ts_guard_defer(release_explore, e);
    status = status == TS_OK ? ts_dir_create(c->folder, diags) : status;
    if (status == TS_OK) {
        status =
            ts_journal_open(arena, ts_path_join(arena, c->folder, "journal"), e->identity, &journal, diags);
    }
    if (status == TS_OK) {
        ts_guard_defer(release_journal, journal);
        status = sweep(arena, c, e, journal, diags);
        ts_guard_undefer(journal);
        ts_journal_close(journal);
    }
    ts_guard_undefer(e);
    ts_explore_free(e);
    return status;
}

PUBLIC int tessera_explore(const char *description, const tessera_explore_options *options,
                           const char *folder) {
    explore_call c = {.call.perform = explore, .description = description, .folder = folder};
    if (options != NULL) {
        c.options = *options;
    }
    c.call.message = c.options.message;
    c.call.user = c.options.user;
    return description == NULL || folder == NULL ? TS_BAD_INPUT : guarded(&c.call);
}

/* ---- the page ---- */

typedef struct report_call {
    network_call network;
    const char *runs[2], *html;
} report_call;

static ts_status report(ts_arena *arena, call *object, ts_diags *diags) {
    const report_call *c = (report_call *)object;
    const ts_report_run *runs[2] = {NULL, NULL};
    ts_text page = {.arena = arena};
    for (uint32_t i = 0; i < 2 && c->runs[i] != NULL; i++) {
        ts_bytes json;
        diags->file = c->runs[i];
        TS_TRY(ts_file_read(arena, c->runs[i], TS_REPORT_JSON_LIMIT, &json, diags));
        TS_TRY(ts_report_read(arena, json, ts_path_base(c->runs[i]), &runs[i], diags));
    }
    ts_report_html(&page, runs[0], runs[1]);
    diags->file = c->html;
    return ts_file_write(c->html, page.data, page.size, diags);
}

PUBLIC int tessera_report(const char *json, const char *other, const tessera_options *options,
                          const char *html) {
    report_call c = {.network.call.perform = report, .runs = {json, other}, .html = html};
    return json == NULL || html == NULL ? TS_BAD_INPUT : start(&c.network, options);
}
