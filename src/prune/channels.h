/* Which elements of which tensors belong to one filter. */
#ifndef TS_PRUNE_CHANNELS_H
#define TS_PRUNE_CHANNELS_H

#include "ir/float_graph.h"

/* The labels of a tensor's slices along one axis; axis TS_NONE: it has no channels that may go. */
typedef struct ts__channels {
    uint32_t axis;
    uint32_t *labels; /* dims[axis] */
} ts__channels;

typedef struct ts__channel_map {
    const ts_fgraph *graph;
    ts__channels *tensors;
    TS_VEC(uint32_t) parent; /* of each label: union-find */
    TS_VEC(bool) pinned;     /* of each root */
} ts__channel_map;

/* The label that stands for all that live or die with this one. */
uint32_t ts__root(const ts__channel_map *map, uint32_t label);

/* Labels every tensor of the graph. */
ts__channel_map *ts__channels_find(ts_arena *arena, const ts_fgraph *graph);

/* Labels of one axis of a constant that a node weighs activations with, or NULL: `axis` of operand `k`. */
const uint32_t *ts__constant_labels(const ts__channel_map *map, const ts_fnode *node, uint32_t k,
                                    uint32_t axis);

/* CONV whose every output channel reads one input channel. */
bool ts__is_depthwise(const ts_fgraph *graph, const ts_fnode *node);

/* A node with filters of its own: CONV that is not depthwise, GEMM, MATMUL with a constant matrix. */
bool ts__has_filters(const ts_fgraph *graph, const ts_fnode *node);

#endif
