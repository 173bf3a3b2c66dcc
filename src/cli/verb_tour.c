/* A minute with the embedded model: short commands, what they show in plain words, and the first lines they print. */
#define _POSIX_C_SOURCE 200809L
#include "page.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_WORDS = 16 };

typedef struct { const char *words; int lines; const char *command[MOST_WORDS - 1]; } step;

#define STORE "When Mary and John went to the store, John gave a drink to"
#define OTHER "B=When Mary and John went to the store, Mary gave a drink to"
#define METRIC "logit(\" Mary\")-logit(\" John\")"

static const step steps[] = {
    { "sonde carries a small trained model, so that everything works at once. This is it.", 10, { "info" } },
    { "A prompt becomes tokens (a dot is a space); every number inside the model belongs to one of them.", 12,
      { "tokens", "List: red cat river key. Copy:" } },
    { "The model goes on with a text. This one has learned to copy lists.", 6,
      { "generate", "List: red cat river key. Copy:", "-n", "6" } },
    { "Who gets the drink? Each row is what the model would answer if it ended there: the right name comes late.", 14,
      { "lens", STORE, "--positions", "-1", "--top", "1" } },
    { "Where a head looks: each row is a position, its colours are the positions it reads. This head reads the one before.",
      14, { "attention", STORE, "--layers", "0", "--heads", "0" } },
    { "Which heads matter? Each is set to zero in turn; the number is how far Mary falls behind John without it.", 10,
      { "ablate", STORE, "--metric", METRIC } },
    { "Where does it know who gave? Values of a run in which Mary gives are put in, cell by cell; 1 means that the answer "
      "is then the other run's.", 12,
      { "patch", STORE, "--run", OTHER, "--metric", METRIC } },
    { "The gradient says the same without trying every cell: how much each value would move the answer.", 10,
      { "trace", STORE, "--sites", "hook_resid_pre", "--metric", METRIC, "--grad" } },
    { 0 },
};

static void put_word(const char *w) {
    const bool plain = !strpbrk(w, " \"'[]{}*|()<>$&;!#?~");
    const char *quote = plain ? "" : strchr(w, '"') ? "'" : "\"";
    printf(" %s%s%s", quote, w, quote);
}

static void put_step(const step *s, bool color) {
    const page p = page_of(stdout, false);
    page_wrap(&p, s->words, 0, 0);
    printf("%s$ sonde", color ? "\x1b[1m" : "");
    for (const char *const *w = s->command; *w; w++) put_word(*w);
    printf("%s\n", color ? "\x1b[0m" : "");
}

static sonde_status run_step(const step *s, sonde_error *err) {
    static char quiet[] = "--quiet";
    char *argv[MOST_WORDS + 1];
    int argc = 0;
    for (const char *const *w = s->command; *w; w++) argv[argc++] = (char *)(uintptr_t)*w;
    argv[argc++] = quiet;
    argv[argc] = NULL;
    output_limit(s->lines);
    const sonde_status status = command_run(argc, argv, err);
    output_limit(0);
    return status;
}

static sonde_status run(command *c, sonde_error *err) {
    const bool color = output_style(c).color;
    SONDE_FAIL_IF(option_given(c, OPTION_JSON), err, SONDE_USAGE, "tour: found --json, which each of its commands takes");
    unsetenv("SONDE_MODEL");
    if (option_given(c, OPTION_NO_COLOR)) setenv("NO_COLOR", "1", 1);
    for (const step *s = steps; s->words; s++) {
        if (s != steps) printf("\n");
        put_step(s, color);
        SONDE_TRY(output_flush(err));
        SONDE_TRY(run_step(s, err));
        SONDE_FAIL_IF(stop_asked(NULL), err, SONDE_CANCELLED, "tour: interrupted");
    }
    printf("\nMore: \"sonde help\" lists the verbs. Most take -m MODEL, --edit, --json, --out FILE.\n");
    return SONDE_OK;
}

extern const verb verb_tour;
const verb verb_tour = {
    .about = { .name = "tour", .summary = "a minute with the embedded model, each step with the command that makes it",
               .example = "tour" },
    .words = 0, .run = run,
};
