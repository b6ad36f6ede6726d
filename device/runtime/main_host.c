/* The program on the host: app [-c CORES] [-e] WEIGHTS INPUT OUTPUT [WEIGHTS INPUT OUTPUT]...
 *
 * Three files a network of app.h, in its order: weights.bin, the bytes of all inputs, and where the outputs
 * of all layers are written one behind the other. -c: threads of the team; -e: transfers happen when they are
 * started, not when they are waited for (hal/host/dma_impl.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "hal/dma.h"
#include "hal/team.h"
#include "runtime/network.h"
#ifdef APP_CHECK
#include "runtime/check.h"
#endif

static const struct ts_network *const networks[] = {APP_NETWORKS};

enum { NETWORKS = sizeof networks / sizeof networks[0], GUARD_BYTES = 64, GUARD = 0xA5 };

static void fail(const char *what, const char *name) {
    fprintf(stderr, "app: %s: %s\n", name, what);
    exit(2);
}

/* Memory of exactly these bytes, filled with what no correct program reads, with guards on both sides. */
static uint8_t *new_memory(uint32_t bytes) {
    uint8_t *memory = malloc(bytes + 2u * GUARD_BYTES);
    if (memory == NULL) {
        fail("no memory", "app");
    }
    memset(memory, GUARD, bytes + 2u * GUARD_BYTES);
    return memory + GUARD_BYTES;
}

static void end_memory(uint8_t *memory, uint32_t bytes, const char *name) {
    for (uint32_t i = 0; i < GUARD_BYTES; i++) {
        if (memory[-1 - (int)i] != GUARD || memory[bytes + i] != GUARD) {
            fail("wrote outside of its memory", name);
        }
    }
    free(memory - GUARD_BYTES);
}

static void read_file(const char *path, uint8_t *to, uint32_t bytes) {
    FILE *in = fopen(path, "rb");
    if (in == NULL || fread(to, 1, bytes, in) != bytes || getc(in) != EOF) {
        fail("cannot be read, or has another size than expected", path);
    }
    fclose(in);
}

struct job {
    const struct ts_network *network;
    uint8_t *l1, *l2, *l3;
    uint32_t l3_bytes, weights; /* of L3: its size, and where the image begins */
    FILE *out;
};

static uint8_t *address(const struct job *job, const struct ts_place *place) {
    uint8_t *const memories[] = {[TS_IN_L2] = job->l2, [TS_IN_L3] = job->l3, [TS_IN_L1] = job->l1};
    return memories[place->memory] + place->offset;
}

static void run_network(void *argument) {
    const struct job *job = argument;
    struct ts_run run = {.l1 = job->l1, .l2 = job->l2, .weights = job->weights};
    for (uint32_t i = 0; i < job->network->layer_count; i++) {
        const struct ts_network_layer *layer = &job->network->layers[i];
        layer->run(&run);
        if (ts_core() == 0) {
            if (ts_host_dma_pending() != 0) {
                fail("left transfers that nobody waits for", layer->name);
            }
            if (fwrite(address(job, &layer->output), 1, layer->output.bytes, job->out) !=
                layer->output.bytes) {
                fail("its output cannot be written", layer->name);
            }
        }
        ts_barrier();
    }
}

static void run_files(const struct ts_network *network, uint32_t cores, char **files) {
    struct job job = {.network = network, .l3_bytes = network->l3_bytes};
#ifdef APP_WEIGHTS_AT /* here a memory of their own lies behind the other */
    job.weights = (network->l3_bytes + 3u) & ~3u;
    job.l3_bytes = job.weights + network->image_bytes;
#endif
    job.l1 = new_memory(network->l1_bytes);
    job.l2 = new_memory(network->l2_bytes);
    job.l3 = new_memory(job.l3_bytes);
    job.out = fopen(files[2], "wb");
    if (job.out == NULL) {
        fail("cannot be written", files[2]);
    }
    read_file(files[0], job.l3 + job.weights, network->image_bytes);
    uint32_t input_bytes = 0;
    for (uint32_t i = 0; i < network->input_count; i++) {
        input_bytes += network->inputs[i].bytes;
    }
    uint8_t *input = new_memory(input_bytes), *from = input;
    read_file(files[1], input, input_bytes);
    for (uint32_t i = 0; i < network->input_count; i++) {
        memcpy(address(&job, &network->inputs[i]), from, network->inputs[i].bytes);
        from += network->inputs[i].bytes;
    }
    ts_host_memory(job.l1, network->l1_bytes, job.l2, network->l2_bytes, job.l3, job.l3_bytes);
    if (ts_host_team(cores, run_network, &job) != 0) {
        fail("cannot start the threads", network->name);
    }
    if (ts_host_l3_pending() != 0) {
        fail("left L3 transfers that nobody waits for", network->name);
    }
    if (fclose(job.out) != 0) {
        fail("cannot be written", files[2]);
    }
    end_memory(input, input_bytes, network->name);
    end_memory(job.l3, job.l3_bytes, network->name);
    end_memory(job.l1, network->l1_bytes, network->name);
    end_memory(job.l2, network->l2_bytes, network->name);
}

#ifdef APP_CHECK

static void check_verdict(void) {
    const struct ts_check_found *f = &ts_check_found;
    if (f->bytes > 0) {
        fprintf(stderr, "app: layer '%s' wrote outside its buffers: %s offset %u%s%s%s, and %u bytes more\n",
                f->layer, f->memory, (unsigned)f->offset,
                f->before != NULL ? ", behind '" : ", before every buffer",
                f->before != NULL ? f->before : "", f->before != NULL ? "'" : "", (unsigned)(f->bytes - 1));
        exit(5);
    }
}

#endif

int main(int argc, char **argv) {
    uint32_t cores = 1;
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "-e") == 0) {
            ts_host_dma_early(1);
        } else if (strcmp(argv[at], "-c") == 0 && at + 1 < argc) {
            cores = (uint32_t)strtoul(argv[++at], NULL, 10);
        } else {
            fail("is no option", argv[at]);
        }
    }
    if (argc - at != 3 * NETWORKS) {
        fail("usage: app [-c CORES] [-e] WEIGHTS INPUT OUTPUT ..., three files a network", "app");
    }
    for (int i = 0; i < NETWORKS; i++) {
        run_files(networks[i], cores, &argv[at + 3 * i]);
    }
#ifdef APP_CHECK
    check_verdict();
#endif
    return 0;
}
