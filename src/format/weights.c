#define _GNU_SOURCE
#include "container.h"
#include "base/map.h"
#include "base/text.h"
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SHARDS = 10000, MOST_SLICES = 100 };

#define FORMAT(name) extern const format format_##name;
#include "formats.def"
#undef FORMAT

const format *const format_table[] = {
#define FORMAT(name) &format_##name,
#include "formats.def"
#undef FORMAT
    NULL
};

weights *weights_new(file_map file) {
    weights *w = calloc(1, sizeof *w);
    if (!w) abort();
    w->memory = arena_new();
    w->file = file;
    return w;
}

void weights_close(weights *w) {
    if (!w) return;
    for (size_t i = 0; i < w->parts; i++) weights_close(w->part[i]);
    file_map_close(&w->file);
    free(w->own);
    arena_free(w->memory);
    free(w);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const stored_tensor *)a)->name, ((const stored_tensor *)b)->name);
}

void weights_sort(weights *w) {
    if (w->n) qsort(w->tensor, w->n, sizeof *w->tensor, by_name);
}

bool shape_bytes(const int64_t *dim, int rank, dtype_id type, uint64_t *bytes) {
    const dtype *t = &dtype_table[type];
    int64_t product = t->bytes;
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        const bool blocks = i == rank - 1 && t->items > 1;
        if (blocks && dim[i] % t->items) return false;
        const int64_t n = blocks ? dim[i] / t->items : dim[i];
        if (n == 0) empty = true;
        else if (__builtin_mul_overflow(product, n, &product)) return false;
    }
    if (rank == 0 && t->items > 1) return false;
    *bytes = empty ? 0 : (uint64_t)product;
    return true;
}

uint64_t weights_copied(const weights *w) {
    uint64_t copied = w->copied;
    for (size_t i = 0; i < w->parts; i++) copied += weights_copied(w->part[i]);
    return copied;
}

const format *weights_format(const weights *w) {
    if (w->reads) return w->reads;
    return w->parts ? weights_format(w->part[0]) : &format_safetensors;
}

size_t weights_files(const weights *w) { return w->parts ? w->parts : 1; }

void weights_map_ahead(const weights *w, const atomic_bool *stop) {
    file_map_ahead(&w->file, stop);
    for (size_t i = 0; i < w->parts; i++) weights_map_ahead(w->part[i], stop);
}

size_t weights_count(const weights *w) { return w->n; }

size_t weights_parts(const weights *w) { return w->sliced ? w->parts : 1; }

const stored_tensor *weights_find_part(const weights *w, size_t part, const char *name) {
    return weights_find(w->sliced ? w->part[part] : w, name);
}

const stored_tensor *weights_at(const weights *w, size_t i) { return &w->tensor[i]; }

const stored_tensor *weights_find(const weights *w, const char *name) {
    const stored_tensor key = { .name = name };
    return w->n ? bsearch(&key, w->tensor, w->n, sizeof key, by_name) : NULL;
}

const char *weights_note(const weights *w, const char *key) {
    const char *text;
    size_t len;
    return json_string(json_get(w->notes, key), &text, &len) ? text : NULL;
}

sonde_status weights_open_memory(const uint8_t *data, size_t size, weights **out, sonde_error *err) {
    return safetensors_read((file_map){ .data = data, .size = size }, out, err);
}

static bool ends_with(const char *text, const char *ending) {
    const size_t n = strlen(text), m = strlen(ending);
    return n >= m && strcmp(text + n - m, ending) == 0;
}

static const format *by_bytes(const uint8_t *head, size_t n) {
    for (const format *const *f = format_table; *f; f++)
        if ((*f)->probe(head, n)) return *f;
    return NULL;
}

static const format *by_ending(const char *path) {
    const char *dot = strrchr(path, '.');
    for (const format *const *f = format_table; dot && *f; f++) {
        if (strcmp(dot + 1, (*f)->name) == 0) return *f;
        for (const char *const *e = (*f)->endings; *e; e++)
            if (strcmp(dot + 1, *e) == 0) return *f;
    }
    return NULL;
}

format_list formats_known(void) {
    format_list list = { "" };
    size_t n = 0;
    for (const format *const *f = format_table; *f; f++)
        n += (size_t)snprintf(list.text + n, sizeof list.text - n, "%s%s", n ? ", " : "", (*f)->name);
    return list;
}

/* A name that promises a format decides where the bytes are nobody's, so that its reader says what is wrong. */
static sonde_status recognise(const file_map *f, const char *path, const format **reads, sonde_error *err) {
    *reads = by_bytes(f->data, f->size < 64 ? f->size : 64);
    if (*reads) return SONDE_OK;
    SONDE_TRY(foreign_refuse(path, f->data, f->size, err));
    *reads = by_ending(path);
    if (*reads) return SONDE_OK;
    SONDE_FAIL_IF(ends_with(path, ".json"), err, SONDE_UNSUPPORTED,
                  "is JSON, expected weights; name the model's folder instead");
    return sonde_fail(err, SONDE_UNSUPPORTED, "is no file of weights that this version reads: %s",
                      formats_known().text);
}

static sonde_status open_file(const char *path, weights **out, sonde_error *err) {
    file_map f;
    SONDE_TRY(file_map_open(&f, path, err));
    const format *reads;
    const sonde_status s = recognise(&f, path, &reads, err);
    file_map_close(&f);
    if (s != SONDE_OK) return sonde_fail_at(err, s, "%s", name_shown(path).text);
    SONDE_TRY(reads->open(path, out, err));
    (*out)->reads = reads;
    return SONDE_OK;
}

/* A shard's name in an index: one part of a path, and nothing that a terminal would obey. */
static bool plain_name(const char *name, size_t len) {
    if (len == 0 || strlen(name) != len || len > 255) return false;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] == '/' || name[i] == '\\' || (uint8_t)name[i] < 0x20 || name[i] == 0x7f) return false;
    return true;
}

typedef struct {
    const char *folder;
    const json *index;          /* tensor -> file */
    map        *number;         /* file -> its place in w->part and name */
    const char **name;
} shards;

static sonde_status open_shards(weights *w, shards *sh, sonde_error *err) {
    for (const json *c = sh->index->child; c; c = c->next) {
        const char *name;
        size_t len;
        SONDE_FAIL_IF(!json_string(c, &name, &len), err, SONDE_FORMAT, "weight_map: %s is no string",
                      text_shown(c->key, c->key_len).text);
        SONDE_FAIL_IF(!plain_name(name, len), err, SONDE_FORMAT,
                      "weight_map: %s lies in \"%s\", expected the name of a file beside the index",
                      text_shown(c->key, c->key_len).text, text_shown(name, len).text);
        SONDE_FAIL_IF(strlen(c->key) != c->key_len, err, SONDE_FORMAT, "weight_map: the name %s holds a NUL",
                      text_shown(c->key, c->key_len).text);
        if (!map_put(sh->number, name, len, (int64_t)w->parts)) continue;
        SONDE_FAIL_IF(w->parts == MOST_SHARDS, err, SONDE_FORMAT, "weight_map names more than %d files", MOST_SHARDS);
        sh->name[w->parts] = name;
        SONDE_TRY(open_file(arena_printf(w->memory, "%s/%s", sh->folder, name), &w->part[w->parts], err));
        w->parts++;
    }
    return SONDE_OK;
}

/* Each tensor of the index must lie in the shard that the index names. */
static sonde_status check_index(const weights *w, const shards *sh, sonde_error *err) {
    for (const json *c = sh->index->child; c; c = c->next) {
        int64_t number = 0;
        map_get(sh->number, c->text, c->len, &number);
        SONDE_FAIL_IF(!weights_find(w->part[number], c->key), err, SONDE_FORMAT,
                      "tensor %s is not in %s, where the index puts it", name_shown(c->key).text, c->text);
    }
    return SONDE_OK;
}

static const char *part_of(const weights *w, const char *const *name, const stored_tensor *t) {
    size_t i = 0;
    while (i + 1 < w->parts && weights_find(w->part[i], t->name) == NULL) i++;
    return name[i];
}

sonde_status weights_join(weights *w, const char *const *name, sonde_error *err) {
    size_t total = 0;
    for (size_t i = 0; i < w->parts; i++) total += w->part[i]->n;
    SONDE_FAIL_IF(total > WEIGHT_MAX_TENSORS, err, SONDE_FORMAT,
                  "the shards hold %zu tensors, at most %d are allowed", total, WEIGHT_MAX_TENSORS);
    w->tensor = arena_new_array(w->memory, stored_tensor, total);
    for (size_t i = 0; i < w->parts; i++)
        for (size_t k = 0; k < w->part[i]->n; k++) w->tensor[w->n++] = w->part[i]->tensor[k];
    weights_sort(w);
    for (size_t i = 1; i < w->n; i++)
        SONDE_FAIL_IF(strcmp(w->tensor[i - 1].name, w->tensor[i].name) == 0, err, SONDE_FORMAT,
                      "tensor %s lies in two shards, %s is the first", name_shown(w->tensor[i].name).text,
                      part_of(w, name, &w->tensor[i]));
    if (w->parts) w->notes = w->part[0]->notes;
    return SONDE_OK;
}

static sonde_status read_index(weights *w, const char *folder, sonde_error *err) {
    SONDE_TRY(foreign_refuse("", w->file.data, w->file.size, err));
    const json *root;
    SONDE_TRY(json_parse((const char *)w->file.data, w->file.size, w->memory, &root, err));
    shards sh = { .folder = folder, .index = json_get(root, "weight_map") };
    SONDE_FAIL_IF(!sh.index || sh.index->kind != JSON_OBJECT || !sh.index->child, err, SONDE_FORMAT,
                  "has no weight_map, or an empty one");
    const size_t most = sh.index->len < MOST_SHARDS ? sh.index->len : MOST_SHARDS;
    w->part = arena_new_array(w->memory, weights *, most);
    sh.name = arena_new_array(w->memory, const char *, most);
    sh.number = map_new(w->memory, 16);
    SONDE_TRY(open_shards(w, &sh, err));
    SONDE_TRY(check_index(w, &sh, err));
    return weights_join(w, sh.name, err);
}

static sonde_status open_index(const char *path, const char *folder, weights **out, sonde_error *err) {
    file_map f;
    SONDE_TRY(file_map_open(&f, path, err));
    weights *w = weights_new(f);
    sonde_status s = read_index(w, folder, err);
    if (s == SONDE_OK) {
        *out = w;
        return s;
    }
    weights_close(w);
    return sonde_fail_at(err, s, "%s", name_shown(path).text);
}

/* The first, by name, of the folder's files that would be weights of another program. */
static sonde_status refuse_other_folder(const char *folder, sonde_error *err) {
    struct dirent **entry;
    const int n = scandir(folder, &entry, NULL, alphasort);
    sonde_status s = SONDE_OK;
    for (int i = 0; i < n; i++) {
        if (s == SONDE_OK) {
            s = foreign_refuse(entry[i]->d_name, NULL, 0, err);
            if (s != SONDE_OK)
                sonde_fail_at(err, s, "%s/%s", name_shown(folder).text, name_shown(entry[i]->d_name).text);
        }
        free(entry[i]);
    }
    if (n >= 0) free(entry);
    return s;
}

/* Every part has the tensors of the first, of the same types and ranks. */
static sonde_status check_slices(const weights *w, sonde_error *err) {
    for (size_t i = 1; i < w->parts; i++) {
        const weights *part = w->part[i];
        SONDE_FAIL_IF(part->n != w->n, err, SONDE_FORMAT, "part %zu has %zu tensors, part 0 has %zu", i, part->n, w->n);
        for (size_t k = 0; k < w->n; k++) {
            const stored_tensor *a = &w->tensor[k], *b = &part->tensor[k];
            SONDE_FAIL_IF(strcmp(a->name, b->name) != 0, err, SONDE_FORMAT, "part %zu has tensor %s, part 0 has %s", i,
                          name_shown(b->name).text, name_shown(a->name).text);
            SONDE_FAIL_IF(a->type != b->type || a->rank != b->rank, err, SONDE_FORMAT,
                          "tensor %s is %s of %d dimensions in part %zu, and %s of %d in part 0", name_shown(a->name).text,
                          dtype_table[b->type].name, b->rank, i, dtype_table[a->type].name, a->rank);
        }
    }
    return SONDE_OK;
}

static const char *slice_path(arena *a, const char *folder, size_t i) {
    return arena_printf(a, "%s/consolidated.%02zu.pth", folder, i);
}

/* Parts are numbered from 0 without gaps; *n is 0 where there are none. */
static sonde_status count_slices(arena *a, const char *folder, size_t *n, sonde_error *err) {
    for (*n = 0; *n < MOST_SLICES && file_exists(slice_path(a, folder, *n)); ) ++*n;
    for (size_t i = *n + 1; i < MOST_SLICES; i++)
        SONDE_FAIL_IF(file_exists(slice_path(a, folder, i)), err, SONDE_NOT_FOUND,
                      "%s: holds consolidated.%02zu.pth, but no consolidated.%02zu.pth", name_shown(folder).text, i, *n);
    return SONDE_OK;
}

static sonde_status open_slices(const char *folder, size_t n, weights **out, sonde_error *err) {
    weights *w = weights_new((file_map){ 0 });
    sonde_status s = SONDE_OK;
    w->part = arena_new_array(w->memory, weights *, n);
    w->sliced = true;
    while (s == SONDE_OK && w->parts < n) {
        s = open_file(slice_path(w->memory, folder, w->parts), &w->part[w->parts], err);
        w->parts += s == SONDE_OK;
    }
    if (s == SONDE_OK) {
        w->tensor = w->part[0]->tensor;
        w->n = w->part[0]->n;
        s = check_slices(w, err);
        if (s != SONDE_OK) sonde_fail_at(err, s, "%s", name_shown(folder).text);
    }
    if (s == SONDE_OK) *out = w;
    else weights_close(w);
    return s;
}

typedef enum { FOLDER_FILE, FOLDER_INDEX, FOLDER_SLICES, FOLDER_ONLY } folder_kind;

/* What a model's folder may hold, the preferred ones first. */
static const struct { const char *name; folder_kind kind; } folder_files[] = {
    { "model.safetensors", FOLDER_FILE },   { "model.safetensors.index.json", FOLDER_INDEX },
    { "pytorch_model.bin", FOLDER_FILE },   { "pytorch_model.bin.index.json", FOLDER_INDEX },
    { "consolidated.00.pth", FOLDER_SLICES }, { "consolidated.safetensors", FOLDER_FILE },
    { "one .gguf", FOLDER_ONLY },
};
enum { FOLDER_FILES = sizeof folder_files / sizeof *folder_files };

const char *weights_folder_file(size_t i) { return i < FOLDER_FILES ? folder_files[i].name : NULL; }

static sonde_status fail_folder(const char *folder, arena *a, sonde_error *err) {
    const char *names = "";
    for (int i = 0; i < FOLDER_FILES; i++) names = arena_printf(a, "%s%s%s", names, i ? ", " : "", folder_files[i].name);
    SONDE_TRY(adapter_refuse(folder, err));
    SONDE_TRY(refuse_other_folder(folder, err));
    return sonde_fail(err, SONDE_NOT_FOUND, "%s: holds none of %s", name_shown(folder).text, names);
}

static sonde_status open_folder(const char *folder, arena *a, weights **out, sonde_error *err) {
    size_t slices;
    for (int i = 0; i < FOLDER_FILES; i++) {
        const char *path = arena_printf(a, "%s/%s", folder, folder_files[i].name);
        switch (folder_files[i].kind) {
        case FOLDER_FILE:
            if (file_exists(path)) return open_file(path, out, err);
            break;
        case FOLDER_INDEX:
            if (file_exists(path)) return open_index(path, folder, out, err);
            break;
        case FOLDER_SLICES:
            SONDE_TRY(count_slices(a, folder, &slices, err));
            if (slices == 1) return open_file(path, out, err);
            if (slices) return open_slices(folder, slices, out, err);
            break;
        case FOLDER_ONLY:
            SONDE_TRY(gguf_of_folder(folder, a, &path, err));
            if (path) return open_file(path, out, err);
            break;
        }
    }
    return fail_folder(folder, a, err);
}

sonde_status weights_open(const char *path, weights **out, sonde_error *err) {
    if (!folder_exists(path)) return open_file(path, out, err);
    arena *a = arena_new();
    const sonde_status s = open_folder(path, a, out, err);
    arena_free(a);
    return s;
}
