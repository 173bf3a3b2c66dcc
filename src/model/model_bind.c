/* From names of tensors to weights: every row of the family's table is looked up, its type and shape are checked
 * against what config.json implies, and the engine gets a view of the bytes where they lie. */
#define _GNU_SOURCE
#include "model_files.h"
#include "weight_table.h"
#include "weight_view.h"
#include "base/map.h"
#include "base/text.h"
#include "format/meta.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_SHAPE = 256, FLOATS_ALIGNED = 16 };

typedef struct {
    sonde_model   *m;
    const weights *file;
    arena         *names;       /* dies when binding ends */
    spelling       spelled;
    const char    *prefix;      /* of Hugging Face's names: the one under which the embedding stands */
    sonde_error   *err;
} binder;

/* Whose names the embedding has: what a file holds decides, not what it is called. */
static void choose_names(binder *b) {
    static const spelling others[] = { SPELLED_GGUF, SPELLED_META };
    const arch *a = b->m->config.arch;
    const weight_row *r = a->weights;
    while (r->id != W_EMBED) r++;
    b->spelled = SPELLED_HF;
    for (const char *const *p = a->prefixes; *p; p++) {
        b->prefix = *p;
        if (weights_find(b->file, row_name(b->names, *p, r->hf, 0))) return;
    }
    b->prefix = "";
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const char *name = row_spelled(r, others[i]);
        b->spelled = others[i];
        if (name && weights_find(b->file, name)) return;
    }
    b->spelled = SPELLED_HF;
    b->prefix = a->prefixes[0];
}

static bool in_pairs(const binder *b) {
    const weight_row *r = b->m->config.arch->weights;
    while (r->id != W_NONE && r->id != W_Q) r++;
    return r->pairs && b->spelled != SPELLED_HF;
}

/* Heads stand outside the prefix. */
static const stored_tensor *find(const binder *b, const weight_row *r, int64_t layer) {
    const char *name = row_spelled(r, b->spelled);
    if (!name) return NULL;
    const stored_tensor *t = weights_find(b->file, row_name(b->names, b->prefix, name, layer));
    return t ? t : weights_find(b->file, row_name(b->names, "", name, layer));
}

static void show_shape(char out[LONGEST_SHAPE], const int64_t *dim, int rank) {
    size_t used = 0;
    used += (size_t)snprintf(out, LONGEST_SHAPE, "[");
    for (int i = 0; i < rank; i++)
        used += (size_t)snprintf(out + used, LONGEST_SHAPE - used, "%s%" PRId64, i ? ", " : "", dim[i]);
    snprintf(out + used, LONGEST_SHAPE - used, "]");
}

/* The stored shape that a row implies; returns the rank. */
static int stored_shape(const binder *b, const weight_row *r, int64_t dim[2]) {
    const weight_meaning *w = &weight_table[r->id];
    const arch_config    *c = &b->m->config;
    const int64_t n = weight_size(c, w->out) * (r->parts ? r->parts : 1);
    if (w->kind == WEIGHT_VECTOR) {
        dim[0] = n;
        return 1;
    }
    const int64_t k = weight_size(c, w->in);
    const bool in_out = row_in_out(r, b->spelled);
    dim[0] = in_out ? k : n;
    dim[1] = in_out ? n : k;
    return 2;
}

/* The stored parts of one tensor, in order; one but for checkpoints that are cut over several files. */
typedef struct {
    const stored_tensor *whole;         /* the first part */
    weight_segment      *segment;
    size_t               n;
    bool                 side_by_side;
} gathered;

static sonde_status fail_shape(const binder *b, const weight_row *r, const stored_tensor *t, size_t parts) {
    int64_t dim[2];
    char found[LONGEST_SHAPE], wanted[LONGEST_SHAPE];
    const int rank = stored_shape(b, r, dim);
    show_shape(found, t->dim, t->rank);
    show_shape(wanted, dim, rank);
    SONDE_FAIL_IF(parts > 1, b->err, SONDE_FORMAT, "tensor %s: shape is %s in each of %zu files, expected %s in all", t->name,
                  found, parts, wanted);
    return sonde_fail(b->err, SONDE_FORMAT, "tensor %s: shape is %s, expected %s", t->name, found, wanted);
}

static sonde_status check_type(const binder *b, const weight_row *r, const stored_tensor *t) {
    const bool columns = weight_table[r->id].kind == WEIGHT_MATRIX && row_in_out(r, b->spelled);
    SONDE_FAIL_IF(columns && dtype_table[t->type].items > 1, b->err, SONDE_UNSUPPORTED,
                  "tensor %s: type is %s, which is of blocks of inputs, and this matrix is stored [in, out]; expected it "
                  "[out, in] or in a type without blocks", t->name, dtype_table[t->type].name);
    return SONDE_OK;
}

static bool same_shape(const stored_tensor *x, const stored_tensor *y) {
    return x->rank == y->rank && memcmp(x->dim, y->dim, (size_t)x->rank * sizeof *x->dim) == 0;
}

static bool same_bytes(const stored_tensor *x, const stored_tensor *y) {
    return x->bytes == y->bytes && memcmp(x->data, y->data, x->bytes) == 0;
}

/* How many neighbours hold the same: 1, all of them (norms), or a few (key and value heads fewer than files); 0: the
 * shapes do not fit in any way. */
static size_t copies_of(const stored_tensor *t, const int64_t *dim, int rank, size_t parts, bool *side_by_side) {
    const int64_t n = (int64_t)parts;
    *side_by_side = n > 1 && rank == 2 && t->dim[0] == dim[0] && t->dim[1] * n == dim[1];
    if (*side_by_side) return 1;
    if (rank == 2 && t->dim[1] != dim[1]) return 0;
    const int64_t rows = t->dim[0];
    return rows > 0 && dim[0] % rows == 0 && n % (dim[0] / rows) == 0 ? (size_t)(n / (dim[0] / rows)) : 0;
}

/* Parts of outputs stand one below the other, parts of inputs side by side; copies must be equal, and one counts. */
static sonde_status gather(const binder *b, const weight_row *r, const stored_tensor *first, gathered *out) {
    int64_t dim[2];
    const int    rank = stored_shape(b, r, dim);
    const size_t parts = weights_parts(b->file);
    *out = (gathered){ .whole = first, .segment = arena_new_array(b->m->memory, weight_segment, parts) };
    if (first->rank != rank || (parts == 1 && memcmp(first->dim, dim, (size_t)rank * sizeof *dim) != 0))
        return fail_shape(b, r, first, parts);
    const size_t copies = copies_of(first, dim, rank, parts, &out->side_by_side);
    if (copies == 0) return fail_shape(b, r, first, parts);
    const stored_tensor *last = NULL;
    for (size_t i = 0; i < parts; i++) {
        const stored_tensor *t = parts == 1 ? first : weights_find_part(b->file, i, first->name);
        if (!same_shape(t, first)) return fail_shape(b, r, t, parts);
        if (i % copies) {
            SONDE_FAIL_IF(!same_bytes(t, last), b->err, SONDE_FORMAT, "tensor %s: file %zu of %zu differs from the one before, "
                          "expected copies", t->name, i + 1, parts);
            continue;
        }
        last = t;
        const bool one_row = rank == 1 && first->dim[0] == dim[0];
        out->segment[out->n++] = (weight_segment){ t->data, (size_t)(one_row ? 1 : out->side_by_side ? t->dim[1] : t->dim[0]) };
    }
    return SONDE_OK;
}

static sonde_status fail_missing(const binder *b, const weight_row *r, int64_t layer) {
    char shape[LONGEST_SHAPE];
    int64_t dim[2];
    const char *name = row_spelled(r, b->spelled);
    SONDE_FAIL_IF(!name, b->err, SONDE_UNSUPPORTED, "%s: such files have no name for it",  weight_table[r->id].name);
    show_shape(shape, dim, stored_shape(b, r, dim));
    return sonde_fail(b->err, SONDE_FORMAT, "tensor %s: is not there, expected one of shape %s",
                      row_name(b->names, r->optional ? "" : b->prefix, name, layer), shape);
}

/* Part `part` of the outputs; a vector is a matrix with one input here, until it is widened. */
static kern_weight view(const binder *b, const weight_row *r, const gathered *g) {
    const weight_meaning *w = &weight_table[r->id];
    const bool   vector = w->kind == WEIGHT_VECTOR;
    const size_t n = (size_t)weight_size(&b->m->config, w->out), k = vector ? 1 : (size_t)weight_size(&b->m->config, w->in);
    return weight_view(b->m->memory, &(weight_place){
        .n = n, .k = k, .columns = vector || (w->kind == WEIGHT_MATRIX && row_in_out(r, b->spelled)), .part = (size_t)r->part,
        .parts = (size_t)(r->parts ? r->parts : 1), .type = g->whole->type, .segment = g->segment, .segments = g->n,
        .side_by_side = g->side_by_side || (vector && g->n > 1) });
}

static sonde_status bind_row(const binder *b, const weight_row *r, int64_t layer, weight *out) {
    const stored_tensor *t = find(b, r, layer);
    if (!t) return r->optional ? SONDE_OK : fail_missing(b, r, layer);
    gathered g;
    SONDE_TRY(check_type(b, r, t));
    SONDE_TRY(gather(b, r, t, &g));
    out->matrix = view(b, r, &g);
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
        if (!arch_row_holds(&m->config, r)) continue;
        if (!weight_table[r->id].block) {
            SONDE_TRY(bind_row(b, r, 0, &m->front[r->id]));
            continue;
        }
        for (int64_t l = 0; l < m->config.layers; l++) SONDE_TRY(bind_row(b, r, l, &m->block[l][r->id]));
    }
    return bind_unembed(b);
}

static void put_name(map *names, const weight *w) {
    if (w->stored_as) map_put(names, w->stored_as, strlen(w->stored_as), 0);
}

static bool ends_with(const char *text, const char *ending) {
    const size_t n = strlen(text), k = strlen(ending);
    return n >= k && strcmp(text + n - k, ending) == 0;
}

/* Masks and tables that checkpoints carry and every reader computes. */
static bool is_buffer(const char *name) {
    static const char *const endings[] = { ".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq", "position_ids", "rope.freqs" };
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with(name, endings[i])) return true;
    return false;
}

/* GGUF files hold what is computed and nothing besides; a tensor that nothing reads here is part of another model.
 * Checkpoints of other containers hold masks and heads of training too. */
static sonde_status check_all_read(const binder *b) {
    const sonde_model *m = b->m;
    const bool gguf = weights_meta(b->file, "general.architecture") != NULL;
    const char *first = NULL;
    size_t unread = 0;
    map *names = map_new(b->names, weights_count(b->file));
    int64_t at;
    for (int id = 0; id < WEIGHT_COUNT; id++) {
        put_name(names, &m->front[id]);
        for (int64_t l = 0; l < m->config.layers; l++) put_name(names, &m->block[l][id]);
    }
    for (size_t i = 0; i < weights_count(b->file); i++) {
        const char *name = weights_at(b->file, i)->name;
        if (map_get(names, name, strlen(name), &at) || is_buffer(name)) continue;
        SONDE_FAIL_IF(gguf || ends_with(name, "_scale") || ends_with(name, "_scale_inv"), b->err, SONDE_UNSUPPORTED,
                      "tensor %s: is no part of a %s model here, expected one without it", name_shown(name).text,
                      m->config.arch->name);
        if (unread++ == 0) first = name;
    }
    if (unread)
        m->files->warning[2] = arena_printf(m->memory, "%zu tensors of the file are not read, the first is %s", unread,
                                            name_shown(first).text);
    return SONDE_OK;
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
    binder b = { .m = m, .file = m->files->weights, .names = arena_new(), .err = err };
    choose_names(&b);
    m->config.spelled = b.spelled;
    m->config.qk_pairs = in_pairs(&b);
    sonde_status s = bind_all(&b);
    if (s == SONDE_OK) s = check_all_read(&b);
    arena_free(b.names);
    SONDE_TRY(s);
    SONDE_TRY(widen_vectors(m, err));
    if (m->config.rope.scaling != ROPE_LLAMA3) m->config.rope.divisor = m->front[W_ROPE].vector;
    rope_prepare(&m->config.rope, m->memory);
    return SONDE_OK;
}
