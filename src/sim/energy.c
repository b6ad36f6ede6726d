/* Energy by activity, with the coefficients of the target (docs/simulator.md, section "Energy").
 *
 * E = s * (sum over cores of (active cycles * a + waiting cycles * i + instructions by class * e_class)
 *          + bytes * e_memory + refills * e_line) + static power * time
 * with s the operating point's scale, 1 at the reference point. */
#include "sim/machine.h"

static uint64_t waiting(const ts_sim_counters *counters) {
    return counters->by_cause[TS_SIM_DMA_WAIT] + counters->by_cause[TS_SIM_BARRIER_WAIT] +
           counters->by_cause[TS_SIM_IDLE];
}

/* Picojoules of the instructions beyond what an active cycle costs. */
static double instructions_pj(const ts_energy *energy, const ts_sim_counters *counters) {
    const uint64_t *by_class = counters->by_class;
    return (double)by_class[TS_SIM_CLASS_MUL] * energy->mul_pj +
           (double)by_class[TS_SIM_CLASS_DOT] * energy->dot_pj +
           (double)by_class[TS_SIM_CLASS_DIV] * energy->div_pj +
           (double)(by_class[TS_SIM_CLASS_LOAD] + by_class[TS_SIM_CLASS_STORE]) * energy->memory_pj +
           (double)by_class[TS_SIM_CLASS_CONTROL] * energy->branch_pj;
}

ts_sim_energy ts_sim_energy_of(ts_sim *sim, uint32_t point) {
    ts_sim_energy out = {0};
    const ts_target *target = sim->target;
    if (target == NULL || point >= target->point_count) {
        return out;
    }
    const ts_energy *energy = &target->energy;
    double micro = target->points[point].energy_scale * 1e-6;
    uint64_t l1_bytes = sim->traffic.dma_in_bytes + sim->traffic.dma_out_bytes, l2_bytes = l1_bytes;
    for (uint32_t i = 0; i <= target->cores; i++) {
        ts_sim_counters counters;
        ts_sim_counters_of(sim, i == target->cores ? (unsigned)TS_SIM_FC : i, &counters);
        uint64_t idle = waiting(&counters);
        out.cores_uj +=
            ((double)(counters.cycles - idle) * energy->core_active_pj + instructions_pj(energy, &counters)) *
            micro;
        out.idle_uj += (double)idle * energy->core_idle_pj * micro;
        l1_bytes += counters.l1_read_bytes + counters.l1_write_bytes;
        l2_bytes += counters.l2_read_bytes + counters.l2_write_bytes;
    }
    uint64_t l3_bytes = sim->traffic.l3_read_bytes + sim->traffic.l3_write_bytes;
    l2_bytes += l3_bytes;
    out.l1_uj = (double)l1_bytes * energy->l1_byte_pj * micro;
    out.l2_uj = ((double)l2_bytes * energy->l2_byte_pj +
                 (double)sim->traffic.icache_refills * energy->icache_miss_pj) *
                micro;
    out.l3_uj = (double)l3_bytes * energy->l3_byte_pj * 1e-6;
    out.dma_uj =
        (double)(sim->traffic.dma_in_bytes + sim->traffic.dma_out_bytes) * energy->dma_byte_pj * micro;
    out.static_uj = energy->static_mw * 1e3 * (double)sim->now / (double)target->points[point].cluster_hz;
    out.total_uj =
        out.cores_uj + out.idle_uj + out.l1_uj + out.l2_uj + out.l3_uj + out.dma_uj + out.static_uj;
    return out;
}
