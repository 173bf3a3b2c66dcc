/* GGUF, versions 2 and 3: counts, the metadata, a line for each tensor, padding, the tensors.
 * github.com/ggml-org/ggml/blob/master/docs/gguf.md. Tensors must lie one behind the other in the order of their lines,
 * each padded to the alignment, as llama.cpp demands; the padding of the last may be missing. */
#include "gguf_parts.h"
#include "base/text.h"
#include <inttypes.h>

enum { VERSIONS_FROM = 2, VERSIONS_TO = 3, LEAST_PAIR = 8 + 1 + 4 + 1, LEAST_TENSOR = 8 + 1 + 4 + 8 + 4 + 8 };

typedef struct { uint64_t tensors, pairs, alignment; } header;

/* Types that files hold or once held, and that this version does not read. */
static const char *other_type(uint32_t number) {
    static const struct { uint32_t number; const char *name; } others[] = {
        { 4, "Q4_2" }, { 5, "Q4_3" }, { 9, "Q8_1" }, { 15, "Q8_K" }, { 29, "IQ1_M" }, { 31, "Q4_0_4_4" },
        { 32, "Q4_0_4_8" }, { 33, "Q4_0_8_8" }, { 36, "IQ4_NL_4_4" }, { 37, "IQ4_NL_4_8" }, { 38, "IQ4_NL_8_8" },
        { 40, "NVFP4" },
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].number == number) return others[i].name;
    return "unknown";
}

static bool find_type(uint32_t number, dtype_id *out) {
    for (int i = 0; i < DTYPE_COUNT; i++)
        if ((int64_t)dtype_table[i].gguf == (int64_t)number) {
            *out = (dtype_id)i;
            return true;
        }
    return false;
}

static sonde_status check_version(uint32_t version, sonde_error *err) {
    SONDE_FAIL_IF(version && (version & 0xffff) == 0, err, SONDE_UNSUPPORTED,
                  "is a big-endian GGUF file, expected a little-endian one; gguf-py's gguf_convert_endian turns it");
    SONDE_FAIL_IF(version == 1, err, SONDE_UNSUPPORTED,
                  "is GGUF version 1, expected 2 or 3; convert the original weights again");
    SONDE_FAIL_IF(version == 0, err, SONDE_FORMAT, "GGUF version is 0, expected 2 or 3");
    SONDE_FAIL_IF(version < VERSIONS_FROM || version > VERSIONS_TO, err, SONDE_UNSUPPORTED,
                  "is GGUF version %" PRIu32 ", expected 2 or 3", version);
    return SONDE_OK;
}

static sonde_status read_counts(cursor *c, header *h, sonde_error *err) {
    const uint8_t *magic = cursor_take(c, 4);
    SONDE_FAIL_IF(magic && memcmp(magic, "GGUF", 4) != 0, err, SONDE_FORMAT, "does not begin with GGUF");
    const uint32_t version = gguf_read_u32(c);
    if (!c->bad) SONDE_TRY(check_version(version, err));
    h->tensors = cursor_u64(c);
    h->pairs = cursor_u64(c);
    SONDE_FAIL_IF(c->bad, err, SONDE_FORMAT, "the file ends within its first 24 bytes");
    const uint64_t left = (uint64_t)(c->end - c->at);
    SONDE_FAIL_IF(h->tensors > WEIGHT_MAX_TENSORS || h->tensors > left / LEAST_TENSOR, err, SONDE_FORMAT,
                  "names %" PRIu64 " tensors, but %" PRIu64 " bytes follow, and at most %d are allowed", h->tensors, left,
                  WEIGHT_MAX_TENSORS);
    SONDE_FAIL_IF(h->pairs > WEIGHT_MAX_NOTES || h->pairs > left / LEAST_PAIR, err, SONDE_FORMAT,
                  "names %" PRIu64 " pairs of metadata, but %" PRIu64 " bytes follow, and at most %d are allowed", h->pairs,
                  left, WEIGHT_MAX_NOTES);
    return SONDE_OK;
}

static sonde_status read_alignment(const weights *w, header *h, sonde_error *err) {
    const meta_value *v = weights_meta(w, GGUF_ALIGNMENT_KEY);
    h->alignment = GGUF_ALIGNMENT;
    if (!v) return SONDE_OK;
    SONDE_FAIL_IF(v->kind != META_INT || v->stored != GGUF_U32, err, SONDE_FORMAT,
                  "key " GGUF_ALIGNMENT_KEY ": type is %" PRIu32 ", expected %d",
                  v->kind == META_LIST ? (uint32_t)GGUF_LIST : v->stored, GGUF_U32);
    SONDE_FAIL_IF(!gguf_alignment_valid(v->integer), err, SONDE_FORMAT,
                  "key " GGUF_ALIGNMENT_KEY ": is %" PRId64 ", expected a power of two from 8 to 65536", v->integer);
    h->alignment = (uint64_t)v->integer;
    return SONDE_OK;
}

/* Dimensions stand innermost first in the file. */
static sonde_status read_shape(cursor *c, stored_tensor *t, sonde_error *err) {
    const uint32_t rank = gguf_read_u32(c);
    SONDE_FAIL_IF(!c->bad && (rank < 1 || rank > GGUF_MAX_RANK), err, SONDE_FORMAT,
                  "has %" PRIu32 " dimensions, expected 1 to %d", rank, GGUF_MAX_RANK);
    t->rank = c->bad ? 0 : (int)rank;
    for (int i = t->rank - 1; i >= 0; i--) {
        const uint64_t n = cursor_u64(c);
        SONDE_FAIL_IF(!c->bad && (n < 1 || n > INT64_MAX), err, SONDE_FORMAT,
                      "a dimension is %" PRIu64 ", expected 1 to 2^63 - 1", n);
        t->dim[i] = (int64_t)n;
    }
    return SONDE_OK;
}

static sonde_status check_type(uint32_t number, stored_tensor *t, sonde_error *err) {
    SONDE_FAIL_IF(!find_type(number, &t->type), err, SONDE_UNSUPPORTED,
                  "is stored as type %" PRIu32 " (%s), which is not read; use a file of another type, such as Q8_0 or F16",
                  number, other_type(number));
    const dtype *type = &dtype_table[t->type];
    const int64_t row = t->dim[t->rank - 1];
    SONDE_FAIL_IF(row % type->items, err, SONDE_FORMAT, "rows are %" PRId64 " long, expected a multiple of %d for %s", row,
                  type->items, type->name);
    SONDE_FAIL_IF(!shape_bytes(t->dim, t->rank, t->type, &t->bytes), err, SONDE_FORMAT,
                  "its shape needs 2^63 bytes or more");
    return SONDE_OK;
}

static sonde_status read_tensor(cursor *c, uint64_t expected, stored_tensor *t, sonde_error *err) {
    SONDE_TRY(read_shape(c, t, err));
    const uint32_t type = gguf_read_u32(c);
    const uint64_t offset = cursor_u64(c);
    SONDE_FAIL_IF(c->bad, err, SONDE_FORMAT, "the file ends within its description");
    SONDE_TRY(check_type(type, t, err));
    SONDE_FAIL_IF(offset != expected, err, SONDE_FORMAT, "begins at %" PRIu64 ", expected %" PRIu64, offset, expected);
    return SONDE_OK;
}

static sonde_status read_name(arena *a, cursor *c, stored_tensor *t, sonde_error *err) {
    meta_text name;
    SONDE_TRY(gguf_read_text(c, &name, err));
    SONDE_FAIL_IF(name.len == 0 || name.len > GGUF_MAX_NAME, err, SONDE_FORMAT,
                  "the name is %zu bytes long, expected 1 to %d", name.len, GGUF_MAX_NAME);
    t->name = gguf_name(a, name);
    SONDE_FAIL_IF(!t->name, err, SONDE_FORMAT, "the name %s is no UTF-8, or holds a NUL",
                  text_shown(name.at, name.len).text);
    return SONDE_OK;
}

/* Leaves where each would begin within the data behind all lines to place(). */
static sonde_status read_tensors(weights *w, cursor *c, const header *h, sonde_error *err) {
    uint64_t expected = 0;
    w->tensor = arena_new_array(w->memory, stored_tensor, (size_t)h->tensors);
    while (w->n < h->tensors) {
        stored_tensor *t = &w->tensor[w->n];
        sonde_status s = read_name(w->memory, c, t, err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "tensor %zu", w->n);
        s = read_tensor(c, expected, t, err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "tensor %s", name_shown(t->name).text);
        SONDE_FAIL_IF(__builtin_add_overflow(expected, t->bytes, &expected) || !gguf_align(&expected, h->alignment), err,
                      SONDE_FORMAT, "tensor %s: the tensors up to it need 2^64 bytes or more", name_shown(t->name).text);
        w->n++;
    }
    return SONDE_OK;
}

/* Where each tensor lies. What stands behind the last one's padding could be another file. */
static sonde_status place(weights *w, const cursor *c, const header *h, sonde_error *err) {
    const uint64_t size = w->file.size;
    uint64_t at = (uint64_t)(c->at - w->file.data), end = at;
    (void)gguf_align(&at, h->alignment);                /* of a place in a file: it cannot wrap */
    for (size_t i = 0; i < w->n; i++) {
        stored_tensor *t = &w->tensor[i];
        SONDE_FAIL_IF(at > size || t->bytes > size - at, err, SONDE_FORMAT,
                      "tensor %s: ends %" PRIu64 " bytes past the end of the file", name_shown(t->name).text,
                      at > size ? at - size + t->bytes : t->bytes - (size - at));
        t->data = w->file.data + at;
        at = end = at + t->bytes;
        (void)gguf_align(&at, h->alignment);
    }
    SONDE_FAIL_IF(size > at, err, SONDE_FORMAT, "%" PRIu64 " bytes stand behind the last tensor", size - end);
    return SONDE_OK;
}

static sonde_status read_file(weights *w, sonde_error *err) {
    cursor c = { w->file.data, w->file.data + w->file.size, false };
    header h = { 0 };
    SONDE_TRY(read_counts(&c, &h, err));
    SONDE_TRY(gguf_read_meta(w, &c, h.pairs, err));
    SONDE_TRY(read_alignment(w, &h, err));
    SONDE_TRY(read_tensors(w, &c, &h, err));
    SONDE_TRY(place(w, &c, &h, err));
    weights_sort(w);
    for (size_t i = 1; i < w->n; i++)
        SONDE_FAIL_IF(strcmp(w->tensor[i - 1].name, w->tensor[i].name) == 0, err, SONDE_FORMAT, "tensor %s: stands twice",
                      name_shown(w->tensor[i].name).text);
    return SONDE_OK;
}

sonde_status gguf_read(file_map file, weights **out, sonde_error *err) {
    weights *w = weights_new(file);
    const sonde_status s = read_file(w, err);
    if (s == SONDE_OK) *out = w;
    else weights_close(w);
    return s;
}

static bool probe(const uint8_t *head, size_t n) { return n >= 4 && memcmp(head, "GGUF", 4) == 0; }

sonde_status gguf_open_part(const char *path, weights **out, sonde_error *err) {
    file_map f;
    SONDE_TRY(file_map_open(&f, path, err));
    const sonde_status s = gguf_read(f, out, err);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s", name_shown(path).text);
}

static sonde_status open_file(const char *path, weights **out, sonde_error *err) {
    weights *one;
    SONDE_TRY(gguf_open_part(path, &one, err));
    return gguf_open_set(path, one, out, err);
}

extern const format format_gguf;
const format format_gguf = {
    .name = "gguf", .doc = "GGUF of the ggml programs: typed metadata, then the tensors", .probe = probe, .open = open_file,
};
