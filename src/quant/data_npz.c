/* Members of NumPy's .npz archives (zip), by libzip. */
#include <string.h>

#include "quant/data_internal.h"
#include "quant/npz.h"

bool ts_npz_is_path(const char *path) {
    const char *name = strrchr(path, '/'), *at = strstr(name == NULL ? path : name, ".npz");
    return at != NULL && (at[4] == '\0' || at[4] == ':');
}

#ifdef TS_HAVE_ZIP
#include <zip.h>

static ts_status damaged(const char *path, const char *what, ts_diags *diags) {
    return ts_error(diags, TS_DIAG_MALFORMED, NULL, NULL,
                    "%s: %s; an archive that numpy.savez wrote would be right", path, what);
}

/* Names of the members, for the message of what is not found. */
static ts_status not_found(ts_arena *arena, const char *path, const char *name, zip_t *zip, ts_diags *diags) {
    enum { MOST = 8 };
    const char *list = "";
    zip_int64_t count = zip_get_num_entries(zip, 0);
    for (zip_int64_t i = 0; i < count && i < MOST; i++) {
        const char *member = zip_get_name(zip, (zip_uint64_t)i, 0);
        list = ts_arena_printf(arena, "%s%s'%.100s'", list, i == 0 ? "" : ", ", member == NULL ? "" : member);
    }
    return ts_error(diags, TS_DIAG_MALFORMED, NULL, NULL,
                    "%s: holds no array '%s' but %s; FILE.npz:NAME chooses one", path, name,
                    count > 0 ? list : "nothing");
}

/* Index of "NAME.npy"; with `single` the only member does as well. Negative where there is none. */
static zip_int64_t find(ts_arena *arena, zip_t *zip, const char *name, bool single) {
    zip_int64_t at = zip_name_locate(zip, ts_arena_printf(arena, "%s.npy", name), 0);
    return at < 0 && single && zip_get_num_entries(zip, 0) == 1 ? 0 : at;
}

/* A byte of deflated data stands for at most 1032: work is bounded by the size of the file, not by what it
 * says of itself. Other ways to pack are not NumPy's. */
static bool is_plausible(const zip_stat_t *stat, size_t file_bytes) {
    enum { MOST_PER_BYTE = 1032 };
    return (stat->valid & ZIP_STAT_COMP_METHOD) != 0 &&
           (stat->comp_method == ZIP_CM_STORE || stat->comp_method == ZIP_CM_DEFLATE) &&
           stat->size / MOST_PER_BYTE <= file_bytes;
}

static ts_status extract(ts_arena *arena, const char *path, zip_t *zip, size_t file_bytes, zip_uint64_t index,
                         ts_bytes *out, ts_diags *diags) {
    zip_stat_t stat;
    if (zip_stat_index(zip, index, 0, &stat) != 0 || (stat.valid & ZIP_STAT_SIZE) == 0) {
        return damaged(path, "a member says nothing of its size", diags);
    }
    if (stat.size > TS__DATA_LIMIT_BYTES) {
        return damaged(path, "a member is larger than 1 GB", diags);
    }
    if (!is_plausible(&stat, file_bytes)) {
        return damaged(path, "a member is neither stored nor deflated, or larger than its bytes can be",
                       diags);
    }
    uint8_t *bytes = ts_arena_alloc(arena, (size_t)stat.size);
    zip_file_t *file = zip_fopen_index(zip, index, 0);
    if (file == NULL) {
        return damaged(path, "a member cannot be unpacked", diags);
    }
    zip_uint64_t done = 0;
    while (done < stat.size) {
        zip_int64_t n = zip_fread(file, bytes + done, stat.size - done);
        if (n <= 0) {
            break;
        }
        done += (zip_uint64_t)n;
    }
    /* The checksum is judged where the end is read. */
    uint8_t beyond;
    bool whole = done == stat.size && zip_fread(file, &beyond, 1) == 0;
    whole = zip_fclose(file) == 0 && whole;
    *out = (ts_bytes){bytes, (size_t)stat.size};
    return whole ? TS_OK : damaged(path, "a member is damaged", diags);
}

static void discard(void *zip) { zip_discard(zip); }

ts_status ts__npz_member(ts_arena *arena, const char *path, ts_bytes file, const char *name, bool single,
                         ts_bytes *out, ts_diags *diags) {
    zip_source_t *source = zip_source_buffer_create(file.data, file.size, 0, NULL);
    zip_t *zip = source == NULL ? NULL : zip_open_from_source(source, ZIP_RDONLY, NULL);
    if (zip == NULL) {
        zip_source_free(source);
        return damaged(path, "no readable zip archive", diags);
    }
    ts_guard_defer(discard, zip);
    zip_int64_t at = find(arena, zip, name, single);
    ts_status status = at < 0 ? not_found(arena, path, name, zip, diags)
                              : extract(arena, path, zip, file.size, (zip_uint64_t)at, out, diags);
    ts_guard_undefer(zip);
    zip_discard(zip);
    return status;
}

bool ts__npz_holds(ts_arena *arena, ts_bytes file, const char *name) {
    zip_source_t *source = zip_source_buffer_create(file.data, file.size, 0, NULL);
    zip_t *zip = source == NULL ? NULL : zip_open_from_source(source, ZIP_RDONLY, NULL);
    if (zip == NULL) {
        zip_source_free(source);
        return false;
    }
    ts_guard_defer(discard, zip);
    bool holds = find(arena, zip, name, false) >= 0;
    ts_guard_undefer(zip);
    zip_discard(zip);
    return holds;
}

/* Every member, or the one that is called for. */
static ts_status all_arrays(ts_arena *arena, const char *path, zip_t *zip, size_t file_bytes, ts_npz *out,
                            ts_diags *diags) {
    enum { MOST = 4096 };
    zip_int64_t count = zip_get_num_entries(zip, 0);
    size_t total = 0;
    if (count < 1 || count > MOST) {
        return damaged(path, "it holds no array, or more than 4096", diags);
    }
    out->count = (uint32_t)count;
    out->arrays = TS_NEW_ARRAY(arena, ts_bytes, out->count);
    for (uint32_t i = 0; i < out->count; i++) {
        TS_TRY(extract(arena, path, zip, file_bytes, i, &out->arrays[i], diags));
        total += out->arrays[i].size;
        if (total > TS__DATA_LIMIT_BYTES) {
            return damaged(path, "its arrays are larger than 1 GB", diags);
        }
    }
    return TS_OK;
}

ts_status ts_npz_read(ts_arena *arena, const char *path, ts_npz *out, ts_diags *diags) {
    ts_bytes file;
    char *alone = ts_arena_strdup(arena, path), *end = strstr(alone, ".npz:");
    const char *name = end == NULL ? NULL : end + 5;
    if (end != NULL) {
        end[4] = '\0';
    }
    TS_TRY(ts_file_read(arena, alone, TS__DATA_LIMIT_BYTES, &file, diags));
    if (name != NULL) {
        *out = (ts_npz){1, TS_NEW(arena, ts_bytes)};
        return ts__npz_member(arena, alone, file, name, false, out->arrays, diags);
    }
    zip_source_t *source = zip_source_buffer_create(file.data, file.size, 0, NULL);
    zip_t *zip = source == NULL ? NULL : zip_open_from_source(source, ZIP_RDONLY, NULL);
    if (zip == NULL) {
        zip_source_free(source);
        return damaged(path, "no readable zip archive", diags);
    }
    ts_guard_defer(discard, zip);
    ts_status status = all_arrays(arena, path, zip, file.size, out, diags);
    ts_guard_undefer(zip);
    zip_discard(zip);
    return status;
}

#else

ts_status ts_npz_read(ts_arena *arena, const char *path, ts_npz *out, ts_diags *diags) {
    (void)arena, (void)out;
    return ts_error(diags, TS_DIAG_UNSUPPORTED, NULL, NULL, "%s: built without libzip; save its arrays alone",
                    path);
}

ts_status ts__npz_member(ts_arena *arena, const char *path, ts_bytes file, const char *name, bool single,
                         ts_bytes *out, ts_diags *diags) {
    (void)arena, (void)file, (void)name, (void)single, (void)out;
    return ts_error(diags, TS_DIAG_UNSUPPORTED, NULL, NULL, "%s: built without libzip; save its arrays alone",
                    path);
}

bool ts__npz_holds(ts_arena *arena, ts_bytes file, const char *name) {
    (void)arena, (void)file, (void)name;
    return false;
}

#endif
