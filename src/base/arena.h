/* Arenas: the memory of a stage, freed whole.
 *
 * Every allocation of the compiler comes from an arena that its stage owns. An allocation never
 * returns NULL: exhaustion (of the host's memory or of the arena's own limit) is handled in one
 * place, the innermost active ts_guard, to which control returns by longjmp. Nothing that needs
 * explicit release may therefore be held across an arena allocation unless it is registered with
 * ts_guard_defer(). */
#ifndef TS_BASE_ARENA_H
#define TS_BASE_ARENA_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ts_arena ts_arena;

/* Creates an empty arena. `tag` (static storage) names it in `--stats`; `limit_bytes` caps what it
 * may hold, 0 means no cap. Never NULL (see above). Release with ts_arena_free(). */
ts_arena *ts_arena_new(const char *tag, size_t limit_bytes);

/* Releases the arena and everything allocated from it. NULL is ignored. */
void ts_arena_free(ts_arena *arena);

/* Returns `bytes` zeroed bytes aligned to 16, owned by the arena. Zero bytes give a valid pointer. */
void *ts_arena_alloc(ts_arena *arena, size_t bytes);

/* As ts_arena_alloc() for `count` elements of `size` bytes; an overflowing product counts as
 * exhaustion. */
void *ts_arena_array(ts_arena *arena, size_t count, size_t size);

/* Copies the `bytes` bytes at `data`, plus a terminating NUL that is not counted. */
void *ts_arena_copy(ts_arena *arena, const void *data, size_t bytes);

/* Copies a C string. */
char *ts_arena_strdup(ts_arena *arena, const char *text);

/* Formats into a new string. */
char *ts_arena_printf(ts_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Bytes handed out so far, and the most that all arenas together held at one time. */
size_t ts_arena_used_bytes(const ts_arena *arena);
size_t ts_arena_peak_bytes(void);

#define TS_NEW(arena, type)              ((type *)ts_arena_alloc((arena), sizeof(type)))
#define TS_NEW_ARRAY(arena, type, count) ((type *)ts_arena_array((arena), (size_t)(count), sizeof(type)))

/* A growing array in an arena: TS_VEC(int) v = {0}; TS_PUSH(arena, &v, 7); v.data[0], v.count. */
#define TS_VEC(type)       \
    struct {               \
        type *data;        \
        uint32_t count;    \
        uint32_t capacity; \
    }
#define TS_PUSH(arena, vec, value)                                                                   \
    do {                                                                                             \
        (vec)->data =                                                                                \
            ts__vec_grow((arena), (vec)->data, (vec)->count, &(vec)->capacity, sizeof *(vec)->data); \
        (vec)->data[(vec)->count++] = (value);                                                       \
    } while (0)
void *ts__vec_grow(ts_arena *arena, void *data, uint32_t count, uint32_t *capacity, size_t size);

/* The place to which exhaustion returns.
 *
 *     ts_guard guard;
 *     if (TS_GUARD_ENTER(&guard)) { ... out of memory: report, return TS_SYSTEM ... }
 *     ... allocate ...
 *     ts_guard_leave(&guard);
 */
typedef struct ts_deferred {
    void (*release)(void *object);
    void *object;
} ts_deferred;

typedef struct ts_guard {
    jmp_buf place;
    struct ts_guard *outer;
    ts_deferred deferred[16];
    uint32_t deferred_count;
} ts_guard;

#define TS_GUARD_ENTER(guard) (ts_guard_push(guard), setjmp((guard)->place) != 0)
void ts_guard_push(ts_guard *guard);
void ts_guard_leave(ts_guard *guard);

/* Has `release(object)` called if exhaustion unwinds past here; ts_guard_undefer() takes it back
 * without the call. At most 16 may be pending for each guard. Without an active guard: no effect. */
void ts_guard_defer(void (*release)(void *object), void *object);
void ts_guard_undefer(void *object);

/* Tests only: the n-th host allocation from now on fails (1 is the next one); 0 switches this off.
 * Returns the number of host allocations so far. */
uint64_t ts_arena_fail_after(uint64_t n);

#endif
