/* Plans of execution: a list of blocks to run, changed by skip, swap, repeat and order; a list a stack.
 *
 * A block's execution is counted by its place in the list: the k-th time that a block comes is turn k, however
 * that came about. Parts that are skipped belong to the block, wherever and however often it runs. */
#include "edit_data.h"
#include <string.h>

enum { MOST_SLOTS = 4096 };

typedef struct {
    int  *block, n;             /* [MOST_SLOTS] the list */
    bool *no_attn, *no_cross, *no_mlp;          /* [layers] */
    sonde_error *err;
} plan;

static int times_of(const plan *p, int block) {
    int n = 0;
    for (int i = 0; i < p->n; i++) n += p->block[i] == block;
    return n;
}

static sonde_status must_run(const plan *p, const char *op, int lo, int hi) {
    for (int b = lo; b <= hi; b++)
        SONDE_FAIL_IF(times_of(p, b) == 0, p->err, SONDE_USAGE,
                      "%s: block %d does not run any more, expected one that the plans before leave in", op, b);
    return SONDE_OK;
}

static bool within(int block, const int range[2]) { return block >= range[0] && block <= range[1]; }

static sonde_status skip(plan *p, const sonde_edit *e) {
    SONDE_TRY(must_run(p, "skip", e->block[0], e->block[1]));
    if (e->part) {
        bool *gone = strcmp(e->part, "attn") == 0 ? p->no_attn : strcmp(e->part, "mlp") == 0 ? p->no_mlp : p->no_cross;
        for (int b = e->block[0]; b <= e->block[1]; b++) gone[b] = true;
        return SONDE_OK;
    }
    int n = 0;
    for (int i = 0; i < p->n; i++)
        if (!within(p->block[i], e->block)) p->block[n++] = p->block[i];
    p->n = n;
    return SONDE_OK;
}

static sonde_status swap(plan *p, const sonde_edit *e) {
    const int a = e->block[0], b = e->block[1];
    SONDE_TRY(must_run(p, "swap", a, a));
    SONDE_TRY(must_run(p, "swap", b, b));
    for (int i = 0; i < p->n; i++) p->block[i] = p->block[i] == a ? b : p->block[i] == b ? a : p->block[i];
    return SONDE_OK;
}

/* The blocks of the range, as the list has them, run once more behind themselves, `times` in all. */
static sonde_status repeat(plan *p, const sonde_edit *e) {
    SONDE_TRY(must_run(p, "repeat", e->block[0], e->block[1]));
    int first = 0, group = 0;
    while (!within(p->block[first], e->block)) first++;
    while (first + group < p->n && within(p->block[first + group], e->block)) group++;
    for (int i = first + group; i < p->n; i++)
        SONDE_FAIL_IF(within(p->block[i], e->block), p->err, SONDE_USAGE,
                      "repeat: blocks %d to %d do not run one behind the other any more, expected a range that does",
                      e->block[0], e->block[1]);
    const int64_t more = (int64_t)(e->times - 1) * group;
    SONDE_FAIL_IF(p->n + more > MOST_SLOTS, p->err, SONDE_USAGE, "repeat: the run would have %lld blocks, at most %d",
                  (long long)(p->n + more), MOST_SLOTS);
    int *end = p->block + first + group;
    memmove(end + more, end, (size_t)(p->n - first - group) * sizeof *end);
    for (int64_t i = 0; i < more; i++) end[i] = end[i - group];
    p->n += (int)more;
    return SONDE_OK;
}

static sonde_status order(plan *p, const sonde_edit *e) {
    SONDE_FAIL_IF(e->n_order > MOST_SLOTS, p->err, SONDE_USAGE, "order: the run would have %d blocks, at most %d",
                  e->n_order, MOST_SLOTS);
    for (int i = 0; i < e->n_order; i++) SONDE_TRY(must_run(p, "order", e->order[i], e->order[i]));
    memcpy(p->block, e->order, (size_t)e->n_order * sizeof *e->order);
    p->n = e->n_order;
    return SONDE_OK;
}

static sonde_status apply(plan *p, const sonde_edit *e) {
    switch (e->op) {
    case EDIT_SKIP:   return skip(p, e);
    case EDIT_SWAP:   return swap(p, e);
    case EDIT_REPEAT: return repeat(p, e);
    case EDIT_ORDER:  return order(p, e);
    default:          return SONDE_OK;
    }
}

static sonde_status list_of(arena *a, const arch_config *c, edit_list edits, slot_list *out, sonde_error *err) {
    const size_t layers = (size_t)c->layers;
    plan p = { .block = arena_new_array(a, int, layers + MOST_SLOTS), .n = (int)layers,
               .no_attn = arena_new_array(a, bool, layers), .no_cross = arena_new_array(a, bool, layers),
               .no_mlp = arena_new_array(a, bool, layers), .err = err };
    for (int i = 0; i < p.n; i++) p.block[i] = i;
    for (size_t i = 0; i < edits.n; i++)
        if (edits.at[i]->stack == c->stack) SONDE_TRY(apply(&p, edits.at[i]));
    int *turns = arena_new_array(a, int, layers);
    *out = (slot_list){ arena_new_array(a, slot, (size_t)p.n), p.n };
    for (int i = 0; i < p.n; i++) {
        const int b = p.block[i];
        out->at[i] = (slot){ .block = b, .turn = turns[b]++, .no_attn = p.no_attn[b], .no_cross = p.no_cross[b],
                             .no_mlp = p.no_mlp[b], .stack = c->stack };
    }
    return SONDE_OK;
}

sonde_status plan_slots(arena *a, const arch_config *c, const sonde_edit *const *edits, size_t n, slots *out,
                        sonde_error *err) {
    slot_list encoder = { 0 }, main;
    if (c->encoder) SONDE_TRY(list_of(a, c->encoder, (edit_list){ edits, n }, &encoder, err));
    SONDE_TRY(list_of(a, c, (edit_list){ edits, n }, &main, err));
    *out = slots_join(a, c, encoder, main);
    return SONDE_OK;
}
