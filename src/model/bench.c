/* The public bench over the kernels' own: the two ceilings of the machine, then products of the sizes that GPT-2 has. */
#include "base/dtype.h"
#include "kernel/kern_bench.h"
#include "sonde/bench.h"
#include "sonde/session.h"
#include <string.h>

static const struct { kern_bench_shape shape; dtype_id type; } shapes[] = {
    { { 512, 768, 768, KERN_F32, false }, DTYPE_F32 },        { { 512, 768, 768, KERN_F32, true }, DTYPE_F32 },
    { { 512, 3072, 768, KERN_F32, false }, DTYPE_F32 },       { { 512, 3072, 768, KERN_F32, true }, DTYPE_F32 },
    { { 512, 768, 3072, KERN_F32, true }, DTYPE_F32 },        { { 512, 3072, 768, KERN_F16, false }, DTYPE_F16 },
    { { 512, 3072, 768, KERN_BF16, false }, DTYPE_BF16 },
    { { 512, 3072, 768, KERN_ROWS, false }, DTYPE_Q4_K },     { { 512, 768, 3072, KERN_ROWS, true }, DTYPE_Q4_K },
    { { 64, 512, 64, KERN_F32, false }, DTYPE_F32 },          { { 16, 128, 128, KERN_F32, false }, DTYPE_F32 },
    { { 1, 4096, 768, KERN_F32, false }, DTYPE_F32 },         { { 1, 4096, 768, KERN_F32, true }, DTYPE_F32 },
    { { 1, 16384, 2048, KERN_F32, false }, DTYPE_F32 },       { { 1, 2048, 16384, KERN_F32, true }, DTYPE_F32 },
    { { 1, 16384, 2048, KERN_F16, false }, DTYPE_F16 },       { { 1, 16384, 2048, KERN_BF16, false }, DTYPE_BF16 },
    { { 1, 16384, 2048, KERN_ROWS, false }, DTYPE_Q8_0 },     { { 1, 16384, 2048, KERN_ROWS, false }, DTYPE_Q4_0 },
    { { 1, 16384, 2048, KERN_ROWS, false }, DTYPE_Q4_K },     { { 1, 16384, 2048, KERN_ROWS, false }, DTYPE_Q6_K },
    { { 1, 2048, 16384, KERN_ROWS, true }, DTYPE_Q4_K },
};
enum { SHAPES = sizeof shapes / sizeof *shapes, CEILINGS = 2 };

static sonde_status tell(const kern_bench_row *k, const char *beside, sonde_bench_fn fn, void *user, sonde_error *err) {
    const sonde_bench_row row = { .name = k->name, .value = k->value, .unit = k->unit, .beside = beside,
                                  .share = beside ? k->share_of_reference : 0 };
    return fn(&row, user, err);
}

sonde_status sonde_bench_kernels(double seconds, sonde_bench_fn fn, void *user, sonde_error *err) {
    SONDE_FAIL_IF(!(seconds > 0 && seconds <= 3600), err, SONDE_USAGE, "seconds: %g is outside 0..3600", seconds);
    (void)sonde_isa_name();                 /* chooses the kernels, once */
    kern_bench_row ceiling[CEILINGS];
    const size_t n = kern_bench(kern, seconds, ceiling, CEILINGS);
    for (size_t i = 0; i < n; i++) SONDE_TRY(tell(&ceiling[i], NULL, fn, user, err));
    for (size_t i = 0; i < SHAPES; i++) {
        const dtype            *t = &dtype_table[shapes[i].type];
        const kern_bench_stored as = { t->name, t->to_f32, (size_t)t->items, (size_t)t->bytes };
        const kern_bench_row    row = kern_bench_product(kern, shapes[i].shape, &as, seconds / (SHAPES + CEILINGS));
        const bool in_place = shapes[i].shape.type != KERN_ROWS;    /* widening costs what it costs: no ceiling */
        SONDE_TRY(tell(&row, !in_place ? NULL : strcmp(row.unit, "GB/s") ? "FMA peak" : "read loop", fn, user, err));
    }
    return SONDE_OK;
}
