/* The same row as data: sonde VERB --help --json. */
#include "cli.h"
#include "base/json.h"
#include <string.h>

static void put_text(arena *a, FILE *to, const char *name, const char *text) {
    fprintf(to, "\"%s\":%s", name, text ? json_quote(a, text, strlen(text)) : "null");
}

static void put_row(arena *a, FILE *to, const param *p) {
    const bool number = p->type == PARAM_INT || p->type == PARAM_REAL;
    const char letter = option_letter(p->name), word[2] = { letter, 0 };
    fputs("{", to);
    put_text(a, to, "name", p->name);
    fputs(",", to);
    put_text(a, to, "short", letter ? word : NULL);
    fputs(",", to);
    put_text(a, to, "type", param_type_name(p->type));
    fprintf(to, ",\"required\":%s,", p->fallback ? "false" : "true");
    put_text(a, to, "default", p->fallback && *p->fallback ? p->fallback : NULL);
    if (number) fprintf(to, ",\"min\":%.17g,\"max\":%.17g", p->min, p->max);
    fputs(",", to);
    put_text(a, to, "help", p->help);
    fputs("}", to);
}

static void put_takes(FILE *to, const method *m) {
    static const struct { int bit; const char *name; } rows[] = {
        { NEEDS_MODEL, "model" }, { NEEDS_PROMPT, "prompt" }, { TAKES_PROMPT, "prompt_if_given" },
        { MANY_PROMPTS, "prompts" }, { TAKES_EDITS, "edits" }, { WRITES_OUT, "writes_out" },
        { TAKES_TEXT, "documents_if_given" }, { NEEDS_TEXT, "documents" }, { KEEPS_CELLS, "keeps_cells" },
    };
    const char *between = "";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!(m->takes & rows[i].bit)) continue;
        fprintf(to, "%s\"%s\"", between, rows[i].name);
        between = ",";
    }
}

void help_json_overview(FILE *to) {
    arena *a = arena_new();
    fprintf(to, "{\"sonde\":\"%s\",\"verbs\":[", sonde_version());
    for (size_t i = 0; about_at(i); i++) {
        fputs(i ? ",\n{" : "{", to);
        put_text(a, to, "name", about_at(i)->name);
        fputs(",", to);
        put_text(a, to, "summary", about_at(i)->summary);
        fputs("}", to);
    }
    fputs("]}\n", to);
    arena_free(a);
}

void help_json(const method *m, FILE *to) {
    static const sonde_status all[] = {
#define X(name, exit_code, http, text) SONDE_##name,
        SONDE_STATUS_MAP(X)
#undef X
    };
    const char *between = "";
    arena *a = arena_new();
    fputs("{", to);
    const struct { const char *name, *text; } texts[] = {
        { "name", m->name }, { "summary", m->summary }, { "formula", m->formula }, { "reference", m->reference },
        { "example", m->example ? arena_printf(a, "sonde %s", m->example) : NULL },
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put_text(a, to, texts[i].name, texts[i].text);
        fputs(",\n", to);
    }
    fputs("\"takes\":[", to);
    put_takes(to, m);
    fputs("],\n\"params\":[", to);
    for (const param *p = m->params; p && p->name; p++, between = ",\n") {
        fputs(between, to);
        put_row(a, to, p);
    }
    fputs("],\n\"options\":[", to);
    between = "";
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (!option_applies(m, &option_rows[i])) continue;
        fputs(between, to);
        put_row(a, to, &option_rows[i].row);
        between = ",\n";
    }
    fputs("],\n\"exits\":[", to);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        fprintf(to, "%s{\"exit\":%d,\"http\":%d,\"text\":\"%s\"}", i ? "," : "", sonde_status_exit_code(all[i]),
                sonde_status_http(all[i]), sonde_status_text(all[i]));
    fputs("]}\n", to);
    arena_free(a);
}
