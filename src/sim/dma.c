/* The cluster's DMA, MCHAN v7: commands of three or five words, sixteen counters, one stream each way.
 *
 * A stream has two ports to L1, each a word a cycle, for which they ask the banks like a core does.
 * Costs: section "Cluster DMA" of docs/simulator.md. */
#include <string.h>

#include "sim/machine.h"

enum {
    LENGTH = 0x1ffff,
    TO_L1 = 1 << 17,
    INCREMENT = 1 << 18,
    TWO_D = 1 << 19,
    EVENT = 1 << 20,
    INTERRUPT = 1 << 21,
    BROADCAST = 1 << 22,
    DMA_EVENT = 8,
    DMA_IRQ = 9
};

static const ts_dma *costs(const ts_sim *sim) { return &sim->target->dma; }

static uint32_t unit_of(const ts_sim *sim, const ts__dma_stream *stream) {
    return stream == &sim->dma.in ? TS__UNIT_DMA_IN : TS__UNIT_DMA_OUT;
}

/* The address in L2 of the byte `at` of a transfer. */
static uint32_t outer_of(const ts__dma_transfer *transfer, uint32_t at) {
    return transfer->l2 + at / transfer->line_bytes * transfer->stride + at % transfer->line_bytes;
}

/* Gives the next words of the piece to the ports that have none; they ask for their banks from `at` on. */
static void feed(ts_sim *sim, ts__dma_stream *stream, uint64_t at) {
    const ts__dma_transfer *transfer = &stream->queue[stream->head];
    uint32_t asked = ts__dma_banks(stream, UINT64_MAX);
    uint64_t first = UINT64_MAX;
    for (uint32_t i = 0; i < TS__DMA_PORTS && stream->issued < stream->piece_end; i++) {
        ts__dma_port *port = &stream->port[i];
        uint32_t address = transfer->l1 + stream->issued, left = stream->piece_end - stream->issued;
        uint32_t bank = address >> 2 & sim->bank_mask, bytes = 4u - (address & 3u);
        if (port->bytes != 0u || (asked >> bank & 1u) != 0u) {
            continue;
        }
        bytes = bytes < left ? bytes : left;
        uint32_t wait = ts__l2_banks(sim, outer_of(transfer, stream->issued), 1, at);
        *port = (ts__dma_port){.at = stream->issued, .bytes = bytes, .bank = bank, .asked_at = at + wait};
        asked |= 1u << bank;
        stream->issued += bytes;
    }
    for (uint32_t i = 0; i < TS__DMA_PORTS; i++) {
        const ts__dma_port *port = &stream->port[i];
        first = port->bytes != 0u && port->asked_at < first ? port->asked_at : first;
    }
    ts__park_at(sim, unit_of(sim, stream), first > at ? first : at);
}

/* A piece is a line, or a burst of it. Its first words ask for their banks at cycle `at`. */
static void begin_piece(ts_sim *sim, ts__dma_stream *stream, uint64_t at) {
    const ts__dma_transfer *transfer = &stream->queue[stream->head];
    uint32_t end = (stream->at / transfer->line_bytes + 1u) * transfer->line_bytes;
    end = end - stream->at < costs(sim)->burst_bytes ? end : stream->at + costs(sim)->burst_bytes;
    stream->piece_end = end < transfer->bytes ? end : transfer->bytes;
    stream->piece_at = at;
    feed(sim, stream, at);
}

static void begin(ts_sim *sim, ts__dma_stream *stream) {
    const ts__dma_transfer *transfer = &stream->queue[stream->head];
    uint64_t at = transfer->issued_at + costs(sim)->start_cycles;
    at = at < stream->free_at ? stream->free_at : at;
    at = at <= sim->now ? sim->now + 1u : at;
    stream->at = stream->issued = 0;
    memset(stream->port, 0, sizeof stream->port);
    stream->begun_at = at;
    ts__order_begin(sim, transfer);
    begin_piece(sim, stream, at);
}

uint32_t ts__dma_banks(const ts__dma_stream *stream, uint64_t now) {
    uint32_t banks = 0;
    for (uint32_t i = 0; i < TS__DMA_PORTS; i++) {
        const ts__dma_port *port = &stream->port[i];
        banks |= port->bytes != 0u && port->asked_at <= now ? 1u << port->bank : 0u;
    }
    return banks;
}

uint64_t ts__dma_asked_at(const ts__dma_stream *stream, uint32_t bank) {
    const ts__dma_port *port = &stream->port[0];
    while (port->bytes == 0u || port->bank != bank) {
        port++;
    }
    return port->asked_at;
}

static void copy_word(ts_sim *sim, const ts__dma_stream *stream, const ts__dma_port *port) {
    const ts__dma_transfer *transfer = &stream->queue[stream->head];
    uint32_t outer = outer_of(transfer, port->at);
    uint8_t *l1 = sim->l1 + (transfer->l1 + port->at - sim->l1_base), *l2 = sim->l2 + (outer - sim->l2_base);
    ts__check_beat(sim, transfer, transfer->l1 + port->at, outer, port->bytes);
    if (transfer->out) {
        memcpy(l2, l1, port->bytes);
        ts__stored(sim, l2, port->bytes);
        sim->traffic.dma_out_bytes += port->bytes;
    } else {
        memcpy(l1, l2, port->bytes);
        ts__stored(sim, l1, port->bytes);
        sim->traffic.dma_in_bytes += port->bytes;
    }
}

/* Idle cycles behind the piece just moved. */
static uint32_t gap(const ts_sim *sim, const ts__dma_stream *stream) {
    const ts__dma_transfer *transfer = &stream->queue[stream->head];
    const ts_dma *cost = costs(sim);
    const ts__dma_stream *in = &sim->dma.in;
    if (transfer->out && cost->gaps_out_overlap && in->count != 0u && in->begun_at <= sim->now) {
        return 0u;
    }
    if (stream->at % transfer->line_bytes != 0u) {
        return transfer->out ? cost->burst_out_cycles : 0u;
    }
    uint64_t taken = sim->now + 1u - stream->piece_at;
    uint32_t least = transfer->out ? cost->line_out_min_cycles : cost->line_in_min_cycles;
    uint32_t extra = transfer->out ? cost->line_out_cycles : cost->line_in_cycles;
    return taken + extra < least ? least - (uint32_t)taken : extra;
}

/* Commands of each core that have not begun. */
static void count_waiting(ts_sim *sim) {
    ts__dma_stream *streams[2] = {&sim->dma.in, &sim->dma.out};
    memset(sim->dma.waiting, 0, sizeof sim->dma.waiting);
    for (int s = 0; s < 2; s++) {
        for (uint32_t i = 1; i < streams[s]->count; i++) {
            sim->dma.waiting[streams[s]->queue[(streams[s]->head + i) % TS__DMA_QUEUE].core]++;
        }
    }
}

static void complete(ts_sim *sim, ts__dma_stream *stream) {
    ts__dma *dma = &sim->dma;
    const ts__dma_transfer *transfer = &stream->queue[stream->head];
    TS_ASSERT(dma->done_count < TS__DMA_DONE, "DMA completions");
    ts__order_end(sim, transfer);
    ts__dma_done *done = &dma->done[(dma->done_head + dma->done_count++) % TS__DMA_DONE];
    *done = (ts__dma_done){sim->now + 1u + costs(sim)->finish_cycles, *transfer};
    if (dma->done_count == 1u) {
        ts__park_at(sim, TS__UNIT_DMA_DONE, done->at);
    }
    uint64_t busy = sim->now + 1u - stream->begun_at;
    *(transfer->out ? &sim->traffic.dma_out_busy_cycles : &sim->traffic.dma_in_busy_cycles) += busy;
    sim->traffic.dma_transfers++;
    ts__note_dma(sim, transfer, stream->begun_at, sim->now + 1u);
    stream->free_at =
        sim->now + 1u + (transfer->out ? costs(sim)->line_out_cycles : costs(sim)->line_in_cycles);
    stream->head = (stream->head + 1u) % TS__DMA_QUEUE;
    if (--stream->count != 0u) {
        begin(sim, stream);
    }
    count_waiting(sim);
}

void ts__dma_finish(ts_sim *sim) {
    ts__dma *dma = &sim->dma;
    while (dma->done_count != 0u && dma->done[dma->done_head].at <= sim->now) {
        const ts__dma_transfer transfer = dma->done[dma->done_head].transfer;
        dma->done_head = (dma->done_head + 1u) % TS__DMA_DONE;
        dma->done_count--;
        dma->counter_left[transfer.counter]--;
        uint32_t cores = transfer.broadcast ? 0xffffffffu : 1u << transfer.core;
        uint32_t events = (transfer.event ? 1u << DMA_EVENT : 0u) | (transfer.irq ? 1u << DMA_IRQ : 0u);
        ts__order_complete(sim, &transfer, cores, events);
        if (events != 0u) {
            ts__event_raise(sim, cores, events, sim->now);
        }
    }
    if (dma->done_count != 0u) {
        ts__park_at(sim, TS__UNIT_DMA_DONE, dma->done[dma->done_head].at);
    }
}

void ts__dma_step(ts_sim *sim, ts__dma_stream *stream, uint32_t granted) {
    for (uint32_t i = 0; i < TS__DMA_PORTS; i++) {
        ts__dma_port *port = &stream->port[i];
        if (port->bytes != 0u && (granted >> port->bank & 1u) != 0u) {
            copy_word(sim, stream, port);
            stream->at += port->bytes;
            port->bytes = 0;
        }
    }
    if (stream->at == stream->queue[stream->head].bytes) {
        complete(sim, stream);
    } else if (stream->at == stream->piece_end) {
        begin_piece(sim, stream, sim->now + 1u + gap(sim, stream));
    } else {
        feed(sim, stream, sim->now + 1u);
    }
}

/* A transfer into L1 that overwrites what a core's stack pointer points at is a mistake of the program. */
static bool meets_stack(ts_sim *sim, ts__core *core, const ts__dma_transfer *transfer) {
    for (uint32_t i = 0; i < sim->core_count; i++) {
        const ts__core *owner = &sim->core[i];
        if (owner->region != NULL && owner->r[2] - transfer->l1 < transfer->bytes) {
            ts__fault(sim, core, transfer->l1, "DMA of %u bytes into the stack of core %u, at 0x%08x",
                      transfer->bytes, i, owner->r[2]);
            return true;
        }
    }
    return false;
}

/* How many cores the DMA looks at before it takes a command of this one. It takes one a cycle, inward ones
 * first, and where it begins to look moves on with each. */
static uint32_t distance(const ts_sim *sim, const ts__dma_transfer *transfer) {
    const ts__dma *dma = &sim->dma;
    uint32_t queues = sim->core_count + 1u, first = dma->taken + (transfer->out ? dma->coming[0] : 0u);
    return (transfer->core + queues - first % queues) % queues;
}

/* Puts the commands of this cycle, which are a stream's last, in the order in which they are taken. */
static void sort_new(ts_sim *sim, ts__dma_stream *stream) {
    bool head_changes = false;
    for (uint32_t i = 1; i < stream->count; i++) {
        for (uint32_t k = i; k > 0u; k--) {
            ts__dma_transfer *later = &stream->queue[(stream->head + k) % TS__DMA_QUEUE];
            ts__dma_transfer *former = &stream->queue[(stream->head + k - 1u) % TS__DMA_QUEUE];
            if (former->issued_at != sim->now || distance(sim, former) < distance(sim, later)) {
                break;
            }
            ts__dma_transfer swap = *former;
            *former = *later;
            *later = swap;
            head_changes = head_changes || k == 1u;
        }
    }
    if (head_changes) {
        begin(sim, stream);
    }
}

static void push(ts_sim *sim, ts__dma_stream *stream, const ts__dma_transfer *transfer) {
    ts__dma *dma = &sim->dma;
    if (dma->taken_at != sim->now) {
        dma->taken += dma->coming[0] + dma->coming[1];
        dma->coming[0] = dma->coming[1] = 0;
        dma->taken_at = sim->now;
    }
    dma->coming[transfer->out]++;
    stream->queue[(stream->head + stream->count++) % TS__DMA_QUEUE] = *transfer;
    if (stream->count == 1u) {
        begin(sim, stream);
    }
    sort_new(sim, &dma->in);
    sort_new(sim, &dma->out);
    count_waiting(sim);
}

/* A command is complete: checks it and puts it into its stream's queue. */
static void enqueue(ts_sim *sim, ts__core *core, const uint32_t *words) {
    ts__dma *dma = &sim->dma;
    uint32_t bytes = words[0] & LENGTH;
    bool two_d = (words[0] & TWO_D) != 0u;
    ts__dma_transfer transfer = {
        .l1 = words[1] < sim->l1_size ? words[1] + sim->l1_base : words[1],
        .l2 = words[2],
        .bytes = bytes,
        .line_bytes = two_d ? words[3] : bytes,
        .stride = two_d ? words[4] : 0u,
        .event = (words[0] & EVENT) != 0u,
        .irq = (words[0] & INTERRUPT) != 0u,
        .broadcast = (words[0] & BROADCAST) != 0u,
        .out = (words[0] & TO_L1) == 0u,
        .counter = dma->current[core->unit],
        .core = core->unit,
        .issued_at = sim->now,
    };
    if (bytes == 0u || bytes > costs(sim)->max_1d_bytes || transfer.line_bytes == 0u ||
        (words[0] & INCREMENT) == 0u) {
        ts__fault(sim, core, words[1], "DMA command of %u bytes, lines of %u, %s", bytes, transfer.line_bytes,
                  (words[0] & INCREMENT) != 0u ? "incrementing" : "not incrementing (not modelled)");
        return;
    }
    uint64_t lines = (bytes - 1u) / transfer.line_bytes;
    uint64_t reach = lines * transfer.stride + (bytes - lines * transfer.line_bytes);
    if (reach < transfer.line_bytes && lines != 0u) {
        reach = transfer.line_bytes;
    }
    if (transfer.l1 - sim->l1_base > sim->l1_size || bytes > sim->l1_size - (transfer.l1 - sim->l1_base)) {
        ts__fault(sim, core, transfer.l1, "DMA of %u bytes whose L1 side lies outside L1", bytes);
        return;
    }
    if (transfer.l2 - sim->l2_base > sim->l2_size || reach > sim->l2_size - (transfer.l2 - sim->l2_base)) {
        ts__fault(sim, core, transfer.l2, "DMA of %u bytes whose L2 side lies outside L2", bytes);
        return;
    }
    if (!transfer.out && meets_stack(sim, core, &transfer)) {
        return;
    }
    dma->counter_left[transfer.counter]++;
    ts__order_issue(sim, &transfer);
    push(sim, transfer.out ? &dma->out : &dma->in, &transfer);
}

/* The queue of a core, or the one behind all of them, is full. */
static bool full(const ts_sim *sim, const ts__core *core) {
    const ts__dma *dma = &sim->dma;
    uint32_t all = 0;
    for (uint32_t i = 0; i < TS__CORE_SLOTS; i++) {
        all += dma->waiting[i];
    }
    return dma->waiting[core->unit] >= costs(sim)->core_queue + costs(sim)->global_queue ||
           all >= costs(sim)->global_queue + costs(sim)->core_queue * sim->core_count;
}

uint32_t ts__dma_write(ts_sim *sim, ts__core *core, uint32_t offset, uint32_t value) {
    ts__dma *dma = &sim->dma;
    if (offset == 4u) {
        for (uint32_t i = 0; i < costs(sim)->counters; i++) {
            if ((value >> i & 1u) != 0u) {
                dma->allocated &= ~(1u << i);
            }
        }
        return 0;
    }
    if (offset != 0u || !dma->owns[core->unit]) {
        ts__fault(sim, core, core->address,
                  offset != 0u ? "the DMA's register is not modelled" : "DMA command without a counter");
        return 0;
    }
    ts__dma_command *command = &dma->command[core->unit];
    uint32_t need = ((command->have == 0u ? value : command->words[0]) & TWO_D) != 0u ? 5u : 3u;
    if (command->have + 1u == need && full(sim, core)) {
        core->park = TS__PARK_RETRY;
        return 0;
    }
    command->words[command->have++] = value;
    if (command->have == need) {
        command->have = 0;
        enqueue(sim, core, command->words);
    }
    return 0;
}

uint32_t ts__dma_read(ts_sim *sim, ts__core *core, uint32_t offset, uint32_t *value) {
    ts__dma *dma = &sim->dma;
    *value = 0;
    if (offset == 4u) {
        for (uint32_t i = 0; i < costs(sim)->counters; i++) {
            *value |= dma->counter_left[i] != 0u ? 1u << i : 0u;
        }
        ts__order_status(sim, core->unit, *value);
        *value |= dma->allocated << 16;
        return 0;
    }
    if (offset != 0u) {
        ts__fault(sim, core, core->address, "the DMA's register is not modelled");
        return 0;
    }
    for (uint32_t i = 0; i < costs(sim)->counters; i++) {
        if ((dma->allocated >> i & 1u) == 0u && dma->counter_left[i] == 0u) {
            dma->allocated |= 1u << i;
            dma->current[core->unit] = (uint8_t)i;
            dma->owns[core->unit] = true;
            *value = i;
            return 0;
        }
    }
    ts__fault(sim, core, core->address,
              "no DMA counter is free; free them by a store to the status register");
    return 0;
}
