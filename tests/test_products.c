/* Products and moments of matrices against plain loops, and the same bits whatever the threads. */
#include "method_run.h"
#include "sonde/product.h"

enum { ROWS = 300, DEPTH = 33, COLUMNS = 1100, STRIDE = 1111 };     /* neither is a multiple of a block */

static float x[ROWS * DEPTH], w[DEPTH * STRIDE];
static double row[ROWS], column[COLUMNS];

static double drawn(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 40) / (1 << 23) - 1;
}

static sonde_matrices matrices(void) {
    uint64_t state = 5;
    for (int i = 0; i < ROWS * DEPTH; i++) x[i] = (float)drawn(&state);
    for (int i = 0; i < DEPTH * STRIDE; i++) w[i] = (float)drawn(&state);
    for (int i = 0; i < ROWS; i++) row[i] = i == 7 ? 0 : 2 + drawn(&state);
    for (int i = 0; i < COLUMNS; i++) column[i] = 2 + drawn(&state);
    return (sonde_matrices){ .x = x, .rows = ROWS, .k = DEPTH, .w = w, .n = COLUMNS, .stride = STRIDE };
}

static double exact(int r, int j) {
    double sum = 0;
    for (int k = 0; k < DEPTH; k++) sum += (double)x[r * DEPTH + k] * (double)w[k * STRIDE + j];
    return sum;
}

static void products(void) {
    const sonde_matrices m = matrices();
    static float y[ROWS * COLUMNS];
    method_run *r = run_open(NULL);
    if (sonde_session_product(r->cx.session, &m, y, &r->err)) FAIL_("%s", r->err.message);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++) CHECK_NEAR((double)y[i * COLUMNS + j], exact(i, j), 1e-5);
    run_close(r);
}

static void check_moments(const sonde_moments *got, int r) {
    double mean = 0, sums[3] = { 0 };
    for (int j = 0; j < COLUMNS; j++) mean += exact(r, j) * row[r] * column[j] / COLUMNS;
    for (int j = 0; j < COLUMNS; j++) {
        const double off = exact(r, j) * row[r] * column[j] - mean;
        for (int p = 0; p < 3; p++) sums[p] += pow(off, p + 2) / COLUMNS;
    }
    CHECK_NEAR(got->mean, mean, 1e-5);
    CHECK_NEAR(got->var, sums[0], 1e-5 * sums[0]);
    CHECK_NEAR(got->skew, sums[1] / pow(sums[0], 1.5), 1e-5);
    CHECK_NEAR(got->kurtosis, sums[2] / (sums[0] * sums[0]), 1e-4);
}

static void moments(void) {
    const sonde_matrices m = matrices();
    static sonde_moments one[ROWS], three[ROWS];
    sonde_error err;
    method_run *r = run_open(NULL);
    sonde_session *s;
    if (sonde_session_moments(r->cx.session, &m, (sonde_scales){ row, column }, one, &err)) FAIL_("%s", err.message);
    if (sonde_session_new(&s, r->model, (sonde_session_options){ .threads = 3 }, &err)) FAIL_("%s", err.message);
    if (sonde_session_moments(s, &m, (sonde_scales){ row, column }, three, &err)) FAIL_("%s", err.message);
    for (int i = 0; i < ROWS; i++) {
        if (i != 7) check_moments(&one[i], i);
        CHECK(one[i].mean == three[i].mean && one[i].var == three[i].var);
        CHECK(i == 7 || (one[i].skew == three[i].skew && one[i].kurtosis == three[i].kurtosis));
    }
    CHECK(one[7].var == 0 && isnan(one[7].skew) && isnan(one[7].kurtosis));
    sonde_session_free(s);
    run_close(r);
}

static bool stopped(void *user) {
    (void)user;
    return true;
}

static void a_stopped_session_is_cancelled(void) {
    const sonde_matrices m = matrices();
    static sonde_moments out[ROWS];
    method_run *r = run_open(NULL);
    sonde_session_stop_when(r->cx.session, stopped, NULL);
    CHECK_EQ(sonde_session_moments(r->cx.session, &m, (sonde_scales){ row, column }, out, &r->err), SONDE_CANCELLED);
    run_close(r);
}

#define TESTS(T) T(products) T(moments) T(a_stopped_session_is_cancelled)
TEST_MAIN(TESTS)
