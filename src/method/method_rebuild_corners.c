/* The first rows and columns of matrices, for looking at one stage. */
#include "method_rebuild.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

enum { CORNER = 5 };
static const int64_t SMALL = 1 << 22;       /* numbers of a weight that is read whole */

sonde_table *rebuild_corner_table(sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "corners");
    sonde_table_column(t, "stage", SONDE_INT, "");
    static const char *const texts[] = { "role", "matrix", "shape", "row" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) sonde_table_column(t, texts[i], SONDE_TEXT, "");
    for (int i = 0; i < CORNER; i++) {
        char name[8];
        snprintf(name, sizeof name, "c%d", i);
        sonde_table_column(t, name, SONDE_FLOAT, "");
    }
    return t;
}

typedef struct { const char *role, *name; int rank; const int64_t *dim; const float *floats; const double *doubles; } matrix;

static int64_t last(const matrix *m) { return m->rank ? m->dim[m->rank - 1] : 1; }

/* "0,3": row 3 of all axes but the last, where there are two of them. */
static void write_row(const matrix *m, int64_t row, char *out, size_t n) {
    if (m->rank == 3) snprintf(out, n, "0,%" PRId64, row);
    else snprintf(out, n, "%" PRId64, row);
}

static void write_shape(const matrix *m, char *out, size_t n) {
    sonde_array_spec s = { .rank = m->rank };
    for (int i = 0; i < m->rank; i++) s.dim[i] = m->dim[i];
    agree_shape(&s, out, n);
}

/* Of three axes: the corner of the first matrix. */
static void put(sonde_table *t, int stage, const matrix *m) {
    const int64_t high = m->rank > 1 ? m->dim[m->rank - 2] : 1;
    char text[160];
    for (int64_t row = 0; row < high && row < CORNER; row++) {
        sonde_table_row(t);
        sonde_cell_int(t, stage);
        sonde_cell_text(t, m->role);
        sonde_cell_text(t, m->name);
        write_shape(m, text, sizeof text);
        sonde_cell_text(t, text);
        write_row(m, row, text, sizeof text);
        sonde_cell_text(t, text);
        for (int64_t i = 0; i < CORNER && i < last(m); i++) {
            const int64_t at = row * last(m) + i;
            sonde_cell_float(t, m->doubles ? m->doubles[at] : (double)m->floats[at]);
        }
    }
}

static sonde_status put_weight(const rebuild *r, int stage, const char *name, sonde_table *t, sonde_error *err) {
    const size_t at = name ? rebuild_weight(r, name) : SIZE_MAX;
    if (at == SIZE_MAX) return SONDE_OK;
    const sonde_weight_info *w = &r->weight[at];
    int64_t items = 1;
    for (int i = 0; i < w->rank; i++) items *= w->dim[i];
    const bool rows = w->rank == 2 && items > SMALL;
    if (rows) items = CORNER * w->dim[1] < items ? CORNER * w->dim[1] : items;
    float *data = malloc((size_t)items * sizeof *data);
    SONDE_FAIL_IF(!data, err, SONDE_NOMEM, "%s needs %lld bytes, and there are not that many free", name,
                  (long long)items * 4);
    const sonde_weight_part part = { at, 0, 0, rows ? items / w->dim[1] : 0 };
    const sonde_status s = rows ? sonde_model_weight_vectors(r->cx->model, part, data, err)
                                : sonde_model_weight_read(r->cx->model, at, data, err);
    if (s == SONDE_OK) put(t, stage, &(matrix){ "weight", w->name, w->rank, w->dim, data, NULL });
    free(data);
    return s;
}

static void put_value(const rebuild *r, int stage, const char *role, int op, sonde_table *t) {
    const rebuild_value *v = &r->op[op].value;
    if (v->data) put(t, stage, &(matrix){ role, r->op[op].name, v->rank, v->dim, v->data, NULL });
}

static sonde_status put_official(const rebuild *r, const rebuild_stage *s, sonde_table *t, sonde_error *err) {
    char whole[240];
    snprintf(whole, sizeof whole, "%s%s", r->reference.prefix, r->op[s->op].name);
    const size_t which = r->file ? sonde_array_file_find(r->file, whole) : SIZE_MAX;
    if (which == SIZE_MAX) return SONDE_OK;
    const sonde_array_spec *spec = sonde_array_file_spec(r->file, which);
    const int64_t items = agree_items(spec), wide = spec->rank ? spec->dim[spec->rank - 1] : 1;
    const int64_t some = items < CORNER * wide ? items : CORNER * wide;
    float *data = ROOM(float, some);
    const sonde_status status = sonde_array_read(r->file, which, 0, some, data, err);
    if (status == SONDE_OK && spec->rank <= 3)
        put(t, s->number, &(matrix){ "reference", r->op[s->op].name, spec->rank, spec->dim, data, NULL });
    free(data);
    return status;
}

sonde_status rebuild_corners(const rebuild *r, rebuild_look look, sonde_table *t, sonde_error *err) {
    const rebuild_stage *s = look.stage;
    if (s->op < 0) return SONDE_OK;
    for (size_t i = 0; i < s->n; i++) {
        const sonde_operation *o = &r->op[s->part[i]].told;
        for (size_t k = 0; k < o->n_in; k++)
            if (o->from[k] >= 0) put_value(r, s->number, "input", o->from[k], t);
        SONDE_TRY(put_weight(r, s->number, o->weight, t, err));
        SONDE_TRY(put_weight(r, s->number, o->bias, t, err));
    }
    const rebuild_op *o = &r->op[s->op];
    put_value(r, s->number, "output", s->op, t);
    if (look.computed)
        put(t, s->number, &(matrix){ "recomputed", o->name, o->value.rank, o->value.dim, NULL, look.computed });
    return put_official(r, s, t, err);
}
