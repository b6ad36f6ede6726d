/* What dispatch knows beside the instructions of isa/rows.def; private to this room. */
#ifndef TS_SIM_EXECUTE_H
#define TS_SIM_EXECUTE_H

#include "sim/machine.h"

enum {
    TS__OP_DECODE = TS_ISA_OP_COUNT, /* not looked at yet */
    TS__OP_ILLEGAL,
    TS__OP_OUTSIDE, /* no memory here, or a target outside it */
    TS__OP_LINE,    /* a new cache line begins: look whether it is there */
    TS__OP_PRE,     /* any combination of TS__PRE_* */
    TS__OP_FIXUP,   /* back edge of a hardware loop that costs something */
    TS__OP_ALL
};

#endif
