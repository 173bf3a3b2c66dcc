/* Logistic regression, intervals and areas against scikit-learn and scipy (tools/truth/classify.py), and closed forms. */
#include "method/classify.h"
#include "truth.h"
#include <math.h>
#include <stdlib.h>

static double *numbers_of(const json *list) {
    double *x = calloc(list->len + 1, sizeof *x);
    if (!x) abort();
    for (size_t i = 0; i < list->len; i++) x[i] = truth_item(list, i);
    return x;
}

static void fits_equal_scikit_learn(void) {
    const truth t = truth_open("classify");
    const json *fits = truth_of(t.all, "fits");
    CHECK(fits->len == 4);
    for (size_t i = 0; i < fits->len; i++) {
        const json *f = truth_at(fits, i);
        const int64_t n = (int64_t)truth_number(f, "n"), d = (int64_t)truth_number(f, "d");
        double *x = numbers_of(truth_of(f, "x")), *y = numbers_of(truth_of(f, "y")), *rounded = numbers_of(truth_of(f, "rounded"));
        uint8_t *yes = calloc((size_t)n, 1);
        classifier fit = { calloc((size_t)d, sizeof(double)), 0 };
        if (!yes || !fit.w) abort();
        for (int64_t k = 0; k < n; k++) yes[k] = y[k] > 0;
        CHECK_EQ(classifier_fit(&(examples){ x, yes, n, d }, truth_number(f, "c"), &fit, NULL), SONDE_OK);
        for (int64_t k = 0; k < d; k++) CHECK_NEAR(fit.w[k], truth_item(truth_of(f, "w"), (size_t)k), 1e-6);
        CHECK_NEAR(fit.b, truth_number(f, "b"), 1e-6);
        CHECK_NEAR(area_under(rounded, yes, n), truth_number(f, "auc"), 1e-12);
        free(x);
        free(y);
        free(rounded);
        free(yes);
        free(fit.w);
    }
    const json *wilson = truth_of(t.all, "wilson");
    for (size_t i = 0; i < wilson->len; i++) {
        const json *w = truth_at(wilson, i);
        const share s = share_of((int64_t)truth_item(w, 0), (int64_t)truth_item(w, 1));
        CHECK_NEAR(s.low, truth_item(w, 2), 1e-12);
        CHECK_NEAR(s.high, truth_item(w, 3), 1e-12);
    }
    truth_close(t);
}

/* One column that is always 0: w is 0 and the bias the log of the odds. */
static void closed_forms(void) {
    const double  x[4] = { 0 }, score[] = { 1, 2, 2, 3 };
    const uint8_t yes[] = { 1, 1, 1, 0 }, half[] = { 0, 1, 0, 1 };
    double w = 9;
    classifier f = { &w, 0 };
    CHECK_EQ(classifier_fit(&(examples){ x, yes, 4, 1 }, 1, &f, NULL), SONDE_OK);
    CHECK(w == 0);
    CHECK_NEAR(f.b, log(3), 1e-9);
    CHECK_NEAR(area_under(score, half, 4), 3.5 / 4, 1e-15);
    CHECK(isnan(area_under((double[]){ 0, NAN, 1, 2 }, half, 4)));
    CHECK(isnan(area_under(score, (uint8_t[4]){ 0 }, 4)));
    CHECK(isnan(share_of(0, 0).at));
}

static void columns_are_standardised(void) {
    double x[] = { 1, 7, 3, 7, 5, 7 }, mean[2], sd[2];
    columns_measure(&(examples){ x, NULL, 3, 2 }, mean, sd);
    CHECK(mean[0] == 3 && mean[1] == 7 && sd[1] == 1);
    CHECK_NEAR(sd[0], sqrt(8 / 3.0), 1e-15);
    columns_standardise(x, 3, 2, mean, sd);
    CHECK(x[1] == 0 && x[2] == 0);
    CHECK_NEAR(x[4], 2 / sqrt(8 / 3.0), 1e-15);
}

static void what_cannot_be_learned(void) {
    const double x[] = { 1, NAN }, good[] = { 1, 2 };
    double w;
    classifier f = { &w, 0 };
    sonde_error err;
    CHECK_EQ(classifier_fit(&(examples){ x, (uint8_t[]){ 0, 1 }, 2, 1 }, 1, &f, &err), SONDE_FORMAT);
    CHECK_EQ(classifier_fit(&(examples){ good, (uint8_t[]){ 1, 1 }, 2, 1 }, 1, &f, &err), SONDE_USAGE);
    CHECK_HAS(err.message, "2 yes and 0 no, expected both");
}

#define TESTS(X) X(fits_equal_scikit_learn) X(closed_forms) X(columns_are_standardised) X(what_cannot_be_learned)
TEST_MAIN(TESTS)
