/* safetensors: u64 length of the header, the header (JSON, padded with spaces), the bytes of the arrays.
 * github.com/huggingface/safetensors, format of 2023: the arrays tile the rest of the file without holes. */
#include "container.h"
#include "cursor.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t longest_header = 100000000;

typedef struct { const uint8_t *data; uint64_t size; } section;

/* Types of the format that this version does not widen. */
static bool known_elsewhere(const char *type) {
    static const char *const names[] = { "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F4", "F6_E2M3", "F6_E3M2", "C64",
                                         "C128" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(type, names[i]) == 0) return true;
    return false;
}

static sonde_status read_type(const json *entry, stored_tensor *t, sonde_error *err) {
    const char *type;
    size_t len;
    SONDE_FAIL_IF(!json_string(json_get(entry, "dtype"), &type, &len), err, SONDE_FORMAT, "has no dtype");
    SONDE_FAIL_IF(known_elsewhere(type), err, SONDE_UNSUPPORTED,
                  "dtype %s is not read; convert it to F32, F16 or BF16", type);
    SONDE_FAIL_IF(len != strlen(type) || !dtype_find(type, &t->type), err, SONDE_FORMAT, "dtype \"%s\" is unknown",
                  text_shown(type, len).text);
    return SONDE_OK;
}

static sonde_status read_shape(const json *entry, stored_tensor *t, sonde_error *err) {
    const json *shape = json_get(entry, "shape");
    SONDE_FAIL_IF(!shape || shape->kind != JSON_ARRAY, err, SONDE_FORMAT, "has no shape");
    SONDE_FAIL_IF(shape->len > WEIGHT_MAX_RANK, err, SONDE_UNSUPPORTED,
                  "has %zu dimensions, at most %d are read", shape->len, WEIGHT_MAX_RANK);
    t->rank = 0;
    for (const json *d = shape->child; d; d = d->next)
        SONDE_FAIL_IF(!json_int(d, &t->dim[t->rank++]) || t->dim[t->rank - 1] < 0, err, SONDE_FORMAT,
                      "shape holds %s, expected whole numbers from 0 to 2^63 - 1",
                      d->kind == JSON_NUMBER ? text_shown(d->text, d->len).text : "something that is no number");
    SONDE_FAIL_IF(!shape_bytes(t->dim, t->rank, t->type, &t->bytes), err, SONDE_FORMAT,
                  "its shape needs 2^63 bytes or more");
    return SONDE_OK;
}

static sonde_status read_offsets(const json *entry, section s, stored_tensor *t, sonde_error *err) {
    const json *pair = json_get(entry, "data_offsets");
    int64_t begin, end;
    SONDE_FAIL_IF(!pair || pair->kind != JSON_ARRAY || pair->len != 2 || !json_int(pair->child, &begin)
                  || !json_int(pair->child->next, &end) || begin < 0, err, SONDE_FORMAT,
                  "data_offsets are not two whole numbers from 0 to 2^63 - 1");
    SONDE_FAIL_IF(begin > end, err, SONDE_FORMAT, "begins at %" PRId64 ", behind its end %" PRId64, begin, end);
    const uint64_t extent = (uint64_t)end - (uint64_t)begin;
    SONDE_FAIL_IF(extent != t->bytes, err, SONDE_FORMAT,
                  "data_offsets hold %" PRIu64 " bytes, dtype and shape need %" PRIu64, extent, t->bytes);
    SONDE_FAIL_IF((uint64_t)end > s.size, err, SONDE_FORMAT, "ends %" PRIu64 " bytes past the end of the file",
                  (uint64_t)end - s.size);
    t->data = s.data + begin;
    return SONDE_OK;
}

static sonde_status read_tensor(const json *entry, section s, stored_tensor *t, sonde_error *err) {
    t->name = entry->key;
    SONDE_FAIL_IF(entry->key_len > WEIGHT_MAX_NAME, err, SONDE_FORMAT,
                  "its name is %zu bytes long, at most %d are allowed", entry->key_len, WEIGHT_MAX_NAME);
    SONDE_FAIL_IF(strlen(entry->key) != entry->key_len, err, SONDE_FORMAT, "its name holds a NUL");
    SONDE_FAIL_IF(entry->kind != JSON_OBJECT, err, SONDE_FORMAT, "is not described by an object");
    SONDE_TRY(read_type(entry, t, err));
    SONDE_TRY(read_shape(entry, t, err));
    return read_offsets(entry, s, t, err);
}

static int by_place(const void *a, const void *b) {
    const stored_tensor *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* The arrays, in the order of their places, must touch: what lies between or behind them could be another file.
 * Leaves them in that order. */
static sonde_status check_tiling(weights *w, section s, sonde_error *err) {
    uint64_t at = 0;
    if (w->n) qsort(w->tensor, w->n, sizeof *w->tensor, by_place);
    for (size_t i = 0; i < w->n; i++) {
        const stored_tensor *t = &w->tensor[i];
        const uint64_t begin = (uint64_t)(t->data - s.data);
        SONDE_FAIL_IF(begin != at, err, SONDE_FORMAT, "tensor %s: begins at %" PRIu64 ", expected %" PRIu64 ": %s",
                      name_shown(t->name).text, begin, at, begin > at ? "a hole" : "tensors overlap");
        at += t->bytes;
    }
    SONDE_FAIL_IF(at != s.size, err, SONDE_FORMAT, "%" PRIu64 " bytes stand behind the last tensor", s.size - at);
    return SONDE_OK;
}

static sonde_status check_notes(const json *notes, sonde_error *err) {
    SONDE_FAIL_IF(notes->kind != JSON_OBJECT, err, SONDE_FORMAT, "__metadata__ is no object");
    SONDE_FAIL_IF(notes->len > WEIGHT_MAX_NOTES, err, SONDE_FORMAT,
                  "__metadata__ has %zu members, at most %d are allowed", notes->len, WEIGHT_MAX_NOTES);
    for (const json *c = notes->child; c; c = c->next)
        SONDE_FAIL_IF(c->kind != JSON_STRING, err, SONDE_FORMAT, "__metadata__: %s is no string",
                      text_shown(c->key, c->key_len).text);
    return SONDE_OK;
}

static sonde_status read_header(weights *w, const json *header, section s, sonde_error *err) {
    SONDE_FAIL_IF(header->len > WEIGHT_MAX_TENSORS, err, SONDE_FORMAT,
                  "header names %zu tensors, at most %d are allowed", header->len, WEIGHT_MAX_TENSORS);
    w->tensor = arena_new_array(w->memory, stored_tensor, header->len);
    for (const json *c = header->child; c; c = c->next) {
        if (strcmp(c->key, "__metadata__") == 0 && c->key_len == strlen(c->key)) {
            SONDE_TRY(check_notes(c, err));
            w->notes = c;
            continue;
        }
        const sonde_status status = read_tensor(c, s, &w->tensor[w->n], err);
        if (status != SONDE_OK) return sonde_fail_at(err, status, "tensor %s", text_shown(c->key, c->key_len).text);
        w->n++;
    }
    SONDE_TRY(check_tiling(w, s, err));
    weights_sort(w);
    return SONDE_OK;
}

/* The header's text without its padding, and the section behind it. */
static sonde_status split(const file_map *f, const char **text, size_t *len, section *s, sonde_error *err) {
    cursor c = { f->data, f->data + f->size, false };
    const uint64_t n = cursor_u64(&c);
    SONDE_FAIL_IF(c.bad, err, SONDE_FORMAT, "file is %zu bytes, a safetensors file has at least 10", f->size);
    SONDE_FAIL_IF(n > longest_header, err, SONDE_FORMAT,
                  "header length is %" PRIu64 ", at most %" PRIu64 " is allowed", n, longest_header);
    const uint64_t left = (uint64_t)(c.end - c.at);
    const uint8_t *head = cursor_take(&c, n);
    SONDE_FAIL_IF(c.bad, err, SONDE_FORMAT, "header length is %" PRIu64 ", but %" PRIu64 " bytes follow it", n, left);
    SONDE_FAIL_IF(n < 2 || head[0] != '{', err, SONDE_FORMAT, "header does not begin with {");
    *len = (size_t)n;
    while (head[*len - 1] == ' ') --*len;
    SONDE_FAIL_IF(head[*len - 1] != '}', err, SONDE_FORMAT, "header does not end with } and spaces");
    *text = (const char *)head;
    *s = (section){ c.at, (uint64_t)(c.end - c.at) };
    return SONDE_OK;
}

static sonde_status read_file(weights *w, sonde_error *err) {
    const char *text;
    size_t len;
    section s;
    SONDE_TRY(split(&w->file, &text, &len, &s, err));
    const json *header;
    const sonde_status status = json_parse(text, len, w->memory, &header, err);
    if (status != SONDE_OK) return sonde_fail_at(err, status, "header");
    return read_header(w, header, s, err);
}

sonde_status safetensors_read(file_map file, weights **out, sonde_error *err) {
    weights *w = weights_new(file);
    const sonde_status s = read_file(w, err);
    if (s == SONDE_OK) *out = w;
    else weights_close(w);
    return s;
}

static bool probe(const uint8_t *head, size_t n) {
    cursor c = { head, head + n, false };
    const uint64_t length = cursor_u64(&c);
    const uint8_t *first = cursor_take(&c, 1);
    return first && *first == '{' && length <= longest_header;
}

static sonde_status open_file(const char *path, weights **out, sonde_error *err) {
    file_map f;
    SONDE_TRY(file_map_open(&f, path, err));
    const sonde_status s = safetensors_read(f, out, err);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s", name_shown(path).text);
}

extern const format format_safetensors;
const format format_safetensors = {
    .name = "safetensors", .doc = "Hugging Face safetensors: a JSON header, then the arrays",
    .probe = probe, .open = open_file,
};
