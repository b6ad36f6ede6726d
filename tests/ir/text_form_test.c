/* The text form: its exact bytes, what it refuses, and that no text whatever makes it crash. */
#include "ir/text_form.h"

#include <string.h>

#include "base/random.h"
#include "harness.h"

static const char text[] =
    "graph 1 \"two \\x22layers\\x22\"\n"
    "tensor %0 \"x\" s8 1x1x4x2 quanta 1 0.10000000000000001 -3\n"
    "tensor %1 \"conv.out\" s4 1x1x4x2\n"
    "tensor %2 \"w\" s8 2x1x1x2 data\n"
    "    1 -2 3 -128\n"
    "tensor %3 \"b\" s32 2 data\n"
    "    0 -100000\n"
    "tensor %4 \"y\" s16 1x1x4x2\n"
    "node \"conv\" conv at 0 from %0 to %1 weights %2 bias %3 groups 1\n"
    "  kernel 1 1 stride 1 1 dilation 1 1 pads 0 0 0 0\n"
    "  nemo 2 clip -8 7 m 3 d 1023\n"
    "  kappa\n"
    "    5 -6\n"
    "  lambda\n"
    "    0 180000000\n"
    "node \"twice\" add at 7 from %1 %1 to %4\n"
    "  in1 mul 32 add 0 div 1 clip -2147483648 2147483647\n"
    "  in2 mul 32 add 0 div 1 clip -2147483648 2147483647\n"
    "  sum mul 1 add 0 div 64 clip -32768 32767\n"
    "input %0\n"
    "output %4\n"
    "end\n";

static ts_status parse(ts_arena *arena, const char *data, size_t size, ts_graph **graph, ts_diags *diags) {
    *diags = (ts_diags){.arena = arena};
    return ts_graph_parse(arena, (ts_bytes){(const uint8_t *)data, size}, graph, diags);
}

static void what_is_read_is_what_is_printed(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags;
    ts_graph *g;
    ts_status status = parse(arena, text, sizeof text - 1, &g, &diags);
    for (uint32_t i = 0; i < diags.list.count; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    assert_string_equal(g->name, "two \"layers\"");
    assert_int_equal(ts_tensor_zero(&g->tensors.data[0]), -3);
    assert_int_equal(ts_tensor_int(&g->tensors.data[2], 3), -128);
    assert_int_equal(g->nodes.data[0].requant.lambda[1], 180000000);
    assert_int_equal(g->nodes.data[1].file_index, 7);
    ts_text out = {.arena = arena};
    ts_graph_print(&out, g);
    assert_string_equal(out.data, text);
    ts_arena_free(arena);
}

static void blanks_and_comments_do_not_matter(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags;
    ts_graph *g;
    char *loose = ts_arena_strdup(arena, text);
    for (char *c = loose; *c != '\0'; c++) {
        *c = *c == '\n' ? '\t' : *c;
    }
    loose = ts_arena_printf(arena, "# made by hand\n  %s # end\n", loose);
    assert_int_equal(parse(arena, loose, strlen(loose), &g, &diags), TS_OK);
    ts_text out = {.arena = arena};
    ts_graph_print(&out, g);
    assert_string_equal(out.data, text);
    ts_arena_free(arena);
}

typedef struct wrong {
    const char *from, *to; /* first occurrence replaced */
    const char *message;   /* part of it */
} wrong;

static void faults_are_found_with_their_line(void **state) {
    (void)state;
    static const wrong cases[] = {
        {"graph 1", "graph 2", "line 1: 2 is not within [1, 1]"},
        {"graph", "grahp", "line 1: 'grahp' stands where 'graph' is wanted"},
        {"%1 \"conv.out\"", "%2 \"conv.out\"", "line 3: tensor %2 stands where %1 is wanted"},
        {"s8 2x1x1x2", "s9 2x1x1x2", "line 4: 's9' is not a type"},
        {"2x1x1x2", "2x1x1x", "line 4: '2x1x1x' is not a shape"},
        {"2x1x1x2", "65535x65535x65535x65535", "line 4:"},
        {"3 -128", "3 -129", "line 5: -129 is not within [-128, 127]"},
        {"3 -128", "3 -0128", "line 5: '-0128' is not an integer"},
        {"3 -128", "3", "line 6: 'tensor' is not an integer"},
        {"0.10000000000000001", "many", "line 2: 'many' is not a number"},
        {"conv at", "convolution at", "line 9: 'convolution' is not an operator"},
        {"clip -8 7", "clip -8 8", "clip [-8, 8] does not fit the output's type s4"},
        {"two \\x22", "two \\x00", "line 1: a name is longer"},
        {"end\n", "end more\n", "line 22: text follows the end"},
        {"from %1 %1 to", "from %1 %1 %1 %1 %1 %1 %1 %1 %1 to", "line 16: a node has more than 8 inputs"},
        {"from %1 %1", "from %1 1", "line 16: a tensor, %N, is wanted"},
        {"\ninput", "\nentry", "line 20: 'entry' stands where 'end' is wanted"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags;
        ts_graph *g;
        const char *at = strstr(text, cases[i].from);
        assert_non_null(at);
        char *changed = ts_arena_printf(arena, "%.*s%s%s", (int)(at - text), text, cases[i].to,
                                        at + strlen(cases[i].from));
        assert_int_equal(parse(arena, changed, strlen(changed), &g, &diags), TS_BAD_INPUT);
        if (strstr(diags.list.data[0].text, cases[i].message) == NULL) {
            fail_msg("'%s' where '%s' is wanted", diags.list.data[0].text, cases[i].message);
        }
        ts_arena_free(arena);
    }
}

/* The arena's limit would end the test if a short text could ask for much memory. */
static void no_text_crashes_or_grows(void **state) {
    (void)state;
    ts_random random = ts_random_seed(11);
    static const char *const pieces[] = {
        "data", "4294967295", "%0", "1x67108864", "nemo 60000000", "quanta 99999999", "\"",
        "-1",   "end",        "\n", "#",          "tensor"};
    for (int round = 0; round < 20000; round++) {
        ts_arena *arena = ts_arena_new("test", 4 << 20);
        ts_diags diags;
        ts_graph *g;
        size_t size = sizeof text - 1;
        char *changed = ts_arena_alloc(arena, size + 64);
        memcpy(changed, text, size);
        for (int64_t flips = ts_random_range(&random, 0, 3); flips > 0; flips--) {
            changed[ts_random_range(&random, 0, (int64_t)size - 1)] = (char)ts_random_range(&random, 0, 255);
        }
        if (round % 3 == 0) {
            const char *piece = pieces[ts_random_range(&random, 0, 11)];
            memcpy(changed + ts_random_range(&random, 0, (int64_t)size), piece, strlen(piece));
        }
        size = round % 5 == 0 ? (size_t)ts_random_range(&random, 0, (int64_t)size) : size;
        ts_status status = parse(arena, changed, size, &g, &diags);
        assert_true(status == TS_OK || ts_diags_errors(&diags) > 0);
        ts_arena_free(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_what_is_printed),
        cmocka_unit_test(blanks_and_comments_do_not_matter),
        cmocka_unit_test(faults_are_found_with_their_line),
        cmocka_unit_test(no_text_crashes_or_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
