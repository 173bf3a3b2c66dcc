#include "test.h"
#include "base/pool.h"
#include <pthread.h>

static void add_index(void *ctx, int64_t lo, int64_t hi) {
    int64_t *x = ctx;
    for (int64_t i = lo; i < hi; i++) x[i] += i;
}

static void every_index_runs_once_on_any_thread_count(void) {
    for (int threads = 1; threads <= 9; threads++) {
        int64_t x[1000] = { 0 };
        pool *p = pool_new(threads);
        for (int k = 0; k < 200; k++) pool_for(p, threads, 1000, add_index, x);
        pool_free(p);
        for (int i = 0; i < 1000; i++) CHECK_EQ(x[i], 200 * i);
    }
}

static pool *outer;
static void call_again(void *ctx, int64_t lo, int64_t hi) {
    (void)lo; (void)hi;
    pool_for(outer, 2, 1000, add_index, ctx);
}

static void nested_call_runs_in_place(void) {
    int64_t x[1000] = { 0 };
    outer = pool_new(2);
    pool_for(outer, 2, 1, call_again, x);
    pool_free(outer);
    CHECK_EQ(x[999], 999);
}

static pool *shared;
static void *caller(void *ctx) {
    for (int k = 0; k < 500; k++) pool_for(shared, 2, 1000, add_index, ctx);
    return NULL;
}

static void two_callers_share_one_pool(void) {
    static int64_t x[2][1000];
    shared = pool_new(2);
    pthread_t other;
    CHECK_EQ(pthread_create(&other, NULL, caller, x[0]), 0);
    caller(x[1]);
    pthread_join(other, NULL);
    pool_free(shared);
    for (int i = 0; i < 1000; i++) { CHECK_EQ(x[0][i], 500 * i); CHECK_EQ(x[1][i], 500 * i); }
}

#define TESTS(X) \
    X(every_index_runs_once_on_any_thread_count) \
    X(nested_call_runs_in_place) \
    X(two_callers_share_one_pool)
TEST_MAIN(TESTS)
