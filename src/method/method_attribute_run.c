/* Runs of one round: F and its gradient at many points of the site's space, through sonde_variants_run. A point is an
 * edit that sets the site, behind the user's own. */
#include "method_attribute.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

enum { MOST_VARIANTS = 64, POINT_FLOATS = 1 << 22 };

sonde_prompt attribute_prompt(const attribution *a) {
    const bool longer = a->prompt < a->n;           /* a decoder's: these have no types */
    return (sonde_prompt){ .tokens = a->tokens, .n = a->n, .prompt = longer ? a->prompt : 0,
                           .types = longer ? NULL : a->cx->prompts[0].tokens.type };
}

void attribute_progress(attribution *a, int64_t runs) {
    a->done += runs;
    a->cx->progress(a->cx->progress_user, "runs", a->done, a->all);
}

/* ---- variants: the user's edits and one more ---- */

typedef struct { sonde_variant *variant; const sonde_edit **list; } variant_list;

/* `edit` [n], or NULL: one variant without a further edit. */
static variant_list variants_new(const attribution *a, sonde_edit *const *edit, size_t n) {
    const sonde_context *cx = a->cx;
    variant_list v = { ROOM(sonde_variant, n), ROOM(const sonde_edit *, n * (cx->n_edits + 1)) };
    for (size_t i = 0; i < n; i++) {
        const sonde_edit **list = v.list + i * (cx->n_edits + 1);
        for (size_t j = 0; j < cx->n_edits; j++) list[j] = cx->edits[j];
        if (edit) list[cx->n_edits] = edit[i];
        v.variant[i] = (sonde_variant){ 0, list, cx->n_edits + (edit != NULL) };
    }
    return v;
}

static void variants_free(variant_list *v) {
    free(v->variant);
    free(v->list);
}

/* ---- points ---- */

typedef struct {
    attribution            *a;
    const attribute_points *p;
    int64_t                 first;              /* the point that is variant 0 */
    float                  *gradient;           /* [n, d] of the variant under way */
    int64_t                 rows;               /* of it that have come */
} point_run;

static void point_done(point_run *r, const sonde_answer *x) {
    r->p->take(r->p->user, r->first + (int64_t)x->variant, x->metric, r->p->gradients ? r->gradient : NULL);
    r->rows = 0;
    attribute_progress(r->a, 1);
}

static sonde_status take_point(const sonde_answer *x, void *user, sonde_error *err) {
    point_run *r = user;
    const attribution *a = r->a;
    const bool seen = r->p->see != NULL, counts = r->p->gradients && x->want == (size_t)seen;
    if (seen) SONDE_TRY(r->p->see(x, r->p->user, err));
    else if (counts) memcpy(r->gradient + x->first * a->d, x->value.data, (size_t)(x->value.dim[0] * a->d) * sizeof(float));
    if (counts) r->rows += x->value.dim[0];
    if (!r->p->gradients || (counts && r->rows == (seen ? r->p->rows : a->n))) point_done(r, x);
    return SONDE_OK;
}

static sonde_status make_edit(const attribution *a, const float *point, sonde_edit **out, sonde_error *err) {
    char text[240];
    snprintf(text, sizeof text, "set:%s[0:%" PRId64 "]=value/0", a->site, a->n);
    sonde_values values = { point, a->rank, { a->n } };
    for (int i = 1; i < a->rank; i++) values.dim[i] = a->dim[i];
    return sonde_edit_of_values(out, a->cx->model, text, values, err);
}

static sonde_status run_some(point_run *r, size_t n, sonde_error *err) {
    attribution *a = r->a;
    sonde_edit  *edit[MOST_VARIANTS] = { NULL };
    float       *point = ROOM(float, a->n * a->d);
    sonde_status s = SONDE_OK;
    for (size_t i = 0; i < n && s == SONDE_OK; i++) {
        memcpy(point, a->x, (size_t)(a->n * a->d) * sizeof *point);
        r->p->make(r->p->user, r->first + (int64_t)i, point);
        s = make_edit(a, point, &edit[i], err);
    }
    free(point);
    if (s == SONDE_OK) {
        variant_list v = variants_new(a, edit, n);
        const sonde_prompt base = attribute_prompt(a);
        const bool seen = r->p->see != NULL;
        const sonde_want  values = { .kind = SONDE_WANT_SITE, .sites = r->p->sites };
        const sonde_want  slopes = { .kind = r->p->gradients ? SONDE_WANT_GRAD : SONDE_WANT_METRIC,
                                     .sites = seen ? r->p->sites : a->site, .metric = a->metric };
        const sonde_want  wants[] = { seen ? values : slopes, slopes };
        const sonde_batch b = { .bases = &base, .n_bases = 1, .variants = v.variant, .n_variants = n, .wants = wants,
                                .n_wants = seen ? 2 : 1, .runs = a->runs.run, .n_runs = a->runs.n, .seed = a->cx->seed };
        s = sonde_variants_run(a->cx->session, &b, take_point, r, err);
        variants_free(&v);
    }
    for (size_t i = 0; i < n; i++) sonde_edit_free(edit[i]);
    return s;
}

sonde_status attribute_run(attribution *a, const attribute_points *p, sonde_error *err) {
    int64_t most = POINT_FLOATS / (a->n * a->d);
    if (most > MOST_VARIANTS) most = MOST_VARIANTS;
    if (most < 1) most = 1;
    point_run r = { .a = a, .p = p, .gradient = ROOM(float, a->n * a->d) };
    sonde_status s = SONDE_OK;
    for (; r.first < p->n && s == SONDE_OK; r.first += most)
        s = run_some(&r, (size_t)(p->n - r.first < most ? p->n - r.first : most), err);
    free(r.gradient);
    return s;
}

typedef struct { const float *point; int64_t size; double f; float *gradient; } one_point;

static void make_one(void *user, int64_t i, float *point) {
    (void)i;
    const one_point *o = user;
    memcpy(point, o->point, (size_t)o->size * sizeof *point);
}

static void take_one(void *user, int64_t i, double f, const float *gradient) {
    (void)i;
    one_point *o = user;
    o->f = f;
    if (o->gradient) memcpy(o->gradient, gradient, (size_t)o->size * sizeof *gradient);
}

sonde_status attribute_at(attribution *a, const float *point, double *f, float *gradient, sonde_error *err) {
    one_point o = { point, a->n * a->d, 0, gradient };
    const attribute_points p = { .n = 1, .gradients = gradient != NULL, .make = make_one, .take = take_one, .user = &o };
    SONDE_TRY(attribute_run(a, &p, err));
    *f = o.f;
    return SONDE_OK;
}

/* ---- embeddings of ids ---- */

typedef struct { attribute_embedding_fn fn; void *user; int64_t first; } embedding_run;

static sonde_status take_rows(const sonde_answer *x, void *user, sonde_error *err) {
    (void)err;
    const embedding_run *r = user;
    for (int64_t i = 0; i < x->value.dim[0]; i++)
        r->fn(r->user, r->first + x->first + i, x->value.data + i * x->value.dim[1]);
    return SONDE_OK;
}

sonde_status attribute_embeddings(attribution *a, const int32_t *ids, int64_t n, attribute_embedding_fn fn, void *user,
                                  sonde_error *err) {
    const int64_t most = sonde_model_describe(a->cx->model)->context;
    embedding_run r = { fn, user, 0 };
    for (; r.first < n; r.first += most) {
        const sonde_single one = { .prompt = { .tokens = ids + r.first, .n = n - r.first < most ? n - r.first : most },
                                   .sites = "hook_embed" };
        SONDE_TRY(sonde_run(a->cx->session, &one, take_rows, &r, err));
    }
    return SONDE_OK;
}

/* ---- values of sites ---- */

sonde_status attribute_look_at(attribution *a, const attribute_look *look, sonde_error *err) {
    variant_list v = variants_new(a, look->n_edits ? look->edit : NULL, look->n_edits ? look->n_edits : 1);
    const sonde_prompt base = attribute_prompt(a);
    const sonde_want  want = { .kind = SONDE_WANT_SITE, .sites = look->site };
    const sonde_batch b = { .bases = &base, .n_bases = 1, .variants = v.variant, .n_variants = look->n_edits ? look->n_edits : 1,
                            .wants = &want, .n_wants = 1, .runs = a->runs.run, .n_runs = a->runs.n, .seed = a->cx->seed };
    const sonde_status s = sonde_variants_run(a->cx->session, &b, look->fn, look->user, err);
    variants_free(&v);
    return s;
}
