/* What the Hub has: the commit that a revision is, and the files of that commit. */
#include "hub_parts.h"
#include "base/json.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_ANSWER = 16 << 20, MOST_JSON = 64 << 20, MOST_FILES = 1000000, MOST_PATH = 1024, MOST_COMMIT = 64 };

typedef struct { char *at; size_t n, room; size_t left; bool too_much; } body;      /* left: of what all may hold together */

static bool take_body(void *user, const fetch_answer *a, const void *bytes, size_t n) {
    (void)a;
    body *b = user;
    b->too_much = n > MOST_ANSWER - b->n || n > b->left - b->n;
    if (b->too_much) return false;
    if (b->n + n > b->room) {
        b->room = 2 * (b->n + n);
        b->at = realloc(b->at, b->room);
        if (!b->at) abort();
    }
    memcpy(b->at + b->n, bytes, n);
    b->n += n;
    return true;
}

/* One answer of the API; a try that was cut off leaves nothing behind. */
static sonde_status ask_json(hub *h, const char *url, body *b, arena *into, fetch_answer *a, sonde_error *err) {
    const fetch_request r = { .url = url, .sink = take_body, .user = b };
    hub_retry retry = { 0 };
    for (;;) {
        b->n = 0;
        const sonde_status s = fetch_do(h->f, &r, into, a, err);
        SONDE_FAIL_IF(b->too_much, err, SONDE_FORMAT, "%s: is longer than %d MB, or all lists together than %d MB",
                      name_shown(url).text, MOST_ANSWER >> 20, MOST_JSON >> 20);
        if (s != SONDE_OK && !a->again) return s;
        if (s == SONDE_OK && !hub_may_pass(a->status)) break;
        if (s == SONDE_OK) hub_refuse(h, a, false, err);
        SONDE_TRY(hub_wait(h, &retry, a, err));
    }
    if (a->status != 200 && !a->next) return hub_refuse(h, a, false, err);
    SONDE_FAIL_IF(a->next, err, SONDE_IO, "%s: redirects to another host, %s", name_shown(url).text,
                  text_shown(a->next, strcspn(a->next, "?")).text);
    SONDE_FAIL_IF(a->header[FETCH_ENCODING] && strcmp(a->header[FETCH_ENCODING], "identity") != 0, err, SONDE_IO,
                  "%s: is compressed (%s), expected it as it is", name_shown(url).text, name_shown(a->header[FETCH_ENCODING]).text);
    return SONDE_OK;
}

static sonde_status parse(const body *b, const char *url, arena *into, const json **out, sonde_error *err) {
    const sonde_status s = json_parse(b->at ? b->at : "", b->n, into, out, err);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s", name_shown(url).text);
}

static bool is_commit(const char *text, size_t n) {
    return n > 0 && n <= MOST_COMMIT && strspn(text, "0123456789abcdefABCDEF") == n;
}

static sonde_status read_commit(hub *h, const char *url, body *b, arena *brief, sonde_error *err) {
    fetch_answer a;
    const json *j;
    const char *sha;
    size_t n;
    SONDE_TRY(ask_json(h, url, b, brief, &a, err));
    SONDE_TRY(parse(b, url, brief, &j, err));
    SONDE_FAIL_IF(!json_string(json_get(j, "sha"), &sha, &n) || !is_commit(sha, n), err, SONDE_FORMAT,
                  "%s: has no \"sha\" that is a commit", name_shown(url).text);
    h->commit = arena_printf(h->memory, "%s", sha);
    return SONDE_OK;
}

sonde_status hub_resolve(hub *h, sonde_error *err) {
    arena *brief = arena_new();
    body b = { .left = MOST_JSON };
    const char *url = arena_printf(brief, "%s/api/models/%s/revision/%s", h->base, h->name.id,
                                   hub_escape(brief, h->name.revision, "-._~"));
    const sonde_status s = read_commit(h, url, &b, brief, err);
    free(b.at);
    arena_free(brief);
    return s;
}

/* A name that stays inside the folder it is put in. */
static bool is_safe(const char *path, size_t n) {
    if (n == 0 || n > MOST_PATH || memchr(path, 0, n)) return false;
    for (const char *at = path;; ) {
        const size_t len = strcspn(at, "/");
        if (len == 0 || (len == 1 && *at == '.') || (len == 2 && at[0] == '.' && at[1] == '.')) return false;
        if (!at[len]) return true;
        at += len + 1;
    }
}

static sonde_status add_file(hub *h, const json *entry, size_t *room, sonde_error *err) {
    const char *path, *type, *oid = NULL;
    size_t n, type_len, unused;
    int64_t size;
    SONDE_FAIL_IF(!json_string(json_get(entry, "path"), &path, &n) || !json_string(json_get(entry, "type"), &type, &type_len), err,
                  SONDE_FORMAT, "the list of files: an entry without \"path\" and \"type\"");
    SONDE_FAIL_IF(!is_safe(path, n), err, SONDE_FORMAT, "the list of files: \"%s\", expected the name of a file in the model",
                  text_shown(path, n).text);
    if (strcmp(type, "file") != 0) return SONDE_OK;
    const json *lfs = json_get(entry, "lfs");
    SONDE_FAIL_IF((!json_int(json_get(lfs, "size"), &size) && !json_int(json_get(entry, "size"), &size)) || size < 0, err,
                  SONDE_FORMAT, "the list of files: %s has no size", name_shown(path).text);
    if (!json_string(json_get(lfs, "oid"), &oid, &unused)) json_string(json_get(entry, "oid"), &oid, &unused);
    SONDE_FAIL_IF(h->n == MOST_FILES, err, SONDE_UNSUPPORTED, "the list of files: more than %d", MOST_FILES);
    if (h->n == *room) {
        *room = 2 * h->n + 32;
        hub_file *more = arena_new_array(h->memory, hub_file, *room);
        if (h->n) memcpy(more, h->file, h->n * sizeof *more);
        h->file = more;
    }
    h->file[h->n++] = (hub_file){ .path = arena_printf(h->memory, "%s", path), .size = size,
                                  .oid = oid ? arena_printf(h->memory, "%s", oid) : NULL };
    return SONDE_OK;
}

/* The address of rel="next" in a Link header: <ADDRESS>; rel="next", <..>; .. NULL: there is none. */
static const char *next_of(arena *into, const char *link) {
    for (const char *at = link; at && (at = strchr(at, '<')) != NULL; ) {
        const char *end = strchr(at, '>');
        if (!end) return NULL;
        const char *after = strchr(end, '<');
        const char *rel = strstr(end, "rel=\"next\"");
        if (!rel) rel = strstr(end, "rel=next");
        if (rel && (!after || rel < after)) return arena_printf(into, "%.*s", (int)(end - at - 1), at + 1);
        at = after;
    }
    return NULL;
}

static sonde_status read_page(hub *h, const char **url, body *b, size_t *room, arena *brief, sonde_error *err) {
    fetch_answer a;
    const json *j;
    SONDE_TRY(ask_json(h, *url, b, brief, &a, err));
    SONDE_TRY(parse(b, *url, brief, &j, err));
    SONDE_FAIL_IF(j->kind != JSON_ARRAY, err, SONDE_FORMAT, "%s: is no list of files", name_shown(*url).text);
    for (const json *e = j->child; e; e = e->next) SONDE_TRY(add_file(h, e, room, err));
    const char *next = next_of(brief, a.header[FETCH_LINK]);
    const char *whole = next ? fetch_join(brief, a.url, next) : NULL;
    SONDE_FAIL_IF(next && (!whole || !fetch_same_place(whole, h->base)), err, SONDE_FORMAT,
                  "the list of files goes on at \"%s\", expected an address at %s", name_shown(next).text, name_shown(h->base).text);
    SONDE_FAIL_IF(whole && j->len == 0, err, SONDE_FORMAT, "the list of files goes on behind an empty page");
    *url = whole ? arena_printf(h->memory, "%s", whole) : NULL;
    b->left -= b->n;
    return SONDE_OK;
}

static int by_path(const void *a, const void *b) { return strcmp(((const hub_file *)a)->path, ((const hub_file *)b)->path); }

sonde_status hub_list(hub *h, sonde_error *err) {
    body b = { .left = MOST_JSON };
    size_t room = 0;
    sonde_status s = SONDE_OK;
    const char *url = arena_printf(h->memory, "%s/api/models/%s/tree/%s?recursive=true", h->base, h->name.id, h->commit);
    while (url && s == SONDE_OK) {
        arena *brief = arena_new();
        s = read_page(h, &url, &b, &room, brief, err);
        arena_free(brief);
    }
    free(b.at);
    if (s != SONDE_OK) return s;
    SONDE_FAIL_IF(h->n == 0, err, SONDE_NOT_FOUND, "%s: holds no files", h->name.id);
    qsort(h->file, h->n, sizeof *h->file, by_path);
    return SONDE_OK;
}
