#include "sonde/array_file.h"
#include "container.h"
#include "npz.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)SONDE_MAX_RANK == (int)WEIGHT_MAX_RANK, "a spec holds what a stored tensor holds");

struct sonde_array_file {
    weights          *w;
    sonde_array_spec *spec;     /* [weights_count(w)] */
};

static bool ends_with(const char *path, const char *ending) {
    const size_t n = strlen(path), m = strlen(ending);
    return n >= m && strcmp(path + n - m, ending) == 0;
}

typedef struct {
    const char *ending;         /* decides where the bytes do not, so that the reader says what is wrong */
    bool      (*probe)(const uint8_t *head, size_t n);
    sonde_status (*read)(file_map file, weights **out, sonde_error *err);
} array_format;

/* Files of arrays that are no models'. */
static const array_format array_formats[] = { { ".npy", npy_probe, npy_read }, { ".npz", npz_probe, npz_read } };

static sonde_status open_weights(const char *path, weights **out, sonde_error *err) {
    file_map f;
    SONDE_TRY(file_map_open(&f, path, err));    /* a folder ends here */
    for (size_t i = 0; i < sizeof array_formats / sizeof *array_formats; i++) {
        const array_format *a = &array_formats[i];
        if (!a->probe(f.data, f.size) && !ends_with(path, a->ending)) continue;
        const sonde_status s = a->read(f, out, err);
        return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s", name_shown(path).text);
    }
    file_map_close(&f);
    return weights_open(path, out, err);
}

sonde_status sonde_array_file_open(sonde_array_file **out, const char *path, sonde_error *err) {
    weights *w = NULL;
    SONDE_TRY(open_weights(path, &w, err));
    sonde_array_file *f = calloc(1, sizeof *f);
    sonde_array_spec *spec = calloc(w->n + 1, sizeof *spec);
    if (!f || !spec) abort();
    for (size_t i = 0; i < w->n; i++) {
        const stored_tensor *t = weights_at(w, i);
        spec[i] = (sonde_array_spec){ .name = t->name, .dtype = dtype_table[t->type].name, .rank = t->rank };
        memcpy(spec[i].dim, t->dim, sizeof t->dim);
    }
    *f = (sonde_array_file){ w, spec };
    *out = f;
    return SONDE_OK;
}

void sonde_array_file_close(sonde_array_file *f) {
    if (!f) return;
    weights_close(f->w);
    free(f->spec);
    free(f);
}

size_t sonde_array_file_count(const sonde_array_file *f) { return f->w->n; }

const sonde_array_spec *sonde_array_file_spec(const sonde_array_file *f, size_t which) { return &f->spec[which]; }

size_t sonde_array_file_find(const sonde_array_file *f, const char *name) {
    const stored_tensor *t = weights_find(f->w, name);
    return t ? (size_t)(t - f->w->tensor) : SIZE_MAX;
}

const char *sonde_array_file_note(const sonde_array_file *f, const char *key) { return weights_note(f->w, key); }

/* Where item `first` lies, if there are n items from there on. */
static sonde_status locate(const sonde_array_file *f, size_t which, int64_t first, int64_t n, const uint8_t **at,
                           sonde_error *err) {
    SONDE_FAIL_IF(which >= f->w->n, err, SONDE_USAGE, "array %zu of a file of %zu", which, f->w->n);
    const stored_tensor *t = weights_at(f->w, which);
    const int64_t size = dtype_table[t->type].bytes, items = dtype_table[t->type].items;
    const int64_t count = (int64_t)t->bytes / size * items;
    SONDE_FAIL_IF(first < 0 || n < 0 || n > count || first > count - n, err, SONDE_USAGE,
                  "array %s: %" PRId64 " items from %" PRId64 " on, it has %" PRId64, name_shown(t->name).text, n,
                  first, count);
    SONDE_FAIL_IF(first % items || n % items, err, SONDE_USAGE, "array %s: its %s blocks of %" PRId64 " are read whole",
                  name_shown(t->name).text, dtype_table[t->type].name, items);
    *at = t->data + first / items * size;
    return SONDE_OK;
}

sonde_status sonde_array_read(const sonde_array_file *f, size_t which, int64_t first, int64_t n, float *out,
                              sonde_error *err) {
    const uint8_t *at;
    SONDE_TRY(locate(f, which, first, n, &at, err));
    dtype_table[weights_at(f->w, which)->type].to_f32(out, at, (size_t)n);
    return SONDE_OK;
}

sonde_status sonde_array_read_int(const sonde_array_file *f, size_t which, int64_t first, int64_t n, int64_t *out,
                                  sonde_error *err) {
    const uint8_t *at;
    SONDE_TRY(locate(f, which, first, n, &at, err));
    const stored_tensor *t = weights_at(f->w, which);
    const dtype *type = &dtype_table[t->type];
    SONDE_FAIL_IF(!type->integer, err, SONDE_FORMAT, "array %s: is %s, expected integers", name_shown(t->name).text,
                  type->name);
    for (int64_t i = 0; i < n; i++) {
        out[i] = type->to_int(at + i * type->bytes);
        SONDE_FAIL_IF(t->type == DTYPE_U64 && out[i] < 0, err, SONDE_FORMAT,
                      "array %s: item %" PRId64 " is above 2^63 - 1", name_shown(t->name).text, first + i);
    }
    return SONDE_OK;
}
