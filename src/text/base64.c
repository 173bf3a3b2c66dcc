#include "base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_read(const char *text, size_t n, uint8_t *out, size_t *len) {
    *len = 0;
    if (n % 4) return false;
    size_t padding = 0;
    while (padding < 2 && padding < n && text[n - 1 - padding] == '=') padding++;
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        const int d = i >= n - padding ? 0 : digit(text[i]);
        if (d < 0) return false;
        bits = bits << 6 | (uint32_t)d;
        if (i % 4 != 3) continue;
        const size_t bytes = i + 1 == n ? 3 - padding : 3;
        if (bits & (bytes == 1 ? 0xffffu : bytes == 2 ? 0xffu : 0u)) return false;      /* bits that no byte has */
        for (size_t k = 0; k < bytes; k++) out[(*len)++] = (uint8_t)(bits >> (16 - 8 * k));
        bits = 0;
    }
    return true;
}

size_t base64_write(const uint8_t *bytes, size_t n, char *out) {
    size_t len = 0;
    for (size_t i = 0; i < n; i += 3) {
        const size_t left = n - i;
        const uint32_t second = left > 1 ? bytes[i + 1] : 0, third = left > 2 ? bytes[i + 2] : 0;
        const uint32_t bits = (uint32_t)bytes[i] << 16 | second << 8 | third;
        for (size_t k = 0; k < 4; k++) out[len++] = k <= left ? digits[bits >> (18 - 6 * k) & 63] : '=';
    }
    return len;
}
