/* Tables, arrays and views of what was attributed. */
#include "method_attribute.h"
#include "rank_agreement.h"
#include "room.h"
#include <math.h>
#include <stdio.h>

typedef attribute_column column;

sonde_table *attribute_table(const attribute_tables *t, const char *name, const column *columns, size_t n) {
    sonde_table *x = sonde_result_table(t->out, name);
    if (t->rounds) sonde_table_column(x, t->rounds, !strcmp(t->rounds, "step") ? SONDE_INT : SONDE_TEXT, "");
    for (size_t i = 0; i < n; i++)
        if (columns[i].name) sonde_table_column(x, columns[i].name, columns[i].type, columns[i].unit);
    return x;
}
#define TABLE(name, columns) attribute_table(t, (name), (columns), sizeof (columns) / sizeof *(columns))

void attribute_row(const attribute_tables *t, const attribution *a, sonde_table *x, int64_t round) {
    sonde_table_row(x);
    if (!t->rounds) return;
    if (a->kind == ANSWERS_SPAN) sonde_cell_text(x, attribute_side_name[a->side[round]]);
    else sonde_cell_int(x, round);
}

void attribute_number(sonde_table *x, bool is, double v) {
    if (is && isfinite(v)) sonde_cell_float(x, v);
    else sonde_cell_null(x);
}

/* ---- tables and views ---- */

static void declare_views(const attribute_tables *t, const attribution *a) {
    const bool several = a->n_asked > 1;
    if (!a->n_asked) return;
    if (several || t->rounds)
        sonde_result_view(t->out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "tokens", .x = "position",
            .y = several ? "method" : t->rounds, .value = "share", .panel = several ? t->rounds : NULL,
            .title = "What each token adds to the answer" });
    else
        sonde_result_view(t->out, (sonde_drawing){ .kind = SONDE_VIEW_TOKENS, .of = "tokens", .x = "token", .value = "share",
            .title = "What each token adds to the answer" });
    sonde_result_view(t->out, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = "tokens", .x = "position", .value = "share",
        .panel = several ? "method" : t->rounds, .title = "Share of each token" });
    if (a->asked[WAY_ZEROING])
        sonde_result_view(t->out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "zeroing", .x = "position", .y = "layer",
            .value = "distance", .panel = t->rounds,
            .title = "How far the block's output moves without a token's values" });
}

void attribute_tables_make(attribute_tables *t, const attribution *a, sonde_result *out, int64_t rounds) {
    *t = (attribute_tables){ .out = out, .rounds = rounds < 2 ? NULL : a->kind == ANSWERS_SPAN ? "side" : "step" };
    const bool gradient = a->asked[WAY_GRADIENT];
    const column tokens[] = {
        { a->n_asked > 1 ? "method" : NULL, "", SONDE_TEXT }, { "position", "", SONDE_INT }, { "token", "", SONDE_TOKEN },
        { "score", "", SONDE_FLOAT }, { "share", "", SONDE_FLOAT }, { gradient ? "norm" : NULL, "", SONDE_FLOAT },
        { gradient ? "sum" : NULL, "", SONDE_FLOAT }, { gradient ? "times_input" : NULL, "", SONDE_FLOAT },
    };
    static const column completeness[] = {
        { "method", "", SONDE_TEXT }, { "position", "", SONDE_INT }, { "f_x", "", SONDE_FLOAT }, { "f_baseline", "", SONDE_FLOAT },
        { "sum", "", SONDE_FLOAT }, { "gap", "", SONDE_FLOAT }, { "gap_share", "", SONDE_FLOAT },
    };
    const bool label = a->kind == ANSWERS_LABELS;
    const column target[] = {
        { label ? "class" : "position", "", SONDE_INT }, { label ? "label" : "token", "", label ? SONDE_TEXT : SONDE_TOKEN }, { "logit", "", SONDE_FLOAT }, { "prob", "", SONDE_FLOAT },
    };
    static const column metric[] = { { "metric", "", SONDE_TEXT }, { "f_x", "", SONDE_FLOAT }, { "f_baseline", "", SONDE_FLOAT } };
    static const column agreement[] = {
        { "a", "", SONDE_TEXT }, { "b", "", SONDE_TEXT }, { "spearman", "", SONDE_FLOAT }, { "kendall", "", SONDE_FLOAT },
    };
    static const column moved[] = {
        { "site", "", SONDE_TEXT }, { "layer", "", SONDE_INT }, { "position", "", SONDE_INT }, { "token", "", SONDE_TOKEN },
        { "distance", "", SONDE_FLOAT },
    };
    static const column fit[] = { { "samples", "", SONDE_INT }, { "intercept", "", SONDE_FLOAT }, { "r2", "", SONDE_FLOAT } };
    if (a->n_asked) t->tokens = TABLE("tokens", tokens);
    attribute_layer_tables(t, a);
    if (a->asked[WAY_IG] || a->asked[WAY_SEQUENTIAL] || a->asked[WAY_DISCRETISED] || a->asked[WAY_OCCLUSION] || a->asked[WAY_SHAP])
        t->completeness = TABLE("completeness", completeness);
    t->target = TABLE("target", target);
    t->metric = TABLE("metric", metric);
    if (a->n_asked > 1) t->agreement = TABLE("agreement", agreement);
    if (a->asked[WAY_ZEROING]) t->zeroing = TABLE("zeroing", moved);
    if (a->asked[WAY_LIME]) t->fit = TABLE("fit", fit);
    declare_views(t, a);
}

/* ---- rows ---- */

double attribute_whole(const attribution *a, const double *score) {
    double l1 = 0, l2 = 0;
    for (int64_t i = 0; i < a->n; i++) {
        l1 += fabs(score[i]);
        l2 += score[i] * score[i];
    }
    return !strcmp(a->normalise, "none") ? 1 : !strcmp(a->normalise, "sum") ? l1 : sqrt(l2);
}

static void put_tokens(const attribute_tables *t, const attribution *a, attribute_way way, int64_t round) {
    const attribute_scores *s = &a->scores[way];
    const double whole = attribute_whole(a, s->score);
    for (int64_t i = 0; i < a->n; i++) {
        attribute_row(t, a, t->tokens, round);
        if (a->n_asked > 1) sonde_cell_text(t->tokens, attribute_way_name[way]);
        sonde_cell_int(t->tokens, i);
        sonde_cell_token(t->tokens, context_token(a->cx, a->tokens[i]));
        sonde_cell_float(t->tokens, s->score[i]);
        attribute_number(t->tokens, whole > 0, s->score[i] / whole);
        if (!s->norm) continue;
        sonde_cell_float(t->tokens, s->norm[i]);
        sonde_cell_float(t->tokens, s->sum[i]);
        sonde_cell_float(t->tokens, s->score[i]);
    }
}

static double gap_of(const attribute_check *c) { return c->sum - (c->f_x - c->f_baseline); }

static void warn(const attribute_tables *t, attribute_way way, const attribute_check *c, double worst) {
    char text[240], place[40] = "";
    if (c->position >= 0) snprintf(place, sizeof place, " at position %lld", (long long)c->position);
    snprintf(text, sizeof text, "%s: the sum misses F(x) - F(baseline) by %.2g %%%s (table completeness): take more --steps, "
             "or another --baseline",
             attribute_way_name[way], 100 * worst, place);
    sonde_result_note(t->out, text);
}

static void put_checks(const attribute_tables *t, const attribution *a, attribute_way way, int64_t round) {
    const attribute_scores *s = &a->scores[way];
    const bool path = way == WAY_IG || way == WAY_SEQUENTIAL || way == WAY_DISCRETISED;
    double worst = 0.01;
    const attribute_check *worst_check = NULL;
    for (int64_t i = 0; i < s->n_checks; i++) {
        const attribute_check *c = &s->check[i];
        const double whole = fabs(c->f_x - c->f_baseline), gap = gap_of(c);
        sonde_table *x = t->completeness;
        attribute_row(t, a, x, round);
        sonde_cell_text(x, attribute_way_name[way]);
        if (c->position >= 0) sonde_cell_int(x, c->position);
        else sonde_cell_null(x);
        sonde_cell_float(x, c->f_x);
        sonde_cell_float(x, c->f_baseline);
        sonde_cell_float(x, c->sum);
        sonde_cell_float(x, gap);
        attribute_number(x, whole > 0, gap / whole);
        if (!path || !(whole > 0) || !(fabs(gap) / whole > worst)) continue;
        worst = fabs(gap) / whole;
        worst_check = c;
    }
    if (worst_check) warn(t, way, worst_check, worst);
}

static void put_zeroing(const attribute_tables *t, const attribution *a, int64_t round) {
    for (int64_t l = 0; l < a->layer.n; l++)
        for (int64_t i = 0; i < a->n; i++) {
            char site[160];
            snprintf(site, sizeof site, "%s.%s", a->layer.at[l].name, a->end);
            attribute_row(t, a, t->zeroing, round);
            sonde_cell_text(t->zeroing, site);
            sonde_cell_int(t->zeroing, a->layer.at[l].block);
            sonde_cell_int(t->zeroing, i);
            sonde_cell_token(t->zeroing, context_token(a->cx, a->tokens[i]));
            sonde_cell_float(t->zeroing, (double)a->scores[WAY_ZEROING].layer[(l * a->n + a->position) * a->n + i]);
        }
}

static void put_fit(const attribute_tables *t, const attribution *a, int64_t round) {
    attribute_row(t, a, t->fit, round);
    sonde_cell_int(t->fit, a->samples);
    sonde_cell_float(t->fit, a->scores[WAY_LIME].intercept);
    attribute_number(t->fit, true, a->scores[WAY_LIME].r2);
}

static void put_agreement(const attribute_tables *t, const attribution *a, int64_t round) {
    for (int i = 0; i < WAYS; i++)
        for (int j = i + 1; j < WAYS; j++) {
            if (!a->scores[i].done || !a->scores[j].done) continue;
            attribute_row(t, a, t->agreement, round);
            sonde_cell_text(t->agreement, attribute_way_name[i]);
            sonde_cell_text(t->agreement, attribute_way_name[j]);
            attribute_number(t->agreement, true, rank_spearman(a->scores[i].score, a->scores[j].score, a->n));
            attribute_number(t->agreement, true, rank_kendall(a->scores[i].score, a->scores[j].score, a->n));
        }
}

static void put_target(const attribute_tables *t, const attribution *a, int64_t round) {
    for (int64_t i = 0; i < a->n_answers; i++) {
        const attribute_answer *y = &a->answer[i];
        attribute_row(t, a, t->target, round);
        sonde_cell_int(t->target, a->kind == ANSWERS_LABELS ? y->token : y->position);
        if (a->kind == ANSWERS_LABELS) sonde_cell_text(t->target, context_answer(a->cx, y->token).bytes);
        else sonde_cell_token(t->target, context_token(a->cx, a->kind == ANSWERS_SPAN ? a->tokens[y->position] : y->token));
        sonde_cell_float(t->target, y->logit);
        sonde_cell_float(t->target, y->prob);
    }
    attribute_row(t, a, t->metric, round);
    sonde_cell_text(t->metric, a->metric_shown);
    attribute_number(t->metric, true, a->f_x);
    attribute_number(t->metric, true, a->f_baseline);
}

/* ---- arrays, of a single step ---- */

static void put_layers(const attribute_tables *t, const attribution *a, const char *name, const float *data) {
    const int64_t dim[] = { a->layer.n, a->n, a->n };
    sonde_array *x = sonde_result_array(t->out, name, "layer t s", dim);
    memcpy(sonde_array_data(x), data, (size_t)(dim[0] * dim[1] * dim[2]) * sizeof *data);
    for (int64_t l = 0; l < a->layer.n; l++) {
        const char *dot = strchr(a->layer.at[l].name, '.');
        sonde_array_label_text(x, 0, dot ? dot + 1 : a->layer.at[l].name);
    }
    for (int axis = 1; axis < 3; axis++)
        for (int64_t i = 0; i < a->n; i++) sonde_array_label_token(x, axis, context_token(a->cx, a->tokens[i]));
    sonde_array_quiet(x);
}

static void put_matrix(const attribute_tables *t, const attribution *a) {
    int way[WAYS], n = 0;
    for (int i = 0; i < WAYS; i++)
        if (a->scores[i].done) way[n++] = i;
    if (n < 2) return;
    sonde_array *x = sonde_result_array(t->out, "spearman", "a b", (const int64_t[]){ n, n });
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            const double rho = rank_spearman(a->scores[way[i]].score, a->scores[way[j]].score, a->n);
            sonde_array_data(x)[i * n + j] = (float)rho;
            if (isnan(rho)) sonde_array_missing(x, i * n + j);
        }
        sonde_array_label_text(x, 0, attribute_way_name[way[i]]);
        sonde_array_label_text(x, 1, attribute_way_name[way[i]]);
    }
    sonde_result_view(t->out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "spearman", .x = "b", .y = "a",
                                               .title = "Do the methods rank the tokens alike? (Spearman)" });
}

static void put_arrays(const attribute_tables *t, const attribution *a) {
    if (a->scores[WAY_ZEROING].done) {
        put_layers(t, a, "value_zeroing", a->scores[WAY_ZEROING].layer);
        put_layers(t, a, "value_zeroing_rollout", a->scores[WAY_ZEROING].rolled);
    }
    if (a->scores[WAY_ROLLOUT].done) {
        put_layers(t, a, "rollout", a->scores[WAY_ROLLOUT].rolled);
        sonde_result_view(t->out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "rollout", .x = "s", .y = "t",
                                                   .title = "Attention rolled out up to each layer" });
    }
    if (a->n_asked > 1) put_matrix(t, a);
}

void attribute_put(attribute_tables *t, const attribution *a, int64_t round) {
    for (int way = 0; way < WAYS; way++) {
        if (!a->scores[way].done) continue;
        put_tokens(t, a, (attribute_way)way, round);
        put_checks(t, a, (attribute_way)way, round);
    }
    if (a->n_answers && a->metric_shown) put_target(t, a, round);
    if (a->n_asked > 1) put_agreement(t, a, round);
    if (a->scores[WAY_ZEROING].done) put_zeroing(t, a, round);
    if (a->scores[WAY_LIME].done) put_fit(t, a, round);
    attribute_put_top(t, a, round);
    attribute_put_layers(t, a, round);
    if (!t->rounds) put_arrays(t, a);
}
