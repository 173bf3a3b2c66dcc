/* Any bytes: arrays that lie inside them and can all be read, or a refusal in words fit to be shown. */
#include "target.h"
#include "format/weights.h"
#include "base/text.h"
#include <string.h>

static void read_all(const stored_tensor *t, const uint8_t *data, size_t size) {
    const dtype *type = &dtype_table[t->type];
    uint64_t items = 1;
    for (int i = 0; i < t->rank; i++) items *= (uint64_t)t->dim[i];
    PROMISE(t->rank <= WEIGHT_MAX_RANK && items * (uint64_t)type->bytes == t->bytes);
    PROMISE(t->data >= data && t->bytes <= size && t->data + t->bytes <= data + size);
    float *out = malloc(items * sizeof *out + 1);
    PROMISE(out);
    type->to_f32(out, t->data, items);
    free(out);
    for (uint64_t i = 0; type->integer && i < items; i++) (void)type->to_int(t->data + i * (uint64_t)type->bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weights *w = NULL;
    sonde_error err = { 0 };
    (void)format_table[0]->probe(data, size);
    const sonde_status s = weights_open_memory(data, size, &w, &err);
    if (s != SONDE_OK) {
        PROMISE(!w && (s == SONDE_FORMAT || s == SONDE_UNSUPPORTED));
        PROMISE(err.message[0] && !strchr(err.message, '\n') && !strchr(err.message, 27));
        PROMISE(utf8_valid(err.message, strlen(err.message), NULL) || strlen(err.message) > 900);
        return 0;
    }
    PROMISE(format_table[0]->probe(data, size));
    uint64_t total = 0;
    for (size_t i = 0; i < weights_count(w); i++) {
        const stored_tensor *t = weights_at(w, i);
        read_all(t, data, size);
        PROMISE(weights_find(w, t->name) == t);
        PROMISE(i == 0 || strcmp(weights_at(w, i - 1)->name, t->name) < 0);
        total += t->bytes;
    }
    PROMISE(total < size);
    (void)weights_note(w, "format");
    weights_close(w);
    return 0;
}
