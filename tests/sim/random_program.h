/* Random RV32IMC programs for comparing the simulator with another one.
 *
 * An image is many programs in a row and what they need around them: registers from a generator before
 * each, a record of all registers and of the data area after each. It runs unchanged on any machine with
 * memory at PROGRAM_BASE; how it ends is chosen by one word (see random_image_end). */
#ifndef TS_TESTS_RANDOM_PROGRAM_H
#define TS_TESTS_RANDOM_PROGRAM_H

#include "base/arena.h"
#include "base/random.h"

enum {
    RECORD_WORDS = 32,  /* x1 .. x31 and a digest of the data area */
    PROGRAM_LENGTH = 48 /* about that many instructions */
};

#define PROGRAM_BASE 0x80000000u
#define DATA_BASE    0x80080000u
#define RESULT_BASE  0x80081000u

/* How the image ends: by the calls with which QEMU's RISC-V machines write a file and stop, or by the store
 * that stops the simulator's suite machine. */
typedef enum random_image_end { END_SEMIHOSTING, END_STORE } random_image_end;

typedef struct random_image {
    ts_arena *arena;
    ts_random random;
    TS_VEC(uint8_t) code;
    TS_VEC(uint32_t) starts; /* offset of each program's first random instruction, and one behind the last */
} random_image;

/* Makes `count` programs from the seed. */
random_image *random_image_new(ts_arena *arena, uint64_t seed, uint32_t count);

/* The image as an ELF executable. */
void *random_image_elf(random_image *image, random_image_end end, size_t *size);

/* The disassembly of one program, as text. */
char *random_image_text(random_image *image, uint32_t index);

#endif
