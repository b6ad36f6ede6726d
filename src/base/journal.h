/* A journal: results by key in a file that only grows, so that long work can be interrupted and taken up
 * again.
 *
 * The file is text, one record a line: eight hexadecimal digits, a blank, a JSON object. The digits are the
 * CRC-32 of the object's bytes. The first record is {"journal": 1, "identity": TEXT}; every other one is
 * {"key": TEXT, "value": OBJECT}, each key once. A record is on the disk when ts_journal_add() returns. */
#ifndef TS_BASE_JOURNAL_H
#define TS_BASE_JOURNAL_H

#include <jansson.h>

#include "base/diag.h"

typedef struct ts_journal ts_journal;

/* Opens or begins the journal at `path` and locks it until ts_journal_close(); NULL keeps everything in
 * memory. `identity` says what the results depend on: a journal of another identity is refused, as is one
 * whose records are damaged (TS_BAD_INPUT) or that another process holds (TS_SYSTEM). A last line that was
 * not written to its end, as an interruption leaves it, is cut off with a note. */
ts_status ts_journal_open(ts_arena *arena, const char *path, const char *identity, ts_journal **out,
                          ts_diags *diags);

/* The value of a key, owned by the journal; NULL where it has none. */
const json_t *ts_journal_find(const ts_journal *journal, const char *key);

/* Number of keys. */
size_t ts_journal_count(const ts_journal *journal);

/* Adds a key that is not there yet, and keeps a reference to `value`. */
ts_status ts_journal_add(ts_journal *journal, const char *key, json_t *value, ts_diags *diags);

void ts_journal_close(ts_journal *journal);

#endif
