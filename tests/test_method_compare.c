/* compare against KL, entropy and loss of two runs in long double. */
#define _GNU_SOURCE
#include "method_run.h"
#include <unistd.h>

enum { V = DEMO_VOCAB, N = 14 };
#define OTHER "When Mary and John went to the store, Mary gave a drink to"

typedef struct { long double log_sum, entropy; int32_t argmax; } row_truth;

static row_truth row_of(const float *x) {
    row_truth t = { 0 };
    long double sum = 0;
    for (int32_t i = 0; i < V; i++)
        if (x[i] > x[t.argmax]) t.argmax = i;
    for (int64_t i = 0; i < V; i++) sum += expl((long double)x[i] - (long double)x[t.argmax]);
    t.log_sum = (long double)x[t.argmax] + logl(sum);
    for (int64_t i = 0; i < V; i++) {
        const long double log_p = (long double)x[i] - t.log_sum;
        t.entropy -= expl(log_p) * log_p / logl(2);
    }
    return t;
}

static long double kl_of(const float *p, const float *q) {
    const row_truth a = row_of(p), b = row_of(q);
    long double kl = 0;
    for (int64_t i = 0; i < V; i++) {
        const long double log_p = (long double)p[i] - a.log_sum;
        kl += expl(log_p) * (log_p - ((long double)q[i] - b.log_sum));
    }
    return kl;
}

static void check_positions(method_run *r, const float *before, const float *after, const int32_t *ids, const int32_t *ids_after) {
    const sonde_table *t = run_table(r, "positions");
    CHECK_STR(run_columns(t), "position token kl_nats loss_before loss_after entropy_before entropy_after argmax_before argmax_after");
    CHECK_EQ(run_rows(t), N);
    for (size_t i = 0; i < N; i++) {
        const float *x = before + i * V, *y = after + i * V;
        const row_truth b = row_of(x), a = row_of(y);
        CHECK_EQ(run_int(t, i, "position"), (long long)i);
        CHECK_EQ(run_token(t, i, "token"), ids[i]);
        CHECK_NEAR(run_float(t, i, "kl_nats"), (double)kl_of(x, y), 1e-11);
        CHECK_NEAR(run_float(t, i, "entropy_before"), (double)b.entropy, 1e-11);
        CHECK_NEAR(run_float(t, i, "entropy_after"), (double)a.entropy, 1e-11);
        CHECK_EQ(run_token(t, i, "argmax_before"), b.argmax);
        CHECK_EQ(run_token(t, i, "argmax_after"), a.argmax);
        if (i == N - 1) {
            CHECK(run_null(t, i, "loss_before") && run_null(t, i, "loss_after"));
            continue;
        }
        CHECK_NEAR(run_float(t, i, "loss_before"), (double)(b.log_sum - (long double)x[ids[i + 1]]), 1e-11);
        CHECK_NEAR(run_float(t, i, "loss_after"), (double)(a.log_sum - (long double)y[ids_after[i + 1]]), 1e-11);
    }
}

static void edits_against_the_definitions(void) {
    method_run *r = run_open(NULL);
    const method_prompt *p = run_prompt(r, DEMO_PROMPT);
    const sonde_prompt base = { .tokens = p->tokens.id, .n = p->tokens.n };
    run_edit(r, "zero:blocks.0.attn.hook_z[:,0]");
    run_edit(r, "scale:ln_final.hook_out[3]=2");
    RUN_OK(r, "compare", NULL);
    run_values before = run_site(r, base, false, NULL), after = run_site(r, base, true, NULL);
    check_positions(r, before.data, after.data, base.tokens, base.tokens);
    CHECK_EQ(run_rows(run_table(r, "top")), 5 * N);
    CHECK(result_table(r->out, "metric") == NULL && result_table(r->out, "texts") == NULL);
    free(before.data);
    free(after.data);
    run_close(r);
}

static void another_run_against_the_definitions(void) {
    method_run *r = run_open(NULL);
    const method_prompt *p = run_prompt(r, DEMO_PROMPT);
    const sonde_prompt base = { .tokens = p->tokens.id, .n = p->tokens.n };
    run_named(r, "B", OTHER);
    RUN_OK(r, "compare", NULL);
    run_values before = run_site(r, base, false, NULL), after = run_site(r, r->named[0].prompt, false, NULL);
    check_positions(r, before.data, after.data, base.tokens, r->named[0].prompt.tokens);
    free(before.data);
    free(after.data);
    run_close(r);
}

static void a_shorter_run_is_compared_as_far_as_it_goes(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_named(r, "B", "When Mary and John");
    RUN_OK(r, "compare", NULL);
    const sonde_table *t = run_table(r, "positions");
    CHECK_EQ(run_rows(t), 4);
    CHECK(run_float(t, 3, "kl_nats") == 0);
    CHECK(!run_null(t, 3, "loss_before") && run_null(t, 3, "loss_after"));
    CHECK_EQ(run_method(r, "compare", "metric", "logit(argmax)", NULL), SONDE_USAGE);
    run_close(r);
}

static void no_change_is_no_difference(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_edit(r, "add:hook_resid_pre=0");
    RUN_OK(r, "compare", "metric", DEMO_METRIC, NULL);
    for (size_t i = 0; i < N; i++) CHECK(run_float(run_table(r, "positions"), i, "kl_nats") == 0);
    CHECK(run_float(run_table(r, "metric"), 0, "change") == 0);
    run_close(r);
}

static void metrics(void) {
    method_run *r = run_open(NULL);
    const method_prompt *p = run_prompt(r, DEMO_PROMPT);
    run_named(r, "B", OTHER);
    int32_t mary, john;
    CHECK(!sonde_token_single(r->model, " Mary", 5, &mary, NULL) && !sonde_token_single(r->model, " John", 5, &john, NULL));
    run_values a = run_site(r, (sonde_prompt){ .tokens = p->tokens.id, .n = N }, false, NULL);
    run_values b = run_site(r, r->named[0].prompt, false, NULL);
    const float *x = a.data + (N - 1) * V, *y = b.data + (N - 1) * V;
    RUN_OK(r, "compare", "metric", DEMO_METRIC, NULL);
    const sonde_table *t = run_table(r, "metric");
    CHECK_STR(run_columns(t), "metric before after change");
    CHECK(run_float(t, 0, "before") == (double)(float)((double)x[mary] - (double)x[john]));
    CHECK(run_float(t, 0, "after") == (double)(float)((double)y[mary] - (double)y[john]));
    RUN_OK(r, "compare", "metric", "logit(argmax)", NULL);          /* run A's, in both */
    CHECK(run_float(run_table(r, "metric"), 0, "after") == (double)y[row_of(x).argmax]);
    RUN_OK(r, "compare", "metric", "kl(A)", NULL);
    CHECK_NEAR(run_float(run_table(r, "metric"), 0, "after"), (double)kl_of(x, y), 1e-5);
    CHECK(run_float(run_table(r, "metric"), 0, "before") == 0);
    free(a.data);
    free(b.data);
    run_close(r);
}

static sonde_status take_id(const sonde_generated *g, void *user, sonde_error *err) {
    (void)err;
    int32_t *id = user;
    id[g->position - N] = g->id;
    return SONDE_OK;
}

static void texts_are_the_two_generations(void) {
    method_run *r = run_open(NULL);
    const method_prompt *p = run_prompt(r, DEMO_PROMPT);
    run_edit(r, "zero:blocks.0.attn.hook_z[:,0]");
    RUN_OK(r, "compare", "n", "3", NULL);
    const sonde_table *t = run_table(r, "texts");
    CHECK_EQ(run_rows(t), 2);
    const sonde_prompt base = { .tokens = p->tokens.id, .n = N };
    for (size_t i = 0; i < 2; i++) {
        int32_t id[3] = { -1, -1, -1 };
        char   *text;
        size_t  len;
        const sonde_writing w = { .prompts = &base, .n_prompts = 1, .edits = r->cx.edits, .n_edits = i, .sampling = { .n = 3 } };
        CHECK_EQ(sonde_generate(r->cx.session, &w, take_id, id, NULL), SONDE_OK);
        int64_t n = 0;
        while (n < 3 && id[n] >= 0) n++;
        CHECK_EQ(sonde_detokenize(r->model, id, n, &text, &len, NULL), SONDE_OK);
        CHECK_STR(run_text(t, i, "run"), i ? "after" : "before");
        CHECK_STR(run_text(t, i, "text"), text);
        sonde_text_free(text);
    }
    CHECK_EQ(run_method(r, "compare", "n", "84", NULL), SONDE_USAGE);
    run_close(r);
}

/* A trace with its logits stands in for run B. */
static void a_trace_as_the_other_run(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_named(r, "B", OTHER);
    RUN_OK(r, "compare", NULL);
    double kl[N];
    for (size_t i = 0; i < N; i++) kl[i] = run_float(run_table(r, "positions"), i, "kl_nats");
    run_values b = run_site(r, r->named[0].prompt, false, NULL);
    char path[] = "/tmp/sonde-compare-XXXXXX";
    CHECK(close(mkstemp(path)) == 0);
    const sonde_array_spec specs[] = { { .name = "tokens", .dtype = "I32", .rank = 1, .dim = { N } },
                                       { .name = "unembed.hook_out", .dtype = "F32", .rank = 2, .dim = { N, V } } };
    sonde_array_writer *w;
    CHECK(!sonde_array_writer_open(&w, path, (sonde_array_list){ .specs = specs, .n = 2 }, &r->err));
    CHECK(!sonde_array_write(w, 0, 0, r->named[0].prompt.tokens, N, &r->err));
    CHECK(!sonde_array_write(w, 1, 0, b.data, N * V, &r->err));
    CHECK(!sonde_array_writer_close(w, &r->err));
    sonde_capture *c;
    if (sonde_capture_open(&c, path, &r->err)) FAIL_("%s", r->err.message);
    r->named[0] = (sonde_named_run){ .name = "B", .values = c };
    RUN_OK(r, "compare", NULL);
    for (size_t i = 0; i < N; i++) CHECK(run_float(run_table(r, "positions"), i, "kl_nats") == kl[i]);
    CHECK_EQ(run_method(r, "compare", "n", "2", NULL), SONDE_USAGE);
    sonde_capture_free(c);
    unlink(path);
    free(b.data);
    run_close(r);
}

static void prompts_bring_their_own_b(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT)->b = OTHER;
    run_prompt(r, OTHER)->b = OTHER;
    r->prompt[0].answer = r->prompt[1].answer = " Mary";
    r->prompt[0].wrong = r->prompt[1].wrong = " John";
    RUN_OK(r, "compare", "metric", "logit(answer)-logit(wrong)", NULL);
    const sonde_table *t = run_table(r, "positions"), *m = run_table(r, "metric");
    CHECK_EQ(run_rows(t), 2 * N);
    CHECK_EQ(run_int(t, N, "prompt"), 1);
    CHECK(run_float(t, N - 1, "kl_nats") > 1 && run_float(t, 2 * N - 1, "kl_nats") == 0);
    CHECK_EQ(run_rows(m), 2);
    CHECK(run_float(m, 1, "change") == 0 && run_float(m, 0, "after") == run_float(m, 1, "after"));
    run_close(r);
}

static void nothing_to_compare_with(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    CHECK_EQ(run_method(r, "compare", NULL), SONDE_USAGE);
    CHECK(strstr(r->err.message, "--edit or --run B="));
    run_named(r, "B", OTHER);
    r->cx.dry_run = true;
    RUN_OK(r, "compare", "metric", DEMO_METRIC, "n", "3", NULL);
    CHECK(run_float(run_table(r, "cost"), 0, "flops") > 1e6);
    CHECK(result_table(r->out, "positions") == NULL);
    CHECK_EQ(run_method(r, "compare", "metric", "logit(\"no such word\")", NULL), SONDE_USAGE);
    run_close(r);
}

#define TESTS(T) \
    T(edits_against_the_definitions) T(another_run_against_the_definitions) T(a_shorter_run_is_compared_as_far_as_it_goes) \
    T(no_change_is_no_difference) T(metrics) T(texts_are_the_two_generations) T(a_trace_as_the_other_run) \
    T(prompts_bring_their_own_b) T(nothing_to_compare_with)
TEST_MAIN(TESTS)
