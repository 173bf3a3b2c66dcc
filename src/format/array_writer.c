/* safetensors, written. The header is complete before the first number; arrays of wide items come first in the file, so
 * that every item is aligned; the header names them in the caller's order. */
#include "sonde/array_file.h"
#include "container.h"
#include "base/map.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t start;             /* in the data section, until the header's size is known; then in the file */
    uint64_t bytes;
    int      item;              /* bytes of one */
} place;

struct sonde_array_writer {
    file_out out;
    arena   *memory;
    const char **name;          /* [n] */
    place   *at;                /* [n] */
    size_t   n;
    uint64_t total;             /* bytes of all arrays */
};

typedef struct { char *text; size_t len, cap; } growing;

static void put_bytes(growing *g, const void *bytes, size_t n) {
    if (g->len + n > g->cap) {
        g->cap = 2 * (g->len + n) + 256;
        g->text = realloc(g->text, g->cap);
        if (!g->text) abort();
    }
    memcpy(g->text + g->len, bytes, n);
    g->len += n;
}

static void put(growing *g, const char *text) { put_bytes(g, text, strlen(text)); }

static sonde_status check_name(map *names, const char *what, const char *name, sonde_error *err) {
    const size_t len = strlen(name);
    SONDE_FAIL_IF(!utf8_valid(name, len, NULL), err, SONDE_USAGE, "%s %s: its name is not UTF-8", what,
                  name_shown(name).text);
    SONDE_FAIL_IF(len > WEIGHT_MAX_NAME || strcmp(name, "__metadata__") == 0, err, SONDE_USAGE,
                  "%s %s: a file cannot hold this name", what, name_shown(name).text);
    SONDE_FAIL_IF(!map_put(names, name, len, 0), err, SONDE_USAGE, "%s %s: the name stands twice", what,
                  name_shown(name).text);
    return SONDE_OK;
}

static sonde_status check_spec(const sonde_array_spec *spec, place *p, sonde_error *err) {
    dtype_id type;
    const char *name = spec->name;
    SONDE_FAIL_IF(!dtype_find(spec->dtype, &type), err, SONDE_USAGE, "array %s: dtype %s is unknown",
                  name_shown(name).text, name_shown(spec->dtype).text);
    SONDE_FAIL_IF(spec->rank < 0 || spec->rank > SONDE_MAX_RANK, err, SONDE_USAGE,
                  "array %s: rank is %d, expected 0 to %d", name_shown(name).text, spec->rank, SONDE_MAX_RANK);
    for (int i = 0; i < spec->rank; i++)
        SONDE_FAIL_IF(spec->dim[i] < 0, err, SONDE_USAGE, "array %s: a dimension is %" PRId64, name_shown(name).text,
                      spec->dim[i]);
    SONDE_FAIL_IF(!shape_bytes(spec->dim, spec->rank, type, &p->bytes), err, SONDE_USAGE,
                  "array %s: the shape is too large", name_shown(name).text);
    p->item = dtype_table[type].bytes;
    return SONDE_OK;
}

static sonde_status check_all(sonde_array_writer *w, const sonde_array_list *holds, sonde_error *err) {
    map *names = map_new(w->memory, w->n), *keys = map_new(w->memory, holds->n_notes);
    SONDE_FAIL_IF(w->n > WEIGHT_MAX_TENSORS || holds->n_notes > WEIGHT_MAX_NOTES, err, SONDE_USAGE,
                  "%zu arrays and %zu notes are too many for a file", w->n, holds->n_notes);
    for (size_t i = 0; i < w->n; i++) {
        SONDE_TRY(check_name(names, "array", holds->specs[i].name, err));
        SONDE_TRY(check_spec(&holds->specs[i], &w->at[i], err));
    }
    for (size_t i = 0; i < holds->n_notes; i++) {
        SONDE_TRY(check_name(keys, "note", holds->notes[i].key, err));
        SONDE_FAIL_IF(!utf8_valid(holds->notes[i].value, strlen(holds->notes[i].value), NULL), err, SONDE_USAGE,
                      "note %s: its value is not UTF-8", name_shown(holds->notes[i].key).text);
    }
    return SONDE_OK;
}

static sonde_status lay_out(sonde_array_writer *w, sonde_error *err) {
    for (int item = 8; item > 0; item /= 2)
        for (size_t i = 0; i < w->n; i++) {
            if (w->at[i].item != item) continue;
            w->at[i].start = w->total;
            SONDE_FAIL_IF(__builtin_add_overflow(w->total, w->at[i].bytes, &w->total) || w->total > INT64_MAX / 2, err,
                          SONDE_USAGE, "the arrays are too large for a file");
        }
    return SONDE_OK;
}

static void put_array(growing *g, arena *a, const sonde_array_spec *spec, const place *p) {
    put(g, json_quote(a, spec->name, strlen(spec->name)));
    put(g, arena_printf(a, ":{\"dtype\":\"%s\",\"shape\":[", spec->dtype));
    for (int i = 0; i < spec->rank; i++) put(g, arena_printf(a, "%s%" PRId64, i ? "," : "", spec->dim[i]));
    put(g, arena_printf(a, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", p->start, p->start + p->bytes));
}

static void put_notes(growing *g, arena *a, const sonde_array_note *notes, size_t n) {
    put(g, "\"__metadata__\":{");
    for (size_t i = 0; i < n; i++) {
        put(g, i ? "," : "");
        put(g, json_quote(a, notes[i].key, strlen(notes[i].key)));
        put(g, ":");
        put(g, json_quote(a, notes[i].value, strlen(notes[i].value)));
    }
    put(g, "}");
}

/* The length and the header, padded so that the arrays begin at a multiple of 8. */
static growing make_header(const sonde_array_writer *w, const sonde_array_list *holds) {
    growing g = { 0 };
    arena *a = arena_new();
    put_bytes(&g, "\0\0\0\0\0\0\0", 8);
    put(&g, "{");
    if (holds->n_notes) put_notes(&g, a, holds->notes, holds->n_notes);
    for (size_t i = 0; i < w->n; i++) {
        put(&g, i || holds->n_notes ? "," : "");
        put_array(&g, a, &holds->specs[i], &w->at[i]);
        arena_reset(a);
    }
    put(&g, "}");
    while (g.len % 8) put(&g, " ");
    const uint64_t length = g.len - 8;
    memcpy(g.text, &length, sizeof length);
    arena_free(a);
    return g;
}

/* The header, and the last byte of the file: what nobody writes reads as zeros. */
static sonde_status write_header(sonde_array_writer *w, const growing *g, sonde_error *err) {
    SONDE_FAIL_IF(g->len > 100000000, err, SONDE_USAGE, "names and notes are too large for a file (100 MB)");
    for (size_t i = 0; i < w->n; i++) w->at[i].start += g->len;
    SONDE_TRY(file_out_write(&w->out, g->text, g->len, err));
    return w->total ? file_out_write_at(&w->out, g->len + w->total - 1, "", 1, err) : SONDE_OK;
}

sonde_status sonde_array_writer_open(sonde_array_writer **out, const char *path, sonde_array_list holds,
                                     sonde_error *err) {
    sonde_array_writer *w = calloc(1, sizeof *w);
    if (!w) abort();
    w->memory = arena_new();
    w->n = holds.n;
    w->at = arena_new_array(w->memory, place, w->n);
    w->name = arena_new_array(w->memory, const char *, w->n);
    growing header = { 0 };
    sonde_status s = check_all(w, &holds, err);
    if (s == SONDE_OK) s = lay_out(w, err);
    if (s == SONDE_OK) {
        for (size_t i = 0; i < w->n; i++) w->name[i] = arena_printf(w->memory, "%s", holds.specs[i].name);
        header = make_header(w, &holds);
        s = file_out_open(&w->out, path, err);
    }
    if (s == SONDE_OK) s = write_header(w, &header, err);
    free(header.text);
    if (s == SONDE_OK) *out = w;
    else sonde_array_writer_drop(w);
    return s;
}

sonde_status sonde_array_write(sonde_array_writer *w, size_t which, int64_t first, const void *items, int64_t n,
                               sonde_error *err) {
    SONDE_FAIL_IF(which >= w->n, err, SONDE_USAGE, "array %zu of a file of %zu", which, w->n);
    const place *p = &w->at[which];
    const int64_t count = (int64_t)p->bytes / p->item;
    SONDE_FAIL_IF(first < 0 || n < 0 || n > count || first > count - n, err, SONDE_USAGE,
                  "array %s: %" PRId64 " items from %" PRId64 " on, it has %" PRId64, name_shown(w->name[which]).text,
                  n, first, count);
    return file_out_write_at(&w->out, p->start + (uint64_t)(first * p->item), items, (size_t)(n * p->item), err);
}

static void forget(sonde_array_writer *w) {
    arena_free(w->memory);
    free(w);
}

sonde_status sonde_array_writer_close(sonde_array_writer *w, sonde_error *err) {
    const sonde_status s = file_out_commit(&w->out, err);
    forget(w);
    return s;
}

void sonde_array_writer_drop(sonde_array_writer *w) {
    if (!w) return;
    file_out_drop(&w->out);
    forget(w);
}
