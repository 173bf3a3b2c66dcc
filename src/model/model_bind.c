/* From names of tensors to weights: every row of the family's table is looked up, its type and shape are checked
 * against what config.json implies, and the engine gets a view of the bytes where they lie. */
#define _GNU_SOURCE
#include "model_files.h"
#include "rel_pos.h"
#include "stored_weight.h"
#include "weight_table.h"
#include "base/map.h"
#include "base/text.h"
#include "format/meta.h"
#include <stdlib.h>
#include <string.h>

enum { FLOATS_ALIGNED = 16 };

typedef struct { weight *w; bool less_one; } vector_entry;      /* one that is to be widened */

typedef struct {
    sonde_model  *m;
    weight_source from;
    vector_entry *vector;
    size_t        vectors;
    sonde_error  *err;
} binder;

/* Whose names the embedding has: what a file holds decides, not what it is called. */
static bool has_embedding(const binder *b, spelling s, const char *prefix) {
    for (const weight_row *r = b->m->config.arch->weights; r->id != W_NONE; r++) {
        const char *name = r->id == W_EMBED ? row_spelled(r, s) : NULL;
        if (name && weights_find(b->from.file, row_name(b->from.names, prefix, name, 0))) return true;
    }
    return false;
}

static void choose_names(binder *b) {
    static const spelling others[] = { SPELLED_GGUF, SPELLED_META };
    const char *const *prefixes = b->m->config.arch->prefixes;
    for (const char *const *p = prefixes; *p; p++) {
        b->from.spelled = SPELLED_HF;
        b->from.prefix = *p;
        if (has_embedding(b, SPELLED_HF, *p)) return;
    }
    b->from.prefix = "";
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        b->from.spelled = others[i];
        if (has_embedding(b, others[i], "")) return;
    }
    b->from.spelled = SPELLED_HF;
    b->from.prefix = prefixes[0];
}

static bool in_pairs(const binder *b) {
    const weight_row *r = b->m->config.arch->weights;
    while (r->id != W_NONE && r->id != W_Q) r++;
    return r->pairs && b->from.spelled != SPELLED_HF;
}

/* GGUF files of families whose first positions no token has may leave their rows out. */
static void find_positions(const binder *b, arch_config *c, const weight_row *r) {
    if (r->id != W_POS || b->from.spelled != SPELLED_GGUF) return;
    const stored_tensor *t = weights_find(b->from.file, row_name(b->from.names, "", r->gguf, 0));
    if (t && t->rank == 2 && t->dim[0] == c->context) c->pos_offset = 0;
}

/* ---- one weight: the first of its rows whose tensor is there ---- */

static bool same_weight(const weight_row *x, const weight_row *y) { return x->id == y->id && x->stack == y->stack; }

static bool is_first(const arch *a, const weight_row *r) {
    for (const weight_row *q = a->weights; q < r; q++)
        if (same_weight(q, r)) return false;
    return true;
}

/* The two branches of experts are stored by turns or each for itself: files of one kind have no name for the other. */
static bool stored_otherwise(const weight_row *r) {
    return r->id == W_X_GATE || r->id == W_X_IN || r->id == W_X_BOTH || r->id == B_X_GATE || r->id == B_X_IN || r->id == B_X_BOTH;
}

static sonde_status bind_row(binder *b, arch_config *c, const weight_row *r, int64_t layer, weight *out) {
    find_positions(b, c, r);
    SONDE_TRY(stored_bind(&b->from, c, r, layer, out));
    if (weight_table[r->id].kind == WEIGHT_VECTOR)
        b->vector[b->vectors++] = (vector_entry){ out, r->less_one && b->from.spelled == SPELLED_HF };
    return SONDE_OK;
}

static sonde_status bind_weight(binder *b, arch_config *c, const weight_row *first, int64_t layer, weight *out) {
    const weight_row *wanted = NULL;
    for (const weight_row *r = first; r->id != W_NONE; r++) {
        if (!same_weight(r, first) || !arch_row_in(c, r, layer)) continue;
        if (stored_there(&b->from, r, layer)) return bind_row(b, c, r, layer, out);
        if (!wanted || (!row_spelled(wanted, b->from.spelled) && row_spelled(r, b->from.spelled))) wanted = r;
    }
    if (!wanted || wanted->optional) return SONDE_OK;
    if (wanted->when == WHEN_POOLER && c->head == HEAD_POOLER) {       /* of a file of embeddings, which no other head reads */
        c->head = 0;
        return SONDE_OK;
    }
    if (!row_spelled(wanted, b->from.spelled) && stored_otherwise(wanted)) return SONDE_OK;
    return stored_missing(&b->from, c, wanted, layer);
}

static sonde_status bind_stack(binder *b, arch_config *c, weight *front, weight (*block)[WEIGHT_COUNT]) {
    for (const weight_row *r = c->arch->weights; r->id != W_NONE; r++) {
        if (r->stack != c->stack || !is_first(c->arch, r)) continue;
        if (!weight_table[r->id].block) {
            SONDE_TRY(bind_weight(b, c, r, 0, &front[r->id]));
            continue;
        }
        for (int64_t l = 0; l < c->layers; l++) SONDE_TRY(bind_weight(b, c, r, l, &block[l][r->id]));
    }
    return SONDE_OK;
}

static bool equals(const binder *b, const stored_tensor *t, weight_id id) {
    const char *name = b->m->front[id].stored_as;
    const stored_tensor *x = name ? weights_find(b->from.file, name) : NULL;
    return x && x != t && x->type == t->type && x->rank == t->rank && memcmp(x->dim, t->dim, (size_t)t->rank * sizeof *t->dim) == 0 &&
           x->bytes == t->bytes && memcmp(x->data, t->data, (size_t)t->bytes) == 0;
}

/* The same bytes, read as [d, v]: rows of the embedding are outputs. A copy of them is not read where they are tied. */
static sonde_status bind_unembed(const binder *b) {
    sonde_model *m = b->m;
    weight *unembed = &m->front[W_UNEMBED];
    const stored_tensor *t = unembed->stored_as ? weights_find(b->from.file, unembed->stored_as) : NULL;
    const bool stored = t && !(m->config.tied && equals(b, t, W_EMBED));
    m->config.logit_bias &= m->front[B_UNEMBED].stored_as != NULL;
    if (!arch_has(&m->config, W_UNEMBED) || !(m->config.head & (HEAD_LM | HEAD_MLM))) return SONDE_OK;
    if (!stored && !m->config.tied) {
        const weight_row *r = m->config.arch->weights;
        while (r->id != W_UNEMBED) r++;
        return stored_missing(&b->from, &m->config, r, 0);
    }
    if (!stored) *unembed = m->front[W_EMBED];
    m->config.tied = !stored;
    return SONDE_OK;
}

static weight (*new_blocks(sonde_model *m, const arch_config *c))[WEIGHT_COUNT] {
    weight (*block)[WEIGHT_COUNT] = arena_alloc(m->memory, (size_t)c->layers * sizeof *block);
    return block;
}

static sonde_status bind_all(binder *b) {
    sonde_model *m = b->m;
    const size_t layers = (size_t)(m->config.layers + (m->config.encoder ? m->encoder.layers : 0));
    b->vector = arena_new_array(b->from.names, vector_entry, WEIGHT_COUNT * (layers + 2));
    m->block = new_blocks(m, &m->config);
    SONDE_TRY(bind_stack(b, &m->config, m->front, m->block));
    if (m->config.encoder) {
        m->encoder_block = new_blocks(m, &m->encoder);
        SONDE_TRY(bind_stack(b, &m->encoder, m->encoder_front, m->encoder_block));
    }
    return bind_unembed(b);
}

/* ---- what is left over ---- */

static bool ends_with(const char *text, const char *ending) {
    const size_t n = strlen(text), k = strlen(ending);
    return n >= k && strcmp(text + n - k, ending) == 0;
}

/* Masks and tables that checkpoints carry and every reader computes, and what some were saved with by mistake. */
static bool is_buffer(const char *name) {
    static const char *const endings[] = {
        ".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq", "rope.freqs",
        "position_ids", "token_type_ids", "EncDecAttention.relative_attention_bias.weight",
    };
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with(name, endings[i])) return true;
    return false;
}

/* Tied tables are saved under several names. */
static bool is_copy(const binder *b, const stored_tensor *t) { return equals(b, t, W_EMBED) || equals(b, t, B_UNEMBED); }

/* GGUF files hold what is computed and nothing besides; a tensor that nothing reads here is part of another model.
 * Checkpoints of other containers hold masks and heads of training too. */
static sonde_status check_all_read(const binder *b) {
    const sonde_model *m = b->m;
    const weights *file = b->from.file;
    const bool gguf = weights_meta(file, "general.architecture") != NULL;
    const char *first = NULL;
    size_t unread = 0;
    int64_t at;
    for (size_t i = 0; i < weights_count(file); i++) {
        const stored_tensor *t = weights_at(file, i);
        const char *name = t->name;
        if (map_get(b->from.read, name, strlen(name), &at) || is_buffer(name) || is_copy(b, t)) continue;
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

/* ---- vectors are floats ---- */

static size_t padded(size_t floats) { return (floats + FLOATS_ALIGNED - 1) / FLOATS_ALIGNED * FLOATS_ALIGNED; }

/* Where weights are stored less 1, the sum is that of float32. */
static void widen(const vector_entry *e, float *to) {
    weight *w = e->w;
    const size_t n = w->matrix.n;
    kern->widen(to, &w->matrix, 0, 0, n);
    for (size_t i = 0; e->less_one && i < n; i++) to[i] += 1.0f;
    w->vector = to;
    w->matrix = (kern_weight){ 0 };
}

static sonde_status widen_vectors(const binder *b) {
    size_t floats = 0;
    for (size_t i = 0; i < b->vectors; i++) floats += padded(b->vector[i].w->matrix.n);
    float *next = floats ? aligned_alloc(64, floats * sizeof *next) : NULL;
    SONDE_FAIL_IF(floats && !next, b->err, SONDE_NOMEM, "norms and biases need %zu bytes, and there are not that many free",
                  floats * sizeof *next);
    b->m->files->vectors = next;
    for (size_t i = 0; i < b->vectors; i++) {
        const size_t n = padded(b->vector[i].w->matrix.n);
        widen(&b->vector[i], next);
        next += n;
    }
    return SONDE_OK;
}

static void prepare_positions(sonde_model *m, arch_config *c, const weight *front) {
    if (c->rope.scaling != ROPE_LLAMA3) c->rope.divisor = front[W_ROPE].vector;
    rope_prepare(&c->rope, m->memory);
    rope_prepare(&c->rope_local, m->memory);
    rel_prepare(c, m->memory);
}

sonde_status model_bind(sonde_model *m, sonde_error *err) {
    arena *names = arena_new();
    binder b = { .m = m, .err = err, .from = {
        .file = m->files->weights, .memory = m->memory, .names = names,
        .read = map_new(names, weights_count(m->files->weights)), .err = err } };
    choose_names(&b);
    m->config.spelled = b.from.spelled;
    m->files->prefix = b.from.spelled == SPELLED_HF ? b.from.prefix : NULL;
    m->config.qk_pairs = in_pairs(&b);
    sonde_status s = bind_all(&b);
    if (s == SONDE_OK) s = check_all_read(&b);
    if (s == SONDE_OK) s = widen_vectors(&b);
    arena_free(names);
    SONDE_TRY(s);
    prepare_positions(m, &m->config, m->front);
    if (m->config.encoder) prepare_positions(m, &m->encoder, m->encoder_front);
    return SONDE_OK;
}
