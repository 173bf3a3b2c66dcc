/* Which numbers a metric multiplies its logits with, where that is all it does. */
#include "base/text.h"
#include "metric_tree.h"

static const char ALLOWED[] = "expected logit(T) times numbers, added and subtracted, as logit(\" a\")-0.5*logit(\" b\")";

static bool constant(const sonde_metric *x, int at) {
    const metric_node *n = &x->node[at];
    switch (n->kind) {
    case NODE_NUMBER: return true;
    case NODE_TERM:   return false;
    case NODE_NEGATE: return constant(x, n->a);
    default:          return constant(x, n->a) && constant(x, n->b);
    }
}

/* Of a constant part. */
static double number(const sonde_metric *x, int at) {
    const metric_node *n = &x->node[at];
    switch (n->kind) {
    case NODE_ADD:      return number(x, n->a) + number(x, n->b);
    case NODE_SUBTRACT: return number(x, n->a) - number(x, n->b);
    case NODE_MULTIPLY: return number(x, n->a) * number(x, n->b);
    case NODE_DIVIDE:   return number(x, n->a) / number(x, n->b);
    case NODE_NEGATE:   return -number(x, n->a);
    default:            return n->number;
    }
}

typedef struct { const sonde_metric *x; sonde_logit_term *out; double *constant; sonde_error *err; } spread;

static sonde_status spread_node(const spread *s, int at, double factor);

static sonde_status spread_term(const spread *s, int which, double factor) {
    const metric_term *t = &s->x->term[which];
    SONDE_FAIL_IF(t->function != METRIC_LOGIT, s->err, SONDE_USAGE, "metric: %s is not linear in the logits, %s",
                  metric_functions[t->function].word, ALLOWED);
    s->out[which].weight += factor;
    return SONDE_OK;
}

static sonde_status spread_product(const spread *s, const metric_node *n, double factor) {
    const bool left = constant(s->x, n->a), right = constant(s->x, n->b);
    SONDE_FAIL_IF(!right && (n->kind == NODE_DIVIDE || !left), s->err, SONDE_USAGE,
                  "metric: a %s of logits is not linear, %s",
                  n->kind == NODE_DIVIDE ? "quotient" : "product", ALLOWED);
    if (n->kind == NODE_DIVIDE) return spread_node(s, n->a, factor / number(s->x, n->b));
    return right ? spread_node(s, n->a, factor * number(s->x, n->b)) : spread_node(s, n->b, factor * number(s->x, n->a));
}

static sonde_status spread_node(const spread *s, int at, double factor) {
    const metric_node *n = &s->x->node[at];
    switch (n->kind) {
    case NODE_NUMBER:
        *s->constant += factor * n->number;
        return SONDE_OK;
    case NODE_TERM:   return spread_term(s, n->a, factor);
    case NODE_NEGATE: return spread_node(s, n->a, -factor);
    case NODE_ADD:
    case NODE_SUBTRACT:
        SONDE_TRY(spread_node(s, n->a, factor));
        return spread_node(s, n->b, n->kind == NODE_ADD ? factor : -factor);
    default: return spread_product(s, n, factor);
    }
}

size_t sonde_metric_terms(const sonde_metric *x) { return (size_t)x->n_terms; }

sonde_status sonde_metric_linear(const sonde_metric *x, sonde_logit_term *out, double *rest, sonde_error *err) {
    for (int i = 0; i < x->n_terms; i++) {
        const metric_term *t = &x->term[i];
        out[i] = (sonde_logit_term){ .token = t->token, .argmax = t->argmax, .position = t->position,
                                     .position_written = t->position_written };
    }
    *rest = 0;
    return spread_node(&(spread){ x, out, rest, err }, x->n - 1, 1);
}
