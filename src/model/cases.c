/* cases.json as structures, in one arena. */
#include "base/arena.h"
#include "base/json.h"
#include "sonde/cases.h"
#include <inttypes.h>
#include <string.h>

struct sonde_cases { arena *memory; sonde_task *task; size_t n; };

typedef struct { arena *a; const char *task; sonde_error *err; } reader;

static sonde_status wrong(const reader *r, const char *what) {
    return sonde_fail(r->err, SONDE_FORMAT, "cases: task %s: %s", r->task, what);
}

static sonde_status read_ids(const reader *r, const json *j, int64_t most, const int32_t **out, size_t *n) {
    if (!j || j->kind != JSON_ARRAY) return wrong(r, "a list of ids is missing");
    int32_t *id = arena_new_array(r->a, int32_t, j->len + 1);
    *n = 0;
    for (const json *x = j->child; x; x = x->next) {
        int64_t v;
        if (!json_int(x, &v) || v < 0 || v > most) return wrong(r, "a number in a list of ids is none");
        id[(*n)++] = (int32_t)v;
    }
    *out = id;
    return SONDE_OK;
}

static sonde_status read_text(const reader *r, const json *j, const char **out) {
    size_t len;
    return json_string(j, out, &len) ? SONDE_OK : wrong(r, "a name is missing");
}

static sonde_status read_measures(const reader *r, const json *j, sonde_task *t) {
    if (!j || j->kind != JSON_ARRAY) return wrong(r, "measures are missing");
    sonde_measure *m = arena_new_array(r->a, sonde_measure, j->len + 1);
    for (const json *x = j->child; x; x = x->next) {
        sonde_measure *one = &m[t->n_measures++];
        SONDE_TRY(read_text(r, json_get(x, "measure"), &one->name));
        if (!json_double(json_get(x, "bar"), &one->bar) || !json_double(json_get(x, "value"), &one->value))
            return wrong(r, "a measure without bar or value");
    }
    t->measure = m;
    return SONDE_OK;
}

static sonde_status read_sets(const reader *r, const json *sets, const json *universe, sonde_task *t) {
    sonde_id_list *list = arena_new_array(r->a, sonde_id_list, (sets ? sets->len : 0) + 1);
    for (const json *x = sets ? sets->child : NULL; x; x = x->next) {
        sonde_id_list *one = &list[t->n_sets++];
        SONDE_TRY(read_ids(r, x, INT32_MAX, &one->id, &one->n));
    }
    t->set = list;
    return universe ? read_ids(r, universe, INT32_MAX, &t->universe.id, &t->universe.n) : SONDE_OK;
}

static sonde_status read_optional(const reader *r, const json *j, int32_t *out) {
    int64_t v = -1;
    if (j && (!json_int(j, &v) || v < 0 || v > INT32_MAX)) return wrong(r, "wrong or set is no number");
    *out = (int32_t)v;
    return SONDE_OK;
}

static sonde_status read_case(const reader *r, const json *j, const sonde_task *t, sonde_case *c) {
    size_t n_p = 0;
    SONDE_TRY(read_ids(r, json_get(j, "t"), INT32_MAX, &c->t, &c->n));
    SONDE_TRY(read_ids(r, json_get(j, "at"), (int64_t)c->n - 2, &c->at, &c->n_at));
    SONDE_TRY(read_ids(r, json_get(j, "p"), INT32_MAX, &c->p, &n_p));
    SONDE_TRY(read_optional(r, json_get(j, "wrong"), &c->wrong));
    SONDE_TRY(read_optional(r, json_get(j, "set"), &c->set));
    if (n_p != c->n_at || n_p == 0) return wrong(r, "a case without as many predictions as judged positions");
    if (c->set >= 0 && (size_t)c->set >= t->n_sets) return wrong(r, "a case names a set that is not there");
    for (size_t i = 1; i < c->n_at; i++)
        if (c->at[i] <= c->at[i - 1]) return wrong(r, "judged positions do not ascend");
    return SONDE_OK;
}

static sonde_status read_task(reader *r, const json *j, sonde_task *t) {
    SONDE_TRY(read_text(r, json_get(j, "name"), &t->name));
    r->task = t->name;
    SONDE_TRY(read_text(r, json_get(j, "title"), &t->title));
    SONDE_TRY(read_measures(r, json_get(j, "measures"), t));
    SONDE_TRY(read_sets(r, json_get(j, "sets"), json_get(j, "universe"), t));
    const json *list = json_get(j, "cases");
    if (!list || list->kind != JSON_ARRAY) return wrong(r, "cases are missing");
    sonde_case *c = arena_new_array(r->a, sonde_case, list->len + 1);
    for (const json *x = list->child; x; x = x->next) SONDE_TRY(read_case(r, x, t, &c[t->n++]));
    t->cases = c;
    return SONDE_OK;
}

static sonde_status read_all(sonde_cases *c, const char *text, size_t n, sonde_error *err) {
    const json *j;
    reader r = { c->memory, "?", err };
    SONDE_TRY(json_parse(text, n, c->memory, &j, err));
    const json *tasks = json_get(j, "tasks");
    if (!tasks || tasks->kind != JSON_ARRAY) return sonde_fail(err, SONDE_FORMAT, "cases: no list of tasks");
    c->task = arena_new_array(c->memory, sonde_task, tasks->len + 1);
    for (const json *x = tasks->child; x; x = x->next) SONDE_TRY(read_task(&r, x, &c->task[c->n++]));
    return SONDE_OK;
}

sonde_status sonde_cases_read(sonde_cases **out, const char *text, size_t n, sonde_error *err) {
    arena *a = arena_new();
    sonde_cases *c = arena_alloc(a, sizeof *c);
    c->memory = a;
    const sonde_status s = read_all(c, text, n, err);
    if (s == SONDE_OK) *out = c;
    else sonde_cases_free(c);
    return s;
}

void sonde_cases_free(sonde_cases *c) {
    if (c) arena_free(c->memory);
}

const sonde_task *sonde_cases_task(const sonde_cases *c, size_t i) { return i < c->n ? &c->task[i] : NULL; }
