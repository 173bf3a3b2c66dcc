/* markup.h - is a page or an SVG well formed, harmless and plain? A walker over tags, quotes and entities. */
#ifndef TEST_MARKUP_H
#define TEST_MARKUP_H
#include "test.h"
#include "base/text.h"
#include <stdlib.h>

typedef struct { const char *at, *end; char open[64][24]; int depth; bool html; } walker;

static bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
                              || strchr("-:_", c); }

/* Valid UTF-8 without control characters, direction marks and what has no ink. */
static void check_bytes(const char *text, size_t n) {
    CHECK(!memchr(text, 0, n));
    for (size_t i = 0; i < n;) {
        uint32_t c;
        const size_t step = utf8_next(text + i, n - i, &c);
        if (!step) FAIL_("broken UTF-8 at %zu: %.40s", i, text + i);
        const bool bad = (c < ' ' && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f)
                      || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
        if (bad) FAIL_("U+%04X at %zu", c, i);
        i += step;
    }
}

static void check_entity(walker *w) {
    const char *from = w->at++;
    while (w->at < w->end && *w->at != ';' && w->at - from < 10) w->at++;
    static const char *const known[] = { "&amp", "&lt", "&gt", "&quot", "&#39", "&#10" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (*w->at == ';' && strlen(known[i]) == (size_t)(w->at - from) && strncmp(from, known[i],
                strlen(known[i])) == 0) return;
    FAIL_("a bare &: %.30s", from);
}

static void check_attribute(walker *w, char *name) {
    size_t n = 0;
    while (is_name(*w->at) && n < 30) name[n++] = *w->at++;
    name[n] = '\0';
    if (!n) FAIL_("no attribute: %.40s", w->at);
    CHECK(strncmp(name, "on", 2) != 0 && strcmp(name, "src") != 0 && strcmp(name, "srcset") != 0);
    if (*w->at != '=') { CHECK(w->html); return; }      /* hidden */
    CHECK(*++w->at == '"');
    const char *from = ++w->at;
    for (; *w->at != '"'; w->at++) {
        CHECK(w->at < w->end && *w->at != '<' && *w->at != '\n');
        if (*w->at == '&') check_entity(w);
    }
    w->at++;
    if (strcmp(name, "href") == 0 && w->html) CHECK(*from == '#');
}

static void check_closed(walker *w) {
    char name[24] = "";
    size_t n = 0;
    while (is_name(*w->at) && n < 23) name[n++] = *w->at++;
    CHECK(*w->at++ == '>');
    if (!w->depth || strcmp(w->open[w->depth - 1], name) != 0)
        FAIL_("</%s> closes %s: %.80s", name, w->depth ? w->open[w->depth - 1] : "nothing", w->at);
    w->depth--;
}

static void check_opened(walker *w) {
    static const char *const tags = " html head meta title style body h1 h2 dl dt dd ul li div span p figure svg g text rect line "
        "circle polyline "
        "polygon canvas details summary a table thead tbody tr th td button script ";
    char name[24] = "", attribute[32], spaced[32];
    size_t n = 0;
    while (is_name(*w->at) && n < 23) name[n++] = *w->at++;
    snprintf(spaced, sizeof spaced, " %s ", name);
    if (!n || (w->html && !strstr(tags, spaced))) FAIL_("a tag <%s: %.60s", name, w->at);
    while (*w->at == ' ') {
        w->at++;
        if (*w->at != '/' && *w->at != '>') check_attribute(w, attribute);
    }
    const bool single = *w->at == '/';
    if (single) w->at++;
    CHECK(*w->at++ == '>');
    if (single || (w->html && strcmp(name, "meta") == 0)) return;
    CHECK(w->depth < 64);
    strcpy(w->open[w->depth++], name);
    if (!w->html || (strcmp(name, "script") != 0 && strcmp(name, "style") != 0)) return;
    char close[32];
    snprintf(close, sizeof close, "</%s", name);
    const char *end = strstr(w->at, close);
    CHECK(end);
    const char *quiet = strstr(w->at, "<!--");
    CHECK(!quiet || quiet > end);
    w->at = end;
}

/* `html`: the tags, attributes and links our page may have, and no others. */
static void check_markup(const char *text, size_t n, bool html) {
    check_bytes(text, n);
    walker w = { .at = text, .end = text + n, .html = html };
    while (w.at < w.end) {
        if (*w.at == '&') { check_entity(&w); w.at++; continue; }
        if (*w.at != '<') { w.at++; continue; }
        w.at++;
        if (*w.at == '!' || *w.at == '?') { w.at = strchr(w.at, '>') + 1; continue; }
        if (*w.at == '/') { w.at++; check_closed(&w); }
        else check_opened(&w);
    }
    CHECK_EQ(w.depth, 0);
    if (html) CHECK(!strstr(text, "http:") && !strstr(text, "https:"));
}
#endif
