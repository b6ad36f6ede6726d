/* Observers: they look at every instruction where one of them is on. */
#include "sim/machine.h"

void ts__watch(ts_sim *sim, ts__core *core, ts__slot *slot) {
    (void)sim;
    (void)core;
    (void)slot;
}

void ts__note_dma(ts_sim *sim, const ts__dma_transfer *transfer, uint64_t begin, uint64_t end) {
    (void)sim;
    (void)transfer;
    (void)begin;
    (void)end;
}

void ts__note_l3(ts_sim *sim) { (void)sim; }

void ts_sim_timeline_span(ts_sim *sim, const char *row, const char *name, uint64_t begin_cycle,
                          uint64_t end_cycle) {
    (void)sim;
    (void)row;
    (void)name;
    (void)begin_cycle;
    (void)end_cycle;
}

ts_status ts__watch_new(ts_sim *sim, ts_diags *diags) {
    (void)sim;
    (void)diags;
    return TS_OK;
}

void ts__watch_free(ts_sim *sim) { (void)sim; }

void ts__watch_end(ts_sim *sim) { (void)sim; }

void ts__watch_loaded(ts_sim *sim, uint32_t address, uint32_t bytes) {
    (void)sim;
    (void)address;
    (void)bytes;
}
