#include "npz.h"
#include "zip.h"
#include "base/text.h"
#include <string.h>

/* An entry's name is its array's and ".npy". The local header of a zip has the name's length at 26 and the name at 30. */
static const char ending[] = ".npy";
enum { ENDING = sizeof ending - 1, NAME_LENGTH = 26, NAME = 30 };

bool npz_probe(const uint8_t *head, size_t n) {
    if (!zip_probe(head, n) || n < NAME) return false;
    const size_t len = head[NAME_LENGTH] | (size_t)head[NAME_LENGTH + 1] << 8;
    return len > ENDING && len <= n - NAME && memcmp(head + NAME + len - ENDING, ending, ENDING) == 0;
}

static sonde_status read_entry(weights *w, const zip_entry *e, sonde_error *err) {
    stored_tensor *t = &w->tensor[w->n];
    SONDE_FAIL_IF(e->name_len <= ENDING || strcmp(e->name + e->name_len - ENDING, ending) != 0, err, SONDE_FORMAT,
                  "is no array, expected names that end in .npy");
    SONDE_TRY(zip_check(e, err));
    SONDE_TRY(npy_read_array(&(file_map){ .data = e->data, .size = (size_t)e->size }, t, err));
    char *name = arena_alloc(w->memory, e->name_len - ENDING + 1);
    memcpy(name, e->name, e->name_len - ENDING);
    t->name = name;
    w->n++;
    return SONDE_OK;
}

static sonde_status read_file(weights *w, arena *memory, sonde_error *err) {
    zip_archive z;
    SONDE_TRY(zip_read(&w->file, memory, &z, err));
    SONDE_FAIL_IF(z.compressed, err, SONDE_UNSUPPORTED,
                  "is compressed, as numpy.savez_compressed writes; save the arrays again by numpy.savez");
    w->tensor = arena_new_array(w->memory, stored_tensor, z.n);
    for (size_t i = 0; i < z.n; i++) {
        const sonde_status s = read_entry(w, &z.entry[i], err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "entry %s", name_shown(z.entry[i].name).text);
    }
    weights_sort(w);
    return SONDE_OK;
}

sonde_status npz_read(file_map file, weights **out, sonde_error *err) {
    weights *w = weights_new(file);
    arena *memory = arena_new();
    const sonde_status s = read_file(w, memory, err);
    arena_free(memory);
    if (s == SONDE_OK) *out = w;
    else weights_close(w);
    return s;
}
