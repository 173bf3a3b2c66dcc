/* Mixtures of experts against their formula in double: values, gradients, forced and weighted choices; and that a row's bits
 * are its own, whatever runs beside it. Two models made by hand: experts in two of three layers, stored as most families
 * store them, and gpt-oss's way, with biases, both branches in one tensor and inputs outermost. */
#include "shot.h"
#include "ref/ref_experts.h"
#include "model/experts.h"
#include "model/model_files.h"

enum { LAYERS = 3, D = 20, F = 9, X = 5, K = 3, VOCAB = 23, LONGEST = 600, POOL = 60000 };
static const int64_t SEVEN = 7;

typedef enum { USUAL, BY_TURNS, KINDS } kind;

typedef struct {
    ref_experts      ref;
    ref_expert_layer layer[LAYERS];
    setting          s;
    float            pool[POOL];
    size_t           used;
} fixture;

static uint32_t seed;
static float uniform(void) {
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / (float)(1u << 23) - 1.0f;
}

static float *numbers(fixture *f, int64_t n, float centre, float spread) {
    float *x = f->pool + f->used;
    f->used += (size_t)n;
    CHECK(f->used <= POOL);
    for (int64_t i = 0; i < n; i++) x[i] = centre + spread * uniform();
    return x;
}

static void make_ref(fixture *f, kind of) {
    const bool turns = of == BY_TURNS;
    f->ref = (ref_experts){ .layers = LAYERS, .d = D, .f = F, .experts = X, .chosen = K, .vocab = VOCAB, .renormalise = turns,
                            .clamped = turns, .limit = 1.5, .eps = 1e-5, .layer = f->layer };
    f->ref.embed = numbers(f, VOCAB * D, 0, 1);
    f->ref.norm = numbers(f, D, 1, 0.3f);
    f->ref.unembed = numbers(f, VOCAB * D, 0, 0.5f);
    for (int l = 0; l < LAYERS; l++) {
        const int64_t x = l == 1 ? 1 : X;
        f->layer[l] = (ref_expert_layer){
            .dense = l == 1, .norm = numbers(f, D, 1, 0.3f), .router = numbers(f, x * D, 0, 0.4f),
            .gate = numbers(f, x * F * D, 0, 0.6f), .in = numbers(f, x * F * D, 0, 0.6f), .out = numbers(f, x * F * D, 0, 0.5f) };
        if (!turns || l == 1) continue;
        f->layer[l].router_b = numbers(f, x, 0, 0.5f);
        f->layer[l].gate_b = numbers(f, x * F, 0, 0.5f);
        f->layer[l].in_b = numbers(f, x * F, 0, 0.5f);
        f->layer[l].out_b = numbers(f, x * D, 0, 0.5f);
    }
}

/* ---- the same as a model ---- */

static weight vector(const float *x) { return (weight){ .vector = x, .stored_as = x ? "v" : NULL }; }

static kern_weight linear(const float *w, int64_t n, int64_t k) {
    return (kern_weight){ .data = w, .type = KERN_F32, .n = (size_t)n, .k = (size_t)k, .stride = (size_t)k * sizeof *w };
}

static weight matrix(const float *w, int64_t n, int64_t k) { return (weight){ .matrix = linear(w, n, k), .stored_as = "m" }; }

/* [experts, n, k] as it is */
static weight stacked(sonde_model *m, const float *w, int64_t n, int64_t k) {
    kern_weight *each = arena_new_array(m->memory, kern_weight, X);
    for (int64_t e = 0; e < X; e++) each[e] = linear(w + e * n * k, n, k);
    return (weight){ .matrix = linear(w, X * n, k), .expert = each, .stored_as = "x" };
}

/* [experts, k, n * 2]: rows of a, of b by turns; b NULL: [experts, k, n] */
static weight in_out(sonde_model *m, const float *a, const float *b, int64_t n, int64_t k) {
    const int64_t parts = b ? 2 : 1, width = parts * n;
    kern_weight  *each = arena_new_array(m->memory, kern_weight, X);
    float        *w = arena_new_array(m->memory, float, (size_t)(X * k * width));
    for (int64_t e = 0; e < X; e++) {
        for (int64_t j = 0; j < width; j++)
            for (int64_t i = 0; i < k; i++) w[(e * k + i) * width + j] = (j % parts ? b : a)[(e * n + j / parts) * k + i];
        each[e] = (kern_weight){ .data = w + e * k * width, .type = KERN_F32, .columns = true, .n = (size_t)width,
                                 .k = (size_t)k, .stride = (size_t)width * sizeof *w };
    }
    return (weight){ .expert = each, .stored_as = "x" };
}

static const float *turns(sonde_model *m, const float *a, const float *b, int64_t n) {
    float *x = arena_new_array(m->memory, float, (size_t)(2 * n));
    for (int64_t i = 0; i < n; i++) x[2 * i] = a[i], x[2 * i + 1] = b[i];
    return x;
}

static const weight_row family_rows[] = {
    { W_EMBED, .hf = "e" }, { W_LN2, .hf = "n.%d" }, { W_ROUTER, .hf = "r.%d", .when = WHEN_SPARSE },
    { W_GATE, .hf = "g.%d", .when = WHEN_DENSE }, { W_IN, .hf = "i.%d", .when = WHEN_DENSE },
    { W_OUT, .hf = "o.%d", .when = WHEN_DENSE }, { W_LNF, .hf = "f" }, { W_UNEMBED, .hf = "u" }, { .id = W_NONE },
};
static const arch family = { .name = "experts", .hf_type = "experts", .norm = NORM_RMS, .weights = family_rows,
                             .block = { .part = { { PART_MLP, .before = NORM_2 } } } };

static void fill_layer(sonde_model *m, const ref_expert_layer *l, weight *w, bool by_turns) {
    w[W_LN2] = vector(l->norm);
    if (l->dense) {
        w[W_GATE] = matrix(l->gate, F, D);
        w[W_IN] = matrix(l->in, F, D);
        w[W_OUT] = matrix(l->out, D, F);
        return;
    }
    w[W_ROUTER] = matrix(l->router, X, D);
    w[B_ROUTER] = vector(l->router_b);
    if (!by_turns) {
        w[W_X_GATE] = stacked(m, l->gate, F, D);
        w[W_X_IN] = stacked(m, l->in, F, D);
        w[W_X_OUT] = stacked(m, l->out, D, F);
        return;
    }
    w[W_X_BOTH] = in_out(m, l->gate, l->in, F, D);
    w[B_X_BOTH] = vector(turns(m, l->gate_b, l->in_b, X * F));
    w[W_X_OUT] = in_out(m, l->out, NULL, D, F);
    w[B_X_OUT] = vector(l->out_b);
}

static sonde_model *make_model(const fixture *f, kind of) {
    sonde_model *m = model_new();
    arch_config *c = &m->config;
    *c = arch_defaults(&family, STACK_MAIN);
    c->layers = LAYERS, c->d = c->width = D, c->f = c->expert_f = F, c->vocab = VOCAB, c->context = LONGEST;
    c->heads = c->kv_heads = c->e = 1;
    c->experts = X, c->chosen = K, c->renormalise = f->ref.renormalise, c->clamped_glu = f->ref.clamped;
    c->glu_limit = f->ref.limit, c->norm_eps = f->ref.eps, c->act = ACT_SILU, c->gated = true;
    layer_add(c->dense, 1);
    m->block = arena_alloc(m->memory, LAYERS * sizeof *m->block);
    m->front[W_EMBED] = matrix(f->ref.embed, VOCAB, D);
    m->front[W_LNF] = vector(f->ref.norm);
    m->front[W_UNEMBED] = matrix(f->ref.unembed, VOCAB, D);
    for (int l = 0; l < LAYERS; l++) fill_layer(m, &f->layer[l], m->block[l], of == BY_TURNS);
    return m;
}

static void edit(setting *s, const char *text) {
    sonde_error err = { 0 };
    if (sonde_edit_parse(&s->edit[s->n_edits++], s->model, text, NULL, &err)) FAIL_("%s: %s", text, err.message);
}

static void open_fixture(fixture *f, kind of, int64_t n) {
    sonde_error err = { 0 };
    memset(f, 0, sizeof *f);
    seed = 5 + (uint32_t)of;
    make_ref(f, of);
    f->s = (setting){ .model = make_model(f, of), .n = n };
    for (int64_t i = 0; i < LONGEST; i++) f->s.tokens[i] = (int32_t)((i * 7 + i * i / 3 + 5) % VOCAB);
    if (sonde_metric_parse(&f->s.metric, f->s.model, "logit(#3)-logit(#7,2)+loss", NULL, NULL, &err)) FAIL_("%s", err.message);
}

/* ---- the twin ---- */

/* What a test changes in the twin's run: one number, an amount added (a slope), or what an edit does. */
typedef struct {
    const char *site;
    int64_t     at;
    double      by;
    void      (*edit)(const char *site, double *value, int64_t n, int64_t width);
    shot       *seen;               /* NULL; else its values are compared */
} twin;

static void twin_hook(void *user, const char *site, double *value, int n_dims, const int64_t *dims) {
    const twin *t = user;
    (void)n_dims;
    if (t->edit) t->edit(site, value, dims[0], dims[1]);
    if (t->site && !strcmp(t->site, site)) value[t->at] += t->by;
    if (!t->seen) return;
    const held *h = find(t->seen, site);
    CHECK_EQ(h->n, dims[0] * dims[1]);
    for (int64_t i = 0; i < h->n; i++)
        if (!(fabs((double)h->value[i] - value[i]) <= 1e-5 * fmax(1, fabs(value[i]))))
            FAIL_("%s item %lld is %.9g, expected %.9g", site, (long long)i, (double)h->value[i], value[i]);
}

static double twin_metric(const fixture *f, twin *t) {
    static double logits[LONGEST * VOCAB];
    const int64_t n = f->s.n;
    double loss = 0;
    ref_experts_forward(&f->ref, f->s.tokens, n, twin_hook, t, logits);
    for (int64_t i = 0; i + 1 < n; i++) {
        double sum = 0;
        for (int64_t v = 0; v < VOCAB; v++) sum += exp(logits[i * VOCAB + v]);
        loss += log(sum) - logits[i * VOCAB + f->s.tokens[i + 1]];
    }
    return logits[(n - 1) * VOCAB + 3] - logits[2 * VOCAB + 7] + loss / (double)(n - 1);
}

/* What the edits of a case are, and the same in the twin. */
static void nothing(const char *site, double *value, int64_t n, int64_t width) { (void)site, (void)value, (void)n, (void)width; }

static void force(const char *site, double *value, int64_t n, int64_t width) {
    if (!strcmp(site, "blocks.0.mlp.hook_expert_indices"))
        for (int64_t t = 0; t < n; t++) value[t * width] = 4, value[t * width + 1] = 1, value[t * width + 2] = 2;
}

static void weigh(const char *site, double *value, int64_t n, int64_t width) {
    if (!strcmp(site, "blocks.0.mlp.hook_expert_weights"))
        for (int64_t t = 0; t < n; t++) value[t * width + 2] = 0;
    if (!strcmp(site, "blocks.2.mlp.hook_expert_weights"))
        for (int64_t t = 1; t < 4; t++) value[t * width + 1] *= 3;
}

typedef struct { const char *edits[MOST_EDITS]; void (*same)(const char *, double *, int64_t, int64_t); } edit_case;
static const edit_case edit_cases[] = {
    { { 0 }, nothing },
    { { "set:blocks.0.mlp.hook_expert_indices[:,0]=4", "set:blocks.0.mlp.hook_expert_indices[:,1]=1",
        "set:blocks.0.mlp.hook_expert_indices[:,2]=2" }, force },
    { { "zero:blocks.0.mlp.hook_expert_weights[:,2]", "scale:blocks.2.mlp.hook_expert_weights[1:4,1]=3" }, weigh },
};
enum { EDIT_CASES = sizeof edit_cases / sizeof *edit_cases };

typedef void (*case_fn)(fixture *f, sonde_session *with, const edit_case *c);

static void each_case(int64_t n, case_fn fn) {
    static fixture f;
    for (int of = 0; of < KINDS; of++)
        for (int e = 0; e < EDIT_CASES; e++) {
            open_fixture(&f, (kind)of, n);
            for (int i = 0; i < MOST_EDITS && edit_cases[e].edits[i]; i++) edit(&f.s, edit_cases[e].edits[i]);
            sonde_session *with = session(&f.s, 1);
            fn(&f, with, &edit_cases[e]);
            sonde_session_free(with);
            close_setting(&f.s);
        }
}

static void compare_values(fixture *f, sonde_session *with, const edit_case *c) {
    shot x;
    shoot(&f->s, with, VALUES, NULL, &x);
    twin t = { .edit = c->same, .seen = &x };
    const double want = twin_metric(f, &t);
    CHECK_NEAR(x.metric, want, 1e-5 * fmax(1, fabs(want)));
    bool used[X] = { false };
    const held *chosen = find(&x, "blocks.2.mlp.hook_expert_indices");
    for (int64_t i = 0; i < chosen->n; i++) used[(int)chosen->value[i]] = true;
    for (int e = 0; e < X; e++) CHECK(used[e]);
    drop(&x);
}

static void values_are_the_formula(void) { each_case(60, compare_values); }

/* Central differences of the twin: the choice does not move by so little. */
static void compare_slopes(fixture *f, sonde_session *with, const edit_case *c) {
    shot x;
    shoot(&f->s, with, GRADIENTS, "hook_resid_pre,hook_expert_weights,hook_mlp_out", &x);
    for (size_t i = 0; i < x.n; i++) {
        double most = 0;
        for (int64_t k = 0; k < x.site[i].n; k++) most = fmax(most, fabs((double)x.site[i].value[k]));
        CHECK(most > 0);
        for (int64_t k = 0; k < x.site[i].n; k++) {
            twin up = { x.site[i].name, k, 1e-6, c->same, NULL }, down = up;
            down.by = -up.by;
            const double want = (twin_metric(f, &up) - twin_metric(f, &down)) / 2e-6;
            if (!(fabs((double)x.site[i].value[k] - want) <= 1e-4 * most))
                FAIL_("d/d %s[%lld] is %.9g, expected %.9g", x.site[i].name, (long long)k, (double)x.site[i].value[k], want);
        }
    }
    drop(&x);
}

static void gradients_are_slopes_of_the_formula(void) { each_case(SEVEN, compare_slopes); }

/* ---- bits ---- */

static void same_shots(shot *a, shot *b, int64_t until, const char *how) {
    for (size_t i = 0; i < b->n; i++) {
        const held *y = &b->site[i], *x = find(a, y->name);
        if (!strcmp(y->name, "hook_embed")) continue;       /* its gradient may stand in its place */
        for (int64_t k = 0; k < y->n / y->dim[0] * until; k++)
            if (!same(x->value[k], y->value[k]))
                FAIL_("%s: %s item %lld is %.9g and %.9g", how, y->name, (long long)k, (double)x->value[k], (double)y->value[k]);
    }
}

static void compare_isas(fixture *f, sonde_session *with, const edit_case *c) {
    const kern_table *was = kern;
    shot first[2], other;
    int  tables = 0;
    (void)c;
    for (const kern_table *const *t = kern_tables; *t; t++) {
        if (!kern_init((*t)->isa)) continue;
        tables++;
        for (int back = 0; back < 2; back++) {
            shot *x = tables == 1 ? &first[back] : &other;
            shoot(&f->s, with, back ? GRADIENTS : VALUES, back ? "hook_resid_pre,hook_expert_weights" : NULL, x);
            if (x == &other) same_shots(&first[back], &other, f->s.n, (*t)->isa);
            if (x == &other) drop(&other);
        }
    }
    drop(&first[0]), drop(&first[1]);
    kern = was;
}

static void every_instruction_set_gives_the_same_bits(void) { each_case(9, compare_isas); }

/* 600 rows go through in chunks, a row at a time (its length alone), on several threads, and for the way back at once. */
static void compare_ways(fixture *f, sonde_session *with, const edit_case *c) {
    shot all, part;
    (void)c;
    shoot(&f->s, with, VALUES, NULL, &all);
    for (int threads = 2; threads <= 7; threads += 5) {
        sonde_session *more = session(&f->s, threads);
        shoot(&f->s, more, VALUES, NULL, &part);
        same_shots(&all, &part, LONGEST, "threads");
        drop(&part);
        sonde_session_free(more);
    }
    shoot(&f->s, with, VALUES_WITH_GRADIENTS, "hook_embed,blocks.*.hook_resid_post", &part);
    same_shots(&all, &part, LONGEST, "all rows at once");
    drop(&part);
    for (f->s.n = 4; f->s.n < 9; f->s.n++) {
        shoot(&f->s, with, VALUES, "blocks.*.hook_resid_post", &part);
        same_shots(&all, &part, f->s.n, "a prefix");
        drop(&part);
    }
    drop(&all);
}

static void chunks_threads_and_lengths_change_no_bit(void) { each_case(LONGEST, compare_ways); }

typedef struct { double value[16]; } metrics;

static sonde_status take_metric(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    ((metrics *)user)->value[a->variant] = a->metric;
    return SONDE_OK;
}

static void compare_batches(fixture *f, sonde_session *with, const edit_case *c) {
    enum { BASES = 6 };
    sonde_prompt  p[BASES];
    sonde_variant v[2 * BASES];
    (void)c;
    for (int i = 0; i < BASES; i++) p[i] = (sonde_prompt){ f->s.tokens + 3 * i, 4 + 3 * i, 0 };
    for (int i = 0; i < 2 * BASES; i++)
        v[i] = (sonde_variant){ i / 2, (const sonde_edit *const *)f->s.edit, i % 2 ? f->s.n_edits : 0 };
    const sonde_want w = { .kind = SONDE_WANT_METRIC, .metric = f->s.metric };
    sonde_batch all = { .bases = p, .n_bases = BASES, .variants = v, .n_variants = 2 * BASES, .wants = &w, .n_wants = 1 };
    metrics     together = { { 0 } }, alone = { { 0 } };
    sonde_error err = { 0 };
    if (sonde_variants_run(with, &all, take_metric, &together, &err)) FAIL_("%s", err.message);
    for (int i = 0; i < 2 * BASES; i++) {
        sonde_batch one = all;
        one.variants = &v[i];
        one.n_variants = 1;
        if (sonde_variants_run(with, &one, take_metric, &alone, &err)) FAIL_("%s", err.message);
        CHECK(alone.value[0] == together.value[i]);
    }
}

static void a_batch_is_each_alone(void) { each_case(SEVEN, compare_batches); }

typedef struct { int32_t id[16]; double prob[16]; int64_t n; } spoken;

static sonde_status take_token(const sonde_generated *g, void *user, sonde_error *err) {
    (void)err;
    spoken *x = user;
    x->prob[x->n] = g->prob;
    x->id[x->n++] = g->id;
    return SONDE_OK;
}

static sonde_status compare_row(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    const spoken *x = user;
    const int64_t i = a->first - (SEVEN - 1);
    CHECK_EQ(sonde_logits_stats(a->value.data, VOCAB).argmax, x->id[i]);
    CHECK(sonde_logits_prob(a->value.data, VOCAB, x->id[i]) == x->prob[i]);
    return SONDE_OK;
}

/* Token by token, and as one prompt. */
static void compare_generated(fixture *f, sonde_session *with, const edit_case *c) {
    enum { MORE = 12 };
    spoken       x = { .n = 0 };
    sonde_error  err = { 0 };
    sonde_prompt p = { f->s.tokens, SEVEN, 0 };
    int64_t      at[MORE];
    (void)c;
    const sonde_writing w = { .prompts = &p, .n_prompts = 1, .edits = (const sonde_edit *const *)f->s.edit,
                              .n_edits = f->s.n_edits, .sampling = { .n = MORE, .ignore_eos = true } };
    if (sonde_generate(with, &w, take_token, &x, &err)) FAIL_("%s", err.message);
    CHECK_EQ(x.n, MORE);
    for (int i = 0; i < MORE; i++) {
        f->s.tokens[SEVEN + i] = x.id[i];
        at[i] = SEVEN - 1 + i;
    }
    p = (sonde_prompt){ f->s.tokens, SEVEN + MORE - 1, SEVEN };
    const sonde_variant v = { 0, w.edits, w.n_edits };
    const sonde_want    want = { .kind = SONDE_WANT_LOGITS, .at = at, .n_at = MORE };
    const sonde_batch   one = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &want, .n_wants = 1 };
    if (sonde_variants_run(with, &one, compare_row, &x, &err)) FAIL_("%s", err.message);
}

static void a_generation_is_one_run(void) { each_case(SEVEN, compare_generated); }

/* ---- what cannot be ---- */

static const char *refused(fixture *f, const char *text, const sonde_want *want) {
    static sonde_error err;
    err = (sonde_error){ 0 };
    const sonde_prompt p = { f->s.tokens, SEVEN, 0 };
    char part[128];
    f->s.n_edits = 0;
    for (const char *at = text; at && *at; at += strcspn(at, ";") + (strchr(at, ';') != NULL)) {
        snprintf(part, sizeof part, "%.*s", (int)strcspn(at, ";"), at);
        edit(&f->s, part);
    }
    const sonde_variant v = { 0, (const sonde_edit *const *)f->s.edit, f->s.n_edits };
    const sonde_batch   one = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want, .n_wants = 1 };
    sonde_session *with = session(&f->s, 1);
    shot got = { 0 };
    CHECK_EQ(sonde_variants_run(with, &one, take, &got, &err), SONDE_USAGE);
    sonde_session_free(with);
    while (f->s.n_edits) sonde_edit_free(f->s.edit[--f->s.n_edits]);
    return err.message;
}

static void choices_that_cannot_be_are_named(void) {
    static fixture f;
    open_fixture(&f, USUAL, SEVEN);
    const sonde_want metric = { .kind = SONDE_WANT_METRIC, .metric = f.s.metric };
    CHECK_STR(refused(&f, "set:blocks.0.mlp.hook_expert_indices[3,1]=1.5", &metric),
              "blocks.0.mlp.hook_expert_indices: position 3 has 1.5, expected the number of an expert, 0 to 4");
    CHECK_STR(refused(&f, "set:blocks.2.mlp.hook_expert_indices[4,0]=5", &metric),
              "blocks.2.mlp.hook_expert_indices: position 4 has 5, expected the number of an expert, 0 to 4");
    CHECK_STR(refused(&f, "set:blocks.2.mlp.hook_expert_indices[0,1]=-1", &metric),
              "blocks.2.mlp.hook_expert_indices: position 0 has -1, expected the number of an expert, 0 to 4");
    CHECK_STR(refused(&f, "set:blocks.0.mlp.hook_expert_indices[6]=2", &metric),
              "blocks.0.mlp.hook_expert_indices: position 6 has expert 2 twice, expected 3 different ones");
    CHECK_STR(refused(&f, "set:blocks.0.mlp.hook_expert_indices[2,0]=4;set:blocks.0.mlp.hook_expert_indices[2,1]=0;"
                          "set:blocks.0.mlp.hook_expert_indices[2,2]=4", &metric),
              "blocks.0.mlp.hook_expert_indices: position 2 has expert 4 twice, expected 3 different ones");
    close_setting(&f.s);
}

/* The order in which an edit names experts is not that of the sums. */
static void forced_in_any_order_the_bits_are_the_same(void) {
    static fixture f;
    static const char *const orders[] = { "412", "214", "142" };
    for (int of = 0; of < KINDS; of++) {
        shot first, other;
        for (int i = 0; i < 3; i++) {
            open_fixture(&f, (kind)of, 20);
            for (int j = 0; j < K; j++) {
                char text[80];
                snprintf(text, sizeof text, "set:blocks.0.mlp.hook_expert_indices[:,%d]=%c", j, orders[i][j]);
                edit(&f.s, text);
            }
            sonde_session *with = session(&f.s, 1);
            shoot(&f.s, with, VALUES, "blocks.0.hook_mlp_out", i ? &other : &first);
            if (i) same_shots(&first, &other, f.s.n, orders[i]);
            if (i) drop(&other);
            sonde_session_free(with);
            close_setting(&f.s);
        }
        drop(&first);
    }
}

static void a_choice_has_no_gradient(void) {
    static fixture f;
    open_fixture(&f, USUAL, SEVEN);
    const sonde_want grad = { .kind = SONDE_WANT_GRAD, .sites = "hook_expert_indices", .metric = f.s.metric };
    CHECK_STR(refused(&f, NULL, &grad), "blocks.0.mlp.hook_expert_indices: the choice of experts has no gradient, "
                                        "expected another site, such as hook_expert_weights");
    close_setting(&f.s);
}

/* A weight of 0 that all the chosen have leaves the stream as it is. */
static void no_weight_at_all_adds_nothing(void) {
    static fixture f;
    for (int of = 0; of < KINDS; of++) {
        shot x;
        open_fixture(&f, (kind)of, SEVEN);
        edit(&f.s, "zero:blocks.0.mlp.hook_expert_weights");
        sonde_session *with = session(&f.s, 1);
        shoot(&f.s, with, VALUES, "blocks.0.hook_mlp_out", &x);
        for (int64_t i = 0; i < x.site[0].n; i++) CHECK(x.site[0].value[i] == 0);
        drop(&x);
        shoot(&f.s, with, GRADIENTS, "blocks.0.hook_resid_pre", &x);
        for (int64_t i = 0; i < x.site[0].n; i++) CHECK(isfinite(x.site[0].value[i]));
        drop(&x);
        sonde_session_free(with);
        close_setting(&f.s);
    }
}

/* Norms go into routers and experts: the same log-probabilities within rounding. */
static void folded_norms_change_nothing(void) {
    static fixture f;
    open_fixture(&f, USUAL, 9);
    sonde_error  err = { 0 };
    sonde_model *whole = f.s.model, *folded;
    shot a, b;
    CHECK_EQ(sonde_model_fold(whole, &folded, &err), SONDE_OK);
    for (int64_t i = 0; i < D; i++) CHECK(folded->block[0][W_LN2].vector[i] == 1);
    sonde_session *with = session(&f.s, 1);
    shoot(&f.s, with, VALUES, "blocks.*.mlp.hook_expert_weights,blocks.*.hook_mlp_out", &a);
    sonde_session_free(with);
    f.s.model = folded;
    with = session(&f.s, 1);
    shoot(&f.s, with, VALUES, "blocks.*.mlp.hook_expert_weights,blocks.*.hook_mlp_out", &b);
    sonde_session_free(with);
    for (size_t i = 0; i < a.n; i++)
        for (int64_t k = 0; k < a.site[i].n; k++)
            CHECK_NEAR((double)b.site[i].value[k], (double)a.site[i].value[k], 1e-5 * fmax(1, fabs((double)a.site[i].value[k])));
    drop(&a), drop(&b);
    sonde_model_close(folded);
    f.s.model = whole;
    close_setting(&f.s);
}

/* ---- descriptions ---- */

static const char *read_config(const char *text, arch_config *c, sonde_status want) {
    static sonde_error err;
    err = (sonde_error){ 0 };
    arena       *a = arena_new();
    arch_config  encoder;
    const json  *tree;
    const arch  *of;
    CHECK_EQ(json_parse(text, strlen(text), a, &tree, &err), SONDE_OK);
    CHECK_EQ(arch_find(tree, &of, &err), SONDE_OK);
    CHECK_EQ(arch_read(of, tree, c, &encoder, &err), want);
    arena_free(a);
    return err.message;
}

#define QWEN "{\"model_type\": \"qwen3_moe\", \"num_hidden_layers\": 6, \"num_experts\": 8, \"num_experts_per_tok\": 2, "
#define OSS  "{\"model_type\": \"gpt_oss\", \"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 100.0}, "

static void configs_say_which_layers_are_sparse(void) {
    arch_config c;
    read_config(QWEN "\"decoder_sparse_step\": 2, \"mlp_only_layers\": [3]}", &c, SONDE_OK);
    for (int64_t l = 0; l < 6; l++) CHECK_EQ(arch_sparse(&c, l), l == 1 || l == 5);
    CHECK(c.experts == 8 && c.chosen == 2 && c.expert_f == 768 && c.f == 6144 && !c.renormalise);
    read_config(QWEN "\"norm_topk_prob\": true, \"moe_intermediate_size\": 24}", &c, SONDE_OK);
    for (int64_t l = 0; l < 6; l++) CHECK(arch_sparse(&c, l));
    CHECK(c.renormalise && c.expert_f == 24);
    read_config(OSS "\"num_local_experts\": 16, \"num_hidden_layers\": 4, \"swiglu_limit\": 3.5}", &c, SONDE_OK);
    CHECK(c.clamped_glu && c.renormalise && c.experts == 16 && c.window == 128);
    CHECK_NEAR(c.glu_limit, 3.5, 0);
    for (int64_t l = 0; l < 4; l++) CHECK_EQ(layer_in(c.local, l), l % 2 == 0);
}

static void configs_that_cannot_be_are_named(void) {
    static const struct { const char *text, *line; sonde_status s; } rows[] = {
        { QWEN "\"mlp_only_layers\": [6]}", "mlp_only_layers has 6, expected layers from 0 to 5", SONDE_FORMAT },
        { QWEN "\"mlp_only_layers\": 1}", "mlp_only_layers is 1, expected a list of layers", SONDE_FORMAT },
        { QWEN "\"decoder_sparse_step\": 0}", "decoder_sparse_step is 0", SONDE_FORMAT },
        { "{\"model_type\": \"mixtral\", \"num_local_experts\": 2, \"num_experts_per_tok\": 3}",
          "num_experts_per_tok is 3, expected at most the number of experts, 2", SONDE_FORMAT },
        { "{\"model_type\": \"mixtral\", \"num_local_experts\": 0}", "num_local_experts is 0", SONDE_FORMAT },
        { "{\"model_type\": \"mixtral\", \"attention_bias\": true}", "attention_bias is true, expected a model without it",
          SONDE_UNSUPPORTED },
        { "{\"model_type\": \"olmoe\", \"sliding_window\": 8}", "sliding_window is 8, expected a model without it",
          SONDE_UNSUPPORTED },
        { OSS "\"swiglu_alpha\": 2.0}", "swiglu_alpha is 2, expected 1.702", SONDE_UNSUPPORTED },
        { OSS "\"swiglu_limit\": 0.0}", "swiglu_limit is 0, expected a number above zero", SONDE_FORMAT },
        { "{\"model_type\": \"gpt_oss\"}", "rope_parameters is not there, expected the scaling of rotary positions",
          SONDE_UNSUPPORTED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arch_config c;
        CHECK_HAS(read_config(rows[i].text, &c, rows[i].s), rows[i].line);
    }
}

static void only_chosen_experts_cost(void) {
    static fixture f;
    open_fixture(&f, USUAL, SEVEN);
    const op_cost one = experts_cost(f.s.model, 0, 1), many = experts_cost(f.s.model, 0, 100);
    CHECK_NEAR(one.flops, K * (6 * D * F + 21 * F + 2 * D), 0);
    CHECK_NEAR(many.flops, 100 * one.flops, 0);
    CHECK(one.bytes < K * (3 * D * F * 4 + 4 * (4 * D + 7 * F)) + 1);
    CHECK_NEAR(many.bytes, 4 * X * 3 * D * F + 4 * 100 * K * (4 * D + 7 * F), 0);
    close_setting(&f.s);
}

#define TESTS(X) \
    X(values_are_the_formula) \
    X(gradients_are_slopes_of_the_formula) \
    X(every_instruction_set_gives_the_same_bits) \
    X(chunks_threads_and_lengths_change_no_bit) \
    X(a_batch_is_each_alone) \
    X(a_generation_is_one_run) \
    X(choices_that_cannot_be_are_named) \
    X(forced_in_any_order_the_bits_are_the_same) \
    X(a_choice_has_no_gradient) \
    X(no_weight_at_all_adds_nothing) \
    X(folded_norms_change_nothing) \
    X(configs_say_which_layers_are_sparse) \
    X(configs_that_cannot_be_are_named) \
    X(only_chosen_experts_cost)
TEST_MAIN(TESTS)
