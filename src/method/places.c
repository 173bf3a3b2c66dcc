#include "places.h"
#include "room.h"
#include <stdio.h>

static sonde_status add_place(const sonde_site *s, void *user, sonde_error *err) {
    places *p = user;
    SONDE_FAIL_IF(s->axes[0] != 't' || s->rank < 2, err, SONDE_USAGE, "site: %s has the axes \"%s\", expected t and others behind it",
                  s->name, s->axes);
    place x = { .name = room_text(s->name, strlen(s->name)), .block = s->block, .rank = s->rank, .width = 1 };
    snprintf(x.axes, sizeof x.axes, "%s", s->axes);
    for (int i = 0; i < s->rank; i++) x.dim[i] = s->dim[i];
    for (int i = 1; i < s->rank; i++) x.width *= s->dim[i];
    p->at = room_grow(p->at, p->n, 1, sizeof *p->at);
    p->at[p->n++] = x;
    p->width += x.width;
    return SONDE_OK;
}

sonde_status places_find(places *p, const sonde_context *cx, const char *pattern, sonde_error *err) {
    return sonde_sites(cx->model, &(sonde_site_query){ pattern, cx->edits, cx->n_edits, 1, 0 }, add_place, p, err);
}

void places_free(places *p) {
    for (size_t i = 0; i < p->n; i++) free(p->at[i].name);
    free(p->at);
    *p = (places){ 0 };
}

typedef struct { const rows_query *q; int64_t answers; float *out; } reading;

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    reading *r = user;
    const rows_query *q = r->q;
    const bool logits = a->want == q->p->n;
    float *to = r->out;
    for (size_t i = 0; i < a->want && !logits; i++) to += (int64_t)q->n * q->p->at[i].width;
    for (size_t i = 0; i < q->n; i++) {
        const int64_t row = q->at[i] - a->first;
        if (logits && row == 0) q->best[i] = sonde_logits_stats(a->value.data, r->answers).argmax;
        if (logits || row < 0 || row >= a->value.dim[0]) continue;
        const int64_t width = q->p->at[a->want].width;
        memcpy(to + (int64_t)i * width, a->value.data + row * width, (size_t)width * sizeof *to);
    }
    return SONDE_OK;
}

static sonde_status run(const sonde_context *cx, const rows_query *q, float *out, sonde_cost *cost, sonde_error *err) {
    const sonde_variant v = { 0, cx->edits, cx->n_edits };
    sonde_want *want = ROOM(sonde_want, q->p->n + 1);
    for (size_t i = 0; i < q->p->n; i++) want[i] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = q->p->at[i].name };
    want[q->p->n] = (sonde_want){ .kind = SONDE_WANT_LOGITS, .at = q->at, .n_at = q->n };
    const sonde_batch b = { .bases = &q->prompt, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want,
                            .n_wants = q->p->n + (q->best != NULL), .runs = cx->runs, .n_runs = cx->n_runs, .seed = cx->seed };
    reading r = { q, sonde_model_describe(cx->model)->n_answers, out };
    const sonde_status s = cost ? sonde_variants_cost(cx->session, &b, cost, err) : sonde_variants_run(cx->session, &b, take, &r, err);
    free(want);
    return s;
}

sonde_status rows_read(const sonde_context *cx, const rows_query *q, float *out, sonde_error *err) {
    return q->n ? run(cx, q, out, NULL, err) : SONDE_OK;
}

sonde_status rows_cost(const sonde_context *cx, const rows_query *q, sonde_cost *out, sonde_error *err) {
    *out = (sonde_cost){ 0 };
    return q->n ? run(cx, q, NULL, out, err) : SONDE_OK;
}
