#include "sha256.h"
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>

struct sha256 { EVP_MD_CTX *context; bool bad; };

sha256 *sha256_new(void) {
    sha256 *h = malloc(sizeof *h);
    if (!h) abort();
    h->context = EVP_MD_CTX_new();
    if (!h->context) abort();
    h->bad = EVP_DigestInit_ex(h->context, EVP_sha256(), NULL) != 1;
    return h;
}

void sha256_add(sha256 *h, const void *bytes, size_t n) {
    h->bad = h->bad || EVP_DigestUpdate(h->context, bytes, n) != 1;
}

sonde_status sha256_end(sha256 *h, uint8_t digest[32], sonde_error *err) {
    const bool bad = h->bad || EVP_DigestFinal_ex(h->context, digest, NULL) != 1;
    EVP_MD_CTX_free(h->context);
    free(h);
    SONDE_FAIL_IF(bad, err, SONDE_UNSUPPORTED, "sha256: this OpenSSL does not compute it");
    return SONDE_OK;
}

void sha256_hex(const uint8_t digest[32], char out[65]) {
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < 32; i++) {
        out[2 * i] = digit[digest[i] >> 4];
        out[2 * i + 1] = digit[digest[i] & 15];
    }
    out[64] = 0;
}
