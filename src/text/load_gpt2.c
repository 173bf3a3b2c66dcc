/* GPT-2's layout: vocab.json, merges.txt and, where there is one, tokenizer_config.json, as transformers'
 * GPT2Tokenizer reads them. */
#include "load.h"
#include "base/text.h"
#include "grow.h"
#include <stdio.h>
#include <stdlib.h>

static const char end_of_text[] = "<|endoftext|>";

/* Other classes split or normalise in other ways, which these files do not say. */
static const char *const classes[] = { "GPT2Tokenizer", "GPT2TokenizerFast", NULL };

static sonde_status check_class(const json *config, sonde_error *err) {
    const char *class;
    size_t len;
    if (!json_string(json_get(config, "tokenizer_class"), &class, &len)) return SONDE_OK;
    for (int i = 0; classes[i]; i++)
        if (strcmp(classes[i], class) == 0) return SONDE_OK;
    return sonde_fail(err, SONDE_UNSUPPORTED, "tokenizer_class \"%s\": vocab.json and merges.txt are read as GPT-2's "
                      "only; save a tokenizer.json", text_shown(class, len).text);
}

typedef struct { const char *at, *end; size_t number; } line_reader;

/* The next line without its end, LF or CRLF. */
static bool next_line(line_reader *r, const char **line, size_t *len) {
    if (r->at == r->end) return false;
    const char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
    *line = r->at;
    *len = (size_t)((stop ? stop : r->end) - r->at);
    if (*len && (*line)[*len - 1] == '\r') --*len;
    r->at = stop ? stop + 1 : r->end;
    r->number++;
    return true;
}

/* Lines "a b"; those that begin with "#version" are skipped, empty ones may only end the file. */
static sonde_status read_merges(const text_file *f, arena *scratch, merge_text **out, size_t *n, sonde_error *err) {
    line_reader r = { .at = f->data, .end = f->size ? f->data + f->size : f->data };
    const char *line;
    size_t len, cap = 0, empty = 0;
    *out = NULL;
    *n = 0;
    while (next_line(&r, &line, &len)) {
        if (len == 0 && !empty) empty = r.number;
        if (len == 0 || (len >= 8 && memcmp(line, "#version", 8) == 0)) continue;
        *out = grow(scratch, *out, *n, *n + 1, &cap, sizeof **out);
        SONDE_FAIL_IF(empty, err, SONDE_FORMAT, "line %zu is empty", empty);
        SONDE_FAIL_IF(!load_split_merge(line, len, &(*out)[(*n)++]), err, SONDE_FORMAT,
                      "line %zu: \"%s\", expected two texts with one space between", r.number,
                      text_shown(line, len).text);
    }
    return SONDE_OK;
}

typedef struct { int64_t id; const json *entry; } numbered;

static int by_number(const void *a, const void *b) {
    const numbered *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* added_tokens_decoder: {"id": {"content": .., flags}}; ascending, so that new ones get the ids they had. */
static sonde_status read_decoder(loader *l, const json *decoder) {
    if (!load_is_set(decoder)) return SONDE_OK;
    SONDE_FAIL_IF(decoder->kind != JSON_OBJECT, l->err, SONDE_FORMAT, "added_tokens_decoder: expected an object");
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

/* A text, or an object with flags; what added_tokens_decoder described already keeps its flags. */
static sonde_status add_special(loader *l, const json *j, const char *where) {
    const char *text;
    size_t len;
    if (!load_text(j, &text, &len) || load_knows_added(l, text, len)) return SONDE_OK;
    if (j->kind == JSON_OBJECT) return load_added(l, j, true, where);
    return load_added_text(l, (added_entry){ .token = { .text = text, .len = len, .special = true } }, where);
}

static sonde_status read_special(loader *l, const json *config) {
    static const char *const names[] = { "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
                                         "mask_token" };
    const json end = { .kind = JSON_STRING, .text = end_of_text, .len = strlen(end_of_text) };
    SONDE_TRY(read_decoder(l, json_get(config, "added_tokens_decoder")));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        SONDE_TRY(add_special(l, json_get(config, names[i]), names[i]));
    if (vocab_model_id(&l->t->vocab, end.text, end.len) >= 0) SONDE_TRY(add_special(l, &end, end_of_text));
    const json *more = json_get(config, "additional_special_tokens");
    for (const json *c = more && more->kind == JSON_ARRAY ? more->child : NULL; c; c = c->next)
        SONDE_TRY(add_special(l, c, "additional_special_tokens"));
    return SONDE_OK;
}

/* One id around the text if the configuration asks for it. */
static sonde_status add_around(loader *l, const json *config, const char *key, int32_t *id, int32_t **ids, size_t *n) {
    bool wanted = false;
    SONDE_TRY(load_bool(config, "", key, &wanted, l->err));
    SONDE_FAIL_IF(wanted && *id < 0, l->err, SONDE_FORMAT, "%s: true, but no token is named for it", key);
    if (!wanted) return SONDE_OK;
    *ids = id;
    *n = 1;
    return SONDE_OK;
}

static int32_t named_id(const tokenizer *t, const json *config, const char *key) {
    const char *text = end_of_text;
    size_t len = strlen(end_of_text);
    (void)load_named_text(config, key, &text, &len);
    return vocab_id(&t->vocab, text, len);
}

static sonde_status read_config(loader *l, const json *config) {
    tokenizer *t = l->t;
    bool prefix = false;
    SONDE_TRY(check_class(config, l->err));
    SONDE_TRY(load_bool(config, "", "add_prefix_space", &prefix, l->err));
    SONDE_TRY(load_gpt2_stages(l, prefix, true, ""));
    SONDE_TRY(read_special(l, config));
    load_added_close(l);
    t->bos = named_id(t, config, "bos_token");
    t->eos = named_id(t, config, "eos_token");
    SONDE_TRY(add_around(l, config, "add_bos_token", &t->bos, &t->before, &t->n_before));
    return add_around(l, config, "add_eos_token", &t->eos, &t->after, &t->n_after);
}

sonde_status load_vocab_and_merges(loader *l, const tokenizer_files *files, const json *config) {
    const char *vocab_name = files->vocab.name ? files->vocab.name : "vocab.json";
    const char *merges_name = files->merges.name ? files->merges.name : "merges.txt";
    const char *config_name = files->config.name ? files->config.name : "tokenizer_config.json";
    const json *root;
    merge_text *merges;
    size_t n;
    sonde_status s = json_parse(files->vocab.data, files->vocab.size, l->scratch, &root, l->err);
    if (s != SONDE_OK) return sonde_fail_at(l->err, s, "%s", vocab_name);
    SONDE_TRY(vocab_read(&l->t->vocab, root, vocab_name, l->err));
    s = read_merges(&files->merges, l->scratch, &merges, &n, l->err);
    if (s == SONDE_OK) s = bpe_new(&l->t->model, &l->t->vocab, merges, n, (bpe_options){ .unknown = -1 }, l->err);
    if (s != SONDE_OK) return sonde_fail_at(l->err, s, "%s", merges_name);
    s = read_config(l, config);
    return s == SONDE_OK ? s : sonde_fail_at(l->err, s, "%s", config_name);
}
