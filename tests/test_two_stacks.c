/* Encoder-decoders: names and plans of two stacks, targets, generation and batches as one run each, beams as transformers
 * finds them (tests/golden/families/NAME/beams.safetensors), and what is refused. Their sites and gradients: test_golden. */
#define _GNU_SOURCE
#include "test.h"
#include "method/method.h"
#include "sonde/graph.h"
#include <stdlib.h>

static const char *const models[] = { "t5", "t5_gated", "bart", "bart_scaled" };
enum { MODELS = 4, MOST = 16 };

typedef struct { sonde_model *m; sonde_session *s; sonde_error err; int64_t vocab; } opened;

static const char *folder_of(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/tests/golden/families/%s", SONDE_SOURCE_DIR, name);
    return path;
}

static opened open_model(const char *name, int threads) {
    opened x = { 0 };
    if (sonde_model_open(&x.m, folder_of(name), NULL, &x.err)) FAIL_("%s", x.err.message);
    if (sonde_session_new(&x.s, x.m, (sonde_session_options){ .threads = threads }, &x.err)) FAIL_("%s", x.err.message);
    x.vocab = sonde_model_describe(x.m)->vocab;
    return x;
}

static void close_model(opened *x) {
    sonde_session_free(x->s);
    sonde_model_close(x->m);
}

static const int32_t source[] = { 4, 9, 17, 6, 30, 11, 5 }, other_source[] = { 12, 3, 8, 8 }, target[] = { 0, 7, 21, 4 };

static sonde_prompt prompt_of(int64_t n_target) {
    return (sonde_prompt){ .tokens = source, .n = 7, .target = target, .n_target = n_target };
}

/* ---- names ---- */

typedef struct { char text[20000]; size_t n; } heard;

static sonde_status hear(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    heard *h = user;
    h->n += (size_t)snprintf(h->text + h->n, sizeof h->text - h->n, "%s %lldx%lld%s;", s->name, (long long)s->dim[0],
                             (long long)s->dim[1], s->of_target ? " target" : "");
    return SONDE_OK;
}

static const char *sites(opened *x, const char *pattern, const char *plan) {
    static heard h;
    sonde_edit *e = NULL;
    h = (heard){ .text = "" };
    if (plan && sonde_edit_parse(&e, x->m, plan, NULL, &x->err)) return x->err.message;
    const sonde_edit *const list[] = { e };
    const sonde_site_query q = { .pattern = pattern, .edits = list, .n_edits = plan != NULL, .n = 7, .n_target = 4 };
    const sonde_status s = sonde_sites(x->m, &q, hear, &h, &x->err);
    sonde_edit_free(e);
    return s == SONDE_OK ? h.text : x->err.message;
}

static void stacks_have_names_of_their_own(void) {
    opened x = open_model("t5", 1);
    CHECK_STR(sites(&x, "hook_embed,decoder.hook_embed", NULL), "hook_embed 7x16;decoder.hook_embed 4x16 target;");
    CHECK_STR(sites(&x, "encoder_final_ln.hook_out,decoder_final_ln.hook_out", NULL),
              "encoder_final_ln.hook_out 7x16;decoder_final_ln.hook_out 4x16 target;");
    CHECK_STR(sites(&x, "hook_resid_mid", NULL), "encoder.0.hook_resid_mid 7x16;encoder.1.hook_resid_mid 7x16;"
              "decoder.0.hook_resid_mid 4x16 target;decoder.1.hook_resid_mid 4x16 target;decoder.2.hook_resid_mid 4x16 target;");
    CHECK_STR(sites(&x, "decoder.-1.cross_attn.hook_{k,pattern}", NULL),
              "decoder.2.cross_attn.hook_k 7x3;decoder.2.cross_attn.hook_pattern 3x4 target;");
    CHECK_STR(sites(&x, "**.rel_pos_hook", NULL), "encoder.0.attn.rel_pos_hook 3x7;decoder.0.attn.rel_pos_hook 3x4 target;");
    CHECK_STR(sites(&x, "logits", NULL), "unembed.hook_out 4x40 target;");
    CHECK_HAS(sites(&x, "hook_z", NULL), "two kinds of site end so, attn.hook_z and cross_attn.hook_z");
    CHECK_HAS(sites(&x, "blocks.0.hook_resid_pre", NULL), "no such site");
    CHECK_HAS(sites(&x, "resid_pre0", NULL), "no such site");
    CHECK_HAS(sites(&x, "ln_final.hook_out", NULL), "no such site");
    close_model(&x);
    x = open_model("bart", 1);
    CHECK_STR(sites(&x, "**.hook_pos_embed,decoder.embed.ln.hook_scale", NULL),
              "hook_pos_embed 7x12;decoder.hook_pos_embed 4x12 target;decoder.embed.ln.hook_scale 4x1 target;");
    CHECK_STR(sites(&x, "encoder.0.attn.hook_q,decoder.0.attn.hook_q", NULL), "encoder.0.attn.hook_q 7x4;decoder.0.attn.hook_q 4x2 target;");
    close_model(&x);
}

static void plans_are_of_a_stack(void) {
    opened x = open_model("t5", 1);
    static const char *const same[] = { "skip:encoder.1", "skip:decoder.0.cross_attn", "skip:decoder.1-2.mlp",
        "swap:decoder.0,decoder.2", "repeat:encoder.0-1=2", "order:encoder.1,0", "order:decoder.0-2,0", "zero:decoder.0.cross_attn.hook_z" };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char text[100];
        sonde_edit *e;
        if (sonde_edit_parse(&e, x.m, same[i], NULL, &x.err)) FAIL_("%s", x.err.message);
        sonde_edit_format(e, text, sizeof text);
        CHECK_STR(text, same[i]);
        sonde_edit_free(e);
    }
    CHECK_HAS(sites(&x, "**", "skip:blocks.0"), "expected encoder.N or decoder.N");
    CHECK_HAS(sites(&x, "**", "skip:encoder.0.cross_attn"), "expected attn or mlp");
    CHECK_HAS(sites(&x, "**", "skip:decoder.3"), "blocks 0 to 2");
    CHECK_HAS(sites(&x, "**", "swap:encoder.0,decoder.1"), "expected two different blocks");
    CHECK_HAS(sites(&x, "**", "order:0,1"), "expected encoder. or decoder.");
    CHECK_STR(sites(&x, "hook_resid_post", "order:decoder.2,0"),
              "encoder.0.hook_resid_post 7x16;encoder.1.hook_resid_post 7x16;decoder.2.hook_resid_post 4x16 target;"
              "decoder.0.hook_resid_post 4x16 target;");
    CHECK_STR(sites(&x, "decoder.0.hook_resid_mid_cross,decoder.0.hook_cross_attn_out", "skip:decoder.1.cross_attn"),
              "decoder.0.hook_cross_attn_out 4x16 target;decoder.0.hook_resid_mid_cross 4x16 target;");
    CHECK_HAS(sites(&x, "decoder.0.cross_attn.hook_k", "skip:decoder.0.cross_attn"), "this plan skips that part of block 0");
    close_model(&x);
}

/* ---- runs ---- */

typedef struct { float *row; int64_t vocab, n; } rows;

static sonde_status keep_row(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    rows *r = user;
    memcpy(r->row + a->first * r->vocab, a->value.data, (size_t)r->vocab * sizeof(float));
    r->n++;
    return SONDE_OK;
}

typedef struct { sonde_edit *at[4]; size_t n; } edits;

static edits parse(opened *x, const char *texts) {
    edits e = { .n = 0 };
    for (const char *at = texts; *at;) {
        char one[128];
        const size_t len = strcspn(at, ";");
        snprintf(one, sizeof one, "%.*s", (int)len, at);
        if (sonde_edit_parse(&e.at[e.n], x->m, one, NULL, &x->err)) FAIL_("%s", x->err.message);
        e.n++;
        at += len + (at[len] == ';');
    }
    return e;
}

static void drop(edits *e) {
    for (size_t i = 0; i < e->n; i++) sonde_edit_free(e->at[i]);
}

static const sonde_named_run named_b = { .name = "B", .prompt = { .tokens = other_source, .n = 4, .target = target, .n_target = 3 } };

static rows logits_of(opened *x, const sonde_prompt *p, const edits *e) {
    rows r = { .vocab = x->vocab, .row = calloc((size_t)(MOST * x->vocab), sizeof(float)) };
    const sonde_variant v = { 0, (const sonde_edit *const *)e->at, e->n };
    const sonde_want    w = { .kind = SONDE_WANT_LOGITS };
    const sonde_batch   b = { .bases = p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &w, .n_wants = 1,
                              .runs = &named_b, .n_runs = 1, .seed = 3 };
    if (sonde_variants_run(x->s, &b, keep_row, &r, &x->err)) FAIL_("%s", x->err.message);
    return r;
}

typedef struct { int32_t id[MOST]; double prob[MOST]; int64_t n; double score; } written;

static sonde_status keep_token(const sonde_generated *g, void *user, sonde_error *err) {
    (void)err;
    written *w = user;
    w->id[w->n] = g->id;
    w->prob[w->n++] = g->prob;
    w->score = g->score;
    return SONDE_OK;
}

static const char *const edit_sets[] = {
    "", "zero:encoder.-1.hook_mlp_out[2]", "add:decoder.0.hook_resid_post[:,3]=0.5@generated", "scale:hook_embed[-1]=2",
    "scale:decoder.0.cross_attn.hook_pattern[:,:,2]=3", "zero:decoder.1.cross_attn.hook_k[1:3]",
    "set:decoder.0.attn.hook_pattern[0,:,0]=0.4@generated", "noise:decoder.0.hook_cross_attn_out=0.3;zero:encoder.0.attn.hook_z[:,0]",
    "patch:encoder.-1.hook_resid_post[0]=B[1];freeze:decoder.1.hook_mlp_out", "mean:encoder.0.hook_mlp_out;mean:decoder.0.hook_attn_out",
    "skip:decoder.1.cross_attn;repeat:decoder.0=2", "repeat:encoder.0=2;add:decoder.0.attn.hook_attn_scores[:,:,0]=0.7",
};
enum { SETS = sizeof edit_sets / sizeof *edit_sets };

/* Token by token with its cache, and one run over all of it: the same bits. */
static void a_generation_is_one_run(void) {
    for (int m = 0; m < MODELS; m++) {
        opened x = open_model(models[m], 2);
        for (int k = 0; k < SETS; k++) {
            edits         e = parse(&x, edit_sets[k]);
            written       w = { .n = 0 };
            int32_t       all[MOST];
            const int64_t given = 2;
            const sonde_prompt  p = prompt_of(given);
            const sonde_writing by = { .prompts = &p, .n_prompts = 1, .edits = (const sonde_edit *const *)e.at, .n_edits = e.n,
                                       .runs = &named_b, .n_runs = 1, .sampling = { .n = 7, .ignore_eos = true, .seed = 3 } };
            if (sonde_generate(x.s, &by, keep_token, &w, &x.err)) FAIL_("%s: %s", edit_sets[k], x.err.message);
            memcpy(all, target, sizeof target);
            memcpy(all + given, w.id, (size_t)w.n * sizeof *all);
            const sonde_prompt whole = { .tokens = source, .n = 7, .target = all, .n_target = given + w.n - 1, .prompt = given };
            rows r = logits_of(&x, &whole, &e);
            for (int64_t i = 0; i < w.n - 1; i++) {
                const float *row = r.row + (given - 1 + i) * x.vocab;
                if (sonde_logits_prob(row, x.vocab, w.id[i]) != w.prob[i])
                    FAIL_("%s, \"%s\": token %lld is not that of one run", models[m], edit_sets[k], (long long)i);
            }
            free(r.row);
            drop(&e);
        }
        close_model(&x);
    }
}

static sonde_status collect(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    ((float *)user)[a->variant] = a->value.data[0];
    return SONDE_OK;
}

/* Prompts of different lengths side by side, on four threads, and each alone on one. */
static void batches_are_runs_alone(void) {
    for (int m = 0; m < MODELS; m++) {
        opened        x = open_model(models[m], 1), y = open_model(models[m], 4);
        sonde_metric *metric;
        if (sonde_metric_parse(&metric, x.m, "logit(#3)-logit(#7)+loss", NULL, NULL, &x.err)) FAIL_("%s", x.err.message);
        const sonde_prompt p[3] = { prompt_of(4), { .tokens = other_source, .n = 4, .target = target + 1, .n_target = 3 }, prompt_of(2) };
        edits            e = parse(&x, "zero:encoder.0.hook_mlp_out[1];scale:decoder.1.cross_attn.hook_z=0.5");
        const sonde_want want = { .kind = SONDE_WANT_METRIC, .metric = metric };
        sonde_variant    v[6];
        float            together[6], alone;
        for (int i = 0; i < 6; i++) v[i] = (sonde_variant){ i % 3, (const sonde_edit *const *)e.at, i < 3 ? e.n : 0 };
        const sonde_batch all = { .bases = p, .n_bases = 3, .variants = v, .n_variants = 6, .wants = &want, .n_wants = 1 };
        if (sonde_variants_run(y.s, &all, collect, together, &y.err)) FAIL_("%s", y.err.message);
        for (int i = 0; i < 6; i++) {
            const sonde_variant only = { 0, v[i].edits, v[i].n_edits };
            const sonde_batch   b = { .bases = &p[i % 3], .n_bases = 1, .variants = &only, .n_variants = 1, .wants = &want, .n_wants = 1 };
            if (sonde_variants_run(x.s, &b, collect, &alone, &x.err)) FAIL_("%s", x.err.message);
            if (memcmp(&alone, &together[i], sizeof alone)) FAIL_("%s: variant %d", models[m], i);
        }
        drop(&e);
        sonde_metric_free(metric);
        close_model(&x);
        close_model(&y);
    }
}

static void a_target_is_the_start_token_alone(void) {
    opened x = open_model("bart", 1);
    const edits none = { .n = 0 };
    const sonde_prompt bare = { .tokens = source, .n = 7 }, given = { .tokens = source, .n = 7, .target = (int32_t[]){ 2 }, .n_target = 1 };
    rows a = logits_of(&x, &bare, &none), b = logits_of(&x, &given, &none);
    CHECK_EQ(a.n, 1);
    CHECK(!memcmp(a.row, b.row, (size_t)x.vocab * sizeof(float)));
    free(a.row);
    free(b.row);
    CHECK_EQ(sonde_model_describe(x.m)->start, 2);
    CHECK_EQ(sonde_model_describe(x.m)->encoder_layers, 2);
    close_model(&x);
}

/* ---- beams ---- */

static void read_ids(const sonde_array_file *f, const char *name, int32_t *out, int64_t *n) {
    const size_t at = sonde_array_file_find(f, name);
    int64_t wide[64];
    CHECK(at != SIZE_MAX);
    *n = sonde_array_file_spec(f, at)->dim[0];
    CHECK_EQ(sonde_array_read_int(f, at, 0, *n, wide, NULL), SONDE_OK);
    for (int64_t i = 0; i < *n; i++) out[i] = (int32_t)wide[i];
}

static void beams_of(opened *x, const sonde_array_file *f, const char *name, const char *which, bool early) {
    char     key[80];
    int32_t  given[64], want[64];
    int64_t  n, n_want;
    float    score;
    written  w = { .n = 0 };
    read_ids(f, "tokens", given, &n);
    snprintf(key, sizeof key, "beams/%s%s", which, early ? "/early" : "");
    read_ids(f, key, want, &n_want);
    strcat(key, "/score");
    CHECK_EQ(sonde_array_read(f, sonde_array_file_find(f, key), 0, 1, &score, NULL), SONDE_OK);
    const sonde_prompt  p = { .tokens = given, .n = n };
    const sonde_writing by = { .prompts = &p, .n_prompts = 1, .sampling = {
        .n = atoi(sonde_array_file_note(f, "max_new_tokens")), .beams = atoi(sonde_array_file_note(f, "num_beams")),
        .length_penalty = atof(which), .early_stopping = early } };
    if (sonde_generate(x->s, &by, keep_token, &w, &x->err)) FAIL_("%s", x->err.message);
    if (w.n != n_want || memcmp(w.id, want, (size_t)n_want * sizeof *want)) FAIL_("%s %s: another text", name, key);
    CHECK_NEAR(w.score, (double)score, 1e-5 * fabs((double)score));
}

static void beams_are_those_of_transformers(void) {
    for (int m = 0; m < MODELS; m++) {
        char   path[600];
        opened x = open_model(models[m], 1);
        sonde_array_file *f;
        snprintf(path, sizeof path, "%s/beams.safetensors", folder_of(models[m]));
        if (sonde_array_file_open(&f, path, &x.err)) FAIL_("%s", x.err.message);
        for (int i = 0; i < 4; i++) beams_of(&x, f, models[m], i & 1 ? "1.3" : "0.7", i & 2);
        sonde_array_file_close(f);
        close_model(&x);
    }
}

/* With one stack a search of beams finds at least what greedy does; its score is what its tokens' probabilities say. */
static void beams_of_a_decoder(void) {
    opened x = { 0 };
    char   path[512];
    snprintf(path, sizeof path, "%s/tests/golden/three", SONDE_SOURCE_DIR);
    if (sonde_model_open(&x.m, path, NULL, &x.err)) FAIL_("%s", x.err.message);
    if (sonde_session_new(&x.s, x.m, (sonde_session_options){ 0 }, &x.err)) FAIL_("%s", x.err.message);
    const sonde_prompt p = { .tokens = source, .n = 5 };
    written greedy = { .n = 0 }, best = { .n = 0 };
    sonde_writing by = { .prompts = &p, .n_prompts = 1, .sampling = { .n = 6, .ignore_eos = true } };
    CHECK_EQ(sonde_generate(x.s, &by, keep_token, &greedy, &x.err), SONDE_OK);
    by.sampling.beams = 4;
    by.sampling.length_penalty = 1;
    CHECK_EQ(sonde_generate(x.s, &by, keep_token, &best, &x.err), SONDE_OK);
    double sum[2] = { 0, 0 };
    for (int64_t i = 0; i < 6; i++) {
        sum[0] += log(greedy.prob[i]);
        sum[1] += log(best.prob[i]);
    }
    CHECK(sum[1] >= sum[0] - 1e-6);
    CHECK_NEAR(best.score, sum[1] / 6, 1e-5);
    by.sampling.temperature = 1;
    CHECK_EQ(sonde_generate(x.s, &by, keep_token, &best, &x.err), SONDE_USAGE);
    close_model(&x);
}

/* ---- what is refused ---- */

static void what_reads_one_stack_refuses_two(void) {
    opened x = open_model("t5", 1), d = { 0 };
    size_t both = 0;
    for (const method *const *m = method_table; *m; m++) {
        if (!((*m)->takes & NEEDS_MODEL)) continue;
        const sonde_status s = method_check(*m, x.m, &x.err);
        CHECK(s == SONDE_OK || s == SONDE_UNSUPPORTED);
        if (s == SONDE_OK) both++;
        else CHECK_HAS(x.err.message, "is an encoder-decoder");
    }
    CHECK(both >= 8);
    sonde_model *folded;
    CHECK_EQ(sonde_model_fold(x.m, &folded, &x.err), SONDE_UNSUPPORTED);
    if (sonde_model_open(&d.m, NULL, NULL, &d.err)) FAIL_("%s", d.err.message);
    if (sonde_session_new(&d.s, d.m, (sonde_session_options){ 0 }, &d.err)) FAIL_("%s", d.err.message);
    char hex[65];
    const sonde_prompt  p = prompt_of(2);
    const sonde_variant v = { 0, NULL, 0 };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1 };
    CHECK_EQ(sonde_run_hash(d.s, &b, hex, &d.err), SONDE_USAGE);
    CHECK_HAS(d.err.message, "is no encoder-decoder");
    close_model(&d);
    close_model(&x);
}

#define TESTS(X)                                                                                                     \
    X(stacks_have_names_of_their_own) X(plans_are_of_a_stack) X(a_generation_is_one_run) X(batches_are_runs_alone)   \
    X(a_target_is_the_start_token_alone) X(beams_are_those_of_transformers) X(beams_of_a_decoder)                    \
    X(what_reads_one_stack_refuses_two)
TEST_MAIN(TESTS)
