#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

uint32_t ts_cli_terminal_width(void) {
    struct winsize size = {0};
    return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
