/* Average pools that leave padding out of their divisors, as layers that an integer network has. */
#ifndef TS_QUANT_BORDER_H
#define TS_QUANT_BORDER_H

#include "quant/net.h"

/* Replaces each AVG_POOL whose `count_pad` is false and whose windows reach into padding. Where only linear
 * layers read it their weights take the rest of the division. Elsewhere it becomes pools of the smaller
 * windows that lie inside at the border, one for each such row and column, joined by CONCAT: every one
 * divides by what it has. A warning says where that would take too many pieces, and without `cut` everywhere.
 * `count_pad` is true afterwards. */
void ts__settle_divisors(ts_qnet *net, bool cut, ts_diags *diags);

/* Fills in `uses` of every layer. */
void ts__count_uses(ts_qnet *net);

#endif
