/* A plug-in for QEMU that counts every instruction of a program by its class, exactly: no time passes in it.
 * It is built as a library of its own and travels in the binary (execute_qemu.c writes it beside the
 * program).
 *
 * Arguments: marks=FILE, addresses in hexadecimal, one a line; out=FILE, which gets a line each time the
 * instruction at a mark is about to be executed: the number of the mark, from 0, then the counters in the
 * order of enum ts_count_class. QEMU publishes no header for plug-ins in Debian; what is used of its
 * interface, version 1, is declared here. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/count_classes.h"

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

typedef struct plugin_info {
    const char *target_name;
    struct {
        int min, cur;
    } version;
    bool system_emulation;
} plugin_info;

enum { INLINE_ADD_U64 = 0, NO_REGISTERS = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*callback)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_atexit_cb(plugin_id id, void (*callback)(plugin_id, void *), void *user);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int operation, void *counter,
                                                uint64_t value);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*callback)(unsigned, void *),
                                            int flags, void *user);

EXPORT extern int qemu_plugin_version;
int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id id, const plugin_info *info, int argc, char **argv);

static uint64_t counters[TS_COUNT_CLASSES];
static uint64_t *marks;
static size_t mark_count;
static bool thumb;
static FILE *out;

/* ---- classes -------------------------------------------------------------------------------------- */

typedef struct kind {
    enum ts_count_class class_;
    unsigned words; /* of loads and stores */
} kind;

static kind memory(bool load, unsigned words) {
    return (kind){load ? TS_COUNT_LOAD : TS_COUNT_STORE, words > 0 ? words : 1};
}

static const kind alu = {TS_COUNT_ALU, 0}, branch = {TS_COUNT_BRANCH, 0}, multiply = {TS_COUNT_MULTIPLY, 0},
                  divide = {TS_COUNT_DIVIDE, 0};

static unsigned ones(uint32_t bits) { return (unsigned)__builtin_popcount(bits); }

/* Armv7-M architecture reference manual, section A5.2. */
static kind thumb16(uint32_t i) {
    uint32_t top = i >> 11;
    if (top < 8) {
        return alu;
    }
    if (top == 8) {
        bool special = (i >> 10 & 1) != 0;
        bool jumps = special && ((i >> 8 & 3) == 3 || (i & 0x87) == 0x87);
        return jumps ? branch : !special && (i >> 6 & 15) == 13 ? multiply : alu;
    }
    if (top == 9) {
        return memory(true, 1);
    }
    if (top < 12) {
        return memory((i >> 9 & 7) >= 3, 1);
    }
    if (top < 20) {
        return memory((i >> 11 & 1) != 0, 1);
    }
    if (top < 22) {
        return alu;
    }
    if (top < 24) {
        if ((i & 0x0600) == 0x0400) {
            return memory((i >> 11 & 1) != 0, ones(i & 0x1ff));
        }
        return (i & 0x0500) == 0x0100 ? branch : alu; /* compare and branch; the rest */
    }
    return top < 26 ? memory(top == 25, ones(i & 0xff)) : branch;
}

/* Coprocessor instructions: transfers between memory and the floating-point registers, and the rest. */
static kind thumb32_coprocessor(uint32_t a, uint32_t b) {
    bool transfer = (a & 0x0200) == 0 && (a & 0x01e0) != 0x0040 && (a & 0x01e0) != 0;
    return transfer ? memory((a >> 4 & 1) != 0, (a >> 8 & 1) != 0 && (a >> 5 & 1) == 0 ? 1 : b & 0xff) : alu;
}

static kind thumb32(uint32_t a, uint32_t b) {
    uint32_t op1 = a >> 11 & 3, op2 = a >> 4 & 0x7f;
    if ((op2 & 0x40) != 0 && op1 != 2) {
        return thumb32_coprocessor(a, b);
    }
    if (op1 == 1) {
        if ((op2 & 0x64) == 0) {
            return memory((op2 & 1) != 0, ones(b));
        }
        if ((op2 & 0x60) != 0) {
            return alu;
        }
        if ((a & 0xfff0) == 0xe8d0 && (b & 0xffe0) == 0xf000) {
            return branch; /* by a table */
        }
        bool exclusive = (op2 & 0x1e) == 0x04 || ((op2 & 0x1e) == 0x0c && (b & 0xe0) == 0x40);
        return memory((op2 & 1) != 0, exclusive ? 1 : 2);
    }
    if (op1 == 2) {
        uint32_t how = b >> 12 & 5;
        bool jumps = (b & 0x8000) != 0 && (how != 0 || (a >> 7 & 7) != 7);
        return jumps ? branch : alu;
    }
    if ((op2 & 0x71) == 0 || (op2 & 0x60) == 0) {
        return memory((op2 & 1) != 0, 1);
    }
    if ((op2 & 0x70) == 0x20) {
        return alu;
    }
    return (a & 0xffd0) == 0xfb90 ? divide : multiply;
}

/* RISC-V instruction set manual, volume I, chapters 16 and 24. */
static kind riscv16(uint32_t i) {
    uint32_t quadrant = i & 3, f = i >> 13;
    if (quadrant == 0 || quadrant == 2) {
        bool jumps = quadrant == 2 && f == 4 && (i >> 2 & 31) == 0 && (i >> 7 & 31) != 0;
        return f == 2 ? memory(true, 1) : f == 6 ? memory(false, 1) : jumps ? branch : alu;
    }
    return f == 1 || f >= 5 ? branch : alu;
}

static kind riscv32(uint32_t i) {
    switch (i & 0x7f) {
        case 0x03:
            return memory(true, 1);
        case 0x23:
            return memory(false, 1);
        case 0x63:
        case 0x67:
        case 0x6f:
            return branch;
        case 0x33:
            return i >> 25 != 1 ? alu : (i >> 14 & 1) != 0 ? divide : multiply;
        default:
            return alu;
    }
}

static kind kind_of(const struct qemu_plugin_insn *insn) {
    uint16_t half[2] = {0, 0};
    size_t size = qemu_plugin_insn_size(insn);
    memcpy(half, qemu_plugin_insn_data(insn), size < sizeof half ? size : sizeof half);
    uint32_t low = half[0], high = half[1];
    if (thumb) {
        return size == 2 ? thumb16(low) : thumb32(low, high);
    }
    return size == 2 ? riscv16(low) : riscv32(low | high << 16);
}

/* ---- counting ------------------------------------------------------------------------------------- */

static void write_counters(unsigned core, void *user) {
    (void)core;
    fprintf(out, "%zu", (size_t)(uintptr_t)user);
    for (unsigned c = 0; c < TS_COUNT_CLASSES; c++) {
        fprintf(out, " %" PRIu64, counters[c]);
    }
    fputc('\n', out);
}

static void translate(plugin_id id, struct qemu_plugin_tb *tb) {
    (void)id;
    for (size_t i = 0, n = qemu_plugin_tb_n_insns(tb); i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        kind k = kind_of(insn);
        qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &counters[k.class_], 1);
        if (k.words > 1) {
            qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64,
                                                       &counters[TS_COUNT_FURTHER_WORDS], k.words - 1);
        }
        for (size_t m = 0; m < mark_count; m++) {
            if (marks[m] == qemu_plugin_insn_vaddr(insn)) {
                qemu_plugin_register_vcpu_insn_exec_cb(insn, write_counters, NO_REGISTERS,
                                                       (void *)(uintptr_t)m);
            }
        }
    }
}

static void finish(plugin_id id, void *user) {
    (void)id, (void)user;
    fclose(out);
}

static int read_marks(const char *path) {
    FILE *in = fopen(path, "r");
    uint64_t address;
    while (in != NULL && fscanf(in, "%" SCNx64, &address) == 1) {
        uint64_t *more = realloc(marks, (mark_count + 1) * sizeof *marks);
        if (more == NULL) {
            break;
        }
        marks = more;
        marks[mark_count++] = address;
    }
    return in == NULL ? 1 : fclose(in);
}

int qemu_plugin_install(plugin_id id, const plugin_info *info, int argc, char **argv) {
    int failed = 0;
    thumb = strcmp(info->target_name, "arm") == 0;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "marks=", 6) == 0) {
            failed |= read_marks(argv[i] + 6);
        } else if (strncmp(argv[i], "out=", 4) == 0) {
            out = fopen(argv[i] + 4, "w");
        }
    }
    if (out == NULL || failed != 0) {
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    qemu_plugin_register_atexit_cb(id, finish, NULL);
    return 0;
}
