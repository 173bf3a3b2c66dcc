#define _GNU_SOURCE
#include "tiny_model.h"

#define SIZE(field, value, most) "\"" field "\": " value ",", SONDE_FORMAT, \
    "bad/config.json: " field " is " value ", expected an integer from 1 to " most

/* NOLINTNEXTLINE(readability-function-size): a table of configs */
static void bad_configs_give_their_line(void) {
    static const struct { const char *more; sonde_status status; const char *line; } rows[] = {
        { SIZE("n_embd", "-8", "1048576") },
        { SIZE("n_embd", "0", "1048576") },
        { SIZE("n_embd", "9223372036854775807", "1048576") },
        { SIZE("n_embd", "99999999999999999999999999", "1048576") },
        { SIZE("n_embd", "8.5", "1048576") },
        { SIZE("n_embd", "null", "1048576") },
        { SIZE("n_embd", "\"8\"", "1048576") },
        { SIZE("n_layer", "0", "4096") },
        { SIZE("n_layer", "4097", "4096") },
        { SIZE("n_head", "-1", "1048576") },
        { SIZE("n_head", "true", "1048576") },
        { SIZE("vocab_size", "4000001", "4000000") },
        { SIZE("n_positions", "0", "2097152") },
        { SIZE("n_inner", "4194305", "4194304") },
        { SIZE("n_inner", "-1", "4194304") },
        { "\"n_head\": 3,", SONDE_FORMAT, "bad/config.json: n_head is 3, expected a divisor of n_embd 8" },
        { "\"layer_norm_epsilon\": -1,", SONDE_FORMAT,
          "bad/config.json: layer_norm_epsilon is -1, expected a number from 0 to 1" },
        { "\"layer_norm_epsilon\": \"1e-5\",", SONDE_FORMAT,
          "bad/config.json: layer_norm_epsilon is \"1e-5\", expected a number from 0 to 1" },
        { "\"activation_function\": \"mish\",", SONDE_UNSUPPORTED,
          "bad/config.json: activation_function is \"mish\", expected gelu_new, gelu, quick_gelu, relu, silu or tanh" },
        { "\"activation_function\": [\"gelu\"],", SONDE_FORMAT,
          "bad/config.json: activation_function is an array, expected a text" },
        { "\"scale_attn_weights\": 1,", SONDE_FORMAT,
          "bad/config.json: scale_attn_weights is 1, expected true or false" },
        { "\"add_cross_attention\": true,", SONDE_UNSUPPORTED,
          "bad/config.json: add_cross_attention is true, expected a model of one stack" },
        { "\"bos_token_id\": \"x\",", SONDE_FORMAT,
          "bad/config.json: bos_token_id is \"x\", expected the id of a token" },
        { "\"model_type\": \"mamba\",", SONDE_UNSUPPORTED,
          "bad/config.json: model_type is \"mamba\", expected one of: " },
        { "\"model_type\": 7,", SONDE_FORMAT, "bad/config.json: model_type is 7, expected a text" },
        { "\"architectures\": [\"GPT2ForSequenceClassification\"],", SONDE_UNSUPPORTED,
          "bad/config.json: architectures is \"GPT2ForSequenceClassification\", expected GPT2LMHeadModel" },
        { "\"architectures\": \"GPT2LMHeadModel\",", SONDE_FORMAT,
          "bad/config.json: architectures is \"GPT2LMHeadModel\", expected an array" },
        { "\"model_type\": null, \"architectures\": [],", SONDE_FORMAT,
          "bad/config.json: has neither model_type nor architectures, expected one of: " },
        { "\"quantization_config\": {\"bits\": 4},", SONDE_UNSUPPORTED,
          "bad/config.json: quantization_config: the weights are quantized by a method that is not named, "
          "expected plain F32, F16 or BF16; use the model that it was made from" },
        { "\"pruned_heads\": {\"0\": [1]},", SONDE_UNSUPPORTED,
          "bad/config.json: pruned_heads: removed heads are not read, expected all heads to be there" },
        { "\"tie_word_embeddings\": false,", SONDE_FORMAT,
          "bad: tensor lm_head.weight: is not there, expected one of shape [11, 8]" },
        { "\"n_layer\": 3,", SONDE_FORMAT,
          "bad: tensor transformer.h.2.ln_1.weight: is not there, expected one of shape [8]" },
    };
    tiny_model t = tiny_new("bad", "transformer.");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        t.config = tiny_config(rows[i].more);
        tiny_save(&t);
        if (strstr(rows[i].line, "one of: ")) CHECK_HAS(opened_line("bad", NULL, rows[i].status), rows[i].line);
        else CHECK_STR(opened_line("bad", NULL, rows[i].status), rows[i].line);
    }
    t.config = "[]";
    tiny_save(&t);
    CHECK_STR(opened_line("bad", NULL, SONDE_FORMAT), "bad/config.json: is an array, expected an object");
}

static void bad_weights_give_their_line(void) {
    static const struct {
        const char *tensor, *type;
        int64_t rows, cols;
        sonde_status status;
        const char *line;
    } rows[] = {
        { "transformer.wte.weight", NULL, 11, 7, SONDE_FORMAT,
          "bad: tensor transformer.wte.weight: shape is [11, 7], expected [11, 8]" },
        { "transformer.h.1.attn.c_attn.weight", NULL, 24, 8, SONDE_FORMAT,
          "bad: tensor transformer.h.1.attn.c_attn.weight: shape is [24, 8], expected [8, 24]" },
        { "transformer.h.1.attn.c_attn.bias", NULL, 8, 0, SONDE_FORMAT,
          "bad: tensor transformer.h.1.attn.c_attn.bias: shape is [8], expected [24]" },
        { "transformer.ln_f.bias", NULL, 8, 1, SONDE_FORMAT,
          "bad: tensor transformer.ln_f.bias: shape is [8, 1], expected [8]" },
        { "transformer.h.0.mlp.c_fc.weight", NULL, 0, 0, SONDE_FORMAT,
          "bad: tensor transformer.h.0.mlp.c_fc.weight: is not there, expected one of shape [8, 32]" },
        { "transformer.wte.weight", NULL, 0, 0, SONDE_FORMAT,
          "bad: tensor transformer.wte.weight: is not there, expected one of shape [11, 8]" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tiny_model t = tiny_new("bad", "transformer.");
        tiny_tensor *x = tiny_find(&t, rows[i].tensor);
        if (rows[i].rows == 0) tiny_drop(&t, rows[i].tensor);
        else *x = (tiny_tensor){ .type = rows[i].type ? rows[i].type : "F32", .rank = rows[i].cols ? 2 : 1,
                                 .dim = { rows[i].rows, rows[i].cols } };
        if (rows[i].rows) snprintf(x->name, sizeof x->name, "%s", rows[i].tensor);
        tiny_save(&t);
        CHECK_STR(opened_line("bad", NULL, rows[i].status), rows[i].line);
    }
    tiny_write_text("bad", "config.json", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
    CHECK_STR(opened_line("bad", NULL, SONDE_UNSUPPORTED),
              "bad/config.json: is a Git LFS pointer, not the file itself; fetch it with: git lfs pull");
    tiny_write_text("bad", "config.json", "");
    CHECK_STR(opened_line("bad", NULL, SONDE_FORMAT), "bad/config.json: is empty");
    CHECK_EQ(unlink("bad/config.json"), 0);
    CHECK_STR(opened_line("bad", NULL, SONDE_NOT_FOUND), "bad/config.json: No such file or directory");
    CHECK_STR(opened_line("bad/", NULL, SONDE_NOT_FOUND), "bad/config.json: No such file or directory");
}

/* Any text at all in config.json: an answer, never a crash. Sizes of the file stay those of the tiny model. */
static void no_config_crashes(void) {
    tiny_model t = tiny_new("fuzz", "transformer.");
    tiny_save(&t);
    char text[4096];
    uint64_t state = 1;
    static const char *const pieces[] = { "-", "0", "9", "e", "null", "\"", "[", "{", "}", "4294967296", ",", "8" };
    for (int round = 0; round < 400; round++) {
        snprintf(text, sizeof text, "%s", tiny_config(""));
        for (int edit = 0; edit < 1 + round % 3; edit++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            const size_t at = (size_t)(state >> 33) % strlen(text);
            const char *piece = pieces[(state >> 20) % (sizeof pieces / sizeof *pieces)];
            const size_t len = strlen(piece);
            memcpy(text + at, piece, at + len < strlen(text) ? len : 1);
        }
        tiny_write_text("fuzz", "config.json", text);
        sonde_error err = { 0 };
        sonde_model *m;
        const sonde_status s = sonde_model_open(&m, "fuzz", NULL, &err);
        CHECK((s == SONDE_OK) == (m != NULL));
        CHECK(s == SONDE_OK || (strncmp(err.message, "fuzz", 4) == 0 && !strchr(err.message, '\n')));
        sonde_model_close(m);
    }
}

#define TESTS(X) \
    X(bad_configs_give_their_line) \
    X(bad_weights_give_their_line) \
    X(no_config_crashes)
TEST_MAIN(TESTS)
