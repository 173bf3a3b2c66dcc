/* Rows of the residual stream through the back stage alone: what a lens reads. */
#include "base/pool.h"
#include "run_parts.h"
#include "sonde/session.h"
#include <string.h>

/* *logits: where they are to stand; NULL: in the workspace, until the caller releases it. */
static sonde_status unembed_rows(sonde_session *s, const float *x, int64_t rows, float **logits, sonde_error *err) {
    const int64_t d = s->model->config.d;
    SONDE_FAIL_IF(!(s->model->config.head & (HEAD_LM | HEAD_MLM)), err, SONDE_UNSUPPORTED,
                  "the model has no unembedding, expected the head of a language model or a masked one");
    if (s->stop && s->stop(s->stop_user)) return sonde_fail(err, SONDE_CANCELLED, "interrupted");
    exec e = run_exec(s, (program_key){ .stage = STAGE_BACK }, -1, NULL, 0);        /* no lane: nobody edits or watches */
    e.rows = rows;
    SONDE_TRY(workspace_take(s->memory, rows * d, &e.value[e.program->in], err));
    memcpy(e.value[e.program->in], x, (size_t)(rows * d) * sizeof *x);
    e.value[e.program->out] = *logits;
    SONDE_TRY(exec_forward(&e, err));
    *logits = e.value[e.program->out];
    return SONDE_OK;
}

sonde_status sonde_session_unembed(sonde_session *s, const float *x, int64_t rows, float *logits, sonde_error *err) {
    const int64_t d = s->model->config.d, v = arch_answers(&s->model->config);
    const int64_t most = run_rows_of_logits(s);
    for (int64_t at = 0; at < rows; at += most) {
        const workspace_mark here = workspace_here(s->memory);
        const int64_t        n = rows - at < most ? rows - at : most;
        float               *to = logits + at * v;
        const sonde_status   status = unembed_rows(s, x + at * d, n, &to, err);
        workspace_release(s->memory, here);
        if (status != SONDE_OK) return status;
    }
    return SONDE_OK;
}

typedef struct { const sonde_unembedding *u; const float *logits; int64_t size; } groups;

static void each(void *ctx, int64_t lo, int64_t hi) {
    const groups *g = ctx;
    for (int64_t i = lo; i < hi; i++) g->u->fn(g->u->user, i, g->logits + i * g->size);
}

sonde_status sonde_session_unembed_each(sonde_session *s, const sonde_unembedding *u, sonde_error *err) {
    const workspace_mark here = workspace_here(s->memory);
    float *logits = NULL;
    const sonde_status status = unembed_rows(s, u->x, u->groups * u->rows, &logits, err);
    groups g = { .u = u, .logits = logits, .size = u->rows * arch_answers(&s->model->config) };
    if (status == SONDE_OK) pool_for(pool_shared(), s->threads, u->groups, each, &g);
    workspace_release(s->memory, here);
    return status;
}
