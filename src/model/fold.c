/* The weights of a model with its norms folded away (TransformerLens's fold_ln, center_writing_weights, center_unembed and
 * fold_value_biases; Nanda and Bloom, 2022). In double, rounded once to float32.
 *
 * A norm's weight and bias go into the matrices that read it; without biases none are made. Behind a layer norm the mean over inputs of what reads it
 * and the mean over outputs of what writes to the stream change nothing, and go too; an RMS norm sees those, and keeps them. */
#define _GNU_SOURCE
#include "model_files.h"
#include "site_table.h"
#include "tensor/op.h"
#include "weight_table.h"
#include <stdlib.h>
#include <string.h>

enum { ALIGNED = 16 };          /* floats */

typedef struct {
    const sonde_model *from;
    sonde_model       *to;
    float             *next;    /* free room */
} folding;

static size_t padded(size_t n) { return (n + ALIGNED - 1) / ALIGNED * ALIGNED; }

static const weight *weight_at(const sonde_model *m, weight_id id, int64_t layer) {
    return weight_table[id].block ? &m->block[layer][id] : &m->front[id];
}

static weight *own(folding *f, weight_id id, int64_t layer) {
    return weight_table[id].block ? &f->to->block[layer][id] : &f->to->front[id];
}

/* Which stored output is output j: heads in pairs are put into halves. */
static size_t stored_output(const arch_config *c, weight_id id, size_t j) {
    const int64_t at = (int64_t)j;
    return (size_t)(at - at % c->e + reorder_from(at % c->e, weight_in_pairs(c, id)));
}

/* Rows of outputs, whatever the file has: [n, k]. */
static void widen_rows(const arch_config *c, weight_id id, const weight *w, float *out) {
    const kern_weight *m = &w->matrix;
    if (!m->columns) {
        for (size_t j = 0; j < m->n; j++) kern->widen(out + j * m->k, m, stored_output(c, id, j), 0, m->k);
        return;
    }
    float *row = malloc(m->n * sizeof *row);
    if (!row) abort();
    for (size_t i = 0; i < m->k; i++) {
        kern->widen(row, m, i, 0, m->n);
        for (size_t j = 0; j < m->n; j++) out[j * m->k + i] = row[stored_output(c, id, j)];
    }
    free(row);
}

/* A copy in the new model. A vector that the file has not is made of zeros. */
static void copy(folding *f, weight_id id, int64_t layer) {
    const arch_config *c = &f->from->config;
    const weight *w = weight_at(f->from, id, layer);
    weight       *to = own(f, id, layer);
    const size_t  n = (size_t)weight_size(c, weight_table[id].out);
    *to = (weight){ .stored_as = w->stored_as ? w->stored_as : "folded", .type = DTYPE_F32 };
    if (weight_table[id].kind == WEIGHT_VECTOR) {
        to->vector = f->next;
        for (size_t j = 0; w->vector && j < n; j++) f->next[j] = w->vector[stored_output(c, id, j)];
        f->next += padded(n);
        to->bytes = (int64_t)(n * sizeof(float));
        return;
    }
    const size_t k = w->matrix.k;
    to->matrix = (kern_weight){ .data = f->next, .type = KERN_F32, .n = n, .k = k, .stride = k * sizeof(float) };
    widen_rows(c, id, w, f->next);
    if (weight_of_experts(id)) {
        kern_weight *expert = arena_new_array(f->to->memory, kern_weight, (size_t)c->experts);
        for (int64_t e = 0; e < c->experts; e++) expert[e] = weight_head(&to->matrix, c->experts, e, HEAD_OUTPUTS);
        to->expert = expert;
    }
    f->next += padded(n * k);
    to->bytes = (int64_t)(n * k * sizeof(float));
}

static bool stored(const sonde_model *m, weight_id id, int64_t layer) {
    return id != W_NONE && weight_at(m, id, layer)->stored_as != NULL;
}

/* Has the norm before this part a bias, which goes into the part's own? */
static bool bias_before(const sonde_model *m, part_kind kind, int64_t layer) {
    const part_spec *part = arch_part(&m->config, kind);
    return part && part->before && stored(m, (weight_id)(norm_rows[part->before].weight + 1), layer);
}

/* Does the new model have this weight? A bias also where it takes up another one. */
static bool needed(const sonde_model *m, weight_id id, int64_t layer) {
    if (stored(m, id, layer)) return true;
    switch (id) {
        case B_Q: case B_K: case B_V: return bias_before(m, PART_SELF, layer);
        case B_O:       return stored(m, B_V, layer) || bias_before(m, PART_SELF, layer);
        case B_GATE:    return stored(m, W_GATE, layer) && bias_before(m, PART_MLP, layer);
        case B_IN:      return stored(m, W_IN, layer) && bias_before(m, PART_MLP, layer);
        case B_ROUTER: case B_X_GATE: case B_X_IN: case B_X_BOTH:
            return stored(m, (weight_id)(id - 1), layer) && bias_before(m, PART_MLP, layer);
        case B_UNEMBED: return stored(m, B_LNF, layer);
        default:        return false;
    }
}

static size_t room(const sonde_model *m) {
    size_t floats = 0;
    for (int id = W_NONE + 1; id < WEIGHT_COUNT; id++) {
        if (!weight_table[id].name) continue;
        const int64_t copies = weight_table[id].block ? m->config.layers : 1;
        const size_t inner = *weight_table[id].in ? (size_t)weight_size(&m->config, weight_table[id].in) : 1;
        const size_t each = padded((size_t)weight_size(&m->config, weight_table[id].out) * inner);
        for (int64_t l = 0; l < copies; l++) floats += needed(m, (weight_id)id, l) ? each : 0;
    }
    return floats;
}

static void copy_all(folding *f) {
    for (int id = W_NONE + 1; id < WEIGHT_COUNT; id++) {
        if (!weight_table[id].name) continue;
        const int64_t copies = weight_table[id].block ? f->from->config.layers : 1;
        for (int64_t l = 0; l < copies; l++)
            if (needed(f->from, (weight_id)id, l)) copy(f, (weight_id)id, l);
    }
}

/* ---- the steps; data of a copy is its own and may be written ---- */

static float *matrix_of(folding *f, weight_id id, int64_t layer) { return (float *)own(f, id, layer)->matrix.data; }
static float *vector_of(folding *f, weight_id id, int64_t layer) { return (float *)own(f, id, layer)->vector; }

static void centre(float *x, size_t n, size_t step) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i * step];
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) x[i * step] = (float)(x[i * step] - mean);
}

/* y = (gamma x + beta) W + b becomes y = x W' + b'; where neither has a bias there is none. */
static void fold_norm(folding *f, weight_id norm, weight_id matrix, int64_t layer) {
    const weight *w = own(f, matrix, layer);
    if (!w->stored_as) return;
    const size_t n = w->matrix.n, k = w->matrix.k;
    const float *gamma = own(f, norm, layer)->vector, *beta = own(f, (weight_id)(norm + 1), layer)->vector;
    float *x = matrix_of(f, matrix, layer), *b = vector_of(f, (weight_id)(matrix + 1), layer);
    for (size_t j = 0; j < n; j++) {
        double sum = b ? b[j] : 0;
        for (size_t i = 0; i < k; i++) {
            if (beta) sum += (double)beta[i] * x[j * k + i];
            x[j * k + i] = (float)((double)x[j * k + i] * (gamma ? gamma[i] : 1));
        }
        if (b) b[j] = (float)sum;
        if (f->from->config.arch->norm == NORM_LAYER) centre(x + j * k, k, 1);
    }
}

static void clear_norm(folding *f, weight_id norm, int64_t layer) {
    float *gamma = vector_of(f, norm, layer), *beta = vector_of(f, (weight_id)(norm + 1), layer);
    for (int64_t i = 0; i < f->from->config.d; i++) {
        if (gamma) gamma[i] = 1;
        if (beta) beta[i] = 0;
    }
}

static void fold_block(folding *f, int64_t layer) {
    static const weight_id self[] = { W_Q, W_K, W_V, W_NONE }, mlp[] = { W_GATE, W_IN, W_ROUTER, W_X_GATE, W_X_IN, W_X_BOTH, W_NONE };
    const part_spec *parts = f->from->config.block.part;
    for (const part_spec *p = parts; p < parts + 3 && p->kind; p++)
        for (const weight_id *id = p->kind == PART_SELF ? self : mlp; p->before && *id != W_NONE; id++)
            fold_norm(f, norm_rows[p->before].weight, *id, layer);
    for (const part_spec *p = parts; p < parts + 3 && p->kind; p++)
        if (p->before) clear_norm(f, norm_rows[p->before].weight, layer);
}

/* Over what each input writes: outputs are rows, so a column. */
static void centre_writer(folding *f, weight_id id, int64_t layer) {
    const weight *w = own(f, id, layer);
    for (size_t i = 0; w->stored_as && i < w->matrix.k; i++) centre(matrix_of(f, id, layer) + i, w->matrix.n, w->matrix.k);
    float *bias = vector_of(f, (weight_id)(id + 1), layer);
    if (bias) centre(bias, (size_t)f->from->config.d, 1);
}

static void centre_writers(folding *f) {
    static const weight_id tables[] = { W_EMBED, W_POS };
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        const weight *w = own(f, tables[t], 0);
        for (size_t j = 0; w->stored_as && j < w->matrix.n; j++) centre(matrix_of(f, tables[t], 0) + j * w->matrix.k, w->matrix.k, 1);
    }
    for (int64_t l = 0; l < f->from->config.layers; l++) {
        centre_writer(f, W_O, l);
        centre_writer(f, W_OUT, l);
    }
}

static void fold_unembed(folding *f) {
    const weight *w = own(f, W_UNEMBED, 0);
    fold_norm(f, W_LNF, W_UNEMBED, 0);
    clear_norm(f, W_LNF, 0);
    for (size_t i = 0; i < w->matrix.k; i++) centre(matrix_of(f, W_UNEMBED, 0) + i, w->matrix.n, w->matrix.k);
    if (vector_of(f, B_UNEMBED, 0)) centre(vector_of(f, B_UNEMBED, 0), w->matrix.n, 1);
}

/* Rows of a pattern sum to 1, so a value's bias reaches the stream whole. */
static void fold_values(folding *f, int64_t layer) {
    const arch_config *c = &f->from->config;
    const float *w = matrix_of(f, W_O, layer);
    float *values = vector_of(f, B_V, layer), *out = vector_of(f, B_O, layer);
    if (!values) return;
    const int64_t inputs = c->heads * c->e, share = c->heads / c->kv_heads;
    for (int64_t j = 0; j < c->d; j++) {
        double sum = out[j];
        for (int64_t i = 0; i < inputs; i++) sum += (double)values[i / c->e / share * c->e + i % c->e] * w[j * inputs + i];
        out[j] = (float)sum;
    }
    memset(values, 0, (size_t)(c->kv_heads * c->e) * sizeof *values);
}

static void fold_all(folding *f) {
    copy_all(f);
    for (int64_t l = 0; l < f->from->config.layers; l++) fold_block(f, l);
    if (f->from->config.arch->norm == NORM_LAYER) centre_writers(f);
    fold_unembed(f);
    for (int64_t l = 0; l < f->from->config.layers; l++) fold_values(f, l);
}

/* What keeps a norm's weights from being moved behind it without another answer; NULL: nothing. */
static const char *unfolded(const arch_config *c) {
    for (const part_spec *p = c->block.part; p < c->block.part + 3 && p->kind; p++)
        if (p->after_sum) return "norms the stream itself behind its sums";
    if (!(c->head & HEAD_LM)) return "does not end in the unembedding of a language model";
    if (!c->final_norm) return "has no norm in front of the unembedding";
    if (c->logit_cap > 0) return "caps its logits";
    return c->encoder ? "has two stacks" : NULL;
}

sonde_status sonde_model_fold(const sonde_model *m, sonde_model **out, sonde_error *err) {
    *out = NULL;
    const char *why = unfolded(&m->config);
    SONDE_FAIL_IF(why, err, SONDE_UNSUPPORTED, "folding its norms would give other answers: the model %s; run it as it is", why);
    const size_t floats = room(m);
    float *all = aligned_alloc(64, floats * sizeof *all);
    SONDE_FAIL_IF(!all, err, SONDE_NOMEM, "folded weights need %zu bytes, and there are not that many free",
                  floats * sizeof *all);
    memset(all, 0, floats * sizeof *all);
    sonde_model *to = model_new();
    to->config = m->config;
    to->config.tied = false;
    to->config.qk_pairs = false;
    to->tokenizer = m->tokenizer;
    to->block = arena_alloc(to->memory, (size_t)m->config.layers * sizeof *to->block);
    memset(to->block, 0, (size_t)m->config.layers * sizeof *to->block);
    to->files->vectors = all;
    to->files->folded = sonde_model_share((sonde_model *)m);
    folding f = { .from = m, .to = to, .next = all };
    fold_all(&f);
    model_summarise(to, m->info.name);
    *out = to;
    return SONDE_OK;
}
