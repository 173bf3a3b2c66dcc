/* Methods on encoder-decoders: patterns as transformers captured them (tests/golden/families), a lens as transformers' own
 * norm and head read it (tools/truth/two_stacks.py), every cell of a sweep as a run of its own. */
#include "method_run.h"
#include "base/sha256.h"
#include "sonde/capture.h"
#include "truth.h"
#include <math.h>

#define FAMILIES SONDE_SOURCE_DIR "/tests/golden/families/"

static const char *const folders[] = { "t5", "t5_gated", "bart", "bart_scaled" };
enum { FOLDERS = sizeof folders / sizeof *folders };

typedef struct { method_run *r; sonde_capture *plain; sonde_prompt p; } two;

static int32_t *copied(const int32_t *from, int64_t n) {
    int32_t *to = malloc((size_t)n * sizeof *to);
    if (!to) abort();
    memcpy(to, from, (size_t)n * sizeof *to);
    return to;
}

static two two_open(const char *folder) {
    char path[400];
    two  x = { 0 };
    snprintf(path, sizeof path, FAMILIES "%s", folder);
    x.r = run_open(path);
    snprintf(path, sizeof path, FAMILIES "%s/plain.safetensors", folder);
    if (sonde_capture_open(&x.plain, path, &x.r->err)) FAIL_("%s", x.r->err.message);
    method_prompt *p = &x.r->prompt[x.r->cx.n_prompts++];
    const int32_t *target = sonde_capture_target(x.plain, &p->target.n);
    p->tokens.n = sonde_capture_length(x.plain);
    p->tokens.id = copied(sonde_capture_tokens(x.plain), p->tokens.n);
    p->target.id = copied(target, p->target.n);
    x.p = (sonde_prompt){ .tokens = p->tokens.id, .n = p->tokens.n, .target = p->target.id, .n_target = p->target.n };
    return x;
}

static void two_close(two x) {
    sonde_tokens_free(&x.r->prompt[0].target);
    sonde_capture_free(x.plain);
    run_close(x.r);
}

/* ---- attention ---- */

static const char *const stacks[] = { "encoder", "decoder", "cross" };

static const float *golden_pattern(const two *x, const char *stack, int layer, sonde_array_spec *shape) {
    char site[80];
    const bool encoder = !strcmp(stack, "encoder"), cross = !strcmp(stack, "cross");
    snprintf(site, sizeof site, "%s.%d.%s.hook_pattern", encoder ? "encoder" : "decoder", layer, cross ? "cross_attn" : "attn");
    const float *data = sonde_capture_value(x->plain, site, shape);
    if (!data) FAIL_("no %s", site);
    return data;
}

static void compare_arrays(const two *x, const char *stack) {
    char name[40];
    snprintf(name, sizeof name, "pattern_%s", stack);
    const sonde_array *a = result_array(x->r->out, name);
    if (!a) FAIL_("no array %s", name);
    for (int64_t l = 0; l < a->dim[0]; l++) {
        sonde_array_spec shape;
        const float *want = golden_pattern(x, stack, (int)l, &shape);
        for (int i = 0; i < 3; i++) CHECK_EQ(a->dim[i + 1], shape.dim[i]);
        const int64_t n = a->dim[1] * a->dim[2] * a->dim[3];
        for (int64_t i = 0; i < n; i++) CHECK_NEAR(a->data[l * n + i], want[i], 1e-5);
    }
    const int32_t *query = strcmp(stack, "encoder") ? x->p.target : x->p.tokens;
    const int32_t *key = strcmp(stack, "decoder") ? x->p.tokens : x->p.target;
    for (int64_t i = 0; i < a->dim[2]; i++) CHECK_EQ(a->labels[2].at[i].token.id, query[i]);
    for (int64_t i = 0; i < a->dim[3]; i++) CHECK_EQ(a->labels[3].at[i].token.id, key[i]);
}

typedef struct { double entropy, previous, first, duplicate; bool again; } means;

static means means_of(const float *a, const int32_t *tokens, int64_t n, int64_t keys) {
    means   m = { 0 };
    int64_t again = 0;
    for (int64_t i = 0; i < n; i++) {
        bool earlier = false;
        for (int64_t s = 0; s < keys; s++) {
            const double p = (double)a[i * keys + s];
            if (p > 0) m.entropy -= p * log2(p) / (double)n;
            if (tokens && s < i && tokens[s] == tokens[i]) m.duplicate += p, earlier = true;
        }
        again += earlier;
        if (tokens && i) m.previous += (double)a[i * keys + i - 1] / (double)(n - 1);
        if (!tokens) m.first += (double)a[i * keys] / (double)n;
        else if (i) m.first += (double)a[i * keys] / (double)(n - 1);
    }
    m.again = again > 0;
    if (again) m.duplicate /= (double)again;
    return m;
}

static void compare_scores(const two *x) {
    const sonde_table *t = run_table(x->r, "heads");
    CHECK_STR(run_columns(t), "stack layer head entropy_bits previous first duplicate induction");
    for (size_t row = 0; row < t->rows; row++) {
        sonde_array_spec shape;
        const char  *stack = run_text(t, row, "stack");
        const bool   cross = !strcmp(stack, "cross");
        const float *a = golden_pattern(x, stack, (int)run_int(t, row, "layer"), &shape);
        const int32_t *tokens = cross ? NULL : !strcmp(stack, "encoder") ? x->p.tokens : x->p.target;
        const means  m = means_of(a + run_int(t, row, "head") * shape.dim[1] * shape.dim[2], tokens, shape.dim[1], shape.dim[2]);
        CHECK_NEAR(run_float(t, row, "entropy_bits"), m.entropy, 2e-5);
        CHECK_NEAR(run_float(t, row, "first"), m.first, 1e-5);
        CHECK_EQ(run_null(t, row, "previous"), cross);
        CHECK_EQ(run_null(t, row, "induction"), cross);
        CHECK_EQ(run_null(t, row, "duplicate"), cross || !m.again);
        if (!cross) CHECK_NEAR(run_float(t, row, "previous"), m.previous, 1e-5);
        if (!cross && m.again) CHECK_NEAR(run_float(t, row, "duplicate"), m.duplicate, 1e-5);
    }
}

static void patterns_are_transformers(void) {
    for (size_t i = 0; i < FOLDERS; i++) {
        two x = two_open(folders[i]);
        method_run *r = x.r;
        RUN_OK(r, "attention", NULL);
        for (size_t k = 0; k < 3; k++) compare_arrays(&x, stacks[k]);
        compare_scores(&x);
        two_close(x);
    }
}

static void one_stack_may_be_chosen(void) {
    two x = two_open("bart");
    method_run *r = x.r;
    RUN_OK(r, "attention", "stack", "encoder", "heads", "3", "layers", "-1", "values", "true", "summary", "true", NULL);
    CHECK_EQ(run_rows(run_table(r, "heads")), 1);
    CHECK_EQ(run_int(run_table(r, "heads"), 0, "layer"), 1);
    CHECK_EQ(run_rows(run_table(r, "values")), x.p.n * x.p.n);
    RUN_OK(r, "attention", "stack", "cross", "heads", "1", "layers", "2", "values", "true", NULL);
    CHECK_EQ((int64_t)r->out->arrays.n, 1);
    CHECK_EQ(run_rows(run_table(r, "values")), x.p.n * x.p.n_target);
    CHECK_EQ(run_token(run_table(r, "values"), 1, "token"), x.p.target[0]);
    CHECK_EQ(run_token(run_table(r, "values"), 1, "key_token"), x.p.tokens[1]);
    CHECK_EQ(run_method(r, "attention", "stack", "all", "heads", "3", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "decoder: heads: 3 is outside 0..1 (or -2..-1 from the end)");
    CHECK_EQ(run_method(r, "attention", "values", "true", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "attention", "stack", "middle", NULL), SONDE_USAGE);
    two_close(x);
    r = run_open(NULL);
    run_prompt(r, "The capital of");
    CHECK_EQ(run_method(r, "attention", "stack", "cross", NULL), SONDE_USAGE);
    run_close(r);
}

/* Both directions count in an encoder's entropy. */
static void an_encoder_sees_both_ways(void) {
    method_run *r = run_open(FAMILIES "bert_mlm");
    const method_prompt *p = run_prompt(r, "the cat hears the dogs");
    RUN_OK(r, "attention", "layers", "0", "heads", "0", NULL);
    const sonde_array *a = result_array(r->out, "pattern");
    const means m = means_of(a->data, p->tokens.id, p->tokens.n, p->tokens.n);
    CHECK_NEAR(run_float(run_table(r, "heads"), 0, "entropy_bits"), m.entropy, 1e-6);
    RUN_OK(r, "sweep", "over", "blocks.0.attn.hook_pattern[0,t,s]", "do", "zero", "metric", "logit(#7,2)", NULL);
    CHECK_EQ(run_rows(run_table(r, "cells")), p->tokens.n * p->tokens.n);
    run_close(r);
}

/* ---- lens ---- */

static void compare_lens(const two *x, const json *want) {
    const sonde_table *t = run_table(x->r, "top");
    const int64_t vocab = x->r->cx.top, layers = sonde_model_describe(x->r->model)->layers + 1;
    const size_t  step = (size_t)truth_number(want, "step");
    CHECK_EQ(run_rows(t), x->p.n_target * layers * vocab);
    for (const json *row = truth_of(want, "rows")->child; row; row = row->next) {
        const int64_t layer = (int64_t)truth_number(row, "layer"), position = (int64_t)truth_number(row, "position");
        const size_t  first = (size_t)((position * layers + layer) * vocab);
        CHECK_EQ(run_int(t, first, "position"), position);
        CHECK_EQ(run_int(t, first, "layer"), layer ? layer - 1 : 0);
        CHECK_EQ(run_token(t, first, "token"), (int64_t)truth_number(row, "best"));
        for (size_t i = first; i < first + (size_t)vocab; i++) {
            const size_t id = (size_t)run_token(t, i, "token");
            if (id % step) continue;
            const double b = truth_item(truth_of(row, "logits"), id / step);
            CHECK_NEAR(run_float(t, i, "logit"), b, 1e-5 * fmax(1, fabs(b)));
        }
    }
}

static void the_lens_is_transformers_norm_and_head(void) {
    const truth f = truth_open("two_stacks");
    size_t n = 0;
    for (const json *want = truth_of(f.all, "lens")->child; want; want = want->next, n++) {
        two x = two_open(truth_of(want, "folder")->text);
        method_run *r = x.r;
        r->cx.top = (long)sonde_model_describe(r->model)->vocab;
        RUN_OK(r, "lens", "mid", "no", NULL);
        compare_lens(&x, want);
        two_close(x);
    }
    CHECK_EQ((int64_t)n, FOLDERS);
    truth_close(f);
}

/* The last state of every position: all of its logits, beside those of the run. */
static void last_state_is_the_answer(method_run *r, sonde_prompt p, int64_t rows, bool edited) {
    const int64_t vocab = r->cx.top;
    run_values v = run_site(r, p, edited, NULL);
    const sonde_table *t = run_table(r, "top");
    const int64_t states = run_rows(t) / rows / vocab;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < vocab; k++) {
            const size_t row = (size_t)(((i + 1) * states - 1) * vocab + k);
            const float  is = (float)run_float(t, row, "logit"), want = v.data[i * vocab + run_token(t, row, "token")];
            CHECK(memcmp(&is, &want, sizeof is) == 0);
        }
    free(v.data);
}

static void the_lens_ends_in_the_answer(void) {
    for (size_t i = 0; i < FOLDERS; i++)
        for (int edited = 0; edited < 2; edited++) {
            two x = two_open(folders[i]);
            method_run *r = x.r;
            r->cx.top = (long)sonde_model_describe(r->model)->vocab;
            if (edited) run_edit(r, "scale:decoder.0.cross_attn.hook_result[:,1,2]=-2");
            RUN_OK(r, "lens", NULL);
            last_state_is_the_answer(r, x.p, x.p.n_target, edited);
            two_close(x);
        }
}

static void the_lens_reads_what_norms_behind_sums_give(void) {
    static const char *const others[] = { "bert_mlm", "opt_post" };
    static const int32_t tokens[] = { 3, 5, 9, 7 };
    for (int i = 0; i < 2; i++) {
        char path[400];
        snprintf(path, sizeof path, FAMILIES "%s", others[i]);
        method_run *r = run_open(path);
        r->cx.n_prompts = 1;
        r->prompt[0].tokens = (sonde_tokens){ .n = 4, .id = copied(tokens, 4) };
        r->cx.top = (long)sonde_model_describe(r->model)->vocab;
        RUN_OK(r, "lens", NULL);
        CHECK_STR(run_text(run_table(r, "cells"), 2, "site"), "blocks.0.hook_normalized_resid_post");
        last_state_is_the_answer(r, (sonde_prompt){ .tokens = tokens, .n = 4 }, 4, false);
        run_close(r);
    }
    method_run *r = run_open(FAMILIES "bert_class");
    run_prompt(r, "the cat");
    CHECK_EQ(run_method(r, "lens", NULL), SONDE_UNSUPPORTED);
    run_close(r);
}

/* ---- sweeps ---- */

static sonde_status take_metric(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    *(float *)user = a->value.data[0];
    return SONDE_OK;
}

static float alone(const two *x, const char *metric, const char *edit) {
    sonde_edit   *e;
    sonde_metric *m;
    float         out = NAN;
    if (sonde_edit_parse(&e, x->r->model, edit, NULL, &x->r->err)) FAIL_("%s", x->r->err.message);
    if (sonde_metric_parse(&m, x->r->model, metric, NULL, NULL, &x->r->err)) FAIL_("%s", x->r->err.message);
    const sonde_edit *const list[] = { e };
    const sonde_variant v = { 0, list, 1 };
    const sonde_want    w = { .kind = SONDE_WANT_METRIC, .metric = m };
    const sonde_batch   b = { .bases = &x->p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &w, .n_wants = 1,
                              .runs = x->r->cx.runs, .n_runs = x->r->cx.n_runs };
    if (sonde_variants_run(x->r->cx.session, &b, take_metric, &out, &x->r->err)) FAIL_("%s", x->r->err.message);
    sonde_metric_free(m);
    sonde_edit_free(e);
    return out;
}

/* Each cell beside a run of its edit alone; the cells that there are. */
static int64_t cells_are_runs(two *x, const char *over, const char *what, const char *metric) {
    enum { MOST = 600 };
    static char edit[MOST][120];
    method_run *r = x->r;
    r->cx.dry_run = true;
    RUN_OK(r, "sweep", "over", over, "do", what, "metric", metric, NULL);
    r->cx.dry_run = false;
    const int64_t n = run_rows(run_table(r, "cells"));
    CHECK(n > 0 && n <= MOST);
    for (size_t i = 0; i < (size_t)n; i++) snprintf(edit[i], sizeof edit[i], "%s", run_text(run_table(r, "cells"), i, "edit"));
    RUN_OK(r, "sweep", "over", over, "do", what, "metric", metric, NULL);
    CHECK_EQ(run_rows(run_table(r, "cells")), n);
    for (size_t i = 0; i < (size_t)n; i++) {
        const float is = (float)run_float(run_table(r, "cells"), i, "metric"), want = alone(x, metric, edit[i]);
        CHECK(memcmp(&is, &want, sizeof is) == 0);
    }
    return n;
}

static void every_cell_is_a_run_of_its_own(void) {
    for (size_t i = 0; i < FOLDERS; i++) {
        two x = two_open(folders[i]);
        const sonde_model_info *info = sonde_model_describe(x.r->model);
        const int64_t n = x.p.n, t = x.p.n_target;
        const char *metric = "logit(#11)-logit(#20)+entropy(1)";
        CHECK_EQ(cells_are_runs(&x, "decoder.0.cross_attn.hook_pattern[1,t,s]", "scale=2", metric), n * t);
        CHECK_EQ(cells_are_runs(&x, "decoder.0.attn.hook_pattern[1,t,s]", "zero", metric), t * (t + 1) / 2);
        CHECK_EQ(cells_are_runs(&x, "encoder.0.attn.hook_pattern[1,t,s]", "zero", metric), n * n);
        CHECK_EQ(cells_are_runs(&x, "cross_attn.hook_v[s,1]", "zero", metric), n * info->layers);
        CHECK_EQ(cells_are_runs(&x, "hook_resid_pre", "scale=1.5", metric), n * info->encoder_layers + t * info->layers);
        CHECK_EQ(cells_are_runs(&x, "cross_attn.hook_z", "mean", metric), info->heads * info->layers);
        two_close(x);
    }
}

/* Transformers' metric under three edits of edit-encoder.safetensors, one of which is a cell. */
static void a_cell_is_transformers(void) {
    static const struct { const char *folder, *metric; double value; } goldens[] = {
        { "t5", "logit(#11)-logit(#20)", 3.226147770881653 }, { "t5_gated", "logit(#13)-logit(#20)", 2.6720084846019745 },
        { "bart_scaled", "logit(#261)-logit(#20)", -0.2848713994026184 },
    };
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        two x = two_open(goldens[i].folder);
        method_run *r = x.r;
        run_edit(r, "add:encoder.0.hook_resid_mid[2]=0.5");
        run_edit(r, "scale:decoder.hook_embed[1]=2");
        RUN_OK(r, "ablate", "over", "encoder.0.attn.hook_z", "metric", goldens[i].metric, NULL);
        CHECK_NEAR(run_float(run_table(r, "cells"), 1, "metric"), goldens[i].value, 3e-5);
        two_close(x);
    }
}

/* B has a shorter text and a shorter target: cells where both have a position. */
static void patches_have_what_both_runs_have(void) {
    for (size_t i = 0; i < FOLDERS; i++) {
        two x = two_open(folders[i]);
        method_run *r = x.r;
        const sonde_model_info *info = sonde_model_describe(r->model);
        int32_t other[16];
        for (int64_t k = 0; k < x.p.n; k++) other[k] = x.p.tokens[x.p.n - 1 - k];
        r->named[r->cx.n_runs++] = (sonde_named_run){ .name = "B", .prompt = { .tokens = other, .n = x.p.n - 2, .target = x.p.target,
                                                                               .n_target = x.p.n_target - 1 } };
        const int64_t n = x.p.n - 2, t = x.p.n_target - 1;
        CHECK_EQ(cells_are_runs(&x, "hook_resid_pre", "patch=B", "logit(#11)"), n * info->encoder_layers + t * info->layers);
        CHECK_EQ(cells_are_runs(&x, "cross_attn.hook_k[s]", "patch=B", "logit(#11)"), n * info->layers);
        RUN_OK(r, "patch", "metric", "logit(#11)", "approx", "gradient", NULL);
        CHECK_EQ(run_rows(run_table(r, "cells")), n * info->encoder_layers + t * info->layers);
        CHECK(!run_null(run_table(r, "runs"), 0, "B"));
        CHECK_EQ(run_rows(run_table(r, "agreement")), 1);
        two_close(x);
    }
}

/* The gradient says what a very small change does, at sites of both stacks. */
static void the_gradient_foretells_small_changes(void) {
    two x = two_open("t5");
    method_run *r = x.r;
    RUN_OK(r, "sweep", "over", "hook_resid_pre,cross_attn.hook_v[s,0],decoder.0.cross_attn.hook_pattern[0,t,s]", "do", "scale=1.001",
           "metric", "logit(#11)", "approx", "gradient", NULL);
    CHECK(run_float(run_table(r, "agreement"), 0, "pearson") > 0.999);
    CHECK_NEAR(run_float(run_table(r, "agreement"), 0, "slope"), 1, 0.02);
    two_close(x);
}

/* ---- activations ---- */

static void activations_are_of_either_stack(void) {
    two x = two_open("t5");
    method_run *r = x.r;
    RUN_OK(r, "activations", "unit", "1.3", NULL);
    const sonde_table *t = run_table(r, "unit");
    CHECK_EQ(run_rows(t), x.p.n + x.p.n_target);
    for (size_t i = 0; i < t->rows; i++) {
        sonde_array_spec shape;
        const float *want = sonde_capture_value(x.plain, run_text(t, i, "site"), &shape);
        const bool   decoder = run_text(t, i, "site")[0] == 'd';
        const int64_t at = run_int(t, i, "position");
        CHECK_EQ(run_token(t, i, "token"), (decoder ? x.p.target : x.p.tokens)[at]);
        CHECK_NEAR(run_float(t, i, "value"), want[at * shape.dim[1] + 3], 1e-5);
    }
    CHECK_EQ(run_rows(run_table(r, "tokens_layers")), 2 * x.p.n + 3 * x.p.n_target);
    RUN_OK(r, "activations", "site", "cross_attn.hook_z[:,1]", "layers", "2", NULL);
    CHECK_EQ(run_rows(run_table(r, "tokens_layers")), x.p.n_target);
    CHECK_STR(run_text(run_table(r, "tokens_layers"), 0, "state"), "decoder.2");
    two_close(x);
    x = two_open("bart");
    CHECK_EQ(run_method(x.r, "activations", "site", "mlp.hook_post", NULL), SONDE_USAGE);
    two_close(x);
}

/* ---- the target in the result ---- */

static void results_name_the_target(void) {
    two x = two_open("t5");
    method_run *r = x.r;
    RUN_OK(r, "lens", NULL);
    CHECK_EQ((int64_t)r->out->prompts.at[0].target.n, x.p.n_target);
    for (int64_t i = 0; i < x.p.n_target; i++) CHECK_EQ(r->out->prompts.at[0].target.at[i].id, x.p.target[i]);
    two_close(x);
}

/* ---- hash ---- */

static void the_hash_is_of_both_texts_and_the_logits(void) {
    two x = two_open("bart");
    method_run *r = x.r;
    sonde_error err;
    uint8_t     digest[32];
    char        hex[65];
    run_values  v = run_site(r, x.p, false, NULL);
    sha256     *h = sha256_new();
    sha256_add(h, x.p.tokens, (size_t)x.p.n * 4);
    sha256_add(h, x.p.target, (size_t)x.p.n_target * 4);
    sha256_add(h, v.data, (size_t)(x.p.n_target * v.cols) * 4);
    CHECK_EQ(sha256_end(h, digest, &err), SONDE_OK);
    sha256_hex(digest, hex);
    RUN_OK(r, "hash", NULL);
    CHECK_STR(run_text(run_table(r, "hash"), 0, "sha256"), hex);
    free(v.data);
    r->prompt[0].target.n = 0;                      /* none: the start token alone */
    RUN_OK(r, "hash", NULL);
    snprintf(hex, sizeof hex, "%s", run_text(run_table(r, "hash"), 0, "sha256"));
    r->prompt[0].target.n = 1;
    RUN_OK(r, "hash", NULL);
    CHECK_STR(run_text(run_table(r, "hash"), 0, "sha256"), hex);
    two_close(x);
}

/* ---- what stays with one stack ---- */

static void the_rest_is_refused(void) {
    static const char *const one[] = { "eval", "layers", "norms", "cka", "neurons", "heads", "stages" };
    static const char *const both[] = { "attention", "lens", "sweep", "ablate", "patch", "hash", "activations", "sites", "info", "tokens", "trace" };
    two x = two_open("t5");
    for (size_t i = 0; i < sizeof one / sizeof *one; i++)
        CHECK_EQ(method_check(method_find(one[i]), x.r->model, &x.r->err), SONDE_UNSUPPORTED);
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) CHECK_EQ(method_check(method_find(both[i]), x.r->model, &x.r->err), SONDE_OK);
    method_run *r = x.r;
    r->document[0] = (method_prompt){ .tokens = { .n = 3, .id = copied(x.p.tokens, 3) } };
    r->cx.n_documents = 1;
    CHECK_EQ(run_method(r, "lens", NULL), SONDE_UNSUPPORTED);
    two_close(x);
}

#define TESTS(X) X(patterns_are_transformers) X(one_stack_may_be_chosen) X(an_encoder_sees_both_ways) \
    X(the_lens_is_transformers_norm_and_head) X(the_lens_ends_in_the_answer) X(the_lens_reads_what_norms_behind_sums_give) \
    X(every_cell_is_a_run_of_its_own) X(a_cell_is_transformers) X(patches_have_what_both_runs_have) \
    X(the_gradient_foretells_small_changes) X(activations_are_of_either_stack) X(results_name_the_target) \
    X(the_hash_is_of_both_texts_and_the_logits) X(the_rest_is_refused)
TEST_MAIN(TESTS)
