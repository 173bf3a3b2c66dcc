/* Two shapes of expressions. WORDS takes every character: contractions, letters, numbers, the rest, white space, in that
 * order. RUNS cuts out runs of one class and leaves what lies between. No expression here looks behind itself, so cutting
 * can stop at any cut and go on from there. */
#include "scan.h"
#include "classes.h"
#include "split.h"

enum contractions { AS_WRITTEN, ANY_CASE };

struct scanner {
    const char *pattern;
    enum { WORDS, RUNS } shape;
    /* WORDS */
    enum contractions contractions;
    bool     any_lead;          /* [^\r\n\p{L}\p{N}]? in front of letters, else " ?" */
    unsigned numbers;           /* at most so many together, without a space; 0: any, with " ?" */
    bool     newlines;          /* [\r\n]* behind the rest, \s*[\r\n]+ in front of other white space */
    /* RUNS: of ASCII, of other characters; how many; \s? in front */
    uint8_t  ascii, wide;
    unsigned least, most;
    bool     blank;
    bool     bytes;             /* of bytes that byte level spells as a number, within characters too; ascii counts */
};

#define ANY_LEAD(numbers) "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers \
                       "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define WITH_ANY_LEAD .contractions = ANY_CASE, .any_lead = true, .newlines = true
#define OF(class) .shape = RUNS, .ascii = class, .wide = class
#define ANY_NUMBER UINT32_MAX

static const scanner rows[] = {
    { .pattern = split_gpt2 },
    { .pattern = ANY_LEAD("\\p{N}{1,3}"), WITH_ANY_LEAD, .numbers = 3 },
    { .pattern = ANY_LEAD("\\p{N}"), WITH_ANY_LEAD, .numbers = 1 },
    { .pattern = "\\p{N}", OF(CLASS_NUMBER), .least = 1, .most = 1 },
    { .pattern = "\\p{N}{1,3}", OF(CLASS_NUMBER), .least = 1, .most = 3 },
    { .pattern = "\\p{N}+", OF(CLASS_NUMBER), .least = 1, .most = ANY_NUMBER },
    { .pattern = "[0-9][0-9][0-9]", .shape = RUNS, .ascii = CLASS_NUMBER, .least = 3, .most = 3 },
    { .pattern = "[\\p{P}\\$\\+<=>\\^~\\|`]+", .shape = RUNS, .ascii = CLASS_PUNCTUATION | CLASS_SYMBOL,
      .wide = CLASS_PUNCTUATION, .least = 1, .most = ANY_NUMBER },
    { .pattern = "[\\r\\n]", OF(CLASS_NEWLINE), .least = 1, .most = 1 },
    { .pattern = "[\r\n]", OF(CLASS_NEWLINE), .least = 1, .most = 1 },        /* the two characters themselves */
    { .pattern = split_byte_number, OF(CLASS_NUMBER), .least = 1, .most = 1, .bytes = true },
    { .pattern = split_byte_numbers, OF(CLASS_NUMBER), .least = 1, .most = ANY_NUMBER, .bytes = true },
    { .pattern = "\\s?\\p{L}+", OF(CLASS_LETTER), .least = 1, .most = ANY_NUMBER, .blank = true },
    { .pattern = "\\s?\\p{P}+", OF(CLASS_PUNCTUATION), .least = 1, .most = ANY_NUMBER, .blank = true },
};

const scanner *scanner_of(const char *pattern, size_t len) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strlen(rows[i].pattern) == len && memcmp(rows[i].pattern, pattern, len) == 0) return &rows[i];
    return NULL;
}

const char *scanner_pattern(size_t i) { return i < sizeof rows / sizeof *rows ? rows[i].pattern : NULL; }

/* The end of the characters of these classes. */
static inline const uint8_t *run(const uint8_t *p, const uint8_t *end, unsigned classes) {
    for (size_t size; p < end && class_at(p, &size) & classes; p += size) { }
    return p;
}

/* Bytes of the contraction at p[0], an apostrophe; 0: none. U+017F is an s of another case. */
static size_t contraction(enum contractions kind, const uint8_t *p, const uint8_t *end) {
    const uint8_t fold = kind == ANY_CASE ? 0x20 : 0;
    if (end - p < 2) return 0;
    const uint8_t a = p[1] | fold;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if (end - p < 3) return 0;
    const uint8_t b = p[2] | fold;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
    return kind == ANY_CASE && p[1] == 0xc5 && p[2] == 0xbf ? 3 : 0;
}

/* White space: up to the last newline where newlines count; at the end all of it; else all but the last character, which
 * belongs to what follows or, being the only one, stands alone. */
static const uint8_t *spaces(const scanner *s, const uint8_t *p, const uint8_t *end) {
    const uint8_t *newline = NULL, *last = p, *q = p;
    for (size_t size; q < end; q += size) {
        const unsigned class = class_at(q, &size);
        if (!(class & CLASS_SPACE)) break;
        if (class & CLASS_NEWLINE) newline = q + size;
        last = q;
    }
    if (s->newlines && newline) return newline;
    return q == end || last == p ? q : last;
}

static const uint8_t *numbers(const scanner *s, const uint8_t *p, const uint8_t *end) {
    if (!s->numbers) return run(p, end, CLASS_NUMBER);
    size_t size;
    for (unsigned i = 0; i < s->numbers && p < end && class_at(p, &size) & CLASS_NUMBER; i++) p += size;
    return p;
}

/* The end of the word at p[0]. */
static inline const uint8_t *word(const scanner *s, const uint8_t *p, const uint8_t *end) {
    size_t size, next_size;
    const unsigned class = class_at(p, &size);
    const uint8_t *next = p + size;
    if (class & CLASS_LETTER) return run(next, end, CLASS_LETTER);
    const unsigned follows = next < end ? class_at(next, &next_size) : 0;
    const bool blank = *p == ' ';
    if (*p == '\'') {
        const size_t n = contraction(s->contractions, p, end);
        if (n) return p + n;
    }
    if (follows & CLASS_LETTER && (s->any_lead ? !(class & (CLASS_NEWLINE | CLASS_NUMBER)) : blank))
        return run(next, end, CLASS_LETTER);
    if (class & CLASS_NUMBER) return numbers(s, p, end);
    if (blank && !s->numbers && follows & CLASS_NUMBER) return run(next, end, CLASS_NUMBER);
    if (class & CLASS_REST || (blank && follows & CLASS_REST)) {
        next = run(next, end, CLASS_REST);
        return s->newlines ? run(next, end, CLASS_NEWLINE) : next;
    }
    return spaces(s, p, end);
}

/* In the byte alphabet 0xb2, 0xb3, 0xb9 and 0xbc to 0xbe are themselves: superscripts and fractions. */
static bool byte_is_number(uint8_t b) {
    return (b >= '0' && b <= '9') || b == 0xb2 || b == 0xb3 || b == 0xb9 || (b >= 0xbc && b <= 0xbe);
}

/* A run of ASCII alone can be looked for byte by byte, in pieces of characters too. */
static inline bool in_run(const scanner *s, const uint8_t *p, size_t *size) {
    *size = 1;
    if (s->bytes) return byte_is_number(*p);
    if (!s->wide && *p >= 0x80) return false;
    return class_at(p, size) & (*p < 0x80 ? s->ascii : s->wide);
}

/* The next run in [p, end), as [*from, its end); NULL: none. */
static const uint8_t *next_run(const scanner *s, const uint8_t *p, const uint8_t *end, const uint8_t **from) {
    const uint8_t *before = NULL;               /* white space that ends at p */
    for (size_t size; p < end; ) {
        if (!in_run(s, p, &size)) {
            before = s->blank && class_at(p, &size) & CLASS_SPACE ? p : NULL;
            p += size;
            continue;
        }
        *from = s->blank && before ? before : p;
        unsigned n = 0;
        while (n < s->most && p < end && in_run(s, p, &size)) {
            p += size;
            n++;
        }
        if (n >= s->least) return p;
        before = NULL;
    }
    return NULL;
}

size_t scanner_run(const scanner *s, const char *text, piece p, piece_list *out, size_t most) {
    const uint8_t *const begin = (const uint8_t *)text, *const end = begin + p.end;
    const uint8_t *at = begin + p.start;
    const size_t full = out->n + most;
    while (at < end && out->n < full) {
        const uint8_t *from = at, *to = s->shape == WORDS ? word(s, at, end) : next_run(s, at, end, &from);
        if (!to) from = to = end;
        if (at < from) pieces_add(out, (size_t)(at - begin), (size_t)(from - begin), false);
        if (from < to) pieces_add(out, (size_t)(from - begin), (size_t)(to - begin), false);
        at = to;
    }
    return (size_t)(at - begin);
}
