/* sonde mia: Llama.MIA's command line. Its flags become edits, sites and results of the library; nothing is computed here. */
#include "mia.h"
#include "base/text.h"
#include "result/strips.h"
#include "sonde/generate.h"
#include <stdlib.h>
#include <string.h>

static const param params[] = {
    [MIA_PROMPT]    = { "prompt", PARAM_TEXT, "", 0, 0, "TEXT (-p): the prompt, if it is no plain word of the command line" },
    [MIA_N]         = { "n", PARAM_INT, "128", -1, 1e9,
                        "most tokens to write, greedily, until the end token; -1, or what does not fit by default: as many as "
                        "the context holds" },
    [MIA_DRAW]      = { "draw", PARAM_LIST, "", 0, 0,
                        "PATH.png (-d): attention patterns of the prompt, a strip a layer, a square a head, a pixel a weight" },
    [MIA_GRAPH]     = { "print-cgraph", PARAM_FLAG, "", 0, 0, "every weight (leaf) and value (node) of the prompt's run" },
    [MIA_LENS]      = { "ll", PARAM_LIST, "", 0, 0,
                        "NAME [K] (--logit-lens): the K (10) best tokens of every row of a tensor behind the final norm and the "
                        "unembedding; all: of every value as wide as the residual stream" },
    [MIA_ABLATE]    = { "ablate", PARAM_LIST, "", 0, 0,
                        "I,J-K,L.H,.. (-a): patterns of these heads are 0; I counts LAYER * heads + HEAD, or write LAYER.HEAD" },
    [MIA_SELECT]    = { "select", PARAM_LIST, "", 0, 0, "LAYER HEAD (-s): of this layer every head but those selected is 0" },
    [MIA_SAVE]      = { "save", PARAM_LIST, "", 0, 0,
                        "NAME PATH: the prompt's rows of a tensor: raw float32, or by the ending .npy, .safetensors (several tensors)" },
    [MIA_PATCH]     = { "patch", PARAM_LIST, "", 0, 0, "NAME PATH FROM TO: row TO of a tensor becomes row FROM of such a file" },
    [MIA_PATCH_AVG] = { "patch-avg", PARAM_LIST, "", 0, 0, "NAME PATH1 PATH2 FROM TO: the mean of row FROM of two files" },
    { 0 },
};

mia_piece mia_piece_of(const mia *m, int32_t id) {
    mia_piece p;
    const sonde_token t = context_token(&m->cx, id);
    sonde_token_show(t.bytes, t.len, p.text, sizeof p.text);
    return p;
}

/* Lines as they are, in them nothing that steers a terminal. */
static void print_lines(const char *text, size_t n) {
    for (size_t at = 0; at < n; ) {
        const char *end = memchr(text + at, '\n', n - at);
        const size_t line = end ? (size_t)(end - text) - at : n - at;
        print_shown(stdout, text + at, line);
        putchar('\n');
        at += line + (end != NULL);
    }
}

/* ---- what will happen, checked before anything runs ---- */

static sonde_status check_paths(const mia *m, sonde_error *err) {
    const value *draw = &m->c->args[MIA_DRAW];
    for (size_t i = 0; i < draw->n; i++) {
        const size_t n = strlen(draw->list[i]);
        SONDE_FAIL_IF(n < 5 || strcmp(draw->list[i] + n - 4, ".png") != 0, err, SONDE_USAGE,
                      "draw: \"%s\", expected a name that ends in .png", name_shown(draw->list[i]).text);
        SONDE_TRY(sonde_result_can_save(draw->list[i], err));
    }
    return SONDE_OK;
}

/* How many tokens are written. */
static sonde_status count_tokens(const mia *m, int64_t *out, sonde_error *err) {
    const value  *n = &m->c->args[MIA_N];
    const int64_t room = m->info->context - m->prompt.n + 1;
    SONDE_FAIL_IF(m->prompt.n > m->info->context || (n->given && n->i > room), err, SONDE_USAGE,
                  "%lld tokens of the prompt and -n %ld do not fit into the context of %lld", (long long)m->prompt.n,
                  n->given && n->i > 0 ? n->i : 0, (long long)m->info->context);
    *out = n->i < 0 || n->i > room ? room : n->i;
    return SONDE_OK;
}

static void tell_edits(const mia *m) {
    for (size_t i = 0; i < m->n_edits; i++) {
        const size_t n = sonde_edit_format(m->edit[i], NULL, 0) + 1;
        char *text = arena_alloc(m->c->memory, n);
        sonde_edit_format(m->edit[i], text, n);
        put_edit(m->o->result, m->edit[i]);
        const char *line = m->note[i] ? arena_printf(m->c->memory, "%s (value/0: %s)", text, m->note[i]) : text;
        if (option_given(m->c, OPTION_DRY_RUN) && m->plain) print_lines(line, strlen(line));
        else if (option_given(m->c, OPTION_VERBOSE)) say("edit: ", line);
    }
}

/* ---- the prompt's run ---- */

typedef struct { mia *m; strips *picture; } looking;

/* The block of positions of a value into the whole of it. */
static void copy_block(mia_value *v, const sonde_answer *a) {
    const bool heads_first = v->axes[0] != 't';
    int64_t inner = 1, outer = heads_first ? v->dim[0] : 1;
    for (int i = heads_first ? 2 : 1; i < v->rank; i++) inner *= v->dim[i];
    const int64_t rows = a->value.dim[heads_first], all = v->dim[heads_first];
    for (int64_t i = 0; i < outer; i++)
        memcpy(v->data + (i * all + a->first) * inner, a->value.data + i * rows * inner,
               (size_t)(rows * inner) * sizeof *v->data);
}

static void draw_block(const looking *l, const sonde_answer *a) {
    static const char front[] = "blocks.", back[] = ".attn.hook_pattern";
    char *end;
    if (strncmp(a->site, front, sizeof front - 1) != 0) return;
    const long layer = strtol(a->site + sizeof front - 1, &end, 10);
    if (strcmp(end, back) != 0) return;
    const sonde_view *v = &a->value;
    for (int64_t h = 0; h < v->dim[0]; h++)
        for (int64_t t = 0; t < v->dim[1]; t++)
            strips_put(l->picture, (strips_row){ layer, h, a->first + t }, v->data + (h * v->dim[1] + t) * v->dim[2]);
}

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    const looking *l = user;
    (void)err;
    if (l->picture) draw_block(l, a);
    for (size_t i = 0; i < l->m->n_values; i++)
        if (!strcmp(l->m->value[i].name, a->site)) copy_block(&l->m->value[i], a);
    return SONDE_OK;
}

static sonde_status make_room(mia *m, sonde_error *err) {
    for (size_t i = 0; i < m->n_values; i++) {
        mia_value *v = &m->value[i];
        v->data = malloc((size_t)v->n * sizeof *v->data);
        SONDE_FAIL_IF(!v->data, err, SONDE_NOMEM, "%s: no memory for %lld numbers", v->name, (long long)v->n);
    }
    return SONDE_OK;
}

static sonde_status run_prompt(looking *l, sonde_error *err) {
    mia *m = l->m;
    const value *draw = &m->c->args[MIA_DRAW];
    const char  *sites = draw->n ? "attn.hook_pattern" : NULL;
    if (draw->n) SONDE_TRY(strips_open(&l->picture, (strips_size){ m->info->layers, m->info->heads, m->prompt.n }, err));
    for (size_t i = 0; i < m->n_values; i++)
        sites = arena_printf(m->c->memory, "%s%s%s", sites ? sites : "", sites ? "," : "", m->value[i].name);
    if (!sites) return SONDE_OK;
    SONDE_TRY(make_room(m, err));
    const sonde_single one = { m->prompt, (const sonde_edit *const *)m->edit, m->n_edits, sites };
    SONDE_TRY(sonde_run(m->o->session, &one, take, l, err));
    for (size_t i = 0; i < draw->n; i++) SONDE_TRY(strips_save(l->picture, draw->list[i], err));
    SONDE_TRY(mia_save_files(m, err));
    return mia_lens_put(m, err);
}

static sonde_status look(mia *m, sonde_error *err) {
    looking l = { .m = m };
    const sonde_status s = run_prompt(&l, err);
    strips_free(l.picture);
    return s;
}

/* ---- the text ---- */

typedef struct { mia *m; int32_t *ids; int64_t n; } writing;

static sonde_status take_token(const sonde_generated *g, void *user, sonde_error *err) {
    writing *w = user;
    (void)err;
    w->ids[w->n++] = g->id;
    sonde_result_generated(w->m->o->result, 0, &(sonde_written){ .token = context_token(&w->m->cx, g->id), .prob = g->prob });
    return SONDE_OK;
}

static sonde_status put_text(const writing *w, const int32_t *first, int64_t n, sonde_error *err) {
    char  *text = NULL;
    size_t len;
    mia   *m = w->m;
    if (!m->info->has_tokenizer) return SONDE_OK;
    SONDE_TRY(sonde_detokenize(m->o->model, w->ids + m->prompt.n, w->n - m->prompt.n, &text, &len, err));
    sonde_result_generated_text(m->o->result, 0, text, len);
    sonde_text_free(text);
    SONDE_TRY(sonde_detokenize(m->o->model, first, n, &text, &len, err));
    if (m->plain) print_lines(text, len);
    sonde_text_free(text);
    return SONDE_OK;
}

static sonde_status write_on(mia *m, int64_t n, sonde_error *err) {
    writing w = { .m = m, .ids = arena_new_array(m->c->memory, int32_t, (size_t)(m->prompt.n + n)), .n = m->prompt.n };
    memcpy(w.ids, m->prompt.tokens, (size_t)m->prompt.n * sizeof *w.ids);
    const sonde_writing how = { .prompts = &m->prompt, .n_prompts = 1, .edits = (const sonde_edit *const *)m->edit,
                                .n_edits = m->n_edits, .sampling = { .n = n } };
    const sonde_status s = n ? sonde_generate(m->o->session, &how, take_token, &w, err) : SONDE_OK;
    const int bos = w.ids[0] == m->info->bos;
    if (s == SONDE_OK) return put_text(&w, w.ids + bos, w.n - bos, err);
    if (s == SONDE_CANCELLED) put_text(&w, w.ids + bos, w.n - bos, NULL);       /* what there is */
    return s;
}

/* ---- all of it ---- */

static void print_tokens(const mia *m) {
    for (int64_t i = 0; i < m->prompt.n && m->plain; i++)
        printf("%6d -> '%s'\n", (int)m->prompt.tokens[i], mia_piece_of(m, m->prompt.tokens[i]).text);
    if (m->plain) putchar('\n');
}

extern const verb verb_mia;

static sonde_status run_opened(mia *m, sonde_error *err) {
    int64_t n;
    m->info = sonde_model_describe(m->o->model);
    m->o->result = sonde_result_new();
    m->cx = opened_context(m->o, m->c);
    m->prompt = context_prompt(&m->cx, 0);
    record_params(m->c, m->o->result);
    context_head(&m->cx, &verb_mia.about, m->o->result);
    SONDE_TRY(check_paths(m, err));
    SONDE_TRY(count_tokens(m, &n, err));
    SONDE_TRY(mia_edits(m, err));
    SONDE_TRY(mia_values_plan(m, err));
    print_tokens(m);
    tell_edits(m);
    if (m->c->args[MIA_GRAPH].i) SONDE_TRY(mia_graph(m, err));
    if (option_given(m->c, OPTION_DRY_RUN)) return SONDE_OK;
    SONDE_TRY(look(m, err));
    return write_on(m, n, err);
}

static sonde_status run(command *c, sonde_error *err) {
    opened o = { 0 };
    mia    m = { .c = c, .o = &o };
    m.plain = !option_given(c, OPTION_JSON) && !option_given(c, OPTION_CSV) && !c->option[OPTION_OUT].n;
    if (c->args[MIA_PROMPT].n) {
        SONDE_FAIL_IF(c->n_words, err, SONDE_USAGE, "mia: found \"%s\" and --prompt, expected one prompt (quote it)",
                      name_shown(c->word[0]).text);
        c->word[c->n_words++] = c->args[MIA_PROMPT].text;
        c->args[MIA_PROMPT] = (value){ .text = "" };            /* a result has it among its prompts */
    }
    SONDE_TRY(output_check(c, err));
    stop_listen();
    sonde_status s = opened_open(&o, c, err);
    if (s == SONDE_OK && (s = run_opened(&m, err)) != SONDE_OK) sonde_fail_at(err, s, "mia");
    if (s == SONDE_OK && !m.plain) s = output_write(c, o.result, err);
    for (size_t i = 0; i < m.n_values; i++) free(m.value[i].data);
    for (size_t i = 0; i < m.n_edits; i++) sonde_edit_free(m.edit[i]);
    opened_close(&o);
    return s;
}

const verb verb_mia = {
    .about = { .name = "mia", .summary = "Llama.MIA's flags: pictures of attention, lens, ablated heads, saved and patched rows",
               .reference = "Llama.MIA, a command line on llama.cpp, 2023; docs/howto/mia.md follows its page",
               .formula = "stdout: tokens of the prompt, id -> 'piece'; what was asked for; prompt and answer. NAME: a name of llama.cpp's "
                          "graph (l_out-3; l_out: every layer; l_out-{1,3}) or a site (sonde help sites). ll: score: the logit, from "
                          "unembedding(norm(row)); draw: a pixel is min(255, 255 a), in Inferno. Heads stay 0 and rows patched while "
                          "text is written. --verbose names the edits that flags became (sonde help edits)",
               .example = "mia -p \"When Mary and John went to the store, John gave a drink to\" --ll l_out-1 3 --ablate 0-2 -n 3",
               .params = params, .takes = MAKES_RESULT | NEEDS_MODEL | NEEDS_PROMPT },
    .run = run, .respell = mia_respell, .values = mia_values,
};
