/* Pictures: PNG and JPEG, in folders or in a tar archive. */
#include <string.h>

#include "quant/data_internal.h"

#ifdef TS_HAVE_PNG
#include <png.h>
#endif
#ifdef TS_HAVE_JPEG
#include <turbojpeg.h>
#endif

/* A byte of deflated data stands for at most 1032 bytes of 8 pixels; JPEG packs less. */
enum { MAX_SIDE = 1 << 13, MAX_PIXELS_A_BYTE = 1032 * 8 };

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

static void free_arena(void *arena) { ts_arena_free(arena); }

static ts_status decode_all(const ts__data_files *list, uint32_t channels, ts_data *out) {
    uint8_t *samples = NULL;
    size_t size = 0;
    for (uint32_t i = 0; i < list->entries.count; i++) {
        ts_arena *scratch = ts_arena_new("picture", 0);
        ts_guard_defer(free_arena, scratch);
        const char *name = ts_path_join(scratch, list->root, list->entries.data[i].name);
        uint32_t h = 0, w = 0;
        const uint8_t *pixels = NULL;
        ts_bytes file;
        ts_status status = ts__data_file_read(list, i, scratch, &file);
        if (status == TS_OK) {
            status = ts__picture_decode(scratch, name, file, channels, &h, &w, &pixels, list->diags);
        }
        if (status == TS_OK && i == 0) {
            size = (size_t)h * w * channels;
            *out = (ts_data){.count = list->entries.count, .h = h, .w = w, .c = channels, .type = TS_DATA_U8};
            samples = ts_arena_array(list->arena, list->entries.count, size);
            out->samples = samples;
        }
        if (status == TS_OK && (h != out->h || w != out->w)) {
            status = ts_error(list->diags, TS_DIAG_SHAPE, NULL, NULL,
                              "%s is %u x %u but the first picture %u x %u; scale them to one size", name, w,
                              h, out->w, out->h);
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

ts_status ts__data_tar(ts_arena *arena, const char *path, const ts_bytes *tar, const char *labels_csv,
                       uint32_t channels, ts_data *out, ts_diags *diags) {
    static const char *const suffixes[] = {".png", ".jpg", ".jpeg", NULL};
    ts__data_files list = {.arena = arena,
                           .root = path,
                           .suffixes = suffixes,
                           .what = ".png or .jpg picture (sound needs a description: docs/data.md)",
                           .diags = diags};
    const int32_t *labels;
    TS_TRY(ts__data_list(&list, tar, labels_csv, &labels));
    TS_TRY(decode_all(&list, channels, out));
    out->labels = labels;
    return TS_OK;
}

ts_status ts__data_pictures(ts_arena *arena, const char *path, const char *labels_csv, uint32_t channels,
                            ts_data *out, ts_diags *diags) {
    if (ts_dir_exists(path)) {
        return ts__data_tar(arena, path, NULL, labels_csv, channels, out, diags);
    }
    ts_bytes tar;
    TS_TRY(ts__data_bytes(arena, path, NULL, &tar, diags));
    return ts__data_tar(arena, path, &tar, labels_csv, channels, out, diags);
}
