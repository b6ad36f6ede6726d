/* Pictures: PNG and JPEG, in folders or in a tar archive. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "quant/data_internal.h"

#ifdef TS_HAVE_PNG
#include <png.h>
#endif
#ifdef TS_HAVE_JPEG
#include <turbojpeg.h>
#endif

/* A byte of deflated data stands for at most 1032 bytes of 8 pixels; JPEG packs less. */
enum { MAX_SIDE = 1 << 13, MAX_DEPTH = 8, MAX_PIXELS_A_BYTE = 1032 * 8 };

static ts_status bad_picture(const char *name, const char *what, ts_diags *diags) {
    return ts_error(diags, TS_DIAG_MALFORMED, NULL, NULL, "%s: %s", name, what);
}

/* Work is bounded by the size of the file, not by what its header says. */
static bool is_plausible(ts_bytes file, uint64_t w, uint64_t h) {
    return w >= 1 && h >= 1 && w <= MAX_SIDE && h <= MAX_SIDE && w * h / MAX_PIXELS_A_BYTE <= file.size;
}

#ifdef TS_HAVE_PNG
static void free_png(void *image) { png_image_free(image); }

static ts_status decode_png(ts_arena *arena, const char *name, ts_bytes file, uint32_t channels, uint32_t *h,
                            uint32_t *w, const uint8_t **pixels, ts_diags *diags) {
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(&image, file.data, file.size)) {
        return bad_picture(name, image.message, diags);
    }
    if (!is_plausible(file, image.width, image.height)) {
        png_image_free(&image);
        return bad_picture(name, "larger than 8192 pixels a side, or than its bytes can be", diags);
    }
    image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    ts_guard_defer(free_png, &image);
    uint8_t *out = ts_arena_alloc(arena, PNG_IMAGE_SIZE(image));
    ts_guard_undefer(&image);
    if (!png_image_finish_read(&image, NULL, out, 0, NULL)) {
        return bad_picture(name, image.message, diags);
    }
    *h = image.height;
    *w = image.width;
    *pixels = out;
    return TS_OK;
}
#endif

#ifdef TS_HAVE_JPEG
static void destroy_jpeg(void *jpeg) { tjDestroy(jpeg); }

static ts_status decode_jpeg(ts_arena *arena, const char *name, ts_bytes file, uint32_t channels, uint32_t *h,
                             uint32_t *w, const uint8_t **pixels, ts_diags *diags) {
    tjhandle jpeg = tjInitDecompress();
    int width = 0, height = 0, sampling, space;
    if (jpeg == NULL ||
        tjDecompressHeader3(jpeg, file.data, (unsigned long)file.size, &width, &height, &sampling, &space) !=
            0 ||
        width <= 0 || height <= 0 || !is_plausible(file, (uint64_t)width, (uint64_t)height)) {
        tjDestroy(jpeg);
        return bad_picture(
            name, "not a JPEG picture of at most 8192 pixels a side and no more than its bytes can be",
            diags);
    }
    ts_guard_defer(destroy_jpeg, jpeg);
    uint8_t *out = ts_arena_alloc(arena, (size_t)width * (size_t)height * channels);
    ts_guard_undefer(jpeg);
    int failed = tjDecompress2(jpeg, file.data, (unsigned long)file.size, out, width, 0, height,
                               channels == 1 ? TJPF_GRAY : TJPF_RGB, TJFLAG_ACCURATEDCT);
    tjDestroy(jpeg);
    *h = (uint32_t)height;
    *w = (uint32_t)width;
    *pixels = out;
    return failed != 0 ? bad_picture(name, "damaged JPEG data", diags) : TS_OK;
}
#endif

ts_status ts__picture_decode(ts_arena *arena, const char *name, ts_bytes file, uint32_t channels, uint32_t *h,
                             uint32_t *w, const uint8_t **pixels, ts_diags *diags) {
#ifdef TS_HAVE_PNG
    if (file.size >= 8 && memcmp(file.data, "\x89PNG\r\n\x1a\n", 8) == 0) {
        return decode_png(arena, name, file, channels, h, w, pixels, diags);
    }
#endif
#ifdef TS_HAVE_JPEG
    if (file.size >= 3 && memcmp(file.data, "\xff\xd8\xff", 3) == 0) {
        return decode_jpeg(arena, name, file, channels, h, w, pixels, diags);
    }
#endif
    (void)arena, (void)channels, (void)h, (void)w, (void)pixels;
    return bad_picture(name, "neither PNG nor JPEG, or built without its library", diags);
}

typedef struct entry {
    const char *name; /* path below the folder or in the archive */
    ts_bytes file;
} entry;

typedef struct listing {
    ts_arena *arena;
    const char *root;
    TS_VEC(entry) entries;
    ts_diags *diags;
} listing;

static bool is_picture(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot != NULL &&
           (strcmp(dot, ".png") == 0 || strcmp(dot, ".jpg") == 0 || strcmp(dot, ".jpeg") == 0 ||
            strcmp(dot, ".PNG") == 0 || strcmp(dot, ".JPG") == 0 || strcmp(dot, ".JPEG") == 0);
}

static void close_folder(void *folder) { closedir(folder); }

static void list_folder(listing *list, const char *below, uint32_t depth) {
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
        } else if (is_picture(name)) {
            entry e = {.name = name};
            TS_PUSH(list->arena, &list->entries, e);
        }
    }
}

/* A tar archive is 512-byte blocks: a header with name (100 bytes), size at 124 (octal), type at 156, prefix
 * at 345; then the file. Source: POSIX.1-2017, pax, ustar interchange format. */
static void list_tar(listing *list, ts_bytes tar) {
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
        if ((head[156] == '0' || head[156] == '\0') && is_picture(name)) {
            entry e = {.name = prefix[0] != '\0' ? ts_path_join(list->arena, prefix, name)
                                                 : ts_arena_strdup(list->arena, name),
                       .file = {tar.data + at + 512, size}};
            TS_PUSH(list->arena, &list->entries, e);
        }
        at += 512 + (size_t)((size + 511) / 512 * 512);
    }
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

/* The last folder in a path: "test/cat/1.jpg" gives "cat". */
static const char *class_of(ts_arena *arena, const char *name) {
    return ts_path_base(ts_path_dir(arena, name));
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Classes are the folders' names in alphabetical order. */
static const int32_t *labels_by_folder(const listing *list) {
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

/* Keeps the pictures that the CSV file names, in its order, with its labels. */
static ts_status labels_by_csv(listing *list, const char *csv, const int32_t **labels) {
    const char **files;
    uint32_t rows, count;
    TS_TRY(ts__csv_column(list->arena, csv, "file", &files, &rows, list->diags));
    TS_TRY(ts__data_labels(list->arena, csv, "label", labels, &count, list->diags));
    entry *chosen = TS_NEW_ARRAY(list->arena, entry, rows);
    for (uint32_t i = 0; i < rows; i++) {
        entry key = {.name = files[i]};
        const entry *found = bsearch(&key, list->entries.data, list->entries.count, sizeof key, by_name);
        if (found == NULL) {
            return ts_error(list->diags, TS_DIAG_MALFORMED, NULL, NULL, "%s: there is no picture '%s'", csv,
                            files[i]);
        }
        chosen[i] = *found;
    }
    list->entries.data = chosen;
    list->entries.count = rows;
    return TS_OK;
}

static void free_arena(void *arena) { ts_arena_free(arena); }

static ts_status decode_all(const listing *list, uint32_t channels, ts_data *out) {
    uint8_t *samples = NULL;
    size_t size = 0;
    for (uint32_t i = 0; i < list->entries.count; i++) {
        entry e = list->entries.data[i];
        ts_arena *scratch = ts_arena_new("picture", 0);
        ts_guard_defer(free_arena, scratch);
        uint32_t h = 0, w = 0;
        const uint8_t *pixels = NULL;
        ts_status status = TS_OK;
        if (e.file.data == NULL) {
            status = ts_file_read(scratch, ts_path_join(scratch, list->root, e.name), 1 << 28, &e.file,
                                  list->diags);
        }
        if (status == TS_OK) {
            status = ts__picture_decode(scratch, e.name, e.file, channels, &h, &w, &pixels, list->diags);
        }
        if (status == TS_OK && i == 0) {
            size = (size_t)h * w * channels;
            *out = (ts_data){.count = list->entries.count, .h = h, .w = w, .c = channels, .type = TS_DATA_U8};
            samples = ts_arena_array(list->arena, list->entries.count, size);
            out->samples = samples;
        }
        if (status == TS_OK && (h != out->h || w != out->w)) {
            status = ts_error(list->diags, TS_DIAG_SHAPE, NULL, NULL,
                              "%s is %u x %u but the first picture %u x %u; scale them to one size", e.name,
                              w, h, out->w, out->h);
        }
        if (status == TS_OK) {
            memcpy(samples + i * size, pixels, size);
        }
        ts_guard_undefer(scratch);
        ts_arena_free(scratch);
        TS_TRY(status);
    }
    return TS_OK;
}

/* What a listing names, in the order of the names, with its labels. */
static ts_status read_listing(listing *list, const char *labels_csv, uint32_t channels, ts_data *out) {
    if (list->entries.count == 0) {
        return ts_error(list->diags, TS_DIAG_MALFORMED, NULL, NULL, "%s holds no .png or .jpg picture",
                        list->root);
    }
    qsort(list->entries.data, list->entries.count, sizeof *list->entries.data, by_name);
    const int32_t *labels;
    if (labels_csv != NULL) {
        TS_TRY(labels_by_csv(list, labels_csv, &labels));
    } else {
        labels = labels_by_folder(list);
    }
    TS_TRY(decode_all(list, channels, out));
    out->labels = labels;
    return TS_OK;
}

ts_status ts__data_tar(ts_arena *arena, const char *path, ts_bytes tar, const char *labels_csv,
                       uint32_t channels, ts_data *out, ts_diags *diags) {
    listing list = {.arena = arena, .root = path, .diags = diags};
    list_tar(&list, tar);
    return read_listing(&list, labels_csv, channels, out);
}

ts_status ts__data_pictures(ts_arena *arena, const char *path, const char *labels_csv, uint32_t channels,
                            ts_data *out, ts_diags *diags) {
    if (!ts_dir_exists(path)) {
        ts_bytes tar;
        TS_TRY(ts__data_bytes(arena, path, NULL, &tar, diags));
        return ts__data_tar(arena, path, tar, labels_csv, channels, out, diags);
    }
    listing list = {.arena = arena, .root = path, .diags = diags};
    list_folder(&list, "", 0);
    const char *csv = ts_path_join(arena, path, "labels.csv");
    labels_csv = labels_csv == NULL && ts_file_exists(csv) ? csv : labels_csv;
    return read_listing(&list, labels_csv, channels, out);
}
