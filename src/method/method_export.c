/* Weights in files that other programs read, whatever container they came from; one weight is in memory at a time. */
#include "method.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

enum { EXPORT_WEIGHTS, EXPORT_HEADS, EXPORT_VOCABULARY };

static const param params[] = {
    [EXPORT_WEIGHTS] = { "weights", PARAM_LIST, "", 0, 0, "which: TransformerLens's names, or the ends of names "
                         "(attn.W_Q), * for any letters, commas between several; without it all" },
    [EXPORT_HEADS] = { "heads", PARAM_FLAG, "", 0, 0, "what has heads is cut into one array a head, NAME.HEAD" },
    [EXPORT_VOCABULARY] = { "vocabulary", PARAM_FLAG, "", 0, 0, "the tokens instead: id, text, bytes, special" },
    { 0 },
};

/* One array that is written: a weight, or one head of it. */
typedef struct {
    size_t           weight;
    int64_t          first, items;
    char             name[128];
    sonde_array_spec spec;
    const char      *axes;
} piece;

typedef struct {
    sonde_context     *cx;
    sonde_weight_info *info; size_t n_weights;
    bool              *chosen;
    piece             *at; size_t n;
} exporting;

/* ---- which ---- */

/* `*` stands for any letters. */
static bool matches(const char *p, const char *end, const char *text) {
    const char *star = NULL, *back = NULL;
    while (*text) {
        if (p < end && *p == '*') {
            star = p++;
            back = text;
        } else if (p < end && *p == *text) {
            p++;
            text++;
        } else if (star) {
            p = star + 1;
            text = ++back;
        } else {
            return false;
        }
    }
    while (p < end && *p == '*') p++;
    return p == end;
}

/* The whole name, or what stands behind one of its dots. */
static bool names(const char *p, size_t len, const char *name) {
    for (; name; name = strchr(name, '.')) {
        name += *name == '.';
        if (matches(p, p + len, name)) return true;
        if (memchr(p, '*', len)) return false;
    }
    return false;
}

static sonde_status choose(exporting *x, const char *list, sonde_error *err) {
    for (const char *p = list; ; p++) {
        const size_t len = strcspn(p, ",");
        bool any = false;
        for (size_t i = 0; i < x->n_weights; i++) {
            if (!names(p, len, x->info[i].name)) continue;
            x->chosen[i] = any = true;
        }
        char shown[80];
        sonde_token_show(p, len, shown, sizeof shown);
        SONDE_FAIL_IF(!any, err, SONDE_USAGE, "weights: no weight is called %s, \"sonde export\" lists them", shown);
        p += len;
        if (!*p) return SONDE_OK;
    }
}

static int64_t items_of(const sonde_weight_info *w) {
    int64_t n = 1;
    for (int i = 0; i < w->rank; i++) n *= w->dim[i];
    return n;
}

static void add_piece(exporting *x, size_t weight, int64_t head, int64_t heads) {
    const sonde_weight_info *w = &x->info[weight];
    const int cut = head >= 0;
    piece *p = &x->at[x->n++];
    p->weight = weight;
    p->items = items_of(w) / heads;
    p->first = cut ? head * p->items : 0;
    p->axes = w->axes + 2 * cut;
    if (cut) snprintf(p->name, sizeof p->name, "%s.%" PRId64, w->name, head);
    else snprintf(p->name, sizeof p->name, "%s", w->name);
    p->spec = (sonde_array_spec){ .name = p->name, .dtype = "F32", .rank = w->rank - cut };
    for (int i = 0; i < p->spec.rank; i++) p->spec.dim[i] = w->dim[i + cut];
}

static sonde_status plan(exporting *x, const value *args, sonde_error *err) {
    const sonde_model *m = x->cx->model;
    const value *which = &args[EXPORT_WEIGHTS];
    int64_t most = 0;
    x->n_weights = sonde_model_weights(m);
    SONDE_FAIL_IF(!x->n_weights, err, SONDE_USAGE, "weights: only a tokenizer was opened, expected --vocabulary or a model");
    x->info = ROOM(sonde_weight_info, x->n_weights);
    x->chosen = ROOM(bool, x->n_weights);
    for (size_t i = 0; i < x->n_weights; i++) {
        sonde_model_weight(m, i, &x->info[i]);
        const bool headed = strchr("hg", x->info[i].axes[0]) != NULL;
        x->chosen[i] = which->n == 0;
        most += headed ? x->info[i].dim[0] : 1;
    }
    for (size_t i = 0; i < which->n; i++) SONDE_TRY(choose(x, which->list[i], err));
    x->at = ROOM(piece, most);
    for (size_t i = 0; i < x->n_weights; i++) {
        const bool cut = args[EXPORT_HEADS].i && strchr("hg", x->info[i].axes[0]);
        if (!x->chosen[i]) continue;
        if (!cut) add_piece(x, i, -1, 1);
        for (int64_t h = 0; cut && h < x->info[i].dim[0]; h++) add_piece(x, i, h, x->info[i].dim[0]);
    }
    return SONDE_OK;
}

/* ---- files ---- */

static sonde_status write_npy(const char *path, const piece *p, const float *data, sonde_error *err) {
    return sonde_npy_write(path, &p->spec, data, err);
}

/* Wide: a row for each place of all axes but the last, its indices in front; a column for each place of the last. */
static sonde_status put_rows(sonde_lines *l, const piece *p, const float *data, sonde_error *err) {
    const int outer = p->spec.rank - 1;
    int64_t   at[SONDE_MAX_RANK] = { 0 };
    char      name[40];
    const int64_t width = p->spec.dim[outer];
    for (int i = 0; i < outer; i++) {
        snprintf(name, sizeof name, "%c", p->axes[2 * i]);
        sonde_lines_text(l, name);
    }
    for (int64_t c = 0; c < width; c++) {
        snprintf(name, sizeof name, "%c%" PRId64, p->axes[2 * outer], c);
        sonde_lines_text(l, name);
    }
    SONDE_TRY(sonde_lines_end(l, err));
    for (int64_t done = 0; done < p->items; done += width) {
        for (int i = 0; i < outer; i++) sonde_lines_int(l, at[i]);
        for (int64_t c = 0; c < width; c++) sonde_lines_float(l, data[done + c]);
        SONDE_TRY(sonde_lines_end(l, err));
        for (int i = outer - 1; i >= 0 && ++at[i] == p->spec.dim[i]; i--) at[i] = 0;
    }
    return SONDE_OK;
}

static sonde_status write_lines(const char *path, const piece *p, const float *data, sonde_error *err) {
    sonde_lines *l;
    SONDE_TRY(sonde_lines_open(&l, path, err));
    const sonde_status s = put_rows(l, p, data, err);
    if (s == SONDE_OK) return sonde_lines_close(l, err);
    sonde_lines_drop(l);
    return s;
}

/* One array a file, or with `one` NULL all in one. */
static const struct {
    const char *ending;
    sonde_status (*one)(const char *path, const piece *p, const float *data, sonde_error *err);
} kinds[] = { { ".npy", write_npy }, { ".csv", write_lines }, { ".tsv", write_lines }, { ".safetensors", NULL } };
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct { const char *path; size_t kind; sonde_array_writer *all; } target;

static sonde_status target_of(target *t, const char *path, sonde_error *err) {
    *t = (target){ .path = path };
    const size_t n = strlen(path);
    for (; t->kind < KINDS; t->kind++) {
        const size_t k = strlen(kinds[t->kind].ending);
        if (n > k && !strcasecmp(path + n - k, kinds[t->kind].ending)) return SONDE_OK;
    }
    char shown[80];
    sonde_token_show(path, n, shown, sizeof shown);
    return sonde_fail(err, SONDE_USAGE, "%s: weights are written as .npy, .safetensors, .csv or .tsv", shown);
}

/* FILE.npy as FILE.NAME.npy. */
static char *part_path(const target *t, const char *name) {
    const size_t end = strlen(kinds[t->kind].ending), stem = strlen(t->path) - end, room = stem + strlen(name) + end + 2;
    char *path = ROOM(char, room);
    snprintf(path, room, "%.*s.%s%s", (int)stem, t->path, name, t->path + stem);
    return path;
}

static sonde_status write_piece(const exporting *x, target *t, size_t i, const float *data, sonde_error *err) {
    const piece *p = &x->at[i];
    if (t->all) return sonde_array_write(t->all, i, 0, data, p->items, err);
    if (x->n == 1) return kinds[t->kind].one(t->path, p, data, err);
    char *path = part_path(t, p->name);
    const sonde_status s = kinds[t->kind].one(path, p, data, err);
    free(path);
    return s;
}

/* Pieces from i on that are cut from one weight; *next: the one behind them. */
static sonde_status write_weight(const exporting *x, target *t, size_t i, size_t *next, sonde_error *err) {
    const sonde_context *cx = x->cx;
    const size_t weight = x->at[i].weight;
    const size_t bytes = (size_t)items_of(&x->info[weight]) * sizeof(float);
    float *data = malloc(bytes);
    SONDE_FAIL_IF(!data, err, SONDE_NOMEM, "%s needs %zu bytes, and there are not that many free", x->info[weight].name,
                  bytes);
    sonde_status s = sonde_model_weight_read(cx->model, weight, data, err);
    for (; i < x->n && x->at[i].weight == weight; i++)
        for (size_t k = 0; k < cx->n_out && s == SONDE_OK; k++) s = write_piece(x, &t[k], i, data + x->at[i].first, err);
    free(data);
    *next = i;
    if (s == SONDE_OK && cx->stop && cx->stop(cx->progress_user)) s = sonde_fail(err, SONDE_CANCELLED, "interrupted");
    return s;
}

static sonde_status open_all(const exporting *x, target *t, sonde_error *err) {
    const sonde_model_info *m = sonde_model_describe(x->cx->model);
    const sonde_array_note notes[] = { { "sonde", SONDE_VERSION }, { "method", "export" }, { "model", m->name },
                                       { "model_hash", sonde_model_hash(x->cx->model) } };
    sonde_array_spec *spec = ROOM(sonde_array_spec, x->n);
    sonde_status s = SONDE_OK;
    for (size_t i = 0; i < x->n; i++) spec[i] = x->at[i].spec;
    const sonde_array_list holds = { spec, x->n, notes, sizeof notes / sizeof *notes };
    for (size_t k = 0; k < x->cx->n_out && s == SONDE_OK; k++)
        if (!kinds[t[k].kind].one) s = sonde_array_writer_open(&t[k].all, t[k].path, holds, err);
    free(spec);
    return s;
}

static sonde_status close_all(const exporting *x, target *t, sonde_error *err) {
    for (size_t k = 0; k < x->cx->n_out; k++) {
        sonde_array_writer *w = t[k].all;
        t[k].all = NULL;
        if (w) SONDE_TRY(sonde_array_writer_close(w, err));
    }
    return SONDE_OK;
}

static void tell_parts(const exporting *x, const target *t, sonde_result *out) {
    for (size_t k = 0; k < x->cx->n_out; k++) {
        if (!kinds[t[k].kind].one || x->n < 2) continue;
        char *first = part_path(&t[k], x->at[0].name), *last = part_path(&t[k], x->at[x->n - 1].name), count[80];
        const size_t room = strlen(first) + strlen(last) + sizeof count;
        char *text = ROOM(char, room);
        snprintf(text, room, "%zu arrays, each in a file of its own: %s to %s", x->n, first, last);
        sonde_result_note(out, text);
        free(first);
        free(last);
        free(text);
    }
}

static sonde_status write_files(const exporting *x, target *t, sonde_result *out, sonde_error *err) {
    for (size_t k = 0; k < x->cx->n_out; k++) SONDE_TRY(target_of(&t[k], x->cx->out[k], err));
    tell_parts(x, t, out);
    if (x->cx->dry_run) return SONDE_OK;
    sonde_status s = open_all(x, t, err);
    for (size_t i = 0; i < x->n && s == SONDE_OK;) {
        s = write_weight(x, t, i, &i, err);
        x->cx->progress(x->cx->progress_user, "arrays", (int64_t)i, (int64_t)x->n);
    }
    if (s == SONDE_OK) s = close_all(x, t, err);
    for (size_t k = 0; k < x->cx->n_out; k++) sonde_array_writer_drop(t[k].all);
    return s;
}

/* ---- what is said ---- */

static void put_list(const exporting *x, sonde_result *out) {
    static const char *const texts[] = { "name", "axes", "shape", "type", "stored_as" };
    sonde_table *t = sonde_result_table(out, "weights");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) sonde_table_column(t, texts[i], SONDE_TEXT, "");
    sonde_table_column(t, "numbers", SONDE_INT, "");
    for (size_t i = 0; i < x->n; i++) {
        const piece *p = &x->at[i];
        char   shape[96] = "";
        size_t used = 0;
        for (int k = 0; k < p->spec.rank && used < sizeof shape; k++)
            used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%" PRId64, k ? " " : "", p->spec.dim[k]);
        sonde_table_row(t);
        sonde_cell_text(t, p->name);
        sonde_cell_text(t, p->axes);
        sonde_cell_text(t, shape);
        sonde_cell_text(t, x->info[p->weight].dtype);
        sonde_cell_text(t, x->info[p->weight].stored_as);
        sonde_cell_int(t, p->items);
    }
}

/* Bytes in hex: what a text with signs for spaces and broken characters cannot give back. */
static void put_token(sonde_table *t, const sonde_model *m, int32_t id) {
    size_t len;
    const char  *bytes = sonde_token_bytes(m, id, &len);
    const size_t shown = sonde_token_show(bytes, len, NULL, 0) + 1;
    char *text = ROOM(char, shown), *hex = ROOM(char, 2 * len + 1);
    sonde_token_show(bytes, len, text, shown);
    for (size_t i = 0; i < len; i++) snprintf(hex + 2 * i, 3, "%02x", (unsigned)(unsigned char)bytes[i]);
    sonde_table_row(t);
    sonde_cell_int(t, id);
    sonde_cell_text(t, text);
    sonde_cell_text(t, hex);
    sonde_cell_bool(t, sonde_token_special(m, id));
    free(text);
    free(hex);
}

static sonde_status vocabulary(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    const sonde_model_info *m = sonde_model_describe(cx->model);
    SONDE_FAIL_IF(args[EXPORT_WEIGHTS].n || args[EXPORT_HEADS].i, err, SONDE_USAGE,
                  "vocabulary: found weights beside it, expected one of the two");
    SONDE_FAIL_IF(!m->has_tokenizer, err, SONDE_UNSUPPORTED,
                  "vocabulary: the model has no tokenizer, --tokenizer FILE names one");
    for (size_t i = 0; i < cx->n_out; i++) SONDE_TRY(sonde_result_can_save(cx->out[i], err));
    sonde_table *t = sonde_result_table(out, "vocabulary");
    sonde_table_column(t, "id", SONDE_INT, "");
    sonde_table_column(t, "text", SONDE_TEXT, "");
    sonde_table_column(t, "bytes", SONDE_TEXT, "hex");
    sonde_table_column(t, "special", SONDE_BOOL, "");
    for (int32_t id = 0; id < m->tokens && !cx->dry_run; id++) put_token(t, cx->model, id);
    for (size_t i = 0; i < cx->n_out && !cx->dry_run; i++) SONDE_TRY(sonde_result_save(out, cx->out[i], err));
    return SONDE_OK;
}

static sonde_status weights(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    exporting x = { .cx = cx };
    target   *t = ROOM(target, cx->n_out);
    sonde_status s = plan(&x, args, err);
    if (s == SONDE_OK) s = write_files(&x, t, out, err);
    if (s == SONDE_OK) put_list(&x, out);
    free(t);
    free(x.at);
    free(x.chosen);
    free(x.info);
    return s;
}

extern const method method_export;

static sonde_status export_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    context_head(cx, &method_export, out);
    return (args[EXPORT_VOCABULARY].i ? vocabulary : weights)(cx, args, out, err);
}

const method method_export = {
    .name = "export",
    .summary = "weights, or the vocabulary, as npy, safetensors, CSV or TSV; without --out what there is",
    .reference = NULL,
    .formula = "float32 in TransformerLens's shapes, inputs first: y = x W; fused matrices are cut into W_Q, W_K, W_V "
               "[head, d_model, d_head], quantised ones widened. --out FILE.safetensors: all in one; .npy, .csv, .tsv: one array "
               "a file, several are FILE.NAME.npy. CSV: one column for each index of the last axis, those of the others "
               "in front. Vocabulary: text as a person sees it, bytes in hex as the token has them; .csv, .tsv, .json or "
               ".txt, npy has no texts",
    .example = "export blocks.0.attn.W_Q blocks.0.attn.b_Q --heads",
    .params = params,
    .takes = NEEDS_MODEL | TAKES_BARE | TAKES_TWO | WRITES_OUT,
    .run = export_run,
};
