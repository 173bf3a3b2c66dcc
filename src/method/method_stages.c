/* The four curves by which a model's depth falls into stages: what skipping a block costs, how much attention stays close,
 * and where neurons for and against tokens lie (Lad, Lee, Gurnee and Tegmark, The Remarkable Robustness of LLMs: Stages of
 * Inference?, 2024, figure 1). */
#include "documents.h"
#include "dry.h"
#include "method_neurons.h"
#include "predictions.h"
#include "room.h"
#include <math.h>
#include <stdio.h>

enum { STAGES_OFFSETS, STAGES_KURTOSIS };

static const param params[] = {
    [STAGES_OFFSETS] = { "offsets", PARAM_INT, "5", 1, 1000, "how many tokens back attention counts as close" },
    [STAGES_KURTOSIS] = { "kurtosis", PARAM_REAL, "10", 0, 1e9, "above it a neuron counts as prediction or suppression neuron" },
    { 0 },
};

enum { SKIPPED, CLOSE, PREDICTION, SUPPRESSION, CURVES };
static const char *const curve_names[CURVES] = { "KL where skipped", "attention to the tokens before", "prediction neurons",
                                                 "suppression neurons" };
enum { PER_LAYER = 3 };                 /* numbers of a document: KL, attention and its rows */

typedef struct {
    const sonde_context    *cx;
    const sonde_model_info *model;
    int64_t        offsets;
    sonde_edit   **skip;                /* [layers] */
    const sonde_edit **list;            /* [layers, edits + 1] */
    sonde_variant *variant;             /* [layers + 1]; 0: the model with --edit alone */
    ratio         *kl, *close;          /* [layers] */
    int64_t      (*neurons)[KIND_COUNT];
    double        *out;                 /* of the document at hand */
} stages;

static sonde_status make_variants(stages *s, sonde_error *err) {
    const sonde_context *cx = s->cx;
    const size_t n = (size_t)s->model->layers, each = cx->n_edits + 1;
    s->skip = ROOM(sonde_edit *, n);
    s->list = ROOM(const sonde_edit *, n * each);
    s->variant = ROOM(sonde_variant, n + 1);
    s->variant[0] = (sonde_variant){ 0, cx->edits, cx->n_edits };
    for (size_t l = 0; l < n; l++) {
        char text[64];
        snprintf(text, sizeof text, "skip:blocks.%zu", l);
        SONDE_TRY(sonde_edit_parse(&s->skip[l], cx->model, text, NULL, err));
        const sonde_edit **list = s->list + l * each;
        list[0] = s->skip[l];           /* plans come first */
        for (size_t i = 0; i < cx->n_edits; i++) list[i + 1] = cx->edits[i];
        s->variant[l + 1] = (sonde_variant){ 0, list, each };
    }
    return SONDE_OK;
}

/* ---- documents ---- */

/* Of each row that has so many tokens before it: what they get together, mean over heads. */
static sonde_status take_pattern(const sonde_answer *x, void *user, sonde_error *err) {
    (void)err;
    stages *s = user;
    const int64_t heads = x->value.dim[0], rows = x->value.dim[1], keys = x->value.dim[2];
    int layer;
    if (sscanf(x->site, "blocks.%d.", &layer) != 1 || layer >= s->model->layers) return SONDE_OK;
    double *sum = s->out + (ptrdiff_t)PER_LAYER * layer + 1;
    for (int64_t t = 0; t < rows; t++) {
        const int64_t i = x->first + t;
        if (i < s->offsets) continue;
        for (int64_t h = 0; h < heads; h++)
            for (int64_t k = 1; k <= s->offsets; k++) sum[0] += (double)x->value.data[(h * rows + t) * keys + i - k] / (double)heads;
        sum[1]++;
    }
    return SONDE_OK;
}

static sonde_status run_patterns(stages *s, sonde_prompt p, sonde_cost *cost, sonde_error *err) {
    const sonde_want  w = { .kind = SONDE_WANT_SITE, .sites = "attn.hook_pattern" };
    const sonde_batch b = { .bases = &p, .n_bases = 1, .variants = s->variant, .n_variants = 1, .wants = &w, .n_wants = 1,
                            .runs = s->cx->runs, .n_runs = s->cx->n_runs, .seed = s->cx->seed };
    return cost ? sonde_variants_cost(s->cx->session, &b, cost, err) : sonde_variants_run(s->cx->session, &b, take_pattern, s, err);
}

static sonde_status compute(size_t i, numbers *out, void *user, sonde_error *err) {
    stages *s = user;
    const predictions_query q = { document_tokens(s->cx, i), s->variant, (size_t)s->model->layers + 1 };
    const int64_t rows = q.prompt.n - 1;
    prediction *x = ROOM(prediction, rows * (int64_t)q.n);
    numbers_zeros(out, PER_LAYER * (size_t)s->model->layers);
    s->out = out->at;
    sonde_status status = predictions_of(s->cx, &q, x, err);
    for (int64_t l = 0; l < s->model->layers; l++)
        for (int64_t t = 0; t < rows; t++) out->at[PER_LAYER * l] += x[(l + 1) * rows + t].kl_nats;
    free(x);
    return status == SONDE_OK ? run_patterns(s, q.prompt, NULL, err) : status;
}

static sonde_status add(size_t i, const double *x, size_t n, void *user, sonde_error *err) {
    stages *s = user;
    const size_t all = PER_LAYER * (size_t)s->model->layers;
    SONDE_FAIL_IF(n != all, err, SONDE_FORMAT, "the results file has %zu numbers of document %zu, expected %zu", n, i, all);
    for (int64_t l = 0; l < s->model->layers; l++) {
        ratio_add(&s->kl[l], x[PER_LAYER * l], (double)document_tokens(s->cx, i).n - 1);
        ratio_add(&s->close[l], x[PER_LAYER * l + 1], x[PER_LAYER * l + 2]);
    }
    return SONDE_OK;
}

/* ---- weights ---- */

static sonde_status count_neurons(stages *s, double kurtosis, sonde_error *err) {
    value args[NEURONS_N + 1] = { { 0 } };
    neuron_weights w = { .cx = (sonde_context *)s->cx };
    for (int i = 0; i <= NEURONS_N; i++) SONDE_TRY(param_parse(&neurons_params[i], NULL, &args[i], err));
    sonde_status status = neurons_open(&w, args, err);
    sonde_moments *m = ROOM(sonde_moments, (int64_t)w.n_layers * w.f);
    if (status == SONDE_OK) status = neurons_moments(&w, m, err);
    for (size_t l = 0; status == SONDE_OK && l < w.n_layers; l++)
        for (int64_t k = 0; k < w.f; k++)
            s->neurons[l][neuron_kind_of(&m[(int64_t)l * w.f + k], (neuron_bounds){ kurtosis, INFINITY })]++;
    free(m);
    neurons_close(&w);
    return status;
}

/* ---- the result ---- */

typedef struct { double value, se; } point;

static point point_of(const stages *s, int curve, int64_t l) {
    switch (curve) {
    case SKIPPED: return (point){ ratio_mean(&s->kl[l]), ratio_se(&s->kl[l]) };
    case CLOSE:   return (point){ ratio_mean(&s->close[l]), ratio_se(&s->close[l]) };
    default:      return (point){ (double)s->neurons[l][curve == PREDICTION ? KIND_PREDICTION : KIND_SUPPRESSION], 0 };
    }
}

static double depth(const stages *s, int64_t l) { return s->model->layers > 1 ? (double)l / (double)(s->model->layers - 1) : 0; }

static void put_layers(const stages *s, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "layers");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "depth", SONDE_FLOAT, "");
    sonde_table_column(t, "kl_nats", SONDE_FLOAT, "nat");
    sonde_table_column(t, "kl_se", SONDE_FLOAT, "nat");
    sonde_table_column(t, "close", SONDE_FLOAT, "");
    sonde_table_column(t, "close_se", SONDE_FLOAT, "");
    sonde_table_column(t, "prediction", SONDE_INT, "");
    sonde_table_column(t, "suppression", SONDE_INT, "");
    for (int64_t l = 0; l < s->model->layers; l++) {
        sonde_table_row(t);
        sonde_cell_int(t, l);
        sonde_cell_float(t, depth(s, l));
        ratio_put(t, &s->kl[l]);
        ratio_put(t, &s->close[l]);
        sonde_cell_int(t, s->neurons[l][KIND_PREDICTION]);
        sonde_cell_int(t, s->neurons[l][KIND_SUPPRESSION]);
    }
}

/* Every curve as a share of its largest value, so that one picture holds all four. */
static void put_curves(const stages *s, sonde_result *out) {
    static const char *const columns[] = { "depth", "value", "share", "low", "high" };
    sonde_table *t = sonde_result_table(out, "curves");
    sonde_table_column(t, "curve", SONDE_TEXT, "");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) sonde_table_column(t, columns[i], SONDE_FLOAT, "");
    for (int c = 0; c < CURVES; c++) {
        double most = 0;
        for (int64_t l = 0; l < s->model->layers; l++) most = fmax(most, point_of(s, c, l).value);
        for (int64_t l = 0; l < s->model->layers; l++) {
            const point p = point_of(s, c, l);
            sonde_table_row(t);
            sonde_cell_text(t, curve_names[c]);
            sonde_cell_float(t, depth(s, l));
            put_defined(t, p.value);
            put_defined(t, most > 0 ? p.value / most : 0);
            put_defined(t, most > 0 ? (p.value - p.se) / most : 0);
            put_defined(t, most > 0 ? (p.value + p.se) / most : 0);
        }
    }
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "curves", .x = "depth", .y = "curve", .value = "share", .low = "low",
                                            .high = "high", .title = "Stages over relative depth, each curve as a share of its largest value" });
}

static sonde_status dry(stages *s, sonde_result *out, sonde_error *err) {
    sonde_cost all = { 0 }, one, pattern;
    for (size_t i = 0; i < s->cx->n_documents; i++) {
        const predictions_query q = { document_tokens(s->cx, i), s->variant, (size_t)s->model->layers + 1 };
        SONDE_TRY(predictions_cost(s->cx, &q, &one, err));
        SONDE_TRY(run_patterns(s, q.prompt, &pattern, err));
        all = (sonde_cost){ all.flops + one.flops + pattern.flops, all.rows + one.rows + pattern.rows,
                            one.bytes > all.bytes ? one.bytes : all.bytes };
    }
    dry_cost(out, ((int64_t)s->model->layers + 2) * (int64_t)s->cx->n_documents, all);
    return SONDE_OK;
}

static sonde_status measure(stages *s, const value *args, sonde_result *out, sonde_error *err) {
    SONDE_TRY(make_variants(s, err));
    if (s->cx->dry_run) return dry(s, out, err);
    SONDE_TRY(count_neurons(s, args[STAGES_KURTOSIS].real, err));
    SONDE_TRY(documents_run(s->cx, &(document_work){ "stages", compute, add, s }, err));
    SONDE_FAIL_IF(!(s->kl[0].n > 0), err, SONDE_USAGE, "no document has two tokens, expected something to predict");
    put_layers(s, out);
    put_curves(s, out);
    return SONDE_OK;
}

extern const method method_stages;

static sonde_status stages_method(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(cx->model);
    stages s = { .cx = cx, .model = info, .offsets = args[STAGES_OFFSETS].i, .kl = ROOM(ratio, info->layers),
                 .close = ROOM(ratio, info->layers), .neurons = room_bytes((size_t)info->layers, sizeof *s.neurons) };
    context_head(cx, &method_stages, out);
    const sonde_status status = measure(&s, args, out, err);
    for (int64_t l = 0; s.skip && l < info->layers; l++) sonde_edit_free(s.skip[l]);
    free(s.skip);
    free(s.list);
    free(s.variant);
    free(s.kl);
    free(s.close);
    free(s.neurons);
    return status;
}

const method method_stages = {
    .name = "stages",
    .summary = "where a model's depth changes its work: four curves over its layers, from documents and weights",
    .reference = "Lad, Lee, Gurnee and Tegmark, The Remarkable Robustness of LLMs: Stages of Inference?, 2024 (figure 1); neurons: Gurnee et "
                 "al., Universal Neurons in GPT2 Language Models, 2024",
    .formula = "kl_nats: mean KL(model || block skipped) over all predictions, in nats; close: what the --offsets tokens before get of a "
               "row's attention together, mean over heads and rows that have so many before them; prediction, suppression: "
               "neurons of the folded weights whose kurtosis is above --kurtosis, with skew above and below 0 (sonde help neurons); "
               "depth: layer / (layers - 1); share: value over the largest of its curve; _se, low, high: standard error over "
               "documents and the curve one of them away",
    .example = "stages --text held-out --documents 20",
    .params = params,
    .takes = NEEDS_MODEL | NEXT_TOKENS | NEEDS_TEXT | TAKES_EDITS,
    .run = stages_method,
};
