/* What reaches a position through the layers' attention, whatever the answer.
 * Rollout: Abnar and Zuidema, Quantifying Attention Flow in Transformers, 2020. Value zeroing: Mohebbi, Zuidema, Chrupala and
 * Alishahi, Quantifying Context Mixing in Transformers, 2023. */
#include "method_attribute.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* rolled[l] = mix[l] rolled[l - 1], mix's rows divided by their sums; a row of zeros keeps its own position. */
static void roll(const attribution *a, const double *mix, attribute_scores *s) {
    const int64_t n = a->n;
    double *was = ROOM(double, n * n), *is = ROOM(double, n * n);
    for (int64_t t = 0; t < n; t++) was[t * n + t] = 1;
    for (int64_t l = 0; l < a->layer.n; l++) {
        for (int64_t t = 0; t < n; t++) {
            const double *row = mix + (l * n + t) * n;
            double sum = 0;
            for (int64_t u = 0; u < n; u++) sum += row[u];
            for (int64_t v = 0; v < n; v++) {
                double x = sum == 0 ? was[t * n + v] : 0;
                for (int64_t u = 0; u < n && sum != 0; u++) x += row[u] / sum * was[u * n + v];
                is[t * n + v] = x;
            }
        }
        for (int64_t i = 0; i < n * n; i++) {
            was[i] = is[i];
            s->rolled[l * n * n + i] = (float)is[i];
        }
    }
    for (int64_t v = 0; v < n; v++) s->score[v] = was[a->position * n + v];
    free(was);
    free(is);
}

static attribute_scores *layered(attribution *a, attribute_way way) {
    attribute_scores *s = attribute_scores_new(a, way, 0);
    s->rolled = ROOM(float, a->layer.n * a->n * a->n);
    return s;
}

/* ---- attention rollout ---- */

typedef struct { const attribution *a; double *mix; } patterns;         /* mix [n, n] of a layer */

static sonde_status take_pattern(const sonde_answer *x, void *user, sonde_error *err) {
    (void)err;
    const patterns *p = user;
    const int64_t heads = x->value.dim[0], rows = x->value.dim[1], keys = x->value.dim[2], n = p->a->n;
    for (int64_t h = 0; h < heads; h++)
        for (int64_t t = 0; t < rows; t++)
            for (int64_t s = 0; s < keys && s < n; s++)
                p->mix[(x->first + t) * n + s] += (double)x->value.data[(h * rows + t) * keys + s] / (double)(2 * heads);
    return SONDE_OK;
}

sonde_status attribute_rollout(attribution *a, sonde_error *err) {
    attribute_scores *s = layered(a, WAY_ROLLOUT);
    const int64_t n = a->n;
    double *mix = ROOM(double, a->layer.n * n * n);
    sonde_status status = SONDE_OK;
    for (int64_t l = 0; l < a->layer.n && status == SONDE_OK; l++) {
        char site[160];
        patterns p = { a, mix + l * n * n };
        snprintf(site, sizeof site, "%s.attn.hook_pattern", a->layer.at[l].name);
        status = attribute_look_at(a, &(attribute_look){ .site = site, .fn = take_pattern, .user = &p }, err);
        for (int64_t t = 0; t < n; t++) p.mix[t * n + t] += 0.5;
        attribute_progress(a, 1);
    }
    roll(a, mix, s);
    free(mix);
    return status;
}

/* ---- value zeroing ---- */

typedef struct {
    const attribution *a;
    float   *whole;                     /* [n, d]: the block's output with all values */
    double  *mix;                       /* [n, n]: cosine distance at t without the values of s */
    bool     keeps;                     /* the run under way is the whole one */
} zeroing;

static double cosine_distance(const float *x, const float *y, int64_t n) {
    double xy = 0, xx = 0, yy = 0;
    for (int64_t j = 0; j < n; j++) {
        xy += (double)x[j] * (double)y[j];
        xx += (double)x[j] * (double)x[j];
        yy += (double)y[j] * (double)y[j];
    }
    return xx > 0 && yy > 0 ? 1 - xy / (sqrt(xx) * sqrt(yy)) : 0;
}

static sonde_status take_output(const sonde_answer *x, void *user, sonde_error *err) {
    (void)err;
    const zeroing *z = user;
    const int64_t rows = x->value.dim[0], d = x->value.dim[1];
    if (z->keeps) {
        memcpy(z->whole + x->first * d, x->value.data, (size_t)(rows * d) * sizeof(float));
        return SONDE_OK;
    }
    for (int64_t i = 0; i < rows; i++) {
        const float *was = z->whole + (x->first + i) * d, *is = x->value.data + i * d;
        const bool same = !memcmp(was, is, (size_t)d * sizeof *is);
        z->mix[(x->first + i) * z->a->n + (int64_t)x->variant] = same ? 0 : cosine_distance(was, is, d);
    }
    return SONDE_OK;
}

static sonde_status zero_layer(attribution *a, const attribute_layer *layer, zeroing *z, sonde_error *err) {
    char site[160], text[200];
    sonde_edit **edit = ROOM(sonde_edit *, a->n);
    snprintf(site, sizeof site, "%s.%s", layer->name, a->end);
    z->keeps = true;
    sonde_status s = attribute_look_at(a, &(attribute_look){ .site = site, .fn = take_output, .user = z }, err);
    z->keeps = false;
    for (int64_t j = 0; j < a->n && s == SONDE_OK; j++) {
        snprintf(text, sizeof text, "zero:%s.attn.hook_v[%" PRId64 "]", layer->name, j);
        s = sonde_edit_parse(&edit[j], a->cx->model, text, NULL, err);
    }
    const attribute_look all = { .site = site, .edit = edit, .n_edits = (size_t)a->n, .fn = take_output, .user = z };
    if (s == SONDE_OK) s = attribute_look_at(a, &all, err);
    for (int64_t j = 0; j < a->n; j++) sonde_edit_free(edit[j]);
    free(edit);
    attribute_progress(a, a->n + 1);
    return s;
}

sonde_status attribute_zeroing(attribution *a, sonde_error *err) {
    attribute_scores *s = layered(a, WAY_ZEROING);
    const int64_t n = a->n;
    double *mix = ROOM(double, a->layer.n * n * n);
    zeroing z = { .a = a, .whole = ROOM(float, n * a->wide) };
    sonde_status status = SONDE_OK;
    s->layer = ROOM(float, a->layer.n * n * n);
    for (int64_t l = 0; l < a->layer.n && status == SONDE_OK; l++) {
        z.mix = mix + l * n * n;
        status = zero_layer(a, &a->layer.at[l], &z, err);
    }
    for (int64_t i = 0; i < a->layer.n * n * n; i++) s->layer[i] = (float)mix[i];
    roll(a, mix, s);
    free(z.whole);
    free(mix);
    return status;
}
