/* Reading executables: 32-bit little-endian ELF files for RISC-V and Arm, hostile until checked.
 *
 * Every offset, count and size is checked against the file before it is followed. Nothing is copied:
 * data and names point into the caller's bytes, which must outlive the result. */
#ifndef TS_SIM_ELF_H
#define TS_SIM_ELF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/file.h"

/* A loadable segment. memory_bytes >= file_bytes; the rest is zeros. Neither address wraps. */
typedef struct ts_elf_segment {
    uint32_t physical; /* where a loader places it */
    uint32_t address;  /* where the program expects it */
    uint32_t file_bytes;
    uint32_t memory_bytes;
    const uint8_t *data; /* file_bytes of them */
    bool executable;
    bool writable;
} ts_elf_segment;

/* A section that occupies memory and has contents in the file. */
typedef struct ts_elf_section {
    const char *name;
    uint32_t address;
    uint32_t bytes;
    const uint8_t *data;
    bool executable;
} ts_elf_section;

typedef struct ts_elf_symbol {
    const char *name;
    uint32_t address;
    uint32_t bytes; /* where the file gives none: up to the next symbol or the segment's end */
    bool sized;     /* the file gave `bytes` */
    bool absolute;  /* a number rather than a place: never the symbol of an address */
    bool function;
    bool global;
} ts_elf_symbol;

typedef struct ts_elf {
    uint32_t entry;
    ts_elf_segment *segments;
    uint32_t segment_count;
    ts_elf_section *sections;
    uint32_t section_count;
    ts_elf_symbol *symbols; /* functions, objects and labels, by address; at one address functions first */
    uint32_t located_count; /* these come first; absolute ones follow, also by address */
    uint32_t symbol_count;
    uint32_t *symbol_reach; /* private to ts_elf_symbol_at() */
} ts_elf;

/* Reads an executable. TS_BAD_INPUT with a diagnostic when it is none, is for another machine, or
 * contradicts itself. A file without sections or symbols is fine. */
ts_status ts_elf_read(ts_arena *arena, ts_bytes file, ts_elf *out, ts_diags *diags);

/* As ts_elf_read(), for Arm. Functions of Thumb code have odd addresses. */
ts_status ts_elf_read_arm(ts_arena *arena, ts_bytes file, ts_elf *out, ts_diags *diags);

/* The symbol that `address` lies in: the innermost function of known size, else the nearest symbol at or
 * below. NULL where there is none. */
const ts_elf_symbol *ts_elf_symbol_at(const ts_elf *elf, uint32_t address);

/* The symbol of a name, globals before locals; NULL where there is none. */
const ts_elf_symbol *ts_elf_symbol_named(const ts_elf *elf, const char *name);

#endif
