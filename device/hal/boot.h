/* Start and end of a program, its memories, time and printing.
 *
 * The application supplies
 *   int ts_program(void)             called on every core of the team at once; what core 0 returns ends the
 * run
 *
 * and may call
 *   void *ts_l1_memory(uint32_t *bytes)   L1 and L2 memory that start-up, code and stacks leave free
 *   void *ts_l2_memory(uint32_t *bytes)
 *   uint32_t ts_cycles(void)              cycles of the cluster's clock, modulo 2^32
 *   void ts_put_char(char), ts_put_text(const char *), ts_put_u32(uint32_t), ts_put_hex(uint32_t)
 *   void ts_exit(int status)              ends the run at once
 *
 * An application that carries its L3 image defines ts_l3_image[] and ts_l3_image_bytes; start-up copies it to
 * L3 offset 0 before the team starts. */
#ifndef TS_HAL_BOOT_H
#define TS_HAL_BOOT_H

#include <stdint.h>

int ts_program(void);

void *ts_l1_memory(uint32_t *bytes);
void *ts_l2_memory(uint32_t *bytes);
uint32_t ts_cycles(void);
void ts_put_char(char c);
void ts_put_text(const char *text);
void ts_put_u32(uint32_t value);
void ts_put_hex(uint32_t value);
void ts_exit(int status);

extern const uint8_t ts_l3_image[];
extern const uint32_t ts_l3_image_bytes;

#endif
