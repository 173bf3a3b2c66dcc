#include "bytes.h"
#include "base/text.h"

/* The bytes that are not themselves: 0x00..0x20, 0x7f..0xa0, 0xad; 33 + 34 + 1. */
enum { FIRST = 0x100, SECOND = FIRST + 33, THIRD = SECOND + 34 };

static uint32_t spelled(uint8_t b) {
    if (b <= 0x20) return FIRST + b;
    if (b >= 0x7f && b <= 0xa0) return SECOND + b - 0x7fu;
    return b == 0xad ? THIRD : b;
}

/* The byte, or -1. */
static int stands_for(uint32_t c) {
    if (c > THIRD) return -1;
    if (c == THIRD) return 0xad;
    if (c >= SECOND) return (int)(c - SECOND + 0x7f);
    if (c >= FIRST) return (int)(c - FIRST);
    return spelled((uint8_t)c) == c ? (int)c : -1;
}

size_t bytes_spell(const char *bytes, size_t n, char *out) {
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t c = spelled((uint8_t)bytes[i]);
        if (c < 0x80) {
            out[len++] = (char)c;
        } else {
            out[len++] = (char)(0xc0 | c >> 6);
            out[len++] = (char)(0x80 | (c & 0x3f));
        }
    }
    return len;
}

bool bytes_unspell(const char *text, size_t n, char *out, size_t *len) {
    size_t k = 0;
    for (size_t i = 0; i < n; ) {
        if (text[i] > 0x20 && text[i] < 0x7f) {             /* itself */
            out[k++] = text[i++];
            continue;
        }
        uint32_t c;
        const size_t size = utf8_next(text + i, n - i, &c);
        const int byte = size ? stands_for(c) : -1;
        if (byte < 0) return false;
        out[k++] = (char)byte;
        i += size;
    }
    *len = k;
    return true;
}
