/* GGUF's metadata: pairs of a key and a typed value, one behind the other. Texts and lists stay where they lie. */
#include "gguf_parts.h"
#include "base/text.h"
#include <inttypes.h>

static uint64_t left(const cursor *c) { return (uint64_t)(c->end - c->at); }

uint32_t gguf_read_u32(cursor *c) {
    uint32_t v = 0;
    const uint8_t *p = cursor_take(c, sizeof v);
    if (p) memcpy(&v, p, sizeof v);
    return v;
}

sonde_status gguf_read_text(cursor *c, meta_text *out, sonde_error *err) {
    const uint64_t n = cursor_u64(c);
    SONDE_FAIL_IF(c->bad, err, SONDE_FORMAT, "the file ends within the length of a text");
    const uint64_t rest = left(c);
    const uint8_t *at = cursor_take(c, n);
    SONDE_FAIL_IF(!at, err, SONDE_FORMAT, "a text is %" PRIu64 " bytes long, but %" PRIu64 " bytes follow", n, rest);
    *out = (meta_text){ (const char *)at, (size_t)n };
    return SONDE_OK;
}

const char *gguf_name(arena *a, meta_text text) {
    if (memchr(text.at, 0, text.len) || !utf8_valid(text.at, text.len, NULL)) return NULL;
    char *name = arena_alloc(a, text.len + 1);
    memcpy(name, text.at, text.len);
    return name;
}

static sonde_status check_bools(const uint8_t *at, uint64_t n, sonde_error *err) {
    for (uint64_t i = 0; i < n; i++)
        SONDE_FAIL_IF(at[i] > 1, err, SONDE_FORMAT, "a bool is %d, expected 0 or 1", at[i]);
    return SONDE_OK;
}

static sonde_status read_texts(arena *a, cursor *c, meta_value *v, sonde_error *err) {
    meta_text *texts = arena_new_array(a, meta_text, v->n);
    v->texts = texts;
    for (size_t i = 0; i < v->n; i++) {
        const sonde_status s = gguf_read_text(c, &texts[i], err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "item %zu", i);
    }
    return SONDE_OK;
}

static sonde_status read_list(arena *a, cursor *c, meta_value *v, sonde_error *err) {
    v->stored = gguf_read_u32(c);
    const uint64_t n = cursor_u64(c);
    SONDE_FAIL_IF(c->bad, err, SONDE_FORMAT, "the file ends within its value");
    SONDE_FAIL_IF(v->stored == GGUF_LIST, err, SONDE_UNSUPPORTED, "is a list of lists, expected one of numbers or texts");
    SONDE_FAIL_IF(v->stored >= GGUF_TYPES, err, SONDE_FORMAT, "is a list of type %" PRIu32 ", expected 0 to %d", v->stored,
                  GGUF_TYPES - 1);
    const gguf_type *t = &gguf_type_table[v->stored];
    const size_t least = t->bytes ? t->bytes : sizeof(uint64_t);
    SONDE_FAIL_IF(n > left(c) / least, err, SONDE_FORMAT,
                  "is a list of %" PRIu64 " items of %zu bytes or more, but %" PRIu64 " bytes follow", n, least, left(c));
    v->of = t->kind;
    v->n = (size_t)n;
    v->item = t->bytes;
    if (t->kind == META_TEXT) return read_texts(a, c, v, err);
    v->data = cursor_take(c, n * t->bytes);
    return t->kind == META_BOOL ? check_bools(v->data, n, err) : SONDE_OK;
}

static sonde_status read_scalar(cursor *c, meta_value *v, sonde_error *err) {
    v->item = gguf_type_table[v->stored].bytes;
    v->data = cursor_take(c, v->item);
    SONDE_FAIL_IF(!v->data, err, SONDE_FORMAT, "the file ends within its value");
    if (v->kind == META_NUMBER) v->number = gguf_number(v->data, v->stored);
    else v->integer = gguf_integer(v->data, v->stored);
    return v->kind == META_BOOL ? check_bools(v->data, 1, err) : SONDE_OK;
}

static sonde_status read_value(arena *a, cursor *c, meta_value *v, sonde_error *err) {
    v->stored = gguf_read_u32(c);
    SONDE_FAIL_IF(c->bad, err, SONDE_FORMAT, "the file ends within its type");
    SONDE_FAIL_IF(v->stored >= GGUF_TYPES, err, SONDE_FORMAT, "type is %" PRIu32 ", expected 0 to %d", v->stored,
                  GGUF_TYPES - 1);
    v->kind = gguf_type_table[v->stored].kind;
    if (v->kind == META_LIST) return read_list(a, c, v, err);
    return v->kind == META_TEXT ? gguf_read_text(c, &v->text, err) : read_scalar(c, v, err);
}

static sonde_status read_key(arena *a, cursor *c, meta_value *v, sonde_error *err) {
    meta_text key;
    SONDE_TRY(gguf_read_text(c, &key, err));
    SONDE_FAIL_IF(key.len == 0 || key.len > GGUF_MAX_KEY, err, SONDE_FORMAT,
                  "the key is %zu bytes long, expected 1 to %d", key.len, GGUF_MAX_KEY);
    v->key = gguf_name(a, key);
    SONDE_FAIL_IF(!v->key, err, SONDE_FORMAT, "the key %s is no UTF-8, or holds a NUL", text_shown(key.at, key.len).text);
    return SONDE_OK;
}

sonde_status gguf_read_meta(weights *w, cursor *c, uint64_t n, sonde_error *err) {
    weights_meta_reserve(w, (size_t)n);
    for (uint64_t i = 0; i < n; i++) {
        meta_value v = { 0 };
        sonde_status s = read_key(w->memory, c, &v, err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "pair %" PRIu64 " of the metadata", i);
        s = read_value(w->memory, c, &v, err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "key %s", name_shown(v.key).text);
        SONDE_FAIL_IF(!weights_meta_add(w, &v), err, SONDE_FORMAT, "key %s: stands twice", name_shown(v.key).text);
    }
    return SONDE_OK;
}
