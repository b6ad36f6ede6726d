/* The page of a report: its structure, that no name from a model gets out of its place, what is refused. */
#include "harness.h"

#include <string.h>

#include "report/report.h"

#define EVIL "<script>alert(1)</script>\\\" onload='x' & \\u202e\\u0007"

/* A run of two layers with one name, everything in it hostile where it can be. */
static const char run_json[] =
    "{\"model\": \"" EVIL "\", \"target\": \"" EVIL
    "\", \"samples\": 1, \"cycles\": 300, \"macs\": 500,"
    "\"energy_uj\": 2.5, \"verified\": true, \"stack_bytes\": [10, 20], \"tessera\": \"1\", \"command\": "
    "\"run " EVIL "\", \"causes\": [\"issued\", \"" EVIL
    "\"],"
    "\"operating_points\": [{\"name\": \"" EVIL
    "\", \"volts\": 1, \"cluster_hz\": 100, \"seconds\": 3, "
    "\"energy_uj\": 2.5}],"
    "\"chip\": {\"description\": \"" EVIL
    "\", \"isa\": \"rv32imc_xpulpv2\", \"cores\": 2, \"cluster_hz\": 100, "
    "\"fc_hz\": 50, \"dma_bytes_per_cycle\": 8, \"memories\": [{\"name\": \"l3\", \"level\": 3, "
    "\"size_bytes\": "
    "4096, \"read_bytes_per_cycle\": 1.5}]},"
    "\"layers\": [{\"name\": \"a\", \"cycles\": 100, \"verified\": true, \"golden\": \"equal\", "
    "\"instructions\": 9, "
    "\"core_cycles\": {\"issued\": 150}, \"cycles_by_core\": [[75, 25], [75, 25]], \"energy_uj\": 1.5, "
    "\"dma_in_bytes\": 64, \"l3_read_bytes\": 10}, "
    "{\"name\": \"b\", \"cycles\": 200, \"verified\": true}],"
    "\"plan\": {\"options\": {\"l1_bytes\": 1000, \"l2_bytes\": 2000, \"cores\": 2, \"objective\": \"" EVIL
    "\"},"
    "\"l1_used_bytes\": 500, \"l2\": {\"used_bytes\": 900}, \"l3\": {\"used_bytes\": 300}, \"layers\": ["
    "{\"name\": \"" EVIL "\", \"op\": \"conv\", \"kernel\": \"" EVIL
    "\", \"macs\": 400, \"x\": {\"tensor\": \"" EVIL
    "\", \"h\": 4, \"w\": 4, \"c\": 4, \"type\": \"u8\", \"bytes\": 64, \"buffer\": 0}, \"y\": {\"tensor\": "
    "\"t\", "
    "\"buffer\": 1, \"h\": 4, \"w\": 4, \"c\": 4, \"type\": \"u8\"}, \"window\": {\"kernel\": [3, 3], "
    "\"stride\": [2, "
    "2]}, \"l1\": {\"tile\": {\"y_h\": 2}, \"tiles\": [2, 1, 1], \"x\": {\"count\": 2, \"bytes\": 100, "
    "\"offsets\": "
    "[0, 100]}}, \"l3\": {\"weights_bytes\": 300}, \"bound_cycles\": 50, \"modelled_cycles\": 90},"
    "{\"name\": \"" EVIL "\", \"op\": \"" EVIL
    "\", \"macs\": 100, \"x\": {\"buffer\": 1}, \"x2\": {\"buffer\": 0}, "
    "\"y\": {\"buffer\": 7}}],"
    "\"buffers\": [{\"role\": \"activation\", \"tensor\": \"" EVIL
    "\", \"level\": \"l2\", \"offset\": 0, \"bytes\": "
    "400, \"first_layer\": 0, \"last_layer\": 1}, {\"role\": \"" EVIL
    "\", \"level\": \"l3\", \"layer\": 9, "
    "\"offset\": 300, \"bytes\": 4, \"first_layer\": 1, \"last_layer\": 1}]},"
    "\"timeline\": {\"rows\": [\"layers\", \"" EVIL "\"], \"kinds\": [\"layer\", \"" EVIL
    "\"], \"resolution_cycles\": "
    "16, \"left_out\": 3, \"spans\": [[0, 0, 50, 100, 1, \"" EVIL
    "\"], [0, 0, 150, 200, 1], [1, 1, 60, 5, 4]]}}";

/* The output of a layer over a part of its input, and a third buffer that comes when the first is dead. */
static const char shared_json[] =
    "{\"model\": \"m\", \"target\": \"t\", \"modelled_cycles\": 10, \"l2\": {\"used_bytes\": 900}, "
    "\"layers\": "
    "[{\"name\": \"n\", \"op\": \"add\"}, {\"name\": \"o\", \"op\": \"add\"}], \"buffers\": ["
    "{\"role\": \"activation\", \"tensor\": \"first\", \"level\": \"l2\", \"offset\": 0, \"bytes\": 600, "
    "\"first_layer\": 0, \"last_layer\": 0},"
    "{\"role\": \"activation\", \"tensor\": \"second\", \"level\": \"l2\", \"offset\": 345, \"bytes\": 500, "
    "\"first_layer\": 0, \"last_layer\": 1},"
    "{\"role\": \"activation\", \"tensor\": \"third\", \"level\": \"l2\", \"offset\": 0, \"bytes\": 345, "
    "\"first_layer\": 1, \"last_layer\": 1}]}";

static const char plan_json[] =
    "{\"model\": \"m\", \"target\": \"t\", \"modelled_cycles\": 10, \"layers\": [{\"name\": \"n\", \"op\": "
    "\"add\"}], "
    "\"buffers\": []}";

typedef struct page {
    ts_arena *arena;
    ts_diags diags;
    char *html; /* NULL: refused */
} page;

static const ts_report_run *read(page *p, const char *json) {
    const ts_report_run *run = NULL;
    ts_bytes bytes = {(const uint8_t *)json, strlen(json)};
    return ts_report_read(p->arena, bytes, "<file>", &run, &p->diags) == TS_OK ? run : NULL;
}

static page make(const char *json, const char *other) {
    page p = {.arena = ts_arena_new("test", 0)};
    p.diags.arena = p.arena;
    const ts_report_run *a = read(&p, json), *b = other == NULL ? NULL : read(&p, other);
    if (a != NULL && (b != NULL || other == NULL)) {
        ts_text out = {.arena = p.arena};
        ts_report_html(&out, a, b);
        p.html = out.data;
    }
    return p;
}

static void drop(page *p) { ts_arena_free(p->arena); }

static uint32_t occurrences(const char *text, const char *what) {
    uint32_t count = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what)) {
        count++;
    }
    return count;
}

static bool is_void(const char *tag, size_t length) {
    static const char *const names[] = {"meta", "link", "br", "!DOCTYPE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == length && memcmp(names[i], tag, length) == 0) {
            return true;
        }
    }
    return false;
}

/* Every element that opens closes, in order; attribute values stand in quotes, so '>' ends a tag. */
static void assert_balanced(const char *html) {
    char stack[64][16];
    uint32_t depth = 0;
    for (const char *c = strchr(html, '<'); c != NULL; c = strchr(c, '<')) {
        bool closes = c[1] == '/';
        const char *name = c + (closes ? 2 : 1);
        size_t length = strcspn(name, " >/\n");
        const char *end = strchr(name, '>');
        assert_true(length > 0 && length < 16 && end != NULL);
        if (closes) {
            assert_true(depth > 0);
            depth--;
            assert_true(strlen(stack[depth]) == length && memcmp(stack[depth], name, length) == 0);
        } else if (end[-1] != '/' && !is_void(name, length)) {
            assert_true(depth < 64);
            memcpy(stack[depth], name, length);
            stack[depth++][length] = 0;
        }
        c = end + 1;
        if (!closes && (strncmp(name, "script", 6) == 0 || strncmp(name, "style", 5) == 0)) {
            c = strstr(c, name[1] == 'c' ? "</script" : "</style");
            assert_non_null(c);
        }
    }
    assert_int_equal(depth, 0);
}

/* Each id stands once, and each link within the page leads to one. */
static void assert_linked(const char *html) {
    char wanted[128];
    for (const char *at = strstr(html, " id=\""); at != NULL; at = strstr(at + 1, " id=\"")) {
        size_t length = strcspn(at + 5, "\"") + 6;
        assert_true(length < sizeof wanted);
        memcpy(wanted, at, length);
        wanted[length] = 0;
        assert_int_equal(occurrences(html, wanted), 1);
    }
    for (const char *at = strstr(html, "href=\"#"); at != NULL; at = strstr(at + 1, "href=\"#")) {
        snprintf(wanted, sizeof wanted, " id=\"%.*s\"", (int)strcspn(at + 7, "\""), at + 7);
        assert_int_equal(occurrences(html, wanted), 1);
    }
}

static void assert_safe(const char *html, uint32_t scripts) {
    assert_int_equal(occurrences(html, "<script"), scripts);
    assert_int_equal(occurrences(html, "</script"), scripts);
    assert_null(strstr(html, "<script>alert"));
    assert_null(strstr(html, "\" onload"));
    assert_null(strstr(html, "\xe2\x80\xae"));
    assert_null(strchr(html, '\a'));
    assert_int_equal(occurrences(html, "://"), occurrences(html, "http://www.w3.org/2000/svg"));
    assert_null(strstr(html, "src="));
    assert_null(strstr(html, "@import"));
    assert_null(strstr(html, "nan"));
    assert_null(strstr(html, "inf\""));
}

static void test_shared_bytes(void **state) {
    (void)state;
    page p = make(shared_json, NULL);
    assert_non_null(p.html);
    assert_balanced(p.html);
    assert_linked(p.html);
    assert_int_equal(occurrences(p.html, "class=\"shared\""), 1);
    assert_non_null(strstr(p.html, "255 bytes that first and second use one after the other in layer 0"));
    assert_non_null(strstr(p.html, "<td>255 bytes with second</td>"));
    assert_non_null(strstr(p.html, "<td>255 bytes with first</td>"));
    drop(&p);
}

static void test_structure(void **state) {
    (void)state;
    static const char *const ids[] = {"summary", "network",  "timeline", "causes",
                                      "memory",  "roofline", "layers",   "tiles"};
    page p = make(run_json, NULL);
    assert_non_null(p.html);
    assert_balanced(p.html);
    assert_linked(p.html);
    assert_safe(p.html, 2);
    for (uint32_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "<section id=\"%s\"", ids[i]);
        assert_non_null(strstr(p.html, wanted));
    }
    assert_non_null(strstr(p.html, "Fits and verified"));
    assert_non_null(strstr(p.html, "1 also equal the golden files"));
    assert_non_null(strstr(p.html, "prefers-color-scheme: dark"));
    assert_non_null(strstr(p.html, "&lt;script&gt;alert(1)"));
    drop(&p);
}

static void test_figures(void **state) {
    (void)state;
    page p = make(run_json, NULL);
    /* 400 MACs in 100 cycles on two cores of four MACs a cycle: 4.00, 75 % of 5.33 and 50 % of 8. */
    assert_non_null(
        strstr(p.html, "<td class=\"n\">4.00</td><td class=\"n\">75 %</td><td class=\"n\">50 %</td>"));
    assert_non_null(strstr(p.html, "<td class=\"n\">66.7 %</td>")); /* layer 1: 200 of 300 cycles */
    assert_non_null(strstr(p.html, "3 further spans were left out"));
    assert_non_null(strstr(p.html, "d=\"M0 0h100v24h-100z\"")); /* layer 0 begins at cycle 50 */
    assert_non_null(strstr(p.html, "d=\"M100 0h200v24h-200z\""));
    drop(&p);
}

static const char quantised_json[] =
    "{\"model\": \"m\", \"weight_bits\": 4, \"activation_bits\": 8, \"layers\": [{\"name\": \"" EVIL
    "\", \"op\": \"" EVIL "\", \"type\": \"" EVIL
    "\", \"weight_bits\": 4, \"quantum\": 0.5, \"low\": -3, \"high\": 7, \"clipped\": 0.25, "
    "\"weights_db\": 12.5, \"output_db\": 21.5, \"wide\": true, \"points_lost\": 1.25}, {\"name\": \"b\", "
    "\"op\": \"add\", \"type\": \"u8\", \"output_db\": -4}], \"top1\": {\"fp\": 0.9, \"id\": 0.875}}";
static const char accuracy_json[] = "{\"kind\": \"" EVIL "\", \"samples\": 2000, \"top1\": 0.5}";

static ts_status add(page *p, const ts_report_run **run, const char *quantised, const char *accuracy) {
    ts_bytes q = {(const uint8_t *)quantised, strlen(quantised)};
    ts_bytes a = {(const uint8_t *)accuracy, strlen(accuracy)};
    TS_TRY(ts_report_with_quantised(*run, q, run, &p->diags));
    return ts_report_with_accuracy(*run, a, run, &p->diags);
}

static void test_quantised(void **state) {
    (void)state;
    page p = make(plan_json, NULL);
    const ts_report_run *run = read(&p, run_json), *plain = run;
    ts_text out = {.arena = p.arena};
    assert_null(strstr(p.html, "id=\"quantised\""));
    assert_int_equal(add(&p, &run, quantised_json, accuracy_json), TS_OK);
    ts_report_html(&out, run, NULL);
    assert_balanced(out.data);
    assert_linked(out.data);
    assert_safe(out.data, 2);
    assert_non_null(strstr(out.data, "w4a8"));
    assert_non_null(strstr(out.data, "<span class=\"value\">50.00 %</span>"));
    assert_non_null(strstr(out.data, "<td class=\"n\">87.50 %</td><td class=\"n\">2.50</td>"));
    assert_non_null(strstr(out.data, "<td class=\"n\">25.000 %</td><td class=\"n\">12.5 dB</td>"));
    assert_non_null(strstr(out.data, "1.25 points where it alone is quantised"));
    ts_text compared = {.arena = p.arena};
    ts_report_html(&compared, plain, run);
    assert_linked(compared.data);
    drop(&p);
}

static void test_quantised_refusals(void **state) {
    (void)state;
    static const char *const wrong[] = {"",
                                        "[]",
                                        "{}",
                                        "{\"kind\": 1, \"samples\": 2}",
                                        "{\"kind\": \"k\", \"samples\": -1}",
                                        "{\"kind\": \"k\", \"samples\": 1, \"top1\": \"all\"}",
                                        "{\"kind\": \"k\", \"samples\": 1, \"auc\": 1e300}"};
    for (uint32_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        page p = make(plan_json, NULL);
        const ts_report_run *run = read(&p, run_json);
        assert_int_equal(add(&p, &run, quantised_json, wrong[i]), TS_BAD_INPUT);
        drop(&p);
    }
    page p = make(plan_json, NULL);
    const ts_report_run *run = read(&p, run_json);
    assert_int_equal(add(&p, &run, accuracy_json, accuracy_json), TS_BAD_INPUT);
    drop(&p);
}

static void test_plan_alone(void **state) {
    (void)state;
    page p = make(plan_json, NULL);
    assert_non_null(p.html);
    assert_balanced(p.html);
    assert_linked(p.html);
    assert_safe(p.html, 2);
    assert_non_null(strstr(p.html, "nothing has been verified"));
    assert_null(strstr(p.html, "Fits and verified"));
    drop(&p);
}

/* A program on a chip of one memory that QEMU executed: what was counted, what is estimated, and no L1. */
static void test_counted(void **state) {
    static const char json[] =
        "{\"model\": \"m\", \"target\": \"t\", \"samples\": 1, \"verified\": true, \"cycles\": null, "
        "\"instructions\": 3000000, \"estimated_cycles\": 5000000, "
        "\"image\": {\"ram_bytes\": 21504, \"flash_bytes\": 51200}, "
        "\"chip\": {\"isa\": \"armv7em\", \"cores\": 1, \"cluster_hz\": 100000000, \"memories\": []}, "
        "\"layers\": [{\"name\": \"n\", \"cycles\": null, \"instructions\": 3000000, "
        "\"estimated_cycles\": 5000000, \"verified\": true}], "
        "\"plan\": {\"modelled_cycles\": 10, \"options\": {\"l1_bytes\": 0, \"l2_bytes\": 262144}, "
        "\"layers\": [{\"name\": \"n\", \"op\": \"conv\", \"macs\": 2000000, \"modelled_cycles\": 10}], "
        "\"buffers\": []}}";
    (void)state;
    page p = make(json, NULL);
    assert_non_null(p.html);
    assert_balanced(p.html);
    assert_linked(p.html);
    assert_non_null(strstr(p.html, "50.0 ms"));
    assert_non_null(strstr(p.html, "3,000,000, counted one by one; 1.50 a MAC"));
    assert_non_null(strstr(p.html, "5,000,000 cycles, estimated"));
    assert_non_null(strstr(p.html, "RAM of the program"));
    assert_non_null(strstr(p.html, "it takes 50.0 KiB of flash"));
    assert_non_null(strstr(p.html, "Map of RAM"));
    assert_null(strstr(p.html, "Map of L1"));
    assert_null(strstr(p.html, "<th scope=\"row\">L2</th>"));
    assert_non_null(strstr(p.html, "<th scope=\"row\">Flash</th>"));
    drop(&p);
    p = make(json, json);
    assert_non_null(strstr(p.html, "Cycles (estimated)"));
    assert_non_null(strstr(p.html, "the same</td>"));
    drop(&p);
}

static void test_comparison(void **state) {
    (void)state;
    page p = make(run_json, plan_json);
    assert_non_null(p.html);
    assert_balanced(p.html);
    assert_linked(p.html);
    assert_safe(p.html, 3);
    assert_non_null(strstr(p.html, "only in A"));
    assert_non_null(strstr(p.html, "only in B"));
    assert_non_null(strstr(p.html, "&lt;file&gt;"));
    drop(&p);
}

/* Replaces the first `from` of the run by `to`, and expects that it is refused. */
static void expect_refused(const char *from, const char *to) {
    const char *at = strstr(run_json, from);
    char changed[sizeof run_json + 256];
    assert_non_null(at);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - run_json), run_json, to, at + strlen(from));
    page p = make(changed, NULL);
    assert_null(p.html);
    assert_true(ts_diags_errors(&p.diags) > 0);
    drop(&p);
}

static void test_refusals(void **state) {
    (void)state;
    expect_refused("\"samples\": 1", "\"samples\": -1");
    expect_refused("\"samples\": 1", "\"samples\": 1e300");
    expect_refused("\"samples\": 1", "\"samples\": \"1\"");
    expect_refused("\"last_layer\": 1", "\"last_layer\": 2");
    expect_refused("[0, 0, 50,", "[2, 0, 50,");
    expect_refused("[0, 0, 50,", "[0, 9, 50,");
    expect_refused("[0, 0, 50,", "[0, 0, 1e17,");
    expect_refused("{\"name\": \"b\", \"cycles\": 200, \"verified\": true}", "{}, {}, {}");
    expect_refused("\"cores\": 2, \"cluster_hz\"", "\"cores\": 65, \"cluster_hz\"");
    expect_refused("\"plan\":", "\"paln\":");
    expect_refused("\"samples\": 1", "\"samples\": 1, \"samples\": 2");
    expect_refused("\"causes\": [\"issued\"", "\"causes\": [5");
}

static void test_prefixes(void **state) {
    (void)state;
    for (size_t size = 0; size + 1 < sizeof run_json - 1; size += 7) {
        char cut[sizeof run_json];
        memcpy(cut, run_json, size);
        cut[size] = 0;
        page p = make(cut, NULL);
        assert_null(p.html);
        drop(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_structure),
                                       cmocka_unit_test(test_shared_bytes),
                                       cmocka_unit_test(test_figures),
                                       cmocka_unit_test(test_quantised),
                                       cmocka_unit_test(test_quantised_refusals),
                                       cmocka_unit_test(test_plan_alone),
                                       cmocka_unit_test(test_counted),
                                       cmocka_unit_test(test_comparison),
                                       cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_prefixes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
