#include "run/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

enum { OUTPUT_LIMIT = 65536, NOT_STARTED = 127 };

bool ts_program_found(ts_arena *arena, const char *name) {
    if (strchr(name, '/') != NULL) {
        return access(name, X_OK) == 0;
    }
    const char *path = getenv("PATH");
    for (const char *at = path; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, ":");
        const char *file = ts_arena_printf(arena, "%.*s/%s", (int)length, at, name);
        if (access(file, X_OK) == 0 && ts_file_exists(file)) {
            return true;
        }
        at += length + (at[length] == ':');
    }
    return false;
}

/* In the child: never returns. */
_Noreturn static void become(const char *folder, char *const *arguments, int output, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* nobody would wait for it any more */
    if (getppid() != parent) {
        _exit(NOT_STARTED);
    }
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 ||
        (folder != NULL && chdir(folder) != 0)) {
        _exit(NOT_STARTED);
    }
    execvp(arguments[0], arguments);
    _exit(NOT_STARTED);
}

/* Everything is read, so that the program never blocks on a full pipe; the beginning is kept. */
static void read_output(int from, ts_text *kept) {
    char buffer[4096];
    for (;;) {
        ssize_t n = read(from, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return;
        }
        size_t room = OUTPUT_LIMIT - kept->size;
        ts_text_add_bytes(kept, buffer, (size_t)n < room ? (size_t)n : room);
    }
}

ts_status ts_program_run(ts_arena *arena, const char *folder, char *const *arguments, const char **output,
                         int *status, ts_diags *diags) {
    int ends[2];
    if (pipe(ends) != 0) {
        return ts_error(diags, TS_DIAG_TOOL, NULL, NULL, "cannot run '%s': %s", arguments[0],
                        strerror(errno));
    }
    pid_t parent = getpid(), child = fork();
    if (child < 0) {
        int error = errno;
        close(ends[0]);
        close(ends[1]);
        return ts_error(diags, TS_DIAG_TOOL, NULL, NULL, "cannot run '%s': %s", arguments[0],
                        strerror(error));
    }
    if (child == 0) {
        close(ends[0]);
        become(folder, arguments, ends[1], parent);
    }
    close(ends[1]);
    ts_text kept = {.arena = arena};
    ts_text_add(&kept, "");
    read_output(ends[0], &kept);
    close(ends[0]);
    int result = 0;
    while (waitpid(child, &result, 0) < 0 && errno == EINTR) {
    }
    *status = WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result);
    *output = kept.data;
    return TS_OK;
}
