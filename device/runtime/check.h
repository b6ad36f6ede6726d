/* Proves at run time that layers write to their own buffers only: what belongs to no buffer that lives is
 * filled with a pattern before a layer and looked at behind it. Emitted with --check, where the plan leaves
 * guard bytes behind every buffer. What has died is overwritten in the same way, so that whoever still reads
 * it computes something else. */
#ifndef TS_RUNTIME_CHECK_H
#define TS_RUNTIME_CHECK_H

#include "runtime/network.h"

/* A buffer of L2 and the layers in which it lives; first is -1 where it is full before layer 0. In L1 all
 * live. */
struct ts_check_buffer {
    uint32_t offset, bytes;
    int first, last;
    const char *name;
};

struct ts_check_memory {
    const struct ts_check_buffer *buffers;
    uint32_t count;
    uint32_t bytes; /* of the whole memory that the network asks for */
};

/* The first byte that was found changed, and how many there are. */
struct ts_check_found {
    uint32_t bytes; /* 0: none */
    const char *layer, *memory;
    uint32_t offset;
    const char *before; /* name of the buffer that ends before the byte; NULL: none */
};

extern struct ts_check_found ts_check_found;

/* Filling before layer `index` and looking behind it; every core of the team calls both. */
void ts_check_before(int index, struct ts_run *run, const struct ts_check_memory *l1,
                     const struct ts_check_memory *l2);
void ts_check_after(int index, const char *name, struct ts_run *run, const struct ts_check_memory *l1,
                    const struct ts_check_memory *l2);

#endif
