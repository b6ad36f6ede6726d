/* The instruction set: RV32IMC, Zicsr and XpulpV2 with RI5CY's encodings, as one table.
 *
 * rows.def holds one row an instruction; this room makes from it the decoder, the encoder, the
 * disassembler and its inverse, the assembler wrappers for device code and the documentation.
 * It knows encodings and register use. It knows no cycles, no memory and no core state; what the
 * pure instructions compute is in semantics.h. */
#ifndef TS_ISA_ISA_H
#define TS_ISA_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The core revisions that decode differently (docs/xpulpv2.md). */
typedef enum ts_isa_revision {
    TS_ISA_RI5CY_2017_12,
    TS_ISA_RI5CY_2018_01,
    TS_ISA_RI5CY_2019_11,
    TS_ISA_CV32E40P_1_0_0,
    TS_ISA_REVISION_COUNT
} ts_isa_revision;

/* "ri5cy-2017-12", "ri5cy-2018-01", "ri5cy-2019-11", "cv32e40p-1.0.0". */
const char *ts_isa_revision_name(ts_isa_revision revision);
bool ts_isa_revision_parse(const char *name, ts_isa_revision *out);

/* Rows of 32-bit instructions first (TS_ISA_OP_COUNT of them: the operations an interpreter knows),
 * then the compressed rows, named TS_ROW_ID, up to TS_ROW_COUNT. */
enum ts_isa_op {
#define ROW(id, mnemonic, format, match, mask, extension, class, flags) TS_OP_##id,
#include "isa/rows.def"
    TS_ISA_OP_COUNT,
    TS_ROW_BEFORE_COMPRESSED = TS_ISA_OP_COUNT - 1,
#define ROW(id, mnemonic, format, match, mask, extension, class, flags)
#define COMPRESSED(id, mnemonic, format, match, mask, base, constraints) TS_ROW_##id,
#include "isa/rows.def"
    TS_ROW_COUNT
};

typedef enum ts_isa_extension {
    TS_EXT_I,
    TS_EXT_M,
    TS_EXT_C,
    TS_EXT_ZICSR,
    TS_EXT_ZIFENCEI,
    TS_EXT_PRIV,
    TS_EXT_XPULP,
    TS_EXT_COUNT
} ts_isa_extension;

/* What the timing model and the energy model tell apart. */
typedef enum ts_isa_class {
    TS_CLASS_ALU,  /* one-cycle scalar operations, bit fields, clip, normalising add/sub */
    TS_CLASS_SIMD, /* one-cycle lane-wise operations, shuffles, packs */
    TS_CLASS_MUL,  /* mul, mac, 16-bit multiply: one cycle, in the multiplier */
    TS_CLASS_DOT,  /* dot products: one cycle, in the multiplier */
    TS_CLASS_MULH, /* the upper halves: several cycles */
    TS_CLASS_DIV,
    TS_CLASS_LOAD,
    TS_CLASS_STORE,
    TS_CLASS_BRANCH,
    TS_CLASS_JUMP, /* jal: target known in decode */
    TS_CLASS_JALR, /* jalr: base register read in decode */
    TS_CLASS_CSR,
    TS_CLASS_FENCE,
    TS_CLASS_HWLOOP,
    TS_CLASS_SYSTEM,
    TS_CLASS_ELW, /* p.elw: sleeps until the response */
    TS_CLASS_COUNT
} ts_isa_class;

/* Register use is what the hazard logic compares: the READS flags name the fields rs1, rs2 and rd
 * of ts_insn. Stores with a register offset keep that register (the table's rs3) in the rd field
 * and carry READS_RD without WRITES_RD. */
typedef enum ts_isa_flag {
    TS_F_READS_RS1 = 1 << 0,
    TS_F_READS_RS2 = 1 << 1,
    TS_F_READS_RD = 1 << 2,
    TS_F_WRITES_RD = 1 << 3,
    TS_F_WRITES_BASE = 1 << 4, /* post-increment: rs1 is written, through the ALU port */
    TS_F_LOAD = 1 << 5,
    TS_F_STORE = 1 << 6,
    TS_F_SIGNED = 1 << 7, /* load that sign-extends; div and rem of signed operands */
    TS_F_BRANCH = 1 << 8, /* conditional */
    TS_F_JUMP = 1 << 9,
    TS_F_HWLOOP = 1 << 10,
    TS_F_CSR = 1 << 11,
    TS_F_SYSTEM = 1 << 12,
    TS_F_MULTIPLIER = 1 << 13, /* the multiply class: mul*, mac, 16-bit multiply, dot products */
    TS_F_FALSE_RS2 = 1 << 14,  /* bits 24:20 are immediate, yet compared as rs2 (set in ts_insn.rs2) */
    TS_F_FROM_2019 = 1 << 15,  /* absent from the 2017-12 and 2018-01 revisions */
    TS_F_NOT_CV32E40P = 1 << 16,
    TS_F_SCI_SIGNED_BEFORE_2019 = 1 << 17, /* .sci immediate is sign-extended on the older revisions */
    TS_F_PURE = 1 << 18                    /* rd is ts_sem_ID() of the operands, nothing else happens */
} ts_isa_flag;

/* Bytes that a load or store moves: 1, 2 or 4; 0 for everything else. */
#define TS_F_SIZE(bytes)       ((uint32_t)(bytes) << 24)
#define TS_F_SIZE_BYTES(flags) (((flags) >> 24) & 7u)

/* Extra conditions of compressed rows. */
enum ts_isa_constraint {
    TS_C_RD_NOT_0 = 1 << 0,  /* bits 11:7 */
    TS_C_RD_NOT_SP = 1 << 1, /* bits 11:7 */
    TS_C_RS2_NOT_0 = 1 << 2, /* bits 6:2 */
    TS_C_IMM_NOT_0 = 1 << 3
};

/* What one instruction says, compressed forms already expanded. Fields that the format lacks are 0. */
typedef struct ts_insn {
    uint16_t op;  /* ts_isa_op below TS_ISA_OP_COUNT */
    uint16_t row; /* row that matched: equal to op, or the compressed row */
    uint8_t rd;   /* destination; offset register of p.s*_pr and p.s*_rr; loop number of lp.* */
    uint8_t rs1;
    uint8_t rs2;
    uint8_t size; /* 2 or 4 bytes */
    int32_t imm;  /* immediate, displacement in bytes from this instruction, upper immediate (shifted),
                     CSR number, shift amount, Is2 of bit fields, the I of normalising forms, lane */
    int32_t imm2; /* Is3 of bit fields, immediate operand of p.beqimm and p.bneimm, count of lp.counti
                     and lp.setupi, immediate of csrr*i, predecessor set of fence, 1 for p.clipr and
                     p.clipur on the 2017-12 revision (semantics.h) */
    uint32_t raw; /* the instruction word; upper half 0 where size is 2 */
} ts_insn;

/* Static facts of a row; `row` < TS_ROW_COUNT. A compressed row has the class and flags of its base. */
typedef struct ts_isa_row {
    const char *id;       /* C identifier, e.g. "pv_sdotsp_b" */
    const char *mnemonic; /* as printed, e.g. "pv.sdotsp.b" */
    uint32_t match;
    uint32_t mask;
    uint32_t flags;      /* ts_isa_flag */
    uint16_t base;       /* row that it means: itself, or the expansion of a compressed row */
    uint8_t format;      /* operand layout (isa_format.h) */
    uint8_t class;       /* ts_isa_class */
    uint8_t extension;   /* ts_isa_extension */
    uint8_t constraints; /* ts_isa_constraint */
} ts_isa_row;

extern const ts_isa_row ts_isa_rows[TS_ROW_COUNT];

static inline uint32_t ts_isa_flags(const ts_insn *insn) { return ts_isa_rows[insn->op].flags; }
static inline ts_isa_class ts_isa_class_of(const ts_insn *insn) {
    return (ts_isa_class)ts_isa_rows[insn->op].class;
}

/* Bytes of the instruction whose first half-word is `word`: 2 or 4 (longer forms count as 4). */
static inline uint32_t ts_isa_size(uint32_t word) { return (word & 3u) == 3u ? 4u : 2u; }

/* Decodes the instruction at the low end of `word` (upper half ignored for 16-bit forms) as
 * `revision` does. False, with *out holding only size and raw, when it is illegal there. */
bool ts_isa_decode(uint32_t word, ts_isa_revision revision, ts_insn *out);

/* True when the row exists on the revision. */
bool ts_isa_has(uint32_t row, ts_isa_revision revision);

/* Encodes by insn->row. False when an operand does not fit its field or violates a constraint. The
 * fields op, size and raw are not read. */
bool ts_isa_encode(const ts_insn *insn, uint32_t *word);

/* Writes "mnemonic operands" into text[capacity], always terminated, cut when it does not fit.
 * Branch, jump and loop targets are printed as absolute addresses (pc + displacement). Returns the
 * length written. */
size_t ts_isa_print(const ts_insn *insn, uint32_t pc, char *text, size_t capacity);

/* The absolute target of a direct branch, jump or hardware-loop label; false for all other rows. */
bool ts_isa_target(const ts_insn *insn, uint32_t pc, uint32_t *target);

/* Reads what ts_isa_print() wrote at the same pc, for this revision's rows. Register numbers may be
 * written x0..x31 or by ABI name. False when the text is no instruction. */
bool ts_isa_parse(const char *text, uint32_t pc, ts_isa_revision revision, ts_insn *out);

/* ABI name of register 0..31: "zero", "ra", "sp", ... */
const char *ts_isa_register(uint32_t number);

#endif
