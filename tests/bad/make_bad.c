/* make_bad FOLDER - a folder of models, each with one thing wrong; `good` is the one they are made from.
 *
 * What `sonde info -m NAME` must say of each, run in FOLDER, stands in expected.tsv. A model is a tiny GPT-2: 8 tokens,
 * 8 positions, width 4, two heads, one layer. Standard library alone. */
#define _GNU_SOURCE
#include "make_bad.h"
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct { char *at; size_t n; } bytes;

static void stop(const char *what) {
    perror(what);
    exit(2);
}

static void append(bytes *b, const void *data, size_t n) {
    b->at = realloc(b->at, b->n + n + 1);
    if (!b->at) stop("memory");
    if (n) memcpy(b->at + b->n, data, n);
    b->n += n;
    b->at[b->n] = 0;
}

__attribute__((format(printf, 2, 3)))
static void print(bytes *b, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    append(b, text, (size_t)n);
}

static bytes copy(const char *text) {
    bytes b = { 0 };
    append(&b, text, strlen(text));
    return b;
}

/* -- files: everything is written below the working directory -- */

static void make_folder(const char *name) {
    if (mkdir(name, 0777) && errno != EEXIST) stop(name);
}

static void save(const char *folder, const char *name, const void *data, size_t n) {
    char path[512];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f)) stop(path);
}

static void save_text(const char *folder, const char *name, const char *text) {
    save(folder, name, text, strlen(text));
}

/* -- the good model -- */

static const char config[] =
    "{\"model_type\": \"gpt2\", \"architectures\": [\"GPT2LMHeadModel\"], \"vocab_size\": 8, \"n_positions\": 8,\n"
    " \"n_embd\": 4, \"n_layer\": 1, \"n_head\": 2, \"n_inner\": null, \"activation_function\": \"gelu_new\",\n"
    " \"layer_norm_epsilon\": 1e-05, \"tie_word_embeddings\": true, \"bos_token_id\": 7, \"eos_token_id\": 7}\n";

static const char tokenizer[] =
    "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null,\n"
    " \"added_tokens\": [{\"id\": 7, \"content\": \"<|endoftext|>\", \"single_word\": false, \"lstrip\": false,\n"
    "  \"rstrip\": false, \"normalized\": false, \"special\": true}],\n"
    " \"normalizer\": null,\n"
    " \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true},\n"
    " \"post_processor\": null, \"decoder\": {\"type\": \"ByteLevel\"},\n"
    " \"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, \"continuing_subword_prefix\": null,\n"
    "  \"end_of_word_suffix\": null, \"fuse_unk\": false,\n"
    "  \"vocab\": {\"a\": 0, \"b\": 1, \"c\": 2, \"d\": 3, \"\xc4\xa0\": 4, \"ab\": 5, \"cd\": 6, "
    "\"<|endoftext|>\": 7},\n"
    "  \"merges\": [\"a b\", \"c d\"]}}\n";

static const struct { const char *name; int rows, cols; } tensors[] = {     /* cols 0: a vector */
    { "wte.weight", 8, 4 }, { "wpe.weight", 8, 4 },
    { "h.0.ln_1.weight", 4, 0 }, { "h.0.ln_1.bias", 4, 0 },
    { "h.0.attn.c_attn.weight", 4, 12 }, { "h.0.attn.c_attn.bias", 12, 0 },
    { "h.0.attn.c_proj.weight", 4, 4 }, { "h.0.attn.c_proj.bias", 4, 0 },
    { "h.0.ln_2.weight", 4, 0 }, { "h.0.ln_2.bias", 4, 0 },
    { "h.0.mlp.c_fc.weight", 4, 16 }, { "h.0.mlp.c_fc.bias", 16, 0 },
    { "h.0.mlp.c_proj.weight", 16, 4 }, { "h.0.mlp.c_proj.bias", 4, 0 },
    { "ln_f.weight", 4, 0 }, { "ln_f.bias", 4, 0 },
};
enum { TENSORS = sizeof tensors / sizeof *tensors };

static int items(int i) { return tensors[i].rows * (tensors[i].cols ? tensors[i].cols : 1); }

/* Header of the tensors [from, to), and their values: a few small fractions, the same on every machine. */
static bytes make_header(int from, int to) {
    bytes h = copy("{");
    int at = 0;
    for (int i = from; i < to; i++) {
        print(&h, "%s\"transformer.%s\":{\"dtype\":\"F32\",\"shape\":[%d", i > from ? "," : "", tensors[i].name,
              tensors[i].rows);
        if (tensors[i].cols) print(&h, ",%d", tensors[i].cols);
        print(&h, "],\"data_offsets\":[%d,%d]}", at, at + 4 * items(i));
        at += 4 * items(i);
    }
    append(&h, "}", 1);
    return h;
}

static bytes make_values(int from, int to) {
    bytes v = { 0 };
    uint32_t seed = 1;
    for (int i = from; i < to; i++)
        for (int k = 0; k < items(i); k++) {
            seed = seed * 1664525u + 1013904223u;
            const float x = (float)((int)(seed >> 24) - 128) / 256.0f;
            append(&v, &x, sizeof x);
        }
    return v;
}

/* length, header, values; the header is padded to 8. Frees both. */
static bytes make_file(bytes header, bytes values) {
    bytes f = { 0 };
    while (header.n % 8) append(&header, " ", 1);
    const uint64_t n = header.n;
    append(&f, &n, sizeof n);
    append(&f, header.at, header.n);
    append(&f, values.at, values.n);
    free(header.at);
    free(values.at);
    return f;
}

static bytes good_weights(void) { return make_file(make_header(0, TENSORS), make_values(0, TENSORS)); }

static void save_weights(const char *folder, const char *name, bytes f) {
    save(folder, name, f.at, f.n);
    free(f.at);
}

/* A model whose weights are still to be written. */
static void begin(const char *folder) {
    save_text(folder, "config.json", config);
    save_text(folder, "tokenizer.json", tokenizer);
}

static void begin_good(const char *folder) {
    begin(folder);
    save_weights(folder, "model.safetensors", good_weights());
}

/* -- one text replaced by another, once -- */

typedef struct { const char *folder, *from, *to; } change;

static bytes replaced(const char *text, const change *c) {
    const char *at = strstr(text, c->from);
    if (!at) {
        fprintf(stderr, "%s: \"%s\" is not there\n", c->folder, c->from);
        exit(2);
    }
    bytes b = { 0 };
    append(&b, text, (size_t)(at - text));
    append(&b, c->to, strlen(c->to));
    append(&b, at + strlen(c->from), strlen(at + strlen(c->from)));
    return b;
}

static void change_file(const char *name, const char *text, const change *c) {
    begin_good(c->folder);
    const bytes b = replaced(text, c);
    save(c->folder, name, b.at, b.n);
    free(b.at);
}

static void change_header(const change *c) {
    bytes h = make_header(0, TENSORS);
    begin(c->folder);
    save_weights(c->folder, "model.safetensors", make_file(replaced(h.at, c), make_values(0, TENSORS)));
    free(h.at);
}

/* The first tensor is transformer.wte.weight, F32, [8,4], bytes [0,128). */
static const change headers[] = {
    { "st_dtype_unknown", "F32", "F31" },
    { "st_dtype_f8", "F32", "F8_E8M0" },
    { "st_dtype_missing", "\"dtype\":\"F32\",", "" },
    { "st_shape_negative", "[8,4]", "[-8,4]" },
    { "st_shape_real", "[8,4]", "[8.0,4]" },
    { "st_shape_exponent", "[8,4]", "[8e0,4]" },
    { "st_shape_text", "[8,4]", "[\"8\",4]" },
    { "st_shape_2_63", "[8,4]", "[9223372036854775808,4]" },
    { "st_shape_2_64", "[8,4]", "[18446744073709551616,4]" },
    { "st_shape_product_wraps", "[8,4]", "[4611686018427387904,4]" },
    { "st_shape_wraps_to_the_right_size", "[8,4]", "[4611686018427387912,4]" },
    { "st_shape_zero_hides_wrap", "[8,4]", "[0,4611686018427387904,4]" },
    { "st_shape_other_size", "[8,4]", "[8,3]" },
    { "st_shape_rank_9", "[8,4]", "[8,4,1,1,1,1,1,1,1]" },
    { "st_shape_missing", "\"shape\":[8,4],", "" },
    { "st_offsets_reversed", "[0,128]", "[128,0]" },
    { "st_offsets_one", "[0,128]", "[128]" },
    { "st_offsets_three", "[0,128]", "[0,128,256]" },
    { "st_offsets_negative", "[0,128]", "[-128,0]" },
    { "st_offsets_2_63", "[0,128]", "[9223372036854775808,9223372036854775936]" },
    { "st_offsets_near_2_63", "[0,128]", "[9223372036854775679,9223372036854775807]" },
    { "st_offsets_2_64", "[0,128]", "[18446744073709551488,18446744073709551616]" },
    { "st_offsets_past_the_end", "[8,4],\"data_offsets\":[0,128]", "[65536,4],\"data_offsets\":[0,1048576]" },
    { "st_hole", "[8,4],\"data_offsets\":[0,128]", "[7,4],\"data_offsets\":[0,112]" },
    { "st_hole_at_the_start", "[8,4],\"data_offsets\":[0,128]", "[7,4],\"data_offsets\":[16,128]" },
    { "st_overlap", "[128,256]", "[64,192]" },
    { "st_name_twice", "wpe.weight", "wte.weight" },
    { "st_key_twice", "\"dtype\":\"F32\"", "\"dtype\":\"F32\",\"dtype\":\"F32\"" },
    { "st_name_not_utf8", "wte", "w\xff" },
    { "st_name_half_surrogate", "wte", "\\ud800" },
    { "st_name_nul", "wte", "w\\u0000" },
    { "st_name_for_a_terminal", "wte.weight\":{\"dtype\":\"F32\"", "\\u001b]0;owned\\u0007\\n\":{\"dtype\":\"F31\"" },
    { "st_entry_no_object", "{\"dtype\":\"F32\",\"shape\":[8,4],\"data_offsets\":[0,128]}", "[0,128]" },
    { "st_deep", "[8,4]", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[8" },
    { "st_metadata_no_object", "{\"transformer.wte", "{\"__metadata__\":[],\"transformer.wte" },
    { "st_metadata_number", "{\"transformer.wte", "{\"__metadata__\":{\"format\":1},\"transformer.wte" },
    { "st_text_behind_header", "]}}", "]}} {}" },
    { "st_string_behind_header", "]}}", "]}} \"}" },
    { "st_no_json", "{\"transformer", "{transformer" },
    { "model_tensor_missing", "transformer.ln_f.weight", "transformer.ln_x.weight" },
    { "model_shape_swapped", "[8,4]", "[4,8]" },
    { "model_shape_flat", "[8,4]", "[32]" },
    { "model_layer_wrong_shape", "[4,12]", "[12,4]" },
};

static const change configs[] = {
    { "config_cut", "\"eos_token_id\": 7}", "\"eos_token_id\"" },
    { "config_array", "{\"model_type\": \"gpt2\", ", "[1, {\"model_type\": \"gpt2\", " },
    { "config_key_twice", "\"n_layer\": 1", "\"n_layer\": 1, \"n_layer\": 2" },
    { "config_same_key_twice", "\"n_layer\": 1", "\"n_layer\": 2, \"n_layer\": 1" },
    { "config_type_missing", "\"model_type\": \"gpt2\", \"architectures\": [\"GPT2LMHeadModel\"], ", "" },
    { "config_type_unknown", "\"model_type\": \"gpt2\", \"architectures\": [\"GPT2LMHeadModel\"]",
      "\"model_type\": \"mamba\", \"architectures\": [\"MambaForCausalLM\"]" },
    { "config_type_number", "\"gpt2\"", "2" },
    { "config_width_missing", "\"n_embd\": 4, ", "" },
    { "config_width_zero", "\"n_embd\": 4", "\"n_embd\": 0" },
    { "config_width_negative", "\"n_embd\": 4", "\"n_embd\": -4" },
    { "config_width_real", "\"n_embd\": 4", "\"n_embd\": 4.5" },
    { "config_width_text", "\"n_embd\": 4", "\"n_embd\": \"4\"" },
    { "config_width_huge", "\"n_embd\": 4", "\"n_embd\": 4611686018427387904" },
    { "config_width_2_32", "\"n_embd\": 4", "\"n_embd\": 4294967300" },
    { "config_width_other", "\"n_embd\": 4", "\"n_embd\": 6" },
    { "config_heads_missing", "\"n_head\": 2, ", "" },
    { "config_heads_zero", "\"n_head\": 2", "\"n_head\": 0" },
    { "config_heads_do_not_divide", "\"n_head\": 2", "\"n_head\": 3" },
    { "config_heads_huge", "\"n_head\": 2", "\"n_head\": 9223372036854775807" },
    { "config_layers_negative", "\"n_layer\": 1", "\"n_layer\": -1" },
    { "config_layers_too_many", "\"n_layer\": 1", "\"n_layer\": 2" },
    { "config_layers_huge", "\"n_layer\": 1", "\"n_layer\": 1000000000" },
    { "config_positions_zero", "\"n_positions\": 8", "\"n_positions\": 0" },
    { "config_positions_other", "\"n_positions\": 8", "\"n_positions\": 9" },
    { "config_vocab_other", "\"vocab_size\": 8", "\"vocab_size\": 9" },
    { "config_vocab_negative", "\"vocab_size\": 8", "\"vocab_size\": -8" },
    { "config_eps_negative", "1e-05", "-1e-05" },
    { "config_eps_text", "1e-05", "\"1e-05\"" },
    { "config_eps_overflows", "1e-05", "1e999" },
    { "config_activation_unknown", "\"gelu_new\"", "\"gelu_odd\"" },
    { "config_gptq", "\"n_layer\": 1",
      "\"n_layer\": 1, \"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 4}" },
    { "config_awq", "\"n_layer\": 1", "\"n_layer\": 1, \"quantization_config\": {\"quant_method\": \"awq\"}" },
    { "config_fp8", "\"n_layer\": 1", "\"n_layer\": 1, \"quantization_config\": {\"quant_method\": \"fp8\"}" },
    { "config_bnb", "\"n_layer\": 1", "\"n_layer\": 1, \"quantization_config\": {\"quant_method\": \"bitsandbytes\"}" },
    { "config_compressed", "\"n_layer\": 1",
      "\"n_layer\": 1, \"quantization_config\": {\"quant_method\": \"compressed-tensors\"}" },
    { "config_not_utf8", "\"n_layer\"", "\"\xff\": 1, \"n_layer\"" },
    { "config_deep", "\"n_layer\": 1", "\"n_layer\": 1, \"x\": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[" },
    { "config_bnb_old", "\"n_layer\": 1", "\"n_layer\": 1, \"quantization_config\": {\"load_in_8bit\": true}" },
    { "config_quant_other", "\"n_layer\": 1", "\"n_layer\": 1, \"quantization_config\": {\"quant_method\": \"q\\u001b\"}" },
    { "config_quant_number", "\"n_layer\": 1", "\"n_layer\": 1, \"quantization_config\": {\"quant_method\": 4}" },
    { "config_quant_null", "\"n_layer\": 1", "\"n_layer\": 1, \"quantization_config\": null" },
    { "config_inner_negative", "\"n_inner\": null", "\"n_inner\": -16" },
    { "config_inner_other", "\"n_inner\": null", "\"n_inner\": 12" },
};

static const change tokenizers[] = {
    { "tokenizer_cut", "\"merges\": [\"a b\", \"c d\"]}}", "\"merges\": [" },
    { "tokenizer_type_unknown", "\"BPE\"", "\"Morse\"" },
    { "tokenizer_no_model", "\"model\": {", "\"modell\": {" },
    { "tokenizer_vocab_array", "{\"a\": 0, \"b\": 1, \"c\": 2, \"d\": 3, \"\xc4\xa0\": 4, \"ab\": 5, \"cd\": 6, "
      "\"<|endoftext|>\": 7}", "[]" },
    { "tokenizer_token_twice", "\"b\": 1", "\"b\": 1, \"b\": 1" },
    { "tokenizer_id_twice", "\"b\": 1", "\"b\": 0" },
    { "tokenizer_id_negative", "\"b\": 1", "\"b\": -1" },
    { "tokenizer_id_huge", "\"b\": 1", "\"b\": 4294967297" },
    { "tokenizer_id_text", "\"b\": 1", "\"b\": \"1\"" },
    { "tokenizer_more_than_vocab", "\"cd\": 6", "\"cd\": 6, \"x\": 8" },
    { "tokenizer_merge_of_strangers", "\"c d\"", "\"x y\"" },
    { "tokenizer_merge_of_one", "\"c d\"", "\"cd\"" },
    { "tokenizer_not_utf8", "\"a\": 0", "\"\xff\": 0" },
    { "tokenizer_normalizer_unknown", "\"normalizer\": null", "\"normalizer\": {\"type\": \"Rot13\"}" },
    { "tokenizer_deep", "\"normalizer\": null", "\"normalizer\": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[" },
    { "tokenizer_sequences", "\"normalizer\": null", "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Sequence\", "
      "\"normalizers\": [{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}]}]}]}" },
    { "tokenizer_pattern_explodes", "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true}",
      "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a+)+(b+)+$\"}, \"behavior\": \"Isolated\", \"invert\": false}" },
    { "tokenizer_pattern_broken", "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true}",
      "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a\"}, \"behavior\": \"Isolated\", \"invert\": false}" },
};

static void make_changes(void) {
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) change_header(&headers[i]);
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) change_file("config.json", config, &configs[i]);
    for (size_t i = 0; i < sizeof tokenizers / sizeof *tokenizers; i++)
        change_file("tokenizer.json", tokenizer, &tokenizers[i]);
}

/* -- weights that are cut, or begin with another length -- */

static void make_cuts(void) {
    bytes whole = good_weights();
    uint64_t header;
    memcpy(&header, whole.at, sizeof header);
    const size_t data = 8 + (size_t)header;
    const struct { const char *folder; size_t n; } cuts[] = {
        { "cut_at_0", 0 }, { "cut_in_length", 7 }, { "cut_after_length", 8 }, { "cut_after_brace", 9 },
        { "cut_in_header", 8 + (size_t)header / 2 }, { "cut_before_end_of_header", data - 1 },
        { "cut_after_header", data }, { "cut_in_first_tensor", data + 1 }, { "cut_after_first_tensor", data + 128 },
        { "cut_before_last_byte", whole.n - 1 },
    };
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        begin(cuts[i].folder);
        save(cuts[i].folder, "model.safetensors", whole.at, cuts[i].n);
    }
    append(&whole, "\0", 1);
    begin("one_byte_more");
    save("one_byte_more", "model.safetensors", whole.at, whole.n);
    free(whole.at);
}

static void make_lengths(void) {
    static const struct { const char *folder; uint64_t length; } rows[] = {
        { "length_0", 0 }, { "length_1", 1 }, { "length_less_by_8", UINT64_MAX }, { "length_100000001", 100000001 },
        { "length_2_63", 1ull << 63 }, { "length_2_64_less_8", UINT64_MAX - 7 }, { "length_2_64_less_1", UINT64_MAX },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes f = good_weights();
        uint64_t header;
        memcpy(&header, f.at, sizeof header);
        header = strcmp(rows[i].folder, "length_less_by_8") == 0 ? header - 8 : rows[i].length;
        memcpy(f.at, &header, sizeof header);
        begin(rows[i].folder);
        save_weights(rows[i].folder, "model.safetensors", f);
    }
}

/* -- values: these must open -- */

static void make_value(const char *folder, uint32_t bits) {
    bytes values = make_values(0, TENSORS);
    for (size_t i = 0; i + 4 <= values.n; i += 12) memcpy(values.at + i, &bits, 4);
    begin(folder);
    save_weights(folder, "model.safetensors", make_file(make_header(0, TENSORS), values));
}

/* -- files of other programs -- */

static const char lfs[] = "version https://git-lfs.github.com/spec/v1\n"
                          "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
                          "size 548105171\n";

static void make_foreign(void) {
    static const struct { const char *folder, *name, *text; size_t n; } rows[] = {
        { "other_torch_zip", "pytorch_model.bin", "PK\003\004\0\0\010\010", 8 },
        { "other_torch_legacy", "pytorch_model.bin", "\200\002\212\012l\374\234F\371 j\250P\031.", 15 },
        { "other_meta", "consolidated.00.pth", "PK\003\004\0\0\010\010", 8 },
        { "other_gguf", "model.gguf", "GGUF\003\0\0\0", 8 },
        { "other_hdf5", "tf_model.h5", "\211HDF\r\n\032\n", 8 },
        { "other_onnx", "model.onnx", "\010\007", 2 },
        { "other_flax", "flax_model.msgpack", "\201", 1 },
        { "zip_named_safetensors", "model.safetensors", "PK\003\004\024\0\010\010\0\0\0\0", 12 },
        { "pickle_named_safetensors", "model.safetensors", "\200\002}q\001.........", 14 },
        { "html_named_safetensors", "model.safetensors", "<!DOCTYPE html><html><body>404</body></html>", 44 },
        { "lfs_weights", "model.safetensors", lfs, sizeof lfs - 1 },
        { "no_weights", "README.md", "# nothing\n", 10 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(rows[i].folder);
        save(rows[i].folder, rows[i].name, rows[i].text, rows[i].n);
    }
    begin_good("lfs_config");
    save_text("lfs_config", "config.json", lfs);
    begin_good("lfs_tokenizer");
    save_text("lfs_tokenizer", "tokenizer.json", lfs);
}

/* -- what is absent, empty, or of the wrong kind -- */

static void make_absent(void) {
    char path[64];
    static const char *const names[] = { "config", "tokenizer" };
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s_absent", names[i]);
        begin_good(path);
        snprintf(path, sizeof path, "%s_absent/%s.json", names[i], names[i]);
        if (unlink(path)) stop(path);
        snprintf(path, sizeof path, "%s_empty", names[i]);
        begin_good(path);
        snprintf(path, sizeof path, "%s.json", names[i]);
        char folder[64];
        snprintf(folder, sizeof folder, "%s_empty", names[i]);
        save_text(folder, path, "");
    }
    make_folder("empty_folder");
    begin("weights_are_a_folder");
    make_folder("weights_are_a_folder/model.safetensors");
}

/* -- params.json, which stands for config.json in Meta's folders: what it says is checked before any tensor is -- */

static const char params[] = "{\"dim\": 4, \"n_layers\": 1, \"n_heads\": 2, \"n_kv_heads\": 1, \"vocab_size\": 8, "
                             "\"norm_eps\": 1e-05, \"rope_theta\": 10000.0}\n";

static void make_params(void) {
    static const change rows[] = {
        { "params_cut", "10000.0}", "10000.0" },
        { "params_array", "{\"dim\": 4, \"n_layers\": 1, \"n_heads\": 2, \"n_kv_heads\": 1, \"vocab_size\": 8, "
          "\"norm_eps\": 1e-05, \"rope_theta\": 10000.0}", "[]" },
        { "params_dim_missing", "\"dim\": 4, ", "" },
        { "params_dim_text", "\"dim\": 4", "\"dim\": \"4\"" },
        { "params_dim_huge", "\"dim\": 4", "\"dim\": 4611686018427387904" },
        { "params_layers_missing", "\"n_layers\": 1, ", "" },
        { "params_layers_1e9", "\"n_layers\": 1", "\"n_layers\": 1000000000" },
        { "params_heads_0", "\"n_heads\": 2", "\"n_heads\": 0" },
        { "params_kv_heads_3", "\"n_kv_heads\": 1", "\"n_kv_heads\": 3" },
        { "params_eps_missing", "\"norm_eps\": 1e-05, ", "" },
        { "params_eps_overflows", "1e-05", "1e999" },
        { "params_theta_0", "10000.0", "0" },
        { "params_not_utf8", "\"dim\"", "\"\xff\": 1, \"dim\"" },
        { "params_dim_twice", "\"dim\": 4", "\"dim\": 4, \"dim\": 0" },
        { "params_lfs", params, lfs },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[64];
        const bytes b = replaced(params, &rows[i]);
        begin_good(rows[i].folder);
        save(rows[i].folder, "params.json", b.at, b.n);
        free(b.at);
        snprintf(path, sizeof path, "%s/config.json", rows[i].folder);
        if (unlink(path)) stop(path);
    }
}

/* -- shards -- */

static const char index_name[] = "model.safetensors.index.json";

/* Tensors [0,8) in 1.safetensors, the others in 2.safetensors. */
static bytes make_index(void) {
    bytes b = copy("{\"metadata\":{\"total_size\":0},\"weight_map\":{");
    for (int i = 0; i < TENSORS; i++)
        print(&b, "%s\"transformer.%s\":\"%d.safetensors\"", i ? "," : "", tensors[i].name, i < 8 ? 1 : 2);
    append(&b, "}}", 2);
    return b;
}

static void begin_shards(const char *folder) {
    begin(folder);
    save_weights(folder, "1.safetensors", make_file(make_header(0, 8), make_values(0, 8)));
    save_weights(folder, "2.safetensors", make_file(make_header(8, TENSORS), make_values(8, TENSORS)));
    save_weights(folder, index_name, make_index());
}

static void make_shards(void) {
    static const change rows[] = {
        { "shards_leave_the_folder", "\"1.safetensors\"", "\"../good/model.safetensors\"" },
        { "shards_absolute", "\"1.safetensors\"", "\"/etc/passwd\"" },
        { "shards_backslash", "\"1.safetensors\"", "\"..\\\\1.safetensors\"" },
        { "shards_dots", "\"1.safetensors\"", "\"..\"" },
        { "shards_newline", "\"1.safetensors\"", "\"1\\n.safetensors\"" },
        { "shards_number", "\"1.safetensors\"", "1" },
        { "shards_absent", "\"1.safetensors\"", "\"3.safetensors\"" },
        { "shards_pickle", "\"1.safetensors\"", "\"pytorch_model-00001.bin\"" },
        { "shards_misplaced", "\"1.safetensors\"", "\"2.safetensors\"" },
        { "shards_no_map", "weight_map", "weight_mop" },
        { "shards_twice", "{\"transformer.wte.weight\"",
          "{\"transformer.wte.weight\":\"1.safetensors\",\"transformer.wte.weight\"" },
        { "shards_cut", "}}", "" },
    };
    bytes index = make_index();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin_shards(rows[i].folder);
        save_weights(rows[i].folder, index_name, replaced(index.at, &rows[i]));
    }
    save_text("shards_pickle", "pytorch_model-00001.bin", "PK\003\004");
    free(index.at);
    begin_shards("shards_good");
    begin_shards("shards_both");
    save_weights("shards_both", "2.safetensors", make_file(make_header(7, TENSORS), make_values(7, TENSORS)));
    begin_shards("shards_lfs");
    save_text("shards_lfs", "2.safetensors", lfs);
    begin_shards("shards_index_lfs");
    save_text("shards_index_lfs", index_name, lfs);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("usage: make_bad FOLDER\n", stderr);
        return 2;
    }
    make_folder(argv[1]);
    if (chdir(argv[1])) stop(argv[1]);
    begin_good("good");
    make_value("weights_nan", 0x7fc00000u);
    make_value("weights_infinite", 0xff800000u);
    make_changes();
    make_cuts();
    make_lengths();
    make_foreign();
    make_absent();
    make_params();
    make_shards();
    make_bad_gguf();
    make_bad_llama2c();
    make_bad_model();
    return 0;
}
