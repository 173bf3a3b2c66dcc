/* A random model of every row of archs.def, made from its description: it opens, the same run in any other way has the same
 * bits, and what interface.md says of sites holds. A new row is tested from its first day. */
#define _GNU_SOURCE
#include "made.h"
#include "model/weight_table.h"
#include <unistd.h>

/* ---- opening ---- */

static void opens_in_every_spelling(const maker_case *c) {
    for (int i = 0; i < maker_spellings(c->family); i++) {
        for (int k = 0; k < 2; k++) {
            made     m = made_open(c, &(maker_how){ .spelling = i, .wide = k });
            made_run x;
            made_shoot(&m, m.session, &(made_ask_for){ 0 }, &x);
            for (size_t s = 0; s < x.n; s++)
                for (int64_t n = 0; n < x.site[s].n; n++)
                    if (isnan(x.site[s].value[n]) || (isinf(x.site[s].value[n]) && !strstr(x.site[s].name, "scores")))
                        FAIL_("%s: %s is not finite", maker_name(c), x.site[s].name);
            made_drop(&x);
            made_close(&m);
        }
    }
}

static void every_family_opens(void) { made_every(opens_in_every_spelling); }

/* Every class that a row names is found, with the row's type and without. */
static void every_class_is_found(void) {
    for (const arch *const *a = arch_table; *a; a++)
        for (const char *const *class = (*a)->hf_classes; *class; class++) {
            char        text[300];
            const json *tree;
            const arch *found;
            arena      *into = arena_new();
            for (int typed = 0; typed < 2; typed++) {
                snprintf(text, sizeof text, "{%s%s%s\"architectures\": [\"%s\"]}", typed ? "\"model_type\": \"" : "",
                         typed ? (*a)->hf_type : "", typed ? "\", " : "", *class);
                CHECK(json_parse(text, strlen(text), into, &tree, NULL) == SONDE_OK);
                if (arch_find(tree, &found, NULL) != SONDE_OK || found != *a) FAIL_("%s is not found as %s", text, (*a)->name);
            }
            arena_free(into);
        }
}

/* ---- the same run in another way ---- */

static void runs_are_equal(const maker_case *c) {
    made     m = made_open(c, &(maker_how){ 0 });
    made_run all, x;
    made_shoot(&m, m.session, &(made_ask_for){ 0 }, &all);
    made_shoot(&m, m.session, &(made_ask_for){ .sites = all.site[all.n - 1].name }, &x);
    made_equal(maker_name(c), "one site asked for, not all", &all, &x);
    made_drop(&x);
    for (int threads = 2; threads <= 3; threads++) {
        sonde_session *other = made_session(&m, threads);
        made_shoot(&m, other, &(made_ask_for){ 0 }, &x);
        made_equal(maker_name(c), "several threads", &all, &x);
        made_drop(&x);
        if (m.metric) {
            made_run g, h;
            made_shoot(&m, m.session, &(made_ask_for){ .grad = "**" }, &g);
            made_shoot(&m, other, &(made_ask_for){ .grad = "**" }, &h);
            made_equal(maker_name(c), "gradients with several threads", &g, &h);
            made_drop(&g);
            made_drop(&h);
        }
        sonde_session_free(other);
    }
    made_drop(&all);
    made_close(&m);
}

static void taps_and_threads_change_no_bit(void) { made_every(runs_are_equal); }

typedef struct { size_t n; double metric[8]; uint64_t hash[8]; } answers;

static sonde_status take_bits(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    answers *x = user;
    if (!a->site) {
        x->metric[a->variant] = a->metric;
        return SONDE_OK;
    }
    int64_t n = 1;
    for (int i = 0; i < a->value.rank; i++) n *= a->value.dim[i];
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &a->value.data[i], sizeof bits);
        x->hash[a->variant] = x->hash[a->variant] * 0x9E3779B97F4A7C15u + bits + 1;
    }
    return SONDE_OK;
}

/* Four prompts of different lengths at once, each plain and edited. */
static void batch_is_each_alone(const maker_case *c) {
    made          m = made_open(c, &(maker_how){ 0 });
    made_run      x;
    sonde_edit   *edit;
    sonde_error   err = { 0 };
    sonde_prompt  p[4];
    sonde_variant v[8];
    sonde_want    want[2];
    char          text[120];
    made_shoot(&m, m.session, &(made_ask_for){ 0 }, &x);
    snprintf(text, sizeof text, "scale:%s=1.5", x.site[x.n / 2].name);
    if (sonde_edit_parse(&edit, m.model, text, NULL, &err)) FAIL_("%s", err.message);
    for (int i = 0; i < 4; i++) p[i] = (sonde_prompt){ .tokens = m.tokens + i, .n = 4 + 2 * i };
    for (int i = 0; i < 8; i++) v[i] = (sonde_variant){ i % 4, (const sonde_edit *const *)&edit, i > 3 };
    want[0] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = x.site[x.n - 1].name };
    want[1] = (sonde_want){ .kind = SONDE_WANT_METRIC, .metric = m.metric };
    sonde_batch b = { .bases = p, .n_bases = 4, .variants = v, .n_variants = 8, .wants = want, .n_wants = m.metric ? 2 : 1 };
    answers together = { 0 };
    if (sonde_variants_run(m.session, &b, take_bits, &together, &err)) FAIL_("%s: %s", maker_name(c), err.message);
    for (int i = 0; i < 8; i++) {
        answers alone = { 0 };
        b.variants = &v[i];
        b.n_variants = 1;
        if (sonde_variants_run(m.session, &b, take_bits, &alone, &err)) FAIL_("%s", err.message);
        if (alone.hash[0] != together.hash[i] || alone.metric[0] != together.metric[i])
            FAIL_("%s: prompt %d, %s: other bits in a batch", maker_name(c), i % 4, i > 3 ? text : "not edited");
    }
    sonde_edit_free(edit);
    made_drop(&x);
    made_close(&m);
}

static void batches_change_no_bit(void) { made_every(batch_is_each_alone); }

/* Kernels are chosen once a process: this program runs itself with each instruction set, and this case prints. */
static void print_hash(const maker_case *c) {
    char hex[65];
    made m = made_open(c, &(maker_how){ 0 });
    if (m.config.head & (HEAD_LM | HEAD_MLM)) {
        const sonde_prompt  p = { .tokens = m.tokens, .n = 19 };
        const sonde_variant v = { 0 };
        const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1 };
        sonde_error err = { 0 };
        if (sonde_run_hash(m.session, &b, hex, &err)) FAIL_("%s: %s", maker_name(c), err.message);
        printf("hash %.16s %s\n", hex, maker_name(c));
    }
    if (m.metric) {
        made_run x;
        made_shoot(&m, m.session, &(made_ask_for){ .grad = "**" }, &x);
        uint64_t hash = 0;
        for (size_t i = 0; i < x.n; i++)
            for (int64_t k = 0; k < x.site[i].n; k++) {
                uint32_t bits;
                memcpy(&bits, &x.site[i].value[k], sizeof bits);
                hash = hash * 0x9E3779B97F4A7C15u + bits;
            }
        printf("hash %016llx gradients of %s\n", (unsigned long long)hash, maker_name(c));
        made_drop(&x);
    }
    made_close(&m);
}

static void print_the_hashes(void) {
    if (getenv("SONDE_TEST_HASH")) made_every(print_hash);
}

static char *hashes_with(const char *isa) {
    char   self[512] = "", command[800], line[1024];
    char  *out = calloc(1, 1 << 17);
    size_t n = 0;
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    snprintf(command, sizeof command, "SONDE_ISA=%s SONDE_TEST_HASH=1 '%s' print_the_hashes", isa, self);
    FILE *f = popen(command, "r");
    CHECK(f);
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, "hash ", 5) && n + sizeof line < 1 << 17) n += (size_t)sprintf(out + n, "%s", line);
    CHECK_EQ(pclose(f), 0);
    return out;
}

static void every_instruction_set_has_the_same_bits(void) {
    char       *first = NULL;
    const char *isa;
    bool        usable;
    for (size_t i = 0; (isa = sonde_isa_at(i, &usable)) != NULL; i++) {
        if (!usable) continue;
        char *other = hashes_with(isa);
        CHECK(strlen(other) > 1000);
        if (!first) first = strdup(other);
        size_t at = 0;
        while (first[at] && first[at] == other[at]) at++;
        while (at && first[at - 1] != '\n') at--;
        if (strcmp(first, other)) FAIL_("%s: %.*s, the first one has %.*s", isa, (int)strcspn(other + at, "\n"), other + at,
                                        (int)strcspn(first + at, "\n"), first + at);
        free(other);
    }
    free(first);
}

/* ---- rows one after the other ---- */

typedef struct { int32_t id[16]; double *prob; int64_t n; } spoken;

static sonde_status take_token(const sonde_generated *g, void *user, sonde_error *err) {
    (void)err;
    spoken *x = user;
    for (size_t i = 0; i < g->n_alternatives; i++) x->prob[x->n * MAKER_VOCAB + g->alternative[i]] = g->alternative_prob[i];
    x->id[x->n++] = g->id;
    return SONDE_OK;
}

typedef struct { const char *name; const spoken *said; int64_t first; } comparing;

static sonde_status compare_row(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    const comparing *c = user;
    for (int64_t k = 0; k < MAKER_VOCAB; k++) {
        const double p = sonde_logits_prob(a->value.data, MAKER_VOCAB, (int32_t)k), was = c->said->prob[(a->first - c->first) * MAKER_VOCAB + k];
        if (p != was) FAIL_("%s: row %lld: P(#%lld) is %.17g in one run, %.17g row by row", c->name, (long long)a->first, (long long)k, p, was);
    }
    return SONDE_OK;
}

/* Twelve rows behind a prompt, each from what the rows before it left: the same as all at once. */
static void generated_is_run(const maker_case *c, const made *m, int64_t n) {
    enum { MORE = 12 };
    static int32_t tokens[MAKER_CONTEXT];
    static double  prob[MORE * MAKER_VOCAB];
    spoken      x = { .prob = prob };
    int64_t     at[MORE];
    sonde_error err = { 0 };
    const sonde_prompt  p = { .tokens = m->tokens, .n = n };
    const sonde_writing w = { .prompts = &p, .n_prompts = 1,
                              .sampling = { .n = MORE, .ignore_eos = true, .alternatives = MAKER_VOCAB, .temperature = 1, .seed = 3 } };
    if (sonde_generate(m->session, &w, take_token, &x, &err)) FAIL_("%s: %s", maker_name(c), err.message);
    CHECK_EQ(x.n, MORE);
    memcpy(tokens, m->tokens, sizeof tokens);
    for (int64_t i = 0; i < MORE; i++) {
        tokens[n + i] = x.id[i];
        at[i] = n - 1 + i;
    }
    const comparing     with = { maker_name(c), &x, n - 1 };
    const sonde_variant v = { 0 };
    for (int64_t i = m->config.rope.by_length ? 0 : MORE - 1; i < MORE; i++) {      /* rotations that follow the length: run by run */
        const int64_t       first = m->config.rope.by_length ? i : 0;
        const sonde_prompt  whole = { .tokens = tokens, .n = n + i, .prompt = n };
        const sonde_want    want = { .kind = SONDE_WANT_LOGITS, .at = at + first, .n_at = (size_t)(i + 1 - first) };
        const sonde_batch   b = { .bases = &whole, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &want, .n_wants = 1 };
        comparing           each = with;
        if (sonde_variants_run(m->session, &b, compare_row, &each, &err)) FAIL_("%s: %s", maker_name(c), err.message);
    }
}

static void rows_come_one_by_one(const maker_case *c) {
    made m = made_open(c, &(maker_how){ 0 });
    if (made_decodes(&m)) {
        const bool longer = m.config.context >= 300;
        generated_is_run(c, &m, 1);
        generated_is_run(c, &m, longer ? 250 : 100);
    }
    made_close(&m);
}

static void a_prefill_is_token_by_token(void) { made_every(rows_come_one_by_one); }

/* A run goes through in chunks of 256 rows; a run with gradients takes them all at once. */
static void chunks_are_whole(const maker_case *c) {
    made     m = made_open(c, &(maker_how){ 0 });
    made_run chunks, start;
    enum { ROWS = 301, FEWER = 259 };
    if (made_decodes(&m) && m.config.context >= ROWS) {
        sonde_error err = { 0 };
        const made_ask_for long_run = { .n = ROWS, .sites = "**.hook_resid_post,unembed.hook_out" };
        const sonde_prompt  p = made_prompt(&m, &long_run);
        const sonde_variant v = { 0 };
        answers once = { 0 }, again = { 0 };
        const sonde_want wants[] = { { .kind = SONDE_WANT_METRIC, .metric = m.metric },
                                     { .kind = SONDE_WANT_GRAD, .sites = "hook_embed", .metric = m.metric } };
        sonde_batch b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = wants, .n_wants = 1 };
        if (sonde_variants_run(m.session, &b, take_bits, &once, &err)) FAIL_("%s: %s", maker_name(c), err.message);
        b.n_wants = 2;
        if (sonde_variants_run(m.session, &b, take_bits, &again, &err)) FAIL_("%s: %s", maker_name(c), err.message);
        if (once.metric[0] != again.metric[0]) FAIL_("%s: chunks have other bits than the whole", maker_name(c));
        made_shoot(&m, m.session, &long_run, &chunks);
        made_shoot(&m, m.session, &(made_ask_for){ .n = FEWER, .sites = long_run.sites }, &start);
        for (size_t i = 0; i < start.n && !m.config.rope.by_length; i++)
            if (memcmp(start.site[i].value, chunks.site[i].value, (size_t)start.site[i].n * sizeof(float)))
                FAIL_("%s: %s: what comes later changes rows before it", maker_name(c), start.site[i].name);
        made_drop(&chunks);
        made_drop(&start);
    }
    made_close(&m);
}

static void chunks_change_no_bit(void) { made_every(chunks_are_whole); }

/* ---- fields ---- */

/* What configs say by which models compute other numbers. */
static const char *const foreign[] = {
    "\"logit_scale\": 0.25", "\"logits_scaling\": 8.0", "\"embedding_multiplier\": 12.0", "\"residual_multiplier\": 0.22",
    "\"attention_multiplier\": 0.01", "\"scale_emb\": 12", "\"scale_depth\": 1.4", "\"attn_logit_softcapping\": 2.5",
    "\"final_logit_softcapping\": 1.5", "\"clip_qkv\": 0.3", "\"qk_layernorm\": true", "\"use_qk_norm\": true",
    "\"n_routed_experts\": 8", "\"n_shared_experts\": 1", "\"shared_expert_intermediate_size\": 64", "\"kv_lora_rank\": 16",
    "\"alibi\": true", "\"parallel_attn\": true", "\"partial_rotary_factor\": 0.5", "\"rotary_pct\": 0.25", "\"rotary_dim\": 2",
    "\"rope_interleaved\": true", "\"no_rope_layers\": [1, 0]", "\"attention_chunk_size\": 4", "\"add_cross_attention\": true",
    "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 4.0}", "\"query_pre_attn_scalar\": 7", "\"scale_embedding\": true",
    "\"use_bidirectional_attention\": true", "\"num_experts\": 3", "\"num_local_experts\": 3", "\"use_parallel_residual\": true",
    "\"apply_residual_connection_post_layernorm\": true", "\"normalize_before\": true", "\"pruned_heads\": {\"0\": [1]}",
    "\"quantization_config\": {\"quant_method\": \"gptq\"}",
};

static bool opens(const made *m, const char *text, sonde_model **out, sonde_error *err) {
    scratch_write(&m->dir, "m/config.json", text, strlen(text));
    *err = (sonde_error){ 0 };
    return sonde_model_open(out, in_scratch(&m->dir, "m").text, NULL, err) == SONDE_OK;
}

static bool named(const maker_case *c, const sonde_error *err, const char *name) {
    if (strstr(err->message, name) || strstr(err->message, "tensor") || strstr(err->message, "of a head rotate")) return true;
    FAIL_("%s: %s: %s", maker_name(c), name, err->message);
}

/* It is refused by its name, or changes the run, or what tensors there have to be, or is what holds anyhow: then it is read,
 * so that a text in its place is refused. */
static void field_counts(const maker_case *c, const made *m, made_run *plain, const char *field) {
    char        name[60], text[80];
    made        other = *m;
    made_run    x;
    sonde_error err;
    arena      *into = arena_new();
    const char *const more = *c->more ? arena_printf(into, ", %s", c->more) : "";
    const maker_case  with = { c->family, c->class, arena_printf(into, "%s%s", field, more) };
    snprintf(name, sizeof name, "%.*s", (int)strcspn(field + 1, "\""), field + 1);
    snprintf(text, sizeof text, "\"%s\": \"?\"", name);
    const maker_case  wrong = { c->family, c->class, arena_printf(into, "%s%s", text, more) };
    const maker_how   how = { 0 };
    if (!strstr(c->more, name) && (opens(m, maker_config(&with, &how, into), &other.model, &err) || !named(c, &err, name))) {
        other.session = made_session(&other, 1);
        other.metric = NULL;
        made_shoot(&other, other.session, &(made_ask_for){ 0 }, &x);
        bool differs = x.n != plain->n;
        for (size_t i = 0; i < x.n && !differs; i++) differs = made_differs(&plain->site[i], &x.site[i]) >= 0;
        made_drop(&x);
        sonde_session_free(other.session);
        sonde_model_close(other.model);
        if (!differs && (opens(m, maker_config(&wrong, &how, into), &other.model, &err) || !named(c, &err, name)))
            FAIL_("%s: %s is neither computed nor refused", maker_name(c), field);
    }
    arena_free(into);
}

static void fields_count(const maker_case *c) {
    made     m = made_open(c, &(maker_how){ 0 });
    made_run plain;
    made_shoot(&m, m.session, &(made_ask_for){ 0 }, &plain);
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) field_counts(c, &m, &plain, foreign[i]);
    made_drop(&plain);
    made_close(&m);
}

static void no_field_is_ignored(void) { made_every(fields_count); }

#define TESTS(X) \
    X(no_field_is_ignored) \
    X(every_family_opens) \
    X(every_class_is_found) \
    X(taps_and_threads_change_no_bit) \
    X(batches_change_no_bit) \
    X(print_the_hashes) \
    X(every_instruction_set_has_the_same_bits) \
    X(a_prefill_is_token_by_token) \
    X(chunks_change_no_bit)
TEST_MAIN(TESTS)
