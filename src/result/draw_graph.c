/* Nodes in rows by depth, edges downwards. After Sugiyama, Tagawa and Toda, Methods for visual understanding of
 * hierarchical system structures (1981): longest paths give the rows, an edge over several rows gets a knot in each,
 * and means of neighbours give the order within a row and the places. */
#include "draw.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 11, STEP = 42, BOX = 22, MOST_NODES = 1500, MOST_EDGES = 6000, MOST_KNOTS = 30000, SWEEPS = 12, BEND = 10 };

typedef struct { const char *id; size_t node; } named;
typedef struct { size_t from, to; } edge;
typedef struct { size_t node, layer, order; double x, w, wish; } knot;      /* node SIZE_MAX: where an edge passes */
typedef LIST(edge) edge_list;

typedef struct {
    picture   *p;
    size_t     n, layers;
    size_t    *row, *layer;
    edge_list  edges, links;            /* between nodes; between knots of neighbouring layers */
    LIST(knot) knots;                   /* the first n are the nodes */
    size_t   **in_layer, *count;
    size_t     lost;                    /* ids that no row has */
} graph;

static int by_id(const void *a, const void *b) { return strcmp(((const named *)a)->id, ((const named *)b)->id); }

static void read_edges(graph *g, const table_part *part, size_t id, size_t reads) {
    arena *into = g->p->into;
    named *ids = arena_new_array(into, named, g->n);
    for (size_t i = 0; i < g->n; i++) ids[i] = (named){ cell_said(part->t, g->row[i], id, into), i };
    qsort(ids, g->n, sizeof *ids, by_id);
    for (size_t i = 0; i < g->n; i++) {
        if (reads == SIZE_MAX || !table_has(part->t, g->row[i], reads)) continue;
        const char *text = cell_said(part->t, g->row[i], reads, into);
        while (*(text += strspn(text, " ,;"))) {
            const size_t len = strcspn(text, " ,;");
            const named wanted = { arena_printf(into, "%.*s", (int)len, text), 0 };
            const named *found = bsearch(&wanted, ids, g->n, sizeof *ids, by_id);
            text += len;
            if (!found || found->node == i || g->edges.n == MOST_EDGES) g->lost++;
            else *LIST_ADD(g->edges) = (edge){ found->node, i };
        }
    }
}

/* Longest path from a node that reads none. Edges that close a circle count only as drawn: they point back. */
static void find_layers(graph *g) {
    arena *into = g->p->into;
    size_t *waits = arena_new_array(into, size_t, g->n + 1), *queue = arena_new_array(into, size_t, g->n + 1);
    size_t *first = arena_new_array(into, size_t, g->n + 2), *next = arena_new_array(into, size_t, g->edges.n + 1);
    bool *done = arena_new_array(into, bool, g->n + 1);
    for (size_t e = 0; e < g->edges.n; e++) {
        waits[g->edges.at[e].to]++;
        next[e] = first[g->edges.at[e].from];
        first[g->edges.at[e].from] = e + 1;
    }
    size_t head = 0, tail = 0, forced = 0;
    for (size_t i = 0; i < g->n; i++)
        if (!waits[i]) { queue[tail++] = i; done[i] = true; }
    while (tail < g->n || head < tail) {
        if (head == tail) {                             /* a circle: its first row goes ahead */
            while (done[forced]) forced++;
            done[forced] = true;
            queue[tail++] = forced;
        }
        const size_t i = queue[head++];
        for (size_t e = first[i]; e; e = next[e - 1]) {
            const size_t to = g->edges.at[e - 1].to;    /* NOLINT: there is an edge wherever `first` is not 0 */
            if (done[to]) continue;
            if (g->layer[to] < g->layer[i] + 1) g->layer[to] = g->layer[i] + 1;
            if (--waits[to] == 0) { done[to] = true; queue[tail++] = to; }
        }
    }
    for (size_t i = 0; i < g->n; i++)
        if (g->layer[i] + 1 > g->layers) g->layers = g->layer[i] + 1;
}

static void add_knots(graph *g) {
    for (size_t i = 0; i < g->n; i++) *LIST_ADD(g->knots) = (knot){ .node = i, .layer = g->layer[i], .w = 0 };
    for (size_t e = 0; e < g->edges.n; e++) {
        const edge x = g->edges.at[e];
        const bool down = g->layer[x.from] < g->layer[x.to];
        if (!down || g->knots.n + g->layer[x.to] - g->layer[x.from] > MOST_KNOTS) {
            *LIST_ADD(g->links) = x;
            continue;
        }
        size_t last = x.from;
        for (size_t l = g->layer[x.from] + 1; l < g->layer[x.to]; l++) {
            *LIST_ADD(g->knots) = (knot){ .node = SIZE_MAX, .layer = l, .w = BEND };
            *LIST_ADD(g->links) = (edge){ last, g->knots.n - 1 };
            last = g->knots.n - 1;
        }
        *LIST_ADD(g->links) = (edge){ last, x.to };
    }
    g->count = arena_new_array(g->p->into, size_t, g->layers);
    g->in_layer = arena_new_array(g->p->into, size_t *, g->layers);
    for (size_t i = 0; i < g->knots.n; i++) g->count[g->knots.at[i].layer]++;
    for (size_t l = 0; l < g->layers; l++) {
        g->in_layer[l] = arena_new_array(g->p->into, size_t, g->count[l]);
        g->count[l] = 0;
    }
    for (size_t i = 0; i < g->knots.n; i++) {
        knot *k = &g->knots.at[i];
        k->order = g->count[k->layer];
        g->in_layer[k->layer][g->count[k->layer]++] = i;
    }
}

typedef struct { double wish; size_t order, knot; } ranked;
static int by_wish(const void *a, const void *b) {
    const ranked *p = a, *q = b;
    if (p->wish != q->wish) return p->wish < q->wish ? -1 : 1;
    return (p->order > q->order) - (p->order < q->order);
}

/* Links of every knot, upwards (0) and downwards (1), as lists: index + 1, 0 ends. */
typedef struct { size_t *first[2], *next[2]; } links_of;

static links_of list_links(graph *g) {
    links_of l;
    for (int side = 0; side < 2; side++) {
        l.first[side] = arena_new_array(g->p->into, size_t, g->knots.n + 1);
        l.next[side] = arena_new_array(g->p->into, size_t, g->links.n + 1);
        for (size_t e = 0; e < g->links.n; e++) {
            size_t *first = &l.first[side][side ? g->links.at[e].from : g->links.at[e].to];
            l.next[side][e] = *first;
            *first = e + 1;
        }
    }
    return l;
}

/* The mean place of its neighbours on one side; its own place if it has none. */
static double wish_of(const graph *g, const links_of *l, size_t me, int side) {
    double sum = 0, n = 0;
    for (size_t e = l->first[side][me]; e; e = l->next[side][e - 1], n++)
        sum += g->knots.at[side ? g->links.at[e - 1].to : g->links.at[e - 1].from].x;
    return n > 0 ? sum / n : g->knots.at[me].x;
}

/* As near to the wishes as the widths let them, the row's middle of mass where it was. */
static void place_layer(graph *g, size_t l, bool reorder, ranked *room) {
    size_t *in = g->in_layer[l];
    const size_t n = g->count[l];
    for (size_t i = 0; i < n; i++) room[i] = (ranked){ g->knots.at[in[i]].wish, i, in[i] };
    if (reorder) qsort(room, n, sizeof *room, by_wish);
    double shift = 0, at = -1e18;
    for (size_t i = 0; i < n; i++) {
        knot *k = &g->knots.at[in[i] = room[i].knot];
        k->order = i;
        k->x = fmax(k->wish, at + k->w / 2);
        at = k->x + k->w / 2 + 8;
        shift += k->wish - k->x;
    }
    for (size_t i = 0; i < n; i++) g->knots.at[in[i]].x += shift / (double)n;
}

static void place(graph *g) {
    const links_of l = list_links(g);
    ranked *room = arena_new_array(g->p->into, ranked, g->knots.n);
    for (size_t i = 0; i < g->knots.n; i++) g->knots.at[i].x = (double)g->knots.at[i].order * 40;
    for (int sweep = 0; sweep < SWEEPS; sweep++)
        for (size_t i = 0; i < g->layers; i++) {
            const size_t at = sweep % 2 ? g->layers - 1 - i : i;
            for (size_t k = 0; k < g->count[at]; k++) {
                const size_t me = g->in_layer[at][k];
                g->knots.at[me].wish = wish_of(g, &l, me, sweep % 2);
            }
            place_layer(g, at, sweep < SWEEPS - 2, room);
        }
}

/* An S between two knots. */
static void put_link(graph *g, edge e, double top) {
    const knot *a = &g->knots.at[e.from], *b = &g->knots.at[e.to];
    const double y0 = top + (double)a->layer * STEP + (a->node == SIZE_MAX ? BOX / 2.0 : BOX);
    const double y1 = top + (double)b->layer * STEP + (b->node == SIZE_MAX ? BOX / 2.0 : 0);
    double point[2 * (BEND + 1)];
    const bool straight = fabs(a->x - b->x) < 1;
    const size_t n = straight ? 1 : BEND;
    for (size_t i = 0; i <= n; i++) {
        const double t = (double)i / (double)n;
        point[2 * i] = a->x + (b->x - a->x) * t * t * (3 - 2 * t);
        point[2 * i + 1] = y0 + (y1 - y0) * t;
    }
    draw_points(g->p, MARK_POLYLINE, point, n + 1, paint_dim)->opacity = 0.6;
}

static void put_node(graph *g, const knot *k, const table_part *part, size_t value, double top) {
    picture *p = g->p;
    const double y = top + (double)k->layer * STEP;
    mark *m = draw_rect(p, (frame){ k->x - k->w / 2, y, k->w, BOX }, paint_page);
    m->stroked = true;
    m->stroke = paint_bar;
    m->tip = row_tip(p->into, part->t, g->row[k->node]);
    if (value == SIZE_MAX) return;
    m = draw_text(p, k->x, y + 15, text_cut(p->into, cell_said(part->t, g->row[k->node], value, p->into), SMALL,
                                            k->w - 6), paint_ink);
    m->size = SMALL;
    m->anchor = ANCHOR_MIDDLE;
}

/* Widths of nodes by their texts, smaller where a row would be wider than the picture. */
static void size_nodes(graph *g, const table_part *part, size_t value, double width) {
    size_t most = 1;
    for (size_t l = 0; l < g->layers; l++)
        if (g->count[l] > most) most = g->count[l];
    const double room = fmax(width / (double)most - 8, 6);
    for (size_t i = 0; i < g->n; i++) {
        const char *text = value == SIZE_MAX ? "" : cell_said(part->t, g->row[i], value, g->p->into);
        g->knots.at[i].w = fmin(fmin(fmax(text_width(text, SMALL) + 12, 22), 150), fmax(room, 24));
    }
}

static void put_all(graph *g, const panel *b, const table_part *part, size_t value) {
    double lo = 1e18, hi = -1e18;
    for (size_t i = 0; i < g->knots.n; i++) {
        lo = fmin(lo, g->knots.at[i].x - g->knots.at[i].w / 2);
        hi = fmax(hi, g->knots.at[i].x + g->knots.at[i].w / 2);
    }
    const double scale = hi - lo > b->w ? b->w / (hi - lo) : 1, left = b->x + (b->w - (hi - lo) * scale) / 2;
    for (size_t i = 0; i < g->knots.n; i++) {
        g->knots.at[i].x = left + (g->knots.at[i].x - lo) * scale;
        g->knots.at[i].w *= scale;
    }
    for (size_t e = 0; e < g->links.n; e++) put_link(g, g->links.at[e], b->y);
    for (size_t i = 0; i < g->n; i++) put_node(g, &g->knots.at[i], part, value, b->y);
}

double draw_graph(const panel *b, const table_part *part) {
    const sonde_table *t = part->t;
    const size_t id = table_find(t, b->view->x), reads = table_find(t, b->view->y), value = table_find(t, b->view->value);
    if (id == SIZE_MAX || !part->n) {
        draw_note(b->p, "there is no column of ids, so there are no nodes");
        return 0;
    }
    graph g = { .p = b->p, .n = part->n < MOST_NODES ? part->n : MOST_NODES };
    g.row = arena_new_array(b->p->into, size_t, g.n);
    g.layer = arena_new_array(b->p->into, size_t, g.n);
    for (size_t i = 0; i < g.n; i++) g.row[i] = part_row(part, i);
    read_edges(&g, part, id, reads);
    find_layers(&g);
    add_knots(&g);
    size_nodes(&g, part, value, b->w);
    place(&g);
    put_all(&g, b, part, value);
    if (g.n < part->n) draw_note(b->p, "%zu of %zu nodes shown", g.n, part->n);
    if (g.lost) draw_note(b->p, "not drawn: %zu edge%s to ids that no node shown has, or past the %d that are drawn",
                          g.lost, g.lost == 1 ? "" : "s", MOST_EDGES);
    free(g.edges.at);
    free(g.links.at);
    free(g.knots.at);
    return (double)(g.layers - 1) * STEP + BOX + 4;
}
