#define _GNU_SOURCE
#include "gguf_name.h"
#include <string.h>
#include <strings.h>

static const char ending[] = ".gguf";
enum { ENDING = sizeof ending - 1, SPLIT_DIGITS = 5 };

bool gguf_is(const char *path) {
    const size_t n = strlen(path);
    return n > ENDING && !strcasecmp(path + n - ENDING, ending);
}

static const char *base_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool gguf_is_model(const char *path) { return gguf_is(path) && strncasecmp(base_of(path), "mmproj", 6) != 0; }

static size_t digits_before(const char *text, size_t end) {
    size_t n = 0;
    while (n < end && text[end - n - 1] >= '0' && text[end - n - 1] <= '9') n++;
    return n;
}

static size_t stem_length(const char *path) {
    const size_t n = strlen(path) - ENDING;
    const size_t all = digits_before(path, n);
    if (all != SPLIT_DIGITS || n < all + 4 || memcmp(path + n - all - 4, "-of-", 4) != 0) return n;
    const size_t one = digits_before(path, n - all - 4), at = n - all - 4 - one;
    return one == SPLIT_DIGITS && at > 0 && path[at - 1] == '-' ? at - 1 : n;
}

/* What the names have in common in front says nothing: labels begin behind it, at a word. */
static void shorten_labels(gguf_group *g, size_t n) {
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

size_t gguf_groups(const char *const *path, size_t n, arena *into, gguf_group *out) {
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (!gguf_is_model(path[i]) || (k && gguf_is_of(path[i], &out[k - 1]))) continue;
        const char *stem = arena_printf(into, "%.*s", (int)stem_length(path[i]), path[i]);
        out[k++] = (gguf_group){ .stem = stem, .label = base_of(stem) };
    }
    shorten_labels(out, k);
    return k;
}

bool gguf_is_of(const char *path, const gguf_group *g) {
    const size_t n = strlen(g->stem);
    return gguf_is_model(path) && stem_length(path) == n && !strncmp(path, g->stem, n);
}

static bool ends_in(const char *stem, const char *tag) {
    const size_t n = strlen(stem), k = strlen(tag);
    return n >= k && !strcasecmp(stem + n - k, tag) && (n == k || strchr("-._/", stem[n - k - 1]));
}

size_t gguf_meant(const gguf_group *g, size_t n, const char *tag, size_t *which) {
    size_t whole = 0, part = 0;
    for (size_t i = 0; i < n; i++)
        if (!strcasecmp(g[i].label, tag) && whole++ == 0) *which = i;
    for (size_t i = 0; i < n && !whole; i++)
        if (ends_in(g[i].stem, tag) && part++ == 0) *which = i;
    return whole ? whole : part;
}
