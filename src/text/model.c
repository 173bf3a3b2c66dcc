#include "model.h"
#include "base/text.h"
#include "grow.h"

void model_emit(model_work *w, int32_t id, size_t start, size_t len) {
    w->tokens = grow(w->memory, w->tokens, w->n, w->n + 1, &w->cap, sizeof *w->tokens);
    w->tokens[w->n++] = (model_token){ id, start, len };
}

static bool all_bytes(const vocab *v, const char *text, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (v->byte_id[(uint8_t)text[i]] < 0) return false;
    return true;
}

void model_emit_rest(model_work *w, const vocab *v, const rest_rule *f, const char *text, model_token t) {
    if (f->bytes && all_bytes(v, text + t.start, t.len)) {
        for (size_t i = 0; i < t.len; i++) model_emit(w, v->byte_id[(uint8_t)text[t.start + i]], t.start + i, 1);
        return;
    }
    if (f->unknown < 0) return;
    model_token *last = w->n ? &w->tokens[w->n - 1] : NULL;
    if (f->fuse && last && last->id == f->unknown && last->start + last->len == t.start) last->len += t.len;
    else model_emit(w, f->unknown, t.start, t.len);
}

sonde_status model_encode(const text_model *m, const char *text, size_t n, model_work *w, sonde_error *err) {
    SONDE_FAIL_IF(n > INT32_MAX, err, SONDE_USAGE, "a piece of %zu bytes, at most 2147483647", n);
    w->n = w->n_steps = 0;
    w->calls++;
    return n ? m->encode(m, text, n, w, err) : SONDE_OK;
}

typedef struct { const vocab *v; int32_t unknown; } words;

static sonde_status encode_word(const text_model *m, const char *text, size_t n, model_work *w, sonde_error *err) {
    const words *d = m->data;
    const int32_t id = vocab_model_id(d->v, text, n);
    SONDE_FAIL_IF(id < 0 && d->unknown < 0, err, SONDE_USAGE, "\"%s\" has no token, and there is none for unknown text",
                  text_shown(text, n).text);
    model_emit(w, id < 0 ? d->unknown : id, 0, n);
    return SONDE_OK;
}

const text_model *model_of_words(arena *into, const vocab *v, int32_t unknown) {
    words *d = arena_alloc(into, sizeof *d);
    *d = (words){ v, unknown };
    text_model *m = arena_alloc(into, sizeof *m);
    *m = (text_model){ encode_word, d, TOKENIZER_WORDS };
    return m;
}
