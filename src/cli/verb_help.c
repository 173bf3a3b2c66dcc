#include "page.h"
#include "base/text.h"

enum { HELP_WHAT };

static const param params[] = {
    [HELP_WHAT] = { "what", PARAM_TEXT, "", 0, 0, "a verb, or edits, metrics, sites, prompts, models, files, options, exits" },
    { 0 },
};

static sonde_status run(command *c, sonde_error *err) {
    const char *what = c->args[HELP_WHAT].text, *names[64];
    if (!*what) {
        if (option_given(c, OPTION_JSON)) help_json_overview(stdout);
        else help_overview(stdout);
        return SONDE_OK;
    }
    const method *about = about_find(what);
    if (about) return help_about(about, option_given(c, OPTION_JSON), err);
    const topic *t = topic_find(what);
    if (t) {
        page p = page_of(stdout, false);
        return t->write(&p, err);
    }
    size_t n = 0, near;
    for (size_t i = 0; about_at(i) && n < 40; i++) names[n++] = about_at(i)->name;
    for (size_t i = 0; topic_rows[i].name && n < 64; i++) names[n++] = topic_rows[i].name;
    nearest(what, names, n, &near, 1);
    return sonde_fail(err, SONDE_USAGE, "help: no page is called %s, the nearest is %s", name_shown(what).text,
                      names[near]);
}

extern const verb verb_help;
const verb verb_help = {
    .about = { .name = "help", .summary = "what a verb does, its parameters, an example that works", .params = params,
               .example = "help lens" },
    .words = 1, .run = run,
};
