#include "predictions.h"
#include "room.h"

typedef struct {
    const predictions_query *q;
    prediction *out;
    float      *before;         /* logits of variant 0 */
    double     *prob;           /* their probabilities */
    double     *log_sum;        /* of each of their rows */
    int64_t     v;
} taking;

static sonde_status take_row(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    taking        *t = user;
    const float   *row = a->value.data;
    const int64_t  at = a->first, rows = t->q->prompt.n - 1;
    const sonde_logit_stats s = sonde_logits_stats(row, t->v);
    prediction *p = &t->out[(int64_t)a->variant * rows + at];
    *p = (prediction){ .loss = s.log_sum - (double)row[t->q->prompt.tokens[at + 1]], .entropy_bits = s.entropy_bits, .best = s.argmax };
    if (t->q->n == 1) return SONDE_OK;              /* nobody is held against it */
    if (a->variant == 0) {
        memcpy(t->before + at * t->v, row, (size_t)t->v * sizeof *row);
        t->log_sum[at] = s.log_sum;
        sonde_logits_probs(row, t->v, s.log_sum, t->prob + at * t->v);
    } else {
        const sonde_known_logits before = { t->before + at * t->v, t->log_sum[at], t->prob + at * t->v };
        p->kl_nats = sonde_logits_kl_probs(&before, row, s.log_sum, t->v);
    }
    return SONDE_OK;
}

typedef sonde_status (*batch_fn)(const sonde_context *cx, const sonde_batch *b, void *user, sonde_error *err);

static sonde_status with_batch(const sonde_context *cx, const predictions_query *q, batch_fn fn, void *user, sonde_error *err) {
    const int64_t rows = q->prompt.n - 1;
    int64_t *at = ROOM(int64_t, rows);
    for (int64_t i = 0; i < rows; i++) at[i] = i;
    const sonde_want  want = { .kind = SONDE_WANT_LOGITS, .at = at, .n_at = (size_t)rows };
    const sonde_batch b = { .bases = &q->prompt, .n_bases = 1, .variants = q->variant, .n_variants = q->n, .wants = &want,
                            .n_wants = 1, .runs = cx->runs, .n_runs = cx->n_runs, .seed = cx->seed };
    const sonde_status s = fn(cx, &b, user, err);
    free(at);
    return s;
}

static sonde_status run_batch(const sonde_context *cx, const sonde_batch *b, void *user, sonde_error *err) {
    return sonde_variants_run(cx->session, b, take_row, user, err);
}

static sonde_status cost_batch(const sonde_context *cx, const sonde_batch *b, void *user, sonde_error *err) {
    return sonde_variants_cost(cx->session, b, user, err);
}

sonde_status predictions_of(const sonde_context *cx, const predictions_query *q, prediction *out, sonde_error *err) {
    const int64_t rows = q->prompt.n - 1, v = sonde_model_describe(cx->model)->vocab;
    if (rows < 1) return SONDE_OK;
    taking t = { q, out, ROOM(float, rows * v), ROOM(double, rows * v), ROOM(double, rows), v };
    const sonde_status s = with_batch(cx, q, run_batch, &t, err);
    free(t.before);
    free(t.prob);
    free(t.log_sum);
    return s;
}

sonde_status predictions_cost(const sonde_context *cx, const predictions_query *q, sonde_cost *out, sonde_error *err) {
    *out = (sonde_cost){ 0 };
    return q->prompt.n < 2 ? SONDE_OK : with_batch(cx, q, cost_batch, out, err);
}
