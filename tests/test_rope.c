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
    const json *config = truth_of(c, "config"), *part = truth_of(c, "part");
    rope_fields f = { .shares = true, .context = 2048, .part = part->kind == JSON_STRING ? part->text : NULL };
    CHECK(json_int(truth_of(c, "width"), &f.dims));
    CHECK(json_bool(truth_of(c, "older"), &f.longrope_older));
    CHECK(json_double(truth_of(c, "share"), &f.fallback_share));
    const json *own = json_get(config, "max_position_embeddings");
    if (own) CHECK(json_int(own, &f.context));
    const json *local = json_get(config, "rope_local_base_freq");
    if (local && strcmp(f.part, "sliding_attention") == 0) CHECK(json_double(local, &f.fallback_base));
    if (rope_config(config, f, &r, &err)) FAIL_("%s", err.message);
    rope_prepare(&r, a);
    return r;
}

typedef void (*run_test)(size_t i, const rope *r, const json *run, arena *a);

static void each_run(run_test test) {
    const truth t = truth_open("rope");
    const json *cases = truth_of(t.all, "cases");
    CHECK(cases->len >= 30);
    for (size_t i = 0; i < cases->len; i++) {
        const json *c = truth_at(cases, i), *runs = truth_of(c, "runs");
        const rope  r = read_case(c, t.memory);
        CHECK(r.by_length == (runs->len > 1));
        for (size_t k = 0; k < runs->len; k++) test(i, &r, truth_at(runs, k), t.memory);
    }
    truth_close(t);
}

/* Radians a position, where cosines of position 1 say them: a table of the run's length is seen nowhere else. */
static const float *table_of(const rope *r, int64_t length) {
    return r->scaling == ROPE_LONGROPE && (double)length > r->original ? r->long_inverse : r->inverse;
}

static bool has_table(const rope *r, int64_t length) { return r->scaling != ROPE_DYNAMIC || (double)length <= r->original; }

static int other_numbers;

/* The float32 numbers of transformers, or their neighbours: its powers are good to 1 ulp, ours are rounded correctly. */
static void check_frequencies(size_t i, const rope *r, const json *run, arena *a) {
    (void)a;
    const json   *inverse = truth_of(run, "inverse");
    const int64_t length = (int64_t)truth_number(run, "length");
    CHECK((int64_t)inverse->len == r->dims / 2);
    for (int64_t k = 0; k < r->dims / 2 && has_table(r, length); k++) {
        const float want = (float)truth_item(inverse, (size_t)k), got = table_of(r, length)[k];
        if (got == want) continue;
        other_numbers++;
        if (fabsf(got - want) > 1.2e-7f * want)
            FAIL_("case %zu: frequency %lld is %.9g, expected %.9g", i, (long long)k, (double)got, (double)want);
    }
}

static void frequencies_are_those_of_transformers(void) {
    other_numbers = 0;
    each_run(check_frequencies);
    CHECK(other_numbers <= 2);
}

/* Of the very frequencies of transformers, so that far positions have the same angles; where the table is not kept,
 * an angle may be off by the rounding of a base and of a frequency. */
static void check_turns(size_t i, const rope *r, const json *run, arena *a) {
    const json   *positions = truth_of(run, "positions");
    const int64_t half = r->dims / 2, length = (int64_t)truth_number(run, "length");
    float *inverse = arena_new_array(a, float, (size_t)half), *turn = arena_new_array(a, float, (size_t)r->dims);
    rope   same = *r;
    for (int64_t k = 0; k < half; k++) inverse[k] = (float)truth_item(truth_of(run, "inverse"), (size_t)k);
    same.inverse = same.long_inverse = inverse;
    for (size_t p = 0; p < positions->len; p++) {
        const int64_t at = (int64_t)truth_item(positions, p);
        rope_turn(&same, at, length, turn);
        for (int64_t k = 0; k < half; k++) {
            const double slack = 4e-7 + (has_table(r, length) ? 0 : 2.5e-7 * (double)inverse[k] * (double)at);
            const double c = truth_item(truth_at(truth_of(run, "cos"), p), (size_t)k);
            const double s = truth_item(truth_at(truth_of(run, "sin"), p), (size_t)k);
            if (!(fabs((double)turn[k] - c) <= slack && fabs((double)turn[half + k] - s) <= slack))
                FAIL_("case %zu, length %lld, position %lld, point %lld: (%.9g, %.9g), expected (%.9g, %.9g)", i,
                      (long long)length, (long long)at, (long long)k, (double)turn[k], (double)turn[half + k], c, s);
        }
    }
}

static void turns_are_those_of_transformers(void) { each_run(check_turns); }

static void only_runs_on_two_sides_of_a_limit_turn_apart(void) {
    const rope by_factor = { .scaling = ROPE_LONGROPE, .original = 64, .by_length = true };
    const rope dynamic = { .scaling = ROPE_DYNAMIC, .original = 64, .by_length = true };
    const rope yarn = { .scaling = ROPE_YARN, .original = 64 };
    static const struct { int64_t before, after; bool factor, dynamic; } rows[] = {
        { 1, 64, false, false }, { 64, 65, true, true }, { 65, 65, false, false }, { 65, 66, false, true }, { 66, 3, true, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(rope_crosses(&by_factor, rows[i].before, rows[i].after) == rows[i].factor);
        CHECK(rope_crosses(&dynamic, rows[i].before, rows[i].after) == rows[i].dynamic);
        CHECK(!rope_crosses(&yarn, rows[i].before, rows[i].after));
    }
}

static void what_a_config_may_not_say_is_named(void) {
#define LISTS "\"short_factor\": [1, 1], \"long_factor\": [2, 3]"
    static const struct { const char *config; sonde_status status; const char *has; } rows[] = {
        { "{\"rope_scaling\": {\"type\": \"proportional\"}}", SONDE_UNSUPPORTED,
          "rope_type is \"proportional\", expected default, linear, llama3, dynamic, longrope or yarn" },
        { "{\"rope_scaling\": {\"type\": \"su\", " LISTS "}}", SONDE_UNSUPPORTED, "rope_type is \"su\"" },
        { "{\"rope_parameters\": {\"full_attention\": {\"rope_theta\": 3}}}", SONDE_UNSUPPORTED,
          "rope_parameters has a set for each kind of layer" },
        { "{\"rope_scaling\": {\"type\": \"dynamic\"}}", SONDE_FORMAT, "factor is not there" },
        { "{\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}, \"partial_rotary_factor\": 0.5}", SONDE_UNSUPPORTED,
          "2 numbers of a head rotate, expected more than 2" },
        { "{\"partial_rotary_factor\": 0.25}", SONDE_UNSUPPORTED, "partial_rotary_factor is 0.25 of 4 numbers, expected at least 2" },
        { "{\"partial_rotary_factor\": 1.5}", SONDE_FORMAT, "partial_rotary_factor is 1.5, expected a number from 0 to 1" },
        { "{\"rope_scaling\": {\"type\": \"yarn\"}}", SONDE_FORMAT, "factor is not there" },
        { "{\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2, \"attention_factor\": 0}}", SONDE_FORMAT,
          "attention_factor is 0, expected a number above 0" },
        { "{\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2}, \"partial_rotary_factor\": 0.75}", SONDE_UNSUPPORTED,
          "3 numbers of a head rotate, expected an even number" },
        { "{\"rope_theta\": 1, \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2}}", SONDE_FORMAT,
          "rope_theta is 1" },
        { "{\"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": [1, 1]}}", SONDE_FORMAT,
          "long_factor is not there" },
        { "{\"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": [1]}}", SONDE_FORMAT,
          "short_factor is an array of 1 items, expected a list of 2 numbers" },
        { "{\"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": [1, 0]}}", SONDE_FORMAT,
          "short_factor has 0 in it" },
        { "{\"rope_scaling\": {\"type\": \"longrope\", \"original_max_position_embeddings\": 1, " LISTS "}}",
          SONDE_FORMAT,
          "original_max_position_embeddings is 1, expected at least 2" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena      *a = arena_new();
        const json *file;
        sonde_error err = { 0 };
        rope        r;
        CHECK_EQ(json_parse(rows[i].config, strlen(rows[i].config), a, &file, &err), SONDE_OK);
        const sonde_status got = rope_config(file, (rope_fields){ .shares = true, .dims = 4, .context = 64 }, &r, &err);
        if (got != rows[i].status || !strstr(err.message, rows[i].has)) FAIL_("row %zu: %d, %s", i, (int)got, err.message);
        arena_free(a);
    }
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
            rope_turn(&r, at, at + 1, any ? other : first);
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
    X(only_runs_on_two_sides_of_a_limit_turn_apart) \
    X(what_a_config_may_not_say_is_named) \
    X(every_instruction_set_turns_alike) \
    X(a_container_may_give_divisors) \
    X(pairs_are_halves_to_whoever_looks)
TEST_MAIN(TESTS)
