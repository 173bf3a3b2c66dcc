/* tokenizer.json. Each part names its kind by "type"; a table for each part says which kinds are read. Truncation and
 * padding are how somebody once batched, not what the tokenizer is: they are not applied. */
#include "load_json.h"
#include "base/text.h"
#include <stdio.h>

sonde_status load_part(loader *l, const part_row *rows, const json *j, const char *where) {
    const char *type;
    size_t len;
    SONDE_FAIL_IF(j->kind != JSON_OBJECT, l->err, SONDE_FORMAT, "%s: expected an object", where);
    SONDE_FAIL_IF(!json_string(json_get(j, "type"), &type, &len), l->err, SONDE_FORMAT,
                  "%s.type: missing or no text", where);
    char known[512] = "";
    for (const part_row *r = rows; r->type; r++) {
        if (strlen(r->type) == len && memcmp(r->type, type, len) == 0) return r->read(l, j, where);
        const size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", r->type);
    }
    return sonde_fail(l->err, SONDE_UNSUPPORTED, "%s: type \"%s\" is not supported (these are: %s)", where,
                      text_shown(type, len).text, known);
}

sonde_status load_each(loader *l, const part_row *rows, const json *j, const char *key, const char *where) {
    const json *array = json_get(j, key);
    SONDE_FAIL_IF(!array || array->kind != JSON_ARRAY, l->err, SONDE_FORMAT, "%s.%s: missing or no array", where, key);
    size_t i = 0;
    for (const json *c = array->child; c; c = c->next) {
        char place[96];
        snprintf(place, sizeof place, "%s.%s[%zu]", where, key, i++);
        SONDE_TRY(load_part(l, rows, c, place));
    }
    return SONDE_OK;
}

/* Post-processors. */

static sonde_status read_offsets(loader *l, const json *j, const char *where) {
    bool trim = true;       /* a way to show spans: ours always tile the text */
    return load_bool(j, where, "trim_offsets", &trim, l->err);
}

static void add_part(around *to, size_t *room, arena *memory, around_part p) {
    if (to->n == *room) {
        *room = 2 * *room + 8;
        around_part *more = arena_new_array(memory, around_part, *room);
        if (to->n) memcpy(more, to->part, to->n * sizeof *more);
        to->part = more;
    }
    to->part[to->n++] = p;
}

typedef struct { loader *l; const json *tokens; around *to; size_t room; } template_reader;

/* The ids that member `name` of special_tokens stands for. */
static sonde_status read_special(template_reader *r, const json *name, int16_t type) {
    loader *l = r->l;
    const json *list = NULL;
    for (const json *c = r->tokens ? r->tokens->child : NULL; c && !list; c = c->next)
        if (c->key && c->key_len == name->len && memcmp(c->key, name->text, name->len) == 0) list = json_get(c, "ids");
    SONDE_FAIL_IF(!list || list->kind != JSON_ARRAY, l->err, SONDE_FORMAT,
                  "post_processor.special_tokens: no ids for \"%s\"", text_shown(name->text, name->len).text);
    for (const json *c = list->child; c; c = c->next) {
        int64_t id;
        const bool known = json_int(c, &id) && id >= 0 && id < INT32_MAX && vocab_token(&l->t->vocab, (int32_t)id);
        SONDE_FAIL_IF(!known, l->err, SONDE_FORMAT, "post_processor.special_tokens: \"%s\" has an id that no token has",
                      text_shown(name->text, name->len).text);
        add_part(r->to, &r->room, l->t->memory, (around_part){ (int32_t)id, -1, type });
    }
    return SONDE_OK;
}

static sonde_status read_type(loader *l, const json *part, const char *where, int16_t *out) {
    const json *type = json_get(part, "type_id");
    int64_t     n = 0;
    SONDE_FAIL_IF(type && (!json_int(type, &n) || n < 0 || n > INT16_MAX), l->err, SONDE_FORMAT,
                  "%s.type_id: expected a number from 0 to %d", where, INT16_MAX);
    *out = (int16_t)n;
    return SONDE_OK;
}

/* One of "single" and "pair": times[i] is how often it names text i. */
static sonde_status read_parts(loader *l, const json *list, const char *where, around *out, int times[2]) {
    template_reader r = { .l = l, .tokens = l->special_tokens, .to = out };
    const bool      pairs = out == &l->t->pair;
    for (const json *c = list->child; c; c = c->next) {
        const json *added = json_get(c, "SpecialToken"), *special = json_get(added, "id");
        const json *sequence = json_get(c, "Sequence"), *text = json_get(sequence, "id");
        const bool  first = text && text->kind == JSON_STRING && strcmp(text->text, "A") == 0;
        const bool  second = pairs && text && text->kind == JSON_STRING && strcmp(text->text, "B") == 0;
        int16_t     type;
        SONDE_FAIL_IF(!first && !second && !(special && special->kind == JSON_STRING), l->err, SONDE_FORMAT,
                      "%s: expected {\"SpecialToken\": ..} and one {\"Sequence\": {\"id\": \"A\"}}", where);
        SONDE_TRY(read_type(l, first || second ? sequence : added, where, &type));
        if (first && !times[0]) out->n_before = out->n;
        times[0] += first;
        times[1] += second;
        if (first || second) add_part(out, &r.room, l->t->memory, (around_part){ -1, second, type });
        else SONDE_TRY(read_special(&r, special, type));
    }
    return SONDE_OK;
}

static sonde_status no_template_yet(loader *l, const char *where) {
    SONDE_FAIL_IF(l->t->single.n > 1, l->err, SONDE_UNSUPPORTED, "%s: a second template is not supported", where);
    return SONDE_OK;
}

/* A template for pairs that does not name both texts once is none. */
static sonde_status read_template(loader *l, const json *j, const char *where) {
    tokenizer  *t = l->t;
    char        place[80];
    int         times[2] = { 0 }, both[2] = { 0 };
    const json *single = json_get(j, "single"), *pair = json_get(j, "pair");
    SONDE_FAIL_IF(!single || single->kind != JSON_ARRAY, l->err, SONDE_FORMAT, "%s.single: missing or no array", where);
    SONDE_TRY(no_template_yet(l, where));
    l->special_tokens = json_get(j, "special_tokens");
    t->single = t->pair = (around){ 0 };
    snprintf(place, sizeof place, "%s.single", where);
    SONDE_TRY(read_parts(l, single, place, &t->single, times));
    SONDE_FAIL_IF(times[0] != 1 || times[1], l->err, SONDE_FORMAT, "%s: names the text %d times, expected once", place,
                  times[0] + times[1]);
    if (!load_is_set(pair) || pair->kind != JSON_ARRAY) return SONDE_OK;
    snprintf(place, sizeof place, "%s.pair", where);
    SONDE_TRY(read_parts(l, pair, place, &t->pair, both));
    if (both[0] != 1 || both[1] != 1) t->pair.n = 0;
    return SONDE_OK;
}

/* [text, id] */
static sonde_status read_pair(loader *l, const json *j, const char *where, const char *key, int32_t *out) {
    const json *pair = json_get(j, key), *text = pair ? pair->child : NULL;
    int64_t id = -1;
    const bool known = pair && pair->kind == JSON_ARRAY && pair->len == 2 && text->kind == JSON_STRING
                    && json_int(text->next, &id) && id >= 0 && id < INT32_MAX && vocab_token(&l->t->vocab, (int32_t)id);
    SONDE_FAIL_IF(!known, l->err, SONDE_FORMAT, "%s.%s: expected a text and the id of a token", where, key);
    *out = (int32_t)id;
    return SONDE_OK;
}

static sonde_status read_ends(loader *l, const json *j, const char *where, pair_form pairs) {
    int32_t cls, sep;
    SONDE_TRY(no_template_yet(l, where));
    SONDE_TRY(read_pair(l, j, where, "cls", &cls));
    SONDE_TRY(read_pair(l, j, where, "sep", &sep));
    load_around(l, cls, sep, pairs);
    return SONDE_OK;
}

static sonde_status read_bert(loader *l, const json *j, const char *where) { return read_ends(l, j, where, PAIRS_BERT); }
static sonde_status read_roberta(loader *l, const json *j, const char *where) { return read_ends(l, j, where, PAIRS_ROBERTA); }

static const part_row processors_inside[] = {
    { "ByteLevel", read_offsets }, { "TemplateProcessing", read_template }, { "BertProcessing", read_bert },
    { "RobertaProcessing", read_roberta }, { NULL, NULL },
};

static sonde_status read_processors(loader *l, const json *j, const char *where) {
    return load_each(l, processors_inside, j, "processors", where);
}

static const part_row processors[] = {
    { "ByteLevel", read_offsets }, { "TemplateProcessing", read_template }, { "BertProcessing", read_bert },
    { "RobertaProcessing", read_roberta }, { "Sequence", read_processors }, { NULL, NULL },
};

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
    return load_is_set(j) ? load_part(l, rows, j, key) : SONDE_OK;
}

/* Without a decoder the library puts spaces between the texts; bytes in a row are what byte-level BPE always is. */
static sonde_status read_decoder(loader *l, const json *root) {
    tokenizer *t = l->t;
    SONDE_TRY(optional(l, load_json_decoders, root, "decoder"));
    if (t->model && t->n_decode == 1 && t->decode[0].kind == DECODE_BYTES) t->n_decode = 0;
    return t->model || t->n_decode ? SONDE_OK : load_decode(l, (decode_step){ .kind = DECODE_JOIN }, "decoder");
}

sonde_status load_tokenizer_json(loader *l, const json *root) {
    const char *version;
    size_t len;
    SONDE_FAIL_IF(root->kind != JSON_OBJECT, l->err, SONDE_FORMAT, "expected an object");
    SONDE_FAIL_IF(json_string(json_get(root, "version"), &version, &len) && strcmp(version, "1.0") != 0, l->err,
                  SONDE_UNSUPPORTED, "version \"%s\", expected \"1.0\"", text_shown(version, len).text);
    l->t->vocab.spelling = SPELL_PLAIN;
    SONDE_TRY(optional(l, load_json_normalizers, root, "normalizer"));
    SONDE_TRY(optional(l, load_json_pre_tokenizers, root, "pre_tokenizer"));
    SONDE_TRY(load_json_model(l, json_get(root, "model")));
    SONDE_TRY(read_added(l, json_get(root, "added_tokens")));
    SONDE_TRY(load_added_close(l));
    SONDE_TRY(optional(l, processors, root, "post_processor"));
    return read_decoder(l, root);
}
