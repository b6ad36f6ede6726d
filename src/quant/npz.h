/* NumPy's archives of arrays. */
#ifndef TS_QUANT_NPZ_H
#define TS_QUANT_NPZ_H

#include "base/file.h"

typedef struct ts_npz {
    uint32_t count;
    ts_bytes *arrays; /* *.npy files, in the order of the archive */
} ts_npz;

/* Whether `path` is FILE.npz or FILE.npz:NAME. */
bool ts_npz_is_path(const char *path);

/* All arrays of FILE.npz, or the one of FILE.npz:NAME; the arena owns their bytes. Errors: no readable
 * archive, no such array, more than 1 GB together. */
ts_status ts_npz_read(ts_arena *arena, const char *path, ts_npz *out, ts_diags *diags);

#endif
