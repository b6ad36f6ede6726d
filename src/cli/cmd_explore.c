/* tessera explore: the points of a sweep, in parallel, with results as CSV, JSON and a plot. */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "report/sweep.h"
#include "run/explore.h"
#include "run/sweep_mpi.h"

enum { OPTION_JOBS = 'j', OPTION_OUTPUT = 'o', OPTION_LIST = 256 };

static const struct argp_option options[] = {
    {"output", OPTION_OUTPUT, "DIR", 0,
     "Folder of the journal and the results (the description's name with .results)", 0},
    {"jobs", OPTION_JOBS, "N", 0, "Points at once on this machine (one a processor; under mpirun 1)", 0},
    {"list", OPTION_LIST, NULL, 0, "Print the names of the points and compute nothing", 0},
    {0},
};

typedef struct request {
    const char *description, *output;
    uint32_t jobs;
    bool list;
} request;

static error_t parse(int key, char *text, struct argp_state *state) {
    request *r = state->input;
    uint64_t number = 0;
    switch (key) {
        case OPTION_OUTPUT:
            r->output = text;
            return 0;
        case OPTION_JOBS:
            if (!ts_parse_u64(text, &number) || number == 0 || number > 256) {
                argp_error(state, "'%s' is not a number of jobs; 1 to 256 are", text);
            }
            r->jobs = (uint32_t)number;
            return 0;
        case OPTION_LIST:
            r->list = true;
            return 0;
        case ARGP_KEY_ARG:
            if (r->description != NULL) {
                argp_error(state, "one SWEEP.json is expected");
            }
            r->description = text;
            return 0;
        case ARGP_KEY_END:
            if (r->description == NULL) {
                argp_error(state, "a SWEEP.json is needed");
            }
            return 0;
        default:
            return ARGP_ERR_UNKNOWN;
    }
}

static void show_progress(void *user, uint32_t done, uint32_t of) {
    (void)user;
    ts_cli_progress((void *)(uintptr_t) "exploring", done, of);
}

/* Computes the points and writes what came out. */
static ts_status sweep(ts_arena *arena, const ts_sweep *s, const ts_explore *e, const char *folder,
                       ts_diags *diags) {
    const json_t **results = TS_NEW_ARRAY(arena, const json_t *, e->count);
    ts_status status = ts_sweep_run(arena, s, results, diags);
    json_t *all = ts_explore_results(e, results);
    ts_text table = {.arena = arena};
    ts_sweep_print(&table, all, ts_cli_screen(stdout));
    fputs(table.data, stdout);
    ts_status written = ts_sweep_write(arena, all, folder, "plot.svg", diags);
    ts_status judged = ts_explore_judge(all, diags);
    json_decref(all);
    return status != TS_OK ? status : written != TS_OK ? written : judged;
}

/* "fig11.json" gives "fig11.results" in the current folder. */
static const char *default_folder(ts_arena *arena, const char *description) {
    const char *base = ts_path_base(description), *dot = strrchr(base, '.');
    return ts_arena_printf(arena, "%.*s.results", dot == NULL ? (int)strlen(base) : (int)(dot - base), base);
}

static ts_status explore_here(ts_arena *arena, const request *r, ts_explore *e, ts_mpi *mpi,
                              ts_diags *diags) {
    const char *folder = r->output != NULL ? r->output : default_folder(arena, r->description);
    ts_sweep s = {.count = e->count,
                  .names = e->names,
                  .compute = ts_explore_compute,
                  .user = e,
                  .jobs = r->jobs > 0 || mpi == NULL ? r->jobs : 1,
                  .scratch = ts_path_join(arena, folder, "scratch"),
                  .remote = ts_mpi_remote(mpi),
                  .progress = show_progress};
    if (ts_mpi_is_worker(mpi)) {
        s.scratch = NULL;
        ts_mpi_serve(arena, mpi, &s);
        return TS_OK;
    }
    TS_TRY(ts_dir_create(folder, diags));
    TS_TRY(ts_journal_open(arena, ts_path_join(arena, folder, "journal"), e->identity, &s.journal, diags));
    ts_status status = sweep(arena, &s, e, folder, diags);
    ts_journal_close(s.journal);
    return status;
}

static ts_status explore(ts_arena *arena, const request *r, ts_explore **e, ts_mpi *mpi, ts_diags *diags) {
    ts_status read = ts_explore_read(arena, r->description, e, diags);
    if (read == TS_OK && r->list) {
        for (uint32_t i = 0; i < (*e)->count; i++) {
            puts((*e)->names[i]);
        }
        return TS_OK;
    }
    ts_status agreed = ts_mpi_agree(mpi, read == TS_OK ? (*e)->identity : NULL, diags);
    return read != TS_OK ? read : agreed != TS_OK ? agreed : explore_here(arena, r, *e, mpi, diags);
}

/* The first process of an MPI job speaks for all. */
static int finish(const ts_mpi *mpi, const ts_diags *diags, ts_status status) {
    return ts_mpi_is_worker(mpi) ? (int)status : ts_cli_finish(diags, status);
}

int ts_cmd_explore(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = ts_cli_terminal_children,
        .args_doc = "SWEEP.json",
        .doc =
            "Plan, build, execute and verify a network at every point of a sweep "
            "(docs/explore.md). What was computed stays in a journal: the same command "
            "goes on where an interrupted one was."};
    request r = {0};
    argp_err_exit_status = TS_BAD_INPUT;
    if (argp_parse(&argp, argc, argv, 0, NULL, &r) != 0) {
        return TS_BAD_INPUT;
    }
    ts_arena *arena = ts_arena_new("explore", 0);
    ts_diags diags = {.arena = arena};
    ts_explore *e = NULL;
    ts_mpi *mpi = NULL;
    ts_status begun = r.list ? TS_OK : ts_mpi_begin(arena, &mpi, &diags);
    int status = finish(mpi, &diags, begun == TS_OK ? explore(arena, &r, &e, mpi, &diags) : begun);
    ts_mpi_end(mpi);
    ts_explore_free(e);
    ts_arena_free(arena);
    return status;
}
