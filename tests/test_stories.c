/* stories260K (a real Llama of 260,000 parameters) beside golden numbers that numpy made in float64, whatever container its
 * weights lie in. The files stand beside the project, in ../shared/data/stories260k; what is not there is skipped by name. */
#define _GNU_SOURCE
#include "shot.h"
#include "truth.h"
#include <unistd.h>

#define DATA SONDE_SOURCE_DIR "/../shared/data/stories260k/"

typedef enum { AS_F32, AS_BF16, AS_F16, AS_Q8_0 } stored_as;

/* The containers of the same model: all with these weights, or with these after rounding. */
static const struct { const char *path; stored_as type; } containers[] = {
    { "hf",             AS_F32 },  { "gguf/stories260K-F32.gguf", AS_F32 }, { "stories260K.bin", AS_F32 },
    { "hf-sharded",     AS_BF16 }, { "hf-bin-legacy", AS_BF16 },            { "meta", AS_BF16 },
    { "hf-bin-zip",     AS_F16 },  { "meta-mp2", AS_F16 },                  { "gguf/stories260K-Q8_0.gguf", AS_Q8_0 },
};
enum { CONTAINERS = sizeof containers / sizeof *containers };

/* Keys of golden_variants.json begin with these. */
static const char *const variants[] = { [AS_BF16] = "bf16", [AS_F16] = "f16", [AS_Q8_0] = "q8_0" };

static const int32_t prompt[] = { 1, 403, 407, 261, 378 };
enum { PROMPT = 5, VOCAB = 512, LAYERS = 5, HEADS = 8, WIDTH = 64 };

static bool there(const char *name) {
    char path[700];
    snprintf(path, sizeof path, DATA "%s", name);
    if (access(path, R_OK) == 0) return true;
    printf("skipped: %s is not there\n", path);
    return false;
}

static const char *path_of(const char *name) {
    static char path[700];
    snprintf(path, sizeof path, DATA "%s", name);
    return path;
}

static truth golden_json(const char *name) {
    sonde_error err;
    file_map    map;
    truth       t = { .memory = arena_new() };
    if (file_map_open(&map, path_of(name), &err)) FAIL_("%s", err.message);
    if (json_parse((const char *)map.data, map.size, t.memory, &t.all, &err)) FAIL_("%s: %s", name, err.message);
    file_map_close(&map);
    return t;
}

static float *golden_array(const char *name, int64_t n) {
    sonde_error       err;
    sonde_array_file *f;
    float            *x = calloc((size_t)n, sizeof *x);
    if (sonde_array_file_open(&f, path_of(name), &err)) FAIL_("%s", err.message);
    if (sonde_array_read(f, 0, 0, n, x, &err)) FAIL_("%s", err.message);
    sonde_array_file_close(f);
    return x;
}

/* One session, and every site of the prompt. */
typedef struct { setting s; sonde_session *with; shot x; } story;

static story open_story(const char *name) {
    story y;
    open_setting(&y.s, path_of(name), PROMPT, "");
    memcpy(y.s.tokens, prompt, sizeof prompt);
    y.with = session(&y.s, 2);
    shoot(&y.s, y.with, VALUES, NULL, &y.x);
    return y;
}

static void close_story(story *y) {
    drop(&y->x);
    sonde_session_free(y->with);
    close_setting(&y->s);
}

static void compare(const char *what, const float *got, const float *want, int64_t n) {
    float most = 1;
    for (int64_t i = 0; i < n; i++) most = fmaxf(most, fabsf(want[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabsf(got[i] - want[i]) <= 1e-5f * most))
            FAIL_("%s: item %lld is %.9g, expected %.9g", what, (long long)i, (double)got[i], (double)want[i]);
}

static const float *site(story *y, const char *of_block, int layer) {
    char name[64];
    snprintf(name, sizeof name, "blocks.%d.%s", layer, of_block);
    return find(&y->x, name)->value;
}

static void logits_are_the_golden_ones(void) {
    for (int c = 0; c < CONTAINERS; c++) {
        if (!there(containers[c].path)) continue;
        story y = open_story(containers[c].path);
        const float *logits = find(&y.x, "unembed.hook_out")->value;
        if (containers[c].type == AS_F32) {
            float *want = golden_array("golden_logits_once_upon_a_time.npy", PROMPT * VOCAB);
            compare(containers[c].path, logits, want, PROMPT * VOCAB);
            free(want);
        } else {
            const truth t = golden_json("golden_variants.json");
            const char *key = variants[containers[c].type];
            const json *j = truth_of(t.all, "final_position_logits_float64_from_dequantised")->child;
            while (j && strncmp(j->key, key, strlen(key))) j = j->next;
            if (!j) FAIL_("no %s", key);
            float want[VOCAB];
            for (size_t i = 0; i < VOCAB; i++) want[i] = (float)truth_item(j, i);
            compare(containers[c].path, logits + (PROMPT - 1) * VOCAB, want, VOCAB);
            truth_close(t);
        }
        close_story(&y);
    }
}

static void streams_and_patterns_are_the_golden_ones(void) {
    for (int c = 0; c < CONTAINERS; c++) {
        if (containers[c].type != AS_F32 || !there(containers[c].path)) continue;
        story y = open_story(containers[c].path);
        enum { STREAM = PROMPT * WIDTH, PATTERN = HEADS * PROMPT * PROMPT };
        float *streams = golden_array("golden_resid_once_upon_a_time.npy", (LAYERS + 1) * STREAM),
              *mids = golden_array("golden_resid_mid_once_upon_a_time.npy", LAYERS * STREAM),
              *patterns = golden_array("golden_attn_once_upon_a_time.npy", LAYERS * PATTERN);
        for (int l = 0; l < LAYERS; l++) {
            compare("resid_pre", site(&y, "hook_resid_pre", l), streams + l * STREAM, STREAM);
            compare("resid_mid", site(&y, "hook_resid_mid", l), mids + l * STREAM, STREAM);
            compare("resid_post", site(&y, "hook_resid_post", l), streams + (l + 1) * STREAM, STREAM);
            compare("pattern", site(&y, "attn.hook_pattern", l), patterns + l * PATTERN, PATTERN);
        }
        free(streams);
        free(mids);
        free(patterns);
        close_story(&y);
    }
}

/* The same weights in another container: every site has the same bits. */
static void containers_of_one_type_give_the_same_bits(void) {
    for (int type = AS_F32; type <= AS_Q8_0; type++) {
        story first;
        int   open = 0;
        for (int c = 0; c < CONTAINERS; c++) {
            if ((int)containers[c].type != type || !there(containers[c].path)) continue;
            story y = open_story(containers[c].path);
            if (!open++) {
                first = y;
                continue;
            }
            CHECK(y.x.n == first.x.n);
            for (size_t i = 0; i < y.x.n; i++) {
                const held *a = &y.x.site[i], *b = &first.x.site[i];
                CHECK_STR(a->name, b->name);
                if (a->n != b->n || memcmp(a->value, b->value, (size_t)a->n * sizeof *a->value))
                    FAIL_("%s: %s differs", containers[c].path, a->name);
            }
            close_story(&y);
        }
        if (open) close_story(&first);
    }
}

typedef struct { int32_t id[256]; size_t n; } spoken;

static sonde_status hear(const sonde_generated *g, void *user, sonde_error *err) {
    (void)err;
    spoken *x = user;
    x->id[x->n++] = g->id;
    return SONDE_OK;
}

/* From the first token alone. The two best logits are never nearer than 0.004 there. */
static void the_greedy_story_is_the_golden_one(void) {
    for (int c = 0; c < CONTAINERS; c++) {
        if (containers[c].type != AS_F32 || !there(containers[c].path)) continue;
        setting s;
        spoken  x = { .n = 0 };
        open_setting(&s, path_of(containers[c].path), PROMPT, "");
        sonde_session *with = session(&s, 2);
        sonde_error    err = { 0 };
        const truth    t = golden_json("golden_greedy.json");
        const json    *want = truth_of(t.all, "generated_256_ids");
        const sonde_prompt  p = { .tokens = prompt, .n = 1 };
        const sonde_writing w = { .prompts = &p, .n_prompts = 1, .sampling = { .n = 256, .ignore_eos = true } };
        if (sonde_generate(with, &w, hear, &x, &err)) FAIL_("%s", err.message);
        CHECK(x.n == 256 && want->len == 256);
        for (size_t i = 0; i < x.n; i++) CHECK_EQ(x.id[i], (int)truth_item(want, i));
        truth_close(t);
        sonde_session_free(with);
        close_setting(&s);
    }
}

#define TESTS(X) \
    X(logits_are_the_golden_ones) \
    X(streams_and_patterns_are_the_golden_ones) \
    X(containers_of_one_type_give_the_same_bits) \
    X(the_greedy_story_is_the_golden_one)
TEST_MAIN(TESTS)
