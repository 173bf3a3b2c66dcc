/* Vectors as points in two or three dimensions: a prompt's at a site and its layers, the vocabulary, the positions
 * (LLM-Architecture's plot_token_embeddings; features.md 5). PCA is exact; t-SNE is exact and starts from it. */
#include "dry.h"
#include "pca.h"
#include "room.h"
#include "site_rows.h"
#include "tsne.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { PROJ_SITE, PROJ_LAYERS, PROJ_VOCABULARY, PROJ_POSITIONS, PROJ_UNEMBEDDING, PROJ_ROWS, PROJ_BY, PROJ_DIMS,
       PROJ_PERPLEXITY, PROJ_ITERATIONS, PROJ_START };
enum { MOST_TSNE = 5000, KL_EVERY = 50 };

static const param params[] = {
    [PROJ_SITE] = { "site", PARAM_SITE, "hook_resid_post", 0, 0, "of a prompt: one kind of site, t d; attn.hook_z[:,HEAD]" },
    [PROJ_LAYERS] = { "layers", PARAM_LAYERS, "all", 0, 0, "of a prompt: blocks whose vectors are points" },
    [PROJ_VOCABULARY] = { "vocabulary", PARAM_FLAG, "", 0, 0, "the token embeddings instead of a prompt" },
    [PROJ_POSITIONS] = { "positions", PARAM_FLAG, "", 0, 0, "the position embeddings instead" },
    [PROJ_UNEMBEDDING] = { "unembedding", PARAM_FLAG, "", 0, 0, "the vectors of the unembedding instead" },
    [PROJ_ROWS] = { "rows", PARAM_NUMBERS, "all", 0, 0, "of a table: which ids or positions" },
    [PROJ_BY] = { "by", PARAM_TEXT, "pca", 0, 0, "pca or tsne" },
    [PROJ_DIMS] = { "dims", PARAM_INT, "2", 2, 3, "dimensions of the picture" },
    [PROJ_PERPLEXITY] = { "perplexity", PARAM_REAL, "", 1, 1e4, "tsne: neighbours that count; default 30 or (n - 1)/3" },
    [PROJ_ITERATIONS] = { "iterations", PARAM_INT, "1000", 250, 1e6, "tsne: steps of descent" },
    [PROJ_START] = { "start", PARAM_TEXT, "pca", 0, 0, "tsne: pca, or random by --seed" },
    { 0 },
};

typedef struct {
    sonde_context *cx;
    bool           of_prompt, tsne, drawn;          /* drawn: t-SNE starts from random places */
    site_rows      rows;
    vectors        table;
    long          *row; size_t n_rows;              /* of the table, in the order written; all of them: NULL */
    float         *x;                               /* those rows, where not all are points or t-SNE needs them */
    points         p;
    int            dims;
    double         perplexity;
    int64_t        iterations;
    double        *y;                               /* [n, dims] */
    double        *norm;                            /* [n] of the vectors of a table */
    sonde_table   *kl;
    tsne_state     state;
} project;

/* ---- which points ---- */

static sonde_status check_source(const project *j, const value *args, sonde_error *err) {
    const long tables = args[PROJ_VOCABULARY].i + args[PROJ_POSITIONS].i + args[PROJ_UNEMBEDDING].i;
    SONDE_FAIL_IF(tables > 1 || (tables && j->cx->n_prompts), err, SONDE_USAGE,
                  "expected one of a prompt, --vocabulary, --positions and --unembedding");
    SONDE_FAIL_IF(!tables && !j->cx->n_prompts, err, SONDE_USAGE,
                  "no points, expected a prompt, --vocabulary, --positions or --unembedding");
    SONDE_FAIL_IF(tables && (args[PROJ_SITE].given || args[PROJ_LAYERS].given || j->cx->n_edits), err, SONDE_USAGE,
                  "site, layers and edits belong to a prompt, expected none of them beside a table");
    SONDE_FAIL_IF(!tables && args[PROJ_ROWS].given, err, SONDE_USAGE,
                  "rows: it is of a table, expected none beside a prompt");
    return SONDE_OK;
}

static sonde_status take_row(void *user, int64_t first, int64_t rows, const float *x, sonde_error *err) {
    (void)err;
    project *j = user;
    for (size_t i = 0; i < j->n_rows; i++) {
        const int64_t at = j->row[i] - first;
        if (at >= 0 && at < rows) memcpy(j->x + (int64_t)i * j->p.d, x + at * j->p.d, (size_t)j->p.d * sizeof *x);
    }
    return SONDE_OK;
}

/* All rows stay where they are, unless t-SNE asks for their distances. */
static sonde_status open_table(project *j, const value *args, sonde_error *err) {
    const char *of = args[PROJ_VOCABULARY].i ? "embed" : args[PROJ_POSITIONS].i ? "pos" : "unembed";
    SONDE_TRY(vectors_open(&j->table, j->cx, of, err));
    SONDE_TRY(param_numbers(&params[PROJ_ROWS], args[PROJ_ROWS].text, (long)j->table.n, &j->row, &j->n_rows, err));
    j->p = (points){ .cx = j->cx, .n = (int64_t)j->n_rows, .d = j->table.d, .table = &j->table };
    return SONDE_OK;
}

static sonde_status open_prompt(project *j, const value *args, sonde_error *err) {
    const site_rows_query q = { args[PROJ_SITE].text, args[PROJ_LAYERS].text, &params[PROJ_LAYERS] };
    SONDE_TRY(site_rows_open(&j->rows, j->cx, &q, err));
    j->p = (points){ .cx = j->cx, .n = (int64_t)j->rows.n * j->rows.positions, .d = j->rows.width };
    return SONDE_OK;
}

static sonde_status read_points(project *j, sonde_error *err) {
    if (j->of_prompt) {
        SONDE_TRY(site_rows_run(&j->rows, NULL, err));
        j->p.x = j->rows.data;
        return SONDE_OK;
    }
    if (!j->tsne && j->p.n == j->table.n) return SONDE_OK;      /* in their own order: all of them, each once */
    j->x = ROOM(float, j->p.n * j->p.d);
    SONDE_TRY(vectors_each(&j->table, &(vectors_walk){ 0, j->table.n, "rows", take_row, j }, err));
    j->p.x = j->x;
    return SONDE_OK;
}

/* ---- how ---- */

static sonde_status check_tsne(project *j, const value *args, sonde_error *err) {
    const double most = (double)(j->p.n - 1) / 3;
    SONDE_FAIL_IF(j->p.n > MOST_TSNE, err, SONDE_USAGE,
                  "tsne of %" PRId64 " points, expected at most %d: choose --%s, or --by pca", j->p.n, MOST_TSNE,
                  j->of_prompt ? "layers" : "rows");
    SONDE_FAIL_IF(j->p.n < 4, err, SONDE_USAGE, "tsne of %" PRId64 " points, expected at least 4", j->p.n);
    j->perplexity = args[PROJ_PERPLEXITY].given ? args[PROJ_PERPLEXITY].real : most < 30 ? most : 30;
    SONDE_FAIL_IF(j->perplexity > most, err, SONDE_USAGE,
                  "perplexity: %.6g, expected at most %.6g ((n - 1)/3 of %" PRId64 " points)", j->perplexity, most, j->p.n);
    return SONDE_OK;
}

static sonde_status check_how(project *j, const value *args, sonde_error *err) {
    const char *by = args[PROJ_BY].text, *start = args[PROJ_START].text;
    SONDE_FAIL_IF(strcmp(by, "pca") != 0 && strcmp(by, "tsne") != 0, err, SONDE_USAGE,
                  "by: \"%.40s\", expected pca or tsne", by);
    SONDE_FAIL_IF(strcmp(start, "pca") != 0 && strcmp(start, "random") != 0, err, SONDE_USAGE,
                  "start: \"%.40s\", expected pca or random", start);
    j->tsne = !strcmp(by, "tsne");
    j->drawn = !strcmp(start, "random");
    j->dims = (int)args[PROJ_DIMS].i;
    j->iterations = args[PROJ_ITERATIONS].i;
    const bool words = args[PROJ_PERPLEXITY].given || args[PROJ_ITERATIONS].given || args[PROJ_START].given;
    SONDE_FAIL_IF(!j->tsne && words, err, SONDE_USAGE, "perplexity, iterations and start belong to --by tsne");
    return j->tsne ? check_tsne(j, args, err) : SONDE_OK;
}

static void put_components(const project *j, const pca *c, sonde_result *out) {
    const int64_t most = j->cx->top > j->dims ? j->cx->top : j->dims;
    sonde_table *t = sonde_result_table(out, "components");
    sonde_table_column(t, "component", SONDE_INT, "");
    sonde_table_column(t, "variance", SONDE_FLOAT, "");
    sonde_table_column(t, "share", SONDE_FLOAT, "");
    for (int64_t i = 0; i < most && i < c->n_variances; i++) {
        sonde_table_row(t);
        sonde_cell_int(t, i + 1);
        sonde_cell_float(t, c->variance[i]);
        if (c->total > 0) sonde_cell_float(t, c->variance[i] / c->total);
    }
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = "components", .x = "component", .value = "share",
                                            .title = "Share of the variance that each component explains" });
}

static sonde_status by_pca(project *j, sonde_result *out, sonde_error *err) {
    pca c;
    const sonde_status s = pca_make(&c, &j->p, j->dims, err);
    if (s == SONDE_OK && !j->tsne) put_components(j, &c, out);
    j->y = c.y;
    c.y = NULL;
    pca_free(&c);
    return s;
}

static void put_kl(project *j, int64_t done, const double *y) {
    sonde_table_row(j->kl);
    sonde_cell_int(j->kl, done);
    sonde_cell_float(j->kl, tsne_divergence(&j->state, y));
}

static bool tsne_point(void *user, int64_t done) {
    const project *j = user;
    j->cx->progress(j->cx->progress_user, "distances", done, j->p.n);
    return !sonde_session_stopped(j->cx->session);
}

static bool tsne_step(void *user, int64_t done, const double *y) {
    project *j = user;
    j->cx->progress(j->cx->progress_user, "iterations", done, j->iterations);
    if (done % KL_EVERY == 0 || done == j->iterations) put_kl(j, done, y);
    return !sonde_session_stopped(j->cx->session);
}

static bool flat(const project *j) {
    for (int64_t i = 1; i < j->p.n; i++)
        if (j->y[i * j->dims] != j->y[0]) return false;
    return true;
}

typedef struct { double rate, exaggeration; int64_t done; } tsne_end;

static void put_tsne(const project *j, const tsne_end *end, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "tsne");
    sonde_table_column(t, "points", SONDE_INT, "");
    sonde_table_column(t, "perplexity", SONDE_FLOAT, "");
    sonde_table_column(t, "learning_rate", SONDE_FLOAT, "");
    sonde_table_column(t, "exaggeration", SONDE_FLOAT, "");
    sonde_table_column(t, "iterations", SONDE_INT, "");
    sonde_table_column(t, "start", SONDE_TEXT, "");
    sonde_table_column(t, "kl_nats", SONDE_FLOAT, "nat");
    sonde_table_row(t);
    sonde_cell_int(t, j->p.n);
    sonde_cell_float(t, j->perplexity);
    sonde_cell_float(t, end->rate);
    sonde_cell_float(t, end->exaggeration);
    sonde_cell_int(t, end->done);
    sonde_cell_text(t, j->drawn ? "random" : "pca");
    sonde_cell_float(t, tsne_divergence(&j->state, j->y));
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "kl", .x = "iteration", .value = "kl_nats",
                                            .title = "Divergence of the picture from the points" });
}

static sonde_status by_tsne(project *j, sonde_result *out, sonde_error *err) {
    const int64_t n = j->p.n;
    const double  rate = tsne_rate(n);
    SONDE_TRY(by_pca(j, out, err));
    if (flat(j)) j->drawn = true;                   /* points that are all the same have no components to start from */
    if (j->drawn) tsne_start_random(j->y, n, j->dims, j->cx->seed);
    else tsne_start_scaled(j->y, n, j->dims);
    const tsne_input in = { j->p.x, n, j->p.d, j->perplexity, tsne_point, j };
    double *p = tsne_joint(&in);
    SONDE_FAIL_IF(!p, err, SONDE_CANCELLED, "interrupted");
    j->state = (tsne_state){ .p = p, .n = n, .dims = j->dims, .exaggeration = 1 };
    j->kl = sonde_result_table(out, "kl");
    sonde_table_column(j->kl, "iteration", SONDE_INT, "");
    sonde_table_column(j->kl, "kl_nats", SONDE_FLOAT, "nat");
    const tsne_walk walk = { .iterations = j->iterations, .rate = rate, .step = tsne_step, .user = j };
    tsne_end end = { .rate = rate };
    end.done = tsne_descend(&j->state, &walk, j->y, &end.exaggeration);
    put_tsne(j, &end, out);
    free(p);
    SONDE_FAIL_IF(end.done < j->iterations, err, SONDE_CANCELLED, "interrupted");
    return SONDE_OK;
}

/* ---- the result ---- */

static sonde_status take_norm(void *user, int64_t first, int64_t rows, const float *x, sonde_error *err) {
    (void)err;
    project *j = user;
    for (int64_t i = 0; i < rows; i++) {
        double squares = 0;
        for (int64_t k = 0; k < j->p.d; k++) squares += (double)x[i * j->p.d + k] * (double)x[i * j->p.d + k];
        j->norm[first + i] = sqrt(squares);
    }
    return SONDE_OK;
}

static void put_place(const project *j, sonde_table *t, int64_t i) {
    for (int c = 0; c < j->dims; c++) sonde_cell_float(t, j->y[i * j->dims + c]);
}

static void place_columns(const project *j, sonde_table *t) {
    static const char *const names[3] = { "x", "y", "z" };
    for (int c = 0; c < j->dims && c < 3; c++) sonde_table_column(t, names[c], SONDE_FLOAT, "");
}

static void draw(const project *j, sonde_result *out, sonde_drawing v) {
    v.kind = SONDE_VIEW_SCATTER;
    v.of = "points";
    v.x = "x";
    v.y = "y";
    v.z = j->dims == 3 ? "z" : NULL;
    sonde_result_view(out, v);
}

static void put_prompt(const project *j, sonde_result *out) {
    const site_rows *r = &j->rows;
    sonde_table *t = sonde_result_table(out, "points");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "site", SONDE_TEXT, "");
    sonde_table_column(t, "position", SONDE_INT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    place_columns(j, t);
    sonde_table_column(t, "state", SONDE_TEXT, "");
    for (int64_t i = 0; i < j->p.n; i++) {
        const site_row *at = &r->at[i / r->positions];
        sonde_table_row(t);
        if (at->block >= 0) sonde_cell_int(t, at->block);
        else sonde_cell_null(t);
        sonde_cell_text(t, at->name);
        sonde_cell_int(t, i % r->positions);
        sonde_cell_token(t, context_token(j->cx, j->cx->prompts[0].tokens.id[i % r->positions]));
        put_place(j, t, i);
        sonde_cell_text(t, at->state);
    }
    if (r->n == 1) {
        draw(j, out, (sonde_drawing){ .label = "token", .value = "position", .title = "Tokens, coloured by position" });
        return;
    }
    draw(j, out, (sonde_drawing){ .label = "token", .value = "layer", .title = "Tokens, coloured by layer" });
    draw(j, out, (sonde_drawing){ .label = "token", .value = "position", .panel = "state",
                                  .title = "The same layer by layer, coloured by position" });
}

static sonde_status put_table(project *j, sonde_result *out, sonde_error *err) {
    const bool   tokens = vectors_are_tokens(&j->table);
    sonde_table *t = sonde_result_table(out, "points");
    j->norm = ROOM(double, j->p.n);
    SONDE_TRY(points_each(&j->p, "rows measured", take_norm, j, err));
    sonde_table_column(t, tokens ? "id" : "position", SONDE_INT, "");
    if (tokens) sonde_table_column(t, "token", SONDE_TOKEN, "");
    if (tokens) sonde_table_column(t, "padded", SONDE_BOOL, "");
    place_columns(j, t);
    sonde_table_column(t, "norm", SONDE_FLOAT, "");
    for (int64_t i = 0; i < j->p.n; i++) {
        const int64_t id = j->p.x ? j->row[i] : i;
        sonde_table_row(t);
        sonde_cell_int(t, id);
        if (tokens) sonde_cell_token(t, context_token(j->cx, (int32_t)id));
        if (tokens) sonde_cell_bool(t, id >= j->table.known);
        put_place(j, t, i);
        sonde_cell_float(t, j->norm[i]);
    }
    draw(j, out, tokens ? (sonde_drawing){ .label = "token", .value = "norm", .title = "Tokens, coloured by norm" }
                        : (sonde_drawing){ .label = "position", .value = "position", .title = "Positions" });
    return SONDE_OK;
}

static sonde_status dry(project *j, sonde_result *out, sonde_error *err) {
    const double n = (double)j->p.n, d = (double)j->p.d, steps = (double)j->iterations;
    if (j->of_prompt) return site_rows_dry(&j->rows, out, err);
    const double least = n < d ? n : d;
    const double flops = n * d * least + 9 * least * least * least + (j->tsne ? n * n * (3 * d + 20 * steps) : 0);
    const double bytes = 8 * least * least + (j->tsne ? 8 * n * n + 4 * n * d : 0);
    dry_cost(out, 0, (sonde_cost){ flops, j->p.n, (int64_t)bytes });
    return SONDE_OK;
}

static sonde_status project_all(project *j, const value *args, sonde_result *out, sonde_error *err) {
    SONDE_TRY(check_source(j, args, err));
    j->of_prompt = j->cx->n_prompts > 0;
    SONDE_TRY(j->of_prompt ? open_prompt(j, args, err) : open_table(j, args, err));
    SONDE_TRY(check_how(j, args, err));
    SONDE_FAIL_IF(j->p.n < 2, err, SONDE_USAGE, "1 point, expected at least 2 to lie apart");
    if (j->cx->dry_run) return dry(j, out, err);
    SONDE_TRY(read_points(j, err));
    const sonde_status s = j->tsne ? by_tsne(j, out, err) : by_pca(j, out, err);
    if (s != SONDE_OK && !(s == SONDE_CANCELLED && j->kl)) return s;
    if (j->of_prompt) put_prompt(j, out);
    else SONDE_TRY(put_table(j, out, err));
    return s;
}

extern const method method_project;

static sonde_status project_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    project j = { .cx = cx };
    context_head(cx, &method_project, out);
    const sonde_status s = project_all(&j, args, out, err);
    site_rows_close(&j.rows);
    free(j.row);
    free(j.x);
    free(j.y);
    free(j.norm);
    return s;
}

const method method_project = {
    .name = "project",
    .summary = "vectors as points of a picture, by PCA or t-SNE: a prompt's at every layer, the vocabulary, the positions",
    .reference = "PCA: Hotelling, Analysis of a Complex of Statistical Variables into Principal Components, 1933; t-SNE: "
                 "van der Maaten and Hinton, Visualizing Data using t-SNE, 2008",
    .formula = "PCA: x, y, z are the vector less the mean, times the eigenvectors of the covariance with the largest "
               "values; variance: the eigenvalue (divisor n - 1), share: of the sum of all; each component's largest number "
               "is positive; last bits may differ between machines (LAPACK). t-SNE: places with the least KL(P || Q), in "
               "nats, P from distances of the whole vectors at the perplexity, Q from 1/(1 + distance^2) in the picture; "
               "every pair counts, n <= 5000, perplexity <= (n - 1)/3; exaggeration: what P was multiplied by at first, 12 "
               "or less; distances between far groups mean nothing. norm: Euclidean",
    .example = "project \"When Mary and John went to the store, John gave a drink to\" --layers 0,3",
    .params = params,
    .takes = NEEDS_MODEL | TAKES_PROMPT | TAKES_EDITS,
    .run = project_run,
};
