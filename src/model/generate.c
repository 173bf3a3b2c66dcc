/* Generation: every prompt is a lane with its cache; each step adds one row to each. Where an edit reads run A, the
 * unedited run goes along on the same tokens, one step ahead. */
#include "generate_parts.h"
#include "kernel/exact.h"
#include "logit_sums.h"
#include "sonde/logits.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static sonde_status newest_row(void *user, int64_t position, const float *logits, sonde_error *err) {
    (void)err;
    writing *w = user;
    if (position == w->last_row) memcpy(w->logits, logits, (size_t)w->of.r->session->model->config.vocab * sizeof *logits);
    return SONDE_OK;
}

/* ---- opening ---- */

static sonde_status open_plain(generation *g, writing *w, edit_list edits, sonde_error *err) {
    const arch_config *c = &g->session->model->config;
    place_list read;
    SONDE_TRY(edits_read(g->memory, c, edits, "A", &read, err));
    if (!read.n) return SONDE_OK;
    const capture_wants want = { .at = read.at, .n = read.n };
    SONDE_TRY(bind_edits(g->memory, c, &(bound_prompt){ .of = { w->reads[0], w->reads[1] } }, &w->plain.plan, err));
    w->kept = capture_new(c, w->reads);
    SONDE_TRY(capture_keep(w->kept, c, &w->plain.plan.run, want, &g->runs.budget, err));
    g->runs.base[w->of.base] = w->kept;
    for (size_t i = 0; i < want.n; i++) {
        lane_flags(&w->plain, want.at[i].slot)[want.at[i].site] |= FLAG_KEEP;
        lane_looks_at(&w->plain, want.at[i]);
    }
    w->plain.keep = (watcher){ capture_see, w->kept };
    lane_stop_early(&w->plain);
    SONDE_TRY(lane_open(g->session, &w->plain, w->reads, err));
    lane *const lanes[1] = { &w->plain };
    return lanes_run(g->session, lanes, 1, &w->n_prompt, CHUNK_ROWS, err);
}

static sonde_status open_edited(generation *g, writing *w, edit_list edits, sonde_error *err) {
    const bound_prompt p = { .edits = edits, .of = { w->reads[0], w->reads[1] }, .seed = g->o->seed,
                             .runs = runs_for_edits(&w->of) };
    SONDE_TRY(bind_edits(g->memory, &g->session->model->config, &p, &w->edited.plan, err));
    for (size_t i = 0; i < w->edited.plan.n_edits; i++)
        lane_flags(&w->edited, w->edited.plan.edit[i].at.slot)[w->edited.plan.edit[i].at.site] |= FLAG_EDIT;
    w->edited.row = &w->last_row;
    w->edited.n_rows = 1;
    w->edited.on_row = newest_row;
    w->edited.row_user = w;
    lane_stop_early(&w->edited);
    return lane_open(g->session, &w->edited, w->reads, err);
}

/* The tokens that go on are those of the last stack. */
static sonde_status open_prompt(generation *g, const sonde_prompt *p, edit_list edits, writing *w, sonde_error *err) {
    const arch_config *c = &g->session->model->config;
    positions *own = &w->reads[STACK_MAIN];
    SONDE_FAIL_IF(c->bidirectional || !(c->head & HEAD_LM), err, SONDE_UNSUPPORTED,
                  "%s: an encoder or a model without head writes no text, expected a language model", g->session->model->info.name);
    SONDE_TRY(prompt_read(g->session->model, p, w->reads, err));
    const int64_t n = own->length, length = g->o->n ? n + g->o->n - 1 : n;
    SONDE_FAIL_IF(length > arch_context(c), err, SONDE_USAGE,
                  "prompt %zu has %lld tokens and %lld are to follow: %lld positions, the context holds %lld", w->index,
                  (long long)n, (long long)g->o->n, (long long)length, (long long)arch_context(c));
    w->tokens = arena_new_array(g->memory, int32_t, (size_t)(n + g->o->n) + 1);
    w->logits = arena_new_array(g->memory, float, (size_t)arch_answers(c));
    memcpy(w->tokens, own->tokens, (size_t)n * sizeof *w->tokens);
    w->n = w->n_prompt = n;
    *own = (positions){ .tokens = w->tokens, .prompt = n, .length = length };
    SONDE_TRY(open_plain(g, w, edits, err));
    return open_edited(g, w, edits, err);
}

/* ---- one step ---- */

static void remember(generation *g, writing *w, int32_t id) {
    size_t      len;
    const char *bytes = sonde_token_bytes(g->session->model, id, &len);
    if (w->text_len + len + 1 > w->text_cap) {
        w->text_cap = 2 * (w->text_cap + len) + 64;
        char *more = arena_alloc(g->memory, w->text_cap);
        if (w->text_len) memcpy(more, w->text, w->text_len);
        w->text = more;
    }
    if (len) memcpy(w->text + w->text_len, bytes, len);
    w->text_len += len;
    w->text[w->text_len] = 0;
}

static bool text_holds(const writing *w, const char *stop) {
    const size_t n = strlen(stop);
    for (size_t i = 0; n && i + n <= w->text_len; i++)
        if (!memcmp(w->text + i, stop, n)) return true;
    return false;
}

static bool ends(const generation *g, const writing *w, int32_t id) {
    if (w->n - w->n_prompt >= g->o->n) return true;
    if (!g->o->ignore_eos && id == g->session->model->info.eos) return true;
    for (size_t i = 0; i < g->o->n_stop; i++)
        if (text_holds(w, g->o->stop[i])) return true;
    return false;
}

void generate_force(const generation *g, float *logits, int64_t n, int64_t written) {
    const arch_config *c = &g->session->model->config;
    const int32_t      id = n == 1 && c->encoder ? c->forced_bos : written == g->o->n - 1 ? c->forced_eos : -1;
    if (id < 0) return;
    for (int64_t i = 0; i < c->vocab; i++) logits[i] = i == id ? 0 : -INFINITY;
}

sonde_status generate_report(generation *g, writing *w, int32_t id, sonde_error *err) {
    const int64_t v = g->session->model->config.vocab;
    const size_t  n = sonde_logits_top(w->logits, v, (size_t)g->o->alternatives, g->other);
    const sonde_logit_stats s = sonde_logits_stats(w->logits, v);
    for (size_t i = 0; i < n; i++) g->other_prob[i] = sonde_logit_prob(w->logits[g->other[i]], &s);
    const sonde_generated x = { .prompt = w->index, .position = w->n - 1, .id = id,
                                .prob = sonde_logit_prob(w->logits[id], &s), .alternative = g->other,
                                .alternative_prob = g->other_prob, .n_alternatives = n, .last = w->done, .score = w->score };
    return g->fn(&x, g->user, err);
}

static sonde_status choose_token(generation *g, writing *w, sonde_error *err) {
    const int64_t v = g->session->model->config.vocab;
    generate_force(g, w->logits, w->n, w->n - w->n_prompt);
    const int32_t id = sample(g->o, w->logits, v, w->index, (uint64_t)w->n, g->room);
    SONDE_FAIL_IF(id < 0, err, SONDE_FORMAT, "every logit of position %lld is NaN: nothing can be chosen", (long long)w->n - 1);
    w->tokens[w->n++] = id;
    remember(g, w, id);
    w->done = ends(g, w, id);
    return generate_report(g, w, id, err);
}

/* All prompts that go on, one row further: their plain runs first. */
static sonde_status advance(generation *g, bool plain, sonde_error *err) {
    int n = 0;
    for (size_t i = 0; i < g->n; i++) {
        writing *w = &g->w[i];
        if (w->done || (plain && !w->kept)) continue;
        w->last_row = w->n - 1;
        g->goal[n] = w->n;
        g->lanes[n++] = plain ? &w->plain : &w->edited;
    }
    return n ? lanes_run(g->session, g->lanes, n, g->goal, CHUNK_ROWS, err) : SONDE_OK;
}

static sonde_status write_all(generation *g, sonde_error *err) {
    for (bool more = true; more;) {
        SONDE_TRY(advance(g, true, err));
        SONDE_TRY(advance(g, false, err));
        more = false;
        for (size_t i = 0; i < g->n; i++) {
            if (g->w[i].done) continue;
            SONDE_TRY(choose_token(g, &g->w[i], err));
            more |= !g->w[i].done;
        }
    }
    return SONDE_OK;
}

static sonde_status check(const sonde_sampling *o, sonde_error *err) {
    SONDE_FAIL_IF(o->n < 0, err, SONDE_USAGE, "n: %lld tokens", (long long)o->n);
    SONDE_FAIL_IF(!(o->temperature >= 0) || isinf(o->temperature), err, SONDE_USAGE, "temperature: %g, expected 0 or above",
                  o->temperature);
    SONDE_FAIL_IF(o->alternatives < 0, err, SONDE_USAGE, "alternatives: %lld", (long long)o->alternatives);
    SONDE_FAIL_IF(o->top_k < 0, err, SONDE_USAGE, "top-k: %lld, expected 0 or above", (long long)o->top_k);
    SONDE_FAIL_IF(!(o->top_p >= 0 && o->top_p <= 1), err, SONDE_USAGE, "top-p: %g is outside 0..1", o->top_p);
    SONDE_FAIL_IF(!(o->min_p >= 0 && o->min_p <= 1), err, SONDE_USAGE, "min-p: %g is outside 0..1", o->min_p);
    SONDE_FAIL_IF(o->beams < 0 || o->beams > MOST_BEAMS, err, SONDE_USAGE, "num-beams: %lld is outside 0..%d",
                  (long long)o->beams, MOST_BEAMS);
    if (o->beams < 2) return SONDE_OK;
    SONDE_FAIL_IF(!isfinite(o->length_penalty), err, SONDE_USAGE, "length-penalty: %g", o->length_penalty);
    SONDE_FAIL_IF(o->temperature > 0 || o->top_k || o->top_p > 0 || o->min_p > 0, err, SONDE_USAGE,
                  "num-beams: beams are not drawn, expected no temperature, top-k, top-p or min-p");
    SONDE_FAIL_IF(o->n_stop, err, SONDE_USAGE, "num-beams: beams end at the end token, expected no stop text");
    return SONDE_OK;
}

static sonde_status generate(generation *g, const sonde_writing *from, sonde_error *err) {
    for (size_t i = 0; i < g->n; i++) {
        g->w[i].index = from->first + i;
        g->w[i].of = (runs_of_base){ &g->runs, (int)i };
        SONDE_TRY(open_prompt(g, &from->prompts[i], (edit_list){ from->edits, from->n_edits }, &g->w[i], err));
    }
    if (from->sampling.beams < 2) return from->sampling.n ? write_all(g, err) : SONDE_OK;
    for (size_t i = 0; i < g->n && from->sampling.n; i++) SONDE_TRY(beams_write(g, &g->w[i], err));
    return SONDE_OK;
}

sonde_status sonde_generate(sonde_session *s, const sonde_writing *from, sonde_generated_fn fn, void *user, sonde_error *err) {
    SONDE_TRY(check(&from->sampling, err));
    const workspace_mark here = workspace_here(s->memory);
    const sonde_variant  edited = { 0, from->edits, from->n_edits };
    /* no base: run A is not one run of the prompt here, it goes along */
    const sonde_batch b = { .bases = from->prompts, .variants = &edited, .n_variants = 1, .runs = from->runs,
                            .n_runs = from->n_runs };
    generation g = { .session = s, .o = &from->sampling, .fn = fn, .user = user, .memory = arena_new(), .n = from->n_prompts };
    g.w = arena_new_array(g.memory, writing, g.n + 1);
    g.room = arena_new_array(g.memory, candidate, (size_t)s->model->config.vocab);
    g.lanes = arena_new_array(g.memory, lane *, g.n + 1);
    g.goal = arena_new_array(g.memory, int64_t, g.n + 1);
    g.other = arena_new_array(g.memory, int32_t, (size_t)from->sampling.alternatives + 1);
    g.other_prob = arena_new_array(g.memory, double, (size_t)from->sampling.alternatives + 1);
    sonde_status status = batch_runs_open(&g.runs, s, &b, false, err);
    g.runs.base = arena_new_array(g.memory, sonde_capture *, g.n + 1);
    if (status == SONDE_OK) status = generate(&g, from, err);
    for (size_t i = 0; i < g.n; i++) sonde_capture_free(g.w[i].kept);
    batch_runs_close(&g.runs);
    arena_free(g.memory);
    workspace_release(s->memory, here);
    return status;
}
