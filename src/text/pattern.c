/* Differences are those of Oniguruma's doc/RE against pcre2pattern(3) of 10.42. The classes are written out because
 * PCRE2's \w leaves out marks and its \s takes in U+180E; all were compared, code point by code point of Unicode 14. */
#include "pattern.h"
#include "grow.h"
#include <stdbool.h>

#define SPACE "\\t-\\r\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define SOLID "\\x00-\\x08\\x0e-\\x1f!-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}" \
              "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"
#define IN_WORD "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}" \
                "\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"
#define WORD  IN_WORD "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"
#define HEX   "0-9a-fA-F"

/* What stands behind a backslash; inside: in a class. NULL: cannot be said there. */
static const struct { char letter; const char *outside, *inside; } escapes[] = {
    { 's', "[" SPACE "]",  SPACE },
    { 'S', "[" SOLID "]",  SOLID },
    { 'w', "[" WORD "]",   IN_WORD },           /* a class does not take in the six digits and fractions of Latin-1 */
    { 'W', "[^" WORD "]",  NULL },
    { 'h', "[" HEX "]",    HEX },
    { 'H', "[^" HEX "]",   NULL },
    { 'b', "(?:(?<=[" WORD "])(?![" WORD "])|(?<![" WORD "])(?=[" WORD "]))", "\\b" },
    { 'B', "(?:(?<=[" WORD "])(?=[" WORD "])|(?<![" WORD "])(?![" WORD "]))", NULL },
    { 'v', "\\x0b", "\\x0b" },
    { 'Q', NULL, NULL },
    { 'E', NULL, NULL },
};

typedef struct {
    const char *at, *begin, *end;
    arena      *into;
    char       *out;
    size_t      len, cap;
    sonde_error *err;
} scanner;

static void put(scanner *s, const char *text, size_t n) {
    s->out = grow(s->into, s->out, s->len, s->len + n, &s->cap, 1);
    memcpy(s->out + s->len, text, n);
    s->len += n;
}

static void copy(scanner *s, size_t n) {
    put(s, s->at, n);
    s->at += n;
}

static sonde_status refuse(const scanner *s, const char *what) {
    return sonde_fail(s->err, SONDE_UNSUPPORTED, "pattern, offset %zu: %s is not supported", (size_t)(s->at - s->begin),
                      what);
}

static bool next_is(const scanner *s, size_t ahead, char c) {
    return (size_t)(s->end - s->at) > ahead && s->at[ahead] == c;
}

/* {name} behind \p. A name of more than two letters is a script, not what else may use its characters (PCRE2's scx). */
static void scan_property(scanner *s) {
    const char *p = s->at;
    if (!next_is(s, 0, '{')) return;
    const size_t sign = next_is(s, 1, '^') ? 2 : 1;
    for (p += sign; p < s->end && (*p == '_' || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')); ) p++;
    if (p == s->end || *p != '}' || p - s->at < (ptrdiff_t)sign + 3) return;
    copy(s, sign);
    put(s, "sc:", 3);
}

static sonde_status scan_escape(scanner *s, bool in_class) {
    if (s->end - s->at < 2) return refuse(s, "a backslash at the end");
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        if (escapes[i].letter != s->at[1]) continue;
        const char *text = in_class ? escapes[i].inside : escapes[i].outside;
        const char what[] = { '\\', s->at[1], '\0' };
        if (!text) return refuse(s, what);
        put(s, text, strlen(text));
        s->at += 2;
        return SONDE_OK;
    }
    copy(s, 2);
    if (s->at[-1] == 'p' || s->at[-1] == 'P') scan_property(s);
    return SONDE_OK;
}

/* [..]; a class inside a class and && are Oniguruma's alone, [:alpha:] has other members. */
static sonde_status scan_class(scanner *s) {
    copy(s, 1);
    if (next_is(s, 0, '^')) copy(s, 1);
    if (next_is(s, 0, ']')) return refuse(s, "] first in a class");
    while (s->at < s->end && *s->at != ']') {
        if (*s->at == '\\') {
            SONDE_TRY(scan_escape(s, true));
        } else if (*s->at == '[') {
            return refuse(s, "[ in a class");
        } else if (*s->at == '&' && next_is(s, 1, '&')) {
            return refuse(s, "&&");
        } else {
            copy(s, 1);
        }
    }
    return SONDE_OK;            /* the closing bracket is copied, or missed, by the caller */
}

/* (?imx-imx: or, at the very begin, (?imx-imx); m there is s here. Other groups are the same. */
static sonde_status scan_group(scanner *s) {
    const char *p = s->at + 1;
    if (p == s->end || *p != '?') {
        copy(s, 1);
        return SONDE_OK;
    }
    while (++p < s->end && strchr("imsx-", *p) && *p) { }
    if (p < s->end && *p == ')' && s->at != s->begin) return refuse(s, "an option in the middle");
    const bool options = p < s->end && (*p == ':' || *p == ')');
    copy(s, 2);
    while (options && s->at < p) {
        put(s, *s->at == 'm' ? "s" : s->at, 1);
        s->at++;
    }
    return SONDE_OK;
}

/* {n}, {n,}, {n,m} are the same, but not what + or ? mean behind them. */
static sonde_status scan_brace(scanner *s) {
    const char *p = s->at + 1;
    while (p < s->end && *p >= '0' && *p <= '9') p++;
    const bool exact = p > s->at + 1 && p < s->end && *p == '}';
    if (p < s->end && *p == ',') {
        if (p == s->at + 1) return refuse(s, "{,");
        for (p++; p < s->end && *p >= '0' && *p <= '9'; ) p++;
    }
    const bool repeat = p > s->at + 1 && p < s->end && *p == '}';
    if (repeat && p + 1 < s->end && (p[1] == '+' || (exact && p[1] == '?'))) return refuse(s, "+ or ? behind {}");
    copy(s, repeat ? (size_t)(p - s->at) + 1 : 1);
    return SONDE_OK;
}

sonde_status pattern_translate(const char *pattern, size_t len, arena *into, char **out, size_t *out_len,
                               sonde_error *err) {
    scanner s = { .at = pattern, .begin = pattern, .end = len ? pattern + len : pattern, .into = into, .err = err };
    while (s.at < s.end) {
        switch (*s.at) {
        case '\\': SONDE_TRY(scan_escape(&s, false)); break;
        case '[':  SONDE_TRY(scan_class(&s));         break;
        case '(':  SONDE_TRY(scan_group(&s));         break;
        case '{':  SONDE_TRY(scan_brace(&s));         break;
        default:   copy(&s, 1);
        }
    }
    put(&s, "", 1);
    *out = s.out;
    *out_len = s.len - 1;
    return SONDE_OK;
}
