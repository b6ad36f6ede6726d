/* gen_xpulp h|inc OUTPUT : writes what device code uses to say XpulpV2 instructions, from src/isa/rows.def.
 *
 *   h    C: an inline function or, where an operand is an immediate, a macro for each instruction
 *   inc  assembler macros named by the mnemonics, for files that are not compiled C
 *
 * A build tool: it runs on the host that builds. The stock compiler does not know these instructions; all
 * of them become .insn or .word. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/isa_format.h"

static FILE *out;

/* The letter before each operand's name in generated text: "" in C, "\" in assembler macros. */
static const char *mark;

static const ts__isa_operand *operand_of(const ts_isa_row *row, int index) {
    const ts__isa_format_row *format = &ts__isa_formats[row->format];
    int id = index < TS__ISA_OPERANDS ? format->operands[index] : 0;
    return id != 0 ? &ts__isa_operands[id - 1] : NULL;
}

/* Name of an operand's parameter; NULL for one that is implied. */
static const char *parameter(const ts__isa_operand *operand) {
    static const char *const names[] = {"rd", "rs1", "rs2", "imm", "imm2"};
    return operand->style == TS__STYLE_HIDDEN ? NULL : names[operand->slot];
}

static bool is_immediate(const ts__isa_operand *operand) {
    return operand->slot >= TS__SLOT_IMM && operand->style != TS__STYLE_HIDDEN;
}

static bool has_immediate(const ts_isa_row *row) {
    for (int i = 0; operand_of(row, i) != NULL; i++) {
        if (is_immediate(operand_of(row, i))) {
            return true;
        }
    }
    return false;
}

static uint32_t opcode(const ts_isa_row *row) { return row->match & 0x7fu; }
static uint32_t funct3(const ts_isa_row *row) { return (row->match >> 12) & 7u; }
static uint32_t funct7(const ts_isa_row *row) { return row->match >> 25; }

/* The expression of all immediates' bits at and above word bit `low`, over the row's own bits there. */
static void put_bits(const ts_isa_row *row, uint32_t low) {
    fprintf(out, "0x%x", row->match >> low);
    for (int i = 0; operand_of(row, i) != NULL; i++) {
        const ts__isa_operand *operand = operand_of(row, i);
        for (int c = 0; is_immediate(operand) && c < TS__ISA_CHUNKS; c++) {
            const ts__isa_chunk *chunk = &operand->chunks[c];
            if (chunk->width != 0 && chunk->word_bit >= low) {
                fprintf(out, " | (((%s%s) >> %d) & %d) << %u", mark, parameter(operand), chunk->value_bit,
                        (1 << chunk->width) - 1, chunk->word_bit - low);
            }
        }
    }
}

/* As put_bits(20), folded to the signed 12-bit number that .insn i wants. */
static void put_imm12(const ts_isa_row *row) {
    fputs("(((", out);
    put_bits(row, 20);
    fputs(") ^ 0x800) - 0x800)", out);
}

/* How the stock assembler can be told to encode a row. */
typedef enum shape {
    SHAPE_R,  /* .insn r: three registers */
    SHAPE_RI, /* .insn r with an immediate in funct7 */
    SHAPE_I,  /* .insn i with the immediates folded into its 12 bits */
    SHAPE_LOAD,
    SHAPE_STORE,
    SHAPE_WORD, /* loops and branches against an immediate: assembler only */
} shape;

static shape shape_of(const ts_isa_row *row) {
    switch (row->format) {
        case TS__FORMAT_R:
        case TS__FORMAT_R1:
        case TS__FORMAT_LPR:
        case TS__FORMAT_LRR:
        case TS__FORMAT_SPR:
        case TS__FORMAT_SRR:
            return SHAPE_R;
        case TS__FORMAT_RN:
            return SHAPE_RI;
        case TS__FORMAT_LPI:
        case TS__FORMAT_L:
            return SHAPE_LOAD;
        case TS__FORMAT_SPI:
            return SHAPE_STORE;
        case TS__FORMAT_BI:
        case TS__FORMAT_LPT:
        case TS__FORMAT_LPC:
        case TS__FORMAT_LPCI:
        case TS__FORMAT_LPS:
        case TS__FORMAT_LPSI:
            return SHAPE_WORD;
        default:
            return SHAPE_I;
    }
}

/* ---- C ---- */

/* Results and scalar operands are signed unless the operation is about unsigned numbers or bits; packed
 * lanes are always uint32_t. */
static bool scalar_is_unsigned(const ts_isa_row *row) {
    static const char *const bits[] = {"p_ror",   "p_ff1",    "p_fl1",      "p_clb",
                                       "p_cnt",   "p_bclr",   "p_bset",     "p_bclrr",
                                       "p_bsetr", "p_bitrev", "p_extractu", "p_extractur"};
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        if (strcmp(row->id, bits[i]) == 0) {
            return true;
        }
    }
    static const char *const families[] = {"p_mulu",  "p_macu",   "p_mulhhu",  "p_machhu",   "p_addu",
                                           "p_subu",  "p_minu",   "p_maxu",    "p_sletu",    "p_exthz",
                                           "p_extbz", "pv_dotup", "pv_sdotup", "pv_extractu"};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (strncmp(row->id, families[i], strlen(families[i])) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_lanes(const ts_isa_row *row) { return strncmp(row->id, "pv_", 3) == 0; }

static const char *result_type(const ts_isa_row *row) {
    bool lane = strncmp(row->id, "pv_extract", 10) == 0;
    bool scalar = !is_lanes(row) || row->class == TS_CLASS_DOT || lane;
    return scalar && !scalar_is_unsigned(row) ? "int32_t" : "uint32_t";
}

static const char *operand_type(const ts_isa_row *row) {
    return is_lanes(row) ? "uint32_t" : result_type(row);
}

/* The assembler line with operand numbers: %0 is rd, then the registers read, then the immediate. */
static void put_template(const ts_isa_row *row) {
    bool two = (row->flags & TS_F_READS_RS2) != 0u;
    switch (shape_of(row)) {
        case SHAPE_R:
            fprintf(out, "\".insn r 0x%x, %u, 0x%x, %%0, %%1, %s\"", opcode(row), funct3(row), funct7(row),
                    two ? "%2" : "x0");
            break;
        case SHAPE_RI:
            fprintf(out, "\".insn r 0x%x, %u, %%3, %%0, %%1, %%2\"", opcode(row), funct3(row));
            break;
        default:
            fprintf(out, "\".insn i 0x%x, %u, %%0, %%1, %%2\"", opcode(row), funct3(row));
    }
}

static void put_inputs(const ts_isa_row *row, const char *type) {
    bool two = (row->flags & TS_F_READS_RS2) != 0u;
    fprintf(out, "\"r\"((%s)(rs1))", type);
    if (two) {
        fprintf(out, ", \"r\"((%s)(rs2))", type);
    }
    if (has_immediate(row)) {
        fputs(", \"i\"(", out);
        if (shape_of(row) == SHAPE_RI) {
            put_bits(row, 25);
        } else {
            put_imm12(row);
        }
        fputc(')', out);
    }
}

static void put_parameters(const ts_isa_row *row, const char *result, const char *type) {
    const char *separator = "";
    if ((row->flags & TS_F_READS_RD) != 0u) {
        fprintf(out, "%s%srd", result, result[0] != '\0' ? " " : "");
        separator = ", ";
    }
    for (int i = 1; operand_of(row, i) != NULL; i++) {
        if (parameter(operand_of(row, i)) != NULL) {
            fprintf(out, "%s%s%s%s", separator, type, type[0] != '\0' ? " " : "",
                    parameter(operand_of(row, i)));
            separator = ", ";
        }
    }
}

/* Immediates must be constants to the assembler, so that these are macros. */
static void put_pure_macro(const ts_isa_row *row) {
    const char *result = result_type(row);
    bool accumulates = (row->flags & TS_F_READS_RD) != 0u;
    fprintf(out, "#define %s(", row->id);
    put_parameters(row, "", "");
    fprintf(out, ") __extension__({ %s ts_rd_%s; __asm__(", result, accumulates ? " = (rd)" : "");
    put_template(row);
    fprintf(out, " : \"%cr\"(ts_rd_) : ", accumulates ? '+' : '=');
    put_inputs(row, operand_type(row));
    fputs("); ts_rd_; })\n", out);
}

static void put_pure_function(const ts_isa_row *row) {
    const char *result = result_type(row);
    bool accumulates = (row->flags & TS_F_READS_RD) != 0u;
    fprintf(out, "static inline __attribute__((always_inline)) %s %s(", result, row->id);
    put_parameters(row, result, operand_type(row));
    fprintf(out, ") { %s%s__asm__(", accumulates ? "" : result, accumulates ? "" : " rd; ");
    put_template(row);
    fprintf(out, " : \"%cr\"(rd) : ", accumulates ? '+' : '=');
    put_inputs(row, operand_type(row));
    fputs("); return rd; }\n", out);
}

static const char *access_type(const ts_isa_row *row) {
    bool is_signed = (row->flags & TS_F_SIGNED) != 0u;
    switch (TS_F_SIZE_BYTES(row->flags)) {
        case 1:
            return is_signed ? "int8_t" : "uint8_t";
        case 2:
            return is_signed ? "ts_xp_s16" : "ts_xp_u16";
        default:
            return "ts_xp_u32";
    }
}

/* Loads tell the compiler what they read, stores what they write; post-increments change the pointer. */
static void put_load(const ts_isa_row *row) {
    bool updates = (row->flags & TS_F_WRITES_BASE) != 0u;
    bool immediate = shape_of(row) == SHAPE_LOAD;
    const char *type = (row->flags & TS_F_SIGNED) != 0u ? "int32_t" : "uint32_t";
    fprintf(out, "#define %s(pointer, offset) __extension__({ %s ts_rd_; __asm__(", row->id, type);
    if (immediate) {
        fprintf(out, "\".insn i 0x%x, %u, %%0, %%1, %%2\"", opcode(row), funct3(row));
    } else {
        fprintf(out, "\".insn r 0x%x, %u, 0x%x, %%0, %%1, %%2\"", opcode(row), funct3(row), funct7(row));
    }
    fputs(updates ? " : \"=&r\"(ts_rd_), \"+r\"(pointer) : " : " : \"=r\"(ts_rd_) : \"r\"(pointer), ", out);
    fprintf(out, immediate ? "\"i\"(offset)" : "\"r\"((int32_t)(offset))");
    fprintf(out, ", \"m\"(*(const %s%s)(pointer))); ts_rd_; })\n", updates ? access_type(row) : "char (*)[]",
            updates ? " *" : "");
}

static void put_store(const ts_isa_row *row) {
    bool updates = (row->flags & TS_F_WRITES_BASE) != 0u;
    const char *type = access_type(row);
    const char *base = updates ? "%0" : "%1";
    fprintf(out, "#define %s(value, pointer, offset) __extension__({ __asm__(", row->id);
    if (shape_of(row) == SHAPE_STORE) {
        fprintf(out, "\".insn s 0x%x, %u, %%2, %%3(%s)\"", opcode(row), funct3(row), base);
    } else {
        fprintf(out, "\".insn r 0x%x, %u, 0, %%3, %s, %%2\"", opcode(row), funct3(row), base);
    }
    if (updates) {
        fprintf(out, " : \"+r\"(pointer), \"=m\"(*(%s *)(pointer)) : ", type);
    } else {
        fputs(" : \"=m\"(*(char (*)[])(pointer)) : \"r\"(pointer), ", out);
    }
    fprintf(out, "\"r\"((uint32_t)(value)), \"%c\"((int32_t)(offset))); })\n",
            shape_of(row) == SHAPE_STORE ? 'i' : 'r');
}

static void put_header(void) {
    mark = "";
    fputs(
        "/* Written by tools/gen_xpulp.c from the instruction table; do not edit.\n *\n"
        " * XpulpV2 for C, one instruction each, named by the mnemonic with _ for the dots. Arguments are "
        "in\n"
        " * the order rd (where the instruction reads it), rs1, rs2, immediates; immediates are constants.\n"
        " * Lanes are uint32_t. The post-increment forms change `pointer`, which is any pointer variable:\n"
        " *     value = p_lw_pi(pointer, 4);   p_sw_pi(value, pointer, 4);\n"
        " * Bit fields: p_extract(x, bits - 1, lowest). */\n"
        "#ifndef TS_KERNELS_XPULP_INSN_H\n#define TS_KERNELS_XPULP_INSN_H\n\n#pragma GCC system_header\n\n"
        "#include <stdint.h>\n\n"
        "typedef uint32_t __attribute__((may_alias, aligned(1))) ts_xp_u32;\n"
        "typedef uint16_t __attribute__((may_alias, aligned(1))) ts_xp_u16;\n"
        "typedef int16_t __attribute__((may_alias, aligned(1))) ts_xp_s16;\n\n",
        out);
    for (int i = 0; i < TS_ISA_OP_COUNT; i++) {
        const ts_isa_row *row = &ts_isa_rows[i];
        if (row->extension != TS_EXT_XPULP || row->class == TS_CLASS_ELW || shape_of(row) == SHAPE_WORD) {
            continue;
        }
        if ((row->flags & TS_F_STORE) != 0u) {
            put_store(row);
        } else if ((row->flags & TS_F_LOAD) != 0u) {
            put_load(row);
        } else if (has_immediate(row)) {
            put_pure_macro(row);
        } else {
            put_pure_function(row);
        }
    }
    fputs("\n#endif\n", out);
}

/* ---- assembler ---- */

/* Loads and stores have the addressing mode behind the mnemonic: p.lw_pi, p.lw_pr, p.lw_rr. */
static void put_name(const ts_isa_row *row) {
    fputs(row->mnemonic, out);
    size_t length = strlen(row->id);
    if ((row->flags & (TS_F_LOAD | TS_F_STORE)) != 0u && row->class != TS_CLASS_ELW) {
        fputs(row->id + length - 3, out);
    }
}

/* The registers of .insn r in its order, given by the slots of ts_insn. */
static void put_registers(const ts_isa_row *row) {
    bool rs2 = false;
    for (int i = 0; operand_of(row, i) != NULL; i++) {
        rs2 = rs2 || operand_of(row, i)->slot == TS__SLOT_RS2;
    }
    fprintf(out, "\\rd, \\rs1, %s\n", rs2 ? "\\rs2" : "x0");
}

static void put_word(const ts_isa_row *row) {
    fprintf(out, "  .word 0x%08x", row->match);
    for (int i = 0; operand_of(row, i) != NULL; i++) {
        const ts__isa_operand *operand = operand_of(row, i);
        const char *name = parameter(operand);
        for (int c = 0; c < TS__ISA_CHUNKS && operand->chunks[c].width != 0; c++) {
            const ts__isa_chunk *chunk = &operand->chunks[c];
            const char *prefix = operand->style == TS__STYLE_REGISTER ? "xp_" : "";
            const char *suffix = operand->style == TS__STYLE_TARGET ? " - ." : "";
            fprintf(out, " | ((((%s\\%s%s) >> %d) & %d) << %d)", prefix, name, suffix, chunk->value_bit,
                    (1 << chunk->width) - 1, chunk->word_bit);
        }
    }
    fputs("\n", out);
}

static void put_branch(const ts_isa_row *row) {
    fprintf(out, "  .altmacro\n  xp_branch %u, \\rs1, %%((\\imm2) & 31), \\imm\n  .noaltmacro\n",
            funct3(row));
}

static bool is_access(const ts_isa_row *row) { return (row->flags & (TS_F_LOAD | TS_F_STORE)) != 0u; }

/* The operand at a place of the macro's argument list: that of the instruction, but for the base of a
 * load or store, which stands before the offset. */
static const ts__isa_operand *argument_of(const ts_isa_row *row, int index) {
    static const int value_base_offset[] = {0, 2, 1};
    return operand_of(row, is_access(row) && index < 3 ? value_base_offset[index] : index);
}

static void put_macro(const ts_isa_row *row, const char *suffix) {
    fputs(".macro ", out);
    put_name(row);
    fputs(suffix, out);
    const char *separator = " ";
    for (int i = 0; argument_of(row, i) != NULL; i++) {
        if (parameter(argument_of(row, i)) != NULL) {
            fprintf(out, "%s%s", separator, parameter(argument_of(row, i)));
            separator = ", ";
        }
    }
    fputc('\n', out);
    switch (shape_of(row)) {
        case SHAPE_R:
            fprintf(out, "  .insn r 0x%x, %u, 0x%x, ", opcode(row), funct3(row), funct7(row));
            put_registers(row);
            break;
        case SHAPE_RI:
            fprintf(out, "  .insn r 0x%x, %u, (", opcode(row), funct3(row));
            put_bits(row, 25);
            fputs("), ", out);
            put_registers(row);
            break;
        case SHAPE_I:
            fprintf(out, "  .insn i 0x%x, %u, \\rd, \\rs1, ", opcode(row), funct3(row));
            put_imm12(row);
            fputc('\n', out);
            break;
        case SHAPE_LOAD:
            fprintf(out, "  .insn i 0x%x, %u, \\rd, \\rs1, \\imm\n", opcode(row), funct3(row));
            break;
        case SHAPE_STORE:
            fprintf(out, "  .insn s 0x%x, %u, \\rs2, (\\imm)(\\rs1)\n", opcode(row), funct3(row));
            break;
        default:
            if (row->format == TS__FORMAT_BI) {
                put_branch(row);
            } else {
                put_word(row);
            }
    }
    fputs(".endm\n", out);
}

static void put_include(void) {
    mark = "\\";
    fputs(
        "/* Written by tools/gen_xpulp.c from the instruction table; do not edit.\n *\n"
        " * XpulpV2 for the stock assembler (-march=rv32imc -mno-relax): macros named by the mnemonics, "
        "operands\n"
        " * in the order of the instruction, but bases before offsets; the addressing mode is a suffix\n"
        " * (p.lw_pi rd, base, imm; p.sw_pr rs2, base, offset). Loop ends are the label of the last "
        "instruction of the body. */\n"
        ".ifndef xp_zero\n",
        out);
    for (uint32_t i = 0; i < 32; i++) {
        fprintf(out, ".set xp_%s, %u\n.set xp_x%u, %u\n", ts_isa_register(i), i, i, i);
    }
    fputs(
        ".set xp_fp, 8\n.macro xp_branch funct3, rs1, number, target\n"
        "  .insn sb 0x63, \\funct3, \\rs1, x\\number, \\target\n.endm\n",
        out);
    for (int i = 0; i < TS_ISA_OP_COUNT; i++) {
        if (ts_isa_rows[i].extension == TS_EXT_XPULP) {
            put_macro(&ts_isa_rows[i], "");
        }
        if (i == TS_OP_lp_endi || i == TS_OP_lp_setup) {
            put_macro(&ts_isa_rows[i], "_at");
        }
    }
    fputs(".endif\n", out);
}

int main(int argc, char **argv) {
    if (argc != 3 || (strcmp(argv[1], "h") != 0 && strcmp(argv[1], "inc") != 0)) {
        fputs("usage: gen_xpulp h|inc OUTPUT\n", stderr);
        return 1;
    }
    out = fopen(argv[2], "w");
    if (out == NULL) {
        perror(argv[2]);
        return 1;
    }
    if (argv[1][0] == 'h') {
        put_header();
    } else {
        put_include();
    }
    if (fclose(out) != 0) {
        perror(argv[2]);
        return 1;
    }
    return 0;
}
