/* A pull: the commit, its files, those that are fetched; their blobs, then the links to them, then the name of the commit.
 * So a snapshot that a name leads to is whole. */
#include "hub_parts.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

static const char usual_base[] = "https://huggingface.co";
enum { STALL_SECONDS = 60 };

typedef struct { sonde_pulled shown; arena *memory; } pulled;

/* models--ORG--NAME */
static const char *folder_name(arena *into, const char *id) {
    const char *slash = strchr(id, '/');
    return slash ? arena_printf(into, "models--%.*s--%s", (int)(slash - id), id, slash + 1) : arena_printf(into, "models--%s", id);
}

static sonde_status begin(hub *h, const char *name, sonde_error *err) {
    const sonde_pull_options *o = h->o;
    SONDE_FAIL_IF(!hub_name_read(&h->name, h->memory, name), err, SONDE_USAGE, "\"%s\" is no name on a Hub, expected org/name or name, "
                  "perhaps with @revision and :TAG", name_shown(name).text);
    SONDE_FAIL_IF(!o->cache || !*o->cache, err, SONDE_USAGE, "no folder for the cache, expected HF_HUB_CACHE or HOME to be set");
    SONDE_FAIL_IF(o->offline, err, SONDE_NOT_FOUND, "%s: HF_HUB_OFFLINE is set, nothing is fetched", h->name.id);
    const char *base = o->base && *o->base ? o->base : usual_base;
    size_t n = strlen(base);
    while (n > 0 && base[n - 1] == '/') n--;
    h->base = arena_printf(h->memory, "%.*s", (int)n, base);
    h->folder = arena_printf(h->memory, "%s/%s", o->cache, folder_name(h->memory, h->name.id));
    h->locks = arena_printf(h->memory, "%s/.locks/%s", o->cache, folder_name(h->memory, h->name.id));
    const fetch_options how = { .base = h->base, .token = o->token && *o->token ? o->token : NULL, .stop = o->stop, .user = o->user,
                                .stall_seconds = o->stall_seconds > 0 ? o->stall_seconds : STALL_SECONDS };
    return fetch_new(&h->f, how, err);
}

static void find_cached(hub *h) {
    for (size_t i = 0; i < h->n; i++) {
        hub_file *x = &h->file[i];
        if (!x->chosen) continue;
        x->etag = cache_snapshot_has(h, x);
        x->state = x->etag ? "cached" : "absent";
        if (!x->etag) h->all += x->size;
    }
}

static bool is_absent(const hub_file *x) { return x->chosen && !strcmp(x->state, "absent"); }

static sonde_status fetch_all(hub *h, sonde_error *err) {
    bool *linked = calloc(h->n, sizeof *linked);        /* those that have a link already */
    if (!linked) abort();
    sonde_status s = SONDE_OK;
    for (size_t i = 0; i < h->n; i++) linked[i] = !is_absent(&h->file[i]);
    for (size_t i = 0; i < h->n && s == SONDE_OK; i++)
        if (!linked[i]) s = hub_fetch_blob(h, &h->file[i], err);
    for (size_t i = 0; i < h->n && s == SONDE_OK; i++)
        if (!linked[i]) s = cache_link(h, &h->file[i], err);
    free(linked);
    return s == SONDE_OK ? cache_ref(h, err) : s;
}

static sonde_status pull(hub *h, const char *name, sonde_error *err) {
    SONDE_TRY(begin(h, name, err));
    SONDE_TRY(hub_resolve(h, err));
    SONDE_TRY(hub_list(h, err));
    SONDE_TRY(hub_choose(h, err));
    find_cached(h);
    if (!h->o->dry_run) return fetch_all(h, err);
    for (size_t i = 0; i < h->n; i++)
        if (is_absent(&h->file[i])) h->file[i].etag = h->file[i].oid;
    return SONDE_OK;
}

static sonde_pulled *answer_of(const hub *h) {
    pulled *p = arena_alloc(h->memory, sizeof *p);
    sonde_pulled_file *file = arena_new_array(h->memory, sonde_pulled_file, h->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++) {
        const hub_file *x = &h->file[i];
        if (x->chosen) file[n++] = (sonde_pulled_file){ x->path, x->size, x->etag ? x->etag : "", x->state };
    }
    p->memory = h->memory;
    p->shown = (sonde_pulled){ .model = h->name.id, .revision = h->name.revision, .commit = h->commit, .file = file, .n = n,
                               .folder = arena_printf(h->memory, "%s/snapshots/%s", h->folder, h->commit) };
    return &p->shown;
}

sonde_status sonde_pull(sonde_pulled **out, const char *name, const sonde_pull_options *o, sonde_error *err) {
    hub h = { .o = o, .memory = arena_new() };
    *out = NULL;
    const sonde_status s = pull(&h, name, err);
    fetch_free(h.f);
    if (s == SONDE_OK) *out = answer_of(&h);
    else arena_free(h.memory);
    return s;
}

void sonde_pulled_free(sonde_pulled *p) {
    if (p) arena_free(((pulled *)p)->memory);
}
