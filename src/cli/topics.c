/* Pages that belong to no verb: `sonde help TOPIC` prints them, `sonde docs` prints them as Markdown. */
#include "page.h"
#include <string.h>

static sonde_status write_methods(page *p, sonde_error *err) {
    (void)err;
    page_title(p, 1, "Verbs");
    for (size_t i = 0; about_at(i); i++) page_method(p, about_at(i), 2);
    return SONDE_OK;
}

static sonde_status write_options(page *p, sonde_error *err) {
    (void)err;
    arena *a = arena_new();
    page_title(p, 1, "Options");
    page_text(p, "Every verb takes those that apply to it, as --long value or --long=value; -- ends options. Of an "
                 "option given twice the last one counts, but those with .. add up.");
    page_rows(p, "option", "what it is", 22);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const param *o = &option_rows[i].row;
        const char *usual = *o->fallback ? arena_printf(a, "; default %s", o->fallback) : "";
        page_row(p, option_shape(a, o->name, o->type), arena_printf(a, "%s%s", o->help, usual));
    }
    page_rows_end(p);
    page_text(p, "From the environment: SONDE_MODEL (the model), SONDE_MODELS (folders of shipped models), SONDE_ISA "
                 "(scalar, avx2, avx512 or neon: which kernels run), NO_COLOR, COLORFGBG, COLORTERM, COLUMNS, and "
                 "HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME (the Hugging Face cache); for downloads SONDE_HUB, HF_ENDPOINT (the "
                 "Hub), HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE, and the proxies that libcurl knows.");
    arena_free(a);
    return SONDE_OK;
}

static sonde_status write_statuses(page *p, sonde_error *err) {
    (void)err;
    arena *a = arena_new();
    page_title(p, 1, "Exits");
    page_text(p, "An error is one line on stderr: sonde: where: what was found, what was expected.");
    page_rows(p, "exit", "meaning, name in C, status in HTTP", 4);
#define X(name, exit_code, http, text) \
    page_row(p, arena_printf(a, "%d", exit_code), arena_printf(a, "%s, SONDE_%s, %d", text, #name, http));
    SONDE_STATUS_MAP(X)
#undef X
    page_rows_end(p);
    arena_free(a);
    return SONDE_OK;
}

const topic topic_rows[] = {
    { "edits",   "what --edit takes",                       topic_edits,    false },
    { "metrics", "what --metric takes",                   topic_metrics,  false },
    { "sites",   "the places where values exist",           topic_sites,    false },
    { "prompts", "how a prompt is given",                 topic_prompts,  false },
    { "models",  "what -m takes and where it is looked for", topic_models, false },
    { "files",   "which files open, and which do not",   topic_files,    false },
    { "families", "which models run, and which of their options", topic_families, false },
    { "options", "those that many verbs have",            write_options,  false },
    { "exits",   "what the exit status means",              write_statuses, false },
    { "methods", "every verb",                            write_methods,  true },
    { 0 },
};

const topic *topic_find(const char *name) {
    for (const topic *t = topic_rows; t->name; t++)
        if (!strcmp(t->name, name)) return t;
    return NULL;
}
