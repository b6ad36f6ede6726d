/* Data sets: NumPy archives and arrays, MNIST idx files and CSV tables, as samples and as labels. */
#include "fuzz.h"
#include "quant/data_internal.h"

static void read(ts_bytes file, ts_diags *diags) {
    ts_bytes member = file;
    ts_data data = {0};
    const int32_t *labels;
    const char **cells;
    uint32_t count;
    bool known;
    if (file.size > 2 && file.data[0] == 'P' && file.data[1] == 'K') {
        ts_status status = ts__npz_member(diags->arena, "fuzz", file, "x", true, &member, diags);
        ts_fuzz_check(status, diags);
        if (status != TS_OK) {
            return;
        }
    }
    ts_fuzz_check(ts__data_array(diags->arena, "fuzz", member, file.size % 2 == 1, &data, &known, diags),
                  diags);
    ts_diags other = {.arena = diags->arena}, third = {.arena = diags->arena};
    ts_fuzz_check(ts__data_vector(diags->arena, "fuzz", member, &labels, &count, &known, &other), &other);
    if (!known) {
        ts_fuzz_check(ts__csv_parse(diags->arena, "fuzz", member, "label", &cells, &count, &third), &third);
    }
}

TS_FUZZ_TARGET(read)
