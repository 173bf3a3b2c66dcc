/* Every place where a run has a value. */
#include "method.h"
#include "room.h"
#include <stdio.h>

enum { SITES_SITES };

static const param params[] = {
    [SITES_SITES] = { "sites", PARAM_SITE, "", 0, 0, "a pattern: only these (default: all, on request ones too)" },
    { 0 },
};

typedef struct { sonde_table *table; bool sized; } listing;

/* Sizes, outermost first; without a prompt positions stay letters: "t 4 40". */
static void put_shape(const listing *l, const sonde_site *s) {
    char   text[160];
    size_t used = 0;
    for (int i = 0; i < s->rank && used < sizeof text; i++) {
        const char letter = s->axes[2 * (size_t)i];
        const bool open = !l->sized && (letter == 't' || letter == 's');
        if (open) used += (size_t)snprintf(text + used, sizeof text - used, "%s%c", i ? ", " : "[", letter);
        else used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld", i ? ", " : "[", (long long)s->dim[i]);
    }
    if (used < sizeof text) snprintf(text + used, sizeof text - used, "]");
    sonde_cell_text(l->table, text);
}

static sonde_status put(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    const listing *l = user;
    sonde_table_row(l->table);
    sonde_cell_text(l->table, s->name);
    sonde_cell_text(l->table, s->axes);
    put_shape(l, s);
    sonde_cell_bool(l->table, s->on_request);
    sonde_cell_text(l->table, s->doc);
    return SONDE_OK;
}

extern const method method_sites;

static sonde_status sites_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    const char *pattern = args[SITES_SITES].text;
    listing l = { .sized = cx->n_prompts > 0 };
    context_head(cx, &method_sites, out);
    l.table = sonde_result_table(out, "sites");
    sonde_table_column(l.table, "site", SONDE_TEXT, "");
    sonde_table_column(l.table, "axes", SONDE_TEXT, "");
    sonde_table_column(l.table, "shape", SONDE_TEXT, "");
    sonde_table_column(l.table, "on_request", SONDE_BOOL, "");
    sonde_table_column(l.table, "meaning", SONDE_TEXT, "");
    const int64_t n = l.sized ? cx->prompts[0].tokens.n : 1;
    const sonde_prompt p = l.sized ? context_prompt(cx, 0) : (sonde_prompt){ 0 };
    int64_t target = 1;
    if (l.sized) context_rows(cx, &p, &target);
    return sonde_sites(cx->model, &(sonde_site_query){ *pattern ? pattern : NULL, cx->edits, cx->n_edits, n, target }, put, &l, err);
}

const method method_sites = {
    .name = "sites",
    .summary = "the named places where a run has values",
    .reference = "names and meaning: Nanda and Bloom, TransformerLens, 2022",
    .formula = "axes, outermost first: t position (query), s key position, h head, g key/value head, e head width, d model "
               "width, f MLP width, v vocabulary. shape: of the prompt's length, else t and s as letters. on_request: a wildcard "
               "in the last part of a pattern does not select it. Plans of execution (--edit skip:..) change the list",
    .example = "sites \"The capital of\" --sites \"blocks.0.**\"",
    .params = params,
    .takes = NEEDS_MODEL | TAKES_PROMPT | TAKES_EDITS | TAKES_TWO,
    .run = sites_run,
};
