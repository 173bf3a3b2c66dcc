/* A prompt goes on, token by token, with what else was likely beside each. */
#include "dry.h"
#include "prompt_runs.h"
#include "room.h"
#include <string.h>

enum { GENERATE_N, GENERATE_TEMPERATURE, GENERATE_TOP_K, GENERATE_TOP_P, GENERATE_MIN_P, GENERATE_IGNORE_EOS, GENERATE_STOP,
       GENERATE_BEAMS, GENERATE_PENALTY, GENERATE_EARLY };

static const param params[] = {
    [GENERATE_N] = { "n", PARAM_INT, "20", 0, 1e9, "most tokens to write" },
    [GENERATE_TEMPERATURE] = { "temperature", PARAM_REAL, "", 0, 1e6,
                               "0 is greedy; the default, but 1 where --top-k, --top-p or --min-p is there" },
    [GENERATE_TOP_K] = { "top-k", PARAM_INT, "", 0, 1e9, "draw from the k most probable tokens" },
    [GENERATE_TOP_P] = { "top-p", PARAM_REAL, "", 0, 1, "then from the fewest whose probabilities reach p" },
    [GENERATE_MIN_P] = { "min-p", PARAM_REAL, "", 0, 1, "then from those with at least p times the best one's probability" },
    [GENERATE_IGNORE_EOS] = { "ignore-eos", PARAM_FLAG, "", 0, 0, "the end token does not stop" },
    [GENERATE_STOP] = { "stop", PARAM_LIST, "", 0, 0, "stop behind this text; may be given several times" },
    [GENERATE_BEAMS] = { "num-beams", PARAM_INT, "1", 1, 256, "search so many beams side by side and write the best text" },
    [GENERATE_PENALTY] = { "length-penalty", PARAM_REAL, "1", -1e6, 1e6,
                           "of beams: a text's log-probability is divided by its length to this power" },
    [GENERATE_EARLY] = { "early-stopping", PARAM_FLAG, "", 0, 0, "of beams: end when as many texts have ended as there are beams" },
    { 0 },
};

typedef struct {
    sonde_context *cx;
    sonde_result  *out;
    int32_t      **ids; int64_t *n;             /* [prompts] */
    int64_t        done, all;
    sonde_table   *beams;                       /* scores; NULL: none are searched */
} generation;

static sonde_status take(const sonde_generated *g, void *user, sonde_error *err) {
    (void)err;
    generation  *x = user;
    sonde_token *other = ROOM(sonde_token, g->n_alternatives);
    for (size_t i = 0; i < g->n_alternatives; i++) other[i] = context_token(x->cx, g->alternative[i]);
    sonde_result_generated(x->out, g->prompt, &(sonde_written){ context_token(x->cx, g->id), g->prob, other,
                                                               g->alternative_prob, g->n_alternatives });
    free(other);
    x->ids[g->prompt][x->n[g->prompt]++] = g->id;
    x->cx->progress(x->cx->progress_user, "tokens", ++x->done, x->all);
    if (g->last && x->beams) {
        sonde_table_row(x->beams);
        sonde_cell_int(x->beams, (int64_t)g->prompt);
        sonde_cell_float(x->beams, g->score);
    }
    return SONDE_OK;
}

static sonde_sampling sampling(const sonde_context *cx, const value *args) {
    const bool filters = args[GENERATE_TOP_K].given || args[GENERATE_TOP_P].given || args[GENERATE_MIN_P].given;
    return (sonde_sampling){
        .n = args[GENERATE_N].i,
        .temperature = args[GENERATE_TEMPERATURE].given ? args[GENERATE_TEMPERATURE].real : filters ? 1 : 0,
        .top_k = args[GENERATE_TOP_K].i, .top_p = args[GENERATE_TOP_P].real, .min_p = args[GENERATE_MIN_P].real,
        .seed = cx->seed, .ignore_eos = args[GENERATE_IGNORE_EOS].i != 0,
        .stop = args[GENERATE_STOP].list, .n_stop = args[GENERATE_STOP].n, .alternatives = cx->top,
        .beams = args[GENERATE_BEAMS].i, .length_penalty = args[GENERATE_PENALTY].real,
        .early_stopping = args[GENERATE_EARLY].i != 0,
    };
}

static sonde_status put_texts(const generation *g, sonde_error *err) {
    for (size_t i = 0; i < g->cx->n_prompts; i++) {
        char  *text = NULL;
        size_t len;
        if (!sonde_model_describe(g->cx->model)->has_tokenizer) return SONDE_OK;
        SONDE_TRY(sonde_detokenize(g->cx->model, g->ids[i], g->n[i], &text, &len, err));
        sonde_result_generated_text(g->out, i, text, len);
        sonde_text_free(text);
    }
    return SONDE_OK;
}

/* As one run over the prompt and what may follow it. */
static sonde_status dry(sonde_context *cx, const sonde_sampling *o, sonde_result *out, sonde_error *err) {
    sonde_cost all = { 0 };
    for (size_t i = 0; i < cx->n_prompts; i++) {
        const sonde_model_info *info = sonde_model_describe(cx->model);
        const sonde_prompt p = context_prompt(cx, i);
        int64_t            given;
        const int32_t     *rows = context_rows(cx, &p, &given);
        const int64_t      n = given + (o->n ? o->n - 1 : 0);
        SONDE_FAIL_IF(!info->encoder_layers && n > info->context, err, SONDE_USAGE,
                      "prompt %zu: %lld positions, the context holds %lld", i, (long long)n, (long long)info->context);
        int32_t *tokens = ROOM(int32_t, n);
        memcpy(tokens, rows, (size_t)given * sizeof *tokens);
        for (int64_t k = given; k < n; k++) tokens[k] = rows[given - 1];
        const int64_t       last = n - 1;
        sonde_prompt        whole = context_with(cx, p, tokens, n);
        whole.prompt = n > given ? given : 0;
        const sonde_variant v = { 0, cx->edits, cx->n_edits };
        const sonde_want    want = { .kind = SONDE_WANT_LOGITS, .at = &last, .n_at = 1 };
        prompt_runs         runs;
        sonde_cost          one;
        sonde_status        s = prompt_runs_open(&runs, cx, i, err);
        const sonde_batch   b = { .bases = &whole, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &want, .n_wants = 1,
                                  .runs = runs.run, .n_runs = runs.n, .seed = cx->seed };
        if (s == SONDE_OK) s = sonde_variants_cost(cx->session, &b, &one, err);
        prompt_runs_close(&runs);
        free(tokens);
        SONDE_TRY(s);
        all.flops += one.flops;
        all.rows += one.rows;
        all.bytes += one.bytes;
    }
    dry_cost(out, (int64_t)cx->n_prompts, all);
    return SONDE_OK;
}

/* Prompts [first, until) side by side; of several none has a run B of its own. */
static sonde_status write_some(generation *g, const sonde_sampling *o, size_t first, size_t until, sonde_error *err) {
    const sonde_context *cx = g->cx;
    prompt_runs   runs;
    sonde_prompt *prompt = ROOM(sonde_prompt, until - first);
    for (size_t i = first; i < until; i++) prompt[i - first] = context_prompt(cx, i);
    sonde_status s = prompt_runs_open(&runs, cx, first, err);
    const sonde_writing w = { .prompts = prompt, .n_prompts = until - first, .edits = cx->edits, .n_edits = cx->n_edits,
                              .runs = runs.run, .n_runs = runs.n, .sampling = *o, .first = first };
    if (s == SONDE_OK) s = sonde_generate(cx->session, &w, take, g, err);
    prompt_runs_close(&runs);
    free(prompt);
    return s;
}

static sonde_status write_all(generation *g, const sonde_sampling *o, sonde_error *err) {
    const method_prompt *p = g->cx->prompts;
    sonde_status s = SONDE_OK;
    for (size_t first = 0, until; first < g->cx->n_prompts && s == SONDE_OK; first = until) {
        until = first + 1;
        while (!p[first].b && until < g->cx->n_prompts && !p[until].b) until++;
        s = write_some(g, o, first, until, err);
    }
    if (s == SONDE_OK) return put_texts(g, err);
    if (s == SONDE_CANCELLED) put_texts(g, NULL);       /* what there is */
    return s;
}

extern const method method_generate;

static sonde_status generate_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    const sonde_sampling o = sampling(cx, args);
    const sonde_model_info *info = sonde_model_describe(cx->model);
    const int64_t most = info->encoder_layers ? 1 << 21 : info->context;     /* no more are ever written */
    context_head(cx, &method_generate, out);
    if (cx->dry_run) return dry(cx, &o, out, err);
    generation g = { .cx = cx, .out = out, .all = o.n * (int64_t)cx->n_prompts };
    if (o.beams > 1) {
        g.beams = sonde_result_table(out, "beams");
        sonde_table_column(g.beams, "prompt", SONDE_INT, "");
        sonde_table_column(g.beams, "score", SONDE_FLOAT, "");
    }
    g.ids = ROOM(int32_t *, cx->n_prompts);
    g.n = ROOM(int64_t, cx->n_prompts);
    for (size_t i = 0; i < cx->n_prompts; i++) g.ids[i] = ROOM(int32_t, o.n < most ? o.n : most + 1);
    const sonde_status s = write_all(&g, &o, err);
    for (size_t i = 0; i < cx->n_prompts; i++) free(g.ids[i]);
    free(g.ids);
    free(g.n);
    return s;
}

const method method_generate = {
    .name = "generate",
    .summary = "go on with a text, greedily or by drawing, with the probability of every token and what else was likely",
    .reference = "top-p: Holtzman et al., The Curious Case of Neural Text Degeneration, 2020; min-p: Nguyen et al., 2024; draws: "
                 "Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, 2011 (Philox4x32-10); beams: Reddy, 1977",
    .formula = "p = softmax(logits / temperature); of it top-k, then top-p, then min-p, then one draw keyed by (seed, prompt, "
               "position); temperature 0: argmax, ties to the lower id. prob and alternatives (--top) are the softmax at "
               "temperature 1 over the whole vocabulary. The end token stops and is kept. Beams: score = sum of log p / n^penalty, n tokens, "
               "as transformers searches; an encoder-decoder writes what follows its target",
    .example = "generate \"When Mary and John went to the store, John gave a drink to\" -n 5",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | MANY_PROMPTS | TAKES_EDITS | TAKES_TWO,
    .run = generate_run,
};
