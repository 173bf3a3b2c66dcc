/* Every box shows the number that the run has there, whatever order the blocks run in. */
#include "method_run.h"
#include <math.h>

#define PROMPT "When Mary and John went"

static double norm(const float *x, int64_t n) {
    long double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (long double)x[i] * (long double)x[i];
    return (double)sqrtl(sum);
}

static size_t find(const sonde_table *t, const char *part, const char *block, int64_t unit, int64_t position) {
    for (size_t i = 0; i < t->rows; i++) {
        if (strcmp(run_text(t, i, "part"), part) != 0 || run_int(t, i, "position") != position) continue;
        if (block && strcmp(run_text(t, i, "block"), block) != 0) continue;
        if (unit >= 0 && run_int(t, i, "unit") != unit) continue;
        return i;
    }
    FAIL_("no box %s of %s", part, block ? block : "no block");
    return 0;
}

static void check_norms(method_run *r, const char *part, const char *block, const char *site) {
    const sonde_table *t = run_table(r, "boxes");
    char name[96];
    snprintf(name, sizeof name, "%s.%s", block, site);
    const sonde_prompt p = { .tokens = r->prompt[0].tokens.id, .n = r->prompt[0].tokens.n };
    run_values v = run_site(r, p, true, name);
    for (int64_t i = 0; i < p.n; i++) {
        const size_t row = find(t, part, block, -1, i);
        CHECK_NEAR(run_float(t, row, "value"), norm(v.data + i * v.cols, v.cols), 1e-9);
        CHECK(run_float(t, row, "relative") > 0 && run_float(t, row, "relative") <= 1);
    }
    free(v.data);
}

static void boxes_show_the_run(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, PROMPT);
    const sonde_prompt p = { .tokens = r->prompt[0].tokens.id, .n = r->prompt[0].tokens.n };
    RUN_OK(r, "architecture", "groups", "16", NULL);
    check_norms(r, "stream", "blocks.2", "hook_resid_post");
    check_norms(r, "mlp", "blocks.3", "hook_mlp_out");
    const sonde_table *t = run_table(r, "boxes");
    CHECK_EQ(run_rows(t), 2 * p.n + 4 * (p.n * (1 + 5 + 1) + 16));
    run_values z = run_site(r, p, false, "blocks.1.attn.hook_result"), a = run_site(r, p, false, "blocks.1.attn.hook_pattern");
    const size_t row = find(t, "head", "blocks.1", 3, 4);
    CHECK_NEAR(run_float(t, row, "value"), norm(z.data + (4 * 5 + 3) * DEMO_WIDTH, DEMO_WIDTH), 1e-9);
    int64_t most = 0;
    const float *pattern = a.data + (3 * p.n + 4) * p.n;
    for (int64_t s = 1; s <= 4; s++)
        if (pattern[s] > pattern[most]) most = s;
    char said[64];
    snprintf(said, sizeof said, "position %d ", (int)most);
    CHECK_HAS(run_text(t, row, "operands"), said);
    run_values logits = run_site(r, p, false, NULL);
    const int32_t best = sonde_logits_stats(logits.data + 2 * DEMO_VOCAB, DEMO_VOCAB).argmax;
    CHECK_EQ(run_int(t, find(t, "answer", NULL, -1, 2), "unit"), best);
    CHECK_NEAR(run_float(t, find(t, "answer", NULL, -1, 2), "value"), sonde_logits_prob(logits.data + 2 * DEMO_VOCAB, DEMO_VOCAB, best), 1e-12);
    free(z.data);
    free(a.data);
    free(logits.data);
    run_close(r);
}

/* The largest of all neurons is the largest of all groups. */
static void groups_keep_the_largest(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, PROMPT);
    const sonde_prompt p = { .tokens = r->prompt[0].tokens.id, .n = r->prompt[0].tokens.n };
    RUN_OK(r, "architecture", "groups", "7", "position", "1", NULL);
    run_values v = run_site(r, p, false, "blocks.0.mlp.hook_post");
    double most = 0, shown = 0;
    for (int64_t i = 0; i < v.cols; i++) most = fmax(most, fabs((double)v.data[v.cols + i]));
    const sonde_table *t = run_table(r, "boxes");
    for (size_t i = 0; i < t->rows; i++) {
        if (strcmp(run_text(t, i, "part"), "neurons") != 0 || strcmp(run_text(t, i, "block"), "blocks.0") != 0) continue;
        CHECK_EQ(run_int(t, i, "position"), 1);
        CHECK_NEAR(run_float(t, i, "value"), (double)v.data[v.cols + run_int(t, i, "unit")], 0);
        shown = fmax(shown, fabs(run_float(t, i, "value")));
    }
    CHECK_NEAR(shown, most, 0);
    free(v.data);
    run_close(r);
}

static void plans_make_floors(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, PROMPT);
    run_edit(r, "repeat:blocks.2=2");
    run_edit(r, "skip:blocks.1.attn");
    run_edit(r, "scale:blocks.3.hook_mlp_out=2");
    RUN_OK(r, "architecture", NULL);
    check_norms(r, "stream", "blocks.2r1", "hook_resid_post");
    check_norms(r, "mlp", "blocks.3", "hook_mlp_out");
    const sonde_table *t = run_table(r, "boxes");
    int heads = 0;
    for (size_t i = 0; i < t->rows; i++) {
        const bool head = !strcmp(run_text(t, i, "part"), "head");
        heads += head;
        if (head) CHECK(strcmp(run_text(t, i, "block"), "blocks.1") != 0);
    }
    CHECK_EQ(heads, 4 * 5 * (int)r->prompt[0].tokens.n);
    CHECK_EQ(run_int(t, find(t, "stream", "blocks.3", -1, 0), "floor"), 4);
    run_close(r);
}

static void what_cannot_be_is_said(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, PROMPT);
    CHECK_EQ(run_method(r, "architecture", "position", "99", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "99");
    CHECK_EQ(run_method(r, "architecture", "groups", "0", NULL), SONDE_USAGE);
    r->cx.dry_run = true;
    RUN_OK(r, "architecture", NULL);
    CHECK_EQ(run_rows(run_table(r, "cost")), 1);
    run_close(r);
}

#define TESTS(X) X(boxes_show_the_run) X(groups_keep_the_largest) X(plans_make_floors) X(what_cannot_be_is_said)
TEST_MAIN(TESTS)
