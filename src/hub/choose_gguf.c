/* One GGUF of several: the files that splits are of one are one, and each is known by the tag that its name ends in. */
#define _GNU_SOURCE
#include "hub_parts.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_SHOWN = 600 };

typedef struct { const char *stem, *label; } group;     /* stem: without -00001-of-00002 and the ending */

bool hub_is_gguf(const char *path) {
    const size_t n = strlen(path);
    return n > 5 && !strcasecmp(path + n - 5, ".gguf");
}

static const char *base_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Projectors of pictures lie beside the model and are none. */
static bool is_model(const char *path) { return hub_is_gguf(path) && strncasecmp(base_of(path), "mmproj", 6) != 0; }

static size_t digits_before(const char *text, size_t end) {
    size_t n = 0;
    while (n < end && text[end - n - 1] >= '0' && text[end - n - 1] <= '9') n++;
    return n;
}

static size_t stem_length(const char *path) {
    const size_t n = strlen(path) - strlen(".gguf");
    const size_t all = digits_before(path, n);
    if (all != 5 || n < all + 4 || memcmp(path + n - all - 4, "-of-", 4) != 0) return n;
    const size_t one = digits_before(path, n - all - 4), at = n - all - 4 - one;
    return one == 5 && at > 0 && path[at - 1] == '-' ? at - 1 : n;
}

static size_t find_groups(const hub *h, arena *brief, group *out) {
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++) {
        const char *path = h->file[i].path;
        if (!is_model(path)) continue;
        const char *stem = arena_printf(brief, "%.*s", (int)stem_length(path), path);
        if (n && !strcmp(out[n - 1].stem, stem)) continue;              /* files are sorted */
        out[n++] = (group){ .stem = stem, .label = base_of(stem) };
    }
    return n;
}

/* What their names have in common in front says nothing: labels begin behind it, at a word. */
static void shorten_labels(group *g, size_t n) {
    if (n < 2) return;
    size_t same = strlen(g[0].label);
    for (size_t i = 1; i < n; i++) {
        size_t k = 0;
        while (k < same && g[i].label[k] && g[i].label[k] == g[0].label[k]) k++;
        same = k;
    }
    while (same > 0 && !strchr("-._", g[0].label[same - 1])) same--;
    for (size_t i = 0; i < n; i++) g[i].label += same;
}

static bool ends_in(const char *stem, const char *tag) {
    const size_t n = strlen(stem), k = strlen(tag);
    return n >= k && !strcasecmp(stem + n - k, tag) && (n == k || strchr("-._/", stem[n - k - 1]));
}

/* A label that is the tag comes before a name that ends in it. */
static size_t count_meant(const group *g, size_t n, const char *tag, const group **meant) {
    size_t whole = 0, ending = 0;
    for (size_t i = 0; i < n; i++)
        if (!strcasecmp(g[i].label, tag) && whole++ == 0) *meant = &g[i];
    for (size_t i = 0; i < n && !whole; i++)
        if (ends_in(g[i].stem, tag) && ending++ == 0) *meant = &g[i];
    return whole ? whole : ending;
}

static sonde_status fail_choice(const hub *h, const group *g, size_t n, arena *brief, sonde_error *err) {
    const char *list = "";
    size_t listed = 0;
    for (; listed < n && strlen(list) < MOST_SHOWN; listed++)
        list = arena_printf(brief, "%s%s:%s", list, listed ? " " : "", name_shown(g[listed].label).text);
    const char *more = listed < n ? arena_printf(brief, " and %zu more", n - listed) : "";
    const char *found = h->name.tag ? arena_printf(brief, ":%s", h->name.tag) : "no choice";
    return sonde_fail(err, SONDE_USAGE, "%s: %s, expected one of its %zu GGUF models behind the name: %s%s", h->name.id, found, n,
                      list, more);
}

static sonde_status choose(hub *h, group *g, arena *brief, sonde_error *err) {
    const size_t n = find_groups(h, brief, g);
    const group *meant = g;
    SONDE_FAIL_IF(n == 0, err, SONDE_NOT_FOUND, "%s: holds no GGUF model", h->name.id);
    shorten_labels(g, n);
    const size_t k = h->name.tag ? count_meant(g, n, h->name.tag, &meant) : n;
    if (k != 1) return fail_choice(h, g, n, brief, err);
    for (size_t i = 0; i < h->n; i++) {
        const char *path = h->file[i].path;
        if (is_model(path) && stem_length(path) == strlen(meant->stem) && !strncmp(path, meant->stem, strlen(meant->stem)))
            h->file[i].chosen = true;
    }
    return SONDE_OK;
}

sonde_status hub_choose_gguf(hub *h, sonde_error *err) {
    arena *brief = arena_new();
    group *g = calloc(h->n + 1, sizeof *g);
    if (!g) abort();
    const sonde_status s = choose(h, g, brief, err);
    free(g);
    arena_free(brief);
    return s;
}
