#include "base/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { FILE_LIMIT = 1 << 30, SUM_DIGITS = 8, HEAD = SUM_DIGITS + 1 };

struct ts_journal {
    const char *path; /* NULL: in memory only */
    int fd;
    off_t size; /* of the complete records */
    json_t *values;
};

static ts_status fail(ts_diags *diags, const char *path, const char *verb) {
    return ts_error(diags, TS_DIAG_FILE, NULL, NULL, "cannot %s '%s': %s", verb, path, strerror(errno));
}

/* ---- writing ---------------------------------------------------------------------------------------- */

/* A new file is there after a power cut only if its folder was written too. */
static void sync_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path + 1));
    int fd = folder == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd); /* file systems without it have nothing to write */
        close(fd);
    }
    free(folder);
}

static bool write_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        data += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Appends a whole record, or nothing. */
static ts_status append(ts_journal *j, const json_t *record, ts_diags *diags) {
    char *text = json_dumps(record, JSON_COMPACT | JSON_REAL_PRECISION(17));
    size_t size = text == NULL ? 0 : HEAD + strlen(text) + 1;
    char *line = text == NULL ? NULL : malloc(size + 1);
    if (line == NULL) {
        free(text);
        return ts_error(diags, TS_DIAG_MEMORY, NULL, NULL, "out of memory for a record of '%s'", j->path);
    }
    snprintf(line, size + 1, "%08x %s\n", ts_crc32(text, size - HEAD - 1), text);
    free(text);
    bool written = write_all(j->fd, line, size) && fsync(j->fd) == 0;
    free(line);
    if (!written) {
        ts_status status = fail(diags, j->path, "write");
        return ftruncate(j->fd, j->size) == 0 ? status : TS_SYSTEM;
    }
    j->size += (off_t)size;
    return TS_OK;
}

ts_status ts_journal_add(ts_journal *journal, const char *key, json_t *value, ts_diags *diags) {
    TS_ASSERT(ts_journal_find(journal, key) == NULL, key);
    json_object_set(journal->values, key, value);
    if (journal->path == NULL) {
        return TS_OK;
    }
    json_t *record = json_pack("{s:s, s:O}", "key", key, "value", value);
    ts_status status = append(journal, record, diags);
    json_decref(record);
    return status;
}

/* ---- reading ---------------------------------------------------------------------------------------- */

/* The object of a line without its newline, a new reference; NULL where the line is damaged. */
static json_t *read_record(const char *line, size_t size) {
    char digits[SUM_DIGITS + 1] = {0}, *end;
    if (size <= HEAD || line[SUM_DIGITS] != ' ') {
        return NULL;
    }
    memcpy(digits, line, SUM_DIGITS);
    unsigned long sum = strtoul(digits, &end, 16);
    if (*end != '\0' || sum != ts_crc32(line + HEAD, size - HEAD)) {
        return NULL;
    }
    json_t *record = json_loadb(line + HEAD, size - HEAD, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(record)) {
        json_decref(record);
        return NULL;
    }
    return record;
}

static ts_status damaged(const ts_journal *j, uint32_t line, const char *what, ts_diags *diags) {
    return ts_error(diags, TS_DIAG_MALFORMED, NULL, NULL,
                    "line %u of the journal '%s' %s; mend it, or remove the file to begin anew", line,
                    j->path, what);
}

static ts_status take_record(ts_journal *j, uint32_t line, const json_t *record, const char *identity,
                             ts_diags *diags) {
    if (line == 1) {
        const char *theirs = json_string_value(json_object_get(record, "identity"));
        if (json_integer_value(json_object_get(record, "journal")) != 1 || theirs == NULL) {
            return damaged(j, line, "is not the beginning of a journal", diags);
        }
        if (strcmp(theirs, identity) != 0) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                            "the journal '%s' belongs to other work; remove it or choose another place",
                            j->path);
        }
        return TS_OK;
    }
    const char *key = json_string_value(json_object_get(record, "key"));
    json_t *value = json_object_get(record, "value");
    if (key == NULL || !json_is_object(value)) {
        return damaged(j, line, "has no key or no value", diags);
    }
    if (json_object_get(j->values, key) != NULL) {
        return damaged(j, line, "repeats a key", diags);
    }
    json_object_set(j->values, key, value);
    return TS_OK;
}

static ts_status read_records(ts_journal *j, const char *text, size_t size, const char *identity,
                              ts_diags *diags) {
    uint32_t number = 0;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end == NULL ? size - at : (size_t)(end - text) - at;
        json_t *record = end == NULL ? NULL : read_record(text + at, length);
        number++;
        bool last = end == NULL || at + length + 1 == size;
        if (record == NULL && last) {
            ts_note(diags, TS_DIAG_MALFORMED, NULL, NULL,
                    "the last line of the journal '%s' was not written to its end and is cut off", j->path);
            return ftruncate(j->fd, j->size) == 0 ? TS_OK : fail(diags, j->path, "cut");
        }
        if (record == NULL) {
            return damaged(j, number, "is damaged", diags);
        }
        ts_status status = take_record(j, number, record, identity, diags);
        json_decref(record);
        TS_TRY(status);
        at += length + 1;
        j->size = (off_t)at;
    }
    return TS_OK;
}

static ts_status open_file(ts_journal *j, const char *identity, ts_diags *diags) {
    ts_bytes text = {0};
    j->fd = open(j->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (j->fd < 0) {
        return fail(diags, j->path, "open");
    }
    if (flock(j->fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? ts_error(diags, TS_DIAG_FILE, NULL, NULL,
                                               "the journal '%s' is in use by another process", j->path)
                                    : fail(diags, j->path, "lock");
    }
    ts_arena *scratch = ts_arena_new("journal", 0);
    ts_status status = ts_file_read(scratch, j->path, FILE_LIMIT, &text, diags);
    if (status == TS_OK) {
        status = read_records(j, (const char *)text.data, text.size, identity, diags);
    }
    ts_arena_free(scratch);
    if (status == TS_OK && j->size == 0) {
        json_t *first = json_pack("{s:i, s:s}", "journal", 1, "identity", identity);
        status = append(j, first, diags);
        json_decref(first);
        sync_folder(j->path);
    }
    return status;
}

ts_status ts_journal_open(ts_arena *arena, const char *path, const char *identity, ts_journal **out,
                          ts_diags *diags) {
    ts_journal *j = TS_NEW(arena, ts_journal);
    *j = (ts_journal){.path = path == NULL ? NULL : ts_arena_strdup(arena, path), .fd = -1};
    j->values = json_object();
    *out = j;
    ts_status status = path == NULL ? TS_OK : open_file(j, identity, diags);
    if (status != TS_OK) {
        ts_journal_close(j);
        *out = NULL;
    }
    return status;
}

const json_t *ts_journal_find(const ts_journal *journal, const char *key) {
    return json_object_get(journal->values, key);
}

size_t ts_journal_count(const ts_journal *journal) { return json_object_size(journal->values); }

void ts_journal_close(ts_journal *journal) {
    if (journal->fd >= 0) {
        close(journal->fd);
    }
    json_decref(journal->values);
}
