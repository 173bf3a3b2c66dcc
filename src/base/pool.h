/* pool.h - one set of worker threads for the whole process.
 *
 * pool_for cuts [0, n) into spans, which the threads claim one after another, large
 * ones first, and returns when all are done. Each index belongs to exactly one span,
 * so a core that is taken away holds up no more than the span it has. A call from
 * inside a worker, or while another thread's work is going on, runs in place; so any
 * thread may call, and what is computed depends neither on timing nor on the number
 * of threads. A worker without work looks for more for some tens of microseconds,
 * then sleeps. */
#ifndef SONDE_POOL_H
#define SONDE_POOL_H
#include <stdint.h>

typedef struct pool pool;
typedef void (*pool_fn)(void *ctx, int64_t lo, int64_t hi);

pool *pool_new(int threads);                    /* 0: the cores this process may use */
void  pool_free(pool *p);
int   pool_cores(void);                         /* the cores this process may use */
pool *pool_shared(void);                        /* the process's own, made at the first call, never freed */
/* At most `limit` threads work on it. */
void  pool_for(pool *p, int limit, int64_t n, pool_fn fn, void *ctx);
#endif
