/* Attributions of encoders, and conductance of any model's layers, against captum (tools/truth/attribute_encoders.py,
 * tests/truth/attribute_encoders.json); what is refused; what holds whatever the model. */
#include "method_run.h"
#include "truth.h"

#define FAMILIES SONDE_SOURCE_DIR "/tests/golden/families/"
#define QUESTION "who sees [SEP] the cat sees a dog"

enum { BINS = 10 };

/* pair: NULL, or the text beside it. */
static method_run *open_pair(const char *folder, const char *text, const char *pair) {
    char path[512];
    snprintf(path, sizeof path, FAMILIES "%s", folder);
    method_run *r = run_open(path);
    r->cx.tokenize.pair = pair;
    r->cx.tokenize.pair_len = pair ? strlen(pair) : 0;
    run_prompt(r, text);
    r->cx.tokenize.pair = NULL;
    return r;
}

static method_run *open_family(const char *folder, const char *text) { return open_pair(folder, text, NULL); }

static const char *text_of(const json *j, const char *key) {
    const char *text;
    size_t      len;
    CHECK(json_string(truth_of(j, key), &text, &len));
    return text;
}

/* ---- against captum ---- */

/* 1e-4 of the largest. */
static void check_list(const char *what, const json *want, const sonde_table *t, size_t first, const char *column) {
    double most = 0;
    for (size_t i = 0; i < want->len; i++) most = fmax(most, fabs(truth_item(want, i)));
    for (size_t i = 0; i < want->len; i++) {
        const double got = run_float(t, first + i, column), is = truth_item(want, i);
        if (!(fabs(got - is) <= 1e-4 * most)) FAIL_("%s: %s of row %zu is %.9g, expected %.9g", what, column, first + i, got, is);
    }
}

static double largest(const json *want) {
    double most = 0;
    for (size_t i = 0; i < want->len; i++) most = fmax(most, fabs(truth_item(want, i)));
    return most;
}

typedef struct { method_run *r; const json *all; size_t round, n; const char *what; } checked;

static void check_target(const checked *c) {
    const json *t = truth_at(truth_of(c->all, "rounds"), c->round);
    const sonde_table *y = run_table(c->r, "target"), *m = run_table(c->r, "metric");
    const json *f = truth_of(t, "f");
    CHECK_NEAR(run_float(m, c->round, "f_x"), truth_item(f, 0), 1e-5);
    CHECK_NEAR(run_float(m, c->round, "f_baseline"), truth_item(f, 1), 1e-5);
    if (json_get(t, "label")) {
        CHECK_STR(run_columns(y), "class label logit prob");
        CHECK_EQ(run_int(y, 0, "class"), (int64_t)truth_number(t, "label"));
    } else {
        CHECK_EQ(run_int(y, c->round, "position"), (int64_t)truth_number(t, "position"));
        if (json_get(t, "token")) CHECK_EQ(run_token(y, 0, "token"), (int64_t)truth_number(t, "token"));
        else CHECK_STR(run_text(y, c->round, "side"), truth_number(t, "side") == 0 ? "start" : "end");
    }
    CHECK_NEAR(run_float(y, c->round, "logit"), truth_item(f, 0), 1e-5);
}

static void check_embeddings(const checked *c) {
    const json *t = truth_at(truth_of(c->all, "rounds"), c->round), *scores = truth_of(t, "embeddings"), *top = truth_of(t, "top");
    const double most = largest(scores);
    check_list(c->what, scores, run_table(c->r, "tokens"), c->round * c->n, "score");
    check_list(c->what, truth_of(t, "share"), run_table(c->r, "tokens"), c->round * c->n, "share");
    CHECK_NEAR(run_float(run_table(c->r, "completeness"), c->round, "gap"), truth_number(t, "delta"), 1e-4 * most);
    for (size_t i = 0; i < top->len; i++) {             /* by value: frames share theirs, 0 */
        const size_t row = c->round * top->len + i;
        CHECK_EQ(run_int(run_table(c->r, "top"), row, "rank"), (int64_t)i + 1);
        CHECK_NEAR(run_float(run_table(c->r, "top"), row, "score"), truth_item(scores, (size_t)truth_item(top, i)), 1e-4 * most);
    }
}

/* The row of this round that has so many points. */
static double sum_at(const checked *c, const char *of, int64_t points) {
    const sonde_table *t = run_table(c->r, "convergence");
    const size_t each = t->rows / truth_of(c->all, "rounds")->len;
    for (size_t i = c->round * each; i < (c->round + 1) * each; i++)
        if (run_int(t, i, "points") == points && !strcmp(run_text(t, i, "of"), of)) return run_float(t, i, "sum");
    FAIL_("%s: no sum of %s with %d points", c->what, of, (int)points);
}

static void check_sums(const checked *c) {
    const json *t = truth_at(truth_of(c->all, "rounds"), c->round), *sums = truth_of(t, "sums");
    const double most = largest(truth_of(t, "embeddings"));
    CHECK_NEAR(sum_at(c, "ig", 1), truth_number(sums, "1"), 2e-4 * most);
    CHECK_NEAR(sum_at(c, "ig", 2), truth_number(sums, "2"), 2e-4 * most);
    CHECK_NEAR(sum_at(c, "ig", 8), truth_number(sums, "8"), 2e-4 * most);
    CHECK_NEAR(sum_at(c, "ig", 20), run_float(run_table(c->r, "completeness"), c->round, "sum"), 1e-12);
}

static void run_case(const json *one, const char *way, const char *site, method_run **out, const char *detail) {
    const json *label = json_get(one, "label");
    char text[16] = "";
    if (label) snprintf(text, sizeof text, "#%d", (int)truth_value(label));
    method_run *r = *out ? *out : open_pair(text_of(one, "folder"), text_of(one, "text"), json_get(one, "pair") ? text_of(one, "pair") : NULL);
    *out = r;
    RUN_OK(r, "attribute", "method", way, "site", site, "label", text, "steps", "20", "convergence", "1", "bins", "10", "detail", detail,
           NULL);
}

static void check_ids(const method_run *r, const json *one) {
    const json *ids = truth_of(one, "tokens");
    CHECK_EQ(r->prompt[0].tokens.n, (int64_t)ids->len);
    for (size_t i = 0; i < ids->len; i++) CHECK_EQ(r->prompt[0].tokens.id[i], (int64_t)truth_item(ids, i));
}

static void integrated_gradients_of_layers(void) {
    truth t = truth_open("attribute_encoders");
    const json *all = truth_of(t.all, "encoders");
    CHECK_EQ((int64_t)all->len, 11);
    for (size_t i = 0; i < all->len; i++) {
        const json *one = truth_at(all, i), *rounds = truth_of(one, "rounds");
        method_run *r = NULL;
        run_case(one, "ig", "", &r, "");
        check_ids(r, one);
        checked c = { r, one, 0, truth_of(one, "tokens")->len, text_of(one, "folder") };
        for (c.round = 0; c.round < rounds->len; c.round++) {
            check_target(&c);
            check_embeddings(&c);
            check_sums(&c);
        }
        run_case(one, "ig", "hook_embed", &r, "");
        for (c.round = 0; c.round < rounds->len; c.round++)
            check_list(c.what, truth_of(truth_at(rounds, c.round), "words"), run_table(r, "tokens"), c.round * c.n, "score");
        run_case(one, "ig", "blocks.0.hook_normalized_resid_post", &r, "");
        for (c.round = 0; c.round < rounds->len; c.round++)
            check_list(c.what, truth_of(truth_at(rounds, c.round), "block"), run_table(r, "tokens"), c.round * c.n, "score");
        run_close(r);
    }
    truth_close(t);
}

/* Histograms as numpy makes them: counts, edges, entropy. */
static void check_bins(const checked *c, const json *want) {
    const json *h = truth_of(want, "histogram"), *counts = truth_of(h, "counts");
    const sonde_table *b = run_table(c->r, "bins"), *l = run_table(c->r, "layers");
    const double low = truth_number(h, "low"), high = truth_number(h, "high");
    size_t at = 0;
    while (c->round && strcmp(run_text(b, at, "side"), "end") != 0) at++;
    for (size_t i = 0; i < counts->len; i++) {
        const size_t row = c->round * counts->len + i;
        CHECK_NEAR(run_float(l, row, "entropy_bits"), truth_item(truth_of(h, "entropy_bits"), i), 1e-9);
        CHECK_EQ(run_int(l, row, "position"), (int64_t)truth_number(want, "detail"));
        for (int k = 0; k < BINS; k++) {
            const int64_t count = (int64_t)truth_item(truth_at(counts, i), (size_t)k);
            if (!count) continue;
            CHECK_EQ(run_int(b, at, "layer"), (int64_t)i);
            CHECK_EQ(run_int(b, at, "bin"), k);
            CHECK_EQ(run_int(b, at, "count"), count);
            CHECK_NEAR(run_float(b, at, "low"), low + (high - low) * k / BINS, 1e-4 * (high - low));
            CHECK_NEAR(run_float(b, at, "high"), low + (high - low) * (k + 1) / BINS, 1e-4 * (high - low));
            at++;
        }
    }
}

static void check_numbers(const checked *c, const json *numbers, const char *name) {
    const sonde_array *a = result_array(c->r->out, name);
    CHECK(a && a->rank == 3 && a->dim[1] == 1);
    CHECK_EQ(a->dim[2], (int64_t)numbers->len);
    for (size_t l = 0; l < numbers->len; l++) {
        const json *want = truth_at(numbers, l);
        CHECK_EQ(a->dim[0], (int64_t)want->len);
        for (size_t j = 0; j < want->len; j++)
            CHECK_NEAR((double)a->data[(int64_t)(j * numbers->len + l)], truth_item(want, j), 1e-4 * largest(want));
    }
}

static void check_conductance(const checked *c, const json *want, const char *numbers) {
    const json *scores = truth_of(want, "scores"), *sums = truth_of(want, "sums");
    const sonde_table *t = run_table(c->r, "conductance");
    for (size_t l = 0; l < scores->len; l++) {
        const size_t row = (c->round * scores->len + l) * c->n;
        const double most = largest(truth_at(scores, l));
        CHECK_EQ(run_int(t, row, "layer"), (int64_t)l);
        check_list(c->what, truth_at(scores, l), t, row, "score");
        for (int k = 1; k <= 8; k *= 2) {
            char key[8];
            snprintf(key, sizeof key, "%d", k);
            if (k != 4) CHECK_NEAR(sum_at(c, run_text(t, row, "site"), k), truth_item(truth_of(sums, key), l), 2e-4 * most);
        }
    }
    check_bins(c, want);
    check_numbers(c, truth_of(want, "numbers"), numbers);
}

static void conductance_of_layers(void) {
    static const char *const names[] = { "conductance_numbers_start", "conductance_numbers_end" };
    truth t = truth_open("attribute_encoders");
    const json *all = truth_of(t.all, "encoders");
    for (size_t i = 0; i < all->len; i++) {
        const json *one = truth_at(all, i), *rounds = truth_of(one, "rounds");
        method_run *r = NULL;
        run_case(one, "conductance", "", &r, "");
        CHECK(result_table(r->out, "tokens") == NULL);
        checked c = { r, one, 0, truth_of(one, "tokens")->len, text_of(one, "folder") };
        for (c.round = 0; c.round < rounds->len; c.round++)
            check_conductance(&c, truth_of(truth_at(rounds, c.round), "conductance"), rounds->len > 1 ? names[c.round] : "conductance_numbers");
        run_close(r);
    }
    truth_close(t);
}

static void conductance_of_a_decoder(void) {
    truth t = truth_open("attribute_encoders");
    const json *one = truth_of(t.all, "decoder"), *want = truth_of(one, "conductance"), *scores = truth_of(want, "scores");
    method_run *r = run_open(NULL);
    run_prompt(r, text_of(one, "text"));
    check_ids(r, one);
    RUN_OK(r, "attribute", "method", "conductance", "steps", "20", "bins", "10", NULL);
    CHECK_EQ(run_token(run_table(r, "target"), 0, "token"), (int64_t)truth_number(one, "token"));
    const checked c = { r, one, 0, truth_of(one, "tokens")->len, "demo" };
    for (size_t l = 0; l < scores->len; l++) check_list("demo", truth_at(scores, l), run_table(r, "conductance"), l * c.n, "score");
    check_bins(&c, want);
    check_numbers(&c, truth_of(want, "numbers"), "conductance_numbers");
    run_close(r);
    truth_close(t);
}

/* ---- what holds whatever the model ---- */

/* Trapezoids close the gap, and at the site itself conductance is integrated gradients. */
static void sums_meet_the_difference(void) {
    method_run *r = open_family("bert_class", "the small dog hears a man.");
    RUN_OK(r, "attribute", "method", "ig,conductance", "rule", "trapezoid", "steps", "400", "site", "blocks.0.hook_normalized_resid_post",
           NULL);
    const sonde_table *l = run_table(r, "layers"), *c = run_table(r, "conductance"), *t = run_table(r, "tokens");
    CHECK_EQ(run_rows(l), 2);
    for (size_t i = 0; i < 2; i++) CHECK(fabs(run_float(l, i, "gap_share")) < 1e-3);
    for (size_t i = 0; i < t->rows; i++) CHECK_NEAR(run_float(c, i, "score"), run_float(t, i, "score"), 1e-3);
    CHECK(sonde_result_note_at(r->out, 0) == NULL);
    RUN_OK(r, "attribute", "method", "conductance", "steps", "3", NULL);
    CHECK(strncmp(sonde_result_note_at(r->out, 0), "conductance: the sum over layer ", 32) == 0);
    run_close(r);
}

/* Layers in front of the site do not move; --layers and --detail choose. */
static void layers_and_positions_are_chosen(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, "The hat is red and the cup");
    RUN_OK(r, "attribute", "method", "conductance", "site", "blocks.2.hook_resid_pre", "steps", "4", "detail", "-2", NULL);
    CHECK_EQ(run_rows(run_table(r, "layers")), 2);
    CHECK_EQ(run_int(run_table(r, "layers"), 0, "layer"), 2);
    CHECK_EQ(run_int(run_table(r, "layers"), 0, "position"), 5);
    RUN_OK(r, "attribute", "method", "conductance", "layers", "0,-1", "steps", "4", NULL);
    CHECK_EQ(run_rows(run_table(r, "layers")), 2);
    CHECK_EQ(run_int(run_table(r, "layers"), 1, "layer"), 3);
    run_edit(r, "repeat:blocks.2=2");
    RUN_OK(r, "attribute", "method", "conductance", "layers", "2", "steps", "4", "n", "2", NULL);
    CHECK_EQ(run_rows(run_table(r, "layers")), 4);
    CHECK_STR(run_text(run_table(r, "layers"), 1, "site"), "blocks.2r1.hook_resid_post");
    CHECK_EQ(run_int(run_table(r, "layers"), 2, "step"), 1);
    CHECK(result_array(r->out, "conductance_numbers") == NULL);
    run_close(r);
}

/* A site with heads: the path of all its numbers. */
static void other_sites(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, "The hat is red and the cup");
    RUN_OK(r, "attribute", "method", "ig,sequential-ig,occlusion,gradient", "site", "blocks.2.attn.hook_z", NULL);
    const sonde_table *c = run_table(r, "completeness");
    CHECK(fabs(run_float(c, 0, "gap_share")) < 1e-3);
    CHECK(run_float(c, 0, "f_baseline") != run_float(c, 0, "f_x"));
    RUN_OK(r, "attribute", "site", "blocks.0.hook_resid_pre", NULL);         /* position embeddings cancel: the same path */
    double sum[7];
    for (size_t i = 0; i < 7; i++) sum[i] = run_float(run_table(r, "tokens"), i, "score");
    RUN_OK(r, "attribute", NULL);
    for (size_t i = 0; i < 7; i++) CHECK_NEAR(run_float(run_table(r, "tokens"), i, "score"), sum[i], 1e-4);
    run_close(r);
}

/* The frame stays where padding stands between, and goes where its text is the baseline of all. */
static void padding_keeps_the_frame(void) {
    method_run *r = open_family("bert_mlm", "the cat [MASK] houses.");
    RUN_OK(r, "attribute", "method", "ig,occlusion,sequential-ig", NULL);
    const double plain = run_float(run_table(r, "tokens"), 1, "score");
    const int64_t n = r->prompt[0].tokens.n;
    for (size_t m = 0; m < 3; m++) {
        CHECK(run_float(run_table(r, "tokens"), m * (size_t)n, "score") == 0);
        CHECK(run_float(run_table(r, "tokens"), (m + 1) * (size_t)n - 1, "score") == 0);
        CHECK(run_float(run_table(r, "tokens"), m * (size_t)n + 3, "score") != 0);          /* the mask is content */
    }
    RUN_OK(r, "attribute", "baseline", "pad", NULL);
    CHECK(run_float(run_table(r, "tokens"), 1, "score") == plain);
    RUN_OK(r, "attribute", "baseline", "[PAD]", NULL);
    CHECK(run_float(run_table(r, "tokens"), 0, "score") != 0);
    RUN_OK(r, "attribute", "baseline", "mean", NULL);
    CHECK(fabs(run_float(run_table(r, "completeness"), 0, "gap_share")) < 0.01);
    run_close(r);
}

static void every_way_runs(void) {
    method_run *r = open_family("bert_qa", QUESTION);
    RUN_OK(r, "attribute", "method", "all", "samples", "30", "steps", "5", NULL);
    const sonde_table *t = run_table(r, "tokens"), *z = run_table(r, "zeroing");
    CHECK_EQ(run_rows(t), 2 * 8 * 10);                  /* discretised goes along token embeddings alone */
    CHECK_STR(run_columns(t), "side method position token score share norm sum times_input");
    CHECK_STR(run_text(z, 0, "site"), "blocks.0.hook_normalized_resid_post");
    RUN_OK(r, "attribute", "method", "all", "samples", "30", "steps", "5", "site", "hook_embed", "label", "end", NULL);
    CHECK_EQ(run_rows(run_table(r, "tokens")), 9 * 10);
    CHECK_STR(run_text(run_table(r, "metric"), 0, "metric"), "logit(#1,5)");
    run_close(r);
}

/* ---- targets ---- */

static void texts_at_masks(void) {
    method_run *r = open_family("bert_mlm", "the [MASK] sees a [MASK]");
    RUN_OK(r, "attribute", "target-text", "cat dog", NULL);
    const sonde_table *y = run_table(r, "target");
    CHECK_EQ(run_rows(y), 2);
    CHECK_EQ(run_int(y, 0, "position"), 2);
    CHECK_EQ(run_int(y, 1, "position"), 5);
    CHECK_NEAR(run_float(run_table(r, "metric"), 0, "f_x"), log(run_float(y, 0, "prob")) + log(run_float(y, 1, "prob")), 1e-5);
    CHECK(fabs(run_float(run_table(r, "completeness"), 0, "gap_share")) < 0.01);
    RUN_OK(r, "attribute", NULL);
    CHECK_EQ(run_int(run_table(r, "target"), 0, "position"), 2);
    RUN_OK(r, "attribute", "position", "5", NULL);
    CHECK_EQ(run_int(run_table(r, "target"), 0, "position"), 5);
    RUN_OK(r, "attribute", "metric", "logit(\"cat\")-logit(\"dog\")", NULL);
    CHECK(run_float(run_table(r, "metric"), 0, "f_x") != 0);
    run_close(r);
}

static void sides_of_spans(void) {
    method_run *r = open_family("bert_qa", QUESTION);
    RUN_OK(r, "attribute", "label", "start", "position", "7", NULL);
    CHECK_STR(run_text(run_table(r, "metric"), 0, "metric"), "logit(#0,7)");
    CHECK_STR(run_columns(run_table(r, "tokens")), "position token score share");
    double prob = 0;
    for (int p = 0; p < 10; p++) {
        char at[8];
        snprintf(at, sizeof at, "%d", p);
        RUN_OK(r, "attribute", "label", "end", "position", at, "steps", "1", NULL);
        prob += run_float(run_table(r, "target"), 0, "prob");
    }
    CHECK_NEAR(prob, 1, 1e-6);
    RUN_OK(r, "attribute", "metric", "logit(#0,4)+logit(#1,5)", NULL);
    CHECK_EQ(run_rows(run_table(r, "metric")), 1);
    CHECK_EQ(run_rows(run_table(r, "target")), 2);
    run_close(r);
}

static void labels_have_names(void) {
    method_run *r = open_family("bert_class", "the cat");
    RUN_OK(r, "attribute", "label", "fair", NULL);
    CHECK_EQ(run_int(run_table(r, "target"), 0, "class"), 1);
    CHECK_STR(run_text(run_table(r, "target"), 0, "label"), "fair");
    CHECK_STR(run_text(run_table(r, "metric"), 0, "metric"), "logit(#1,0)");
    run_close(r);
}

/* A pooler answers where a metric asks it. */
static void numbers_of_a_pooler(void) {
    method_run *r = open_family("bert_plain", "the cat");
    CHECK_EQ(run_method(r, "attribute", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "the model answers with the numbers of its pooler, expected --metric, as logit(#3)");
    RUN_OK(r, "attribute", "metric", "logit(#3)", NULL);
    CHECK(fabs(run_float(run_table(r, "completeness"), 0, "gap_share")) < 0.01);
    run_close(r);
}

static void what_is_refused(void) {
    static const struct { const char *folder, *text, *key, *value, *key2, *value2, *why; } bad[] = {
        { "bert_class", "the cat", "label", "#3", NULL, NULL, "label: #3 of 3, expected #0 to #2" },
        { "bert_class", "the cat", "label", "#", NULL, NULL, "label: found \"#\", expected #0, #1, .. or a name, as bad" },
        { "bert_class", "the cat", "label", "#-1", NULL, NULL, "label: found \"#-1\", expected #0, #1, .. or a name, as bad" },
        { "bert_class", "the cat", "label", "#1", "metric", "entropy", "metric and label: expected one of them, each says what is explained" },
        { "bert_class", "the cat", "position", "1", NULL, NULL, "position: labels are read at row 0 alone, found 1" },
        { "bert_class", "the cat", "n", "2", NULL, NULL, "n: an encoder writes no text, expected 1" },
        { "bert_class", "the cat", "target-text", "cat", NULL, NULL,
          "target-text: the model does not answer with tokens, expected --label or --metric" },
        { "bert_class", "the cat", "site", "hook_resid_post", NULL, NULL,
          "site: 2 sites match, expected one, as blocks.0.hook_resid_pre" },
        { "bert_class", "the cat", "site", "blocks.0.attn.hook_pattern", NULL, NULL,
          "site: blocks.0.attn.hook_pattern has the axes \"h t s\", expected a site with a row for each token and a gradient" },
        { "bert_class", "the cat", "site", "classifier.hook_in", NULL, NULL,
          "site: classifier.hook_in has the axes \"d\", expected a site with a row for each token and a gradient" },
        { "bert_class", "the cat", "method", "discretised", NULL, NULL,
          "discretised: goes along embeddings of tokens, found --site hook_full_embed, expected hook_embed" },
        { "bert_class", "the cat", "method", "conductance", "layers", "2", "layers: 2 is outside 0..1 (or -2..-1 from the end)" },
        { "bert_class", "the cat", "method", "conductance", "detail", "0-1", "detail: found 2 positions, expected one" },
        { "bert_class", "the cat", "method", "occlusion", "convergence", "1",
          "convergence: of ig and conductance alone, expected one of them as --method" },
        { "bert_class", "the cat", "site", "blocks.1.hook_normalized_resid_post", "layers", "0", NULL },
        { "bert_mlm", "the cat", "n", "1", NULL, NULL, "the prompt has no mask token, expected one, or --position or --metric" },
        { "bert_mlm", "the [MASK]", "label", "#1", NULL, NULL, "label: the model answers with tokens, expected --metric or --target-text" },
        { "bert_mlm", "the [MASK]", "target-text", "cat dog", NULL, NULL, "target-text: 2 tokens, the prompt has 1 mask tokens" },
        { "bert_mlm", "[MASK] [MASK]", "target-text", "cat", NULL, NULL, "target-text: 1 tokens, the prompt has more mask tokens" },
        { "bert_mlm", "the [MASK]", "target-text", "cat", "position", "2",
          "target-text and position: expected one of them, a masked LM's text stands at the masks" },
        { "bert_qa", QUESTION, "label", "middle", NULL, NULL, "label: found \"middle\", expected start or end (of the answer's span)" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        method_run *r = open_family(bad[i].folder, bad[i].text);
        const sonde_status s = run_method(r, "attribute", bad[i].key, bad[i].value, bad[i].key2, bad[i].value2, NULL);
        CHECK_EQ(s, bad[i].why ? SONDE_USAGE : SONDE_OK);
        if (bad[i].why) CHECK_STR(r->err.message, bad[i].why);
        run_close(r);
    }
    method_run *r = run_open(NULL);
    run_prompt(r, "The hat");
    CHECK_EQ(run_method(r, "attribute", "baseline", "pad", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "baseline: the model has no padding token, expected zero, mean, the text of a token, or #ID");
    CHECK_EQ(run_method(r, "attribute", "method", "conductance", "site", "ln_final.hook_out", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "conductance: none of the asked layers runs behind ln_final.hook_out, expected one");
    CHECK_EQ(run_method(r, "attribute", "site", "hook_full_embed", NULL), SONDE_USAGE);
    CHECK(strncmp(r->err.message, "site: ", 6) == 0);
    run_close(r);
}

static void a_dry_run_counts(void) {
    static const struct { const char *folder, *text, *method, *rule; int64_t runs; } cases[] = {
        { "bert_class", "the cat", "conductance", "gauss-legendre", 2 + 13 + 2 + 3 + 5 + 9 },
        { "bert_class", "the cat", "ig,conductance", "trapezoid", 2 + 12 + 13 + 2 + 4 + 8 + 3 + 5 + 9 },
        { "bert_qa", QUESTION, "ig", "gauss-legendre", 2 * (2 + 12 + 1 + 2 + 4 + 8) },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        method_run *r = open_family(cases[i].folder, cases[i].text);
        for (int dry = 1; dry >= 0; dry--) {
            r->cx.dry_run = dry;
            RUN_OK(r, "attribute", "method", cases[i].method, "rule", cases[i].rule, "steps", "12", "convergence", "1", NULL);
            if (dry) CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), cases[i].runs);
            else CHECK_EQ(r->progress, cases[i].runs);
        }
        run_close(r);
    }
}

static bool stop_now(void *user) { return ((method_run *)user)->progress > 30; }

static void an_interrupted_run_keeps_what_is_done(void) {
    method_run *r = open_family("bert_class", "the cat");
    sonde_session_stop_when(r->cx.session, stop_now, r);
    CHECK_EQ(run_method(r, "attribute", "method", "ig,conductance", "steps", "20", NULL), SONDE_CANCELLED);
    CHECK_EQ(run_rows(run_table(r, "tokens")), 4);
    CHECK_EQ(run_rows(run_table(r, "conductance")), 0);
    run_close(r);
}

#define TESTS(T) \
    T(integrated_gradients_of_layers) T(conductance_of_layers) T(conductance_of_a_decoder) \
    T(sums_meet_the_difference) T(layers_and_positions_are_chosen) T(other_sites) T(padding_keeps_the_frame) T(every_way_runs) \
    T(texts_at_masks) T(sides_of_spans) T(labels_have_names) T(numbers_of_a_pooler) \
    T(what_is_refused) T(a_dry_run_counts) T(an_interrupted_run_keeps_what_is_done)
TEST_MAIN(TESTS)
