/* The instruction table against itself: no two rows overlap, and every row survives the way
 * encode, decode, print, parse, encode. */
#include <string.h>

#include "base/random.h"
#include "harness.h"
#include "isa/isa.h"
#include "isa/isa_format.h"

enum { TRIALS = 400 };

static bool matches(uint32_t row, uint32_t word) {
    return (word & ts_isa_rows[row].mask) == ts_isa_rows[row].match;
}

static void masks_cover_their_match(void **state) {
    (void)state;
    for (uint32_t i = 0; i < TS_ROW_COUNT; i++) {
        const ts_isa_row *row = &ts_isa_rows[i];
        assert_int_equal(row->match & ~row->mask, 0);
        assert_int_equal(ts_isa_size(row->match), i < TS_ISA_OP_COUNT ? 4 : 2);
        uint32_t operands = ts__isa_operand_bits(&ts__isa_formats[row->format]);
        bool compressed_register = i >= TS_ISA_OP_COUNT;
        if (!compressed_register && (operands & row->mask) != 0u) {
            fail_msg("%s: operand bits %08x are fixed by the mask", row->mnemonic, operands & row->mask);
        }
    }
}

static void wide_rows_do_not_overlap(void **state) {
    (void)state;
    for (uint32_t i = 0; i < TS_ISA_OP_COUNT; i++) {
        for (uint32_t j = i + 1; j < TS_ISA_OP_COUNT; j++) {
            const ts_isa_row *a = &ts_isa_rows[i], *b = &ts_isa_rows[j];
            if (((a->match ^ b->match) & a->mask & b->mask) == 0u) {
                fail_msg("%s and %s share words", a->id, b->id);
            }
        }
    }
}

/* All 16-bit words: at most one row takes each, and the decoder finds that one. */
static void compressed_rows_do_not_overlap(void **state) {
    (void)state;
    for (uint32_t word = 0; word < 0x10000u; word++) {
        if (ts_isa_size(word) == 4u) {
            continue;
        }
        uint32_t found = TS_ROW_COUNT;
        for (uint32_t row = TS_ISA_OP_COUNT; row < TS_ROW_COUNT; row++) {
            ts_insn insn = {.row = (uint16_t)row};
            const ts__isa_format_row *format = &ts__isa_formats[ts_isa_rows[row].format];
            for (int i = 0; i < TS__ISA_OPERANDS && format->operands[i] != 0; i++) {
                const ts__isa_operand *operand = &ts__isa_operands[format->operands[i] - 1];
                ts__isa_set(&insn, operand, ts__isa_operand_value(word, operand));
            }
            if (matches(row, word) &&
                ts__isa_constraints_hold(ts_isa_rows[row].constraints, word, insn.imm)) {
                if (found != TS_ROW_COUNT) {
                    fail_msg("%04x is both %s and %s", word, ts_isa_rows[found].id, ts_isa_rows[row].id);
                }
                found = row;
            }
        }
        ts_insn insn;
        bool legal = ts_isa_decode(word, TS_ISA_RI5CY_2019_11, &insn);
        assert_int_equal(legal, found != TS_ROW_COUNT);
        assert_true(!legal || insn.row == found);
    }
}

/* The bits that decide nothing: neither fixed nor an operand (reserved fields of fence, hints). */
static uint32_t ignored_bits(const ts_isa_row *row) {
    uint32_t size_mask = ts_isa_size(row->match) == 4u ? 0xffffffffu : 0xffffu;
    return size_mask & ~row->mask & ~ts__isa_operand_bits(&ts__isa_formats[row->format]);
}

static void round_trip(uint32_t row, uint32_t word, ts_isa_revision revision) {
    ts_insn insn, again;
    if (!ts_isa_decode(word, revision, &insn)) {
        assert_true(ts_isa_rows[row].constraints != 0 || !ts_isa_has(row, revision));
        return;
    }
    if (insn.row != row) {
        assert_true(ts_isa_rows[row].constraints != 0 || row == TS_OP_pv_pack_h_h);
        return;
    }
    assert_int_equal(insn.op, ts_isa_rows[row].base);
    assert_true(insn.op < TS_ISA_OP_COUNT);
    uint32_t encoded;
    char text[64];
    const uint32_t pc = 0x1c008000;
    ts_isa_print(&insn, pc, text, sizeof text);
    bool old_sci =
        revision < TS_ISA_RI5CY_2019_11 && (ts_isa_rows[row].flags & TS_F_SCI_SIGNED_BEFORE_2019) != 0u;
    if (old_sci) {
        return;
    }
    if (!ts_isa_encode(&insn, &encoded) || encoded != (word & ~ignored_bits(&ts_isa_rows[row]))) {
        fail_msg("%08x decodes to '%s', which encodes as %08x", word, text, encoded);
    }
    if (!ts_isa_parse(text, pc, revision, &again)) {
        fail_msg("'%s' is not read back", text);
    }
    assert_int_equal(again.raw, encoded);
    again.raw = insn.raw;
    assert_memory_equal(&again, &insn, sizeof insn);
}

static void every_row_survives_the_round_trip(void **state) {
    (void)state;
    ts_random random = ts_random_seed(1);
    for (uint32_t row = 0; row < TS_ROW_COUNT; row++) {
        for (int i = 0; i < TRIALS; i++) {
            uint32_t noise = i == 0 ? 0u : i == 1 ? 0xffffffffu : (uint32_t)ts_random_next(&random);
            uint32_t size_mask = row < TS_ISA_OP_COUNT ? 0xffffffffu : 0xffffu;
            uint32_t word = (ts_isa_rows[row].match | (noise & ~ts_isa_rows[row].mask)) & size_mask;
            for (int revision = 0; revision < TS_ISA_REVISION_COUNT; revision++) {
                round_trip(row, word, (ts_isa_revision)revision);
            }
        }
    }
}

/* Random words: what decodes belongs to exactly the row that the masks say. */
static void decoder_agrees_with_the_masks(void **state) {
    (void)state;
    ts_random random = ts_random_seed(2);
    for (int i = 0; i < 300000; i++) {
        uint32_t word = (uint32_t)ts_random_next(&random) | 3u, found = TS_ROW_COUNT;
        for (uint32_t row = 0; row < TS_ISA_OP_COUNT; row++) {
            found = matches(row, word) ? row : found;
        }
        ts_insn insn;
        bool legal = ts_isa_decode(word, TS_ISA_RI5CY_2019_11, &insn);
        assert_int_equal(legal, found != TS_ROW_COUNT);
        assert_true(!legal || insn.row == found);
        assert_int_equal(insn.raw, word);
    }
}

static void operands_out_of_range_are_refused(void **state) {
    (void)state;
    static const ts_insn cases[] = {
        {.row = TS_OP_addi, .imm = 2048},
        {.row = TS_OP_addi, .imm = -2049},
        {.row = TS_OP_beq, .imm = 3},
        {.row = TS_OP_beq, .imm = 4096},
        {.row = TS_OP_jal, .imm = 1 << 20},
        {.row = TS_OP_lui, .imm = 1},
        {.row = TS_OP_slli, .imm = 32},
        {.row = TS_OP_p_extract, .imm2 = 32},
        {.row = TS_OP_p_beqimm, .imm2 = 16},
        {.row = TS_OP_pv_add_sci_b, .imm = 32},
        {.row = TS_OP_lp_setupi, .imm = 64, .imm2 = 4},
        {.row = TS_OP_lp_setup, .rd = 2},
        {.row = TS_ROW_c_addi, .rd = 5, .rs1 = 6, .imm = 1},
        {.row = TS_ROW_c_addi, .imm = 1},
        {.row = TS_ROW_c_lw, .rd = 7, .rs1 = 8},
        {.row = TS_ROW_c_lui, .rd = 2, .imm = 4096},
        {.row = TS_ROW_COUNT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t word;
        if (ts_isa_encode(&cases[i], &word)) {
            fail_msg("case %zu was encoded as %08x", i, word);
        }
    }
}

static void revisions_differ_where_they_should(void **state) {
    (void)state;
    ts_insn insn;
    const uint32_t bitrev = 0xc0005033, fence = 0x0ff0000f, pack_h_h = 0xd2000057, elw = 0x00006003;
    const uint32_t dotup_sci = 0x82007057 | 31u << 20, clipur = 0x14006033;
    assert_false(ts_isa_decode(bitrev, TS_ISA_RI5CY_2018_01, &insn));
    assert_true(ts_isa_decode(bitrev, TS_ISA_RI5CY_2019_11, &insn));
    assert_false(ts_isa_decode(fence, TS_ISA_RI5CY_2017_12, &insn));
    assert_true(ts_isa_decode(fence, TS_ISA_CV32E40P_1_0_0, &insn));
    assert_true(ts_isa_decode(pack_h_h, TS_ISA_RI5CY_2018_01, &insn) && insn.op == TS_OP_pv_pack_h);
    assert_true(ts_isa_decode(pack_h_h, TS_ISA_RI5CY_2019_11, &insn) && insn.op == TS_OP_pv_pack_h_h);
    assert_true(ts_isa_decode(elw, TS_ISA_RI5CY_2019_11, &insn));
    assert_false(ts_isa_decode(elw, TS_ISA_CV32E40P_1_0_0, &insn));
    assert_true(ts_isa_decode(dotup_sci, TS_ISA_RI5CY_2018_01, &insn) && insn.imm == -1);
    assert_true(ts_isa_decode(dotup_sci, TS_ISA_RI5CY_2019_11, &insn) && insn.imm == 63);
    assert_true(ts_isa_decode(clipur, TS_ISA_RI5CY_2017_12, &insn) && insn.imm2 == 1);
    assert_true(ts_isa_decode(clipur, TS_ISA_RI5CY_2018_01, &insn) && insn.imm2 == 0);
    for (int i = 0; i < TS_ISA_REVISION_COUNT; i++) {
        ts_isa_revision revision;
        assert_true(ts_isa_revision_parse(ts_isa_revision_name((ts_isa_revision)i), &revision));
        assert_int_equal(revision, i);
    }
}

static void short_buffers_are_respected(void **state) {
    (void)state;
    ts_insn insn;
    assert_true(ts_isa_decode(0xb8b51057, TS_ISA_RI5CY_2019_11, &insn));
    char text[64];
    memset(text, 'x', sizeof text);
    assert_int_equal(ts_isa_print(&insn, 0, text, 8), 7);
    assert_string_equal(text, "pv.sdot");
    assert_int_equal(text[8], 'x');
    assert_int_equal(ts_isa_print(&insn, 0, text, 0), 0);
    assert_false(ts_isa_parse("pv.sdotsp.b a0, a0", 0, TS_ISA_RI5CY_2019_11, &insn));
    assert_false(ts_isa_parse("", 0, TS_ISA_RI5CY_2019_11, &insn));
    assert_false(ts_isa_parse("addi a0, a0, 99999999999", 0, TS_ISA_RI5CY_2019_11, &insn));
    assert_false(ts_isa_parse("addi a0, q0, 1", 0, TS_ISA_RI5CY_2019_11, &insn));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_cover_their_match),
        cmocka_unit_test(wide_rows_do_not_overlap),
        cmocka_unit_test(compressed_rows_do_not_overlap),
        cmocka_unit_test(every_row_survives_the_round_trip),
        cmocka_unit_test(decoder_agrees_with_the_masks),
        cmocka_unit_test(operands_out_of_range_are_refused),
        cmocka_unit_test(revisions_differ_where_they_should),
        cmocka_unit_test(short_buffers_are_respected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
