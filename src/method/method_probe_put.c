/* Probes of single neurons, of the best of them together, and of sites, as tables. */
#include "method_probe.h"
#include "room.h"
#include <stdio.h>

typedef struct { int64_t neuron; double validation; } ranked;

static int by_validation(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    return x->validation < y->validation ? 1 : x->validation > y->validation ? -1 : (x->neuron > y->neuron) - (x->neuron < y->neuron);
}

static void float_columns(sonde_table *t, const char *const *name, size_t n) {
    for (size_t i = 0; i < n; i++) sonde_table_column(t, name[i], SONDE_FLOAT, "");
}

static void put_judged(const probe_fit *f, sonde_table *t) {
    const share s = probe_share(f, PART_TEST);
    sonde_cell_float(t, s.at);
    sonde_cell_float(t, s.low);
    sonde_cell_float(t, s.high);
    sonde_cell_float(t, probe_area(f, PART_TEST));
}

static void progress(const probe *p, size_t done, size_t all) { p->cx->progress(p->cx->progress_user, "probes", (int64_t)done, (int64_t)all); }

/* ---- neurons ---- */

static sonde_table *single_table(sonde_result *out) {
    static const char *const number_names[] = { "score", "weight", "bias", "mean", "sd", "validation_accuracy", "accuracy", "low", "high", "auc" };
    sonde_table *t = sonde_result_table(out, "probes");
    sonde_table_column(t, "rank", SONDE_INT, "");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "neuron", SONDE_INT, "");
    sonde_table_column(t, "kind", SONDE_TEXT, "");
    float_columns(t, number_names, sizeof number_names / sizeof *number_names);
    return t;
}

static void put_single(const probe_fit *f, const probe_neuron *x, sonde_table *t, int64_t rank) {
    const double value_of[] = { x->score, f->fit.w[0], f->fit.b, f->mean[0], f->sd[0], probe_share(f, PART_VALIDATION).at };
    sonde_table_row(t);
    sonde_cell_int(t, rank);
    sonde_cell_int(t, x->layer);
    sonde_cell_int(t, x->neuron);
    sonde_cell_text(t, x->score > 0 ? "prediction" : x->score < 0 ? "suppression" : NULL);
    for (size_t i = 0; i < sizeof value_of / sizeof *value_of; i++) sonde_cell_float(t, value_of[i]);
    put_judged(f, t);
}

/* Each neuron alone, the best in validation first; `column` becomes their order. */
static sonde_status put_singles(const probe *p, sonde_table *t, int64_t *column, sonde_error *err) {
    const size_t n = p->n_neurons;
    probe_fit *fit = ROOM(probe_fit, n);
    ranked    *rank = ROOM(ranked, n);
    sonde_status s = SONDE_OK;
    for (size_t i = 0; i < n && s == SONDE_OK; i++) {
        s = probe_learn(&fit[i], p, &(int64_t){ (int64_t)i }, 1, err);
        rank[i] = (ranked){ (int64_t)i, probe_share(&fit[i], PART_VALIDATION).at };
        progress(p, i + 1, 2 * n);
    }
    qsort(rank, n, sizeof *rank, by_validation);
    for (size_t i = 0; i < n && s == SONDE_OK; i++) {
        column[i] = rank[i].neuron;
        put_single(&fit[column[i]], &p->neuron[column[i]], t, (int64_t)i + 1);
    }
    for (size_t i = 0; i < n; i++) probe_forget(&fit[i]);
    free(fit);
    free(rank);
    return s;
}

static sonde_status put_ensembles(const probe *p, sonde_table *t, const int64_t *column, sonde_error *err) {
    for (size_t k = 1; k <= p->n_neurons; k++) {
        probe_fit f;
        const sonde_status s = probe_learn(&f, p, column, (int64_t)k, err);
        if (s == SONDE_OK) {
            sonde_table_row(t);
            sonde_cell_int(t, (int64_t)k);
            sonde_cell_text(t, "ensemble");
            put_judged(&f, t);
        }
        probe_forget(&f);
        SONDE_TRY(s);
        progress(p, p->n_neurons + k, 2 * p->n_neurons);
    }
    return SONDE_OK;
}

/* The model's own answers as a line beside the ensembles. */
static void put_model(const probe *p, sonde_table *t) {
    int64_t right = 0;
    for (int64_t i = 0; i < p->n; i++) right += p->part[i] == PART_TEST && p->best[i] == p->yes[i];
    const share s = share_of(right, probe_count(p, PART_TEST));
    for (size_t k = 1; k <= p->n_neurons; k++) {
        sonde_table_row(t);
        sonde_cell_int(t, (int64_t)k);
        sonde_cell_text(t, "model");
        sonde_cell_float(t, s.at);
        sonde_cell_float(t, s.low);
        sonde_cell_float(t, s.high);
        sonde_cell_null(t);
    }
}

sonde_status probe_put_neurons(const probe *p, sonde_result *out, sonde_error *err) {
    static const char *const number_names[] = { "accuracy", "low", "high", "auc" };
    int64_t     *column = ROOM(int64_t, p->n_neurons);
    sonde_table *t = single_table(out);
    sonde_status s = put_singles(p, t, column, err);
    t = sonde_result_table(out, "ensembles");
    sonde_table_column(t, "k", SONDE_INT, "neuron");
    sonde_table_column(t, "by", SONDE_TEXT, "");
    float_columns(t, number_names, sizeof number_names / sizeof *number_names);
    if (s == SONDE_OK) s = put_ensembles(p, t, column, err);
    if (s == SONDE_OK) put_model(p, t);
    free(column);
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_SCATTER, .of = "probes", .x = "rank", .y = "accuracy", .value = "kind",
                                            .title = "Single neurons, by their rank in validation" });
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "ensembles", .x = "k", .y = "by", .value = "accuracy",
                                            .low = "low", .high = "high", .title = "The best k neurons together, and the model itself" });
    return s;
}

/* ---- sites ---- */

static void put_place(const probe_fit *f, const places *all, size_t i, sonde_table *t) {
    const place *x = &all->at[i];
    sonde_table_row(t);
    sonde_cell_text(t, x->name);
    if (x->block < 0) sonde_cell_null(t);
    else sonde_cell_int(t, x->block);
    sonde_cell_float(t, all->n > 1 ? (double)i / (double)(all->n - 1) : 0);
    sonde_cell_float(t, probe_share(f, PART_TRAIN).at);
    sonde_cell_float(t, probe_share(f, PART_VALIDATION).at);
    put_judged(f, t);
}

sonde_status probe_put_places(const probe *p, sonde_result *out, sonde_error *err) {
    static const char *const number_names[] = { "depth", "train_accuracy", "validation_accuracy", "accuracy", "low", "high", "auc" };
    sonde_table *t = sonde_result_table(out, "layers");
    sonde_table_column(t, "site", SONDE_TEXT, "");
    sonde_table_column(t, "layer", SONDE_INT, "");
    float_columns(t, number_names, sizeof number_names / sizeof *number_names);
    int64_t first = 0;
    for (size_t i = 0; i < p->place.n; i++) {
        const int64_t width = p->place.at[i].width;
        int64_t *column = ROOM(int64_t, width);
        for (int64_t k = 0; k < width; k++) column[k] = first + k;
        probe_fit f;
        const sonde_status s = probe_learn(&f, p, column, width, err);
        if (s == SONDE_OK) put_place(&f, &p->place, i, t);
        probe_forget(&f);
        free(column);
        SONDE_TRY(s);
        first += width;
        progress(p, i + 1, p->place.n);
    }
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "layers", .x = "depth", .value = "accuracy", .low = "low",
                                            .high = "high", .title = "Share of examples judged right, over depth" });
    return SONDE_OK;
}
