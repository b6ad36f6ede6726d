/* What the files of this room share: a run as read from its JSON, and pieces of HTML.
 *
 * Every `const char *` of these structs is already escaped for HTML text and attributes (read.c does it as it
 * reads), so that no writer can forget it; only ts__span.raw is not. NULL stands for "not known". */
#ifndef TS_REPORT_INTERNAL_H
#define TS_REPORT_INTERNAL_H

#include <stdbool.h>

#include "report/report.h"

enum {
    TS__MAX_CORES = 64,
    TS__MAX_CAUSES = 16,
    TS__MAX_POINTS = 8,
    TS__MAX_MEMORIES = 8,
    TS__MAX_ROWS = 64,
    TS__MAX_LAYERS = 5000,
    TS__MAX_BUFFERS = 20000,
    TS__MAX_SPANS = 200000,
    TS__MAX_STAGES = 4,
    TS__ENERGY_PARTS = 7,
};

typedef struct ts__map {
    const char *tensor, *type;
    uint64_t h, w, c, bytes;
    int64_t buffer; /* -1: none */
} ts__map;

typedef struct ts__l1_buffer {
    uint64_t count, bytes, offsets[2];
} ts__l1_buffer;

typedef struct ts__layer {
    const char *name, *op, *kernel, *requant;
    uint64_t macs;
    bool measured;
    uint64_t cycles; /* measured, else modelled */
    double modelled_cycles, bound_cycles, l3_wait_cycles;
    uint64_t instructions;
    uint64_t by_cause[TS__MAX_CAUSES]; /* sum over the cores */
    uint64_t *by_core;                 /* cores x causes; NULL where not known */
    uint64_t dma_in_bytes, dma_out_bytes, l3_read_bytes, l3_write_bytes; /* while the layer ran */
    uint64_t own_l3_bytes; /* that the layer needs, whenever they are moved */
    double energy_uj, energy_parts_uj[TS__ENERGY_PARTS];
    uint64_t l1_bytes, l2_bytes;
    bool judged, verified;
    const char *golden;
    uint64_t differing;
    ts__map x, x2, y;
    uint64_t kernel_h, kernel_w, stride_h, stride_w, groups;
    uint64_t tile_h, tile_w, tile_c, tile_x_h, tile_x_w, tile_x_c, tiles[3];
    const char *order;
    ts__l1_buffer l1[5]; /* x, x2, w, y, scratch */
    uint64_t weights_offset, weights_bytes, load_at, chunks, chunk_c, stripes, stripe_h;
} ts__layer;

typedef struct ts__buffer {
    const char *role, *tensor;
    bool in_l3;
    uint64_t layer, offset, bytes, first_layer, last_layer;
} ts__buffer;

typedef struct ts__point {
    const char *name;
    double volts, hz, seconds, energy_uj;
} ts__point;

/* How good a network is on labelled data; what is not known is negative. */
typedef struct ts__accuracy {
    const char *kind;
    uint64_t samples;
    double top1, auc, mean_square;
} ts__accuracy;

/* A layer of the quantiser; these are not the layers of the plan one by one, since some are folded. */
typedef struct ts__quantised {
    const char *name, *op, *type;
    uint64_t weight_bits; /* 0: no weights */
    double quantum, low, high, clipped, weights_db, output_db;
    bool blamed, wide;
    double points_lost; /* of top-1 where this layer alone is quantised */
} ts__quantised;

typedef struct ts__span {
    uint32_t row, kind;
    uint64_t begin, cycles, merged;
    const char *raw; /* NOT escaped; NULL: none */
} ts__span;

struct ts_report_run {
    ts_arena *arena;
    const char *label, *model, *target, *version, *command, *objective;
    bool has_run; /* false: a plan alone */
    bool measured, verified;
    bool counted, estimated; /* QEMU counted instructions; cycles are estimated from their classes */
    uint64_t samples, cycles, macs;
    uint64_t instructions, program_ram_bytes, program_flash_bytes; /* of the linked program; where counted */
    double clock_hz;
    double modelled_cycles, bound_cycles, energy_uj;
    ts__point points[TS__MAX_POINTS];
    uint32_t point_count;
    const char *chip, *isa;
    uint64_t cores, dma_bytes_per_cycle, code_reserve_bytes;
    double l3_bytes_per_cycle; /* of the cluster's clock */
    uint64_t l1_budget, l2_budget, l3_budget, l1_used, l2_used, l3_used, l3_weights;
    uint64_t l1_size, l2_size, l3_size;
    uint64_t l2_stack_bytes, l2_search_bytes, l2_bound_bytes;
    uint64_t stacks[TS__MAX_CORES];
    uint32_t stack_count;
    const char *causes[TS__MAX_CAUSES];
    uint32_t cause_count;
    ts__layer *layers;
    uint32_t layer_count;
    ts__buffer *buffers;
    uint32_t buffer_count;
    const char *rows[TS__MAX_ROWS], *kinds[TS__MAX_ROWS];
    uint32_t row_count, kind_count;
    ts__span *spans;
    uint32_t span_count;
    uint64_t resolution_cycles, left_out;
    ts__accuracy accuracy;    /* `kind` NULL: not known */
    const char *quantised_as; /* "w8a8"; NULL: not known */
    ts__quantised *quantised;
    uint32_t quantised_count, stage_count;
    ts__accuracy stages[TS__MAX_STAGES];
};

/* A page in the making. `id` goes before every id of a run's part: two runs stand on one page. */
typedef struct ts__page {
    ts_text *out;
    const ts_report_run *run;
    const char *id;
} ts__page;

/* text.c */
const char *ts__html_escape(ts_arena *arena, const char *text);
void ts__json_text(ts_text *out, const char *raw);      /* a JSON string that may stand in a script element */
const char *ts__count(ts_arena *arena, uint64_t value); /* 1,234,567 */
const char *ts__bytes_text(ts_arena *arena, uint64_t bytes);     /* 12.3 KiB */
const char *ts__seconds_text(ts_arena *arena, double seconds);   /* 15.4 ms */
const char *ts__joule_text(ts_arena *arena, double microjoules); /* 0.978 mJ */
double ts__mac_per_cycle(uint64_t macs, uint64_t cycles);

/* What cycles are: "" where they were measured, else "estimated" or "modelled". */
const char *ts__cycles_kind(const ts_report_run *run);

/* Chips of one core: weights lie in flash; with one memory there is no L1, and RAM stands where others have
 * L2. */
bool ts__one_memory(const ts_report_run *run);
const char *ts__home_name(const ts_report_run *run);  /* "L2" or "RAM" */
const char *ts__store_name(const ts_report_run *run); /* "L3" or "Flash" */

/* Ceilings in MAC/cycle: of the instruction set (a SIMD dot product a cycle and core), and of the best inner
 * loop (two thirds of it: 16 dot products in 24 instructions); 0 where the chip has no SIMD dot products. */
double ts__isa_ceiling(const ts_report_run *run);
double ts__kernel_ceiling(const ts_report_run *run);

/* Class of a cause's, kind's or operator's colour in report.css. */
const char *ts__cause_class(const char *cause);
const char *ts__cause_label(const char *cause);

/* Opens and closes a section with a heading. */
void ts__section(const ts__page *page, const char *name, const char *title, const char *lead);
void ts__section_end(const ts__page *page);
/* Opens a chart that can be zoomed, with its buttons; what follows is the content of an SVG. */
void ts__chart(const ts__page *page, const char *name, const char *title, const char *description,
               double width, double height);
void ts__chart_end(const ts__page *page);
void ts__cause_legend(const ts__page *page);

/* One file each. */
void ts__write_summary(const ts__page *page);
void ts__write_network(const ts__page *page);
void ts__write_timeline(const ts__page *page);
void ts__write_causes(const ts__page *page);
void ts__write_memory(const ts__page *page);
void ts__write_roofline(const ts__page *page);
void ts__write_tables(const ts__page *page);
void ts__write_quantised(const ts__page *page); /* nothing where it is not known */
void ts__write_comparison(const ts__page *page, const ts_report_run *other);

#endif
