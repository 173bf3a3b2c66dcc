/* Neurons against float64 numpy (tools/truth/neurons.py), and a model whose neurons are known by construction. */
#define _GNU_SOURCE
#include "method_run.h"
#include "sonde/array_file.h"
#include "tiny_model.h"
#include "truth.h"
#include "scratch.h"

static const json *truths(const truth *t, const char *key) { return truth_of(t->all, key); }

static int64_t whole(const json *j, const char *key) { return (int64_t)truth_number(j, key); }
static bool is_text(const json *j, const char *key, const char *want) {
    const json *x = truth_of(j, key);
    return x->len == strlen(want) && !memcmp(x->text, want, x->len);
}

static int64_t whole_item(const json *j, const char *key, size_t i) { return (int64_t)truth_item(truth_of(j, key), i); }

static void close_to(double got, double want, double tolerance) { CHECK_NEAR(got, want, tolerance * fmax(1, fabs(want))); }

/* ---- weights ---- */

static void check_moments(const json *rows, const char *name, const char *path, bool raw) {
    method_run *r = run_open(path);
    int compared = 0;
    RUN_OK(r, "neurons", "raw", raw ? "yes" : NULL, NULL);
    const sonde_table *t = run_table(r, "neurons");
    const int64_t f = sonde_model_describe(r->model)->f;
    CHECK_STR(run_columns(t), "layer neuron mean var skew kurtosis kind");
    for (size_t i = 0; i < rows->len; i++) {
        const json *want = truth_at(rows, i);
        if (!is_text(want, "model", name) || truth_of(want, "raw")->boolean != raw) continue;
        const size_t row = (size_t)(whole(want, "layer") * f + whole(want, "neuron"));
        CHECK_EQ(run_int(t, row, "layer"), whole(want, "layer"));
        CHECK_EQ(run_int(t, row, "neuron"), whole(want, "neuron"));
        CHECK_NEAR(run_float(t, row, "mean"), truth_number(want, "mean"), 1e-7);
        CHECK_NEAR(run_float(t, row, "var"), truth_number(want, "var"), 1e-6 * truth_number(want, "var"));
        close_to(run_float(t, row, "skew"), truth_number(want, "skew"), 3e-6);
        close_to(run_float(t, row, "kurtosis"), truth_number(want, "kurtosis"), 3e-6);
        compared++;
    }
    CHECK(compared > 5);
    run_close(r);
}

static void moments_are_those_of_the_oracle(void) {
    truth t = truth_open("neurons");
    for (int raw = 0; raw < 2; raw++) {
        check_moments(truths(&t, "moments"), "demo", NULL, raw);
        check_moments(truths(&t, "moments"), "limit", SONDE_SOURCE_DIR "/tests/golden/limit", raw);
        check_moments(truths(&t, "moments"), "inner", SONDE_SOURCE_DIR "/tests/golden/inner", raw);
    }
    truth_close(t);
}

/* ---- a model by construction ---- */

enum { KNOWN_D = 128, KNOWN_V = 256, KNOWN_F = 4 };

static float drawn(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(*state >> 40) / (1 << 23) - 1);
}

/* Token v: a random direction, plus or minus a common one; neuron 0 writes token 7, 1 against token 9, 2 the common
 * direction, 3 nothing in particular. */
static float known_value(const char *name, int64_t i, const float *embed, const float *common) {
    static uint64_t state = 99;
    if (strstr(name, "wte")) return embed[i];
    if (strstr(name, "ln_") && strstr(name, "weight")) return 1;
    if (!strstr(name, "mlp.c_proj.weight")) return 0;
    const int64_t neuron = i / KNOWN_D, k = i % KNOWN_D;
    if (neuron < 2) return neuron ? -2 * embed[9 * KNOWN_D + k] : 3 * embed[7 * KNOWN_D + k];
    return neuron == 2 ? common[k] : drawn(&state);
}

static void save_known(const char *folder) {
    static float embed[KNOWN_V * KNOWN_D], common[KNOWN_D], room[3 * KNOWN_D * KNOWN_D];
    const struct { const char *name; int rank; int64_t dim[2]; } shapes[] = {
        { "wte.weight", 2, { KNOWN_V, KNOWN_D } }, { "wpe.weight", 2, { 4, KNOWN_D } },
        { "h.0.ln_1.weight", 1, { KNOWN_D } }, { "h.0.ln_1.bias", 1, { KNOWN_D } },
        { "h.0.attn.c_attn.weight", 2, { KNOWN_D, 3 * KNOWN_D } }, { "h.0.attn.c_attn.bias", 1, { 3 * KNOWN_D } },
        { "h.0.attn.c_proj.weight", 2, { KNOWN_D, KNOWN_D } }, { "h.0.attn.c_proj.bias", 1, { KNOWN_D } },
        { "h.0.ln_2.weight", 1, { KNOWN_D } }, { "h.0.ln_2.bias", 1, { KNOWN_D } },
        { "h.0.mlp.c_fc.weight", 2, { KNOWN_D, KNOWN_F } }, { "h.0.mlp.c_fc.bias", 1, { KNOWN_F } },
        { "h.0.mlp.c_proj.weight", 2, { KNOWN_F, KNOWN_D } }, { "h.0.mlp.c_proj.bias", 1, { KNOWN_D } },
        { "ln_f.weight", 1, { KNOWN_D } }, { "ln_f.bias", 1, { KNOWN_D } },
    };
    enum { SHAPES = sizeof shapes / sizeof *shapes };
    sonde_array_spec spec[SHAPES] = { { 0 } };
    uint64_t state = 3;
    for (int k = 0; k < KNOWN_D; k++) common[k] = drawn(&state);
    for (int64_t i = 0; i < KNOWN_V * KNOWN_D; i++) {
        const float way = i / KNOWN_D % 2 ? 0.3F : -0.3F;
        embed[i] = drawn(&state) + way * common[i % KNOWN_D];
    }
    for (size_t i = 0; i < SHAPES; i++)
        spec[i] = (sonde_array_spec){ shapes[i].name, "F32", shapes[i].rank, { shapes[i].dim[0], shapes[i].dim[1] } };
    char path[256], config[512];
    sonde_array_writer *w;
    sonde_error err;
    snprintf(config, sizeof config, "{\"model_type\":\"gpt2\",\"architectures\":[\"GPT2LMHeadModel\"],"
             "\"n_embd\":128,\"n_head\":2,"
             "\"n_layer\":1,\"n_inner\":4,\"n_positions\":4,\"vocab_size\":%d,\"bos_token_id\":0,\"eos_token_id\":0}",
                 KNOWN_V);
    tiny_write_text(folder, "config.json", config);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    if (sonde_array_writer_open(&w, path, (sonde_array_list){ spec, SHAPES, NULL, 0 }, &err)) FAIL_("%s", err.message);
    for (size_t i = 0; i < SHAPES; i++) {
        const int64_t n = spec[i].dim[0] * (spec[i].rank > 1 ? spec[i].dim[1] : 1);
        if (n > (int64_t)(sizeof room / sizeof *room)) FAIL_("%s is too large", spec[i].name);
        for (int64_t k = 0; k < n; k++) room[k] = known_value(spec[i].name, k, embed, common);
        if (sonde_array_write(w, i, 0, room, n, &err)) FAIL_("%s", err.message);
    }
    if (sonde_array_writer_close(w, &err)) FAIL_("%s", err.message);
}

static void neurons_known_by_construction(void) {
    save_known("known");
    char folder[256];
    snprintf(folder, sizeof folder, "%s/known", tiny_folder);
    method_run *r = run_open(folder);
    for (int raw = 0; raw < 2; raw++) {
        RUN_OK(r, "neurons", "raw", raw ? "yes" : NULL, NULL);
        const sonde_table *t = run_table(r, "neurons"), *l = run_table(r, "layers");
        CHECK_EQ(run_rows(t), KNOWN_F);
        CHECK_STR(run_text(t, 0, "kind"), "prediction");
        CHECK_STR(run_text(t, 1, "kind"), "suppression");
        CHECK_STR(run_text(t, 2, "kind"), "partition");
        CHECK(run_float(t, 2, "kurtosis") < 2 && run_float(t, 2, "var") > 0.05);
        CHECK_STR(run_columns(l), "layer depth prediction suppression partition neurons");
        CHECK_EQ(run_int(l, 0, "prediction"), 1);
        CHECK_EQ(run_int(l, 0, "suppression"), 1);
        CHECK_EQ(run_int(l, 0, "neurons"), 4);
        CHECK(strstr(sonde_result_note_at(r->out, 0), raw ? "weights as they are" : "norms folded in"));
    }
    RUN_OK(r, "neurons", "kurtosis", "1000", "variance", "1", NULL);
    CHECK_STR(run_text(run_table(r, "neurons"), 0, "kind"), "none");
    CHECK_STR(run_text(run_table(r, "neurons"), 2, "kind"), "none");
    run_close(r);
}

/* The tokenizer has 8 tokens, the matrix KNOWN_V columns: token 7 stays, 9 is padding. */
static void padding_is_left_out(void) {
    save_known("padded");
    tiny_save_tokenizer("padded", "null");
    char folder[256];
    snprintf(folder, sizeof folder, "%s/padded", tiny_folder);
    method_run *r = run_open(folder);
    RUN_OK(r, "neurons", NULL);
    const sonde_table *t = run_table(r, "neurons");
    CHECK_STR(sonde_result_note_at(r->out, 1), "248 columns of W_U are padding behind the tokenizer's 8 tokens and left "
                                               "out");
    CHECK(fabs(run_float(t, 0, "mean")) > 0.08);            /* one of eight cosines is 1 */
    CHECK(fabs(run_float(t, 1, "mean")) < 0.08);
    run_close(r);
}

/* ---- classes ---- */

static size_t class_row(const sonde_table *t, int64_t layer, int64_t neuron) {
    for (size_t i = 0; i < t->rows; i++)
        if (run_int(t, i, "layer") == layer && run_int(t, i, "neuron") == neuron) return i;
    FAIL_("no row of %lld.%lld", (long long)layer, (long long)neuron);
    return 0;
}

static void check_count(const sonde_table *list, const json *want) {
    size_t k = 0;
    while (k < list->rows && !is_text(want, "class", run_text(list, k, "class"))) k++;
    if (k == list->rows) FAIL_("a class is not listed");
    CHECK_EQ(run_int(list, k, "tokens"), whole(want, "count"));
}

static void classes_are_those_of_the_oracle(void) {
    static const char *const columns[] = { "true_mean", "false_mean", "diff", "cosine_true", "cosine_false", "cosine_diff",
                                           "cohens_d", "auc" };
    truth t = truth_open("neurons");
    const json *rows = truths(&t, "classes");
    method_run *r = run_open(NULL);
    char name[64] = "";
    RUN_OK(r, "neurons", "class", "list", NULL);
    for (size_t i = 0; i < rows->len; i++) check_count(run_table(r, "list"), truth_at(rows, i));
    for (size_t i = 0; i < rows->len; i++) {
        const json *want = truth_at(rows, i);
        const bool  other = !is_text(want, "class", name);
        snprintf(name, sizeof name, "%.*s", (int)truth_of(want, "class")->len, truth_of(want, "class")->text);
        if (other) RUN_OK(r, "neurons", "class", name, "layers", "3", "all", "yes", NULL);
        const sonde_table *c = run_table(r, "classes");
        CHECK_EQ(run_rows(c), 640);
        const size_t row = class_row(c, 3, whole(want, "neuron"));
        CHECK_STR(run_text(c, row, "class"), name);
        for (size_t k2 = 0; k2 < 8; k2++) close_to(run_float(c, row, columns[k2]), truth_number(want, columns[k2]), 2e-6);
        CHECK_STR(run_text(c, row, "sign"), truth_number(want, "true_mean") > truth_number(want, "false_mean") ? "+" : "-");
    }
    run_close(r);
    truth_close(t);
}

static void classes_are_sorted_and_chosen(void) {
    static const struct { const char *by, *column; double middle; } orders[] = {
        { "diff", "diff", 0 }, { "cosine", "cosine_diff", 0 }, { "d", "cohens_d", 0 }, { "auc", "auc", 0.5 } };
    method_run *r = run_open(NULL);
    for (size_t k = 0; k < 4; k++) {
        RUN_OK(r, "neurons", "class", "end_w_ing", "by", orders[k].by, "layers", "2-3", NULL);
        const sonde_table *t = run_table(r, "classes");
        CHECK(t->rows > 1000 && t->rows < 1280);
        double before = INFINITY;
        for (size_t i = 0; i < t->rows; i++) {
            const double now = fabs(run_float(t, i, orders[k].column) - orders[k].middle);
            CHECK(now <= before);
            before = now;
        }
    }
    RUN_OK(r, "neurons", "class", "all", "layers", "1", "kurtosis", "7", "variance", "1", NULL);
    const sonde_table *best = run_table(r, "classes");
    const size_t n = best->rows;
    CHECK(n > 0 && n < 640);
    RUN_OK(r, "neurons", "layers", "1", NULL);
    size_t want = 0;
    for (size_t i = 0; i < 640; i++) want += run_float(run_table(r, "neurons"), i, "kurtosis") > 7;
    CHECK(n == want);
    run_close(r);
}

static void histograms_count_every_token(void) {
    method_run *r = run_open(NULL);
    r->cx.top = 2;
    RUN_OK(r, "neurons", "class", "two_digits", "layers", "3", NULL);
    const sonde_table *h = run_table(r, "histogram");
    CHECK_EQ(run_rows(h), 2 * 2 * 40);
    int64_t in = 0, out = 0;
    for (size_t i = 0; i < 80; i++) {
        if (!strcmp(run_text(h, i, "class"), "two_digits")) in += run_int(h, i, "count");
        else out += run_int(h, i, "count");
        CHECK(run_float(h, i, "low") < run_float(h, i, "high"));
    }
    CHECK_EQ(in, 109);
    CHECK_EQ(out, DEMO_VOCAB - 109);
    CHECK(r->out->views.n == 1 && r->out->views.at[0].kind == SONDE_VIEW_HISTOGRAM);
    run_close(r);
}

static void a_word_is_found_where_it_is_raised(void) {
    truth t = truth_open("neurons");
    const json *rows = truths(&t, "search");
    method_run *r = run_open(NULL);
    RUN_OK(r, "neurons", "search", "MARY", NULL);
    const sonde_table *f = run_table(r, "found");
    CHECK_EQ(run_rows(f), (int64_t)rows->len);
    for (size_t i = 0; i < rows->len; i++) {
        const json *want = truth_at(rows, i);
        CHECK_EQ(run_int(f, i, "layer"), whole(want, "layer"));
        CHECK_EQ(run_int(f, i, "neuron"), whole(want, "neuron"));
        CHECK_EQ(run_token(f, i, "token"), whole(want, "token"));
        CHECK_EQ(run_int(f, i, "rank"), whole(want, "rank"));
        CHECK_NEAR(run_float(f, i, "value"), truth_number(want, "value"), 1e-5);
    }
    RUN_OK(r, "neurons", "search", "Mary", "k", "2", NULL);
    CHECK_EQ(run_rows(run_table(r, "found")), 2);
    run_close(r);
    truth_close(t);
}

/* ---- a prompt ---- */

static void check_dominant(const sonde_table *t, const char *run, const json *want) {
    size_t at = 0;
    while (strcmp(run_text(t, at, "run"), run) != 0) at++;
    for (size_t i = 0; i < want->len; i++) {
        const json *row = truth_at(want, i);
        CHECK_EQ(run_int(t, at + i, "layer"), whole(row, "layer"));
        CHECK_EQ(run_int(t, at + i, "rank"), whole(row, "rank"));
        CHECK_EQ(run_int(t, at + i, "neuron"), whole(row, "neuron"));
        close_to(run_float(t, at + i, "activation"), truth_number(row, "activation"), 1e-5);
        close_to(run_float(t, at + i, "norm"), truth_number(row, "norm"), 1e-6);
        close_to(run_float(t, at + i, "score"), truth_number(row, "score"), 1e-5);
    }
}

static void check_lens(const sonde_table *t, const char *run, const json *want) {
    size_t at = 0;
    while (strcmp(run_text(t, at, "run"), run) != 0) at++;
    for (size_t i = 0; i < want->len; i++)
        for (size_t k = 0; k < 3; k++, at++) {
            const json *row = truth_at(want, i);
            CHECK_EQ(run_int(t, at, "layer"), whole(row, "layer"));
            CHECK(is_text(row, "state", run_text(t, at, "state")));
            CHECK_EQ(run_token(t, at, "token"), whole_item(row, "tokens", k));
            CHECK_NEAR(run_float(t, at, "prob"), truth_item(truth_of(row, "probs"), k), 1e-5);
        }
}

/* Rows of a neuron: the tokens it raises, then those it lowers. */
static void check_tokens(const sonde_table *t, const json *dominant) {
    for (size_t i = 0; i < dominant->len; i++) {
        const json *want = truth_at(dominant, i);
        size_t at = 0;
        while (run_int(t, at, "layer") != whole(want, "layer") || run_int(t, at, "neuron") != whole(want, "neuron")) at++;
        for (size_t k = 0; k < 3; k++) {
            CHECK_EQ(run_token(t, at + k, "token"), whole_item(want, "best", k));
            CHECK_NEAR(run_float(t, at + k, "value"), truth_item(truth_of(want, "values"), k), 1e-5);
            CHECK_STR(run_text(t, at + k, "sign"), "+");
            CHECK_EQ(run_token(t, at + 3 + k, "token"), whole_item(want, "worst", k));
            CHECK_STR(run_text(t, at + 3 + k, "sign"), "-");
        }
    }
}

static const char *const *one_text(const char *text) {
    static const char *list[1];
    list[0] = text;
    return list;
}

static void neurons_of_a_prompt(void) {
    truth t = truth_open("neurons");
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    r->cx.top = 3;
    RUN_OK(r, "neurons", NULL);
    CHECK_EQ(run_rows(run_table(r, "dominant")), 12);
    CHECK_STR(run_columns(run_table(r, "dominant")), "run layer rank neuron activation norm score raised");
    check_dominant(run_table(r, "dominant"), "A", truth_of(truths(&t, "A"), "dominant"));
    check_lens(run_table(r, "lens"), "A", truth_of(truths(&t, "A"), "lens"));
    check_tokens(run_table(r, "tokens"), truth_of(truths(&t, "A"), "dominant"));
    CHECK_STR(run_text(run_table(r, "dominant"), 9, "raised"), "\302\267Daniel \302\267Oliver \302\267Nantes");
    run_edit(r, "set:blocks.3.mlp.hook_post[-1,554]=0");
    RUN_OK(r, "neurons", NULL);
    CHECK_EQ(run_rows(run_table(r, "dominant")), 24);
    check_dominant(run_table(r, "dominant"), "A", truth_of(truths(&t, "A"), "dominant"));
    check_dominant(run_table(r, "dominant"), "edited", truth_of(truths(&t, "edited"), "dominant"));
    check_lens(run_table(r, "lens"), "edited", truth_of(truths(&t, "edited"), "lens"));
    run_close(r);
    truth_close(t);
}

/* The method with switches: run_method takes texts alone, so lists are put in here. */
static sonde_status run_switched(method_run *r, const char *off, const char *on, const char *where, const char *n) {
    const method *m = method_find("neurons");
    value args[RUN_PARAMS + 8] = { { 0 } };
    for (int i = 0; m->params[i].name; i++) {
        const char *name = m->params[i].name;
        const char *text = !strcmp(name, "where") ? where : !strcmp(name, "n") ? n : NULL;
        const sonde_status s = param_parse(&m->params[i], text, &args[i], &r->err);
        if (s != SONDE_OK) return s;
        const char *list = !strcmp(name, "off") ? off : !strcmp(name, "on") ? on : NULL;
        if (list) args[i] = (value){ .list = list == off ? &off : one_text(list), .n = 1, .given = 1 };
    }
    sonde_result_free(r->out);
    r->out = sonde_result_new();
    return m->run(&r->cx, args, r->out, &r->err);
}

static double activation(method_run *r, const char *run, int64_t layer, int64_t neuron) {
    const sonde_table *t = run_table(r, "dominant");
    for (size_t i = 0; i < t->rows; i++)
        if (!strcmp(run_text(t, i, "run"), run) && run_int(t, i, "layer") == layer && run_int(t, i, "neuron") == neuron)
            return run_float(t, i, "activation");
    FAIL_("no neuron %lld.%lld", (long long)layer, (long long)neuron);
    return 0;
}

static void switches(void) {
    truth t = truth_open("neurons");
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    r->cx.top = 3;
    CHECK_EQ(run_switched(r, "3.554", NULL, "last", "4"), SONDE_OK);
    check_dominant(run_table(r, "dominant"), "edited", truth_of(truths(&t, "edited"), "dominant"));
    check_lens(run_table(r, "lens"), "edited", truth_of(truths(&t, "edited"), "lens"));
    CHECK_STR(run_text(run_table(r, "texts"), 0, "run"), "A");
    CHECK_STR(run_text(run_table(r, "texts"), 0, "text"), " Mary.<|endoftext|>");
    CHECK_STR(run_text(run_table(r, "texts"), 1, "run"), "edited");
    CHECK_EQ(run_switched(r, NULL, "3.194", "all", "0"), SONDE_OK);               /* 3.554 is the layer's largest */
    CHECK(activation(r, "A", 3, 194) < activation(r, "A", 3, 554));
    CHECK_NEAR(activation(r, "edited", 3, 194), activation(r, "A", 3, 554), 1e-6);
    CHECK_EQ(run_switched(r, "3.554", NULL, "generated", "2"), SONDE_OK);          /* the prompt's own run stays */
    CHECK(activation(r, "edited", 3, 554) == activation(r, "A", 3, 554));
    CHECK_EQ(run_rows(run_table(r, "texts")), 2);
    run_close(r);
    truth_close(t);
}

static void skipped_parts_have_no_neurons(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_edit(r, "skip:blocks.1.mlp");
    run_edit(r, "skip:blocks.2");
    r->cx.top = 1;
    RUN_OK(r, "neurons", "position", "3", NULL);
    CHECK_EQ(run_rows(run_table(r, "dominant")), 4 + 2);
    CHECK_EQ(run_int(run_table(r, "dominant"), 5, "layer"), 3);
    run_close(r);
}

/* The shipped model with a NaN and an infinity in W_out of block 1. */
static void break_demo(const scratch *dir) {
    static const char *const rest[] = { "config.json", "tokenizer.json", "tokenizer_config.json" };
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        char from[512];
        snprintf(from, sizeof from, "%s/models/demo/%s", SONDE_SOURCE_DIR, rest[i]);
        if (symlink(from, in_scratch(dir, rest[i]).text)) FAIL_("%s", from);
    }
    FILE *f = fopen(SONDE_SOURCE_DIR "/models/demo/model.safetensors", "rb");
    fseek(f, 0, SEEK_END);
    const size_t n = (size_t)ftell(f);
    char *all = malloc(n);
    rewind(f);
    if (!all || fread(all, 1, n, f) != n) FAIL_("%s", "no model");
    fclose(f);
    uint64_t header;
    memcpy(&header, all, 8);
    const char *at = memmem(all, 8 + header, "h.1.mlp.c_proj.weight", 21);
    at = strstr(at, "data_offsets\":[");
    float *weight = (float *)(void *)(all + 8 + header + strtoull(at + 15, NULL, 10));
    weight[7] = (float)NAN;                     /* of neuron 0 */
    weight[3 * DEMO_WIDTH] = (float)INFINITY;   /* of neuron 3 */
    scratch_write(dir, "model.safetensors", all, n);
    free(all);
}

static void weights_that_are_no_numbers_are_in_no_bin(void) {
    const scratch dir = scratch_new();
    break_demo(&dir);
    method_run *r = run_open(dir.path);
    r->cx.top = 1000;
    RUN_OK(r, "neurons", "class", "start_capital", "all", "yes", "layers", "1", "raw", "yes", NULL);
    const sonde_table *t = run_table(r, "histogram");
    int64_t empty = 0, all = 0;
    for (int64_t i = 0; i < run_rows(t); i++) {
        const int64_t count = run_int(t, (size_t)i, "count");
        if (!strcmp(run_text(t, (size_t)i, "neuron"), "L1N0")) empty += count;
        if (!strcmp(run_text(t, (size_t)i, "neuron"), "L1N1")) all += count;
    }
    CHECK_EQ(empty, 0);
    CHECK_EQ(all, DEMO_VOCAB);
    run_close(r);
    scratch_end(&dir);
}

/* ---- errors and dry runs ---- */

static void refused(method_run *r, const char *says) {
    if (!strstr(r->err.message, says)) FAIL_("said \"%s\", expected \"%s\"", r->err.message, says);
}

static void what_is_wrong_is_said(void) {
    static const struct { const char *key, *value, *says; } without[] = {
        { "class", "nonsense", "class: \"nonsense\" is no class that tokens of this model have" },
            { "search", "zzz", "search: no token of this model is" },
        { "position", "3", "position: without a prompt" }, { "n", "3", "n: without a prompt" }, { "layers", "4", "layers" },
        { "variance", "2", "variance" }, { "kurtosis", "-1", "kurtosis" }, { "k", "0", "k" },
        { "k", "3", "k: it is of --search" }, { "all", "yes", "all: it is of --class" }, { "by", "auc", "by: it is of --class" },
    };
    method_run *r = run_open(NULL);
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        CHECK_EQ(run_method(r, "neurons", without[i].key, without[i].value, NULL), SONDE_USAGE);
        refused(r, without[i].says);
    }
    CHECK_EQ(run_method(r, "neurons", "class", "end_w_ing", "by", "size", NULL), SONDE_USAGE);
    refused(r, "by: \"size\", expected diff, cosine, d or auc");
    CHECK_EQ(run_method(r, "neurons", "class", "end_w_ing", "search", "Mary", NULL), SONDE_USAGE);
    run_edit(r, "zero:blocks.0.hook_mlp_out");
    CHECK_EQ(run_method(r, "neurons", NULL), SONDE_USAGE);
    refused(r, "edit: without a prompt");
    run_prompt(r, DEMO_PROMPT);
    CHECK_EQ(run_method(r, "neurons", "class", "end_w_ing", NULL), SONDE_USAGE);
    refused(r, "class: beside a prompt");
    CHECK_EQ(run_method(r, "neurons", "position", "14", NULL), SONDE_USAGE);
    refused(r, "position: 14, expected -14 to 13");
    CHECK_EQ(run_switched(r, "3", NULL, "last", "0"), SONDE_USAGE);
    refused(r, "off: \"3\", expected LAYER.NEURON");
    CHECK_EQ(run_switched(r, "4.1", NULL, "last", "0"), SONDE_USAGE);
    refused(r, "off: layer 4, expected 0 to 3");
    CHECK_EQ(run_switched(r, NULL, "3.640", "last", "0"), SONDE_USAGE);
    refused(r, "on: neuron 640, expected 0 to 639");
    CHECK_EQ(run_switched(r, "3.1", NULL, "first", "0"), SONDE_USAGE);
    refused(r, "where: \"first\", expected last, all or generated");
    run_close(r);
}

static void a_dry_run_runs_nothing(void) {
    method_run *r = run_open(NULL);
    r->cx.dry_run = true;
    RUN_OK(r, "neurons", NULL);
    CHECK(run_float(run_table(r, "cost"), 0, "flops") >= 2.0 * 4 * 640 * 160 * 1496);
    RUN_OK(r, "neurons", "class", "end_w_ing", NULL);
    RUN_OK(r, "neurons", "search", "Mary", NULL);
    CHECK(!result_table(r->out, "found"));
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "neurons", "layers", "1", NULL);
    CHECK_STR(run_text(run_table(r, "sites"), 0, "site"), "blocks.1.mlp.hook_post");
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), 1);
    run_close(r);
}

#define TESTS(T) \
    T(moments_are_those_of_the_oracle) T(neurons_known_by_construction) T(padding_is_left_out) \
    T(classes_are_those_of_the_oracle) T(classes_are_sorted_and_chosen) T(histograms_count_every_token) \
    T(a_word_is_found_where_it_is_raised) T(neurons_of_a_prompt) \
    T(switches) T(weights_that_are_no_numbers_are_in_no_bin) T(skipped_parts_have_no_neurons) T(what_is_wrong_is_said) T(a_dry_run_runs_nothing)
TEST_MAIN(TESTS)
