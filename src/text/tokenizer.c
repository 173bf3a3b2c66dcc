/* What every kind of tokenizer does, in the order of `tokenizers`: added tokens in the text as it came, the normaliser
 * on what lies between them, added tokens in the normalised text, the pre-tokenizer, the model, the post-processor. */
#include "tokenizer.h"
#include "base/json.h"
#include "base/text.h"
#include "bytes.h"
#include "load.h"
#include "unicode.h"
#include <stdlib.h>

enum { LONGEST_TEXT = 1 << 28 };        /* positions stay below 2^31 whatever the stages add */

/* One call of tokenizer_encode. */
typedef struct {
    const tokenizer *t;
    tokenizer_options options;
    size_t            len, done;            /* of all texts; up to the end of the last word */
    int16_t           text, type;           /* of the tokens that are added */
    arena            *scratch, *into;
    stage_work        stage;
    bpe_work         bpe;
    model_work       model;
    token_span      *spans;
    size_t           n, cap;
    token_word      *words;
    size_t           n_words, cap_words;
    token_merge     *merges;
    size_t           n_merges, cap_merges;
    sonde_error     *err;
} encoding;

sonde_status load_parse(loader *l, const text_file *f, const char *name, const json **root) {
    const char *twice;
    const sonde_status s = json_parse_last(f->data, f->size, l->scratch, root, &twice, l->err);
    if (s != SONDE_OK) return sonde_fail_at(l->err, s, "%s", name);
    if (twice && !l->t->warning)
        l->t->warning = arena_printf(l->t->memory, "%s: key \"%s\" stands twice, the last counts", name, twice);
    return s;
}

static sonde_status read_json(loader *l, const text_file *f, const char *usual, const json **root) {
    *root = NULL;
    if (!f->size) return SONDE_OK;
    return load_parse(l, f, f->name ? f->name : usual, root);
}

/* The ids the configuration names, else those the post-processor puts at the ends. */
static void name_ends(tokenizer *t, const json *config) {
    const char *text;
    size_t len;
    if (t->single.n_before) t->bos = t->single.part[0].id;
    if (around_after(&t->single)) t->eos = t->single.part[t->single.n - 1].id;
    if (load_named_text(config, "bos_token", &text, &len)) t->bos = vocab_id(&t->vocab, text, len);
    if (load_named_text(config, "eos_token", &text, &len)) t->eos = vocab_id(&t->vocab, text, len);
}

static sonde_status load_json(loader *l, const tokenizer_files *files) {
    const json *root;
    SONDE_TRY(read_json(l, &files->json, "tokenizer.json", &root));
    const sonde_status s = load_tokenizer_json(l, root);
    if (s != SONDE_OK) return sonde_fail_at(l->err, s, "%s", files->json.name ? files->json.name : "tokenizer.json");
    name_ends(l->t, l->config);
    return SONDE_OK;
}

static sonde_status check_pointers(const tokenizer_files *files, sonde_error *err) {
    static const char pointer[] = "version https://git-lfs.github.com/";
    const struct { const text_file *f; const char *usual; } all[] = {
        { &files->json, "tokenizer.json" }, { &files->config, "tokenizer_config.json" }, { &files->vocab, "vocab.json" },
        { &files->merges, "merges.txt" }, { &files->model, "tokenizer.model" }, { &files->vocab_txt, "vocab.txt" },
        { &files->bin, "tokenizer.bin" }, { &files->special, "special_tokens_map.json" },
        { &files->added, "added_tokens.json" },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const text_file *f = all[i].f;
        const bool is = f->size >= sizeof pointer - 1 && memcmp(f->data, pointer, sizeof pointer - 1) == 0;
        SONDE_FAIL_IF(is, err, SONDE_FORMAT, "%s: a Git LFS pointer, not the file it stands for",
                      f->name ? f->name : all[i].usual);
    }
    return SONDE_OK;
}

static sonde_status load_files(loader *l, const void *from) {
    const tokenizer_files *files = from;
    SONDE_TRY(check_pointers(files, l->err));
    SONDE_TRY(read_json(l, &files->config, "tokenizer_config.json", &l->config));
    if (files->json.size) return load_json(l, files);
    SONDE_TRY(read_json(l, &files->special, "special_tokens_map.json", &l->special_map));
    SONDE_TRY(read_json(l, &files->added, "added_tokens.json", &l->added_map));
    if (files->model.size)
        return load_is_tiktoken(&files->model) ? load_tiktoken(l, &files->model) : load_sentencepiece(l, &files->model);
    if (files->vocab.size) {
        SONDE_FAIL_IF(!files->merges.size && !files->merges.name, l->err, SONDE_FORMAT, "%s without merges.txt",
                      files->vocab.name ? files->vocab.name : "vocab.json");
        return load_vocab_and_merges(l, files);
    }
    if (files->vocab_txt.size) return load_vocab_txt(l, &files->vocab_txt);
    if (files->bin.size) return load_bin(l, &files->bin, -1);
    return sonde_fail(l->err, SONDE_FORMAT, "no tokenizer: neither tokenizer.json, tokenizer.model, vocab.json and "
                      "merges.txt, vocab.txt nor tokenizer.bin");
}

sonde_status load_tokenizer(tokenizer **out, load_fill *fill, const void *from, sonde_error *err) {
    *out = NULL;
    arena *memory = arena_new();
    tokenizer *t = arena_alloc(memory, sizeof *t);
    t->memory = memory;
    t->raw.memory = t->normalized.memory = memory;
    t->bos = t->eos = t->unknown = -1;
    vocab_init(&t->vocab, memory);
    loader l = { .t = t, .scratch = arena_new(), .err = err };
    l.added_place = map_new(l.scratch, 0);
    const sonde_status s = fill(&l, from);
    arena_free(l.scratch);
    if (s == SONDE_OK) *out = t; else tokenizer_free(t);
    return s;
}

sonde_status tokenizer_new(tokenizer **out, const tokenizer_files *files, sonde_error *err) {
    return load_tokenizer(out, load_files, files, err);
}

void tokenizer_free(tokenizer *t) {
    if (!t) return;
    for (size_t i = 0; i < t->n_owned; i++) splitter_free(t->owned[i]);
    bpe_free(t->model);
    arena_free(t->memory);
}

const char *tokenizer_warning(const tokenizer *t) { return t->warning; }
const tokenizer_kind_row tokenizer_kind_table[TOKENIZER_KINDS] = {
    [TOKENIZER_BYTE_BPE]  = { "byte-level BPE", "bytes, of which pairs are joined by rank; tiktoken files too" },
    [TOKENIZER_BPE]       = { "BPE", "pairs of characters joined by rank, as a tokenizer.json says" },
    [TOKENIZER_SCORES]    = { "SentencePiece BPE", "neighbours that are a piece are joined, the best score first, else single bytes" },
    [TOKENIZER_UNIGRAM]   = { "Unigram", "the pieces whose scores sum to the most" },
    [TOKENIZER_WORDPIECE] = { "WordPiece", "the longest piece first, word by word" },
    [TOKENIZER_WORDS]     = { "WordLevel", "whole words" },
};

tokenizer_kind tokenizer_kind_of(const tokenizer *t) { return t->text ? t->text->kind : TOKENIZER_BYTE_BPE; }

int64_t tokenizer_size(const tokenizer *t) { return (int64_t)t->vocab.largest + 1; }
int32_t tokenizer_bos(const tokenizer *t)  { return t->bos; }
int32_t tokenizer_eos(const tokenizer *t)  { return t->eos; }

bool tokenizer_bytes(const tokenizer *t, int32_t id, const char **bytes, size_t *len) {
    const token *k = vocab_token(&t->vocab, id);
    if (!k) return false;
    *bytes = k->bytes;
    *len = k->bytes_len;
    return true;
}

bool tokenizer_special(const tokenizer *t, int32_t id) {
    const token *k = vocab_token(&t->vocab, id);
    return k && k->special;
}

/* As the vocabulary spells it; `out` has room for 3 n. */
static size_t spell(const vocab *v, const char *bytes, size_t n, char *out) {
    if (v->spelling == SPELL_BYTES) return bytes_spell(bytes, n, out);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        const bool space = bytes[i] == ' ' && v->spelling == SPELL_SPACES;
        memcpy(out + len, space ? "\xe2\x96\x81" : bytes + i, space ? 3 : 1);
        len += space ? 3 : 1;
    }
    return len;
}

int32_t tokenizer_find(const tokenizer *t, const char *bytes, size_t len) {
    int64_t added;
    if (map_get(t->vocab.by_added_text, bytes, len, &added)) return (int32_t)added;
    if (len > VOCAB_LONGEST) return -1;
    char *text = malloc(3 * len + 1);
    if (!text) return -1;
    const int32_t id = vocab_model_id(&t->vocab, text, spell(&t->vocab, bytes, len, text));
    free(text);
    return id < 0 && len == 1 ? t->vocab.byte_id[(uint8_t)*bytes] : id;
}

/* Room for one more of the caller's arrays, which become large: once there are some thousand, for as many as the whole
 * text will need if it goes on like this. */
static void *larger(encoding *e, void *at, size_t n, size_t *cap, size_t size) {
    enum { FEW = 1 << 15 };
    const double whole = (double)n * 1.1 * (double)e->len / (double)(e->done + 1);
    const size_t likely = whole < (double)e->len ? (size_t)whole : e->len;
    *cap = n < FEW ? 8 * n + 64 : 2 * n > likely ? 2 * n : likely;
    return arena_grow(e->into, at, *cap * size);
}

static void add_span(encoding *e, int32_t id, size_t start, size_t end) {
    if (e->n == e->cap) e->spans = larger(e, e->spans, e->n, &e->cap, sizeof *e->spans);
    e->spans[e->n++] = (token_span){ id, e->text, e->type, (int64_t)start, (int64_t)end };
}

/* The tokens from `first` on are those of one word. */
static void add_word(encoding *e, const token_word *w) {
    if (e->n_words == e->cap_words) e->words = larger(e, e->words, e->n_words, &e->cap_words, sizeof *e->words);
    e->done = (size_t)w->end;
    e->words[e->n_words++] = *w;
}

static void add_merges(encoding *e, const bpe_step *steps, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const bpe_step *s = &steps[i];
        if (e->n_merges == e->cap_merges)
            e->merges = larger(e, e->merges, e->n_merges, &e->cap_merges, sizeof *e->merges);
        e->merges[e->n_merges++] = (token_merge){ e->n_words, s->left, s->right, s->made, s->rank };
    }
}

/* Stretches of UTF-8, and each byte that is not by itself. */
static void split_valid(const stretch *s, piece_list *out) {
    for (size_t start = 0; start < s->len; ) {
        size_t bad = s->len;
        const bool whole = utf8_valid(s->text + start, s->len - start, &bad);
        const size_t end = whole ? s->len : start + bad;
        if (start < end) pieces_add(out, start, end, false);
        if (!whole) pieces_add(out, end, end + 1, true);
        start = whole ? end : end + 1;
    }
}

static void encode_bytes(encoding *e, const stretch *s, piece p) {
    size_t n;
    bpe_encode(e->t->model, s->text + p.start, p.end - p.start, &e->bpe, &n);
    for (size_t k = 0; k < n; k++) {
        const bpe_symbol *y = &e->bpe.symbols[k];
        const size_t start = p.start + y->start;
        add_span(e, y->id, stretch_origin(s, start), stretch_origin(s, start + y->len));
    }
    add_merges(e, e->bpe.steps, e->bpe.n_steps);
}

static sonde_status encode_text(encoding *e, const stretch *s, piece p) {
    model_work *w = &e->model;
    SONDE_TRY(model_encode(e->t->text, s->text + p.start, p.end - p.start, w, e->err));
    for (size_t k = 0; k < w->n; k++) {
        const size_t start = p.start + w->tokens[k].start;
        add_span(e, w->tokens[k].id, stretch_origin(s, start), stretch_origin(s, start + w->tokens[k].len));
    }
    add_merges(e, w->steps, w->n_steps);
    return SONDE_OK;
}

/* The model, on each piece. */
static sonde_status encode_pieces(encoding *e, const stretch *s, const piece_list *list) {
    e->bpe.end = s->text + s->len;
    for (size_t i = 0; i < list->n; i++) {
        const piece p = list->at[i];
        const size_t first = e->n;
        if (e->t->model) encode_bytes(e, s, p);
        else SONDE_TRY(encode_text(e, s, p));
        add_word(e, &(token_word){ .start = (int64_t)stretch_origin(s, p.start), .end = (int64_t)stretch_origin(s, p.end),
                                   .first = first, .n = e->n - first });
    }
    return SONDE_OK;
}

/* Pre-tokenizer and model; the last cut is made and encoded part by part, so that the pieces stay in the cache. */
static sonde_status encode_stretch(encoding *e, stretch s) {
    const size_t n = e->t->n_stages;
    const stage *last = n ? &e->t->stages[n - 1] : NULL;
    piece_list *pieces = &e->stage.pieces, *next = &e->stage.next;
    if (last && (last->kind != STAGE_PATTERN || last->behavior != CUT_ISOLATED)) last = NULL;
    pieces->n = 0;
    split_valid(&s, pieces);
    for (size_t i = 0; i + (last != NULL) < n; i++) SONDE_TRY(stage_run(&e->t->stages[i], &s, &e->stage, e->err));
    if (!last) return encode_pieces(e, &s, pieces);
    for (size_t i = 0; i < pieces->n; i++) {
        piece p = pieces->at[i];
        do {
            next->n = 0;
            if (p.bad) pieces_add(next, p.start, p.end, true);
            else SONDE_TRY(splitter_run(last->pattern, s.text, &p, e->stage.split, next, e->err));
            SONDE_TRY(encode_pieces(e, &s, next));
        } while (!p.bad && p.start < p.end);
    }
    return SONDE_OK;
}

/* The added tokens of one set in the stretch, `rest` for what lies between. */
static sonde_status walk(encoding *e, const added_set *set, const stretch *s,
                         sonde_status (*rest)(encoding *e, stretch part)) {
    added_walk w = { .text = s->text, .len = s->len, .plain = e->options.plain };
    added_match m;
    while (added_next(set, &w, &m)) {
        if (m.gap < m.start) SONDE_TRY(rest(e, stretch_part(s, m.gap, m.start)));
        const token_word word = { (int64_t)stretch_origin(s, m.start), (int64_t)stretch_origin(s, m.end), e->n, 1, true };
        add_span(e, m.id, (size_t)word.start, (size_t)word.end);
        add_word(e, &word);
    }
    return w.covered < w.len ? rest(e, stretch_part(s, w.covered, w.len)) : SONDE_OK;
}

static sonde_status encode_part(encoding *e, stretch s) {
    for (size_t i = 0; i < e->t->n_normal; i++)
        SONDE_TRY(normal_run(&e->t->normal[i], &s, e->scratch, e->stage.split, e->err));
    return walk(e, &e->t->normalized, &s, encode_stretch);
}

/* The texts, and the post-processor's tokens where they stand. */
static sonde_status encode_around(encoding *e, const around *a, const text_bytes *text) {
    static const around_part bare = { -1, 0, 0 };
    size_t at = 0;
    for (size_t i = 0; i < a->n || i == 0; i++) {
        const around_part *p = a->n ? &a->part[i] : &bare;
        e->text = p->text;
        e->type = p->type;
        if (p->text < 0) {
            if (!e->options.no_specials) add_span(e, p->id, at, at);
            continue;
        }
        const text_bytes x = text[p->text];
        const stretch    all = { .text = x.at, .len = x.len };
        SONDE_TRY(walk(e, &e->t->raw, &all, encode_part));
        at = x.len;
    }
    return SONDE_OK;
}

const char *tokenizer_stage(const tokenizer *t, size_t i) {
    if (i >= t->n_stages) return NULL;
    return t->stages[i].name;
}

/* Byte-level BPE takes any bytes, where no step before it needs characters. */
static sonde_status check_text(const tokenizer *t, text_bytes text, sonde_error *err) {
    SONDE_FAIL_IF(text.len > LONGEST_TEXT, err, SONDE_USAGE, "a text of %zu bytes, at most %d", text.len, LONGEST_TEXT);
    bool any = t->model != NULL;
    for (size_t i = 0; i < t->n_normal && any; i++) any = t->normal[i].kind == NORMAL_FORM;
    size_t bad = 0;
    SONDE_FAIL_IF(!any && !utf8_valid(text.at, text.len, &bad), err, SONDE_USAGE,
                  "byte %zu of the text is not UTF-8, which this tokenizer needs", bad);
    return SONDE_OK;
}

bool tokenizer_takes_pairs(const tokenizer *t) { return t->pair.n > 0; }

static sonde_status check_pair(const tokenizer *t, text_bytes pair, sonde_error *err) {
    SONDE_FAIL_IF(!t->pair.n, err, SONDE_UNSUPPORTED, "a pair of texts: the tokenizer has no template for pairs, expected "
                  "one text");
    const sonde_status s = check_text(t, pair, err);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "pair");
}

sonde_status tokenizer_encode(const tokenizer *t, text_bytes text, tokenizer_options o, arena *into, token_list *out,
                              sonde_error *err) {
    const text_bytes texts[2] = { text, o.pair ? *o.pair : (text_bytes){ 0 } };
    SONDE_TRY(check_text(t, text, err));
    if (o.pair) SONDE_TRY(check_pair(t, texts[1], err));
    encoding e = { .t = t, .options = o, .len = texts[0].len + texts[1].len, .into = into, .scratch = arena_new(), .err = err };
    e.stage.split = split_work_new();
    e.bpe.watch = e.model.watch = o.merges;
    e.bpe.known = known_new(text.len);
    e.stage.memory = e.stage.pieces.memory = e.stage.next.memory = e.stage.found.memory = e.scratch;
    e.bpe.memory = e.model.memory = e.scratch;
    const sonde_status s = e.stage.split ? encode_around(&e, o.pair ? &t->pair : &t->single, texts)
                                         : sonde_fail(err, SONDE_NOMEM, "no memory for matching");
    if (s == SONDE_OK)
        *out = (token_list){ .at = e.spans, .n = e.n, .words = e.words, .n_words = e.n_words, .merges = e.merges,
                             .n_merges = e.n_merges };
    known_free(&e.bpe.known);
    split_work_free(e.stage.split);
    arena_free(e.scratch);
    return s;
}

static bool is_kept(const token *k, bool skip_special) { return k && !(skip_special && k->special); }

/* The texts of the tokens through the steps of the decoder. */
static sonde_status decode_steps(const tokenizer *t, id_list ids, bool skip_special, decode_work *w, sonde_error *err) {
    w->parts = arena_new_array(w->memory, text_part, ids.n + 1);
    for (size_t i = 0; i < ids.n; i++) {
        const token *k = vocab_token(&t->vocab, ids.at[i]);
        if (is_kept(k, skip_special)) w->parts[w->n++] = (text_part){ k->text, k->text_len };
    }
    for (size_t i = 0; i < t->n_decode; i++) SONDE_TRY(decode_run(&t->decode[i], w, err));
    return SONDE_OK;
}

/* The bytes of the tokens in a row. */
static void decode_bytes(const tokenizer *t, id_list ids, bool skip_special, decode_work *w) {
    bool first = t->drop_first_space;
    w->parts = arena_new_array(w->memory, text_part, ids.n + 1);
    for (size_t i = 0; i < ids.n; i++) {
        const token *k = vocab_token(&t->vocab, ids.at[i]);
        if (!is_kept(k, skip_special)) continue;
        const size_t drop = first && !k->special && k->bytes_len && *k->bytes == ' ';
        if (!k->special) first = false;
        w->parts[w->n++] = (text_part){ k->bytes + drop, k->bytes_len - drop };
    }
}

sonde_status tokenizer_decode(const tokenizer *t, id_list ids, bool skip_special, arena *into, text_bytes *out,
                              sonde_error *err) {
    decode_work w = { .memory = arena_new() };
    sonde_status s = SONDE_OK;
    if (t->n_decode) s = decode_steps(t, ids, skip_special, &w, err); else decode_bytes(t, ids, skip_special, &w);
    size_t size = 0;
    for (size_t i = 0; i < w.n && s == SONDE_OK; i++)
        if (__builtin_add_overflow(size, w.parts[i].len, &size))
            s = sonde_fail(err, SONDE_USAGE, "%zu ids are too many", ids.n);
    if (s == SONDE_OK) {
        char *at = arena_alloc(into, size + 1);
        *out = (text_bytes){ at, size };
        for (size_t i = 0; i < w.n; i++) {
            if (w.parts[i].len) memcpy(at, w.parts[i].at, w.parts[i].len);
            at += w.parts[i].len;
        }
    }
    arena_free(w.memory);
    return s;
}
