/* The project's own pictures and networks: as their headers say. */
#include "train/glyphs.h"
#include "maker.h"
#include "train/architecture.h"

enum { SIDE = 32 };

static void pictures_follow_their_seed(void **state) {
    static uint8_t a[SIDE * SIDE], b[SIDE * SIDE];
    (void)state;
    for (uint32_t n = 0; n < 2 * TS_GLYPH_CLASSES; n++) {
        assert_int_equal(ts_glyph_draw(5, n, SIDE, a), n % TS_GLYPH_CLASSES);
        ts_glyph_draw(5, n, SIDE, b);
        assert_memory_equal(a, b, sizeof a);
        ts_glyph_draw(6, n, SIDE, b);
        assert_memory_not_equal(a, b, sizeof a);
        ts_glyph_draw(5, n + TS_GLYPH_CLASSES, SIDE, b);
        assert_memory_not_equal(a, b, sizeof a);
        uint8_t low = 255, high = 0;
        for (uint32_t i = 0; i < SIDE * SIDE; i++) {
            low = a[i] < low ? a[i] : low;
            high = a[i] > high ? a[i] : high;
        }
        assert_true(high - low > 50); /* there is something to see */
    }
}

static void sets_are_read_as_they_were_drawn(void **state) {
    (void)state;
    static uint8_t picture[20 * 20];
    maker m = new_maker(1);
    const char *folder;
    ts_data data;
    ts_data_options options = {.seed = 1};
    assert_int_equal(ts_dir_temporary(m.arena, &folder, &m.diags), TS_OK);
    assert_int_equal(ts_glyphs_write(ts_path_join(m.arena, folder, "set"), 3, 20, 40, 33, &m.diags), TS_OK);
    const char *test = ts_path_join(m.arena, folder, "set/test.json");
    assert_int_equal(ts_data_read(m.arena, test, &options, &data, &m.diags), TS_OK);
    assert_int_equal(data.count, 33);
    for (uint32_t n = 0; n < data.count; n++) {
        assert_int_equal(ts_data_label(&data, n), ts_glyph_draw(7, n, 20, picture));
        assert_memory_equal((const uint8_t *)data.samples + n * sizeof picture, picture, sizeof picture);
    }
    assert_int_equal(ts_glyphs_write(folder, 3, 4, 40, 33, &m.diags), TS_BAD_INPUT);
    assert_int_equal(ts_dir_remove(folder, &m.diags), TS_OK);
    ts_arena_free(m.arena);
}

static void architectures_follow_their_options(void **state) {
    (void)state;
    for (int k = 0; k < TS_ARCHITECTURE_COUNT; k++) {
        maker m = new_maker(1);
        ts_fgraph *a, *b;
        ts_architecture_options o = {
            .kind = (ts_architecture)k, .width = 0.5, .resolution = 24, .channels = 2};
        o.classes = 7;
        o.seed = 4;
        bool fixed = k == TS_ARCHITECTURE_KWS; /* its window is as tall as most pictures */
        if (fixed) {
            assert_int_equal(ts_architecture_make(m.arena, &o, &a, &m.diags), TS_BAD_INPUT);
            o.resolution = 0;
        }
        assert_int_equal(ts_architecture_make(m.arena, &o, &a, &m.diags), TS_OK);
        assert_int_equal(ts_architecture_make(m.arena, &o, &b, &m.diags), TS_OK);
        const ts_ftensor *in = &a->tensors.data[a->inputs.data[0]],
                         *out = &a->tensors.data[a->outputs.data[0]];
        assert_int_equal(in->dims[1], fixed ? 32 : 24);
        assert_int_equal(in->dims[2], fixed ? 40 : 24);
        assert_int_equal(in->dims[3], 2);
        assert_int_equal(ts_ftensor_elements(out), 7);
        for (uint32_t i = 0; i < a->tensors.count; i++) {
            const ts_ftensor *t = &a->tensors.data[i];
            if (t->data != NULL) {
                assert_memory_equal(t->data, b->tensors.data[i].data, ts_ftensor_elements(t) * sizeof(float));
            }
        }
        o.width = 5;
        assert_int_equal(ts_architecture_make(m.arena, &o, &a, &m.diags), TS_BAD_INPUT);
        ts_arena_free(m.arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_follow_their_seed),
        cmocka_unit_test(sets_are_read_as_they_were_drawn),
        cmocka_unit_test(architectures_follow_their_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
