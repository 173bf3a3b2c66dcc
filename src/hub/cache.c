#define _GNU_SOURCE
#include "hub_parts.h"
#include "base/file.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 100 };

sonde_status cache_fail(const char *path, sonde_error *err) {
    const int e = errno;
    char text[128];
    return sonde_fail(err, SONDE_IO, "%s: %s", name_shown(path).text, strerror_r(e, text, sizeof text));
}

sonde_status cache_make_folder(const char *path, sonde_error *err) {
    arena *a = arena_new();
    char *part = arena_printf(a, "%s", path);
    sonde_status s = SONDE_OK;
    for (char *at = part + 1; s == SONDE_OK; at++) {
        if (*at && *at != '/') continue;
        const char kept = *at;
        *at = 0;
        if (mkdir(part, 0777) && errno != EEXIST) s = cache_fail(part, err);
        *at = kept;
        if (!kept) break;
    }
    arena_free(a);
    SONDE_FAIL_IF(s == SONDE_OK && !folder_exists(path), err, SONDE_IO, "%s: is a file, expected a folder", name_shown(path).text);
    return s;
}

/* The lock file may be removed by whoever held it: then it is made anew. */
static bool is_there(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

sonde_status cache_lock(hub *h, const char *etag, int *lock, sonde_error *err) {
    const char *path = arena_printf(h->memory, "%s/%s.lock", h->locks, etag);
    *lock = -1;
    SONDE_TRY(cache_make_folder(h->locks, err));
    for (bool told = false;;) {
        const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0664);
        if (fd < 0) return cache_fail(path, err);
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_there(fd)) {
            *lock = fd;
            return SONDE_OK;
        }
        const bool waits = errno == EWOULDBLOCK || errno == EINTR || !is_there(fd);
        if (!waits) cache_fail(path, err);
        close(fd);
        if (!waits) return SONDE_IO;
        SONDE_FAIL_IF(h->o->stop && h->o->stop(h->o->user), err, SONDE_CANCELLED, "interrupted");
        if (!told && h->o->progress) h->o->progress(h->o->user, "waiting for another download of the same file", 0, 0);
        told = true;
        nanosleep(&(struct timespec){ .tv_nsec = 1000000L * POLL_MS }, NULL);
    }
}

void cache_unlock(int lock) {
    if (lock >= 0) close(lock);
}

static bool is_whole(const char *path, int64_t size) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == size;
}

bool cache_has_blob(const hub *h, const char *etag, int64_t size) {
    arena *a = arena_new();
    const bool has = is_whole(arena_printf(a, "%s/blobs/%s", h->folder, etag), size);
    arena_free(a);
    return has;
}

const char *cache_snapshot_has(const hub *h, const hub_file *x) {
    char target[512];
    const char *path = arena_printf(h->memory, "%s/snapshots/%s/%s", h->folder, h->commit, x->path);
    if (!is_whole(path, x->size)) return NULL;
    const ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0) return x->oid ? x->oid : "";                    /* a cache without links holds the file itself */
    target[n] = 0;
    const char *slash = strrchr(target, '/');
    return arena_printf(h->memory, "%s", slash ? slash + 1 : target);
}

sonde_status cache_link(const hub *h, const hub_file *x, sonde_error *err) {
    arena *a = arena_new();
    const char *path = arena_printf(a, "%s/snapshots/%s/%s", h->folder, h->commit, x->path);
    const char *folder = arena_printf(a, "%.*s", (int)(strrchr(path, '/') - path), path);
    const char *up = "../../";
    for (const char *at = x->path; (at = strchr(at, '/')) != NULL; at++) up = arena_printf(a, "../%s", up);
    const char *made = arena_printf(a, "%s/.%s.%ld.link", folder, x->etag, (long)getpid());
    sonde_status s = cache_make_folder(folder, err);
    if (s == SONDE_OK) {
        unlink(made);
        if (symlink(arena_printf(a, "%sblobs/%s", up, x->etag), made) || rename(made, path)) {
            s = cache_fail(path, err);
            unlink(made);
        }
    }
    arena_free(a);
    return s;
}

static sonde_status write_text(const char *path, const char *text, sonde_error *err) {
    file_out f;
    SONDE_TRY(file_out_open(&f, path, err));
    sonde_status s = file_out_write(&f, text, strlen(text), err);
    if (s == SONDE_OK && fsync(f.fd)) s = cache_fail(path, err);
    if (s == SONDE_OK) return file_out_commit(&f, err);
    file_out_drop(&f);
    return s;
}

/* A commit is its own name; a branch or tag says which commit it was. */
sonde_status cache_ref(const hub *h, sonde_error *err) {
    static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n# made by sonde pull: what lies here can be fetched "
                              "again\n";
    arena *a = arena_new();
    sonde_status s = SONDE_OK;
    const char *note = arena_printf(a, "%s/CACHEDIR.TAG", h->o->cache);
    if (!file_exists(note)) write_text(note, tag, NULL);        /* for backups; where it cannot be, all else still holds */
    if (strcmp(h->name.revision, h->commit) != 0) {
        const char *path = arena_printf(a, "%s/refs/%s", h->folder, h->name.revision);
        s = cache_make_folder(arena_printf(a, "%.*s", (int)(strrchr(path, '/') - path), path), err);
        if (s == SONDE_OK) s = write_text(path, h->commit, err);
    }
    arena_free(a);
    return s;
}
