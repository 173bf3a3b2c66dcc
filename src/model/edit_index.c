/* Indices: read, checked against the axes of a site, written back. */
#include "base/text.h"
#include "edit_parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reading */

static int by_value(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static sonde_status each_once(reader *r, const index_part *p) {
    int64_t *sorted = arena_new_array(r->a, int64_t, p->n);
    memcpy(sorted, p->list, p->n * sizeof *sorted);
    qsort(sorted, p->n, sizeof *sorted, by_value);
    for (size_t i = 1; i < p->n; i++)
        SONDE_FAIL_IF(sorted[i] == sorted[i - 1], r->err, SONDE_USAGE, "{%lld} stands twice in a list, expected once",
                      (long long)sorted[i]);
    return SONDE_OK;
}

static size_t numbers_ahead(const char *at) {
    size_t n = 1;
    for (; *at && *at != '}' && *at != ']'; at++) n += *at == ',';
    return n;
}

static sonde_status read_list(reader *r, index_part *p) {
    p->kind = INDEX_LIST;
    p->list = arena_new_array(r->a, int64_t, numbers_ahead(r->at));
    do {
        reader_blanks(r);
        SONDE_TRY(reader_integer(r, &p->list[p->n]));
        p->n++;
        reader_blanks(r);
    } while (reader_take(r, ','));
    if (!reader_take(r, '}')) return reader_expected(r, ", or } in a list");
    return each_once(r, p);
}

static sonde_status read_part(reader *r, index_part *p) {
    *p = (index_part){ .kind = INDEX_ALL };
    if (*r->at == '"' || *r->at == '#') {
        p->kind = INDEX_TOKEN;
        return reader_token(r, &p->token, &p->text);
    }
    if (reader_take(r, '{')) return read_list(r, p);
    if (reader_take(r, ':')) {
        reader_blanks(r);
        if (*r->at == ',' || *r->at == ']') return SONDE_OK;
        return reader_expected(r, "both ends of a range (N:M), or : alone");
    }
    if (*r->at != '-' && (*r->at < '0' || *r->at > '9'))
        return reader_expected(r, "an index: N, N:M, :, {N,M}, a text in double quotes or #ID");
    p->kind = INDEX_ONE;
    SONDE_TRY(reader_integer(r, &p->lo));
    if (!reader_take(r, ':')) return SONDE_OK;
    p->kind = INDEX_RANGE;
    if (*r->at != '-' && (*r->at < '0' || *r->at > '9')) return reader_expected(r, "both ends of a range (N:M)");
    SONDE_TRY(reader_integer(r, &p->hi));
    SONDE_FAIL_IF((p->lo < 0) == (p->hi < 0) && p->lo >= p->hi, r->err, SONDE_USAGE,
                  "the range %lld:%lld is empty, expected its first number below its second", (long long)p->lo,
                  (long long)p->hi);
    return SONDE_OK;
}

sonde_status read_index(reader *r, index_spec *out) {
    enum { MOST = sizeof out->part / sizeof *out->part };
    *out = (index_spec){ .n = 0 };
    if (!reader_take(r, '[')) return reader_expected(r, "[");
    do {
        SONDE_FAIL_IF(out->n == MOST, r->err, SONDE_USAGE, "an index of more than %d parts, no site has so many axes",
                      (int)MOST);
        reader_blanks(r);
        SONDE_TRY(read_part(r, &out->part[out->n]));
        out->n++;
        reader_blanks(r);
    } while (reader_take(r, ','));
    if (!reader_take(r, ']')) return reader_expected(r, ", or ] in an index");
    return SONDE_OK;
}

/* Writing */

static void put_part(text_out *o, const index_part *p) {
    switch (p->kind) {
    case INDEX_ALL:   text_put(o, ":"); return;
    case INDEX_ONE:   text_put(o, "%lld", (long long)p->lo); return;
    case INDEX_RANGE: text_put(o, "%lld:%lld", (long long)p->lo, (long long)p->hi); return;
    case INDEX_TOKEN: text_put(o, "%s", p->text); return;
    case INDEX_LIST:
        for (size_t i = 0; i < p->n; i++) text_put(o, "%c%lld", i ? ',' : '{', (long long)p->list[i]);
        text_put(o, "}");
    }
}

void put_index(text_out *o, const index_spec *x) {
    for (int i = 0; i < x->n; i++) {
        text_put(o, "%c", i ? ',' : '[');
        put_part(o, &x->part[i]);
    }
    if (x->n) text_put(o, "]");
}

/* Checking */

static bool is_position(char axis) { return axis == 't' || axis == 's'; }

/* The letters of a site's axes without the blanks. */
static int axis_letters(site_id s, char letters[5]) {
    int n = 0;
    for (const char *at = site_rows[s].axes; *at; at++)
        if (*at != ' ') letters[n++] = *at;
    letters[n] = '\0';
    return n;
}

static bool inside(int64_t i, int64_t n) { return i >= -n && i < n; }

/* A part on an axis of n places, `what` says which. */
static sonde_status part_inside(const index_part *p, int64_t n, const char *what, sonde_error *err) {
    const long long most = (long long)n - 1;
    if (p->kind == INDEX_ONE)
        SONDE_FAIL_IF(!inside(p->lo, n), err, SONDE_USAGE, "index %lld of %s: expected %lld to %lld", (long long)p->lo,
                      what, -most - 1, most);
    for (size_t i = 0; i < p->n; i++)
        SONDE_FAIL_IF(!inside(p->list[i], n), err, SONDE_USAGE, "index %lld of %s: expected %lld to %lld",
                      (long long)p->list[i], what, -most - 1, most);
    if (p->kind != INDEX_RANGE) return SONDE_OK;
    const int64_t lo = p->lo < 0 ? p->lo + n : p->lo, hi = p->hi < 0 ? p->hi + n : p->hi;
    SONDE_FAIL_IF(lo < 0 || hi > n || lo >= hi, err, SONDE_USAGE, "range %lld:%lld of %s: expected one inside 0:%lld",
                  (long long)p->lo, (long long)p->hi, what, most + 1);
    return SONDE_OK;
}

sonde_status index_check(const arch_config *c, site_id s, const index_spec *x, sonde_error *err) {
    char axis[5], what[96];
    const int rank = axis_letters(s, axis);
    SONDE_FAIL_IF(x->n > rank, err, SONDE_USAGE, "an index of %d parts for %s, which has the %d axes %s", x->n,
                  site_rows[s].name, rank, site_rows[s].axes);
    for (int i = 0; i < x->n; i++) {
        const index_part *p = &x->part[i];
        if (is_position(axis[i])) continue;
        SONDE_FAIL_IF(p->kind == INDEX_TOKEN, err, SONDE_USAGE,
                      "%s on axis %c of %s: a token names positions, expected a number, a range or a list",
                      name_shown(p->text).text, axis[i], site_rows[s].name);
        snprintf(what, sizeof what, "axis %c of %.60s", axis[i], site_rows[s].name);
        SONDE_TRY(part_inside(p, axis_length(c, s, axis[i], 0), what, err));
    }
    return SONDE_OK;
}

static int64_t part_length(const index_part *p, int64_t axis) {
    switch (p->kind) {
    case INDEX_LIST:  return (int64_t)p->n;
    case INDEX_ALL:   return axis;
    case INDEX_RANGE: break;
    default:          return LENGTH_UNKNOWN;
    }
    if ((p->lo < 0) == (p->hi < 0)) return p->hi - p->lo;
    if (axis == LENGTH_UNKNOWN) return LENGTH_UNKNOWN;
    return (p->hi < 0 ? p->hi + axis : p->hi) - (p->lo < 0 ? p->lo + axis : p->lo);
}

known_shape index_shape(const arch_config *c, site_id s, const index_spec *x) {
    char axis[5];
    const int rank = axis_letters(s, axis);
    known_shape out = { .rank = 0 };
    for (int i = 0; i < rank; i++) {
        const int64_t n = is_position(axis[i]) ? LENGTH_UNKNOWN : axis_length(c, s, axis[i], 0);
        const index_part all = { .kind = INDEX_ALL }, *p = i < x->n ? &x->part[i] : &all;
        if (p->kind != INDEX_ONE) out.dim[out.rank++] = part_length(p, n);
    }
    return out;
}

bool shape_broadcasts(const known_shape *from, const known_shape *to, int64_t most) {
    for (int i = 1; i <= from->rank; i++) {
        const int64_t have = from->dim[from->rank - i];
        if (have == 1) continue;
        if (i > to->rank) return false;
        const int64_t want = to->dim[to->rank - i];
        if (have == LENGTH_UNKNOWN) continue;
        if (want == LENGTH_UNKNOWN ? have > most : have != want) return false;
    }
    return true;
}

const char *shape_text(arena *a, const known_shape *s) {
    const char *text = "[";
    for (int i = 0; i < s->rank; i++)
        text = s->dim[i] == LENGTH_UNKNOWN ? arena_printf(a, "%s%st", text, i ? ", " : "")
                                           : arena_printf(a, "%s%s%lld", text, i ? ", " : "", (long long)s->dim[i]);
    return arena_printf(a, "%s]", text);
}

sonde_status index_count(const index_part *p, int64_t n, size_t *count, sonde_error *err) {
    SONDE_FAIL_IF(p->kind == INDEX_TOKEN, err, SONDE_USAGE,
                  "%s in a file: a token names positions of a prompt, expected a number, a range or a list",
                  name_shown(p->text).text);
    SONDE_TRY(part_inside(p, n, "a file's axis", err));
    *count = p->kind == INDEX_ONE ? 1 : (size_t)part_length(p, n);
    return SONDE_OK;
}

sonde_status index_places(arena *a, const index_part *p, int64_t n, int64_t **out, size_t *count, sonde_error *err) {
    SONDE_TRY(index_count(p, n, count, err));
    const int64_t first = p->kind == INDEX_ALL ? 0 : p->lo < 0 ? p->lo + n : p->lo;
    *out = arena_new_array(a, int64_t, *count);
    for (size_t i = 0; i < *count; i++) {
        const int64_t at = p->kind == INDEX_LIST ? p->list[i] : first + (int64_t)i;
        (*out)[i] = at < 0 ? at + n : at;
    }
    return SONDE_OK;
}
