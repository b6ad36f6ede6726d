/* Energy by activity, with the coefficients of the target (docs/simulator.md, section "Energy").
 *
 * E = s * (sum over cores of (active cycles * a + waiting cycles * i + instructions by class * e_class)
 *          + bytes * e_memory + refills * e_line) + static power * time
 * with s the operating point's scale, 1 at the reference point. */
#include "sim/machine.h"

ts_sim_energy ts__energy(const ts_target *target, uint32_t point, const ts__activity *done) {
    const ts_energy *energy = &target->energy;
    const ts_operating_point *at = &target->points[point];
    double micro = at->energy_scale * 1e-6;
    ts_sim_energy out = {
        .cores_uj = (done->active_cycles * energy->core_active_pj + done->mul * energy->mul_pj +
                     done->dot * energy->dot_pj + done->div * energy->div_pj +
                     done->memory * energy->memory_pj + done->control * energy->branch_pj) *
                    micro,
        .idle_uj = done->waiting_cycles * energy->core_idle_pj * micro,
        .l1_uj = done->l1_bytes * energy->l1_byte_pj * micro,
        .l2_uj = (done->l2_bytes * energy->l2_byte_pj + done->refills * energy->icache_miss_pj) * micro,
        .l3_uj = done->l3_bytes * energy->l3_byte_pj * 1e-6,
        .dma_uj = done->dma_bytes * energy->dma_byte_pj * micro,
        .static_uj = energy->static_mw * 1e3 * done->cycles / (double)at->cluster_hz,
    };
    out.total_uj =
        out.cores_uj + out.idle_uj + out.l1_uj + out.l2_uj + out.l3_uj + out.dma_uj + out.static_uj;
    return out;
}

static void add_core(ts__activity *done, const ts_sim_counters *counters) {
    const uint64_t *by_class = counters->by_class, *by_cause = counters->by_cause;
    uint64_t waiting = by_cause[TS_SIM_DMA_WAIT] + by_cause[TS_SIM_BARRIER_WAIT] + by_cause[TS_SIM_IDLE];
    done->active_cycles += (double)(counters->cycles - waiting);
    done->waiting_cycles += (double)waiting;
    done->mul += (double)by_class[TS_SIM_CLASS_MUL];
    done->dot += (double)by_class[TS_SIM_CLASS_DOT];
    done->div += (double)by_class[TS_SIM_CLASS_DIV];
    done->memory += (double)(by_class[TS_SIM_CLASS_LOAD] + by_class[TS_SIM_CLASS_STORE]);
    done->control += (double)by_class[TS_SIM_CLASS_CONTROL];
    done->l1_bytes += (double)(counters->l1_read_bytes + counters->l1_write_bytes);
    done->l2_bytes += (double)(counters->l2_read_bytes + counters->l2_write_bytes);
}

ts_sim_energy ts_sim_energy_of(ts_sim *sim, uint32_t point) {
    const ts_target *target = sim->target;
    if (target == NULL || point >= target->point_count) {
        return (ts_sim_energy){0};
    }
    ts__activity done = {
        .cycles = (double)sim->now,
        .dma_bytes = (double)(sim->traffic.dma_in_bytes + sim->traffic.dma_out_bytes),
        .l3_bytes = (double)(sim->traffic.l3_read_bytes + sim->traffic.l3_write_bytes),
        .refills = (double)sim->traffic.icache_refills,
    };
    for (uint32_t i = 0; i <= target->cores; i++) {
        ts_sim_counters counters;
        ts_sim_counters_of(sim, i == target->cores ? (unsigned)TS_SIM_FC : i, &counters);
        add_core(&done, &counters);
    }
    done.l1_bytes += done.dma_bytes;
    done.l2_bytes += done.dma_bytes + done.l3_bytes;
    return ts__energy(target, point, &done);
}
