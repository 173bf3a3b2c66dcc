/* What every cell of a sweep would do by the gradient alone: the sum over the cell's places of d metric / d value times
 * what the edit adds to the value (Nanda, Attribution patching, 2023; Syed, Rager and Conmy, 2023). One run forward and back,
 * and one forward for each site.
 *
 * What an edit adds is seen, not computed: the site is run once with the edit at all cells at once, and nothing in front
 * of a site depends on it. */
#include "method_sweep.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { LONGEST_EDIT = 4096 };

typedef struct { float *before, *after, *grad; int64_t dim[SWEEP_AXES], n; int t_axis; } site_values;

typedef struct {
    const sweep_pass *p;
    site_values *site;              /* [sites] */
    size_t       now;               /* the one whose edit runs */
} approximation;

static void open_site(const sweep_pass *p, const sweep_site *s, site_values *v) {
    v->n = 1;
    for (int i = 0; i < s->rank; i++) {
        v->dim[i] = s->dim[i];
        if (s->axis[i] == 't' || s->axis[i] == 's') context_positions(p->cx, &p->prompt, s->target[i], &v->dim[i]);
        if (s->axis[i] == 't') v->t_axis = i;
        v->n *= v->dim[i];
    }
    v->before = ROOM(float, v->n);
    v->after = ROOM(float, v->n);
    v->grad = ROOM(float, v->n);
}

/* A block of positions to its place among all of them. */
static void place(const site_values *v, const sonde_answer *a, float *to) {
    int64_t outer = 1, inner = 1;
    for (int i = 0; i < a->value.rank; i++) *(i < v->t_axis ? &outer : &inner) *= i == v->t_axis ? 1 : a->value.dim[i];
    const int64_t rows = a->value.dim[v->t_axis], all = v->dim[v->t_axis];
    for (int64_t o = 0; o < outer; o++)
        memcpy(to + (o * all + a->first) * inner, a->value.data + o * rows * inner, (size_t)(rows * inner) * sizeof *to);
}

static sonde_status take_base(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    approximation *x = user;
    for (size_t i = 0; i < x->p->grid->n_sites; i++)
        if (!strcmp(x->p->grid->site[i].name, a->site)) place(&x->site[i], a, a->want % 2 ? x->site[i].grad : x->site[i].before);
    return SONDE_OK;
}

static sonde_status take_after(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    approximation *x = user;
    place(&x->site[x->now], a, x->site[x->now].after);
    return SONDE_OK;
}

static sonde_status run(const approximation *x, const sonde_batch *shape, sonde_answer_fn fn, sonde_error *err) {
    sonde_batch b = *shape;
    b.bases = &x->p->prompt;
    b.n_bases = b.n_variants = 1;
    b.runs = x->p->runs->run;
    b.n_runs = x->p->runs->n;
    b.seed = x->p->cx->seed;
    return sonde_variants_run(x->p->cx->session, &b, fn, (void *)x, err);
}

static sonde_status run_base(const approximation *x, sonde_error *err) {
    const sweep_grid *g = x->p->grid;
    const sonde_variant v = { 0, x->p->cx->edits, x->p->cx->n_edits };
    sonde_want *want = ROOM(sonde_want, 2 * g->n_sites);
    for (size_t i = 0; i < g->n_sites; i++) {
        want[2 * i] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = g->site[i].name };
        want[2 * i + 1] = (sonde_want){ .kind = SONDE_WANT_GRAD, .sites = g->site[i].name, .metric = x->p->metric };
    }
    const sonde_status s = run(x, &(sonde_batch){ .variants = &v, .wants = want, .n_wants = 2 * g->n_sites }, take_base, err);
    free(want);
    return s;
}

/* The edit of a site at all its cells: letters are everything that the runs have. */
static sonde_status whole_edit(const approximation *x, sonde_edit **out, sonde_error *err) {
    const sweep_grid *g = x->p->grid;
    const sweep_site *s = &g->site[x->now];
    char   text[LONGEST_EDIT];
    size_t n = (size_t)snprintf(text, sizeof text, "%s:%s[", g->op, s->name);
    for (int i = 0; i < s->rank && n < sizeof text; i++) {
        const char *comma = i ? "," : "";
        const bool  cut = !s->part[i] && (s->axis[i] == 't' || s->axis[i] == 's');
        if (cut) n += (size_t)snprintf(text + n, sizeof text - n, "%s0:%" PRId64, comma, x->p->keep.n[s->target[i]]);
        else n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", comma, s->part[i] ? s->part[i] : ":");
    }
    if (n < sizeof text) n += (size_t)snprintf(text + n, sizeof text - n, g->value ? "]=%s" : "]", g->value);
    SONDE_FAIL_IF(n >= sizeof text, err, SONDE_USAGE, "the edit of a site is longer than %d bytes", (int)LONGEST_EDIT);
    return sonde_edit_parse(out, x->p->cx->model, text, NULL, err);
}

static sonde_status run_after(approximation *x, sonde_error *err) {
    const sonde_context *cx = x->p->cx;
    const sonde_edit **list = ROOM(const sonde_edit *, cx->n_edits + 1);
    sonde_edit *whole = NULL;
    for (size_t i = 0; i < cx->n_edits; i++) list[i] = cx->edits[i];
    sonde_status s = whole_edit(x, &whole, err);
    list[cx->n_edits] = whole;
    const sonde_variant v = { 0, list, cx->n_edits + 1 };
    const sonde_want    w = { .kind = SONDE_WANT_SITE, .sites = x->p->grid->site[x->now].name };
    if (s == SONDE_OK) s = run(x, &(sonde_batch){ .variants = &v, .wants = &w, .n_wants = 1 }, take_after, err);
    sonde_edit_free(whole);
    free(list);
    return s;
}

/* Each place's part to the cell that its letters name. */
static void add_up(const approximation *x, double *out) {
    const sweep_site  *s = &x->p->grid->site[x->now];
    const site_values *v = &x->site[x->now];
    for (int64_t i = 0; i < v->n; i++) {
        const double part = (double)v->grad[i] * ((double)v->after[i] - (double)v->before[i]);
        if (v->after[i] == v->before[i] || !isfinite(part)) continue;      /* not edited, or masked */
        int64_t at[SWEEP_AXES] = { 0 }, rest = i, cell = 0;
        for (int k = s->rank; k-- > 0; rest /= v->dim[k]) at[k] = rest % v->dim[k];
        for (int k = 0; k < s->rank; k++)
            if (!s->part[k]) cell = cell * s->dim[k] + at[k];
        out[s->first + cell] += part;
    }
}

sonde_status sweep_approximate(const sweep_pass *p, double *out, sonde_error *err) {
    const size_t  n = p->grid->n_sites;
    approximation x = { .p = p, .site = ROOM(site_values, n) };
    for (size_t i = 0; i < n; i++) open_site(p, &p->grid->site[i], &x.site[i]);
    sonde_status s = run_base(&x, err);
    for (x.now = 0; x.now < n && s == SONDE_OK; x.now++) {
        s = run_after(&x, err);
        if (s == SONDE_OK) add_up(&x, out);
        p->cx->progress(p->cx->progress_user, "gradients", (int64_t)x.now + 1, (int64_t)n);
    }
    for (size_t i = 0; i < n; i++) {
        free(x.site[i].before);
        free(x.site[i].after);
        free(x.site[i].grad);
    }
    free(x.site);
    return s;
}
