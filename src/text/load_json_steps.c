/* The steps of tokenizer.json: normalizers, pre-tokenizers, decoders. */
#include "load_json.h"
#include "base/text.h"
#include "base64.h"

/* A text that lives as long as the tokenizer. */
static sonde_status read_text(loader *l, const json *j, const char *where, const char *key, text_part *out) {
    const char *text;
    SONDE_FAIL_IF(!json_string(json_get(j, key), &text, &out->len), l->err, SONDE_FORMAT, "%s.%s: missing or no text",
                  where, key);
    char *copy = arena_alloc(l->t->memory, out->len + 1);
    if (out->len) memcpy(copy, text, out->len);
    out->at = copy;
    return SONDE_OK;
}

static sonde_status read_character(loader *l, const json *j, const char *where, const char *key, uint32_t *out) {
    text_part text;
    SONDE_TRY(read_text(l, j, where, key, &text));
    SONDE_FAIL_IF(utf8_next(text.at, text.len, out) != text.len || text.len == 0, l->err, SONDE_FORMAT,
                  "%s.%s: expected one character", where, key);
    return SONDE_OK;
}

static sonde_status read_count(loader *l, const json *j, const char *where, const char *key, size_t *out) {
    int64_t n;
    const json *count = json_get(j, key);
    if (!load_is_set(count)) return SONDE_OK;
    SONDE_FAIL_IF(!json_int(count, &n) || n < 0, l->err, SONDE_FORMAT, "%s.%s: expected a number from 0 on", where, key);
    *out = (size_t)n;
    return SONDE_OK;
}

static sonde_status read_pattern(loader *l, const json *j, const char *where, const splitter **out) {
    const char *text;
    size_t len;
    const json *pattern = json_get(j, "pattern");
    const bool literal = json_string(json_get(pattern, "String"), &text, &len);
    SONDE_FAIL_IF(!literal && !json_string(json_get(pattern, "Regex"), &text, &len), l->err, SONDE_FORMAT,
                  "%s.pattern: expected {\"Regex\": text} or {\"String\": text}", where);
    const sonde_status s = load_pattern(l, text, len, literal, out);
    return s == SONDE_OK ? s : sonde_fail_at(l->err, s, "%s", where);
}

/* A step that writes U+2581 for a space tells how the vocabulary spells. */
static void note_spaces(loader *l, bool is) {
    if (is && l->t->vocab.spelling == SPELL_PLAIN) l->t->vocab.spelling = SPELL_SPACES;
}

/* Normalizers. */

#define FORM_READER(name, which)                                                                        \
    static sonde_status name(loader *l, const json *j, const char *where) {                            \
        (void)j;                                                                                        \
        return load_normal(l, (normal_step){ .kind = NORMAL_FORM, .form = which }, where);              \
    }
FORM_READER(read_nfc, FORM_C)
FORM_READER(read_nfd, FORM_D)
FORM_READER(read_nfkc, FORM_KC)
FORM_READER(read_nfkd, FORM_KD)

#define PLAIN_READER(name, which)                                                                       \
    static sonde_status name(loader *l, const json *j, const char *where) {                            \
        (void)j;                                                                                        \
        return load_normal(l, (normal_step){ .kind = which }, where);                                   \
    }
PLAIN_READER(read_lower, NORMAL_LOWER)
PLAIN_READER(read_strip_accents, NORMAL_STRIP_ACCENTS)
PLAIN_READER(read_nmt, NORMAL_NMT)

static sonde_status read_strip(loader *l, const json *j, const char *where) {
    normal_step k = { .kind = NORMAL_STRIP, .left = true, .right = true };
    SONDE_TRY(load_bool(j, where, "strip_left", &k.left, l->err));
    SONDE_TRY(load_bool(j, where, "strip_right", &k.right, l->err));
    return load_normal(l, k, where);
}

static sonde_status read_bert(loader *l, const json *j, const char *where) {
    normal_step k = { .kind = NORMAL_BASIC, .clean = true, .chinese = true, .lower = true };
    SONDE_TRY(load_bool(j, where, "clean_text", &k.clean, l->err));
    SONDE_TRY(load_bool(j, where, "handle_chinese_chars", &k.chinese, l->err));
    SONDE_TRY(load_bool(j, where, "lowercase", &k.lower, l->err));
    k.accents = k.lower;
    SONDE_TRY(load_bool(j, where, "strip_accents", &k.accents, l->err));
    return load_normal(l, k, where);
}

static sonde_status read_precompiled(loader *l, const json *j, const char *where) {
    const char *text;
    size_t len;
    if (!json_string(json_get(j, "precompiled_charsmap"), &text, &len) || len == 0) return SONDE_OK;
    uint8_t *blob = arena_alloc(l->scratch, len);
    SONDE_FAIL_IF(!base64_read(text, len, blob, &len), l->err, SONDE_FORMAT, "%s.precompiled_charsmap: not base64", where);
    charsmap *chars;
    const sonde_status s = charsmap_new(&chars, l->t->memory, blob, len, l->err);
    if (s != SONDE_OK) return sonde_fail_at(l->err, s, "%s", where);
    return load_normal(l, (normal_step){ .kind = NORMAL_CHARSMAP, .map = chars }, where);
}

static sonde_status read_replace(loader *l, const json *j, const char *where) {
    normal_step k = { .kind = NORMAL_REPLACE };
    text_part content;
    SONDE_TRY(read_pattern(l, j, where, &k.pattern));
    SONDE_TRY(read_text(l, j, where, "content", &content));
    k.text = content.at;
    k.len = content.len;
    note_spaces(l, strcmp(splitter_pattern(k.pattern), " ") == 0 && strcmp(k.text, "\xe2\x96\x81") == 0);
    return load_normal(l, k, where);
}

static sonde_status read_prepend(loader *l, const json *j, const char *where) {
    text_part text;
    SONDE_TRY(read_text(l, j, where, "prepend", &text));
    return load_normal(l, (normal_step){ .kind = NORMAL_PREPEND, .text = text.at, .len = text.len }, where);
}

static sonde_status read_bytes(loader *l, const json *j, const char *where) {
    (void)j;
    l->t->vocab.spelling = SPELL_BYTES;
    return load_normal(l, (normal_step){ .kind = NORMAL_BYTES }, where);
}

static sonde_status read_normalizers(loader *l, const json *j, const char *where) {
    return load_each(l, load_json_normalizers + 1, j, "normalizers", where);
}

/* The first of each table is not found inside a Sequence: there is none in another. */
const part_row load_json_normalizers[] = {
    { "Sequence", read_normalizers }, { "BertNormalizer", read_bert }, { "Strip", read_strip },
    { "StripAccents", read_strip_accents }, { "NFC", read_nfc }, { "NFD", read_nfd }, { "NFKC", read_nfkc },
    { "NFKD", read_nfkd }, { "Lowercase", read_lower }, { "Nmt", read_nmt }, { "Precompiled", read_precompiled },
    { "Replace", read_replace }, { "Prepend", read_prepend }, { "ByteLevel", read_bytes }, { NULL, NULL },
};

/* Pre-tokenizers. */

static sonde_status byte_level_is_last(loader *l, const char *where) {
    SONDE_FAIL_IF(l->byte_level, l->err, SONDE_UNSUPPORTED, "%s: a pre-tokenizer behind ByteLevel is not supported",
                  where);
    return SONDE_OK;
}

static sonde_status read_byte_level(loader *l, const json *j, const char *where) {
    bool prefix = true, regex = true;
    SONDE_TRY(byte_level_is_last(l, where));
    SONDE_TRY(load_bool(j, where, "add_prefix_space", &prefix, l->err));
    SONDE_TRY(load_bool(j, where, "use_regex", &regex, l->err));
    l->byte_level = true;
    l->t->vocab.spelling = SPELL_BYTES;
    return load_gpt2_stages(l, prefix, regex, where);
}

static sonde_status read_behavior(loader *l, const json *j, const char *where, stage_cut *out) {
    static const char *const names[] = { "Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext" };
    const char *text;
    size_t len;
    SONDE_FAIL_IF(!json_string(json_get(j, "behavior"), &text, &len), l->err, SONDE_FORMAT,
                  "%s.behavior: missing or no text", where);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], text) != 0) continue;
        *out = (stage_cut)i;
        return SONDE_OK;
    }
    return sonde_fail(l->err, SONDE_UNSUPPORTED, "%s.behavior: \"%s\" is not supported (these are: Isolated, Removed, "
                      "Contiguous, MergedWithPrevious, MergedWithNext)", where, text_shown(text, len).text);
}

static sonde_status read_split(loader *l, const json *j, const char *where) {
    SONDE_TRY(byte_level_is_last(l, where));
    stage g = { .kind = STAGE_PATTERN };
    SONDE_TRY(read_behavior(l, j, where, &g.behavior));
    SONDE_TRY(load_bool(j, where, "invert", &g.invert, l->err));
    SONDE_TRY(read_pattern(l, j, where, &g.pattern));
    g.name = splitter_pattern(g.pattern);
    return load_stage(l, g, where);
}

static sonde_status read_bert_stages(loader *l, const json *j, const char *where) {
    (void)j;
    SONDE_TRY(byte_level_is_last(l, where));
    SONDE_TRY(load_stage(l, (stage){ .kind = STAGE_CLASS, .class = CLASS_SPACE, .behavior = CUT_REMOVED,
                                     .name = "WhitespaceSplit" }, where));
    return load_stage(l, (stage){ .kind = STAGE_CLASS, .class = CLASS_PUNCTUATION, .name = "Punctuation" }, where);
}

static sonde_status read_whitespace(loader *l, const json *j, const char *where) {
    (void)j;
    SONDE_TRY(byte_level_is_last(l, where));
    return load_stage(l, (stage){ .kind = STAGE_WORDS, .name = "Whitespace" }, where);
}

static sonde_status read_whitespace_split(loader *l, const json *j, const char *where) {
    (void)j;
    SONDE_TRY(byte_level_is_last(l, where));
    return load_stage(l, (stage){ .kind = STAGE_CLASS, .class = CLASS_SPACE, .behavior = CUT_REMOVED,
                                  .name = "WhitespaceSplit" }, where);
}

static sonde_status read_punctuation(loader *l, const json *j, const char *where) {
    stage g = { .kind = STAGE_CLASS, .class = CLASS_PUNCTUATION, .name = "Punctuation" };
    SONDE_TRY(byte_level_is_last(l, where));
    if (load_is_set(json_get(j, "behavior"))) SONDE_TRY(read_behavior(l, j, where, &g.behavior));
    return load_stage(l, g, where);
}

static sonde_status read_digits(loader *l, const json *j, const char *where) {
    bool individual = false;
    SONDE_TRY(byte_level_is_last(l, where));
    SONDE_TRY(load_bool(j, where, "individual_digits", &individual, l->err));
    return load_stage(l, (stage){ .kind = STAGE_CLASS, .class = CLASS_NUMBER, .name = "Digits",
                                  .behavior = individual ? CUT_ISOLATED : CUT_CONTIGUOUS }, where);
}

static sonde_status read_delimiter(loader *l, const json *j, const char *where) {
    stage g = { .kind = STAGE_CLASS, .class = CLASS_MARK, .behavior = CUT_REMOVED, .name = "CharDelimiterSplit" };
    SONDE_TRY(byte_level_is_last(l, where));
    SONDE_TRY(read_character(l, j, where, "delimiter", &g.mark));
    return load_stage(l, g, where);
}

static sonde_status read_length(loader *l, const json *j, const char *where) {
    stage g = { .kind = STAGE_LENGTH, .length = 5, .name = "FixedLength" };
    SONDE_TRY(byte_level_is_last(l, where));
    SONDE_TRY(read_count(l, j, where, "length", &g.length));
    SONDE_FAIL_IF(g.length == 0, l->err, SONDE_FORMAT, "%s.length: 0, expected 1 or more", where);
    return load_stage(l, g, where);
}

/* prepend_scheme, or add_prefix_space of older files. */
static sonde_status read_prepend_scheme(loader *l, const json *j, const char *where, stage_prepend *out) {
    static const char *const names[] = { "always", "first", "never" };
    bool prefix = true;
    SONDE_TRY(load_bool(j, where, "add_prefix_space", &prefix, l->err));
    *out = prefix ? PREPEND_ALWAYS : PREPEND_NEVER;
    const json *scheme = json_get(j, "prepend_scheme");
    if (!load_is_set(scheme)) return SONDE_OK;
    for (size_t i = 0; i < 3 && scheme->kind == JSON_STRING; i++) {
        if (strcmp(names[i], scheme->text) != 0) continue;
        *out = (stage_prepend)i;
        return SONDE_OK;
    }
    return sonde_fail(l->err, SONDE_FORMAT, "%s.prepend_scheme: expected always, first or never", where);
}

static sonde_status read_metaspace(loader *l, const json *j, const char *where) {
    stage g = { .kind = STAGE_METASPACE, .name = "Metaspace", .cut = true };
    SONDE_TRY(byte_level_is_last(l, where));
    SONDE_TRY(read_character(l, j, where, "replacement", &g.mark));
    SONDE_TRY(read_prepend_scheme(l, j, where, &g.prepend));
    SONDE_TRY(load_bool(j, where, "split", &g.cut, l->err));
    note_spaces(l, g.mark == 0x2581);
    return load_stage(l, g, where);
}

static sonde_status read_pre_tokenizers(loader *l, const json *j, const char *where) {
    return load_each(l, load_json_pre_tokenizers + 1, j, "pretokenizers", where);
}

const part_row load_json_pre_tokenizers[] = {
    { "Sequence", read_pre_tokenizers }, { "BertPreTokenizer", read_bert_stages }, { "ByteLevel", read_byte_level },
    { "CharDelimiterSplit", read_delimiter }, { "Metaspace", read_metaspace }, { "Whitespace", read_whitespace },
    { "Split", read_split }, { "Punctuation", read_punctuation }, { "WhitespaceSplit", read_whitespace_split },
    { "Digits", read_digits }, { "FixedLength", read_length }, { NULL, NULL },
};

/* Decoders. */

static sonde_status decode_suffix(loader *l, const json *j, const char *where) {
    decode_step k = { .kind = DECODE_SUFFIX };
    SONDE_TRY(read_text(l, j, where, "suffix", &k.text));
    return load_decode(l, k, where);
}

static sonde_status decode_bytes(loader *l, const json *j, const char *where) {
    (void)j;
    return load_decode(l, (decode_step){ .kind = DECODE_BYTES }, where);
}

static sonde_status decode_wordpiece(loader *l, const json *j, const char *where) {
    decode_step k = { .kind = DECODE_WORDPIECE, .cleanup = true };
    SONDE_TRY(read_text(l, j, where, "prefix", &k.text));
    SONDE_TRY(load_bool(j, where, "cleanup", &k.cleanup, l->err));
    return load_decode(l, k, where);
}

static sonde_status decode_metaspace(loader *l, const json *j, const char *where) {
    decode_step k = { .kind = DECODE_METASPACE };
    uint32_t mark;
    stage_prepend scheme;
    SONDE_TRY(read_character(l, j, where, "replacement", &mark));
    SONDE_TRY(read_text(l, j, where, "replacement", &k.text));
    SONDE_TRY(read_prepend_scheme(l, j, where, &scheme));
    k.flag = scheme != PREPEND_NEVER;
    return load_decode(l, k, where);
}

static sonde_status decode_ctc(loader *l, const json *j, const char *where) {
    decode_step k = { .kind = DECODE_CTC, .cleanup = true };
    SONDE_TRY(read_text(l, j, where, "pad_token", &k.text));
    SONDE_TRY(read_text(l, j, where, "word_delimiter_token", &k.delimiter));
    SONDE_TRY(load_bool(j, where, "cleanup", &k.cleanup, l->err));
    return load_decode(l, k, where);
}

static sonde_status decode_replace(loader *l, const json *j, const char *where) {
    decode_step k = { .kind = DECODE_REPLACE };
    SONDE_TRY(read_pattern(l, j, where, &k.pattern));
    SONDE_TRY(read_text(l, j, where, "content", &k.text));
    return load_decode(l, k, where);
}

static sonde_status decode_fuse(loader *l, const json *j, const char *where) {
    (void)j;
    return load_decode(l, (decode_step){ .kind = DECODE_FUSE }, where);
}

static sonde_status decode_strip(loader *l, const json *j, const char *where) {
    decode_step k = { .kind = DECODE_STRIP };
    SONDE_TRY(read_text(l, j, where, "content", &k.text));
    SONDE_TRY(read_count(l, j, where, "start", &k.left));
    SONDE_TRY(read_count(l, j, where, "stop", &k.right));
    return load_decode(l, k, where);
}

static sonde_status decode_byte_pieces(loader *l, const json *j, const char *where) {
    (void)j;
    return load_decode(l, (decode_step){ .kind = DECODE_BYTE_PIECES }, where);
}

static sonde_status decode_each(loader *l, const json *j, const char *where) {
    return load_each(l, load_json_decoders + 1, j, "decoders", where);
}

const part_row load_json_decoders[] = {
    { "Sequence", decode_each }, { "BPEDecoder", decode_suffix }, { "ByteLevel", decode_bytes },
    { "WordPiece", decode_wordpiece }, { "Metaspace", decode_metaspace }, { "CTC", decode_ctc },
    { "Replace", decode_replace }, { "Fuse", decode_fuse }, { "Strip", decode_strip },
    { "ByteFallback", decode_byte_pieces }, { NULL, NULL },
};
