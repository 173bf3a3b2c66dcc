/* heads against transformers in float64 and numpy (tools/truth/heads.py), and patterns whose answers are known. */
#define _POSIX_C_SOURCE 200809L
#include "method_run.h"
#include "method/subjoiner.h"
#include "scratch.h"
#include "truth.h"
#include <math.h>

enum { HEADS = 20, LAYERS = 4, PER_LAYER = 5, OFFSETS = 5 };

static const char *const figures[] = {
    "previous", "previous_k_mass", "previous_k_mass_no_bos", "first", "self", "duplicate", "induction_text", "entropy_bits",
    "mean_distance",
};
enum { FIGURES = sizeof figures / sizeof *figures };

static void open_texts(method_run *r, const json *texts) {
    for (size_t i = 0; i < texts->len; i++) {
        const json *t = truth_at(texts, i);
        run_document(r, t->text, t->len);
    }
}

static void compare_section(method_run *r, const json *want) {
    char key[64];
    const sonde_table *heads = run_table(r, "heads"), *layers = run_table(r, "layers"), *offsets = run_table(r, "offsets");
    const sonde_table *profile = run_table(r, "profile");
    CHECK_EQ(run_rows(heads), HEADS);
    for (size_t f = 0; f < FIGURES; f++) {
        for (size_t h = 0; h < HEADS; h++)
            CHECK_NEAR(run_float(heads, h, figures[f]), truth_item(truth_of(want, figures[f]), h), 1e-6);
        for (size_t l = 0; l < LAYERS; l++) {
            snprintf(key, sizeof key, "%s_layers", figures[f]);
            CHECK_NEAR(run_float(layers, l, figures[f]), truth_item(truth_of(want, key), l), 1e-6);
            snprintf(key, sizeof key, "%s_layers_se", figures[f]);
            const double se = truth_item(truth_of(want, key), l);
            snprintf(key, sizeof key, "%s_se", figures[f]);
            CHECK_NEAR(run_float(layers, l, key), se, 1e-6);
        }
    }
    for (size_t k = 0; k < OFFSETS; k++) {
        snprintf(key, sizeof key, "offset_%zu", k + 1);
        for (size_t h = 0; h < HEADS; h++)
            CHECK_NEAR(run_float(offsets, h * OFFSETS + k, "attention"), truth_item(truth_of(want, key), h), 1e-6);
        snprintf(key, sizeof key, "offset_%zu_layers", k + 1);
        for (size_t l = 0; l < LAYERS; l++)
            CHECK_NEAR(run_float(profile, l * OFFSETS + k, "attention"), truth_item(truth_of(want, key), l), 1e-6);
    }
}

static void figures_equal_transformers(void) {
    const truth t = truth_open("heads");
    method_run *r = run_open(NULL);
    open_texts(r, truth_of(t.all, "texts"));
    for (size_t i = 0; i < r->cx.n_documents; i++)
        CHECK_EQ(r->document[i].tokens.n, (int64_t)truth_item(truth_of(t.all, "tokens"), i));
    RUN_OK(r, "heads", "permutations", "1", NULL);
    compare_section(r, truth_of(t.all, "plain"));
    RUN_OK(r, "heads", "permutations", "1", "no-bos-key", "true", NULL);
    compare_section(r, truth_of(t.all, "no_bos"));
    for (size_t l = 0; l < LAYERS; l++) {           /* what the notebook pools keeps BOS */
        const sonde_table *layers = run_table(r, "layers");
        const double sd = truth_item(truth_of(t.all, "pooled_sd"), l);
        CHECK_NEAR(run_float(layers, l, "previous_k"), truth_item(truth_of(t.all, "pooled"), l), 1e-7);
        CHECK_NEAR(run_float(layers, l, "previous_k_sd"), sd, 1e-7);
        CHECK_NEAR(run_float(layers, l, "previous_k_se"), sd / 3, 1e-7);
        CHECK_NEAR(run_float(layers, l, "depth"), (double)l / 3, 1e-12);
    }
    run_close(r);
    truth_close(t);
}

static void subjoiner_equals_numpy(void) {
    const truth t = truth_open("heads");
    const json *all = truth_of(t.all, "subjoiner");
    method_run *r = run_open(NULL);
    open_texts(r, truth_of(t.all, "texts"));
    RUN_OK(r, "heads", "metric", "subjoiner", "singles", "1000", NULL);
    const sonde_table *s = run_table(r, "subjoiner");
    CHECK_EQ(run_rows(s), HEADS);
    double last = INFINITY;
    for (size_t row = 0; row < HEADS; row++) {
        const size_t head = (size_t)(run_int(s, row, "layer") * PER_LAYER + run_int(s, row, "head"));
        const json *want = truth_at(all, head);
        CHECK_NEAR(run_float(s, row, "score"), truth_number(want, "score"), 1e-6);
        CHECK_NEAR(run_float(s, row, "attention"), truth_number(want, "attention"), 1e-6);
        CHECK_NEAR(run_float(s, row, "decreasing"), truth_number(want, "decreasing"), 1e-8);
        CHECK_NEAR(run_float(s, row, "own_pieces"), truth_number(want, "own_pieces"), 1e-6);
        CHECK_NEAR(run_float(s, row, "p"), truth_number(want, "p"), 0.05);
        CHECK_NEAR(run_float(s, row, "z"), truth_number(want, "z"), 0.5);
        CHECK_EQ(run_int(s, row, "words"), (int64_t)truth_number(want, "words"));
        CHECK_EQ(run_int(s, row, "singles"), (int64_t)truth_number(want, "singles"));
        CHECK(run_float(s, row, "score") <= last);
        last = run_float(s, row, "score");
        CHECK(run_float(run_table(r, "heads"), head, "subjoiner") == last);
    }
    RUN_OK(r, "heads", "metric", "subjoiner", "singles", "4", "permutations", "1", NULL);
    CHECK_EQ(run_int(run_table(r, "subjoiner"), 0, "singles"), 4 * (int64_t)r->cx.n_documents);
    run_close(r);
    truth_close(t);
}

/* Head 1.2 sees nothing but: from the end of " carmap" half of it its first piece, 0.3 its second. Dealt
 * anew, the length meets this word once in five times. */
static void a_pattern_made_by_hand(void) {
    static const char text[] = " the red cat saw the carmap was";
    method_run *r = run_open(NULL);
    run_document(r, text, sizeof text - 1);
    CHECK_EQ(r->document[0].tokens.n, 9);
    run_edit(r, "zero:blocks.1.attn.hook_pattern[2]");
    run_edit(r, "set:blocks.1.attn.hook_pattern[2,7,5]=0.5");
    run_edit(r, "set:blocks.1.attn.hook_pattern[2,7,6]=0.3");
    RUN_OK(r, "heads", "metric", "subjoiner,previous,self", "permutations", "20000", NULL);
    const sonde_table *s = run_table(r, "subjoiner");
    CHECK_EQ(run_int(s, 0, "layer"), 1);
    CHECK_EQ(run_int(s, 0, "head"), 2);
    CHECK_NEAR(run_float(s, 0, "score"), 0.5, 1e-7);
    CHECK_NEAR(run_float(s, 0, "attention_single"), 0, 1e-12);
    CHECK_NEAR(run_float(s, 0, "own_pieces"), 0.8, 1e-7);
    CHECK(run_float(s, 0, "decreasing") == 1);
    CHECK_EQ(run_int(s, 0, "words"), 1);
    CHECK_EQ(run_int(s, 0, "singles"), 6);
    CHECK_NEAR(run_float(s, 0, "p"), 1.0 / 5, 0.02);        /* " the" and " red" have no place two before them */
    const sonde_table *heads = run_table(r, "heads");
    CHECK_STR(run_columns(heads), "layer head depth previous previous_se self self_se subjoiner");
    CHECK_NEAR(run_float(heads, 7, "previous"), 0.3 / 8, 1e-7);
    CHECK(run_float(heads, 7, "self") == 0);
    run_close(r);
}

/* Where words begin and end: at a space, at the document's start and behind the end of a text; numbers and signs end them. */
static void words_are_found(void) {
    static const char text[] = "The dog<|endoftext|>The dog saw a carmap, 17th carmap";
    method_run *r = run_open(NULL);
    run_document(r, text, sizeof text - 1);
    RUN_OK(r, "heads", "metric", "subjoiner", "permutations", "1", NULL);
    CHECK_EQ(run_int(run_table(r, "subjoiner"), 0, "words"), 2);
    CHECK_EQ(run_int(run_table(r, "subjoiner"), 0, "singles"), 6);
    RUN_OK(r, "heads", "metric", "subjoiner", "pieces", "2", NULL);
    CHECK_HAS(sonde_result_note_at(r->out, 0), "0 words of several tokens and 6 of one");
    run_close(r);
}

/* Head 0.0 looks at the token before, heads without weights evenly at all. */
static void closed_forms_on_the_induction_model(void) {
    static const char text[] = " red cat river key red cat red";
    enum { N = 7, K = 3 };
    method_run *r = run_open("induction");
    run_document(r, text, sizeof text - 1);
    RUN_OK(r, "heads", "offsets", "3", NULL);
    const sonde_table *t = run_table(r, "heads"), *o = run_table(r, "offsets");
    CHECK_NEAR(run_float(t, 0, "previous"), 1, 1e-6);
    CHECK_NEAR(run_float(t, 0, "previous_k_mass"), 1, 1e-6);
    CHECK_NEAR(run_float(t, 0, "mean_distance"), 6 / 7.0, 1e-6);
    CHECK_NEAR(run_float(t, 2, "induction_text"), 1, 1e-6);
    CHECK_NEAR(run_float(t, 2, "induction"), 1, 1e-6);
    double distance = 0, entropy = 0, mass = 0, rest = 0, pooled = 0, entries = 0;
    for (int i = 0; i < N; i++) {
        distance += i / 2.0 / N;
        entropy += log2(i + 1) / N;
        if (i >= K) mass += K / (i + 1.0) / (N - K);
        if (i > K) rest += K / (double)i / (N - K - 1);
        for (int k = 1; k <= K && k <= i; k++, entries += 2) pooled += 1 / (i + 1.0) + (k == 1);
    }
    CHECK_NEAR(run_float(t, 1, "mean_distance"), distance, 1e-6);
    CHECK_NEAR(run_float(t, 1, "entropy_bits"), entropy, 1e-6);
    CHECK_NEAR(run_float(t, 1, "previous_k_mass"), mass, 1e-6);
    CHECK_NEAR(run_float(t, 1, "previous_k_mass_no_bos"), rest, 1e-6);
    CHECK_NEAR(run_float(t, 1, "duplicate"), (1 / 5.0 + 1 / 6.0 + 2 / 7.0) / 3, 1e-6);
    CHECK_NEAR(run_float(t, 1, "induction_text"), (1 / 5.0 + 1 / 6.0 + 2 / 7.0) / 3, 1e-6);
    CHECK_NEAR(run_float(o, 1 * K + 1, "attention"), (1 / 3.0 + 1 / 4.0 + 1 / 5.0 + 1 / 6.0 + 1 / 7.0) / 5, 1e-6);
    CHECK_NEAR(run_float(run_table(r, "layers"), 0, "previous_k"), pooled / entries, 1e-6);
    CHECK(run_null(run_table(r, "layers"), 0, "previous_k_sd"));
    run_close(r);
}

/* One prompt is one document, and its figures are those of attention. */
static void a_prompt_equals_attention(void) {
    static const char *const same[] = { "entropy_bits", "previous", "first", "induction" };
    double want[HEADS][4];
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_edit(r, "zero:blocks.0.attn.hook_z[:,0]");
    RUN_OK(r, "attention", NULL);
    for (size_t h = 0; h < HEADS; h++)
        for (size_t k = 0; k < 4; k++) want[h][k] = run_float(run_table(r, "heads"), h, same[k]);
    RUN_OK(r, "heads", NULL);
    for (size_t h = 0; h < HEADS; h++)
        for (size_t k = 0; k < 4; k++) CHECK(run_float(run_table(r, "heads"), h, same[k]) == want[h][k]);
    CHECK(run_null(run_table(r, "heads"), 0, "previous_se"));
    RUN_OK(r, "heads", "layers", "2", "heads", "4,1", NULL);
    CHECK_EQ(run_rows(run_table(r, "heads")), 2);
    CHECK(run_float(run_table(r, "heads"), 0, "previous") == want[14][1]);
    CHECK(run_float(run_table(r, "heads"), 1, "induction") == want[11][3]);
    run_close(r);
}

static bool never(void *user) { (void)user; return true; }
static bool count(void *user) { ++*(int *)user; return false; }

/* What was kept is read, not computed, and gives the same in every bit. */
static void kept_numbers_give_the_same(void) {
    const truth t = truth_open("heads");
    const sonde_experiment what = { "demo", "0", "heads", "" };
    double first[HEADS];
    method_run *r = run_open(NULL);
    open_texts(r, truth_of(t.all, "texts"));
    scratch folder = scratch_new();
    int asked = 0;
    for (int turn = 0; turn < 2; turn++) {
        const scratch_path path = in_scratch(&folder, "heads.sqlite");
        if (sonde_cells_open(&r->cx.cells, path.text, &what, &r->err)) FAIL_("%s", r->err.message);
        if (turn) sonde_session_stop_when(r->cx.session, count, &asked);
        RUN_OK(r, "heads", "metric", "mean_distance,subjoiner", "permutations", "50", NULL);
        if (turn) CHECK_EQ(asked, 50);          /* by the permutations alone: no block has run */
        for (size_t h = 0; h < HEADS; h++) {
            const sonde_table *heads = run_table(r, "heads"), *words = run_table(r, "subjoiner");
            const double v = run_float(heads, h, "mean_distance") + run_float(words, h, "p");
            if (turn) CHECK(v == first[h]);
            first[h] = v;
        }
        sonde_cells_close(r->cx.cells);
    }
    r->cx.cells = NULL;
    sonde_session_stop_when(r->cx.session, never, NULL);
    CHECK_EQ(run_method(r, "heads", NULL), SONDE_CANCELLED);
    scratch_end(&folder);
    run_close(r);
    truth_close(t);
}

/* Numbers of a results file are checked before they count anything. */
static void broken_words_are_refused(void) {
    static const double bad[][2] = { { 1, 2 }, { 1, 1e9 }, { 1, -1 }, { 0, 1 }, { 3, 1 }, { NAN, 1 }, { 1, NAN } };
    joiner_all a;
    sonde_error err;
    joiner_all_open(&a, (joiner_limits){ .pieces = 2, .singles = 4 }, 1);
    CHECK_EQ(joiner_all_add(&a, (const double[]){ 0, 0, 2, 1, .5 }, 5, &err), SONDE_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(joiner_all_add(&a, (const double[]){ 0, 0, bad[i][0], bad[i][1], .5 }, 5, &err), SONDE_FORMAT);
        CHECK_HAS(err.message, "the results file has a word of");
    }
    CHECK_EQ((int64_t)a.n, 1);
    joiner_all_close(&a);
}

static void what_cannot_be_is_said(void) {
    method_run *r = run_open(NULL);
    run_held_out(r, 1);
    RUN_OK(r, "heads", NULL);
    CHECK_HAS(sonde_result_note_at(r->out, 1), "subjoiner: not measured, 0 words of several tokens");
    CHECK(result_table(r->out, "subjoiner") == NULL);
    CHECK_EQ(run_method(r, "heads", "metric", "previous,nearest", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "metric: \"nearest\", expected all, previous");
    CHECK_EQ(run_method(r, "heads", "metric", "previous,", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "heads", "offsets", "0", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "heads", "pieces", "1", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "heads", "singles", "0", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "heads", "permutations", "0", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "heads", "heads", "5", NULL), SONDE_USAGE);
    run_edit(r, "skip:blocks.1.attn");
    CHECK_EQ(run_method(r, "heads", "layers", "1", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "block 1 is skipped");
    RUN_OK(r, "heads", NULL);
    CHECK_EQ(run_rows(run_table(r, "layers")), 3);
    CHECK_NEAR(run_float(run_table(r, "layers"), 1, "depth"), 2 / 3.0, 1e-12);
    run_close(r);
    r = run_open(NULL);
    run_document(r, " the", 4);
    RUN_OK(r, "heads", NULL);
    const sonde_table *t = run_table(r, "heads");
    CHECK(run_null(t, 0, "previous") && run_null(t, 0, "first") && run_null(t, 0, "previous_k_mass"));
    CHECK(run_float(t, 0, "self") == 1);
    run_close(r);
}

static void a_dry_run_runs_nothing(void) {
    method_run *r = run_open(NULL);
    run_held_out(r, 3);
    r->cx.dry_run = true;
    RUN_OK(r, "heads", NULL);
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), 4);
    CHECK(result_table(r->out, "heads") == NULL);
    RUN_OK(r, "heads", "metric", "previous", NULL);
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), 3);
    run_close(r);
}

#define TESTS(T) \
    T(figures_equal_transformers) T(subjoiner_equals_numpy) T(a_pattern_made_by_hand) T(words_are_found) \
    T(closed_forms_on_the_induction_model) T(a_prompt_equals_attention) T(kept_numbers_give_the_same) T(broken_words_are_refused) \
    T(what_cannot_be_is_said) T(a_dry_run_runs_nothing)
TEST_MAIN(TESTS)
