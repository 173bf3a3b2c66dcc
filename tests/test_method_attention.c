/* Head scores against direct loops over captured patterns, and closed forms on the hand-made induction model. */
#include "method_run.h"

/* 1 and repeats of words: duplicate is defined. */
#define REPEATS " red cat river key red cat red"

typedef struct { long double entropy, previous, first, duplicate; } scores;

static scores scores_of(const float *a, const int32_t *tokens, int64_t n) {
    scores s = { 0 };
    int64_t again = 0;
    for (int64_t i = 0; i < n; i++) {
        bool earlier = false;
        for (int64_t j = 0; j < n; j++) {
            const long double p = (long double)a[i * n + j];
            if (p > 0) s.entropy -= p * log2l(p) / (long double)n;
            if (j < i && tokens[j] == tokens[i]) s.duplicate += p, earlier = true;
        }
        again += earlier;
        if (i) s.previous += (long double)a[i * n + i - 1] / (long double)(n - 1);
        if (i) s.first += (long double)a[i * n] / (long double)(n - 1);
    }
    if (again) s.duplicate /= (long double)again;
    return s;
}

static void compare_heads(method_run *r, const sonde_prompt *p, bool edited) {
    const sonde_table *t = run_table(r, "heads");
    for (size_t row = 0; row < t->rows; row++) {
        char site[64];
        snprintf(site, sizeof site, "blocks.%d.attn.hook_pattern", (int)run_int(t, row, "layer"));
        run_values v = run_site(r, *p, edited, site);
        const scores want = scores_of(v.data + run_int(t, row, "head") * p->n * p->n, p->tokens, p->n);
        CHECK_NEAR(run_float(t, row, "entropy_bits"), (double)want.entropy, 1e-12);
        CHECK_NEAR(run_float(t, row, "previous"), (double)want.previous, 1e-12);
        CHECK_NEAR(run_float(t, row, "first"), (double)want.first, 1e-12);
        CHECK_NEAR(run_float(t, row, "duplicate"), (double)want.duplicate, 1e-12);
        free(v.data);
    }
}

static void scores_equal_the_definitions(void) {
    method_run *r = run_open(NULL);
    const method_prompt *p = run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "attention", NULL);
    CHECK_STR(run_columns(run_table(r, "heads")), "layer head entropy_bits previous first duplicate induction");
    CHECK_EQ(run_rows(run_table(r, "heads")), 20);
    compare_heads(r, &(sonde_prompt){ .tokens = p->tokens.id, .n = p->tokens.n }, false);
    CHECK_STR(sonde_result_note_at(r->out, 0), "induction: 2 x 47 random ids, as many as the context of 96 holds");
    run_close(r);
}

static void edits_reach_the_pattern(void) {
    method_run *r = run_open(NULL);
    const method_prompt *p = run_prompt(r, DEMO_PROMPT);
    run_edit(r, "zero:blocks.0.attn.hook_z[:,0]");
    run_edit(r, "set:blocks.2.attn.hook_pattern[1,-1,0]=1");
    RUN_OK(r, "attention", NULL);
    compare_heads(r, &(sonde_prompt){ .tokens = p->tokens.id, .n = p->tokens.n }, true);
    run_close(r);
}

static void the_array_is_the_pattern_in_every_bit(void) {
    method_run *r = run_open(NULL);
    const method_prompt *p = run_prompt(r, DEMO_PROMPT);
    const int64_t n = p->tokens.n;
    RUN_OK(r, "attention", "layers", "2,0", "heads", "4,1", NULL);
    const sonde_array *a = result_array(r->out, "pattern");
    CHECK(a && a->rank == 4 && a->dim[0] == 2 && a->dim[1] == 2 && a->dim[2] == n && a->dim[3] == n);
    CHECK_STR(a->axis[0], "layer");
    CHECK_STR(a->axis[3], "s");
    run_values two = run_site(r, (sonde_prompt){ .tokens = p->tokens.id, .n = n }, false, "blocks.2.attn.hook_pattern");
    run_values zero = run_site(r, (sonde_prompt){ .tokens = p->tokens.id, .n = n }, false, "blocks.0.attn.hook_pattern");
    const size_t head = (size_t)(n * n) * sizeof(float);
    const int64_t at = n * n;
    CHECK(memcmp(a->data, two.data + 4 * at, head) == 0);
    CHECK(memcmp(a->data + at, two.data + at, head) == 0);
    CHECK(memcmp(a->data + 2 * at, zero.data + 4 * at, head) == 0);
    free(two.data);
    free(zero.data);
    run_close(r);
}

static void closed_form_on_the_induction_model(void) {
    method_run *r = run_open("induction");
    run_prompt(r, REPEATS);
    RUN_OK(r, "attention", NULL);
    const sonde_table *t = run_table(r, "heads");
    CHECK_EQ(run_rows(t), 4);
    CHECK_NEAR(run_float(t, 0, "previous"), 1, 1e-6);
    CHECK(run_float(t, 0, "induction") < 1e-6);
    CHECK_NEAR(run_float(t, 2, "induction"), 1, 1e-6);
    for (size_t row = 1; row < 4; row += 2) {               /* heads without weights attend evenly */
        double previous = 0, entropy = 0;
        for (int i = 0; i < 7; i++) {
            if (i) previous += 1.0 / (i + 1) / 6;
            entropy += log2(i + 1) / 7;
        }
        CHECK_NEAR(run_float(t, row, "previous"), previous, 1e-6);
        CHECK_NEAR(run_float(t, row, "first"), previous, 1e-6);
        CHECK_NEAR(run_float(t, row, "entropy_bits"), entropy, 1e-6);
        CHECK_NEAR(run_float(t, row, "duplicate"), (1 / 5.0 + 1 / 6.0 + 2 / 7.0) / 3, 1e-6);
    }
    CHECK_STR(sonde_result_note_at(r->out, 0), "induction: 2 x 31 random ids, as many as the context of 64 holds");
    run_close(r);
}

static void the_seed_draws_the_ids(void) {
    double was = 0;
    for (int i = 0; i < 3; i++) {
        method_run *r = run_open(NULL);
        run_prompt(r, DEMO_PROMPT);
        r->cx.seed = i == 2 ? 7 : 0;
        RUN_OK(r, "attention", NULL);
        const double is = run_float(run_table(r, "heads"), 7, "induction");
        if (i == 1) CHECK(is == was);
        if (i == 2) CHECK(is != was);
        was = is;
        run_close(r);
    }
}

static void one_token_has_no_pairs(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, " the");
    RUN_OK(r, "attention", NULL);
    const sonde_table *t = run_table(r, "heads");
    CHECK(run_null(t, 0, "previous") && run_null(t, 0, "first") && run_null(t, 0, "duplicate"));
    CHECK(run_float(t, 0, "entropy_bits") == 0);
    CHECK(!run_null(t, 0, "induction"));
    run_close(r);
}

static void skipped_layers(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_edit(r, "skip:blocks.1.attn");
    RUN_OK(r, "attention", NULL);
    CHECK_EQ(run_rows(run_table(r, "heads")), 15);
    CHECK_EQ(run_int(run_table(r, "heads"), 5, "layer"), 2);
    CHECK_EQ(run_method(r, "attention", "layers", "0,1", NULL), SONDE_USAGE);
    CHECK(strstr(r->err.message, "block 1 is skipped"));
    CHECK_EQ(run_method(r, "attention", "heads", "5", NULL), SONDE_USAGE);
    run_close(r);
}

static void a_dry_run_runs_nothing(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    r->cx.dry_run = true;
    RUN_OK(r, "attention", "layers", "1", NULL);
    CHECK_STR(run_text(run_table(r, "sites"), 0, "shape"), "5 14 14");
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), 2);
    CHECK(result_array(r->out, "pattern") == NULL);
    run_close(r);
}

/* numpy's definitions, on the numbers of the pattern itself. */
static void pairs_are_summed_up(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "attention", "summary", "true", "values", "true", NULL);
    const sonde_array *a = result_array(r->out, "pattern");
    const sonde_table *t = run_table(r, "summary"), *first = run_table(r, "summary_first"), *values = run_table(r, "values");
    const int64_t n = a->dim[2], heads = a->dim[0] * a->dim[1];
    CHECK_EQ(run_rows(t), n * (n - 1) / 2);
    CHECK_EQ(run_rows(first), n);
    CHECK_EQ(run_rows(values), heads * n * (n + 1) / 2);
    for (size_t row = 0; row < t->rows; row += 7) {
        const int64_t i = run_int(t, row, "position"), s = run_int(t, row, "key");
        long double sum = 0, squares = 0;
        int below = 0, same = 0;
        double most = 0, least = 1;
        CHECK(s >= 1 && s <= i);
        CHECK_EQ(run_token(t, row, "key_token"), r->prompt[0].tokens.id[s]);
        for (int64_t h = 0; h < heads; h++) {
            const double x = a->data[(h * n + i) * n + s];
            sum += x;
            most = fmax(most, x);
            least = fmin(least, x);
            below += x < run_float(t, row, "median");
            same += x == run_float(t, row, "median");
        }
        for (int64_t h = 0; h < heads; h++) squares += powl(a->data[(h * n + i) * n + s] - sum / heads, 2);
        CHECK_NEAR(run_float(t, row, "mean"), (double)(sum / heads), 1e-12);
        CHECK_NEAR(run_float(t, row, "variance"), (double)(squares / (heads - 1)), 1e-12);
        CHECK(run_float(t, row, "max") == most && run_float(t, row, "min") == least);
        CHECK(same >= 1 && below <= heads / 2 - 1 && below + same >= heads / 2);     /* the lower of the two in the middle */
    }
    CHECK_NEAR(run_float(first, 0, "mean"), 1, 0);
    CHECK_NEAR(run_float(values, 4, "attention"), (double)a->data[2 * n + 1], 0);
    CHECK(a->causal);
    CHECK_EQ(run_method(r, "attention", "scale", "none", NULL), SONDE_USAGE);
    run_close(r);
}

#define TESTS(T) T(pairs_are_summed_up) \
    T(scores_equal_the_definitions) T(edits_reach_the_pattern) T(the_array_is_the_pattern_in_every_bit) \
    T(closed_form_on_the_induction_model) T(the_seed_draws_the_ids) T(one_token_has_no_pairs) T(skipped_layers) \
    T(a_dry_run_runs_nothing)
TEST_MAIN(TESTS)
