/* HyperRAM through the uDMA; used by the fabric controller alone. */
#ifndef TS_HAL_PULP_L3_H
#define TS_HAL_PULP_L3_H

#include <stdint.h>

void pulp_l3_init(void);

/* Moves `bytes` between L2 and L3, any size and alignment; returns when done. */
void pulp_l3_move(uint32_t l2, uint32_t l3, uint32_t bytes, uint32_t write);

/* Serves the jobs of the mailbox; does not return. */
void pulp_l3_serve(void);

#endif
