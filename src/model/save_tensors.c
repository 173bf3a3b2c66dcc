/* Which tensors a model is in a file of one spelling: names, shapes and types. */
#include "save_parts.h"
#include "base/map.h"
#include "base/text.h"
#include "format/pack.h"
#include "weight_table.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const arch_config *save_config(const sonde_model *m, stack_id stack) {
    return stack == STACK_ENCODER ? &m->encoder : &m->config;
}

static const weight *weight_at(const sonde_model *m, stack_id stack, weight_id id, int64_t layer) {
    const bool encoder = stack == STACK_ENCODER;
    if (weight_table[id].block) return encoder ? &m->encoder_block[layer][id] : &m->block[layer][id];
    return encoder ? &m->encoder_front[id] : &m->front[id];
}

/* Branches by turns, or each for itself: what stands for what is not stored. */
static weight_id stand_in(weight_id id) {
    switch (id) {
        case W_X_GATE: case W_X_IN: return W_X_BOTH;
        case B_X_GATE: case B_X_IN: return B_X_BOTH;
        case W_X_BOTH:              return W_X_GATE;
        case B_X_BOTH:              return B_X_GATE;
        default:                    return W_NONE;
    }
}

const weight *save_source(const sonde_model *m, stack_id stack, weight_id id, int64_t layer) {
    const weight *w = weight_at(m, stack, id, layer);
    if (w->stored_as) return w;
    const weight_id other = stand_in(id);
    w = other ? weight_at(m, stack, other, layer) : w;
    return w->stored_as ? w : NULL;
}

static bool of_rope(weight_id id) { return id == W_ROPE || id == W_ROPE_SHORT || id == W_ROPE_LONG; }

/* Divisors of frequencies are tensors in GGUF alone, and config.json's scaling elsewhere. */
static bool there(const sonde_model *m, const weight_row *r, spelling s, int64_t layer) {
    const rope_scaling by = m->config.rope.scaling;
    if (r->id == W_ROPE && by == ROPE_LLAMA3) return s == SPELLED_GGUF;
    if (r->id == W_ROPE_SHORT || r->id == W_ROPE_LONG) return s == SPELLED_GGUF && by == ROPE_LONGROPE;
    return save_source(m, r->stack, r->id, layer) && !(r->id == W_UNEMBED && m->config.tied);
}

/* Types that a file of any kind may hold stay; other numbers are their float32 values. */
static dtype_id kept_type(dtype_id from) { return from == DTYPE_F16 || from == DTYPE_BF16 ? from : DTYPE_F32; }

typedef struct {
    const sonde_model *m;
    spelling           s;
    arena             *into;
    save_list         *list;
    size_t             room;
    map               *by_name, *written;       /* tensors of the list; arrays of the opened file that are in it */
    sonde_error       *err;
} lister;

static const char *name_of(const lister *l, const weight_row *r, int64_t layer, int64_t item) {
    const char *prefix = l->m->files->prefix ? l->m->files->prefix : l->m->config.arch->prefixes[0];
    if (l->s != SPELLED_HF || weight_outside(r->id)) prefix = "";
    return row_item(l->into, prefix, row_spelled(r, l->s), layer, item < 0 ? 0 : item);
}

/* The row by which it was found, or the first of its weight that has a name here. */
static const weight_row *target(const lister *l, const weight_row *first, const weight *w, int64_t layer) {
    const arch_config *c = save_config(l->m, first->stack);
    if (w && w->row && w->row->id == first->id && row_spelled(w->row, l->s)) return w->row;
    for (const weight_row *r = first; r->id != W_NONE; r++)
        if (r->id == first->id && r->stack == first->stack && arch_row_in(c, r, layer) && row_spelled(r, l->s)) return r;
    return NULL;
}

int64_t save_outputs(const sonde_model *m, const save_tensor *t, weight_id id) {
    const arch_config *c = save_config(m, t->stack);
    const int64_t n = weight_size(c, weight_table[id].out) - t->skipped;
    if (t->item < 0 && !t->outermost) return n;
    return weight_of_experts(id) ? n / c->experts : c->e;
}

static void set_shape(const lister *l, save_tensor *t) {
    const weight_meaning *w = &weight_table[t->part[0] ? t->part[0] : t->part[1]];
    const int64_t k = w->kind == WEIGHT_VECTOR ? 1 : weight_size(save_config(l->m, t->stack), w->in);
    int64_t n = 0;
    for (int i = 0; i < MOST_PARTS; i++) n += t->part[i] ? save_outputs(l->m, t, t->part[i]) : 0;
    t->rank = 0;
    if (t->as_row) t->dim[t->rank++] = 1;
    if (t->outermost) t->dim[t->rank++] = t->slabs;
    if (w->kind != WEIGHT_VECTOR && t->in_out) t->dim[t->rank++] = k;
    t->dim[t->rank++] = n;
    if (w->kind != WEIGHT_VECTOR && !t->in_out) t->dim[t->rank++] = k;
}

/* A part of a tensor that is listed already. Of parts of different types the numbers are float32. */
static void add_part(const lister *l, save_tensor *t, const weight_row *r, const weight *w) {
    t->part[r->part] = r->id;
    if (w->type != t->from) t->to = DTYPE_F32;
    set_shape(l, t);
}

static save_tensor *new_tensor(lister *l) {
    if (l->list->n == l->room) {
        save_tensor *more = arena_new_array(l->into, save_tensor, 2 * l->room);
        memcpy(more, l->list->at, l->list->n * sizeof *more);
        l->list->at = more;
        l->room *= 2;
    }
    return &l->list->at[l->list->n++];
}

static void add_item(lister *l, const weight_row *r, const weight *w, int64_t layer, int64_t item) {
    const arch_config *c = save_config(l->m, r->stack);
    const char *name = name_of(l, r, layer, item);
    const bool  experts = weight_of_experts(r->id), vector = weight_table[r->id].kind == WEIGHT_VECTOR;
    int64_t at;
    if (map_get(l->by_name, name, strlen(name), &at)) {
        if (r->parts) add_part(l, &l->list->at[at], r, w);
        return;
    }
    map_put(l->by_name, name, strlen(name), (int64_t)l->list->n);
    const dtype_id from = of_rope(r->id) ? DTYPE_F32 : w->type;
    save_tensor *t = new_tensor(l);
    *t = (save_tensor){ .name = name, .stack = r->stack, .layer = layer, .item = item, .slabs = 1, .groups = 1, .from = from,
                        .to = vector && l->s == SPELLED_GGUF ? DTYPE_F32 : kept_type(from), .in_out = row_in_out(r, l->s),
                        .pairs = r->pairs && l->s != SPELLED_HF, .less_one = r->less_one && l->s == SPELLED_HF,
                        .as_row = r->as_row && l->s == SPELLED_HF };
    t->outermost = item < 0 && (experts || r->heads_apart);
    if (t->outermost) t->slabs = experts ? c->experts : weight_size(c, weight_table[r->id].out) / c->e;
    if (r->parts && r->fused == FUSED_GROUPS && l->s == SPELLED_HF) t->groups = c->kv_heads;
    if (r->id == W_POS && l->s == SPELLED_GGUF) t->skipped = c->pos_offset;
    t->part[r->part] = r->id;
    set_shape(l, t);
}

/* An array that several weights were bound to is written once. */
static bool is_written(const lister *l, const weight *w) {
    int64_t at;
    if (!w || !w->row || w->row->parts || !w->stored_as) return false;
    if (map_get(l->written, w->stored_as, strlen(w->stored_as), &at)) return true;
    map_put(l->written, w->stored_as, strlen(w->stored_as), 0);
    return false;
}

/* Branches of experts may have a name in another form alone. A pooler that no other head reads has none in GGUF. */
static bool may_lack(const lister *l, const weight_row *r) {
    const bool pooler = r->id == W_POOL || r->id == B_POOL;
    return stand_in(r->id) != W_NONE || (pooler && l->s == SPELLED_GGUF && !(l->m->config.head & ~(unsigned)HEAD_POOLER));
}

static sonde_status add(lister *l, const weight_row *first, int64_t layer) {
    const sonde_model *m = l->m;
    if (!there(m, first, l->s, layer)) return SONDE_OK;
    const weight     *w = save_source(m, first->stack, first->id, layer);
    const weight_row *r = target(l, first, w, layer);
    if (!r && may_lack(l, first)) return SONDE_OK;
    SONDE_FAIL_IF(!r, l->err, SONDE_UNSUPPORTED, "%s has no name in such a file", weight_table[first->id].name);
    const bool stands_in = w && w->row && w->row->id != first->id;
    if (!stands_in && is_written(l, w)) return SONDE_OK;
    const arch_config *c = save_config(m, r->stack);
    const char   *name = row_spelled(r, l->s);
    const bool    apart = strstr(name, "%e") || strstr(name, "%h");
    const int64_t items = weight_of_experts(r->id) ? c->experts : weight_size(c, weight_table[r->id].out) / c->e;
    if (!apart) add_item(l, r, w, layer, -1);
    for (int64_t i = 0; apart && i < items; i++) add_item(l, r, w, layer, i);
    return SONDE_OK;
}

static bool is_first(const arch *a, const weight_row *r) {
    for (const weight_row *q = a->weights; q < r; q++)
        if (q->id == r->id && q->stack == r->stack) return false;
    return true;
}

static sonde_status add_stack(lister *l, const arch_config *c) {
    for (int64_t layer = -1; layer < c->layers; layer++)
        for (const weight_row *r = c->arch->weights; r->id != W_NONE; r++)
            if (r->stack == c->stack && weight_table[r->id].block == (layer >= 0) && is_first(c->arch, r)) SONDE_TRY(add(l, r, layer));
    return SONDE_OK;
}

sonde_status save_list_of(const sonde_model *m, spelling s, arena *into, save_list *out, sonde_error *err) {
    const size_t expected = weights_count(m->files->weights) + 64;
    *out = (save_list){ arena_new_array(into, save_tensor, expected), 0 };
    lister l = { m, s, into, out, expected, map_new(into, expected), map_new(into, expected), err };
    if (m->config.encoder) SONDE_TRY(add_stack(&l, &m->encoder));
    return add_stack(&l, &m->config);
}

int64_t save_count(const save_tensor *t) {
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}

uint64_t save_bytes(const save_tensor *t) {
    const dtype *type = &dtype_table[t->to];
    return (uint64_t)save_count(t) / (uint64_t)type->items * (uint64_t)type->bytes;
}

/* Root of the mean square of what packing changed. */
static double error_of(const save_tensor *t, const float *x, const void *packed) {
    const dtype *type = &dtype_table[t->to];
    const int64_t cols = t->dim[t->rank - 1], rows = save_count(t) / cols;
    float *back = malloc((size_t)cols * sizeof *back);
    double sum = 0;
    if (!back) return NAN;
    for (int64_t r = 0; r < rows; r++) {
        type->to_f32(back, (const uint8_t *)packed + r * (cols / type->items) * type->bytes, (size_t)cols);
        for (int64_t i = 0; i < cols; i++) {
            const double d = (double)back[i] - (double)x[r * cols + i];
            sum += d * d;
        }
    }
    free(back);
    return sqrt(sum / (double)save_count(t));
}

static sonde_status pack(const save_tensor *t, const sonde_save_options *o, const float *x, void *out, double *rmse,
                         sonde_error *err) {
    const int64_t cols = t->dim[t->rank - 1], count = save_count(t);
    const bool blocks = dtype_table[t->to].items > 1;
    const size_t bad = blocks ? pack_bad(x, (size_t)count) : (size_t)count;
    SONDE_FAIL_IF(bad < (size_t)count, err, SONDE_FORMAT, "tensor %s: number %zu is NaN or infinite, and %s holds none",
                  name_shown(t->name).text, bad, dtype_table[t->to].name);
    const pack_matrix matrix = { .type = t->to, .rows = count / cols, .cols = cols, .x = x, .out = out };
    pack_rows(&matrix, o->threads);
    *rmse = blocks && o->measure ? error_of(t, x, out) : 0;
    return SONDE_OK;
}

static void tell(const save_tensor *t, const sonde_save_options *o, double rmse) {
    if (!o->saved) return;
    sonde_saved said = { .name = t->name, .from = dtype_table[t->from].name, .to = dtype_table[t->to].name,
                         .wanted = t->wanted, .widened = dtype_table[t->from].items > 1 && dtype_table[t->to].items == 1,
                         .rank = t->rank, .bytes = (int64_t)save_bytes(t), .rmse = rmse };
    memcpy(said.dim, t->dim, sizeof said.dim);
    o->saved(&said, o->user);
}

void save_tell(const save_list *list, const sonde_save_options *o) {
    for (size_t i = 0; i < list->n; i++) tell(&list->at[i], o, 0);
}

sonde_status save_pack(const sonde_model *m, const save_tensor *t, const sonde_save_options *o, void **out, sonde_error *err) {
    const size_t bytes = (size_t)save_bytes(t), floats = (size_t)save_count(t) * sizeof(float);
    const bool   same = t->copied && t->from == t->to;
    *out = malloc(bytes);
    float *x = same ? NULL : malloc(floats);
    double rmse = 0;
    sonde_status s = !*out || (!same && !x) ? save_no_memory(bytes + floats, err) : SONDE_OK;
    if (s == SONDE_OK && same) memcpy(*out, t->copied->data, bytes);
    if (s == SONDE_OK && !same) s = save_values(m, t, x, err);
    if (s == SONDE_OK && !same) s = pack(t, o, x, *out, &rmse, err);
    free(x);
    if (s == SONDE_OK) tell(t, o, rmse);
    else free(*out);
    return s;
}
