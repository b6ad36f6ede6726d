/* embed OUTPUT.c SYMBOL FOLDER FILE... : writes `const ts_embedded SYMBOL[]` with the bytes of each
 * FILE, named by its path behind "FOLDER/". A build tool: it runs on the host that builds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, const char *path) {
    fprintf(stderr, "embed: %s: %s\n", what, path);
    exit(1);
}

/* Writes the bytes of one file as an array `bytes_INDEX` with a NUL behind them; returns their number. */
static size_t write_bytes(FILE *out, int index, const char *path) {
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        fail("cannot read", path);
    }
    fprintf(out, "static const uint8_t bytes_%d[] = {", index);
    size_t size = 0;
    for (int c = getc(in); c != EOF; c = getc(in), size++) {
        fprintf(out, "%s%d,", size % 32 == 0 ? "\n" : "", c);
    }
    fputs("0};\n", out);
    if (ferror(in)) {
        fail("cannot read", path);
    }
    fclose(in);
    return size;
}

/* The part of `path` behind the last "folder/" in it: the build hands files over by paths of its own. */
static const char *below(const char *folder, const char *path) {
    size_t length = strlen(folder);
    const char *found = NULL;
    for (const char *at = strstr(path, folder); at != NULL; at = strstr(at + 1, folder)) {
        if (at[length] == '/') {
            found = at + length + 1;
        }
    }
    if (found == NULL) {
        fail("not below the folder", path);
    }
    return found;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fputs("usage: embed OUTPUT.c SYMBOL FOLDER FILE...\n", stderr);
        return 1;
    }
    FILE *out = fopen(argv[1], "w");
    size_t *sizes = calloc((size_t)argc, sizeof *sizes);
    if (out == NULL || sizes == NULL) {
        fail("cannot write", argv[1]);
    }
    fputs("/* Written by tools/embed.c; do not edit. */\n#include \"base/embed.h\"\n\n", out);
    for (int i = 4; i < argc; i++) {
        sizes[i] = write_bytes(out, i, argv[i]);
    }
    fprintf(out, "extern const ts_embedded %s[];\nconst ts_embedded %s[] = {\n", argv[2], argv[2]);
    for (int i = 4; i < argc; i++) {
        fprintf(out, "    {\"%s\", bytes_%d, %zuu},\n", below(argv[3], argv[i]), i, sizes[i]);
    }
    fputs("    {0, 0, 0},\n};\n", out);
    free(sizes);
    if (fclose(out) != 0) {
        fail("cannot write", argv[1]);
    }
    return 0;
}
