#include "run/timeline.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KINDS = 16 };

static uint32_t row_of(ts_timeline *timeline, const char *name) {
    uint32_t row = 0;
    while (row < timeline->row_count && strcmp(timeline->rows[row], name) != 0) {
        row++;
    }
    if (row == timeline->row_count && row < TS_TIMELINE_ROWS) {
        timeline->rows[timeline->row_count++] = ts_arena_strdup(timeline->arena, name);
    }
    return row;
}

void ts__timeline_add(void *user, const char *row, const char *name, uint64_t begin_cycle,
                      uint64_t end_cycle) {
    static const char *const states[] = {"runs", "dma_wait", "barrier_wait", "idle"};
    ts_timeline *timeline = user;
    ts_span span = {.row = row_of(timeline, row), .begin_cycle = begin_cycle, .end_cycle = end_cycle};
    if (span.row == TS_TIMELINE_ROWS || timeline->spans.count == TS_TIMELINE_COLLECT) {
        timeline->left_out++;
        return;
    }
    for (uint32_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(name, states[i]) == 0) {
            span.kind = states[i];
        }
    }
    if (span.kind == NULL) {
        span.kind = strcmp(row, "layers") == 0 ? "layer" : strcmp(row, "tiles") == 0 ? "tile" : "transfer";
        span.text = ts_arena_strdup(timeline->arena, name);
    }
    TS_PUSH(timeline->arena, &timeline->spans, span);
}

static int by_row_and_time(const void *a, const void *b) {
    const ts_span *x = a, *y = b;
    if (x->row != y->row) {
        return x->row < y->row ? -1 : 1;
    }
    if (x->begin_cycle != y->begin_cycle) {
        return x->begin_cycle < y->begin_cycle ? -1 : 1;
    }
    return x->end_cycle < y->end_cycle ? -1 : x->end_cycle > y->end_cycle;
}

static uint64_t length_of(const ts_span *span) { return span->end_cycle - span->begin_cycle; }

/* One span for those of [first, last): the kind that fills most of their time. */
static ts_span merged_span(const ts_span *spans, uint32_t first, uint32_t last) {
    ts_span out = spans[first];
    uint64_t most = 0;
    for (uint32_t i = first; i < last; i++) {
        uint64_t same = 0;
        for (uint32_t k = first; k < last; k++) {
            same += strcmp(spans[k].kind, spans[i].kind) == 0 ? length_of(&spans[k]) : 0;
        }
        if (same > most) {
            most = same;
            out.kind = spans[i].kind;
        }
        out.end_cycle = spans[i].end_cycle > out.end_cycle ? spans[i].end_cycle : out.end_cycle;
    }
    if (last - first > 1) {
        out.text = NULL;
        out.merged = last - first;
    }
    return out;
}

/* The end of the group of short neighbours that begins at `first`: it covers at most `resolution` cycles. */
static uint32_t group_end(const ts_span *spans, uint32_t count, uint32_t first, uint64_t resolution) {
    uint32_t last = first + 1;
    if (strcmp(spans[first].kind, "layer") == 0) {
        return last;
    }
    while (last < count && spans[last].row == spans[first].row && last - first < 256 &&
           spans[last].end_cycle - spans[first].begin_cycle <= resolution) {
        last++;
    }
    return last;
}

static uint32_t merged_count(const ts_span *spans, uint32_t count, uint64_t resolution) {
    uint32_t groups = 0;
    for (uint32_t i = 0; i < count; i = group_end(spans, count, i, resolution)) {
        groups++;
    }
    return groups;
}

static json_t *span_json(const ts_span *span, const char **kinds, uint32_t *kind_count) {
    uint32_t kind = 0;
    while (kind < *kind_count && strcmp(kinds[kind], span->kind) != 0) {
        kind++;
    }
    if (kind == *kind_count) {
        kinds[(*kind_count)++] = span->kind;
    }
    json_t *out = json_array();
    json_array_append_new(out, json_integer(span->row));
    json_array_append_new(out, json_integer(kind));
    json_array_append_new(out, json_integer((json_int_t)span->begin_cycle));
    json_array_append_new(out, json_integer((json_int_t)length_of(span)));
    json_array_append_new(out, json_integer(span->merged == 0 ? 1 : span->merged));
    if (span->text != NULL) {
        json_array_append_new(out, json_string(span->text));
    }
    return out;
}

static json_t *names_json(const char *const *names, uint32_t count) {
    json_t *out = json_array();
    for (uint32_t i = 0; i < count; i++) {
        json_array_append_new(out, json_string(names[i]));
    }
    return out;
}

json_t *ts__timeline_json(const ts_timeline *timeline) {
    uint32_t count = timeline->spans.count;
    ts_span *spans = TS_NEW_ARRAY(timeline->arena, ts_span, count);
    if (count > 0) {
        memcpy(spans, timeline->spans.data, count * sizeof *spans);
        qsort(spans, count, sizeof *spans, by_row_and_time);
    }
    uint64_t resolution = 0;
    while (merged_count(spans, count, resolution) > TS_TIMELINE_KEEP && resolution < UINT64_MAX / 4) {
        resolution = resolution == 0 ? 16 : resolution * 2;
    }
    const char *kinds[MAX_KINDS];
    uint32_t kind_count = 0;
    json_t *root = json_object(), *list = json_array();
    for (uint32_t i = 0, next; i < count; i = next) {
        next = group_end(spans, count, i, resolution);
        ts_span span = merged_span(spans, i, next);
        json_array_append_new(list, span_json(&span, kinds, &kind_count));
    }
    json_object_set_new(root, "rows", names_json(timeline->rows, timeline->row_count));
    json_object_set_new(root, "kinds", names_json(kinds, kind_count));
    json_object_set_new(root, "resolution_cycles", json_integer((json_int_t)resolution));
    json_object_set_new(root, "left_out", json_integer((json_int_t)timeline->left_out));
    json_object_set_new(root, "spans", list);
    return root;
}
