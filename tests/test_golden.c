/* The truth: sonde beside transformers, at every site, gradient and greedy token of every reference in tests/golden. */
#define _GNU_SOURCE
#include "test.h"
#include "method/method.h"
#include <dirent.h>
#include <stdlib.h>

static void no_progress(void *user, const char *what, int64_t done, int64_t all) {
    (void)user; (void)what; (void)done; (void)all;
}

typedef struct { char **at; size_t n; } names;

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Files of truths that are no traces: other tests read them. */
static bool no_trace(const char *name) {
    static const char *const others[] = { "model.safetensors", "beams.safetensors", "sentences.safetensors" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(name, others[i])) return true;
    return false;
}

/* The references of a folder, sorted; the model's own file is none. */
static names references(const char *folder) {
    names x = { calloc(256, sizeof *x.at), 0 };
    DIR  *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d)) && x.n < 256; ) {
        const size_t n = strlen(e->d_name), end = strlen(".safetensors");
        if (n <= end || strcmp(e->d_name + n - end, ".safetensors") || no_trace(e->d_name)) continue;
        x.at[x.n++] = strdup(e->d_name);
    }
    if (d) closedir(d);
    qsort(x.at, x.n, sizeof *x.at, by_text);
    return x;
}

static sonde_status verify_one(sonde_context *cx, const char *path, char *said, size_t n) {
    sonde_error   err = { 0 };
    sonde_result *out = sonde_result_new();
    const method *m = method_find("verify");
    value         args[1];
    sonde_status  s = param_parse(&m->params[0], path, &args[0], &err);
    if (s == SONDE_OK) s = m->run(cx, args, out, &err);
    sonde_result_free(out);
    snprintf(said, n, "%s", err.message);
    return s;
}

/* Every file is run, and every failure said, before the case fails. */
static size_t disagreements(const char *golden, const char *model, size_t *n_files) {
    char folder[512], path[1024], said[1100];
    snprintf(folder, sizeof folder, "%s/tests/golden/%s", SONDE_SOURCE_DIR, golden);
    sonde_error   err = { 0 };
    sonde_model  *m;
    sonde_session *s;
    if (sonde_model_open(&m, model, NULL, &err) != SONDE_OK) FAIL_("%s", err.message);
    if (sonde_session_new(&s, m, (sonde_session_options){ 0 }, &err) != SONDE_OK) FAIL_("%s", err.message);
    sonde_context cx = { .model = m, .session = s, .top = 5, .progress = no_progress };
    names  files = references(folder);
    size_t bad = 0;
    for (size_t i = 0; i < files.n; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files.at[i]);
        if (verify_one(&cx, path, said, sizeof said) != SONDE_OK) {
            printf("golden/%s/%s: %s\n", golden, files.at[i], said);
            bad++;
        }
        free(files.at[i]);
    }
    free(files.at);
    sonde_session_free(s);
    sonde_model_close(m);
    *n_files = files.n;
    return bad;
}

static void agrees(const char *golden, const char *model) {
    size_t n;
    CHECK(disagreements(golden, model, &n) == 0);
    CHECK(n > 5);
}

/* A random model of tests/golden, or a shipped one of models/. */
static void random_model(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/tests/golden/%s", SONDE_SOURCE_DIR, name);
    agrees(name, path);
}

static void shipped_model(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/models/%s", SONDE_SOURCE_DIR, name);
    agrees(name, path);
}

/* One tiny model of every family, and of every option of a family that changes numbers. */
static void every_family_agrees(void) {
    char          folder[512], name[300], path[1024];
    size_t        bad = 0, models = 0;
    snprintf(folder, sizeof folder, "%s/tests/golden/families", SONDE_SOURCE_DIR);
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        size_t n;
        if (e->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "families/%s", e->d_name);
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        bad += disagreements(name, path, &n);
        models++;
        CHECK(n >= 2);
    }
    if (d) closedir(d);
    CHECK(bad == 0);
    CHECK(models >= 30);
}

static void one_head_agrees(void)  { random_model("one_head"); }
static void three_agrees(void)     { random_model("three"); }
static void inner_agrees(void)     { random_model("inner"); }
static void limit_agrees(void)     { random_model("limit"); }
static void llama_grouped_agrees(void) { random_model("llama_grouped"); }
static void llama_biased_agrees(void)  { random_model("llama_biased"); }
static void llama_limit_agrees(void)   { random_model("llama_limit"); }
static void induction_agrees(void) { shipped_model("induction"); }
static void demo_agrees(void)      { shipped_model("demo"); }
static void the_embedded_model_agrees(void) { agrees("demo", NULL); }

#define TESTS(X) \
    X(one_head_agrees) \
    X(three_agrees) \
    X(inner_agrees) \
    X(limit_agrees) \
    X(llama_grouped_agrees) \
    X(llama_biased_agrees) \
    X(llama_limit_agrees) \
    X(induction_agrees) \
    X(demo_agrees) \
    X(the_embedded_model_agrees) \
    X(every_family_agrees)
TEST_MAIN(TESTS)
