/* Which tokens made the model answer so, by several methods that must be compared to be believed. One step attributes one
 * answer; with -n the model's own next token is appended and the next step asks again. */
#include "dry.h"
#include "method_attribute.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

enum {
    ATTRIBUTE_METHOD, ATTRIBUTE_METRIC, ATTRIBUTE_TARGET, ATTRIBUTE_POSITION, ATTRIBUTE_BASELINE, ATTRIBUTE_STEPS,
    ATTRIBUTE_RULE, ATTRIBUTE_WINDOW, ATTRIBUTE_SAMPLES, ATTRIBUTE_ANCHORS, ATTRIBUTE_NEIGHBOURS, ATTRIBUTE_NORMALISE, ATTRIBUTE_N
};

static const param params[] = {
    [ATTRIBUTE_METHOD] = { "method", PARAM_TEXT, "ig", 0, 0, "ig, sequential-ig, discretised, gradient, occlusion, value-zeroing, "
                           "rollout, lime, kernel-shap; several with commas, or all" },
    [ATTRIBUTE_METRIC] = { "metric", PARAM_TEXT, "", 0, 0, "what is explained, as logit(\" Mary\")-logit(\" John\"); without it the logit "
                           "of the run's most probable token" },
    [ATTRIBUTE_TARGET] = { "target-text", PARAM_TEXT, "", 0, 0, "explain this continuation: the sum of its tokens' log-probabilities" },
    [ATTRIBUTE_POSITION] = { "position", PARAM_INT, "-1", -1e9, 1e9, "whose answer it is; -1 is the last" },
    [ATTRIBUTE_BASELINE] = { "baseline", PARAM_TEXT, "zero", 0, 0, "what stands for a token that is not there: zero, mean (of all "
                             "embeddings), the text of a token, or #ID" },
    [ATTRIBUTE_STEPS] = { "steps", PARAM_INT, "50", 1, 1e5, "points on a path (trapezoid: 2 or more; gauss-legendre: 10000 at most)" },
    [ATTRIBUTE_RULE] = { "rule", PARAM_TEXT, "gauss-legendre", 0, 0, "gauss-legendre or trapezoid" },
    [ATTRIBUTE_WINDOW] = { "window", PARAM_INT, "1", 1, 1e6, "occlusion: tokens that are replaced together" },
    [ATTRIBUTE_SAMPLES] = { "samples", PARAM_INT, "1000", 2, 1e7, "lime, and kernel-shap above 11 tokens: runs" },
    [ATTRIBUTE_ANCHORS] = { "anchors", PARAM_INT, "9", 1, 1000, "discretised: points near real embeddings on the path" },
    [ATTRIBUTE_NEIGHBOURS] = { "neighbours", PARAM_INT, "50", 1, 1e5, "discretised: tokens near the last one that may come next" },
    [ATTRIBUTE_NORMALISE] = { "normalise", PARAM_TEXT, "l2", 0, 0, "what share is divided by: none, l2 or sum (of magnitudes)" },
    [ATTRIBUTE_N] = { "n", PARAM_INT, "1", 1, 1e6, "tokens to write greedily, each attributed" },
    { 0 },
};

enum { MOST_LEGENDRE = 10000 };         /* nodes are found in n^2 steps: a second or two */

const char *const attribute_way_name[WAYS] = {
    "ig", "sequential-ig", "discretised", "gradient", "occlusion", "value-zeroing", "rollout", "lime", "kernel-shap",
};
/* ---- what is asked ---- */

static sonde_status read_ways(attribution *a, const char *text, sonde_error *err) {
    for (const char *at = text; ; at++) {
        const size_t len = strcspn(at, ",");
        bool found = false;
        for (int i = 0; i < WAYS; i++) {
            const bool is = strlen(attribute_way_name[i]) == len && !strncmp(at, attribute_way_name[i], len);
            if (!is && strcmp(text, "all") != 0) continue;
            found = true;
            a->asked[i] = true;
        }
        SONDE_FAIL_IF(!found, err, SONDE_USAGE, "method: found \"%.*s\", expected ig, sequential-ig, discretised, gradient, occlusion, "
                      "value-zeroing, rollout, lime, kernel-shap, or all", len < 40 ? (int)len : 40, at);
        at += len;
        if (!*at) break;
    }
    for (int i = 0; i < WAYS; i++) a->n_asked += a->asked[i];
    return SONDE_OK;
}

static sonde_status one_of(const param *p, const char *text, const char *const *words, sonde_error *err) {
    char all[80] = "";
    for (size_t i = 0, n = 0; words[i]; i++) {
        if (!strcmp(text, words[i])) return SONDE_OK;
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", words[i]);
    }
    return sonde_fail(err, SONDE_USAGE, "%s: found \"%.40s\", expected one of %s", p->name, text, all);
}

static sonde_status read_words(attribution *a, const value *args, sonde_error *err) {
    static const char *const rules[] = { "gauss-legendre", "trapezoid", NULL }, *const norms[] = { "none", "l2", "sum", NULL };
    SONDE_TRY(read_ways(a, args[ATTRIBUTE_METHOD].text, err));
    SONDE_TRY(one_of(&params[ATTRIBUTE_RULE], args[ATTRIBUTE_RULE].text, rules, err));
    SONDE_TRY(one_of(&params[ATTRIBUTE_NORMALISE], args[ATTRIBUTE_NORMALISE].text, norms, err));
    a->trapezoid = !strcmp(args[ATTRIBUTE_RULE].text, "trapezoid");
    a->steps = args[ATTRIBUTE_STEPS].i;
    a->window = args[ATTRIBUTE_WINDOW].i;
    a->samples = args[ATTRIBUTE_SAMPLES].i;
    a->anchors = args[ATTRIBUTE_ANCHORS].i;
    a->neighbours = args[ATTRIBUTE_NEIGHBOURS].i;
    a->normalise = args[ATTRIBUTE_NORMALISE].text;
    a->metric_text = args[ATTRIBUTE_METRIC].text;
    const bool even = a->trapezoid && (a->asked[WAY_IG] || a->asked[WAY_SEQUENTIAL]);
    SONDE_FAIL_IF(a->steps < 2 && even, err, SONDE_USAGE, "steps: %" PRId64 ", the trapezoid rule needs 2 or more", a->steps);
    const bool path = a->asked[WAY_IG] || a->asked[WAY_SEQUENTIAL] || a->asked[WAY_DISCRETISED];
    SONDE_FAIL_IF(path && !a->trapezoid && a->steps > MOST_LEGENDRE, err, SONDE_USAGE, "steps: %" PRId64 ", the rule gauss-legendre takes "
                  "%d at most, trapezoid more", a->steps, MOST_LEGENDRE);
    SONDE_FAIL_IF(*a->metric_text && *args[ATTRIBUTE_TARGET].text, err, SONDE_USAGE,
                  "metric and target-text: expected one of them, each says what is explained");
    SONDE_FAIL_IF(args[ATTRIBUTE_N].i > 1 && *args[ATTRIBUTE_TARGET].text, err, SONDE_USAGE,
                  "n and target-text: expected one of them, n writes the model's own continuation");
    SONDE_FAIL_IF(args[ATTRIBUTE_N].i > 1 && args[ATTRIBUTE_POSITION].i != -1, err, SONDE_USAGE,
                  "n and position: expected one of them, n asks for the last position of every step");
    return SONDE_OK;
}

/* The prompt, and behind it all but the last token of the target. */
static sonde_status read_sequence(attribution *a, const value *args, sonde_error *err) {
    const sonde_tokens *p = &a->cx->prompts[0].tokens;
    const int64_t context = sonde_model_describe(a->cx->model)->context;
    sonde_token_options plain = a->cx->tokenize;
    sonde_tokens target = { 0 };
    plain.bos = SONDE_BOS_NO;
    if (*args[ATTRIBUTE_TARGET].text)
        SONDE_TRY(sonde_tokenize(a->cx->model, args[ATTRIBUTE_TARGET].text, strlen(args[ATTRIBUTE_TARGET].text), plain, &target, err));
    a->of_text = target.n > 0;
    a->n_answers = a->of_text ? target.n : 1;
    const int64_t most = p->n + (target.n ? target.n : args[ATTRIBUTE_N].i) - 1, at = args[ATTRIBUTE_POSITION].i;
    a->tokens = ROOM(int32_t, most);
    memcpy(a->tokens, p->id, (size_t)p->n * sizeof *p->id);
    for (int64_t i = p->n; i < most; i++) a->tokens[i] = target.n ? target.id[i - p->n] : p->id[p->n - 1];
    a->answer = ROOM(attribute_answer, a->n_answers);
    a->prompt = p->n;
    a->n = target.n ? most : p->n;
    a->position = at < 0 ? at + a->n : at;
    for (int64_t i = 0; i < a->n_answers; i++)
        a->answer[i] = (attribute_answer){ .position = target.n ? p->n - 1 + i : a->position, .token = target.n ? target.id[i] : -1 };
    sonde_tokens_free(&target);
    SONDE_FAIL_IF(most > context, err, SONDE_USAGE, "%" PRId64 " positions are needed, the context holds %" PRId64, most, context);
    SONDE_FAIL_IF(a->position < 0 || a->position >= a->n, err, SONDE_USAGE, "position: %" PRId64 " is outside 0..%" PRId64
                  " (or %" PRId64 "..-1 from the end)", at, a->n - 1, -a->n);
    SONDE_FAIL_IF(a->asked[WAY_OCCLUSION] && a->window > a->n, err, SONDE_USAGE, "window: %" PRId64 " tokens, the prompt has %" PRId64,
                  a->window, a->n);
    return SONDE_OK;
}

static bool ends_in(const char *name, const char *end) {
    const size_t n = strlen(name), m = strlen(end);
    return n > m && !strcmp(name + n - m, end);
}

static sonde_status add_layer(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    static const char end[] = ".attn.hook_pattern";
    attribution *a = user;
    if (!ends_in(s->name, end)) return SONDE_OK;
    a->layer = room_grow(a->layer, (size_t)a->n_layers, 1, sizeof *a->layer);
    a->layer[a->n_layers++] = (attribute_layer){ room_text(s->name, strlen(s->name) - (sizeof end - 1)), s->block };
    return SONDE_OK;
}

static sonde_status read_layers(attribution *a, sonde_error *err) {
    if (!a->asked[WAY_ZEROING] && !a->asked[WAY_ROLLOUT]) return SONDE_OK;
    const sonde_site_query every = { NULL, a->cx->edits, a->cx->n_edits, a->n, 0 };
    SONDE_TRY(sonde_sites(a->cx->model, &every, add_layer, a, err));
    SONDE_FAIL_IF(!a->n_layers, err, SONDE_USAGE, "method: value-zeroing and rollout need attention, that of every block is skipped");
    return SONDE_OK;
}

enum { MOST_BYTES = INT32_MAX };

/* What would not fit is said before anything runs. */
static sonde_status check_room(const attribution *a, sonde_error *err) {
    const double n = (double)a->n, d = (double)a->d, sets = (double)a->samples * (n + 16);
    const double paths = a->asked[WAY_DISCRETISED] ? 4 * d * ((double)a->v + (double)(a->anchors + 2) * n) : 0;
    const double layers = 16 * (double)a->n_layers * n * n, masks = a->asked[WAY_LIME] || a->asked[WAY_SHAP] ? sets : 0;
    SONDE_FAIL_IF(paths > MOST_BYTES, err, SONDE_NOMEM, "discretised: the paths need %.0f MB, at most %d MB are kept: take fewer --anchors",
                  paths / 1048576, MOST_BYTES >> 20);
    SONDE_FAIL_IF(layers > MOST_BYTES, err, SONDE_NOMEM, "value-zeroing, rollout: the layers need %.0f MB, at most %d MB are kept: take a "
                  "shorter prompt", layers / 1048576, MOST_BYTES >> 20);
    SONDE_FAIL_IF(masks > MOST_BYTES, err, SONDE_NOMEM, "lime, kernel-shap: the sets need %.0f MB, at most %d MB are kept: take fewer "
                  "--samples", masks / 1048576, MOST_BYTES >> 20);
    return SONDE_OK;
}

/* ---- steps ---- */

static sonde_status attribute_steps(attribution *a, int64_t count, sonde_result *out, sonde_error *err) {
    attribute_tables t;
    attribute_tables_make(&t, a, out, count > 1);
    for (int64_t step = 0; step < count; step++) {
        const sonde_status s = attribute_step(a, count, err);
        if (s == SONDE_OK || s == SONDE_CANCELLED) attribute_put(&t, a, step);
        const int32_t next = a->answer[0].token;
        attribute_step_close(a);
        SONDE_TRY(s);
        if (step + 1 == count) break;
        a->tokens[a->n++] = next;
        a->position = a->n - 1;
        a->answer[0] = (attribute_answer){ .position = a->position, .token = -1 };
    }
    return SONDE_OK;
}

/* ---- --dry-run ---- */

/* `n` times what one run of `want` costs behind `edit`. */
static sonde_status add_cost(attribution *a, const sonde_want *want, const char *edit, int64_t n, sonde_cost *all, sonde_error *err) {
    const sonde_context *cx = a->cx;
    const sonde_prompt base = attribute_prompt(a);
    const sonde_edit **list = ROOM(const sonde_edit *, cx->n_edits + 1);
    sonde_edit *own = NULL;
    sonde_cost  one = { 0 };
    for (size_t i = 0; i < cx->n_edits; i++) list[i] = cx->edits[i];
    sonde_status s = sonde_edit_parse(&own, cx->model, edit, NULL, err);
    list[cx->n_edits] = own;
    const sonde_variant v = { 0, list, cx->n_edits + 1 };
    const sonde_batch b = { .bases = &base, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want, .n_wants = 1,
                            .runs = a->runs.run, .n_runs = a->runs.n, .seed = cx->seed };
    if (s == SONDE_OK) s = sonde_variants_cost(cx->session, &b, &one, err);
    all->flops += (double)n * one.flops;
    all->rows += n * one.rows;
    if (one.bytes > all->bytes) all->bytes = one.bytes;
    sonde_edit_free(own);
    free(list);
    return s;
}

static sonde_status dry(attribution *a, int64_t count, sonde_result *out, sonde_error *err) {
    sonde_cost all = { 0 };
    int64_t    runs = 0;
    for (int64_t step = 0; step < count; step++, a->n++, a->position++) {
        const int64_t plain = attribute_runs(a, a->n, false), slopes = attribute_runs(a, a->n, true);
        if (count > 1) a->answer[0].position = a->position;
        SONDE_TRY(attribute_make_metric(a, err));
        const sonde_want metric = { .kind = SONDE_WANT_METRIC, .metric = a->metric };
        const sonde_want slope = { .kind = SONDE_WANT_GRAD, .sites = "hook_embed", .metric = a->metric };
        SONDE_TRY(add_cost(a, &metric, "zero:hook_embed", plain, &all, err));
        if (slopes) SONDE_TRY(add_cost(a, &slope, "zero:hook_embed", slopes, &all, err));
        attribute_step_close(a);
        runs += plain + slopes;
    }
    dry_cost(out, runs, all);
    return SONDE_OK;
}

/* ---- the method ---- */

extern const method method_attribute;

static sonde_status attribute_all(attribution *a, const value *args, sonde_result *out, sonde_error *err) {
    const int64_t count = args[ATTRIBUTE_N].i;
    SONDE_TRY(read_words(a, args, err));
    SONDE_TRY(read_sequence(a, args, err));
    SONDE_TRY(read_layers(a, err));
    SONDE_TRY(check_room(a, err));
    SONDE_TRY(prompt_runs_open(&a->runs, a->cx, 0, err));
    SONDE_TRY(attribute_baseline(a, args[ATTRIBUTE_BASELINE].text, err));
    return a->cx->dry_run ? dry(a, count, out, err) : attribute_steps(a, count, out, err);
}

static sonde_status attribute_method(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(cx->model);
    attribution a = { .cx = cx, .d = info->d, .v = info->vocab };
    context_head(cx, &method_attribute, out);
    const sonde_status s = attribute_all(&a, args, out, err);
    attribute_step_close(&a);
    prompt_runs_close(&a.runs);
    for (int64_t i = 0; i < a.n_layers; i++) free(a.layer[i].name);
    free(a.layer);
    free(a.tokens);
    free(a.answer);
    free(a.baseline);
    free(a.vocabulary);
    return s;
}

const method method_attribute = {
    .name = "attribute",
    .summary = "which tokens of the prompt made the model answer so: gradients, paths, occlusion, attention, surrogates",
    .reference = "ig: Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, 2017; sequential-ig: Enguehard, Sequential "
                 "Integrated Gradients, 2023; discretised: Sanyal and Ren, Discretized Integrated Gradients for Explaining Language "
                 "Models, 2021; gradient: Simonyan, Vedaldi and Zisserman, Deep Inside Convolutional Networks, 2014; occlusion: Zeiler "
                 "and Fergus, Visualizing and Understanding Convolutional Networks, 2014; value-zeroing: Mohebbi et al., Quantifying "
                 "Context Mixing in Transformers, 2023; rollout: Abnar and Zuidema, Quantifying Attention Flow in Transformers, 2020; "
                 "lime: Ribeiro, Singh and Guestrin, Why Should I Trust You?, 2016; kernel-shap: Lundberg and Lee, A Unified Approach "
                 "to Interpreting Model Predictions, 2017",
    .formula = "F: the metric as a function of the token embeddings (hook_embed) of all positions; x: those of the run, b: the baseline's "
               "row; positions stay. score of token t: ig: sum_j (x_tj - b_j) times the integral over a in [0, 1] of dF/dx_tj at "
               "b + a (x - b); sequential-ig: the same with t alone on the path, all others at x; discretised: the same on a path from x over "
               "--anchors corners to b, --steps points in all spread evenly over its legs; the next corner of a position is made from the "
               "--neighbours tokens nearest to the last one chosen (none twice, not the baseline): each embedding keeps its numbers that "
               "lie between the last corner and b, the others go one of the legs left towards b, and the one changed least is taken "
               "(greedy); gradient: times_input g_t . x_t, beside norm |g_t|_2 and sum sum_j g_tj; occlusion: F(x) minus F with the "
               "window at b, mean over the windows that hold t; value-zeroing: cosine distance of a block's output with and without the "
               "values (hook_v) of s, rows divided by their sums, multiplied over layers, the row of --position; rollout: the same of "
               "0.5 A + 0.5 I, A the mean pattern of the heads; lime: ridge regression (penalty 1) of F on which tokens stay, weights "
               "exp(-(100 D / 25)^2 / 2), D the cosine distance from the whole prompt; kernel-shap: Shapley values of F with absent "
               "tokens at b, all sets up to 11 tokens, else drawn pairs. share: score over the norm of --normalise. completeness: sum of "
               "scores beside F(x) - F(b), gap their difference, gap_share over |F(x) - F(b)|. agreement: Spearman's rho, Kendall's "
               "tau-b of two methods' scores. DeepLIFT's rescale rule is left out: it needs a rule for every product and norm of the "
               "model, not its gradient",
    .example = "attribute \"When Mary and John went to the store, John gave a drink to\" --method ig,gradient,occlusion",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | TAKES_EDITS,
    .run = attribute_method,
};
