#define _GNU_SOURCE /* renameat2 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/litter.h"
#include "emit/emit.h"

ts_app *ts_app_new(ts_arena *arena) {
    ts_app *app = TS_NEW(arena, ts_app);
    app->arena = arena;
    return app;
}

void ts_app_add(ts_app *app, const char *path, const void *data, size_t size) {
    for (uint32_t i = 0; i < app->files.count; i++) {
        const ts_app_file *file = &app->files.data[i];
        if (strcmp(file->path, path) == 0) {
            TS_ASSERT(file->size == size && memcmp(file->data, data, size) == 0, path);
            return;
        }
    }
    ts_app_file file = {.path = ts_arena_strdup(app->arena, path), .data = data, .size = size};
    TS_PUSH(app->arena, &app->files, file);
}

static ts_status fail(ts_diags *diags, const char *verb, const char *path) {
    return ts_error(diags, TS_DIAG_FILE, NULL, NULL, "cannot %s '%s': %s", verb, path, strerror(errno));
}

static ts_status write_file(ts_arena *arena, const char *folder, const ts_app_file *file, ts_diags *diags) {
    const char *path = ts_path_join(arena, folder, file->path);
    TS_TRY(ts_dir_create(ts_path_dir(arena, path), diags));
    FILE *out = fopen(path, "wbx");
    if (out == NULL) {
        return fail(diags, "write", path);
    }
    bool written = fwrite(file->data, 1, file->size, out) == file->size;
    if (fclose(out) != 0 || !written) {
        return fail(diags, "write", path);
    }
    return TS_OK;
}

static bool is_application(ts_arena *arena, const char *folder) {
    return ts_file_exists(ts_path_join(arena, folder, "plan.json")) &&
           ts_file_exists(ts_path_join(arena, folder, "app.h"));
}

/* Exchanges the two folders at once, where the file system can; `aside` is then the old one. */
static bool exchange(const char *aside, const char *folder) {
    return renameat2(AT_FDCWD, aside, AT_FDCWD, folder, RENAME_EXCHANGE) == 0;
}

/* Puts `aside` in the place of `folder`. Where they cannot be exchanged the old folder is moved away first
 * and comes back on failure. */
static ts_status take_place(ts_arena *arena, const char *aside, const char *folder, ts_diags *diags) {
    if (rmdir(folder) == 0 || errno == ENOENT) {
        return rename(aside, folder) == 0 ? TS_OK : fail(diags, "create the folder", folder);
    }
    if (!ts_dir_exists(folder)) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "'%s' is not a folder; give the path of a folder",
                        folder);
    }
    if (!is_application(arena, folder)) {
        return ts_error(
            diags, TS_DIAG_USAGE, NULL, NULL,
            "'%s' exists and is not an application that tessera wrote; give another folder or remove it",
            folder);
    }
    if (exchange(aside, folder)) {
        return ts_dir_remove(aside, diags);
    }
    const char *old = ts_arena_printf(arena, "%s.old", aside);
    if (rename(folder, old) != 0) {
        return fail(diags, "replace the folder", folder);
    }
    if (rename(aside, folder) != 0) {
        ts_status status = fail(diags, "create the folder", folder);
        if (rename(old, folder) != 0) {
            ts_note(diags, TS_DIAG_FILE, NULL, NULL, "the folder that was there is now '%s'", old);
        }
        return status;
    }
    return ts_dir_remove(old, diags);
}

/* Where memory runs out on the way. */
static void drop(void *aside) {
    (void)ts_litter_remove_tree(AT_FDCWD, aside);
    ts_litter_forget(aside);
}

static void release(void *unused) {
    (void)unused;
    ts_litter_release();
}

/* As take_place(), not interrupted by signals. */
static ts_status take_place_whole(ts_arena *arena, const char *aside, const char *folder, ts_diags *diags) {
    int held;
    ts_litter_hold();
    ts_guard_defer(release, &held);
    ts_status status = take_place(arena, aside, folder, diags);
    ts_guard_undefer(&held);
    ts_litter_release();
    return status;
}

ts_status ts_app_write(const ts_app *app, const char *folder, ts_diags *diags) {
    ts_arena *arena = app->arena;
    char *place = ts_arena_strdup(arena, folder);
    for (size_t n = strlen(place); n > 1 && place[n - 1] == '/'; n--) {
        place[n - 1] = '\0';
    }
    TS_TRY(ts_dir_create(ts_path_dir(arena, place), diags));
    char *aside = ts_arena_printf(arena, "%s.XXXXXX", place);
    if (!ts_litter_make_folder(aside)) {
        return fail(diags, "create a folder beside", place);
    }
    ts_guard_defer(drop, aside);
    ts_status status = chmod(aside, 0755) == 0 ? TS_OK : fail(diags, "create the folder", aside);
    for (uint32_t i = 0; i < app->files.count && status == TS_OK; i++) {
        status = write_file(arena, aside, &app->files.data[i], diags);
    }
    if (status == TS_OK) {
        status = take_place_whole(arena, aside, place, diags);
    }
    if (status != TS_OK) {
        ts_diags ignored = {.arena = arena};
        (void)ts_dir_remove(aside, &ignored);
    }
    ts_guard_undefer(aside);
    ts_litter_forget(aside);
    return status;
}
