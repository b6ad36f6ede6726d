/* Temporary files and folders of this process, so that one that is ended early leaves none.
 *
 * Whoever makes one notes it and forgets it when it is gone or has its final name. The library installs no
 * handlers: a program that wants its litter removed when a signal ends it calls ts_litter_remove() from the
 * handler (src/cli/main.c does). A process ended by SIGKILL leaves what it has made; names are never used
 * twice, so that nobody trips over that. */
#ifndef TS_BASE_LITTER_H
#define TS_BASE_LITTER_H

#include <stdbool.h>

/* As mkdtemp() and mkstemp() (close-on-exec), and noted: no signal that ends the process comes between. */
bool ts_litter_make_folder(char *path);
int ts_litter_make_file(char *path);

/* Notes a path; at most 32 at a time and of fewer than 1024 bytes, what is more is not noted. */
void ts_litter_note(const char *path);
void ts_litter_forget(const char *path);

/* SIGINT, SIGTERM and SIGHUP wait from hold to release: around what must not be done by half. */
void ts_litter_hold(void);
void ts_litter_release(void);

/* Removes all that this process (not its parent) has noted. Async-signal-safe. */
void ts_litter_remove(void);

/* Removes a file or a folder with all that is in it, without following links; 0 or an errno. Missing is no
 * error. Async-signal-safe: no memory is taken. */
int ts_litter_remove_tree(int parent, const char *name);

#endif
