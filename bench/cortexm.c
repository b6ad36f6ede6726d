/* `make bench`: layers and networks on the Cortex-M4 of QEMU, instructions counted exactly, beside CMSIS-NN
 * and TensorFlow Lite Micro (bench/cortexm.json). Every layer that is counted is verified too. Prints tables
 * and writes the figures as JSON; without QEMU or the compiler it says so and does nothing.
 *
 * Usage: bench_cortexm TESSERA CORTEXM.json OUT.json */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 24, PATH_BYTES = 4096, CANNOT = 4 };

typedef struct bench {
    const char *tessera, *target, *folder;
    json_t *results;
    int missed;
} bench;

static void die(const char *what, const char *detail) {
    fprintf(stderr, "bench: %s: %s\n", what, detail);
    exit(CANNOT);
}

/* Runs a program with its standard output discarded; returns its exit status. */
static int run_quietly(const char **arguments) {
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) {
        die("cannot start", arguments[0]);
    }
    if (child == 0) {
        bool silent = freopen("/dev/null", "w", stdout) != NULL;
        if (silent) {
            execvp(arguments[0], (char *const *)(uintptr_t)arguments);
        }
        _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : CANNOT;
}

static bool have(const char *program) {
    const char *arguments[] = {program, "--version", NULL};
    return run_quietly(arguments) == 0;
}

/* The run's JSON; NULL where it failed or something was not equal to the reference. */
static json_t *run_model(const bench *b, const char *model) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/run.json", b->folder);
    const char *arguments[] = {b->tessera, "run", model, "--target", b->target, "--json", path, NULL};
    return run_quietly(arguments) == 0 ? json_load_file(path, 0, NULL) : NULL;
}

static json_t *run_generated(const bench *b, const json_t *words) {
    char path[PATH_BYTES];
    const char *arguments[MAX_ARGUMENTS] = {b->tessera, "generate"};
    size_t count = 2, index;
    json_t *word;
    snprintf(path, sizeof path, "%s/layer.tsg", b->folder);
    json_array_foreach((json_t *)(uintptr_t)words, index, word) {
        if (count < MAX_ARGUMENTS - 3) {
            arguments[count++] = json_string_value(word);
        }
    }
    arguments[count++] = "-o";
    arguments[count++] = path;
    return run_quietly(arguments) == 0 ? run_model(b, path) : NULL;
}

static json_int_t integer_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static void layer(bench *b, json_t *row) {
    json_t *run = run_generated(b, json_object_get(row, "generate"));
    const char *name = json_string_value(json_object_get(row, "name"));
    if (run == NULL) {
        die("the layer does not run, or is not equal to the reference", name);
    }
    json_t *found = json_array_get(json_object_get(run, "layers"), (size_t)integer_of(row, "layer"));
    json_int_t ours = integer_of(found, "instructions"), macs = integer_of(found, "macs");
    double theirs = json_number_value(json_object_get(row, "cmsis"));
    double asked = json_number_value(json_object_get(row, "factor")), factor = theirs / (double)ours;
    char per_mac[16] = "-", wanted[16] = "-", peer[24] = "-", times[16] = "-";
    if (macs > 0) {
        snprintf(per_mac, sizeof per_mac, "%.2f", (double)ours / (double)macs);
    }
    if (asked > 0) {
        snprintf(wanted, sizeof wanted, "%.1f", asked);
    }
    if (theirs > 0) {
        snprintf(peer, sizeof peer, "%.0f", theirs);
        snprintf(times, sizeof times, "%.2f", factor);
    }
    b->missed += factor < asked;
    printf("%-26s %-23s %10lld %8s %12s %6s %6s%s\n", name,
           json_string_value(json_object_get(found, "kernel")), (long long)ours, per_mac, peer, times, wanted,
           factor < asked ? "  missed" : "");
    json_array_append_new(b->results, json_pack("{s:s, s:I, s:f, s:f}", "name", name, "instructions", ours,
                                                "cmsis", theirs, "factor", factor));
    json_decref(run);
}

static void network(bench *b, json_t *row, const char *shared) {
    char path[PATH_BYTES];
    const char *name = json_string_value(json_object_get(row, "name"));
    snprintf(path, sizeof path, "%s/models/%s", shared == NULL ? "" : shared,
             json_string_value(json_object_get(row, "model")));
    if (shared == NULL || access(path, R_OK) != 0) {
        printf("%-26s left out: its model is not there (TESSERA_SHARED)\n", name);
        return;
    }
    json_t *run = run_model(b, path);
    if (run == NULL) {
        die("the network does not run, or is not equal to the reference", name);
    }
    json_int_t ours = integer_of(run, "instructions"), ram = integer_of(run, "l2_bytes");
    json_int_t theirs = integer_of(row, "instructions"), arena = integer_of(row, "arena");
    json_int_t most = integer_of(row, "most"), most_ram = integer_of(row, "most_ram");
    char share[16] = "-", ram_share[16] = "-"; /* of a peer that was not measured */
    if (theirs > 0) {
        snprintf(share, sizeof share, "%.2f", (double)ours / (double)theirs);
        snprintf(ram_share, sizeof ram_share, "%.2f", (double)ram / (double)arena);
    }
    b->missed += (most > 0 && ours > most) || (most_ram > 0 && ram > most_ram);
    printf("%-26s %10lld %12lld %6s %8lld %8lld %6s\n", name, (long long)ours, (long long)theirs, share,
           (long long)ram, (long long)arena, ram_share);
    json_array_append_new(
        b->results, json_pack("{s:s, s:I, s:I, s:I, s:I}", "name", name, "instructions", ours, "tflm", theirs,
                              "ram_bytes", ram, "tflm_arena_bytes", arena));
    json_decref(run);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fputs("usage: bench_cortexm TESSERA CORTEXM.json OUT.json\n", stderr);
        return 2;
    }
    if (!have("qemu-system-arm") || !have("arm-none-eabi-gcc")) {
        puts("Cortex-M: left out; qemu-system-arm or arm-none-eabi-gcc is not installed");
        return 0;
    }
    json_t *table = json_load_file(argv[2], 0, NULL);
    char folder[PATH_BYTES - 64], path[PATH_BYTES];
    snprintf(folder, sizeof folder, "%s.XXXXXX", argv[3]);
    if (table == NULL || mkdtemp(folder) == NULL) {
        die("cannot read, or cannot make a folder beside the results", argv[2]);
    }
    bench b = {.tessera = argv[1], .folder = folder, .results = json_array()};
    b.target = json_string_value(json_object_get(table, "target"));
    size_t index;
    json_t *row;
    printf("%-26s %-23s %10s %8s %12s %6s %6s\n", "layer", "kernel", "instr.", "per MAC", "CMSIS-NN",
           "factor", "asked");
    json_array_foreach(json_object_get(table, "layers"), index, row) { layer(&b, row); }
    printf("\n%-26s %10s %12s %6s %8s %8s %6s\n", "network", "instr.", "TFLM", "share", "RAM", "arena",
           "share");
    json_array_foreach(json_object_get(table, "networks"), index, row) {
        network(&b, row, getenv("TESSERA_SHARED"));
    }
    printf("\n%d of the asked figures missed\n", b.missed);
    json_dump_file(b.results, argv[3], JSON_INDENT(1));
    snprintf(path, sizeof path, "%s/run.json", folder);
    remove(path);
    snprintf(path, sizeof path, "%s/layer.tsg", folder);
    remove(path);
    rmdir(folder);
    json_decref(b.results);
    json_decref(table);
    return 0;
}
