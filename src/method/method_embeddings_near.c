/* Nearest neighbours by whole vectors over all rows, of a row or of a - b + c. */
#include "dry.h"
#include "embeddings.h"
#include "room.h"
#include <math.h>
#include <stdio.h>

enum { MOST_TERMS = 3 };
typedef enum { BY_COSINE, BY_EUCLID, BY_DOT } near_by;

typedef struct { double value; int64_t row; } scored;

typedef struct {
    const vectors *v;
    near_by  by;
    int64_t  term[MOST_TERMS];
    double   sign[MOST_TERMS];
    int      terms;
    double  *x, norm;               /* [d]: what is asked for */
    scored  *found; int64_t n;
} search;

static void skip_blanks(const char **at) {
    while (**at == ' ') ++*at;
}

/* The sign in front of a term; the first one has none. */
static sonde_status read_sign(const char **at, int term, char sign, sonde_error *err) {
    skip_blanks(at);
    if (term == 0) return SONDE_OK;
    SONDE_FAIL_IF(**at != sign, err, SONDE_USAGE, "analogy: expected \"a - b + c\", found \"%.40s\" where %c stands", *at, sign);
    ++*at;
    skip_blanks(at);
    return SONDE_OK;
}

static sonde_status read_analogy(search *s, const char *text, sonde_error *err) {
    static const char signs[MOST_TERMS] = { '+', '-', '+' };
    const char *at = text;
    for (s->terms = 0; s->terms < MOST_TERMS; s->terms++) {
        SONDE_TRY(read_sign(&at, (int)s->terms, signs[s->terms], err));
        SONDE_FAIL_IF(!*at, err, SONDE_USAGE, "analogy: \"%.60s\" ends early, expected \"a - b + c\"", text);
        const sonde_status bad = vectors_index(s->v, &at, false, &s->term[s->terms], err);
        if (bad) return sonde_fail_at(err, bad, "analogy");
        s->sign[s->terms] = signs[s->terms] == '-' ? -1 : 1;
    }
    skip_blanks(&at);
    SONDE_FAIL_IF(*at, err, SONDE_USAGE, "analogy: \"%.40s\" stands behind a - b + c", at);
    return SONDE_OK;
}

static sonde_status read_near(search *s, const char *text, sonde_error *err) {
    const char *at = text;
    const sonde_status bad = vectors_index(s->v, &at, true, &s->term[0], err);
    if (bad) return sonde_fail_at(err, bad, "near");
    SONDE_FAIL_IF(*at, err, SONDE_USAGE, "near: \"%.40s\" stands behind the token", at);
    s->sign[0] = 1;
    s->terms = 1;
    return SONDE_OK;
}

static sonde_status read_by(const char *text, near_by *out, sonde_error *err) {
    static const char *const words[] = { "cosine", "euclid", "dot" };
    for (int i = 0; i < 3; i++)
        if (!strcmp(words[i], text)) {
            *out = (near_by)i;
            return SONDE_OK;
        }
    return sonde_fail(err, SONDE_USAGE, "by: \"%.40s\", expected cosine, euclid or dot", text);
}

static bool named(const search *s, int64_t row) {
    for (int i = 0; i < s->terms; i++)
        if (s->term[i] == row) return true;
    return false;
}

typedef struct { search *s; double sign; } adding;

static sonde_status add_term(void *user, int64_t first, int64_t rows, const float *x, sonde_error *err) {
    (void)first;
    (void)rows;
    (void)err;
    const adding *a = user;
    for (int64_t k = 0; k < a->s->v->d; k++) a->s->x[k] += a->sign * (double)x[k];
    return SONDE_OK;
}

static double score(const search *s, const float *y) {
    double dot = 0, squares = 0, apart = 0;
    for (int64_t k = 0; k < s->v->d; k++) {
        const double yk = (double)y[k], off = s->x[k] - yk;
        dot += s->x[k] * yk;
        squares += yk * yk;
        apart += off * off;
    }
    if (s->by == BY_DOT) return dot;
    if (s->by == BY_EUCLID) return sqrt(apart);
    return dot / (s->norm * sqrt(squares));         /* NaN for a row of zeros */
}

static sonde_status take_rows(void *user, int64_t first, int64_t rows, const float *x, sonde_error *err) {
    (void)err;
    search *s = user;
    for (int64_t i = 0; i < rows; i++) {
        const scored one = { score(s, x + i * s->v->d), first + i };
        if (!isnan(one.value) && !named(s, one.row)) s->found[s->n++] = one;
    }
    return SONDE_OK;
}

static int larger_first(const void *a, const void *b) {
    const scored *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? 1 : -1;
    return x->row < y->row ? -1 : 1;
}

static int smaller_first(const void *a, const void *b) {
    const scored *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? 1 : -1;
    return x->row < y->row ? -1 : 1;
}

static void put_found(const search *s, const near_query *q, sonde_result *out) {
    static const char *const titles[] = { "Cosine with it", "Distance from it", "Product with it" };
    sonde_table *t = sonde_result_table(out, "neighbours");
    sonde_table_column(t, "rank", SONDE_INT, "");
    embeddings_column(s->v, t);
    sonde_table_column(t, "value", SONDE_FLOAT, "");
    for (int64_t i = 0; i < s->n && i < q->top; i++) {
        sonde_table_row(t);
        sonde_cell_int(t, i + 1);
        embeddings_cell(s->v, t, s->found[i].row);
        sonde_cell_float(t, s->found[i].value);
    }
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = "neighbours", .value = "value",
                                            .x = vectors_are_tokens(s->v) ? "token" : "position",
                                            .title = titles[s->by] });
    sonde_result_note(out, s->terms == 1 ? "what was asked for is left out of its neighbours"
                                         : "the three inputs are left out of the answer");
}

static sonde_status find(search *s, const near_query *q, sonde_result *out, sonde_error *err) {
    s->x = ROOM(double, s->v->d);
    s->found = ROOM(scored, s->v->n);
    for (int i = 0; i < s->terms; i++) {
        adding a = { s, s->sign[i] };
        SONDE_TRY(vectors_each(s->v, &(vectors_walk){ s->term[i], 1, NULL, add_term, &a }, err));
    }
    double squares = 0;
    for (int64_t k = 0; k < s->v->d; k++) squares += s->x[k] * s->x[k];
    s->norm = sqrt(squares);
    SONDE_FAIL_IF(s->by == BY_COSINE && s->norm == 0, err, SONDE_USAGE,
                  "the vector asked for is zero and has no cosine, expected --by euclid or dot");
    SONDE_TRY(vectors_each(s->v, &(vectors_walk){ 0, s->v->n, "rows", take_rows, s }, err));
    qsort(s->found, (size_t)s->n, sizeof *s->found, s->by == BY_EUCLID ? smaller_first : larger_first);
    put_found(s, q, out);
    return SONDE_OK;
}

sonde_status embeddings_near(const vectors *v, const near_query *q, sonde_result *out, sonde_error *err) {
    search s = { .v = v };
    SONDE_TRY(read_by(q->by, &s.by, err));
    SONDE_TRY(q->near ? read_near(&s, q->near, err) : read_analogy(&s, q->analogy, err));
    if (v->cx->dry_run) {
        dry_cost(out, 0, (sonde_cost){ 6 * (double)v->n * (double)v->d, v->n, 16 * v->n + 8 * v->d });
        return SONDE_OK;
    }
    const sonde_status bad = find(&s, q, out, err);
    free(s.x);
    free(s.found);
    return bad;
}
