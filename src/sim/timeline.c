/* The timeline in the Chrome trace format: a row for each core, each DMA direction, the L3 bus, and those
 * that the caller names. Times in microseconds of the target's cluster clock. */
#include <string.h>

#include "sim/watch.h"

enum { ROW_DMA_IN = 20, ROW_DMA_OUT, ROW_L3, ROW_FIRST_NAMED, MAX_NAMED = 16 };

typedef struct ts__timeline {
    FILE *out; /* NULL: no file */
    const ts_sim_options *options;
    const char *rows[ROW_FIRST_NAMED + MAX_NAMED];
    bool some;
    double us_per_cycle;
    uint64_t awake_since[TS__CORE_SLOTS];
    const char *named[MAX_NAMED];
    uint32_t named_count;
} ts__timeline;

static void write_text(FILE *out, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', out);
        }
        fputc((unsigned char)*text < 32 ? ' ' : *text, out);
    }
}

static void separate(ts__timeline *timeline) {
    fputs(timeline->some ? ",\n" : "\n", timeline->out);
    timeline->some = true;
}

static void name_row(ts__timeline *timeline, uint32_t row, const char *name) {
    timeline->rows[row] = name;
    if (timeline->out == NULL) {
        return;
    }
    separate(timeline);
    fprintf(timeline->out,
            "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":1,\"tid\":%u,\"args\":{\"name\":\"", row);
    write_text(timeline->out, name);
    fputs("\"}}", timeline->out);
}

static void span(ts__timeline *timeline, uint32_t row, const char *name, uint64_t begin, uint64_t end) {
    if (timeline->options->timeline_span != NULL && timeline->rows[row] != NULL) {
        timeline->options->timeline_span(timeline->options->timeline_user, timeline->rows[row], name, begin,
                                         end);
    }
    if (timeline->out == NULL) {
        return;
    }
    separate(timeline);
    fputs("{\"ph\":\"X\",\"name\":\"", timeline->out);
    write_text(timeline->out, name);
    fprintf(timeline->out,
            "\",\"pid\":1,\"tid\":%u,\"ts\":%.4f,\"dur\":%.4f,\"args\":{\"cycle\":%llu,\"cycles\":%llu}}",
            row, (double)begin * timeline->us_per_cycle, (double)(end - begin) * timeline->us_per_cycle,
            (unsigned long long)begin, (unsigned long long)(end - begin));
}

ts_status ts__timeline_new(ts_sim *sim, ts_diags *diags) {
    if (sim->options.timeline_path == NULL && sim->options.timeline_span == NULL) {
        return TS_OK;
    }
    ts__timeline *timeline = sim->timeline = TS_NEW(sim->arena, ts__timeline);
    timeline->options = &sim->options;
    timeline->us_per_cycle = sim->target == NULL ? 1.0 : 1e6 / (double)sim->target->cluster_hz;
    if (sim->options.timeline_path != NULL) {
        TS_TRY(ts__watch_open(sim->options.timeline_path, &timeline->out, diags));
        fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", timeline->out);
    }
    for (uint32_t i = 0; sim->target != NULL && i < sim->target->cores; i++) {
        name_row(timeline, i, ts_arena_printf(sim->arena, "core %u", i));
    }
    name_row(timeline, TS__FC, "fabric controller");
    name_row(timeline, ROW_DMA_IN, "DMA L2 to L1");
    name_row(timeline, ROW_DMA_OUT, "DMA L1 to L2");
    name_row(timeline, ROW_L3, "L3");
    return TS_OK;
}

void ts__timeline_end(ts_sim *sim) {
    ts__timeline *timeline = sim->timeline;
    if (timeline == NULL) {
        return;
    }
    for (uint32_t i = 0; i < TS__CORE_SLOTS; i++) {
        const ts__core *core = &sim->core[i];
        uint64_t until = ts__to_machine(sim, core, core->t);
        if (core->region != NULL && core->park != TS__PARK_ASLEEP && until > timeline->awake_since[i]) {
            span(timeline, i, "runs", timeline->awake_since[i], until);
            timeline->awake_since[i] = until;
        }
    }
}

void ts__timeline_free(ts_sim *sim) {
    ts__timeline *timeline = sim->timeline;
    if (timeline != NULL && timeline->out != NULL) {
        fputs("\n]}\n", timeline->out);
        fclose(timeline->out);
        timeline->out = NULL;
    }
}

void ts__note_wait(ts_sim *sim, const ts__core *core, uint64_t begin, uint64_t end) {
    static const char *const names[] = {
#define NAME(id, name, text) name,
        TS_SIM_CAUSES(NAME)
#undef NAME
    };
    ts__timeline *timeline = sim->timeline;
    if (timeline == NULL) {
        return;
    }
    begin = ts__to_machine(sim, core, begin);
    end = ts__to_machine(sim, core, end);
    uint64_t *awake = &timeline->awake_since[core->unit], started = ts__to_machine(sim, core, core->started);
    *awake = *awake < started ? started : *awake;
    if (begin > *awake) {
        span(timeline, core->unit, "runs", *awake, begin);
    }
    if (end > begin) {
        span(timeline, core->unit, names[core->asleep_why], begin, end);
    }
    *awake = end;
}

void ts__note_dma(ts_sim *sim, const ts__dma_transfer *transfer, uint64_t begin, uint64_t end) {
    if (sim->timeline != NULL) {
        uint32_t lines = (transfer->bytes + transfer->line_bytes - 1u) / transfer->line_bytes;
        span(sim->timeline, transfer->out ? ROW_DMA_OUT : ROW_DMA_IN,
             ts_arena_printf(sim->arena, "%u B in %u lines, L1 0x%08x, L2 0x%08x", transfer->bytes, lines,
                             transfer->l1, transfer->l2),
             begin, end);
    }
}

void ts__note_l3(ts_sim *sim) {
    const ts__l3 *l3 = &sim->l3;
    if (sim->timeline != NULL) {
        span(sim->timeline, ROW_L3,
             ts_arena_printf(sim->arena, "%s %u B, L2 0x%08x", l3->write ? "write" : "read", l3->bytes,
                             l3->l2),
             l3->begun_at, l3->done_at);
    }
}

void ts_sim_timeline_span(ts_sim *sim, const char *row, const char *name, uint64_t begin_cycle,
                          uint64_t end_cycle) {
    ts__timeline *timeline = sim->timeline;
    if (timeline == NULL || end_cycle < begin_cycle) {
        return;
    }
    uint32_t i = 0;
    while (i < timeline->named_count && strcmp(timeline->named[i], row) != 0) {
        i++;
    }
    if (i == timeline->named_count) {
        if (i == MAX_NAMED) {
            return;
        }
        timeline->named[timeline->named_count++] = ts_arena_strdup(sim->arena, row);
        name_row(timeline, ROW_FIRST_NAMED + i, row);
    }
    span(timeline, ROW_FIRST_NAMED + i, name, begin_cycle, end_cycle);
}
