/* What holds between the sites of a run (interface.md 3), what edits change and what gradients say, in a random model of
 * every row of archs.def. */
#define _GNU_SOURCE
#include "made.h"
#include "model/weight_table.h"

/* ---- identities ---- */

static void near(const char *name, const char *what, float a, double b, double most) {
    if (!(fabs((double)a - b) <= 1e-5 * fmax(1, most))) FAIL_("%s: %s: %.9g, expected %.9g", name, what, (double)a, b);
}

/* A weight by its name, NULL: the model has none. */
static float *weight(const made *m, const char *name) {
    for (size_t i = 0; i < sonde_model_weights(m->model); i++) {
        sonde_weight_info w;
        sonde_model_weight(m->model, i, &w);
        if (strcmp(w.name, name)) continue;
        int64_t n = 1;
        for (int k = 0; k < w.rank; k++) n *= w.dim[k];
        float *out = calloc((size_t)n, sizeof *out);
        CHECK_EQ(sonde_model_weight_read(m->model, i, out, NULL), SONDE_OK);
        return out;
    }
    return NULL;
}

typedef struct { const char *name; const made *m; made_run *x; const arch_config *c; char stack[16]; int64_t layer; } in_block;

static made_site *of(const in_block *b, const char *end) {
    char name[100];
    snprintf(name, sizeof name, "%s.%lld.%s", b->stack, (long long)b->layer, end);
    return made_find(b->x, name);
}

static made_site *needed(const in_block *b, const char *end) {
    made_site *s = of(b, end);
    if (!s) FAIL_("%s: %s.%lld.%s: no such site", b->name, b->stack, (long long)b->layer, end);
    return s;
}

/* What each part adds is added to what stands in front of it, in this order; a norm behind a sum comes before the next. */
static void sums_of(const in_block *b) {
    static const struct { part_kind kind; const char *adds, *leaves, *norm; } parts[] = {
        { PART_SELF, "hook_attn_out", "hook_resid_mid", "ln1.hook_out" },
        { PART_CROSS, "hook_cross_attn_out", "hook_resid_mid_cross", "ln2.hook_out" },
        { PART_MLP, "hook_mlp_out", "hook_resid_post", NULL },
    };
    static float stream[64 * 64];
    const made_site *pre = needed(b, "hook_resid_pre");
    CHECK(pre->n <= (int64_t)(sizeof stream / sizeof *stream));
    memcpy(stream, pre->value, (size_t)pre->n * sizeof *stream);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const part_spec *part = arch_part(b->c, parts[i].kind);
        if (!part) continue;
        const made_site *adds = needed(b, parts[i].adds);
        const bool       last = parts[i].kind == PART_MLP;
        const made_site *leaves = last || !b->c->block.parallel ? needed(b, parts[i].leaves) : NULL;
        for (int64_t k = 0; k < pre->n; k++) {
            stream[k] += adds->value[k];
            if (leaves && stream[k] != leaves->value[k]) FAIL_("%s: %s is not the sum", b->name, leaves->name);
        }
        if (part->after_sum && !last) memcpy(stream, needed(b, parts[i].norm)->value, (size_t)pre->n * sizeof *stream);
    }
    if (arch_part(b->c, PART_MLP)->after_sum) {
        const made_site *behind = needed(b, "hook_normalized_resid_post");
        const made_site *norm = needed(b, arch_part(b->c, PART_CROSS) ? "ln3.hook_out" : "ln2.hook_out");
        for (int64_t k = 0; k < pre->n; k++) CHECK(behind->value[k] == norm->value[k]);
    }
}

/* attn_out = sum of the heads' results + b_O; in front of a norm of its own that is the norm's input. */
static void heads_of(const in_block *b, part_kind kind) {
    const bool cross = kind == PART_CROSS;
    const made_site *each = needed(b, cross ? "cross_attn.hook_result" : "attn.hook_result");
    const made_site *out = needed(b, cross ? "hook_cross_attn_out" : "hook_attn_out");
    const bool normed = arch_part(b->c, kind)->after != NO_NORM;
    const made_site *normal = normed ? needed(b, "ln1_post.hook_normalized") : NULL;
    const made_site *scale = normed ? needed(b, "ln1_post.hook_scale") : NULL;
    char bias_name[80];
    snprintf(bias_name, sizeof bias_name, "%s.%lld.%s.b_O", b->stack, (long long)b->layer, cross ? "cross_attn" : "attn");
    float *bias = weight(b->m, bias_name);
    const int64_t d = b->c->d, h = b->c->heads;
    for (int64_t i = 0; i < out->n; i++) {
        double sum = bias ? (double)bias[i % d] : 0;
        for (int64_t k = 0; k < h; k++) sum += (double)each->value[(i / d * h + k) * d + i % d];
        const float got = normed ? normal->value[i] * scale->value[i / d] : out->value[i];
        near(b->name, "attn_out = sum of result + b_O", got, sum, fabs(sum));
    }
    free(bias);
}

/* Rows of a pattern sum to 1, and to less with a sink; z is the pattern times the values. */
static void pattern_of(const in_block *b, const char *part) {
    char name[60];
    snprintf(name, sizeof name, "%s.hook_pattern", part);
    const made_site *p = needed(b, name);
    snprintf(name, sizeof name, "%s.hook_v", part);
    const made_site *v = needed(b, name);
    snprintf(name, sizeof name, "%s.hook_z", part);
    const made_site *z = needed(b, name);
    const int64_t h = p->dim[0], t = p->dim[1], s = p->dim[2], g = v->dim[1], e = v->dim[2];
    const bool    sinks = arch_has(b->c, W_SINKS);
    for (int64_t r = 0; r < h * t; r++) {
        double sum = 0;
        for (int64_t k = 0; k < s; k++) {
            sum += (double)p->value[r * s + k];
            const bool hidden = !b->c->bidirectional && !strcmp(part, "attn") &&
                                (k > r % t || (layer_in(b->c->local, b->layer) && k <= r % t - b->c->window));
            if (hidden && p->value[r * s + k] != 0) FAIL_("%s: %s: a masked entry is not 0", b->name, p->name);
        }
        if (sinks ? !(sum > 0 && sum < 1) : !(fabs(sum - 1) <= 1e-5)) FAIL_("%s: %s: a row sums to %.9g", b->name, p->name, sum);
    }
    for (int64_t i = 0; i < z->n; i++) {
        const int64_t head = i / e % h, row = i / e / h;
        double sum = 0;
        for (int64_t k = 0; k < s; k++)
            sum += (double)p->value[(head * t + row) * s + k] * (double)v->value[(k * g + head / (h / g)) * e + i % e];
        near(b->name, "z = pattern v", z->value[i], sum, fabs(sum));
    }
}

static void block_identities(const in_block *b) {
    sums_of(b);
    heads_of(b, PART_SELF);
    pattern_of(b, "attn");
    if (!arch_part(b->c, PART_CROSS)) return;
    heads_of(b, PART_CROSS);
    pattern_of(b, "cross_attn");
}

/* unembed.hook_out = unembed.hook_in W_U + b_U, and the logits behind it. */
static void answer_identities(const char *name, const made *m, made_run *x) {
    const made_site *in = made_find(x, "unembed.hook_in"), *out = made_find(x, "unembed.hook_out"), *logits = made_find(x, "logits");
    float *u = weight(m, "unembed.W_U"), *bias = weight(m, "unembed.b_U");
    const int64_t v = m->config.vocab, w = m->config.width;
    CHECK(in && out && u && (logits != NULL) == arch_changes_logits(&m->config));
    for (int64_t i = 0; i < out->n; i++) {
        const double shift = bias ? (double)bias[i % v] : 0;
        double sum = m->config.logit_bias ? 0 : shift;
        for (int64_t d = 0; d < w; d++) sum += (double)in->value[i / v * w + d] * (double)u[d * v + i % v];
        near(name, "unembed.hook_out = unembed.hook_in W_U + b_U", out->value[i], sum, fabs(sum));
        if (!logits) continue;
        const double cap = m->config.logit_cap, said = sum + (m->config.logit_bias ? shift : 0);
        near(name, "logits", logits->value[i], cap > 0 ? cap * tanh(said / cap) : said, 1);
    }
    free(u);
    free(bias);
}

static void stack_identities(const char *name, const made *m, made_run *x, bool encoder) {
    const arch_config *c = encoder ? &m->encoder : &m->config;
    for (int64_t l = 0; l < c->layers; l++) {
        in_block b = { .name = name, .m = m, .x = x, .c = c, .layer = l };
        snprintf(b.stack, sizeof b.stack, "%s", encoder ? "encoder" : m->config.encoder ? "decoder" : "blocks");
        block_identities(&b);
    }
}

/* ---- what it answers ---- */

typedef struct { const char *name, *site; const made_site *s; } answering;

static sonde_status same_row(const sonde_answer *a, void *user, sonde_error *err) {
    const answering *x = user;
    const int64_t    n = a->value.dim[1], at = x->s->n == n ? 0 : a->first * n;
    (void)err;
    if (strcmp(a->site, x->site)) FAIL_("%s: rows are of %s, expected %s", x->name, a->site, x->site);
    if (at + n > x->s->n || memcmp(a->value.data, x->s->value + at, (size_t)n * sizeof(float)))
        FAIL_("%s: row %lld is not that of %s", x->name, (long long)a->first, x->site);
    return SONDE_OK;
}

/* Rows of answers are those of the site that the model names, which metrics read. */
static void rows_of_the_answer(const char *name, const made *m, made_run *x) {
    const char *site = sonde_model_describe(m->model)->answers;
    if (!m->metric) return;
    answering           y = { name, site, made_find(x, site) };
    const sonde_prompt  p = made_prompt(m, &(made_ask_for){ 0 });
    const sonde_want    want = { .kind = SONDE_WANT_LOGITS };
    const sonde_variant v = { 0 };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &want, .n_wants = 1, .seed = 9 };
    sonde_error err = { 0 };
    CHECK(y.s != NULL);
    if (sonde_variants_run(m->session, &b, same_row, &y, &err)) FAIL_("%s: %s", name, err.message);
}

static void holds(const maker_case *c) {
    char     name[600];
    made     m = made_open(c, &(maker_how){ 0 });
    made_run x;
    snprintf(name, sizeof name, "%s", maker_name(c));
    made_shoot(&m, m.session, &(made_ask_for){ 0 }, &x);
    stack_identities(name, &m, &x, false);
    if (m.config.encoder) stack_identities(name, &m, &x, true);
    if (m.config.head & (HEAD_LM | HEAD_MLM)) answer_identities(name, &m, &x);
    rows_of_the_answer(name, &m, &x);
    made_drop(&x);
    made_close(&m);
}

static void identities_hold(void) { made_every(holds); }

/* ---- edits ---- */

/* An expert that row `row` has not chosen, in place of one of the two that it has, so that they stay in order. */
static void other_expert(const made_site *s, int64_t row, char *text, size_t n) {
    const float *chosen = s->value + row * s->dim[1];
    int other = 0;
    while (other == (int)chosen[0] || other == (int)chosen[1]) other++;
    snprintf(text, n, "set:%s[%lld,%d]=%d", s->name, (long long)row, other > (int)chosen[1], other);
}

/* Item `at` of the site that the edit changes. */
static int64_t one_item(const made *m, const made_site *s, int by, char *text, size_t n) {
    const bool whole = m->config.bidirectional;        /* heads read row 0 */
    const int  want[3] = { s->axes[0] == 't' ? (whole ? 0 : 3) : 1, s->axes[0] == 't' ? 1 : whole ? 0 : 3, 2 };
    if (s->no_gradient) {
        other_expert(s, want[0], text, n);
        return -1;
    }
    size_t  used = (size_t)snprintf(text, n, "add:%s[", s->name);
    int64_t at = 0;
    for (int i = 0; i < s->rank; i++) {
        const int64_t k = want[i] < s->dim[i] ? want[i] : s->dim[i] - 1;
        used += (size_t)snprintf(text + used, n - used, "%s%lld", i ? "," : "", (long long)k);
        at = at * s->dim[i] + k;
    }
    snprintf(text + used, n - used, "]=%d", by);
    return at;
}

/* What a model says last: nothing is behind it. */
static bool is_answer(const made_run *x, size_t i) {
    static const char *const names[] = { "unembed.hook_out", "logits", "classifier.hook_out", "qa.hook_out", "nsp_head.hook_nsp_out" };
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (!strcmp(x->site[i].name, names[k]) && (k > 0 || i + 1 == x->n || strcmp(x->site[i + 1].name, "logits"))) return true;
    return i + 1 == x->n;
}

/* One key alone has all of a row's pattern, whatever its score is. */
static bool alone(const made_site *s) {
    return s->rank == 3 && s->dim[2] == 1 && s->axes[0] == 'h' && !strstr(s->name, "hook_pattern");
}

/* Whether anything behind the site changes when `by` is added to one item of it; nothing before it may. */
static bool edit_at(const char *name, const made *m, const made_run *plain, size_t i, int by) {
    char        text[160];
    sonde_edit *edit;
    sonde_error err = { 0 };
    made_run    x;
    const int64_t at = one_item(m, &plain->site[i], by, text, sizeof text);
    if (sonde_edit_parse(&edit, m->model, text, NULL, &err)) FAIL_("%s: %s: %s", name, text, err.message);
    made_shoot(m, m->session, &(made_ask_for){ .edit = edit }, &x);
    CHECK(x.n == plain->n);
    bool changed = false;
    for (size_t k = 0; k < x.n; k++) {
        const bool differs = made_differs(&plain->site[k], &x.site[k]) >= 0;
        if (k < i && differs) FAIL_("%s: %s changes %s, which comes before it", name, text, x.site[k].name);
        changed |= k > i && differs;
    }
    for (int64_t k = 0; k < x.site[i].n && at >= 0; k++) {
        const float was = plain->site[i].value[k], is = x.site[i].value[k];
        if (!made_same(is, k == at ? was + (float)by : was))
            FAIL_("%s: %s: item %lld is %.9g, it was %.9g", name, text, (long long)k, (double)is, (double)was);
    }
    made_drop(&x);
    sonde_edit_free(edit);
    return changed;
}

static void every_edit_counts(const maker_case *c) {
    char     name[600];
    made     m = made_open(c, &(maker_how){ 0 });
    made_run x;
    snprintf(name, sizeof name, "%s", maker_name(c));
    made_shoot(&m, m.session, &(made_ask_for){ 0 }, &x);
    for (size_t i = 0; i < x.n; i++)        /* where more is cut off behind it (relu, a clip), less is not */
        if (!edit_at(name, &m, &x, i, 5) && !edit_at(name, &m, &x, i, -5) && !is_answer(&x, i) && !alone(&x.site[i]))
            FAIL_("%s: an edit of %s changes nothing", name, x.site[i].name);
    made_drop(&x);
    made_close(&m);
}

static void an_edit_anywhere_changes_what_is_behind_it(void) { made_every(every_edit_counts); }

/* ---- gradients ---- */

static double metric_with(const made *m, const char *site, const made_site *g, double step, double length) {
    char        text[120];
    sonde_edit *edit;
    sonde_error err = { 0 };
    made_run    x;
    float *value = malloc((size_t)g->n * sizeof *value);
    for (int64_t i = 0; i < g->n; i++) value[i] = (float)(step * (double)g->value[i] / length);
    snprintf(text, sizeof text, "add:%s=value/0", site);
    sonde_values v = { .data = value, .rank = g->rank };
    memcpy(v.dim, g->dim, sizeof v.dim);
    if (sonde_edit_of_values(&edit, m->model, text, v, &err)) FAIL_("%s: %s", text, err.message);
    made_shoot(m, m->session, &(made_ask_for){ .edit = edit, .sites = site }, &x);
    const double metric = x.metric;
    made_drop(&x);
    sonde_edit_free(edit);
    free(value);
    return metric;
}

/* Along the gradient the metric grows by its length. A step too long bends, one too short drowns in rounding, and a model with
 * corners (relu, the choice of experts) has them anywhere: one of three must agree. */
static void gradient_at(const char *name, const made *m, const made_site *s) {
    static const double steps[] = { 0.01, 0.03, 0.003, 0.001 };
    made_run x;
    double   length = 0, best = INFINITY, found = 0;
    made_shoot(m, m->session, &(made_ask_for){ .grad = s->name }, &x);
    made_site *g = &x.site[0];
    for (int64_t i = 0; i < g->n; i++) length += (double)g->value[i] * (double)g->value[i];
    length = sqrt(length);
    for (int64_t i = 0; i < g->n && length == 0; i++) g->value[i] = isfinite(s->value[i]);
    const bool flat = length == 0;
    if (flat && metric_with(m, s->name, g, 0.1, 1) != x.metric)
        FAIL_("%s: %s: the gradient is 0, and an edit changes the metric", name, s->name);
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !flat && best > 0.02; i++) {
        const double noise = i == 0 ? 4e-7 * fmax(1, fabs(x.metric)) / steps[i] : 0;     /* of float32 logits */
        const double up = metric_with(m, s->name, g, steps[i], length), down = metric_with(m, s->name, g, -steps[i], length);
        const double slope = (up - down) / (2 * steps[i]), off = fmax(0, fabs(slope - length) - noise) / length;
        if (off < best) found = slope;
        best = fmin(best, off);
    }
    if (!flat && best > 0.02) FAIL_("%s: %s: the metric grows by %.6g, the gradient's length is %.6g", name, s->name, found, length);
    made_drop(&x);
}

static void gradients_are_slopes(const maker_case *c) {
    char     name[600];
    made     m = made_open(c, &(maker_how){ 0 });
    made_run x;
    snprintf(name, sizeof name, "%s", maker_name(c));
    if (m.metric) {
        made_shoot(&m, m.session, &(made_ask_for){ 0 }, &x);
        for (size_t i = 0; i < x.n; i++)
            if (!x.site[i].no_gradient) gradient_at(name, &m, &x.site[i]);
        made_drop(&x);
    }
    made_close(&m);
}

static void every_gradient_is_a_slope(void) { made_every(gradients_are_slopes); }

#define TESTS(X) \
    X(identities_hold) \
    X(an_edit_anywhere_changes_what_is_behind_it) \
    X(every_gradient_is_a_slope)
TEST_MAIN(TESTS)
