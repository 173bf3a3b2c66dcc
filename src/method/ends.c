#include "ends.h"
#include "room.h"
#include <stdio.h>

static const struct { sonde_head head; const char *what, *has; } rows[] = {
    { SONDE_HEAD_LM, "a head for the next token", "a checkpoint whose class ends in ForCausalLM, LMHeadModel or ForConditionalGeneration" },
    { SONDE_HEAD_MLM, "a masked LM's head", "a checkpoint whose class ends in ForMaskedLM or ForPreTraining" },
    { SONDE_HEAD_CLASS, "a classifier", "a checkpoint whose class ends in ForSequenceClassification or ForNextSentencePrediction" },
    { SONDE_HEAD_QA, "a head for questions", "a checkpoint whose class ends in ForQuestionAnswering" },
    { SONDE_HEAD_POOLER, "a pooler", "a plain checkpoint that was saved with one" },
};

sonde_status end_needed(const sonde_context *cx, sonde_head head, sonde_error *err) {
    const sonde_model_info *m = sonde_model_describe(cx->model);
    char text[80] = "no head";
    if (m->head & (unsigned)head) return SONDE_OK;
    size_t used = 0;
    for (unsigned h = 1; h <= SONDE_HEAD_QA && used < sizeof text; h *= 2)
        if (m->head & h) used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "", sonde_head_name((sonde_head)h));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].head == head)
            return sonde_fail(err, SONDE_UNSUPPORTED, "the model has %s, expected %s: %s has it%s", text, rows[i].what, rows[i].has,
                              m->head & SONDE_HEAD_LM && head == SONDE_HEAD_MLM ? " (this one goes on with a text: sonde generate)" : "");
    return sonde_fail(err, SONDE_UNSUPPORTED, "the model has %s, expected %s", text, sonde_head_name(head));
}

sonde_status end_fail_at(const sonde_context *cx, size_t prompt, sonde_status s, sonde_error *err) {
    return prompts_many(cx) && s != SONDE_OK ? sonde_fail_at(err, s, "prompt %zu", prompt) : s;
}

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    end_values *v = user;
    const sonde_view *x = &a->value;
    const bool by_row = a->site && sonde_axes_rows(x->axes) < 0;        /* of the whole text */
    const int64_t n = by_row || x->rank == 1 ? 1 : x->dim[0];
    int64_t items = 1;
    for (int i = 0; i < x->rank; i++) items *= x->dim[i];
    const size_t had = (size_t)(v->rows * v->cols);
    v->cols = items / n;
    v->data = room_grow(v->data, had, (size_t)items, sizeof *v->data);
    memcpy(v->data + had, x->data, (size_t)items * sizeof *v->data);
    v->rows += n;
    return SONDE_OK;
}

/* cost NULL: run it. */
static sonde_status run(const end_query *q, end_values *out, sonde_cost *cost, sonde_error *err) {
    const sonde_context *cx = q->cx;
    prompt_runs runs;
    const sonde_variant v = { 0, cx->edits, cx->n_edits };
    const sonde_want    w = { .kind = q->site ? SONDE_WANT_SITE : SONDE_WANT_LOGITS, .sites = q->site, .at = q->at, .n_at = q->n_at };
    sonde_status s = prompt_runs_open(&runs, cx, q->prompt, err);
    const sonde_batch b = { .bases = &q->p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &w, .n_wants = 1,
                            .runs = runs.run, .n_runs = runs.n, .seed = cx->seed };
    if (s == SONDE_OK) s = cost ? sonde_variants_cost(cx->session, &b, cost, err)
                                : sonde_variants_run(cx->session, &b, take, out, err);
    prompt_runs_close(&runs);
    return s;
}

sonde_status end_read(const end_query *q, end_values *out, sonde_error *err) {
    *out = (end_values){ 0 };
    return run(q, out, NULL, err);
}

sonde_status end_cost(const end_query *q, sonde_cost *sum, sonde_error *err) {
    sonde_cost one;
    SONDE_TRY(run(q, NULL, &one, err));
    *sum = (sonde_cost){ sum->flops + one.flops, sum->rows + one.rows, one.bytes > sum->bytes ? one.bytes : sum->bytes };
    return SONDE_OK;
}

sonde_status method_fits(const sonde_context *cx, const method *m, sonde_error *err) {
    const bool asked = m->takes & NEXT_TOKENS && sonde_model_describe(cx->model)->layers;
    return asked ? end_needed(cx, SONDE_HEAD_LM, err) : SONDE_OK;
}
