/* Small programs written as text into the simulated memory. */
#ifndef TS_TESTS_SIM_ASSEMBLE_H
#define TS_TESTS_SIM_ASSEMBLE_H

#include "sim/sim.h"

/* Places one instruction at `pc` and returns the address behind it; fails the test where the text is none. */
uint32_t place(ts_sim *sim, uint32_t pc, const char *text);

/* Places lines separated by ';' or line ends. */
uint32_t place_all(ts_sim *sim, uint32_t pc, const char *text);

#endif
