/* Prompts to begin with, the same for everybody on one day (RevLLM's daily list; features.md 2.0), and prompts of the
 * grammar that the embedded model was trained on, with the answers that are right. */
#define _POSIX_C_SOURCE 200809L
#include "method.h"
#include "room.h"
#include <stdio.h>
#include <time.h>

enum { SAMPLES_DATE, SAMPLES_KIND };
enum { SAID = 10, ASKED = 10 };
enum { PERSONS_STREAM, STATEMENTS_STREAM, QUESTIONS_STREAM, CASES_STREAM };

static const param params[] = {
    [SAMPLES_DATE] = { "date", PARAM_TEXT, "", 0, 0, "YYYY-MM-DD: the list of that day; default today (UTC)" },
    [SAMPLES_KIND] = { "kind", PARAM_TEXT, "all", 0, 0, "all, english (said and asked), or demo (for the embedded model)" },
    { 0 },
};

static const char *const persons[] = {
    "Ada Lovelace", "Albert Einstein", "Marie Curie", "Sherlock Holmes", "Cleopatra", "Leonardo da Vinci", "Alan Turing",
    "Captain Nemo", "Jane Austen", "Nelson Mandela", "Robin Hood", "Rosa Parks", "Isaac Newton", "Frida Kahlo",
    "Count Dracula", "Mahatma Gandhi", "Grace Hopper", "Don Quixote", "Charles Darwin", "Joan of Arc", "Socrates",
    "Mary Shelley", "Galileo Galilei", "Florence Nightingale", "Odysseus", "Emmy Noether", "Vincent van Gogh",
    "Katherine Johnson",
};
static const char *const statements[] = {
    "I have never been this happy before.", "The train will be late again tomorrow.", "Nobody believes me any more.",
    "We should have left an hour ago.", "This is the best soup in the whole city.", "I think the machine is broken.",
    "My brother has found the treasure.", "You cannot prove that, and you know it.", "The sea was warmer last year.",
    "Somebody has opened my letter.", "I would rather stay at home tonight.", "There is a stranger in the garden.",
    "All of it was only a dream.", "I have changed my mind about the plan.",
};
static const char *const questions[] = {
    "What is the most important thing you ever learnt?", "Where would you go if you could go anywhere?",
    "Why did nobody tell the truth?", "How will people live in a hundred years?",
};
#define COUNT(list) ((int64_t)(sizeof(list) / sizeof *(list)))

typedef struct { int year, month, day; } date;

static int days_of(int year, int month) {
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static sonde_status read_date(const value *v, date *out, sonde_error *err) {
    if (!v->given) {
        const time_t now = time(NULL);
        struct tm    t;
        gmtime_r(&now, &t);
        *out = (date){ t.tm_year + 1900, t.tm_mon + 1, t.tm_mday };
        return SONDE_OK;
    }
    static const char form[] = "dddd-dd-dd";
    bool good = strlen(v->text) == sizeof form - 1;
    for (size_t i = 0; i < sizeof form - 1 && good; i++)
        good = form[i] == 'd' ? v->text[i] >= '0' && v->text[i] <= '9' : v->text[i] == form[i];
    if (good) *out = (date){ .year = (int)strtol(v->text, NULL, 10), .month = (int)strtol(v->text + 5, NULL, 10),
                             .day = (int)strtol(v->text + 8, NULL, 10) };
    good = good && out->month >= 1 && out->month <= 12 && out->day >= 1 && out->day <= days_of(out->year, out->month);
    SONDE_FAIL_IF(!good, err, SONDE_USAGE, "date: \"%.40s\", expected a day as in 2024-02-29", v->text);
    return SONDE_OK;
}

typedef struct {
    sonde_context *cx;
    sonde_table   *t;
    uint64_t       seed;
    int64_t        number;
} samples;

static void put_sample(samples *s, const char *kind, const char *prompt, const char *answer) {
    sonde_table_row(s->t);
    sonde_cell_int(s->t, ++s->number);
    sonde_cell_text(s->t, kind);
    sonde_cell_text(s->t, prompt);
    sonde_cell_text(s->t, answer);
}

/* Each person speaks once at most, each statement is made once. */
static void put_english(samples *s) {
    int64_t who[COUNT(persons)], what[COUNT(statements)];
    char    text[256];
    sonde_random_order(s->seed, PERSONS_STREAM, who, COUNT(persons));
    sonde_random_order(s->seed, STATEMENTS_STREAM, what, COUNT(statements));
    for (int i = 0; i < SAID; i++) {
        const char *person = persons[who[i]];
        snprintf(text, sizeof text, "%s said: %s %s replied: ", person, statements[what[i]], person);
        put_sample(s, "said", text, NULL);
    }
    for (int i = 0; i < ASKED; i++) {
        const char   *person = persons[who[SAID + i]];
        const int64_t q = sonde_random_below(s->seed, QUESTIONS_STREAM, (uint64_t)i, COUNT(questions));
        snprintf(text, sizeof text, "%s asked: %s %s answered: ", person, questions[q], person);
        put_sample(s, "asked", text, NULL);
    }
}

/* ---- the grammar of the embedded model ---- */

static bool printable(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] > '~') return false;
    return true;
}

/* The text of a case up to its first judged position; NULL where it has other than printable letters or does not come back
 * as the same tokens. */
static char *prompt_of(const sonde_model *m, const sonde_case *c) {
    const int64_t n = c->n_at ? (int64_t)c->at[0] + 1 : 0;
    char  *text = NULL;
    size_t len;
    sonde_tokens again = { 0 };
    if (n == 0 || sonde_detokenize(m, c->t, n, &text, &len, NULL) != SONDE_OK) return NULL;
    const bool same = printable(text, len) &&
                      sonde_tokenize(m, text, len, (sonde_token_options){ 0 }, &again, NULL) == SONDE_OK && again.n == n &&
                      !memcmp(again.id, c->t, (size_t)n * sizeof *again.id);
    sonde_tokens_free(&again);
    if (same) return text;
    sonde_text_free(text);
    return NULL;
}

/* One case of each task that can be written as text. */
static void put_task(samples *s, const sonde_model *m, const sonde_task *task, uint64_t stream) {
    int64_t *order = ROOM(int64_t, task->n);
    char    *prompt = NULL;
    sonde_random_order(s->seed, stream, order, (int64_t)task->n);
    for (size_t i = 0; i < task->n && !prompt; i++) {
        const sonde_case *c = &task->cases[order[i]];
        char  *answer = NULL;
        size_t len;
        prompt = prompt_of(m, c);
        if (!prompt) continue;
        if (sonde_detokenize(m, c->p, 1, &answer, &len, NULL) != SONDE_OK) answer = NULL;
        put_sample(s, task->name, prompt, answer);
        sonde_text_free(answer);
    }
    sonde_text_free(prompt);
    free(order);
}

static sonde_status put_demo(samples *s, sonde_error *err) {
    size_t       size;
    const char  *text = sonde_demo_cases(&size);
    sonde_cases *cases;
    sonde_model *m;
    SONDE_TRY(sonde_model_open(&m, NULL, NULL, err));
    const sonde_status bad = sonde_cases_read(&cases, text, size, err);
    const sonde_task *task;
    for (size_t i = 0; bad == SONDE_OK && (task = sonde_cases_task(cases, i)); i++) put_task(s, m, task, CASES_STREAM + i);
    if (bad == SONDE_OK) sonde_cases_free(cases);
    sonde_model_close(m);
    return bad;
}

extern const method method_samples;

static sonde_status samples_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    const char *kind = args[SAMPLES_KIND].text;
    const bool  all = !strcmp(kind, "all"), english = all || !strcmp(kind, "english"), demo = all || !strcmp(kind, "demo");
    char note[64];
    date d;
    context_head(cx, &method_samples, out);
    SONDE_FAIL_IF(!english && !demo, err, SONDE_USAGE, "kind: \"%.40s\", expected all, english or demo", kind);
    SONDE_TRY(read_date(&args[SAMPLES_DATE], &d, err));
    snprintf(note, sizeof note, "samples of %04d-%02d-%02d", d.year, d.month, d.day);
    sonde_result_note(out, note);
    samples s = { .cx = cx, .t = sonde_result_table(out, "samples"),
                  .seed = (uint64_t)(d.year * 10000 + d.month * 100 + d.day) ^ cx->seed << 32 };
    sonde_table_column(s.t, "number", SONDE_INT, "");
    sonde_table_column(s.t, "kind", SONDE_TEXT, "");
    sonde_table_column(s.t, "prompt", SONDE_TEXT, "");
    sonde_table_column(s.t, "answer", SONDE_TEXT, "");
    if (english) put_english(&s);
    return demo ? put_demo(&s, err) : SONDE_OK;
}

const method method_samples = {
    .name = "samples",
    .summary = "prompts to begin with: a list of the day for models of English, and some that the embedded model knows",
    .reference = NULL,
    .formula = "20 prompts keyed by the date yyyymmdd (and --seed): ten \"PERSON said: .. PERSON replied: \", ten \"PERSON "
               "asked: .. PERSON answered: \", the blank at the end being part of them; then one held-out case of each task "
               "of the embedded model that printable text can spell, with the token that it writes next",
    .example = "samples --date 2024-02-29",
    .params = params,
    .takes = 0,
    .run = samples_run,
};
