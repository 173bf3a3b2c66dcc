/* made.h - a model that maker.h made, opened, and runs of it: every site of one variant, whole; bits compared. */
#ifndef MADE_H
#define MADE_H
#include "test.h"
#include "maker.h"
#include "scratch.h"
#include "sonde/sonde.h"
#include <stdlib.h>

enum { MADE_SITES = 240, MADE_TOKENS = 7 };

typedef struct {
    scratch        dir;
    sonde_model   *model;
    sonde_session *session;
    arch_config    config, encoder;
    sonde_metric  *metric;              /* of what it answers; NULL: it answers nothing */
    int32_t        tokens[MAKER_CONTEXT];
} made;

typedef struct { char name[80], axes[8], doc[160]; int rank, block; bool no_gradient; int64_t dim[4], n; float *value; } made_site;

typedef struct {
    made_site site[MADE_SITES];
    size_t    n;
    double    metric;
} made_run;

/* The description that the model's config.json has; `config.arch` NULL: it has none. */
static inline void made_describe(made *m, const maker_case *c, const maker_how *how) {
    arena *into = arena_new();
    const json *tree;
    const char *text = maker_config(c, how, into);
    CHECK(json_parse(text, strlen(text), into, &tree, NULL) == SONDE_OK);
    CHECK(arch_read(c->family, tree, &m->config, &m->encoder, NULL) == SONDE_OK);
    arena_free(into);
}

/* One number of what the model answers, with several of its entries in it. */
static inline void made_ask(made *m) {
    sonde_error err = { 0 };
    const arch_config *c = &m->config;
    const bool rows = c->head & (HEAD_LM | HEAD_MLM) && !c->encoder;
    const char *text = rows ? "logit(#3,-1)-0.7*logit(#7,-1)+0.5*logit(#5,-3)+0.3*logit(#1,1)"
                     : c->encoder ? "logit(#3)-0.7*logit(#7)" : c->head & (HEAD_CLASS | HEAD_NSP) ? "logit(#0)-0.7*logit(#1)"
                     : c->head & HEAD_QA ? "logit(#0,2)-0.7*logit(#1,-1)" : "logit(#3)-0.7*logit(#1)";
    if (arch_answers(c) == 0) return;
    if (sonde_metric_parse(&m->metric, m->model, text, NULL, NULL, &err)) FAIL_("%s: %s", text, err.message);
}

static inline sonde_session *made_session(const made *m, int threads) {
    sonde_session *s;
    sonde_error err = { 0 };
    if (sonde_session_new(&s, m->model, (sonde_session_options){ .threads = threads }, &err)) FAIL_("%s", err.message);
    return s;
}

/* Ends the case where the model cannot be made or is not opened without a warning. */
static inline made made_open(const maker_case *c, const maker_how *how) {
    made m = { .dir = scratch_new() };
    sonde_error err = { 0 };
    const scratch_path folder = in_scratch(&m.dir, "m");
    made_describe(&m, c, how);
    if (!maker_write(c, how, folder.text)) FAIL_("%s", maker_name(c));
    if (sonde_model_open(&m.model, folder.text, NULL, &err)) FAIL_("%s: %s", maker_name(c), err.message);
    const char *warning = sonde_model_warning(m.model, 0);
    if (warning) FAIL_("%s: %s", maker_name(c), warning);
    for (int64_t i = 0; i < MAKER_CONTEXT; i++) m.tokens[i] = (int32_t)((i * 7 + i * i / 3 + 5) % MAKER_VOCAB);
    m.session = made_session(&m, 1);
    made_ask(&m);
    return m;
}

static inline void made_close(made *m) {
    sonde_metric_free(m->metric);
    sonde_session_free(m->session);
    sonde_model_close(m->model);
    scratch_end(&m->dir);
}

static inline sonde_status made_add(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    made_run  *x = user;
    made_site *h = &x->site[x->n++];
    CHECK(x->n <= MADE_SITES);
    *h = (made_site){ .rank = s->rank, .block = s->block, .no_gradient = s->no_gradient, .n = 1 };
    snprintf(h->name, sizeof h->name, "%s", s->name);
    snprintf(h->axes, sizeof h->axes, "%s", s->axes);
    snprintf(h->doc, sizeof h->doc, "%s", s->doc);
    for (int i = 0; i < s->rank; i++) h->n *= h->dim[i] = s->dim[i] ? s->dim[i] : 1;    /* a target that is not given: its start */
    h->value = calloc((size_t)h->n, sizeof(float));
    return SONDE_OK;
}

/* NULL: the run has no such site. */
static inline made_site *made_find(made_run *x, const char *name) {
    for (size_t i = 0; i < x->n; i++)
        if (!strcmp(x->site[i].name, name)) return &x->site[i];
    return NULL;
}

static inline sonde_status made_take(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    made_run *x = user;
    if (!a->site) {
        if (a->value.rank == 0) x->metric = a->metric;
        return SONDE_OK;
    }
    made_site *h = made_find(x, a->site);
    const sonde_view *v = &a->value;
    const int t = sonde_axes_rows(v->axes);
    int64_t outer = 1, inner = 1;
    CHECK(h != NULL);
    for (int k = 0; k < t; k++) outer *= v->dim[k];
    for (int k = t < 0 ? 0 : t + 1; k < v->rank; k++) inner *= v->dim[k];
    const int64_t n = t < 0 ? 1 : v->dim[t], all = t < 0 ? 1 : h->dim[t];
    CHECK(outer * all * inner == h->n && (t < 0 || a->first + n <= all));
    for (int64_t o = 0; o < outer; o++)
        memcpy(h->value + (o * all + (t < 0 ? 0 : a->first)) * inner, v->data + o * n * inner, (size_t)(n * inner) * sizeof(float));
    return SONDE_OK;
}

typedef struct {                        /* what is run, and what is asked of it */
    const int32_t    *tokens;           /* NULL: the model's */
    int64_t           n;                /* 0: MADE_TOKENS */
    const sonde_edit *edit;             /* or NULL */
    const char       *sites;            /* NULL: all, on request ones too */
    const char       *grad;             /* pattern, whose gradients take the place of values; NULL: none */
} made_ask_for;

static inline sonde_prompt made_prompt(const made *m, const made_ask_for *q) {
    const bool two = m->config.encoder != NULL;
    return (sonde_prompt){ .tokens = q->tokens ? q->tokens : m->tokens, .n = q->n ? q->n : MADE_TOKENS,
                           .target = two ? m->tokens + 2 : NULL, .n_target = two ? 4 : 0 };
}

static inline void made_shoot(const made *m, sonde_session *with, const made_ask_for *q, made_run *x) {
    sonde_error err = { 0 };
    const sonde_prompt p = made_prompt(m, q);
    const sonde_edit *const *edits = &q->edit;
    const size_t n_edits = q->edit != NULL;
    sonde_want want[MADE_SITES + 2];
    size_t n = 0;
    *x = (made_run){ 0 };
    const char *const pattern = q->grad ? q->grad : q->sites;
    if (sonde_sites(m->model, &(sonde_site_query){ pattern, edits, n_edits, p.n, p.n_target }, made_add, x, &err)) FAIL_("%s", err.message);
    for (size_t i = 0; i < x->n && !q->grad; i++) want[n++] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = x->site[i].name };
    if (q->grad) want[n++] = (sonde_want){ .kind = SONDE_WANT_GRAD, .sites = q->grad, .metric = m->metric };
    if (m->metric) want[n++] = (sonde_want){ .kind = SONDE_WANT_METRIC, .metric = m->metric };
    const sonde_variant v = { 0, edits, n_edits };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want, .n_wants = n, .seed = 9 };
    if (sonde_variants_run(with, &b, made_take, x, &err)) FAIL_("%s", err.message);
}

static inline void made_drop(made_run *x) {
    for (size_t i = 0; i < x->n; i++) free(x->site[i].value);
}

static inline bool made_same(float a, float b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

/* Where two values of one shape differ, -1: nowhere. */
static inline int64_t made_differs(const made_site *a, const made_site *b) {
    for (int64_t i = 0; i < a->n; i++)
        if (!made_same(a->value[i], b->value[i])) return i;
    return -1;
}

/* The same bits at every site of `b`. */
static inline void made_equal(const char *name, const char *how, made_run *a, made_run *b) {
    for (size_t i = 0; i < b->n; i++) {
        const made_site *y = &b->site[i], *x = made_find(a, y->name);
        if (!x || x->n != y->n) FAIL_("%s: %s: %s has another shape", name, how, y->name);
        const int64_t at = made_differs(x, y);
        if (at >= 0) FAIL_("%s: %s: %s item %lld is %.9g, expected %.9g", name, how, y->name, (long long)at, (double)y->value[at],
                           (double)x->value[at]);
    }
    if (a->metric != b->metric) FAIL_("%s: %s: the metric is %.17g, expected %.17g", name, how, b->metric, a->metric);
}

/* A decoder alone, whose rows come one after the other. */
static inline bool made_decodes(const made *m) { return m->config.head & HEAD_LM && !m->encoder.layers && !m->config.bidirectional; }

/* Runs `check` of every case; each failure is told, and the test fails once behind all. */
typedef void (*made_check)(const maker_case *c);
static inline void made_every(made_check check) {
    static maker_case cases[MOST_MAKER_CASES];
    const size_t n = maker_cases(cases);
    size_t       bad = 0;
    jmp_buf      out;
    CHECK(n >= 30);
    memcpy(&out, &test_out_, sizeof out);
    for (volatile size_t i = 0; i < n; i++) {
        if (!setjmp(test_out_)) check(&cases[i]);
        else bad++;
    }
    memcpy(&test_out_, &out, sizeof out);
    if (bad) FAIL_("%zu of %zu models", bad, n);
}
#endif
