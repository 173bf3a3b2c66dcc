/* One run for the values at the sites; then each stage once more from the values in front of it. */
#include "method_rebuild.h"
#include "packs.h"
#include "room.h"

static const int64_t MOST_KEPT = (int64_t)1 << 27;      /* numbers: 512 MB */

static void want(rebuild *r, packs *p, int op) {
    rebuild_value *v = &r->op[op].value;
    if (v->data || !r->op[op].name[0]) return;
    v->data = ROOM(float, v->items);
    packs_add(p, r->op[op].name);
}

/* Items of the sites that the stage makes and reads. */
static void want_stage(rebuild *r, packs *p, const rebuild_stage *s) {
    for (size_t i = 0; i < s->n; i++) {
        const sonde_operation *o = &r->op[s->part[i]].told;
        for (size_t k = 0; k < o->n_in; k++)
            if (o->from[k] >= 0) want(r, p, o->from[k]);
    }
    if (s->op >= 0) want(r, p, s->op);
}

/* Before anything is allocated; what two stages share counts twice. */
static sonde_status check_room(const rebuild *r, sonde_error *err) {
    int64_t all = 0;
    for (size_t i = 0; i < r->n_stages; i++)
        if (r->stage[i].shown && r->stage[i].op >= 0) all += r->op[r->stage[i].op].value.items;
    SONDE_FAIL_IF(all > MOST_KEPT, err, SONDE_NOMEM, "the values of these stages are %lld MB, more than %lld MB are not "
                  "kept: choose some with --stage, or a shorter text", (long long)(all >> 18), (long long)(MOST_KEPT >> 18));
    return SONDE_OK;
}

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    rebuild       *r = user;
    rebuild_value *v = NULL;
    for (size_t i = 0; i < r->n_ops && !v; i++)
        if (r->op[i].value.data && !strcmp(r->op[i].name, a->site)) v = &r->op[i].value;
    if (!v) return SONDE_OK;
    const int  t = sonde_axes_rows(v->axes);
    const bool cut = t >= 0;
    int64_t outer = 1, inner = 1, items = 1;
    for (int i = 0; i < v->rank; i++) {
        items *= a->value.dim[i];
        if (i < t) outer *= v->dim[i];
        if (i > t) inner *= v->dim[i];
    }
    const int64_t rows = cut ? a->value.dim[t] : 1, all = cut ? v->dim[t] : 1, first = cut ? a->first : 0;
    for (int64_t o = 0; o < outer; o++)
        memcpy(v->data + (o * all + first) * inner, a->value.data + o * rows * inner,
               (size_t)(rows * inner) * sizeof(float));
    r->done += items;
    r->cx->progress(r->cx->progress_user, "values", r->done, r->all);
    return SONDE_OK;
}

sonde_status rebuild_capture(rebuild *r, sonde_cost *cost, sonde_error *err) {
    const sonde_context *cx = r->cx;
    packs names = { 0 };
    SONDE_TRY(check_room(r, err));
    for (size_t i = 0; i < r->n_stages; i++)
        if (r->stage[i].shown) want_stage(r, &names, &r->stage[i]);
    for (size_t i = 0; i < r->n_ops; i++)
        if (r->op[i].value.data) r->all += r->op[i].value.items;
    sonde_want *wants = ROOM(sonde_want, names.n);
    for (size_t i = 0; i < names.n; i++) wants[i] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = names.text[i] };
    const sonde_variant v = { 0 };
    const sonde_batch   b = { .bases = &r->prompt, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = wants, .n_wants = names.n,
                              .seed = cx->seed };
    sonde_status s = SONDE_OK;
    if (cost) *cost = (sonde_cost){ 0 };
    if (names.n) s = cost ? sonde_variants_cost(cx->session, &b, cost, err)
                          : sonde_variants_run(cx->session, &b, take, r, err);
    free(wants);
    packs_free(&names);
    return s;
}

/* ---- once more ---- */

static double *widened(const rebuild_value *v) {
    double *x = ROOM(double, v->items);
    for (int64_t i = 0; i < v->items; i++) x[i] = (double)v->data[i];
    return x;
}

/* made[i]: the value of the stage's operation i, where it was computed already. */
typedef struct { const rebuild *r; const rebuild_stage *s; rebuild_source from; double **made; } computing;

static double *input(const computing *x, int from) {
    for (size_t i = 0; i < x->s->n; i++)
        if (x->s->part[i] == from && x->made[i]) return x->made[i];
    if (x->from == REBUILD_OF_REFERENCE) return rebuild_official(x->r, from);
    return x->r->op[from].value.data ? widened(&x->r->op[from].value) : NULL;
}

static sonde_status compute_one(const computing *x, size_t i, sonde_error *err) {
    const rebuild         *r = x->r;
    const rebuild_stage   *s = x->s;
    double               **made = x->made;
    const sonde_operation *o = &r->op[s->part[i]].told;
    const rebuild_fn       fn = rebuild_reference(o->operation);
    rebuild_call c = { .r = r, .o = o };
    double      *in[3] = { NULL };
    bool         whole = fn != NULL;
    for (size_t k = 0; k < o->n_in && whole; k++) {
        in[k] = o->from[k] < 0 ? NULL : input(x, o->from[k]);
        c.in[k] = in[k];
        whole = in[k] != NULL;
    }
    sonde_status status = SONDE_OK;
    if (whole) {
        made[i] = ROOM(double, rebuild_items(&o->out));
        status = fn(&c, made[i], err);
    }
    for (size_t k = 0; k < o->n_in; k++) {
        bool own = in[k] != NULL;
        for (size_t j = 0; j < i; j++) own &= in[k] != made[j];
        if (own) free(in[k]);
    }
    return status;
}

sonde_status rebuild_compute(const rebuild *r, const rebuild_stage *s, rebuild_source from, double **out, sonde_error *err) {
    double         **made = ROOM(double *, s->n);
    const computing  x = { r, s, from, made };
    sonde_status status = SONDE_OK;
    *out = NULL;
    for (size_t i = 0; i < s->n && status == SONDE_OK; i++) status = compute_one(&x, i, err);
    for (size_t i = 0; i + 1 < s->n; i++) free(made[i]);
    if (status == SONDE_OK) *out = made[s->n - 1];
    else free(made[s->n - 1]);
    free(made);
    if (status == SONDE_UNSUPPORTED) status = SONDE_OK;         /* said by an empty cell */
    return status;
}
