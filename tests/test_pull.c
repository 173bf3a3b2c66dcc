#define _GNU_SOURCE
#include "hub_test.h"
#include "hub/hub_parts.h"
#include <sched.h>
#include <sys/mount.h>

/* The state of a file of the answer, "" if it is not in it. */
static const char *state_of(const sonde_pulled *p, const char *name) {
    for (size_t i = 0; p && i < p->n; i++)
        if (!strcmp(p->file[i].name, name)) return p->file[i].state;
    return "";
}

static void pulls(const char *name, const sonde_pull_options *o) {
    sonde_pulled *p;
    sonde_error err = { 0 };
    if (sonde_pull(&p, name, o, &err) != SONDE_OK) FAIL_("%s: %s", name, err.message);
    sonde_pulled_free(p);
}

static void fails(const char *name, const sonde_pull_options *o, sonde_status want, const char *part) {
    sonde_pulled *p;
    sonde_error err = { 0 };
    const sonde_status s = sonde_pull(&p, name, o, &err);
    CHECK(p == NULL);
    if (s != want || !strstr(err.message, part)) FAIL_("%s: %d, \"%s\", expected %d, \"%s\"", name, s, err.message, want, part);
}

static void it_is_laid_out_as_huggingface_hub_does(void) {
    static const char *const sub[] = { "sub/" };
    sonde_pull_options o = hub_options();
    char target[256];
    pulls("org/good", &o);
    check_whole("good");
    ssize_t n = readlink(in_cache("good", "snapshots/" COMMIT "/config.json").text, target, sizeof target - 1);
    CHECK(n > 0);
    target[n] = 0;
    CHECK_STR(target, "../../blobs/0967ef424bce6791893e9a57bb952f80fd536e93");      /* git hash-object of "{}\n" */
    o.include = sub;
    o.n_include = 1;
    pulls("org/good", &o);
    n = readlink(in_cache("good", "snapshots/" COMMIT "/sub/deep/a b+c.json").text, target, sizeof target - 1);
    CHECK(n > 0);
    target[n] = 0;
    CHECK(!strncmp(target, "../../../../blobs/", 18));
    CHECK(hub_same(in_cache("good", "snapshots/" COMMIT "/sub/deep/a b+c.json").text, "files/sub/deep/a b+c.json"));
}

static void what_is_there_is_not_fetched_again(void) {
    sonde_pull_options o = hub_options();
    sonde_pulled *p;
    pulls("org/good", &o);
    const int before = hub_asked("/resolve/", "", "");
    CHECK_EQ(before, 6);                /* HEAD of four, GET of two: one is empty, one lies elsewhere */
    CHECK_EQ(sonde_pull(&p, "org/good", &o, NULL), SONDE_OK);
    const bool cached = !strcmp(state_of(p, "model.safetensors"), "cached");
    sonde_pulled_free(p);
    CHECK(cached);
    CHECK_EQ(hub_asked("/resolve/", "", ""), before);
    CHECK(unlink(in_cache("good", "snapshots/" COMMIT "/model.safetensors").text) == 0);        /* another commit's blob */
    pulls("org/good", &o);
    check_whole("good");
    CHECK_EQ(hub_asked("2 GET", "/blob/", ""), 1);
}

static void a_file_that_was_cut_short_is_fetched_again(void) {
    sonde_pull_options o = hub_options();
    pulls("org/good", &o);
    CHECK(truncate(in_cache("good", "snapshots/" COMMIT "/model.safetensors").text, 100) == 0);
    pulls("org/good", &o);
    check_whole("good");
}

static void the_token_stays_with_the_hub(void) {
    sonde_pull_options o = hub_options();
    pulls("org/good", &o);
    CHECK_EQ(hub_asked("2 GET", "auth= ", ""), 1);
    CHECK_EQ(hub_asked("1 ", "auth=Bearer good ", ""), hub_asked("1 GET", "", "") + hub_asked("1 HEAD", "", ""));
    CHECK_EQ(hub_asked("", "encoding=identity", ""), hub_asked("", "encoding=", ""));
    o.token = "a\r\nX-Evil: 1";
    fails("org/other", &o, SONDE_USAGE, "the token holds characters");
    o.token = NULL;
    pulls("org/other", &o);
    CHECK_EQ(hub_asked("org/other", "auth=B", ""), 0);
}

static void a_bad_line_is_survived(void) {
    static const char *const how[] = { "cut", "cutonce", "norange", "badrange", "spoiled", "weak", "pages", "moved", "hops", "home",
                                       "flaky", "deaf", "busy" };
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        const sonde_pull_options o = hub_options();
        char name[64];
        snprintf(name, sizeof name, "org/%s", how[i]);
        pulls(name, &o);
        check_whole(how[i]);
    }
}

static void it_goes_on_where_it_was_cut(void) {
    sonde_pull_options o = hub_options();
    pulls("org/cut", &o);
    CHECK_EQ(hub_asked("2 GET", "range=bytes=100001-", "if-range=\"store-"), 1);
    CHECK_EQ(hub_asked("2 GET", "range=bytes=200002-", "if-range=\"store-"), 1);
    CHECK_EQ(hub_asked("2 GET", "range= ", ""), 1);
}

static void a_stall_is_tried_again(void) {
    sonde_pull_options o = hub_options();
    o.stall_seconds = 1;
    pulls("org/stall", &o);
    check_whole("stall");
    CHECK_EQ(hub_asked("2 GET", "range=bytes=150000-", ""), 1);
}

static void what_cannot_be_right_is_refused(void) {
    static const struct { const char *how; sonde_status status; const char *part; } rows[] = {
        { "wronghash", SONDE_IO, "the bytes that came have the hash " }, { "longer", SONDE_IO, "more bytes come than" },
        { "shorter", SONDE_IO, "model.safetensors: tried 5 times: " },
        { "dots", SONDE_FORMAT, "\"a/../../../../evil.json\", expected the name of a file" },
        { "slash", SONDE_FORMAT, "\"/tmp/evil.json\"" }, { "nul", SONDE_FORMAT, "\"config.json\\x00.txt\"" },
        { "empty", SONDE_FORMAT, "\"a//b.json\"" }, { "garbage", SONDE_FORMAT, "offset 1" },
        { "huge", SONDE_FORMAT, "longer than 16 MB" }, { "babble", SONDE_IO, "the answer is 404 and does not end" },
        { "oddsha", SONDE_FORMAT, "no \"sha\" that is a commit" },
        { "zipped", SONDE_IO, "compressed (gzip)" }, { "zippedfile", SONDE_IO, "compressed (gzip)" },
        { "noetag", SONDE_FORMAT, "no ETag" }, { "oddetag", SONDE_FORMAT, "its ETag is \"../../../evil\"" },
        { "othercommit", SONDE_FORMAT, "commit ffffffffff" }, { "linkaway", SONDE_FORMAT, "goes on at \"http://127.0.0.1:" },
        { "away", SONDE_IO, "redirects to another host" }, { "loop", SONDE_IO, "more than 5 redirects" },
        { "scheme", SONDE_IO, "redirects to \"file:///etc/passwd\"" }, { "control", SONDE_IO, "a\\x09b\\x01\", expected an address" },
        { "user", SONDE_IO, "expected an address" }, { "lost", SONDE_NOT_FOUND, "the Hub lists it, but does not have it" },
        { "norev", SONDE_NOT_FOUND, "has no revision main" }, { "gated", SONDE_NOT_FOUND, "is gated: found the token that was given" },
        { "forbidden", SONDE_NOT_FOUND, "forbidden" }, { "missing", SONDE_NOT_FOUND, "has no such model, or it is private" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const sonde_pull_options o = hub_options();
        char name[64];
        snprintf(name, sizeof name, "org/%s", rows[i].how);
        fails(name, &o, rows[i].status, rows[i].part);
        CHECK(access(in_cache(rows[i].how, "refs/main").text, F_OK) != 0);
        CHECK(access(in_cache(rows[i].how, "snapshots").text, F_OK) != 0);
    }
    CHECK(access("/tmp/evil.json", F_OK) != 0);
}

static void a_token_decides_what_is_seen(void) {
    sonde_pull_options o = hub_options();
    pulls("org/private", &o);
    o = hub_options();
    o.token = NULL;
    fails("org/private", &o, SONDE_NOT_FOUND, "or it is private: found no token (HF_TOKEN");
    fails("org/gated", &o, SONDE_NOT_FOUND, "config.json: org/gated is gated: found no token");
    o.token = "bad";
    fails("org/good", &o, SONDE_NOT_FOUND, "the Hub does not know the token that was given");
}

static void tries_are_bounded(void) {
    sonde_pull_options o = hub_options();
    fails("org/down", &o, SONDE_IO, "tried 5 times: ");
    CHECK_EQ(hub_asked("/org/down/", "", ""), 5);
    o.tries = 2;
    fails("org/down", &o, SONDE_IO, "the answer is 500, expected 200");
    CHECK_EQ(hub_asked("/org/down/", "", ""), 7);
    fails("org/patience", &o, SONDE_IO, "asks to wait for 9999 s");
    CHECK_EQ(hub_asked("/org/patience/", "", ""), 1);
    o.base = "http://127.0.0.1:1";
    fails("org/good", &o, SONDE_IO, "connect");
    o.base = "ftp://127.0.0.1:1";
    fails("org/good", &o, SONDE_USAGE, "is no address of a Hub");
}

static int64_t asked_until;
static bool stop_later(void *user) {
    (void)user;
    return asked_until < 0;
}
static void count_down(void *user, const char *what, int64_t done, int64_t all) {
    (void)user;
    (void)what;
    if (all > 0 && done >= asked_until) asked_until = -1;
}

static void what_was_interrupted_goes_on(void) {
    sonde_pull_options o = hub_options();
    sonde_pulled *p;
    o.stop = stop_later;
    o.progress = count_down;
    asked_until = WEIGHTS / 3;
    fails("org/slow", &o, SONDE_CANCELLED, "interrupted");
    CHECK(access(in_cache("slow", "snapshots").text, F_OK) != 0);
    o.stop = NULL;
    o.progress = NULL;
    CHECK_EQ(sonde_pull(&p, "org/slow", &o, NULL), SONDE_OK);
    const bool resumed = !strcmp(state_of(p, "model.safetensors"), "resumed"), cached = !strcmp(state_of(p, "config.json"), "cached");
    sonde_pulled_free(p);
    CHECK(resumed && cached);
    CHECK_EQ(hub_asked("2 GET", "range=bytes=", "if-range= "), 1);
    check_whole("slow");
}

static void a_wrong_half_is_thrown_away(void) {
    const sonde_pull_options o = hub_options();
    sonde_pulled *p;
    char name[256];
    CHECK_EQ(sonde_pull(&p, "org/good", &o, NULL), SONDE_OK);
    for (size_t i = 0; i < p->n; i++)
        if (p->file[i].bytes == WEIGHTS) snprintf(name, sizeof name, "blobs/%s", p->file[i].etag);
    sonde_pulled_free(p);
    for (size_t n = 5; n <= WEIGHTS + 5; n += WEIGHTS) {            /* a beginning of something else; more than there is */
        const scratch_path blob = in_cache("good", name);
        char half[700];
        unlink(blob.text);
        snprintf(half, sizeof half, "%s.incomplete", blob.text);
        FILE *f = fopen(half, "wb");
        for (size_t i = 0; f && i < n; i++) fputc('x', f);
        CHECK(f && fclose(f) == 0);
        pulls("org/good", &o);
        check_whole("good");
    }
}

static pid_t pull_apart(const char *name, const sonde_pull_options *o) {
    const pid_t child = fork();
    if (child == 0) {
        sonde_pulled *p;
        _exit(sonde_pull(&p, name, o, NULL) == SONDE_OK ? 0 : 1);
    }
    return child;
}

static long long part_size(void) {
    long long most = 0;
    DIR *d = opendir(in_cache("slow", "blobs").text);
    for (struct dirent *e; d && (e = readdir(d)) != NULL; ) {
        struct stat st;
        if (strstr(e->d_name, ".incomplete") && fstatat(dirfd(d), e->d_name, &st, 0) == 0) most = st.st_size;
    }
    if (d) closedir(d);
    return most;
}

static void kill_9_loses_nothing(void) {
    const sonde_pull_options o = hub_options();
    const pid_t child = pull_apart("org/slow", &o);
    for (int i = 0; i < 500 && part_size() < 50000; i++) usleep(10000);
    kill(child, SIGKILL);
    int status;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    const long long kept = part_size();
    CHECK(kept >= 50000 && kept < WEIGHTS);
    pulls("org/slow", &o);
    char range[64];
    snprintf(range, sizeof range, "range=bytes=%lld-", kept);
    CHECK_EQ(hub_asked("2 GET", range, ""), 1);
    check_whole("slow");
}

static void two_at_once_fetch_once(void) {
    const sonde_pull_options o = hub_options();
    const pid_t one = pull_apart("org/slow", &o), two = pull_apart("org/slow", &o);
    int first = -1, second = -1;
    waitpid(one, &first, 0);
    waitpid(two, &second, 0);
    CHECK_EQ(first, 0);
    CHECK_EQ(second, 0);
    CHECK_EQ(hub_asked("2 GET", "/blob/", ""), 1);
    check_whole("slow");
}

static void a_dry_run_writes_nothing(void) {
    sonde_pull_options o = hub_options();
    sonde_pulled *p;
    o.dry_run = true;
    CHECK_EQ(sonde_pull(&p, "org/good", &o, NULL), SONDE_OK);
    const bool absent = !strcmp(state_of(p, "model.safetensors"), "absent") && p->n == 4;
    sonde_pulled_free(p);
    CHECK(absent);
    CHECK(access(hub_test.cache, F_OK) != 0);
    CHECK_EQ(hub_asked("/resolve/", "", ""), 0);
    o.offline = true;
    fails("org/good", &o, SONDE_NOT_FOUND, "HF_HUB_OFFLINE is set");
}

static void a_revision_names_its_commit(void) {
    const sonde_pull_options o = hub_options();
    pulls("org/good@refs/pr/1", &o);
    CHECK_EQ(hub_asked("/revision/refs%2Fpr%2F1", "", ""), 1);
    CHECK(access(in_cache("good", "refs/refs/pr/1").text, F_OK) == 0);
    CHECK(access(in_cache("good", "refs/main").text, F_OK) != 0);
    pulls("org/good@" COMMIT, &o);
    CHECK(access(in_cache("good", "refs/" COMMIT).text, F_OK) != 0);
    pulls("plain", &o);
    char path[700];
    snprintf(path, sizeof path, "%s/models--plain/refs/main", hub_test.cache);
    CHECK(access(path, F_OK) == 0);
}

/* 0: it went as it should, 1: it did not, 77: no such file system may be mounted. */
static int fill_small_disk(void) {
    sonde_pulled *p;
    sonde_error err = { 0 };
    if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS)) return 77;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) return 77;
    sonde_pull_options o = { .base = hub_test.base, .cache = hub_test.cache, .wait_ms = 5 };
    mkdir(hub_test.cache, 0777);
    if (mount("none", hub_test.cache, "tmpfs", 0, "size=128k")) return 77;
    if (sonde_pull(&p, "org/good", &o, &err) != SONDE_IO || !strstr(err.message, "No space left") ||
        !strstr(err.message, "what came is kept")) return 1;
    if (mount("none", hub_test.cache, "tmpfs", MS_REMOUNT, "size=1m")) return 77;
    if (sonde_pull(&p, "org/good", &o, &err) != SONDE_OK) return 1;
    const bool resumed = !strcmp(state_of(p, "model.safetensors"), "resumed");
    sonde_pulled_free(p);
    return !resumed;
}

static void a_full_disk_keeps_what_came(void) {
    hub_options();
    const pid_t child = fork();
    if (child == 0) _exit(fill_small_disk());
    int status;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        puts("skipped: a_full_disk_keeps_what_came: no tmpfs may be mounted here");
        return;
    }
    CHECK_EQ(status, 0);
}

static void names_are_read(void) {
    static const char *const good[] = { "gpt2", "org/name", "org/n.a-m_e", "gpt2@v1", "a/b@refs/pr/1", "a/b:Q4_K_M", "a/b@v1:Q8_0" };
    static const char *const bad[] = { "", "/", "a/", "/a", "a/b/c", "../a", "a/..", "a--b", "a/b--c", "a b", "a@", "a:", "a@b@c", "a:b:c", "a:Q8_0@v1",
                                       "-a", ".a", "a@../b", "a@x//y", "a\x1b", "a?b", "a#b", "a%2e", "a.", "a/b@x/", "a@-x", "a..b" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!sonde_pull_name(good[i])) FAIL_("%s is refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (sonde_pull_name(bad[i])) FAIL_("%s is taken", bad[i]);
}

/* The chosen of these files (separated by blanks), or the line of the error. */
static const char *choice(const char *files, const char *tag, const char *include) {
    static char out[1100];
    const sonde_pull_options o = { .include = &include, .n_include = include != NULL };
    sonde_error err = { 0 };
    hub h = { .o = &o, .memory = arena_new(), .name = { "o/m", "main", tag } };
    h.file = arena_alloc(h.memory, 64 * sizeof *h.file);
    for (const char *at = files; *at; at += *at == ' ') {
        const size_t n = strcspn(at, " ");
        h.file[h.n++] = (hub_file){ .path = arena_printf(h.memory, "%.*s", (int)n, at) };
        at += n;
    }
    *out = 0;
    if (hub_choose(&h, &err) != SONDE_OK) snprintf(out, sizeof out, "%d %s", (int)err.status, err.message);
    else
        for (size_t i = 0, n = 0; i < h.n; i++)
            if (h.file[i].chosen) n += (size_t)snprintf(out + n, sizeof out - n, "%s%s", n ? " " : "", h.file[i].path);
    arena_free(h.memory);
    return out;
}

static void what_opening_needs_is_chosen(void) {
    CHECK_STR(choice("README.md config.json flax_model.msgpack merges.txt model.safetensors onnx/config.json onnx/model.onnx "
                     "pytorch_model.bin tokenizer.json vocab.json", NULL, NULL),
              "config.json merges.txt model.safetensors tokenizer.json vocab.json");
    CHECK_STR(choice("config.json consolidated.safetensors model-00001-of-00002.safetensors model-00002-of-00002.safetensors "
                     "model.safetensors.index.json pytorch_model.bin.index.json tokenizer.model", NULL, NULL),
              "config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json tokenizer.model");
    CHECK_STR(choice("config.json pytorch_model-00001-of-00002.bin pytorch_model-00002-of-00002.bin pytorch_model.bin.index.json "
                     "rust_model.ot tf_model.h5 vocab.txt", NULL, NULL),
              "config.json pytorch_model-00001-of-00002.bin pytorch_model-00002-of-00002.bin pytorch_model.bin.index.json vocab.txt");
    CHECK_STR(choice("1_Pooling/config.json config.json modules.json pytorch_model.bin", NULL, NULL),
              "1_Pooling/config.json config.json modules.json pytorch_model.bin");
    CHECK_STR(choice("README.md config.json model-q8_0.gguf", NULL, NULL), "config.json model-q8_0.gguf");
    CHECK_STR(choice("config.json tf_model.h5", NULL, NULL), "5 o/m: holds no weights as .safetensors, .bin, .gguf or .pth; --include GLOB "
              "fetches what it names");
    CHECK_STR(choice("a.json b/c.json b/d.txt", NULL, "*.json"), "a.json b/c.json");
    CHECK_STR(choice("a.json b/c.json b/d.txt", NULL, "b/"), "b/c.json b/d.txt");
    CHECK_STR(choice("a.json b/c.json", NULL, "*.bin"), "5 o/m: no file is like \"*.bin\", the first of 2 is a.json");
}

static void one_gguf_is_chosen_by_its_tag(void) {
    static const char many[] = "Big-Q8_0/M-8B-Q8_0-00001-of-00002.gguf Big-Q8_0/M-8B-Q8_0-00002-of-00002.gguf M-8B-Q4_K_M.gguf "
                               "M-8B-Q4_K_S.gguf M-8B-UD-Q4_K_M.gguf config.json mmproj-M-8B-f16.gguf";
    CHECK_STR(choice(many, "Q4_K_M", NULL), "M-8B-Q4_K_M.gguf");
    CHECK_STR(choice(many, "ud-q4_k_m", NULL), "M-8B-UD-Q4_K_M.gguf");
    CHECK_STR(choice(many, "Q8_0", NULL), "Big-Q8_0/M-8B-Q8_0-00001-of-00002.gguf Big-Q8_0/M-8B-Q8_0-00002-of-00002.gguf");
    CHECK_STR(choice(many, "Q5_0", NULL), "2 o/m: :Q5_0, expected one of its 4 GGUF models behind the name: :Q8_0 :Q4_K_M :Q4_K_S "
              ":UD-Q4_K_M");
    CHECK_STR(choice(many, NULL, NULL), "2 o/m: no choice, expected one of its 4 GGUF models behind the name: :Q8_0 :Q4_K_M :Q4_K_S "
              ":UD-Q4_K_M");
    CHECK_STR(choice("M.safetensors M-Q4_0.gguf", "Q4_0", NULL), "M-Q4_0.gguf");
    CHECK_STR(choice("a-00001-of-00002.gguf a-00002-of-00002.gguf", NULL, NULL), "a-00001-of-00002.gguf a-00002-of-00002.gguf");
    CHECK_STR(choice("a.json", "Q4_0", NULL), "5 o/m: holds no GGUF model");
    CHECK_STR(choice(many, "Q8_0", "*"), "2 found both :Q8_0 and include, expected one of them");
}

#define TESTS(X) \
    X(it_is_laid_out_as_huggingface_hub_does) \
    X(what_is_there_is_not_fetched_again) \
    X(a_file_that_was_cut_short_is_fetched_again) \
    X(the_token_stays_with_the_hub) \
    X(a_bad_line_is_survived) \
    X(it_goes_on_where_it_was_cut) \
    X(a_stall_is_tried_again) \
    X(what_cannot_be_right_is_refused) \
    X(a_token_decides_what_is_seen) \
    X(tries_are_bounded) \
    X(what_was_interrupted_goes_on) \
    X(a_wrong_half_is_thrown_away) \
    X(kill_9_loses_nothing) \
    X(two_at_once_fetch_once) \
    X(a_dry_run_writes_nothing) \
    X(a_revision_names_its_commit) \
    X(a_full_disk_keeps_what_came) \
    X(names_are_read) \
    X(what_opening_needs_is_chosen) \
    X(one_gguf_is_chosen_by_its_tag)
TEST_MAIN(TESTS)
