#include "edit_text.h"
#include "base/text.h"
#include "model_data.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool reader_take(reader *r, char c) {
    if (*r->at != c) return false;
    r->at++;
    return true;
}

void reader_blanks(reader *r) {
    while (*r->at == ' ') r->at++;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool reader_is_name(char c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && is_digit(c));
}

const char *reader_name(reader *r) {
    const char *start = r->at;
    if (!reader_is_name(*r->at, true)) return NULL;
    while (reader_is_name(*r->at, false)) r->at++;
    return arena_printf(r->a, "%.*s", (int)(r->at - start), start);
}

sonde_status reader_expected(const reader *r, const char *what) {
    if (!*r->at) return sonde_fail(r->err, SONDE_USAGE, "expected %s, found the end", what);
    return sonde_fail(r->err, SONDE_USAGE, "expected %s, found \"%s\"", what, name_shown(r->at).text);
}

/* Numbers */

static size_t digits(const char *at) {
    size_t n = 0;
    while (is_digit(at[n])) n++;
    return n;
}

size_t reader_number_length(const char *at) {
    size_t n = *at == '-' || *at == '+';
    const size_t whole = digits(at + n);
    n += whole;
    size_t fraction = 0;
    if (at[n] == '.') {
        fraction = digits(at + n + 1);
        if (whole + fraction) n += 1 + fraction;
    }
    if (whole + fraction == 0) return 0;
    if (at[n] == 'e' || at[n] == 'E') {
        const size_t sign = at[n + 1] == '-' || at[n + 1] == '+';
        const size_t exponent = digits(at + n + 1 + sign);
        if (exponent) n += 1 + sign + exponent;
    }
    return n;
}

sonde_status reader_integer(reader *r, int64_t *out) {
    const char *at = r->at + (*r->at == '-');
    const size_t n = digits(at);
    if (n == 0) return reader_expected(r, "an integer");
    if (n > 15) return reader_expected(r, "an integer of at most 15 digits");
    *out = strtoll(r->at, NULL, 10);
    r->at = at + n;
    return SONDE_OK;
}

sonde_status reader_number(reader *r, double *out) {
    const size_t n = reader_number_length(r->at);
    if (n == 0) return reader_expected(r, "a number");
    const double x = strtod(r->at, NULL);
    if (!isfinite(x)) return reader_expected(r, "a finite number");
    *out = x;
    r->at += n;
    return SONDE_OK;
}

/* Strings */

static int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* `n` hex digits, -1 if they do not stand there. */
static int32_t read_hex(const char *at, int n) {
    int32_t x = 0;
    for (int i = 0; i < n; i++) {
        const int v = hex_value(at[i]);
        if (v < 0) return -1;
        x = x * 16 + v;
    }
    return x;
}

static size_t put_utf8(char *out, uint32_t c) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    const size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[5] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    out[0] = (char)(lead[n] | c);
    return n;
}

/* Behind `\u`: one code point, from two escapes if the first is a high surrogate. */
static sonde_status read_unicode(reader *r, char *out, size_t *len) {
    const int32_t first = read_hex(r->at, 4);
    if (first < 0) return reader_expected(r, "four hex digits behind \\u");
    uint32_t c = (uint32_t)first;
    size_t n = 4;
    if (first >= 0xd800 && first < 0xdc00 && r->at[4] == '\\' && r->at[5] == 'u') {
        const int32_t second = read_hex(r->at + 6, 4);
        if (second >= 0xdc00 && second < 0xe000) {
            c = 0x10000 + (((uint32_t)first - 0xd800) << 10) + ((uint32_t)second - 0xdc00);
            n = 10;
        }
    }
    if (c >= 0xd800 && c < 0xe000) return reader_expected(r, "both halves of a surrogate pair behind \\u");
    r->at += n;
    *len += put_utf8(out + *len, c);
    return SONDE_OK;
}

/* Behind a backslash. */
static sonde_status read_escape(reader *r, char *out, size_t *len) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *simple = *r->at ? strchr(from, *r->at) : NULL;
    if (simple) {
        out[(*len)++] = to[simple - from];
        r->at++;
        return SONDE_OK;
    }
    if (reader_take(r, 'u')) return read_unicode(r, out, len);
    if (!reader_take(r, 'x')) return reader_expected(r, "one of \" \\ / b f n r t uNNNN xNN behind \\");
    const int32_t byte = read_hex(r->at, 2);
    if (byte < 0) return reader_expected(r, "two hex digits behind \\x");
    out[(*len)++] = (char)(unsigned char)byte;
    r->at += 2;
    return SONDE_OK;
}

/* Up to the closing quote or the end. */
static size_t quoted_length(const char *at) {
    size_t n = 0;
    while (at[n] && at[n] != '"') n += at[n] == '\\' && at[n + 1] ? 2 : 1;
    return n;
}

sonde_status reader_quoted(reader *r, const char **bytes, size_t *len) {
    if (!reader_take(r, '"')) return reader_expected(r, "a text in double quotes");
    char *out = arena_alloc(r->a, quoted_length(r->at) + 1);       /* no escape is shorter than what it stands for */
    *len = 0;
    while (*r->at != '"') {
        if (!*r->at) return reader_expected(r, "a closing double quote");
        if (reader_take(r, '\\')) {
            SONDE_TRY(read_escape(r, out, len));
            continue;
        }
        if ((unsigned char)*r->at < 0x20) return reader_expected(r, "\\n, \\t or \\xNN for a control character");
        out[(*len)++] = *r->at++;
    }
    r->at++;
    *bytes = out;
    return SONDE_OK;
}

sonde_status reader_token(reader *r, int32_t *id, const char **text) {
    if (!reader_take(r, '#')) {
        const char *bytes = "";
        size_t len = 0;
        SONDE_TRY(reader_quoted(r, &bytes, &len));
        *text = text_quoted(r->a, bytes, len);
        return sonde_token_single(r->model, bytes, len, id, r->err);
    }
    int64_t n = 0;
    const int64_t vocab = r->model->config.vocab;
    SONDE_TRY(reader_integer(r, &n));
    SONDE_FAIL_IF(n < 0 || n >= vocab, r->err, SONDE_USAGE, "#%lld is no token, expected #0 to #%lld", (long long)n,
                  (long long)vocab - 1);
    *id = (int32_t)n;
    *text = arena_printf(r->a, "#%lld", (long long)n);
    return SONDE_OK;
}

/* Writing */

void text_put(text_out *o, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    const size_t left = o->used < o->size ? o->size - o->used : 0;
    const int n = vsnprintf(left ? o->buf + o->used : NULL, left, fmt, ap);
    va_end(ap);
    if (n > 0) o->used += (size_t)n;
}

void text_put_number(text_out *o, double x) {
    char text[40];
    for (int n = 1; n <= 17; n++) {
        snprintf(text, sizeof text, "%.*g", n, x);
        if (strtod(text, NULL) == x) break;
    }
    if (x == floor(x) && fabs(x) < 1e15) text_put(o, "%.0f", x);       /* 10, where %g says 1e+01 */
    else text_put(o, "%s", text);
}

void text_put_quoted(text_out *o, const char *bytes, size_t len) {
    text_put(o, "\"");
    for (size_t i = 0; i < len;) {
        uint32_t code;
        const size_t whole = utf8_next(bytes + i, len - i, &code);
        const bool plain = whole && code >= 0x20 && code != 0x7f && code != '"' && code != '\\';
        if (plain) text_put(o, "%.*s", (int)whole, bytes + i);
        else if (bytes[i] == '"' || bytes[i] == '\\') text_put(o, "\\%c", bytes[i]);
        else if (bytes[i] == '\n') text_put(o, "\\n");
        else if (bytes[i] == '\t') text_put(o, "\\t");
        else text_put(o, "\\x%02x", (unsigned char)bytes[i]);
        i += plain ? whole : 1;
    }
    text_put(o, "\"");
}

const char *text_quoted(arena *a, const char *bytes, size_t len) {
    text_out o = { .size = 4 * len + 3 };
    o.buf = arena_alloc(a, o.size);
    text_put_quoted(&o, bytes, len);
    return o.buf;
}
