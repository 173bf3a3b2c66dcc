/* Models in several GGUF files, NAME-00001-of-00003.gguf and so on: any of them opens the set. And which GGUF file a folder
 * means. */
#define _GNU_SOURCE
#include "gguf_parts.h"
#include "base/text.h"
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

enum { MOST_PARTS = 10000, DIGITS = 5, ENDING = sizeof "-00001-of-00003.gguf" - 1, LISTED = 8 };

typedef struct { size_t stem; int64_t no, count; } split_name;      /* stem: bytes of what stands before the numbers */

static bool take_number(const char *at, int64_t *out) {
    *out = 0;
    for (int i = 0; i < DIGITS; i++) {
        if (at[i] < '0' || at[i] > '9') return false;
        *out = 10 * *out + at[i] - '0';
    }
    return true;
}

static bool parse_name(const char *path, split_name *out) {
    const size_t n = strlen(path);
    if (n < ENDING) return false;
    const char *at = path + n - ENDING;
    out->stem = n - ENDING;
    return at[0] == '-' && take_number(at + 1, &out->no) && strncmp(at + 6, "-of-", 4) == 0 &&
           take_number(at + 10, &out->count) && strcasecmp(at + 15, ".gguf") == 0;
}

/* An integer of the metadata; OK with *there false where the key is absent. */
static sonde_status find_int(const weights *w, const char *key, int64_t *out, bool *there, sonde_error *err) {
    const meta_value *v = weights_meta(w, key);
    *there = v != NULL;
    if (!v) return SONDE_OK;
    SONDE_FAIL_IF(v->kind != META_INT, err, SONDE_FORMAT, "key %s: is no integer", key);
    *out = v->integer;
    return SONDE_OK;
}

/* The set must agree on how many files it has, and each file on its place: a gap or a file twice is no set. */
static sonde_status check_int(const weights *part, const char *key, int64_t expected, bool optional, sonde_error *err) {
    int64_t found = 0;
    bool there;
    SONDE_TRY(find_int(part, key, &found, &there, err));
    if (!there && optional) return SONDE_OK;
    SONDE_FAIL_IF(!there, err, SONDE_FORMAT, "key %s: is not there, expected %" PRId64, key, expected);
    SONDE_FAIL_IF(found != expected, err, SONDE_FORMAT, "key %s: is %" PRId64 ", expected %" PRId64, key, found, expected);
    return SONDE_OK;
}

typedef struct { const char *path; split_name name; const char **file; } split_set;

/* Parts in order; the one that is open already becomes one of them. */
static sonde_status open_parts(weights *w, const split_set *set, weights **one, sonde_error *err) {
    for (int64_t i = 0; i < set->name.count; i++) {
        const char *path = arena_printf(w->memory, "%.*s-%05" PRId64 "-of-%05" PRId64 "%s", (int)set->name.stem, set->path,
                                        i + 1, set->name.count, set->path + strlen(set->path) - 5);
        set->file[i] = path;
        if (i + 1 == set->name.no) {
            w->part[i] = *one;
            *one = NULL;
        } else {
            SONDE_TRY(gguf_open_part(path, &w->part[i], err));
        }
        w->parts++;
        sonde_status s = check_int(w->part[i], "split.no", i, false, err);
        if (s == SONDE_OK) s = check_int(w->part[i], "split.count", set->name.count, false, err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "%s", name_shown(path).text);
    }
    return SONDE_OK;
}

static sonde_status join(weights *w, const split_set *set, sonde_error *err) {
    const sonde_status s = weights_join(w, set->file, err);
    if (s != SONDE_OK) return sonde_fail_at(err, s, "%s", name_shown(set->path).text);
    for (size_t i = 0; i < w->parts; i++) {
        const sonde_status c = check_int(w->part[i], "split.tensors.count", (int64_t)w->n, i > 0, err);
        if (c != SONDE_OK) return sonde_fail_at(err, c, "%s", name_shown(set->file[i]).text);
    }
    weights_meta_lend(w, w->part[0]);
    return SONDE_OK;
}

/* What the first file that was opened says of the set, against its name. */
static sonde_status check_name(split_set *set, int64_t count, sonde_error *err) {
    SONDE_FAIL_IF(!parse_name(set->path, &set->name), err, SONDE_FORMAT,
                  "split.count is %" PRId64 ", but the file is not called NAME-00001-of-%05" PRId64 ".gguf", count, count);
    SONDE_FAIL_IF(set->name.count != count, err, SONDE_FORMAT,
                  "split.count is %" PRId64 ", but the file is called one of %" PRId64, count, set->name.count);
    SONDE_FAIL_IF(set->name.no < 1 || set->name.no > count, err, SONDE_FORMAT,
                  "the file is called number %" PRId64 " of %" PRId64, set->name.no, count);
    SONDE_FAIL_IF(count > MOST_PARTS, err, SONDE_FORMAT, "split.count is %" PRId64 ", at most %d is allowed", count,
                  MOST_PARTS);
    return SONDE_OK;
}

sonde_status gguf_open_set(const char *path, weights *one, weights **out, sonde_error *err) {
    split_set set = { .path = path };
    int64_t count = 1;
    bool there;
    sonde_status s = find_int(one, "split.count", &count, &there, err);
    if (s == SONDE_OK && there && count > 1) s = check_name(&set, count, err);
    if (s != SONDE_OK) {
        weights_close(one);
        return sonde_fail_at(err, s, "%s", name_shown(path).text);
    }
    if (count <= 1) {
        *out = one;
        return SONDE_OK;
    }
    weights *w = weights_new((file_map){ 0 });
    w->part = arena_new_array(w->memory, weights *, (size_t)count);
    set.file = arena_new_array(w->memory, const char *, (size_t)count);
    s = open_parts(w, &set, &one, err);
    if (s == SONDE_OK) s = join(w, &set, err);
    if (s == SONDE_OK) {
        *out = w;
        return s;
    }
    weights_close(one);
    weights_close(w);
    return s;
}

static int is_gguf(const struct dirent *e) {
    const size_t n = strlen(e->d_name);
    return n > 5 && strcasecmp(e->d_name + n - 5, ".gguf") == 0;
}

/* Files of one set are one model: the first of them by name stands for it. */
static bool same_set(const char *a, const char *b) {
    split_name x, y;
    return parse_name(a, &x) && parse_name(b, &y) && x.count == y.count && x.stem == y.stem && strncmp(a, b, x.stem) == 0;
}

static bool is_new(struct dirent *const *entry, int i) {
    for (int k = 0; k < i; k++)
        if (same_set(entry[k]->d_name, entry[i]->d_name)) return false;
    return true;
}

sonde_status gguf_of_folder(const char *folder, arena *a, const char **path, sonde_error *err) {
    struct dirent **entry;
    const int n = scandir(folder, &entry, is_gguf, alphasort);
    int models = 0;
    const char *list = "";
    *path = NULL;
    for (int i = 0; i < n; i++) {
        const char *name = entry[i]->d_name, *whole = arena_printf(a, "%s/%s", folder, name);
        if (!file_exists(whole) || !is_new(entry, i)) continue;
        if (models++ == 0) *path = whole;
        if (models <= LISTED) list = arena_printf(a, "%s%s%s", list, *list ? ", " : "", name_shown(name).text);
    }
    for (int i = 0; i < n; i++) free(entry[i]);
    if (n >= 0) free(entry);
    SONDE_FAIL_IF(models > 1, err, SONDE_USAGE, "%s: holds %d models as GGUF, name one of them: %s%s",
                  name_shown(folder).text, models, list, models > LISTED ? ", .." : "");
    return SONDE_OK;
}
