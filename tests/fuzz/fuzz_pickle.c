/* Any bytes as a pickle that torch saved: tensors that lie inside their storages (here the bytes themselves) or are copies
 * no larger than twice the bytes, or a refusal. The same bytes as a whole file of the older layout. */
#include "target.h"
#include "format/torch.h"
#include <string.h>

static sonde_status locate(const void *container, const pickle_storage *s, torch_bytes *out, sonde_error *err) {
    const file_map *f = container;
    uint64_t bytes;
    SONDE_FAIL_IF(!torch_storage_bytes(s, &bytes) || bytes > f->size, err, SONDE_FORMAT, "its storage is too long");
    *out = (torch_bytes){ f->data, bytes };
    return SONDE_OK;
}

static void check_error(sonde_status s, const sonde_error *err) {
    PROMISE(s == SONDE_FORMAT || s == SONDE_UNSUPPORTED);
    PROMISE(err->message[0] && !strchr(err->message, '\n') && !strchr(err->message, 27));
}

/* Each array's bytes are all there, and those outside the file are as many as are said to be copied. */
static void check_arrays(const weights *w, const uint8_t *data, size_t size) {
    uint64_t copied = 0;
    for (size_t i = 0; i < weights_count(w); i++) {
        const stored_tensor *t = weights_at(w, i);
        const dtype *type = &dtype_table[t->type];
        uint64_t items = 1;
        PROMISE(t->rank <= WEIGHT_MAX_RANK);
        for (int k = 0; k < t->rank; k++) items *= (uint64_t)t->dim[k];
        PROMISE(items * (uint64_t)type->bytes == t->bytes);
        const bool inside = t->data >= data && t->data <= data + size;
        PROMISE(!inside || t->bytes <= (uint64_t)(data + size - t->data));
        copied += inside ? 0 : t->bytes;
        float *out = malloc(items * sizeof *out + 1);
        PROMISE(out);
        type->to_f32(out, t->data, items);
        free(out);
        PROMISE(weights_find(w, t->name) == t);
    }
    PROMISE(copied == weights_copied(w) && copied <= 2 * size);
}

static void read_pickle(const file_map *f) {
    sonde_error err = { 0 };
    arena *a = arena_new();
    cursor c = { f->data, f->data + f->size, false };
    pickle_source from = { .from = f->data };
    torch_saved saved = { .locate = locate, .container = f };
    sonde_status s = pickle_read(&c, &from, a, &saved.top, &err);
    PROMISE(c.at >= f->data && c.at <= f->data + f->size);
    if (s == SONDE_OK) {
        weights *w = weights_new(*f);
        s = torch_collect(w, &saved, &err);
        if (s == SONDE_OK) check_arrays(w, f->data, f->size);
        weights_close(w);
    }
    if (s != SONDE_OK) check_error(s, &err);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const file_map f = { .data = data, .size = size };
    sonde_error err = { 0 };
    weights *w = NULL;
    read_pickle(&f);
    const sonde_status s = torch_legacy_read(f, &w, &err);
    if (s == SONDE_OK) check_arrays(w, data, size);
    else check_error(s, &err);
    weights_close(w);
    return 0;
}
