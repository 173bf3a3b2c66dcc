/* Rows of saved tensors: npy, safetensors, and Llama.MIA's raw files (float32, row-major, no header). */
#include "mia.h"
#include "base/file.h"
#include "base/text.h"
#include <string.h>
#include <strings.h>

static bool ends_in(const char *path, const char *ending) {
    const size_t n = strlen(path), k = strlen(ending);
    return n >= k && !strcasecmp(path + n - k, ending);
}

static sonde_status check_from(mia_row r, int64_t rows, sonde_error *err) {
    SONDE_FAIL_IF(r.from >= rows, err, SONDE_USAGE, "%s: row %lld of %s, which has %lld", r.flag, (long long)r.from,
                  name_shown(r.path).text, (long long)rows);
    return SONDE_OK;
}

static sonde_status read_raw(mia_row r, int64_t width, float *out, sonde_error *err) {
    file_map f = { 0 };
    SONDE_TRY(file_map_open(&f, r.path, err));
    const size_t row = (size_t)width * sizeof *out;
    sonde_status s = SONDE_OK;
    if (!f.size || f.size % row)
        s = sonde_fail(err, SONDE_FORMAT, "%s: %s has %zu bytes, expected a multiple of %zu (rows of %lld float32)", r.flag,
                       name_shown(r.path).text, f.size, row, (long long)width);
    else s = check_from(r, (int64_t)(f.size / row), err);
    if (s == SONDE_OK) memcpy(out, f.data + (size_t)r.from * row, row);
    file_map_close(&f);
    return s;
}

/* The array of the site's name, else the only one. */
static sonde_status find_array(const sonde_array_file *f, mia_row r, size_t *which, sonde_error *err) {
    *which = sonde_array_file_find(f, r.site->name);
    if (*which == SIZE_MAX) *which = sonde_array_file_find(f, r.site->graph_name);
    if (*which == SIZE_MAX && sonde_array_file_count(f) == 1 && ends_in(r.path, ".npy")) *which = 0;
    SONDE_FAIL_IF(*which == SIZE_MAX, err, SONDE_NOT_FOUND, "%s: %s has no %s", r.flag, name_shown(r.path).text, r.site->name);
    return SONDE_OK;
}

static sonde_status read_array(const sonde_array_file *f, mia_row r, int64_t width, float *out, sonde_error *err) {
    size_t which;
    SONDE_TRY(find_array(f, r, &which, err));
    const sonde_array_spec *spec = sonde_array_file_spec(f, which);
    int64_t n = 1;
    bool    fits = spec->rank >= 2;
    for (int i = 1; i < spec->rank; i++) fits = fits && !__builtin_mul_overflow(n, spec->dim[i], &n);
    SONDE_FAIL_IF(!fits || n != width, err, SONDE_USAGE, "%s: %s has no rows of %lld numbers, which %s has", r.flag,
                  name_shown(r.path).text, (long long)width, r.site->graph_name);
    SONDE_TRY(check_from(r, spec->dim[0], err));
    return sonde_array_read(f, which, r.from * width, width, out, err);
}

sonde_status mia_row_read(const mia *m, mia_row r, float *out, sonde_error *err) {
    const int64_t width = mia_row_size(r.site);
    (void)m;
    if (!ends_in(r.path, ".npy") && !ends_in(r.path, ".safetensors")) return read_raw(r, width, out, err);
    sonde_array_file *f = NULL;
    SONDE_TRY(sonde_array_file_open(&f, r.path, err));
    const sonde_status s = read_array(f, r, width, out, err);
    sonde_array_file_close(f);
    return s;
}
