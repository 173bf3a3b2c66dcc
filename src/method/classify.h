/* classify.h - two classes told apart by numbers: logistic regression, and how well a score separates them.
 *
 * Everything in double and in the order of the examples, so the same examples give the same numbers. */
#ifndef SONDE_CLASSIFY_H
#define SONDE_CLASSIFY_H
#include "sonde/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const double  *x;           /* [n, d] */
    const uint8_t *yes;         /* [n]: 1 where the class is there */
    int64_t        n, d;
} examples;

/* P(yes) = 1 / (1 + e^-(w x + b)) that makes w w / 2 + c * (sum of log losses) least; b is not held back (as scikit-learn's
 * LogisticRegression with the L2 penalty). Newton's method until the gradient's norm is below 1e-10 times its first; w [d].
 * USAGE: the examples are all yes or all no; FORMAT: a number is not finite. */
typedef struct { double *w, b; } classifier;
sonde_status classifier_fit(const examples *e, double c, classifier *out, sonde_error *err);
double       classifier_score(const classifier *f, const double *x, int64_t d);       /* w x + b; above 0: yes */

/* Mean and standard deviation (over n) of every column, of these examples; a column that never changes has 1. */
void columns_measure(const examples *e, double *mean, double *sd);
void columns_standardise(double *x, int64_t n, int64_t d, const double *mean, const double *sd);

/* Share of right answers with its interval at 95 % (Wilson, Probable Inference, 1927); NaN where there are none. */
typedef struct { double at, low, high; } share;
share share_of(int64_t right, int64_t n);

/* P(score of a yes > score of a no), ties half (Mann and Whitney, 1947); NaN where a class is empty or a score is
 * NaN. */
double area_under(const double *score, const uint8_t *yes, int64_t n);
#endif
