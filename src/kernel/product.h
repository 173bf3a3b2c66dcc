/* product.h - what the product's scratch holds; the same for every instruction set.
 *
 * With many rows, a block of rows of x and then the panels of a group of outputs are packed. Both
 * are phase by phase: phase k mod 16, in the order in which the tree wants them, has one step for
 * every 16 k, and one step of gap, so that phases of k = 1024 lie on different lines of L1. */
#ifndef SONDE_PRODUCT_H
#define SONDE_PRODUCT_H
#include "kern.h"

enum {
    PRODUCT_MANY  = 10,             /* fewer rows never need scratch, */
    PRODUCT_ONCE  = 5,              /* but where packing saves that stored rows are widened again */
    PRODUCT_STRIP = 32,             /* a group is a multiple of so many outputs */
    PRODUCT_GROUP = 512 * 1024 / 4, /* floats of a group's panels, which should stay in L2 */
    PRODUCT_COLUMNS = 1024 * 1024 / 4, /* the same of a weight stored [in, out]: longer stretches of each stored row */
    PRODUCT_WIDE  = 8192 * 1024 / 4, /* at most, where a group should have whole blocks of each row */
    PRODUCT_BLOCK = 16384 * 1024 / 4, /* floats of a block of x, read once per group */
    ATTEND_STRIP  = 32              /* keys, or columns of values, that are packed side by side, at most */
};

static inline size_t product_steps(size_t k) { return (k + 15) / 16 + 1; }
/* A strip of packed keys lies in L1 as a whole: no gaps. */
static inline size_t attend_steps(size_t e) { return (e + 15) / 16; }

/* Outputs that are stored next to each other and can only be widened together. */
static inline size_t product_together(const kern_weight *w) {
    return w->rows && w->columns ? w->rows->items : 1;
}
static inline size_t product_many(const kern_weight *w) {
    return w->type == KERN_ROWS && w->columns ? PRODUCT_ONCE : PRODUCT_MANY;
}

/* Floats that a group's panels may take. */
static inline size_t product_room(const kern_weight *w) {
    const size_t whole = product_together(w) * 16 * product_steps(w->k);
    const size_t wide = whole < PRODUCT_WIDE ? whole : PRODUCT_WIDE;
    const size_t least = w->columns ? PRODUCT_COLUMNS : PRODUCT_GROUP;
    return wide > least ? wide : least;
}

/* Outputs per group. */
static inline size_t product_group(const kern_weight *w, size_t n) {
    const size_t all = (n + PRODUCT_STRIP - 1) / PRODUCT_STRIP;
    const size_t together = product_together(w), unit = together > PRODUCT_STRIP ? together / PRODUCT_STRIP : 1;
    size_t fit = product_room(w) / (16 * PRODUCT_STRIP * product_steps(w->k));
    if (fit > unit) fit -= fit % unit;
    return PRODUCT_STRIP * (all < fit ? all : fit ? fit : 1);
}

/* Floats for the panels of a group, and for a block of rows in tiles of 14 of 16 lanes or 6 of 8:
 * never less for more rows, n or k. */
static inline size_t product_within(size_t all, size_t most, size_t least) {
    return all < most ? all : least > most ? least : most;
}
static inline size_t product_panels(const kern_weight *w, size_t n) {
    const size_t strip = PRODUCT_STRIP * 16 * product_steps(w->k);
    return product_within((n + PRODUCT_STRIP - 1) / PRODUCT_STRIP * strip, product_room(w), strip);
}
static inline size_t product_tiles_room(size_t rows, size_t k) { return (rows / 6 + 2) * 8 * 16 * product_steps(k); }
static inline size_t product_block(size_t rows, size_t k) {
    return product_within(product_tiles_room(rows, k), PRODUCT_BLOCK, 16 * 16 * product_steps(k));
}

/* Rows whose tiles fit a block, whatever the tile. */
static inline size_t product_rows_of_block(size_t k) {
    const size_t tiles = PRODUCT_BLOCK / (8 * 16 * product_steps(k));
    return tiles > 4 ? (tiles - 2) * 6 : 12;
}
#endif
