#include "product_rows.h"
#include "base/pool.h"
#include "scratch.h"

static kern_product product_of(const kern_weight *w, const float *bias, product_rows p, size_t lo, size_t hi) {
    return (kern_product){ .y = p.y, .ldy = (size_t)p.ldy, .x = p.x, .ldx = (size_t)p.ldx, .rows = (size_t)p.rows, .w = w,
                           .bias = bias, .lo = lo, .hi = hi };
}

void product_run(const kern_weight *w, const float *bias, product_rows p, int64_t lo, int64_t hi) {
    kern_product one = product_of(w, bias, p, (size_t)lo, (size_t)hi);
    const size_t need = kern_product_scratch(w, one.rows, one.hi - one.lo);
    if (need) one.scratch = scratch_floats(SCRATCH_PANELS, need);
    kern->product(&one);
}

int64_t product_tiles(int64_t outputs) { return (outputs + PRODUCT_TILE - 1) / PRODUCT_TILE; }

/* `packed` belongs to the thread that shares; every thread has panels of its own. */
typedef struct { kern_product all; float *packed; size_t unit; } job;

static void pack_span(void *ctx, int64_t lo, int64_t hi) {
    const job *j = ctx;
    kern->pack_x(&j->all, j->packed, (size_t)lo, (size_t)hi);
}

static void product_span(void *ctx, int64_t lo, int64_t hi) {
    const job   *j = ctx;
    kern_product part = j->all;
    part.lo = (size_t)lo * j->unit;
    if ((size_t)hi * j->unit < part.hi) part.hi = (size_t)hi * j->unit;
    const size_t need = j->packed ? kern_panel_scratch(part.w, part.hi - part.lo)
                                  : kern_product_scratch(part.w, part.rows, part.hi - part.lo);
    if (need) part.scratch = scratch_floats(SCRATCH_PANELS, need);
    kern->product(&part);
}

/* Outputs of a unit. Few rows read a weight stored [in, out] in stretches of each stored row: long ones, but enough for all. */
enum { STRETCH = 384 };
static size_t unit_of(const kern_product *p, bool packed, int threads) {
    const size_t each = p->w->n / (size_t)threads / PRODUCT_TILE * PRODUCT_TILE;
    if (!p->w->columns || packed || each < PRODUCT_TILE) return PRODUCT_TILE;
    return each < STRETCH ? each : STRETCH;
}

void product_shared(const kern_weight *w, const float *bias, product_rows p, int threads) {
    const int64_t most = (int64_t)kern_rows_at_once(w->k);
    const product_rows all = p;
    for (int64_t first = 0; first < all.rows; first += most) {
        p.x    = all.x + first * all.ldx;
        p.y    = all.y + first * all.ldy;
        p.rows = all.rows - first < most ? all.rows - first : most;
        job j = { .all = product_of(w, bias, p, 0, w->n) };
        const size_t tiles = kern->x_tiles(&j.all);
        if (tiles) {
            j.all.packed = j.packed = scratch_floats(SCRATCH_PACKED, kern_packed_floats((size_t)p.rows, w->k));
            pool_for(pool_shared(), threads, (int64_t)tiles, pack_span, &j);
        }
        j.unit = unit_of(&j.all, tiles != 0, threads);
        pool_for(pool_shared(), threads, (int64_t)((w->n + j.unit - 1) / j.unit), product_span, &j);
    }
}
