/* Logits of a few tokens: their rows of the unembedding alone, the same bits as in the whole product. */
#include "run_parts.h"
#include <string.h>

enum { MOST_TOKENS = sizeof ((few_tokens *)0)->token / sizeof (int32_t) };

static bool add_token(few_tokens *t, int32_t token) {
    for (int i = 0; i < t->n; i++)
        if (t->token[i] == token) return true;
    if (t->n == MOST_TOKENS) return false;
    t->token[t->n++] = token;
    return true;
}

/* Behind the unembedding nobody may look, and every row of logits is read by whoever named its tokens. */
bool run_few_tokens(const arch_config *c, const segment *g, int n, few_tokens *out) {
    *out = (few_tokens){ .n = 0 };
    if (!(c->head & (HEAD_LM | HEAD_MLM)) || c->head & HEAD_QA) return false;
    for (int i = 0; i < n; i++) {
        const lane    *l = g[i].l;
        const uint8_t *flag = lane_flags(l, BACK);
        if (!l->only || !l->on_row || flag[SITE_UNEMBED_OUT] || flag[SITE_LOGITS]) return false;
        for (size_t k = 0; k < l->n_only; k++)
            if (!add_token(out, l->only[k])) return false;
    }
    return true;
}

static sonde_status apply(exec *x, int id, op_attr attr, tensor *in, tensor *out, sonde_error *err) {
    op_call c = { .op = op_table[id], .in = { in }, .out = out, .attr = attr };
    SONDE_TRY(c.op->shape(&c, err));
    op_forward(&c, x->threads);
    return SONDE_OK;
}

/* As decoder.c has the answer: the product, its bias, the cap; of one output. */
sonde_status run_columns(sonde_session *s, exec *x, const few_tokens *t, float **out, sonde_error *err) {
    const arch_config *c = x->config;
    const weight      *w = exec_weight(x, W_UNEMBED);
    const float       *bias = exec_weight(x, B_UNEMBED)->vector;
    tensor             in = exec_tensor(x, x->program->out);
    SONDE_TRY(workspace_take(s->memory, t->n * x->rows, out, err));
    for (int i = 0; i < t->n; i++) {
        const kern_weight one = weight_head(&w->matrix, (int64_t)w->matrix.n, t->token[i], HEAD_OUTPUTS);
        const float      *own = bias ? bias + t->token[i] : NULL;
        tensor            y = { .dim = { 1, x->rows, 1, 1 }, .data = *out + i * x->rows };
        SONDE_TRY(apply(x, OP_linear, (op_attr){ .linear = { &one, c->logit_bias ? NULL : own } }, &in, &y, err));
        if (c->logit_bias) SONDE_TRY(apply(x, OP_shift, (op_attr){ .affine = { NULL, own } }, &y, &y, err));
        if (c->logit_cap > 0) SONDE_TRY(apply(x, OP_soft_cap, (op_attr){ .clamp = { (float)c->logit_cap } }, &y, &y, err));
    }
    return SONDE_OK;
}
