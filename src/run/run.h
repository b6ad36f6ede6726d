/* The whole way at once: plan, emit, build, execute, compare. `tessera run` prints what comes out. */
#ifndef TS_RUN_RUN_H
#define TS_RUN_RUN_H

#include "run/execute.h"
#include "run/timeline.h"

typedef struct ts_run_options {
    const ts_target *target;
    ts_plan_options plan;
    const char *const *inputs; /* files, one a network input and sample; none: seeded random values */
    uint32_t input_count;
    const char *golden;    /* folder in the dialects' format: its inputs are run, its outputs compared; or
                              FILE.npz    with the network's outputs for the inputs that are given */
    uint32_t sample_limit; /* of the golden's or files' samples, the first ones; 0: all */
    uint64_t seed;
    const ts_graph *exact;   /* with --saturate-add: the same network without saturation */
    const char *application; /* folder that ts_compile() wrote: it is built and executed as it lies there */
    const char *keep;        /* folder of the application; NULL: a temporary one */
    const char *command;     /* for the heads of the emitted files */
    bool self_check;         /* the ELF carries weights, input and checksums, and judges itself */
    uint32_t jobs;           /* compilers at once */
    ts_host_options host;    /* platform "host" */
    ts_sim_options sim;      /* the others */
    bool timeline;           /* collect the timeline of the first sample; simulator only */
    /* Called as the run goes on; the last call has done == of. NULL: nobody asks. */
    void (*progress)(void *user, const char *stage, uint32_t done, uint32_t of);
    void *user;
} ts_run_options;

/* The first element of a layer that differs, in H W C order. */
typedef struct ts_difference {
    uint64_t differing; /* number of elements; 0: equal */
    uint64_t first;
    int32_t expected, actual;
    uint32_t sample;
} ts_difference;

typedef enum ts_golden_state { TS_GOLDEN_ABSENT, TS_GOLDEN_EQUAL, TS_GOLDEN_DIFFERS } ts_golden_state;

typedef struct ts_layer_result {
    ts_layer_counts counts; /* of the first sample; simulator only */
    bool verified;          /* equal to the reference in all samples, and to the golden where there is one */
    ts_difference reference, golden, saturated; /* of the first sample that differs */
    ts_golden_state golden_state;
} ts_layer_result;

typedef struct ts_run_result {
    const char *model, *target;
    const ts_plan *plan;
    ts_layer_result *layers; /* plan->layer_count */
    uint32_t samples;
    bool simulated;
    bool counted;       /* by QEMU: layers' instructions are exact, their cycles an estimate, or 0 */
    ts_image_use image; /* of chips with one core */
    bool verified;
    uint32_t verified_layers;
    uint64_t cycles, macs;     /* of one sample */
    uint64_t instructions;     /* of one sample, where they were counted */
    double energy_uj, seconds; /* at the first operating point */
    ts_stack_use stacks;
    ts_memory_use memory;                                              /* the most of all samples */
    const char *printed;                                               /* by the program */
    bool judged;                                                       /* the program checked itself: */
    int judgement;                                                     /* its exit status */
    double plan_seconds, emit_seconds, build_seconds, execute_seconds; /* on this host */
    size_t code_bytes;           /* of the ELF's loaded segments; 0 on the host */
    const char *command;         /* of the options */
    const ts_timeline *timeline; /* NULL: not asked for */
} ts_run_result;

/* Plans and emits into `folder` without building. TS_NO_FIT: nothing is written. */
ts_status ts_compile(ts_arena *arena, const ts_graph *graph, const ts_run_options *options,
                     const char *folder, const ts_plan **plan, ts_diags *diags);

/* Reads back what `folder`, written by ts_compile(), was made from: the graph, and in `options` the target,
 * the budgets and `application`. `target` overrides the name in plan.json (a chip that is not built in);
 * NULL: none. */
ts_status ts_run_application(ts_arena *arena, const char *folder, const char *target, ts_graph **graph,
                             ts_run_options *options, ts_diags *diags);

/* Runs a network. TS_MISMATCH with a full result where outputs differ from the reference or the golden. */
ts_status ts_run(ts_arena *arena, const ts_graph *graph, const ts_run_options *options, ts_run_result *out,
                 ts_diags *diags);

/* A network built once, to be executed on many samples. */
typedef struct ts_deployed ts_deployed;

/* Plans, emits and builds in a temporary folder, which ts_deployed_free() removes. Of `options` those count
 * that say how: target, plan, jobs, host, sim. `graph` and `options` must outlive what is made. */
ts_status ts_deploy(ts_arena *arena, const ts_graph *graph, const ts_run_options *options, ts_deployed **out,
                    ts_diags *diags);

/* Executes it on one sample, inputs[i] the elements of network input i in H, W, C order, and compares every
 * layer with the integer reference: TS_MISMATCH names the first that differs. values[id], for the tensor of
 * each layer's output, is what the program computed; `cycles` is 0 on the host. All in `arena`. */
ts_status ts_deployed_run(ts_deployed *deployed, ts_arena *arena, const int32_t *const *inputs,
                          int32_t ***values, uint64_t *cycles, ts_diags *diags);

/* Removes the folder. NULL is ignored. */
ts_status ts_deployed_free(ts_deployed *deployed, ts_diags *diags);

/* The table for people (base/table.h); the JSON for
 * programs (docs/cli.md has the keys). */
void ts_run_print(ts_text *out, const ts_run_result *result, ts_screen screen);
void ts_run_print_json(ts_text *out, const ts_run_result *result);

/* Loads a target, or makes the target "host" out of `gap8`: its memories, with this machine as the chip. */
ts_status ts_run_target(ts_arena *arena, const char *name, const ts_target **out, ts_diags *diags);

#endif
