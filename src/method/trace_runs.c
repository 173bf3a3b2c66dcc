#include "trace_runs.h"
#include "room.h"
#include <stdio.h>

static int64_t length_of(const sonde_named_run *r) {
    return r->values ? sonde_capture_length(r->values) : r->prompt.n;
}

/* The target of a part, or what stands for it. */
static const int32_t *target_of(const sonde_context *cx, const sonde_named_run *r, int64_t *n) {
    return r->values ? sonde_capture_target(r->values, n) : context_rows(cx, &r->prompt, n);
}

static bool metric_reads(const sonde_metric *m, const char *name) {
    const char *run;
    for (size_t i = 0; m && (run = sonde_metric_run(m, i)) != NULL; i++)
        if (!strcmp(run, name)) return true;
    return false;
}

typedef struct { trace_run *r; trace_tensors *all; } planning;

static sonde_status add_site(const sonde_site *s, void *user, sonde_error *err) {
    planning *p = user;
    char      name[300];
    snprintf(name, sizeof name, "%s%s", p->r->prefix, s->name);
    trace_tensor *t = tensors_add(p->all, TENSOR_RUN, 0, name);
    const int axis = sonde_axes_rows(s->axes);
    tensor_shape(t, s, axis < 0 ? p->r->length : s->dim[axis]);
    p->r->n++;
    const sonde_capture *given = p->r->part[0].values;
    if (!given) return SONDE_OK;
    sonde_array_spec shape;
    t->data = sonde_capture_value(given, s->name, &shape);
    SONDE_FAIL_IF(!t->data, err, SONDE_USAGE, "run %s has no values of %s", p->r->part[0].name, s->name);
    t->spec.rank = shape.rank;
    memcpy(t->spec.dim, shape.dim, sizeof shape.dim);
    return SONDE_OK;
}

static void add_ids(const trace_run *r, trace_tensors *all, const char *what, const int32_t *ids, int64_t n) {
    char name[80];
    snprintf(name, sizeof name, "%s%s", r->prefix, what);
    trace_tensor *t = tensors_add(all, TENSOR_IDS, 0, name);
    t->spec.rank = 1;
    t->spec.dim[0] = n;
    t->data = ids;
}

static void add_tokens(trace_run *r, trace_tensors *all, const sonde_context *cx) {
    int64_t n = 0, at = 0;
    r->tokens = ROOM(int32_t, r->length);
    r->target = r->n_target ? ROOM(int32_t, r->n_target) : NULL;
    for (size_t i = 0; i < r->n_parts; i++) {
        const sonde_named_run *p = &r->part[i];
        const int32_t *from = p->values ? sonde_capture_tokens(p->values) : p->prompt.tokens;
        memcpy(r->tokens + n, from, (size_t)length_of(p) * sizeof *from);
        n += length_of(p);
        int64_t k = 0;
        const int32_t *target = r->target ? target_of(cx, p, &k) : NULL;
        if (target) memcpy(r->target + at, target, (size_t)k * sizeof *target);
        at += k;
    }
    add_ids(r, all, "tokens", r->tokens, r->length);
    if (r->target) add_ids(r, all, "target", r->target, r->n_target);
}

/* One name after the other: a pattern may not be long. */
static sonde_status add_sites(trace_run *r, trace_tensors *all, const sonde_context *cx, sonde_error *err) {
    planning p = { r, all };
    r->first = all->n;
    for (char *at = r->sites; *at; ) {
        const size_t len = strcspn(at, ",");
        char *name = room_text(at, len);
        const sonde_status s = sonde_sites(cx->model, &(sonde_site_query){ name, NULL, 0, r->length, r->n_target }, add_site, &p, err);
        free(name);
        SONDE_TRY(s);
        at += len + (at[len] == ',');
    }
    return SONDE_OK;
}

sonde_status trace_run_plan(trace_run *r, trace_tensors *all, const sonde_context *cx, const sonde_metric *metric,
                            sonde_error *err) {
    const char           *site = sonde_model_describe(cx->model)->answers, *logits = site ? site : "unembed.hook_out";
    const sonde_variant   v = { 0, cx->edits, cx->n_edits };
    const char           *name = r->part[0].name;
    char                 *reads;
    SONDE_TRY(sonde_variant_reads(cx->model, &v, name, &reads, err));
    const bool   more = metric_reads(metric, name) && !strstr(reads, logits);
    const size_t n = strlen(reads);
    r->sites = ROOM(char, n + strlen(logits) + 2);
    snprintf(r->sites, n + strlen(logits) + 2, "%s%s%s", reads, n && more ? "," : "", more ? logits : "");
    sonde_text_free(reads);
    for (size_t i = 0; i < r->n_parts; i++) {
        int64_t target = 0;
        r->length += length_of(&r->part[i]);
        if (sonde_model_describe(cx->model)->encoder_layers) target_of(cx, &r->part[i], &target);
        r->n_target += target;
    }
    if (!*r->sites) return SONDE_OK;
    SONDE_TRY(add_sites(r, all, cx, err));
    add_tokens(r, all, cx);
    return SONDE_OK;
}

typedef struct { const trace_run *r; trace_tensors *all; int64_t before, target_before; } writing;

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    writing *w = user;
    const sonde_view *v = &a->value;
    for (size_t i = w->r->first; i < w->r->first + w->r->n; i++)
        if (!strcmp(w->all->at[i].site, a->site)) {
            const trace_tensor *t = &w->all->at[i];
            const int           axis = sonde_axes_rows(v->axes);
            return tensors_put(w->all, i, v, (t->of_target ? w->target_before : w->before) + a->first,
                               (kept_rows){ .rows = axis < 0 ? w->r->length : t->spec.dim[axis] }, err);
        }
    return SONDE_OK;
}

static sonde_status run_part(const sonde_prompt *p, writing *w, const sonde_context *cx, sonde_error *err) {
    const sonde_variant v = { 0, NULL, 0 };
    sonde_want *want = ROOM(sonde_want, w->r->n);
    for (size_t i = 0; i < w->r->n; i++)
        want[i] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = w->all->at[w->r->first + i].site };
    const sonde_batch b = { .bases = p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want, .n_wants = w->r->n };
    const sonde_status s = sonde_variants_run(cx->session, &b, take, w, err);
    free(want);
    return s;
}

sonde_status trace_run_write(const trace_run *r, trace_tensors *all, const sonde_context *cx, sonde_error *err) {
    writing w = { .r = r, .all = all };
    for (size_t i = 0; r->n && i < r->n_parts; i++) {
        if (r->part[i].values) continue;
        const sonde_status s = run_part(&r->part[i].prompt, &w, cx, err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "run %s", r->part[i].name);
        int64_t n = 0;
        if (r->n_target) target_of(cx, &r->part[i], &n);
        w.before += r->part[i].prompt.n;
        w.target_before += n;
    }
    return SONDE_OK;
}

void trace_run_free(trace_run *r) {
    free(r->sites);
    free(r->tokens);
    free(r->target);
}
