/* Additions of bytes as one line: y = clip((ka a + kb b + l) >> d), proved over every pair of operands
 * (docs/requantisation.md). */
#ifndef TS_PLAN_ADD_H
#define TS_PLAN_ADD_H

#include "plan/layer.h"
#include "plan/requant.h"

/* Gives an addition of two 8-bit activations to a third the steps of one line, without a requantisation,
 * where one is found that equals the graph's addition for every a and b that the operands can hold (`a`, `b`,
 * both ends included): in1 = ka a, in2 = kb b + l, sum = clip(s >> d), all in 32 bits. Otherwise the layer
 * stays as it is. */
void ts__add_line(const ts_node *node, ts_acc_range a, ts_acc_range b, ts_layer *layer);

#endif
