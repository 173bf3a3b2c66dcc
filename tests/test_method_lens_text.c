/* lens over documents against transformers in float64 (tools/truth/lens_text.py), and against eval. */
#include "method_run.h"
#include "truth.h"
#include <math.h>

enum { DOCUMENTS = 6, STATES = 9 };

static const struct { const char *name, *se; double near; } figures[] = {
    { "entropy_bits", "entropy_se", 1e-5 }, { "kl_nats", "kl_se", 2e-5 }, { "kl_state_nats", "kl_state_se", 2e-5 },
    { "overlap", "overlap_se", 1e-4 }, { "same", "same_se", 1e-9 }, { "accuracy", "accuracy_se", 1e-9 },
    { "loss", "loss_se", 1e-5 },
};
enum { FIGURES = sizeof figures / sizeof *figures };

/* Mean over predictions and the error of documents, as they are defined. */
static void ratio_of(const json *all, size_t state, const char *figure, double *mean, double *se) {
    double sum = 0, n = 0, squares = 0;
    for (size_t i = 0; i < DOCUMENTS; i++) {
        sum += truth_number(truth_at(truth_of(truth_at(all, i), "states"), state), figure);
        n += truth_number(truth_at(all, i), "tokens") - 1;
    }
    *mean = sum / n;
    for (size_t i = 0; i < DOCUMENTS; i++) {
        const double rows = truth_number(truth_at(all, i), "tokens") - 1;
        const double off = truth_number(truth_at(truth_of(truth_at(all, i), "states"), state), figure) - *mean * rows;
        squares += off * off;
    }
    *se = sqrt(squares * DOCUMENTS / (DOCUMENTS - 1)) / n;
}

static void states_equal_transformers(void) {
    const truth t = truth_open("lens_text");
    method_run *r = run_open(NULL);
    run_held_out(r, DOCUMENTS);
    RUN_OK(r, "lens", NULL);
    const sonde_table *s = run_table(r, "states");
    CHECK_EQ(run_rows(s), STATES);
    for (size_t i = 0; i < STATES; i++)
        for (size_t f = 0; f < FIGURES; f++) {
            double mean, se;
            ratio_of(t.all, i, figures[f].name, &mean, &se);
            CHECK_NEAR(run_float(s, i, figures[f].name), mean, figures[f].near);
            CHECK_NEAR(run_float(s, i, figures[f].se), se, figures[f].near);
        }
    CHECK_STR(run_text(s, 5, "state"), "2 mid");
    CHECK_STR(run_text(s, 5, "site"), "blocks.2.hook_resid_mid");
    for (size_t i = 0; i < STATES; i++) CHECK_NEAR(run_float(s, i, "depth"), (double)i / 8, 1e-12);
    CHECK_EQ(run_rows(run_table(r, "curves")), STATES * FIGURES);
    CHECK(r->out->views.n == 1 && r->out->views.at[0].low != NULL);
    run_close(r);
    truth_close(t);
}

/* The last state is the model: its own entropy, loss and accuracy, no distance from itself. */
static void the_end_is_the_model(const char *edit) {
    static const char *const same[] = { "entropy_bits", "accuracy", "loss" };
    double want[3];
    method_run *r = run_open(NULL);
    run_held_out(r, DOCUMENTS);
    if (edit) run_edit(r, edit);
    RUN_OK(r, "eval", NULL);
    const sonde_table *s = run_table(r, "summary");
    for (size_t k = 0; k < 3; k++) {
        const size_t row = edit ? 1 : 0;
        want[k] = run_float(s, row, same[k]);
    }
    RUN_OK(r, "lens", "layers", "-1", "mid", "no", NULL);
    s = run_table(r, "states");
    CHECK_EQ(run_rows(s), 1);
    for (size_t k = 0; k < 3; k++) CHECK(run_float(s, 0, same[k]) == want[k]);
    CHECK(run_float(s, 0, "kl_nats") == 0 && run_float(s, 0, "kl_state_nats") == 0);
    CHECK(run_float(s, 0, "overlap") == 1 && run_float(s, 0, "same") == 1 && run_float(s, 0, "depth") == 1);
    run_close(r);
}

static void the_last_state_is_the_model(void) { the_end_is_the_model(NULL); }
static void also_with_a_head_zeroed(void) { the_end_is_the_model("zero:blocks.2.attn.hook_z[:,0]"); }
static void also_with_the_logits_edited(void) { the_end_is_the_model("scale:unembed.hook_out=0.5"); }

static void plans_move_the_states(void) {
    method_run *r = run_open(NULL);
    run_held_out(r, 2);
    run_edit(r, "skip:blocks.1");
    RUN_OK(r, "lens", "mid", "no", NULL);
    const sonde_table *s = run_table(r, "states");
    CHECK_EQ(run_rows(s), 4);
    CHECK_STR(run_text(s, 2, "state"), "2 post");
    CHECK_NEAR(run_float(s, 2, "depth"), 2 / 3.0, 1e-12);
    run_close(r);
}

static void what_cannot_be_is_said(void) {
    method_run *r = run_open(NULL);
    run_held_out(r, 1);
    CHECK_EQ(run_method(r, "lens", "positions", "-1", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "positions: \"-1\" with --text, expected all");
    CHECK_EQ(run_method(r, "lens", "layers", "4", NULL), SONDE_USAGE);
    r->cx.dry_run = true;
    RUN_OK(r, "lens", NULL);
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), 1);
    CHECK(run_float(run_table(r, "cost"), 0, "flops") > 1e7);
    r->cx.dry_run = false;
    for (int i = 0; i < 4; i++) {
        char skip[32];
        snprintf(skip, sizeof skip, "skip:blocks.%d", i);
        run_edit(r, skip);
    }
    CHECK_EQ(run_method(r, "lens", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "every block is skipped");
    run_close(r);
    r = run_open(NULL);
    run_document(r, " the", 4);
    CHECK_EQ(run_method(r, "lens", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "two tokens");
    run_close(r);
}

#define TESTS(T) \
    T(states_equal_transformers) T(the_last_state_is_the_model) T(also_with_a_head_zeroed) T(also_with_the_logits_edited) \
    T(plans_move_the_states) T(what_cannot_be_is_said)
TEST_MAIN(TESTS)
