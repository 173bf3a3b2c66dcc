/* SHA-256 over what a run is given and what it answers: int32 tokens, then float32 logits of all positions. */
#include "batch_data.h"
#include "model_data.h"
#include "base/sha256.h"
#include "sonde/variants.h"
#include <math.h>
#include <string.h>

enum { PIECE = 1024 };

typedef struct { sha256 *h; int64_t vocab; } hashing;

static void put_bits(uint8_t *to, uint32_t bits) {
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(bits >> (8 * i));
}

static void add_tokens(sha256 *h, const int32_t *ids, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint8_t bytes[4];
        put_bits(bytes, (uint32_t)ids[i]);
        sha256_add(h, bytes, sizeof bytes);
    }
}

static sonde_status add_logits(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    const hashing *x = user;
    uint8_t bytes[4 * PIECE];
    for (int64_t first = 0; first < x->vocab; first += PIECE) {
        const int64_t n = x->vocab - first < PIECE ? x->vocab - first : PIECE;
        for (int64_t i = 0; i < n; i++) {
            uint32_t bits;
            memcpy(&bits, &a->value.data[first + i], sizeof bits);
            put_bits(bytes + 4 * i, isnan(a->value.data[first + i]) ? 0x7fc00000u : bits);
        }
        sha256_add(x->h, bytes, (size_t)(4 * n));
    }
    return SONDE_OK;
}

sonde_status sonde_run_hash(sonde_session *s, const sonde_batch *b, char out[65], sonde_error *err) {
    out[0] = 0;
    const sonde_want want = { .kind = SONDE_WANT_LOGITS };
    sonde_batch one = *b;
    one.n_bases = one.n_variants = one.n_wants = 1;
    one.wants = &want;
    hashing x = { sha256_new(), arch_answers(&sonde_session_model(s)->config) };
    positions of[2];
    if (prompt_read(sonde_session_model(s), &b->bases[0], of, NULL) == SONDE_OK)        /* else the run says what is wrong */
        for (int i = STACK_ENCODER; i >= STACK_MAIN; i--) add_tokens(x.h, of[i].tokens, of[i].length);
    const sonde_status ran = sonde_variants_run(s, &one, add_logits, &x, err);
    uint8_t digest[32];
    const sonde_status ended = sha256_end(x.h, digest, ran == SONDE_OK ? err : NULL);
    if (ran != SONDE_OK || ended != SONDE_OK) return ran != SONDE_OK ? ran : ended;
    sha256_hex(digest, out);
    return SONDE_OK;
}
