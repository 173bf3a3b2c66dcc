/* What writes to the residual stream, in the order of the run: found by the names of sites alone, so that parallel blocks,
 * skipped and repeated parts, and norms behind a part come out as they are. */
#include "method_contributions.h"
#include "room.h"
#include <stdio.h>

static size_t add_tap(split *s, const char *site, int64_t row) {
    s->tap = room_grow(s->tap, s->n_taps, 1, sizeof *s->tap);
    s->tap[s->n_taps] = (tapped){ .site = room_text(site, strlen(site)), .row = row };
    return s->n_taps++;
}

static part *add_part(split *s, part_kind kind, const char *word) {
    s->part = room_grow(s->part, s->n_parts, 1, sizeof *s->part);
    part *p = &s->part[s->n_parts++];
    *p = (part){ .kind = kind, .word = word, .block = -1 };
    return p;
}

/* "blocks.4r1.hook_attn_out": "blocks.4r1." into `out`, "4r1" into the part. */
static void place_part(part *p, const sonde_site *site, char *out, size_t n) {
    const char *number = strchr(site->name, '.') + 1;
    const size_t len = strcspn(number, ".");
    snprintf(p->label, sizeof p->label, "%.*s", (int)len, number);
    snprintf(out, n, "%.*s", (int)(number + len + 1 - site->name), site->name);
    p->block = site->block;
}

/* A name of the block that a site begins with, whichever turn of a repetition it is. */
static char *weight_name(const sonde_site *site, const char *rest) {
    char text[128];
    snprintf(text, sizeof text, "%.*s.%d.%s", (int)strcspn(site->name, "."), site->name, site->block, rest);
    return room_text(text, strlen(text));
}

typedef struct { split *s; sonde_site_query query; } walk;

static sonde_status is_there(const sonde_site *site, void *user, sonde_error *err) {
    (void)err;
    *(sonde_site *)user = *site;
    return SONDE_OK;
}

/* Is there this site in the run? Its axes and dims into `out`, whose name is not kept. */
static bool find_site(const walk *w, const char *prefix, const char *rest, sonde_site *out) {
    char name[128];
    sonde_error ignored;
    sonde_site_query q = w->query;
    snprintf(name, sizeof name, "%s%s", prefix, rest);
    q.pattern = name;
    *out = (sonde_site){ 0 };
    return sonde_sites(w->s->cx->model, &q, is_there, out, &ignored) == SONDE_OK && out->rank > 0;
}

static bool wants_heads(const split *s) { return s->by == BY_HEAD || s->by == BY_POSITION; }

/* A weight [.., d] with as many rows as the part has heads times width, or neurons. */
static bool weights_fit(split *s, const part *p, int64_t width) {
    sonde_weight_info w;
    if (weight_find(s->cx->model, p->weights, &w) == SIZE_MAX) return false;
    int64_t n = 1;
    for (int i = 0; i < w.rank; i++) n *= w.dim[i];
    return n == p->n * width * s->d;
}

/* The name of a bias; NULL where the model has none. */
static char *bias_name(const split *s, const sonde_site *site, const char *rest) {
    char *name = weight_name(site, rest);
    sonde_weight_info w;
    if (weight_find(s->cx->model, name, &w) != SIZE_MAX) return name;
    free(name);
    return NULL;
}

static void split_attention(const walk *w, part *p, const sonde_site *site, const char *prefix) {
    split     *s = w->s;
    sonde_site result, pattern, values;
    if (!find_site(w, prefix, "attn.hook_result", &result)) return;
    p->n = result.dim[1];
    p->weights = weight_name(site, "attn.W_O");
    p->split = true;
    char name[128];
    snprintf(name, sizeof name, "%sattn.hook_result", prefix);
    p->inner = add_tap(s, name, p->n * s->d);
    p->bias = bias_name(s, site, "attn.b_O");
    if (s->by != BY_POSITION) return;
    if (!weights_fit(s, p, s->e) || !find_site(w, prefix, "attn.hook_pattern", &pattern) ||
        !find_site(w, prefix, "attn.hook_v", &values)) {
        s->odd_weights = true;
        p->pattern = SIZE_MAX;
        return;
    }
    snprintf(name, sizeof name, "%sattn.hook_pattern", prefix);
    p->pattern = add_tap(s, name, 0);
    s->tap[p->pattern].keyed = true;
    s->tap[p->pattern].heads = p->n;
    snprintf(name, sizeof name, "%sattn.hook_v", prefix);
    p->values = add_tap(s, name, values.dim[1] * values.dim[2]);
    s->tap[p->values].every = true;
}

static void split_mlp(const walk *w, part *p, const sonde_site *site, const char *prefix) {
    split     *s = w->s;
    sonde_site post;
    p->weights = weight_name(site, "mlp.W_out");
    if (!find_site(w, prefix, "mlp.hook_post", &post) || post.rank != 2 || (p->n = post.dim[1], !weights_fit(s, p, 1))) {
        s->odd_weights = true;
        return;
    }
    char name[128];
    snprintf(name, sizeof name, "%smlp.hook_post", prefix);
    p->inner = add_tap(s, name, p->n);
    p->bias = bias_name(s, site, "mlp.b_out");
    p->split = true;
}

/* A norm between a part and the stream is not linear in the part's heads: it stays whole. */
static sonde_status add_writer(const walk *w, const sonde_site *site, part_kind kind, const char *word) {
    split     *s = w->s;
    char       prefix[96];
    sonde_site norm;
    const size_t tap = add_tap(s, site->name, s->d);
    part *p = add_part(s, kind, word);
    p->tap = tap;
    place_part(p, site, prefix, sizeof prefix);
    const bool attention = kind == WRITES_ATTENTION;
    if (kind == WRITES_CROSS || !(attention ? wants_heads(s) : s->by == BY_NEURON)) return SONDE_OK;
    if (find_site(w, prefix, attention ? "ln1_post.hook_scale" : "ln2_post.hook_scale", &norm)) s->post_norms = true;
    else if (attention) split_attention(w, p, site, prefix);
    else split_mlp(w, p, site, prefix);
    return SONDE_OK;
}

static void add_table(split *s, const sonde_site *site, const char *word) {
    const size_t tap = add_tap(s, site->name, s->d);
    part *p = add_part(s, WRITES_EMBED, word);
    p->tap = tap;
    snprintf(p->label, sizeof p->label, "%s", word);
}

/* A norm behind the tables: what it puts out is what the stream begins with. */
static void add_normed_tables(split *s, const sonde_site *site) {
    while (s->n_taps) free(s->tap[--s->n_taps].site);
    s->n_parts = 0;
    add_table(s, site, "embed");
}

static void add_state(split *s, const sonde_site *site, const char *word) {
    char prefix[96];
    const size_t tap = add_tap(s, site->name, s->d);
    part *p = add_part(s, IS_STATE, word);
    p->tap = tap;
    place_part(p, site, prefix, sizeof prefix);
}

static sonde_status add_site(const sonde_site *site, void *user, sonde_error *err) {
    const walk *w = user;
    split      *s = w->s;
    const char *name = site->name;
    if (!strncmp(name, "encoder.", 8)) return SONDE_OK;
    SONDE_FAIL_IF(name_ends_in(name, "hook_normalized_resid_post"), err, SONDE_UNSUPPORTED,
                  "contributions: %s norms the whole stream behind every block, so no part of it reaches the logits on "
                  "its own; "
                  "sweep measures what parts do", name);
    if (name_ends_in(name, ".hook_attn_out")) return add_writer(w, site, WRITES_ATTENTION, "attn");
    if (name_ends_in(name, ".hook_cross_attn_out")) return add_writer(w, site, WRITES_CROSS, "cross_attn");
    if (name_ends_in(name, ".hook_mlp_out")) return add_writer(w, site, WRITES_MLP, "mlp");
    if (name_ends_in(name, "hook_token_type_embed")) add_table(s, site, "token_type_embed");
    else if (name_ends_in(name, "hook_pos_embed")) add_table(s, site, "pos_embed");
    else if (name_ends_in(name, "hook_embed")) add_table(s, site, "embed");
    else if (name_ends_in(name, "embed.ln.hook_out") || name_ends_in(name, "hook_full_embed")) add_normed_tables(s, site);
    else if (name_ends_in(name, ".hook_resid_pre")) add_state(s, site, "pre");
    else if (name_ends_in(name, ".hook_resid_mid")) add_state(s, site, "mid");
    else if (name_ends_in(name, ".hook_resid_mid_cross")) add_state(s, site, "cross");
    else if (name_ends_in(name, ".hook_resid_post")) add_state(s, site, "post");
    else if (site->block < 0 && name_ends_in(name, ".hook_scale") && strstr(name, "final")) {
        free(s->norm);
        s->norm = room_text(name, strlen(name) - strlen(".hook_scale"));
    }
    return SONDE_OK;
}

/* ---- components ---- */

static component *add_component(split *s, const part *p, const char *kind) {
    component *c = &s->all[s->n_all++];
    *c = (component){ .kind = kind, .layer = p ? p->block : -1, .head = -1, .neuron = -1 };
    return c;
}

static void add_named(split *s, const part *p, const char *kind, const char *what, bool only_used) {
    component *c = add_component(s, p, kind);
    snprintf(c->name, sizeof c->name, "L%s %s", p->label, what);
    c->only_used = only_used;
}

static void add_inner(split *s, const part *p) {
    const bool heads = p->kind == WRITES_ATTENTION;
    for (int i = 0; i < (int)p->n; i++) {
        component *c = add_component(s, p, heads ? "head" : "neuron");
        *(heads ? &c->head : &c->neuron) = i;
        snprintf(c->name, sizeof c->name, "L%s%c%d", p->label, heads ? 'H' : 'N', i);
    }
    if (p->bias) add_named(s, p, heads ? "b_O" : "b_out", heads ? "b_O" : "b_out", false);
    add_named(s, p, "edit", heads ? "attn edit" : "mlp edit", true);
}

static void add_components(split *s) {
    static const char *const ends[] = { "edit", "bias", "constant" };
    int64_t most = 3;
    char    word[24];
    for (size_t i = 0; i < s->n_parts; i++) most += s->part[i].split ? s->part[i].n + 2 : 1;
    s->all = ROOM(component, most);
    for (size_t i = 0; i < s->n_parts; i++) {
        part *p = &s->part[i];
        p->first = s->n_all;
        if (p->kind == IS_STATE) {
            snprintf(word, sizeof word, "%s edit", p->word);
            add_named(s, p, "edit", word, true);
        }
        else if (p->split) add_inner(s, p);
        else if (p->kind == WRITES_EMBED) snprintf(add_component(s, p, p->word)->name, sizeof s->all->name, "%s", p->word);
        else add_named(s, p, p->word, p->word, false);
    }
    for (size_t i = 0; i < 3; i++) {
        component *c = add_component(s, NULL, ends[i]);
        c->only_used = i != 1;
        snprintf(c->name, sizeof c->name, "%s", i == 0 ? "final norm edit" : ends[i]);
    }
}

sonde_status split_outline(split *s, sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(s->cx->model);
    walk w = { s, { NULL, s->cx->edits, s->cx->n_edits, 1, 0 } };
    s->d = info->d;
    s->v = info->vocab;
    s->e = info->e;
    SONDE_TRY(sonde_sites(s->cx->model, &w.query, add_site, &w, err));
    SONDE_FAIL_IF(!s->norm || !s->n_parts, err, SONDE_UNSUPPORTED, "contributions: %s has no final norm before its "
                                                                   "logits, expected "
                  "a language model with one", info->name);
    char name[128];
    snprintf(name, sizeof name, "%s.hook_scale", s->norm);
    s->scale = add_tap(s, name, 1);
    snprintf(name, sizeof name, "%s.hook_normalized", s->norm);
    s->normalized = add_tap(s, name, s->d);
    add_components(s);
    return SONDE_OK;
}

void split_close(split *s) {
    for (size_t i = 0; i < s->n_taps; i++) {
        free(s->tap[i].site);
        free(s->tap[i].data);
    }
    for (size_t i = 0; i < s->n_parts; i++) {
        free(s->part[i].bias);
        free(s->part[i].weights);
    }
    void *const rooms[] = { s->tap, s->part, s->all, s->norm, s->term, s->slope, s->slope_out, s->slope_logits, s->direction,
                            s->logits, s->sums, s->frozen, s->lens };
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) free(rooms[i]);
}
