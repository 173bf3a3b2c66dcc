/* The same run in another way has the same bits (interface.md 7): threads, chunks, batch, cache, what else is asked.
 * On the random models of tests/golden, and on one with a long context. */
#define _GNU_SOURCE
#include "shot.h"
#include "scratch.h"
#include "ref/ref_gpt2.h"
#include <pthread.h>
#include <unistd.h>

/* Every site of `b` below position `until` is in `a` with the same bits; `but`: a site that is passed over. */
static void same_bits(shot *a, shot *b, int64_t until, const char *how, const char *but) {
    for (size_t i = 0; i < b->n; i++) {
        const held *y = &b->site[i], *x = find(a, y->name);
        const bool  keys = y->axes[0] == 'h';
        if (but && !strcmp(but, y->name)) continue;
        for (int64_t k = 0; k < y->n; k++) {
            int64_t c[3] = { 0 }, rest = k;
            for (int d = y->rank - 1; d >= 0; d--) {
                c[d] = rest % y->dim[d];
                rest /= y->dim[d];
            }
            if (c[keys] >= until || (keys && c[2] >= until)) continue;
            int64_t at = 0;
            for (int d = 0; d < y->rank; d++) at = at * x->dim[d] + c[d];
            if (!same(x->value[at], y->value[k]))
                FAIL_("%s: %s item %lld is %.9g and %.9g", how, y->name, (long long)k, (double)x->value[at], (double)y->value[k]);
        }
    }
}

/* Edits that every model takes, by kind of path they go through. */
static const char *const edit_sets[] = {
    "",
    "set:blocks.1.attn.hook_pattern[0,-1,0]=0.5;scale:blocks.0.attn.hook_pattern[:,:,1]=0.25",
    "noise:hook_embed=0.3;noise:blocks.1.hook_resid_mid[2]=0.1",
    "scale:blocks.0.attn.hook_z[:,0]=-1;freeze:blocks.1.attn.hook_pattern",
    "patch:blocks.1.hook_resid_pre[2]=B[1];mean:blocks.0.mlp.hook_post[:,3]",
    "add:blocks.0.hook_q_input[1:3,0]=0.5;zero:blocks.1.attn.hook_result[2,0]",
    "repeat:blocks.0=2;scale:blocks.0.hook_mlp_out=0.5",
    "skip:blocks.0.mlp;set:blocks.1.ln1.hook_scale[1]=2;add:hook_mlp_in[0]=1",
    "swap:blocks.0,blocks.1;patch:blocks.0.hook_attn_out=B",
};
enum { SETS = sizeof edit_sets / sizeof *edit_sets };

static void threads_change_no_bit(void) {
    for (int m = 1; m < MODELS; m += 2)                     /* three, limit */
        for (int e = m - 1; e < SETS; e++)
            for (int what = VALUES; what <= GRADIENTS; what++) {
                setting s;
                shot    one, other;
                open_setting(&s, golden(model_names[m]), 9, edit_sets[e]);
                sonde_session *with = session(&s, 1);
                shoot(&s, with, (asked)what, NULL, &one);
                sonde_session_free(with);
                for (int threads = 2; threads <= 7; threads += 5) {
                    with = session(&s, threads);
                    shoot(&s, with, (asked)what, NULL, &other);
                    same_bits(&one, &other, s.n, edit_sets[e], NULL);
                    CHECK(one.metric == other.metric);
                    drop(&other);
                    sonde_session_free(with);
                }
                drop(&one);
                close_setting(&s);
            }
}

/* ---- several threads, each with a session, share a model, its edits and its metric ---- */

typedef struct { const setting *s; int threads; shot values, gradients; } sharer;

static void *shoot_both(void *ctx) {
    sharer *x = ctx;
    sonde_session *with = session(x->s, x->threads);
    shoot(x->s, with, VALUES, NULL, &x->values);
    shoot(x->s, with, GRADIENTS, "blocks.*.hook_resid_pre", &x->gradients);
    sonde_session_free(with);
    return NULL;
}

static void sessions_side_by_side_are_each_alone(void) {
    static sharer x[4];
    for (int e = 0; e < SETS; e += 3) {
        setting   s;
        pthread_t thread[4];
        open_setting(&s, golden("three"), 9, edit_sets[e]);
        for (int i = 0; i < 4; i++) x[i] = (sharer){ .s = &s, .threads = 1 + i % 2 };
        shoot_both(&x[0]);
        for (int i = 1; i < 4; i++) CHECK_EQ(pthread_create(&thread[i], NULL, shoot_both, &x[i]), 0);
        for (int i = 1; i < 4; i++) {
            pthread_join(thread[i], NULL);
            same_bits(&x[0].values, &x[i].values, s.n, "side by side", NULL);
            same_bits(&x[0].gradients, &x[i].gradients, s.n, "side by side", NULL);
        }
        for (int i = 0; i < 4; i++) {
            drop(&x[i].values);
            drop(&x[i].gradients);
        }
        close_setting(&s);
    }
}

static void asking_for_sites_changes_no_bit(void) {
    for (int m = 0; m < MODELS; m++)
        for (int e = 0; e < SETS; e++) {
            setting s;
            shot    all, few, back;
            open_setting(&s, golden(model_names[m]), 9, edit_sets[e]);
            sonde_session *with = session(&s, 1);
            shoot(&s, with, VALUES, NULL, &all);
            shoot(&s, with, VALUES, "unembed.hook_out", &few);
            same_bits(&all, &few, s.n, edit_sets[e], NULL);
            shoot(&s, with, VALUES_WITH_GRADIENTS, NULL, &back);
            same_bits(&all, &back, s.n, edit_sets[e], "hook_embed");
            CHECK(all.metric == few.metric && all.metric == back.metric);
            drop(&all);
            drop(&few);
            drop(&back);
            sonde_session_free(with);
            close_setting(&s);
        }
}

/* ---- long prompts go through in chunks of 256; the way back takes all rows at once ---- */

static void long_model(scratch *dir) {
    ref_layer layer[2];
    ref_gpt2  m = { .layers = 2, .heads = 2, .width = 16, .inner = 24, .vocab = 37, .positions = 600, .eps = 1e-5, .layer = layer };
    float    *memory = calloc((size_t)ref_gpt2_floats(&m, false), sizeof *memory);
    ref_gpt2_random(&m, 11, 0.3, false, memory);
    *dir = scratch_new();
    CHECK(ref_gpt2_save(&m, dir->path));
    free(memory);
}

/* A random model without a table of positions may have as many as its config says. */
static void longer(scratch *dir, const char *name) {
    static const char field[] = "\"max_position_embeddings\": ";
    static char bytes[1 << 17], config[2000];
    *dir = scratch_new();
    for (int i = 0; i < 2; i++) {
        char path[700];
        snprintf(path, sizeof path, "%s/%s", golden(name), i ? "config.json" : "model.safetensors");
        FILE *f = fopen(path, "rb");
        CHECK(f != NULL);
        const size_t n = fread(bytes, 1, sizeof bytes - 1, f);
        fclose(f);
        bytes[n] = 0;
        if (!i) scratch_write(dir, "model.safetensors", bytes, n);
    }
    const char *at = strstr(bytes, field);
    CHECK(at != NULL);
    at += strlen(field);
    snprintf(config, sizeof config, "%.*s600%s", (int)(at - bytes), bytes, at + strspn(at, "0123456789"));
    scratch_write(dir, "config.json", config, strlen(config));
}

static void chunks_in(const char *folder) {
    static const char *const sets[] = {
        "", "freeze:blocks.1.attn.hook_pattern;add:blocks.0.hook_resid_post[:,3]=0.5",
        "patch:blocks.1.hook_resid_pre[300]=B[280];noise:blocks.0.hook_mlp_out=0.2",
        "scale:blocks.1.attn.hook_pattern[1,255:258,250:300]=3;add:blocks.1.hook_k_input[256,1]=1",
    };
    for (size_t e = 0; e < sizeof sets / sizeof *sets; e++) {
        setting s;
        shot    chunked, whole, start;
        open_setting(&s, folder, 600, sets[e]);
        sonde_session *with = session(&s, 2);
        shoot(&s, with, VALUES, NULL, &chunked);
        shoot(&s, with, VALUES_WITH_GRADIENTS, NULL, &whole);
        same_bits(&chunked, &whole, 600, sets[e], "hook_embed");
        CHECK(chunked.metric == whole.metric);
        if (e == 0) {                           /* what comes later changes nothing before */
            s.n = 301;
            shoot(&s, with, VALUES, NULL, &start);
            same_bits(&chunked, &start, 301, "a prefix", NULL);
            drop(&start);
        }
        drop(&chunked);
        drop(&whole);
        sonde_session_free(with);
        close_setting(&s);
    }
}

static void chunks_change_no_bit(void) {
    scratch dir;
    long_model(&dir);
    chunks_in(dir.path);
    scratch_end(&dir);
    longer(&dir, "llama_grouped");
    chunks_in(dir.path);
    scratch_end(&dir);
}

/* ---- many variants at once ---- */

typedef struct { double value[64]; } metrics;

static sonde_status take_metric(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    ((metrics *)user)->value[a->variant] = a->metric;
    return SONDE_OK;
}

static void batch_is_each_alone(void) {
    enum { BASES = 4 };
    for (int m = 0; m < MODELS; m++) {
        setting       s[SETS];
        sonde_variant v[SETS * BASES];
        sonde_prompt  p[BASES];
        size_t        n = 0;
        for (int e = 0; e < SETS; e++) open_setting(&s[e], golden(model_names[m]), 9, edit_sets[e]);
        for (int i = 0; i < BASES; i++) p[i] = (sonde_prompt){ .tokens = s[0].tokens + i, .n = 5 + 2 * i };
        for (int e = 0; e < SETS; e++)
            for (int i = 0; i < BASES; i++)
                v[n++] = (sonde_variant){ i, (const sonde_edit *const *)s[e].edit, s[e].n_edits };
        const sonde_want      w = { .kind = SONDE_WANT_METRIC, .metric = s[0].metric };
        const sonde_named_run b = { .name = "B", .prompt = { s[0].other, 15, 0 } };
        sonde_batch all = { .bases = p, .n_bases = BASES, .variants = v, .n_variants = n, .wants = &w, .n_wants = 1,
                            .runs = &b, .n_runs = 1, .seed = 9 };
        metrics     together = { { 0 } }, alone = { { 0 } };
        sonde_error err = { 0 };
        sonde_session *with = session(&s[0], 1);
        if (sonde_variants_run(with, &all, take_metric, &together, &err)) FAIL_("%s", err.message);
        for (size_t i = 0; i < n; i++) {
            sonde_batch one = all;
            one.variants = &v[i];
            one.n_variants = 1;
            if (sonde_variants_run(with, &one, take_metric, &alone, &err)) FAIL_("%s", err.message);
            if (alone.value[0] != together.value[i])
                FAIL_("%s, edits \"%s\", base %zu: %.17g alone, %.17g beside others", model_names[m], edit_sets[i / BASES],
                      i % BASES, alone.value[0], together.value[i]);
        }
        sonde_session_free(with);
        for (int e = 0; e < SETS; e++) close_setting(&s[e]);
    }
}

/* ---- generation is one run over prompt and output ---- */

typedef struct {
    int32_t id[12];
    double  prob[12], *all;             /* all: [12, vocab], by id */
    int64_t n, vocab;
} spoken;

static sonde_status take_token(const sonde_generated *g, void *user, sonde_error *err) {
    (void)err;
    spoken *x = user;
    CHECK_EQ((int64_t)g->n_alternatives, x->vocab);
    for (size_t i = 0; i < g->n_alternatives; i++) x->all[x->n * x->vocab + g->alternative[i]] = g->alternative_prob[i];
    x->prob[x->n] = g->prob;
    x->id[x->n++] = g->id;
    return SONDE_OK;
}

typedef struct { spoken *x; int64_t prompt; const char *edits; } comparing;

static sonde_status compare_row(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    const comparing *c = user;
    const spoken    *x = c->x;
    const int64_t    i = a->first - (c->prompt - 1);
    CHECK_EQ(sonde_logits_stats(a->value.data, x->vocab).argmax, x->id[i]);
    for (int64_t k = 0; k < x->vocab; k++) {
        const double p = sonde_logits_prob(a->value.data, x->vocab, (int32_t)k);
        if (p != x->all[i * x->vocab + k])
            FAIL_("\"%s\": token %lld: P(#%lld) is %.17g generated, %.17g in one run", c->edits, (long long)i, (long long)k,
                  x->all[i * x->vocab + k], p);
    }
    return SONDE_OK;
}

static void generated_as_run(const char *folder, int64_t n_prompt, int64_t more, const char *edits) {
    setting s;
    open_setting(&s, folder, n_prompt, edits);
    sonde_error err = { 0 };
    sonde_session *with = session(&s, 1);
    spoken x = { .vocab = sonde_model_describe(s.model)->vocab };
    x.all = calloc((size_t)(12 * x.vocab), sizeof *x.all);
    const sonde_prompt    p = { .tokens = s.tokens, .n = n_prompt };
    const sonde_named_run b = { .name = "B", .prompt = { s.other, n_prompt, 0 } };
    const sonde_writing   w = { .prompts = &p, .n_prompts = 1, .edits = (const sonde_edit *const *)s.edit, .n_edits = s.n_edits,
                                .runs = &b, .n_runs = 1,
                                .sampling = { .n = more, .ignore_eos = true, .alternatives = x.vocab, .seed = 9 } };
    if (sonde_generate(with, &w, take_token, &x, &err)) FAIL_("\"%s\": %s", edits, err.message);
    CHECK_EQ(x.n, more);
    int64_t at[12];
    for (int64_t i = 0; i < more; i++) {
        s.tokens[n_prompt + i] = x.id[i];
        at[i] = n_prompt - 1 + i;
    }
    const sonde_prompt  whole = { .tokens = s.tokens, .n = n_prompt + more - 1, .prompt = n_prompt };
    const sonde_variant v = { 0, w.edits, w.n_edits };
    const sonde_want    want = { .kind = SONDE_WANT_LOGITS, .at = at, .n_at = (size_t)more };
    const sonde_batch   one = { .bases = &whole, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &want, .n_wants = 1,
                                .runs = &b, .n_runs = 1, .seed = 9 };
    comparing c = { &x, n_prompt, edits };
    if (sonde_variants_run(with, &one, compare_row, &c, &err)) FAIL_("\"%s\": %s", edits, err.message);
    free(x.all);
    sonde_session_free(with);
    close_setting(&s);
}

static void a_generation_is_one_run(void) {
    static const char *const more[] = {
        "add:blocks.0.hook_resid_post[:,2]=0.5@generated", "zero:blocks.1.attn.hook_z[:,0]@prompt",
        "set:hook_resid_mid[6,1]=2;scale:blocks.0.attn.hook_pattern[0,:,2]=2@generated",
        "patch:blocks.0.hook_attn_out=B;noise:blocks.1.hook_attn_out=0.2@generated",
        "freeze:blocks.1.hook_mlp_out;mean:blocks.0.attn.hook_z[:,0]@generated",
        "freeze:blocks.0-1.attn.hook_pattern;add:hook_embed[7]=0.3", "add:blocks.1.hook_q_input[:,0]=0.4@generated",
        "set:blocks.0.attn.hook_attn_scores[0,:,1]=1.5",
    };
    for (int m = 0; m < MODELS; m++) {
        for (int e = 0; e < SETS; e++) generated_as_run(golden(model_names[m]), 5, 12, edit_sets[e]);
        for (size_t e = 0; e < sizeof more / sizeof *more; e++) generated_as_run(golden(model_names[m]), 5, 12, more[e]);
    }
    scratch dir;
    long_model(&dir);
    generated_as_run(dir.path, 254, 12, "freeze:blocks.1.attn.hook_pattern;add:blocks.0.hook_resid_post[255]=0.5");
    scratch_end(&dir);
    longer(&dir, "llama_biased");
    generated_as_run(dir.path, 254, 12, "scale:blocks.0.attn.hook_rot_k[:,0]=0.5;set:blocks.1.attn.hook_rot_q[255,1]=0.5");
    scratch_end(&dir);
}

/* ---- and one number for it all ---- */

static void the_hash_is_the_same_each_time(void) {
    setting s;
    char    a[65], b[65], c[65];
    open_setting(&s, golden("three"), 9, "scale:blocks.0.attn.hook_z=0.5");
    const sonde_prompt  p = { .tokens = s.tokens, .n = s.n };
    const sonde_variant plain = { 0, NULL, 0 }, edited = { 0, (const sonde_edit *const *)s.edit, s.n_edits };
    sonde_batch batch = { .bases = &p, .n_bases = 1, .variants = &plain, .n_variants = 1 };
    sonde_session *one = session(&s, 1), *seven = session(&s, 7);
    CHECK_EQ(sonde_run_hash(one, &batch, a, NULL), SONDE_OK);
    CHECK_EQ(sonde_run_hash(seven, &batch, b, NULL), SONDE_OK);
    batch.variants = &edited;
    CHECK_EQ(sonde_run_hash(seven, &batch, c, NULL), SONDE_OK);
    CHECK(strlen(a) == 64);
    CHECK_STR(a, b);
    CHECK(strcmp(a, c) != 0);
    sonde_session_free(one);
    sonde_session_free(seven);
    close_setting(&s);
}

/* Kernels are chosen once a process: this program runs itself with each instruction set, and this case prints. */
static void print_a_hash(const char *name, int64_t n) {
    char    hex[65];
    setting s;
    open_setting(&s, golden(name), n, "scale:blocks.0.attn.hook_pattern[:,:,1]=0.25;noise:hook_embed=0.3");
    const sonde_prompt  p = { .tokens = s.tokens, .n = s.n };
    const sonde_variant v = { 0, (const sonde_edit *const *)s.edit, s.n_edits };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1 };
    sonde_session *with = session(&s, 2);
    CHECK_EQ(sonde_run_hash(with, &b, hex, NULL), SONDE_OK);
    printf("hash %s\n", hex);
    sonde_session_free(with);
    close_setting(&s);
}

static void print_the_hash(void) {
    if (!getenv("SONDE_TEST_HASH")) return;
    print_a_hash("inner", 31);
    print_a_hash("llama_biased", 31);
}

/* Of both models, one behind the other. */
static void hash_with(const char *isa, char out[129]) {
    char self[512] = "", command[800], line[256];
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    snprintf(command, sizeof command, "SONDE_ISA=%s SONDE_TEST_HASH=1 '%s' print_the_hash", isa, self);
    FILE *f = popen(command, "r");
    CHECK(f);
    size_t n = 0;
    out[0] = 0;
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, "hash ", 5) && strlen(line) >= 69 && n <= 64) n += (size_t)snprintf(out + n, 65, "%.64s", line + 5);
    CHECK_EQ(pclose(f), 0);
}

static void every_instruction_set_has_the_same_bits(void) {
    char        first[129] = "", other[129];
    const char *isa;
    bool        usable;
    for (size_t i = 0; (isa = sonde_isa_at(i, &usable)) != NULL; i++) {
        if (!usable) continue;
        hash_with(isa, other);
        CHECK(strlen(other) == 128);
        if (!*first) memcpy(first, other, sizeof first);
        if (strcmp(first, other)) FAIL_("%s: %s, the first one %s", isa, other, first);
    }
}

#define TESTS(X) \
    X(print_the_hash) \
    X(every_instruction_set_has_the_same_bits) \
    X(threads_change_no_bit) \
    X(sessions_side_by_side_are_each_alone) \
    X(asking_for_sites_changes_no_bit) \
    X(chunks_change_no_bit) \
    X(batch_is_each_alone) \
    X(a_generation_is_one_run) \
    X(the_hash_is_the_same_each_time)
TEST_MAIN(TESTS)
