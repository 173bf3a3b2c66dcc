/* Models whose rotary positions are scaled, whole: beside transformers in runs on both sides of the original length
 * (tests/truth/rope_models.json, tools/truth/rope_models.py); and the promises about runs that grow across it. */
#define _GNU_SOURCE
#include "shot.h"
#include "scratch.h"
#include "truth.h"

static scratch folder_with(const char *config) {
    char from[700];
    scratch dir = scratch_new();
    snprintf(from, sizeof from, "%s/model.safetensors", golden("llama_grouped"));
    CHECK_EQ(symlink(from, in_scratch(&dir, "model.safetensors").text), 0);
    scratch_write(&dir, "config.json", config, strlen(config));
    return dir;
}

/* The original length is 12: chunks and generations of a few tokens cross it. */
static scratch scaled_folder(const char *scaling) {
    char config[1200];
    snprintf(config, sizeof config,
             "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": 24, "
             "\"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"intermediate_size\": 37, \"num_hidden_layers\": 2, "
             "\"head_dim\": 10, \"vocab_size\": 61, \"rms_norm_eps\": 1e-5, %s}", scaling);
    return folder_with(config);
}

static const char *const by_length[] = {
    "\"max_position_embeddings\": 12, \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 60.0}",
    "\"max_position_embeddings\": 700, \"rope_scaling\": {\"type\": \"longrope\", \"original_max_position_embeddings\": 12, "
    "\"short_factor\": [1, 1.1, 1.3, 1.6, 2], \"long_factor\": [1, 2, 5.5, 12, 30]}",
};
enum { KINDS = 2, ORIGINAL = 12, VOCAB = 61 };

/* ---- beside transformers ---- */

typedef struct { const json *rows, *want; const char *what; double worst; } comparing;

static sonde_status compare_rows(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    comparing    *c = user;
    const int64_t width = a->value.rank == 2 ? a->value.dim[1] : a->value.dim[0];
    const int64_t n = a->value.rank == 2 ? a->value.dim[0] : 1;
    for (size_t i = 0; i < c->rows->len; i++) {
        const int64_t at = (int64_t)truth_item(c->rows, i) - a->first;
        if (at < 0 || at >= n) continue;
        double most = 0;
        for (int64_t k = 0; k < width; k++) most = fmax(most, fabs(truth_item(truth_at(c->want, i), (size_t)k)));
        for (int64_t k = 0; k < width; k++) {
            const double want = truth_item(truth_at(c->want, i), (size_t)k);
            const double off = fabs((double)a->value.data[at * width + k] - want) / most;
            if (!(off <= c->worst)) FAIL_("%s row %zu, item %lld: off by %g of the largest", c->what, i, (long long)k, off);
        }
    }
    return SONDE_OK;
}

static void compare(const setting *s, const json *run, const char *key, const sonde_want *want, double worst) {
    sonde_error err = { 0 };
    sonde_session *with = session(s, 1);
    comparing c = { truth_of(run, "rows"), truth_of(run, key), key, worst };
    const sonde_prompt  p = { s->tokens, s->n, 0 };
    const sonde_variant v = { 0, NULL, 0 };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want, .n_wants = 1 };
    if (sonde_variants_run(with, &b, compare_rows, &c, &err)) FAIL_("%s", err.message);
    sonde_session_free(with);
}

static void models_are_those_of_transformers(void) {
    const truth t = truth_open("rope_models");
    const json *cases = truth_of(t.all, "cases");
    CHECK(cases->len >= 4);
    for (size_t i = 0; i < cases->len; i++) {
        const json *c = truth_at(cases, i), *runs = truth_of(c, "runs");
        scratch dir = folder_with(truth_of(c, "config")->text);
        for (size_t k = 0; k < runs->len; k++) {
            const json *run = truth_at(runs, k);
            sonde_error err = { 0 };
            sonde_metric *last;
            setting s;
            open_setting(&s, dir.path, (int64_t)truth_number(run, "n"), "");
            if (sonde_metric_parse(&last, s.model, "logit(#3)", NULL, NULL, &err)) FAIL_("%s", err.message);
            compare(&s, run, "logits", &(sonde_want){ .kind = SONDE_WANT_SITE, .sites = "logits" }, 1e-5);
            compare(&s, run, "grad", &(sonde_want){ .kind = SONDE_WANT_GRAD, .sites = "hook_embed", .metric = last }, 1e-4);
            sonde_metric_free(last);
            close_setting(&s);
        }
        scratch_end(&dir);
    }
    truth_close(t);
}

/* ---- runs that grow ---- */

/* Each token's probabilities are those of a run of the tokens before it: later tokens would turn those too. */
typedef struct { int32_t id[24]; double prob[24][VOCAB]; int64_t n; } spoken;

static sonde_status take_token(const sonde_generated *g, void *user, sonde_error *err) {
    (void)err;
    spoken *x = user;
    x += g->prompt;
    for (size_t i = 0; i < g->n_alternatives; i++) x->prob[x->n][g->alternative[i]] = g->alternative_prob[i];
    x->id[x->n++] = g->id;
    return SONDE_OK;
}

typedef struct { const double *prob; const char *edits; int64_t n; } expected;

static sonde_status compare_last(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    const expected *e = user;
    for (int32_t k = 0; k < VOCAB; k++)
        if (sonde_logits_prob(a->value.data, VOCAB, k) != e->prob[k])
            FAIL_("\"%s\", %lld tokens: P(#%d) is %.17g generated, %.17g in one run", e->edits, (long long)e->n, (int)k,
                  e->prob[k], sonde_logits_prob(a->value.data, VOCAB, k));
    return SONDE_OK;
}

/* Two prompts side by side, one of them behind the limit from the start. */
static void generated_as_runs(const char *folder, const char *edits) {
    static spoken x[2];
    static int32_t tokens[64];
    static const int64_t n_prompt[] = { 9, 17 };
    setting s;
    open_setting(&s, folder, 9, edits);
    sonde_error err = { 0 };
    sonde_session *with = session(&s, 2);
    memset(x, 0, sizeof x);
    const sonde_prompt    p[] = { { s.tokens, n_prompt[0], 0 }, { s.tokens + 3, n_prompt[1], 0 } };
    const sonde_named_run b = { .name = "B", .prompt = { s.other, 40, 0 } };
    const sonde_writing   w = { .prompts = p, .n_prompts = 2, .edits = (const sonde_edit *const *)s.edit,
                                .n_edits = s.n_edits, .runs = &b, .n_runs = 1,
                                .sampling = { .n = 7, .ignore_eos = true, .alternatives = VOCAB, .seed = 9 } };
    if (sonde_generate(with, &w, take_token, x, &err)) FAIL_("\"%s\": %s", edits, err.message);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(x[i].n, 7);
        memcpy(tokens, p[i].tokens, (size_t)p[i].n * sizeof *tokens);
        for (int64_t k = 0; k < x[i].n; k++) {
            const int64_t last = n_prompt[i] + k - 1;
            const sonde_prompt  whole = { tokens, last + 1, n_prompt[i] };
            const sonde_variant v = { 0, w.edits, w.n_edits };
            const sonde_want    want = { .kind = SONDE_WANT_LOGITS, .at = &last, .n_at = 1 };
            const sonde_batch   one = { .bases = &whole, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &want,
                                        .n_wants = 1, .runs = &b, .n_runs = 1, .seed = 9 };
            expected e = { x[i].prob[k], edits, last + 1 };
            if (sonde_variants_run(with, &one, compare_last, &e, &err)) FAIL_("\"%s\": %s", edits, err.message);
            tokens[last + 1] = x[i].id[k];
        }
    }
    sonde_session_free(with);
    close_setting(&s);
}

static void a_generation_across_the_limit_equals_runs(void) {
    static const char *const edits[] = {
        "", "add:blocks.0.hook_resid_post[:,2]=0.5@generated", "set:blocks.1.attn.hook_rot_k[{2,8},1,{0,7}]=0.5",
        "patch:blocks.0.hook_attn_out=B", "freeze:blocks.0-1.attn.hook_pattern;add:hook_embed[7]=0.3",
        "freeze:blocks.1.hook_mlp_out;noise:blocks.0.hook_attn_out=0.2",
    };
    for (int kind = 0; kind < KINDS; kind++) {
        scratch dir = scaled_folder(by_length[kind]);
        for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) generated_as_runs(dir.path, edits[i]);
        scratch_end(&dir);
    }
}

/* A prompt of several chunks beside the run with a way back, which takes it whole. */
static void a_prompt_in_chunks_equals_the_whole(void) {
    for (int kind = 0; kind < KINDS; kind++) {
        scratch dir = scaled_folder(by_length[kind]);
        setting s;
        shot    x, y;
        open_setting(&s, dir.path, 600, "");
        sonde_session *with = session(&s, 2);
        shoot(&s, with, VALUES, "hook_embed,blocks.1.attn.hook_rot_*", &x);
        shoot(&s, with, VALUES_WITH_GRADIENTS, "hook_embed,blocks.1.attn.hook_rot_*", &y);
        CHECK(x.n == 3 && x.metric == y.metric);
        for (size_t i = 1; i < x.n; i++)                            /* hook_embed holds its gradient */
            CHECK(!memcmp(x.site[i].value, y.site[i].value, (size_t)x.site[i].n * sizeof(float)));
        drop(&x);
        drop(&y);
        sonde_session_free(with);
        close_setting(&s);
        scratch_end(&dir);
    }
}

/* The same tokens turn otherwise where more follow; on one side of the limit LONGROPE does not. */
static void positions_turn_as_the_whole_run_does(void) {
    static const struct { int kind; int64_t n, more; bool same; } rows[] = {
        { 0, 5, ORIGINAL, true }, { 0, 5, ORIGINAL + 1, false }, { 0, 20, 21, false },
        { 1, 5, ORIGINAL, true }, { 1, 5, ORIGINAL + 1, false }, { 1, 20, 21, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scratch dir = scaled_folder(by_length[rows[i].kind]);
        setting s;
        shot    x, y;
        open_setting(&s, dir.path, rows[i].n, "");
        sonde_session *with = session(&s, 1);
        shoot(&s, with, VALUES, "blocks.0.attn.hook_rot_k", &x);
        s.n = rows[i].more;
        shoot(&s, with, VALUES, "blocks.0.attn.hook_rot_k", &y);
        CHECK(x.n == 1 && y.n == 1 && x.site[0].n < y.site[0].n);
        CHECK(!memcmp(x.site[0].value, y.site[0].value, (size_t)x.site[0].n * sizeof(float)) == rows[i].same);
        drop(&x);
        drop(&y);
        sonde_session_free(with);
        close_setting(&s);
        scratch_end(&dir);
    }
}

#define TESTS(X) \
    X(models_are_those_of_transformers) \
    X(a_generation_across_the_limit_equals_runs) \
    X(a_prompt_in_chunks_equals_the_whole) \
    X(positions_turn_as_the_whole_run_does)
TEST_MAIN(TESTS)
