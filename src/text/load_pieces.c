/* GGUF's vocabularies. What the file does not say has the value that llama.cpp takes. */
#include "load.h"
#include "base/text.h"
#include "load_pre.h"

typedef struct {
    const char *model;
    int32_t     bos, eos, unknown;          /* where the file does not say; -1: none */
    bool        add_bos, add_eos;
    bool        around;                     /* the tokens around a text are cls and separator, where those are said */
    sonde_status (*read)(loader *l, const vocab_pieces *p);
} row;

static bool or(int said, bool usually) { return said < 0 ? usually : said != 0; }

static sonde_status read_llama(loader *l, const vocab_pieces *p) {
    SONDE_FAIL_IF(!p->score, l->err, SONDE_FORMAT, "no scores, which a \"llama\" vocabulary has");
    bool bytes = false;
    for (size_t i = 0; i < p->n && p->type; i++) bytes |= p->type[i] == PIECE_BYTE;
    const spm_parts s = { .pieces = p, .bytes = bytes, .control = true,
                          .normal = { .kind = NORMAL_SENTENCEPIECE, .prefix = or(p->add_space_prefix, true), .escape = true,
                                      .prefix_each = true, .collapse = or(p->remove_extra_whitespaces, false) } };
    return load_spm(l, &s);
}

/* In the byte alphabet, but for control and user defined tokens, whose text is raw. */
static sonde_status read_gpt2_tokens(loader *l, const vocab_pieces *p) {
    vocab *v = &l->t->vocab;
    size_t bytes = 0;
    SONDE_FAIL_IF(p->n > VOCAB_MOST, l->err, SONDE_UNSUPPORTED, "%zu tokens, at most %d", p->n, VOCAB_MOST);
    for (size_t i = 0; i < p->n; i++) {
        SONDE_FAIL_IF(p->text[i].len > VOCAB_LONGEST, l->err, SONDE_FORMAT, "token %zu has %zu bytes, at most %d", i,
                      p->text[i].len, VOCAB_LONGEST);
        bytes += p->text[i].len;
    }
    vocab_begin(v, p->n, bytes);
    for (size_t i = 0; i < p->n; i++) {
        const text_bytes text = p->text[i];
        const int32_t type = p->type ? p->type[i] : PIECE_NORMAL;
        const bool fresh = vocab_put(v, (int32_t)i, text.at, text.len, type == PIECE_CONTROL || type == PIECE_USER_DEFINED);
        SONDE_FAIL_IF(!fresh, l->err, SONDE_FORMAT, "tokens %d and %zu are both \"%s\"", vocab_model_id(v, text.at, text.len), i,
                      text_shown(text.at, text.len).text);
    }
    SONDE_TRY(vocab_end(v, "tokens", l->err));
    for (size_t i = 0; i < p->n && p->type; i++) {
        if (p->type[i] != PIECE_CONTROL && p->type[i] != PIECE_USER_DEFINED && p->type[i] != PIECE_UNKNOWN) continue;
        const added_token a = { .text = p->text[i].at, .len = p->text[i].len, .special = p->type[i] != PIECE_USER_DEFINED };
        SONDE_TRY(load_added_text(l, (added_entry){ .token = a }, "a control token"));
    }
    return SONDE_OK;
}

sonde_status load_pre(loader *l, const pre_row *pre) {
    if (pre->nfc) SONDE_TRY(load_normal(l, (normal_step){ .kind = NORMAL_FORM, .form = FORM_C }, "pre"));
    for (size_t i = 0; i < PRE_PATTERNS && pre->pattern[i]; i++)
        SONDE_TRY(load_cut(l, pre->pattern[i], strlen(pre->pattern[i]), "pre"));
    return SONDE_OK;
}

static sonde_status read_gpt2(loader *l, const vocab_pieces *p) {
    const pre_row *pre = pre_find(p->pre, p->family);
    SONDE_FAIL_IF(!pre, l->err, SONDE_UNSUPPORTED, "pre-tokenizer \"%s\" is not supported (these are: %s)",
                  name_shown(p->pre).text, pre_known());
    SONDE_FAIL_IF(!p->merge, l->err, SONDE_FORMAT, "no merges, which a \"gpt2\" vocabulary has");
    SONDE_TRY(load_pre(l, pre));
    SONDE_TRY(read_gpt2_tokens(l, p));
    merge_text *merges = arena_new_array(l->scratch, merge_text, p->n_merges);
    for (size_t i = 0; i < p->n_merges; i++)
        SONDE_FAIL_IF(!load_split_merge(p->merge[i].at, p->merge[i].len, &merges[i]), l->err, SONDE_FORMAT,
                      "merge %zu is \"%s\", expected two texts with one space between", i,
                      text_shown(p->merge[i].at, p->merge[i].len).text);
    const bpe_options o = { .ignore_merges = pre->ignore_merges, .unknown = -1 };
    l->t->ignore_merges = pre->ignore_merges;
    return bpe_new(&l->t->model, &l->t->vocab, merges, p->n_merges, o, l->err);
}

static sonde_status read_t5(loader *l, const vocab_pieces *p) {
    SONDE_FAIL_IF(!p->score, l->err, SONDE_FORMAT, "no scores, which a \"t5\" vocabulary has");
    charsmap *chars = NULL;
    if (p->charsmap_len) SONDE_TRY(charsmap_new(&chars, l->t->memory, p->charsmap, p->charsmap_len, l->err));
    bool bytes = false;
    for (size_t i = 0; i < p->n && p->type; i++) bytes |= p->type[i] == PIECE_BYTE;
    const spm_parts s = { .pieces = p, .unigram = true, .bytes = bytes, .control = true,
                          .normal = { .kind = NORMAL_SENTENCEPIECE, .prefix = or(p->add_space_prefix, true), .escape = true,
                                      .map = chars, .collapse = or(p->remove_extra_whitespaces, false) } };
    return load_spm(l, &s);
}

/* GGUF begins a word with U+2581 and has no mark for what continues one; here it is the other way round, as in BERT's own
 * files. Texts in brackets and those that are no normal tokens are written as they are. */
static text_bytes respell(arena *into, const vocab_pieces *p, size_t i) {
    const text_bytes t = p->text[i];
    const bool brackets = t.len > 2 && t.at[0] == '[' && t.at[t.len - 1] == ']';
    if (t.len >= 3 && memcmp(t.at, "\xe2\x96\x81", 3) == 0) return (text_bytes){ t.at + 3, t.len - 3 };
    if (brackets || (p->type && p->type[i] != PIECE_NORMAL)) return t;
    char *out = arena_alloc(into, t.len + 2);
    memcpy(out, "##", 2);
    if (t.len) memcpy(out + 2, t.at, t.len);
    return (text_bytes){ out, t.len + 2 };
}

static sonde_status read_bert(loader *l, const vocab_pieces *p) {
    text_bytes *text = arena_new_array(l->scratch, text_bytes, p->n);
    for (size_t i = 0; i < p->n; i++) text[i] = respell(l->scratch, p, i);
    const bert_parts b = { .text = text, .n = p->n, .unknown = p->unknown, .clean = true, .chinese = true, .accents = true,
                           .lower = true };
    SONDE_TRY(load_bert(l, &b));
    const int32_t special[] = { p->bos, p->eos, p->unknown, p->separator, p->padding, p->cls, p->mask };
    for (size_t i = 0; i < p->n; i++) {
        bool is = p->type && p->type[i] == PIECE_CONTROL;
        for (size_t k = 0; k < sizeof special / sizeof *special; k++) is |= special[k] == (int32_t)i;
        if (!is || !text[i].len) continue;
        const added_token a = { .text = text[i].at, .len = text[i].len, .special = true };
        SONDE_TRY(load_added_text(l, (added_entry){ .token = a }, "a special token"));
    }
    return SONDE_OK;
}

static const row rows[] = {
    { .model = "gpt2",  .bos = -1,  .eos = -1,  .unknown = -1,  .read = read_gpt2 },
    { .model = "llama", .bos = 1,   .eos = 2,   .unknown = 0,   .add_bos = true, .read = read_llama },
    { .model = "bert",  .bos = 101, .eos = 102, .unknown = 100, .add_bos = true, .add_eos = true, .around = true,
      .read = read_bert },
    { .model = "t5",    .bos = -1,  .eos = 1,   .unknown = 2,   .add_eos = true, .read = read_t5 },
};

static sonde_status check_id(const char *what, int32_t id, size_t n, sonde_error *err) {
    SONDE_FAIL_IF(id >= 0 && (size_t)id >= n, err, SONDE_FORMAT, "the %s token is %d, expected less than %zu", what, id, n);
    return SONDE_OK;
}

/* Default ids count only where the vocabulary has them. */
static int32_t id_or(int32_t said, int32_t usually, size_t n) {
    if (said >= 0) return said;
    return usually >= 0 && (size_t)usually < n ? usually : -1;
}

static sonde_status check_ids(const vocab_pieces *p, sonde_error *err) {
    const struct { const char *what; int32_t id; } ids[] = {
        { "bos", p->bos }, { "eos", p->eos }, { "unknown", p->unknown }, { "separator", p->separator },
        { "padding", p->padding }, { "cls", p->cls }, { "mask", p->mask },
    };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) SONDE_TRY(check_id(ids[i].what, ids[i].id, p->n, err));
    return SONDE_OK;
}

static sonde_status read_row(loader *l, const vocab_pieces *p, const row *r) {
    tokenizer *t = l->t;
    vocab_pieces said = *p;
    said.bos = id_or(r->around && p->cls >= 0 ? p->cls : p->bos, r->bos, p->n);
    said.eos = id_or(r->around && p->separator >= 0 ? p->separator : p->eos, r->eos, p->n);
    said.unknown = id_or(p->unknown, r->unknown, p->n);
    SONDE_TRY(r->read(l, &said));
    SONDE_TRY(load_added_close(l));
    t->bos = said.bos;
    t->eos = said.eos;
    const bool pre_bos = t->model && pre_find(p->pre, p->family)->add_bos;
    load_around(l, or(p->add_bos, r->add_bos || pre_bos) ? t->bos : -1, or(p->add_eos, r->add_eos) ? t->eos : -1,
                r->around ? PAIRS_BERT : PAIRS_NONE);
    return SONDE_OK;
}

sonde_status load_pieces(loader *l, const void *from) {
    const vocab_pieces *p = from;
    SONDE_TRY(check_ids(p, l->err));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].model, p->model) == 0) return read_row(l, p, &rows[i]);
    return sonde_fail(l->err, SONDE_UNSUPPORTED, "tokenizer \"%s\" is not supported (these are: gpt2, llama, bert, t5)",
                      name_shown(p->model).text);
}

static sonde_status of_json(tokenizer **out, const vocab_pieces *p, sonde_error *err) {
    const tokenizer_files files = { .json = { p->tokenizer_json.at, p->tokenizer_json.len, "tokenizer.huggingface.json" } };
    SONDE_TRY(tokenizer_new(out, &files, err));
    if (p->bos >= 0) (*out)->bos = p->bos;
    if (p->eos >= 0) (*out)->eos = p->eos;
    return SONDE_OK;
}

sonde_status tokenizer_of_pieces(tokenizer **out, const vocab_pieces *p, sonde_error *err) {
    *out = NULL;
    const sonde_status s = p->tokenizer_json.len ? of_json(out, p, err) : load_tokenizer(out, load_pieces, p, err);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s", p->name);
}
