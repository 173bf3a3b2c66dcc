#include "writers.h"
#include "sonde/version.h"
#include "base/text.h"
#include <string.h>

static sonde_array_spec spec_of(const sonde_array *a) {
    sonde_array_spec s = { .name = a->name, .dtype = "F32", .rank = a->rank };
    memcpy(s.dim, a->dim, sizeof s.dim);
    return s;
}

sonde_status array_save_npy(const sonde_array *a, const char *path, sonde_error *err) {
    const sonde_array_spec spec = spec_of(a);
    return sonde_npy_write(path, &spec, a->data, err);
}

sonde_status arrays_save_npy(const sonde_result *r, const char *path, sonde_error *err) {
    SONDE_FAIL_IF(!r->arrays.n, err, SONDE_USAGE, "%s: this result has no array; .json, .csv and .txt can hold it",
                  name_shown(path).text);
    return array_save_npy(r->arrays.at[0], path, err);
}

static sonde_status write_all(const sonde_result *r, sonde_array_writer *w, sonde_error *err) {
    for (size_t i = 0; i < r->arrays.n; i++)
        SONDE_TRY(sonde_array_write(w, i, 0, r->arrays.at[i]->data, r->arrays.at[i]->n, err));
    return SONDE_OK;
}

sonde_status arrays_save_safetensors(const sonde_result *r, const char *path, sonde_error *err) {
    const size_t n = r->arrays.n;
    SONDE_FAIL_IF(!n, err, SONDE_USAGE, "%s: this result has no array; .json, .csv and .txt can hold it",
                  name_shown(path).text);
    const char *hash = result_model_hash(r);
    const sonde_array_note notes[] = {
        { "sonde", SONDE_VERSION },
        { "method", r->method ? r->method : "" },
        { "model_hash", hash ? hash : "" },
    };
    arena *scratch = arena_new();
    sonde_array_spec *specs = arena_new_array(scratch, sonde_array_spec, n);
    for (size_t i = 0; i < n; i++) specs[i] = spec_of(r->arrays.at[i]);
    sonde_array_writer *w;
    sonde_status s = sonde_array_writer_open(&w, path, (sonde_array_list){ specs, n, notes, sizeof notes / sizeof *notes }, err);
    arena_free(scratch);
    if (s != SONDE_OK) return s;
    s = write_all(r, w, err);
    if (s == SONDE_OK) return sonde_array_writer_close(w, err);
    sonde_array_writer_drop(w);
    return s;
}
