/* base64.h - RFC 4648, with its padding. */
#ifndef SONDE_BASE64_H
#define SONDE_BASE64_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `out` has room for 3 n / 4. False: not base64. */
bool   base64_read(const char *text, size_t n, uint8_t *out, size_t *len);
/* `out` has room for 4 (n + 2) / 3; returns the length. */
size_t base64_write(const uint8_t *bytes, size_t n, char *out);
#endif
