#include "save_parts.h"
#include "base/text.h"
#include "format/pack.h"
#include "weight_table.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const weight *weight_at(const sonde_model *m, weight_id id, int64_t layer) {
    return weight_table[id].block ? &m->block[layer][id] : &m->front[id];
}

/* Divisors of frequencies are tensors in GGUF alone, and config.json's scaling elsewhere. */
static bool there(const sonde_model *m, const weight_row *r, spelling s, int64_t layer) {
    const rope_scaling by = m->config.rope.scaling;
    if (r->id == W_ROPE && by == ROPE_LLAMA3) return s == SPELLED_GGUF;
    if (r->id == W_ROPE_SHORT || r->id == W_ROPE_LONG) return s == SPELLED_GGUF && by == ROPE_LONGROPE;
    return weight_at(m, r->id, layer)->stored_as && !(r->id == W_UNEMBED && m->config.tied);
}

static bool of_rope(weight_id id) { return id == W_ROPE || id == W_ROPE_SHORT || id == W_ROPE_LONG; }

/* Types that a file of any kind may hold stay; other numbers are their float32 values. */
static dtype_id kept_type(dtype_id from) { return from == DTYPE_F16 || from == DTYPE_BF16 ? from : DTYPE_F32; }

static const char *name_of(const sonde_model *m, const weight_row *r, spelling s, int64_t layer, arena *into) {
    const char *const prefix = s == SPELLED_HF && r->id != W_UNEMBED && r->id != B_UNEMBED ? m->config.arch->prefixes[0] : "";
    return row_name(into, prefix, row_spelled(r, s), layer);
}

typedef struct { const sonde_model *m; spelling s; arena *into; save_list *list; sonde_error *err; } lister;

static sonde_status add(const lister *l, const weight_row *r, int64_t layer) {
    const sonde_model    *m = l->m;
    const spelling        s = l->s;
    save_list            *list = l->list;
    const weight_meaning *w = &weight_table[r->id];
    if (!there(m, r, s, layer)) return SONDE_OK;
    SONDE_FAIL_IF(!row_spelled(r, s), l->err, SONDE_UNSUPPORTED, "%s has no name in such a file", w->name);
    const char *name = name_of(m, r, s, layer, l->into);
    save_tensor *last = list->n ? &list->at[list->n - 1] : NULL;
    if (r->parts && last && strcmp(last->name, name) == 0) {
        last->part[r->part] = r->id;
        return SONDE_OK;
    }
    save_tensor *t = &list->at[list->n++];
    const dtype_id from = weight_at(m, r->id, layer)->type;
    *t = (save_tensor){ .name = name, .layer = layer, .in_out = row_in_out(r, s), .pairs = r->pairs && s != SPELLED_HF,
                        .from = of_rope(r->id) ? DTYPE_F32 : from, .to = kept_type(from),
                        .rank = w->kind == WEIGHT_VECTOR ? 1 : 2 };
    t->part[r->part] = r->id;
    const int64_t n = weight_size(&m->config, w->out) * (r->parts ? r->parts : 1), k = t->rank == 1 ? 1 : weight_size(&m->config, w->in);
    if (s == SPELLED_GGUF && t->rank == 1) t->to = DTYPE_F32;
    t->dim[0] = t->rank == 1 || !t->in_out ? n : k;
    t->dim[1] = t->in_out ? n : k;
    return SONDE_OK;
}

sonde_status save_list_of(const sonde_model *m, spelling s, arena *into, save_list *out, sonde_error *err) {
    const arch *a = m->config.arch;
    *out = (save_list){ arena_new_array(into, save_tensor, WEIGHT_COUNT * ((size_t)m->config.layers + 1)), 0 };
    const lister l = { m, s, into, out, err };
    for (int64_t layer = -1; layer < m->config.layers; layer++)
        for (const weight_row *r = a->weights; r->id != W_NONE; r++)
            if (weight_table[r->id].block == (layer >= 0)) SONDE_TRY(add(&l, r, layer));
    return SONDE_OK;
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

/* Where the numbers of one weight go: rows and columns, from axes in TransformerLens's order. */
typedef struct { int64_t dim[3], row[3], col[3]; } placing;

static void place_axis(const char *axes, const char *letters, const arch_config *c, placing *p, bool rows) {
    int64_t stride = 1;
    for (const char *l = letters + strlen(letters); l-- > letters; ) {
        int64_t *const to = rows ? p->row : p->col;
        to[strchr(axes, *l) - axes] = stride;
        stride *= weight_axis(c, *l);
    }
}

static placing placing_of(const arch_config *c, weight_id id) {
    const weight_meaning *w = &weight_table[id];
    placing p = { .dim = { 1, 1, 1 } };
    for (size_t i = 0; i < strlen(w->axes); i++) p.dim[i] = weight_axis(c, w->axes[i]);
    place_axis(w->axes, w->out, c, &p, true);
    if (w->kind != WEIGHT_VECTOR) place_axis(w->axes, w->in, c, &p, false);
    return p;
}

/* Row r of a head in halves order is this one in pairs order. */
static int64_t in_pairs(int64_t row, int64_t e) {
    const int64_t head = row / e, r = row % e;
    return head * e + (r < e / 2 ? 2 * r : 2 * (r - e / 2) + 1);
}

/* Part `which` of the tensor, out of its values in TransformerLens's shape. */
static void scatter(const sonde_model *m, const save_tensor *t, int which, const float *in, float *out) {
    const weight_meaning *w = &weight_table[t->part[which]];
    const placing p = placing_of(&m->config, t->part[which]);
    const int64_t n = weight_size(&m->config, w->out), first = which * n;
    const int64_t across = t->rank == 1 ? 1 : t->dim[1];
    for (int64_t i = 0; i < p.dim[0]; i++)
        for (int64_t j = 0; j < p.dim[1]; j++)
            for (int64_t k = 0; k < p.dim[2]; k++) {
                int64_t row = i * p.row[0] + j * p.row[1] + k * p.row[2];
                const int64_t col = i * p.col[0] + j * p.col[1] + k * p.col[2];
                if (t->pairs) row = in_pairs(row, m->config.e);
                row += first;
                out[t->in_out ? col * across + row : row * across + col] = *in++;
            }
}

static sonde_status fail_memory(size_t bytes, sonde_error *err) {
    return sonde_fail(err, SONDE_NOMEM, "one tensor needs %zu bytes, and there are not that many free", bytes);
}

sonde_status save_values(const sonde_model *m, const save_tensor *t, float *out, sonde_error *err) {
    const size_t count = (size_t)save_count(t);
    if (t->copied) {
        dtype_table[t->from].to_f32(out, t->copied->data, count);
        return SONDE_OK;
    }
    if (of_rope(t->part[0])) {
        if (t->part[0] == W_ROPE) rope_divisors(&m->config.rope, out);
        else rope_factors(&m->config.rope, t->part[0] == W_ROPE_LONG, out);
        return SONDE_OK;
    }
    float *whole = malloc(count * sizeof *whole);
    if (!whole) return fail_memory(count * sizeof *whole, err);
    sonde_status s = SONDE_OK;
    for (int i = 0; i < 3 && s == SONDE_OK; i++) {
        if (t->part[i] == W_NONE) continue;
        const bool block = weight_table[t->part[i]].block;
        s = model_weight_floats(m, &(weight_entry){ .id = t->part[i], .layer = block ? t->layer : -1 }, whole, err);
        if (s == SONDE_OK) scatter(m, t, i, whole, out);
    }
    free(whole);
    return s;
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
    sonde_status s = !*out || (!same && !x) ? fail_memory(bytes + floats, err) : SONDE_OK;
    if (s == SONDE_OK && same) memcpy(*out, t->copied->data, bytes);
    if (s == SONDE_OK && !same) s = save_values(m, t, x, err);
    if (s == SONDE_OK && !same) s = pack(t, o, x, *out, &rmse, err);
    free(x);
    if (s == SONDE_OK) tell(t, o, rmse);
    else free(*out);
    return s;
}
