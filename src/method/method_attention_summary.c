#include "method_attention_summary.h"
#include "room.h"
#include <math.h>

static const char *const figures[] = { "mean", "median", "variance", "max", "min", "q1", "q3" };
enum { MEAN, MEDIAN, VARIANCE, MAX, MIN, Q1, Q3, FIGURES };

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear between neighbours, as numpy's default. */
static double quantile(const double *sorted, size_t n, double q) {
    const double at = (double)(n - 1) * q;
    const size_t below = (size_t)at, above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (sorted[above] - sorted[below]) * (at - (double)below);
}

static void describe(double *x, size_t n, double out[FIGURES]) {
    double sum = 0, squares = 0;
    qsort(x, n, sizeof *x, ascending);
    for (size_t i = 0; i < n; i++) sum += x[i];
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    out[MEAN] = mean;
    out[MEDIAN] = x[(n - 1) / 2];
    out[VARIANCE] = n > 1 ? squares / (double)(n - 1) : NAN;
    out[MAX] = x[n - 1];
    out[MIN] = x[0];
    out[Q1] = quantile(x, n, .25);
    out[Q3] = quantile(x, n, .75);
}

static int64_t keys_of(const attention_pairs *p, int64_t i) { return p->causal ? i + 1 : p->keys; }

static sonde_table *pair_table(sonde_result *out, const char *name) {
    sonde_table *t = sonde_result_table(out, name);
    sonde_table_column(t, "position", SONDE_INT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "key", SONDE_INT, "");
    sonde_table_column(t, "key_token", SONDE_TOKEN, "");
    return t;
}

static void start_pair(const attention_pairs *p, sonde_table *t, int64_t i, int64_t s) {
    sonde_table_row(t);
    sonde_cell_int(t, i);
    sonde_cell_token(t, context_token(p->cx, p->query[i]));
    sonde_cell_int(t, s);
    sonde_cell_token(t, context_token(p->cx, p->key[s]));
}

static void views(sonde_result *out) {
    static const char *const titles[] = { "Mean over all heads, keys behind the first", "Median over all heads", "Variance over all heads",
                                          "Largest of all heads", "Smallest of all heads" };
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_BOXES, .of = "pattern",
                                            .title = "What all heads give to each pair of positions" });
    for (int f = MEAN; f <= MIN; f++)
        sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "summary", .x = "key", .y = "position",
                                                .value = figures[f], .title = titles[f] });
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "summary_first", .x = "position", .value = "mean",
                                            .low = "q1", .high = "q3", .title = "Attention to the first token: mean and quartiles of all heads" });
}

void attention_put_summary(const attention_pairs *p, sonde_result *out) {
    const int64_t n = p->n;
    sonde_table  *rest = pair_table(out, "summary"), *first = pair_table(out, "summary_first");
    double       *x = ROOM(double, p->count);
    for (int f = 0; f < FIGURES; f++) {
        sonde_table_column(rest, figures[f], SONDE_FLOAT, "");
        sonde_table_column(first, figures[f], SONDE_FLOAT, "");
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t s = 0; s < keys_of(p, i); s++) {
            double said[FIGURES];
            sonde_table *t = s ? rest : first;
            for (size_t h = 0; h < p->count; h++) x[h] = (double)p->pattern[((int64_t)h * n + i) * p->keys + s];
            describe(x, p->count, said);
            start_pair(p, t, i, s);
            for (int f = 0; f < FIGURES; f++) sonde_cell_float(t, said[f]);
        }
    free(x);
    views(out);
}

void attention_put_values(const attention_pairs *p, attention_names names, sonde_result *out) {
    const int64_t n = p->n;
    sonde_table  *t = sonde_result_table(out, "values");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "head", SONDE_INT, "");
    sonde_table_column(t, "position", SONDE_INT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "key", SONDE_INT, "");
    sonde_table_column(t, "key_token", SONDE_TOKEN, "");
    sonde_table_column(t, "attention", SONDE_FLOAT, "");
    for (size_t h = 0; h < p->count; h++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t s = 0; s < keys_of(p, i); s++) {
                sonde_table_row(t);
                sonde_cell_int(t, names.layer[h / names.n_heads]);
                sonde_cell_int(t, names.head[h % names.n_heads]);
                sonde_cell_int(t, i);
                sonde_cell_token(t, context_token(p->cx, p->query[i]));
                sonde_cell_int(t, s);
                sonde_cell_token(t, context_token(p->cx, p->key[s]));
                sonde_cell_float(t, (double)p->pattern[((int64_t)h * n + i) * p->keys + s]);
            }
}
