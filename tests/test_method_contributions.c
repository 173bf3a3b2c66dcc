/* Direct logit attribution against float64 numpy (tools/truth/contributions.py), and sums that must hold under edits. */
#include "method_run.h"
#include "truth_rows.h"

#define GOLDEN SONDE_SOURCE_DIR "/tests/golden/"

static void run_ids(method_run *r, const int32_t *ids, int64_t n) {
    method_prompt *p = &r->prompt[r->cx.n_prompts++];
    *p = (method_prompt){ .tokens = { .n = n, .id = malloc((size_t)n * sizeof *ids) } };
    memcpy(p->tokens.id, ids, (size_t)n * sizeof *ids);
}

static size_t row_of(const sonde_table *t, const char *column, const char *name) {
    for (size_t i = 0; i < t->rows; i++)
        if (!strcmp(run_text(t, i, column), name)) return i;
    FAIL_("no row %s", name);
    return 0;
}

static double value_of(method_run *r, const char *name) {
    const sonde_table *t = run_table(r, "components");
    return run_float(t, row_of(t, "component", name), "value");
}

static double sum_of_rows(method_run *r) {
    const sonde_table *t = run_table(r, "components");
    double sum = 0;
    for (size_t i = 0; i < t->rows; i++) {
        const char *kind = run_text(t, i, "kind");
        const bool end = !strcmp(kind, "sum") || !strcmp(kind, "logit") || !strcmp(kind, "residual");
        if (!end) sum += run_float(t, i, "value");
    }
    return sum;
}

static void check_sum(method_run *r) {
    const double logit = value_of(r, "logit"), sum = sum_of_rows(r);
    CHECK_NEAR(sum, logit, 1e-5 * fmax(1, fabs(logit)));
    CHECK_NEAR(value_of(r, "sum"), sum, 1e-9);
    CHECK_NEAR(value_of(r, "residual"), logit - sum, 1e-9);
}

/* ---- the oracle ---- */

enum { COMPONENTS, FROZEN, LENS, SOURCES };

static int table_of(const char *name) {
    if (strchr(name, '@')) return SOURCES;
    return strstr(name, " frozen") ? FROZEN : strstr(name, " lens") ? LENS : COMPONENTS;
}

static double source_value(method_run *r, const char *name) {
    const sonde_table *t = run_table(r, "sources");
    const size_t len = strcspn(name, "@");
    for (size_t i = 0; i < t->rows; i++) {
        const char *head = run_text(t, i, "component");
        if (strlen(head) == len && !strncmp(head, name, len) && run_int(t, i, "position") == atoi(name + len + 1))
            return run_float(t, i, "value");
    }
    FAIL_("no source %s", name);
    return 0;
}

static double found(method_run *r, const char *name, int table) {
    char state[32];
    if (table == COMPONENTS) return value_of(r, name);
    if (table == SOURCES) return source_value(r, name);
    const sonde_table *t = run_table(r, "accumulated");
    snprintf(state, sizeof state, "%.*s", (int)(strrchr(name, ' ') - name), name);
    return run_float(t, row_of(t, "state", state), table == FROZEN ? "frozen" : "lens");
}

/* Is this row one that `by` shows? Whole attentions and neurons are apart from heads and whole MLPs. */
static bool shown(const char *by, const char *name) {
    const int table = table_of(name);
    if (table == SOURCES) return !strcmp(by, "position");
    if (table != COMPONENTS) return !strcmp(by, "accumulated");
    const bool head = strchr(name, 'H') || strstr(name, "b_O"), neuron = strchr(name, 'N') || strstr(name, "others") ||
        strstr(name, "b_out");
    if (head) return !strcmp(by, "head") || !strcmp(by, "position");
    if (neuron) return !strcmp(by, "neuron");
    if (strstr(name, " attn")) return strcmp(by, "head") != 0 && strcmp(by, "position") != 0;
    return strstr(name, " mlp") ? strcmp(by, "neuron") != 0 : true;
}

static void compare_case(method_run *r, const truth_rows *t, const char *name, const char *metric) {
    static const char *const ways[] = { "layer", "head", "neuron", "accumulated", "position" };
    int compared = 0;
    for (size_t w = 0; w < 5; w++) {
        r->cx.top = w == 4 ? 100 : 8;
        RUN_OK(r, "contributions", "metric", metric, "by", ways[w], NULL);
        check_sum(r);
        for (size_t i = 0; i < t->n; i++) {
            const truth_row *row = &t->row[i];
            if (strcmp(row->cell[0], name) != 0 || !shown(ways[w], row->cell[1])) continue;
            const double want = atof(row->cell[2]);
            CHECK_NEAR(found(r, row->cell[1], table_of(row->cell[1])), want, 1e-5 * fmax(1, fabs(want)));
            compared++;
        }
    }
    CHECK(compared > 60);
}

static void values_are_those_of_the_oracle(void) {
    static const int32_t limit[] = { 3, 1, 4, 1, 5, 9, 2, 6 }, inner[] = { 5, 8, 2, 7, 1, 8 };
    truth_rows t = truth_read("contributions.tsv");
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    compare_case(r, &t, "demo", DEMO_METRIC);
    run_close(r);
    r = run_open(GOLDEN "limit");
    run_ids(r, limit, 8);
    compare_case(r, &t, "limit", "2*logit(#2,5)-logit(#7,-3)/2");
    run_close(r);
    r = run_open(GOLDEN "inner");
    run_ids(r, inner, 6);
    compare_case(r, &t, "inner", "logit(#4)");
    run_close(r);
    truth_free(&t);
}

static void the_name_mover_is_the_largest_head(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "contributions", "metric", DEMO_METRIC, NULL);
    const sonde_table *t = run_table(r, "components");
    CHECK_STR(run_columns(t), "component kind layer head neuron value share accumulated");
    size_t best = 2;
    for (size_t i = 0; i < t->rows; i++)
        if (!strcmp(run_text(t, i, "kind"), "head") && run_float(t, i, "value") > run_float(t, best, "value")) best = i;
    CHECK_STR(run_text(t, best, "component"), "L3H3");
    CHECK(run_float(t, best, "value") > 3.5);
    CHECK_EQ(run_int(t, best, "layer"), 3);
    CHECK_EQ(run_int(t, best, "head"), 3);
    CHECK(run_null(t, best, "neuron"));
    CHECK_NEAR(run_float(t, best, "share"), run_float(t, best, "value") / value_of(r, "logit"), 1e-12);
    const sonde_array *a = result_array(r->out, "heads");
    CHECK(a && a->dim[0] == 4 && a->dim[1] == 5 && a->data[18] == (float)run_float(t, best, "value"));
    double so_far = 0;
    for (size_t i = 0; i + 3 < t->rows; i++) CHECK_NEAR(run_float(t, i, "accumulated"), so_far += run_float(t, i, "value"),
                                                        1e-12);
    run_close(r);
}

/* ---- edits ---- */

static bool has_row(method_run *r, const char *name) {
    const sonde_table *t = run_table(r, "components");
    for (size_t i = 0; i < t->rows; i++)
        if (!strcmp(run_text(t, i, "component"), name)) return true;
    return false;
}

static void plans_drop_rows(void) {
    static const char *const plans[] = { "skip:blocks.2", "skip:blocks.1.attn", "skip:blocks.3.mlp",
                                         "swap:blocks.1,blocks.2",
                                         "repeat:blocks.1=2", "order:2" };
    static const char *const ways[] = { "head", "neuron", "accumulated", "position" };
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++)
        for (size_t w = 0; w < 4; w++) {
            method_run *r = run_open(NULL);
            run_prompt(r, DEMO_PROMPT);
            run_edit(r, plans[i]);
            RUN_OK(r, "contributions", "metric", DEMO_METRIC, "by", ways[w], NULL);
            check_sum(r);
            if (i == 0) CHECK(!has_row(r, "L2 mlp") && !has_row(r, "L2H0") && !has_row(r, "L2 attn") &&
                              has_row(r, "L3 mlp") == (w != 1));
            if (i == 1) CHECK(!has_row(r, "L1H0") && has_row(r, "L2H0") == (w == 0 || w == 3));
            if (i == 2) CHECK(!has_row(r, "L3 mlp") && !has_row(r, "L3 b_out"));
            if (i == 4) CHECK(has_row(r, "L1r1H0") == (w == 0 || w == 3));
            run_close(r);
        }
}

static void edits_of_the_stream_have_rows(void) {
    static const struct { const char *edit, *row; } cases[] = {
        { "add:blocks.2.hook_resid_pre[-1,3]=5", "L2 pre edit" }, { "zero:blocks.1.hook_resid_mid[-1,0:50]", "L1 mid edit" },
        { "scale:blocks.3.hook_resid_post[-1]=0.5", "L3 post edit" }, { "add:blocks.2.hook_attn_out[-1]=0.25",
                                                                        "L2 attn edit" },
        { "add:ln_final.hook_normalized[-1,0:20]=0.5", "final norm edit" }, { "add:blocks.0.hook_resid_pre[-1,7]=2",
                                                                              "L0 pre edit" },
        { "zero:blocks.3.attn.hook_z[-1,3]", NULL }, { "set:ln_final.hook_scale=1", NULL }, { "scale:hook_embed[-1]=2",
                                                                                              NULL },
        { "scale:blocks.3.attn.hook_result[-1,3]=2", NULL }, { "zero:blocks.3.mlp.hook_post[-1,5]", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        method_run *r = run_open(NULL);
        run_prompt(r, DEMO_PROMPT);
        run_edit(r, cases[i].edit);
        RUN_OK(r, "contributions", "metric", DEMO_METRIC, NULL);
        check_sum(r);
        const sonde_table *t = run_table(r, "components");
        for (size_t k = 0; k < t->rows; k++) {
            const bool edit = !strcmp(run_text(t, k, "kind"), "edit");
            if (edit && (!cases[i].row || strcmp(cases[i].row, run_text(t, k, "component")) != 0))
                FAIL_("%s has a row %s", cases[i].edit, run_text(t, k, "component"));
        }
        CHECK(!cases[i].row || has_row(r, cases[i].row));
        run_close(r);
    }
}

static void mlp_edits_and_zeroed_heads(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_edit(r, "add:blocks.2.hook_mlp_out[-1]=0.25");
    run_edit(r, "zero:blocks.3.attn.hook_z[:,3]");
    RUN_OK(r, "contributions", "metric", DEMO_METRIC, "by", "neuron", NULL);
    check_sum(r);
    CHECK(has_row(r, "L2 mlp edit") && !has_row(r, "L1 mlp edit"));
    RUN_OK(r, "contributions", "metric", DEMO_METRIC, NULL);
    CHECK(value_of(r, "L3H3") == 0);
    run_close(r);
}

static void an_edited_pattern_leaves_a_rest(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_edit(r, "scale:blocks.3.attn.hook_z[-1,3]=2");
    r->cx.top = 1;
    RUN_OK(r, "contributions", "metric", DEMO_METRIC, "by", "position", NULL);
    const sonde_table *t = run_table(r, "sources");
    CHECK_EQ(run_rows(t), 15);
    CHECK(run_null(t, 14, "position") && run_null(t, 14, "token"));
    double sum = 0;
    for (size_t i = 0; i < 15; i++) sum += run_float(t, i, "value");
    CHECK_NEAR(sum, value_of(r, "L3H3"), 1e-9);
    CHECK_NEAR(run_float(t, 14, "value"), sum / 2, 1e-5);
    run_close(r);
}

/* ---- metrics and prompts ---- */

static void constants_and_the_answer_of_the_model(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "contributions", NULL);
    const double answer = value_of(r, "logit");
    CHECK(strstr(sonde_result_note_at(r->out, 0), "argmax is \302\267Mary #"));
    check_sum(r);
    RUN_OK(r, "contributions", "metric", "3-2*(logit(\" Mary\")+1)", NULL);
    check_sum(r);
    CHECK_NEAR(value_of(r, "logit"), 1 - 2 * answer, 1e-9);
    CHECK_NEAR(value_of(r, "constant"), 1, 1e-15);
    RUN_OK(r, "contributions", "metric", "logit(\" Mary\",3)", NULL);
    const double there = value_of(r, "logit");
    RUN_OK(r, "contributions", "metric", "logit(\" Mary\")", "position", "-11", NULL);
    CHECK(value_of(r, "logit") == there && there != answer);
    run_close(r);
}

static void what_cannot_be_split_is_refused(void) {
    static const struct { const char *metric, *position, *by, *says; } cases[] = {
        { "prob(\" Mary\")", NULL, NULL, "metric: prob is not linear in the logits, expected logit(T) times numbers" },
        { "logit(\" a\")*logit(\" to\")", NULL, NULL, "metric: a product of logits is not linear" },
        { "1/logit(\" a\")", NULL, NULL, "metric: a quotient of logits is not linear" },
        { "logit(\" a\",3)-logit(\" to\",4)", NULL, NULL, "metric: logits at positions 3 and 4, expected one position" },
        { "logit(\" a\",3)", "4", NULL, "metric: logits at positions 4 and 3, expected one position" },
        { "logit(\" a\",14)", NULL, NULL, "position: 14, expected -14 to 13" },
        { "logit(\" a\")", "-15", NULL, "position: -15, expected -14 to 13" },
        { "3", NULL, NULL, "metric: no logit in it" },
        { "logit(\" a\")", NULL, "heads", "by: \"heads\", expected layer, head, neuron, accumulated or position" },
    };
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *by = cases[i].by ? cases[i].by : "head";
        const sonde_status s = cases[i].position
            ? run_method(r, "contributions", "metric", cases[i].metric, "position", cases[i].position, "by", by, NULL)
            : run_method(r, "contributions", "metric", cases[i].metric, "by", by, NULL);
        CHECK_EQ(s, SONDE_USAGE);
        if (!strstr(r->err.message, cases[i].says)) FAIL_("said \"%s\", expected \"%s\"", r->err.message, cases[i].says);
    }
    run_prompt(r, " the");
    CHECK_EQ(run_method(r, "contributions", "metric", "logit(\" a\")", "by", "position", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "by: position with 2 prompts, expected one");
    run_close(r);
}

static void several_prompts_are_averaged(void) {
    static const struct { const char *text, *answer, *wrong; } prompts[] = {
        { DEMO_PROMPT, " Mary", " John" }, { "When Mary and John went to the store, Mary gave a drink to", " John", " Mary"
                                             },
    };
    double each[2], logit[2];
    for (int i = 0; i < 2; i++) {
        method_run *r = run_open(NULL);
        method_prompt *p = run_prompt(r, prompts[i].text);
        p->answer = prompts[i].answer;
        p->wrong = prompts[i].wrong;
        RUN_OK(r, "contributions", NULL);
        each[i] = value_of(r, "L3H3");
        logit[i] = value_of(r, "logit");
        run_close(r);
    }
    method_run *r = run_open(NULL);
    for (int i = 0; i < 2; i++) {
        method_prompt *p = run_prompt(r, prompts[i].text);
        p->answer = prompts[i].answer;
        p->wrong = prompts[i].wrong;
    }
    RUN_OK(r, "contributions", NULL);
    const sonde_table *t = run_table(r, "components");
    const size_t row = row_of(t, "component", "L3H3");
    CHECK_NEAR(run_float(t, row, "value"), (each[0] + each[1]) / 2, 1e-12);
    CHECK_NEAR(run_float(t, row, "sd"), fabs(each[0] - each[1]) / sqrt(2), 1e-9);
    CHECK_NEAR(run_float(t, row, "share"), (each[0] + each[1]) / (logit[0] + logit[1]), 1e-12);
    check_sum(r);
    CHECK_STR(run_columns(run_table(r, "prompts")), "prompt logit sum residual");
    CHECK(run_float(run_table(r, "prompts"), 1, "logit") == logit[1]);
    run_close(r);
}

static void a_dry_run_runs_nothing(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    r->cx.dry_run = true;
    RUN_OK(r, "contributions", NULL);
    CHECK_STR(run_text(run_table(r, "sites"), 0, "site"), "hook_embed");
    CHECK_STR(run_text(run_table(r, "sites"), 4, "shape"), "14 5 160");
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), 1);
    CHECK(run_float(run_table(r, "cost"), 0, "flops") > 1e6);
    CHECK(!result_table(r->out, "components"));
    run_close(r);
}

#define TESTS(T) \
    T(values_are_those_of_the_oracle) T(the_name_mover_is_the_largest_head) T(plans_drop_rows) \
    T(edits_of_the_stream_have_rows) T(mlp_edits_and_zeroed_heads) T(an_edited_pattern_leaves_a_rest) \
    T(constants_and_the_answer_of_the_model) \
    T(what_cannot_be_split_is_refused) T(several_prompts_are_averaged) T(a_dry_run_runs_nothing)
TEST_MAIN(TESTS)
