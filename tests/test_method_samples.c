/* The list of a day: its forms, that it is always the same, and that the embedded model answers as said. */
#include "method_run.h"

static bool ends_with(const char *text, const char *end) {
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

/* "PERSON said: .. PERSON replied: ": the two persons are one. */
static void check_form(const char *prompt, const char *first, const char *second) {
    const char *at = strstr(prompt, first);
    CHECK(at && ends_with(prompt, second));
    const size_t name = (size_t)(at - prompt), len = strlen(prompt);
    CHECK(name > 3);
    CHECK(!strncmp(prompt, prompt + len - strlen(second) - name, name));
}

static void ten_say_and_ten_ask(void) {
    method_run *r = run_open(NULL);
    RUN_OK(r, "samples", "date", "2024-02-29", "kind", "english", NULL);
    const sonde_table *t = run_table(r, "samples");
    CHECK_STR(run_columns(t), "number kind prompt answer");
    CHECK_EQ(run_rows(t), 20);
    for (size_t i = 0; i < 20; i++) {
        CHECK_EQ(run_int(t, i, "number"), (int64_t)i + 1);
        CHECK_STR(run_text(t, i, "kind"), i < 10 ? "said" : "asked");
        if (i < 10) check_form(run_text(t, i, "prompt"), " said: ", " replied: ");
        else check_form(run_text(t, i, "prompt"), " asked: ", " answered: ");
        CHECK(run_null(t, i, "answer"));
        for (size_t k = 0; k < i; k++) CHECK(strcmp(run_text(t, i, "prompt"), run_text(t, k, "prompt")) != 0);
    }
    CHECK_STR(sonde_result_note_at(r->out, 0), "samples of 2024-02-29");
    run_close(r);
}

static const char *first_prompt(method_run *r, const char *date, uint64_t seed) {
    r->cx.seed = seed;
    RUN_OK(r, "samples", "date", date, NULL);
    static char text[4][256];
    static int  next;
    snprintf(text[next %= 4], sizeof text[0], "%s", run_text(run_table(r, "samples"), 0, "prompt"));
    return text[next++];
}

/* The draws are a promise: this list is that of its day for ever. */
static void a_day_has_one_list(void) {
    method_run *r = run_open(NULL);
    const char *one = first_prompt(r, "2024-02-29", 0);
    CHECK_STR(one, "Emmy Noether said: All of it was only a dream. Emmy Noether replied: ");
    CHECK_STR(first_prompt(r, "2024-02-29", 0), one);
    CHECK(strcmp(first_prompt(r, "2024-03-01", 0), one) != 0);
    CHECK(strcmp(first_prompt(r, "2024-02-29", 1), one) != 0);
    run_close(r);
}

static void the_embedded_model_answers_as_said(void) {
    static const char *const days[] = { "2024-02-29", "2026-11-21", "1999-12-31" };
    method_run *r = run_open(NULL);
    for (int d = 0; d < 3; d++) {
        RUN_OK(r, "samples", "kind", "demo", "date", days[d], NULL);
        const sonde_table *t = run_table(r, "samples");
        CHECK(run_rows(t) >= 12);
        for (size_t i = 0; i < t->rows; i++) {
            const char *prompt = run_text(t, i, "prompt");
            sonde_tokens x;
            CHECK_EQ(sonde_tokenize(r->model, prompt, strlen(prompt), (sonde_token_options){ 0 }, &x, NULL), SONDE_OK);
            const run_values v = run_site(r, (sonde_prompt){ .tokens = x.id, .n = x.n, .prompt = 0 }, false, NULL);
            size_t len;
            const int32_t id = sonde_logits_stats(v.data + (x.n - 1) * v.cols, v.cols).argmax;
            const char *best = sonde_token_bytes(r->model, id, &len);
            const char *answer = run_text(t, i, "answer");
            CHECK(strlen(answer) == len && !memcmp(best, answer, len));
            sonde_tokens_free(&x);
            free(v.data);
        }
    }
    run_close(r);
}

static void days_that_are_none(void) {
    static const char *const bad[] = { "2023-02-29", "2024-13-01", "2024-00-10", "2024-04-31", "2024-4-3", "yesterday", "",
                                       "1900-02-29", "2024-01-00", "2024-01-011" };
    method_run *r = run_open(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char says[128];
        snprintf(says, sizeof says, "date: \"%s\", expected a day as in 2024-02-29", bad[i]);
        CHECK_EQ(run_method(r, "samples", "date", bad[i], NULL), SONDE_USAGE);
        CHECK_STR(r->err.message, says);
    }
    RUN_OK(r, "samples", "date", "2000-02-29", NULL);
    RUN_OK(r, "samples", NULL);
    CHECK(strstr(sonde_result_note_at(r->out, 0), "samples of 20"));
    CHECK_EQ(run_method(r, "samples", "kind", "x", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "kind: \"x\", expected all, english or demo");
    run_close(r);
}

#define TESTS(T) T(ten_say_and_ten_ask) T(a_day_has_one_list) T(the_embedded_model_answers_as_said) T(days_that_are_none)
TEST_MAIN(TESTS)
