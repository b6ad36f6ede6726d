/* Status values shared by every room.
 *
 * A status is also the exit status of the command line (docs/cli.md), so that a failure keeps its
 * class all the way up. Details travel beside it, as diagnostics (diag.h). */
#ifndef TS_BASE_STATUS_H
#define TS_BASE_STATUS_H

typedef enum ts_status {
    TS_OK = 0,        /* done and, where something is verified, verified */
    TS_MISMATCH = 1,  /* computed, but not equal to the reference or the golden */
    TS_BAD_INPUT = 2, /* bad usage or bad input */
    TS_NO_FIT = 3,    /* the network does not fit the memories it was given */
    TS_SYSTEM = 4,    /* a tool, the file system or memory failed */
} ts_status;

/* Forwards any status but TS_OK to the caller. */
#define TS_TRY(expression)                       \
    do {                                         \
        ts_status ts_try_status_ = (expression); \
        if (ts_try_status_ != TS_OK) {           \
            return ts_try_status_;               \
        }                                        \
    } while (0)

#endif
