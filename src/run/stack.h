/* The stack that a program can need at most, found in its code: frames by what functions subtract from sp,
 * calls by what they jump to. */
#ifndef TS_RUN_STACK_H
#define TS_RUN_STACK_H

#include "sim/elf.h"

/* Bytes of stack below the entry of function `root` on the deepest chain of calls; 0 and a diagnostic where
 * that cannot be known (recursion, frames of variable size). A call through a register reaches every function
 * whose address the program takes: from `callers` (a network's loops over its layers) those of `layers`, from
 * anywhere else all but those. */
uint32_t ts__stack_need(ts_arena *arena, const ts_elf *elf, const char *root, const char *const *callers,
                        uint32_t caller_count, const char *const *layers, uint32_t layer_count,
                        ts_diags *diags);

#endif
