#include "hasher.h"
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>

struct hasher { EVP_MD_CTX *context; bool bad; };

hasher *hasher_new(hasher_kind kind) {
    hasher *d = malloc(sizeof *d);
    if (!d) abort();
    d->context = EVP_MD_CTX_new();
    if (!d->context) abort();
    d->bad = EVP_DigestInit_ex(d->context, kind == HASHER_SHA1 ? EVP_sha1() : EVP_sha256(), NULL) != 1;
    return d;
}

void hasher_add(hasher *d, const void *bytes, size_t n) {
    d->bad = d->bad || EVP_DigestUpdate(d->context, bytes, n) != 1;
}

sonde_status hasher_end(hasher *d, uint8_t out[HASHER_MOST], size_t *n, sonde_error *err) {
    unsigned len = 0;
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
