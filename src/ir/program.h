/* Programs of FLOAT nodes: what floats make of the codes of a pixel. They are words of 32 bits, the node's
 * constant, which kernels read as they are:
 *
 *     steps, scale, zero, low, high,  {operation, a, b} for each step,  data
 *
 * A step has one value for each channel of the pixel, computed in single precision from earlier steps (a, b
 * are their numbers), from an operand's code or from the data (floats, as their bits). The last one becomes
 * the result's code: clip(rint(value / scale) + zero, low, high), halves to even, `low` where it is no
 * number. A result of floats (f32) is the value itself; its scale is 1, the rest of the head 0. An operand
 * may be of floats, too. docs/arithmetic.md has each operation to the bit. */
#ifndef TS_IR_PROGRAM_H
#define TS_IR_PROGRAM_H

#include "ir/graph.h"

/* Identifier, name, number of earlier steps that it reads.
 * TABLE    word b + code of operand a less its type's lowest value, of the data: 256 entries.
 * CODE     the code of operand a as a float; of an operand of floats, itself.
 * CONST    word a + b * channel of the data; b is 0 or 1.
 * COPYSIGN the magnitude of a, negative where b < 0.
 * SUM, MOST  over all channels of a, from the first on: the same value in each channel. */
#define TS_FLOAT_STEPS(X)      \
    X(TABLE, "table", 0)       \
    X(CODE, "code", 0)         \
    X(CONST, "const", 0)       \
    X(ADD, "add", 2)           \
    X(SUB, "sub", 2)           \
    X(MUL, "mul", 2)           \
    X(DIV, "div", 2)           \
    X(MIN, "min", 2)           \
    X(MAX, "max", 2)           \
    X(COPYSIGN, "copysign", 2) \
    X(FLOOR, "floor", 1)       \
    X(SQRT, "sqrt", 1)         \
    X(EXP, "exp", 1)           \
    X(LOG, "log", 1)           \
    X(SUM, "sum", 1)           \
    X(MOST, "most", 1)

typedef enum ts_float_step {
#define TS_FLOAT_STEP_ENUM(id, name, reads) TS_STEP_##id,
    TS_FLOAT_STEPS(TS_FLOAT_STEP_ENUM)
#undef TS_FLOAT_STEP_ENUM
        TS_STEP_COUNT
} ts_float_step;

enum { TS_PROGRAM_HEAD = 5, TS_PROGRAM_STEP = 3, TS_PROGRAM_STEPS = 64, TS_PROGRAM_TABLE = 256 };

/* Places of the words of the head. */
enum { TS_PROGRAM_COUNT, TS_PROGRAM_SCALE, TS_PROGRAM_ZERO, TS_PROGRAM_LOW, TS_PROGRAM_HIGH };

/* First word of the data. */
static inline uint32_t ts_program_data(const int32_t *words) {
    return TS_PROGRAM_HEAD + TS_PROGRAM_STEP * (uint32_t)words[TS_PROGRAM_COUNT];
}

/* Number of earlier steps that an operation reads. */
uint32_t ts_float_step_reads(ts_float_step step);

/* Checks the constant of a FLOAT node: every step reads earlier ones, operands and data that are there. */
ts_status ts_program_verify(const ts_graph *graph, const ts_node *node, ts_diags *diags);

#endif
