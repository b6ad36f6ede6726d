#include "random_program.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/text.h"
#include "isa/isa.h"

/* Layout of the data area, from sp: 512 bytes that programs load and store, x0 .. x31 while registers are
 * set or recorded, then the harness's variables. */
enum { DATA_BYTES = 512, SAVE = 512, SEED = 640, RESULT = 644, ENDING = 648, CALL = 652, HEADER_BYTES = 256 };

/* Registers with a meaning of their own, never written at random: sp points to the data area, s0 to its
 * middle, a5 counts loops. */
enum { SP = 2, MIDDLE = 8, COUNTER = 15, MIDDLE_OFFSET = 256 };

static uint32_t here(const random_image *image) { return PROGRAM_BASE + image->code.count; }

static uint32_t emit(random_image *image, const ts_insn *insn) {
    uint32_t word = 0, at = image->code.count;
    TS_ASSERT(ts_isa_encode(insn, &word), "random program");
    for (uint32_t i = 0; i < ts_isa_size(word); i++) {
        TS_PUSH(image->arena, &image->code, (uint8_t)(word >> (8 * i)));
    }
    return at;
}

static uint32_t emit_text(random_image *image, const char *format, ...) __attribute__((format(printf, 2, 3)));
static uint32_t emit_text(random_image *image, const char *format, ...) {
    char text[64];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    ts_insn insn;
    TS_ASSERT(ts_isa_parse(text, here(image), TS_ISA_RI5CY_2019_11, &insn), text);
    return emit(image, &insn);
}

static uint32_t pick(random_image *image, uint32_t below) {
    return (uint32_t)(ts_random_next(&image->random) % below);
}

/* A register that may be written: any but the three with a meaning. */
static uint8_t any_target(random_image *image) {
    for (;;) {
        uint8_t number = (uint8_t)pick(image, 32);
        if (number != SP && number != MIDDLE && number != COUNTER) {
            return number;
        }
    }
}

static uint8_t any_source(random_image *image) { return (uint8_t)pick(image, 32); }

/* Rows that compute from registers and immediates alone. */
static const uint16_t arithmetic[] = {
    TS_OP_lui,     TS_OP_auipc,   TS_OP_addi,    TS_OP_slti,        TS_OP_sltiu, TS_OP_xori,   TS_OP_ori,
    TS_OP_andi,    TS_OP_slli,    TS_OP_srli,    TS_OP_srai,        TS_OP_add,   TS_OP_sub,    TS_OP_sll,
    TS_OP_slt,     TS_OP_sltu,    TS_OP_xor,     TS_OP_srl,         TS_OP_sra,   TS_OP_or,     TS_OP_and,
    TS_OP_mul,     TS_OP_mulh,    TS_OP_mulhsu,  TS_OP_mulhu,       TS_OP_div,   TS_OP_divu,   TS_OP_rem,
    TS_OP_remu,    TS_ROW_c_nop,  TS_ROW_c_addi, TS_ROW_c_addi4spn, TS_ROW_c_li, TS_ROW_c_lui, TS_ROW_c_srli,
    TS_ROW_c_srai, TS_ROW_c_andi, TS_ROW_c_sub,  TS_ROW_c_xor,      TS_ROW_c_or, TS_ROW_c_and, TS_ROW_c_slli,
    TS_ROW_c_mv,   TS_ROW_c_add,
};

static const uint16_t accesses[] = {
    TS_OP_lb, TS_OP_lh, TS_OP_lw,    TS_OP_lbu,   TS_OP_lhu,     TS_OP_sb,
    TS_OP_sh, TS_OP_sw, TS_ROW_c_lw, TS_ROW_c_sw, TS_ROW_c_lwsp, TS_ROW_c_swsp,
};

static const uint16_t branches[] = {TS_OP_beq,  TS_OP_bne,  TS_OP_blt,     TS_OP_bge,
                                    TS_OP_bltu, TS_OP_bgeu, TS_ROW_c_beqz, TS_ROW_c_bnez};

static const uint16_t jumps[] = {TS_OP_jal, TS_OP_jalr, TS_ROW_c_j, TS_ROW_c_jal, TS_ROW_c_jr, TS_ROW_c_jalr};

#define PICK(image, rows) (rows)[pick((image), sizeof(rows) / sizeof(rows)[0])]

/* Fills the free bits of a row at random until the operands suit. */
static void draw(random_image *image, uint32_t row, ts_insn *insn) {
    for (;;) {
        const ts_isa_row *r = &ts_isa_rows[row];
        uint32_t noise = (uint32_t)ts_random_next(&image->random) & ~r->mask;
        noise = row < TS_ISA_OP_COUNT ? noise : noise & 0xffffu;
        uint32_t word;
        bool legal = ts_isa_decode(r->match | noise, TS_ISA_RI5CY_2019_11, insn) && insn->row == row &&
                     ts_isa_encode(insn, &word);
        bool kept = (r->flags & TS_F_WRITES_RD) != 0u &&
                    (insn->rd == SP || insn->rd == MIDDLE || insn->rd == COUNTER);
        if (legal && !kept) {
            return;
        }
    }
}

static void emit_arithmetic(random_image *image) {
    ts_insn insn;
    draw(image, PICK(image, arithmetic), &insn);
    emit(image, &insn);
}

/* A load or store inside the data area; wide forms sometimes through a computed, misaligned address. */
static void emit_access(random_image *image) {
    ts_insn insn;
    uint32_t row = PICK(image, accesses);
    if (row >= TS_ISA_OP_COUNT) {
        for (bool inside = false; !inside;) {
            draw(image, row, &insn);
            insn.rs1 = row == TS_ROW_c_lw || row == TS_ROW_c_sw ? MIDDLE : SP;
            inside = insn.imm <= DATA_BYTES - MIDDLE_OFFSET - 4;
        }
        emit(image, &insn);
        return;
    }
    insn = (ts_insn){.row = (uint16_t)row, .rs1 = pick(image, 2) == 0 ? SP : MIDDLE};
    uint8_t *value = (ts_isa_rows[row].flags & TS_F_STORE) != 0u ? &insn.rs2 : &insn.rd;
    *value = value == &insn.rs2 ? any_source(image) : any_target(image);
    int32_t low = insn.rs1 == MIDDLE ? -MIDDLE_OFFSET : 0, high = low + DATA_BYTES - 4;
    if (pick(image, 3) == 0) {
        uint8_t index = any_target(image);
        if (index != 0) {
            const char *name = ts_isa_register(index);
            emit_text(image, "andi %s, %s, 127", name, ts_isa_register(any_source(image)));
            emit_text(image, "add %s, %s, %s", name, name, ts_isa_register(insn.rs1));
            insn.rs1 = index;
            high -= 127;
        }
    }
    insn.imm = (int32_t)ts_random_range(&image->random, low, high);
    if (pick(image, 2) == 0) {
        insn.imm &= ~3;
    }
    emit(image, &insn);
}

/* Between one and six instructions that a branch or jump leaves out. */
static void emit_simple(random_image *image) {
    if (pick(image, 3) == 0) {
        emit_access(image);
    } else {
        emit_arithmetic(image);
    }
}

static void emit_skipped(random_image *image) {
    for (uint32_t i = pick(image, 6) + 1; i > 0; i--) {
        emit_simple(image);
    }
}

/* Writes an instruction whose displacement is known only now over the one emitted at `at`. */
static void patch(random_image *image, uint32_t at, ts_insn *insn, int32_t displacement) {
    uint32_t end = image->code.count, word;
    insn->imm = displacement;
    TS_ASSERT(ts_isa_encode(insn, &word), "random program");
    for (uint32_t i = 0; i < ts_isa_size(word) && at + i < end; i++) {
        image->code.data[at + i] = (uint8_t)(word >> (8 * i));
    }
}

static void emit_branch(random_image *image) {
    ts_insn insn;
    draw(image, PICK(image, branches), &insn);
    insn.imm = 0;
    uint32_t at = emit(image, &insn);
    emit_skipped(image);
    patch(image, at, &insn, (int32_t)(image->code.count - at));
}

/* A jump forwards: direct, or through a register that auipc and addi prepare. */
static void emit_jump(random_image *image) {
    uint32_t row = PICK(image, jumps), base = ts_isa_rows[row].base;
    ts_insn insn = {.row = (uint16_t)row,
                    .rd = row == TS_OP_jal || row == TS_OP_jalr ? any_target(image) : 0};
    insn.rd = row == TS_ROW_c_jal || row == TS_ROW_c_jalr ? 1 : insn.rd;
    if (base == TS_OP_jal) {
        uint32_t at = emit(image, &insn);
        emit_skipped(image);
        patch(image, at, &insn, (int32_t)(image->code.count - at));
        return;
    }
    do {
        insn.rs1 = any_target(image);
    } while (insn.rs1 == 0);
    uint32_t from = emit_text(image, "auipc %s, 0x0", ts_isa_register(insn.rs1));
    ts_insn add = {.row = TS_OP_addi, .rd = insn.rs1, .rs1 = insn.rs1};
    uint32_t at = emit(image, &add);
    emit(image, &insn);
    emit_skipped(image);
    int32_t split = row == TS_OP_jalr ? (int32_t)ts_random_range(&image->random, -500, 500) : 0;
    int32_t distance = (int32_t)(image->code.count - from);
    patch(image, at, &add, distance - split);
    if (row == TS_OP_jalr) {
        patch(image, at + 4, &insn, split);
    }
}

/* A loop of one to four passes, closed by a wide or a compressed branch backwards. */
static void emit_loop(random_image *image) {
    emit_text(image, "addi a5, zero, %u", pick(image, 4) + 1);
    uint32_t top = image->code.count;
    for (uint32_t i = pick(image, 5) + 1; i > 0; i--) {
        if (pick(image, 4) == 0) {
            emit_branch(image);
        } else {
            emit_simple(image);
        }
    }
    bool compressed = pick(image, 2) == 0 && image->code.count - top < 240;
    emit_text(image, compressed ? "c.addi a5, -1" : "addi a5, a5, -1");
    emit_text(image, compressed ? "c.bnez a5, 0x%x" : "bne a5, zero, 0x%x", PROGRAM_BASE + top);
}

static void emit_body(random_image *image) {
    uint32_t end = image->code.count + PROGRAM_LENGTH * 4;
    while (image->code.count < end) {
        uint32_t kind = pick(image, 16);
        if (kind < 2) {
            emit_branch(image);
        } else if (kind == 2) {
            emit_jump(image);
        } else if (kind == 3) {
            emit_loop(image);
        } else {
            emit_simple(image);
        }
    }
}

/* Sets all registers but ra, sp, s0 from a linear congruential generator whose state is in memory; values are
 * shifted by up to 31 bits so that small ones and signs are common. */
static void emit_set_registers(random_image *image) {
    emit_text(image, "lw t0, %d(sp)", SEED);
    emit_text(image, "lui t1, 0x196");
    emit_text(image, "addi t1, t1, 1549");
    emit_text(image, "lui t2, 0x3c6ef");
    emit_text(image, "addi t2, t2, 863");
    for (int number = 3; number < 32; number++) {
        emit_text(image, "mul t0, t0, t1");
        emit_text(image, "add t0, t0, t2");
        emit_text(image, "srli t3, t0, 8");
        emit_text(image, "slli t4, t0, 13");
        emit_text(image, "sra t3, t4, t3");
        emit_text(image, "sw t3, %d(sp)", SAVE + 4 * number);
    }
    emit_text(image, "sw t0, %d(sp)", SEED);
    for (int number = 3; number < 32; number++) {
        emit_text(image, "lw x%d, %d(sp)", number, SAVE + 4 * number);
    }
    emit_text(image, "addi s0, sp, %d", MIDDLE_OFFSET);
    emit_text(image, "jalr zero, 0(ra)");
}

/* Appends x1 .. x31 and a digest of the data area to the results. ra was stored by the caller. */
static void emit_record(random_image *image) {
    for (int number = 2; number < 32; number++) {
        emit_text(image, "sw x%d, %d(sp)", number, SAVE + 4 * number);
    }
    emit_text(image, "lw a0, %d(sp)", RESULT);
    for (int number = 1; number < 32; number++) {
        emit_text(image, "lw t0, %d(sp)", SAVE + 4 * number);
        emit_text(image, "sw t0, %d(a0)", 4 * (number - 1));
    }
    emit_text(image, "addi t0, zero, 0");
    emit_text(image, "addi t1, sp, 0");
    emit_text(image, "addi t2, sp, %d", DATA_BYTES);
    uint32_t top = emit_text(image, "lw t3, 0(t1)");
    emit_text(image, "slli t4, t0, 5");
    emit_text(image, "sub t0, t4, t0");
    emit_text(image, "add t0, t0, t3");
    emit_text(image, "addi t1, t1, 4");
    emit_text(image, "bne t1, t2, 0x%x", PROGRAM_BASE + top);
    emit_text(image, "sw t0, %d(a0)", 4 * (RECORD_WORDS - 1));
    emit_text(image, "addi a0, a0, %d", 4 * RECORD_WORDS);
    emit_text(image, "sw a0, %d(sp)", RESULT);
    emit_text(image, "jalr zero, 0(ra)");
}

/* One call to the host: SYS_* number in a0, parameter block in a1 (RISC-V semihosting 0.3: the three
 * uncompressed instructions around ebreak are the call's mark). */
static void emit_call(random_image *image, int number) {
    emit_text(image, "addi a0, zero, %d", number);
    emit_text(image, "addi a1, sp, %d", CALL);
    while (image->code.count % 16 != 0) {
        emit_text(image, "c.nop");
    }
    emit_text(image, "slli zero, zero, 31");
    emit_text(image, "ebreak");
    emit_text(image, "srai zero, zero, 7");
}

/* Writes the results to the host's standard output and stops, or stores to the suite machine's exit. */
static void emit_ending(random_image *image) {
    enum { SYS_OPEN = 1, SYS_WRITE = 5, SYS_EXIT = 0x20, MODE_WRITE = 4 };
    emit_text(image, "lw t0, %d(sp)", ENDING);
    ts_insn skip = {.row = TS_OP_beq, .rs1 = 5};
    uint32_t at = emit(image, &skip);
    emit_text(image, "lui t0, 0x40000");
    emit_text(image, "sw zero, 12(t0)");
    emit_text(image, "jal zero, 0x%x", here(image));
    patch(image, at, &skip, (int32_t)(image->code.count - at));
    emit_text(image, "lui t0, 0x747"); /* ":tt", the console */
    emit_text(image, "addi t0, t0, 1082");
    emit_text(image, "sw t0, %d(sp)", CALL + 12);
    emit_text(image, "addi t1, sp, %d", CALL + 12);
    emit_text(image, "sw t1, %d(sp)", CALL);
    emit_text(image, "addi t0, zero, %d", MODE_WRITE);
    emit_text(image, "sw t0, %d(sp)", CALL + 4);
    emit_text(image, "addi t0, zero, 3");
    emit_text(image, "sw t0, %d(sp)", CALL + 8);
    emit_call(image, SYS_OPEN);
    emit_text(image, "sw a0, %d(sp)", CALL);
    emit_text(image, "lui t0, 0x%x", RESULT_BASE >> 12);
    emit_text(image, "sw t0, %d(sp)", CALL + 4);
    emit_text(image, "lw t1, %d(sp)", RESULT);
    emit_text(image, "sub t1, t1, t0");
    emit_text(image, "sw t1, %d(sp)", CALL + 8);
    emit_call(image, SYS_WRITE);
    emit_text(image, "lui t0, 0x20");
    emit_text(image, "addi t0, t0, 38"); /* ADP_Stopped_ApplicationExit */
    emit_text(image, "sw t0, %d(sp)", CALL);
    emit_text(image, "sw zero, %d(sp)", CALL + 4);
    emit_call(image, SYS_EXIT);
    emit_text(image, "jal zero, 0x%x", here(image));
}

random_image *random_image_new(ts_arena *arena, uint64_t seed, uint32_t count) {
    random_image *image = TS_NEW(arena, random_image);
    *image = (random_image){.arena = arena, .random = ts_random_seed(seed)};
    ts_insn skip = {.row = TS_OP_jal};
    emit(image, &skip);
    uint32_t set_registers = here(image);
    emit_set_registers(image);
    uint32_t record = here(image);
    emit_record(image);
    patch(image, 0, &skip, (int32_t)image->code.count);
    emit_text(image, "lui sp, 0x%x", DATA_BASE >> 12);
    for (uint32_t i = 0; i < count; i++) {
        emit_text(image, "jal ra, 0x%x", set_registers);
        TS_PUSH(arena, &image->starts, image->code.count);
        emit_body(image);
        emit_text(image, "sw ra, %d(sp)", SAVE + 4);
        emit_text(image, "jal ra, 0x%x", record);
    }
    TS_PUSH(arena, &image->starts, image->code.count);
    emit_ending(image);
    TS_ASSERT(image->code.count < DATA_BASE - PROGRAM_BASE, "random program");
    return image;
}

static void put_words(uint8_t *at, const uint32_t *words, size_t count) {
    for (size_t i = 0; i < 4 * count; i++) {
        at[i] = (uint8_t)(words[i / 4] >> (8 * (i % 4)));
    }
}

void *random_image_elf(random_image *image, random_image_end end, size_t *size) {
    uint32_t code = image->code.count, programs = image->starts.count - 1;
    uint32_t state_bytes = 2048;
    *size = HEADER_BYTES + code + state_bytes;
    uint8_t *file = ts_arena_alloc(image->arena, *size);
    memcpy(file, "\177ELF\1\1\1", 7);
    const uint32_t header[9] = {2 | 243 << 16, 1, PROGRAM_BASE, 52, 0, 1, 52 | 32 << 16, 2, 0};
    put_words(file + 16, header, 9);
    const uint32_t code_segment[8] = {1, HEADER_BYTES, PROGRAM_BASE, PROGRAM_BASE, code, code, 5, 4};
    const uint32_t data_segment[8] = {1,           HEADER_BYTES + code,
                                      DATA_BASE,   DATA_BASE,
                                      state_bytes, RESULT_BASE - DATA_BASE + programs * 4 * RECORD_WORDS,
                                      6,           4};
    put_words(file + 52, code_segment, 8);
    put_words(file + 84, data_segment, 8);
    memcpy(file + HEADER_BYTES, image->code.data, code);
    uint8_t *state = file + HEADER_BYTES + code;
    const uint32_t variables[3] = {(uint32_t)image->random.state, RESULT_BASE, end == END_STORE};
    put_words(state + SEED, variables, 3);
    return file;
}

char *random_image_text(random_image *image, uint32_t index) {
    ts_text text = {.arena = image->arena};
    for (uint32_t at = image->starts.data[index]; at < image->starts.data[index + 1];) {
        uint32_t word = 0;
        ts_insn insn;
        char line[64];
        memcpy(&word, image->code.data + at, 4);
        if (!ts_isa_decode(word, TS_ISA_RI5CY_2019_11, &insn)) {
            break;
        }
        ts_isa_print(&insn, PROGRAM_BASE + at, line, sizeof line);
        ts_text_printf(&text, "  %08x  %s\n", PROGRAM_BASE + at, line);
        at += insn.size;
    }
    return text.data;
}
