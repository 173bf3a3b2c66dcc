/* The span of a text that answers a question. */
#include "answer_spans.h"
#include "dry.h"
#include "ends.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { ANSWER_CONTEXT, ANSWER_LONGEST };

static const param params[] = {
    [ANSWER_CONTEXT] = { "context", PARAM_PAIR, "", 0, 0, "the text that the answer is in; --pair is the same, and pair in JSON lines" },
    [ANSWER_LONGEST] = { "longest", PARAM_INT, "15", 1, 1e6, "tokens of the longest span" },
    { 0 },
};

typedef struct {
    sonde_context *cx;
    int64_t        longest;
    sonde_result  *out;
    sonde_table   *answers, *spans;
    sonde_cost     cost;
} answering;

/* One question. */
typedef struct {
    size_t               prompt;
    const method_prompt *p;
    int64_t              n;
    double              *start, *end;           /* [n] probabilities */
    uint8_t             *inside;                /* [n] tokens of the context */
    sonde_split          words;                 /* of the context */
} question;

/* The context's tokens, and the one in front of all, by which models say that there is no answer. */
static void read_probs(question *q, const float *logits) {
    const sonde_tokens *t = &q->p->tokens;
    uint8_t *counts = ROOM(uint8_t, q->n);
    q->inside = ROOM(uint8_t, q->n);
    q->start = ROOM(double, q->n);
    q->end = ROOM(double, q->n);
    for (int64_t i = 0; i < q->n; i++) {
        q->inside[i] = t->text[i] == 1;
        counts[i] = q->inside[i] || (t->text[0] < 0 && t->id[i] == t->id[0]);
    }
    span_probs(logits, 0, counts, q->n, q->start);
    span_probs(logits, 1, counts, q->n, q->end);
    free(counts);
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* Bytes of the context, without white space at the ends. */
static answer trimmed(const question *q, int64_t from, int64_t to, answer_span s) {
    while (from < to && is_space(q->p->pair[from])) from++;
    while (to > from && is_space(q->p->pair[to - 1])) to--;
    return (answer){ from, to, s, s.score };
}

static answer of_tokens(const question *q, answer_span s) {
    return trimmed(q, q->p->tokens.start[s.start], q->p->tokens.end[s.end], s);
}

/* Whole words, as the tokenizer cuts them. */
static answer of_words(const question *q, answer_span s) {
    int64_t from = q->p->tokens.start[s.start], to = q->p->tokens.end[s.end];
    const int64_t last = q->p->tokens.start[s.end];
    for (int64_t i = 0; i < q->words.n_words; i++) {
        const sonde_word *w = &q->words.word[i];
        if (w->start <= q->p->tokens.start[s.start] && q->p->tokens.start[s.start] < w->end) from = w->start;
        if (w->start <= last && last < w->end) to = w->end;
    }
    return trimmed(q, from, to, s);
}

static void put(const answering *x, sonde_table *t, const question *q, size_t rank, const answer *a) {
    char *text = room_text(q->p->pair + a->start, (size_t)(a->end - a->start));
    sonde_table_row(t);
    if (prompts_many(x->cx)) sonde_cell_int(t, (int64_t)q->prompt);
    sonde_cell_int(t, (int64_t)rank);
    sonde_cell_text(t, text);
    sonde_cell_float(t, a->score);
    sonde_cell_int(t, a->start);
    sonde_cell_int(t, a->end);
    sonde_cell_int(t, a->best.start);
    sonde_cell_int(t, a->best.end);
    sonde_cell_float(t, q->start[a->best.start]);
    sonde_cell_float(t, q->end[a->best.end]);
    free(text);
}

/* As many spans are joined to answers as transformers joins. */
static void put_answers(const answering *x, const question *q) {
    const size_t     top = (size_t)x->cx->top, most = 2 * top + 10;
    const span_query all = { q->start, q->end, q->inside, q->n, x->longest };
    answer_span     *span = ROOM(answer_span, most + 1);
    answer          *list = ROOM(answer, most);
    size_t           n = 0;
    const size_t     found = spans_best(&all, most, span);
    for (size_t i = 0; i < found; i++) n = answers_add(list, n, q->p->pair, of_words(q, span[i]));
    answers_sort(list, n);
    for (size_t i = 0; i < n && i < top; i++) put(x, x->answers, q, i + 1, &list[i]);
    for (size_t i = 0; i < found && i < top; i++) {
        const answer a = of_tokens(q, span[i]);
        put(x, x->spans, q, i + 1, &a);
    }
    free(list);
    free(span);
}

/* Every span that may be one; the others are missing. */
static void put_scores(const answering *x, const question *q) {
    int64_t n = 0, at = 0;
    char    name[40] = "scores";
    for (int64_t i = 0; i < q->n; i++) n += q->inside[i];
    if (prompts_many(x->cx)) snprintf(name, sizeof name, "%zu/scores", q->prompt);
    sonde_array *a = sonde_result_array(x->out, name, "start end", (const int64_t[]){ n, n });
    float       *to = sonde_array_data(a);
    sonde_array_quiet(a);
    for (int64_t i = 0; i < q->n; i++) {
        if (!q->inside[i]) continue;
        const sonde_token t = context_token(x->cx, q->p->tokens.id[i]);
        sonde_array_label_token(a, 0, t);
        sonde_array_label_token(a, 1, t);
        for (int64_t k = 0; k < q->n; k++) {
            if (!q->inside[k]) continue;
            const bool may = k >= i && k < i + x->longest;
            to[at] = may ? (float)(q->start[i] * q->end[k]) : NAN;
            if (!may) sonde_array_missing(a, at);
            at++;
        }
    }
    sonde_result_view(x->out, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = name, .root = true, .title = "Score of every span" });
}

static sonde_status ask(answering *x, question *q, sonde_error *err) {
    const sonde_context *cx = x->cx;
    const end_query      e = { .cx = cx, .prompt = q->prompt, .p = context_prompt(cx, q->prompt), .site = "qa.hook_out" };
    end_values           v;
    SONDE_FAIL_IF(!q->p->pair, err, SONDE_USAGE, "a question without a text, expected --context beside it");
    if (cx->dry_run) return end_cost(&e, &x->cost, err);
    SONDE_TRY(sonde_split_text(cx->model, q->p->pair, q->p->pair_len, cx->tokenize, &q->words, err));
    const sonde_status s = end_read(&e, &v, err);
    if (s == SONDE_OK) {
        read_probs(q, v.data);
        put_answers(x, q);
        put_scores(x, q);
    }
    free(v.data);
    return s;
}

static sonde_table *table(const answering *x, const char *name) {
    sonde_table *t = sonde_result_table(x->out, name);
    if (prompts_many(x->cx)) sonde_table_column(t, "prompt", SONDE_INT, "");
    sonde_table_column(t, "rank", SONDE_INT, "");
    sonde_table_column(t, "answer", SONDE_TEXT, "");
    sonde_table_column(t, "score", SONDE_FLOAT, "");
    sonde_table_column(t, "start", SONDE_INT, "byte");
    sonde_table_column(t, "end", SONDE_INT, "byte");
    sonde_table_column(t, "first", SONDE_INT, "");
    sonde_table_column(t, "last", SONDE_INT, "");
    sonde_table_column(t, "prob_start", SONDE_FLOAT, "");
    sonde_table_column(t, "prob_end", SONDE_FLOAT, "");
    return t;
}

extern const method method_answer;

static sonde_status answer_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    answering x = { .cx = cx, .longest = args[ANSWER_LONGEST].i, .out = out };
    context_head(cx, &method_answer, out);
    SONDE_TRY(end_needed(cx, SONDE_HEAD_QA, err));
    if (!cx->dry_run) x.answers = table(&x, "answers"), x.spans = table(&x, "spans");
    for (size_t i = 0; i < cx->n_prompts; i++) {
        question q = { .prompt = i, .p = &cx->prompts[i], .n = cx->prompts[i].tokens.n };
        const sonde_status s = ask(&x, &q, err);
        free(q.start);
        free(q.end);
        free(q.inside);
        sonde_split_free(&q.words);
        if (s != SONDE_OK) return end_fail_at(cx, i, s, err);
    }
    if (cx->dry_run) dry_cost(out, (int64_t)cx->n_prompts, x.cost);
    return SONDE_OK;
}

const method method_answer = {
    .name = "answer",
    .summary = "the span of a text that answers a question, with the score of every span",
    .reference = "Devlin, Chang, Lee and Toutanova, BERT: Pre-training of Deep Bidirectional Transformers for Language "
                 "Understanding, 2019; how spans are chosen: Chen, Fisch, Weston and Bordes, Reading Wikipedia to Answer "
                 "Open-Domain Questions, 2017",
    .formula = "prob_start, prob_end: softmax of the head's two logits over the tokens of the context and the text's first token "
               "(by which models say that there is no answer). scores, spans: prob_start of the first token times prob_end of the "
               "last, first <= last < first + --longest, both in the context; the --top largest. answers: the 2 --top + 10 "
               "largest spans drawn out to whole words; those of one text (A and a alike) are one answer, whose score is their "
               "sum and whose first, last are those of the largest; as transformers' question answering pipeline. start, end: "
               "bytes of the context, end not included. The whole context is read at once, longer than the model's is an error",
    .example = "answer -m bert_qa \"Who hears?\" --context \"the dogs, cat\"",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | MANY_PROMPTS | TAKES_EDITS,
    .run = answer_run,
};
