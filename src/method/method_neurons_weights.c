/* Rows of W_out beside columns of W_U, and the moments of their cosines (Gurnee et al., Universal neurons in GPT2 language
 * models, 2024; Lad et al., The remarkable robustness of LLMs, 2024). */
#include "dry.h"
#include "lookup.h"
#include "method_neurons.h"
#include "room.h"
#include <math.h>
#include <stdio.h>

/* A matrix of this shape; UNSUPPORTED where the model has no such one. */
static sonde_status find_matrix(const sonde_model *m, const char *name, const int64_t *dim, size_t *out, sonde_error *err) {
    sonde_weight_info w = { 0 };
    *out = weight_find(m, name, &w);
    const bool good = *out != SIZE_MAX && w.rank == 2 && w.dim[0] == dim[0] && w.dim[1] == dim[1];
    SONDE_FAIL_IF(!good, err, SONDE_UNSUPPORTED, "neurons: %s has no matrix %s of %lld x %lld",
                  sonde_model_describe(m)->name, name,
                  (long long)dim[0], (long long)dim[1]);
    return SONDE_OK;
}

/* Ids behind the last one that the tokenizer knows are padding of the matrix; without a tokenizer nothing is known. */
static int64_t tokens_of(const sonde_model *m, int64_t vocab) {
    size_t len = 0;
    if (!sonde_model_describe(m)->has_tokenizer) return vocab;
    while (vocab > 1 && (sonde_token_bytes(m, (int32_t)vocab - 1, &len), len == 0)) vocab--;
    return vocab;
}

static double inverse(double squares) { return squares > 0 ? 1 / sqrt(squares) : 0; }

static void find_columns(neuron_weights *w) {
    w->column = ROOM(double, w->n);
    for (int64_t k = 0; k < w->d; k++)
        for (int64_t j = 0; j < w->n; j++) {
            const double x = (double)w->unembed[k * w->vocab + j];
            w->column[j] += x * x;
        }
    for (int64_t j = 0; j < w->n; j++) w->column[j] = inverse(w->column[j]);
}

/* With norms folded in, centred: what reaches the logits is then w_out . W_U (interface.md: --fold). */
sonde_status neurons_open(neuron_weights *w, const value *args, sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(w->cx->model);
    size_t at;
    w->model = w->cx->model;
    if (!args[NEURONS_RAW].i && !w->cx->dry_run) {
        SONDE_TRY(sonde_model_fold(w->cx->model, &w->folded, err));
        w->model = w->folded;
    }
    w->d = info->d;
    w->f = info->f;
    w->vocab = info->vocab;
    SONDE_TRY(param_numbers(&neurons_params[NEURONS_LAYERS], args[NEURONS_LAYERS].text, (long)info->layers, &w->layer,
                            &w->n_layers, err));
    SONDE_TRY(find_matrix(w->model, "unembed.W_U", (int64_t[]){ w->d, w->vocab }, &at, err));
    w->n = tokens_of(w->cx->model, w->vocab);
    if (w->cx->dry_run) return SONDE_OK;
    w->unembed = ROOM(float, w->d * w->vocab);
    w->w_out = ROOM(float, w->f * w->d);
    w->row = ROOM(double, w->f);
    SONDE_TRY(sonde_model_weight_read(w->model, at, w->unembed, err));
    find_columns(w);
    return SONDE_OK;
}

void neurons_close(neuron_weights *w) {
    sonde_model_close(w->folded);
    free(w->layer);
    free(w->unembed);
    free(w->column);
    free(w->w_out);
    free(w->row);
}

/* Layers of experts have no W_out whose rows are neurons. */
static sonde_status refuse_experts(const neuron_weights *w, long layer, sonde_error *err) {
    char name[64];
    sonde_weight_info info;
    snprintf(name, sizeof name, "blocks.%ld.mlp.experts.W_out", layer);
    SONDE_FAIL_IF(weight_find(w->model, name, &info) != SIZE_MAX, err, SONDE_UNSUPPORTED,
                  "layer %ld is a mixture of experts, expected layers whose MLP has neurons of its own", layer);
    return SONDE_OK;
}

sonde_status neurons_read(neuron_weights *w, long layer, sonde_error *err) {
    char   name[64];
    size_t at;
    SONDE_TRY(refuse_experts(w, layer, err));
    snprintf(name, sizeof name, "blocks.%ld.mlp.W_out", layer);
    SONDE_TRY(find_matrix(w->model, name, (int64_t[]){ w->f, w->d }, &at, err));
    SONDE_TRY(sonde_model_weight_read(w->model, at, w->w_out, err));
    for (int64_t i = 0; i < w->f; i++) {
        double squares = 0;
        for (int64_t k = 0; k < w->d; k++) squares += (double)w->w_out[i * w->d + k] * (double)w->w_out[i * w->d + k];
        w->row[i] = inverse(squares);
    }
    return SONDE_OK;
}

sonde_matrices neurons_matrices(const neuron_weights *w) {
    return (sonde_matrices){ .x = w->w_out, .rows = w->f, .k = w->d, .w = w->unembed, .n = w->n, .stride = w->vocab };
}

sonde_status neurons_moments(neuron_weights *w, sonde_moments *out, sonde_error *err) {
    for (size_t i = 0; i < w->n_layers; i++) {
        SONDE_TRY(neurons_read(w, w->layer[i], err));
        const sonde_matrices m = neurons_matrices(w);
        SONDE_TRY(sonde_session_moments(w->cx->session, &m, (sonde_scales){ w->row, w->column }, out + (int64_t)i * w->f,
                                        err));
        w->cx->progress(w->cx->progress_user, "layers", (int64_t)i + 1, (int64_t)w->n_layers);
    }
    return SONDE_OK;
}

neuron_kind neuron_kind_of(const sonde_moments *m, neuron_bounds b) {
    if (m->kurtosis > b.kurtosis) return m->skew > 0 ? KIND_PREDICTION : m->skew < 0 ? KIND_SUPPRESSION : KIND_NONE;
    return m->var > b.variance ? KIND_PARTITION : KIND_NONE;
}

/* ---- the tables of all neurons ---- */

static const char *const kind_words[] = { "none", "prediction", "suppression", "partition" };

typedef struct { int64_t of[KIND_COUNT]; } kind_counts;

static void put_neurons(const neuron_weights *w, const sonde_moments *m, neuron_bounds b, kind_counts *count,
                        sonde_result *out) {
    static const char *const columns[] = { "mean", "var", "skew", "kurtosis" };
    sonde_table *t = sonde_result_table(out, "neurons");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "neuron", SONDE_INT, "");
    for (size_t i = 0; i < 4; i++) sonde_table_column(t, columns[i], SONDE_FLOAT, "");
    sonde_table_column(t, "kind", SONDE_TEXT, "");
    for (int64_t i = 0; i < (int64_t)w->n_layers * w->f; i++) {
        const neuron_kind kind = neuron_kind_of(&m[i], b);
        const double numbers[] = { m[i].mean, m[i].var, m[i].skew, m[i].kurtosis };
        count[i / w->f].of[kind]++;
        sonde_table_row(t);
        sonde_cell_int(t, w->layer[i / w->f]);
        sonde_cell_int(t, i % w->f);
        for (size_t k = 0; k < 4; k++) sonde_cell_float(t, numbers[k]);
        sonde_cell_text(t, kind_words[kind]);
    }
}

static void put_layers(const neuron_weights *w, const kind_counts *count, sonde_result *out) {
    const int64_t layers = sonde_model_describe(w->model)->layers;
    sonde_table *t = sonde_result_table(out, "layers");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "depth", SONDE_FLOAT, "%");
    for (int k = KIND_PREDICTION; k < KIND_COUNT; k++) sonde_table_column(t, kind_words[k], SONDE_INT, "neuron");
    sonde_table_column(t, "neurons", SONDE_INT, "neuron");
    for (size_t i = 0; i < w->n_layers; i++) {
        sonde_table_row(t);
        sonde_cell_int(t, w->layer[i]);
        sonde_cell_float(t, layers > 1 ? 100 * (double)w->layer[i] / (double)(layers - 1) : 0);
        for (int k = KIND_PREDICTION; k < KIND_COUNT; k++) sonde_cell_int(t, count[i].of[k]);
        sonde_cell_int(t, w->f);
    }
}

/* The same counts as lines over depth. */
static void draw_layers(const neuron_weights *w, const kind_counts *count, sonde_result *out) {
    const int64_t dim[] = { KIND_COUNT - 1, (int64_t)w->n_layers };
    sonde_array *a = sonde_result_array(out, "counts", "kind layer", dim);
    char text[24];
    for (int k = KIND_PREDICTION; k < KIND_COUNT; k++) {
        sonde_array_label_text(a, 0, kind_words[k]);
        for (size_t i = 0; i < w->n_layers; i++)
            sonde_array_data(a)[(size_t)(k - 1) * w->n_layers + i] = (float)count[i].of[k];
    }
    for (size_t i = 0; i < w->n_layers; i++) {
        snprintf(text, sizeof text, "%ld", w->layer[i]);
        sonde_array_label_text(a, 1, text);
    }
    sonde_array_quiet(a);
    if (w->n_layers > 1)
        sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "counts", .x = "layer", .y = "kind",
                                            .title = "Neurons that raise, lower or divide tokens, by layer" });
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_SCATTER, .of = "neurons", .x = "skew", .y = "kurtosis",
                                            .value = "kind", .title = "Every neuron: skew and kurtosis of its cosines" });
}

static void put_cost(const neuron_weights *w, sonde_result *out) {
    const double neurons = (double)w->n_layers * (double)w->f;
    dry_cost(out, 0, (sonde_cost){ .flops = 2 * neurons * (double)w->d * (double)w->n,
                                   .bytes = 4 * (w->d * w->vocab + w->f * w->d) + 40 * (int64_t)w->n_layers * w->f });
}

sonde_status neurons_table(neuron_weights *w, const value *args, sonde_result *out, sonde_error *err) {
    const neuron_bounds b = { args[NEURONS_KURTOSIS].real, args[NEURONS_VARIANCE].real };
    if (w->cx->dry_run) {
        put_cost(w, out);
        return SONDE_OK;
    }
    sonde_moments *m = ROOM(sonde_moments, (int64_t)w->n_layers * w->f);
    kind_counts   *count = ROOM(kind_counts, w->n_layers);
    const sonde_status status = neurons_moments(w, m, err);
    if (status == SONDE_OK) {
        put_neurons(w, m, b, count, out);
        put_layers(w, count, out);
        draw_layers(w, count, out);
    }
    free(m);
    free(count);
    return status;
}
