/* Products of matrices for analyses of weights: blocks of rows are units of the pool, blocks of columns stay in cache. */
#include "base/pool.h"
#include "run.h"
#include "sonde/product.h"
#include "tensor/product_rows.h"
#include "tensor/scratch.h"
#include <math.h>

enum { ROWS = 256, COLUMNS = 1024, LANES = 8 };     /* LANES divides COLUMNS: sums do not see the blocks */

typedef struct { const sonde_matrices *m; float *y; sonde_scales by; sonde_moments *out; } job;

/* Columns [from, from + n) of rows [first, first + rows). */
static void block(const sonde_matrices *m, int64_t first, int64_t rows, int64_t from, int64_t n, product_rows p) {
    const kern_weight w = { .data = m->w + from, .type = KERN_F32, .columns = true, .n = (size_t)n, .k = (size_t)m->k,
                            .stride = (size_t)m->stride * sizeof(float) };
    p.x = m->x + first * m->k;
    p.ldx = m->k;
    p.rows = rows;
    product_run(&w, NULL, p, 0, n);
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void product_job(void *ctx, int64_t lo, int64_t hi) {
    const job *j = ctx;
    const sonde_matrices *m = j->m;
    for (int64_t unit = lo; unit < hi; unit++) {
        const int64_t first = unit * ROWS, rows = least(ROWS, m->rows - first);
        for (int64_t at = 0; at < m->n; at += COLUMNS)
            block(m, first, rows, at, least(COLUMNS, m->n - at), (product_rows){ .y = j->y + first * m->n + at,
                                                                                 .ldy = m->n });
    }
}

/* ---- moments ---- */

typedef struct { double one[LANES], two[LANES], three[LANES], four[LANES]; } power_sums;

static void add_powers(power_sums *s, const float *y, double row, const double *column, int64_t n) {
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES)
        for (int l = 0; l < LANES; l++) {
            const double c = (double)y[j + l] * row * column[j + l], square = c * c;
            s->one[l] += c;
            s->two[l] += square;
            s->three[l] += square * c;
            s->four[l] += square * square;
        }
    for (int l = 0; j + l < n; l++) {
        const double c = (double)y[j + l] * row * column[j + l], square = c * c;
        s->one[l] += c;
        s->two[l] += square;
        s->three[l] += square * c;
        s->four[l] += square * square;
    }
}

static double total(const double *sums) {
    double sum = 0;
    for (int l = 0; l < LANES; l++) sum += sums[l];
    return sum;
}

static sonde_moments moments_of(const power_sums *s, int64_t count) {
    const double n = (double)count, a = total(s->one) / n, b = total(s->two) / n, c = total(s->three) / n,
        d = total(s->four) / n;
    const double var = b - a * a, third = c - 3 * a * b + 2 * a * a * a,
        fourth = d - 4 * a * c + 6 * a * a * b - 3 * a * a * a * a;
    if (!(var > 0)) return (sonde_moments){ a, 0, NAN, NAN };
    return (sonde_moments){ a, var, third / (var * sqrt(var)), fourth / (var * var) };
}

static void moments_job(void *ctx, int64_t lo, int64_t hi) {
    const job *j = ctx;
    const sonde_matrices *m = j->m;
    static const power_sums none;
    for (int64_t unit = lo; unit < hi; unit++) {
        const int64_t first = unit * ROWS, rows = least(ROWS, m->rows - first);
        power_sums sums[ROWS];
        for (int64_t r = 0; r < rows; r++) sums[r] = none;
        for (int64_t at = 0; at < m->n; at += COLUMNS) {
            const int64_t n = least(COLUMNS, m->n - at);
            float *y = scratch_floats(SCRATCH_ROW, (size_t)ROWS * COLUMNS);
            block(m, first, rows, at, n, (product_rows){ .y = y, .ldy = COLUMNS });
            for (int64_t r = 0; r < rows; r++) add_powers(&sums[r], y + r * COLUMNS, j->by.row[first + r],
                                                          j->by.column + at, n);
        }
        for (int64_t r = 0; r < rows; r++) j->out[first + r] = moments_of(&sums[r], m->n);
    }
}

static sonde_status run(sonde_session *s, job *j, void (*fn)(void *, int64_t, int64_t), sonde_error *err) {
    if (s->stop && s->stop(s->stop_user)) return sonde_fail(err, SONDE_CANCELLED, "interrupted");
    pool_for(pool_shared(), s->threads, (j->m->rows + ROWS - 1) / ROWS, fn, j);
    return SONDE_OK;
}

sonde_status sonde_session_product(sonde_session *s, const sonde_matrices *m, float *y, sonde_error *err) {
    return run(s, &(job){ .m = m, .y = y }, product_job, err);
}

sonde_status sonde_session_moments(sonde_session *s, const sonde_matrices *m, sonde_scales by, sonde_moments *out,
                                   sonde_error *err) {
    return run(s, &(job){ .m = m, .by = by, .out = out }, moments_job, err);
}
