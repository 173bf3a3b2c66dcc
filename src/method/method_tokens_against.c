/* A cut is where a word or token ends. Side by side stand the shortest stretches of text at whose ends neither tokenizer is
 * within a token. */
#include "method_tokens_against.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

/* What lies in the text, ascending; what is put around it has no place. */
typedef struct { int64_t start, end; int32_t id; } span;
typedef struct { span *at; int64_t n; } spans;
/* One text as one of the two has it. */
typedef struct { const sonde_model *model; spans tokens, words; } reading;

static void reading_free(reading *r) {
    free(r->tokens.at);
    free(r->words.at);
    *r = (reading){ 0 };
}

static spans token_spans(const sonde_tokens *t) {
    spans s = { .at = ROOM(span, t->n) };
    for (int64_t i = 0; i < t->n; i++)
        if (t->start && t->start[i] >= 0) s.at[s.n++] = (span){ t->start[i], t->end[i], t->id[i] };
    return s;
}

static spans word_spans(const sonde_split *w) {
    spans s = { .at = ROOM(span, w->n_words), .n = w->n_words };
    for (int64_t i = 0; i < w->n_words; i++) s.at[i] = (span){ w->word[i].start, w->word[i].end, 0 };
    return s;
}

static sonde_status read_text(const sonde_context *cx, const sonde_model *m, const method_prompt *p, reading *out,
                              sonde_error *err) {
    sonde_tokens t;
    sonde_split  w;
    *out = (reading){ .model = m };
    SONDE_TRY(sonde_tokenize(m, p->text, p->len, cx->tokenize, &t, err));
    out->tokens = token_spans(&t);
    sonde_tokens_free(&t);
    SONDE_TRY(sonde_split_text(m, p->text, p->len, cx->tokenize, &w, err));
    out->words = word_spans(&w);
    sonde_split_free(&w);
    return SONDE_OK;
}

/* ---- counts ---- */

typedef struct { int64_t common, first; } cuts;         /* first: that only one has, -1: none */

static cuts compare_cuts(const spans *a, const spans *b) {
    cuts c = { .first = -1 };
    for (int64_t i = 0, j = 0; i < a->n || j < b->n;) {
        const int64_t x = i < a->n ? a->at[i].end : INT64_MAX, y = j < b->n ? b->at[j].end : INT64_MAX;
        if (x == y) c.common++;
        else if (c.first < 0) c.first = x < y ? x : y;
        i += x <= y;
        j += y <= x;
    }
    return c;
}

static void prompt_column(const sonde_context *cx, sonde_table *t) {
    if (cx->batch) sonde_table_column(t, "prompt", SONDE_INT, "");
}

static void begin_row(const sonde_context *cx, sonde_table *t, size_t prompt) {
    sonde_table_row(t);
    if (cx->batch) sonde_cell_int(t, (int64_t)prompt);
}

static sonde_table *counts_table(const sonde_context *cx, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "against");
    prompt_column(cx, t);
    sonde_table_column(t, "of", SONDE_TEXT, "");
    sonde_table_column(t, "here", SONDE_INT, "");
    sonde_table_column(t, "other", SONDE_INT, "");
    sonde_table_column(t, "common_cuts", SONDE_INT, "");
    sonde_table_column(t, "first_difference", SONDE_INT, "byte");
    return t;
}

static void put_count(sonde_table *t, const char *of, const spans *here, const spans *other) {
    const cuts c = compare_cuts(here, other);
    sonde_cell_text(t, of);
    sonde_cell_int(t, here->n);
    sonde_cell_int(t, other->n);
    sonde_cell_int(t, c.common);
    if (c.first >= 0) sonde_cell_int(t, c.first); else sonde_cell_null(t);
}

/* ---- side by side ---- */

static sonde_table *side_table(const sonde_context *cx, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "side_by_side");
    prompt_column(cx, t);
    sonde_table_column(t, "start", SONDE_INT, "byte");
    sonde_table_column(t, "end", SONDE_INT, "byte");
    sonde_table_column(t, "here", SONDE_TEXT, "");
    sonde_table_column(t, "here_ids", SONDE_TEXT, "");
    sonde_table_column(t, "other", SONDE_TEXT, "");
    sonde_table_column(t, "other_ids", SONDE_TEXT, "");
    sonde_table_column(t, "same", SONDE_BOOL, "");
    return t;
}

/* Texts of the tokens and their ids, with blanks between: a blank within a token is shown as a dot. */
static void put_side(sonde_table *t, const reading *r, int64_t from, int64_t to) {
    size_t room = 1, used = 0, used_ids = 0;
    for (int64_t i = from; i < to; i++) {
        size_t      len;
        const char *bytes = sonde_token_bytes(r->model, r->tokens.at[i].id, &len);
        room += sonde_token_show(bytes, len, NULL, 0) + 13;
    }
    char *texts = ROOM(char, room), *ids = ROOM(char, room);
    for (int64_t i = from; i < to; i++) {
        size_t      len;
        const char *bytes = sonde_token_bytes(r->model, r->tokens.at[i].id, &len);
        if (i > from) texts[used++] = ' ';
        used += sonde_token_show(bytes, len, texts + used, room - used);
        used_ids += (size_t)snprintf(ids + used_ids, room - used_ids, "%s%" PRId32, i > from ? " " : "",
                                     r->tokens.at[i].id);
    }
    sonde_cell_text(t, texts);
    sonde_cell_text(t, ids);
    free(texts);
    free(ids);
}

/* Takes the tokens that begin before *end; these may move it. */
static bool take(const spans *s, int64_t *i, int64_t *end) {
    const int64_t before = *i;
    for (; *i < s->n && s->at[*i].start < *end; ++*i)
        if (s->at[*i].end > *end) *end = s->at[*i].end;
    return *i > before;
}

static bool same_cuts(const span *a, const span *b, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (a[i].start != b[i].start || a[i].end != b[i].end) return false;
    return true;
}

static void put_sides(const sonde_context *cx, size_t prompt, const reading *a, const reading *b, sonde_table *t) {
    const spans *x = &a->tokens, *y = &b->tokens;
    for (int64_t i = 0, j = 0; i < x->n || j < y->n;) {
        const int64_t from = i, other = j;
        const bool    here = i < x->n && (j == y->n || x->at[i].start <= y->at[j].start);
        const span    first = here ? x->at[i++] : y->at[j++];
        int64_t       end = first.end;
        while (take(x, &i, &end) || take(y, &j, &end)) { }
        begin_row(cx, t, prompt);
        sonde_cell_int(t, first.start);
        sonde_cell_int(t, end);
        put_side(t, a, from, i);
        put_side(t, b, other, j);
        sonde_cell_bool(t, i - from == j - other && same_cuts(x->at + from, y->at + other, i - from));
    }
}

/* ---- the two ---- */

static void put_tokenizers(const sonde_context *cx, const sonde_model *other, sonde_result *out) {
    const sonde_model *const two[] = { cx->model, other };
    sonde_table *t = sonde_result_table(out, "tokenizers");
    sonde_table_column(t, "side", SONDE_TEXT, "");
    sonde_table_column(t, "model", SONDE_TEXT, "");
    sonde_table_column(t, "largest_id", SONDE_INT, "");
    sonde_table_column(t, "special", SONDE_INT, "");
    for (int k = 0; k < 2; k++) {
        const sonde_model_info *m = sonde_model_describe(two[k]);
        int64_t special = 0;
        for (int32_t id = 0; id < m->tokens; id++) special += sonde_token_special(two[k], id);
        sonde_table_row(t);
        sonde_cell_text(t, k ? "other" : "here");
        sonde_cell_text(t, m->name);
        sonde_cell_int(t, m->tokens - 1);
        sonde_cell_int(t, special);
    }
}

static sonde_status put_prompts(const sonde_context *cx, const sonde_model *other, sonde_result *out, sonde_error *err) {
    sonde_table *counts = counts_table(cx, out), *sides = side_table(cx, out);
    for (size_t i = 0; i < cx->n_prompts; i++) {
        const method_prompt *p = &cx->prompts[i];
        reading a, b = { 0 };
        SONDE_FAIL_IF(!p->text, err, SONDE_USAGE, "against: two tokenizers are compared on a text, found tokens");
        sonde_status s = read_text(cx, cx->model, p, &a, err);
        if (s == SONDE_OK) s = read_text(cx, other, p, &b, err);
        if (s == SONDE_OK) {
            begin_row(cx, counts, i);
            put_count(counts, "words", &a.words, &b.words);
            begin_row(cx, counts, i);
            put_count(counts, "tokens", &a.tokens, &b.tokens);
            put_sides(cx, i, &a, &b, sides);
        }
        reading_free(&a);
        reading_free(&b);
        SONDE_TRY(s);
    }
    return SONDE_OK;
}

sonde_status put_against(const sonde_context *cx, const char *name, sonde_result *out, sonde_error *err) {
    sonde_model *other;
    sonde_status s = sonde_tokenizer_open(&other, name, cx->search, err);
    if (s != SONDE_OK) return sonde_fail_at(err, s, "against");
    if (!sonde_model_describe(cx->model)->has_tokenizer || !sonde_model_describe(other)->has_tokenizer) {
        s = sonde_fail(err, SONDE_FORMAT, "against: %s has no tokenizer",
                       sonde_model_describe(other)->has_tokenizer ? "the model" : "the other model");
    } else {
        put_tokenizers(cx, other, out);
        s = put_prompts(cx, other, out, err);
    }
    sonde_model_close(other);
    return s;
}
