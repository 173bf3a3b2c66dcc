#include "weight_view.h"

_Static_assert((int)DTYPE_MOST_ITEMS <= (int)KERN_MOST_ITEMS, "a block is widened on the stack");

size_t stored_bytes(dtype_id type, size_t n) {
    return n / (size_t)dtype_table[type].items * (size_t)dtype_table[type].bytes;
}

kern_type kern_type_of(dtype_id type) {
    switch (type) {
#define X(name) case DTYPE_##name: return KERN_##name;
        KERN_PLAIN(X)
        KERN_BLOCKS(X)
#undef X
        default: return KERN_ROWS;
    }
}

static const kern_rows *rows_of(arena *memory, const weight_place *p, size_t stride) {
    kern_piece *piece = arena_new_array(memory, kern_piece, p->segments);
    for (size_t i = 0; i < p->segments; i++) {
        const weight_segment *s = &p->segment[i];
        const size_t dense = p->side_by_side ? stored_bytes(p->type, s->count) : stride;
        piece[i] = (kern_piece){ s->data, s->stride ? s->stride : dense, s->count };
    }
    kern_rows *rows = arena_new_array(memory, kern_rows, 1);
    *rows = (kern_rows){ .piece = piece, .pieces = p->segments, .side_by_side = p->side_by_side, .type = kern_type_of(p->type),
                         .to_f32 = dtype_table[p->type].to_f32, .items = (size_t)dtype_table[p->type].items,
                         .bytes = (size_t)dtype_table[p->type].bytes };
    return rows;
}

kern_weight weight_view(arena *memory, const weight_place *p) {
    const weight_segment *s = p->segment;
    const size_t dense = stored_bytes(p->type, !p->columns ? p->k : p->all ? p->all : p->n);
    const size_t items = (size_t)dtype_table[p->type].items;
    const bool   is_cut = p->columns && p->first % items;       /* it begins inside a block */
    kern_weight  w = { .type = KERN_ROWS, .columns = p->columns, .n = p->n, .k = p->k };
    if (p->segments > 1 || items > 1 || kern_type_of(p->type) == KERN_ROWS) {
        w.rows = rows_of(memory, p, dense);
        *(p->columns ? &w.item : &w.row) = p->first;
    }
    if (p->segments > 1 || is_cut || kern_type_of(p->type) == KERN_ROWS) return w;
    w.type = kern_type_of(p->type);
    w.stride = s->stride ? s->stride : dense;
    w.data = (const char *)s->data + (p->columns ? stored_bytes(p->type, p->first) : p->first * w.stride);
    return w;
}
