#define _POSIX_C_SOURCE 200809L
#include "source.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_ROOM = 1 << 14, MOST_BYTES = 1 << 30 };

static sonde_status fail_errno(const char *path, sonde_error *err) {
    const sonde_status s = errno == ENOENT || errno == ENOTDIR ? SONDE_NOT_FOUND : SONDE_IO;
    return sonde_fail(err, s, "%s: %s", name_shown(path).text, strerror(errno));
}

static sonde_status read_all(int fd, arena *into, const char *path, bytes *out, sonde_error *err) {
    size_t room = FIRST_ROOM, n = 0;
    char *at = arena_alloc(into, room + 1);
    for (;;) {
        const ssize_t got = read(fd, at + n, room - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(path, err);
        if (got == 0) break;
        n += (size_t)got;
        SONDE_FAIL_IF(n > MOST_BYTES, err, SONDE_USAGE, "%s: more than %d bytes", name_shown(path).text, MOST_BYTES);
        if (n < room) continue;
        char *more = arena_alloc(into, 2 * room + 1);
        memcpy(more, at, n);
        at = more;
        room *= 2;
    }
    at[n] = 0;
    *out = (bytes){ at, n };
    return SONDE_OK;
}

sonde_status source_read(arena *into, const char *path, bytes *out, sonde_error *err) {
    if (!strcmp(path, "-")) return read_all(STDIN_FILENO, into, "stdin", out, err);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_errno(path, err);
    const sonde_status s = read_all(fd, into, path, out, err);
    close(fd);
    return s;
}

int source_line(bytes *rest, bytes *line) {
    if (rest->n == 0) return 0;
    const char *end = memchr(rest->at, '\n', rest->n);
    const size_t n = end ? (size_t)(end - rest->at) : rest->n;
    *line = (bytes){ rest->at, n };
    const size_t taken = n + (end != NULL);
    rest->at += taken;
    rest->n -= taken;
    return 1;
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

sonde_status source_unescape(arena *into, bytes text, bytes *out, sonde_error *err) {
    static const char letters[] = "ntr\\", meanings[] = "\n\t\r\\";
    char *to = arena_alloc(into, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.at[i] != '\\') {
            to[n++] = text.at[i];
            continue;
        }
        const char *at = text.at + i + 1;
        const size_t left = text.n - i - 1;
        const char *letter = left && *at ? strchr(letters, *at) : NULL;
        const int high = left > 2 && *at == 'x' ? hex(at[1]) : -1, low = high >= 0 ? hex(at[2]) : -1;
        SONDE_FAIL_IF(!letter && low < 0, err, SONDE_USAGE,
                      "escape \"%s\" at byte %zu, expected \\n, \\t, \\r, \\\\ or \\xNN",
                      text_shown(text.at + i, left < 3 ? left + 1 : 4).text, i);
        const unsigned char code = (unsigned char)(16 * high + low);
        memcpy(to + n++, letter ? &meanings[letter - letters] : (const char *)&code, 1);
        i += letter ? 1 : 3;
    }
    to[n] = 0;
    *out = (bytes){ to, n };
    return SONDE_OK;
}
