/* Whose answer is explained: the next token, what fills the masks, a label, both ends of a span, or a given text. */
#include "answer_spans.h"
#include "method_attribute.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

const char *const attribute_side_name[SPAN_SIDES] = { "start", "end" };

enum { LONGEST_SPAN = 15 };             /* tokens: what transformers' pipeline takes */

bool attribute_in_frame(const attribution *a, int32_t id) {
    for (int64_t i = 0; i < a->n_frame; i++)
        if (a->frame[i] == id) return true;
    return false;
}

/* Ids that the tokenizer puts around a text, whatever the text; none where there is no tokenizer. */
static void read_frame(attribution *a) {
    sonde_tokens t = { 0 };
    if (sonde_tokenize(a->cx->model, "a", 1, (sonde_token_options){ 0 }, &t, NULL) != SONDE_OK) return;
    a->frame = ROOM(int32_t, t.n);
    for (int64_t i = 0; i < t.n; i++)
        if (t.start[i] < 0 && !attribute_in_frame(a, t.id[i])) a->frame[a->n_frame++] = t.id[i];
    sonde_tokens_free(&t);
}

/* ---- what is asked ---- */

static sonde_status read_label(attribution *a, const char *text, int32_t *out, sonde_error *err) {
    char *end;
    *out = -1;
    if (!*text) return SONDE_OK;
    SONDE_FAIL_IF(a->kind == ANSWERS_NEXT || a->kind == ANSWERS_MASKS, err, SONDE_USAGE,
                  "label: the model answers with tokens, expected --metric or --target-text");
    SONDE_FAIL_IF(*a->metric_text, err, SONDE_USAGE, "metric and label: expected one of them, each says what is explained");
    if (a->kind == ANSWERS_SPAN) {
        for (int i = 0; i < SPAN_SIDES; i++)
            if (!strcmp(text, attribute_side_name[i])) *out = i;
        SONDE_FAIL_IF(*out < 0, err, SONDE_USAGE, "label: found \"%.40s\", expected start or end (of the answer's span)", text);
        return SONDE_OK;
    }
    const int64_t labels = sonde_model_describe(a->cx->model)->labels;
    for (int32_t i = 0; i < labels && *out < 0; i++)
        if (!strcmp(text, sonde_model_label(a->cx->model, i))) *out = i;
    if (*out >= 0) return SONDE_OK;
    const long id = text[0] == '#' ? strtol(text + 1, &end, 10) : -1;
    SONDE_FAIL_IF(id < 0 || end == text + 1 || *end || id > INT32_MAX, err, SONDE_USAGE, "label: found \"%.40s\", expected #0, #1, .. or a name%s%s",
                  text, labels ? ", as " : "", labels ? sonde_model_label(a->cx->model, 0) : "");
    *out = (int32_t)id;
    return SONDE_OK;
}

static sonde_status check_kind(const attribution *a, const attribute_target *t, sonde_error *err) {
    const bool writes = a->kind == ANSWERS_NEXT;
    SONDE_FAIL_IF(*a->metric_text && *t->text, err, SONDE_USAGE,
                  "metric and target-text: expected one of them, each says what is explained");
    SONDE_FAIL_IF(!writes && t->steps > 1, err, SONDE_USAGE, "n: an encoder writes no text, expected 1");
    SONDE_FAIL_IF(t->steps > 1 && *t->text, err, SONDE_USAGE,
                  "n and target-text: expected one of them, n writes the model's own continuation");
    SONDE_FAIL_IF(t->steps > 1 && a->position_given && t->at != -1, err, SONDE_USAGE,
                  "n and position: expected one of them, n asks for the last position of every step");
    SONDE_FAIL_IF(*t->text && !writes && a->kind != ANSWERS_MASKS, err, SONDE_USAGE,
                  "target-text: the model does not answer with tokens, expected --label or --metric");
    SONDE_FAIL_IF(*t->text && a->kind == ANSWERS_MASKS && a->position_given, err, SONDE_USAGE,
                  "target-text and position: expected one of them, a masked LM's text stands at the masks");
    return SONDE_OK;
}

static sonde_status read_tokens(attribution *a, const attribute_target *t, sonde_tokens *target, sonde_error *err) {
    const sonde_tokens *p = &a->cx->prompts[0].tokens;
    const int64_t context = sonde_model_describe(a->cx->model)->context;
    sonde_token_options plain = a->cx->tokenize;
    plain.bos = SONDE_BOS_NO;
    if (*t->text) SONDE_TRY(sonde_tokenize(a->cx->model, t->text, strlen(t->text), plain, target, err));
    const bool    appends = target->n && a->kind == ANSWERS_NEXT;
    const int64_t most = p->n + (appends ? target->n : t->steps) - 1;
    a->of_text = target->n > 0;
    a->tokens = ROOM(int32_t, most);
    memcpy(a->tokens, p->id, (size_t)p->n * sizeof *p->id);
    for (int64_t i = p->n; i < most; i++) a->tokens[i] = appends ? target->id[i - p->n] : p->id[p->n - 1];
    a->prompt = p->n;
    a->n = appends ? most : p->n;
    SONDE_FAIL_IF(most > context, err, SONDE_USAGE, "%" PRId64 " positions are needed, the context holds %" PRId64, most, context);
    return SONDE_OK;
}

static int64_t next_mask(const attribution *a, int64_t from) {
    const int32_t mask = sonde_model_describe(a->cx->model)->mask;
    while (from < a->n && (mask < 0 || a->tokens[from] != mask)) from++;
    return from;
}

static sonde_status read_position(attribution *a, int64_t at, sonde_error *err) {
    a->position = at < 0 ? at + a->n : at;
    if (!a->position_given && a->kind == ANSWERS_LABELS) a->position = 0;
    if (!a->position_given && a->kind == ANSWERS_MASKS) {
        const int64_t mask = next_mask(a, 0);
        if (mask < a->n) a->position = mask;
        SONDE_FAIL_IF(mask == a->n && !*a->metric_text, err, SONDE_USAGE,
                      "the prompt has no mask token, expected one, or --position or --metric");
    }
    SONDE_FAIL_IF(a->position < 0 || a->position >= a->n, err, SONDE_USAGE, "position: %" PRId64 " is outside 0..%" PRId64
                  " (or %" PRId64 "..-1 from the end)", at, a->n - 1, -a->n);
    SONDE_FAIL_IF(a->kind == ANSWERS_LABELS && a->position, err, SONDE_USAGE, "position: labels are read at row 0 alone, found %" PRId64, at);
    return SONDE_OK;
}

/* A token a mask, or one behind the other. */
static sonde_status answers_of_text(attribution *a, const sonde_tokens *target, sonde_error *err) {
    int64_t at = -1;
    for (int64_t i = 0; i < target->n; i++) {
        at = a->kind == ANSWERS_NEXT ? a->prompt - 1 + i : next_mask(a, at + 1);
        SONDE_FAIL_IF(at >= a->n, err, SONDE_USAGE, "target-text: %" PRId64 " tokens, the prompt has %" PRId64 " mask tokens", target->n, i);
        a->answer[i] = (attribute_answer){ .position = at, .token = target->id[i] };
    }
    SONDE_FAIL_IF(a->kind == ANSWERS_MASKS && next_mask(a, at + 1) < a->n, err, SONDE_USAGE,
                  "target-text: %" PRId64 " tokens, the prompt has more mask tokens", target->n);
    return SONDE_OK;
}

/* A metric of one's own is one round; without it each side of the span is. */
static void answers_of_span(attribution *a, int32_t side) {
    const bool whole = *a->metric_text != 0;
    for (int i = 0; i < SPAN_SIDES; i++) {
        if (side < 0 || side == i) a->side[a->n_sides++] = i;
        a->answer[i] = (attribute_answer){ .position = a->position_given ? a->position : -1, .token = i };
    }
    a->n_answers = whole ? SPAN_SIDES : 1;
    if (whole) a->n_sides = 1;
    else a->answer[0].token = a->side[0];
}

sonde_status attribute_read_target(attribution *a, const attribute_target *t, sonde_error *err) {
    sonde_tokens target = { 0 };
    int32_t      label;
    read_frame(a);
    SONDE_TRY(check_kind(a, t, err));
    SONDE_TRY(read_label(a, t->label, &label, err));
    sonde_status s = read_tokens(a, t, &target, err);
    if (s == SONDE_OK) s = read_position(a, t->at, err);
    a->n_answers = a->of_text ? target.n : 1;
    a->answer = ROOM(attribute_answer, a->n_answers + 1);
    a->answer[0] = (attribute_answer){ .position = a->position, .token = label };
    if (s == SONDE_OK && a->of_text) s = answers_of_text(a, &target, err);
    if (a->kind == ANSWERS_SPAN) answers_of_span(a, label);
    sonde_tokens_free(&target);
    return s;
}

/* ---- what the run answers ---- */

sonde_status attribute_take_logits(attribution *a, const sonde_answer *x, sonde_error *err) {
    const int64_t v = x->value.dim[1];
    if (a->kind == ANSWERS_SPAN) {
        memcpy(a->sides + x->first * SPAN_SIDES, x->value.data, SPAN_SIDES * sizeof(float));
        return SONDE_OK;
    }
    for (int64_t i = 0; i < a->n_answers; i++) {
        attribute_answer *y = &a->answer[i];
        if (y->position != x->first) continue;
        const sonde_logit_stats s = sonde_logits_stats(x->value.data, v);
        if (y->token < 0) y->token = s.argmax;
        SONDE_FAIL_IF(y->token >= v, err, SONDE_USAGE, "label: #%d of %" PRId64 ", expected #0 to #%" PRId64, (int)y->token, v, v - 1);
        y->logit = (double)x->value.data[y->token];
        y->prob = sonde_logit_prob(x->value.data[y->token], &s);
    }
    return SONDE_OK;
}

/* The second text of a pair, else the last stretch of tokens between those of the tokenizer. */
static void find_context(const attribution *a, uint8_t *inside) {
    const int32_t *text = a->cx->prompts[0].tokens.text;
    int64_t found = 0, end = a->n;
    for (int64_t i = 0; text && i < a->n; i++) found += inside[i] = text[i] == 1;
    if (found) return;
    while (end > 0 && attribute_in_frame(a, a->tokens[end - 1])) end--;
    if (end == 0) end = a->n;
    do inside[--end] = 1;
    while (end > 0 && !attribute_in_frame(a, a->tokens[end - 1]));
}

/* The span whose ends' probabilities have the largest product. */
static void best_span(const attribution *a, int64_t best[SPAN_SIDES]) {
    uint8_t *inside = ROOM(uint8_t, a->n);
    double  *start = ROOM(double, a->n), *end = ROOM(double, a->n);
    answer_span found[2] = { { 0 } };
    find_context(a, inside);
    span_probs(a->sides, SPAN_START, inside, a->n, start);
    span_probs(a->sides, SPAN_END, inside, a->n, end);
    spans_best(&(span_query){ start, end, inside, a->n, LONGEST_SPAN }, 1, found);
    best[SPAN_START] = found[0].start;
    best[SPAN_END] = found[0].end;
    free(inside);
    free(start);
    free(end);
}

void attribute_choose_span(attribution *a) {
    int64_t best[SPAN_SIDES];
    float  *column = ROOM(float, a->n);
    best_span(a, best);
    for (int64_t i = 0; i < a->n_answers; i++) {
        attribute_answer *y = &a->answer[i];
        if (y->position < 0) y->position = best[y->token];
        for (int64_t t = 0; t < a->n; t++) column[t] = a->sides[t * SPAN_SIDES + y->token];
        y->logit = (double)column[y->position];
        y->prob = sonde_logits_prob(column, a->n, (int32_t)y->position);
        if (i == 0) a->position = y->position;
    }
    free(column);
}

/* ---- as a metric ---- */

sonde_status attribute_make_metric(attribution *a, sonde_error *err) {
    const method_prompt *p = &a->cx->prompts[0];
    const size_t room = strlen(a->metric_text) + 64 * (size_t)a->n_answers;
    size_t used = 0;
    a->metric_shown = ROOM(char, room);
    if (*a->metric_text) snprintf(a->metric_shown, room, "%s", a->metric_text);
    for (int64_t i = 0; i < a->n_answers && !*a->metric_text; i++) {
        char token[24] = "argmax";
        if (a->answer[i].token >= 0) snprintf(token, sizeof token, "#%d", (int)a->answer[i].token);
        used += (size_t)snprintf(a->metric_shown + used, room - used, "%s%s(%s,%" PRId64 ")", i ? "+" : "",
                                 a->of_text ? "logprob" : "logit", token, a->answer[i].position > 0 ? a->answer[i].position : 0);
    }
    return sonde_metric_parse(&a->metric, a->cx->model, a->metric_shown, p->answer, p->wrong, err);
}
