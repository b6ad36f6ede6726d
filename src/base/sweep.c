#include "base/sweep.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

enum { MAX_JOBS = 256, REMOTE_POLL_MS = 5 };

/* A process that computes a point and writes its frame, a JSON object, into a pipe:
 * {"status": number, "result": object or null, "diagnostics": [{"severity", "code", "node", "op", "text"}]}.
 */
typedef struct child {
    pid_t pid; /* 0: not running */
    int fd;
    uint32_t index;
    ts_text frame;
} child;

typedef struct engine {
    ts_arena *arena;
    const ts_sweep *sweep;
    const json_t **results;
    ts_diags *diags;
    child *children;
    uint32_t jobs, running;
    uint32_t *remote_index; /* by worker: the point that it computes */
    bool *remote_busy;
    uint32_t remote_running;
    uint32_t next, done;
    ts_status failure; /* the gravest of the points */
    ts_status status;  /* of the journal */
} engine;

/* ---- the child -------------------------------------------------------------------------------------- */

static json_t *text_or_null(const char *text) { return text == NULL ? json_null() : json_string(text); }

static json_t *make_frame(ts_status status, json_t *result, const ts_diags *diags) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < diags->list.count; i++) {
        const ts_diag *d = &diags->list.data[i];
        json_t *one =
            json_pack("{s:i, s:i, s:s}", "severity", (int)d->severity, "code", (int)d->code, "text", d->text);
        json_object_set_new(one, "node", text_or_null(d->node));
        json_object_set_new(one, "op", text_or_null(d->op));
        json_array_append_new(list, one);
    }
    return json_pack("{s:i, s:o, s:o}", "status", (int)status, "result",
                     result != NULL ? result : json_null(), "diagnostics", list);
}

static int write_text(int fd, const char *text) {
    for (size_t left = strlen(text); left > 0;) {
        ssize_t n = write(fd, text, left);
        if (n < 0 && errno != EINTR) {
            return 1;
        }
        text += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Never returns. */
_Noreturn static void be_child(const ts_sweep *sweep, uint32_t index, int fd, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) { /* it ended before it could be watched */
        _exit(1);
    }
    if (sweep->scratch != NULL) {
        setenv("TMPDIR", sweep->scratch, 1);
    }
    ts_guard guard;
    if (TS_GUARD_ENTER(&guard)) {
        _exit(write_text(fd,
                         "{\"status\": 4, \"result\": null, \"diagnostics\": [{\"severity\": 2, \"code\": "
                         "0, \"text\": \"out of memory\"}]}"));
    }
    ts_arena *arena = ts_arena_new("point", 0);
    ts_diags diags = {.arena = arena};
    json_t *result = NULL;
    ts_status status = sweep->compute(sweep->user, index, arena, &result, &diags);
    char *text = json_dumps(make_frame(status, result, &diags), JSON_COMPACT | JSON_REAL_PRECISION(17));
    _exit(text == NULL ? 1 : write_text(fd, text));
}

static bool start_child(const ts_sweep *sweep, ts_arena *arena, uint32_t index, child *c) {
    int ends[2];
    if (pipe(ends) != 0) {
        return false;
    }
    fflush(NULL); /* the child must not print what is buffered once more */
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        close(ends[0]);
        be_child(sweep, index, ends[1], parent);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return false;
    }
    *c = (child){.pid = pid, .fd = ends[0], .index = index, .frame = {.arena = arena}};
    ts_text_add(&c->frame, "");
    return true;
}

/* Reads what is there; true at the end of the frame. */
static bool read_child(child *c) {
    char buffer[4096];
    ssize_t n = read(c->fd, buffer, sizeof buffer);
    if (n > 0) {
        ts_text_add_bytes(&c->frame, buffer, (size_t)n);
    }
    return n == 0 || (n < 0 && errno != EINTR);
}

/* Waits for a child that has closed its pipe. One that ended by a signal left no frame that counts. */
static void reap_child(child *c) {
    int result = 0;
    close(c->fd);
    while (waitpid(c->pid, &result, 0) < 0 && errno == EINTR) {
    }
    c->pid = 0;
    if (WIFSIGNALED(result) || WEXITSTATUS(result) != 0) {
        ts_text frame = {.arena = c->frame.arena};
        ts_text_printf(&frame,
                       "{\"status\": 4, \"result\": null, \"diagnostics\": [{\"severity\": 2, \"code\": 0, "
                       "\"text\": \"its process ended with %s %d\"}]}",
                       WIFSIGNALED(result) ? "signal" : "status",
                       WIFSIGNALED(result) ? WTERMSIG(result) : WEXITSTATUS(result));
        c->frame = frame;
    }
}

ts_bytes ts_sweep_compute(ts_arena *arena, const ts_sweep *sweep, uint32_t index) {
    child c;
    if (!start_child(sweep, arena, index, &c)) {
        static const char text[] = "{\"status\": 4, \"result\": null, \"diagnostics\": []}";
        return (ts_bytes){(const uint8_t *)text, sizeof text - 1};
    }
    while (!read_child(&c)) {
    }
    reap_child(&c);
    return (ts_bytes){(const uint8_t *)c.frame.data, c.frame.size};
}

/* ---- the parent ------------------------------------------------------------------------------------- */

static void report_failure(engine *e, uint32_t index, const json_t *frame) {
    const json_t *list = json_object_get(frame, "diagnostics"), *error = NULL;
    for (size_t i = 0; i < json_array_size(list) && error == NULL; i++) {
        const json_t *d = json_array_get(list, i);
        error = json_integer_value(json_object_get(d, "severity")) == TS_ERROR ? d : NULL;
    }
    const char *text = json_string_value(json_object_get(error, "text"));
    bool asked_wrong = json_integer_value(json_object_get(frame, "status")) == TS_BAD_INPUT;
    ts_status status = ts_error(e->diags, asked_wrong ? TS_DIAG_VALUE : TS_DIAG_TOOL,
                                json_string_value(json_object_get(error, "node")),
                                json_string_value(json_object_get(error, "op")), "point '%s': %s",
                                e->sweep->names[index], text != NULL ? text : "it gave no result");
    e->failure = status > e->failure ? status : e->failure;
}

static void take_frame(engine *e, uint32_t index, ts_bytes text) {
    json_t *frame = json_loadb((const char *)text.data, text.size, 0, NULL);
    json_t *result = json_object_get(frame, "result");
    if (json_is_object(result) && json_integer_value(json_object_get(frame, "status")) == TS_OK) {
        if (e->status == TS_OK) {
            e->status = ts_journal_add(e->sweep->journal, e->sweep->names[index], result, e->diags);
        }
        e->results[index] = ts_journal_find(e->sweep->journal, e->sweep->names[index]);
    } else {
        report_failure(e, index, frame);
    }
    json_decref(frame);
    e->done++;
    if (e->sweep->progress != NULL) {
        e->sweep->progress(e->sweep->progress_user, e->done, e->sweep->count);
    }
}

/* The next point without a result; false where there is none, or nothing more shall be started. */
static bool take_next(engine *e, uint32_t *index) {
    while (e->next < e->sweep->count && e->results[e->next] != NULL) {
        e->next++;
    }
    *index = e->next;
    return e->status == TS_OK && e->next < e->sweep->count;
}

static void start_children(engine *e) {
    uint32_t index;
    for (uint32_t i = 0; i < e->jobs; i++) {
        if (e->children[i].pid != 0 || !take_next(e, &index)) {
            continue;
        }
        if (!start_child(e->sweep, e->arena, index, &e->children[i])) {
            e->status =
                ts_error(e->diags, TS_DIAG_TOOL, NULL, NULL, "cannot start a process: %s", strerror(errno));
            return;
        }
        e->next++;
        e->running++;
    }
}

static void start_remote(engine *e) {
    const ts_sweep_remote *remote = e->sweep->remote;
    uint32_t index;
    for (uint32_t w = 0; remote != NULL && w < remote->workers; w++) {
        if (!e->remote_busy[w] && take_next(e, &index)) {
            remote->start(remote->state, w, index);
            e->remote_busy[w] = true;
            e->remote_index[w] = index;
            e->remote_running++;
            e->next++;
        }
    }
}

static void poll_remote(engine *e) {
    const ts_sweep_remote *remote = e->sweep->remote;
    uint32_t worker;
    ts_bytes frame;
    while (e->remote_running > 0 && remote->poll(remote->state, e->arena, &worker, &frame)) {
        e->remote_busy[worker] = false;
        e->remote_running--;
        take_frame(e, e->remote_index[worker], frame);
    }
}

/* Waits until a child has something to say, or for a moment where remote workers may. */
static void poll_children(engine *e) {
    struct pollfd fds[MAX_JOBS];
    for (uint32_t i = 0; i < e->jobs; i++) {
        fds[i] = (struct pollfd){.fd = e->children[i].pid != 0 ? e->children[i].fd : -1, .events = POLLIN};
    }
    if (poll(fds, e->jobs, e->remote_running > 0 ? REMOTE_POLL_MS : -1) <= 0) {
        return;
    }
    for (uint32_t i = 0; i < e->jobs; i++) {
        child *c = &e->children[i];
        if (fds[i].fd >= 0 && fds[i].revents != 0 && read_child(c)) {
            reap_child(c);
            e->running--;
            take_frame(e, c->index, (ts_bytes){(const uint8_t *)c->frame.data, c->frame.size});
        }
    }
}

static void begin(engine *e) {
    const ts_sweep *s = e->sweep;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    e->jobs = s->jobs > 0 ? s->jobs : processors > 0 ? (uint32_t)processors : 1;
    e->jobs = e->jobs > MAX_JOBS ? MAX_JOBS : e->jobs;
    e->children = TS_NEW_ARRAY(e->arena, child, e->jobs);
    e->remote_index = TS_NEW_ARRAY(e->arena, uint32_t, s->remote != NULL ? s->remote->workers : 0);
    e->remote_busy = TS_NEW_ARRAY(e->arena, bool, s->remote != NULL ? s->remote->workers : 0);
    for (uint32_t i = 0; i < s->count; i++) {
        e->results[i] = ts_journal_find(s->journal, s->names[i]);
        e->done += e->results[i] != NULL;
    }
    if (s->progress != NULL) {
        s->progress(s->progress_user, e->done, s->count);
    }
}

ts_status ts_sweep_run(ts_arena *arena, const ts_sweep *sweep, const json_t **results, ts_diags *diags) {
    engine e = {.arena = arena, .sweep = sweep, .results = results, .diags = diags};
    begin(&e);
    if (sweep->scratch != NULL) {
        TS_TRY(ts_dir_remove(sweep->scratch, diags));
        TS_TRY(ts_dir_create(sweep->scratch, diags));
    }
    for (uint32_t index; take_next(&e, &index) || e.running + e.remote_running > 0;) {
        start_remote(&e);
        start_children(&e);
        poll_remote(&e);
        if (e.running + e.remote_running > 0) {
            poll_children(&e);
        }
    }
    if (sweep->scratch != NULL) {
        TS_TRY(ts_dir_remove(sweep->scratch, diags));
    }
    TS_TRY(e.status);
    return e.failure;
}
