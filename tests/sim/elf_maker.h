/* A small executable, for tests of the reader and seeds of its fuzz target. */
#ifndef TS_TESTS_ELF_MAKER_H
#define TS_TESTS_ELF_MAKER_H

#include <stdint.h>
#include <string.h>

/* A file made by hand: header, one program header, code, symbols, strings, section headers.
 *
 *     0   ELF header          52
 *     52  program header      32    loads 16 bytes at 0x1000, 32 in memory
 *     84  code                16
 *     100 symbols             6*16
 *     196 strings             32
 *     228 section headers     4*40  null, .text, .symtab, .strtab (which also names the sections) */
enum {
    ELF_CODE = 84,
    ELF_SYMBOL_TABLE = 100,
    ELF_STRINGS = 196,
    ELF_SECTIONS = 228,
    ELF_FILE_BYTES = 388,
    ELF_SYMBOLS = 6
};

static inline void elf_put16(uint8_t *p, uint32_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static inline void elf_put32(uint8_t *p, uint32_t value) {
    elf_put16(p, value & 0xffffu);
    elf_put16(p + 2, value >> 16);
}

static inline void elf_put_words(uint8_t *p, const uint32_t *words, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        elf_put32(p + 4 * i, words[i]);
    }
}

static inline void elf_put_symbol(uint8_t *file, uint32_t index, uint32_t name, uint32_t address,
                                  uint32_t size, uint8_t info) {
    uint8_t *p = file + ELF_SYMBOL_TABLE + 16 * index;
    const uint32_t words[3] = {name, address, size};
    elf_put_words(p, words, 3);
    p[12] = info;
    elf_put16(p + 14, 1);
}

static inline void elf_make(uint8_t *file) {
    memset(file, 0, ELF_FILE_BYTES);
    memcpy(file, "\177ELF\1\1\1", 7);
    elf_put16(file + 16, 2);
    elf_put16(file + 18, 243);
    const uint32_t header[5] = {1, 0x1004, 52, ELF_SECTIONS, 0};
    elf_put_words(file + 20, header, 5);
    static const uint8_t counts[6] = {52, 32, 1, 40, 4, 3};
    for (uint32_t i = 0; i < 6; i++) {
        elf_put16(file + 40 + 2 * i, counts[i]);
    }
    const uint32_t program[8] = {1, ELF_CODE, 0x1000, 0x2000, 16, 32, 5, 4};
    elf_put_words(file + 52, program, 8);
    memset(file + ELF_CODE, 0x13, 16);
    memcpy(file + ELF_STRINGS, "\0.text\0outer\0inner\0label\0$x\0odd\0", 32);
    elf_put_symbol(file, 1, 7, 0x1000, 16, 0x12); /* outer: global function */
    elf_put_symbol(file, 2, 13, 0x1004, 4, 0x02); /* inner: local function inside it */
    elf_put_symbol(file, 3, 19, 0x1010, 0, 0x00); /* label of unknown size */
    elf_put_symbol(file, 4, 25, 0x1008, 0, 0x00); /* $x: mapping symbol, dropped */
    elf_put_symbol(file, 5, 28, 0x1008, 0, 0x00); /* odd: a number, not a place */
    elf_put16(file + ELF_SYMBOL_TABLE + 16 * 5 + 14, 0xfff1);
    const uint32_t text[10] = {1, 1, 6, 0x1000, ELF_CODE, 16, 0, 0, 4, 0};
    const uint32_t symtab[10] = {0, 2, 0, 0, ELF_SYMBOL_TABLE, 16 * ELF_SYMBOLS, 3, 1, 4, 16};
    const uint32_t strtab[10] = {0, 3, 0, 0, ELF_STRINGS, 32, 0, 0, 1, 0};
    elf_put_words(file + ELF_SECTIONS + 40, text, 10);
    elf_put_words(file + ELF_SECTIONS + 80, symtab, 10);
    elf_put_words(file + ELF_SECTIONS + 120, strtab, 10);
}

#endif
