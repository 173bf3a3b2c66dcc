#include "attention_back.h"
#include "attend_rows.h"
#include "scratch.h"
#include <string.h>

enum { BACK_KEYS = 64 };            /* of a unit */

static int64_t blocks(const rows_back *b) { return (b->S + BACK_KEYS - 1) / BACK_KEYS; }

int64_t back_units(const rows_back *b) { return b->G * blocks(b); }

/* sums[s,:] of one head: keys are the rows of this sum, and rows what they see. */
static void sum_rows(const rows_back *b, int64_t h, span keys, float *weights, float *sums) {
    attend_unit unit;
    kern_panels panels;
    unit.n = 0;
    unit.top = 0;
    unit.same = INT64_MAX;
    unit.most = 0;
    for (int64_t s = keys.lo; s < keys.hi; s++) {
        const span seen = rows_seeing(b->sight, s, b->T);
        unit.row[unit.n++] = (kern_row){ .p = weights + (s - keys.lo) * b->T, .z = sums + (s - keys.lo) * b->e,
                                         .v = b->rows + h * b->e, .lo = (size_t)seen.lo, .hi = (size_t)seen.hi };
        if (seen.hi > unit.top) unit.top = seen.hi;
    }
    unit.call = (kern_attend){ .row = unit.row, .rows = (size_t)unit.n, .e = (size_t)b->e, .stride = (size_t)(b->H * b->e) };
    attend_pack(&unit, PANEL_VALUES, unit.n, &panels);
    kern->mix(&unit.call);
}

void back_through_rows(const rows_back *b, span units) {
    const int64_t many = blocks(b), per = b->H / b->G, size = BACK_KEYS * b->T;
    float *const  weights = scratch_floats(SCRATCH_ROW, (size_t)(2 * size + b->T + BACK_KEYS * b->e));
    float *const  room = weights + size, *const sums = room + size + b->T;
    for (int64_t i = units.lo; i < units.hi; i++) {
        const int64_t g = i / many, lo = i % many * BACK_KEYS;
        const span    keys = { lo, lo + BACK_KEYS < b->S ? lo + BACK_KEYS : b->S };
        for (int64_t s = keys.lo; s < keys.hi; s++) memset(b->out + (s * b->G + g) * b->e, 0, (size_t)b->e * sizeof(float));
        for (int64_t h = g * per; h < (g + 1) * per; h++) {
            b->weigh(b->ctx, h, keys, weights, room);
            sum_rows(b, h, keys, weights, sums);
            for (int64_t s = keys.lo; s < keys.hi; s++)
                kern->axpy(b->out + (s * b->G + g) * b->e, b->scale, sums + (s - keys.lo) * b->e, (size_t)b->e);
        }
    }
}
