#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/litter.h"

static ts_status fail(ts_diags *diags, const char *path, const char *verb, int error) {
    return ts_error(diags, TS_DIAG_FILE, NULL, NULL, "cannot %s '%s': %s", verb, path, strerror(error));
}

static ts_status read_open(ts_arena *arena, int fd, const char *path, size_t limit_bytes, ts_bytes *out,
                           ts_diags *diags) {
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return fail(diags, path, "read", errno);
    }
    if (!S_ISREG(info.st_mode)) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "'%s' is not a regular file", path);
    }
    if ((uint64_t)info.st_size > limit_bytes) {
        return ts_error(diags, TS_DIAG_LIMIT, NULL, NULL,
                        "'%s' has %lld bytes; files of this kind may have %zu", path, (long long)info.st_size,
                        limit_bytes);
    }
    size_t size = (size_t)info.st_size, done = 0;
    uint8_t *data = ts_arena_alloc(arena, size + 1);
    while (done < size) {
        ssize_t n = read(fd, data + done, size - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail(diags, path, "read", errno);
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    *out = (ts_bytes){data, done};
    return TS_OK;
}

static void close_deferred(void *object) { close(*(int *)object); }

ts_status ts_file_read(ts_arena *arena, const char *path, size_t limit_bytes, ts_bytes *out,
                       ts_diags *diags) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int error = errno;
        ts_diag_code code = error == ENOENT || error == ENOTDIR ? TS_DIAG_USAGE : TS_DIAG_FILE;
        return ts_error(diags, code, NULL, NULL, "cannot open '%s': %s", path, strerror(error));
    }
    ts_guard_defer(close_deferred, &fd);
    ts_status status = read_open(arena, fd, path, limit_bytes, out, diags);
    ts_guard_undefer(&fd);
    close(fd);
    return status;
}

static int write_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Devices and pipes are written to: a new file in their place would not be what was meant. */
static ts_status write_into(const char *path, const void *data, size_t size, ts_diags *diags) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int error = fd < 0 ? errno : write_all(fd, data, size);
    if (fd >= 0 && close(fd) != 0 && error == 0) {
        error = errno;
    }
    return error == 0 ? TS_OK : fail(diags, path, "write", error);
}

/* Where a symbolic link leads: the file there is replaced, not the link. */
static const char *followed(ts_arena *arena, const char *path) {
    struct stat info;
    char *real = lstat(path, &info) == 0 && S_ISLNK(info.st_mode) ? realpath(path, NULL) : NULL;
    const char *target = real == NULL ? path : ts_arena_strdup(arena, real);
    free(real);
    return target;
}

ts_status ts_file_write(const char *path, const void *data, size_t size, ts_diags *diags) {
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
        return write_into(path, data, size, diags);
    }
    path = followed(diags->arena, path);
    char *aside = ts_arena_printf(diags->arena, "%s.XXXXXX", path);
    int fd = ts_litter_make_file(aside);
    if (fd < 0) {
        return fail(diags, path, "write", errno);
    }
    int error = write_all(fd, data, size);
    if (error == 0 && fchmod(fd, 0644) != 0) {
        error = errno;
    }
    if (close(fd) != 0 && error == 0) {
        error = errno;
    }
    if (error == 0 && rename(aside, path) != 0) {
        error = errno;
    }
    if (error != 0) {
        unlink(aside);
    }
    ts_litter_forget(aside);
    return error == 0 ? TS_OK : fail(diags, path, "write", error);
}

ts_status ts_file_may_write(const char *path, ts_diags *diags) {
    struct stat info;
    bool exists = path != NULL && stat(path, &info) == 0;
    if (path == NULL || (exists && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))) {
        return TS_OK;
    }
    if (exists && S_ISDIR(info.st_mode)) {
        return fail(diags, path, "write", EISDIR);
    }
    char *aside = ts_arena_printf(diags->arena, "%s.XXXXXX", followed(diags->arena, path));
    int fd = ts_litter_make_file(aside);
    if (fd < 0) {
        return fail(diags, path, "write", errno);
    }
    close(fd);
    unlink(aside);
    ts_litter_forget(aside);
    return TS_OK;
}

ts_status ts_dir_create(const char *path, ts_diags *diags) {
    char *partial = ts_arena_strdup(diags->arena, path);
    for (char *c = partial + 1; *partial != '\0'; c++) {
        if (*c != '/' && *c != '\0') {
            continue;
        }
        char kept = *c;
        *c = '\0';
        if (mkdir(partial, 0777) != 0 && errno != EEXIST) {
            return fail(diags, partial, "create the folder", errno);
        }
        *c = kept;
        if (kept == '\0') {
            break;
        }
    }
    return ts_dir_exists(path) ? TS_OK : fail(diags, path, "create the folder", ENOTDIR);
}

ts_status ts_dir_temporary(ts_arena *arena, const char **path, ts_diags *diags) {
    const char *base = getenv("TMPDIR");
    char *name = ts_arena_printf(arena, "%s/tessera.XXXXXX", base != NULL && *base != '\0' ? base : P_tmpdir);
    if (!ts_litter_make_folder(name)) {
        return fail(diags, name, "create the folder", errno);
    }
    *path = name;
    return TS_OK;
}

ts_status ts_dir_remove(const char *path, ts_diags *diags) {
    int error = ts_litter_remove_tree(AT_FDCWD, path);
    if (error == 0) {
        ts_litter_forget(path);
    }
    return error == 0 ? TS_OK : fail(diags, path, "remove", error);
}

uint32_t ts_crc32(const void *data, size_t size) {
    const uint8_t *bytes = data;
    uint32_t sum = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        sum ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            sum = sum >> 1 ^ (0xedb88320u & (0u - (sum & 1u)));
        }
    }
    return ~sum;
}

bool ts_file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool ts_dir_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

char *ts_path_join(ts_arena *arena, const char *a, const char *b) {
    size_t length = strlen(a);
    const char *slash = length == 0 || a[length - 1] == '/' ? "" : "/";
    return ts_arena_printf(arena, "%s%s%s", a, slash, b);
}

const char *ts_path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

char *ts_path_dir(ts_arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return ts_arena_strdup(arena, ".");
    }
    return slash == path ? ts_arena_strdup(arena, "/") : ts_arena_copy(arena, path, (size_t)(slash - path));
}
