#include <signal.h>
#include <stddef.h>

#include "base/litter.h"
#include "cli/cmd.h"

/* Removes what is half done, and ends as the signal does. */
static void end(int signal_number) {
    ts_litter_remove();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* A signal that is ignored (nohup) stays so. */
static void tidy_up_on(int signal_number) {
    struct sigaction now, then = {.sa_handler = end};
    sigfillset(&then.sa_mask);
    if (sigaction(signal_number, NULL, &now) == 0 && now.sa_handler != SIG_IGN) {
        sigaction(signal_number, &then, NULL);
    }
}

int main(int argc, char **argv) {
    tidy_up_on(SIGINT);
    tidy_up_on(SIGTERM);
    tidy_up_on(SIGHUP);
    return ts_cli_main(argc, argv);
}
