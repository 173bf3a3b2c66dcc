/* What `attribute` must know of a model: what it answers with, where its embeddings lie, what its blocks write. */
#include "lookup.h"
#include "method_attribute.h"
#include "room.h"
#include <inttypes.h>

/* Which sites there are, of those that tell models apart. */
typedef struct {
    bool full_embed, normalized;
    bool masks, labels, span, next, pooled;
} parts;

static sonde_site_query sites_of(const attribution *a, const char *pattern) {
    return (sonde_site_query){ pattern, a->cx->edits, a->cx->n_edits, 1, 1 };
}

static sonde_status see_part(const sonde_site *s, void *user, sonde_error *err) {
    parts *p = user;
    (void)err;
    const struct { const char *name; bool *is; } rows[] = {
        { "hook_full_embed", &p->full_embed },      { "mlm_head.ln.hook_out", &p->masks },
        { "classifier.hook_out", &p->labels },      { "qa.hook_out", &p->span },
        { "unembed.hook_out", &p->next },           { "nsp_head.hook_nsp_out", &p->labels },
        { "pooler.hook_pooler_out", &p->pooled },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) *rows[i].is |= !strcmp(s->name, rows[i].name);
    p->normalized |= name_ends_in(s->name, ".hook_normalized_resid_post");
    return SONDE_OK;
}

/* ---- where x lies ---- */

typedef struct { attribution *a; int64_t found; bool no_gradient; char axes[16]; } site_search;

static sonde_status see_site(const sonde_site *s, void *user, sonde_error *err) {
    site_search *f = user;
    attribution *a = f->a;
    (void)err;
    if (f->found++) return SONDE_OK;
    a->site = room_text(s->name, strlen(s->name));
    a->rank = s->rank;
    a->d = 1;
    for (int i = 0; i < s->rank; i++) a->dim[i] = s->dim[i];
    for (int i = 1; i < s->rank; i++) a->d *= s->dim[i];
    f->no_gradient = s->no_gradient;
    strncpy(f->axes, s->axes, sizeof f->axes - 1);
    return SONDE_OK;
}

static sonde_status read_site(attribution *a, const attribute_places *p, bool full_embed, sonde_error *err) {
    site_search f = { .a = a };
    const sonde_site_query q = sites_of(a, *p->site ? p->site : full_embed ? "hook_full_embed" : "hook_embed");
    const sonde_status s = sonde_sites(a->cx->model, &q, see_site, &f, err);
    if (s != SONDE_OK) return *p->site ? sonde_fail_at(err, s, "%s", p->site_row->name) : s;
    SONDE_FAIL_IF(f.found != 1, err, SONDE_USAGE, "%s: %" PRId64 " sites match, expected one, as blocks.0.hook_resid_pre",
                  p->site_row->name, f.found);
    SONDE_FAIL_IF(f.axes[0] != 't' || strchr(f.axes, 's') || f.no_gradient, err, SONDE_USAGE,
                  "%s: %s has the axes \"%s\", expected a site with a row for each token and a gradient", p->site_row->name, a->site,
                  f.axes);
    SONDE_FAIL_IF(a->asked[WAY_DISCRETISED] && !a->all_ways && strcmp(a->site, "hook_embed") != 0, err, SONDE_USAGE,
                  "discretised: goes along embeddings of tokens, found --%s %s, expected hook_embed", p->site_row->name, a->site);
    if (a->asked[WAY_DISCRETISED] && strcmp(a->site, "hook_embed") != 0) {
        a->asked[WAY_DISCRETISED] = false;          /* of --method all */
        a->n_asked--;
    }
    return SONDE_OK;
}

/* ---- blocks ---- */

static void layers_add(attribute_layers *l, const char *name, size_t len, int block) {
    l->at = room_grow(l->at, (size_t)l->n, 1, sizeof *l->at);
    l->at[l->n++] = (attribute_layer){ room_text(name, len), block };
}

typedef struct { attribution *a; const long *layer; size_t n; bool passed; } stage_search;

static bool is_stage(const stage_search *f, const sonde_site *s) {
    const char *dot = strrchr(s->name, '.');
    if (!f->passed || s->block < 0 || !dot || strcmp(dot + 1, f->a->end) != 0) return false;
    for (size_t i = 0; i < f->n; i++)
        if (f->layer[i] == s->block) return true;
    return false;
}

/* Blocks' outputs from the site on: what is in front of it does not move. */
static sonde_status see_block(const sonde_site *s, void *user, sonde_error *err) {
    stage_search *f = user;
    attribution  *a = f->a;
    static const char pattern[] = ".attn.hook_pattern";
    (void)err;
    f->passed |= !strcmp(s->name, a->site);
    if (name_ends_in(s->name, pattern)) layers_add(&a->layer, s->name, strlen(s->name) - (sizeof pattern - 1), s->block);
    if (is_stage(f, s)) layers_add(&a->stage, s->name, strlen(s->name), s->block);
    return SONDE_OK;
}

static sonde_status read_blocks(attribution *a, const attribute_places *p, sonde_error *err) {
    const sonde_site_query every = sites_of(a, NULL);
    stage_search f = { .a = a };
    long *layer;
    SONDE_TRY(param_numbers(p->layers_row, p->layers, (long)sonde_model_describe(a->cx->model)->layers, &layer, &f.n, err));
    f.layer = layer;
    const sonde_status s = sonde_sites(a->cx->model, &every, see_block, &f, err);
    free(layer);
    SONDE_TRY(s);
    SONDE_FAIL_IF(!a->layer.n && (a->asked[WAY_ZEROING] || a->asked[WAY_ROLLOUT]), err, SONDE_USAGE,
                  "method: value-zeroing and rollout need attention, that of every block is skipped");
    SONDE_FAIL_IF(!a->stage.n && a->conductance, err, SONDE_USAGE,
                  "conductance: none of the asked layers runs behind %s, expected one", a->site);
    return SONDE_OK;
}

sonde_status attribute_read_model(attribution *a, const attribute_places *p, sonde_error *err) {
    const sonde_site_query every = sites_of(a, NULL);
    parts has = { 0 };
    SONDE_TRY(sonde_sites(a->cx->model, &every, see_part, &has, err));
    a->kind = has.masks ? ANSWERS_MASKS : has.span ? ANSWERS_SPAN : has.next ? ANSWERS_NEXT : ANSWERS_LABELS;
    SONDE_FAIL_IF(a->kind == ANSWERS_LABELS && !has.labels && !has.pooled, err, SONDE_UNSUPPORTED,
                  "%s has no head and answers nothing, expected a model with one", sonde_model_describe(a->cx->model)->name);
    SONDE_FAIL_IF(a->kind == ANSWERS_LABELS && !has.labels && !*a->metric_text, err, SONDE_USAGE,
                  "the model answers with the numbers of its pooler, expected --metric, as logit(#3)");
    a->end = has.normalized ? "hook_normalized_resid_post" : "hook_resid_post";
    SONDE_TRY(read_site(a, p, has.full_embed, err));
    return read_blocks(a, p, err);
}
