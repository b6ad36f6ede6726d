#include "isa/isa_format.h"

static bool put_operand(const ts__isa_operand *operand, int32_t value, uint32_t *word) {
    uint32_t bits = (uint32_t)value - operand->base, rest = bits;
    for (int i = 0; i < TS__ISA_CHUNKS; i++) {
        const ts__isa_chunk *chunk = &operand->chunks[i];
        uint32_t mask = (1u << chunk->width) - 1u;
        *word |= ((bits >> chunk->value_bit) & mask) << chunk->word_bit;
        rest &= ~(mask << chunk->value_bit);
    }
    if (operand->sign_bits != 0u) {
        int32_t limit = 1 << (operand->sign_bits - 1u);
        return value >= -limit && value < limit && (rest & (2u * (uint32_t)limit - 1u)) == 0u;
    }
    return rest == 0u;
}

bool ts__isa_encode_written(const ts_insn *insn, uint32_t *word) {
    const ts_isa_row *row = &ts_isa_rows[insn->row];
    const ts__isa_format_row *format = &ts__isa_formats[row->format];
    *word = row->match;
    for (int i = 0; i < TS__ISA_OPERANDS && format->operands[i] != 0; i++) {
        const ts__isa_operand *operand = &ts__isa_operands[format->operands[i] - 1];
        if (operand->style != TS__STYLE_HIDDEN && !put_operand(operand, ts__isa_get(insn, operand), word)) {
            return false;
        }
    }
    return true;
}

/* True when the operands that are not written out are what the word makes of them. */
static bool implied_agree(const ts_insn *insn, uint32_t word) {
    const ts__isa_format_row *format = &ts__isa_formats[ts_isa_rows[insn->row].format];
    for (int i = 0; i < TS__ISA_OPERANDS && format->operands[i] != 0; i++) {
        const ts__isa_operand *operand = &ts__isa_operands[format->operands[i] - 1];
        if (operand->style == TS__STYLE_HIDDEN &&
            ts__isa_get(insn, operand) != ts__isa_operand_value(word, operand)) {
            return false;
        }
    }
    return true;
}

bool ts_isa_encode(const ts_insn *insn, uint32_t *word) {
    uint32_t result;
    if (insn->row >= TS_ROW_COUNT || !ts__isa_encode_written(insn, &result) || !implied_agree(insn, result) ||
        !ts__isa_constraints_hold(ts_isa_rows[insn->row].constraints, result, insn->imm)) {
        return false;
    }
    *word = result;
    return true;
}
