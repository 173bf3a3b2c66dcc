#define _GNU_SOURCE
#include "text.h"
#include <stdio.h>
#include <string.h>

/* The table of well-formed byte sequences, The Unicode Standard 3-7: what the second byte may be after the first. */
static size_t sequence(uint8_t first, uint8_t *low, uint8_t *high) {
    *low = 0x80;
    *high = 0xbf;
    if (first < 0x80) return 1;
    if (first < 0xc2 || first > 0xf4) return 0;
    if (first < 0xe0) return 2;
    if (first == 0xe0) *low = 0xa0;
    if (first == 0xed) *high = 0x9f;
    if (first < 0xf0) return 3;
    if (first == 0xf0) *low = 0x90;
    if (first == 0xf4) *high = 0x8f;
    return 4;
}

size_t utf8_next(const char *text, size_t n, uint32_t *code) {
    if (n == 0) return 0;
    const uint8_t *p = (const uint8_t *)text;
    if (p[0] >= 0xc2 && p[0] < 0xe0 && n > 1 && (p[1] & 0xc0) == 0x80) {    /* most letters that are not ASCII */
        *code = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
        return 2;
    }
    uint8_t low, high;
    const size_t len = sequence(p[0], &low, &high);
    if (len == 0 || len > n) return 0;
    uint32_t c = len == 1 ? p[0] : p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (p[i] < low || p[i] > high) return 0;
        low = 0x80;
        high = 0xbf;
        c = c << 6 | (p[i] & 0x3fu);
    }
    *code = c;
    return len;
}

/* How many bytes from here on are ASCII. */
static size_t ascii_run(const char *text, size_t n) {
    size_t i = 0;
    for (uint64_t word; n - i >= sizeof word; i += sizeof word) {
        memcpy(&word, text + i, sizeof word);
        const uint64_t others = word & 0x8080808080808080u;
        if (others) return i + (size_t)__builtin_ctzll(others) / 8;
    }
    while (i < n && (uint8_t)text[i] < 0x80) i++;
    return i;
}

bool utf8_valid(const char *text, size_t n, size_t *offset) {
    for (size_t i = ascii_run(text, n); i < n; i += ascii_run(text + i, n - i)) {
        uint32_t code;
        const size_t len = utf8_next(text + i, n - i, &code);
        if (len == 0) {
            if (offset) *offset = i;
            return false;
        }
        i += len;
    }
    return true;
}

static bool printable(uint32_t c) {
    const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
    const bool turns = c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
    return !control && !turns;
}

shown text_shown(const char *text, size_t len) {
    enum { LONGEST = 16 };                      /* four bytes as \xNN */
    shown s;
    size_t used = 0, i = 0;
    while (i < len && used + LONGEST + sizeof ".." <= sizeof s.text) {
        uint32_t code;
        const size_t whole = utf8_next(text + i, len - i, &code);
        const size_t bytes = whole ? whole : 1;
        if (whole && printable(code)) {
            memcpy(s.text + used, text + i, bytes);
            used += bytes;
        } else {
            for (size_t b = 0; b < bytes; b++)
                used += (size_t)snprintf(s.text + used, sizeof s.text - used, "\\x%02x", (uint8_t)text[i + b]);
        }
        i += bytes;
    }
    memcpy(s.text + used, i < len ? ".." : "", i < len ? 3 : 1);
    return s;
}

shown name_shown(const char *name) { return text_shown(name, strlen(name)); }

enum { LONG = 63 };

static int lower(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; }

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

/* Optimal string alignment: rows i-2, i-1 and i of the table. */
static unsigned distance(const char *a, const char *b) {
    const size_t na = strnlen(a, LONG), nb = strnlen(b, LONG);
    unsigned row[3][LONG + 1];
    for (unsigned j = 0; j <= nb; j++) row[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        unsigned *now = row[i % 3];
        const unsigned *above = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            const int x = lower(a[i - 1]), y = lower(b[j - 1]);
            now[j] = least(above[j - 1] + (x != y), least(above[j], now[j - 1]) + 1);
            const bool swapped = i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]);
            if (swapped) now[j] = least(now[j], before[j - 2] + 1);
        }
    }
    return row[na % 3][nb];
}

size_t nearest(const char *word, const char *const *names, size_t n, size_t *out, size_t k) {
    size_t found = 0;
    if (k == 0) return 0;
    for (size_t i = 0; i < n; i++) {
        const unsigned d = distance(word, names[i]);
        size_t at = found;
        while (at > 0 && distance(word, names[out[at - 1]]) > d) at--;
        if (at == k) continue;
        if (found < k) found++;
        memmove(out + at + 1, out + at, (found - at - 1) * sizeof *out);
        out[at] = i;
    }
    return found;
}
