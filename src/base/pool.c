#define _GNU_SOURCE
#include "pool.h"
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

enum { MAX_THREADS = 64 };

struct pool {
    pthread_t       thread[MAX_THREADS];
    int             threads;            /* the caller is number 0 */
    pthread_mutex_t caller;             /* held by the thread whose work the pool does */
    pthread_mutex_t lock;               /* guards everything below */
    pthread_cond_t  start, done;
    unsigned        round;              /* grows by one for each pool_for */
    int             busy;
    bool            quit;
    pool_fn         fn;
    void           *ctx;
    int64_t         n, step;
};

typedef struct { pool *p; int index; } seat;
static _Thread_local bool inside;

static void run_share(pool *p, int index) {
    const int64_t lo = index * p->step;
    const int64_t hi = lo + p->step < p->n ? lo + p->step : p->n;
    if (lo >= hi) return;
    inside = true;
    p->fn(p->ctx, lo, hi);
    inside = false;
}

static void *worker(void *arg) {
    const seat s = *(seat *)arg;
    free(arg);
    unsigned seen = 0;
    for (;;) {
        pthread_mutex_lock(&s.p->lock);
        while (s.p->round == seen && !s.p->quit) pthread_cond_wait(&s.p->start, &s.p->lock);
        seen = s.p->round;
        const bool quit = s.p->quit;
        pthread_mutex_unlock(&s.p->lock);
        if (quit) return NULL;
        run_share(s.p, s.index);
        pthread_mutex_lock(&s.p->lock);
        if (--s.p->busy == 0) pthread_cond_signal(&s.p->done);
        pthread_mutex_unlock(&s.p->lock);
    }
}

int pool_cores(void) {
    cpu_set_t mine;
    return sched_getaffinity(0, sizeof mine, &mine) ? 1 : CPU_COUNT(&mine);
}

static pool          *shared;
static pthread_once_t shared_once = PTHREAD_ONCE_INIT;
static void make_shared(void) { shared = pool_new(0); }

pool *pool_shared(void) {
    pthread_once(&shared_once, make_shared);
    return shared;
}

pool *pool_new(int threads) {
    if (threads <= 0) threads = pool_cores();
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    pool *p = calloc(1, sizeof *p);
    if (!p) abort();
    pthread_mutex_init(&p->caller, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->start, NULL);
    pthread_cond_init(&p->done, NULL);
    for (p->threads = 1; p->threads < threads; p->threads++) {
        seat *s = malloc(sizeof *s);
        if (!s) abort();
        *s = (seat){ p, p->threads };
        if (pthread_create(&p->thread[p->threads], NULL, worker, s)) { free(s); break; }
    }
    return p;
}

void pool_free(pool *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    pthread_cond_broadcast(&p->start);
    pthread_mutex_unlock(&p->lock);
    for (int i = 1; i < p->threads; i++) pthread_join(p->thread[i], NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->start);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->caller);
    free(p);
}

void pool_for(pool *p, int limit, int64_t n, pool_fn fn, void *ctx) {
    if (n <= 0) return;
    if (limit > p->threads) limit = p->threads;
    if (limit > n) limit = (int)n;
    if (inside || limit <= 1 || pthread_mutex_trylock(&p->caller)) {
        fn(ctx, 0, n);
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->fn = fn; p->ctx = ctx; p->n = n;
    p->step = (n + limit - 1) / limit;
    p->busy = p->threads - 1;
    p->round++;
    pthread_cond_broadcast(&p->start);
    pthread_mutex_unlock(&p->lock);
    run_share(p, 0);
    pthread_mutex_lock(&p->lock);
    while (p->busy) pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_unlock(&p->caller);
}
