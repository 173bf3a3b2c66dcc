/* The longest piece that a word begins with, then the longest of the rest; a word with a rest that no piece begins is
 * unknown as a whole. */
#include "model.h"
#include "base/text.h"
#include <string.h>

typedef struct {
    wordpiece_rules r;
    const trie     *first, *inner;
} wordpiece;

static size_t characters(const char *text, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += ((uint8_t)text[i] & 0xc0) != 0x80;
    return count;
}

static sonde_status encode_word(const text_model *model, const char *text, size_t n, model_work *w, sonde_error *err) {
    const wordpiece *m = model->data;
    bool known = characters(text, n) <= m->r.longest_word;
    for (size_t at = 0, len; known && at < n; at += len) {
        int32_t id;
        len = trie_longest(at ? m->inner : m->first, text + at, n - at, &id);
        known = len > 0;
        if (known) model_emit(w, id, at, len);
    }
    if (known) return SONDE_OK;
    SONDE_FAIL_IF(m->r.unknown < 0, err, SONDE_USAGE, "\"%s\" has no token, and there is none for unknown text",
                  text_shown(text, n).text);
    w->n = 0;
    model_emit(w, m->r.unknown, 0, n);
    return SONDE_OK;
}

sonde_status model_of_wordpieces(const text_model **out, arena *into, const vocab *v, wordpiece_rules r,
                                 sonde_error *err) {
    wordpiece *m = arena_alloc(into, sizeof *m);
    m->r = r;
    const size_t mark_len = strlen(r.prefix);
    trie_word *all = arena_new_array(into, trie_word, v->n), *inner = arena_new_array(into, trie_word, v->n);
    size_t n_inner = 0;
    for (size_t i = 0; i < v->n; i++) {
        const token *t = &v->at[i];
        all[i] = (trie_word){ t->text, t->text_len, t->id };
        if (t->text_len < mark_len || memcmp(t->text, r.prefix, mark_len) != 0) continue;
        inner[n_inner++] = (trie_word){ t->text + mark_len, t->text_len - mark_len, t->id };
    }
    SONDE_TRY(trie_new(&m->first, into, all, v->n, err));
    SONDE_TRY(trie_new(&m->inner, into, inner, n_inner, err));
    text_model *t = arena_alloc(into, sizeof *t);
    *t = (text_model){ encode_word, m, TOKENIZER_WORDPIECE };
    *out = t;
    return SONDE_OK;
}
