#include "head_scores.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { PERIOD = 50 };

/* ---- the heads ---- */

static sonde_status keep_layer(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    pattern_heads *p = user;
    for (size_t i = 0; i < p->n_layers; i++) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%ld.attn.hook_pattern", p->layer[i]);
        if (!strcmp(name, s->name)) snprintf(p->site[i], sizeof p->site[i], "%s", name);
    }
    return SONDE_OK;
}

sonde_status pattern_heads_open(pattern_heads *p, const sonde_context *cx, const param *rows, const value *args,
                                sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(cx->model);
    SONDE_TRY(param_numbers(&rows[0], args[0].text, (long)info->layers, &p->layer, &p->n_layers, err));
    SONDE_TRY(param_numbers(&rows[1], args[1].text, (long)info->heads, &p->head, &p->n_heads, err));
    p->site = room_bytes(p->n_layers, sizeof *p->site);
    SONDE_TRY(sonde_sites(cx->model, &(sonde_site_query){ NULL, cx->edits, cx->n_edits, 1, 0 }, keep_layer, p, err));
    size_t n = 0;
    for (size_t i = 0; i < p->n_layers; i++) {
        SONDE_FAIL_IF(!*p->site[i] && strcmp(args[0].text, "all") != 0, err, SONDE_USAGE,
                      "layers: the attention of block %ld is skipped", p->layer[i]);
        if (!*p->site[i]) continue;
        memmove(p->site[n], p->site[i], sizeof *p->site);
        p->layer[n++] = p->layer[i];
    }
    p->n_layers = n;
    SONDE_FAIL_IF(n == 0, err, SONDE_USAGE, "the attention of every block is skipped");
    return SONDE_OK;
}

void pattern_heads_close(pattern_heads *p) {
    free(p->layer);
    free(p->head);
    free(p->site);
}

/* ---- runs ---- */

typedef struct { sonde_answer_fn fn; void *user; sonde_cost *cost; } way;

static sonde_status with_batch(const pattern_query *q, const way *w, sonde_error *err) {
    const sonde_context *cx = q->cx;
    const sonde_variant  v = { 0, q->edited ? cx->edits : NULL, q->edited ? cx->n_edits : 0 };
    const size_t n = q->heads->n_layers;
    sonde_want *want = ROOM(sonde_want, n);
    for (size_t i = 0; i < n; i++) want[i] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = q->heads->site[i] };
    const sonde_batch b = { .bases = &q->prompt, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want, .n_wants = n,
                            .runs = q->runs, .n_runs = q->edited ? q->n_runs : 0, .seed = cx->seed };
    const sonde_status s = w->cost ? sonde_variants_cost(cx->session, &b, w->cost, err)
                                   : sonde_variants_run(cx->session, &b, w->fn, w->user, err);
    free(want);
    return s;
}

sonde_status pattern_run(const pattern_query *q, sonde_answer_fn fn, void *user, sonde_error *err) {
    return with_batch(q, &(way){ .fn = fn, .user = user }, err);
}

sonde_status pattern_cost(const pattern_query *q, sonde_cost *out, sonde_error *err) {
    return with_batch(q, &(way){ .cost = out }, err);
}

/* ---- scores ---- */

static void count(score *s, double v) {
    s->sum += v;
    s->n++;
}

int64_t row_end(const sonde_context *cx, int64_t i, int64_t keys) {
    return sonde_model_describe(cx->model)->bidirectional ? keys : i + 1;
}

double head_row_mass(const head_row *r) {
    if (r->from == 0) return 1;
    double all = 0;
    for (int64_t s = r->from; s < r->end; s++) all += (double)r->row[s];
    return all;
}

/* Earlier places of the token, and the places behind them (not the position itself). */
static void add_repeats(score sum[SCORES], const head_row *r, double all) {
    bool   earlier = false, behind = false;
    double same = 0, next = 0;
    for (int64_t s = 0; s < r->i; s++) {
        if (r->tokens[s] != r->tokens[r->i]) continue;
        if (s >= r->from) {
            earlier = true;
            same += (double)r->row[s];
        }
        if (s + 1 == r->i) continue;
        behind = true;
        next += (double)r->row[s + 1];
    }
    if (earlier) count(&sum[SCORE_DUPLICATE], same / all);
    if (behind) count(&sum[SCORE_INDUCTION], next / all);
}

void scores_add_row(score sum[SCORES], const head_row *r) {
    const int64_t i = r->i;
    if (i > 0) count(&sum[SCORE_FIRST], (double)r->row[0]);
    const double all = head_row_mass(r);
    if (i < r->from || !(all > 0)) return;
    double entropy = 0, distance = 0;
    for (int64_t s = r->from; s < r->end; s++) {
        const double p = (double)r->row[s] / all;
        if (p > 0) entropy -= p * log2(p);
        distance += p * fabs((double)(i - s));
    }
    count(&sum[SCORE_ENTROPY], entropy);
    count(&sum[SCORE_DISTANCE], distance);
    count(&sum[SCORE_SELF], (double)r->row[i] / all);
    if (i - 1 >= r->from) count(&sum[SCORE_PREVIOUS], (double)r->row[i - 1] / all);
    add_repeats(sum, r, all);
}

/* ---- random ids twice ---- */

/* splitmix64 (Steele, Lea and Flood, 2014): the same draws everywhere. */
static uint64_t draw(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Never BOS or the end-of-text token. */
static void draw_ids(repeated_ids *r, const sonde_model_info *info, uint64_t state) {
    int32_t *id = ROOM(int32_t, info->vocab);
    int64_t  n = 0;
    r->id = ROOM(int32_t, r->bos + 2 * r->period);
    for (int32_t i = 0; i < info->vocab; i++)
        if (i != info->bos && i != info->eos) id[n++] = i;
    if (r->bos) r->id[0] = info->bos;
    for (int64_t i = 0; i < r->period; i++) {
        const int64_t j = i + (int64_t)((double)(draw(&state) >> 11) * 0x1p-53 * (double)(n - i));
        const int32_t swapped = id[j];
        id[j] = id[i];
        id[i] = swapped;
        r->id[r->bos + i] = r->id[r->bos + r->period + i] = swapped;
    }
    free(id);
}

void repeated_ids_open(repeated_ids *r, const sonde_context *cx, sonde_result *out) {
    const sonde_model_info *info = sonde_model_describe(cx->model);
    *r = (repeated_ids){ .bos = info->bos >= 0, .period = PERIOD };
    if (r->period > (info->context - r->bos) / 2) r->period = (info->context - r->bos) / 2;
    if (r->period > info->vocab - 2) r->period = info->vocab - 2;
    if (r->period < 2) r->period = 0;
    draw_ids(r, info, cx->seed);
    if (r->period == PERIOD) return;
    char note[160];
    snprintf(note, sizeof note,
             r->period ? "induction: 2 x %" PRId64 " random ids, as many as the context of %" PRId64 " holds"
             : "induction: not measured, %" PRId64 " ids twice do not fit into the context of %" PRId64,
             r->period ? r->period : 2, info->context);
    sonde_result_note(out, note);
}

void repeated_ids_close(repeated_ids *r) { free(r->id); }

sonde_prompt repeated_ids_prompt(const repeated_ids *r) {
    return (sonde_prompt){ .tokens = r->id, .n = r->bos + 2 * r->period };
}

void repeated_ids_take(const repeated_ids *r, const pattern_heads *heads, const sonde_answer *a, score *sum) {
    const int64_t rows = a->value.dim[1], keys = a->value.dim[2];
    for (size_t h = 0; h < heads->n_heads; h++)
        for (int64_t t = 0; t < rows; t++) {
            const int64_t i = a->first + t;
            if (i < r->bos + r->period) continue;
            const int64_t at = (heads->head[h] * rows + t) * keys + i - r->period + 1;
            count(&sum[a->want * heads->n_heads + h], (double)a->value.data[at]);
        }
}
