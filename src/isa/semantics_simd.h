/* What the SIMD instructions compute; included by semantics.h, where the signature is explained.
 *
 * Lanes: four bytes (b) or two half-words (h), lane 0 lowest. Every operation has three second
 * operands: the lanes of rs2, its lowest lane replicated (sc), an immediate replicated (sci). */
#ifndef TS_ISA_SEMANTICS_SIMD_H
#define TS_ISA_SEMANTICS_SIMD_H

#include <stdint.h>

#define REPLICATE_B(x) (((uint32_t)(x)&0xffu) * 0x01010101u)
#define REPLICATE_H(x) (((uint32_t)(x)&0xffffu) * 0x00010001u)

/* The lane as a signed (S) or unsigned (U) number; promoted to int by arithmetic. */
#define BS(x, lane) ((int32_t)(int8_t)((x) >> (8 * (lane))))
#define BU(x, lane) ((int32_t)(uint8_t)((x) >> (8 * (lane))))
#define HS(x, lane) ((int32_t)(int16_t)((x) >> (16 * (lane))))
#define HU(x, lane) ((int32_t)(uint16_t)((x) >> (16 * (lane))))

#define JOIN_B(l0, l1, l2, l3)                                                             \
    (((uint32_t)(l0)&0xffu) | ((uint32_t)(l1)&0xffu) << 8 | ((uint32_t)(l2)&0xffu) << 16 | \
     ((uint32_t)(l3)&0xffu) << 24)
#define JOIN_H(l0, l1) (((uint32_t)(l0)&0xffffu) | (uint32_t)(l1) << 16)

/* The six rows of an operation given what it does to whole words of byte and half-word lanes. */
#define SIX_FORMS(id, byte_form, half_form)             \
    TS_SEM(id##_b, byte_form(d, a, b))                  \
    TS_SEM(id##_sc_b, byte_form(d, a, REPLICATE_B(b)))  \
    TS_SEM(id##_sci_b, byte_form(d, a, REPLICATE_B(i))) \
    TS_SEM(id##_h, half_form(d, a, b))                  \
    TS_SEM(id##_sc_h, half_form(d, a, REPLICATE_H(b)))  \
    TS_SEM(id##_sci_h, half_form(d, a, REPLICATE_H(i)))

/* Lane-wise operation on signed (S) or unsigned (U) lanes; f(x, y, bits of a lane). */
#define LANES_B(get, f, a, b)                                                                  \
    JOIN_B(f(get(a, 0), get(b, 0), 8), f(get(a, 1), get(b, 1), 8), f(get(a, 2), get(b, 2), 8), \
           f(get(a, 3), get(b, 3), 8))
#define LANES_H(get, f, a, b) JOIN_H(f(get(a, 0), get(b, 0), 16), f(get(a, 1), get(b, 1), 16))
#define LANE_WISE(id, sign, f)                                                                            \
    static inline uint32_t ts__sem_##id##_b(uint32_t a, uint32_t b) { return LANES_B(B##sign, f, a, b); } \
    static inline uint32_t ts__sem_##id##_h(uint32_t a, uint32_t b) { return LANES_H(H##sign, f, a, b); } \
    TS_SEM(id##_b, ts__sem_##id##_b(a, b))                                                                \
    TS_SEM(id##_sc_b, ts__sem_##id##_b(a, REPLICATE_B(b)))                                                \
    TS_SEM(id##_sci_b, ts__sem_##id##_b(a, REPLICATE_B(i)))                                               \
    TS_SEM(id##_h, ts__sem_##id##_h(a, b))                                                                \
    TS_SEM(id##_sc_h, ts__sem_##id##_h(a, REPLICATE_H(b)))                                                \
    TS_SEM(id##_sci_h, ts__sem_##id##_h(a, REPLICATE_H(i)))

/* Sums wrap to the lane before the halving of an average. */
#define WRAP_S(x, bits)  ((int32_t)((uint32_t)(x) << (32 - (bits))) >> (32 - (bits)))
#define WRAP_U(x, bits)  ((x) & ((1 << (bits)) - 1))
#define ADD(x, y, bits)  ((x) + (y))
#define SUB(x, y, bits)  ((x) - (y))
#define AVG(x, y, bits)  (WRAP_S((x) + (y), bits) >> 1)
#define AVGU(x, y, bits) (WRAP_U((x) + (y), bits) >> 1)
#define MIN(x, y, bits)  ((x) < (y) ? (x) : (y))
#define MAX(x, y, bits)  ((x) > (y) ? (x) : (y))
#define SHR(x, y, bits)  ((x) >> ((y) & ((bits)-1)))
#define SHL(x, y, bits)  ((x) << ((y) & ((bits)-1)))
#define EQ(x, y, bits)   (-((x) == (y)))
#define NE(x, y, bits)   (-((x) != (y)))
#define GT(x, y, bits)   (-((x) > (y)))
#define GE(x, y, bits)   (-((x) >= (y)))
#define LT(x, y, bits)   (-((x) < (y)))
#define LE(x, y, bits)   (-((x) <= (y)))
LANE_WISE(pv_add, U, ADD)
LANE_WISE(pv_sub, U, SUB)
LANE_WISE(pv_avg, S, AVG)
LANE_WISE(pv_avgu, U, AVGU)
LANE_WISE(pv_min, S, MIN)
LANE_WISE(pv_minu, U, MIN)
LANE_WISE(pv_max, S, MAX)
LANE_WISE(pv_maxu, U, MAX)
LANE_WISE(pv_srl, U, SHR)
LANE_WISE(pv_sra, S, SHR)
LANE_WISE(pv_sll, U, SHL)
LANE_WISE(pv_cmpeq, U, EQ)
LANE_WISE(pv_cmpne, U, NE)
LANE_WISE(pv_cmpgt, S, GT)
LANE_WISE(pv_cmpge, S, GE)
LANE_WISE(pv_cmplt, S, LT)
LANE_WISE(pv_cmple, S, LE)
LANE_WISE(pv_cmpgtu, U, GT)
LANE_WISE(pv_cmpgeu, U, GE)
LANE_WISE(pv_cmpltu, U, LT)
LANE_WISE(pv_cmpleu, U, LE)

/* Bitwise operations need no lanes. */
#define WORD_OR(d, a, b)  ((a) | (b))
#define WORD_XOR(d, a, b) ((a) ^ (b))
#define WORD_AND(d, a, b) ((a) & (b))
SIX_FORMS(pv_or, WORD_OR, WORD_OR)
SIX_FORMS(pv_xor, WORD_XOR, WORD_XOR)
SIX_FORMS(pv_and, WORD_AND, WORD_AND)

/* Dot products, unsigned (u), unsigned by signed (us), signed (s). Products of half-words need 32 bits
 * unsigned; the sums wrap. */
#define DOT(id, sign_a, sign_b)                                                                   \
    static inline uint32_t ts__sem_##id##_b(uint32_t a, uint32_t b) {                             \
        return (uint32_t)(B##sign_a(a, 0) * B##sign_b(b, 0) + B##sign_a(a, 1) * B##sign_b(b, 1) + \
                          B##sign_a(a, 2) * B##sign_b(b, 2) + B##sign_a(a, 3) * B##sign_b(b, 3)); \
    }                                                                                             \
    static inline uint32_t ts__sem_##id##_h(uint32_t a, uint32_t b) {                             \
        return (uint32_t)H##sign_a(a, 0) * (uint32_t)H##sign_b(b, 0) +                            \
               (uint32_t)H##sign_a(a, 1) * (uint32_t)H##sign_b(b, 1);                             \
    }
DOT(dotup, U, U)
DOT(dotusp, U, S)
DOT(dotsp, S, S)
#define DOTUP_B(d, a, b)   ts__sem_dotup_b(a, b)
#define DOTUP_H(d, a, b)   ts__sem_dotup_h(a, b)
#define DOTUSP_B(d, a, b)  ts__sem_dotusp_b(a, b)
#define DOTUSP_H(d, a, b)  ts__sem_dotusp_h(a, b)
#define DOTSP_B(d, a, b)   ts__sem_dotsp_b(a, b)
#define DOTSP_H(d, a, b)   ts__sem_dotsp_h(a, b)
#define SDOTUP_B(d, a, b)  (d) + ts__sem_dotup_b(a, b)
#define SDOTUP_H(d, a, b)  (d) + ts__sem_dotup_h(a, b)
#define SDOTUSP_B(d, a, b) (d) + ts__sem_dotusp_b(a, b)
#define SDOTUSP_H(d, a, b) (d) + ts__sem_dotusp_h(a, b)
#define SDOTSP_B(d, a, b)  (d) + ts__sem_dotsp_b(a, b)
#define SDOTSP_H(d, a, b)  (d) + ts__sem_dotsp_h(a, b)
SIX_FORMS(pv_dotup, DOTUP_B, DOTUP_H)
SIX_FORMS(pv_dotusp, DOTUSP_B, DOTUSP_H)
SIX_FORMS(pv_dotsp, DOTSP_B, DOTSP_H)
SIX_FORMS(pv_sdotup, SDOTUP_B, SDOTUP_H)
SIX_FORMS(pv_sdotusp, SDOTUSP_B, SDOTUSP_H)
SIX_FORMS(pv_sdotsp, SDOTSP_B, SDOTSP_H)

/* Fixed forms: absolute value, lanes in and out, shuffles, packs. */
#define ABS(x) ((x) < 0 ? -(x) : (x))
TS_SEM(pv_abs_b, JOIN_B(ABS(BS(a, 0)), ABS(BS(a, 1)), ABS(BS(a, 2)), ABS(BS(a, 3))))
TS_SEM(pv_abs_h, JOIN_H(ABS(HS(a, 0)), ABS(HS(a, 1))))
TS_SEM(pv_extract_b, BS(a, i & 3))
TS_SEM(pv_extractu_b, BU(a, i & 3))
TS_SEM(pv_extract_h, HS(a, i & 1))
TS_SEM(pv_extractu_h, HU(a, i & 1))
TS_SEM(pv_insert_b, (d & ~(0xffu << (8 * (i & 3)))) | (a & 0xffu) << (8 * (i & 3)))
TS_SEM(pv_insert_h, (d & ~(0xffffu << (16 * (i & 1)))) | (a & 0xffffu) << (16 * (i & 1)))
TS_SEM(pv_shuffle_b,
       JOIN_B(BU(a, BU(b, 0) & 3), BU(a, BU(b, 1) & 3), BU(a, BU(b, 2) & 3), BU(a, BU(b, 3) & 3)))
TS_SEM(pv_shuffle_h, JOIN_H(HU(a, HU(b, 0) & 1), HU(a, HU(b, 1) & 1)))
#define EITHER_B(select) BU(((select)&4) != 0 ? a : d, (select)&3)
#define EITHER_H(select) HU(((select)&2) != 0 ? a : d, (select)&1)
TS_SEM(pv_shuffle2_b, JOIN_B(EITHER_B(BU(b, 0)), EITHER_B(BU(b, 1)), EITHER_B(BU(b, 2)), EITHER_B(BU(b, 3))))
TS_SEM(pv_shuffle2_h, JOIN_H(EITHER_H(HU(b, 0)), EITHER_H(HU(b, 1))))
TS_SEM(pv_shuffle_sci_h, JOIN_H(HU(a, i & 1), HU(a, (i >> 1) & 1)))
#define SHUFFLE_I(lane3) JOIN_B(BU(a, i & 3), BU(a, (i >> 2) & 3), BU(a, (i >> 4) & 3), BU(a, lane3))
TS_SEM(pv_shuffleI0_sci_b, SHUFFLE_I(0))
TS_SEM(pv_shuffleI1_sci_b, SHUFFLE_I(1))
TS_SEM(pv_shuffleI2_sci_b, SHUFFLE_I(2))
TS_SEM(pv_shuffleI3_sci_b, SHUFFLE_I(3))
TS_SEM(pv_pack_h, a << 16 | (b & 0xffffu))
TS_SEM(pv_pack_h_h, (a & 0xffff0000u) | b >> 16)
TS_SEM(pv_packhi_b, (a & 0xffu) << 24 | (b & 0xffu) << 16 | (d & 0xffffu))
TS_SEM(pv_packlo_b, (d & 0xffff0000u) | (a & 0xffu) << 8 | (b & 0xffu))

#undef REPLICATE_B
#undef REPLICATE_H
#undef BS
#undef BU
#undef HS
#undef HU
#undef JOIN_B
#undef JOIN_H
#undef SIX_FORMS
#undef LANES_B
#undef LANES_H
#undef LANE_WISE
#undef WRAP_S
#undef WRAP_U
#undef ADD
#undef SUB
#undef AVG
#undef AVGU
#undef MIN
#undef MAX
#undef SHR
#undef SHL
#undef EQ
#undef NE
#undef GT
#undef GE
#undef LT
#undef LE
#undef WORD_OR
#undef WORD_XOR
#undef WORD_AND
#undef DOT
#undef DOTUP_B
#undef DOTUP_H
#undef DOTUSP_B
#undef DOTUSP_H
#undef DOTSP_B
#undef DOTSP_H
#undef SDOTUP_B
#undef SDOTUP_H
#undef SDOTUSP_B
#undef SDOTUSP_H
#undef SDOTSP_B
#undef SDOTSP_H
#undef ABS
#undef EITHER_B
#undef EITHER_H
#undef SHUFFLE_I

#endif
