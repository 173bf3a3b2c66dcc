#define _GNU_SOURCE
#include "file.h"
#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Says what errno says about `path`. */
static sonde_status fail_errno(sonde_error *err, const char *path) {
    const int e = errno;
    char text[128];
    const bool absent = e == ENOENT || e == ENOTDIR;
    return sonde_fail(err, absent ? SONDE_NOT_FOUND : SONDE_IO, "%s: %s", name_shown(path).text,
                      strerror_r(e, text, sizeof text));
}

static sonde_status map_descriptor(file_map *out, int fd, const char *path, sonde_error *err) {
    struct stat st;
    if (fstat(fd, &st)) return fail_errno(err, path);
    SONDE_FAIL_IF(!S_ISREG(st.st_mode), err, SONDE_IO, "%s: is %s, expected a file", name_shown(path).text,
                  S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
    *out = (file_map){ .data = (const uint8_t *)"" };
    if (st.st_size == 0) return SONDE_OK;
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) return fail_errno(err, path);
    *out = (file_map){ .data = data, .size = (size_t)st.st_size, .mapped = true };
    return SONDE_OK;
}

sonde_status file_map_open(file_map *out, const char *path, sonde_error *err) {
    *out = (file_map){ 0 };
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);   /* a pipe must not make us wait */
    if (fd < 0) return fail_errno(err, path);
    const sonde_status s = map_descriptor(out, fd, path, err);
    close(fd);
    return s;
}

void file_map_scattered(const void *at, size_t n, bool scattered) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)at / page * page;
    if (n) madvise((void *)first, n + ((uintptr_t)at - first), scattered ? MADV_RANDOM : MADV_NORMAL);
}

/* In pieces that hold up nobody who maps memory meanwhile. What has to come from the disk comes in pages of 2 MB, where the
 * file system has such, and stays so in memory: whoever maps it next, takes no time. */
void file_map_ahead(const file_map *f, const atomic_bool *stop) {
#if defined(MADV_POPULATE_READ) && defined(MADV_HUGEPAGE)
    enum { PIECE = 1 << 20 };
    if (f->mapped && !atomic_load(stop)) (void)madvise((void *)(uintptr_t)f->data, f->size, MADV_HUGEPAGE);
    for (size_t at = 0; f->mapped && at < f->size && !atomic_load(stop); at += PIECE)
        if (madvise((void *)(uintptr_t)(f->data + at), f->size - at < PIECE ? f->size - at : PIECE, MADV_POPULATE_READ)) return;
#else
    (void)f, (void)stop;
#endif
}

void file_map_close(file_map *f) {
    if (f->mapped) munmap((void *)(uintptr_t)f->data, f->size);
    *f = (file_map){ 0 };
}

bool file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

bool folder_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static char *text_or_abort(char *text) {
    if (!text) abort();
    return text;
}

/* Own names and not mkstemp's, so that the file gets the rights that the user's umask gives. */
static sonde_status open_temporary(file_out *f, sonde_error *err) {
    const size_t size = strlen(f->path) + sizeof ".0123456789abcdef.part";
    f->temporary = text_or_abort(malloc(size));
    for (int tries = 0; tries < 100; tries++) {
        uint64_t draw = (uint64_t)getpid() * 100 + (uint64_t)tries;
        (void)!getrandom(&draw, sizeof draw, GRND_NONBLOCK);
        snprintf(f->temporary, size, "%s.%016llx.part", f->path, (unsigned long long)draw);
        f->fd = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (f->fd >= 0 || errno != EEXIST) break;
    }
    return f->fd < 0 ? fail_errno(err, f->path) : SONDE_OK;
}

sonde_status file_out_open(file_out *out, const char *path, sonde_error *err) {
    char *real = realpath(path, NULL);          /* a link stays a link: what it names is replaced */
    file_out f = { .fd = -1, .path = real ? real : text_or_abort(strdup(path)) };
    *out = (file_out){ 0 };
    struct stat st;
    const bool there = stat(f.path, &st) == 0;
    sonde_status s;
    if (there && S_ISDIR(st.st_mode)) {
        s = sonde_fail(err, SONDE_IO, "%s: is a folder, expected a file", name_shown(path).text);
    } else if (there && !S_ISREG(st.st_mode)) {
        f.fd = open(f.path, O_WRONLY | O_CLOEXEC);
        s = f.fd < 0 ? fail_errno(err, path) : SONDE_OK;
    } else {
        s = open_temporary(&f, err);
    }
    if (s == SONDE_OK) {
        *out = f;
        return SONDE_OK;
    }
    free(f.path);
    free(f.temporary);
    return s;
}

sonde_status file_out_write(file_out *f, const void *bytes, size_t n, sonde_error *err) {
    const uint8_t *p = bytes;
    while (n > 0) {
        const ssize_t done = write(f->fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return fail_errno(err, f->path);
        p += done;
        n -= (size_t)done;
    }
    return SONDE_OK;
}

sonde_status file_out_write_at(file_out *f, uint64_t offset, const void *bytes, size_t n, sonde_error *err) {
    const uint8_t *p = bytes;
    while (n > 0) {
        const ssize_t done = pwrite(f->fd, p, n, (off_t)offset);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return fail_errno(err, f->path);
        p += done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
    return SONDE_OK;
}

static void forget(file_out *f) {
    free(f->path);
    free(f->temporary);
    *f = (file_out){ 0 };
}

sonde_status file_out_sync(file_out *f, sonde_error *err) {
    if (f->temporary && fsync(f->fd)) return fail_errno(err, f->path);     /* a pipe or a device has nothing to sync */
    return SONDE_OK;
}

sonde_status file_out_commit(file_out *f, sonde_error *err) {
    sonde_status s = SONDE_OK;
    if (close(f->fd) || (f->temporary && rename(f->temporary, f->path))) s = fail_errno(err, f->path);
    if (s != SONDE_OK && f->temporary) unlink(f->temporary);
    forget(f);
    return s;
}

void file_out_drop(file_out *f) {
    if (!f->path) return;
    close(f->fd);
    if (f->temporary) unlink(f->temporary);
    forget(f);
}
