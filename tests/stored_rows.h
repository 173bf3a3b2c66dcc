/* stored_rows.h - a weight of any type in random pieces, and the floats that it stands for.
 *
 * Every piece is an allocation of its own that ends with its last byte, so that a sanitizer sees what reads behind it. */
#ifndef STORED_ROWS_H
#define STORED_ROWS_H
#include "base/dtype.h"
#include "kernel/kern.h"
#include "model/weight_view.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_PIECES = 4 };

typedef struct {
    kern_rows  rows;
    kern_piece piece[ROWS_PIECES];
    uint8_t   *memory[ROWS_PIECES];
    uint32_t (*below)(uint32_t n);      /* random numbers */
    float      most;                    /* floats are smaller, where the type allows */
    bool       in_place;                /* one piece from a block's beginning on, which products read where it lies */
    bool       any_bits;                /* blocks of random bytes: floats may be infinite or NaN */
} stored_rows;

static inline void stored_rows_free(stored_rows *s) {
    for (int i = 0; i < ROWS_PIECES; i++) {
        free(s->memory[i]);
        s->memory[i] = NULL;
    }
}

/* One block of random numbers: finite, and small enough where that comes by chance. */
static inline void rows_block(const stored_rows *s, dtype_id type, uint8_t *at) {
    float y[DTYPE_MOST_ITEMS];
    const dtype *t = &dtype_table[type];
    for (int go = 0; go < 40; go++) {
        const double number = ((double)s->below(1 << 24) - (1 << 23)) * 0x1p-23 * (s->most < 1 ? (double)s->most : 1);
        for (int i = 0; i < t->bytes; i++) at[i] = (uint8_t)s->below(256);
        const int64_t whole = t->name[0] == 'I' ? (int64_t)s->below(7) - 3 : (int64_t)s->below(4);
        if (t->integer && s->most < 1) memcpy(at, &whole, (size_t)t->bytes);
        if (type == DTYPE_F64) memcpy(at, &number, sizeof number);
        if (type == DTYPE_F32) memcpy(at, &(float){ (float)number }, sizeof(float));
        if (s->any_bits) return;
        t->to_f32(y, at, (size_t)t->items);
        bool fine = true;
        for (int i = 0; i < t->items; i++) fine = fine && fabsf(y[i]) < s->most;
        if (fine || t->integer) return;
    }
    memset(at, 0, (size_t)t->bytes);
}

/* Counts of pieces that sum to `all`; some may be 0. */
static inline void rows_cut(stored_rows *s, size_t all, size_t unit) {
    s->rows.pieces = s->in_place ? 1 : 1 + s->below(ROWS_PIECES);
    for (size_t i = 0; i < s->rows.pieces; i++) {
        const size_t part = i + 1 == s->rows.pieces ? all : s->below((uint32_t)all + 1);
        s->piece[i].count = part * unit;
        all -= part;
    }
}

static inline void rows_fill(stored_rows *s, size_t piece, dtype_id type, size_t rows, size_t items) {
    const dtype *t = &dtype_table[type];
    const size_t width = items / (size_t)t->items * (size_t)t->bytes, stride = width + s->below(9), from = s->below(3);
    const size_t size = from + (rows ? (rows - 1) * stride + width : 0);
    uint8_t *memory = malloc(size ? size : 1);
    if (!memory) abort();
    memset(memory, 0xff, size);
    s->memory[piece] = memory;
    s->piece[piece].data = memory + from;
    s->piece[piece].stride = stride;
    for (size_t r = 0; r < rows; r++)
        for (size_t b = 0; b < width; b += (size_t)t->bytes) rows_block(s, type, memory + from + r * stride + b);
}

/* Stored row `row`, all `items` of it, by the type's own function. */
static inline void rows_truth(const stored_rows *s, size_t row, size_t items, float *to) {
    const kern_piece *p = s->piece;
    if (!s->rows.side_by_side) {
        for (; row >= p->count; p++) row -= p->count;
        s->rows.to_f32(to, (const uint8_t *)p->data + row * p->stride, items);
        return;
    }
    for (size_t i = 0; i < s->rows.pieces; to += p[i++].count)
        s->rows.to_f32(to, (const uint8_t *)p[i].data + row * p[i].stride, p[i].count);
}

/* A weight of n outputs and k inputs somewhere in random pieces of stored rows; w [n, k] gets its floats. */
static inline kern_weight stored_rows_make(stored_rows *s, dtype_id type, kern_weight shape, float *w) {
    const dtype *t = &dtype_table[type];
    const size_t n = shape.n, k = shape.k, items = (size_t)t->items, rows = shape.columns ? k : n, length = shape.columns ? n : k;
    shape.type = KERN_ROWS;
    shape.row = s->below(3);
    shape.item = s->below(2) ? 0 : s->in_place ? items * s->below(3) : s->below(2 * (uint32_t)items + 5);
    shape.rows = &s->rows;
    const size_t all_rows = shape.row + rows + s->below(3), blocks = (shape.item + length) / items + 1;
    s->rows = (kern_rows){ .piece = s->piece, .side_by_side = s->below(2), .to_f32 = t->to_f32, .items = items,
                           .bytes = (size_t)t->bytes, .type = kern_type_of(type) };
    rows_cut(s, s->rows.side_by_side ? blocks : all_rows, s->rows.side_by_side ? items : 1);
    for (size_t i = 0; i < s->rows.pieces; i++)
        rows_fill(s, i, type, s->rows.side_by_side ? all_rows : s->piece[i].count,
                  s->rows.side_by_side ? s->piece[i].count : blocks * items);
    float *row = malloc(blocks * items * sizeof *row);
    if (!row) abort();
    for (size_t r = 0; r < rows; r++) {
        rows_truth(s, shape.row + r, blocks * items, row);
        for (size_t i = 0; i < length; i++) w[shape.columns ? i * k + r : r * k + i] = row[shape.item + i];
    }
    free(row);
    if (!s->in_place) return shape;
    shape.type = s->rows.type;
    shape.stride = s->piece[0].stride;
    if (shape.type != KERN_ROWS)
        shape.data = (const uint8_t *)s->piece[0].data + shape.row * shape.stride + shape.item / items * (size_t)t->bytes;
    return shape;
}
#endif
