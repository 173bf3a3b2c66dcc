/* BERT's vocab.txt: the line is the id. Beside it tokenizer_config.json says how texts are normalised. */
#include "load.h"
#include "base/text.h"

static sonde_status put_words(loader *l, const bert_parts *b) {
    vocab *v = &l->t->vocab;
    size_t bytes = 0, bad;
    SONDE_FAIL_IF(b->n > VOCAB_MOST, l->err, SONDE_UNSUPPORTED, "%zu tokens, at most %d", b->n, VOCAB_MOST);
    for (size_t i = 0; i < b->n; i++) {
        const text_bytes t = b->text[i];
        SONDE_FAIL_IF(t.len > VOCAB_LONGEST, l->err, SONDE_FORMAT, "token %zu has %zu bytes, at most %d", i, t.len,
                      VOCAB_LONGEST);
        SONDE_FAIL_IF(!utf8_valid(t.at, t.len, &bad), l->err, SONDE_FORMAT, "token %zu: byte %zu is not UTF-8", i, bad);
        bytes += t.len;
    }
    v->spelling = SPELL_PLAIN;
    vocab_begin(v, b->n, bytes);
    for (size_t i = 0; i < b->n; i++) {
        const text_bytes t = b->text[i];
        const int32_t before = vocab_model_id(v, t.at, t.len);
        SONDE_FAIL_IF(before >= 0 && t.len, l->err, SONDE_FORMAT, "tokens %d and %zu are both \"%s\"", before, i,
                      text_shown(t.at, t.len).text);
        vocab_put(v, (int32_t)i, t.at, t.len, true);
    }
    return vocab_end(v, "tokens", l->err);
}

sonde_status load_bert(loader *l, const bert_parts *b) {
    tokenizer *t = l->t;
    SONDE_TRY(put_words(l, b));
    SONDE_TRY(load_normal(l, (normal_step){ .kind = NORMAL_BASIC, .clean = b->clean, .chinese = b->chinese,
                                            .accents = b->accents, .lower = b->lower }, "normalizer"));
    SONDE_TRY(load_stage(l, (stage){ .kind = STAGE_CLASS, .class = CLASS_SPACE, .behavior = CUT_REMOVED,
                                     .name = "WhitespaceSplit" }, "pre_tokenizer"));
    SONDE_TRY(load_stage(l, (stage){ .kind = STAGE_CLASS, .class = CLASS_PUNCTUATION, .name = "Punctuation" },
                         "pre_tokenizer"));
    SONDE_TRY(load_decode(l, (decode_step){ .kind = DECODE_WORDPIECE, .text = { "##", 2 }, .cleanup = true }, "decoder"));
    const wordpiece_rules r = { .prefix = "##", .longest_word = 100,
                                .unknown = b->unknown >= 0 ? b->unknown : vocab_model_id(&t->vocab, "[UNK]", 5) };
    return load_wordpieces(l, r);
}

sonde_status load_wordpieces(loader *l, wordpiece_rules r) {
    tokenizer *t = l->t;
    t->kind = KIND_WORDPIECE;
    t->unknown = r.unknown;
    t->prefix = r.prefix;
    t->longest_word = r.longest_word;
    return model_of_wordpieces(&t->text, t->memory, &t->vocab, r, l->err);
}

static sonde_status check_class(const json *config, sonde_error *err) {
    static const char *const classes[] = { "BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer" };
    const char *class;
    size_t len;
    if (!json_string(json_get(config, "tokenizer_class"), &class, &len)) return SONDE_OK;
    if (len > 4 && memcmp(class + len - 4, "Fast", 4) == 0) len -= 4;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strlen(classes[i]) == len && memcmp(classes[i], class, len) == 0) return SONDE_OK;
    return sonde_fail(err, SONDE_UNSUPPORTED, "tokenizer_class \"%s\": vocab.txt is read as BERT's only; save a "
                      "tokenizer.json", text_shown(class, len).text);
}

static sonde_status read_flags(loader *l, bert_parts *b) {
    static const char where[] = "tokenizer_config.json";
    bool basic = true;
    *b = (bert_parts){ .unknown = -1, .clean = true, .chinese = true, .lower = true };
    SONDE_TRY(check_class(l->config, l->err));
    SONDE_TRY(load_bool(l->config, where, "do_lower_case", &b->lower, l->err));
    SONDE_TRY(load_bool(l->config, where, "tokenize_chinese_chars", &b->chinese, l->err));
    b->accents = b->lower;
    SONDE_TRY(load_bool(l->config, where, "strip_accents", &b->accents, l->err));
    SONDE_TRY(load_bool(l->config, where, "do_basic_tokenize", &basic, l->err));
    SONDE_FAIL_IF(!basic, l->err, SONDE_UNSUPPORTED, "%s.do_basic_tokenize: false is not supported", where);
    return SONDE_OK;
}

static size_t read_lines(const text_file *f, text_bytes *out) {
    size_t n = 0;
    for (size_t at = 0; at < f->size; n++) {
        const char *line = f->data + at, *stop = memchr(line, '\n', f->size - at);
        size_t len = stop ? (size_t)(stop - line) : f->size - at;
        at += len + 1;
        if (len && line[len - 1] == '\r') len--;
        if (out) out[n] = (text_bytes){ line, len };
    }
    return n;
}

/* A special token of the usual text, where the vocabulary has it. */
static sonde_status add_usual(loader *l, const char *text) {
    const size_t len = strlen(text);
    if (vocab_model_id(&l->t->vocab, text, len) < 0 || load_knows_added(l, text, len)) return SONDE_OK;
    return load_added_text(l, (added_entry){ .token = { .text = text, .len = len, .special = true } }, text);
}

static sonde_status fill(loader *l, const text_file *f) {
    static const char *const usual[] = { "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]" };
    tokenizer *t = l->t;
    bert_parts b;
    SONDE_TRY(read_flags(l, &b));
    b.n = read_lines(f, NULL);
    text_bytes *lines = arena_new_array(l->scratch, text_bytes, b.n);
    read_lines(f, lines);
    b.text = lines;
    SONDE_TRY(load_bert(l, &b));
    SONDE_TRY(load_config_tokens(l, NULL));
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) SONDE_TRY(add_usual(l, usual[i]));
    SONDE_TRY(load_added_close(l));
    t->bos = load_config_id(l, "cls_token", vocab_id(&t->vocab, "[CLS]", 5));
    t->eos = load_config_id(l, "sep_token", vocab_id(&t->vocab, "[SEP]", 5));
    load_around(l, t->bos, t->eos, PAIRS_BERT);
    return SONDE_OK;
}

sonde_status load_vocab_txt(loader *l, const text_file *f) {
    const sonde_status s = fill(l, f);
    return s == SONDE_OK ? s : sonde_fail_at(l->err, s, "%s", f->name ? f->name : "vocab.txt");
}
