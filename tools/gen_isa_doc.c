/* gen_isa_doc OUTPUT : writes docs/xpulpv2.md from src/isa/rows.def. A test regenerates and compares. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/isa_format.h"

/* Results by row, or by family for the SIMD operations of six forms; the longest match counts. */
static const struct {
    const char *id;
    const char *text;
} results[] = {
    {"p_mac", "rd + rs1 * rs2"},
    {"p_msu", "rd - rs1 * rs2"},
    {"p_slet", "1 if rs1 <= rs2 (signed), else 0"},
    {"p_sletu", "1 if rs1 <= rs2 (unsigned), else 0"},
    {"p_min", "signed minimum"},
    {"p_minu", "unsigned minimum"},
    {"p_max", "signed maximum"},
    {"p_maxu", "unsigned maximum"},
    {"p_abs", "magnitude; 0x80000000 stays"},
    {"p_ror", "rs1 rotated right by rs2[4:0]"},
    {"p_ff1", "index of the lowest 1; 32 for 0"},
    {"p_fl1", "index of the highest 1; 32 for 0"},
    {"p_clb", "redundant sign bits; 0 for 0, 31 for -1"},
    {"p_cnt", "number of ones"},
    {"p_exths", "rs1[15:0] sign-extended"},
    {"p_exthz", "rs1[15:0] zero-extended"},
    {"p_extbs", "rs1[7:0] sign-extended"},
    {"p_extbz", "rs1[7:0] zero-extended"},
    {"p_clip", "rs1 clipped to [-2^(I-1), 2^(I-1)-1]; I = 0 acts as 1"},
    {"p_clipu", "rs1 (signed) clipped to [0, 2^(I-1)-1]; I = 0 acts as 1"},
    {"p_clipr", "rs1 clipped to [-rs2-1, rs2]"},
    {"p_clipur", "rs1 clipped to [0, rs2]"},
    {"p_extract", "field of rs1, sign-extended"},
    {"p_extractu", "field of rs1, zero-extended"},
    {"p_insert", "rd with the field replaced by rs1[Is3:0]"},
    {"p_bclr", "rs1 with the field cleared"},
    {"p_bset", "rs1 with the field set"},
    {"p_bitrev", "rs1 << Is2, digits of Is3+1 bits reversed"},
    {"p_extractr", "as p.extract, Is3 = rs2[9:5], Is2 = rs2[4:0]"},
    {"p_extractur", "as p.extractu, field from rs2"},
    {"p_insertr", "as p.insert, field from rs2"},
    {"p_bclrr", "as p.bclr, field from rs2"},
    {"p_bsetr", "as p.bset, field from rs2"},
    {"p_mulu", "product of the low halves, unsigned"},
    {"p_mulhhu", "product of the high halves, unsigned"},
    {"p_muls", "product of the low halves, signed"},
    {"p_mulhhs", "product of the high halves, signed"},
    {"p_macu", "rd + product of the low halves, unsigned"},
    {"p_machhu", "rd + product of the high halves, unsigned"},
    {"p_macs", "rd + product of the low halves, signed"},
    {"p_machhs", "rd + product of the high halves, signed"},
    {"p_add", "rs1 + rs2 (register forms: rd + rs1)"},
    {"p_addu", "rs1 + rs2 (register forms: rd + rs1), unsigned"},
    {"p_sub", "rs1 - rs2 (register forms: rd - rs1)"},
    {"p_subu", "rs1 - rs2 (register forms: rd - rs1), unsigned"},
    {"p_l", "load"},
    {"p_elw", "event load: the core sleeps until the response"},
    {"p_s", "store"},
    {"p_beqimm", "branch if rs1 equals the immediate"},
    {"p_bneimm", "branch if rs1 differs from the immediate"},
    {"lp_starti", "start[L] = address"},
    {"lp_endi", "end[L] = address of the last instruction of the body"},
    {"lp_count", "count[L] = rs1"},
    {"lp_counti", "count[L] = immediate"},
    {"lp_setup", "start[L] = pc + 4, end[L] = address, count[L] = rs1"},
    {"lp_setupi", "start[L] = pc + 4, end[L] = address, count[L] = immediate"},
    {"pv_add", "a + b"},
    {"pv_sub", "a - b"},
    {"pv_avg", "(a + b) wrapped, arithmetic >> 1"},
    {"pv_avgu", "(a + b) wrapped, logical >> 1"},
    {"pv_min", "signed minimum"},
    {"pv_minu", "unsigned minimum"},
    {"pv_max", "signed maximum"},
    {"pv_maxu", "unsigned maximum"},
    {"pv_srl", "a >> b, logical, b modulo the lane's width"},
    {"pv_sra", "a >> b, arithmetic, b modulo the lane's width"},
    {"pv_sll", "a << b, b modulo the lane's width"},
    {"pv_or", "a or b"},
    {"pv_xor", "a exclusive-or b"},
    {"pv_and", "a and b"},
    {"pv_cmpeq", "all ones if a == b, else 0"},
    {"pv_cmpne", "a != b"},
    {"pv_cmpgt", "a > b, signed"},
    {"pv_cmpge", "a >= b, signed"},
    {"pv_cmplt", "a < b, signed"},
    {"pv_cmple", "a <= b, signed"},
    {"pv_cmpgtu", "a > b, unsigned"},
    {"pv_cmpgeu", "a >= b, unsigned"},
    {"pv_cmpltu", "a < b, unsigned"},
    {"pv_cmpleu", "a <= b, unsigned"},
    {"pv_dotup", "sum of u(a) * u(b)"},
    {"pv_dotusp", "sum of u(a) * s(b)"},
    {"pv_dotsp", "sum of s(a) * s(b)"},
    {"pv_sdotup", "rd + sum of u(a) * u(b)"},
    {"pv_sdotusp", "rd + sum of u(a) * s(b)"},
    {"pv_sdotsp", "rd + sum of s(a) * s(b)"},
    {"pv_abs", "magnitude of each lane; the most negative stays"},
    {"pv_extract", "lane I of rs1, sign-extended"},
    {"pv_extractu", "lane I of rs1, zero-extended"},
    {"pv_insert", "rd with lane I replaced by the lowest lane of rs1"},
    {"pv_shuffle", "lane k = lane (rs2 lane k) of rs1"},
    {"pv_shuffle2",
     "lane k = lane of rs1 or, where the index lacks its high bit, of rd; index in rs2 lane k"},
    {"pv_shuffle_sci", "lane k = lane (bit k of the immediate) of rs1"},
    {"pv_shuffleI", "lanes 0, 1, 2 by two bits of the immediate each; lane 3 = the lane in the name"},
    {"pv_pack_h", "{rs1[15:0], rs2[15:0]}"},
    {"pv_pack_h_h", "{rs1[31:16], rs2[31:16]}"},
    {"pv_packhi", "{rs1[7:0], rs2[7:0], rd[15:0]}"},
    {"pv_packlo", "{rd[31:16], rs1[7:0], rs2[7:0]}"},
};

static FILE *out;

static const char *result_of(const char *id) {
    const char *best = NULL;
    size_t best_length = 0;
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        size_t length = strlen(results[i].id);
        if (strncmp(id, results[i].id, length) == 0 && length > best_length) {
            best = results[i].text;
            best_length = length;
        }
    }
    if (best == NULL) {
        fprintf(stderr, "gen_isa_doc: no result text for %s\n", id);
        exit(1);
    }
    return best;
}

/* "rd, imm(rs1!)" from the format's template. */
static void put_operands(const ts_isa_row *row) {
    static const char *const names[] = {"rd", "rs1", "rs2", "imm", "imm2"};
    const ts__isa_format_row *format = &ts__isa_formats[row->format];
    int next = 0;
    for (const char *at = format->text; *at != '\0'; at++) {
        if (*at != '%') {
            fputc(*at, out);
            continue;
        }
        const ts__isa_operand *operand = &ts__isa_operands[format->operands[next++] - 1];
        const char *name = names[operand->slot];
        name = operand->style == TS__STYLE_TARGET ? "label" : name;
        name = row->format == TS__FORMAT_BITS && operand->slot == TS__SLOT_IMM ? "Is2" : name;
        name = row->format == TS__FORMAT_BITS && operand->slot == TS__SLOT_IMM2 ? "Is3" : name;
        name = (row->flags & TS_F_HWLOOP) != 0u && operand->slot == TS__SLOT_RD ? "L" : name;
        bool offset_register = (row->flags & TS_F_STORE) != 0u && operand->slot == TS__SLOT_RD;
        fputs(offset_register ? "rs3" : name, out);
    }
}

static void put_since(const ts_isa_row *row) {
    fputs((row->flags & TS_F_FROM_2019) != 0u      ? "2019-11, cv32e40p"
          : (row->flags & TS_F_NOT_CV32E40P) != 0u ? "ri5cy"
                                                   : "all",
          out);
}

static void put_row(const ts_isa_row *row) {
    fprintf(out, "| `%s", row->mnemonic);
    fputs(ts__isa_formats[row->format].text[0] != '\0' ? " " : "", out);
    put_operands(row);
    fprintf(out, "` | `0x%08x` | `0x%08x` | ", row->match, row->mask);
    put_since(row);
    fprintf(out, " | %s |\n",
            row->extension == TS_EXT_XPULP ? result_of(row->id) : ts_isa_rows[row->base].mnemonic);
}

/* One of the SIMD operations with six forms: its first row is ID_h and the fourth ID_b. */
static bool is_six_forms(uint32_t index) {
    size_t length = strlen(ts_isa_rows[index].id);
    return index + 5 < TS_ISA_OP_COUNT && strcmp(ts_isa_rows[index].id + length - 2, "_h") == 0 &&
           strncmp(ts_isa_rows[index].id, ts_isa_rows[index + 1].id, length - 2) == 0 &&
           strncmp(ts_isa_rows[index + 1].id + length - 2, "_sc_h", 5) == 0;
}

static void put_table(const char *title, bool (*wanted)(uint32_t row)) {
    fprintf(out,
            "\n## %s\n\n| instruction | match | mask | cores | result |\n| --- | --- | --- | --- | --- |\n",
            title);
    for (uint32_t i = 0; i < TS_ROW_COUNT; i++) {
        if (wanted(i)) {
            put_row(&ts_isa_rows[i]);
        }
    }
}

static bool in_six_forms(uint32_t row) {
    for (uint32_t first = row < 5 ? 0 : row - 5; first <= row; first++) {
        if (is_six_forms(first)) {
            return true;
        }
    }
    return false;
}

static bool is_xpulp(uint32_t row) { return ts_isa_rows[row].extension == TS_EXT_XPULP; }
static bool is_access(uint32_t row) {
    return is_xpulp(row) && (ts_isa_rows[row].flags & (TS_F_LOAD | TS_F_STORE)) != 0u;
}
static bool is_control(uint32_t row) {
    return is_xpulp(row) && (ts_isa_rows[row].flags & (TS_F_BRANCH | TS_F_HWLOOP)) != 0u;
}
static bool is_short_multiply(uint32_t row) {
    return is_xpulp(row) && (ts_isa_rows[row].match & 0x7fu) == 0x5bu;
}
static bool is_scalar(uint32_t row) { return is_xpulp(row) && (ts_isa_rows[row].match & 0x7fu) == 0x33u; }
static bool is_fixed_simd(uint32_t row) {
    return is_xpulp(row) && (ts_isa_rows[row].match & 0x7fu) == 0x57u && !in_six_forms(row);
}
static bool is_base(uint32_t row) { return row < TS_ISA_OP_COUNT && !is_xpulp(row); }
static bool is_compressed(uint32_t row) { return row >= TS_ISA_OP_COUNT; }

static void put_six_forms(void) {
    fputs(
        "\n## SIMD operations of six forms\n\n"
        "`op.h`, `op.b`: lanes of rs1 with lanes of rs2. `op.sc.h`, `op.sc.b`: with the lowest lane of rs2.\n"
        "`op.sci.h`, `op.sci.b`: with an immediate of six bits (bits 5:1 in 24:20, bit 0 in 25). The forms "
        "differ in\n"
        "funct3: 0, 1, 4, 5, 6, 7 in that order; mask `0xfe00707f`, for the immediate forms `0xfc00707f`.\n\n"
        "| operation | match of `.h` | immediate | result |\n| --- | --- | --- | --- |\n",
        out);
    for (uint32_t i = 0; i < TS_ISA_OP_COUNT; i++) {
        const ts_isa_row *row = &ts_isa_rows[i];
        if (!is_six_forms(i)) {
            continue;
        }
        bool changed = (row->flags & TS_F_SCI_SIGNED_BEFORE_2019) != 0u;
        bool is_unsigned = ts_isa_rows[i + 2].format == TS__FORMAT_SCIU;
        fprintf(out, "| `%.*s` | `0x%08x` | %s | %s |\n", (int)strlen(row->mnemonic) - 2, row->mnemonic,
                row->match,
                changed       ? "zero-extended; sign-extended before 2019"
                : is_unsigned ? "zero-extended"
                              : "sign-extended",
                result_of(row->id));
    }
}

static const char introduction[] =
    "# The instruction set\n\n"
    "Written by `tools/gen_isa_doc.c` from `src/isa/rows.def`, the table from which the simulator's decoder, "
    "the\n"
    "disassembler (`tessera disasm`) and the wrappers of device code are made; a test compares. The meaning "
    "of each\n"
    "row is the function of its name in `src/isa/semantics.h` and `semantics_simd.h`; where the core's RTL "
    "was\n"
    "measured, that is what they follow.\n\n"
    "A word is an instruction when `(word & mask) == match`. All arithmetic is modulo 2^32. Bit fields are\n"
    "[Is2 + Is3 : Is2]. In the normalising group the result is shifted right by the immediate (register "
    "forms:\n"
    "rs2[4:0]), arithmetic or, in the `u` forms, logical; the `R` forms add 2^(I-1) first (nothing when I = "
    "0); the\n"
    "32-bit sum wraps before the shift. `imm(rs1!)` uses rs1 as the address and then adds the offset to "
    "it.\n\n"
    "Core revisions: `ri5cy-2017-12`, `ri5cy-2018-01`, `ri5cy-2019-11` and `cv32e40p-1.0.0`. Besides the "
    "column\n"
    "below, the revisions before 2019 take `pv.pack.h.h` for `pv.pack.h`, sign-extend the immediate of "
    "`pv.dotup.sci`\n"
    "and `pv.sdotup.sci`, and on 2017-12 `p.clipr` and `p.clipur` give ~rs2 when rs1 + rs2 + 1 overflows.\n";

int main(int argc, char **argv) {
    out = argc == 2 ? fopen(argv[1], "w") : NULL;
    if (out == NULL) {
        fputs("usage: gen_isa_doc OUTPUT\n", stderr);
        return 1;
    }
    fputs(introduction, out);
    put_table("Scalar arithmetic and bit fields", is_scalar);
    put_table("16-bit multiplication, addition with normalisation", is_short_multiply);
    put_table("Loads and stores", is_access);
    put_table("Branches and hardware loops", is_control);
    put_six_forms();
    put_table("SIMD of fixed form", is_fixed_simd);
    put_table("Base instructions", is_base);
    put_table("Compressed instructions, with what they expand to", is_compressed);
    if (fclose(out) != 0) {
        perror(argv[1]);
        return 1;
    }
    return 0;
}
