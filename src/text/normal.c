/* Each step makes a new text character by character, and keeps where each came from. What it says of characters is what
 * `tokenizers` says of them. */
#include "normal.h"
#include "base/text.h"
#include "bytes.h"
#include <utf8proc.h>

/* One character of the stretch: bytes [at, at + size). */
typedef struct { const stretch *s; size_t at, size; uint32_t c; } character;

static size_t origin_of(const character *h) { return stretch_origin(h->s, h->at); }
static size_t origin_behind(const character *h) { return stretch_origin(h->s, h->at + h->size); }

/* `c` in the place of what stood there; the first of several has its bytes. */
static void put(stretch_maker *m, const character *h, uint32_t c, bool first) {
    uint8_t bytes[4];
    if (c == h->c && first) {
        stretch_copy(m, h->s, h->at, h->at + h->size);
        return;
    }
    const size_t n = (size_t)utf8proc_encode_char((int32_t)c, bytes);
    stretch_put(m, (const char *)bytes, n, first ? origin_of(h) : origin_behind(h), origin_behind(h));
}

typedef void each_character(const normal_step *k, stretch_maker *m, const character *h);

static void lower(const normal_step *k, stretch_maker *m, const character *h) {
    (void)k;
    if (h->c == 0x130) {                        /* the one whose lower case is two */
        put(m, h, 'i', true);
        put(m, h, 0x307, false);
    } else {
        put(m, h, (uint32_t)utf8proc_tolower((int32_t)h->c), true);
    }
}

static void without_marks(const normal_step *k, stretch_maker *m, const character *h) {
    (void)k;
    if (!unicode_mark(h->c)) put(m, h, h->c, true);
}

static void without_nonspacing(const normal_step *k, stretch_maker *m, const character *h) {
    (void)k;
    if (!unicode_nonspacing(h->c)) put(m, h, h->c, true);
}

static void cleaned(const normal_step *k, stretch_maker *m, const character *h) {
    (void)k;
    if (unicode_control(h->c)) return;
    put(m, h, unicode_space(h->c) ? ' ' : h->c, true);
}

static bool is_chinese(uint32_t c) {
    /* 2B920, not 2B820: as the library has it */
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df)
        || (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf)
        || (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

static void spaced(const normal_step *k, stretch_maker *m, const character *h) {
    (void)k;
    const bool alone = is_chinese(h->c);
    if (alone) stretch_put(m, " ", 1, origin_of(h), origin_of(h));
    put(m, h, h->c, true);
    if (alone) stretch_put(m, " ", 1, origin_behind(h), origin_behind(h));
}

/* What Nmt drops, and what it makes a space. */
static void nmt(const normal_step *k, stretch_maker *m, const character *h) {
    (void)k;
    const uint32_t c = h->c;
    if ((c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f) return;
    const bool space = c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 || (c >= 0x200b && c <= 0x200f)
                    || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd;
    put(m, h, space ? ' ' : c, true);
}

static void in_alphabet(const normal_step *k, stretch_maker *m, const character *h) {
    (void)k;
    char spelled[2];
    for (size_t i = 0; i < h->size; i++) {
        const size_t at = h->at + i, n = bytes_spell(h->s->text + at, 1, spelled);
        stretch_put(m, spelled, n, stretch_origin(h->s, at), stretch_origin(h->s, at + 1));
    }
}

static stretch for_each(const normal_step *k, const stretch *s, arena *into, each_character *each) {
    stretch_maker m = { .memory = into };
    character h = { .s = s };
    for (; h.at < s->len; h.at += h.size) {
        h.size = utf8_next(s->text + h.at, s->len - h.at, &h.c);
        each(k, &m, &h);
    }
    return stretch_made(&m, stretch_origin(s, s->len));
}

static stretch basic(const normal_step *k, stretch s, arena *into) {
    if (k->clean) s = for_each(k, &s, into, cleaned);
    if (k->chinese) s = for_each(k, &s, into, spaced);
    if (k->accents) {
        s = unicode_normal(&s, FORM_D, into);
        s = for_each(k, &s, into, without_nonspacing);
    }
    return k->lower ? for_each(k, &s, into, lower) : s;
}

static stretch strip(const normal_step *k, const stretch *s) {
    size_t start = 0, end = s->len, n;
    uint32_t c;
    while (k->left && start < end && (n = utf8_next(s->text + start, end - start, &c)) != 0 && unicode_space(c)) start += n;
    while (k->right && start < end && (n = unicode_before(s->text, end, &c)) != 0 && unicode_space(c)) end -= n;
    return stretch_part(s, start, end);
}

/* A run of characters [at, at + n) becomes a text. */
static void put_text(stretch_maker *m, const stretch *s, size_t at, size_t n, text_part with) {
    stretch_put(m, with.at, with.len, stretch_origin(s, at), stretch_origin(s, at + n));
}

/* SentencePiece's charsmap as `tokenizers` applies it: to whole grapheme clusters of less than 6 bytes, else to
 * characters; the shortest text that it begins with decides. */
static stretch mapped(const normal_step *k, const stretch *s, arena *into) {
    enum { LONGEST_CLUSTER = 5 };
    stretch_maker m = { .memory = into };
    for (size_t at = 0, end; at < s->len; at = end) {
        text_part with;
        uint32_t c;
        end = unicode_cluster(s->text, s->len, at);
        if (end - at <= LONGEST_CLUSTER && charsmap_find(k->map, s->text + at, end - at, true, &with.at, &with.len)) {
            put_text(&m, s, at, end - at, with);
            continue;
        }
        for (size_t i = at, n; i < end; i += n) {
            n = utf8_next(s->text + i, end - i, &c);
            if (charsmap_find(k->map, s->text + i, n, true, &with.at, &with.len)) put_text(&m, s, i, n, with);
            else stretch_copy(&m, s, i, i + n);
        }
    }
    return stretch_made(&m, stretch_origin(s, s->len));
}

static sonde_status replace(const normal_step *k, stretch *s, arena *into, split_work *w, sonde_error *err) {
    stretch_maker m = { .memory = into };
    piece_list found = { .memory = into };
    SONDE_TRY(splitter_matches(k->pattern, s->text, (piece){ .end = s->len }, w, &found, err));
    size_t at = 0;
    for (size_t i = 0; i < found.n; i++) {
        const piece p = found.at[i];
        stretch_copy(&m, s, at, p.start);
        put_text(&m, s, p.start, p.end - p.start, (text_part){ k->text, k->len });
        at = p.end;
    }
    stretch_copy(&m, s, at, s->len);
    *s = stretch_made(&m, stretch_origin(s, s->len));
    return SONDE_OK;
}

static stretch prepend(const normal_step *k, const stretch *s, arena *into) {
    if (!s->len) return *s;
    stretch_maker m = { .memory = into };
    const size_t begin = stretch_origin(s, 0);
    stretch_put(&m, k->text, k->len, begin, begin);
    stretch_copy(&m, s, 0, s->len);
    return stretch_made(&m, stretch_origin(s, s->len));
}

sonde_status normal_run(const normal_step *k, stretch *s, arena *into, split_work *w, sonde_error *err) {
    switch (k->kind) {
    case NORMAL_FORM:          *s = unicode_normal(s, k->form, into);             break;
    case NORMAL_LOWER:         *s = for_each(k, s, into, lower);                  break;
    case NORMAL_STRIP:         *s = strip(k, s);                                  break;
    case NORMAL_STRIP_ACCENTS: *s = for_each(k, s, into, without_marks);          break;
    case NORMAL_BASIC:         *s = basic(k, *s, into);                           break;
    case NORMAL_NMT:           *s = for_each(k, s, into, nmt);                    break;
    case NORMAL_CHARSMAP:      *s = mapped(k, s, into);                           break;
    case NORMAL_REPLACE:       return replace(k, s, into, w, err);
    case NORMAL_PREPEND:       *s = prepend(k, s, into);                          break;
    case NORMAL_BYTES:         *s = for_each(k, s, into, in_alphabet);            break;
    case NORMAL_SENTENCEPIECE: *s = normal_sentencepiece(k, s, into);             break;
    }
    return SONDE_OK;
}
