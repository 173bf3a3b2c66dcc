/* Rows of the residual stream through the back stage alone: what a lens reads. */
#include "run_parts.h"
#include "sonde/session.h"
#include <string.h>

static sonde_status unembed_rows(sonde_session *s, const float *x, int64_t rows, float *logits, sonde_error *err) {
    const int64_t d = s->model->config.d, v = arch_answers(&s->model->config);
    exec e = run_exec(s, (program_key){ .stage = STAGE_BACK }, -1, NULL, 0);        /* no lane: nobody edits or watches */
    e.rows = rows;
    SONDE_TRY(workspace_take(s->memory, rows * d, &e.value[e.program->in], err));
    memcpy(e.value[e.program->in], x, (size_t)(rows * d) * sizeof *x);
    SONDE_TRY(exec_forward(&e, err));
    memcpy(logits, e.value[e.program->out], (size_t)(rows * v) * sizeof *logits);
    return SONDE_OK;
}

sonde_status sonde_session_unembed(sonde_session *s, const float *x, int64_t rows, float *logits, sonde_error *err) {
    const int64_t d = s->model->config.d, v = arch_answers(&s->model->config);
    SONDE_FAIL_IF(!(s->model->config.head & (HEAD_LM | HEAD_MLM)), err, SONDE_UNSUPPORTED,
                  "the model has no unembedding, expected the head of a language model or a masked one");
    for (int64_t at = 0; at < rows; at += ROWS_OF_LOGITS) {
        const workspace_mark here = workspace_here(s->memory);
        const int64_t        n = rows - at < ROWS_OF_LOGITS ? rows - at : ROWS_OF_LOGITS;
        if (s->stop && s->stop(s->stop_user)) return sonde_fail(err, SONDE_CANCELLED, "interrupted");
        const sonde_status status = unembed_rows(s, x + at * d, n, logits + at * v, err);
        workspace_release(s->memory, here);
        if (status != SONDE_OK) return status;
    }
    return SONDE_OK;
}
