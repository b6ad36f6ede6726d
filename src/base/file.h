/* Files: whole-file reads with a size limit, writes that appear whole or not at all. */
#ifndef TS_BASE_FILE_H
#define TS_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

typedef struct ts_bytes {
    const uint8_t *data;
    size_t size;
} ts_bytes;

/* Reads a regular file of at most `limit_bytes` into the arena; a NUL follows the last byte.
 * Directories, devices, unreadable and larger files are errors that name the path. */
ts_status ts_file_read(ts_arena *arena, const char *path, size_t limit_bytes, ts_bytes *out, ts_diags *diags);

/* Writes beside `path` and renames: readers see the old file or the new one, never a part. A link is
 * followed; a device or a pipe is written to. */
ts_status ts_file_write(const char *path, const void *data, size_t size, ts_diags *diags);

/* Before long work whose result goes to `path`: fails as ts_file_write() would, where its folder is missing
 * or cannot be written or `path` is a folder, and changes nothing. NULL: nothing is to be written. */
ts_status ts_file_may_write(const char *path, ts_diags *diags);

/* Creates a directory and its missing parents; an existing directory is no error. */
ts_status ts_dir_create(const char *path, ts_diags *diags);

/* Creates a fresh private directory under the system's folder for temporary files. */
ts_status ts_dir_temporary(ts_arena *arena, const char **path, ts_diags *diags);

/* Removes a directory tree. Missing is no error; symbolic links are removed, not followed. */
ts_status ts_dir_remove(const char *path, ts_diags *diags);

/* CRC-32 (IEEE 802.3, reflected), as in gzip and PNG. */
uint32_t ts_crc32(const void *data, size_t size);

bool ts_file_exists(const char *path);
bool ts_dir_exists(const char *path);

/* "a/b", whichever slashes a ends with; and the last component of a path. */
char *ts_path_join(ts_arena *arena, const char *a, const char *b);
const char *ts_path_base(const char *path);
char *ts_path_dir(ts_arena *arena, const char *path);

#endif
