#include "product_rows.h"
#include "scratch.h"

void product_run(const kern_weight *w, const float *bias, product_rows p, int64_t lo, int64_t hi) {
    const size_t need = kern_product_scratch(w, (size_t)p.rows, (size_t)(hi - lo));
    kern->product(&(kern_product){
        .y = p.y, .ldy = (size_t)p.ldy, .x = p.x, .ldx = (size_t)p.ldx, .rows = (size_t)p.rows, .w = w,
        .bias = bias, .lo = (size_t)lo, .hi = (size_t)hi, .scratch = need ? scratch_floats(SCRATCH_PANELS, need) : NULL });
}

int64_t product_tiles(int64_t outputs) { return (outputs + PRODUCT_TILE - 1) / PRODUCT_TILE; }
