/* sha256.h - the hash that names models and runs: hasher.h, of one kind. */
#ifndef SONDE_SHA256_H
#define SONDE_SHA256_H
#include "hasher.h"

typedef hasher sha256;

static inline sha256 *sha256_new(void) { return hasher_new(HASHER_SHA256); }
static inline void    sha256_add(sha256 *h, const void *bytes, size_t n) { hasher_add(h, bytes, n); }
/* Frees h in any case. UNSUPPORTED where the OpenSSL in use has no SHA-256. */
static inline sonde_status sha256_end(sha256 *h, uint8_t out[32], sonde_error *err) {
    size_t n;
    return hasher_end(h, out, &n, err);
}
static inline void sha256_hex(const uint8_t out[32], char text[65]) { hasher_hex(out, 32, text); }
#endif
