#define _GNU_SOURCE
#include "tiny_model.h"
#include "model/locate.h"
#include "model/model_data.h"

static void write_model_in(const char *folder, const char *activation) {
    char more[64];
    snprintf(more, sizeof more, "\"activation_function\": \"%s\",", activation);
    tiny_model t = tiny_new(folder, "");
    t.config = tiny_config(more);
    mkdir(folder, 0777);
    tiny_save(&t);
}

static act_kind act_of(const char *name, const sonde_model_search *search) {
    sonde_model *m = open_or_say(name, search);
    const act_kind act = m->config.act;
    CHECK_STR(sonde_model_describe(m)->name, name);
    sonde_model_close(m);
    return act;
}

static void names_are_paths_then_shipped_then_cached(void) {
    static const char commit[] = "0123456789abcdef0123456789abcdef01234567";
    mkdir("ship1", 0777);
    mkdir("ship2", 0777);
    mkdir("hub", 0777);
    static const char *const folders[] = {
        "hub/models--org--net", "hub/models--org--net/refs", "hub/models--org--net/snapshots",
        "hub/models--plain", "hub/models--plain/refs", "hub/models--plain/snapshots",
    };
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) mkdir(folders[i], 0777);
    write_model_in("ship1/first", "relu");
    write_model_in("ship2/first", "gelu");
    write_model_in("ship2/second", "silu");
    char path[256];
    snprintf(path, sizeof path, "hub/models--org--net/snapshots/%s", commit);
    write_model_in(path, "gelu");
    tiny_write_text("hub/models--org--net/refs", "main", "0123456789abcdef0123456789abcdef01234567\n");
    write_model_in("hub/models--plain/snapshots/v1", "silu");
    const sonde_model_search s = { .shipped = ":ship1::ship2", .hub = "hub" };
    CHECK_EQ(act_of("first", &s), ACT_RELU);
    CHECK_EQ(act_of("second", &s), ACT_SILU);
    CHECK_EQ(act_of("org/net", &s), ACT_GELU);
    CHECK_EQ(act_of("org/net@0123456789abcdef0123456789abcdef01234567", &s), ACT_GELU);
    CHECK_EQ(act_of("plain@v1", &s), ACT_SILU);
    write_model_in("second", "gelu_new");       /* a path comes first, but only if it is a model */
    CHECK_EQ(act_of("second", &s), ACT_GELU_TANH);
    mkdir("first", 0777);
    CHECK_EQ(act_of("first", &s), ACT_RELU);
    CHECK_STR(opened_line("secnod", &s, SONDE_NOT_FOUND),
              "secnod: no such model, nearest shipped: second, demo, first; \"sonde pull secnod\" would fetch it");
    CHECK_STR(opened_line("plain", &s, SONDE_NOT_FOUND),
              "plain: no such model, nearest shipped: demo, first, second; \"sonde pull plain\" would fetch it");
    CHECK_STR(opened_line("./gone", &s, SONDE_NOT_FOUND),
              "./gone: no such model, nearest shipped: second, demo, first");
    CHECK_STR(opened_line("org/../../etc", &s, SONDE_NOT_FOUND),
              "org/../../etc: no such model, nearest shipped: demo, first, second");
    CHECK_STR(opened_line("a;b\x1b", NULL, SONDE_NOT_FOUND), "a;b\\x1b: no such model, nearest shipped: demo");
    CHECK_STR(opened_line("", NULL, SONDE_NOT_FOUND), ": no such model, nearest shipped: demo");
}

static void shipped_names_are_sorted_and_stand_once(void) {
    mkdir("s1", 0777);
    mkdir("s2", 0777);
    write_model_in("s1/zeta", "relu");
    write_model_in("s1/demo", "relu");
    write_model_in("s2/alpha", "relu");
    write_model_in("s2/zeta", "relu");
    mkdir("s2/no-model", 0777);
    arena *a = arena_new();
    const char *const *name;
    const sonde_model_search s = { .shipped = "s1:s2:nowhere" };
    CHECK_EQ((long long)model_shipped(&s, a, &name), 3);
    CHECK_STR(name[0], "alpha");
    CHECK_STR(name[1], "demo");
    CHECK_STR(name[2], "zeta");
    CHECK_EQ((long long)model_shipped(NULL, a, &name), 1);
    arena_free(a);
    CHECK_EQ(act_of("demo", &s), ACT_RELU);     /* a shipped folder comes before what is embedded */
}

static const char *weights_of(const char *name, arena *a) {
    const sonde_model_search s = { .hub = "quants" };
    located l;
    sonde_error err = { 0 };
    return model_locate(&l, name, &s, a, &err) == SONDE_OK ? l.weights : arena_printf(a, "%d", (int)err.status);
}

static void a_tag_picks_one_gguf(void) {
    static const char *const folders[] = { "quants", "quants/models--o--m", "quants/models--o--m/refs", "quants/models--o--m/snapshots",
                                           "quants/models--o--m/snapshots/c0", "quants/models--o--m/snapshots/c0/Q8_0" };
    static const char *const files[] = { "m-Q4_K_M.gguf", "m-UD-Q4_K_M.gguf", "mmproj-m-Q4_K_M.gguf", "Q8_0/m-Q8_0-00001-of-00002.gguf",
                                         "Q8_0/m-Q8_0-00002-of-00002.gguf" };
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) mkdir(folders[i], 0777);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) tiny_write_text("quants/models--o--m/snapshots/c0", files[i], "x");
    tiny_write_text("quants/models--o--m/refs", "main", "c0");
    arena *a = arena_new();
    CHECK_STR(weights_of("o/m:Q4_K_M", a), "quants/models--o--m/snapshots/c0/m-Q4_K_M.gguf");
    CHECK_STR(weights_of("o/m:ud-q4_k_m", a), "quants/models--o--m/snapshots/c0/m-UD-Q4_K_M.gguf");
    CHECK_STR(weights_of("o/m@c0:Q8_0", a), "quants/models--o--m/snapshots/c0/Q8_0/m-Q8_0-00001-of-00002.gguf");
    CHECK_STR(weights_of("o/m", a), "quants/models--o--m/snapshots/c0");
    CHECK_STR(weights_of("o/m:Q5_0", a), "5");
    CHECK_STR(weights_of("o/m:../x", a), "5");
    arena_free(a);
    CHECK_STR(opened_line("o/m:Q5_0", NULL, SONDE_NOT_FOUND),
              "o/m:Q5_0: no such model, nearest shipped: demo; \"sonde pull o/m:Q5_0\" would fetch it");
}

#define TESTS(X) \
    X(a_tag_picks_one_gguf) \
    X(names_are_paths_then_shipped_then_cached) \
    X(shipped_names_are_sorted_and_stand_once)
TEST_MAIN(TESTS)
