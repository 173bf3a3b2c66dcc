#define _GNU_SOURCE
#include "tiny_model.h"
#include "base/json.h"
#include "model/model_files.h"
#include "model/weight_table.h"
#include "sonde/model.h"
#include <pthread.h>
#include <time.h>

#define CHECK_SIZE(got, want) CHECK_EQ((long long)(got), (long long)(want))

static size_t weight_named(const sonde_model *m, const char *name, sonde_weight_info *out) {
    for (size_t i = 0; i < sonde_model_weights(m); i++) {
        sonde_model_weight(m, i, out);
        if (strcmp(out->name, name) == 0) return i;
    }
    FAIL_("no weight %s", name);
}

static void a_folder_opens_and_is_described(void) {
    tiny_model t = tiny_new("tiny", "transformer.");
    tiny_save(&t);
    sonde_model *m = open_or_say("tiny", NULL);
    const sonde_model_info *i = sonde_model_describe(m);
    CHECK_STR(i->name, "tiny");
    CHECK_STR(i->family, "gpt2");
    CHECK_SIZE(strlen(sonde_model_hash(m)), 16);
    CHECK_EQ(i->layers, 2);
    CHECK_EQ(i->heads, 2);
    CHECK_EQ(i->kv_heads, 2);
    CHECK_EQ(i->d, 8);
    CHECK_EQ(i->e, 4);
    CHECK_EQ(i->f, 32);
    CHECK_EQ(i->vocab, 11);
    CHECK_EQ(i->context, 6);
    const long vectors = 2 * (8 + 8 + 24 + 8 + 8 + 8 + 32 + 8) + 16, matrices = 2 * (192 + 64 + 256 + 256) + 17 * 8;
    CHECK_EQ(i->parameters, vectors + matrices);
    CHECK_EQ(i->bytes, 4 * (vectors + matrices));
    CHECK_EQ(i->copied, 4 * vectors);
    CHECK(i->tied && !i->adds_bos && !i->has_tokenizer);
    CHECK_EQ(i->bos, 0);
    CHECK_EQ(i->eos, 0);
    CHECK_SIZE(sonde_model_weights(m), 2 + 2 * 16 + 3);
    CHECK_NEAR(m->config.score_scale, 0.5, 0);
    CHECK_EQ(m->config.act, ACT_GELU_TANH);
    CHECK_NEAR(m->config.norm_eps, 1e-5, 0);
    sonde_model_close(m);
}

/* A path with or without slashes at its end, and a file, are the same model. */
static void a_path_may_be_a_folder_or_a_file(void) {
    tiny_model t = tiny_new("paths", "");
    tiny_save(&t);
    static const char *const names[] = { "paths", "./paths//", "paths/model.safetensors" };
    char hash[17] = "";
    for (int i = 0; i < 3; i++) {
        sonde_model *m = open_or_say(names[i], NULL);
        const sonde_model_info *info = sonde_model_describe(m);
        CHECK_STR(info->name, names[i]);
        if (i) CHECK_STR(sonde_model_hash(m), hash);
        memcpy(hash, sonde_model_hash(m), sizeof hash);
        sonde_model_close(m);
    }
}

/* Vectors along either axis are those of the whole matrix, wherever they begin. */
static void check_vectors(const sonde_model *m, sonde_weight_part p, const sonde_weight_info *w) {
    float all[512], part[512];
    const int64_t length = w->dim[1 - p.axis];
    CHECK_EQ(sonde_model_weight_read(m, p.weight, all, NULL), SONDE_OK);
    CHECK_EQ(sonde_model_weight_vectors(m, p, part, NULL), SONDE_OK);
    for (int64_t i = 0; i < p.n; i++)
        for (int64_t k = 0; k < length; k++) {
            const int64_t row = p.axis ? k : p.first + i, column = p.axis ? p.first + i : k;
            CHECK(part[i * length + k] == all[row * w->dim[1] + column]);
        }
}

static void vectors_of_a_matrix_along_either_axis(void) {
    tiny_model t = tiny_new("vectors", "");
    tiny_save(&t);
    sonde_model *m = open_or_say("vectors", NULL);
    for (size_t i = 0; i < sonde_model_weights(m); i++) {
        sonde_weight_info w;
        sonde_model_weight(m, i, &w);
        float out[512];
        sonde_error err;
        const bool matrix = w.rank == 2 && !strstr(w.name, ".b_");
        for (int axis = 0; axis < 2 && matrix; axis++) {
            const int64_t n = w.dim[axis];
            check_vectors(m, (sonde_weight_part){ i, axis, 0, n }, &w);
            check_vectors(m, (sonde_weight_part){ i, axis, n - 2, 2 }, &w);
            CHECK_EQ(sonde_model_weight_vectors(m, (sonde_weight_part){ i, axis, n - 1, 2 }, out, &err), SONDE_USAGE);
            CHECK_EQ(sonde_model_weight_vectors(m, (sonde_weight_part){ i, axis, -1, 2 }, out, &err), SONDE_USAGE);
        }
        if (matrix) CHECK_EQ(sonde_model_weight_vectors(m, (sonde_weight_part){ i, 2, 0, 1 }, out, &err), SONDE_USAGE);
        else CHECK_EQ(sonde_model_weight_vectors(m, (sonde_weight_part){ i, 0, 0, 1 }, out, &err), SONDE_USAGE);
    }
    sonde_model_close(m);
}

static void check_weight(const sonde_model *m, const char *name, const char *stored, const char *dims) {
    sonde_weight_info w;
    const size_t i = weight_named(m, name, &w);
    CHECK_STR(w.stored_as, stored);
    char shape[64] = "";
    int64_t n = 1;
    for (int k = 0; k < w.rank; k++) {
        snprintf(shape + strlen(shape), 32, "%s%" PRId64, k ? " " : "", w.dim[k]);
        n *= w.dim[k];
    }
    CHECK_STR(shape, dims);
    float out[1024];
    CHECK_EQ(sonde_model_weight_read(m, i, out, NULL), SONDE_OK);
    const bool fused = strstr(stored, "c_attn") != NULL;
    const int part = !fused ? 0 : strchr(name, 'Q') ? 0 : strchr(name, 'K') ? 1 : 2;
    for (int64_t k = 0; k < n; k++) {
        int64_t at = fused && w.rank == 1 ? part * 8 + 0 : 0;
        if (fused && w.rank == 3)               /* [h, d, e] from row d, column part * 8 + h * 4 + e */
            at = k / 4 % 8 * 24 + part * 8 + k / 32 * 4 + k % 4;
        else if (strcmp(name, "unembed.W_U") == 0) at = k % 11 * 8 + k / 11;
        else at += k;
        CHECK_NEAR(out[k], tiny_value(stored, at), 0);
    }
}

static const char *const stored_types[] = { "F32", "F16", "BF16" };

static void weights_have_transformer_lens_names_shapes_and_the_files_numbers(void) {
    static const struct { const char *name, *stored, *dims; } all[] = {
        { "embed.W_E", "transformer.wte.weight", "11 8" }, { "pos_embed.W_pos", "transformer.wpe.weight", "6 8" },
        { "blocks.0.ln1.w", "transformer.h.0.ln_1.weight", "8" },
        { "blocks.0.ln1.b", "transformer.h.0.ln_1.bias", "8" },
        { "blocks.0.attn.W_Q", "transformer.h.0.attn.c_attn.weight", "2 8 4" },
        { "blocks.1.attn.W_K", "transformer.h.1.attn.c_attn.weight", "2 8 4" },
        { "blocks.1.attn.W_V", "transformer.h.1.attn.c_attn.weight", "2 8 4" },
        { "blocks.0.attn.b_Q", "transformer.h.0.attn.c_attn.bias", "2 4" },
        { "blocks.0.attn.W_O", "transformer.h.0.attn.c_proj.weight", "2 4 8" },
        { "blocks.0.attn.b_O", "transformer.h.0.attn.c_proj.bias", "8" },
        { "blocks.1.ln2.w", "transformer.h.1.ln_2.weight", "8" },
        { "blocks.1.ln2.b", "transformer.h.1.ln_2.bias", "8" },
        { "blocks.1.mlp.W_in", "transformer.h.1.mlp.c_fc.weight", "8 32" },
        { "blocks.1.mlp.b_in", "transformer.h.1.mlp.c_fc.bias", "32" },
        { "blocks.1.mlp.W_out", "transformer.h.1.mlp.c_proj.weight", "32 8" },
        { "blocks.1.mlp.b_out", "transformer.h.1.mlp.c_proj.bias", "8" },
        { "ln_final.w", "transformer.ln_f.weight", "8" }, { "ln_final.b", "transformer.ln_f.bias", "8" },
        { "unembed.W_U", "transformer.wte.weight", "8 11" },
    };
    for (int type = 0; type < 3; type++) {
        tiny_model t = tiny_new("types", "transformer.");
        for (int i = 0; i < t.n; i++) t.tensor[i].type = stored_types[type];
        tiny_save(&t);
        sonde_model *m = open_or_say("types", NULL);
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) check_weight(m, all[i].name, all[i].stored, all[i].dims);
        sonde_weight_info w;
        weight_named(m, "blocks.0.attn.W_Q", &w);
        CHECK_STR(w.dtype, stored_types[type]);
        CHECK_EQ(w.bytes, type ? 2 * 64 : 4 * 64);
        sonde_model_close(m);
    }
}

/* What the engine multiplies by: element (j, k) as kern.h defines it. */
static float element(const kern_weight *w, dtype_id type, size_t j, size_t k) {
    const size_t item = (size_t)dtype_table[type].bytes;
    const uint8_t *at = (const uint8_t *)w->data + (w->columns ? k * w->stride + j * item : j * w->stride + k * item);
    float v;
    dtype_table[type].to_f32(&v, at, 1);
    return v;
}

static void views_lie_in_the_file_and_are_what_kernels_read(void) {
    for (int type = 0; type < 3; type++) {
        tiny_model t = tiny_new("views", "transformer.");
        for (int i = 0; i < t.n; i++) t.tensor[i].type = stored_types[type];
        tiny_save(&t);
        sonde_model *m = open_or_say("views", NULL);
        const stored_tensor *fused = weights_find(m->files->weights, "transformer.h.1.attn.c_attn.weight");
        const weight *v = &m->block[1][W_V];
        CHECK_SIZE((uintptr_t)v->matrix.data - (uintptr_t)fused->data, 16 * dtype_table[v->type].bytes);
        CHECK(v->matrix.columns && v->vector == NULL);
        CHECK_SIZE(v->matrix.n, 8);
        CHECK_SIZE(v->matrix.k, 8);
        for (size_t j = 0; j < 8; j++)
            for (size_t k = 0; k < 8; k++)
                CHECK_NEAR(element(&v->matrix, v->type, j, k), tiny_value(fused->name, (int64_t)(k * 24 + 16 + j)), 0);
        const weight *e = &m->front[W_EMBED], *u = &m->front[W_UNEMBED];
        CHECK(!e->matrix.columns && !u->matrix.columns && e->matrix.data == u->matrix.data);
        CHECK_SIZE(u->matrix.n, 11);
        CHECK_SIZE(u->matrix.k, 8);
        CHECK_NEAR(element(&u->matrix, u->type, 10, 3), tiny_value("transformer.wte.weight", 83), 0);
        const weight *b = &m->block[0][B_V];
        CHECK_SIZE((uintptr_t)b->vector % 64, 0);
        for (int i = 0; i < 8; i++) CHECK_NEAR(b->vector[i], tiny_value("transformer.h.0.attn.c_attn.bias", 16 + i), 0);
        sonde_model_close(m);
    }
}

static void a_stored_head_is_used_and_heads_have_no_prefix(void) {
    for (int prefixed = 0; prefixed < 2; prefixed++) {
        tiny_model t = tiny_new("head", prefixed ? "transformer." : "");
        tiny_add(&t, "lm_head.weight", 11, 8);
        tiny_add(&t, "h.0.attn.bias", 6, 6);
        tiny_add(&t, "something.else", 3, 0);
        tiny_save(&t);
        sonde_model *m = open_or_say("head", NULL);
        CHECK(!sonde_model_describe(m)->tied);
        check_weight(m, "unembed.W_U", "lm_head.weight", "8 11");
        CHECK_EQ(sonde_model_describe(m)->parameters, 1896 + 88);
        sonde_model_close(m);
    }
}

static void activations_are_those_of_transformers(void) {
    static const struct { const char *name; act_kind act; } rows[] = {
        { "gelu_new", ACT_GELU_TANH }, { "gelu_pytorch_tanh", ACT_GELU_TANH }, { "gelu_python_tanh", ACT_GELU_TANH },
        { "gelu_fast", ACT_GELU_TANH }, { "gelu_accurate", ACT_GELU_TANH }, { "gelu", ACT_GELU },
        { "gelu_python", ACT_GELU }, { "relu", ACT_RELU }, { "silu", ACT_SILU }, { "swish", ACT_SILU },
    };
    tiny_model t = tiny_new("act", "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char more[64];
        snprintf(more, sizeof more, "\"activation_function\": \"%s\",", rows[i].name);
        t.config = tiny_config(more);
        tiny_save(&t);
        sonde_model *m = open_or_say("act", NULL);
        CHECK_EQ(m->config.act, rows[i].act);
        sonde_model_close(m);
    }
}

static void config_fields_have_aliases_and_defaults(void) {
    tiny_model t = tiny_new("fields", "");
    t.config = "{\"model_type\":\"gpt2\",\"hidden_size\":8,\"num_hidden_layers\":2,\"num_attention_heads\":1,"
               "\"max_position_embeddings\":6,\"vocab_size\":11,\"n_inner\":32,\"scale_attn_weights\":false,"
               "\"scale_attn_by_inverse_layer_idx\":true,\"eos_token_id\":[7,3],\"layer_norm_epsilon\":1e-3}";
    tiny_save(&t);
    sonde_model *m = open_or_say("fields", NULL);
    CHECK_EQ(m->config.e, 8);
    CHECK_NEAR(m->config.score_scale, 1, 0);
    CHECK(m->config.scale_by_layer);
    CHECK_NEAR(m->config.norm_eps, 1e-3, 0);
    CHECK_EQ(m->config.bos, -1);
    CHECK_EQ(sonde_model_describe(m)->eos, 7);
    CHECK_EQ(sonde_model_describe(m)->bos, 7);          /* 50256, the default, is not in this vocabulary */
    sonde_model_close(m);
    t.config = "{\"model_type\":\"gpt2\"}";
    tiny_save(&t);
    CHECK_STR(opened_line("fields", NULL, SONDE_FORMAT),
              "fields: tensor wte.weight: shape is [11, 8], expected [50257, 768]");
}

static void two_owners_share_one_model(void) {
    tiny_model t = tiny_new("owners", "");
    tiny_save(&t);
    sonde_model *m = open_or_say("owners", NULL);
    sonde_model *other = sonde_model_share(m);
    CHECK(other == m);
    sonde_model_close(m);
    check_weight(other, "blocks.1.mlp.W_in", "h.1.mlp.c_fc.weight", "8 32");
    sonde_model_close(other);
    sonde_model_close(NULL);
}

/* What opening leaves for later or does besides changes nothing that is seen. */
static void a_model_that_will_be_run_is_the_same(void) {
    tiny_model t = tiny_new("run", "");
    tiny_save(&t);
    const sonde_model_search search = { .run = true };
    sonde_model *m = open_or_say("run", NULL), *run = open_or_say("run", &search);
    CHECK(m && run);
    CHECK_STR(sonde_model_hash(run), sonde_model_hash(m));
    CHECK(sonde_model_weights(run) == sonde_model_weights(m));
    check_weight(run, "blocks.1.mlp.W_in", "h.1.mlp.c_fc.weight", "8 32");
    sonde_model_close(run);
    sonde_model_close(m);
    CHECK_EQ(sonde_model_open(&m, "none-such", &search, NULL), SONDE_NOT_FOUND);
    tiny_write_text("run", "config.json", "{");
    CHECK_EQ(sonde_model_open(&m, "run", &search, NULL), SONDE_FORMAT);
}

static void *use_model(void *ctx) {
    sonde_model *m = ctx, *own;
    sonde_weight_info w;
    float out[64];
    for (int i = 0; i < 20; i++) {
        const sonde_model_search search = { .run = i % 2 };
        if (sonde_model_open(&own, "threads", &search, NULL) != SONDE_OK) return "open";
        if (strcmp(sonde_model_hash(own), sonde_model_hash(m)) != 0) return "hash";
        sonde_model_weight(m, 4, &w);
        if (sonde_model_weight_read(m, 4, out, NULL) != SONDE_OK) return "read";
        sonde_model_close(own);
    }
    sonde_model_close(m);
    return NULL;
}

static void threads_open_describe_and_close(void) {
    tiny_model t = tiny_new("threads", "");
    tiny_save(&t);
    sonde_model *m = open_or_say("threads", NULL);
    pthread_t thread[4];
    void *bad[4];
    for (int i = 0; i < 4; i++) CHECK_EQ(pthread_create(&thread[i], NULL, use_model, sonde_model_share(m)), 0);
    sonde_model_close(m);
    for (int i = 0; i < 4; i++) pthread_join(thread[i], &bad[i]);
    for (int i = 0; i < 4; i++) CHECK_STR(bad[i] ? bad[i] : "", "");
}

static void the_demo_needs_no_file(void) {
    sonde_model *m = open_or_say(NULL, NULL), *named = open_or_say("demo", NULL);
    const sonde_model_info *i = sonde_model_describe(m);
    CHECK_STR(i->name, "demo");
    CHECK_STR(i->family, "gpt2");
    CHECK_STR(sonde_model_hash(m), sonde_model_hash(named));
    CHECK(i->tied && i->has_tokenizer && !i->adds_bos);
    CHECK_EQ(i->layers, 4);
    sonde_model_close(named);
    sonde_model_close(m);
    size_t size;
    const char *cases = sonde_demo_cases(&size);
    arena *a = arena_new();
    const json *tree;
    CHECK_EQ(cases[size], 0);
    CHECK_EQ(json_parse(cases, size, a, &tree, NULL), SONDE_OK);
    CHECK(json_get(tree, "tasks") != NULL);
    arena_free(a);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* wte of 2,500,000 x 1024 float32 is 10.24 GB of nothing. */
static void ten_sparse_gigabytes_open_at_once(void) {
    static const char header[] =
        "{\"wte.weight\":{\"dtype\":\"F32\",\"shape\":[2500000,1024],\"data_offsets\":[0,10240000000]}}      ";
    mkdir("sparse", 0777);
    FILE *f = fopen("sparse/model.safetensors", "wb");
    const uint64_t n = sizeof header - 1;
    CHECK(f && fwrite(&n, 8, 1, f) == 1 && fwrite(header, n, 1, f) == 1 && fclose(f) == 0);
    CHECK_EQ(truncate("sparse/model.safetensors", (off_t)(8 + n + 10240000000)), 0);
    tiny_write_text("sparse", "config.json", tiny_config("\"vocab_size\": 2500000, \"n_embd\": 1024,"));
    const double begin = seconds();
    CHECK_STR(opened_line("sparse", NULL, SONDE_FORMAT),
              "sparse: tensor wpe.weight: is not there, expected one of shape [6, 1024]");
    CHECK(seconds() - begin < 0.25);
    CHECK_EQ(unlink("sparse/model.safetensors"), 0);
}

static void tables_have_no_gaps(void) {
    arch_config c = { .layers = 1, .heads = 2, .kv_heads = 2, .d = 8, .e = 4, .f = 32, .vocab = 11, .context = 6,
                      .rope = { .dims = 4 }, .width = 8, .types = 2, .buckets = 8, .experts = 3, .expert_f = 5, .labels = 3 };
    for (int id = W_NONE + 1; id < WEIGHT_COUNT; id++) {
        const weight_meaning *w = &weight_table[id];
        CHECK(w->name && w->axes && w->out && w->in);
        CHECK_EQ(weight_size(&c, w->axes), weight_size(&c, w->out) * weight_size(&c, w->in));
    }
    for (const arch *const *a = arch_table; *a; a++) {
        bool seen[WEIGHT_COUNT] = { false };
        for (const weight_row *r = (*a)->weights; r->id != W_NONE; r++) {
            const char *names[] = { r->hf, r->gguf, r->meta };
            CHECK((r->hf || r->gguf) && (r->parts == 0 || r->part < r->parts));
            for (int i = 0; i < 3; i++)
                if (names[i] && r->id != W_REL) CHECK_EQ(strstr(names[i], "%d") != NULL, weight_table[r->id].block);
            seen[r->id] = true;
        }
        CHECK(seen[W_EMBED] && seen[W_UNEMBED]);
    }
}

#define TESTS(X) \
    X(a_folder_opens_and_is_described) \
    X(a_path_may_be_a_folder_or_a_file) \
    X(weights_have_transformer_lens_names_shapes_and_the_files_numbers) \
    X(vectors_of_a_matrix_along_either_axis) \
    X(views_lie_in_the_file_and_are_what_kernels_read) \
    X(a_stored_head_is_used_and_heads_have_no_prefix) \
    X(activations_are_those_of_transformers) \
    X(config_fields_have_aliases_and_defaults) \
    X(two_owners_share_one_model) \
    X(a_model_that_will_be_run_is_the_same) \
    X(threads_open_describe_and_close) \
    X(the_demo_needs_no_file) \
    X(ten_sparse_gigabytes_open_at_once) \
    X(tables_have_no_gaps)
TEST_MAIN(TESTS)
