#include "hasher.h"
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { HELD = 1024 };               /* small pieces are collected: OpenSSL's door costs more than they do */

struct hasher { EVP_MD_CTX *context; bool bad; size_t held; uint8_t piece[HELD]; };

hasher *hasher_new(hasher_kind kind) {
    hasher *d = malloc(sizeof *d);
    if (!d) abort();
    d->context = EVP_MD_CTX_new();
    if (!d->context) abort();
    d->held = 0;
    d->bad = EVP_DigestInit_ex(d->context, kind == HASHER_SHA1 ? EVP_sha1() : EVP_sha256(), NULL) != 1;
    return d;
}

static void pass_on(hasher *d, const void *bytes, size_t n) {
    d->bad = d->bad || EVP_DigestUpdate(d->context, bytes, n) != 1;
}

void hasher_add(hasher *d, const void *bytes, size_t n) {
    if (n > HELD - d->held) {
        pass_on(d, d->piece, d->held);
        d->held = 0;
    }
    if (n > HELD) {
        pass_on(d, bytes, n);
        return;
    }
    if (n) memcpy(d->piece + d->held, bytes, n);
    d->held += n;
}

sonde_status hasher_end(hasher *d, uint8_t out[HASHER_MOST], size_t *n, sonde_error *err) {
    unsigned len = 0;
    pass_on(d, d->piece, d->held);
    const bool bad = d->bad || EVP_DigestFinal_ex(d->context, out, &len) != 1;
    hasher_free(d);
    SONDE_FAIL_IF(bad, err, SONDE_UNSUPPORTED, "hash: this OpenSSL does not compute it");
    *n = len;
    return SONDE_OK;
}

void hasher_free(hasher *d) {
    if (!d) return;
    EVP_MD_CTX_free(d->context);
    free(d);
}

void hasher_hex(const uint8_t *bytes, size_t n, char *out) {
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digit[bytes[i] >> 4];
        out[2 * i + 1] = digit[bytes[i] & 15];
    }
    out[2 * n] = 0;
}
