/* Pieces with scores and types, as SentencePiece reads its own file: what GGUF, tokenizer.model and tokenizer.bin hold. */
#include "load.h"
#include "base/text.h"
#include <math.h>
#include <stdlib.h>

static sonde_status check_piece(const vocab_pieces *p, size_t i, sonde_error *err) {
    const text_bytes text = p->text[i];
    const int32_t type = p->type ? p->type[i] : PIECE_NORMAL;
    size_t bad;
    SONDE_FAIL_IF(text.len == 0 || text.len > VOCAB_LONGEST, err, SONDE_FORMAT,
                  "piece %zu has %zu bytes, expected 1 to %d", i, text.len, VOCAB_LONGEST);
    SONDE_FAIL_IF(type < PIECE_NORMAL || type > PIECE_BYTE, err, SONDE_FORMAT, "piece %zu has type %d, expected 1 to 6", i,
                  type);
    SONDE_FAIL_IF(!utf8_valid(text.at, text.len, &bad), err, SONDE_FORMAT, "piece %zu: byte %zu is not UTF-8", i, bad);
    SONDE_FAIL_IF(type == PIECE_BYTE && vocab_byte_piece(text.at, text.len) < 0, err, SONDE_FORMAT,
                  "piece %zu is a byte and spelled \"%s\", expected <0x00> to <0xFF>", i,
                  text_shown(text.at, text.len).text);
    SONDE_FAIL_IF(p->score && !isfinite(p->score[i]), err, SONDE_FORMAT, "piece %zu: its score is not finite", i);
    return SONDE_OK;
}

static sonde_status put_pieces(loader *l, const vocab_pieces *p, bool plain_bytes) {
    tokenizer *t = l->t;
    vocab *v = &t->vocab;
    size_t bytes = 0;
    SONDE_FAIL_IF(p->n == 0, l->err, SONDE_FORMAT, "a vocabulary without pieces");
    SONDE_FAIL_IF(p->n > VOCAB_MOST, l->err, SONDE_UNSUPPORTED, "%zu pieces, at most %d", p->n, VOCAB_MOST);
    for (size_t i = 0; i < p->n; i++) {
        SONDE_TRY(check_piece(p, i, l->err));
        bytes += p->text[i].len;
    }
    t->n_pieces = p->n;
    t->score = arena_new_array(t->memory, double, p->n);
    t->type = arena_new_array(t->memory, uint8_t, p->n);
    v->spelling = SPELL_SPACES;
    vocab_begin(v, p->n, bytes);
    for (size_t i = 0; i < p->n; i++) {
        const int32_t type = p->type ? p->type[i] : PIECE_NORMAL;
        const text_bytes text = p->text[i];
        const int32_t before = vocab_model_id(v, text.at, text.len);
        SONDE_FAIL_IF(before >= 0, l->err, SONDE_FORMAT, "pieces %d and %zu are both \"%s\"", before, i,
                      text_shown(text.at, text.len).text);
        t->score[i] = p->score ? (double)p->score[i] : 0;
        t->type[i] = (uint8_t)type;
        v->byte_pieces = type == PIECE_BYTE && plain_bytes;
        vocab_put(v, (int32_t)i, text.at, text.len, type == PIECE_CONTROL || type == PIECE_UNKNOWN);
    }
    v->byte_pieces = plain_bytes;
    return vocab_end(v, "pieces", l->err);
}

static sonde_status add_control(loader *l, const vocab_pieces *p) {
    for (size_t i = 0; i < p->n; i++) {
        if (!p->type || (p->type[i] != PIECE_CONTROL && p->type[i] != PIECE_UNKNOWN)) continue;
        const added_token a = { .text = p->text[i].at, .len = p->text[i].len, .special = true };
        SONDE_TRY(load_added_text(l, (added_entry){ .token = a }, "a control piece"));
    }
    return SONDE_OK;
}

/* User defined pieces, which are never cut. */
static sonde_status find_whole(loader *l, const vocab_pieces *p, const trie **out) {
    trie_word *list = arena_new_array(l->scratch, trie_word, p->n);
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->type && p->type[i] == PIECE_USER_DEFINED)
            list[n++] = (trie_word){ p->text[i].at, p->text[i].len, (int32_t)i };
    *out = NULL;
    return n ? trie_new(out, l->t->memory, list, n, l->err) : SONDE_OK;
}

static sonde_status check_bytes(const vocab *v, bool wanted, sonde_error *err) {
    for (int b = 0; b < 256 && wanted; b++)
        SONDE_FAIL_IF(v->byte_id[b] < 0, err, SONDE_FORMAT, "no piece <0x%02X>, expected one for each byte", (unsigned)b);
    return SONDE_OK;
}

sonde_status load_spm(loader *l, const spm_parts *s) {
    tokenizer *t = l->t;
    const vocab_pieces *p = s->pieces;
    SONDE_TRY(put_pieces(l, p, s->bytes));
    SONDE_TRY(check_bytes(&t->vocab, s->bytes, l->err));
    SONDE_FAIL_IF(p->unknown >= 0 && (size_t)p->unknown >= p->n, l->err, SONDE_FORMAT,
                  "the unknown piece is %d, expected less than %zu", p->unknown, p->n);
    normal_step normal = s->normal;
    SONDE_TRY(find_whole(l, p, &normal.whole));
    SONDE_TRY(load_normal(l, normal, "normalizer"));
    t->drop_first_space = normal.prefix && !normal.suffix;
    score_rules r = { .score = t->score, .type = t->type, .n = p->n, .whole = normal.whole, .single = true,
                      .rest = { .bytes = s->bytes, .fuse = true, .unknown = p->unknown } };
    bool any = false;
    for (size_t i = 0; i < p->n; i++) {
        if (t->type[i] != PIECE_NORMAL) continue;
        if (!any || t->score[i] < r.lowest) r.lowest = t->score[i];
        any = true;
    }
    t->kind = s->unigram ? KIND_PATHS : KIND_PIECES;
    t->unknown = p->unknown;
    SONDE_TRY(s->unigram ? model_of_paths(&t->text, t->memory, &t->vocab, r, l->err)
                         : model_of_scores(&t->text, t->memory, &t->vocab, r, l->err));
    return s->control ? add_control(l, p) : SONDE_OK;
}
