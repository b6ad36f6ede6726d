/* Any machine with a C library. */
#ifndef TS_HAL_GENERIC_PLATFORM_H
#define TS_HAL_GENERIC_PLATFORM_H

#define TS_GUARD_BYTES 64
#define TS_L1_SECTION
#define TS_L2_SECTION

#endif
