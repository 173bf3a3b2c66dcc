/* sha256.h - SHA-256 of bytes that come in pieces. OpenSSL does it; this is the only file that knows. */
#ifndef SONDE_SHA256_H
#define SONDE_SHA256_H
#include "sonde/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct sha256 sha256;

sha256      *sha256_new(void);
void         sha256_add(sha256 *h, const void *bytes, size_t n);        /* a failure is told by sha256_end */
/* Frees h in any case. UNSUPPORTED where the OpenSSL in use has no SHA-256. */
sonde_status sha256_end(sha256 *h, uint8_t digest[32], sonde_error *err);
void         sha256_hex(const uint8_t digest[32], char out[65]);        /* lower case, NUL-terminated */
#endif
