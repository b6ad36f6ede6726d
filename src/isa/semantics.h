/* What the pure instructions compute: ts_sem_ID() for every PURE row of rows.def.
 *
 * All have one signature, so that an interpreter can be generated from the rows:
 *     rd = ts_sem_ID(old rd, rs1, rs2, imm, imm2)
 * with the immediates of ts_insn; arguments that an instruction does not use cost nothing after
 * inlining. They know no cycles, no memory and no program counter. Source of the XpulpV2 ones: the
 * RTL measurements summarised in docs/xpulpv2.md. SIMD is in semantics_simd.h.
 *
 * All arithmetic is modulo 2^32. Right shifts of negative values are arithmetic on every compiler
 * that builds this (gcc and clang document it). */
#ifndef TS_ISA_SEMANTICS_H
#define TS_ISA_SEMANTICS_H

#include <stdint.h>

#define TS_SEM(id, expression)                                                                     \
    static inline uint32_t ts_sem_##id(uint32_t d, uint32_t a, uint32_t b, int32_t i, int32_t j) { \
        (void)d, (void)a, (void)b, (void)i, (void)j;                                               \
        return (uint32_t)(expression);                                                             \
    }

/* Shorthands of the expressions below; undefined at the end. */
#define SIGNED(x) ((int32_t)(x))
#define WIDE(x)   ((int64_t)(int32_t)(x))

/* RV32I */
TS_SEM(lui, i)
TS_SEM(addi, a + (uint32_t)i)
TS_SEM(slti, SIGNED(a) < i)
TS_SEM(sltiu, a < (uint32_t)i)
TS_SEM(xori, a ^ (uint32_t)i)
TS_SEM(ori, a | (uint32_t)i)
TS_SEM(andi, a &(uint32_t)i)
TS_SEM(slli, a << i)
TS_SEM(srli, a >> i)
TS_SEM(srai, SIGNED(a) >> i)
TS_SEM(add, a + b)
TS_SEM(sub, a - b)
TS_SEM(sll, a << (b & 31u))
TS_SEM(slt, SIGNED(a) < SIGNED(b))
TS_SEM(sltu, a < b)
TS_SEM(xor, a ^ b)
TS_SEM(srl, a >> (b & 31u))
TS_SEM(sra, SIGNED(a) >> (b & 31u))
TS_SEM(or, a | b)
TS_SEM(and, a &b)

/* RV32M. Division by zero gives all ones and the dividend; the one overflow gives INT32_MIN and 0. */
TS_SEM(mul, a *b)
TS_SEM(mulh, (WIDE(a) * WIDE(b)) >> 32)
TS_SEM(mulhsu, (WIDE(a) * (int64_t)b) >> 32)
TS_SEM(mulhu, ((uint64_t)a * b) >> 32)
TS_SEM(div, b == 0u ? 0xffffffffu : b == 0xffffffffu ? 0u - a : (uint32_t)(SIGNED(a) / SIGNED(b)))
TS_SEM(divu, b == 0u ? 0xffffffffu : a / b)
TS_SEM(rem, b == 0u ? a : b == 0xffffffffu ? 0u : (uint32_t)(SIGNED(a) % SIGNED(b)))
TS_SEM(remu, b == 0u ? a : a % b)

/* XpulpV2: multiply-accumulate, comparison, minimum and maximum, bit counts, extension */
TS_SEM(p_mac, d + a * b)
TS_SEM(p_msu, d - a * b)
TS_SEM(p_slet, SIGNED(a) <= SIGNED(b))
TS_SEM(p_sletu, a <= b)
TS_SEM(p_min, SIGNED(a) < SIGNED(b) ? a : b)
TS_SEM(p_minu, a < b ? a : b)
TS_SEM(p_max, SIGNED(a) > SIGNED(b) ? a : b)
TS_SEM(p_maxu, a > b ? a : b)
TS_SEM(p_abs, SIGNED(a) < 0 ? 0u - a : a)
TS_SEM(p_ror, a >> (b & 31u) | a << (-b & 31u))
TS_SEM(p_ff1, a == 0u ? 32 : __builtin_ctz(a))
TS_SEM(p_fl1, a == 0u ? 32 : 31 - __builtin_clz(a))
TS_SEM(p_cnt, __builtin_popcount(a))
TS_SEM(p_exths, (int16_t)a)
TS_SEM(p_exthz, (uint16_t)a)
TS_SEM(p_extbs, (int8_t)a)
TS_SEM(p_extbz, (uint8_t)a)

/* Redundant sign bits: 0 for 0, 31 for -1. */
static inline uint32_t ts__sem_clb(uint32_t a) {
    uint32_t magnitude = SIGNED(a) < 0 ? ~a : a;
    return a == 0u ? 0u : magnitude == 0u ? 31u : (uint32_t)__builtin_clz(magnitude) - 1u;
}
TS_SEM(p_clb, ts__sem_clb(a))

/* Clipping to [low, high]. The limit of p.clip and p.clipu is 2^(I-1)-1, with I = 0 acting as 1. */
static inline uint32_t ts__sem_clip(uint32_t a, int32_t low, int32_t high) {
    return (uint32_t)(SIGNED(a) < low ? low : SIGNED(a) > high ? high : SIGNED(a));
}
static inline int32_t ts__sem_clip_limit(int32_t i) { return (int32_t)((1u << (i > 0 ? i - 1 : 0)) - 1u); }
TS_SEM(p_clip, ts__sem_clip(a, -ts__sem_clip_limit(i) - 1, ts__sem_clip_limit(i)))
TS_SEM(p_clipu, ts__sem_clip(a, 0, ts__sem_clip_limit(i)))

/* Clipping by register. The decoder sets imm2 = 1 on the 2017-12 revision, whose result is ~rs2 when
 * rs1 + rs2 + 1 overflows. */
static inline uint32_t ts__sem_clipr(uint32_t a, uint32_t b, int32_t low, int32_t faulty) {
    int64_t sum = WIDE(a) + WIDE(b) + 1;
    return faulty != 0 && sum != (int64_t)(int32_t)sum ? ~b : ts__sem_clip(a, low, SIGNED(b));
}
TS_SEM(p_clipr, ts__sem_clipr(a, b, SIGNED(~b), j))
TS_SEM(p_clipur, ts__sem_clipr(a, b, 0, j))

/* Bit fields: `width` = Is3 (bits minus one), `low` = Is2. Register forms take both from rs2. */
static inline uint32_t ts__sem_ones(uint32_t width) { return ~(0xfffffffeu << width); }
static inline uint32_t ts__sem_extract(uint32_t a, uint32_t width, uint32_t low) {
    uint32_t bits = (a >> low) & ts__sem_ones(width);
    uint32_t sign = 1u << width;
    return (bits ^ sign) - sign;
}
static inline uint32_t ts__sem_insert(uint32_t d, uint32_t a, uint32_t width, uint32_t low) {
    uint32_t field = ts__sem_ones(width) << low;
    return (d & ~field) | ((a << low) & field);
}
/* Digits of width+1 bits, from the top, become digits from the bottom; of 3-bit digits there are
 * ten, and the two top bits of the result are 0. */
static inline uint32_t ts__sem_bitrev(uint32_t a, uint32_t width, uint32_t low) {
    uint32_t bits = width == 1u || width == 2u ? width + 1u : 1u;
    uint32_t value = a << low;
    uint32_t result = 0;
    for (uint32_t at = 0; at + bits <= 32u; at += bits) {
        result |= (value >> (32u - bits - at) & ts__sem_ones(bits - 1u)) << at;
    }
    return result;
}
#define REGISTER_WIDTH ((b >> 5) & 31u)
#define REGISTER_LOW   (b & 31u)
#define WIDTH          ((uint32_t)j & 31u)
#define LOW            ((uint32_t)i & 31u)
TS_SEM(p_extract, ts__sem_extract(a, WIDTH, LOW))
TS_SEM(p_extractu, (a >> LOW) & ts__sem_ones(WIDTH))
TS_SEM(p_insert, ts__sem_insert(d, a, WIDTH, LOW))
TS_SEM(p_bclr, a & ~(ts__sem_ones(WIDTH) << LOW))
TS_SEM(p_bset, a | ts__sem_ones(WIDTH) << LOW)
TS_SEM(p_bitrev, ts__sem_bitrev(a, WIDTH, LOW))
TS_SEM(p_extractr, ts__sem_extract(a, REGISTER_WIDTH, REGISTER_LOW))
TS_SEM(p_extractur, (a >> REGISTER_LOW) & ts__sem_ones(REGISTER_WIDTH))
TS_SEM(p_insertr, ts__sem_insert(d, a, REGISTER_WIDTH, REGISTER_LOW))
TS_SEM(p_bclrr, a & ~(ts__sem_ones(REGISTER_WIDTH) << REGISTER_LOW))
TS_SEM(p_bsetr, a | ts__sem_ones(REGISTER_WIDTH) << REGISTER_LOW)
#undef REGISTER_WIDTH
#undef REGISTER_LOW
#undef WIDTH
#undef LOW

/* 16-bit multiply, accumulate, round by 2^(I-1) (nothing when I = 0), shift. The 32-bit sum wraps
 * before the shift. */
#define ROUND(shift) ((shift) != 0 ? 1u << (((uint32_t)(shift)-1u) & 31u) : 0u)
#define LU(x)        ((uint32_t)(uint16_t)(x))
#define HU(x)        ((x) >> 16)
#define LS(x)        ((uint32_t)(int16_t)(x))
#define HS(x)        ((uint32_t)(SIGNED(x) >> 16))
TS_SEM(p_muluN, (LU(a) * LU(b)) >> i)
TS_SEM(p_macuN, (d + LU(a) * LU(b)) >> i)
TS_SEM(p_muluRN, (LU(a) * LU(b) + ROUND(i)) >> i)
TS_SEM(p_macuRN, (d + LU(a) * LU(b) + ROUND(i)) >> i)
TS_SEM(p_mulhhuN, (HU(a) * HU(b)) >> i)
TS_SEM(p_machhuN, (d + HU(a) * HU(b)) >> i)
TS_SEM(p_mulhhuRN, (HU(a) * HU(b) + ROUND(i)) >> i)
TS_SEM(p_machhuRN, (d + HU(a) * HU(b) + ROUND(i)) >> i)
TS_SEM(p_mulsN, SIGNED(LS(a) * LS(b)) >> i)
TS_SEM(p_macsN, SIGNED(d + LS(a) * LS(b)) >> i)
TS_SEM(p_mulsRN, SIGNED(LS(a) * LS(b) + ROUND(i)) >> i)
TS_SEM(p_macsRN, SIGNED(d + LS(a) * LS(b) + ROUND(i)) >> i)
TS_SEM(p_mulhhsN, SIGNED(HS(a) * HS(b)) >> i)
TS_SEM(p_machhsN, SIGNED(d + HS(a) * HS(b)) >> i)
TS_SEM(p_mulhhsRN, SIGNED(HS(a) * HS(b) + ROUND(i)) >> i)
TS_SEM(p_machhsRN, SIGNED(d + HS(a) * HS(b) + ROUND(i)) >> i)

/* Add and subtract with normalisation. The register forms add rs1 to the old rd and shift by rs2. */
TS_SEM(p_addN, SIGNED(a + b) >> i)
TS_SEM(p_adduN, (a + b) >> i)
TS_SEM(p_addRN, SIGNED(a + b + ROUND(i)) >> i)
TS_SEM(p_adduRN, (a + b + ROUND(i)) >> i)
TS_SEM(p_subN, SIGNED(a - b) >> i)
TS_SEM(p_subuN, (a - b) >> i)
TS_SEM(p_subRN, SIGNED(a - b + ROUND(i)) >> i)
TS_SEM(p_subuRN, (a - b + ROUND(i)) >> i)
TS_SEM(p_addNr, SIGNED(d + a) >> (b & 31u))
TS_SEM(p_adduNr, (d + a) >> (b & 31u))
TS_SEM(p_addRNr, SIGNED(d + a + ROUND(b & 31u)) >> (b & 31u))
TS_SEM(p_adduRNr, (d + a + ROUND(b & 31u)) >> (b & 31u))
TS_SEM(p_subNr, SIGNED(d - a) >> (b & 31u))
TS_SEM(p_subuNr, (d - a) >> (b & 31u))
TS_SEM(p_subRNr, SIGNED(d - a + ROUND(b & 31u)) >> (b & 31u))
TS_SEM(p_subuRNr, (d - a + ROUND(b & 31u)) >> (b & 31u))
#undef ROUND
#undef LU
#undef HU
#undef LS
#undef HS
#undef SIGNED
#undef WIDE

#include "isa/semantics_simd.h"

#endif
