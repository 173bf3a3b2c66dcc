#include "site_rows.h"
#include "dry.h"
#include "prompt_runs.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

static const int64_t MOST_NUMBERS = (int64_t)1 << 29;

/* layer: [0] of the blocks in front of logits, [1] of an encoder-decoder's encoder. */
typedef struct { site_rows *r; long *layer[2]; size_t n_layers[2]; const char *text; bool two; } finding;

/* Behind "blocks.4r1."; the whole name of a site outside of blocks. */
static const char *kind_of(const char *name, int block) {
    const char *dot = block < 0 ? NULL : strchr(name, '.');
    dot = dot ? strchr(dot + 1, '.') : NULL;
    return dot ? dot + 1 : name;
}

static bool chosen(const finding *f, const sonde_site *s) {
    const int k = f->two && !s->of_target;
    if (s->block < 0) return true;
    for (size_t i = 0; i < f->n_layers[k]; i++)
        if (f->layer[k][i] == s->block) return true;
    return false;
}

static void set_state(site_row *s, bool two) {
    const char *block = s->block < 0 ? NULL : strchr(s->name, '.');
    if (block && two) snprintf(s->state, sizeof s->state, "%.*s", (int)(block + 1 + strcspn(block + 1, ".") - s->name), s->name);
    else if (block) snprintf(s->state, sizeof s->state, "%.*s", (int)strcspn(block + 1, "."), block + 1);
    else snprintf(s->state, sizeof s->state, "%.47s", s->name);
}

static sonde_status add_site(const sonde_site *s, void *user, sonde_error *err) {
    finding   *f = user;
    site_rows *r = f->r;
    if (!chosen(f, s)) return SONDE_OK;
    const bool heads = s->rank == 3 && s->axes[0] == 't';
    const bool rows = s->rank == 2 && s->axes[0] == 't' && s->axes[2] != '1' && s->axes[2] != 's';
    SONDE_FAIL_IF(!heads && !rows, err, SONDE_USAGE,
                  "site: %s has axes %s, expected t d, t f or, with [:,HEAD], t h e", s->name, s->axes);
    SONDE_FAIL_IF(heads && r->head < 0, err, SONDE_USAGE, "site: %s has heads, expected one of them as in %s[:,0]",
                  s->name, f->text);
    SONDE_FAIL_IF(rows && r->head >= 0, err, SONDE_USAGE, "site: %s has no heads, expected no index", s->name);
    SONDE_FAIL_IF(heads && r->head >= s->dim[1], err, SONDE_USAGE, "site: head %" PRId64 " of %s, expected 0 to %" PRId64,
                  r->head, s->name, s->dim[1] - 1);
    const bool other = r->n && strcmp(kind_of(r->at[0].name, r->at[0].block), kind_of(s->name, s->block)) != 0;
    SONDE_FAIL_IF(other, err, SONDE_USAGE, "site: %s and %s are two kinds, expected one", r->at[0].name,
                  s->name);
    SONDE_FAIL_IF(r->n && r->width != s->dim[s->rank - 1], err, SONDE_USAGE, "site: a row of %s has %" PRId64 " numbers and one of "
                  "%s %" PRId64 ", expected one stack, as in decoder.*.%s", r->at[0].name, r->width, s->name, s->dim[s->rank - 1],
                  kind_of(s->name, s->block));
    r->at = room_grow(r->at, r->n, 1, sizeof *r->at);
    site_row *to = &r->at[r->n++];
    *to = (site_row){ .block = s->block, .of_target = s->of_target, .n = s->dim[0], .site = *s };
    if (to->n > r->positions) r->positions = to->n;
    snprintf(to->name, sizeof to->name, "%s", s->name);
    snprintf(r->axes, sizeof r->axes, "%s", s->axes);
    r->width = s->dim[s->rank - 1];
    set_state(to, f->two);
    return SONDE_OK;
}

/* "attn.hook_z[:,3]": the pattern into `name`, the head into r->head. */
static sonde_status split_index(site_rows *r, const char *text, char *name, size_t n, sonde_error *err) {
    const size_t len = strcspn(text, "[");
    r->head = -1;
    SONDE_FAIL_IF(len >= n, err, SONDE_USAGE, "site: a name of %zu letters, expected at most %zu", len, n - 1);
    snprintf(name, n, "%.*s", (int)len, text);
    if (!text[len]) return SONDE_OK;
    char *end = NULL;
    const char *digits = text + len + 3;
    if (!strncmp(text + len, "[:,", 3) && *digits >= '0' && *digits <= '9') r->head = strtoll(digits, &end, 10);
    SONDE_FAIL_IF(!end || strcmp(end, "]") != 0, err, SONDE_USAGE, "site: index \"%.40s\", expected [:,HEAD]", text + len);
    return SONDE_OK;
}

/* Layers that one stack alone has are that one's; the problem is the decoder's where neither has them. */
static sonde_status read_layers(finding *f, const site_rows_query *q, const sonde_model_info *m, sonde_error *err) {
    sonde_error other;
    const sonde_status s = param_numbers(q->layers_row, q->layers, (long)m->layers, &f->layer[0], &f->n_layers[0], err);
    const bool encoder = f->two && param_numbers(q->layers_row, q->layers, (long)m->encoder_layers, &f->layer[1], &f->n_layers[1],
                                                 &other) == SONDE_OK;
    return encoder ? SONDE_OK : s;
}

sonde_status site_rows_open(site_rows *r, sonde_context *cx, const site_rows_query *q, sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(cx->model);
    char    name[256];
    finding f = { .r = r, .text = q->text, .two = info->encoder_layers > 0 };
    const sonde_prompt p = context_prompt(cx, 0);
    int64_t target;
    context_rows(cx, &p, &target);
    *r = (site_rows){ .cx = cx };
    SONDE_TRY(split_index(r, q->text, name, sizeof name, err));
    const sonde_site_query sites = { name, cx->edits, cx->n_edits, p.n, target };
    sonde_status s = read_layers(&f, q, info, err);
    if (s == SONDE_OK) s = sonde_sites(cx->model, &sites, add_site, &f, err);
    free(f.layer[0]);
    free(f.layer[1]);
    SONDE_TRY(s);
    SONDE_FAIL_IF(r->n == 0, err, SONDE_USAGE, "layers: none of %s has %s in this run", q->layers, name);
    const int64_t count = (int64_t)r->n * r->positions;
    SONDE_FAIL_IF(count > MOST_NUMBERS / r->width, err, SONDE_NOMEM,
                  "%" PRId64 " rows of %" PRId64 " numbers, expected at most %" PRId64 " rows: choose --layers", count,
                  r->width, MOST_NUMBERS / r->width);
    return SONDE_OK;
}

void site_rows_close(site_rows *r) {
    free(r->at);
    free(r->data);
    *r = (site_rows){ 0 };
}

static sonde_status take_rows(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    site_rows *r = user;
    const int64_t heads = r->head < 0 ? 1 : a->value.dim[1], head = r->head < 0 ? 0 : r->head;
    for (int64_t t = 0; t < a->value.dim[0]; t++)
        memcpy(r->data + ((int64_t)a->want * r->positions + a->first + t) * r->width,
               a->value.data + (t * heads + head) * r->width, (size_t)r->width * sizeof(float));
    return SONDE_OK;
}

sonde_status site_rows_run(site_rows *r, sonde_cost *cost, sonde_error *err) {
    const sonde_context *cx = r->cx;
    const sonde_prompt  p = context_prompt(cx, 0);
    const sonde_variant v = { 0, cx->edits, cx->n_edits };
    sonde_want *want = ROOM(sonde_want, r->n);
    for (size_t i = 0; i < r->n; i++) want[i] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = r->at[i].name };
    prompt_runs  runs;
    sonde_status s = prompt_runs_open(&runs, cx, 0, err);
    const sonde_batch b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want, .n_wants = r->n,
                            .runs = runs.run, .n_runs = runs.n, .seed = cx->seed };
    if (!cost) r->data = ROOM(float, (int64_t)r->n * r->positions * r->width);
    if (s == SONDE_OK) s = cost ? sonde_variants_cost(cx->session, &b, cost, err)
                                : sonde_variants_run(cx->session, &b, take_rows, r, err);
    prompt_runs_close(&runs);
    free(want);
    return s;
}

sonde_status site_rows_dry(site_rows *r, sonde_result *out, sonde_error *err) {
    sonde_cost cost;
    SONDE_TRY(site_rows_run(r, &cost, err));
    sonde_table *t = dry_sites(out);
    for (size_t i = 0; i < r->n; i++) {
        sonde_site s = r->at[i].site;
        s.name = r->at[i].name;
        s.axes = r->axes;
        dry_site(t, &s);
    }
    cost.bytes += 4 * (int64_t)r->n * r->positions * r->width;
    dry_cost(out, 1, cost);
    return SONDE_OK;
}

const char *site_rows_unit(const site_rows *r) {
    switch (r->axes[strlen(r->axes) - 1]) {
    case 'f': return "neuron";
    case 'd': return "dim";
    case 'v': return "token";
    default:  return "unit";
    }
}
