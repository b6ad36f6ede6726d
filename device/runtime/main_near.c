/* The program of a chip with one core and without L3: runs the networks of app.h one after another, each on
 * the inputs in the files run-N-I.input, and writes the outputs of all its layers, one behind the other, to
 * run-N.output. It proves a network; an application has its own main() and calls NAME_run(). */
#include "app.h"
#include "hal/near/machine.h"
#include "runtime/network.h"

static const struct ts_network *const networks[] = {APP_NETWORKS};

enum { NETWORKS = sizeof networks / sizeof networks[0], FILL = 0xA5 };
enum { DONE = 0, NO_FILE = 2, OUTSIDE = 3, NAME_BYTES = 40 };

/* The network's memories, to the byte, with guards where the platform has room for them. */
#ifdef APP_L1_BYTES
TS_L1_SECTION uint32_t ts_app_l1[(APP_L1_BYTES + 2 * TS_GUARD_BYTES + 3) / 4];
TS_L2_SECTION uint32_t ts_app_l2[(APP_L2_BYTES + 2 * TS_GUARD_BYTES + 3) / 4];
#else
TS_L1_SECTION uint32_t ts_app_l2[(APP_L2_BYTES + 2 * TS_GUARD_BYTES + 3) / 4];
#endif

/* Entered after each layer: a place for breakpoints and counters. */
void ts_layer_done(void);

__attribute__((noinline)) void ts_layer_done(void) { __asm__ volatile("" ::: "memory"); }

static void fill(uint32_t *memory, uint32_t bytes) {
    uint8_t *at = (uint8_t *)memory;
    for (uint32_t i = 0; i < bytes; i++) {
        at[i] = FILL;
    }
}

static uint8_t *inside(uint32_t *memory) { return (uint8_t *)memory + TS_GUARD_BYTES; }

/* Are the guards of a memory of `bytes` untouched? */
static int guarded(uint32_t *memory, uint32_t bytes) {
    (void)memory, (void)bytes;
#if TS_GUARD_BYTES > 0
    const uint8_t *at = (const uint8_t *)memory, *end = at + TS_GUARD_BYTES + bytes;
    for (uint32_t i = 0; i < TS_GUARD_BYTES; i++) {
        if (at[i] != FILL || end[i] != FILL) {
            return 0;
        }
    }
#endif
    return 1;
}

static char *add_text(char *to, const char *text) {
    while (*text != 0) {
        *to++ = *text++;
    }
    *to = 0;
    return to;
}

static char *add_number(char *to, uint32_t value) {
    char digits[12];
    uint32_t n = sizeof digits;
    digits[--n] = 0;
    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return add_text(to, &digits[n]);
}

static int fail(int status, const char *what) {
    ts_put_text(what);
    ts_put_text("\n");
    return status;
}

/* The files of network `number` in app.h: run-N-I.input for its input I, run-N.output. */
static int read_inputs(uint32_t number, const struct ts_network *network, uint8_t *l2) {
    char name[NAME_BYTES];
    for (uint32_t i = 0; i < network->input_count; i++) {
        char *at = add_number(add_text(name, "run-"), number);
        add_text(add_number(add_text(at, "-"), i), ".input");
        if (ts_file_read(name, l2 + network->inputs[i].offset, network->inputs[i].bytes) != 0) {
            return fail(NO_FILE, "an input cannot be read, or has another size than expected");
        }
    }
    return DONE;
}

static int run_layers(const struct ts_network *network, struct ts_run *run, int32_t file) {
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const struct ts_network_layer *layer = &network->layers[i];
        layer->run(run);
        ts_layer_done();
        if (ts_file_append(file, run->l2 + layer->output.offset, layer->output.bytes) != 0) {
            return fail(NO_FILE, "an output cannot be written");
        }
    }
    return DONE;
}

static int run_network(uint32_t number) {
    const struct ts_network *network = networks[number];
    struct ts_run run = {.l2 = inside(ts_app_l2)};
    char name[NAME_BYTES];
    fill(ts_app_l2, sizeof ts_app_l2);
#ifdef APP_L1_BYTES
    fill(ts_app_l1, sizeof ts_app_l1);
    run.l1 = inside(ts_app_l1);
#endif
    int status = read_inputs(number, network, run.l2);
    add_text(add_number(add_text(name, "run-"), number), ".output");
    int32_t file = status == DONE ? ts_file_create(name) : 0;
    if (status != DONE || file < 0) {
        return status != DONE ? status : fail(NO_FILE, "an output cannot be written");
    }
    status = run_layers(network, &run, file);
    ts_file_close(file);
    int whole = guarded(ts_app_l2, network->l2_bytes);
#ifdef APP_L1_BYTES
    whole = whole && guarded(ts_app_l1, network->l1_bytes);
#endif
    return status != DONE || whole ? status : fail(OUTSIDE, "the network wrote outside of its memory");
}

int ts_program(void) {
    for (uint32_t i = 0; i < NETWORKS; i++) {
        int status = run_network(i);
        if (status != DONE) {
            return status;
        }
    }
    if (ts_stack_bytes() > 0) {
        char line[40], *at = add_number(add_text(line, "stack "), ts_stack_used());
        add_text(add_number(add_text(at, " of "), ts_stack_bytes()), "\n");
        ts_put_text(line);
    }
    return DONE;
}
