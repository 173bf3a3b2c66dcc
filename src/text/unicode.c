/* Composition is done in groups: a group begins at a character that nothing before it can take in, which a character
 * of class 0 that is no mark and no medial or final Jamo is sure to be. Marks are ordered by counting, so the work is
 * linear even for a text that is one group. */
#include "unicode.h"
#include "base/text.h"
#include "classes.h"
#include <utf8proc.h>

enum { LONGEST = 18 };                      /* code points of one decomposition */

typedef struct { int32_t c; uint8_t class; } mark;

typedef struct {
    arena   *memory;
    unicode_form form;
    mark    *group, *sorted;        /* decomposed */
    int32_t *original;              /* the group's characters as they came */
    size_t   n, cap, sorted_cap, n_original, original_cap;
    size_t   start;                 /* of the group in the text */
    char    *out;
    size_t  *origin;
    size_t   len, out_cap, origin_cap;
} composer;

bool unicode_space(uint32_t c) {
    if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029
        || c == 0x202f || c == 0x205f || c == 0x3000;
}

typedef struct { uint32_t first, last; } run;
#include "unicode_tables.inc"

static bool in_runs(const run *at, size_t n, uint32_t c) {
    size_t lo = 0, hi = n;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (at[mid].last < c) lo = mid + 1; else hi = mid;
    }
    return lo < n && at[lo].first <= c;
}

#define IN(table, c) in_runs(table, sizeof(table) / sizeof *(table), c)

bool unicode_word(uint32_t c)        { return IN(words, c); }
bool unicode_mark(uint32_t c)        { return IN(marks, c); }
bool unicode_nonspacing(uint32_t c)  { return IN(nonspacing, c); }
bool unicode_control(uint32_t c)     { return IN(controls, c); }
bool unicode_punctuation(uint32_t c) { return IN(punctuation, c); }
bool unicode_number(uint32_t c)      { return IN(numbers, c); }

size_t unicode_put(uint32_t c, char out[4]) {
    uint8_t bytes[4];
    const size_t n = (size_t)utf8proc_encode_char((int32_t)c, bytes);
    memcpy(out, bytes, n);
    return n;
}

size_t unicode_cluster(const char *text, size_t n, size_t at) {
    uint32_t before, c;
    utf8proc_int32_t state = 0;
    for (at += utf8_next(text + at, n - at, &before); at < n; before = c) {
        const size_t size = utf8_next(text + at, n - at, &c);
        if (utf8proc_grapheme_break_stateful((int32_t)before, (int32_t)c, &state)) break;
        at += size;
    }
    return at;
}

size_t unicode_before(const char *text, size_t end, uint32_t *c) {
    for (size_t back = 1; back <= 4 && back <= end; back++)
        if (utf8_next(text + end - back, back, c) == back) return back;
    return 0;
}

static void emit(composer *k, const char *bytes, size_t n, size_t first, size_t rest) {
    k->out = grow(k->memory, k->out, k->len, k->len + n, &k->out_cap, 1);
    k->origin = grow(k->memory, k->origin, k->len, k->len + n, &k->origin_cap, sizeof *k->origin);
    for (size_t i = 0; i < n; i++) {
        k->out[k->len] = bytes[i];
        k->origin[k->len++] = i ? rest : first;
    }
}

/* Characters of Unicode 12 to 15 that have a decomposition: the normal forms of `tokenizers` are older and leave them. */
static bool is_newer(uint32_t c) {
    return c == 0x32ff || c == 0x1f16c || c == 0x11938 || c == 0xab69 || (c >= 0xa7f2 && c <= 0xa7f4)
        || (c >= 0x10781 && c <= 0x107ba) || (c >= 0x1e030 && c <= 0x1e06d) || (c >= 0x1fbf0 && c <= 0x1fbf9);
}

static void decompose(composer *k, uint32_t c) {
    utf8proc_int32_t part[LONGEST];
    int bound = 0;
    const utf8proc_option_t compat = k->form == FORM_KC || k->form == FORM_KD ? UTF8PROC_COMPAT : 0;
    utf8proc_ssize_t n = utf8proc_decompose_char((int32_t)c, part, LONGEST, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | compat,
                                                 &bound);
    if (n < 1 || n > LONGEST || is_newer(c)) {
        part[0] = (int32_t)c;
        n = 1;
    }
    k->group = grow(k->memory, k->group, k->n, k->n + LONGEST, &k->cap, sizeof *k->group);
    for (int i = 0; i < n; i++)
        k->group[k->n++] = (mark){ part[i], (uint8_t)utf8proc_get_property(part[i])->combining_class };
    k->original = grow(k->memory, k->original, k->n_original, k->n_original + 1, &k->original_cap, sizeof *k->original);
    k->original[k->n_original++] = (int32_t)c;
}

/* Canonical order of group[lo, hi), which are all marks: ascending class, stable. */
static void order(composer *k, size_t lo, size_t hi) {
    bool ordered = true;
    size_t at[256] = { 0 };
    for (size_t i = lo; i < hi; i++) {
        if (i > lo && k->group[i - 1].class > k->group[i].class) ordered = false;
        at[k->group[i].class]++;
    }
    if (ordered) return;
    size_t sum = 0;
    for (int class = 0; class < 256; class++) {
        const size_t count = at[class];
        at[class] = sum;
        sum += count;
    }
    k->sorted = grow(k->memory, k->sorted, 0, hi - lo, &k->sorted_cap, sizeof *k->sorted);
    for (size_t i = lo; i < hi; i++) k->sorted[at[k->group[i].class]++] = k->group[i];
    memcpy(k->group + lo, k->sorted, (hi - lo) * sizeof *k->sorted);
}

/* The primary composite of two code points, or 0. */
static int32_t composite(int32_t a, int32_t b) {
    utf8proc_int32_t pair[2] = { a, b };
    const bool one = utf8proc_normalize_utf32(pair, 2, UTF8PROC_STABLE | UTF8PROC_COMPOSE) == 1;
    return one && !is_newer((uint32_t)pair[0]) ? pair[0] : 0;
}

/* Composes the group in place (Unicode Standard 3.11, D117). */
static void compose(composer *k) {
    size_t kept = 0, starter = SIZE_MAX;
    int before = -1;                            /* class of the last one kept behind the starter, -1: none */
    for (size_t i = 0; i < k->n; i++) {
        const mark m = k->group[i];
        const bool open = starter != SIZE_MAX && (before < 0 || (before != 0 && before < m.class));
        const int32_t joined = open ? composite(k->group[starter].c, m.c) : 0;
        if (joined) {
            k->group[starter].c = joined;
            continue;
        }
        if (m.class == 0) {
            starter = kept;
            before = -1;
        } else {
            before = m.class;
        }
        k->group[kept++] = m;
    }
    k->n = kept;
}

static bool unchanged(const composer *k) {
    if (k->n != k->n_original) return false;
    for (size_t i = 0; i < k->n; i++)
        if (k->group[i].c != k->original[i]) return false;
    return true;
}

/* Ends the group, which takes [k->start, end) of the stretch. */
static void flush(composer *k, const stretch *s, size_t end) {
    for (size_t lo = 0, hi; lo < k->n; lo = hi) {
        for (hi = lo + 1; hi < k->n && k->group[hi].class != 0; hi++) { }
        if (k->group[lo].class == 0) order(k, lo + 1, hi); else order(k, lo, hi);
    }
    if (k->form == FORM_C || k->form == FORM_KC) compose(k);
    if (unchanged(k)) {
        for (size_t i = k->start; i < end; i++) emit(k, s->text + i, 1, stretch_origin(s, i), 0);
    } else {
        for (size_t i = 0; i < k->n; i++) {
            uint8_t bytes[4];
            const size_t size = (size_t)utf8proc_encode_char(k->group[i].c, bytes);
            emit(k, (const char *)bytes, size, stretch_origin(s, i ? end : k->start), stretch_origin(s, end));
        }
    }
    k->n = k->n_original = 0;
    k->start = end;
}

static bool may_attach(const composer *k, uint32_t c) {
    if (c < 0x300) return false;
    if (c >= 0xff00 && (k->form == FORM_KC || k->form == FORM_KD)) {        /* half-width Jamo and sound marks */
        utf8proc_int32_t part[LONGEST];
        int bound = 0;
        if (utf8proc_decompose_char((int32_t)c, part, LONGEST, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT,
                                    &bound) > 0) c = (uint32_t)part[0];
    }
    const utf8proc_property_t *p = utf8proc_get_property((int32_t)c);
    return p->combining_class != 0 || p->category == UTF8PROC_CATEGORY_MN || p->category == UTF8PROC_CATEGORY_MC
        || (c >= 0x1160 && c <= 0x11ff) || (c >= 0xd7b0 && c <= 0xd7ff);
}

stretch unicode_normal(const stretch *s, unicode_form form, arena *into) {
    if (form == FORM_C && class_composed(s->text, s->len)) return *s;
    size_t plain = 0;                           /* nothing below U+0080 changes */
    while (plain < s->len && (uint8_t)s->text[plain] < 0x80) plain++;
    if (plain == s->len) return *s;
    composer k = { .memory = into, .form = form };
    for (size_t i = 0; i < s->len; ) {
        uint32_t c;
        const size_t size = utf8_next(s->text + i, s->len - i, &c);
        if (size == 0 || !may_attach(&k, c)) flush(&k, s, i);
        if (size) decompose(&k, c);
        else {
            emit(&k, s->text + i, 1, stretch_origin(s, i), 0);
            k.start = i + 1;
        }
        i += size ? size : 1;
    }
    flush(&k, s, s->len);
    k.origin = grow(into, k.origin, k.len, k.len + 1, &k.origin_cap, sizeof *k.origin);
    k.origin[k.len] = stretch_origin(s, s->len);
    return (stretch){ .text = k.out, .len = k.len, .origin = k.origin };
}
