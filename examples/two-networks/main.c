/* Two networks in one program, on the host: they share L1 and L2, one after the other, and each has its
 * weights in its own part of L3. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "first/network.h"
#include "hal/dma.h"
#include "second/network.h"

enum { L1_BYTES = 64 * 1024, L2_BYTES = 512 * 1024, L3_BYTES = 8 * 1024 * 1024 };

static uint8_t l1[L1_BYTES], l2[L2_BYTES], l3[L3_BYTES];

static void load_weights(const char *path, const struct ts_network *network, uint32_t at) {
    FILE *in = fopen(path, "rb");
    if (in == NULL || fread(l3 + at, 1, network->image_bytes, in) != network->image_bytes) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    fclose(in);
}

typedef int run_function(void *l1, uint32_t l1_bytes, void *l2, uint32_t l2_bytes, uint32_t l3);

static void infer(const struct ts_network *network, run_function *run, uint32_t weights) {
    const struct ts_place *in = &network->inputs[0], *out = &network->outputs[0];
    memset(l2 + in->offset, 100, in->bytes);
    if (run(l1, sizeof l1, l2, sizeof l2, weights) != 0) {
        fprintf(stderr, "%s needs more memory\n", network->name);
        exit(1);
    }
    uint32_t sum = 0;
    for (uint32_t i = 0; i < out->bytes; i++) {
        sum += l2[out->offset + i];
    }
    printf("%s: %u layers, %u bytes of output, checksum %u\n", network->name, network->layer_count,
           out->bytes, sum);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        return 1;
    }
    uint32_t second_weights = (first_network.l3_bytes + 15) / 16 * 16;
    load_weights(argv[1], &first_network, 0);
    load_weights(argv[2], &second_network, second_weights);
    ts_host_memory(l1, sizeof l1, l2, sizeof l2, l3, sizeof l3);
    infer(&first_network, first_run, 0);
    infer(&second_network, second_run, second_weights);
    infer(&first_network, first_run, 0);
    return 0;
}
