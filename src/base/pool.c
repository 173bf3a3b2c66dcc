#define _GNU_SOURCE
#include "pool.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

enum {
    MAX_THREADS = 64,
    SPIN_NS     = 50000,            /* how long who waits looks on before it sleeps: longer than the gap between operations */
    SPIN_LOOKS  = 32,               /* between two looks at the clock */
    PIECES      = 8,               /* of a thread's part of the work: the least that is claimed */
    LINE        = 64                /* bytes that cores pass to each other at once */
};

/* `claim` says what is left, in pieces, and how many threads may take part: limit << LIMIT_AT | pieces. Who has taken some of
 * it knows that the round goes on until it has reported them done, so the plain fields stand still meanwhile. */
enum { LIMIT_AT = 48 };
static const uint64_t LEFT = ((uint64_t)1 << LIMIT_AT) - 1;

struct pool {
    pthread_t       thread[MAX_THREADS];
    int             threads;        /* the caller is number 0 */
    int64_t         spin_ns;
    pthread_mutex_t caller;         /* held by the thread whose work the pool does */
    pthread_mutex_t lock;           /* of those who sleep */
    pthread_cond_t  start, done;
    pool_fn         fn;             /* of the round, as the three below */
    void           *ctx;
    int64_t         n, piece, pieces;       /* indices in all and of a piece; all pieces */
    _Alignas(LINE) atomic_uint_least64_t claim;
    _Alignas(LINE) atomic_int_least64_t  undone;    /* pieces */
    _Alignas(LINE) atomic_int  asleep;              /* workers */
    atomic_bool     caller_asleep, quit;
};

typedef struct { pool *p; int index; } seat;
static _Thread_local bool inside;

/* ---- waiting ---- */

static void look_away(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool has_work(const seat *s) {
    const uint64_t c = atomic_load(&s->p->claim);
    return ((c & LEFT) && (uint64_t)s->index < c >> LIMIT_AT) || atomic_load(&s->p->quit);
}

static bool all_done(const seat *s) { return atomic_load(&s->p->undone) == 0; }

/* Does it come true within the pool's patience? */
static bool spin(const seat *s, bool (*true_now)(const seat *)) {
    if (true_now(s)) return true;
    if (!s->p->spin_ns) return false;
    for (const int64_t until = now_ns() + s->p->spin_ns; now_ns() < until;)
        for (int i = 0; i < SPIN_LOOKS; i++) {
            if (true_now(s)) return true;
            look_away();
        }
    return false;
}

/* Who sleeps says so before it looks for the last time; who has news gives them before it looks for sleepers. */
static void wait_for_work(const seat *s) {
    pool *p = s->p;
    if (spin(s, has_work)) return;
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->asleep, 1);
    while (!has_work(s)) pthread_cond_wait(&p->start, &p->lock);
    atomic_fetch_sub(&p->asleep, 1);
    pthread_mutex_unlock(&p->lock);
}

static void wait_for_others(pool *p) {
    const seat s = { p, 0 };
    if (spin(&s, all_done)) return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->caller_asleep, true);
    while (!all_done(&s)) pthread_cond_wait(&p->done, &p->lock);
    atomic_store(&p->caller_asleep, false);
    pthread_mutex_unlock(&p->lock);
}

static void wake(pool *p, pthread_cond_t *who) {
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(who);
    pthread_mutex_unlock(&p->lock);
}

/* ---- working ---- */

/* Three quarters of an even part of what is left: spans are large at first, and the last ones end together. */
static int64_t share_of(uint64_t claim) {
    const int64_t left = (int64_t)(claim & LEFT), limit = (int64_t)(claim >> LIMIT_AT), part = 3 * left / (4 * limit);
    return part ? part : 1;
}

/* Claims, until nothing is left. */
static void work(const seat *s) {
    pool *p = s->p;
    uint64_t c = atomic_load(&p->claim);
    while ((c & LEFT) && (uint64_t)s->index < c >> LIMIT_AT) {
        const int64_t pieces = share_of(c);
        if (!atomic_compare_exchange_weak(&p->claim, &c, c - (uint64_t)pieces)) continue;
        const int64_t lo = (p->pieces - (int64_t)(c & LEFT)) * p->piece, hi = lo + pieces * p->piece;
        inside = true;
        p->fn(p->ctx, lo, hi < p->n ? hi : p->n);
        inside = false;
        const bool last = atomic_fetch_sub(&p->undone, pieces) == pieces;
        if (last && atomic_load(&p->caller_asleep)) wake(p, &p->done);
        c = atomic_load(&p->claim);
    }
}

static void *worker(void *arg) {
    const seat s = *(seat *)arg;
    free(arg);
    for (;;) {
        wait_for_work(&s);
        if (atomic_load(&s.p->quit)) return NULL;
        work(&s);
    }
}

void pool_for(pool *p, int limit, int64_t n, pool_fn fn, void *ctx) {
    if (n <= 0) return;
    if (limit > p->threads) limit = p->threads;
    if (limit > n) limit = (int)n;
    if (inside || limit <= 1 || pthread_mutex_trylock(&p->caller)) {
        fn(ctx, 0, n);
        return;
    }
    p->fn = fn, p->ctx = ctx, p->n = n;
    p->piece = (n + PIECES * limit - 1) / (PIECES * limit);
    p->pieces = (n + p->piece - 1) / p->piece;
    atomic_store(&p->undone, p->pieces);
    atomic_store(&p->claim, (uint64_t)limit << LIMIT_AT | (uint64_t)p->pieces);
    if (atomic_load(&p->asleep)) wake(p, &p->start);
    work(&(seat){ p, 0 });
    wait_for_others(p);
    pthread_mutex_unlock(&p->caller);
}

/* ---- pools ---- */

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
    const int cores = pool_cores();
    if (threads <= 0) threads = cores;
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    pool *p = aligned_alloc(LINE, sizeof *p);
    if (!p) abort();
    *p = (pool){ .spin_ns = threads > cores ? 0 : SPIN_NS };    /* a core that somebody waits on is no use to others */
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
    atomic_store(&p->quit, true);
    wake(p, &p->start);
    for (int i = 1; i < p->threads; i++) pthread_join(p->thread[i], NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->start);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->caller);
    free(p);
}
