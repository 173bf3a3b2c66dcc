#include "container.h"
#include "gguf_types.h"
#include "base/map.h"
#include <string.h>

const gguf_type gguf_type_table[GGUF_TYPES] = {
#define T(id, row, size, type, sign) [row] = { .bytes = (size), .kind = type, .negative = sign },
    GGUF_TYPE_MAP(T)
#undef T
};

int64_t gguf_integer(const uint8_t *at, uint32_t type) {
    const gguf_type *t = &gguf_type_table[type];
    uint64_t v = 0;
    memcpy(&v, at, t->bytes);
    if (t->bytes == sizeof v) return t->negative || v <= INT64_MAX ? (int64_t)v : INT64_MAX;
    const uint64_t sign = (uint64_t)1 << (8 * t->bytes - 1);
    return t->negative ? (int64_t)((v ^ sign) - sign) : (int64_t)v;
}

double gguf_number(const uint8_t *at, uint32_t type) {
    double d;
    float f;
    if (type == GGUF_F64) {
        memcpy(&d, at, sizeof d);
        return d;
    }
    memcpy(&f, at, sizeof f);
    return (double)f;
}

bool gguf_alignment_valid(int64_t a) { return a >= 8 && a <= 65536 && (a & (a - 1)) == 0; }

bool gguf_align(uint64_t *at, uint64_t alignment) {
    uint64_t up;
    if (__builtin_add_overflow(*at, alignment - 1, &up)) return false;
    *at = up & ~(alignment - 1);
    return true;
}

void weights_meta_reserve(weights *w, size_t most) {
    w->meta = arena_new_array(w->memory, meta_value, most);
    w->meta_place = map_new(w->memory, most);
}

bool weights_meta_add(weights *w, const meta_value *v) {
    if (!map_put(w->meta_place, v->key, strlen(v->key), (int64_t)w->n_meta)) return false;
    w->meta[w->n_meta++] = *v;
    return true;
}

weights *weights_of_list(const meta_value *meta, size_t n_meta, const stored_tensor *tensor, size_t n) {
    weights *w = weights_new((file_map){ 0 });
    weights_meta_reserve(w, n_meta);
    for (size_t i = 0; i < n_meta; i++) weights_meta_add(w, &meta[i]);
    w->tensor = arena_new_array(w->memory, stored_tensor, n + 1);
    memcpy(w->tensor, tensor, n * sizeof *tensor);
    w->n = n;
    weights_sort(w);
    return w;
}

void weights_meta_lend(weights *w, const weights *from) {
    w->meta = from->meta;
    w->n_meta = from->n_meta;
    w->meta_place = from->meta_place;
}

size_t weights_meta_count(const weights *w) { return w->n_meta; }

const meta_value *weights_meta_at(const weights *w, size_t i) { return &w->meta[i]; }

const meta_value *weights_meta(const weights *w, const char *key) {
    int64_t place;
    return w->meta_place && map_get(w->meta_place, key, strlen(key), &place) ? &w->meta[place] : NULL;
}

bool meta_item_int(const meta_value *v, size_t i, int64_t *out) {
    if (v->kind != META_LIST || (v->of != META_INT && v->of != META_BOOL)) return false;
    *out = gguf_integer(v->data + i * v->item, v->stored);
    return true;
}

bool meta_item_number(const meta_value *v, size_t i, double *out) {
    if (v->kind != META_LIST || v->of != META_NUMBER) return false;
    *out = gguf_number(v->data + i * v->item, v->stored);
    return true;
}
