/* Storage types and containers change no bit of what a model computes: a random model of every row of archs.def, stored in
 * 16 bits, through GGUF and back, and quantised. */
#define _GNU_SOURCE
#include "made.h"
#include "sonde/save.h"

/* The same description, opened from another path. */
static made open_as(const made *like, const char *path, const char *name) {
    made m = *like;
    sonde_error err = { 0 };
    if (sonde_model_open(&m.model, path, NULL, &err)) FAIL_("%s: %s", name, err.message);
    const char *warning = sonde_model_warning(m.model, 0);
    if (warning) FAIL_("%s: %s: %s", name, path, warning);
    m.session = made_session(&m, 1);
    m.metric = NULL;
    if (!like->config.bidirectional) made_ask(&m);
    return m;
}

static void close_other(made *m) {
    sonde_metric_free(m->metric);
    sonde_session_free(m->session);
    sonde_model_close(m->model);
}

static float *numbers(const made *m, size_t i, sonde_weight_info *w) {
    int64_t n = 1;
    sonde_model_weight(m->model, i, w);
    for (int k = 0; k < w->rank; k++) n *= w->dim[k];
    float *out = malloc((size_t)n * sizeof *out);
    CHECK_EQ(sonde_model_weight_read(m->model, i, out, NULL), SONDE_OK);
    return out;
}

/* Weights of one name; other files keep some in other pieces (branches of experts) or as tensors (divisors of rotations). */
static void same_weights(const char *name, const char *how, const made *a, const made *b) {
    size_t same = 0;
    for (size_t i = 0; i < sonde_model_weights(a->model); i++)
        for (size_t k = 0; k < sonde_model_weights(b->model); k++) {
            sonde_weight_info x, y;
            sonde_model_weight(a->model, i, &x);
            sonde_model_weight(b->model, k, &y);
            if (strcmp(x.name, y.name)) continue;
            float  *p = numbers(a, i, &x), *q = numbers(b, k, &y);
            int64_t n = 1;
            for (int r = 0; r < x.rank; r++) n *= x.dim[r];
            if (memcmp(p, q, (size_t)n * sizeof *p)) FAIL_("%s: %s: %s has other numbers", name, how, x.name);
            free(p);
            free(q);
            same++;
        }
    if (same + 6 < sonde_model_weights(a->model)) FAIL_("%s: %s: %zu weights of %zu", name, how, same, sonde_model_weights(a->model));
}

/* Every weight and every site of both; GGUF keeps no pooler, which readers of vectors do without. */
static void same_model(const char *name, const char *how, const made *a, const made *b) {
    made_run x, y;
    same_weights(name, how, a, b);
    made_shoot(a, a->session, &(made_ask_for){ 0 }, &x);
    made_shoot(b, b->session, &(made_ask_for){ 0 }, &y);
    for (size_t i = 0; i < x.n; i++)
        if (!made_find(&y, x.site[i].name) && strcmp(x.site[i].name, "pooler.hook_pooler_out")) FAIL_("%s: %s: no %s", name, how, x.site[i].name);
    if (!b->metric) x.metric = 0;
    made_equal(name, how, &x, &y);
    made_drop(&x);
    made_drop(&y);
}

static void half_is_widened(const maker_case *c) {
    static const dtype_id types[] = { DTYPE_F16, DTYPE_BF16 };
    char name[600];
    snprintf(name, sizeof name, "%s", maker_name(c));
    for (size_t i = 0; i < 2; i++) {
        made half = made_open(c, &(maker_how){ .stored = types[i] }), whole = made_open(c, &(maker_how){ .rounded = types[i] });
        same_model(name, dtype_table[types[i]].name, &whole, &half);
        made_close(&half);
        made_close(&whole);
    }
}

static void sixteen_bits_are_widened(void) { made_every(half_is_widened); }

static size_t converted;

/* False: it was refused by name, as what a container has no word for must be. */
static bool saved(const char *name, const made *m, const char *path, const char *type) {
    sonde_error err = { 0 };
    const sonde_save_options o = { .type = type, .threads = 1 };
    const sonde_status s = sonde_model_save(m->model, path, &o, &err);
    if (s != SONDE_OK && s != SONDE_UNSUPPORTED) FAIL_("%s: %s: %s", name, path, err.message);
    if (s == SONDE_UNSUPPORTED) printf("%s: %s\n", name, err.message);
    return s == SONDE_OK;
}

static void goes_through_gguf(const maker_case *c) {
    static const dtype_id types[] = { DTYPE_F32, DTYPE_F16, DTYPE_BF16 };
    char name[600];
    snprintf(name, sizeof name, "%s", maker_name(c));
    for (size_t i = 0; i < 3; i++) {
        made m = made_open(c, &(maker_how){ .stored = types[i] });
        const scratch_path gguf = in_scratch(&m.dir, "m.gguf"), back = in_scratch(&m.dir, "back"), copy = in_scratch(&m.dir, "copy");
        if (!saved(name, &m, copy.text, NULL)) FAIL_("%s: no folder of it", name);
        made other = open_as(&m, copy.text, name);
        same_model(name, "a folder", &m, &other);
        close_other(&other);
        if (c->family->gguf && saved(name, &m, gguf.text, NULL)) {
            made read = open_as(&m, gguf.text, name);
            same_model(name, "GGUF", &m, &read);
            if (!saved(name, &read, back.text, NULL)) FAIL_("%s: GGUF, and no folder of it", name);
            other = open_as(&m, back.text, name);
            same_model(name, "GGUF and back", &m, &other);
            close_other(&other);
            close_other(&read);
            converted++;
        }
        made_close(&m);
    }
}

static void folders_pass_through_gguf(void) {
    converted = 0;
    made_every(goes_through_gguf);
    printf("%zu conversions\n", converted);
    CHECK(converted >= 30);
}

static void quantised_is_widened(const maker_case *c) {
    char name[600];
    snprintf(name, sizeof name, "%s", maker_name(c));
    if (!c->family->gguf) return;
    made m = made_open(c, &(maker_how){ .wide = true });
    const scratch_path gguf = in_scratch(&m.dir, "m.gguf"), back = in_scratch(&m.dir, "back");
    if (saved(name, &m, gguf.text, "Q8_0")) {
        made packed = open_as(&m, gguf.text, name);
        if (!saved(name, &packed, back.text, NULL)) FAIL_("%s: Q8_0, and no folder of it", name);
        made widened = open_as(&m, back.text, name);
        same_model(name, "Q8_0", &widened, &packed);
        close_other(&packed);
        close_other(&widened);
    }
    made_close(&m);
}

static void packed_matrices_are_widened(void) { made_every(quantised_is_widened); }

#define TESTS(X) \
    X(sixteen_bits_are_widened) \
    X(folders_pass_through_gguf) \
    X(packed_matrices_are_widened)
TEST_MAIN(TESTS)
