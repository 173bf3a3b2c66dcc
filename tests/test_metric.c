#define _GNU_SOURCE
#include "test.h"
#include "small_model.h"
#include "model/metric_data.h"
#include "sonde/logits.h"

enum { N = 5, V = 12 };         /* positions and vocabulary of the runs below */

/* Parsing */

static const char *said_with(const char *text, const char *answer, const char *wrong) {
    static char line[4000];
    sonde_model m = small_model();
    sonde_metric *x;
    sonde_error err = { 0 };
    const sonde_status s = sonde_metric_parse(&x, &m, text, answer, wrong, &err);
    if (s == SONDE_OK) {
        sonde_metric_format(x, line, sizeof line);
        sonde_metric_free(x);
    } else {
        CHECK_EQ(s, SONDE_USAGE);
        CHECK_EQ(err.status, s);
        CHECK(!strchr(err.message, '\n') && strncmp(err.message, "metric \"", 8) == 0);
        snprintf(line, sizeof line, "%s", strstr(err.message, "\": ") + 3);
    }
    small_model_free(&m);
    return line;
}

static const char *said(const char *text) { return said_with(text, NULL, NULL); }

typedef struct { const char *text, *want; } row;

static void good_texts_are_printed_back(void) {
    static const row rows[] = {
        { "logit(\"a\")-logit(\"b\")", NULL },
        { "logit(#11)-logit(#4)", NULL },
        { "logprob(#4,3)/(2+entropy)", NULL },
        { "-entropy(-2)*logit(#5,0)", NULL },
        { "loss", NULL },
        { "loss()", "loss" },
        { "entropy()", "entropy" },
        { "entropy(3)", NULL },
        { "kl(A)", NULL },
        { "kl(run_2,-1)", NULL },
        { "rank(argmax)", NULL },
        { "prob(argmax,2)", NULL },
        { " logit ( \"a\" , 3 ) + 2 ", "logit(\"a\",3)+2" },
        { "1-(2-3)", NULL },
        { "(1-2)-3", "1-2-3" },
        { "1/(2*3)", NULL },
        { "(1/2)*3", "1/2*3" },
        { "(1+2)*3", NULL },
        { "-(1*2)", NULL },
        { "-1*2", NULL },
        { "2*-3", NULL },
        { "2--3", NULL },
        { "2---3", NULL },
        { "--3", NULL },
        { "((((3))))", "3" },
        { "1e3", "1000" },
        { ".5", "0.5" },
        { "0.1", NULL },
        { "1e300", "1e+300" },
        { "logit(\"\\x61b\")", "logit(\"ab\")" },
        { "logit(\"\\\"\")", NULL },
        { "logit(\" ab\")", NULL },
    };
    char first[4000];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *want = rows[i].want ? rows[i].want : rows[i].text;
        snprintf(first, sizeof first, "%s", said(rows[i].text));
        if (strcmp(first, want) != 0) FAIL_("%s: \"%s\", expected \"%s\"", rows[i].text, first, want);
        if (strcmp(said(first), first) != 0) FAIL_("%s is read back as %s", first, said(first));
    }
    CHECK_STR(said_with("logit(answer)-logit(wrong)", " ab", "c"), "logit(\" ab\")-logit(\"c\")");
    CHECK_STR(said_with("logit(answer)", "\n", NULL), "logit(\"\\n\")");
}

static void bad_texts_say_what_was_found(void) {
    static const row rows[] = {
        { "", "expected a number, ( or one of logit prob logprob rank entropy loss kl, found the end" },
        { "logit", "expected (TOKEN), found the end" },
        { "logit(", "expected a token: a text in double quotes, #ID, argmax, answer or wrong, found the end" },
        { "logit(a)", "expected a token: a text in double quotes, #ID, argmax, answer or wrong, found \"a)\"" },
        { "logit(\"abc\")", "\"abc\" is 2 tokens: \"ab\" \"c\", expected exactly one" },
        { "logit(#12)", "#12 is no token, expected #0 to #11" },
        { "logit(#1", "expected ,POSITION or ), found the end" },
        { "logit(#1,)", "expected an integer, found \")\"" },
        { "logit(#1,1.5)", "expected ) behind the position, found \".5)\"" },
        { "logit(#1,2,3)", "expected ) behind the position, found \",3)\"" },
        { "logit(answer)", "answer has no meaning here: none was given with the prompt" },
        { "logit(wrong)", "wrong has no meaning here: none was given with the prompt" },
        { "logits(#1)", "no such function, logits; the nearest is logit" },
        { "kl", "expected (RUN), found the end" },
        { "kl()", "expected the name of a run, found \")\"" },
        { "kl(#1)", "expected the name of a run, found \"#1)\"" },
        { "loss(3)", "expected ), found \"3)\"" },
        { "loss(", "expected ), found the end" },
        { "entropy(x)", "expected an integer, found \"x)\"" },
        { "1+", "expected a number, ( or one of logit prob logprob rank entropy loss kl, found the end" },
        { "+1", "expected a number, ( or one of logit prob logprob rank entropy loss kl, found \"+1\"" },
        { "1 2", "expected an operator or the end, found \"2\"" },
        { "2logit(#1)", "expected an operator or the end, found \"logit(#1)\"" },
        { "(1", "expected an operator or ), found the end" },
        { "1)", "expected an operator or the end, found \")\"" },
        { "1**2", "expected a number, ( or one of logit prob logprob rank entropy loss kl, found \"*2\"" },
        { "1^2", "expected an operator or the end, found \"^2\"" },
        { "1e999", "expected a finite number, found \"1e999\"" },
        { "nan", "no such function, nan; the nearest is rank" },
        { ".", "expected a number, found \".\"" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(said(rows[i].text), rows[i].want) != 0)
            FAIL_("%s: \"%s\", expected \"%s\"", rows[i].text, said(rows[i].text), rows[i].want);
    CHECK_STR(said_with("logit(answer)", "abc", NULL), "\"abc\" is 2 tokens: \"ab\" \"c\", expected exactly one");
}

static void nesting_and_length_are_bounded(void) {
    static char text[200000];
    memset(text, '(', 100000);
    CHECK_STR(said(text), "more than 64 parentheses or signs inside each other");
    memset(text, '-', 100000);
    CHECK_STR(said(text), "more than 64 parentheses or signs inside each other");
    text[100000] = '\0';
    strcpy(text, "1");
    for (int i = 0; i < 499; i++) strcat(text, "+1");
    CHECK(strcmp(said(text), text) == 0);
    strcat(text, "+1+1");
    CHECK_STR(said(text), "more than 1000 parts, expected fewer");
    text[0] = '\0';
    for (int i = 0; i < 63; i++) strcat(text, "-(");
    strcat(text, "1");
    for (int i = 0; i < 63; i++) strcat(text, ")");
    CHECK(strspn(said(text), "-(1)") == strlen(said(text)));
}

static void runs_that_a_metric_reads(void) {
    sonde_model m = small_model();
    sonde_metric *x;
    CHECK_EQ(sonde_metric_parse(&x, &m, "kl(B)+logit(argmax)+kl(B,1)+kl(A)+kl(C)+loss", NULL, NULL, NULL), SONDE_OK);
    CHECK_STR(sonde_metric_run(x, 0), "B");
    CHECK_STR(sonde_metric_run(x, 1), "A");
    CHECK_STR(sonde_metric_run(x, 2), "C");
    CHECK(sonde_metric_run(x, 3) == NULL);
    sonde_metric_free(x);
    sonde_metric_free(NULL);
    small_model_free(&m);
}

/* Values: truth is a plain double formula over libm. */

static double truth_log_sum(const float *x) {
    double sum = 0;
    for (int i = 0; i < V; i++) sum += exp(x[i]);
    return log(sum);
}

typedef struct {
    float   own[N][V], other[N + 2][V];         /* the metric's run; runs A (as long) and B (two longer) */
    int32_t tokens[N];
} world;

static float noise(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return (float)((double)(*state >> 8) / 16777216.0 * 6 - 3);
}

static world new_world(unsigned seed) {
    world w;
    for (int i = 0; i < N; i++) {
        w.tokens[i] = (int32_t)(i * 5 % V);
        for (int j = 0; j < V; j++) w.own[i][j] = noise(&seed);
    }
    for (int i = 0; i < N + 2; i++)
        for (int j = 0; j < V; j++) w.other[i][j] = noise(&seed);
    return w;
}

static int64_t length_of(void *user, const char *run) {
    (void)user;
    return strcmp(run, "A") == 0 ? N : strcmp(run, "B") == 0 ? N + 2 : -1;
}

static const float *logits_of(void *user, const char *run, int64_t position) {
    (void)run;
    return ((world *)user)->other[position];
}

typedef struct { sonde_model m; sonde_metric *x; arena *a; bound_metric *b; } bound;

static bound bind(world *w, const char *text) {
    bound b = { .m = small_model(), .a = arena_new() };
    sonde_error err = { 0 };
    if (sonde_metric_parse(&b.x, &b.m, text, "b", NULL, &err) != SONDE_OK) FAIL_("%s", err.message);
    const metric_runs runs = { logits_of, length_of, w };
    if (metric_bind(b.a, b.x, &(metric_prompt){ w->tokens, { N, N - 1 }, V, runs }, &b.b, &err) != SONDE_OK) FAIL_("%s", err.message);
    return b;
}

static void unbind(bound *b) {
    arena_free(b->a);
    sonde_metric_free(b->x);
    small_model_free(&b->m);
}

static void feed(bound *b, world *w) {
    for (int i = 0; i < N; i++)
        if (metric_needs(b->b, i)) metric_row(b->b, i, w->own[i]);
}

static double value_of(world *w, const char *text) {
    bound b = bind(w, text);
    CHECK(isnan(metric_value(b.b)) || strpbrk(text, "(lek") == NULL);
    feed(&b, w);
    const double v = metric_value(b.b);
    unbind(&b);
    return v;
}

static void values_are_the_formulas(void) {
    world w = new_world(7);
    const float *last = w.own[N - 1], *third = w.own[2];
    CHECK_NEAR(value_of(&w, "logit(#3)"), last[3], 0);
    CHECK_NEAR(value_of(&w, "logit(\"ab\",2)"), third[5], 0);
    CHECK_NEAR(value_of(&w, "logit(answer,-3)"), third[2], 0);
    CHECK_NEAR(value_of(&w, "logprob(#3)"), last[3] - truth_log_sum(last), 1e-14);
    CHECK_NEAR(value_of(&w, "prob(#3,2)"), exp(third[3]) / exp(truth_log_sum(third)), 1e-15);
    double h = 0, kl_a = 0, kl_b = 0, kl_b2 = 0, loss = 0;
    const float *a = w.other[N - 1], *b = w.other[N + 1], *b2 = w.other[2];
    int greater = 1, best = 0;
    for (int j = 0; j < V; j++) {
        const double lp = last[j] - truth_log_sum(last);
        const double la = a[j] - truth_log_sum(a), lb = b[j] - truth_log_sum(b), lb2 = b2[j] - truth_log_sum(b2);
        h -= exp(lp) * lp / log(2);
        kl_a += exp(la) * (la - lp);
        kl_b += exp(lb) * (lb - lp);
        kl_b2 += exp(lb2) * (lb2 - (third[j] - truth_log_sum(third)));
        greater += last[j] > last[3];
        if (a[j] > a[best]) best = j;
    }
    for (int i = 0; i < N - 1; i++) loss -= (w.own[i][w.tokens[i + 1]] - truth_log_sum(w.own[i])) / (N - 1);
    CHECK_NEAR(value_of(&w, "entropy"), h, 1e-13);
    CHECK_NEAR(value_of(&w, "entropy(-1)"), h, 1e-13);
    CHECK_NEAR(value_of(&w, "kl(A)"), kl_a, 1e-13);
    CHECK_NEAR(value_of(&w, "kl(B)"), kl_b, 1e-13);
    CHECK_NEAR(value_of(&w, "kl(B,2)"), kl_b2, 1e-13);
    CHECK_NEAR(value_of(&w, "loss"), loss, 1e-13);
    CHECK_NEAR(value_of(&w, "rank(#3)"), greater, 0);
    CHECK_NEAR(value_of(&w, "logit(argmax)"), last[best], 0);
    CHECK_NEAR(value_of(&w, "2*logit(#3)-logit(#4)/(1+entropy)"), 2.0 * last[3] - last[4] / (1 + h), 1e-13);
    CHECK_NEAR(value_of(&w, "1-2-3"), -4, 0);
    CHECK_NEAR(value_of(&w, "-2*-3/4"), 1.5, 0);
    CHECK(isinf(value_of(&w, "1/0")));
}

static void closed_forms(void) {
    world w = new_world(1);
    for (int j = 0; j < V; j++) w.own[N - 1][j] = 1.5f;
    for (int j = 0; j < V; j++) w.own[0][j] = j == 3 ? 0 : -INFINITY;
    CHECK_NEAR(value_of(&w, "entropy"), log2(V), 1e-14);
    CHECK_NEAR(value_of(&w, "prob(#7)"), 1.0 / V, 1e-16);
    CHECK_NEAR(value_of(&w, "rank(#7)"), 1, 0);
    CHECK_NEAR(value_of(&w, "entropy(0)"), 0, 0);
    CHECK_NEAR(value_of(&w, "prob(#3,0)"), 1, 0);
    CHECK_NEAR(value_of(&w, "prob(#4,0)"), 0, 0);
    CHECK(value_of(&w, "logprob(#4,0)") == -INFINITY);
    CHECK(value_of(&w, "kl(A,0)") == INFINITY);
    memcpy(w.other[N - 1], w.own[N - 1], sizeof w.own[0]);
    CHECK_NEAR(value_of(&w, "kl(A)"), 0, 0);
    memcpy(w.other[1], w.own[0], sizeof w.own[0]);
    for (int j = 0; j < V; j++) w.own[1][j] = 0;
    CHECK_NEAR(value_of(&w, "kl(A,1)"), log(V), 1e-14);
    for (int j = 0; j < V; j++) w.own[2][j] = 1e30f;
    CHECK_NEAR(value_of(&w, "entropy(2)"), log2(V), 1e-14);
    w.own[2][4] = NAN;
    CHECK(isnan(value_of(&w, "entropy(2)")) && isnan(value_of(&w, "prob(#1,2)")));
}

static void a_missing_row_is_not_a_number(void) {
    world w = new_world(3);
    bound b = bind(&w, "loss");
    for (int i = 0; i < N - 2; i++) metric_row(b.b, i, w.own[i]);
    CHECK(isnan(metric_value(b.b)));
    metric_row(b.b, N - 2, w.own[N - 2]);
    CHECK(isfinite(metric_value(b.b)));
    metric_row(b.b, N - 1, w.own[N - 1]);                   /* not needed: passed over */
    CHECK(!metric_needs(b.b, N - 1) && metric_needs(b.b, 0));
    unbind(&b);
}

/* Gradients: central differences of metric_value, with logits that are moved in float32. */
static void check_gradient(const char *text) {
    world w = new_world(11);
    bound b = bind(&w, text);
    sonde_error err = { 0 };
    CHECK_EQ(metric_differentiable(b.x, &err), SONDE_OK);
    feed(&b, &w);
    float grad[N][V] = { { 0 } };
    for (int i = 0; i < N; i++) metric_gradient(b.b, i, w.own[i], grad[i]);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < V; j++) {
            const float at = w.own[i][j], step = 0x1p-12f;
            w.own[i][j] = at + step;
            const double high = w.own[i][j];
            feed(&b, &w);
            const double up = metric_value(b.b);
            w.own[i][j] = at - step;
            const double low = w.own[i][j];
            feed(&b, &w);
            const double down = metric_value(b.b);
            w.own[i][j] = at;
            const double want = (up - down) / (high - low);
            if (!(fabs(grad[i][j] - want) <= 2e-6 * fmax(1, fabs(want))))
                FAIL_("d %s / d logits[%d][%d] is %g, expected %g", text, i, j, grad[i][j], want);
        }
    unbind(&b);
}

static void gradients_are_the_slopes(void) {
    static const char *const texts[] = {
        "logit(#3)", "prob(#3,1)", "logprob(#3,-2)", "entropy", "entropy(0)", "kl(A)", "kl(B,3)", "loss", "-loss",
        "logit(argmax)", "logit(#3)-logit(#4)", "logprob(#4,3)/(2+entropy)", "-entropy(-2)*logit(#5,0)",
            "prob(#1)*prob(#2)/prob(#3,2)",
        "loss*entropy+logit(#1,1)/loss", "logit(#3)*logit(#3)", "logit(#3)-logit(#3)", "3", "(kl(A)-kl(B))*2",
            "-(-entropy)/-2",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) check_gradient(texts[i]);
}

static void a_gradient_is_added_with_one_rounding(void) {
    world w = new_world(5);
    bound b = bind(&w, "logit(#3)+prob(#3)");
    float grad[V];
    for (int j = 0; j < V; j++) grad[j] = 1000;
    feed(&b, &w);
    metric_gradient(b.b, N - 1, w.own[N - 1], grad);
    metric_gradient(b.b, 0, w.own[0], grad);                /* not needed: nothing is added */
    const double p = exp(w.own[N - 1][3] - truth_log_sum(w.own[N - 1]));
    CHECK(grad[3] == (float)(1000 + 1 + p * (1 - p)));
    unbind(&b);
    sonde_model m = small_model();
    sonde_metric *x;
    sonde_error err = { 0 };
    CHECK_EQ(sonde_metric_parse(&x, &m, "1+rank(#3)", NULL, NULL, &err), SONDE_OK);
    CHECK_EQ(metric_differentiable(x, &err), SONDE_USAGE);
    CHECK_STR(err.message, "metric: rank has no gradient, expected a metric without it");
    sonde_metric_free(x);
    small_model_free(&m);
}

/* Positions */

static const char *positions_of(const char *text, const char *run, int64_t n, int64_t n_run) {
    static char line[1200];
    sonde_model m = small_model();
    sonde_metric *x;
    sonde_error err = { 0 };
    arena *a = arena_new();
    position_list read = { 0 };
    if (sonde_metric_parse(&x, &m, text, NULL, NULL, &err) != SONDE_OK) FAIL_("%s", err.message);
    const sonde_status s = run ? metric_run_positions(a, x, run, (metric_span){ n_run, n_run - 1 }, &read, &err)
                                : metric_positions(a, x, (metric_span){ n, n - 1 }, &read, &err);
    const int64_t *at = read.at;
    const size_t k = read.n;
    line[0] = '\0';
    if (s != SONDE_OK) snprintf(line, sizeof line, "%s", err.message);
    for (size_t i = 0; s == SONDE_OK && i < k; i++)
        snprintf(line + strlen(line), 32, "%s%lld", i ? " " : "", (long long)at[i]);
    arena_free(a);
    sonde_metric_free(x);
    small_model_free(&m);
    return line;
}

static void positions_that_are_needed(void) {
    CHECK_STR(positions_of("logit(#1)", NULL, 6, 0), "5");
    CHECK_STR(positions_of("logit(#1,-1)-logit(#2,5)", NULL, 6, 0), "5");
    CHECK_STR(positions_of("entropy(4)+entropy(-6)+kl(B,2)+prob(#1)", NULL, 6, 0), "0 2 4 5");
    CHECK_STR(positions_of("loss", NULL, 4, 0), "0 1 2");
    CHECK_STR(positions_of("loss+entropy", NULL, 4, 0), "0 1 2 3");
    CHECK_STR(positions_of("3", NULL, 4, 0), "");
    CHECK_STR(positions_of("kl(B)+kl(B,1)+kl(B,-2)+logit(argmax)", "B", 4, 9), "1 7 8");
    CHECK_STR(positions_of("kl(B)+kl(B,1)+logit(argmax)+prob(argmax,0)+kl(A,2)", "A", 4, 4), "0 2 3");
    CHECK_STR(positions_of("kl(B)", "C", 4, 4), "");
    CHECK_STR(positions_of("logit(#1,4)", NULL, 4, 0), "metric: position 4 of the prompt, expected -4 to 3 of 4 "
    "tokens");
    CHECK_STR(positions_of("logit(#1,-5)", NULL, 4, 0), "metric: position -5 of the prompt, expected -4 to 3 of 4 "
    "tokens");
    CHECK_STR(positions_of("kl(B,4)", "B", 9, 4), "metric: position 4 of run B, expected -4 to 3 of 4 tokens");
    CHECK_STR(positions_of("loss", NULL, 1, 0), "metric: loss of 1 token, expected at least two");
}

static const char *bind_error(const char *text) {
    static sonde_error err;
    world w = new_world(1);
    sonde_model m = small_model();
    sonde_metric *x;
    bound_metric *b;
    arena *a = arena_new();
    err = (sonde_error){ 0 };
    CHECK_EQ(sonde_metric_parse(&x, &m, text, NULL, NULL, &err), SONDE_OK);
    CHECK_EQ(metric_bind(a, x, &(metric_prompt){ w.tokens, { N, N - 1 }, V, { logits_of, length_of, &w } }, &b, &err), SONDE_USAGE);
    arena_free(a);
    sonde_metric_free(x);
    small_model_free(&m);
    return err.message;
}

static void runs_and_positions_must_exist(void) {
    CHECK_STR(bind_error("kl(C)"), "metric: there is no run C");
    CHECK_STR(bind_error("logit(#1,5)"), "metric: position 5 of the prompt, expected -5 to 4 of 5 tokens");
    CHECK_STR(bind_error("kl(B,6)"), "metric: position 6 of the prompt, expected -5 to 4 of 5 tokens");
}

/* logits.h */

static void rows_of_logits(void) {
    const float x[6] = { 1, 5, NAN, 5, -INFINITY, 2 };
    int32_t top[8];
    CHECK_EQ((long long)sonde_logits_top(x, 6, 8, top), 6);
    const int32_t want[6] = { 1, 3, 5, 0, 4, 2 };
    for (int i = 0; i < 6; i++) CHECK_EQ(top[i], want[i]);
    CHECK_EQ((long long)sonde_logits_top(x, 6, 2, top), 2);
    CHECK(top[0] == 1 && top[1] == 3);
    CHECK_EQ((long long)sonde_logits_top(x, 6, 0, top), 0);
    CHECK_EQ(sonde_logits_stats(x, 6).argmax, 1);
    CHECK_EQ(sonde_logits_rank(x, 6, 3), 1);
    CHECK_EQ(sonde_logits_rank(x, 6, 0), 4);
    const float y[3] = { 0, 0, 0 }, z[3] = { 1, 2, 3 };
    const sonde_logit_stats s = sonde_logits_stats(y, 3);
    CHECK_NEAR(s.log_sum, log(3), 1e-15);
    CHECK_NEAR(s.entropy_bits, log2(3), 1e-15);
    CHECK_EQ(s.argmax, 0);
    CHECK_NEAR(sonde_logits_prob(z, 3, 2), exp(3) / (exp(1) + exp(2) + exp(3)), 1e-15);
    const double log_z = log(exp(1) + exp(2) + exp(3));
    CHECK_NEAR(sonde_logits_kl(y, z, 3), log(1.0 / 3) - (6 - 3 * log_z) / 3, 1e-15);
    CHECK_NEAR(sonde_logits_kl(z, z, 3), 0, 0);
}

static void the_top_is_a_sort(void) {
    unsigned state = 99;
    for (int round = 0; round < 50; round++) {
        float x[100];
        int32_t all[100], some[100];
        for (int i = 0; i < 100; i++) x[i] = floorf(noise(&state) * 4);
        sonde_logits_top(x, 100, 100, all);
        for (int i = 1; i < 100; i++)
            CHECK(x[all[i - 1]] > x[all[i]] || (x[all[i - 1]] == x[all[i]] && all[i - 1] < all[i]));
        sonde_logits_top(x, 100, 17, some);
        CHECK(memcmp(all, some, 17 * sizeof *all) == 0);
    }
}

/* Linear metrics */

static sonde_status linear(const char *text, sonde_logit_term *out, double *rest, char *says, size_t size) {
    sonde_model m = small_model();
    sonde_metric *x;
    sonde_error err = { 0 };
    if (sonde_metric_parse(&x, &m, text, NULL, NULL, &err)) FAIL_("%s", err.message);
    const sonde_status s = sonde_metric_linear(x, out, rest, &err);
    snprintf(says, size, "%s", s == SONDE_OK ? "" : err.message);
    sonde_metric_free(x);
    small_model_free(&m);
    return s;
}

static void weights_of_linear_metrics(void) {
    static const struct { const char *text; double weight[3], rest; } good[] = {
        { "logit(#1)", { 1 }, 0 }, { "logit(#1)-logit(#2)", { 1, -1 }, 0 }, { "3*(logit(#1)-2*logit(#2)/4)+5", { 3, -1.5 }, 5 },
        { "-(1-logit(#1))*(2+1)-7/2", { 3 }, -6.5 }, { "logit(#1)+logit(#1)*2--logit(argmax,3)", { 1, 2, 1 }, 0 },
    };
    static const char *const bad[] = { "prob(#1)", "logit(#1)*logit(#2)", "2/logit(#1)", "logit(#1)-rank(#2)", "entropy", "2*loss" };
    sonde_logit_term term[3];
    double rest;
    char   says[512];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK_EQ(linear(good[i].text, term, &rest, says, sizeof says), SONDE_OK);
        for (size_t k = 0; k < 3 && good[i].weight[k] != 0; k++) CHECK(term[k].weight == good[i].weight[k]);
        CHECK(rest == good[i].rest);
    }
    CHECK(term[0].token == 1 && !term[0].argmax && !term[0].position_written && term[0].position == -1);
    CHECK(term[2].argmax && term[2].position_written && term[2].position == 3);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(linear(bad[i], term, &rest, says, sizeof says), SONDE_USAGE);
        CHECK(strstr(says, "expected logit(T) times numbers"));
    }
}

#define TESTS(X) \
    X(good_texts_are_printed_back) \
    X(bad_texts_say_what_was_found) \
    X(nesting_and_length_are_bounded) \
    X(runs_that_a_metric_reads) \
    X(values_are_the_formulas) \
    X(closed_forms) \
    X(a_missing_row_is_not_a_number) \
    X(gradients_are_the_slopes) \
    X(a_gradient_is_added_with_one_rounding) \
    X(positions_that_are_needed) \
    X(runs_and_positions_must_exist) \
    X(rows_of_logits) \
    X(the_top_is_a_sort) \
    X(weights_of_linear_metrics)
TEST_MAIN(TESTS)
