/* info, tokens, sites, generate, hash, selftest. */
#define _GNU_SOURCE
#include "method_run.h"
#include "scratch.h"
#include "tiny_model.h"

/* ---- tokens ---- */

static void tokens_have_ids_and_bytes(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, "The capital of");
    RUN_OK(r, "tokens", NULL);
    const sonde_table *t = run_table(r, "tokens");
    CHECK_STR(run_columns(t), "position id token start end");
    CHECK_EQ(run_rows(t), 3);
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(run_int(t, i, "id"), r->prompt[0].tokens.id[i]);
        CHECK_EQ(run_int(t, i, "start"), r->prompt[0].tokens.start[i]);
        CHECK_EQ(run_int(t, i, "end"), r->prompt[0].tokens.end[i]);
    }
    CHECK_EQ(run_int(t, 2, "end"), 14);
    CHECK_EQ((int64_t)r->out->prompts.at[0].tokens.n, 3);
    run_close(r);
}

static void tokens_of_many_prompts_say_which(void) {
    method_run *r = run_open(NULL);
    r->cx.batch = true;
    run_prompt(r, "The capital of");
    run_prompt(r, "When");
    RUN_OK(r, "tokens", NULL);
    const sonde_table *t = run_table(r, "tokens");
    CHECK_STR(run_columns(t), "prompt position id token start end");
    CHECK_EQ(run_int(t, 3, "prompt"), 1);
    CHECK_EQ(run_int(t, 3, "position"), 0);
    run_close(r);
}

static void a_token_put_in_front_has_no_bytes(void) {
    method_run *r = run_open(NULL);
    r->cx.tokenize.bos = SONDE_BOS_YES;
    run_prompt(r, "When");
    RUN_OK(r, "tokens", NULL);
    CHECK(run_null(run_table(r, "tokens"), 0, "start") && !run_null(run_table(r, "tokens"), 1, "start"));
    run_close(r);
}

/* ---- sites ---- */

static size_t row_of(const sonde_table *t, const char *column, const char *text) {
    for (size_t i = 0; i < t->rows; i++)
        if (!strcmp(run_text(t, i, column), text)) return i;
    FAIL_("no row %s", text);
    return 0;
}

static void sites_have_the_prompts_length_or_letters(void) {
    method_run *r = run_open(NULL);
    RUN_OK(r, "sites", NULL);
    const sonde_table *t = run_table(r, "sites");
    CHECK_STR(run_columns(t), "site axes shape on_request meaning");
    CHECK_STR(run_text(t, row_of(t, "site", "blocks.0.attn.hook_pattern"), "shape"), "[5, t, s]");
    const size_t asked = row_of(t, "site", "blocks.3.attn.hook_result");
    CHECK(table_at(t, asked, run_column(t, "on_request")).b);
    CHECK_STR(run_text(t, asked, "shape"), "[t, 5, 160]");
    run_prompt(r, "The capital of");
    RUN_OK(r, "sites", "sites", "**.hook_pattern", NULL);
    t = run_table(r, "sites");
    CHECK_EQ(run_rows(t), 4);
    CHECK_STR(run_text(t, 0, "shape"), "[5, 3, 3]");
    run_close(r);
}

static void plans_change_the_list(void) {
    method_run *r = run_open(NULL);
    run_edit(r, "skip:blocks.1");
    RUN_OK(r, "sites", "sites", "hook_resid_pre", NULL);
    CHECK_EQ(run_rows(run_table(r, "sites")), 3);
    CHECK_EQ(run_method(r, "sites", "sites", "blocks.1.hook_resid_pre", NULL), SONDE_USAGE);
    run_close(r);
}

/* ---- info ---- */

static const char *card(const method_run *r, const char *what) {
    const sonde_table *t = run_table(r, "model");
    return run_text(t, row_of(t, "what", what), "value");
}

static void the_card_counts_what_is_there(void) {
    method_run *r = run_open(NULL);
    const sonde_model_info *m = sonde_model_describe(r->model);
    char text[32];
    RUN_OK(r, "info", NULL);
    snprintf(text, sizeof text, "%lld", (long long)m->parameters);
    CHECK_STR(card(r, "parameters"), text);
    CHECK_STR(card(r, "parameters_rounded"), "1.49M");
    CHECK_STR(card(r, "hash"), sonde_model_hash(r->model));
    CHECK_STR(card(r, "not_finite"), "0");
    CHECK_STR(card(r, "types"), "F32 (68 tensors)");
    const sonde_table *t = run_table(r, "components");
    int64_t parameters = 0, bytes = 0;
    for (size_t i = 0; i < t->rows; i++) {
        parameters += run_int(t, i, "parameters");
        bytes += run_int(t, i, "bytes");
    }
    CHECK_EQ(parameters, m->parameters);
    CHECK_EQ(bytes, m->bytes);
    run_close(r);
}

/* The same method run with another model: one that opens, or a tokenizer. */
static void open_instead(method_run *r, const char *name) {
    sonde_model_close(r->model);
    if (sonde_tokenizer_open(&r->model, name, NULL, &r->err)) FAIL_("%s", r->err.message);
    r->cx.model = r->model;
    sonde_session_free(r->cx.session);
    r->cx.session = NULL;
    RUN_OK(r, "info", "tree", "true", NULL);
}

static void the_card_names_the_container_and_the_tokenizer(void) {
    method_run *r = run_open(NULL);
    RUN_OK(r, "info", NULL);
    CHECK_STR(card(r, "container"), "safetensors");
    CHECK_STR(card(r, "tokenizer"), "byte-level BPE, of tokenizer.json");
    open_instead(r, SONDE_SOURCE_DIR "/tests/truth/llama2c/v2_output.bin");     /* int8 with float32 factors: all widened */
    CHECK_STR(card(r, "container"), "llama2c");
    CHECK_EQ(sonde_model_describe(r->model)->copied, sonde_model_describe(r->model)->bytes);
    static const char legacy[] = SONDE_SOURCE_DIR "/../shared/data/stories260k/hf-bin-legacy";
    static const char parts[] = SONDE_SOURCE_DIR "/../shared/data/stories260k/meta-mp2";
    if (access(legacy, R_OK)) printf("skipped: %s is not there\n", legacy);
    else {
        open_instead(r, legacy);
        CHECK_STR(card(r, "container"), "torch legacy");
        CHECK_STR(card(r, "bytes_copied"), "9600");     /* 11 norms of 64, and the o_proj of layer 0 (64 x 64), BF16 */
    }
    if (access(parts, R_OK)) printf("skipped: %s is not there\n", parts);
    else {
        open_instead(r, parts);
        CHECK_STR(card(r, "container"), "torch zip, 2 files");
    }
    run_close(r);
}

static void what_does_not_run_has_a_short_card(void) {
    tiny_model tiny = tiny_new("mystery", "");
    tiny.config = "{\"model_type\": \"mystery\"}";
    tiny_save(&tiny);
    tiny_save_tokenizer("mystery", "null");
    method_run *r = run_open(NULL);
    open_instead(r, "./mystery");
    CHECK_STR(card(r, "family"), "mystery");
    CHECK_STR(card(r, "runs"), "no, its tokenizer alone was opened");
    CHECK(strstr(card(r, "because"), "model_type is \"mystery\", expected one of: "));
    CHECK_STR(card(r, "vocabulary"), "8");
    CHECK_STR(card(r, "tensors"), "28");
    CHECK_STR(card(r, "types"), "F32 (28 tensors)");
    const sonde_table *t = run_table(r, "stored");
    CHECK_STR(run_columns(t), "name type shape bytes");
    CHECK_EQ(run_rows(t), 28);
    const size_t row = row_of(t, "name", "h.0.attn.c_attn.weight");
    CHECK_STR(run_text(t, row, "shape"), "8 24");
    CHECK_EQ(run_int(t, row, "bytes"), 768);
    open_instead(r, "mystery/tokenizer.json");
    CHECK_STR(card(r, "runs"), "no, this is a tokenizer");
    CHECK_STR(card(r, "tokenizer"), "byte-level BPE, of mystery/tokenizer.json");
    CHECK(!result_table(r->out, "types") && !result_table(r->out, "stored"));
    run_close(r);
}

static void weights_that_are_no_numbers_are_a_warning(void) {
    tiny_model tiny = tiny_new("broken", "");
    tiny.tensor[3].change = (float)INFINITY;
    tiny_find(&tiny, "h.1.mlp.c_fc.weight")->change = (float)NAN;
    tiny_save(&tiny);
    method_run *r = run_open("./broken");
    RUN_OK(r, "info", NULL);
    CHECK_STR(card(r, "not_finite"), "2");
    CHECK_STR(card(r, "warning"), "2 weights are NaN or infinite");
    CHECK(strstr(sonde_result_note_at(r->out, 0), "2 weights"));
    CHECK_STR(card(r, "tokenizer"), "none: prompts are --tokens");
    run_close(r);
}

static void the_list_names_the_shipped_models(void) {
    method_run *r = run_open(NULL);
    const sonde_model_search where = { .shipped = SONDE_SOURCE_DIR "/models" };
    RUN_OK(r, "info", "list", "true", NULL);
    CHECK_EQ(run_rows(run_table(r, "models")), 1);
    r->cx.search = &where;
    RUN_OK(r, "info", "list", "true", NULL);
    row_of(run_table(r, "models"), "name", "demo");
    row_of(run_table(r, "models"), "name", "induction");
    run_close(r);
}

/* ---- generate ---- */

static const sonde_written *written(const method_run *r, size_t prompt, size_t i) {
    CHECK(prompt < r->out->prompts.n && i < r->out->prompts.at[prompt].generated.n);
    return &r->out->prompts.at[prompt].generated.at[i];
}

static size_t count_written(const method_run *r, size_t prompt) { return r->out->prompts.at[prompt].generated.n; }

static void greedy_takes_the_best_token_each_time(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, "The capital of");
    RUN_OK(r, "generate", "n", "5", "ignore-eos", "true", NULL);
    CHECK_EQ((int64_t)count_written(r, 0), 5);
    int32_t tokens[8];
    memcpy(tokens, r->prompt[0].tokens.id, 3 * sizeof *tokens);
    for (int i = 0; i < 5; i++) {
        const run_values v = run_site(r, (sonde_prompt){ .tokens = tokens, .n = 3 + i, .prompt = 0 }, false, NULL);
        const float *row = v.data + (2 + i) * v.cols;
        const sonde_written *g = written(r, 0, (size_t)i);
        CHECK_EQ(g->token.id, sonde_logits_stats(row, v.cols).argmax);
        CHECK(g->prob == sonde_logits_prob(row, v.cols, g->token.id));
        CHECK_EQ((int64_t)g->n, 5);
        CHECK_EQ(g->alternatives[0].id, g->token.id);
        tokens[3 + i] = g->token.id;
        free(v.data);
    }
    char *text;
    size_t len;
    CHECK_EQ(sonde_detokenize(r->model, tokens + 3, 5, &text, &len, NULL), SONDE_OK);
    CHECK(r->out->prompts.at[0].completion.len == len && !memcmp(r->out->prompts.at[0].completion.bytes, text, len));
    sonde_text_free(text);
    run_close(r);
}

/* --stop is a list: what the front hands over. */
static void stop_texts_and_the_end_token_stop(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, "The capital of");
    RUN_OK(r, "generate", "n", "8", "ignore-eos", "true", NULL);
    const sonde_token second = written(r, 0, 1)->token;
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)second.len, second.bytes);
    const char *const stop[] = { "nowhere to be found", text };
    const method *m = method_find("generate");
    value args[32];
    for (int i = 0; m->params[i].name; i++) param_parse(&m->params[i], strcmp(m->params[i].name, "n") ? NULL : "8", &args[i], NULL);
    for (int i = 0; m->params[i].name; i++)
        if (!strcmp(m->params[i].name, "stop")) {
            args[i].list = stop;
            args[i].n = 2;
        }
    sonde_result_free(r->out);
    r->out = sonde_result_new();
    CHECK_EQ(m->run(&r->cx, args, r->out, &r->err), SONDE_OK);
    CHECK(count_written(r, 0) <= 2);
    CHECK_EQ(written(r, 0, count_written(r, 0) - 1)->token.id, second.id);
    run_close(r);
    r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "generate", NULL);
    CHECK(count_written(r, 0) < 20);
    CHECK_EQ(written(r, 0, count_written(r, 0) - 1)->token.id, sonde_model_describe(r->model)->eos);
    run_close(r);
}

static void filters_alone_mean_temperature_one(void) {
    method_run *r = run_open(NULL);
    int32_t first[12];
    run_prompt(r, "The capital of");
    r->cx.seed = 3;
    RUN_OK(r, "generate", "n", "12", "ignore-eos", "true", "temperature", "1", "top-k", "40", NULL);
    for (size_t i = 0; i < 12; i++) first[i] = written(r, 0, i)->token.id;
    RUN_OK(r, "generate", "n", "12", "ignore-eos", "true", "top-k", "40", NULL);
    int other = 0;
    for (size_t i = 0; i < 12; i++) CHECK_EQ(written(r, 0, i)->token.id, first[i]);
    r->cx.seed = 4;
    RUN_OK(r, "generate", "n", "12", "ignore-eos", "true", "top-k", "40", NULL);
    for (size_t i = 0; i < 12; i++) other += written(r, 0, i)->token.id != first[i];
    CHECK(other > 0);
    RUN_OK(r, "generate", "n", "12", "ignore-eos", "true", "top-k", "1", NULL);      /* one token is left: greedy */
    for (size_t i = 0; i < 12; i++) CHECK_EQ(written(r, 0, i)->token.id, written(r, 0, i)->alternatives[0].id);
    run_close(r);
}

static void prompts_side_by_side_are_each_alone(void) {
    method_run *r = run_open(NULL), *alone = run_open(NULL);
    r->cx.batch = true;
    run_prompt(r, "When Mary and John went");
    run_prompt(r, "The capital of");
    run_prompt(alone, "The capital of");
    RUN_OK(r, "generate", "n", "6", NULL);
    RUN_OK(alone, "generate", "n", "6", NULL);
    CHECK_EQ((int64_t)count_written(r, 1), (int64_t)count_written(alone, 0));
    for (size_t i = 0; i < count_written(alone, 0); i++)
        CHECK(written(r, 1, i)->token.id == written(alone, 0, i)->token.id && written(r, 1, i)->prob == written(alone, 0, i)->prob);
    run_close(r);
    run_close(alone);
}

static void prompts_bring_their_own_b(void) {
    static const char other[] = "When Mary and John went to the store, Mary gave a drink to";
    method_run *r = run_open(NULL), *named = run_open(NULL), *plain = run_open(NULL);
    r->cx.batch = true;
    for (int i = 0; i < 3; i++) run_prompt(r, DEMO_PROMPT)->b = i == 1 ? other : NULL;
    run_named(r, "B", DEMO_PROMPT);                           /* of those without their own */
    run_edit(r, "patch:hook_resid_post=B");
    run_prompt(named, DEMO_PROMPT);
    run_named(named, "B", other);
    run_edit(named, "patch:hook_resid_post=B");
    run_prompt(plain, DEMO_PROMPT);
    RUN_OK(r, "generate", "n", "3", NULL);
    RUN_OK(named, "generate", "n", "3", NULL);
    RUN_OK(plain, "generate", "n", "3", NULL);
    CHECK(written(named, 0, 0)->token.id != written(plain, 0, 0)->token.id);
    for (size_t p = 0; p < 3; p++) {
        CHECK_EQ((int64_t)count_written(r, p), 3);
        for (size_t i = 0; i < 3; i++) CHECK_EQ(written(r, p, i)->token.id, written(p == 1 ? named : plain, 0, i)->token.id);
    }
    run_close(r);
    run_close(named);
    run_close(plain);
}

static void nothing_to_write_and_too_much(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, "The capital of");
    RUN_OK(r, "generate", "n", "0", NULL);
    CHECK_EQ((int64_t)count_written(r, 0), 0);
    RUN_OK(r, "generate", "n", "94", NULL);                   /* 3 + 94 - 1 = 96 */
    CHECK_EQ(run_method(r, "generate", "n", "95", NULL), SONDE_USAGE);
    CHECK(strstr(r->err.message, "97 positions, the context holds 96"));
    CHECK_EQ(run_method(r, "generate", "n", "1000000000", NULL), SONDE_USAGE);
    r->cx.dry_run = true;
    RUN_OK(r, "generate", "n", "10", NULL);
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "rows"), 12);
    CHECK_EQ(run_method(r, "generate", "n", "95", NULL), SONDE_USAGE);
    run_close(r);
}

/* ---- hash ---- */

static void the_hash_changes_with_the_run_alone(void) {
    method_run *r = run_open(NULL);
    char first[65];
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "hash", NULL);
    const sonde_table *t = run_table(r, "hash");
    CHECK_STR(run_columns(t), "sha256");
    snprintf(first, sizeof first, "%s", run_text(t, 0, "sha256"));
    CHECK(strlen(first) == 64);
    RUN_OK(r, "hash", NULL);
    CHECK_STR(run_text(run_table(r, "hash"), 0, "sha256"), first);
    run_edit(r, "scale:blocks.0.hook_mlp_out=1.001");
    RUN_OK(r, "hash", NULL);
    CHECK(strcmp(run_text(run_table(r, "hash"), 0, "sha256"), first) != 0);
    run_close(r);
}

/* ---- selftest ---- */

static void the_embedded_model_passes(void) {
    method_run *r = run_open(NULL);
    r->cx.model = NULL;
    if (run_method(r, "selftest", "quick", "true", NULL)) FAIL_("%s", r->err.message);
    CHECK(run_rows(run_table(r, "tasks")) > 10);
    CHECK_EQ(run_rows(run_table(r, "checks")), 3);
    run_close(r);
}

static const char tiny_cases[] =
    "{\"tasks\":[{\"name\":\"a\",\"title\":\"A\",\"measures\":[{\"measure\":\"argmax\",\"bar\":0.5,\"value\":1}],"
    "\"sets\":[[1,2]],\"universe\":[1,2,3],\"cases\":[{\"t\":[5,6,7],\"at\":[1],\"p\":[9],\"set\":0},"
    "{\"t\":[5,6],\"at\":[0],\"p\":[9],\"wrong\":4}]}]}";

static void cases_are_read_and_checked(void) {
    static const struct { const char *from, *to; } changes[] = {
        { "\"at\":[1]", "\"at\":[2]" }, { "\"p\":[9],\"set\"", "\"p\":[],\"set\"" }, { "\"set\":0", "\"set\":1" },
        { "\"t\":[5,6,7]", "\"t\":[5,-6,7]" }, { "\"name\":\"a\",", "" }, { "\"bar\":0.5", "\"bar\":\"x\"" },
        { "\"wrong\":4", "\"wrong\":-4" }, { "\"tasks\"", "\"tusks\"" },
    };
    sonde_cases *c;
    CHECK_EQ(sonde_cases_read(&c, tiny_cases, sizeof tiny_cases - 1, NULL), SONDE_OK);
    const sonde_task *t = sonde_cases_task(c, 0);
    CHECK(!sonde_cases_task(c, 1) && t->n == 2 && t->n_sets == 1 && t->universe.n == 3 && t->n_measures == 1);
    CHECK(t->cases[0].set == 0 && t->cases[0].wrong == -1 && t->cases[1].wrong == 4 && t->cases[1].set == -1);
    CHECK(t->cases[0].n == 3 && t->cases[0].t[2] == 7 && t->cases[0].at[0] == 1 && t->cases[0].p[0] == 9);
    sonde_cases_free(c);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char text[600];
        const char *at = strstr(tiny_cases, changes[i].from);
        sonde_error err = { 0 };
        CHECK(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - tiny_cases), tiny_cases, changes[i].to, at + strlen(changes[i].from));
        if (sonde_cases_read(&c, text, strlen(text), &err) != SONDE_FORMAT) FAIL_("%s was taken", changes[i].to);
    }
}

#define TESTS(X) \
    X(tokens_have_ids_and_bytes) \
    X(tokens_of_many_prompts_say_which) \
    X(a_token_put_in_front_has_no_bytes) \
    X(sites_have_the_prompts_length_or_letters) \
    X(plans_change_the_list) \
    X(the_card_counts_what_is_there) X(the_card_names_the_container_and_the_tokenizer) \
    X(what_does_not_run_has_a_short_card) \
    X(weights_that_are_no_numbers_are_a_warning) \
    X(the_list_names_the_shipped_models) \
    X(greedy_takes_the_best_token_each_time) \
    X(stop_texts_and_the_end_token_stop) \
    X(filters_alone_mean_temperature_one) \
    X(prompts_side_by_side_are_each_alone) \
    X(prompts_bring_their_own_b) \
    X(nothing_to_write_and_too_much) \
    X(the_hash_changes_with_the_run_alone) \
    X(the_embedded_model_passes) \
    X(cases_are_read_and_checked)
TEST_MAIN(TESTS)
