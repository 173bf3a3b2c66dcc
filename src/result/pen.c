#include "pen.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void pen_open(pen *p, sonde_sink sink, void *user, sonde_error *err) {
    p->sink = sink;
    p->user = user;
    p->err = err;
    p->status = SONDE_OK;
    p->n = 0;
}

static void send(pen *p, const char *bytes, size_t n) {
    if (n && p->status == SONDE_OK) p->status = p->sink(p->user, bytes, n, p->err);
}

void pen_put(pen *p, const char *bytes, size_t n) {
    if (n > sizeof p->bytes - p->n) {
        send(p, p->bytes, p->n);
        p->n = 0;
    }
    if (n > sizeof p->bytes) { send(p, bytes, n); return; }
    if (n) memcpy(p->bytes + p->n, bytes, n);
    p->n += n;
}

void pen_text(pen *p, const char *text) { pen_put(p, text, strlen(text)); }

void pen_repeat(pen *p, const char *text, int times) {
    while (times-- > 0) pen_text(p, text);
}

void pen_printf(pen *p, const char *fmt, ...) {
    char line[256];
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    assert(n >= 0 && n < (int)sizeof line);
    pen_put(p, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}

sonde_status pen_close(pen *p) {
    send(p, p->bytes, p->n);
    p->n = 0;
    return p->status;
}
