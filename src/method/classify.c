#include "classify.h"
#include "room.h"
#include "sonde/linear.h"
#include <math.h>
#include <stdbool.h>

/* ---- logistic regression ---- */

enum { MOST_STEPS = 200, MOST_HALVINGS = 60, TOGETHER = 4 };

typedef struct {
    const examples *e;
    double  c;
    double *w;                  /* [d + 1], the bias last */
    double *trial, *step;       /* [d + 1] */
    double *p;                  /* [n] of the step */
    double *hessian;            /* [d + 1, d + 1] */
} fitting;

double classifier_score(const classifier *f, const double *x, int64_t d) {
    double z = f->b;
    for (int64_t j = 0; j < d; j++) z += f->w[j] * x[j];
    return z;
}

/* log(1 + e^z) without overflow. */
static double softplus(double z) { return z > 0 ? z + log1p(exp(-z)) : log1p(exp(z)); }

static double objective(const fitting *f, double *w) {
    const examples *e = f->e;
    double loss = 0, square = 0;
    for (int64_t i = 0; i < e->n; i++) {
        const double z = classifier_score(&(classifier){ w, w[e->d] }, e->x + i * e->d, e->d);
        loss += softplus(e->yes[i] ? -z : z);
    }
    for (int64_t j = 0; j < e->d; j++) square += w[j] * w[j];
    return square / 2 + f->c * loss;
}

/* The gradient into `step`; its norm. */
static double gradient(fitting *f) {
    const examples *e = f->e;
    const int64_t   d = e->d;
    for (int64_t j = 0; j <= d; j++) f->step[j] = j < d ? f->w[j] : 0;
    for (int64_t i = 0; i < e->n; i++) {
        const double *x = e->x + i * d, z = classifier_score(&(classifier){ f->w, f->w[d] }, x, d);
        f->p[i] = 1 / (1 + exp(-z));
        const double off = f->c * (f->p[i] - e->yes[i]);
        for (int64_t j = 0; j < d; j++) f->step[j] += off * x[j];
        f->step[d] += off;
    }
    double square = 0;
    for (int64_t j = 0; j <= d; j++) square += f->step[j] * f->step[j];
    return sqrt(square);
}

/* H += sum of c p (1 - p) x x', a few examples at a time: the matrix is what is big. The upper half is filled. */
static void add_examples(fitting *f, int64_t first, int64_t n) {
    const int64_t d = f->e->d;
    const double *x[TOGETHER];
    double s[TOGETHER] = { 0 };
    for (int64_t i = 0; i < TOGETHER; i++) {
        const int64_t at = i < n ? first + i : first;
        x[i] = f->e->x + at * d;
        s[i] = i < n ? f->c * f->p[at] * (1 - f->p[at]) : 0;
    }
    for (int64_t j = 0; j <= d; j++) {
        double *row = f->hessian + j * (d + 1);
        double  a[TOGETHER];
        for (int i = 0; i < TOGETHER; i++) a[i] = s[i] * (j < d ? x[i][j] : 1);
        for (int64_t k = j; k < d; k++) row[k] += a[0] * x[0][k] + a[1] * x[1][k] + a[2] * x[2][k] + a[3] * x[3][k];
        row[d] += a[0] + a[1] + a[2] + a[3];
    }
}

static void make_hessian(fitting *f) {
    const int64_t d = f->e->d, all = d + 1;
    memset(f->hessian, 0, (size_t)(all * all) * sizeof *f->hessian);
    for (int64_t i = 0; i < f->e->n; i += TOGETHER) add_examples(f, i, f->e->n - i < TOGETHER ? f->e->n - i : TOGETHER);
    for (int64_t j = 0; j < d; j++) f->hessian[j * all + j] += 1;
    f->hessian[d * all + d] += 1e-12;           /* where every p is 0 or 1 */
    for (int64_t j = 0; j < all; j++)
        for (int64_t k = 0; k < j; k++) f->hessian[j * all + k] = f->hessian[k * all + j];
}

/* Along the step, half as far until the objective does not rise; false where it is as low as rounding lets it be. */
static bool move(fitting *f, double *best) {
    const int64_t all = f->e->d + 1;
    double far = 1;
    for (int i = 0; i < MOST_HALVINGS; i++, far /= 2) {
        for (int64_t j = 0; j < all; j++) f->trial[j] = f->w[j] - far * f->step[j];
        const double now = objective(f, f->trial);
        if (!(now <= *best)) continue;
        *best = now;
        memcpy(f->w, f->trial, (size_t)all * sizeof *f->w);
        return true;
    }
    return false;
}

static sonde_status descend(fitting *f, sonde_error *err) {
    double best = objective(f, f->w), first = 0;
    for (int i = 0; i < MOST_STEPS; i++) {
        const double norm = gradient(f);
        if (i == 0) first = norm;
        if (!(norm > 1e-10 * (first > 1 ? first : 1))) return SONDE_OK;
        make_hessian(f);
        SONDE_TRY(sonde_solve(f->hessian, f->e->d + 1, f->step, err));
        if (!move(f, &best)) return SONDE_OK;
    }
    return SONDE_OK;
}

static sonde_status fit(const examples *e, double c, classifier *out, sonde_error *err) {
    const int64_t all = e->d + 1;
    fitting f = { e, c, ROOM(double, all), ROOM(double, all), ROOM(double, all), ROOM(double, e->n), ROOM(double, all * all) };
    const sonde_status s = descend(&f, err);
    memcpy(out->w, f.w, (size_t)e->d * sizeof *out->w);
    out->b = f.w[e->d];
    free(f.w);
    free(f.trial);
    free(f.step);
    free(f.p);
    free(f.hessian);
    return s;
}

/* More columns than examples: w lies in the space that the examples span. With X X' = U' V U (rows of U are eigenvectors)
 * the columns V^1/2 U have the same products with each other, so the same fit, and w = X' U' V^-1/2 w'. */
static sonde_status fit_spanned(const examples *e, double c, classifier *out, sonde_error *err) {
    const int64_t n = e->n, d = e->d;
    double *u = ROOM(double, n * n), *v = ROOM(double, n), *x = ROOM(double, n * n), *w = ROOM(double, n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k <= i; k++) {
            double sum = 0;
            for (int64_t j = 0; j < d; j++) sum += e->x[i * d + j] * e->x[k * d + j];
            u[i * n + k] = u[k * n + i] = sum;
        }
    sonde_status s = sonde_eigen(u, n, v, err);
    for (int64_t k = 0; k < n && s == SONDE_OK; k++) {
        v[k] = v[k] > 1e-13 * v[n - 1] ? sqrt(v[k]) : 0;
        for (int64_t i = 0; i < n; i++) x[i * n + k] = u[k * n + i] * v[k];
    }
    classifier small = { w, 0 };
    if (s == SONDE_OK) s = fit(&(examples){ x, e->yes, n, n }, c, &small, err);
    memset(out->w, 0, (size_t)d * sizeof *out->w);
    for (int64_t i = 0; i < n && s == SONDE_OK; i++) {
        double a = 0;
        for (int64_t k = 0; k < n; k++) a += v[k] > 0 ? u[k * n + i] * w[k] / v[k] : 0;
        for (int64_t j = 0; j < d; j++) out->w[j] += a * e->x[i * d + j];
    }
    out->b = small.b;
    free(u);
    free(v);
    free(x);
    free(w);
    return s;
}

sonde_status classifier_fit(const examples *e, double c, classifier *out, sonde_error *err) {
    int64_t yes = 0;
    for (int64_t i = 0; i < e->n; i++) yes += e->yes[i];
    SONDE_FAIL_IF(yes == 0 || yes == e->n, err, SONDE_USAGE, "the examples to learn from have %lld yes and %lld no, expected both",
                  (long long)yes, (long long)(e->n - yes));
    for (int64_t i = 0; i < e->n * e->d; i++)
        SONDE_FAIL_IF(!isfinite(e->x[i]), err, SONDE_FORMAT, "an example to learn from holds a number that is not finite");
    return e->d > e->n ? fit_spanned(e, c, out, err) : fit(e, c, out, err);
}

/* ---- columns ---- */

void columns_measure(const examples *e, double *mean, double *sd) {
    for (int64_t j = 0; j < e->d; j++) mean[j] = sd[j] = 0;
    for (int64_t i = 0; i < e->n; i++)
        for (int64_t j = 0; j < e->d; j++) mean[j] += e->x[i * e->d + j];
    for (int64_t j = 0; j < e->d; j++) mean[j] /= (double)e->n;
    for (int64_t i = 0; i < e->n; i++)
        for (int64_t j = 0; j < e->d; j++) {
            const double off = e->x[i * e->d + j] - mean[j];
            sd[j] += off * off;
        }
    for (int64_t j = 0; j < e->d; j++) {
        sd[j] = sqrt(sd[j] / (double)e->n);
        if (!(sd[j] > 1e-12 * (1 + fabs(mean[j])))) sd[j] = 1;
    }
}

void columns_standardise(double *x, int64_t n, int64_t d, const double *mean, const double *sd) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) x[i * d + j] = (x[i * d + j] - mean[j]) / sd[j];
}

/* ---- how well ---- */

share share_of(int64_t right, int64_t n) {
    if (n < 1) return (share){ NAN, NAN, NAN };
    const double z = 1.959963984540054, m = (double)n, p = (double)right / m, square = z * z / m;
    const double middle = (p + square / 2) / (1 + square), half = z / (1 + square) * sqrt(p * (1 - p) / m + square / (4 * m));
    return (share){ p, middle - half > 0 ? middle - half : 0, middle + half < 1 ? middle + half : 1 };
}

typedef struct { double score; uint8_t yes; } scored;

static int by_score(const void *a, const void *b) {
    const double x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x > y) - (x < y);
}

double area_under(const double *score, const uint8_t *yes, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (isnan(score[i])) return NAN;
    scored *s = ROOM(scored, n);
    for (int64_t i = 0; i < n; i++) s[i] = (scored){ score[i], yes[i] };
    qsort(s, (size_t)n, sizeof *s, by_score);
    double won = 0, lower = 0, all = 0;         /* pairs; no's below; yes's */
    for (int64_t i = 0; i < n;) {
        double y = 0, no = 0;
        int64_t k = i;
        for (; k < n && s[k].score == s[i].score; k++) *(s[k].yes ? &y : &no) += 1;
        won += y * (lower + no / 2);
        lower += no;
        all += y;
        i = k;
    }
    free(s);
    return won / (all * lower);
}
