/* The program, from each format of model to what it writes, where memory runs out: every n-th allocation
 * fails in turn, in a process of its own. It ends with status 4 and a message each time, and what it was to
 * write is not there, nor half of it. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cmd.h"
#include "flat_maker.h"
#include "harness.h"
#include "qdq_maker.h"

enum { MOST_ARGUMENTS = 24 };

const char *__asan_default_options(void);

/* A process that ends where memory ran out gives nothing back. */
const char *__asan_default_options(void) { return "detect_leaks=0"; }

typedef struct fixture {
    ts_arena *arena;
    ts_diags diags;
    const char *folder;
} fixture;

static const char *in(const fixture *f, const char *name) { return ts_path_join(f->arena, f->folder, name); }

static uint32_t entries(const char *folder) {
    uint32_t count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

/* The status of `tessera LINE`, whose words are parted by blanks, run in the folder; its n-th allocation
 * fails where n is not 0. What it says stands in the file "log" there. */
static int run(const fixture *f, const char *line, uint64_t n) {
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char *arguments[MOST_ARGUMENTS + 1] = {NULL}, *rest = ts_arena_strdup(f->arena, line);
        int count = 0;
        for (char *word = strtok(rest, " "); word != NULL && count < MOST_ARGUMENTS;
             word = strtok(NULL, " ")) {
            arguments[count++] = word;
        }
        bool ready = chdir(f->folder) == 0 && freopen("log", "w", stderr) != NULL &&
                     freopen("/dev/null", "w", stdout) != NULL;
        ts_arena_fail_after(n);
        status = ready ? ts_cli_main(count, arguments) : -1;
        fflush(NULL);
        _exit(status);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool log_says(fixture *f, const char *word) {
    ts_bytes file;
    assert_int_equal(ts_file_read(f->arena, in(f, "log"), 1 << 20, &file, &f->diags), TS_OK);
    return strstr((const char *)file.data, word) != NULL;
}

/* `line` writes `output` where nothing fails, and nothing where something does; but a folder `journal`, if
 * one is named, may hold what was found so far, in
 * files that are whole. */
static void survives_with(fixture *f, const char *line, const char *output, const char *journal) {
    enum { FEW = 16, FEWEST = 5 };
    const char *path = in(f, output);
    uint64_t failed = 0;
    int status = TS_SYSTEM;
    run(f, "tessera version", 0); /* so that there is a log */
    uint32_t before = entries(f->folder);
    for (uint64_t n = 1; status != TS_OK; n += 1 + n / FEW) { /* of many allocations not each */
        status = run(f, line, n);
        if (status != TS_OK) {
            if (journal != NULL && ts_dir_exists(in(f, journal))) {
                assert_int_equal(ts_dir_remove(in(f, journal), &f->diags), TS_OK);
            }
            bool clean = status == TS_SYSTEM && log_says(f, "out of memory") && !ts_file_exists(path) &&
                         !ts_dir_exists(path) && entries(f->folder) == before;
            if (!clean) {
                print_error("%s: allocation %u: status %d, %u entries of %u\n", line, (unsigned)n, status,
                            entries(f->folder), before);
            }
            assert_true(clean);
            failed++;
        }
    }
    assert_true(failed >= FEWEST);
    assert_true(ts_file_exists(path) || ts_dir_exists(path));
}

static void survives(fixture *f, const char *line, const char *output) {
    survives_with(f, line, output, NULL);
}

static void make(fixture *f, const char *line) { assert_int_equal(run(f, line, 0), TS_OK); }

static void put(fixture *f, const char *name, ts_bytes file) {
    assert_int_equal(ts_file_write(in(f, name), file.data, file.size, &f->diags), TS_OK);
}

static void from_each_format_to_c(void **state) {
    fixture *f = *state;
    static flat_maker flat;
    make(f, "tessera generate resnet8 --resolution 8 -o nemo.onnx");
    make(f, "tessera generate resnet8 --resolution 8 -o text.tsg");
    put(f, "net.tflite", tfm_sample(&flat));
    put(f, "qdq.onnx", qdq_sample(f->arena, 1));
    survives(f, "tessera compile nemo.onnx --target gap8 -o a", "a");
    survives(f, "tessera compile text.tsg --target cortex-m4 -o b", "b");
    survives(f, "tessera compile net.tflite --target gap8 -o c", "c");
    survives(f, "tessera compile qdq.onnx --target gap8 -o d", "d");
}

static void from_floats_to_integers(void **state) {
    fixture *f = *state;
    make(f, "tessera generate glyphs --count 16 --test-count 16 --resolution 12 -o data");
    make(f, "tessera generate float-ds --resolution 12 -o float.onnx");
    survives(f, "tessera quantize float.onnx --calib data/test.json -o int.onnx", "int.onnx");
    survives(f, "tessera quantize float.onnx --calib data/test.json --format qdq -o qdq.onnx", "qdq.onnx");
    survives(f, "tessera quantize float.onnx --calib data/test.json --asymmetric -o int.tsg", "int.tsg");
}

static void from_floats_to_what_fits(void **state) {
    fixture *f = *state;
    make(f, "tessera generate glyphs --count 16 --test-count 16 --resolution 12 -o data");
    make(f, "tessera generate float-ds --resolution 12 -o float.onnx");
    survives_with(f,
                  "tessera fit float.onnx --ram 6000 --bits 8 --data data/train.json --eval data/test.json "
                  "--epochs 1 --quant-epochs 1 --batch 16 -o grid",
                  "grid/results.json", "grid");
}

static void from_a_plan_to_a_page(void **state) {
    fixture *f = *state;
    make(f, "tessera generate resnet8 --resolution 8 -o net.tsg");
    make(f, "tessera compile net.tsg --target gap8 -o one");
    make(f, "tessera compile net.tsg --target pulp-open -o two");
    survives(f, "tessera report one two -o page.html", "page.html");
}

static int set_up(void **state) {
    ts_arena *arena = ts_arena_new("test", 0);
    fixture *f = *state = TS_NEW(arena, fixture);
    *f = (fixture){.arena = arena, .diags = {.arena = arena}};
    return ts_dir_temporary(arena, &f->folder, &f->diags);
}

static int tear_down(void **state) {
    fixture *f = *state;
    int status = ts_dir_remove(f->folder, &f->diags);
    ts_arena_free(f->arena);
    return status;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(from_each_format_to_c), TEST(from_floats_to_integers),
                                       TEST(from_floats_to_what_fits), TEST(from_a_plan_to_a_page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
