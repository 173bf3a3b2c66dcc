/* The tokens of a text, as the model reads it; how they come about; and the tokenizer itself (RevLLM's tokenizer page;
 * features.md 2.3). */
#include "method.h"
#include "method_tokens_against.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

enum { TOKENS_WORDS, TOKENS_MERGES, TOKENS_CARD, TOKENS_AGAINST };

static const param params[] = {
    [TOKENS_WORDS] = { "words", PARAM_FLAG, "", 0, 0, "the words that the text is cut into first" },
    [TOKENS_MERGES] = { "merges", PARAM_FLAG, "", 0, 0, "what is merged in each word, step by step" },
    [TOKENS_CARD] = { "card", PARAM_FLAG, "", 0, 0, "the pattern of words, special tokens, largest id" },
    [TOKENS_AGAINST] = { "against", PARAM_TEXT, "", 0, 0, "another model, whose tokenizer stands beside this one's" },
    { 0 },
};

extern const method method_tokens;

static sonde_table *table(const sonde_context *cx, sonde_result *out, const char *name) {
    sonde_table *t = sonde_result_table(out, name);
    if (cx->batch) sonde_table_column(t, "prompt", SONDE_INT, "");
    return t;
}

static void row(const sonde_context *cx, sonde_table *t, size_t prompt) {
    sonde_table_row(t);
    if (cx->batch) sonde_cell_int(t, (int64_t)prompt);
}

static void put_tokens(const sonde_context *cx, sonde_result *out) {
    sonde_table *t = table(cx, out, "tokens");
    sonde_table_column(t, "position", SONDE_INT, "");
    sonde_table_column(t, "id", SONDE_INT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "start", SONDE_INT, "byte");
    sonde_table_column(t, "end", SONDE_INT, "byte");
    for (size_t i = 0; i < cx->n_prompts; i++) {
        const sonde_tokens *x = &cx->prompts[i].tokens;
        for (int64_t k = 0; k < x->n; k++) {
            row(cx, t, i);
            sonde_cell_int(t, k);
            sonde_cell_int(t, x->id[k]);
            sonde_cell_token(t, context_token(cx, x->id[k]));
            if (!x->start || x->start[k] < 0) continue;
            sonde_cell_int(t, x->start[k]);
            sonde_cell_int(t, x->end[k]);
        }
    }
}

/* ---- words ---- */

/* Bytes as a token is shown. */
static void shown_cell(sonde_table *t, const char *bytes, size_t len) {
    const size_t n = sonde_token_show(bytes, len, NULL, 0);
    char *text = ROOM(char, n + 1);
    sonde_token_show(bytes, len, text, n + 1);
    sonde_cell_text(t, text);
    free(text);
}

static void ids_cell(sonde_table *t, const int32_t *id, int64_t n) {
    char  *text = ROOM(char, n * 12 + 1);
    size_t used = 0;
    for (int64_t i = 0; i < n; i++) used += (size_t)snprintf(text + used, 13, i ? " %" PRId32 : "%" PRId32, id[i]);
    sonde_cell_text(t, text);
    free(text);
}

static sonde_table *words_table(const sonde_context *cx, sonde_result *out) {
    sonde_table *t = table(cx, out, "words");
    sonde_table_column(t, "word", SONDE_INT, "");
    sonde_table_column(t, "text", SONDE_TEXT, "");
    sonde_table_column(t, "start", SONDE_INT, "byte");
    sonde_table_column(t, "end", SONDE_INT, "byte");
    sonde_table_column(t, "len", SONDE_INT, "token");
    sonde_table_column(t, "ids", SONDE_TEXT, "");
    sonde_table_column(t, "added", SONDE_BOOL, "");
    return t;
}

static sonde_table *merges_table(const sonde_context *cx, sonde_result *out) {
    sonde_table *t = table(cx, out, "merges");
    sonde_table_column(t, "word", SONDE_INT, "");
    sonde_table_column(t, "text", SONDE_TEXT, "");
    sonde_table_column(t, "step", SONDE_INT, "");
    sonde_table_column(t, "left", SONDE_TOKEN, "");
    sonde_table_column(t, "right", SONDE_TOKEN, "");
    sonde_table_column(t, "merged", SONDE_TOKEN, "");
    sonde_table_column(t, "rank", SONDE_INT, "");
    return t;
}

static void put_words(const sonde_context *cx, size_t prompt, const sonde_split *s, sonde_table *t) {
    const char *text = cx->prompts[prompt].text;
    for (int64_t i = 0; i < s->n_words; i++) {
        const sonde_word *w = &s->word[i];
        row(cx, t, prompt);
        sonde_cell_int(t, i);
        shown_cell(t, text + w->start, (size_t)(w->end - w->start));
        sonde_cell_int(t, w->start);
        sonde_cell_int(t, w->end);
        sonde_cell_int(t, w->n);
        ids_cell(t, s->id + w->first, w->n);
        sonde_cell_bool(t, w->added);
    }
}

static void put_merges(const sonde_context *cx, size_t prompt, const sonde_split *s, sonde_table *t) {
    const char *text = cx->prompts[prompt].text;
    int64_t step = 0;
    for (int64_t i = 0; i < s->n_merges; i++) {
        const sonde_merge *m = &s->merge[i];
        const sonde_word  *w = &s->word[m->word];
        step = i && m->word == m[-1].word ? step + 1 : 1;
        row(cx, t, prompt);
        sonde_cell_int(t, m->word);
        shown_cell(t, text + w->start, (size_t)(w->end - w->start));
        sonde_cell_int(t, step);
        sonde_cell_token(t, context_token(cx, m->left));
        sonde_cell_token(t, context_token(cx, m->right));
        sonde_cell_token(t, context_token(cx, m->made));
        sonde_cell_int(t, m->rank);
    }
}

static sonde_status put_splits(const sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    sonde_table *words = args[TOKENS_WORDS].i ? words_table(cx, out) : NULL;
    sonde_table *merges = args[TOKENS_MERGES].i ? merges_table(cx, out) : NULL;
    for (size_t i = 0; i < cx->n_prompts && (words || merges); i++) {
        const method_prompt *p = &cx->prompts[i];
        SONDE_FAIL_IF(!p->text, err, SONDE_USAGE, "words and merges are of a text, found tokens");
        sonde_split s;
        SONDE_TRY(sonde_split_text(cx->model, p->text, p->len, cx->tokenize, &s, err));
        if (words) put_words(cx, i, &s, words);
        if (merges) put_merges(cx, i, &s, merges);
        sonde_split_free(&s);
    }
    return SONDE_OK;
}

/* ---- the tokenizer ---- */

static void put_special(const sonde_context *cx, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "special");
    sonde_table_column(t, "id", SONDE_INT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    for (int32_t id = 0; id < sonde_model_describe(cx->model)->tokens; id++) {
        if (!sonde_token_special(cx->model, id)) continue;
        sonde_table_row(t);
        sonde_cell_int(t, id);
        sonde_cell_token(t, context_token(cx, id));
    }
}

static sonde_status put_tokenizer(const sonde_context *cx, sonde_result *out, sonde_error *err) {
    const sonde_model_info *m = sonde_model_describe(cx->model);
    SONDE_FAIL_IF(!m->has_tokenizer, err, SONDE_FORMAT, "card: the model has no tokenizer; give one with --tokenizer PATH");
    sonde_table *t = sonde_result_table(out, "tokenizer");
    sonde_table_column(t, "largest_id", SONDE_INT, "");
    sonde_table_column(t, "rows", SONDE_INT, "");
    sonde_table_row(t);
    sonde_cell_int(t, m->tokens - 1);
    sonde_cell_int(t, m->vocab);
    t = sonde_result_table(out, "patterns");
    sonde_table_column(t, "step", SONDE_INT, "");
    sonde_table_column(t, "pattern", SONDE_TEXT, "");
    const char *pattern;
    for (size_t i = 0; (pattern = sonde_split_pattern(cx->model, i)); i++) {
        sonde_table_row(t);
        sonde_cell_int(t, (int64_t)i);
        sonde_cell_text(t, pattern);
    }
    put_special(cx, out);
    return SONDE_OK;
}

static sonde_status tokens_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    context_head(cx, &method_tokens, out);
    put_tokens(cx, out);
    SONDE_TRY(put_splits(cx, args, out, err));
    if (args[TOKENS_CARD].i) SONDE_TRY(put_tokenizer(cx, out, err));
    return *args[TOKENS_AGAINST].text ? put_against(cx, args[TOKENS_AGAINST].text, out, err) : SONDE_OK;
}

const method method_tokens = {
    .name = "tokens",
    .summary = "the tokens of a text: ids, texts, bytes; the words and merges they come from; the tokenizer",
    .reference = "merges: Sennrich, Haddow and Birch, Neural Machine Translation of Rare Words with Subword Units, 2016",
    .formula = "position: counted from 0; id: in the vocabulary; token: its bytes as text; start, end: the bytes of the "
               "prompt that it stands for, end not included (none for a token that was put in front). words: what the tokenizer's "
               "patterns cut out, an added token being one; len, ids: its tokens. merges: in each word the neighbours with "
               "the lowest rank (place in the list of merges, from 0) become one token, the leftmost first, until no pair "
               "is in the list. rows: of the model's embedding. against: here is this model's tokenizer, other the "
               "one it is compared with; a cut is where a word or token of the text ends, first_difference the first "
               "that only one has; side by side stand the shortest stretches at whose ends neither is within a token, "
               "same: cut alike",
    .example = "tokens \"When Mary and John went to the store, John gave a drink to\" --words",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | MANY_PROMPTS | TAKES_BARE | TAKES_TWO,
    .run = tokens_run,
};
