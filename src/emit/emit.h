/* From a plan to the folder of an application in C: docs/emitted-code.md shows what comes out.
 *
 * An application is first a list of files in memory, so that it can be compared, joined with others (two
 * networks in one program) and written whole or not at all. Knows nothing of building or running. */
#ifndef TS_EMIT_EMIT_H
#define TS_EMIT_EMIT_H

#include "plan/plan.h"

typedef struct ts_emit_options {
    const char *prefix;   /* of every name in the C; NULL: made from the graph's name */
    const char *folder;   /* the network's files go below this folder of the application; NULL: its top */
    const char *platform; /* folder of device/hal: "pulp", "host", ...; NULL: the target's */
    const char *command;  /* what the head of each file says made it; NULL: nothing */
    /* A program that carries its weights, an input and the expected checksum of every layer, prints one
     * line a layer and its verdict. NULL input: the program of a run under a debugger or simulator, which
     * gets weights and input from outside. */
    const uint8_t *embedded_input;
    const uint32_t *expected_sums; /* one a layer; with embedded_input */
    bool image_inside;             /* the image lies in the L2 that the target has, else behind it */
} ts_emit_options;

typedef struct ts_app_file {
    const char *path; /* below the application's folder */
    const void *data;
    size_t size;
} ts_app_file;

typedef struct ts_app {
    ts_arena *arena;
    TS_VEC(ts_app_file) files;
} ts_app;

/* What a network's files offer to others. */
typedef struct ts_emitted {
    const char *prefix;
    const char *folder;
    const ts_plan *plan;
    const char **layer_functions; /* one a layer, in order */
    const uint8_t *image;         /* weights.bin */
    size_t image_size;
    uint64_t l1_bytes, l2_bytes; /* that NAME_run() asks for */
} ts_emitted;

/* An empty application. */
ts_app *ts_app_new(ts_arena *arena);

/* Adds a file (contents owned by the caller, alive as long as the application). The same path again with the
 * same contents is kept once; with others it is our own error. */
void ts_app_add(ts_app *app, const char *path, const void *data, size_t size);

/* Adds the files of one network: network.h, network.c, memory.h, layers, weights.bin, weights.h, plan.json,
 * each below options->folder. Errors: a size beyond what the tile structs hold
 * (TS_BAD_INPUT). */
ts_status ts_emit_network(ts_app *app, const ts_plan *plan, const ts_emit_options *options, ts_emitted *out,
                          ts_diags *diags);

/* A platform's compiler, as the emitted build files call it. */
typedef struct ts_toolchain {
    const char *platform;
    const char *compiler, *package; /* the command, and Debian's package that has it */
    const char *program;            /* what make builds */
} ts_toolchain;

/* NULL where no such platform is built in. */
const ts_toolchain *ts_toolchain_of(const char *platform);

/* Adds main.c, app.h, the build files, and the kernels, HAL and runtime of a program that runs these networks
 * one after another. `options`: platform, command and embedded data (these only with one network). */
ts_status ts_emit_program(ts_app *app, const ts_emitted *networks, uint32_t count, const ts_target *target,
                          const ts_emit_options *options, ts_diags *diags);

/* Writes the application beside `folder` and puts it in its place by renaming. An existing folder is
 * replaced only if it is an application that this wrote (it has a plan.json), or empty. */
ts_status ts_app_write(const ts_app *app, const char *folder, ts_diags *diags);

/* Bytes of an activation as it lies in L2: every pixel begins on a byte. */
uint64_t ts_emit_map_bytes(const ts_tensor *tensor);

/* Sum of bytes: the checksum of weights.h and of a layer's output. */
uint32_t ts_emit_sum(const uint8_t *data, size_t size);

/* The sources under device/, embedded. */
extern const ts_embedded ts__embedded_device[];

#endif
