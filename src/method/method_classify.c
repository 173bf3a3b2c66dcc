/* What a classifier says of a text, or a next sentence head of a pair. */
#include "dry.h"
#include "ends.h"
#include "room.h"
#include <math.h>

static const param params[] = { { 0 } };

/* How logits become probabilities, as transformers' pipelines do it. */
typedef enum { PROBS_SOFTMAX, PROBS_SIGMOID, PROBS_NONE } probs_kind;
typedef struct {
    sonde_context *cx;
    bool           nsp;                         /* the next sentence head, of a model without labels */
    probs_kind     kind;
    sonde_table   *classes, *answers;
    sonde_cost     cost;
} classifying;

static probs_kind kind_of(const sonde_model_info *m, bool nsp) {
    if (nsp) return PROBS_SOFTMAX;
    if (m->problem && !strcmp(m->problem, "regression")) return PROBS_NONE;
    if (m->labels == 1 || (m->problem && !strcmp(m->problem, "multi_label_classification"))) return PROBS_SIGMOID;
    return PROBS_SOFTMAX;
}

static const char *label(const classifying *c, int64_t i) {
    static const char *const next[] = { "is_next", "not_next" };
    return c->nsp ? next[i] : sonde_model_label(c->cx->model, i);
}

static double prob(const classifying *c, const end_values *v, int64_t i) {
    switch (c->kind) {
    case PROBS_SOFTMAX: return sonde_logits_prob(v->data, v->cols, (int32_t)i);
    case PROBS_SIGMOID: {                       /* as a softmax beside a logit of 0 */
        const float pair[2] = { v->data[i], 0 };
        return sonde_logits_prob(pair, 2, 0);
    }
    case PROBS_NONE: break;
    }
    return (double)NAN;
}

static void columns(const classifying *c, sonde_table *t) {
    if (prompts_many(c->cx)) sonde_table_column(t, "prompt", SONDE_INT, "");
    sonde_table_column(t, "class", SONDE_INT, "");
    sonde_table_column(t, "label", SONDE_TEXT, "");
    sonde_table_column(t, "logit", SONDE_FLOAT, "");
    sonde_table_column(t, "prob", SONDE_FLOAT, "");
}

static void put(const classifying *c, sonde_table *t, size_t prompt, const end_values *v, int64_t i) {
    sonde_table_row(t);
    if (prompts_many(c->cx)) sonde_cell_int(t, (int64_t)prompt);
    sonde_cell_int(t, i);
    sonde_cell_text(t, label(c, i));
    sonde_cell_float(t, v->data[i]);
    put_defined(t, prob(c, v, i));
}

static void put_all(const classifying *c, size_t prompt, const end_values *v) {
    for (int64_t i = 0; i < v->cols; i++) put(c, c->classes, prompt, v, i);
    int32_t best;
    if (sonde_logits_top(v->data, v->cols, 1, &best)) put(c, c->answers, prompt, v, best);
}

static sonde_status run_prompt(classifying *c, size_t i, sonde_error *err) {
    const end_query q = { .cx = c->cx, .prompt = i, .p = context_prompt(c->cx, i),
                          .site = c->nsp ? "nsp_head.hook_nsp_out" : "classifier.hook_out" };
    end_values v;
    if (c->cx->dry_run) return end_cost(&q, &c->cost, err);
    const sonde_status s = end_read(&q, &v, err);
    if (s == SONDE_OK) put_all(c, i, &v);
    free(v.data);
    return s;
}

static void make_tables(classifying *c, sonde_result *out) {
    c->classes = sonde_result_table(out, "classes");
    c->answers = sonde_result_table(out, "answers");
    columns(c, c->classes);
    columns(c, c->answers);
    const bool many = prompts_many(c->cx);
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = "classes", .x = "label",
                                            .value = c->kind == PROBS_NONE ? "logit" : "prob", .panel = many ? "prompt" : NULL,
                                            .title = c->nsp ? "Does the second text follow the first" : "Labels" });
}

/* A next sentence head was trained on pairs. */
static void note_pairs(const classifying *c, sonde_result *out) {
    for (size_t i = 0; i < c->cx->n_prompts; i++)
        if (c->nsp && c->cx->prompts[i].text && !c->cx->prompts[i].pair) {
            sonde_result_note(out, "the next sentence head reads two texts: give the second with --pair");
            return;
        }
}

extern const method method_classify;

static sonde_status classify_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    (void)args;
    const sonde_model_info *m = sonde_model_describe(cx->model);
    const bool  nsp = !(m->head & SONDE_HEAD_CLASS) && m->head & SONDE_HEAD_NSP;
    classifying c = { .cx = cx, .nsp = nsp, .kind = kind_of(m, nsp) };
    context_head(cx, &method_classify, out);
    if (!nsp) SONDE_TRY(end_needed(cx, SONDE_HEAD_CLASS, err));
    if (!cx->dry_run) make_tables(&c, out);
    note_pairs(&c, out);
    for (size_t i = 0; i < cx->n_prompts; i++) {
        const sonde_status s = run_prompt(&c, i, err);
        if (s != SONDE_OK) return end_fail_at(cx, i, s, err);
    }
    if (cx->dry_run) dry_cost(out, (int64_t)cx->n_prompts, c.cost);
    return SONDE_OK;
}

const method method_classify = {
    .name = "classify",
    .summary = "labels of a text or a pair of texts, with their probabilities; does one text follow another",
    .reference = NULL,
    .formula = "classes: logit: of the classifier's head; prob: softmax over the labels; sigmoid of each logit where "
               "config.json says problem_type multi_label_classification or has one label; none where it says regression. "
               "label: id2label's name. answers: the class with the largest logit. A model without labels that has a next "
               "sentence head: is_next, not_next for the text and its --pair",
    .example = "classify -m encoder \"The bell with the houses are sweet.\"",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | MANY_PROMPTS | TAKES_EDITS,
    .run = classify_run,
};
