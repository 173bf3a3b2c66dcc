#define _GNU_SOURCE
#include "saving.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

typedef struct {
    command     *c;
    sonde_table *tensors;
    int64_t      bytes, widened, fallbacks, written;
} told;

static void put_shape(sonde_table *t, const sonde_saved *x) {
    char   text[96] = "";
    size_t used = 0;
    for (int i = 0; i < x->rank && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRId64, i ? " " : "", x->dim[i]);
    sonde_cell_text(t, text);
}

static void put_saved(const sonde_saved *x, void *user) {
    told *k = user;
    k->bytes += x->bytes;
    k->written++;
    k->widened += x->widened;
    k->fallbacks += x->wanted != NULL;
    sonde_table_row(k->tensors);
    sonde_cell_text(k->tensors, x->name);
    put_shape(k->tensors, x);
    sonde_cell_text(k->tensors, x->from);
    sonde_cell_text(k->tensors, x->to);
    if (x->wanted) sonde_cell_text(k->tensors, x->wanted);
    else sonde_cell_null(k->tensors);
    sonde_cell_int(k->tensors, x->bytes);
    if (x->rmse > 0) sonde_cell_float(k->tensors, x->rmse);
    else sonde_cell_null(k->tensors);
}

static void note(void *user, const char *text) {
    const told *k = user;
    if (!option_given(k->c, OPTION_QUIET)) say("", text);
}

static void show(void *user, const char *what, int64_t done, int64_t all) {
    (void)user;
    progress_show(NULL, what, done, all);
}

static bool stop(void *user) {
    (void)user;
    return stop_asked(NULL);
}

static sonde_table *make_table(sonde_result *r) {
    sonde_table *t = sonde_result_table(r, "tensors");
    static const char *const texts[] = { "tensor", "shape", "from", "to", "wanted" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) sonde_table_column(t, texts[i], SONDE_TEXT, "");
    sonde_table_column(t, "bytes", SONDE_INT, "byte");
    sonde_table_column(t, "rmse", SONDE_FLOAT, "");
    return t;
}

static void tell(const told *k) {
    if (option_given(k->c, OPTION_QUIET)) return;
    if (k->widened)
        say("", arena_printf(k->c->memory, "%" PRId64 " of %" PRId64 " tensors were stored in blocks and are float32 now", k->widened,
                             k->written));
    if (k->fallbacks)
        say("", arena_printf(k->c->memory, "%" PRId64 " tensors have rows that do not fit the type wanted; they got the one in column "
                                           "to", k->fallbacks));
}

static sonde_status save(command *c, saving *s, const sonde_model *m, sonde_result *r, sonde_error *err) {
    told k = { .c = c, .tensors = make_table(r) };
    s->how.threads = (int)c->option[OPTION_THREADS].i;
    s->how.saved = put_saved;
    s->how.note = note;
    s->how.dry_run = option_given(c, OPTION_DRY_RUN);
    s->how.progress = show;
    s->how.stop = stop;
    s->how.user = &k;
    progress_begin(option_given(c, OPTION_QUIET));
    const sonde_status done = sonde_model_save(m, s->out, &s->how, err);
    progress_end();
    if (done != SONDE_OK) return done;
    tell(&k);
    sonde_table *t = sonde_result_table(r, s->how.dry_run ? "planned" : "written");
    sonde_table_column(t, "path", SONDE_TEXT, "");
    sonde_table_column(t, "tensors", SONDE_INT, "");
    sonde_table_column(t, "bytes", SONDE_INT, "byte");
    sonde_table_row(t);
    sonde_cell_text(t, s->out);
    sonde_cell_int(t, k.written);
    sonde_cell_int(t, k.bytes);
    return SONDE_OK;
}

/* The file that is read would be gone when the new one takes its name. */
static bool same_file(const char *in, const char *out) {
    struct stat a, b;
    return stat(in, &a) == 0 && stat(out, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

sonde_status saving_run(command *c, saving s, sonde_error *err) {
    SONDE_FAIL_IF(same_file(s.in, s.out), err, SONDE_USAGE, "%s: %s is the model that is read, expected another name",
                  c->about->name, name_shown(s.out).text);
    sonde_model_search where = search_folders(c->memory);
    sonde_model       *m;
    where.tokenizer = s.tokenizer && *s.tokenizer ? s.tokenizer : NULL;
    SONDE_TRY(output_check(c, err));
    stop_listen();
    SONDE_TRY(sonde_model_open(&m, s.in, &where, err));
    sonde_result *r = sonde_result_new();
    sonde_result_method(r, c->about->name);
    sonde_result_param(r, "in", s.in);
    sonde_result_param(r, "out", s.out);
    if (s.how.type) sonde_result_param(r, "type", s.how.type);
    sonde_status done = save(c, &s, m, r, err);
    if (done == SONDE_OK) done = output_write(c, r, err);
    sonde_result_free(r);
    sonde_model_close(m);
    return done;
}
