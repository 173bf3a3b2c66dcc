/* FOLDER/weights/NAME.npy, FOLDER/stages/SITE.npy, and at the end FOLDER/index.json: a folder without an index is not
 * finished. One weight is in memory at a time. */
#include "method_rebuild.h"
#include "room.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

typedef struct {
    const rebuild *r;
    const char    *folder;
    char          *path; size_t room;
    sonde_table   *weights, *stages;
    int64_t        done, all;
} exporting;

static sonde_status make_folder(exporting *x, const char *part, sonde_error *err) {
    snprintf(x->path, x->room, "%s%s", x->folder, part);
    if (mkdir(x->path, 0777) == 0 || errno == EEXIST) return SONDE_OK;
    char shown[200];
    sonde_token_show(x->path, strlen(x->path), shown, sizeof shown);
    return sonde_fail(err, SONDE_IO, "%s: %s", shown, strerror(errno));
}

/* What stands under `part` as the index names it, "weights/embed.W_E.npy"; the whole path in x->path. */
static const char *name_file(exporting *x, const char *part, const char *name) {
    snprintf(x->path, x->room, "%s/%s/%s.npy", x->folder, part, name);
    return x->path + strlen(x->folder) + 1;
}

static sonde_status next(exporting *x, sonde_error *err) {
    const sonde_context *cx = x->r->cx;
    cx->progress(cx->progress_user, "arrays", ++x->done, x->all);
    SONDE_FAIL_IF(sonde_session_stopped(cx->session), err, SONDE_CANCELLED,
                  "export: interrupted, %lld of %lld arrays are there",
                  (long long)x->done, (long long)x->all);
    return SONDE_OK;
}

static void put_shape(sonde_table *t, const sonde_array_spec *s) {
    char text[160];
    agree_shape(s, text, sizeof text);
    sonde_cell_text(t, text);
}

static sonde_status write_weight(exporting *x, const sonde_weight_info *w, size_t i, sonde_error *err) {
    sonde_array_spec spec = { .name = w->name, .dtype = "F32", .rank = w->rank };
    for (int k = 0; k < w->rank; k++) spec.dim[k] = w->dim[k];
    const int64_t n = agree_items(&spec);
    float *data = malloc((size_t)n * sizeof *data);
    SONDE_FAIL_IF(!data, err, SONDE_NOMEM, "%s needs %lld bytes, and there are not that many free", w->name,
                  (long long)n * 4);
    const char  *file = name_file(x, "weights", w->name);
    sonde_status s = sonde_model_weight_read(x->r->cx->model, i, data, err);
    if (s == SONDE_OK) s = sonde_npy_write(x->path, &spec, data, err);
    free(data);
    SONDE_TRY(s);
    sonde_table_row(x->weights);
    sonde_cell_text(x->weights, w->name);
    sonde_cell_text(x->weights, file);
    sonde_cell_text(x->weights, w->axes);
    put_shape(x->weights, &spec);
    sonde_cell_text(x->weights, w->dtype);
    sonde_cell_text(x->weights, w->stored_as);
    return next(x, err);
}

static sonde_status write_stage(exporting *x, const rebuild_stage *s, sonde_error *err) {
    const rebuild_op *o = &x->r->op[s->op];
    sonde_array_spec spec = { .name = o->name, .dtype = "F32", .rank = o->value.rank };
    for (int k = 0; k < spec.rank; k++) spec.dim[k] = o->value.dim[k];
    const char *file = name_file(x, "stages", o->name);
    SONDE_TRY(sonde_npy_write(x->path, &spec, o->value.data, err));
    sonde_table_row(x->stages);
    sonde_cell_int(x->stages, s->number);
    sonde_cell_text(x->stages, s->title);
    sonde_cell_text(x->stages, o->told.site);
    sonde_cell_text(x->stages, file);
    sonde_cell_text(x->stages, o->value.axes);
    put_shape(x->stages, &spec);
    return next(x, err);
}

/* Which weights: those that a shown stage reads; where all stages are shown, all there are. */
static bool *chosen(const rebuild *r) {
    bool *read = ROOM(bool, r->n_weights), all = true;
    for (size_t i = 0; i < r->n_stages; i++) {
        const rebuild_stage *s = &r->stage[i];
        all &= s->shown;
        for (size_t k = 0; s->shown && k < s->n; k++) {
            const sonde_operation *o = &r->op[s->part[k]].told;
            const size_t w = o->weight ? rebuild_weight(r, o->weight) : SIZE_MAX;
            const size_t b = o->bias ? rebuild_weight(r, o->bias) : SIZE_MAX;
            if (w != SIZE_MAX) read[w] = true;
            if (b != SIZE_MAX) read[b] = true;
            char name[200];
            for (size_t j = 0; rebuild_site(o->more, j, name, sizeof name); j++) {
                const size_t m = rebuild_weight(r, name);
                if (m != SIZE_MAX) read[m] = true;
            }
        }
    }
    for (size_t i = 0; all && i < r->n_weights; i++) read[i] = true;
    return read;
}

static void columns(sonde_table *t, const char *const *name) {
    for (; *name; name++) sonde_table_column(t, *name, strcmp(*name, "stage") != 0 ? SONDE_TEXT : SONDE_INT, "");
}

extern const method method_rebuild;

static sonde_status write_all(exporting *x, const bool *read, sonde_result *index, sonde_error *err) {
    static const char *const weight[] = { "name", "file", "axes", "shape", "type", "stored_as", NULL };
    static const char *const stage[] = { "stage", "title", "site", "file", "axes", "shape", NULL };
    const rebuild *r = x->r;
    context_head(r->cx, &method_rebuild, index);
    x->weights = sonde_result_table(index, "weights");
    x->stages = sonde_result_table(index, "stages");
    columns(x->weights, weight);
    columns(x->stages, stage);
    for (size_t i = 0; i < r->n_weights; i++) x->all += read[i];
    for (size_t i = 0; i < r->n_stages; i++) x->all += r->stage[i].shown && r->stage[i].op >= 0;
    static const char *const folders[] = { "", "/weights", "/stages" };
    for (size_t i = 0; i < 3; i++) SONDE_TRY(make_folder(x, folders[i], err));
    for (size_t i = 0; i < r->n_weights; i++)
        if (read[i]) SONDE_TRY(write_weight(x, &r->weight[i], i, err));
    for (size_t i = 0; i < r->n_stages; i++)
        if (r->stage[i].shown && r->stage[i].op >= 0) SONDE_TRY(write_stage(x, &r->stage[i], err));
    snprintf(x->path, x->room, "%s/index.json", x->folder);
    return sonde_result_save(index, x->path, err);
}

sonde_status rebuild_export(const rebuild *r, const char *folder, sonde_error *err) {
    exporting x = { .r = r, .folder = folder, .room = strlen(folder) + 256 };
    sonde_result *index = sonde_result_new();
    bool         *read = chosen(r);
    x.path = ROOM(char, x.room);
    const sonde_status s = write_all(&x, read, index, err);
    sonde_result_free(index);
    free(read);
    free(x.path);
    return s;
}
