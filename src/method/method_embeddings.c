/* What the tables of a model's vectors are like: all numbers, every dimension, the rows themselves (RevLLM's page of token
 * embeddings; features.md 2.4), and nearest neighbours and analogies over all rows.
 *
 * The table is read twice in blocks of rows: sums and counts first, central moments and quantiles then. */
#include "dry.h"
#include "embeddings.h"
#include "quantile.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { EMB_OF, EMB_FIRST, EMB_ROWS, EMB_NEAR, EMB_ANALOGY, EMB_BY };
enum { MOST_NUMBERS = 1 << 27 };

static const param params[] = {
    [EMB_OF] = { "of", PARAM_TEXT, "embed", 0, 0, "which table: embed, pos or unembed" },
    [EMB_FIRST] = { "first", PARAM_INT, "0", 0, 1e9, "the first row that is shown" },
    [EMB_ROWS] = { "rows", PARAM_INT, "1000", 1, 1e9, "how many rows are shown, as far as there are so many" },
    [EMB_NEAR] = { "near", PARAM_TEXT, "", 0, 0, "instead, the rows nearest to this token: a text, \"a JSON string\" or #ID" },
    [EMB_ANALOGY] = { "analogy", PARAM_TEXT, "", 0, 0, "\"a - b + c\": instead, the rows nearest to that sum of three tokens" },
    [EMB_BY] = { "by", PARAM_TEXT, "cosine", 0, 0, "what near means: cosine, euclid or dot" },
    { 0 },
};

typedef struct {
    vectors    v;
    double    *sum;                     /* [d] */
    double    *m2, *m3, *m4;            /* [d] sums of powers of the distance from the mean */
    double     min, max, mean, variance;
    int64_t    not_finite;
    quantiles *q;
    int64_t    first, rows;             /* shown */
    float     *shown;                   /* [rows, d] */
} embeddings;

static const double shares[] = { 0.001, 0.999 };

/* ---- two readings ---- */

static sonde_status take_sums(void *user, int64_t first, int64_t rows, const float *x, sonde_error *err) {
    (void)err;
    embeddings *e = user;
    for (int64_t i = 0; i < rows; i++) {
        const float *row = x + i * e->v.d;
        for (int64_t k = 0; k < e->v.d; k++) {
            e->sum[k] += (double)row[k];
            e->not_finite += !isfinite(row[k]);
            if ((double)row[k] < e->min) e->min = (double)row[k];
            if ((double)row[k] > e->max) e->max = (double)row[k];
        }
        const int64_t at = first + i - e->first;
        if (at >= 0 && at < e->rows) memcpy(e->shown + at * e->v.d, row, (size_t)e->v.d * sizeof *row);
    }
    quantiles_first(e->q, x, rows * e->v.d);
    return SONDE_OK;
}

static sonde_status take_moments(void *user, int64_t first, int64_t rows, const float *x, sonde_error *err) {
    (void)first;
    (void)err;
    embeddings *e = user;
    const int64_t d = e->v.d;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < d; k++) {
            const double z = (double)x[i * d + k] - e->sum[k] / (double)e->v.n, zz = z * z;
            e->m2[k] += zz;
            e->m3[k] += zz * z;
            e->m4[k] += zz * zz;
        }
    quantiles_second(e->q, x, rows * d);
    return SONDE_OK;
}

static sonde_status read_twice(embeddings *e, sonde_error *err) {
    const int64_t d = e->v.d;
    e->sum = ROOM(double, d);
    e->m2 = ROOM(double, d);
    e->m3 = ROOM(double, d);
    e->m4 = ROOM(double, d);
    e->min = INFINITY;
    e->max = -INFINITY;
    e->q = quantiles_new(shares, 2);
    SONDE_TRY(vectors_each(&e->v, &(vectors_walk){ 0, e->v.n, "rows, first reading", take_sums, e }, err));
    quantiles_turn(e->q);
    SONDE_TRY(vectors_each(&e->v, &(vectors_walk){ 0, e->v.n, "rows, second reading", take_moments, e }, err));
    for (int64_t k = 0; k < d; k++) e->mean += e->sum[k] / (double)e->v.n / (double)d;
    for (int64_t k = 0; k < d; k++) {
        const double off = e->sum[k] / (double)e->v.n - e->mean;
        e->variance += (e->m2[k] / (double)e->v.n + off * off) / (double)d;
    }
    return SONDE_OK;
}

/* ---- the result ---- */

static void put_statistics(const embeddings *e, sonde_result *out) {
    static const char *const names[] = { "min", "max", "mean", "sd", "quantile_0.001", "quantile_0.999", "range" };
    const double low = quantiles_value(e->q, 0), high = quantiles_value(e->q, 1);
    const double values[] = { e->min, e->max, e->mean, sqrt(e->variance), low, high, high - low };
    sonde_table *t = sonde_result_table(out, "statistics");
    sonde_table_column(t, "table", SONDE_TEXT, "");
    sonde_table_column(t, "rows", SONDE_INT, "");
    sonde_table_column(t, "width", SONDE_INT, "");
    sonde_table_column(t, "padded", SONDE_INT, "");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) sonde_table_column(t, names[i], SONDE_FLOAT, "");
    sonde_table_column(t, "not_finite", SONDE_INT, "");
    sonde_table_row(t);
    sonde_cell_text(t, e->v.name);
    sonde_cell_int(t, e->v.n);
    sonde_cell_int(t, e->v.d);
    sonde_cell_int(t, e->v.n - e->v.known);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) sonde_cell_float(t, values[i]);
    sonde_cell_int(t, e->not_finite);
}

static void put_dimensions(const embeddings *e, sonde_result *out) {
    static const char *const names[] = { "mean", "sd", "skew", "excess_kurtosis" };
    sonde_table *t = sonde_result_table(out, "dimensions");
    sonde_table_column(t, "dim", SONDE_INT, "");
    for (int i = 0; i < 4; i++) sonde_table_column(t, names[i], SONDE_FLOAT, "");
    for (int64_t k = 0; k < e->v.d; k++) {
        const double n = (double)e->v.n, variance = e->m2[k] / n, sd = sqrt(variance);
        sonde_table_row(t);
        sonde_cell_int(t, k);
        sonde_cell_float(t, e->sum[k] / n);
        sonde_cell_float(t, sd);
        if (variance == 0) continue;                /* one value: it has no shape */
        sonde_cell_float(t, e->m3[k] / n / (variance * sd));
        sonde_cell_float(t, e->m4[k] / n / (variance * variance) - 3);
    }
    static const struct { const char *value, *title; } lines[] = {
        { "mean", "Mean of each dimension over the rows" },
        { "sd", "Standard deviation of each dimension (population)" },
        { "excess_kurtosis", "Excess kurtosis of each dimension (0 is that of a normal distribution)" },
    };
    for (int i = 0; i < 3; i++)
        sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "dimensions", .x = "dim",
                                                .value = lines[i].value, .title = lines[i].title });
}

void embeddings_column(const vectors *v, sonde_table *t) {
    if (!vectors_are_tokens(v)) {
        sonde_table_column(t, "position", SONDE_INT, "");
        return;
    }
    sonde_table_column(t, "id", SONDE_INT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "padded", SONDE_BOOL, "");
}

void embeddings_cell(const vectors *v, sonde_table *t, int64_t i) {
    sonde_cell_int(t, i);
    if (!vectors_are_tokens(v)) return;
    sonde_cell_token(t, context_token(v->cx, (int32_t)i));
    sonde_cell_bool(t, i >= v->known);
}

static void put_rows(const embeddings *e, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "tokens");
    embeddings_column(&e->v, t);
    sonde_table_column(t, "norm", SONDE_FLOAT, "");
    sonde_table_column(t, "mean", SONDE_FLOAT, "");
    for (int64_t i = 0; i < e->rows; i++) {
        double squares = 0, sum = 0;
        for (int64_t k = 0; k < e->v.d; k++) {
            const double x = (double)e->shown[i * e->v.d + k];
            squares += x * x;
            sum += x;
        }
        sonde_table_row(t);
        embeddings_cell(&e->v, t, e->first + i);
        sonde_cell_float(t, sqrt(squares));
        sonde_cell_float(t, sum / (double)e->v.d);
    }
}

static void label_rows(const embeddings *e, sonde_array *a) {
    for (int64_t i = e->first; i < e->first + e->rows; i++) {
        char text[24];
        snprintf(text, sizeof text, "%" PRId64, i);
        if (vectors_are_tokens(&e->v)) sonde_array_label_token(a, 0, context_token(e->v.cx, (int32_t)i));
        else sonde_array_label_text(a, 0, text);
    }
}

/* The rows as grey pixels: the middle is 0, white and black are a whole range away. */
static void put_matrix(embeddings *e, sonde_result *out) {
    const bool    tokens = vectors_are_tokens(&e->v);
    const char   *axes = tokens ? "token dim" : "position dim";
    const int64_t dim[] = { e->rows, e->v.d };
    const double  range = quantiles_value(e->q, 1) - quantiles_value(e->q, 0);
    sonde_array  *matrix = sonde_result_array(out, "matrix", axes, dim);
    sonde_array  *values = sonde_result_array(out, "values", axes, dim);
    float *to = sonde_array_data(matrix);
    for (int64_t i = 0; i < e->rows * e->v.d; i++) {
        const double x = (double)e->shown[i], at = range > 0 ? 0.5 + x / (2 * range) : 0.5;
        to[i] = (float)(at < 0 ? 0 : at > 1 ? 1 : at);
    }
    memcpy(sonde_array_data(values), e->shown, (size_t)(e->rows * e->v.d) * sizeof *e->shown);
    label_rows(e, matrix);
    label_rows(e, values);
    sonde_array_quiet(matrix);
    sonde_array_quiet(values);
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "matrix", .x = "dim", .y = tokens ? "token" : "position",
                                            .title = "Standardised rows: 0.5 is 0, the ends are minus and plus the range" });
}

static sonde_status choose_rows(embeddings *e, const value *args, sonde_error *err) {
    e->first = args[EMB_FIRST].i;
    SONDE_FAIL_IF(e->first >= e->v.n, err, SONDE_USAGE, "first: %" PRId64 ", expected 0 to %" PRId64, e->first, e->v.n - 1);
    e->rows = args[EMB_ROWS].i;
    if (e->rows > e->v.n - e->first) e->rows = e->v.n - e->first;
    SONDE_FAIL_IF(e->rows * e->v.d > MOST_NUMBERS, err, SONDE_NOMEM, "rows: %" PRId64 " of %" PRId64
                  " numbers, expected at most %" PRId64 " rows", e->rows, e->v.d, MOST_NUMBERS / e->v.d);
    return SONDE_OK;
}

static sonde_status describe(embeddings *e, const value *args, sonde_result *out, sonde_error *err) {
    SONDE_TRY(choose_rows(e, args, err));
    if (e->v.cx->dry_run) {
        dry_cost(out, 0, (sonde_cost){ 14 * (double)e->v.n * (double)e->v.d, e->v.n, 12 * e->rows * e->v.d });
        return SONDE_OK;
    }
    e->shown = ROOM(float, e->rows * e->v.d);
    SONDE_TRY(read_twice(e, err));
    put_statistics(e, out);
    put_dimensions(e, out);
    put_matrix(e, out);
    put_rows(e, out);
    return SONDE_OK;
}

static sonde_status embeddings_all(embeddings *e, const value *args, sonde_result *out, sonde_error *err) {
    const sonde_context *cx = e->v.cx;
    const bool search = args[EMB_NEAR].given || args[EMB_ANALOGY].given;
    SONDE_FAIL_IF(args[EMB_NEAR].given && args[EMB_ANALOGY].given, err, SONDE_USAGE,
                  "near and analogy: expected one of them");
    SONDE_FAIL_IF(!search && args[EMB_BY].given, err, SONDE_USAGE,
                  "by: it is of --near and --analogy, expected one of them");
    SONDE_TRY(vectors_open(&e->v, cx, args[EMB_OF].text, err));
    char note[160];
    if (e->v.kind == VECTORS_UNEMBED && sonde_model_describe(cx->model)->tied)
        sonde_result_note(out, "the unembedding of this model is its embedding (tied)");
    snprintf(note, sizeof note, "%" PRId64 " of %" PRId64 " rows belong to no token (padded); they count in the statistics",
             e->v.n - e->v.known, e->v.n);
    if (e->v.known < e->v.n) sonde_result_note(out, note);
    if (!search) return describe(e, args, out, err);
    const near_query q = { .near = args[EMB_NEAR].given ? args[EMB_NEAR].text : NULL,
                           .analogy = args[EMB_ANALOGY].given ? args[EMB_ANALOGY].text : NULL,
                           .by = args[EMB_BY].text, .top = cx->top };
    return embeddings_near(&e->v, &q, out, err);
}

extern const method method_embeddings;

static sonde_status embeddings_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    embeddings e = { .v = { .cx = cx } };
    context_head(cx, &method_embeddings, out);
    const sonde_status s = embeddings_all(&e, args, out, err);
    free(e.sum);
    free(e.m2);
    free(e.m3);
    free(e.m4);
    free(e.shown);
    quantiles_free(e.q);
    return s;
}

const method method_embeddings = {
    .name = "embeddings",
    .summary = "the vectors of tokens and positions: statistics, every dimension, the matrix, neighbours, analogies",
    .reference = "analogies: Mikolov, Yih and Zweig, Linguistic Regularities in Continuous Space Word Representations, "
                 "2013; the picture of the matrix is that of RevLLM",
    .formula = "w: the numbers of the table --of. sd: population; quantile_p: number (n - 1) p in ascending order, "
               "interpolated linearly; range R = quantile_0.999 - quantile_0.001; skew = mean(((w - mean)/sd)^3), "
               "excess_kurtosis = mean(((w - mean)/sd)^4) - 3, of a dimension over all rows; norm: Euclidean; matrix = "
               "clip(0.5 + w/(2R), 0, 1). Neighbours, over all rows: cosine x.y/(|x||y|), euclid |x - y|, dot x.y, with x "
               "the token's row or a - b + c of three rows as they are stored; the tokens named are left out; padded: rows "
               "behind the tokenizer's last token",
    .example = "embeddings --near \" red\" --top 8",
    .params = params,
    .takes = NEEDS_MODEL,
    .run = embeddings_run,
};
