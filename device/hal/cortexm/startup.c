/* The vector table and the reset of a Cortex-M: floating-point unit on, data and stack set up. */
#include "hal/near/machine.h"

/* Given by link.ld. */
extern uint8_t ts_stack_bottom[], ts_stack_top[];
extern uint32_t ts_data_begin[], ts_data_end[], ts_data_image[], ts_bss_begin[], ts_bss_end[];

void ts_reset(void);
void ts_fault(void);
void ts_start(void);

enum { VECTORS = 16 };

__attribute__((section(".vectors"), used)) static const void *const vectors[VECTORS] = {
    ts_stack_top,           (const void *)ts_reset, (const void *)ts_fault, (const void *)ts_fault,
    (const void *)ts_fault, (const void *)ts_fault, (const void *)ts_fault};

/* Paints the stack before anything lies on it; naked, since it has no stack. */
__attribute__((naked)) void ts_reset(void) {
    __asm__ volatile(
        "ldr r0, =0xE000ED88 \n" /* CPACR: the floating-point unit, or its registers fault */
        "ldr r1, [r0] \n"
        "orr r1, r1, #0xF00000 \n"
        "str r1, [r0] \n"
        "dsb \n"
        "isb \n"
        "ldr r0, =ts_stack_bottom \n"
        "ldr r1, =ts_stack_top \n"
        "ldr r2, =0xA5A5A5A5 \n"
        "1: cmp r0, r1 \n"
        "it lo \n"
        "strlo r2, [r0], #4 \n"
        "blo 1b \n"
        "ldr r0, =ts_data_image \n"
        "ldr r1, =ts_data_begin \n"
        "ldr r2, =ts_data_end \n"
        "2: cmp r1, r2 \n"
        "ittt lo \n"
        "ldrlo r3, [r0], #4 \n"
        "strlo r3, [r1], #4 \n"
        "blo 2b \n"
        "ldr r1, =ts_bss_begin \n"
        "ldr r2, =ts_bss_end \n"
        "movs r3, #0 \n"
        "3: cmp r1, r2 \n"
        "itt lo \n"
        "strlo r3, [r1], #4 \n"
        "blo 3b \n"
        "b ts_start \n");
}

/* An access that is not allowed, an instruction that is none. */
void ts_fault(void) {
    static const uint32_t arguments[] = {0x20026, 125};
    ts_put_text("fault: the program did what this core does not allow\n");
    for (;;) {
        (void)ts_semihost(0x20, arguments);
    }
}
