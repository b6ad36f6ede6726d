/* The timing wheel, and the arbitration of L1's banks. */
#include "sim/machine.h"

uint64_t ts__to_machine(const ts_sim *sim, const ts__core *core, uint64_t t) {
    return core->scaled
               ? (uint64_t)(((unsigned __int128)t * sim->clock_num + sim->clock_den - 1u) / sim->clock_den)
               : t;
}

uint64_t ts__from_machine(const ts_sim *sim, const ts__core *core, uint64_t t) {
    return core->scaled ? (uint64_t)((unsigned __int128)t * sim->clock_den / sim->clock_num) : t;
}

void ts__park_at(ts_sim *sim, uint32_t unit, uint64_t at) {
    if (at - sim->now < TS__WHEEL) {
        sim->wheel[at % TS__WHEEL] |= 1u << unit;
        sim->occupied |= 1ull << (at % TS__WHEEL);
        return;
    }
    TS_ASSERT(at > sim->now, "time goes forward");
    sim->far |= 1u << unit;
    sim->far_at[unit] = at;
    sim->far_first = at < sim->far_first ? at : sim->far_first;
}

void ts__unpark(ts_sim *sim, uint32_t unit) {
    sim->far &= ~(1u << unit);
    for (uint32_t i = 0; i < TS__WHEEL; i++) {
        sim->wheel[i] &= ~(1u << unit);
        if (sim->wheel[i] == 0u) {
            sim->occupied &= ~(1ull << i);
        }
    }
}

/* Moves what has come near from the far list into the wheel. */
static void bring_near(ts_sim *sim) {
    uint64_t first = UINT64_MAX;
    for (uint32_t left = sim->far; left != 0u; left &= left - 1u) {
        uint32_t unit = (uint32_t)__builtin_ctz(left);
        uint64_t at = sim->far_at[unit];
        if (at - sim->now < TS__WHEEL) {
            sim->far &= ~(1u << unit);
            sim->wheel[at % TS__WHEEL] |= 1u << unit;
            sim->occupied |= 1ull << (at % TS__WHEEL);
        } else if (at < first) {
            first = at;
        }
    }
    sim->far_first = first;
}

/* Advances to the next cycle in which something happens; the units that are due. 0: nothing is left. */
static uint32_t advance(ts_sim *sim) {
    if (sim->far_first - sim->now < TS__WHEEL) {
        bring_near(sim);
    }
    if (sim->occupied == 0u) {
        if (sim->far == 0u) {
            return 0u;
        }
        sim->now = sim->far_first;
        bring_near(sim);
    }
    uint32_t at = (uint32_t)(sim->now % TS__WHEEL);
    uint64_t turned = at == 0u ? sim->occupied : sim->occupied >> at | sim->occupied << (TS__WHEEL - at);
    sim->now += (uint64_t)__builtin_ctzll(turned);
    at = (uint32_t)(sim->now % TS__WHEEL);
    uint32_t due = sim->wheel[at];
    sim->wheel[at] = 0;
    sim->occupied &= ~(1ull << at);
    return due;
}

/* Since when a unit wants a bank. */
static uint64_t asked_at(const ts_sim *sim, uint32_t unit, uint32_t bank) {
    return unit == TS__UNIT_DMA_IN    ? ts__dma_asked_at(&sim->dma.in, bank)
           : unit == TS__UNIT_DMA_OUT ? ts__dma_asked_at(&sim->dma.out, bank)
                                      : sim->core[unit].t;
}

uint32_t ts__woken_last(const ts_sim *sim, uint32_t among) {
    uint32_t cores = among & ((1u << TS__CORE_SLOTS) - 1u);
    if (cores == 0u) {
        return 31u - (uint32_t)__builtin_clz(among);
    }
    uint32_t first = (uint32_t)__builtin_ctz(cores);
    for (uint32_t left = cores & (cores - 1u); left != 0u; left &= left - 1u) {
        uint32_t unit = (uint32_t)__builtin_ctz(left);
        first = sim->core[unit].rank > sim->core[first].rank ? unit : first;
    }
    return first;
}

/* Who of those `wanting` a bank is served: who waits longest; of several the first from one that goes round,
 * one core on in each cycle, or where the target says so the one that was woken last. */
static uint32_t round_robin(const ts_sim *sim, uint32_t wanting, uint32_t bank) {
    uint32_t first = (uint32_t)(sim->now % sim->core_count);
    uint64_t oldest = UINT64_MAX;
    uint32_t among = 0;
    for (uint32_t left = wanting; left != 0u; left &= left - 1u) {
        uint32_t unit = (uint32_t)__builtin_ctz(left);
        uint64_t at = asked_at(sim, unit, bank);
        among = at < oldest ? 1u << unit : at == oldest ? among | 1u << unit : among;
        oldest = at < oldest ? at : oldest;
    }
    if (sim->first_come) {
        return ts__woken_last(sim, among);
    }
    uint32_t behind = among & (0xffffffffu << first);
    return (uint32_t)__builtin_ctz(behind != 0u ? behind : among);
}

/* Stream 0 brings data in, 1 takes it out. */
static uint32_t stream_unit(uint32_t stream) { return stream == 0u ? TS__UNIT_DMA_IN : TS__UNIT_DMA_OUT; }

/* Grants each bank to one of those who want it. `dma` has the banks that the two DMA streams want. Returns
 * those of `due` who lose; *dma is left with the banks that were granted to each stream. */
static uint32_t arbitrate(ts_sim *sim, uint32_t due, uint32_t dma[2]) {
    uint32_t wanting[TS__BANKS];
    uint64_t banks = 0;
    uint32_t lost = 0, granted[2] = {0, 0};
    for (uint32_t left = due; left != 0u; left &= left - 1u) {
        uint32_t unit = (uint32_t)__builtin_ctz(left), bank = sim->bank[unit];
        if (unit < TS__CORE_SLOTS && bank != TS__NO_BANK) {
            wanting[bank] = (banks >> bank & 1u) != 0u ? wanting[bank] | 1u << unit : 1u << unit;
            banks |= 1ull << bank;
        }
    }
    for (uint32_t stream = 0; stream < 2u; stream++) {
        for (uint32_t left = dma[stream]; left != 0u; left &= left - 1u) {
            uint32_t bank = (uint32_t)__builtin_ctz(left), bit = 1u << stream_unit(stream);
            wanting[bank] = (banks >> bank & 1u) != 0u ? wanting[bank] | bit : bit;
            banks |= 1ull << bank;
        }
    }
    for (; banks != 0u; banks &= banks - 1u) {
        uint32_t bank = (uint32_t)__builtin_ctzll(banks);
        uint32_t who = wanting[bank], winner = TS__UNITS;
        if (sim->bank_at[bank] != sim->now) {
            winner = round_robin(sim, who, bank);
            sim->bank_at[bank] = sim->now;
            who &= ~(1u << winner);
        }
        if (winner == TS__UNIT_DMA_IN || winner == TS__UNIT_DMA_OUT) {
            granted[winner == TS__UNIT_DMA_OUT] |= 1u << bank;
        }
        lost |= who;
    }
    dma[0] = granted[0];
    dma[1] = granted[1];
    return lost & ((1u << TS__CORE_SLOTS) - 1u);
}

/* Without DMA and without two accesses to one bank everybody is served. */
static bool all_apart(ts_sim *sim, uint32_t due) {
    uint64_t used = 0;
    for (uint32_t left = due; left != 0u; left &= left - 1u) {
        uint32_t bank = sim->bank[__builtin_ctz(left)];
        if (bank != TS__NO_BANK) {
            if ((used >> bank & 1u) != 0u || sim->bank_at[bank] == sim->now) {
                return false;
            }
            used |= 1ull << bank;
        }
    }
    for (uint32_t left = due; left != 0u; left &= left - 1u) {
        uint32_t bank = sim->bank[__builtin_ctz(left)];
        if (bank != TS__NO_BANK) {
            sim->bank_at[bank] = sim->now;
        }
    }
    return true;
}

/* Cores that are not at an access go first: what they come to in this very cycle is arbitrated with the rest.
 * Where who was woken last is first, so do those whose access needs no bank: a fetch and the emptying of the
 * cache keep their order. */
static uint32_t early(ts_sim *sim, uint32_t due) {
    uint32_t cores = due & ((1u << TS__CORE_SLOTS) - 1u), first = cores & ~sim->at_access;
    for (uint32_t left = sim->first_come ? cores & ~first : 0u; left != 0u; left &= left - 1u) {
        uint32_t unit = (uint32_t)__builtin_ctz(left);
        first |= sim->bank[unit] == TS__NO_BANK ? 1u << unit : 0u;
    }
    uint32_t rest = due & ~first;
    if (first != 0u && rest != 0u) {
        sim->wheel[sim->now % TS__WHEEL] |= rest;
        sim->occupied |= 1ull << (sim->now % TS__WHEEL);
    }
    return first;
}

uint32_t ts__next_round(ts_sim *sim) {
    const uint32_t streams = 1u << TS__UNIT_DMA_IN | 1u << TS__UNIT_DMA_OUT;
    for (;;) {
        uint32_t due = advance(sim);
        if (due == 0u || sim->now >= sim->max_cycles) {
            return 0u;
        }
        if ((due & 1u << TS__UNIT_DMA_DONE) != 0u) {
            ts__dma_finish(sim);
        }
        if ((due & 1u << TS__UNIT_L3) != 0u) {
            ts__l3_done(sim);
        }
        due &= ~(1u << TS__UNIT_DMA_DONE | 1u << TS__UNIT_L3);
        uint32_t first = early(sim, due);
        if (first != 0u) {
            return first;
        }
        uint32_t cores = due & ((1u << TS__CORE_SLOTS) - 1u);
        if ((due & streams) == 0u) {
            if (cores == 0u || all_apart(sim, cores)) {
                if (cores != 0u) {
                    return cores;
                }
                continue;
            }
        }
        uint32_t dma[2] = {0, 0};
        bool in = (due & 1u << TS__UNIT_DMA_IN) != 0u, out = (due & 1u << TS__UNIT_DMA_OUT) != 0u;
        dma[0] = in ? ts__dma_banks(&sim->dma.in, sim->now) : 0u;
        dma[1] = out ? ts__dma_banks(&sim->dma.out, sim->now) : 0u;
        uint32_t lost = arbitrate(sim, cores, dma);
        for (uint32_t left = lost; left != 0u; left &= left - 1u) {
            ts__park_at(sim, (uint32_t)__builtin_ctz(left), sim->now + 1u);
        }
        if (in) {
            ts__dma_step(sim, &sim->dma.in, dma[0]);
        }
        if (out) {
            ts__dma_step(sim, &sim->dma.out, dma[1]);
        }
        if ((cores & ~lost) != 0u) {
            return cores & ~lost;
        }
    }
}
