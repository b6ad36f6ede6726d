/* Writing an application: whole or not at all, and never over what is somebody else's. */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "emit/emit.h"
#include "harness.h"

typedef struct fixture {
    ts_arena *arena;
    ts_diags diags;
    const char *folder;
} fixture;

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->arena = ts_arena_new("app", 0);
    f->diags.arena = f->arena;
    *state = f;
    return ts_dir_temporary(f->arena, &f->folder, &f->diags) == TS_OK ? 0 : -1;
}

static int tear_down(void **state) {
    fixture *f = *state;
    int result = ts_dir_remove(f->folder, &f->diags) == TS_OK ? 0 : -1;
    ts_arena_free(f->arena);
    free(f);
    return result;
}

static ts_app *application(fixture *f, const char *contents) {
    ts_app *app = ts_app_new(f->arena);
    ts_app_add(app, "plan.json", "{}", 2);
    ts_app_add(app, "app.h", "", 0);
    ts_app_add(app, "layers/00_conv.c", contents, strlen(contents));
    return app;
}

static const char *contents(fixture *f, const char *folder) {
    ts_bytes bytes;
    const char *path = ts_path_join(f->arena, folder, "layers/00_conv.c");
    return ts_file_read(f->arena, path, 1000, &bytes, &f->diags) == TS_OK ? (const char *)bytes.data : NULL;
}

static void test_replaces_its_own(void **state) {
    fixture *f = *state;
    const char *place = ts_path_join(f->arena, f->folder, "deep/app/");
    assert_int_equal(ts_app_write(application(f, "one"), place, &f->diags), TS_OK);
    assert_string_equal(contents(f, place), "one");
    assert_int_equal(ts_app_write(application(f, "two"), place, &f->diags), TS_OK);
    assert_string_equal(contents(f, place), "two");
    assert_int_equal(rmdir(ts_path_join(f->arena, f->folder, "deep")), -1);
    assert_int_equal(ts_diags_errors(&f->diags), 0);
}

static void test_fills_an_empty_folder(void **state) {
    fixture *f = *state;
    const char *place = ts_path_join(f->arena, f->folder, "empty");
    assert_int_equal(ts_dir_create(place, &f->diags), TS_OK);
    assert_int_equal(ts_app_write(application(f, "one"), place, &f->diags), TS_OK);
    assert_string_equal(contents(f, place), "one");
}

/* Nothing may be left beside the folder either. */
static void assert_alone(fixture *f, const char *name) {
    assert_int_equal(unlink(ts_path_join(f->arena, ts_path_join(f->arena, f->folder, name), "mine")), 0);
    assert_int_equal(rmdir(ts_path_join(f->arena, f->folder, name)), 0);
    assert_int_equal(rmdir(f->folder), 0);
    assert_int_equal(ts_dir_create(f->folder, &f->diags), TS_OK);
}

static void test_spares_foreign_folders(void **state) {
    fixture *f = *state;
    const char *place = ts_path_join(f->arena, f->folder, "foreign");
    assert_int_equal(ts_dir_create(place, &f->diags), TS_OK);
    assert_int_equal(ts_file_write(ts_path_join(f->arena, place, "mine"), "x", 1, &f->diags), TS_OK);
    assert_int_equal(ts_app_write(application(f, "one"), place, &f->diags), TS_BAD_INPUT);
    assert_non_null(strstr(f->diags.list.data[0].text, "is not an application that tessera wrote"));
    assert_alone(f, "foreign");
}

static void test_a_file_is_no_folder(void **state) {
    fixture *f = *state;
    const char *place = ts_path_join(f->arena, f->folder, "file");
    assert_int_equal(ts_file_write(place, "x", 1, &f->diags), TS_OK);
    assert_int_equal(ts_app_write(application(f, "one"), place, &f->diags), TS_BAD_INPUT);
    assert_int_equal(ts_app_write(application(f, "one"), ts_path_join(f->arena, place, "below"), &f->diags),
                     TS_SYSTEM);
    assert_int_equal(unlink(place), 0);
    assert_int_equal(rmdir(f->folder), 0);
    assert_int_equal(ts_dir_create(f->folder, &f->diags), TS_OK);
}

static void test_shared_files_are_kept_once(void **state) {
    fixture *f = *state;
    ts_app *app = application(f, "one");
    uint32_t count = app->files.count;
    ts_app_add(app, "app.h", "", 0);
    assert_int_equal(app->files.count, count);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replaces_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fills_an_empty_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spares_foreign_folders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_is_no_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shared_files_are_kept_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
