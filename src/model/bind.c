/* Edits against one prompt: names of places, positions, numbers (interface.md 4).
 * Positions are resolved once, against the prompt; "the same index" of another run is those same positions. */
#include "bound.h"
#include "kept.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t NO_END = INT64_MAX / 2;

typedef struct { arena *a; const arch_config *c; const bound_prompt *p; const slots *run; sonde_error *err; } binder;

/* The positions that an axis of the edit's place counts; where rows are keys of another stack ("s g e"), theirs. */
static stack_id stack_along(const binder *b, const bound_edit *e, char letter) { return axis_stack(b->run, e->at, letter); }
static const positions *along(const binder *b, const bound_edit *e, char letter) { return &b->p->of[stack_along(b, e, letter)]; }
static char row_letter(const bound_edit *e) { return site_rows[e->at.site].axes[0] == 's' ? 's' : 't'; }

static int64_t length_along(const binder *b, const bound_edit *e, char letter) {
    return axis_length(slot_config(b->c, b->run, e->at.slot), e->at.site, letter, along(b, e, letter)->length);
}

/* One axis of a run: how long it is, and against which tokens texts and negative numbers are meant. */
typedef struct { char letter; int64_t length, prompt; const int32_t *tokens; bool open; } axis_of;

static bool along_positions(char letter) { return letter == 't' || letter == 's'; }

static sonde_status resolve_number(binder *b, axis_of x, int64_t n, int64_t *out) {
    const int64_t from_end = along_positions(x.letter) ? x.prompt : x.length, v = n < 0 ? n + from_end : n;
    SONDE_FAIL_IF(v < 0 || v >= x.length, b->err, SONDE_USAGE, "index %lld of axis %c, which has %lld", (long long)n,
                  x.letter, (long long)x.length);
    *out = v;
    return SONDE_OK;
}

static int ascending(const void *x, const void *y) {
    const int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return (a > b) - (a < b);
}

static sonde_status list_axis(binder *b, char letter, int64_t *written, size_t n, bound_axis *out) {
    int64_t *list = arena_new_array(b->a, int64_t, n + 1), *ordinal = arena_new_array(b->a, int64_t, n + 1);
    memcpy(list, written, n * sizeof *list);
    qsort(list, n, sizeof *list, ascending);
    for (size_t i = 0; i < n; i++) {
        SONDE_FAIL_IF(i && list[i] == list[i - 1], b->err, SONDE_USAGE, "the list names %lld of axis %c twice",
                      (long long)list[i], letter);
        while (written[ordinal[i]] != list[i]) ordinal[i]++;
    }
    *out = (bound_axis){ .kind = INDEX_LIST, .list = list, .n = n, .written = written, .ordinal = ordinal };
    return SONDE_OK;
}

static sonde_status resolve_list(binder *b, axis_of x, const index_part *p, bound_axis *out) {
    int64_t *written = arena_new_array(b->a, int64_t, p->n + 1);
    for (size_t i = 0; i < p->n; i++) SONDE_TRY(resolve_number(b, x, p->list[i], &written[i]));
    return list_axis(b, x.letter, written, p->n, out);
}

static sonde_status resolve_token(binder *b, axis_of x, const index_part *p, bound_axis *out) {
    int64_t *list = arena_new_array(b->a, int64_t, (size_t)x.prompt + 1);
    size_t   n = 0;
    for (int64_t i = 0; i < x.prompt; i++)
        if (x.tokens[i] == p->token) list[n++] = i;
    SONDE_FAIL_IF(n == 0, b->err, SONDE_USAGE, "no position of the prompt has the token %s", p->text);
    return list_axis(b, x.letter, list, n, out);
}

static sonde_status resolve_range(binder *b, axis_of x, const index_part *p, bound_axis *out) {
    const int64_t from_end = along_positions(x.letter) ? x.prompt : x.length;
    const int64_t lo = p->lo < 0 ? p->lo + from_end : p->lo, hi = p->hi < 0 ? p->hi + from_end : p->hi;
    SONDE_FAIL_IF(lo < 0 || hi > x.length || lo >= hi, b->err, SONDE_USAGE,
                  "range %lld:%lld of axis %c, which has %lld", (long long)p->lo, (long long)p->hi, x.letter,
                  (long long)x.length);
    *out = (bound_axis){ .kind = INDEX_RANGE, .lo = lo, .hi = hi };
    return SONDE_OK;
}

static sonde_status resolve(binder *b, axis_of x, const index_part *p, bound_axis *out) {
    switch (p->kind) {
    case INDEX_ALL:
        *out = (bound_axis){ .kind = INDEX_ALL, .lo = 0, .hi = x.open ? NO_END : x.length };
        return SONDE_OK;
    case INDEX_ONE:
        *out = (bound_axis){ .kind = INDEX_ONE };
        SONDE_TRY(resolve_number(b, x, p->lo, &out->lo));
        out->hi = out->lo + 1;
        return SONDE_OK;
    case INDEX_RANGE: return resolve_range(b, x, p, out);
    case INDEX_LIST:  return resolve_list(b, x, p, out);
    case INDEX_TOKEN: return resolve_token(b, x, p, out);
    }
    return SONDE_OK;
}

static int64_t axis_count(const bound_axis *x, int64_t length) {
    if (x->kind == INDEX_LIST) return (int64_t)x->n;
    return (x->hi < length ? x->hi : length) - x->lo;
}

static int64_t axis_at(const bound_axis *x, int64_t i) { return x->kind == INDEX_LIST ? x->written[i] : x->lo + i; }

static int64_t axis_first(const bound_axis *x) { return x->kind == INDEX_LIST ? x->list[0] : x->lo; }
static int64_t axis_last(const bound_axis *x) { return x->kind == INDEX_LIST ? x->list[x->n - 1] : x->hi - 1; }

/* ---- numbers out of another run ---- */

typedef struct { float *data; int64_t dim[3]; bool dropped[3]; } region;         /* missing axes: 1, dropped */

static const index_part ALL_OF_IT = { .kind = INDEX_ALL };

/* The values of run `name` at a site, gathered: coordinates by its own index, or those of the edit. */
static sonde_status gather(binder *b, const bound_edit *e, const char *name, const index_spec *own, const char *site,
                           region *out) {
    const bound_runs *runs = &b->p->runs;
    SONDE_FAIL_IF(runs->length(runs->user, name, STACK_MAIN) < 0, b->err, SONDE_USAGE, "no run is called %s (give --run %s=..)", name, name);
    const kept *k = runs->find(runs->user, name, site);
    SONDE_FAIL_IF(!k, b->err, SONDE_USAGE, "run %s has no values of %s", name, site);
    const char *axes = site_rows[e->at.site].axes;
    bound_axis  axis[3] = { 0 };
    int64_t     total = 1;
    for (int i = 0; i < k->rank; i++) {
        const char     letter = axis_letter(axes, i);
        const stack_id of = stack_along(b, e, letter);
        const int64_t  length = strcmp(name, "A") ? runs->length(runs->user, name, of) : b->p->of[of].prompt;
        const axis_of  x = { letter, k->dim[i], length, runs->tokens(runs->user, name, of), false };
        if (own->n) SONDE_TRY(resolve(b, x, i < own->n ? &own->part[i] : &ALL_OF_IT, &axis[i]));
        else axis[i] = e->axis[i];
        if (!own->n && axis[i].kind == INDEX_ALL && along_positions(letter)) axis[i].hi = b->p->of[of].prompt;
        SONDE_FAIL_IF(axis_last(&axis[i]) >= k->dim[i], b->err, SONDE_USAGE,
                      "position %lld of run %s, which has %lld", (long long)axis_last(&axis[i]), name, (long long)k->dim[i]);
        out->dropped[i] = axis[i].kind == INDEX_ONE;
        out->dim[i] = axis_count(&axis[i], k->dim[i]);
        total *= out->dim[i];
    }
    for (int i = k->rank; i < 3; i++) {
        axis[i] = (bound_axis){ .kind = INDEX_ONE, .lo = 0, .hi = 1 };
        out->dim[i] = 1;
        out->dropped[i] = true;
    }
    out->data = arena_alloc(b->a, (size_t)total * sizeof(float));
    float *to = out->data;
    const int64_t d1 = k->rank > 1 ? k->dim[1] : 1, d2 = k->rank > 2 ? k->dim[2] : 1;
    for (int64_t i = 0; i < out->dim[0]; i++)
        for (int64_t j = 0; j < out->dim[1]; j++)
            for (int64_t l = 0; l < out->dim[2]; l++)
                *to++ = k->data[(axis_at(&axis[0], i) * d1 + axis_at(&axis[1], j)) * d2 + axis_at(&axis[2], l)];
    return SONDE_OK;
}

static bool same_shape(const region *x, const region *y) {
    for (int i = 0; i < 3; i++)
        if (x->dim[i] != y->dim[i]) return false;
    return true;
}

static int64_t region_count(const region *x) { return x->dim[0] * x->dim[1] * x->dim[2]; }

/* run, or the average of two */
static sonde_status gather_run(binder *b, const bound_edit *e, const run_ref *r, const char *site, region *out) {
    SONDE_TRY(gather(b, e, r->name[0], &r->index[0], site, out));
    if (!r->name[1]) return SONDE_OK;
    region other;
    SONDE_TRY(gather(b, e, r->name[1], &r->index[1], site, &other));
    SONDE_FAIL_IF(!same_shape(out, &other), b->err, SONDE_USAGE, "avg(%s,%s): the two differ in shape", r->name[0],
                  r->name[1]);
    for (int64_t i = 0; i < region_count(out); i++) out->data[i] = (out->data[i] + other.data[i]) / 2;
    return SONDE_OK;
}

/* ---- broadcasting as numpy does: shapes are matched from the right ---- */

/* `dim` of `rank` dims against the region that the edit touches; strides over the site's axes. */
static sonde_status broadcast(binder *b, bound_edit *e, const float *data, const int64_t *dim, int rank) {
    const char *axes = site_rows[e->at.site].axes;
    const int   n_axes = (int)(strlen(axes) + 1) / 2;
    int64_t     stride = 1;
    int         v = rank - 1;
    e->value.data = data;
    e->value.rows = NO_END;
    for (int i = n_axes - 1; i >= 0; i--) {
        const bound_axis *x = &e->axis[i];
        e->value.stride[i] = 0;
        if (x->kind == INDEX_ONE || v < 0) continue;
        const bool    t = axis_letter(axes, i) == 't', open = x->kind == INDEX_ALL && along_positions(axis_letter(axes, i));
        const int64_t want = open ? axis_count(x, along(b, e, axis_letter(axes, i))->prompt)
                                   : axis_count(x, length_along(b, e, axis_letter(axes, i)));
        SONDE_FAIL_IF(dim[v] != 1 && dim[v] != want, b->err, SONDE_USAGE,
                      "the value has %lld along axis %c, the place %lld", (long long)dim[v], axis_letter(axes, i),
                      (long long)want);
        if (dim[v] != 1) {
            e->value.stride[i] = stride;
            if (t && open) e->value.rows = want;
            else if (open) e->axis[i].hi = want;        /* keys behind the value's are left alone */
        }
        stride *= dim[v--];
    }
    for (; v >= 0; v--)
        SONDE_FAIL_IF(dim[v] != 1, b->err, SONDE_USAGE, "the value has more axes than the place");
    return SONDE_OK;
}

static sonde_status use_region(binder *b, bound_edit *e, const region *r) {
    int64_t dim[3];
    int     rank = 0;
    for (int i = 0; i < 3; i++)
        if (!r->dropped[i]) dim[rank++] = r->dim[i];
    SONDE_TRY(broadcast(b, e, r->data, dim, rank));
    if (e->axis[0].kind == INDEX_ALL && e->op == EDIT_PATCH) e->value.rows = e->prompt;
    return SONDE_OK;
}

static sonde_status bind_run(binder *b, bound_edit *e, const edit_value *v, const char *site) {
    const bool alone = !v->minus && !v->run.name[1] && !v->run.index[0].n;
    if (alone && !strcmp(v->run.name[0], "A")) {
        e->live = b->p->runs.find(b->p->runs.user, "A", site);
        SONDE_FAIL_IF(!e->live, b->err, SONDE_USAGE, "run A has no values of %s", site);
        e->value = (bound_value){ .number = v->number, .rows = NO_END };
        return SONDE_OK;
    }
    region r, other;
    SONDE_TRY(gather_run(b, e, &v->run, site, &r));
    if (v->minus) {
        SONDE_TRY(gather_run(b, e, &v->other, site, &other));
        SONDE_FAIL_IF(!same_shape(&r, &other), b->err, SONDE_USAGE, "the two runs that are subtracted differ in shape");
        for (int64_t i = 0; i < region_count(&r); i++) r.data[i] -= other.data[i];
    }
    if (v->factor)
        for (int64_t i = 0; i < region_count(&r); i++) r.data[i] *= (float)v->number;
    return use_region(b, e, &r);
}

/* The mean over positions: of the unedited prompt, or of the reference's prompts (their kept values are means already). */
static sonde_status bind_mean(binder *b, bound_edit *e, const char *site) {
    const bound_runs *runs = &b->p->runs;
    const bool  given = runs->length(runs->user, "reference", STACK_MAIN) >= 0;
    const kept *k = runs->find(runs->user, given ? "reference" : "A", site);
    SONDE_FAIL_IF(!k, b->err, SONDE_USAGE, "mean: no values of %s", site);
    SONDE_FAIL_IF(k->rank < 2, b->err, SONDE_USAGE, "mean: %s has no positions", site);
    const int64_t rows = given ? k->dim[0] : e->prompt, width = k->rank == 3 ? k->dim[1] * k->dim[2] : k->dim[1];
    float *mean = arena_alloc(b->a, (size_t)width * sizeof(float));
    for (int64_t i = 0; i < width; i++) {
        double sum = 0;
        for (int64_t t = 0; t < rows; t++) sum += (double)k->data[t * width + i];
        mean[i] = (float)(sum / (double)rows);
    }
    region r = { .dim = { 1, 1, 1 }, .dropped = { true, false, false } };
    for (int i = 1; i < 3; i++) {           /* an axis that the site does not have is the one coordinate 0 */
        r.dim[i] = axis_count(&e->axis[i], i < k->rank ? k->dim[i] : 1);
        r.dropped[i] = e->axis[i].kind == INDEX_ONE;
    }
    r.data = arena_alloc(b->a, (size_t)region_count(&r) * sizeof(float));
    const int64_t across = k->rank == 3 ? k->dim[2] : 1;
    for (int64_t i = 0; i < r.dim[1]; i++)
        for (int64_t j = 0; j < r.dim[2]; j++)
            r.data[i * r.dim[2] + j] = mean[axis_at(&e->axis[1], i) * across + axis_at(&e->axis[2], j)];
    return use_region(b, e, &r);
}

/* Every row of length one. */
static sonde_status make_unit(binder *b, float *data, int64_t count, int64_t width) {
    for (int64_t r = 0; r < count; r += width) {
        double square = 0;
        for (int64_t i = 0; i < width; i++) square += (double)data[r + i] * (double)data[r + i];
        SONDE_FAIL_IF(!(square > 0), b->err, SONDE_USAGE, "the vector is zero and has no direction");
        for (int64_t i = 0; i < width; i++) data[r + i] = (float)((double)data[r + i] / sqrt(square));
    }
    return SONDE_OK;
}

static sonde_status bind_value(binder *b, bound_edit *e, const sonde_edit *from, const char *site) {
    const edit_value *v = &from->value;
    e->value = (bound_value){ .number = v->number, .rows = NO_END };
    if (e->op == EDIT_FREEZE) {
        e->live = b->p->runs.find(b->p->runs.user, "A", site);
        SONDE_FAIL_IF(!e->live, b->err, SONDE_USAGE, "freeze: no values of %s", site);
        e->value.number = 1;
        return SONDE_OK;
    }
    if (e->op == EDIT_MEAN) return bind_mean(b, e, site);
    if (e->op == EDIT_ZERO) e->value.number = 0;
    if (v->kind == VALUE_RUN) return bind_run(b, e, v, site);
    if (v->kind != VALUE_VECTOR) return SONDE_OK;
    int64_t count = 1;
    for (int i = 0; i < v->rank; i++) count *= v->dim[i];
    float *data = arena_alloc(b->a, (size_t)count * sizeof(float));
    for (int64_t i = 0; i < count; i++) data[i] = v->factor ? v->vector[i] * (float)v->number : v->vector[i];
    if (e->op == EDIT_PROJECT) SONDE_TRY(make_unit(b, data, count, v->rank ? v->dim[v->rank - 1] : 1));
    return broadcast(b, e, data, v->dim, v->rank);
}

/* ---- one place ---- */

/* Has any row of the index a key of it that it sees? */
static bool sees_any(const bound_edit *e, sight seen, int64_t length) {
    const bound_axis *rows = &e->axis[1], *keys = &e->axis[2];
    const int64_t     n = axis_count(rows, length), m = axis_count(keys, length);
    for (int64_t i = 0; i < n; i++) {
        const span s = keys_seen(seen, axis_at(rows, i), length);
        if (keys->kind != INDEX_LIST) {
            if (keys->lo < s.hi && keys->hi > s.lo) return true;
            continue;
        }
        for (int64_t j = 0; j < m; j++)
            if (axis_at(keys, j) >= s.lo && axis_at(keys, j) < s.hi) return true;
    }
    return false;
}

static sonde_status bind_index(binder *b, bound_edit *e, const index_spec *index) {
    const char *axes = site_rows[e->at.site].axes;
    const int   n_axes = (int)(strlen(axes) + 1) / 2;
    SONDE_FAIL_IF(index->n > n_axes, b->err, SONDE_USAGE, "%d indices for the axes \"%s\"", index->n, axes);
    for (int i = 0; i < 3; i++) {
        if (i >= n_axes) {
            e->axis[i] = (bound_axis){ .kind = INDEX_ONE, .lo = 0, .hi = 1 };
            continue;
        }
        const char       letter = axis_letter(axes, i);
        const positions *p = along(b, e, letter);
        const axis_of    x = { letter, length_along(b, e, letter), p->prompt, p->tokens, along_positions(letter) };
        SONDE_TRY(resolve(b, x, i < index->n ? &index->part[i] : &ALL_OF_IT, &e->axis[i]));
    }
    const bool masked = n_axes == 3 && axes[4] == 's' &&
                        !sees_any(e, place_sight(b->c, b->run, e->at), along(b, e, 's')->length);
    SONDE_FAIL_IF(masked && axis_last(&e->axis[1]) < axis_first(&e->axis[2]), b->err, SONDE_USAGE,
                  "the index names masked entries only: key %lld is behind position %lld",
                  (long long)axis_first(&e->axis[2]), (long long)axis_last(&e->axis[1]));
    SONDE_FAIL_IF(masked, b->err, SONDE_USAGE, "the index names masked entries only: keys outside the window of %lld",
                  (long long)slot_config(b->c, b->run, e->at.slot)->window);
    return SONDE_OK;
}

/* Rows below are set to what they are without any edit: those of a run that begins with the same tokens, taken at their own
 * coordinates. */
static int64_t rows_unchanged(const binder *b, const sonde_edit *e) {
    const edit_value *v = &e->value;
    const bound_runs *runs = &b->p->runs;
    if (e->op == EDIT_FREEZE) return NO_END;
    if ((e->op != EDIT_PATCH && e->op != EDIT_SET) || v->kind != VALUE_RUN || v->factor || v->minus || v->run.name[1] ||
        v->run.index[0].n || !runs->same || b->p->of[STACK_MAIN].prompt < 2)       /* one number is broadcast */
        return 0;
    return runs->same(runs->user, v->run.name[0]);
}

static sonde_status bind_one(binder *b, const sonde_edit *from, bound_edit *out) {
    /* another run is plain: a repeated block's values are found under the block's own name */
    const place at = out->at;
    const bool  listed = at.slot >= 0 && at.slot < b->run->n;
    slot        plain = listed ? b->run->at[at.slot] : (slot){ 0 };
    const slots one = { .at = &plain, .n = 1, .source = b->run->source };
    plain.turn = 0;
    const place  alone = { listed ? 0 : at.slot, at.site };
    char         text[256];
    out->prompt = along(b, out, row_letter(out))->prompt;
    out->same = rows_unchanged(b, from);
    sonde_status s = bind_index(b, out, &from->index);
    if (s == SONDE_OK && !b->p->dry) s = bind_value(b, out, from, place_name(b->a, &one, alone));
    if (s == SONDE_OK) return s;
    sonde_edit_format(from, text, sizeof text);
    return sonde_fail_at(b->err, s, "%s", text);
}

static int by_place(const void *x, const void *y) {
    const bound_edit *a = x, *b = y;
    if (a->at.slot != b->at.slot) return a->at.slot < b->at.slot ? -1 : 1;
    if (a->at.site != b->at.site) return a->at.site < b->at.site ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

sonde_status bind_edits(arena *a, const arch_config *c, const bound_prompt *p, bound *out, sonde_error *err) {
    const sonde_edit *const *edits = p->edits.at;
    const size_t n = p->edits.n;
    binder b = { .a = a, .c = c, .p = p, .run = &out->run, .err = err };
    *out = (bound){ .seed = p->seed, .config = c };
    SONDE_TRY(plan_slots(a, c, edits, n, &out->run, err));
    out->flags = arena_alloc(a, (size_t)(out->run.n + 2) * SITE_COUNT);
    place_list *at = arena_new_array(a, place_list, n + 1);
    size_t      total = 0;
    for (size_t i = 0; i < n; i++) {
        if (sonde_edit_is_plan(edits[i])) continue;
        SONDE_TRY(places_select(a, (place_scope){ c, &out->run, true }, edits[i]->site, &at[i], err));
        total += at[i].n;
    }
    out->edit = arena_new_array(a, bound_edit, total + 1);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < at[i].n; j++) {
            bound_edit *e = &out->edit[out->n_edits++];
            *e = (bound_edit){ .at = at[i].at[j], .order = (int)i, .op = edits[i]->op, .when = edits[i]->when };
            SONDE_TRY(bind_one(&b, edits[i], e));
        }
    qsort(out->edit, out->n_edits, sizeof *out->edit, by_place);
    return SONDE_OK;
}

/* ---- what edits read of a run ---- */

static bool reads_run(const sonde_edit *e, const char *name) {
    if (!strcmp(name, "A") && (e->op == EDIT_FREEZE || e->op == EDIT_MEAN)) return true;
    if (!strcmp(name, "reference")) return e->op == EDIT_MEAN;
    const run_ref *r[2] = { &e->value.run, &e->value.other };
    if (e->value.kind != VALUE_RUN) return false;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            if (r[i]->name[j] && !strcmp(r[i]->name[j], name)) return true;
    return false;
}

/* The slot of a plain run, counted from -1 (FRONT) to its n (BACK), that does what this one of another run does. */
static int plain_slot(const slots *plain, const slots *run, int at) {
    if (at == FRONT || at == BACK) return at == FRONT ? -1 : plain->n;
    const slot *is = &run->at[at];
    for (int i = 0; i < plain->n; i++)
        if (plain->at[i].stack == is->stack && plain->at[i].kind == is->kind && plain->at[i].block == is->block) return i;
    return plain->n;
}

sonde_status edits_read(arena *a, const arch_config *c, edit_list edits, const char *name, place_list *out,
                        sonde_error *err) {
    slots plain, run;
    SONDE_TRY(plan_slots(a, c, NULL, 0, &plain, err));
    SONDE_TRY(plan_slots(a, c, edits.at, edits.n, &run, err));
    uint8_t *seen = arena_alloc(a, (size_t)(plain.n + 2) * SITE_COUNT);
    size_t   most = 0;
    for (size_t i = 0; i < edits.n; i++) {
        place_list at;
        if (sonde_edit_is_plan(edits.at[i]) || !reads_run(edits.at[i], name)) continue;
        SONDE_TRY(places_select(a, (place_scope){ c, &run, true }, edits.at[i]->site, &at, err));
        for (size_t j = 0; j < at.n; j++) {
            const place p = at.at[j];
            uint8_t    *flag = &seen[(size_t)(plain_slot(&plain, &run, p.slot) + 1) * SITE_COUNT + p.site];
            most += !*flag;
            *flag = 1;
        }
    }
    *out = (place_list){ .at = arena_new_array(a, place, most + 1) };
    for (int s = -1; s <= plain.n; s++)
        for (int i = 0; i < SITE_COUNT; i++)
            if (seen[(size_t)(s + 1) * SITE_COUNT + (size_t)i])
                out->at[out->n++] = (place){ s < 0 ? FRONT : s == plain.n ? BACK : s, (site_id)i };
    return SONDE_OK;
}
