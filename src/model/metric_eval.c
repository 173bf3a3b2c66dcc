/* Metrics bound to a prompt: rows of logits in, a value and its gradient out.
 *
 * With p = softmax(x) at a term's position and one(T) the unit vector of token T:
 *   d logit(T) = one(T)    d prob(T) = p(T) (one(T) - p)    d logprob(T) = one(T) - p
 *   d entropy = -p (log p + H) / log 2, H in nats            d kl(R) = p - softmax(R)
 *   d loss = (p - one(next token)) / (n - 1) */
#include "base/text.h"
#include "kernel/exact.h"
#include "kernel/kern.h"
#include "logit_sums.h"
#include "metric_tree.h"
#include "sonde/logits.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int64_t position;
    bool    seen, needs_sum, needs_entropy, in_loss;
    logit_sum sum;
    double  entropy;                /* nats */
    double  loss;                   /* of the token behind this position */
} metric_row_state;

typedef struct {
    size_t       row;
    int32_t      token;
    const float *other;             /* kl: the other run's logits there */
    logit_sum    other_sum;
    double       value;
} term_state;

struct bound_metric {
    const sonde_metric *x;
    const int32_t      *tokens;
    int64_t             n, standard, vocab;
    metric_row_state   *row;        /* [n_rows], ascending */
    size_t              n_rows;
    term_state         *term;       /* [x->n_terms] */
};

/* Positions */

static sonde_status resolve(const metric_term *t, const char *run, metric_span s, int64_t *out, sonde_error *err) {
    const int64_t n = s.n, at = !t->position_written ? s.standard : t->position < 0 ? t->position + n : t->position;
    const shown who = name_shown(run ? run : "");
    SONDE_FAIL_IF(at < 0 || at >= n, err, SONDE_USAGE,
                  "metric: position %lld of %s%s, expected %lld to %lld of %lld tokens",
                  (long long)t->position, run ? "run " : "the prompt", who.text, (long long)-n, (long long)n - 1,
                  (long long)n);
    *out = at;
    return SONDE_OK;
}

static int by_value(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static size_t sorted_once(int64_t *at, size_t n) {
    size_t each = 0;
    if (n > 1) qsort(at, n, sizeof *at, by_value);
    for (size_t i = 0; i < n; i++)
        if (each == 0 || at[each - 1] != at[i]) at[each++] = at[i];
    return each;
}

static bool reads_loss(const sonde_metric *x) {
    for (int i = 0; i < x->n_terms; i++)
        if (x->term[i].function == METRIC_LOSS) return true;
    return false;
}

sonde_status metric_positions(arena *a, const sonde_metric *x, metric_span s, position_list *out, sonde_error *err) {
    const bool    loss = reads_loss(x);
    const int64_t n = s.n;
    SONDE_FAIL_IF(loss && n < 2, err, SONDE_USAGE, "metric: loss of %lld token%s, expected at least two", (long long)n,
                  n == 1 ? "" : "s");
    int64_t *at = arena_new_array(a, int64_t, (size_t)x->n_terms + (loss ? (size_t)n : 0));
    size_t k = 0;
    for (int i = 0; i < x->n_terms; i++)
        if (x->term[i].function != METRIC_LOSS) SONDE_TRY(resolve(&x->term[i], NULL, s, &at[k++], err));
    for (int64_t i = 0; loss && i < n - 1; i++) at[k++] = i;
    *out = (position_list){ at, sorted_once(at, k) };
    return SONDE_OK;
}

static const char *run_of(const metric_term *t) { return t->argmax ? "A" : t->run; }

/* A negative position counts from the other run's own end. */
sonde_status metric_run_positions(arena *a, const sonde_metric *x, const char *run, metric_span s, position_list *out,
                                  sonde_error *err) {
    int64_t *at = arena_new_array(a, int64_t, (size_t)x->n_terms);
    size_t k = 0;
    for (int i = 0; i < x->n_terms; i++) {
        const char *reads = run_of(&x->term[i]);
        if (reads && strcmp(reads, run) == 0) SONDE_TRY(resolve(&x->term[i], run, s, &at[k++], err));
    }
    *out = (position_list){ at, sorted_once(at, k) };
    return SONDE_OK;
}

/* Binding */

static size_t find_row(const bound_metric *b, int64_t position) {
    size_t lo = 0, hi = b->n_rows;
    while (lo < hi) {
        const size_t mid = (lo + hi) / 2;
        if (b->row[mid].position < position) lo = mid + 1;
        else hi = mid;
    }
    return lo < b->n_rows && b->row[lo].position == position ? lo : SIZE_MAX;
}

static sonde_status other_logits(const metric_term *t, metric_runs runs, metric_span span, const float **out, sonde_error *err) {
    const char *run = run_of(t);
    const int64_t n = runs.length ? runs.length(runs.user, run) : -1;
    int64_t at;
    SONDE_FAIL_IF(n < 0, err, SONDE_USAGE, "metric: there is no run %s", name_shown(run).text);
    SONDE_TRY(resolve(t, run, metric_span_of(span, n), &at, err));
    *out = runs.logits(runs.user, run, at);
    SONDE_FAIL_IF(!*out, err, SONDE_USAGE, "metric: run %s has no logits at position %lld", name_shown(run).text,
                  (long long)at);
    return SONDE_OK;
}

static sonde_status bind_term(bound_metric *b, int i, metric_runs runs, sonde_error *err) {
    const metric_term *t = &b->x->term[i];
    term_state *s = &b->term[i];
    *s = (term_state){ .token = t->token, .value = NAN };
    if (t->function == METRIC_LOSS) return SONDE_OK;
    int64_t at;
    const metric_span span = { b->n, b->standard };
    SONDE_TRY(resolve(t, NULL, span, &at, err));
    s->row = find_row(b, at);
    metric_row_state *row = &b->row[s->row];
    row->needs_sum |= t->function != METRIC_LOGIT && t->function != METRIC_RANK;
    row->needs_entropy |= t->function == METRIC_ENTROPY;
    if (!run_of(t)) return SONDE_OK;
    const float *other;
    SONDE_TRY(other_logits(t, runs, span, &other, err));
    if (t->argmax) {
        sonde_logits_top(other, b->vocab, 1, &s->token);
        return SONDE_OK;
    }
    s->other = other;
    s->other_sum = logits_sum(other, b->vocab);
    return SONDE_OK;
}

/* A classifier answers with fewer numbers than the vocabulary has tokens. */
static sonde_status check_tokens(const sonde_metric *x, int64_t answers, sonde_error *err) {
    SONDE_FAIL_IF(!answers, err, SONDE_USAGE, "metric: the model has no head and answers nothing, expected a model with one");
    for (int i = 0; i < x->n_terms; i++) {
        const metric_term *t = &x->term[i];
        SONDE_FAIL_IF(metric_functions[t->function].token && !t->argmax && t->token >= answers, err, SONDE_USAGE,
                      "metric: #%d of %lld answers, expected #0 to #%lld", (int)t->token, (long long)answers,
                      (long long)answers - 1);
    }
    return SONDE_OK;
}

sonde_status metric_bind(arena *a, const sonde_metric *x, const metric_prompt *p, bound_metric **out, sonde_error *err) {
    bound_metric *b = arena_alloc(a, sizeof *b);
    position_list needed;
    *b = (bound_metric){ .x = x, .tokens = p->tokens, .n = p->span.n, .standard = p->span.standard, .vocab = p->vocab };
    SONDE_TRY(check_tokens(x, p->vocab, err));
    SONDE_TRY(metric_positions(a, x, p->span, &needed, err));
    b->n_rows = needed.n;
    b->row = arena_new_array(a, metric_row_state, b->n_rows);
    b->term = arena_new_array(a, term_state, (size_t)x->n_terms);
    const bool loss = reads_loss(x);
    for (size_t i = 0; i < b->n_rows; i++) {
        const bool in_loss = loss && needed.at[i] < p->span.n - 1;
        b->row[i] = (metric_row_state){ .position = needed.at[i], .in_loss = in_loss, .needs_sum = in_loss };
    }
    for (int i = 0; i < x->n_terms; i++) SONDE_TRY(bind_term(b, i, p->runs, err));
    *out = b;
    return SONDE_OK;
}

/* Values */

bool metric_needs(const bound_metric *b, int64_t position) { return find_row(b, position) != SIZE_MAX; }

size_t metric_terms(const bound_metric *b) { return (size_t)b->x->n_terms; }

bool metric_tokens(const bound_metric *b, int32_t *list, size_t *n) {
    for (int i = 0; i < b->x->n_terms; i++) {
        if (b->x->term[i].function != METRIC_LOGIT) return false;
        list[(*n)++] = b->term[i].token;
    }
    return true;
}

static double term_value(const bound_metric *b, int i, const metric_row_state *row, const float *x) {
    const term_state *s = &b->term[i];
    switch (b->x->term[i].function) {
    case METRIC_LOGIT:   return x[s->token];
    case METRIC_PROB:    return exact_exp(log_prob(x[s->token], row->sum));
    case METRIC_LOGPROB: return log_prob(x[s->token], row->sum);
    case METRIC_RANK:    return (double)sonde_logits_rank(x, b->vocab, s->token);
    case METRIC_ENTROPY: return row->entropy / LN_2;
    case METRIC_KL:      return logits_kl(s->other, s->other_sum, x, row->sum, b->vocab);
    default:             return NAN;
    }
}

static bool at_row(const bound_metric *b, int i, size_t row) {
    return b->x->term[i].function != METRIC_LOSS && b->term[i].row == row;
}

void metric_row(bound_metric *b, int64_t position, const float *logits) {
    const size_t at = find_row(b, position);
    if (at == SIZE_MAX) return;
    metric_row_state *row = &b->row[at];
    if (row->needs_entropy) row->sum = logits_sum_entropy(logits, b->vocab, &row->entropy);
    else if (row->needs_sum) row->sum = logits_sum(logits, b->vocab);
    if (row->in_loss) row->loss = -log_prob(logits[b->tokens[position + 1]], row->sum);
    for (int i = 0; i < b->x->n_terms; i++)
        if (at_row(b, i, at)) b->term[i].value = term_value(b, i, row, logits);
    row->seen = true;
}

static double loss_value(const bound_metric *b) {
    double sum = 0;
    for (size_t i = 0; i < b->n_rows; i++) {
        if (b->row[i].in_loss && !b->row[i].seen) return NAN;
        if (b->row[i].in_loss) sum += b->row[i].loss;
    }
    return sum / (double)(b->n - 1);
}

/* What each operator makes of its operands, and what it passes of a slope d to the one and the other. */
static double negate(double a, double b) { (void)b; return -a; }
static double add(double a, double b) { return a + b; }
static double subtract(double a, double b) { return a - b; }
static double multiply(double a, double b) { return a * b; }
static double divide(double a, double b) { return a / b; }
static double same_slope(double d, double a, double b) { (void)a; (void)b; return d; }
static double minus_slope(double d, double a, double b) { (void)a; (void)b; return -d; }
static double times_second(double d, double a, double b) { (void)a; return d * b; }
static double times_first(double d, double a, double b) { (void)b; return d * a; }
static double by_second(double d, double a, double b) { (void)a; return d / b; }
static double by_square(double d, double a, double b) { return -d * (a / b) / b; }

static const struct {
    double (*value)(double a, double b);
    double (*to_a)(double d, double a, double b);
    double (*to_b)(double d, double a, double b);       /* NULL: one operand */
} operators[] = {
    [NODE_NEGATE]   = { negate,   minus_slope,  NULL },
    [NODE_ADD]      = { add,      same_slope,   same_slope },
    [NODE_SUBTRACT] = { subtract, same_slope,   minus_slope },
    [NODE_MULTIPLY] = { multiply, times_second, times_first },
    [NODE_DIVIDE]   = { divide,   by_second,    by_square },
};

static double node_value(const bound_metric *b, int at, const double *value) {
    const metric_node *n = &b->x->node[at];
    if (n->kind == NODE_NUMBER) return n->number;
    if (n->kind != NODE_TERM) return operators[n->kind].value(value[n->a], value[n->b]);
    return b->x->term[n->a].function == METRIC_LOSS ? loss_value(b) : b->term[n->a].value;
}

static void node_values(const bound_metric *b, double *value) {
    for (int i = 0; i < b->x->n; i++) value[i] = node_value(b, i, value);
}

double metric_value(const bound_metric *b) {
    double value[MOST_NODES] = { 0 };
    node_values(b, value);
    return value[b->x->n - 1];
}

/* Gradients */

sonde_status metric_differentiable(const sonde_metric *x, sonde_error *err) {
    for (int i = 0; i < x->n_terms; i++) {
        const metric_function_row *f = &metric_functions[x->term[i].function];
        SONDE_FAIL_IF(!f->gradient, err, SONDE_USAGE, "metric: %s has no gradient, expected a metric without it",
                      f->word);
    }
    return SONDE_OK;
}

/* d value / d each term, parents before children. */
static void term_parts(const bound_metric *b, double *part) {
    const sonde_metric *x = b->x;
    double value[MOST_NODES] = { 0 }, d[MOST_NODES] = { 0 };
    node_values(b, value);
    d[x->n - 1] = 1;
    for (int i = x->n - 1; i >= 0; i--) {
        const metric_node *n = &x->node[i];
        if (n->kind == NODE_TERM) part[n->a] = d[i];
        if (n->kind == NODE_TERM || n->kind == NODE_NUMBER) continue;
        const double to_a = operators[n->kind].to_a(d[i], value[n->a], value[n->b]);
        d[n->a] += to_a;
        if (operators[n->kind].to_b) d[n->b] += operators[n->kind].to_b(d[i], value[n->a], value[n->b]);
    }
}

enum { PIECE = 256 };              /* probabilities found at once */

/* What one logit of a row is to all terms: its id, its probability. */
typedef struct { int64_t id; double p, log_p; } entry;

static double term_slope(const bound_metric *b, int i, const metric_row_state *row, const entry *e) {
    const term_state *s = &b->term[i];
    const double one = e->id == s->token;
    switch (b->x->term[i].function) {
    case METRIC_LOGIT:   return one;
    case METRIC_PROB:    return s->value * (one - e->p);
    case METRIC_LOGPROB: return one - e->p;
    case METRIC_ENTROPY: return e->p == 0 ? 0 : -e->p * (e->log_p + row->entropy) / LN_2;
    case METRIC_KL:      return e->p - exact_exp(log_prob(s->other[e->id], s->other_sum));
    case METRIC_LOSS:    return (e->p - (e->id == b->tokens[row->position + 1])) / (double)(b->n - 1);
    default:             return 0;
    }
}

void metric_gradient(const bound_metric *b, int64_t position, const float *logits, float *dlogits) {
    const size_t at = find_row(b, position);
    if (at == SIZE_MAX) return;
    const metric_row_state *row = &b->row[at];
    double part[MOST_NODES] = { 0 };
    term_parts(b, part);
    double p[PIECE];
    for (entry e = { 0 }; e.id < b->vocab; e.id++) {
        const int64_t in = e.id % PIECE, left = b->vocab - e.id;
        if (row->needs_sum && in == 0)
            kern->probs(p, logits + e.id, (kern_log_sum){ row->sum.most, row->sum.rest }, (size_t)(left < PIECE ? left : PIECE));
        if (row->needs_sum) {
            e.log_p = log_prob(logits[e.id], row->sum);
            e.p = p[in];
        }
        double slope = 0;
        for (int i = 0; i < b->x->n_terms; i++) {
            const bool here = b->x->term[i].function == METRIC_LOSS ? row->in_loss : b->term[i].row == at;
            if (here) slope += part[i] * term_slope(b, i, row, &e);
        }
        dlogits[e.id] = (float)((double)dlogits[e.id] + slope);
    }
}
