/* shot.h - every site of a run, whole, of the random models of tests/golden; with edits, run B and a metric. */
#ifndef SHOT_H
#define SHOT_H
#include "test.h"
#include "sonde/sonde.h"
#include <stdlib.h>

enum { MOST_SITES = 160, MOST_EDITS = 4, MOST_LIST = 10000 };

typedef struct { char name[64], axes[8]; int rank; int64_t dim[4], n; float *value; } held;

typedef struct {                        /* every site of a run, whole */
    held   site[MOST_SITES];
    size_t n;
    char   all[MOST_LIST];
    double metric;
} shot;

typedef struct {
    sonde_model   *model;
    sonde_edit    *edit[MOST_EDITS]; size_t n_edits;
    sonde_metric  *metric;
    int32_t        tokens[600]; int64_t n, prompt;
    int32_t        other[600];          /* run B, as long */
} setting;

static inline void open_setting(setting *s, const char *folder, int64_t n, const char *edits) {
    sonde_error err = { 0 };
    *s = (setting){ .n = n };
    if (sonde_model_open(&s->model, folder, NULL, &err)) FAIL_("%s", err.message);
    const int64_t vocab = sonde_model_describe(s->model)->vocab;
    for (int64_t i = 0; i < 600; i++) {
        s->tokens[i] = (int32_t)((i * 7 + i * i / 3 + 5) % vocab);
        s->other[i] = (int32_t)((i * 11 + 2) % vocab);
    }
    for (const char *at = edits; at && *at; ) {
        char one[256];
        const size_t len = strcspn(at, ";");
        snprintf(one, sizeof one, "%.*s", (int)len, at);
        if (sonde_edit_parse(&s->edit[s->n_edits], s->model, one, NULL, &err)) FAIL_("%s: %s", one, err.message);
        s->n_edits++;
        at += len + (at[len] == ';');
    }
    if (sonde_metric_parse(&s->metric, s->model, "logit(#3)-logit(#7)+loss", NULL, NULL, &err)) FAIL_("%s", err.message);
}

static inline void close_setting(setting *s) {
    for (size_t i = 0; i < s->n_edits; i++) sonde_edit_free(s->edit[i]);
    sonde_metric_free(s->metric);
    sonde_model_close(s->model);
}

static inline sonde_session *session(const setting *s, int threads) {
    sonde_error err = { 0 };
    sonde_session *x;
    if (sonde_session_new(&x, s->model, (sonde_session_options){ .threads = threads }, &err)) FAIL_("%s", err.message);
    return x;
}

static inline sonde_status add_site(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    shot *x = user;
    held *h = &x->site[x->n++];
    CHECK(x->n <= MOST_SITES);
    snprintf(h->name, sizeof h->name, "%s", s->name);
    snprintf(h->axes, sizeof h->axes, "%s", s->axes);
    h->rank = s->rank;
    h->n = 1;
    for (int i = 0; i < s->rank; i++) h->n *= h->dim[i] = s->dim[i];
    h->value = calloc((size_t)h->n, sizeof(float));
    return SONDE_OK;
}

static inline held *find(shot *x, const char *name) {
    for (size_t i = 0; i < x->n; i++)
        if (!strcmp(x->site[i].name, name)) return &x->site[i];
    FAIL_("no site %s", name);
    return NULL;
}

static inline sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    shot *x = user;
    if (!a->site) {
        x->metric = a->metric;
        return SONDE_OK;
    }
    const sonde_view *v = &a->value;
    held *h = find(x, a->site);
    const int     t = v->axes[0] == 't' ? 0 : 1;
    const int64_t outer = t ? v->dim[0] : 1, n = v->dim[t];
    int64_t inner = 1;
    for (int k = t + 1; k < v->rank; k++) inner *= v->dim[k];
    for (int64_t o = 0; o < outer; o++)
        memcpy(h->value + (o * h->dim[t] + a->first) * inner, v->data + o * n * inner, (size_t)(n * inner) * sizeof(float));
    return SONDE_OK;
}

typedef enum { VALUES, GRADIENTS, VALUES_WITH_GRADIENTS } asked;

/* All sites of this setting, on request ones too; `pattern`: only these. */
static inline void shoot(const setting *s, sonde_session *with, asked what, const char *pattern, shot *x) {
    sonde_error err = { 0 };
    *x = (shot){ 0 };
    const sonde_edit *const *edits = (const sonde_edit *const *)s->edit;
    CHECK_EQ(sonde_sites(s->model, &(sonde_site_query){ pattern, edits, s->n_edits, s->n, 0 }, add_site, x, &err), SONDE_OK);
    sonde_want    want[MOST_SITES + 2];
    size_t        n = 0;
    for (size_t i = 0; i < x->n && what != GRADIENTS; i++)
        want[n++] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = x->site[i].name };
    for (size_t i = 0; i < x->n && what == GRADIENTS; i++) {
        if (*x->all) strcat(x->all, ",");
        strcat(x->all, x->site[i].name);
    }
    if (what != VALUES)
        want[n++] = (sonde_want){ .kind = SONDE_WANT_GRAD, .sites = what == GRADIENTS ? x->all : "hook_embed", .metric = s->metric };
    want[n++] = (sonde_want){ .kind = SONDE_WANT_METRIC, .metric = s->metric };
    const sonde_prompt    p = { .tokens = s->tokens, .n = s->n, .prompt = s->prompt };
    const sonde_variant   v = { 0, edits, s->n_edits };
    const sonde_named_run b = { .name = "B", .prompt = { s->other, s->n, 0 } };
    const sonde_batch     all = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want, .n_wants = n,
                                  .runs = &b, .n_runs = 1, .seed = 9 };
    /* the gradient of hook_embed would overwrite its value: asked last, values are shot again */
    if (sonde_variants_run(with, &all, take, x, &err)) FAIL_("%s", err.message);
}

static inline void drop(shot *x) {
    for (size_t i = 0; i < x->n; i++) free(x->site[i].value);
}

static inline bool same(float a, float b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

static const char *const model_names[] = { "one_head", "three", "inner", "limit", "llama_biased", "llama_grouped" };
enum { MODELS = 6 };

static inline const char *golden(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/tests/golden/%s", SONDE_SOURCE_DIR, name);
    return path;
}
#endif
