/* Direct logit attribution: a logit, or a difference of logits, as the sum of what every part of the model wrote to the
 * residual stream (Elhage et al., A mathematical framework for transformer circuits, 2021; the stream as it grows:
 * nostalgebraist, interpreting GPT: the logit lens, 2020). */
#include "method_contributions.h"
#include "dry.h"
#include "room.h"
#include <stdio.h>

enum { SPLIT_METRIC, SPLIT_BY, SPLIT_POSITION };

static const param params[] = {
    [SPLIT_METRIC] = { "metric", PARAM_TEXT, "", 0, 0, "what is split: logit(T) terms times numbers at one position, "
                       "as logit(\" Mary\")-logit(\" John\"); without it logit(answer)-logit(wrong), logit(answer) or "
                       "logit(argmax)" },
    [SPLIT_BY] = { "by", PARAM_TEXT, "head", 0, 0, "layer: attention and MLP of each block; head: attention by heads; "
                                                   "neuron: MLPs by neurons, the --top largest of each; accumulated: "
                                                   "the stream after each part; position: the --top largest heads by "
                                                   "the positions they read" },
    [SPLIT_POSITION] = { "position", PARAM_INT, "-1", -1e9, 1e9, "where logits are read that name no position; -1 is the "
                                                                 "last" },
    { 0 },
};

static sonde_status read_by(const char *text, split_by *out, sonde_error *err) {
    static const char *const words[] = { "layer", "head", "neuron", "accumulated", "position" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(text, words[i])) {
            *out = (split_by)i;
            return SONDE_OK;
        }
    return sonde_fail(err, SONDE_USAGE, "by: \"%.40s\", expected layer, head, neuron, accumulated or position", text);
}

static sonde_status put_dry_site(const sonde_site *site, void *user, sonde_error *err) {
    (void)err;
    dry_site(user, site);
    return SONDE_OK;
}

static sonde_status put_dry(split *s, sonde_result *out, sonde_error *err) {
    sonde_site_query q = { NULL, s->cx->edits, s->cx->n_edits, (int64_t)s->cx->prompts[0].tokens.n, 0 };
    sonde_table *t = dry_sites(out);
    for (size_t i = 0; i < s->n_taps; i++) {
        q.pattern = s->tap[i].site;
        SONDE_TRY(sonde_sites(s->cx->model, &q, put_dry_site, t, err));
    }
    dry_cost(out, (int64_t)s->cx->n_prompts, s->cost);
    return SONDE_OK;
}

/* argmax is a token that the reader has not named. */
static void note_argmax(const split *s, sonde_result *out) {
    for (size_t i = 0; i < s->n_terms; i++) {
        if (!s->term[i].argmax || prompts_many(s->cx)) continue;
        char shown[128], text[200];
        const sonde_token t = context_token(s->cx, s->term[i].token);
        sonde_token_show(t.bytes, t.len, shown, sizeof shown);
        snprintf(text, sizeof text, "argmax is %s #%d, at position %lld", shown, (int)t.id, (long long)s->at);
        sonde_result_note(out, text);
        return;
    }
}

static sonde_status contributions_all(split *s, const value *args, sonde_result *out, sonde_error *err) {
    sonde_context *cx = s->cx;
    s->metric = args[SPLIT_METRIC].text;
    s->position = args[SPLIT_POSITION].i;
    s->position_given = args[SPLIT_POSITION].given;
    SONDE_TRY(read_by(args[SPLIT_BY].text, &s->by, err));
    SONDE_FAIL_IF(s->by == BY_POSITION && cx->n_prompts > 1, err, SONDE_USAGE, "by: position with %zu prompts, expected one",
                  cx->n_prompts);
    SONDE_TRY(split_outline(s, err));
    s->direction = ROOM(double, s->d);
    s->logits = ROOM(double, cx->n_prompts);
    s->sums = ROOM(double, cx->n_prompts);
    s->frozen = ROOM(double, s->n_parts);
    s->lens = ROOM(double, s->n_parts);
    for (s->prompt = 0; s->prompt < cx->n_prompts; s->prompt++) {
        const sonde_status status = split_measure(s, err);
        if (status != SONDE_OK && prompts_many(cx)) return sonde_fail_at(err, status, "prompt %zu", s->prompt);
        SONDE_TRY(status);
        if (!cx->dry_run) cx->progress(cx->progress_user, "prompts", (int64_t)s->prompt + 1, (int64_t)cx->n_prompts);
    }
    s->prompt = 0;
    if (cx->dry_run) return put_dry(s, out, err);
    note_argmax(s, out);
    split_put(s, out);
    return s->by == BY_POSITION ? split_put_sources(s, out, err) : SONDE_OK;
}

extern const method method_contributions;

static sonde_status contributions_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    split s = { .cx = cx };
    context_head(cx, &method_contributions, out);
    const sonde_status status = contributions_all(&s, args, out, err);
    split_close(&s);
    return status;
}

const method method_contributions = {
    .name = "contributions",
    .summary = "a logit split over what wrote to the stream: embeddings, heads, MLPs, neurons (direct logit attribution)",
    .reference = "Elhage et al., A Mathematical Framework for Transformer Circuits, 2021; the stream as it grows: "
                 "nostalgebraist, interpreting GPT: the logit lens, 2020",
    .formula = "The final norm is frozen: a part y of the stream's end x adds value = (y - mean(y)) / scale * w W_U . "
               "(weights of the metric's logits), scale and w the norm's own in this run (a norm that keeps the mean: "
               "y / scale). Heads: hook_result; b_O, b_out: biases of a part; neurons: hook_post times a row of W_out; "
               "edit: what edits changed in a sum; bias: the final norm's bias and b_U; share: value / logit; "
               "accumulated: the values so far; residual: logit - sum, rounding. Table accumulated: the stream after "
               "each part, frozen as above, lens: with its own norm. sources: pattern[t,s] v[s] W_O of a head. Several "
               "prompts: means; sd with n - 1",
    .example = "contributions \"When Mary and John went to the store, John gave a drink to\" "
               "--metric 'logit(\" Mary\")-logit(\" John\")'",
    .params = params,
    .takes = NEEDS_MODEL | NEXT_TOKENS | NEEDS_PROMPT | MANY_PROMPTS | TAKES_EDITS,
    .run = contributions_run,
};
