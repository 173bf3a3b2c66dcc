/* Is a word used alike in two texts? A linear probe on the word's states, place by place (Pilehvar and Camacho-Collados,
 * WiC, 2019; over depth: Lad, Gurnee and Tegmark, The remarkable robustness of LLMs, 2024), judged on words it has not seen.
 *
 * States are kept [places][pairs, 2, width]. Pairs are cut into folds by their groups; each fold is judged by a probe that
 * learned from the others. */
#include "classify.h"
#include "dry.h"
#include "places.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { WIC_PAIRS, WIC_SITE, WIC_FEATURE, WIC_FOLDS, WIC_C };
enum { MOST_NUMBERS = 1 << 28, FOLD_STREAM = 0x776963 };

static const param params[] = {
    [WIC_PAIRS] = { "pairs", PARAM_FILE, NULL, 0, 0,
                    "JSON lines: a, b, same, and word or a_start, a_end, b_start, b_end (bytes); held-out: 600 of the embedded model's" },
    [WIC_SITE] = { "site", PARAM_SITE, "blocks.0.hook_resid_pre,hook_resid_post", 0, 0, "whose values are read, at the word's last token" },
    [WIC_FEATURE] = { "feature", PARAM_TEXT, "both", 0, 0, "what the probe sees: difference, product or both" },
    [WIC_FOLDS] = { "folds", PARAM_INT, "5", 2, 1000, "parts that the groups are cut into; each is judged by what the others teach" },
    [WIC_C] = { "c", PARAM_REAL, "1", 1e-6, 1e6, "weight of the losses against that of the coefficients" },
    { 0 },
};

typedef struct {
    const sonde_context *cx;
    sonde_pairs *pairs;
    int64_t      n;                 /* pairs */
    uint8_t     *same;              /* [n] */
    int64_t     *fold;              /* [n] */
    int64_t      folds, groups;
    places       place;
    float       *state;
    double       c;
    bool         difference, product;
} wic;

/* What one place answers: scores and right answers of all pairs, and of what the probes learned from. */
typedef struct {
    double *score, *cosine;         /* [n] */
    uint8_t *right, *cosine_right;  /* [n] */
    int64_t  learned, learned_right;
} judged;

/* ---- pairs ---- */

static bool same_group(const sonde_pair *a, const sonde_pair *b) {
    return a->group_len == b->group_len && !memcmp(a->group, b->group, a->group_len);
}

/* Groups in the order they come, then in a drawn one; the k-th of those goes to fold k mod folds. */
static sonde_status cut_folds(wic *w, sonde_error *err) {
    int64_t *group = ROOM(int64_t, w->n), *first = ROOM(int64_t, w->n);
    for (int64_t i = 0; i < w->n; i++) {
        int64_t g = 0;
        while (g < w->groups && !same_group(sonde_pairs_at(w->pairs, (size_t)i), sonde_pairs_at(w->pairs, (size_t)first[g]))) g++;
        if (g == w->groups) first[w->groups++] = i;
        group[i] = g;
    }
    int64_t *order = ROOM(int64_t, w->groups), *fold_of = ROOM(int64_t, w->groups);
    sonde_random_order(w->cx->seed, FOLD_STREAM, order, w->groups);
    for (int64_t k = 0; k < w->groups; k++) fold_of[order[k]] = k % w->folds;
    for (int64_t i = 0; i < w->n; i++) w->fold[i] = fold_of[group[i]];
    free(group);
    free(first);
    free(order);
    free(fold_of);
    SONDE_FAIL_IF(w->groups < w->folds, err, SONDE_USAGE, "pairs: %" PRId64 " groups, expected as many as folds (%" PRId64 ") or more",
                  w->groups, w->folds);
    return SONDE_OK;
}

static sonde_status wic_open(wic *w, const value *args, sonde_error *err) {
    const char *feature = args[WIC_FEATURE].text;
    w->difference = !strcmp(feature, "difference") || !strcmp(feature, "both");
    w->product = !strcmp(feature, "product") || !strcmp(feature, "both");
    SONDE_FAIL_IF(!w->difference && !w->product, err, SONDE_USAGE, "feature: \"%s\", expected difference, product or both", feature);
    SONDE_TRY(sonde_pairs_read(&w->pairs, args[WIC_PAIRS].content, args[WIC_PAIRS].size, err));
    while (sonde_pairs_at(w->pairs, (size_t)w->n)) w->n++;
    w->same = ROOM(uint8_t, w->n);
    w->fold = ROOM(int64_t, w->n);
    for (int64_t i = 0; i < w->n; i++) w->same[i] = sonde_pairs_at(w->pairs, (size_t)i)->same;
    SONDE_TRY(cut_folds(w, err));
    SONDE_TRY(places_find(&w->place, w->cx, args[WIC_SITE].text, err));
    const double numbers = 2 * (double)w->n * (double)w->place.width;
    SONDE_FAIL_IF(numbers > MOST_NUMBERS, err, SONDE_NOMEM, "%.0f numbers of %zu sites need %.0f MB, at most %d MB are kept: choose "
                  "fewer sites", numbers, w->place.n, numbers / 262144, MOST_NUMBERS >> 18);
    return SONDE_OK;
}

/* ---- runs ---- */

/* The last token that has a byte of the word; -1: none. */
static int64_t word_token(const sonde_tokens *t, const sonde_use *u) {
    int64_t at = -1;
    for (int64_t k = 0; k < t->n; k++)
        if (t->start[k] >= 0 && t->start[k] < (int64_t)u->end && t->end[k] > (int64_t)u->start) at = k;
    return at;
}

/* Runs one text of pair i, or says what that costs; nothing behind the word is run. */
static sonde_status run_use(wic *w, int64_t i, int side, sonde_cost *cost, sonde_error *err) {
    const sonde_use *u = &sonde_pairs_at(w->pairs, (size_t)i)->use[side];
    sonde_tokens t;
    SONDE_TRY(sonde_tokenize(w->cx->model, u->text, u->len, w->cx->tokenize, &t, err));
    const int64_t at = word_token(&t, u);
    float *row = ROOM(float, w->place.width);
    const rows_query q = { .p = &w->place, .prompt = { .tokens = t.id, .n = at + 1, .types = t.type }, .at = &at, .n = 1 };
    sonde_status s = at < 0 ? sonde_fail(err, SONDE_USAGE, "no token has a byte of the word") : SONDE_OK;
    if (s == SONDE_OK) s = cost ? rows_cost(w->cx, &q, cost, err) : rows_read(w->cx, &q, row, err);
    float *to = w->state;
    const float *from = row;
    for (size_t p = 0; p < w->place.n && s == SONDE_OK && !cost; p++) {
        const int64_t width = w->place.at[p].width;
        memcpy(to + (2 * i + side) * width, from, (size_t)width * sizeof *to);
        to += 2 * w->n * width;
        from += width;
    }
    free(row);
    sonde_tokens_free(&t);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "pairs: %s of pair %" PRId64, side ? "b" : "a", i);
}

static sonde_status run_all(wic *w, sonde_error *err) {
    w->state = ROOM(float, 2 * w->n * w->place.width);
    for (int64_t i = 0; i < w->n; i++) {
        SONDE_TRY(run_use(w, i, 0, NULL, err));
        SONDE_TRY(run_use(w, i, 1, NULL, err));
        w->cx->progress(w->cx->progress_user, "pairs", i + 1, w->n);
    }
    return SONDE_OK;
}

/* ---- probes ---- */

static int64_t feature_width(const wic *w, int64_t width) { return width * (w->difference + w->product); }

/* [n, features] of a place; the cosine of every pair besides. */
static double *make_features(const wic *w, const float *state, int64_t width, double *cosine) {
    const int64_t d = feature_width(w, width);
    double *x = ROOM(double, w->n * d);
    for (int64_t i = 0; i < w->n; i++) {
        const float *a = state + 2 * i * width, *b = a + width;
        double *to = x + i * d, aa = 0, bb = 0, ab = 0;
        for (int64_t k = 0; k < width; k++) {
            const double p = (double)a[k], q = (double)b[k];
            if (w->difference) *to++ = fabs(p - q);
            aa += p * p;
            bb += q * q;
            ab += p * q;
        }
        for (int64_t k = 0; k < width && w->product; k++) *to++ = (double)a[k] * (double)b[k];
        cosine[i] = ab / sqrt(aa * bb);
    }
    return x;
}

/* Pairs of all folds but this one, one behind another; returns how many. */
static int64_t gather_others(const wic *w, const examples *all, int64_t fold, double *out, uint8_t *yes) {
    const int64_t d = all->d;
    int64_t n = 0;
    for (int64_t i = 0; i < w->n; i++) {
        if (w->fold[i] == fold) continue;
        memcpy(out + n * d, all->x + i * d, (size_t)d * sizeof *out);
        yes[n++] = w->same[i];
    }
    return n;
}

static sonde_status judge_fold(const wic *w, const double *x, int64_t d, int64_t fold, judged *out, sonde_error *err) {
    double  *train = ROOM(double, w->n * d), *mean = ROOM(double, d), *sd = ROOM(double, d), *row = ROOM(double, d);
    uint8_t *yes = ROOM(uint8_t, w->n);
    classifier f = { ROOM(double, d), 0 };
    const examples e = { train, yes, gather_others(w, &(examples){ x, w->same, w->n, d }, fold, train, yes), d };
    columns_measure(&e, mean, sd);
    columns_standardise(train, e.n, d, mean, sd);
    const sonde_status s = classifier_fit(&e, w->c, &f, err);
    for (int64_t i = 0; i < e.n && s == SONDE_OK; i++) out->learned_right += (classifier_score(&f, train + i * d, d) > 0) == yes[i];
    out->learned += e.n;
    for (int64_t i = 0; i < w->n && s == SONDE_OK; i++) {
        if (w->fold[i] != fold) continue;
        memcpy(row, x + i * d, (size_t)d * sizeof *row);
        columns_standardise(row, 1, d, mean, sd);
        out->score[i] = classifier_score(&f, row, d);
        out->right[i] = (out->score[i] > 0) == w->same[i];
    }
    free(train);
    free(mean);
    free(sd);
    free(row);
    free(yes);
    free(f.w);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "fold %" PRId64, fold);
}

/* The threshold on the cosine that most pairs of the other folds are right by (the lowest of equals); same from it on. */
static void judge_cosine(const wic *w, int64_t fold, judged *out) {
    double  best = INFINITY;
    int64_t most = -1;
    for (int64_t c = -1; c < w->n; c++) {
        if (c >= 0 && w->fold[c] == fold) continue;
        const double at = c < 0 ? INFINITY : out->cosine[c];
        int64_t right = 0;
        for (int64_t i = 0; i < w->n; i++) right += w->fold[i] != fold && (out->cosine[i] >= at) == w->same[i];
        if (right < most || (right == most && at >= best)) continue;
        most = right;
        best = at;
    }
    for (int64_t i = 0; i < w->n; i++)
        if (w->fold[i] == fold) out->cosine_right[i] = (out->cosine[i] >= best) == w->same[i];
}

/* ---- the result ---- */

static int64_t count(const uint8_t *x, int64_t n) {
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

static void put_row(const wic *w, sonde_table *t, size_t p, const judged *j, bool cosine) {
    const place *x = &w->place.at[p];
    const share  right = share_of(count(cosine ? j->cosine_right : j->right, w->n), w->n);
    const double area = area_under(cosine ? j->cosine : j->score, w->same, w->n);
    sonde_table_row(t);
    sonde_cell_text(t, x->name);
    if (x->block < 0) sonde_cell_null(t);
    else sonde_cell_int(t, x->block);
    sonde_cell_float(t, w->place.n > 1 ? (double)p / (double)(w->place.n - 1) : 0);
    sonde_cell_text(t, cosine ? "cosine" : "probe");
    sonde_cell_float(t, right.at);
    sonde_cell_float(t, right.low);
    sonde_cell_float(t, right.high);
    put_defined(t, area);
    if (cosine) sonde_cell_null(t);
    else sonde_cell_float(t, (double)j->learned_right / (double)j->learned);
}

static sonde_table *make_table(sonde_result *out) {
    static const char *const numbers[] = { "accuracy", "low", "high", "auc", "train_accuracy" };
    sonde_table *t = sonde_result_table(out, "layers");
    sonde_table_column(t, "site", SONDE_TEXT, "");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "depth", SONDE_FLOAT, "");
    sonde_table_column(t, "by", SONDE_TEXT, "");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sonde_table_column(t, numbers[i], SONDE_FLOAT, "");
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "layers", .x = "depth", .y = "by", .value = "accuracy",
                                            .low = "low", .high = "high", .title = "Share of pairs judged right, over depth" });
    return t;
}

static void put_data(const wic *w, sonde_result *out) {
    const int64_t same = count(w->same, w->n), other = w->n - same;
    sonde_table *t = sonde_result_table(out, "data");
    sonde_table_column(t, "pairs", SONDE_INT, "");
    sonde_table_column(t, "same", SONDE_INT, "");
    sonde_table_column(t, "groups", SONDE_INT, "");
    sonde_table_column(t, "folds", SONDE_INT, "");
    sonde_table_column(t, "majority", SONDE_FLOAT, "");
    sonde_table_row(t);
    sonde_cell_int(t, w->n);
    sonde_cell_int(t, same);
    sonde_cell_int(t, w->groups);
    sonde_cell_int(t, w->folds);
    sonde_cell_float(t, (double)(same > other ? same : other) / (double)w->n);
}

/* Which fold each pair was judged in; labels are the groups. */
static void put_folds(const wic *w, sonde_result *out) {
    sonde_array *a = sonde_result_array(out, "fold", "pair", &w->n);
    sonde_array_quiet(a);
    for (int64_t i = 0; i < w->n; i++) {
        const sonde_pair *p = sonde_pairs_at(w->pairs, (size_t)i);
        char *group = room_text(p->group, p->group_len);
        sonde_array_data(a)[i] = (float)w->fold[i];
        sonde_array_label_text(a, 0, group);
        free(group);
    }
}

static sonde_status judge_place(const wic *w, size_t p, const float *state, judged *j, sonde_error *err) {
    const int64_t width = w->place.at[p].width, d = feature_width(w, width);
    double *x = make_features(w, state, width, j->cosine);
    sonde_status s = SONDE_OK;
    for (int64_t k = 0; k < w->folds && s == SONDE_OK; k++) {
        s = sonde_session_stopped(w->cx->session) ? sonde_fail(err, SONDE_CANCELLED, "interrupted") : judge_fold(w, x, d, k, j, err);
        judge_cosine(w, k, j);
        w->cx->progress(w->cx->progress_user, "probes", (int64_t)p * w->folds + k + 1, (int64_t)w->place.n * w->folds);
    }
    free(x);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s", w->place.at[p].name);
}

static sonde_status measure(wic *w, sonde_result *out, sonde_error *err) {
    SONDE_TRY(run_all(w, err));
    sonde_table *t = make_table(out);
    sonde_array *scores = sonde_result_array(out, "score", "site pair", (int64_t[]){ (int64_t)w->place.n, w->n });
    sonde_array_quiet(scores);
    judged j = { ROOM(double, w->n), ROOM(double, w->n), ROOM(uint8_t, w->n), ROOM(uint8_t, w->n), 0, 0 };
    const float *state = w->state;
    sonde_status s = SONDE_OK;
    for (size_t p = 0; p < w->place.n && s == SONDE_OK; p++) {
        j.learned = j.learned_right = 0;
        s = judge_place(w, p, state, &j, err);
        state += 2 * w->n * w->place.at[p].width;
        if (s != SONDE_OK) break;
        sonde_array_label_text(scores, 0, w->place.at[p].name);
        for (int64_t i = 0; i < w->n; i++) sonde_array_data(scores)[(int64_t)p * w->n + i] = (float)j.score[i];
        put_row(w, t, p, &j, false);
        put_row(w, t, p, &j, true);
    }
    free(j.score);
    free(j.cosine);
    free(j.right);
    free(j.cosine_right);
    if (s != SONDE_OK) return s;
    put_data(w, out);
    put_folds(w, out);
    return SONDE_OK;
}

static sonde_status dry(wic *w, sonde_result *out, sonde_error *err) {
    sonde_cost all = { 0 }, one = { 0 };
    for (int64_t i = 0; i < 2 * w->n; i++) {
        SONDE_TRY(run_use(w, i / 2, i % 2 != 0, &one, err));
        all = (sonde_cost){ all.flops + one.flops, all.rows + one.rows, one.bytes > all.bytes ? one.bytes : all.bytes };
    }
    all.bytes += 8 * w->n * w->place.width;
    sonde_table *t = dry_sites(out);
    for (size_t i = 0; i < w->place.n; i++) {
        const place *p = &w->place.at[i];
        sonde_site s = { .name = p->name, .axes = p->axes, .rank = p->rank };
        memcpy(s.dim, p->dim, sizeof s.dim);
        dry_site(t, &s);
    }
    dry_cost(out, 2 * w->n, all);
    return SONDE_OK;
}

extern const method method_wic;

static sonde_status wic_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    wic w = { .cx = cx, .folds = args[WIC_FOLDS].i, .c = args[WIC_C].real };
    context_head(cx, &method_wic, out);
    sonde_status s = wic_open(&w, args, err);
    if (s == SONDE_OK) s = cx->dry_run ? dry(&w, out, err) : measure(&w, out, err);
    sonde_pairs_free(w.pairs);
    places_free(&w.place);
    free(w.same);
    free(w.fold);
    free(w.state);
    return s;
}

const method method_wic = {
    .name = "wic",
    .summary = "how well a linear probe tells, layer by layer, whether a word is used alike in two texts",
    .reference = "task: Pilehvar and Camacho-Collados, WiC: the Word-in-Context Dataset, 2019; probe over depth: Lad, Gurnee and "
                 "Tegmark, The Remarkable Robustness of LLMs: Stages of Inference?, 2024; interval: Wilson, Probable Inference, 1927",
    .formula = "h: the site's value at the last token of the word; features [|h_a - h_b|, h_a * h_b] (--feature: one of them), "
               "standardised on the training part; logistic regression: least w w / 2 + c * sum of log losses, the bias free. "
               "Groups (words) are cut into --folds by --seed, each judged by a probe on the others. accuracy: share of all "
               "pairs judged right; low, high: Wilson interval at 95 %; auc: P(score of a same > of another), ties half; "
               "train_accuracy: on the pairs learned from; cosine: no probe, same where the cosine of h_a and h_b reaches a "
               "threshold from the other folds; depth: place among the sites read, 0 to 1",
    .example = "wic --pairs held-out",
    .params = params,
    .takes = NEEDS_MODEL | TAKES_EDITS | READS_TEXTS,
    .run = wic_run,
};
