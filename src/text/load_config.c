/* tokenizer_config.json, special_tokens_map.json and added_tokens.json. Where the first has added_tokens_decoder the other
 * two are not looked at, as in transformers. */
#include "load.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct { int64_t id; const json *entry; } numbered;

static int by_number(const void *a, const void *b) {
    const numbered *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static sonde_status check_object(const json *j, const char *where, sonde_error *err) {
    SONDE_FAIL_IF(load_is_set(j) && j->kind != JSON_OBJECT, err, SONDE_FORMAT, "%s: expected an object", where);
    return SONDE_OK;
}

/* added_tokens_decoder: {"id": {"content": .., flags}}; ascending, so that new ones get the ids they had. */
static sonde_status read_decoder(loader *l, const json *decoder) {
    SONDE_TRY(check_object(decoder, "added_tokens_decoder", l->err));
    numbered *list = arena_new_array(l->scratch, numbered, decoder->len);
    size_t n = 0;
    for (const json *c = decoder->child; c; c = c->next) {
        char *end = NULL;
        const long long id = c->key_len < 12 ? strtoll(c->key, &end, 10) : -1;
        SONDE_FAIL_IF(id < 0 || end != c->key + c->key_len || c->key_len == 0, l->err, SONDE_FORMAT,
                      "added_tokens_decoder: \"%s\" is no token id", text_shown(c->key, c->key_len).text);
        list[n++] = (numbered){ id, c };
    }
    if (n) qsort(list, n, sizeof *list, by_number);
    for (size_t i = 0; i < n; i++) {
        char where[64];
        snprintf(where, sizeof where, "added_tokens_decoder.%lld", (long long)list[i].id);
        SONDE_TRY(load_added(l, list[i].entry, false, where));
    }
    return SONDE_OK;
}

/* added_tokens.json: {"text": id}. */
static sonde_status read_added_map(loader *l) {
    const json *texts = l->added_map;
    if (!load_is_set(texts)) return SONDE_OK;
    SONDE_TRY(check_object(texts, "added_tokens.json", l->err));
    numbered *list = arena_new_array(l->scratch, numbered, texts->len);
    size_t n = 0;
    for (const json *c = texts->child; c; c = c->next) {
        SONDE_FAIL_IF(!json_int(c, &list[n].id), l->err, SONDE_FORMAT, "added_tokens.json: \"%s\" has no id",
                      text_shown(c->key, c->key_len).text);
        list[n++].entry = c;
    }
    if (n) qsort(list, n, sizeof *list, by_number);
    for (size_t i = 0; i < n; i++) {
        const json *c = list[i].entry;
        if (load_knows_added(l, c->key, c->key_len)) continue;
        const added_entry e = { .token = { .text = c->key, .len = c->key_len }, .normalized = true };
        SONDE_TRY(load_added_text(l, e, "added_tokens.json"));
    }
    return SONDE_OK;
}

/* A text, or an object with flags; what was described already keeps its flags. */
static sonde_status add_special(loader *l, const json *j, const char *where) {
    const char *text;
    size_t len;
    if (!load_text(j, &text, &len) || load_knows_added(l, text, len)) return SONDE_OK;
    if (j->kind == JSON_OBJECT) return load_added(l, j, true, where);
    return load_added_text(l, (added_entry){ .token = { .text = text, .len = len, .special = true } }, where);
}

static bool has_decoder(const loader *l) { return load_is_set(json_get(l->config, "added_tokens_decoder")); }

static const json *member(const loader *l, const char *key) {
    const json *j = has_decoder(l) ? NULL : json_get(l->special_map, key);
    return load_is_set(j) ? j : json_get(l->config, key);
}

sonde_status load_config_tokens(loader *l, const json *more) {
    static const char *const names[] = { "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
                                         "mask_token" };
    SONDE_TRY(check_object(l->config, "tokenizer_config.json", l->err));
    SONDE_TRY(check_object(l->special_map, "special_tokens_map.json", l->err));
    if (has_decoder(l)) SONDE_TRY(read_decoder(l, json_get(l->config, "added_tokens_decoder")));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) SONDE_TRY(add_special(l, member(l, names[i]), names[i]));
    if (more) SONDE_TRY(add_special(l, more, more->text));
    const json *list = member(l, "additional_special_tokens");
    for (const json *c = list && list->kind == JSON_ARRAY ? list->child : NULL; c; c = c->next)
        SONDE_TRY(add_special(l, c, "additional_special_tokens"));
    return has_decoder(l) ? SONDE_OK : read_added_map(l);
}

int32_t load_config_id(const loader *l, const char *key, int32_t otherwise) {
    const char *text;
    size_t len;
    return load_text(member(l, key), &text, &len) ? vocab_id(&l->t->vocab, text, len) : otherwise;
}

/* False where nothing says that it is wanted and there is none. */
static sonde_status is_wanted(const loader *l, const char *key, int32_t id, bool *wanted) {
    const bool said = load_is_set(json_get(l->config, key));
    SONDE_TRY(load_bool(l->config, "", key, wanted, l->err));
    SONDE_FAIL_IF(said && *wanted && id < 0, l->err, SONDE_FORMAT, "%s: true, but no token is named for it", key);
    return SONDE_OK;
}

sonde_status load_config_ends(loader *l, bool add_bos, bool add_eos, pair_form pairs) {
    tokenizer *t = l->t;
    t->bos = load_config_id(l, "bos_token", t->bos);
    t->eos = load_config_id(l, "eos_token", t->eos);
    SONDE_TRY(is_wanted(l, "add_bos_token", t->bos, &add_bos));
    SONDE_TRY(is_wanted(l, "add_eos_token", t->eos, &add_eos));
    load_around(l, add_bos ? t->bos : -1, add_eos ? t->eos : -1, pairs);
    return SONDE_OK;
}
