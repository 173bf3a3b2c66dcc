/* The reference pages in docs/reference, from the same tables as the help: a test compares them. */
#include "page.h"
#include "base/text.h"

enum { DOCS_PAGE };

static const param params[] = {
    [DOCS_PAGE] = { "page", PARAM_TEXT, "", 0, 0, "which one to print; without it their names" },
    { 0 },
};

static sonde_status run(command *c, sonde_error *err) {
    const char *name = c->args[DOCS_PAGE].text;
    if (!*name) {
        for (const topic *t = topic_rows; t->name; t++) printf("%s\n", t->name);
        return SONDE_OK;
    }
    const topic *t = topic_find(name);
    SONDE_FAIL_IF(!t, err, SONDE_USAGE, "docs: no page is called %s, \"sonde docs\" lists them", name_shown(name).text);
    page p = page_of(stdout, true);
    return t->write(&p, err);
}

extern const verb verb_docs;
const verb verb_docs = {
    .about = { .name = "docs", .summary = "the reference pages as Markdown, from the tables", .params = params,
               .example = "docs sites" },
    .words = 1, .run = run,
};
