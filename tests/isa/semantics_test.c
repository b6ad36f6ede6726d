/* What the pure instructions compute against a second model, written lane by lane and bit by bit from the
 * table in words and driven by the mnemonics, so that a slip of a macro or of a row's name shows. */
#include <string.h>

#include "base/random.h"
#include "harness.h"
#include "isa/isa.h"
#include "isa/semantics.h"

typedef struct operands {
    uint32_t d, a, b;
    int32_t i, j;
} operands;

static uint32_t computed(uint32_t op, const operands *o) {
    switch (op) {
#define ROW(id, mnemonic, format, match, mask, extension, class, flags)
#define PURE(id, mnemonic, format, match, mask, extension, class, flags) \
    case TS_OP_##id:                                                     \
        return ts_sem_##id(o->d, o->a, o->b, o->i, o->j);
#include "isa/rows.def"
        default:
            fail();
            return 0;
    }
}

static bool is(const char *name, const char *other) { return strcmp(name, other) == 0; }

/* Bits low .. low+count-1 as an unsigned or signed number. */
static int64_t field(uint32_t word, int low, int count, bool is_signed) {
    int64_t value = 0;
    for (int bit = 0; bit < count && low + bit < 32; bit++) {
        value += (int64_t)(word >> (low + bit) & 1u) << bit;
    }
    bool negative = is_signed && (value >> (count - 1) & 1) != 0;
    return negative ? value - ((int64_t)1 << count) : value;
}

static int64_t as_signed(uint32_t word) { return field(word, 0, 32, true); }

static int64_t floor_shift(int64_t value, int amount) {
    int64_t divisor = (int64_t)1 << amount, quotient = value / divisor;
    return quotient * divisor > value ? quotient - 1 : quotient;
}

/* ---- SIMD ---- */

typedef struct simd_name {
    char op[16];
    int bits;   /* of a lane */
    int second; /* 0: rs2, 1: its lowest lane, 2: immediate */
    bool known;
} simd_name;

static simd_name parse_simd(const char *mnemonic) {
    simd_name name = {.known = false};
    const char *op = mnemonic + 3, *dot = strchr(op, '.'), *last = strrchr(op, '.');
    snprintf(name.op, sizeof name.op, "%.*s", (int)(dot - op), op);
    name.bits = is(last, ".b") ? 8 : 16;
    name.second = dot == last ? 0 : strncmp(dot, ".sc.", 4) == 0 ? 1 : 2;
    name.known = true;
    return name;
}

/* One lane of the operations that work lane by lane; *known is cleared for all others. */
static int64_t lane_result(const char *op, int64_t sa, int64_t ua, int64_t sb, int64_t ub, int bits,
                           bool *known) {
    int64_t mask = ((int64_t)1 << bits) - 1, half = (int64_t)1 << (bits - 1);
    int64_t sum = (ua + ub) & mask, signed_sum = sum >= half ? sum - (mask + 1) : sum;
    int amount = (int)(ub % bits);
    if (is(op, "add"))
        return sum;
    if (is(op, "sub"))
        return ua - ub;
    if (is(op, "avg"))
        return floor_shift(signed_sum, 1);
    if (is(op, "avgu"))
        return sum / 2;
    if (is(op, "min"))
        return sa < sb ? sa : sb;
    if (is(op, "minu"))
        return ua < ub ? ua : ub;
    if (is(op, "max"))
        return sa > sb ? sa : sb;
    if (is(op, "maxu"))
        return ua > ub ? ua : ub;
    if (is(op, "srl"))
        return ua >> amount;
    if (is(op, "sra"))
        return floor_shift(sa, amount);
    if (is(op, "sll"))
        return ua << amount;
    if (is(op, "or"))
        return ua | ub;
    if (is(op, "xor"))
        return ua ^ ub;
    if (is(op, "and"))
        return ua & ub;
    if (is(op, "cmpeq"))
        return sa == sb ? mask : 0;
    if (is(op, "cmpne"))
        return sa != sb ? mask : 0;
    if (is(op, "cmpgt"))
        return sa > sb ? mask : 0;
    if (is(op, "cmpge"))
        return sa >= sb ? mask : 0;
    if (is(op, "cmplt"))
        return sa < sb ? mask : 0;
    if (is(op, "cmple"))
        return sa <= sb ? mask : 0;
    if (is(op, "cmpgtu"))
        return ua > ub ? mask : 0;
    if (is(op, "cmpgeu"))
        return ua >= ub ? mask : 0;
    if (is(op, "cmpltu"))
        return ua < ub ? mask : 0;
    if (is(op, "cmpleu"))
        return ua <= ub ? mask : 0;
    if (is(op, "abs"))
        return sa < 0 ? -sa : sa;
    *known = false;
    return 0;
}

static uint32_t put_lane(uint32_t word, int lane, int bits, int64_t value) {
    uint32_t mask = bits == 8 ? 0xffu : 0xffffu;
    return (word & ~(mask << (lane * bits))) | ((uint32_t)value & mask) << (lane * bits);
}

static uint32_t dot_product(const char *op, const operands *o, uint32_t b, int bits) {
    bool adds = op[0] == 's';
    const char *kind = op + (adds ? 4 : 3);
    bool signed_a = is(kind, "sp"), signed_b = !is(kind, "up");
    int64_t sum = adds ? o->d : 0;
    for (int low = 0; low < 32; low += bits) {
        sum += field(o->a, low, bits, signed_a) * field(b, low, bits, signed_b);
    }
    return (uint32_t)sum;
}

static uint32_t second_operand(const simd_name *name, const operands *o) {
    uint32_t b = 0;
    for (int lane = 0; lane < 32 / name->bits; lane++) {
        int64_t value = name->second == 2
                            ? o->i
                            : field(o->b, name->second == 1 ? 0 : lane * name->bits, name->bits, false);
        b = put_lane(b, lane, name->bits, value);
    }
    return b;
}

/* Lane moves, by the row's identifier. */
static uint32_t moved_lanes(const char *id, const operands *o) {
    int bits = is(id + strlen(id) - 2, "_b") ? 8 : 16, lanes = 32 / bits;
    uint32_t result = o->d;
    if (strncmp(id, "pv_extract", 10) == 0) {
        return (uint32_t)field(o->a, o->i % lanes * bits, bits, id[10] != 'u');
    }
    if (strncmp(id, "pv_insert", 9) == 0) {
        return put_lane(o->d, o->i % lanes, bits, field(o->a, 0, bits, false));
    }
    if (strncmp(id, "pv_shuffle2", 11) == 0) {
        for (int lane = 0; lane < lanes; lane++) {
            int64_t index = field(o->b, lane * bits, bits, false) % (2 * lanes);
            result = put_lane(result, lane, bits,
                              field(index >= lanes ? o->a : o->d, (int)(index % lanes) * bits, bits, false));
        }
        return result;
    }
    if (strncmp(id, "pv_shuffle", 10) == 0) {
        for (int lane = 0; lane < lanes; lane++) {
            int64_t index = field(o->b, lane * bits, bits, false);
            if (is(id, "pv_shuffle_sci_h")) {
                index = o->i >> lane & 1;
            } else if (id[10] == 'I') {
                index = lane == 3 ? id[11] - '0' : o->i >> (2 * lane) & 3;
            }
            result = put_lane(result, lane, bits, field(o->a, (int)(index % lanes) * bits, bits, false));
        }
        return result;
    }
    if (is(id, "pv_packhi_b") || is(id, "pv_packlo_b")) {
        int low = is(id, "pv_packhi_b") ? 2 : 0;
        return put_lane(put_lane(o->d, low, 8, o->b), low + 1, 8, o->a);
    }
    int from = is(id, "pv_pack_h_h") ? 16 : 0;
    return put_lane(put_lane(0, 0, 16, field(o->b, from, 16, false)), 1, 16, field(o->a, from, 16, false));
}

static uint32_t simd_model(const ts_isa_row *row, const operands *o) {
    simd_name name = parse_simd(row->mnemonic);
    bool moves = strncmp(name.op, "extract", 7) == 0 || strncmp(name.op, "insert", 6) == 0 ||
                 strncmp(name.op, "shuffle", 7) == 0 || strncmp(name.op, "pack", 4) == 0;
    if (moves) {
        return moved_lanes(row->id, o);
    }
    uint32_t b = second_operand(&name, o), result = 0;
    if (row->class == TS_CLASS_DOT) {
        return dot_product(name.op, o, b, name.bits);
    }
    for (int lane = 0; lane < 32 / name.bits; lane++) {
        int low = lane * name.bits;
        int64_t value = lane_result(name.op, field(o->a, low, name.bits, true),
                                    field(o->a, low, name.bits, false), field(b, low, name.bits, true),
                                    field(b, low, name.bits, false), name.bits, &name.known);
        result = put_lane(result, lane, name.bits, value);
    }
    if (!name.known) {
        fail_msg("the model does not know %s", row->mnemonic);
    }
    return result;
}

/* ---- scalar ---- */

/* p.[mul|mac|add|sub][hh][u|s][R]N[r]: what is summed, rounded and shifted. */
static uint32_t normalised(const char *mnemonic, const operands *o) {
    const char *at = mnemonic + 2;
    bool multiplies = at[0] == 'm', accumulates = strncmp(at, "mac", 3) == 0,
         subtracts = strncmp(at, "sub", 3) == 0;
    at += 3;
    bool high = strncmp(at, "hh", 2) == 0;
    at += high ? 2 : 0;
    bool is_unsigned = at[0] == 'u';
    at += at[0] == 'u' || at[0] == 's' ? 1 : 0;
    bool rounds = at[0] == 'R';
    at += rounds ? 1 : 0;
    bool by_register = at[1] == 'r';
    int amount = by_register ? (int)(o->b % 32) : o->i, low = high ? 16 : 0;
    int64_t x = by_register ? o->d : o->a, y = by_register ? o->a : o->b, sum;
    if (multiplies) {
        sum = field(o->a, low, 16, !is_unsigned) * field(o->b, low, 16, !is_unsigned) +
              (accumulates ? o->d : 0);
    } else {
        sum = subtracts ? x - y : x + y;
    }
    sum += rounds && amount > 0 ? (int64_t)1 << (amount - 1) : 0;
    return (uint32_t)floor_shift(field((uint32_t)sum, 0, 32, !is_unsigned), amount);
}

static uint32_t bit_field(const char *op, const operands *o) {
    size_t length = strlen(op);
    bool by_register = op[length - 1] == 'r' && !is(op, "bclr");
    int low = by_register ? (int)(o->b % 32) : o->i, count = (by_register ? (int)(o->b / 32 % 32) : o->j) + 1;
    uint32_t result = op[0] == 'i' ? o->d : o->a;
    if (op[0] == 'e') {
        return (uint32_t)field(o->a, low, count, op[7] != 'u');
    }
    for (int bit = low; bit < low + count && bit < 32; bit++) {
        uint32_t value = op[0] == 'i' ? o->a >> (bit - low) & 1u : op[1] == 's';
        result = (result & ~(1u << bit)) | value << bit;
    }
    return result;
}

static uint32_t reversed(const operands *o) {
    int digit = o->j % 3 + 1, digits = 32 / digit;
    uint32_t value = o->a << o->i, result = 0;
    for (int k = 0; k < digits; k++) {
        result |= (uint32_t)field(value, 32 - digit * (k + 1), digit, false) << (digit * k);
    }
    return result;
}

static uint32_t bit_count(const char *op, uint32_t a) {
    uint32_t ones = 0, first = 32, last = 32, redundant = 0;
    for (uint32_t bit = 0; bit < 32; bit++) {
        if ((a >> bit & 1u) != 0u) {
            ones++;
            first = first == 32 ? bit : first;
            last = bit;
        }
    }
    while (redundant < 31 && (a >> (30 - redundant) & 1u) == a >> 31) {
        redundant++;
    }
    return is(op, "cnt") ? ones : is(op, "ff1") ? first : is(op, "fl1") ? last : a == 0 ? 0 : redundant;
}

static uint32_t clipped(const char *op, const operands *o) {
    bool by_register = op[strlen(op) - 1] == 'r', is_unsigned = op[4] == 'u';
    int64_t high = by_register ? as_signed(o->b) : ((int64_t)1 << (o->i > 1 ? o->i - 1 : 0)) - 1;
    int64_t low = is_unsigned ? 0 : -high - 1, value = as_signed(o->a);
    return (uint32_t)(value < low ? low : value > high ? high : value);
}

/* The rest of the group at opcode 0x33; op is the mnemonic behind "p.". */
static uint32_t scalar_model(const char *op, const operands *o) {
    int64_t a = as_signed(o->a), b = as_signed(o->b);
    if (is(op, "mac"))
        return (uint32_t)(o->d + a * b);
    if (is(op, "msu"))
        return (uint32_t)(o->d - a * b);
    if (is(op, "slet"))
        return a <= b;
    if (is(op, "sletu"))
        return o->a <= o->b;
    if (is(op, "min"))
        return a < b ? o->a : o->b;
    if (is(op, "max"))
        return a > b ? o->a : o->b;
    if (is(op, "minu"))
        return o->a < o->b ? o->a : o->b;
    if (is(op, "maxu"))
        return o->a > o->b ? o->a : o->b;
    if (is(op, "abs"))
        return (uint32_t)(a < 0 ? -a : a);
    if (is(op, "ror"))
        return (uint32_t)(((uint64_t)o->a << 32 | o->a) >> (o->b % 32));
    if (strncmp(op, "ext", 3) == 0 && strlen(op) == 5) {
        return (uint32_t)field(o->a, 0, op[3] == 'h' ? 16 : 8, op[4] == 's');
    }
    if (strncmp(op, "clip", 4) == 0)
        return clipped(op, o);
    if (is(op, "bitrev"))
        return reversed(o);
    if (op[0] == 'f' || op[0] == 'c')
        return bit_count(op, o->a);
    return bit_field(op, o);
}

/* The base instructions, for completeness; QEMU is the real judge of these. */
static uint32_t base_model(const char *op, const operands *o) {
    bool immediate = op[strlen(op) - 1] == 'i' || is(op, "sltiu");
    uint32_t second = immediate && !is(op, "lui") ? (uint32_t)o->i : o->b;
    int64_t a = as_signed(o->a), b = as_signed(second);
    bool overflow = o->a == 0x80000000u && second == 0xffffffffu;
    if (is(op, "lui"))
        return (uint32_t)o->i;
    if (strncmp(op, "add", 3) == 0)
        return (uint32_t)(a + b);
    if (is(op, "sub"))
        return (uint32_t)(a - b);
    if (is(op, "sltu") || is(op, "sltiu"))
        return o->a < second;
    if (strncmp(op, "slt", 3) == 0)
        return a < b;
    if (strncmp(op, "xor", 3) == 0)
        return o->a ^ second;
    if (strncmp(op, "or", 2) == 0)
        return o->a | second;
    if (strncmp(op, "and", 3) == 0)
        return o->a & second;
    if (strncmp(op, "sll", 3) == 0)
        return (uint32_t)((uint64_t)o->a << (second % 32));
    if (strncmp(op, "srl", 3) == 0)
        return (uint32_t)floor_shift(o->a, (int)(second % 32));
    if (strncmp(op, "sra", 3) == 0)
        return (uint32_t)floor_shift(a, (int)(second % 32));
    if (is(op, "mul"))
        return (uint32_t)(a * b);
    if (is(op, "mulh"))
        return (uint32_t)((uint64_t)(a * b) >> 32);
    if (is(op, "mulhsu"))
        return (uint32_t)((uint64_t)(a * (int64_t)second) >> 32);
    if (is(op, "mulhu"))
        return (uint32_t)((uint64_t)o->a * second >> 32);
    if (is(op, "div"))
        return second == 0 ? UINT32_MAX : overflow ? 0x80000000u : (uint32_t)(a / b);
    if (is(op, "divu"))
        return second == 0 ? UINT32_MAX : o->a / second;
    if (is(op, "rem"))
        return second == 0 ? o->a : overflow ? 0u : (uint32_t)(a % b);
    return second == 0 ? o->a : o->a % second;
}

static uint32_t modelled(const ts_isa_row *row, const operands *o) {
    if (row->extension != TS_EXT_XPULP) {
        return base_model(row->mnemonic, o);
    }
    switch (row->match & 0x7fu) {
        case 0x57:
            return simd_model(row, o);
        case 0x5b:
            return normalised(row->mnemonic, o);
        default:
            return scalar_model(row->mnemonic + 2, o);
    }
}

/* ---- driving ---- */

static uint32_t interesting(ts_random *random) {
    static const uint32_t edges[] = {0,          1,          2,          0x7fffffff, 0x80000000,
                                     0x80000001, 0xffffffff, 0x7fff8000, 0x80007fff, 0x7f80807f,
                                     0x80ff0180, 0x0000ffff, 0xffff0000, 0x00ff00ff};
    uint32_t word = (uint32_t)ts_random_next(random);
    switch (ts_random_next(random) % 4) {
        case 0:
            return edges[word % (sizeof edges / sizeof edges[0])];
        case 1:
            return (uint32_t)((int32_t)word >> (word % 32));
        default:
            return word;
    }
}

/* What the table leaves open is not asked: fields beyond bit 31, negative limits, other digits. */
static bool defined(const ts_isa_row *row, operands *o) {
    uint32_t op = (uint32_t)(row - ts_isa_rows);
    bool by_register = op == TS_OP_p_extractr || op == TS_OP_p_extractur || op == TS_OP_p_insertr ||
                       op == TS_OP_p_bclrr || op == TS_OP_p_bsetr;
    if (op == TS_OP_p_bitrev) {
        o->j %= 3;
        return true;
    }
    if (op == TS_OP_p_clipr || op == TS_OP_p_clipur) {
        o->b &= 0x7fffffffu;
    }
    return by_register ? o->b % 32 + o->b / 32 % 32 <= 31
                       : o->i + o->j <= 31 || row->match << 25 != 0x33u << 25;
}

static void pure_instructions_compute_what_the_table_says(void **state) {
    (void)state;
    ts_random random = ts_random_seed(5);
    for (uint32_t op = 0; op < TS_ISA_OP_COUNT; op++) {
        const ts_isa_row *row = &ts_isa_rows[op];
        for (int trial = 0; trial < 3000 && (row->flags & TS_F_PURE) != 0u; trial++) {
            ts_insn insn;
            uint32_t word = row->match | ((uint32_t)ts_random_next(&random) & ~row->mask);
            assert_true(ts_isa_decode(word, TS_ISA_RI5CY_2019_11, &insn) && insn.op == op);
            operands o = {interesting(&random), interesting(&random), interesting(&random), insn.imm,
                          insn.imm2};
            if (!defined(row, &o)) {
                continue;
            }
            uint32_t here = computed(op, &o), there = modelled(row, &o);
            if (here != there) {
                fail_msg("%s: rd %08x rs1 %08x rs2 %08x imm %d imm2 %d gives %08x, the model says %08x",
                         row->mnemonic, o.d, o.a, o.b, o.i, o.j, here, there);
            }
        }
    }
}

static void old_revisions_clip_wrongly(void **state) {
    (void)state;
    assert_int_equal(ts_sem_p_clipr(0, 0x7ffffffe, 0x7fffff00, 0, 0), 0x7fffff00);
    assert_int_equal(ts_sem_p_clipr(0, 0x7ffffffe, 0x7fffff00, 0, 1), ~0x7fffff00u);
    assert_int_equal(ts_sem_p_clipur(0, 5, 9, 0, 1), 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pure_instructions_compute_what_the_table_says),
        cmocka_unit_test(old_revisions_clip_wrongly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
