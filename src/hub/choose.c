/* Which files of a model are fetched: those that --include names; one GGUF where a tag names it; else what opening needs:
 * JSON, the tokenizer and one format of weights. */
#define _GNU_SOURCE
#include "hub_parts.h"
#include "base/gguf_name.h"
#include "base/text.h"
#include <fnmatch.h>
#include <string.h>

/* Globs over whole paths; * stops at / here. */
static const char *const always[] = {
    "*.json", "merges.txt", "vocab.txt", "*.model", "*.tiktoken", "*.jinja",
    "[0-9]_*/config.json",                              /* what sentence-transformers does behind the model */
};

/* The first row of which there is a file is fetched, whole. */
typedef struct { const char *weights, *index; } weight_row;
static const weight_row weight_rows[] = {
    { "model.safetensors",                        NULL },
    { "model-[0-9]*-of-[0-9]*.safetensors",       "model.safetensors.index.json" },
    { "*.safetensors",                            "*.safetensors.index.json" },
    { "pytorch_model.bin",                        NULL },
    { "pytorch_model-[0-9]*-of-[0-9]*.bin",       "pytorch_model.bin.index.json" },
    { "*.gguf",                                   NULL },
    { "consolidated.[0-9]*.pth",                  NULL },
    { "*.pth",                                    NULL },
};

static bool is_like(const char *glob, const char *path) { return fnmatch(glob, path, FNM_PATHNAME | FNM_NOESCAPE) == 0; }

static const weight_row *row_of(const hub *h) {
    for (size_t k = 0; k < sizeof weight_rows / sizeof *weight_rows; k++)
        for (size_t i = 0; i < h->n; i++)
            if (is_like(weight_rows[k].weights, h->file[i].path)) return &weight_rows[k];
    return NULL;
}

static bool is_needed(const char *path, const weight_row *row) {
    if (is_like("*.index.json", path)) return row->index && is_like(row->index, path);
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (is_like(always[i], path)) return true;
    return !gguf_is(path) && is_like(row->weights, path);
}

static sonde_status choose_needed(hub *h, sonde_error *err) {
    const weight_row *row = row_of(h);
    bool gguf = row && gguf_is(row->weights);
    for (size_t i = 0; !row && i < h->n; i++) gguf = gguf || gguf_is(h->file[i].path);      /* in folders alone */
    SONDE_FAIL_IF(!row && !gguf, err, SONDE_NOT_FOUND, "%s: holds no weights as .safetensors, .bin, .gguf or .pth; --include GLOB "
                  "fetches what it names", h->name.id);
    static const weight_row folders = { "*.gguf", NULL };
    for (size_t i = 0; i < h->n; i++) h->file[i].chosen = is_needed(h->file[i].path, row ? row : &folders);
    return gguf ? hub_choose_gguf(h, err) : SONDE_OK;
}

/* As huggingface_hub's allow_patterns: * matches / too, and a folder means what lies in it. */
static bool is_included(arena *brief, const char *glob, const char *path) {
    const size_t n = strlen(glob);
    if (n && glob[n - 1] == '/') glob = arena_printf(brief, "%s*", glob);
    return fnmatch(glob, path, FNM_NOESCAPE) == 0;
}

static sonde_status choose_included(hub *h, sonde_error *err) {
    arena *brief = arena_new();
    const char *unused = NULL;
    for (size_t k = 0; k < h->o->n_include; k++) {
        bool any = false;
        for (size_t i = 0; i < h->n; i++) {
            if (!is_included(brief, h->o->include[k], h->file[i].path)) continue;
            h->file[i].chosen = any = true;
        }
        if (!any && !unused) unused = h->o->include[k];
    }
    arena_free(brief);
    SONDE_FAIL_IF(unused, err, SONDE_NOT_FOUND, "%s: no file is like \"%s\", the first of %zu is %s", h->name.id,
                  name_shown(unused).text, h->n, name_shown(h->file[0].path).text);
    return SONDE_OK;
}

sonde_status hub_choose(hub *h, sonde_error *err) {
    SONDE_FAIL_IF(h->name.tag && h->o->n_include, err, SONDE_USAGE, "found both :%s and include, expected one of them", h->name.tag);
    if (h->o->n_include) return choose_included(h, err);
    return h->name.tag ? hub_choose_gguf(h, err) : choose_needed(h, err);
}
