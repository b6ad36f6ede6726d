/* The text form of a graph; what is read is printed and read again. */
#include <string.h>

#include "fuzz.h"
#include "ir/text_form.h"

static void read(ts_bytes file, ts_diags *diags) {
    ts_graph *graph, *again;
    ts_status status = ts_graph_parse(diags->arena, file, &graph, diags);
    ts_fuzz_check(status, diags);
    if (status != TS_OK) {
        return;
    }
    ts_text first = {.arena = diags->arena}, second = {.arena = diags->arena};
    ts_graph_print(&first, graph);
    ts_bytes text = {(const uint8_t *)first.data, first.size};
    TS_ASSERT(ts_graph_parse(diags->arena, text, &again, diags) == TS_OK, "fuzz graph text");
    ts_graph_print(&second, again);
    TS_ASSERT(first.size == second.size && memcmp(first.data, second.data, first.size) == 0,
              "fuzz graph text");
}

TS_FUZZ_TARGET(read)
