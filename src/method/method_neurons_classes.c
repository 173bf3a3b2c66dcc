/* Which neurons write a class of tokens: means of w_out . W_U inside and outside the class, and how well it is told apart
 * (after find_neurons of Lad et al., The remarkable robustness of LLMs, 2024). */
#include "dry.h"
#include "method_neurons_class.h"
#include "room.h"
#include <math.h>
#include <stdio.h>

enum { BLOCK = 128, BINS = 40, LEAST_TOKENS = 5 };     /* the last: of a class that --class all considers */

typedef enum { BY_DIFF, BY_COSINE, BY_D, BY_AUC } class_order;

typedef struct {
    long    layer; int64_t neuron; size_t class;
    double  in, out, cosine_in, cosine_out, d, auc;     /* d, auc: NaN where they are not defined */
    double  by;
} class_score;

typedef struct {
    neuron_weights *w;
    token_classes   classes;
    size_t          first, n;           /* those asked for */
    bool            best;               /* the best class of each neuron alone */
    class_order     order;
    int64_t       **member;             /* [classes]: ids of each, ascending */
    class_score    *score; size_t n_scores;
    /* of one neuron */
    float          *u;                  /* [n] */
    double         *rank;               /* [n]: ranks of u from 1, ties share their mean */
} scoring;

/* ---- one neuron ---- */

typedef struct { float value; int64_t id; } sortable;

static int ascending(const void *a, const void *b) {
    const sortable *x = a, *y = b;
    return x->value < y->value ? -1 : x->value > y->value ? 1 : (x->id > y->id) - (x->id < y->id);
}

static void find_ranks(scoring *s) {
    const int64_t n = s->w->n;
    sortable *order = ROOM(sortable, n);
    for (int64_t v = 0; v < n; v++) order[v] = (sortable){ s->u[v], v };
    qsort(order, (size_t)n, sizeof *order, ascending);
    for (int64_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && order[j].value <= order[i].value; j++) {}
        for (int64_t k = i; k < j; k++) s->rank[order[k].id] = (double)(i + 1 + j) / 2;
    }
    free(order);
}

typedef struct { double sum, squares, cosine; } totals;

static totals totals_of(const scoring *s, const int64_t *member, int64_t count, double center, double norm) {
    totals t = { 0, 0, 0 };
    for (int64_t i = 0; i < count; i++) {
        const int64_t v = member ? member[i] : i;
        const double x = (double)s->u[v] - center;
        t.sum += x;
        t.squares += x * x;
        t.cosine += (double)s->u[v] * norm * s->w->column[v];
    }
    return t;
}

static double by_of(const class_score *x, class_order order) {
    const double d = order == BY_DIFF ? fabs(x->in - x->out) : order == BY_COSINE ? fabs(x->cosine_in - x->cosine_out) :
                     order == BY_D ? fabs(x->d) : fabs(x->auc - 0.5);
    return isnan(d) ? -1 : d;
}

/* all: of the whole vocabulary, about `center`. */
static class_score score_class(const scoring *s, size_t which, const totals *all, double center, double norm) {
    const token_class *c = &s->classes.at[which];
    const double n = (double)s->w->n, n1 = (double)c->count, n0 = n - n1;
    const totals t = totals_of(s, s->member[which], c->count, center, norm);
    const double sum0 = all->sum - t.sum, in = t.sum / n1, out = sum0 / n0;
    const double within = (t.squares - t.sum * in) + (all->squares - t.squares - sum0 * out);
    class_score x = { .class = which, .in = in + center, .out = out + center, .cosine_in = t.cosine / n1,
                      .cosine_out = (all->cosine - t.cosine) / n0 };
    double ranks = 0;
    for (int64_t i = 0; i < c->count; i++) ranks += s->rank[s->member[which][i]];
    x.auc = (ranks - n1 * (n1 + 1) / 2) / (n1 * n0);
    x.d = n > 2 && within > 0 ? (in - out) / sqrt(within / (n - 2)) : NAN;
    x.by = by_of(&x, s->order);
    return x;
}

static void keep(scoring *s, const class_score *x) {
    s->score = room_grow(s->score, s->n_scores, 1, sizeof *s->score);
    s->score[s->n_scores++] = *x;
}

static void score_neuron(scoring *s, long layer, int64_t neuron) {
    const double norm = s->w->row[neuron];
    double center = 0;
    for (int64_t v = 0; v < s->w->n; v++) center += (double)s->u[v] / (double)s->w->n;
    const totals all = totals_of(s, NULL, s->w->n, center, norm);
    class_score best = { .by = -2 };
    find_ranks(s);
    for (size_t i = s->first; i < s->first + s->n; i++) {
        class_score x = score_class(s, i, &all, center, norm);
        x.layer = layer;
        x.neuron = neuron;
        if (!s->best) keep(s, &x);
        else if (s->classes.at[i].count >= LEAST_TOKENS && x.by > best.by) best = x;
    }
    if (s->best && best.by > -2) keep(s, &best);
}

/* ---- candidates ---- */

/* A block of candidates of the layer at hand at once. */
static sonde_status score_block(scoring *s, long layer, const int64_t *neuron, int64_t n, sonde_error *err) {
    neuron_weights *w = s->w;
    float *x = ROOM(float, n * w->d), *all = ROOM(float, n * w->n);
    for (int64_t i = 0; i < n; i++) memcpy(x + i * w->d, w->w_out + neuron[i] * w->d, (size_t)w->d * sizeof *x);
    sonde_matrices m = neurons_matrices(w);
    m.x = x;
    m.rows = n;
    const sonde_status status = sonde_session_product(w->cx->session, &m, all, err);
    for (int64_t i = 0; i < n && status == SONDE_OK; i++) {
        s->u = all + i * w->n;
        score_neuron(s, layer, neuron[i]);
    }
    free(x);
    free(all);
    return status;
}

static sonde_status score_layer(scoring *s, long layer, const value *args, sonde_error *err) {
    neuron_weights *w = s->w;
    const neuron_bounds b = { args[NEURONS_KURTOSIS].real, args[NEURONS_VARIANCE].real };
    SONDE_TRY(neurons_read(w, layer, err));
    sonde_moments *m = ROOM(sonde_moments, w->f);
    int64_t       *chosen = ROOM(int64_t, w->f), n = 0;
    const sonde_matrices all = neurons_matrices(w);
    sonde_status status = SONDE_OK;
    if (!args[NEURONS_ALL].i)
        status = sonde_session_moments(w->cx->session, &all, (sonde_scales){ w->row, w->column }, m, err);
    for (int64_t i = 0; i < w->f; i++)
        if (args[NEURONS_ALL].i || m[i].kurtosis > b.kurtosis || m[i].var > b.variance) chosen[n++] = i;
    for (int64_t at = 0; at < n && status == SONDE_OK; at += BLOCK)
        status = score_block(s, layer, chosen + at, n - at < BLOCK ? n - at : BLOCK, err);
    free(m);
    free(chosen);
    return status;
}

/* ---- the tables ---- */

static int larger(const void *a, const void *b) {
    const class_score *x = a, *y = b;
    if (x->by > y->by || x->by < y->by) return x->by > y->by ? -1 : 1;
    if (x->layer != y->layer) return x->layer < y->layer ? -1 : 1;
    if (x->neuron != y->neuron) return x->neuron < y->neuron ? -1 : 1;
    return (x->class > y->class) - (x->class < y->class);
}

static void put_scores(const scoring *s, sonde_result *out) {
    static const char *const columns[] = { "true_mean", "false_mean", "diff", "cosine_true", "cosine_false", "cosine_diff",
                                           "cohens_d",
                                           "auc" };
    sonde_table *t = sonde_result_table(out, "classes");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "neuron", SONDE_INT, "");
    sonde_table_column(t, "class", SONDE_TEXT, "");
    for (size_t i = 0; i < 8; i++) sonde_table_column(t, columns[i], SONDE_FLOAT, i < 3 ? "logit" : "");
    sonde_table_column(t, "sign", SONDE_TEXT, "");
    for (size_t i = 0; i < s->n_scores; i++) {
        const class_score *x = &s->score[i];
        const double numbers[] = { x->in, x->out, fabs(x->in - x->out), x->cosine_in, x->cosine_out,
                                   fabs(x->cosine_in - x->cosine_out), x->d, x->auc };
        sonde_table_row(t);
        sonde_cell_int(t, x->layer);
        sonde_cell_int(t, x->neuron);
        sonde_cell_text(t, s->classes.at[x->class].name);
        for (size_t k = 0; k < 8; k++) put_defined(t, numbers[k]);
        sonde_cell_text(t, x->in >= x->out ? "+" : "-");
    }
}

static void put_bins(const scoring *s, const class_score *x, sonde_table *t) {
    const token_class *c = &s->classes.at[x->class];
    int64_t count[2][BINS] = { { 0 } };
    double  low = INFINITY, high = -INFINITY;
    char    name[40];
    for (int64_t v = 0; v < s->w->n; v++) {
        if (!isfinite(s->u[v])) continue;       /* of broken weights: in no bin */
        low = fmin(low, (double)s->u[v]);
        high = fmax(high, (double)s->u[v]);
    }
    if (low > high) low = high = 0;
    const double width = high > low ? (high - low) / BINS : 1;
    for (int64_t v = 0; v < s->w->n; v++) {
        if (!isfinite(s->u[v])) continue;
        const int bin = (int)(((double)s->u[v] - low) / width);
        count[c->in[v]][bin < BINS ? bin : BINS - 1]++;
    }
    snprintf(name, sizeof name, "L%ldN%lld", x->layer, (long long)x->neuron);
    for (int in = 1; in >= 0; in--)
        for (int i = 0; i < BINS; i++) {
            sonde_table_row(t);
            sonde_cell_text(t, name);
            sonde_cell_text(t, in ? c->name : "other");
            sonde_cell_float(t, low + width * i);
            sonde_cell_float(t, low + width * (i + 1));
            sonde_cell_int(t, count[in][i]);
        }
}

static sonde_status put_histograms(scoring *s, sonde_result *out, sonde_error *err) {
    neuron_weights *w = s->w;
    sonde_table *t = sonde_result_table(out, "histogram");
    sonde_table_column(t, "neuron", SONDE_TEXT, "");
    sonde_table_column(t, "class", SONDE_TEXT, "");
    sonde_table_column(t, "low", SONDE_FLOAT, "logit");
    sonde_table_column(t, "high", SONDE_FLOAT, "logit");
    sonde_table_column(t, "count", SONDE_INT, "token");
    float *u = ROOM(float, w->n);
    sonde_status status = SONDE_OK;
    for (size_t i = 0; i < s->n_scores && i < (size_t)w->cx->top && status == SONDE_OK; i++) {
        const class_score *x = &s->score[i];
        status = neurons_read(w, x->layer, err);
        sonde_matrices m = neurons_matrices(w);
        m.x += x->neuron * w->d;
        m.rows = 1;
        if (status == SONDE_OK) status = sonde_session_product(w->cx->session, &m, u, err);
        s->u = u;
        if (status == SONDE_OK) put_bins(s, x, t);
    }
    free(u);
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_HISTOGRAM, .of = "histogram", .x = "low", .high = "high",
                                            .y = "class",
                                            .value = "count", .panel = "neuron", .own_scale = true, .logarithmic = true,
                                            .title = "w_out . W_U of every token, the class and the others" });
    return status;
}

static void put_list(const token_classes *c, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "list");
    sonde_table_column(t, "class", SONDE_TEXT, "");
    sonde_table_column(t, "tokens", SONDE_INT, "token");
    for (size_t i = 0; i < c->n; i++) {
        sonde_table_row(t);
        sonde_cell_text(t, c->at[i].name);
        sonde_cell_int(t, c->at[i].count);
    }
}

/* ---- the method ---- */

static sonde_status read_order(const char *text, class_order *out, sonde_error *err) {
    static const char *const words[] = { "diff", "cosine", "d", "auc" };
    for (size_t i = 0; i < 4; i++)
        if (!strcmp(text, words[i])) {
            *out = (class_order)i;
            return SONDE_OK;
        }
    return sonde_fail(err, SONDE_USAGE, "by: \"%.40s\", expected diff, cosine, d or auc", text);
}

static sonde_status choose(scoring *s, const char *name, sonde_error *err) {
    s->n = s->classes.n;
    s->best = !strcmp(name, "all");
    if (s->best) return SONDE_OK;
    for (s->first = 0; s->first < s->classes.n && strcmp(s->classes.at[s->first].name, name) != 0;) s->first++;
    SONDE_FAIL_IF(s->first == s->classes.n, err, SONDE_USAGE, "class: \"%.40s\" is no class that tokens of this model "
                                                              "have, expected "
                  "all or one of --class list", name);
    s->n = 1;
    return SONDE_OK;
}

static void list_members(scoring *s) {
    s->member = ROOM(int64_t *, s->classes.n);
    for (size_t i = 0; i < s->classes.n; i++) {
        int64_t *at = s->member[i] = ROOM(int64_t, s->classes.at[i].count);
        for (int64_t v = 0; v < s->w->n; v++)
            if (s->classes.at[i].in[v]) *at++ = v;
    }
    s->rank = ROOM(double, s->w->n);
}

static sonde_status score_all(scoring *s, const value *args, sonde_result *out, sonde_error *err) {
    neuron_weights *w = s->w;
    SONDE_TRY(choose(s, args[NEURONS_CLASS].text, err));
    SONDE_TRY(read_order(args[NEURONS_BY].text, &s->order, err));
    if (w->cx->dry_run) {
        const double all = (double)w->n_layers * (double)w->f * (double)w->n;
        dry_cost(out, 0, (sonde_cost){ .flops = 4 * all * (double)w->d, .bytes = 4 * (w->d * w->vocab + BLOCK * w->n) });
        return SONDE_OK;
    }
    list_members(s);
    for (size_t i = 0; i < w->n_layers; i++) {
        SONDE_TRY(score_layer(s, w->layer[i], args, err));
        w->cx->progress(w->cx->progress_user, "layers", (int64_t)i + 1, (int64_t)w->n_layers);
    }
    if (s->n_scores) qsort(s->score, s->n_scores, sizeof *s->score, larger);
    put_scores(s, out);
    return put_histograms(s, out, err);
}

sonde_status neurons_classes(neuron_weights *w, const value *args, sonde_result *out, sonde_error *err) {
    scoring s = { .w = w };
    SONDE_FAIL_IF(!sonde_model_describe(w->cx->model)->has_tokenizer, err, SONDE_UNSUPPORTED,
                  "class: %s has no tokenizer, so its "
                  "tokens have no text", sonde_model_describe(w->cx->model)->name);
    s.classes = classes_of(w);
    sonde_status status = SONDE_OK;
    if (!strcmp(args[NEURONS_CLASS].text, "list")) put_list(&s.classes, out);
    else status = score_all(&s, args, out, err);
    for (size_t i = 0; s.member && i < s.classes.n; i++) free(s.member[i]);
    free(s.member);
    free(s.rank);
    free(s.score);
    classes_free(&s.classes);
    return status;
}
