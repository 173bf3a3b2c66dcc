/* Tables and pictures of method_heads. */
#include "method_heads.h"
#include "room.h"
#include <math.h>
#include <stdio.h>

static const struct { int figure; const char *name, *se, *unit, *title; } shown[] = {
    { SCORE_PREVIOUS, "previous", "previous_se", "", "Attention to the token before" },
    { HEADS_MASS, "previous_k_mass", "previous_k_mass_se", "", "Attention to the last tokens together" },
    { HEADS_MASS_NO_BOS, "previous_k_mass_no_bos", "previous_k_mass_no_bos_se", "",
      "The same as a share of what is not on position 0" },
    { SCORE_FIRST, "first", "first_se", "", "Attention to position 0" },
    { SCORE_SELF, "self", "self_se", "", "Attention to the token itself" },
    { SCORE_DUPLICATE, "duplicate", "duplicate_se", "", "Attention to earlier places of the token" },
    { SCORE_INDUCTION, "induction_text", "induction_text_se", "", "Attention to what followed earlier places of the token" },
    { SCORE_ENTROPY, "entropy_bits", "entropy_bits_se", "bit", "Entropy of the pattern, in bits" },
    { SCORE_DISTANCE, "mean_distance", "mean_distance_se", "token", "How far back a head looks, in tokens" },
};
enum { SHOWN = sizeof shown / sizeof *shown };

static double depth_of(const heads_work *w, size_t layer) {
    const int64_t layers = sonde_model_describe(w->cx.model)->layers;
    return (double)w->heads.layer[layer] / (layers > 1 ? (double)(layers - 1) : 1);
}

static void figure_columns(const heads_work *w, sonde_table *t) {
    for (size_t i = 0; i < SHOWN; i++) {
        if (!w->has[shown[i].figure]) continue;
        sonde_table_column(t, shown[i].name, SONDE_FLOAT, shown[i].unit);
        sonde_table_column(t, shown[i].se, SONDE_FLOAT, shown[i].unit);
    }
}

static void put_figures(const heads_work *w, sonde_table *t, const ratio *r) {
    for (size_t i = 0; i < SHOWN; i++)
        if (w->has[shown[i].figure]) ratio_put(t, &r[shown[i].figure]);
}

static void heatmap(sonde_result *out, const char *column, const char *title) {
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "heads", .x = "head", .y = "layer",
                                            .value = column, .title = title });
}

static void put_heads(const heads_work *w, const joiner_score *joiner, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "heads");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "head", SONDE_INT, "");
    sonde_table_column(t, "depth", SONDE_FLOAT, "");
    figure_columns(w, t);
    if (w->has[HEADS_HAS_RANDOM]) sonde_table_column(t, "induction", SONDE_FLOAT, "");
    if (joiner) sonde_table_column(t, "subjoiner", SONDE_FLOAT, "");
    for (size_t i = 0; i < w->n; i++) {
        sonde_table_row(t);
        sonde_cell_int(t, w->heads.layer[i / w->heads.n_heads]);
        sonde_cell_int(t, w->heads.head[i % w->heads.n_heads]);
        sonde_cell_float(t, depth_of(w, i / w->heads.n_heads));
        put_figures(w, t, w->head + i * w->per);
        if (w->has[HEADS_HAS_RANDOM]) put_defined(t, w->random.period ? w->induction[i].sum / w->induction[i].n : NAN);
        if (joiner) put_defined(t, joiner[i].score);
    }
    for (size_t i = 0; i < SHOWN; i++)
        if (w->has[shown[i].figure]) heatmap(out, shown[i].name, shown[i].title);
    if (w->has[HEADS_HAS_RANDOM])
        heatmap(out, "induction", "Attention to what followed the token before, on random ids written twice");
    if (joiner) heatmap(out, "subjoiner", "Attention to a word's first piece, more than at the same distance elsewhere");
}

static void put_layers(const heads_work *w, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "layers");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "depth", SONDE_FLOAT, "");
    figure_columns(w, t);
    static const char *const pooled[] = { "previous_k", "previous_k_sd", "previous_k_se" };
    for (size_t i = 0; i < 3 && w->has[HEADS_HAS_OFFSETS]; i++) sonde_table_column(t, pooled[i], SONDE_FLOAT, "");
    for (size_t l = 0; l < w->heads.n_layers; l++) {
        sonde_table_row(t);
        sonde_cell_int(t, w->heads.layer[l]);
        sonde_cell_float(t, depth_of(w, l));
        put_figures(w, t, w->layer + l * w->per);
        if (!w->has[HEADS_HAS_OFFSETS]) continue;
        const spread *s = &w->pooled[l];
        const double sd = s->n > 1 ? sqrt(s->squares / (double)(s->n - 1)) : NAN;
        put_defined(t, s->n ? s->mean : NAN);
        put_defined(t, sd);
        put_defined(t, sd / sqrt((double)s->n));
    }
}

static void put_curves(const heads_work *w, sonde_result *out) {
    bool any = false;
    for (size_t i = 0; i < SHOWN; i++) any |= w->has[shown[i].figure];
    if (!any) return;
    sonde_table *t = curves_table(out, "Means over the heads of a layer, over relative depth");
    for (size_t i = 0; i < SHOWN; i++)
        for (size_t l = 0; l < w->heads.n_layers && w->has[shown[i].figure]; l++)
            curves_put(t, shown[i].name, depth_of(w, l), &w->layer[l * w->per + (size_t)shown[i].figure]);
}

static void put_offsets(const heads_work *w, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "offsets");
    static const char *const ints[] = { "layer", "head", "offset" };
    for (size_t i = 0; i < 3; i++) sonde_table_column(t, ints[i], SONDE_INT, i == 2 ? "token" : "");
    sonde_table_column(t, "attention", SONDE_FLOAT, "");
    sonde_table_column(t, "attention_se", SONDE_FLOAT, "");
    for (size_t i = 0; i < w->n; i++)
        for (size_t k = 0; k < (size_t)w->offsets; k++) {
            sonde_table_row(t);
            sonde_cell_int(t, w->heads.layer[i / w->heads.n_heads]);
            sonde_cell_int(t, w->heads.head[i % w->heads.n_heads]);
            sonde_cell_int(t, (int64_t)k + 1);
            ratio_put(t, &w->head[i * w->per + HEADS_FIGURES + k]);
        }
}

static void put_profile(const heads_work *w, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "profile");
    static const char *const floats[] = { "attention", "attention_se", "low", "high" };
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "offset", SONDE_INT, "token");
    for (size_t i = 0; i < 4; i++) sonde_table_column(t, floats[i], SONDE_FLOAT, "");
    for (size_t l = 0; l < w->heads.n_layers; l++)
        for (size_t k = 0; k < (size_t)w->offsets; k++) {
            const ratio *r = &w->layer[l * w->per + HEADS_FIGURES + k];
            sonde_table_row(t);
            sonde_cell_int(t, w->heads.layer[l]);
            sonde_cell_int(t, (int64_t)k + 1);
            ratio_put(t, r);
            put_defined(t, ratio_mean(r) - ratio_se(r));
            put_defined(t, ratio_mean(r) + ratio_se(r));
        }
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "profile", .x = "offset", .y = "layer",
                                            .value = "attention", .low = "low", .high = "high",
                                            .title = "Attention to each of the last tokens, mean over a layer's heads" });
}

/* ---- the ranking ---- */

typedef struct { double score; size_t head; } ranked;

static int by_score(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score) - (x->score > y->score) : (x->head > y->head) - (x->head < y->head);
}

static sonde_table *ranking_table(sonde_result *out) {
    static const struct { const char *name; sonde_column_type type; } columns[] = {
        { "rank", SONDE_INT }, { "layer", SONDE_INT }, { "head", SONDE_INT }, { "score", SONDE_FLOAT }, { "p", SONDE_FLOAT },
        { "z", SONDE_FLOAT }, { "attention", SONDE_FLOAT }, { "attention_single", SONDE_FLOAT },
        { "decreasing", SONDE_FLOAT }, { "own_pieces", SONDE_FLOAT }, { "words", SONDE_INT }, { "singles", SONDE_INT },
        { "name", SONDE_TEXT },
    };
    sonde_table *t = sonde_result_table(out, "subjoiner");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        sonde_table_column(t, columns[i].name, columns[i].type, "");
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = "subjoiner", .x = "name", .value = "score",
                                            .title = "Heads that gather the pieces of words" });
    return t;
}

static void put_ranking(const heads_work *w, const joiner_score *x, sonde_result *out) {
    const joiner_all *a = &w->joiner;
    ranked *order = ROOM(ranked, w->n);
    for (size_t i = 0; i < w->n; i++) order[i] = (ranked){ x[i].score, i };
    qsort(order, w->n, sizeof *order, by_score);
    sonde_table *t = ranking_table(out);
    for (size_t i = 0; i < w->n; i++) {
        const size_t h = order[i].head;
        const long   layer = w->heads.layer[h / w->heads.n_heads], head = w->heads.head[h % w->heads.n_heads];
        const double words = (double)a->n_multi;
        char name[48];
        snprintf(name, sizeof name, "%ld.%ld", layer, head);
        sonde_table_row(t);
        sonde_cell_int(t, (int64_t)i + 1);
        sonde_cell_int(t, layer);
        sonde_cell_int(t, head);
        const double floats[] = { x[h].score, x[h].p, x[h].z, x[h].attention, x[h].single,
                                  a->decreasing[h] / words, a->mass[h] / words };
        for (size_t k = 0; k < sizeof floats / sizeof *floats; k++) put_defined(t, floats[k]);
        sonde_cell_int(t, (int64_t)a->n_multi);
        sonde_cell_int(t, (int64_t)(a->n - a->n_multi));
        sonde_cell_text(t, name);
    }
    free(order);
}

/* *to NULL: not asked, or there is nothing to compare. */
static sonde_status score_words(const heads_work *w, sonde_result *out, joiner_score **to, sonde_error *err) {
    *to = NULL;
    if (!w->has[HEADS_HAS_SUBJOINER]) return SONDE_OK;
    if (w->joiner.n_multi && w->joiner.n_multi < w->joiner.n) {
        *to = ROOM(joiner_score, w->n);
        return joiner_all_scores(&w->joiner, &w->cx, w->permutations, *to, err);
    }
    char note[160];
    snprintf(note, sizeof note, "subjoiner: not measured, %zu words of several tokens and %zu of one, expected some of both",
             w->joiner.n_multi, w->joiner.n - w->joiner.n_multi);
    sonde_result_note(out, note);
    return SONDE_OK;
}

sonde_status heads_put(const heads_work *w, sonde_result *out, sonde_error *err) {
    joiner_score *joiner;
    const sonde_status s = score_words(w, out, &joiner, err);
    if (s != SONDE_OK) {
        free(joiner);
        return s;
    }
    put_heads(w, joiner, out);
    put_layers(w, out);
    put_curves(w, out);
    if (w->has[HEADS_HAS_OFFSETS]) {
        put_offsets(w, out);
        put_profile(w, out);
    }
    if (joiner) put_ranking(w, joiner, out);
    free(joiner);
    return SONDE_OK;
}
