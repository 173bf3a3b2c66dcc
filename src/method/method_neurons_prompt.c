/* Neurons in a prompt: which ones write most at a position, what they raise, and what changes where some are switched
 * (Geva et al., LM-Debugger, 2022; here on values after the activation function, with explicit numbers). */
#include "method_neurons_prompt.h"
#include "dry.h"
#include "lookup.h"
#include "packs.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

/* ---- which values ---- */

static bool layer_chosen(const neuron_weights *w, int block) {
    for (size_t i = 0; i < w->n_layers; i++)
        if (w->layer[i] == block) return true;
    return false;
}

static acting_block *block_of(acting *r, const sonde_site *s) {
    const size_t len = strlen("blocks.") + strcspn(s->name + strlen("blocks."), ".");
    for (size_t i = 0; i < r->n; i++)
        if (strlen(r->block[i].name) == len && !strncmp(r->block[i].name, s->name, len)) return &r->block[i];
    r->block = room_grow(r->block, r->n, 1, sizeof *r->block);
    acting_block *b = &r->block[r->n++];
    *b = (acting_block){ .layer = s->block };
    snprintf(b->name, sizeof b->name, "%.*s", (int)len, s->name);
    return b;
}

static sonde_status add_site(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    acting *r = user;
    if (strncmp(s->name, "blocks.", 7) != 0 || !layer_chosen(r->w, s->block)) return SONDE_OK;
    if (name_ends_in(s->name, ".mlp.hook_post")) block_of(r, s)->acts = true;
    else if (name_ends_in(s->name, ".hook_resid_mid")) block_of(r, s)->mid = true;
    else if (name_ends_in(s->name, ".hook_resid_pre")) block_of(r, s);
    return SONDE_OK;
}

static const char *before_site(const acting_block *b) { return b->mid ? "hook_resid_mid" : "hook_resid_pre"; }

static void list_sites(const acting *r, packs *out) {
    char name[128];
    for (size_t i = 0; i < r->n; i++) {
        const acting_block *b = &r->block[i];
        snprintf(name, sizeof name, "%s.%s", b->name, before_site(b));
        packs_add(out, name);
        snprintf(name, sizeof name, "%s.hook_resid_post", b->name);
        packs_add(out, name);
        snprintf(name, sizeof name, "%s.mlp.hook_post", b->name);
        if (b->acts) packs_add(out, name);
    }
}

/* ---- a run ---- */

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    acting *r = user;
    const int64_t row = r->at - a->first;
    if (row < 0 || row >= a->value.dim[0]) return SONDE_OK;
    const sonde_site site = { .name = a->site };
    acting_block *b = block_of(r, &site);
    float *out = name_ends_in(a->site, ".hook_resid_post") ? b->after : name_ends_in(a->site,
                                                                                     ".mlp.hook_post") ? b->act : b->before;
    memcpy(out, a->value.data + row * a->value.dim[1], (size_t)a->value.dim[1] * sizeof *out);
    return SONDE_OK;
}

sonde_status acting_open(acting *r, sonde_cost *cost, sonde_error *err) {
    sonde_context     *cx = r->w->cx;
    const sonde_prompt p = context_prompt(cx, 0);
    packs        sites = { 0 };
    prompt_runs  runs = { 0 };
    SONDE_TRY(sonde_sites(cx->model, &(sonde_site_query){ NULL, r->edits, r->n_edits, p.n, 0 }, add_site, r, err));
    SONDE_FAIL_IF(!r->n, err, SONDE_USAGE, "neurons: every chosen layer is skipped");
    for (size_t i = 0; i < r->n; i++) {
        r->block[i].before = ROOM(float, r->w->d);
        r->block[i].after = ROOM(float, r->w->d);
        r->block[i].act = ROOM(float, r->w->f);
    }
    list_sites(r, &sites);
    sonde_want *want = ROOM(sonde_want, sites.n);
    for (size_t i = 0; i < sites.n; i++) want[i] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = sites.text[i] };
    sonde_status s = prompt_runs_open(&runs, cx, 0, err);
    const sonde_variant v = { 0, r->edits, r->n_edits };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want, .n_wants = sites.n,
                              .runs = runs.run, .n_runs = runs.n, .seed = cx->seed };
    if (s == SONDE_OK) s = cost ? sonde_variants_cost(cx->session, &b, cost, err)
                                : sonde_variants_run(cx->session, &b, take, r, err);
    prompt_runs_close(&runs);
    packs_free(&sites);
    free(want);
    return s;
}

void acting_close(acting *r) {
    for (size_t i = 0; i < r->n; i++) {
        free(r->block[i].before);
        free(r->block[i].after);
        free(r->block[i].act);
    }
    free(r->block);
}

/* ---- switches ---- */

typedef struct {
    acting      before;
    sonde_edit **made; size_t n_made;           /* of --off and --on */
    const sonde_edit **list;                    /* --edit, then those */
    const char  *where;
} switching;

static sonde_status read_neuron(const neuron_weights *w, const char *option, const char *text, long at[2],
                                sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(w->cx->model);
    char rest;
    SONDE_FAIL_IF(sscanf(text, "%ld.%ld%c", &at[0], &at[1], &rest) != 2, err, SONDE_USAGE,
                  "%s: \"%.40s\", expected LAYER.NEURON, "
                  "as 3.184", option, text);
    SONDE_FAIL_IF(at[0] < 0 || at[0] >= info->layers, err, SONDE_USAGE, "%s: layer %ld, expected 0 to %" PRId64, option,
                  at[0],
                  info->layers - 1);
    SONDE_FAIL_IF(at[1] < 0 || at[1] >= w->f, err, SONDE_USAGE, "%s: neuron %ld, expected 0 to %" PRId64, option, at[1],
                  w->f - 1);
    return SONDE_OK;
}

/* What "on" sets: the largest activation of the layer at the position, without edits. */
static double largest(const acting *r, long layer) {
    double most = 0;
    for (size_t i = 0; i < r->n; i++)
        for (int64_t k = 0; r->block[i].layer == layer && k < r->w->f; k++)
            if ((double)r->block[i].act[k] > most) most = (double)r->block[i].act[k];
    return most;
}

static sonde_status add_switches(switching *s, const char *option, const value *given, bool on, sonde_error *err) {
    const acting *r = &s->before;
    for (size_t i = 0; i < given->n; i++) {
        long at[2];
        char text[160], place[32] = ":";
        SONDE_TRY(read_neuron(r->w, option, given->list[i], at, err));
        SONDE_FAIL_IF(on && !layer_chosen(r->w, (int)at[0]), err, SONDE_USAGE, "%s: layer %ld is not among --layers",
                      option, at[0]);
        if (!strcmp(s->where, "last")) snprintf(place, sizeof place, "%" PRId64, r->at);
        snprintf(text, sizeof text, "set:blocks.%ld.mlp.hook_post[%s,%ld]=%.9g%s", at[0], place, at[1],
                 on ? largest(r, at[0]) : 0.0, !strcmp(s->where, "generated") ? "@generated" : "");
        SONDE_TRY(sonde_edit_parse(&s->made[s->n_made], r->w->cx->model, text, NULL, err));
        s->n_made++;
    }
    return SONDE_OK;
}

static sonde_status open_switches(switching *s, const value *args, sonde_error *err) {
    const sonde_context *cx = s->before.w->cx;
    s->where = args[NEURONS_WHERE].text;
    SONDE_FAIL_IF(strcmp(s->where, "last") != 0 && strcmp(s->where, "all") != 0 && strcmp(s->where, "generated") != 0, err,
                  SONDE_USAGE,
                  "where: \"%.40s\", expected last, all or generated", s->where);
    s->made = ROOM(sonde_edit *, args[NEURONS_OFF].n + args[NEURONS_ON].n);
    SONDE_TRY(add_switches(s, "off", &args[NEURONS_OFF], false, err));
    SONDE_TRY(add_switches(s, "on", &args[NEURONS_ON], true, err));
    s->list = ROOM(const sonde_edit *, cx->n_edits + s->n_made);
    for (size_t i = 0; i < cx->n_edits; i++) s->list[i] = cx->edits[i];
    for (size_t i = 0; i < s->n_made; i++) s->list[cx->n_edits + i] = s->made[i];
    return SONDE_OK;
}

static void close_switches(switching *s) {
    for (size_t i = 0; i < s->n_made; i++) sonde_edit_free(s->made[i]);
    free(s->made);
    free(s->list);
    acting_close(&s->before);
}

/* ---- the method ---- */

/* As notes: among the edits they would be made once more when the result is run again, beside --off and --on. */
static void note_switches(const switching *s, sonde_result *out) {
    char edit[200], text[220];
    for (size_t i = 0; i < s->n_made; i++) {
        sonde_edit_format(s->made[i], edit, sizeof edit);
        snprintf(text, sizeof text, "switch: %s", edit);
        sonde_result_note(out, text);
    }
}

static void put_dry(const neuron_weights *w, const acting *r, sonde_cost c, sonde_result *out) {
    sonde_table *t = dry_sites(out);
    char name[128];
    for (size_t i = 0; i < r->n; i++) {
        if (!r->block[i].acts) continue;
        snprintf(name, sizeof name, "%s.mlp.hook_post", r->block[i].name);
        dry_site(t, &(sonde_site){ .name = name, .axes = "t f", .rank = 2, .dim = { w->cx->prompts[0].tokens.n, w->f } });
    }
    dry_cost(out, 1, c);
}

static sonde_status show_runs(switching *s, const acting_tables *tables, size_t n, sonde_error *err) {
    SONDE_TRY(acting_put(&s->before, "A", tables, err));
    if (!n) return SONDE_OK;
    acting after = { .w = s->before.w, .at = s->before.at, .edits = s->list, .n_edits = n };
    sonde_status status = acting_open(&after, NULL, err);
    if (status == SONDE_OK) status = acting_put(&after, "edited", tables, err);
    acting_close(&after);
    return status;
}

static sonde_status show_all(switching *s, const value *args, sonde_result *out, sonde_error *err) {
    neuron_weights *w = s->before.w;
    const size_t n = w->cx->n_edits + s->n_made;
    acting_tables tables = acting_make(w, out);
    note_switches(s, out);
    const sonde_status status = show_runs(s, &tables, n, err);
    free(tables.told);
    SONDE_TRY(status);
    return args[NEURONS_N].i ? acting_texts(w, s->list, n, args[NEURONS_N].i, out, err) : SONDE_OK;
}

sonde_status neurons_prompt(neuron_weights *w, const value *args, sonde_result *out, sonde_error *err) {
    const int64_t n = w->cx->prompts[0].tokens.n, asked = args[NEURONS_POSITION].i;
    switching  s = { .before = { .w = w, .at = asked < 0 ? asked + n : asked } };
    sonde_cost c = { 0 };
    SONDE_FAIL_IF(s.before.at < 0 || s.before.at >= n, err, SONDE_USAGE, "position: %" PRId64 ", expected %" PRId64 " to %"
                  PRId64, asked,
                  -n, n - 1);
    sonde_status status = acting_open(&s.before, w->cx->dry_run ? &c : NULL, err);
    if (status == SONDE_OK) status = open_switches(&s, args, err);
    if (status == SONDE_OK && w->cx->dry_run) put_dry(w, &s.before, c, out);
    else if (status == SONDE_OK) status = show_all(&s, args, out, err);
    close_switches(&s);
    return status;
}
