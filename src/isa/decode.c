#include <string.h>
#include <threads.h>

#include "isa/isa_format.h"

/* Flags and class of every 32-bit row as constants, for the compressed rows that share them. */
enum {
#define ROW(id, mnemonic, format, match, mask, extension, class, flags) \
    FLAGS_##id = (int)(flags), CLASS_##id = TS_CLASS_##class,
#define PURE(id, mnemonic, format, match, mask, extension, class, flags) \
    ROW(id, mnemonic, format, match, mask, extension, class, (flags) | TS_F_PURE)
#include "isa/rows.def"
};

#define LAYOUT(format, class, extension, constraints) TS__FORMAT_##format, class, extension, constraints

const ts_isa_row ts_isa_rows[TS_ROW_COUNT] = {
#define ROW(id, mnemonic, format, match, mask, extension, class, flags) \
    {#id,                                                               \
     mnemonic,                                                          \
     match,                                                             \
     mask,                                                              \
     FLAGS_##id,                                                        \
     TS_OP_##id,                                                        \
     LAYOUT(format, TS_CLASS_##class, TS_EXT_##extension, 0)},
#include "isa/rows.def"
#define ROW(id, mnemonic, format, match, mask, extension, class, flags)
#define COMPRESSED(id, mnemonic, format, match, mask, base, constraints) \
    {#id,                                                                \
     mnemonic,                                                           \
     match,                                                              \
     mask,                                                               \
     FLAGS_##base,                                                       \
     TS_OP_##base,                                                       \
     LAYOUT(format, CLASS_##base, TS_EXT_C, constraints)},
#include "isa/rows.def"
};

static const char *const revision_names[TS_ISA_REVISION_COUNT] = {"ri5cy-2017-12", "ri5cy-2018-01",
                                                                  "ri5cy-2019-11", "cv32e40p-1.0.0"};

const char *ts_isa_revision_name(ts_isa_revision revision) { return revision_names[revision]; }

bool ts_isa_revision_parse(const char *name, ts_isa_revision *out) {
    for (int i = 0; i < TS_ISA_REVISION_COUNT; i++) {
        if (strcmp(name, revision_names[i]) == 0) {
            *out = (ts_isa_revision)i;
            return true;
        }
    }
    return false;
}

/* Rows by opcode and funct3 (bits 6:2 and 14:12; 16-bit forms: bits 1:0 and 15:13). A row whose
 * mask leaves funct3 open stands in eight buckets. */
enum { WIDE_BUCKETS = 256, BUCKETS = WIDE_BUCKETS + 32, ENTRIES = 8 * TS_ROW_COUNT };

static uint16_t bucket_start[BUCKETS + 1];
static uint16_t bucket_rows[ENTRIES];
static once_flag index_once = ONCE_FLAG_INIT;

static uint32_t bucket_of(uint32_t word) {
    return ts_isa_size(word) == 4u ? ((word >> 2) & 31u) * 8u + ((word >> 12) & 7u)
                                   : WIDE_BUCKETS + (word & 3u) * 8u + ((word >> 13) & 7u);
}

static bool row_in_bucket(const ts_isa_row *row, uint32_t bucket) {
    for (uint32_t funct3 = 0; funct3 < 8u; funct3++) {
        uint32_t shift = ts_isa_size(row->match) == 4u ? 12u : 13u;
        uint32_t word = (row->match & ~(7u << shift)) | funct3 << shift;
        if ((word & row->mask) == row->match && bucket_of(word) == bucket) {
            return true;
        }
    }
    return false;
}

static void build_index(void) {
    uint32_t count = 0;
    for (uint32_t bucket = 0; bucket < BUCKETS; bucket++) {
        bucket_start[bucket] = (uint16_t)count;
        for (uint32_t row = 0; row < TS_ROW_COUNT; row++) {
            if (row_in_bucket(&ts_isa_rows[row], bucket)) {
                bucket_rows[count++] = (uint16_t)row;
            }
        }
    }
    bucket_start[BUCKETS] = (uint16_t)count;
}

bool ts_isa_has(uint32_t row, ts_isa_revision revision) {
    uint32_t flags = ts_isa_rows[row].flags;
    bool old = revision < TS_ISA_RI5CY_2019_11;
    return !(old && (flags & TS_F_FROM_2019) != 0u) &&
           !(revision == TS_ISA_CV32E40P_1_0_0 && (flags & TS_F_NOT_CV32E40P) != 0u);
}

static int32_t sign_extend(uint32_t value, uint32_t bits) {
    uint32_t sign = 1u << (bits - 1u);
    return (int32_t)((value ^ sign) - sign);
}

int32_t ts__isa_operand_value(uint32_t word, const ts__isa_operand *operand) {
    uint32_t value = operand->base;
    for (int i = 0; i < TS__ISA_CHUNKS; i++) {
        const ts__isa_chunk *chunk = &operand->chunks[i];
        value += ((word >> chunk->word_bit) & ((1u << chunk->width) - 1u)) << chunk->value_bit;
    }
    return operand->sign_bits != 0u ? sign_extend(value, operand->sign_bits) : (int32_t)value;
}

bool ts__isa_constraints_hold(uint32_t constraints, uint32_t word, int32_t imm) {
    uint32_t rd = (word >> 7) & 31u, rs2 = (word >> 2) & 31u;
    return !((constraints & TS_C_RD_NOT_0) != 0u && rd == 0u) &&
           !((constraints & TS_C_RD_NOT_SP) != 0u && rd == 2u) &&
           !((constraints & TS_C_RS2_NOT_0) != 0u && rs2 == 0u) &&
           !((constraints & TS_C_IMM_NOT_0) != 0u && imm == 0);
}

static void fill(const ts_isa_row *row, ts_insn *insn) {
    const ts__isa_format_row *format = &ts__isa_formats[row->format];
    for (int i = 0; i < TS__ISA_OPERANDS && format->operands[i] != 0; i++) {
        const ts__isa_operand *operand = &ts__isa_operands[format->operands[i] - 1];
        ts__isa_set(insn, operand, ts__isa_operand_value(insn->raw, operand));
    }
}

/* The row of a word on a revision, with its operands in *insn; TS_ROW_COUNT when there is none. The
 * revisions before 2019 ignore the bit that tells pv.pack.h.h from pv.pack.h. */
static uint32_t find_row(ts_isa_revision revision, ts_insn *insn) {
    uint32_t bucket = bucket_of(insn->raw);
    for (uint32_t i = bucket_start[bucket]; i < bucket_start[bucket + 1]; i++) {
        const ts_isa_row *row = &ts_isa_rows[bucket_rows[i]];
        if ((insn->raw & row->mask) != row->match) {
            continue;
        }
        if (!ts_isa_has(bucket_rows[i], revision)) {
            if (bucket_rows[i] != TS_OP_pv_pack_h_h) {
                return TS_ROW_COUNT;
            }
            row = &ts_isa_rows[TS_OP_pv_pack_h];
        }
        ts_insn found = {.size = insn->size, .raw = insn->raw};
        fill(row, &found);
        if (ts__isa_constraints_hold(row->constraints, found.raw, found.imm)) {
            *insn = found;
            return (uint32_t)(row - ts_isa_rows);
        }
    }
    return TS_ROW_COUNT;
}

bool ts_isa_decode(uint32_t word, ts_isa_revision revision, ts_insn *out) {
    call_once(&index_once, build_index);
    uint32_t size = ts_isa_size(word);
    *out = (ts_insn){.size = (uint8_t)size, .raw = size == 4u ? word : word & 0xffffu};
    uint32_t row = find_row(revision, out);
    if (row == TS_ROW_COUNT) {
        return false;
    }
    out->row = (uint16_t)row;
    out->op = ts_isa_rows[row].base;
    if (revision < TS_ISA_RI5CY_2019_11 && (ts_isa_rows[row].flags & TS_F_SCI_SIGNED_BEFORE_2019) != 0u &&
        ts_isa_rows[row].format == TS__FORMAT_SCIU) {
        out->imm = sign_extend((uint32_t)out->imm, 6);
    }
    if (revision == TS_ISA_RI5CY_2017_12 && (row == TS_OP_p_clipr || row == TS_OP_p_clipur)) {
        out->imm2 = 1;
    }
    return true;
}
