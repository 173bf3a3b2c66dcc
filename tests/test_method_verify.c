#define _GNU_SOURCE
#include "method_run.h"
#include "scratch.h"

/* Traces of the embedded model, changed in one place. */

static scratch dir;

static method_run *traced(const char *file, const char *sites, const char *metric) {
    dir = scratch_new();
    method_run *r = run_open(NULL);
    static char path[700];
    snprintf(path, sizeof path, "%s", in_scratch(&dir, file).text);
    static const char *out[1];
    out[0] = path;
    run_prompt(r, "The capital of");
    r->cx.out = out;
    r->cx.n_out = 1;
    RUN_OK(r, "trace", "sites", sites, "metric", metric, "grad", *metric ? "true" : "false", NULL);
    r->cx.n_prompts = 0;
    return r;
}

static void finish(method_run *r) {
    r->cx.n_prompts = 1;                    /* its tokens are freed */
    run_close(r);
    scratch_end(&dir);
}

static sonde_status verify(method_run *r, const char *file) {
    r->err = (sonde_error){ 0 };
    return run_method(r, "verify", "reference", in_scratch(&dir, file).text, NULL);
}

/* A copy of a trace; `change` adds to one item of the tensor `name`, `renamed` is its name there. */
/* NOLINTNEXTLINE(readability-function-size): one tensor, one change, the notes */
static void copy_trace(const char *from, const char *to, const char *name, int64_t item, float change, const char *renamed,
                       const sonde_array_note *notes, size_t n_notes) {
    sonde_array_file   *f;
    sonde_array_writer *w;
    sonde_error err = { 0 };
    if (sonde_array_file_open(&f, in_scratch(&dir, from).text, &err)) FAIL_("%s", err.message);
    const size_t n = sonde_array_file_count(f);
    sonde_array_spec *spec = calloc(n, sizeof *spec);
    for (size_t i = 0; i < n; i++) {
        spec[i] = *sonde_array_file_spec(f, i);
        if (renamed && !strcmp(spec[i].name, name)) spec[i].name = renamed;
    }
    if (sonde_array_writer_open(&w, in_scratch(&dir, to).text, (sonde_array_list){ spec, n, notes, n_notes }, &err)) FAIL_("%s", err.message);
    for (size_t i = 0; i < n; i++) {
        const sonde_array_spec *s = sonde_array_file_spec(f, i);
        int64_t count = 1;
        for (int k = 0; k < s->rank; k++) count *= s->dim[k];
        float   *x = calloc((size_t)count, sizeof *x);
        int64_t *ids = calloc((size_t)count, sizeof *ids);
        int32_t *narrow = calloc((size_t)count, sizeof *narrow);
        const bool whole = !strcmp(s->dtype, "I32");
        if (whole) sonde_array_read_int(f, i, 0, count, ids, &err);
        else sonde_array_read(f, i, 0, count, x, &err);
        for (int64_t k = 0; k < count; k++) narrow[k] = (int32_t)ids[k];
        if (!strcmp(s->name, name)) x[item] = change <= -3e38f ? change : x[item] + change;
        CHECK_EQ(sonde_array_write(w, i, 0, whole ? (void *)narrow : (void *)x, count, &err), SONDE_OK);
        free(x);
        free(ids);
        free(narrow);
    }
    CHECK_EQ(sonde_array_writer_close(w, &err), SONDE_OK);
    free(spec);
    sonde_array_file_close(f);
}

static void a_trace_agrees_with_its_own_run(void) {
    method_run *r = traced("a.safetensors", "**", "logit(#5)-logit(#6)");
    if (verify(r, "a.safetensors")) FAIL_("%s", r->err.message);
    const sonde_table *t = run_table(r, "sites");
    CHECK_STR(run_columns(t), "site shape max_abs_diff at_index max_abs mean_abs_diff cosine ok");
    CHECK(run_rows(t) > 100);
    for (size_t i = 0; i < t->rows; i++) CHECK(run_float(t, i, "max_abs_diff") == 0);
    CHECK_STR(run_text(t, 0, "site"), "hook_embed");
    CHECK_STR(run_text(t, 0, "shape"), "[3, 160]");
    CHECK(r->progress > 0);
    finish(r);
}

static void the_first_site_that_fails_is_named(void) {
    method_run *r = traced("a.safetensors", "**", "");
    copy_trace("a.safetensors", "b.safetensors", "blocks.2.hook_resid_mid", 163, 0.25f, NULL, NULL, 0);
    CHECK_EQ(verify(r, "b.safetensors"), SONDE_DIFFERS);
    CHECK(strstr(r->err.message, "blocks.2.hook_resid_mid: max |a-b| is 0.25 at [1,3]") == r->err.message);
    const sonde_table *t = run_table(r, "sites");
    int bad = 0;
    for (size_t i = 0; i < t->rows; i++) bad += !table_at(t, i, run_column(t, "ok")).b;
    CHECK_EQ(bad, 1);
    finish(r);
}

static void a_small_difference_is_allowed_and_a_larger_one_is_not(void) {
    method_run *r = traced("a.safetensors", "blocks.0.hook_resid_pre", "");
    copy_trace("a.safetensors", "b.safetensors", "blocks.0.hook_resid_pre", 0, 5e-6f, NULL, NULL, 0);
    CHECK_EQ(verify(r, "b.safetensors"), SONDE_OK);
    CHECK(run_float(run_table(r, "sites"), 0, "max_abs_diff") > 0);
    copy_trace("a.safetensors", "c.safetensors", "blocks.0.hook_resid_pre", 0, 1e-2f, NULL, NULL, 0);
    CHECK_EQ(verify(r, "c.safetensors"), SONDE_DIFFERS);
    finish(r);
}

static void an_unknown_name_is_a_failed_row(void) {
    method_run *r = traced("a.safetensors", "hook_resid_pre", "");
    copy_trace("a.safetensors", "b.safetensors", "blocks.1.hook_resid_pre", 0, 0, "blocks.1.hook_rezid", NULL, 0);
    CHECK_EQ(verify(r, "b.safetensors"), SONDE_DIFFERS);
    CHECK(strstr(r->err.message, "blocks.1.hook_rezid: this model's run has no such site (1 of 4") == r->err.message);
    copy_trace("a.safetensors", "c.safetensors", "blocks.1.hook_resid_pre", 0, 0, "hook_resid_pre", NULL, 0);
    CHECK_EQ(verify(r, "c.safetensors"), SONDE_DIFFERS);          /* every layer is no site */
    copy_trace("a.safetensors", "d.safetensors", "blocks.1.hook_resid_pre", 0, 0, "l_out-0", NULL, 0);
    CHECK_EQ(verify(r, "d.safetensors"), SONDE_OK);               /* llama.cpp's name of the same values */
    finish(r);
}

static void another_shape_is_a_failed_row(void) {
    method_run *r = traced("a.safetensors", "hook_resid_pre,blocks.0.mlp.hook_pre", "");
    copy_trace("a.safetensors", "b.safetensors", "blocks.0.mlp.hook_pre", 0, 0, "blocks.0.hook_mlp_out", NULL, 0);
    CHECK_EQ(verify(r, "b.safetensors"), SONDE_DIFFERS);
    CHECK(strstr(r->err.message, "has the shape [3, 640]"));
    finish(r);
}

static void the_least_float_is_a_mask(void) {
    method_run *r = traced("a.safetensors", "blocks.0.attn.hook_attn_scores", "");
    copy_trace("a.safetensors", "b.safetensors", "blocks.0.attn.hook_attn_scores", 1, -3.4028235e38f, NULL, NULL, 0);
    CHECK_EQ(verify(r, "b.safetensors"), SONDE_OK);               /* [0,0,1] is masked */
    copy_trace("a.safetensors", "c.safetensors", "blocks.0.attn.hook_attn_scores", 0, -3.4028235e38f, NULL, NULL, 0);
    CHECK_EQ(verify(r, "c.safetensors"), SONDE_DIFFERS);
    finish(r);
}

static void another_model_is_a_note(void) {
    method_run *r = traced("a.safetensors", "hook_embed", "");
    const sonde_array_note note = { "model_hash", "0123456789abcdef" };
    copy_trace("a.safetensors", "b.safetensors", "", 0, 0, NULL, &note, 1);
    CHECK_EQ(verify(r, "b.safetensors"), SONDE_OK);
    CHECK(strstr(sonde_result_note_at(r->out, 0), "another model"));
    CHECK(strstr(sonde_result_note_at(r->out, 1), "1 of 1"));
    finish(r);
}

static void broken_files_say_what_is_wrong(void) {
    method_run *r = traced("a.safetensors", "hook_embed", "");
    const sonde_array_note edit = { "edits", "zero:nowhere" }, length = { "prompt_length", "77" };
    copy_trace("a.safetensors", "b.safetensors", "tokens", 0, 0, "token", NULL, 0);
    CHECK_EQ(verify(r, "b.safetensors"), SONDE_FORMAT);
    copy_trace("a.safetensors", "c.safetensors", "", 0, 0, NULL, &edit, 1);
    CHECK_EQ(verify(r, "c.safetensors"), SONDE_USAGE);
    copy_trace("a.safetensors", "d.safetensors", "", 0, 0, NULL, &length, 1);
    CHECK_EQ(verify(r, "d.safetensors"), SONDE_FORMAT);
    copy_trace("a.safetensors", "e.safetensors", "hook_embed", 0, 0, "grad/hook_embed", NULL, 0);
    CHECK_EQ(verify(r, "e.safetensors"), SONDE_FORMAT);           /* gradients of no metric */
    CHECK_EQ(verify(r, "none.safetensors"), SONDE_NOT_FOUND);
    finish(r);
}

/* greedy: [wrong, right ..] fails at its place. */
static void greedy_tokens_are_judged_on_the_references_path(void) {
    method_run *r = traced("a.safetensors", "hook_embed", "");
    const int32_t *prompt = r->prompt[0].tokens.id;
    for (int wrong = 0; wrong < 2; wrong++) {
        int32_t best[4], tokens[8];
        memcpy(tokens, prompt, 3 * sizeof *tokens);
        for (int i = 0; i < 4; i++) {
            const run_values v = run_site(r, (sonde_prompt){ .tokens = tokens, .n = 3 + i, .prompt = 0 }, false, NULL);
            best[i] = sonde_logits_stats(v.data + (2 + i) * v.cols, v.cols).argmax;
            free(v.data);
            if (wrong && i == 1) best[i] = (best[i] + 1) % DEMO_VOCAB;
            tokens[3 + i] = best[i];
        }
        const sonde_array_spec spec[2] = { { "tokens", "I32", 1, { 3 } }, { "greedy", "I32", 1, { 4 } } };
        sonde_array_writer *w;
        CHECK_EQ(sonde_array_writer_open(&w, in_scratch(&dir, "g.safetensors").text, (sonde_array_list){ .specs = spec, .n = 2 }, NULL), SONDE_OK);
        sonde_array_write(w, 0, 0, prompt, 3, NULL);
        sonde_array_write(w, 1, 0, best, 4, NULL);
        CHECK_EQ(sonde_array_writer_close(w, NULL), SONDE_OK);
        CHECK_EQ(verify(r, "g.safetensors"), wrong ? SONDE_DIFFERS : SONDE_OK);
        if (wrong) CHECK(strstr(r->err.message, "greedy: token [1] differs") == r->err.message);
    }
    finish(r);
}

static void dry_run_lists_and_runs_nothing(void) {
    method_run *r = traced("a.safetensors", "hook_resid_pre", "");
    r->cx.dry_run = true;
    CHECK_EQ(verify(r, "a.safetensors"), SONDE_OK);
    CHECK_EQ(run_rows(run_table(r, "sites")), 4);
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "rows"), 3);
    finish(r);
}

#define TESTS(X) \
    X(a_trace_agrees_with_its_own_run) \
    X(the_first_site_that_fails_is_named) \
    X(a_small_difference_is_allowed_and_a_larger_one_is_not) \
    X(an_unknown_name_is_a_failed_row) \
    X(another_shape_is_a_failed_row) \
    X(the_least_float_is_a_mask) \
    X(another_model_is_a_note) \
    X(broken_files_say_what_is_wrong) \
    X(greedy_tokens_are_judged_on_the_references_path) \
    X(dry_run_lists_and_runs_nothing)
TEST_MAIN(TESTS)
