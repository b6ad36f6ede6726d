/* Builds bare-metal programs for the simulator's tests with the RISC-V compiler of the system. */
#ifndef TS_TESTS_SIM_BUILD_PROGRAM_H
#define TS_TESTS_SIM_BUILD_PROGRAM_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/file.h"

/* True when the compiler is installed. */
bool build_possible(void);

/* Runs the compiler with `arguments` (shell words) in `folder` and reads what it wrote to `output`. Fails the
 * test with the compiler's messages where it does not build. */
ts_bytes build_program(ts_arena *arena, const char *folder, const char *arguments, const char *output);

#endif
