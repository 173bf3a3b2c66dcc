/* The kernels on this machine, one row a case: products through the views that models use, each beside what the machine
 * can do in the same seconds. */
#include "base/arena.h"
#include "base/pool.h"
#include "kernel/kern_bench.h"
#include "machine_loops.h"
#include "sonde/bench.h"
#include "sonde/session.h"
#include "tensor/op.h"
#include "weight_view.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a case stands beside: fma in registers; a loop that only reads the same weights; whichever of the two allows less;
 * the product by float32 weights; two loops of a kind beside one. The loops by themselves stand beside nothing. */
typedef enum { FMA, READ, EITHER, FLOAT32, FMA_ITSELF, READ_ITSELF, TWO_FMA, TWO_READ, BESIDES } beside;
static const char *const beside_text[BESIDES] = {
    [FMA] = "FMA peak", [READ] = "read loop", [EITHER] = "read or FMA", [FLOAT32] = "F32",
    [TWO_FMA] = "FMA loops", [TWO_READ] = "read loops",
};

enum { LARGE = 512 << 20 };                     /* bytes of a weight that no cache holds */
typedef struct { size_t n, k; } shape;          /* outputs, inputs; n 0: as many as LARGE bytes are */
static const shape shapes[] = {
    { 768, 768 }, { 3072, 768 }, { 768, 3072 }, { 5632, 2048 }, { 2048, 5632 },
    { 32768, 4096 }, { 65536, 2048 }, { 2048, 65536 }, { 0, 2048 }, { 512, 64 }, { 128, 128 },
};
typedef struct { size_t first, count; } choice;                         /* of shapes */
#define MODELS4   { 0, 4 }
#define MODELS5   { 0, 5 }
#define LONG_K    { 4, 1 }
#define MODELS6   { 0, 6 }
#define PER_BYTES { 8, 1 }

/* Bars of AVX-512, of AVX2, and the goal behind both: shares of what it stands beside. No bar: reported. A product by the
 * transposed weight reads it as one stored [in, out], so [in, out] of n outputs is also the transposed product of n inputs. */
typedef struct { size_t rows; choice of; dtype_id type; bool columns; beside beside; double bar, bar_avx2, open; } cases;
#define WITHIN 1 / 1.15, 1 / 1.15, 1 / 1.05
static const cases table[] = {
    {   0, PER_BYTES, DTYPE_F32,  false, FMA_ITSELF },
    {   0, PER_BYTES, DTYPE_F32,  false, READ_ITSELF },
    { 512, MODELS4,   DTYPE_F32,  false, FMA,     .78, .75, .90 },
    { 512, LONG_K,    DTYPE_F32,  false, FMA,     .72, .75, .90 },
    { 512, MODELS5,   DTYPE_F16,  false, FLOAT32, WITHIN },
    { 512, MODELS5,   DTYPE_BF16, false, FLOAT32, WITHIN },
    { 512, MODELS5,   DTYPE_Q8_0, false, FLOAT32, WITHIN },
    { 512, MODELS5,   DTYPE_Q4_0, false, FLOAT32, WITHIN },
    { 512, MODELS5,   DTYPE_Q4_K, false, FLOAT32, WITHIN },
    { 512, MODELS5,   DTYPE_Q5_K, false, FLOAT32 },
    { 512, MODELS5,   DTYPE_Q6_K, false, FLOAT32 },
    { 512, MODELS5,   DTYPE_F32,  true,  FMA,     .65, .65, .80 },
    { 512, MODELS5,   DTYPE_Q8_0, true,  FMA },
    { 512, MODELS5,   DTYPE_Q4_0, true,  FMA },
    { 512, MODELS5,   DTYPE_Q4_K, true,  FMA },
    {  64, { 9, 1 },  DTYPE_F32,  false, FMA },
    {  16, { 10, 1 }, DTYPE_F32,  false, FMA },
    {   4, MODELS6,   DTYPE_F32,  false, EITHER,  .60, .60, .80 },
    {   4, MODELS6,   DTYPE_Q8_0, false, EITHER,  .60, .60, .80 },
    {  16, MODELS6,   DTYPE_F32,  false, EITHER,  .60, .60, .80 },
    {  16, MODELS6,   DTYPE_Q8_0, false, EITHER,  .60, .60, .80 },
    {   1, PER_BYTES, DTYPE_F32,  false, READ,    .90, .90, .95 },
    {   1, PER_BYTES, DTYPE_F16,  false, READ,    .75, .75, .90 },
    {   1, PER_BYTES, DTYPE_BF16, false, READ,    .75, .75, .90 },
    {   1, PER_BYTES, DTYPE_Q8_0, false, READ,    .70, .70, .90 },
    {   1, PER_BYTES, DTYPE_Q4_0, false, READ,    .50, .50, .80 },
    {   1, PER_BYTES, DTYPE_Q4_K, false, READ,    .38, .38, .70 },
    {   1, PER_BYTES, DTYPE_Q5_K, false, READ },
    {   1, PER_BYTES, DTYPE_Q6_K, false, READ },
    {   1, { 6, 1 },  DTYPE_F32,  true,  READ,    .75, .75, .90 },
    {   1, { 7, 1 },  DTYPE_F32,  true,  READ,    .60, .60, .90 },
    { 512, { 1, 1 },  DTYPE_F32,  false, TWO_FMA,  .95, .95, 1 },
    { 512, { 4, 1 },  DTYPE_F32,  false, TWO_FMA,  .95, .95, 1 },
    { 512, { 1, 1 },  DTYPE_Q4_K, false, TWO_FMA,  .95, .95, 1 },
    {   1, PER_BYTES, DTYPE_F32,  false, TWO_READ, .95, .95, 1 },
    {   1, PER_BYTES, DTYPE_Q4_0, false, TWO_READ, .95, .95, 1 },
};
enum { TABLE = sizeof table / sizeof *table };

typedef struct { const cases *c; size_t n, k, bytes; const char *name; } one;         /* a case of one shape */

static void one_of(arena *memory, const cases *c, size_t i, one *o) {
    const shape  s = shapes[c->of.first + i];
    const size_t n = s.n ? s.n : LARGE / stored_bytes(c->type, s.k) / 16 * 16;
    const size_t bytes = c->columns ? s.k * stored_bytes(c->type, n) : n * stored_bytes(c->type, s.k);
    *o = (one){ c, n, s.k, bytes, NULL };
    o->name = c->beside == FMA_ITSELF ? "fma in registers" : c->beside == READ_ITSELF ? "512 MB read in order"
            : arena_printf(memory, "%zu row%s, %zux%zu %s%s%s", c->rows, c->rows > 1 ? "s" : "", n, s.k,
                           dtype_table[c->type].name, c->columns ? " [in, out]" : "", c->beside >= TWO_FMA ? ", 2 cores" : "");
}

typedef struct { arena *memory; one *of; size_t count; float *x, *y, *scratch; void *weights; kern_bench_rates *rates; } bench;

static kern_weight view_of(bench *b, const one *o, dtype_id type) {
    return weight_view(b->memory, &(weight_place){ .n = o->n, .k = o->k, .columns = o->c->columns, .type = type, .segments = 1,
                           .segment = &(weight_segment){ b->weights, o->c->columns ? o->k : o->n, 0 } });
}

/* Bits that are ordinary numbers in every type: 2^-1 .. 2. */
static void fill(uint8_t *w, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) w[i] = i & 1 ? 0x3c : (uint8_t)(i * 2654435761u >> 16);
}

static void *room(size_t bytes) { return aligned_alloc(64, (bytes + 64) / 64 * 64); }
static void larger(size_t *most, size_t n) { if (n > *most) *most = n; }

/* Room for the largest case. */
static sonde_status begin(bench *b, sonde_error *err) {
    size_t x = 1, y = 1, scratch = 1, weights = 64;
    for (size_t i = 0; i < b->count; i++) {
        const one *o = &b->of[i];
        const dtype_id types[2] = { o->c->type, o->c->beside == FLOAT32 ? DTYPE_F32 : o->c->type };
        for (int t = 0; t < 2; t++) {
            const kern_weight w = view_of(b, o, types[t]);
            larger(&scratch, kern_product_scratch(&w, o->c->rows, o->n));
            larger(&weights, t ? o->n * o->k * 4 * (o->c->beside == FLOAT32) : o->bytes);
        }
        larger(&x, o->c->rows * o->k);
        larger(&y, o->c->rows * o->n);
    }
    b->x = room(x * sizeof *b->x);
    b->y = room(y * sizeof *b->y);
    b->scratch = room(scratch * sizeof *b->scratch);
    b->weights = room(weights);
    b->rates = malloc(sizeof *b->rates);
    SONDE_FAIL_IF(!b->x || !b->y || !b->scratch || !b->weights || !b->rates, err, SONDE_NOMEM,
                  "bench: no memory for weights of %zu MB", weights >> 20);
    fill(b->weights, weights);
    for (size_t i = 0; i < x; i++) b->x[i] = (float)(i * 2654435761u % 2048) / 1024 - 1;
    memset(b->y, 0, y * sizeof *b->y);
    memset(b->scratch, 0, scratch * sizeof *b->scratch);
    return SONDE_OK;
}

static void end(bench *b) {
    free(b->x);
    free(b->y);
    free(b->scratch);
    free(b->weights);
    free(b->rates);
    arena_free(b->memory);
}

/* ---- jobs with threads: the product as a forward calls it, and the machine's loops ---- */

static double shared_product(const kern_bench_job *job) {
    const op_call *c = job->of;
    op_forward(c, job->threads);
    return c->op->cost(c).flops;
}

static double shared_fma(const kern_bench_job *job)  { return machine_fma_work(job->threads); }
static double shared_read(const kern_bench_job *job) { return machine_read_work(job->data, job->bytes, job->threads); }

/* ---- one case ---- */

/* rates[0] is the case's own, the others are what it stands beside; `per_byte`: operations for each byte of weights. */
static double share_of(beside b, const double r[KERN_BENCH_JOBS], double per_byte) {
    switch (b) {
    case READ:   return r[0] / (r[1] * per_byte);
    case EITHER: return r[0] / fmin(r[1] * per_byte, r[2]);
    case TWO_FMA: case TWO_READ: return r[0] / r[1] / (r[2] / r[3]);
    default:     return r[0] / r[1];
    }
}
static double value_of(beside b, const double r[KERN_BENCH_JOBS], double per_byte) {
    return b >= TWO_FMA ? r[0] / r[1] : 1e-9 * (b == READ ? r[0] / per_byte : r[0]);
}

static void race(bench *b, const one *o, const kern_bench_job *jobs, size_t count, kern_bench_limit *limit,
                 sonde_bench_row *row) {
    double share[KERN_BENCH_ROUNDS], value[KERN_BENCH_ROUNDS];
    const double per_byte = 2.0 * (double)o->c->rows * (double)o->n * (double)o->k / (double)o->bytes;
    kern_bench_alternate(jobs, count, limit, b->rates);
    const int rounds = b->rates->rounds;
    for (int i = 0; i < rounds; i++) {
        const double r[KERN_BENCH_JOBS] = { b->rates->rate[0][i], b->rates->rate[1][i], b->rates->rate[2][i],
                                            b->rates->rate[3][i] };
        share[i] = count > 1 ? share_of(o->c->beside, r, per_byte) : 0;
        value[i] = value_of(o->c->beside, r, per_byte);
        if (share[i] > row->best) row->best = share[i];
    }
    row->rounds = rounds;
    if (!rounds) return;
    row->share = kern_bench_median(share, rounds);
    row->value = kern_bench_median(value, rounds);
}

static void on_one_core(bench *b, const one *o, kern_bench_limit *limit, sonde_bench_row *row) {
    const beside      with = o->c->beside;
    const kern_weight w = view_of(b, o, o->c->type), plain = view_of(b, o, DTYPE_F32);
    const kern_product p = { b->y, o->n, b->x, o->k, o->c->rows, &w, NULL, 0, o->n, b->scratch };
    kern_product       p32 = p;
    p32.w = &plain;
    const kern_bench_job own = { .run = kern_bench_product, .t = kern, .p = &p }, f32 = { kern_bench_product, kern, .p = &p32 },
                         fma = { .run = kern_bench_fma, .t = kern },
                         read = { .run = kern_bench_read, .t = kern, .data = b->weights, .bytes = o->bytes };
    const kern_bench_job jobs[3] = { own, with == FLOAT32 ? f32 : with == FMA ? fma : read, fma };
    row->unit = with == READ ? "GB/s" : "GFLOP/s";
    race(b, o, jobs, with == EITHER ? 3 : 2, limit, row);
}

/* One loop by itself. */
static void ceiling(bench *b, const one *o, kern_bench_limit *limit, sonde_bench_row *row) {
    const bool reads = o->c->beside == READ_ITSELF;
    const kern_bench_job job = { .run = reads ? kern_bench_read : kern_bench_fma, .t = kern, .data = b->weights,
                                 .bytes = o->bytes };
    row->unit = reads ? "GB/s" : "GFLOP/s";
    race(b, o, &job, 1, limit, row);
}

static void on_two_cores(bench *b, const one *o, kern_bench_limit *limit, sonde_bench_row *row) {
    const kern_weight w = view_of(b, o, o->c->type);
    tensor in = { .dim = { 1, (int64_t)o->c->rows, 1, (int64_t)o->k }, .data = b->x };
    tensor out = { .dim = { 1, (int64_t)o->c->rows, 1, (int64_t)o->n }, .data = b->y };
    const op_call call = { .op = op_table[OP_linear], .out = &out, .in = { &in }, .attr.linear.w = &w };
    const bool    reads = o->c->beside == TWO_READ;
    kern_bench_job jobs[4] = { { .run = shared_product, .of = &call, .threads = 2 }, { .run = shared_product, .of = &call },
                               { .run = reads ? shared_read : shared_fma, .t = kern, .data = b->weights, .bytes = o->bytes,
                                 .threads = 2 } };
    jobs[3] = jobs[2];
    jobs[1].threads = jobs[3].threads = 1;
    limit->wall = true;
    row->unit = "x";
    race(b, o, jobs, 4, limit, row);
}

static sonde_status run_one(bench *b, const one *o, const sonde_bench_options *how, sonde_bench_row *row, sonde_error *err) {
    kern_bench_limit limit = { .seconds = how->seconds / (double)b->count, .stop = how->stop, .user = how->user };
    const bool avx512 = !strcmp(kern->isa, "avx512"), avx2 = !strcmp(kern->isa, "avx2");
    row->name   = o->name;
    row->beside = beside_text[o->c->beside];
    row->bar    = avx512 ? o->c->bar : avx2 ? o->c->bar_avx2 : 0;
    row->open   = row->bar > 0 ? o->c->open : 0;
    if (o->c->beside >= TWO_FMA) on_two_cores(b, o, &limit, row);
    else if (!row->beside) ceiling(b, o, &limit, row);
    else on_one_core(b, o, &limit, row);
    row->done++;
    SONDE_FAIL_IF(how->stop && how->stop(how->user), err, SONDE_CANCELLED, "interrupted");
    return how->row(row, how->user, err);
}

sonde_status sonde_bench_kernels(sonde_bench_options how, sonde_error *err) {
    SONDE_FAIL_IF(!(how.seconds > 0 && how.seconds <= 3600), err, SONDE_USAGE, "seconds: %g is outside 0..3600", how.seconds);
    (void)sonde_isa_name();                 /* chooses the kernels, once */
    bench  b = { .memory = arena_new() };
    size_t most = 0;
    for (size_t i = 0; i < TABLE; i++) most += table[i].of.count;
    b.of = arena_new_array(b.memory, one, most);
    for (size_t i = 0; i < TABLE; i++)
        for (size_t j = 0; j < table[i].of.count; j++) {
            if (table[i].beside >= TWO_FMA && pool_cores() < 2) continue;
            one_of(b.memory, &table[i], j, &b.of[b.count]);
            b.count += !how.only || strstr(b.of[b.count].name, how.only);
        }
    sonde_bench_row row = { .all = (int64_t)b.count };
    sonde_status s = b.count ? begin(&b, err) : sonde_fail(err, SONDE_NOT_FOUND, "bench: no row's name has \"%s\" in it", how.only);
    for (size_t i = 0; i < b.count && s == SONDE_OK; i++) {
        row = (sonde_bench_row){ .done = row.done, .all = row.all };
        s = run_one(&b, &b.of[i], &how, &row, err);
    }
    end(&b);
    return s;
}
