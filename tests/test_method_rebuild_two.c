/* `rebuild` on encoder-decoders: both stacks beside the official captures, and what only they have. */
#define _GNU_SOURCE
#include "rebuild_run.h"

#define T5 GOLDEN "families/t5"
#define BART GOLDEN "families/bart"

static void every_stage_of_both_stacks_is_the_official_one(void) {
    static const char *const name[] = { "families/t5", "families/t5_gated", "families/t5_saved", "families/bart",
                                        "families/bart_scaled" };
    char model[400];
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        snprintf(model, sizeof model, GOLDEN "%s", name[i]);
        check_model(name[i], model);
    }
}

/* Every value that a run has without being asked is one that some stage makes. */
static int missing;
static sonde_status is_made(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    const sonde_table *t = run_table(user, "stages");
    char name[200];
    if (s->on_request) return SONDE_OK;
    for (size_t i = 0; i < t->rows; i++)
        for (size_t k = 0; !run_null(t, i, "site") && rebuild_site(run_text(t, i, "site"), k, name, sizeof name); k++)
            if (!strcmp(name, s->name)) return SONDE_OK;
    fprintf(stderr, "no stage makes %s\n", s->name);
    missing++;
    return SONDE_OK;
}

static void no_site_is_left_out(void) {
    static const char *const model[] = { T5, BART };
    for (size_t i = 0; i < 2; i++) {
        method_run *r = open_golden(model[i], i ? BART "/plain.safetensors" : T5 "/plain.safetensors");
        RUN_OK(r, "rebuild", NULL);
        const sonde_site_query every = { .n = 4, .n_target = 3 };
        CHECK_EQ(sonde_sites(r->model, &every, is_made, r, &r->err), SONDE_OK);
        CHECK_EQ(missing, 0);
        run_close(r);
    }
}

static void stages_read_across_the_stacks(void) {
    method_run *r = open_golden(T5, T5 "/plain.safetensors");
    RUN_OK(r, "rebuild", NULL);
    const sonde_table *t = run_table(r, "stages");
    const size_t bias = stage_of(t, "encoder block 0: bias of the distances"),
                 mine = stage_of(t, "decoder block 0: bias of the distances"),
                 late = stage_of(t, "encoder block 1: scores"), self = stage_of(t, "decoder block 2: scores"),
                 key = stage_of(t, "decoder block 2: cross-attention, keys"),
                 cross = stage_of(t, "decoder block 2: cross-attention, scores"),
                 end = stage_of(t, "encoder's final norm, output"), tokens = stage_of(t, "decoder: tokens"),
                 embed = stage_of(t, "decoder: token embedding");
    CHECK(bias < end && end < tokens && tokens + 1 == embed && embed < mine);
    CHECK(stage_of(t, "decoder block 2: stream behind attention") < key && key < cross);
    CHECK_STR(run_text(t, bias, "weights"), "encoder.0.attn.rel_pos_bias");
    CHECK_STR(run_text(t, mine, "weights"), "decoder.0.attn.rel_pos_bias");
    CHECK_STR(run_text(t, late, "inputs"), "encoder.1.attn.hook_q, encoder.1.attn.hook_k, encoder.0.attn.rel_pos_hook");
    CHECK_STR(run_text(t, self, "inputs"), "decoder.2.attn.hook_q, decoder.2.attn.hook_k, decoder.0.attn.rel_pos_hook");
    CHECK_STR(run_text(t, key, "inputs"), "encoder_final_ln.hook_out");
    CHECK_STR(run_text(t, key, "weights"), "decoder.2.cross_attn.W_K");
    CHECK_STR(run_text(t, key, "shape"), "[12, 3, 5]");
    CHECK_STR(run_text(t, cross, "inputs"), "decoder.2.cross_attn.hook_q, decoder.2.cross_attn.hook_k");
    CHECK_STR(run_text(t, cross, "formula"), "s[h,t,s] = scale <q[t,h], k[s,g]>, scale = 1, causal = 0");
    CHECK_STR(run_text(t, cross, "shape"), "[3, 5, 12]");
    CHECK(strstr(run_text(t, self, "formula"), "+ bias, -inf where"));
    CHECK(!strstr(run_text(t, late, "formula"), "-inf"));
    CHECK_STR(run_text(t, 1, "inputs"), "tokens");
    CHECK_STR(run_text(t, embed, "inputs"), "target tokens");
    CHECK_STR(run_text(t, tokens, "first"), "0 9 11 25 13");
    CHECK_EQ(run_rows(run_table(r, "tokens")), 12);
    CHECK_EQ(run_rows(run_table(r, "target")), 5);
    run_close(r);
    r = open_golden(BART, BART "/plain.safetensors");
    RUN_OK(r, "rebuild", NULL);
    t = run_table(r, "stages");
    CHECK_STR(run_text(t, stage_of(t, "decoder: positions"), "inputs"), "target positions");
    CHECK_STR(run_text(t, stage_of(t, "decoder: positions"), "weights"), "decoder.pos_embed.W_pos");
    CHECK_STR(run_text(t, stage_of(t, "positions"), "weights"), "encoder.pos_embed.W_pos");
    const size_t last = stage_of(t, "decoder block 0: cross-attention, keys");
    CHECK_STR(run_text(t, last, "inputs"), "encoder.1.ln2.hook_out");
    run_close(r);
}

/* Distances in every bucket and past the last, and a target longer than the text: the run beside the formula. */
static void distances_beyond_the_last_bucket_are_what_their_formula_gives(void) {
    enum { LONG = 40, LONGER = 53 };
    method_run *r = open_golden(T5, T5 "/plain.safetensors");
    sonde_tokens *t = &r->prompt[0].tokens, *target = &r->prompt[0].target;
    sonde_tokens_free(t);
    sonde_tokens_free(target);
    *t = (sonde_tokens){ .n = LONG, .id = calloc(LONG, sizeof *t->id) };
    *target = (sonde_tokens){ .n = LONGER, .id = calloc(LONGER, sizeof *target->id) };
    for (int i = 0; i < LONG; i++) t->id[i] = 2 + 7 * i % 37;
    for (int i = 1; i < LONGER; i++) target->id[i] = 2 + 11 * i % 37;
    RUN_OK(r, "rebuild", NULL);
    const sonde_table *s = run_table(r, "stages");
    const size_t both = stage_of(s, "encoder block 0: bias of the distances"),
                 one = stage_of(s, "decoder block 0: bias of the distances");
    CHECK_STR(run_text(s, both, "shape"), "[3, 40, 40]");
    CHECK_STR(run_text(s, one, "shape"), "[3, 53, 53]");
    CHECK(run_float(s, both, "recomputed_max_diff") == 0 && run_float(s, one, "recomputed_max_diff") == 0);
    CHECK_STR(run_text(s, stage_of(s, "decoder block 1: cross-attention, pattern"), "shape"), "[3, 53, 40]");
    run_close(r);
}

static void without_a_target_there_is_its_start_alone(void) {
    method_run *r = open_golden(T5, T5 "/plain.safetensors");
    sonde_tokens_free(&r->prompt[0].target);
    r->prompt[0].target = (sonde_tokens){ 0 };
    RUN_OK(r, "rebuild", NULL);
    const sonde_table *t = run_table(r, "stages");
    const size_t at = stage_of(t, "decoder: tokens");
    CHECK_STR(run_text(t, at, "formula"), "ids = the start token");
    CHECK_STR(run_text(t, at, "first"), "0");
    CHECK_EQ(run_rows(run_table(r, "target")), 1);
    CHECK_STR(run_text(t, stage_of(t, "logits, the product"), "shape"), "[1, 40]");
    run_close(r);
}

/* The encoder's stages agree, the decoder's tokens are the first that do not. */
static void another_target_is_noticed(void) {
    method_run *r = open_golden(T5, T5 "/plain.safetensors");
    r->prompt[0].target.id[2]++;
    CHECK_EQ(run_method(r, "rebuild", "against", T5 "/plain.safetensors", NULL), SONDE_DIFFERS);
    const sonde_table *t = run_table(r, "stages");
    const size_t tokens = stage_of(t, "decoder: tokens");
    char start[80];
    snprintf(start, sizeof start, "stage %zu, decoder: tokens: ", tokens + 1);
    if (strncmp(r->err.message, start, strlen(start)) != 0) FAIL_("%s, expected %s", r->err.message, start);
    for (size_t i = 0; i < tokens; i++) CHECK(is_ok(t, i));
    CHECK(is_ok(t, stage_of(t, "decoder block 1: cross-attention, keys")));
    CHECK(!is_ok(t, stage_of(t, "decoder block 1: cross-attention, queries")));
    r->prompt[0].target.n = 3;
    CHECK_EQ(run_method(r, "rebuild", "stage", "-1", "against", T5 "/plain.safetensors", NULL), SONDE_DIFFERS);
    CHECK(strstr(r->err.message, "another shape of unembed.hook_out"));
    run_close(r);
}

/* The reference's numbers at a name beside the file that was exported. */
static void check_stage(const char *folder, const char *site, int64_t n) {
    sonde_array_file *f;
    sonde_error err = { 0 };
    char   path[900];
    float *there = calloc((size_t)n, sizeof *there);
    snprintf(path, sizeof path, "%s/stages/%s.npy", folder, site);
    float *here = npy(path, n);
    if (sonde_array_file_open(&f, T5 "/plain.safetensors", &err)) FAIL_("%s", err.message);
    CHECK_EQ(sonde_array_read(f, sonde_array_file_find(f, site), 0, n, there, &err), SONDE_OK);
    for (int64_t i = 0; i < n; i++) CHECK_NEAR((double)here[i], (double)there[i], 2e-5);
    sonde_array_file_close(f);
    free(here);
    free(there);
}

static void both_stacks_are_exported(void) {
    scratch dir = scratch_new();
    method_run *r = open_golden(T5, T5 "/plain.safetensors");
    const scratch_path folder = in_scratch(&dir, "out");
    RUN_OK(r, "rebuild", "export", folder.text, NULL);
    check_weights(r, folder.text);
    CHECK(scratch_count(in_scratch(&dir, "out/weights").text) == sonde_model_weights(r->model));
    CHECK(scratch_count(in_scratch(&dir, "out/stages").text) == run_table(r, "stages")->rows - 2);
    check_stage(folder.text, "encoder.1.attn.hook_pattern", 3 * 12 * 12);
    check_stage(folder.text, "decoder.1.cross_attn.hook_k", 12 * 3 * 5);
    check_stage(folder.text, "decoder.2.cross_attn.hook_pattern", 3 * 5 * 12);
    check_stage(folder.text, "unembed.hook_out", 5 * 40);
    run_close(r);
    drop_export(folder.text);
    scratch_end(&dir);
}

#define TESTS(T) \
    T(every_stage_of_both_stacks_is_the_official_one) T(no_site_is_left_out) T(stages_read_across_the_stacks) \
    T(distances_beyond_the_last_bucket_are_what_their_formula_gives) T(without_a_target_there_is_its_start_alone) \
    T(another_target_is_noticed) T(both_stacks_are_exported)
TEST_MAIN(TESTS)
