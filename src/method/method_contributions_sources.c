/* A head's contribution by the positions it read: pattern[h, t, s] * v[s] W_O . direction. */
#include "method_contributions.h"
#include "room.h"
#include <math.h>

typedef struct { const part *p; int head; double value; } chosen;

static int larger(const void *a, const void *b) {
    const chosen *x = a, *y = b;
    if (fabs(x->value) != fabs(y->value)) return fabs(x->value) > fabs(y->value) ? -1 : 1;
    return x->p != y->p ? (x->p > y->p) - (x->p < y->p) : (x->head > y->head) - (x->head < y->head);
}

static size_t choose(const split *s, chosen **out) {
    size_t n = 0;
    *out = NULL;
    for (size_t i = 0; i < s->n_parts; i++) {
        const part *p = &s->part[i];
        if (!p->split || p->kind != WRITES_ATTENTION || p->pattern == SIZE_MAX) continue;
        *out = room_grow(*out, n, (size_t)p->n, sizeof **out);
        for (int h = 0; h < (int)p->n; h++) (*out)[n++] = (chosen){ p, h, component_of(s, p, h)->value };
    }
    if (n > 1) qsort(*out, n, sizeof **out, larger);
    return n < (size_t)s->cx->top ? n : (size_t)s->cx->top;
}

/* wide [e]: the head's rows of W_O . direction. */
static sonde_status head_direction(const split *s, const chosen *c, double *wide, sonde_error *err) {
    sonde_weight_info w;
    const size_t at = weight_find(s->cx->model, c->p->weights, &w);
    float *x = ROOM(float, c->p->n * s->e * s->d);
    const sonde_status status = sonde_model_weight_read(s->cx->model, at, x, err);
    for (int64_t e = 0; status == SONDE_OK && e < s->e; e++) wide[e] = split_dot(s, x + (c->head * s->e + e) * s->d);
    free(x);
    return status;
}

static void put_source(const split *s, sonde_table *t, const chosen *c, int64_t position, double adds) {
    const component *x = component_of(s, c->p, c->head);
    sonde_table_row(t);
    sonde_cell_text(t, x->name);
    sonde_cell_int(t, x->layer);
    sonde_cell_int(t, x->head);
    if (position < 0) {
        sonde_cell_null(t);
        sonde_cell_null(t);
    } else {
        sonde_cell_int(t, position);
        sonde_cell_token(t, context_token(s->cx, s->cx->prompts[s->prompt].tokens.id[position]));
    }
    sonde_cell_float(t, adds);
}

static sonde_status put_head(const split *s, sonde_table *t, const chosen *c, sonde_error *err) {
    const tapped *values = &s->tap[c->p->values];
    const float  *pattern = s->tap[c->p->pattern].data + c->head * s->length;
    const int64_t groups = values->row / s->e, group = c->head * groups / c->p->n;
    double *wide = ROOM(double, s->e), left = c->value;
    const sonde_status status = head_direction(s, c, wide, err);
    for (int64_t i = 0; status == SONDE_OK && i <= s->at; i++) {
        double sum = 0;
        for (int64_t e = 0; e < s->e; e++) sum += wide[e] * (double)values->data[i * values->row + group * s->e + e];
        put_source(s, t, c, i, (double)pattern[i] * sum);
        left -= (double)pattern[i] * sum;
    }
    if (status == SONDE_OK && fabs(left) > 1e-5 * fmax(1, fabs(c->value))) put_source(s, t, c, -1, left);
    free(wide);
    return status;
}

sonde_status split_put_sources(const split *s, sonde_result *out, sonde_error *err) {
    chosen *list;
    const size_t n = choose(s, &list);
    sonde_table *t = sonde_result_table(out, "sources");
    sonde_table_column(t, "component", SONDE_TEXT, "");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "head", SONDE_INT, "");
    sonde_table_column(t, "position", SONDE_INT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "value", SONDE_FLOAT, "logit");
    sonde_status status = SONDE_OK;
    for (size_t i = 0; i < n && status == SONDE_OK; i++) status = put_head(s, t, &list[i], err);
    free(list);
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "sources", .x = "position", .y = "component",
                                            .value = "value", .label = "token",
                                            .title = "What the largest heads add to the logit, by the position they read" });
    return status;
}
