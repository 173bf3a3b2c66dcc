#include "added.h"
#include "base/text.h"
#include "grow.h"
#include "unicode.h"
#include <stdlib.h>

void added_add(added_set *s, added_token t) {
    s->at = grow(s->memory, s->at, s->n, s->n + 1, &s->cap, sizeof *s->at);
    t.order = s->n;
    s->at[s->n++] = t;
}

static bool same_text(const added_token *a, const added_token *b) {
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static int by_text(const void *a, const void *b) {
    const added_token *x = a, *y = b;
    const int c = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);
    if (c) return c;
    if (x->len != y->len) return x->len < y->len ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

void added_close(added_set *s) {
    if (s->n == 0) return;
    qsort(s->at, s->n, sizeof *s->at, by_text);
    size_t kept = 1;
    for (size_t i = 1; i < s->n; i++)
        if (!same_text(&s->at[kept - 1], &s->at[i])) s->at[kept++] = s->at[i];
    s->n = kept;
    size_t i = 0;
    for (int byte = 0; byte <= 256; byte++) {
        while (i < s->n && (uint8_t)s->at[i].text[0] < byte) i++;
        s->first[byte] = i;
    }
    s->one_first = s->at[0].text[0] == s->at[s->n - 1].text[0];
}

/* The first of [lo, hi), which agree in their first `depth` bytes, whose next byte is at least `byte`. */
static size_t lower(const added_token *at, size_t lo, size_t hi, size_t depth, int byte) {
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const int here = at[mid].len > depth ? (uint8_t)at[mid].text[depth] : -1;
        if (here < byte) lo = mid + 1; else hi = mid;
    }
    return lo;
}

/* The longest token that stands at text[at], NULL if none does. */
static const added_token *longest(const added_set *s, const char *text, size_t len, size_t at) {
    const uint8_t byte = (uint8_t)text[at];
    size_t lo = s->first[byte], hi = s->first[byte + 1];
    const added_token *found = NULL;
    for (size_t depth = 1; lo < hi; depth++) {
        if (s->at[lo].len == depth) found = &s->at[lo];     /* the shortest of those that agree is first */
        if (at + depth == len) break;
        const int next = (uint8_t)text[at + depth];
        lo = lower(s->at, lo, hi, depth, next);
        hi = lower(s->at, lo, hi, depth, next + 1);
    }
    return found;
}

/* The next place from `at` on where a token may begin, or the end. */
static size_t may_begin(const added_set *s, const char *text, size_t len, size_t at) {
    if (s->one_first) {
        const char *found = memchr(text + at, s->at[0].text[0], len - at);
        return found ? (size_t)(found - text) : len;
    }
    while (at < len && s->first[(uint8_t)text[at]] == s->first[(uint8_t)text[at] + 1]) at++;
    return at;
}

static bool stands_alone(const added_walk *w, size_t start, size_t end) {
    uint32_t c;
    if (unicode_before(w->text, start, &c) && unicode_word(c)) return false;
    return !(utf8_next(w->text + end, w->len - end, &c) && unicode_word(c));
}

/* Where the white space that ends at `at` begins, not before `least`. */
static size_t space_before(const added_walk *w, size_t at, size_t least) {
    uint32_t c;
    if (at < least) return least;
    for (size_t size; at > least && (size = unicode_before(w->text, at, &c)) != 0 && unicode_space(c); ) {
        if (at - size < least) return least;
        at -= size;
    }
    return at;
}

static size_t space_behind(added_walk *w, size_t at) {
    if (at >= w->space && at <= w->space_end) return w->space_end;
    w->space = w->space_end = at;
    uint32_t c;
    for (size_t size; (size = utf8_next(w->text + w->space_end, w->len - w->space_end, &c)) != 0 && unicode_space(c); )
        w->space_end += size;
    return w->space_end;
}

/* The order of the steps, and that white space taken in is looked at again, are those of `tokenizers`. */
bool added_next(const added_set *s, added_walk *w, added_match *out) {
    while (s->n && w->scanned < w->len) {
        w->scanned = may_begin(s, w->text, w->len, w->scanned);
        if (w->scanned == w->len) break;
        const added_token *t = longest(s, w->text, w->len, w->scanned);
        if (!t) {
            w->scanned++;
            continue;
        }
        size_t start = w->scanned, end = start + t->len;
        w->scanned = end;
        if (w->plain && t->special) continue;
        if (t->single_word && !stands_alone(w, start, end)) continue;
        if (t->lstrip) start = space_before(w, start, w->covered);
        if (t->rstrip) end = space_behind(w, end);
        if (start >= end) continue;             /* white space only, and the token before took it in */
        const size_t gap = w->covered < start ? w->covered : start;
        *out = (added_match){ t->id, gap, start, end };
        w->covered = end;
        return true;
    }
    return false;
}
