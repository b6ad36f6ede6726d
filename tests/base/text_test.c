#include "base/text.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "harness.h"

static void sizes(void **state) {
    (void)state;
    uint64_t size;
    assert_true(ts_parse_size("64K", &size) && size == 65536);
    assert_true(ts_parse_size("2M", &size) && size == 2097152);
    assert_true(ts_parse_size("38000", &size) && size == 38000);
    static const char *const bad[] = {
        "", "K", "-1", "1G", " 5", "5 ", "99999999999999999999", "18014398509481984M"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(ts_parse_size(bad[i], &size));
    }
}

static void identifiers(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    assert_string_equal(ts_identifier(arena, "/conv1/Conv_output_0"), "_conv1_Conv_output_0");
    assert_string_equal(ts_identifier(arena, "76"), "_76");
    assert_string_equal(ts_identifier(arena, ""), "_");
    ts_arena_free(arena);
}

static void writes_appear_whole(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    const char *dir;
    assert_int_equal(ts_dir_temporary(arena, &dir, &diags), TS_OK);
    char *path = ts_path_join(arena, dir, "file");
    ts_bytes bytes;
    assert_int_equal(ts_file_write(path, "abc", 3, &diags), TS_OK);
    assert_int_equal(ts_file_read(arena, path, 100, &bytes, &diags), TS_OK);
    assert_int_equal(bytes.size, 3);
    assert_memory_equal(bytes.data, "abc", 4);
    assert_int_equal(ts_file_read(arena, path, 2, &bytes, &diags), TS_BAD_INPUT);
    assert_int_equal(ts_file_read(arena, dir, 100, &bytes, &diags), TS_BAD_INPUT);
    assert_int_equal(ts_file_write(ts_path_join(arena, dir, "no/such"), "x", 1, &diags), TS_SYSTEM);
    char *deep = ts_path_join(arena, dir, "a/b/c");
    assert_int_equal(ts_dir_create(deep, &diags), TS_OK);
    assert_true(ts_dir_exists(deep));
    assert_int_equal(ts_dir_remove(dir, &diags), TS_OK);
    assert_false(ts_dir_exists(dir));
    ts_arena_free(arena);
}

static void writes_reach_devices_and_links(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    const char *dir;
    ts_bytes bytes;
    struct stat info;
    assert_int_equal(ts_dir_temporary(arena, &dir, &diags), TS_OK);
    char *path = ts_path_join(arena, dir, "file"), *link = ts_path_join(arena, dir, "link"),
         *pipe = ts_path_join(arena, dir, "pipe");
    assert_int_equal(symlink("file", link), 0);
    assert_int_equal(ts_file_write(path, "old", 3, &diags), TS_OK);
    assert_int_equal(ts_file_write(link, "new", 3, &diags), TS_OK);
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(ts_file_read(arena, path, 100, &bytes, &diags), TS_OK);
    assert_memory_equal(bytes.data, "new", 4);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    int fd = open(pipe, O_RDONLY | O_NONBLOCK);
    char text[4] = "";
    assert_int_equal(ts_file_write(pipe, "abc", 3, &diags), TS_OK);
    assert_int_equal(read(fd, text, 3), 3);
    assert_string_equal(text, "abc");
    close(fd);
    if (stat("/dev/full", &info) == 0 && S_ISCHR(info.st_mode) && geteuid() != 0) {
        assert_int_equal(ts_file_write("/dev/full", "x", 1, &diags), TS_SYSTEM);
    }
    assert_int_equal(ts_dir_remove(dir, &diags), TS_OK);
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(identifiers),
        cmocka_unit_test(writes_appear_whole),
        cmocka_unit_test(writes_reach_devices_and_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
