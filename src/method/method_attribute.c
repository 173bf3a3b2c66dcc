/* Which tokens made the model answer so, by several methods that must be compared to be believed. One round attributes one
 * answer; with -n the model's own next token is appended and the next round asks again; a span has a round for each end. */
#include "dry.h"
#include "method_attribute.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

enum {
    ATTRIBUTE_METHOD, ATTRIBUTE_METRIC, ATTRIBUTE_TARGET, ATTRIBUTE_LABEL, ATTRIBUTE_POSITION, ATTRIBUTE_SITE, ATTRIBUTE_BASELINE,
    ATTRIBUTE_STEPS, ATTRIBUTE_RULE, ATTRIBUTE_CONVERGENCE, ATTRIBUTE_WINDOW, ATTRIBUTE_SAMPLES, ATTRIBUTE_ANCHORS,
    ATTRIBUTE_NEIGHBOURS, ATTRIBUTE_LAYERS, ATTRIBUTE_DETAIL, ATTRIBUTE_BINS, ATTRIBUTE_NORMALISE, ATTRIBUTE_N
};

static const param params[] = {
    [ATTRIBUTE_METHOD] = { "method", PARAM_TEXT, "ig", 0, 0, "ig, sequential-ig, discretised, gradient, occlusion, value-zeroing, "
                           "rollout, lime, kernel-shap; several with commas, or all of these; conductance (of layers)" },
    [ATTRIBUTE_METRIC] = { "metric", PARAM_TEXT, "", 0, 0, "what is explained, as logit(\" Mary\")-logit(\" John\"); without it the logit "
                           "of the run's most probable token, label, or start and end" },
    [ATTRIBUTE_TARGET] = { "target-text", PARAM_TEXT, "", 0, 0, "explain this continuation, or what fills the masks: the sum of its "
                           "tokens' log-probabilities" },
    [ATTRIBUTE_LABEL] = { "label", PARAM_TEXT, "", 0, 0, "of a classifier: the label's name or #ID (default: the predicted one); of a model "
                          "that answers with a span: start or end (default: both)" },
    [ATTRIBUTE_POSITION] = { "position", PARAM_INT, "-1", -1e9, 1e9, "whose answer it is; -1 is the last; without it the first mask token "
                             "of a masked LM, and the predicted span's ends" },
    [ATTRIBUTE_SITE] = { "site", PARAM_SITE, "", 0, 0, "where x and b lie: one site with a row for each token (default: hook_embed; "
                         "encoders: hook_full_embed)" },
    [ATTRIBUTE_BASELINE] = { "baseline", PARAM_TEXT, "", 0, 0, "what stands for a token that is not there: zero, mean (of all "
                             "embeddings), the text of a token, #ID, or pad (padding between what the tokenizer puts around a text); "
                             "default: zero; encoders: pad" },
    [ATTRIBUTE_STEPS] = { "steps", PARAM_INT, "50", 1, 1e5, "points on a path (trapezoid: 2 or more; gauss-legendre: 10000 at most)" },
    [ATTRIBUTE_RULE] = { "rule", PARAM_TEXT, "gauss-legendre", 0, 0, "gauss-legendre or trapezoid" },
    [ATTRIBUTE_CONVERGENCE] = { "convergence", PARAM_FLAG, "", 0, 0, "ig, conductance: the sums of 1, 2, 4, .. points too, up to --steps" },
    [ATTRIBUTE_WINDOW] = { "window", PARAM_INT, "1", 1, 1e6, "occlusion: tokens that are replaced together" },
    [ATTRIBUTE_SAMPLES] = { "samples", PARAM_INT, "1000", 2, 1e7, "lime, and kernel-shap above 11 tokens: runs" },
    [ATTRIBUTE_ANCHORS] = { "anchors", PARAM_INT, "9", 1, 1000, "discretised: points near real embeddings on the path" },
    [ATTRIBUTE_NEIGHBOURS] = { "neighbours", PARAM_INT, "50", 1, 1e5, "discretised: tokens near the last one that may come next" },
    [ATTRIBUTE_LAYERS] = { "layers", PARAM_LAYERS, "all", 0, 0, "conductance: blocks whose outputs are looked at" },
    [ATTRIBUTE_DETAIL] = { "detail", PARAM_TEXT, "", 0, 0, "conductance: position whose numbers are shown one by one (default: the token with "
                           "most of it)" },
    [ATTRIBUTE_BINS] = { "bins", PARAM_INT, "100", 1, 100000, "conductance: bins of the histograms, the same for all layers; empty ones are left out" },
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
        if (len == strlen("conductance") && !strncmp(at, "conductance", len)) found = a->conductance = true;
        SONDE_FAIL_IF(!found, err, SONDE_USAGE, "method: found \"%.*s\", expected ig, sequential-ig, discretised, gradient, occlusion, "
                      "value-zeroing, rollout, lime, kernel-shap, conductance, or all", len < 40 ? (int)len : 40, at);
        at += len;
        if (!*at) break;
    }
    for (int i = 0; i < WAYS; i++) a->n_asked += a->asked[i];
    a->all_ways = !strcmp(text, "all");
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
    a->convergence = args[ATTRIBUTE_CONVERGENCE].i != 0;
    a->bins = args[ATTRIBUTE_BINS].i;
    a->position_given = args[ATTRIBUTE_POSITION].given != 0;
    SONDE_FAIL_IF(a->convergence && !a->asked[WAY_IG] && !a->conductance, err, SONDE_USAGE,
                  "convergence: of ig and conductance alone, expected one of them as --method");
    const bool even = a->trapezoid && (a->asked[WAY_IG] || a->asked[WAY_SEQUENTIAL]);
    SONDE_FAIL_IF(a->steps < 2 && even, err, SONDE_USAGE, "steps: %" PRId64 ", the trapezoid rule needs 2 or more", a->steps);
    const bool path = a->asked[WAY_IG] || a->asked[WAY_SEQUENTIAL] || a->asked[WAY_DISCRETISED] || a->conductance;
    SONDE_FAIL_IF(path && !a->trapezoid && a->steps > MOST_LEGENDRE, err, SONDE_USAGE, "steps: %" PRId64 ", the rule gauss-legendre takes "
                  "%d at most, trapezoid more", a->steps, MOST_LEGENDRE);
    return SONDE_OK;
}

static sonde_status read_sequence(attribution *a, const value *args, sonde_error *err) {
    const attribute_target t = { args[ATTRIBUTE_LABEL].text, args[ATTRIBUTE_TARGET].text, args[ATTRIBUTE_N].i, args[ATTRIBUTE_POSITION].i };
    const char *detail = args[ATTRIBUTE_DETAIL].text;
    SONDE_TRY(attribute_read_target(a, &t, err));
    SONDE_FAIL_IF(a->asked[WAY_OCCLUSION] && a->window > a->n, err, SONDE_USAGE, "window: %" PRId64 " tokens, the prompt has %" PRId64,
                  a->window, a->n);
    a->detail = -1;
    if (!*detail) return SONDE_OK;
    long  *at;
    size_t n;
    SONDE_TRY(param_numbers(&params[ATTRIBUTE_DETAIL], detail, (long)a->n, &at, &n, err));
    a->detail = at[0];
    free(at);
    SONDE_FAIL_IF(n != 1, err, SONDE_USAGE, "detail: found %zu positions, expected one", n);
    return SONDE_OK;
}

enum { MOST_BYTES = INT32_MAX };

/* What would not fit is said before anything runs. */
static sonde_status check_room(const attribution *a, sonde_error *err) {
    const double n = (double)a->n, d = (double)a->wide, sets = (double)a->samples * (n + 16);
    const double paths = a->asked[WAY_DISCRETISED] ? 4 * d * ((double)a->v + (double)(a->anchors + 2) * n) : 0;
    const double flow = a->conductance ? 32 * (double)a->stage.n * n * (double)a->wide : 0;
    const double layers = 16 * (double)a->layer.n * n * n, masks = a->asked[WAY_LIME] || a->asked[WAY_SHAP] ? sets : 0;
    SONDE_FAIL_IF(paths > MOST_BYTES, err, SONDE_NOMEM, "discretised: the paths need %.0f MB, at most %d MB are kept: take fewer --anchors",
                  paths / 1048576, MOST_BYTES >> 20);
    SONDE_FAIL_IF(layers > MOST_BYTES, err, SONDE_NOMEM, "value-zeroing, rollout: the layers need %.0f MB, at most %d MB are kept: take a "
                  "shorter prompt", layers / 1048576, MOST_BYTES >> 20);
    SONDE_FAIL_IF(flow > MOST_BYTES, err, SONDE_NOMEM, "conductance: the layers need %.0f MB, at most %d MB are kept: take fewer --layers "
                  "or a shorter prompt", flow / 1048576, MOST_BYTES >> 20);
    SONDE_FAIL_IF(masks > MOST_BYTES, err, SONDE_NOMEM, "lime, kernel-shap: the sets need %.0f MB, at most %d MB are kept: take fewer "
                  "--samples", masks / 1048576, MOST_BYTES >> 20);
    return SONDE_OK;
}

/* ---- rounds ---- */

/* A span's ends one after the other, else the steps of -n. */
static int64_t rounds_of(const attribution *a, const value *args) {
    return a->kind == ANSWERS_SPAN ? a->n_sides : args[ATTRIBUTE_N].i;
}

static void next_round(attribution *a, int64_t round) {
    if (a->kind == ANSWERS_SPAN) {
        a->answer[0] = (attribute_answer){ .position = a->position_given ? a->position : -1, .token = a->side[round] };
        return;
    }
    if (a->answer[0].token >= 0) a->tokens[a->n] = a->answer[0].token;      /* a dry run has none */
    a->n++;
    a->position = a->n - 1;
    a->answer[0] = (attribute_answer){ .position = a->position, .token = -1 };
}

static sonde_status attribute_rounds(attribution *a, int64_t count, sonde_result *out, sonde_error *err) {
    attribute_tables t;
    attribute_tables_make(&t, a, out, count);
    for (int64_t round = 0; round < count; round++) {
        if (round) next_round(a, round);
        const sonde_status s = attribute_step(a, count, err);
        if (s == SONDE_OK || s == SONDE_CANCELLED) attribute_put(&t, a, round);
        attribute_step_close(a);
        SONDE_TRY(s);
    }
    return SONDE_OK;
}

/* ---- --dry-run ---- */

/* `n` times what one run of `want` costs where the site is set. */
static sonde_status add_cost(attribution *a, const sonde_want *want, int64_t n, sonde_cost *all, sonde_error *err) {
    const sonde_context *cx = a->cx;
    const sonde_prompt base = attribute_prompt(a);
    const sonde_edit **list = ROOM(const sonde_edit *, cx->n_edits + 1);
    sonde_edit *own = NULL;
    char edit[200];
    snprintf(edit, sizeof edit, "zero:%s", a->site);
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
    for (int64_t round = 0; round < count; round++) {
        if (round) next_round(a, round);
        const int64_t plain = attribute_runs(a, a->n, false), slopes = attribute_runs(a, a->n, true);
        SONDE_TRY(attribute_make_metric(a, err));
        const sonde_want metric = { .kind = SONDE_WANT_METRIC, .metric = a->metric };
        const sonde_want slope = { .kind = SONDE_WANT_GRAD, .sites = a->site, .metric = a->metric };
        SONDE_TRY(add_cost(a, &metric, plain, &all, err));
        if (slopes) SONDE_TRY(add_cost(a, &slope, slopes, &all, err));
        attribute_step_close(a);
        runs += plain + slopes;
    }
    dry_cost(out, runs, all);
    return SONDE_OK;
}

/* ---- the method ---- */

extern const method method_attribute;

static sonde_status attribute_all(attribution *a, const value *args, sonde_result *out, sonde_error *err) {
    const attribute_places places = { args[ATTRIBUTE_SITE].text, args[ATTRIBUTE_LAYERS].text, &params[ATTRIBUTE_SITE],
                                      &params[ATTRIBUTE_LAYERS] };
    SONDE_TRY(read_words(a, args, err));
    SONDE_TRY(attribute_read_model(a, &places, err));
    SONDE_TRY(read_sequence(a, args, err));
    SONDE_TRY(check_room(a, err));
    SONDE_TRY(prompt_runs_open(&a->runs, a->cx, 0, err));
    SONDE_TRY(attribute_baseline(a, args[ATTRIBUTE_BASELINE].text, err));
    const int64_t count = rounds_of(a, args);
    return a->cx->dry_run ? dry(a, count, out, err) : attribute_rounds(a, count, out, err);
}

static void layers_free(attribute_layers *l) {
    for (int64_t i = 0; i < l->n; i++) free(l->at[i].name);
    free(l->at);
}

static sonde_status attribute_method(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(cx->model);
    attribution a = { .cx = cx, .wide = info->d, .v = info->vocab };
    context_head(cx, &method_attribute, out);
    const sonde_status s = attribute_all(&a, args, out, err);
    attribute_step_close(&a);
    prompt_runs_close(&a.runs);
    layers_free(&a.layer);
    layers_free(&a.stage);
    free(a.site);
    free(a.frame);
    free(a.tokens);
    free(a.answer);
    free(a.baseline);
    free(a.vocabulary);
    return s;
}

const method method_attribute = {
    .name = "attribute",
    .summary = "which tokens of the prompt made the model answer so: gradients, paths, occlusion, attention, surrogates, layers",
    .reference = "ig: Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, 2017; sequential-ig: Enguehard, Sequential "
                 "Integrated Gradients, 2023; discretised: Sanyal and Ren, Discretized Integrated Gradients for Explaining Language "
                 "Models, 2021; gradient: Simonyan, Vedaldi and Zisserman, Deep Inside Convolutional Networks, 2014; occlusion: Zeiler "
                 "and Fergus, Visualizing and Understanding Convolutional Networks, 2014; value-zeroing: Mohebbi et al., Quantifying "
                 "Context Mixing in Transformers, 2023; rollout: Abnar and Zuidema, Quantifying Attention Flow in Transformers, 2020; "
                 "lime: Ribeiro, Singh and Guestrin, Why Should I Trust You?, 2016; kernel-shap: Lundberg and Lee, A Unified Approach "
                 "to Interpreting Model Predictions, 2017; conductance: Dhamdhere, Sundararajan and Yan, How Important Is a Neuron?, 2019",
    .formula = "F: the metric as a function of the rows of --site at all positions; x: those of the run; b: those of the run whose token "
               "embeddings (hook_embed) are the baseline's, pad: [CLS] and [SEP] their own, all others those of padding; positions and "
               "types stay. score of token t: ig: sum_j (x_tj - b_j) times the integral over a in [0, 1] of dF/dx_tj at "
               "b + a (x - b); sequential-ig: the same with t alone on the path, all others at x; discretised: the same on a path from x over "
               "--anchors corners to b, --steps points in all spread evenly over its legs; the next corner of a position is made from the "
               "--neighbours tokens nearest to the last one chosen (none twice, not the baseline): each embedding keeps its numbers that "
               "lie between the last corner and b, the others go one of the legs left towards b, and the one changed least is taken "
               "(greedy); gradient: times_input g_t . x_t, beside norm |g_t|_2 and sum sum_j g_tj; occlusion: F(x) minus F with the "
               "window at b, mean over the windows that hold t; value-zeroing: cosine distance of a block's output with and without the "
               "values (hook_v) of s, rows divided by their sums, multiplied over layers, the row of --position; rollout: the same of "
               "0.5 A + 0.5 I, A the mean pattern of the heads; lime: ridge regression (penalty 1) of F on which tokens stay, weights "
               "exp(-(100 D / 25)^2 / 2), D the cosine distance from the whole prompt; kernel-shap: Shapley values of F with absent "
               "tokens at b, all sets up to 11 tokens, else drawn pairs. conductance: of each number h of a block's output the integral of "
               "dF/dh dh on the way from b to x; gauss-legendre: sum over --steps + 1 nodes of (h[i+1] - h[i]) times the gradient at "
               "node i, as captum has it; trapezoid: times the mean of both gradients; score of token t: sum over its row; "
               "entropy_bits: -sum p log2 p of the histogram of one row, the same --bins for all layers. top: the largest scores. share: score over the norm of --normalise. completeness: sum of "
               "scores beside F(x) - F(b), gap their difference, gap_share over |F(x) - F(b)|. agreement: Spearman's rho, Kendall's "
               "tau-b of two methods' scores. DeepLIFT's rescale rule is left out: it needs a rule for every product and norm of the "
               "model, not its gradient",
    .example = "attribute \"When Mary and John went to the store, John gave a drink to\" --method ig,occlusion,conductance",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | TAKES_EDITS,
    .run = attribute_method,
};
