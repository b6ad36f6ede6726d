/* tessera fit: a float network pruned and quantised until it fits into a memory; or a grid of such. */
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sweep.h"
#include "base/text.h"
#include "cli/cmd.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "cli/train_options.h"
#include "model/float_model.h"
#include "model/model.h"
#include "num/float.h"
#include "plan/plan.h"
#include "prune/fit.h"
#include "prune/power.h"
#include "report/sweep.h"
#include "run/sweep_mpi.h"

enum { MAX_BUDGETS = 32, LARGEST_MODEL = 256 << 20, COMPARED = 20 };

enum {
    OPTION_RAM = 256,
    OPTION_BITS,
    OPTION_DATA,
    OPTION_CRITERION,
    OPTION_CHOICE,
    OPTION_TARGET,
    OPTION_MEMORY,
    OPTION_QUANT_EPOCHS
};

static const struct argp_option options[] = {
    {"output", 'o', "DIR", 0,
     "Folder of the journal, the networks and the results (the model's name with .fit)", 0},
    {"ram", OPTION_RAM, "BYTES,...|Mb,...|Ma..Mb", 0,
     "Budgets (K and M are 1024 and 1024 squared); Mb is what equation 1 says of the network as it is at b "
     "bits",
     0},
    {"target", OPTION_TARGET, "T", 0, "Chip that the network is for: a built-in name or a JSON file", 0},
    {"memory", OPTION_MEMORY, "equation|target", 0,
     "What fills the budget: the paper's equation 1, or what the target needs, whose weights may lie "
     "elsewhere (target where there is one)",
     0},
    {"bits", OPTION_BITS, "N,...|N..M", 0, "Widths of all weights and activations, 2 to 16 (8)", 0},
    {"data", OPTION_DATA, "DATA", 0, "Labelled samples to train on", 0},
    {"criterion", OPTION_CRITERION, "NAME", 0, "What a filter is worth: l1, l2, bn or taylor (l1)", 0},
    {"choice", OPTION_CHOICE, "NAME", 0,
     "Which filter is next: gain, or layer as the paper's algorithm 1 (gain)", 0},
    {"quant-epochs", OPTION_QUANT_EPOCHS, "N", 0, "Epochs that the integers are trained (3)", 0},
    {"jobs", 'j', "N", 0, "Points at once on this machine (one a processor; under mpirun 1)", 0},
    {0},
};

typedef struct request {
    const char *model, *output, *data, *target;
    bool by_equation, by_target;
    uint64_t ram[MAX_BUDGETS];      /* bytes; 0 until the network is known where ram_bits says its width */
    uint32_t ram_bits[MAX_BUDGETS]; /* the budget is the whole network's at so many bits; 0: bytes */
    uint32_t ram_count, bits[TS_POWER_MOST_BITS], bits_count, jobs;
    ts_cli_samples samples;
    ts_prune_criterion criterion;
    ts_prune_choice choice;
    ts_cli_train train;
    uint32_t quant_epochs;
} request;

/* ---- the command line ---- */

static bool is_width(unsigned bits) { return bits >= TS_POWER_LEAST_BITS && bits <= TS_POWER_MOST_BITS; }

/* "M8", "M2..M16". */
static bool add_widths(const char *text, request *r) {
    unsigned low, high;
    char end;
    if (sscanf(text, "M%u..M%u%c", &low, &high, &end) != 2) {
        if (sscanf(text, "M%u%c", &low, &end) != 1) {
            return false;
        }
        high = low;
    }
    bool good = low <= high && is_width(low) && is_width(high);
    for (unsigned b = low; good && b <= high; b++) {
        good = r->ram_count < MAX_BUDGETS;
        r->ram_bits[good ? r->ram_count++ : 0] = b;
    }
    return good;
}

static bool parse_budgets(char *text, request *r) {
    char *rest = NULL;
    for (char *part = strtok_r(text, ",", &rest); part != NULL; part = strtok_r(NULL, ",", &rest)) {
        if (part[0] == 'M') {
            if (!add_widths(part, r)) {
                return false;
            }
            continue;
        }
        if (r->ram_count == MAX_BUDGETS || !ts_parse_size(part, &r->ram[r->ram_count]) ||
            r->ram[r->ram_count] == 0) {
            return false;
        }
        r->ram_count++;
    }
    return r->ram_count > 0;
}

static bool add_bits(request *r, unsigned bits) {
    if (!is_width(bits)) {
        return false;
    }
    for (uint32_t i = 0; i < r->bits_count; i++) {
        if (r->bits[i] == bits) {
            return true;
        }
    }
    r->bits[r->bits_count++] = bits;
    return true;
}

/* "8", "5,6,8", "2..16". */
static bool parse_bits(char *text, request *r) {
    char *rest = NULL, end;
    unsigned low, high;
    if (sscanf(text, "%u..%u%c", &low, &high, &end) == 2) {
        bool good = low <= high && high <= TS_POWER_MOST_BITS;
        for (unsigned b = low; good && b <= high; b++) {
            good = add_bits(r, b);
        }
        return good;
    }
    for (char *part = strtok_r(text, ",", &rest); part != NULL; part = strtok_r(NULL, ",", &rest)) {
        if (sscanf(part, "%u%c", &low, &end) != 1 || !add_bits(r, low)) {
            return false;
        }
    }
    return r->bits_count > 0;
}

static bool parse_criterion(const char *text, ts_prune_criterion *out) {
    for (ts_prune_criterion c = 0; c < TS_PRUNE_CRITERION_COUNT; c++) {
        if (strcmp(text, ts_prune_criterion_name(c)) == 0) {
            *out = c;
            return true;
        }
    }
    return false;
}

static bool parse_choice(const char *text, ts_prune_choice *out) {
    for (ts_prune_choice c = 0; c < TS_PRUNE_CHOICE_COUNT; c++) {
        if (strcmp(text, ts_prune_choice_name(c)) == 0) {
            *out = c;
            return true;
        }
    }
    return false;
}

static bool parse_value(int key, char *text, void *object, bool *known) {
    request *r = object;
    switch (key) {
        case 'o':
            r->output = text;
            return true;
        case 'j':
            return ts_cli_parse_count(text, 256, &r->jobs);
        case OPTION_RAM:
            return parse_budgets(text, r);
        case OPTION_BITS:
            return parse_bits(text, r);
        case OPTION_TARGET:
            r->target = text;
            return true;
        case OPTION_MEMORY:
            r->by_equation = strcmp(text, "equation") == 0;
            r->by_target = strcmp(text, "target") == 0;
            return r->by_equation || r->by_target;
        case OPTION_DATA:
            r->data = text;
            return true;
        case OPTION_CRITERION:
            return parse_criterion(text, &r->criterion);
        case OPTION_CHOICE:
            return parse_choice(text, &r->choice);
        case OPTION_QUANT_EPOCHS:
            return ts_cli_parse_count(text, 1000000, &r->quant_epochs);
        default:
            *known = false;
            return true;
    }
}

static error_t parse(int key, char *text, struct argp_state *state) {
    request *r = state->input;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = &r->train;
        state->child_inputs[1] = &r->samples;
        return 0;
    }
    if (key == ARGP_KEY_ARG) {
        return ts_cli_model(text, state, &r->model);
    }
    if (key == ARGP_KEY_END) {
        if (r->model == NULL || r->ram_count == 0 || r->data == NULL || r->samples.eval == NULL) {
            argp_error(state, "a model, --ram, --data and --eval are needed");
        }
        if (r->by_target && r->target == NULL) {
            argp_error(state, "--memory target needs a --target");
        }
        if (r->bits_count == 0) {
            add_bits(r, 8);
        }
        return 0;
    }
    return ts_cli_option(key, text, state, parse_value);
}

/* ---- one point ---- */

/* Points are numbered by budget and width. Where a network fits as it is, larger budgets change nothing: they
 * have the point of the least of these budgets. */
typedef struct grid {
    const request *request;
    const ts_fgraph *graph;
    const ts_target *target; /* NULL: none */
    ts_data train, eval;
    const char *folder;
    uint64_t ram[MAX_BUDGETS];
    uint32_t count;
    uint32_t *same;     /* by point: the one that is computed for it, often itself */
    uint32_t jobs;      /* points that are computed */
    uint32_t *job;      /* their numbers */
    const char **names; /* by job */
} grid;

static uint64_t budget_of(const grid *g, uint32_t index) { return g->ram[index / g->request->bits_count]; }

static uint32_t bits_of(const grid *g, uint32_t index) {
    return g->request->bits[index % g->request->bits_count];
}

static const char *name_of(ts_arena *arena, const grid *g, uint32_t index) {
    return ts_arena_printf(arena, "%" PRIu64 " bytes, %u bits", budget_of(g, index), bits_of(g, index));
}

static const char *network_path(ts_arena *arena, const grid *g, uint32_t index) {
    index = g->same[index];
    const char *name =
        ts_arena_printf(arena, "ram%" PRIu64 "-bits%u.onnx", budget_of(g, index), bits_of(g, index));
    return ts_path_join(arena, g->folder, name);
}

/* A fit model: the least RAM of a chip with one level of memory, stack included, or the least L2 of others.
 */
static ts_status need_on_target(void *object, const ts_graph *graph, uint64_t *bytes, ts_diags *diags) {
    const ts_target *target = object;
    ts_arena *scratch = ts_arena_new("need", 0);
    ts_plan_options plan = {0};
    uint64_t l1;
    ts_status status = ts_plan_smallest(scratch, graph, target, &plan, &l1, bytes, diags);
    *bytes += ts_target_levels(target) == 1 ? target->stack_bytes[0] : 0;
    ts_arena_free(scratch);
    return status;
}

static json_t *result_of(const ts_fit *fit, uint32_t bits) {
    json_t *layers = json_array();
    for (uint32_t i = 0; i < fit->layer_count; i++) {
        json_array_append_new(layers, json_pack("{s:s, s:i, s:i}", "name", fit->layer_names[i], "had",
                                                (int)fit->had[i], "has", (int)fit->has[i]));
    }
    return json_pack(
        "{s:s, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "status",
        "verified", "accuracy", 100 * fit->accuracy, "float_accuracy", 100 * fit->float_accuracy,
        "pruned_accuracy", 100 * fit->pruned_accuracy, "start_accuracy", 100 * fit->start_accuracy, "bytes",
        (json_int_t)fit->bytes, "bytes_before", (json_int_t)fit->bytes_before, "equation_bytes",
        (json_int_t)ts_prune_bytes(&fit->after, bits), "equation_bytes_before",
        (json_int_t)ts_prune_bytes(&fit->before, bits), "parameters", (json_int_t)fit->after.parameters,
        "activations", (json_int_t)fit->after.activations, "im2col", (json_int_t)fit->after.im2col, "macs",
        (json_int_t)fit->macs, "macs_before", (json_int_t)fit->macs_before, "filters",
        (json_int_t)fit->filters, "filters_before", (json_int_t)fit->filters_before, "layers", layers);
}

/* Emulation and integers have to agree on every output of a few samples before anything is written. */
static ts_status check_integers(const grid *g, const ts_fit *fit, ts_diags *diags) {
    ts_power_match m;
    TS_TRY(ts_power_compare(fit->quant, fit->integer, &g->eval, COMPARED, &m, diags));
    return m.different == 0 ? TS_OK
                            : ts_error(diags, TS_DIAG_MISMATCH, NULL, NULL,
                                       "%" PRIu64 " of %" PRIu64
                                       " outputs of the integer network differ from those it was trained as",
                                       m.different, m.outputs);
}

/* Checks and writes the integer network, and notes what the target needs for it. */
static ts_status deliver(const grid *g, const ts_fit *fit, ts_arena *arena, uint32_t index, json_t *result,
                         ts_diags *diags) {
    uint64_t bytes;
    TS_TRY(check_integers(g, fit, diags));
    if (g->target != NULL) {
        TS_TRY(need_on_target((void *)g->target, fit->integer, &bytes, diags));
        json_object_set_new(result, "target_bytes", json_integer((json_int_t)bytes));
    }
    return ts_model_write(arena, fit->integer, network_path(arena, g, index), diags);
}

static ts_status compute(void *user, uint32_t job, ts_arena *arena, json_t **result, ts_diags *diags) {
    const grid *g = user;
    const request *r = g->request;
    uint32_t index = g->job[job];
    ts_fit fit;
    ts_fit_options o = ts_fit_defaults();
    const ts_fit_model model = {need_on_target, (void *)g->target, true};
    ts_diags own = {.arena = arena};
    o.ram = budget_of(g, index);
    o.bits = bits_of(g, index);
    o.criterion = r->criterion;
    o.choice = r->choice;
    o.pruned = o.quantised = r->train.train;
    o.quantised.epochs = r->quant_epochs;
    o.batch = r->train.batch;
    o.model = g->target != NULL && !r->by_equation ? &model : NULL;
    ts_train_threads(r->train.threads);
    ts_status status = ts_fit_network(arena, g->graph, &g->train, &g->eval, &o, NULL, NULL, &fit, &own);
    if (status == TS_NO_FIT) {
        *result = json_pack("{s:s, s:s}", "status", "no-fit", "message", own.list.data[0].text);
        return TS_OK;
    }
    for (uint32_t i = 0; i < own.list.count; i++) {
        TS_PUSH(diags->arena, &diags->list, own.list.data[i]);
    }
    TS_TRY(status);
    *result = result_of(&fit, o.bits);
    return deliver(g, &fit, arena, index, *result, diags);
}

/* ---- results ---- */

static double accuracy_at(const json_t *const *results, const grid *g, uint32_t ram, uint32_t bits) {
    for (uint32_t k = 0; k < g->request->bits_count; k++) {
        const json_t *p = results[ram * g->request->bits_count + k];
        if (g->request->bits[k] == bits && json_is_number(json_object_get(p, "accuracy"))) {
            return json_number_value(json_object_get(p, "accuracy"));
        }
    }
    return -1;
}

/* The point of a budget that is most accurate; of equal ones that of fewer bits. TS_NONE: none fits. */
static uint32_t best_at(const json_t *const *results, const grid *g, uint32_t ram) {
    uint32_t best = TS_NONE;
    double top = -1;
    for (uint32_t k = 0; k < g->request->bits_count; k++) {
        double a = accuracy_at(results, g, ram, g->request->bits[k]);
        if (a > top) {
            top = a;
            best = ram * g->request->bits_count + k;
        }
    }
    return best;
}

/* Whether all widths of a budget were computed, fit or not. */
static bool all_computed(const json_t *const *results, const grid *g, uint32_t ram) {
    for (uint32_t k = 0; k < g->request->bits_count; k++) {
        if (results[ram * g->request->bits_count + k] == NULL) {
            return false;
        }
    }
    return true;
}

enum { BUDGET_COLUMNS = 8 };

static const ts_column budget_columns[BUDGET_COLUMNS] = {
    {"bytes", true, 0}, {"bits", true, 0},    {"top-1 %", true, 0}, {"8 bits", true, 3},
    {"delta", true, 4}, {"16 bits", true, 1}, {"delta", true, 2},   {"", false, 0}};

static ts_style remark_style(uint32_t column, const char *cell) {
    return column != BUDGET_COLUMNS - 1     ? TS_STYLE_PLAIN
           : strcmp(cell, "none fits") == 0 ? TS_STYLE_DOUBTFUL
                                            : TS_STYLE_BAD;
}

/* As table 4 of the paper: for each budget the best width, and how far 8 and 16 bits are from it. */
static void print_table(ts_arena *arena, const json_t *const *results, const grid *g) {
    ts_table table = {
        .arena = arena, .columns = budget_columns, .column_count = BUDGET_COLUMNS, .style_of = remark_style};
    for (uint32_t i = 0; i < g->request->ram_count; i++) {
        const char **row = TS_NEW_ARRAY(arena, const char *, BUDGET_COLUMNS);
        uint32_t best = best_at(results, g, i);
        for (uint32_t c = 0; c < BUDGET_COLUMNS; c++) {
            row[c] = "";
        }
        row[0] = ts_arena_printf(arena, "%" PRIu64, g->ram[i]);
        if (best == TS_NONE) {
            row[BUDGET_COLUMNS - 1] = all_computed(results, g, i) ? "none fits" : "failed";
        } else {
            double top = json_number_value(json_object_get(results[best], "accuracy"));
            row[1] = ts_arena_printf(arena, "%u", bits_of(g, best));
            row[2] = ts_arena_printf(arena, "%.2f", top);
            for (uint32_t k = 0; k < 2; k++) {
                double other = accuracy_at(results, g, i, k == 0 ? 8 : 16);
                row[3 + 2 * k] = other < 0 ? "-" : ts_arena_printf(arena, "%.2f", other);
                row[4 + 2 * k] = other < 0 ? "" : ts_arena_printf(arena, "%.2f", top - other);
            }
        }
        ts_table_add(&table, row);
    }
    ts_cli_show(&table);
}

/* Names of layers that converters fused are lists: the last one says enough. */
static const char *short_name(const char *name) {
    const char *last = strrchr(name, ';');
    return last == NULL || last[1] == '\0' ? name : last + 1;
}

/* The layers that lost filters, with what they have left. */
static void print_filters(const json_t *layers) {
    uint32_t pruned = 0;
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *l = json_array_get(layers, i);
        json_int_t has = json_integer_value(json_object_get(l, "has")),
                   had = json_integer_value(json_object_get(l, "had"));
        if (has < had) {
            printf("%s %s %" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT, pruned++ == 0 ? "" : ",",
                   short_name(json_string_value(json_object_get(l, "name"))), has, had);
        }
    }
    printf("%s", pruned == 0 ? " all" : pruned < json_array_size(layers) ? ", others whole" : "");
}

/* Why nothing fits a budget: the reason of the width that needs least. */
static void print_refusal(const json_t *const *results, const grid *g, uint32_t ram) {
    uint32_t widths = g->request->bits_count, least = ram * widths;
    for (uint32_t i = least; i < (ram + 1) * widths; i++) {
        least = bits_of(g, i) < bits_of(g, least) ? i : least;
    }
    const char *message = json_string_value(json_object_get(results[least], "message"));
    if (message != NULL && g->count > 1) {
        printf("%" PRIu64 " bytes: %s\n", g->ram[ram], message);
    }
}

/* What to deploy at a budget, in one line. */
static void print_answer(ts_arena *arena, const json_t *const *results, const grid *g, uint32_t ram) {
    uint32_t best = best_at(results, g, ram);
    if (best == TS_NONE) {
        print_refusal(results, g, ram);
        return;
    }
    const json_t *p = results[best];
    printf("%" PRIu64 " bytes: %u bits, filters", g->ram[ram], bits_of(g, best));
    print_filters(json_object_get(p, "layers"));
    printf("; top-1 %.2f %% (float %.2f %%); equation 1: %" JSON_INTEGER_FORMAT
           " bytes (%" JSON_INTEGER_FORMAT " unpruned)",
           json_number_value(json_object_get(p, "accuracy")),
           json_number_value(json_object_get(p, "float_accuracy")),
           json_integer_value(json_object_get(p, "equation_bytes")),
           json_integer_value(json_object_get(p, "equation_bytes_before")));
    if (g->target != NULL) {
        printf("; %s: %" JSON_INTEGER_FORMAT " bytes, weights apart", g->target->name,
               json_integer_value(json_object_get(p, "target_bytes")));
    }
    printf("; tessera run %s%s%s\n", network_path(arena, g, best), g->target != NULL ? " --target " : "",
           g->target != NULL ? g->request->target : "");
}

/* In the form of a sweep's results (report/sweep.h). */
static json_t *all_results(ts_arena *arena, const json_t *const *results, const grid *g) {
    json_t *ram = json_array(), *bits = json_array(), *points = json_array();
    for (uint32_t i = 0; i < g->request->ram_count; i++) {
        json_array_append_new(ram, json_integer((json_int_t)g->ram[i]));
    }
    for (uint32_t k = 0; k < g->request->bits_count; k++) {
        json_array_append_new(bits, json_integer(g->request->bits[k]));
    }
    for (uint32_t i = 0; i < g->count; i++) {
        json_t *p =
            results[i] == NULL ? json_pack("{s:s}", "status", "failed") : json_copy((json_t *)results[i]);
        json_object_set_new(p, "name", json_string(name_of(arena, g, i)));
        json_object_set_new(
            p, "at",
            json_pack("{s:I, s:I}", "ram", (json_int_t)budget_of(g, i), "bits", (json_int_t)bits_of(g, i)));
        json_array_append_new(points, p);
    }
    return json_pack("{s:s, s:{s:s, s:s}, s:[{s:s, s:o}, {s:s, s:o}], s:o}", "sweep",
                     ts_path_base(g->request->model), "plot", "x", "ram", "y", "accuracy", "axes", "key",
                     "ram", "values", ram, "key", "bits", "values", bits, "points", points);
}

static ts_status write_results(ts_arena *arena, const json_t *const *results, const grid *g,
                               ts_diags *diags) {
    json_t *all = all_results(arena, results, g);
    ts_status status = ts_sweep_write(arena, all, g->folder, "map.svg", diags);
    json_decref(all);
    return status;
}

/* ---- all points ---- */

/* All that the results depend on. */
static ts_status identity_of(ts_arena *arena, const request *r, const char **out, ts_diags *diags) {
    const ts_train_options *o = &r->train.train;
    ts_bytes model;
    TS_TRY(ts_file_read(arena, r->model, LARGEST_MODEL, &model, diags));
    *out =
        ts_arena_printf(arena,
                        "tessera %s; fit, exact sums, %08x; memory %s; data %s %u, eval %s %u; criterion %s "
                        "%s; epochs %u and %u, "
                        "batch %u, rate %g, %d %g %g, "
                        "schedule %d %u %g, flip %d, shift %u, seed %" PRIu64,
                        TESSERA_VERSION, ts_crc32(model.data, model.size),
                        r->target == NULL || r->by_equation ? "equation" : r->target, r->data,
                        r->samples.given.limit, r->samples.eval, r->samples.measured.limit,
                        ts_prune_criterion_name(r->criterion), ts_prune_choice_name(r->choice), o->epochs,
                        r->quant_epochs, r->train.batch, o->rate, (int)o->optimiser, o->momentum, o->decay,
                        (int)o->schedule, o->step_epochs, o->step_factor, (int)o->flip, o->shift, o->seed);
    return TS_OK;
}

static const char *default_folder(ts_arena *arena, const char *model) {
    const char *base = ts_path_base(model), *dot = strrchr(base, '.');
    return ts_arena_printf(arena, "%.*s.fit", dot == NULL ? (int)strlen(base) : (int)(dot - base), base);
}

static void show_progress(void *user, uint32_t done, uint32_t of) {
    (void)user;
    ts_cli_progress((void *)(uintptr_t) "fitting", done, of);
}

static ts_status no_budget_fits(const json_t *const *results, const grid *g, ts_diags *diags) {
    ts_status status = TS_OK;
    for (uint32_t i = 0; i < g->count; i++) {
        const char *message = json_string_value(json_object_get(results[i], "message"));
        if (message != NULL && g->count == 1) {
            status = ts_error(diags, TS_DIAG_NO_FIT, NULL, NULL, "%s", message);
        }
    }
    return status;
}

/* Computes the points and says and writes what came out. */
static ts_status sweep(ts_arena *arena, const grid *g, const ts_sweep *s, ts_diags *diags) {
    const json_t **computed = TS_NEW_ARRAY(arena, const json_t *, g->jobs);
    const json_t **results = TS_NEW_ARRAY(arena, const json_t *, g->count);
    ts_status status = ts_sweep_run(arena, s, computed, diags);
    for (uint32_t k = 0; k < g->jobs; k++) {
        results[g->job[k]] = computed[k];
    }
    for (uint32_t i = 0; i < g->count; i++) {
        results[i] = results[g->same[i]];
    }
    ts_status written = write_results(arena, results, g, diags);
    print_table(arena, results, g);
    for (uint32_t i = 0; i < g->request->ram_count; i++) {
        print_answer(arena, results, g, i);
    }
    return status != TS_OK ? status : written != TS_OK ? written : no_budget_fits(results, g, diags);
}

/* The point that is computed for point `i`, whose network needs `need` bytes as it is (0: not known). */
static uint32_t computed_for(const grid *g, uint32_t i, uint64_t need) {
    uint32_t same = i, widths = g->request->bits_count;
    for (uint32_t k = i % widths; k < g->count; k += widths) {
        uint64_t ram = budget_of(g, k), own = budget_of(g, i), best = budget_of(g, same);
        bool serves = ram == own || (need > 0 && ram >= need && ram < own);
        same = serves && (ram < best || (ram == best && k < same)) ? k : same;
    }
    return same;
}

/* Settles the budgets that are given as widths, and which points need computing. */
static ts_status lay_out(ts_arena *arena, const request *r, grid *g, ts_diags *diags) {
    /* Taylor's criterion wants gradients, which are not needed to measure. */
    const ts_prune_options plain = {.criterion =
                                        r->criterion == TS_PRUNE_TAYLOR ? TS_PRUNE_L1 : r->criterion};
    ts_prune *prune;
    TS_TRY(ts_prune_new(arena, g->graph, &plain, &prune, diags));
    ts_prune_memory whole = ts_prune_measure(prune);
    bool by_equation = g->target == NULL || r->by_equation;
    for (uint32_t i = 0; i < r->ram_count; i++) {
        g->ram[i] = r->ram_bits[i] > 0 ? ts_prune_bytes(&whole, r->ram_bits[i]) : r->ram[i];
    }
    g->same = TS_NEW_ARRAY(arena, uint32_t, g->count);
    g->job = TS_NEW_ARRAY(arena, uint32_t, g->count);
    g->names = TS_NEW_ARRAY(arena, const char *, g->count);
    for (uint32_t i = 0; i < g->count; i++) {
        g->same[i] = computed_for(g, i, by_equation ? ts_prune_bytes(&whole, bits_of(g, i)) : 0);
        if (g->same[i] == i) {
            g->names[g->jobs] = name_of(arena, g, i);
            g->job[g->jobs++] = i;
        }
    }
    return TS_OK;
}

/* Whether every layer has integers of the kind that points are quantised to: known before anything is
 * trained.
 */
static ts_status check_layers(ts_arena *arena, const ts_fgraph *graph, ts_diags *diags) {
    ts_diags quiet = {.arena = arena}; /* the points tell what is only a warning */
    ts_qnet *net;
    if (ts_qnet_read_uncut(arena, graph, &net, &quiet) == TS_OK) {
        return ts_power_serves(net, diags);
    }
    return ts_qnet_read_uncut(arena, graph, &net, diags);
}

/* Reads all that the points need. */
static ts_status read_grid(ts_arena *arena, const request *r, grid *g, const char **identity,
                           ts_diags *diags) {
    ts_fgraph *graph;
    *g = (grid){.request = r, .count = r->ram_count * r->bits_count};
    if (!ts_train_available()) {
        return ts_error(diags, TS_DIAG_TOOL, NULL, NULL,
                        "this tessera was built without oneDNN, which training needs; install libdnnl-dev "
                        "and build again");
    }
    TS_TRY(ts_cli_read_float(arena, r->model, &graph, diags));
    ts_fgraph_fold(graph);
    g->graph = graph;
    if (r->target != NULL) {
        TS_TRY(ts_target_load(arena, r->target, &g->target, diags));
    }
    TS_TRY(ts_data_read(arena, r->data, &r->samples.given, &g->train, diags));
    TS_TRY(ts_data_read(arena, r->samples.eval, &r->samples.measured, &g->eval, diags));
    if (graph->inputs.count != 1) {
        return ts_error(diags, TS_DIAG_UNSUPPORTED, NULL, NULL, "the network has %u inputs; one is served",
                        graph->inputs.count);
    }
    TS_TRY(ts_data_check(&g->train, &graph->tensors.data[graph->inputs.data[0]], diags));
    TS_TRY(ts_data_check(&g->eval, &graph->tensors.data[graph->inputs.data[0]], diags));
    TS_TRY(check_layers(arena, graph, diags));
    TS_TRY(identity_of(arena, r, identity, diags));
    g->folder = r->output != NULL ? r->output : default_folder(arena, r->model);
    return lay_out(arena, r, g, diags);
}

/* Workers of an MPI job write networks into the folder, too. */
static ts_status fit_here(ts_arena *arena, grid *g, const char *identity, ts_mpi *mpi, ts_diags *diags) {
    uint32_t jobs = g->request->jobs;
    ts_sweep s = {.count = g->jobs,
                  .names = g->names,
                  .compute = compute,
                  .user = g,
                  .jobs = jobs > 0 || mpi == NULL ? jobs : 1,
                  .remote = ts_mpi_remote(mpi),
                  .progress = show_progress};
    ts_status made = ts_dir_create(g->folder, diags);
    if (ts_mpi_is_worker(mpi)) {
        ts_mpi_serve(arena, mpi, &s); /* a point whose network cannot be written fails */
        return TS_OK;
    }
    TS_TRY(made);
    TS_TRY(ts_journal_open(arena, ts_path_join(arena, g->folder, "journal"), identity, &s.journal, diags));
    ts_status status = sweep(arena, g, &s, diags);
    ts_journal_close(s.journal);
    return status;
}

static ts_status fit(ts_arena *arena, const request *r, ts_mpi *mpi, ts_diags *diags) {
    grid g;
    const char *identity = NULL;
    ts_status read = read_grid(arena, r, &g, &identity, diags);
    ts_status agreed = ts_mpi_agree(mpi, read == TS_OK ? identity : NULL, diags);
    return read != TS_OK ? read : agreed != TS_OK ? agreed : fit_here(arena, &g, identity, mpi, diags);
}

/* The first process of an MPI job speaks for all. */
static int finish(const ts_mpi *mpi, const ts_diags *diags, ts_status status) {
    return ts_mpi_is_worker(mpi) ? (int)status : ts_cli_finish(diags, status);
}

int ts_cmd_fit(int argc, char **argv) {
    static const struct argp_child children[] = {{&ts_cli_train_argp, 0, "Training:", 3},
                                                 {&ts_cli_samples_argp, 0, "Samples:", 0},
                                                 {&ts_cli_terminal_argp, 0, NULL, 0},
                                                 {0}};
    static const struct argp parser = {
        .options = options,
        .parser = parse,
        .children = children,
        .args_doc = "MODEL --ram BYTES --data DATA --eval DATA",
        .doc =
            "Prune the filters of a float network until it fits, train it, quantise it with one bit width "
            "and "
            "power-of-two quanta, and train the integers (docs/pruning.md). Several budgets or widths make a "
            "grid; what was computed stays in a journal: the same command goes on where an interrupted one "
            "was.",
    };
    request r = {.samples = ts_cli_samples_defaults()};
    r.train = ts_cli_train_defaults();
    r.train.train.epochs = ts_fit_defaults().pruned.epochs;
    r.quant_epochs = ts_fit_defaults().quantised.epochs;
    argp_err_exit_status = TS_BAD_INPUT;
    if (argp_parse(&parser, argc, argv, 0, NULL, &r) != 0) {
        return TS_BAD_INPUT;
    }
    r.train.train.seed = r.samples.given.seed;
    ts_arena *arena = ts_arena_new("fit", 0);
    ts_diags diags = {.arena = arena, .file = r.model};
    ts_mpi *mpi = NULL;
    ts_status begun = ts_mpi_begin(arena, &mpi, &diags);
    int status = finish(mpi, &diags, begun == TS_OK ? fit(arena, &r, mpi, &diags) : begun);
    ts_mpi_end(mpi);
    ts_arena_free(arena);
    return status;
}
