/* Any bytes: tensors that lie inside them in order and metadata that can all be read, or a refusal in words fit to be
 * shown. */
#include "target.h"
#include "format/container.h"
#include "base/text.h"
#include <string.h>

static volatile uint64_t sum;       /* so that every byte is read */

static void read_bytes(const uint8_t *at, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) sum += at[i];
}

static void read_list(const meta_value *v) {
    int64_t whole;
    double x;
    for (size_t i = 0; i < v->n; i++) {
        if (v->of == META_TEXT) read_bytes((const uint8_t *)v->texts[i].at, v->texts[i].len);
        else if (meta_item_int(v, i, &whole)) sum += (uint64_t)whole;
        else PROMISE(meta_item_number(v, i, &x));
    }
}

static void read_meta(const weights *w) {
    for (size_t i = 0; i < weights_meta_count(w); i++) {
        const meta_value *v = weights_meta_at(w, i);
        PROMISE(weights_meta(w, v->key) == v && v->key[0] && v->kind <= META_LIST && v->of < META_LIST);
        if (v->kind == META_LIST) read_list(v);
        else if (v->kind == META_TEXT) read_bytes((const uint8_t *)v->text.at, v->text.len);
        else PROMISE(v->kind != META_BOOL || v->integer == 0 || v->integer == 1);
    }
}

static void read_tensor(const stored_tensor *t, const uint8_t *data, size_t size) {
    const dtype *type = &dtype_table[t->type];
    uint64_t items = 1;
    PROMISE(t->rank >= 1 && t->rank <= 4);
    for (int i = 0; i < t->rank; i++) {
        PROMISE(t->dim[i] >= 1);
        items *= (uint64_t)t->dim[i];
    }
    PROMISE(items / (uint64_t)type->items * (uint64_t)type->bytes == t->bytes);
    PROMISE(t->data >= data && t->bytes <= size && t->data + t->bytes <= data + size);
    read_bytes(t->data, t->bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weights *w = NULL;
    sonde_error err = { 0 };
    const sonde_status s = gguf_read((file_map){ .data = data, .size = size }, &w, &err);
    if (s != SONDE_OK) {
        PROMISE(!w && (s == SONDE_FORMAT || s == SONDE_UNSUPPORTED));
        PROMISE(err.message[0] && !strchr(err.message, '\n') && !strchr(err.message, 27));
        PROMISE(utf8_valid(err.message, strlen(err.message), NULL) || strlen(err.message) > 900);
        return 0;
    }
    uint64_t total = 0;
    read_meta(w);
    for (size_t i = 0; i < weights_count(w); i++) {
        const stored_tensor *t = weights_at(w, i);
        read_tensor(t, data, size);
        PROMISE(weights_find(w, t->name) == t);
        PROMISE(i == 0 || strcmp(weights_at(w, i - 1)->name, t->name) < 0);
        total += t->bytes;
    }
    PROMISE(total < size && weights_copied(w) == 0);
    weights_close(w);
    return 0;
}
