/* What every test includes: cmocka with the headers that it needs before it, and the peers' data. */
#ifndef TS_TESTS_HARNESS_H
#define TS_TESTS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { TS_TEST_SKIP = 77 };

/* Whether this is the build with sanitizers, which compute several times slower. Tests of the suite "both"
 * run in the plain build, too: there they judge what much computing leads to, and here that it goes its ways.
 */
#if defined(__SANITIZE_ADDRESS__)
enum { TS_TEST_SANITIZED = 1 };
#else
enum { TS_TEST_SANITIZED = 0 };
#endif

/* Folder of real networks and goldens that are not part of this repository, or NULL. It is taken
 * from TESSERA_SHARED; tests that need it return TS_TEST_SKIP, saying so, when it is absent. */
static inline const char *ts_test_shared(void) {
    const char *path = getenv("TESSERA_SHARED");
    struct stat info;
    return path != NULL && stat(path, &info) == 0 && S_ISDIR(info.st_mode) ? path : NULL;
}

#endif
