/* Litter: what is noted goes, what is forgotten or another process's stays. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/litter.h"
#include "harness.h"
#include "place.h"

/* More names than one listing of the system holds, and a link that leads outside. */
static void whole_trees_are_removed_and_links_not_followed(void **state) {
    (void)state;
    place p = enter();
    const char *outside = in(&p, "outside"), *tree = in(&p, "tree");
    assert_int_equal(ts_dir_create(in(&p, "tree/a/b/c"), &p.diags), TS_OK);
    assert_int_equal(ts_file_write(outside, "x", 1, &p.diags), TS_OK);
    for (uint32_t i = 0; i < 300; i++) {
        const char *name = ts_arena_printf(p.arena, "tree/a/a rather long name of a file %u", (unsigned)i);
        assert_int_equal(ts_file_write(in(&p, name), "", 0, &p.diags), TS_OK);
    }
    assert_int_equal(symlink(outside, in(&p, "tree/link")), 0);
    assert_int_equal(symlink(p.folder, in(&p, "tree/a/b/up")), 0);
    ts_litter_note(tree);
    ts_litter_remove();
    assert_false(ts_dir_exists(tree));
    assert_false(ts_dir_exists(p.folder)); /* it was noted when it was made */
    ts_arena_free(p.arena);
}

static void what_is_forgotten_or_the_parents_stays(void **state) {
    (void)state;
    place p = enter();
    const char *kept = in(&p, "kept"), *gone = in(&p, "gone");
    ts_litter_forget(p.folder);
    assert_int_equal(ts_dir_create(kept, &p.diags), TS_OK);
    assert_int_equal(ts_dir_create(gone, &p.diags), TS_OK);
    ts_litter_note(kept);
    ts_litter_note(gone);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        ts_litter_remove();
        _exit(0);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(ts_dir_exists(gone));
    ts_litter_forget(kept);
    ts_litter_remove();
    assert_true(ts_dir_exists(kept));
    assert_false(ts_dir_exists(gone));
    assert_int_equal(ts_dir_remove(p.folder, &p.diags), TS_OK);
    ts_arena_free(p.arena);
}

/* More than the table holds, and paths that are too long, do no harm. */
static void too_much_is_not_noted(void **state) {
    (void)state;
    place p = enter();
    char longest[5000];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    ts_litter_note(longest);
    for (uint32_t i = 0; i < 100; i++) {
        ts_litter_note(in(&p, ts_arena_printf(p.arena, "%u", (unsigned)i)));
    }
    ts_litter_remove();
    assert_false(ts_dir_exists(p.folder));
    ts_arena_free(p.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole_trees_are_removed_and_links_not_followed),
                                       cmocka_unit_test(what_is_forgotten_or_the_parents_stays),
                                       cmocka_unit_test(too_much_is_not_noted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
