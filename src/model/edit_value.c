/* Values of edits: numbers, runs, vectors of files. */
#include "base/text.h"
#include "edit_parts.h"
#include "model_data.h"
#include <math.h>
#include <string.h>
#include <strings.h>

static bool ends_in(const char *text, const char *end) {
    const size_t n = strlen(text), k = strlen(end);
    return n > k && strcmp(text + n - k, end) == 0;
}

/* Runs */

static sonde_status read_run_name(reader *r, const char **name, index_spec *index) {
    *name = reader_name(r);
    if (!*name) return reader_expected(r, "the name of a run");
    return *r->at == '[' ? read_index(r, index) : SONDE_OK;
}

static sonde_status read_run(reader *r, run_ref *out) {
    const char *start = r->at;
    SONDE_TRY(read_run_name(r, &out->name[0], &out->index[0]));
    if (strcmp(out->name[0], "avg") != 0 || r->at[0] != '(') return SONDE_OK;
    r->at = start + 4;
    reader_blanks(r);
    SONDE_TRY(read_run_name(r, &out->name[0], &out->index[0]));
    reader_blanks(r);
    if (!reader_take(r, ',')) return reader_expected(r, ", in avg(RUN,RUN)");
    reader_blanks(r);
    SONDE_TRY(read_run_name(r, &out->name[1], &out->index[1]));
    reader_blanks(r);
    return reader_take(r, ')') ? SONDE_OK : reader_expected(r, ") in avg(RUN,RUN)");
}

/* (RUN-RUN) */
static sonde_status read_difference(reader *r, edit_value *v) {
    r->at++;
    v->kind = VALUE_RUN;
    v->minus = true;
    reader_blanks(r);
    SONDE_TRY(read_run(r, &v->run));
    reader_blanks(r);
    if (!reader_take(r, '-')) return reader_expected(r, "- in NUMBER*(RUN-RUN)");
    reader_blanks(r);
    SONDE_TRY(read_run(r, &v->other));
    reader_blanks(r);
    return reader_take(r, ')') ? SONDE_OK : reader_expected(r, ") in NUMBER*(RUN-RUN)");
}

/* Vectors */

static bool is_stored(const char *file) {
    return strncmp(file, "value/", 6) == 0 && file[6] && file[6 + strspn(file + 6, "0123456789")] == '\0';
}

static sonde_status read_text(reader *r, const char *stops, const char **out) {
    size_t len;
    if (*r->at == '"') {
        SONDE_TRY(reader_quoted(r, out, &len));
        if (strlen(*out) == len) return SONDE_OK;
        return sonde_fail(r->err, SONDE_USAGE, "a name with a zero byte, expected one without");
    }
    len = strcspn(r->at, stops);
    *out = arena_printf(r->a, "%.*s", (int)len, r->at);
    r->at += len;
    return SONDE_OK;
}

/* Behind the file's name: # and index. */
static sonde_status read_vector_parts(reader *r, edit_value *v) {
    const bool tensors = ends_in(v->file, ".safetensors");
    if (tensors && *r->at != '#') return reader_expected(r, "#NAME of an array behind the .safetensors file");
    if (tensors) {
        r->at++;
        SONDE_TRY(read_text(r, "@[\"", &v->array));
        if (!*v->array) return reader_expected(r, "the name of an array behind #");
    }
    return *r->at == '[' ? read_index(r, &v->file_index) : SONDE_OK;
}

static const char any_value[] = "a number, a run or a vector (FILE.npy, FILE.safetensors#NAME)";

static bool is_not_finite(const char *word) {
    word += *word == '-' || *word == '+';
    return strcasecmp(word, "nan") == 0 || strcasecmp(word, "inf") == 0 || strcasecmp(word, "infinity") == 0;
}

/* A run or a vector. */
static sonde_status read_source(reader *r, edit_value *v) {
    const char *start = r->at;
    const bool quoted = *start == '"';
    SONDE_TRY(read_text(r, "@[#*, ", &v->file));
    if (ends_in(v->file, ".npy") || ends_in(v->file, ".safetensors") || (!quoted && is_stored(v->file))) {
        v->kind = VALUE_VECTOR;
        return read_vector_parts(r, v);
    }
    const char *word = v->file;
    v->file = NULL;
    r->at = start;
    if (quoted) return reader_expected(r, "a file name that ends in .npy or .safetensors");
    SONDE_FAIL_IF(is_not_finite(word), r->err, SONDE_USAGE, "the number %s, expected a finite one",
                  name_shown(word).text);
    if (!reader_is_name(*start, true)) return reader_expected(r, any_value);
    v->kind = VALUE_RUN;
    SONDE_TRY(read_run(r, &v->run));
    return *r->at && *r->at != '@' ? reader_expected(r, "the end or @WHEN behind a run") : SONDE_OK;
}

sonde_status read_value(reader *r, edit_value *out) {
    *out = (edit_value){ .number = 1 };
    const size_t n = reader_number_length(r->at);
    const char behind = r->at[n];
    if (n == 0 || (behind && behind != '@' && behind != '*')) return read_source(r, out);
    SONDE_TRY(reader_number(r, &out->number));
    SONDE_FAIL_IF(!isfinite((float)out->number), r->err, SONDE_USAGE, "the number %g, expected one that float32 holds",
                  out->number);
    if (!reader_take(r, '*')) {
        out->kind = VALUE_NUMBER;
        return SONDE_OK;
    }
    out->factor = true;
    return *r->at == '(' ? read_difference(r, out) : read_source(r, out);
}

/* Writing */

static void put_run(text_out *o, const run_ref *x) {
    if (x->name[1]) text_put(o, "avg(");
    text_put(o, "%s", x->name[0]);
    put_index(o, &x->index[0]);
    if (!x->name[1]) return;
    text_put(o, ",%s", x->name[1]);
    put_index(o, &x->index[1]);
    text_put(o, ")");
}

/* As it stands where reading it gives it back, else quoted. */
static void put_name(text_out *o, const char *name, const char *special) {
    bool plain = *name && strcspn(name, special) == strlen(name);
    for (const char *at = name; *at; at++) plain = plain && (unsigned char)*at > ' ' && *at != 0x7f;
    if (plain) text_put(o, "%s", name);
    else text_put_quoted(o, name, strlen(name));
}

static void put_vector(text_out *o, const edit_value *v) {
    put_name(o, v->file, "@[#*,(\"");
    if (v->array) {
        text_put(o, "#");
        put_name(o, v->array, "@[\"");
    }
    put_index(o, &v->file_index);
}

void put_value(text_out *o, const edit_value *v, const char *vector_name) {
    if (v->kind == VALUE_NUMBER || v->factor) text_put_number(o, v->number);
    if (v->factor) text_put(o, "*");
    if (v->kind == VALUE_VECTOR && vector_name) text_put(o, "%s", vector_name);
    else if (v->kind == VALUE_VECTOR) put_vector(o, v);
    if (v->kind != VALUE_RUN) return;
    if (v->minus) text_put(o, "(");
    put_run(o, &v->run);
    if (!v->minus) return;
    text_put(o, "-");
    put_run(o, &v->other);
    text_put(o, ")");
}

/* Reading the numbers of a vector */

typedef struct {
    const sonde_array_file *file;
    size_t   which;
    const sonde_array_spec *spec;
    int64_t *place[SONDE_MAX_RANK];     /* [count] */
    size_t   count[SONDE_MAX_RANK];
    bool     in_a_row;                  /* the last axis' places follow each other */
    float   *out;
    sonde_error *err;
} gathering;

static sonde_status gather(gathering *g, int axis, int64_t first) {
    if (axis == g->spec->rank) return sonde_array_read(g->file, g->which, first, 1, g->out++, g->err);
    const int64_t row = first * g->spec->dim[axis];
    if (axis == g->spec->rank - 1 && g->in_a_row) {
        const size_t n = g->count[axis];
        SONDE_TRY(sonde_array_read(g->file, g->which, row + g->place[axis][0], (int64_t)n, g->out, g->err));
        g->out += n;
        return SONDE_OK;
    }
    for (size_t i = 0; i < g->count[axis]; i++) SONDE_TRY(gather(g, axis + 1, row + g->place[axis][i]));
    return SONDE_OK;
}

static const index_part whole_axis = { .kind = INDEX_ALL };

static const index_part *part_of(const index_spec *x, int i) { return i < x->n ? &x->part[i] : &whole_axis; }

/* What the file's index leaves of its array; nothing is read yet. */
static sonde_status vector_shape(const reader *r, const edit_value *v, const sonde_array_spec *spec, known_shape *out) {
    const index_spec *x = &v->file_index;
    SONDE_FAIL_IF(x->n > spec->rank, r->err, SONDE_USAGE, "%s: an index of %d parts for an array of %d axes",
                  name_shown(v->file).text, x->n, spec->rank);
    *out = (known_shape){ .rank = 0 };
    for (int i = 0; i < spec->rank; i++) {
        SONDE_FAIL_IF(spec->dim[i] == 0, r->err, SONDE_USAGE, "%s: an array without values, expected at least one",
                      name_shown(v->file).text);
        size_t count;
        SONDE_TRY(index_count(part_of(x, i), spec->dim[i], &count, r->err));
        if (part_of(x, i)->kind != INDEX_ONE) out->dim[out->rank++] = (int64_t)count;
    }
    return SONDE_OK;
}

static sonde_status check_targets(const reader *r, const edit_value *v, const known_shape *have,
                                  const value_target *to, size_t n_to) {
    const int64_t most = arch_context(&r->model->config);
    for (size_t i = 0; i < n_to; i++)
        SONDE_FAIL_IF(!shape_broadcasts(have, &to[i].shape, most), r->err, SONDE_USAGE,
                      "%s: its values are %s, %s there is %s and expected values that numpy would broadcast to that",
                      name_shown(v->file).text, shape_text(r->a, have), to[i].site, shape_text(r->a, &to[i].shape));
    return SONDE_OK;
}

static sonde_status read_values(const reader *r, edit_value *v, gathering *g, const known_shape *have) {
    enum { MOST = 1 << 28 };
    int64_t n = 1;
    for (int i = 0; i < have->rank; i++) n = n > MOST ? n : n * have->dim[i];
    SONDE_FAIL_IF(n > MOST, r->err, SONDE_NOMEM, "%s: more than %d values, expected fewer", name_shown(v->file).text,
                  MOST);
    for (int i = 0; i < g->spec->rank; i++)
        SONDE_TRY(index_places(r->a, part_of(&v->file_index, i), g->spec->dim[i], &g->place[i], &g->count[i], r->err));
    if (g->spec->rank > 0) {
        const index_kind last = part_of(&v->file_index, g->spec->rank - 1)->kind;
        g->in_a_row = last == INDEX_ALL || last == INDEX_RANGE;
    }
    g->out = v->vector = arena_new_array(r->a, float, (size_t)n);
    SONDE_TRY(gather(g, 0, 0));
    /* leading axes of length 1 mean nothing to broadcasting, and no site has more than three */
    const int extra = have->rank > 4 ? have->rank - 4 : 0;
    v->rank = have->rank - extra;
    for (int i = 0; i < v->rank; i++) v->dim[i] = have->dim[extra + i];
    return SONDE_OK;
}

static sonde_status read_from(reader *r, edit_value *v, const sonde_array_file *file, const value_target *to,
                              size_t n_to) {
    const char *name = v->array ? v->array : is_stored(v->file) ? v->file : "";
    gathering g = { .file = file, .which = sonde_array_file_find(file, name), .err = r->err };
    SONDE_FAIL_IF(g.which == SIZE_MAX, r->err, SONDE_NOT_FOUND, "%s: there is no array \"%s\" in it",
                  name_shown(v->file).text, name_shown(name).text);
    g.spec = sonde_array_file_spec(file, g.which);
    known_shape have;
    SONDE_TRY(vector_shape(r, v, g.spec, &have));
    SONDE_TRY(check_targets(r, v, &have, to, n_to));
    return read_values(r, v, &g, &have);
}

/* Numbers of the caller, copied as they are. */
static sonde_status read_memory(reader *r, edit_value *v, const sonde_values *from, const value_target *to, size_t n_to) {
    known_shape have = { .rank = from->rank };
    size_t      count = 1;
    SONDE_FAIL_IF(v->file_index.n || strcmp(v->file, "value/0") != 0, r->err, SONDE_USAGE,
                  "found %s, values in memory are named value/0, without an index", v->file);
    SONDE_FAIL_IF(from->rank < 0 || from->rank > 3, r->err, SONDE_USAGE, "values of %d axes, expected 0 to 3", from->rank);
    for (int i = 0; i < from->rank; i++) {
        SONDE_FAIL_IF(from->dim[i] < 1, r->err, SONDE_USAGE, "values without a number along axis %d", i);
        v->dim[i] = have.dim[i] = from->dim[i];
        count *= (size_t)from->dim[i];
    }
    v->rank = from->rank;
    SONDE_TRY(check_targets(r, v, &have, to, n_to));
    v->vector = arena_new_array(r->a, float, count);
    memcpy(v->vector, from->data, count * sizeof *v->vector);
    return SONDE_OK;
}

sonde_status read_vector(reader *r, edit_value *v, stored_values stored, const value_target *to, size_t n_to) {
    if (is_stored(v->file)) {
        if (stored.memory) return read_memory(r, v, stored.memory, to, n_to);
        SONDE_FAIL_IF(!stored.file, r->err, SONDE_USAGE, "%s is a vector that lies in a trace, expected a file name here",
                      v->file);
        return read_from(r, v, stored.file, to, n_to);
    }
    sonde_array_file *file;
    SONDE_TRY(sonde_array_file_open(&file, v->file, r->err));
    const sonde_status s = read_from(r, v, file, to, n_to);
    sonde_array_file_close(file);
    return s;
}
