/* Any bytes: entries that lie apart inside them and are found by their names, or a refusal; and what the readers that stand
 * on it, torch's and numpy's, make of them. */
#include "target.h"
#include "format/npz.h"
#include "format/torch.h"
#include "format/zip.h"
#include <string.h>

static void check_error(sonde_status s, const sonde_error *err) {
    PROMISE(s == SONDE_FORMAT || s == SONDE_UNSUPPORTED);
    PROMISE(err->message[0] && !strchr(err->message, '\n') && !strchr(err->message, 27));
}

static void check_archive(const file_map *f) {
    arena *a = arena_new();
    zip_archive z;
    sonde_error err = { 0 };
    const sonde_status s = zip_read(f, a, &z, &err);
    if (s != SONDE_OK) check_error(s, &err);
    const uint8_t *end = f->data;
    for (size_t i = 0; s == SONDE_OK && i < z.n; i++) {
        const zip_entry *e = &z.entry[i];
        PROMISE(f->data + e->begin >= end && e->data >= f->data + e->begin + 30 && e->name_len > 0);
        PROMISE(e->size <= f->size && e->data + e->size <= f->data + f->size);
        PROMISE(strlen(e->name) == e->name_len && zip_find(&z, e->name, e->name_len) == e);
        (void)zip_check(e, &err);
        end = e->data + e->size;
    }
    arena_free(a);
}

static void check_weights(sonde_status s, weights *w, const sonde_error *err) {
    if (s != SONDE_OK) {
        PROMISE(!w);
        check_error(s, err);
        return;
    }
    for (size_t i = 0; i < weights_count(w); i++) {
        const stored_tensor *t = weights_at(w, i);
        PROMISE(weights_find(w, t->name) == t);
        const uint64_t items = t->bytes / (uint64_t)dtype_table[t->type].bytes;
        float *out = malloc(items * sizeof *out + 1);
        PROMISE(out);
        dtype_table[t->type].to_f32(out, t->data, items);
        free(out);
    }
    weights_close(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const file_map f = { .data = data, .size = size };
    weights *w = NULL;
    sonde_error err = { 0 };
    check_archive(&f);
    sonde_status s = torch_zip_read(f, &w, &err);
    check_weights(s, w, &err);
    w = NULL;
    s = npz_read(f, &w, &err);
    check_weights(s, w, &err);
    (void)npz_probe(data, size);
    return 0;
}
