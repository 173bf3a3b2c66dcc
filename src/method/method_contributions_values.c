/* From vectors to numbers: what each writer adds to the metric while the final norm keeps the run's scale.
 *
 * norm(x) = (x - c mean(x)) / scale with c = 1 or 0, so the metric is slope . norm(x) + bias, and a part y of x adds
 * slope . (y - c mean(y)) / scale = direction . y. All sums in double. */
#include "method_contributions.h"
#include "room.h"
#include <math.h>
#include <stdio.h>

/* More than rounding of a float32 sum: a difference by which an edit shows. */
static const double EDIT_SHOWS = 1e-5;

double split_dot(const split *s, const float *x) {
    double sum = 0;
    for (int64_t j = 0; j < s->d; j++) sum += s->direction[j] * (double)x[j];
    return sum;
}

/* ---- the frozen norm ---- */

static const float *last_state(const split *s) {
    for (size_t i = s->n_parts; i-- > 0;)
        if (s->part[i].kind == IS_STATE) return s->tap[s->part[i].tap].data;
    return NULL;
}

/* Every block skipped: the stream is what the tables wrote. */
static float *stream_end(const split *s) {
    float *x = ROOM(float, s->d);
    const float *last = last_state(s);
    if (last) memcpy(x, last, (size_t)s->d * sizeof *x);
    for (size_t i = 0; !last && i < s->n_parts; i++)
        for (int64_t j = 0; j < s->d; j++) x[j] += s->tap[s->part[i].tap].data[j];
    return x;
}

/* Does the norm remove the mean? Its own value times its scale is the stream with or without it. */
static bool removes_mean(const split *s, const float *x, const float *normalized, double scale) {
    double mean = 0, with = 0, without = 0;
    for (int64_t j = 0; j < s->d; j++) mean += (double)x[j] / (double)s->d;
    for (int64_t j = 0; j < s->d; j++) {
        const double y = scale * (double)normalized[j], a = (double)x[j] - mean - y, b = (double)x[j] - y;
        with += a * a;
        without += b * b;
    }
    return with <= without;
}

static void find_direction(split *s, const float *x) {
    const float *normalized = s->tap[s->normalized].data;
    const double scale = (double)s->tap[s->scale].data[0];
    double mean = 0;
    for (int64_t j = 0; j < s->d; j++) mean += (double)s->slope[j] / (double)s->d;
    if (!removes_mean(s, x, normalized, scale)) mean = 0;
    for (int64_t j = 0; j < s->d; j++) s->direction[j] = ((double)s->slope[j] - mean) / scale;
}

/* What edits behind the stream changed in the norm's own value. */
static double norm_edit(const split *s, const float *x) {
    const float *normalized = s->tap[s->normalized].data;
    double sum = 0, size = 0;
    for (int64_t j = 0; j < s->d; j++) {
        sum += (double)s->slope[j] * (double)normalized[j] - s->direction[j] * (double)x[j];
        size += fabs((double)s->slope[j] * (double)normalized[j]);
    }
    return fabs(sum) > EDIT_SHOWS * (size > 1 ? size : 1) ? sum : 0;
}

/* slope . weight of a vector that may be absent. */
static sonde_status add_bias(const split *s, const char *name, const float *slope, double *sum, sonde_error *err) {
    sonde_weight_info w;
    const size_t at = weight_find(s->cx->model, name, &w);
    if (at == SIZE_MAX || w.rank != 1) return SONDE_OK;
    float *x = ROOM(float, w.dim[0]);
    const sonde_status status = sonde_model_weight_read(s->cx->model, at, x, err);
    for (int64_t j = 0; status == SONDE_OK && j < w.dim[0]; j++) *sum += (double)slope[j] * (double)x[j];
    free(x);
    return status;
}

static sonde_status find_bias(split *s, double *out, sonde_error *err) {
    char name[128];
    *out = 0;
    snprintf(name, sizeof name, "%s.b", s->norm);
    SONDE_TRY(add_bias(s, name, s->slope_out, out, err));
    return add_bias(s, "unembed.b_U", s->slope_logits, out, err);
}

/* ---- parts ---- */

static sonde_status read_weight(const split *s, const char *name, float **out, sonde_error *err) {
    sonde_weight_info w;
    const size_t at = weight_find(s->cx->model, name, &w);
    int64_t n = 1;
    for (int i = 0; i < w.rank; i++) n *= w.dim[i];
    *out = ROOM(float, n);
    return sonde_model_weight_read(s->cx->model, at, *out, err);
}

/* Adds what the part's inner ones and its bias write to `sum` [d]: what is missing from its value is an edit's. */
static sonde_status inner_values(const split *s, const part *p, double *sum, sonde_error *err) {
    const float *inner = s->tap[p->inner].data;
    const bool neurons = p->kind == WRITES_MLP;
    float *w = NULL;
    sonde_status status = neurons ? read_weight(s, p->weights, &w, err) : SONDE_OK;
    for (int64_t i = 0; i < p->n && status == SONDE_OK; i++) {
        const float *row = (neurons ? w : inner) + i * s->d;
        const double a = neurons ? (double)inner[i] : 1;
        component_of(s, p, i)->value = a * split_dot(s, row);
        for (int64_t j = 0; j < s->d; j++) sum[j] += a * (double)row[j];
    }
    free(w);
    return status;
}

static double difference(const split *s, const float *is, const double *sum, bool *shows) {
    double dot = 0, worst = 0, most = 1;
    for (int64_t j = 0; j < s->d; j++) {
        const double off = (double)is[j] - sum[j];
        dot += s->direction[j] * off;
        if (!(fabs(off) <= worst)) worst = fabs(off);
        if (fabs((double)is[j]) > most) most = fabs((double)is[j]);
    }
    *shows = !(worst <= EDIT_SHOWS * most);
    return dot;
}

static sonde_status split_part(const split *s, const part *p, double *sum, sonde_error *err) {
    int64_t at = p->n;
    SONDE_TRY(inner_values(s, p, sum, err));
    if (p->bias) {
        float *b;
        const sonde_status status = read_weight(s, p->bias, &b, err);
        component_of(s, p, at++)->value = split_dot(s, b);
        for (int64_t j = 0; j < s->d; j++) sum[j] += (double)b[j];
        free(b);
        SONDE_TRY(status);
    }
    bool shows;
    const double edit = difference(s, s->tap[p->tap].data, sum, &shows);
    component_of(s, p, at)->value = shows ? edit : 0;
    component_of(s, p, at)->used |= shows;
    return SONDE_OK;
}

/* stream [d]: the last state and what was written since. */
static sonde_status part_values(const split *s, const part *p, double *stream, double *sum, sonde_error *err) {
    const float *wrote = s->tap[p->tap].data;
    component   *c = &s->all[p->first];
    if (p->kind == IS_STATE) {
        bool shows;
        const double edit = difference(s, wrote, stream, &shows);
        c->value = shows ? edit : 0;
        c->used |= shows;
        for (int64_t j = 0; j < s->d; j++) stream[j] = (double)wrote[j];
        return SONDE_OK;
    }
    memset(sum, 0, (size_t)s->d * sizeof *sum);
    if (p->split) SONDE_TRY(split_part(s, p, sum, err));
    else c->value = split_dot(s, wrote);
    for (int64_t j = 0; j < s->d; j++) stream[j] += (double)wrote[j];
    return SONDE_OK;
}

/* ---- the stream as it grows ---- */

static sonde_status lens_values(split *s, double bias, sonde_error *err) {
    float *logits = ROOM(float, s->v);
    sonde_status status = SONDE_OK;
    for (size_t i = 0; i < s->n_parts && status == SONDE_OK; i++) {
        const part *p = &s->part[i];
        if (p->kind != IS_STATE) continue;
        double lens = s->constant;
        status = sonde_session_unembed(s->cx->session, s->tap[p->tap].data, 1, logits, err);
        for (size_t k = 0; k < s->n_terms; k++) lens += s->term[k].weight * (double)logits[s->term[k].token];
        const double frozen = split_dot(s, s->tap[p->tap].data) + bias + s->constant, n = (double)s->n_done + 1;
        s->frozen[i] += (frozen - s->frozen[i]) / n;
        s->lens[i] += (lens - s->lens[i]) / n;
    }
    free(logits);
    return status;
}

/* ---- one prompt ---- */

static void into_means(split *s) {
    double sum = 0;
    const double n = (double)s->n_done + 1;
    for (size_t i = 0; i < s->n_all; i++) {
        component *c = &s->all[i];
        const double off = c->value - c->mean;
        sum += c->value;
        c->mean += off / n;
        c->square += off * (c->value - c->mean);
    }
    s->logits[s->n_done] = s->logit + s->constant;
    s->sums[s->n_done++] = sum;
}

sonde_status split_values(split *s, sonde_error *err) {
    double *stream = ROOM(double, s->d), *sum = ROOM(double, s->d), bias = 0;
    float  *x = stream_end(s);
    sonde_status status = find_bias(s, &bias, err);
    find_direction(s, x);
    for (size_t i = 0; i < s->n_parts && status == SONDE_OK; i++) status = part_values(s, &s->part[i], stream, sum, err);
    component *ends = s->all + s->n_all - 3;
    ends[0].value = norm_edit(s, x);
    ends[1].value = bias;
    ends[2].value = s->constant;
    ends[0].used |= ends[0].value != 0;
    ends[2].used |= s->constant != 0;
    if (status == SONDE_OK && s->by == BY_ACCUMULATED) status = lens_values(s, bias, err);
    if (status == SONDE_OK) into_means(s);
    free(stream);
    free(sum);
    free(x);
    return status;
}
