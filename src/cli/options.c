/* Options: every row of the verb's parameters and of options.def is one option, --name VALUE or --name=VALUE. Words are
 * first gathered row by row, then each row is checked by param_parse, as every other front does. */
#include "cli.h"
#include "base/text.h"
#include <string.h>

const option_row option_rows[OPTION_COUNT] = {
#define OPTION(id, name, type, fallback, min, max, takes, help) \
    [OPTION_##id] = { { name, PARAM_##type, fallback, min, max, help }, takes },
#include "options.def"
#undef OPTION
};

enum { MOST_NAMES = OPTION_COUNT + MOST_PARAMS };

static const struct { char letter; const char *name; } short_rows[] = {
    { 'm', "model" }, { 'n', "n" }, { 'o', "out" }, { 'h', "help" },
};

char option_letter(const char *name) {
    for (size_t i = 0; i < sizeof short_rows / sizeof *short_rows; i++)
        if (!strcmp(short_rows[i].name, name)) return short_rows[i].letter;
    return 0;
}

bool option_applies(const method *about, const option_row *o) {
    const int makes = about->run ? MAKES_RESULT : 0;
    const int prompts = about->takes & NEEDS_PROMPT ? TAKES_PROMPT : 0;
    return !o->takes || ((about->takes | makes | prompts) & o->takes);
}

static size_t count_params(const method *about) {
    size_t n = 0;
    while (about->params && about->params[n].name) n++;
    return n;
}

static bool same_name(const char *row, const char *name, size_t len) { return strlen(row) == len && !memcmp(row, name, len); }

/* The value and type of the option of this name; NULL: there is none. */
static value *find(command *c, const char *name, size_t len, param_type *type) {
    for (size_t i = 0; i < count_params(c->about); i++) {
        const param *p = &c->about->params[i];
        if (!same_name(p->name, name, len)) continue;
        *type = p->type;
        return &c->args[i];
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const param *p = &option_rows[i].row;
        if (!same_name(p->name, name, len) || !option_applies(c->about, &option_rows[i])) continue;
        *type = p->type;
        return &c->option[i];
    }
    return NULL;
}

static sonde_status fail_unknown(command *c, const char *shown_as, const char *name, size_t len, sonde_error *err) {
    const char *names[MOST_NAMES];
    size_t n = 0, near;
    const char *word = arena_printf(c->memory, "%.*s", (int)len, name);
    SONDE_FAIL_IF(shown_as[1] != '-', err, SONDE_USAGE, "%s: no such option here, short ones are -m, -n, -o and -h "
                  "(words behind -- are no options)", name_shown(shown_as).text);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        SONDE_FAIL_IF(!strcmp(option_rows[i].row.name, word), err, SONDE_USAGE,
                      "--%s: does not apply here, \"sonde help %s\" lists what does", word, c->about->name);
    for (size_t i = 0; i < count_params(c->about); i++) names[n++] = c->about->params[i].name;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (option_applies(c->about, &option_rows[i])) names[n++] = option_rows[i].row.name;
    nearest(word, names, n, &near, 1);
    return sonde_fail(err, SONDE_USAGE, "%s: no such option, the nearest is --%s (words behind -- are no options)",
                      name_shown(shown_as).text, names[near]);
}

static void append(command *c, value *v, const char *text) {
    const char **list = arena_new_array(c->memory, const char *, v->n + 1);
    if (v->n) memcpy(list, v->list, v->n * sizeof *list);
    list[v->n++] = text;
    v->list = list;
}

/* --name=value, --name value, -x value. Returns how many words of argv it took, 0 on failure. */
static int take_option(command *c, int argc, char **argv, sonde_error *err) {
    const char *name = argv[0] + 2, *text = NULL;
    size_t len = strcspn(name, "=");
    if (argv[0][1] != '-') {
        name = "";
        len = 0;
        for (size_t i = 0; i < sizeof short_rows / sizeof *short_rows; i++)
            if (argv[0][1] == short_rows[i].letter && !argv[0][2]) {
                name = short_rows[i].name;
                len = strlen(name);
            }
    } else if (name[len] == '=') {
        text = name + len + 1;
    }
    param_type type;
    value *v = find(c, name, len, &type);
    if (!v && len) v = find(c, arena_printf(c->memory, "%.*ss", (int)len, name), len + 1, &type);     /* --layer 3 is --layers 3 */
    if (!v) {
        fail_unknown(c, argv[0], len ? name : argv[0] + 1, len ? len : strlen(argv[0] + 1), err);
        return 0;
    }
    int taken = 1;
    if (!text && type == PARAM_FLAG) text = "true";
    if (!text && argc > 1) {
        text = argv[1];
        taken = 2;
    }
    if (!text) {
        sonde_fail(err, SONDE_USAGE, "%s: no value behind it, expected one", argv[0]);
        return 0;
    }
    append(c, v, text);
    return taken;
}

sonde_status options_read(command *c, int argc, char **argv, bool *help, sonde_error *err) {
    if (count_params(c->about) > MOST_PARAMS) return sonde_fail(err, SONDE_UNSUPPORTED, "too many parameters");
    c->word = arena_new_array(c->memory, const char *, (size_t)argc + 1);
    bool ended = false;
    for (int i = 1; i < argc; ) {
        const bool option = !ended && argv[i][0] == '-' && argv[i][1];
        if (option && !strcmp(argv[i], "--")) {
            ended = true;
            i++;
        } else if (option) {
            const int taken = take_option(c, argc - i, argv + i, err);
            if (!taken) return err->status;
            i += taken;
        } else {
            c->word[c->n_words++] = argv[i++];
        }
    }
    *help = c->option[OPTION_HELP].n > 0;
    return SONDE_OK;
}

/* Words that are no prompt go to the parameters of a verb, or to those that a method requires, in order; a list that comes
 * first in a method takes them all. */
static sonde_status place_words(command *c, sonde_error *err) {
    const bool prompt = c->about->takes & (NEEDS_PROMPT | TAKES_PROMPT);
    const verb *v = verb_find(c->about->name);
    const size_t n = count_params(c->about);
    size_t used = 0, may = v ? (size_t)v->words : n;
    if (prompt) used = may = c->n_words > 0;
    for (size_t i = 0; i < n && i < may && used < c->n_words && !prompt; i++) {
        const bool list = !v && i == 0 && c->about->params[i].type == PARAM_LIST;
        const bool wanted = v || list || !c->about->params[i].fallback;
        if (wanted && c->args[i].n == 0) append(c, &c->args[i], c->word[used++]);
        while (list && used < c->n_words) append(c, &c->args[i], c->word[used++]);
    }
    SONDE_FAIL_IF(used < c->n_words, err, SONDE_USAGE, "found \"%s\", expected %s", name_shown(c->word[used]).text,
                  prompt ? "one prompt (quote it)" : used ? "nothing more" : "no argument");
    if (!prompt) c->n_words = 0;                /* what is left is a prompt */
    return SONDE_OK;
}

static sonde_status check_row(const param *p, value *v, sonde_error *err) {
    const value texts = *v;
    if (p->type == PARAM_LIST && texts.n == 0 && p->fallback && *p->fallback) {
        SONDE_TRY(param_parse(p, NULL, v, err));
        v->list = &p->fallback;
        v->n = 1;
        return SONDE_OK;
    }
    SONDE_TRY(param_parse(p, texts.n ? texts.list[texts.n - 1] : NULL, v, err));
    v->list = texts.list;
    v->n = texts.n;
    return SONDE_OK;
}

sonde_status options_check(command *c, sonde_error *err) {
    SONDE_TRY(place_words(c, err));
    for (size_t i = 0; i < count_params(c->about); i++) SONDE_TRY(check_row(&c->about->params[i], &c->args[i], err));
    for (size_t i = 0; i < OPTION_COUNT; i++) SONDE_TRY(check_row(&option_rows[i].row, &c->option[i], err));
    return SONDE_OK;
}

bool option_given(const command *c, option_id id) {
    const value *v = &c->option[id];
    return option_rows[id].row.type == PARAM_FLAG ? v->i != 0 : v->n > 0;
}

const char *option_text(const command *c, option_id id) {
    return c->option[id].n ? c->option[id].text : NULL;
}
