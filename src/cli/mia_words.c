/* Llama.MIA's command line in sonde's words: underscores, short flags, and flags with several values. */
#include "mia.h"
#include "base/text.h"
#include <string.h>

/* values: words behind the flag; usual: the last of them where it is left out and no number stands there. */
static const struct { const char *flag, *meant; int values; const char *usual, *names; } rows[] = {
    { "-m",          "model",        1, NULL, "MODEL" },
    { "-o",          "out",          1, NULL, "FILE" },
    { "-n",          "n",            1, NULL, "N" },
    { "-p",          "prompt",       1, NULL, "TEXT" },
    { "-t",          "threads",      1, NULL, "N" },
    { "-d",          "draw",         1, NULL, "PATH.png" },
    { "-a",          "ablate",       1, NULL, "I,J,.." },
    { "-s",          "select",       SELECT_WORDS, NULL, "LAYER HEAD" },
    { "--select",    "select",       SELECT_WORDS, NULL, "LAYER HEAD" },
    { "--ll",        "ll",           LENS_WORDS, "10", "NAME [K]" },
    { "--logit-lens", "ll",          LENS_WORDS, "10", "NAME [K]" },
    { "--save",      "save",         SAVE_WORDS, NULL, "NAME PATH" },
    { "--patch",     "patch",        PATCH_WORDS, NULL, "NAME PATH FROM TO" },
    { "--patch-avg", "patch-avg",    PATCH_AVG_WORDS, NULL, "NAME PATH1 PATH2 FROM TO" },
    { "--n-predict", "n",            1, NULL, "N" },
};
enum { ROWS = sizeof rows / sizeof *rows, NO_ROW = ROWS };

typedef struct { command *c; char **at; int n; char **to; int made; } words;

static void add(words *w, const char *text) { w->to[w->made++] = arena_printf(w->c->memory, "%s", text); }

static bool is_number(const char *text) { return *text && text[strspn(text, "0123456789")] == 0; }

static size_t row_of(const char *flag) {
    size_t i = 0;
    while (i < ROWS && strcmp(rows[i].flag, flag) != 0) i++;
    return i;
}

/* Every value becomes a `--name=value` of its own. Returns how many words it took, 0 on failure. */
static int spread(words *w, int at, size_t row, const char *first, sonde_error *err) {
    int taken = 1, have = 0;
    for (; have < rows[row].values; have++) {
        const bool inside = have == 0 && first;
        const char *text = inside ? first : at + taken < w->n ? w->at[at + taken] : NULL;
        const bool last = have + 1 == rows[row].values;
        if (last && rows[row].usual && !(text && is_number(text))) text = rows[row].usual;
        else if (!inside) taken++;
        const bool flag = text && rows[row].values > 1 && !strncmp(text, "--", 2);
        if (!text || flag) {
            sonde_fail(err, SONDE_USAGE, "%s: found %d value%s behind it, expected %s", rows[row].flag, have,
                       have == 1 ? "" : "s", rows[row].names);
            return 0;
        }
        add(w, arena_printf(w->c->memory, "--%s=%s", rows[row].meant, text));
    }
    return taken;
}

/* A long flag with dashes for the underscores of its name. */
static const char *dashed(arena *into, const char *word) {
    char *text = arena_printf(into, "%s", word);
    if (strncmp(text, "--", 2) != 0) return text;
    for (char *c = text; *c && *c != '='; c++)
        if (*c == '_') *c = '-';
    return text;
}

static int take(words *w, int at, sonde_error *err) {
    const char *word = dashed(w->c->memory, w->at[at]);
    const size_t len = strncmp(word, "--", 2) ? strlen(word) : strcspn(word, "=");
    const size_t row = row_of(arena_printf(w->c->memory, "%.*s", (int)len, word));
    if (row != NO_ROW) return spread(w, at, row, word[len] ? word + len + 1 : NULL, err);
    const bool letter = word[0] == '-' && word[1] && word[1] != '-' && (word[1] < '0' || word[1] > '9');
    if (letter && strcmp(word, "-h") != 0) {
        sonde_fail(err, SONDE_USAGE, "%s: no such option here, short ones are -m -p -n -t -d -a -s -o and -h",
                   name_shown(word).text);
        return 0;
    }
    add(w, word);
    return 1;
}

sonde_status mia_respell(command *c, int *argc, char ***argv, sonde_error *err) {
    words w = { .c = c, .at = *argv, .n = *argc };
    w.to = arena_new_array(c->memory, char *, (size_t)(w.n + 1) * (PATCH_AVG_WORDS + 1));
    add(&w, w.at[0]);
    int i = 1;
    while (i < w.n && strcmp(w.at[i], "--") != 0) {
        const int taken = take(&w, i, err);
        if (!taken) return err->status;
        i += taken;
    }
    for (; i < w.n; i++) add(&w, w.at[i]);
    *argc = w.made;
    *argv = w.to;
    return SONDE_OK;
}

int mia_values(const char *name) {
    if (strcmp(name, "prompt") == 0) return -1;
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].meant, name) == 0) return strstr(rows[i].names, "PATH") ? 0 : rows[i].values;
    return 1;
}
