/* The GDB remote protocol on loopback for one core: registers, memory, breakpoints, watchpoints, step.
 *
 * The debugger stops the whole machine: time stands still while it talks. Breakpoints and watchpoints are
 * kept here and cost the program nothing; watchpoints see the chosen core's own loads and stores, not
 * transfers by DMA. The program counter can be moved inside the memory that the core executes from. Private
 * to this room. */
#ifndef TS_SIM_GDB_H
#define TS_SIM_GDB_H

#include "sim/machine.h"

typedef struct ts__gdb ts__gdb;

/* Listens on 127.0.0.1:port, waits for a debugger, and serves it until it lets the program run; the cores
 * are set up, nothing has been executed. Errors: a core that the machine lacks, a port in use. */
ts_status ts__gdb_open(ts_sim *sim, uint16_t port, unsigned core, ts__gdb **out, ts_diags *diags);

/* Called before every instruction of every core: stops where the debugger wants to. */
void ts__gdb_look(ts__gdb *gdb, ts_sim *sim, ts__core *core);

/* Tells the debugger how the run ended; after a fault it may look at the state until it continues. */
void ts__gdb_end(ts__gdb *gdb, ts_sim *sim);

/* Closes the connection. NULL is ignored. */
void ts__gdb_close(ts__gdb *gdb);

#endif
