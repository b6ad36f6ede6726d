/* The program on a chip: runs the networks of app.h one after another.
 *
 * Plain: weights and inputs are put into the memories from outside (a debugger, a simulator), which also
 * looks at the outputs; the program itself says nothing.
 * With APP_SELF_CHECK the weights lie in L3 already (start-up copied them), the input comes with the
 * program, and it prints each layer's cycles and the checksum of its output, and a verdict. */
#include "app.h"
#include "hal/boot.h"
#include "hal/dma.h"
#include "hal/team.h"
#include "runtime/network.h"
#ifdef APP_CHECK
#include "runtime/check.h"
#endif

enum { APP_DONE = 0, APP_DIFFERS = 1, APP_NO_ROOM = 3, APP_OVERRUN = 5 };

/* Core 0 comes here when the last layer of a network is complete: a place for breakpoints. */
void ts_network_done(uint32_t network);

__attribute__((noinline)) void ts_network_done(uint32_t network) { __asm__ volatile("" ::"r"(network)); }

#ifdef APP_SELF_CHECK

extern const uint8_t app_input[], app_input_end[];
static const uint32_t expected_sums[] = {APP_EXPECTED_SUMS};
static uint32_t differing;

/* Through which activations that live in L3 are read and written. */
static uint8_t window[1024];

static uint32_t sum_of(const uint8_t *data, uint32_t bytes) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        sum += data[i];
    }
    return sum;
}

static uint32_t part_of(uint32_t bytes) { return bytes < sizeof window ? bytes : sizeof window; }

static uint32_t sum_of_place(const struct ts_place *place, const struct ts_run *run) {
    if (place->memory != TS_IN_L3) {
        return sum_of((place->memory == TS_IN_L1 ? run->l1 : run->l2) + place->offset, place->bytes);
    }
    uint32_t sum = 0;
    for (uint32_t done = 0, part; done < place->bytes; done += part) {
        part = part_of(place->bytes - done);
        ts_l3_wait(ts_l3_read(window, run->l3 + place->offset + done, part));
        sum += sum_of(window, part);
    }
    return sum;
}

static void copy(uint8_t *to, const uint8_t *from, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i++) {
        to[i] = from[i];
    }
}

static void put_place(const struct ts_place *place, const struct ts_run *run, const uint8_t *from) {
    if (place->memory != TS_IN_L3) {
        copy(run->l2 + place->offset, from, place->bytes);
        return;
    }
    for (uint32_t done = 0, part; done < place->bytes; done += part) {
        part = part_of(place->bytes - done);
        copy(window, from + done, part);
        ts_l3_wait(ts_l3_write(run->l3 + place->offset + done, window, part));
    }
}

static void before_network(const struct ts_network *network, const struct ts_run *run) {
    const uint8_t *from = app_input;
    for (uint32_t i = 0; i < network->input_count; i++) {
        put_place(&network->inputs[i], run, from);
        from += network->inputs[i].bytes;
    }
}

static void after_layer(const struct ts_network *network, const struct ts_run *run, uint32_t layer,
                        uint32_t cycles) {
    uint32_t sum = sum_of_place(&network->layers[layer].output, run);
    ts_put_text("layer ");
    ts_put_u32(layer);
    ts_put_text(" cycles ");
    ts_put_u32(cycles);
    ts_put_text(" checksum ");
    ts_put_hex(sum);
    ts_put_text(sum == expected_sums[layer] ? " ok " : " DIFFERS ");
    ts_put_text(network->layers[layer].name);
    ts_put_char('\n');
    differing += sum != expected_sums[layer];
}

static int verdict(const struct ts_network *network) {
    ts_put_text(differing == 0 ? "verified: " : "NOT verified: ");
    ts_put_text(network->name);
    ts_put_char('\n');
    return differing == 0 ? APP_DONE : APP_DIFFERS;
}

#endif

#ifdef APP_CHECK

static int check_verdict(void) {
    const struct ts_check_found *f = &ts_check_found;
    if (f->bytes == 0) {
        return APP_DONE;
    }
    ts_put_text("layer '");
    ts_put_text(f->layer);
    ts_put_text("' wrote outside its buffers: ");
    ts_put_text(f->memory);
    ts_put_text(" offset ");
    ts_put_u32(f->offset);
    ts_put_text(f->before != 0 ? ", behind '" : ", before every buffer");
    ts_put_text(f->before != 0 ? f->before : "");
    ts_put_text(f->before != 0 ? "', and " : ", and ");
    ts_put_u32(f->bytes - 1u);
    ts_put_text(" bytes more\n");
    return APP_OVERRUN;
}

#endif

static int run_network(uint32_t number, const struct ts_network *network) {
    uint32_t l1_bytes, l2_bytes;
    struct ts_run run = {.l1 = ts_l1_memory(&l1_bytes), .l2 = ts_l2_memory(&l2_bytes)};
    if (l1_bytes < network->l1_bytes || l2_bytes < network->l2_bytes) {
        if (ts_core() == 0) {
            ts_put_text("the memory of this chip does not hold the network\n");
        }
        return APP_NO_ROOM;
    }
#ifdef APP_WEIGHTS_AT
    run.weights = APP_WEIGHTS_AT;
#endif
#ifdef APP_SELF_CHECK
    if (ts_core() == 0) {
        before_network(network, &run);
    }
#endif
    ts_barrier();
    for (uint32_t i = 0; i < network->layer_count; i++) {
#ifdef APP_SELF_CHECK
        uint32_t begin = ts_cycles();
        network->layers[i].run(&run);
        uint32_t end = ts_cycles();
        if (ts_core() == 0) {
            after_layer(network, &run, i, end - begin);
        }
        ts_barrier();
#else
        network->layers[i].run(&run);
#endif
    }
    if (ts_core() == 0) {
        ts_network_done(number);
    }
    return APP_DONE;
}

int ts_program(void) {
    static const struct ts_network *const networks[] = {APP_NETWORKS};
    for (uint32_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        int status = run_network(i, networks[i]);
        if (status != APP_DONE) {
            return status;
        }
    }
#ifdef APP_CHECK
    if (ts_core() == 0 && check_verdict() != APP_DONE) {
        return APP_OVERRUN;
    }
#endif
#ifdef APP_SELF_CHECK
    if (ts_core() == 0) {
        return verdict(networks[0]);
    }
#endif
    return APP_DONE;
}
