/* The lens against softmax, entropy and KL of captured states in long double, and against the model's own answer. */
#include "method_run.h"

enum { V = DEMO_VOCAB };

typedef struct { long double log_sum, entropy, kl; int32_t argmax; int64_t rank; double overlap; } truth;

static int before(const float *x, int32_t a, int32_t b) { return x[a] > x[b] || (x[a] == x[b] && a < b); }

/* Is token `id` among the k largest? By counting those in front. */
static bool among(const float *x, int64_t v, int32_t id, int64_t k) {
    int64_t ahead = 0;
    for (int32_t i = 0; i < v; i++) ahead += before(x, i, id);
    return ahead < k;
}

static truth truth_of(const float *x, const float *last, int64_t v, int64_t k) {
    truth t = { 0 };
    long double sum = 0, last_sum = 0;
    int32_t answer = 0;
    for (int32_t i = 0; i < v; i++) {
        if (x[i] > x[t.argmax]) t.argmax = i;
        if (last[i] > last[answer]) answer = i;
    }
    for (int64_t i = 0; i < v; i++) {
        sum += expl((long double)x[i] - (long double)x[t.argmax]);
        last_sum += expl((long double)last[i] - (long double)last[answer]);
    }
    t.log_sum = (long double)x[t.argmax] + logl(sum);
    const long double last_log_sum = (long double)last[answer] + logl(last_sum);
    t.rank = 1;
    int64_t both = 0;
    for (int32_t i = 0; i < v; i++) {
        const long double log_p = (long double)x[i] - t.log_sum, log_q = (long double)last[i] - last_log_sum;
        t.entropy -= expl(log_p) * log_p / logl(2);
        t.kl += expl(log_q) * (log_q - log_p);
        t.rank += x[i] > x[answer];
        both += k && among(last, v, i, k) && among(x, v, i, k);
    }
    t.overlap = k ? (double)both / (double)k : 0;
    return t;
}

static void check_row(const sonde_table *t, size_t row, const truth *want, const float *x) {
    CHECK_EQ(run_token(t, row, "token"), want->argmax);
    CHECK(run_float(t, row, "logit") == (double)x[want->argmax]);
    CHECK_NEAR(run_float(t, row, "prob"), (double)expl((long double)x[want->argmax] - want->log_sum), 1e-12);
    CHECK_EQ(run_int(t, row, "rank"), want->rank);
    CHECK_NEAR(run_float(t, row, "entropy_bits"), (double)want->entropy, 1e-11);
    CHECK_NEAR(run_float(t, row, "kl_nats"), (double)want->kl, 1e-11);
    CHECK_NEAR(run_float(t, row, "overlap"), want->overlap, 1e-15);
}

static void names_of_tables_and_columns(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "lens", "positions", "-1", NULL);
    CHECK_STR(run_columns(run_table(r, "cells")),
              "position layer site token logit prob rank entropy_bits kl_nats overlap state");
    CHECK_STR(run_columns(run_table(r, "top")), "position layer site k token logit prob state");
    const sonde_table *t = run_table(r, "cells");
    CHECK_EQ(run_rows(t), 9);
    CHECK_STR(run_text(t, 0, "site"), "blocks.0.hook_resid_pre");
    CHECK_STR(run_text(t, 1, "site"), "blocks.0.hook_resid_mid");
    CHECK_STR(run_text(t, 8, "site"), "blocks.3.hook_resid_post");
    CHECK_STR(run_text(t, 8, "state"), "3 post");
    CHECK_EQ(run_int(t, 8, "position"), 13);
    CHECK_EQ(run_rows(run_table(r, "top")), 45);
    CHECK(r->out->views.n > 2 && r->out->views.at[0].kind == SONDE_VIEW_TOKEN_GRID);
    run_close(r);
}

/* Bars and words, a panel a state, are of the last position read alone. */
static void the_last_position_is_drawn_state_by_state(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "lens", "positions", "3,7", NULL);
    const sonde_table *last = run_table(r, "last"), *top = run_table(r, "top");
    CHECK_EQ(run_rows(last), 45);
    CHECK_EQ(run_rows(top), 90);
    for (size_t row = 0; row < 45; row++) {
        CHECK_EQ(run_int(last, row, "position"), 7);
        CHECK_EQ(run_token(last, row, "token"), run_token(top, 45 + row, "token"));
        CHECK(run_float(last, row, "prob") == run_float(top, 45 + row, "prob"));
        CHECK_STR(run_text(last, row, "state"), run_text(top, 45 + row, "state"));
    }
    int bars = 0, clouds = 0;
    for (size_t i = 0; i < r->out->views.n; i++) {
        const sonde_drawing *v = &r->out->views.at[i];
        bars += v->kind == SONDE_VIEW_BARS && !strcmp(v->of, "last") && !strcmp(v->panel, "state");
        clouds += v->kind == SONDE_VIEW_CLOUD && !strcmp(v->of, "last") && !strcmp(v->panel, "state");
    }
    CHECK_EQ(bars, 1);
    CHECK_EQ(clouds, 1);
    run_close(r);
}

/* Every state by hand: captured, through sonde_session_unembed, counted in long double. */
static void cells_equal_the_definitions(void) {
    method_run *r = run_open(NULL);
    const method_prompt *p = run_prompt(r, DEMO_PROMPT);
    const sonde_prompt base = { .tokens = p->tokens.id, .n = p->tokens.n };
    RUN_OK(r, "lens", "k", "7", NULL);
    const sonde_table *t = run_table(r, "cells");
    CHECK_EQ(run_rows(t), 14 * 9);
    run_values last = run_site(r, base, false, NULL);
    float *logits = calloc(V, sizeof *logits);
    for (size_t row = 0; row < t->rows; row += 5) {
        const int64_t at = run_int(t, row, "position");
        run_values x = run_site(r, base, false, run_text(t, row, "site"));
        CHECK_EQ(sonde_session_unembed(r->cx.session, x.data + at * x.cols, 1, logits, &r->err), SONDE_OK);
        const truth want = truth_of(logits, last.data + at * V, V, 7);
        check_row(t, row, &want, logits);
        free(x.data);
    }
    free(logits);
    free(last.data);
    run_close(r);
}

static void last_state_is(const char *edit) {
    method_run *r = run_open(NULL);
    const method_prompt *p = run_prompt(r, DEMO_PROMPT);
    const sonde_prompt base = { .tokens = p->tokens.id, .n = p->tokens.n };
    if (edit) run_edit(r, edit);
    r->cx.top = V;
    RUN_OK(r, "lens", "layers", "3", "positions", "0,-1", NULL);
    run_values last = run_site(r, base, true, NULL);
    const sonde_table *t = run_table(r, "top"), *cells = run_table(r, "cells");
    int compared = 0;
    for (size_t row = 0; row < t->rows; row++) {
        if (strcmp(run_text(t, row, "site"), "blocks.3.hook_resid_post")) continue;
        const float got = (float)run_float(t, row, "logit");
        const float want = last.data[run_int(t, row, "position") * V + run_token(t, row, "token")];
        CHECK(memcmp(&got, &want, sizeof got) == 0);
        compared++;
    }
    CHECK_EQ(compared, 2 * V);
    for (size_t row = 0; row < cells->rows; row++) {
        if (strcmp(run_text(cells, row, "site"), "blocks.3.hook_resid_post")) continue;
        CHECK_EQ(run_int(cells, row, "rank"), 1);
        CHECK(run_float(cells, row, "kl_nats") == 0 && run_float(cells, row, "overlap") == 1);
    }
    free(last.data);
    run_close(r);
}

static void the_last_state_is_the_output_in_every_bit(void) { last_state_is(NULL); }
static void also_under_edits_of_a_head(void) { last_state_is("zero:blocks.0.attn.hook_z[:,2]"); }
static void also_under_edits_of_the_final_norm(void) { last_state_is("scale:ln_final.hook_out[-1]=3"); }
static void also_under_edits_of_the_logits(void) { last_state_is("add:unembed.hook_out[-1,5]=40"); }

static void layers_positions_and_half_layers_are_chosen(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "lens", "layers", "0,-1", "positions", "5,2", "mid", "no", NULL);
    const sonde_table *t = run_table(r, "cells");
    CHECK_EQ(run_rows(t), 2 * 3);
    CHECK_EQ(run_int(t, 0, "position"), 2);
    CHECK_EQ(run_int(t, 3, "position"), 5);
    CHECK_STR(run_text(t, 1, "site"), "blocks.0.hook_resid_post");
    CHECK_STR(run_text(t, 2, "site"), "blocks.3.hook_resid_post");
    CHECK_EQ(run_method(r, "lens", "layers", "4", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "lens", "positions", "14", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "lens", "k", "0", NULL), SONDE_USAGE);
    run_close(r);
}

static void plans_change_the_states(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_edit(r, "skip:blocks.1");
    run_edit(r, "repeat:blocks.2=2");
    RUN_OK(r, "lens", "positions", "-1", NULL);
    const sonde_table *t = run_table(r, "cells");
    static const char *const want[] = { "0 pre", "0 mid", "0 post", "2 mid", "2 post", "2r1 mid", "2r1 post", "3 mid", "3 post" };
    CHECK_EQ(run_rows(t), 9);
    for (size_t i = 0; i < 9; i++) CHECK_STR(run_text(t, i, "state"), want[i]);
    run_edit(r, "skip:blocks.0");
    run_edit(r, "skip:blocks.2");
    run_edit(r, "skip:blocks.3");
    CHECK_EQ(run_method(r, "lens", NULL), SONDE_USAGE);
    CHECK(strstr(r->err.message, "every block is skipped"));
    run_close(r);
}

static void several_prompts(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_prompt(r, "When Mary");
    RUN_OK(r, "lens", "positions", "-1", NULL);
    const sonde_table *t = run_table(r, "cells");
    CHECK_EQ(run_rows(t), 18);
    CHECK_EQ(run_int(t, 0, "prompt"), 0);
    CHECK_EQ(run_int(t, 9, "prompt"), 1);
    CHECK_EQ(run_int(t, 9, "position"), 1);
    run_close(r);
}

static void prompts_bring_their_own_b(void) {
    static const char other[] = "When Mary and John went to the store, Mary gave a drink to";
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT)->b = other;
    run_prompt(r, DEMO_PROMPT)->b = DEMO_PROMPT;
    run_edit(r, "patch:blocks.0.hook_resid_pre=B");
    RUN_OK(r, "lens", "positions", "-1", NULL);
    const sonde_table *t = run_table(r, "cells");
    const size_t half = (size_t)run_rows(t) / 2;
    CHECK(run_token(t, half - 1, "token") != run_token(t, 2 * half - 1, "token"));
    run_close(r);
}

static void a_dry_run_runs_nothing(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    r->cx.dry_run = true;
    RUN_OK(r, "lens", "layers", "1", NULL);
    CHECK_EQ(run_rows(run_table(r, "sites")), 2);
    CHECK(run_float(run_table(r, "cost"), 0, "flops") > 1e6);
    CHECK(result_table(r->out, "cells") == NULL);
    CHECK_EQ(r->progress, 0);
    run_close(r);
}

static bool now(void *user) { return ++*(int *)user > 3; }

static void an_interruption_ends_it(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    int asked = 0;
    sonde_session_stop_when(r->cx.session, now, &asked);
    CHECK_EQ(run_method(r, "lens", NULL), SONDE_CANCELLED);
    run_close(r);
}

/* Head 1.0 writes the answer: before layer 1 it cannot be read, behind it must stand. */
static void closed_form_on_the_induction_model(void) {
    method_run *r = run_open("induction");
    const method_prompt *p = run_prompt(r, " red cat river key red cat");
    RUN_OK(r, "lens", "positions", "-1", NULL);
    const sonde_table *t = run_table(r, "cells");
    CHECK_EQ(run_rows(t), 5);
    CHECK_EQ(run_token(t, 4, "token"), p->tokens.id[2]);
    CHECK_EQ(run_token(t, 3, "token"), p->tokens.id[2]);
    CHECK_EQ(run_token(t, 2, "token"), p->tokens.id[5]);
    CHECK_EQ(run_token(t, 0, "token"), p->tokens.id[5]);
    CHECK(run_int(t, 2, "rank") > 1);
    CHECK_EQ(run_int(t, 3, "rank"), 1);
    run_close(r);
}

#define TESTS(T) \
    T(names_of_tables_and_columns) T(the_last_position_is_drawn_state_by_state) \
    T(cells_equal_the_definitions) T(the_last_state_is_the_output_in_every_bit) \
    T(also_under_edits_of_a_head) T(also_under_edits_of_the_final_norm) T(also_under_edits_of_the_logits) \
    T(layers_positions_and_half_layers_are_chosen) T(plans_change_the_states) T(several_prompts) T(prompts_bring_their_own_b) \
    T(a_dry_run_runs_nothing) T(an_interruption_ends_it) T(closed_form_on_the_induction_model)
TEST_MAIN(TESTS)
