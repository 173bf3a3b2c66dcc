/* Any bytes: one array that ends where they end, or a refusal. */
#include "target.h"
#include "format/container.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weights *w = NULL;
    sonde_error err = { 0 };
    const sonde_status s = npy_read((file_map){ .data = data, .size = size }, &w, &err);
    if (s != SONDE_OK) {
        PROMISE(!w && (s == SONDE_FORMAT || s == SONDE_UNSUPPORTED));
        PROMISE(err.message[0] && !strchr(err.message, '\n') && !strchr(err.message, 27));
        return 0;
    }
    const stored_tensor *t = weights_find(w, "");
    PROMISE(t && weights_count(w) == 1 && npy_probe(data, size));
    PROMISE(t->data > data && t->data + t->bytes == data + size);
    const uint64_t items = t->bytes / (uint64_t)dtype_table[t->type].bytes;
    float *out = malloc(items * sizeof *out + 1);
    PROMISE(out);
    dtype_table[t->type].to_f32(out, t->data, items);
    free(out);
    weights_close(w);
    return 0;
}
