#define _GNU_SOURCE /* getdents64, mkostemp */
#include "base/litter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 32, PATH_BYTES = 1024, FREE = 0, TAKEN = 1, NOTED = 2 };

typedef struct slot {
    atomic_int state;
    pid_t owner; /* a child has its parent's table, but not its litter */
    char path[PATH_BYTES];
} slot;

static slot slots[SLOTS];

void ts_litter_note(const char *path) {
    if (strlen(path) >= PATH_BYTES) {
        return;
    }
    for (int i = 0; i < SLOTS; i++) {
        int expected = FREE;
        if (atomic_compare_exchange_strong(&slots[i].state, &expected, TAKEN)) {
            slots[i].owner = getpid();
            strcpy(slots[i].path, path);
            atomic_store(&slots[i].state, NOTED);
            return;
        }
    }
}

void ts_litter_forget(const char *path) {
    for (int i = 0; i < SLOTS; i++) {
        int expected = NOTED;
        if (atomic_load(&slots[i].state) == NOTED && strcmp(slots[i].path, path) == 0 &&
            atomic_compare_exchange_strong(&slots[i].state, &expected, FREE)) {
            return;
        }
    }
}

/* What stood before the first hold of this thread. */
static _Thread_local sigset_t before;
static _Thread_local int depth;

void ts_litter_hold(void) {
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGHUP);
    if (depth++ == 0) {
        pthread_sigmask(SIG_BLOCK, &ending, &before);
    }
}

void ts_litter_release(void) {
    if (--depth == 0) {
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
}

bool ts_litter_make_folder(char *path) {
    ts_litter_hold();
    bool made = mkdtemp(path) != NULL;
    int error = errno;
    if (made) {
        ts_litter_note(path);
    }
    ts_litter_release();
    errno = error;
    return made;
}

int ts_litter_make_file(char *path) {
    ts_litter_hold();
    int fd = mkostemp(path, O_CLOEXEC), error = errno;
    if (fd >= 0) {
        ts_litter_note(path);
    }
    ts_litter_release();
    errno = error;
    return fd;
}

void ts_litter_remove(void) {
    pid_t self = getpid();
    for (int i = 0; i < SLOTS; i++) {
        if (atomic_load(&slots[i].state) == NOTED && slots[i].owner == self) {
            (void)ts_litter_remove_tree(AT_FDCWD, slots[i].path);
            atomic_store(&slots[i].state, FREE);
        }
    }
}

/* Removes what `fd` lists; 0 or an errno. */
static int empty_folder(int fd) {
    _Alignas(struct dirent64) char list[2048];
    for (ssize_t size; (size = getdents64(fd, list, sizeof list)) != 0;) {
        if (size < 0) {
            return errno;
        }
        for (ssize_t at = 0; at < size;) {
            const struct dirent64 *entry = (const struct dirent64 *)(list + at);
            bool self = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
            int error = self ? 0 : ts_litter_remove_tree(fd, entry->d_name);
            if (error != 0) {
                return error;
            }
            at += entry->d_reclen;
        }
    }
    return 0;
}

int ts_litter_remove_tree(int parent, const char *name) {
    enum { TRIES = 4 }; /* a compiler that we started may still write */
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) {
        return 0;
    }
    if (errno != EISDIR && errno != EPERM) {
        return errno;
    }
    int error = ENOTEMPTY;
    for (int i = 0; i < TRIES && (error == ENOTEMPTY || error == EEXIST); i++) {
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
            return errno;
        }
        error = empty_folder(fd);
        close(fd);
        if (error == 0) {
            error = unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : errno;
        }
    }
    return error;
}
