#include "run/sweep_mpi.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

/* Processes of the job, as mpirun tells its children; 1 where nothing says so. */
static uint64_t job_size(void) {
    static const char *const variables[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
    uint64_t size = 1;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *value = getenv(variables[i]);
        if (value != NULL && ts_parse_u64(value, &size)) {
            return size;
        }
    }
    return 1;
}

#ifdef TS_HAVE_MPI

#include <mpi.h>

enum { TAG_POINT = 1, TAG_FRAME = 2, IDLE_US = 2000, NOTHING_MORE = -1 };

struct ts_mpi {
    int rank, size;
    bool serving; /* the workers wait for points */
    ts_sweep_remote remote;
};

static void start_worker(void *state, uint32_t worker, uint32_t index) {
    (void)state;
    int number = (int)index;
    MPI_Send(&number, 1, MPI_INT, (int)worker + 1, TAG_POINT, MPI_COMM_WORLD);
}

static bool poll_workers(void *state, ts_arena *arena, uint32_t *worker, ts_bytes *frame) {
    int there = 0, size = 0;
    MPI_Status status;
    (void)state;
    MPI_Iprobe(MPI_ANY_SOURCE, TAG_FRAME, MPI_COMM_WORLD, &there, &status);
    if (!there) {
        return false;
    }
    MPI_Get_count(&status, MPI_BYTE, &size);
    uint8_t *data = ts_arena_alloc(arena, (size_t)size);
    MPI_Recv(data, size, MPI_BYTE, status.MPI_SOURCE, TAG_FRAME, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    *worker = (uint32_t)status.MPI_SOURCE - 1;
    *frame = (ts_bytes){data, (size_t)size};
    return true;
}

ts_status ts_mpi_begin(ts_arena *arena, ts_mpi **out, ts_diags *diags) {
    *out = NULL;
    if (job_size() <= 1) {
        return TS_OK;
    }
    if (MPI_Init(NULL, NULL) != MPI_SUCCESS) {
        return ts_error(diags, TS_DIAG_TOOL, NULL, NULL, "cannot join the MPI job");
    }
    ts_mpi *mpi = TS_NEW(arena, ts_mpi);
    MPI_Comm_rank(MPI_COMM_WORLD, &mpi->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &mpi->size);
    mpi->remote = (ts_sweep_remote){
        .workers = (uint32_t)mpi->size - 1, .state = mpi, .start = start_worker, .poll = poll_workers};
    *out = mpi;
    return TS_OK;
}

bool ts_mpi_is_worker(const ts_mpi *mpi) { return mpi != NULL && mpi->rank > 0; }

ts_status ts_mpi_agree(ts_mpi *mpi, const char *identity, ts_diags *diags) {
    if (mpi == NULL) {
        return TS_OK;
    }
    unsigned mine[2] = {identity != NULL, identity == NULL ? 0 : ts_crc32(identity, strlen(identity))};
    unsigned *all = TS_NEW_ARRAY(diags->arena, unsigned, 2 * (size_t)mpi->size);
    MPI_Allgather(mine, 2, MPI_UNSIGNED, all, 2, MPI_UNSIGNED, MPI_COMM_WORLD);
    for (int rank = 0; rank < mpi->size; rank++) {
        if (all[2 * rank] == 0 || all[2 * rank + 1] != all[1]) {
            return ts_error(
                diags, TS_DIAG_TOOL, NULL, NULL,
                "process %d of the MPI job %s; every machine needs the same files and the same tessera", rank,
                all[2 * rank] == 0 ? "cannot read the sweep" : "has another sweep");
        }
    }
    mpi->serving = true;
    return TS_OK;
}

void ts_mpi_serve(ts_arena *arena, ts_mpi *mpi, const ts_sweep *sweep) {
    (void)mpi;
    for (;;) {
        int there = 0, index = NOTHING_MORE;
        while (!there) { /* a blocking receive would keep a processor busy */
            MPI_Iprobe(0, TAG_POINT, MPI_COMM_WORLD, &there, MPI_STATUS_IGNORE);
            if (!there) {
                usleep(IDLE_US);
            }
        }
        MPI_Recv(&index, 1, MPI_INT, 0, TAG_POINT, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (index < 0 || (uint32_t)index >= sweep->count) {
            return;
        }
        ts_bytes frame = ts_sweep_compute(arena, sweep, (uint32_t)index);
        MPI_Send(frame.data, (int)frame.size, MPI_BYTE, 0, TAG_FRAME, MPI_COMM_WORLD);
    }
}

const ts_sweep_remote *ts_mpi_remote(ts_mpi *mpi) { return mpi == NULL ? NULL : &mpi->remote; }

void ts_mpi_end(ts_mpi *mpi) {
    if (mpi == NULL) {
        return;
    }
    for (int rank = 1; mpi->rank == 0 && mpi->serving && rank < mpi->size; rank++) {
        int nothing = NOTHING_MORE;
        MPI_Send(&nothing, 1, MPI_INT, rank, TAG_POINT, MPI_COMM_WORLD);
    }
    MPI_Finalize();
}

#else

ts_status ts_mpi_begin(ts_arena *arena, ts_mpi **out, ts_diags *diags) {
    (void)arena;
    *out = NULL;
    if (job_size() > 1) {
        return ts_error(
            diags, TS_DIAG_TOOL, NULL, NULL,
            "this tessera was built without MPI and would repeat the sweep in each of %llu processes; "
            "install libopenmpi-dev and build again, or start it without mpirun",
            (unsigned long long)job_size());
    }
    return TS_OK;
}

bool ts_mpi_is_worker(const ts_mpi *mpi) {
    (void)mpi;
    return false;
}

ts_status ts_mpi_agree(ts_mpi *mpi, const char *identity, ts_diags *diags) {
    (void)mpi;
    (void)identity;
    (void)diags;
    return TS_OK;
}

void ts_mpi_serve(ts_arena *arena, ts_mpi *mpi, const ts_sweep *sweep) {
    (void)arena;
    (void)mpi;
    (void)sweep;
}

const ts_sweep_remote *ts_mpi_remote(ts_mpi *mpi) {
    (void)mpi;
    return NULL;
}

void ts_mpi_end(ts_mpi *mpi) { (void)mpi; }

#endif
