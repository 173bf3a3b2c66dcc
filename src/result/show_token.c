#include "show_token.h"
#include "glyph.h"
#include "sonde/result.h"
#include <string.h>

enum { MOST_MARKS = 4 };        /* on one character; more would climb over the lines above */

typedef struct { char *out; size_t room, len; bool full; } showing;

static void add(showing *s, const char *bytes, size_t n) {
    s->full |= s->len + n >= s->room;
    if (!s->full) memcpy(s->out + s->len, bytes, n);
    s->len += n;
    if (!s->full) s->out[s->len] = '\0';
}

static void add_hex(showing *s, const char *bytes, size_t n) {
    static const char digit[] = "0123456789ABCDEF";
    for (size_t i = 0; i < n; i++) {
        const unsigned char b = (unsigned char)bytes[i];
        const char hex[6] = { '<', '0', 'x', digit[b >> 4], digit[b & 15], '>' };
        add(s, hex, sizeof hex);
    }
}

static const char *sign_of(uint32_t code, show_mode mode) {
    if (code == ' ')  return mode == SHOW_TOKEN ? "·" : " ";
    if (code == '\n') return mode == SHOW_PAGE ? "\n" : "⏎";
    if (code == '\t') return mode == SHOW_PAGE ? "\t" : "⇥";
    return NULL;
}

size_t show_text(const char *bytes, size_t len, show_mode mode, char *out, size_t n) {
    showing s = { .out = out, .room = n };
    if (n) *out = '\0';
    bool seat = false;          /* the last thing shown can carry a mark */
    int marks = 0;
    for (size_t i = 0, step; i < len; i += step) {
        uint32_t code;
        step = glyph_next(bytes + i, len - i, &code);
        const bool broken = step == 0;
        if (broken) step = 1;
        const char *sign = broken ? NULL : sign_of(code, mode);
        const bool mark = !broken && glyph_mark(code);
        marks = mark ? marks + 1 : 0;
        if (sign) add(&s, sign, strlen(sign));
        else if (broken || glyph_hidden(code) || marks > MOST_MARKS) add_hex(&s, bytes + i, step);
        else {
            if (mark && !seat) add(&s, "◌", strlen("◌"));
            add(&s, bytes + i, step);
            seat = true;
            continue;
        }
        seat = false;
    }
    return s.len;
}

size_t sonde_token_show(const char *bytes, size_t len, char *out, size_t n) {
    return show_text(bytes, len, SHOW_TOKEN, out, n);
}

const char *show_copy(arena *into, const char *bytes, size_t len, show_mode mode) {
    const size_t n = show_text(bytes, len, mode, NULL, 0);
    char *out = arena_alloc(into, n + 1);
    show_text(bytes, len, mode, out, n + 1);
    return out;
}
