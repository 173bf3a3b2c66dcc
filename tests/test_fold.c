/* Folding leaves log-probabilities as they are, and the weights as features.md 1.1 wants them. */
#include "test.h"
#include "sonde/sonde.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct { float *at; int64_t dim[4]; int rank; } read_weight;

static read_weight weight_named(const sonde_model *m, const char *name) {
    for (size_t i = 0; i < sonde_model_weights(m); i++) {
        sonde_weight_info w;
        sonde_error err;
        sonde_model_weight(m, i, &w);
        if (strcmp(w.name, name) != 0) continue;
        read_weight out = { .rank = w.rank };
        int64_t n = 1;
        for (int k = 0; k < w.rank; k++) n *= out.dim[k] = w.dim[k];
        out.at = malloc((size_t)n * sizeof *out.at);
        if (sonde_model_weight_read(m, i, out.at, &err)) FAIL_("%s", err.message);
        return out;
    }
    FAIL_("no weight %s", name);
    return (read_weight){ 0 };
}

static double sum_along(const float *x, int64_t n, int64_t step) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i * step];
    return sum / (double)n;
}

typedef struct { double *at; int64_t rows, cols; } kept_logits;

static sonde_status keep(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    kept_logits *k = user;
    k->cols = a->value.dim[a->value.rank - 1];
    const int64_t rows = a->value.rank == 2 ? a->value.dim[0] : 1;
    k->at = realloc(k->at, (size_t)((k->rows + rows) * k->cols) * sizeof *k->at);
    if (!k->at) abort();
    for (int64_t i = 0; i < rows * k->cols; i++) k->at[k->rows * k->cols + i] = (double)a->value.data[i];
    k->rows += rows;
    return SONDE_OK;
}

/* Log-probabilities of every position. */
static kept_logits answers(const sonde_model *m, const int32_t *tokens, int64_t n) {
    sonde_session *s;
    sonde_error    err;
    kept_logits    k = { 0 };
    if (sonde_session_new(&s, m, (sonde_session_options){ .threads = 1 }, &err)) FAIL_("%s", err.message);
    const sonde_prompt  p = { .tokens = tokens, .n = n };
    const sonde_variant v = { 0 };
    const sonde_want    w = { .kind = SONDE_WANT_LOGITS };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &w, .n_wants = 1 };
    if (sonde_variants_run(s, &b, keep, &k, &err)) FAIL_("%s", err.message);
    for (int64_t r = 0; r < k.rows; r++) {
        double *row = k.at + r * k.cols, sum = 0, most = row[0];
        for (int64_t i = 1; i < k.cols; i++) most = fmax(most, row[i]);
        for (int64_t i = 0; i < k.cols; i++) sum += exp(row[i] - most);
        for (int64_t i = 0; i < k.cols; i++) row[i] -= most + log(sum);
    }
    sonde_session_free(s);
    return k;
}

static void check_weights(const sonde_model *m) {
    const sonde_model_info *i = sonde_model_describe(m);
    const read_weight e = weight_named(m, "embed.W_E"), u = weight_named(m, "unembed.W_U"), w = weight_named(m, "blocks.0.mlp.W_in"),
                      out = weight_named(m, "blocks.0.mlp.W_out"), o = weight_named(m, "blocks.0.attn.W_O"),
                      q = weight_named(m, "blocks.0.attn.W_Q"), bv = weight_named(m, "blocks.0.attn.b_V"),
                      g = weight_named(m, "ln_final.w"), bu = weight_named(m, "unembed.b_U");
    for (int64_t v = 0; v < i->vocab; v++) CHECK_NEAR(sum_along(e.at + v * i->d, i->d, 1), 0, 1e-6);
    for (int64_t v = 0; v < i->vocab; v++) CHECK_NEAR(sum_along(u.at + v, i->d, i->vocab), 0, 1e-5);
    for (int64_t d = 0; d < i->d; d++) CHECK_NEAR(sum_along(u.at + d * i->vocab, i->vocab, 1), 0, 1e-5);
    for (int64_t f = 0; f < i->f; f++) CHECK_NEAR(sum_along(w.at + f, i->d, i->f), 0, 1e-6);
    for (int64_t f = 0; f < i->f; f++) CHECK_NEAR(sum_along(out.at + f * i->d, i->d, 1), 0, 1e-6);
    for (int64_t h = 0; h < i->heads * i->e; h++) CHECK_NEAR(sum_along(o.at + h * i->d, i->d, 1), 0, 1e-6);
    for (int64_t h = 0; h < i->heads; h++)
        for (int64_t k = 0; k < i->e; k++) CHECK_NEAR(sum_along(q.at + h * i->d * i->e + k, i->d, i->e), 0, 1e-6);
    for (int64_t k = 0; k < i->kv_heads * i->e; k++) CHECK(bv.at[k] == 0);
    for (int64_t k = 0; k < i->d; k++) CHECK(g.at[k] == 1);
    CHECK_NEAR(sum_along(bu.at, i->vocab, 1), 0, 1e-6);
    const read_weight all[] = { e, u, w, out, o, q, bv, g, bu };
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) free(all[k].at);
}

/* Behind an RMS norm only W_U is centred; what the model has no bias for gets none. */
static void check_rms_weights(const sonde_model *from, const sonde_model *m, bool biases) {
    static const char *const norms[] = { "blocks.0.ln1.w", "blocks.0.ln2.w", "ln_final.w" };
    const sonde_model_info *i = sonde_model_describe(m);
    const read_weight e = weight_named(m, "embed.W_E"), was = weight_named(from, "embed.W_E"), u = weight_named(m, "unembed.W_U");
    CHECK(memcmp(e.at, was.at, (size_t)(i->vocab * i->d) * sizeof *e.at) == 0);
    for (int64_t d = 0; d < i->d; d++) CHECK_NEAR(sum_along(u.at + d * i->vocab, i->vocab, 1), 0, 1e-5);
    for (int n = 0; n < 3; n++) {
        const read_weight g = weight_named(m, norms[n]);
        for (int64_t k = 0; k < i->d; k++) CHECK(g.at[k] == 1);
        free(g.at);
    }
    for (const char *const *of = (const char *const[]){ "attn.W_Q", "mlp.W_gate", "mlp.W_in", NULL }; *of; of++) {
        char name[40];
        const char *norm = strncmp(*of, "attn", 4) ? "blocks.1.ln2.w" : "blocks.1.ln1.w";
        snprintf(name, sizeof name, "blocks.1.%s", *of);
        const read_weight w = weight_named(m, name), old = weight_named(from, name), g = weight_named(from, norm);
        const int64_t heads = w.rank == 3 ? w.dim[0] : 1, inner = w.dim[w.rank - 1];
        for (int64_t k = 0; k < heads * i->d * inner; k++)
            CHECK_NEAR((double)w.at[k], (double)old.at[k] * (double)g.at[k / inner % i->d], 1e-7);
        free(w.at);
        free(old.at);
        free(g.at);
    }
    CHECK(sonde_model_weights(m) == sonde_model_weights(from));
    if (biases) {
        const read_weight bv = weight_named(m, "blocks.0.attn.b_V");
        for (int64_t k = 0; k < i->kv_heads * i->e; k++) CHECK(bv.at[k] == 0);
        free(bv.at);
    }
    free(e.at);
    free(was.at);
    free(u.at);
}

typedef enum { LAYER_NORMS, RMS_NORMS, RMS_WITH_BIASES } fold_kind;

static void fold_one(const char *name, fold_kind kind) {
    const sonde_model_search where = { .shipped = SONDE_SOURCE_DIR "/models" };
    sonde_model *m, *folded;
    sonde_error  err;
    if (sonde_model_open(&m, name, &where, &err)) FAIL_("%s", err.message);
    if (sonde_model_fold(m, &folded, &err)) FAIL_("%s", err.message);
    int32_t tokens[9];
    for (int k = 0; k < 9; k++) tokens[k] = (int32_t)((k * 37 + 11) % sonde_model_describe(m)->vocab);
    const kept_logits a = answers(m, tokens, 9), b = answers(folded, tokens, 9);
    double worst = 0;
    for (int64_t i = 0; i < a.rows * a.cols; i++) worst = fmax(worst, fabs(a.at[i] - b.at[i]) / fmax(1, fabs(a.at[i])));
    CHECK(a.rows == 9 && b.rows == 9);
    CHECK_NEAR(worst, 0, 2e-5);
    if (kind == LAYER_NORMS) check_weights(folded);
    else check_rms_weights(m, folded, kind == RMS_WITH_BIASES);
    CHECK(strcmp(sonde_model_hash(m), sonde_model_hash(folded)) != 0);
    CHECK_STR(sonde_model_describe(m)->name, sonde_model_describe(folded)->name);
    free(a.at);
    free(b.at);
    sonde_model_close(m);                   /* the folded one lives on */
    sonde_tokens t;
    if (sonde_model_describe(folded)->has_tokenizer) {
        CHECK_EQ(sonde_tokenize(folded, " a", 2, (sonde_token_options){ 0 }, &t, &err), SONDE_OK);
        sonde_tokens_free(&t);
    }
    sonde_model_close(folded);
}

static void demo_is_folded(void)     { fold_one(NULL, LAYER_NORMS); }
static void random_models_are_folded(void) {
    fold_one(SONDE_SOURCE_DIR "/tests/golden/three", LAYER_NORMS);
    fold_one(SONDE_SOURCE_DIR "/tests/golden/inner", LAYER_NORMS);
    fold_one(SONDE_SOURCE_DIR "/tests/golden/one_head", LAYER_NORMS);
    fold_one(SONDE_SOURCE_DIR "/tests/golden/llama_grouped", RMS_NORMS);
    fold_one(SONDE_SOURCE_DIR "/tests/golden/llama_limit", RMS_NORMS);
    fold_one(SONDE_SOURCE_DIR "/tests/golden/llama_biased", RMS_WITH_BIASES);
}

#define TESTS(X) X(demo_is_folded) X(random_models_are_folded)
TEST_MAIN(TESTS)
