#include "base/table.h"

#include <string.h>

#include "base/diag.h"

enum { APART = 2 };

/* Characters, not bytes, of UTF-8. */
static uint32_t length_of(const char *cell) {
    uint32_t length = 0;
    for (const unsigned char *c = (const unsigned char *)cell; *c != '\0'; c++) {
        length += (*c & 0xc0) != 0x80;
    }
    return length;
}

typedef struct layout {
    uint32_t widths[TS_TABLE_COLUMNS];
    bool left_out[TS_TABLE_COLUMNS];
} layout;

static void measure(const ts_table *t, layout *l) {
    memset(l, 0, sizeof *l);
    for (uint32_t c = 0; c < t->column_count; c++) {
        l->widths[c] = length_of(t->columns[c].head);
        for (uint32_t r = 0; r < t->rows.count; r++) {
            uint32_t width = length_of(t->rows.data[r][c]);
            l->widths[c] = width > l->widths[c] ? width : l->widths[c];
        }
    }
}

static uint32_t whole_width(const ts_table *t, const layout *l) {
    uint32_t width = 0;
    for (uint32_t c = 0; c < t->column_count; c++) {
        width += l->left_out[c] ? 0 : l->widths[c] + (width > 0 ? APART : 0);
    }
    return width;
}

/* The column whose turn it is; the number of columns where none may go. */
static uint32_t next_out(const ts_table *t, const layout *l) {
    uint32_t found = t->column_count;
    for (uint32_t c = 0; c < t->column_count; c++) {
        uint8_t turn = t->columns[c].leave_out;
        if (!l->left_out[c] && turn > 0 && (found == t->column_count || turn > t->columns[found].leave_out)) {
            found = c;
        }
    }
    return found;
}

static void blanks(ts_text *out, uint32_t count) { ts_text_printf(out, "%*s", (int)count, ""); }

static void print_cell(ts_text *out, ts_screen screen, ts_style style, const char *cell) {
    ts_text_add(out, ts_style_begin(screen, style));
    for (const char *c = cell; *c != '\0'; c++) {
        bool control = (unsigned char)*c < 0x20 || *c == 0x7f;
        ts_text_add_bytes(out, control ? "?" : c, 1);
    }
    ts_text_add(out, ts_style_end(screen, style));
}

static ts_style style_of(const ts_table *t, const char *const *cells, const char *const *heads,
                         uint32_t column) {
    return cells == heads        ? TS_STYLE_HEADING
           : t->style_of == NULL ? TS_STYLE_PLAIN
                                 : t->style_of(column, cells[column]);
}

/* `heads` are the cells of the first row. */
static void print_row(ts_text *out, const ts_table *t, const layout *l, ts_screen screen,
                      const char *const *heads, const char *const *cells) {
    uint32_t last = 0, owed = 0;
    bool first = true;
    for (uint32_t c = 0; c < t->column_count; c++) {
        last = !l->left_out[c] && cells[c][0] != '\0' ? c : last;
    }
    for (uint32_t c = 0; c <= last; c++) {
        if (l->left_out[c]) {
            continue;
        }
        uint32_t pad = l->widths[c] - length_of(cells[c]);
        blanks(out, owed + (first ? 0 : APART) + (t->columns[c].right ? pad : 0));
        print_cell(out, screen, cells[c][0] == '\0' ? TS_STYLE_PLAIN : style_of(t, cells, heads, c),
                   cells[c]);
        owed = t->columns[c].right ? 0 : pad;
        first = false;
    }
    ts_text_add(out, "\n");
}

/* A line, or several where it is longer than the screen is wide. */
static void name_left_out(ts_text *out, const ts_table *t, const layout *l, uint32_t width) {
    static const char begin[] = "(too wide for this terminal:";
    uint32_t at = sizeof begin - 1, named = 0;
    ts_text_add(out, begin);
    for (uint32_t c = 0; c < t->column_count; c++) {
        uint32_t length = length_of(t->columns[c].head);
        if (!l->left_out[c]) {
            continue;
        }
        ts_text_add(out, named > 0 ? "," : "");
        at += named++ > 0;
        bool fits = at + 1 + length + 1 <= width; /* a comma or the bracket follows */
        ts_text_printf(out, "%s%s", fits ? " " : "\n ", t->columns[c].head);
        at = (fits ? at : 0) + 1 + length;
    }
    ts_text_add(out, ")\n");
}

void ts_table_add(ts_table *table, const char *const *cells) { TS_PUSH(table->arena, &table->rows, cells); }

void ts_table_print(ts_text *out, const ts_table *table, ts_screen screen) {
    layout l;
    const char *heads[TS_TABLE_COLUMNS] = {NULL};
    bool narrowed = false;
    TS_ASSERT(table->column_count <= TS_TABLE_COLUMNS, "table: too many columns");
    measure(table, &l);
    for (uint32_t c; screen.width > 0 && whole_width(table, &l) > screen.width;) {
        c = next_out(table, &l);
        if (c == table->column_count) {
            break;
        }
        l.left_out[c] = narrowed = true;
    }
    for (uint32_t c = 0; c < table->column_count; c++) {
        heads[c] = table->columns[c].head;
    }
    print_row(out, table, &l, screen, heads, heads);
    for (uint32_t r = 0; r < table->rows.count; r++) {
        print_row(out, table, &l, screen, heads, table->rows.data[r]);
    }
    if (narrowed) {
        name_left_out(out, table, &l, screen.width);
    }
}
