/* Files that are part of the program: tools/embed.c turns them into a table in C at build time.
 *
 * A table ends with a row whose name is NULL. It knows nothing of what the files mean. */
#ifndef TS_BASE_EMBED_H
#define TS_BASE_EMBED_H

#include <stddef.h>
#include <stdint.h>

typedef struct ts_embedded {
    const char *name;    /* path below the folder that was embedded, with '/' */
    const uint8_t *data; /* `size` bytes; a NUL follows that is not counted */
    size_t size;
} ts_embedded;

/* The row with exactly this name, or NULL. */
const ts_embedded *ts_embedded_find(const ts_embedded *table, const char *name);

#endif
