/* --print-cgraph: the weights and values of the prompt's run, with ggml's columns.
 *
 * A leaf is a weight of the model, a node the value of an operation. Sizes and strides are ggml's way round: NE0 is the axis
 * whose numbers lie together, of a matrix its inputs; NB are bytes, NB0 of a number or of a block of them. DATA is where the
 * bytes would begin if all lay one behind another, leaves first: addresses differ from run to run. */
#include "mia.h"
#include "base/dtype.h"
#include "sonde/graph.h"
#include "sonde/site.h"
#include <ctype.h>
#include <string.h>

enum { AXES = 4, NAME_WIDTH = 48 };

typedef struct {
    const char *type, *op, *name, *part;            /* part: leaf, DST, SRC */
    int         rank, id;                           /* id: of the node */
    int64_t     ne[AXES], nb[AXES], data;
} tensor;

typedef struct { const char *name, *graph_name; } alias;

typedef struct {
    mia     *m;
    tensor  *leaf;  size_t n_leaves;
    tensor  *node;  size_t n_nodes;
    struct { size_t at[5]; bool leaf[5]; size_t n; } *source;       /* [nodes] */
    alias   *names; size_t n_names;
    int64_t  bytes;
} listing;

static const char *in_case(arena *a, const char *text, int (*to)(int)) {
    char *out = arena_printf(a, "%s", text);
    for (char *c = out; *c; c++) *c = (char)to((unsigned char)*c);
    return out;
}

/* ---- leaves ---- */

static bool find_weight(const listing *l, const char *name, sonde_weight_info *out) {
    for (size_t i = 0; i < sonde_model_weights(l->m->o->model); i++) {
        sonde_model_weight(l->m->o->model, i, out);
        if (!strcmp(out->name, name)) return true;
    }
    return false;
}

static int64_t row_size(const sonde_shape *s) {
    int64_t n = 1;
    for (int i = 1; i < s->rank; i++) n *= s->dim[i];
    return n;
}

/* Rows of inputs: what the operation reads at a position, by what it makes. Tables have rows of their own. */
static void shape_leaf(tensor *t, const sonde_operation *o, const sonde_weight_info *w) {
    int64_t all = 1;
    for (int i = 0; i < w->rank; i++) all *= w->dim[i];
    const bool table = !strcmp(o->operation, "lookup"), matrix = w->rank > 1 && (table || o->n_in);
    t->ne[0] = !matrix ? all : table ? w->dim[w->rank - 1] : row_size(&o->in[0]);
    if (t->ne[0] < 1 || all % t->ne[0]) t->ne[0] = all;
    t->ne[1] = all / t->ne[0];
    t->rank = t->ne[1] > 1 ? 2 : 1;
    t->ne[2] = t->ne[3] = 1;
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (!strcmp(dtype_table[i].name, w->dtype)) t->nb[0] = dtype_table[i].bytes;
    t->nb[1] = w->bytes / t->ne[1];
    t->nb[2] = t->nb[3] = w->bytes;
}

static size_t leaf_of(listing *l, const sonde_operation *o, const char *name) {
    sonde_weight_info w = { 0 };
    const bool known = find_weight(l, name, &w);
    const char *shown = known && w.stored_as ? w.stored_as : name;
    for (size_t i = 0; i < l->n_leaves; i++)
        if (!strcmp(l->leaf[i].name, shown)) return i;
    arena *a = l->m->c->memory;
    l->leaf = arena_grow(a, l->leaf, (l->n_leaves + 1) * sizeof *l->leaf);
    tensor *t = &l->leaf[l->n_leaves];
    *t = (tensor){ .type = known ? in_case(a, w.dtype, tolower) : "f32", .op = "NONE", .name = arena_printf(a, "%s", shown),
                   .part = "SRC", .data = l->bytes };
    if (known) shape_leaf(t, o, &w);
    l->bytes += w.bytes;
    return l->n_leaves++;
}

/* ---- nodes ---- */

static void shape_node(tensor *t, const sonde_shape *s) {
    t->rank = s->rank;
    for (int i = 0; i < AXES; i++) t->ne[i] = i < s->rank ? s->dim[s->rank - 1 - i] : 1;
    t->nb[0] = sizeof(float);
    for (int i = 1; i < AXES; i++) t->nb[i] = t->nb[i - 1] * t->ne[i - 1];
}

/* The first of its sites by llama.cpp's name, if it has one. */
static const char *node_name(const listing *l, const sonde_operation *o) {
    arena *a = l->m->c->memory;
    if (!o->site) return arena_printf(a, "node_%d", o->id);
    const char *first = arena_printf(a, "%.*s", (int)strcspn(o->site, ","), o->site);
    for (size_t i = 0; i < l->n_names; i++)
        if (!strcmp(l->names[i].name, first)) return l->names[i].graph_name;
    return first;
}

static sonde_status add_node(const sonde_operation *o, void *user, sonde_error *err) {
    listing *l = user;
    arena   *a = l->m->c->memory;
    (void)err;
    l->node = arena_grow(a, l->node, (l->n_nodes + 1) * sizeof *l->node);
    l->source = arena_grow(a, l->source, (l->n_nodes + 1) * sizeof *l->source);
    tensor *t = &l->node[l->n_nodes];
    *t = (tensor){ .type = "f32", .op = in_case(a, o->operation, toupper), .name = node_name(l, o), .part = "DST", .id = o->id };
    shape_node(t, &o->out);
    const char *const weights[] = { o->weight, o->bias };
    size_t n = 0;
    for (size_t i = 0; i < o->n_in; i++)
        if (o->from[i] >= 0) l->source[l->n_nodes].at[n++] = (size_t)o->from[i];
    for (size_t i = 0; i < n; i++) l->source[l->n_nodes].leaf[i] = false;
    for (size_t i = 0; i < 2; i++)
        if (weights[i]) {
            l->source[l->n_nodes].leaf[n] = true;
            l->source[l->n_nodes].at[n++] = leaf_of(l, o, weights[i]);
        }
    l->source[l->n_nodes++].n = n;
    return SONDE_OK;
}

static sonde_status add_alias(const sonde_site *s, void *user, sonde_error *err) {
    listing *l = user;
    arena   *a = l->m->c->memory;
    (void)err;
    if (!s->graph_name) return SONDE_OK;
    l->names = arena_grow(a, l->names, (l->n_names + 1) * sizeof *l->names);
    l->names[l->n_names++] = (alias){ arena_printf(a, "%s", s->name), arena_printf(a, "%s", s->graph_name) };
    return SONDE_OK;
}

/* ---- the table ---- */

static const char *const sizes[] = { "NE0", "NE1", "NE2", "NE3", "NB0", "NB1", "NB2", "NB3" };
enum { SIZES = sizeof sizes / sizeof *sizes };

static sonde_table *open_table(const listing *l, const char *name, bool nodes) {
    sonde_table *t = sonde_result_table(l->m->o->result, name);
    if (nodes) sonde_table_column(t, "node", SONDE_INT, NULL);
    if (nodes) sonde_table_column(t, "ARG", SONDE_TEXT, NULL);
    sonde_table_column(t, "TYPE", SONDE_TEXT, NULL);
    sonde_table_column(t, "OP", SONDE_TEXT, NULL);
    sonde_table_column(t, "NDIMS", SONDE_INT, NULL);
    for (int i = 0; i < SIZES; i++) sonde_table_column(t, sizes[i], SONDE_INT, i < AXES ? NULL : "B");
    sonde_table_column(t, "DATA", SONDE_INT, "B");
    sonde_table_column(t, "NAME", SONDE_TEXT, NULL);
    if (!l->m->plain) return t;
    if (nodes) printf("%-4s ", "ARG");
    printf("%-6s %-14s %5s", "TYPE", "OP", "NDIMS");
    for (int i = 0; i < SIZES; i++) printf(" %*s", i < AXES ? 6 : 9, sizes[i]);
    printf(" %10s NAME\n", "DATA");
    return t;
}

static void put_tensor(const listing *l, sonde_table *to, const tensor *t, const char *part, int node) {
    sonde_table_row(to);
    if (part) sonde_cell_int(to, node);
    if (part) sonde_cell_text(to, part);
    sonde_cell_text(to, t->type);
    sonde_cell_text(to, t->op);
    sonde_cell_int(to, t->rank);
    for (int i = 0; i < SIZES; i++) sonde_cell_int(to, i < AXES ? t->ne[i] : t->nb[i - AXES]);
    sonde_cell_int(to, t->data);
    sonde_cell_text(to, t->name);
    if (!l->m->plain) return;
    if (part) printf("%-4s ", part);
    printf("%-6s %-14s %5d", t->type, t->op, t->rank);
    for (int i = 0; i < SIZES; i++) printf(" %*lld", i < AXES ? 6 : 9, (long long)(i < AXES ? t->ne[i] : t->nb[i - AXES]));
    printf(" %10llx ", (unsigned long long)t->data);
    print_shown(stdout, t->name, strlen(t->name));
    putchar('\n');
}

sonde_status mia_graph(mia *m, sonde_error *err) {
    listing l = { .m = m };
    const sonde_site_query every = { .n = m->prompt.n, .n_target = 1 };
    SONDE_TRY(sonde_sites(m->o->model, &every, add_alias, &l, err));
    const sonde_graph_query q = { (const sonde_edit *const *)m->edit, m->n_edits, m->prompt.n, 1 };
    SONDE_TRY(sonde_graph(m->o->model, q, add_node, &l, err));
    for (size_t i = 0; i < l.n_nodes; i++) {
        l.node[i].data = l.bytes;
        l.bytes += l.node[i].nb[AXES - 1] * l.node[i].ne[AXES - 1];
    }
    sonde_table *leaves = open_table(&l, "leafs", false);
    for (size_t i = 0; i < l.n_leaves; i++) put_tensor(&l, leaves, &l.leaf[i], NULL, 0);
    if (m->plain) putchar('\n');
    sonde_table *nodes = open_table(&l, "nodes", true);
    for (size_t i = 0; i < l.n_nodes; i++) {
        put_tensor(&l, nodes, &l.node[i], "DST", (int)i);
        for (size_t k = 0; k < l.source[i].n; k++) {
            const size_t at = l.source[i].at[k];
            put_tensor(&l, nodes, l.source[i].leaf[k] ? &l.leaf[at] : &l.node[at], "SRC", (int)i);
        }
    }
    if (m->plain) putchar('\n');
    return SONDE_OK;
}
