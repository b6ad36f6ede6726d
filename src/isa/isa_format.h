/* Operand formats, private to this room: where each operand lies in the word, where it goes in
 * ts_insn, and how it is written. Decoder, encoder, printer and parser walk the same tables. */
#ifndef TS_ISA_ISA_FORMAT_H
#define TS_ISA_ISA_FORMAT_H

#include "isa/isa.h"

/* Field of ts_insn that an operand fills. */
enum ts__isa_slot { TS__SLOT_RD, TS__SLOT_RS1, TS__SLOT_RS2, TS__SLOT_IMM, TS__SLOT_IMM2 };

/* How an operand is written. HIDDEN ones are implied by the mnemonic. */
enum ts__isa_style {
    TS__STYLE_REGISTER,
    TS__STYLE_NUMBER,
    TS__STYLE_UPPER,  /* bits 31:12 as an unsigned number */
    TS__STYLE_HEX,    /* CSR number */
    TS__STYLE_TARGET, /* displacement, written as pc + displacement */
    TS__STYLE_ORDER,  /* the i, o, r, w of a fence */
    TS__STYLE_HIDDEN
};

/* `width` bits at `word_bit` of the instruction are the bits from `value_bit` of the operand. */
typedef struct ts__isa_chunk {
    uint8_t word_bit;
    uint8_t width;
    uint8_t value_bit;
} ts__isa_chunk;

enum { TS__ISA_CHUNKS = 8, TS__ISA_OPERANDS = 5 };

typedef struct ts__isa_operand {
    uint8_t slot;
    uint8_t style;
    uint8_t sign_bits; /* width of the signed value, 0 for unsigned */
    uint8_t base;      /* added to the bits: 8 for the three-bit registers, the register when hidden */
    ts__isa_chunk chunks[TS__ISA_CHUNKS];
} ts__isa_operand;

/* id, text with one % for each operand that is not hidden, operands in that order, then hidden ones
 * (O() is defined where the list is expanded). */
#define TS_ISA_FORMATS(X)                                 \
    X(NONE, "", 0)                                        \
    X(R, "%, %, %", O(RD), O(RS1), O(RS2))                \
    X(R1, "%, %", O(RD), O(RS1))                          \
    X(I, "%, %, %", O(RD), O(RS1), O(I12))                \
    X(I5, "%, %, %", O(RD), O(RS1), O(U5))                \
    X(L, "%, %(%)", O(RD), O(I12), O(RS1))                \
    X(S, "%, %(%)", O(RS2), O(S12), O(RS1))               \
    X(B, "%, %, %", O(RS1), O(RS2), O(B12))               \
    X(U, "%, %", O(RD), O(U20))                           \
    X(J, "%, %", O(RD), O(J20))                           \
    X(CSR, "%, %, %", O(RD), O(CSR12), O(RS1))            \
    X(CSRI, "%, %, %", O(RD), O(CSR12), O(Z5))            \
    X(FENCE, "%, %", O(PRED), O(SUCC))                    \
    X(BITS, "%, %, %, %", O(RD), O(RS1), O(IS3), O(U5))   \
    X(RN, "%, %, %, %", O(RD), O(RS1), O(RS2), O(N5))     \
    X(LPI, "%, %(%!)", O(RD), O(I12), O(RS1))             \
    X(LPR, "%, %(%!)", O(RD), O(RS2), O(RS1))             \
    X(LRR, "%, %(%)", O(RD), O(RS2), O(RS1))              \
    X(SPI, "%, %(%!)", O(RS2), O(S12), O(RS1))            \
    X(SPR, "%, %(%!)", O(RS2), O(RD), O(RS1))             \
    X(SRR, "%, %(%)", O(RS2), O(RD), O(RS1))              \
    X(BI, "%, %, %", O(RS1), O(I5S), O(B12))              \
    X(LPT, "%, %", O(LOOP), O(LT12))                      \
    X(LPC, "%, %", O(LOOP), O(RS1))                       \
    X(LPCI, "%, %", O(LOOP), O(LN12))                     \
    X(LPS, "%, %, %", O(LOOP), O(RS1), O(LT12))           \
    X(LPSI, "%, %, %", O(LOOP), O(LN12), O(LT5))          \
    X(SCI, "%, %, %", O(RD), O(RS1), O(I6S))              \
    X(SCIU, "%, %, %", O(RD), O(RS1), O(I6U))             \
    X(LANE, "%, %, %", O(RD), O(RS1), O(I6U))             \
    X(SHUF, "%, %, %", O(RD), O(RS1), O(I6U), O(HAZARD2)) \
    X(CIW, "%, sp, %", O(CRD2), O(CIW8), O(SP1))          \
    X(CL, "%, %(%)", O(CRD2), O(CLW), O(CRS1))            \
    X(CS, "%, %(%)", O(CRS2), O(CLW), O(CRS1))            \
    X(CNOP, "", 0)                                        \
    X(CI, "%, %", O(RD), O(CI6), O(SAME))                 \
    X(CLI, "%, %", O(RD), O(CI6))                         \
    X(CI16, "sp, %", O(CI16SP), O(SPD), O(SP1))           \
    X(CLUI, "%, %", O(RD), O(CU6))                        \
    X(CSH, "%, %", O(CRD1), O(CU5), O(CRS1H))             \
    X(CAND, "%, %", O(CRD1), O(CI6), O(CRS1H))            \
    X(CA, "%, %", O(CRD1), O(CRS2), O(CRS1H))             \
    X(CJ, "%", O(CJ11))                                   \
    X(CJAL, "%", O(CJ11), O(RAD))                         \
    X(CB, "%, %", O(CRS1), O(CB8))                        \
    X(CSLL, "%, %", O(RD), O(CU5), O(SAME))               \
    X(CLSP, "%, %(sp)", O(RD), O(CLWSP), O(SP1))          \
    X(CSSP, "%, %(sp)", O(CRS2L), O(CSWSP), O(SP1))       \
    X(CJR, "%", O(CRS1L))                                 \
    X(CJALR, "%", O(CRS1L), O(RAD))                       \
    X(CMV, "%, %", O(RD), O(CRS2L))                       \
    X(CADD, "%, %", O(RD), O(CRS2L), O(SAME))             \
    X(CNONE, "", 0)

enum ts__isa_format {
#define TS_ISA_FORMAT_ENUM(id, ...) TS__FORMAT_##id,
    TS_ISA_FORMATS(TS_ISA_FORMAT_ENUM)
#undef TS_ISA_FORMAT_ENUM
        TS__FORMAT_COUNT
};

typedef struct ts__isa_format_row {
    const char *text;
    uint8_t operands[TS__ISA_OPERANDS]; /* index + 1 into ts__isa_operands, 0 ends the list */
} ts__isa_format_row;

extern const ts__isa_format_row ts__isa_formats[TS__FORMAT_COUNT];
extern const ts__isa_operand ts__isa_operands[];

/* All bits of the word that the format's operands occupy. */
uint32_t ts__isa_operand_bits(const ts__isa_format_row *format);

/* Value of an operand in an instruction word. */
int32_t ts__isa_operand_value(uint32_t word, const ts__isa_operand *operand);

/* Whether a word of a compressed row satisfies the row's constraints (ts_isa_constraint). */
bool ts__isa_constraints_hold(uint32_t constraints, uint32_t word, int32_t imm);

/* Encodes from the operands that are written out, not from the implied ones. */
bool ts__isa_encode_written(const ts_insn *insn, uint32_t *word);

/* Value of an operand in the decoded form, and its place there. */
int32_t ts__isa_get(const ts_insn *insn, const ts__isa_operand *operand);
void ts__isa_set(ts_insn *insn, const ts__isa_operand *operand, int32_t value);

#endif
