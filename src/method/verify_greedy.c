/* First sonde's own generation, with its cache. Where it differs, one run over prompt and reference says of every token
 * whether it is the best one or so near that they may swap; what follows a swap is then judged on the reference's path. */
#include "verify_greedy.h"
#include "room.h"
#include <math.h>
#include <stdio.h>

static const double NEAR = 1e-4;

typedef struct {
    const replay  *r;
    const int32_t *want; int64_t n;
    int64_t        seen, first;         /* generated so far; the first that differs, -1: none */
    int64_t        excused;
    bool           agrees;
    int64_t        vocab;
} walk;

static sonde_status take_token(const sonde_generated *g, void *user, sonde_error *err) {
    (void)err;
    walk *w = user;
    if (w->first < 0 && g->id != w->want[w->seen]) w->first = w->seen;
    w->seen++;
    return SONDE_OK;
}

/* The reference's best logit minus its second best at token i, from its note "gaps" ("[0.3, 1.2, ..]"); -1: not there. */
static double gap_of(const replay *r, int64_t i) {
    const char *text = replay_note(r, "gaps");
    if (!text || *text != '[') return -1;
    text++;
    while (i-- > 0) {
        text = strchr(text, ',');
        if (!text) return -1;
        text++;
    }
    char *end;
    const double v = strtod(text, &end);
    return end == text ? -1 : v;
}

static sonde_status take_logits(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    walk *w = user;
    int64_t given;
    replay_rows(w->r, &given);
    const int64_t i = a->first - (given - 1);
    const int32_t want = w->want[i], best = sonde_logits_stats(a->value.data, w->vocab).argmax;
    if (best == want) return SONDE_OK;
    const double gap = gap_of(w->r, i), own = (double)a->value.data[best] - (double)a->value.data[want];
    if (gap >= 0 ? gap < NEAR && own < 2 * NEAR : own < NEAR) w->excused++;
    else w->agrees = false;
    return SONDE_OK;
}

/* Prompt and reference in one run: logits at every place from which a token was chosen. */
static sonde_status judge(sonde_context *cx, walk *w, sonde_error *err) {
    const replay *r = w->r;
    int64_t        given;
    const int32_t *rows = replay_rows(r, &given);
    const int64_t  n = given + w->n - 1;
    int32_t *tokens = ROOM(int32_t, n);
    int64_t *at = ROOM(int64_t, w->n);
    memcpy(tokens, rows, (size_t)given * sizeof *tokens);
    for (int64_t i = 0; i < w->n - 1; i++) tokens[given + i] = w->want[i];
    for (int64_t i = 0; i < w->n; i++) at[i] = given - 1 + i;
    const sonde_prompt  p = replay_with(r, tokens, n, given);
    const sonde_variant v = { 0, (const sonde_edit *const *)r->edit, r->n_edits };
    const sonde_want    want = { .kind = SONDE_WANT_LOGITS, .at = at, .n_at = (size_t)w->n };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &want, .n_wants = 1,
                              .runs = r->run, .n_runs = r->n_runs, .seed = r->seed };
    const sonde_status s = sonde_variants_run(cx->session, &b, take_logits, w, err);
    free(tokens);
    free(at);
    return s;
}

static sonde_status read_want(const replay *r, size_t which, int64_t vocab, int32_t *out, int64_t n, sonde_error *err) {
    int64_t *wide = ROOM(int64_t, n);
    sonde_status s = sonde_array_read_int(r->file, which, 0, n, wide, err);
    for (int64_t i = 0; i < n && s == SONDE_OK; i++) {
        out[i] = (int32_t)wide[i];
        if (wide[i] < 0 || wide[i] >= vocab)
            s = sonde_fail(err, SONDE_FORMAT, "tensor greedy: %lld is no id of this model", (long long)wide[i]);
    }
    free(wide);
    return s;
}

static sonde_status check(sonde_context *cx, walk *w, greedy_check *out, sonde_error *err) {
    const replay      *r = w->r;
    int64_t            given;
    const int32_t     *rows = replay_rows(r, &given);
    const sonde_prompt p = replay_with(r, rows, given, 0);
    const sonde_writing what = { .prompts = &p, .n_prompts = 1, .edits = (const sonde_edit *const *)r->edit,
                                 .n_edits = r->n_edits, .runs = r->run, .n_runs = r->n_runs,
                                 .sampling = { .n = w->n, .seed = r->seed, .ignore_eos = true } };
    SONDE_TRY(sonde_generate(cx->session, &what, take_token, w, err));
    if (w->first >= 0) SONDE_TRY(judge(cx, w, err));
    *out = (greedy_check){ w->n, w->first, w->excused, w->agrees && w->seen == w->n };
    return SONDE_OK;
}

sonde_status verify_greedy(sonde_context *cx, const replay *r, size_t which, greedy_check *out, sonde_error *err) {
    const sonde_array_spec *s = sonde_array_file_spec(r->file, which);
    const int64_t vocab = sonde_model_describe(cx->model)->vocab, n = s->rank == 1 ? s->dim[0] : 0;
    *out = (greedy_check){ .n = n, .first = -1, .agrees = s->rank == 1 };
    if (n == 0) return SONDE_OK;
    int32_t *want = ROOM(int32_t, n);
    walk     w = { .r = r, .want = want, .n = n, .first = -1, .agrees = true, .vocab = vocab };
    sonde_status status = read_want(r, which, vocab, want, n, err);
    if (status == SONDE_OK) status = check(cx, &w, out, err);
    free(want);
    return status;
}
