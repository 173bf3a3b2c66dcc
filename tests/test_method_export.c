/* What export writes, read back from the bytes of its files, beside what the model's own files hold: closed forms of a tiny
 * GPT-2 (fused, [in, out]), the tensors of a Llama (one a projection, [out, in]), and that Llama as GGUF (its rows of q and
 * k in another order). */
#define _GNU_SOURCE
#include "method_run.h"
#include "tiny_model.h"
#include "format/gguf_writer.h"

#define LLAMA SONDE_SOURCE_DIR "/tests/golden/llama_grouped"
#define STORIES SONDE_SOURCE_DIR "/../shared/data/stories260k/"

enum { HEAD = TINY_D / TINY_HEADS, FUSED = 3 * TINY_D };

static method_run *open_tiny(void) {
    tiny_model tiny = tiny_new("tiny", "");
    tiny_save(&tiny);
    tiny_save_tokenizer("tiny", "null");
    return run_open("./tiny");
}

static void out_file(method_run *r, const char *path) {
    static const char *list[1];
    list[0] = path;
    r->cx.out = list;
    r->cx.n_out = 1;
}

static char *bytes_of(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    if (!f) FAIL_("no %s", path);
    char *text = calloc(1, 1 << 20);
    *n = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    return text;
}

/* The numbers of a version 1.0 npy of this shape; n of them. */
static float *npy_of(const char *path, const char *shape, size_t n) {
    size_t size;
    char  *all = bytes_of(path, &size), want[120];
    CHECK(size > 10 && !memcmp(all, "\x93NUMPY\1\0", 8));
    const size_t header = (size_t)(uint8_t)all[8] + 256 * (size_t)(uint8_t)all[9];
    snprintf(want, sizeof want, "{'descr': '<f4', 'fortran_order': False, 'shape': (%s)", shape);
    if (strncmp(all + 10, want, strlen(want)) != 0) FAIL_("%s: %.100s, expected %s", path, all + 10, want);
    CHECK(size == 10 + header + 4 * n);
    float *x = calloc(n, sizeof *x);
    memcpy(x, all + 10 + header, 4 * n);
    free(all);
    return x;
}

/* Where [head, d, e] of part 0 (Q), 1 (K) or 2 (V) lies in c_attn. */
static float fused(int part, int head, int d, int e) {
    return tiny_value("h.1.attn.c_attn.weight", d * FUSED + part * TINY_D + head * HEAD + e);
}

static void a_fused_matrix_is_cut_per_head(void) {
    method_run *r = open_tiny();
    out_file(r, "x.npy");
    RUN_OK(r, "export", "weights", "blocks.1.attn.W_*", "heads", "true", NULL);
    static const char letter[] = "QKV";
    for (int part = 0; part < 3; part++)
        for (int head = 0; head < TINY_HEADS; head++) {
            char path[80];
            snprintf(path, sizeof path, "x.blocks.1.attn.W_%c.%d.npy", letter[part], head);
            float *x = npy_of(path, "8, 4", TINY_D * HEAD);
            for (int i = 0; i < TINY_D * HEAD; i++) CHECK(x[i] == fused(part, head, i / HEAD, i % HEAD));
            free(x);
        }
    float *o = npy_of("x.blocks.1.attn.W_O.1.npy", "4, 8", HEAD * TINY_D);
    for (int i = 0; i < HEAD * TINY_D; i++) CHECK(o[i] == tiny_value("h.1.attn.c_proj.weight", HEAD * TINY_D + i));
    free(o);
    CHECK(access("x.npy", F_OK) != 0 && access("x.blocks.0.attn.W_Q.0.npy", F_OK) != 0);
    CHECK(strstr(sonde_result_note_at(r->out, 0), "8 arrays, each in a file of its own: x.blocks.1.attn.W_Q.0.npy to "));
    run_close(r);
}

static void one_array_is_the_file_that_was_named(void) {
    method_run *r = open_tiny();
    out_file(r, "y.npy");
    RUN_OK(r, "export", "weights", "blocks.1.attn.W_K", NULL);
    float *x = npy_of("y.npy", "2, 8, 4", TINY_D * TINY_D);
    for (int i = 0; i < TINY_D * TINY_D; i++) CHECK(x[i] == fused(1, i / 32, i / HEAD % TINY_D, i % HEAD));
    free(x);
    CHECK(!sonde_result_note_at(r->out, 0));
    run_close(r);
}

static void safetensors_hold_all_in_one(void) {
    method_run *r = open_tiny();
    out_file(r, "all.safetensors");
    RUN_OK(r, "export", NULL);
    size_t size;
    char  *all = bytes_of("all.safetensors", &size);
    uint64_t header;
    memcpy(&header, all, 8);
    CHECK(strstr(all + 8, "\"__metadata__\":{\"sonde\":\""));
    static const char entry[] = "\"blocks.0.mlp.W_out\":{\"dtype\":\"F32\",\"shape\":[32,8],\"data_offsets\":[";
    const char *at = strstr(all + 8, entry);
    CHECK(at);
    const size_t first = strtoul(at + strlen(entry), NULL, 10);
    for (int i = 0; i < 256; i++) {
        float v;
        memcpy(&v, all + 8 + header + first + 4 * (size_t)i, 4);
        CHECK(v == tiny_value("h.0.mlp.c_proj.weight", i));
    }
    free(all);
    sonde_array_file *f;
    CHECK_EQ(sonde_array_file_open(&f, "all.safetensors", &r->err), SONDE_OK);
    CHECK(sonde_array_file_count(f) == sonde_model_weights(r->model));
    CHECK_STR(sonde_array_file_note(f, "model_hash"), sonde_model_hash(r->model));
    sonde_array_file_close(f);
    run_close(r);
}

static void lines_are_wide_and_read_back(void) {
    method_run *r = open_tiny();
    out_file(r, "w.csv");
    RUN_OK(r, "export", "weights", "blocks.1.attn.W_Q", NULL);
    size_t size;
    char  *all = bytes_of("w.csv", &size), *at = all;
    CHECK(!strncmp(at, "h,d,e0,e1,e2,e3\n", 16));
    at += 16;
    for (int i = 0; i < TINY_D * TINY_D; i++) {
        if (i % HEAD == 0) CHECK_EQ(strtol(at, &at, 10), i / 32);
        if (i % HEAD == 0) CHECK_EQ(strtol(at + 1, &at, 10), i / HEAD % TINY_D);
        CHECK_EQ(*at++, ',');
        CHECK(strtof(at, &at) == fused(0, i / 32, i / HEAD % TINY_D, i % HEAD));
        if (i % HEAD == 3) CHECK_EQ(*at++, '\n');
    }
    CHECK_EQ(at - all, (int64_t)size);
    free(all);
    out_file(r, "v.tsv");
    RUN_OK(r, "export", "weights", "ln_final.b", NULL);
    all = bytes_of("v.tsv", &size);
    CHECK(!strncmp(all, "d0\td1\td2\td3\td4\td5\td6\td7\n", 24));
    CHECK(strtof(all + 24, NULL) == tiny_value("ln_f.bias", 0));
    CHECK_EQ(strchr(all + 24, '\n') - all, (int64_t)size - 1);
    free(all);
    run_close(r);
}

/* Stored [out, in]: row head * e + j of q_proj is column j of that head. */
static void compare_projection(method_run *r, const char *weight, const char *stored, int64_t heads) {
    const int64_t d = sonde_model_describe(r->model)->d, e = sonde_model_describe(r->model)->e, n = heads * d * e;
    char shape[40], path[100];
    sonde_array_file *f;
    snprintf(path, sizeof path, "%s.npy", weight);
    out_file(r, path);
    RUN_OK(r, "export", "weights", weight, NULL);
    snprintf(shape, sizeof shape, "%d, %d, %d", (int)heads, (int)d, (int)e);
    float *x = npy_of(path, shape, (size_t)n), *y = calloc((size_t)n, sizeof *y);
    CHECK_EQ(sonde_array_file_open(&f, LLAMA "/model.safetensors", &r->err), SONDE_OK);
    CHECK_EQ(sonde_array_read(f, sonde_array_file_find(f, stored), 0, n, y, &r->err), SONDE_OK);
    for (int64_t h = 0; h < heads; h++)
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j < e; j++) CHECK(x[(h * d + i) * e + j] == y[(h * e + j) * d + i]);
    sonde_array_file_close(f);
    free(x);
    free(y);
}

static void a_llamas_projections_are_turned(void) {
    method_run *r = run_open(LLAMA);
    compare_projection(r, "blocks.1.attn.W_Q", "model.layers.1.self_attn.q_proj.weight", 4);
    compare_projection(r, "blocks.0.attn.W_V", "model.layers.0.self_attn.v_proj.weight", 2);
    run_close(r);
}

static void same_bytes(const char *a, const char *b) {
    size_t n, m;
    char *x = bytes_of(a, &n), *y = bytes_of(b, &m);
    if (n != m || memcmp(x, y, n) != 0) FAIL_("%s and %s differ", a, b);
    free(x);
    free(y);
}

static void export_some(const char *model, const char *out) {
    method_run *r = run_open(model);
    out_file(r, out);
    RUN_OK(r, "export", "weights", "blocks.*.attn.W_Q,blocks.*.attn.W_K,blocks.*.mlp.W_in", NULL);
    run_close(r);
}

static void compare_containers(const char *folder, const char *gguf) {
    export_some(folder, "hf.npy");
    export_some(gguf, "gg.npy");
    same_bytes("hf.blocks.0.attn.W_Q.npy", "gg.blocks.0.attn.W_Q.npy");
    same_bytes("hf.blocks.1.attn.W_K.npy", "gg.blocks.1.attn.W_K.npy");
    same_bytes("hf.blocks.1.mlp.W_in.npy", "gg.blocks.1.mlp.W_in.npy");
}

enum { SPECS = 21, HEAD_DIM = 10 };

static void load(const sonde_array_file *f, const char *name, int64_t n, float *out) {
    sonde_error err = { 0 };
    if (sonde_array_read(f, sonde_array_file_find(f, name), 0, n, out, &err)) FAIL_("%s: %s", name, err.message);
}

/* Row 2 r + half of a head is row half * 5 + r of it in the folder's file. */
static void into_pairs(float *x, int64_t rows, int64_t width) {
    float *old = calloc((size_t)(rows * width), sizeof *old);
    memcpy(old, x, (size_t)(rows * width) * sizeof *x);
    for (int64_t i = 0; i < rows; i++) {
        const int64_t r = i % HEAD_DIM, from = i - r + r % 2 * (HEAD_DIM / 2) + r / 2;
        memcpy(x + i * width, old + from * width, (size_t)width * sizeof *x);
    }
    free(old);
}

/* The tensors of the golden Llama under GGUF's names, rows of q and k in pairs. */
static void save_gguf(const char *path) {
    static const struct { const char *gguf, *hf; } block[] = {
        { "attn_norm", "input_layernorm" }, { "attn_q", "self_attn.q_proj" }, { "attn_k", "self_attn.k_proj" },
        { "attn_v", "self_attn.v_proj" }, { "attn_output", "self_attn.o_proj" }, { "ffn_norm", "post_attention_layernorm" },
        { "ffn_gate", "mlp.gate_proj" }, { "ffn_up", "mlp.up_proj" }, { "ffn_down", "mlp.down_proj" },
    };
    static const struct { const char *key; int64_t n; } sizes[] = {
        { "llama.embedding_length", 24 }, { "llama.block_count", 2 }, { "llama.attention.head_count", 4 },
        { "llama.attention.head_count_kv", 2 }, { "llama.attention.key_length", 10 }, { "llama.attention.value_length", 10 },
        { "llama.rope.dimension_count", 10 }, { "llama.feed_forward_length", 37 }, { "llama.context_length", 40 },
    };
    enum { SIZES = sizeof sizes / sizeof *sizes };
    static char names[SPECS][2][80] = { { "token_embd.weight", "model.embed_tokens.weight" },
                                        { "output_norm.weight", "model.norm.weight" },
                                        { "output.weight", "lm_head.weight" } };
    for (int i = 3; i < SPECS; i++) {
        snprintf(names[i][0], sizeof names[i][0], "blk.%d.%s.weight", (i - 3) / 9, block[(i - 3) % 9].gguf);
        snprintf(names[i][1], sizeof names[i][1], "model.layers.%d.%s.weight", (i - 3) / 9, block[(i - 3) % 9].hf);
    }
    sonde_error       err = { 0 };
    sonde_array_file *f;
    gguf_writer      *w;
    gguf_spec         spec[SPECS];
    meta_value        meta[SIZES + 2] = { gguf_make_text("general.architecture", "llama"),
                                          gguf_make_number("llama.attention.layer_norm_rms_epsilon", GGUF_F32, 1e-5) };
    for (int i = 0; i < SIZES; i++) meta[2 + i] = gguf_make_int(sizes[i].key, GGUF_U32, sizes[i].n);
    CHECK_EQ(sonde_array_file_open(&f, LLAMA "/model.safetensors", &err), SONDE_OK);
    for (int i = 0; i < SPECS; i++) {
        const sonde_array_spec *s = sonde_array_file_spec(f, sonde_array_file_find(f, names[i][1]));
        spec[i] = (gguf_spec){ .name = names[i][0], .type = DTYPE_F32, .rank = s->rank, .dim = { s->dim[0], s->dim[1] } };
    }
    const gguf_contents holds = { meta, SIZES + 2, spec, SPECS };
    if (gguf_writer_open(&w, path, &holds, &err)) FAIL_("%s", err.message);
    for (int i = 0; i < SPECS; i++) {
        const int64_t width = spec[i].rank == 2 ? spec[i].dim[1] : 1, n = spec[i].dim[0] * width;
        float *x = calloc((size_t)n, sizeof *x);
        load(f, names[i][1], n, x);
        if (strstr(names[i][0], "attn_q") || strstr(names[i][0], "attn_k")) into_pairs(x, spec[i].dim[0], width);
        CHECK_EQ(gguf_writer_put(w, x, (size_t)n * sizeof *x, &err), SONDE_OK);
        free(x);
    }
    CHECK_EQ(gguf_writer_finish(w, &err), SONDE_OK);
    sonde_array_file_close(f);
}

static void a_gguf_file_gives_the_folders_weights(void) {
    save_gguf("saved.gguf");
    compare_containers(LLAMA, "./saved.gguf");
    if (access(STORIES "gguf/stories260K-F32.gguf", R_OK)) printf("skipped: no " STORIES "gguf/stories260K-F32.gguf\n");
    else compare_containers(STORIES "hf", STORIES "gguf/stories260K-F32.gguf");
}

static void names_may_be_ends_stars_and_several(void) {
    static const struct { const char *list; int64_t n; } rows[] = {
        { "attn.b_Q", 2 }, { "b_Q", 2 }, { "W_E", 1 }, { "*W_E", 1 }, { "blocks.0.*", 16 }, { "*.b_*", 12 },
        { "W_E,W_pos,b_Q", 4 }, { "blocks.0.attn.W_Q", 1 }, { "*", 37 },
    };
    method_run *r = open_tiny();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RUN_OK(r, "export", "weights", rows[i].list, NULL);
        const sonde_table *t = run_table(r, "weights");
        if (run_rows(t) != rows[i].n) FAIL_("%s: %lld weights", rows[i].list, (long long)run_rows(t));
    }
    RUN_OK(r, "export", "weights", "attn.b_K", "heads", "true", NULL);
    const sonde_table *t = run_table(r, "weights");
    CHECK_STR(run_columns(t), "name axes shape type stored_as numbers");
    CHECK_EQ(run_rows(t), 2 * TINY_HEADS);
    CHECK_STR(run_text(t, 3, "name"), "blocks.1.attn.b_K.1");
    CHECK_STR(run_text(t, 3, "axes"), "e");
    CHECK_STR(run_text(t, 3, "shape"), "4");
    CHECK_STR(run_text(t, 3, "stored_as"), "h.1.attn.c_attn.bias");
    CHECK_EQ(run_int(t, 3, "numbers"), 4);
    run_close(r);
}

static void a_vocabulary_is_text_and_bytes(void) {
    method_run *r = open_tiny();
    out_file(r, "v.csv");
    RUN_OK(r, "export", "vocabulary", "true", NULL);
    size_t size;
    char  *all = bytes_of("v.csv", &size);
    CHECK_STR(all, "id,text,bytes,special\n0,<|endoftext|>,3c7c656e646f66746578747c3e,true\n1,a,61,false\n2,b,62,false\n"
                   "3,c,63,false\n4,·,20,false\n5,ab,6162,false\n6,·a,2061,false\n7,·ab,206162,false\n");
    free(all);
    out_file(r, "v.npy");
    CHECK_EQ(run_method(r, "export", "vocabulary", "true", NULL), SONDE_USAGE);
    CHECK(strstr(r->err.message, "no array; .json, .csv"));
    CHECK_EQ(run_method(r, "export", "vocabulary", "true", "heads", "true", NULL), SONDE_USAGE);
    run_close(r);
}

static void a_bare_tokenizer_has_a_vocabulary_and_no_weights(void) {
    method_run *r = open_tiny();
    sonde_model *whole = r->model;
    if (sonde_tokenizer_open(&r->model, "tiny/tokenizer.json", NULL, &r->err)) FAIL_("%s", r->err.message);
    r->cx.model = r->model;
    RUN_OK(r, "export", "vocabulary", "true", NULL);
    CHECK_EQ(run_rows(run_table(r, "vocabulary")), 8);
    CHECK_EQ(run_method(r, "export", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "weights: only a tokenizer was opened, expected --vocabulary or a model");
    sonde_model_close(whole);
    run_close(r);
}

static void what_cannot_be_is_said_before_a_file_is_made(void) {
    method_run *r = open_tiny();
    out_file(r, "never.json");
    CHECK_EQ(run_method(r, "export", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "never.json: weights are written as .npy, .safetensors, .csv or .tsv");
    out_file(r, "never.npy");
    CHECK_EQ(run_method(r, "export", "weights", "W_E,W_X*", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "weights: no weight is called W_X*, \"sonde export\" lists them");
    CHECK_EQ(run_method(r, "export", "weights", "W_E,", NULL), SONDE_USAGE);
    r->cx.dry_run = true;
    RUN_OK(r, "export", "weights", "W_E", NULL);
    CHECK_EQ(run_rows(run_table(r, "weights")), 1);
    CHECK(access("never.npy", F_OK) && access("never.json", F_OK));
    run_close(r);
}

#define TESTS(T) \
    T(a_fused_matrix_is_cut_per_head) T(one_array_is_the_file_that_was_named) T(safetensors_hold_all_in_one) \
    T(lines_are_wide_and_read_back) T(a_llamas_projections_are_turned) T(a_gguf_file_gives_the_folders_weights) \
    T(names_may_be_ends_stars_and_several) T(a_vocabulary_is_text_and_bytes) \
    T(a_bare_tokenizer_has_a_vocabulary_and_no_weights) T(what_cannot_be_is_said_before_a_file_is_made)
TEST_MAIN(TESTS)
