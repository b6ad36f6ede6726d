/* Sweeps over machines, as one MPI job: `mpirun tessera explore`, `mpirun tessera fit`. The first process
 * keeps the journal and computes too, the others compute points that it sends them. Optional at build time;
 * without it, a start under mpirun with more than one process is an error rather than as many sweeps. */
#ifndef TS_RUN_SWEEP_MPI_H
#define TS_RUN_SWEEP_MPI_H

#include "base/sweep.h"

typedef struct ts_mpi ts_mpi;

/* Joins the job. `*out` is NULL where this process was not started by mpirun, or alone. */
ts_status ts_mpi_begin(ts_arena *arena, ts_mpi **out, ts_diags *diags);

/* Is this one of the processes that only compute? */
bool ts_mpi_is_worker(const ts_mpi *mpi);

/* Called by every process of the job once: all must bring the same identity, which is what results depend on;
 * NULL says that this process cannot take part. TS_SYSTEM where they do not agree; the first process says
 * who. */
ts_status ts_mpi_agree(ts_mpi *mpi, const char *identity, ts_diags *diags);

/* In a worker: computes what it is sent until the first process ends. */
void ts_mpi_serve(ts_arena *arena, ts_mpi *mpi, const ts_sweep *sweep);

/* In the first process: the workers. Owned by the job. */
const ts_sweep_remote *ts_mpi_remote(ts_mpi *mpi);

/* Leaves the job; the first process ends the workers that serve. NULL is ignored. */
void ts_mpi_end(ts_mpi *mpi);

#endif
