/* Metrics from their text and back: sums of products of signed terms, by recursive descent. */
#include "base/text.h"
#include "edit_text.h"
#include "metric_tree.h"
#include "model_data.h"
#include <string.h>

const metric_function_row metric_functions[METRIC_FUNCTION_COUNT] = {
#define F(id, word, token, run, position, gradient) [METRIC_##id] = { word, token, run, position, gradient },
    METRIC_FUNCTIONS(F)
#undef F
};

typedef struct {
    reader        r;
    sonde_metric *x;
    const char   *answer, *wrong;
    int           depth;
} metric_reader;

static bool take(metric_reader *p, char c) {
    reader_blanks(&p->r);
    return reader_take(&p->r, c);
}

static sonde_status add_node(metric_reader *p, metric_node node, int *out) {
    SONDE_FAIL_IF(p->x->n == MOST_NODES, p->r.err, SONDE_USAGE, "more than %d parts, expected fewer", MOST_NODES);
    *out = p->x->n++;
    p->x->node[*out] = node;
    return SONDE_OK;
}

/* Terms */

/* `answer` and `wrong` stand for texts that came with the prompt; they are printed back as these texts. */
static sonde_status given_token(metric_reader *p, const char *word, const char *text, metric_term *t) {
    SONDE_FAIL_IF(!text, p->r.err, SONDE_USAGE, "%s has no meaning here: none was given with the prompt", word);
    t->token_text = text_quoted(p->r.a, text, strlen(text));
    return sonde_token_single(p->r.model, text, strlen(text), &t->token, p->r.err);
}

/* Of a model that does not answer with tokens, #ID is one of what it answers with. */
static sonde_status check_answer(const metric_reader *p) {
    const sonde_model *m = p->r.model;
    const int64_t      n = arch_answers(&m->config);
    reader             ahead = p->r;
    int64_t            id;
    if (!n || n == m->config.vocab || !reader_take(&ahead, '#')) return SONDE_OK;
    SONDE_TRY(reader_integer(&ahead, &id));
    const char *first = sonde_model_label(m, 0), *last = sonde_model_label(m, n - 1);
    SONDE_FAIL_IF((id < 0 || id >= n) && first, p->r.err, SONDE_USAGE, "#%lld is no label, expected #0 (%s) to #%lld (%s)", (long long)id,
                  name_shown(first).text, (long long)n - 1, name_shown(last).text);
    SONDE_FAIL_IF(id < 0 || id >= n, p->r.err, SONDE_USAGE, "#%lld is none of the model's %lld answers, expected #0 to #%lld",
                  (long long)id, (long long)n, (long long)n - 1);
    return SONDE_OK;
}

static sonde_status read_token(metric_reader *p, metric_term *t) {
    reader_blanks(&p->r);
    const char *start = p->r.at;
    SONDE_TRY(check_answer(p));
    if (*start == '"' || *start == '#') return reader_token(&p->r, &t->token, &t->token_text);
    const char *word = reader_name(&p->r);
    if (word && strcmp(word, "answer") == 0) return given_token(p, word, p->answer, t);
    if (word && strcmp(word, "wrong") == 0) return given_token(p, word, p->wrong, t);
    if (word && strcmp(word, "argmax") == 0) {
        t->argmax = true;
        t->token_text = "argmax";
        return SONDE_OK;
    }
    p->r.at = start;
    return reader_expected(&p->r, "a token: a text in double quotes, #ID, argmax, answer or wrong");
}

static sonde_status read_position(metric_reader *p, metric_term *t) {
    reader_blanks(&p->r);
    t->position_written = true;
    return reader_integer(&p->r, &t->position);
}

/* Behind `(`. */
static sonde_status read_arguments(metric_reader *p, metric_term *t) {
    const metric_function_row *f = &metric_functions[t->function];
    if (!f->token && !f->run && take(p, ')')) return SONDE_OK;
    if (f->token) SONDE_TRY(read_token(p, t));
    if (f->run) {
        reader_blanks(&p->r);
        t->run = reader_name(&p->r);
        if (!t->run) return reader_expected(&p->r, "the name of a run");
    }
    if (f->position && (!(f->token || f->run) || take(p, ','))) SONDE_TRY(read_position(p, t));
    if (take(p, ')')) return SONDE_OK;
    const char *end = t->position_written ? ") behind the position" : ",POSITION or )";
    return reader_expected(&p->r, f->position ? end : ")");
}

static sonde_status read_term(metric_reader *p, int *out) {
    const char *start = p->r.at, *word = reader_name(&p->r);
    metric_term t = { .position = -1 };
    const char *words[METRIC_FUNCTION_COUNT];
    int f = METRIC_FUNCTION_COUNT;
    for (int i = 0; i < METRIC_FUNCTION_COUNT; i++) {
        words[i] = metric_functions[i].word;
        if (word && strcmp(word, words[i]) == 0) f = i;
    }
    p->r.at = f < METRIC_FUNCTION_COUNT ? p->r.at : start;
    if (!word) return reader_expected(&p->r, "a number, ( or one of logit prob logprob rank entropy loss kl");
    if (f == METRIC_FUNCTION_COUNT) {
        size_t near;
        nearest(word, words, METRIC_FUNCTION_COUNT, &near, 1);
        return sonde_fail(p->r.err, SONDE_USAGE, "no such function, %s; the nearest is %s", name_shown(word).text,
                          words[near]);
    }
    t.function = (metric_function)f;
    SONDE_FAIL_IF(f == METRIC_LOSS && p->r.model && !(p->r.model->config.head & HEAD_LM), p->r.err, SONDE_UNSUPPORTED,
                  "loss is of the next token, the model has no head for it; logprob(TOKEN,POSITION) is of any");
    if (take(p, '(')) SONDE_TRY(read_arguments(p, &t));
    else if (metric_functions[f].token || metric_functions[f].run)
        return reader_expected(&p->r, metric_functions[f].token ? "(TOKEN)" : "(RUN)");
    p->x->term[p->x->n_terms] = t;
    return add_node(p, (metric_node){ .kind = NODE_TERM, .a = p->x->n_terms++ }, out);
}

/* Expressions */

static sonde_status read_sum(metric_reader *p, int *out);

static sonde_status read_primary(metric_reader *p, int *out) {
    reader_blanks(&p->r);
    if (reader_take(&p->r, '(')) {
        SONDE_TRY(read_sum(p, out));
        return take(p, ')') ? SONDE_OK : reader_expected(&p->r, "an operator or )");
    }
    if (*p->r.at != '.' && (*p->r.at < '0' || *p->r.at > '9')) return read_term(p, out);
    metric_node number = { .kind = NODE_NUMBER };
    SONDE_TRY(reader_number(&p->r, &number.number));
    return add_node(p, number, out);
}

static sonde_status read_signed(metric_reader *p, int *out) {
    int minuses = 0, a;
    while (take(p, '-')) minuses++;
    SONDE_FAIL_IF(++p->depth > MOST_DEPTH || minuses > MOST_DEPTH, p->r.err, SONDE_USAGE,
                  "more than %d parentheses or signs inside each other", MOST_DEPTH);
    SONDE_TRY(read_primary(p, &a));
    p->depth--;
    for (; minuses > 0; minuses--) SONDE_TRY(add_node(p, (metric_node){ .kind = NODE_NEGATE, .a = a }, &a));
    *out = a;
    return SONDE_OK;
}

static sonde_status read_product(metric_reader *p, int *out) {
    SONDE_TRY(read_signed(p, out));
    for (;;) {
        const node_kind kind = take(p, '*') ? NODE_MULTIPLY : take(p, '/') ? NODE_DIVIDE : NODE_NUMBER;
        if (kind == NODE_NUMBER) return SONDE_OK;
        int b;
        SONDE_TRY(read_signed(p, &b));
        SONDE_TRY(add_node(p, (metric_node){ .kind = kind, .a = *out, .b = b }, out));
    }
}

static sonde_status read_sum(metric_reader *p, int *out) {
    SONDE_TRY(read_product(p, out));
    for (;;) {
        const node_kind kind = take(p, '+') ? NODE_ADD : take(p, '-') ? NODE_SUBTRACT : NODE_NUMBER;
        if (kind == NODE_NUMBER) return SONDE_OK;
        int b;
        SONDE_TRY(read_product(p, &b));
        SONDE_TRY(add_node(p, (metric_node){ .kind = kind, .a = *out, .b = b }, out));
    }
}

static sonde_status read_metric(metric_reader *p) {
    int whole;
    SONDE_FAIL_IF(strlen(p->r.at) > LONGEST_EDIT, p->r.err, SONDE_USAGE, "%zu characters, expected at most %d",
                  strlen(p->r.at), LONGEST_EDIT);
    SONDE_TRY(read_sum(p, &whole));
    reader_blanks(&p->r);
    return *p->r.at ? reader_expected(&p->r, "an operator or the end") : SONDE_OK;
}

sonde_status sonde_metric_parse(sonde_metric **out, const sonde_model *m, const char *text, const char *answer,
                                const char *wrong, sonde_error *err) {
    arena *a = arena_new();
    sonde_metric *x = arena_alloc(a, sizeof *x);
    x->memory = a;
    sonde_error why;
    metric_reader p = { .r = { .at = text, .a = a, .model = m, .err = &why }, .x = x,
                        .answer = answer, .wrong = wrong };
    const sonde_status s = read_metric(&p);
    if (s == SONDE_OK) {
        *out = x;
        return SONDE_OK;
    }
    *out = NULL;
    arena_free(a);
    return sonde_fail(err, s, "metric \"%s\": %s", name_shown(text).text, why.message);
}

void sonde_metric_free(sonde_metric *x) {
    if (x) arena_free(x->memory);
}

/* Printing back */

static void put_term(text_out *o, const metric_term *t) {
    const metric_function_row *f = &metric_functions[t->function];
    text_put(o, "%s", f->word);
    if (!f->token && !f->run && !t->position_written) return;
    text_put(o, "(%s", f->token ? t->token_text : f->run ? t->run : "");
    if (t->position_written) text_put(o, "%s%lld", f->token || f->run ? "," : "", (long long)t->position);
    text_put(o, ")");
}

/* How tightly a node binds: sums 0, products 1, the rest 2. */
static int binding(const metric_node *n) {
    if (n->kind == NODE_ADD || n->kind == NODE_SUBTRACT) return 0;
    return n->kind == NODE_MULTIPLY || n->kind == NODE_DIVIDE ? 1 : 2;
}

static void put_node(text_out *o, const sonde_metric *x, int at);

static void put_child(text_out *o, const sonde_metric *x, int at, int least) {
    const bool loose = binding(&x->node[at]) < least;
    if (loose) text_put(o, "(");
    put_node(o, x, at);
    if (loose) text_put(o, ")");
}

static void put_node(text_out *o, const sonde_metric *x, int at) {
    static const char sign[] = { [NODE_ADD] = '+', [NODE_SUBTRACT] = '-', [NODE_MULTIPLY] = '*', [NODE_DIVIDE] = '/' };
    const metric_node *n = &x->node[at];
    switch (n->kind) {
    case NODE_NUMBER: text_put_number(o, n->number); return;
    case NODE_TERM:   put_term(o, &x->term[n->a]); return;
    case NODE_NEGATE:
        text_put(o, "-");
        put_child(o, x, n->a, 2);
        return;
    default:
        put_child(o, x, n->a, binding(n));
        text_put(o, "%c", sign[n->kind]);
        put_child(o, x, n->b, binding(n) + 1);
    }
}

size_t sonde_metric_format(const sonde_metric *x, char *buf, size_t n) {
    text_out o = { .buf = buf, .size = n };
    put_node(&o, x, x->n - 1);
    return o.used;
}

const char *sonde_metric_run(const sonde_metric *x, size_t i) {
    for (int k = 0; k < x->n_terms; k++) {
        const char *run = x->term[k].argmax ? "A" : x->term[k].run;
        bool first = run != NULL;
        for (int j = 0; first && j < k; j++) {
            const char *before = x->term[j].argmax ? "A" : x->term[j].run;
            first = !before || strcmp(before, run) != 0;
        }
        if (first && i-- == 0) return run;
    }
    return NULL;
}
