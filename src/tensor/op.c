#include "op.h"
#include "base/pool.h"

#define OP(name) extern const op op_##name;
#include "ops.def"
#undef OP

const op *const op_table[OP_COUNT] = {
#define OP(name) [OP_##name] = &op_##name,
#include "ops.def"
#undef OP
};

int64_t tensor_cols(const tensor *t)  { return t->dim[MAX_DIM - 1]; }
int64_t tensor_rows(const tensor *t)  { return t->dim[0] * t->dim[1] * t->dim[2]; }
int64_t tensor_count(const tensor *t) { return tensor_rows(t) * tensor_cols(t); }

void tensor_same_shape(tensor *out, const tensor *as) {
    for (int i = 0; i < MAX_DIM; i++) out->dim[i] = as->dim[i];
}

int64_t units_are_rows(const op_call *c, int which) {
    (void)which;
    return tensor_rows(c->out);
}

int64_t units_are_positions(const op_call *c, int which) {
    (void)which;
    return c->out->dim[1];
}

static size_t item_bytes(kern_type t) { return t == KERN_F32 ? 4 : 2; }

double weight_bytes(const kern_weight *w) {
    const double items = (double)w->n * (double)w->k;
    return items * (w->rows ? (double)w->rows->bytes / (double)w->rows->items : (double)item_bytes(w->type));
}

kern_weight weight_flipped(const kern_weight *w) {
    kern_weight f = *w;
    f.columns = !w->columns;
    f.n = w->k;
    f.k = w->n;
    return f;
}

kern_weight weight_head(const kern_weight *w, int64_t heads, int64_t h, head_split split) {
    kern_weight part = *w;
    size_t     *cut = split == HEAD_OUTPUTS ? &part.n : &part.k;
    *cut /= (size_t)heads;
    const bool   whole_rows = (split == HEAD_OUTPUTS) != w->columns;
    const size_t first = (size_t)h * *cut;
    if (!w->rows) {
        part.data = (const char *)w->data + first * (whole_rows ? w->stride : item_bytes(w->type));
        return part;
    }
    *(whole_rows ? &part.row : &part.item) += first;
    if (part.item % w->rows->items) part.type = KERN_ROWS;      /* a cut inside a block */
    if (part.type == KERN_ROWS) return part;
    part.data = (const char *)w->data + (whole_rows ? first * w->stride : first / w->rows->items * w->rows->bytes);
    return part;
}

/* Below this much work waking the other threads costs more than it saves (about 20 us on one core). */
static const double WORTH_SHARING = 4e5;

typedef struct { const op_call *c; int which; } job;

static void run_job(void *ctx, int64_t lo, int64_t hi) {
    const job *j = ctx;
    if (j->which == FORWARD) j->c->op->fwd(j->c, (span){ lo, hi });
    else j->c->op->bwd(j->c, j->which, (span){ lo, hi });
}

static void share(const op_call *c, int which, int threads) {
    job           j = { c, which };
    const int64_t units = c->op->units(c, which);
    const op_cost work = c->op->cost(c);
    const int     limit = work.flops + work.bytes < WORTH_SHARING ? 1 : threads;
    if (limit > 1 && c->op->shared) c->op->shared(c, which, limit);
    else pool_for(pool_shared(), limit, units, run_job, &j);
}

void op_forward(const op_call *c, int threads) { share(c, FORWARD, threads); }
void op_backward(const op_call *c, int which, int threads) { share(c, which, threads); }
