/* Any bytes: arrays that fill them, or a refusal. */
#include "target.h"
#include "format/container.h"
#include <string.h>

static volatile float sum;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weights *w = NULL;
    sonde_error err = { 0 };
    const sonde_status s = llama2c_read((file_map){ .data = data, .size = size }, &w, &err);
    if (s != SONDE_OK) {
        PROMISE(!w && (s == SONDE_FORMAT || s == SONDE_UNSUPPORTED));
        PROMISE(err.message[0] && !strchr(err.message, '\n') && !strchr(err.message, 27));
        return 0;
    }
    const int64_t version = weights_meta(w, "llama2c.version")->integer;
    uint64_t total = 0;
    for (size_t i = 0; i < weights_count(w); i++) {
        const stored_tensor *t = weights_at(w, i);
        PROMISE(weights_find(w, t->name) == t && t->type == DTYPE_F32);
        for (uint64_t k = 0; k < t->bytes; k += sizeof(float)) {
            float x;
            memcpy(&x, t->data + k, sizeof x);
            sum += x;
        }
        total += t->bytes;
    }
    PROMISE(version == 2 ? weights_copied(w) <= total : total <= size && weights_copied(w) == 0);
    weights_close(w);
    return 0;
}
