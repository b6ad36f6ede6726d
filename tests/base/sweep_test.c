/* Sweeps compute every point once, whatever interrupts them; journals survive what files go through. */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sweep.h"
#include "base/text.h"

enum { COUNT = 24 };

typedef struct world {
    ts_arena *arena;
    ts_diags diags;
    const char *folder, *journal, *log;
    const char *names[COUNT];
    uint32_t sleep_us;
    uint32_t dies, fails; /* points that end by a signal, with a status; COUNT: none */
    const json_t *results[COUNT];
} world;

static world begin(void) {
    world w = {.arena = ts_arena_new("test", 0), .dies = COUNT, .fails = COUNT};
    w.diags.arena = w.arena;
    assert_int_equal(ts_dir_temporary(w.arena, &w.folder, &w.diags), TS_OK);
    w.journal = ts_path_join(w.arena, w.folder, "journal");
    w.log = ts_path_join(w.arena, w.folder, "log");
    for (uint32_t i = 0; i < COUNT; i++) {
        w.names[i] = ts_arena_printf(w.arena, "point %u", i);
    }
    return w;
}

static void end(world *w) {
    assert_int_equal(ts_dir_remove(w->folder, &w->diags), TS_OK);
    ts_arena_free(w->arena);
}

/* One byte a point that is computed: appended by its process. */
static void log_point(const world *w, uint32_t index) {
    int fd = open(w->log, O_WRONLY | O_CREAT | O_APPEND, 0666);
    char byte = (char)('A' + index);
    assert_int_equal(write(fd, &byte, 1), 1);
    close(fd);
}

static uint32_t times_computed(const world *w, uint32_t index) {
    ts_bytes text = {0};
    uint32_t times = 0;
    ts_diags diags = {.arena = w->arena};
    if (ts_file_read(w->arena, w->log, 1 << 20, &text, &diags) == TS_OK) {
        for (size_t i = 0; i < text.size; i++) {
            times += text.data[i] == 'A' + index;
        }
    }
    return times;
}

static ts_status compute(void *user, uint32_t index, ts_arena *arena, json_t **result, ts_diags *diags) {
    const world *w = user;
    (void)arena;
    usleep(w->sleep_us);
    log_point(w, index);
    if (index == w->dies) {
        raise(SIGKILL);
    }
    if (index == w->fails) {
        return ts_error(diags, TS_DIAG_VALUE, NULL, NULL, "no luck with %u", index);
    }
    char *padding = ts_arena_alloc(arena, 20001); /* more than a pipe's page */
    memset(padding, 'x', 20000);
    *result = json_pack("{s:i, s:f, s:s}", "square", (int)(index * index), "third", index / 3.0, "padding",
                        padding);
    return TS_OK;
}

static ts_status run(world *w, const char *journal_path, uint32_t jobs) {
    ts_journal *journal = NULL;
    TS_TRY(ts_journal_open(w->arena, journal_path, "squares", &journal, &w->diags));
    ts_sweep sweep = {
        .count = COUNT, .names = w->names, .compute = compute, .user = w, .journal = journal, .jobs = jobs};
    sweep.scratch = ts_path_join(w->arena, w->folder, "scratch");
    ts_status status = ts_sweep_run(w->arena, &sweep, w->results, &w->diags);
    for (uint32_t i = 0; i < COUNT && status == TS_OK; i++) {
        assert_int_equal(json_integer_value(json_object_get(w->results[i], "square")), i * i);
        assert_true(json_real_value(json_object_get(w->results[i], "third")) == i / 3.0);
    }
    assert_false(ts_dir_exists(sweep.scratch));
    ts_journal_close(journal);
    return status;
}

static void every_point_once(void **state) {
    (void)state;
    for (uint32_t jobs = 0; jobs <= 5; jobs++) {
        world w = begin();
        assert_int_equal(run(&w, jobs == 3 ? NULL : w.journal, jobs), TS_OK);
        for (uint32_t i = 0; i < COUNT; i++) {
            assert_int_equal(times_computed(&w, i), 1);
        }
        end(&w);
    }
}

/* The number of whole records, by reading the journal as a sweep does. */
static size_t recorded(world *w) {
    ts_journal *journal;
    ts_diags diags = {.arena = w->arena};
    assert_int_equal(ts_journal_open(w->arena, w->journal, "squares", &journal, &diags), TS_OK);
    size_t count = ts_journal_count(journal);
    ts_journal_close(journal);
    return count;
}

/* A sweep is killed again and again. What was recorded is not computed again; what ran may be, once a kill.
 */
static void interrupted(void **state) {
    (void)state;
    world w = begin();
    enum { JOBS = 3 };
    uint32_t kills = 0, patience = 35000;
    off_t before = 0;
    w.sleep_us = 10000;
    for (int status = -1; status != 0;) {
        pid_t child = fork();
        if (child == 0) {
            _exit((int)run(&w, w.journal, JOBS));
        }
        usleep(patience);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        kills += status != 0;
        usleep(20000); /* points that were running are gone: their parent's death ends them */
        /* On a busy machine a point takes longer than it was given. */
        struct stat journal = {0};
        stat(w.journal, &journal);
        patience = journal.st_size > before || patience > 4000000 ? patience : 2 * patience;
        before = journal.st_size;
        assert_true(kills < 200);
    }
    assert_true(kills > 1);
    assert_int_equal(recorded(&w), COUNT);
    uint32_t total = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_true(times_computed(&w, i) >= 1);
        total += times_computed(&w, i);
    }
    assert_true(total <= COUNT + JOBS * kills);
    assert_int_equal(run(&w, w.journal, JOBS), TS_OK);
    uint32_t again = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        again += times_computed(&w, i);
    }
    assert_int_equal(again, total);
    print_message("%u kills, %u computations of %u points\n", kills, total, COUNT);
    end(&w);
}

/* A point that dies or fails is named, does not harm the others, and is tried again. */
static void failures(void **state) {
    (void)state;
    world w = begin();
    w.dies = 5;
    w.fails = 7;
    assert_int_equal(run(&w, w.journal, 2), TS_SYSTEM);
    assert_int_equal(ts_diags_errors(&w.diags), 2);
    bool named[2] = {false, false};
    for (uint32_t i = 0; i < w.diags.list.count; i++) {
        named[0] |=
            strstr(w.diags.list.data[i].text, "point 'point 5': its process ended with signal 9") != NULL;
        named[1] |= strstr(w.diags.list.data[i].text, "point 'point 7': no luck with 7") != NULL;
    }
    assert_true(named[0] && named[1]);
    assert_null(w.results[5]);
    assert_null(w.results[7]);
    w.dies = w.fails = COUNT;
    assert_int_equal(run(&w, w.journal, 2), TS_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(times_computed(&w, i), i == 5 || i == 7 ? 2 : 1);
    }
    end(&w);
}

static ts_bytes journal_text(world *w) {
    ts_bytes text;
    assert_int_equal(ts_file_read(w->arena, w->journal, 1 << 24, &text, &w->diags), TS_OK);
    return text;
}

/* Whatever length the file was cut to, the sweep goes on from the whole lines. */
static void torn_journal(void **state) {
    (void)state;
    world w = begin();
    assert_int_equal(run(&w, w.journal, 2), TS_OK);
    ts_bytes whole = journal_text(&w);
    for (size_t cut = 0; cut < whole.size; cut += 9973) {
        assert_int_equal(ts_file_write(w.journal, whole.data, cut, &w.diags), TS_OK);
        size_t lines = 0;
        for (size_t i = 0; i < cut; i++) {
            lines += whole.data[i] == '\n';
        }
        assert_int_equal(recorded(&w), lines == 0 ? 0 : lines - 1);
        assert_int_equal(recorded(&w), lines == 0 ? 0 : lines - 1);
    }
    assert_int_equal(run(&w, w.journal, 2), TS_OK);
    end(&w);
}

/* A changed byte anywhere but in the last line is found. */
static void damaged_journal(void **state) {
    (void)state;
    world w = begin();
    assert_int_equal(run(&w, w.journal, 2), TS_OK);
    ts_bytes whole = journal_text(&w);
    size_t last = whole.size - 1;
    while (whole.data[last - 1] != '\n') {
        last--;
    }
    for (size_t at = 0; at < last; at += 19997) {
        char *copy = ts_arena_copy(w.arena, whole.data, whole.size);
        copy[at] = (char)(copy[at] ^ 1);
        assert_int_equal(ts_file_write(w.journal, copy, whole.size, &w.diags), TS_OK);
        uint32_t errors = ts_diags_errors(&w.diags);
        assert_int_equal(run(&w, w.journal, 1), TS_BAD_INPUT);
        assert_int_equal(ts_diags_errors(&w.diags), errors + 1);
    }
    end(&w);
}

static void foreign_or_busy_journal(void **state) {
    (void)state;
    world w = begin();
    ts_journal *journal, *second;
    assert_int_equal(ts_journal_open(w.arena, w.journal, "cubes", &journal, &w.diags), TS_OK);
    assert_int_equal(ts_journal_open(w.arena, w.journal, "cubes", &second, &w.diags), TS_SYSTEM);
    ts_journal_close(journal);
    assert_int_equal(run(&w, w.journal, 1), TS_BAD_INPUT);
    assert_int_equal(ts_file_write(w.journal, "{}\n{}\n", 6, &w.diags), TS_OK);
    assert_int_equal(run(&w, w.journal, 1), TS_BAD_INPUT);
    end(&w);
}

/* A full disk ends the sweep with an error and leaves a journal that can be taken up. */
static void full_disk(void **state) {
    (void)state;
    world w = begin();
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {100000, 100000};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit((int)run(&w, w.journal, 2));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == TS_SYSTEM);
    size_t kept = recorded(&w);
    assert_true(kept > 0 && kept < COUNT);
    assert_int_equal(run(&w, w.journal, 2), TS_OK);
    end(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_point_once), cmocka_unit_test(interrupted),
        cmocka_unit_test(failures),         cmocka_unit_test(torn_journal),
        cmocka_unit_test(damaged_journal),  cmocka_unit_test(foreign_or_busy_journal),
        cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
