/* Which requantisations a program uses, so that the others' code is left out: bit k of TS_RQ_USED for kind k
 * of enum ts_rq, bit 7 for a 32-bit kind whose output is not u8 in [0, 255]. All where it is not given. */
#ifndef TS_KERNELS_XPULP_USED_H
#define TS_KERNELS_XPULP_USED_H

#ifndef TS_RQ_USED
#define TS_RQ_USED 0xFF
#endif

#define XPULP_USES_U8    ((TS_RQ_USED & 0x02) != 0)
#define XPULP_USES_BOUND ((TS_RQ_USED & 0x82) == 0x82)
#define XPULP_USES_S32C  ((TS_RQ_USED & 0x04) != 0)
#define XPULP_USES_S32D  ((TS_RQ_USED & 0x20) != 0)

#endif
