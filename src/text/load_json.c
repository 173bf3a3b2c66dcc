/* tokenizer.json. Each part names its kind by "type"; a table for each part says which kinds are read. Truncation and
 * padding are how somebody once batched, not what the tokenizer is: they are not applied. */
#include "load.h"
#include "base/text.h"
#include <stdio.h>

typedef struct { const char *type; sonde_status (*read)(loader *l, const json *j, const char *where); } part_row;

/* Reads the part by the row of its type; NULL ends the rows. */
static sonde_status read_part(loader *l, const part_row *rows, const json *j, const char *where) {
    const char *type;
    size_t len;
    SONDE_FAIL_IF(j->kind != JSON_OBJECT, l->err, SONDE_FORMAT, "%s: expected an object", where);
    SONDE_FAIL_IF(!json_string(json_get(j, "type"), &type, &len), l->err, SONDE_FORMAT,
                  "%s.type: missing or no text", where);
    char known[256] = "";
    for (const part_row *r = rows; r->type; r++) {
        if (strlen(r->type) == len && memcmp(r->type, type, len) == 0) return r->read(l, j, where);
        const size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", r->type);
    }
    return sonde_fail(l->err, SONDE_UNSUPPORTED, "%s: type \"%s\" is not supported (these are: %s)", where,
                      text_shown(type, len).text, known);
}

/* Each child of array `key` by the rows. */
static sonde_status read_each(loader *l, const part_row *rows, const json *j, const char *key, const char *where) {
    const json *array = json_get(j, key);
    SONDE_FAIL_IF(!array || array->kind != JSON_ARRAY, l->err, SONDE_FORMAT, "%s.%s: missing or no array", where, key);
    size_t i = 0;
    for (const json *c = array->child; c; c = c->next) {
        char place[96];
        snprintf(place, sizeof place, "%s.%s[%zu]", where, key, i++);
        SONDE_TRY(read_part(l, rows, c, place));
    }
    return SONDE_OK;
}

/* Normalizers. */

static sonde_status read_nfc(loader *l, const json *j, const char *where) {
    (void)j;
    return load_normal(l, (normal_step){ .kind = NORMAL_FORM, .form = FORM_C }, where);
}

static const part_row normalizers_inside[] = { { "NFC", read_nfc }, { NULL, NULL } };

static sonde_status read_normalizers(loader *l, const json *j, const char *where) {
    return read_each(l, normalizers_inside, j, "normalizers", where);
}

static const part_row normalizers[] = { { "NFC", read_nfc }, { "Sequence", read_normalizers }, { NULL, NULL } };

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
    return load_gpt2_stages(l, prefix, regex, where);
}

static sonde_status read_split(loader *l, const json *j, const char *where) {
    SONDE_TRY(byte_level_is_last(l, where));
    const char *behavior, *text;
    size_t len;
    SONDE_FAIL_IF(!json_string(json_get(j, "behavior"), &behavior, &len), l->err, SONDE_FORMAT,
                  "%s.behavior: missing or no text", where);
    SONDE_FAIL_IF(strcmp(behavior, "Isolated") != 0, l->err, SONDE_UNSUPPORTED,
                  "%s.behavior: \"%s\" is not supported (this is: Isolated)", where, text_shown(behavior, len).text);
    bool invert = false;                        /* what matches and what does not are cut off alike */
    SONDE_TRY(load_bool(j, where, "invert", &invert, l->err));
    const json *pattern = json_get(j, "pattern");
    const bool literal = json_string(json_get(pattern, "String"), &text, &len);
    SONDE_FAIL_IF(!literal && !json_string(json_get(pattern, "Regex"), &text, &len), l->err, SONDE_FORMAT,
                  "%s.pattern: expected {\"Regex\": text} or {\"String\": text}", where);
    const splitter *s;
    const sonde_status status = load_pattern(l, text, len, literal, &s);
    if (status != SONDE_OK) return sonde_fail_at(l->err, status, "%s", where);
    return load_stage(l, (stage){ .kind = STAGE_PATTERN, .pattern = s, .name = splitter_pattern(s) }, where);
}

static const part_row pre_tokenizers_inside[] = {
    { "ByteLevel", read_byte_level }, { "Split", read_split }, { NULL, NULL },
};

static sonde_status read_pre_tokenizers(loader *l, const json *j, const char *where) {
    return read_each(l, pre_tokenizers_inside, j, "pretokenizers", where);
}

static const part_row pre_tokenizers[] = {
    { "ByteLevel", read_byte_level }, { "Split", read_split }, { "Sequence", read_pre_tokenizers }, { NULL, NULL },
};

/* Models. */

static sonde_status read_merges(loader *l, const json *array, merge_text **out, sonde_error *err) {
    SONDE_FAIL_IF(!array || array->kind != JSON_ARRAY, err, SONDE_FORMAT, "model.merges: missing or no array");
    merge_text *m = arena_new_array(l->scratch, merge_text, array->len);
    *out = m;
    size_t i = 0;
    for (const json *j = array->child; j; j = j->next, m++, i++) {
        const json *a = j->child;
        const bool pair = j->kind == JSON_ARRAY && j->len == 2 && json_string(a, &m->a, &m->a_len)
                       && json_string(a->next, &m->b, &m->b_len);
        SONDE_FAIL_IF(!pair && !(j->kind == JSON_STRING && load_split_merge(j->text, j->len, m)), err, SONDE_FORMAT,
                      "model.merges[%zu]: expected two texts, or one with a single space", i);
    }
    return SONDE_OK;
}

/* What byte-level BPE has no use for and would give other ids. */
static sonde_status refuse_other_bpe(const json *j, sonde_error *err) {
    static const char *const affixes[] = { "continuing_subword_prefix", "end_of_word_suffix" };
    for (size_t i = 0; i < sizeof affixes / sizeof *affixes; i++) {
        const json *a = json_get(j, affixes[i]);
        SONDE_FAIL_IF(load_is_set(a) && !(a->kind == JSON_STRING && a->len == 0), err, SONDE_UNSUPPORTED,
                      "model.%s: not supported", affixes[i]);
    }
    const json *dropout = json_get(j, "dropout");
    double p = 0;
    SONDE_FAIL_IF(load_is_set(dropout) && !(json_double(dropout, &p) && p == 0), err, SONDE_UNSUPPORTED,
                  "model.dropout: not supported, the same text must give the same ids");
    bool fallback = false;
    SONDE_TRY(load_bool(j, "model", "byte_fallback", &fallback, err));
    SONDE_FAIL_IF(fallback, err, SONDE_UNSUPPORTED, "model.byte_fallback: not supported");
    return SONDE_OK;
}

static sonde_status read_bpe(loader *l, const json *j, const char *where) {
    SONDE_TRY(refuse_other_bpe(j, l->err));
    bpe_options o = { .unknown = -1 };
    SONDE_TRY(load_bool(j, where, "ignore_merges", &o.ignore_merges, l->err));
    SONDE_TRY(load_bool(j, where, "fuse_unk", &o.fuse_unknown, l->err));
    SONDE_TRY(vocab_read(&l->t->vocab, json_get(j, "vocab"), "model.vocab", l->err));
    const json *unknown = json_get(j, "unk_token"), *merges = json_get(j, "merges");
    SONDE_FAIL_IF(load_is_set(unknown) && unknown->kind != JSON_STRING, l->err, SONDE_FORMAT,
                  "model.unk_token: no text");
    if (load_is_set(unknown)) o.unknown = vocab_model_id(&l->t->vocab, unknown->text, unknown->len);
    merge_text *texts;
    SONDE_TRY(read_merges(l, merges, &texts, l->err));
    const sonde_status s = bpe_new(&l->t->model, &l->t->vocab, texts, merges->len, o, l->err);
    return s == SONDE_OK ? s : sonde_fail_at(l->err, s, "model.merges");
}

static const part_row models[] = { { "BPE", read_bpe }, { NULL, NULL } };

static sonde_status read_model(loader *l, const json *model) {
    SONDE_FAIL_IF(!model || model->kind != JSON_OBJECT, l->err, SONDE_FORMAT, "model: missing or no object");
    if (!json_get(model, "type") && json_get(model, "merges")) return read_bpe(l, model, "model");     /* an old file */
    return read_part(l, models, model, "model");
}

/* Post-processors. */

static sonde_status read_offsets(loader *l, const json *j, const char *where) {
    bool trim = true;       /* a way to show spans: ours always tile the text */
    return load_bool(j, where, "trim_offsets", &trim, l->err);
}

/* The ids that member `name` of special_tokens stands for, behind those in *ids. */
static sonde_status template_ids(loader *l, const json *tokens, const json *name, int32_t **ids, size_t *n) {
    const json *list = NULL;
    for (const json *c = tokens ? tokens->child : NULL; c && !list; c = c->next)
        if (c->key && c->key_len == name->len && memcmp(c->key, name->text, name->len) == 0) list = json_get(c, "ids");
    SONDE_FAIL_IF(!list || list->kind != JSON_ARRAY, l->err, SONDE_FORMAT,
                  "post_processor.special_tokens: no ids for \"%s\"", text_shown(name->text, name->len).text);
    int32_t *more = arena_new_array(l->t->memory, int32_t, *n + list->len);
    if (*n) memcpy(more, *ids, *n * sizeof *more);
    for (const json *c = list->child; c; c = c->next) {
        int64_t id;
        const bool known = json_int(c, &id) && id >= 0 && id < INT32_MAX && vocab_token(&l->t->vocab, (int32_t)id);
        SONDE_FAIL_IF(!known, l->err, SONDE_FORMAT, "post_processor.special_tokens: \"%s\" has an id that no token has",
                      text_shown(name->text, name->len).text);
        more[(*n)++] = (int32_t)id;
    }
    *ids = more;
    return SONDE_OK;
}

static sonde_status read_template(loader *l, const json *j, const char *where) {
    tokenizer *t = l->t;
    const json *single = json_get(j, "single");
    SONDE_FAIL_IF(!single || single->kind != JSON_ARRAY, l->err, SONDE_FORMAT, "%s.single: missing or no array", where);
    SONDE_FAIL_IF(t->n_before || t->n_after, l->err, SONDE_UNSUPPORTED, "%s: a second template is not supported",
                  where);
    int texts = 0;
    for (const json *c = single->child; c; c = c->next) {
        const json *special = json_get(json_get(c, "SpecialToken"), "id");
        const json *text = json_get(json_get(c, "Sequence"), "id");
        const bool is_text = text && text->kind == JSON_STRING && strcmp(text->text, "A") == 0;
        SONDE_FAIL_IF(!is_text && !(special && special->kind == JSON_STRING), l->err, SONDE_FORMAT,
                      "%s.single: expected {\"SpecialToken\": ..} and one {\"Sequence\": {\"id\": \"A\"}}", where);
        texts += is_text;
        if (!is_text) SONDE_TRY(template_ids(l, json_get(j, "special_tokens"), special, texts ? &t->after : &t->before,
                                             texts ? &t->n_after : &t->n_before));
    }
    SONDE_FAIL_IF(texts != 1, l->err, SONDE_FORMAT, "%s.single: names the text %d times, expected once", where, texts);
    return SONDE_OK;
}

static const part_row processors_inside[] = {
    { "ByteLevel", read_offsets }, { "TemplateProcessing", read_template }, { NULL, NULL },
};

static sonde_status read_processors(loader *l, const json *j, const char *where) {
    return read_each(l, processors_inside, j, "processors", where);
}

static const part_row processors[] = {
    { "ByteLevel", read_offsets }, { "TemplateProcessing", read_template }, { "Sequence", read_processors },
    { NULL, NULL },
};

/* Decoders. */

static sonde_status read_decoder(loader *l, const json *j, const char *where) {
    (void)l, (void)j, (void)where;
    return SONDE_OK;                /* the one there is: the bytes of the tokens in a row */
}

static const part_row decoders[] = { { "ByteLevel", read_decoder }, { NULL, NULL } };

static sonde_status read_added(loader *l, const json *array) {
    if (!load_is_set(array)) return SONDE_OK;
    SONDE_FAIL_IF(array->kind != JSON_ARRAY, l->err, SONDE_FORMAT, "added_tokens: expected an array");
    size_t i = 0;
    for (const json *c = array->child; c; c = c->next) {
        char where[48];
        snprintf(where, sizeof where, "added_tokens[%zu]", i++);
        SONDE_TRY(load_added(l, c, false, where));
    }
    return SONDE_OK;
}

static sonde_status optional(loader *l, const part_row *rows, const json *root, const char *key) {
    const json *j = json_get(root, key);
    return load_is_set(j) ? read_part(l, rows, j, key) : SONDE_OK;
}

sonde_status load_tokenizer_json(loader *l, const json *root) {
    const char *version;
    size_t len;
    SONDE_FAIL_IF(root->kind != JSON_OBJECT, l->err, SONDE_FORMAT, "expected an object");
    SONDE_FAIL_IF(json_string(json_get(root, "version"), &version, &len) && strcmp(version, "1.0") != 0, l->err,
                  SONDE_UNSUPPORTED, "version \"%s\", expected \"1.0\"", text_shown(version, len).text);
    SONDE_TRY(optional(l, normalizers, root, "normalizer"));
    SONDE_TRY(optional(l, pre_tokenizers, root, "pre_tokenizer"));
    SONDE_TRY(read_model(l, json_get(root, "model")));
    SONDE_FAIL_IF(!l->byte_level, l->err, SONDE_UNSUPPORTED,
                  "pre_tokenizer: BPE over characters is not supported, only with ByteLevel");
    SONDE_TRY(read_added(l, json_get(root, "added_tokens")));
    SONDE_TRY(load_added_close(l));
    SONDE_TRY(optional(l, processors, root, "post_processor"));
    return optional(l, decoders, root, "decoder");
}
