/* Pictures: PNG, JPEG, and tar archives of them, packed by gzip or xz or not. */
#include <string.h>

#include "fuzz.h"
#include "quant/data_internal.h"

static void read(ts_bytes packed, ts_diags *diags) {
    ts_bytes file;
    ts_data data;
    uint32_t h, w;
    const uint8_t *pixels;
    ts_status status = ts__data_unpack(diags->arena, "fuzz", packed, &file, diags);
    ts_fuzz_check(status, diags);
    if (status != TS_OK) {
        return;
    }
    if (file.size > 4 &&
        (memcmp(file.data, "\x89PNG", 4) == 0 || memcmp(file.data, "\xff\xd8\xff", 3) == 0)) {
        status = ts__picture_decode(diags->arena, "fuzz", file, 3, &h, &w, &pixels, diags);
    } else {
        status = ts__data_tar(diags->arena, "fuzz", &file, NULL, 1, &data, diags);
    }
    ts_fuzz_check(status, diags);
}

TS_FUZZ_TARGET(read)
