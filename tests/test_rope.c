/* Rotary tables beside transformers' (tests/truth/rope.json, tools/truth/rope.py), and weights whose heads are in pairs. */
#define _GNU_SOURCE
#include "shot.h"
#include "kernel/kern.h"
#include "model/model_data.h"
#include "scratch.h"
#include "truth.h"

/* ---- tables ---- */

static rope read_case(const json *c, arena *a) {
    rope        r;
    sonde_error err = { 0 };
    const json *config = truth_of(c, "config");
    int64_t     width, context = 2048;
    CHECK(json_int(truth_of(c, "width"), &width));
    const json *own = json_get(config, "max_position_embeddings");
    if (own) CHECK(json_int(own, &context));
    if (rope_config(config, width, context, &r, &err)) FAIL_("%s", err.message);
    rope_prepare(&r, a);
    return r;
}

/* The float32 numbers of transformers, or their neighbours: its powers are good to 1 ulp, ours are rounded correctly. */
static void frequencies_are_those_of_transformers(void) {
    const truth t = truth_open("rope");
    const json *cases = truth_of(t.all, "cases");
    int other = 0;
    for (size_t i = 0; i < cases->len; i++) {
        const json *c = truth_at(cases, i);
        const rope  r = read_case(c, t.memory);
        for (int64_t k = 0; k < r.dims / 2; k++) {
            const float want = (float)truth_item(truth_of(c, "inverse"), (size_t)k);
            if (r.inverse[k] == want) continue;
            other++;
            if (fabsf(r.inverse[k] - want) > 1.2e-7f * want)
                FAIL_("case %zu: frequency %lld is %.9g, expected %.9g", i, (long long)k, (double)r.inverse[k], (double)want);
        }
    }
    CHECK(cases->len >= 9);
    CHECK(other <= 2);
    truth_close(t);
}

/* Of the very frequencies of transformers, so that far positions have the same angles. */
static void turns_are_those_of_transformers(void) {
    const truth t = truth_open("rope");
    const json *cases = truth_of(t.all, "cases"), *positions = truth_of(t.all, "positions");
    for (size_t i = 0; i < cases->len; i++) {
        const json *c = truth_at(cases, i);
        rope        r = read_case(c, t.memory);
        const int64_t half = r.dims / 2;
        float *inverse = arena_new_array(t.memory, float, (size_t)half), *turn = arena_new_array(t.memory, float, (size_t)r.dims);
        for (int64_t k = 0; k < half; k++) inverse[k] = (float)truth_item(truth_of(c, "inverse"), (size_t)k);
        r.inverse = inverse;
        for (size_t p = 0; p < positions->len; p++) {
            rope_turn(&r, (int64_t)truth_item(positions, p), turn);
            for (int64_t k = 0; k < half; k++) {
                CHECK_NEAR((double)turn[k], truth_item(truth_at(truth_of(c, "cos"), p), (size_t)k), 3e-7);
                CHECK_NEAR((double)turn[half + k], truth_item(truth_at(truth_of(c, "sin"), p), (size_t)k), 3e-7);
            }
        }
    }
    truth_close(t);
}

static void every_instruction_set_turns_alike(void) {
    const kern_table *was = kern;
    static float first[64], other[64];
    arena *a = arena_new();
    rope   r = { .dims = 64, .base = 1e4 };
    rope_prepare(&r, a);
    for (int64_t at = 0; at < 3000000; at = at * 5 + 3) {
        bool any = false;
        for (const kern_table *const *t = kern_tables; *t; t++) {
            if (!kern_init((*t)->isa)) continue;
            rope_turn(&r, at, any ? other : first);
            if (any) CHECK(!memcmp(first, other, sizeof first));
            any = true;
        }
    }
    kern = was;
    arena_free(a);
}

static void a_container_may_give_divisors(void) {
    static const float by[] = { 1, 2, 8, 0.5f };
    arena *a = arena_new();
    rope   plain = { .dims = 8, .base = 1e4 }, divided = plain;
    divided.divisor = by;
    rope_prepare(&plain, a);
    rope_prepare(&divided, a);
    for (int i = 0; i < 4; i++) CHECK(divided.inverse[i] == plain.inverse[i] / by[i]);
    arena_free(a);
}

/* ---- a file whose heads of W_Q and W_K are in pairs ---- */

typedef struct { char *bytes; size_t size; } whole_file;

static whole_file read_file(const char *folder, const char *name) {
    char path[700];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    whole_file w = { calloc(1, 1 << 20), 0 };
    if (!f || !w.bytes) FAIL_("%s cannot be read", path);
    w.size = fread(w.bytes, 1, 1 << 20, f);
    fclose(f);
    return w;
}

/* Rows of each head from halves to pairs: row 2r is half row r, row 2r + 1 half row e/2 + r. */
static void put_pairs(whole_file *w, int64_t layer, const char *which, int64_t e) {
    char name[96];
    uint64_t header;
    long long from = 0, to = 0;
    memcpy(&header, w->bytes, sizeof header);
    snprintf(name, sizeof name, "\"model.layers.%lld.self_attn.%s\":", (long long)layer, which);
    const char *at = memmem(w->bytes + 8, header, name, strlen(name));
    if (!at) return;
    at = strstr(at, "\"data_offsets\":[");
    CHECK(at && sscanf(at, "\"data_offsets\":[%lld,%lld]", &from, &to) == 2);
    float *x = (float *)(void *)(w->bytes + 8 + header + from);
    const char *shape = strstr(memmem(w->bytes + 8, header, name, strlen(name)), "\"shape\":[");
    long long rows = 0, width = 1;
    CHECK(sscanf(shape, "\"shape\":[%lld,%lld", &rows, &width) >= 1);
    float *was = malloc((size_t)(rows * width) * sizeof *was);
    memcpy(was, x, (size_t)(rows * width) * sizeof *was);
    for (int64_t j = 0; j < rows; j++) {
        const int64_t head = j / e * e, r = j % e, half = head + (r % 2 ? e / 2 + r / 2 : r / 2);
        memcpy(x + j * width, was + half * width, (size_t)width * sizeof *x);
    }
    free(was);
}

static void write_in_pairs(const scratch *dir, const char *folder) {
    static const char *const names[] = { "q_proj.weight", "q_proj.bias", "k_proj.weight", "k_proj.bias" };
    whole_file config = read_file(folder, "config.json"), w = read_file(folder, "model.safetensors");
    for (int64_t layer = 0; layer < 2; layer++)
        for (int i = 0; i < 4; i++) put_pairs(&w, layer, names[i], 10);
    scratch_write(dir, "config.json", config.bytes, config.size);
    scratch_write(dir, "model.safetensors", w.bytes, w.size);
    free(config.bytes);
    free(w.bytes);
}

static void same_shots(const setting *a, const setting *b, asked what) {
    shot x, y;
    sonde_session *one = session(a, 1), *two = session(b, 2);
    shoot(a, one, what, NULL, &x);
    shoot(b, two, what, NULL, &y);
    CHECK(x.n == y.n);
    CHECK(x.metric == y.metric);
    for (size_t i = 0; i < x.n; i++)
        for (int64_t k = 0; k < x.site[i].n; k++)
            if (what == VALUES ? !same(x.site[i].value[k], y.site[i].value[k])
                               : !(fabsf(x.site[i].value[k] - y.site[i].value[k]) <= 1e-5f * fmaxf(1, fabsf(x.site[i].value[k]))))
                FAIL_("%s item %lld: %.9g, in pairs %.9g", x.site[i].name, (long long)k, (double)x.site[i].value[k],
                      (double)y.site[i].value[k]);
    drop(&x);
    drop(&y);
    sonde_session_free(one);
    sonde_session_free(two);
}

static void same_weights(const sonde_model *a, const sonde_model *b) {
    CHECK(sonde_model_weights(a) == sonde_model_weights(b));
    for (size_t i = 0; i < sonde_model_weights(a); i++) {
        sonde_weight_info w;
        sonde_model_weight(a, i, &w);
        int64_t n = 1;
        for (int k = 0; k < w.rank; k++) n *= w.dim[k];
        float *x = calloc((size_t)n, sizeof *x), *y = calloc((size_t)n, sizeof *y);
        CHECK_EQ(sonde_model_weight_read(a, i, x, NULL), SONDE_OK);
        CHECK_EQ(sonde_model_weight_read(b, i, y, NULL), SONDE_OK);
        if (memcmp(x, y, (size_t)n * sizeof *x)) FAIL_("%s differs", w.name);
        free(x);
        free(y);
    }
}

/* Values have the same bits: every output is a sum of its own, and moves as it is. Gradients sum in another order. */
static void pairs_are_halves_to_whoever_looks(void) {
    static const char *const models[] = { "llama_biased", "llama_grouped" };
    static const char *const edits[] = { "", "add:blocks.0.hook_q_input[2:4,0]=0.5;scale:blocks.1.hook_k_input[3,0]=-1",
                                         "scale:blocks.1.attn.hook_k[:,0,1:3]=2;set:blocks.0.attn.hook_rot_q[:,1,{0,7}]=0.5" };
    for (int m = 0; m < 2; m++) {
        scratch dir = scratch_new();
        write_in_pairs(&dir, golden(models[m]));
        for (size_t e = 0; e < sizeof edits / sizeof *edits; e++) {
            setting a, b;
            open_setting(&a, golden(models[m]), 9, edits[e]);
            open_setting(&b, dir.path, 9, edits[e]);
            b.model->config.qk_pairs = true;
            same_shots(&a, &b, VALUES);
            same_shots(&a, &b, GRADIENTS);
            if (e == 0) {
                sonde_model *x, *y;
                same_weights(a.model, b.model);
                CHECK_EQ(sonde_model_fold(a.model, &x, NULL), SONDE_OK);
                CHECK_EQ(sonde_model_fold(b.model, &y, NULL), SONDE_OK);
                same_weights(x, y);
                setting u = { .model = x, .n = 9, .metric = a.metric }, v = { .model = y, .n = 9, .metric = b.metric };
                memcpy(u.tokens, a.tokens, sizeof u.tokens);
                memcpy(v.tokens, a.tokens, sizeof v.tokens);
                same_shots(&u, &v, VALUES);
                sonde_model_close(x);
                sonde_model_close(y);
            }
            close_setting(&a);
            close_setting(&b);
        }
        scratch_end(&dir);
    }
}

#define TESTS(X) \
    X(frequencies_are_those_of_transformers) \
    X(turns_are_those_of_transformers) \
    X(every_instruction_set_turns_alike) \
    X(a_container_may_give_divisors) \
    X(pairs_are_halves_to_whoever_looks)
TEST_MAIN(TESTS)
