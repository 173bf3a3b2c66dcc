#define _GNU_SOURCE
#include "locate.h"
#include "embedded.h"
#include "base/file.h"
#include "base/gguf_name.h"
#include "base/text.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { NEAREST = 3 };

static bool holds_config(arena *a, const char *folder) {
    return file_exists(arena_printf(a, "%s/config.json", folder)) || file_exists(arena_printf(a, "%s/params.json", folder));
}

/* The next entry of a list separated by ':', as a copy; NULL at its end. Empty entries are passed over. */
static const char *next_folder(arena *a, const char **list) {
    while (*list && **list == ':') ++*list;
    if (!*list || !**list) return NULL;
    const size_t n = strcspn(*list, ":");
    const char *folder = arena_printf(a, "%.*s", (int)n, *list);
    *list += n;
    return folder;
}

typedef struct { const char **name; size_t n, cap; } names;

static void add_name(arena *a, names *x, const char *name) {
    for (size_t i = 0; i < x->n; i++)
        if (strcmp(x->name[i], name) == 0) return;
    if (x->n == x->cap) {
        const char **more = arena_new_array(a, const char *, 2 * x->cap + 8);
        if (x->n) memcpy(more, x->name, x->n * sizeof *more);
        x->name = more;
        x->cap = 2 * x->cap + 8;
    }
    x->name[x->n++] = arena_printf(a, "%s", name);
}

static void add_gguf(arena *a, names *x, const char *folder, int deep) {
    DIR *d = opendir(folder);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d)) != NULL; ) {
        const char *path = arena_printf(a, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.') continue;
        if (gguf_is(path) && file_exists(path)) add_name(a, x, path);
        else if (deep > 0 && folder_exists(path)) add_gguf(a, x, path, deep - 1);
    }
    closedir(d);
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void add_folder(arena *a, names *x, const char *folder) {
    DIR *d = opendir(folder);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d)) != NULL; )
        if (e->d_name[0] != '.' && holds_config(a, arena_printf(a, "%s/%s", folder, e->d_name)))
            add_name(a, x, e->d_name);
    closedir(d);
}

size_t model_shipped(const sonde_model_search *search, arena *into, const char *const **out) {
    names x = { 0 };
    add_name(into, &x, EMBEDDED_MODEL);
    const char *list = search ? search->shipped : NULL;
    for (const char *folder; (folder = next_folder(into, &list)) != NULL; ) add_folder(into, &x, folder);
    qsort(x.name, x.n, sizeof *x.name, by_text);
    *out = x.name;
    return x.n;
}

static bool all_of(const char *text, size_t n, const char *others) {
    for (size_t i = 0; i < n; i++) {
        const char c = text[i];
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == 0 || !strchr(others, c))) return false;
    }
    return n > 0 && text[0] != '.' && text[0] != '-' && text[0] != '/' && text[n - 1] != '/' &&
           !memmem(text, n, "..", 2);
}

/* name, org/name, either with @rev and :TAG: words that are safe in a path and on a command line. */
static bool is_hub_name(const char *name) {
    const size_t n = strcspn(name, "@:");
    const char *at = name[n] == '@' ? name + n : NULL, *tag = strchr(name + n, ':');
    const char *slash = memchr(name, '/', n);
    const size_t first = slash ? (size_t)(slash - name) : n;
    return all_of(name, first, "._-") && (!slash || all_of(slash + 1, n - first - 1, "._-")) &&
           (!at || all_of(at + 1, strcspn(at + 1, ":"), "._-/")) && (!tag || all_of(tag + 1, strlen(tag + 1), "._-"));
}

static bool is_path(arena *a, const char *name) {
    return file_exists(name) || (folder_exists(name) && (strchr(name, '/') || holds_config(a, name)));
}

static void take_folder(located *out, arena *a, const char *folder, const char *label) {
    out->folder = out->weights = folder;
    out->label = arena_printf(a, "%s", name_shown(label).text);
}

static void take_path(located *out, arena *a, const char *path) {
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    const char *whole = arena_printf(a, "%.*s", (int)n, path);
    if (folder_exists(whole)) {
        take_folder(out, a, whole, whole);
        return;
    }
    const char *slash = strrchr(whole, '/');
    const char *folder = slash ? arena_printf(a, "%.*s", slash == whole ? 1 : (int)(slash - whole), whole) : ".";
    take_folder(out, a, folder, folder);
    out->weights = whole;
}

static bool find_shipped(located *out, arena *a, const char *name, const sonde_model_search *search) {
    if (strchr(name, '/') || name[0] == '.' || !*name) return false;
    const char *list = search ? search->shipped : NULL;
    for (const char *folder; (folder = next_folder(a, &list)) != NULL; ) {
        const char *model = arena_printf(a, "%s/%s", folder, name);
        if (!holds_config(a, model)) continue;
        take_folder(out, a, model, name);
        return true;
    }
    out->embedded = strcmp(name, EMBEDDED_MODEL) == 0;
    if (out->embedded) out->label = EMBEDDED_MODEL;
    return out->embedded;
}

/* The commit that refs/REV names, else REV itself; NULL if the file is no word. */
static const char *commit_of(arena *a, const char *cache, const char *rev) {
    file_map f;
    if (file_map_open(&f, arena_printf(a, "%s/refs/%s", cache, rev), NULL) != SONDE_OK) return rev;
    size_t n = f.size < 128 ? f.size : 128;
    while (n > 0 && strchr(" \r\n", f.data[n - 1])) n--;
    const char *commit = all_of((const char *)f.data, n, "_-")
        ? arena_printf(a, "%.*s", (int)n, (const char *)f.data) : NULL;
    file_map_close(&f);
    return commit;
}

/* The GGUF file, the first of its splits, that the tag means; it may lie in a folder of the snapshot. */
static bool take_tagged(located *out, arena *a, const char *folder, const char *tag) {
    names x = { 0 };
    add_gguf(a, &x, folder, 1);
    if (x.n == 0) return false;
    qsort(x.name, x.n, sizeof *x.name, by_text);
    gguf_group *g = arena_new_array(a, gguf_group, x.n);
    size_t which;
    const size_t n = gguf_groups(x.name, x.n, a, g);
    if (gguf_meant(g, n, tag, &which) != 1) return false;
    for (size_t i = 0; i < x.n; i++) {
        if (!gguf_is_of(x.name[i], &g[which])) continue;
        out->weights = x.name[i];
        out->folder = arena_printf(a, "%.*s", (int)(strrchr(x.name[i], '/') - x.name[i]), x.name[i]);
        return true;
    }
    return false;
}

static bool find_cached(located *out, arena *a, const char *name, const char *hub) {
    if (!hub || !*hub || !is_hub_name(name)) return false;
    const int n = (int)strcspn(name, "@:");
    const char *tag = strchr(name + n, ':');
    const char *rev = name[n] == '@' ? arena_printf(a, "%.*s", (int)strcspn(name + n + 1, ":"), name + n + 1) : "main";
    const char *slash = memchr(name, '/', (size_t)n);
    const int first = (int)(slash ? slash - name : n);
    const char *cache = slash
        ? arena_printf(a, "%s/models--%.*s--%.*s", hub, first, name, n - first - 1, slash + 1)
        : arena_printf(a, "%s/models--%.*s", hub, n, name);
    if (!folder_exists(cache)) return false;
    const char *commit = commit_of(a, cache, rev);
    if (!commit) return false;
    const char *folder = arena_printf(a, "%s/snapshots/%s", cache, commit);
    if (!folder_exists(folder)) return false;
    take_folder(out, a, folder, name);
    return !tag || take_tagged(out, a, folder, tag + 1);
}

static sonde_status fail_unknown(const char *name, const sonde_model_search *search, arena *a, sonde_error *err) {
    const char *const *shipped;
    const size_t n = model_shipped(search, a, &shipped);
    size_t near[NEAREST];
    const size_t k = nearest(name, shipped, n, near, NEAREST);
    const char *list = "";
    for (size_t i = 0; i < k; i++)
        list = arena_printf(a, "%s%s%s", list, i ? ", " : "", name_shown(shipped[near[i]]).text);
    const char *pull = is_hub_name(name) ? arena_printf(a, "; \"sonde pull %s\" would fetch it", name) : "";
    return sonde_fail(err, SONDE_NOT_FOUND, "%s: no such model, nearest shipped: %s%s", name_shown(name).text, list,
                      pull);
}

sonde_status model_locate(located *out, const char *name, const sonde_model_search *search, arena *into,
                          sonde_error *err) {
    *out = (located){ .name = arena_printf(into, "%s", name ? name : EMBEDDED_MODEL),
                      .tokenizer = search ? search->tokenizer : NULL };
    if (name && is_path(into, name)) {
        take_path(out, into, name);
        return SONDE_OK;
    }
    if (find_shipped(out, into, out->name, search)) return SONDE_OK;
    if (find_cached(out, into, out->name, search ? search->hub : NULL)) return SONDE_OK;
    if (name && folder_exists(name)) {          /* it was meant: opening it says what it lacks */
        take_path(out, into, name);
        return SONDE_OK;
    }
    return fail_unknown(out->name, search, into, err);
}
