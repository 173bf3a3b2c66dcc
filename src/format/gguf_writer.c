#include "gguf_writer.h"
#include "container.h"
#include "base/map.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* BUFFER: where the file system has large pages, what is written at once lies in one, and a file just written is mapped in no
 * time. */
enum { BUFFER = 1 << 21, VERSION = 3 };

typedef struct { const char *name; uint64_t bytes; } tensor_room;

struct gguf_writer {
    file_out     out;
    arena       *memory;
    tensor_room *tensor;        /* [n] */
    size_t       n, at;         /* at: which tensor is being written */
    uint64_t     done;          /* bytes of it that are there */
    uint64_t     alignment, written;
    uint8_t     *buffer;        /* [BUFFER] */
    size_t       used;
};

/* -- bytes -- */

static sonde_status flush(gguf_writer *w, sonde_error *err) {
    const size_t n = w->used;
    w->used = 0;
    const sonde_status s = file_out_write(&w->out, w->buffer, n, err);
    if (s == SONDE_OK) return s;
    if (w->at == 0 && w->done == 0) return sonde_fail_at(err, s, "writing metadata");
    return sonde_fail_at(err, s, "writing tensor %s", name_shown(w->tensor[w->done ? w->at : w->at - 1].name).text);
}

static sonde_status put(gguf_writer *w, const void *bytes, size_t n, sonde_error *err) {
    const uint8_t *from = bytes;
    w->written += n;
    while (n > 0) {
        if (w->used == BUFFER) SONDE_TRY(flush(w, err));
        const size_t room = BUFFER - w->used, part = n < room ? n : room;
        memcpy(w->buffer + w->used, from, part);
        w->used += part;
        from += part;
        n -= part;
    }
    return SONDE_OK;
}

static sonde_status put_u32(gguf_writer *w, uint32_t v, sonde_error *err) { return put(w, &v, sizeof v, err); }

static sonde_status put_u64(gguf_writer *w, uint64_t v, sonde_error *err) { return put(w, &v, sizeof v, err); }

static sonde_status put_text(gguf_writer *w, meta_text text, sonde_error *err) {
    SONDE_TRY(put_u64(w, text.len, err));
    return put(w, text.at, text.len, err);
}

static sonde_status pad(gguf_writer *w, sonde_error *err) {
    while (w->written % w->alignment) SONDE_TRY(put(w, "", 1, err));
    return SONDE_OK;
}

static meta_text text_of(const char *text) { return (meta_text){ text, strlen(text) }; }

/* -- metadata -- */

static bool fits(int64_t v, uint32_t type) {
    const gguf_type *t = &gguf_type_table[type];
    if (type == GGUF_BOOL) return v == 0 || v == 1;
    if (t->bytes == sizeof v) return t->negative || v >= 0;
    const int64_t over = (int64_t)1 << (8 * t->bytes - t->negative);
    return v < over && v >= (t->negative ? -over : 0);
}

static sonde_status check_value(const meta_value *v, sonde_error *err) {
    const meta_kind kind = v->kind == META_LIST ? v->of : v->kind;
    SONDE_FAIL_IF(v->stored >= GGUF_TYPES || kind == META_LIST || gguf_type_table[v->stored].kind != kind, err, SONDE_USAGE,
                  "its type is %" PRIu32 ", which is of another kind", v->stored);
    SONDE_FAIL_IF(v->kind == META_LIST && v->item != gguf_type_table[v->stored].bytes, err, SONDE_USAGE,
                  "its items have %zu bytes, expected %zu", v->item, gguf_type_table[v->stored].bytes);
    SONDE_FAIL_IF((v->kind == META_INT || v->kind == META_BOOL) && !fits(v->integer, v->stored), err, SONDE_USAGE,
                  "%" PRId64 " does not fit its type", v->integer);
    return SONDE_OK;
}

static sonde_status check_alignment(gguf_writer *w, const meta_value *v, sonde_error *err) {
    SONDE_FAIL_IF(v->kind != META_INT || v->stored != GGUF_U32 || !gguf_alignment_valid(v->integer), err, SONDE_USAGE,
                  "is no u32 that is a power of two from 8 to 65536");
    w->alignment = (uint64_t)v->integer;
    return SONDE_OK;
}

static sonde_status check_meta(gguf_writer *w, const gguf_contents *holds, sonde_error *err) {
    map *keys = map_new(w->memory, holds->n_meta);
    SONDE_FAIL_IF(holds->n_meta > WEIGHT_MAX_NOTES, err, SONDE_USAGE, "%zu pairs of metadata are more than %d",
                  holds->n_meta, WEIGHT_MAX_NOTES);
    for (size_t i = 0; i < holds->n_meta; i++) {
        const meta_value *v = &holds->meta[i];
        const size_t n = strlen(v->key);
        sonde_status s = SONDE_OK;
        if (n == 0 || n > GGUF_MAX_KEY || !utf8_valid(v->key, n, NULL))
            s = sonde_fail(err, SONDE_USAGE, "is no UTF-8 of 1 to %d bytes", GGUF_MAX_KEY);
        else if (!map_put(keys, v->key, n, 0)) s = sonde_fail(err, SONDE_USAGE, "stands twice");
        else s = check_value(v, err);
        if (s == SONDE_OK && strcmp(v->key, GGUF_ALIGNMENT_KEY) == 0) s = check_alignment(w, v, err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "key %s", name_shown(v->key).text);
    }
    return SONDE_OK;
}

/* What was read is written as it lay, so that a number keeps every bit: of a u64 or a NaN the value here does not say
 * all. */
static sonde_status put_scalar(gguf_writer *w, const meta_value *v, sonde_error *err) {
    const size_t n = gguf_type_table[v->stored].bytes;
    const bool number = v->kind == META_NUMBER;
    const double stored = number && v->data ? gguf_number(v->data, v->stored) : 0;
    if (v->data && (number ? memcmp(&stored, &v->number, sizeof stored) == 0
                           : gguf_integer(v->data, v->stored) == v->integer))
        return put(w, v->data, n, err);
    const float narrow = (float)v->number;
    const void *value = v->stored == GGUF_F32 ? (const void *)&narrow : number ? (const void *)&v->number : &v->integer;
    return put(w, value, n, err);
}

static sonde_status put_pair(gguf_writer *w, const meta_value *v, sonde_error *err) {
    SONDE_TRY(put_text(w, text_of(v->key), err));
    if (v->kind == META_LIST) {
        SONDE_TRY(put_u32(w, GGUF_LIST, err));
        SONDE_TRY(put_u32(w, v->stored, err));
        SONDE_TRY(put_u64(w, v->n, err));
        if (v->of != META_TEXT) return put(w, v->data, v->n * v->item, err);
        for (size_t i = 0; i < v->n; i++) SONDE_TRY(put_text(w, v->texts[i], err));
        return SONDE_OK;
    }
    SONDE_TRY(put_u32(w, v->stored, err));
    return v->kind == META_TEXT ? put_text(w, v->text, err) : put_scalar(w, v, err);
}

/* -- tensors -- */

static sonde_status check_tensor(const gguf_spec *t, uint64_t *bytes, sonde_error *err) {
    const size_t n = strlen(t->name);
    SONDE_FAIL_IF(n == 0 || n > GGUF_MAX_NAME || !utf8_valid(t->name, n, NULL), err, SONDE_USAGE,
                  "the name is no UTF-8 of 1 to %d bytes", GGUF_MAX_NAME);
    SONDE_FAIL_IF(dtype_table[t->type].gguf < 0, err, SONDE_USAGE, "GGUF has no type %s", dtype_table[t->type].name);
    SONDE_FAIL_IF(t->rank < 1 || t->rank > GGUF_MAX_RANK, err, SONDE_USAGE, "has %d dimensions, expected 1 to %d", t->rank,
                  GGUF_MAX_RANK);
    for (int i = 0; i < t->rank; i++)
        SONDE_FAIL_IF(t->dim[i] < 1, err, SONDE_USAGE, "a dimension is %" PRId64 ", expected 1 or more", t->dim[i]);
    SONDE_FAIL_IF(!shape_bytes(t->dim, t->rank, t->type, bytes), err, SONDE_USAGE,
                  "its rows are no whole blocks of %d, or it is too large", dtype_table[t->type].items);
    return SONDE_OK;
}

static sonde_status check_tensors(gguf_writer *w, const gguf_contents *holds, sonde_error *err) {
    map *names = map_new(w->memory, w->n);
    uint64_t total = 0;
    SONDE_FAIL_IF(w->n > WEIGHT_MAX_TENSORS, err, SONDE_USAGE, "%zu tensors are more than %d", w->n, WEIGHT_MAX_TENSORS);
    for (size_t i = 0; i < w->n; i++) {
        const gguf_spec *t = &holds->tensor[i];
        sonde_status s = check_tensor(t, &w->tensor[i].bytes, err);
        w->tensor[i].name = arena_printf(w->memory, "%s", t->name);
        if (s == SONDE_OK && !map_put(names, w->tensor[i].name, strlen(t->name), 0))
            s = sonde_fail(err, SONDE_USAGE, "stands twice");
        if (s == SONDE_OK && (__builtin_add_overflow(total, w->tensor[i].bytes, &total) ||
                              !gguf_align(&total, w->alignment) || total > INT64_MAX / 2))
            s = sonde_fail(err, SONDE_USAGE, "the tensors up to it are too large for a file");
        if (s != SONDE_OK) return sonde_fail_at(err, s, "tensor %s", name_shown(t->name).text);
    }
    return SONDE_OK;
}

static sonde_status put_line(gguf_writer *w, const gguf_spec *t, uint64_t offset, sonde_error *err) {
    SONDE_TRY(put_text(w, text_of(t->name), err));
    SONDE_TRY(put_u32(w, (uint32_t)t->rank, err));
    for (int i = t->rank - 1; i >= 0; i--) SONDE_TRY(put_u64(w, (uint64_t)t->dim[i], err));
    SONDE_TRY(put_u32(w, (uint32_t)dtype_table[t->type].gguf, err));
    return put_u64(w, offset, err);
}

static sonde_status put_header(gguf_writer *w, const gguf_contents *holds, sonde_error *err) {
    SONDE_TRY(put(w, "GGUF", 4, err));
    SONDE_TRY(put_u32(w, VERSION, err));
    SONDE_TRY(put_u64(w, w->n, err));
    SONDE_TRY(put_u64(w, holds->n_meta, err));
    for (size_t i = 0; i < holds->n_meta; i++) SONDE_TRY(put_pair(w, &holds->meta[i], err));
    uint64_t offset = 0;
    for (size_t i = 0; i < w->n; i++) {
        SONDE_TRY(put_line(w, &holds->tensor[i], offset, err));
        offset += w->tensor[i].bytes;
        (void)gguf_align(&offset, w->alignment);        /* check_tensors has seen that it fits */
    }
    return pad(w, err);
}

/* -- the interface -- */

sonde_status gguf_writer_open(gguf_writer **out, const char *path, const gguf_contents *holds, sonde_error *err) {
    gguf_writer *w = calloc(1, sizeof *w);
    if (!w) abort();
    w->memory = arena_new();
    w->n = holds->n;
    w->alignment = GGUF_ALIGNMENT;
    w->tensor = arena_new_array(w->memory, tensor_room, w->n);
    w->buffer = arena_alloc(w->memory, BUFFER);
    sonde_status s = check_meta(w, holds, err);
    if (s == SONDE_OK) s = check_tensors(w, holds, err);
    if (s == SONDE_OK) s = file_out_open(&w->out, path, err);
    if (s == SONDE_OK) s = put_header(w, holds, err);
    if (s == SONDE_OK) *out = w;
    else gguf_writer_abort(w);
    return s;
}

sonde_status gguf_writer_put(gguf_writer *w, const void *bytes, size_t n, sonde_error *err) {
    const uint8_t *from = bytes;
    while (n > 0) {
        SONDE_FAIL_IF(w->at == w->n, err, SONDE_USAGE, "%zu bytes stand behind the last tensor", n);
        const tensor_room *t = &w->tensor[w->at];
        const uint64_t left = t->bytes - w->done;
        const size_t part = n < left ? n : (size_t)left;
        w->done += part;
        SONDE_TRY(put(w, from, part, err));
        from += part;
        n -= part;
        if (w->done < t->bytes) continue;
        SONDE_TRY(pad(w, err));
        w->at++;
        w->done = 0;
    }
    return SONDE_OK;
}

static void forget(gguf_writer *w) {
    arena_free(w->memory);
    free(w);
}

static sonde_status close_file(gguf_writer *w, sonde_error *err) {
    SONDE_FAIL_IF(w->at < w->n, err, SONDE_USAGE, "tensor %s: %" PRIu64 " of its %" PRIu64 " bytes were written",
                  name_shown(w->tensor[w->at].name).text, w->done, w->tensor[w->at].bytes);
    SONDE_TRY(flush(w, err));
    return file_out_sync(&w->out, err);
}

sonde_status gguf_writer_finish(gguf_writer *w, sonde_error *err) {
    sonde_status s = close_file(w, err);
    if (s == SONDE_OK) s = file_out_commit(&w->out, err);
    else file_out_drop(&w->out);
    forget(w);
    return s;
}

void gguf_writer_abort(gguf_writer *w) {
    if (!w) return;
    file_out_drop(&w->out);
    forget(w);
}

meta_value gguf_make_int(const char *key, uint32_t type, int64_t value) {
    return (meta_value){ .key = key, .kind = gguf_type_table[type].kind, .stored = type, .integer = value };
}

meta_value gguf_make_number(const char *key, uint32_t type, double value) {
    return (meta_value){ .key = key, .kind = META_NUMBER, .stored = type, .number = value };
}

meta_value gguf_make_text(const char *key, const char *text) {
    return (meta_value){ .key = key, .kind = META_TEXT, .stored = GGUF_TEXT, .text = text_of(text) };
}

meta_value gguf_make_list(const char *key, uint32_t type, const void *data, size_t n) {
    return (meta_value){ .key = key, .kind = META_LIST, .of = gguf_type_table[type].kind, .stored = type, .n = n,
                         .item = gguf_type_table[type].bytes, .data = data };
}

meta_value gguf_make_texts(const char *key, const meta_text *texts, size_t n) {
    return (meta_value){ .key = key, .kind = META_LIST, .of = META_TEXT, .stored = GGUF_TEXT, .n = n, .texts = texts };
}
