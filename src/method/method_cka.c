/* How alike the layers of a model see the same documents: centred kernel alignment of every two layers (cka.h; over the
 * depth of language models: Lad, Gurnee and Tegmark, 2024). */
#include "cka.h"
#include "documents.h"
#include "dry.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { CKA_SITE, CKA_AT };
enum { LEAST = 4, MOST = 10000 };

static const param params[] = {
    [CKA_SITE] = { "site", PARAM_SITE, "hook_resid_post", 0, 0, "sites that are compared, each with each" },
    [CKA_AT] = { "at", PARAM_TEXT, "last", 0, 0, "last: a document is its last token; all: every token is a sample" },
    { 0 },
};

typedef struct { char name[64], label[32]; int block; int64_t width; } place;

typedef struct {
    const sonde_context *cx;
    const char *pattern;
    bool        all;
    place      *place; size_t n;        /* in the order of the run */
    int64_t     width;                  /* numbers of a sample, all places together */
    double     *sample;                 /* of the document that is read: [samples, width] */
    int64_t     length;                 /* its positions */
    cka_view   *view;                   /* [n] */
    int64_t     samples;
} alignment;

/* "blocks.3.hook_resid_post": 3, where every place has the same ending. */
static void label_places(alignment *a) {
    bool same = true;
    for (size_t i = 0; i < a->n; i++) {
        const char *x = strrchr(a->place[i].name, '.'), *y = strrchr(a->place[0].name, '.');
        same = same && x && y && !strcmp(x, y) && !strncmp(a->place[i].name, "blocks.", 7);
    }
    for (size_t i = 0; i < a->n; i++) {
        place *p = &a->place[i];
        if (same) snprintf(p->label, sizeof p->label, "%.*s", (int)strcspn(p->name + 7, "."), p->name + 7);
        else snprintf(p->label, sizeof p->label, "%.31s", p->name);
    }
}

static sonde_status add_place(const sonde_site *s, void *user, sonde_error *err) {
    alignment *a = user;
    SONDE_FAIL_IF(s->axes[0] != 't', err, SONDE_USAGE, "site: %s has axes %s, expected a site with t in front",
                  s->name, s->axes);
    for (int i = 1; i < s->rank; i++)
        SONDE_FAIL_IF(s->axes[2 * (size_t)i] == 's', err, SONDE_USAGE,
                      "site: %s has axes %s, expected the same width in every document", s->name, s->axes);
    int64_t width = 1;
    for (int i = 1; i < s->rank; i++) width *= s->dim[i];
    a->place = room_grow(a->place, a->n, 1, sizeof *a->place);
    a->place[a->n] = (place){ .block = s->block, .width = width };
    snprintf(a->place[a->n++].name, sizeof a->place->name, "%s", s->name);
    a->width += width;
    return SONDE_OK;
}

/* ---- documents ---- */

static sonde_status take(const sonde_answer *x, void *user, sonde_error *err) {
    (void)err;
    alignment *a = user;
    int64_t at = 0;
    for (size_t i = 0; i < x->want; i++) at += a->place[i].width;
    const int64_t width = a->place[x->want].width;
    for (int64_t t = 0; t < x->value.dim[0]; t++) {
        const int64_t position = x->first + t;
        if (!a->all && position + 1 != a->length) continue;
        double *to = a->sample + (a->all ? position : 0) * a->width + at;
        for (int64_t c = 0; c < width; c++) to[c] = (double)x->value.data[t * width + c];
    }
    return SONDE_OK;
}

static sonde_status run(alignment *a, size_t i, sonde_cost *cost, sonde_error *err) {
    const sonde_context *cx = a->cx;
    const sonde_prompt  p = document_tokens(cx, i);
    const sonde_variant v = { 0, cx->edits, cx->n_edits };
    sonde_want *want = ROOM(sonde_want, a->n);
    for (size_t k = 0; k < a->n; k++) want[k] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = a->place[k].name };
    const sonde_batch b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want, .n_wants = a->n,
                            .runs = cx->runs, .n_runs = cx->n_runs, .seed = cx->seed };
    const sonde_status s = cost ? sonde_variants_cost(cx->session, &b, cost, err)
                                : sonde_variants_run(cx->session, &b, take, a, err);
    free(want);
    return s;
}

static int64_t samples_of(const alignment *a, size_t i) { return a->all ? document_tokens(a->cx, i).n : 1; }

static sonde_status compute(size_t i, numbers *out, void *user, sonde_error *err) {
    alignment *a = user;
    numbers_zeros(out, (size_t)(samples_of(a, i) * a->width));
    a->sample = out->at;
    a->length = document_tokens(a->cx, i).n;
    return run(a, i, NULL, err);
}

static sonde_status add(size_t i, const double *x, size_t n, void *user, sonde_error *err) {
    alignment *a = user;
    const int64_t rows = samples_of(a, i);
    SONDE_FAIL_IF(n != (size_t)(rows * a->width), err, SONDE_FORMAT,
                  "the results file has %zu numbers of document %zu, expected %" PRId64, n, i, rows * a->width);
    for (int64_t r = 0; r < rows; r++, a->samples++)
        for (size_t k = 0; k < a->n; k++) {
            cka_view *v = &a->view[k];
            memcpy(v->x + a->samples * v->width, x, (size_t)v->width * sizeof *x);
            x += v->width;
        }
    return SONDE_OK;
}

/* ---- the result ---- */

static void put_pairs(const alignment *a, const double *cka, sonde_result *out) {
    static const struct { const char *name; sonde_column_type type; } columns[] = {
        { "layer_a", SONDE_INT }, { "site_a", SONDE_TEXT }, { "layer_b", SONDE_INT }, { "site_b", SONDE_TEXT },
        { "cka", SONDE_FLOAT },
    };
    sonde_table *t = sonde_result_table(out, "layers");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        sonde_table_column(t, columns[i].name, columns[i].type, "");
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = i + 1; k < a->n; k++) {
            sonde_table_row(t);
            sonde_cell_int(t, a->place[i].block);
            sonde_cell_text(t, a->place[i].name);
            sonde_cell_int(t, a->place[k].block);
            sonde_cell_text(t, a->place[k].name);
            put_defined(t, cka[i * a->n + k]);
        }
}

static void put_array(const alignment *a, const double *cka, sonde_result *out) {
    const int64_t dim[] = { (int64_t)a->n, (int64_t)a->n };
    sonde_array *x = sonde_result_array(out, "cka", "layer layer_b", dim);
    float *data = sonde_array_data(x);
    for (int axis = 0; axis < 2; axis++)
        for (size_t i = 0; i < a->n; i++) sonde_array_label_text(x, axis, a->place[i].label);
    for (size_t i = 0; i < a->n * a->n; i++) {
        data[i] = (float)cka[i];
        if (isnan(cka[i])) sonde_array_missing(x, (int64_t)i);
    }
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "cka", .x = "layer_b", .y = "layer",
                                            .title = "How alike layers see the same texts" });
}

static sonde_status dry(alignment *a, sonde_result *out, sonde_error *err) {
    sonde_cost all = { 0 };
    for (size_t i = 0; i < a->cx->n_documents; i++) {
        sonde_cost one;
        SONDE_TRY(run(a, i, &one, err));
        all = (sonde_cost){ all.flops + one.flops, all.rows + one.rows, one.bytes > all.bytes ? one.bytes : all.bytes };
    }
    dry_cost(out, (int64_t)a->cx->n_documents, all);
    return SONDE_OK;
}

static sonde_status measure(alignment *a, sonde_result *out, sonde_error *err) {
    const sonde_context *cx = a->cx;
    int64_t n = 0;
    SONDE_TRY(sonde_sites(cx->model, &(sonde_site_query){ a->pattern, cx->edits, cx->n_edits, 1, 0 }, add_place, a, err));
    SONDE_FAIL_IF(a->n < 2, err, SONDE_USAGE, "site: %s is one site, expected two to compare", a->pattern);
    label_places(a);
    for (size_t i = 0; i < cx->n_documents; i++) n += samples_of(a, i);
    SONDE_FAIL_IF(n < LEAST, err, SONDE_USAGE, "%" PRId64 " %s, expected at least %d", n,
                  a->all ? "tokens" : "documents", LEAST);
    SONDE_FAIL_IF(n > MOST, err, SONDE_USAGE,
                  "%" PRId64 " samples, expected at most %d: fewer --documents, --cut or --at last", n, MOST);
    if (cx->dry_run) return dry(a, out, err);
    a->view = ROOM(cka_view, a->n);
    for (size_t k = 0; k < a->n; k++) a->view[k] = (cka_view){ ROOM(double, n * a->place[k].width), a->place[k].width };
    SONDE_TRY(documents_run(cx, &(document_work){ "cka", compute, add, a }, err));
    double *cka = ROOM(double, a->n * a->n);
    const sonde_status s = cka_matrix(cx, a->view, a->n, n, cka, err);
    if (s == SONDE_OK) {
        put_pairs(a, cka, out);
        put_array(a, cka, out);
    }
    free(cka);
    return s;
}

extern const method method_cka;

static sonde_status cka_method(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    const char *at = args[CKA_AT].text;
    alignment a = { .cx = cx, .pattern = args[CKA_SITE].text, .all = !strcmp(at, "all") };
    context_head(cx, &method_cka, out);
    SONDE_FAIL_IF(!a.all && strcmp(at, "last") != 0, err, SONDE_USAGE, "at: \"%.40s\", expected last or all", at);
    const sonde_status s = measure(&a, out, err);
    for (size_t k = 0; k < a.n && a.view; k++) free(a.view[k].x);
    free(a.view);
    free(a.place);
    return s;
}

const method method_cka = {
    .name = "cka",
    .summary = "how alike the layers see the same documents: centred kernel alignment of every two of them",
    .reference = "Kornblith, Norouzi, Lee and Hinton, Similarity of Neural Network Representations Revisited, 2019; "
                 "unbiased HSIC: Song et al., Feature Selection via Dependence Maximization, 2012; over layers: Lad, "
                 "Gurnee and Tegmark, The Remarkable Robustness of LLMs: Stages of Inference?, 2024",
    .formula = "n samples (the last token of each document, or every token); K, L: their inner products at two sites, "
               "with zeros on the diagonal. HSIC(K,L) = [tr(KL) + (1'K1)(1'L1) / ((n-1)(n-2)) - 2/(n-2) 1'KL1] / "
               "(n(n-3)), unbiased; cka = HSIC(K,L) / sqrt(HSIC(K,K) HSIC(L,L)): 1 where one is the other turned, scaled "
               "and moved, about 0 (it may be below) where they have nothing to do with each other; null where a site "
               "does not vary",
    .example = "cka --text held-out --documents 20",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_TEXT | TAKES_EDITS,
    .run = cka_method,
};
