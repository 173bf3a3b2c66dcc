/* The lens over documents: how certain every state is, how far from the model's answer, how often right (Lad, Lee, Gurnee and
 * Tegmark, 2024). Their notebook divides every state by the last state's scale and leaves b_U out; here every state has its
 * own norm, and the last one is the model's answer. */
#include "method_lens.h"
#include "documents.h"
#include "dry.h"
#include "room.h"
#include <math.h>

enum { ENTROPY, KL, KL_STATE, OVERLAP, SAME, RIGHT, LOSS, FIGURES };

static const struct { const char *name, *se, *unit; } figures[FIGURES] = {
    [ENTROPY] = { "entropy_bits", "entropy_se", "bit" }, [KL] = { "kl_nats", "kl_se", "nat" },
    [KL_STATE] = { "kl_state_nats", "kl_state_se", "nat" }, [OVERLAP] = { "overlap", "overlap_se", "" },
    [SAME] = { "same", "same_se", "" }, [RIGHT] = { "accuracy", "accuracy_se", "" }, [LOSS] = { "loss", "loss_se", "nat" },
};

typedef struct {
    lens    l;
    double *sums;               /* [states, FIGURES] of the document that is read */
    ratio  *mean;               /* [states, FIGURES] */
} reading;

static void add_cell(lens *l, size_t i, size_t state, const lens_cell *c) {
    const int32_t next = l->p.tokens[l->position[i] + 1];
    reading *r = l->user;
    double  *sum = r->sums + state * FIGURES;
    sum[ENTROPY] += c->stats.entropy_bits;
    sum[KL] += c->kl;
    sum[KL_STATE] += c->kl_state;
    sum[OVERLAP] += c->overlap;
    sum[SAME] += c->same;
    sum[RIGHT] += c->stats.argmax == next;
    sum[LOSS] += c->stats.log_sum - (double)c->next;
}

/* Every position of document i that predicts a token. */
static void choose_document(lens *l, size_t i) {
    l->p = document_tokens(l->cx, i);
    l->n_positions = (size_t)l->p.n - 1;
    free(l->position);
    l->position = ROOM(long, l->n_positions);
    for (size_t t = 0; t < l->n_positions; t++) l->position[t] = (long)t;
}

static sonde_status compute(size_t i, numbers *out, void *user, sonde_error *err) {
    reading *r = user;
    choose_document(&r->l, i);
    numbers_zeros(out, r->l.n * FIGURES);
    r->sums = out->at;
    return r->l.n_positions ? lens_read(&r->l, err) : SONDE_OK;
}

static sonde_status add(size_t i, const double *x, size_t n, void *user, sonde_error *err) {
    reading *r = user;
    const size_t all = r->l.n * FIGURES;
    const double rows = (double)document_tokens(r->l.cx, i).n - 1;
    SONDE_FAIL_IF(n != all, err, SONDE_FORMAT, "the results file has %zu numbers of document %zu, expected %zu", n, i, all);
    for (size_t k = 0; k < all; k++) ratio_add(&r->mean[k], x[k], rows);
    return SONDE_OK;
}

static void put_states(const reading *r, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "states");
    sonde_table_column(t, "state", SONDE_TEXT, "");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "site", SONDE_TEXT, "");
    sonde_table_column(t, "depth", SONDE_FLOAT, "");
    sonde_table_column(t, "predictions", SONDE_INT, "");
    for (size_t f = 0; f < FIGURES; f++) {
        sonde_table_column(t, figures[f].name, SONDE_FLOAT, figures[f].unit);
        sonde_table_column(t, figures[f].se, SONDE_FLOAT, figures[f].unit);
    }
    for (size_t i = 0; i < r->l.n; i++) {
        const lens_state *s = &r->l.state[i];
        if (!s->shown) continue;
        sonde_table_row(t);
        sonde_cell_text(t, s->label);
        sonde_cell_int(t, s->block);
        sonde_cell_text(t, s->name);
        sonde_cell_float(t, s->depth);
        sonde_cell_int(t, (int64_t)r->mean[i * FIGURES].n);
        for (size_t f = 0; f < FIGURES; f++) ratio_put(t, &r->mean[i * FIGURES + f]);
    }
}

static void put_curves(const reading *r, sonde_result *out) {
    sonde_table *t = curves_table(out, "What each state would answer, over relative depth");
    for (size_t f = 0; f < FIGURES; f++)
        for (size_t i = 0; i < r->l.n; i++)
            if (r->l.state[i].shown) curves_put(t, figures[f].name, r->l.state[i].depth, &r->mean[i * FIGURES + f]);
}

static sonde_status dry(reading *r, sonde_result *out, sonde_error *err) {
    sonde_cost all = { 0 };
    const size_t n = r->l.cx->n_documents;
    for (size_t i = 0; i < n; i++) {
        sonde_cost one = { 0 };
        choose_document(&r->l, i);
        if (r->l.n_positions) SONDE_TRY(lens_cost(&r->l, &one, err));
        all = (sonde_cost){ all.flops + one.flops, all.rows + one.rows, one.bytes > all.bytes ? one.bytes : all.bytes };
    }
    dry_cost(out, (int64_t)n, all);
    return SONDE_OK;
}

static sonde_status measure(reading *r, sonde_result *out, sonde_error *err) {
    const sonde_context *cx = r->l.cx;
    if (cx->dry_run) return dry(r, out, err);
    r->mean = ROOM(ratio, r->l.n * FIGURES);
    SONDE_TRY(documents_run(cx, &(document_work){ "lens", compute, add, r }, err));
    SONDE_FAIL_IF(!(r->mean->n > 0), err, SONDE_USAGE, "no document has two tokens, expected something to predict");
    put_states(r, out);
    put_curves(r, out);
    return SONDE_OK;
}

sonde_status lens_text(sonde_context *cx, const param *rows, const value *args, sonde_result *out, sonde_error *err) {
    reading r = { .l = { .cx = cx, .p = document_tokens(cx, 0), .runs = cx->runs, .n_runs = cx->n_runs, .next = true,
                          .cell = add_cell } };
    r.l.user = &r;
    const sonde_model_info *info = sonde_model_describe(cx->model);
    SONDE_FAIL_IF(info->encoder_layers, err, SONDE_UNSUPPORTED, "lens reads documents with models of one stack, and %s is an "
                  "encoder-decoder: give prompts and their --target", info->name);
    SONDE_FAIL_IF(strcmp(args[LENS_POSITIONS].text, "all") != 0, err, SONDE_USAGE,
                  "positions: \"%s\" with --text, expected all: every prediction of a document counts",
                  args[LENS_POSITIONS].text);
    sonde_status s = lens_open(&r.l, rows, args, err);
    if (s == SONDE_OK) s = measure(&r, out, err);
    lens_close(&r.l);
    free(r.mean);
    return s;
}
