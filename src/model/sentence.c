#define _GNU_SOURCE
#include "sentence.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "config.h"
#include "model_files.h"
#include <inttypes.h>
#include <string.h>

static const char *const pool_names[SONDE_POOLS] = {
    [SONDE_POOL_MEAN] = "mean", [SONDE_POOL_CLS] = "cls", [SONDE_POOL_MAX] = "max",
    [SONDE_POOL_MEAN_SQRT_LEN] = "mean_sqrt_len", [SONDE_POOL_WEIGHTED_MEAN] = "weighted_mean", [SONDE_POOL_LAST] = "last",
    [SONDE_POOL_POOLER] = "pooler",
};

const char *sonde_pool_name(sonde_pool p) { return (unsigned)p < SONDE_POOLS ? pool_names[p] : NULL; }

/* What 1_Pooling/config.json calls them: `flag` each by itself, in the order in which they stand side by side; or `mode`, a
 * text or a list of them in its own order. */
static const struct { const char *flag, *mode; sonde_pool pool; } pool_rows[] = {
    { "pooling_mode_cls_token", "cls", SONDE_POOL_CLS },
    { "pooling_mode_max_tokens", "max", SONDE_POOL_MAX },
    { "pooling_mode_mean_tokens", "mean", SONDE_POOL_MEAN },
    { "pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", SONDE_POOL_MEAN_SQRT_LEN },
    { "pooling_mode_weightedmean_tokens", "weightedmean", SONDE_POOL_WEIGHTED_MEAN },
    { "pooling_mode_lasttoken", "lasttoken", SONDE_POOL_LAST },
};
enum { POOL_ROWS = sizeof pool_rows / sizeof *pool_rows };

typedef struct { const located *at; arena *memory; sonde_sentence *out; sonde_error *err; } reader;

/* *out NULL: the file is not there. */
static sonde_status read_file(const reader *r, const char *name, const json **out) {
    file_map    map;
    const char *twice;
    *out = NULL;
    sonde_status s = file_map_open(&map, arena_printf(r->memory, "%s/%s", r->at->folder, name), r->err);
    if (s == SONDE_NOT_FOUND) return SONDE_OK;
    SONDE_TRY(s);
    s = json_parse_last((const char *)map.data, map.size, r->memory, out, &twice, r->err);
    file_map_close(&map);
    return s == SONDE_OK ? s : sonde_fail_at(r->err, s, "%s/%s", r->at->label, name_shown(name).text);
}

/* ---- pooling ---- */

static sonde_status add_mode(const reader *r, const json *mode) {
    const char *text;
    size_t      len;
    SONDE_FAIL_IF(!json_string(mode, &text, &len), r->err, SONDE_FORMAT, "pooling_mode is no text");
    for (size_t i = 0; i < POOL_ROWS; i++) {
        if (strcmp(pool_rows[i].mode, text) != 0) continue;
        SONDE_FAIL_IF(r->out->n_pools == SONDE_POOLS, r->err, SONDE_FORMAT, "pooling_mode names more than %d", SONDE_POOLS);
        r->out->pool[r->out->n_pools++] = pool_rows[i].pool;
        return SONDE_OK;
    }
    return sonde_fail(r->err, SONDE_UNSUPPORTED, "pooling_mode \"%s\" is not computed; --pooling names one that is",
                      text_shown(text, len).text);
}

static sonde_status read_pooling_file(const reader *r, const json *file) {
    const json *mode = json_get(file, "pooling_mode");
    SONDE_FAIL_IF(!file, r->err, SONDE_FORMAT, "is not there");
    r->out->n_pools = 0;
    if (mode && mode->kind == JSON_ARRAY)
        for (const json *one = mode->child; one; one = one->next) SONDE_TRY(add_mode(r, one));
    else if (mode) SONDE_TRY(add_mode(r, mode));
    for (size_t i = 0; i < POOL_ROWS && !mode; i++) {
        bool on;
        SONDE_TRY(config_bool(file, pool_rows[i].flag, false, &on, r->err));
        if (on) r->out->pool[r->out->n_pools++] = pool_rows[i].pool;
    }
    SONDE_FAIL_IF(!r->out->n_pools, r->err, SONDE_FORMAT, "names no pooling");
    return SONDE_OK;
}

static sonde_status read_pooling(const reader *r, const char *folder) {
    const json *file;
    const char *name = arena_printf(r->memory, "%s/config.json", folder);
    SONDE_TRY(read_file(r, name, &file));
    const sonde_status s = read_pooling_file(r, file);
    return s == SONDE_OK ? s : sonde_fail_at(r->err, s, "%s/%s", r->at->label, name_shown(name).text);
}

/* ---- modules ---- */

static sonde_status read_lengths(const reader *r) {
    const json *file;
    bool        lower;
    SONDE_TRY(read_file(r, "sentence_bert_config.json", &file));
    if (!file) return SONDE_OK;
    const json *longest = json_get(file, "max_seq_length");
    if (longest && longest->kind != JSON_NULL)
        SONDE_TRY(config_int(file, (config_range){ "max_seq_length", NULL, 0, 1, MOST_CONTEXT }, &r->out->longest, r->err));
    SONDE_TRY(config_bool(file, "do_lower_case", false, &lower, r->err));
    SONDE_FAIL_IF(lower, r->err, SONDE_UNSUPPORTED, "%s/sentence_bert_config.json: do_lower_case is true, which is not computed; "
                  "give texts in lower case with --pooling", r->at->label);
    return SONDE_OK;
}

/* A text that would be put in front of every other one. */
static sonde_status refuse_prompt(const reader *r) {
    const json *file;
    const char *name;
    size_t      len;
    SONDE_TRY(read_file(r, "config_sentence_transformers.json", &file));
    SONDE_FAIL_IF(json_string(json_get(file, "default_prompt_name"), &name, &len) && len, r->err, SONDE_UNSUPPORTED,
                  "%s/config_sentence_transformers.json: default_prompt_name is \"%s\", which is not put in front of texts; "
                  "do so and name --pooling", r->at->label, text_shown(name, len).text);
    return SONDE_OK;
}

/* "sentence_transformers.models.Pooling": what it is called behind its last dot. The model itself is the first. */
static sonde_status read_module(const reader *r, const json *module, size_t i) {
    const char *type, *path = "";
    size_t      len, path_len = 0;
    SONDE_FAIL_IF(!json_string(json_get(module, "type"), &type, &len), r->err, SONDE_FORMAT, "module %zu has no type", i);
    json_string(json_get(module, "path"), &path, &path_len);
    const char *dot = strrchr(type, '.'), *name = dot ? dot + 1 : type;
    const bool  inside = path_len == strlen(path) && !strchr(path, '/') && *path != '.';
    SONDE_FAIL_IF(!inside || (i == 0 && *path), r->err, SONDE_UNSUPPORTED, "module %zu lies in \"%s\", expected %s", i,
                  text_shown(path, path_len).text, i ? "a folder beside modules.json" : "modules.json's own folder");
    if (!strcmp(name, "Transformer") && i == 0) return SONDE_OK;
    if (!strcmp(name, "Pooling") && i == 1) return read_pooling(r, path);
    if (!strcmp(name, "Normalize") && i == 2) {
        r->out->normalize = true;
        return SONDE_OK;
    }
    return sonde_fail(r->err, SONDE_UNSUPPORTED, "module %zu is %s, which is not computed (Transformer, Pooling and Normalize are, in "
                      "this order); --pooling makes vectors without it", i, text_shown(type, len).text);
}

static sonde_status read_modules(const reader *r) {
    const json *list;
    size_t      i = 0;
    SONDE_TRY(read_file(r, "modules.json", &list));
    if (!list) return SONDE_OK;
    r->out->told = true;
    sonde_status s = list->kind == JSON_ARRAY ? SONDE_OK : sonde_fail(r->err, SONDE_FORMAT, "is no list");
    for (const json *module = s == SONDE_OK ? list->child : NULL; module && s == SONDE_OK; module = module->next)
        s = read_module(r, module, i++);
    if (s == SONDE_OK && i == 0) s = sonde_fail(r->err, SONDE_FORMAT, "is an empty list, expected a Transformer and what makes one vector "
                                                                      "of its rows; --pooling makes vectors without it");
    if (s != SONDE_OK) return sonde_fail_at(r->err, s, "%s/modules.json", r->at->label);
    SONDE_TRY(read_lengths(r));
    return refuse_prompt(r);
}

void sentence_read(const located *at, sentence_recipe *out) {
    *out = (sentence_recipe){ .recipe = { .pool = { SONDE_POOL_MEAN }, .n_pools = 1 } };
    if (at->embedded || !at->folder) return;
    const reader r = { at, arena_new(), &out->recipe, &out->refused };
    out->refused.status = read_modules(&r);
    arena_free(r.memory);
}

sonde_status sonde_model_sentence(const sonde_model *m, sonde_sentence *out, sonde_error *err) {
    const sentence_recipe *r = &(m->files->folded ? m->files->folded : m)->files->sentence;
    *out = r->recipe;
    SONDE_FAIL_IF(r->refused.status != SONDE_OK, err, r->refused.status, "%s", r->refused.message);
    if (!out->longest || out->longest > m->config.context) out->longest = m->config.context;
    return SONDE_OK;
}
