/* Tables and views of layers: conductance by token and by number, histograms with common bins, sums by points; and the
 * tokens with the largest scores. */
#include "method_attribute.h"
#include "room.h"
#include <math.h>
#include <stdio.h>

typedef attribute_column column;
#define TABLE(name, columns) attribute_table(t, (name), (columns), sizeof (columns) / sizeof *(columns))

/* ---- tables and views ---- */

static void declare_views(const attribute_tables *t) {
    sonde_result_view(t->out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "conductance", .x = "position", .y = "layer",
        .value = "share", .panel = t->rounds, .title = "Conductance of each token by layer" });
    sonde_result_view(t->out, (sonde_drawing){ .kind = SONDE_VIEW_HISTOGRAM, .of = "bins", .x = "low", .high = "high", .y = "layer",
        .value = "count", .panel = t->rounds, .title = "Conductance of one token's numbers by layer, common bins" });
    sonde_result_view(t->out, (sonde_drawing){ .kind = SONDE_VIEW_SCATTER, .of = "layers", .x = "layer", .y = "token_sum",
        .value = "entropy_bits", .panel = t->rounds, .title = "Conductance of that token, and the entropy of its histogram" });
}

static void declare_layers(attribute_tables *t) {
    static const column conductance[] = {
        { "layer", "", SONDE_INT }, { "site", "", SONDE_TEXT }, { "position", "", SONDE_INT }, { "token", "", SONDE_TOKEN },
        { "score", "", SONDE_FLOAT }, { "share", "", SONDE_FLOAT },
    };
    static const column layers[] = {
        { "layer", "", SONDE_INT }, { "site", "", SONDE_TEXT }, { "sum", "", SONDE_FLOAT }, { "gap", "", SONDE_FLOAT },
        { "gap_share", "", SONDE_FLOAT }, { "position", "", SONDE_INT }, { "token", "", SONDE_TOKEN }, { "token_sum", "", SONDE_FLOAT },
        { "entropy_bits", "bits", SONDE_FLOAT },
    };
    static const column bins[] = {
        { "layer", "", SONDE_INT }, { "bin", "", SONDE_INT }, { "low", "", SONDE_FLOAT }, { "high", "", SONDE_FLOAT }, { "count", "", SONDE_INT },
    };
    t->conductance = TABLE("conductance", conductance);
    t->layers = TABLE("layers", layers);
    t->bins = TABLE("bins", bins);
    declare_views(t);
}

void attribute_layer_tables(attribute_tables *t, const attribution *a) {
    const column top[] = {
        { a->n_asked > 1 || a->conductance ? "method" : NULL, "", SONDE_TEXT }, { a->conductance ? "layer" : NULL, "", SONDE_INT },
        { "rank", "", SONDE_INT }, { "position", "", SONDE_INT }, { "token", "", SONDE_TOKEN }, { "score", "", SONDE_FLOAT },
        { "share", "", SONDE_FLOAT },
    };
    static const column convergence[] = {
        { "of", "", SONDE_TEXT }, { "points", "", SONDE_INT }, { "sum", "", SONDE_FLOAT }, { "gap", "", SONDE_FLOAT },
        { "error", "", SONDE_FLOAT },
    };
    if (a->conductance) declare_layers(t);
    t->top = TABLE("top", top);
    if (!a->convergence) return;
    t->convergence = TABLE("convergence", convergence);
    sonde_result_view(t->out, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "convergence", .x = "points", .y = "of", .value = "error",
        .panel = t->rounds, .logarithmic = true, .title = "How far the sum is from F(x) - F(b), by points on the path" });
}

/* ---- the largest scores ---- */

typedef struct { const double *score; const char *method; int64_t layer; } ranked;     /* layer -1: none */

static void put_ranks(const attribute_tables *t, const attribution *a, const ranked *r, int64_t round) {
    const double whole = attribute_whole(a, r->score);
    uint8_t *taken = ROOM(uint8_t, a->n);
    for (int64_t rank = 1; rank <= a->cx->top && rank <= a->n; rank++) {
        int64_t best = -1;
        for (int64_t i = 0; i < a->n; i++)
            if (!taken[i] && (best < 0 || r->score[i] > r->score[best])) best = i;
        taken[best] = 1;
        attribute_row(t, a, t->top, round);
        if (a->n_asked > 1 || a->conductance) sonde_cell_text(t->top, r->method);
        if (a->conductance && r->layer >= 0) sonde_cell_int(t->top, r->layer);
        else if (a->conductance) sonde_cell_null(t->top);
        sonde_cell_int(t->top, rank);
        sonde_cell_int(t->top, best);
        sonde_cell_token(t->top, context_token(a->cx, a->tokens[best]));
        attribute_number(t->top, true, r->score[best]);
        attribute_number(t->top, whole > 0, r->score[best] / whole);
    }
    free(taken);
}

void attribute_put_top(const attribute_tables *t, const attribution *a, int64_t round) {
    for (int way = 0; way < WAYS; way++)
        if (a->scores[way].done) put_ranks(t, a, &(ranked){ a->scores[way].score, attribute_way_name[way], -1 }, round);
    for (int64_t l = 0; l < a->stage.n && a->flow.done; l++)
        put_ranks(t, a, &(ranked){ a->flow.score + l * a->n, "conductance", a->stage.at[l].block }, round);
}

/* ---- one token's numbers ---- */

/* The token that has most of it over all layers. */
static int64_t detail_of(const attribution *a) {
    double  most = -1;
    int64_t at = 0;
    for (int64_t t = 0; t < a->n; t++) {
        double all = 0;
        for (int64_t l = 0; l < a->stage.n; l++) all += fabs(a->flow.score[l * a->n + t]);
        if (!(all > most)) continue;
        most = all;
        at = t;
    }
    return a->detail >= 0 ? a->detail : at;
}

/* Bins of one width from the least to the largest number of any layer. */
typedef struct { double low, width; int64_t n, *count; } histogram;     /* count [n] of one layer */

static const double *numbers_of(const attribution *a, int64_t stage, int64_t token) {
    return a->flow.value + (stage * a->n + token) * a->wide;
}

static histogram histogram_of(const attribution *a, int64_t token) {
    double low = INFINITY, high = -INFINITY;
    for (int64_t l = 0; l < a->stage.n; l++)
        for (int64_t j = 0; j < a->wide; j++) {
            low = fmin(low, numbers_of(a, l, token)[j]);
            high = fmax(high, numbers_of(a, l, token)[j]);
        }
    return (histogram){ low, (high - low) / (double)a->bins, a->bins, ROOM(int64_t, a->bins) };
}

static void count_layer(const attribution *a, histogram *h, int64_t stage, int64_t token) {
    memset(h->count, 0, (size_t)h->n * sizeof *h->count);
    for (int64_t j = 0; j < a->wide; j++) {
        const double  at = h->width > 0 ? (numbers_of(a, stage, token)[j] - h->low) / h->width : 0;
        const int64_t bin = at >= 0 ? (int64_t)fmin(at, (double)(h->n - 1)) : 0;
        h->count[bin]++;
    }
}

static double entropy_of(const histogram *h, int64_t numbers) {
    double bits = 0;
    for (int64_t i = 0; i < h->n; i++) {
        const double p = (double)h->count[i] / (double)numbers;
        if (p > 0) bits -= p * log2(p);
    }
    return bits;
}

/* ---- rows ---- */

static void put_conductance(const attribute_tables *t, const attribution *a, int64_t l, int64_t round) {
    const double *score = a->flow.score + l * a->n, whole = attribute_whole(a, score);
    for (int64_t i = 0; i < a->n; i++) {
        sonde_table *x = t->conductance;
        attribute_row(t, a, x, round);
        sonde_cell_int(x, a->stage.at[l].block);
        sonde_cell_text(x, a->stage.at[l].name);
        sonde_cell_int(x, i);
        sonde_cell_token(x, context_token(a->cx, a->tokens[i]));
        attribute_number(x, true, score[i]);
        attribute_number(x, whole > 0, score[i] / whole);
    }
}

static double sum_of(const attribution *a, int64_t l) {
    double sum = 0;
    for (int64_t i = 0; i < a->n; i++) sum += a->flow.score[l * a->n + i];
    return sum;
}

/* `gap` / |F(x) - F(b)| too. */
static void put_gap(sonde_table *x, const attribution *a, double sum) {
    const double whole = a->f_x - a->f_baseline, gap = sum - whole;
    attribute_number(x, true, sum);
    attribute_number(x, true, gap);
    attribute_number(x, whole != 0, gap / fabs(whole));
}

static void put_layer(const attribute_tables *t, const attribution *a, int64_t l, int64_t round) {
    const int64_t token = detail_of(a);
    histogram     h = histogram_of(a, token);
    count_layer(a, &h, l, token);
    attribute_row(t, a, t->layers, round);
    sonde_cell_int(t->layers, a->stage.at[l].block);
    sonde_cell_text(t->layers, a->stage.at[l].name);
    put_gap(t->layers, a, sum_of(a, l));
    sonde_cell_int(t->layers, token);
    sonde_cell_token(t->layers, context_token(a->cx, a->tokens[token]));
    attribute_number(t->layers, true, a->flow.score[l * a->n + token]);
    sonde_cell_float(t->layers, entropy_of(&h, a->wide));
    for (int64_t i = 0; i < h.n; i++) {
        if (!h.count[i]) continue;
        attribute_row(t, a, t->bins, round);
        sonde_cell_int(t->bins, a->stage.at[l].block);
        sonde_cell_int(t->bins, i);
        attribute_number(t->bins, true, h.low + (double)i * h.width);
        attribute_number(t->bins, true, h.low + (double)(i + 1) * h.width);
        sonde_cell_int(t->bins, h.count[i]);
    }
    free(h.count);
}

/* The numbers themselves, and a box for each layer. */
static void put_numbers(const attribute_tables *t, const attribution *a, int64_t round) {
    const int64_t token = detail_of(a), dim[] = { a->wide, 1, a->stage.n };
    char name[64], title[120], layer[24];
    const char *side = t->rounds && a->kind == ANSWERS_SPAN ? attribute_side_name[a->side[round]] : NULL;
    snprintf(name, sizeof name, "conductance_numbers%s%s", side ? "_" : "", side ? side : "");
    sonde_array *x = sonde_result_array(t->out, name, "dim position layer", dim);
    for (int64_t l = 0; l < a->stage.n; l++)
        for (int64_t j = 0; j < a->wide; j++) sonde_array_data(x)[j * a->stage.n + l] = (float)numbers_of(a, l, token)[j];
    sonde_array_label_token(x, 1, context_token(a->cx, a->tokens[token]));
    for (int64_t l = 0; l < a->stage.n; l++) {
        snprintf(layer, sizeof layer, "%d", a->stage.at[l].block);
        sonde_array_label_text(x, 2, layer);
    }
    sonde_array_quiet(x);
    snprintf(title, sizeof title, "Conductance of the numbers of position %lld by layer%s%s", (long long)token, side ? ", " : "",
             side ? side : "");
    sonde_result_view(t->out, (sonde_drawing){ .kind = SONDE_VIEW_BOXES, .of = name, .x = "layer", .y = "position", .title = title });
}

static void warn(const attribute_tables *t, const attribution *a) {
    const double whole = fabs(a->f_x - a->f_baseline);
    double  worst = 0.01;
    int64_t at = -1;
    char    text[240];
    for (int64_t l = 0; l < a->stage.n && whole > 0; l++) {
        const double off = fabs(sum_of(a, l) - (a->f_x - a->f_baseline)) / whole;
        if (!(off > worst)) continue;
        worst = off;
        at = l;
    }
    if (at < 0) return;
    snprintf(text, sizeof text, "conductance: the sum over layer %d misses F(x) - F(baseline) by %.2g %% (table layers): take %s",
             a->stage.at[at].block, 100 * worst, a->trapezoid ? "more --steps" : "--rule trapezoid, or more --steps");
    sonde_result_note(t->out, text);
}

typedef struct { const char *what; int64_t points; double sum; } sum_row;

static void put_sum(const attribute_tables *t, const attribution *a, const sum_row *s, int64_t round) {
    const double whole = a->f_x - a->f_baseline;
    sonde_table *x = t->convergence;
    attribute_row(t, a, x, round);
    sonde_cell_text(x, s->what);
    sonde_cell_int(x, s->points);
    attribute_number(x, true, s->sum);
    attribute_number(x, true, s->sum - whole);
    attribute_number(x, whole != 0, fabs(s->sum - whole) / fabs(whole));
}

static void put_convergence(const attribute_tables *t, const attribution *a, int64_t round) {
    for (int64_t i = 0; i < a->n_sums; i++) put_sum(t, a, &(sum_row){ a->sums[i].what, a->sums[i].points, a->sums[i].sum }, round);
    if (a->scores[WAY_IG].done)
        put_sum(t, a, &(sum_row){ attribute_way_name[WAY_IG], a->steps, a->scores[WAY_IG].check[0].sum }, round);
    for (int64_t l = 0; l < a->stage.n && a->flow.done; l++)
        put_sum(t, a, &(sum_row){ a->stage.at[l].name, a->steps, sum_of(a, l) }, round);
}

void attribute_put_layers(const attribute_tables *t, const attribution *a, int64_t round) {
    for (int64_t l = 0; l < a->stage.n && a->flow.done; l++) {
        put_conductance(t, a, l, round);
        put_layer(t, a, l, round);
    }
    if (a->flow.done) {
        warn(t, a);
        if (!t->rounds || a->kind == ANSWERS_SPAN) put_numbers(t, a, round);
    }
    if (t->convergence) put_convergence(t, a, round);
}
