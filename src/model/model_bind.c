/* From names of tensors to weights: every row of the family's table is looked up, its type and shape are checked
 * against what config.json implies, and the engine gets a view of the bytes where they lie. */
#define _GNU_SOURCE
#include "model_files.h"
#include "weight_table.h"
#include "weight_view.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NAME = 128, LONGEST_SHAPE = 256, FLOATS_ALIGNED = 16 };

typedef struct {
    sonde_model   *m;
    const weights *file;
    const char    *prefix;      /* the one under which the embedding stands */
    sonde_error   *err;
} binder;

/* hf with its "%d" replaced. */
static void row_name(char out[LONGEST_NAME], const char *prefix, const char *hf, int64_t layer) {
    const char *mark = strstr(hf, "%d");
    if (mark) snprintf(out, LONGEST_NAME, "%s%.*s%" PRId64 "%s", prefix, (int)(mark - hf), hf, layer, mark + 2);
    else snprintf(out, LONGEST_NAME, "%s%s", prefix, hf);
}

static const char *choose_prefix(const arch *a, const weights *file) {
    const weight_row *r = a->weights;
    while (r->id != W_EMBED) r++;
    for (const char *const *p = a->prefixes; *p; p++) {
        char name[LONGEST_NAME];
        row_name(name, *p, r->hf, 0);
        if (weights_find(file, name)) return *p;
    }
    return a->prefixes[0];
}

/* Heads stand outside the prefix. */
static const stored_tensor *find(const binder *b, const weight_row *r, int64_t layer) {
    char name[LONGEST_NAME];
    row_name(name, b->prefix, r->hf, layer);
    const stored_tensor *t = weights_find(b->file, name);
    if (t) return t;
    row_name(name, "", r->hf, layer);
    return weights_find(b->file, name);
}

static void show_shape(char out[LONGEST_SHAPE], const int64_t *dim, int rank) {
    size_t used = 0;
    used += (size_t)snprintf(out, LONGEST_SHAPE, "[");
    for (int i = 0; i < rank; i++)
        used += (size_t)snprintf(out + used, LONGEST_SHAPE - used, "%s%" PRId64, i ? ", " : "", dim[i]);
    snprintf(out + used, LONGEST_SHAPE - used, "]");
}

/* The stored shape that a row implies; returns the rank. */
static int stored_shape(const arch_config *c, const weight_row *r, int64_t dim[2]) {
    const weight_meaning *w = &weight_table[r->id];
    const int64_t n = weight_size(c, w->out) * (r->parts ? r->parts : 1);
    if (w->kind == WEIGHT_VECTOR) {
        dim[0] = n;
        return 1;
    }
    const int64_t k = weight_size(c, w->in);
    dim[0] = r->layout == LAYOUT_IN_OUT ? k : n;
    dim[1] = r->layout == LAYOUT_IN_OUT ? n : k;
    return 2;
}

static sonde_status check(const binder *b, const weight_row *r, const stored_tensor *t) {
    const bool columns = weight_table[r->id].kind == WEIGHT_MATRIX && r->layout == LAYOUT_IN_OUT;
    SONDE_FAIL_IF(columns && dtype_table[t->type].items > 1, b->err, SONDE_UNSUPPORTED,
                  "tensor %s: type is %s, which is of blocks of inputs, and this matrix is stored [in, out]; expected it "
                  "[out, in] or in a type without blocks", t->name, dtype_table[t->type].name);
    int64_t dim[2];
    const int rank = stored_shape(&b->m->config, r, dim);
    if (t->rank == rank && memcmp(t->dim, dim, (size_t)rank * sizeof *dim) == 0) return SONDE_OK;
    char found[LONGEST_SHAPE], wanted[LONGEST_SHAPE];
    show_shape(found, t->dim, t->rank);
    show_shape(wanted, dim, rank);
    return sonde_fail(b->err, SONDE_FORMAT, "tensor %s: shape is %s, expected %s", t->name, found, wanted);
}

static sonde_status fail_missing(const binder *b, const weight_row *r, int64_t layer) {
    char name[LONGEST_NAME], shape[LONGEST_SHAPE];
    int64_t dim[2];
    row_name(name, r->optional ? "" : b->prefix, r->hf, layer);
    show_shape(shape, dim, stored_shape(&b->m->config, r, dim));
    return sonde_fail(b->err, SONDE_FORMAT, "tensor %s: is not there, expected one of shape %s", name, shape);
}

/* Part `part` of the outputs; a vector is a matrix with one input here, until it is widened. */
static kern_weight view(const binder *b, const weight_row *r, const stored_tensor *t) {
    const weight_meaning *w = &weight_table[r->id];
    const size_t n = (size_t)weight_size(&b->m->config, w->out), k = (size_t)weight_size(&b->m->config, w->in);
    const size_t parts = (size_t)(r->parts ? r->parts : 1);
    const bool columns = w->kind == WEIGHT_VECTOR || (w->kind == WEIGHT_MATRIX && r->layout == LAYOUT_IN_OUT);
    const weight_segment all = { t->data, columns ? k : parts * n };
    return weight_view(b->m->memory, &(weight_place){ .n = n, .k = k, .columns = columns, .part = (size_t)r->part,
                                                      .parts = parts, .type = t->type, .segment = &all, .segments = 1 });
}

static sonde_status bind_row(const binder *b, const weight_row *r, int64_t layer, weight *out) {
    const stored_tensor *t = find(b, r, layer);
    if (!t) return r->optional ? SONDE_OK : fail_missing(b, r, layer);
    SONDE_TRY(check(b, r, t));
    out->matrix = view(b, r, t);
    out->stored_as = t->name;
    out->type = t->type;
    out->bytes = (int64_t)stored_bytes(t->type, out->matrix.n * out->matrix.k);
    return SONDE_OK;
}

/* The same bytes, read as [d, v]: rows of the embedding are outputs. */
static sonde_status bind_unembed(const binder *b) {
    sonde_model *m = b->m;
    weight *unembed = &m->front[W_UNEMBED];
    const bool stored = unembed->stored_as != NULL;
    if (!stored && !m->config.tied) {
        const weight_row *r = m->config.arch->weights;
        while (r->id != W_UNEMBED) r++;
        return fail_missing(b, r, 0);
    }
    if (!stored) *unembed = m->front[W_EMBED];
    m->config.tied = !stored;
    return SONDE_OK;
}

static sonde_status bind_all(const binder *b) {
    sonde_model *m = b->m;
    m->block = arena_alloc(m->memory, (size_t)m->config.layers * sizeof *m->block);
    for (const weight_row *r = m->config.arch->weights; r->id != W_NONE; r++) {
        if (!weight_table[r->id].block) {
            SONDE_TRY(bind_row(b, r, 0, &m->front[r->id]));
            continue;
        }
        for (int64_t l = 0; l < m->config.layers; l++) SONDE_TRY(bind_row(b, r, l, &m->block[l][r->id]));
    }
    return bind_unembed(b);
}

/* Every weight that is there, front ones first; `step` sees each. */
static void each_vector(sonde_model *m, void (*step)(weight *, void *), void *ctx) {
    for (int id = 0; id < WEIGHT_COUNT; id++) {
        if (!weight_table[id].name || weight_table[id].kind != WEIGHT_VECTOR) continue;
        const int64_t copies = weight_table[id].block ? m->config.layers : 1;
        for (int64_t l = 0; l < copies; l++) {
            weight *w = weight_table[id].block ? &m->block[l][id] : &m->front[id];
            if (w->stored_as) step(w, ctx);
        }
    }
}

static size_t padded(size_t floats) { return (floats + FLOATS_ALIGNED - 1) / FLOATS_ALIGNED * FLOATS_ALIGNED; }

static void count(weight *w, void *ctx) { *(size_t *)ctx += padded(w->matrix.n); }

static void widen(weight *w, void *ctx) {
    float **next = ctx;
    kern->widen(*next, &w->matrix, 0, 0, w->matrix.n);
    w->vector = *next;
    *next += padded(w->matrix.n);
    w->matrix = (kern_weight){ 0 };
}

static sonde_status widen_vectors(sonde_model *m, sonde_error *err) {
    size_t floats = 0;
    each_vector(m, count, &floats);
    float *all = floats ? aligned_alloc(64, floats * sizeof *all) : NULL;
    SONDE_FAIL_IF(floats && !all, err, SONDE_NOMEM, "norms and biases need %zu bytes, and there are not that many free",
                  floats * sizeof *all);
    m->files->vectors = all;
    each_vector(m, widen, &all);
    return SONDE_OK;
}

sonde_status model_bind(sonde_model *m, sonde_error *err) {
    const binder b = { .m = m, .file = m->files->weights, .err = err,
                       .prefix = choose_prefix(m->config.arch, m->files->weights) };
    SONDE_TRY(bind_all(&b));
    return widen_vectors(m, err);
}
