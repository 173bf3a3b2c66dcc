/* Which cells a sweep has: sites and indices read, letters made axes. */
#include "method_sweep.h"
#include "room.h"
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

const char *sweep_axis_name(char axis) {
    switch (axis) {
    case 't': return "position";
    case 's': return "key";
    case 'h': return "head";
    case 'g': return "kv_head";
    case 'f': return "neuron";
    case 'd': return "dim";
    case 'x': return "expert";
    default:  return "unit";
    }
}

/* ---- reading ---- */

/* The length of the text up to the next `stop` outside brackets, braces and quotes. */
static size_t up_to(const char *text, char stop) {
    int    depth = 0;
    bool   quoted = false;
    size_t i = 0;
    for (; text[i]; i++) {
        if (quoted) {
            if (text[i] == '\\' && text[i + 1]) i++;
            else quoted = text[i] != '"';
            continue;
        }
        if (text[i] == stop && depth == 0) break;
        quoted = text[i] == '"';
        depth += (text[i] == '[') + (text[i] == '{') - (text[i] == ']') - (text[i] == '}');
    }
    return i;
}

typedef struct {
    sweep_grid  *g;
    const char  *whole;                     /* as given, for messages */
    char        *part[SWEEP_AXES]; int parts;
    sweep_span   longest;
    bool         two, causal;               /* an encoder-decoder; rows of logits see what stands before them alone */
    sonde_error *err;
} over_reader;

static char *trimmed(const char *text, size_t n) {
    while (n && isspace((unsigned char)*text)) text++, n--;
    while (n && isspace((unsigned char)text[n - 1])) n--;
    return room_text(text, n);
}

static sonde_status read_parts(over_reader *r, const char *index) {
    for (const char *at = index; ; at++) {
        const size_t n = up_to(at, ',');
        SONDE_FAIL_IF(r->parts == SWEEP_AXES, r->err, SONDE_USAGE, "over \"%s\": more than %d parts in the index", r->whole,
                      (int)SWEEP_AXES);
        char *part = trimmed(at, n);
        r->part[r->parts++] = part;
        SONDE_FAIL_IF(!*part, r->err, SONDE_USAGE, "over \"%s\": an empty part in the index", r->whole);
        at += n;
        if (!*at) return SONDE_OK;
    }
}

static bool is_letter(const char *part) { return isalpha((unsigned char)part[0]) && !part[1]; }

/* A letter for a part: it must be the axis's own. */
static sonde_status set_part(over_reader *r, sweep_site *s, int i) {
    if (!is_letter(r->part[i])) {
        s->part[i] = room_text(r->part[i], strlen(r->part[i]));
        return SONDE_OK;
    }
    char axes[2 * SWEEP_AXES + 1] = "";
    for (size_t k = 0; k < (size_t)s->rank; k++) snprintf(axes + 2 * k, 3, k + 1 < (size_t)s->rank ? "%c," : "%c", s->axis[k]);
    SONDE_FAIL_IF(r->part[i][0] != s->axis[i], r->err, SONDE_USAGE, "over \"%s\": axis %d of %s is %c, found the letter %s; its axes "
                  "are [%s], : is all of one at once", r->whole, i, s->name, s->axis[i], r->part[i], axes);
    return SONDE_OK;
}

static void default_part(sweep_site *s) {
    int letter = -1;
    for (int i = 0; i < s->rank; i++)
        if (s->axis[i] == 'h' || s->axis[i] == 'g') letter = i;
    for (int i = 0; letter < 0 && i < s->rank; i++)
        if (s->axis[i] == 't') letter = i;
    for (int i = 0; i < s->rank; i++)
        if (i != letter) s->part[i] = room_text(":", 1);
    s->parts = s->rank;
}

static sonde_status add_site(const sonde_site *from, void *user, sonde_error *err) {
    over_reader *r = user;
    sweep_grid  *g = r->g;
    g->site = room_grow(g->site, g->n_sites, 1, sizeof *g->site);
    sweep_site *s = &g->site[g->n_sites++];
    *s = (sweep_site){ .name = room_text(from->name, strlen(from->name)), .layer = from->block, .rank = from->rank,
                       .first = g->n, .parts = from->rank, .causal = r->causal && from->of_target == r->two };
    for (int i = 0; i < s->rank; i++) {
        s->axis[i] = from->axes[2 * (size_t)i];
        s->dim[i] = from->dim[i];
        s->target[i] = site_axis_target(from, i);
        if (s->axis[i] == 's' && s->target[i] != from->of_target) s->causal = false;      /* cross-attention */
    }
    SONDE_FAIL_IF(r->parts > s->rank, err, SONDE_USAGE, "over \"%s\": %d parts in the index, %s has the axes %s", r->whole,
                  r->parts, s->name, from->axes);
    if (!r->parts) default_part(s);
    for (int i = 0; r->parts && i < s->rank; i++) {
        if (i < r->parts) SONDE_TRY(set_part(r, s, i));
        else s->part[i] = room_text(":", 1);
    }
    int64_t count = 1;
    for (int i = 0; i < s->rank; i++)
        if (!s->part[i] && __builtin_mul_overflow(count, s->dim[i], &count)) count = INT64_MAX;
    SONDE_FAIL_IF(count > INT_MAX - g->n, err, SONDE_USAGE, "over \"%s\": more than %d cells", r->whole, INT_MAX);
    g->n += count;
    return SONDE_OK;
}

static sonde_status read_one(over_reader *r, const sonde_context *cx, const char *text) {
    const size_t len = up_to(text, '['), rest = strlen(text);
    char *pattern = trimmed(text, len), *index = NULL;
    sonde_status s = SONDE_OK;
    if (len < rest) {
        if (text[rest - 1] != ']') s = sonde_fail(r->err, SONDE_USAGE, "over \"%s\": expected ] at the end of the index", text);
        else index = room_text(text + len + 1, rest - len - 2);
    }
    if (s == SONDE_OK && index) s = read_parts(r, index);
    if (s == SONDE_OK && !*pattern) s = sonde_fail(r->err, SONDE_USAGE, "over \"%s\": expected SITE or SITE[INDEX]", text);
    const sonde_site_query q = { pattern, cx->edits, cx->n_edits, r->longest.n[0], r->longest.n[1] };
    if (s == SONDE_OK) s = sonde_sites(cx->model, &q, add_site, r, r->err);
    for (int i = 0; i < r->parts; i++) free(r->part[i]);
    r->parts = 0;
    free(index);
    free(pattern);
    return s;
}

static sweep_span longest(const sonde_context *cx) {
    sweep_span all = { { 0 } };
    for (size_t i = 0; i < cx->n_prompts; i++)
        for (int k = 0; k < 2; k++) {
            const sonde_prompt p = context_prompt(cx, i);
            int64_t n;
            context_positions(cx, &p, k, &n);
            if (n > all.n[k]) all.n[k] = n;
        }
    return all;
}

sonde_status sweep_grid_open(sweep_grid *g, const sonde_context *cx, const char *over, const char *op, sonde_error *err) {
    const char *equals = strchr(op, '=');
    const sonde_model_info *info = sonde_model_describe(cx->model);
    over_reader r = { .g = g, .whole = over, .longest = longest(cx), .two = info->encoder_layers > 0,
                      .causal = !info->bidirectional, .err = err };
    *g = (sweep_grid){ .op = trimmed(op, equals ? (size_t)(equals - op) : strlen(op)),
                       .value = equals ? room_text(equals + 1, strlen(equals + 1)) : NULL };
    for (const char *at = over; ; at++) {
        const size_t n = up_to(at, ',');
        char *one = trimmed(at, n);
        const sonde_status s = read_one(&r, cx, one);
        free(one);
        SONDE_TRY(s);
        at += n;
        if (!*at) break;
    }
    SONDE_FAIL_IF(g->n == 0, err, SONDE_USAGE, "over \"%s\": no cells", over);
    return SONDE_OK;
}

void sweep_grid_close(sweep_grid *g) {
    for (size_t i = 0; i < g->n_sites; i++) {
        free(g->site[i].name);
        for (int k = 0; k < SWEEP_AXES; k++) free(g->site[i].part[k]);
    }
    free(g->site);
    free(g->op);
    free(g->value);
}

/* ---- cells ---- */

sweep_cell sweep_cell_at(const sweep_grid *g, int64_t cell) {
    sweep_cell c = { .at = { -1, -1, -1, -1 } };
    size_t lo = 0, hi = g->n_sites;
    while (hi - lo > 1) {
        const size_t mid = (lo + hi) / 2;
        if (g->site[mid].first <= cell) lo = mid;
        else hi = mid;
    }
    const sweep_site *s = &g->site[c.site = lo];
    int64_t rest = cell - s->first;
    for (int i = s->rank; i-- > 0;) {
        if (s->part[i]) continue;
        c.at[i] = rest % s->dim[i];
        rest /= s->dim[i];
    }
    return c;
}

bool sweep_edit_text(const sweep_grid *g, const sweep_cell *c, char *buf, size_t n) {
    const sweep_site *s = &g->site[c->site];
    size_t used = (size_t)snprintf(buf, n, "%s:%s[", g->op, s->name);
    for (int i = 0; i < s->rank && used < n; i++) {
        const char *comma = i ? "," : "";
        if (s->part[i]) used += (size_t)snprintf(buf + used, n - used, "%s%s", comma, s->part[i]);
        else used += (size_t)snprintf(buf + used, n - used, "%s%" PRId64, comma, c->at[i]);
    }
    if (used < n) used += (size_t)snprintf(buf + used, n - used, g->value ? "]=%s" : "]", g->value);
    return used < n;
}

static char escaped(char letter) {
    switch (letter) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    default:  return letter;
    }
}

/* What a text in an index means: bytes of a JSON string, as far as one-token texts need it. */
static size_t plain_text(const char *quoted, char *out, size_t most) {
    size_t n = 0;
    for (const char *p = quoted + 1; *p && *p != '"' && n + 1 < most; p++) {
        unsigned code = 0;
        if (*p != '\\' || !p[1]) out[n++] = *p;
        else if (*++p != 'x' || sscanf(p + 1, "%2x", &code) != 1) out[n++] = escaped(*p);
        else {
            out[n++] = (char)(unsigned char)code;
            p += p[2] ? 2 : 1;
        }
    }
    return n;
}

typedef struct { const int32_t *id; int64_t n; } axis_tokens;

static void token_bounds(const sonde_context *cx, const axis_tokens *t, const char *part, int64_t *lo, int64_t *hi) {
    char    text[256];
    int32_t id = -1;
    if (*part == '#') id = (int32_t)strtol(part + 1, NULL, 10);
    else if (sonde_token_single(cx->model, text, plain_text(part, text, sizeof text), &id, NULL) != SONDE_OK) return;
    for (int64_t i = 0, seen = 0; i < t->n; i++) {
        if (t->id[i] != id) continue;
        if (!seen++) *lo = i;
        *hi = i;
    }
}

/* The least and the greatest coordinate that a part means; what it does not understand is everything. */
static void part_bounds(const sonde_context *cx, const axis_tokens *t, const char *part, int64_t *lo, int64_t *hi) {
    const int64_t n = t->n;
    *lo = 0;
    *hi = n - 1;
    if (*part == '"' || *part == '#') { token_bounds(cx, t, part, lo, hi); return; }
    if (*part == ':') return;
    char   *end;
    bool    first = true;
    const char *at = *part == '{' ? part + 1 : part;
    for (;; at = end + 1) {
        int64_t v = strtoll(at, &end, 10);
        if (end == at) return;
        if (v < 0) v += n;
        if (*end == ':') {
            *lo = v;
            v = strtoll(end + 1, NULL, 10);
            *hi = (v < 0 ? v + n : v) - 1;
            return;
        }
        if (first || v < *lo) *lo = v;
        if (first || v > *hi) *hi = v;
        first = false;
        while (*end == ' ') end++;
        if (*part != '{' || *end != ',') return;
    }
}

bool sweep_cell_exists(const sweep_grid *g, const sweep_cell *c, const sonde_context *cx, size_t prompt, sweep_span keep) {
    const sonde_prompt p = context_prompt(cx, prompt);
    const sweep_site  *s = &g->site[c->site];
    int64_t query = -1, key = -1;           /* the last row and the first column of it */
    for (int i = 0; i < s->rank; i++) {
        if (s->axis[i] != 't' && s->axis[i] != 's') continue;
        if (!s->part[i] && c->at[i] >= keep.n[s->target[i]]) return false;
        int64_t     lo = c->at[i], hi = c->at[i];
        axis_tokens t;
        t.id = context_positions(cx, &p, s->target[i], &t.n);
        if (s->part[i]) part_bounds(cx, &t, s->part[i], &lo, &hi);
        if (s->axis[i] == 't') query = hi;
        else key = lo;
    }
    return !s->causal || key < 0 || key <= query;         /* the rest is masked: there is nothing to edit */
}
