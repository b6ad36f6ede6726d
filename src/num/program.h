/* The reference of FLOAT nodes: their programs (ir/program.h), a pixel at a time, each step in all channels
 * before the next. docs/arithmetic.md has the formulas. */
#ifndef TS_NUM_PROGRAM_H
#define TS_NUM_PROGRAM_H

#include "ir/graph.h"

/* Computes a verified FLOAT node: codes or bits of floats in and out, H, W, C order; `scratch` for the values
 * of a pixel. */
void ts__program_run(const ts_graph *graph, const ts_node *node, const int32_t *const *inputs,
                     int32_t *output, ts_arena *scratch);

/* Single-precision functions that are sums, products and quotients in one order, the same bits on every
 * machine; relative errors below 3e-7 (root, exponential) and absolute ones below 2e-7 times the result or 1
 * (logarithm). Outside of [-87, 88] the exponential is 0 or that of 88; what is not positive has the root 0
 * and the logarithm of the least normal number. */
float ts_exact_exp(float x);
float ts_exact_log(float x);
float ts_exact_sqrt(float x);

/* The bits of a float as maps hold it: what is no number has one form, 0x7fc00000. */
int32_t ts_exact_bits(float real);

#endif
