#include "param.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static sonde_status fail_range(const param *p, const char *text, sonde_error *err) {
    return sonde_fail(err, SONDE_USAGE, "%s: %.40s is outside %.15g..%.15g", p->name, text, p->min, p->max);
}

static sonde_status parse_number(const param *p, const char *text, value *out, sonde_error *err) {
    char *end;
    errno = 0;
    const double v = strtod(text, &end);
    const bool number = end != text && !*end && strchr("+-.0123456789ni", text[0]);
    SONDE_FAIL_IF(!number, err, SONDE_USAGE, "%s: \"%.40s\" is not a number", p->name, text);
    if (!(v >= p->min && v <= p->max)) return fail_range(p, text, err);
    if (p->type == PARAM_REAL) {
        out->real = v;
        return SONDE_OK;
    }
    errno = 0;
    const long i = strtol(text, &end, 10);      /* exact where a double is not */
    if (errno) return fail_range(p, text, err);
    if (!*end) out->i = i;
    else {
        SONDE_FAIL_IF(v < -9e15 || v > 9e15 || v != (double)(long)v, err, SONDE_USAGE,
                      "%s: %.40s is not a whole number", p->name, text);
        out->i = (long)v;
    }
    return SONDE_OK;
}

static sonde_status parse_flag(const param *p, const char *text, value *out, sonde_error *err) {
    static const char *const words[] = { "false", "true", "no", "yes", "0", "1" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(text, words[i])) {
            out->i = (long)(i % 2);
            return SONDE_OK;
        }
    return sonde_fail(err, SONDE_USAGE, "%s: \"%.40s\" is neither true nor false", p->name, text);
}

/* One piece of a list of numbers: first and last; false unless it is N or N-M, either with a minus of its own. */
static bool read_range(const char **text, long *first, long *last) {
    char *end;
    const char *at = *text;
    errno = 0;
    const bool digit = at[at[0] == '-'] >= '0' && at[at[0] == '-'] <= '9';
    if (!digit) return false;
    *first = *last = strtol(at, &end, 10);
    at = end;
    if (*at == '-') {
        at++;
        if (!(at[at[0] == '-'] >= '0' && at[at[0] == '-'] <= '9')) return false;
        *last = strtol(at, &end, 10);
        at = end;
    }
    *text = at;
    return !errno && (*at == ',' || !*at);
}

static sonde_status check_numbers(const param *p, const char *text, sonde_error *err) {
    if (!strcmp(text, "all")) return SONDE_OK;
    for (const char *at = text; ; at++) {
        long first = 0, last = 0;
        SONDE_FAIL_IF(!read_range(&at, &first, &last), err, SONDE_USAGE,
                      "%s: \"%.40s\" is no list of numbers, expected all, or as in 0-3,5,-1", p->name, text);
        if (!*at) return SONDE_OK;
    }
}

sonde_status param_parse(const param *p, const char *text, value *out, sonde_error *err) {
    *out = (value){ .given = text != NULL };
    if (!text && p->fallback && !*p->fallback) {        /* nothing, and that is allowed */
        out->text = "";
        return SONDE_OK;
    }
    if (!text) text = p->fallback;
    SONDE_FAIL_IF(!text, err, SONDE_USAGE, "%s is required: %s", p->name, p->help);
    out->text = text;
    switch (p->type) {
    case PARAM_INT:
    case PARAM_REAL:    return parse_number(p, text, out, err);
    case PARAM_FLAG:    return parse_flag(p, text, out, err);
    case PARAM_LAYERS:
    case PARAM_NUMBERS: return check_numbers(p, text, err);
    case PARAM_TEXT:
    case PARAM_SITE:
    case PARAM_LIST:
    case PARAM_PROMPTS:
    case PARAM_PAIR:
    case PARAM_FILE:    break;
    }
    return SONDE_OK;
}

static sonde_status fail_index(const param *p, long i, long n, sonde_error *err) {
    SONDE_FAIL_IF(n <= 0, err, SONDE_USAGE, "%s: %ld, but there are none", p->name, i);
    return sonde_fail(err, SONDE_USAGE, "%s: %ld is outside 0..%ld (or %ld..-1 from the end)", p->name, i, n - 1, -n);
}

typedef struct { long *at; size_t n; bool *seen; } indices;

/* N..M, downwards if M is smaller; what was named before is passed over. */
static sonde_status add_range(const param *p, long first, long last, long n, indices *x, sonde_error *err) {
    const long from = first < 0 ? first + n : first, to = last < 0 ? last + n : last;
    if (from < 0 || from >= n) return fail_index(p, first, n, err);
    if (to < 0 || to >= n) return fail_index(p, last, n, err);
    const long step = to < from ? -1 : 1;
    for (long i = from; ; i += step) {
        if (!x->seen[i]) x->at[x->n++] = i;
        x->seen[i] = true;
        if (i == to) return SONDE_OK;
    }
}

static sonde_status add_all(const param *p, const char *text, long n, indices *x, sonde_error *err) {
    if (!*text) return SONDE_OK;
    if (!strcmp(text, "all")) return n > 0 ? add_range(p, 0, n - 1, n, x, err) : SONDE_OK;
    SONDE_TRY(check_numbers(p, text, err));
    for (const char *at = text; ; at++) {
        long first = 0, last = 0;
        read_range(&at, &first, &last);
        SONDE_TRY(add_range(p, first, last, n, x, err));
        if (!*at) return SONDE_OK;
    }
}

sonde_status param_numbers(const param *p, const char *text, long n, long **out, size_t *count, sonde_error *err) {
    const size_t room = n > 0 ? (size_t)n : 1;
    indices x = { .at = malloc(room * sizeof *x.at), .seen = calloc(room, sizeof *x.seen) };
    if (!x.at || !x.seen) abort();
    const sonde_status s = add_all(p, text, n, &x, err);
    free(x.seen);
    if (s != SONDE_OK) free(x.at);
    *out = s == SONDE_OK ? x.at : NULL;
    *count = s == SONDE_OK ? x.n : 0;
    return s;
}
