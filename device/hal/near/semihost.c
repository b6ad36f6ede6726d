/* hal/near/machine.h by semihosting, and the start of the program. */
#include "hal/near/machine.h"

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_EXIT_EXTENDED = 0x20
};
enum { MODE_READ = 1, MODE_WRITE = 5, APPLICATION_EXIT = 0x20026, STACK_PAINT = 0xA5 };

/* Given by link.ld. */
extern uint8_t ts_stack_bottom[], ts_stack_top[];

void ts_start(void);

static uint32_t length_of(const char *text) {
    uint32_t n = 0;
    while (text[n] != 0) {
        n++;
    }
    return n;
}

static int32_t open_file(const char *name, uint32_t mode) {
    const uint32_t arguments[] = {(uint32_t)(uintptr_t)name, mode, length_of(name)};
    return ts_semihost(SYS_OPEN, arguments);
}

int ts_file_read(const char *name, void *to, uint32_t bytes) {
    int32_t file = open_file(name, MODE_READ);
    if (file < 0) {
        return 1;
    }
    uint8_t beyond;
    const uint32_t all[] = {(uint32_t)file, (uint32_t)(uintptr_t)to, bytes};
    const uint32_t rest[] = {(uint32_t)file, (uint32_t)(uintptr_t)&beyond, 1};
    int failed =
        ts_semihost(SYS_READ, all) != 0 || ts_semihost(SYS_READ, rest) != 1; /* counts what is missing */
    ts_file_close(file);
    return failed;
}

int32_t ts_file_create(const char *name) { return open_file(name, MODE_WRITE); }

int ts_file_append(int32_t file, const void *from, uint32_t bytes) {
    const uint32_t arguments[] = {(uint32_t)file, (uint32_t)(uintptr_t)from, bytes};
    return ts_semihost(SYS_WRITE, arguments) != 0;
}

void ts_file_close(int32_t file) {
    const uint32_t arguments[] = {(uint32_t)file};
    (void)ts_semihost(SYS_CLOSE, arguments);
}

void ts_put_text(const char *text) { (void)ts_semihost(SYS_WRITE0, text); }

uint32_t ts_stack_bytes(void) { return (uint32_t)(ts_stack_top - ts_stack_bottom); }

uint32_t ts_stack_used(void) {
    const uint8_t *at = ts_stack_bottom;
    while (at < ts_stack_top && *at == STACK_PAINT) {
        at++;
    }
    return (uint32_t)(ts_stack_top - at);
}

/* The first C code, on a stack that is all paint. */
void ts_start(void) {
    const uint32_t arguments[] = {APPLICATION_EXIT, (uint32_t)ts_program()};
    for (;;) {
        (void)ts_semihost(SYS_EXIT_EXTENDED, arguments);
    }
}
