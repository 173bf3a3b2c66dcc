/* What a model is, for people and exports. */
#define _GNU_SOURCE
#include "model_files.h"
#include "tensor/op.h"
#include "site_table.h"
#include "weight_table.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TILE = 16 };             /* rows widened at once */

static const weight *weight_of(const sonde_model *m, const weight_entry *e) {
    if (e->stack == STACK_ENCODER) return e->layer < 0 ? &m->encoder_front[e->id] : &m->encoder_block[e->layer][e->id];
    return e->layer < 0 ? &m->front[e->id] : &m->block[e->layer][e->id];
}

static const arch_config *config_of(const sonde_model *m, const weight_entry *e) {
    return e->stack == STACK_ENCODER ? &m->encoder : &m->config;
}

typedef struct { sonde_model *m; stack_id stack; } stack_list;

static void add(const stack_list *of, weight_id id, int64_t layer) {
    sonde_model        *m = of->m;
    struct model_files *f = m->files;
    weight_entry       *e = &f->list[f->listed];
    *e = (weight_entry){ .id = id, .stack = of->stack, .layer = layer };
    const weight *w = weight_of(m, e);
    if (!w->stored_as) return;
    if (of->stack == STACK_ENCODER && id == W_EMBED && w->stored_as == m->front[W_EMBED].stored_as) return;
    e->name = weight_name(m->memory, &m->config, (weight_owner){ of->stack, layer }, id);
    f->listed++;
}

/* In the order of a run: tables, blocks, the rest. */
static void list_stack(const stack_list *of) {
    const int64_t layers = stack_config(&of->m->config, of->stack)->layers;
    for (int id = 0; id < WEIGHT_COUNT; id++)
        if (weight_table[id].name && weight_table[id].kind == WEIGHT_TABLE) add(of, (weight_id)id, -1);
    for (int64_t l = 0; l < layers; l++)
        for (int id = 0; id < WEIGHT_COUNT; id++)
            if (weight_table[id].block) add(of, (weight_id)id, l);
    for (int id = 0; id < WEIGHT_COUNT; id++) {
        const weight_meaning *w = &weight_table[id];
        if (w->name && !w->block && w->kind != WEIGHT_TABLE) add(of, (weight_id)id, -1);
    }
}

static void make_list(sonde_model *m) {
    const int64_t layers = m->config.layers + (m->config.encoder ? m->encoder.layers : 0);
    m->files->list = arena_new_array(m->memory, weight_entry, WEIGHT_COUNT * ((size_t)layers + 2));
    if (m->config.encoder) list_stack(&(stack_list){ m, STACK_ENCODER });
    list_stack(&(stack_list){ m, STACK_MAIN });
}

static void count(sonde_model *m) {
    sonde_model_info *info = &m->info;
    for (size_t i = 0; i < m->files->listed; i++) {
        const weight_entry *e = &m->files->list[i];
        const weight *w = weight_of(m, e);
        if (e->id == W_UNEMBED && m->config.tied) continue;
        const int64_t n = weight_size(config_of(m, e), weight_table[e->id].axes);
        info->parameters += n;
        info->active += weight_of_experts(e->id) ? n / m->config.experts * m->config.chosen : n;
        info->bytes += w->bytes;
        if (w->vector) info->copied += w->bytes;
    }
}

static void describe_files(sonde_model *m) {
    const struct model_files *f = m->files;
    if (m->tokenizer) {
        m->info.tokenizer_kind = tokenizer_kind_table[tokenizer_kind_of(m->tokenizer)].name;
        m->info.tokenizer_from = f->folded ? f->folded->files->tokenizer_from : f->tokenizer_from;
    }
    if (!f->weights) return;
    m->info.container = weights_format(f->weights)->name;
    m->info.files = (int64_t)weights_files(f->weights);
    m->info.copied = (int64_t)weights_copied(f->weights);
}

static int32_t find_special(const sonde_model *m, const char *const names[2]) {
    for (size_t i = 0; m->tokenizer && i < 2; i++) {
        const int32_t id = tokenizer_find(m->tokenizer, names[i], strlen(names[i]));
        if (id >= 0 && id < m->config.vocab && tokenizer_special(m->tokenizer, id)) return id;
    }
    return -1;
}

/* The mask and the padding, by the names that the tokenizers of the families have for them. */
static int32_t find_mask(const sonde_model *m) { return find_special(m, (const char *const[]){ "[MASK]", "<mask>" }); }
static int32_t find_pad(const sonde_model *m) { return find_special(m, (const char *const[]){ "[PAD]", "<pad>" }); }

void model_summarise(sonde_model *m, const char *name) {
    const arch_config *c = &m->config;
    const int32_t eos = c->eos >= 0 || !m->tokenizer ? c->eos : tokenizer_eos(m->tokenizer);
    m->info = (sonde_model_info){
        .name = name, .family = c->arch ? c->arch->name : "none",
        .layers = c->layers, .heads = c->heads, .kv_heads = c->kv_heads, .d = c->d, .e = c->e, .f = c->f,
        .vocab = c->vocab, .context = c->context, .tied = c->tied, .head = model_heads(c), .answers = c->arch ? arch_answer_site(c) : NULL,
        .n_answers = c->arch ? arch_answers(c) : 0,
        .bidirectional = c->bidirectional,
        .types = c->types, .labels = c->head & HEAD_CLASS ? c->labels : 0, .problem = m->files->problem,
        .experts = c->experts, .chosen = c->chosen, .expert_f = c->expert_f,
        .encoder_layers = c->encoder ? c->encoder->layers : 0, .start = c->encoder ? c->start : -1,
        .eos = eos < c->vocab ? eos : -1, .mask = find_mask(m), .has_tokenizer = m->tokenizer != NULL,
        .tokens = m->tokenizer ? tokenizer_size(m->tokenizer) : 0, .pad = find_pad(m),
    };
    describe_files(m);
    model_find_bos(m);
    make_list(m);
    count(m);
}

const sonde_model_info *sonde_model_describe(const sonde_model *m) { return &m->info; }

size_t sonde_model_stored_count(const sonde_model *m) { return m->files->weights ? weights_count(m->files->weights) : 0; }

void sonde_model_stored(const sonde_model *m, size_t i, sonde_stored_info *out) {
    const stored_tensor *t = weights_at(m->files->weights, i);
    *out = (sonde_stored_info){ .name = t->name, .dtype = dtype_table[t->type].name, .rank = t->rank };
    memcpy(out->dim, t->dim, sizeof out->dim);
    for (size_t k = 0; k < weights_parts(m->files->weights); k++)
        out->bytes += (int64_t)weights_find_part(m->files->weights, k, t->name)->bytes;
}

size_t sonde_model_weights(const sonde_model *m) { return m->files->listed; }

void sonde_model_weight(const sonde_model *m, size_t i, sonde_weight_info *out) {
    const weight_entry *e = &m->files->list[i];
    const weight *w = weight_of(m, e);
    const char *axes = weight_table[e->id].axes;
    *out = (sonde_weight_info){ .name = e->name, .stored_as = w->stored_as, .dtype = dtype_table[w->type].name,
                                .rank = (int)strlen(axes), .bytes = w->bytes };
    for (int k = 0; k < out->rank; k++) {
        out->dim[k] = weight_axis(config_of(m, e), axes[k]);
        if (k) out->axes[2 * k - 1] = ' ';
        out->axes[2 * k] = axes[k];
    }
}

typedef struct {
    const kern_weight *w;
    size_t             inner;   /* outputs of one head or expert: [h, d, e] has the heads outermost; else all of them */
    bool               table;   /* [n, k]; else [k, n] */
    float             *out;
} reading;

/* Stored rows [first, first + rows) lie widened in `tile`, `width` floats each. */
static void scatter(const reading *r, const float *tile, size_t first, size_t rows, size_t width) {
    const size_t k = r->w->k, inner = r->inner;
    for (size_t i = 0; i < width; i++)
        for (size_t row = 0; row < rows; row++) {
            const size_t in = r->w->columns ? first + row : i, j = r->w->columns ? i : first + row;
            const size_t at = r->table ? j * k + in : (j / inner * k + in) * inner + j % inner;
            r->out[at] = tile[row * width + i];
        }
}

static sonde_status read_matrix(const reading *r, sonde_error *err) {
    const kern_weight *w = r->w;
    const size_t rows = w->columns ? w->k : w->n, width = w->columns ? w->n : w->k;
    float *tile = malloc(TILE * width * sizeof *tile);
    SONDE_FAIL_IF(!tile, err, SONDE_NOMEM, "widening a weight needs %zu bytes, and there are not that many free",
                  TILE * width * sizeof *tile);
    for (size_t first = 0; first < rows; first += TILE) {
        const size_t n = rows - first < TILE ? rows - first : TILE;
        for (size_t row = 0; row < n; row++) kern->widen(tile + row * width, w, first + row, 0, width);
        scatter(r, tile, first, n, width);
    }
    free(tile);
    return SONDE_OK;
}

/* Heads in pairs are put into halves, [n, e] in place. */
static sonde_status put_halves(const arch_config *c, weight_id id, float *x, int64_t n, sonde_error *err) {
    const int64_t dims = weight_in_pairs(c, id), e = c->e;
    if (!dims) return SONDE_OK;
    float *row = malloc((size_t)e * sizeof *row);
    SONDE_FAIL_IF(!row, err, SONDE_NOMEM, "a head needs %zu bytes, and there are not that many free",
                  (size_t)e * sizeof *row);
    for (int64_t i = 0; i < n; i++) {
        memcpy(row, x + i * e, (size_t)e * sizeof *row);
        for (int64_t r = 0; r < e; r++) x[i * e + r] = row[reorder_from(r, dims)];
    }
    free(row);
    return SONDE_OK;
}

sonde_status model_weight_floats(const sonde_model *m, const weight_entry *e, float *out, sonde_error *err) {
    const weight_id       id = e->id;
    const weight         *w = weight_of(m, e);
    const arch_config    *c = config_of(m, e);
    const weight_meaning *meaning = &weight_table[id];
    const int64_t numbers = weight_size(c, meaning->axes);
    if (w->vector) {
        memcpy(out, w->vector, (size_t)numbers * sizeof *out);
        return put_halves(c, id, out, numbers / c->e, err);
    }
    const bool by_head = meaning->kind == WEIGHT_MATRIX && meaning->out[1] && meaning->out[0] == meaning->axes[0];
    const reading r = {
        .w = &w->matrix, .table = meaning->kind == WEIGHT_TABLE, .out = out,
        .inner = by_head ? (size_t)weight_size(c, meaning->out + 1) : w->matrix.n,
    };
    SONDE_TRY(read_matrix(&r, err));
    return put_halves(c, id, out, numbers / c->e, err);
}

sonde_status sonde_model_weight_read(const sonde_model *m, size_t i, float *out, sonde_error *err) {
    return model_weight_floats(m, &m->files->list[i], out, err);
}

/* Stored rows hold the vectors asked for, whole. */
static void read_rows(const weight *w, sonde_weight_part p, float *out) {
    const size_t width = w->matrix.columns ? w->matrix.n : w->matrix.k;
    for (int64_t i = 0; i < p.n; i++) kern->widen(out + (size_t)i * width, &w->matrix, (size_t)(p.first + i), 0, width);
}

/* Every stored row holds one number of each vector. */
static sonde_status read_across(const weight *w, sonde_weight_part p, float *out, sonde_error *err) {
    const kern_weight *x = &w->matrix;
    const size_t rows = x->columns ? x->k : x->n, width = x->columns ? x->n : x->k;
    float *row = malloc(width * sizeof *row);
    SONDE_FAIL_IF(!row, err, SONDE_NOMEM, "widening a weight needs %zu bytes, and there are not that many free",
                  width * sizeof *row);
    for (size_t k = 0; k < rows; k++) {
        kern->widen(row, x, k, 0, width);
        for (int64_t i = 0; i < p.n; i++) out[(size_t)i * rows + k] = row[p.first + i];
    }
    free(row);
    return SONDE_OK;
}

sonde_status sonde_model_weight_vectors(const sonde_model *m, sonde_weight_part p, float *out, sonde_error *err) {
    const weight_entry   *e = &m->files->list[p.weight];
    const weight         *w = weight_of(m, e);
    const weight_meaning *meaning = &weight_table[e->id];
    SONDE_FAIL_IF(w->vector || strlen(meaning->axes) != 2 || p.axis < 0 || p.axis > 1, err, SONDE_USAGE,
                  "%s: axis %d of it, expected axis 0 or 1 of a matrix", e->name, p.axis);
    const int64_t all = weight_axis(config_of(m, e), meaning->axes[p.axis]);
    SONDE_FAIL_IF(p.first < 0 || p.n < 0 || p.n > all - p.first, err, SONDE_USAGE,
                  "%s: %" PRId64 " vectors from %" PRId64 " on, expected 0 to %" PRId64, e->name, p.n, p.first, all);
    const bool outputs = meaning->axes[p.axis] == meaning->out[0];          /* else the vectors of its inputs */
    if (outputs != w->matrix.columns) {
        read_rows(w, p, out);
        return SONDE_OK;
    }
    return read_across(w, p, out, err);
}
