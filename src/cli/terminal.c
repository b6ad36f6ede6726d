#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { OPTION_COLOR = 960 };

typedef enum colour_when { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER } colour_when;

/* The program's own, as the terminal is: set once, while options are read. */
static colour_when when = COLOUR_AUTO;

static const struct argp_option options[] = {
    {"color", OPTION_COLOR, "auto|always|never", 0,
     "Colours: on a terminal, where NO_COLOR is not set (auto), or as said", -1},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state) {
    static const char *const words[] = {"auto", "always", "never"};
    if (key != OPTION_COLOR) {
        return ARGP_ERR_UNKNOWN;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i]) == 0) {
            when = (colour_when)i;
            return 0;
        }
    }
    argp_error(state, "'%s' is not what --color takes: auto, always or never", text);
    return EINVAL;
}

const struct argp ts_cli_terminal_argp = {.options = options, .parser = parse};

const struct argp_child ts_cli_terminal_children[] = {{&ts_cli_terminal_argp, 0, NULL, 0}, {0}};

static bool is_set(const char *name) {
    const char *value = getenv(name);
    return value != NULL && *value != '\0';
}

bool ts_cli_terminal_is_dumb(void) { return !is_set("TERM") || strcmp(getenv("TERM"), "dumb") == 0; }

static bool has_colours(bool terminal) {
    return when == COLOUR_ALWAYS ||
           (when == COLOUR_AUTO && terminal && !is_set("NO_COLOR") && !ts_cli_terminal_is_dumb());
}

ts_screen ts_cli_screen(FILE *stream) {
    struct winsize size = {0};
    int file = fileno(stream);
    bool terminal = isatty(file) != 0, sized = terminal && ioctl(file, TIOCGWINSZ, &size) == 0;
    return (ts_screen){.width = sized ? size.ws_col : 0, .colour = has_colours(terminal)};
}

void ts_cli_show(const ts_table *table) {
    ts_text text = {.arena = table->arena};
    ts_table_print(&text, table, ts_cli_screen(stdout));
    fwrite(text.data, 1, text.size, stdout);
}
