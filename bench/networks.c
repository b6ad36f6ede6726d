/* `make bench`: every network of bench/networks.json through `tessera run` on the simulated GAP8, beside
 * what was published for it; its time and energy at the chip's operating points; and single layers with
 * options of their own. Prints tables and writes the same figures as JSON.
 *
 * Usage: bench_networks TESSERA NETWORKS.json OUT.json [NAME]...      (names: only these networks) */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 24, PATH_BYTES = 4096 };

typedef struct bench {
    const char *tessera;
    const char *folder; /* for generated networks and run results */
    double isa_limit, ceiling;
    json_t *results;
    int missed;
} bench;

static void die(const char *what, const char *detail) {
    fprintf(stderr, "bench: %s: %s\n", what, detail);
    exit(4);
}

/* Runs a program with its standard output discarded; returns its exit status. */
static int run_quietly(const char **arguments) {
    fflush(stdout); /* the child must not print what is buffered once more */
    pid_t child = fork();
    if (child < 0) {
        die("cannot start", arguments[0]);
    }
    if (child == 0) {
        if (freopen("/dev/null", "w", stdout) == NULL) {
            _exit(4);
        }
        execv(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(4);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}

static bool generate(const bench *b, const json_t *kind, const char *path) {
    const char *arguments[MAX_ARGUMENTS] = {b->tessera, "generate"};
    size_t count = 2, index;
    json_t *word;
    json_array_foreach(kind, index, word) {
        if (count < MAX_ARGUMENTS - 3) {
            arguments[count++] = json_string_value(word);
        }
    }
    arguments[count++] = "-o";
    arguments[count++] = path;
    return run_quietly(arguments) == 0;
}

/* Where the network's model is; false where it is absent. */
static bool find_model(const bench *b, json_t *row, char path[PATH_BYTES]) {
    const char *shared = json_string_value(json_object_get(row, "shared"));
    if (shared == NULL) {
        snprintf(path, PATH_BYTES, "%s/%s.onnx", b->folder,
                 json_string_value(json_object_get(row, "network")));
        return generate(b, json_object_get(row, "generate"), path);
    }
    const char *root = getenv("TESSERA_SHARED");
    snprintf(path, PATH_BYTES, "%s/models/%s", root == NULL ? "" : root, shared);
    return root != NULL && access(path, R_OK) == 0;
}

static double best_published(json_t *row, const char **system) {
    double best = 0;
    size_t index;
    json_t *entry;
    json_array_foreach(json_object_get(row, "published"), index, entry) {
        double value = json_number_value(json_object_get(entry, "value"));
        if (value > best) {
            best = value;
            *system = json_string_value(json_object_get(entry, "system"));
        }
    }
    return best;
}

static void print_result(const bench *b, json_t *row, json_t *run) {
    const char *system = "-";
    double published = best_published(row, &system);
    double ours = json_number_value(json_object_get(run, "mac_per_cycle"));
    double modelled = json_number_value(json_object_get(run, "modelled_cycles"));
    double cycles = json_number_value(json_object_get(run, "cycles"));
    double floor = json_number_value(json_object_get(row, "floor"));
    printf("%-28s %12.0f %9.2f %9.2f %-14s %6.2f %8.1f%% %8.1f%% %8.1f%% %7.1f %-6s %s\n",
           json_string_value(json_object_get(row, "network")), cycles, ours, published, system,
           ours / published, 100 * ours / b->isa_limit, 100 * ours / b->ceiling,
           cycles > 0 ? 100 * modelled / cycles : 0, floor, ours >= floor ? "met" : "MISSED",
           json_is_true(json_object_get(run, "verified")) ? "yes" : "NO");
    fflush(stdout);
}

static void add_options(json_t *row, const char **arguments) {
    size_t count = 0, index;
    json_t *word;
    while (arguments[count] != NULL) {
        count++;
    }
    json_array_foreach(json_object_get(row, "options"), index, word) {
        if (count < MAX_ARGUMENTS - 1) {
            arguments[count++] = json_string_value(word);
        }
    }
}

static void print_time(const char *name, const char *system, const char *point, double ms, double mj) {
    printf("%-28s %-26s %-14s %9.2f %9.1f %9.2f\n", name, system, point, ms, ms > 0 ? 1000 / ms : 0, mj);
}

/* Time and energy of the networks for which such figures were published. */
static void print_times(const bench *b) {
    size_t index, inner;
    json_t *result, *entry;
    printf("\n%-28s %-26s %-14s %9s %9s %9s\n", "network", "by", "at", "ms", "frames/s", "mJ");
    json_array_foreach(b->results, index, result) {
        const char *name = json_string_value(json_object_get(result, "network"));
        json_t *times = json_object_get(result, "published_times");
        if (json_array_size(times) == 0) {
            continue;
        }
        json_array_foreach(json_object_get(json_object_get(result, "run"), "operating_points"), inner,
                           entry) {
            print_time(name, "ours, simulated", json_string_value(json_object_get(entry, "name")),
                       1000 * json_number_value(json_object_get(entry, "seconds")),
                       json_number_value(json_object_get(entry, "energy_uj")) / 1000);
        }
        json_array_foreach(times, inner, entry) {
            print_time(name, json_string_value(json_object_get(entry, "system")),
                       json_string_value(json_object_get(entry, "at")),
                       json_number_value(json_object_get(entry, "ms")),
                       json_number_value(json_object_get(entry, "mJ")));
        }
    }
}

static bool is_in(const json_t *names, const char *name) {
    size_t index;
    json_t *entry;
    json_array_foreach(names, index, entry) {
        if (strcmp(json_string_value(entry), name) == 0) {
            return true;
        }
    }
    return false;
}

/* MACs by cycles of all layers of a group, and the mean of theirs; keeps both in the group. */
static void sum_group(json_t *group, json_t *run) {
    double macs = 0, cycles = 0, each = 0;
    size_t index, count = 0;
    json_t *layer;
    json_array_foreach(json_object_get(run, "layers"), index, layer) {
        if (is_in(json_object_get(group, "layers"), json_string_value(json_object_get(layer, "name")))) {
            macs += json_number_value(json_object_get(layer, "macs"));
            cycles += json_number_value(json_object_get(layer, "cycles"));
            each += json_number_value(json_object_get(layer, "mac_per_cycle"));
            count++;
        }
    }
    json_object_set_new(group, "mac_per_cycle", json_real(cycles > 0 ? macs / cycles : 0));
    json_object_set_new(group, "mean_mac_per_cycle", json_real(count > 0 ? each / (double)count : 0));
}

/* Groups of layers, their transfers included, beside what was published for such layers. */
static void print_groups(bench *b) {
    size_t index, inner, last;
    json_t *result, *group, *entry;
    json_array_foreach(b->results, index, result) {
        json_array_foreach(json_object_get(result, "layer_groups"), inner, group) {
            double ours = json_number_value(json_object_get(group, "mac_per_cycle"));
            double floor = json_number_value(json_object_get(group, "floor"));
            printf("\n%-28s %-20s %6.2f MAC/cycle, mean of layers %6.2f",
                   json_string_value(json_object_get(result, "network")),
                   json_string_value(json_object_get(group, "group")), ours,
                   json_number_value(json_object_get(group, "mean_mac_per_cycle")));
            if (floor > 0) {
                printf(", floor %5.1f %s", floor, ours >= floor ? "met" : "MISSED");
            }
            json_array_foreach(json_object_get(group, "published"), last, entry) {
                printf("%s %s %.3g", last == 0 ? "; published:" : ",",
                       json_string_value(json_object_get(entry, "system")),
                       json_number_value(json_object_get(entry, "value")));
            }
            b->missed += ours < floor;
        }
    }
    printf("\n");
}

static void measure(bench *b, json_t *row) {
    const char *name = json_string_value(json_object_get(row, "network"));
    char model[PATH_BYTES], result[PATH_BYTES];
    if (!find_model(b, row, model)) {
        printf("%-28s skipped: its model is not here\n", name);
        return;
    }
    snprintf(result, sizeof result, "%s/%s.json", b->folder, name);
    const char *arguments[MAX_ARGUMENTS] = {b->tessera, "run", model, "--target", "gap8", "--json", result};
    add_options(row, arguments);
    int status = run_quietly(arguments);
    json_error_t error;
    json_t *run = status == 0 || status == 1 ? json_load_file(result, 0, &error) : NULL;
    if (run == NULL) {
        printf("%-28s FAILED: tessera run ended with status %d\n", name, status);
        b->missed++;
        return;
    }
    print_result(b, row, run);
    bool met = json_number_value(json_object_get(run, "mac_per_cycle")) >=
               json_number_value(json_object_get(row, "floor"));
    b->missed += !met || !json_is_true(json_object_get(run, "verified"));
    json_t *kept =
        json_pack("{s:s, s:O, s:O, s:o}", "network", name, "published", json_object_get(row, "published"),
                  "floor", json_object_get(row, "floor"), "run", run);
    json_t *times = json_object_get(row, "published_times");
    if (times != NULL) {
        json_object_set(kept, "published_times", times);
    }
    json_t *groups = json_object_get(row, "layer_groups"), *group;
    size_t index;
    json_array_foreach(groups, index, group) { sum_group(group, run); }
    if (groups != NULL) {
        json_object_set(kept, "layer_groups", groups);
    }
    json_array_append_new(b->results, kept);
}

static bool wanted(const char *name, int count, char **names) {
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return count == 0;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "Usage: bench_networks TESSERA NETWORKS.json OUT.json [NAME]...\n");
        return 2;
    }
    json_error_t error;
    json_t *networks = json_load_file(argv[2], JSON_REJECT_DUPLICATES, &error);
    if (networks == NULL) {
        die(argv[2], error.text);
    }
    char folder[] = P_tmpdir "/tessera-bench.XXXXXX";
    if (mkdtemp(folder) == NULL) {
        die("cannot create a folder", folder);
    }
    bench b = {.tessera = argv[1],
               .folder = folder,
               .isa_limit = json_number_value(json_object_get(networks, "isa_limit_mac_per_cycle")),
               .ceiling = json_number_value(json_object_get(networks, "kernel_ceiling_mac_per_cycle")),
               .results = json_array()};
    printf("%-28s %12s %9s %9s %-14s %6s %9s %9s %9s %7s %-6s %s\n", "network", "cycles", "MAC/cycle",
           "published", "by", "ratio", "of ISA", "of 4x4", "modelled", "floor", "", "verified");
    size_t index;
    json_t *row;
    json_array_foreach(json_object_get(networks, "rows"), index, row) {
        if (wanted(json_string_value(json_object_get(row, "network")), argc - 4, argv + 4)) {
            measure(&b, row);
        }
    }
    print_groups(&b);
    print_times(&b);
    if (json_dump_file(b.results, argv[3], JSON_INDENT(2)) != 0) {
        die("cannot write", argv[3]);
    }
    json_decref(b.results);
    json_decref(networks);
    return b.missed == 0 ? 0 : 1;
}
