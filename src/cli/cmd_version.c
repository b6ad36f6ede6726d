#include <stdio.h>

#include "cli/cmd.h"
#include "cli/options.h"

int ts_cmd_version(int argc, char **argv) {
    ts_cli_parse_none(argc, argv, "Print the version.");
    puts("tessera " TESSERA_VERSION);
    return TS_OK;
}
