/* What holds between the sites of one run (interface.md 3), and between a run with plans or lists and the plain one. */
#define _GNU_SOURCE
#include "shot.h"

/* ---- plans let the stream pass bit for bit ---- */

static void same_stream(const char *edits, const char *a, const char *b) {
    for (int m = 0; m < MODELS; m++) {
        setting s;
        shot    x;
        open_setting(&s, golden(model_names[m]), 9, edits);
        sonde_session *with = session(&s, 1);
        shoot(&s, with, VALUES, NULL, &x);
        const held *p = find(&x, a), *q = find(&x, b);
        CHECK(p->n == q->n && memcmp(p->value, q->value, (size_t)p->n * sizeof(float)) == 0);
        drop(&x);
        sonde_session_free(with);
        close_setting(&s);
    }
}

static void what_is_skipped_lets_the_stream_pass(void) {
    same_stream("skip:blocks.0.attn", "blocks.0.hook_resid_pre", "blocks.0.hook_resid_mid");
    same_stream("skip:blocks.1.mlp", "blocks.1.hook_resid_mid", "blocks.1.hook_resid_post");
    same_stream("repeat:blocks.0=2", "blocks.0.hook_resid_post", "blocks.0r1.hook_resid_pre");
    same_stream("repeat:blocks.0=2", "blocks.0r1.hook_resid_post", "blocks.1.hook_resid_pre");
    same_stream("swap:blocks.0,blocks.1", "blocks.1.hook_resid_post", "blocks.0.hook_resid_pre");
    setting s;
    shot    x, y;
    open_setting(&s, golden("three"), 9, "");
    sonde_session *with = session(&s, 1);
    shoot(&s, with, VALUES, "blocks.0.**", &x);
    close_setting(&s);
    sonde_session_free(with);
    open_setting(&s, golden("three"), 9, "skip:blocks.1");
    with = session(&s, 1);
    shoot(&s, with, VALUES, NULL, &y);
    const held *before = find(&x, "blocks.0.hook_resid_post"), *behind = find(&y, "blocks.2.hook_resid_pre");
    CHECK(memcmp(before->value, behind->value, (size_t)before->n * sizeof(float)) == 0);
    drop(&x);
    drop(&y);
    sonde_session_free(with);
    close_setting(&s);
}

/* ---- identities ---- */

static void near(float a, double b, double most, const char *what) {
    if (!(fabs((double)a - b) <= 1e-5 * fmax(1, most))) FAIL_("%s: %.9g, expected %.9g", what, (double)a, b);
}

static const held *of(shot *x, int layer, const char *end) {
    char name[64];
    snprintf(name, sizeof name, "blocks.%d.%s", layer, end);
    return find(x, name);
}

/* NULL: the model has none of this name. */
static float *weight(const setting *s, const char *name) {
    for (size_t i = 0; i < sonde_model_weights(s->model); i++) {
        sonde_weight_info w;
        sonde_model_weight(s->model, i, &w);
        if (strcmp(w.name, name)) continue;
        int64_t n = 1;
        for (int k = 0; k < w.rank; k++) n *= w.dim[k];
        float *out = calloc((size_t)n, sizeof *out);
        CHECK_EQ(sonde_model_weight_read(s->model, i, out, NULL), SONDE_OK);
        return out;
    }
    return NULL;
}

static void block_identities(const setting *s, shot *x, int l) {
    const sonde_model_info *m = sonde_model_describe(s->model);
    const held *pre = of(x, l, "hook_resid_pre"), *attn = of(x, l, "hook_attn_out"), *mid = of(x, l, "hook_resid_mid"),
               *mlp = of(x, l, "hook_mlp_out"), *post = of(x, l, "hook_resid_post"), *each = of(x, l, "attn.hook_result"),
               *pattern = of(x, l, "attn.hook_pattern");
    char bias_name[40];
    snprintf(bias_name, sizeof bias_name, "blocks.%d.attn.b_O", l);
    float *bias = weight(s, bias_name);
    for (int64_t i = 0; i < pre->n; i++) {
        CHECK(mid->value[i] == pre->value[i] + attn->value[i]);
        CHECK(post->value[i] == mid->value[i] + mlp->value[i]);
        double sum = bias ? (double)bias[i % m->d] : 0;
        for (int64_t h = 0; h < m->heads; h++) sum += (double)each->value[(i / m->d * m->heads + h) * m->d + i % m->d];
        near(attn->value[i], sum, fabs(sum), "attn_out = sum of result + b_O");
    }
    for (int64_t r = 0; r < m->heads * s->n; r++) {
        double sum = 0;
        for (int64_t k = 0; k < s->n; k++) {
            sum += (double)pattern->value[r * s->n + k];
            if (k > r % s->n) CHECK(pattern->value[r * s->n + k] == 0);
        }
        near(1, sum, 1, "rows of the pattern");
    }
    free(bias);
}

static void identities_hold(void) {
    for (int k = 0; k < MODELS; k++) {
        setting s;
        shot    x;
        open_setting(&s, golden(model_names[k]), 9, "");
        sonde_session *with = session(&s, 1);
        shoot(&s, with, VALUES, NULL, &x);
        const sonde_model_info *m = sonde_model_describe(s.model);
        for (int l = 0; l < (int)m->layers; l++) block_identities(&s, &x, l);
        float *u = weight(&s, "unembed.W_U");
        CHECK(u != NULL);
        const held *in = find(&x, "unembed.hook_in"), *out = find(&x, "unembed.hook_out");
        double most = 0;
        for (int64_t i = 0; i < out->n; i++) most = fmax(most, fabs((double)out->value[i]));
        for (int64_t i = 0; i < out->n; i++) {
            double sum = 0;
            for (int64_t d = 0; d < m->d; d++)
                sum += (double)in->value[i / m->vocab * m->d + d] * (double)u[d * m->vocab + i % m->vocab];
            near(out->value[i], sum, most, "unembed.hook_out = unembed.hook_in W_U");
        }
        free(u);
        drop(&x);
        sonde_session_free(with);
        close_setting(&s);
    }
}

/* ---- a list pairs with its values in the order in which both are written ---- */

static void lists_pair_in_the_order_written(void) {
    setting s, b;
    shot    x, y;
    open_setting(&s, golden("three"), 9, "patch:blocks.1.hook_resid_pre[{4,0}]=B[{1,2}]");
    open_setting(&b, golden("three"), 9, "");
    memcpy(b.tokens, s.other, sizeof b.tokens);
    sonde_session *with = session(&s, 1), *plain = session(&b, 1);
    shoot(&s, with, VALUES, "blocks.1.hook_resid_pre", &x);
    shoot(&b, plain, VALUES, "blocks.1.hook_resid_pre", &y);
    const float *to = x.site[0].value, *from = y.site[0].value;
    const size_t d = (size_t)(x.site[0].n / s.n);
    CHECK(memcmp(to + 4 * d, from + 1 * d, d * sizeof *to) == 0);
    CHECK(memcmp(to, from + 2 * d, d * sizeof *to) == 0);
    drop(&x);
    drop(&y);
    sonde_session_free(with);
    sonde_session_free(plain);
    close_setting(&s);
    close_setting(&b);
}

/* ---- what only some families have ---- */

/* A rotation keeps lengths, and does nothing at position 0. */
static void rotation_identities(const held *from, const held *to) {
    const int64_t e = from->dim[2], each = from->dim[1] * e;
    for (int64_t i = 0; i < each; i++) CHECK(from->value[i] == to->value[i]);
    for (int64_t i = 0; i < from->n / e; i++) {
        double was = 0, is = 0;
        for (int64_t k = 0; k < e; k++) {
            was += (double)from->value[i * e + k] * (double)from->value[i * e + k];
            is += (double)to->value[i * e + k] * (double)to->value[i * e + k];
        }
        near((float)is, was, was, "|rot x| = |x|");
    }
}

static void rotated_and_gated_identities_hold(void) {
    setting s;
    shot    x;
    open_setting(&s, golden("llama_grouped"), 9, "");
    sonde_session *with = session(&s, 1);
    shoot(&s, with, VALUES, NULL, &x);
    for (int l = 0; l < 2; l++) {
        rotation_identities(of(&x, l, "attn.hook_q"), of(&x, l, "attn.hook_rot_q"));
        rotation_identities(of(&x, l, "attn.hook_k"), of(&x, l, "attn.hook_rot_k"));
        const held *pre = of(&x, l, "mlp.hook_pre"), *linear = of(&x, l, "mlp.hook_pre_linear"), *post = of(&x, l, "mlp.hook_post");
        for (int64_t i = 0; i < pre->n; i++) {
            const double gate = (double)pre->value[i] / (1 + exp(-(double)pre->value[i]));
            near(post->value[i], gate * (double)linear->value[i], fabs(gate * (double)linear->value[i]), "post = silu(pre) pre_linear");
        }
        const held *in = of(&x, l, "hook_resid_pre"), *scale = of(&x, l, "ln1.hook_scale"), *normal = of(&x, l, "ln1.hook_normalized");
        for (int64_t i = 0; i < in->n; i++) CHECK(normal->value[i] == in->value[i] / scale->value[i / in->dim[1]]);
    }
    drop(&x);
    sonde_session_free(with);
    close_setting(&s);
}

/* ---- behind the blocks ---- */

typedef struct { float *out, *logits; int64_t d, v, rows, answers; } ends;

static sonde_status keep_ends(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    ends         *e = user;
    const int64_t width = a->value.dim[1], n = a->value.dim[0];
    memcpy((a->want ? e->logits : e->out) + a->first * width, a->value.data, (size_t)(n * width) * sizeof(float));
    *(a->want ? &e->answers : &e->rows) += n;
    return SONDE_OK;
}

/* The last norm at every position, logits at `n_at` of them; 0: all. */
static void see_ends(const setting *s, sonde_session *with, const int64_t *at, size_t n_at, ends *e) {
    const sonde_model_info *m = sonde_model_describe(s->model);
    const sonde_prompt  p = { .tokens = s->tokens, .n = s->n };
    const sonde_variant plain = { .base = 0 };
    const sonde_want    want[2] = { { .kind = SONDE_WANT_SITE, .sites = "ln_final.hook_out" },
                                    { .kind = SONDE_WANT_LOGITS, .at = at, .n_at = n_at } };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &plain, .n_variants = 1, .wants = want, .n_wants = 2 };
    sonde_error err = { 0 };
    *e = (ends){ .d = m->d, .v = m->vocab };
    e->out = calloc((size_t)(s->n * e->d), sizeof(float));
    e->logits = calloc((size_t)(s->n * e->v), sizeof(float));
    CHECK_EQ(sonde_variants_run(with, &b, keep_ends, e, &err), SONDE_OK);
    CHECK_EQ(e->rows, s->n);
}

/* Who looks at the last norm of all rows gets it, and logits of those alone that are asked for, in the same bits. */
static void logits_are_those_that_are_asked_for(void) {
    static const int64_t at[] = { 1, 2, 6 };
    for (int m = 0; m < MODELS; m++) {
        setting s;
        ends    all, some;
        open_setting(&s, golden(model_names[m]), 9, "");
        sonde_session *with = session(&s, 1);
        see_ends(&s, with, NULL, 0, &all);
        see_ends(&s, with, at, 3, &some);
        CHECK_EQ(all.answers, s.n);
        CHECK_EQ(some.answers, 3);
        CHECK(memcmp(all.out, some.out, (size_t)(s.n * all.d) * sizeof(float)) == 0);
        for (int i = 0; i < 3; i++)
            CHECK(memcmp(all.logits + at[i] * all.v, some.logits + at[i] * all.v, (size_t)all.v * sizeof(float)) == 0);
        free(all.out), free(all.logits), free(some.out), free(some.logits);
        sonde_session_free(with);
        close_setting(&s);
    }
}

#define TESTS(X) \
    X(logits_are_those_that_are_asked_for) \
    X(what_is_skipped_lets_the_stream_pass) \
    X(lists_pair_in_the_order_written) \
    X(identities_hold) \
    X(rotated_and_gated_identities_hold)
TEST_MAIN(TESTS)
