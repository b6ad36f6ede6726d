/* Tables: columns as wide as their cells, numbers to the right, and what is left out where room is short. */
#include <string.h>

#include "base/table.h"
#include "harness.h"

static const ts_column columns[] = {
    {"#", true, 0}, {"name", false, 0}, {"long column", false, 2}, {"n", true, 1}, {"last", false, 3}};

static const char *const rows[][5] = {{"0", "first", "abc", "12", "x"},
                                      {"1", "a name with \xc3\xa4", "", "345", ""},
                                      {"2", "con\ttrol", "", "", ""}};

static const char *printed(ts_arena *arena, uint32_t width) {
    ts_text out = {.arena = arena};
    ts_table table = {.arena = arena, .columns = columns, .column_count = 5};
    for (uint32_t i = 0; i < 3; i++) {
        ts_table_add(&table, rows[i]);
    }
    ts_table_print(&out, &table, (ts_screen){.width = width});
    return out.data;
}

static const char all[] =
    "#  name           long column    n  last\n"
    "0  first          abc           12  x\n"
    "1  a name with \xc3\xa4               345\n"
    "2  con?trol\n";

static void columns_are_as_wide_as_their_cells(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    assert_string_equal(printed(arena, 0), all);
    assert_string_equal(printed(arena, 40), all); /* it is 40 wide */
    ts_arena_free(arena);
}

static void columns_are_left_out_in_their_turn(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    assert_string_equal(printed(arena, 39),
                        "#  name           long column    n\n"
                        "0  first          abc           12\n"
                        "1  a name with \xc3\xa4               345\n"
                        "2  con?trol\n"
                        "(too wide for this terminal: last)\n");
    assert_string_equal(printed(arena, 22),
                        "#  name             n\n"
                        "0  first           12\n"
                        "1  a name with \xc3\xa4  345\n"
                        "2  con?trol\n"
                        "(too wide for this terminal:\n long column, last)\n");
    /* What may not go stays. */
    const char *least = printed(arena, 1);
    assert_string_equal(least,
                        "#  name\n"
                        "0  first\n"
                        "1  a name with \xc3\xa4\n"
                        "2  con?trol\n"
                        "(too wide for this terminal:\n long column,\n n,\n last)\n");
    ts_arena_free(arena);
}

static ts_style loud(uint32_t column, const char *cell) {
    return column == 1 && strcmp(cell, "x") == 0 ? TS_STYLE_BAD : TS_STYLE_PLAIN;
}

static void styles_take_no_room(void **state) {
    (void)state;
    static const ts_column two[] = {{"n", true, 0}, {"verdict", false, 0}};
    static const char *const cells[][2] = {{"12", "x"}, {"3", "\033[2J"}, {"4", ""}};
    ts_arena *arena = ts_arena_new("test", 0);
    ts_text out = {.arena = arena}, plain = {.arena = arena};
    ts_table table = {.arena = arena, .columns = two, .column_count = 2, .style_of = loud};
    for (uint32_t i = 0; i < 3; i++) {
        ts_table_add(&table, cells[i]);
    }
    ts_table_print(&out, &table, (ts_screen){.colour = true});
    assert_string_equal(out.data,
                        " \033[1mn\033[0m  \033[1mverdict\033[0m\n12  \033[31mx\033[0m\n 3  ?[2J\n 4\n");
    ts_table_print(&plain, &table, (ts_screen){0});
    assert_string_equal(plain.data, " n  verdict\n12  x\n 3  ?[2J\n 4\n");
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_cells),
        cmocka_unit_test(columns_are_left_out_in_their_turn),
        cmocka_unit_test(styles_take_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
