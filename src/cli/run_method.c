/* One method: what it needs is opened and read, it runs, and what it answers is written. */
#define _POSIX_C_SOURCE 200809L
#include "opened.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* 512M, 1.5G: powers of 1024. */
static sonde_status read_size(const char *text, int64_t *out, sonde_error *err) {
    static const char units[] = "KMGT";
    char *end;
    double n = strtod(text, &end);
    const char *unit = *end ? strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end) : NULL;
    const bool good = *text >= '0' && *text <= '9' && (!*end || (unit && !end[1]));
    for (const char *u = units; unit && u <= unit; u++) n *= 1024;
    SONDE_FAIL_IF(!good || !(n >= 1 && n < 9e18), err, SONDE_USAGE,
                  "memory: \"%s\", expected a size as in 512M or 8G", name_shown(text).text);
    *out = (int64_t)n;
    return SONDE_OK;
}

/* The model, or for methods that ask no more of it its tokenizer. */
static sonde_status open_here(opened *o, command *c, const char *named, sonde_error *err) {
    sonde_model_search where = named ? o->search : (sonde_model_search){ 0 };
    where.tokenizer = option_text(c, OPTION_TOKENIZER);
    where.run = c->about->takes & TAKES_EDITS;          /* what can be edited is a run */
    const bool bare = c->about->takes & TAKES_BARE;
    SONDE_TRY((bare ? sonde_tokenizer_open : sonde_model_open)(&o->model, named, &where, err));
    for (size_t i = 0; !option_given(c, OPTION_QUIET) && sonde_model_warning(o->model, i); i++)
        say("note: ", sonde_model_warning(o->model, i));
    return SONDE_OK;
}

/* Opens the model, also where --pull has to fetch it, or the rest of it. */
static sonde_status open_or_pull(opened *o, command *c, const char *named, sonde_error *err) {
    const sonde_status s = open_here(o, c, named, err);
    const bool may = option_given(c, OPTION_PULL) && !option_given(c, OPTION_DRY_RUN);
    if (s != SONDE_NOT_FOUND || !may || !sonde_pull_name(named) || access(named, F_OK) == 0) return s;
    sonde_pulled *p;
    SONDE_TRY(pull_model(c, named, NULL, &p, err));
    if (!option_given(c, OPTION_QUIET))
        say("", arena_printf(c->memory, "%s: %zu files, in %s", named, p->n, name_shown(p->folder).text));
    sonde_pulled_free(p);
    return open_here(o, c, named, err);
}

static sonde_status open_model(opened *o, command *c, sonde_error *err) {
    const char *named = option_text(c, OPTION_MODEL), *usual = getenv("SONDE_MODEL");
    if (!named && usual && *usual) named = usual;
    SONDE_TRY(open_or_pull(o, c, named, err));
    if (!option_given(c, OPTION_FOLD)) return SONDE_OK;
    sonde_model *whole = o->model;
    const sonde_status s = sonde_model_fold(whole, &o->model, err);
    sonde_model_close(whole);
    return s;
}

static void tell_opened(const command *c, const opened *o, double took) {
    if (!option_given(c, OPTION_VERBOSE) || !o->model) return;
    const sonde_model_info *m = sonde_model_describe(o->model);
    say("", arena_printf(c->memory, "%s: %s, %" PRId64 " weights, hash %s, opened in %.3f s; kernels: %s",
                         name_shown(m->name).text, m->family, m->parameters, sonde_model_hash(o->model), took, sonde_isa_name()));
}

sonde_status opened_open(opened *o, command *c, sonde_error *err) {
    sonde_session_options how = { .threads = (int)c->option[OPTION_THREADS].i };
    const char *memory = option_text(c, OPTION_MEMORY);
    const double begin = seconds();
    sonde_token_options unused;
    if (memory) SONDE_TRY(read_size(memory, &how.memory, err));
    SONDE_TRY(inputs_options(c, &unused, err));
    o->search = search_folders(c->memory);
    if (!(c->about->takes & NEEDS_MODEL)) return SONDE_OK;
    SONDE_TRY(open_model(o, c, err));
    tell_opened(c, o, seconds() - begin);
    SONDE_TRY(method_check(c->about, o->model, err));
    SONDE_TRY(inputs_read(&o->in, c, o->model, err));
    if (c->about->takes & TAKES_BARE && sonde_model_describe(o->model)->layers == 0) return SONDE_OK;
    SONDE_TRY(sonde_session_new(&o->session, o->model, how, err));
    sonde_session_stop_when(o->session, stop_asked, NULL);
    SONDE_FAIL_IF(stop_asked(NULL), err, SONDE_CANCELLED, "interrupted");
    return SONDE_OK;
}

void opened_close(opened *o) {
    sonde_cells_close(o->cells);
    sonde_result_free(o->result);
    sonde_session_free(o->session);
    inputs_free(&o->in);
    sonde_model_close(o->model);
}

sonde_context opened_context(opened *o, const command *c) {
    o->search = search_folders(c->memory);
    sonde_context cx = {
        .model = o->model, .session = o->session,
        .prompts = o->in.prompt, .n_prompts = o->in.n_prompts, .batch = option_given(c, OPTION_PROMPTS),
        .documents = o->in.document, .n_documents = o->in.n_documents, .cells = o->cells,
        .edits = (const sonde_edit *const *)o->in.edit, .n_edits = o->in.n_edits,
        .runs = o->in.run, .n_runs = o->in.n_runs,
        .search = &o->search, .seed = (uint64_t)c->option[OPTION_SEED].i, .top = c->option[OPTION_TOP].i,
        .dry_run = option_given(c, OPTION_DRY_RUN),
        .out = c->option[OPTION_OUT].list, .n_out = c->option[OPTION_OUT].n,
        .progress = progress_show, .stop = stop_asked,
    };
    inputs_options(c, &cx.tokenize, NULL);
    return cx;
}

static void record(sonde_result *r, const char *name, const value *v) {
    if (v->n == 0 && *v->text) sonde_result_param(r, name, v->text);
    for (size_t i = 0; i < v->n; i++) sonde_result_param(r, name, v->list[i]);
}

static const option_id told[] = { OPTION_TOKENIZER, OPTION_BOS, OPTION_PLAIN, OPTION_ESCAPE, OPTION_PAIR, OPTION_RUN,
                                  OPTION_REFERENCE, OPTION_TOP, OPTION_SEED, OPTION_FOLD, OPTION_TARGET, OPTION_TARGET_TOKENS,
                                  OPTION_PROMPTS, OPTION_TEXT, OPTION_PACKED, OPTION_DOCUMENTS, OPTION_RANDOM, OPTION_CUT };

bool is_recorded(const method *about, const char *name) {
    for (size_t i = 0; about->params && about->params[i].name; i++)
        if (!strcmp(about->params[i].name, name)) return true;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (!strcmp(option_rows[told[i]].row.name, name)) return true;
    return false;
}

/* The method's parameters as they hold, common ones as they were given. */
void record_params(const command *c, sonde_result *r) {
    for (size_t i = 0; c->about->params && c->about->params[i].name; i++)
        record(r, c->about->params[i].name, &c->args[i]);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (c->option[told[i]].n) record(r, option_rows[told[i]].row.name, &c->option[told[i]]);
}

/* On one line, so that no value reads as the option behind it. */
static const char *one_line(arena *into, const char *text) {
    char *out = arena_alloc(into, 2 * strlen(text) + 1), *to = out;
    for (; *text; text++) {
        if (*text == '\n' || *text == '\\') *to++ = '\\';
        *to++ = (char)(*text == '\n' ? 'n' : *text);
    }
    return out;
}

/* What the results file knows an experiment by: everything that a document's numbers can depend on. */
static const char *experiment_params(const command *c) {
    static const option_id known_by[] = { OPTION_TOKENIZER, OPTION_BOS, OPTION_PLAIN, OPTION_ESCAPE, OPTION_PAIR, OPTION_RUN, OPTION_REFERENCE, OPTION_SEED,
                                          OPTION_FOLD, OPTION_EDIT };
    const char *text = "";
    for (size_t i = 0; c->about->params && c->about->params[i].name; i++) {
        const value *v = &c->args[i];
        for (size_t k = 0; k < v->n || k == 0; k++)
            text = arena_printf(c->memory, "%s--%s=%s\n", text, c->about->params[i].name, one_line(c->memory, v->n ? v->list[k] : v->text));
    }
    for (size_t i = 0; i < sizeof known_by / sizeof *known_by; i++)
        for (size_t k = 0; k < c->option[known_by[i]].n; k++)
            text = arena_printf(c->memory, "%s--%s=%s\n", text, option_rows[known_by[i]].row.name,
                                one_line(c->memory, c->option[known_by[i]].list[k]));
    return text;
}

/* A file that an edit or a run reads may change under its name. */
static bool reads_files(const command *c) {
    if (option_given(c, OPTION_REFERENCE)) return true;
    for (size_t i = 0; i < c->option[OPTION_RUN].n; i++)
        if (strstr(c->option[OPTION_RUN].list[i], "=@")) return true;
    for (size_t i = 0; i < c->option[OPTION_EDIT].n; i++) {
        const char *e = c->option[OPTION_EDIT].list[i];
        if (*e == '@' || strstr(e, ".npy") || strstr(e, ".safetensors")) return true;
    }
    return false;
}

static sonde_status open_cells(opened *o, const command *c, sonde_error *err) {
    const char *path = c->option[OPTION_RESULTS].text;
    const bool asked = c->about->takes & KEEPS_CELLS && option_given(c, OPTION_RESULTS);
    if ((o->in.n_documents == 0 && !asked) || option_given(c, OPTION_DRY_RUN) || !strcmp(path, "none")) return SONDE_OK;
    const bool quiet = option_given(c, OPTION_QUIET);
    SONDE_FAIL_IF(!*path || *path == ':', err, SONDE_USAGE, "results: \"%s\", expected the name of a file, or none", path);
    if (reads_files(c)) {
        if (!quiet) say("", "nothing is kept in the results file: the run reads files that may change");
        return SONDE_OK;
    }
    const bool fresh = access(path, F_OK) != 0;
    const sonde_model_info *m = sonde_model_describe(o->model);
    const sonde_experiment what = { m->name, sonde_model_hash(o->model), c->about->name, experiment_params(c) };
    SONDE_TRY(sonde_cells_open(&o->cells, path, &what, err));
    if (fresh && !quiet)
        say("", arena_printf(c->memory, "%s: made; what is finished of this run is kept there (--results none: nowhere)",
                             name_shown(path).text));
    return SONDE_OK;
}

static sonde_status run(opened *o, command *c, sonde_error *err) {
    SONDE_TRY(output_check(c, err));
    SONDE_TRY(opened_open(o, c, err));
    const double ready = seconds();
    o->result = sonde_result_new();
    record_params(c, o->result);
    SONDE_TRY(open_cells(o, c, err));
    sonde_context cx = opened_context(o, c);
    progress_begin(option_given(c, OPTION_QUIET));
    sonde_status s = cx.model ? method_fits(&cx, c->about, err) : SONDE_OK;
    if (s == SONDE_OK) s = c->about->run(&cx, c->args, o->result, err);
    progress_end();
    if (option_given(c, OPTION_VERBOSE))
        say("", arena_printf(c->memory, "%s: %.3f s", c->about->name, seconds() - ready));
    if (s == SONDE_OK && o->cells) s = sonde_cells_finish(o->cells, o->result, err);
    if (s != SONDE_OK) sonde_fail_at(err, s, "%s", c->about->name);
    if (s != SONDE_OK && s != SONDE_DIFFERS && s != SONDE_CANCELLED) return s;
    sonde_error why = { 0 };
    const sonde_status written = output_write(c, o->result, &why);
    if (s == SONDE_CANCELLED || written == SONDE_OK) return s;
    return sonde_fail(err, written, "%s", why.message);
}

sonde_status run_method(command *c, sonde_error *err) {
    opened o = { 0 };
    stop_listen();
    const sonde_status s = run(&o, c, err);
    opened_close(&o);
    return s;
}
