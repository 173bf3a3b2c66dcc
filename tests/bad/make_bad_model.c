/* Models and vocabularies in GGUF and files of tokenizers, each with one thing wrong: what the model layer and the
 * tokenizers must refuse. The good ones they are made from are tiny_llama.gguf (4 wide, 2 heads of 2
 * rotated numbers, 8 tokens) and tiny_gpt2.gguf. */
#define _GNU_SOURCE
#include "make_bad.h"
#include "../gguf_bytes.h"
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

typedef struct { gguf_bytes value; char key[64]; uint32_t type; } pair;
typedef struct { char name[40]; uint32_t rank; uint64_t dim[2]; float first; } tensor;
enum { MOST_PAIRS = 32, MOST_TENSORS = 24, TOKENS = 8, ALIGNMENT = 32 };
enum { U32 = 4, I32 = 5, F32 = 6, BOOL = 7, TEXT = 8, LIST = 9, U64 = 10, U8 = 0 };

typedef struct { pair pair[MOST_PAIRS]; size_t n_pairs; tensor tensor[MOST_TENSORS]; size_t n_tensors; } model;

/* The pair of that key, empty; a new one where there is none. */
static gguf_bytes *say(model *m, const char *key, uint32_t type) {
    size_t i = 0;
    while (i < m->n_pairs && strcmp(m->pair[i].key, key) != 0) i++;
    if (i == m->n_pairs) {
        m->n_pairs++;
        snprintf(m->pair[i].key, sizeof m->pair[i].key, "%s", key);
    }
    m->pair[i].type = type;
    m->pair[i].value.n = 0;
    return &m->pair[i].value;
}

static void say_u32(model *m, const char *key, uint32_t v) { gguf_u32(say(m, key, U32), v); }
static void say_u64(model *m, const char *key, uint64_t v) { gguf_u64(say(m, key, U64), v); }
static void say_text(model *m, const char *key, const char *v) { gguf_text(say(m, key, TEXT), v); }
static void say_bool(model *m, const char *key, uint8_t v) { gguf_u8(say(m, key, BOOL), v); }

static void say_f32(model *m, const char *key, float v) { gguf_put(say(m, key, F32), &v, sizeof v); }

static gguf_bytes *say_list(model *m, const char *key, uint32_t type, uint64_t n) {
    gguf_bytes *b = say(m, key, LIST);
    gguf_u32(b, type);
    gguf_u64(b, n);
    return b;
}

static void say_texts(model *m, const char *key, const char *const *text, size_t n) {
    gguf_bytes *b = say_list(m, key, TEXT, n);
    for (size_t i = 0; i < n; i++) gguf_text(b, text[i]);
}

static void say_floats(model *m, const char *key, const float *v, size_t n) { gguf_put(say_list(m, key, F32, n), v, n * sizeof *v); }
static void say_ints(model *m, const char *key, const int32_t *v, size_t n) { gguf_put(say_list(m, key, I32, n), v, n * sizeof *v); }

static void forget(model *m, const char *key) {
    for (size_t i = 0; i < m->n_pairs; i++)
        if (strcmp(m->pair[i].key, key) == 0) {
            free(m->pair[i].value.at);
            m->pair[i] = m->pair[--m->n_pairs];
            m->pair[m->n_pairs] = (pair){ 0 };
        }
}

static tensor *hold(model *m, const char *name, uint64_t inner, uint64_t rows) {
    tensor *t = &m->tensor[m->n_tensors++];
    *t = (tensor){ .rank = rows ? 2 : 1, .dim = { inner, rows ? rows : 1 }, .first = 0.5f };
    snprintf(t->name, sizeof t->name, "%s", name);
    return t;
}

static tensor *named(model *m, const char *name) {
    for (size_t i = 0; i < m->n_tensors; i++)
        if (strcmp(m->tensor[i].name, name) == 0) return &m->tensor[i];
    fprintf(stderr, "%s: no such tensor\n", name);
    exit(2);
}

static void drop(model *m, const char *name) {
    tensor *gone = named(m, name);
    *gone = m->tensor[--m->n_tensors];
}

static void save_model(const char *file, model *m) {
    gguf_bytes b = { 0 };
    uint64_t at = 0;
    gguf_begin(&b, m->n_tensors, m->n_pairs);
    for (size_t i = 0; i < m->n_pairs; i++) {
        gguf_key(&b, m->pair[i].key, m->pair[i].type);
        gguf_put(&b, m->pair[i].value.at, m->pair[i].value.n);
        free(m->pair[i].value.at);
    }
    for (size_t i = 0; i < m->n_tensors; i++) {
        const tensor *t = &m->tensor[i];
        gguf_tensor(&b, (gguf_line){ t->name, t->rank, { t->dim[0], t->dim[1] }, 0, at });
        at += (4 * t->dim[0] * t->dim[1] + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    if (m->n_tensors) gguf_pad(&b, ALIGNMENT);
    for (size_t i = 0; i < m->n_tensors; i++)
        for (uint64_t k = 0; k < m->tensor[i].dim[0] * m->tensor[i].dim[1]; k++) {
            const float x = k ? (float)((int)(k * 7 + i) % 11 - 5) / 8 : m->tensor[i].first;
            gguf_put(&b, &x, sizeof x);
            if (k + 1 == m->tensor[i].dim[0] * m->tensor[i].dim[1]) gguf_pad(&b, ALIGNMENT);
        }
    FILE *f = fopen(file, "wb");
    if (!f || fwrite(b.at, 1, b.n, f) != b.n || fclose(f)) {
        perror(file);
        exit(2);
    }
    free(b.at);
}

/* -- the good models -- */

static const char *const pieces[TOKENS] = { "<unk>", "<s>", "</s>", "a", "b", "\xe2\x96\x81", "\xe2\x96\x81" "a", "ab" };
static const float scores[TOKENS] = { 0, 0, 0, -1, -2, -3, -4, -5 };
static const int32_t types[TOKENS] = { 2, 3, 3, 1, 1, 1, 1, 1 };

#define KEY(name) "tokenizer.ggml." name

static model unigram(void) {
    model m = { 0 };
    say_text(&m, KEY("model"), "t5");
    say_texts(&m, KEY("tokens"), pieces, TOKENS);
    say_floats(&m, KEY("scores"), scores, TOKENS);
    say_ints(&m, KEY("token_type"), types, TOKENS);
    say_u32(&m, KEY("bos_token_id"), 1);
    say_u32(&m, KEY("eos_token_id"), 2);
    return m;
}

static model tiny_llama(void) {
    model m = unigram();
    say_text(&m, "general.architecture", "llama");
    say_u32(&m, "llama.embedding_length", 4);
    say_u32(&m, "llama.block_count", 1);
    say_u32(&m, "llama.attention.head_count", 2);
    say_u32(&m, "llama.attention.head_count_kv", 1);
    say_u32(&m, "llama.feed_forward_length", 6);
    say_u32(&m, "llama.context_length", 8);
    say_u32(&m, "llama.rope.dimension_count", 2);
    say_f32(&m, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    say_f32(&m, "llama.rope.freq_base", 10000);
    hold(&m, "token_embd.weight", 4, TOKENS);
    hold(&m, "blk.0.attn_norm.weight", 4, 0);
    hold(&m, "blk.0.attn_q.weight", 4, 4);
    hold(&m, "blk.0.attn_k.weight", 4, 2);
    hold(&m, "blk.0.attn_v.weight", 4, 2);
    hold(&m, "blk.0.attn_output.weight", 4, 4);
    hold(&m, "blk.0.ffn_norm.weight", 4, 0);
    hold(&m, "blk.0.ffn_gate.weight", 4, 6);
    hold(&m, "blk.0.ffn_up.weight", 4, 6);
    hold(&m, "blk.0.ffn_down.weight", 6, 4);
    hold(&m, "output_norm.weight", 4, 0);
    return m;
}

static const char *const letters[TOKENS] = { "a", "b", "c", "d", "\xc4\xa0", "ab", "cd", "<|endoftext|>" };
static const char *const merges[] = { "a b", "c d" };

static model tiny_gpt2(void) {
    static const struct { const char *name; uint64_t inner, rows; } block[] = {
        { "attn_norm", 4, 0 }, { "attn_qkv", 4, 12 }, { "attn_output", 4, 4 }, { "ffn_norm", 4, 0 }, { "ffn_up", 4, 16 },
        { "ffn_down", 16, 4 },
    };
    static const int32_t kinds[TOKENS] = { 1, 1, 1, 1, 1, 1, 1, 3 };
    model m = { 0 };
    say_text(&m, "general.architecture", "gpt2");
    say_u32(&m, "gpt2.embedding_length", 4);
    say_u32(&m, "gpt2.block_count", 1);
    say_u32(&m, "gpt2.attention.head_count", 2);
    say_u32(&m, "gpt2.feed_forward_length", 16);
    say_u32(&m, "gpt2.context_length", 8);
    say_f32(&m, "gpt2.attention.layer_norm_epsilon", 1e-5f);
    say_text(&m, KEY("model"), "gpt2");
    say_text(&m, KEY("pre"), "gpt-2");
    say_texts(&m, KEY("tokens"), letters, TOKENS);
    say_ints(&m, KEY("token_type"), kinds, TOKENS);
    say_texts(&m, KEY("merges"), merges, 2);
    hold(&m, "token_embd.weight", 4, TOKENS);
    hold(&m, "position_embd.weight", 4, 8);
    for (size_t i = 0; i < sizeof block / sizeof *block; i++) {
        char name[40];
        snprintf(name, sizeof name, "blk.0.%s.weight", block[i].name);
        hold(&m, name, block[i].inner, block[i].rows);
        snprintf(name, sizeof name, "blk.0.%s.bias", block[i].name);
        hold(&m, name, block[i].rows ? block[i].rows : 4, 0);
    }
    hold(&m, "output_norm.weight", 4, 0);
    hold(&m, "output_norm.bias", 4, 0);
    return m;
}

/* -- sizes that a GGUF file says -- */

#define LLAMA(name) "llama." name

static void make_numbers(void) {
    static const struct { const char *file, *key; uint64_t v; } rows[] = {
        { "tiny_heads_0.gguf", LLAMA("attention.head_count"), 0 },
        { "tiny_heads_3.gguf", LLAMA("attention.head_count"), 3 },
        { "tiny_heads_2_64.gguf", LLAMA("attention.head_count"), UINT64_MAX },
        { "tiny_kv_heads_0.gguf", LLAMA("attention.head_count_kv"), 0 },
        { "tiny_kv_heads_3.gguf", LLAMA("attention.head_count_kv"), 3 },
        { "tiny_layers_1e9.gguf", LLAMA("block_count"), 1000000000 },
        { "tiny_layers_2.gguf", LLAMA("block_count"), 2 },
        { "tiny_layers_0.gguf", LLAMA("block_count"), 0 },
        { "tiny_width_0.gguf", LLAMA("embedding_length"), 0 },
        { "tiny_width_2_40.gguf", LLAMA("embedding_length"), 1ull << 40 },
        { "tiny_width_6.gguf", LLAMA("embedding_length"), 6 },
        { "tiny_inner_0.gguf", LLAMA("feed_forward_length"), 0 },
        { "tiny_context_0.gguf", LLAMA("context_length"), 0 },
        { "tiny_context_2_63.gguf", LLAMA("context_length"), 1ull << 63 },
        { "tiny_rope_odd.gguf", LLAMA("rope.dimension_count"), 1 },
        { "tiny_rope_more.gguf", LLAMA("rope.dimension_count"), 4 },
        { "tiny_vocab_other.gguf", LLAMA("vocab_size"), 9 },
        { "tiny_experts.gguf", LLAMA("expert_count"), 8 },
        { "tiny_sliding.gguf", LLAMA("attention.sliding_window"), 4 },
        { "tiny_key_length_other.gguf", LLAMA("attention.key_length"), 4 },
        { "tiny_bos_outside.gguf", KEY("bos_token_id"), TOKENS },
        { "tiny_unknown_outside.gguf", KEY("unknown_token_id"), 1ull << 40 },
        { "tiny_separator_2_63.gguf", KEY("seperator_token_id"), 1ull << 63 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        model m = tiny_llama();
        say_u64(&m, rows[i].key, rows[i].v);
        save_model(rows[i].file, &m);
    }
    static const struct { const char *file, *key; float v; } floats[] = {
        { "tiny_eps_nan.gguf", LLAMA("attention.layer_norm_rms_epsilon"), NAN },
        { "tiny_eps_negative.gguf", LLAMA("attention.layer_norm_rms_epsilon"), -1 },
        { "tiny_base_0.gguf", LLAMA("rope.freq_base"), 0 },
        { "tiny_base_infinite.gguf", LLAMA("rope.freq_base"), INFINITY },
        { "tiny_base_nan.gguf", LLAMA("rope.freq_base"), NAN },
        { "tiny_scale_nan.gguf", LLAMA("rope.scale_linear"), NAN },
        { "tiny_scale_0.gguf", LLAMA("rope.scale_linear"), 0 },
        { "tiny_width_real.gguf", LLAMA("embedding_length"), 4.5f },
    };
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        model m = tiny_llama();
        say_f32(&m, floats[i].key, floats[i].v);
        save_model(floats[i].file, &m);
    }
}

static void make_kinds(void) {
    static const int32_t two[] = { 6, 8 }, same[] = { 6, 6 };
    model m = tiny_llama();
    say_ints(&m, LLAMA("feed_forward_length"), two, 2);
    save_model("tiny_inner_list.gguf", &m);
    m = tiny_llama();
    say_ints(&m, LLAMA("feed_forward_length"), same, 2);
    save_model("tiny_inner_same_list.gguf", &m);
    m = tiny_llama();
    say_text(&m, LLAMA("embedding_length"), "4");
    save_model("tiny_width_text.gguf", &m);
    m = tiny_llama();
    say_text(&m, LLAMA("rope.scaling.type"), "odd\"\33");
    save_model("tiny_scaling_unknown.gguf", &m);
    m = tiny_llama();
    say_u32(&m, LLAMA("rope.scaling.type"), 1);
    save_model("tiny_scaling_number.gguf", &m);
    m = tiny_llama();
    say_text(&m, "general.architecture", "mamba");
    save_model("tiny_family_unknown.gguf", &m);
    m = tiny_llama();
    say_u32(&m, "general.architecture", 1);
    save_model("tiny_family_number.gguf", &m);
    m = tiny_llama();
    forget(&m, "general.architecture");
    save_model("tiny_family_missing.gguf", &m);
    m = tiny_llama();
    forget(&m, LLAMA("block_count"));
    save_model("tiny_layers_missing.gguf", &m);
    m = tiny_llama();
    forget(&m, LLAMA("attention.layer_norm_rms_epsilon"));
    save_model("tiny_eps_missing.gguf", &m);
}

/* -- its tensors -- */

static void make_tensors(void) {
    model m = tiny_llama();
    save_model("tiny_llama.gguf", &m);
    m = tiny_gpt2();
    save_model("tiny_gpt2.gguf", &m);
    m = tiny_llama();
    named(&m, "blk.0.attn_q.weight")->first = NAN;
    save_model("tiny_weight_nan.gguf", &m);
    m = tiny_llama();
    drop(&m, "blk.0.ffn_up.weight");
    save_model("tiny_tensor_missing.gguf", &m);
    m = tiny_llama();
    drop(&m, "token_embd.weight");
    save_model("tiny_embedding_missing.gguf", &m);
    m = tiny_llama();
    named(&m, "blk.0.attn_v.weight")->dim[1] = 4;
    save_model("tiny_shape_other.gguf", &m);
    m = tiny_llama();
    *named(&m, "blk.0.ffn_norm.weight") = (tensor){ "blk.0.ffn_norm.weight", 2, { 2, 2 }, 0 };
    save_model("tiny_shape_rank.gguf", &m);
    m = tiny_llama();
    named(&m, "token_embd.weight")->dim[1] = TOKENS - 1;
    save_model("tiny_rows_fewer.gguf", &m);
    m = tiny_llama();
    named(&m, "token_embd.weight")->dim[1] = TOKENS + 1;
    save_model("tiny_rows_more.gguf", &m);
    m = tiny_llama();
    hold(&m, "rope_freqs.weight", 3, 0);
    save_model("tiny_rope_factors_other.gguf", &m);
    m = tiny_gpt2();
    named(&m, "position_embd.weight")->dim[1] = 7;
    save_model("tiny_positions_other.gguf", &m);
    m = tiny_gpt2();
    named(&m, "blk.0.attn_qkv.weight")->dim[1] = 8;
    save_model("tiny_qkv_other.gguf", &m);
    m = tiny_gpt2();
    drop(&m, "output_norm.bias");
    save_model("tiny_bias_missing.gguf", &m);
}

/* -- files of tokenizers, and of other programs -- */

static void save_text(const char *folder, const char *name, const void *text, size_t n) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    mkdir(folder, 0777);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(text, 1, n, f) != n || fclose(f)) {
        perror(path);
        exit(2);
    }
}

/* A tokenizer's file alone in a folder. */
static void make_tokenizer_files(void) {
    static const struct { const char *folder, *name, *text; size_t n; } rows[] = {
#define UNKNOWN "\x0a\x07\x0a\x03<u>\x18\x02"
#define ROW(folder, name, text) { folder, name, text, sizeof text - 1 }
        ROW("spm_varint_11", "tokenizer.model", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        ROW("spm_past_parent", "tokenizer.model", "\x0a\x03\x0a\x7f" "a"),
        ROW("spm_past_end", "tokenizer.model", "\x0a\x7f\x0a\x01" "a"),
        ROW("spm_group", "tokenizer.model", "\x0a\x03\x0a\x01" "a\x0b"),
        ROW("spm_no_pieces", "tokenizer.model", "\x12\x02\x18\x02"),
        ROW("spm_twice", "tokenizer.model", UNKNOWN "\x0a\x03\x0a\x01" "a\x0a\x03\x0a\x01" "a"),
        ROW("spm_nul", "tokenizer.model", UNKNOWN "\x0a\x05\x0a\x03" "a\0b"),
        ROW("tiktoken_base64", "tokenizer.model", "YQ== 0\nY!== 1\n"),
        ROW("tiktoken_twice", "tokenizer.model", "YQ== 0\nYQ== 1\n"),
        ROW("tiktoken_ranks", "tokenizer.model", "YQ== 1\nYg== 1\n"),
        ROW("tiktoken_rank_huge", "tokenizer.model", "YQ== 0\nYg== 18446744073709551616\n"),
        ROW("vocab_txt_twice", "vocab.txt", "[UNK]\na\na\n"),
        ROW("vocab_txt_no_unknown", "vocab.txt", "a\nb\n"),
        ROW("vocab_txt_crlf", "vocab.txt", "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n[MASK]\r\na\r\n"),
        ROW("vocab_txt_not_utf8", "vocab.txt", "[UNK]\n\xff\n"),
        ROW("bin_cut", "tokenizer.bin", "\x06\0\0\0\0\0\0\0\x05\0\0\0<unk"),
        ROW("bin_length_negative", "tokenizer.bin", "\x06\0\0\0\0\0\0\0\xff\xff\xff\xff<unk>"),
        ROW("lfs_spm", "tokenizer.model", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"),
        ROW("lfs_vocab_txt", "vocab.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"),
        ROW("lfs_torch", "pytorch_model.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"),
        ROW("lfs_gguf", "model.gguf", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"),
        ROW("adapter", "adapter_config.json", "{\"peft_type\": \"LORA\", \"base_model_name_or_path\": \"org/base\"}"),
#undef ROW
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) save_text(rows[i].folder, rows[i].name, rows[i].text, rows[i].n);
    static const char named[] = "{\"tokenizer_class\": \"QWenTokenizer\"}";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strncmp(rows[i].folder, "tiktoken", 8) == 0) save_text(rows[i].folder, "tokenizer_config.json", named, sizeof named - 1);
    /* A piece of 100,000 bytes behind the unknown one. */
    enum { HEAD = 9 + 8, LONG = 100000 };
    static char deep[HEAD + LONG + 1] = UNKNOWN "\x0a\xa4\x8d\x06\x0a\xa0\x8d\x06";
    memset(deep + HEAD, 'a', LONG);
    save_text("spm_piece_100000", "tokenizer.model", deep, HEAD + LONG);
#undef UNKNOWN
}

void make_bad_model(void) {
    make_tokenizer_files();
    make_tensors();
    make_numbers();
    make_kinds();
    make_bad_vocab();
}

/* -- vocabularies, without weights -- */

static const char *long_token(size_t n) {
    static char text[100001];
    memset(text, 'a', sizeof text - 1);
    text[n] = 0;
    return text;
}

/* The vocabulary with one of its texts another. */
static void save_token(const char *file, const char *token) {
    const char *other[TOKENS];
    memcpy(other, pieces, sizeof other);
    other[3] = token;
    model m = unigram();
    say_texts(&m, KEY("tokens"), other, TOKENS);
    save_model(file, &m);
}

static void make_lists(void) {
    static const int32_t odd[TOKENS] = { 2, 3, 3, 9, 1, 1, 1, 1 };
    static const float wild[TOKENS] = { 0, 0, 0, NAN };
    model m = unigram();
    save_model("vocab_good.gguf", &m);
    m = unigram();
    say_floats(&m, KEY("scores"), scores, TOKENS - 1);
    save_model("vocab_scores_fewer.gguf", &m);
    m = unigram();
    gguf_put(say_list(&m, KEY("scores"), U8, TOKENS), scores, TOKENS);
    save_model("vocab_scores_bytes.gguf", &m);
    m = unigram();
    say_floats(&m, KEY("scores"), wild, TOKENS);
    save_model("vocab_score_nan.gguf", &m);
    m = unigram();
    say_ints(&m, KEY("token_type"), types, TOKENS - 1);
    save_model("vocab_types_fewer.gguf", &m);
    m = unigram();
    gguf_put(say_list(&m, KEY("token_type"), U8, TOKENS), types, TOKENS);
    save_model("vocab_types_bytes.gguf", &m);
    m = unigram();
    say_ints(&m, KEY("token_type"), odd, TOKENS);
    save_model("vocab_type_9.gguf", &m);
    m = unigram();
    say_ints(&m, KEY("tokens"), types, TOKENS);
    save_model("vocab_tokens_numbers.gguf", &m);
    m = unigram();
    say_texts(&m, KEY("tokens"), pieces, 0);
    save_model("vocab_tokens_none.gguf", &m);
    m = unigram();
    say_text(&m, KEY("tokens"), "a");
    save_model("vocab_tokens_text.gguf", &m);
    m = unigram();
    gguf_u32(say_list(&m, KEY("tokens"), LIST, 1), TEXT);
    save_model("vocab_tokens_nested.gguf", &m);
}

static void make_texts(void) {
    save_token("vocab_token_70000.gguf", long_token(70000));
    save_token("vocab_token_empty.gguf", "");
    save_token("vocab_token_twice.gguf", "b");
    save_token("vocab_token_not_utf8.gguf", "\xff");
    static const int32_t byte[TOKENS] = { 2, 3, 3, 6, 1, 1, 1, 1 };
    static const char *const spelled[] = { "<0x-1>", "<0x+1>", "<0x1>", "<0x100>", "<0xG0>", "0x01" };
    for (size_t i = 0; i < sizeof spelled / sizeof *spelled; i++) {
        const char *other[TOKENS];
        char file[64];
        model m = unigram();
        memcpy(other, pieces, sizeof other);
        other[3] = spelled[i];
        say_texts(&m, KEY("tokens"), other, TOKENS);
        say_ints(&m, KEY("token_type"), byte, TOKENS);
        snprintf(file, sizeof file, "vocab_byte_%zu.gguf", i);
        save_model(file, &m);
    }
}

static void make_models(void) {
    static const char *const words[] = { "rwkv", "no_such", "\33[31m" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char file[64];
        model m = unigram();
        say_text(&m, KEY("model"), words[i]);
        snprintf(file, sizeof file, "vocab_model_%zu.gguf", i);
        save_model(file, &m);
    }
    model m = unigram();
    forget(&m, KEY("model"));
    save_model("vocab_model_missing.gguf", &m);
    m = unigram();
    say_u32(&m, KEY("model"), 1);
    save_model("vocab_model_number.gguf", &m);
    m = unigram();
    say_text(&m, KEY("model"), "llama");
    save_model("vocab_bytes_missing.gguf", &m);
    m = tiny_gpt2();
    say_text(&m, KEY("pre"), "no-such");
    save_model("tiny_pre_unknown.gguf", &m);
    static const char *const strangers[] = { "a b", "x y" }, *const one[] = { "a b", "cd" };
    m = tiny_gpt2();
    say_texts(&m, KEY("merges"), strangers, 2);
    save_model("tiny_merge_of_strangers.gguf", &m);
    m = tiny_gpt2();
    say_texts(&m, KEY("merges"), one, 2);
    save_model("tiny_merge_of_one.gguf", &m);
    m = tiny_gpt2();
    forget(&m, KEY("merges"));
    save_model("tiny_merges_missing.gguf", &m);
    m = unigram();
    say_u32(&m, KEY("bos_token_id"), TOKENS);
    save_model("vocab_bos_outside.gguf", &m);
    m = unigram();
    gguf_u64(say(&m, KEY("eos_token_id"), 11), (uint64_t)-2);
    save_model("vocab_eos_negative.gguf", &m);
    m = unigram();
    say_u32(&m, KEY("add_bos_token"), 1);
    save_model("vocab_add_bos_number.gguf", &m);
}

/* A charsmap: how many bytes of trie, its units of 4 bytes, the texts that they point into. */
static void save_charsmap(const char *file, const void *bytes, size_t n) {
    model m = unigram();
    gguf_put(say_list(&m, KEY("precompiled_charsmap"), U8, n), bytes, n);
    save_model(file, &m);
}

static void make_charsmaps(void) {
    const uint32_t short_trie[] = { 400, 0 }, odd_trie[] = { 6, 0, 0 }, no_texts[] = { 4, 0 };
    enum { UNITS = 256, A = 1 ^ 'a', HAS_VALUE = 1 << 8, OFFSET_1 = 1 << 10 };
    uint32_t loop[1 + UNITS + 1] = { 4 * UNITS, OFFSET_1 }, far[1 + UNITS + 1] = { 4 * UNITS, OFFSET_1 };
    loop[1 + A] = 'a' | (uint32_t)'a' << 10;                    /* behind an "a" it stands where it stood */
    far[1 + A] = 'a' | HAS_VALUE | OFFSET_1;
    far[1 + (A ^ 1)] = 0x80000000u | 0x7ffffff0u;               /* the text of "a" lies far behind the end */
    save_charsmap("vocab_charsmap_3.gguf", "abc", 3);
    save_charsmap("vocab_charsmap_short.gguf", short_trie, sizeof short_trie);
    save_charsmap("vocab_charsmap_odd.gguf", odd_trie, sizeof odd_trie);
    save_charsmap("vocab_charsmap_no_texts.gguf", no_texts, sizeof no_texts);
    save_charsmap("vocab_charsmap_loop.gguf", loop, sizeof loop);
    save_charsmap("vocab_charsmap_far.gguf", far, sizeof far);
    model m = unigram();
    gguf_put(say_list(&m, KEY("precompiled_charsmap"), F32, 1), "abcd", 4);
    save_model("vocab_charsmap_floats.gguf", &m);
}

void make_bad_vocab(void) {
    make_lists();
    make_texts();
    make_models();
    make_charsmaps();
    model m = unigram();
    say_bool(&m, KEY("add_bos_token"), 1);
    say_bool(&m, KEY("add_space_prefix"), 0);
    save_model("vocab_flags.gguf", &m);
}
