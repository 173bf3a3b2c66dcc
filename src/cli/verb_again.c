/* What a result records, run again: its JSON is turned back into the command that made it. */
#include "cli.h"
#include "source.h"
#include "base/json.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_RESULT };

static const param params[] = {
    [AGAIN_RESULT] = { "result", PARAM_TEXT, NULL, 0, 0, "JSON that a verb wrote (--json, or --out x.json); - is stdin" },
    { 0 },
};

typedef struct { command *c; char **at; int n, room; } words;

static void add(words *w, const char *text) {
    if (w->n + 1 >= w->room) {
        w->room = 2 * w->room + 32;
        char **more = arena_new_array(w->c->memory, char *, (size_t)w->room);
        if (w->n) memcpy(more, w->at, (size_t)w->n * sizeof *more);
        w->at = more;
    }
    w->at[w->n++] = arena_printf(w->c->memory, "%s", text);
    w->at[w->n] = NULL;
}

static void add_option(words *w, const char *name, const char *text) {
    add(w, arena_printf(w->c->memory, "--%s=%s", name, text));
}

/* What holds without being given; given, it would be refused where it has no use. */
static bool is_default(const method *about, const char *name, const char *text) {
    for (size_t i = 0; about->params && about->params[i].name; i++)
        if (!strcmp(about->params[i].name, name)) return about->params[i].fallback && !strcmp(about->params[i].fallback, text);
    return false;
}

/* A method, or a verb whose flags can be said again. */
static const method *again_find(const char *name) {
    const verb *v = verb_find(name);
    return !v ? method_find(name) : v->values ? &v->about : NULL;
}

/* A text, or a list of them where it was given several times, or is several words. */
static sonde_status add_param(words *w, const method *about, const json *p, sonde_error *err) {
    const verb *v = verb_find(about->name);
    const int   values = v ? v->values(p->key) : 1;
    if (values < 0) return SONDE_OK;
    SONDE_FAIL_IF(!values, err, SONDE_UNSUPPORTED, "params: %s names files, which are not written or read again for a result: expected it "
                  "in a line for sonde %s itself", name_shown(p->key).text, about->name);
    const json *one = p->kind == JSON_ARRAY ? p->child : p;
    for (int i = 0; one; one = p->kind == JSON_ARRAY ? one->next : NULL, i++) {
        const char *text;
        size_t      len;
        SONDE_FAIL_IF(!json_string(one, &text, &len), err, SONDE_FORMAT, "params: %s is no text", name_shown(p->key).text);
        if (i % values) {
            SONDE_FAIL_IF(!*text || text[strspn(text, "0123456789")], err, SONDE_FORMAT, "params: %s has \"%s\", expected a number",
                          name_shown(p->key).text, name_shown(text).text);
            add(w, text);
        } else if (p->kind == JSON_ARRAY || !is_default(about, p->key, text)) add_option(w, p->key, text);
    }
    return SONDE_OK;
}

/* Only what a result records: a file from elsewhere must not name what is written or read beside it. */
static sonde_status add_params(words *w, const json *params_of, sonde_error *err) {
    SONDE_FAIL_IF(params_of && params_of->kind != JSON_OBJECT, err, SONDE_FORMAT, "params is no object");
    const method *about = again_find(w->at[0]);
    for (const json *p = params_of ? params_of->child : NULL; p; p = p->next) {
        SONDE_FAIL_IF(!is_recorded(about, p->key), err, SONDE_FORMAT, "params: %s is nothing that a result of %s records",
                      name_shown(p->key).text, about->name);
        SONDE_TRY(add_param(w, about, p, err));
    }
    return SONDE_OK;
}

static sonde_status add_edits(words *w, const json *edits, sonde_error *err) {
    for (const json *e = edits ? edits->child : NULL; e; e = e->next) {
        const char *text;
        size_t      len;
        SONDE_FAIL_IF(!json_string(e, &text, &len), err, SONDE_FORMAT, "edits: found one that is no text");
        add_option(w, "edit", text);
    }
    return SONDE_OK;
}

static sonde_status ids_of(words *w, const json *tokens, const char **out, sonde_error *err) {
    const char *text = "";
    for (const json *t = tokens ? tokens->child : NULL; t; t = t->next) {
        int64_t id;
        SONDE_FAIL_IF(!json_int(json_get(t, "id"), &id), err, SONDE_FORMAT, "prompts: a token has no id");
        text = arena_printf(w->c->memory, "%s%s%" PRId64, text, *text ? "," : "", id);
    }
    *out = text;
    return SONDE_OK;
}

/* As --escape takes it. */
static const char *escaped(arena *into, const char *text) {
    char *out = arena_alloc(into, 2 * strlen(text) + 1), *to = out;
    for (; *text; text++) {
        if (*text == '\\') *to++ = '\\';
        *to++ = *text;
    }
    return out;
}

/* The text, or the ids where there was none or JSON could not hold it. `first`: of the prompts. */
static sonde_status add_prompt(words *w, const json *prompt, bool escapes, bool first, sonde_error *err) {
    const char *text = "", *ids;
    size_t      len = 0;
    SONDE_TRY(ids_of(w, json_get(prompt, "tokens"), &ids, err));
    json_string(json_get(prompt, "text"), &text, &len);
    if (len && strlen(text) == len && !strstr(text, "\xef\xbf\xbd")) {
        if (first) add(w, "--");
        add(w, escapes ? escaped(w->c->memory, text) : text);
    } else {
        SONDE_FAIL_IF(!first, err, SONDE_UNSUPPORTED, "one of several prompts has a text that JSON could not hold");
        add_option(w, "tokens", ids);
    }
    return SONDE_OK;
}

/* What the person gave to `again` itself. */
static void pass_options(words *w) {
    static const option_id passed[] = { OPTION_MODEL, OPTION_THREADS, OPTION_MEMORY, OPTION_JSON, OPTION_CSV, OPTION_OUT,
                                        OPTION_DRY_RUN, OPTION_QUIET, OPTION_VERBOSE, OPTION_NO_COLOR, OPTION_TOP, OPTION_SEED };
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
        for (size_t k = 0; k < w->c->option[passed[i]].n; k++)
            add_option(w, option_rows[passed[i]].row.name, w->c->option[passed[i]].list[k]);
}

static sonde_status make_words(words *w, const json *j, sonde_error *err) {
    const char *method_name, *model;
    size_t      len;
    const json *recorded = json_get(j, "params"), *prompts = json_get(j, "prompts");
    SONDE_FAIL_IF(!json_get(j, "sonde") || !json_string(json_get(j, "method"), &method_name, &len) || !again_find(method_name), err,
                  SONDE_FORMAT, "is no result of a verb that can be run again");
    add(w, method_name);
    if (!option_given(w->c, OPTION_MODEL) && json_string(json_get(json_get(j, "model"), "name"), &model, &len))
        add_option(w, "model", model);
    SONDE_TRY(add_params(w, recorded, err));
    const int takes = again_find(method_name)->takes;       /* verify tells of prompts and edits that its file names */
    if (takes & TAKES_EDITS) SONDE_TRY(add_edits(w, json_get(j, "edits"), err));
    pass_options(w);
    if (json_get(recorded, "text")) add_option(w, "results", "none");       /* again, not what was kept of it */
    const bool of_file = json_get(recorded, "prompts") != NULL;
    const bool all = takes & MANY_WORDS;
    SONDE_FAIL_IF(prompts && prompts->len > 1 && !of_file && !all, err, SONDE_UNSUPPORTED,
                  "has %zu prompts and does not say of which file", prompts->len);
    const bool wanted = takes & (NEEDS_PROMPT | TAKES_PROMPT) && !of_file;
    for (const json *p = wanted && prompts ? prompts->child : NULL; p; p = p->next)
        SONDE_TRY(add_prompt(w, p, json_get(recorded, "escape") != NULL, p == prompts->child, err));
    return SONDE_OK;
}

/* The weights may be others under the same name. */
static void compare_hash(const command *c, const json *j) {
    const char  *name, *hash;
    size_t       len;
    sonde_model *m;
    const json  *model = json_get(j, "model");
    if (!json_string(json_get(model, "name"), &name, &len) || !json_string(json_get(model, "hash"), &hash, &len)) return;
    if (option_given(c, OPTION_MODEL) || option_given(c, OPTION_QUIET)) return;
    const sonde_model_search search = search_folders(c->memory);
    if (sonde_model_open(&m, name, &search, NULL) != SONDE_OK) return;      /* the run itself will say so */
    const bool folded = json_get(json_get(j, "params"), "fold") != NULL;    /* has a hash of its own */
    const char *now = sonde_model_hash(m);
    if (!folded && strcmp(now, hash) != 0)
        say("sonde: again: ", arena_printf(c->memory, "the result is of another %s: its hash is %s, this one's %s", name_shown(name).text,
                                           name_shown(hash).text, now));
    sonde_model_close(m);
}

static sonde_status run(command *c, sonde_error *err) {
    const char *path = c->args[AGAIN_RESULT].text;
    bytes       text;
    const json *j;
    words       w = { .c = c };
    SONDE_TRY(source_read(c->memory, path, &text, err));
    sonde_status s = json_parse(text.at, text.n, c->memory, &j, err);
    if (s == SONDE_OK) s = make_words(&w, j, err);
    if (s != SONDE_OK) return sonde_fail_at(err, s, "again: %s", name_shown(path).text);
    compare_hash(c, j);
    return command_run(w.n, w.at, err);
}

extern const verb verb_again;
const verb verb_again = {
    .about = { .name = "again", .summary = "runs what a result records: its verb, model, prompt, parameters and edits",
               .example = "attention \"a b a\" --layers 0 --json | sonde again -", .params = params, .takes = MAKES_RESULT | NEEDS_MODEL },
    .words = 1, .run = run,
};
