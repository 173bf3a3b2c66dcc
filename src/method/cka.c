#include "cka.h"
#include "room.h"
#include <math.h>

/* What lies this near to the mean differs from it by the rounding of the mean alone. */
static double off_mean(double v, double mean) { return fabs(v - mean) > 1e-12 * fabs(mean) ? v - mean : 0; }

static void centre(const cka_view *v, int64_t n) {
    for (int64_t c = 0; c < v->width; c++) {
        double mean = 0;
        for (int64_t i = 0; i < n; i++) mean += v->x[i * v->width + c];
        mean /= (double)n;
        for (int64_t i = 0; i < n; i++) v->x[i * v->width + c] = off_mean(v->x[i * v->width + c], mean);
    }
}

/* Row i of the inner products, zero at i. */
static void products(const cka_view *v, int64_t n, int64_t i, double *out) {
    const double *a = v->x + i * v->width;
    for (int64_t j = 0; j < n; j++) {
        const double *b = v->x + j * v->width;
        double sum = 0;
        for (int64_t c = 0; c < v->width; c++) sum += a[c] * b[c];
        out[j] = j == i ? 0 : sum;
    }
}

typedef struct { double *row, *row_sum, *all, *trace, *cross; } sums;

/* tr(KL) and 1'KL1 of every pair, 1'K1 of every view, row by row: no matrix of samples is kept. */
static void add_row(sums *s, size_t views, int64_t n) {
    for (size_t a = 0; a < views; a++) {
        s->row_sum[a] = 0;
        for (int64_t j = 0; j < n; j++) s->row_sum[a] += s->row[(int64_t)a * n + j];
        s->all[a] += s->row_sum[a];
    }
    for (size_t a = 0; a < views; a++)
        for (size_t b = 0; b <= a; b++) {
            const double *x = s->row + (int64_t)a * n, *y = s->row + (int64_t)b * n;
            double sum = 0;
            for (int64_t j = 0; j < n; j++) sum += x[j] * y[j];
            s->trace[a * views + b] += sum;
            s->cross[a * views + b] += s->row_sum[a] * s->row_sum[b];
        }
}

static double hsic(const sums *s, size_t views, int64_t samples, size_t a, size_t b) {
    const double n = (double)samples;
    const double sum = s->trace[a * views + b] + s->all[a] * s->all[b] / ((n - 1) * (n - 2));
    return (sum - 2 / (n - 2) * s->cross[a * views + b]) / (n * (n - 3));
}

static void finish(const sums *s, size_t views, int64_t n, double *out) {
    for (size_t a = 0; a < views; a++)
        for (size_t b = 0; b <= a; b++) {
            const double x = hsic(s, views, n, a, a), y = hsic(s, views, n, b, b);
            const double v = x > 0 && y > 0 ? hsic(s, views, n, a, b) / sqrt(x * y) : NAN;
            out[a * views + b] = out[b * views + a] = a == b && !isnan(v) ? 1 : v;
        }
}

sonde_status cka_matrix(const sonde_context *cx, const cka_view *view, size_t views, int64_t n, double *out, sonde_error *err) {
    sums s = { ROOM(double, (int64_t)views * n), ROOM(double, views), ROOM(double, views), ROOM(double, views * views),
               ROOM(double, views * views) };
    for (size_t a = 0; a < views; a++) centre(&view[a], n);
    sonde_status status = SONDE_OK;
    for (int64_t i = 0; i < n && status == SONDE_OK; i++) {
        if (sonde_session_stopped(cx->session)) status = sonde_fail(err, SONDE_CANCELLED, "interrupted");
        for (size_t a = 0; a < views; a++) products(&view[a], n, i, s.row + (int64_t)a * n);
        add_row(&s, views, n);
        cx->progress(cx->progress_user, "samples", i + 1, n);
    }
    if (status == SONDE_OK) finish(&s, views, n, out);
    free(s.row);
    free(s.row_sum);
    free(s.all);
    free(s.trace);
    free(s.cross);
    return status;
}
