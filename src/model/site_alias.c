/* Short names of TransformerLens (get_act_name) and names of llama.cpp's graph, as aliases: exact, never substrings. */
#include "site_names.h"
#include <string.h>

typedef enum { STYLE_SHORT, STYLE_NORM, STYLE_LLAMA, STYLE_WHOLE, STYLE_GRAPH } alias_style;
typedef struct { alias_style style; const char *word, *part, *site; } alias_row;

static const alias_row rows[] = {
#define SHORT(word, part, site) { STYLE_SHORT, word, part, site },
#define NORM(word, part, site)  { STYLE_NORM, word, part, site },
#define LLAMA(word, site)       { STYLE_LLAMA, word, "", site },
#define WHOLE(word, site)       { STYLE_WHOLE, word, "", site },
#define GRAPH(word, site)       { STYLE_GRAPH, word, "", site },
#include "site_alias.def"
#undef SHORT
#undef NORM
#undef LLAMA
#undef WHOLE
#undef GRAPH
};
enum { ROWS = sizeof rows / sizeof *rows };

/* What TransformerLens takes for the part that a short name lies in. */
static const struct { const char *part, *word; } part_words[] = {
    { "attn", "a" }, { "attn", "attn" }, { "attn", "attention" }, { "mlp", "m" }, { "mlp", "mlp" },
    { "", "b" }, { "", "block" }, { "", "blocks" },
};

static bool part_word_fits(const char *part, const char *word) {
    if (!*word) return true;
    for (size_t i = 0; i < sizeof part_words / sizeof *part_words; i++)
        if (strcmp(part_words[i].part, part) == 0 && strcmp(part_words[i].word, word) == 0) return true;
    return false;
}

static bool same(const char *row_text, const char *text, size_t len) {
    return strlen(row_text) == len && memcmp(row_text, text, len) == 0;
}

/* The first of "a|b" that the architecture has; NULL: none. */
static const char *site_of(const arch_config *c, const char *names) {
    while (*names) {
        const size_t len = strcspn(names, "|");
        for (int i = 0; i < SITE_COUNT; i++)
            if ((site_exists(c, (site_id)i) || (c->encoder && site_exists(c->encoder, (site_id)i))) && same(site_rows[i].name, names, len)) return site_rows[i].name;
        names += len + (names[len] == '|');
    }
    return NULL;
}

typedef struct { size_t word; const char *digits; size_t n_digits; const char *rest; } alias_parts;

/* WORD, digits, rest; a hyphen behind the word belongs to llama.cpp's style, in which a star may stand for the digits. */
static alias_parts split(const char *name, bool hyphen) {
    alias_parts p = { .word = strcspn(name, "-.0123456789") };
    hyphen = hyphen && name[p.word] == '-';
    p.digits = name + p.word + hyphen;
    p.n_digits = hyphen && *p.digits == '*' ? 1 : strspn(p.digits, "0123456789");
    p.rest = p.digits + p.n_digits;
    return p;
}

static bool row_fits(const alias_row *row, const char *name) {
    const alias_parts p = split(name, row->style == STYLE_LLAMA);
    if (!same(row->word, name, p.word)) return false;
    switch (row->style) {
    case STYLE_GRAPH:
    case STYLE_WHOLE: return name[p.word] == '\0';
    case STYLE_LLAMA: return name[p.word] == '\0' || (name[p.word] == '-' && p.n_digits && !*p.rest);
    case STYLE_NORM:  return p.n_digits && strcmp(p.rest, row->part) == 0;
    case STYLE_SHORT: return p.n_digits ? part_word_fits(row->part, p.rest) : name[p.word] == '\0';
    }
    return false;
}

const char *site_alias(arena *a, const arch_config *c, const char *name) {
    for (int i = 0; i < ROWS; i++) {
        if (!row_fits(&rows[i], name)) continue;
        const char *site = site_of(c, rows[i].site);
        const alias_parts p = split(name, rows[i].style == STYLE_LLAMA);
        if (!site || (p.n_digits && c->encoder)) return NULL;       /* of two blocks of that number none is meant */
        return p.n_digits ? arena_printf(a, "blocks.%.*s.%s", (int)p.n_digits, p.digits, site) : site;
    }
    return NULL;
}

const char *site_graph_name(arena *a, const arch_config *c, const char *site, int block) {
    for (int i = 0; i < ROWS && !c->encoder; i++) {
        if (rows[i].style != STYLE_LLAMA && rows[i].style != STYLE_GRAPH) continue;
        const char *meant = site_of(c, rows[i].site);
        if (!meant || strcmp(meant, site) != 0) continue;
        return rows[i].style == STYLE_LLAMA ? arena_printf(a, "%s-%d", rows[i].word, block) : rows[i].word;
    }
    return NULL;
}

size_t site_alias_words(arena *a, const char *const **out) {
    const char **words = arena_new_array(a, const char *, ROWS);
    size_t n = 0;
    for (int i = 0; i < ROWS; i++)
        if (rows[i].style != STYLE_NORM) words[n++] = rows[i].word;
    *out = words;
    return n;
}
