/* A row of the family's table says a name and a layout; the engine gets a view of the bytes where they lie. */
#define _GNU_SOURCE
#include "stored_weight.h"
#include "weight_table.h"
#include "weight_view.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_SHAPE = 256, MOST_RANK = 3, MOST_PARTS = 8 };

/* Outputs of all weights that share the array, as `blocks` blocks that hold the same share of each. */
typedef struct {
    weight_kind kind;
    int64_t     n, k;           /* of this weight */
    int64_t     all, first;     /* outputs of all that are fused; of those in front of this one */
    int64_t     blocks;         /* experts, heads, or groups of heads; else 1 */
    bool        apart;          /* an array a block */
    bool        outermost;      /* one array [blocks, ..] */
    bool        in_out;
    bool    as_row;             /* a vector of two axes */
} laid_out;

static bool same_array(const weight_source *s, const weight_row *x, const weight_row *y) {
    const char *a = row_spelled(x, s->spelled), *b = row_spelled(y, s->spelled);
    return x->stack == y->stack && y->parts && a && b && strcmp(a, b) == 0;
}

/* Parts lie in the order of their numbers, each as large as it is. */
static void add_parts(const weight_source *s, const arch_config *c, const weight_row *r, laid_out *out) {
    bool seen[MOST_PARTS] = { false };
    out->all = 0;
    for (const weight_row *q = c->arch->weights; q->id != W_NONE; q++) {
        if (!same_array(s, r, q) || seen[q->part]) continue;
        const int64_t n = weight_size(c, weight_table[q->id].out);
        seen[q->part] = true;
        out->all += n;
        if (q->part < r->part) out->first += n;
    }
}

static laid_out layout_of(const weight_source *s, const arch_config *c, const weight_row *r) {
    const weight_meaning *w = &weight_table[r->id];
    const char *name = row_spelled(r, s->spelled);
    laid_out x = { .kind = w->kind, .n = weight_size(c, w->out), .blocks = 1, .in_out = row_in_out(r, s->spelled) };
    x.k = w->kind == WEIGHT_VECTOR ? 1 : weight_size(c, w->in);
    x.all = x.n;
    x.as_row = r->as_row && s->spelled == SPELLED_HF;
    if (r->parts) add_parts(s, c, r, &x);
    x.apart = strstr(name, "%e") || strstr(name, "%h");
    if (weight_of_experts(r->id)) x.blocks = c->experts;
    else if (r->heads_apart) x.blocks = x.n / c->e;
    else if (r->parts && r->fused == FUSED_GROUPS && s->spelled == SPELLED_HF) x.blocks = c->kv_heads;
    x.outermost = !x.apart && (weight_of_experts(r->id) || r->heads_apart);
    return x;
}

/* The shape of each stored array; returns the rank. */
static int stored_shape(const laid_out *x, int64_t dim[MOST_RANK]) {
    const int64_t n = x->apart || x->outermost ? x->all / x->blocks : x->all;
    int rank = 0;
    if (x->outermost) dim[rank++] = x->blocks;
    if (x->as_row) dim[rank++] = 1;
    if (x->kind != WEIGHT_VECTOR && x->in_out) dim[rank++] = x->k;
    dim[rank++] = n;
    if (x->kind != WEIGHT_VECTOR && !x->in_out) dim[rank++] = x->k;
    return rank;
}

/* Some files leave the prefix out of some names. */
static const stored_tensor *find(const weight_source *s, const weight_row *r, int64_t layer, int64_t item) {
    const char *name = row_spelled(r, s->spelled);
    if (!name) return NULL;
    const stored_tensor *t = weights_find(s->file, row_item(s->names, s->prefix, name, layer, item));
    return t ? t : weights_find(s->file, row_item(s->names, "", name, layer, item));
}

bool stored_there(const weight_source *s, const weight_row *r, int64_t layer) { return find(s, r, layer, 0) != NULL; }

static void show_shape(char out[LONGEST_SHAPE], const int64_t *dim, int rank) {
    size_t used = 0;
    used += (size_t)snprintf(out, LONGEST_SHAPE, "[");
    for (int i = 0; i < rank; i++)
        used += (size_t)snprintf(out + used, LONGEST_SHAPE - used, "%s%" PRId64, i ? ", " : "", dim[i]);
    snprintf(out + used, LONGEST_SHAPE - used, "]");
}

static sonde_status fail_missing(const weight_source *s, const laid_out *x, const weight_row *r, int64_t layer, int64_t item) {
    char shape[LONGEST_SHAPE];
    int64_t dim[MOST_RANK];
    show_shape(shape, dim, stored_shape(x, dim));
    const char *prefix = weight_outside(r->id) ? "" : s->prefix;
    return sonde_fail(s->err, SONDE_FORMAT, "tensor %s: is not there, expected one of shape %s",
                      row_item(s->names, prefix, row_spelled(r, s->spelled), layer, item), shape);
}

sonde_status stored_missing(const weight_source *s, const arch_config *c, const weight_row *r, int64_t layer) {
    SONDE_FAIL_IF(!row_spelled(r, s->spelled), s->err, SONDE_UNSUPPORTED, "%s: such files have no name for it",
                  weight_table[r->id].name);
    const laid_out x = layout_of(s, c, r);
    return fail_missing(s, &x, r, layer, 0);
}

static sonde_status fail_shape(const weight_source *s, const laid_out *x, const stored_tensor *t, size_t parts) {
    int64_t dim[MOST_RANK];
    char found[LONGEST_SHAPE], wanted[LONGEST_SHAPE];
    const int rank = stored_shape(x, dim);
    show_shape(found, t->dim, t->rank);
    show_shape(wanted, dim, rank);
    SONDE_FAIL_IF(parts > 1, s->err, SONDE_FORMAT, "tensor %s: shape is %s in each of %zu files, expected %s in all", t->name,
                  found, parts, wanted);
    return sonde_fail(s->err, SONDE_FORMAT, "tensor %s: shape is %s, expected %s", t->name, found, wanted);
}

static sonde_status check_type(const weight_source *s, const laid_out *x, const stored_tensor *t) {
    const bool across = x->kind == WEIGHT_MATRIX ? x->in_out : x->kind == WEIGHT_VECTOR && x->blocks > 1;
    SONDE_FAIL_IF(across && dtype_table[t->type].items > 1, s->err, SONDE_UNSUPPORTED,
                  "tensor %s: type is %s, which is of blocks of inputs, and this %s; expected it "
                  "%s in a type without blocks", t->name, dtype_table[t->type].name,
                  x->kind == WEIGHT_MATRIX ? "matrix is stored [in, out]" : "is a vector in pieces",
                  x->kind == WEIGHT_MATRIX ? "[out, in] or" : "stored");
    return SONDE_OK;
}

/* ---- one array, or the parts of it that checkpoints cut over several files hold ---- */

typedef struct {
    weight_segment *segment;
    size_t          n;
    bool            side_by_side;
} gathered;

static bool same_shape(const stored_tensor *x, const stored_tensor *y) {
    return x->rank == y->rank && memcmp(x->dim, y->dim, (size_t)x->rank * sizeof *x->dim) == 0;
}

static bool same_bytes(const stored_tensor *x, const stored_tensor *y) {
    return x->bytes == y->bytes && memcmp(x->data, y->data, x->bytes) == 0;
}

/* How many neighbours hold the same: 1, all of them (norms), or a few (key and value heads fewer than files); 0: the
 * shapes do not fit in any way. */
static size_t copies_of(const stored_tensor *t, const int64_t *dim, int rank, size_t parts, bool *side_by_side) {
    const int64_t n = (int64_t)parts;
    *side_by_side = n > 1 && rank == 2 && t->dim[0] == dim[0] && t->dim[1] * n == dim[1];
    if (*side_by_side) return 1;
    if (rank == 2 && t->dim[1] != dim[1]) return 0;
    const int64_t rows = t->dim[0];
    return rows > 0 && dim[0] % rows == 0 && n % (dim[0] / rows) == 0 ? (size_t)(n / (dim[0] / rows)) : 0;
}

/* Parts of outputs stand one below the other, parts of inputs side by side; copies must be equal, and one counts. */
static sonde_status gather_files(const weight_source *s, const laid_out *x, const stored_tensor *first, gathered *out) {
    int64_t dim[MOST_RANK];
    const int    rank = stored_shape(x, dim);
    const size_t parts = weights_parts(s->file);
    *out = (gathered){ .segment = arena_new_array(s->memory, weight_segment, parts) };
    if (first->rank != rank || (parts == 1 && memcmp(first->dim, dim, (size_t)rank * sizeof *dim) != 0))
        return fail_shape(s, x, first, parts);
    const size_t copies = copies_of(first, dim, rank, parts, &out->side_by_side);
    if (copies == 0) return fail_shape(s, x, first, parts);
    const stored_tensor *last = NULL;
    for (size_t i = 0; i < parts; i++) {
        const stored_tensor *t = parts == 1 ? first : weights_find_part(s->file, i, first->name);
        if (!same_shape(t, first)) return fail_shape(s, x, t, parts);
        if (i % copies) {
            SONDE_FAIL_IF(!same_bytes(t, last), s->err, SONDE_FORMAT, "tensor %s: file %zu of %zu differs from the one before, "
                          "expected copies", t->name, i + 1, parts);
            continue;
        }
        last = t;
        const bool one_row = rank == 1 && first->dim[0] == dim[0];
        const int64_t count = one_row ? 1 : out->side_by_side ? t->dim[1] : t->dim[0];
        out->segment[out->n++] = (weight_segment){ t->data, (size_t)count, 0 };
    }
    return SONDE_OK;
}

/* ---- blocks: a piece each ---- */

static sonde_status check_block(const weight_source *s, const laid_out *x, const stored_tensor *t, const stored_tensor *first) {
    int64_t dim[MOST_RANK];
    const int rank = stored_shape(x, dim);
    SONDE_TRY(check_type(s, x, t));
    if (t->rank != rank || memcmp(t->dim, dim, (size_t)rank * sizeof *dim) != 0) return fail_shape(s, x, t, 1);
    SONDE_FAIL_IF(t->type != first->type, s->err, SONDE_UNSUPPORTED, "tensor %s: type is %s, expected %s as %s has", t->name,
                  dtype_table[t->type].name, dtype_table[first->type].name, first->name);
    return SONDE_OK;
}

static weight_segment block_segment(const laid_out *x, const stored_tensor *t, int64_t block) {
    const size_t each = (size_t)(x->n / x->blocks), share = (size_t)(x->all / x->blocks), k = (size_t)x->k;
    const bool   whole = x->apart || x->outermost;      /* the block is an array of its own, or one behind the other */
    const bool   columns = x->kind == WEIGHT_VECTOR || x->in_out;
    const size_t outputs = whole ? share : (size_t)x->all, row = stored_bytes(t->type, columns ? outputs : k);
    const size_t first = (size_t)(x->first / x->blocks) + (whole ? 0 : (size_t)block * share);
    const uint8_t *data = t->data + (x->outermost ? (size_t)block * stored_bytes(t->type, share * k) : 0);
    return (weight_segment){ data + (columns ? stored_bytes(t->type, first) : first * row), each, row };
}

static sonde_status gather_blocks(const weight_source *s, const laid_out *x, const weight_row *r, int64_t layer,
                                  weight_segment *out) {
    const stored_tensor *first = find(s, r, layer, 0);
    SONDE_FAIL_IF(weights_parts(s->file) > 1, s->err, SONDE_UNSUPPORTED, "tensor %s: is cut over %zu files, expected it whole",
                  first->name, weights_parts(s->file));
    for (int64_t i = 0; i < x->blocks; i++) {
        const stored_tensor *t = x->apart ? find(s, r, layer, i) : first;
        if (!t) return fail_missing(s, x, r, layer, i);
        if (x->apart || i == 0) SONDE_TRY(check_block(s, x, t, first));
        map_put(s->read, t->name, strlen(t->name), 0);
        out[i] = block_segment(x, t, i);
    }
    return SONDE_OK;
}

/* Neighbours without a gap are one piece; returns how many are left. */
static size_t join(const laid_out *x, dtype_id type, const weight_segment *from, weight_segment *out) {
    const bool columns = x->kind == WEIGHT_VECTOR || x->in_out;
    size_t n = 0;
    for (int64_t i = 0; i < x->blocks; i++) {
        weight_segment *last = n ? &out[n - 1] : NULL;
        const size_t bytes = !last ? 0 : columns ? stored_bytes(type, last->count) : last->count * last->stride;
        if (last && (!columns || x->k == 1) && (const uint8_t *)last->data + bytes == from[i].data) last->count += from[i].count;
        else out[n++] = from[i];
    }
    return n;
}

static sonde_status bind_blocks(const weight_source *s, const laid_out *x, const weight_row *r, int64_t layer, weight *out) {
    const dtype_id type = find(s, r, layer, 0)->type;
    weight_segment *each = arena_new_array(s->names, weight_segment, (size_t)x->blocks);
    weight_segment *joined = arena_new_array(s->names, weight_segment, (size_t)x->blocks);
    SONDE_TRY(gather_blocks(s, x, r, layer, each));
    weight_place p = { .n = (size_t)x->n, .k = (size_t)x->k, .columns = x->kind == WEIGHT_VECTOR || x->in_out, .type = type,
                       .segment = joined, .segments = join(x, type, each, joined) };
    p.side_by_side = p.columns;
    out->matrix = weight_view(s->memory, &p);
    if (!weight_of_experts(r->id) || x->kind == WEIGHT_VECTOR) return SONDE_OK;
    kern_weight *expert = arena_new_array(s->memory, kern_weight, (size_t)x->blocks);
    p.n = (size_t)(x->n / x->blocks);
    p.segments = 1;
    for (int64_t i = 0; i < x->blocks; i++) {
        p.segment = &each[i];
        expert[i] = weight_view(s->memory, &p);
    }
    out->expert = expert;
    return SONDE_OK;
}

static sonde_status bind_whole(const weight_source *s, const laid_out *x, const stored_tensor *t, weight *out) {
    const bool vector = x->kind == WEIGHT_VECTOR;
    gathered g;
    SONDE_TRY(check_type(s, x, t));
    SONDE_TRY(gather_files(s, x, t, &g));
    map_put(s->read, t->name, strlen(t->name), 0);
    out->matrix = weight_view(s->memory, &(weight_place){
        .n = (size_t)x->n, .k = (size_t)x->k, .columns = vector || (x->kind == WEIGHT_MATRIX && x->in_out),
        .first = (size_t)x->first, .all = (size_t)x->all, .type = t->type, .segment = g.segment, .segments = g.n,
        .side_by_side = g.side_by_side || (vector && g.n > 1) });
    return SONDE_OK;
}

sonde_status stored_bind(const weight_source *s, const arch_config *c, const weight_row *r, int64_t layer, weight *out) {
    const stored_tensor *t = find(s, r, layer, 0);
    const laid_out x = layout_of(s, c, r);
    if (x.blocks > 1 || x.apart || x.outermost) SONDE_TRY(bind_blocks(s, &x, r, layer, out));
    else SONDE_TRY(bind_whole(s, &x, t, out));
    out->stored_as = t->name;
    out->row = r;
    out->type = t->type;
    out->bytes = (int64_t)stored_bytes(t->type, out->matrix.n * out->matrix.k);
    return SONDE_OK;
}
