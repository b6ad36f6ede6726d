/* Files of a data set: below a folder or in a tar archive, with their labels. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "quant/data_internal.h"

enum { MAX_DEPTH = 8 };

/* Whether the end of the name is one of the suffixes, in small or capital letters. */
static bool is_wanted(const ts__data_files *list, const char *name) {
    const char *dot = strrchr(name, '.');
    for (const char *const *suffix = list->suffixes; dot != NULL && *suffix != NULL; suffix++) {
        if (strcasecmp(dot, *suffix) == 0) {
            return true;
        }
    }
    return false;
}

static void close_folder(void *folder) { closedir(folder); }

static void list_folder(ts__data_files *list, const char *below, uint32_t depth) {
    const char *path = *below == '\0' ? list->root : ts_path_join(list->arena, list->root, below);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return;
    }
    ts_guard_defer(close_folder, folder);
    TS_VEC(const char *) names = {0};
    for (struct dirent *item; (item = readdir(folder)) != NULL;) {
        if (item->d_name[0] != '.') {
            TS_PUSH(list->arena, &names, ts_arena_strdup(list->arena, item->d_name));
        }
    }
    ts_guard_undefer(folder);
    closedir(folder);
    for (uint32_t i = 0; i < names.count; i++) {
        const char *name = *below == '\0' ? names.data[i] : ts_path_join(list->arena, below, names.data[i]);
        if (ts_dir_exists(ts_path_join(list->arena, list->root, name))) {
            if (depth < MAX_DEPTH) {
                list_folder(list, name, depth + 1);
            }
        } else if (is_wanted(list, name)) {
            ts__data_file e = {.name = name};
            TS_PUSH(list->arena, &list->entries, e);
        }
    }
}

/* A tar archive is 512-byte blocks: a header with name (100 bytes), size at 124 (octal), type at 156, prefix
 * at 345; then the file. Source: POSIX.1-2017, pax, ustar interchange format. */
static void list_tar(ts__data_files *list, ts_bytes tar) {
    for (size_t at = 0; at + 512 <= tar.size && tar.data[at] != 0;) {
        const char *head = (const char *)tar.data + at;
        char digits[13] = {0}, name[101] = {0}, prefix[156] = {0};
        memcpy(digits, head + 124, 12);
        memcpy(name, head, 100);
        memcpy(prefix, head + 345, 155);
        unsigned long long size = strtoull(digits, NULL, 8);
        if (size > tar.size - at - 512) {
            return;
        }
        if ((head[156] == '0' || head[156] == '\0') && is_wanted(list, name)) {
            ts__data_file e = {.name = prefix[0] != '\0' ? ts_path_join(list->arena, prefix, name)
                                                         : ts_arena_strdup(list->arena, name),
                               .file = {tar.data + at + 512, size}};
            TS_PUSH(list->arena, &list->entries, e);
        }
        at += 512 + (size_t)((size + 511) / 512 * 512);
    }
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const ts__data_file *)a)->name, ((const ts__data_file *)b)->name);
}

/* The last folder in a path: "test/cat/1.jpg" gives "cat". */
static const char *class_of(ts_arena *arena, const char *name) {
    return ts_path_base(ts_path_dir(arena, name));
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Classes are the folders' names in alphabetical order. */
static const int32_t *labels_by_folder(const ts__data_files *list) {
    ts_arena *arena = list->arena;
    uint32_t count = list->entries.count, classes = 0;
    const char **of = TS_NEW_ARRAY(arena, const char *, count);
    const char **names = TS_NEW_ARRAY(arena, const char *, count);
    for (uint32_t i = 0; i < count; i++) {
        of[i] = names[i] = class_of(arena, list->entries.data[i].name);
    }
    qsort(names, count, sizeof *names, by_text);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(names[i], names[classes - 1]) != 0) {
            names[classes++] = names[i];
        }
    }
    int32_t *labels = TS_NEW_ARRAY(arena, int32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        const char **found = bsearch(&of[i], names, classes, sizeof *names, by_text);
        labels[i] = (int32_t)(found - names);
    }
    return labels;
}

/* Keeps the files that the CSV file names, in its order, with its labels. */
static ts_status labels_by_csv(ts__data_files *list, const char *csv, const int32_t **labels) {
    const char **files;
    uint32_t rows, count;
    TS_TRY(ts__csv_column(list->arena, csv, "file", &files, &rows, list->diags));
    TS_TRY(ts__data_labels(list->arena, csv, "label", labels, &count, list->diags));
    ts__data_file *chosen = TS_NEW_ARRAY(list->arena, ts__data_file, rows);
    for (uint32_t i = 0; i < rows; i++) {
        ts__data_file key = {.name = files[i]};
        const ts__data_file *found =
            bsearch(&key, list->entries.data, list->entries.count, sizeof key, by_name);
        if (found == NULL) {
            return ts_error(list->diags, TS_DIAG_MALFORMED, NULL, NULL, "%s: there is no %s '%s'", csv,
                            list->what, files[i]);
        }
        chosen[i] = *found;
    }
    list->entries.data = chosen;
    list->entries.count = rows;
    return TS_OK;
}

ts_status ts__data_list(ts__data_files *list, const ts_bytes *tar, const char *labels_csv,
                        const int32_t **labels) {
    if (tar != NULL) {
        list_tar(list, *tar);
    } else {
        const char *csv = ts_path_join(list->arena, list->root, "labels.csv");
        list_folder(list, "", 0);
        labels_csv = labels_csv == NULL && ts_file_exists(csv) ? csv : labels_csv;
    }
    if (list->entries.count == 0) {
        return ts_error(list->diags, TS_DIAG_MALFORMED, NULL, NULL, "%s holds no %s", list->root, list->what);
    }
    qsort(list->entries.data, list->entries.count, sizeof *list->entries.data, by_name);
    if (labels_csv != NULL) {
        return labels_by_csv(list, labels_csv, labels);
    }
    *labels = labels_by_folder(list);
    return TS_OK;
}

ts_status ts__data_file_read(const ts__data_files *list, uint32_t i, ts_arena *arena, ts_bytes *out) {
    const ts__data_file *e = &list->entries.data[i];
    *out = e->file;
    return e->file.data != NULL ? TS_OK
                                : ts_file_read(arena, ts_path_join(arena, list->root, e->name),
                                               TS__DATA_FILE_LIMIT_BYTES, out, list->diags);
}
