/* Which requantisations a program uses, so that the others' code is left out: bit k of TS_RQ_USED for kind k
 * of enum ts_rq, bit 16 for outputs of all of u8, 17 for all of s8, 18 for other bounds. All where it is not
 * given. */
#ifndef TS_KERNELS_XPULP_USED_H
#define TS_KERNELS_XPULP_USED_H

#ifndef TS_RQ_USED
#define TS_RQ_USED 0x7FFFF
#endif

/* For numbers: a kind of enum ts_rq, and ends 0 (u8), 1 (s8), 2 (other bounds). */
#define XPULP_USED(kind, end) ((TS_RQ_USED >> (kind)) & (TS_RQ_USED >> (16 + (end))) & 1)

#endif
