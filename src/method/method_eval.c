/* How well a model predicts documents, as it is and changed: loss, perplexity, accuracy. */
#include "documents.h"
#include "dry.h"
#include "predictions.h"
#include "room.h"
#include <math.h>

static const param params[] = { { 0 } };

enum { LOSS, ENTROPY, RIGHT, KL, SAME, FIGURES };       /* sums of a document, of each run */

typedef struct {
    const sonde_context *cx;
    sonde_variant run[2]; size_t n;                     /* as it is; with the edits */
    ratio         sum[2][FIGURES];
    sonde_table  *documents;
} evaluation;

static sonde_prompt document(const evaluation *e, size_t i) { return document_tokens(e->cx, i); }

static sonde_status compute(size_t i, numbers *out, void *user, sonde_error *err) {
    evaluation        *e = user;
    const sonde_prompt p = document(e, i);
    const int64_t      rows = p.n - 1;
    prediction *x = ROOM(prediction, rows * (int64_t)e->n);
    const sonde_status s = predictions_of(e->cx, &(predictions_query){ p, e->run, e->n }, x, err);
    numbers_zeros(out, e->n * FIGURES);
    for (size_t r = 0; r < e->n; r++)
        for (int64_t t = 0; t < rows; t++) {
            const prediction *here = &x[(int64_t)r * rows + t];
            double *sum = out->at + r * FIGURES;
            sum[LOSS] += here->loss;
            sum[ENTROPY] += here->entropy_bits;
            sum[RIGHT] += here->best == p.tokens[t + 1];
            sum[KL] += here->kl_nats;
            sum[SAME] += here->best == x[t].best;
        }
    free(x);
    return s;
}

static void put_document(evaluation *e, size_t i, const double *x, double n) {
    sonde_table *t = e->documents;
    sonde_table_row(t);
    sonde_cell_int(t, (int64_t)i);
    sonde_cell_int(t, (int64_t)n);
    for (size_t r = 0; r < e->n; r++) {
        put_defined(t, n > 0 ? x[r * FIGURES + LOSS] / n : NAN);
        put_defined(t, n > 0 ? x[r * FIGURES + RIGHT] / n : NAN);
    }
    if (e->n > 1) put_defined(t, n > 0 ? x[FIGURES + KL] / n : NAN);
}

static sonde_status add(size_t i, const double *x, size_t n, void *user, sonde_error *err) {
    evaluation  *e = user;
    const double rows = (double)document(e, i).n - 1;
    SONDE_FAIL_IF(n != e->n * FIGURES, err, SONDE_FORMAT, "the results file has %zu numbers of document %zu, expected %zu", n, i,
                  e->n * FIGURES);
    for (size_t r = 0; r < e->n; r++)
        for (int f = 0; f < FIGURES; f++) ratio_add(&e->sum[r][f], x[r * FIGURES + (size_t)f], rows);
    put_document(e, i, x, rows);
    return SONDE_OK;
}

static void columns(evaluation *e, sonde_result *out) {
    static const char *const names[2][2] = { { "loss", "accuracy" }, { "loss_edited", "accuracy_edited" } };
    sonde_table *t = e->documents = sonde_result_table(out, "documents");
    sonde_table_column(t, "document", SONDE_INT, "");
    sonde_table_column(t, "predictions", SONDE_INT, "");
    for (size_t r = 0; r < e->n; r++) {
        sonde_table_column(t, names[r][0], SONDE_FLOAT, "nat");
        sonde_table_column(t, names[r][1], SONDE_FLOAT, "");
    }
    if (e->n > 1) sonde_table_column(t, "kl_nats", SONDE_FLOAT, "nat");
}

static void put_summary(const evaluation *e, sonde_table *t) {
    static const char *const runs[2] = { "model", "edited" };
    for (size_t r = 0; r < e->n && r < 2; r++) {
        const ratio *x = e->sum[r];
        sonde_table_row(t);
        sonde_cell_text(t, runs[r]);
        sonde_cell_int(t, x[LOSS].documents);
        sonde_cell_int(t, (int64_t)x[LOSS].n);
        sonde_cell_float(t, ratio_mean(&x[LOSS]));
        put_defined(t, ratio_se(&x[LOSS]));
        sonde_cell_float(t, exp(ratio_mean(&x[LOSS])));
        sonde_cell_float(t, ratio_mean(&x[RIGHT]));
        put_defined(t, ratio_se(&x[RIGHT]));
        sonde_cell_float(t, ratio_mean(&x[ENTROPY]));
        if (e->n == 1) continue;
        sonde_cell_float(t, ratio_mean(&x[KL]));
        sonde_cell_float(t, ratio_mean(&x[SAME]));
    }
}

static sonde_table *summary(const evaluation *e, sonde_result *out) {
    static const struct { const char *name; sonde_column_type type; const char *unit; } rows[] = {
        { "run", SONDE_TEXT, "" }, { "documents", SONDE_INT, "" }, { "predictions", SONDE_INT, "" },
        { "loss", SONDE_FLOAT, "nat" }, { "loss_se", SONDE_FLOAT, "nat" }, { "perplexity", SONDE_FLOAT, "" },
        { "accuracy", SONDE_FLOAT, "" }, { "accuracy_se", SONDE_FLOAT, "" }, { "entropy_bits", SONDE_FLOAT, "bit" },
        { "kl_nats", SONDE_FLOAT, "nat" }, { "same", SONDE_FLOAT, "" },
    };
    sonde_table *t = sonde_result_table(out, "summary");
    for (size_t i = 0; i < sizeof rows / sizeof *rows - (e->n == 1 ? 2 : 0); i++)
        sonde_table_column(t, rows[i].name, rows[i].type, rows[i].unit);
    return t;
}

static sonde_status dry(const evaluation *e, sonde_result *out, sonde_error *err) {
    sonde_cost all = { 0 }, one;
    for (size_t i = 0; i < e->cx->n_documents; i++) {
        SONDE_TRY(predictions_cost(e->cx, &(predictions_query){ document(e, i), e->run, e->n }, &one, err));
        all = (sonde_cost){ all.flops + one.flops, all.rows + one.rows, one.bytes > all.bytes ? one.bytes : all.bytes };
    }
    dry_cost(out, (int64_t)(e->n * e->cx->n_documents), all);
    return SONDE_OK;
}

extern const method method_eval;

static sonde_status eval(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    (void)args;
    context_head(cx, &method_eval, out);
    evaluation e = { .cx = cx, .run = { [1] = { 0, cx->edits, cx->n_edits } }, .n = 1 + (cx->n_edits > 0) };
    if (cx->dry_run) return dry(&e, out, err);
    sonde_table *t = summary(&e, out);
    columns(&e, out);
    SONDE_TRY(documents_run(cx, &(document_work){ "eval", compute, add, &e }, err));
    SONDE_FAIL_IF(!(e.sum[0][LOSS].n > 0), err, SONDE_USAGE, "no document has two tokens, expected something to predict");
    put_summary(&e, t);
    return SONDE_OK;
}

const method method_eval = {
    .name = "eval",
    .summary = "how well the model predicts documents, as it is and with edits: loss, perplexity, accuracy",
    .reference = "standard errors: Cochran, Sampling Techniques, 1977 (ratio of two sums, documents as the unit)",
    .formula = "every position but a document's last predicts the token behind it. loss: mean of -ln p(that token), in nats; "
               "perplexity: e^loss; accuracy: share whose most probable token it is; entropy_bits: mean entropy; kl_nats: mean "
               "KL(model || edited); same: share of predictions whose most probable token the edits leave as it is; _se: "
               "standard error over documents",
    .example = "eval --text held-out --documents 20 --edit zero:blocks.2.attn.hook_z[:,0] --results none",
    .params = params,
    .takes = NEEDS_MODEL | NEXT_TOKENS | NEEDS_TEXT | TAKES_EDITS,
    .run = eval,
};
