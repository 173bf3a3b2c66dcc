/* Help of a verb, from its row. */
#include "page.h"
#include <string.h>

const char *param_type_name(param_type t) {
    static const char *const names[] = {
        [PARAM_TEXT] = "text", [PARAM_INT] = "int", [PARAM_REAL] = "real", [PARAM_SITE] = "site",
        [PARAM_LAYERS] = "layers", [PARAM_NUMBERS] = "numbers", [PARAM_FLAG] = "flag", [PARAM_LIST] = "list",
        [PARAM_PROMPTS] = "prompts", [PARAM_PAIR] = "text", [PARAM_FILE] = "file",
    };
    return names[t];
}

const char *option_shape(arena *into, const char *name, param_type type) {
    static const char *const values[] = {
        [PARAM_TEXT] = " TEXT", [PARAM_INT] = " N", [PARAM_REAL] = " X", [PARAM_SITE] = " SITE",
        [PARAM_LAYERS] = " LAYERS", [PARAM_NUMBERS] = " NUMBERS", [PARAM_FLAG] = "", [PARAM_LIST] = " TEXT ..",
        [PARAM_PROMPTS] = " FILE ..", [PARAM_PAIR] = " TEXT", [PARAM_FILE] = " FILE",
    };
    const char letter = option_letter(name);
    const bool alone = letter && !name[1];
    if (alone) return arena_printf(into, "-%c%s", letter, values[type]);
    return letter ? arena_printf(into, "-%c, --%s%s", letter, name, values[type])
                  : arena_printf(into, "--%s%s", name, values[type]);
}

static void put_row(page *p, arena *a, const param *row) {
    const char *limits = "", *usual = "";
    const bool number = row->type == PARAM_INT || row->type == PARAM_REAL;
    if (number && row->max < 1e15) limits = arena_printf(a, "; %.10g to %.10g", row->min, row->max);
    if (!row->fallback) usual = "; required";
    else if (*row->fallback) usual = arena_printf(a, "; default %s", row->fallback);
    page_row(p, option_shape(a, row->name, row->type), arena_printf(a, "%s%s%s", row->help, limits, usual));
}

static const char *synopsis(arena *a, const method *m) {
    const char *text = arena_printf(a, "sonde %s%s", m->name, m->takes & NEEDS_MODEL ? " [-m MODEL]" : "");
    const bool prompt = m->takes & (NEEDS_PROMPT | TAKES_PROMPT);
    const verb *v = verb_find(m->name);
    const bool either = m->takes & NEEDS_PROMPT && m->takes & TAKES_TEXT;
    if (prompt) text = arena_printf(a, "%s %s", text, either ? "PROMPT|--text FILE" : m->takes & NEEDS_PROMPT ? "PROMPT" : "[PROMPT]");
    else if (m->takes & NEEDS_TEXT) text = arena_printf(a, "%s --text FILE", text);
    for (int i = 0; m->params && m->params[i].name; i++) {
        const bool required = !m->params[i].fallback;
        const bool list = !v && !prompt && i == 0 && m->params[i].type == PARAM_LIST;
        if (list) text = arena_printf(a, "%s [%s ..]", text, m->params[i].name);
        else if (v && i < v->words) text = arena_printf(a, "%s [%s]", text, m->params[i].name);
        else if (required && prompt) text = arena_printf(a, "%s --%s ..", text, m->params[i].name);
        else if (required) text = arena_printf(a, "%s %s", text, m->params[i].name);
    }
    return arena_printf(a, "%s [options]", text);
}

static void put_part(page *p, int level, const char *title, const char *text) {
    if (!text) return;
    page_title(p, level, title);
    page_text(p, text);
}

static void put_params(page *p, arena *a, const method *m, int level) {
    if (m->params && m->params[0].name) {
        page_title(p, level, "Parameters");
        page_rows(p, "parameter", "what it is", 22);
        for (const param *row = m->params; row->name; row++) put_row(p, a, row);
        page_rows_end(p);
    }
    if (p->markdown) return;                    /* options have a page of their own */
    page_title(p, level, "Options");
    page_rows(p, "option", "what it is", 22);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (option_applies(m, &option_rows[i])) put_row(p, a, &option_rows[i].row);
    page_rows_end(p);
}

static void put_exits(page *p, arena *a) {
    static const sonde_status all[] = {
#define X(name, exit_code, http, text) SONDE_##name,
        SONDE_STATUS_MAP(X)
#undef X
    };
    const char *text = "";
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        text = arena_printf(a, "%s%s%d %s", text, i ? ", " : "", sonde_status_exit_code(all[i]),
                            sonde_status_text(all[i]));
    put_part(p, 3, "Exits", text);
}

sonde_status page_method(page *p, const method *m, int level) {
    arena *a = arena_new();
    const int part = p->markdown ? level + 1 : 3;
    page_title(p, level, p->markdown ? m->name : arena_printf(a, "sonde %s - %s", m->name, m->summary));
    if (p->markdown) page_text(p, m->summary);
    page_code(p, synopsis(a, m));
    put_params(p, a, m, part);
    put_part(p, part, "Numbers", m->formula);
    put_part(p, part, "Source", m->reference);
    if (m->example) {
        page_title(p, part, "Example");
        page_code(p, arena_printf(a, "sonde %s", m->example));
    }
    if (!p->markdown) put_exits(p, a);
    arena_free(a);
    return SONDE_OK;
}

sonde_status help_about(const method *about, bool json, sonde_error *err) {
    page p = page_of(stdout, false);
    if (json) help_json(about, stdout);
    else page_method(&p, about, 1);
    return output_flush(err);
}

void help_overview(FILE *to) {
    page p = page_of(to, false);
    fprintf(to, "sonde %s - look inside transformer language models\n\n", sonde_version());
    page_code(&p, "sonde VERB [-m MODEL] [PROMPT] [options]");
    page_rows(&p, "verb", "what it does", 12);
    for (size_t i = 0; about_at(i); i++) page_row(&p, about_at(i)->name, about_at(i)->summary);
    fputs("\nMore:\n\n", to);
    page_row(&p, "help VERB", "its parameters, what every number means, and an example that works");
    for (const topic *t = topic_rows; t->name; t++)
        if (!t->docs_only) {
            char left[32];
            snprintf(left, sizeof left, "help %s", t->name);
            page_row(&p, left, t->summary);
        }
}
