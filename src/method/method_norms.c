/* How long what attention and MLPs write is, beside the residual stream that they write to, over documents (the norm of the
 * MLP's output: Lad, Gurnee and Tegmark, 2024).
 *
 * A run reaches a write right behind the stream that it is added to, so one buffer of the stream is enough. */
#include "documents.h"
#include "dry.h"
#include "head_scores.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { NORMS_LAYERS, NORMS_FROM };

static const param params[] = {
    [NORMS_LAYERS] = { "layers", PARAM_LAYERS, "all", 0, 0, "blocks that are measured" },
    [NORMS_FROM] = { "from", PARAM_INT, "0", 0, 1e6,
                     "first position that counts; 1 leaves out BOS, whose norm is often far from all others" },
    { 0 },
};

enum { PRE, ATTN, MID, MLP, POST, PLACES };
static const char *const endings[PLACES] = {
    "hook_resid_pre", "hook_attn_out", "hook_resid_mid", "hook_mlp_out", "hook_resid_post",
};

enum { F_PRE, F_POST, F_ATTN, F_MLP, F_ATTN_RATIO, F_MLP_RATIO, F_ATTN_COSINE, F_MLP_COSINE, FIGURES };
static const struct { const char *name, *se; } figures[FIGURES] = {
    [F_PRE] = { "pre_norm", "pre_se" }, [F_POST] = { "post_norm", "post_se" }, [F_ATTN] = { "attn_norm", "attn_se" },
    [F_MLP] = { "mlp_norm", "mlp_se" }, [F_ATTN_RATIO] = { "attn_ratio", "attn_ratio_se" },
    [F_MLP_RATIO] = { "mlp_ratio", "mlp_ratio_se" },
    [F_ATTN_COSINE] = { "attn_cosine", "attn_cosine_se" }, [F_MLP_COSINE] = { "mlp_cosine", "mlp_cosine_se" },
};

typedef struct { char text[40]; int block; bool shown; } turn;          /* one turn of a block: "2", "2r1" */
typedef struct { size_t turn; int place; char site[64]; } want_of;

typedef struct {
    sonde_context cx;
    int64_t d, from;
    long   *layer; size_t n_layers;
    turn   *turn;  size_t n;            /* in the order of the run */
    want_of *want; size_t n_wants;
    ratio  *mean;                       /* [n, FIGURES] */
    score  *sum;                        /* [n, FIGURES] of the document that is read */
    float  *stream;                     /* [positions, d]: as the next write finds it */
} norms;

/* ---- the sites ---- */

static sonde_status add_site(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    norms *x = user;
    const char *dot = strrchr(s->name, '.');
    int place = 0;
    while (place < PLACES && (!dot || strcmp(dot + 1, endings[place]) != 0)) place++;
    if (place == PLACES || strncmp(s->name, "blocks.", 7) != 0) return SONDE_OK;
    char name[40];
    snprintf(name, sizeof name, "%.*s", (int)(dot - s->name - 7), s->name + 7);
    if (x->n == 0 || strcmp(x->turn[x->n - 1].text, name) != 0) {
        bool shown = false;
        for (size_t i = 0; i < x->n_layers; i++) shown = shown || x->layer[i] == s->block;
        x->turn = room_grow(x->turn, x->n, 1, sizeof *x->turn);
        x->turn[x->n] = (turn){ .block = s->block, .shown = shown };
        memcpy(x->turn[x->n++].text, name, sizeof name);
    }
    if (!x->turn[x->n - 1].shown) return SONDE_OK;
    x->want = room_grow(x->want, x->n_wants, 1, sizeof *x->want);
    x->want[x->n_wants] = (want_of){ x->n - 1, place, "" };
    snprintf(x->want[x->n_wants++].site, sizeof x->want->site, "%s", s->name);
    return SONDE_OK;
}

/* ---- a document ---- */

static void count(score *s, double v) {
    s->sum += v;
    s->n++;
}

static double dot(const float *a, const float *b, int64_t d) {
    double sum = 0;
    for (int64_t i = 0; i < d; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static void add_write(const norms *x, score *sum, int mlp, const float *write, const float *stream) {
    const double w = sqrt(dot(write, write, x->d)), s = sqrt(dot(stream, stream, x->d));
    count(&sum[mlp ? F_MLP : F_ATTN], w);
    if (s > 0) count(&sum[mlp ? F_MLP_RATIO : F_ATTN_RATIO], w / s);
    if (s > 0 && w > 0) count(&sum[mlp ? F_MLP_COSINE : F_ATTN_COSINE], dot(write, stream, x->d) / (w * s));
}

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    norms *x = user;
    const want_of *w = &x->want[a->want];
    score *sum = x->sum + w->turn * FIGURES;
    for (int64_t t = 0; t < a->value.dim[0]; t++) {
        const int64_t at = a->first + t;
        const float  *row = a->value.data + t * x->d;
        float *stream = x->stream + at * x->d;
        if (w->place == PRE || w->place == MID) memcpy(stream, row, (size_t)x->d * sizeof *row);
        if (at < x->from) continue;
        if (w->place == PRE || w->place == POST) count(&sum[w->place == PRE ? F_PRE : F_POST], sqrt(dot(row, row, x->d)));
        if (w->place == ATTN || w->place == MLP) add_write(x, sum, w->place == MLP, row, stream);
    }
    return SONDE_OK;
}

static sonde_status run(const norms *x, size_t i, sonde_cost *cost, sonde_error *err) {
    const sonde_prompt  p = document_tokens(&x->cx, i);
    const sonde_variant v = { 0, x->cx.edits, x->cx.n_edits };
    sonde_want *want = ROOM(sonde_want, x->n_wants);
    for (size_t k = 0; k < x->n_wants; k++) want[k] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = x->want[k].site };
    const sonde_batch b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want, .n_wants = x->n_wants,
                            .runs = x->cx.runs, .n_runs = x->cx.n_runs, .seed = x->cx.seed };
    const sonde_status s = cost ? sonde_variants_cost(x->cx.session, &b, cost, err)
                                : sonde_variants_run(x->cx.session, &b, take, (void *)x, err);
    free(want);
    return s;
}

static sonde_status compute(size_t i, numbers *out, void *user, sonde_error *err) {
    norms *x = user;
    const size_t all = x->n * FIGURES;
    x->sum = ROOM(score, all);
    x->stream = ROOM(float, document_tokens(&x->cx, i).n * x->d);
    const sonde_status s = run(x, i, NULL, err);
    for (size_t k = 0; k < all; k++) {
        numbers_add(out, x->sum[k].sum);
        numbers_add(out, x->sum[k].n);
    }
    free(x->sum);
    free(x->stream);
    return s;
}

static sonde_status add(size_t i, const double *v, size_t n, void *user, sonde_error *err) {
    norms *x = user;
    const size_t all = x->n * FIGURES;
    SONDE_FAIL_IF(n != 2 * all, err, SONDE_FORMAT, "the results file has %zu numbers of document %zu, expected %zu", n,
                  i, 2 * all);
    for (size_t k = 0; k < all; k++) ratio_add(&x->mean[k], v[2 * k], v[2 * k + 1]);
    return SONDE_OK;
}

/* ---- the result ---- */

static double depth_of(const norms *x, size_t turn_at) { return x->n > 1 ? (double)turn_at / (double)(x->n - 1) : 0; }

static void put_layers(const norms *x, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "layers");
    sonde_table *curves = curves_table(out, "Lengths of writes and of the stream, over relative depth");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "block", SONDE_TEXT, "");
    sonde_table_column(t, "depth", SONDE_FLOAT, "");
    sonde_table_column(t, "tokens", SONDE_INT, "");
    for (size_t f = 0; f < FIGURES; f++) {
        sonde_table_column(t, figures[f].name, SONDE_FLOAT, "");
        sonde_table_column(t, figures[f].se, SONDE_FLOAT, "");
    }
    for (size_t i = 0; i < x->n; i++) {
        if (!x->turn[i].shown) continue;
        sonde_table_row(t);
        sonde_cell_int(t, x->turn[i].block);
        sonde_cell_text(t, x->turn[i].text);
        sonde_cell_float(t, depth_of(x, i));
        sonde_cell_int(t, (int64_t)x->mean[i * FIGURES + F_POST].n);
        for (size_t f = 0; f < FIGURES; f++) ratio_put(t, &x->mean[i * FIGURES + f]);
    }
    for (size_t f = 0; f < FIGURES; f++)
        for (size_t i = 0; i < x->n; i++)
            if (x->turn[i].shown) curves_put(curves, figures[f].name, depth_of(x, i), &x->mean[i * FIGURES + f]);
}

static sonde_status dry(const norms *x, sonde_result *out, sonde_error *err) {
    sonde_cost all = { 0 };
    for (size_t i = 0; i < x->cx.n_documents; i++) {
        sonde_cost one;
        SONDE_TRY(run(x, i, &one, err));
        all = (sonde_cost){ all.flops + one.flops, all.rows + one.rows, one.bytes > all.bytes ? one.bytes : all.bytes };
    }
    dry_cost(out, (int64_t)x->cx.n_documents, all);
    return SONDE_OK;
}

extern const method method_norms;

static sonde_status measure(norms *x, const value *args, sonde_result *out, sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(x->cx.model);
    SONDE_TRY(param_numbers(&params[NORMS_LAYERS], args[NORMS_LAYERS].text, (long)info->layers, &x->layer,
                            &x->n_layers, err));
    SONDE_TRY(sonde_sites(x->cx.model, &(sonde_site_query){ NULL, x->cx.edits, x->cx.n_edits, 1, 0 }, add_site, x, err));
    SONDE_FAIL_IF(x->n_wants == 0, err, SONDE_USAGE, "layers: all blocks named are skipped, expected one that runs");
    x->d = info->d;
    if (x->cx.dry_run) return dry(x, out, err);
    x->mean = ROOM(ratio, x->n * FIGURES);
    SONDE_TRY(documents_run(&x->cx, &(document_work){ "norms", compute, add, x }, err));
    double tokens = 0;
    for (size_t k = 0; k < x->n * FIGURES; k++) tokens += x->mean[k].n;
    SONDE_FAIL_IF(!(tokens > 0), err, SONDE_USAGE, "from: %" PRId64 ", and no document is longer", x->from);
    put_layers(x, out);
    return SONDE_OK;
}

static sonde_status norms_method(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    norms x = { .cx = documents_or_prompts(cx), .from = args[NORMS_FROM].i };
    context_head(cx, &method_norms, out);
    const sonde_status s = measure(&x, args, out, err);
    free(x.layer);
    free(x.turn);
    free(x.want);
    free(x.mean);
    return s;
}

const method method_norms = {
    .name = "norms",
    .summary = "how long what attention and MLPs write is, beside the stream that they write to, over documents",
    .reference = "MLP output norm: Lad, Gurnee and Tegmark, The Remarkable Robustness of LLMs: Stages of Inference?, "
                 "2024; standard errors: Cochran, Sampling Techniques, 1977",
    .formula = "means over the tokens of all documents, from position --from on. attn_norm, mlp_norm: ||x||_2 of what "
               "attention and the MLP add to the stream; pre_norm, post_norm: of the stream before and behind the block; "
               "attn_ratio, mlp_ratio: length of the write over that of the stream that it is added to (before the block "
               "for attention, between attention and MLP for the MLP, before the block where both run side by side); "
               "attn_cosine, mlp_cosine: cosine of the two; depth: place of the block in the order of the run, as a "
               "share of the last; _se: standard error over documents",
    .example = "norms --text held-out --documents 20",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | TAKES_TEXT | TAKES_EDITS,
    .run = norms_method,
};
