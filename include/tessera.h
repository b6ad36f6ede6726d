/* Tessera as a library: from a model file to verified C, for programs that do not want to start a process.
 *
 * Every call returns the exit status of the command line (docs/cli.md): 0 done and verified, 1 computed but
 * not equal to the reference or the golden, 2 bad usage or bad input, 3 does not fit, 4 a tool or the system
 * failed. Nothing is printed; diagnostics go to the caller's function. All memory is released before a call
 * returns, and files appear whole or not at all. Calls may be made from several threads. */
#ifndef TESSERA_H
#define TESSERA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tessera_options {
    const char *target;          /* "gap8" (NULL), "pulp-open", "host", or the path of a chip's JSON file */
    uint64_t l1_bytes, l2_bytes; /* that the network may use; 0: what the target leaves */
    uint32_t cores;              /* 0: all */
    const char *golden;          /* folder of inputs and expected layer outputs; NULL: none */
    uint64_t seed;               /* of the random input where there is no golden */
    /* Gets each diagnostic as one line without a newline; `text` lives during the call. May be NULL. */
    void (*message)(void *user, const char *text);
    void *user;
} tessera_options;

/* "0.1.0". */
const char *tessera_version(void);

/* Writes the C of the network in the file (or dialect folder) `model` into `folder`. */
int tessera_compile(const char *model, const tessera_options *options, const char *folder);

/* Compiles, builds, executes and compares every layer; the figures (docs/cli.md) are written as JSON to
 * `json` unless that is NULL, also when the outputs differ. */
int tessera_run(const char *model, const tessera_options *options, const char *json);

#ifdef __cplusplus
}
#endif

#endif
