/* Journals: what is read stays read, and a journal is as it was when it is opened again. Checksums would
 * refuse nearly every input: where its first byte is odd, each line gets the right one. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/text.h"
#include "fuzz.h"

static void seal(ts_text *out, ts_bytes lines) {
    for (size_t at = 0, end; at < lines.size; at = end + 1) {
        for (end = at; end < lines.size && lines.data[end] != '\n'; end++) {
        }
        ts_text_printf(out, "%08x ", (unsigned)ts_crc32(lines.data + at, end - at));
        ts_text_add_bytes(out, (const char *)lines.data + at, end < lines.size ? end - at + 1 : end - at);
    }
}

/* One file in memory serves all runs; its path is that of its descriptor. */
static const char *put(ts_arena *arena, ts_bytes text) {
    static int fd = -1;
    fd = fd < 0 ? memfd_create("journal", MFD_CLOEXEC) : fd;
    bool written =
        fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, text.data, text.size, 0) == (ssize_t)text.size;
    TS_ASSERT(written, "fuzz journal: no file in memory");
    return ts_arena_printf(arena, "/proc/self/fd/%d", fd);
}

static void read_journal(ts_bytes file, ts_diags *diags) {
    ts_text sealed = {.arena = diags->arena};
    ts_bytes text = {file.data + (file.size > 0), file.size - (file.size > 0)};
    if (file.size > 0 && file.data[0] % 2 == 1) {
        seal(&sealed, text);
        text = (ts_bytes){(const uint8_t *)sealed.data, sealed.size};
    }
    const char *path = put(diags->arena, text);
    ts_journal *journal;
    ts_status status = ts_journal_open(diags->arena, path, "fuzz", &journal, diags);
    ts_fuzz_check(status, diags);
    if (status != TS_OK) {
        return;
    }
    size_t count = ts_journal_count(journal);
    bool has = ts_journal_find(journal, "new") != NULL;
    json_t *value = json_pack("{s:i}", "cycles", 1);
    if (!has) {
        TS_ASSERT(ts_journal_add(journal, "new", value, diags) == TS_OK, "fuzz journal");
    }
    json_decref(value);
    ts_journal_close(journal);
    ts_diags again = {.arena = diags->arena};
    TS_ASSERT(ts_journal_open(diags->arena, path, "fuzz", &journal, &again) == TS_OK, "fuzz journal");
    TS_ASSERT(again.list.count == 0 && ts_journal_count(journal) == count + !has, "fuzz journal");
    TS_ASSERT(ts_journal_find(journal, "new") != NULL, "fuzz journal");
    ts_journal_close(journal);
}

TS_FUZZ_TARGET(read_journal)
