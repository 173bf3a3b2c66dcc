#include "agree.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static const double SITES = 1e-5, GRADIENTS = 1e-4, NO_GRADIENT = 1e-7;
static const float  MASK = -3.38e38f;          /* the least bfloat16 is -3.389e38 */

agreement agree_new(const sonde_array_file *f, size_t which, bool gradient) {
    return (agreement){ .file = f, .which = which, .gradient = gradient, .worst_at = -1 };
}

int64_t agree_items(const sonde_array_spec *s) {
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    return n;
}

double agree_item(float there) { return there <= MASK ? (double)-INFINITY : (double)there; }

static void see(agreement *c, float here, float there, int64_t at) {
    const double a = here, b = agree_item(there);
    const bool   finite = isfinite(a) && isfinite(b);
    double       far = finite ? fabs(a - b) : 0;
    if (!finite && !(isnan(a) && isnan(b)) && a != b) far = (double)INFINITY;
    if (far > c->worst || (c->worst_at < 0 && far >= c->worst)) {
        c->worst = far;
        c->worst_at = at;
    }
    if (isfinite(a) && fabs(a) > c->most_here) c->most_here = fabs(a);
    if (isfinite(b) && fabs(b) > c->most) c->most = fabs(b);
    if (!finite) return;
    c->finite++;
    c->sum += far;
    c->ab += a * b;
    c->aa += a * a;
    c->bb += b * b;
}

static bool shape_fits(const agreement *c, const sonde_array_spec *s, const sonde_view *v, int t) {
    if (s->rank != v->rank) return false;
    for (int i = 0; i < s->rank; i++)
        if (s->dim[i] != (i == t ? c->rows : v->dim[i])) return false;
    return true;
}

/* A value of the whole text. */
static sonde_status see_whole(agreement *c, const sonde_view *v, sonde_error *err) {
    const int64_t n = v->dim[0];
    float        *there = ROOM(float, n);
    const sonde_status status = sonde_array_read(c->file, c->which, 0, n, there, err);
    for (int64_t k = 0; k < n && status == SONDE_OK; k++) see(c, v->data[k], there[k], k);
    c->count += n;
    free(there);
    return status;
}

sonde_status agree_view(agreement *c, const sonde_view *v, int64_t first, sonde_error *err) {
    const sonde_array_spec *s = sonde_array_file_spec(c->file, c->which);
    const int t = sonde_axes_rows(v->axes);
    c->other_shape |= !shape_fits(c, s, v, t);
    if (c->other_shape) return SONDE_OK;
    if (t < 0) return see_whole(c, v, err);
    const int64_t outer = t ? v->dim[0] : 1, n = v->dim[t];
    int64_t       inner = 1;
    for (int i = t + 1; i < v->rank; i++) inner *= v->dim[i];
    float       *there = ROOM(float, inner);
    sonde_status status = SONDE_OK;
    for (int64_t i = 0; i < outer * n && status == SONDE_OK; i++) {
        const int64_t position = first + i % n, row = c->row_of ? c->row_of[position] : position;
        if (row < 0) continue;
        const int64_t at = (i / n * c->rows + row) * inner;
        status = sonde_array_read(c->file, c->which, at, inner, there, err);
        for (int64_t k = 0; k < inner && status == SONDE_OK; k++) see(c, v->data[i * inner + k], there[k], at + k);
        c->count += inner;
    }
    free(there);
    return status;
}

double agree_allowed(const agreement *c) {
    return c->gradient ? GRADIENTS * c->most : SITES * fmax(1, c->most);
}

bool agree_holds(const agreement *c) {
    if (c->other_shape || c->count != agree_items(sonde_array_file_spec(c->file, c->which))) return false;
    if (c->gradient && c->worst < NO_GRADIENT && c->most < NO_GRADIENT && c->most_here < NO_GRADIENT) return true;
    return c->worst <= agree_allowed(c);
}

double agree_cosine(const agreement *c) {
    if (c->aa == 0 && c->bb == 0) return 1;
    return fmax(-1, fmin(1, c->ab / sqrt(c->aa) / sqrt(c->bb)));
}

static void put(char *out, size_t n, size_t *used, const char *before, int64_t v) {
    if (*used < n) *used += (size_t)snprintf(out + *used, n - *used, "%s%" PRId64, before, v);
}

void agree_shape(const sonde_array_spec *s, char *out, size_t n) {
    size_t used = 0;
    for (int i = 0; i < s->rank; i++) put(out, n, &used, i ? ", " : "[", s->dim[i]);
    if (used < n) snprintf(out + used, n - used, s->rank ? "]" : "[]");
}

void agree_index(const agreement *c, char *out, size_t n) {
    const sonde_array_spec *s = sonde_array_file_spec(c->file, c->which);
    int64_t at = c->worst_at, part[SONDE_MAX_RANK];
    size_t  used = 0;
    if (n) out[0] = 0;
    if (at < 0) return;
    for (int i = s->rank - 1; i >= 0; i--) {
        part[i] = at % s->dim[i];
        at /= s->dim[i];
    }
    for (int i = 0; i < s->rank; i++) put(out, n, &used, i ? "," : "[", part[i]);
    if (used < n) snprintf(out + used, n - used, s->rank ? "]" : "[]");
}
