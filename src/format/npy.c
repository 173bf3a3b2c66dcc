/* npy: magic, version, length of the header, the header (a Python dictionary), the items. One array, named "".
 * numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include "container.h"
#include "cursor.h"
#include "base/text.h"
#include "sonde/array_file.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAGIC_BYTES = 6, KEYS = 3 };
static const char magic[] = "\x93NUMPY";

bool npy_probe(const uint8_t *head, size_t n) { return n >= MAGIC_BYTES && memcmp(head, magic, MAGIC_BYTES) == 0; }

typedef struct { const char *at, *end; } literal;       /* what is left of the header */

static void skip_spaces(literal *l) {
    while (l->at < l->end && (*l->at == ' ' || *l->at == '\n')) l->at++;
}

static bool take(literal *l, char c) {
    skip_spaces(l);
    if (l->at == l->end || *l->at != c) return false;
    l->at++;
    return true;
}

static bool take_word(literal *l, const char *word) {
    const size_t n = strlen(word);
    skip_spaces(l);
    if ((size_t)(l->end - l->at) < n || memcmp(l->at, word, n) != 0) return false;
    l->at += n;
    return true;
}

/* A string without escapes: numpy writes none. */
static bool take_string(literal *l, const char **text, size_t *len) {
    skip_spaces(l);
    if (l->at == l->end || (*l->at != '\'' && *l->at != '"')) return false;
    const char *close = memchr(l->at + 1, *l->at, (size_t)(l->end - l->at - 1));
    if (!close) return false;
    *text = l->at + 1;
    *len = (size_t)(close - *text);
    l->at = close + 1;
    return true;
}

static bool take_int(literal *l, int64_t *out) {
    skip_spaces(l);
    const char *begin = l->at;
    int64_t v = 0;
    for (; l->at < l->end && *l->at >= '0' && *l->at <= '9'; l->at++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *l->at - '0', &v)) return false;
    *out = v;
    return l->at > begin;
}

static sonde_status read_descr(literal *l, stored_tensor *t, sonde_error *err) {
    static const struct { const char *descr; dtype_id type; } rows[] = {
        { "<f8", DTYPE_F64 }, { "<f4", DTYPE_F32 }, { "<f2", DTYPE_F16 }, { "<i8", DTYPE_I64 }, { "<i4", DTYPE_I32 },
        { "<i2", DTYPE_I16 }, { "|i1", DTYPE_I8 },  { "<u8", DTYPE_U64 }, { "<u4", DTYPE_U32 }, { "<u2", DTYPE_U16 },
        { "|u1", DTYPE_U8 },  { "|b1", DTYPE_BOOL },
    };
    const char *text;
    size_t len;
    SONDE_FAIL_IF(take(l, '['), err, SONDE_UNSUPPORTED, "npy: an array of records is not read");
    SONDE_FAIL_IF(!take_string(l, &text, &len), err, SONDE_FORMAT, "npy: descr is no string");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (len == 3 && memcmp(text, rows[i].descr, 3) == 0) {
            t->type = rows[i].type;
            return SONDE_OK;
        }
    return sonde_fail(err, SONDE_UNSUPPORTED, "npy: dtype %s is not read, expected little-endian floats or integers",
                      text_shown(text, len).text);
}

static sonde_status read_order(literal *l, bool *fortran, sonde_error *err) {
    *fortran = take_word(l, "True");
    SONDE_FAIL_IF(!*fortran && !take_word(l, "False"), err, SONDE_FORMAT,
                  "npy: fortran_order is neither True nor False");
    return SONDE_OK;
}

/* A tuple: "()", "(3,)", "(3, 4)"; "(3)" is no tuple. */
static sonde_status read_shape(literal *l, stored_tensor *t, sonde_error *err) {
    bool comma = true;
    SONDE_FAIL_IF(!take(l, '('), err, SONDE_FORMAT, "npy: shape is no tuple");
    while (!take(l, ')')) {
        int64_t dim;
        SONDE_FAIL_IF(!comma || !take_int(l, &dim), err, SONDE_FORMAT,
                      "npy: shape holds something else than whole numbers from 0 to 2^63 - 1");
        SONDE_FAIL_IF(t->rank == WEIGHT_MAX_RANK, err, SONDE_UNSUPPORTED, "npy: more than %d dimensions are not read",
                      WEIGHT_MAX_RANK);
        t->dim[t->rank++] = dim;
        comma = take(l, ',');
    }
    SONDE_FAIL_IF(t->rank == 1 && !comma, err, SONDE_FORMAT, "npy: shape is no tuple");
    return SONDE_OK;
}

static sonde_status read_member(literal *l, stored_tensor *t, bool *fortran, bool seen[KEYS], sonde_error *err) {
    static const char *const keys[KEYS] = { "descr", "fortran_order", "shape" };
    const char *key;
    size_t len;
    int which = 0;
    SONDE_FAIL_IF(!take_string(l, &key, &len) || !take(l, ':'), err, SONDE_FORMAT, "npy: header is no dictionary");
    while (which < KEYS && (len != strlen(keys[which]) || memcmp(key, keys[which], len) != 0)) which++;
    SONDE_FAIL_IF(which == KEYS || seen[which], err, SONDE_FORMAT, "npy: header has the key %s%s",
                  text_shown(key, len).text, which == KEYS ? "" : " twice");
    seen[which] = true;
    if (which == 0) return read_descr(l, t, err);
    return which == 1 ? read_order(l, fortran, err) : read_shape(l, t, err);
}

static sonde_status read_dictionary(literal *l, stored_tensor *t, sonde_error *err) {
    bool seen[KEYS] = { false }, fortran = false, comma = true;
    SONDE_FAIL_IF(!take(l, '{'), err, SONDE_FORMAT, "npy: header is no dictionary");
    while (!take(l, '}')) {
        SONDE_FAIL_IF(!comma, err, SONDE_FORMAT, "npy: header lacks a comma or its end");
        SONDE_TRY(read_member(l, t, &fortran, seen, err));
        comma = take(l, ',');
    }
    skip_spaces(l);
    SONDE_FAIL_IF(l->at != l->end, err, SONDE_FORMAT, "npy: text stands behind the header's dictionary");
    SONDE_FAIL_IF(!seen[0] || !seen[1] || !seen[2], err, SONDE_FORMAT,
                  "npy: header lacks descr, fortran_order or shape");
    SONDE_FAIL_IF(fortran && t->rank > 1, err, SONDE_UNSUPPORTED,
                  "npy: the array is in Fortran order; save numpy.ascontiguousarray of it");
    return SONDE_OK;
}

/* Version 1 has a 16-bit length, 2 and 3 (UTF-8 header) a 32-bit one. */
static sonde_status split(const file_map *f, literal *l, cursor *c, sonde_error *err) {
    *c = (cursor){ f->data, f->data + f->size, false };
    SONDE_FAIL_IF(!npy_probe(f->data, f->size), err, SONDE_FORMAT, "does not begin like an npy file");
    const uint8_t *version = cursor_take(c, MAGIC_BYTES + 2);
    const int bytes = version && version[MAGIC_BYTES] == 1 ? 2 : 4;
    const uint8_t *p = cursor_take(c, (uint64_t)bytes);
    SONDE_FAIL_IF(c->bad, err, SONDE_FORMAT, "npy: the file ends inside its header");
    SONDE_FAIL_IF(version[MAGIC_BYTES] < 1 || version[MAGIC_BYTES] > 3 || version[MAGIC_BYTES + 1] != 0, err,
                  SONDE_UNSUPPORTED, "npy: version %d.%d is not read, expected 1.0, 2.0 or 3.0", version[MAGIC_BYTES],
                  version[MAGIC_BYTES + 1]);
    uint32_t n = 0;
    memcpy(&n, p, (size_t)bytes);
    const char *text = (const char *)cursor_take(c, n);
    SONDE_FAIL_IF(c->bad, err, SONDE_FORMAT, "npy: the file ends inside its header");
    *l = (literal){ text, text + n };
    return SONDE_OK;
}

sonde_status npy_read_array(const file_map *f, stored_tensor *t, sonde_error *err) {
    literal l;
    cursor c;
    SONDE_TRY(split(f, &l, &c, err));
    SONDE_TRY(read_dictionary(&l, t, err));
    const uint64_t left = (uint64_t)(c.end - c.at);
    SONDE_FAIL_IF(!shape_bytes(t->dim, t->rank, t->type, &t->bytes), err, SONDE_FORMAT,
                  "npy: the shape needs 2^63 bytes or more");
    SONDE_FAIL_IF(left != t->bytes, err, SONDE_FORMAT,
                  "npy: %" PRIu64 " bytes follow the header, dtype and shape need %" PRIu64, left, t->bytes);
    t->name = "";
    t->data = c.at;
    return SONDE_OK;
}

static sonde_status read_file(weights *w, sonde_error *err) {
    w->tensor = arena_new_array(w->memory, stored_tensor, 1);
    SONDE_TRY(npy_read_array(&w->file, w->tensor, err));
    w->n = 1;
    return SONDE_OK;
}

sonde_status npy_read(file_map file, weights **out, sonde_error *err) {
    weights *w = weights_new(file);
    const sonde_status s = read_file(w, err);
    if (s == SONDE_OK) *out = w;
    else weights_close(w);
    return s;
}

/* The 10 bytes before the dictionary, the dictionary, spaces and a line end: a multiple of 64, as numpy aligns. */
static const char *header_text(arena *a, const sonde_array_spec *spec, size_t *size) {
    const char *dims = "";
    for (int i = 0; i < spec->rank; i++) dims = arena_printf(a, "%s%s%" PRId64, dims, i ? ", " : "", spec->dim[i]);
    const char *text = arena_printf(a, "{'descr': '<f4', 'fortran_order': False, 'shape': (%s%s), }", dims,
                                    spec->rank == 1 ? "," : "");
    *size = (MAGIC_BYTES + 4 + strlen(text) + 1 + 63) / 64 * 64;
    const size_t n = *size - MAGIC_BYTES - 4;
    char *out = arena_alloc(a, *size + 1);
    memcpy(out, magic, MAGIC_BYTES);
    out[MAGIC_BYTES] = 1;
    out[MAGIC_BYTES + 2] = (char)(n & 255);
    out[MAGIC_BYTES + 3] = (char)(n >> 8);
    snprintf(out + MAGIC_BYTES + 4, n + 1, "%-*s\n", (int)n - 1, text);
    return out;
}

static sonde_status write_to(file_out *f, const sonde_array_spec *spec, const float *data, uint64_t bytes,
                             sonde_error *err) {
    arena *a = arena_new();
    size_t size;
    const char *head = header_text(a, spec, &size);
    sonde_status s = file_out_write(f, head, size, err);
    if (s == SONDE_OK) s = file_out_write(f, data, (size_t)bytes, err);
    arena_free(a);
    return s;
}

sonde_status sonde_npy_write(const char *path, const sonde_array_spec *spec, const float *data, sonde_error *err) {
    uint64_t bytes = 0;
    SONDE_FAIL_IF(spec->dtype && strcmp(spec->dtype, "F32") != 0, err, SONDE_USAGE, "npy: dtype is %s, expected F32",
                  name_shown(spec->dtype).text);
    SONDE_FAIL_IF(spec->rank < 0 || spec->rank > SONDE_MAX_RANK, err, SONDE_USAGE, "npy: rank is %d, expected 0 to %d",
                  spec->rank, SONDE_MAX_RANK);
    for (int i = 0; i < spec->rank; i++)
        SONDE_FAIL_IF(spec->dim[i] < 0, err, SONDE_USAGE, "npy: a dimension is %" PRId64, spec->dim[i]);
    SONDE_FAIL_IF(!shape_bytes(spec->dim, spec->rank, DTYPE_F32, &bytes), err, SONDE_USAGE,
                  "npy: the shape is too large");
    file_out f;
    SONDE_TRY(file_out_open(&f, path, err));
    const sonde_status s = write_to(&f, spec, data, bytes, err);
    if (s == SONDE_OK) return file_out_commit(&f, err);
    file_out_drop(&f);
    return s;
}
