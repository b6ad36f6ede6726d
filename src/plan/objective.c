#include <string.h>

#include "plan/plan.h"

static const char *const objective_names[] = {"latency", "dory", "size"};

const char *ts_objective_name(ts_objective objective) { return objective_names[objective]; }

bool ts_objective_parse(const char *text, ts_objective *out) {
    for (uint32_t i = 0; i < sizeof objective_names / sizeof *objective_names; i++) {
        if (strcmp(text, objective_names[i]) == 0) {
            *out = (ts_objective)i;
            return true;
        }
    }
    return false;
}
