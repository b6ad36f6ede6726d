#include <stdio.h>

#include "cli/cmd.h"

int ts_cmd_version(int argc, char **argv) {
    (void)argc;
    (void)argv;
    puts("tessera " TESSERA_VERSION);
    return TS_OK;
}
