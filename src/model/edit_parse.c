/* One edit or plan of execution from its text (interface.md 4), checked as far as that needs no prompt. */
#include "base/text.h"
#include "edit_parts.h"
#include "model_data.h"
#include "site_names.h"
#include <math.h>
#include <string.h>

const char *const edit_op_names[EDIT_OP_COUNT] = {
#define OP(id, word, takes, doc) [EDIT_##id] = (word),
    EDIT_OPS(OP)
#undef OP
};
static const int op_takes[EDIT_OP_COUNT] = {
#define OP(id, word, takes, doc) [EDIT_##id] = (takes),
    EDIT_OPS(OP)
#undef OP
};
enum { TAKES_PRODUCT = TAKES_ANY & ~(TAKES_NUMBER | TAKES_VECTOR | TAKES_RUN) };

static sonde_status read_op(reader *r, edit_op *out) {
    const char *start = r->at, *word = reader_name(r);
    if (!word || !reader_take(r, ':')) {
        r->at = start;
        return reader_expected(r, "OP:SITE, such as zero:hook_mlp_out");
    }
    for (int i = 0; i < EDIT_OP_COUNT; i++) {
        *out = (edit_op)i;
        if (strcmp(word, edit_op_names[i]) == 0) return SONDE_OK;
    }
    size_t near;
    nearest(word, edit_op_names, EDIT_OP_COUNT, &near, 1);
    return sonde_fail(r->err, SONDE_USAGE, "no such operation, %s; the nearest is %s", name_shown(word).text,
                      edit_op_names[near]);
}

/* Plans */

/* The word that names of a stack's blocks begin with. */
static const char *word_of(const reader *r, stack_id of) {
    return !r->model->config.encoder ? "blocks" : of == STACK_ENCODER ? "encoder" : "decoder";
}

static bool take_word(reader *r, stack_id of) {
    const char  *word = word_of(r, of);
    const size_t n = strlen(word);
    if ((of == STACK_ENCODER && !r->model->config.encoder) || strncmp(r->at, word, n) != 0 || r->at[n] != '.') return false;
    r->at += n + 1;
    return true;
}

static sonde_status read_blocks(reader *r, const char *stops, int out[2], stack_id *stack) {
    block_range b;
    const char *start = r->at;
    *stack = take_word(r, STACK_ENCODER) ? STACK_ENCODER : STACK_MAIN;
    if (*stack == STACK_MAIN && !take_word(r, STACK_MAIN))
        return reader_expected(r, r->model->config.encoder ? "encoder.N or decoder.N" : "blocks.N");
    const int64_t layers = stack_config(&r->model->config, *stack)->layers;
    const char   *word = word_of(r, *stack);
    const size_t  len = strcspn(r->at, stops);
    const bool good = block_range_read(r->at, len, layers, &b) && b.turn < 0;
    SONDE_FAIL_IF(!good, r->err, SONDE_USAGE, "%s: expected %s.N or %s.N-M, with blocks 0 to %lld",
                  text_shown(start, len + strlen(word) + 1).text, word, word, (long long)layers - 1);
    r->at += len;
    out[0] = b.lo;
    out[1] = b.hi;
    return SONDE_OK;
}

static sonde_status read_skip(reader *r, sonde_edit *e) {
    SONDE_TRY(read_blocks(r, ".=@", e->block, &e->stack));
    if (!reader_take(r, '.')) return SONDE_OK;
    const bool  cross = arch_part(stack_config(&r->model->config, e->stack), PART_CROSS) != NULL;
    const char *start = r->at;
    e->part = reader_name(r);
    if (e->part && (strcmp(e->part, "attn") == 0 || strcmp(e->part, "mlp") == 0)) return SONDE_OK;
    if (e->part && cross && strcmp(e->part, "cross_attn") == 0) return SONDE_OK;
    r->at = start;
    return reader_expected(r, cross ? "attn, cross_attn or mlp" : "attn or mlp");
}

static sonde_status read_swap(reader *r, sonde_edit *e) {
    int one[2] = { 0 }, two[2] = { 0 };
    stack_id of;
    SONDE_TRY(read_blocks(r, ",=@", one, &e->stack));
    if (!reader_take(r, ','))
        return reader_expected(r, arena_printf(r->a, ",%s.M behind the first block", word_of(r, e->stack)));
    SONDE_TRY(read_blocks(r, ",=@", two, &of));
    const char *word = word_of(r, e->stack);
    SONDE_FAIL_IF(one[0] != one[1] || two[0] != two[1] || one[0] == two[0] || of != e->stack, r->err, SONDE_USAGE,
                  "expected two different blocks, as in swap:%s.4,%s.5", word, word);
    e->block[0] = one[0];
    e->block[1] = two[0];
    return SONDE_OK;
}

static sonde_status read_repeat(reader *r, sonde_edit *e) {
    int64_t times;
    SONDE_TRY(read_blocks(r, "=@", e->block, &e->stack));
    if (!reader_take(r, '=')) return reader_expected(r, "=TIMES behind the blocks");
    const char *start = r->at;
    SONDE_TRY(reader_integer(r, &times));
    if (times >= 1 && times <= 1000) {
        e->times = (int)times;
        return SONDE_OK;
    }
    r->at = start;
    return reader_expected(r, "1 to 1000 times");
}

static sonde_status read_order(reader *r, sonde_edit *e) {
    enum { MOST = 10000 };
    if (r->model->config.encoder) {
        e->stack = take_word(r, STACK_ENCODER) ? STACK_ENCODER : STACK_MAIN;
        if (e->stack == STACK_MAIN && !take_word(r, STACK_MAIN)) return reader_expected(r, "encoder. or decoder. and its order");
    }
    const int64_t   layers = stack_config(&r->model->config, e->stack)->layers;
    const long long last = (long long)layers - 1;
    e->order = arena_new_array(r->a, int, MOST);
    do {
        block_range b;
        const size_t len = strcspn(r->at, ",=@");
        const bool good = block_range_read(r->at, len, layers, &b) && b.turn < 0;
        SONDE_FAIL_IF(!good, r->err, SONDE_USAGE, "found \"%s\" in the order, expected N or N-M with blocks 0 to %lld",
                      text_shown(r->at, len).text, last);
        SONDE_FAIL_IF(e->n_order + b.hi - b.lo >= MOST, r->err, SONDE_USAGE, "more than %d blocks in the order",
                      (int)MOST);
        for (int i = b.lo; i <= b.hi; i++) e->order[e->n_order++] = i;
        r->at += len;
    } while (reader_take(r, ','));
    return SONDE_OK;
}

static sonde_status read_plan(reader *r, sonde_edit *e) {
    sonde_status (*const read)(reader *, sonde_edit *) = e->op == EDIT_SKIP   ? read_skip
                                                       : e->op == EDIT_SWAP   ? read_swap
                                                       : e->op == EDIT_REPEAT ? read_repeat
                                                                              : read_order;
    SONDE_TRY(read(r, e));
    e->word = word_of(r, e->stack);
    return *r->at ? reader_expected(r, "the end") : SONDE_OK;
}

/* Edits: reading */

static sonde_status read_when(reader *r, sonde_edit *e) {
    static const struct { const char *word; edit_when when; } words[] = {
        { "prompt", WHEN_PROMPT }, { "generated", WHEN_GENERATED }, { "all", WHEN_ALL },
    };
    const char *start = r->at, *word = reader_name(r);
    for (size_t i = 0; word && i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i].word) != 0) continue;
        e->when = words[i].when;
        e->when_written = true;
        return SONDE_OK;
    }
    r->at = start;
    return reader_expected(r, "prompt, generated or all behind @");
}

static sonde_status read_edit(reader *r, sonde_edit *e) {
    const size_t len = strcspn(r->at, "[=@");
    e->site = arena_printf(r->a, "%.*s", (int)len, r->at);
    r->at += len;
    if (*r->at == '[') SONDE_TRY(read_index(r, &e->index));
    if (reader_take(r, '=')) SONDE_TRY(read_value(r, &e->value));
    if (reader_take(r, '@')) SONDE_TRY(read_when(r, e));
    if (!*r->at) return SONDE_OK;
    return reader_expected(r, e->when_written        ? "the end"
                              : e->value.kind        ? "the end or @WHEN behind the value"
                              : e->index.n           ? "=VALUE, @WHEN or the end behind the index"
                                                     : "[INDEX], =VALUE, @WHEN or the end behind the site");
}

/* Edits: checking */

static sonde_status wrong_value(const sonde_edit *e, sonde_error *err) {
    static const struct { int takes; const char *text; } words[] = {
        { TAKES_NUMBER, "a number" }, { TAKES_VECTOR, "a vector" }, { TAKES_RUN, "a run" },
        { TAKES_PRODUCT, "NUMBER*VECTOR, NUMBER*RUN or NUMBER*(RUN-RUN)" },
    };
    text_out o = { .buf = (char[160]){ 0 }, .size = 160 };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (op_takes[e->op] & words[i].takes) text_put(&o, "%s%s", o.used ? ", " : "", words[i].text);
    return sonde_fail(err, SONDE_USAGE, "%s takes %s", edit_op_names[e->op], o.used ? o.buf : "no value");
}

static sonde_status check_value_kind(const sonde_edit *e, sonde_error *err) {
    const int takes = op_takes[e->op];
    const edit_value *v = &e->value;
    const int kind = v->kind == VALUE_NONE     ? 0
                     : v->factor               ? TAKES_PRODUCT
                     : v->kind == VALUE_NUMBER ? TAKES_NUMBER
                     : v->kind == VALUE_VECTOR ? TAKES_VECTOR
                                               : TAKES_RUN;
    if (kind == 0 ? takes != TAKES_NOTHING : !(takes & kind)) return wrong_value(e, err);
    SONDE_FAIL_IF(e->op == EDIT_NOISE && v->number < 0, err, SONDE_USAGE,
                  "noise of sd %g, expected a number that is not negative", v->number);
    return SONDE_OK;
}

/* A site of one of the stacks. */
typedef struct { const arch_config *c; site_id site; } stack_site;

/* An index of a run, and what it leaves against what the edit changes. */
static sonde_status check_run_index(const reader *r, const sonde_edit *e, stack_site at, const index_spec *x) {
    const arch_config *c = at.c;
    const site_id      s = at.site;
    if (x->n == 0) return SONDE_OK;
    SONDE_TRY(index_check(c, s, x, r->err));
    const known_shape from = index_shape(c, s, x), to = index_shape(c, s, &e->index);
    SONDE_FAIL_IF(!shape_broadcasts(&from, &to, arch_context(c)), r->err, SONDE_USAGE,
                  "the run's values are %s, %s there is %s and expected values that numpy would broadcast to that",
                  shape_text(r->a, &from), site_rows[s].name, shape_text(r->a, &to));
    return SONDE_OK;
}

static sonde_status check_run(const reader *r, const sonde_edit *e, stack_site at, const run_ref *x) {
    for (int i = 0; i < 2; i++)
        if (x->name[i]) SONDE_TRY(check_run_index(r, e, at, &x->index[i]));
    return SONDE_OK;
}

static index_kind last_kind(const sonde_edit *e, site_id s) {
    const int last = (int)strlen(site_rows[s].axes) / 2;        /* "t h e": 2 */
    return last < e->index.n ? e->index.part[last].kind : INDEX_ALL;
}

static sonde_status check_site(const reader *r, const sonde_edit *e, stack_site at) {
    const site_id s = at.site;
    SONDE_TRY(index_check(at.c, s, &e->index, r->err));
    SONDE_FAIL_IF(e->op == EDIT_MEAN && strchr(site_rows[s].axes, 's'), r->err, SONDE_USAGE,
                  "mean of %s, expected a site without an s axis: its axes are %s", site_rows[s].name,
                  site_rows[s].axes);
    SONDE_FAIL_IF(e->op == EDIT_PROJECT && last_kind(e, s) == INDEX_ONE, r->err, SONDE_USAGE,
                  "project on one entry of %s's last axis, expected the whole axis or a range of it",
                  site_rows[s].name);
    SONDE_TRY(check_run(r, e, at, &e->value.run));
    return check_run(r, e, at, &e->value.other);
}

/* Every row of the vector's last axis is a direction as long as that of the sites. */
static sonde_status check_direction(const reader *r, const edit_value *v, const value_target *to, size_t n_to) {
    const int64_t d = v->rank ? v->dim[v->rank - 1] : 1;
    int64_t rows = 1;
    for (int i = 0; i < v->rank - 1; i++) rows *= v->dim[i];
    for (size_t i = 0; i < n_to; i++) {
        const int64_t want = to[i].shape.dim[to[i].shape.rank - 1];
        SONDE_FAIL_IF(v->rank == 0 || (want != LENGTH_UNKNOWN && want != d), r->err, SONDE_USAGE,
                      "project: a direction of %lld numbers, %s there has %lld", (long long)d, to[i].site,
                      (long long)want);
    }
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0;
        for (int64_t j = 0; j < d; j++) sum += (double)v->vector[i * d + j] * (double)v->vector[i * d + j];
        SONDE_FAIL_IF(!(sum > 0 && isfinite(sum)), r->err, SONDE_USAGE,
                      "project: %s is %s, expected a direction of finite numbers, not all zero",
                      name_shown(v->file).text, sum == 0 ? "a zero vector" : "not finite");
    }
    return SONDE_OK;
}

static sonde_status check_edit(reader *r, sonde_edit *e, stored_values values) {
    named_sites  named;
    value_target to[2 * SITE_COUNT];
    size_t n = 0;
    SONDE_TRY(check_value_kind(e, r->err));
    SONDE_TRY(sites_named(r->a, &r->model->config, e->site, &named, r->err));
    for (int i = 0; i < 2 * SITE_COUNT; i++) {
        const site_id s = (site_id)(i % SITE_COUNT);
        const stack_id of = (stack_id)(i / SITE_COUNT);
        if (!named.in[of][s]) continue;
        const stack_site at = { stack_config(&r->model->config, of), s };
        SONDE_TRY(check_site(r, e, at));
        to[n++] = (value_target){ site_rows[s].name, index_shape(at.c, s, &e->index) };
    }
    if (e->value.kind != VALUE_VECTOR) return SONDE_OK;
    SONDE_TRY(read_vector(r, &e->value, values, to, n));
    return e->op == EDIT_PROJECT ? check_direction(r, &e->value, to, n) : SONDE_OK;
}

/* The whole */

static sonde_status parse(sonde_edit *e, reader *r, stored_values values) {
    SONDE_FAIL_IF(strlen(r->at) > LONGEST_EDIT, r->err, SONDE_USAGE, "%zu characters, expected at most %d",
                  strlen(r->at), LONGEST_EDIT);
    SONDE_TRY(read_op(r, &e->op));
    if (op_takes[e->op] == PLAN) return read_plan(r, e);
    SONDE_TRY(read_edit(r, e));
    return check_edit(r, e, values);
}

static sonde_status edit_new(sonde_edit **out, const sonde_model *m, const char *text, stored_values values,
                             sonde_error *err) {
    arena *a = arena_new();
    sonde_edit *e = arena_alloc(a, sizeof *e);
    e->memory = a;
    sonde_error why;
    reader r = { .at = text, .a = a, .model = m, .err = &why };
    const sonde_status s = parse(e, &r, values);
    if (s == SONDE_OK) {
        *out = e;
        return SONDE_OK;
    }
    *out = NULL;
    arena_free(a);
    return sonde_fail(err, s, "edit \"%s\": %s", name_shown(text).text, why.message);
}

sonde_status sonde_edit_parse(sonde_edit **out, const sonde_model *m, const char *text, const sonde_array_file *values,
                              sonde_error *err) {
    return edit_new(out, m, text, (stored_values){ .file = values }, err);
}

sonde_status sonde_edit_of_values(sonde_edit **out, const sonde_model *m, const char *text, sonde_values values,
                                  sonde_error *err) {
    return edit_new(out, m, text, (stored_values){ .memory = &values }, err);
}

void sonde_edit_free(sonde_edit *e) {
    if (e) arena_free(e->memory);
}
