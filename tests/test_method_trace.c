#define _GNU_SOURCE
#include "method_run.h"
#include "scratch.h"

static scratch     dir;
static const char *out[3];
static char        paths[3][700];

static method_run *begin(int files, const char *const *names) {
    dir = scratch_new();
    method_run *r = run_open(NULL);
    for (int i = 0; i < files; i++) {
        snprintf(paths[i], sizeof paths[i], "%s", in_scratch(&dir, names[i]).text);
        out[i] = paths[i];
    }
    r->cx.out = out;
    r->cx.n_out = (size_t)files;
    return r;
}

static void finish(method_run *r) {
    run_close(r);
    scratch_end(&dir);
}

static const char *const one_file[] = { "a.safetensors" };

static sonde_array_file *open_trace(const char *name) {
    sonde_array_file *f;
    sonde_error err = { 0 };
    if (sonde_array_file_open(&f, in_scratch(&dir, name).text, &err)) FAIL_("%s", err.message);
    return f;
}

static const sonde_array_spec *spec_of(const sonde_array_file *f, const char *name) {
    const size_t i = sonde_array_file_find(f, name);
    if (i == SIZE_MAX) FAIL_("no tensor %s", name);
    return sonde_array_file_spec(f, i);
}

static float *values_of(const sonde_array_file *f, const char *name) {
    const sonde_array_spec *s = spec_of(f, name);
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    float *x = calloc((size_t)n, sizeof *x);
    CHECK_EQ(sonde_array_read(f, sonde_array_file_find(f, name), 0, n, x, NULL), SONDE_OK);
    return x;
}

static bool verifies(method_run *r, const char *name) {
    method_run *v = run_open(NULL);
    v->err = (sonde_error){ 0 };
    const sonde_status s = run_method(v, "verify", "reference", in_scratch(&dir, name).text, NULL);
    if (s != SONDE_OK) printf("%s\n", v->err.message);
    run_close(v);
    (void)r;
    return s == SONDE_OK;
}

static void a_file_holds_the_sites_with_their_values(void) {
    method_run *r = begin(1, one_file);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "trace", NULL);
    sonde_array_file *f = open_trace("a.safetensors");
    CHECK_STR(spec_of(f, "tokens")->dtype, "I32");
    CHECK_EQ(spec_of(f, "tokens")->dim[0], 14);
    const sonde_array_spec *p = spec_of(f, "blocks.2.attn.hook_pattern");
    CHECK(p->rank == 3 && p->dim[0] == 5 && p->dim[1] == 14 && p->dim[2] == 14);
    CHECK(sonde_array_file_find(f, "blocks.0.attn.hook_result") == SIZE_MAX);
    CHECK_STR(sonde_array_file_note(f, "prompt"), DEMO_PROMPT);
    CHECK_STR(sonde_array_file_note(f, "sonde"), SONDE_VERSION);
    CHECK_STR(sonde_array_file_note(f, "model_hash"), sonde_model_hash(r->model));
    CHECK_STR(sonde_array_file_note(f, "seed"), "0");
    CHECK_STR(sonde_array_file_note(f, "bos"), "auto");
    CHECK(!sonde_array_file_note(f, "edits") && !sonde_array_file_note(f, "prompt_length"));
    const run_values v = run_site(r, context_prompt(&r->cx, 0), false, "blocks.2.attn.hook_pattern");
    float *x = values_of(f, "blocks.2.attn.hook_pattern");
    CHECK(memcmp(x, v.data, 5 * 14 * 14 * sizeof *x) == 0);
    free(x);
    free(v.data);
    sonde_array_file_close(f);
    CHECK(verifies(r, "a.safetensors"));
    CHECK(r->out->arrays.n == 0 && r->progress > 0);
    finish(r);
}

static void the_table_has_the_numbers_of_each_tensor(void) {
    method_run *r = begin(0, NULL);
    run_prompt(r, "The capital of");
    RUN_OK(r, "trace", "sites", "blocks.1.hook_resid_post,blocks.0.attn.hook_attn_scores", NULL);
    const sonde_table *t = run_table(r, "sites");
    CHECK_STR(run_columns(t), "site axes shape mean sd min max");
    CHECK_EQ(run_rows(t), 2);
    CHECK_STR(run_text(t, 0, "site"), "blocks.0.attn.hook_attn_scores");
    const run_values v = run_site(r, context_prompt(&r->cx, 0), false, "blocks.1.hook_resid_post");
    double mean = 0, square = 0, least = 1e9;
    const int64_t n = v.rows * v.cols;
    for (int64_t i = 0; i < n; i++) mean += (double)v.data[i] / (double)n;
    for (int64_t i = 0; i < n; i++) square += ((double)v.data[i] - mean) * ((double)v.data[i] - mean) / (double)n;
    for (int64_t i = 0; i < n; i++) least = fmin(least, (double)v.data[i]);
    CHECK_NEAR(run_float(t, 1, "mean"), mean, 1e-9);
    CHECK_NEAR(run_float(t, 1, "sd"), sqrt(square), 1e-9);
    CHECK(run_float(t, 1, "min") == least);
    CHECK(isfinite(run_float(t, 0, "min")));                      /* masked scores are left out */
    const sonde_array *a = result_array(r->out, "blocks.1.hook_resid_post");
    CHECK(a && a->n == n && memcmp(a->data, v.data, (size_t)n * sizeof(float)) == 0);
    CHECK(result_tabled(r->out, a));                              /* text does not print it */
    free(v.data);
    finish(r);
}

static void everything_that_edits_read_lies_in_the_file(void) {
    method_run *r = begin(1, one_file);
    float vector[DEMO_WIDTH];
    for (int i = 0; i < DEMO_WIDTH; i++) vector[i] = (float)(i % 7) - 3;
    const sonde_array_spec s = { .name = "", .dtype = "F32", .rank = 1, .dim = { DEMO_WIDTH } };
    CHECK_EQ(sonde_npy_write(in_scratch(&dir, "d.npy").text, &s, vector, NULL), SONDE_OK);
    char text[900];
    run_prompt(r, DEMO_PROMPT);
    run_named(r, "B", "When John and Mary went to the store, John gave a drink to");
    run_edit(r, "patch:blocks.1.attn.hook_z[\" Mary\"]=B[\" Mary\"]");
    snprintf(text, sizeof text, "add:blocks.2.hook_resid_post[-1]=0.5*%s", in_scratch(&dir, "d.npy").text);
    run_edit(r, text);
    run_edit(r, "noise:hook_embed[1:4]=0.3");
    run_edit(r, "mean:blocks.3.attn.hook_z[:,1]");
    r->cx.seed = 77;
    RUN_OK(r, "trace", "metric", DEMO_METRIC "-kl(B)", "grad", "true", NULL);
    sonde_array_file *f = open_trace("a.safetensors");
    CHECK_STR(sonde_array_file_note(f, "edits"), "patch:blocks.1.attn.hook_z[\" Mary\"]=B[\" Mary\"]\nadd:blocks.2.hook_resid_post[-1]=0.5*value/0\n"
                                                 "noise:hook_embed[1:4]=0.3\nmean:blocks.3.attn.hook_z[:,1]");
    CHECK_STR(sonde_array_file_note(f, "metric"), DEMO_METRIC "-kl(B)");
    CHECK_STR(sonde_array_file_note(f, "seed"), "77");
    CHECK_EQ(spec_of(f, "value/0")->dim[0], DEMO_WIDTH);
    CHECK_EQ(spec_of(f, "run/B/blocks.1.attn.hook_z")->rank, 3);
    CHECK_EQ(spec_of(f, "run/B/unembed.hook_out")->dim[1], DEMO_VOCAB);
    CHECK(sonde_array_file_find(f, "run/B/hook_embed") == SIZE_MAX);
    CHECK_EQ(spec_of(f, "grad/blocks.0.hook_resid_pre")->dim[0], 14);
    sonde_array_file_close(f);
    CHECK(isfinite(run_float(run_table(r, "metric"), 0, "metric")));
    remove(in_scratch(&dir, "d.npy").text);
    CHECK(verifies(r, "a.safetensors"));
    finish(r);
}

/* A run that was given as a trace is written down again, so the new trace needs neither. */
static void values_of_a_stored_run_are_copied(void) {
    static const char *const b_file[] = { "b.safetensors" };
    method_run *r = begin(1, b_file);
    run_prompt(r, "The name of");
    RUN_OK(r, "trace", NULL);
    sonde_capture *b;
    CHECK_EQ(sonde_capture_open(&b, in_scratch(&dir, "b.safetensors").text, NULL), SONDE_OK);
    sonde_tokens_free(&r->prompt[0].tokens);
    r->cx.n_prompts = 0;
    run_prompt(r, "The capital of");
    r->named[r->cx.n_runs++] = (sonde_named_run){ .name = "B", .values = b };
    run_edit(r, "patch:blocks.1.hook_resid_pre=B");
    snprintf(paths[0], sizeof paths[0], "%s", in_scratch(&dir, "a.safetensors").text);
    const int64_t length = sonde_capture_length(b);
    r->prompt[0].tokens.n = r->prompt[0].tokens.n < length ? r->prompt[0].tokens.n : length;
    RUN_OK(r, "trace", "sites", "hook_resid_post", NULL);
    sonde_capture_free(b);
    remove(in_scratch(&dir, "b.safetensors").text);
    CHECK(verifies(r, "a.safetensors"));
    finish(r);
}

static void rows_that_are_asked_for_are_kept(void) {
    method_run *r = begin(1, one_file);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "trace", "sites", "blocks.0.attn.hook_pattern,blocks.1.hook_resid_pre", "at", "-1,2,0", "metric", DEMO_METRIC,
           "grad", "true", NULL);
    sonde_array_file *f = open_trace("a.safetensors");
    int64_t at[3];
    CHECK_EQ(sonde_array_read_int(f, sonde_array_file_find(f, "positions"), 0, 3, at, NULL), SONDE_OK);
    CHECK(at[0] == 0 && at[1] == 2 && at[2] == 13);
    CHECK_EQ(spec_of(f, "blocks.0.attn.hook_pattern")->dim[1], 3);
    CHECK_EQ(spec_of(f, "blocks.0.attn.hook_pattern")->dim[2], 14);
    const run_values v = run_site(r, context_prompt(&r->cx, 0), false, "blocks.1.hook_resid_pre");
    float *x = values_of(f, "blocks.1.hook_resid_pre");
    CHECK(memcmp(x + DEMO_WIDTH, v.data + 2 * DEMO_WIDTH, DEMO_WIDTH * sizeof *x) == 0 &&
          memcmp(x + 2 * DEMO_WIDTH, v.data + 13 * DEMO_WIDTH, DEMO_WIDTH * sizeof *x) == 0);
    free(x);
    free(v.data);
    sonde_array_file_close(f);
    CHECK(verifies(r, "a.safetensors"));
    finish(r);
}

static void generated_positions_are_traced_with_the_prompts_length(void) {
    method_run *r = begin(1, one_file);
    run_prompt(r, "The capital of");
    run_edit(r, "scale:blocks.0.attn.hook_z[-1]=2");          /* the prompt's last position, wherever the run ends */
    RUN_OK(r, "trace", "n", "4", "sites", "hook_resid_post", NULL);
    sonde_array_file *f = open_trace("a.safetensors");
    CHECK_EQ(spec_of(f, "tokens")->dim[0], 7);
    CHECK_EQ(spec_of(f, "blocks.0.hook_resid_post")->dim[0], 7);
    CHECK_STR(sonde_array_file_note(f, "prompt_length"), "3");
    sonde_array_file_close(f);
    CHECK(verifies(r, "a.safetensors"));
    CHECK_EQ(run_method(r, "trace", "n", "94", NULL), SONDE_USAGE);
    CHECK(strstr(r->err.message, "97 positions, the context holds 96"));
    finish(r);
}

static void a_file_of_prompts_has_prefixes_even_if_it_holds_one(void) {
    for (size_t n = 1; n <= 2; n++) {
        method_run *r = begin(1, one_file);
        r->cx.batch = true;
        run_prompt(r, "The capital of")->b = "The name of";
        if (n == 2) run_prompt(r, "When Mary and")->b = "When John and";
        r->prompt[0].answer = " Mary";
        r->prompt[1].answer = " John";
        r->prompt[0].wrong = r->prompt[1].wrong = " the";
        run_edit(r, "patch:blocks.1.hook_resid_pre[1]=B");
        RUN_OK(r, "trace", "sites", "hook_resid_post", "metric", "logit(answer)-logit(wrong)", "grad", "true", NULL);
        sonde_array_file *f = open_trace("a.safetensors");
        CHECK(sonde_array_file_find(f, "tokens") == SIZE_MAX);
        CHECK_EQ(spec_of(f, "0/tokens")->dim[0], 3);
        spec_of(f, "0/grad/blocks.3.hook_resid_post");
        spec_of(f, "run/0/B/blocks.1.hook_resid_pre");
        CHECK_STR(sonde_array_file_note(f, "metric"), "logit(\" Mary\")-logit(\" the\")");
        if (n == 2) {
            CHECK_STR(sonde_array_file_note(f, "1/metric"), "logit(\" John\")-logit(\" the\")");
            CHECK_STR(sonde_array_file_note(f, "prompt"), "The capital of\nWhen Mary and");
            spec_of(f, "1/blocks.0.hook_resid_post");
        }
        sonde_array_file_close(f);
        CHECK(verifies(r, "a.safetensors"));
        finish(r);
    }
}

static void a_reference_is_one_run(void) {
    method_run *r = begin(1, one_file);
    run_prompt(r, DEMO_PROMPT);
    run_named(r, "reference", "The capital of");
    run_named(r, "reference", "When Mary and John");
    run_edit(r, "mean:blocks.1.attn.hook_z[:,2]");
    RUN_OK(r, "trace", "sites", "hook_resid_post", NULL);
    sonde_array_file *f = open_trace("a.safetensors");
    CHECK_EQ(spec_of(f, "run/reference/blocks.1.attn.hook_z")->dim[0], 7);
    sonde_array_file_close(f);
    CHECK(verifies(r, "a.safetensors"));
    finish(r);
}

static void other_endings_hold_the_arrays(void) {
    static const char *const names[] = { "a.safetensors", "a.json", "a.npy" };
    method_run *r = begin(3, names);
    run_prompt(r, "The capital of");
    RUN_OK(r, "trace", "sites", "blocks.0.hook_resid_post", NULL);
    CHECK_EQ((int64_t)scratch_count(dir.path), 3);
    sonde_array_file *f = open_trace("a.npy");
    CHECK_EQ(spec_of(f, "")->dim[1], DEMO_WIDTH);
    sonde_array_file_close(f);
    finish(r);
}

static void a_failed_trace_leaves_no_file(void) {
    method_run *r = begin(1, one_file);
    run_prompt(r, "The capital of");
    CHECK_EQ(run_method(r, "trace", "sites", "nowhere", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "trace", "metric", "rank(#3)", "grad", "true", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "trace", "grad", "true", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "trace", "at", "9", NULL), SONDE_USAGE);
    run_edit(r, "patch:blocks.0.hook_resid_pre=C");
    CHECK_EQ(run_method(r, "trace", NULL), SONDE_USAGE);
    CHECK_EQ((int64_t)scratch_count(dir.path), 0);
    snprintf(paths[0], sizeof paths[0], "%s", in_scratch(&dir, "a.odd").text);
    CHECK_EQ(run_method(r, "trace", NULL), SONDE_USAGE);
    finish(r);
}

static void dry_run_lists_and_writes_nothing(void) {
    method_run *r = begin(1, one_file);
    run_prompt(r, "The capital of");
    r->cx.dry_run = true;
    RUN_OK(r, "trace", "sites", "hook_resid_post", "metric", "entropy", "grad", "true", NULL);
    CHECK_EQ(run_rows(run_table(r, "sites")), 8);
    CHECK_STR(run_text(run_table(r, "sites"), 0, "shape"), "3 160");
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "rows"), 3);
    CHECK_EQ((int64_t)scratch_count(dir.path), 0);
    finish(r);
}

#define TESTS(X) \
    X(a_file_holds_the_sites_with_their_values) \
    X(the_table_has_the_numbers_of_each_tensor) \
    X(everything_that_edits_read_lies_in_the_file) \
    X(values_of_a_stored_run_are_copied) \
    X(rows_that_are_asked_for_are_kept) \
    X(generated_positions_are_traced_with_the_prompts_length) \
    X(a_file_of_prompts_has_prefixes_even_if_it_holds_one) \
    X(a_reference_is_one_run) \
    X(other_endings_hold_the_arrays) \
    X(a_failed_trace_leaves_no_file) \
    X(dry_run_lists_and_writes_nothing)
TEST_MAIN(TESTS)
