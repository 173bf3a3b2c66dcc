/* A tokenizer as GGUF holds one. What GGUF has no words for is refused. */
#include "load_pre.h"
#include "write.h"
#include "base/text.h"

static sonde_status refuse(sonde_error *err, const char *what) {
    return sonde_fail(err, SONDE_UNSUPPORTED, "%s has no word in a GGUF vocabulary; name tokenizer.json beside it", what);
}

/* The row of the same normaliser and patterns. */
static const char *find_pre(const tokenizer *t) {
    const bool nfc = t->n_normal == 1 && t->normal[0].kind == NORMAL_FORM && t->normal[0].form == FORM_C;
    if (t->n_normal && !nfc) return NULL;
    for (size_t r = 0; r < pre_rows(); r++) {
        const pre_row *p = pre_at(r);
        size_t n = 0;
        bool same = p->nfc == nfc && p->ignore_merges == t->ignore_merges;
        while (n < PRE_PATTERNS && p->pattern[n]) n++;
        same = same && n == t->n_stages;
        for (size_t i = 0; i < n && same; i++) {
            const stage *g = &t->stages[i];
            same = g->kind == STAGE_PATTERN && g->behavior == CUT_ISOLATED
                && strcmp(splitter_pattern(g->pattern), p->pattern[i]) == 0;
        }
        if (same) return p->name;
    }
    return NULL;
}

static bool is_added(const added_set *s, int32_t id) {
    for (size_t i = 0; i < s->n; i++)
        if (s->at[i].id == id) return true;
    return false;
}

static int32_t type_of(const tokenizer *t, const token *k) {
    if (!k) return PIECE_UNUSED;
    if (t->type && (size_t)k->id < t->n_pieces) return t->type[k->id];
    if (k->id == t->unknown && t->kind != KIND_BYTES) return PIECE_UNKNOWN;
    if (k->special) return PIECE_CONTROL;
    if (k->added && (is_added(&t->raw, k->id) || is_added(&t->normalized, k->id))) return PIECE_USER_DEFINED;
    const bool byte = t->vocab.byte_pieces && vocab_byte_piece(k->text, k->text_len) >= 0;
    return byte ? PIECE_BYTE : PIECE_NORMAL;
}

/* BERT's "word" and "##rest" as GGUF's U+2581"word" and "rest". */
static text_bytes phantom(const tokenizer *t, const token *k, arena *into) {
    const size_t mark = strlen(t->prefix);
    if (k->text_len >= mark && memcmp(k->text, t->prefix, mark) == 0)
        return (text_bytes){ k->text + mark, k->text_len - mark };
    char *out = arena_alloc(into, k->text_len + 3);
    memcpy(out, "\xe2\x96\x81", 3);
    if (k->text_len) memcpy(out + 3, k->text, k->text_len);
    return (text_bytes){ out, k->text_len + 3 };
}

static void put_tokens(const tokenizer *t, arena *into, vocab_pieces *out) {
    const size_t n = (size_t)tokenizer_size(t);
    text_bytes *text = arena_new_array(into, text_bytes, n + 1);
    int32_t *type = arena_new_array(into, int32_t, n + 1);
    for (size_t i = 0; i < n; i++) {
        const token *k = vocab_token(&t->vocab, (int32_t)i);
        type[i] = type_of(t, k);
        if (!k) {
            const char *hole = arena_printf(into, "[PAD%zu]", i);
            text[i] = (text_bytes){ hole, strlen(hole) };
            continue;
        }
        const bool spelled = t->kind == KIND_WORDPIECE && type[i] == PIECE_NORMAL;
        text[i] = spelled ? phantom(t, k, into) : (text_bytes){ k->text, k->text_len };
    }
    out->n = n;
    out->text = text;
    out->type = type;
}

static void put_scores(const tokenizer *t, arena *into, vocab_pieces *out) {
    float *score = arena_new_array(into, float, out->n + 1);
    for (size_t i = 0; i < t->n_pieces && i < out->n; i++) score[i] = (float)t->score[i];
    out->score = score;
}

static sonde_status put_merges(const tokenizer *t, arena *into, vocab_pieces *out, sonde_error *err) {
    model_merge *merges;
    SONDE_TRY(model_merges(t, into, &merges, &out->n_merges, err));
    text_bytes *list = arena_new_array(into, text_bytes, out->n_merges + 1);
    for (size_t i = 0; i < out->n_merges; i++) {
        const token *a = vocab_token(&t->vocab, merges[i].left), *b = vocab_token(&t->vocab, merges[i].right);
        char *text = arena_alloc(into, a->text_len + b->text_len + 1);
        memcpy(text, a->text, a->text_len);
        text[a->text_len] = ' ';
        memcpy(text + a->text_len + 1, b->text, b->text_len);
        list[i] = (text_bytes){ text, a->text_len + b->text_len + 1 };
    }
    out->merge = list;
    return SONDE_OK;
}

static sonde_status put_bytes(const tokenizer *t, arena *into, vocab_pieces *out, sonde_error *err) {
    out->model = "gpt2";
    out->pre = find_pre(t);
    if (!out->pre) return refuse(err, "this pre-tokenizer");
    return put_merges(t, into, out, err);
}

static sonde_status put_pieces(const tokenizer *t, arena *into, vocab_pieces *out, sonde_error *err) {
    const normal_step *k = &t->normal[0];
    const bool spm = t->type && t->n_normal == 1 && k->kind == NORMAL_SENTENCEPIECE;
    if (!spm) return refuse(err, "this normaliser");
    if (k->suffix || !k->escape) return refuse(err, "white space behind words");
    out->model = t->kind == KIND_PATHS ? "t5" : "llama";
    out->add_space_prefix = k->prefix;
    out->remove_extra_whitespaces = k->collapse;
    if (k->map) out->charsmap = charsmap_blob(k->map, &out->charsmap_len);
    put_scores(t, into, out);
    return SONDE_OK;
}

/* Spaces become U+2581, and one is put in front of every text or not: in the normaliser, or by Metaspace without cutting,
 * which puts none in front of a text that begins with one and so is no prefix of GGUF's. */
static bool escapes_spaces(const tokenizer *t, int *prefix) {
    static const char mark[] = "\xe2\x96\x81";
    if (t->n_normal == 0 && t->n_stages == 1) {
        const stage *g = &t->stages[0];
        *prefix = 0;
        return g->kind == STAGE_METASPACE && g->mark == 0x2581 && !g->cut && g->prepend == PREPEND_NEVER;
    }
    const normal_step *k = t->normal;
    *prefix = t->n_normal == 2 && k->kind == NORMAL_PREPEND && k->len == 3 && memcmp(k->text, mark, 3) == 0;
    k += *prefix;
    return t->n_stages == 0 && t->n_normal == 1 + (size_t)*prefix && k->kind == NORMAL_REPLACE && k->len == 3 &&
           memcmp(k->text, mark, 3) == 0 && splitter_literal(k->pattern) && strcmp(splitter_pattern(k->pattern), " ") == 0;
}

/* In how many ways the token is two tokens. */
static size_t count_halves(const tokenizer *t, const token *k) {
    size_t n = 0;
    for (size_t left = 1; left < k->text_len; left++)
        n += vocab_model_id(&t->vocab, k->text, left) >= 0 && vocab_model_id(&t->vocab, k->text + left, k->text_len - left) >= 0;
    return n;
}

/* Pairs with ranks are pieces with scores where the rank of a pair is that of what it makes, and no pair is left out:
 * joining the pair of the lowest rank is then joining to the piece of the highest score. */
static sonde_status put_pairs(const tokenizer *t, arena *into, vocab_pieces *out, sonde_error *err) {
    if (!t->n_rules) return refuse(err, "this model");
    if (!escapes_spaces(t, &out->add_space_prefix)) return refuse(err, "this normaliser");
    float  *score = arena_new_array(into, float, out->n + 1);
    size_t *made = arena_new_array(into, size_t, out->n + 1);
    float   last = 0;
    for (size_t i = 0; i < t->n_rules; i++) {
        const size_t id = (size_t)t->rules[i].made;
        if (made[id]++ == 0) score[id] = -(float)(i + 1);
        if (score[id] > last && last != 0) return refuse(err, "this order of merges");
        last = score[id];
    }
    for (size_t id = 0; id < out->n; id++) {
        const token *k = vocab_token(&t->vocab, (int32_t)id);
        const bool   normal = k && out->type[id] == PIECE_NORMAL;
        if (normal && count_halves(t, k) != made[id]) return refuse(err, "a list of merges that leaves some out");
        if (!made[id] && normal) score[id] = -(float)(t->n_rules + 1 + id);
    }
    out->model = "llama";
    out->remove_extra_whitespaces = 0;
    out->score = score;
    return SONDE_OK;
}

static sonde_status put_words(const tokenizer *t, vocab_pieces *out, sonde_error *err) {
    const normal_step *k = &t->normal[0];
    const bool usual = t->n_normal == 1 && k->kind == NORMAL_BASIC && k->clean && k->chinese && k->accents && k->lower
                    && strcmp(t->prefix, "##") == 0;
    if (!usual) return refuse(err, "this normaliser");
    out->model = "bert";
    out->cls = t->single.n_before ? t->single.part[0].id : -1;
    out->separator = around_after(&t->single) ? t->single.part[t->single.n - 1].id : -1;
    return SONDE_OK;
}

sonde_status tokenizer_to_pieces(const tokenizer *t, arena *into, vocab_pieces *out, sonde_error *err) {
    *out = (vocab_pieces){ .name = "tokenizer", .bos = t->bos, .eos = t->eos, .unknown = t->unknown, .separator = -1,
                           .padding = -1, .cls = -1, .mask = -1, .add_bos = t->single.n_before > 0,
                           .add_eos = around_after(&t->single) > 0,
                           .add_space_prefix = -1, .remove_extra_whitespaces = -1 };
    const size_t before = t->single.n_before, after = around_after(&t->single);
    SONDE_FAIL_IF(before > 1 || after > 1, err, SONDE_UNSUPPORTED,
                  "%zu tokens before the text and %zu behind it, a GGUF vocabulary has one each", before, after);
    put_tokens(t, into, out);
    switch (t->kind) {
    case KIND_BYTES:                   return put_bytes(t, into, out, err);
    case KIND_PIECES: case KIND_PATHS: return put_pieces(t, into, out, err);
    case KIND_WORDPIECE:               return put_words(t, out, err);
    case KIND_CHARACTERS:              return put_pairs(t, into, out, err);
    case KIND_WORDS:                   break;
    }
    return refuse(err, "this model");
}
