/* hub_test.h - a folder with a model's files, the Hub of hub_server.c that has them, a cache, and what both hold. */
#ifndef SONDE_HUB_TEST_H
#define SONDE_HUB_TEST_H
#include "scratch.h"
#include "sonde/hub.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

enum { WEIGHTS = 300000 };
#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static struct { scratch at; pid_t server; char base[64], log[640], cache[640]; int caches; } hub_test;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *w) {
    (void)st;
    (void)type;
    (void)w;
    return remove(path);
}

static void hub_end(void) {
    if (hub_test.server > 0) kill(hub_test.server, SIGKILL);
    if (*hub_test.at.path) nftw(hub_test.at.path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static unsigned char *hub_weights(void) {
    static unsigned char bytes[WEIGHTS];
    uint32_t x = 1;
    for (size_t i = 0; i < WEIGHTS; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(x >> 24);
    }
    return bytes;
}

static void hub_files(void) {
    mkdir(in_scratch(&hub_test.at, "files").text, 0777);
    mkdir(in_scratch(&hub_test.at, "files/sub").text, 0777);
    mkdir(in_scratch(&hub_test.at, "files/sub/deep").text, 0777);
    scratch_write(&hub_test.at, "files/config.json", "{}\n", 3);
    scratch_write(&hub_test.at, "files/vocab.json", "", 0);
    scratch_write(&hub_test.at, "files/tokenizer.json", "{\"version\":\"1.0\"}", 17);
    scratch_write(&hub_test.at, "files/README.md", "# read\n", 7);
    scratch_write(&hub_test.at, "files/model.safetensors", hub_weights(), WEIGHTS);
    scratch_write(&hub_test.at, "files/pytorch_model.bin", "old", 3);
    scratch_write(&hub_test.at, "files/sub/deep/a b+c.json", "[1]", 3);
}

static void hub_serve(void) {
    int out[2];
    char line[64] = "", *end;
    hub_files();
    if (pipe(out)) exit(2);
    hub_test.server = fork();
    if (hub_test.server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out[1], STDOUT_FILENO);
        execl(HUB_SERVER, HUB_SERVER, in_scratch(&hub_test.at, "files").text, hub_test.log, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    for (size_t n = 0; n < sizeof line - 1 && !strchr(line, '\n'); n++)
        if (read(out[0], line + n, 1) != 1) exit(2);
    close(out[0]);
    snprintf(hub_test.base, sizeof hub_test.base, "http://127.0.0.1:%ld", strtol(line, &end, 10));
}

/* A Hub that runs, and an empty cache that nobody else uses. */
static sonde_pull_options hub_options(void) {
    if (!hub_test.server) {
        setenv("no_proxy", "*", 1);
        hub_test.at = scratch_new();
        snprintf(hub_test.log, sizeof hub_test.log, "%s", in_scratch(&hub_test.at, "log").text);
        atexit(hub_end);
        hub_serve();
    }
    char name[32];
    snprintf(name, sizeof name, "cache%d", hub_test.caches++);
    snprintf(hub_test.cache, sizeof hub_test.cache, "%s", in_scratch(&hub_test.at, name).text);
    FILE *f = fopen(hub_test.log, "w");
    if (f) fclose(f);
    return (sonde_pull_options){ .base = hub_test.base, .token = "good", .cache = hub_test.cache, .wait_ms = 5 };
}

/* The whole of a file with a NUL behind it; NULL: it is not there. To be freed. */
static char *hub_read(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *text = malloc(1 << 20);
    *n = fread(text, 1, (1 << 20) - 1, f);
    text[*n] = 0;
    fclose(f);
    return text;
}

/* In how many lines of the Hub's log all three stand. */
static int hub_asked(const char *a, const char *b, const char *c) {
    size_t n;
    int found = 0;
    char *log = hub_read(hub_test.log, &n), *rest = log;
    for (char *line; (line = strsep(&rest, "\n")) != NULL; ) found += strstr(line, a) && strstr(line, b) && strstr(line, c);
    free(log);
    return found;
}

static scratch_path in_cache(const char *model, const char *name) {
    scratch_path p;
    snprintf(p.text, sizeof p.text, "%.400s/models--org--%s/%s", hub_test.cache, model, name);
    return p;
}

static bool hub_same(const char *path, const char *of) {
    size_t n = 0, m = 0;
    char *got = hub_read(path, &n), *want = hub_read(in_scratch(&hub_test.at, of).text, &m);
    const bool same = got && want && n == m && !memcmp(got, want, n);
    free(got);
    free(want);
    return same;
}

/* Is the whole of the model where it belongs, and nothing half beside it? */
static void check_whole(const char *model) {
    static const char *const names[] = { "config.json", "vocab.json", "tokenizer.json", "model.safetensors" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128], of[128];
        snprintf(path, sizeof path, "snapshots/" COMMIT "/%s", names[i]);
        snprintf(of, sizeof of, "files/%s", names[i]);
        CHECK(hub_same(in_cache(model, path).text, of));
    }
    CHECK_EQ((long long)scratch_count(in_cache(model, "blobs").text), 4);
    CHECK_EQ((long long)scratch_count(in_cache(model, "snapshots/" COMMIT).text), 4);
    size_t n;
    char *ref = hub_read(in_cache(model, "refs/main").text, &n);
    CHECK(ref != NULL);
    const bool good = !strcmp(ref, COMMIT);
    free(ref);
    CHECK(good);
}
#endif
