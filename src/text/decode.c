#include "decode.h"
#include "base/text.h"
#include "bytes.h"
#include "vocab.h"

typedef struct { arena *memory; char *text; size_t len, cap; } builder;

static void put(builder *b, const char *text, size_t n) {
    b->text = grow(b->memory, b->text, b->len, b->len + n, &b->cap, 1);
    if (n) memcpy(b->text + b->len, text, n);
    b->len += n;
}

static text_part made(const builder *b) { return (text_part){ b->len ? b->text : "", b->len }; }

static text_part text_of(const char *s) { return (text_part){ s, strlen(s) }; }

static bool begins(text_part t, text_part with) {
    return t.len >= with.len && (with.len == 0 || memcmp(t.at, with.at, with.len) == 0);
}

/* Every `what`, from the left, becomes `with`. */
static text_part replaced(text_part t, text_part what, text_part with, arena *memory) {
    builder b = { .memory = memory };
    bool any = false;
    for (size_t i = 0; i < t.len && what.len; ) {
        const bool here = begins((text_part){ t.at + i, t.len - i }, what);
        any |= here;
        if (here) put(&b, with.at, with.len); else put(&b, t.at + i, 1);
        i += here ? what.len : 1;
    }
    return any ? made(&b) : t;
}

static text_part cleaned(text_part t, arena *memory) {
    static const char *const pairs[][2] = {
        { " .", "." }, { " ?", "?" }, { " !", "!" }, { " ,", "," }, { " ' ", "'" }, { " n't", "n't" }, { " 'm", "'m" },
        { " do not", " don't" }, { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        t = replaced(t, text_of(pairs[i][0]), text_of(pairs[i][1]), memory);
    return t;
}

static text_part with_space(text_part t, arena *memory) {
    builder b = { .memory = memory };
    put(&b, " ", 1);
    put(&b, t.at, t.len);
    return made(&b);
}

static text_part wordpiece(const decode_step *k, text_part t, bool first, arena *memory) {
    if (!first && begins(t, k->text)) t = (text_part){ t.at + k->text.len, t.len - k->text.len };
    else if (!first) t = with_space(t, memory);
    return k->cleanup ? cleaned(t, memory) : t;
}

static text_part stripped(const decode_step *k, text_part t) {
    for (size_t i = 0; i < k->left && k->text.len && begins(t, k->text); i++)
        t = (text_part){ t.at + k->text.len, t.len - k->text.len };
    for (size_t i = 0; i < k->right && k->text.len && t.len >= k->text.len; i++) {
        if (memcmp(t.at + t.len - k->text.len, k->text.at, k->text.len) != 0) break;
        t.len -= k->text.len;
    }
    return t;
}

static text_part byte_piece(text_part t, arena *memory) {
    const int byte = vocab_byte_piece(t.at, t.len);
    if (byte < 0) return t;
    char *out = arena_alloc(memory, 1);
    *out = (char)byte;
    return (text_part){ out, 1 };
}

static void fuse(decode_work *w, bool spaces) {
    builder b = { .memory = w->memory };
    for (size_t i = 0; i < w->n; i++) {
        if (i && spaces) put(&b, " ", 1);
        put(&b, w->parts[i].at, w->parts[i].len);
    }
    if (w->n) w->parts[0] = made(&b);
    w->n = w->n > 0;
}

static void from_alphabet(decode_work *w) {
    for (size_t i = 0; i < w->n; i++) {
        text_part *t = &w->parts[i];
        char *bytes = arena_alloc(w->memory, t->len + 1);
        size_t n;
        if (bytes_unspell(t->at, t->len, bytes, &n)) *t = (text_part){ bytes, n };
    }
    fuse(w, false);
}

static void ctc(const decode_step *k, decode_work *w) {
    size_t n = 0;
    text_part before = { NULL, 0 };
    for (size_t i = 0; i < w->n; i++) {
        text_part t = w->parts[i];
        const bool again = before.at && before.len == t.len && begins(t, before);
        before = t;
        if (again) continue;
        t = replaced(t, k->text, text_of(""), w->memory);
        if (k->cleanup) t = replaced(cleaned(t, w->memory), k->delimiter, text_of(" "), w->memory);
        if (t.len) w->parts[n++] = t;
    }
    w->n = n;
}

static sonde_status replace(const decode_step *k, decode_work *w, sonde_error *err) {
    split_work *work = split_work_new();
    SONDE_FAIL_IF(!work, err, SONDE_NOMEM, "no memory for matching");
    sonde_status s = SONDE_OK;
    piece_list found = { .memory = w->memory };
    for (size_t i = 0; i < w->n && s == SONDE_OK; i++) {
        text_part *t = &w->parts[i];
        if (!utf8_valid(t->at, t->len, NULL)) continue;
        builder b = { .memory = w->memory };
        size_t at = 0;
        found.n = 0;
        s = splitter_matches(k->pattern, t->at, (piece){ .end = t->len }, work, &found, err);
        for (size_t f = 0; f < found.n; f++) {
            put(&b, t->at + at, found.at[f].start - at);
            put(&b, k->text.at, k->text.len);
            at = found.at[f].end;
        }
        put(&b, t->at + at, t->len - at);
        if (found.n) *t = made(&b);
    }
    split_work_free(work);
    return s;
}

sonde_status decode_run(const decode_step *k, decode_work *w, sonde_error *err) {
    switch (k->kind) {
    case DECODE_BYTES:   from_alphabet(w);         return SONDE_OK;
    case DECODE_CTC:     ctc(k, w);                return SONDE_OK;
    case DECODE_FUSE:    fuse(w, false);           return SONDE_OK;
    case DECODE_JOIN:    fuse(w, true);            return SONDE_OK;
    case DECODE_REPLACE: return replace(k, w, err);
    default:             break;
    }
    for (size_t i = 0; i < w->n; i++) {
        text_part *t = &w->parts[i];
        const bool first = i == 0, last = i + 1 == w->n;
        if (k->kind == DECODE_SUFFIX) *t = replaced(*t, k->text, text_of(last ? "" : " "), w->memory);
        if (k->kind == DECODE_WORDPIECE) *t = wordpiece(k, *t, first, w->memory);
        if (k->kind == DECODE_METASPACE) *t = replaced(*t, k->text, text_of(first && k->flag ? "" : " "), w->memory);
        if (k->kind == DECODE_STRIP) *t = stripped(k, *t);
        if (k->kind == DECODE_BYTE_PIECES) *t = byte_piece(*t, w->memory);
    }
    return SONDE_OK;
}
