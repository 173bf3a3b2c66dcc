/* The numbers of a tensor that is to be written: rows of outputs as the engine has them (heads in halves, norms as they are
 * multiplied with), put where the file's layout has them. */
#include "save_parts.h"
#include "tensor/op.h"
#include "weight_table.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    const sonde_model *m;
    const save_tensor *t;
    const arch_config *c;
    sonde_error       *err;
} saver;

sonde_status save_no_memory(size_t bytes, sonde_error *err) {
    return sonde_fail(err, SONDE_NOMEM, "one tensor needs %zu bytes, and there are not that many free", bytes);
}

/* Which stored output is output j: heads in pairs are put into halves. */
static size_t stored_output(const arch_config *c, weight_id id, int64_t j) {
    return (size_t)(j - j % c->e + reorder_from(j % c->e, weight_in_pairs(c, id)));
}

/* Outputs of a matrix or rows of a table, [n, k]. */
static sonde_status widen_rows(const saver *s, weight_id id, const kern_weight *w, float *out) {
    const bool pairs = weight_in_pairs(s->c, id) > 0;
    if (!w->columns) {
        for (size_t j = 0; j < w->n; j++)
            kern->widen(out + j * w->k, w, pairs ? stored_output(s->c, id, (int64_t)j) : j, 0, w->k);
        return SONDE_OK;
    }
    float *row = malloc(w->n * sizeof *row);
    if (!row) return save_no_memory(w->n * sizeof *row, s->err);
    for (size_t i = 0; i < w->k; i++) {
        kern->widen(row, w, i, 0, w->n);
        for (size_t j = 0; j < w->n; j++) out[j * w->k + i] = row[pairs ? stored_output(s->c, id, (int64_t)j) : j];
    }
    free(row);
    return SONDE_OK;
}

/* What is stored less 1 is written from the stored numbers, where those are there: the sum has lost bits. */
static void vector_rows(const saver *s, weight_id id, const weight *w, int64_t first, int64_t n, float *out) {
    const bool pairs = weight_in_pairs(s->c, id) > 0;
    for (int64_t j = 0; j < n; j++) out[j] = w->vector[pairs ? stored_output(s->c, id, first + j) : (size_t)(first + j)];
    if (!s->t->less_one) return;
    const stored_tensor *x = s->m->config.spelled == SPELLED_HF ? weights_find(s->m->files->weights, w->stored_as) : NULL;
    if (x && !w->row->parts) dtype_table[x->type].to_f32(out, x->data, (size_t)n);
    for (int64_t j = 0; !x && j < n; j++) out[j] -= 1;
}

static const weight *own(const saver *s, weight_id id) {
    const bool encoder = s->t->stack == STACK_ENCODER;
    if (weight_table[id].block) return encoder ? &s->m->encoder_block[s->t->layer][id] : &s->m->block[s->t->layer][id];
    return encoder ? &s->m->encoder_front[id] : &s->m->front[id];
}

/* All outputs of a weight as the model has it, or those of one expert or head (item >= 0). */
static sonde_status stored_rows(const saver *s, weight_id id, int64_t item, float *out) {
    const weight *w = own(s, id);
    const int64_t n = weight_size(s->c, weight_table[id].out), each = weight_of_experts(id) ? n / s->c->experts : s->c->e;
    if (w->vector) {
        vector_rows(s, id, w, item < 0 ? 0 : item * each, item < 0 ? n : each, out);
        return SONDE_OK;
    }
    return widen_rows(s, id, item < 0 ? &w->matrix : &w->expert[item], out);
}

/* ---- experts' branches: by turns in one weight, or each in its own ---- */

static bool is_bias(weight_id id) { return weight_table[id].kind == WEIGHT_VECTOR; }

static int64_t inputs(const saver *s, weight_id id) { return is_bias(id) ? 1 : weight_size(s->c, weight_table[id].in); }

/* Rows of one expert's gate or linear branch, out of both by turns. */
static sonde_status one_branch(const saver *s, weight_id id, int64_t item, float *out) {
    const int64_t m = s->c->expert_f, k = inputs(s, id), odd = id == W_X_IN || id == B_X_IN;
    float *both = malloc((size_t)(2 * m * k) * sizeof *both);
    if (!both) return save_no_memory((size_t)(2 * m * k) * sizeof *both, s->err);
    const sonde_status done = stored_rows(s, is_bias(id) ? B_X_BOTH : W_X_BOTH, item, both);
    for (int64_t j = 0; done == SONDE_OK && j < m; j++)
        memcpy(out + j * k, both + (2 * j + odd) * k, (size_t)k * sizeof *out);
    free(both);
    return done;
}

static sonde_status both_branches(const saver *s, weight_id id, int64_t item, float *out) {
    const weight_id branch[] = { is_bias(id) ? B_X_GATE : W_X_GATE, is_bias(id) ? B_X_IN : W_X_IN };
    const int64_t m = s->c->expert_f, k = inputs(s, id);
    float *one = malloc((size_t)(m * k) * sizeof *one);
    if (!one) return save_no_memory((size_t)(m * k) * sizeof *one, s->err);
    sonde_status done = SONDE_OK;
    for (int i = 0; i < 2 && done == SONDE_OK; i++) {
        done = stored_rows(s, branch[i], item, one);
        for (int64_t j = 0; done == SONDE_OK && j < m; j++)
            memcpy(out + (2 * j + i) * k, one + j * k, (size_t)k * sizeof *out);
    }
    free(one);
    return done;
}

static sonde_status rows_of(const saver *s, weight_id id, int64_t item, float *out) {
    if (own(s, id)->stored_as) return stored_rows(s, id, item, out);
    return id == W_X_BOTH || id == B_X_BOTH ? both_branches(s, id, item, out) : one_branch(s, id, item, out);
}

/* ---- where they go ---- */

/* Row r of a head in halves order is this one in pairs order. */
static int64_t in_pairs(const arch_config *c, int64_t row) {
    const int64_t r = row % c->e, half = c->rope.dims / 2;
    return row - r + (r < half ? 2 * r : r < 2 * half ? 2 * (r - half) + 1 : r);
}

/* Output j of a part, counted in its slab: each group has its share of every part, one behind the other. */
static int64_t placed(const saver *s, int64_t j, int64_t n, int64_t first, int64_t all) {
    const int64_t g = s->t->groups, each = n / g;
    if (s->t->pairs) j = in_pairs(s->c, j);
    return j / each * (all / g) + first / g + j % each;
}

static sonde_status put_part(const saver *s, int which, int64_t slab, float *out) {
    const save_tensor *t = s->t;
    const weight_id    id = t->part[which];
    const int64_t n = save_outputs(s->m, t, id), k = inputs(s, id), stored = n + t->skipped;
    int64_t first = 0, all = 0;
    for (int i = 0; i < MOST_PARTS; i++) {
        const int64_t part = t->part[i] ? save_outputs(s->m, t, t->part[i]) : 0;
        first += i < which ? part : 0;
        all += part;
    }
    float *rows = malloc((size_t)(stored * k) * sizeof *rows);
    if (!rows) return save_no_memory((size_t)(stored * k) * sizeof *rows, s->err);
    const sonde_status done = rows_of(s, id, t->outermost ? slab : t->item, rows);
    float *to = out + slab * all * k;
    for (int64_t j = 0; done == SONDE_OK && j < n; j++) {
        const float  *from = rows + (j + t->skipped) * k;
        const int64_t row = placed(s, j, n, first, all);
        if (!t->in_out) memcpy(to + row * k, from, (size_t)k * sizeof *to);
        for (int64_t i = 0; t->in_out && i < k; i++) to[i * all + row] = from[i];
    }
    free(rows);
    return done;
}

sonde_status save_values(const sonde_model *m, const save_tensor *t, float *out, sonde_error *err) {
    const saver s = { m, t, save_config(m, t->stack), err };
    if (t->copied) {
        dtype_table[t->from].to_f32(out, t->copied->data, (size_t)save_count(t));
        return SONDE_OK;
    }
    switch (t->part[0]) {
        case W_ROPE:       rope_divisors(&s.c->rope, out); return SONDE_OK;
        case W_ROPE_SHORT: rope_factors(&s.c->rope, false, out); return SONDE_OK;
        case W_ROPE_LONG:  rope_factors(&s.c->rope, true, out); return SONDE_OK;
        default:           break;
    }
    for (int64_t slab = 0; slab < t->slabs; slab++)
        for (int i = 0; i < MOST_PARTS; i++)
            if (t->part[i]) SONDE_TRY(put_part(&s, i, slab, out));
    return SONDE_OK;
}
