/* What a model's answers lose when whole layers are skipped, swapped, repeated or put into another order (Lad, Lee, Gurnee and
 * Tegmark, The Remarkable Robustness of LLMs: Stages of Inference?, 2024), over documents. */
#include "documents.h"
#include "dry.h"
#include "predictions.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { LAYERS_DO, LAYERS_ORDER, LAYERS_LAYERS, LAYERS_WINDOW, LAYERS_TIMES, LAYERS_PART, LAYERS_PREDICTIONS };

static const param params[] = {
    [LAYERS_DO] = { "do", PARAM_TEXT, "swap,skip", 0, 0, "swap, skip, repeat, order, or several with commas" },
    [LAYERS_ORDER] = { "order", PARAM_LIST, "", 0, 0, "for order: blocks as they run, 0,2,1,3; may be given several times" },
    [LAYERS_LAYERS] = { "layers", PARAM_LAYERS, "all", 0, 0, "slots where the change begins" },
    [LAYERS_WINDOW] = { "window", PARAM_INT, "1", 1, 100000, "blocks that are skipped, swapped or repeated together" },
    [LAYERS_TIMES] = { "times", PARAM_INT, "2", 2, 16, "for repeat: how often each of them runs" },
    [LAYERS_PART] = { "part", PARAM_TEXT, "all", 0, 0, "for skip: all of a block, attn or mlp" },
    [LAYERS_PREDICTIONS] = { "predictions", PARAM_FLAG, "", 0, 0, "a table with a row for each prediction under each change" },
    { 0 },
};

enum { KL, SAME, RIGHT, LOSS, ENTROPY, FIGURES };
enum { PER_PREDICTION = 4 };                    /* kl, loss, entropy, best */

typedef struct {
    const char *what;
    long        first, last;                    /* slots that it touches; -1: an order */
    const char *plan;                           /* "skip:blocks.3,.." as edits with a bar between them */
    sonde_edit **edit; size_t n_edits;          /* the plan, then --edit */
    size_t      owned;                          /* of those, how many are the plan's */
    ratio       sum[FIGURES];
} change;

typedef struct {
    const sonde_context *cx;
    const sonde_model_info *model;
    long        window, times;
    const char *part;
    bool        rows;                           /* keep every prediction */
    change     *change; size_t n, room;
    sonde_variant *variant;                     /* [n + 1]; 0: the model with --edit alone */
    ratio       before[FIGURES];
    sonde_table *predictions;
} experiment;

/* ---- the changes ---- */

typedef struct { char *at; size_t n, room; } text;

__attribute__((format(printf, 2, 3)))
static void add_text(text *t, const char *fmt, ...) {
    char piece[64];
    va_list list;
    va_start(list, fmt);
    const int n = vsnprintf(piece, sizeof piece, fmt, list);
    va_end(list);
    t->at = room_grow(t->at, t->n, (size_t)n + 1, 1);
    memcpy(t->at + t->n, piece, (size_t)n + 1);
    t->n += (size_t)n;
}

/* Edits of a plan, with a bar between them. */
static char *skip_text(const experiment *e, long first) {
    text t = { 0 };
    for (long i = first; i < first + e->window; i++)
        add_text(&t, "%sskip:blocks.%ld%s%s", i > first ? "|" : "", i, strcmp(e->part, "all") ? "." : "",
                 strcmp(e->part, "all") ? e->part : "");
    return t.at;
}

/* Two neighbouring windows change places. */
static char *swap_text(const experiment *e, long first) {
    text t = { 0 };
    add_text(&t, "order:");
    for (long i = 0; i < (long)e->model->layers; i++) {
        const long w = e->window, in = i - first;
        const long from = in >= 0 && in < w ? i + w : in >= w && in < 2 * w ? i - w : i;
        add_text(&t, "%s%ld", i ? "," : "", from);
    }
    return t.at;
}

/* Each block of the window runs again at once: 4 4 5 5 6 6. */
static char *repeat_text(const experiment *e, long first) {
    text t = { 0 };
    for (long i = first; i < first + e->window; i++)
        add_text(&t, "%srepeat:blocks.%ld=%ld", i > first ? "|" : "", i, e->times);
    return t.at;
}

static sonde_status parse_plan(experiment *e, change *c, sonde_error *err) {
    size_t plans = 1;
    for (const char *p = c->plan; *p; p++) plans += *p == '|';      /* NOLINT: every way makes a text */
    c->edit = ROOM(sonde_edit *, plans + e->cx->n_edits);
    for (const char *at = c->plan; c->owned < plans; c->owned++) {
        const size_t n = strcspn(at, "|");
        char *one = room_text(at, n);
        const sonde_status s = sonde_edit_parse(&c->edit[c->owned], e->cx->model, one, NULL, err);
        free(one);
        if (s != SONDE_OK) return s;
        at += n + 1;
    }
    for (size_t i = 0; i < e->cx->n_edits; i++) c->edit[c->owned + i] = (sonde_edit *)e->cx->edits[i];
    c->n_edits = c->owned + e->cx->n_edits;
    return SONDE_OK;
}

static sonde_status add_change(experiment *e, change c, sonde_error *err) {
    e->change = room_grow(e->change, e->n, 1, sizeof *e->change);
    e->change[e->n] = c;
    return parse_plan(e, &e->change[e->n++], err);
}

typedef struct { const char *name; long reach; char *(*plan)(const experiment *e, long first); } way;   /* reach: windows */

static sonde_status add_way(experiment *e, const way *w, const value *args, sonde_error *err) {
    long  *slot;
    size_t n;
    const long  last = (long)e->model->layers - w->reach * e->window;
    const char *layers = args[LAYERS_LAYERS].text;
    SONDE_FAIL_IF(last < 0, err, SONDE_USAGE, "window: %ld, and %s needs %ld times as many blocks; the model has %" PRId64, e->window,
                  w->name, w->reach, e->model->layers);
    SONDE_TRY(param_numbers(&params[LAYERS_LAYERS], layers, (long)e->model->layers, &slot, &n, err));
    sonde_status s = SONDE_OK;
    for (size_t i = 0; i < n && s == SONDE_OK; i++) {
        if (slot[i] > last && !strcmp(layers, "all")) continue;
        if (slot[i] > last) s = sonde_fail(err, SONDE_USAGE, "layers: %s of %ld from slot %ld on, expected slots up to %ld", w->name,
                                           e->window, slot[i], last);
        else s = add_change(e, (change){ .what = w->name, .first = slot[i], .last = slot[i] + w->reach * e->window - 1,
                                         .plan = w->plan(e, slot[i]) }, err);
    }
    free(slot);
    return s;
}

static sonde_status add_orders(experiment *e, const value *orders, sonde_error *err) {
    SONDE_FAIL_IF(orders->n == 0, err, SONDE_USAGE, "order: none is given, expected --order 0,2,1,3");
    for (size_t i = 0; i < orders->n; i++) {
        text t = { 0 };
        add_text(&t, "order:");
        for (const char *c = orders->list[i]; *c; c++) add_text(&t, "%c", *c);
        SONDE_TRY(add_change(e, (change){ .what = "order", .first = -1, .last = -1, .plan = t.at }, err));
    }
    return SONDE_OK;
}

/* Does the list of ways hold this one? */
static bool asks_for(const char *list, const char *name) {
    for (const char *at = list; ; at++) {
        const size_t n = strcspn(at, ",");
        if (strlen(name) == n && !memcmp(at, name, n)) return true;
        at += n;
        if (!*at) return false;
    }
}

static sonde_status check_parts(const value *args, sonde_error *err) {
    static const struct { int option; const char *way; } parts[] = {
        { LAYERS_ORDER, "order" }, { LAYERS_TIMES, "repeat" }, { LAYERS_PART, "skip" },
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const value *v = &args[parts[i].option];
        SONDE_FAIL_IF((v->given || v->n) && !asks_for(args[LAYERS_DO].text, parts[i].way), err, SONDE_USAGE,
                      "%s: it is of --do %s, found --do %s", params[parts[i].option].name, parts[i].way, args[LAYERS_DO].text);
    }
    return SONDE_OK;
}

static sonde_status add_changes(experiment *e, const value *args, sonde_error *err) {
    SONDE_TRY(check_parts(args, err));
    static const way ways[] = { { "swap", 2, swap_text }, { "skip", 1, skip_text }, { "repeat", 1, repeat_text } };
    enum { WAYS = sizeof ways / sizeof *ways };
    const char *at = args[LAYERS_DO].text;
    do {
        const size_t n = strcspn(at, ",");
        size_t k = 0;
        while (k < WAYS && (strlen(ways[k].name) != n || memcmp(at, ways[k].name, n) != 0)) k++;
        const bool order = n == 5 && !memcmp(at, "order", n);
        SONDE_FAIL_IF(k == WAYS && !order, err, SONDE_USAGE, "do: \"%.*s\", expected swap, skip, repeat or order", (int)(n < 40 ? n : 40), at);
        SONDE_TRY(order ? add_orders(e, &args[LAYERS_ORDER], err) : add_way(e, &ways[k], args, err));
        at += n;
    } while (*at++ == ',');
    SONDE_FAIL_IF(e->n == 0, err, SONDE_USAGE, "nothing to change: no slot is left for --do %s", args[LAYERS_DO].text);
    e->variant = ROOM(sonde_variant, e->n + 1);
    e->variant[0] = (sonde_variant){ 0, e->cx->edits, e->cx->n_edits };
    for (size_t i = 0; i < e->n; i++)
        e->variant[i + 1] = (sonde_variant){ 0, (const sonde_edit *const *)e->change[i].edit, e->change[i].n_edits };
    return SONDE_OK;
}

static void drop(experiment *e) {
    for (size_t i = 0; i < e->n; i++) {
        for (size_t k = 0; k < e->change[i].owned; k++) sonde_edit_free(e->change[i].edit[k]);
        free(e->change[i].edit);
        free((char *)e->change[i].plan);
    }
    free(e->change);
    free(e->variant);
}

/* ---- documents ---- */

static predictions_query query(const experiment *e, size_t i) {
    return (predictions_query){ document_tokens(e->cx, i), e->variant, e->n + 1 };
}

/* FIGURES sums of every variant; then, where they are kept, the predictions, variant by variant. */
static sonde_status compute(size_t i, numbers *out, void *user, sonde_error *err) {
    experiment *e = user;
    const predictions_query q = query(e, i);
    const int64_t rows = q.prompt.n - 1;
    prediction *x = ROOM(prediction, rows * (int64_t)q.n);
    const sonde_status s = predictions_of(e->cx, &q, x, err);
    numbers_zeros(out, q.n * FIGURES + (e->rows ? q.n * (size_t)rows * PER_PREDICTION : 0));
    double *kept = out->at + q.n * FIGURES;
    for (size_t v = 0; v < q.n; v++)
        for (int64_t t = 0; t < rows; t++) {
            const prediction *p = &x[(int64_t)v * rows + t];
            double *sum = out->at + v * FIGURES;
            sum[KL] += p->kl_nats;
            sum[SAME] += p->best == x[t].best;
            sum[RIGHT] += p->best == q.prompt.tokens[t + 1];
            sum[LOSS] += p->loss;
            sum[ENTROPY] += p->entropy_bits;
            if (!e->rows) continue;
            const double all[PER_PREDICTION] = { p->kl_nats, p->loss, p->entropy_bits, p->best };
            memcpy(kept, all, sizeof all);
            kept += PER_PREDICTION;
        }
    free(x);
    return s;
}

static void put_change(const change *c, sonde_table *t) {
    sonde_cell_text(t, c->what);
    if (c->first < 0) sonde_cell_null(t);
    else sonde_cell_int(t, c->first);
    if (c->first < 0) sonde_cell_null(t);
    else sonde_cell_int(t, c->last);
}

static void put_predictions(experiment *e, size_t i, const double *x) {
    const sonde_prompt p = document_tokens(e->cx, i);
    const size_t rows = (size_t)p.n - 1;
    sonde_table *t = e->predictions;
    for (size_t c = 0; c < e->n; c++)
        for (size_t r = 0; r < rows; r++) {
            const double *before = x + r * PER_PREDICTION, *after = x + ((c + 1) * rows + r) * PER_PREDICTION;
            sonde_table_row(t);
            sonde_cell_int(t, (int64_t)i);
            put_change(&e->change[c], t);
            sonde_cell_int(t, (int64_t)r);
            sonde_cell_token(t, context_token(e->cx, p.tokens[r]));
            sonde_cell_token(t, context_token(e->cx, p.tokens[r + 1]));
            sonde_cell_token(t, context_token(e->cx, (int32_t)before[3]));
            sonde_cell_token(t, context_token(e->cx, (int32_t)after[3]));
            sonde_cell_float(t, after[0]);
            sonde_cell_float(t, before[1]);
            sonde_cell_float(t, after[1]);
            sonde_cell_float(t, before[2]);
            sonde_cell_float(t, after[2]);
        }
}

static sonde_status add(size_t i, const double *x, size_t n, void *user, sonde_error *err) {
    experiment *e = user;
    const int64_t rows = document_tokens(e->cx, i).n - 1;
    const size_t  sums = (e->n + 1) * FIGURES, all = sums + (e->rows ? (e->n + 1) * (size_t)rows * PER_PREDICTION : 0);
    SONDE_FAIL_IF(n != all, err, SONDE_FORMAT, "the results file has %zu numbers of document %zu, expected %zu", n, i, all);
    for (size_t v = 0; v <= e->n; v++)
        for (size_t f = 0; f < FIGURES; f++)
            ratio_add(v ? &e->change[v - 1].sum[f] : &e->before[f], x[v * FIGURES + f], (double)rows);
    if (e->rows) put_predictions(e, i, x + sums);
    return SONDE_OK;
}

/* ---- the result ---- */

typedef struct { const char *name; sonde_column_type type; const char *unit; } column;

static sonde_table *make_table(sonde_result *out, const char *name, const column *c, size_t n) {
    sonde_table *t = sonde_result_table(out, name);
    for (size_t i = 0; i < n; i++) sonde_table_column(t, c[i].name, c[i].type, c[i].unit);
    return t;
}

static const column slot_columns[] = {
    { "do", SONDE_TEXT, "" }, { "slot", SONDE_INT, "" }, { "last", SONDE_INT, "" }, { "depth", SONDE_FLOAT, "" },
    { "predictions", SONDE_INT, "" }, { "kl_nats", SONDE_FLOAT, "nat" }, { "kl_se", SONDE_FLOAT, "nat" },
    { "same", SONDE_FLOAT, "" }, { "same_se", SONDE_FLOAT, "" }, { "accuracy_before", SONDE_FLOAT, "" },
    { "accuracy_after", SONDE_FLOAT, "" }, { "loss_before", SONDE_FLOAT, "nat" }, { "loss_after", SONDE_FLOAT, "nat" },
    { "loss_se", SONDE_FLOAT, "nat" }, { "perplexity_ratio", SONDE_FLOAT, "" }, { "entropy_before", SONDE_FLOAT, "bit" },
    { "entropy_after", SONDE_FLOAT, "bit" }, { "kl_low", SONDE_FLOAT, "nat" }, { "kl_high", SONDE_FLOAT, "nat" },
    { "same_low", SONDE_FLOAT, "" }, { "same_high", SONDE_FLOAT, "" }, { "plan", SONDE_TEXT, "" },
};
static const column prediction_columns[] = {
    { "document", SONDE_INT, "" }, { "do", SONDE_TEXT, "" }, { "slot", SONDE_INT, "" }, { "last", SONDE_INT, "" },
    { "position", SONDE_INT, "" }, { "token", SONDE_TOKEN, "" }, { "next", SONDE_TOKEN, "" }, { "best_before", SONDE_TOKEN, "" },
    { "best_after", SONDE_TOKEN, "" }, { "kl_nats", SONDE_FLOAT, "nat" }, { "loss_before", SONDE_FLOAT, "nat" },
    { "loss_after", SONDE_FLOAT, "nat" }, { "entropy_before", SONDE_FLOAT, "bit" }, { "entropy_after", SONDE_FLOAT, "bit" },
};

#define MAKE_TABLE(out, name, columns) make_table(out, name, columns, sizeof(columns) / sizeof *(columns))

static void put_band(sonde_table *t, const ratio *r) {
    put_defined(t, ratio_mean(r) - ratio_se(r));
    put_defined(t, ratio_mean(r) + ratio_se(r));
}

static void put_slot(const experiment *e, const change *c, sonde_table *t) {
    const ratio *x = c->sum;
    const double most = e->model->layers > 1 ? (double)e->model->layers - 1 : 1;
    sonde_table_row(t);
    put_change(c, t);
    if (c->first < 0) sonde_cell_null(t);
    else sonde_cell_float(t, ((double)c->first + (double)c->last) / 2 / most);
    sonde_cell_int(t, (int64_t)x[KL].n);
    sonde_cell_float(t, ratio_mean(&x[KL]));
    put_defined(t, ratio_se(&x[KL]));
    sonde_cell_float(t, ratio_mean(&x[SAME]));
    put_defined(t, ratio_se(&x[SAME]));
    sonde_cell_float(t, ratio_mean(&e->before[RIGHT]));
    sonde_cell_float(t, ratio_mean(&x[RIGHT]));
    sonde_cell_float(t, ratio_mean(&e->before[LOSS]));
    sonde_cell_float(t, ratio_mean(&x[LOSS]));
    put_defined(t, ratio_se(&x[LOSS]));
    sonde_cell_float(t, exp(ratio_mean(&x[LOSS]) - ratio_mean(&e->before[LOSS])));
    sonde_cell_float(t, ratio_mean(&e->before[ENTROPY]));
    sonde_cell_float(t, ratio_mean(&x[ENTROPY]));
    put_band(t, &x[KL]);
    put_band(t, &x[SAME]);
    sonde_cell_text(t, c->plan);
}

/* One number a way: the mean over all slots but the first, which every model depends on. */
static void put_overall(const experiment *e, sonde_result *out) {
    static const column columns[] = { { "do", SONDE_TEXT, "" }, { "slots", SONDE_INT, "" }, { "same", SONDE_FLOAT, "" },
                                      { "kl_nats", SONDE_FLOAT, "nat" }, { "same_first", SONDE_FLOAT, "" } };
    sonde_table *t = MAKE_TABLE(out, "overall", columns);
    for (size_t i = 0; i < e->n;) {
        const char *what = e->change[i].what;
        double same = 0, kl = 0, first = NAN;
        int64_t n = 0;
        for (; i < e->n && e->change[i].what == what; i++) {
            const ratio *x = e->change[i].sum;
            if (e->change[i].first == 0) first = ratio_mean(&x[SAME]);
            else same += ratio_mean(&x[SAME]), kl += ratio_mean(&x[KL]), n++;
        }
        sonde_table_row(t);
        sonde_cell_text(t, what);
        sonde_cell_int(t, n);
        put_defined(t, n ? same / (double)n : NAN);
        put_defined(t, n ? kl / (double)n : NAN);
        put_defined(t, first);
    }
}

static void views(const experiment *e, sonde_result *out) {
    if (e->change[0].first < 0) return;
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "layers", .x = "depth", .y = "do", .value = "kl_nats",
                                            .low = "kl_low", .high = "kl_high", .title = "KL(model || changed), over relative depth" });
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "layers", .x = "depth", .y = "do", .value = "same",
                                            .low = "same_low", .high = "same_high",
                                            .title = "Share of predictions that stay the same, over relative depth" });
}

static sonde_status dry(const experiment *e, sonde_result *out, sonde_error *err) {
    sonde_cost all = { 0 }, one;
    for (size_t i = 0; i < e->cx->n_documents; i++) {
        const predictions_query q = query(e, i);
        SONDE_TRY(predictions_cost(e->cx, &q, &one, err));
        all = (sonde_cost){ all.flops + one.flops, all.rows + one.rows, one.bytes > all.bytes ? one.bytes : all.bytes };
    }
    dry_cost(out, (int64_t)((e->n + 1) * e->cx->n_documents), all);
    return SONDE_OK;
}

static sonde_status measure(experiment *e, sonde_result *out, sonde_error *err) {
    if (e->cx->dry_run) return dry(e, out, err);
    sonde_table *t = MAKE_TABLE(out, "layers", slot_columns);
    if (e->rows) e->predictions = MAKE_TABLE(out, "predictions", prediction_columns);
    SONDE_TRY(documents_run(e->cx, &(document_work){ "layers", compute, add, e }, err));
    SONDE_FAIL_IF(!(e->before[LOSS].n > 0), err, SONDE_USAGE, "no document has two tokens, expected something to predict");
    for (size_t i = 0; i < e->n; i++) put_slot(e, &e->change[i], t);
    put_overall(e, out);
    views(e, out);
    return SONDE_OK;
}

extern const method method_layers;

static sonde_status layers(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    experiment e = { .cx = cx, .model = sonde_model_describe(cx->model), .window = args[LAYERS_WINDOW].i,
                     .times = args[LAYERS_TIMES].i, .part = args[LAYERS_PART].text, .rows = args[LAYERS_PREDICTIONS].i != 0 };
    context_head(cx, &method_layers, out);
    SONDE_FAIL_IF(strcmp(e.part, "all") != 0 && strcmp(e.part, "attn") != 0 && strcmp(e.part, "mlp") != 0, err, SONDE_USAGE,
                  "part: \"%s\", expected all, attn or mlp", e.part);
    sonde_status s = add_changes(&e, args, err);
    if (s == SONDE_OK) s = measure(&e, out, err);
    drop(&e);
    return s;
}

const method method_layers = {
    .name = "layers",
    .summary = "what the answers lose when layers are skipped, swapped, repeated or put into another order, over documents",
    .reference = "Lad, Lee, Gurnee and Tegmark, The Remarkable Robustness of LLMs: Stages of Inference?, 2024; standard errors: Cochran, "
                 "Sampling Techniques, 1977",
    .formula = "slot i: skip leaves out --window blocks from i on; swap exchanges the window at i with the one behind it; repeat "
               "runs each block of the window --times times; order runs the blocks as listed. Over every prediction (all "
               "positions but a document's last): kl_nats: mean KL(model || changed); same: share whose most probable token "
               "stays; accuracy, loss (nats), entropy (bits) before and after; perplexity_ratio: e^(loss_after - loss_before); "
               "depth: middle of the slots / (layers - 1); _se: standard error over documents, _low and _high one of them "
               "away; overall: means over all slots but the first",
    .example = "layers --text held-out --documents 20",
    .params = params,
    .takes = NEEDS_MODEL | NEXT_TOKENS | NEEDS_TEXT | TAKES_EDITS,
    .run = layers,
};
