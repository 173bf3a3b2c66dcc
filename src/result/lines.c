#include "sonde/lines.h"
#include "digits.h"
#include "writers.h"
#include "base/file.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct sonde_lines { file_out file; pen p; sonde_error err; char separator; bool begun; };

static sonde_status to_file(void *user, const char *bytes, size_t n, sonde_error *err) {
    return file_out_write(user, bytes, n, err);
}

sonde_status sonde_lines_open(sonde_lines **out, const char *path, sonde_error *err) {
    const char *dot = strrchr(path, '.');
    const bool commas = dot && !strcasecmp(dot, ".csv"), tabs = dot && !strcasecmp(dot, ".tsv");
    SONDE_FAIL_IF(!commas && !tabs, err, SONDE_USAGE, "%s: separated values, expected a name that ends in .csv or .tsv",
                  name_shown(path).text);
    sonde_lines *l = calloc(1, sizeof *l);
    if (!l) abort();
    l->separator = commas ? ',' : '\t';
    pen_open(&l->p, to_file, &l->file, &l->err);
    const sonde_status s = file_out_open(&l->file, path, err);
    if (s == SONDE_OK) *out = l;
    else free(l);
    return s;
}

static void next_field(sonde_lines *l) {
    if (l->begun) pen_put(&l->p, &l->separator, 1);
    l->begun = true;
}

void sonde_lines_text(sonde_lines *l, const char *text) {
    next_field(l);
    csv_write_text(text, l->separator, &l->p);
}

void sonde_lines_int(sonde_lines *l, int64_t v) {
    next_field(l);
    pen_printf(&l->p, "%" PRId64, v);
}

void sonde_lines_float(sonde_lines *l, float v) {
    char digits[DIGITS_ROOM];
    next_field(l);
    pen_text(&l->p, digits_exact((double)v, digits));
}

static sonde_status status_of(const sonde_lines *l, sonde_error *err) {
    SONDE_FAIL_IF(l->p.status != SONDE_OK, err, l->p.status, "%s", l->err.message);
    return SONDE_OK;
}

sonde_status sonde_lines_end(sonde_lines *l, sonde_error *err) {
    pen_text(&l->p, "\n");
    l->begun = false;
    return status_of(l, err);
}

sonde_status sonde_lines_close(sonde_lines *l, sonde_error *err) {
    pen_close(&l->p);
    sonde_status s = status_of(l, err);
    if (s == SONDE_OK) s = file_out_commit(&l->file, err);
    else file_out_drop(&l->file);
    free(l);
    return s;
}

void sonde_lines_drop(sonde_lines *l) {
    if (!l) return;
    file_out_drop(&l->file);
    free(l);
}
