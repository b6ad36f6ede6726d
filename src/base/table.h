/* Tables for people: columns as wide as their cells, and no wider together than a terminal. */
#ifndef TS_BASE_TABLE_H
#define TS_BASE_TABLE_H

#include "base/screen.h"

enum { TS_TABLE_COLUMNS = 16 };

/* A column: its head, whether numbers stand in it (they are right-aligned), and its turn to be left out where
 * the terminal is too narrow: the highest first, those with 0 never. */
typedef struct ts_column {
    const char *head;
    bool right;
    uint8_t leave_out;
} ts_column;

typedef struct ts_table {
    ts_arena *arena;
    const ts_column *columns;
    uint32_t column_count;
    ts_style (*style_of)(uint32_t column, const char *cell); /* NULL: cells are plain */
    TS_VEC(const char *const *) rows;
} ts_table;

/* Adds a row; `cells` (one a column, none NULL) are not copied. */
void ts_table_add(ts_table *table, const char *const *cells);

/* Appends the head and the rows, columns two blanks apart, nothing behind the last cell of a row that is not
 * empty. Control characters become question marks. Where that is wider than the screen columns are left out
 * until it fits or none may go; a line behind the table then names them. */
void ts_table_print(ts_text *out, const ts_table *table, ts_screen screen);

#endif
