/* y[r,:] = table[ids[r],:]: the rows of an embedding, widened. */
#include "op.h"

static sonde_status shape(op_call *c, sonde_error *err) {
    const kern_weight *w = c->attr.lookup.table;
    for (int64_t r = 0; r < tensor_rows(c->out); r++)
        SONDE_FAIL_IF(c->attr.lookup.ids[r] < 0 || (size_t)c->attr.lookup.ids[r] >= w->n, err, SONDE_USAGE,
                      "lookup: row %d of a table of %zu", (int)c->attr.lookup.ids[r], w->n);
    c->out->dim[MAX_DIM - 1] = (int64_t)w->k;
    return SONDE_OK;
}

static void fwd(const op_call *c, span u) {
    const kern_weight *w = c->attr.lookup.table;
    for (int64_t r = u.lo; r < u.hi; r++)
        kern->widen(c->out->data + r * (int64_t)w->k, w, (size_t)c->attr.lookup.ids[r], 0, w->k);
}

static op_cost cost(const op_call *c) {
    return (op_cost){ .bytes = 8 * (double)tensor_count(c->out) };
}

const op op_lookup = {
    .name = "lookup", .doc = "y[r,:] = table[id[r],:]", .n_in = 0,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = NULL, .cost = cost,
};
