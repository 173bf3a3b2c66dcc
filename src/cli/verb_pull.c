/* Models from the Hugging Face Hub into the local cache: the verb, and --pull beside -m. */
#include "cli.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PULL_MODEL, PULL_INCLUDE };
enum { MOST_TOKEN = 4096 };

static const param params[] = {
    [PULL_MODEL]   = { "name", PARAM_TEXT, NULL, 0, 0,
                       "[ORG/]NAME[@REV][:TAG]; REV is a branch, tag or commit; TAG picks one GGUF with its splits, as Q4_K_M" },
    [PULL_INCLUDE] = { "include", PARAM_LIST, "", 0, 0,
                       "glob of files to fetch instead, over whole paths; * matches / too (default: JSON, the tokenizer and one "
                       "format of weights, safetensors first)" },
    { 0 },
};

static const char *env(const char *name) {
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

static bool is_on(const char *text) {
    static const char *const words[] = { "1", "on", "yes", "true" };
    for (size_t i = 0; text && i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(text, words[i])) return true;
    return false;
}

/* What huggingface_hub takes for the token's file. */
static const char *token_path(arena *into) {
    if (env("HF_TOKEN_PATH")) return env("HF_TOKEN_PATH");
    if (env("HF_HOME")) return arena_printf(into, "%s/token", env("HF_HOME"));
    if (env("XDG_CACHE_HOME")) return arena_printf(into, "%s/huggingface/token", env("XDG_CACHE_HOME"));
    return env("HOME") ? arena_printf(into, "%s/.cache/huggingface/token", env("HOME")) : NULL;
}

static const char *trimmed(arena *into, const char *text) {
    text += strspn(text, " \t\r\n");
    size_t n = strlen(text);
    while (n > 0 && strchr(" \t\r\n", text[n - 1])) n--;
    return arena_printf(into, "%.*s", (int)n, text);
}

static const char *find_token(arena *into) {
    if (env("HF_TOKEN")) return trimmed(into, env("HF_TOKEN"));
    const char *path = token_path(into);
    FILE *f = path ? fopen(path, "rbe") : NULL;
    if (!f) return NULL;
    char text[MOST_TOKEN];
    const size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    return trimmed(into, text);
}

/* The bar counts in what a person reads. */
static void show_bytes(void *user, const char *what, int64_t done, int64_t all) {
    char label[64];
    const bool small = all < 10000000;
    const int64_t unit = small ? 1000 : 1000000;
    (void)user;
    if (all <= 0) {
        progress_show(NULL, what, 0, 0);
        return;
    }
    snprintf(label, sizeof label, "%s %.40s", small ? "kB" : "MB", what);
    progress_show(NULL, label, done / unit, (all + unit - 1) / unit);
}

sonde_status pull_model(command *c, const char *name, const value *include, sonde_pulled **out, sonde_error *err) {
    const char *hub = env("SONDE_HUB") ? env("SONDE_HUB") : env("HF_ENDPOINT");
    const sonde_pull_options o = {
        .base = hub, .token = find_token(c->memory), .cache = search_folders(c->memory).hub,
        .include = include ? include->list : NULL, .n_include = include ? include->n : 0,
        .offline = is_on(env("HF_HUB_OFFLINE")), .dry_run = option_given(c, OPTION_DRY_RUN),
        .progress = show_bytes, .stop = stop_asked,
    };
    progress_begin(option_given(c, OPTION_QUIET));
    const sonde_status s = sonde_pull(out, name, &o, err);
    progress_end();
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "pull");
}

static void put_files(sonde_result *r, const sonde_pulled *p) {
    sonde_table *t = sonde_result_table(r, "files");
    sonde_table_column(t, "name", SONDE_TEXT, NULL);
    sonde_table_column(t, "bytes", SONDE_INT, "B");
    sonde_table_column(t, "etag", SONDE_TEXT, NULL);
    sonde_table_column(t, "state", SONDE_TEXT, NULL);
    for (size_t i = 0; p && i < p->n; i++) {
        sonde_table_row(t);
        sonde_cell_text(t, p->file[i].name);
        sonde_cell_int(t, p->file[i].bytes);
        sonde_cell_text(t, p->file[i].etag);
        sonde_cell_text(t, p->file[i].state);
    }
}

static void put_model(sonde_result *r, const sonde_pulled *p, const char *name) {
    sonde_table *t = sonde_result_table(r, "model");
    sonde_table_column(t, "name", SONDE_TEXT, NULL);
    sonde_table_column(t, "revision", SONDE_TEXT, NULL);
    sonde_table_column(t, "commit", SONDE_TEXT, NULL);
    sonde_table_column(t, "folder", SONDE_TEXT, NULL);
    sonde_table_row(t);
    sonde_cell_text(t, p ? p->model : name);
    sonde_cell_text(t, p ? p->revision : NULL);
    sonde_cell_text(t, p ? p->commit : NULL);
    sonde_cell_text(t, p ? p->folder : NULL);
}

typedef struct { const char *name; bool found; } wanted;

static sonde_status compare_name(const char *name, void *user, sonde_error *err) {
    wanted *w = user;
    (void)err;
    w->found = w->found || !strcmp(name, w->name);
    return SONDE_OK;
}

/* -m would take the shipped one, so there is nothing to fetch. */
static bool is_shipped(command *c, const char *name) {
    const sonde_model_search search = search_folders(c->memory);
    wanted w = { .name = name };
    return sonde_models_shipped(&search, compare_name, &w, NULL) == SONDE_OK && w.found;
}

static sonde_status run(command *c, sonde_error *err) {
    const char *name = c->args[PULL_MODEL].text;
    sonde_pulled *p = NULL;
    SONDE_TRY(output_check(c, err));
    stop_listen();
    const bool shipped = is_shipped(c, name);
    if (shipped && !option_given(c, OPTION_QUIET)) say("", arena_printf(c->memory, "%s ships with sonde, nothing is fetched", name));
    const sonde_status s = shipped ? SONDE_OK : pull_model(c, name, &c->args[PULL_INCLUDE], &p, err);
    if (s != SONDE_OK) return s;
    sonde_result *r = sonde_result_new();
    sonde_result_method(r, "pull");
    sonde_result_param(r, "name", name);
    for (size_t i = 0; i < c->args[PULL_INCLUDE].n; i++) sonde_result_param(r, "include", c->args[PULL_INCLUDE].list[i]);
    put_files(r, p);
    put_model(r, p, name);
    const sonde_status written = output_write(c, r, err);
    sonde_result_free(r);
    sonde_pulled_free(p);
    return written;
}

extern const verb verb_pull;
const verb verb_pull = {
    .about = { .name = "pull", .summary = "fetch a model from the Hugging Face Hub into the local cache",
               .formula = "files: name; bytes; etag: the SHA-256 of the file, or the SHA-1 of its git blob, by which the cache names "
                          "it and against which it was checked; state: fetched, resumed (a part lay there), cached (all of it lay "
                          "there), absent (--dry-run would fetch it). model: where it lies; -m NAME opens it. From the environment: "
                          "SONDE_HUB, HF_ENDPOINT (the Hub), HF_TOKEN, HF_TOKEN_PATH, HF_HUB_CACHE, HF_HOME, HF_HUB_OFFLINE",
               .example = "pull demo    # it ships with sonde; \"pull gpt2\" and \"lens -m gpt2 --pull TEXT\" fetch one",
               .params = params, .takes = MAKES_RESULT },
    .words = 1, .run = run,
};
