#include "isa/isa_format.h"

#define REGISTER(slot, bit)                          \
    {                                                \
        TS__SLOT_##slot, TS__STYLE_REGISTER, 0, 0, { \
            { bit, 5, 0 }                            \
        }                                            \
    }
#define SMALL_REGISTER(slot, bit)                    \
    {                                                \
        TS__SLOT_##slot, TS__STYLE_REGISTER, 0, 8, { \
            { bit, 3, 0 }                            \
        }                                            \
    }
#define FIXED(slot, number)                             \
    {                                                   \
        TS__SLOT_##slot, TS__STYLE_HIDDEN, 0, number, { \
            { 0, 0, 0 }                                 \
        }                                               \
    }

/* id, initialiser of ts__isa_operand. Compressed layouts: RISC-V unprivileged ISA, chapter "C". */
#define OPERANDS(X)                                                                                         \
    X(RD, REGISTER(RD, 7))                                                                                  \
    X(RS1, REGISTER(RS1, 15))                                                                               \
    X(RS2, REGISTER(RS2, 20))                                                                               \
    X(I12, {TS__SLOT_IMM, TS__STYLE_NUMBER, 12, 0, {{20, 12, 0}}})                                          \
    X(S12, {TS__SLOT_IMM, TS__STYLE_NUMBER, 12, 0, {{7, 5, 0}, {25, 7, 5}}})                                \
    X(B12, {TS__SLOT_IMM, TS__STYLE_TARGET, 13, 0, {{8, 4, 1}, {25, 6, 5}, {7, 1, 11}, {31, 1, 12}}})       \
    X(U20, {TS__SLOT_IMM, TS__STYLE_UPPER, 0, 0, {{12, 20, 12}}})                                           \
    X(J20, {TS__SLOT_IMM, TS__STYLE_TARGET, 21, 0, {{21, 10, 1}, {20, 1, 11}, {12, 8, 12}, {31, 1, 20}}})   \
    X(U5, {TS__SLOT_IMM, TS__STYLE_NUMBER, 0, 0, {{20, 5, 0}}})                                             \
    X(IS3, {TS__SLOT_IMM2, TS__STYLE_NUMBER, 0, 0, {{25, 5, 0}}})                                           \
    X(N5, {TS__SLOT_IMM, TS__STYLE_NUMBER, 0, 0, {{25, 5, 0}}})                                             \
    X(CSR12, {TS__SLOT_IMM, TS__STYLE_HEX, 0, 0, {{20, 12, 0}}})                                            \
    X(Z5, {TS__SLOT_IMM2, TS__STYLE_NUMBER, 0, 0, {{15, 5, 0}}})                                            \
    X(PRED, {TS__SLOT_IMM2, TS__STYLE_ORDER, 0, 0, {{24, 4, 0}}})                                           \
    X(SUCC, {TS__SLOT_IMM, TS__STYLE_ORDER, 0, 0, {{20, 4, 0}}})                                            \
    X(I6S, {TS__SLOT_IMM, TS__STYLE_NUMBER, 6, 0, {{25, 1, 0}, {20, 5, 1}}})                                \
    X(I6U, {TS__SLOT_IMM, TS__STYLE_NUMBER, 0, 0, {{25, 1, 0}, {20, 5, 1}}})                                \
    X(HAZARD2, {TS__SLOT_RS2, TS__STYLE_HIDDEN, 0, 0, {{20, 5, 0}}})                                        \
    X(I5S, {TS__SLOT_IMM2, TS__STYLE_NUMBER, 5, 0, {{20, 5, 0}}})                                           \
    X(LOOP, {TS__SLOT_RD, TS__STYLE_NUMBER, 0, 0, {{7, 1, 0}}})                                             \
    X(LT12, {TS__SLOT_IMM, TS__STYLE_TARGET, 0, 0, {{20, 12, 1}}})                                          \
    X(LT5, {TS__SLOT_IMM, TS__STYLE_TARGET, 0, 0, {{15, 5, 1}}})                                            \
    X(LN12, {TS__SLOT_IMM2, TS__STYLE_NUMBER, 0, 0, {{20, 12, 0}}})                                         \
    X(CRD2, SMALL_REGISTER(RD, 2))                                                                          \
    X(CRD1, SMALL_REGISTER(RD, 7))                                                                          \
    X(CRS1, SMALL_REGISTER(RS1, 7))                                                                         \
    X(CRS2, SMALL_REGISTER(RS2, 2))                                                                         \
    X(CRS1L, REGISTER(RS1, 7))                                                                              \
    X(CRS2L, REGISTER(RS2, 2))                                                                              \
    X(SAME, {TS__SLOT_RS1, TS__STYLE_HIDDEN, 0, 0, {{7, 5, 0}}})                                            \
    X(CRS1H, {TS__SLOT_RS1, TS__STYLE_HIDDEN, 0, 8, {{7, 3, 0}}})                                           \
    X(SP1, FIXED(RS1, 2))                                                                                   \
    X(SPD, FIXED(RD, 2))                                                                                    \
    X(RAD, FIXED(RD, 1))                                                                                    \
    X(CIW8, {TS__SLOT_IMM, TS__STYLE_NUMBER, 0, 0, {{11, 2, 4}, {7, 4, 6}, {6, 1, 2}, {5, 1, 3}}})          \
    X(CLW, {TS__SLOT_IMM, TS__STYLE_NUMBER, 0, 0, {{10, 3, 3}, {6, 1, 2}, {5, 1, 6}}})                      \
    X(CI6, {TS__SLOT_IMM, TS__STYLE_NUMBER, 6, 0, {{2, 5, 0}, {12, 1, 5}}})                                 \
    X(CU6, {TS__SLOT_IMM, TS__STYLE_UPPER, 18, 0, {{2, 5, 12}, {12, 1, 17}}})                               \
    X(CU5, {TS__SLOT_IMM, TS__STYLE_NUMBER, 0, 0, {{2, 5, 0}}})                                             \
    X(CI16SP,                                                                                               \
      {TS__SLOT_IMM, TS__STYLE_NUMBER, 10, 0, {{6, 1, 4}, {2, 1, 5}, {5, 1, 6}, {3, 2, 7}, {12, 1, 9}}})    \
    X(CJ11, {TS__SLOT_IMM,                                                                                  \
             TS__STYLE_TARGET,                                                                              \
             12,                                                                                            \
             0,                                                                                             \
             {{3, 3, 1}, {11, 1, 4}, {2, 1, 5}, {7, 1, 6}, {6, 1, 7}, {9, 2, 8}, {8, 1, 10}, {12, 1, 11}}}) \
    X(CB8,                                                                                                  \
      {TS__SLOT_IMM, TS__STYLE_TARGET, 9, 0, {{3, 2, 1}, {10, 2, 3}, {2, 1, 5}, {5, 2, 6}, {12, 1, 8}}})    \
    X(CLWSP, {TS__SLOT_IMM, TS__STYLE_NUMBER, 0, 0, {{4, 3, 2}, {12, 1, 5}, {2, 2, 6}}})                    \
    X(CSWSP, {TS__SLOT_IMM, TS__STYLE_NUMBER, 0, 0, {{9, 4, 2}, {7, 2, 6}}})

enum operand {
    OPERAND_END,
#define OPERAND_ENUM(id, ...) OPERAND_##id,
    OPERANDS(OPERAND_ENUM)
#undef OPERAND_ENUM
};

const ts__isa_operand ts__isa_operands[] = {
#define OPERAND_ROW(id, ...) __VA_ARGS__,
    OPERANDS(OPERAND_ROW)
#undef OPERAND_ROW
};

const ts__isa_format_row ts__isa_formats[TS__FORMAT_COUNT] = {
#define O(id)                     OPERAND_##id
#define FORMAT_ROW(id, text, ...) {text, {__VA_ARGS__}},
    TS_ISA_FORMATS(FORMAT_ROW)
#undef FORMAT_ROW
#undef O
};

uint32_t ts__isa_operand_bits(const ts__isa_format_row *format) {
    uint32_t bits = 0;
    for (int i = 0; i < TS__ISA_OPERANDS && format->operands[i] != 0; i++) {
        const ts__isa_operand *operand = &ts__isa_operands[format->operands[i] - 1];
        for (int c = 0; c < TS__ISA_CHUNKS; c++) {
            const ts__isa_chunk *chunk = &operand->chunks[c];
            bits |= ((1u << chunk->width) - 1u) << chunk->word_bit;
        }
    }
    return bits;
}

int32_t ts__isa_get(const ts_insn *insn, const ts__isa_operand *operand) {
    switch (operand->slot) {
        case TS__SLOT_RD:
            return insn->rd;
        case TS__SLOT_RS1:
            return insn->rs1;
        case TS__SLOT_RS2:
            return insn->rs2;
        case TS__SLOT_IMM:
            return insn->imm;
        default:
            return insn->imm2;
    }
}

void ts__isa_set(ts_insn *insn, const ts__isa_operand *operand, int32_t value) {
    switch (operand->slot) {
        case TS__SLOT_RD:
            insn->rd = (uint8_t)value;
            break;
        case TS__SLOT_RS1:
            insn->rs1 = (uint8_t)value;
            break;
        case TS__SLOT_RS2:
            insn->rs2 = (uint8_t)value;
            break;
        case TS__SLOT_IMM:
            insn->imm = value;
            break;
        default:
            insn->imm2 = value;
    }
}
