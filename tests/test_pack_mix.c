#include "test.h"
#include "format/pack.h"
#include "format/pack_mix.h"
#include "truth_rows.h"
#include <stdlib.h>

static dtype_id type_named(const char *name, size_t len) {
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (strlen(dtype_table[i].name) == len && strncmp(dtype_table[i].name, name, len) == 0) return (dtype_id)i;
    FAIL_("no type %s", name);
}

/* Word `i` of a text with spaces between; its length. */
static size_t word(const char **text, int i) {
    for (; i > 0 && *text; i--) *text = strchr(*text, ' ') ? strchr(*text, ' ') + 1 : NULL;
    if (!*text) FAIL_("a word is missing");
    return strcspn(*text, " ");
}

/* The tensors of one model, rows [from, to) of the captured file, with every mix. */
static int check_model(const truth_rows *rows, size_t from, size_t to, const pack_model *m) {
    const char *mixes = rows->row[0].cell[1];
    const size_t n = to - from;
    pack_tensor *t = calloc(n, sizeof *t);
    int          checked = 0;
    for (int k = 0; k < PACK_MIX_COUNT; k++) {
        const char  *name = mixes;
        char         mix_name[16] = { 0 };
        pack_mix_id  mix;
        const size_t len = word(&name, k);
        memcpy(mix_name, name, len < 15 ? len : 15);
        CHECK(pack_mix_find(mix_name, &mix));
        for (size_t i = 0; i < n; i++) {                /* any order will do: last first */
            const char *const *c = rows->row[to - 1 - i].cell;
            t[i] = (pack_tensor){ .name = c[1], .cols = strtol(c[2], NULL, 10), .rows = strtol(c[3], NULL, 10),
                                  .stored = type_named(c[4], strlen(c[4])) };
        }
        pack_choose(mix, m, t, n);
        for (size_t i = 0; i < n; i++, checked++) {
            const char    *types = rows->row[to - 1 - i].cell[5];
            const size_t   size = word(&types, k);
            const dtype_id want = type_named(types, size);
            if (t[i].type != want)
                FAIL_("%s %s: %s, expected %s", mix_name, t[i].name, dtype_table[t[i].type].name, dtype_table[want].name);
            CHECK(t[i].type == t[i].wanted || t[i].cols % dtype_table[t[i].wanted].items != 0);
            CHECK(t[i].cols % dtype_table[t[i].type].items == 0);
        }
    }
    free(t);
    return checked;
}

static void types_are_those_that_llamacpp_chose(void) {
    truth_rows rows = truth_read("quantize/types.tsv");
    int        models = 0;
    for (size_t i = 1; i < rows.n; models++) {
        const char *const *c = rows.row[i].cell;
        CHECK_STR(c[0], "model");
        const pack_model m = { .n_layer = (int)strtol(c[2], NULL, 10), .n_head = (int)strtol(c[3], NULL, 10),
                               .n_head_kv = (int)strtol(c[4], NULL, 10), .n_expert = (int)strtol(c[5], NULL, 10),
                               .is_70b = strcmp(c[6], "70b") == 0, .eight_bit_output = strcmp(c[6], "falcon") == 0 };
        size_t to = i + 1;
        while (to < rows.n && strcmp(rows.row[to].cell[0], "tensor") == 0) to++;
        CHECK_EQ(check_model(&rows, i + 1, to, &m), (int)(to - i - 1) * PACK_MIX_COUNT);
        i = to;
    }
    CHECK_EQ(models, 15);
    truth_free(&rows);
}

static void every_type_that_is_chosen_has_a_packer(void) {
    for (int i = 0; i < PACK_MIX_COUNT; i++) CHECK(pack_find(pack_mixes[i].type) != NULL);
}

static void mixes_are_found_by_name(void) {
    pack_mix_id id;
    CHECK(pack_mix_find("q4_k_m", &id) && id == PACK_Q4_K_M);
    CHECK(pack_mix_find("Q5_K", &id) && id == PACK_Q5_K_M);
    CHECK(pack_mix_find("Q3_K", &id) && id == PACK_Q3_K_M);
    CHECK(pack_mix_find("Q2_K", &id) && pack_mixes[id].file_type == 10);
    CHECK(!pack_mix_find("Q4", &id) && !pack_mix_find("", &id) && !pack_mix_find("IQ4_XS", &id));
}

/* Odd names and shapes: nothing is read beyond, nothing changes that must not. */
static void odd_tensors_are_left_alone(void) {
    pack_tensor t[] = {
        { .name = "", .cols = 256, .rows = 2, .stored = DTYPE_F32 },
        { .name = "blk.99999999999999.attn_v.weight", .cols = 256, .rows = 2, .stored = DTYPE_F16 },
        { .name = "blk..ffn_down.weight", .cols = 256, .rows = 2, .stored = DTYPE_F16 },
        { .name = "blk.0.attn_q.bias", .cols = 256, .rows = 2, .stored = DTYPE_BF16 },
        { .name = "weight", .cols = 256, .rows = 2, .stored = DTYPE_F32 },
        { .name = "rope_freqs.weight", .cols = 256, .rows = 1, .stored = DTYPE_F32 },
        { .name = "blk.0.ffn_gate_inp.weight", .cols = 256, .rows = 8, .stored = DTYPE_F32 },
    };
    pack_choose(PACK_Q4_K_M, &(pack_model){ .n_layer = 1, .n_head = 1, .n_head_kv = 0, .n_expert = 2 }, t, 7);
    CHECK(t[0].type == DTYPE_F32 && t[3].type == DTYPE_BF16 && t[4].type == DTYPE_Q4_K);
    CHECK(t[5].type == DTYPE_F32 && t[6].type == DTYPE_F32);
}

#define LIST(T)                                \
    T(types_are_those_that_llamacpp_chose)     \
    T(every_type_that_is_chosen_has_a_packer)  \
    T(mixes_are_found_by_name)                 \
    T(odd_tensors_are_left_alone)
TEST_MAIN(LIST)
