#define PCRE2_CODE_UNIT_WIDTH 8
#include "split.h"
#include "base/text.h"
#include "pattern.h"
#include "scan.h"
#include <pcre2.h>
#include <stdlib.h>

const char split_gpt2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const char split_byte_number[] = "(bytes)[0-9\\xb2\\xb3\\xb9\\xbc-\\xbe]";
const char split_byte_numbers[] = "(bytes)[0-9\\xb2\\xb3\\xb9\\xbc-\\xbe]+";

/* Backtracking steps at one place of the text: a run of n spaces needs some n of them. */
enum { AT_ONCE = 1024 };         /* parts, where cutting can stop */
enum { LONGEST_PATTERN = 1 << 14, STEPS = 20000, STEPS_PER_BYTE = 16, HEAP_KIB = 1 << 16 };

struct splitter {
    const scanner *scan;            /* cuts by hand, or NULL: the expression */
    pcre2_code *code;
    char       *pattern;            /* as the file has it, for messages */
    bool        literal;
};

struct split_work {
    pcre2_match_data    *match;
    pcre2_match_context *limits;
};

static sonde_status compile(splitter *s, const char *pattern, size_t len, bool literal, sonde_error *err) {
    const uint32_t text = PCRE2_LITERAL | PCRE2_UTF;
    const uint32_t expression = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    pcre2_compile_context *c = pcre2_compile_context_create(NULL);
    SONDE_FAIL_IF(!c, err, SONDE_NOMEM, "no memory for a pattern");
    pcre2_set_newline(c, PCRE2_NEWLINE_LF);
    int code;
    PCRE2_SIZE at;
    s->code = pcre2_compile((PCRE2_SPTR)pattern, len, literal ? text : expression, &code, &at, c);
    pcre2_compile_context_free(c);
    if (!s->code) {
        PCRE2_UCHAR why[128] = "";
        pcre2_get_error_message(code, why, sizeof why);
        return sonde_fail(err, SONDE_UNSUPPORTED, "pattern \"%s\": %s", name_shown(s->pattern).text, (const char *)why);
    }
    pcre2_jit_compile(s->code, PCRE2_JIT_COMPLETE);         /* without it PCRE2 interprets */
    return SONDE_OK;
}

static sonde_status translate(splitter *s, size_t len, bool literal, sonde_error *err) {
    if (literal) return compile(s, s->pattern, len, literal, err);
    char *pattern;
    arena *scratch = arena_new();
    sonde_status status = pattern_translate(s->pattern, len, scratch, &pattern, &len, err);
    if (status == SONDE_OK) status = compile(s, pattern, len, literal, err);
    arena_free(scratch);
    return status;
}

sonde_status splitter_new(splitter **out, const char *pattern, size_t len, bool literal, sonde_error *err) {
    *out = NULL;
    SONDE_FAIL_IF(len > LONGEST_PATTERN, err, SONDE_UNSUPPORTED, "a pattern of %zu bytes, at most %d", len,
                  LONGEST_PATTERN);
    splitter *s = calloc(1, sizeof *s);
    if (s) s->pattern = calloc(1, len + 1);
    if (!s || !s->pattern) {
        free(s);
        return sonde_fail(err, SONDE_NOMEM, "no memory for a pattern");
    }
    if (len) memcpy(s->pattern, pattern, len);
    s->literal = literal;
    s->scan = literal ? NULL : scanner_of(s->pattern, len);
    const sonde_status status = translate(s, len, literal, err);      /* splitter_matches needs it in any case */
    if (status == SONDE_OK) *out = s; else splitter_free(s);
    return status;
}

const char *splitter_pattern(const splitter *s) { return s->pattern; }
bool        splitter_literal(const splitter *s) { return s->literal; }

void splitter_free(splitter *s) {
    if (!s) return;
    pcre2_code_free(s->code);
    free(s->pattern);
    free(s);
}

split_work *split_work_new(void) {
    split_work *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->match = pcre2_match_data_create(1, NULL);
    w->limits = pcre2_match_context_create(NULL);
    if (w->match && w->limits) {
        pcre2_set_heap_limit(w->limits, HEAP_KIB);
        return w;
    }
    split_work_free(w);
    return NULL;
}

void split_work_free(split_work *w) {
    if (!w) return;
    pcre2_match_data_free(w->match);
    pcre2_match_context_free(w->limits);
    free(w);
}

/* One match at or behind `from`. JIT code has 32 KiB of stack; where that is too little PCRE2 interprets. */
static int match(const splitter *s, const char *text, size_t n, size_t from, split_work *w) {
    const PCRE2_SPTR subject = (PCRE2_SPTR)text;
    int rc = pcre2_match(s->code, subject, n, from, PCRE2_NO_UTF_CHECK, w->match, w->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(s->code, subject, n, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, w->match, w->limits);
    return rc;
}

static sonde_status gave_up(const splitter *s, int rc, sonde_error *err) {
    PCRE2_UCHAR why[128] = "";
    pcre2_get_error_message(rc, why, sizeof why);
    return sonde_fail(err, SONDE_UNSUPPORTED, "pattern \"%s\" on this text: %s", name_shown(s->pattern).text,
                      (const char *)why);
}

static void add(piece_list *out, size_t start, size_t end) {
    if (start < end) pieces_add(out, start, end, false);
}

static sonde_status run_expression(const splitter *s, const char *text, piece p, split_work *w, piece_list *out,
                                   sonde_error *err) {
    const char *here = text + p.start;
    const size_t n = p.end - p.start;
    const uint64_t steps = STEPS + STEPS_PER_BYTE * (uint64_t)n;
    pcre2_set_match_limit(w->limits, steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
    size_t done = 0, from = 0;                  /* [0, done) is in `out`; matches are looked for from `from` on */
    bool matched = false;                       /* a match ended at `done` */
    while (from <= n) {
        const int rc = match(s, here, n, from, w);
        if (rc == PCRE2_ERROR_NOMATCH) break;
        if (rc < 0) return gave_up(s, rc, err);
        const PCRE2_SIZE *span = pcre2_get_ovector_pointer(w->match);
        const size_t start = span[0], end = span[1];
        if (start < from || end < start) return gave_up(s, PCRE2_ERROR_INTERNAL, err);
        if (end == done && matched) {           /* an empty match behind a match does not count */
            uint32_t c;
            const size_t step = utf8_next(here + from, n - from, &c);
            from += step ? step : 1;
            continue;
        }
        add(out, p.start + done, p.start + start);
        add(out, p.start + start, p.start + end);
        done = from = end;
        matched = true;
    }
    add(out, p.start + done, p.end);
    return SONDE_OK;
}

sonde_status splitter_matches(const splitter *s, const char *text, piece p, split_work *w, piece_list *out,
                              sonde_error *err) {
    const char *here = text + p.start;
    const size_t n = p.end - p.start;
    const uint64_t steps = STEPS + STEPS_PER_BYTE * (uint64_t)n;
    pcre2_set_match_limit(w->limits, steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
    size_t from = 0, last = SIZE_MAX;           /* where the last match ended */
    while (from <= n) {
        const int rc = match(s, here, n, from, w);
        if (rc == PCRE2_ERROR_NOMATCH) break;
        if (rc < 0) return gave_up(s, rc, err);
        const PCRE2_SIZE *span = pcre2_get_ovector_pointer(w->match);
        const size_t start = span[0], end = span[1];
        if (start < from || end < start) return gave_up(s, PCRE2_ERROR_INTERNAL, err);
        uint32_t c;
        if (end != start || end != last) pieces_add(out, p.start + start, p.start + end, false);
        last = from = end;
        if (end == start) from += end < n ? utf8_next(here + end, n - end, &c) : 1;
    }
    return SONDE_OK;
}

sonde_status splitter_run(const splitter *s, const char *text, piece *p, split_work *w, piece_list *out,
                          sonde_error *err) {
    const piece all = *p;
    p->start = s->scan ? scanner_run(s->scan, text, all, out, AT_ONCE) : p->end;
    return s->scan ? SONDE_OK : run_expression(s, text, all, w, out, err);
}
