/* hasher.h - hashes of bytes that come in pieces. OpenSSL does them; this is the only module that knows. */
#ifndef SONDE_HASHER_H
#define SONDE_HASHER_H
#include "sonde/error.h"
#include <stddef.h>
#include <stdint.h>

typedef enum { HASHER_SHA1, HASHER_SHA256 } hasher_kind;
enum { HASHER_MOST = 32, HASHER_HEX = 2 * HASHER_MOST + 1 };
typedef struct hasher hasher;

hasher      *hasher_new(hasher_kind kind);
void         hasher_add(hasher *d, const void *bytes, size_t n);        /* a failure is told by hasher_end */
/* Frees d in any case; *n: 20 or 32 bytes. UNSUPPORTED where the OpenSSL in use does not compute it. */
sonde_status hasher_end(hasher *d, uint8_t out[HASHER_MOST], size_t *n, sonde_error *err);
void         hasher_free(hasher *d);                                    /* of one that is not ended; accepts NULL */
void         hasher_hex(const uint8_t *bytes, size_t n, char *out);     /* lower case, NUL-terminated: 2 n + 1 characters */
#endif
