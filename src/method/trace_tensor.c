#include "trace_tensor.h"
#include "room.h"

trace_tensor *tensors_add(trace_tensors *all, tensor_role role, size_t prompt, const char *name) {
    all->at = room_grow(all->at, all->n, 1, sizeof *all->at);
    trace_tensor *t = &all->at[all->n++];
    *t = (trace_tensor){ .role = role, .prompt = prompt, .name = room_text(name, strlen(name)) };
    t->spec = (sonde_array_spec){ .name = t->name, .dtype = role == TENSOR_IDS ? "I32" : "F32" };
    return t;
}

void tensor_shape(trace_tensor *t, const sonde_site *s, int64_t rows) {
    size_t n = strlen(s->axes);
    if (n >= sizeof t->axes) n = sizeof t->axes - 1;
    memcpy(t->axes, s->axes, n);
    t->site = room_text(s->name, strlen(s->name));
    t->spec.rank = s->rank;
    t->of_target = s->of_target;
    for (int i = 0; i < s->rank; i++) t->spec.dim[i] = i == sonde_axes_rows(s->axes) ? rows : s->dim[i];
}

int64_t tensor_items(const trace_tensor *t) {
    int64_t n = 1;
    for (int i = 0; i < t->spec.rank; i++) n *= t->spec.dim[i];
    return n;
}

void tensors_free(trace_tensors *all) {
    for (size_t i = 0; i < all->n; i++) {
        free(all->at[i].name);
        free(all->at[i].site);
    }
    for (size_t i = 0; i < all->n_files; i++) sonde_array_writer_drop(all->file[i]);
    free(all->at);
    free(all->file);
    *all = (trace_tensors){ 0 };
}

/* Piece by piece, so that what was counted is still in the cache when it is written. */
static sonde_status put_items(trace_tensors *all, size_t i, int64_t first, const float *x, int64_t n, sonde_error *err) {
    enum { PIECE = 1 << 16 };
    trace_tensor *t = &all->at[i];
    for (int64_t at = 0; at < n; at += PIECE) {
        const int64_t m = n - at < PIECE ? n - at : PIECE;
        sonde_stats_add(&t->seen, x + at, m);
        if (t->keep) memcpy(t->keep + first + at, x + at, (size_t)m * sizeof *x);
        for (size_t k = 0; k < all->n_files; k++) SONDE_TRY(sonde_array_write(all->file[k], i, first + at, x + at, m, err));
    }
    return SONDE_OK;
}

sonde_status tensors_put(trace_tensors *all, size_t i, const sonde_view *v, int64_t first, kept_rows rows, sonde_error *err) {
    const int     t = sonde_axes_rows(v->axes);
    if (t < 0) return put_items(all, i, 0, v->data, tensor_items(&all->at[i]), err);
    const int64_t outer = t ? v->dim[0] : 1, n = v->dim[t];
    int64_t       inner = 1;
    for (int k = t + 1; k < v->rank; k++) inner *= v->dim[k];
    for (int64_t o = 0; o < outer; o++) {
        const float *x = v->data + o * n * inner;
        if (!rows.row_of) SONDE_TRY(put_items(all, i, (o * rows.rows + first) * inner, x, n * inner, err));
        for (int64_t r = 0; rows.row_of && r < n; r++) {
            const int64_t to = rows.row_of[first + r];
            if (to >= 0) SONDE_TRY(put_items(all, i, (o * rows.rows + to) * inner, x + r * inner, inner, err));
        }
    }
    return SONDE_OK;
}

sonde_status tensors_put_data(trace_tensors *all, sonde_error *err) {
    for (size_t i = 0; i < all->n; i++)
        for (size_t k = 0; all->at[i].data && k < all->n_files; k++)
            SONDE_TRY(sonde_array_write(all->file[k], i, 0, all->at[i].data, tensor_items(&all->at[i]), err));
    return SONDE_OK;
}
