#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"

/* Under the address sanitizer, where TS_GUARD_ARENAS asks for it, each allocation stands alone: what lies
 * between two of them may not be touched. */
#ifdef TS_GUARD_ARENAS
#include <sanitizer/asan_interface.h>
enum { GAP_BYTES = 16, FIRST_BLOCK_BYTES = 4 * 1024 };
#else
#define ASAN_POISON_MEMORY_REGION(data, bytes)   ((void)(data), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(data, bytes) ((void)(data), (void)(bytes))
enum { GAP_BYTES = 0, FIRST_BLOCK_BYTES = 64 * 1024 };
#endif

enum { LARGEST_BLOCK_BYTES = 8 * 1024 * 1024, ALIGNMENT = 16 };

typedef struct block {
    struct block *next;
    size_t capacity;
    size_t used;
    size_t padding; /* keeps the bytes that follow aligned to 16 */
} block;

struct ts_arena {
    const char *tag;
    size_t limit_bytes;
    size_t used_bytes;
    size_t held_bytes;
    block *blocks; /* the newest first; only it is allocated from */
};

static _Thread_local ts_guard *innermost;
static _Thread_local size_t held_bytes, peak_bytes;
static uint64_t allocations, failing_allocation;

uint64_t ts_arena_fail_after(uint64_t n) {
    uint64_t so_far = allocations;
    failing_allocation = n == 0 ? 0 : allocations + n;
    return so_far;
}

void ts_guard_push(ts_guard *guard) {
    guard->outer = innermost;
    guard->deferred_count = 0;
    innermost = guard;
}

void ts_guard_leave(ts_guard *guard) {
    TS_ASSERT(innermost == guard, "ts_guard_leave");
    innermost = guard->outer;
}

void ts_guard_defer(void (*release)(void *object), void *object) {
    if (innermost == NULL) {
        return;
    }
    TS_ASSERT(innermost->deferred_count < 16, "ts_guard_defer");
    innermost->deferred[innermost->deferred_count++] = (ts_deferred){release, object};
}

void ts_guard_undefer(void *object) {
    if (innermost == NULL) {
        return;
    }
    for (uint32_t i = innermost->deferred_count; i-- > 0;) {
        if (innermost->deferred[i].object == object) {
            innermost->deferred[i] = innermost->deferred[--innermost->deferred_count];
            return;
        }
    }
}

static _Noreturn void exhausted(const char *tag) {
    ts_guard *guard = innermost;
    if (guard == NULL) {
        fprintf(stderr, "tessera: error: out of memory (%s)\n", tag);
        exit(TS_SYSTEM);
    }
    while (guard->deferred_count > 0) {
        ts_deferred *last = &guard->deferred[--guard->deferred_count];
        last->release(last->object);
    }
    innermost = guard->outer;
    longjmp(guard->place, 1);
}

static void *host_alloc(size_t bytes) {
    allocations++;
    return allocations == failing_allocation ? NULL : malloc(bytes);
}

ts_arena *ts_arena_new(const char *tag, size_t limit_bytes) {
    ts_arena *arena = host_alloc(sizeof *arena);
    if (arena == NULL) {
        exhausted(tag);
    }
    *arena = (ts_arena){.tag = tag, .limit_bytes = limit_bytes};
    return arena;
}

void ts_arena_free(ts_arena *arena) {
    if (arena == NULL) {
        return;
    }
    held_bytes -= arena->held_bytes;
    for (block *b = arena->blocks; b != NULL;) {
        block *next = b->next;
        free(b);
        b = next;
    }
    free(arena);
}

static block *add_block(ts_arena *arena, size_t bytes) {
    size_t capacity = arena->blocks == NULL ? FIRST_BLOCK_BYTES : arena->blocks->capacity * 2;
    capacity = capacity > LARGEST_BLOCK_BYTES ? LARGEST_BLOCK_BYTES : capacity;
    capacity = capacity < bytes ? bytes : capacity;
    block *b = host_alloc(sizeof *b + capacity);
    if (b == NULL) {
        exhausted(arena->tag);
    }
    *b = (block){.next = arena->blocks, .capacity = capacity};
    ASAN_POISON_MEMORY_REGION(b + 1, capacity);
    arena->blocks = b;
    arena->held_bytes += capacity;
    held_bytes += capacity;
    peak_bytes = held_bytes > peak_bytes ? held_bytes : peak_bytes;
    return b;
}

void *ts_arena_alloc(ts_arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX / 4 || (arena->limit_bytes != 0 && bytes > arena->limit_bytes - arena->used_bytes)) {
        exhausted(arena->tag);
    }
    size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + GAP_BYTES;
    block *b = arena->blocks;
    if (b == NULL || rounded > b->capacity - b->used) {
        b = add_block(arena, rounded);
    }
    void *result = (char *)(b + 1) + b->used;
    b->used += rounded;
    arena->used_bytes += bytes;
    ASAN_UNPOISON_MEMORY_REGION(result, bytes);
    return memset(result, 0, GAP_BYTES > 0 ? bytes : rounded);
}

void *ts_arena_array(ts_arena *arena, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        exhausted(arena->tag);
    }
    return ts_arena_alloc(arena, bytes);
}

void *ts_arena_copy(ts_arena *arena, const void *data, size_t bytes) {
    char *copy = ts_arena_array(arena, bytes + 1, 1);
    if (bytes > 0) {
        memcpy(copy, data, bytes);
    }
    return copy;
}

char *ts_arena_strdup(ts_arena *arena, const char *text) { return ts_arena_copy(arena, text, strlen(text)); }

char *ts_arena_printf(ts_arena *arena, const char *format, ...) {
    va_list first, second;
    va_start(first, format);
    va_copy(second, first);
    int length = vsnprintf(NULL, 0, format, first);
    va_end(first);
    size_t size = length < 0 ? 1 : (size_t)length + 1;
    char *text = ts_arena_alloc(arena, size);
    vsnprintf(text, size, format, second);
    va_end(second);
    return text;
}

size_t ts_arena_used_bytes(const ts_arena *arena) { return arena->used_bytes; }

size_t ts_arena_peak_bytes(void) { return peak_bytes; }

void *ts__vec_grow(ts_arena *arena, void *data, uint32_t count, uint32_t *capacity, size_t size) {
    if (count < *capacity) {
        return data;
    }
    if (*capacity > UINT32_MAX / 2) {
        exhausted(arena->tag);
    }
    *capacity = *capacity == 0 ? 8 : *capacity * 2;
    void *grown = ts_arena_array(arena, *capacity, size);
    return count == 0 ? grown : memcpy(grown, data, count * size);
}
