/* What files and questions say that no model can be: refused in a sentence, never read as something else. */
#define _GNU_SOURCE
#include "made.h"
#include "sonde/sentence.h"

static maker_case case_of(const char *family, const char *more) {
    static maker_case cases[MOST_MAKER_CASES];
    for (size_t i = 0, n = maker_cases(cases); i < n; i++)
        if (!strcmp(cases[i].family->name, family)) return (maker_case){ cases[i].family, cases[i].class, more };
    FAIL_("no family %s", family);
}

static void configs_that_no_model_has(void) {
    static const struct { const char *family, *more, *says; bool other; } rows[] = {
        { "gpt_neo", "\"attention_types\": [[[\"global\", \"local\"], 2]]", "attention_types has more kinds than layers, expected one for each of 2" },
        { "gpt_neo", "\"attention_types\": [[[\"local\"], 9223372036854775807]]", "attention_types has more kinds than layers" },
        { "t5", "\"decoder_start_token_id\": 37", "decoder_start_token_id is 37, expected a token below 37" },
        { "bart", "\"decoder_start_token_id\": -1", "decoder_start_token_id is -1, expected a token below 37" },
        { "mistral", "\"sliding_window\": 0", "sliding_window is 0, expected null or at least 1" },
        { "gemma3", "\"rope_parameters\": {\"full_attention\": 3}", "rope_parameters: full_attention is 3, expected an object" },
        { "gemma3", "\"rope_parameters\": {\"sliding_attention\": [], \"rope_theta\": 1e4}", "rope_parameters: sliding_attention is" },
        /* heads of 8, of which transformers cannot turn 7 in these families; in GPT-NeoX and Phi 3 it can */
        { "phi", "\"partial_rotary_factor\": 0.9", "partial_rotary_factor is 0.9 of 8 numbers, expected an even number to rotate", true },
        { "stablelm", "\"partial_rotary_factor\": 0.9", "partial_rotary_factor is 0.9 of 8 numbers, expected an even number", true },
        { "gptj", "\"rotary_dim\": 5", "rotary_dim is 5, expected an even number of the", true },
        { "gptj", "\"rotary_dim\": 12", "rotary_dim is 12, expected an even number of the" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const maker_case c = case_of(rows[i].family, rows[i].more);
        arena      *into = arena_new();
        arch_config main, encoder;
        const json *tree;
        sonde_error err = { 0 };
        const char *text = maker_config(&c, &(maker_how){ 0 }, into);
        CHECK_EQ(json_parse(text, strlen(text), into, &tree, &err), SONDE_OK);
        CHECK_EQ(arch_read(c.family, tree, &main, &encoder, &err), rows[i].other ? SONDE_UNSUPPORTED : SONDE_FORMAT);
        CHECK_HAS(err.message, rows[i].says);
        arena_free(into);
    }
}

static void as_many_kinds_as_layers_are_read(void) {
    const maker_case c = case_of("gpt_neo", "\"attention_types\": [[[\"local\", \"global\"], 1], [[\"global\"], 0]]");
    made m = made_open(&c, &(maker_how){ 0 });
    CHECK(layer_in(m.config.local, 0) && !layer_in(m.config.local, 1));
    made_close(&m);
}

static void an_empty_list_of_modules_makes_no_vector(void) {
    const maker_case c = case_of("bert", "");
    made           m = made_open(&c, &(maker_how){ 0 });
    sonde_model   *other;
    sonde_sentence s;
    sonde_error    err = { 0 };
    scratch_write(&m.dir, "m/modules.json", "[]", 2);
    CHECK_EQ(sonde_model_open(&other, in_scratch(&m.dir, "m").text, NULL, &err), SONDE_OK);
    CHECK_EQ(sonde_model_sentence(other, &s, &err), SONDE_FORMAT);
    CHECK_HAS(err.message, "modules.json: is an empty list, expected a Transformer");
    sonde_model_close(other);
    made_close(&m);
}

static void a_metric_names_what_the_model_answers_with(void) {
    static const struct { const char *model, *metric, *says; } rows[] = {
        { "roberta_class", "logit(#999)", "#999 is no label, expected #0 (bad) to #3 (good)" },
        { "roberta_class", "logit(#1)-logit(#4)", "#4 is no label" },
        { "roberta_qa", "logit(#2,0)", "#2 is none of the model's 2 answers, expected #0 to #1" },
        { "roberta_mlm", "logit(#99999)", "#99999 is no token" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char          path[600];
        sonde_model  *m;
        sonde_metric *x;
        sonde_error   err = { 0 };
        snprintf(path, sizeof path, "%s/tests/golden/families/%s", SONDE_SOURCE_DIR, rows[i].model);
        CHECK_EQ(sonde_model_open(&m, path, NULL, &err), SONDE_OK);
        CHECK_EQ(sonde_metric_parse(&x, m, rows[i].metric, NULL, NULL, &err), SONDE_USAGE);
        CHECK_HAS(err.message, rows[i].says);
        sonde_model_close(m);
    }
}

#define TESTS(X) \
    X(configs_that_no_model_has) \
    X(as_many_kinds_as_layers_are_read) \
    X(an_empty_list_of_modules_makes_no_vector) \
    X(a_metric_names_what_the_model_answers_with)
TEST_MAIN(TESTS)
