/* A network through Tessera without starting a process: what it needs, a run on the simulated chip, the page,
 * and what is in it for other programs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <tessera.h>

static void print(void *user, const char *text) {
    (void)user;
    fprintf(stderr, "%s\n", text);
}

int main(int argc, char **argv) {
    tessera_options options = {.target = "gap8", .seed = 1, .message = print};
    uint64_t l1, l2;
    if (argc != 2) {
        fprintf(stderr, "usage: %s MODEL\n", argv[0]);
        return 2;
    }
    int status = tessera_smallest(argv[1], &options, &l1, &l2);
    if (status == 0) {
        printf("fits from %" PRIu64 " kB of L1 and %" PRIu64 " kB of L2 on\n", (l1 + 1023) / 1024,
               (l2 + 1023) / 1024);
        status = tessera_run(argv[1], &options, "run.json");
    }
    if (status == 0) {
        printf("every layer verified on %s\n", options.target);
        status = tessera_report("run.json", NULL, &options, "run.html");
    }
    if (status == 0) {
        status = tessera_inspect(argv[1], &options, "network.json");
    }
    return status;
}
