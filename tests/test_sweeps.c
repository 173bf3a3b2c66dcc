/* Many variants in one batch: every cell is its own full run in every bit, whatever is edited, wherever, in every family.
 * The full run is one that wants all sites: it borrows nothing, computes every row and runs alone. */
#define _GNU_SOURCE
#include "made.h"

enum { CELLS = 500, BATCH = 8, MOST_EDITS = 3, LONGEST = 9, LAYERS = 3 };

static uint64_t state;
static int64_t draw(int64_t n) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int64_t)(state % (uint64_t)n);
}

/* ---- what is drawn ---- */

typedef struct { char name[80]; int rank, no_gradient; int64_t dim[3]; bool target[3]; } drawn_site;
typedef struct { drawn_site at[400]; size_t n; } drawn_sites;

static sonde_status add_site(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    drawn_sites *x = user;
    if (strstr(s->name, "expert_indices")) return SONDE_OK;      /* a choice, no number */
    CHECK(x->n < sizeof x->at / sizeof *x->at);
    drawn_site  *d = &x->at[x->n++];
    *d = (drawn_site){ .rank = s->rank };
    snprintf(d->name, sizeof d->name, "%s", s->name);
    for (int i = 0; i < s->rank; i++) d->dim[i] = s->dim[i] ? s->dim[i] : 1;
    return SONDE_OK;
}

static size_t put_index(char *to, size_t room, const drawn_site *s) {
    size_t n = 0;
    if (!draw(4)) return 0;
    for (int i = 0; i < s->rank; i++) {
        const int64_t lo = draw(s->dim[i]), hi = lo + 1 + draw(s->dim[i] - lo);
        n += (size_t)snprintf(to + n, room - n, "%s", i ? "," : "[");
        if (draw(3) == 0) n += (size_t)snprintf(to + n, room - n, ":");
        else if (draw(2)) n += (size_t)snprintf(to + n, room - n, "%lld", (long long)lo);
        else n += (size_t)snprintf(to + n, room - n, "%lld:%lld", (long long)lo, (long long)hi);
    }
    return n + (size_t)snprintf(to + n, room - n, "]");
}

static void draw_edit(const made *m, const drawn_sites *sites, char *to, size_t room) {
    static const char *const ops[] = { "zero", "set", "scale", "add", "noise", "mean", "patch", "freeze" };
    static const char *const values[] = { "", "=0.5", "=-1.25", "=0.75", "=0.3", "", "=B", "" };
    const char *word = m->config.encoder ? "decoder" : "blocks";
    const int   a = (int)draw(LAYERS), b = (int)draw(LAYERS);
    switch (draw(14)) {
    case 0: snprintf(to, room, "skip:%s.%d", word, a); return;
    case 1: snprintf(to, room, "skip:%s.%d.%s", word, a, draw(2) ? "mlp" : "attn"); return;
    case 2: snprintf(to, room, "swap:%s.%d,%s.%d", word, a, word, b); return;
    case 3: snprintf(to, room, "repeat:%s.%d=2", word, a); return;
    default: break;
    }
    const drawn_site *s = &sites->at[draw((int64_t)sites->n)];
    int64_t op = draw(8);
    if (s->rank < 2 && op == 5) op = 0;             /* a value of the whole text has no mean over positions */
    size_t n = (size_t)snprintf(to, room, "%s:%s", ops[op], s->name);
    n += put_index(to + n, room - n, s);
    snprintf(to + n, room - n, "%s", values[op]);
}

static const char *draw_metric(const made *m, int64_t n) {
    static char text[120];
    const arch_config *c = &m->config;
    const bool rows = c->head & (HEAD_LM | HEAD_MLM);
    const long long at = (long long)draw(n);
    if (!rows) return NULL;
    switch (draw(6)) {
    case 0: snprintf(text, sizeof text, "logit(#3)-logit(#7)"); break;
    case 1: snprintf(text, sizeof text, "logit(#3,%lld)-0.7*logit(#5,%lld)", at, (long long)draw(n)); break;
    case 2: snprintf(text, sizeof text, "logprob(#4,%lld)+prob(#6)", at); break;
    case 3: snprintf(text, sizeof text, "entropy(%lld)*rank(#2)", at); break;
    case 4: snprintf(text, sizeof text, "kl(A,%lld)", at); break;
    default: snprintf(text, sizeof text, n > 1 && c->head & HEAD_LM && !c->bidirectional ? "loss" : "logit(#1)"); break;
    }
    return text;
}

/* ---- a batch ---- */

typedef struct {
    made         *m;
    sonde_prompt  base[2];
    sonde_named_run other;
    int32_t       twin[LONGEST];        /* its tokens: base 0's but for one, or others */
    sonde_edit   *edit[BATCH][MOST_EDITS];
    char          text[BATCH][600];
    sonde_variant variant[BATCH];
    sonde_metric *metric[2];
    sonde_want    want[4];
    size_t        n, n_wants;
    int64_t       at[LONGEST]; size_t n_at;
} drawn_batch;

static sonde_batch batch_of(const drawn_batch *d) {
    return (sonde_batch){ .bases = d->base, .n_bases = 2, .variants = d->variant, .n_variants = d->n, .wants = d->want,
                          .n_wants = d->n_wants, .runs = &d->other, .n_runs = 1, .seed = 5 };
}

static sonde_prompt draw_prompt(const made *m) {
    const int64_t n = 3 + draw(LONGEST - 2), k = 2 + draw(4);
    const bool    two = m->config.encoder != NULL;
    return (sonde_prompt){ .tokens = m->tokens + draw(20), .n = n, .target = two ? m->tokens + draw(20) : NULL, .n_target = two ? k : 0,
                           .prompt = draw(4) ? 0 : 1 + draw(two ? k : n) };
}

static void draw_twin(drawn_batch *d) {
    for (int i = 0; i < LONGEST; i++) d->twin[i] = i < d->base[0].n ? d->base[0].tokens[i] : d->m->tokens[i];
    d->twin[draw(d->base[0].n)] = (int32_t)draw(MAKER_VOCAB);
    d->other.prompt.tokens = d->twin;
}

/* An edit that this model or prompt does not take is drawn again. */
static void draw_variant(drawn_batch *d, const drawn_sites *sites) {
    sonde_error err = { 0 };
    const size_t i = d->n;
    for (int trial = 0; trial < 60; trial++) {
        size_t n = 0, many = (size_t)draw(MOST_EDITS + 1);
        char  *text = d->text[i];
        *text = 0;
        while (n < many) {
            char one[160];
            draw_edit(d->m, sites, one, sizeof one);
            if (draw(6) == 0) strcat(one, draw(2) ? "@prompt" : "@generated");
            if (sonde_edit_parse(&d->edit[i][n], d->m->model, one, NULL, &err)) continue;
            n++;
            sprintf(text + strlen(text), "%s%s", n > 1 ? ";" : "", one);
        }
        d->variant[i] = (sonde_variant){ (int)draw(2), (const sonde_edit *const *)d->edit[i], n };
        sonde_batch one = batch_of(d);
        sonde_cost  cost;
        one.variants = &d->variant[i];
        one.n_variants = 1;
        if (sonde_variants_cost(d->m->session, &one, &cost, &err) == SONDE_OK) {
            d->n++;
            return;
        }
        for (size_t k = 0; k < n; k++) sonde_edit_free(d->edit[i][k]);
    }
}

static void draw_wants(drawn_batch *d) {
    sonde_error   err = { 0 };
    const bool    two = d->m->config.encoder != NULL;
    const int64_t a = two ? d->base[0].n_target : d->base[0].n, b = two ? d->base[1].n_target : d->base[1].n, n = a < b ? a : b;
    for (int i = 0; i < 2; i++) {
        const char *text = draw_metric(d->m, n);
        if (text && sonde_metric_parse(&d->metric[i], d->m->model, text, NULL, NULL, &err)) FAIL_("%s: %s", text, err.message);
        d->want[d->n_wants++] = (sonde_want){ .kind = SONDE_WANT_METRIC, .metric = d->metric[i] ? d->metric[i] : d->m->metric };
    }
    if (draw(3)) return;
    for (int64_t i = 0; i < n; i++)
        if (draw(2)) d->at[d->n_at++] = i;
    d->want[d->n_wants++] = (sonde_want){ .kind = SONDE_WANT_LOGITS, .at = d->at, .n_at = d->n_at };
}

static void end_batch(drawn_batch *d) {
    for (size_t i = 0; i < d->n; i++)
        for (size_t k = 0; k < d->variant[i].n_edits; k++) sonde_edit_free(d->edit[i][k]);
    for (int i = 0; i < 2; i++) sonde_metric_free(d->metric[i]);
}

/* ---- its answers ---- */

typedef struct { double metric[BATCH][2]; float *row[BATCH][LONGEST]; size_t variant, rows; int64_t vocab; bool ordered; } said;

static sonde_status hear(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    said *x = user;
    if (a->variant < x->variant) x->ordered = false;
    x->variant = a->variant;
    if (!a->site) x->metric[a->variant][a->want] = a->metric;
    else if (a->want == x->rows) {
        float **to = &x->row[a->variant][a->first];
        if (*to || a->value.dim[0] != 1) x->ordered = false;
        *to = calloc((size_t)a->value.dim[1], sizeof **to);
        memcpy(*to, a->value.data, (size_t)a->value.dim[1] * sizeof **to);
        x->vocab = a->value.dim[1];
    }
    return SONDE_OK;
}

/* Which want is that of logits. */
static size_t rows_want(const drawn_batch *d) { return d->n_wants > 2 ? 2 : SIZE_MAX; }

static void forget(said *x) {
    for (size_t i = 0; i < BATCH; i++)
        for (int k = 0; k < LONGEST; k++) free(x->row[i][k]);
}

/* The variant's full run. */
static void hear_whole(const drawn_batch *d, size_t i, said *x) {
    sonde_error err = { 0 };
    sonde_batch one = batch_of(d);
    sonde_want  want[4];
    memcpy(want, d->want, sizeof want);
    want[one.n_wants++] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = "**" };
    one.wants = want;
    one.variants = &d->variant[i];
    one.n_variants = 1;
    if (sonde_variants_run(d->m->session, &one, hear, x, &err)) FAIL_("\"%s\": %s", d->text[i], err.message);
}

static bool same_double(double a, double b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

static void compare(const maker_case *c, const drawn_batch *d, const said *all, size_t i, const said *whole) {
    for (int k = 0; k < 2; k++)
        if (!same_double(all->metric[i][k], whole->metric[0][k]))
            FAIL_("%s: \"%s\", cell %zu of base %d: metric %d is %.17g, expected %.17g", maker_name(c), d->text[i], i,
                  d->variant[i].base, k, all->metric[i][k], whole->metric[0][k]);
    for (int t = 0; t < LONGEST; t++) {
        const float *x = all->row[i][t], *y = whole->row[0][t];
        if (!x != !y) FAIL_("%s: \"%s\": logits of position %d are there once", maker_name(c), d->text[i], t);
        for (int64_t v = 0; x && v < all->vocab; v++)
            if (!made_same(x[v], y[v]))
                FAIL_("%s: \"%s\", position %d: logit %lld is %.9g, expected %.9g", maker_name(c), d->text[i], t, (long long)v,
                      (double)x[v], (double)y[v]);
    }
}

static int64_t cells;

static sonde_session *session_of(const made *m, int64_t memory) {
    sonde_session *s;
    sonde_error    err = { 0 };
    if (sonde_session_new(&s, m->model, (sonde_session_options){ .threads = 1 + (int)draw(2), .memory = memory }, &err))
        FAIL_("%s", err.message);
    return s;
}

/* The least memory, of doubling ones, that each variant alone runs in. */
static int64_t least_memory(const drawn_batch *d) {
    for (int64_t memory = 1 << 14;; memory += memory / 4) {
        bool enough = true;
        for (size_t i = 0; i < d->n && enough; i++) {
            sonde_error    err = { 0 };
            said           x = { .ordered = true, .rows = rows_want(d) };
            sonde_batch    one = batch_of(d);
            sonde_session *s = session_of(d->m, memory);
            one.variants = &d->variant[i];
            one.n_variants = 1;
            const sonde_status got = sonde_variants_run(s, &one, hear, &x, &err);
            if (got != SONDE_OK && got != SONDE_NOMEM) FAIL_("%s", err.message);
            enough = got == SONDE_OK;
            forget(&x);
            sonde_session_free(s);
        }
        if (enough) return memory;
    }
}

/* `scarce`: in little more memory than each variant alone needs; the unedited run of all may need more than that of one. */
static void run_batch(const maker_case *c, const drawn_batch *d, bool scarce, said *all) {
    const sonde_batch b = batch_of(d);
    const int64_t     least = scarce ? least_memory(d) : 0;
    sonde_status      got = SONDE_NOMEM;
    for (int64_t memory = least; got == SONDE_NOMEM && memory <= 4 * least; memory += memory / 4) {
        sonde_error    err = { 0 };
        sonde_session *s = session_of(d->m, memory);
        got = sonde_variants_run(s, &b, hear, all, &err);
        sonde_session_free(s);
        if (got != SONDE_OK && (got != SONDE_NOMEM || !scarce)) FAIL_("%s: %s", maker_name(c), err.message);
    }
    if (got != SONDE_OK) FAIL_("%s: %zu variants in four times the memory of one", maker_name(c), d->n);
}

static void try_batch(const maker_case *c, made *m, const drawn_sites *sites, bool scarce) {
    drawn_batch d = { .m = m, .other = { .name = "B", .prompt = { .tokens = m->tokens + 11, .n = LONGEST } } };
    said        all = { .ordered = true };
    if (m->config.encoder) d.other.prompt.target = m->tokens + 5, d.other.prompt.n_target = 6;
    d.base[0] = draw_prompt(m);
    d.base[1] = draw_prompt(m);
    if (draw(2)) draw_twin(&d);
    draw_wants(&d);
    for (int i = 0; i < BATCH; i++) draw_variant(&d, sites);
    all.rows = rows_want(&d);
    run_batch(c, &d, scarce, &all);
    CHECK(all.ordered);
    for (size_t i = 0; i < d.n; i++, cells++) {
        said whole = { .ordered = true, .rows = rows_want(&d) };
        hear_whole(&d, i, &whole);
        compare(c, &d, &all, i, &whole);
        forget(&whole);
    }
    forget(&all);
    end_batch(&d);
}

static void cells_of_a_family(const maker_case *c) {
    made        m = made_open(c, &(maker_how){ .layers = strstr(c->more, "layer_types") ? 2 : LAYERS });
    sonde_error err = { 0 };
    drawn_sites sites = { .n = 0 };
    const bool  two = m.config.encoder != NULL;
    CHECK_EQ(sonde_sites(m.model, &(sonde_site_query){ NULL, NULL, 0, 3, two ? 2 : 0 }, add_site, &sites, &err), SONDE_OK);
    if (m.metric) {
        try_batch(c, &m, &sites, false);
        if (draw(4) == 0) try_batch(c, &m, &sites, true);
    }
    made_close(&m);
}

static void every_cell_is_its_full_run(void) {
    state = 88172645463325252u;
    for (cells = 0; cells < CELLS;) made_every(cells_of_a_family);
}

/* ---- gradients of many variants, forward and back side by side ---- */

typedef struct { uint64_t hash[BATCH]; double metric[BATCH]; size_t variant, answers; bool ordered; } slopes;

static void add_bytes(uint64_t *h, const void *data, size_t n) {
    const uint8_t *x = data;
    for (size_t i = 0; i < n; i++) *h = (*h ^ x[i]) * 1099511628211u;
}

/* Places, positions and bits, in the order in which they come. */
static sonde_status hear_slope(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    slopes *x = user;
    int64_t n = 1;
    if (a->variant < x->variant) x->ordered = false;
    x->variant = a->variant;
    x->metric[a->variant] = a->metric;
    x->answers++;
    for (int i = 0; i < a->value.rank; i++) n *= a->value.dim[i];
    if (a->site) add_bytes(&x->hash[a->variant], a->site, strlen(a->site));
    add_bytes(&x->hash[a->variant], &a->first, sizeof a->first);
    for (int64_t i = 0; i < n; i++) {
        const float value = isnan(a->value.data[i]) ? 0 : a->value.data[i];
        add_bytes(&x->hash[a->variant], &value, sizeof value);
    }
    return SONDE_OK;
}

static void try_slopes(const maker_case *c, made *m, const drawn_sites *sites) {
    static const char *const wanted[] = { "hook_embed", "blocks.*.hook_resid_pre", "blocks.1.attn.hook_pattern,blocks.2.hook_mlp_out",
                                          "blocks.*.hook_q_input,blocks.0.attn.hook_z" };
    drawn_batch d = { .m = m, .other = { .name = "B", .prompt = { .tokens = m->tokens + 11, .n = LONGEST } } };
    sonde_error err = { 0 };
    slopes      all = { .ordered = true };
    d.base[0] = draw_prompt(m);
    d.base[1] = draw_prompt(m);
    if (sonde_metric_parse(&d.metric[0], m->model, draw(2) ? "logit(#3)-logit(#7)" : "logprob(#4,1)*logit(#2)", NULL, NULL, &err))
        FAIL_("%s", err.message);
    d.want[0] = (sonde_want){ .kind = SONDE_WANT_GRAD, .sites = wanted[draw(4)], .metric = d.metric[0] };
    d.want[1] = (sonde_want){ .kind = SONDE_WANT_METRIC, .metric = d.metric[0] };
    d.n_wants = 1 + (size_t)draw(2);
    for (int i = 0; i < BATCH; i++) draw_variant(&d, sites);
    const sonde_batch b = batch_of(&d);
    sonde_session    *s = session_of(m, 0);
    if (sonde_variants_run(s, &b, hear_slope, &all, &err)) FAIL_("%s: %s", maker_name(c), err.message);
    CHECK(all.ordered);
    for (size_t i = 0; i < d.n; i++, cells++) {
        slopes      one = { .ordered = true };
        sonde_batch alone = b;
        alone.variants = &d.variant[i];
        alone.n_variants = 1;
        if (sonde_variants_run(s, &alone, hear_slope, &one, &err)) FAIL_("%s: %s", maker_name(c), err.message);
        CHECK(one.answers > 0);
        if (one.hash[0] != all.hash[i] || !same_double(one.metric[0], all.metric[i]))
            FAIL_("%s: gradients of %s under \"%s\" are others beside other variants", maker_name(c), d.want[0].sites, d.text[i]);
    }
    sonde_session_free(s);
    end_batch(&d);
}

static void slopes_of_a_family(const maker_case *c) {
    made        m = made_open(c, &(maker_how){ .layers = strstr(c->more, "layer_types") ? 2 : LAYERS });
    sonde_error err = { 0 };
    drawn_sites sites = { .n = 0 };
    const bool  rows = m.config.head & HEAD_LM && !m.config.encoder;
    CHECK_EQ(sonde_sites(m.model, &(sonde_site_query){ NULL, NULL, 0, 3, 0 }, add_site, &sites, &err), SONDE_OK);
    if (rows && m.config.layers == LAYERS) try_slopes(c, &m, &sites);
    made_close(&m);
}

static void gradients_are_each_alone(void) {
    state = 2463534242u;
    cells = 0;
    made_every(slopes_of_a_family);
    CHECK(cells > 200);
}

#define TESTS(X) X(every_cell_is_its_full_run) X(gradients_are_each_alone)
TEST_MAIN(TESTS)
