/* A result as files, chosen by the ending. Everything is written beside its place first; the file that was asked for
 * is renamed last, and when anything fails the parts that this call renamed are removed again. */
#include "paint.h"
#include "writers.h"
#include "base/file.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct { file_out file; const char *path; } part;    /* path NULL: removed by nobody (a device) */
typedef struct { LIST(part) parts; arena *scratch; const char *stem; } part_list;

const char *part_name(arena *into, const char *stem, const char *between, const char *name, const char *ending) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+";
    char *safe = arena_alloc(into, 3 * strlen(name) + 1), *to = safe;
    for (const char *c = name; *c; c++) {
        if (strchr(plain, *c)) *to++ = *c;
        else to += snprintf(to, 4, "%%%02X", (unsigned)(unsigned char)*c);
    }
    return arena_printf(into, "%s%s%s%s", stem, between, safe, ending);
}

static const char *ending_of(const char *path) {
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash + 1 : path, '.');
    return dot ? dot : path + strlen(path);
}

static const char *stem_of(arena *into, const char *path) {
    return arena_printf(into, "%.*s", (int)(ending_of(path) - path), path);
}

static sonde_status to_file(void *user, const char *bytes, size_t n, sonde_error *err) {
    return file_out_write(user, bytes, n, err);
}

static sonde_status part_open(part_list *l, const char *path, pen *p, sonde_error *err) {
    file_out file = { 0 };
    SONDE_TRY(file_out_open(&file, path, err));
    part *made = LIST_ADD(l->parts);
    made->file = file;
    made->path = file.temporary ? arena_printf(l->scratch, "%s", file.path) : NULL;
    pen_open(p, to_file, &made->file, err);
    return SONDE_OK;
}

/* Renames the parts, the first one last. */
static sonde_status parts_commit(part_list *l, sonde_error *err) {
    for (size_t i = l->parts.n; i-- > 0;) {
        const sonde_status s = file_out_commit(&l->parts.at[i].file, err);
        if (s == SONDE_OK) continue;
        for (size_t k = i + 1; k < l->parts.n; k++)
            if (l->parts.at[k].path) remove(l->parts.at[k].path);
        return s;
    }
    return SONDE_OK;
}

static sonde_status save_text(const sonde_result *r, const char *path, part_list *l, sonde_error *err) {
    pen p;
    SONDE_TRY(part_open(l, path, &p, err));
    plain_write(r, &p);
    SONDE_TRY(pen_close(&p));
    return parts_commit(l, err);
}

static sonde_status check_names(const sonde_result *r, const char *path, sonde_error *err) {
    for (size_t i = 0; i < r->tables.n; i++)
        for (size_t k = 0; k < i; k++)
            SONDE_FAIL_IF(strcmp(r->tables.at[i]->name, r->tables.at[k]->name) == 0, err, SONDE_USAGE,
                          "%s: two tables are named %s", name_shown(path).text,
                          name_shown(r->tables.at[i]->name).text);
    return SONDE_OK;
}

static sonde_status save_csv(const sonde_result *r, const char *path, part_list *l, sonde_error *err) {
    const char *ending = ending_of(path);
    const char separator = strcasecmp(ending, ".tsv") == 0 ? '\t' : ',';
    SONDE_TRY(check_names(r, path, err));
    pen p;
    SONDE_TRY(part_open(l, path, &p, err));
    SONDE_TRY(csv_write_first(r, separator, &p));
    for (size_t i = 1; i < r->tables.n; i++) {
        SONDE_TRY(part_open(l, part_name(l->scratch, l->stem, "-", r->tables.at[i]->name, ending), &p, err));
        csv_write_table(r->tables.at[i], separator, &p);
        SONDE_TRY(pen_close(&p));
    }
    return parts_commit(l, err);
}

/* The npy files of big arrays appear before the JSON that names them. */
static sonde_status save_json(const sonde_result *r, const char *path, part_list *l, sonde_error *err) {
    pen p;
    SONDE_TRY(part_open(l, path, &p, err));
    const char *slash = strrchr(l->stem, '/');
    SONDE_TRY(json_write(r, slash ? slash + 1 : l->stem, &p));
    sonde_status s = SONDE_OK;
    size_t done = 0;
    while (done < r->arrays.n && s == SONDE_OK) {
        const sonde_array *a = r->arrays.at[done];
        if (a->n > JSON_MOST_NUMBERS)
            s = array_save_npy(a, part_name(l->scratch, l->stem, ".", a->name, ".npy"), err);
        if (s == SONDE_OK) done++;
    }
    if (s == SONDE_OK) s = parts_commit(l, err);
    if (s == SONDE_OK) return s;
    for (size_t i = 0; i < done; i++)
        if (r->arrays.at[i]->n > JSON_MOST_NUMBERS)
            remove(part_name(l->scratch, l->stem, ".", r->arrays.at[i]->name, ".npy"));
    return s;
}

static sonde_status save_npy(const sonde_result *r, const char *path, part_list *l, sonde_error *err) {
    (void)l;
    return arrays_save_npy(r, path, err);
}

static sonde_status save_safetensors(const sonde_result *r, const char *path, part_list *l, sonde_error *err) {
    (void)l;
    return arrays_save_safetensors(r, path, err);
}

static paint_format format_of(const char *path) {
    const char *ending = ending_of(path);
    return strcasecmp(ending, ".svg") == 0 ? PAINT_SVG : strcasecmp(ending, ".png") == 0 ? PAINT_PNG : PAINT_PDF;
}

static sonde_status save_picture(const sonde_result *r, const char *path, part_list *l, sonde_error *err) {
    SONDE_FAIL_IF(!r->views.n, err, SONDE_USAGE,
                  "%s: this result has nothing to draw, expected one with views; .html, .json, "
                  ".csv and .txt can hold it", name_shown(path).text);
    pen p;
    SONDE_TRY(part_open(l, path, &p, err));
    gallery g = { arena_new_array(l->scratch, picture *, r->views.n), r->views.n };
    for (size_t i = 0; i < g.n; i++) g.at[i] = picture_of(r, &r->views.at[i], l->scratch);
    sonde_status s = paint_cairo(g, format_of(path), &p);
    for (size_t i = 0; i < g.n; i++) picture_free(g.at[i]);
    if (s == SONDE_OK) s = parts_commit(l, err);
    return s;
}

static sonde_status save_html(const sonde_result *r, const char *path, part_list *l, sonde_error *err) {
    pen p;
    SONDE_TRY(part_open(l, path, &p, err));
    SONDE_TRY(html_write(r, &p));
    return parts_commit(l, err);
}

static const struct {
    const char    *ending;
    sonde_status (*save)(const sonde_result *r, const char *path, part_list *l, sonde_error *err);
    sonde_status (*can)(const char *path, sonde_error *err);            /* NULL: always */
} endings[] = {
    { ".json", save_json, NULL }, { ".csv", save_csv, NULL }, { ".tsv", save_csv, NULL }, { ".npy", save_npy, NULL },
    { ".safetensors", save_safetensors, NULL }, { ".txt", save_text, NULL }, { ".html", save_html, NULL },
    { ".svg", save_picture, paint_can }, { ".png", save_picture, paint_can }, { ".pdf", save_picture, paint_can },
};
enum { ENDINGS = sizeof endings / sizeof *endings };
#define WORKING ".json, .csv, .tsv, .npy, .safetensors, .txt, .html, .svg, .png or .pdf"

static size_t find_ending(const char *path) {
    const char *ending = ending_of(path);
    size_t i = 0;
    while (i < ENDINGS && strcasecmp(ending, endings[i].ending) != 0) i++;
    return i;
}

sonde_status sonde_result_can_save(const char *path, sonde_error *err) {
    const size_t i = find_ending(path);
    SONDE_FAIL_IF(i == ENDINGS, err, SONDE_USAGE, "%s: nothing is known to be written under %s, expected " WORKING,
                  name_shown(path).text, *ending_of(path) ? name_shown(ending_of(path)).text : "no ending");
    return endings[i].can ? endings[i].can(path, err) : SONDE_OK;
}

sonde_status sonde_result_save(const sonde_result *r, const char *path, sonde_error *err) {
    SONDE_TRY(sonde_result_can_save(path, err));
    arena *scratch = arena_new();
    part_list l = { .scratch = scratch, .stem = stem_of(scratch, path) };
    const sonde_status s = endings[find_ending(path)].save(r, path, &l, err);
    for (size_t i = 0; i < l.parts.n; i++) file_out_drop(&l.parts.at[i].file);
    free(l.parts.at);
    arena_free(scratch);
    return s;
}
