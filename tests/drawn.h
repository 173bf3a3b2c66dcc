/* drawn.h - a model and some runs of it, all drawn from one number: family, options, sizes, how weights are stored, prompts,
 * edits, a metric. And the plain run of each: alone, one thread, scalar kernels, a session of its own. */
#ifndef DRAWN_H
#define DRAWN_H
#include "made.h"
#include "format/pack.h"
#include "kernel/kern.h"
#include "sonde/random.h"
#include "sonde/save.h"

enum { DRAWN_PROMPTS = 4, DRAWN_VARIANTS = 5, DRAWN_EDITS = 2, DRAWN_LONG = 301, DRAWN_SEED = 9 };

typedef struct {
    uint64_t      seed, number, rolled;
    maker_case    kind;
    made          m;                                    /* its folder's model; `model` may be a GGUF file made from it */
    int32_t       tokens[DRAWN_PROMPTS + 1][DRAWN_LONG], types[DRAWN_LONG];
    sonde_prompt  prompt[DRAWN_PROMPTS];
    sonde_named_run b;
    sonde_variant variant[DRAWN_VARIANTS];
    sonde_edit   *edit[DRAWN_VARIANTS][DRAWN_EDITS];
    int           prompts, variants;
    sonde_metric *metric;                               /* NULL: the model answers nothing */
    made_run      plain[DRAWN_VARIANTS], slopes[DRAWN_VARIANTS];   /* every site; gradients at `grads`, or none */
    char          grads[400], told[2000];
    size_t        edits;
} drawn;

static inline int64_t roll(drawn *d, int64_t n) { return sonde_random_below(d->seed, d->number, d->rolled++, n); }

static inline void tell(drawn *d, const char *what, const char *more) {
    const size_t n = strlen(d->told);
    snprintf(d->told + n, sizeof d->told - n, "%s%s; ", what, more);
}

/* ---- the model ---- */

/* Whether a model of such a size can be read: an option may have lists as long as the usual one's. */
static inline bool drawn_fits(const maker_case *c, const maker_how *how) {
    arena *into = arena_new();
    const json *tree;
    arch_config main = { 0 }, encoder;
    const char *text = maker_config(c, how, into);
    const bool read = json_parse(text, strlen(text), into, &tree, NULL) == SONDE_OK &&
                      arch_read(c->family, tree, &main, &encoder, NULL) == SONDE_OK &&
                      main.d == (how->width ? how->width : 32);
    arena_free(into);
    return read;
}

/* Packs the model into a GGUF file and opens that; stays where there is none. */
static inline void drawn_pack(drawn *d, const char *type) {
    const scratch_path path = in_scratch(&d->m.dir, "m.gguf");
    const sonde_save_options o = { .type = type, .threads = 1 };
    sonde_error  err = { 0 };
    sonde_model *packed;
    if (!d->kind.family->gguf) return;
    const sonde_status s = sonde_model_save(d->m.model, path.text, &o, &err);
    if (s == SONDE_UNSUPPORTED) return;                 /* no word for it there */
    if (s || sonde_model_open(&packed, path.text, NULL, &err)) FAIL_("%s: %s", type, err.message);
    sonde_session_free(d->m.session);
    sonde_metric_free(d->m.metric);
    sonde_model_close(d->m.model);
    d->m.model = packed;
    d->m.session = made_session(&d->m, 1);
    d->m.metric = NULL;
    tell(d, "as ", type);
}

static inline void draw_model(drawn *d) {
    static const char *const small[] = { "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "F16", "BF16", "F32" };
    static const char *const large[] = { "Q4_K_S", "Q5_K_S", "Q6_K", "Q2_K", "Q3_K_S", "Q4_K_M", "Q5_K_M", "Q8_0" };
    static const dtype_id plain[] = { DTYPE_F32, DTYPE_F32, DTYPE_F16, DTYPE_BF16 };
    static const int64_t  widths[] = { 0, 0, 0, 24, 24, 40, 48, 64, 72, 136 };
    static maker_case cases[MOST_MAKER_CASES];
    d->kind = cases[roll(d, (int64_t)maker_cases(cases))];
    const bool blocks = roll(d, 10) == 0, packed = blocks || roll(d, 2);     /* blocks: of 256 items, whose rows are as long */
    maker_how how = { .stored = plain[roll(d, 4)], .spelling = packed ? 0 : (int)roll(d, 4), .wide = roll(d, 2), .layers = 1 + roll(d, 3),
                      .width = widths[roll(d, 10)], .vocab = roll(d, 3) ? 0 : 11 + roll(d, 60) };
    if (blocks) how.wide = true, how.width = 256, how.layers = 1;
    for (int64_t most = 0; !drawn_fits(&d->kind, &how); most++) {       /* an option for two layers, or heads of eight */
        if (how.layers != 2 && most == 0) how.layers = 2;
        else if (how.width) how.width = 0;
        else FAIL_("%s", maker_name(&d->kind));
    }
    snprintf(d->told, sizeof d->told, "%s; %d layers, width %d, %s; ", maker_name(&d->kind), (int)how.layers,
             how.width ? (int)how.width : 32, dtype_table[how.stored].name);
    d->m = made_open(&d->kind, &how);
    if (packed) drawn_pack(d, how.width == 256 ? large[roll(d, 8)] : small[roll(d, 8)]);
}

/* ---- prompts ---- */

static inline void draw_prompts(drawn *d) {
    const sonde_model_info *info = sonde_model_describe(d->m.model);
    const int64_t most = d->m.config.context < DRAWN_LONG ? d->m.config.context : DRAWN_LONG;
    const bool    two = d->m.config.encoder != NULL;
    char          text[40];
    d->prompts = 1 + (int)roll(d, DRAWN_PROMPTS);
    for (int i = 0; i <= DRAWN_PROMPTS; i++)
        for (int k = 0; k < DRAWN_LONG; k++) d->tokens[i][k] = (int32_t)roll(d, info->vocab);
    if (roll(d, 2)) memcpy(d->tokens[1], d->tokens[0], 5 * sizeof(int32_t));        /* prompts that begin alike */
    for (int k = 0; k < DRAWN_LONG; k++) d->types[k] = info->types ? (int32_t)roll(d, info->types) : 0;
    const int64_t longest = roll(d, 24) == 0 && d->m.config.d <= 72 ? most - roll(d, 50) : 0, few = d->m.config.d == 256 ? 10 : 38;
    int64_t       all = 13;
    for (int i = 0; i < d->prompts; i++) {
        sonde_prompt *p = &d->prompt[i];
        *p = (sonde_prompt){ .tokens = d->tokens[i], .n = i == 0 && longest > 2 ? longest : 2 + roll(d, roll(d, 3) ? 10 : few) };
        if (p->n > all) all = p->n;
        if (info->types && roll(d, 2)) p->types = d->types;
        if (two && roll(d, 4)) p->target = d->tokens[i] + 40, p->n_target = 1 + roll(d, 12);
        snprintf(text, sizeof text, i ? "and %d" : "prompts of %d", (int)p->n);
        tell(d, text, "");
    }
    d->b = (sonde_named_run){ .name = "B", .prompt = { .tokens = d->tokens[DRAWN_PROMPTS], .n = all } };
    if (two) d->b.prompt.target = d->tokens[DRAWN_PROMPTS] + 50, d->b.prompt.n_target = 12;
}

static inline void draw_metric(drawn *d) {
    static const char *const rows[] = { "logit(#3,-1)-0.7*logit(#7,0)", "2*logprob(#5,-1)", "entropy(-1)+prob(#2,0)", "kl(A,-1)+logit(#1,-1)" };
    const unsigned head = d->m.config.head;
    sonde_error    err = { 0 };
    if (sonde_model_describe(d->m.model)->n_answers == 0) return;      /* GGUF keeps no pooler */
    const char *text = head & (HEAD_LM | HEAD_MLM) ? rows[roll(d, 4)] : head & (HEAD_CLASS | HEAD_NSP) ? "logit(#0)-0.7*logit(#1)"
                     : head & HEAD_QA ? "logit(#0,0)-0.7*logit(#1,-1)" : "logit(#3)-0.7*logit(#1)";
    if (sonde_metric_parse(&d->metric, d->m.model, text, NULL, NULL, &err)) FAIL_("%s: %s", text, err.message);
    tell(d, text, "");
}

/* ---- plain runs ---- */

static inline sonde_batch drawn_batch(const drawn *d, int variant) {
    return (sonde_batch){ .bases = d->prompt, .n_bases = (size_t)d->prompts, .variants = &d->variant[variant], .n_variants = 1,
                          .runs = &d->b, .n_runs = 1, .seed = DRAWN_SEED };
}

/* With scalar kernels, one thread, nothing else beside it, in a session that ran nothing before. `grads`: gradients there. */
static inline sonde_status drawn_plain(drawn *d, int variant, const char *grads, made_run *x, sonde_error *err) {
    const kern_table    *was = kern;
    const sonde_variant *v = &d->variant[variant];
    const sonde_prompt  *p = &d->prompt[v->base];
    sonde_want  want[MADE_SITES + 1];
    sonde_batch one = drawn_batch(d, variant);
    *x = (made_run){ 0 };
    sonde_status s = sonde_sites(d->m.model, &(sonde_site_query){ grads, v->edits, v->n_edits, p->n, p->n_target }, made_add, x, err);
    if (s) return s;
    for (size_t i = 0; i < x->n && !grads; i++) want[one.n_wants++] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = x->site[i].name };
    if (grads) want[one.n_wants++] = (sonde_want){ .kind = SONDE_WANT_GRAD, .sites = grads, .metric = d->metric };
    else if (d->metric) want[one.n_wants++] = (sonde_want){ .kind = SONDE_WANT_METRIC, .metric = d->metric };
    one.wants = want;
    kern = kern_find("scalar");
    sonde_session *alone = made_session(&d->m, 1);
    s = sonde_variants_run(alone, &one, made_take, x, err);
    sonde_session_free(alone);
    kern = was;
    if (s) made_drop(x);
    return s;
}

/* ---- edits ---- */

/* "[2,:,1:3]" for a site's axes, in a run of the model; now and then nothing at all. */
static inline void draw_index(drawn *d, const made_site *s, char *out, size_t size) {
    size_t n = 0;
    out[0] = 0;
    if (roll(d, 4) == 0) return;
    for (int i = 0; i < s->rank; i++) {
        const int64_t at = roll(d, s->dim[i]), to = at + 1 + roll(d, s->dim[i] - at);
        const int     form = (int)roll(d, 3);
        n += (size_t)snprintf(out + n, size - n, "%c", i ? ',' : '[');
        if (form == 0) n += (size_t)snprintf(out + n, size - n, ":");
        else if (form == 1) n += (size_t)snprintf(out + n, size - n, "%d", (int)at);
        else n += (size_t)snprintf(out + n, size - n, "%d:%d", (int)at, (int)to);
    }
    snprintf(out + n, size - n, "]");
}

static inline void draw_edit_text(drawn *d, made_run *sites, char *out, size_t size) {
    static const char *const before[] = { "scale", "zero", "add", "noise", "set", "patch", "freeze", "mean", "scale", "add", "patch" };
    static const char *const after[] = { "=1.5", "", "=0.5", "=0.1", "=0.25", "=B", "", "", "=-0.5", "=0.3*B", "=B" };
    const made_site *s = &sites->site[roll(d, (int64_t)sites->n)];
    const int        op = (int)roll(d, 11), layers = (int)d->m.config.layers;
    char             index[80];
    if (roll(d, 12) == 0) {
        const int a = (int)roll(d, layers), c = (int)roll(d, layers), form = (int)roll(d, 4);
        if (form == 0) snprintf(out, size, "skip:blocks.%d.%s", a, roll(d, 2) ? "attn" : "mlp");
        else if (form == 1) snprintf(out, size, "swap:blocks.%d,blocks.%d", a, c);
        else if (form == 2) snprintf(out, size, "repeat:blocks.%d=2", a);
        else snprintf(out, size, "skip:blocks.%d", a);
        return;
    }
    draw_index(d, s, index, sizeof index);
    snprintf(out, size, "%s:%s%s%s", before[op], s->name, index, after[op]);
}

/* Edits of variant i and its plain run; none, where the run refuses them. */
static inline void draw_edits(drawn *d, int i) {
    sonde_variant      *v = &d->variant[i];
    const sonde_prompt *p = &d->prompt[v->base];
    const int           n = (int)roll(d, DRAWN_EDITS + 1);
    char        text[DRAWN_EDITS][240];
    sonde_error err = { 0 };
    made_run   *x = &d->plain[i];
    *x = (made_run){ 0 };
    if (sonde_sites(d->m.model, &(sonde_site_query){ .n = p->n, .n_target = p->n_target }, made_add, x, &err)) FAIL_("%s", err.message);
    v->edits = (const sonde_edit *const *)d->edit[i];
    for (int k = 0; k < n; k++) {
        draw_edit_text(d, x, text[v->n_edits], sizeof text[0]);
        if (!sonde_edit_parse(&d->edit[i][v->n_edits], d->m.model, text[v->n_edits], NULL, &err)) v->n_edits++;
    }
    made_drop(x);
    const sonde_status s = drawn_plain(d, i, NULL, x, &err);
    for (size_t k = 0; k < v->n_edits && !s; k++) tell(d, text[k], "");
    d->edits += s ? 0 : v->n_edits;
    if (!s) return;
    if (s != SONDE_USAGE && s != SONDE_UNSUPPORTED && s != SONDE_NOT_FOUND) FAIL_("%s: %s", text[0], err.message);
    v->n_edits = 0;
    if (drawn_plain(d, i, NULL, x, &err)) FAIL_("%s", err.message);
}

/* Nothing but masked scores is out of range: behind such numbers 0 times infinity says which rows were looked at. */
static inline bool drawn_finite(const drawn *d) {
    for (int i = 0; i < d->variants; i++)
        for (size_t k = 0; k < d->plain[i].n; k++) {
            const made_site *s = &d->plain[i].site[k];
            for (int64_t at = 0; at < s->n; at++)
                if (isnan(s->value[at]) || (isinf(s->value[at]) && !strstr(s->name, "scores"))) return false;
        }
    return true;
}

/* Gradients at a few sites, or none where one of the variants has none there. */
static inline void draw_gradients(drawn *d) {
    sonde_error err = { 0 };
    if (!d->metric || roll(d, 3) || !drawn_finite(d)) return;
    for (int k = 0, n = 1 + (int)roll(d, 4); k < n; k++) {
        const made_site *s = &d->plain[0].site[roll(d, (int64_t)d->plain[0].n)];
        const size_t     at = strlen(d->grads);
        if (!s->no_gradient && !strstr(d->grads, s->name))
            snprintf(d->grads + at, sizeof d->grads - at, "%s%s", at ? "," : "", s->name);
    }
    for (int i = 0; i < d->variants && *d->grads; i++)
        if (drawn_plain(d, i, d->grads, &d->slopes[i], &err)) {
            while (i-- > 0) made_drop(&d->slopes[i]);
            *d->grads = 0;
        }
    if (*d->grads) tell(d, "gradients at ", d->grads);
}

/* Everything that `number` draws, and its plain runs. */
static inline void draw_runs(drawn *d) {
    draw_model(d);
    draw_prompts(d);
    draw_metric(d);
    d->variants = 1 + (int)roll(d, d->prompt[0].n > 100 ? 2 : DRAWN_VARIANTS);
    for (int i = 0; i < d->variants; i++) {
        d->variant[i] = (sonde_variant){ .base = (int)roll(d, d->prompts) };
        draw_edits(d, i);
    }
    draw_gradients(d);
}

static inline void drawn_close(drawn *d) {
    for (int i = 0; i < d->variants; i++) {
        made_drop(&d->plain[i]);
        if (*d->grads) made_drop(&d->slopes[i]);
        for (int k = 0; k < DRAWN_EDITS; k++) sonde_edit_free(d->edit[i][k]);
    }
    sonde_metric_free(d->metric);
    made_close(&d->m);
}
#endif
