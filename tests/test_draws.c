/* The same run in another way has the same bits (interface.md 7), drawn: a family with its options, sizes, storage of the
 * weights, prompts, edits; and threads, instruction set, memory, what runs beside it, what is asked of it. Every number
 * is compared with that of the plain run (drawn.h).
 *
 * SONDE_DRAWS=10000: how many. SONDE_DRAW=17: that one alone, once more, and it says what it is. SONDE_SEED: other ones. */
#define _GNU_SOURCE
#include "drawn.h"
#include <pthread.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { USUAL = 30 };                            /* scalar kernels are ten times slower there */
#else
enum { USUAL = 200 };
#endif
enum { MOST_FAILURES = 5, MORE = 9 };

/* ---- one batch of all variants, in another way ---- */

typedef struct {
    drawn       *d;
    sonde_want   want[MADE_SITES + 3];
    size_t       wants;
    int64_t      at;
    int64_t      seen[DRAWN_VARIANTS];          /* numbers that came */
    char         wrong[700];                    /* what differs first, or "" */
} way;

static void draw_kernels(drawn *d) {
    const kern_table *usable[8];
    int64_t n = 0;
    for (const kern_table *const *t = kern_tables; *t; t++)
        if ((*t)->supported()) usable[n++] = *t;
    kern = usable[roll(d, n)];
    tell(d, kern->isa, "");
}

static bool in_every_variant(drawn *d, const char *name) {
    for (int i = 0; i < d->variants; i++)
        if (!made_find(&d->plain[i], name)) return false;
    return true;
}

/* Rows of logits that every variant has. */
static int64_t fewest_rows(const drawn *d) {
    int64_t n = MAKER_CONTEXT;
    for (int i = 0; i < d->prompts; i++) {
        const sonde_prompt *p = &d->prompt[i];
        const int64_t rows = !d->m.config.encoder ? p->n : p->target ? p->n_target : 1;
        if (rows < n) n = rows;
    }
    return n;
}

/* Metric and logits alone, one site, some, all; gradients. */
static void draw_wants(drawn *d, way *w) {
    const int how = (int)roll(d, 4), share = how == 0 ? 0 : how == 1 ? 2 : how == 2 ? 30 : 100;
    *w = (way){ .d = d };
    for (size_t i = 0; i < d->plain[0].n; i++) {
        const char *name = d->plain[0].site[i].name;
        if (roll(d, 100) < share && in_every_variant(d, name)) w->want[w->wants++] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = name };
    }
    const size_t sites = w->wants;
    if (d->m.config.head & (HEAD_LM | HEAD_MLM) && roll(d, 2)) {
        const bool one = roll(d, 2);
        w->at = roll(d, fewest_rows(d));
        w->want[w->wants++] = (sonde_want){ .kind = SONDE_WANT_LOGITS, .at = one ? &w->at : NULL, .n_at = one };
    }
    if (d->metric && roll(d, 2)) w->want[w->wants++] = (sonde_want){ .kind = SONDE_WANT_METRIC, .metric = d->metric };
    if (*d->grads && roll(d, 2)) w->want[w->wants++] = (sonde_want){ .kind = SONDE_WANT_GRAD, .sites = d->grads, .metric = d->metric };
    if (w->wants == 0 && d->metric) w->want[w->wants++] = (sonde_want){ .kind = SONDE_WANT_METRIC, .metric = d->metric };
    if (w->wants == 0) w->want[w->wants++] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = d->plain[0].site[0].name };
    char text[60];
    snprintf(text, sizeof text, "%d sites of %d, %d wants", (int)sites, (int)d->plain[0].n, (int)w->wants);
    tell(d, text, "");
}

/* Behind a soft-cap or bias they are a site of their own. */
static const made_site *logits_of(const drawn *d, made_run *plain) {
    const made_site *own = made_find(plain, "logits");
    return own ? own : made_find(plain, sonde_model_describe(d->m.model)->answers);
}

static void differs(way *w, const sonde_answer *a, const char *what, double got, double want) {
    if (*w->wrong) return;
    snprintf(w->wrong, sizeof w->wrong, "variant %d, %s%s: %.17g, in the plain run %.17g", (int)a->variant, what, a->site ? a->site : "", got, want);
}

/* A block of a site's rows beside all of them. */
static void compare_block(way *w, const sonde_answer *a, made_run *plain, const char *what) {
    const made_site  *h = made_find(plain, a->site);
    const sonde_view *v = &a->value;
    const int t = sonde_axes_rows(v->axes);
    int64_t outer = 1, inner = 1;
    for (int k = 0; k < t; k++) outer *= v->dim[k];
    for (int k = t < 0 ? 0 : t + 1; k < v->rank; k++) inner *= v->dim[k];
    const int64_t n = t < 0 ? 1 : v->dim[t], all = !h || t < 0 ? 1 : h->dim[t], first = t < 0 ? 0 : a->first;
    w->seen[a->variant] += outer * n * inner;
    if (!h || outer * all * inner != h->n || first + n > all) {
        differs(w, a, "numbers of ", (double)(outer * all * inner), h ? (double)h->n : 0);
        return;
    }
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < n * inner; i++) {
            const float got = v->data[o * n * inner + i], want = h->value[(o * all + first) * inner + i];
            if (!made_same(got, want)) differs(w, a, what, (double)got, (double)want);
        }
}

static sonde_status compare(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    way      *w = user;
    made_run *plain = &w->d->plain[a->variant];
    const sonde_want_kind kind = w->want[a->want].kind;
    if (kind == SONDE_WANT_SITE) compare_block(w, a, plain, "");
    else if (kind == SONDE_WANT_GRAD) compare_block(w, a, &w->d->slopes[a->variant], "gradient at ");
    else if (kind == SONDE_WANT_METRIC) {
        w->seen[a->variant]++;
        if (a->metric != plain->metric && !(isnan(a->metric) && isnan(plain->metric))) differs(w, a, "metric", a->metric, plain->metric);
    } else {
        sonde_answer row = *a;
        row.site = logits_of(w->d, plain)->name;
        compare_block(w, &row, plain, "logits, ");
    }
    return SONDE_OK;
}

static int64_t expected(way *w, int variant) {
    int64_t n = 0;
    for (size_t i = 0; i < w->wants; i++) {
        const sonde_want *x = &w->want[i];
        if (x->kind == SONDE_WANT_METRIC) n++;
        else if (x->kind == SONDE_WANT_SITE) n += made_find(&w->d->plain[variant], x->sites)->n;
        else if (x->kind == SONDE_WANT_LOGITS) {
            const made_site *s = logits_of(w->d, &w->d->plain[variant]);
            n += x->n_at ? s->n / s->dim[0] : s->n;
        } else
            for (size_t k = 0; k < w->d->slopes[variant].n; k++) n += w->d->slopes[variant].site[k].n;
    }
    return n;
}

static sonde_status run_batch(sonde_session *with, way *w) {
    drawn      *d = w->d;
    sonde_error err = { 0 };
    sonde_batch b = drawn_batch(d, 0);
    b.n_variants = (size_t)d->variants;
    b.wants = w->want;
    b.n_wants = w->wants;
    const sonde_status s = sonde_variants_run(with, &b, compare, w, &err);
    if (s) snprintf(w->wrong, sizeof w->wrong, "%s", err.message);
    for (int i = 0; i < d->variants && !*w->wrong; i++)
        if (w->seen[i] != expected(w, i))
            snprintf(w->wrong, sizeof w->wrong, "variant %d: %lld numbers came, expected %lld", i, (long long)w->seen[i], (long long)expected(w, i));
    return s;
}

typedef struct { way *w; sonde_session *with; } beside;

static void *run_beside(void *ctx) {
    const beside *x = ctx;
    run_batch(x->with, x->w);
    return NULL;
}

/* Alone, or while another thread does the same in a session of its own. */
static void run_together(drawn *d, sonde_session *with, way *w) {
    static way other;
    pthread_t  thread;
    other = *w;
    const bool two = roll(d, 6) == 0;
    beside     x = { &other, two ? made_session(&d->m, 2) : NULL };
    if (two) CHECK_EQ(pthread_create(&thread, NULL, run_beside, &x), 0);
    run_batch(with, w);
    if (two) {
        pthread_join(thread, NULL);
        sonde_session_free(x.with);
        tell(d, "two at once", "");
        if (*other.wrong) memcpy(w->wrong, other.wrong, sizeof other.wrong);
    }
    if (*w->wrong) FAIL_("%s", w->wrong);
}

/* ---- generation: rows one after the other, several prompts side by side ---- */

typedef struct { int32_t id[DRAWN_PROMPTS][MORE]; int64_t n[DRAWN_PROMPTS], vocab; double *prob; } spoken;

static sonde_status take_token(const sonde_generated *g, void *user, sonde_error *err) {
    (void)err;
    spoken *x = user;
    const int64_t i = x->n[g->prompt]++;
    x->id[g->prompt][i] = g->id;
    for (size_t k = 0; k < g->n_alternatives; k++)
        x->prob[((int64_t)g->prompt * MORE + i) * x->vocab + g->alternative[k]] = g->alternative_prob[k];
    return SONDE_OK;
}

typedef struct { way *w; const double *prob; int64_t first, vocab; } rows;

static sonde_status compare_row(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    const rows *r = user;
    for (int64_t k = 0; k < r->vocab; k++) {
        const double was = r->prob[(a->first - r->first) * r->vocab + k], p = sonde_logits_prob(a->value.data, r->vocab, (int32_t)k);
        if (p != was && !(isnan(p) && isnan(was))) differs(r->w, a, "a generated token's probability", was, p);
    }
    return SONDE_OK;
}

/* One plain run over prompt and output. Where rotations follow the length the last row alone has this length. */
static void compare_generated(drawn *d, int prompt, const spoken *x, const sonde_edit *edit) {
    static int32_t tokens[DRAWN_LONG + MORE];
    static way     w;
    const int64_t  n = d->prompt[prompt].n, more = x->n[prompt], from = d->m.config.rope.by_length ? more - 1 : 0;
    sonde_error    err = { 0 };
    int64_t        at[MORE];
    memcpy(tokens, d->prompt[prompt].tokens, (size_t)n * sizeof *tokens);
    memcpy(tokens + n, x->id[prompt], (size_t)more * sizeof *tokens);
    for (int64_t i = 0; i < more; i++) at[i] = n - 1 + i;
    const sonde_prompt  whole = { .tokens = tokens, .n = n + more - 1, .prompt = n };
    const sonde_variant v = { 0, &edit, edit != NULL };
    const sonde_want    want = { .kind = SONDE_WANT_LOGITS, .at = at + from, .n_at = (size_t)(more - from) };
    const sonde_batch   b = { .bases = &whole, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &want, .n_wants = 1,
                              .runs = &d->b, .n_runs = 1, .seed = DRAWN_SEED };
    rows r = { &w, x->prob + (int64_t)prompt * MORE * x->vocab, n - 1, x->vocab };
    w = (way){ 0 };
    kern = kern_find("scalar");
    sonde_session *alone = made_session(&d->m, 1);
    if (sonde_variants_run(alone, &b, compare_row, &r, &err)) FAIL_("%s", err.message);
    sonde_session_free(alone);
    if (*w.wrong) FAIL_("prompt %d: %s", prompt, w.wrong);
}

static sonde_edit *draw_running_edit(drawn *d) {
    static const char *const when[] = { "", "@generated", "@prompt" };
    static const char *const form[] = { "scale:%s=1.5%s", "add:%s=0.25%s", "noise:%s=0.1%s", "freeze:%s%s" };
    const made_site *s = &d->plain[0].site[roll(d, (int64_t)d->plain[0].n)];
    char        text[200];
    sonde_edit *edit = NULL;
    if (roll(d, 2) || strstr(s->name, "r1.")) return NULL;
    snprintf(text, sizeof text, form[roll(d, 4)], s->name, when[roll(d, 3)]);
    if (sonde_edit_parse(&edit, d->m.model, text, NULL, NULL)) return NULL;
    tell(d, text, "");
    return edit;
}

static void generate(drawn *d, sonde_session *with) {
    static double prob[DRAWN_PROMPTS * MORE * 128];
    if (!made_decodes(&d->m) || d->m.config.encoder || roll(d, 3)) return;
    spoken      x = { .vocab = sonde_model_describe(d->m.model)->vocab, .prob = prob };
    sonde_error err = { 0 };
    CHECK(x.vocab <= 128);
    sonde_edit *edit = draw_running_edit(d);
    const sonde_edit *const edits = edit;
    const sonde_writing w = { .prompts = d->prompt, .n_prompts = (size_t)d->prompts, .edits = &edits, .n_edits = edit != NULL,
                              .runs = &d->b, .n_runs = 1,
                              .sampling = { .n = 1 + roll(d, MORE), .ignore_eos = true, .alternatives = x.vocab,
                                            .temperature = (double)roll(d, 2), .seed = DRAWN_SEED } };
    tell(d, "generates", "");
    const kern_table  *was = kern;
    const sonde_status s = sonde_generate(with, &w, take_token, &x, &err);
    if (s && !edit) FAIL_("%s", err.message);           /* some edits are of prompts alone */
    for (int i = 0; i < d->prompts && !s; i++) compare_generated(d, i, &x, edit);
    kern = was;
    sonde_edit_free(edit);
}

/* ---- one draw ---- */

static void compare_hash(drawn *d, sonde_session *with) {
    char a[65], b[65];
    sonde_error err = { 0 };
    if (!(d->m.config.head & (HEAD_LM | HEAD_MLM)) || roll(d, 3)) return;
    sonde_variant v = d->variant[0];
    sonde_batch   one = drawn_batch(d, 0);
    one.bases = &d->prompt[v.base];
    one.variants = &v;
    v.base = 0;
    if (sonde_run_hash(with, &one, a, &err)) FAIL_("%s", err.message);
    kern = kern_find("scalar");
    sonde_session *alone = made_session(&d->m, 1);
    if (sonde_run_hash(alone, &one, b, &err)) FAIL_("%s", err.message);
    sonde_session_free(alone);
    CHECK_STR(a, b);
}

/* One with little more memory than one of the variants needs. */
static sonde_session *draw_poor_session(drawn *d, sonde_session_options o, const way *asked) {
    static way     w;
    sonde_session *with;
    sonde_error    err = { 0 };
    for (o.memory = 50000; o.memory < 1 << 30; o.memory += o.memory / 4) {
        if (sonde_session_new(&with, d->m.model, o, &err)) FAIL_("%s", err.message);
        w = *asked;
        if (run_batch(with, &w) != SONDE_NOMEM) break;
        sonde_session_free(with);
    }
    char text[60];
    snprintf(text, sizeof text, "%lld bytes of memory", (long long)o.memory);
    tell(d, text, "");
    return with;
}

static void one_draw(drawn *d) {
    static const int threads[] = { 1, 2, 3, 7 };
    static way w;
    char       text[60];
    draw_runs(d);
    draw_kernels(d);
    sonde_session_options o = { .threads = threads[roll(d, 4)] };
    sonde_session *with = made_session(&d->m, o.threads);
    snprintf(text, sizeof text, "%d threads", o.threads);
    tell(d, text, "");
    for (int twice = 0; twice < 2; twice++) {           /* plans and scratch of the first run are there for the second */
        draw_wants(d, &w);
        sonde_session *poor = roll(d, 4) ? NULL : draw_poor_session(d, o, &w);
        run_together(d, poor ? poor : with, &w);
        sonde_session_free(poor);
    }
    generate(d, with);
    compare_hash(d, with);
    sonde_session_free(with);
}

static int64_t from_environment(const char *name, int64_t usual) {
    const char *text = getenv(name);
    return text && *text ? atoll(text) : usual;
}

/* The failure of one draw does not end the others: what is told of it runs it again. */
static bool draw_passes(uint64_t seed, uint64_t number, bool say, size_t *edits) {
    static drawn d;
    jmp_buf       out;
    const kern_table *was = kern;
    volatile bool good = true;
    d = (drawn){ .seed = seed, .number = number };
    memcpy(&out, &test_out_, sizeof out);
    if (!setjmp(test_out_)) {
        one_draw(&d);
        drawn_close(&d);
    } else good = false;
    memcpy(&test_out_, &out, sizeof out);
    kern = was;
    if (say || !good) printf("draw %lld: %s\n", (long long)number, d.told);
    if (!good) printf("again: SONDE_SEED=%lld SONDE_DRAW=%lld test_draws\n", (long long)seed, (long long)number);
    *edits += d.edits;
    return good;
}

static void any_run_has_the_bits_of_the_plain_one(void) {
    const int64_t one = from_environment("SONDE_DRAW", -1), n = one >= 0 ? 1 : from_environment("SONDE_DRAWS", USUAL);
    const uint64_t seed = (uint64_t)from_environment("SONDE_SEED", 11);
    size_t edits = 0;
    int    bad = 0;
    (void)sonde_isa_name();                             /* chosen once: from here on `kern` is ours */
    for (int64_t i = 0; i < n && bad < MOST_FAILURES; i++)
        bad += !draw_passes(seed, (uint64_t)(one >= 0 ? one : i), one >= 0, &edits);
    if (bad) FAIL_("%d draws of seed %lld differ", bad, (long long)seed);
    CHECK(one >= 0 || n < 100 || edits > (size_t)n / 3);
    printf("%lld draws, %zu edits\n", (long long)n, edits);
}

/* ---- what ships ---- */

static void shipped(const char *name) {
    static made_run plain, other;
    made        m = { 0 };
    char        path[600];
    sonde_error err = { 0 };
    snprintf(path, sizeof path, "%s/models/%s", SONDE_SOURCE_DIR, name);
    if (sonde_model_open(&m.model, path, NULL, &err)) FAIL_("%s", err.message);
    const sonde_model_info *info = sonde_model_describe(m.model);
    for (int64_t i = 0; i < MAKER_CONTEXT; i++) m.tokens[i] = (int32_t)(sonde_random_bits(2, 0, (uint64_t)i) % (uint64_t)info->vocab);
    arch_config some = { 0 };
    m.config.encoder = info->encoder_layers ? &some : NULL;             /* then there is a target */
    if (sonde_metric_parse(&m.metric, m.model, "logit(#3,-1)-0.7*logit(#7,0)", NULL, NULL, &err)) FAIL_("%s", err.message);
    for (const kern_table *const *t = kern_tables; *t; t++) {
        const bool scalar = *t == kern_find("scalar");
        if (!(*t)->supported() || scalar) continue;
        kern = kern_find("scalar");
        sonde_session *one = made_session(&m, 1), *two = made_session(&m, 2);
        if (!plain.n) made_shoot(&m, one, &(made_ask_for){ .n = 11 }, &plain);
        kern = *t;
        made_shoot(&m, two, &(made_ask_for){ .n = 11 }, &other);
        made_equal(name, (*t)->isa, &plain, &other);
        made_drop(&other);
        sonde_session_free(one);
        sonde_session_free(two);
    }
    made_drop(&plain);
    plain = (made_run){ 0 };
    sonde_metric_free(m.metric);
    sonde_model_close(m.model);
}

static void every_site_of_the_shipped_models_is_the_same_everywhere(void) {
    const kern_table *was = (sonde_isa_name(), kern);
    shipped("demo");
    shipped("induction");
    shipped("encoder");
    shipped("seq2seq");
    kern = was;
}

#define TESTS(X) \
    X(any_run_has_the_bits_of_the_plain_one) \
    X(every_site_of_the_shipped_models_is_the_same_everywhere)
TEST_MAIN(TESTS)
